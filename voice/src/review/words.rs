//! How a recording's figures and terms are written for a person.

use clawvoice_session::SessionTime;
use serde_json::Value;

use super::{
    Clock,
    event::{Decision, as_text},
};

/// Characters of somebody's words that are shown in a list.
const QUOTE_CHARS: usize = 160;

/// A length of time: `180 ms`, `4.25 s`, `41.7 s`, `2 min 5 s`.
pub(super) fn length(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{:02} s", millis / 1_000, millis % 1_000 / 10),
        10_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

/// A place in the recording: seconds, or the number of the line where there are no times.
pub(super) fn place(at: SessionTime, clock: Clock) -> String {
    match clock {
        Clock::Session | Clock::Log => at.to_string(),
        Clock::Order => format!("#{}", at.as_millis() / 1_000 + 1),
    }
}

/// Somebody's words in quotes, on one line and not too long. Control characters cannot move a
/// terminal's cursor.
pub(super) fn quote(words: &str) -> String {
    format!("“{}”", one_line(words))
}

/// Text on one line and not too long, without control characters.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String =
        text.chars().take(QUOTE_CHARS).map(|c| if is_unprintable(c) { ' ' } else { c }).collect();
    if text.chars().nth(QUOTE_CHARS).is_some() {
        line.push('…');
    }
    line
}

/// Text without control characters, so that it cannot move a terminal's cursor.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if is_unprintable(c) { ' ' } else { c }).collect()
}

fn is_unprintable(c: char) -> bool {
    // Beside control characters: what turns the direction of writing, and line separators.
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Why something was decided or left alone, in plain words; the log's own word if there are none.
pub(super) fn reason(word: &str) -> String {
    let words = match word {
        "" => "no reason is written",
        "speech" => "real speech",
        "lone-word" => "a word, and no transcript to tell which",
        "cough" | "noise" => "a cough or another noise without a voice",
        "tone" => "a held tone: music, or hum",
        "inaudible" => "nothing could be heard",
        "no-words" => "a little voice, but no words came",
        "left" => "the speaker left",
        "output-ended" => "the answer was over",
        "echo" => "the agent's own voice, heard back through a microphone",
        "backchannel" => "listening noises like “mm-hm”",
        "suspected" => "somebody might be interrupting",
        "confirmed" => "somebody is interrupting",
        "dismissed" => "nobody is interrupting",
        "words" => "words, and not only agreement",
        "incomplete-transcript" => "the words look like half a sentence",
        "non-actionable-closing" => "a farewell asks nothing",
        "no-wake-name" => "nobody called the agent by its name",
        "player-idle" => "played to the end",
        "barge-in" => "interrupted",
        "provider-clear-audio" => "the provider took it back",
        "forced-agent-consult" => "replaced by another answer",
        "stream-close" => "the audio stream ended unexpectedly",
        "session-close" => "the session ended",
        "playback-watchdog" => "it did not play out in time",
        "opus-encode-error" => "the audio could not be encoded",
        "output-pipeline-error" => "the output failed",
        "output-backpressure" | "output-audio-overflow" => "there was more audio than can wait",
        "exact-speech-overflow" => "more answers waited than can wait",
        "active-run-control" | "duplicate-active-run-control" => "a spoken command took its place",
        other => return one_line(other),
    };
    words.to_owned()
}

/// What a decision compared: `voiced ms 320 of 300, level dbfs -31.2`.
pub(super) fn comparison(decision: &Decision) -> String {
    let mut parts = Vec::new();
    for (name, value) in decision.inputs.iter().take(6) {
        let shown = format!("{} {}", term(name), one_line(&as_text(value)));
        match threshold(decision, name) {
            Some(limit) => parts.push(format!("{shown} (limit {})", one_line(&as_text(limit)))),
            None => parts.push(shown),
        }
    }
    parts.join(", ")
}

/// What a figure of a decision is called in plain words; its own name if nobody knows it.
pub(super) fn term(name: &str) -> String {
    let words = match name {
        "heldMs" => "judged for (ms)",
        "soundMs" => "sound (ms)",
        "voiceMs" => "voice (ms)",
        "pitchMs" => "voice with a pitch (ms)",
        "glideMs" => "voice whose pitch moves (ms)",
        "toneMs" => "held tone (ms)",
        "echoMs" => "echo (ms)",
        "level_dbfs" => "loudness (dBFS)",
        "speech" => "likeness to speech",
        "explained" => "share that is the agent's own voice",
        "voiced_ms" => "speech so far (ms)",
        "length_ms" => "length (ms)",
        "heard_ms" => "heard of the answer (ms)",
        "words" => "words",
        other => return one_line(&other.replace('_', " ")),
    };
    words.to_owned()
}

/// The threshold that an input is compared with: of the same name, or with `min` or `max` to it.
fn threshold<'a>(decision: &'a Decision, name: &str) -> Option<&'a Value> {
    let limits = &decision.thresholds;
    limits
        .get(name)
        .or_else(|| limits.get(&format!("min_{name}")))
        .or_else(|| limits.get(&format!("max_{name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lengths_read_well() {
        let shown: Vec<_> = [0, 999, 1_000, 4_251, 59_999, 125_900].map(length).into();
        assert_eq!(shown, ["0 ms", "999 ms", "1.00 s", "4.25 s", "59.9 s", "2 min 5 s"]);
    }

    #[test]
    fn words_cannot_move_the_cursor() {
        assert_eq!(quote("a\x1b[2J\nb\u{202e}c"), "“a [2J b c”");
        assert_eq!(one_line(&"é".repeat(200)).chars().count(), QUOTE_CHARS + 1);
    }

    #[test]
    fn a_comparison_names_its_limit() {
        let decision = Decision {
            kind: "confirmed".to_owned(),
            user: None,
            reason: None,
            inputs: json!({"level_dbfs": -31.2, "voiced_ms": 320}).as_object().unwrap().clone(),
            thresholds: json!({"min_voiced_ms": 300}).as_object().unwrap().clone(),
            rest: serde_json::Map::new(),
        };
        assert_eq!(
            comparison(&decision),
            "loudness (dBFS) -31.2, speech so far (ms) 320 (limit 300)"
        );
    }
}
