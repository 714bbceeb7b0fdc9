//! INTERACTION_CREATE: a slash command, its completion, a button, a menu or a form, and what is needed
//! to answer it.
//!
//! Source: Discord, "Receiving and Responding".

use std::collections::{BTreeMap, HashMap};

use clawvoice_session::{ChannelId, GuildId, UserId};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;

use super::{WireMember, WireUser, used};
use crate::{
    command::{ChannelKind, ChosenChannel, Completion, Invocation},
    interaction::{AskedIn, Caller, ComponentUse, ModalSubmit},
    place::PlaceKind,
};

/// Something that somebody did, and what is needed to answer it.
#[derive(Debug)]
pub(crate) struct Interaction {
    /// The interaction's id.
    pub(crate) id: u64,
    /// The application it is for.
    pub(crate) application: u64,
    /// Authorises answers for 15 minutes.
    pub(crate) token: SecretString,
    /// What was done.
    pub(crate) act: Act,
}

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// They sent a slash command.
    Command(Invocation),
    /// They are writing one, and what an option could be is asked.
    Complete(Completion),
    /// They pressed a button, or chose from a menu.
    Component(ComponentUse),
    /// They sent a form.
    Modal(ModalSubmit),
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
    channel_id: Option<ChannelId>,
    channel: Option<WireChannel>,
    member: Option<WireMember>,
    user: Option<WireUser>,
    data: Option<Value>,
    message: Option<Value>,
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
    value: Value,
    #[serde(default)]
    focused: bool,
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
    kind: Option<u64>,
    name: Option<String>,
    parent_id: Option<ChannelId>,
}

/// Source: Discord, "Interaction Type".
const APPLICATION_COMMAND: u64 = 2;
const MESSAGE_COMPONENT: u64 = 3;
const AUTOCOMPLETE: u64 = 4;
const MODAL_SUBMIT: u64 = 5;
/// Option type 1: a subcommand. Source: Discord, "Application Command Option Type".
const SUBCOMMAND: u64 = 1;
/// Option type 7: a channel.
const CHANNEL: u64 = 7;

/// Of a thread, the parent is the channel it belongs to; of a channel it is a mere category.
fn place(channel: Option<WireChannel>, id: Option<ChannelId>) -> Option<AskedIn> {
    let Some(channel) = channel else {
        return id.map(|channel| AskedIn {
            channel,
            kind: None,
            name: String::new(),
            parent: None,
        });
    };
    let kind = channel.kind.map(PlaceKind::from_wire);
    Some(AskedIn {
        channel: channel.id.or(id)?,
        kind,
        name: channel.name.unwrap_or_default(),
        parent: channel.parent_id.filter(|_| kind.is_some_and(PlaceKind::is_thread)),
    })
}

/// `None`: a kind that nobody here knows, or without what makes it one.
pub(super) fn interaction(wire: WireInteraction) -> Option<Interaction> {
    let nick = wire.member.as_ref().and_then(|member| member.nick.clone());
    let roles = wire.member.as_ref().and_then(|member| member.roles.clone()).unwrap_or_default();
    let who = wire.member.and_then(|member| member.user).or(wire.user);
    let user = who.as_ref().map(|user| user.id);
    let names = who.into_iter().flat_map(|user| [user.global_name, Some(user.username)]);
    let by = Caller {
        interaction: wire.id.0,
        guild: wire.guild_id,
        asked_in: place(wire.channel, wire.channel_id),
        user,
        roles,
        nick,
        names: names.flatten().collect(),
    };
    let data = wire.data?;
    let act = match wire.kind {
        APPLICATION_COMMAND => Act::Command(command(by, data)?.0),
        AUTOCOMPLETE => {
            let (invocation, focused) = command(by, data)?;
            Act::Complete(Completion { invocation, option: focused? })
        }
        MESSAGE_COMPONENT => Act::Component(used::component(by, data, wire.message)?),
        MODAL_SUBMIT => Act::Modal(used::modal(by, data, wire.message)?),
        _ => return None,
    };
    Some(Interaction {
        id: wire.id.0,
        application: wire.application_id.0,
        token: wire.token.into(),
        act,
    })
}

/// A command as far as it is typed, and the option that is being typed.
fn command(by: Caller, data: Value) -> Option<(Invocation, Option<String>)> {
    let data: WireCommand = serde_json::from_value(data).ok()?;
    let subcommand = data.options.iter().find(|option| option.kind == SUBCOMMAND);
    let options = subcommand.map_or(&data.options, |chosen| &chosen.options);
    let channel = options
        .iter()
        .find(|option| option.kind == CHANNEL)
        .and_then(|option| option.value.as_str()?.parse::<ChannelId>().ok())
        .map(|id| {
            let resolved = data.resolved.channels.get(&id.to_string());
            ChosenChannel {
                id,
                kind: resolved.and_then(|channel| channel.kind).map(ChannelKind::from_wire),
                name: resolved.and_then(|channel| channel.name.clone()).unwrap_or_default(),
            }
        });
    let focused = options.iter().find(|option| option.focused).map(|option| option.name.clone());
    let invocation = Invocation {
        by,
        name: data.name?,
        subcommand: subcommand.map(|option| option.name.clone()),
        channel,
        options: texts(options),
    };
    Some((invocation, focused))
}

