//! What a human hears of one sender: decoded at arrival, laid out in time.
//!
//! Within a talkspurt a frame's place is given by its RTP timestamp, between talkspurts by its
//! arrival time, because a sender's timestamps may or may not move on while it is silent.

use std::time::{Duration, Instant};

use opus2::{Channels, Decoder};
use serde::Serialize;

use super::{
    speech::SILENCE,
    wav::{self, SAMPLE_RATE, WavError},
};

/// Nothing heard for this long after the end of a frame ends a talkspurt.
const PAUSE: Duration = Duration::from_millis(180);
/// Longest Opus frame, samples per channel: 120 ms.
const MAX_FRAME_SAMPLES: usize = 5760;
/// Missing frames in a row that the decoder fills in, samples: 120 ms, the longest frame. The rest
/// stays silent.
const MAX_CONCEALED_SAMPLES: usize = MAX_FRAME_SAMPLES;
/// Longest recording kept, samples: 20 minutes. What comes later is counted, not kept.
const MAX_SAMPLES: usize = 20 * 60 * SAMPLE_RATE as usize;

/// One frame that was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameArrival {
    /// When its packet came.
    pub at: Instant,
    /// Where its first sample is in the recording.
    pub offset_samples: usize,
    /// Its length in samples.
    pub samples: usize,
    /// Its RTP sequence number.
    pub sequence: u16,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// Whether it was the frame that means silence.
    pub silence: bool,
}

/// A stretch of speech without a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talkspurt {
    /// When its first packet came.
    pub started_at: Instant,
    /// When its last packet that was not silence came.
    pub ended_at: Instant,
    /// Where its first sample is in the recording.
    pub offset_samples: usize,
    /// From its first sample to the end of its last frame that was not silence.
    pub samples: usize,
    /// Frames that were not silence.
    pub frames: u32,
}

/// Everything heard of one sender.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// 48 kHz mono.
    pub pcm: Vec<i16>,
    /// When the first frame came, which is also the time of the first sample.
    pub first_frame_at: Option<Instant>,
    /// Every decoded frame, in order of arrival.
    pub frames: Vec<FrameArrival>,
    /// The stretches of speech, in order.
    pub talkspurts: Vec<Talkspurt>,
}

impl Heard {
    /// The whole recording as a WAV file, 48 kHz mono.
    ///
    /// # Errors
    /// If it does not fit a WAV file, which a recording of at most 20 minutes always does.
    pub fn to_wav(&self) -> Result<Vec<u8>, WavError> {
        wav::write_mono(&self.pcm, SAMPLE_RATE)
    }

    /// The samples of one talkspurt.
    #[must_use]
    pub fn talkspurt_pcm(&self, talkspurt: &Talkspurt) -> &[i16] {
        let end = talkspurt.offset_samples.saturating_add(talkspurt.samples);
        self.pcm.get(talkspurt.offset_samples..end.min(self.pcm.len())).unwrap_or_default()
    }
}

/// What happened to one sender's packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SenderStats {
    /// Packets in order with a frame in them, decodable or not. With the lost ones, all that were
    /// sent from the first to the last one received, if none was late.
    pub frames_received: u64,
    /// Frames decoded, silence frames included.
    pub frames_decoded: u64,
    /// Of these, frames that meant silence.
    pub silence_frames: u64,
    /// Frames that Opus refused.
    pub decode_errors: u64,
    /// Sequence numbers that were skipped.
    pub packets_lost: u64,
    /// Lost frames that the decoder filled in: those within a talkspurt, 120 ms in a row at most.
    pub frames_concealed: u64,
    /// Packets that came after a later one, or twice; not decoded. A late one also counts as lost.
    pub packets_late: u64,
    /// Packets without a frame in them.
    pub padding_only: u64,
    /// Frames that could not be decrypted, sent before their sender and the listener shared an
    /// epoch. By design of DAVE.
    pub undecryptable_before_ready: u64,
    /// Frames that should have been decrypted and were not.
    pub undecryptable_after_ready: u64,
    /// Frames decoded after the recording was full.
    pub frames_not_kept: u64,
}

