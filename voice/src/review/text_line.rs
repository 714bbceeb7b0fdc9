//! The text form of a timeline line: `<name> <detail> key=value key="quoted value"`.

use serde_json::Value;

use super::{event::Line, names};

/// What stands before every timeline line in a log.
pub(super) const MARK: &str = "discord voice: ";

/// Names whose whole rest is words, never fields: what was said may contain `=`.
const WORDS_ONLY: &[&str] =
    &["realtime user transcript", "realtime assistant transcript", "transcript from"];

/// Fields that are names of things although they look like numbers.
const IDS: &[&str] = &["guild", "channel", "user", "call", "agent", "speaker", "named", "byKey"];

/// Parses what follows [`MARK`].
pub(super) fn parse(text: &str) -> Line {
    let text = text.trim();
    let (name, rest) = match names::split(text) {
        Some((name, rest)) => (name.to_owned(), rest),
        None => split_unknown(text),
    };
    if WORDS_ONLY.contains(&name.as_str()) {
        return Line { name, detail: detail(rest), ..Line::default() };
    }
    let fields_at = next_key(rest, 0).map_or(rest.len(), |(at, _)| at);
    let (before, fields) = rest.split_at(fields_at);
    Line { level: None, name, detail: detail(before), fields: parse_fields(fields) }
}

/// Splits the name of a JSON record's `line`, which has no fields in it.
pub(super) fn parse_name(line: &str) -> (String, String) {
    match names::split(line.trim()) {
        Some((name, rest)) => (name.to_owned(), detail(rest)),
        None => (line.trim().to_owned(), String::new()),
    }
}

/// A transcript's words: what follows `(n chars): `.
pub(super) fn said(line: &Line) -> &str {
    line.detail.split_once("chars):").map_or(line.detail.as_str(), |(_, words)| words).trim()
}

/// `transcript from <label> (<id>): <words>`.
pub(super) fn said_by(line: &Line) -> Option<(&str, &str, &str)> {
    // The label may hold parentheses; the id is nothing but figures.
    line.detail.match_indices(" (").find_map(|(at, _)| {
        let (id, words) = line.detail[at + 2..].split_once("):")?;
        let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        is_id.then(|| (&line.detail[..at], id, words.trim()))
    })
}

fn detail(text: &str) -> String {
    text.trim().trim_start_matches(':').trim_start().to_owned()
}

/// A name that is in no table ends at the first field or colon.
fn split_unknown(text: &str) -> (String, &str) {
    let fields = next_key(text, 0).map_or(text.len(), |(at, _)| at);
    let colon = text.find(": ").unwrap_or(text.len());
    let (name, rest) = text.split_at(fields.min(colon));
    (name.trim().to_owned(), rest)
}

/// Fields one after another. A bare value goes on to the next `key=`, because OpenClaw does not
/// quote all of its values.
fn parse_fields(text: &str) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some((start, equals)) = next_key(text, at) {
        let key = text[start..equals].trim().to_owned();
        let value_at = equals + 1;
        let (value, end) = match quoted(&text[value_at..]) {
            Some((value, length)) => (value, value_at + length),
            None => {
                let end = next_key(text, value_at).map_or(text.len(), |(next, _)| next);
                (bare(&key, text[value_at..end].trim()), end)
            }
        };
        fields.push((key, value));
        at = end;
    }
    fields
}

/// The next ` key=` from `from` on: where its blank (or the key itself, at the beginning) is, and
/// where its `=` is.
fn next_key(text: &str, from: usize) -> Option<(usize, usize)> {
    let mut search = from;
    loop {
        let equals = search + text.get(search..)?.find('=')?;
        let head = text.get(from..equals)?;
        let start = head.rfind(char::is_whitespace);
        let key = start.map_or(head, |blank| head[blank..].trim_start());
        // A value directly behind the last `=` is not a key.
        let apart = start.is_some() || from == 0;
        let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if apart && plain {
            return Some((start.map_or(from, |blank| from + blank), equals));
        }
        search = equals + 1;
    }
}

