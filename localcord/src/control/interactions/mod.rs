//! Commands that humans call, and components they use: INTERACTION_CREATE, and the answer.

use std::time::{Duration, Instant};

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::time::timeout_at;

use super::{
    Control, Refusal, Wait,
    call::{Named, fill_options},
    humans::{Who, id_in},
};
use crate::{
    rest::{
        body::{JsonBody, MOST_BYTES},
        interaction::Interaction,
    },
    world::{Audience, Dispatch, State as World, bits, kind},
};

/// The first answer is due after three seconds; a little more for the last one to be read.
const ANSWER_TIME: Duration = Duration::from_millis(3200);
/// How long `?wait=true` waits for a deferred answer, if the body does not say.
const DEFERRED_TIME_MS: u64 = 30_000;
const COMMAND: u8 = 2;
const COMPONENT: u8 = 3;
/// Locale of all humans.
const LOCALE: &str = "en-US";

type Answer = Result<(StatusCode, Json<Value>), Refusal>;

/// `POST humans/{human}/commands`
pub(super) async fn command(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Answer {
    let name = body.get("name").and_then(Value::as_str).unwrap_or_default().trim_start_matches('/');
    let options = body.get("options").cloned().unwrap_or_default();
    let wanted = (id_in(&body, "channel_id")?, id_in(&body, "application_id")?);
    let call = control.rest.world.read(|state| {
        let channel = wanted.0.or_else(|| first_text_channel(state));
        let channel = channel.ok_or_else(|| Refusal::bad("`channel_id` must be there"))?;
        let guild = guild_of(state, human, channel)?;
        if !state.may(human, channel, bits::USE_APPLICATION_COMMANDS) {
            let why = "that human may not use application commands there";
            return Err(Refusal::new(StatusCode::FORBIDDEN, why));
        }
        let command = find_command(state, guild, wanted.1, name).ok_or_else(|| {
            Refusal::unknown(&format!("command `{name}`; registered: {}", registered(state, guild)))
        })?;
        let mut named = Named::default();
        let options =
            fill_options(&command["options"], &options, &mut named).map_err(Refusal::bad)?;
        let mut data = json!({
            "id": command["id"],
            "name": command["name"],
            "type": command["type"],
            "options": options,
        });
        if let Some(guild) = command.get("guild_id") {
            data["guild_id"] = guild.clone();
        }
        if let Some(resolved) = resolved(state, guild, &named) {
            data["resolved"] = resolved;
        }
        let application = command["application_id"].as_str().and_then(|id| id.parse().ok());
        Ok(Call { human, channel, guild, application, kind: COMMAND, data, message: None })
    })?;
    place(&control, call, query.wait, deadline(&body)).await
}

/// `POST humans/{human}/components`
pub(super) async fn component(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Answer {
    let required = |field: &str| -> Result<u64, Refusal> {
        id_in(&body, field)?.ok_or_else(|| Refusal::bad(format!("`{field}` must be there")))
    };
    let (channel, message) = (required("channel_id")?, required("message_id")?);
    let custom_id = body.get("custom_id").and_then(Value::as_str).unwrap_or_default();
    let call = control.rest.world.read(|state| {
        let guild = guild_of(state, human, channel)?;
        let all = state.messages.get(&channel);
        let found = all.and_then(|all| all.get(&message));
        let found = found.ok_or_else(|| Refusal::unknown("message"))?;
        let component = find_component(&found.components, custom_id)
            .ok_or_else(|| Refusal::unknown("component with that `custom_id`"))?;
        let mut data = json!({ "custom_id": custom_id, "component_type": component["type"] });
        if let Some(values) = body.get("values") {
            data["values"] = values.clone();
        }
        let application = state.application_of(found.author_id).map(|found| found.id);
        let message = Some((message, control.rest.shown(state, found)));
        Ok::<_, Refusal>(Call {
            human,
            channel,
            guild,
            application,
            kind: COMPONENT,
            data,
            message,
        })
    })?;
    place(&control, call, query.wait, deadline(&body)).await
}

/// What a human called, checked.
struct Call {
    human: u64,
    channel: u64,
    guild: Option<u64>,
    application: Option<u64>,
    kind: u8,
    data: Value,
    message: Option<(u64, Value)>,
}

fn deadline(body: &Value) -> Duration {
    let ms = body.get("timeout_ms").and_then(Value::as_u64).unwrap_or(DEFERRED_TIME_MS);
    Duration::from_millis(ms)
}

fn first_text_channel(state: &World) -> Option<u64> {
    let guild = state.default_guild()?.id;
    let mut channels: Vec<_> =
        state.channels_in(guild).filter(|channel| channel.kind == kind::TEXT).collect();
    channels.sort_by_key(|channel| channel.position);
    channels.first().map(|channel| channel.id)
}

/// The guild of a channel the human sees; none for direct messages.
fn guild_of(state: &World, human: u64, channel: u64) -> Result<Option<u64>, Refusal> {
    let found = state.channels.get(&channel).ok_or_else(|| Refusal::unknown("channel"))?;
    if !state.may(human, channel, bits::VIEW_CHANNEL) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "that human does not see the channel"));
    }
    Ok(found.guild_id)
}

