//! Reads replies: the steps of one response.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{MAX_WAIT_MS, Pace, ScriptError, Step};
use crate::realtime::local::speech::tone;

/// Longest tone: two minutes.
const MAX_TONE_MS: usize = 120_000;

/// A reply is one step or a list of them. `place` is where it stands.
pub(super) fn read(
    reply: Value,
    place: &str,
    audio: &mut impl FnMut(&str) -> Result<Vec<i16>, String>,
) -> Result<Vec<Step>, ScriptError> {
    let replies = match reply {
        Value::Array(replies) => replies,
        single => vec![single],
    };
    let mut steps = Vec::new();
    for (step, reply) in replies.into_iter().enumerate() {
        let read = serde_json::from_value(reply)
            .map_err(|error| error.to_string())
            .and_then(|reply| read_step(reply, audio));
        match read {
            Ok(read) => steps.extend(read),
            Err(problem) => {
                return Err(ScriptError::At { place: format!("{place}[{step}]"), problem });
            }
        }
    }
    Ok(steps)
}

/// A close code, if it may be sent.
pub(super) fn close_code(code: u16) -> Result<u16, String> {
    if (1000..5000).contains(&code) {
        Ok(code)
    } else {
        Err("close: a websocket close code, 1000 to 4999".to_owned())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StepFile {
    stall_ms: Option<u64>,
    wav: Option<String>,
    tone: Option<f64>,
    ms: Option<usize>,
    transcript: Option<String>,
    say: Option<String>,
    chunk_ms: Option<usize>,
    speed: Option<f64>,
    tool_call: Option<ToolCallFile>,
    error: Option<ErrorFile>,
    close: Option<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToolCallFile {
    name: String,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorFile {
    code: String,
    message: String,
}

fn read_step(
    file: StepFile,
    audio: &mut impl FnMut(&str) -> Result<Vec<i16>, String>,
) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    if let Some(ms) = file.stall_ms {
        if ms > MAX_WAIT_MS {
            return Err(format!("stallMs: at most {MAX_WAIT_MS}"));
        }
        steps.push(Step::Stall(Duration::from_millis(ms)));
    }
    let sounds = file.wav.is_some() || file.tone.is_some();
    if file.transcript.is_some() && !sounds {
        return Err("transcript: needs a wav or a tone".to_owned());
    }
    if file.ms.is_some() != file.tone.is_some() {
        return Err("ms: belongs to a tone, and a tone needs it".to_owned());
    }
    let pace = read_pace(&file, sounds || file.say.is_some())?;
    let before = steps.len();
    let transcript = file.transcript.unwrap_or_default();
    if let Some(path) = file.wav {
        let samples = audio(&path).map_err(|problem| format!("wav {path:?}: {problem}"))?;
        steps.push(Step::Audio { samples: samples.into(), transcript: transcript.clone(), pace });
    }
    if let (Some(hertz), Some(ms)) = (file.tone, file.ms) {
        if !(20.0..=11_000.0).contains(&hertz) || ms > MAX_TONE_MS {
            return Err(format!("tone: 20 to 11000 Hz, at most {MAX_TONE_MS} ms"));
        }
        steps.push(Step::Audio { samples: tone(hertz, ms).into(), transcript, pace });
    }
    if let Some(text) = file.say {
        steps.push(Step::Say { text, pace });
    }
    if let Some(call) = file.tool_call {
        let arguments = match call.arguments {
            Value::Null => "{}".to_owned(),
            // A text goes out as it stands: this is how a script sends broken JSON.
            Value::String(text) => text,
            other => other.to_string(),
        };
        steps.push(Step::ToolCall { name: call.name, arguments });
    }
    if let Some(error) = file.error {
        steps.push(Step::Fail { code: error.code, message: error.message });
    }
    if let Some(code) = file.close {
        steps.push(Step::Close(close_code(code)?));
    }
    let kinds = "wav, tone, say, toolCall, error";
    match (steps.len() - before, steps.len()) {
        (0, 0) => Err(format!("says nothing: give {kinds}, close or stallMs")),
        (0 | 1, _) => Ok(steps),
        _ => Err(format!("more than one of {kinds} and close: write a list")),
    }
}

fn read_pace(file: &StepFile, sounds: bool) -> Result<Pace, String> {
    if !sounds && (file.chunk_ms.is_some() || file.speed.is_some()) {
        return Err("chunkMs, speed: need a wav, a tone or say".to_owned());
    }
    if file.chunk_ms.is_some_and(|ms| !(1..=60_000).contains(&ms)) {
        return Err("chunkMs: 1 to 60000".to_owned());
    }
    if file.speed.is_some_and(|speed| !(0.01..=10_000.0).contains(&speed)) {
        return Err("speed: 0.01 to 10000".to_owned());
    }
    Ok(Pace { chunk_ms: file.chunk_ms, speed: file.speed })
}
