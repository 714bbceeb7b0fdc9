//! The decisions of a recording, taken again by the same rules.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read as _},
};

use clawvoice_session::SessionTime;
use serde_json::Value;

use super::{Header, TimedDecision, TimedInput, VERSION};
use crate::conversation::floor::{Decision, Floor};

/// The longest line that is read, in bytes; what is longer is none of ours.
const MAX_LINE: u64 = 64 * 1024;
/// Differences that are kept; the rest is counted.
const MAX_DIFFERENCES: usize = 100;

/// Why a recording cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// It cannot be read.
    #[error("the recording cannot be read: {0}")]
    Io(#[from] io::Error),
    /// It has no first line of ours: the thresholds are unknown.
    #[error("the first line is not that of a recorded session, so its settings are unknown")]
    NoHeader,
    /// It is of a later format.
    #[error("the recording has format {0}, and this program reads {VERSION}")]
    Version(u32),
    /// The session took no decisions of this kind.
    #[error(
        "the session went by the documented rule, or had no realtime provider: it recorded no decisions"
    )]
    NoDecisions,
}

/// A decision that came out differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// When.
    pub at: SessionTime,
    /// As recorded; `None`: none was.
    pub recorded: Option<Decision>,
    /// As taken again; `None`: none was.
    pub again: Option<Decision>,
}

/// What came of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    /// Inputs handed to the rules.
    pub inputs: u64,
    /// Decisions recorded.
    pub decisions: u64,
    /// Lines that are damaged: cut off, or not of a known form.
    pub damaged: u64,
    /// The first differences.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub different: u64,
}

impl Replay {
    /// Whether every decision came out as recorded, and nothing was unreadable.
    #[must_use]
    pub fn is_identical(&self) -> bool {
        self.different == 0 && self.damaged == 0
    }

    fn note(&mut self, difference: Difference) {
        self.different += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(difference);
        }
    }
}

/// Hands the recorded inputs to the rules, in order, and compares their decisions with the
/// recorded ones.
///
/// # Errors
///
/// The recording cannot be read, or says nothing of the rules. A damaged line is counted.
pub fn replay(mut from: impl BufRead) -> Result<Replay, ReplayError> {
    let header = read_header(&mut from)?;
    let rules = header.settings.and_then(|settings| settings.floor);
    let mut floor = Floor::new(rules.ok_or(ReplayError::NoDecisions)?);
    let mut replay = Replay::default();
    let mut again: VecDeque<(SessionTime, Decision)> = VecDeque::new();
    while let Some(line) = next_line(&mut from)? {
        match parse(&line) {
            Parsed::Input(TimedInput { at_us, input }) => {
                replay.inputs += 1;
                // Decisions of the last input that were not recorded.
                for (at, decision) in again.drain(..) {
                    replay.note(Difference { at, recorded: None, again: Some(decision) });
                }
                floor.handle(at_us, input);
                again.extend(std::iter::from_fn(|| Some((at_us, floor.poll_decision()?))));
            }
            Parsed::Decision(TimedDecision { at_us, decision }) => {
                replay.decisions += 1;
                let taken = again.pop_front();
                if taken != Some((at_us, decision)) {
                    let again = taken.map(|(_, decision)| decision);
                    replay.note(Difference { at: at_us, recorded: Some(decision), again });
                }
            }
            Parsed::Other => {}
            Parsed::Damaged => replay.damaged += 1,
        }
    }
    for (at, decision) in again {
        replay.note(Difference { at, recorded: None, again: Some(decision) });
    }
    Ok(replay)
}

enum Parsed {
    Input(TimedInput),
    Decision(TimedDecision),
    Other,
    Damaged,
}

fn parse(line: &[u8]) -> Parsed {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return Parsed::Damaged };
    let parsed = if value.get("input").is_some() {
        serde_json::from_value(value).map(Parsed::Input)
    } else if value.get("decision").is_some() {
        serde_json::from_value(value).map(Parsed::Decision)
    } else {
        Ok(Parsed::Other)
    };
    parsed.unwrap_or(Parsed::Damaged)
}

