//! Joins: one at a time per guild, each with its deadline.

use std::mem;

use clawvoice_session::{ChannelId, GuildId, JoinFailure, JoinOutcome, SessionTime};

use super::{
    credentials,
    machine::Presence,
    output::Output,
    phase::{Again, Asker, Joining, MAX_ATTEMPTS, Owner, Phase, Stage, Wanted, pause},
};
use crate::timeline::{self, Place};

/// Joins that may wait for their turn in one guild.
const MAX_WAITING: usize = 16;

impl Presence {
    /// Takes a join: answers it at once, joins it to one that is under way, or queues it.
    pub(super) fn want(&mut self, now: SessionTime, guild: GuildId, wanted: Wanted) {
        if let Some(failure) = self.refusal(guild, wanted.channel) {
            return self.refuse(now, guild, wanted, failure);
        }
        let it = self.guilds.entry(guild).or_default();
        if wanted.owner == Owner::Person {
            it.suspended = false;
            it.following = Default::default();
        }
        if let Phase::Joining(joining) = &mut it.phase
            && joining.channel == wanted.channel
            && it.queue.is_empty()
        {
            it.owner = wanted.owner;
            return joining.asked.push(wanted.asker);
        }
        if it.queue.len() >= MAX_WAITING {
            let reason = "too many joins are waiting in this guild".to_owned();
            return self.refuse(now, guild, wanted, JoinFailure::Connect(reason));
        }
        let is_there = matches!(&it.phase,
            Phase::Connected { channel, .. } if *channel == wanted.channel && it.queue.is_empty());
        it.queue.push_back(wanted);
        if self.settings.lookups && !is_there {
            self.check_room(guild, wanted.channel);
        } else {
            self.overtake(now, guild, wanted.channel);
        }
        self.advance(now, guild);
    }

    /// Why a join is not even tried.
    fn refusal(&self, guild: GuildId, channel: ChannelId) -> Option<JoinFailure> {
        if self.stopped {
            Some(JoinFailure::Stopped)
        } else if !self.settings.enabled {
            Some(JoinFailure::Disabled)
        } else if !self.settings.allows(guild, channel) {
            Some(JoinFailure::NotAllowed(channel))
        } else if self.user.is_none() {
            Some(JoinFailure::Connect("the bot is not connected to Discord yet".to_owned()))
        } else {
            None
        }
    }

    fn refuse(&mut self, now: SessionTime, guild: GuildId, wanted: Wanted, failure: JoinFailure) {
        if !wanted.asker.is_person() {
            let place = Place { guild, channel: wanted.channel };
            self.record(timeline::join_failed(now, place, &failure.to_string()));
        }
        self.answer(wanted.asker, Err(failure));
    }

    /// A newer join can be carried out: older ones of this guild that nobody waits for are not any
    /// more.
    pub(super) fn overtake(&mut self, now: SessionTime, guild: GuildId, by: ChannelId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let Some(newer) = it.queue.iter().rposition(|wanted| wanted.channel == by) else { return };
        let mut older = it.queue.drain(..newer).collect::<Vec<_>>();
        let mut overtaken: Vec<Wanted> =
            older.extract_if(.., |one| !one.asker.is_person() && one.channel != by).collect();
        for wanted in older.into_iter().rev() {
            it.queue.push_front(wanted);
        }
        let mut abandoned = false;
        if let Phase::Joining(joining) = &mut it.phase
            && joining.channel != by
            && !joining.asked.iter().any(|asker| asker.is_person())
        {
            abandoned = true;
            let channel = joining.channel;
            let asked = mem::take(&mut joining.asked).into_iter();
            overtaken.extend(asked.map(|asker| Wanted::new(channel, it.owner, asker)));
        }
        for wanted in overtaken {
            self.answer(wanted.asker, Err(JoinFailure::Cancelled));
        }
        if abandoned {
            self.depart(now, guild, "another channel is wanted", None);
        }
    }

