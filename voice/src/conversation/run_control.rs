//! What a speaker wants of the run that works for them: recognised by its words, before they are
//! taken for a new question.
//!
//! English only, as phrases: a word too few asks the agent again, a word too many stops its work.

use std::sync::LazyLock;

use clawvoice_session::agent::{Control, ControlOutcome, ControlRefusal, RunActivity};
use regex::Regex;

/// What is wanted of an active run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ControlMode {
    /// What is it doing?
    Status,
    /// Stop it.
    Cancel,
    /// Do it otherwise.
    Steer,
    /// Do this as well, afterwards.
    FollowUp,
}

impl ControlMode {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Status, Self::Cancel, Self::Steer, Self::FollowUp];

    /// The mode of that name, spelt as models spell it.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let name: String = name.chars().filter(char::is_ascii_alphabetic).collect();
        Self::ALL.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(&name))
    }

    /// The mode as it is printed.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Cancel => "cancel",
            Self::Steer => "steer",
            Self::FollowUp => "followup",
        }
    }

    /// The agent's form of it, with the speaker's words.
    pub(crate) fn control(self, text: &str) -> Control {
        match self {
            Self::Status => Control::Status,
            Self::Cancel => Control::Cancel,
            Self::Steer => Control::Steer(text.to_owned()),
            Self::FollowUp => Control::FollowUp(text.to_owned()),
        }
    }

    /// What is said about the outcome. `None`: there was no run, so the words are a normal turn.
    pub(crate) fn spoken(self, outcome: &ControlOutcome) -> Option<&'static str> {
        use ControlRefusal::{Compacting, Failed, NotSteerable};
        Some(match (outcome, self) {
            (ControlOutcome::NoActiveRun, _) => return None,
            (ControlOutcome::Status(RunActivity::Tool(_)), _) => {
                "OpenClaw is running a tool for the current voice request."
            }
            (ControlOutcome::Status(RunActivity::Model), _) => {
                "OpenClaw is waiting on the model for the current voice request."
            }
            (ControlOutcome::Status(RunActivity::Working), _)
            | (ControlOutcome::Done, Self::Status)
            | (ControlOutcome::Refused(_), Self::Status) => {
                "OpenClaw is working on the current voice request."
            }
            (ControlOutcome::Done, Self::Cancel) => "Cancelled the active OpenClaw run.",
            (ControlOutcome::Done, Self::Steer) => "Got it. I steered the active run.",
            (ControlOutcome::Done, Self::FollowUp) => {
                "Queued that follow-up for the active OpenClaw run."
            }
            (ControlOutcome::Refused(_), Self::Cancel) => {
                "OpenClaw could not cancel the active run."
            }
            (ControlOutcome::Refused(Compacting), _) => {
                "OpenClaw is compacting the active run and cannot accept voice steering yet."
            }
            (ControlOutcome::Refused(NotSteerable), _) => {
                "OpenClaw has an active run, but it is not currently accepting steering."
            }
            (ControlOutcome::Refused(Failed), Self::Steer) => {
                "OpenClaw could not steer the active run."
            }
            (ControlOutcome::Refused(Failed), Self::FollowUp) => {
                "OpenClaw could not queue that follow-up."
            }
        })
    }
}

const LEAD_IN: &str = r"(?:(?:ok|okay|alright|all right)[,.]? )?(?:please,? )?";
const ASKING: &str = r"(?:can|could|would) (?:you|we) (?:please )?";
const OBJECT: &str = r"(?:that|this|it|the (?:check|run|task|work))";
const STOP: &str = r"(?:cancel|cancle|abort|stop)";

struct Rules {
    stop_doing: Regex,
    cancel_whole: Regex,
    cancel_anywhere: Regex,
    negation: Regex,
    status: Regex,
    follow_up: Regex,
    steer: Regex,
}

static RULES: LazyLock<Option<Rules>> = LazyLock::new(|| build().ok());

fn build() -> Result<Rules, regex::Error> {
    let rule = |pattern: String| Regex::new(&pattern);
    Ok(Rules {
        stop_doing: rule(format!(
            r"^(?:{LEAD_IN}|{ASKING})stop (?:(?:using|doing|checking|looking at|focusing on|trying)\b|{OBJECT} from\b)"
        ))?,
        cancel_whole: rule(format!(
            r"^(?:{LEAD_IN}{STOP}(?: {OBJECT})?|never ?mind|forget it|kill it|end that|(?:can|could|would) (?:you|we) (?:just )?{STOP}(?: {OBJECT})?)[.!?]?$"
        ))?,
        cancel_anywhere: rule(format!(r"\b{STOP} {OBJECT}\b"))?,
        negation: rule(r"(?:\bdon't|\bdont|\bdo not|\bnot|\bnever)(?: \w+)? $".to_owned())?,
        status: rule(
            r"^(?:(?:status|progress|update|(?:give me|what's|any)(?: an| the)? (?:update|status|progress))[.!?]?$|(?:where are we|what's happening|what are you doing|what is it doing|what's it doing|how (?:is|are) (?:it|you|that|this) going|how's (?:it|that|this) going|are you still working|is it done|did it finish)\b)"
                .to_owned(),
        )?,
        follow_up: rule(
            r"^(?:after that|when (?:you're|you are|it's|it is) done|next|then|also|one more thing|follow up)\b"
                .to_owned(),
        )?,
        steer: rule(format!(
            r"(?:^update \w)|^(?:{ASKING})?(?:actually|instead|change|switch|focus|use|try|prefer|make|do|check|look at|go with|redirect|steer|tell it to)\b|\b(?:instead|not that|rather than|change that|switch to|focus on|use the|try the|go with|tell it to)\b"
        ))?,
    })
}