fn read_header(from: &mut impl BufRead) -> Result<Header, ReplayError> {
    let line = next_line(from)?.ok_or(ReplayError::NoHeader)?;
    let value: Value = serde_json::from_slice(&line).map_err(|_| ReplayError::NoHeader)?;
    let version = value.get("clawvoice_timeline").and_then(Value::as_u64);
    let version = version.ok_or(ReplayError::NoHeader)?;
    if version != u64::from(VERSION) {
        return Err(ReplayError::Version(u32::try_from(version).unwrap_or(u32::MAX)));
    }
    serde_json::from_value(value).map_err(|_| ReplayError::NoHeader)
}

/// The next line that is not empty, its first [`MAX_LINE`] bytes at most.
fn next_line(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    loop {
        let mut line = Vec::new();
        if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if !line.trim_ascii().is_empty() {
            return Ok(Some(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{ChannelId, GuildId, UserId};
    use proptest::prelude::*;

    use super::*;
    use crate::{
        conversation::{
            FloorRules, Trace,
            floor::{Features, Input},
        },
        recording::{Line, Thresholds},
    };

    fn header() -> String {
        let header = Header {
            clawvoice_timeline: VERSION,
            session: "s".into(),
            guild: GuildId::new(1),
            channel: ChannelId::new(2),
            started: "2026-01-01T00:00:00Z".into(),
            started_us: SessionTime::ZERO,
            version: "0".into(),
            settings: Some(Thresholds {
                barge_in: true,
                min_barge_in_audio_end_ms: 250,
                floor: Some(FloorRules::default()),
                echo_detection: true,
            }),
        };
        format!("{}\n", serde_json::to_string(&header).unwrap())
    }

    fn line(line: &Line) -> String {
        let mut bytes = Vec::new();
        line.write(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// A suspicion and its dismissal, written down.
    fn recorded() -> Vec<String> {
        let user = UserId::new(11);
        let mut floor = Floor::new(FloorRules::default());
        let features = Features { level_ddbfs: -200, ..Features::default() };
        let mut lines = vec![header()];
        for (ms, input) in [
            (0, Input::Output { answer: Some(1) }),
            (100, Input::Start { user }),
            (120, Input::Frame { user, features }),
            (340, Input::Timeout),
        ] {
            let at = SessionTime::from_millis(ms);
            lines.push(line(&Line::Trace(Trace::Input { at, input })));
            floor.handle(at, input);
            while let Some(decision) = floor.poll_decision() {
                lines.push(line(&Line::Trace(Trace::Decision { at, decision })));
            }
        }
        lines
    }

    #[test]
    fn a_recording_replays_to_the_same_decisions() {
        let text = recorded().concat();
        let outcome = replay(text.as_bytes()).unwrap();
        assert_eq!((outcome.inputs, outcome.decisions), (4, 2), "{text}");
        assert!(outcome.is_identical(), "{outcome:?}");
    }

    #[test]
    fn a_decision_that_was_changed_or_left_out_is_told() {
        let text = recorded().concat().replace("noise", "echo");
        let outcome = replay(text.as_bytes()).unwrap();
        assert_eq!(outcome.different, 1);
        let lines: Vec<String> =
            recorded().into_iter().filter(|line| !line.contains("suspected")).collect();
        let outcome = replay(lines.concat().as_bytes()).unwrap();
        assert_eq!(outcome.differences[0].recorded, None);
        assert!(!outcome.is_identical());
    }

    #[test]
    fn a_cut_off_line_is_counted_and_the_rest_is_replayed() {
        let mut text = recorded().concat();
        text.truncate(text.len() - 5);
        let outcome = replay(text.as_bytes()).unwrap();
        assert_eq!((outcome.damaged, outcome.decisions), (1, 1));
    }

    #[test]
    fn what_is_no_recording_is_refused_in_words() {
        for (text, expected) in [
            ("", "first line"),
            ("hello\n", "first line"),
            ("{\"clawvoice_timeline\":2}\n", "format 2"),
        ] {
            let error = replay(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = replay(&bytes[..]);
            let mut text = header().into_bytes();
            text.extend(bytes);
            prop_assert!(replay(&text[..]).is_ok());
        }
    }
}
