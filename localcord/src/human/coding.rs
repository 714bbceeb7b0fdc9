//! How a human's speech is coded: what a Discord client would set on its Opus encoder.

use std::time::Duration;

use opus2::{Application, Bitrate, Channels, Encoder};
use serde::{Deserialize, Serialize};

use super::wav::SAMPLE_RATE;

/// Lowest and highest bitrate of an Opus encoder, bits per second (RFC 6716 section 2.1.1).
const BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;
/// Bitrates from which libopus 1.5 puts the redundancy into frames of every length, bits per second,
/// each with the loss it must expect, percent. Up to 5 % it does not narrow the band to find room
/// for it (`decide_fec`).
const FEC_BITRATES: [(u32, u8); 2] = [(24_000, 6), (40_000, 1)];
/// Largest packet that is made, bytes: one Opus frame's limit (RFC 6716 section 3.4), and room for
/// everything around it in an Ethernet frame. Long frames at a high bitrate are coded with less.
const MAX_PACKET_BYTES: usize = 1_275;
/// Discord's default bitrate of a voice channel, bits per second.
const USUAL_BITRATE: u32 = 64_000;

/// How a human's speech is coded. The default is what WebRTC does for a stereo track: the audio
/// application at Discord's 64 kbit/s in frames of 20 ms, which is CELT in every frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SpeechCoding {
    /// What the encoder is tuned for.
    pub application: SpeechApplication,
    /// Bits per second, 6000 to 510000. A packet is never longer than 1275 bytes, so frames of
    /// 120 ms get 85 kbit/s at most.
    pub bitrate: u32,
    /// In-band forward error correction: each packet also carries the speech of the one before it
    /// at a lower rate (LBRR, RFC 6716 section 4.2.4). Needs the voip application (LBRR is part of
    /// SILK), frames of at least 10 ms, and 40 kbit/s with an expected loss of 1 %, or 24 kbit/s with
    /// one of 6 %.
    pub fec: bool,
    /// The loss the encoder prepares for, percent; decides how much FEC is spent.
    pub expected_loss_percent: u8,
    /// Length of a frame; in JSON ms, as a number.
    #[serde(rename = "frameMs")]
    pub frame: FrameDuration,
    /// Mono or stereo.
    pub channels: SpeechChannels,
}

impl Default for SpeechCoding {
    fn default() -> Self {
        Self {
            application: SpeechApplication::Audio,
            bitrate: USUAL_BITRATE,
            fec: false,
            expected_loss_percent: 0,
            frame: FrameDuration::Ms20,
            channels: SpeechChannels::Stereo,
        }
    }
}

/// What an encoder is tuned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeechApplication {
    /// `OPUS_APPLICATION_AUDIO`: faithful to the input; CELT at usual bitrates.
    Audio,
    /// `OPUS_APPLICATION_VOIP`: speech; SILK or hybrid at low bitrates and with FEC.
    Voip,
}

/// Mono or stereo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeechChannels {
    /// One channel, the mean of both.
    Mono,
    /// Two channels.
    Stereo,
}

/// How much speech is in one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub enum FrameDuration {
    /// 2.5 ms, CELT only.
    Ms2_5,
    /// 5 ms, CELT only.
    Ms5,
    /// 10 ms.
    Ms10,
    /// 20 ms, what Discord's clients send.
    Ms20,
    /// 40 ms.
    Ms40,
    /// 60 ms.
    Ms60,
    /// 120 ms: the longest packet there is, of several frames (RFC 6716 section 3.2.5).
    Ms120,
}

impl FrameDuration {
    /// All of them, the shortest first.
    pub const ALL: [Self; 7] =
        [Self::Ms2_5, Self::Ms5, Self::Ms10, Self::Ms20, Self::Ms40, Self::Ms60, Self::Ms120];

    /// Samples per channel at 48 kHz, which is also how far RTP timestamps advance (RFC 7587
    /// section 4.2).
    #[must_use]
    pub fn samples(self) -> u16 {
        match self {
            Self::Ms2_5 => 120,
            Self::Ms5 => 240,
            Self::Ms10 => 480,
            Self::Ms20 => 960,
            Self::Ms40 => 1_920,
            Self::Ms60 => 2_880,
            Self::Ms120 => 5_760,
        }
    }

