//! Steps 25 and 26: whether an admitted message is for this bot, or for another one, or for nobody.

use std::sync::{Arc, Mutex, PoisonError};

use clawvoice_session::{ChannelId, GuildId, MessageId, UserId};

use super::{super::clock::now, Desk};
use crate::{
    inbound::{
        Admitted, DropReason, Dropped,
        intent::{Cues, relevance},
        place,
        router::{AgentRouter, Asked, Candidate, Task},
    },
    message::Message,
};

/// What the bots of a process decide by which of them answers. Cloning gives another handle to the
/// same.
#[derive(Clone, Debug, Default)]
pub struct SharedRouter(Arc<Mutex<AgentRouter>>);

impl SharedRouter {
    /// A bot is connected.
    pub(super) fn handle_bot(&self, own: UserId) {
        self.with(|router| router.handle_bot(own));
    }

    fn with<T>(&self, work: impl FnOnce(&mut AgentRouter) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A message, as far as the choice needs it.
pub(super) struct Choice {
    message: MessageId,
    channel: ChannelId,
    guild: Option<GuildId>,
    author: UserId,
    unix_ms: u64,
    /// Whom it mentions.
    mentioned: Vec<UserId>,
    /// Whom it answers.
    answers: Option<UserId>,
}

impl Choice {
    pub(super) fn of(message: &Message) -> Self {
        let answered = message.referenced.as_ref().filter(|_| message.is_reply());
        Self {
            message: message.id,
            channel: message.channel,
            guild: message.guild,
            author: message.author.id,
            unix_ms: message.unix_ms(),
            mentioned: message.mentions.iter().map(|user| user.id).collect(),
            answers: answered.map(|answered| answered.author.id),
        }
    }
}

impl Desk {
    /// Why an admitted message is not this bot's to answer.
    pub(super) fn is_not_ours(&mut self, asked: &Choice, admitted: &Admitted) -> Option<Dropped> {
        let own = (*self.own.borrow())?;
        self.of_another(asked, admitted, own)
            .or_else(|| self.of_nobody(asked, admitted, own))
            .or_else(|| self.in_a_loop(asked, admitted, own))
    }

    /// Another bot of this process answers.
    fn of_another(&self, asked: &Choice, admitted: &Admitted, own: UserId) -> Option<Dropped> {
        let rules = &self.rules.config.gateway.agent_router;
        let guild = asked.guild.filter(|_| rules.enabled)?;
        let roles = &admitted.roles;
        let route = self.route_of(asked.channel, Some(guild), asked.author, roles);
        let mentioned: Vec<UserId> = asked.mentioned.iter().copied().chain(asked.answers).collect();
        let question = Asked {
            message: asked.message,
            place: &place(&self.places, guild, asked.channel),
            author: asked.author,
            text: &admitted.text,
            // What a session is bound to is to it as a whole.
            addressed: admitted.addressed || route.is_bound(),
            mentioned: &mentioned,
        };
        let who = Candidate { own, agent: &route.agent };
        let task = self.router.with(|it| it.handle_message(now(), rules, who, &question));
        let remember = match task {
            Task::Answer => return None,
            Task::Observe => true,
            Task::Leave => false,
        };
        Some(Dropped { remember, ..DropReason::RouterOtherAgent.into() })
    }

    /// It is said among people.
    fn of_nobody(&self, asked: &Choice, admitted: &Admitted, own: UserId) -> Option<Dropped> {
        let rules = &self.rules.config.gateway.intent_filter;
        if !rules.enabled || asked.guild.is_none() || admitted.command.is_some() {
            return None;
        }
        let cues = Cues {
            text: &admitted.text,
            addressed: admitted.addressed || self.is_own_place(asked, admitted, own),
            replies_to_other: asked.answers.is_some_and(|user| user != own),
            mentions_others: asked.mentioned.iter().any(|user| *user != own),
            topics: rules.topics.as_deref().unwrap_or_default(),
            since_own: self.attention.since_own(now(), asked.channel, asked.author),
        };
        let relevance = relevance(&cues, rules.threshold);
        tracing::debug!(
            message = %asked.message, percent = relevance.percent, answers = relevance.answers,
            "how likely a message is for the bot"
        );
        let detail = Some(format!("relevance {} %", relevance.percent).into());
        let dropped = Dropped { detail, remember: true, ..DropReason::IntentFiltered.into() };
        (!relevance.answers).then_some(dropped)
    }

    /// A thread that the bot opened, or a place that belongs to a session, is to it as a whole.
    fn is_own_place(&self, asked: &Choice, admitted: &Admitted, own: UserId) -> bool {
        let opened_it =
            |place: &crate::place::Channel| place.kind.is_thread() && place.owner == Some(own);
        let (guild, roles) = (asked.guild, &admitted.roles);
        self.places.channel(asked.channel).is_some_and(opened_it)
            || self.route_of(asked.channel, guild, asked.author, roles).is_bound()
    }

    /// Two bots that talk to each other are stopped.
    fn in_a_loop(&mut self, asked: &Choice, admitted: &Admitted, own: UserId) -> Option<Dropped> {
        let rules = &self.rules.inbound.bot_loop;
        let is_too_much = admitted.sender.bot
            && !admitted.sender.plural
            && self.loop_guard.handle_message(
                rules,
                asked.channel,
                asked.author,
                own,
                asked.unix_ms,
            );
        is_too_much.then(|| DropReason::BotLoopCooldown.into())
    }
}
