//! Answers to interactions: the first one here, what follows it in `followup`.

mod followup;
mod form;
mod publish;

use std::time::Instant;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) use self::followup::{delete, edit, follow_up, read};
use self::publish::{applied, is_ephemeral, publish, think};
use super::{
    Rest,
    body::MessageBody,
    components::completed_modal,
    error::{ApiError, Form},
    interaction::{Exchange, Interaction, Refused},
    messages::{
        change,
        form::{self as message_form, EPHEMERAL, LOADING},
    },
    snowflake,
};
use crate::world::{self, Message, MessageChange};

/// Callback types ("Interaction Callback Type").
mod callback_type {
    pub(super) const PONG: u64 = 1;
    pub(super) const MESSAGE: u64 = 4;
    pub(super) const DEFERRED_MESSAGE: u64 = 5;
    pub(super) const DEFERRED_UPDATE: u64 = 6;
    pub(super) const UPDATE: u64 = 7;
    pub(super) const CHOICES: u64 = 8;
    pub(super) const MODAL: u64 = 9;
    pub(super) const PREMIUM_REQUIRED: u64 = 10;
    pub(super) const LAUNCH_ACTIVITY: u64 = 12;
}

/// `?with_response=true`
#[derive(Debug, Deserialize)]
pub(super) struct CallbackQuery {
    #[serde(default, deserialize_with = "super::query::flag")]
    with_response: bool,
}

/// `POST /interactions/{id}/{token}/callback`
pub(super) async fn callback(
    State(rest): State<Rest>,
    Path((id, token)): Path<(String, String)>,
    Query(query): Query<CallbackQuery>,
    body: MessageBody,
) -> Result<Response, ApiError> {
    let id = snowflake("interaction_id", &id)?;
    let Some(kind) = body.json.get("type").and_then(Value::as_u64) else {
        return Err(Form::missing("type"));
    };
    let called = rest.interactions().find(&token).map(|one| one.interaction.clone());
    let called = called.ok_or_else(ApiError::unknown_interaction)?;
    form::check_type(&called, kind)?;
    let data = body.json.get("data").filter(|data| !data.is_null());
    let data = data.cloned().unwrap_or_else(|| json!({}));
    // All checks come before the answer is taken: one that is refused can be given again.
    let deed = prepare(&rest, &called, kind, MessageBody { json: data, files: body.files })?;
    let taken = rest.interactions().handle_answer(Instant::now(), id, &token).map(|_| ());
    taken.map_err(|refused| match refused {
        Refused::AlreadyAnswered => ApiError::already_acknowledged(),
        Refused::Unknown | Refused::TokenDied => ApiError::unknown_interaction(),
    })?;
    let shown = deed.shown().unwrap_or_else(|| body.json["data"].clone());
    let message = carry_out(&rest, &called, deed);
    rest.note(&token, |exchange| {
        exchange.callback = Some(json!({ "type": kind, "data": shown }));
        exchange.original = original(exchange, kind, message.as_ref());
        exchange.settled = kind != callback_type::DEFERRED_MESSAGE;
    });
    if !query.with_response {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let answer =
        rest.world.read(|state| response_json(&rest, state, &called, kind, message.as_ref()));
    Ok(Json(answer).into_response())
}

/// What `@original` stands for from now on.
fn original(exchange: &Exchange, kind: u64, message: Option<&Message>) -> Option<u64> {
    match kind {
        callback_type::DEFERRED_UPDATE | callback_type::UPDATE => exchange.interaction.source,
        _ => message.map(|message| message.id),
    }
}

/// What a checked callback does.
enum Deed {
    Send(MessageBody),
    Think { flags: u64 },
    Update(Box<Message>, Box<MessageChange>),
    Open(Value),
    Nothing,
}

impl Deed {
    /// The data of the callback as the human sees it, if that is not what was sent.
    fn shown(&self) -> Option<Value> {
        match self {
            Self::Open(modal) => Some(modal.clone()),
            _ => None,
        }
    }
}

/// Checks the data of a callback.
fn prepare(
    rest: &Rest,
    called: &Interaction,
    kind: u64,
    body: MessageBody,
) -> Result<Deed, ApiError> {
    let data = &body.json;
    if !data.is_object() {
        let mut form = Form::default();
        form.wrong("data", "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType");
        return Err(form.refusal());
    }
    let within = |refused: ApiError| refused.within("data");
    match kind {
        callback_type::MESSAGE => {
            let around = rest.around(called.bot_id, &body, &[]);
            message_form::check_new(data, &around).map_err(within)?;
            Ok(Deed::Send(body))
        }
        // Other flags than this one have no meaning yet.
        callback_type::DEFERRED_MESSAGE => {
            Ok(Deed::Think { flags: message_form::flags(data) & EPHEMERAL })
        }
        callback_type::UPDATE => {
            let source = called.source.and_then(|id| rest.message_of(called, id));
            let source = source.ok_or_else(ApiError::unknown_message)?;
            let change = change(rest, &source, body).map_err(within)?;
            Ok(Deed::Update(Box::new(source), Box::new(change)))
        }
        callback_type::CHOICES => {
            form::check_choices(data, called.focused)?;
            Ok(Deed::Nothing)
        }
        callback_type::MODAL => {
            form::check_opened(data, &rest.around(called.bot_id, &body, &[]))?;
            Ok(Deed::Open(completed_modal(data)))
        }
        _ => Ok(Deed::Nothing),
    }
}

impl Rest {
    /// Notes what became of an interaction; whoever waits for that looks again.
    fn note(&self, token: &str, change: impl FnOnce(&mut Exchange)) {
        if let Some(exchange) = self.interactions().find_mut(token) {
            change(exchange);
            exchange.revision += 1;
        }
        self.note_answer();
    }

    /// A message that belongs to an interaction: its source, or one of its application's.
    fn message_of(&self, called: &Interaction, id: u64) -> Option<Message> {
        let is_source = called.source == Some(id);
        if let Some(hidden) = self.ephemerals().find(id) {
            let own = is_source || hidden.interaction == called.id;
            return own.then(|| hidden.message.clone());
        }
        let found =
            self.world.read(|state| state.messages.get(&called.channel_id)?.get(&id).cloned());
        found.filter(|one| is_source || one.application_id == Some(called.application_id))
    }
}

/// Does what the first answer asks for; the message that came of it.
fn carry_out(rest: &Rest, called: &Interaction, deed: Deed) -> Option<Message> {
    match deed {
        Deed::Send(body) => Some(publish(rest, called, None, body)),
        Deed::Think { flags } => Some(think(rest, called, flags)),
        Deed::Update(source, change) => applied(rest, &source, *change).ok(),
        Deed::Open(_) | Deed::Nothing => None,
    }
}

fn response_json(
    rest: &Rest,
    state: &world::State,
    called: &Interaction,
    kind: u64,
    message: Option<&Message>,
) -> Value {
    let mut answer = json!({
        "interaction": { "id": called.id.to_string(), "type": called.kind },
        "resource": { "type": kind },
    });
    if let Some(message) = message {
        answer["interaction"]["response_message_id"] = message.id.to_string().into();
        answer["interaction"]["response_message_loading"] = (message.flags & LOADING != 0).into();
        answer["interaction"]["response_message_ephemeral"] = is_ephemeral(message).into();
        if kind != callback_type::DEFERRED_MESSAGE {
            answer["resource"]["message"] = rest.shown(state, message);
        }
    }
    answer
}
