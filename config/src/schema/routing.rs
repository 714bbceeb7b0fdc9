//! The top-level `bindings` and `accessGroups`, and `channels.modelByChannel`: which agent answers
//! whom, who belongs to which group, and with which model.

use std::collections::BTreeMap;

use crate::{
    cursor::Section,
    schema::{commands::by_channel, declare::words, id::DiscordId, people::Sender},
};

words! {
    /// `bindings[].type`.
    BindingKind {
        /// To an agent.
        Route = "route",
        /// To an agent program that is spoken to by ACP.
        Acp = "acp",
    }
}

words! {
    /// `match.peer.kind`.
    PeerKind {
        /// A person.
        Direct = "direct",
        /// A person.
        Dm = "dm",
        /// A group or channel.
        Group = "group",
        /// A group or channel.
        Channel = "channel",
    }
}

/// A binding for Discord: what all fields of `match` say must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// `type`. Default `route`.
    pub kind: BindingKind,
    /// `agentId`.
    pub agent: String,
    /// `match.accountId`; `None` the default account, `"*"` all.
    pub account: Option<String>,
    /// `match.peer`.
    pub peer: Option<(PeerKind, DiscordId)>,
    /// `match.guildId`.
    pub guild: Option<DiscordId>,
    /// `match.roles`: one of them. Empty: whatever roles.
    pub roles: Vec<DiscordId>,
    /// `match.teamId`.
    pub team: Option<String>,
}

/// `accessGroups.<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessGroup {
    /// `type: "message.senders"`: the people in `members.discord` and `members["*"]`.
    Senders(Vec<Sender>),
    /// `type: "discord.channelAudience"`: whoever can see the channel.
    ChannelAudience {
        /// `guildId`.
        guild: DiscordId,
        /// `channelId`.
        channel: DiscordId,
    },
    /// A type nobody knows: it admits nobody.
    Unknown,
}

/// Those of `bindings` that are for Discord, in the order of the file.
pub(crate) fn bindings(root: &Section<'_, '_>) -> Vec<Binding> {
    let read = |item: &Section<'_, '_>| {
        let matched = item.section("match");
        let channel = matched.text("channel");
        let agent = item.text("agentId");
        let kind = item.word_or("type", BindingKind::Route);
        // Those of other channels have ids of another form.
        if channel.as_deref() != Some("discord") && !item.is_describing() {
            return None;
        }
        if !item.has("agentId") {
            item.fail_missing("agentId", "name the agent that answers");
        }
        let peer = matched.section("peer");
        let read = Binding {
            kind,
            account: matched.text("accountId"),
            peer: peer.word("kind").zip(peer.id("id")),
            guild: matched.id("guildId"),
            roles: matched.roles("roles").unwrap_or_default(),
            team: matched.text("teamId"),
            agent: agent?,
        };
        matched.warn_near_asked();
        Some(read)
    };
    let items = root.list("bindings").unwrap_or_default();
    items.iter().filter_map(|item| read(&item.section())).collect()
}

pub(crate) fn access_groups(section: &Section<'_, '_>) -> BTreeMap<String, AccessGroup> {
    section.finish_leniently();
    let entries = section.entries().into_iter();
    entries.filter_map(|(name, field)| Some((name, access_group(&field.section())?))).collect()
}

fn access_group(section: &Section<'_, '_>) -> Option<AccessGroup> {
    let kind = section.text("type");
    if section.is_describing() {
        audience(section);
        senders(section);
        return None;
    }
    let group = match kind.as_deref() {
        Some("message.senders") => senders(section),
        Some("discord.channelAudience") => audience(section)?,
        Some(other) => {
            section.warn("type", format!("{other:?} is no known type; the group admits nobody"));
            return Some(AccessGroup::Unknown);
        }
        None => {
            if !section.has("type") {
                let hint = "write \"message.senders\" or \"discord.channelAudience\"";
                section.fail_missing("type", hint);
            }
            return None;
        }
    };
    section.finish();
    Some(group)
}

fn senders(section: &Section<'_, '_>) -> AccessGroup {
    let mut members = by_channel(&section.section("members"));
    let mut listed = members.remove("discord").unwrap_or_default();
    listed.extend(members.remove("*").unwrap_or_default());
    AccessGroup::Senders(listed)
}

fn audience(section: &Section<'_, '_>) -> Option<AccessGroup> {
    section.choice("membership", &[("canViewChannel", ())]);
    let (guild, channel) = (section.id("guildId"), section.id("channelId"));
    for key in ["guildId", "channelId"] {
        if !section.has(key) {
            section.fail_missing(key, "name the channel whose audience it is");
        }
    }
    Some(AccessGroup::ChannelAudience { guild: guild?, channel: channel? })
}

/// `channels.modelByChannel.discord.<channel or user>`: the model of conversations without one.
pub(crate) fn models(channels: &Section<'_, '_>) -> BTreeMap<String, String> {
    let section = channels.section("modelByChannel").section("discord");
    let entries = section.entries().into_iter();
    entries.filter_map(|(id, field)| Some((id, field.text()?))).collect()
}
