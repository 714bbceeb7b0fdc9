//! What the main gateway tells of the bot's whereabouts: moves, kicks, voice servers, and the end
//! of its own session.

use std::{mem, time::Duration};

use clawvoice_session::{
    ChannelId, GuildId, JoinFailure, RoleId, SessionTime, UserId, VoiceChannel, VoiceServerChange,
    VoiceStateChange,
};

use super::{
    link::SessionCommand,
    machine::Presence,
    output::{Half, Output},
    phase::{Again, Asker, Guild, Joining, Owner, Phase, Stage, Wanted},
};
use crate::timeline::{self, Place};

/// A voice server told this long before the state change of a move belongs to the move: the two
/// come in either order (Discord, "Retrieving Voice Server Information").
const SAME_MOVE: Duration = Duration::from_secs(2);

impl Presence {
    pub(super) fn ready(&mut self, now: SessionTime, user: UserId) {
        self.user = Some(user);
        self.online = true;
        for id in self.guild_ids() {
            if let Some(Phase::Lost { channel }) = self.guilds.get(&id).map(|it| &it.phase) {
                let again = Again {
                    channel: *channel,
                    asked: Vec::new(),
                    deadline: None,
                    attempt: 1,
                    not_before: now,
                };
                self.begin(now, id, again);
            }
        }
        self.fill_auto_join(now);
        self.begin_reconciling(now);
    }

    pub(super) fn session_lost(&mut self, now: SessionTime) {
        let reason = "the connection to Discord was lost";
        self.online = false;
        self.reconcile.break_off();
        // The next READY tells who is in voice. Where followed users were is remembered: that they
        // still are is no news.
        let followed = &self.settings.follow_users;
        self.people.forget_but(|user| followed.contains(&user));
        for id in self.guild_ids() {
            self.end_session(now, id, reason);
            let Some(it) = self.guilds.get_mut(&id) else { continue };
            if it.queue.iter().any(|wanted| wanted.owner == Owner::Followed) {
                it.following.retry = Some(now);
            }
            it.checking.clear();
            it.uncounted = true;
            let mut asked: Vec<Asker> = it.queue.drain(..).map(|wanted| wanted.asker).collect();
            let channel = match &mut it.phase {
                Phase::Idle => None,
                Phase::Connected { channel, .. }
                | Phase::Detached { channel, .. }
                | Phase::Lost { channel } => Some(*channel),
                Phase::Joining(joining) => {
                    asked.append(&mut joining.asked);
                    Some(joining.channel)
                }
                Phase::Pausing(again) | Phase::Leaving { again: Some(again), .. } => {
                    asked.append(&mut again.asked);
                    Some(again.channel)
                }
                Phase::Leaving { again: None, .. } => None,
            };
            if channel.is_none() {
                it.owner = Owner::Nobody;
            }
            it.phase = channel.map_or(Phase::Idle, |channel| Phase::Lost { channel });
            it.server = None;
            self.outputs.push_back(Output::Forget { guild: id });
            for asker in asked {
                self.answer(asker, Err(JoinFailure::Connect(reason.to_owned())));
            }
        }
    }

    /// The bot's own voice state changed.
    pub(super) fn own_state(&mut self, now: SessionTime, change: VoiceStateChange) {
        let guild = change.guild;
        let it = self.guilds.entry(guild).or_default();
        let Some(at) = change.channel else {
            it.suppressed = None;
            return self.taken_out(now, guild);
        };
        let same_session = it.session_id == change.session_id;
        it.session_id.clone_from(&change.session_id);
        match &mut it.phase {
            Phase::Joining(joining)
                if joining.stage == Stage::AtGateway && joining.channel == at =>
            {
                joining.seated = true;
                let generation = joining.generation;
                let half = Half::State { session_id: change.session_id, channel: at };
                self.outputs.push_back(Output::Feed { guild, generation, half });
            }
            // Another channel here is the echo of an older request.
            Phase::Joining(joining) if joining.stage == Stage::AtGateway && !joining.seated => {}
            Phase::Joining(joining) if joining.channel != at => self.moved(now, guild, at),
            Phase::Connected { channel, .. } if *channel != at || !same_session => {
                self.moved(now, guild, at);
            }
            Phase::Detached { channel, .. } if *channel != at => self.moved(now, guild, at),
            Phase::Leaving { again: Some(again), .. } if again.channel != at => {
                self.moved_before_leaving(now, guild, at);
            }
            _ => {}
        }
        self.heed_suppression(now, Place { guild, channel: at }, change.suppressed);
    }

