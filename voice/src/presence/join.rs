//! Joins: one at a time per guild, each with its deadline.

use std::mem;

use clawvoice_session::{GuildId, JoinFailure, JoinOutcome, SessionTime};

use super::{
    machine::Presence,
    output::Output,
    phase::{Again, Joining, MAX_ATTEMPTS, Phase, Stage, Wanted, pause},
};
use crate::timeline::{self, Place};

/// Joins that may wait for their turn in one guild.
const MAX_WAITING: usize = 16;

impl Presence {
    /// Takes a join: answers it at once, joins it to one that is under way, or queues it.
    pub(super) fn want(&mut self, now: SessionTime, guild: GuildId, wanted: Wanted) {
        let refusal = if self.stopped {
            Some(JoinFailure::Stopped)
        } else if !self.settings.enabled {
            Some(JoinFailure::Disabled)
        } else if self.user.is_none() {
            Some(JoinFailure::Connect("the bot is not connected to Discord yet".to_owned()))
        } else {
            None
        };
        if let Some(failure) = refusal {
            return self.answer(wanted.asker, Err(failure));
        }
        let it = self.guilds.entry(guild).or_default();
        if let Phase::Joining(joining) = &mut it.phase
            && joining.channel == wanted.channel
            && it.queue.is_empty()
        {
            return joining.asked.push(wanted.asker);
        }
        if it.queue.len() >= MAX_WAITING {
            let reason = "too many joins are waiting in this guild".to_owned();
            return self.answer(wanted.asker, Err(JoinFailure::Connect(reason)));
        }
        it.queue.push_back(wanted);
        self.advance(now, guild);
    }

    /// Begins the next queued join, if its turn has come.
    pub(super) fn advance(&mut self, now: SessionTime, guild: GuildId) {
        while let Some(it) = self.guilds.get_mut(&guild)
            && let Some(Wanted { channel: wanted, asker }) = it.queue.front().copied()
        {
            match &it.phase {
                Phase::Joining(_) | Phase::Leaving { .. } => return,
                Phase::Connected { channel, .. } if *channel == wanted => {
                    it.queue.pop_front();
                    self.answer(asker, Ok(JoinOutcome::AlreadyConnected));
                }
                Phase::Connected { .. } | Phase::Detached { .. } => {
                    self.depart(now, guild, "another channel was asked for", None);
                    return;
                }
                Phase::Idle | Phase::Pausing(_) | Phase::Lost { .. } => {
                    it.queue.pop_front();
                    let mut asked = vec![asker];
                    while it.queue.front().is_some_and(|next| next.channel == wanted) {
                        asked.extend(it.queue.pop_front().map(|next| next.asker));
                    }
                    self.begin(
                        now,
                        guild,
                        Again {
                            channel: wanted,
                            asked,
                            deadline: None,
                            attempt: 0,
                            not_before: now,
                        },
                    );
                    return;
                }
            }
        }
    }

    /// Asks Discord for a channel.
    pub(super) fn begin(&mut self, now: SessionTime, guild: GuildId, join: Again) {
        let generation = self.next_generation();
        let second_try = join.deadline.is_some();
        let joining = Joining {
            channel: join.channel,
            generation,
            stage: Stage::AtGateway,
            deadline: join.deadline.unwrap_or(now + self.settings.connect_timeout),
            asked: join.asked,
            attempt: join.attempt,
            second_try,
        };
        self.guilds.entry(guild).or_default().phase = Phase::Joining(joining);
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
        let (channel, attempt) = (joining.channel, joining.attempt);
        let asked = mem::take(&mut joining.asked);
        let place = Place { guild, channel };
        self.record(timeline::join_failed(now, place, &failure.to_string()));
        for asker in asked {
            self.answer(asker, Err(failure.clone()));
        }
        let again = (attempt > 0)
            .then(|| self.next_attempt(now, place, attempt + 1, &failure.to_string()))
            .flatten();
        self.depart(now, guild, "join failed", again);
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