/// A frame, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The RTP timestamp of its first sample.
    pub(crate) timestamp: u32,
    /// Whether it is the frame that means silence.
    pub(crate) silence: bool,
    /// Interleaved 48 kHz stereo.
    pub(crate) stereo: Vec<i16>,
}

/// Records one sender. A sender's SSRC may change; its recording goes on.
pub(crate) struct Recording {
    decoder: Decoder,
    stream: Option<Stream>,
    heard: Heard,
    pub(crate) stats: SenderStats,
}

/// Where the sender's packets have got to.
#[derive(Clone, Copy)]
struct Stream {
    ssrc: u32,
    /// Highest sequence number received, decodable or not.
    sequence: u16,
    /// The last frame that was decoded.
    last: Option<LastFrame>,
}

#[derive(Clone, Copy)]
struct LastFrame {
    at: Instant,
    length: Duration,
    silence: bool,
    /// Timestamp and place of the sample after it.
    next_timestamp: u32,
    next_offset: usize,
}

impl Recording {
    /// # Errors
    /// libopus's.
    pub(crate) fn new() -> Result<Self, opus2::Error> {
        Ok(Self {
            decoder: Decoder::new(SAMPLE_RATE, Channels::Stereo)?,
            stream: None,
            heard: Heard::default(),
            stats: SenderStats::default(),
        })
    }

