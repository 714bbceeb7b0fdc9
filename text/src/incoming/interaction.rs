//! INTERACTION_CREATE: a slash command, and what is needed to answer it.
//!
//! Source: Discord, "Receiving and Responding".

use std::collections::{BTreeMap, HashMap};

use clawvoice_session::{ChannelId, GuildId, UserId};
use secrecy::SecretString;
use serde::Deserialize;

use super::{WireMember, WireUser};
use crate::command::{AskedIn, ChannelKind, ChosenChannel, Invocation};

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

/// An id of a kind that has no type of its own.
struct Snowflake(u64);

impl<'de> Deserialize<'de> for Snowflake {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Every id type reads the same decimal text.
        UserId::deserialize(deserializer).map(|id| Self(id.get()))
    }
}

#[derive(Deserialize)]
pub(super) struct WireInteraction {
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
/// Channel types 10, 11 and 12: threads.
const THREADS: [u64; 3] = [10, 11, 12];
/// Option type 7: a channel.
const CHANNEL: u64 = 7;

/// Of a thread, the parent is the channel it belongs to; of a channel it is a mere category.
fn place(channel: WireChannel) -> Option<AskedIn> {
    let is_thread = THREADS.contains(&channel.kind);
    Some(AskedIn {
        channel: channel.id?,
        name: channel.name,
        parent: channel.parent_id.filter(|_| is_thread),
    })
}

pub(super) fn interaction(wire: WireInteraction) -> Option<Interaction> {
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
            options: texts(subcommand.map_or(&data.options, |chosen| &chosen.options)),
        },
    })
}

/// What was typed into options, by their names: texts, numbers and switches as text.
fn texts(options: &[WireOption]) -> BTreeMap<String, String> {
    let written = |option: &WireOption| match &option.value {
        _ if option.kind == CHANNEL => None,
        serde_json::Value::String(text) => Some(text.clone()),
        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
            Some(value.to_string())
        }
        _ => None,
    };
    options.iter().filter_map(|option| Some((option.name.clone(), written(option)?))).collect()
}

#[cfg(test)]
mod tests {
    use clawvoice_session::RoleId;
    use secrecy::ExposeSecret as _;
    use serde_json::{Value, json};

    use super::{
        super::{Incoming, read},
        *,
    };

    fn dispatch(data: &Value) -> Incoming {
        let text = json!({"op": 0, "s": 1, "t": "INTERACTION_CREATE", "d": data}).to_string();
        read(text).unwrap()
    }

    fn vc(kind: u64, options: &Value) -> Value {
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
            let Incoming::Command(read) = dispatch(&vc(2, &options)) else {
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
                    options: BTreeMap::new(),
                }
            );
        }
        // A ping, a button, an autocompletion.
        for kind in [1, 3, 4] {
            let incoming = dispatch(&vc(kind, &json!([])));
            assert!(matches!(incoming, Incoming::Other), "{incoming:?}");
        }
    }
}
