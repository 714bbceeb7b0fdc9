//! From an audio file to a voice message.

use std::io::{Cursor, Read as _, Seek as _};

use symphonia::core::io::MediaSource;

use super::{
    VoiceMessage, Waveform,
    encode::OggEncoder,
    failure::PrepareFailure,
    ogg_opus,
    opus::RATE_HZ,
    resample::Resampler,
    source::{Pcm, Planar, Source, mean},
    waveform,
};

/// The largest file that is read, in bytes. Decoding streams, so this is no amount of memory.
pub const MOST_INPUT_BYTES: u64 = 256 * 1024 * 1024;
/// The most that is uploaded, in bytes: Discord's limit for a bot's file.
pub const MOST_OGG_BYTES: u64 = 10 * 1024 * 1024;
/// The longest recording, in seconds: at 64 kbit/s it stays below [`MOST_OGG_BYTES`].
pub const MOST_SECONDS: u64 = 20 * 60;
/// Sample rates that are taken. Files that claim others are damaged.
const RATES_HZ: std::ops::RangeInclusive<u32> = 4_000..=192_000;

/// Makes a voice message of a file. `extension`: that of its name, without the dot.
pub(crate) fn convert(
    mut file: Box<dyn MediaSource>,
    extension: Option<&str>,
) -> Result<VoiceMessage, PrepareFailure> {
    let bytes = file.seek(std::io::SeekFrom::End(0))?;
    if bytes > MOST_INPUT_BYTES {
        return Err(PrepareFailure::TooLarge { bytes, most: MOST_INPUT_BYTES });
    }
    file.rewind()?;
    let is_ogg = extension.is_some_and(|extension| extension.eq_ignore_ascii_case("ogg"));
    if is_ogg && bytes <= MOST_OGG_BYTES {
        let mut ogg = Vec::new();
        file.take(MOST_OGG_BYTES).read_to_end(&mut ogg)?;
        if ogg_opus::is_sendable(&ogg) {
            let source = Source::open(Box::new(Cursor::new(ogg.clone())))?;
            let heard = hear(source, false)?;
            return Ok(heard.into_message(ogg));
        }
        file = Box::new(Cursor::new(ogg));
    }
    let mut heard = hear(Source::open(file)?, true)?;
    let encoder = heard.encoder.take().ok_or(PrepareFailure::Empty)?;
    let ogg = encoder.finish()?;
    Ok(heard.into_message(ogg))
}

/// What was learnt of a recording while it went by.
struct Heard {
    rate_hz: u32,
    /// Samples per channel.
    frames: u64,
    waveform: Waveform,
    /// Everything is inside, but it is not finished.
    encoder: Option<OggEncoder>,
}

impl Heard {
    fn into_message(self, ogg: Vec<u8>) -> VoiceMessage {
        let rate = u64::from(self.rate_hz.max(1));
        let centis = (self.frames * 100 + rate / 2) / rate;
        VoiceMessage {
            ogg,
            // Nothing that was heard took no time.
            duration_centis: u32::try_from(centis).unwrap_or(u32::MAX).max(1),
            waveform: self.waveform,
        }
    }
}

/// Lets a recording go by, from beginning to end; with `encode`, into an encoder.
fn hear(mut source: Source, encode: bool) -> Result<Heard, PrepareFailure> {
    let mut stages: Option<Stages> = None;
    while let Some(piece) = source.next_piece()? {
        if piece.channels.first().is_none_or(Vec::is_empty) {
            continue;
        }
        let stages = match &mut stages {
            Some(stages) => stages,
            None => stages.insert(Stages::new(&piece, encode)?),
        };
        stages.push(piece)?;
    }
    stages.ok_or(PrepareFailure::Empty)?.finish()
}

/// The stages behind the decoder, made for the rate and channels of the first piece.
struct Stages {
    rate_hz: u32,
    channels: usize,
    frames: u64,
    to_48k: Resampler,
    encoder: Option<OggEncoder>,
    loudness: Loudness,
}

impl Stages {
    fn new(first: &Pcm, encode: bool) -> Result<Self, PrepareFailure> {
        let (rate_hz, channels) = (first.rate_hz, first.channels.len());
        if !RATES_HZ.contains(&rate_hz) {
            return Err(PrepareFailure::Damaged(format!("a sample rate of {rate_hz} Hz")));
        }
        Ok(Self {
            rate_hz,
            channels,
            frames: 0,
            to_48k: Resampler::new(rate_hz, RATE_HZ, channels)?,
            encoder: if encode { Some(OggEncoder::new(channels)?) } else { None },
            loudness: Loudness::new(),
        })
    }

    fn push(&mut self, piece: Pcm) -> Result<(), PrepareFailure> {
        if (piece.rate_hz, piece.channels.len()) != (self.rate_hz, self.channels) {
            let words = "its sample rate or number of channels changes on the way";
            return Err(PrepareFailure::Damaged(words.to_owned()));
        }
        self.frames += piece.channels.first().map_or(0, |channel| channel.len() as u64);
        if self.frames > MOST_SECONDS * u64::from(self.rate_hz) {
            return Err(PrepareFailure::TooLong { most_minutes: MOST_SECONDS / 60 });
        }
        let piece = self.to_48k.push(piece.channels)?;
        pass_on(&piece, &mut self.encoder, &mut self.loudness)
    }

    fn finish(mut self) -> Result<Heard, PrepareFailure> {
        let rest = self.to_48k.finish()?;
        pass_on(&rest, &mut self.encoder, &mut self.loudness)?;
        let waveform = self.loudness.finish().unwrap_or_else(|| {
            tracing::warn!("the loudness cannot be measured; a made-up curve is sent");
            Waveform::unmeasured()
        });
        Ok(Heard { rate_hz: self.rate_hz, frames: self.frames, waveform, encoder: self.encoder })
    }
}

fn pass_on(
    piece: &Planar,
    encoder: &mut Option<OggEncoder>,
    loudness: &mut Loudness,
) -> Result<(), PrepareFailure> {
    loudness.push(piece);
    encoder.as_mut().map_or(Ok(()), |encoder| encoder.push(piece))
}

/// Collects what the curve is made of: 8 kHz mono. Whatever goes wrong in it costs the curve, not
/// the message.
struct Loudness {
    to_8k: Option<Resampler>,
    samples: Vec<i16>,
}

impl Loudness {
    fn new() -> Self {
        let to_8k = Resampler::new(RATE_HZ, waveform::RATE_HZ, 1).ok();
        Self { to_8k, samples: Vec::new() }
    }

    fn push(&mut self, piece: &Planar) {
        let Some(resampler) = &mut self.to_8k else { return };
        match resampler.push(vec![mean(piece)]) {
            Ok(piece) => keep(&mut self.samples, &piece),
            Err(_) => self.to_8k = None,
        }
    }

    fn finish(mut self) -> Option<Waveform> {
        keep(&mut self.samples, &self.to_8k?.finish().ok()?);
        Waveform::of(&self.samples)
    }
}

fn keep(samples: &mut Vec<i16>, piece: &Planar) {
    let piece = piece.first().map(Vec::as_slice).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, reason = "saturates; NaN becomes 0")]
    samples.extend(piece.iter().map(|sample| (sample * 32_768.0) as i16));
}