    pub(crate) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Notes a packet before it is decrypted: whether it is in order, and what is missing before
    /// it. A packet that is not in order is of no use any more.
    pub(crate) fn handle_sequence(&mut self, ssrc: u32, sequence: u16) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc) else {
            // A new stream: what the decoder and the timestamps knew is worth nothing.
            let _ = self.decoder.reset_state();
            self.stream = Some(Stream { ssrc, sequence, last: None });
            return true;
        };
        let ahead = sequence.wrapping_sub(stream.sequence);
        if ahead == 0 || ahead > u16::MAX / 2 {
            self.stats.packets_late += 1;
            return false;
        }
        self.stats.packets_lost += u64::from(ahead - 1);
        stream.sequence = sequence;
        true
    }

    /// Decodes the frame of the packet that [`Self::handle_sequence`] accepted last, and puts it
    /// in its place. None if Opus refuses it.
    pub(crate) fn handle_frame(
        &mut self,
        at: Instant,
        timestamp: u32,
        opus: &[u8],
    ) -> Option<Decoded> {
        let stream = self.stream?;
        let silence = opus == SILENCE;
        let known = stream.last.filter(|last| !self.is_new_talkspurt(last, at, timestamp, silence));
        let concealed = known.map_or(0, |last| self.conceal(last, timestamp));
        let mut stereo = [0_i16; 2 * MAX_FRAME_SAMPLES];
        let Ok(samples) = self.decoder.decode(opus, &mut stereo, false) else {
            self.stats.decode_errors += 1;
            return None;
        };
        self.stats.frames_decoded += 1;
        // Those that are missing are taken to be as long as the one that came.
        self.stats.frames_concealed += concealed.div_ceil(samples.max(1)) as u64;
        self.stats.silence_frames += u64::from(silence);
        let offset = match known {
            Some(last) => last.next_offset + distance(last.next_timestamp, timestamp).unwrap_or(0),
            None => self.offset_of_arrival(at),
        };
        let sound = &stereo[..2 * samples];
        let decoded = Some(Decoded { timestamp, silence, stereo: sound.to_vec() });
        if !self.place(offset, sound) {
            self.stats.frames_not_kept += 1;
            return decoded;
        }
        self.heard.first_frame_at.get_or_insert(at);
        let sequence = stream.sequence;
        let frame =
            FrameArrival { at, offset_samples: offset, samples, sequence, timestamp, silence };
        self.heard.frames.push(frame);
        self.note_talkspurt(&frame, known.is_none());
        if let Some(stream) = self.stream.as_mut() {
            stream.last = Some(LastFrame {
                at,
                // At most 120 ms, and 48 samples are a millisecond.
                length: Duration::from_micros(samples as u64 * 1_000 / 48),
                silence,
                next_timestamp: timestamp.wrapping_add(samples as u32),
                next_offset: offset + samples,
            });
        }
        decoded
    }

    /// A pause, speech after silence that took longer than its own frames, or a timestamp that
    /// does not follow from the last one.
    fn is_new_talkspurt(
        &self,
        last: &LastFrame,
        at: Instant,
        timestamp: u32,
        silence: bool,
    ) -> bool {
        let since = at.saturating_duration_since(last.at);
        let resumes = last.silence && !silence && since > Duration::from_millis(60);
        let follows =
            distance(last.next_timestamp, timestamp).is_some_and(|gap| gap <= SAMPLE_RATE as usize);
        since > PAUSE + last.length || resumes || !follows
    }

    /// Lets the decoder fill in what is missing before a frame of the same talkspurt; how many
    /// samples that were.
    fn conceal(&mut self, last: LastFrame, timestamp: u32) -> usize {
        let missing = distance(last.next_timestamp, timestamp).unwrap_or(0);
        let missing = missing.min(MAX_CONCEALED_SAMPLES) / 120 * 120;
        if missing == 0 || last.silence {
            return 0;
        }
        let mut stereo = [0_i16; 2 * MAX_CONCEALED_SAMPLES];
        // No input makes libopus conceal as many samples as the output holds, in steps of 2.5 ms.
        let Ok(samples) = self.decoder.decode(&[], &mut stereo[..2 * missing], false) else {
            return 0;
        };
        self.place(last.next_offset, &stereo[..2 * samples]);
        samples
    }

    /// The place of a frame by its arrival, never before the end of what is there.
    fn offset_of_arrival(&self, at: Instant) -> usize {
        let Some(first) = self.heard.first_frame_at else { return 0 };
        let since = at.saturating_duration_since(first).as_micros() * u128::from(SAMPLE_RATE);
        usize::try_from(since / 1_000_000).unwrap_or(usize::MAX).max(self.heard.pcm.len())
    }

    /// Writes interleaved stereo as mono, with silence up to it; false if there is no more room.
    fn place(&mut self, offset: usize, stereo: &[i16]) -> bool {
        let end = offset.saturating_add(stereo.len() / 2);
        if end > MAX_SAMPLES {
            return false;
        }
        let pcm = &mut self.heard.pcm;
        if offset > 2 * pcm.len() {
            // Writing minutes of silence would hold up whoever receives; memory that is asked for
            // as zeros is written by nobody.
            let mut longer = vec![0; end];
            longer[..pcm.len()].copy_from_slice(pcm);
            *pcm = longer;
        }
        pcm.resize(pcm.len().max(end), 0);
        for (mono, pair) in pcm[offset..end].iter_mut().zip(stereo.chunks_exact(2)) {
            // The mean of two 16-bit numbers is one.
            *mono = ((i32::from(pair[0]) + i32::from(pair[1])) / 2) as i16;
        }
        true
    }

    fn note_talkspurt(&mut self, frame: &FrameArrival, is_new: bool) {
        if frame.silence {
            return;
        }
        let end = frame.offset_samples + frame.samples;
        let talkspurts = &mut self.heard.talkspurts;
        match talkspurts.last_mut() {
            Some(last) if !is_new => {
                last.ended_at = frame.at;
                last.samples = end - last.offset_samples;
                last.frames += 1;
            }
            _ => talkspurts.push(Talkspurt {
                started_at: frame.at,
                ended_at: frame.at,
                offset_samples: frame.offset_samples,
                samples: frame.samples,
                frames: 1,
            }),
        }
    }
}

