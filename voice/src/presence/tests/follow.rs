//! With followed users wherever they go.

use super::*;

const C: ChannelId = ChannelId::new(30);

fn following(users: &[UserId]) -> PresenceSettings {
    PresenceSettings { follow_users: users.iter().copied().collect(), ..settings() }
}

fn online(settings: PresenceSettings) -> Stage {
    let mut stage = Stage::new(settings);
    stage.ready();
    stage
}

/// With Ada in A.
fn with_ada() -> Stage {
    let mut stage = online(following(&[ADA, BEN]));
    stage.human(ADA, Some(A));
    stage.arrives(1);
    stage
}

#[test]
fn scenario_09_it_joins_moves_and_leaves_with_the_user() {
    let mut stage = online(following(&[ADA]));
    assert_eq!(
        stage.human(ADA, Some(A)),
        ["log following user 10 of 31", "log joining 10", "connect 1/10 as 1"]
    );
    stage.arrives(1);
    assert_eq!(stage.human(ADA, Some(A)), NONE, "she muted herself");
    assert_eq!(
        stage.human(ADA, Some(B)),
        [
            "log following user 20 of 31",
            "end 1",
            "log left 10: another channel was asked for",
            "leave 1"
        ]
    );
    assert_eq!(stage.state(None), ["log joining 20", "connect 1/20 as 2"]);
    stage.arrives(2);
    assert_eq!(
        stage.human(ADA, None),
        [
            "log followed user disconnected; leaving 20 of 31",
            "end 2",
            "log left 20: followed user left",
            "leave 1"
        ]
    );
    assert_eq!(stage.state(None), NONE);
    assert_eq!(stage.machine.poll_timeout(), None);
    assert_eq!(stage.human(BEN, Some(A)), NONE, "nobody follows him");
}

#[test]
fn scenario_10_when_the_active_one_leaves_it_goes_to_the_other() {
    let mut stage = with_ada();
    stage.human(BEN, Some(B));
    stage.state(None);
    stage.arrives(2);
    // The latest event wins: it is with Ben, and now goes to Ada.
    assert_eq!(
        stage.human(BEN, None),
        [
            "log followed user disconnected; moving to remaining followed user 10 of 32",
            "end 2",
            "log left 20: another channel was asked for",
            "leave 1"
        ]
    );
    assert_eq!(stage.state(None), ["log joining 10", "connect 1/10 as 3"]);
    stage.arrives(3);
    // Somebody followed who leaves elsewhere moves nothing.
    stage.human(BEN, Some(A));
    assert_eq!(stage.human(BEN, None), NONE, "Ada is still there");
}

#[test]
fn scenario_11_without_followed_users_nobody_is_followed() {
    // `followUsersEnabled: false` leaves the list empty.
    let mut stage = Stage::online();
    assert_eq!(stage.human(ADA, Some(A)), NONE);
}

#[test]
fn scenario_11_a_channel_that_is_not_allowed_is_ignored() {
    let allowed_channels = Some([(GUILD, A), (GUILD, C)].into());
    let mut stage = online(PresenceSettings { allowed_channels, ..following(&[ADA, BEN]) });
    let ignored = "log followed user joined non-allowed channel; ignoring 20 of 31";
    assert_eq!(stage.human(ADA, Some(B)), [ignored]);
    stage.human(ADA, Some(A));
    stage.arrives(1);
    // From an allowed channel to one that is not: hand over, or leave.
    assert_eq!(
        stage.human(ADA, Some(B)),
        [
            ignored,
            "log followed user joined non-allowed channel; leaving 10 of 31",
            "end 1",
            "log left 10: followed user left",
            "leave 1"
        ]
    );
    stage.state(None);
    stage.human(BEN, Some(C));
    stage.arrives(2);
    stage.human(ADA, Some(A));
    stage.state(None);
    stage.arrives(3);
    assert_eq!(
        stage.human(ADA, Some(B))[1],
        "log followed user joined non-allowed channel; moving to remaining followed user 30 of 31"
    );
}

