//! What a transcription endpoint answers: JSON, plain text, or a stream of events.

use serde_json::Value;

use super::SpeechFailure;

/// A successful answer's words. `content_type` as the header says.
///
/// # Errors
///
/// If it holds none, in words for an operator.
pub fn read_transcript(content_type: &str, body: &str) -> Result<String, SpeechFailure> {
    if content_type.starts_with("text/event-stream") {
        return from_events(body);
    }
    let trimmed = body.trim();
    let looks_like_json = trimmed.starts_with('{');
    if !content_type.contains("json") && !looks_like_json {
        return Ok(trimmed.to_owned());
    }
    let answer: Value = serde_json::from_str(trimmed)
        .map_err(|_| refused("the transcription endpoint's answer is no JSON"))?;
    match answer.get("text").and_then(Value::as_str) {
        Some(text) => Ok(text.to_owned()),
        None => Err(refused("the transcription endpoint's answer has no text")),
    }
}

/// `transcript.text.delta` events, and the whole in `transcript.text.done`.
fn from_events(body: &str) -> Result<String, SpeechFailure> {
    let mut text = String::new();
    for line in body.lines() {
        let Some(data) = line.strip_prefix("data:") else { continue };
        let Ok(event) = serde_json::from_str::<Value>(data.trim()) else { continue };
        match event.get("type").and_then(Value::as_str) {
            Some("transcript.text.delta") => {
                text.push_str(event.get("delta").and_then(Value::as_str).unwrap_or_default());
            }
            Some("transcript.text.done") => {
                let whole = event.get("text").and_then(Value::as_str);
                return Ok(whole.map_or(text, str::to_owned));
            }
            _ => {}
        }
    }
    // Without its end the words may be half of what was said.
    Err(SpeechFailure { message: "the transcription stream broke off".to_owned(), transient: true })
}

/// Why an endpoint refused, from its status and body. The body of a refused key is not told: it
/// may quote the key.
#[must_use]
pub fn read_refusal(status: u16, body: &str) -> SpeechFailure {
    let transient = matches!(status, 408 | 409 | 425 | 429 | 500..=599);
    let told = match status {
        401 | 403 => Some("the key was refused".to_owned()),
        _ => error_message(body),
    };
    let message = match told {
        Some(told) => format!("HTTP {status}: {told}"),
        None => format!("HTTP {status}"),
    };
    // Out of credit is no state that passes by itself.
    let is_spent = body.contains("insufficient_quota");
    SpeechFailure { message, transient: transient && !is_spent }
}

/// OpenAI's `error.message`, or ElevenLabs's `detail.message`.
fn error_message(body: &str) -> Option<String> {
    let answer: Value = serde_json::from_str(body).ok()?;
    let message = ["error", "detail"].iter().find_map(|key| {
        let value = answer.get(key)?;
        value.get("message").unwrap_or(value).as_str()
    })?;
    Some(message.chars().take(300).collect())
}

fn refused(message: &str) -> SpeechFailure {
    SpeechFailure { message: message.to_owned(), transient: false }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_form_of_answer_is_read() {
        for (kind, body) in [
            ("application/json", r#"{"text":"Hello there.","usage":{"type":"tokens"}}"#),
            ("", " {\"text\": \"Hello there.\"}\n"),
            ("text/plain; charset=utf-8", "Hello there.\n"),
            (
                "text/event-stream; charset=utf-8",
                "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Hello \"}\r\n\r\n: ping\n\
                 data: {\"type\":\"transcript.text.delta\",\"delta\":\"there.\"}\n\n\
                 data: {\"type\":\"transcript.text.done\"}\n\n",
            ),
            (
                "text/event-stream",
                "data:{\"type\":\"transcript.text.delta\",\"delta\":\"Hell\"}\n\n\
                 data:{\"type\":\"transcript.text.done\",\"text\":\"Hello there.\"}\n\ndata: [DONE]\n",
            ),
        ] {
            assert_eq!(read_transcript(kind, body).as_deref(), Ok("Hello there."), "{kind}");
        }
    }

    #[test]
    fn half_an_answer_is_none() {
        let half = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"Do not\"}\n\n";
        assert!(read_transcript("text/event-stream", half).unwrap_err().transient);
        for body in ["{\"text\":", "{}", "{\"text\": 7}"] {
            assert!(!read_transcript("application/json", body).unwrap_err().transient, "{body}");
        }
    }

    #[test]
    fn refusals_tell_what_can_be_told() {
        for (status, body, message, transient) in [
            (
                401,
                r#"{"error":{"message":"Incorrect API key: sk-1"}}"#,
                "HTTP 401: the key was refused",
                false,
            ),
            (429, r#"{"error":{"message":"Slow down."}}"#, "HTTP 429: Slow down.", true),
            (
                429,
                r#"{"error":{"message":"No credit.","code":"insufficient_quota"}}"#,
                "HTTP 429: No credit.",
                false,
            ),
            (503, "<html>", "HTTP 503", true),
            (400, r#"{"detail":{"message":"No such voice."}}"#, "HTTP 400: No such voice.", false),
            (404, r#"{"detail":"Not Found"}"#, "HTTP 404: Not Found", false),
        ] {
            let expected = SpeechFailure { message: message.to_owned(), transient };
            assert_eq!(read_refusal(status, body), expected);
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_words_or_an_error(kind in "(application/json|text/event-stream|)", body: String) {
            let _ = read_transcript(&kind, &body);
            let _ = read_refusal(500, &body);
        }
    }
}
