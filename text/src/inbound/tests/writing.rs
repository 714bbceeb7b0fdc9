//! Cases of the matrix as a configuration and as messages of Discord.

use std::fmt::Write as _;

use clawvoice_config::DmPolicy;

use super::{
    case::{
        Bots, Case, Channel, Content, Dms, Groups, Guild, Key, Listed, Place, Sender, Setup, To,
    },
    scene::{
        ADA, BEN, DM, GENERAL, GROUP, HELP, OWN, OWN_THREAD, SECRET, Scene, THREAD, message_by,
        parse,
    },
};
use crate::{inbound::InboundPolicy, message::Message};

pub(super) fn scene(setup: &Setup) -> Scene {
    let (discord, rest) = (discord(setup), rest(setup));
    let mut config = parse(&discord, &rest);
    // A policy without its list is refused by the configuration; it must not open anything either.
    config.discord.access.dm_policy = match setup.dms {
        Dms::Pairing => DmPolicy::Pairing,
        Dms::Allowlist => DmPolicy::Allowlist,
        Dms::Open => DmPolicy::Open,
        Dms::Disabled => DmPolicy::Disabled,
    };
    Scene::of(InboundPolicy::new(&config, &config.discord, "default"))
}

fn discord(setup: &Setup) -> String {
    let bots = match setup.bots {
        Bots::No => "false",
        Bots::Mentions => "'mentions'",
        Bots::Yes => "true",
    };
    let groups = match setup.groups {
        Groups::Open => "open",
        Groups::Allowlist => "allowlist",
        Groups::Disabled => "disabled",
    };
    let mut text = format!(
        "allowBots: {bots}, groupPolicy: '{groups}', pluralkit: {{ enabled: {} }}, \
         dangerouslyAllowNameMatching: {}, dm: {{ enabled: {}, groupEnabled: {}",
        setup.plural_kit, setup.names, setup.dm_enabled, setup.group_dms
    );
    match setup.group_list {
        Some(true) => text.push_str(", groupChannels: ['301', 'x']"),
        Some(false) => text.push_str(", groupChannels: ['302']"),
        None => {}
    }
    text.push_str(" }, ");
    if let Some(list) = &setup.allow_from {
        let _ = write!(text, "allowFrom: {}, ", people(list));
    }
    text.push_str("guilds: { ");
    for (key, guild) in
        [("'10'", &setup.by_id), ("'the-guild'", &setup.by_name), ("'*'", &setup.by_star)]
    {
        if let Some(guild) = guild {
            let _ = write!(text, "{key}: {}, ", guild_text(guild));
        }
    }
    if setup.other_guild {
        text.push_str("'11': {}, ");
    }
    text.push('}');
    text
}

fn rest(setup: &Setup) -> String {
    let words = if setup.words { "Claw" } else { "Other" };
    let mut text = format!(
        "agents: {{ list: [{{ id: 'main', name: '{words}' }}] }}, accessGroups: {{ \
         crew: {{ type: 'message.senders', members: {{ discord: ['31'] }} }}, staff: {{ type: \
         'discord.channelAudience', guildId: '10', channelId: '102' }} }}, \
         commands: {{ useAccessGroups: {}",
        setup.access_groups
    );
    if setup.owner {
        text.push_str(", ownerAllowFrom: ['32']");
    }
    if let Some(list) = &setup.command_list {
        let _ = write!(text, ", allowFrom: {{ discord: {} }}", people(list));
    }
    text.push_str(" }");
    text
}

