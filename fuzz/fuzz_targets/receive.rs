//! One speaker over a bad link, against a plain model: who arrives in time is heard once and in
//! full, what is lost is made up as long as the speaker still speaks, and nothing else comes out.
//!
//! Each byte is a packet of 20 ms: its delay, whether it is lost, whether it comes twice.
#![no_main]

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use clawvoice_fuzz::{CallBench, Input};
use clawvoice_session::SessionTime;
use clawvoice_voice::wire::aead::Mode;

/// 20 ms of CELT, which has no FEC.
const SPEECH: [u8; 4] = [0xFC, 0x00, 0x01, 0x02];
/// Packets at most: the budget of one speaker is another target's business.
const MAX_PACKETS: usize = 2_000;
/// Below this a packet is overtaken by less than the shortest wait.
const DELAYS: u8 = 39;
/// Gaps of so many packets are bridged for sure, and of so many for sure not, whatever the delays of
/// the packets around them and their waits: the speaker stops 100 ms behind the last one heard.
const BRIDGED: u64 = 2;
const TOO_LONG: u64 = 9;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let first = input.u16();
    let mut arrivals = BinaryHeap::new();
    let (mut sent, mut twice, mut gap) = (0u64, 0u64, 0u64);
    let (mut least, mut most) = (0, 0);
    for at in 0..input.rest().len().min(MAX_PACKETS) {
        let what = data[2 + at];
        if what >= 200 && at > 0 {
            gap += 1;
            continue;
        }
        if sent > 0 && gap > 0 {
            least += if gap <= BRIDGED { gap } else { 0 };
            most += if gap < TOO_LONG { gap } else { 0 };
        }
        gap = 0;
        sent += 1;
        // Nobody knows that there was a packet before the first.
        let delay = if at == 0 { 0 } else { u64::from(what % DELAYS) };
        let due = 20 * at as u64 + delay;
        arrivals.push(Reverse((due, at)));
        if what & 1 == 1 {
            twice += 1;
            arrivals.push(Reverse((due + 7, at)));
        }
    }

    let mut bench = CallBench::new(Mode::Aes256Gcm, true, true, false);
    bench.connect(0);
    bench.text(r#"{"op":5,"d":{"speaking":1,"ssrc":3,"user_id":"1"}}"#);
    let began = bench.now;
    while let Some(Reverse((due, at))) = arrivals.pop() {
        let due: SessionTime = began + Duration::from_millis(due);
        bench.wait(due.since(bench.now));
        bench.media(3, first.wrapping_add(at as u16), &SPEECH);
    }
    bench.finish();
    let total = bench.call.stats().total;
    assert_eq!(total.delivered, sent, "{total:?}");
    assert_eq!(total.duplicate, twice, "{total:?}");
    assert_eq!((total.late, total.fec, total.flooded), (0, 0, 0), "{total:?}");
    let made_up = total.concealed + total.silenced;
    assert!((least..=most).contains(&made_up), "{made_up} of {least} to {most}: {total:?}");
});
