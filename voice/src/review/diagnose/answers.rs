//! Answers that came late, not at all, or not when they were wanted; and the provider behind them.

use std::collections::BTreeMap;

use super::{Case, EventIndex, Finding, Severity, many, playback::message, times};
use crate::review::{
    facts::{Exchange, Outcome, StageName},
    words::{length, one_line, quote},
};

/// An answer that begins later than this after its question is slow, in milliseconds.
const SLOW_MS: u64 = 3_000;

/// An answer that the agent has given must be heard within this, in milliseconds.
const SPOKEN_WITHIN_MS: u64 = 15_000;

/// The agent must have answered within this, in milliseconds.
const ANSWERED_WITHIN_MS: u64 = 60_000;

/// A provider must be ready within this, in milliseconds.
const READY_WITHIN_MS: u64 = 10_000;

pub(super) fn findings(case: &Case<'_>, findings: &mut Vec<Finding>) {
    slow(case, findings);
    unspoken(case, findings);
    agent(case, findings);
    left_alone(case, findings);
    wake_gate(case, findings);
    provider_errors(case, findings);
    provider_start(case, findings);
}

fn slow(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if !case.timed() {
        return;
    }
    let mut by_stage: BTreeMap<StageName, Vec<(EventIndex, u64, u64)>> = BTreeMap::new();
    for exchange in &case.facts.exchanges {
        let Some(latency) = exchange.latency_ms().filter(|latency| *latency > SLOW_MS) else {
            continue;
        };
        let slowest = exchange.stages().into_iter().max_by_key(crate::review::facts::Stage::millis);
        let (Some(stage), Some(playback)) = (slowest, exchange.playback) else { continue };
        let event = case.facts.playbacks[playback].starting;
        by_stage.entry(stage.name).or_default().push((event, latency, stage.millis()));
    }
    for (stage, slow) in by_stage {
        let events: Vec<_> = slow.iter().map(|(event, ..)| *event).collect();
        let (_, latency, part) = slow.iter().max_by_key(|slow| slow.1).copied().unwrap_or_default();
        case.report(findings, &events, || {
            let (id, cause, change) = who_was_slow(stage, &length(part));
            Finding::new(
                id,
                Severity::Notice,
                format!(
                    "{} later than {} after the question, at worst {}",
                    many(slow.len(), "answer"),
                    length(SLOW_MS),
                    length(latency)
                ),
            )
            .cause(cause)
            .change(change)
        });
    }
}

/// The finding's name, its cause and what to change.
fn who_was_slow(stage: StageName, part: &str) -> (&'static str, String, &'static str) {
    match stage {
        StageName::Transcript => (
            "slow-transcript",
            format!("The provider took {part} to notice the end of speech and to transcribe it."),
            "lower channels.discord.voice.realtime.providers.openai.silenceDurationMs, or \
             captureSilenceGraceMs in mode stt-tts",
        ),
        StageName::Consult => (
            "slow-consult",
            format!("{part} went by between the words and the question to the agent."),
            "set channels.discord.voice.realtime.consultPolicy to `always`, so that the words go to \
             the agent by themselves; lower debounceMs with toolPolicy `none`",
        ),
        StageName::Agent => (
            "slow-agent",
            format!("The agent took {part}: its model and its tools, not the voice."),
            "choose a faster channels.discord.voice.model, or tell the agent to use fewer tools in \
             voice",
        ),
        StageName::Queue => (
            "slow-queue",
            format!("The answer was ready, but waited {part} for another one to be spoken."),
            "ask for shorter answers (realtime.instructions)",
        ),
        StageName::Provider => (
            "slow-provider",
            format!("The provider took {part} to begin to speak."),
            "choose a faster channels.discord.voice.realtime.model, and check the way to the provider",
        ),
        StageName::Prebuffer => (
            "slow-prebuffer",
            format!(
                "The answer's sound was on its way, but {part} were collected before it began: the \
                 provider delivers unevenly."
            ),
            "check the way to the provider: jitter is what the prebuffer covers",
        ),
    }
}

