//! Stage channels: who is not invited to speak is not heard.

use localcord::world::default::{ADA, BOT_USER, STAGE};
use serde_json::json;

use crate::{
    audio::ASK,
    scene::{QUICK, Scene, hears_frames, local_provider},
    soon,
};

/// Joins the stage at start-up and answers with what it hears.
fn on_stage() -> String {
    let parrot = local_provider("behaviour: 'parrot', speed: 20");
    let join = "autoJoin: [{ guildId: '1100000000000000001', channelId: '1100000000000000014' }],";
    format!("{join} {}", &parrot[parrot.find(QUICK).unwrap()..])
}

#[tokio::test]
async fn the_agent_asks_to_speak_and_is_heard_once_a_moderator_lets_it() {
    let scene = Scene::new().await;
    let ada = scene.joins_at(ADA, STAGE).await;
    let agent = scene.agent(&on_stage());
    agent.record("joined").await;
    let suppressed = agent.record("voice suppressed").await.fields;
    assert_eq!(suppressed["message"], "in the audience of a stage; asking to speak");
    agent.record("stage request to speak sent").await;

    // Ada, who owns the guild, speaks on her stage; the answer is not forwarded to anybody.
    soon("Ada's speech", ada.speak(ASK)).await.unwrap();
    agent.record("realtime audio playback stopped").await;
    assert!(!ada.stats().senders.contains_key(&BOT_USER), "unheard in the audience");

    scene.moderates(ADA, BOT_USER, &json!({ "suppress": false })).await;
    agent.record("voice heard again").await;
    soon("Ada's speech", ada.speak(ASK)).await.unwrap();
    hears_frames(&ada, 0, 50).await;
}
