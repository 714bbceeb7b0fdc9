//! Figures out of recordings.

use std::collections::BTreeSet;

use super::control::{Entry, Frame};

/// Samples of a 20 ms frame at 24 kHz.
const FRAME_SAMPLES: u64 = 480;
/// Bytes that the timeline counts for a 24 kHz mono sample: two channels of 16 bits at 48 kHz.
const DISCORD_BYTES_PER_SAMPLE: u64 = 8;
/// Samples per millisecond of what humans record.
const HEARD_PER_MS: u64 = 48;

/// Lays the agent's clock beside localcord's. Both run on one machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clocks {
    /// The wall clock at the agent's zero, in microseconds since 1970.
    pub(super) agent_zero_unix_us: u64,
    /// The same of localcord.
    pub(super) localcord_zero_unix_us: u64,
}

impl Clocks {
    /// An instant of the agent's timeline, in microseconds on localcord's clock.
    pub(super) fn on_localcord_us(self, agent_us: u64) -> u64 {
        (self.agent_zero_unix_us + agent_us).saturating_sub(self.localcord_zero_unix_us)
    }
}

/// A pause in the middle of an answer, as a human heard it. The answer leaves with a frame that
/// fades out, and comes back with the same samples, fading in: laid over each other they are what
/// would have been heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// Where the frame that fades out begins in the recording, in samples at 48 kHz.
    pub(super) out_sample: u64,
    /// Where the one that fades in begins.
    pub(super) in_sample: u64,
    /// From the end of the one to the arrival of the other.
    pub(super) ms: u64,
}

/// What a human received of one answer: from its first frame of speech to its last. The frames by
/// which it faded out before a pause are not counted, for what is in them came again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// When the first frame came, in milliseconds since localcord started.
    pub(super) first_at_ms: u64,
    /// When the last one came.
    pub(super) last_at_ms: u64,
    /// Frames that came.
    pub(super) received: u64,
    /// Frames that were sent: by their sequence numbers, so that lost ones count too.
    pub(super) sent: u64,
    /// The place in the recording, in samples at 48 kHz.
    pub(super) from_sample: u64,
    /// Where it ends.
    pub(super) to_sample: u64,
    /// Its pauses, in order.
    pub(super) pauses: Vec<Pause>,
}

impl Stretch {
    /// The stretch between two times, in milliseconds since localcord started. `resumed` are the
    /// times, in microseconds, at which the agent let the answer go on.
    pub(super) fn between(
        frames: &[Frame],
        from_ms: u64,
        to_ms: u64,
        resumed: &[u64],
    ) -> Option<Self> {
        let inside = |frame: &&Frame| (from_ms..=to_ms).contains(&frame.at_ms);
        let spoken: Vec<&Frame> =
            frames.iter().filter(|frame| !frame.silence).filter(inside).collect();
        let (first, last) = (spoken.first()?, spoken.last()?);
        let pauses: Vec<Pause> = resumed.iter().filter_map(|at| Pause::at(&spoken, *at)).collect();
        let silent =
            |frame: &&Frame| frame.silence && (first.at_ms..=last.at_ms).contains(&frame.at_ms);
        let sent = u64::from(last.sequence.wrapping_sub(first.sequence)) + 1;
        let others = frames.iter().filter(silent).count() + pauses.len();
        Some(Self {
            first_at_ms: first.at_ms,
            last_at_ms: last.at_ms,
            received: (spoken.len() - pauses.len()) as u64,
            sent: sent.saturating_sub(others as u64),
            from_sample: first.offset_samples,
            to_sample: last.offset_samples + last.samples,
            pauses,
        })
    }

    /// Its length in the recording, without its pauses.
    pub(super) fn recorded_ms(&self) -> u64 {
        let paused: u64 = self.pauses.iter().map(|pause| pause.in_sample - pause.out_sample).sum();
        let samples = self.to_sample.saturating_sub(self.from_sample).saturating_sub(paused);
        (samples + HEARD_PER_MS / 2) / HEARD_PER_MS
    }

    /// Frames that were sent after the agent had decided to stop. `discord_bytes` is the timeline's
    /// count of what had been played at that instant. Arrival times are not asked: a packet may
    /// already have been on its way.
    pub(super) fn sent_after(&self, discord_bytes: u64) -> u64 {
        let played = discord_bytes / DISCORD_BYTES_PER_SAMPLE;
        self.sent.saturating_sub(played.div_ceil(FRAME_SAMPLES))
    }
}

impl Pause {
    /// The pause that ended when the agent went on at `resumed_us`: before the first frame after
    /// that. None if the answer had not fallen silent yet, or nothing came any more.
    fn at(spoken: &[&Frame], resumed_us: u64) -> Option<Self> {
        let next = spoken.iter().position(|frame| latest_us(frame) > resumed_us)?;
        let (out, back) = (spoken.get(next.checked_sub(1)?)?, spoken.get(next)?);
        let out_ends_ms = out.at_ms + out.samples / HEARD_PER_MS;
        Some(Self {
            out_sample: out.offset_samples,
            in_sample: back.offset_samples.max(out.offset_samples),
            ms: back.at_ms.saturating_sub(out_ends_ms),
        })
    }
}

