//! Presence in virtual time: what it does for what it is told, written as short lines.

mod check;
mod credentials;
mod events;
mod follow;
mod joins;
mod occupancy;
mod reconcile;
mod reload;
mod residency;
mod stage;

use std::time::Duration;

use clawvoice_session::{
    ChannelId, Generation, GuildId, JoinFailure, LeaveOutcome, RoomLookup, SessionTime, UserId,
    VoiceGatewayEvent, VoiceServerChange, VoiceStateChange, VoiceStateLookup, timeline::Level,
};
use secrecy::ExposeSecret as _;

use super::{
    AutoJoin, Connection, Half, Labels, Output, Presence, PresenceSettings, Ticket, Timer,
    link::{EndPlan, SessionCommand, SessionEvent},
};

const GUILD: GuildId = GuildId::new(1);
const A: ChannelId = ChannelId::new(10);
const B: ChannelId = ChannelId::new(20);
const BOT: UserId = UserId::new(5);
const ADA: UserId = UserId::new(31);
const BEN: UserId = UserId::new(32);
const NONE: [&str; 0] = [];

struct Stage {
    machine: Presence,
    now: SessionTime,
}

fn settings() -> PresenceSettings {
    let labels = Labels { mode: "agent-proxy".to_owned(), ..Labels::default() };
    PresenceSettings { labels, ..PresenceSettings::default() }
}

fn auto_join(entries: &[(u64, u64)]) -> PresenceSettings {
    let entries = entries.iter().map(|(guild, channel)| AutoJoin {
        guild: GuildId::new(*guild),
        channel: ChannelId::new(*channel),
        when_occupied: false,
    });
    PresenceSettings { auto_join: entries.collect(), ..settings() }
}

fn generation(number: u64) -> Generation {
    (0..number).fold(Generation::default(), |generation, _| generation.next())
}

impl Stage {
    fn new(settings: PresenceSettings) -> Self {
        Self { machine: Presence::new(settings), now: SessionTime::ZERO }
    }

    /// The bot is online; what that sets off is skipped.
    fn online() -> Self {
        let mut stage = Self::new(settings());
        assert_eq!(stage.ready(), Vec::<String>::new());
        stage
    }

    /// Online and connected to channel A as generation 1.
    fn in_a() -> Self {
        let mut stage = Self::online();
        stage.join(0, A);
        stage.connection(1);
        stage.session(1, SessionEvent::Ready);
        stage
    }

    fn said(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(output) = self.machine.poll_output() {
            lines.push(line(output));
        }
        lines
    }

    fn ready(&mut self) -> Vec<String> {
        self.gateway(VoiceGatewayEvent::Ready { user: BOT })
    }

    fn gateway(&mut self, event: VoiceGatewayEvent) -> Vec<String> {
        self.machine.handle_gateway(self.now, event);
        self.said()
    }

    fn state(&mut self, channel: Option<ChannelId>) -> Vec<String> {
        self.gateway(VoiceGatewayEvent::State(VoiceStateChange {
            guild: GUILD,
            user: BOT,
            channel,
            session_id: "vs".to_owned(),
            suppressed: false,
        }))
    }

    fn server(&mut self, endpoint: Option<&str>) -> Vec<String> {
        self.gateway(VoiceGatewayEvent::Server(VoiceServerChange {
            guild: GUILD,
            endpoint: endpoint.map(str::to_owned),
            token: "token".to_owned().into(),
        }))
    }

    fn join(&mut self, ticket: u64, channel: ChannelId) -> Vec<String> {
        self.machine.handle_join(self.now, Ticket(ticket), GUILD, channel);
        self.said()
    }

    fn leave(&mut self) -> (LeaveOutcome, Vec<String>) {
        let outcome = self.machine.handle_leave(self.now, GUILD);
        (outcome, self.said())
    }

    fn connection(&mut self, number: u64) -> Vec<String> {
        self.connection_in(GUILD, number)
    }

    fn connection_in(&mut self, guild: GuildId, number: u64) -> Vec<String> {
        // The bot's state is told before its halves are complete.
        self.machine.handle_gateway(
            self.now,
            VoiceGatewayEvent::State(VoiceStateChange {
                guild,
                user: BOT,
                channel: self.joining_in(guild),
                session_id: "vs".to_owned(),
                suppressed: false,
            }),
        );
        self.said();
        let connection = Connection {
            session_id: "vs".to_owned(),
            endpoint: "host:1".to_owned(),
            token: "token".to_owned().into(),
        };
        self.machine.handle_connection(self.now, guild, generation(number), Ok(connection));
        self.said()
    }

    fn joining_in(&self, guild: GuildId) -> Option<ChannelId> {
        match &self.machine.guilds.get(&guild)?.phase {
            super::phase::Phase::Joining(joining) => Some(joining.channel),
            _ => None,
        }
    }