    /// Somebody else is in a channel, or in none, as it was told or looked up.
    pub(super) fn seen(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        user: UserId,
        channel: Option<ChannelId>,
    ) {
        let before = self.people.see(guild, user, channel);
        if before == channel {
            return;
        }
        if self.is_followed(user) {
            self.followed_user_moved(now, guild, user, channel);
        }
        self.occupancy_changed(now, guild, user, before, channel);
    }

    /// Nobody hears the bot, or somebody does again. In a stage it asks to speak; elsewhere it can
    /// only say why it is not heard.
    fn heed_suppression(&mut self, now: SessionTime, place: Place, suppressed: bool) {
        let Some(it) = self.guilds.get_mut(&place.guild) else { return };
        let now_in = suppressed.then_some(place.channel);
        if !it.phase.is_in(place.channel) || it.suppressed == now_in {
            return;
        }
        let was = mem::replace(&mut it.suppressed, now_in);
        let stage = self.rooms.is_stage(place.channel);
        if suppressed && stage {
            let Place { guild, channel } = place;
            self.outputs.push_back(Output::AskToSpeak { guild, channel });
        }
        if suppressed || was == Some(place.channel) {
            self.record(timeline::suppression(now, place, suppressed, stage));
        }
    }

    pub(super) fn channel(&mut self, channel: VoiceChannel) {
        if !self.rooms.learn(channel) {
            return;
        }
        let VoiceChannel { guild, channel, bitrate, .. } = channel;
        if let Some(it) = self.guilds.get(&guild)
            && it.phase.is_in(channel)
            && let Some(generation) = it.session()
        {
            let command = SessionCommand::Bitrate(bitrate);
            self.outputs.push_back(Output::Tell { guild, generation, command });
        }
    }

    /// Discord says the bot is in no channel of the guild.
    pub(super) fn taken_out(&mut self, now: SessionTime, guild: GuildId) {
        let reason = "Discord disconnected the bot from the channel";
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        match &mut it.phase {
            Phase::Leaving { .. } => self.left(now, guild),
            // The late word about an earlier leave; a join that is refused gets no word at all.
            Phase::Joining(joining) if joining.stage == Stage::AtGateway && !joining.seated => {}
            Phase::Joining(joining) => {
                let asked = mem::take(&mut joining.asked);
                let place = Place { guild, channel: joining.channel };
                self.record(timeline::join_failed(now, place, reason));
                for asker in asked {
                    self.answer(asker, Err(JoinFailure::Connect(reason.to_owned())));
                }
                self.forget(now, guild, reason);
            }
            Phase::Connected { .. } | Phase::Detached { .. } => self.forget(now, guild, reason),
            Phase::Idle | Phase::Pausing(_) | Phase::Lost { .. } => {}
        }
    }

    pub(super) fn forget(&mut self, now: SessionTime, guild: GuildId, reason: &str) {
        self.end_session(now, guild, reason);
        self.outputs.push_back(Output::Forget { guild });
        let it = self.guilds.entry(guild).or_default();
        it.phase = Phase::Idle;
        it.owner = Owner::Nobody;
        it.room_waits = false;
        // Whoever took it out wants it out: only somebody's wish stands, and followed users bring it
        // back when they move.
        it.following = Default::default();
        let (kept, dropped): (Vec<Wanted>, Vec<Wanted>) =
            it.queue.drain(..).partition(|wanted| wanted.asker.is_person());
        it.queue = kept.into();
        for wanted in dropped {
            self.answer(wanted.asker, Err(JoinFailure::Cancelled));
        }
        self.advance(now, guild);
    }

