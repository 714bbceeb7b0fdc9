//! Leaves: asked for, or because something ended.

use std::{mem, time::Duration};

use clawvoice_session::{
    GuildId, JoinFailure, LeaveOutcome, SessionTime,
    timeline::{Level, Record},
};

use super::{
    machine::Presence,
    output::Output,
    phase::{Again, Phase, Wanted},
};
use crate::timeline::Place;

/// How long Discord's word about a leave is awaited before the next join.
const LEAVE_CONFIRMATION: Duration = Duration::from_secs(1);

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
        it.phase = Phase::Leaving { until: now + LEAVE_CONFIRMATION, again };
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

    /// Somebody wants out, or the process ends.
    pub(super) fn leave(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        why: &JoinFailure,
    ) -> LeaveOutcome {
        let Some(it) = self.guilds.get_mut(&guild) else { return LeaveOutcome::NotConnected };
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
                let reason = if self.stopped { "shutdown" } else { "leave" };
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
        // Somebody's wish for another channel goes before a rejoin that nobody waits for.
        let again = again.filter(|again| it.queue.is_empty() || !again.asked.is_empty());
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
        let again = self.next_attempt(now, place, attempt + 1, reason);
        self.depart(now, guild, reason, again);
    }
}
