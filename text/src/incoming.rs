//! Dispatches of the main gateway, bytes to our own values.
//!
//! Only the fields that are used are read, and all of them leniently: Discord adds fields and
//! kinds at any time, and one unknown object inside a GUILD_CREATE must not cost the guild's voice
//! states. Source: Discord, "Gateway Events" and "Receiving and Responding".

use std::collections::HashMap;

use clawvoice_session::{
    ChannelId, GuildId, RoleId, UserId, VoiceChannel, VoiceGatewayEvent, VoiceServerChange,
    VoiceStateChange,
};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::command::{AskedIn, ChannelKind, ChosenChannel, Invocation};

/// Something that happened on Discord.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// READY: a new session.
    Ready(Ready),
    /// RESUMED: the old session goes on.
    Resumed,
    /// Something voice follows, in order.
    Voice(Vec<VoiceGatewayEvent>),
    /// INTERACTION_CREATE with a slash command.
    Command(Interaction),
    /// Anything else.
    Other,
}

/// The parts of READY that are used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ready {
    /// The bot's own user.
    pub(crate) user: UserId,
    /// Where a lost connection is resumed.
    pub(crate) resume_url: String,
}

/// A slash command and what is needed to answer it.
#[derive(Debug)]
pub(crate) struct Interaction {
    /// The interaction's id.
    pub(crate) id: u64,
    /// The application it is for.
    pub(crate) application: u64,
    /// Authorises answers for 15 minutes.
    pub(crate) token: SecretString,
    /// What was typed.
    pub(crate) invocation: Invocation,
}

/// A dispatch that is not what Discord documents.
#[derive(Debug, thiserror::Error)]
#[error("{event} cannot be read: {source}")]
pub(crate) struct IncomingError {
    event: String,
    source: serde_json::Error,
}

/// An id of a kind that has no type of its own.
struct Snowflake(u64);

impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Every id type reads the same decimal text.
        UserId::deserialize(deserializer).map(|id| Self(id.get()))
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    op: u64,
    t: Option<String>,
    #[serde(borrow)]
    d: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireReady {
    user: WireUser,
    resume_gateway_url: String,
}

#[derive(Deserialize)]
struct WireUser {
    id: UserId,
    #[serde(default)]
    username: String,
    global_name: Option<String>,
    #[serde(default)]
    bot: bool,
}

#[derive(Deserialize)]
struct WireMember {
    user: Option<WireUser>,
    nick: Option<String>,
    roles: Option<Vec<RoleId>>,
}

/// A member, and which guild's.
#[derive(Deserialize)]
struct WireMemberOf {
    guild_id: GuildId,
    #[serde(flatten)]
    member: WireMember,
}

#[derive(Deserialize)]
struct WireVoiceState {
    guild_id: Option<GuildId>,
    channel_id: Option<ChannelId>,
    user_id: UserId,
    member: Option<WireMember>,
    #[serde(default)]
    session_id: String,
    #[serde(default)]
    suppress: bool,
}

#[derive(Deserialize)]
struct WireVoiceChannel {
    id: ChannelId,
    #[serde(default)]
    name: String,
    guild_id: Option<GuildId>,
    #[serde(rename = "type")]
    kind: u64,
    bitrate: Option<u32>,
}

#[derive(Deserialize)]
struct WireGuild<'a> {
    id: GuildId,
    #[serde(default)]
    name: String,
    #[serde(borrow, default)]
    members: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    channels: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    voice_states: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireVoiceServer {
    guild_id: GuildId,
    endpoint: Option<String>,
    token: String,
}

#[derive(Deserialize)]
struct WireInteraction {
    id: Snowflake,
    application_id: Snowflake,
    #[serde(rename = "type")]
    kind: u64,
    token: String,
    guild_id: Option<GuildId>,
    channel: Option<WireChannel>,
    member: Option<WireMember>,
    user: Option<WireUser>,
    data: Option<WireCommand>,
}