    /// Somebody moved the bot: the session is rebuilt where it is now, if it may be there.
    pub(super) fn moved(&mut self, now: SessionTime, guild: GuildId, to: ChannelId) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        if let Some(from) = it.phase.channel()
            && !self.settings.allows(guild, to)
        {
            return self.moved_outside(now, guild, from, to);
        }
        let (from, asked, attempt) = match &mut it.phase {
            Phase::Joining(joining) => {
                (joining.channel, mem::take(&mut joining.asked), joining.attempt)
            }
            Phase::Connected { channel, attempt, .. }
            | Phase::Detached { channel, attempt, .. } => (*channel, Vec::new(), *attempt),
            _ => return,
        };
        for asker in asked {
            let reason = format!("the bot was moved to <#{to}> meanwhile");
            self.answer(asker, Err(JoinFailure::Connect(reason)));
        }
        if from != to {
            self.record(timeline::presence::bot_moved(now, guild, from, to));
        }
        self.end_session(now, guild, "moved");
        self.follow(now, guild, to, attempt);
    }

    /// Builds a session for where Discord already has the bot.
    pub(super) fn follow(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        channel: ChannelId,
        attempt: u32,
    ) {
        let generation = self.next_generation();
        let deadline = now + self.settings.connect_timeout;
        let it = self.guilds.entry(guild).or_default();
        let session_id = it.session_id.clone();
        let server = it.server.clone().filter(|(at, _)| now.since(*at) <= SAME_MOVE);
        it.phase = Phase::Joining(Joining {
            channel,
            generation,
            stage: Stage::AtGateway,
            seated: true,
            deadline,
            asked: Vec::new(),
            // Nobody waits for it, so a failure is tried again.
            attempt: attempt.max(1),
            second_try: false,
        });
        self.record_joining(now, Place { guild, channel });
        self.outputs.push_back(Output::Follow { guild, channel, generation });
        let half = Half::State { session_id, channel };
        self.outputs.push_back(Output::Feed { guild, generation, half });
        if let Some((_, VoiceServerChange { endpoint: Some(endpoint), token, .. })) = server {
            let half = Half::Server { endpoint, token };
            self.outputs.push_back(Output::Feed { guild, generation, half });
        }
    }

    pub(super) fn server(&mut self, now: SessionTime, change: VoiceServerChange) {
        let guild = change.guild;
        let it = self.guilds.entry(guild).or_default();
        let Some(endpoint) = change.endpoint.clone() else {
            // The server went away; a session notices by itself, and its successor is told.
            it.server = None;
            return;
        };
        let token = change.token.clone();
        it.server = Some((now, change));
        match &it.phase {
            Phase::Joining(joining) if joining.stage == Stage::AtGateway => {
                let generation = joining.generation;
                let half = Half::Server { endpoint, token };
                self.outputs.push_back(Output::Feed { guild, generation, half });
            }
            Phase::Joining(Joining { generation, .. }) | Phase::Connected { generation, .. } => {
                let command = SessionCommand::ServerChanged { endpoint, token };
                let generation = *generation;
                self.outputs.push_back(Output::Tell { guild, generation, command });
            }
            Phase::Detached { channel, attempt, .. } => {
                let (channel, attempt) = (*channel, *attempt);
                self.follow(now, guild, channel, attempt);
            }
            Phase::Idle | Phase::Leaving { .. } | Phase::Pausing(_) | Phase::Lost { .. } => {}
        }
    }

    pub(super) fn name(&mut self, guild: GuildId, user: UserId, label: &str, bot: bool) {
        if !self.names.learn(guild, user, label, bot) {
            return;
        }
        if let Some(generation) = self.guilds.get(&guild).and_then(Guild::session) {
            let command = SessionCommand::Name { user, label: label.to_owned(), bot };
            self.outputs.push_back(Output::Tell { guild, generation, command });
        }
    }

    pub(super) fn learn_roles(&mut self, guild: GuildId, user: UserId, roles: &[RoleId]) {
        if !self.roles.learn(guild, user, roles) {
            return;
        }
        if let Some(generation) = self.guilds.get(&guild).and_then(Guild::session) {
            let command = SessionCommand::Roles { user, roles: roles.to_vec() };
            self.outputs.push_back(Output::Tell { guild, generation, command });
        }
    }
}
