//! A configuration that changes while the program runs.

use std::fs;

use localcord::world::default::{ADA, BEN, GUILD, LOUNGE};

use crate::{
    agent::Agent,
    scene::{QUICK, Scene, meet},
};

#[tokio::test]
async fn who_may_command_changes_with_the_file_and_a_bad_file_changes_nothing() {
    let scene = Scene::new().await;
    let path = scene.folder.path().join("clawvoice.json5");
    let base = scene.server.api_base_url();
    let write = |users: &str| {
        let text = format!(
            "{{ channels: {{ discord: {{ apiBaseUrl: '{base}', \
             guilds: {{ '{GUILD}': {{ users: [{users}] }} }}, \
             voice: {{ {QUICK} realtime: {{ provider: 'local' }} }} }} }} }}"
        );
        fs::write(&path, text).unwrap();
    };
    write(&format!("'{BEN}'"));
    let mut agent = Agent::start(&path, &scene.server.bot_token());
    agent.logs("Discord gateway ready").await;
    let ada = scene.joins(ADA).await;
    let denied = "You are not authorized to use this command.";
    assert_eq!(scene.vc(ADA, "join").await, denied);

    fs::write(&path, "{ channels: { discord: { guilds: 7 } } }").unwrap();
    let complaint = agent.logs("the configuration before stays in force").await;
    assert!(complaint.contains("clawvoice.json5:1:"), "{complaint}");
    assert_eq!(scene.vc(ADA, "join").await, denied);

    write(&format!("'{ADA}', '{BEN}'"));
    agent.logs("the configuration was read again").await;
    assert_eq!(scene.vc(ADA, "join").await, format!("Joined <#{LOUNGE}>."));
    meet(&ada, &agent).await;
    agent.stop().await;
}
