//! An open microphone beside a loudspeaker: what a human hears of one user goes back into the call,
//! later and softer.
//!
//! Without its sockets and its encoder: decoded frames go in, sound for the microphone's frames
//! comes out. Within a talkspurt a sample leaves a fixed time after the one before it, whatever the
//! network did to the packets between: by the RTP timestamps, as long as these agree with the
//! arrival.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{recording::Decoded, wav::SAMPLE_RATE};

/// Delays of a room and its sound card, ms. Less than a frame cannot be: it is heard before.
const DELAYS_MS: std::ops::RangeInclusive<u16> = 20..=1_000;
/// Gains, dB: no loudspeaker makes a microphone louder than what it plays, and -60 dB is silence.
const GAINS_DB: std::ops::RangeInclusive<f64> = -60.0..=0.0;
/// How long the microphone stays open when the loudspeaker falls silent, as clients do it.
const HOLD: Duration = Duration::from_millis(200);
/// The noise of an open microphone, peak: -72 dBFS. Digital silence would be coded as the frame that
/// ends a talkspurt.
const NOISE: i16 = 8;
/// How far a frame may be from where its arrival puts it, samples: what a network trembles, 100 ms.
const JITTER: u64 = SAMPLE_RATE as u64 / 10;
/// Interleaved samples that are kept at most: two seconds.
const MAX_SAMPLES: usize = 2 * 2 * SAMPLE_RATE as usize;

/// What an open microphone sends back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EchoSettings {
    /// Whose sound.
    #[serde(with = "id")]
    pub of: u64,
    /// From the arrival of a sound to the packet that sends it back, ms, 20 to 1000.
    #[serde(default = "usual_delay_ms")]
    pub delay_ms: u16,
    /// How much louder it is sent back, dB, -60 to 0.
    #[serde(default = "usual_gain_db")]
    pub gain_db: f64,
}

const fn usual_delay_ms() -> u16 {
    120
}

const fn usual_gain_db() -> f64 {
    -12.0
}

/// Why there is no such echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EchoError {
    /// Out of range.
    #[error("`delayMs` must be between 20 and 1000")]
    Delay,
    /// Out of range, or no number.
    #[error("`gainDb` must be between -60 and 0")]
    Gain,
}

impl EchoSettings {
    /// Whether there can be such an echo.
    ///
    /// # Errors
    /// What is out of range.
    pub fn check(&self) -> Result<(), EchoError> {
        if !DELAYS_MS.contains(&self.delay_ms) {
            return Err(EchoError::Delay);
        }
        if !GAINS_DB.contains(&self.gain_db) {
            return Err(EchoError::Gain);
        }
        Ok(())
    }

    fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms.into())
    }
}

/// An id: a text, as everywhere at Discord; a number is taken, too.
mod id {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id {
        Text(String),
        Number(u64),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's calling convention")]
    pub(super) fn serialize<S: Serializer>(id: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        match Id::deserialize(from) {
            Ok(Id::Number(id)) => Ok(id),
            Ok(Id::Text(text)) => text.parse().map_err(|_| D::Error::custom("`of` must be an id")),
            Err(_) => Err(D::Error::custom("`of` must be an id")),
        }
    }
}

/// The microphone.
pub(crate) struct Echo {
    settings: EchoSettings,
    /// Linear.
    gain: f64,
    /// The state of a random sequence (Numerical Recipes' linear congruence).
    noise: u32,
    talkspurt: Option<Talkspurt>,
}

/// From the first sound of the loudspeaker until nothing has come for it for [`HOLD`]: pauses between
/// sentences are part of it.
struct Talkspurt {
    /// When the next frame is to be sent.
    due: Instant,
    /// The RTP timestamp of what that frame begins with.
    timestamp: u32,
    /// Interleaved stereo from there on.
    pcm: VecDeque<i16>,
    /// When the last sound will have been sent, and the hold is over.
    ends: Instant,
}

impl Talkspurt {
    /// How many samples after the next frame's first one a frame is to be sent that has this
    /// timestamp and, by its arrival, is `due` then. Negative if it should have been sent already.
    fn place_of(&self, due: Instant, timestamp: u32) -> i64 {
        let wait = due.saturating_duration_since(self.due).as_micros();
        let by_arrival = wait * u128::from(SAMPLE_RATE) / 1_000_000;
        let by_arrival = i64::try_from(by_arrival).unwrap_or(i64::MAX);
        // Timestamps wrap.
        let by_timestamp = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        match by_timestamp.abs_diff(by_arrival) <= JITTER {
            true => by_timestamp,
            false => by_arrival,
        }
    }
}

impl Echo {
    pub(crate) fn new(settings: EchoSettings) -> Self {
        let gain = 10_f64.powf(settings.gain_db / 20.0);
        Self { settings, gain, noise: 1, talkspurt: None }
    }

