//! Leaves: asked for, or because something ended.

use std::{mem, time::Duration};

use clawvoice_session::{
    GuildId, JoinFailure, LeaveOutcome, SessionTime,
    timeline::{Level, Record},
};

use super::{
    machine::Presence,
    output::Output,
    phase::{Again, Owner, Phase, Wanted},
};
use crate::timeline::{self, Place};

/// How long Discord's word about a leave is awaited before the next join.
const LEAVE_CONFIRMATION: Duration = Duration::from_secs(1);

/// What is told of a session that did not begin to reconnect in time.
const NOT_BACK: &str = "the session did not begin to reconnect in time; leaving and joining anew";

impl Presence {
    /// Ends what runs in a guild and tells Discord.
    pub(super) fn depart(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        reason: &str,
        again: Option<Again>,
    ) {
        self.end_session(now, guild, reason);
        self.outputs.push_back(Output::Leave { guild });
        let it = self.guilds.entry(guild).or_default();
        if again.is_none() {
            it.owner = Owner::Nobody;
        }
        it.phase = Phase::Leaving { until: now + LEAVE_CONFIRMATION, again };
    }

    /// A session is over for good. What followed somebody may follow again.
    pub(super) fn depart_for_good(&mut self, now: SessionTime, guild: GuildId, reason: &str) {
        let it = self.guilds.get(&guild);
        let followed =
            it.filter(|it| it.owner == Owner::Followed).and_then(|it| it.phase.channel());
        self.depart(now, guild, reason, None);
        if let Some(channel) = followed {
            self.followed_session_ended(now, guild, channel);
        }
    }

    /// Ends the session of a guild, if one runs; the phase is the caller's to change.
    pub(super) fn end_session(&mut self, now: SessionTime, guild: GuildId, reason: &str) {
        let Some(it) = self.guilds.get(&guild) else { return };
        if let Some(generation) = it.session() {
            self.outputs.push_back(Output::End { guild, generation });
        }
        if let Phase::Connected { channel, .. } | Phase::Detached { channel, .. } = it.phase {
            let record = Record::new(now, Level::Info, "left")
                .with("guild", guild.to_string())
                .with("channel", channel.to_string())
                .with("reason", reason);
            self.record(record);
        }
    }

    /// Somebody, or a rule, wants the bot out. `why` is told to whoever waits for a join there.
    pub(super) fn leave(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        why: &JoinFailure,
        reason: &str,
    ) -> LeaveOutcome {
        let Some(it) = self.guilds.get_mut(&guild) else { return LeaveOutcome::NotConnected };
        it.owner = Owner::Nobody;
        it.checking.clear();
        it.room_waits = false;
        it.overdue = false;
        let waiting: Vec<Wanted> = it.queue.drain(..).collect();
        let queued = waiting.first().map(|wanted| wanted.channel);
        let (pending, asked) = match &mut it.phase {
            Phase::Joining(joining) => (Some(joining.channel), mem::take(&mut joining.asked)),
            Phase::Pausing(again) => (Some(again.channel), mem::take(&mut again.asked)),
            Phase::Leaving { again: again @ Some(_), .. } => {
                let again = again.take();
                (
                    again.as_ref().map(|again| again.channel),
                    again.map(|again| again.asked).unwrap_or_default(),
                )
            }
            Phase::Lost { channel } => (Some(*channel), Vec::new()),
            _ => (queued, Vec::new()),
        };
        let connected = match it.phase {
            Phase::Connected { channel, .. } | Phase::Detached { channel, .. } => Some(channel),
            _ => None,
        };
        // Only a bot that Discord believes to be in voice has something to leave.
        let tell_discord = connected.is_some() || matches!(it.phase, Phase::Joining(_));
        match &it.phase {
            _ if tell_discord => {
                self.depart(now, guild, reason, None);
            }
            Phase::Leaving { .. } => {}
            _ => it.phase = Phase::Idle,
        }
        for asker in asked.into_iter().chain(waiting.into_iter().map(|wanted| wanted.asker)) {
            self.answer(asker, Err(why.clone()));
        }
        match (connected, pending) {
            (Some(channel), _) => LeaveOutcome::Left(channel),
            (None, Some(channel)) => LeaveOutcome::CancelledPending(channel),
            (None, None) => LeaveOutcome::NotConnected,
        }
    }

    /// Discord confirmed a leave, or has had the time to.
    pub(super) fn left(&mut self, now: SessionTime, guild: GuildId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let Phase::Leaving { again, .. } = &mut it.phase else { return };
        let again = again.take();
        it.phase = Phase::Idle;
        // A wish for another channel that can be had goes before a rejoin that nobody waits for.
        let lookups = self.settings.lookups;
        let is_wanted_elsewhere = it.queue.iter().any(|wanted| wanted.checked || !lookups);
        let again = again.filter(|again| !is_wanted_elsewhere || !again.asked.is_empty());
        match again {
            Some(again) if again.not_before <= now => self.begin(now, guild, again),
            Some(again) => it.phase = Phase::Pausing(again),
            None => self.advance(now, guild),
        }
    }

    pub(super) fn rejoin(&mut self, now: SessionTime, guild: GuildId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        match mem::take(&mut it.phase) {
            Phase::Pausing(again) => self.begin(now, guild, again),
            other => it.phase = other,
        }
    }

    pub(super) fn no_news(&mut self, now: SessionTime, guild: GuildId) {
        let Some(it) = self.guilds.get(&guild) else { return };
        let Phase::Detached { channel, attempt, .. } = it.phase else { return };
        let reason = "the voice connection was closed and Discord did not tell why";
        let place = Place { guild, channel };
        self.record(timeline::connection_interrupted(now, place, NOT_BACK));
        let again = self.next_attempt(now, place, attempt + 1, reason);
        match again {
            Some(again) => self.depart(now, guild, reason, Some(again)),
            None => self.depart_for_good(now, guild, reason),
        }
    }
}
