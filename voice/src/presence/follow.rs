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
    pub(super) fn followed_user_gone(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        user: UserId,
        why: &str,
    ) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let people = &self.people;
        let settings = &self.settings;
        it.queue.retain(|wanted| {
            // Still wanted, if another followed user is there.
            let mut others = people.of(guild).filter(|(_, seen)| seen.channel == wanted.channel);
            wanted.owner != Owner::Followed
                || wanted.asker.is_person()
                || others.any(|(other, _)| settings.follow_users.contains(&other))
        });
        if !it.queue.is_empty() {
            return;
        }
        let (Owner::Followed, Some(from)) = (it.owner, it.phase.channel()) else { return };
        if self.somebody_followed_in(guild, from) {
            return;
        }
        let to = self.somebody_followed(guild).map(|(_, channel)| channel);
        self.record(timeline::presence::followed_user_gone(now, guild, user, why, from, to));
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
        let pause = PAUSE * (1 << following.failures.min(DOUBLINGS));
        following.failures += 1;
        following.retry = Some(now + pause);
        let here = it.phase.channel();
        if self.stopped || it.suspended || !it.queue.is_empty() {
            return;
        }
        match (it.owner, here) {
            (Owner::Followed, Some(here)) if !self.somebody_followed_in(guild, here) => {}
            (_, Some(_)) => return,
            (_, None) => {}
        }
        if let Some((_, to)) = self.somebody_followed(guild) {
            self.want(now, guild, Wanted::new(to, Owner::Followed, Asker::Nobody));
        } else if here.is_some() {
            self.leave(now, guild, &JoinFailure::Cancelled, "followed user left");
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
        it.following.retry = (!self.online).then(|| now + PAUSE);
        self.follow_anybody(now, guild);
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

    /// Whether a followed user is in the guild's voice at all.
    pub(super) fn anybody_followed(&self, guild: GuildId) -> bool {
        self.people.of(guild).any(|(user, _)| self.is_followed(user))
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
