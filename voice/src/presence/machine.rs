//! The machine: what it is told, and who takes it from there.

use std::collections::{BTreeMap, VecDeque};

use clawvoice_session::{
    ChannelId, Directory, Generation, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, SessionKey,
    SessionTime, StageAnswer, UserId, VoiceGatewayEvent, VoiceStatus, timeline::Record,
};

use super::{
    auto_join::AutoJoinRun,
    link::{SessionEvent, SessionRequest},
    names::Names,
    output::{Connection, Output, Ticket, Timer},
    people::People,
    phase::{Asker, Guild, Owner, Phase, Stage, Wanted},
    reconcile::Reconcile,
    roles::Roles,
    rooms::Rooms,
    settings::PresenceSettings,
};
use crate::timeline::{self, Place, Route};

/// Where the bot is, in every guild.
#[derive(Debug)]
pub struct Presence {
    pub(super) settings: PresenceSettings,
    pub(super) user: Option<UserId>,
    pub(super) guilds: BTreeMap<GuildId, Guild>,
    pub(super) names: Names,
    pub(super) directory: Directory,
    pub(super) roles: Roles,
    pub(super) people: People,
    pub(super) rooms: Rooms,
    pub(super) reconcile: Reconcile,
    /// Whether there is a session with the main gateway.
    pub(super) online: bool,
    generation: Generation,
    pub(super) auto_join: AutoJoinRun,
    pub(super) stopped: bool,
    pub(super) outputs: VecDeque<Output>,
}

impl Presence {
    /// In no channel yet; nothing happens before the main gateway is ready.
    #[must_use]
    pub fn new(settings: PresenceSettings) -> Self {
        Self {
            settings,
            user: None,
            guilds: BTreeMap::new(),
            names: Names::default(),
            directory: Directory::default(),
            roles: Roles::default(),
            people: People::default(),
            rooms: Rooms::default(),
            reconcile: Reconcile::default(),
            online: false,
            generation: Generation::default(),
            auto_join: AutoJoinRun::default(),
            stopped: false,
            outputs: VecDeque::new(),
        }
    }

    /// Somebody wants the bot in a channel. The answer comes as [`Output::Answer`].
    pub fn handle_join(
        &mut self,
        now: SessionTime,
        ticket: Ticket,
        guild: GuildId,
        channel: ChannelId,
    ) {
        self.want(now, guild, Wanted::new(channel, Owner::Person, Asker::Ticket(ticket)));
        self.go_on(now);
    }

    /// Somebody wants the bot out of a guild's voice. Cancels every join that is pending there.
    /// Followed users bring it back when they move, not before.
    pub fn handle_leave(&mut self, now: SessionTime, guild: GuildId) -> LeaveOutcome {
        let outcome = self.leave(now, guild, &JoinFailure::Cancelled, "leave");
        if let Some(it) = self.guilds.get_mut(&guild) {
            it.following = Default::default();
        }
        self.go_on(now);
        outcome
    }

    /// The process ends: leaves everywhere and refuses every further join.
    pub fn handle_stop(&mut self, now: SessionTime) {
        self.stopped = true;
        self.auto_join.left.clear();
        self.reconcile.break_off();
        for guild in self.guild_ids() {
            self.leave(now, guild, &JoinFailure::Stopped, "shutdown");
            if let Some(it) = self.guilds.get_mut(&guild) {
                it.following = Default::default();
            }
        }
    }

    /// An event of the main gateway.
    pub fn handle_gateway(&mut self, now: SessionTime, event: VoiceGatewayEvent) {
        match event {
            VoiceGatewayEvent::Ready { user } => self.ready(now, user),
            VoiceGatewayEvent::State(change) if Some(change.user) == self.user => {
                self.reconcile.overtake(change.guild, change.user);
                self.own_state(now, change);
            }
            VoiceGatewayEvent::State(change) => {
                self.reconcile.overtake(change.guild, change.user);
                self.seen(now, change.guild, change.user, change.channel);
            }
            VoiceGatewayEvent::Channel(channel) => self.channel(channel),
            VoiceGatewayEvent::Server(change) => self.server(now, change),
            VoiceGatewayEvent::Name { guild, user, label, bot } => {
                self.name(guild, user, &label, bot);
            }
            VoiceGatewayEvent::Roles { guild, user, roles } => {
                self.learn_roles(guild, user, &roles)
            }
            VoiceGatewayEvent::GuildName { .. } | VoiceGatewayEvent::ChannelName { .. } => {
                self.directory.follow(&event);
            }
            VoiceGatewayEvent::SessionLost => self.session_lost(now),
        }
        self.go_on(now);
    }

