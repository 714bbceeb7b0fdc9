//! What surrounds a question when the agent is asked: taken from what the desk knows when the turn
//! begins, so that the turn needs the desk no more.

use clawvoice_config::Agents;
use clawvoice_session::{ChannelId, MessageId};
use jiff::tz::TimeZone;

use super::question::Asked;
use crate::{
    envelope::{self, Chat, Envelope, Forwarded, Marker, Quoted, Sender, Starter, TurnContext},
    history::Entry,
    place::{PlaceKind, Places},
};

/// Names and words around a question, as they are when its turn begins.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    pub(super) guild: String,
    pub(super) name: String,
    pub(super) parent: String,
    pub(super) kind: Option<PlaceKind>,
    pub(super) topic: Option<String>,
    /// The forum it is a post of.
    pub(super) forum: Option<String>,
    pub(super) system_prompt: Option<String>,
    pub(super) skills: Option<Vec<String>>,
    /// Who wrote the message it answers, and what; `None` if that may not be shown.
    pub(super) reply: Option<(MessageId, String, String)>,
    pub(super) history: Vec<Entry>,
    pub(super) events: Vec<String>,
    /// Messages that were dropped for want of room, a line each.
    pub(super) summaries: Vec<String>,
}

impl Scene {
    /// The names of a place.
    pub(super) fn of(channel: ChannelId, places: &Places) -> Self {
        let Some(known) = places.channel(channel) else { return Self::default() };
        let parent = places.parent(channel);
        let is_post = parent.is_some_and(|parent| parent.kind == PlaceKind::Forum);
        Self {
            guild: known.guild.map_or("", |guild| places.guild(guild)).to_owned(),
            name: known.name.clone(),
            parent: parent.map_or("", |parent| &parent.name).to_owned(),
            kind: Some(known.kind),
            topic: known.topic.clone(),
            forum: parent.filter(|_| is_post).map(|parent| parent.name.clone()),
            ..Self::default()
        }
    }

    fn chat(&self) -> Chat<'_> {
        let (guild, name, parent) = (&self.guild, &self.name, &self.parent);
        match self.kind {
            Some(PlaceKind::GroupDirect) => Chat::Group { name },
            Some(PlaceKind::Thread | PlaceKind::PrivateThread) => {
                Chat::Thread { guild, name, parent }
            }
            Some(PlaceKind::Direct) => Chat::Direct,
            _ => Chat::Channel { guild, name },
        }
    }

    /// The envelope of a question.
    pub(super) fn compose(
        &self,
        asked: &Asked,
        around: &Surrounding<'_>,
        marker: &Marker,
    ) -> Envelope {
        let sender = &asked.admitted.sender;
        let is_direct = super::decide::is_private(&asked.admitted);
        let forwarded: Vec<Forwarded<'_>> = Vec::new();
        let events: Vec<String> = self.events.iter().chain(&self.summaries).cloned().collect();
        let turn = TurnContext {
            account: around.account,
            surface: "discord",
            channel: asked.channel,
            chat: if is_direct { Chat::Direct } else { self.chat() },
            system_prompt: self.system_prompt.as_deref(),
            skills: self.skills.as_deref(),
            topic: self.topic.as_deref(),
            forum_parent: self.forum.as_deref().filter(|_| around.is_first),
            sender: Sender {
                id: &sender.id,
                label: &sender.label,
                name: &sender.name,
                username: &sender.username,
                tag: &sender.tag,
            },
            message: asked.message.id,
            batch: if asked.ids.len() > 1 { &asked.ids } else { &[] },
            at_ms: asked.message.unix_ms(),
            elapsed_ms: around.elapsed_ms,
            zone: around.zone,
            shows_timestamp: around.agents.timestamp,
            shows_elapsed: around.agents.elapsed,
            was_mentioned: asked.admitted.was_mentioned,
            reply: self.reply.as_ref().map(|(message, sender, body)| Quoted {
                message: *message,
                sender,
                body,
                is_quote: false,
            }),
            starter: around.starter.as_ref().map(|(sender, body)| Starter { sender, body }),
            forwarded: &forwarded,
            history: &self.history,
            events: &events,
            body: around.body,
            notes: around.notes,
        };
        envelope::compose(&turn, marker)
    }
}

/// What a turn finds out by itself.
pub(super) struct Surrounding<'a> {
    pub(super) account: &'a str,
    pub(super) agents: &'a Agents,
    pub(super) zone: &'a TimeZone,
    /// Nothing was said in the session before.
    pub(super) is_first: bool,
    /// Who opened the thread, and with which words; only in its session's first turn.
    pub(super) starter: Option<(String, String)>,
    /// Since something last happened in it.
    pub(super) elapsed_ms: Option<u64>,
    pub(super) body: &'a str,
    pub(super) notes: &'a [String],
}