    /// As a length of time.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_micros(u64::from(self.samples()) * 1_000_000 / u64::from(SAMPLE_RATE))
    }
}

impl From<FrameDuration> for f64 {
    fn from(frame: FrameDuration) -> Self {
        f64::from(frame.samples()) / 48.0
    }
}

impl TryFrom<f64> for FrameDuration {
    type Error = SpeechCodingError;

    fn try_from(ms: f64) -> Result<Self, SpeechCodingError> {
        let is_it = |frame: &Self| (f64::from(*frame) - ms).abs() < f64::EPSILON;
        Self::ALL.into_iter().find(is_it).ok_or(SpeechCodingError::Frame)
    }
}

/// Why speech cannot be coded like that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpeechCodingError {
    /// Outside of what Opus can.
    #[error("`bitrate` must be between 6000 and 510000")]
    Bitrate,
    /// More than all.
    #[error("`expectedLossPercent` must be between 0 and 100")]
    ExpectedLoss,
    /// No frame of Opus.
    #[error("`frameMs` must be 2.5, 5, 10, 20, 40, 60 or 120")]
    Frame,
    /// Forward error correction that would not be in the packets.
    #[error(
        "`fec` needs the voip application, `frameMs` of at least 10, and a `bitrate` of 40000 with \
         `expectedLossPercent` of at least 1, or of 24000 with at least 6"
    )]
    Fec,
}

impl SpeechCoding {
    /// Whether Opus can do this, and whether FEC, if asked for, would really be in the packets.
    ///
    /// # Errors
    /// What is out of range.
    pub fn check(&self) -> Result<(), SpeechCodingError> {
        if !BITRATES.contains(&self.bitrate) {
            return Err(SpeechCodingError::Bitrate);
        }
        if self.expected_loss_percent > 100 {
            return Err(SpeechCodingError::ExpectedLoss);
        }
        let has_room = |&(bitrate, loss): &(u32, u8)| {
            self.bitrate >= bitrate && self.expected_loss_percent >= loss
        };
        let can_correct = self.application == SpeechApplication::Voip
            && self.frame.samples() >= FrameDuration::Ms10.samples()
            && FEC_BITRATES.iter().any(has_room);
        if self.fec && !can_correct {
            return Err(SpeechCodingError::Fec);
        }
        Ok(())
    }
}

/// An encoder that was set up like that.
pub(super) struct SpeechEncoder {
    encoder: Encoder,
    coding: SpeechCoding,
}

impl SpeechEncoder {
    /// # Errors
    /// libopus's.
    pub(super) fn new(coding: SpeechCoding) -> Result<Self, opus2::Error> {
        let application = match coding.application {
            SpeechApplication::Audio => Application::Audio,
            SpeechApplication::Voip => Application::Voip,
        };
        let channels = match coding.channels {
            SpeechChannels::Mono => Channels::Mono,
            SpeechChannels::Stereo => Channels::Stereo,
        };
        let mut encoder = Encoder::new(SAMPLE_RATE, channels, application)?;
        encoder.set_bitrate(Bitrate::Bits(i32::try_from(coding.bitrate).unwrap_or(i32::MAX)))?;
        encoder.set_inband_fec(coding.fec)?;
        encoder.set_packet_loss_perc(coding.expected_loss_percent.into())?;
        Ok(Self { encoder, coding })
    }

    pub(super) fn frame(&self) -> FrameDuration {
        self.coding.frame
    }

