//! Answers that were cut, interruptions that were not taken, and sounds that were taken for one.

use std::collections::BTreeMap;

use super::{Case, EventIndex, Finding, Severity, many, times};
use crate::review::{
    facts::{Facts, Playback, SpeakerTurn, Verdict},
    words::{length, one_line, reason},
};

/// An answer that is cut this early by live audio is suspected to have cut itself, in milliseconds.
const ECHO_WITHIN_MS: u64 = 1_500;

/// An interruption that was asked for must have stopped the answer by then, in milliseconds.
const EFFECT_WITHIN_MS: u64 = 1_000;

/// An answer held back for longer than this was forgotten, in milliseconds.
const PAUSE_MS: u64 = 5_000;

/// Of the interrupter's words as many as this, in percent, are the answer's own: it is an echo.
const SHARED_WORDS_PERCENT: usize = 60;

pub(super) fn findings(case: &Case<'_>, findings: &mut Vec<Finding>) {
    cuts(case, findings);
    starts_without_sound(case, findings);
    not_taken(case, findings);
    without_effect(case, findings);
    doubts(case, findings);
    pauses(case, findings);
}

/// The turn that cut an answer.
fn cutting_turn<'a>(facts: &'a Facts, playback: &Playback) -> Option<(usize, &'a SpeakerTurn)> {
    let user = playback.cut.as_ref()?.user.as_deref()?;
    let stopped = playback.stopped?;
    let begun = facts.turns.partition_point(|turn| turn.opened <= stopped);
    facts.turns[..begun].iter().enumerate().rev().take(64).find(|(_, turn)| turn.user == user)
}

/// Whether an answer was probably cut by its own sound: early, by live audio, and what cut it holds
/// no words of its own.
pub(super) fn is_echo(case: &Case<'_>, playback: &Playback) -> bool {
    let Some(cut) = playback.cut.as_ref().filter(|_| playback.was_cut()) else { return false };
    let early = cut.output_ms.unwrap_or_else(|| playback.length_ms()) <= ECHO_WITHIN_MS;
    if !early || cut.source.as_deref() != Some("active-speaker-audio") || cut.reason.is_some() {
        return false;
    }
    let Some((index, turn)) = cutting_turn(case.facts, playback) else { return false };
    let words = case.words_of(index);
    if words.is_empty() {
        return turn.closed.is_some_and(|closed| case.goes_on(closed, 1_000));
    }
    words.iter().all(|words| shares_words(words, &playback.words))
}

fn shares_words(said: &str, answer: &str) -> bool {
    let plain = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.chars().count() > 2)
            .map(str::to_lowercase)
            .collect()
    };
    let (said, answer) = (plain(said), plain(answer));
    let shared = said.iter().filter(|word| answer.contains(word)).count();
    !said.is_empty() && shared * 100 >= said.len() * SHARED_WORDS_PERCENT
}

/// Whether only a speaking signal cut an answer.
fn is_empty_start(facts: &Facts, playback: &Playback) -> bool {
    let source = playback.cut.as_ref().and_then(|cut| cut.source.as_deref());
    source == Some("speaker-start")
        && cutting_turn(facts, playback).is_some_and(|(_, turn)| turn.has_audio == Some(false))
}

