//! The voice websocket closes with a code: named in words, and the right thing done about it.

use localcord::world::default::{ADA, BOT_USER, GUILD, LOUNGE};

use crate::{
    agent::Agent,
    audio::{INTERRUPT, likeness_48k},
    scene::{Scene, hears_frames, is_bot, meet, parrot, speech_frames},
    soon,
};

#[tokio::test]
async fn after_4015_the_session_resumes_and_the_answer_goes_on() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    soon("a speech", ada.speak(INTERRUPT)).await.unwrap();
    hears_frames(&ada, 0, 10).await;
    scene.server.voice().close_websocket(GUILD, BOT_USER, 4015);
    assert_eq!(
        told(&agent).await,
        "voice connection closed with 4015: the voice server crashed; \
         resuming on the same voice server"
    );
    scene.journal("voice", "resumed", is_bot).await;
    agent.record("realtime audio playback stopped").await;

    // It still hears: what is said now is answered, too.
    let (again, already) = (agent.position(), speech_frames(&ada));
    soon("a speech", ada.speak(INTERRUPT)).await.unwrap();
    hears_frames(&ada, already, 10).await;
    agent.record_from(again, "realtime audio playback stopped").await;
    agent.stop().await;

    let heard = ada.heard(BOT_USER);
    let answer = likeness_48k(INTERRUPT, heard.talkspurt_pcm(&heard.talkspurts[0]));
    assert!(answer >= 0.85, "ada heard {answer} of her own words, coded twice");
    let stats = ada.stats();
    assert_eq!((stats.undecryptable_after_ready, stats.senders[&BOT_USER].packets_lost), (0, 0));
    assert_eq!(scene.of_bot("voice", "identify").len(), 1, "one session, one SSRC");
    assert_eq!(scene.of_bot("voice", "admit").len(), 1, "no new join");
}

#[tokio::test]
async fn after_4006_the_agent_leaves_joins_anew_and_hears() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    let before = agent.position();
    scene.server.voice().close_websocket(GUILD, BOT_USER, 4006);
    assert_eq!(
        told(&agent).await,
        "voice connection closed with 4006: the voice session is not valid any more; \
         leaving and joining anew"
    );
    agent.record_from(before, "joined").await;
    scene
        .journal("gateway", "voice state update", |data| is_bot(data) && data["channel"].is_null())
        .await;
    assert_eq!(scene.of_bot("voice", "identify").len(), 2);
    soon("a new epoch", ada.shares_epoch_with(&[BOT_USER])).await.unwrap();
    soon("a speech", ada.speak(INTERRUPT)).await.unwrap();
    hears_frames(&ada, 0, 10).await;
}

#[tokio::test]
async fn after_4014_by_a_moderator_the_agent_stays_out_until_it_is_called() {
    let scene = Scene::new().await;
    let agent = scene.agent(&parrot());
    agent.record("joined").await;
    scene.server.voice().close_websocket(GUILD, BOT_USER, 4014);
    assert_eq!(
        told(&agent).await,
        "voice connection closed with 4014: disconnected: kicked, moved, or the main gateway \
         session was lost; waiting for the main gateway to say whether we were moved"
    );
    scene.leaves(BOT_USER);
    let left = agent.record("left").await;
    assert_eq!(left.fields["reason"], "Discord disconnected the bot from the channel");
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    assert_eq!(scene.of_bot("voice", "admit").len(), 1, "it did not come back by itself");
    assert_eq!(scene.vc(ADA, "join").await, format!("Joined <#{LOUNGE}>."));
}

#[tokio::test]
async fn after_4017_the_agent_does_not_try_again() {
    let scene = Scene::new().await;
    let agent = scene.agent(&parrot());
    agent.record("joined").await;
    scene.server.voice().close_websocket(GUILD, BOT_USER, 4017);
    assert_eq!(
        told(&agent).await,
        "voice connection closed with 4017: the channel requires end-to-end encryption (DAVE); \
         not trying again"
    );
    agent.record("left").await;
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    assert_eq!(scene.of_bot("voice", "admit").len(), 1);
}

/// What the agent says about the close.
async fn told(agent: &Agent) -> String {
    let record = agent.record("voice connection interrupted").await;
    record.fields["message"].as_str().unwrap().to_owned()
}
