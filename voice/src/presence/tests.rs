//! Presence in virtual time: what it does for what it is told, written as short lines.

mod check;
mod credentials;
mod follow;
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

#[test]
fn a_join_from_request_to_answer() {
    let mut stage = Stage::online();
    assert_eq!(stage.join(7, A), ["log joining 10", "connect 1/10 as 1"]);
    assert_eq!(stage.server(Some("host:1")), ["feed 1 server host:1"]);
    assert_eq!(stage.state(Some(A)), ["feed 1 state vs 10"]);
    assert_eq!(stage.connection(1), ["start 1/10 as 1 user 5 vs host:1 token"]);
    assert_eq!(stage.machine.status(None), []);
    assert_eq!(stage.session(1, SessionEvent::Ready), ["log joined 10", "answer 7: Joined"]);
    assert_eq!(stage.machine.status(Some(GUILD)).len(), 1);
    assert_eq!(stage.machine.status(Some(GuildId::new(2))), []);
    assert_eq!(stage.join(8, A), ["answer 8: AlreadyConnected"]);
    assert_eq!(stage.machine.poll_timeout(), None, "a connected guild waits for nothing");
}

#[test]
fn scenario_02_the_last_auto_join_of_a_guild_wins_with_one_warning() {
    let mut stage = Stage::new(auto_join(&[(1, 10), (1, 20)]));
    assert_eq!(
        stage.ready(),
        ["warn autoJoin has multiple entries 20", "log joining 20", "connect 1/20 as 1"]
    );
    stage.connection(1);
    stage.session(1, SessionEvent::Ready);
    // RESUMED: nothing to do and no second warning.
    assert_eq!(stage.ready(), Vec::<String>::new());
}

#[test]
fn auto_joins_are_sequential_and_a_failure_does_not_stop_the_rest() {
    let mut stage = Stage::new(auto_join(&[(1, 10), (2, 20), (3, 30)]));
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 1"]);
    let failed = stage.until(Timer::Connect);
    assert!(failed[0].starts_with("warn join failed before ready 10: "), "{failed:?}");
    assert_eq!(failed[1..], ["leave 1", "log joining 20", "connect 2/20 as 2"]);
    let second = GuildId::new(2);
    stage.connection_in(second, 2);
    stage.machine.handle_session(stage.now, second, generation(2), SessionEvent::Ready);
    assert_eq!(stage.said(), ["log joined 20", "log joining 30", "connect 3/30 as 3"]);
}

#[test]
fn scenario_05_a_join_that_discord_does_not_answer_times_out_and_leaves_nothing() {
    let mut stage = Stage::online();
    stage.join(0, A);
    let said = stage.until(Timer::Connect);
    assert_eq!(stage.now, SessionTime::from_millis(30_000));
    let reason = "Failed to join voice channel: Discord did not answer within 30000 ms (the Connect permission is missing, or the channel is full?)";
    assert_eq!(
        said,
        [
            format!("warn join failed before ready 10: {reason}"),
            format!("answer 0: {reason}"),
            "leave 1".to_owned()
        ]
    );
    assert_eq!(stage.until(Timer::Leave), Vec::<String>::new());
    assert_eq!(stage.machine.poll_timeout(), None);
    // What comes after all is nobody's.
    assert_eq!(stage.state(Some(A)), Vec::<String>::new());
    assert_eq!(stage.connection(1), Vec::<String>::new());
    assert_eq!(stage.session(1, SessionEvent::Ready), Vec::<String>::new());
}

