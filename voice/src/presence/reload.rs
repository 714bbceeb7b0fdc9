//! New settings while the bot is running.

use clawvoice_session::{ChannelId, GuildId, JoinFailure, SessionTime};

use super::{follow::Following, machine::Presence, settings::PresenceSettings};

impl Presence {
    /// The configuration changed: what it forbids now is left, what it wants now is joined, and
    /// whatever was given up is tried again.
    pub fn handle_settings(&mut self, now: SessionTime, settings: PresenceSettings) {
        self.settings = settings;
        self.auto_join.forget_warnings();
        for it in self.guilds.values_mut() {
            it.suspended = false;
            it.following = Following::default();
        }
        if self.stopped {
            return;
        }
        if !self.settings.enabled {
            self.auto_join.left.clear();
            for guild in self.guild_ids() {
                self.leave(now, guild, &JoinFailure::Disabled, "voice was switched off");
            }
            return;
        }
        for guild in self.guild_ids() {
            self.leave_what_is_forbidden(now, guild);
            self.leave_if_unfollowed(now, guild);
        }
        for guild in self.people.guilds() {
            self.follow_anybody(now, guild);
        }
        if self.online {
            self.fill_auto_join(now);
            self.begin_reconciling(now);
        }
        self.go_on(now);
    }

    fn leave_what_is_forbidden(&mut self, now: SessionTime, guild: GuildId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let (allowed, refused): (Vec<_>, Vec<_>) =
            it.queue.drain(..).partition(|wanted| self.settings.allows(guild, wanted.channel));
        it.queue = allowed.into();
        let here = it.phase.channel();
        for wanted in refused {
            self.answer(wanted.asker, Err(JoinFailure::NotAllowed(wanted.channel)));
        }
        let Some(here) = here.filter(|here| !self.settings.allows(guild, *here)) else { return };
        // What is allowed and waits for its turn goes on.
        let waiting = std::mem::take(&mut self.guilds.entry(guild).or_default().queue);
        let reason = "the channel is not allowed any more";
        self.leave(now, guild, &JoinFailure::NotAllowed(here), reason);
        let unchecked: Vec<ChannelId> =
            waiting.iter().filter(|one| !one.checked).map(|one| one.channel).collect();
        self.guilds.entry(guild).or_default().queue = waiting;
        if self.settings.lookups {
            for channel in unchecked {
                self.check_room(guild, channel);
            }
        }
        self.advance(now, guild);
    }
}