#[derive(Deserialize)]
struct WireCommand {
    name: Option<String>,
    #[serde(default)]
    options: Vec<WireOption>,
    #[serde(default)]
    resolved: WireResolved,
}

#[derive(Deserialize)]
struct WireOption {
    name: String,
    #[serde(rename = "type")]
    kind: u64,
    #[serde(default)]
    value: serde_json::Value,
    #[serde(default)]
    options: Vec<WireOption>,
}

#[derive(Default, Deserialize)]
struct WireResolved {
    #[serde(default)]
    channels: HashMap<String, WireChannel>,
}

#[derive(Deserialize)]
struct WireChannel {
    id: Option<ChannelId>,
    #[serde(rename = "type")]
    kind: u64,
    #[serde(default)]
    name: String,
    parent_id: Option<ChannelId>,
}

/// Interaction type 2: a slash command. Source: Discord, "Interaction Type".
const APPLICATION_COMMAND: u64 = 2;
/// Option type 1: a subcommand. Source: Discord, "Application Command Option Type".
const SUBCOMMAND: u64 = 1;
/// Channel types 2 and 13. Source: Discord, "Channel Types".
const VOICE_CHANNEL: u64 = 2;
const STAGE_CHANNEL: u64 = 13;
/// Channel types 10, 11 and 12: threads.
const THREADS: [u64; 3] = [10, 11, 12];
/// Of a voice channel that does not say, bits per second.
const DEFAULT_BITRATE: u32 = 64_000;
/// Option type 7: a channel.
const CHANNEL: u64 = 7;

/// Reads one gateway message.
///
/// # Errors
///
/// A dispatch of a kind that is used, without the fields that are used.
pub(crate) fn read(text: &str) -> Result<Incoming, IncomingError> {
    let envelope: Envelope<'_> = parse("gateway message", text)?;
    let (0, Some(event)) = (envelope.op, envelope.t) else { return Ok(Incoming::Other) };
    let data = envelope.d.map_or("null", RawValue::get);
    Ok(match event.as_str() {
        "READY" => {
            let ready: WireReady = parse(&event, data)?;
            Incoming::Ready(Ready { user: ready.user.id, resume_url: ready.resume_gateway_url })
        }
        "RESUMED" => Incoming::Resumed,
        "GUILD_CREATE" => Incoming::Voice(guild(&parse(&event, data)?)),
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" => {
            let channel: WireVoiceChannel = parse(&event, data)?;
            let guild = channel.guild_id;
            Incoming::Voice(guild.map_or_else(Vec::new, |guild| voice_channel(guild, channel)))
        }
        "GUILD_UPDATE" => {
            let guild: WireGuild<'_> = parse(&event, data)?;
            Incoming::Voice(guild_name(&guild).into_iter().collect())
        }
        "GUILD_MEMBER_UPDATE" => {
            let member: WireMemberOf = parse(&event, data)?;
            Incoming::Voice(about(member.guild_id, &member.member).collect())
        }
        "VOICE_STATE_UPDATE" => {
            let state: WireVoiceState = parse(&event, data)?;
            // Without a guild it is a call in a direct message, which bots cannot join.
            Incoming::Voice(state.guild_id.map_or_else(Vec::new, |id| voice_state(id, state)))
        }
        "VOICE_SERVER_UPDATE" => {
            let server: WireVoiceServer = parse(&event, data)?;
            Incoming::Voice(vec![VoiceGatewayEvent::Server(VoiceServerChange {
                guild: server.guild_id,
                endpoint: server.endpoint.filter(|endpoint| !endpoint.is_empty()),
                token: server.token.into(),
            })])
        }
        "INTERACTION_CREATE" => {
            interaction(parse(&event, data)?).map_or(Incoming::Other, Incoming::Command)
        }
        _ => Incoming::Other,
    })
}

fn parse<'a, T: Deserialize<'a>>(event: &str, text: &'a str) -> Result<T, IncomingError> {
    serde_json::from_str(text)
        .map_err(|source| IncomingError { event: event.chars().take(40).collect(), source })
}

