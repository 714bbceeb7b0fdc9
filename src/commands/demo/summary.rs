//! What was measured against what is promised.

use std::{path::Path, time::Duration};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{
    findings::Findings,
    scene::AgentAct,
    verdicts::{self, Verdict},
};
use crate::printer::{self, Failure};

const KEPT: Style = AnsiColor::Green.on_default();
const BROKEN: Style = AnsiColor::Red.on_default().bold();
const NOTE: Style = Style::new().dimmed();

const LEAST_SIMILARITY: f64 = 0.90;
const LEAST_EPOCHS: u64 = 3;
const MOST_FRAMES_AFTER_DECISION: u64 = 1;
const MOST_TRUNCATION_ERROR_MS: u64 = 40;
const MOST_SHUTDOWN_MS: u64 = 2_000;
/// Both acts.
const MOST_SECONDS: u64 = 75;
const LEAST_HEARD: f64 = 0.90;
const CANCELLED: &str = "Cancelled the active OpenClaw run.";
/// Leaving and coming back.
const EPOCHS_OF_A_REJOIN: u64 = 2;

/// One promise, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Promise {
    /// What was measured, in words.
    what: &'static str,
    measured: String,
    promised: String,
    kept: bool,
}

/// The content of `summary.json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Summary {
    /// Whether every promise was kept.
    kept: bool,
    #[serde(flatten)]
    findings: Findings,
    /// The second act.
    agent_proxy: AgentAct,
    /// From the start of the demo to the summary.
    duration_ms: u64,
    /// What became of the sounds that were made while the agent spoke.
    verdicts: Vec<Verdict>,
    promises: Vec<Promise>,
}

impl Summary {
    pub(super) fn new(findings: Findings, agent_proxy: AgentAct, took: Duration) -> Self {
        let mut promises = promises(&findings, took);
        promises.extend(agent_promises(&agent_proxy));
        let verdicts = vec![
            verdicts::cough(&findings.cough),
            verdicts::echo(&findings.echo),
            verdicts::interruption(&findings.barge_in, &findings.latency),
        ];
        Self {
            kept: promises.iter().all(|promise| promise.kept)
                && verdicts.iter().all(|verdict| verdict.kept),
            findings,
            agent_proxy,
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            verdicts,
            promises,
        }
    }

    pub(super) fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("numbers, texts and lists have a JSON form") + "\n"
    }

    /// The table, and where to listen.
    pub(super) fn print(&self, out: &Path) {
        printer::result("");
        for Verdict { what, measured, kept, .. } in &self.verdicts {
            let (style, mark) = mark(*kept);
            printer::result(format_args!("{style}{mark}{style:#} {what:<23} {measured}"));
        }
        printer::result("");
        for promise in &self.promises {
            let (style, mark) = mark(promise.kept);
            printer::result(format_args!(
                "{style}{mark}{style:#} {:<58} {:>12}   {NOTE}{}{NOTE:#}",
                promise.what, promise.measured, promise.promised
            ));
        }
        let latency = &self.findings.latency;
        printer::result(format_args!(
            "  {:<58} {:>12}",
            "Ada stops speaking → she hears the answer",
            format!("{} ms", latency.answer_ms)
        ));
        let out = out.display();
        printer::result(format_args!(
            "\nListen: {out}/ada.wav, {out}/ben.wav. Read: {out}/summary.json, {out}/timeline.jsonl."
        ));
    }

    /// Fails if a promise was not kept.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let verdicts = self.verdicts.iter().filter(|one| !one.kept);
        let verdicts = verdicts.map(|one| (one.what, &one.measured, &one.promised));
        let promises = self.promises.iter().filter(|one| !one.kept);
        let promises = promises.map(|one| (one.what, &one.measured, &one.promised));
        let broken: Vec<_> = verdicts
            .chain(promises)
            .map(|(what, measured, promised)| format!("{what}: {measured}, promised {promised}"))
            .collect();
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::unexpected(format_args!("the demo is not as promised: {}", broken.join("; ")))
            .hint("on a busy machine, try again before you believe it"))
    }
}

const fn mark(kept: bool) -> (Style, char) {
    if kept { (KEPT, '✓') } else { (BROKEN, '✗') }
}