fn unspoken(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let (mut unspoken, mut unanswered, mut unasked) = (Vec::new(), Vec::new(), Vec::new());
    let open = |exchange: &&Exchange| {
        exchange.outcome == Outcome::Unanswered && exchange.playback.is_none()
    };
    for exchange in case.facts.exchanges.iter().filter(open) {
        let Some(event) = exchange.events.last().copied() else { continue };
        match (exchange.asked, exchange.answered, exchange.transcribed) {
            (_, Some(answered), _) => {
                if case.goes_on(answered, SPOKEN_WITHIN_MS) {
                    unspoken.push(event);
                }
            }
            (Some(asked), None, _) => {
                if case.goes_on(asked, ANSWERED_WITHIN_MS) {
                    unanswered.push(event);
                }
            }
            (None, None, Some(heard)) => {
                if case.goes_on(heard, SPOKEN_WITHIN_MS) {
                    unasked.push(event);
                }
            }
            (None, None, None) => {}
        }
    }
    case.report(findings, &unspoken, || {
        Finding::new(
            "answer-never-spoken",
            Severity::Problem,
            format!("{} of the agent never spoken", many(unspoken.len(), "answer")),
        )
        .cause("The agent answered, but no playback followed: the provider did not speak it.")
        .change("look for provider errors after that time")
    });
    case.report(findings, &unanswered, || {
        Finding::new(
            "agent-never-answered",
            Severity::Problem,
            format!("{} to the agent without an answer", many(unanswered.len(), "question")),
        )
        .cause("The agent was asked and neither answered nor failed for a minute.")
        .change("check the agent's model and tools at that time; set a time limit for its runs")
    });
    case.report(findings, &unasked, || {
        Finding::new(
            "words-without-answer",
            Severity::Notice,
            format!("Words were understood {} and nothing came of them", times(unasked.len())),
        )
        .cause("The provider transcribed them, but neither answered by itself nor asked the agent.")
        .change("set channels.discord.voice.realtime.consultPolicy to `always`")
    });
}

fn agent(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut failed = Vec::new();
    let mut why = None;
    for name in
        ["realtime forced agent consult failed", "realtime consult failed", "agent turn failed"]
    {
        for (index, _, line) in case.lines(name) {
            failed.push(index);
            why = why.or_else(|| message(line));
        }
    }
    failed.sort_unstable();
    case.report(findings, &failed, || {
        Finding::new(
            "agent-failed",
            Severity::Problem,
            format!("The agent failed {}", times(failed.len())),
        )
        .cause(match &why {
            Some(why) => format!("The log says: {}", quote(why)),
            None => "The log does not say why.".to_owned(),
        })
        .change("check the credentials and limits of channels.discord.voice.model")
    });
    case.report_lines(findings, "agent turn produced no speakable payloads", || {
        Finding::new(
            "agent-silent",
            Severity::Notice,
            "The agent answered with nothing that can be spoken",
        )
        .cause("Its answer was empty, or held only reasoning, tool calls or an error.")
        .change("tell it in its instructions to always say something in voice")
    });
}

fn left_alone(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let skipped = |why: &str| -> Vec<_> {
        case.lines("realtime forced agent consult skipped")
            .filter(|(_, _, line)| line.text("reason").as_deref() == Some(why))
            .map(|(index, ..)| index)
            .collect()
    };
    let halves = [skipped("incomplete-transcript"), skipped("trailing-fragment")].concat();
    case.report(findings, &halves, || {
        Finding::new(
            "half-sentences",
            Severity::Notice,
            format!("Half a sentence was left alone, {}", times(halves.len())),
        )
        .cause("A pause in the middle of a sentence was taken for its end, and its words end in mid-air.")
        .change(
            "raise channels.discord.voice.realtime.providers.openai.silenceDurationMs (and \
             channels.discord.voice.captureSilenceGraceMs in mode stt-tts)",
        )
    });
    let farewells = skipped("non-actionable-closing");
    case.report(findings, &farewells, || {
        Finding::new(
            "farewell",
            Severity::Normal,
            format!("A farewell was not answered, {}", times(farewells.len())),
        )
        .cause("Words that only say goodbye ask nothing of the agent.")
    });
}

