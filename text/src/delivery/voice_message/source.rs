//! Audio files, opened and decoded piece by piece to 32-bit float: Opus in Ogg by libopus,
//! everything else by symphonia, which has no Opus.

use std::io::{ErrorKind, Read as _, Seek as _};

use symphonia::core::{
    audio::{AudioBuffer, AudioBufferRef, Signal as _},
    codecs::{CODEC_TYPE_NULL, Decoder, DecoderOptions},
    errors::Error,
    formats::{FormatOptions, FormatReader},
    io::{MediaSource, MediaSourceStream},
    meta::MetadataOptions,
    probe::Hint,
};

use super::{
    convert::MOST_SECONDS,
    failure::PrepareFailure,
    ogg_opus::OggReader,
    opus::{OpusDecoder, RATE_HZ},
};

/// Samples by channel: one or two of equal length.
pub(super) type Planar = Vec<Vec<f32>>;

/// A piece of a recording.
pub(super) struct Pcm {
    /// Samples per second and channel.
    pub(super) rate_hz: u32,
    /// The samples; of more than two channels only their mean is left.
    pub(super) channels: Planar,
}

/// An opened audio file.
pub(super) enum Source {
    Opus(Box<OpusSource>),
    Other(OtherSource),
}

impl Source {
    /// Finds out what it is; the name does not matter.
    pub(super) fn open(mut file: Box<dyn MediaSource>) -> Result<Self, PrepareFailure> {
        file.rewind()?;
        let mut begin = Vec::new();
        file.by_ref().take(36).read_to_end(&mut begin)?;
        file.rewind()?;
        // The first packet of an Ogg file comes after 27 bytes and the table of its one segment.
        if begin.starts_with(b"OggS") && begin.get(28..) == Some(b"OpusHead") {
            OpusSource::open(file).map(Box::new).map(Self::Opus)
        } else {
            OtherSource::open(file).map(Self::Other)
        }
    }

    /// The next piece, possibly an empty one; `None` at the end.
    pub(super) fn next_piece(&mut self) -> Result<Option<Pcm>, PrepareFailure> {
        match self {
            Self::Opus(source) => source.next_piece(),
            Self::Other(source) => source.next_piece(),
        }
    }
}

/// Opus in Ogg.
pub(super) struct OpusSource {
    reader: OggReader<Box<dyn MediaSource>>,
    decoder: OpusDecoder,
    channels: usize,
    /// Samples per channel to be thrown away.
    skip: usize,
}

impl OpusSource {
    fn open(file: Box<dyn MediaSource>) -> Result<Self, PrepareFailure> {
        let reader = OggReader::open(file)?;
        let head = reader.head();
        let channels = usize::from(head.channels);
        let decoder = OpusDecoder::new(channels, head.gain)?;
        Ok(Self { reader, decoder, channels, skip: usize::from(head.pre_skip) })
    }

    fn next_piece(&mut self) -> Result<Option<Pcm>, PrepareFailure> {
        let Some(page) = self.reader.next_page()? else { return Ok(None) };
        let mut samples = Vec::new();
        for packet in &page.packets {
            samples.extend_from_slice(self.decoder.decode(packet)?);
        }
        let frames = usize::try_from(page.frames).unwrap_or(usize::MAX);
        samples.truncate(frames.saturating_mul(self.channels));
        let skipped = self.skip.min(samples.len() / self.channels);
        self.skip -= skipped;
        let heard = samples.get(skipped * self.channels..).unwrap_or_default();
        let channel = |at| heard.iter().skip(at).step_by(self.channels).copied().collect();
        let channels = (0..self.channels).map(channel).collect();
        Ok(Some(Pcm { rate_hz: RATE_HZ, channels }))
    }
}

/// What symphonia reads.
pub(super) struct OtherSource {
    reader: Box<dyn FormatReader>,
    decoder: Box<dyn Decoder>,
    track: u32,
    /// Why the newest packet that could not be decoded could not.
    damage: Option<String>,
    decoded: bool,
}

