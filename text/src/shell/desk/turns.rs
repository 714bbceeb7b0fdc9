//! The turns of sessions: which one runs, what it is told, and what comes of it.

use std::sync::Arc;

use clawvoice_session::{
    ChannelId, GuildId, MessageId, SessionKey,
    access::{Member, Place},
    agent::{Control, ControlOutcome, RunId},
    mail::Outcome,
};
use tokio::sync::mpsc;

use super::{
    super::{clock::now, message_calls::Page},
    Desk, JobEnd, Session,
    context::Scene,
    decide,
    question::{Asked, Question},
    turn::{self, TurnEnd, TurnPlan},
};
use crate::{
    history::{self, Part, Sight, Span},
    inbound::{self, DropReason as NotAsked, Dropped, Sender, for_model},
    lane::{DropReason, Lane, LaneOutput, Progress, RunNumber, StuckWatch, Turn},
    message::Message,
    outbox::outgoing::Destination,
    routing::binding::{BindingOutput, BoundPlace},
};

/// Messages that are looked through for what was said before this process came up.
const LOOKED_THROUGH: u16 = 50;

/// What a turn may be told of messages that its run has taken in.
const MERGED: usize = 64;

/// A session's run that is under way.
pub(super) struct Active {
    /// The lane's name for it.
    pub(super) number: RunNumber,
    /// The agent's name for it.
    pub(super) run: RunId,
    /// Takes the messages that it was told meanwhile.
    pub(super) merged: mpsc::Sender<Vec<(ChannelId, MessageId)>>,
    /// The question that its thread was opened for.
    pub(super) opening: Option<Arc<Asked>>,
}

impl Desk {
    /// A question for its session.
    pub(super) async fn ask(&mut self, question: Question) {
        let key = question.0.session().clone();
        if self.wants_refill(&question.0) {
            return self.refill(key, question);
        }
        let settings = self.lane_settings(&key);
        let warn_after = self.rules.config.diagnostics.stuck_session_warn;
        let session = self.sessions.entry(key.clone()).or_insert_with(|| Session {
            lane: Lane::new(settings),
            watch: StuckWatch::new(key.clone(), warn_after),
            active: None,
        });
        session.lane.handle_turn(now(), question);
        self.drive(&key).await;
    }

    /// Carries out what a session's lane says.
    pub(super) async fn drive(&mut self, key: &SessionKey) {
        loop {
            let Some(session) = self.sessions.get_mut(key) else { return };
            match session.lane.poll_output(now()) {
                Some(LaneOutput::Begin(turn)) => self.begin(key, turn),
                Some(LaneOutput::Steer(question)) => self.steer(key, question),
                Some(LaneOutput::Cancel(_)) => self.cancel(key),
                Some(LaneOutput::Dropped(question, why)) => self.not_run(&question, why).await,
                None => break,
            }
        }
        if self.sessions.get(key).is_some_and(|session| session.lane.is_idle()) {
            self.sessions.remove(key);
        }
    }

    fn begin(&mut self, key: &SessionKey, turn: Turn<Question>) {
        let Some(first) = turn.parts.first().map(|question| Arc::clone(&question.0)) else {
            return;
        };
        let run = self.around.next_run();
        let (merged, merged_of) = mpsc::channel(MERGED);
        let scene = self.scene(key, &first, &turn);
        let number = turn.run;
        let mut asked = turn.parts.iter().map(|question| &question.0);
        let opening = asked.find(|asked| asked.opened.is_some()).map(Arc::clone);
        let plan = TurnPlan {
            run,
            number,
            signs: self.signs.clone(),
            questions: turn.parts.into_iter().map(|question| question.0).collect(),
            starter: self.starter_of(&first, &scene.history),
            scene,
            merged: merged_of,
            rules: Arc::clone(&self.rules),
            finder: Arc::clone(&self.finder),
            bound: self.bindings.get(bound_place(&first)).cloned(),
        };
        if let Some(session) = self.sessions.get_mut(key) {
            session.active = Some(Active { number, run, merged, opening });
            session.watch.handle_progress(now(), Progress::GoesOn);
        }
        let (around, key) = (Arc::clone(&self.around), key.clone());
        self.jobs.spawn(async move {
            let end = turn::run(plan, &around).await;
            JobEnd::Turn(key, number, end)
        });
    }

