//! Slash commands that humans call, and type option by option.

use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde_json::{Value, json};

use super::{
    Answer, Call, Control, Refusal, guild_of, limit,
    options::{Filled, Filling, set_attachments},
    payload::{context, resolved},
    place,
};
use crate::{
    control::{
        Wait,
        humans::{Who, id_in},
    },
    rest::{
        body::JsonBody,
        interaction::{Interaction, interaction_kind},
    },
    world::{State as World, bits, kind},
};

/// What a human wants of a command.
struct Wanted<'a> {
    human: u64,
    body: &'a Value,
    channel: u64,
    guild: Option<u64>,
}

/// `POST humans/{human}/commands`
pub(in crate::control) async fn command(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Answer {
    let wanted = wanted(&control, human, &body)?;
    let (command, filled) = control.rest.world.read(|state| {
        let command = callable(state, &wanted)?.clone();
        let mut filling = filling(state, &wanted);
        let filled = filling.options(&command["options"], &body["options"]);
        filled.map_err(Refusal::bad)?;
        Ok::<_, Refusal>((command, filling.filled))
    })?;
    let call = call(&control, &wanted, &command, filled, interaction_kind::COMMAND);
    place(&control, call, query.wait, limit(&body)).await
}

/// `POST humans/{human}/autocomplete`
pub(in crate::control) async fn autocomplete(
    State(control): State<Control>,
    Who(human): Who,
    Query(query): Query<Wait>,
    JsonBody(body): JsonBody,
) -> Answer {
    let focused = body.get("focused").and_then(Value::as_str);
    let focused = focused.ok_or_else(|| Refusal::bad("`focused` must name an option"))?;
    let wanted = wanted(&control, human, &body)?;
    let (command, filled) = control.rest.world.read(|state| {
        let command = callable(state, &wanted)?.clone();
        let mut filling = Filling { focused: Some(focused), ..filling(state, &wanted) };
        let filled = filling.options(&command["options"], &body["options"]);
        filled.map_err(Refusal::bad)?;
        if filling.filled.focused.is_none() {
            let why = format!("`{focused}` must be among the `options`, as far as it is typed");
            return Err(Refusal::bad(why));
        }
        Ok::<_, Refusal>((command, filling.filled))
    })?;
    let call = call(&control, &wanted, &command, filled, interaction_kind::AUTOCOMPLETE);
    place(&control, call, query.wait, limit(&body)).await
}

fn wanted<'a>(control: &Control, human: u64, body: &'a Value) -> Result<Wanted<'a>, Refusal> {
    let channel = id_in(body, "channel_id")?;
    control.rest.world.read(|state| {
        let channel = channel.or_else(|| first_text_channel(state));
        let channel = channel.ok_or_else(|| Refusal::bad("`channel_id` must be there"))?;
        let guild = guild_of(state, human, channel)?;
        Ok(Wanted { human, body, channel, guild })
    })
}

fn filling<'a>(state: &'a World, wanted: &Wanted<'_>) -> Filling<'a> {
    let (human, guild, channel) = (wanted.human, wanted.guild, wanted.channel);
    Filling { state, human, guild, channel, focused: None, filled: Filled::default() }
}

/// The command of the body's name, if the client would show it to this human there.
fn callable<'s>(state: &'s World, wanted: &Wanted<'_>) -> Result<&'s Value, Refusal> {
    let name = wanted.body.get("name").and_then(Value::as_str).unwrap_or_default();
    let name = name.trim_start_matches('/');
    let application = id_in(wanted.body, "application_id")?;
    let forbidden = |why: &str| Err(Refusal::new(StatusCode::FORBIDDEN, why));
    if !state.may(wanted.human, wanted.channel, bits::USE_APPLICATION_COMMANDS) {
        return forbidden("that human may not use application commands there");
    }
    let command = find_command(state, wanted.guild, application, name).ok_or_else(|| {
        let known = registered(state, wanted.guild);
        Refusal::unknown(&format!("command `{name}`; registered: {known}"))
    })?;
    if !is_in_context(state, wanted.channel, command) {
        return forbidden("that command is not for such a channel");
    }
    if wanted.guild.is_some() && !has_default_permissions(state, wanted, command) {
        return forbidden("that human lacks the permissions the command asks for");
    }
    let channel = state.channels.get(&wanted.channel);
    if command["nsfw"] == true && !channel.is_some_and(|channel| channel.nsfw) {
        return forbidden("that command is for channels for adults");
    }
    Ok(command)
}

/// `contexts`, and `dm_permission` of before.
fn is_in_context(state: &World, channel: u64, command: &Value) -> bool {
    let application = command["application_id"].as_str().and_then(|id| id.parse::<u64>().ok());
    let bot = application.and_then(|id| Some(state.applications.get(&id)?.user_id));
    let here = context(state, channel, bot);
    match command["contexts"].as_array() {
        Some(contexts) => contexts.iter().any(|context| *context == here),
        // Whoever did not install it for themselves has it in guilds and in the bot's messages.
        None => here == 0 || (here == 1 && command["dm_permission"] != false),
    }
}