impl OtherSource {
    fn open(file: Box<dyn MediaSource>) -> Result<Self, PrepareFailure> {
        let stream = MediaSourceStream::new(file, Default::default());
        // Gapless: without the padding that MP3 and AAC encoders add.
        let options = FormatOptions { enable_gapless: true, ..FormatOptions::default() };
        let probed = symphonia::default::get_probe()
            .format(&Hint::new(), stream, &options, &MetadataOptions::default())
            .map_err(unknown)?;
        let reader = probed.format;
        let track =
            reader.tracks().iter().find(|track| track.codec_params.codec != CODEC_TYPE_NULL);
        let track =
            track.ok_or_else(|| PrepareFailure::Unsupported("no sound track".to_owned()))?;
        // Refused at once where the file says how long it is.
        let params = &track.codec_params;
        if let (Some(frames), Some(rate)) = (params.n_frames, params.sample_rate)
            && frames > MOST_SECONDS.saturating_mul(u64::from(rate))
        {
            return Err(PrepareFailure::TooLong { most_minutes: MOST_SECONDS / 60 });
        }
        let decoder = symphonia::default::get_codecs()
            .make(params, &DecoderOptions::default())
            .map_err(unknown)?;
        let track = track.id;
        Ok(Self { reader, decoder, track, damage: None, decoded: false })
    }

    fn next_piece(&mut self) -> Result<Option<Pcm>, PrepareFailure> {
        loop {
            let packet = match self.reader.next_packet() {
                Ok(packet) => packet,
                Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    return match self.damage.take() {
                        Some(damage) if !self.decoded => Err(PrepareFailure::Damaged(damage)),
                        _ => Ok(None),
                    };
                }
                Err(Error::IoError(error)) => return Err(PrepareFailure::Read(error)),
                Err(error) => return Err(PrepareFailure::Damaged(error.to_string())),
            };
            if packet.track_id() != self.track {
                continue;
            }
            match self.decoder.decode(&packet) {
                Ok(buffer) => {
                    self.decoded = true;
                    return Ok(Some(pcm(&buffer)));
                }
                // A damaged packet is left out, as players do.
                Err(Error::DecodeError(words)) => self.damage = Some(words.to_owned()),
                Err(Error::IoError(error)) => self.damage = Some(error.to_string()),
                Err(error) => return Err(PrepareFailure::Damaged(error.to_string())),
            }
        }
    }
}

fn unknown(error: Error) -> PrepareFailure {
    match error {
        Error::IoError(error) if error.kind() != ErrorKind::UnexpectedEof => {
            PrepareFailure::Read(error)
        }
        error => PrepareFailure::Unsupported(error.to_string()),
    }
}

fn pcm(buffer: &AudioBufferRef<'_>) -> Pcm {
    let spec = *buffer.spec();
    let mut floats = AudioBuffer::<f32>::new(buffer.capacity() as u64, spec);
    buffer.convert(&mut floats);
    let count = spec.channels.count();
    let channels = if count <= 2 {
        (0..count).map(|at| floats.chan(at).to_vec()).collect()
    } else {
        vec![mean(&(0..count).map(|at| floats.chan(at)).collect::<Vec<_>>())]
    };
    Pcm { rate_hz: spec.rate, channels }
}

/// All channels as one.
pub(super) fn mean<C: AsRef<[f32]>>(channels: &[C]) -> Vec<f32> {
    let frames = channels.first().map_or(0, |channel| channel.as_ref().len());
    let mut out = vec![0.0; frames];
    for channel in channels {
        for (sum, sample) in out.iter_mut().zip(channel.as_ref()) {
            *sum += sample;
        }
    }
    #[allow(clippy::cast_precision_loss, reason = "a few channels")]
    let count = channels.len().max(1) as f32;
    out.iter_mut().for_each(|sum| *sum /= count);
    out
}
