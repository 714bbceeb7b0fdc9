//! What became of the sounds that humans made while the agent spoke.

use serde::Serialize;

use super::{
    findings::{BargeIn, Echo, Latency},
    follow::Line,
};

/// A cough: the pause that it may cost, in milliseconds. It lasts 200, and its end is waited for.
const MOST_COUGH_PAUSE_MS: u64 = 800;
/// What must be heard of an answer that goes on.
const LEAST_HEARD: f64 = 0.99;
/// An echo: the pause that it may cost until its way is known, in milliseconds, and how often.
const MOST_ECHO_PAUSE_MS: u64 = 300;
const MOST_ECHO_PAUSES: u64 = 1;
/// What the microphone must have sent of it, so that there was one.
const LEAST_ECHO_MS: u64 = 2_000;
/// From an interruption's first packet to silence, in milliseconds.
const MOST_STOP_MS: u64 = 150;

/// The reason of a dismissal.
const ECHO: &str = "echo";

/// What the agent made of one speaker's sounds during one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Sounds {
    /// The reasons of those that it dismissed, in order.
    pub(super) dismissed: Vec<String>,
    /// The reasons of those that it took for interruptions.
    pub(super) confirmed: Vec<String>,
    /// The longest time for which one was in doubt, in milliseconds.
    pub(super) held_ms: u64,
}

impl Sounds {
    /// Reads the timeline of an answer.
    pub(super) fn of(lines: &[Line], user: &str) -> Self {
        let mut sounds = Self::default();
        for line in lines.iter().filter(|line| line.text("user") == user) {
            let reasons = match line.line.as_str() {
                "realtime barge-in dismissed" => &mut sounds.dismissed,
                "realtime barge-in confirmed" => &mut sounds.confirmed,
                _ => continue,
            };
            // Dismissed before anything stopped: the first packet of a talkspurt may be silent.
            if line.number("heldMs") == 0 {
                continue;
            }
            reasons.push(line.text("reason").to_owned());
            sounds.held_ms = sounds.held_ms.max(line.number("heldMs"));
        }
        sounds
    }

    fn are_all_dismissed(&self) -> bool {
        self.confirmed.is_empty() && !self.dismissed.is_empty()
    }
}

/// An answer that went on.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct WentOn {
    #[serde(flatten)]
    pub(super) sounds: Sounds,
    /// Pauses of the answer, as the humans heard it.
    pub(super) pauses: u64,
    /// The longest, in milliseconds.
    pub(super) paused_ms: u64,
    /// Share of its frames that came: the lower one, if several humans listened.
    pub(super) heard: f64,
}

/// One row of the table.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    /// Whose sound.
    pub(super) what: &'static str,
    /// What became of it, with figures.
    pub(super) measured: String,
    pub(super) promised: String,
    pub(super) kept: bool,
}

/// The cough.
pub(super) fn cough(cough: &WentOn) -> Verdict {
    let WentOn { sounds, paused_ms, heard, .. } = cough;
    let is_taken_back = sounds.are_all_dismissed();
    Verdict {
        what: "a cough by Ben",
        measured: match is_taken_back {
            true => format!(
                "taken back: the answer paused {paused_ms} ms and went on, {} of it heard",
                percent(*heard)
            ),
            false => format!("not taken back: {sounds:?}"),
        },
        promised: format!("at most {MOST_COUGH_PAUSE_MS} ms, {}", percent(LEAST_HEARD)),
        kept: is_taken_back
            && (1..=MOST_COUGH_PAUSE_MS).contains(paused_ms)
            && *heard >= LEAST_HEARD,
    }
}

/// The echo.
pub(super) fn echo(echo: &Echo) -> Verdict {
    let Echo { went_on: WentOn { sounds, pauses, paused_ms, heard }, sent_ms } = echo;
    let is_ignored = sounds.confirmed.is_empty() && sounds.dismissed.iter().all(|why| why == ECHO);
    let cost = match pauses {
        0 => "the answer never paused".to_owned(),
        1 => format!("the answer paused once for {paused_ms} ms"),
        more => format!("the answer paused {more} times, {paused_ms} ms at most"),
    };
    Verdict {
        what: "Ada's open microphone",
        measured: match is_ignored {
            true => format!(
                "echo, ignored: {sent_ms} ms of the agent's voice came back, {cost}, {} heard",
                percent(*heard)
            ),
            false => format!("not known for an echo: {sounds:?}"),
        },
        promised: format!("at most {MOST_ECHO_PAUSES} pause of {MOST_ECHO_PAUSE_MS} ms"),
        kept: is_ignored
            && !sounds.dismissed.is_empty()
            && *pauses <= MOST_ECHO_PAUSES
            && *paused_ms <= MOST_ECHO_PAUSE_MS
            && *sent_ms >= LEAST_ECHO_MS
            && *heard >= LEAST_HEARD,
    }
}