    fn steer(&mut self, key: &SessionKey, question: Question) {
        let (around, key) = (Arc::clone(&self.around), key.clone());
        self.jobs.spawn(async move {
            let words = question.0.words();
            let outcome = around.agent.control(&key, Control::Steer(words)).await;
            let taken = outcome == ControlOutcome::Done;
            JobEnd::Steered(key, question, taken)
        });
    }

    /// Whether a run took what it was told. What it took ends with it.
    pub(super) async fn steered(&mut self, key: &SessionKey, question: Question, taken: bool) {
        if taken {
            tracing::info!(session = %key, "a message steered the active run");
            let messages = question.0.all();
            let active = self.sessions.get(key).and_then(|session| session.active.as_ref());
            let told = active.map(|active| active.merged.try_send(messages.clone()));
            if !matches!(told, Some(Ok(()))) {
                self.finish_messages(messages, Outcome::Merged).await;
            }
        }
        if let Some(session) = self.sessions.get_mut(key) {
            session.lane.handle_steered(now(), taken);
        }
        self.drive(key).await;
    }

    fn cancel(&mut self, key: &SessionKey) {
        let active = self.sessions.get(key).and_then(|session| session.active.as_ref());
        let Some(run) = active.map(|active| active.run) else { return };
        let (around, key) = (Arc::clone(&self.around), key.clone());
        self.jobs.spawn(async move {
            around.agent.cancel(&key, run).await;
            JobEnd::Done
        });
    }

    /// Stops what runs in a session, and drops what waits.
    pub(super) async fn stop_session(&mut self, key: &SessionKey) {
        if let Some(session) = self.sessions.get_mut(key) {
            session.lane.handle_stop();
        }
        self.drive(key).await;
    }

    /// A question will not run.
    async fn not_run(&mut self, question: &Question, why: DropReason) {
        let asked = &question.0;
        let outcome = match why {
            DropReason::Summarised => Outcome::Merged,
            DropReason::Stopped => Outcome::Dropped(NotAsked::Aborted.code().to_owned()),
            DropReason::Oldest | DropReason::Full | DropReason::Busy => Outcome::Failed,
        };
        tracing::warn!(session = %asked.session(), message = %asked.message.id, "a message is not answered: {why}");
        if why == DropReason::Busy {
            let around = Arc::clone(&self.around);
            let to = Destination::Channel(asked.channel);
            self.jobs.spawn(async move {
                around.say(to, crate::lane::BUSY).await;
                JobEnd::Done
            });
        }
        if why == DropReason::Full || why == DropReason::Oldest {
            let dropped = Dropped::from(NotAsked::QueueFull);
            self.tell_drop(&asked.message, &asked.ids, &dropped);
        }
        self.finish_messages(asked.all(), outcome).await;
    }

    /// A turn is over.
    pub(super) async fn turn_over(&mut self, key: &SessionKey, run: RunNumber, end: TurnEnd) {
        let active = self.sessions.get_mut(key).and_then(|session| session.active.take());
        let outcome = match end {
            TurnEnd::Answered { channel, shown } => {
                self.pending.clear(channel, shown);
                self.monitor.change(|status| status.answered += 1);
                if let Some(opening) = active.and_then(|active| active.opening) {
                    self.name_thread(&opening);
                }
                crate::lane::Outcome::Ended
            }
            TurnEnd::Failed => {
                self.monitor.change(|status| status.failed += 1);
                crate::lane::Outcome::Ended
            }
            TurnEnd::Cancelled | TurnEnd::Left => crate::lane::Outcome::Ended,
        };
        if let Some(session) = self.sessions.get_mut(key) {
            if session.active.as_ref().is_some_and(|active| active.number == run) {
                session.active = None;
                session.watch.handle_over();
            }
            session.lane.handle_over(now(), run, outcome);
        }
        if !self.around.is_closing() {
            self.drive(key).await;
        }
    }

