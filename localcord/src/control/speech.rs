//! What humans say and hear.

use axum::{
    Json,
    body::Bytes,
    extract::{Query, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, Refusal, Wait, humans::Who};
use crate::{
    human::{EchoSettings, Heard, HumanError, SpeechCoding, Spoken},
    journal::Journal,
    rest::body::JsonBody,
};

/// `PUT humans/{human}/speech`: how it speaks from the next frame on; what is left out is as usual.
pub(super) async fn set_coding(
    State(control): State<Control>,
    Who(human): Who,
    JsonBody(body): JsonBody,
) -> Result<Json<SpeechCoding>, Refusal> {
    let coding: SpeechCoding =
        serde_json::from_value(body).map_err(|error| Refusal::bad(error.to_string()))?;
    coding.check().map_err(|error| Refusal::bad(error.to_string()))?;
    control.humans.set_coding(human, coding);
    if let Some(connection) = control.humans.latest(human) {
        connection
            .set_speech_coding(coding)
            .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    }
    Ok(Json(coding))
}

/// `PUT humans/{human}/echo`: whom it hears by a loudspeaker beside its microphone; `null`: nobody.
pub(super) async fn set_echo(
    State(control): State<Control>,
    Who(human): Who,
    JsonBody(body): JsonBody,
) -> Result<Json<Option<EchoSettings>>, Refusal> {
    let echo: Option<EchoSettings> =
        serde_json::from_value(body).map_err(|error| Refusal::bad(error.to_string()))?;
    if let Some(echo) = &echo {
        echo.check().map_err(|error| Refusal::bad(error.to_string()))?;
        if echo.of == human {
            return Err(Refusal::bad("`of` must be somebody else: nobody hears themselves"));
        }
        if !control.rest.world.read(|state| state.users.contains_key(&echo.of)) {
            return Err(Refusal::unknown("user"));
        }
    }
    control.humans.set_echo(human, echo);
    if let Some(connection) = control.humans.latest(human) {
        connection.set_echo(echo).map_err(|error| Refusal::bad(error.to_string()))?;
    }
    Ok(Json(echo))
}

/// `POST humans/{human}/speak`: a WAV; with `?wait=true` the answer comes when it is spoken.
pub(super) async fn speak(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    wav: Bytes,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let connection = control.humans.latest(human).filter(|one| one.ended().is_none());
    let connection = connection
        .ok_or_else(|| Refusal::new(StatusCode::CONFLICT, "that human is in no voice channel"))?;
    let journal = control.rest.journal.clone();
    let speech = async move {
        journal.record("human", "speaks", json!({ "human": human.to_string() }));
        let spoken = connection.speak(&wav).await;
        let mut data = match &spoken {
            Ok(spoken) => spoken_json(&journal, spoken),
            Err(error) => json!({ "error": error.to_string() }),
        };
        data["human"] = human.to_string().into();
        journal.record("human", "spoke", data);
        spoken
    };
    if !query.wait {
        tokio::spawn(speech);
        return Ok((StatusCode::ACCEPTED, Json(json!({}))));
    }
    let spoken = speech.await.map_err(|error| match error {
        HumanError::Wav(_) => Refusal::bad(error.to_string()),
        _ => Refusal::new(StatusCode::BAD_GATEWAY, error.to_string()),
    })?;
    Ok((StatusCode::OK, Json(spoken_json(&control.rest.journal, &spoken))))
}

fn spoken_json(journal: &Journal, spoken: &Spoken) -> Value {
    json!({
        "started_at_ms": journal.at_ms(spoken.started_at),
        "finished_at_ms": journal.at_ms(spoken.finished_at),
        "frames": spoken.frames,
        "frames_unsent": spoken.frames_unsent,
    })
}

/// `?from={user}`, which connection (default: the latest), and as what.
#[derive(Debug, Deserialize)]
pub(super) struct HeardQuery {
    from: u64,
    connection: Option<usize>,
    format: Option<String>,
}

/// `GET humans/{human}/heard`
pub(super) async fn heard(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<HeardQuery>,
) -> Result<Response, Refusal> {
    let connection = match query.connection {
        Some(number) => control.humans.connection(human, number),
        None => control.humans.latest(human),
    };
    let connection =
        connection.ok_or_else(|| Refusal::unknown("voice connection of that human"))?;
    let heard = connection.heard(query.from);
    match query.format.as_deref() {
        None | Some("wav") => {
            let wav = heard.to_wav().map_err(|error| {
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            })?;
            Ok(([(CONTENT_TYPE, "audio/wav")], wav).into_response())
        }
        Some("json") => Ok(Json(heard_json(&control.rest.journal, &heard)).into_response()),
        Some(_) => Err(Refusal::bad("`format` must be wav or json")),
    }
}

/// When what was heard, on the journal's clock.
fn heard_json(journal: &Journal, heard: &Heard) -> Value {
    let talkspurts: Value = heard
        .talkspurts
        .iter()
        .map(|one| {
            json!({
                "started_at_ms": journal.at_ms(one.started_at),
                "ended_at_ms": journal.at_ms(one.ended_at),
                "offset_samples": one.offset_samples,
                "samples": one.samples,
                "frames": one.frames,
            })
        })
        .collect();
    let frames: Value = heard
        .frames
        .iter()
        .map(|one| {
            json!({
                "at_ms": journal.at_ms(one.at),
                "offset_samples": one.offset_samples,
                "samples": one.samples,
                "sequence": one.sequence,
                "timestamp": one.timestamp,
                "silence": one.silence,
            })
        })
        .collect();
    json!({
        "sample_rate": 48_000,
        "samples": heard.pcm.len(),
        "first_frame_at_ms": heard.first_frame_at.map(|at| journal.at_ms(at)),
        "talkspurts": talkspurts,
        "frames": frames,
    })
}
