//! New settings while the bot is running.

use super::*;

fn reload(stage: &mut Stage, settings: PresenceSettings) -> Vec<String> {
    stage.machine.handle_settings(stage.now, settings);
    stage.said()
}

#[test]
fn what_is_forbidden_now_is_left() {
    let mut stage = Stage::in_a();
    let allowed_channels = Some([(GUILD, B)].into());
    let said = reload(&mut stage, PresenceSettings { allowed_channels, ..settings() });
    assert_eq!(said, ["end 1", "log left 10: the channel is not allowed any more", "leave 1"]);
    assert_eq!(
        stage.join(0, A),
        ["answer 0: <#10> is not allowed by channels.discord.voice.allowedChannels."]
    );

    let mut off = Stage::in_a();
    let said = reload(&mut off, PresenceSettings { enabled: false, ..settings() });
    assert_eq!(said, ["end 1", "log left 10: voice was switched off", "leave 1"]);
}

#[test]
fn what_is_wanted_now_is_joined() {
    let mut stage = Stage::online();
    assert_eq!(reload(&mut stage, auto_join(&[(1, 10)])), ["log joining 10", "connect 1/10 as 1"]);
    // Who is followed now may be in voice already.
    let mut stage = Stage::online();
    stage.human(ADA, Some(B));
    let followed = PresenceSettings { follow_users: [ADA].into(), ..settings() };
    assert_eq!(
        reload(&mut stage, followed),
        ["log following user 20 of 31", "log joining 20", "connect 1/20 as 1"]
    );
    stage.arrives(1);
    assert_eq!(
        reload(&mut stage, settings()),
        ["end 1", "log left 20: followed user left", "leave 1"]
    );
}

#[test]
fn a_session_that_nothing_forbids_goes_on() {
    let mut stage = Stage::in_a();
    assert_eq!(reload(&mut stage, settings()), NONE);
    let shorter = PresenceSettings { connect_timeout: Duration::from_secs(1), ..settings() };
    assert_eq!(reload(&mut stage, shorter), NONE);
    stage.join(0, B);
    stage.state(None);
    let began = stage.now;
    stage.until(Timer::Connect);
    assert_eq!(stage.now.since(began), Duration::from_secs(1));
}

#[test]
fn what_waits_for_an_allowed_channel_goes_on_when_its_old_one_is_forbidden() {
    let mut stage = Stage::new(PresenceSettings { lookups: true, ..settings() });
    stage.ready();
    stage.join(0, A);
    stage.room(A, RoomLookup::Voice { missing: vec![] });
    stage.arrives(1);
    stage.join(1, B);
    let only_b = PresenceSettings {
        lookups: true,
        allowed_channels: Some([(GUILD, B)].into()),
        ..settings()
    };
    assert_eq!(
        reload(&mut stage, only_b),
        [
            "end 1",
            "log left 10: the channel is not allowed any more",
            "leave 1",
            "check 1/20 for 5"
        ]
    );
    stage.state(None);
    assert_eq!(
        stage.room(B, RoomLookup::Voice { missing: vec![] }),
        ["log joining 20", "connect 1/20 as 2"]
    );
}
