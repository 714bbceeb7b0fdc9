//! The gateway's sessions: which there are, what of them counts as handled, and what the last process
//! left behind.

use clawvoice_session::{GuildId, UserId, VoiceGatewayEvent};

use super::{Dispatcher, LEAVE_WAIT, leave};
use crate::{
    connection::link::Resumable,
    incoming::{self, Incoming, TextEvent},
    shell::clock::now,
};

impl Dispatcher {
    pub(super) fn shard_of(&self, guild: GuildId) -> usize {
        // Source: Discord, "Gateway", Sharding.
        let count = self.around.routes.count().max(1) as u64;
        usize::try_from((guild.get() >> 22) % count).unwrap_or(0)
    }

    pub(super) fn ready(&mut self, shard: usize, session: Resumable, text: String) {
        let user = match incoming::read(text) {
            Ok(Incoming::Ready(ready)) => ready.user,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!("READY cannot be used: {error}");
                return;
            }
        };
        if self.sessions.get(shard).is_some_and(Option::is_some) {
            self.session_lost(shard);
        }
        self.place(shard);
        self.sessions[shard] = Some(session);
        self.user = Some(user);
        self.tell(TextEvent::Connected { user, new: true });
        tracing::info!("Discord gateway ready as user {user}");
        self.established(shard, user);
    }

    pub(super) fn resumed(&mut self, shard: usize, sequence: u64) {
        self.inherit();
        tracing::info!("Discord gateway session resumed");
        self.place(shard);
        self.handover.handle_event(shard, sequence);
        self.count();
        if let Some(user) = self.user {
            self.tell(TextEvent::Connected { user, new: false });
            self.established(shard, user);
        }
    }

    /// Moves the sessions to the last event of each that counts.
    pub(super) fn count(&mut self) {
        while let Some((shard, sequence)) = self.handover.poll_output() {
            if let Some(Some(session)) = self.sessions.get_mut(shard) {
                session.sequence = sequence;
                self.keeper.note();
            }
        }
    }

    /// READY or RESUMED: commands can be sent.
    pub(super) fn established(&mut self, shard: usize, user: UserId) {
        self.established[shard] = true;
        self.presence.handle_ready(now());
        // Where the last process sat, nobody listens any more; what is asked for comes after it.
        let held = std::mem::take(&mut self.held);
        let left = self.left_behind(user);
        if !left.is_empty() {
            self.ready_due = Some(now() + LEAVE_WAIT);
            self.seats.extend(left.iter().copied());
        } else if self.ready_due.is_none() {
            self.outbox.push_back(VoiceGatewayEvent::Ready { user });
        }
        for guild in left {
            self.request(leave(guild));
        }
        for request in std::mem::take(&mut self.held).into_iter().chain(held) {
            self.request(request);
        }
    }

    /// Voice is told that the bot is connected once nothing of the last process is in its way.
    pub(super) fn seats_are_free(&mut self) {
        if let Some(user) = self.user.filter(|_| self.seats.is_empty())
            && self.ready_due.take().is_some()
        {
            self.outbox.push_back(VoiceGatewayEvent::Ready { user });
        }
    }

    /// Guilds in whose voice channels the last process left the bot.
    pub(super) fn left_behind(&mut self, user: UserId) -> Vec<GuildId> {
        let Some(saved) = self.inherited.take() else { return Vec::new() };
        saved.recall.in_voice(user)
    }

    /// A session of the last process goes on: what it told at its beginning is told by us, before
    /// anything that comes after it.
    pub(super) fn inherit(&mut self) {
        if self.user.is_some() {
            return;
        }
        if let Some(saved) = &self.inherited {
            self.user = Some(saved.user);
            self.outbox.extend(saved.recall.events(saved.user));
            let known = TextEvent::Connected { user: saved.user, new: false };
            let places = saved.recall.text_events();
            [known].into_iter().chain(places).for_each(|event| self.tell(event));
        }
    }

    pub(super) fn place(&mut self, shard: usize) {
        if self.sessions.len() <= shard {
            self.sessions.resize(shard + 1, None);
        }
        if self.established.len() <= shard {
            self.established.resize(shard + 1, false);
        }
    }

    pub(super) fn session_lost(&mut self, shard: usize) {
        let known = self.sessions.get_mut(shard).and_then(Option::take).is_some();
        self.handover.handle_lost(shard);
        // Nothing is sent to a session that is over: it would come up in the next one.
        if let Some(established) = self.established.get_mut(shard) {
            *established = false;
        }
        self.inherited = None;
        self.seats.clear();
        self.ready_due = None;
        self.recall.clear();
        self.in_voice.clear();
        if known && self.user.is_some() {
            self.outbox.push_back(VoiceGatewayEvent::SessionLost);
        }
    }
}