    /// Whose sound it sends back.
    pub(crate) fn of(&self) -> u64 {
        self.settings.of
    }

    /// Whether the microphone is open.
    pub(crate) fn is_open(&self) -> bool {
        self.talkspurt.is_some()
    }

    /// When the next frame is to be sent, or the microphone closes.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.talkspurt.as_ref().map(|talkspurt| talkspurt.due)
    }

    /// A frame that the loudspeaker plays, which arrived `at`.
    pub(crate) fn hear(&mut self, at: Instant, decoded: &Decoded) {
        if decoded.silence && !self.is_open() {
            return;
        }
        let due = at + self.settings.delay();
        let talkspurt = self.talkspurt.get_or_insert_with(|| Talkspurt {
            due,
            timestamp: decoded.timestamp,
            pcm: VecDeque::new(),
            ends: due,
        });
        talkspurt.ends = due + HOLD;
        let place = talkspurt.place_of(due, decoded.timestamp);
        // At most two seconds.
        let kept = (talkspurt.pcm.len() / 2) as i64;
        let samples = |count: i64| usize::try_from(2 * count.min(MAX_SAMPLES as i64)).unwrap_or(0);
        // What is missing is silence; what comes too late is not sent.
        let missing = samples(place.saturating_sub(kept));
        let late = samples(kept.saturating_sub(place));
        let room = MAX_SAMPLES.saturating_sub(talkspurt.pcm.len());
        let silence = std::iter::repeat_n(0, missing);
        let gain = self.gain;
        // The gain is at most 1, so the cast keeps the value.
        let sound = |sample: &i16| (f64::from(*sample) * gain).round() as i16;
        let sound = decoded.stereo.iter().skip(late).map(sound);
        talkspurt.pcm.extend(silence.chain(sound).take(room));
    }

    /// Adds the next frame's sound to `frame`, interleaved stereo, which is sent when it is `due` and
    /// lasts `length`. Nothing if it is not to be sent yet.
    pub(crate) fn mix_into(&mut self, frame: &mut [i16], due: Instant, length: Duration) {
        let Some(talkspurt) = self.talkspurt.as_mut().filter(|one| one.due <= due) else { return };
        let count = talkspurt.pcm.len().min(frame.len());
        for (sample, echo) in frame.iter_mut().zip(talkspurt.pcm.drain(..count)) {
            *sample = sample.saturating_add(echo);
        }
        for sample in frame.iter_mut() {
            self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Its highest bits are the most random; a number below 16.
            *sample = sample.saturating_add((self.noise >> 28) as i16 - NOISE);
        }
        let samples = frame.len() / 2;
        // Wraps, as RTP timestamps do.
        talkspurt.timestamp = talkspurt.timestamp.wrapping_add(samples as u32);
        talkspurt.due += length;
    }

    /// Closes the microphone if the loudspeaker has been silent for long enough; gives whether it
    /// did.
    pub(crate) fn close_if_silent(&mut self) -> bool {
        let is_over = self.talkspurt.as_ref().is_some_and(|one| one.due >= one.ends);
        if is_over {
            self.talkspurt = None;
        }
        is_over
    }

