//! Voice packets in a file, on demand.

use std::path::PathBuf;

use axum::{Json, extract::State, http::StatusCode};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::{Control, Refusal};
use crate::{rest::body::JsonBody, voice::CaptureReport};

/// `{file}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Where to write; relative to where localcord was started.
    file: PathBuf,
}

/// `PUT capture`: packets from now on; a capture under way ends.
pub(super) async fn start(
    State(control): State<Control>,
    JsonBody(body): JsonBody,
) -> Result<Json<CaptureReport>, Refusal> {
    let Wanted { file } =
        serde_json::from_value(body).map_err(|error| Refusal::bad(error.to_string()))?;
    let capture = control.voice.capture().clone();
    let started = spawn_blocking(move || {
        let started = capture.start(&file);
        started.map(|()| capture.report()).map_err(|error| format!("{}: {error}", file.display()))
    });
    let report = started.await.map_err(|error| error.to_string()).and_then(|started| started);
    report.map_err(Refusal::bad).map(|report| Json(report.unwrap_or_default()))
}

/// `GET capture`: how it is doing.
pub(super) async fn show(State(control): State<Control>) -> Result<Json<CaptureReport>, Refusal> {
    control.voice.capture().report().map(Json).ok_or_else(none)
}

/// `DELETE capture`: the file is complete when the answer comes.
pub(super) async fn stop(State(control): State<Control>) -> Result<Json<CaptureReport>, Refusal> {
    let capture = control.voice.capture().clone();
    let report = spawn_blocking(move || capture.stop()).await.unwrap_or_default();
    report.map(Json).ok_or_else(none)
}

fn none() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is no capture")
}
