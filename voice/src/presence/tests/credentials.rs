//! A provider that refuses its key is not asked again by itself.

use super::*;

const REFUSED: &str = "Incorrect API key provided";

fn refused() -> SessionEvent {
    SessionEvent::Failed(JoinFailure::Realtime(REFUSED.to_owned()))
}

/// Auto-join to A has failed for want of a key.
fn suspended() -> Stage {
    let follow_users = [ADA].into();
    let mut stage = Stage::new(PresenceSettings { follow_users, ..auto_join(&[(1, 10)]) });
    stage.ready();
    stage.connection(1);
    let said = stage.session(1, refused());
    let words = format!("Failed to start Discord realtime voice: {REFUSED}");
    assert_eq!(
        said,
        [
            format!("warn join failed before ready 10: {words}"),
            format!("warn automatic joins suspended 10: {words}"),
            "end 1".to_owned(),
            "leave 1".to_owned()
        ]
    );
    stage.state(None);
    stage
}

#[test]
fn neither_auto_join_nor_following_tries_it_again() {
    let mut stage = suspended();
    assert_eq!(stage.ready(), NONE, "RESUMED");
    assert_eq!(stage.human(ADA, Some(B)), NONE);
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn a_join_by_command_tries_it_and_lifts_the_ban() {
    let mut stage = suspended();
    stage.join(0, B);
    stage.arrives(2);
    stage.leave();
    stage.state(None);
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 3"]);
}

#[test]
fn new_settings_lift_the_ban() {
    let mut stage = suspended();
    stage.machine.handle_settings(stage.now, auto_join(&[(1, 10)]));
    assert_eq!(stage.said(), ["log joining 10", "connect 1/10 as 2"]);
}

#[test]
fn other_failures_are_tried_again_on_resumed() {
    let mut stage = Stage::new(auto_join(&[(1, 10)]));
    stage.ready();
    stage.until(Timer::Connect);
    stage.state(None);
    assert_eq!(stage.ready(), ["log joining 10", "connect 1/10 as 2"]);
}

#[test]
fn a_lost_session_is_not_rejoined_with_a_key_that_is_refused() {
    let mut stage = Stage::in_a();
    stage.ended(1, EndPlan::Rejoin);
    stage.state(None);
    stage.until(Timer::Rejoin);
    stage.connection(2);
    stage.session(2, refused());
    stage.state(None);
    assert_eq!(stage.machine.poll_timeout(), None);
}
