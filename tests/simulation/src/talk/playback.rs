//! Answers in every timing a provider may have, and what the room hears of them.

use std::{collections::VecDeque, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::Hear as _,
    conversation::{Conversation, ConversationSettings, Lane, Output},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;
use serde_json::json;

use super::{FRAME, TICK};

/// Answers of one conversation.
const ANSWERS: u64 = 5;

/// What the room heard.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PlaybackReport {
    /// Where everything random came from.
    pub seed: u64,
    /// Answers that were sent.
    pub answers: u64,
    /// Answers that were heard to the sample, once and in order.
    pub whole: u64,
    /// Samples sent.
    pub sent: u64,
    /// Samples heard, without the padding of last frames.
    pub heard: u64,
    /// Ticks inside answers on which nothing could be played.
    pub starved: u64,
}

/// A piece of an answer and when it comes.
struct Piece {
    at: SessionTime,
    message: String,
}

/// Plays five answers of random length, cut and timed at random.
#[must_use]
pub fn run(seed: u64) -> PlaybackReport {
    let mut rng = SmallRng::seed_from_u64(seed);
    let settings = ConversationSettings::new(GuildId::new(1), ChannelId::new(2), UserId::new(99));
    let mut talk = Conversation::new(settings, SessionTime::ZERO);
    let mut now = SessionTime::ZERO;
    let lane = open(&mut talk, now);
    // Somebody has spoken: the connection is theirs.
    talk.speaking_started(now, UserId::new(1));
    talk.audio(now, UserId::new(1), &[1; FRAME]);
    talk.speaking_stopped(now, UserId::new(1));
    let mut expected = Vec::new();
    let mut pieces = VecDeque::new();
    let mut at = SessionTime::from_millis(1_000);
    let mut report = PlaybackReport { seed, answers: ANSWERS, ..PlaybackReport::default() };
    for number in 0..ANSWERS {
        let pcm = answer(&mut rng, number);
        report.sent += pcm.len() as u64;
        at = cut(&mut rng, number, &pcm, at, &mut pieces);
        expected.push(pcm);
        at += Duration::from_millis(rng.random_range(0..3_000));
    }
    let mut heard: Vec<i16> = Vec::new();
    let end = at + Duration::from_millis(report.sent / 24 + 10_000);
    while now < end {
        now += TICK;
        while pieces.front().is_some_and(|piece: &Piece| piece.at <= now) {
            let Some(piece) = pieces.pop_front() else { break };
            talk.handle_provider_text(piece.at, lane, &piece.message);
        }
        while talk.poll_timeout().is_some_and(|(at, _)| at <= now) {
            talk.handle_timeout(now);
            while talk.poll_output().is_some() {}
        }
        let mut frame = [0; FRAME];
        let wanted = talk.wants_frame();
        if talk.take_frame(now, &mut frame) {
            heard.extend(frame);
        } else {
            report.starved += u64::from(wanted);
        }
        while talk.poll_output().is_some() {}
    }
    judge(&mut report, &expected, &heard);
    report
}

fn open(talk: &mut Conversation, now: SessionTime) -> Lane {
    let mut lane = Lane::new(0);
    while let Some(output) = talk.poll_output() {
        if let Output::OpenProvider { lane: opened } = output {
            lane = opened;
        }
    }
    talk.handle_provider_opened(now, lane);
    let updated = json!({ "type": "session.updated", "session": {} }).to_string();
    talk.handle_provider_text(now, lane, &updated);
    lane
}

/// Samples that tell their place and their answer; never zero.
fn answer(rng: &mut SmallRng, number: u64) -> Vec<i16> {
    let ms = match rng.random_range(0..4) {
        0 => rng.random_range(20..200),
        1 => rng.random_range(5_000..14_000),
        _ => rng.random_range(200..5_000),
    };
    (0..ms * 24).map(|n: u64| (1 + (n * 7 + number * 1_000) % 30_000) as i16).collect()
}

/// Cuts an answer into deltas: by bytes, so that samples are split; in one or more items; at a
/// pace between real time and ten times that, with stalls and bursts, or as one giant piece.
fn cut(
    rng: &mut SmallRng,
    number: u64,
    pcm: &[i16],
    mut at: SessionTime,
    pieces: &mut VecDeque<Piece>,
) -> SessionTime {
    let id = format!("r{number}");
    let mut say = |at: SessionTime, event: serde_json::Value| {
        pieces.push_back(Piece { at, message: event.to_string() });
    };
    say(at, json!({ "type": "response.created", "response": { "id": id } }));
    let speed = [1.0, 1.0, 2.0, 4.0, 10.0][rng.random_range(0..5)];
    let giant = rng.random_range(0..6) == 0;
    let piece_ms = [20, 60, 100, 200, 500][rng.random_range(0..5)];
    let items = rng.random_range(1..=3_usize);
    let per_item = pcm.len().div_ceil(items);
    for (number, item) in pcm.chunks(per_item).enumerate() {
        let bytes: Vec<u8> = item.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let odd = rng.random_range(0..2);
            let length = if giant { rest.len() } else { (piece_ms * 48 + odd).min(rest.len()) };
            let (piece, later) = rest.split_at(length);
            rest = later;
            say(
                at,
                json!({
                    "type": "response.output_audio.delta", "response_id": id,
                    "item_id": format!("{id} item {number}"), "content_index": 0,
                    "delta": STANDARD.encode(piece),
                }),
            );
            let pace = length as f64 / 48.0 / speed * 1_000.0;
            at += Duration::from_micros(pace as u64);
            if rng.random_range(0..40) == 0 {
                at += Duration::from_millis(rng.random_range(100..3_500));
            }
        }
    }
    // Its end may come at once or late.
    at += Duration::from_millis(rng.random_range(0..400));
    say(at, json!({ "type": "response.done", "response": { "id": id, "status": "completed" } }));
    at
}

/// What was heard is each answer whole, filled up to a frame with silence, one after the other.
fn judge(report: &mut PlaybackReport, expected: &[Vec<i16>], heard: &[i16]) {
    let mut rest = heard;
    for pcm in expected {
        let length = pcm.len().next_multiple_of(FRAME).min(rest.len());
        let (part, later) = rest.split_at(length);
        rest = later;
        let (said, padding) = part.split_at(pcm.len().min(part.len()));
        report.heard += said.iter().filter(|sample| **sample != 0).count() as u64;
        let is_whole = said == pcm.as_slice() && padding.iter().all(|sample| *sample == 0);
        report.whole += u64::from(is_whole);
    }
    if !rest.is_empty() {
        // Something was heard twice: none of it counts as whole.
        report.whole = 0;
    }
}
