//! Where the bot may be (`allowedChannels`), and where it goes when it is taken elsewhere.

use std::mem;

use clawvoice_session::{ChannelId, GuildId, JoinFailure, SessionTime};

use super::{
    machine::Presence,
    phase::{Again, Owner, Phase},
};
use crate::timeline::{self, Place};

impl Presence {
    /// The bot is where it may not be: it leaves, and goes back to where the configuration wants
    /// it in this guild.
    pub(super) fn moved_outside(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        from: ChannelId,
        to: ChannelId,
    ) {
        self.record(timeline::presence::bot_moved_outside(now, guild, from, to));
        let asked = match self.guilds.get_mut(&guild).map(|it| &mut it.phase) {
            Some(Phase::Joining(joining)) => mem::take(&mut joining.asked),
            _ => Vec::new(),
        };
        for asker in asked {
            self.answer(asker, Err(JoinFailure::NotAllowed(to)));
        }
        self.go_home(now, guild, "moved outside of allowedChannels");
    }

    /// The bot leaves in order to join again, and had been moved before Discord heard of that: it
    /// joins where it was moved to.
    pub(super) fn moved_before_leaving(&mut self, now: SessionTime, guild: GuildId, to: ChannelId) {
        let (allowed, home) = (self.settings.allows(guild, to), self.home(guild));
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let Phase::Leaving { again: going @ Some(_), .. } = &mut it.phase else { return };
        let Some(again) = going else { return };
        let (from, asked) = (again.channel, mem::take(&mut again.asked));
        again.deadline = None;
        // Nobody waits for it any more, so a failure is tried again.
        again.attempt = again.attempt.max(1);
        let failure = if allowed {
            again.channel = to;
            JoinFailure::Connect(format!("the bot was moved to <#{to}> meanwhile"))
        } else {
            match home {
                Some((channel, _)) => again.channel = channel,
                None => *going = None,
            }
            it.owner = home.map_or(Owner::Nobody, |(_, owner)| owner);
            it.following = Default::default();
            JoinFailure::NotAllowed(to)
        };
        for asker in asked {
            self.answer(asker, Err(failure.clone()));
        }
        self.record(if allowed {
            timeline::presence::bot_moved(now, guild, from, to)
        } else {
            timeline::presence::bot_moved_outside(now, guild, from, to)
        });
    }

    /// Leaves, and joins the guild's own channel instead: its auto-join channel if that is allowed,
    /// else the only one that is, else none.
    pub(super) fn go_home(&mut self, now: SessionTime, guild: GuildId, reason: &str) {
        let home = self.home(guild);
        let again = home.map(|(channel, _)| Again {
            channel,
            asked: Vec::new(),
            deadline: None,
            // Nobody waits for it, so a failure is tried again.
            attempt: 1,
            not_before: now,
        });
        if let Some((channel, _)) = home {
            self.record(timeline::presence::rejoining_allowed(now, Place { guild, channel }));
        }
        self.depart(now, guild, reason, again);
        if let Some(it) = self.guilds.get_mut(&guild) {
            it.owner = home.map_or(Owner::Nobody, |(_, owner)| owner);
            it.following = Default::default();
        }
    }

    fn home(&self, guild: GuildId) -> Option<(ChannelId, Owner)> {
        let entry = self.settings.auto_join_of(guild);
        match entry.filter(|entry| self.settings.allows(guild, entry.channel)) {
            Some(entry) if !entry.when_occupied => Some((entry.channel, Owner::Fixed)),
            Some(entry) => (self.humans_in(guild, entry.channel) > 0)
                .then_some((entry.channel, Owner::Occupied)),
            None => self.settings.only_allowed(guild).map(|channel| (channel, Owner::Fixed)),
        }
    }
}
