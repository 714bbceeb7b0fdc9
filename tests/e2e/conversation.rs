//! Called in, heard, answered, sent away.

use localcord::{
    server::ServerSettings,
    voice::VoiceSettings,
    world::default::{ADA, BOT_USER, LOUNGE},
};

use crate::{
    audio::{INTERRUPT, likeness_24k, likeness_48k, recorded},
    scene::{AUTO_JOIN, Scene, ask, is_bot, meet, parrot},
    soon,
};

#[tokio::test]
async fn a_called_agent_hears_answers_and_leaves() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot().replace(AUTO_JOIN, ""));
    agent.logs("Discord gateway ready").await;
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    assert_eq!(scene.vc(ADA, "leave").await, "Not connected to a voice channel.");
    assert_eq!(scene.vc(ADA, "join").await, format!("Joined <#{LOUNGE}>."));
    assert_eq!(scene.vc(ADA, "status").await, format!("• <#{LOUNGE}> (guild 1100000000000000001)"));
    assert_eq!(scene.vc(ADA, "join").await, format!("Already connected to <#{LOUNGE}>."));

    meet(&ada, &agent).await;
    ask(&ada, INTERRUPT).await;
    assert_eq!(scene.vc(ADA, "leave").await, format!("Left <#{LOUNGE}>."));
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    soon("the group without the agent", ada.wait_until(|stats| stats.members.is_empty()))
        .await
        .unwrap();
    agent.stop().await;

    let folder = scene.recordings();
    let heard = likeness_24k(INTERRUPT, &recorded(&folder, "provider-000-heard.wav"));
    assert!(heard >= 0.9, "the provider heard {heard}");
    let sent = recorded(&folder, "provider-000-sent.wav");
    let answer = likeness_48k(&sent, &ada.heard(BOT_USER).pcm);
    assert!(answer >= 0.9, "the human heard {answer}");
    let stats = ada.stats();
    assert_eq!((stats.dave_protocol_version, stats.undecryptable_after_ready), (1, 0));
    assert_eq!(agent.count("DAVE decrypt failures detected"), 0);
    assert_eq!(mode(&scene).await, "aead_aes256_gcm_rtpsize");
}

#[tokio::test]
async fn where_only_xchacha_is_offered_the_agent_hears_and_is_heard_too() {
    let voice = VoiceSettings { offer_aes: false, ..VoiceSettings::default() };
    let scene = Scene::with(ServerSettings { voice, ..ServerSettings::default() }).await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    ask(&ada, INTERRUPT).await;
    agent.stop().await;

    let folder = scene.recordings();
    let heard = likeness_24k(INTERRUPT, &recorded(&folder, "provider-000-heard.wav"));
    assert!(heard >= 0.9, "the provider heard {heard}");
    let sent = recorded(&folder, "provider-000-sent.wav");
    let answer = likeness_48k(&sent, &ada.heard(BOT_USER).pcm);
    assert!(answer >= 0.9, "the human heard {answer}");
    assert_eq!(mode(&scene).await, "aead_xchacha20_poly1305_rtpsize");
}

#[tokio::test]
async fn an_agent_joins_by_itself_where_auto_join_says() {
    let scene = Scene::new().await;
    let agent = scene.agent(&parrot());
    let joined = agent.record("joined").await;
    assert_eq!(joined.fields["channel"], LOUNGE.to_string());
    assert_eq!(scene.vc(ADA, "join").await, format!("Already connected to <#{LOUNGE}>."));
}

/// The transport encryption that the agent chose.
async fn mode(scene: &Scene) -> String {
    let chosen = scene.journal("voice", "select_protocol", is_bot).await;
    chosen.data["d"]["mode"].as_str().unwrap().to_owned()
}
