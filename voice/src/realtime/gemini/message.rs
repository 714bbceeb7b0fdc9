//! Messages after the first.

use serde_json::{Value, json};

use crate::{realtime::pcm, timeline::Role};

/// A piece of the speaker's audio, at 16 kHz. Allocates only the text.
pub(super) fn audio(samples: &[i16]) -> String {
    const HEAD: &str = r#"{"realtimeInput":{"audio":{"mimeType":"audio/pcm;rate=16000","data":""#;
    const TAIL: &str = r#""}}}"#;
    let mut text = String::with_capacity(HEAD.len() + pcm::base64_len(samples) + TAIL.len());
    text.push_str(HEAD);
    pcm::push_base64(samples, &mut text);
    text.push_str(TAIL);
    text
}

/// The speaker begins, where we find turns.
pub(super) fn activity_start() -> String {
    json!({"realtimeInput": {"activityStart": {}}}).to_string()
}

/// The speaker has ended, where we find turns.
pub(super) fn activity_end() -> String {
    json!({"realtimeInput": {"activityEnd": {}}}).to_string()
}

/// Words to answer. As input and not as content: newer models take content only before a session's
/// first turn.
pub(super) fn text(words: &str) -> String {
    json!({"realtimeInput": {"text": words}}).to_string()
}

/// What was said before, for a connection that is in use already.
pub(super) fn history(history: &[(Role, String)]) -> String {
    let turns: Vec<Value> = history
        .iter()
        .map(|(role, words)| {
            let role = match role {
                Role::User => "user",
                Role::Assistant => "model",
            };
            json!({"role": role, "parts": [{"text": words}]})
        })
        .collect();
    json!({"clientContent": {"turns": turns, "turnComplete": false}}).to_string()
}

/// A function's result; it must be an object.
pub(super) fn tool_result(call_id: &str, name: &str, output: &str) -> String {
    let response = match serde_json::from_str(output) {
        Ok(Value::Object(object)) => Value::Object(object),
        Ok(other) => json!({"output": other}),
        Err(_) => json!({"output": output}),
    };
    json!({"toolResponse": {"functionResponses": [
        {"id": call_id, "name": name, "response": response},
    ]}})
    .to_string()
}