/// A slash command: those of the guild come before those valid everywhere.
fn find_command<'a>(
    state: &'a World,
    guild: Option<u64>,
    application: Option<u64>,
    name: &str,
) -> Option<&'a Value> {
    let in_scope = |scope: Option<u64>| {
        state
            .commands
            .iter()
            .filter(move |((_, valid), _)| *valid == scope)
            .filter(move |((owner, _), _)| application.is_none_or(|wanted| wanted == *owner))
            .flat_map(|(_, commands)| commands)
            .find(|command| command["name"] == name && command["type"] == 1)
    };
    guild.and_then(|guild| in_scope(Some(guild))).or_else(|| in_scope(None))
}

fn registered(state: &World, guild: Option<u64>) -> String {
    let scopes = state.commands.iter().filter(|((_, scope), _)| scope.is_none() || *scope == guild);
    let names = scopes.flat_map(|(_, commands)| commands);
    names.filter_map(|command| command["name"].as_str()).collect::<Vec<_>>().join(", ")
}

fn find_component<'a>(components: &'a [Value], custom_id: &str) -> Option<&'a Value> {
    components.iter().find_map(|component| {
        if component["custom_id"] == custom_id {
            return Some(component);
        }
        let accessory = component.get("accessory").filter(|one| one["custom_id"] == custom_id);
        let nested = component["components"].as_array();
        accessory.or_else(|| find_component(nested?, custom_id))
    })
}

/// The objects behind the ids in the options.
fn resolved(state: &World, guild: Option<u64>, named: &Named) -> Option<Value> {
    let mut objects = json!({});
    for user in named.users.iter().filter(|user| state.users.contains_key(user)) {
        objects["users"][user.to_string()] = state.user_json(*user);
        if let Some(member) = guild.and_then(|guild| state.member_json(guild, *user)) {
            objects["members"][user.to_string()] = member;
        }
    }
    for channel in named.channels.iter().filter_map(|channel| state.channels.get(channel)) {
        objects["channels"][channel.id.to_string()] = state.channel_json(channel, None);
    }
    let roles = guild.and_then(|guild| state.guilds.get(&guild)).map(|guild| &guild.roles);
    for role in named.roles.iter().filter_map(|role| roles?.get(role)) {
        objects["roles"][role.id.to_string()] = role.to_json();
    }
    objects.as_object().is_some_and(|found| !found.is_empty()).then_some(objects)
}

