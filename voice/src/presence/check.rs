//! Looking at a channel before it is joined: Discord answers op 4 with silence when it is of another
//! kind, of another guild, or closed to the bot.

use clawvoice_session::{ChannelId, GuildId, JoinFailure, RoomLookup, RoomPermission, SessionTime};

use super::{
    machine::Presence,
    output::Output,
    phase::{Owner, Wanted},
};
use crate::timeline::{self, Place};

impl Presence {
    /// Asks about the channel of a join, unless that is being asked.
    pub(super) fn check_room(&mut self, guild: GuildId, channel: ChannelId) {
        let Some(bot) = self.user else { return };
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        if it.checking.insert(channel) {
            self.outputs.push_back(Output::CheckRoom { guild, channel, bot });
        }
    }

    /// What Discord says of a channel that was to be looked at ([`Output::CheckRoom`]).
    pub fn handle_room(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        channel: ChannelId,
        answer: &RoomLookup,
    ) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        if !it.checking.remove(&channel) || !it.queue.iter().any(|one| one.channel == channel) {
            return;
        }
        if let Some(failure) = failure(channel, answer) {
            self.refuse_room(now, Place { guild, channel }, &failure);
        } else {
            for wanted in it.queue.iter_mut().filter(|wanted| wanted.channel == channel) {
                wanted.checked = true;
            }
            self.overtake(now, guild, channel);
        }
        self.advance(now, guild);
        self.go_on(now);
    }

    /// Everybody who wants this channel is told that it cannot be had; the bot stays where it is.
    fn refuse_room(&mut self, now: SessionTime, place: Place, failure: &JoinFailure) {
        let Place { guild, channel } = place;
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let (refused, kept): (Vec<Wanted>, Vec<Wanted>) =
            it.queue.drain(..).partition(|wanted| wanted.channel == channel);
        it.queue = kept.into();
        self.record(timeline::join_failed(now, place, &failure.to_string()));
        for wanted in &refused {
            self.answer(wanted.asker, Err(failure.clone()));
        }
        if refused.iter().any(|wanted| wanted.owner == Owner::Followed) {
            self.follow_failed(now, guild, channel);
        }
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        if it.queue.is_empty() && std::mem::take(&mut it.overdue) {
            let here = it.phase.channel();
            self.leave_if_unfollowed(now, guild);
            if let Some(here) = here {
                self.leave_if_deserted(now, guild, here);
            }
        }
        self.join_waiting_room(now, guild);
    }
}

/// Why a channel cannot be joined. Without an answer it is tried: Discord decides.
fn failure(channel: ChannelId, answer: &RoomLookup) -> Option<JoinFailure> {
    match answer {
        RoomLookup::Voice { missing } if missing.is_empty() => None,
        RoomLookup::Voice { missing } => Some(JoinFailure::Connect(format!(
            "the bot lacks {} in <#{channel}>",
            in_words(missing)
        ))),
        RoomLookup::NotVoice => Some(JoinFailure::NotVoice(channel)),
        RoomLookup::OtherGuild => Some(JoinFailure::OtherGuild),
        RoomLookup::Refused(reason) => Some(JoinFailure::Connect(reason.clone())),
        RoomLookup::Failed(_) => None,
    }
}

/// `View Channel, Connect and Speak`
fn in_words(missing: &[RoomPermission]) -> String {
    let names: Vec<&str> = missing.iter().map(|permission| permission.name()).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}
