//! The unit driven by packets, without sockets.

use super::*;

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Ports 1, 2 and 3 in channel 10, port 4 in channel 11; address = 1000 + ssrc.
fn unit() -> Sfu {
    let mut sfu = Sfu::new(1);
    for (ssrc, channel) in [(1, 10), (2, 10), (3, 10), (4, 11)] {
        sfu.open_port(ssrc, ssrc.into(), channel, [ssrc as u8; 32]);
        let mode = if ssrc == 2 { Mode::XChaCha20Poly1305 } else { Mode::Aes256Gcm };
        sfu.select(ssrc, mode, address(1_000 + ssrc as u16));
        sfu.announce(ssrc);
    }
    sfu
}

fn frame(sequence: u16, payload: &[u8]) -> Opened {
    let mut rest = [0; 10];
    rest[..2].copy_from_slice(&sequence.to_be_bytes());
    rest[9] = 1;
    Opened { second: 0x78, rest, payload: payload.to_vec() }
}

fn wire(sequence: u16) -> Vec<u8> {
    let cipher = Cipher::new(Mode::Aes256Gcm, &[1; 32]);
    let sent = frame(sequence, b"dave");
    seal(&cipher, u32::from(sequence), &sent, Additions { extension: true, padding: 3 }).unwrap()
}

const PLAIN: Treatment =
    Treatment { drop_percent: 0.0, padding_every: 4, padding_max: 8, header_extension: true };

#[test]
fn every_other_member_of_the_channel_gets_the_same_frame() {
    let mut sfu = unit();
    let mut out = Vec::new();
    let verdict = sfu.handle_datagram(PLAIN, address(1_001), &wire(7), &mut out);
    assert_eq!(verdict, Verdict::Done);
    let to: Vec<_> = out.iter().map(|one| one.packet.to).collect();
    assert_eq!(to, [address(1_002), address(1_003)]);
    let second = Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]);
    let third = Cipher::new(Mode::Aes256Gcm, &[3; 32]);
    assert_eq!(open(&second, &out[0].packet.bytes), Ok(frame(7, b"dave")));
    assert_eq!(open(&third, &out[1].packet.bytes), Ok(frame(7, b"dave")));
    assert_eq!(out[0].packet.bytes[0], 0x90);
}

#[test]
fn every_fourth_packet_is_padded() {
    let mut sfu = unit();
    let mut out = Vec::new();
    for sequence in 0..8 {
        sfu.handle_datagram(PLAIN, address(1_001), &wire(sequence), &mut out);
    }
    let second = Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]);
    let to_second = out.iter().filter(|one| one.packet.to == address(1_002));
    let padded: Vec<_> = to_second
        .map(|one| {
            let wire = &one.packet.bytes;
            assert_eq!(open(&second, wire).unwrap().payload, b"dave");
            wire[0] & 0x20 != 0
        })
        .collect();
    assert_eq!(padded, [false, false, false, true, false, false, false, true]);
}

#[test]
fn an_ssrc_belongs_to_its_key_and_host() {
    let mut sfu = unit();
    let mut out = Vec::new();
    let elsewhere = ([127, 0, 0, 2], 1_001).into();
    sfu.handle_datagram(PLAIN, elsewhere, &wire(1), &mut out);
    let forged = seal(
        &Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]),
        1,
        &frame(1, b"dave"),
        Additions::default(),
    );
    sfu.handle_datagram(PLAIN, address(1_001), &forged.unwrap(), &mut out); // another key
    assert!(out.is_empty());
    assert_eq!(sfu.take_counts(), [(1, Counts { refused: 2, ..Counts::default() })]);
    assert_eq!(sfu.take_counts(), []);
}

#[test]
fn whoever_is_silenced_is_counted_and_hears_on() {
    let mut sfu = unit();
    let mut out = Vec::new();
    for (silenced, counts) in [
        (Silenced::Muted, Counts { received: 1, muted: 1, ..Counts::default() }),
        (
            Silenced::Suppressed,
            Counts { received: 2, muted: 1, suppressed: 1, ..Counts::default() },
        ),
    ] {
        sfu.set_silenced(1, Some(silenced));
        sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
        assert!(out.is_empty());
        assert_eq!(sfu.take_counts(), [(1, counts)]);
    }
    sfu.set_silenced(2, Some(Silenced::Muted));
    sfu.set_silenced(1, None);
    sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
    assert_eq!(out.len(), 2, "the muted one hears");
}

