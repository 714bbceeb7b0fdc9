//! What the main gateway tells of the bot's whereabouts, names, and the end.

use super::*;

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
