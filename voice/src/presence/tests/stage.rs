//! Channels that say who is heard, and at how many bits per second.

use clawvoice_session::{StageAnswer, VoiceChannel};

use super::*;

fn channel(stage: bool, bitrate: u32) -> VoiceGatewayEvent {
    VoiceGatewayEvent::Channel(VoiceChannel { guild: GUILD, channel: A, stage, bitrate })
}

fn suppressed(suppressed: bool) -> VoiceGatewayEvent {
    VoiceGatewayEvent::State(VoiceStateChange {
        guild: GUILD,
        user: BOT,
        channel: Some(A),
        session_id: "vs".to_owned(),
        suppressed,
    })
}

#[test]
fn in_the_audience_of_a_stage_it_asks_to_speak_once() {
    let mut stage = Stage::online();
    stage.gateway(channel(true, 64_000));
    stage.join(0, A);
    stage.connection(1);
    stage.session(1, SessionEvent::Ready);
    let asked = stage.gateway(suppressed(true));
    assert_eq!(
        asked,
        [
            "ask to speak in 1/10",
            "warn voice suppressed 10: in the audience of a stage; asking to speak"
        ]
    );
    assert_eq!(stage.gateway(suppressed(true)), [""; 0], "the state comes again for other reasons");
    stage.machine.handle_stage(stage.now, GUILD, A, &StageAnswer::Asked);
    assert_eq!(stage.said(), ["log stage request to speak sent 10"]);
    assert_eq!(stage.gateway(suppressed(false)), ["log voice heard again 10"]);
    // Sent back into the audience, it asks again.
    assert_eq!(stage.gateway(suppressed(true))[0], "ask to speak in 1/10");
    stage.machine.handle_stage(stage.now, GUILD, A, &StageAnswer::Refused("no".to_owned()));
    assert_eq!(stage.said(), ["warn stage request to speak failed 10: no"]);
}

#[test]
fn without_the_speak_permission_it_says_why_it_is_not_heard() {
    let mut stage = Stage::in_a();
    stage.gateway(channel(false, 64_000));
    assert_eq!(
        stage.gateway(suppressed(true)),
        ["warn voice suppressed 10: the bot lacks the Speak permission in this channel"]
    );
}

#[test]
fn a_session_learns_the_bitrate_at_its_start_and_when_it_changes() {
    let mut stage = Stage::in_a();
    assert_eq!(stage.gateway(channel(false, 96_000)), ["tell 1 bitrate 96000"]);
    assert_eq!(stage.gateway(channel(false, 96_000)), [""; 0]);
    stage.gateway(VoiceGatewayEvent::Channel(VoiceChannel {
        guild: GUILD,
        channel: B,
        stage: false,
        bitrate: 32_000,
    }));
    assert_eq!(stage.machine.rooms.bitrate(B), Some(32_000));
}
