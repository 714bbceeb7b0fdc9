//! A whole voice connection under any order of websocket messages, datagrams, ticks and waits.
#![no_main]

use clawvoice_fuzz::{CallBench, Input};
use clawvoice_voice::{
    call::FRAME_SAMPLES,
    wire::{
        aead::Mode,
        rtp::{self, SILENCE},
    },
};

/// 20 ms of CELT: a valid Opus packet.
const SPEECH: [u8; 4] = [0xFC, 0x00, 0x01, 0x02];

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let setup = input.byte();
    let mode = if setup & 1 == 0 { Mode::Aes256Gcm } else { Mode::XChaCha20Poly1305 };
    let mut bench = CallBench::new(mode, setup & 2 == 0, setup & 4 == 0, setup & 8 != 0);
    bench.outputs();
    if setup & 16 == 0 {
        bench.connect(u16::from(setup >> 5 & 1));
    }
    while !input.is_empty() {
        step(&mut bench, &mut input);
    }
    bench.finish();
});

fn step(bench: &mut CallBench, input: &mut Input<'_>) {
    match input.below(16) {
        0 | 1 => bench.wait(input.wait()),
        2 => bench.oversleep(input.wait()),
        3 => bench.opened(),
        4 => bench.closed(match input.below(3) {
            0 => None,
            1 => Some(4_000 + u16::from(input.byte())),
            _ => Some(input.u16()),
        }),
        5 => bench.text(&String::from_utf8_lossy(input.piece())),
        6 | 7 => {
            let text = text(bench, input);
            bench.text(&text)
        }
        8 => bench.binary(input.piece()),
        9 => {
            let op = 25 + input.below(6);
            let message = [&[0, 0, op], input.piece()].concat();
            bench.binary(&message)
        }
        10 => bench.datagram(&mut input.piece().to_vec()),
        11 => bench.datagram(&mut CallBench::discovery_answer()),
        12 | 13 => media(bench, input),
        14 => {
            let pcm = input.flag().then(|| [i16::from(input.byte()) * 100; FRAME_SAMPLES]);
            bench.tick(pcm.as_ref())
        }
        _ if input.byte() == 255 => bench.close(),
        _ => bench.wait(std::time::Duration::from_millis(20)),
    };
}

/// A message that fits its opcode, with numbers that may not fit the call.
fn text(bench: &CallBench, input: &mut Input<'_>) -> String {
    let op = input.below(13);
    let small = input.below(5);
    match op {
        0 => format!(r#"{{"op":8,"d":{{"heartbeat_interval":{}}}}}"#, input.u16()),
        1 => bench.ready(),
        2 => bench.description(u16::from(small)),
        3 => r#"{"op":3,"d":null}"#.to_owned(),
        4 => r#"{"op":6,"d":{"t":1}}"#.to_owned(),
        5 | 6 => {
            let ssrc = if small == 4 { input.u32() } else { u32::from(small) };
            let user = 1 + input.below(4);
            format!(r#"{{"op":5,"d":{{"speaking":1,"ssrc":{ssrc},"user_id":"{user}"}}}}"#)
        }
        7 => r#"{"op":9,"d":null}"#.to_owned(),
        8 => format!(r#"{{"op":11,"d":{{"user_ids":["{}","1000"]}}}}"#, 1 + small),
        9 => format!(r#"{{"op":13,"d":{{"user_id":"{}"}}}}"#, 1 + small),
        10 => format!(
            r#"{{"op":21,"d":{{"protocol_version":{},"transition_id":{small}}}}}"#,
            input.below(3)
        ),
        11 => format!(r#"{{"op":22,"d":{{"transition_id":{small}}}}}"#),
        _ => {
            format!(r#"{{"op":24,"d":{{"protocol_version":{small},"epoch":{}}}}}"#, input.below(3))
        }
    }
}

/// A packet that passes the transport cipher.
fn media(bench: &mut CallBench, input: &mut Input<'_>) -> Vec<clawvoice_voice::call::Output> {
    let what = input.below(6);
    if what == 0 {
        let clear = input.piece();
        // The clear part must be as long as the header says, or the cipher refuses the packet.
        return bench.sealed(clear, input.piece());
    }
    let ssrc = u32::from(input.below(6));
    let sequence = match input.below(4) {
        0 => input.u16(),
        _ => u16::from(input.byte()),
    };
    match what {
        1 => bench.media(ssrc, sequence, &SILENCE),
        2 => bench.media(ssrc, sequence, input.piece()),
        3 => {
            // Opus of any timestamp, marked as a DAVE frame.
            let mut header = [0; rtp::HEADER_BYTES];
            rtp::write_header(&mut header, sequence, input.u32(), ssrc);
            let frame = [input.piece(), &[1, 12, 0xFA, 0xFA]].concat();
            bench.sealed(&header, &frame)
        }
        _ => bench.media(ssrc, sequence, &SPEECH),
    }
}
