//! What the gateway tells: places are followed, messages written down before anything is done
//! about them.

use std::time::Duration;

use clawvoice_session::{
    ChannelId, MessageId, UserId,
    mail::{Arrival, Outcome, Received},
};
use jiff::Timestamp;

use super::{
    super::{
        clock::{now, unix_ms},
        feed::TextIntake,
    },
    Desk,
    admission::Admission,
};
use crate::{
    inbound::{Batch, Debounce, DropReason, Dropped},
    incoming::{Gone, TextEvent},
    message::Message,
    place::Channel,
    routing::binding::Ended,
};

/// How long a new session's guilds are waited for before what was missed is looked for.
const CATCH_UP: Duration = Duration::from_secs(2);

impl Desk {
    /// Takes events in; when it returns, they are safe.
    pub(super) async fn take(&mut self, events: Vec<TextEvent>, intake: &TextIntake) {
        let count = events.len();
        let mut messages = Vec::new();
        let mut guilds = false;
        for event in events {
            guilds |= matches!(event, TextEvent::Guild { .. });
            match event {
                TextEvent::Message { message, body } => messages.push((*message, body)),
                TextEvent::Connected { user, new } => self.connected(user, new).await,
                other => self.follow(other).await,
            }
        }
        // The guilds of a new session are there: what was missed goes first.
        if self.catch_up_at.is_some() && (guilds || !messages.is_empty()) {
            self.catch_up().await;
        }
        self.receive(messages).await;
        intake.took(count);
        self.admit_ready().await;
    }

    async fn connected(&mut self, user: UserId, new: bool) {
        if new {
            self.places.clear();
            self.catch_up_at = Some(now() + CATCH_UP);
        }
        if self.own.borrow().is_some() {
            return;
        }
        self.own.send_replace(Some(user));
        self.router.handle_bot(user);
        self.debounce = Debounce::new(self.rules.inbound.debounce, user);
        self.recover().await;
    }

    /// Takes up what the last process did not finish, in its order.
    async fn recover(&mut self) {
        let left = std::mem::take(&mut self.recovered);
        if left.is_empty() {
            return;
        }
        tracing::info!("{} message(s) of the last run are taken up again", left.len());
        let mut batches: Vec<(Option<String>, Vec<Message>)> = Vec::new();
        for Received { arrival, turn } in left {
            self.dedup.handle_message(now(), arrival.channel, arrival.message);
            let Ok(message) = Message::read(&arrival.body) else {
                self.finish_messages(
                    vec![(arrival.channel, arrival.message)],
                    Outcome::Dropped(DropReason::InvalidEvent.code().to_owned()),
                )
                .await;
                continue;
            };
            let turn = turn.map(|(_, turn)| turn);
            // What was one turn is one again.
            let same = batches.iter_mut().find(|(of, _)| of.is_some() && *of == turn);
            match same {
                Some((_, messages)) => messages.push(message),
                None => batches.push((turn, vec![message])),
            }
        }
        for (_, messages) in batches {
            if let Some(batch) = Batch::of(messages) {
                self.admit(batch).await;
            }
        }
    }

    async fn follow(&mut self, event: TextEvent) {
        match event {
            TextEvent::Guild { guild, name } => self.places.put_guild(guild, name),
            TextEvent::Channel(channel) => self.channel_told(channel).await,
            TextEvent::Gone(Gone::Channel(channel)) => {
                let known = self.places.remove(channel);
                if let Some(guild) = known.as_ref().and_then(|known| known.guild) {
                    self.finder.audiences.forget_guild(guild);
                }
                self.pending.forget(channel);
                self.around.starters().forget(channel);
                self.gone(channel, Ended::Deleted).await;
                if known.is_some_and(|known| known.kind.is_thread()) {
                    self.close_thread(channel).await;
                }
            }
            TextEvent::Gone(Gone::Guild(guild)) => self.finder.audiences.forget_guild(guild),
            TextEvent::Access { guild, member: None } => self.finder.audiences.forget_guild(guild),
            TextEvent::Access { guild, member: Some(member) } => {
                self.finder.audiences.forget_member(guild, member);
            }
            TextEvent::Connected { .. } => {}
            TextEvent::Reaction(reaction) => self.reacted(reaction),
            TextEvent::Invalid(reason) => {
                let account = &self.around.account;
                tracing::debug!(%account, reason = reason.code(), "a message is dropped: {reason}");
                self.monitor.change(|status| status.drops.count(reason));
            }
            TextEvent::Message { .. } => {}
        }
    }