/// A JSON string, list or object at the beginning, and its length.
fn quoted(text: &str) -> Option<(Value, usize)> {
    if !text.starts_with(['"', '[', '{']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let length = values.byte_offset();
    text[length..].chars().next().is_none_or(char::is_whitespace).then_some((value, length))
}

fn bare(key: &str, text: &str) -> Value {
    if IDS.contains(&key) {
        return Value::String(text.to_owned());
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if is_number(text) => {
            text.parse::<u64>().map_or_else(|_| Value::String(text.to_owned()), Value::from)
        }
        _ => Value::String(text.to_owned()),
    }
}

/// Longer ones are ids, and so are those with leading zeros.
fn is_number(text: &str) -> bool {
    (1..=15).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{
        ChannelId, GuildId, SessionTime, UserId,
        timeline::{Level, Record},
    };
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::timeline::{
        Heard, OutputState, Place, Role, Speaker, barge_in_by_audio, transcript,
    };

    fn of(record: &Record) -> Line {
        let text = record.to_line();
        parse(text.strip_prefix(MARK).expect("our lines carry the mark"))
    }

    #[test]
    fn our_own_lines_are_read_back() {
        let record = barge_in_by_audio(
            SessionTime::ZERO,
            Place { guild: GuildId::new(1), channel: ChannelId::new(2) },
            Speaker { user: UserId::new(3), label: "Ada = \"the\" Countess" },
            OutputState { audio_ms: 180, active: true, chunks: 9 },
            Heard { chunks: 1, samples: 480 },
        );
        let line = of(&record);
        assert_eq!(line.name, "realtime barge-in detected");
        assert_eq!(line.detail, "");
        assert_eq!(line.text("source").as_deref(), Some("active-speaker-audio"));
        assert_eq!(line.text("speaker").as_deref(), Some("Ada = \"the\" Countess"));
        assert_eq!(line.number("outputAudioMs"), Some(180));
        assert_eq!(line.flag("outputActive"), Some(true));
        assert_eq!(line.text("user").as_deref(), Some("3"));
    }

    #[test]
    fn words_are_never_fields() {
        let line = of(&transcript(SessionTime::ZERO, Role::User, "set x=1, y = 2"));
        assert_eq!(line.name, "realtime user transcript");
        assert_eq!(said(&line), "set x=1, y = 2");
        assert!(line.fields.is_empty());
        let line = parse("transcript from Ada (the first) (7): hello there");
        assert_eq!(said_by(&line), Some(("Ada (the first)", "7", "hello there")));
        let line = parse("transcript from Ada (7): hello (again): there");
        assert_eq!(said_by(&line), Some(("Ada", "7", "hello (again): there")));
    }

    #[test]
    fn values_without_quotes_end_at_the_next_field() {
        let line = parse(
            "realtime forced agent consult skipped reason=incomplete-transcript chars=9 \
             speaker=Ada Lovelace transcript=well, and a=b then",
        );
        assert_eq!(line.text("speaker").as_deref(), Some("Ada Lovelace"));
        assert_eq!(line.text("transcript").as_deref(), Some("well, and"));
        assert_eq!(line.field("chars"), Some(&json!(9)));
    }

    #[test]
    fn details_stand_between_name_and_fields() {
        let line = parse("realtime forced agent consult answer (72 chars) elapsedMs=4204 agent=7");
        assert_eq!(
            (line.name.as_str(), line.detail.as_str()),
            ("realtime forced agent consult answer", "(72 chars)")
        );
        assert_eq!(line.field("agent"), Some(&json!("7")));
        let line = parse("realtime lifecycle server:response.done");
        assert_eq!(
            (line.name.as_str(), line.detail.as_str()),
            ("realtime lifecycle", "server:response.done")
        );
        let line = parse("receive error: DecryptionFailed(UnencryptedWhenPassthroughDisabled)");
        assert_eq!(line.detail, "DecryptionFailed(UnencryptedWhenPassthroughDisabled)");
    }

    #[test]
    fn unknown_lines_are_kept() {
        let line = parse("the moon rises: full phase=4 at=\"the east\"");
        assert_eq!((line.name.as_str(), line.detail.as_str()), ("the moon rises", "full"));
        assert_eq!(
            line.fields,
            [("phase".to_owned(), json!(4)), ("at".to_owned(), json!("the east"))]
        );
    }

    #[test]
    fn a_broken_quote_is_a_bare_value() {
        let line = parse("joined guild=\"1 channel=2");
        assert_eq!(line.text("guild").as_deref(), Some("\"1"));
        assert_eq!(line.text("channel").as_deref(), Some("2"));
    }

    proptest! {
        #[test]
        fn any_text_is_a_line(text in "\\PC*") {
            let line = parse(&text);
            prop_assert!(line.name.len() <= text.len());
        }

        #[test]
        fn every_value_comes_back(values in prop::collection::vec(any::<String>(), 0..5)) {
            let keys = ["alpha", "beta", "gamma", "delta", "epsilon"];
            let mut record = Record::new(SessionTime::ZERO, Level::Info, "joined");
            for (key, value) in keys.into_iter().zip(&values) {
                record = record.with(key, value.as_str());
            }
            let line = of(&record);
            for (key, value) in keys.into_iter().zip(&values) {
                let read = line.field(key).map(super::super::event::as_text);
                prop_assert_eq!(read.as_deref(), Some(value.as_str()));
            }
        }
    }
}
