//! The `session` object: what is in effect, and what an update may change.

use serde_json::{Map, Value, json};

use super::refusal::Refusal;

/// Silence that ends a turn under `semantic_vad`, by eagerness, in ms. Nothing here understands
/// words, so the wait is fixed.
const SEMANTIC_SILENCE_MS: [(&str, u64); 4] =
    [("low", 1_600), ("medium", 800), ("auto", 800), ("high", 400)];

/// The turn detection in effect, as numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TurnDetection {
    pub(super) threshold: f64,
    pub(super) prefix_ms: u64,
    pub(super) silence_ms: u64,
    pub(super) create_response: bool,
    pub(super) interrupt_response: bool,
}

/// The effective session, as it is echoed to the client.
#[derive(Clone, Debug)]
pub(super) struct SessionObject {
    value: Value,
}

impl SessionObject {
    /// What OpenAI has in effect right after connecting.
    pub(super) fn new(id: &str, model: &str, expires_at: u64) -> Self {
        let format = json!({ "type": "audio/pcm", "rate": 24_000 });
        Self {
            value: json!({
                "type": "realtime",
                "object": "realtime.session",
                "id": id,
                "model": model,
                "expires_at": expires_at,
                "output_modalities": ["audio"],
                "instructions": "",
                "tools": [],
                "tool_choice": "auto",
                "max_output_tokens": "inf",
                "truncation": "auto",
                "tracing": null,
                "prompt": null,
                "include": null,
                "audio": {
                    "input": {
                        "format": format,
                        "noise_reduction": null,
                        "transcription": null,
                        "turn_detection": turn_detection_defaults("server_vad"),
                    },
                    "output": { "format": format, "voice": "marin", "speed": 1.0 },
                },
            }),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        self.value.clone()
    }

    /// Lays `update` over what is in effect: only present fields change, and nothing does if one
    /// of them is refused. `voice_is_fixed` once the session has sent audio.
    pub(super) fn update(&mut self, update: &Value, voice_is_fixed: bool) -> Result<(), Refusal> {
        let fields = object("session", update)?;
        match fields.get("type") {
            None | Some(Value::Null) => return Err(Refusal::missing("session.type")),
            Some(Value::String(kind)) if kind == "realtime" => {}
            Some(_) => {
                return Err(Refusal::wrong_value("session.type", "'realtime'"));
            }
        }
        let before = self.voice();
        let mut next = self.value.clone();
        overlay(&mut next, fields, "session")?;
        let next = Self { value: next };
        if voice_is_fixed && next.voice() != before {
            let message = "Cannot update a conversation's voice if assistant audio is present.";
            return Err(
                Refusal::new("cannot_update_voice", message).at("session.audio.output.voice")
            );
        }
        *self = next;
        Ok(())
    }

    /// `None`: turns are committed by the client.
    pub(super) fn turn_detection(&self) -> Option<TurnDetection> {
        let object = self.value.pointer("/audio/input/turn_detection")?.as_object()?;
        let number =
            |key: &str, default: u64| object.get(key).and_then(Value::as_u64).unwrap_or(default);
        let flag = |key: &str| object.get(key).and_then(Value::as_bool).unwrap_or(true);
        let eagerness = object.get("eagerness").and_then(Value::as_str);
        let semantic = eagerness.and_then(|eagerness| {
            SEMANTIC_SILENCE_MS.iter().find(|(name, _)| *name == eagerness).map(|(_, ms)| *ms)
        });
        Some(TurnDetection {
            threshold: object.get("threshold").and_then(Value::as_f64).unwrap_or(0.5),
            prefix_ms: number("prefix_padding_ms", 300),
            silence_ms: semantic.unwrap_or_else(|| number("silence_duration_ms", 500)),
            create_response: flag("create_response"),
            interrupt_response: flag("interrupt_response"),
        })
    }

    pub(super) fn transcribes(&self) -> bool {
        self.value.pointer("/audio/input/transcription").is_some_and(Value::is_object)
    }

    pub(super) fn output_modalities(&self) -> Value {
        self.value["output_modalities"].clone()
    }

    /// The voice's name, or the id of a custom one.
    pub(super) fn voice(&self) -> String {
        let voice = &self.value["audio"]["output"]["voice"];
        voice.as_str().or_else(|| voice["id"].as_str()).unwrap_or_default().to_owned()
    }

    pub(super) fn max_output_tokens(&self) -> Value {
        self.value["max_output_tokens"].clone()
    }
}

fn turn_detection_defaults(kind: &str) -> Value {
    if kind == "semantic_vad" {
        json!({
            "type": "semantic_vad",
            "eagerness": "auto",
            "create_response": true,
            "interrupt_response": true,
        })
    } else {
        json!({
            "type": "server_vad",
            "threshold": 0.5,
            "prefix_padding_ms": 300,
            "silence_duration_ms": 200,
            "idle_timeout_ms": null,
            "create_response": true,
            "interrupt_response": true,
        })
    }
}

/// Objects whose fields are laid over one by one; every other value is replaced as a whole.
fn known_fields(path: &str) -> Option<&'static [&'static str]> {
    Some(match path {
        "session" => &[
            "type",
            "model",
            "instructions",
            "output_modalities",
            "audio",
            "tools",
            "tool_choice",
            "parallel_tool_calls",
            "reasoning",
            "max_output_tokens",
            "truncation",
            "include",
            "tracing",
            "prompt",
        ],
        "session.audio" => &["input", "output"],
        "session.audio.input" => &["format", "noise_reduction", "transcription", "turn_detection"],
        "session.audio.output" => &["format", "voice", "speed"],
        _ => return None,
    })
}