fn guild(guild: &WireGuild<'_>) -> Vec<VoiceGatewayEvent> {
    let members = each::<WireMember>(&guild.members);
    let members = members.flat_map(|member| about(guild.id, &member).collect::<Vec<_>>());
    let states =
        each::<WireVoiceState>(&guild.voice_states).flat_map(|state| voice_state(guild.id, state));
    // Before the states: what a state means depends on the channel.
    let channels = each::<WireVoiceChannel>(&guild.channels)
        .flat_map(|channel| voice_channel(guild.id, channel));
    guild_name(guild).into_iter().chain(members).chain(channels).chain(states).collect()
}

/// An unavailable guild has no name.
fn guild_name(guild: &WireGuild<'_>) -> Option<VoiceGatewayEvent> {
    let name = guild.name.clone();
    (!name.is_empty()).then_some(VoiceGatewayEvent::GuildName { guild: guild.id, name })
}

/// A voice or stage channel; other kinds have no voice.
fn voice_channel(guild: GuildId, channel: WireVoiceChannel) -> Vec<VoiceGatewayEvent> {
    let stage = match channel.kind {
        VOICE_CHANNEL => false,
        STAGE_CHANNEL => true,
        _ => return Vec::new(),
    };
    let bitrate = channel.bitrate.unwrap_or(DEFAULT_BITRATE);
    let id = channel.id;
    vec![
        VoiceGatewayEvent::Channel(VoiceChannel { guild, channel: id, stage, bitrate }),
        VoiceGatewayEvent::ChannelName { channel: id, name: channel.name },
    ]
}

/// The readable ones of a list.
fn each<'a, T: DeserializeOwned>(items: &'a [&'a RawValue]) -> impl Iterator<Item = T> + 'a {
    items.iter().filter_map(|item| serde_json::from_str(item.get()).ok())
}

fn voice_state(guild: GuildId, state: WireVoiceState) -> Vec<VoiceGatewayEvent> {
    let member = state.member.as_ref().map(|member| about(guild, member).collect::<Vec<_>>());
    let change = VoiceGatewayEvent::State(VoiceStateChange {
        guild,
        user: state.user_id,
        channel: state.channel_id,
        session_id: state.session_id,
        suppressed: state.suppress,
    });
    member.into_iter().flatten().chain([change]).collect()
}

/// What is told of a member: their name, and their roles.
fn about(guild: GuildId, member: &WireMember) -> impl Iterator<Item = VoiceGatewayEvent> + use<> {
    let user = member.user.as_ref().map(|user| user.id);
    let roles = user.zip(member.roles.clone());
    let roles = roles.map(|(user, roles)| VoiceGatewayEvent::Roles { guild, user, roles });
    name(guild, member).into_iter().chain(roles)
}

fn name(guild: GuildId, member: &WireMember) -> Option<VoiceGatewayEvent> {
    let user = member.user.as_ref()?;
    let label = [member.nick.as_deref(), user.global_name.as_deref(), Some(&user.username)]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())?;
    Some(VoiceGatewayEvent::Name { guild, user: user.id, label: label.to_owned(), bot: user.bot })
}

/// Of a thread, the parent is the channel it belongs to; of a channel it is a mere category.
fn place(channel: WireChannel) -> Option<AskedIn> {
    let is_thread = THREADS.contains(&channel.kind);
    Some(AskedIn {
        channel: channel.id?,
        name: channel.name,
        parent: channel.parent_id.filter(|_| is_thread),
    })
}

