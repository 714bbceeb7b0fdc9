//! A bot, a guild with channels and threads, and people who write.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::Config;
use clawvoice_session::{GuildId, UserId};

use crate::{
    inbound::{InboundPolicy, Known, Sent, Verdict, judge},
    message::Message,
    place::{Channel, Places},
};

pub(super) const OWN: u64 = 1;
pub(super) const GUILD: u64 = 10;
pub(super) const GENERAL: u64 = 100;
pub(super) const HELP: u64 = 101;
pub(super) const SECRET: u64 = 102;
/// A thread of `GENERAL`, called as `HELP` is.
pub(super) const THREAD: u64 = 200;
/// A thread of `GENERAL` that the bot opened.
pub(super) const OWN_THREAD: u64 = 201;
pub(super) const DM: u64 = 300;
pub(super) const GROUP: u64 = 301;

pub(super) const ADA: u64 = 31;
pub(super) const BEN: u64 = 40;

pub(super) struct Scene {
    pub(super) policy: InboundPolicy,
    pub(super) places: Places,
    pub(super) sent: Sent,
}

impl Scene {
    /// `channels.discord` with these keys, in a file with these.
    pub(super) fn new(discord: &str, rest: &str) -> Self {
        let config = parse(discord, rest);
        Self::of(InboundPolicy::new(&config, &config.discord, "default"))
    }

    pub(super) fn of(policy: InboundPolicy) -> Self {
        Self { policy, places: places(), sent: Sent::default() }
    }

    pub(super) fn known(&self) -> Known<'_> {
        Known::new(UserId::new(OWN), &self.places, &self.sent, 0)
    }

    pub(super) fn judge(&self, message: &Message) -> Verdict {
        judge(message, &self.known(), &self.policy)
    }

    /// The reason, what is needed, or `admitted`.
    pub(super) fn outcome(&self, message: &Message) -> String {
        outcome(&self.judge(message))
    }

    /// The same with more known.
    pub(super) fn outcome_with(&self, message: &Message, known: &Known<'_>) -> String {
        outcome(&judge(message, known, &self.policy))
    }
}

pub(super) fn outcome(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Drop(dropped) => dropped.reason.code().to_owned(),
        Verdict::Needs(need) => format!("needs {need:?}"),
        Verdict::Admit(_) => "admitted".to_owned(),
        Verdict::SystemEvent(_) => "system-event".to_owned(),
    }
}

pub(super) fn parse(discord: &str, rest: &str) -> Config {
    let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c', {discord} }} }}, {rest} }}");
    let env: BTreeMap<String, String> = BTreeMap::new();
    let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env);
    config.unwrap_or_else(|errors| panic!("{errors}"))
}

fn places() -> Places {
    let mut places = Places::default();
    places.put_guild(GuildId::new(GUILD), "The Guild".to_owned());
    for (id, kind, name, parent, owner) in [
        (GENERAL, 0, "General", None, None),
        (HELP, 0, "Help", None, None),
        (SECRET, 0, "Secret", None, None),
        (THREAD, 11, "help", Some(GENERAL), Some(BEN)),
        (OWN_THREAD, 11, "question", Some(GENERAL), Some(OWN)),
        (DM, 1, "", None, None),
        (GROUP, 3, "Book Club", None, None),
    ] {
        let json = serde_json::json!({
            "id": id.to_string(), "type": kind, "name": name,
            "parent_id": parent.map(|id: u64| id.to_string()),
            "owner_id": owner.map(|id: u64| id.to_string()),
        });
        let guild = (kind != 1 && kind != 3).then_some(GuildId::new(GUILD));
        places.put(Channel::read(&json.to_string(), guild).unwrap());
    }
    places
}

pub(super) fn is_in_guild(channel: u64) -> bool {
    !matches!(channel, DM | GROUP)
}

/// A message; `rest` are further keys of its JSON.
pub(super) fn message(channel: u64, author: u64, rest: &str) -> Message {
    message_by(channel, &format!(r#"{{"id":"{author}","username":"user{author}"}}"#), rest)
}

pub(super) fn message_by(channel: u64, author: &str, rest: &str) -> Message {
    let guild =
        if is_in_guild(channel) { format!(r#""guild_id":"{GUILD}","#) } else { String::new() };
    let rest = if rest.is_empty() { String::new() } else { format!(",{rest}") };
    let json = format!(r#"{{"id":"900","channel_id":"{channel}",{guild}"author":{author}{rest}}}"#);
    Message::read(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// A text.
pub(super) fn says(channel: u64, author: u64, text: &str) -> Message {
    message(channel, author, &format!(r#""content":{text:?}"#))
}

/// A text that mentions the bot.
pub(super) fn asks(channel: u64, author: u64, text: &str) -> Message {
    let text = format!("<@{OWN}> {text}");
    message(channel, author, &format!(r#""content":{text:?},"mentions":[{{"id":"{OWN}"}}]"#))
}