    fn place_of(&self, asked: &Asked) -> Option<Place<'_>> {
        let guild = asked.message.guild?;
        Some(inbound::place(&self.places, guild, asked.message.channel))
    }

    /// Whether somebody may talk to the agent in a place: in private, whoever is there.
    fn may_talk(
        &self,
        guild: Option<GuildId>,
        channel: ChannelId,
        member: &Member<'_>,
        plural: Option<&str>,
    ) -> bool {
        let Some(guild) = guild else { return true };
        let place = inbound::place(&self.places, guild, channel);
        let room = self.rules.inbound.rules.access.room(&place);
        room.is_ok_and(|room| match plural {
            Some(plural) => room.lets_plural(plural),
            None => room.admits(member),
        })
    }

    fn scene(&mut self, key: &SessionKey, asked: &Asked, turn: &Turn<Question>) -> Scene {
        let mut scene = Scene::of(asked.channel, &self.places);
        let visibility = self.rules.config.discord.access.context_visibility;
        let place = self.place_of(asked);
        let entry = place.as_ref().and_then(|place| self.rules.inbound.entry(place));
        let channel = entry.and_then(|entry| entry.channel);
        scene.system_prompt = channel.and_then(|channel| channel.system_prompt.clone());
        scene.skills = channel.and_then(|channel| channel.skills.clone());
        let replied = asked.message.referenced.as_deref();
        let guild = asked.message.guild;
        let may_show = |part, message: &Message| {
            history::is_shown(visibility, part, || {
                self.may_talk(guild, message.channel, &Member::by_id(message.author.id), None)
            })
        };
        scene.reply = replied.filter(|it| may_show(Part::Quote, it)).map(|it| {
            let sender = Sender::of(it, None);
            (it.id, sender.label, for_model(it))
        });
        let ids: Vec<MessageId> = turn.parts.iter().flat_map(|it| it.0.ids.clone()).collect();
        if !asked.is_moved() {
            let limit = self.history_limit();
            let entries = self.pending.peek(asked.message.channel, limit, &ids);
            let channel = asked.message.channel;
            scene.history = history::shown(entries, visibility, |entry| {
                let member = Member::by_id(entry.sender);
                self.may_talk(guild, channel, &member, entry.plural.as_deref())
            });
        }
        scene.events = self.happened.remove(key).unwrap_or_default();
        scene.summaries = turn.summaries.clone();
        scene
    }

    /// Whether REST must tell what was said in the channel before this process came up.
    fn wants_refill(&self, asked: &Asked) -> bool {
        // Where everything is answered, nothing waits to be told.
        asked.admitted.gated
            && !asked.is_moved()
            && self.history_limit() > 0
            && self.pending.needs_refill(asked.message.channel)
    }

    fn refill(&mut self, key: SessionKey, question: Question) {
        let (around, channel) = (Arc::clone(&self.around), question.0.message.channel);
        let page = Page::Before(question.0.message.id);
        let guild = question.0.message.guild.filter(|guild| {
            let place = inbound::place(&self.places, *guild, channel);
            let room = self.rules.inbound.rules.access.room(&place);
            room.is_ok_and(|room| room.admits_by_role())
        });
        self.waiting_for_refill.entry(channel).or_default().push(question);
        if self.waiting_for_refill.get(&channel).is_some_and(|waiting| waiting.len() > 1) {
            return;
        }
        self.jobs.spawn(async move {
            let facts = around.mailbox.facts(&key).await.ok();
            let began = facts.and_then(|facts| facts.began).map_or(0, |at| at.as_millisecond());
            let listed = around.rest.messages(channel, page, LOOKED_THROUGH).await;
            let mut listed = listed.unwrap_or_else(|failure| {
                tracing::debug!("what was said before is not known: {failure}");
                Vec::new()
            });
            if let Some(guild) = guild {
                around.roles.put_into(&around.rest, guild, &mut listed).await;
            }
            JobEnd::Refilled(channel, u64::try_from(began).unwrap_or(0), listed)
        });
    }

    /// What was said in a channel is known; the questions that waited for it go on.
    pub(super) async fn refilled(
        &mut self,
        channel: ChannelId,
        began_ms: u64,
        messages: &[Message],
    ) {
        let waiting = self.waiting_for_refill.remove(&channel).unwrap_or_default();
        let own = *self.own.borrow();
        if let Some(first) = waiting.first() {
            let span = Span { current: &first.0.ids, session_start_ms: began_ms };
            let entries = history::refill(messages, span, |message| {
                if Some(message.author.id) == own {
                    return Sight::Own;
                }
                // Those that were asked for; without them only ids admit.
                let roles = message.member.as_ref().map(|member| member.roles.as_slice());
                let roles = roles.unwrap_or_default();
                let member = Member { user: message.author.id, roles, names: &[] };
                let may = self.may_talk(first.0.message.guild, channel, &member, None);
                if !message.is_written() || !may {
                    return Sight::Hidden;
                }
                let sender = Sender::of(message, None);
                Sight::Shown(history::Entry::new(message, &sender.label, &for_model(message)))
            });
            let limit = self.history_limit();
            self.pending.refill(channel, limit, entries);
        }
        for question in waiting {
            Box::pin(self.ask(question)).await;
        }
    }

    /// Something that is no message happened in a session's place.
    pub(super) fn note_event(&mut self, session: SessionKey, words: String) {
        const MOST_SESSIONS: usize = 1_000;
        const MOST_EVENTS: usize = 20;
        if self.happened.len() >= MOST_SESSIONS && !self.happened.contains_key(&session) {
            return;
        }
        tracing::debug!(%session, "to be told: {words}");
        let events = self.happened.entry(session).or_default();
        if events.len() == MOST_EVENTS {
            events.remove(0);
        }
        events.push(words);
    }

    /// Does what the bindings say.
    pub(super) fn carry_out_bindings(&mut self) {
        let mut changed = false;
        while let Some(output) = self.bindings.poll_output() {
            let around = Arc::clone(&self.around);
            match output {
                BindingOutput::Save(record) => {
                    changed = true;
                    self.jobs.spawn(async move {
                        around.save_binding(&record).await;
                        JobEnd::Done
                    });
                }
                BindingOutput::Delete { place, unused, .. } => {
                    changed = true;
                    if let Some(webhook) = unused {
                        self.delete_webhook(webhook);
                    }
                    self.jobs.spawn(async move {
                        around.delete_binding(place).await;
                        JobEnd::Done
                    });
                }
                BindingOutput::Say { place, text } => {
                    let to = match place {
                        BoundPlace::Channel(channel) => Destination::Channel(channel),
                        BoundPlace::User(user) => Destination::User(user),
                    };
                    self.jobs.spawn(async move {
                        around.say(to, &text).await;
                        JobEnd::Done
                    });
                }
                BindingOutput::Look(channel) => {
                    self.jobs.spawn(async move {
                        let found = around.rest.channel(channel).await;
                        let gone = found.as_ref().err().and_then(|failure| failure.code());
                        match (found, gone) {
                            (Ok(found), _) => JobEnd::Seen(channel, Some(found)),
                            (Err(_), Some(10_003)) => JobEnd::Seen(channel, None),
                            // It cannot be told: looked at again with the next sweep.
                            (Err(_), _) => JobEnd::Done,
                        }
                    });
                }
            }
        }
        if changed {
            self.around.hooks.learn(&self.bindings);
        }
    }

    /// Deletes drafts that could not be deleted in their turns.
    pub(super) fn delete_leftovers(&mut self) {
        let next = self.around.leftovers().poll_output(now());
        if let Some((channel, message)) = next {
            let around = Arc::clone(&self.around);
            self.jobs.spawn(async move {
                let deleted = around.rest.delete_message(channel, message).await;
                JobEnd::Deleted(deleted.is_ok())
            });
        }
    }
}

impl Desk {
    /// A draft was deleted, or not.
    pub(super) fn draft_deleted(&self, deleted: bool) {
        if let Some(left) = self.around.leftovers().handle_deleted(now(), deleted) {
            tracing::warn!("a draft stays: message {} in {}", left.message, left.channel);
        }
    }
}

fn bound_place(asked: &Asked) -> BoundPlace {
    if decide::is_private(&asked.admitted) {
        BoundPlace::User(asked.user())
    } else {
        BoundPlace::Channel(asked.channel)
    }
}
