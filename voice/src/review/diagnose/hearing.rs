//! Speech that was not heard, not understood, or not told apart.

use super::{Case, Finding, Severity, interruption::is_echo, many, playback::message, times};
use crate::review::{
    facts::{SpeakerTurn, Verdict},
    words::{one_line, quote},
};

/// Sound shorter than this need not hold words, in milliseconds.
const WORDS_MS: u64 = 300;

/// A transcript that has not come by then does not come, in milliseconds.
const TRANSCRIPT_WITHIN_MS: u64 = 8_000;

pub(super) fn findings(case: &Case<'_>, findings: &mut Vec<Finding>) {
    without_transcript(case, findings);
    several_speakers(case, findings);
    not_heard(case, findings);
    segments(case, findings);
}

/// Whether something else explains that a turn has no transcript.
fn is_explained(case: &Case<'_>, turn: &SpeakerTurn) -> bool {
    let end = turn.closed.unwrap_or(case.facts.end);
    let dismissed = case.facts.doubts.iter().any(|doubt| {
        doubt.verdict == Some(Verdict::Dismissed)
            && doubt.user == turn.user
            && doubt.from >= turn.opened
            && doubt.from <= end
    });
    let echo = case.facts.playbacks.iter().any(|playback| {
        let cut_by = playback.cut.as_ref().and_then(|cut| cut.user.as_deref());
        cut_by == Some(turn.user.as_str())
            && playback.stopped.is_some_and(|at| turn.opened <= at && at <= end)
            && is_echo(case, playback)
    });
    dismissed || echo
}

fn without_transcript(case: &Case<'_>, findings: &mut Vec<Finding>) {
    if case.has("capture start") {
        // Segments have lines of their own.
        return;
    }
    let silent: Vec<&SpeakerTurn> = case
        .facts
        .turns
        .iter()
        .filter(|turn| {
            turn.has_audio == Some(true)
                && turn.heard_ms >= WORDS_MS
                && turn.transcripts == 0
                && turn.closed.is_some_and(|at| case.goes_on(at, TRANSCRIPT_WITHIN_MS))
        })
        .take(1_000)
        .filter(|turn| !is_explained(case, turn))
        .collect();
    let events: Vec<_> = silent.iter().filter_map(|turn| turn.closing).collect();
    case.report(findings, &events, || {
        let trouble = events.first().and_then(|index| case.complaint_before(*index, 30_000));
        let committed = case.has("realtime trailing silence sent");
        let cause = match trouble {
            Some(line) => format!(
                "Audio went to the provider and no words came back. Before it the log says: {} {}",
                line.name,
                message(line).map(|words| quote(&words)).unwrap_or_default()
            ),
            None if committed => "Audio went to the provider, and silence after it, but no words came \
                                  back: it heard no speech in it, or its voice detection never saw \
                                  the end."
                .to_owned(),
            None => "Audio went to the provider, but no silence after it: its voice detection waits \
                     for the end of speech."
                .to_owned(),
        };
        Finding::new(
            "no-transcript",
            Severity::Problem,
            format!("{} with sound and without words", many(silent.len(), "turn")),
        )
        .cause(cause)
        .change(
            "lower channels.discord.voice.realtime.providers.openai.vadThreshold for quiet speakers; \
             check that transcription works for this model",
        )
    });
}

fn several_speakers(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let heard = |turn: &&SpeakerTurn| turn.audio_from.is_some();
    let mut together = Vec::new();
    let mut latest: Option<&SpeakerTurn> = None;
    for turn in case.facts.turns.iter().filter(heard) {
        if let (Some(before), Some(from)) = (latest, turn.audio_from) {
            let still = before.audio_to.or(before.closed).is_none_or(|to| to > from);
            if still && before.user != turn.user {
                together.push(turn.opening);
            }
        }
        let end = |turn: &SpeakerTurn| turn.audio_to.or(turn.closed).unwrap_or(case.facts.end);
        if latest.is_none_or(|before| end(before) <= end(turn)) {
            latest = Some(turn);
        }
    }
    // Ours gives every speaker a connection; OpenClaw's of that time had one for all.
    let own_connections = case.timeline.header.is_some()
        || case.has("timeline begins")
        || case.has("voice connection ready");
    case.report(findings, &together, || {
        let title = format!("People spoke at the same time, {}", times(together.len()));
        if own_connections {
            Finding::new("several-speakers", Severity::Normal, title).cause(
                "Each has a connection to the provider of their own, so their words stay theirs.",
            )
        } else {
            Finding::new("several-speakers", Severity::Notice, title)
                .cause(
                    "One connection to the provider carries everybody's voice and its transcripts do \
                     not say whose they are: words, and the rights that go with them, may have been \
                     given to the wrong person.",
                )
                .change("use a version with one provider connection per speaker (clawvoice has them)")
        }
    });
}

fn not_heard(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let busy = "realtime speaker not admitted (every provider connection is busy)";
    case.report_lines(findings, busy, || {
        Finding::new(
            "speaker-not-admitted",
            Severity::Problem,
            "Somebody was not heard: every provider connection was busy",
        )
        .cause("More people spoke at once than there may be connections to the provider.")
        .change("fewer people at once, or require a wake name")
    });
    let name = "realtime speaker not authorized";
    let who: Vec<String> = case
        .lines(name)
        .filter_map(|(_, _, line)| line.text("user").map(|u| one_line(&u)))
        .take(1)
        .collect();
    case.report_lines(findings, name, || {
        Finding::new(
            "speaker-not-authorized",
            Severity::Notice,
            "Somebody spoke who may not talk to the agent",
        )
        .cause(format!("The allowlists do not let user {} in.", who.join("")))
        .change("add them to the guild's or channel's users or roles")
    });
}

fn segments(case: &Case<'_>, findings: &mut Vec<Finding>) {
    case.report_lines(findings, "capture overflow", || {
        Finding::new(
            "capture-overflow",
            Severity::Problem,
            "Captured speech was lost: memory for it was full",
        )
        .cause("Speech comes faster than it is transcribed.")
        .change("use a faster transcription (tools.media.audio)")
    });
    let failed = "transcription failed";
    let why = case.lines(failed).find_map(|(_, _, line)| message(line));
    case.report_lines(findings, failed, || {
        Finding::new("transcription-failed", Severity::Problem, "Speech could not be transcribed")
            .cause(format!("The log says: {}", quote(why.as_deref().unwrap_or("nothing"))))
            .change("check tools.media.audio and its credentials")
    });
    let mut dropped: Vec<_> = ["capture too short", "capture empty", "transcription empty"]
        .iter()
        .flat_map(|name| case.lines(name).map(|(index, ..)| index))
        .collect();
    dropped.sort_unstable();
    case.report(findings, &dropped, || {
        Finding::new(
            "segments-without-words",
            Severity::Notice,
            format!("{} of sound held no words", many(dropped.len(), "piece")),
        )
        .cause("Each was shorter than a word, empty, or only noise.")
        .change(
            "raise channels.discord.voice.captureSilenceGraceMs if pauses split speech into pieces",
        )
    });
}
