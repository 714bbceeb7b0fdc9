//! RTP from the voice server's socket: the header, and the media inside the plaintext.
#![no_main]

use clawvoice_voice::wire::{
    aead::OVERHEAD,
    rtp::{self, Packet},
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(Packet::Rtp(header)) = rtp::parse(data) else { return };
    let end = data.len() - OVERHEAD;
    assert!(header.clear_bytes + header.extension_bytes <= end);
    let plaintext = &data[header.clear_bytes..end];
    if let Ok(media) = rtp::media(&header, plaintext) {
        assert!(media.len() + header.extension_bytes <= plaintext.len());
    }
    // A plaintext of another length than the header promised.
    let _ = rtp::media(&header, &data[..data.len() / 2]);
});
