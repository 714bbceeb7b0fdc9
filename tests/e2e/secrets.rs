//! What must never be in a log, whatever the log level.

use localcord::world::default::{ADA, BOT_USER, GUILD};

use crate::{
    agent::Agent,
    audio::INTERRUPT,
    scene::{AUTO_JOIN, Scene, ask, meet, parrot},
};

/// Everything, and by name the modules that would tell most.
const EVERYTHING: &str = "trace,davey::session=trace,davey::cryptor=trace,openmls::group=trace,\
    openmls::schedule=trace,tungstenite::protocol=trace,twilight_http::client=trace,\
    twilight_gateway::shard=trace,hyper::proto=trace,hyper_util::client=trace,songbird::join=trace";

#[tokio::test]
async fn the_most_talkative_log_has_no_token_key_or_audio() {
    let scene = Scene::new().await;
    let mut dispatches = scene.server.world().subscribe();
    let config = scene.config(&parrot().replace(AUTO_JOIN, ""));
    let token = scene.server.bot_token();
    let mut agent = Agent::start_with(&config, &token, EVERYTHING);
    agent.logs("Discord gateway ready").await;
    let ada = scene.joins(ADA).await;
    scene.vc(ADA, "join").await;
    meet(&ada, &agent).await;
    ask(&ada, INTERRUPT).await;
    let session_id = scene
        .server
        .world()
        .read(|state| state.voice_states[&(GUILD, BOT_USER)].session_id.clone());
    let log = agent.stop().await;

    let mut secrets = vec![token, session_id];
    while let Ok(dispatch) = dispatches.try_recv() {
        if matches!(dispatch.event, "VOICE_SERVER_UPDATE" | "INTERACTION_CREATE") {
            secrets.push(dispatch.data["token"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(secrets.len(), 4);
    let telling = ["secret_key", "base secret", "Bearer ", "Bot bG9", "\"audio\":", "\"delta\":"];
    for text in secrets.iter().map(String::as_str).chain(telling) {
        let found = log.lines().find(|line| line.contains(text));
        assert_eq!(found, None, "{text:?} is in the log");
    }
    assert!(log.contains("TRACE"), "the log was as talkative as it gets");
}
