//! Going where followed users go (`followUsers`).
//!
//! A change of where a followed user is counts, once; being where they were does not. So a leave by
//! command holds until a followed user moves again, however often they are looked up.

use std::{collections::BTreeSet, time::Duration};

use clawvoice_session::{ChannelId, GuildId, JoinFailure, SessionTime, UserId};

use super::{
    machine::Presence,
    phase::{Asker, Owner, Wanted},
};
use crate::timeline::{self, Place};

/// The pause after a follow that failed; it doubles from failure to failure.
const PAUSE: Duration = Duration::from_secs(10);

/// How often the pause doubles.
const DOUBLINGS: u32 = 5;

/// A channel in which a session ended for good is not followed into for so long, unless somebody
/// really moves there.
pub(super) const REST_AFTER_END: Duration = Duration::from_secs(30);

/// How following goes in one guild.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// Channels that could not be followed into.
    failed: BTreeSet<ChannelId>,
    /// Failures in a row.
    failures: u32,
    /// When it is tried again.
    pub(super) retry: Option<SessionTime>,
}

impl Following {
    /// From the last failure to the next try.
    fn pause(&self) -> Duration {
        PAUSE * (1 << self.failures.min(DOUBLINGS))
    }
}

impl Presence {
    pub(super) fn is_followed(&self, user: UserId) -> bool {
        self.settings.follow_users.contains(&user)
    }

    /// Whether a rule may bring the bot into a guild in which it is in no channel.
    pub(super) fn may_join_by_itself(&self, guild: GuildId) -> bool {
        let it = self.guilds.get(&guild);
        self.online && it.is_none_or(|it| it.is_free() && !it.suspended)
    }

    /// A followed user is somewhere else than before.
    pub(super) fn followed_user_moved(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        user: UserId,
        channel: Option<ChannelId>,
    ) {
        if self.stopped || !self.settings.enabled {
            return;
        }
        let Some(to) = channel else {
            return self.followed_user_gone(now, guild, user, "disconnected");
        };
        let place = Place { guild, channel: to };
        if !self.settings.allows(guild, to) {
            self.record(timeline::presence::followed_user_ignored(now, place, user));
            return self.followed_user_gone(now, guild, user, "joined non-allowed channel");
        }
        let it = self.guilds.entry(guild).or_default();
        it.following = Following::default();
        if it.suspended || !self.online {
            return;
        }
        if it.phase.is_in(to) && it.queue.is_empty() {
            it.owner = Owner::Followed;
            return;
        }
        self.record(timeline::presence::following_user(now, place, user));
        self.want(now, guild, Wanted::new(to, Owner::Followed, Asker::Nobody));
    }

