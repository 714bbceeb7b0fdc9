//! What humans do with applications: commands they call and type, components they use, modals they
//! submit; and what they see of the answers.
//!
//! ```text
//! command ── options ─┐
//! component ─ chosen ─┼─ place ── payload ──► INTERACTION_CREATE, as the faults have it
//! modal ──── chosen ──┘    └── seen: what comes back
//! ```

mod chosen;
mod command;
mod component;
mod modal;
mod options;
mod payload;
mod seen;

use std::time::{Duration, Instant};

use axum::{Json, http::StatusCode};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(super) use self::{
    command::{autocomplete, command},
    component::component,
    modal::submit,
    seen::show,
};
use super::{Control, Refusal};
use crate::{
    rest::interaction::Interaction,
    world::{Audience, Dispatch, State as World, bits},
};

/// How long `?wait=true` waits for an answer, if the body does not say.
const WAITING_TIME_MS: u64 = 30_000;

type Answer = Result<(StatusCode, Json<Value>), Refusal>;

/// What a human does, checked. The interaction gets its id when it is placed.
struct Call {
    interaction: Interaction,
    data: Value,
    /// The message whose component was used.
    message: Option<Value>,
}

/// `timeout_ms` in a body.
fn limit(body: &Value) -> Duration {
    let ms = body.get("timeout_ms").and_then(Value::as_u64).unwrap_or(WAITING_TIME_MS);
    Duration::from_millis(ms)
}

/// What the client would not let the human do.
fn conflict(words: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::CONFLICT, words)
}

/// The guild of a channel the human sees; none for direct messages.
fn guild_of(state: &World, human: u64, channel: u64) -> Result<Option<u64>, Refusal> {
    let found = state.channels.get(&channel).ok_or_else(|| Refusal::unknown("channel"))?;
    if !state.may(human, channel, bits::VIEW_CHANNEL) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "that human does not see the channel"));
    }
    Ok(found.guild_id)
}

/// Dispatches the interaction to its bot; waits for the answer if that is wanted.
async fn place(control: &Control, call: Call, wait: bool, limit: Duration) -> Answer {
    let began = Instant::now();
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 48]>());
    let (data, interaction) = control.rest.world.write(|state| {
        let id = state.next_id();
        let application = state.applications.get(&call.interaction.application_id);
        let application = application.ok_or_else(|| Refusal::unknown("application"))?;
        let bot_id = application.user_id;
        let interaction = Interaction { id, bot_id, ..call.interaction };
        let event = payload::event(state, &interaction, &token, &call.data, call.message);
        Ok::<_, Refusal>((event, interaction))
    })?;
    let (id, bot, kind) = (interaction.id, interaction.bot_id, interaction.kind);
    // Before the event: the answer may come at once.
    control.rest.interactions().handle_call(began, token.clone(), interaction);
    let audience = Audience::User(bot);
    let event = "INTERACTION_CREATE";
    deliver(control, kind, Dispatch { event, data, audience, intents: 0 });
    if !wait {
        return Ok((StatusCode::ACCEPTED, Json(json!({ "interaction_id": id.to_string() }))));
    }
    seen::wait_for_answer(control, id, began + limit).await
}

/// Sends the event: once and at once, unless a fault has it otherwise.
fn deliver(control: &Control, kind: u8, dispatch: Dispatch) {
    let world = &control.rest.world;
    let Some(delays) = control.rest.faults.interaction_delays(kind) else {
        return world.dispatch(dispatch);
    };
    let id = dispatch.data["id"].clone();
    let entry = json!({ "interaction_id": id, "delays_ms": delays });
    control.rest.journal.record("fault", "interaction", entry);
    for ms in delays {
        let (world, dispatch) = (world.clone(), dispatch.clone());
        if ms == 0 {
            world.dispatch(dispatch);
            continue;
        }
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms.into())).await;
            world.dispatch(dispatch);
        });
    }
}