/// The interruption.
pub(super) fn interruption(barge_in: &BargeIn, latency: &Latency) -> Verdict {
    let BargeIn { sounds, truncated_at_ms, .. } = barge_in;
    let stop_ms = latency.barge_in_stop_ms;
    let is_confirmed = !sounds.confirmed.is_empty();
    Verdict {
        what: "Ben's interruption",
        measured: match is_confirmed {
            true => format!(
                "the answer ended: silence {stop_ms} ms after his first packet, certain after {} \
                 ms, heard until {truncated_at_ms} ms",
                sounds.held_ms,
            ),
            false => format!("not understood as one: {sounds:?}"),
        },
        promised: format!("silence within {MOST_STOP_MS} ms"),
        kept: is_confirmed && stop_ms <= MOST_STOP_MS,
    }
}

/// In whole percent, rounded down: a hundred is all.
fn percent(share: f64) -> String {
    format!("{:.0} %", (share * 100.0).floor())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(name: &str, user: &str, reason: &str, held_ms: u64) -> Line {
        let fields = json!({ "user": user, "reason": reason, "heldMs": held_ms });
        let line = json!({ "at_us": 1, "line": name, "fields": fields });
        serde_json::from_value(line).unwrap()
    }

    fn taken_back(reason: &str) -> WentOn {
        let dismissed = vec![reason.to_owned()];
        let sounds = Sounds { dismissed, confirmed: Vec::new(), held_ms: 240 };
        WentOn { sounds, pauses: 1, paused_ms: 260, heard: 1.0 }
    }

    #[test]
    fn sounds_are_those_of_one_speaker() {
        let lines = [
            line("realtime barge-in suspected", "1", "", 0),
            line("realtime barge-in dismissed", "1", "inaudible", 0),
            line("realtime barge-in dismissed", "1", "noise", 240),
            line("realtime barge-in dismissed", "2", "echo", 900),
            line("realtime barge-in confirmed", "1", "speech", 560),
        ];
        let expected = Sounds {
            dismissed: vec!["noise".to_owned()],
            confirmed: vec!["speech".to_owned()],
            held_ms: 560,
        };
        assert_eq!(Sounds::of(&lines, "1"), expected);
        assert_eq!(Sounds::of(&lines, "3"), Sounds::default());
    }

    #[test]
    fn a_cough_is_taken_back() {
        let good = cough(&taken_back("noise"));
        let words = "taken back: the answer paused 260 ms and went on, 100 % of it heard";
        assert_eq!((good.measured.as_str(), good.kept), (words, true));
        type Break = fn(&mut WentOn);
        let broken: [Break; 5] = [
            |one| one.sounds.confirmed.push("speech".to_owned()),
            |one| one.sounds.dismissed.clear(),
            |one| one.paused_ms = 0,
            |one| one.paused_ms = 801,
            |one| one.heard = 0.98,
        ];
        for spoil in broken {
            let mut one = taken_back("noise");
            spoil(&mut one);
            assert!(!cough(&one).kept, "{one:?}");
        }
    }

    #[test]
    fn an_echo_is_known_for_one() {
        let of = |reason: &str| Echo { went_on: taken_back(reason), sent_ms: 9_000 };
        let good = echo(&of("echo"));
        let words = "echo, ignored: 9000 ms of the agent's voice came back, the answer paused once \
                     for 260 ms, 100 % heard";
        assert_eq!((good.measured.as_str(), good.kept), (words, true));
        type Break = fn(&mut Echo);
        let broken: [Break; 7] = [
            |one| one.went_on.sounds.confirmed.push("speech".to_owned()),
            |one| one.went_on.sounds.dismissed.push("no-words".to_owned()),
            |one| one.went_on.sounds.dismissed.clear(),
            |one| one.went_on.pauses = 2,
            |one| one.went_on.paused_ms = 301,
            |one| one.went_on.heard = 0.98,
            |one| one.sent_ms = 1_999,
        ];
        for spoil in broken {
            let mut one = of("echo");
            spoil(&mut one);
            assert!(!echo(&one).kept, "{one:?}");
        }
    }

    #[test]
    fn an_interruption_silences_at_once() {
        let latency = |barge_in_stop_ms| Latency {
            answer_ms: 1,
            barge_in_stop_ms,
            decision_to_silence_ms: 0,
        };
        let mut barge_in = BargeIn {
            sounds: Sounds::of(&[line("realtime barge-in confirmed", "1", "speech", 700)], "1"),
            truncated_at_ms: 2300,
            ..BargeIn::default()
        };
        let good = interruption(&barge_in, &latency(12));
        let words = "the answer ended: silence 12 ms after his first packet, certain after 700 ms, \
                     heard until 2300 ms";
        assert_eq!((good.measured.as_str(), good.kept), (words, true));
        assert!(!interruption(&barge_in, &latency(151)).kept);
        barge_in.sounds = Sounds::default();
        assert!(!interruption(&barge_in, &latency(12)).kept);
    }
}
