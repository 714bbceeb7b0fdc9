//! Answers whose playback ended as it should not.

use super::{Case, EventIndex, Finding, Severity, many, times};
use crate::review::{
    facts::Playback,
    text_line::said,
    words::{length, one_line, quote},
};

/// Answers that wait to be spoken; from this many on people wait noticeably.
const QUEUE: u64 = 3;

/// The same sentence again within this is one too many, in milliseconds.
const TWICE_WITHIN_MS: u128 = 8_000;

pub(super) fn findings(case: &Case<'_>, findings: &mut Vec<Finding>) {
    stops(case, findings);
    watchdog(case, findings);
    errors(case, findings);
    queue(case, findings);
    said_twice(case, findings);
}

fn stopped_by<'a>(case: &'a Case<'_>, reasons: &[&str]) -> Vec<(EventIndex, &'a Playback)> {
    case.facts
        .playbacks
        .iter()
        .filter(|playback| reasons.contains(&playback.reason.as_str()))
        .filter_map(|playback| Some((playback.stopping?, playback)))
        .collect()
}

fn indexes(stops: &[(EventIndex, &Playback)]) -> Vec<EventIndex> {
    stops.iter().map(|(index, _)| *index).collect()
}

fn stops(case: &Case<'_>, findings: &mut Vec<Finding>) {
    // With an interruption before it, a closed stream is only the way it was carried out.
    let mut closed = stopped_by(case, &["stream-close"]);
    closed.retain(|(_, playback)| playback.cut.is_none());
    case.report(findings, &indexes(&closed), || {
        let before = closed.first().and_then(|(index, _)| case.complaint_before(*index, 10_000));
        let cause = match before {
            Some(line) => format!(
                "The local audio stream died without an interruption. Just before it the log says: \
                 {} {}",
                line.name,
                quote(&line.text("message").unwrap_or(line.detail.as_str().into()))
            ),
            None => "The local audio stream died without an interruption, and nothing before it \
                     says why."
                .to_owned(),
        };
        Finding::new(
            "stream-closed",
            Severity::Problem,
            format!("{} ended because the audio stream died", many(closed.len(), "answer")),
        )
        .cause(cause)
        .change("look at the provider's and the player's lines just before that time")
    });

    let mut taken_back = stopped_by(case, &["provider-clear-audio"]);
    taken_back.retain(|(_, playback)| playback.cut.is_none());
    case.report(findings, &indexes(&taken_back), || {
        Finding::new(
            "provider-took-back",
            Severity::Notice,
            format!("{} taken back by the provider", many(taken_back.len(), "answer")),
        )
        .cause(
            "The provider cleared the answer by itself, without an interruption from here: its own \
             voice detection heard something, or its response failed.",
        )
        .change(
            "set channels.discord.voice.realtime.providers.openai.interruptResponseOnInputAudio to \
             false, and realtime.bargeIn to true, to decide interruptions here",
        )
    });

    let overflow = ["output-audio-overflow", "output-backpressure", "exact-speech-overflow"];
    let full = stopped_by(case, &overflow);
    case.report(findings, &indexes(&full), || {
        let queued = full.iter().any(|(_, playback)| playback.reason == "exact-speech-overflow");
        let cause = if queued {
            "More answers waited to be spoken than are kept (32), so the session was ended."
        } else {
            "The provider sends audio far faster than it can be played, and the queue was full."
        };
        Finding::new(
            "output-overflow",
            Severity::Problem,
            format!("{} given up because too much waited", many(full.len(), "answer")),
        )
        .cause(cause)
        .change("ask for shorter answers (realtime.instructions), or interrupt long ones")
    });

    let broken = stopped_by(case, &["opus-encode-error", "output-pipeline-error"]);
    case.report(findings, &indexes(&broken), || {
        Finding::new(
            "output-failed",
            Severity::Problem,
            format!("{} lost in our own output", many(broken.len(), "answer")),
        )
        .cause("Encoding or sending the audio failed; the provider is not to blame.")
        .change("please report this with the recording")
    });

    let replaced = stopped_by(case, &["forced-agent-consult"]);
    case.report(findings, &indexes(&replaced), || {
        Finding::new(
            "answer-replaced",
            Severity::Problem,
            format!("{} cut by the next answer", many(replaced.len(), "answer")),
        )
        .cause("The agent's answer to a later question was played at once, over the one that was playing.")
        .change("update: newer versions let the playing answer finish and queue the next")
    });
}