    fn session(&mut self, number: u64, event: SessionEvent) -> Vec<String> {
        self.machine.handle_session(self.now, GUILD, generation(number), event);
        self.said()
    }

    fn ended(&mut self, number: u64, plan: EndPlan) -> Vec<String> {
        self.session(number, SessionEvent::Ended { reason: "why".to_owned(), plan })
    }

    /// Where a human is now.
    fn human(&mut self, user: UserId, channel: Option<ChannelId>) -> Vec<String> {
        self.person(user, channel, false)
    }

    fn person(&mut self, user: UserId, channel: Option<ChannelId>, bot: bool) -> Vec<String> {
        let label = user.to_string();
        self.gateway(VoiceGatewayEvent::Name { guild: GUILD, user, label, bot });
        self.gateway(VoiceGatewayEvent::State(VoiceStateChange {
            guild: GUILD,
            user,
            channel,
            session_id: "theirs".to_owned(),
            suppressed: false,
        }))
    }

    /// The join under way becomes a session that is ready.
    fn arrives(&mut self, number: u64) {
        self.connection(number);
        let joined = self.session(number, SessionEvent::Ready);
        assert!(joined[0].starts_with("log joined"), "{joined:?}");
    }

    /// The answer to a lookup.
    fn found(&mut self, user: UserId, answer: VoiceStateLookup) -> Vec<String> {
        self.machine.handle_lookup(self.now, GUILD, user, &answer);
        self.said()
    }

    /// The answer to a look at a channel.
    fn room(&mut self, channel: ChannelId, answer: RoomLookup) -> Vec<String> {
        self.machine.handle_room(self.now, GUILD, channel, &answer);
        self.said()
    }

    /// Where the bot is, or is going.
    fn bound_for(&self) -> Option<ChannelId> {
        self.machine.guilds.get(&GUILD).and_then(|it| it.phase.channel())
    }

    /// Goes to the next timeout, which must be this one.
    fn until(&mut self, timer: Timer) -> Vec<String> {
        let (at, why) = self.machine.poll_timeout().expect("something is due");
        assert_eq!(why, timer);
        self.now = at;
        self.machine.handle_timeout(self.now);
        self.said()
    }

    fn after(&mut self, wait: Duration) {
        self.now += wait;
    }
}

fn line(output: Output) -> String {
    match output {
        Output::Connect { guild, channel, generation } => {
            format!("connect {guild}/{channel} as {generation}")
        }
        Output::Follow { guild, channel, generation } => {
            format!("follow {guild}/{channel} as {generation}")
        }
        Output::Feed { generation, half: Half::State { session_id, channel }, .. } => {
            format!("feed {generation} state {session_id} {channel}")
        }
        Output::Feed { generation, half: Half::Server { endpoint, .. }, .. } => {
            format!("feed {generation} server {endpoint}")
        }
        Output::Start(request) => format!(
            "start {}/{} as {} user {} {} {} {}",
            request.guild,
            request.channel,
            request.generation,
            request.user,
            request.session_id,
            request.endpoint,
            request.token.expose_secret()
        ),
        Output::Tell { generation, command, .. } => match command {
            SessionCommand::ServerChanged { endpoint, .. } => {
                format!("tell {generation} server {endpoint}")
            }
            SessionCommand::Name { user, label, bot } => {
                format!("tell {generation} name {user} {label} {bot}")
            }
            SessionCommand::Roles { user, roles } => {
                format!("tell {generation} roles {user} {roles:?}")
            }
            SessionCommand::Bitrate(bits) => format!("tell {generation} bitrate {bits}"),
            SessionCommand::Leave => format!("tell {generation} leave"),
        },
        Output::End { generation, .. } => format!("end {generation}"),
        Output::Leave { guild } => format!("leave {guild}"),
        Output::Forget { guild } => format!("forget {guild}"),
        Output::CheckRoom { guild, channel, bot } => format!("check {guild}/{channel} for {bot}"),
        Output::LookUp { guild, user } => format!("look up {guild}/{user}"),
        Output::AskToSpeak { guild, channel } => format!("ask to speak in {guild}/{channel}"),
        Output::Answer { ticket, result } => match result {
            Ok(outcome) => format!("answer {}: {outcome:?}", ticket.0),
            Err(failure) => format!("answer {}: {failure}", ticket.0),
        },
        Output::Record(record) => {
            let field = |name: &str| record.fields.find(name).and_then(|value| value.as_str());
            let place = field("channel").unwrap_or_default();
            let loud = if record.level == Level::Warn { "warn" } else { "log" };
            let why = field("reason").or(field("message"));
            let line = match field("user") {
                Some(user) => format!("{loud} {} {place} of {user}", record.line),
                None => format!("{loud} {} {place}", record.line),
            };
            match why {
                Some(why) => format!("{line}: {why}"),
                None => line,
            }
        }
    }
}
