//! Rooms that are joined for their humans.

use super::*;

const CLEO: UserId = UserId::new(33);
const HELPER: UserId = UserId::new(40);

fn room_for_humans() -> PresenceSettings {
    let entry = AutoJoin { guild: GUILD, channel: A, when_occupied: true };
    PresenceSettings { auto_join: vec![entry], ..settings() }
}

fn online() -> Stage {
    let mut stage = Stage::new(room_for_humans());
    assert_eq!(stage.ready(), NONE, "nobody is there");
    stage
}

fn occupied() -> Stage {
    let mut stage = online();
    assert_eq!(stage.human(ADA, Some(A)), ["log joining 10", "connect 1/10 as 1"]);
    stage.arrives(1);
    stage
}

#[test]
fn it_joins_with_the_first_human_and_leaves_after_the_last() {
    let mut stage = online();
    assert_eq!(stage.person(HELPER, Some(A), true), NONE, "a bot is nobody");
    assert_eq!(stage.human(BEN, Some(B)), NONE, "another room");
    assert_eq!(stage.human(ADA, Some(A)), ["log joining 10", "connect 1/10 as 1"]);
    stage.arrives(1);
    assert_eq!(stage.human(CLEO, Some(A)), NONE);
    assert_eq!(stage.human(ADA, None), NONE);
    assert_eq!(
        stage.human(CLEO, Some(B)),
        ["end 1", "log left 10: nobody is there any more", "leave 1"]
    );
    assert_eq!(stage.human(CLEO, Some(A)), NONE, "while it leaves");
    assert_eq!(stage.state(None), ["log joining 10", "connect 1/10 as 2"]);
}

#[test]
fn the_last_human_may_leave_while_it_is_joining() {
    let mut stage = online();
    stage.human(ADA, Some(A));
    assert_eq!(stage.human(ADA, None), ["leave 1"]);
    stage.state(None);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn somebody_elses_session_is_neither_claimed_nor_left() {
    let mut stage = online();
    stage.join(0, B);
    stage.arrives(1);
    assert_eq!(stage.human(ADA, Some(A)), NONE, "it was called elsewhere");
    assert_eq!(stage.human(ADA, None), NONE);

    let mut stage = occupied();
    assert_eq!(stage.join(0, A), ["answer 0: AlreadyConnected"]);
    assert_eq!(stage.human(ADA, None), NONE, "somebody asked for it");
}

#[test]
fn somebody_who_is_not_known_to_be_human_is_none() {
    let mut stage = online();
    let change = VoiceStateChange {
        guild: GUILD,
        user: ADA,
        channel: Some(A),
        session_id: "theirs".to_owned(),
        suppressed: false,
    };
    assert_eq!(stage.gateway(VoiceGatewayEvent::State(change)), NONE);
}

#[test]
fn a_leave_by_command_holds_until_somebody_comes_first_again() {
    let mut stage = occupied();
    stage.leave();
    stage.state(None);
    assert_eq!(stage.human(BEN, Some(A)), NONE, "not the first");
    stage.human(ADA, None);
    stage.human(BEN, None);
    assert_eq!(stage.human(BEN, Some(A))[1], "connect 1/10 as 2");
}

#[test]
fn auto_join_on_resumed_counts_who_is_there() {
    let mut stage = occupied();
    stage.leave();
    stage.state(None);
    // RESUMED runs the list again.
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 2"]);
    let mut empty = online();
    assert_eq!(empty.ready(), NONE);
}

#[test]
fn after_a_lost_gateway_session_a_deserted_room_is_left() {
    let mut stage = occupied();
    stage.gateway(VoiceGatewayEvent::SessionLost);
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 2"]);
    // GUILD_CREATE tells of nobody.
    stage.connection(2);
    assert_eq!(
        stage.session(2, SessionEvent::Ready),
        ["log joined 10", "end 2", "log left 10: nobody is there any more", "leave 1"]
    );
}

#[test]
fn a_deserted_room_is_no_home_after_a_move_outside() {
    let settings =
        PresenceSettings { allowed_channels: Some([(GUILD, A)].into()), ..room_for_humans() };
    let moved = |human_stays: bool| {
        let mut stage = Stage::new(settings.clone());
        stage.ready();
        stage.join(0, A);
        stage.arrives(1);
        if human_stays {
            stage.human(ADA, Some(A));
        }
        stage.state(Some(B));
        stage.state(None)
    };
    assert_eq!(moved(true), ["log joining 10", "connect 1/10 as 2"]);
    assert_eq!(moved(false), NONE);
}
