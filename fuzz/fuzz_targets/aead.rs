//! The transport cipher: garbage and damaged packets are refused, whole ones open.
#![no_main]

use clawvoice_fuzz::{Input, damaged};
use clawvoice_voice::wire::aead::{KEY_BYTES, Mode, OVERHEAD, Transport};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let mode = if input.flag() { Mode::Aes256Gcm } else { Mode::XChaCha20Poly1305 };
    let mut key = [input.byte(); KEY_BYTES];
    let clear_bytes = usize::from(input.byte());

    let mut garbage = input.piece().to_vec();
    // The fuzzer sees what the tag is compared with and copies it in. So the key depends on the tag:
    // with every guess another one would be right.
    for (key, byte) in key.iter_mut().zip(garbage.iter().rev()) {
        *key ^= byte;
    }
    let mut transport = Transport::new(mode, &key);
    assert!(transport.open(&mut garbage, clear_bytes).is_err(), "garbage passed");

    let plain = input.piece();
    let mut packet = plain.to_vec();
    packet.resize(plain.len() + OVERHEAD - usize::from(input.flag()), 0);
    let Ok(bytes) = transport.seal(&mut packet, clear_bytes, plain.len()) else {
        assert!(clear_bytes > plain.len() || packet.len() < plain.len() + OVERHEAD);
        return;
    };
    assert_eq!(bytes, plain.len() + OVERHEAD);
    let mut changed = damaged(packet.clone(), &mut input);
    if changed != packet {
        assert!(transport.open(&mut changed, clear_bytes).is_err(), "a damaged packet passed");
    }
    let opened = transport.open(&mut packet, clear_bytes);
    assert_eq!(opened, Ok(clear_bytes..plain.len()));
    assert_eq!(&packet[..plain.len()], plain);
});
