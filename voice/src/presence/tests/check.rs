//! Channels are looked at before they are joined.

use clawvoice_session::RoomPermission::{self, Connect, Speak, ViewChannel};

use super::*;

fn looking() -> Stage {
    let mut stage = Stage::new(PresenceSettings { lookups: true, ..settings() });
    stage.ready();
    stage
}

fn open() -> RoomLookup {
    RoomLookup::Voice { missing: Vec::new() }
}

/// In A, asked to come to B.
fn asked_away() -> Stage {
    let mut stage = looking();
    assert_eq!(stage.join(0, A), ["check 1/10 for 5"]);
    assert_eq!(stage.room(A, open()), ["log joining 10", "connect 1/10 as 1"]);
    stage.arrives(1);
    assert_eq!(stage.join(1, B), ["check 1/20 for 5"]);
    stage
}

#[test]
fn what_the_bot_lacks_is_named_and_it_stays_where_it_is() {
    let cases: [(&[RoomPermission], &str); 3] = [
        (&[Speak], "Speak"),
        (&[Connect, Speak], "Connect and Speak"),
        (&[ViewChannel, Connect, Speak], "View Channel, Connect and Speak"),
    ];
    for (missing, words) in cases {
        let mut stage = asked_away();
        let reason = format!("Failed to join voice channel: the bot lacks {words} in <#20>");
        assert_eq!(
            stage.room(B, RoomLookup::Voice { missing: missing.to_vec() }),
            [format!("warn join failed before ready 20: {reason}"), format!("answer 1: {reason}")]
        );
        assert_eq!(stage.machine.status(None)[0].channel, A);
        assert_eq!(stage.machine.poll_timeout(), None);
    }
}

#[test]
fn a_wrong_channel_is_refused_in_openclaws_words() {
    let cases = [
        (RoomLookup::NotVoice, "answer 1: Channel 20 is not a voice channel."),
        (RoomLookup::OtherGuild, "answer 1: Voice channel is not in this guild."),
        (
            RoomLookup::Refused("Discord refused with status 404: Unknown Guild".to_owned()),
            "answer 1: Failed to join voice channel: Discord refused with status 404: Unknown Guild",
        ),
    ];
    for (answer, expected) in cases {
        let mut stage = asked_away();
        assert_eq!(stage.room(B, answer)[1..], [expected]);
        assert_eq!(stage.bound_for(), Some(A));
    }
}

#[test]
fn without_an_answer_it_is_tried() {
    let mut stage = asked_away();
    assert_eq!(
        stage.room(B, RoomLookup::Failed("no answer".to_owned())),
        ["end 1", "log left 10: another channel was asked for", "leave 1"]
    );
    assert_eq!(stage.state(None), ["log joining 20", "connect 1/20 as 2"]);
}

#[test]
fn a_leave_during_the_look_cancels_the_join() {
    let mut stage = looking();
    stage.join(0, A);
    let (outcome, said) = stage.leave();
    assert_eq!(outcome, LeaveOutcome::CancelledPending(A));
    assert_eq!(said, ["answer 0: Discord voice join was cancelled."]);
    assert_eq!(stage.room(A, open()), NONE, "nobody wants to know any more");
    assert_eq!(stage.bound_for(), None);
}

#[test]
fn an_answer_about_another_channel_is_none() {
    let mut stage = asked_away();
    assert_eq!(stage.room(A, RoomLookup::NotVoice), NONE);
    assert_eq!(stage.bound_for(), Some(A));
}

#[test]
fn auto_joins_are_looked_at_one_after_the_other() {
    let mut stage =
        Stage::new(PresenceSettings { lookups: true, ..auto_join(&[(1, 10), (2, 20)]) });
    assert_eq!(stage.ready(), ["check 1/10 for 5"]);
    assert_eq!(
        stage.room(A, RoomLookup::NotVoice),
        [
            "warn join failed before ready 10: Channel 10 is not a voice channel.",
            "check 2/20 for 5"
        ]
    );
}
