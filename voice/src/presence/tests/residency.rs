//! Channels the bot may be in, and where it goes when it is taken elsewhere.

use super::*;

fn allowing(channels: &[ChannelId]) -> PresenceSettings {
    let allowed = channels.iter().map(|channel| (GUILD, *channel)).collect();
    PresenceSettings { allowed_channels: Some(allowed), ..settings() }
}

fn online(settings: PresenceSettings) -> Stage {
    let mut stage = Stage::new(settings);
    stage.ready();
    stage
}

const C: ChannelId = ChannelId::new(30);

#[test]
fn scenario_03_an_empty_list_allows_nothing() {
    let mut stage = online(allowing(&[]));
    assert_eq!(
        stage.join(0, A),
        ["answer 0: <#10> is not allowed by channels.discord.voice.allowedChannels."]
    );
    assert_eq!(stage.machine.poll_timeout(), None);

    let auto_join = auto_join(&[(1, 10)]).auto_join;
    let mut stage = Stage::new(PresenceSettings { auto_join, ..allowing(&[]) });
    assert_eq!(
        stage.ready(),
        ["warn join failed before ready 10: <#10> is not allowed by \
          channels.discord.voice.allowedChannels."]
    );
    assert_eq!(stage.machine.poll_timeout(), None);
}

#[test]
fn scenario_04_moved_outside_it_goes_back_to_the_auto_join_channel() {
    let auto_join = auto_join(&[(1, 10)]).auto_join;
    let mut stage = online(PresenceSettings { auto_join, ..allowing(&[A, C]) });
    stage.arrives(1);
    assert_eq!(
        stage.state(Some(B)),
        [
            "warn bot moved to non-allowed channel 20",
            "warn rejoining allowed voice channel 10",
            "end 1",
            "log left 10: moved outside of allowedChannels",
            "leave 1"
        ]
    );
    assert_eq!(stage.state(None), ["log joining 10", "connect 1/10 as 2"]);
    stage.arrives(2);
    // Moved inside: rebuilt there.
    assert_eq!(
        stage.state(Some(C))[..3],
        ["warn bot moved to allowed channel 30", "end 2", "log left 10: moved"]
    );
}

#[test]
fn moved_outside_it_goes_to_the_only_allowed_channel_or_stays_out() {
    let mut only = online(allowing(&[A]));
    only.join(0, A);
    only.arrives(1);
    assert_eq!(only.state(Some(B))[1], "warn rejoining allowed voice channel 10");
    assert_eq!(only.state(None), ["log joining 10", "connect 1/10 as 2"]);

    let mut two = online(allowing(&[A, C]));
    two.join(0, A);
    two.arrives(1);
    assert_eq!(
        two.state(Some(B)),
        [
            "warn bot moved to non-allowed channel 20",
            "end 1",
            "log left 10: moved outside of allowedChannels",
            "leave 1"
        ]
    );
    assert_eq!(two.state(None), NONE);
    assert_eq!(two.machine.poll_timeout(), None);
}

#[test]
fn an_auto_join_channel_that_is_not_allowed_is_no_home() {
    let auto_join = auto_join(&[(1, 20)]).auto_join;
    let mut stage = online(PresenceSettings { auto_join, ..allowing(&[A]) });
    stage.join(0, A);
    stage.arrives(1);
    assert_eq!(stage.state(Some(B))[1], "warn rejoining allowed voice channel 10");
}

#[test]
fn whoever_waits_for_a_join_is_told_when_the_bot_is_moved_outside() {
    let mut stage = online(allowing(&[A, C]));
    stage.join(0, A);
    stage.connection(1);
    let said = stage.state(Some(B));
    assert_eq!(
        said,
        [
            "warn bot moved to non-allowed channel 20",
            "answer 0: <#20> is not allowed by channels.discord.voice.allowedChannels.",
            "end 1",
            "leave 1"
        ]
    );
}

#[test]
fn a_move_or_a_kick_right_after_arriving_is_not_taken_for_an_older_event() {
    let arriving = || {
        let mut stage = Stage::online();
        stage.join(0, A);
        assert_eq!(stage.state(Some(B)), NONE, "an echo, until the bot was seen in its channel");
        assert_eq!(stage.state(None), NONE);
        assert_eq!(stage.state(Some(A)), ["feed 1 state vs 10"]);
        stage
    };
    let reason = "Discord disconnected the bot from the channel";
    let mut kicked = arriving();
    assert_eq!(
        kicked.state(None),
        [
            format!("warn join failed before ready 10: {reason}"),
            format!("answer 0: Failed to join voice channel: {reason}"),
            "forget 1".to_owned()
        ]
    );
    let mut moved = arriving();
    assert_eq!(
        moved.state(Some(B)),
        [
            "answer 0: Failed to join voice channel: the bot was moved to <#20> meanwhile",
            "warn bot moved to allowed channel 20",
            "log joining 20",
            "follow 1/20 as 2",
            "feed 2 state vs 20"
        ]
    );
}