fn cuts(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut echoes = Vec::new();
    let mut normal = Vec::new();
    for playback in case.facts.playbacks.iter().filter(|playback| playback.was_cut()) {
        let Some(stopping) = playback.stopping else { continue };
        if is_echo(case, playback) {
            echoes.push((stopping, playback));
        } else if !is_empty_start(case.facts, playback) {
            normal.push((stopping, playback));
        }
    }
    let who = |cuts: &[(EventIndex, &Playback)]| {
        let mut names: Vec<String> = Vec::new();
        for (_, playback) in cuts {
            let user = playback.cut.as_ref().and_then(|cut| cut.user.as_deref());
            let name = user.map_or("somebody".to_owned(), |user| one_line(case.facts.label(user)));
            if !names.contains(&name) && names.len() < 5 {
                names.push(name);
            }
        }
        names.join(", ")
    };
    let indexes = |cuts: &[(EventIndex, &Playback)]| -> Vec<_> {
        cuts.iter().map(|(index, _)| *index).collect()
    };
    case.report(findings, &indexes(&echoes), || {
        let shortest = echoes.iter().map(|(_, playback)| playback.length_ms()).min().unwrap_or(0);
        Finding::new(
            "echo-cut",
            Severity::Problem,
            format!(
                "{} cut off right after the beginning ({}) by sound from {}",
                many(echoes.len(), "answer"),
                length(shortest),
                who(&echoes)
            ),
        )
        .cause(
            "Echo: the microphone of that person picks the agent's voice up from a loudspeaker. The \
             sound came while the answer had just begun, and no words of their own came with it.",
        )
        .change(
            "raise channels.discord.voice.realtime.minBargeInAudioEndMs, or set \
             realtime.providers.openai.interruptResponseOnInputAudio to false with realtime.bargeIn \
             true; headphones or a lower volume at that person's side help most",
        )
    });
    case.report(findings, &indexes(&normal), || {
        Finding::new(
            "answer-interrupted",
            Severity::Normal,
            format!("{} interrupted by {}", many(normal.len(), "answer"), who(&normal)),
        )
        .cause("Somebody spoke over the answer, and the agent stopped to listen: as it should be.")
    });
}

fn starts_without_sound(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut silent = Vec::new();
    let mut cut = false;
    for (index, event, line) in case.lines("realtime barge-in detected") {
        if line.text("source").as_deref() != Some("speaker-start") {
            continue;
        }
        let Some(user) = line.text("user") else { continue };
        let begun = case.facts.turns.partition_point(|turn| turn.opened < event.at);
        // The turn is opened with the signal, or just before or after it.
        let turn = case.facts.turns[begun.saturating_sub(8)..]
            .iter()
            .take(24)
            .find(|turn| turn.user == user && turn.closed.is_none_or(|closed| closed >= event.at));
        if turn.is_some_and(|turn| turn.has_audio == Some(false)) {
            silent.push(index);
            let playback = case.facts.playing_at(event.at);
            cut |= playback.is_some_and(|playback| is_empty_start(case.facts, playback));
        }
    }
    case.report(findings, &silent, || {
        let (severity, effect) = if cut {
            (Severity::Problem, "and an answer was cut for it")
        } else {
            (Severity::Notice, "and nothing was cut for it")
        };
        Finding::new(
            "start-without-audio",
            severity,
            format!("A speaking signal came {} without any sound, {effect}", times(silent.len())),
        )
        .cause(
            "A short event at somebody's client: a noise gate that opened for nothing, or a brief \
             press of the push-to-talk key. Discord said that they speak; no audio followed.",
        )
        .change(
            "raise the input sensitivity threshold or release push-to-talk later at that client; a \
             higher channels.discord.voice.realtime.minBargeInAudioEndMs protects the beginning of \
             answers",
        )
    });
}