    /// A followed user cannot be followed any more: what was brought by following goes to another
    /// one or leaves.
    fn followed_user_gone(&mut self, now: SessionTime, guild: GuildId, user: UserId, why: &str) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let people = &self.people;
        let settings = &self.settings;
        let queued = it.queue.len();
        it.queue.retain(|wanted| {
            // Still wanted, if another followed user is there.
            let mut others = people.of(guild).filter(|(_, seen)| seen.channel == wanted.channel);
            wanted.owner != Owner::Followed
                || wanted.asker.is_person()
                || others.any(|(other, _)| settings.follow_users.contains(&other))
        });
        let dropped = it.queue.is_empty() && queued > 0;
        it.overdue |= !it.queue.is_empty();
        let to = self.somebody_followed(guild).map(|(_, channel)| channel);
        let Some(from) = self.unfollowed(guild) else {
            // On the way to them it is as good as with them.
            if dropped {
                self.hand_over(now, guild, to);
            }
            return;
        };
        self.record(timeline::presence::followed_user_gone(now, guild, user, why, from, to));
        self.hand_over(now, guild, to);
    }

    /// The channel that followed users were followed into, if none of them is there any more and
    /// nothing else is wanted.
    fn unfollowed(&self, guild: GuildId) -> Option<ChannelId> {
        let it = self.guilds.get(&guild)?;
        let here = it.phase.channel().filter(|_| it.owner == Owner::Followed)?;
        let is_over = it.queue.is_empty() && !self.somebody_followed_in(guild, here);
        is_over.then_some(here)
    }

    /// Goes to another followed user, or leaves, if nobody followed is there any more.
    pub(super) fn leave_if_unfollowed(&mut self, now: SessionTime, guild: GuildId) {
        if self.unfollowed(guild).is_some() {
            let to = self.somebody_followed(guild).map(|(_, channel)| channel);
            self.hand_over(now, guild, to);
        }
    }

    fn hand_over(&mut self, now: SessionTime, guild: GuildId, to: Option<ChannelId>) {
        match to {
            Some(to) => self.want(now, guild, Wanted::new(to, Owner::Followed, Asker::Nobody)),
            None => drop(self.leave(now, guild, &JoinFailure::Cancelled, "followed user left")),
        }
    }

    /// A channel could not be followed into, or a session there ended for good. Another followed
    /// user is gone to; without one, a session that was brought by following leaves. It is tried
    /// again after a while.
    pub(super) fn follow_failed(&mut self, now: SessionTime, guild: GuildId, channel: ChannelId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let following = &mut it.following;
        following.failed.insert(channel);
        following.retry = Some(now + following.pause());
        following.failures += 1;
        let is_out = it.phase.channel().is_none();
        if self.stopped || it.suspended || !it.queue.is_empty() {
            return;
        }
        if !is_out {
            self.leave_if_unfollowed(now, guild);
        } else if let Some((_, to)) = self.somebody_followed(guild) {
            self.want(now, guild, Wanted::new(to, Owner::Followed, Asker::Nobody));
        }
    }

    /// [`Self::follow_failed`] for a session that was there and ended for good.
    pub(super) fn followed_session_ended(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        channel: ChannelId,
    ) {
        self.follow_failed(now, guild, channel);
        if let Some(it) = self.guilds.get_mut(&guild) {
            let rest = now + REST_AFTER_END;
            it.following.retry = it.following.retry.map(|at| at.max(rest));
        }
    }

    /// The pause after a failure is over.
    pub(super) fn follow_again(&mut self, now: SessionTime, guild: GuildId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        it.following.failed.clear();
        // It stays owed while the bot is somewhere else.
        it.following.retry = Some(now + it.following.pause());
        if self.may_join_by_itself(guild) {
            self.guilds.entry(guild).or_default().following.retry = None;
            self.follow_anybody(now, guild);
        }
    }

    /// Follows whoever moved last, if the bot is in no channel of the guild.
    pub(super) fn follow_anybody(&mut self, now: SessionTime, guild: GuildId) {
        if !self.may_join_by_itself(guild) {
            return;
        }
        if let Some((user, channel)) = self.somebody_followed(guild) {
            let place = Place { guild, channel };
            self.record(timeline::presence::following_user(now, place, user));
            self.want(now, guild, Wanted::new(channel, Owner::Followed, Asker::Nobody));
        }
    }

    /// Whether a followed user is in a channel.
    pub(super) fn somebody_followed_in(&self, guild: GuildId, channel: ChannelId) -> bool {
        let mut there = self.people.of(guild).filter(|(_, seen)| seen.channel == channel);
        there.any(|(user, _)| self.is_followed(user))
    }

    /// Whether a followed user is in a channel of the guild in which the bot may be.
    pub(super) fn anybody_followed(&self, guild: GuildId) -> bool {
        let mut followed = self.people.of(guild).filter(|(user, _)| self.is_followed(*user));
        followed.any(|(_, seen)| self.settings.allows(guild, seen.channel))
    }

    /// The followed user who moved last, where the bot may be and could go.
    fn somebody_followed(&self, guild: GuildId) -> Option<(UserId, ChannelId)> {
        let failed = self.guilds.get(&guild).map(|it| &it.following.failed);
        self.people
            .of(guild)
            .filter(|(user, seen)| {
                self.is_followed(*user)
                    && self.settings.allows(guild, seen.channel)
                    && failed.is_none_or(|failed| !failed.contains(&seen.channel))
            })
            .max_by_key(|(_, seen)| seen.order)
            .map(|(user, seen)| (user, seen.channel))
    }
}