fn overlay(base: &mut Value, update: &Map<String, Value>, path: &str) -> Result<(), Refusal> {
    let known = known_fields(path).unwrap_or_default();
    for (key, value) in update {
        let field = format!("{path}.{key}");
        if !known.contains(&key.as_str()) {
            return Err(Refusal::unknown(&field));
        }
        if known_fields(&field).is_some() {
            overlay(&mut base[key], object(&field, value)?, &field)?;
        } else if key == "turn_detection" {
            base[key] = turn_detection(&base[key], value, &field)?;
        } else if key != "model" {
            // The model is fixed when connecting; naming it again is no error and no change.
            check(key, &field, value)?;
            base[key] = value.clone();
        }
    }
    Ok(())
}

fn turn_detection(current: &Value, update: &Value, path: &str) -> Result<Value, Refusal> {
    if update.is_null() {
        return Ok(Value::Null);
    }
    let fields = object(path, update)?;
    let current_type = current["type"].as_str();
    let kind = match fields.get("type") {
        None => current_type.unwrap_or("server_vad"),
        Some(Value::String(kind)) if kind == "server_vad" || kind == "semantic_vad" => kind,
        Some(_) => {
            let param = format!("{path}.type");
            return Err(Refusal::wrong_value(&param, "'server_vad' or 'semantic_vad'"));
        }
    };
    let mut next = match current_type {
        Some(current_type) if current_type == kind => current.clone(),
        _ => turn_detection_defaults(kind),
    };
    let known = turn_detection_defaults(kind);
    for (key, value) in fields {
        let param = format!("{path}.{key}");
        if known.get(key).is_none() {
            return Err(Refusal::unknown(&param));
        }
        check_turn_detection(key, &param, value)?;
        next[key] = value.clone();
    }
    Ok(next)
}

fn check_turn_detection(key: &str, param: &str, value: &Value) -> Result<(), Refusal> {
    match key {
        "threshold" => between(param, value, 0.0, 1.0),
        "prefix_padding_ms" | "silence_duration_ms" => match value.as_u64() {
            Some(0..=60_000) => Ok(()),
            Some(_) => Err(Refusal::wrong_value(param, "at most 60000")),
            None => Err(Refusal::wrong_type(param, "an integer", value)),
        },
        "idle_timeout_ms" if value.is_null() || value.is_u64() => Ok(()),
        "idle_timeout_ms" => Err(Refusal::wrong_type(param, "an integer", value)),
        "create_response" | "interrupt_response" if !value.is_boolean() => {
            Err(Refusal::wrong_type(param, "a boolean", value))
        }
        "eagerness" => {
            let known = value
                .as_str()
                .is_some_and(|text| SEMANTIC_SILENCE_MS.iter().any(|(name, _)| *name == text));
            known.then_some(()).ok_or_else(|| {
                Refusal::wrong_value(param, "one of 'low', 'medium', 'high' and 'auto'")
            })
        }
        _ => Ok(()),
    }
}

