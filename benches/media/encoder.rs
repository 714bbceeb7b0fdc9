//! Which encoder to choose for what the bot says: libopus's application and effort at 64 kbit/s from
//! 24 kHz mono, time per frame beside what comes out of it.

use audiopus::{
    Application, Bitrate, Channels, MutSignals, SampleRate,
    coder::{Decoder, Encoder},
};
use clawvoice_voice::call::FRAME_SAMPLES;
use serde::Serialize;

use crate::{
    quality::{self, Quality},
    report::{self, Table, median, rounded},
    rounds::cost_each,
    speech,
};

/// Bits per second.
const BITRATE: i32 = 64_000;
const COMPLEXITIES: [u8; 3] = [10, 5, 2];
const ROUNDS: usize = 7;
/// Seconds of speech, in each round the same.
const SECONDS: usize = 30;
/// The largest Opus packet of one frame.
const MAX_OPUS: usize = 1_275;

/// One row.
#[derive(Debug, Serialize)]
struct Choice {
    application: &'static str,
    complexity: u8,
    /// Median of the rounds, µs of processor time.
    us_per_frame: f64,
    /// Of the time of the first row, the median of the rounds' own ratios.
    ratio: f64,
    /// Mean, without headers.
    bytes_per_frame: f64,
    /// Frames that SILK has part in, percent; the others are CELT's alone.
    silk_percent: f64,
    segmental_snr_db: f64,
    log_spectral_distance_db: f64,
}

/// Measures, prints and writes.
pub(crate) fn measure() -> anyhow::Result<()> {
    let pcm = speech::pcm_24k(SECONDS)?;
    let settings: Vec<_> = [(Application::Audio, "audio"), (Application::Voip, "voip")]
        .into_iter()
        .flat_map(|(application, name)| COMPLEXITIES.map(|effort| (application, name, effort)))
        .collect();
    let mut times = vec![Vec::new(); settings.len()];
    let mut packets = vec![Vec::new(); settings.len()];
    for round in 0..=ROUNDS {
        for turn in 0..settings.len() {
            let which = (round + turn) % settings.len();
            let (application, _, complexity) = settings[which];
            let mut encoder = encoder(application, complexity)?;
            let mut said = Vec::with_capacity(pcm.len() / FRAME_SAMPLES);
            let time =
                cost_each(pcm.len() / FRAME_SAMPLES, || encode(&mut encoder, &pcm, &mut said))?;
            // The first round warms up and does not count.
            if round > 0 {
                times[which].push(time);
            }
            packets[which] = said;
        }
    }
    let mut choices = Vec::new();
    for (which, (_, application, complexity)) in settings.iter().enumerate() {
        let Quality { segmental_snr_db, log_spectral_distance_db } =
            quality::compare(&pcm, &decode(&packets[which])?);
        let ratios: Vec<f64> =
            times[which].iter().zip(&times[0]).map(|(time, first)| time / first).collect();
        let share = |count: usize| count as f64 / packets[which].len() as f64;
        let silk =
            packets[which].iter().filter(|packet| packet.first().is_some_and(|toc| toc >> 3 < 16));
        choices.push(Choice {
            application,
            complexity: *complexity,
            us_per_frame: rounded(median(&times[which])),
            ratio: rounded(median(&ratios)),
            bytes_per_frame: rounded(share(packets[which].iter().map(Vec::len).sum())),
            silk_percent: rounded(100.0 * share(silk.count())),
            segmental_snr_db: rounded(segmental_snr_db),
            log_spectral_distance_db: rounded(log_spectral_distance_db),
        });
    }
    report::print(&table(&choices));
    report::write("encoder_choice", &choices)
}

fn table(choices: &[Choice]) -> Table {
    let mut table = Table::new([
        "encoder_choice",
        "complexity",
        "us/frame",
        "ratio",
        "bytes/frame",
        "SILK %",
        "segmental SNR dB",
        "log-spectral distance dB",
    ]);
    for choice in choices {
        table.row([
            choice.application.to_owned(),
            choice.complexity.to_string(),
            format!("{:.1}", choice.us_per_frame),
            format!("{:.3}", choice.ratio),
            format!("{:.1}", choice.bytes_per_frame),
            format!("{:.0}", choice.silk_percent),
            format!("{:.2}", choice.segmental_snr_db),
            format!("{:.2}", choice.log_spectral_distance_db),
        ]);
    }
    table
}

fn encoder(application: Application, complexity: u8) -> anyhow::Result<Encoder> {
    let mut encoder = Encoder::new(SampleRate::Hz24000, Channels::Mono, application)?;
    encoder.set_bitrate(Bitrate::BitsPerSecond(BITRATE))?;
    encoder.set_complexity(complexity)?;
    Ok(encoder)
}

fn encode(encoder: &mut Encoder, pcm: &[i16], packets: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
    let mut opus = [0; MAX_OPUS];
    for frame in pcm.chunks_exact(FRAME_SAMPLES) {
        let bytes = encoder.encode(frame, &mut opus)?;
        packets.push(opus[..bytes].to_vec());
    }
    Ok(())
}

fn decode(packets: &[Vec<u8>]) -> anyhow::Result<Vec<i16>> {
    let mut decoder = Decoder::new(SampleRate::Hz24000, Channels::Mono)?;
    let mut pcm = [0; FRAME_SAMPLES];
    let mut all = Vec::with_capacity(packets.len() * FRAME_SAMPLES);
    for packet in packets {
        let packet = Some(packet.try_into()?);
        let samples = decoder.decode(packet, MutSignals::try_from(&mut pcm[..])?, false)?;
        all.extend_from_slice(&pcm[..samples]);
    }
    Ok(all)
}
