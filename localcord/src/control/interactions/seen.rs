//! What a human sees of an interaction: that it waits, the answer, or that it failed.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout_at;

use super::{Answer, Control, Refusal, WAITING_TIME_MS, payload::name_of};
use crate::{
    control::humans::Who,
    rest::interaction::{Exchange, Progress, interaction_kind},
    world::Message,
};

/// The callback types whose data is no message.
const CHOICES: u64 = 8;
const MODAL: u64 = 9;
/// From the last moment an answer is taken to the one at which it is certainly too late.
const MARGIN: Duration = Duration::from_millis(10);

/// `?wait=true&after=N&timeout_ms=`
#[derive(Debug, Deserialize)]
pub(in crate::control) struct SeenQuery {
    #[serde(default)]
    wait: bool,
    /// Waits until something is seen beyond this revision; without it, until there is an answer.
    after: Option<u64>,
    timeout_ms: Option<u64>,
}

/// `GET humans/{human}/interactions/{interaction}`
pub(in crate::control) async fn show(
    State(control): State<Control>,
    Who(human): Who,
    Path((_, interaction)): Path<(String, u64)>,
    Query(query): Query<SeenQuery>,
) -> Result<Json<Value>, Refusal> {
    let limit = Duration::from_millis(query.timeout_ms.unwrap_or(WAITING_TIME_MS));
    let until = Instant::now() + limit;
    let news = |exchange: &Exchange| match (exchange.progress(Instant::now()), query.after) {
        _ if !query.wait => true,
        (Progress::Failed, _) => true,
        (_, Some(after)) => exchange.revision > after,
        (progress, None) => progress == Progress::Answered,
    };
    let (exchange, in_time) = wait_until(&control, interaction, until, news).await?;
    if exchange.interaction.user_id != human {
        return Err(Refusal::unknown("interaction of that human"));
    }
    if !in_time {
        return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "nothing new in time"));
    }
    Ok(Json(seen(&control, &exchange)))
}

/// Waits for the answer to an interaction that was just placed.
pub(super) async fn wait_for_answer(control: &Control, id: u64, until: Instant) -> Answer {
    let over = |exchange: &Exchange| {
        matches!(exchange.progress(Instant::now()), Progress::Answered | Progress::Failed)
    };
    let (exchange, _) = wait_until(control, id, until, over).await?;
    match exchange.progress(Instant::now()) {
        Progress::Answered => Ok((StatusCode::OK, Json(seen(control, &exchange)))),
        Progress::Thinking => {
            let why = "the application is still thinking";
            Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, why))
        }
        Progress::Waiting | Progress::Failed => {
            let why = failure(exchange.interaction.kind);
            Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, why))
        }
    }
}

/// Waits until an interaction is as wanted: how it is then, and whether that came in time.
async fn wait_until(
    control: &Control,
    id: u64,
    until: Instant,
    wanted: impl Fn(&Exchange) -> bool,
) -> Result<(Exchange, bool), Refusal> {
    let mut answers = control.rest.answers();
    loop {
        let now = control.rest.interactions().by_id(id).cloned();
        let now = now.ok_or_else(|| Refusal::unknown("interaction"))?;
        if wanted(&now) {
            return Ok((now, true));
        }
        if Instant::now() >= until {
            return Ok((now, false));
        }
        let fails = now.fails_at().map(|at| at + MARGIN).filter(|at| *at > Instant::now());
        let wake = fails.map_or(until, |at| at.min(until));
        // Whether there is an answer or the time is over, the next round sees it.
        let _ = timeout_at(wake.into(), answers.changed()).await;
    }
}

/// The client's words for an interaction that was not answered.
fn failure(kind: u8) -> &'static str {
    match kind {
        interaction_kind::COMPONENT => "This interaction failed",
        interaction_kind::AUTOCOMPLETE => "Loading options failed",
        interaction_kind::MODAL_SUBMIT => "Something went wrong. Try again.",
        _ => "The application did not respond",
    }
}

/// All that the human sees.
fn seen(control: &Control, exchange: &Exchange) -> Value {
    let interaction = &exchange.interaction;
    let callback = exchange.callback.as_ref();
    let kind = callback.and_then(|callback| callback["type"].as_u64());
    let data = callback.map(|callback| &callback["data"]);
    let progress = exchange.progress(Instant::now());
    let followups: Vec<Value> =
        exchange.followups.iter().filter_map(|id| message_of(control, exchange, *id)).collect();
    json!({
        "interaction_id": interaction.id.to_string(),
        "kind": name_of(interaction.kind),
        "state": match progress {
            Progress::Waiting => "waiting",
            Progress::Thinking => "thinking",
            Progress::Answered => "answered",
            Progress::Failed => "failed",
        },
        "failure": (progress == Progress::Failed).then(|| failure(interaction.kind)),
        "revision": exchange.revision,
        "type": kind,
        "data": data,
        "message": exchange.original.and_then(|id| message_of(control, exchange, id)),
        "modal": data.filter(|_| kind == Some(MODAL)),
        "choices": data.filter(|_| kind == Some(CHOICES)).map(|data| &data["choices"]),
        "followups": followups,
    })
}

/// An answer as it is now, in the channel or for this human alone.
fn message_of(control: &Control, exchange: &Exchange, id: u64) -> Option<Value> {
    let hidden = control.rest.ephemerals().find(id).map(|one| one.message.clone());
    control.rest.world.read(|state| {
        let open = || state.messages.get(&exchange.interaction.channel_id)?.get(&id);
        let message: &Message = hidden.as_ref().or_else(open)?;
        Some(control.rest.shown(state, message))
    })
}