fn wake_gate(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let passed = ["realtime wake-name gate matched", "realtime wake-name follow-up accepted"];
    if passed.iter().any(|name| case.has(name)) {
        return;
    }
    case.report_lines(findings, "realtime wake-name gate ignored transcript", || {
        Finding::new(
            "wake-name-never-heard",
            Severity::Notice,
            "Everything that was said was ignored, because nobody called the agent by its name",
        )
        .cause("A wake name is required, and none of the transcripts holds one.")
        .change(
            "set channels.discord.voice.realtime.requireWakeName to false, or put the name as it is \
             transcribed into realtime.wakeNames",
        )
    });
}

fn provider_errors(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut kinds: BTreeMap<&str, (Vec<EventIndex>, String)> = BTreeMap::new();
    for (index, _, line) in case.lines("realtime error") {
        let words = message(line).unwrap_or_default();
        let code = line.text("code").unwrap_or_default();
        let kind = kind_of_error(&format!("{code} {words}").to_lowercase());
        let (events, said) = kinds.entry(kind).or_default();
        events.push(index);
        if said.is_empty() {
            *said = if code.is_empty() { words } else { format!("{}: {words}", one_line(&code)) };
        }
    }
    for (kind, (events, said)) in kinds {
        let (severity, title, change) = match kind {
            "provider-rotated" => {
                (Severity::Normal, "The provider's session had lasted as long as it may", None)
            }
            "provider-refused" => (
                Severity::Problem,
                "The provider refused the credentials",
                Some("check realtime.providers.<id>.apiKey or OPENAI_API_KEY"),
            ),
            "provider-limit" => (
                Severity::Problem,
                "The provider's limit was reached",
                Some(
                    "check the account's limits and credit; the same connection is tried again later",
                ),
            ),
            _ => (
                Severity::Problem,
                "The provider complained",
                Some(
                    "look at the answer around that time; if it repeats, report it with the recording",
                ),
            ),
        };
        case.report(findings, &events, || {
            let finding = Finding::new(kind, severity, format!("{title}, {}", times(events.len())))
                .cause(format!("It says: {}", quote(&said)));
            match change {
                Some(change) => finding.change(change),
                None => finding,
            }
        });
    }
}

fn kind_of_error(text: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["maximum duration", "session_expired"]) {
        "provider-rotated"
    } else if has(&["api key", "api_key", "unauthorized", "authentication", "forbidden"]) {
        "provider-refused"
    } else if has(&["rate limit", "rate_limit", "quota"]) {
        "provider-limit"
    } else {
        "provider-error"
    }
}

fn provider_start(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let starts: Vec<_> = case.lines("realtime bridge starting").collect();
    let mut readies =
        case.lines("realtime bridge ready").map(|(index, event, _)| (index, event.at)).peekable();
    let mut never = Vec::new();
    for (index, event, _) in &starts {
        while readies.peek().is_some_and(|(ready, _)| ready < index) {
            readies.next();
        }
        let late = readies.peek().is_none_or(|(_, at)| {
            case.timed() && at.since(event.at).as_millis() > u128::from(READY_WITHIN_MS)
        });
        if late && case.goes_on(event.at, READY_WITHIN_MS) {
            never.push(*index);
        }
    }
    case.report(findings, &never, || {
        Finding::new(
            "provider-not-ready",
            Severity::Problem,
            format!("The provider was not ready within {}", length(READY_WITHIN_MS)),
        )
        .cause("The connection was begun and took too long, or never got its session: until then nobody is heard.")
        .change("check the key, the model's name and the network's way to the provider")
    });
}
