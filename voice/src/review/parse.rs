//! One line of a recording or a log → an entry, or what is wrong with it.

use std::borrow::Cow;

use clawvoice_session::{SessionTime, timeline::Level};
use serde_json::{Map, Value};

use super::{
    event::{Clip, Decision, Input, Line, What, as_text},
    read::{Header, MAX_AT, Why},
    stamp::Stamp,
    text_line::{self, MARK},
};

/// An entry before its time is settled.
pub(super) enum Parsed {
    Header(Header),
    Entry(u64, What),
    Log(Option<Stamp>, Line),
}

/// Parses a line; `last` if no line break follows it.
pub(super) fn parse(text: &str, last: bool) -> Result<Parsed, Why> {
    if !text.starts_with('{') {
        return parse_text(text);
    }
    match serde_json::from_str::<Map<String, Value>>(text) {
        Ok(object) => parse_object(object),
        Err(_) if last => Err(Why::CutOff),
        Err(_) => Err(Why::NotJson),
    }
}

fn parse_text(text: &str) -> Result<Parsed, Why> {
    let text = without_escapes(text);
    let (prefix, message) = text.split_once(MARK).ok_or(Why::Foreign)?;
    let mut line = text_line::parse(message);
    line.level = prefix.split_whitespace().rev().find_map(level);
    Ok(Parsed::Log(Stamp::find(prefix), line))
}

/// A log is often kept with the colours it was printed in.
fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            // `ESC [ … letter`
            let _ = chars.by_ref().find(|c| c.is_ascii_alphabetic());
        } else {
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

fn level(word: &str) -> Option<Level> {
    let word = word.trim_matches(|c: char| !c.is_ascii_alphabetic()).to_ascii_lowercase();
    match word.as_str() {
        "verbose" | "debug" | "trace" => Some(Level::Verbose),
        "info" => Some(Level::Info),
        "warn" | "warning" | "error" => Some(Level::Warn),
        _ => None,
    }
}

fn parse_object(mut object: Map<String, Value>) -> Result<Parsed, Why> {
    if object.contains_key("clawvoice_timeline") {
        return Ok(Parsed::Header(header(object)));
    }
    let Some(at) = object.remove("at_us") else { return parse_log_object(&object) };
    let at = at.as_u64().ok_or(Why::BadTime)?;
    let what = if let Some(name) = take_text(&mut object, "line") {
        What::Record(record(&name, &mut object))
    } else if let Some(kind) = take_text(&mut object, "decision") {
        What::Decision(decision(kind, object))
    } else if let Some(kind) = take_text(&mut object, "input") {
        let user = take_name(&mut object, "user");
        What::Input(Input { kind, user, values: measured(object) })
    } else if let Some(clip) = object.get("audio").and_then(|audio| clip(audio, at)) {
        What::Audio(clip)
    } else {
        What::Other(object)
    };
    Ok(Parsed::Entry(at, what))
}

/// The floor's whole numbers as what they measure: a level in dBFS, shares from 0 to 1.
fn measured(mut object: Map<String, Value>) -> Map<String, Value> {
    for (written, name, parts) in [
        ("level_ddbfs", "level_dbfs", 10.0),
        ("speech_permille", "speech", 1_000.0),
        ("pitch_permille", "pitch", 1_000.0),
        ("drift_permille", "drift", 1_000.0),
        ("echo_permille", "explained", 1_000.0),
    ] {
        if let Some(value) = object.remove(written).as_ref().and_then(Value::as_f64) {
            object.insert(name.to_owned(), (value / parts).into());
        }
    }
    object
}

fn header(mut object: Map<String, Value>) -> Header {
    Header {
        session: take_name(&mut object, "session"),
        guild: take_name(&mut object, "guild"),
        channel: take_name(&mut object, "channel"),
        started: take_name(&mut object, "started"),
        version: take_name(&mut object, "version"),
        settings: take_map(&mut object, "settings"),
        rest: object,
    }
}

fn record(line: &str, object: &mut Map<String, Value>) -> Line {
    let (name, detail) = text_line::parse_name(line);
    let level = object.get("level").and_then(Value::as_str).and_then(level);
    Line { level, name, detail, fields: take_map(object, "fields").into_iter().collect() }
}

fn decision(kind: String, mut object: Map<String, Value>) -> Decision {
    Decision {
        kind,
        user: take_name(&mut object, "user"),
        reason: take_name(&mut object, "reason"),
        inputs: take_map(&mut object, "inputs"),
        thresholds: take_map(&mut object, "thresholds"),
        rest: object,
    }
}

fn clip(audio: &Value, at: u64) -> Option<Clip> {
    let file = audio.get("file")?.as_str()?.to_owned();
    let user = audio.get("user").map(|user| as_text(user).into_owned());
    let from = audio.get("from_us").and_then(Value::as_u64).filter(|from| *from <= MAX_AT);
    Some(Clip { file, user, from: SessionTime::from_micros(from.unwrap_or(at)) })
}

/// A log whose lines are JSON: tracing's, or one like OpenClaw's, where the message may stand under
/// any key.
fn parse_log_object(object: &Map<String, Value>) -> Result<Parsed, Why> {
    let message = find_message(object, 3).ok_or(Why::Foreign)?;
    let (prefix, message) = message.split_once(MARK).ok_or(Why::Foreign)?;
    let mut line = text_line::parse(message);
    let meta = object.get("_meta").and_then(Value::as_object);
    let find = |names: &[&str]| {
        names.iter().find_map(|name| object.get(*name).or_else(|| meta?.get(*name)))
    };
    line.level =
        find(&["level", "logLevelName", "severity"]).and_then(Value::as_str).and_then(level);
    let stamp = match find(&["timestamp", "time", "date", "ts"]) {
        Some(Value::String(text)) => Stamp::find(text),
        Some(Value::Number(number)) => {
            number.as_f64().map(|millis| Stamp::Instant((millis * 1_000.0) as i64))
        }
        _ => None,
    };
    Ok(Parsed::Log(stamp.or_else(|| Stamp::find(prefix)), line))
}

fn find_message(object: &Map<String, Value>, depth: usize) -> Option<&str> {
    object.values().find_map(|value| match value {
        Value::String(text) if text.contains(MARK) => Some(text.as_str()),
        Value::Object(inner) if depth > 0 => find_message(inner, depth - 1),
        _ => None,
    })
}

fn take_text(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(_) => match object.remove(key)? {
            Value::String(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// A name, which some writers write as a number.
fn take_name(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(_) | Value::Number(_) => {
            object.remove(key).map(|value| as_text(&value).into_owned())
        }
        _ => None,
    }
}

fn take_map(object: &mut Map<String, Value>, key: &str) -> Map<String, Value> {
    match object.get_mut(key) {
        Some(Value::Object(map)) => {
            let taken = std::mem::take(map);
            object.remove(key);
            taken
        }
        _ => Map::new(),
    }
}