fn promises(findings: &Findings, took: Duration) -> Vec<Promise> {
    let Findings { agent_heard, human_heard, dave, barge_in, rejoin, shutdown, .. } = findings;
    let similarity = |what, score: f64| Promise {
        what,
        measured: format!("{score:.3}"),
        promised: format!("at least {LEAST_SIMILARITY:.2}"),
        kept: score >= LEAST_SIMILARITY,
    };
    let least = |what, measured: u64, least: u64| Promise {
        what,
        measured: measured.to_string(),
        promised: format!("at least {least}"),
        kept: measured >= least,
    };
    let most = |what, measured: u64, most: u64| Promise {
        what,
        measured: measured.to_string(),
        promised: format!("at most {most}"),
        kept: measured <= most,
    };
    let truncation = barge_in.truncated_at_ms.abs_diff(barge_in.recording_ms);
    // Other systems have no such signal: the process is killed there.
    let ended = shutdown.exit_code == Some(0) || cfg!(not(unix));
    vec![
        similarity("what Ada said, at the provider", agent_heard.similarity),
        similarity("what the provider answered, at both humans", human_heard.similarity),
        similarity("the answer at Ben, while Ada left and came back", rejoin.stayed_similarity),
        Promise {
            what: "DAVE protocol version, everybody's",
            measured: dave.protocol_version.to_string(),
            promised: "1".to_owned(),
            kept: dave.protocol_version == 1,
        },
        least("DAVE epochs of the call", dave.epochs, LEAST_EPOCHS),
        least("of these, while the agent spoke", rejoin.epochs_during_answer, EPOCHS_OF_A_REJOIN),
        most(
            "frames that should have been decrypted and were not",
            dave.undecryptable_after_ready,
            0,
        ),
        most(
            "frames sent after the decision to stop",
            barge_in.frames_after_decision,
            MOST_FRAMES_AFTER_DECISION,
        ),
        Promise {
            what: "“heard until”, as the provider was told and as recorded",
            measured: format!("{} / {} ms", barge_in.truncated_at_ms, barge_in.recording_ms),
            promised: format!("within {MOST_TRUNCATION_ERROR_MS} ms"),
            kept: truncation <= MOST_TRUNCATION_ERROR_MS,
        },
        Promise {
            what: "SIGTERM → exit",
            measured: match shutdown.exit_code {
                Some(code) => format!("{code}, {} ms", shutdown.took_ms),
                None => format!("killed, {} ms", shutdown.took_ms),
            },
            promised: format!("0 within {MOST_SHUTDOWN_MS} ms"),
            kept: ended && shutdown.took_ms <= MOST_SHUTDOWN_MS,
        },
        most("seconds in all", took.as_secs(), MOST_SECONDS),
    ]
}

