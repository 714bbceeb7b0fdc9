//! Reactions: what is not told of them is found out, and the place's session hears of those it may.

use std::sync::Arc;

use clawvoice_config::ReactionNotifications;
use clawvoice_session::{UserId, WebhookId, access::Member};

use super::{Desk, JobEnd, hooks::Hooks, needs::Finder};
use crate::{
    envelope::{self, ReactionFacts, is_told},
    inbound,
    incoming::{ReactingMember, Reaction},
    message::{Author, MemberPart},
};

/// Reactions that something is found out about at a time; further ones are left out.
pub(super) const MOST_LOOKUPS: usize = 16;

/// What Discord did not tell of a reaction.
#[derive(Clone, Copy, Debug)]
struct Lacks {
    /// Whose message it is to: not told of those that are taken away.
    author: bool,
    /// Who reacted, as a member: likewise.
    member: bool,
    /// Whether they were let in by a code.
    paired: bool,
}

/// A reaction of which enough is known.
#[derive(Debug)]
pub(super) struct Reacted {
    reaction: Reaction,
    paired: bool,
}

impl Desk {
    /// Somebody reacted to a message.
    pub(super) fn reacted(&mut self, reaction: Reaction) {
        let Some(own) = *self.own.borrow() else { return };
        let Some(mode) = self.reaction_mode(&reaction) else { return };
        if reaction.user == own || mode == ReactionNotifications::Off {
            return;
        }
        let lacks = self.lacks(&reaction, mode);
        if !(lacks.author || lacks.member || lacks.paired) {
            return self.reaction_known(Reacted { reaction, paired: false });
        }
        let Ok(permit) = Arc::clone(&self.reaction_lookups).try_acquire_owned() else {
            return tracing::debug!("a reaction is left out: too many come at a time");
        };
        let (finder, hooks) = (Arc::clone(&self.finder), self.around.hooks.clone());
        self.jobs.spawn(async move {
            let found = find_out(reaction, lacks, &finder, |it| is_own(own, &hooks, it)).await;
            drop(permit);
            found.map_or(JobEnd::Done, |reacted| JobEnd::Reacted(Box::new(reacted)))
        });
    }

    fn lacks(&self, reaction: &Reaction, mode: ReactionNotifications) -> Lacks {
        let in_guild = reaction.guild.is_some();
        Lacks {
            author: mode == ReactionNotifications::Own && reaction.message_author.is_none(),
            member: in_guild && reaction.member.is_none(),
            paired: !in_guild && self.is_heard_in_private(reaction.user).is_none(),
        }
    }

    fn is_heard_in_private(&self, user: UserId) -> Option<bool> {
        inbound::is_heard_in_private(&Member::by_id(user).into(), &self.rules.inbound)
    }

    /// By which rule reactions are told in a place; `None`: the agent does not listen there.
    fn reaction_mode(&self, reaction: &Reaction) -> Option<ReactionNotifications> {
        let Some(guild) = reaction.guild else { return Some(ReactionNotifications::Own) };
        let place = inbound::place(&self.places, guild, reaction.channel);
        self.rules.inbound.rules.access.room(&place).ok()?;
        let entry = self.rules.inbound.entry(&place);
        Some(entry.map_or(ReactionNotifications::Own, |entry| entry.guild.reaction_notifications))
    }

    /// Enough is known of a reaction.
    pub(super) fn reaction_known(&mut self, reacted: Reacted) {
        let Reacted { reaction, paired } = reacted;
        let Some(mode) = self.reaction_mode(&reaction) else { return };
        let facts = self.reaction_facts(&reaction, paired);
        if !facts.is_some_and(|facts| is_told(mode, facts)) {
            return;
        }
        let roles = reaction.member.as_ref().map(ReactingMember::roles).unwrap_or_default();
        let route = self.route_of(reaction.channel, reaction.guild, reaction.user, roles);
        let words = self.in_words(&reaction);
        if !self.happened.get(&route.key).is_some_and(|known| known.contains(&words)) {
            self.note_event(route.key, words);
        }
    }

    fn in_words(&self, reaction: &Reaction) -> String {
        let (emoji, user) = (&reaction.emoji, author(reaction));
        let channel = self.places.channel(reaction.channel);
        let told = envelope::Reaction {
            is_added: reaction.added,
            emoji: envelope::Emoji {
                name: emoji.name.as_deref().unwrap_or_default(),
                id: emoji.id.as_ref().and_then(|id| id.parse().ok()),
            },
            user: reaction.user,
            tag: &user.map(Author::tag).unwrap_or_default(),
            guild: reaction.guild.map(|guild| self.places.guild(guild)),
            channel: reaction.channel,
            channel_name: channel.map_or("", |channel| &channel.name),
            message: reaction.message,
        };
        told.text()
    }

    /// What decides whether it is told; `None`: whoever reacted may not talk to the agent there.
    fn reaction_facts(&self, reaction: &Reaction, paired: bool) -> Option<ReactionFacts> {
        let own = (*self.own.borrow())?;
        let member = reaction.member.as_ref();
        let roles = member.map(ReactingMember::roles).unwrap_or_default();
        let by = Member { user: reaction.user, roles, names: &[] };
        let (has_restrictions, is_allowlisted) = match reaction.guild {
            None => (false, self.is_heard_in_private(reaction.user).unwrap_or(paired)),
            Some(guild) => {
                let place = inbound::place(&self.places, guild, reaction.channel);
                let room = self.rules.inbound.rules.access.room(&place).ok()?;
                (room.is_restricted(), room.admits(&by))
            }
        };
        let facts = ReactionFacts {
            is_by_bot: author(reaction).is_some_and(|user| user.bot),
            is_to_own_message: reaction
                .message_author
                .is_some_and(|author| is_own(own, &self.around.hooks, author)),
            has_restrictions,
            is_allowlisted,
        };
        is_allowlisted.then_some(facts)
    }
}

fn author(reaction: &Reaction) -> Option<&Author> {
    reaction.member.as_ref()?.user.as_ref()
}

/// Whether the bot wrote what that author did, or a webhook of its own, by whose id Discord knows it.
fn is_own(own: UserId, hooks: &Hooks, author: UserId) -> bool {
    author == own || hooks.get(WebhookId::new(author.get())).is_some()
}

/// `None`: it is not told, or something cannot be found out.
async fn find_out(
    mut reaction: Reaction,
    lacks: Lacks,
    finder: &Finder,
    is_own: impl Fn(UserId) -> bool,
) -> Option<Reacted> {
    let rest = &finder.rest;
    if lacks.author {
        let message = rest.message(reaction.channel, reaction.message).await.ok()?;
        if !is_own(message.author.id) {
            return None;
        }
        reaction.message_author = Some(message.author.id);
    }
    if lacks.member {
        let member = rest.member(reaction.guild?, reaction.user).await.ok()?;
        let part = MemberPart { nick: member.nick, roles: member.roles };
        reaction.member = Some(ReactingMember { user: Some(member.user), part });
    }
    let paired = lacks.paired && finder.is_paired(reaction.user).await;
    Some(Reacted { reaction, paired })
}