    async fn channel_told(&mut self, channel: Channel) {
        let (id, archived, kind) = (channel.id, channel.archived, channel.kind);
        // What a thread shows follows its parent.
        if let Some(guild) = channel.guild.filter(|_| !kind.is_thread()) {
            self.finder.audiences.forget_guild(guild);
        }
        let was_open = self.places.channel(id).is_some_and(|known| !known.archived);
        self.places.put(channel);
        if archived {
            self.gone(id, Ended::Archived).await;
        }
        // One that is archived when it is first told of was so before this process.
        if archived && was_open {
            self.close_thread(id).await;
        }
    }

    /// A thread or channel is no more, or asleep: its bindings end.
    async fn gone(&mut self, channel: ChannelId, how: Ended) {
        for session in self.bindings.gone(unix_ms(), channel, how) {
            self.stop_session(&session).await;
        }
        self.carry_out_bindings();
    }

    /// A bound thread was looked at.
    pub(super) async fn seen(&mut self, channel: ChannelId, found: Option<Channel>) {
        match found {
            None => self.gone(channel, Ended::Deleted).await,
            Some(found) if found.archived => self.gone(channel, Ended::Archived).await,
            Some(found) => self.places.put(found),
        }
    }

    pub(super) async fn receive(&mut self, messages: Vec<(Message, String)>) {
        let own = *self.own.borrow();
        let mut arrivals = Vec::new();
        let mut fresh = Vec::new();
        for (message, body) in messages {
            // Before it can take anybody's place.
            if Some(message.author.id) == own {
                self.attention.handle_own(now(), message.channel);
                self.monitor.change(|status| status.drops.count(DropReason::SelfMessage));
                continue;
            }
            self.attention.handle_message(message.channel, message.author.id);
            arrivals.push(Arrival {
                account: self.around.account.clone(),
                channel: message.channel,
                message: message.id,
                author: message.author.id,
                body,
                received: Timestamp::now(),
            });
            fresh.push(message);
        }
        if arrivals.is_empty() {
            return;
        }
        let is_unseen = |it: &Message| self.dedup.handle_message(now(), it.channel, it.id);
        let unseen: Vec<bool> = fresh.iter().map(is_unseen).collect();
        let new = match self.around.mailbox.receive(arrivals).await {
            Ok(new) => new,
            Err(error) => {
                // Better answered without being remembered on the disk than not at all.
                tracing::warn!("messages are not written down: {error}");
                unseen
            }
        };
        for (message, is_new) in fresh.into_iter().zip(new) {
            if is_new {
                self.debounce.handle_message(now(), message);
            } else {
                let known = Dropped::from(DropReason::DuplicateMessage);
                self.tell_drop(&message, &[message.id], &known);
            }
        }
    }

    /// Has what does not wait any longer decided.
    pub(super) async fn admit_ready(&mut self) {
        while let Some(batch) = self.debounce.poll_output() {
            self.admit(batch).await;
        }
    }

    async fn admit(&mut self, batch: Batch) {
        let after_downtime = batch.message.unix_ms() < self.began_ms;
        let channel = batch.message.channel;
        match self.admissions.push(Admission::new(batch, after_downtime)) {
            Ok(()) => self.decide(channel).await,
            Err(refused) => {
                let full = Dropped::from(DropReason::QueueFull);
                self.drop_message(&refused, &full).await;
            }
        }
    }

    /// Writes down what became of messages.
    pub(super) async fn finish_messages(
        &mut self,
        messages: Vec<(ChannelId, MessageId)>,
        outcome: Outcome,
    ) {
        let finished = self.around.mailbox.finish(&self.around.account, messages, outcome).await;
        if let Err(error) = finished {
            tracing::warn!("what became of a message is not written down: {error}");
        }
    }
}