    /// Closes the microphone.
    pub(crate) fn close(&mut self) {
        self.talkspurt = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    fn echo(delay_ms: u16) -> Echo {
        Echo::new(EchoSettings { of: 1, delay_ms, gain_db: 0.0 })
    }

    fn frame(timestamp: u32, sample: i16) -> Decoded {
        Decoded { timestamp, silence: false, stereo: vec![sample; 1920] }
    }

    /// A sample without the microphone's noise.
    fn clean(sample: i16) -> i16 {
        (sample + 50) / 100 * 100
    }

    /// What is sent until the microphone closes: the first sample of every frame, and whether all of
    /// it is the same.
    fn sent(echo: &mut Echo) -> Vec<(i16, bool)> {
        let mut frames = Vec::new();
        while let Some(due) = echo.poll_timeout().filter(|_| !echo.close_if_silent()) {
            let mut frame = [0; 1920];
            echo.mix_into(&mut frame, due, FRAME);
            let first = clean(frame[0]);
            frames.push((first, frame.iter().all(|sample| clean(*sample) == first)));
        }
        frames
    }

    #[test]
    fn timestamps_place_what_the_network_shakes() {
        let now = Instant::now();
        let mut echo = echo(120);
        let late_ms = [0, 35, 50, 61];
        for (n, late) in late_ms.iter().enumerate() {
            let timestamp = 0xFFFF_FE00_u32.wrapping_add(960 * n as u32);
            let sample = 100 * (n as i16 + 1);
            echo.hear(now + Duration::from_millis(*late), &frame(timestamp, sample));
        }
        assert_eq!(echo.poll_timeout(), Some(now + Duration::from_millis(120)));
        let sent = sent(&mut echo);
        assert_eq!(sent[..5], [(100, true), (200, true), (300, true), (400, true), (0, true)]);
        assert!(!echo.is_open());
    }

    #[test]
    fn a_pause_is_as_long_as_it_was() {
        // The sender's timestamps move on, or only by the frame, or anywhere.
        for jump in [960 * 10, 960, 0x8000_0000] {
            let now = Instant::now();
            let mut echo = echo(40);
            echo.hear(now, &frame(7, 100));
            echo.hear(now + FRAME * 10, &frame(7_u32.wrapping_add(jump), 200));
            let values: Vec<i16> = sent(&mut echo).iter().map(|frame| frame.0).collect();
            assert_eq!(values[..11], [100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200], "{jump}");
        }
    }

    #[test]
    fn what_comes_too_late_is_not_sent() {
        let now = Instant::now();
        let mut echo = echo(20);
        echo.hear(now, &frame(0, 100));
        echo.mix_into(&mut [0; 1920], now + FRAME, FRAME);
        // Its time was half a frame ago.
        echo.mix_into(&mut [0; 960], now + FRAME * 2, FRAME / 2);
        echo.hear(now + FRAME * 2, &frame(960, 200));
        let first = sent(&mut echo)[0];
        assert_eq!(first, (200, false), "its second half, then silence");
    }

    #[test]
    fn it_is_sent_when_it_is_due_and_not_before() {
        let now = Instant::now();
        let mut echo = echo(100);
        echo.hear(now, &frame(0, 100));
        let mut early = [1; 1920];
        echo.mix_into(&mut early, now + FRAME * 4, FRAME);
        assert_eq!(early, [1; 1920]);
        echo.mix_into(&mut early, now + FRAME * 5, FRAME);
        assert!(early.iter().all(|sample| (101 - NOISE..101 + NOISE).contains(sample)));
        assert_ne!(early, [early[0]; 1920], "a microphone has some noise");
    }

    #[test]
    fn a_pause_between_sentences_does_not_close_the_microphone() {
        let now = Instant::now();
        let mut echo = echo(20);
        let silence = |n| Decoded { silence: true, ..frame(960 * n, 0) };
        echo.hear(now, &silence(0));
        assert!(!echo.is_open(), "silence is nothing to open it for");
        echo.hear(now + FRAME, &frame(960, 100));
        for n in 2..30 {
            echo.hear(now + FRAME * n, &silence(n));
        }
        echo.hear(now + FRAME * 30, &frame(960 * 30, 200));
        let sent = sent(&mut echo);
        assert_eq!((sent[0].0, sent[28].0, sent[29].0), (100, 0, 200));
        assert_eq!(sent.len(), 30 + 9);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let now = Instant::now();
        let mut echo = echo(1_000);
        for n in 0..1_000 {
            echo.hear(now, &frame(960 * n, 1));
        }
        let kept = echo.talkspurt.map(|talkspurt| talkspurt.pcm.len());
        assert!(kept <= Some(MAX_SAMPLES), "{kept:?}");
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let usual = EchoSettings { of: 1, delay_ms: 120, gain_db: -12.0 };
        assert_eq!(usual.check(), Ok(()));
        for delay_ms in [0, 19, 1_001] {
            assert_eq!(EchoSettings { delay_ms, ..usual }.check(), Err(EchoError::Delay));
        }
        for gain_db in [0.1, -60.1, f64::NAN, f64::INFINITY] {
            assert_eq!(EchoSettings { gain_db, ..usual }.check(), Err(EchoError::Gain));
        }
    }
}