    /// Codes one frame of interleaved stereo.
    ///
    /// # Errors
    /// libopus's.
    pub(super) fn encode(&mut self, stereo: &[i16]) -> Result<Vec<u8>, opus2::Error> {
        match self.coding.channels {
            SpeechChannels::Stereo => self.encoder.encode_vec(stereo, MAX_PACKET_BYTES),
            SpeechChannels::Mono => {
                let mean = |pair: &[i16]| {
                    let sum: i32 = pair.iter().map(|sample| i32::from(*sample)).sum();
                    // The mean of two 16-bit numbers is one.
                    (sum / 2) as i16
                };
                let mono: Vec<i16> = stereo.chunks(2).map(mean).collect();
                self.encoder.encode_vec(&mono, MAX_PACKET_BYTES)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use opus2::Decoder;
    use serde_json::{Value, json};

    use super::*;
    use crate::human::wav;

    const SPEECH: &[u8] = include_bytes!("../../../fixtures/audio/interrupt.wav");

    fn speech() -> Vec<i16> {
        wav::read_stereo_48k(SPEECH).unwrap()
    }

    fn packets(coding: SpeechCoding) -> Vec<Vec<u8>> {
        coding.check().unwrap();
        let mut encoder = SpeechEncoder::new(coding).unwrap();
        let samples = usize::from(coding.frame.samples()) * 2;
        speech().chunks_exact(samples).map(|frame| encoder.encode(frame).unwrap()).collect()
    }

    /// Whether the first Opus frame of a packet carries the frame before it (RFC 6716 section
    /// 4.2.3: VAD and LBRR flags are the first bits; section 4.2.4: what the latter mean).
    fn has_lbrr(packet: &[u8]) -> bool {
        let config = packet[0] >> 3;
        if config >= 16 {
            return false; // CELT
        }
        // SILK frames of 20 ms in one Opus frame: hybrid and the first two lengths of SILK have
        // one.
        let frames = match config {
            0..12 => [1, 1, 2, 3][usize::from(config % 4)],
            _ => 1,
        };
        let parsed = opus2::packet::parse(packet).unwrap();
        let first = parsed.frames[0][0];
        let side = packet[0] & 4 != 0 && first >> (6 - 2 * frames) & 1 == 1;
        first >> (7 - frames) & 1 == 1 || side
    }

    #[test]
    fn with_fec_packets_carry_the_frame_before_them() {
        use FrameDuration::{Ms10, Ms20, Ms40, Ms60, Ms120};
        for channels in [SpeechChannels::Mono, SpeechChannels::Stereo] {
            for frame in [Ms10, Ms20, Ms40, Ms60, Ms120] {
                for (bitrate, expected_loss_percent) in
                    [(24_000, 6), (40_000, 1), (128_000, 1), (64_000, 100)]
                {
                    let coding = SpeechCoding {
                        application: SpeechApplication::Voip,
                        bitrate,
                        fec: true,
                        expected_loss_percent,
                        frame,
                        channels,
                    };
                    let packets = packets(coding);
                    let with = packets.iter().filter(|packet| has_lbrr(packet)).count();
                    // Pauses are not worth a second copy.
                    assert!(with * 3 >= packets.len(), "{with}/{} {coding:?}", packets.len());
                    let without = self::packets(SpeechCoding { fec: false, ..coding });
                    assert!(!without.iter().any(|packet| has_lbrr(packet)), "{coding:?}");
                }
            }
        }
    }

    fn energy(pcm: &[i16]) -> f64 {
        pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum()
    }

    /// How far a replacement is from what the packet would have been, over all packets lost one
    /// at a time; smaller is better, 1 is silence.
    fn residual(coding: SpeechCoding, fec: bool) -> f64 {
        let packets = packets(coding);
        let samples = 2 * usize::from(coding.frame.samples());
        let (mut wrong, mut all) = (0.0, 0.0);
        let mut whole = Decoder::new(SAMPLE_RATE, Channels::Stereo).unwrap();
        let mut lossy = Decoder::new(SAMPLE_RATE, Channels::Stereo).unwrap();
        for (n, packet) in packets.iter().enumerate().take(packets.len() - 1) {
            let (mut good, mut replaced) = (vec![0; samples], vec![0; samples]);
            whole.decode(packet, &mut good, false).unwrap();
            if n % 4 == 3 {
                let input = if fec { &packets[n + 1][..] } else { &[] };
                lossy.decode(input, &mut replaced, fec).unwrap();
                let error: Vec<i16> =
                    good.iter().zip(&replaced).map(|(a, b)| a.saturating_sub(*b)).collect();
                wrong += energy(&error);
                all += energy(&good);
            } else {
                lossy.decode(packet, &mut replaced, false).unwrap();
            }
        }
        wrong / all
    }

    #[test]
    fn what_the_next_packet_knows_is_better_than_a_guess() {
        let coding = SpeechCoding {
            application: SpeechApplication::Voip,
            bitrate: 40_000,
            fec: true,
            expected_loss_percent: 20,
            frame: FrameDuration::Ms20,
            channels: SpeechChannels::Mono,
        };
        let (repaired, guessed) = (residual(coding, true), residual(coding, false));
        assert!(repaired < 0.5 && repaired < guessed * 0.6, "{repaired} {guessed}");
    }

    #[test]
    fn every_duration_has_as_many_samples_as_it_says() {
        for frame in FrameDuration::ALL {
            for channels in [SpeechChannels::Mono, SpeechChannels::Stereo] {
                for bitrate in [6_000, 64_000, 510_000] {
                    let coding =
                        SpeechCoding { frame, channels, bitrate, ..SpeechCoding::default() };
                    let mut encoder = SpeechEncoder::new(coding).unwrap();
                    let samples = usize::from(frame.samples());
                    let packet = encoder.encode(&vec![1_000; 2 * samples]).unwrap();
                    let found = opus2::packet::get_nb_samples(&packet, SAMPLE_RATE).unwrap();
                    assert_eq!(found, samples, "{coding:?}");
                    assert!(packet.len() <= MAX_PACKET_BYTES);
                    if channels == SpeechChannels::Mono {
                        assert_eq!(packet[0] & 4, 0, "{coding:?}");
                    }
                }
            }
        }
        assert_eq!(FrameDuration::Ms2_5.duration(), Duration::from_micros(2_500));
        assert_eq!(FrameDuration::Ms120.duration(), Duration::from_millis(120));
    }

    #[test]
    fn json_is_read_written_and_refused() {
        let read = |value: Value| -> Result<SpeechCoding, String> {
            let coding: SpeechCoding =
                serde_json::from_value(value).map_err(|error| error.to_string())?;
            coding.check().map_err(|error| error.to_string()).map(|()| coding)
        };
        assert_eq!(read(json!({})), Ok(SpeechCoding::default()));
        let all = json!({ "application": "voip", "bitrate": 32_000, "fec": true,
            "expectedLossPercent": 10, "frameMs": 40.0, "channels": "mono" });
        let coding = read(all.clone()).unwrap();
        assert_eq!(coding.frame, FrameDuration::Ms40);
        assert_eq!(json!(coding), all);
        assert_eq!(read(json!({ "frameMs": 2.5 })).unwrap().frame.samples(), 120);
        assert_eq!(read(json!({ "frameMs": 20 })), Ok(SpeechCoding::default()));
        let voip = |more: Value| {
            let mut value = json!({ "application": "voip", "fec": true, "bitrate": 40_000,
                "expectedLossPercent": 5 });
            value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            value
        };
        assert!(read(voip(json!({}))).is_ok());
        for (value, why) in [
            (json!({ "bitrate": 5_999 }), "`bitrate` must"),
            (json!({ "bitrate": 510_001 }), "`bitrate` must"),
            (json!({ "bitrate": -1 }), "invalid value"),
            (json!({ "expectedLossPercent": 101 }), "`expectedLossPercent` must"),
            (json!({ "frameMs": 30 }), "`frameMs` must"),
            (json!({ "frameMs": "20" }), "invalid type"),
            (json!({ "application": "music" }), "unknown variant"),
            (json!({ "dtx": true }), "unknown field `dtx`"),
            (voip(json!({ "application": "audio" })), "`fec` needs"),
            (voip(json!({ "frameMs": 5 })), "`fec` needs"),
            (voip(json!({ "expectedLossPercent": 0 })), "`fec` needs"),
            (voip(json!({ "bitrate": 39_999 })), "`fec` needs"),
            (voip(json!({ "bitrate": 23_999, "expectedLossPercent": 6 })), "`fec` needs"),
        ] {
            let refused = read(value.clone()).unwrap_err();
            assert!(refused.contains(why), "{value}: {refused}");
        }
    }
}
