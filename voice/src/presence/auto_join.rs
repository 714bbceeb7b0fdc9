//! Channels that are joined by themselves, one after the other.

use std::{collections::VecDeque, mem};

use clawvoice_session::SessionTime;

use super::{
    machine::Presence,
    phase::{Asker, Owner, Wanted},
    settings::AutoJoin,
};
use crate::timeline;

/// How far the auto-join list is.
#[derive(Debug, Default)]
pub(super) struct AutoJoinRun {
    /// Entries that have not had their turn.
    pub(super) left: VecDeque<AutoJoin>,
    /// Whether an entry's join is under way.
    pub(super) busy: bool,
    /// Whether guilds with several entries were told.
    warned: bool,
}

impl AutoJoinRun {
    /// Guilds with several entries are told again: the entries are new.
    pub(super) fn forget_warnings(&mut self) {
        self.warned = false;
    }
}

impl Presence {
    pub(super) fn fill_auto_join(&mut self, now: SessionTime) {
        let entries = self.settings.auto_join.clone();
        self.auto_join.left.clear();
        for (index, entry) in entries.iter().enumerate() {
            let later = entries.iter().skip(index + 1).any(|other| other.guild == entry.guild);
            if !later {
                self.auto_join.left.push_back(*entry);
            }
        }
        let winners = self.auto_join.left.clone();
        // A room for humans is joined when there are any.
        let mut left = mem::take(&mut self.auto_join.left);
        left.retain(|entry| !entry.when_occupied || self.humans_in(entry.guild, entry.channel) > 0);
        self.auto_join.left = left;
        if mem::replace(&mut self.auto_join.warned, true) {
            return;
        }
        for winner in winners {
            let several = entries.iter().filter(|entry| entry.guild == winner.guild).count() > 1;
            if several {
                self.record(timeline::auto_join_duplicate(now, winner.guild, winner.channel));
            }
        }
    }

    /// Everything that may go on after an input: the next auto-join.
    pub(super) fn go_on(&mut self, now: SessionTime) {
        while !self.auto_join.busy
            && let Some(entry) = self.auto_join.left.pop_front()
        {
            let AutoJoin { guild, channel, when_occupied } = entry;
            // A guild where the bot is, or is going, was somebody's decision.
            if self.may_join_by_itself(guild) {
                self.auto_join.busy = true;
                let owner = if when_occupied { Owner::Occupied } else { Owner::Fixed };
                self.want(now, guild, Wanted::new(channel, owner, Asker::AutoJoin));
            }
        }
    }
}