    /// Begins the next queued join, if its turn has come.
    pub(super) fn advance(&mut self, now: SessionTime, guild: GuildId) {
        while let Some(it) = self.guilds.get_mut(&guild)
            && let Some(next) = it.queue.front().copied()
        {
            match &it.phase {
                Phase::Joining(_) | Phase::Leaving { .. } => return,
                Phase::Connected { channel, .. } if *channel == next.channel => {
                    it.queue.pop_front();
                    it.owner = next.owner;
                    self.answer(next.asker, Ok(JoinOutcome::AlreadyConnected));
                }
                // The answer brings it on.
                _ if self.settings.lookups && !next.checked => return,
                Phase::Connected { .. } | Phase::Detached { .. } => {
                    self.depart(now, guild, "another channel was asked for", None);
                    return;
                }
                Phase::Idle | Phase::Pausing(_) | Phase::Lost { .. } => {
                    let join = self.take_next(now, guild, next);
                    return self.begin(now, guild, join);
                }
            }
        }
    }

    /// Takes the next join out of the queue, and those behind it that want the same.
    fn take_next(&mut self, now: SessionTime, guild: GuildId, next: Wanted) -> Again {
        let it = self.guilds.entry(guild).or_default();
        let mut asked: Vec<Asker> = Vec::new();
        while let Some(same) = it.queue.front().filter(|one| one.channel == next.channel) {
            it.owner = same.owner;
            asked.push(same.asker);
            it.queue.pop_front();
        }
        Again { channel: next.channel, asked, deadline: None, attempt: 0, not_before: now }
    }

    /// Asks Discord for a channel.
    pub(super) fn begin(&mut self, now: SessionTime, guild: GuildId, join: Again) {
        let generation = self.next_generation();
        let second_try = join.deadline.is_some();
        let joining = Joining {
            channel: join.channel,
            generation,
            stage: Stage::AtGateway,
            seated: false,
            deadline: join.deadline.unwrap_or(now + self.settings.connect_timeout),
            asked: join.asked,
            attempt: join.attempt,
            second_try,
        };
        let it = self.guilds.entry(guild).or_default();
        it.phase = Phase::Joining(joining);
        it.room_waits = false;
        it.overdue = false;
        self.record_joining(now, Place { guild, channel: join.channel });
        self.outputs.push_back(Output::Connect { guild, channel: join.channel, generation });
    }

    pub(super) fn connect_timeout(&mut self, now: SessionTime, guild: GuildId) {
        let waited = self.settings.connect_timeout.as_millis();
        let Some(Phase::Joining(joining)) = self.guilds.get(&guild).map(|it| &it.phase) else {
            return;
        };
        let reason = match joining.stage {
            // Discord does not answer op 4 at all when a permission is missing or the channel is
            // full ("Gateway Events", Update Voice State).
            Stage::AtGateway => format!(
                "Discord did not answer within {waited} ms (the Connect permission is missing, or the channel is full?)"
            ),
            Stage::AtVoiceServer => {
                format!("the voice connection was not ready within {waited} ms")
            }
        };
        self.fail(now, guild, JoinFailure::Connect(reason));
    }

    /// A join ends badly: everybody is told, everything is undone.
    pub(super) fn fail(&mut self, now: SessionTime, guild: GuildId, failure: JoinFailure) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let Phase::Joining(joining) = &mut it.phase else { return };
        let (channel, attempt, owner) = (joining.channel, joining.attempt, it.owner);
        let asked = mem::take(&mut joining.asked);
        let place = Place { guild, channel };
        let words = failure.to_string();
        let fatal = credentials::is_fatal(&words);
        it.suspended |= fatal;
        self.record(timeline::join_failed(now, place, &words));
        if fatal {
            self.record(timeline::presence::automatic_joins_suspended(now, place, &words));
        }
        for asker in asked {
            self.answer(asker, Err(failure.clone()));
        }
        let again = (attempt > 0 && !fatal)
            .then(|| self.next_attempt(now, place, attempt + 1, &words))
            .flatten();
        let over = again.is_none();
        self.depart(now, guild, "join failed", again);
        if over && owner == Owner::Followed {
            self.follow_failed(now, guild, channel);
        }
    }

    /// The next rejoin of a lost session, unless there were enough.
    pub(super) fn next_attempt(
        &mut self,
        now: SessionTime,
        place: Place,
        attempt: u32,
        reason: &str,
    ) -> Option<Again> {
        if attempt > MAX_ATTEMPTS {
            self.record(timeline::disconnect_recovery_failed(now, place, reason));
            return None;
        }
        Some(Again {
            channel: place.channel,
            asked: Vec::new(),
            deadline: None,
            attempt,
            not_before: now + pause(attempt),
        })
    }
}
