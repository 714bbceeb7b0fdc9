//! The first message: who the model is.

use serde_json::{Value, json};

use super::Profile;
use crate::{
    realtime::{SessionSettings, ToolDefinition, TurnDetection},
    timeline::Role,
};

/// Above this speech probability, speech must be plain to be taken for such.
const SENSITIVE: f64 = 0.5;

/// `setup`. With `handle` the session of an earlier connection goes on; without, the instructions
/// hold what was said before.
pub(super) fn setup(
    settings: &SessionSettings<'_>,
    profile: &Profile,
    handle: Option<&str>,
) -> String {
    let model = match settings.model.contains('/') {
        true => settings.model.to_owned(),
        false => format!("models/{}", settings.model),
    };
    let mut generation = json!({"responseModalities": ["AUDIO"]});
    if !settings.voice.is_empty() {
        generation["speechConfig"] =
            json!({"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": settings.voice}}});
    }
    if let Some(temperature) = profile.temperature {
        generation["temperature"] = temperature.into();
    }
    let instructions = match handle {
        Some(_) => settings.instructions.to_owned(),
        None => with_history(settings),
    };
    let mut setup = json!({
        "model": model,
        "generationConfig": generation,
        "systemInstruction": {"parts": [{"text": instructions}]},
        "realtimeInputConfig": realtime_input(settings.turn_detection),
        "sessionResumption": handle.map_or(json!({}), |handle| json!({"handle": handle})),
        // Without it a session of audio ends after 15 minutes.
        "contextWindowCompression": {"slidingWindow": {}},
        "outputAudioTranscription": {},
    });
    if settings.transcription_model.is_some() {
        setup["inputAudioTranscription"] = json!({});
    }
    if !settings.tools.is_empty() {
        let declarations: Vec<Value> = settings.tools.iter().map(declaration).collect();
        setup["tools"] = json!([{"functionDeclarations": declarations}]);
    }
    json!({"setup": setup}).to_string()
}

fn declaration(tool: &ToolDefinition) -> Value {
    json!({
        "name": tool.name,
        "description": tool.description,
        "parametersJsonSchema": tool.parameters,
    })
}

/// Every value, because the defaults differ between Google's two services.
fn realtime_input(turn_detection: TurnDetection) -> Value {
    match turn_detection {
        TurnDetection::Server {
            threshold,
            prefix_padding_ms,
            silence_duration_ms,
            create_response: _,
            interrupt_response,
        } => {
            let level = if threshold <= SENSITIVE { "HIGH" } else { "LOW" };
            let handling =
                if interrupt_response { "START_OF_ACTIVITY_INTERRUPTS" } else { "NO_INTERRUPTION" };
            json!({
                "automaticActivityDetection": {
                    "disabled": false,
                    "startOfSpeechSensitivity": format!("START_SENSITIVITY_{level}"),
                    "endOfSpeechSensitivity": format!("END_SENSITIVITY_{level}"),
                    "prefixPaddingMs": prefix_padding_ms,
                    "silenceDurationMs": silence_duration_ms,
                },
                "activityHandling": handling,
            })
        }
        TurnDetection::Own => json!({"automaticActivityDetection": {"disabled": true}}),
    }
}

fn with_history(settings: &SessionSettings<'_>) -> String {
    let mut text = settings.instructions.to_owned();
    if settings.history.is_empty() {
        return text;
    }
    text.push_str(
        "\n\nThe conversation was interrupted by a change of connection. So far it went:",
    );
    for (role, words) in settings.history {
        let who = match role {
            Role::User => "Speaker",
            Role::Assistant => "You",
        };
        text.push_str(&format!("\n{who}: {words}"));
    }
    text.push_str("\nGo on from there; do not greet again and do not mention the change.");
    text
}
