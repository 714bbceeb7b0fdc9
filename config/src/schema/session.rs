//! The top-level `session`: which conversation a message belongs to, and how long it lasts. Other
//! keys are left alone.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

use crate::{
    cursor::Section,
    describe::Kind,
    schema::{
        declare::words,
        home,
        maintenance::{self, Maintenance},
        path,
    },
};

words! {
    /// `session.dmScope`: who shares a conversation in direct messages.
    DmScope {
        /// Everybody: the agent's main conversation.
        Main = "main",
        /// Nobody: one a person, on whatever channel.
        PerPeer = "per-peer",
        /// One a person and channel.
        PerChannelPeer = "per-channel-peer",
        /// One a person, channel and account.
        PerAccountChannelPeer = "per-account-channel-peer",
    }
}

words! {
    /// `session.groupScope`: who shares a conversation in groups, channels and threads.
    GroupScope {
        /// Everybody, with direct messages of scope `main`: the agent's main conversation.
        Main = "main",
        /// Those of the same group, channel or thread.
        PerGroup = "per-group",
    }
}

/// `session`. What is `Value` here is checked to be of its form and kept as it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// `dmScope`. Default `main`.
    pub dm_scope: DmScope,
    /// `groupScope`. Default `per-group`.
    pub group_scope: GroupScope,
    /// `identityLinks`: the people (`discord:<id>`) behind a name.
    pub identity_links: BTreeMap<String, Vec<String>>,
    /// `mainKey`. Default `main`.
    pub main_key: String,
    /// `reset`: when a conversation begins anew.
    pub reset: Option<Value>,
    /// `resetByType`.
    pub reset_by_type: Option<Value>,
    /// `resetByChannel.discord`.
    pub reset_by_channel: Option<Value>,
    /// `resetTriggers`: texts that begin it anew.
    pub reset_triggers: Option<Vec<String>>,
    /// `store`: the SQLite file that holds conversations; a relative path starts at this file's
    /// folder. Default `~/.clawvoice/state/sessions.sqlite`. `{agentId}` in it becomes the agent's
    /// id, as in OpenClaw.
    pub store: PathBuf,
    /// `maintenance`.
    pub maintenance: Maintenance,
    /// `sendPolicy`.
    pub send_policy: Option<Value>,
}

pub(crate) fn read(section: &Section<'_, '_>, agent: &str) -> Session {
    let main_key = section.text("mainKey");
    let session = Session {
        dm_scope: section.word_or("dmScope", DmScope::Main),
        group_scope: section.word_or("groupScope", GroupScope::PerGroup),
        identity_links: links(&section.section("identityLinks")),
        main_key: section.or("mainKey", main_key, "main".to_owned()),
        reset: object(section, "reset"),
        reset_by_type: object(section, "resetByType"),
        reset_by_channel: object(&section.section("resetByChannel"), "discord"),
        reset_triggers: section.texts("resetTriggers"),
        store: store(section, agent),
        maintenance: maintenance::read(&section.section("maintenance")),
        send_policy: object(section, "sendPolicy"),
    };
    section.leave_alone(&["threadBindings"]);
    section.warn_near_asked();
    session
}

/// An object whose keys are read by whoever uses it.
pub(crate) fn object(section: &Section<'_, '_>, key: &'static str) -> Option<Value> {
    let field = section.field(key)?;
    field.declare(|| Kind::Object);
    let object = field.if_object();
    if object.is_none() {
        return field.wrong_type("an object");
    }
    Some(field.free_form())
}

fn links(section: &Section<'_, '_>) -> BTreeMap<String, Vec<String>> {
    let entries = section.entries().into_iter();
    entries
        .filter_map(|(name, field)| {
            let peers = field.list()?.iter().filter_map(|item| item.text()).collect();
            Some((name, peers))
        })
        .collect()
}

fn store(section: &Section<'_, '_>, agent: &str) -> PathBuf {
    let written = section.field("store").and_then(|field| path(&field));
    let path = written.unwrap_or_else(|| {
        let default = home(section).join("state/sessions.sqlite");
        section.note_default("store", default.display().to_string());
        default
    });
    // Not a template engine: the one place holder that OpenClaw knows here.
    match path.to_str() {
        Some(text) => text.replace("{agentId}", agent).into(),
        None => path,
    }
}