#[test]
fn media_follows_a_port_that_only_its_owner_can_have_sent_from() {
    let mut sfu = unit();
    let mut out = Vec::new();
    sfu.handle_datagram(PLAIN, address(1_001), &wire(65_535), &mut out);
    assert_eq!(out.len(), 2);
    // Copies of old packets and forged ones, from another port: nothing.
    let mut forged = wire(3);
    forged[20] ^= 1;
    for bytes in [wire(65_535), wire(60_000), forged] {
        sfu.handle_datagram(PLAIN, address(7_000), &bytes, &mut out);
    }
    let mut ask = vec![0, 1, 0, 70, 0, 0, 0, 1];
    ask.resize(74, 0);
    out.clear();
    sfu.handle_datagram(PLAIN, address(7_000), &ask, &mut out);
    assert_eq!(out.remove(0).packet.to, address(7_000), "discovery is answered");
    assert!(sfu.moved.is_empty() && out.is_empty());

    // Out of order from the usual port is as good as ever.
    sfu.handle_datagram(PLAIN, address(1_001), &wire(65_534), &mut out);
    sfu.handle_datagram(PLAIN, address(7_000), &wire(0), &mut out);
    assert_eq!((out.len(), std::mem::take(&mut sfu.moved)), (4, vec![(1, address(7_000))]));
    out.clear();
    let cipher = Cipher::new(Mode::XChaCha20Poly1305, &[2; 32]);
    let mut answer = frame(0, b"dave");
    answer.rest[9] = 2;
    let answer = seal(&cipher, 1, &answer, Additions::default()).unwrap();
    sfu.handle_datagram(PLAIN, address(1_002), &answer, &mut out);
    assert_eq!(out[0].packet.to, address(7_000));
    // SELECT PROTOCOL has the last word over what is still under way.
    sfu.select(1, Mode::Aes256Gcm, address(7_500));
    out.clear();
    sfu.handle_datagram(PLAIN, address(7_000), &wire(1), &mut out);
    assert_eq!((out.len(), sfu.moved.is_empty()), (2, true));
    out.clear();
    sfu.handle_datagram(PLAIN, address(1_002), &answer, &mut out);
    assert_eq!(out[0].packet.to, address(7_500));
    // The nonces go on.
    sfu.select(1, Mode::XChaCha20Poly1305, address(8_000));
    sfu.handle_datagram(PLAIN, address(1_002), &answer, &mut out);
    assert_eq!(out[2].packet.to, address(8_000));
    let nonce = |wire: &[u8]| wire.last().copied().unwrap();
    assert_eq!(nonce(&out[2].packet.bytes), nonce(&out[0].packet.bytes) + 1);
}

#[test]
fn rtp_before_op_5_is_told() {
    let mut sfu = Sfu::new(1);
    sfu.open_port(1, 1, 10, [1; 32]);
    sfu.select(1, Mode::Aes256Gcm, address(1_001));
    let mut out = Vec::new();
    let verdict = sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
    assert_eq!(verdict, Verdict::NotSpeaking { ssrc: 1 });
    // A forged packet cannot get a member closed.
    let mut forged = wire(2);
    forged[20] ^= 1;
    let verdict = sfu.handle_datagram(PLAIN, address(1_001), &forged, &mut out);
    assert_eq!(verdict, Verdict::Done);
}

#[test]
fn the_dropped_share_is_about_what_was_asked() {
    let mut sfu = unit();
    let mut out = Vec::new();
    let lossy = Treatment { drop_percent: 25.0, ..PLAIN };
    for sequence in 0..1_000 {
        sfu.handle_datagram(lossy, address(1_001), &wire(sequence), &mut out);
    }
    assert!((1_400..1_600).contains(&out.len()), "{}", out.len());
    // The same seed, the same packets.
    let mut lost = || {
        sfu.reseed(9);
        let mut out = Vec::new();
        for sequence in 0..50 {
            sfu.handle_datagram(lossy, address(1_001), &wire(sequence), &mut out);
        }
        out.iter().map(|one| (one.packet.to, one.packet.bytes[3])).collect::<Vec<_>>()
    };
    assert_eq!(lost(), lost());
    out.clear();
    let all = Treatment { drop_percent: 100.0, ..PLAIN };
    sfu.handle_datagram(all, address(1_001), &wire(0), &mut out);
    assert!(out.is_empty());
}

#[test]
fn a_closed_port_gets_nothing() {
    let mut sfu = unit();
    let mut out = Vec::new();
    sfu.close_port(2);
    sfu.close_port(1);
    sfu.handle_datagram(PLAIN, address(1_001), &wire(1), &mut out);
    assert!(out.is_empty());
    assert_eq!(sfu.strays, 1);
}

#[test]
fn discovery_answers_only_known_ssrcs() {
    let mut sfu = unit();
    let mut request = vec![0, 1, 0, 70, 0, 0, 0, 1];
    request.resize(74, 0);
    let mut out = Vec::new();
    sfu.handle_datagram(PLAIN, address(9), &request, &mut out);
    let bytes = discovery_response(1, "127.0.0.1", 9);
    let packet = Packet { to: address(9), bytes, other_port: false };
    assert_eq!(out, [Datagram { flow: Flow { from: 0, to: 1 }, packet }]);
    request[7] = 99;
    sfu.handle_datagram(PLAIN, address(9), &request, &mut out);
    assert_eq!(out.len(), 1);
}