/// `default_member_permissions`: all of these; `"0"` leaves administrators alone.
fn has_default_permissions(state: &World, wanted: &Wanted<'_>, command: &Value) -> bool {
    let needed = command["default_member_permissions"].as_str();
    let Some(needed) = needed.and_then(|bits| bits.parse::<u64>().ok()) else { return true };
    let has = state.channel_permissions(wanted.channel, wanted.human);
    let needed = if needed == 0 { bits::ADMINISTRATOR } else { needed };
    has & needed == needed
}

/// The interaction of a command whose options are filled in.
fn call(control: &Control, wanted: &Wanted<'_>, command: &Value, filled: Filled, kind: u8) -> Call {
    let Filled { mut options, mut named, uploads, focused } = filled;
    let kept = control.rest.keep_files(wanted.channel, uploads, None);
    set_attachments(&mut options, &mut kept.iter());
    named.attachments = kept;
    let mut data = json!({
        "id": command["id"],
        "name": command["name"],
        "type": command["type"],
        "options": options,
    });
    if let Some(guild) = command.get("guild_id") {
        data["guild_id"] = guild.clone();
    }
    let objects =
        control.rest.world.read(|state| resolved(state, wanted.guild, wanted.human, &named));
    if !objects.is_null() {
        data["resolved"] = objects;
    }
    let application = command["application_id"].as_str().and_then(|id| id.parse().ok());
    let interaction = Interaction {
        kind,
        application_id: application.unwrap_or_default(),
        guild_id: wanted.guild,
        channel_id: wanted.channel,
        user_id: wanted.human,
        command: full_name(command["name"].as_str().unwrap_or_default(), &options),
        focused,
        ..Interaction::default()
    };
    Call { interaction, data, message: None }
}

/// The command's name with the subcommand that was chosen: `vc join`.
fn full_name(name: &str, options: &[Value]) -> String {
    match options {
        [option] if option.get("options").is_some() => {
            let inner = option["options"].as_array().map_or(&[][..], Vec::as_slice);
            format!("{name} {}", full_name(option["name"].as_str().unwrap_or_default(), inner))
        }
        _ => name.to_owned(),
    }
}

fn first_text_channel(state: &World) -> Option<u64> {
    let guild = state.default_guild()?.id;
    let mut channels: Vec<_> =
        state.channels_in(guild).filter(|channel| channel.kind == kind::TEXT).collect();
    channels.sort_by_key(|channel| channel.position);
    channels.first().map(|channel| channel.id)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::default::{ADA, APPLICATION, BEN, BOT_USER, GENERAL, GUILD, default_state};

    #[test]
    fn the_client_shows_commands_where_they_belong() {
        let mut state = default_state();
        let direct = state.direct_message(BEN, BOT_USER);
        let between = state.direct_message(BEN, ADA);
        let (guild, none) = (Some(GUILD), None);
        let cases = [
            (json!({}), BEN, GENERAL, guild, true),
            (json!({}), BEN, direct, none, true),
            (json!({}), BEN, between, none, false),
            (json!({ "contexts": [0] }), BEN, direct, none, false),
            (json!({ "contexts": [1] }), BEN, GENERAL, guild, false),
            (json!({ "contexts": [2] }), BEN, between, none, true),
            (json!({ "dm_permission": false }), BEN, direct, none, false),
            (json!({ "default_member_permissions": "0" }), BEN, GENERAL, guild, false),
            (json!({ "default_member_permissions": "0" }), ADA, GENERAL, guild, true),
            (json!({ "default_member_permissions": "0" }), BEN, direct, none, true),
            (
                json!({ "default_member_permissions": bits::MANAGE_GUILD.to_string() }),
                BEN,
                GENERAL,
                guild,
                false,
            ),
            (
                json!({ "default_member_permissions": bits::SEND_MESSAGES.to_string() }),
                BEN,
                GENERAL,
                guild,
                true,
            ),
            (json!({ "nsfw": true }), BEN, GENERAL, guild, false),
        ];
        for (changes, human, channel, guild, shown) in cases {
            let mut command = json!({ "name": "x", "type": 1,
                "application_id": APPLICATION.to_string() });
            for (field, value) in changes.as_object().unwrap() {
                command[field] = value.clone();
            }
            state.commands.insert((APPLICATION, None), vec![command]);
            let body = json!({ "name": "/x" });
            let wanted = Wanted { human, body: &body, channel, guild };
            assert_eq!(callable(&state, &wanted).is_ok(), shown, "{changes} {human} {channel}");
        }
    }

    #[test]
    fn a_subcommand_is_part_of_the_name() {
        let options = [json!({ "name": "join", "type": 1, "options": [] })];
        assert_eq!(full_name("vc", &options), "vc join");
        assert_eq!(full_name("vc", &[json!({ "name": "to", "type": 3, "value": "x" })]), "vc");
    }
}
