//! What becomes of the first message of a channel: dropped, carried out, or a turn of its session.

use std::sync::Arc;

use clawvoice_session::{
    ChannelId, GuildId, RoleId, UserId,
    mail::{Event, EventKind, Outcome},
    pairing,
};
use serde_json::json;

use super::{
    super::clock::{now, unix_ms},
    Desk, JobEnd,
    admission::{Admission, Answer, Here},
    choice::Choice,
    question::{Asked, Question},
    threads::{self, AnswerThread},
};
use crate::{
    history::Entry,
    inbound::{
        Admitted, BoundThread, DropReason, Dropped, Sender, Surface, Verdict, for_model,
        pairing_reason, pairing_reply,
    },
    message::Message,
    outbox::outgoing::Destination,
    place::PlaceKind,
    routing::{
        self, Origin, Route,
        binding::BoundPlace,
        thread::{AutoThread, auto_thread},
    },
};

impl Desk {
    /// Decides the channel's messages in order, until something must be found out.
    pub(super) async fn decide(&mut self, channel: ChannelId) {
        while let Some(first) = self.admissions.first(channel) {
            let verdict = self.judge(first);
            match verdict {
                Verdict::Needs(need) => {
                    let (finder, message) = (Arc::clone(&self.finder), first.message.clone());
                    self.admissions.ask(channel);
                    self.jobs.spawn(async move {
                        JobEnd::Found(channel, finder.find(need, &message).await)
                    });
                    return;
                }
                Verdict::Drop(dropped) => {
                    if let Some(first) = self.admissions.next(channel) {
                        self.drop_message(&first, &dropped).await;
                    }
                }
                Verdict::SystemEvent(words) => {
                    if let Some(first) = self.admissions.next(channel) {
                        self.system_event(&first, words).await;
                    }
                }
                Verdict::Admit(admitted) => {
                    if self.admit_first(channel, *admitted).await.is_waiting() {
                        return;
                    }
                }
            }
        }
    }

    /// Something was found out.
    pub(super) async fn found(&mut self, channel: ChannelId, answer: Answer) {
        if let Answer::Channel(_, Some(found)) = &answer {
            self.places.put(found.clone());
        }
        self.admissions.answer(channel, answer);
        self.decide(channel).await;
    }

    pub(super) fn judge(&self, admission: &Admission) -> Verdict {
        let Some(own) = *self.own.borrow() else {
            // Nothing comes before the gateway has said who the bot is.
            return Verdict::Drop(DropReason::InvalidEvent.into());
        };
        let message = &admission.message;
        let place = self.bound_place(message);
        let bound = self.bindings.get(place).filter(|_| message.guild.is_some());
        let bound = bound.map(|record| BoundThread {
            webhook: record.webhook.as_ref().map(|webhook| webhook.id),
        });
        let sent = self.around.sent.get();
        let from = self.origin(message.channel, message.guild, message.author.id, roles(message));
        let here = Here {
            own,
            agent: Some(self.bindings.agent(unix_ms(), &self.rules.router, &from)),
            places: &self.places,
            sent: &sent,
            bound,
            dm_is_bound: message.guild.is_none() && self.bindings.get(place).is_some(),
            unix_ms: unix_ms(),
        };
        admission.judge(&here, &self.rules.inbound)
    }

    fn bound_place(&self, message: &Message) -> BoundPlace {
        match self.places.channel(message.channel).map(|channel| channel.kind) {
            Some(PlaceKind::GroupDirect) => BoundPlace::Channel(message.channel),
            _ if message.guild.is_none() => BoundPlace::User(message.author.id),
            _ => BoundPlace::Channel(message.channel),
        }
    }

    /// What a place is, to the routes.
    pub(super) fn surface(
        &self,
        channel: ChannelId,
        guild: Option<GuildId>,
        user: UserId,
    ) -> routing::Surface {
        let channel = self.places.channel(channel);
        match (guild, channel.map(|channel| channel.kind)) {
            (_, Some(PlaceKind::GroupDirect)) => routing::Surface::Group,
            (None, _) => routing::Surface::Direct { user },
            _ => match channel.and_then(|channel| channel.parent) {
                Some(parent) => routing::Surface::Thread { parent },
                None => routing::Surface::Channel,
            },
        }
    }

    /// The session that a message belongs to.
    pub(super) fn route(&self, message: &Message) -> Route {
        self.route_of(message.channel, message.guild, message.author.id, roles(message))
    }