/// Of the second act.
fn agent_promises(act: &AgentAct) -> Vec<Promise> {
    let is_told = |kept| if kept { "yes" } else { "no" }.to_owned();
    let asked = !act.question.is_empty() && act.answer.contains(&act.question);
    let said = !act.answer.is_empty() && act.spoken == act.answer;
    vec![
        Promise {
            what: "the agent answers what Ada asked",
            measured: is_told(asked),
            promised: "with her words in it".to_owned(),
            kept: asked,
        },
        Promise {
            what: "the front end says the agent's answer",
            measured: is_told(said),
            promised: "word for word".to_owned(),
            kept: said,
        },
        Promise {
            what: "share of that answer that Ada hears",
            measured: format!("{:.3}", act.heard),
            promised: format!("at least {LEAST_HEARD:.2}"),
            kept: act.heard >= LEAST_HEARD,
        },
        Promise {
            what: "“Cancel that.” ends the run, and nothing is answered",
            measured: is_told(act.outcome == CANCELLED && act.answers == 1),
            promised: "and it is said".to_owned(),
            kept: act.outcome == CANCELLED && act.answers == 1,
        },
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{
        super::{
            findings::{AgentHeard, BargeIn, Dave, Echo, HumanHeard, Latency, Rejoin, Shutdown},
            verdicts::{Sounds, WentOn},
        },
        *,
    };

    fn good() -> Findings {
        Findings {
            agent_heard: AgentHeard { similarity: 0.97, lag_ms: 500.0 },
            human_heard: HumanHeard { similarity: 0.95, ada: 0.95, ben: 0.96, frames_lost: 0 },
            dave: Dave {
                protocol_version: 1,
                epochs: 4,
                undecryptable_after_ready: 0,
                undecryptable_by_agent: 0,
                undecryptable_before_ready: 3,
                decode_errors: 0,
            },
            cough: WentOn {
                sounds: Sounds { dismissed: vec!["noise".into()], ..Sounds::default() },
                pauses: 1,
                paused_ms: 260,
                heard: 1.0,
            },
            echo: Echo {
                went_on: WentOn {
                    sounds: Sounds { dismissed: vec!["echo".into()], ..Sounds::default() },
                    pauses: 1,
                    paused_ms: 200,
                    heard: 1.0,
                },
                sent_ms: 7_000,
            },
            barge_in: BargeIn {
                sounds: Sounds { confirmed: vec!["speech".into()], ..Sounds::default() },
                frames_after_decision: 1,
                frames_arrived_after_decision: 1,
                truncated_at_ms: 2140,
                recording_ms: 2180,
                recording_ada_ms: 2180,
                recording_ben_ms: 2140,
                sent_ms: 8000,
            },
            rejoin: Rejoin {
                stayed_similarity: 0.94,
                epochs_during_answer: 2,
                returned_heard_ms: 5000,
            },
            latency: Latency { answer_ms: 640, barge_in_stop_ms: 30, decision_to_silence_ms: 0 },
            shutdown: Shutdown { exit_code: Some(0), took_ms: 120 },
        }
    }

    fn good_agent() -> AgentAct {
        AgentAct {
            question: "why?".into(),
            answer: "You said: why?".into(),
            spoken: "You said: why?".into(),
            heard: 0.99,
            outcome: CANCELLED.into(),
            answers: 1,
        }
    }

    fn verdict(findings: Findings, seconds: u64) -> Result<(), String> {
        let summary = Summary::new(findings, good_agent(), Duration::from_secs(seconds));
        assert_eq!(summary.kept, summary.verdict().is_ok());
        summary.verdict().map_err(|failure| failure.message)
    }

    #[test]
    fn kept_promises_are_no_failure() {
        assert_eq!(verdict(good(), 75), Ok(()));
    }

    #[test]
    fn every_promise_can_be_broken() {
        type Break = fn(&mut Findings);
        let cases: [(Break, &str); 13] = [
            (|f| f.agent_heard.similarity = 0.89, "Ada said, at the provider: 0.890"),
            (|f| f.human_heard.similarity = 0.5, "at both humans: 0.500"),
            (|f| f.rejoin.stayed_similarity = 0.0, "came back: 0.000"),
            (|f| f.dave.protocol_version = 0, "everybody's: 0, promised 1"),
            (|f| f.dave.epochs = 2, "epochs of the call: 2, promised at least 3"),
            (|f| f.rejoin.epochs_during_answer = 1, "spoke: 1, promised at least 2"),
            (|f| f.dave.undecryptable_after_ready = 1, "were not: 1, promised at most 0"),
            (|f| f.barge_in.frames_after_decision = 2, "decision to stop: 2"),
            (|f| f.barge_in.recording_ms = 2181, "2140 / 2181 ms, promised within 40 ms"),
            (|f| f.shutdown.took_ms = 2001, "0, 2001 ms"),
            (|f| f.cough.paused_ms = 900, "a cough by Ben: taken back: the answer paused 900 ms"),
            (|f| f.echo.went_on.paused_ms = 400, "Ada's open microphone: echo, ignored: 7000 ms"),
            (|f| f.latency.barge_in_stop_ms = 400, "Ben's interruption: the answer ended: sil"),
        ];
        for (spoil, words) in cases {
            let mut findings = good();
            spoil(&mut findings);
            let told = verdict(findings, 30).unwrap_err();
            assert!(told.contains(words), "{told}");
            assert!(!told.contains(';'), "one broken promise is one sentence: {told}");
        }
        assert!(verdict(good(), 76).unwrap_err().contains("seconds in all: 76"));
    }

    #[test]
    fn every_promise_of_the_second_act_can_be_broken() {
        type Break = fn(&mut AgentAct);
        let cases: [Break; 6] = [
            |act| act.question = "what?".into(),
            |act| act.answer = String::new(),
            |act| act.spoken = "You said".into(),
            |act| act.heard = 0.5,
            |act| act.outcome = String::new(),
            |act| act.answers = 2,
        ];
        for spoil in cases {
            let mut act = good_agent();
            spoil(&mut act);
            assert!(agent_promises(&act).iter().any(|promise| !promise.kept), "{act:?}");
        }
        assert!(agent_promises(&good_agent()).iter().all(|promise| promise.kept));
    }

    #[cfg(unix)]
    #[test]
    fn another_exit_code_is_a_broken_promise() {
        for exit_code in [None, Some(1)] {
            let mut findings = good();
            findings.shutdown.exit_code = exit_code;
            assert!(verdict(findings, 30).unwrap_err().contains("SIGTERM"));
        }
    }

    #[test]
    fn the_summary_has_the_figures_under_their_names() {
        let json = Summary::new(good(), good_agent(), Duration::from_secs(40)).to_json();
        let json: Value = serde_json::from_str(&json).unwrap();
        for (pointer, figure) in [
            ("/agent_heard/similarity", 0.97),
            ("/human_heard/similarity", 0.95),
            ("/dave/protocol_version", 1.0),
            ("/dave/epochs", 4.0),
            ("/dave/undecryptable_after_ready", 0.0),
            ("/barge_in/frames_after_decision", 1.0),
            ("/barge_in/truncated_at_ms", 2140.0),
            ("/barge_in/recording_ms", 2180.0),
            ("/latency/answer_ms", 640.0),
            ("/latency/barge_in_stop_ms", 30.0),
        ] {
            assert_eq!(json.pointer(pointer).and_then(Value::as_f64), Some(figure), "{pointer}");
        }
        assert_eq!(json["kept"], true);
    }
}
