//! Dispatches of the main gateway, bytes to our own values.
//!
//! Only the fields that are used are read, and all of them leniently: Discord adds fields and
//! kinds at any time, and one unknown object inside a GUILD_CREATE must not cost the guild's voice
//! states. Source: Discord, "Gateway Events" and "Receiving and Responding".

mod interaction;
mod text;
mod used;

use clawvoice_session::{
    ChannelId, GuildId, RoleId, UserId, VoiceChannel, VoiceGatewayEvent, VoiceServerChange,
    VoiceStateChange,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use interaction::interaction;
pub(crate) use interaction::{Act, Interaction};
pub(crate) use text::{Gone, ReactingMember, Reaction, TextEvent};

use crate::inbound;

/// Something that happened on Discord.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// READY: a new session.
    Ready(Ready),
    /// RESUMED: the old session goes on.
    Resumed,
    /// Something that is followed, in order.
    Told {
        /// By voice.
        voice: Vec<VoiceGatewayEvent>,
        /// By text.
        text: Vec<TextEvent>,
    },
    /// INTERACTION_CREATE.
    Interaction(Interaction),
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

/// A dispatch that is not what Discord documents.
#[derive(Debug, thiserror::Error)]
#[error("{event} cannot be read: {source}")]
pub(crate) struct IncomingError {
    event: String,
    source: serde_json::Error,
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

/// Channel types 2 and 13. Source: Discord, "Channel Types".
const VOICE_CHANNEL: u64 = 2;
const STAGE_CHANNEL: u64 = 13;
/// Of a voice channel that does not say, bits per second.
const DEFAULT_BITRATE: u32 = 64_000;

/// Reads one gateway message.
///
/// # Errors
///
/// A dispatch of a kind that is used, without the fields that are used.
pub(crate) fn read(text: String) -> Result<Incoming, IncomingError> {
    // What comes most by far, and is wanted whole: gone through once, and kept as it is.
    if let Ok(Some(created)) = inbound::read_event(&text) {
        let (message, body) = created.keep(text);
        let message = TextEvent::Message { message: Box::new(message), body };
        return Ok(Incoming::Told { voice: Vec::new(), text: vec![message] });
    }
    let text = text.as_str();
    let envelope: Envelope<'_> = parse("gateway message", text)?;
    let (0, Some(event)) = (envelope.op, envelope.t) else { return Ok(Incoming::Other) };
    let data = envelope.d.map_or("null", RawValue::get);
    Ok(match event.as_str() {
        "READY" => {
            let ready: WireReady = parse(&event, data)?;
            Incoming::Ready(Ready { user: ready.user.id, resume_url: ready.resume_gateway_url })
        }
        "RESUMED" => Incoming::Resumed,
        "INTERACTION_CREATE" => {
            interaction(parse(&event, data)?).map_or(Incoming::Other, Incoming::Interaction)
        }
        _ => {
            let voice = voice_events(&event, data)?;
            let text = text::events(&event, data).map_err(|source| unreadable(&event, source))?;
            match (voice.is_empty(), text.is_empty()) {
                (true, true) => Incoming::Other,
                _ => Incoming::Told { voice, text },
            }
        }
    })
}

/// What voice is told by an event; nothing if it does not follow it.
fn voice_events(event: &str, data: &str) -> Result<Vec<VoiceGatewayEvent>, IncomingError> {
    Ok(match event {
        "GUILD_CREATE" => guild(&parse(event, data)?),
        "CHANNEL_CREATE" | "CHANNEL_UPDATE" => {
            let channel: WireVoiceChannel = parse(event, data)?;
            let guild = channel.guild_id;
            guild.map_or_else(Vec::new, |guild| voice_channel(guild, channel))
        }
        "GUILD_UPDATE" => guild_name(&parse(event, data)?).into_iter().collect(),
        "GUILD_MEMBER_UPDATE" => {
            let member: WireMemberOf = parse(event, data)?;
            about(member.guild_id, &member.member).collect()
        }
        "VOICE_STATE_UPDATE" => {
            let state: WireVoiceState = parse(event, data)?;
            // Without a guild it is a call in a direct message, which bots cannot join.
            state.guild_id.map_or_else(Vec::new, |id| voice_state(id, state))
        }
        "VOICE_SERVER_UPDATE" => {
            let server: WireVoiceServer = parse(event, data)?;
            vec![VoiceGatewayEvent::Server(VoiceServerChange {
                guild: server.guild_id,
                endpoint: server.endpoint.filter(|endpoint| !endpoint.is_empty()),
                token: server.token.into(),
            })]
        }
        _ => Vec::new(),
    })
}

fn parse<'a, T: Deserialize<'a>>(event: &str, text: &'a str) -> Result<T, IncomingError> {
    serde_json::from_str(text).map_err(|source| unreadable(event, source))
}

fn unreadable(event: &str, source: serde_json::Error) -> IncomingError {
    IncomingError { event: event.chars().take(40).collect(), source }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::*;

    fn dispatch(event: &str, data: Value) -> Incoming {
        read(json!({"op": 0, "s": 1, "t": event, "d": data}).to_string()).unwrap()
    }

    /// Events in a form that can be compared.
    fn told(incoming: Incoming) -> Vec<String> {
        let events = match incoming {
            Incoming::Told { voice, .. } => voice,
            Incoming::Other => Vec::new(),
            other => panic!("{other:?}"),
        };
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

    #[test]
    fn what_is_not_used_is_not_read() {
        for text in [
            r#"{"op":11,"d":null}"#,
            r#"{"op":0,"t":"TYPING_START","s":1,"d":{"x":1}}"#,
            r#"{"op":10,"d":{"heartbeat_interval":41250}}"#,
        ] {
            assert!(matches!(read(text.to_owned()), Ok(Incoming::Other)), "{text}");
        }
        for text in ["", "[]", "{}", r#"{"op":0,"t":"READY","d":{}}"#, r#"{"op":0,"t":"READY"}"#] {
            assert!(read(text.to_owned()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(event in "READY|RESUMED|GUILD_CREATE|VOICE_STATE_UPDATE|VOICE_SERVER_UPDATE|INTERACTION_CREATE",
                        data in ".{0,200}") {
            let _ = read(format!(r#"{{"op":0,"t":"{event}","d":{data}}}"#));
            let _ = read(data);
        }
    }
}
