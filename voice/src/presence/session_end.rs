//! What sessions say of themselves: ready, failed, ended.

use std::{mem, time::Duration};

use clawvoice_session::{GuildId, JoinFailure, JoinOutcome, SessionTime};

use super::{
    link::EndPlan,
    machine::Presence,
    output::Output,
    phase::{Again, Owner, Phase},
};
use crate::timeline::Place;

/// A session this old that ends starts counting its rejoins anew.
const STABLE: Duration = Duration::from_secs(60);

impl Presence {
    pub(super) fn session_ready(&mut self, now: SessionTime, guild: GuildId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let Phase::Joining(joining) = &mut it.phase else { return };
        let (channel, generation) = (joining.channel, joining.generation);
        let (asked, attempt) = (mem::take(&mut joining.asked), joining.attempt);
        it.phase = Phase::Connected { channel, generation, since: now, attempt };
        it.suspended = false;
        let uncounted = mem::take(&mut it.uncounted);
        if it.owner == Owner::Followed {
            it.following = Default::default();
        }
        self.record_joined(now, Place { guild, channel });
        for asker in asked {
            self.answer(asker, Ok(JoinOutcome::Joined));
        }
        if uncounted {
            self.leave_if_deserted(now, guild, channel);
        }
        self.advance(now, guild);
    }

    pub(super) fn session_failed(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        failure: JoinFailure,
    ) {
        match self.guilds.get(&guild).map(|it| &it.phase) {
            Some(Phase::Joining(_)) => self.fail(now, guild, failure),
            Some(Phase::Connected { .. }) => {
                self.depart_for_good(now, guild, &failure.to_string());
            }
            _ => {}
        }
    }

    pub(super) fn session_ended(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        reason: &str,
        plan: EndPlan,
    ) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        match &mut it.phase {
            // One more try within the same deadline.
            Phase::Joining(joining) if plan == EndPlan::Rejoin && !joining.second_try => {
                let again = Again {
                    channel: joining.channel,
                    asked: mem::take(&mut joining.asked),
                    deadline: Some(joining.deadline),
                    attempt: joining.attempt,
                    not_before: now,
                };
                self.depart(now, guild, reason, Some(again));
            }
            Phase::Joining(_) => self.fail(now, guild, JoinFailure::Connect(reason.to_owned())),
            Phase::Connected { channel, since, attempt, .. } => {
                let channel = *channel;
                let attempt = if now.since(*since) >= STABLE { 0 } else { *attempt };
                self.connected_ended(now, Place { guild, channel }, attempt, reason, plan);
            }
            _ => {}
        }
    }

    pub(super) fn connected_ended(
        &mut self,
        now: SessionTime,
        place: Place,
        attempt: u32,
        reason: &str,
        plan: EndPlan,
    ) {
        let guild = place.guild;
        match plan {
            EndPlan::StayDown => self.depart_for_good(now, guild, reason),
            EndPlan::Rejoin => match self.next_attempt(now, place, attempt + 1, reason) {
                Some(again) => self.depart(now, guild, reason, Some(again)),
                None => self.depart_for_good(now, guild, reason),
            },
            EndPlan::WaitForMove => {
                if let Some(it) = self.guilds.get_mut(&guild) {
                    if let Some(generation) = it.session() {
                        self.outputs.push_back(Output::End { guild, generation });
                    }
                    let until = now + self.settings.reconnect_grace;
                    it.phase = Phase::Detached { channel: place.channel, until, attempt };
                }
            }
        }
    }
}