fn people(list: &[Listed]) -> String {
    let entries = list.iter().map(|entry| match entry {
        Listed::Ada => "'31'",
        Listed::Star => "'*'",
        Listed::Plural => "'pk:abcde'",
        Listed::Name => "'ben'",
        Listed::Crew => "'accessGroup:crew'",
        Listed::Missing => "'accessGroup:missing'",
        Listed::Audience => "'accessGroup:staff'",
    });
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

fn guild_text(guild: &Guild) -> String {
    let mut text = format!(
        "{{ ignoreOtherMentions: {}, ignoreBroadcastMentions: {}, ",
        guild.ignore_other, guild.ignore_broadcast
    );
    if let Some(require) = guild.require {
        let _ = write!(text, "requireMention: {require}, ");
    }
    lists(&mut text, guild.users.as_deref(), guild.roles);
    text.push_str("channels: { ");
    for (key, channel) in &guild.channels {
        let key = match key {
            Key::General => "'100'",
            Key::GeneralByName => "'#General'",
            Key::Help => "'101'",
            Key::HelpByName => "help",
            Key::Thread => "'200'",
            Key::Star => "'*'",
        };
        let _ = write!(text, "{key}: {}, ", channel_text(channel));
    }
    text.push_str("} }");
    text
}

fn channel_text(channel: &Channel) -> String {
    let Channel { enabled, auto_thread, .. } = channel;
    let mut text = format!("{{ enabled: {enabled}, autoThread: {auto_thread}, ");
    if let Some(require) = channel.require {
        let _ = write!(text, "requireMention: {require}, ");
    }
    if let Some(ignores) = channel.ignore_other {
        let _ = write!(text, "ignoreOtherMentions: {ignores}, ");
    }
    lists(&mut text, channel.users.as_deref(), channel.roles);
    text.push('}');
    text
}

fn lists(text: &mut String, users: Option<&[Listed]>, roles: Option<bool>) {
    if let Some(users) = users {
        let _ = write!(text, "users: {}, ", people(users));
    }
    match roles {
        Some(true) => text.push_str("roles: ['80'], "),
        Some(false) => text.push_str("roles: [], "),
        None => {}
    }
}

pub(super) fn written(case: &Case) -> Message {
    let channel = match case.place {
        Place::General => GENERAL,
        Place::Help => HELP,
        Place::Secret => SECRET,
        Place::Thread => THREAD,
        Place::OwnThread => OWN_THREAD,
        Place::Direct => DM,
        Place::Group => GROUP,
    };
    let (author, extra) = match case.sender {
        Sender::Own => (person(OWN, "claw"), ""),
        Sender::Stranger => (person(BEN, "ben"), ""),
        Sender::Ada => (person(ADA, "ada"), r#","member":{"roles":["81"]}"#),
        Sender::Owner => (person(32, "olga"), r#","member":{"roles":[]}"#),
        Sender::Crew => (person(41, "carl"), r#","member":{"roles":["81","80"]}"#),
        Sender::Bot => (r#"{"id":"50","username":"peer","bot":true}"#.to_owned(), ""),
        Sender::Plural => (hook(60), r#","webhook_id":"60""#),
        Sender::Webhook => (hook(61), r#","webhook_id":"61""#),
    };
    let (kind, text, more) = match case.content {
        Content::Text => (0, text(case.to, "hello"), ""),
        Content::Command => (0, text(case.to, "/reset"), ""),
        Content::Sticker => (0, String::new(), r#","sticker_items":[{"name":"wave"}]"#),
        Content::Nothing => (0, String::new(), ""),
        Content::Notice => (7, String::new(), ""),
        Content::Record => (20, "x".to_owned(), ""),
    };
    let rest = format!(r#""type":{kind},"content":{text:?}{}{more}{extra}"#, mentions(case.to));
    message_by(channel, &author, &rest)
}

fn person(id: u64, name: &str) -> String {
    format!(r#"{{"id":"{id}","username":"{name}"}}"#)
}

fn hook(id: u64) -> String {
    format!(r#"{{"id":"{id}","username":"Skye","bot":true}}"#)
}

fn text(to: To, said: &str) -> String {
    match to {
        To::Nobody | To::ReplyToOwn | To::ReplyToOther => said.to_owned(),
        To::Own | To::OwnRaw => format!("<@{OWN}> {said}"),
        To::OwnInCode => format!("{said} `<@{OWN}>`"),
        To::Everyone => format!("{said} @everyone"),
        To::Other => format!("{said} <@77>"),
        To::Role => format!("{said} <@&88>"),
        To::Word => format!("{said} claw"),
        To::OwnAndOther => format!("<@!{OWN}> {said} <@77>"),
    }
}

fn mentions(to: To) -> &'static str {
    match to {
        To::Nobody | To::OwnRaw | To::OwnInCode | To::Word => "",
        To::Own => r#","mentions":[{"id":"1"}]"#,
        To::ReplyToOwn => {
            r#","message_reference":{"message_id":"4"},"referenced_message":
            {"id":"4","channel_id":"100","author":{"id":"1"}}"#
        }
        To::ReplyToOther => {
            r#","message_reference":{"message_id":"4"},"referenced_message":
            {"id":"4","channel_id":"100","author":{"id":"77"}}"#
        }
        To::Everyone => r#","mention_everyone":true"#,
        To::Other => r#","mentions":[{"id":"77"}]"#,
        To::Role => r#","mention_roles":["88"]"#,
        To::OwnAndOther => r#","mentions":[{"id":"1"},{"id":"77"}]"#,
    }
}
