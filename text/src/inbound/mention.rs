//! Steps 19 to 21: whether a message is to the bot, to somebody else, or to nobody.

use std::borrow::Cow;

use clawvoice_config::{Entries, MentionPatterns, Named, PatternMode};
use clawvoice_session::{UserId, access::Place};

use super::{
    markup::{Token, tokens},
    patterns::Patterns,
    verdict::{Hydration, Known},
};
use crate::message::Message;

/// Whom a message is to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    /// The bot, by its id or with all others.
    pub(crate) explicit: bool,
    /// The bot, by a word that it is called by.
    pub(crate) by_pattern: bool,
    /// It answers a message of the bot's.
    pub(crate) reply: bool,
    /// Another user, or a role.
    pub(crate) others: bool,
    /// Anybody at all, all of them included.
    pub(crate) anybody: bool,
}

impl Mentions {
    /// By ids. `broadcasts`: its `@everyone` is a mention.
    pub(crate) fn of(message: &Message, known: &Known<'_>, broadcasts: bool) -> Self {
        let own = known.own;
        let in_array = message.mentions.iter().any(|user| user.id == own);
        let in_text = in_text(message, known);
        let other_user = message.mentions.iter().any(|user| user.id != own)
            || in_text.iter().any(|user| *user != own);
        let referenced = message.referenced.as_ref().filter(|_| message.is_reply());
        let everyone = message.mention_everyone && broadcasts;
        let others = other_user || !message.mention_roles.is_empty();
        let by_id = in_array || in_text.contains(&own);
        Self {
            explicit: by_id || everyone,
            by_pattern: false,
            reply: referenced.is_some_and(|it| it.author.id == own),
            others,
            anybody: by_id || others || message.mention_everyone,
        }
    }

    /// The same, with words looked for unless it is clear already.
    pub(crate) fn with_patterns(self, patterns: Option<&Patterns>, text: &str) -> Self {
        let by_pattern =
            !self.is_addressed() && patterns.is_some_and(|patterns| patterns.match_in(text));
        Self { by_pattern, ..self }
    }

    /// Whether the bot is mentioned in any way.
    pub(crate) const fn was_mentioned(self) -> bool {
        self.explicit || self.by_pattern
    }

    /// Whether the message is to the bot.
    pub(crate) const fn is_addressed(self) -> bool {
        self.was_mentioned() || self.reply
    }
}

/// Users mentioned in the text, if the message's own array of them is missing and could not be got.
fn in_text(message: &Message, known: &Known<'_>) -> Vec<UserId> {
    if !message.mentions.is_empty() || known.hydration != Hydration::Failed {
        return Vec::new();
    }
    let users = tokens(&message.content).filter_map(|(_, token)| match token {
        Token::User(id) => Some(UserId::new(id)),
        Token::Role(_) => None,
    });
    users.collect()
}

/// In which channels words count as a mention (`mentionPatterns`).
#[derive(Clone, Debug)]
pub(crate) struct PatternPlaces {
    mode: PatternMode,
    allow_in: Entries<()>,
    deny_in: Entries<()>,
}

impl PatternPlaces {
    pub(crate) fn new(configured: &MentionPatterns) -> Self {
        let entries = |names: &Option<Vec<String>>| {
            names.iter().flatten().map(|name| (name.clone(), ())).collect()
        };
        Self {
            mode: configured.mode,
            allow_in: entries(&configured.allow_in),
            deny_in: entries(&configured.deny_in),
        }
    }

    /// Whether they count in a place; a thread is judged as its parent, too.
    pub(crate) fn count_in(&self, place: &Place<'_>) -> bool {
        match self.mode {
            PatternMode::Allow => place.channel_entry(&self.deny_in).is_none(),
            PatternMode::Deny => place.channel_entry(&self.allow_in).is_some(),
        }
    }

    /// The same of a group of people without a guild.
    pub(crate) fn count_in_group(&self, id: u64, name: &str) -> bool {
        let group = Named { id, name };
        match self.mode {
            PatternMode::Allow => self.deny_in.find(group, None).is_none(),
            PatternMode::Deny => self.allow_in.find(group, None).is_some(),
        }
    }
}

/// The text that words are looked for in: what is typed, else what the voice note says.
pub(crate) fn searched<'t>(own: Cow<'t, str>, transcript: Option<&'t str>) -> Cow<'t, str> {
    match transcript {
        Some(said) if own.is_empty() => said.into(),
        _ => own,
    }
}