    /// Both halves of a join are there, or asking failed, in words.
    pub fn handle_connection(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        generation: Generation,
        result: Result<Connection, String>,
    ) {
        let Some(it) = self.guilds.get_mut(&guild) else { return };
        let Phase::Joining(joining) = &mut it.phase else { return };
        if joining.generation != generation || joining.stage != Stage::AtGateway {
            return;
        }
        match (result, self.user) {
            (Ok(connection), Some(user)) => {
                joining.stage = Stage::AtVoiceServer;
                // It belongs to this connection, not to a move that follows.
                it.server = None;
                let channel = joining.channel;
                self.outputs.push_back(Output::Start(SessionRequest {
                    guild,
                    channel,
                    user,
                    session_id: connection.session_id,
                    token: connection.token,
                    endpoint: connection.endpoint,
                    bitrate: self.rooms.bitrate(channel),
                    guild_name: self.directory.guild(guild).to_owned(),
                    channel_name: self.directory.channel(channel).to_owned(),
                    names: self.names.of(guild),
                    roles: self.roles.of(guild),
                    generation,
                }));
            }
            (Ok(_), None) => {}
            (Err(reason), _) => self.fail(now, guild, JoinFailure::Connect(reason)),
        }
        self.go_on(now);
    }

    /// A session says something. What an older generation says is dropped here, except for
    /// records: how a session ended belongs into the timeline.
    pub fn handle_session(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        generation: Generation,
        event: SessionEvent,
    ) {
        let current = self.guilds.get(&guild).and_then(Guild::session) == Some(generation);
        match event {
            SessionEvent::Record(record) => self.outputs.push_back(Output::Record(record)),
            _ if !current => {}
            SessionEvent::Ready => self.session_ready(now, guild),
            SessionEvent::Failed(failure) => self.session_failed(now, guild, failure),
            SessionEvent::Ended { reason, plan } => self.session_ended(now, guild, &reason, plan),
        }
        self.go_on(now);
    }

    /// What became of an [`Output::AskToSpeak`].
    pub fn handle_stage(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        channel: ChannelId,
        answer: &StageAnswer,
    ) {
        self.record(timeline::stage_answer(now, Place { guild, channel }, answer));
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        for id in self.guild_ids() {
            let due = self.guilds.get(&id).and_then(Guild::timeout);
            let Some((_, timer)) = due.filter(|(at, _)| *at <= now) else { continue };
            match timer {
                Timer::Connect => self.connect_timeout(now, id),
                Timer::Leave => self.left(now, id),
                Timer::Rejoin => self.rejoin(now, id),
                Timer::Move => self.no_news(now, id),
                Timer::Follow => self.follow_again(now, id),
                Timer::Reconcile => {}
            }
        }
        self.reconcile_if_due(now);
        self.go_on(now);
    }

    /// What to do next, oldest first. Drain it after every `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`], and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let guilds = self.guilds.values().filter_map(Guild::timeout);
        guilds.chain(self.reconcile_timeout()).min_by_key(|(at, _)| *at)
    }

    /// The sessions that are connected, in one guild or in all of them.
    #[must_use]
    pub fn status(&self, guild: Option<GuildId>) -> Vec<VoiceStatus> {
        let connected = self.guilds.iter().filter_map(|(id, it)| match it.phase {
            Phase::Connected { channel, .. } => Some(VoiceStatus { guild: *id, channel }),
            _ => None,
        });
        connected.filter(|status| guild.is_none_or(|wanted| wanted == status.guild)).collect()
    }

    pub(super) fn answer(&mut self, asker: Asker, result: Result<JoinOutcome, JoinFailure>) {
        match asker {
            Asker::Ticket(ticket) => self.outputs.push_back(Output::Answer { ticket, result }),
            // Its failure is in the timeline; the list goes on.
            Asker::AutoJoin => self.auto_join.busy = false,
            Asker::Nobody => {}
        }
    }

    pub(super) fn record(&mut self, record: Record) {
        self.outputs.push_back(Output::Record(record));
    }

    pub(super) fn record_joining(&mut self, now: SessionTime, place: Place) {
        let labels = &self.settings.labels;
        let voice_session = SessionKey::channel(&labels.agent, place.channel);
        let values = timeline::Joining {
            mode: &labels.mode,
            route: Route {
                voice_session: &voice_session,
                supervisor_session: labels.supervisor_session.as_ref().unwrap_or(&voice_session),
                agent: &labels.agent,
            },
            agent_session_mode: &labels.agent_session_mode,
            agent_session_target: labels.agent_session_target.as_deref(),
            voice_model: &labels.voice_model,
            realtime_provider: &labels.realtime_provider,
            realtime_model: &labels.realtime_model,
            realtime_voice: &labels.realtime_voice,
        };
        let record = timeline::joining(now, place, &values);
        self.record(record);
    }

    pub(super) fn record_joined(&mut self, now: SessionTime, place: Place) {
        let labels = &self.settings.labels;
        let voice_session = SessionKey::channel(&labels.agent, place.channel);
        let route = Route {
            voice_session: &voice_session,
            supervisor_session: labels.supervisor_session.as_ref().unwrap_or(&voice_session),
            agent: &labels.agent,
        };
        let record = timeline::joined(now, place, &labels.mode, route, &labels.voice_model);
        self.record(record);
    }

    pub(super) fn next_generation(&mut self) -> Generation {
        self.generation = self.generation.next();
        self.generation
    }

    pub(super) fn guild_ids(&self) -> Vec<GuildId> {
        self.guilds.keys().copied().collect()
    }
}