/// Samples from one timestamp forward to another; none if it lies before it.
fn distance(from: u32, to: u32) -> Option<usize> {
    let ahead = to.wrapping_sub(from);
    usize::try_from(ahead).ok().filter(|_| ahead <= u32::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use opus2::{Application, Encoder};

    const FRAME: Duration = Duration::from_millis(20);

    /// Frames of a steady tone.
    fn tone(frames: usize) -> Vec<Vec<u8>> {
        let mut encoder = Encoder::new(48_000, Channels::Stereo, Application::Audio).unwrap();
        (0..frames)
            .map(|frame| {
                let pcm: Vec<i16> = (0..960)
                    .flat_map(|n| {
                        let t = (frame * 960 + n) as f64 / 48_000.0;
                        let sample = ((t * 440.0 * std::f64::consts::TAU).sin() * 8000.0) as i16;
                        [sample, sample]
                    })
                    .collect();
                encoder.encode_vec(&pcm, 1275).unwrap()
            })
            .collect()
    }

    struct Sender {
        recording: Recording,
        start: Instant,
    }

    impl Sender {
        fn new() -> Self {
            Self { recording: Recording::new().unwrap(), start: Instant::now() }
        }

        fn send(&mut self, at: Duration, sequence: u16, timestamp: u32, opus: &[u8]) {
            if self.recording.handle_sequence(7, sequence) {
                self.recording.handle_frame(self.start + at, timestamp, opus);
            }
        }

        fn offsets(&self) -> Vec<usize> {
            self.recording.heard().frames.iter().map(|frame| frame.offset_samples).collect()
        }
    }

    #[test]
    fn a_talkspurt_is_laid_out_by_timestamp_whatever_the_jitter() {
        let mut sender = Sender::new();
        let jitter = [0, 35, 36, 90, 91];
        for (n, opus) in tone(5).iter().enumerate() {
            let timestamp = 0xFFFF_FF00_u32.wrapping_add(960 * n as u32);
            let at = Duration::from_millis(jitter[n]);
            sender.send(at, 0xFFFE_u16.wrapping_add(n as u16), timestamp, opus);
        }
        assert_eq!(sender.offsets(), [0, 960, 1920, 2880, 3840]);
        let heard = sender.recording.heard();
        assert_eq!(heard.pcm.len(), 4800);
        assert!(heard.pcm[2000..].iter().any(|sample| *sample > 6000), "the tone is there");
        assert_eq!(heard.talkspurts.len(), 1);
        assert_eq!((heard.talkspurts[0].samples, heard.talkspurts[0].frames), (4800, 5));
        assert_eq!(sender.recording.stats.packets_lost, 0);
    }

    #[test]
    fn a_pause_is_as_long_as_it_took_whatever_the_timestamps_say() {
        for jump in [0, 960 * 77, 0x8000_0000] {
            let mut sender = Sender::new();
            let frames = tone(2);
            sender.send(Duration::ZERO, 1, 0, &frames[0]);
            for n in 1..=5_u16 {
                sender.send(FRAME * n.into(), n + 1, 960 * u32::from(n), &SILENCE);
            }
            sender.send(Duration::from_secs(2), 7, 5760_u32.wrapping_add(jump), &frames[1]);
            let heard = sender.recording.heard();
            assert_eq!(heard.talkspurts.len(), 2, "jump of {jump}");
            assert_eq!(heard.talkspurts[0].samples, 960, "silence frames are no speech");
            assert_eq!(heard.talkspurts[1].offset_samples, 96_000);
            assert!(heard.pcm[10_000..96_000].iter().all(|sample| *sample == 0));
            assert_eq!(sender.recording.stats.silence_frames, 5);
        }
    }

    #[test]
    fn a_lost_frame_leaves_its_place_and_is_concealed() {
        let mut sender = Sender::new();
        for (n, opus) in tone(10).iter().enumerate().filter(|(n, _)| *n != 6) {
            sender.send(FRAME * n as u32, n as u16, 960 * n as u32, opus);
        }
        let heard = sender.recording.heard();
        assert_eq!(heard.pcm.len(), 9600);
        assert_eq!((heard.frames.len(), sender.recording.stats.packets_lost), (9, 1));
        assert!(heard.pcm[960 * 6..960 * 7].iter().any(|sample| *sample > 1000), "no hole");
        assert_eq!(sender.recording.stats.frames_concealed, 1);
    }

    #[test]
    fn frames_of_every_length_are_laid_out_and_concealed() {
        for samples in [120, 240, 480, 960, 1_920, 2_880, 5_760] {
            let mut sender = Sender::new();
            let mut encoder = Encoder::new(48_000, Channels::Stereo, Application::Audio).unwrap();
            let length = Duration::from_micros(samples * 1_000 / 48);
            for n in 0..10_u16 {
                let opus = encoder.encode_vec(&vec![3_000; 2 * samples as usize], 1_275).unwrap();
                if n != 6 {
                    let timestamp = u32::try_from(samples).unwrap() * u32::from(n);
                    sender.send(length * n.into(), n, timestamp, &opus);
                }
            }
            let (heard, stats) = (sender.recording.heard(), sender.recording.stats);
            assert_eq!(heard.pcm.len(), 10 * samples as usize);
            assert_eq!((heard.talkspurts.len(), heard.talkspurts[0].frames), (1, 9), "{samples}");
            assert_eq!((stats.packets_lost, stats.frames_concealed), (1, 1), "{samples}");
        }
    }

    #[test]
    fn late_and_repeated_packets_are_not_heard_twice() {
        let mut sender = Sender::new();
        let frames = tone(3);
        sender.send(Duration::ZERO, 1, 0, &frames[0]);
        sender.send(FRAME * 2, 3, 1920, &frames[2]);
        sender.send(FRAME * 2, 2, 960, &frames[1]);
        sender.send(FRAME * 2, 3, 1920, &frames[2]);
        let stats = sender.recording.stats;
        assert_eq!((stats.frames_decoded, stats.packets_late, stats.packets_lost), (2, 2, 1));
        assert_eq!(sender.offsets(), [0, 1920]);
    }

    #[test]
    fn what_opus_refuses_is_counted() {
        let mut sender = Sender::new();
        sender.send(Duration::ZERO, 1, 0, &[0xFF]);
        assert_eq!(sender.recording.stats.decode_errors, 1);
        assert!(sender.recording.heard().pcm.is_empty());
    }

    #[test]
    fn a_new_stream_of_the_same_sender_goes_on_in_the_same_recording() {
        let mut sender = Sender::new();
        let frames = tone(2);
        sender.send(Duration::ZERO, 1, 0, &frames[0]);
        assert!(sender.recording.handle_sequence(8, 40_000));
        sender.recording.handle_frame(sender.start + Duration::from_secs(1), 5, &frames[1]);
        assert_eq!(sender.offsets(), [0, 48_000]);
        assert_eq!(sender.recording.stats.packets_lost, 0);
    }

    proptest::proptest! {
        #[test]
        fn no_sequence_of_packets_panics(
            packets in proptest::collection::vec(
                (0_u16..300, 0_u32..96_000, proptest::collection::vec(proptest::num::u8::ANY, 0..40)),
                0..20,
            ),
            step in 0_u64..300,
        ) {
            let mut sender = Sender::new();
            for (n, (sequence, timestamp, opus)) in packets.iter().enumerate() {
                sender.send(Duration::from_millis(step * n as u64), *sequence, *timestamp, opus);
            }
            let heard = sender.recording.heard();
            proptest::prop_assert!(heard.to_wav().is_ok());
            for talkspurt in &heard.talkspurts {
                proptest::prop_assert_eq!(heard.talkspurt_pcm(talkspurt).len(), talkspurt.samples);
            }
        }
    }
}
