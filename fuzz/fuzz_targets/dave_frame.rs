//! The protocol-frame check of DAVE, with and without the end that marks a frame.
#![no_main]

use clawvoice_voice::wire::dave::check;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let marked = [data, &[0xFA, 0xFA]].concat();
    for frame in [data, &marked] {
        if let Some(found) = check(frame) {
            assert!(found.media_bytes + 12 <= frame.len(), "no room for the trailer");
        }
    }
});