fn interaction(wire: WireInteraction) -> Option<Interaction> {
    let (APPLICATION_COMMAND, Some(data)) = (wire.kind, wire.data) else { return None };
    let subcommand = data.options.iter().find(|option| option.kind == SUBCOMMAND);
    let channel = subcommand
        .and_then(|chosen| chosen.options.iter().find(|option| option.kind == CHANNEL))
        .and_then(|option| option.value.as_str()?.parse::<ChannelId>().ok())
        .map(|id| {
            let resolved = data.resolved.channels.get(&id.to_string());
            let kind = resolved.map(|channel| ChannelKind::from_wire(channel.kind));
            ChosenChannel { id, kind, name: resolved.map(|it| it.name.clone()).unwrap_or_default() }
        });
    let roles = wire.member.as_ref().and_then(|member| member.roles.clone()).unwrap_or_default();
    let nick = wire.member.as_ref().and_then(|member| member.nick.clone());
    let who = wire.member.and_then(|member| member.user).or(wire.user);
    let user = who.as_ref().map(|user| user.id);
    let names = who.into_iter().flat_map(|user| [user.global_name, Some(user.username)]);
    let names = [nick].into_iter().chain(names).flatten().collect();
    Some(Interaction {
        id: wire.id.0,
        application: wire.application_id.0,
        token: wire.token.into(),
        invocation: Invocation {
            name: data.name?,
            guild: wire.guild_id,
            asked_in: wire.channel.and_then(place),
            user,
            roles,
            names,
            subcommand: subcommand.map(|option| option.name.clone()),
            channel,
        },
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;

    fn dispatch(event: &str, data: Value) -> Incoming {
        read(&json!({"op": 0, "s": 1, "t": event, "d": data}).to_string()).unwrap()
    }

    /// Events in a form that can be compared.
    fn told(incoming: Incoming) -> Vec<String> {
        let Incoming::Voice(events) = incoming else { panic!("{incoming:?}") };
        events
            .into_iter()
            .map(|event| match event {
                VoiceGatewayEvent::Name { guild, user, label, bot } => {
                    format!("name {guild} {user} {label} {bot}")
                }
                VoiceGatewayEvent::State(state) => format!(
                    "state {} {} {:?} {}",
                    state.guild,
                    state.user,
                    state.channel.map(ChannelId::get),
                    state.session_id
                ),
                VoiceGatewayEvent::Server(server) => format!(
                    "server {} {:?} {}",
                    server.guild,
                    server.endpoint,
                    server.token.expose_secret()
                ),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn ready_names_the_bot_and_the_way_back() {
        let data = json!({"v": 10, "user": {"id": "5", "username": "claw", "bot": true},
            "session_id": "s", "resume_gateway_url": "ws://127.0.0.1:1", "guilds": []});
        let Incoming::Ready(ready) = dispatch("READY", data) else { panic!("not READY") };
        assert_eq!(
            ready,
            Ready { user: UserId::new(5), resume_url: "ws://127.0.0.1:1".to_owned() }
        );
        assert!(matches!(dispatch("RESUMED", json!({"_trace": []})), Incoming::Resumed));
    }

    #[test]
    fn a_guild_tells_names_before_states_and_survives_an_unknown_member() {
        let data = json!({"id": "1", "name": "g", "members": [
                {"nick": "Ada", "user": {"id": "2", "username": "ada"}},
                {"nick": null, "user": {"id": "3", "username": "bob", "global_name": "Bob"}},
                {"nick": " ", "user": {"id": "4", "username": "claw", "bot": true}},
                {"user": {"id": "not an id"}}, 7],
            "voice_states": [{"user_id": "2", "channel_id": "9", "session_id": "x"}, "?"]});
        assert_eq!(
            told(dispatch("GUILD_CREATE", data)),
            [
                r#"GuildName { guild: GuildId(1), name: "g" }"#,
                "name 1 2 Ada false",
                "name 1 3 Bob false",
                "name 1 4 claw true",
                "state 1 2 Some(9) x"
            ]
        );
        assert_eq!(
            told(dispatch("GUILD_CREATE", json!({"id": "1", "unavailable": true}))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn voice_states_and_servers() {
        let moved = json!({"guild_id": "1", "user_id": "2", "channel_id": null, "session_id": "x",
            "member": {"nick": "Ada", "user": {"id": "2", "username": "ada"}}});
        assert_eq!(
            told(dispatch("VOICE_STATE_UPDATE", moved)),
            ["name 1 2 Ada false", "state 1 2 None x"]
        );
        let in_dm = json!({"user_id": "2", "channel_id": "3", "session_id": "x"});
        assert_eq!(told(dispatch("VOICE_STATE_UPDATE", in_dm)), Vec::<String>::new());
        let server = json!({"guild_id": "1", "endpoint": "h:443", "token": "t"});
        assert_eq!(told(dispatch("VOICE_SERVER_UPDATE", server)), [r#"server 1 Some("h:443") t"#]);
        for gone in [json!(null), json!("")] {
            let server = json!({"guild_id": "1", "endpoint": gone, "token": "t"});
            assert_eq!(told(dispatch("VOICE_SERVER_UPDATE", server)), ["server 1 None t"]);
        }
    }

    fn vc(kind: u64, options: Value) -> Value {
        json!({"id": "70", "application_id": "6", "type": kind, "token": "tok", "guild_id": "1", "channel_id": "8",
            "channel": {"id": "8", "type": 11, "name": "chat", "parent_id": "7"},
            "member": {"user": {"id": "2", "username": "ada"}, "nick": "Countess", "roles": ["80"],
                "permissions": "0"},
            "data": {"id": "6", "name": "vc", "type": 1, "options": options,
                "resolved": {"channels": {"9": {"id": "9", "type": 2, "name": "Talk"}}}}})
    }

    #[test]
    fn a_command_with_its_channel() {
        let join = |id: Value| {
            json!([{"name": "join", "type": 1, "options":
                [{"name": "channel", "type": 7, "value": id}]}])
        };
        let cases = [
            (join(json!("9")), Some("join"), Some((9, Some(ChannelKind::Voice)))),
            (join(json!("10")), Some("join"), Some((10, None))),
            (join(json!(9)), Some("join"), None),
            (json!([{"name": "leave", "type": 1}]), Some("leave"), None),
            (json!([]), None, None),
        ];
        for (options, subcommand, channel) in cases {
            let Incoming::Command(read) = dispatch("INTERACTION_CREATE", vc(2, options)) else {
                panic!("not a command")
            };
            assert_eq!((read.id, read.application), (70, 6));
            assert_eq!(read.token.expose_secret(), "tok");
            assert_eq!(
                read.invocation,
                Invocation {
                    name: "vc".to_owned(),
                    guild: Some(GuildId::new(1)),
                    asked_in: Some(AskedIn {
                        channel: ChannelId::new(8),
                        name: "chat".to_owned(),
                        parent: Some(ChannelId::new(7)),
                    }),
                    user: Some(UserId::new(2)),
                    roles: vec![RoleId::new(80)],
                    names: vec!["Countess".to_owned(), "ada".to_owned()],
                    subcommand: subcommand.map(str::to_owned),
                    channel: channel.map(|(id, kind)| ChosenChannel {
                        id: ChannelId::new(id),
                        name: if kind.is_some() { "Talk".to_owned() } else { String::new() },
                        kind,
                    }),
                }
            );
        }
        // A ping, a button, an autocompletion.
        for kind in [1, 3, 4] {
            let incoming = dispatch("INTERACTION_CREATE", vc(kind, json!([])));
            assert!(matches!(incoming, Incoming::Other), "{incoming:?}");
        }
    }

    #[test]
    fn what_is_not_used_is_not_read() {
        for text in [
            r#"{"op":11,"d":null}"#,
            r#"{"op":0,"t":"TYPING_START","s":1,"d":{"x":1}}"#,
            r#"{"op":10,"d":{"heartbeat_interval":41250}}"#,
        ] {
            assert!(matches!(read(text), Ok(Incoming::Other)), "{text}");
        }
        for text in ["", "[]", "{}", r#"{"op":0,"t":"READY","d":{}}"#, r#"{"op":0,"t":"READY"}"#] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(event in "READY|RESUMED|GUILD_CREATE|VOICE_STATE_UPDATE|VOICE_SERVER_UPDATE|INTERACTION_CREATE",
                        data in ".{0,200}") {
            let _ = read(&format!(r#"{{"op":0,"t":"{event}","d":{data}}}"#));
            let _ = read(&data);
        }
    }
}
