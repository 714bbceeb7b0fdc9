//! What judging a speaker's sound costs: voice detection, pitch and the search for echo, for a frame
//! of 20 ms, beside the Opus decoding of that frame.

use std::{hint::black_box, time::Instant};

use anyhow::{Context as _, ensure};
use audiopus::{
    Application, Bitrate, Channels, SampleRate, coder::Decoder, coder::Encoder, packet::Packet,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::Hear as _,
    conversation::{Conversation, ConversationSettings, FloorRules, Output},
    realtime::local::read_wav,
};
use serde::Serialize;
use serde_json::json;

use crate::report::{self, Table, rounded};

const ROUNDS: usize = 15;
const FRAME: usize = 480;
/// Frames of a round: half a minute.
const FRAMES: usize = 1_500;
const SPEAKER: UserId = UserId::new(2);
/// Promised: so many times the decoding, at most.
const MOST: f64 = 1.0;

#[derive(Serialize)]
struct Section {
    rounds: usize,
    judging_us: f64,
    decoding_us: f64,
    ratio: f64,
}

/// Measures both in turns.
pub(crate) fn measure() -> anyhow::Result<()> {
    let speech = read_wav(&include_bytes!("../../fixtures/audio/clothes.wav")[..])?;
    let packets = encode(&speech)?;
    let (mut judging, mut decoding, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (judged, decoded) = (judge(&speech)?, decode(&packets)?);
        judging.push(judged);
        decoding.push(decoded);
        ratios.push(judged / decoded);
    }
    let section = Section {
        rounds: ROUNDS,
        judging_us: median(&mut judging),
        decoding_us: median(&mut decoding),
        ratio: median(&mut ratios),
    };
    let mut table = Table::new(["of a speaker's frame of 20 ms", "us", "ratio", "promised"]);
    table.row([
        "voice, pitch and echo, while the agent speaks".to_owned(),
        section.judging_us.to_string(),
        section.ratio.to_string(),
        format!("<= {MOST}"),
    ]);
    table.row([
        "Opus, to 24 kHz mono".to_owned(),
        section.decoding_us.to_string(),
        "1".into(),
        String::new(),
    ]);
    report::print(&table);
    report::write_to(report::INTERRUPTION, "judging", &section)?;
    ensure!(section.ratio <= MOST, "judging costs more than decoding");
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    rounded(values.get(values.len() / 2).copied().unwrap_or_default())
}

/// A noise that is never taken for a voice, so that the answer plays on and every frame is searched
/// for echo: the dearest case there is. Microseconds a frame.
fn judge(answer: &[i16]) -> anyhow::Result<f64> {
    let settings = ConversationSettings {
        floor: Some(FloorRules::default()),
        ..ConversationSettings::new(GuildId::new(1), ChannelId::new(1), UserId::new(9))
    };
    let mut now = SessionTime::ZERO;
    let mut talk = Conversation::new(settings, now);
    start_answer(&mut talk, now, answer);
    let mut state = 1_u32;
    let noise: Vec<i16> = (0..FRAME * FRAMES)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 19) as i16 - 4_096
        })
        .collect();
    talk.speaking_started(now, SPEAKER);
    let mut spent = 0.0;
    let mut frame = [0; FRAME];
    for heard in noise.chunks_exact(FRAME) {
        now += std::time::Duration::from_millis(20);
        talk.handle_timeout(now);
        talk.take_frame(now, &mut frame);
        while talk.poll_output().is_some() {}
        let began = Instant::now();
        talk.audio(now, SPEAKER, black_box(heard));
        spent += began.elapsed().as_secs_f64();
        while talk.poll_output().is_some() {}
    }
    ensure!(talk.stats().barge_ins == 0, "the noise was taken for speech");
    Ok(spent * 1e6 / FRAMES as f64)
}

fn start_answer(talk: &mut Conversation, now: SessionTime, answer: &[i16]) {
    let opened = std::iter::from_fn(|| talk.poll_output()).find_map(|output| match output {
        Output::OpenProvider { lane } => Some(lane),
        _ => None,
    });
    let Some(lane) = opened else { return };
    talk.handle_provider_opened(now, lane);
    let mut say = |event: serde_json::Value| {
        talk.handle_provider_text(now, lane, &event.to_string());
    };
    say(json!({ "type": "session.updated", "session": {} }));
    say(json!({ "type": "response.created", "response": { "id": "r" } }));
    let bytes: Vec<u8> = answer.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let audio = STANDARD.encode(bytes);
    // Longer than a round.
    for _ in 0..4 {
        say(json!({ "type": "response.output_audio.delta", "response_id": "r", "item_id": "i",
                    "output_index": 0, "content_index": 0, "delta": audio }));
    }
}

fn encode(speech: &[i16]) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(SampleRate::Hz24000, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::BitsPerSecond(64_000))?;
    speech
        .chunks_exact(FRAME)
        .map(|frame| {
            let mut packet = vec![0; 1_275];
            let length = encoder.encode(frame, &mut packet)?;
            packet.truncate(length);
            Ok(packet)
        })
        .collect()
}

fn decode(packets: &[Vec<u8>]) -> anyhow::Result<f64> {
    let mut decoder = Decoder::new(SampleRate::Hz24000, Channels::Mono)?;
    let mut pcm = [0_i16; FRAME];
    let began = Instant::now();
    for packet in packets {
        let packet = Packet::try_from(packet).context("an Opus packet")?;
        decoder.decode(Some(packet), (&mut pcm[..]).try_into()?, false)?;
        black_box(&pcm);
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / packets.len() as f64)
}