fn check(key: &str, param: &str, value: &Value) -> Result<(), Refusal> {
    let right = match key {
        "instructions" => value.is_string(),
        "tools" => value.as_array().is_some_and(|tools| tools.iter().all(Value::is_object)),
        "tool_choice" => value.is_string() || value.is_object(),
        "noise_reduction" | "transcription" => value.is_null() || value.is_object(),
        "voice" => value.as_str().or_else(|| value["id"].as_str()).is_some(),
        _ => true,
    };
    if !right {
        return Err(Refusal::wrong_type(param, "another type", value));
    }
    match key {
        "output_modalities" if *value != json!(["audio"]) && *value != json!(["text"]) => {
            Err(Refusal::wrong_value(param, "['audio'] or ['text']"))
        }
        "max_output_tokens"
            if *value != json!("inf")
                && !value.as_u64().is_some_and(|n| (1..=4_096).contains(&n)) =>
        {
            Err(Refusal::wrong_value(param, "an integer from 1 to 4096, or 'inf'"))
        }
        "format"
            if value["type"] != "audio/pcm"
                || !matches!(value["rate"].as_u64(), None | Some(24_000)) =>
        {
            Err(Refusal::wrong_value(param, "{type: 'audio/pcm', rate: 24000}"))
        }
        "speed" => between(param, value, 0.25, 1.5),
        _ => Ok(()),
    }
}

fn between(param: &str, value: &Value, min: f64, max: f64) -> Result<(), Refusal> {
    match value.as_f64() {
        Some(number) if number >= min && number <= max => Ok(()),
        Some(_) => Err(Refusal::wrong_value(param, &format!("a number from {min} to {max}"))),
        None => Err(Refusal::wrong_type(param, "a number", value)),
    }
}

fn object<'v>(param: &str, value: &'v Value) -> Result<&'v Map<String, Value>, Refusal> {
    value.as_object().ok_or_else(|| Refusal::wrong_type(param, "an object", value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> SessionObject {
        SessionObject::new("sess_1", "m", 9)
    }

    #[test]
    fn only_present_fields_change() {
        let mut session = session();
        let update = json!({
            "type": "realtime",
            "audio": { "input": { "turn_detection": { "type": "server_vad", "silence_duration_ms": 500 } } },
        });
        session.update(&update, false).expect("a valid update");
        let update = json!({
            "type": "realtime",
            "audio": { "input": { "turn_detection": { "interrupt_response": false } } },
        });
        session.update(&update, false).expect("a valid update");
        assert_eq!(
            session.turn_detection(),
            Some(TurnDetection {
                threshold: 0.5,
                prefix_ms: 300,
                silence_ms: 500,
                create_response: true,
                interrupt_response: false,
            })
        );
        assert_eq!(session.voice(), "marin");
    }

    #[test]
    fn a_new_kind_of_turn_detection_starts_from_its_defaults() {
        let mut session = session();
        let update = json!({
            "type": "realtime",
            "audio": { "input": { "turn_detection": { "type": "semantic_vad", "eagerness": "high" } } },
        });
        session.update(&update, false).expect("a valid update");
        assert_eq!(session.turn_detection().map(|rules| rules.silence_ms), Some(400));
        let off = json!({ "type": "realtime", "audio": { "input": { "turn_detection": null } } });
        session.update(&off, false).expect("a valid update");
        assert_eq!(session.turn_detection(), None);
    }

    #[test]
    fn refused_updates_change_nothing() {
        let mut session = session();
        let before = session.to_json();
        for (update, code, param) in [
            (json!([]), "invalid_type", "session"),
            (json!({}), "missing_required_parameter", "session.type"),
            (json!({ "type": "transcription" }), "invalid_value", "session.type"),
            (json!({ "type": "realtime", "voice": "ash" }), "unknown_parameter", "session.voice"),
            (
                json!({ "type": "realtime", "instructions": "x", "output_modalities": ["audio", "text"] }),
                "invalid_value",
                "session.output_modalities",
            ),
            (
                json!({ "type": "realtime", "audio": { "input": { "format": { "type": "audio/pcmu" } } } }),
                "invalid_value",
                "session.audio.input.format",
            ),
            (
                json!({ "type": "realtime", "audio": { "input": { "turn_detection": { "type": "server_vad", "threshold": 2 } } } }),
                "invalid_value",
                "session.audio.input.turn_detection.threshold",
            ),
            (
                json!({ "type": "realtime", "audio": { "input": { "turn_detection": { "type": "server_vad", "eagerness": "low" } } } }),
                "unknown_parameter",
                "session.audio.input.turn_detection.eagerness",
            ),
        ] {
            let refusal = session.update(&update, false).expect_err("a refused update");
            assert_eq!((refusal.code, refusal.param.as_deref()), (code, Some(param)), "{update}");
            assert_eq!(session.to_json(), before, "{update}");
        }
    }

    #[test]
    fn the_voice_is_fixed_after_audio() {
        let mut session = session();
        let update = json!({ "type": "realtime", "audio": { "output": { "voice": "cedar" } } });
        let refusal = session.update(&update, true).expect_err("refused");
        assert_eq!(refusal.code, "cannot_update_voice");
        session.update(&update, false).expect("before audio it may change");
        session.update(&update, true).expect("the same voice is no change");
    }
}