/// Dispatches the interaction to its bot; waits for the answer if that is wanted.
async fn place(control: &Control, call: Call, wait: bool, limit: Duration) -> Answer {
    let began = tokio::time::Instant::now();
    let token = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 48]>());
    let (data, interaction) = control.rest.world.write(|state| {
        let id = state.next_id();
        let application = call.application.and_then(|id| state.applications.get(&id));
        let application = application.ok_or_else(|| Refusal::unknown("application"))?;
        let mut interaction = Interaction::new(
            Instant::now(),
            id,
            (application.id, application.user_id),
            (call.guild, call.channel, call.human),
            call.data["name"].as_str().unwrap_or_default().to_owned(),
            call.kind,
        );
        interaction.source = call.message.as_ref().map(|(id, _)| *id);
        Ok::<_, Refusal>((event(state, &interaction, &token, &call), interaction))
    })?;
    let (id, bot) = (interaction.id, interaction.bot_id);
    // Before the event: the answer may come at once.
    control.rest.interactions().handle_call(Instant::now(), token.clone(), interaction);
    let audience = Audience::User(bot);
    let event = "INTERACTION_CREATE";
    control.rest.world.dispatch(Dispatch { event, data, audience, intents: 0 });
    if !wait {
        return Ok((StatusCode::ACCEPTED, Json(json!({ "interaction_id": id.to_string() }))));
    }
    wait_for_answer(control, &token, began, limit).await
}

async fn wait_for_answer(
    control: &Control,
    token: &str,
    began: tokio::time::Instant,
    limit: Duration,
) -> Answer {
    let mut answers = control.rest.answers();
    loop {
        let now = control.rest.interactions().find(token).cloned();
        let now = now.ok_or_else(|| Refusal::unknown("interaction"))?;
        if now.settled {
            return Ok((StatusCode::OK, Json(answer_json(control, &now))));
        }
        let answered = now.callback.is_some();
        let until = began + if answered { limit } else { ANSWER_TIME.min(limit) };
        if !matches!(timeout_at(until, answers.changed()).await, Ok(Ok(()))) {
            let why = if answered {
                "the application is still thinking"
            } else {
                "the application did not respond"
            };
            return Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, why));
        }
    }
}

/// What the human sees: the type of the callback, its data, and the message that came of it.
fn answer_json(control: &Control, interaction: &Interaction) -> Value {
    let callback = interaction.callback.as_ref();
    let message = control.rest.world.read(|state| {
        let id = interaction.original?;
        let hidden = interaction.ephemeral.iter().find(|message| message.id == id);
        let open = || state.messages.get(&interaction.channel_id)?.get(&id);
        Some(control.rest.shown(state, hidden.or_else(open)?))
    });
    json!({
        "interaction_id": interaction.id.to_string(),
        "type": callback.map(|callback| callback["type"].clone()),
        "data": callback.map(|callback| callback["data"].clone()),
        "message": message,
    })
}

/// The data of INTERACTION_CREATE.
fn event(state: &World, interaction: &Interaction, token: &str, call: &Call) -> Value {
    let bot_may = state.channel_permissions(call.channel, interaction.bot_id);
    let human_may = state.channel_permissions(call.channel, call.human);
    let owner = call.guild.unwrap_or(call.human).to_string();
    let mut data = json!({
        "id": interaction.id.to_string(),
        "application_id": interaction.application_id.to_string(),
        "type": interaction.kind,
        "data": call.data,
        "token": token,
        "version": 1,
        "channel_id": call.channel.to_string(),
        "app_permissions": bot_may.to_string(),
        "locale": LOCALE,
        "entitlements": [],
        "authorizing_integration_owners": { "0": owner },
        "context": if call.guild.is_some() { 0 } else { 1 },
        "attachment_size_limit": MOST_BYTES,
    });
    if let Some(channel) = state.channels.get(&call.channel) {
        data["channel"] = state.channel_json(channel, Some(interaction.bot_id));
        data["channel"]["permissions"] = human_may.to_string().into();
    }
    if let Some((_, message)) = &call.message {
        data["message"] = message.clone();
    }
    match call.guild {
        Some(guild) => {
            let mut member = state.member_json(guild, call.human).unwrap_or_default();
            member["permissions"] = human_may.to_string().into();
            data["member"] = member;
            data["guild_id"] = guild.to_string().into();
            data["guild_locale"] = LOCALE.into();
            data["guild"] = json!({ "id": guild.to_string(), "locale": LOCALE, "features": [] });
        }
        None => data["user"] = state.user_json(call.human),
    }
    data
}