#[test]
fn scenario_05_a_voice_server_that_is_never_ready_times_out_too() {
    let mut stage = Stage::online();
    stage.join(0, A);
    stage.after(Duration::from_secs(29));
    stage.connection(1);
    let reason = "Failed to join voice channel: the voice connection was not ready within 30000 ms";
    assert_eq!(
        stage.until(Timer::Connect),
        [
            format!("warn join failed before ready 10: {reason}"),
            format!("answer 0: {reason}"),
            "end 1".to_owned(),
            "leave 1".to_owned()
        ]
    );
    assert_eq!(stage.now, SessionTime::from_millis(30_000));
    assert_eq!(stage.state(None), Vec::<String>::new());
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn scenario_06_a_lost_session_is_joined_again_with_growing_pauses_then_given_up() {
    let mut stage = Stage::in_a();
    assert_eq!(stage.ended(1, EndPlan::Rejoin), ["end 1", "log left 10: why", "leave 1"]);
    assert_eq!(stage.state(None), Vec::<String>::new());
    for (attempt, pause) in [1u64, 2, 4, 8, 16].into_iter().enumerate() {
        let number = attempt as u64 + 2;
        let paused_at = stage.now;
        assert_eq!(
            stage.until(Timer::Rejoin),
            ["log joining 10".to_owned(), format!("connect 1/10 as {number}")]
        );
        // The pause counts from the failure; the leave was confirmed within it.
        assert_eq!(stage.now.since(paused_at), Duration::from_secs(pause));
        stage.connection(number);
        let failed = stage
            .session(number, SessionEvent::Failed(JoinFailure::Connect("still down".to_owned())));
        assert!(failed[0].starts_with("warn join failed before ready"), "{failed:?}");
        let given_up = failed.iter().any(|line| line.starts_with("warn disconnect recovery"));
        assert_eq!(given_up, attempt == 4, "{failed:?}");
        stage.state(None);
    }
    assert_eq!(stage.machine.poll_timeout(), None);
    assert_eq!(stage.machine.status(None), []);
}

#[test]
fn a_rejoin_that_works_is_connected_again() {
    let mut stage = Stage::in_a();
    stage.ended(1, EndPlan::Rejoin);
    // Discord never confirms the leave.
    assert_eq!(stage.until(Timer::Leave), ["log joining 10", "connect 1/10 as 2"]);
    stage.connection(2);
    assert_eq!(stage.session(2, SessionEvent::Ready), ["log joined 10"]);
    // After a stable minute the count begins anew: the pause is one second.
    stage.after(Duration::from_secs(60));
    stage.ended(2, EndPlan::Rejoin);
    let ended = stage.now;
    stage.state(None);
    stage.until(Timer::Rejoin);
    assert_eq!(stage.now.since(ended), Duration::from_secs(1));
}

#[test]
fn a_session_that_ends_for_good_stays_down() {
    let mut stage = Stage::in_a();
    assert_eq!(stage.ended(1, EndPlan::StayDown), ["end 1", "log left 10: why", "leave 1"]);
    stage.state(None);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn an_end_before_ready_gets_one_more_try_in_the_same_deadline() {
    let mut stage = Stage::online();
    stage.join(0, A);
    stage.after(Duration::from_secs(10));
    stage.connection(1);
    assert_eq!(stage.ended(1, EndPlan::Rejoin), ["end 1", "leave 1"]);
    assert_eq!(stage.state(None), ["log joining 10", "connect 1/10 as 2"]);
    stage.connection(2);
    let failed = stage.ended(2, EndPlan::Rejoin);
    assert_eq!(failed[1], "answer 0: Failed to join voice channel: why");
    stage.state(None);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn the_second_try_keeps_the_deadline() {
    let mut stage = Stage::online();
    stage.join(0, A);
    stage.after(Duration::from_secs(10));
    stage.connection(1);
    stage.ended(1, EndPlan::Rejoin);
    stage.state(None);
    stage.until(Timer::Connect);
    assert_eq!(stage.now, SessionTime::from_millis(30_000));
}

#[test]
fn scenario_07_a_provider_that_refuses_fails_the_join_and_closes_the_connection() {
    let mut stage = Stage::online();
    stage.join(0, A);
    stage.connection(1);
    let reason = "Failed to start Discord realtime voice: invalid key";
    let failure = JoinFailure::Realtime("invalid key".to_owned());
    assert_eq!(
        stage.session(1, SessionEvent::Failed(failure)),
        [
            format!("warn join failed before ready 10: {reason}"),
            format!("answer 0: {reason}"),
            "end 1".to_owned(),
            "leave 1".to_owned()
        ]
    );
    stage.state(None);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn scenario_08_another_channel_is_left_first_and_its_late_events_do_nothing() {
    let mut stage = Stage::in_a();
    assert_eq!(
        stage.join(1, B),
        ["end 1", "log left 10: another channel was asked for", "leave 1"]
    );
    for event in [
        SessionEvent::Ready,
        SessionEvent::Ended { reason: "late".to_owned(), plan: EndPlan::Rejoin },
        SessionEvent::Failed(JoinFailure::Cancelled),
    ] {
        assert_eq!(stage.session(1, event), Vec::<String>::new());
    }
    assert_eq!(stage.state(None), ["log joining 20", "connect 1/20 as 2"]);
    // The old channel's echo, a late confirmation, a late end: all of them harmless.
    assert_eq!(stage.state(Some(A)), Vec::<String>::new());
    assert_eq!(stage.state(None), Vec::<String>::new());
    assert_eq!(stage.ended(1, EndPlan::StayDown), Vec::<String>::new());
    assert_eq!(stage.connection(2), ["start 1/20 as 2 user 5 vs host:1 token"]);
    assert_eq!(stage.session(2, SessionEvent::Ready), ["log joined 20", "answer 1: Joined"]);
}

#[test]
fn joins_of_one_guild_wait_for_each_other() {
    let mut stage = Stage::online();
    stage.join(0, A);
    assert_eq!(stage.join(1, A), Vec::<String>::new(), "shares the join that is under way");
    assert_eq!(stage.join(2, B), Vec::<String>::new());
    assert_eq!(stage.join(3, B), Vec::<String>::new());
    stage.connection(1);
    assert_eq!(
        stage.session(1, SessionEvent::Ready),
        [
            "log joined 10",
            "answer 0: Joined",
            "answer 1: Joined",
            "end 1",
            "log left 10: another channel was asked for",
            "leave 1"
        ]
    );
    assert_eq!(stage.state(None), ["log joining 20", "connect 1/20 as 2"]);
    stage.connection(2);
    assert_eq!(
        stage.session(2, SessionEvent::Ready),
        ["log joined 20", "answer 2: Joined", "answer 3: Joined"]
    );
}

#[test]
fn the_queue_of_joins_is_bounded() {
    let mut stage = Stage::online();
    stage.join(0, A);
    for ticket in 1..=16 {
        assert_eq!(stage.join(ticket, B), Vec::<String>::new());
    }
    assert_eq!(
        stage.join(17, B),
        ["answer 17: Failed to join voice channel: too many joins are waiting in this guild"]
    );
}

#[test]
fn a_leave_cancels_every_pending_join() {
    let mut stage = Stage::online();
    stage.join(0, A);
    stage.connection(1);
    stage.join(1, B);
    let (outcome, said) = stage.leave();
    assert_eq!(outcome, LeaveOutcome::CancelledPending(A));
    assert_eq!(
        said,
        [
            "end 1",
            "leave 1",
            "answer 0: Discord voice join was cancelled.",
            "answer 1: Discord voice join was cancelled."
        ]
    );
    assert_eq!(stage.session(1, SessionEvent::Ready), Vec::<String>::new());
    assert_eq!(stage.leave(), (LeaveOutcome::NotConnected, vec![]));
}

#[test]
fn leaves_by_phase() {
    let mut connected = Stage::in_a();
    let (outcome, said) = connected.leave();
    assert_eq!(outcome, LeaveOutcome::Left(A));
    assert_eq!(said, ["end 1", "log left 10: leave", "leave 1"]);

    // Leaving A for B: B's join is what is cancelled.
    let mut changing = Stage::in_a();
    changing.join(1, B);
    let (outcome, said) = changing.leave();
    assert_eq!(outcome, LeaveOutcome::CancelledPending(B));
    assert_eq!(said, ["answer 1: Discord voice join was cancelled."]);
    assert_eq!(changing.state(None), Vec::<String>::new());

    // Between two rejoins Discord has nothing to be told.
    let mut pausing = Stage::in_a();
    pausing.ended(1, EndPlan::Rejoin);
    pausing.state(None);
    assert_eq!(pausing.leave(), (LeaveOutcome::CancelledPending(A), vec![]));
    assert_eq!(pausing.machine.poll_timeout(), None);

    assert_eq!(Stage::online().leave(), (LeaveOutcome::NotConnected, vec![]));
}

#[test]
fn a_kick_ends_the_session_without_a_word_to_discord() {
    let mut stage = Stage::in_a();
    let reason = "Discord disconnected the bot from the channel";
    assert_eq!(
        stage.state(None),
        ["end 1".to_owned(), format!("log left 10: {reason}"), "forget 1".to_owned()]
    );
    assert_eq!(stage.machine.status(None), []);

    let mut joining = Stage::online();
    joining.join(0, A);
    joining.connection(1);
    let said = joining.state(None);
    assert_eq!(said[1], format!("answer 0: Failed to join voice channel: {reason}"));
    assert_eq!(said[2..], ["end 1", "forget 1"]);
}

#[test]
fn a_moved_bot_is_rebuilt_where_it_is_whatever_comes_first() {
    let mut stage = Stage::in_a();
    assert_eq!(
        stage.state(Some(B)),
        [
            "warn bot moved to allowed channel 20",
            "end 1",
            "log left 10: moved",
            "log joining 20",
            "follow 1/20 as 2",
            "feed 2 state vs 20"
        ]
    );
    assert_eq!(stage.server(Some("new:2")), ["feed 2 server new:2"]);
    stage.connection(2);
    assert_eq!(stage.session(2, SessionEvent::Ready), ["log joined 20"]);

    let mut server_first = Stage::in_a();
    assert_eq!(server_first.server(Some("new:2")), ["tell 1 server new:2"]);
    server_first.after(Duration::from_secs(1));
    let said = server_first.state(Some(B));
    assert_eq!(said[5..], ["feed 2 state vs 20", "feed 2 server new:2"]);
}

#[test]
fn a_move_that_does_not_connect_is_joined_anew() {
    let mut stage = Stage::in_a();
    stage.state(Some(B));
    let said = stage.until(Timer::Connect);
    assert!(said[0].starts_with("warn join failed before ready 20"), "{said:?}");
    assert_eq!(said[1..], ["leave 1"]);
    stage.state(None);
    assert_eq!(stage.until(Timer::Rejoin), ["log joining 20", "connect 1/20 as 3"]);
}

#[test]
fn a_replaced_voice_server_goes_to_the_session_even_with_the_same_address() {
    let mut stage = Stage::in_a();
    assert_eq!(stage.server(None), Vec::<String>::new());
    assert_eq!(stage.server(Some("host:1")), ["tell 1 server host:1"]);
    // While joining, a server that is being replaced is no half.
    let mut joining = Stage::online();
    joining.join(0, A);
    assert_eq!(joining.server(None), Vec::<String>::new());
    assert_eq!(joining.server(Some("host:2")), ["feed 1 server host:2"]);
}

#[test]
fn scenario_06_after_4014_the_main_gateway_decides_within_the_grace() {
    let detached = || {
        let mut stage = Stage::in_a();
        assert_eq!(stage.ended(1, EndPlan::WaitForMove), ["end 1"]);
        stage
    };
    let mut kicked = detached();
    assert_eq!(
        kicked.state(None),
        ["log left 10: Discord disconnected the bot from the channel", "forget 1"]
    );
    assert_eq!(kicked.machine.poll_timeout(), None);

    let mut moved = detached();
    assert_eq!(
        moved.state(Some(B))[2..],
        ["log joining 20", "follow 1/20 as 2", "feed 2 state vs 20"]
    );

    let mut server = detached();
    assert_eq!(
        server.server(Some("new:2")),
        ["log joining 10", "follow 1/10 as 2", "feed 2 state vs 10", "feed 2 server new:2"]
    );

    let mut silent = detached();
    let said = silent.until(Timer::Move);
    assert_eq!(silent.now, SessionTime::from_millis(15_000), "reconnectGraceMs");
    assert_eq!(
        said,
        [
            "warn voice connection interrupted 10: the session did not begin to reconnect in time; \
             leaving and joining anew",
            "log left 10: the voice connection was closed and Discord did not tell why",
            "leave 1"
        ]
    );
    silent.state(None);
    assert_eq!(silent.until(Timer::Rejoin), ["log joining 10", "connect 1/10 as 2"]);
}

#[test]
fn a_lost_main_session_takes_voice_with_it_and_the_next_ready_brings_it_back() {
    let mut stage = Stage::in_a();
    let reason = "the connection to Discord was lost";
    assert_eq!(
        stage.gateway(VoiceGatewayEvent::SessionLost),
        ["end 1".to_owned(), format!("log left 10: {reason}"), "forget 1".to_owned()]
    );
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 2"]);

    let mut joining = Stage::online();
    joining.join(0, A);
    assert_eq!(
        joining.gateway(VoiceGatewayEvent::SessionLost),
        ["forget 1".to_owned(), format!("answer 0: Failed to join voice channel: {reason}")]
    );
}

#[test]
fn names_reach_the_request_and_the_session() {
    let ada = |label: &str| VoiceGatewayEvent::Name {
        guild: GUILD,
        user: UserId::new(2),
        label: label.to_owned(),
        bot: false,
    };
    let mut stage = Stage::online();
    assert_eq!(stage.gateway(ada("Ada")), Vec::<String>::new());
    stage.join(0, A);
    stage.machine.handle_connection(
        stage.now,
        GUILD,
        generation(1),
        Ok(Connection {
            session_id: "vs".to_owned(),
            endpoint: "host:1".to_owned(),
            token: "token".to_owned().into(),
        }),
    );
    let start =
        std::iter::from_fn(|| stage.machine.poll_output()).find_map(|output| match output {
            Output::Start(request) => Some(request.names),
            _ => None,
        });
    assert_eq!(start, Some(vec![(UserId::new(2), "Ada".to_owned(), false)]));
    assert_eq!(stage.gateway(ada("Ada")), Vec::<String>::new(), "nothing new");
    assert_eq!(stage.gateway(ada("Lady Ada")), ["tell 1 name 2 Lady Ada false"]);
}

#[test]
fn stopping_leaves_everywhere_and_refuses_the_rest() {
    let mut stage = Stage::in_a();
    let second = GuildId::new(2);
    stage.machine.handle_join(stage.now, Ticket(9), second, B);
    stage.said();
    stage.machine.handle_stop(stage.now);
    assert_eq!(
        stage.said(),
        [
            "end 1",
            "log left 10: shutdown",
            "leave 1",
            "leave 2",
            "answer 9: Discord voice manager is stopped."
        ]
    );
    assert_eq!(stage.join(1, A), ["answer 1: Discord voice manager is stopped."]);
}

#[test]
fn refusals_before_anything_is_asked() {
    let mut disabled = Stage::new(PresenceSettings { enabled: false, ..settings() });
    disabled.ready();
    assert_eq!(
        disabled.join(0, A),
        ["answer 0: Discord voice is disabled (channels.discord.voice.enabled)."]
    );
    let mut offline = Stage::new(settings());
    assert_eq!(
        offline.join(0, A),
        ["answer 0: Failed to join voice channel: the bot is not connected to Discord yet"]
    );
}

#[test]
fn records_of_an_ended_session_still_reach_the_timeline() {
    let mut stage = Stage::in_a();
    stage.leave();
    let record = clawvoice_session::timeline::Record::new(stage.now, Level::Info, "last words");
    assert_eq!(stage.session(1, SessionEvent::Record(record)), ["log last words "]);
}
