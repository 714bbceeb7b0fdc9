//! IP discovery: any datagram may claim to be the answer.
#![no_main]

use clawvoice_voice::wire::discovery;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let ssrc = 0x0102_0304;
    if discovery::response(data, ssrc).is_some() {
        assert_eq!(data.len(), discovery::BYTES);
        assert_eq!(data[4..8], ssrc.to_be_bytes());
    }
    // With a right head, so that the address text is reached.
    let mut answer = discovery::request(ssrc);
    answer[1] = 2;
    for (to, from) in answer[8..].iter_mut().zip(data) {
        *to = *from;
    }
    let _ = discovery::response(&answer, ssrc);
});
