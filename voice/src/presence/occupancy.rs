//! Fixed rooms that are joined when the first human comes and left after the last
//! (`autoJoin[].whenOccupied`).

use clawvoice_session::{ChannelId, GuildId, JoinFailure, SessionTime, UserId};

use super::{
    machine::Presence,
    phase::{Asker, Owner, Wanted},
};

impl Presence {
    /// Humans in a channel. Whoever is not known to be human is none.
    pub(super) fn humans_in(&self, guild: GuildId, channel: ChannelId) -> usize {
        let there = self.people.of(guild).filter(|(_, seen)| seen.channel == channel);
        there.filter(|(user, _)| self.names.is_human(guild, *user)).count()
    }

    /// Somebody came, went, or moved.
    pub(super) fn occupancy_changed(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        user: UserId,
        before: Option<ChannelId>,
        channel: Option<ChannelId>,
    ) {
        if !self.names.is_human(guild, user) {
            return;
        }
        if let Some(left) = before {
            self.leave_if_deserted(now, guild, left);
        }
        let entry = self.settings.auto_join_of(guild).filter(|entry| entry.when_occupied);
        if let (Some(entry), Some(channel)) = (entry, channel)
            && entry.channel == channel
            && self.humans_in(guild, channel) == 1
        {
            if self.may_join_by_itself(guild) {
                self.want(now, guild, Wanted::new(channel, Owner::Occupied, Asker::Nobody));
            } else if let Some(it) = self.guilds.get_mut(&guild) {
                it.room_waits = it.phase.channel().is_none();
            }
        }
    }

    /// What was wanted instead cannot be had: the room that is kept for humans is joined, if there
    /// are any.
    pub(super) fn join_waiting_room(&mut self, now: SessionTime, guild: GuildId) {
        let waits = self.guilds.get(&guild).is_some_and(|it| it.room_waits);
        if waits
            && self.may_join_by_itself(guild)
            && let Some(entry) = self.settings.auto_join_of(guild)
            && self.humans_in(guild, entry.channel) > 0
        {
            self.want(now, guild, Wanted::new(entry.channel, Owner::Occupied, Asker::Nobody));
        }
    }

    /// Leaves a room that was joined for its humans, if there are none left.
    pub(super) fn leave_if_deserted(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        channel: ChannelId,
    ) {
        if self.humans_in(guild, channel) > 0 {
            return;
        }
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        it.queue.retain(|wanted| {
            wanted.owner != Owner::Occupied
                || wanted.channel != channel
                || wanted.asker != Asker::Nobody
        });
        it.overdue |= !it.queue.is_empty();
        if it.owner == Owner::Occupied && it.phase.channel() == Some(channel) && it.queue.is_empty()
        {
            let _ = self.leave(now, guild, &JoinFailure::Cancelled, "nobody is there any more");
            if self.guilds.get(&guild).is_some_and(|it| it.following.retry.is_some()) {
                self.follow_again(now, guild);
            }
        }
    }
}