/// What `text` wants of an active run; `None`: it is a turn of its own.
pub(crate) fn classify(text: &str) -> Option<ControlMode> {
    let rules = RULES.as_ref()?;
    let text = text.trim().to_lowercase().replace(['\u{2019}', '\u{2018}'], "'");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if rules.stop_doing.is_match(&text) {
        return Some(ControlMode::Steer);
    }
    if rules.cancel_whole.is_match(&text) || cancels_somewhere(rules, &text) {
        return Some(ControlMode::Cancel);
    }
    if rules.status.is_match(&text) {
        return Some(ControlMode::Status);
    }
    if rules.follow_up.is_match(&text) {
        return Some(ControlMode::FollowUp);
    }
    // "Don't do it": whatever it wants, it is not what follows the negation.
    (!text.starts_with("don't ") && rules.steer.is_match(&text)).then_some(ControlMode::Steer)
}

fn cancels_somewhere(rules: &Rules, text: &str) -> bool {
    rules.cancel_anywhere.find_iter(text).any(|found| {
        text.get(..found.start()).is_some_and(|before| !rules.negation.is_match(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles() {
        build().unwrap();
    }

    #[test]
    fn voice_scenario_32_the_four_documented_phrases() {
        for (text, mode) in [
            ("status", ControlMode::Status),
            ("cancel that", ControlMode::Cancel),
            ("use the smaller fix", ControlMode::Steer),
            ("when you're done also check tests", ControlMode::FollowUp),
        ] {
            assert_eq!(classify(text), Some(mode), "{text}");
        }
    }

    #[test]
    fn voice_scenario_33_a_negation_cancels_nothing() {
        for text in ["don't cancel it", "Do not stop that.", "please never abort the run"] {
            assert_ne!(classify(text), Some(ControlMode::Cancel), "{text}");
        }
        assert_eq!(classify("stop using the old API"), Some(ControlMode::Steer));
        assert_eq!(classify("Could you stop it from writing files?"), Some(ControlMode::Steer));
    }

    #[test]
    fn phrases_are_told_apart() {
        use ControlMode::{Cancel, FollowUp, Status, Steer};
        for (text, mode) in [
            ("Okay, cancel that.", Some(Cancel)),
            ("Never mind!", Some(Cancel)),
            ("nevermind", Some(Cancel)),
            ("Can you just stop?", Some(Cancel)),
            ("cancle it", Some(Cancel)),
            ("Not now, cancel that", Some(Cancel)),
            ("No no, stop the task please", Some(Cancel)),
            ("stop", Some(Cancel)),
            ("What\u{2019}s the status?", Some(Status)),
            ("How's it going over there", Some(Status)),
            ("Any update?", Some(Status)),
            ("What are you doing?", Some(Status)),
            ("Then send it to Ben", Some(FollowUp)),
            ("One more thing, tag it", Some(FollowUp)),
            ("actually make it blue", Some(Steer)),
            ("update the plan", Some(Steer)),
            ("Could you use the other one", Some(Steer)),
            ("I would go with the first", Some(Steer)),
            ("What is the weather like in Oslo?", None),
            ("Tell me a joke", None),
            ("The bus stop is near", None),
            ("updates are boring", None),
            ("", None),
        ] {
            assert_eq!(classify(text), mode, "{text}");
        }
    }

    #[test]
    fn outcomes_have_the_documented_words() {
        use ControlMode::{Cancel, FollowUp, Status, Steer};
        for mode in [Status, Cancel, Steer, FollowUp] {
            assert_eq!(mode.spoken(&ControlOutcome::NoActiveRun), None);
        }
        let refused = |why| ControlOutcome::Refused(why);
        assert_eq!(
            Cancel.spoken(&ControlOutcome::Done),
            Some("Cancelled the active OpenClaw run.")
        );
        assert_eq!(
            Cancel.spoken(&refused(ControlRefusal::Compacting)),
            Some("OpenClaw could not cancel the active run.")
        );
        assert_eq!(
            Steer.spoken(&refused(ControlRefusal::NotSteerable)),
            Some("OpenClaw has an active run, but it is not currently accepting steering.")
        );
        assert_eq!(
            FollowUp.spoken(&refused(ControlRefusal::Failed)),
            Some("OpenClaw could not queue that follow-up.")
        );
        assert_eq!(
            Status.spoken(&ControlOutcome::Status(RunActivity::Working)),
            Some("OpenClaw is working on the current voice request.")
        );
    }
}