fn not_taken(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut dropped: Vec<_> = case
        .lines("realtime capture ignored during playback (barge-in disabled)")
        .map(|(index, ..)| index)
        .collect();
    let (mut idle, mut disabled) = (Vec::new(), Vec::new());
    for (index, _, line) in case.lines("realtime barge-in ignored") {
        if line.flag("bargeIn") == Some(false) {
            disabled.push(index);
        } else if line.flag("outputActive") == Some(false) {
            idle.push(index);
        }
    }
    if dropped.is_empty() {
        dropped = disabled;
    }
    case.report(findings, &dropped, || {
        Finding::new(
            "capture-ignored",
            Severity::Notice,
            format!("Speech during an answer was dropped on purpose, {}", times(dropped.len())),
        )
        .cause("Interruptions are switched off, so whoever begins to speak during an answer is not heard.")
        .change("set channels.discord.voice.realtime.bargeIn to true")
    });
    case.report(findings, &idle, || {
        Finding::new(
            "nothing-to-interrupt",
            Severity::Normal,
            format!("Somebody began to speak {} while nothing was playing", times(idle.len())),
        )
        .cause("`barge-in ignored … outputActive=false` only says that there was nothing to stop. Harmless.")
    });
    let name = "realtime model interrupt ignored client:conversation.item.truncate.skipped";
    let minimum = case.lines(name).find_map(|(_, _, line)| line.number("minAudioEndMs"));
    case.report_lines(findings, name, || {
        let minimum = minimum.map_or("the minimum".to_owned(), length);
        Finding::new(
            "barge-in-too-early",
            Severity::Notice,
            "Somebody spoke over the very beginning of an answer, and it went on",
        )
        .cause(format!(
            "Less than {minimum} of the answer had been heard. So early a sound is usually the \
             agent's own echo, so it does not count as an interruption."
        ))
        .change(
            "lower channels.discord.voice.realtime.minBargeInAudioEndMs (0 in a room without echo) \
             if people are not listened to",
        )
    });
}

fn without_effect(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let skipped = "realtime model interrupt ignored client:conversation.item.truncate.skipped";
    let mut ignored = Vec::new();
    for (index, event, _) in case.lines("realtime barge-in requested") {
        let Some(playback) = case.facts.playing_at(event.at) else { continue };
        let within = |at: clawvoice_session::SessionTime| {
            at.since(event.at).as_millis() <= u128::from(EFFECT_WITHIN_MS)
        };
        let too_early = case.timeline.events[index..]
            .iter()
            .take(200)
            .take_while(|later| within(later.at))
            .any(|later| later.what.record().is_some_and(|line| line.name == skipped));
        let stopped = playback.stopped.is_some_and(within);
        if case.timed() && !too_early && !stopped && case.goes_on(event.at, EFFECT_WITHIN_MS) {
            ignored.push(index);
        }
    }
    case.report(findings, &ignored, || {
        Finding::new(
            "interruption-without-effect",
            Severity::Problem,
            format!("The agent was asked to stop {} and went on speaking", times(ignored.len())),
        )
        .cause(
            "The interruption was decided, but the old answer kept playing for more than a second: \
             stopping was left to a provider that did not do it.",
        )
        .change(
            "clear playback locally instead of waiting for the provider (clawvoice always does)",
        )
    });
}

fn doubts(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut dismissed: BTreeMap<&str, Vec<EventIndex>> = BTreeMap::new();
    for doubt in &case.facts.doubts {
        if let (Some(Verdict::Dismissed), Some(event)) = (doubt.verdict, doubt.events.last()) {
            dismissed.entry(&doubt.reason).or_default().push(*event);
        }
    }
    for (word, events) in dismissed.into_iter().take(12) {
        case.report(findings, &events, || {
            Finding::new(
                "interruption-dismissed",
                Severity::Normal,
                format!("A sound over an answer did not stop it, {}", times(events.len())),
            )
            .cause(format!("It was taken for {}.", reason(word)))
        });
    }
}

fn pauses(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let forgotten: Vec<_> = case
        .facts
        .pauses
        .iter()
        .filter(|pause| {
            let end = pause.to.unwrap_or(case.facts.end);
            case.timed() && end.since(pause.from).as_millis() > u128::from(PAUSE_MS)
        })
        .map(|pause| pause.event)
        .collect();
    case.report(findings, &forgotten, || {
        Finding::new(
            "answer-held-back",
            Severity::Problem,
            format!("An answer was held back for more than {}", length(PAUSE_MS)),
        )
        .cause("It was paused to listen, and nothing decided whether it goes on.")
        .change("please report this with the recording: a pause must always end")
    });
}