fn watchdog(case: &Case<'_>, findings: &mut Vec<Finding>) {
    case.report_lines(findings, "realtime audio playback watchdog fired", || {
        let overdue = case
            .lines("realtime audio playback watchdog fired")
            .find_map(|(_, _, line)| Some((line.number("audioMs")?, line.number("elapsedMs")?)));
        let figures = overdue.map_or(String::new(), |(audio, elapsed)| {
            format!(" {} of sound were not through after {}.", length(audio), length(elapsed))
        });
        Finding::new(
            "watchdog",
            Severity::Problem,
            "The player never reported the end of an answer, and was freed by force",
        )
        .cause(format!(
            "The answer was complete, but the player did not become idle.{figures} Until then every \
             other answer had to wait."
        ))
        .change("check whether the machine was busy at that time and whether the voice connection lived")
    });
}

fn errors(case: &Case<'_>, findings: &mut Vec<Finding>) {
    for (name, id, title) in [
        ("playback error", "player-failed", "The player failed"),
        ("TTS failed", "speech-synthesis-failed", "Speech could not be synthesized"),
    ] {
        let message = case.lines(name).find_map(|(_, _, line)| message(line));
        case.report_lines(findings, name, || {
            Finding::new(id, Severity::Problem, title).cause(match &message {
                Some(message) => format!("The log says: {}", quote(message)),
                None => "The log does not say why.".to_owned(),
            })
        });
    }
}

/// A line's message, wherever it stands.
pub(super) fn message(line: &super::Line) -> Option<String> {
    let text = line.text("message").map(|text| text.into_owned());
    text.or_else(|| (!line.detail.is_empty()).then(|| line.detail.clone()))
        .map(|text| one_line(&text))
}

fn queue(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let name = "realtime exact speech queued";
    let waiting = |line: &super::Line| line.number("queued").unwrap_or(0);
    let long: Vec<_> = case
        .lines(name)
        .filter(|(_, _, line)| waiting(line) >= QUEUE)
        .map(|(index, ..)| index)
        .collect();
    case.report(findings, &long, || {
        let most = case.lines(name).map(|(_, _, line)| waiting(line)).max().unwrap_or(0);
        Finding::new(
            "answers-pile-up",
            Severity::Notice,
            format!("Up to {most} answers waited for their turn to be spoken"),
        )
        .cause(
            "Questions come faster than their answers can be spoken. Each is spoken in full, one \
             after the other, and at 32 the session ends.",
        )
        .change("ask for shorter answers (realtime.instructions), or require a wake name")
    });
}

fn said_twice(case: &Case<'_>, findings: &mut Vec<Finding>) {
    let mut before: Option<(clawvoice_session::SessionTime, &str)> = None;
    let mut twice = Vec::new();
    for (index, event, line) in case.lines("realtime assistant transcript") {
        let words = said(line);
        let again = before.is_some_and(|(at, earlier)| {
            let soon = !case.timed() || event.at.since(at).as_millis() <= TWICE_WITHIN_MS;
            soon && earlier == words && words.split_whitespace().count() >= 3
        });
        if again {
            twice.push(index);
        }
        before = Some((event.at, words));
    }
    case.report(findings, &twice, || {
        Finding::new(
            "said-twice",
            Severity::Problem,
            format!("The same sentence was said again, {}", times(twice.len())),
        )
        .cause("The same answer was handed over twice: a duplicated payload, or the front end and the agent both answered.")
        .change("with realtime.consultPolicy `always` only the agent answers")
    });
}