#[test]
fn scenario_14_what_followed_leaves_after_a_dave_rejoin_too() {
    let mut stage = with_ada();
    stage.ended(1, EndPlan::Rejoin);
    stage.state(None);
    stage.until(Timer::Rejoin);
    stage.arrives(2);
    assert_eq!(stage.human(ADA, None)[0], "log followed user disconnected; leaving 10 of 31");
    stage.state(None);
    assert_eq!(stage.bound_for(), None);
    // And while it waits for the rejoin.
    let mut stage = with_ada();
    stage.ended(1, EndPlan::Rejoin);
    stage.state(None);
    stage.human(ADA, None);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn what_followed_still_follows_after_a_move_by_a_moderator() {
    let mut stage = with_ada();
    stage.state(Some(B));
    stage.connection(2);
    stage.session(2, SessionEvent::Ready);
    assert_eq!(stage.human(ADA, None)[0], "log followed user disconnected; leaving 20 of 31");
}

#[test]
fn a_leave_by_command_or_a_kick_holds_until_the_user_moves() {
    let outs: [fn(&mut Stage); 2] = [
        |stage| {
            stage.leave();
            stage.state(None);
        },
        |stage| {
            stage.state(None);
        },
    ];
    for out in outs {
        let mut stage = with_ada();
        out(&mut stage);
        assert_eq!(stage.human(ADA, Some(A)), NONE, "she is where she was");
        assert_eq!(stage.machine.poll_timeout(), None);
        assert_eq!(stage.human(ADA, None), NONE);
        assert_eq!(stage.human(ADA, Some(A))[2], "connect 1/10 as 2");
    }
}

#[test]
fn a_join_by_command_is_not_left_when_the_user_leaves() {
    let mut stage = with_ada();
    stage.join(0, B);
    stage.state(None);
    stage.arrives(2);
    assert_eq!(stage.human(ADA, None), NONE);
    // Asked for where it is, it stays as well.
    let mut stage = with_ada();
    assert_eq!(stage.join(0, A), ["answer 0: AlreadyConnected"]);
    assert_eq!(stage.human(ADA, None), NONE);
    assert_eq!(stage.bound_for(), Some(A));
    // But whoever is followed takes it along.
    stage.human(ADA, Some(B));
    stage.state(None);
    stage.arrives(2);
    stage.human(ADA, None);
    stage.state(None);
    assert_eq!(stage.bound_for(), None);
}

#[test]
fn the_latest_event_wins_while_a_join_is_under_way() {
    let mut stage = online(following(&[ADA, BEN]));
    stage.human(ADA, Some(A));
    // Nobody waits for the join to A: it is given up at once.
    assert_eq!(stage.human(BEN, Some(B)), ["log following user 20 of 32", "leave 1"]);
    assert_eq!(stage.human(ADA, Some(C)), ["log following user 30 of 31"]);
    assert_eq!(stage.state(None), ["log joining 30", "connect 1/30 as 2"]);
    assert_eq!(
        stage.human(ADA, None)[0],
        "log followed user disconnected; moving to remaining followed user 20 of 31"
    );
    stage.state(None);
    assert_eq!(stage.bound_for(), Some(B));
    stage.human(BEN, None);
    stage.state(None);
    assert_eq!(stage.bound_for(), None);
}

#[test]
fn whoever_leaves_before_the_bot_has_left_for_them_is_handed_over_from_as_well() {
    let mut stage = Stage::new(PresenceSettings { lookups: true, ..following(&[ADA, BEN]) });
    stage.ready();
    stage.human(BEN, Some(B));
    stage.leave();
    assert_eq!(stage.human(ADA, Some(A))[1], "check 1/10 for 5");
    assert_eq!(stage.human(ADA, None), ["check 1/20 for 5"]);
    assert_eq!(stage.room(A, RoomLookup::Voice { missing: vec![] }), NONE, "nobody is there");
    stage.room(B, RoomLookup::Voice { missing: vec![] });
    assert_eq!(stage.bound_for(), Some(B));
}

#[test]
fn a_join_by_command_is_carried_out_before_a_later_move() {
    let mut stage = online(following(&[ADA]));
    stage.join(0, B);
    assert_eq!(stage.human(ADA, Some(A)), ["log following user 10 of 31"]);
    stage.connection(1);
    assert_eq!(
        stage.session(1, SessionEvent::Ready)[..3],
        ["log joined 20", "answer 0: Joined", "end 1"]
    );
    assert_eq!(stage.state(None), ["log joining 10", "connect 1/10 as 2"]);
}

#[test]
fn a_follow_that_fails_is_tried_again_with_growing_pauses() {
    let mut stage = online(following(&[ADA]));
    stage.human(ADA, Some(A));
    let down = || SessionEvent::Failed(JoinFailure::Connect("down".to_owned()));
    for (attempt, pause) in [10, 20, 40, 80, 160, 320, 320].into_iter().enumerate() {
        let number = attempt as u64 + 1;
        stage.connection(number);
        let failed = stage.session(number, down());
        assert!(failed[0].starts_with("warn join failed before ready 10"), "{failed:?}");
        let at = stage.now;
        stage.state(None);
        let again = stage.until(Timer::Follow);
        assert_eq!(again[2], format!("connect 1/10 as {}", number + 1));
        assert_eq!(stage.now.since(at), Duration::from_secs(pause));
    }
    stage.arrives(8);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn a_handover_that_fails_leaves() {
    let mut stage = Stage::new(PresenceSettings { lookups: true, ..following(&[ADA, BEN]) });
    stage.ready();
    stage.human(BEN, Some(B));
    stage.room(B, RoomLookup::Failed(String::new()));
    stage.arrives(1);
    stage.human(ADA, Some(A));
    stage.room(A, RoomLookup::Failed(String::new()));
    stage.state(None);
    stage.arrives(2);
    assert_eq!(stage.human(ADA, None)[1], "check 1/20 for 5");
    let missing = vec![clawvoice_session::RoomPermission::Connect];
    let said = stage.room(B, RoomLookup::Voice { missing });
    assert!(said[0].starts_with("warn join failed before ready 20"), "{said:?}");
    assert_eq!(said[1..], ["end 2", "log left 10: followed user left", "leave 1"]);
}

#[test]
fn a_session_that_ends_for_good_is_not_followed_into_for_30_s() {
    let mut stage = with_ada();
    assert_eq!(stage.ended(1, EndPlan::StayDown), ["end 1", "log left 10: why", "leave 1"]);
    let ended = stage.now;
    stage.state(None);
    let again = stage.until(Timer::Follow);
    assert_eq!(again[2], "connect 1/10 as 2");
    assert_eq!(stage.now.since(ended), Duration::from_secs(30));

    // A real movement, and a join by command, do not wait for that.
    let mut moved = with_ada();
    moved.ended(1, EndPlan::StayDown);
    moved.state(None);
    assert_eq!(moved.human(ADA, Some(B))[2], "connect 1/20 as 2");
    let mut asked = with_ada();
    asked.ended(1, EndPlan::StayDown);
    asked.state(None);
    assert_eq!(asked.join(0, A), ["log joining 10", "connect 1/10 as 2"]);
}

#[test]
fn after_a_lost_gateway_session_it_is_with_the_user_again() {
    let mut stage = with_ada();
    stage.gateway(VoiceGatewayEvent::SessionLost);
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 2"]);
    assert_eq!(stage.human(ADA, Some(A)), NONE, "what GUILD_CREATE tells is no news");
    stage.arrives(2);
    assert_eq!(stage.human(ADA, None)[0], "log followed user disconnected; leaving 10 of 31");

    // She moved meanwhile.
    let mut stage = with_ada();
    stage.gateway(VoiceGatewayEvent::SessionLost);
    stage.ready();
    assert_eq!(stage.human(ADA, Some(B)), ["log following user 20 of 31", "leave 1"]);
}

#[test]
fn nothing_follows_after_the_stop() {
    let mut stage = with_ada();
    stage.machine.handle_stop(stage.now);
    stage.said();
    assert_eq!(stage.human(ADA, Some(B)), NONE);
    stage.state(None);
    assert_eq!(stage.machine.poll_timeout(), None);
}