    /// The session that somebody's words in a place belong to.
    pub(super) fn route_of(
        &self,
        channel: ChannelId,
        guild: Option<GuildId>,
        sender: UserId,
        roles: &[RoleId],
    ) -> Route {
        let from = self.origin(channel, guild, sender, roles);
        self.bindings.effective(unix_ms(), &self.rules.router, &from)
    }

    fn origin<'a>(
        &'a self,
        channel: ChannelId,
        guild: Option<GuildId>,
        sender: UserId,
        roles: &'a [RoleId],
    ) -> Origin<'a> {
        let known = self.places.channel(channel);
        Origin {
            surface: self.surface(channel, guild, sender),
            channel,
            channel_name: known.map_or("", |known| &known.name),
            guild,
            guild_name: guild.map_or("", |guild| self.places.guild(guild)),
            roles,
            sender,
        }
    }

    /// The first message of the channel is the agent's.
    async fn admit_first(&mut self, channel: ChannelId, admitted: Admitted) -> Next {
        let Some(first) = self.admissions.first(channel) else { return Next::Decided };
        self.around.meet(&first.message);
        let opens = self.thread_for(&first.message, &admitted);
        let asked = Choice::of(&first.message);
        if let Some(dropped) = self.is_not_ours(&asked, &admitted) {
            if let Some(first) = self.admissions.next(channel) {
                self.drop_message(&first, &dropped).await;
            }
            return Next::Decided;
        }
        if let Some(command) = admitted.command.clone() {
            if let Some(first) = self.admissions.next(channel) {
                self.command(first, admitted, command).await;
            }
            return Next::Decided;
        }
        match opens {
            AutoThread::Open(wanted) => {
                self.admissions.ask(channel);
                let around = Arc::clone(&self.around);
                self.jobs.spawn(async move {
                    let thread = threads::open(&around, channel, wanted).await;
                    JobEnd::Thread(channel, thread)
                });
                Next::Waiting
            }
            AutoThread::Reuse(thread) => {
                let thread = AnswerThread { id: thread, opened: None };
                self.ask_first(channel, admitted, Some(thread)).await;
                Next::Decided
            }
            AutoThread::Stay => {
                self.ask_first(channel, admitted, None).await;
                Next::Decided
            }
        }
    }

    fn thread_for(&self, message: &Message, admitted: &Admitted) -> AutoThread {
        let kind = self.places.channel(message.channel).map_or(PlaceKind::Other, |it| it.kind);
        let Some(guild) = message.guild else { return AutoThread::Stay };
        let place = crate::inbound::place(&self.places, guild, message.channel);
        let entry = self.rules.inbound.entry(&place).and_then(|entry| entry.channel);
        auto_thread(entry, kind, message, !admitted.sender.bot)
    }

    /// The first message of the channel becomes a turn of its session, or of a thread's.
    pub(super) async fn ask_first(
        &mut self,
        channel: ChannelId,
        admitted: Admitted,
        thread: Option<AnswerThread>,
    ) {
        let Some(first) = self.admissions.next(channel) else { return };
        let mut route = self.route(&first.message);
        if let Some(AnswerThread { id, .. }) = thread {
            route.key = self.rules.router.thread_key(&route.agent, id);
            route.last.channel = id;
        }
        self.bindings.touch(unix_ms(), self.bound_place(&first.message));
        self.carry_out_bindings();
        let transcript = first.transcript().map(str::to_owned);
        let asked = Asked {
            channel: thread.as_ref().map_or(first.message.channel, |thread| thread.id),
            opened: thread.and_then(|thread| thread.opened),
            message: first.message,
            ids: first.ids,
            admitted,
            route,
            transcript,
        };
        self.ask(Question(Arc::new(asked))).await;
    }

    /// A message becomes no turn.
    pub(super) async fn drop_message(&mut self, admission: &Admission, dropped: &Dropped) {
        let Admission { message, ids, .. } = admission;
        let mut dropped = dropped.clone();
        if dropped.reason == DropReason::DmPairingRequired {
            dropped = self.challenge(message).await.into();
        }
        if dropped.remember {
            self.remember(admission);
        }
        if dropped.reason == DropReason::EmptyContent {
            self.tell_of_empty(message);
        }
        self.tell_drop(message, ids, &dropped);
        let reason = dropped.reason.code().to_owned();
        self.finish_messages(admission.all(), Outcome::Dropped(reason)).await;
    }

    /// One line for every drop, and a count.
    pub(super) fn tell_drop(
        &mut self,
        message: &Message,
        ids: &[clawvoice_session::MessageId],
        dropped: &Dropped,
    ) {
        self.monitor.change(|status| status.drops.count(dropped.reason));
        let account = &self.around.account;
        let guild = message.guild.map(|guild| guild.to_string()).unwrap_or_default();
        let (channel, id) = (message.channel, message.id);
        let (count, reason) = (ids.len(), dropped.reason.code());
        let detail = dropped.detail.as_deref().unwrap_or_default();
        if self.telling.may_tell(now(), message.channel, dropped.reason) {
            tracing::info!(
                %account, %guild, %channel, message = %id, count, reason, detail,
                "a message is dropped: {reason}"
            );
        } else {
            tracing::debug!(
                %account, %guild, %channel, message = %id, count, reason, detail,
                "a message is dropped: {reason}"
            );
        }
    }

    /// Writes an event down, in the background: nothing waits for it.
    fn log(&mut self, message: &Message, kind: EventKind, detail: serde_json::Value) {
        let event = Event {
            account: self.around.account.clone(),
            conversation: format!("channel:{}", message.channel),
            user: Some(message.author.id),
            kind,
            detail,
        };
        let mailbox = self.around.mailbox.clone();
        self.jobs.spawn(async move {
            if let Err(error) = mailbox.event(event).await {
                tracing::debug!("an event is not logged: {error}");
            }
            JobEnd::Done
        });
    }

    /// What is said beside the agent is told with the next message to it.
    fn remember(&mut self, admission: &Admission) {
        let message = &admission.message;
        self.around.meet(message);
        let sender = Sender::of(message, admission.plural());
        let body = for_model(message);
        let mut entry = Entry::new(message, &sender.label, &body);
        entry.plural = sender.plural.then(|| sender.id.clone());
        let limit = self.history_limit();
        self.pending.push(message.channel, limit, entry);
    }

    pub(super) fn history_limit(&self) -> usize {
        let limit = self.rules.config.discord.delivery.history_limit;
        usize::try_from(limit).unwrap_or(usize::MAX)
    }

    /// Texts of others are empty without the intent: whoever runs this is told once.
    fn tell_of_empty(&mut self, message: &Message) {
        let is_bare = message.is_written() && message.guild.is_some();
        if !is_bare || std::mem::replace(&mut self.told_of_empty, true) {
            return;
        }
        tracing::warn!(
            "messages come without their text: switch on channels.discord.intents.messageContent \
             and, on the Bot page of https://discord.com/developers/applications, \"Message \
             Content Intent\""
        );
    }

    /// A stranger wrote in private: they are told a code, once.
    async fn challenge(&mut self, message: &Message) -> DropReason {
        let user = message.author.id;
        let Some(answer) = self.finder.ask_pairing(user).await else {
            return DropReason::DmPairingRequired;
        };
        if let pairing::Answer::Tell(request) = &answer {
            self.log(message, EventKind::Pairing, json!({ "asked": true }));
            let (around, text) = (Arc::clone(&self.around), pairing_reply(request));
            let to = Destination::Channel(message.channel);
            self.jobs.spawn(async move {
                around.say(to, &text).await;
                JobEnd::Done
            });
        }
        pairing_reason(&answer)
    }

    /// Discord tells of a pin, a join, a boost: the session hears of it in its next turn.
    async fn system_event(&mut self, first: &Admission, words: String) {
        let session = self.route(&first.message).key;
        self.note_event(session, words);
        let code = DropReason::SystemEvent;
        self.tell_drop(&first.message, &first.ids, &code.into());
        let outcome = Outcome::Dropped(code.code().to_owned());
        self.finish_messages(first.all(), outcome).await;
    }
}

/// The roles of whoever wrote a message.
fn roles(message: &Message) -> &[RoleId] {
    message.member.as_ref().map_or(&[], |member| &member.roles)
}

/// Whether the next message of a channel can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Decided,
    Waiting,
}

impl Next {
    fn is_waiting(self) -> bool {
        self == Self::Waiting
    }
}

/// Who is in private with the agent.
pub(super) fn is_private(admitted: &Admitted) -> bool {
    admitted.surface == Surface::Direct
}