/// What was typed into options, by their names: texts, numbers and switches as text.
fn texts(options: &[WireOption]) -> BTreeMap<String, String> {
    let written = |option: &WireOption| match &option.value {
        _ if option.kind == CHANNEL => None,
        Value::String(text) => Some(text.clone()),
        value @ (Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
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
            let Incoming::Interaction(read) = dispatch(&vc(2, &options)) else {
                panic!("no interaction")
            };
            assert_eq!((read.id, read.application), (70, 6));
            assert_eq!(read.token.expose_secret(), "tok");
            assert_eq!(
                read.act,
                Act::Command(Invocation {
                    by: ada(),
                    name: "vc".to_owned(),
                    subcommand: subcommand.map(str::to_owned),
                    channel: channel.map(|(id, kind)| ChosenChannel {
                        id: ChannelId::new(id),
                        name: if kind.is_some() { "Talk".to_owned() } else { String::new() },
                        kind,
                    }),
                    options: BTreeMap::new(),
                })
            );
        }
        // A ping, and whatever comes next.
        for kind in [1, 6] {
            let incoming = dispatch(&vc(kind, &json!([])));
            assert!(matches!(incoming, Incoming::Other), "{incoming:?}");
        }
    }

    fn ada() -> Caller {
        Caller {
            interaction: 70,
            guild: Some(GuildId::new(1)),
            asked_in: Some(AskedIn {
                channel: ChannelId::new(8),
                kind: Some(PlaceKind::Thread),
                name: "chat".to_owned(),
                parent: Some(ChannelId::new(7)),
            }),
            user: Some(UserId::new(2)),
            roles: vec![RoleId::new(80)],
            nick: Some("Countess".to_owned()),
            names: vec!["ada".to_owned()],
        }
    }

    fn act(wire: &Value) -> Act {
        match dispatch(wire) {
            Incoming::Interaction(read) => read.act,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_of_every_kind_are_text() {
        let options = json!([{"name": "mode", "type": 3, "value": "steer"},
            {"name": "cap", "type": 10, "value": 2.5}, {"name": "on", "type": 5, "value": true},
            {"name": "odd", "type": 3, "value": {"a": 1}}]);
        let Act::Command(read) = act(&vc(2, &options)) else { panic!("not a command") };
        let texts = [("cap", "2.5"), ("mode", "steer"), ("on", "true")];
        let texts = texts.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(read.options, BTreeMap::from(texts));
    }

    #[test]
    fn what_is_being_typed() {
        let options = json!([{"name": "set", "type": 1, "options":
            [{"name": "path", "type": 3, "value": "ses", "focused": true}]}]);
        let Act::Complete(read) = act(&vc(4, &options)) else { panic!("no completion") };
        assert_eq!((read.option.as_str(), read.typed()), ("path", "ses"));
        assert_eq!(read.invocation.subcommand.as_deref(), Some("set"));
        let unfocused = dispatch(&vc(4, &json!([])));
        assert!(matches!(unfocused, Incoming::Other), "{unfocused:?}");
    }

    #[test]
    fn a_button_and_a_form() {
        let with = |kind: u64, data: Value| {
            let mut wire = vc(kind, &json!([]));
            wire["data"] = data;
            wire["message"] = json!({"id": "71", "content": "Pick one", "flags": 64});
            wire
        };
        let data = json!({"custom_id": "cmdarg:x", "component_type": 2});
        let Act::Component(read) = act(&with(3, data)) else { panic!("no component") };
        assert_eq!((read.by, read.custom_id.as_str(), read.kind), (ada(), "cmdarg:x", 2));
        assert_eq!((read.message.id.get(), read.message.flags), (71, 64));
        let data = json!({"custom_id": "form", "components": []});
        let Act::Modal(read) = act(&with(5, data)) else { panic!("no form") };
        assert_eq!((read.custom_id.as_str(), read.message.map(|it| it.flags)), ("form", Some(64)));
    }

    /// Where Discord tells no channel but its id, nothing else is made up.
    #[test]
    fn a_place_without_its_channel() {
        let mut wire = vc(2, &json!([]));
        wire.as_object_mut().unwrap().remove("channel");
        let Act::Command(read) = act(&wire) else { panic!("not a command") };
        let nothing =
            AskedIn { channel: ChannelId::new(8), kind: None, name: String::new(), parent: None };
        assert_eq!(read.by.asked_in, Some(nothing));
    }
}
