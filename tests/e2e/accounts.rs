//! Several bots in one process.

use std::fs;

use localcord::world::default::{BOT_USER, GUILD, LOUNGE};

use crate::{
    agent::Agent,
    scene::{QUICK, Scene, is_id},
};

#[tokio::test]
async fn each_account_is_a_bot_and_one_that_is_refused_takes_none_along() {
    let scene = Scene::new().await;
    let other = scene.server.world().add_bot("second");
    let (base, first) = (scene.server.api_base_url(), scene.server.bot_token());
    let path = scene.folder.path().join("clawvoice.json5");
    let auto_join = format!("autoJoin: [{{ guildId: '{GUILD}', channelId: '{LOUNGE}' }}],");
    let text = format!(
        "{{ channels: {{ discord: {{ apiBaseUrl: '{base}', groupPolicy: 'open', \
         voice: {{ {QUICK} {auto_join} realtime: {{ provider: 'local' }} }}, \
         accounts: {{ one: {{ token: '{first}' }}, two: {{ token: '{}' }}, \
         bad: {{ token: 'bG9jYWxjb3Jk.AAAAAA.unknown' }}, again: {{ token: '{first}' }} }} }} }} }}",
        other.token
    );
    fs::write(&path, text).unwrap();
    let mut agent = Agent::start(&path, "unused");
    agent.logs("account again is not started: duplicate bot token").await;
    agent.logs("account bad has ended: Discord refused the bot token").await;
    for user in [BOT_USER, other.user_id] {
        let is_there = |data: &serde_json::Value| {
            is_id(&data["d"]["user_id"], user) && !data["d"]["channel_id"].is_null()
        };
        scene.journal("gateway", "VOICE_STATE_UPDATE", is_there).await;
    }
    agent.stop().await;
}
