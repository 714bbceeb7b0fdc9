//! Joins and leaves by command and by the auto-join list, and what becomes of lost sessions.

use super::*;

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