/// The last instant at which a frame may have come, by a clock that counts whole milliseconds.
fn latest_us(frame: &Frame) -> u64 {
    frame.at_ms * 1000 + 999
}

/// Frames of speech that came between two times, in microseconds since localcord started. Arrival
/// is known to the millisecond; a frame that may have come in time counts as late.
pub(super) fn arrived_between(frames: &[Frame], after_us: u64, until_us: u64) -> u64 {
    let late = |frame: &&Frame| {
        !frame.silence && latest_us(frame) > after_us && latest_us(frame) <= until_us
    };
    frames.iter().filter(late).count() as u64
}

/// The MLS epochs that the call went through.
pub(super) fn epochs(journal: &[Entry]) -> BTreeSet<u64> {
    let epochs = journal.iter().filter(|entry| entry.kind == "dave" && entry.name == "epoch");
    epochs.filter_map(|entry| entry.data["epoch"].as_u64()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Frames every 20 ms from `at_ms` on, with these sequence numbers.
    fn frames(at_ms: u64, sequences: &[u16]) -> Vec<Frame> {
        let place = |n: usize| n as u64;
        sequences
            .iter()
            .enumerate()
            .map(|(n, sequence)| Frame {
                at_ms: at_ms + place(n) * 20,
                offset_samples: place(n) * 960,
                samples: 960,
                sequence: *sequence,
                silence: false,
            })
            .collect()
    }

    #[test]
    fn a_stretch_is_what_lies_between_first_and_last_speech() {
        let mut all = frames(1000, &[65_534, 65_535, 0, 2, 3]);
        all[4].silence = true;
        let stretch = Stretch::between(&all, 1010, 5000, &[]).unwrap();
        assert_eq!(
            stretch,
            Stretch {
                first_at_ms: 1020,
                last_at_ms: 1060,
                received: 3,
                // 65535, 0, the lost 1, 2.
                sent: 4,
                from_sample: 960,
                to_sample: 3840,
                pauses: Vec::new(),
            }
        );
        assert_eq!(stretch.recorded_ms(), 60);
        assert_eq!(Stretch::between(&all, 0, 999, &[]), None);
    }

    #[test]
    fn a_pause_takes_nothing_away_from_what_was_heard() {
        // Three frames, one that fades out, silence; then 300 ms later the fourth and the fifth.
        let mut all = frames(100, &[1, 2, 3, 4, 5, 6]);
        all[4].silence = true;
        all[5].silence = true;
        all.extend(frames(500, &[7, 8]));
        all[6].offset_samples = 400 * 48;
        all[7].offset_samples = 420 * 48;
        let stretch = Stretch::between(&all, 0, 1000, &[490_000]).unwrap();
        assert_eq!((stretch.received, stretch.sent), (5, 5));
        let pause = Pause { out_sample: 60 * 48, in_sample: 400 * 48, ms: 320 };
        assert_eq!(stretch.pauses, [pause]);
        assert_eq!(stretch.recorded_ms(), 100);
        let unaware = Stretch::between(&all, 0, 1000, &[]).unwrap();
        assert_eq!((unaware.received, unaware.sent, unaware.recorded_ms()), (6, 6, 440));
        assert!(Stretch::between(&all, 0, 1000, &[50_000]).unwrap().pauses.is_empty());
        assert!(Stretch::between(&all, 0, 1000, &[600_000]).unwrap().pauses.is_empty());
    }

    #[test]
    fn frames_beyond_what_was_played_were_sent_too_late() {
        let all = frames(0, &[1, 2, 3, 4, 5]);
        let stretch = Stretch::between(&all, 0, 1000, &[]).unwrap();
        let bytes = |samples: u64| samples * 8;
        for (played, late) in [(480 * 5, 0), (480 * 4, 1), (480 * 3 + 1, 1), (0, 5), (480 * 9, 0)] {
            assert_eq!(stretch.sent_after(bytes(played)), late, "{played}");
        }
    }

    #[test]
    fn arrivals_are_counted_by_the_millisecond_they_end_in() {
        let all = frames(100, &[1, 2, 3]);
        for (after_us, count) in [(0, 3), (100_998, 3), (100_999, 2), (140_999, 0)] {
            assert_eq!(arrived_between(&all, after_us, u64::MAX), count, "{after_us}");
        }
        assert_eq!(arrived_between(&all, 0, 121_000), 2);
    }

    #[test]
    fn the_two_clocks_are_laid_beside_each_other() {
        let clocks = Clocks { agent_zero_unix_us: 5_000, localcord_zero_unix_us: 3_500 };
        assert_eq!(clocks.on_localcord_us(250), 1_750);
    }

    #[test]
    fn an_epoch_counts_once() {
        let entry = |kind: &str, name: &str, epoch: u64| Entry {
            seq: 1,
            kind: kind.to_owned(),
            name: name.to_owned(),
            data: json!({ "epoch": epoch }),
        };
        let journal = [
            entry("dave", "epoch", 1),
            entry("dave", "epoch", 2),
            entry("dave", "epoch", 2),
            entry("dave", "round", 3),
        ];
        assert_eq!(epochs(&journal), BTreeSet::from([1, 2]));
    }
}
