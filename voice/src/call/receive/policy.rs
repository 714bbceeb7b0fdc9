//! The numbers and decisions of playout: what of a gap is made up and how, when a speaker has
//! stopped, what is kept for how long. Pure functions; the store is in `buffer`, the wait for a gap
//! in `gap_wait`.

use std::time::Duration;

use crate::wire::rtp::FRAME_UNITS;

/// Packets that may wait for an earlier one, per stream; one more ends the wait. The longest wait of
/// the shortest packets (60 ms of 2.5 ms) fits.
pub(crate) const GAP_PACKETS: usize = 32;

/// A speaker without speech packets for this long has stopped.
pub(crate) const SPEAKING_STOP: Duration = Duration::from_millis(100);

/// Packets of an unannounced SSRC wait this long for op 5 or for a key that opens them.
pub(crate) const HOLD_UNKNOWN: Duration = Duration::from_millis(2_000);

/// DAVE frames of a known user wait this long for a key.
pub(crate) const HOLD_KEYLESS: Duration = Duration::from_millis(2_500);

/// How long a stream outlives its user's leaving, for packets still on the way.
pub(crate) const LEAVE_GRACE: Duration = Duration::from_millis(500);

/// A decoder without packets for this long is freed: the stream goes on with a new one, which
/// sounds the same after such a pause.
pub(crate) const DECODER_IDLE: Duration = Duration::from_secs(60);

/// A stream whose frames its user's key opened within this time is where the user speaks now; no
/// other stream can be theirs.
pub(crate) const IN_USE: Duration = Duration::from_millis(500);

/// Concealment sounds like the speaker for this long, then fades.
const CONCEALED_WHOLE_UNITS: u32 = 2 * FRAME_UNITS;
/// Concealment has faded to silence here: what is made up for longer sounds like a robot.
pub(crate) const CONCEALED_UNITS: u32 = 6 * FRAME_UNITS;
/// Silence stands for the rest of a gap up to here, so that words keep their distance; a longer gap
/// is a stall, and its end is not pushed away by as much silence.
pub(crate) const MAX_GAP_UNITS: u32 = 50 * FRAME_UNITS;

/// Where a sequence number stands against the next expected one (RFC 3550 A.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Distance {
    /// The expected one.
    Next,
    /// This many are missing before it.
    Ahead(u16),
    /// This many behind the expected one, at least 1.
    Behind(u16),
    /// So far off that the sender must have started over.
    Elsewhere,
}

/// RFC 3550's MAX_DROPOUT: a minute of 20 ms packets.
const MAX_DROPOUT: u16 = 3_000;
/// RFC 3550's MAX_MISORDER, widened: packets over a second late have been seen.
const MAX_MISORDER: u16 = 300;

/// The distance of `sequence` from `next`, across the wrap.
pub(crate) const fn distance(sequence: u16, next: u16) -> Distance {
    let ahead = sequence.wrapping_sub(next);
    let behind = next.wrapping_sub(sequence);
    if ahead == 0 {
        Distance::Next
    } else if ahead <= MAX_DROPOUT {
        Distance::Ahead(ahead)
    } else if behind <= MAX_MISORDER {
        Distance::Behind(behind)
    } else {
        Distance::Elsewhere
    }
}

/// How loud made-up audio is that begins `units` (1/48000 s) into a gap, from 1 down to 0.
pub(crate) fn concealment_gain(units: u32) -> f32 {
    let fading = units.saturating_sub(CONCEALED_WHOLE_UNITS) as f32;
    (1.0 - fading / (CONCEALED_UNITS - CONCEALED_WHOLE_UNITS) as f32).max(0.0)
}

/// The media time to make up in a gap, in 1/48000 s, a multiple of the packet duration.
///
/// `missing` packets, each of `packet_units`, are lost between a packet that ended at
/// `expected_timestamp` and one that begins at `timestamp`. Sequence *and* timestamp must show
/// lost audio: a pause in talk advances only the timestamp, and padding-only packets only the
/// sequence.
pub(crate) fn lost_units(
    missing: u16,
    expected_timestamp: u32,
    timestamp: u32,
    packet_units: u32,
) -> u32 {
    let gap = timestamp.wrapping_sub(expected_timestamp);
    if gap > u32::MAX / 2 || packet_units == 0 {
        return 0;
    }
    let lost = gap.min(u32::from(missing).saturating_mul(packet_units)).min(MAX_GAP_UNITS);
    lost - lost % packet_units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_cross_the_wrap() {
        let cases = [
            (5, 5, Distance::Next),
            (0, 65_535, Distance::Ahead(1)),
            (65_535, 0, Distance::Behind(1)),
            (3_005, 5, Distance::Ahead(3_000)),
            (3_006, 5, Distance::Elsewhere),
            (5, 305, Distance::Behind(300)),
            (5, 306, Distance::Elsewhere),
        ];
        for (sequence, next, expected) in cases {
            assert_eq!(distance(sequence, next), expected, "{sequence} against {next}");
        }
    }

    #[test]
    fn concealment_fades_out() {
        let gains = [0, 1_920, 3_840, 5_760, 9_600].map(concealment_gain);
        assert_eq!(gains, [1.0, 1.0, 0.5, 0.0, 0.0]);
    }

    #[test]
    fn only_lost_audio_is_made_up() {
        // (what, missing, expected timestamp, timestamp, packet duration, concealed)
        let cases = [
            ("one packet lost", 1, 1_000, 1_960, 960, 960),
            ("two lost", 2, 1_000, 2_920, 960, 1_920),
            ("padding-only lost", 1, 1_000, 1_000, 960, 0),
            ("one lost before a pause", 1, 1_000, 500_000, 960, 960),
            ("timestamp wraps", 1, u32::MAX - 959, 960, 960, 960),
            ("timestamp steps back", 1, 1_000, 40, 960, 0),
            ("burst", 100, 0, 96_000, 960, MAX_GAP_UNITS),
            ("10 ms packets", 3, 0, 1_440, 480, 1_440),
            ("half a frame", 1, 0, 500, 960, 0),
        ];
        for (what, missing, expected, timestamp, packet, concealed) in cases {
            assert_eq!(lost_units(missing, expected, timestamp, packet), concealed, "{what}");
        }
    }
}
