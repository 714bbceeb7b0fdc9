//! Who is in the room, and who of them is heard.

use localcord::world::default::{ADA, BEN, CLEO, GUILD};
use serde_json::{Value, json};

use crate::{
    audio::{ASK, SECOND},
    brain::{Reply, Served, WEATHER, agent_with, messages, said, speaks},
    scene::{EVERYBODY, Scene, meet},
    soon,
};

/// What the model was told of the room with a question.
fn room(request: &Value) -> String {
    let told = messages(request).into_iter();
    let mut rooms = told.filter(|(_, text)| text.contains("In the voice channel"));
    let (role, text) = rooms.next().unwrap_or_else(|| panic!("no room: {request}"));
    assert_eq!((role.as_str(), rooms.next()), ("user", None), "told once, and not by the system");
    text
}

#[tokio::test]
async fn the_agent_knows_who_came_and_who_left_without_a_word() {
    let served = Served::new(&[Reply::Text(&["It is sunny."]), Reply::Text(&["A hat."])]).await;
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = agent_with(&scene, &served.base, "stop", EVERYBODY, "");
    meet(&ada, &agent).await;
    speaks(&ada, ASK).await;
    let told = room(&served.request(0).await);
    assert!(told.contains(&format!("(user {ADA})")) && !told.contains(&BEN.to_string()), "{told}");
    assert_eq!(said(&agent, 0).await, "It is sunny.");

    let ben = scene.joins(BEN).await;
    soon("ada and ben", ben.shares_epoch_with(&[ADA])).await.unwrap();
    meet(&ben, &agent).await;
    speaks(&ada, SECOND).await;
    let request = served.request(1).await;
    let told = room(&request);
    let came = told.lines().find(|line| line.starts_with("The last who came:")).unwrap();
    assert!(came.contains(&format!("(user {BEN})")), "{told}");
    assert!(messages(&request).iter().any(|(_, text)| text.contains(WEATHER)), "{request}");
    assert_eq!(agent.count("agent turn start"), 2, "nobody is answered for coming");
    agent.stop().await;
}

#[tokio::test]
async fn whoever_has_the_role_is_heard_and_nobody_else() {
    let served = Served::new(&[Reply::Text(&["It is sunny."]), Reply::Text(&["A hat."])]).await;
    let scene = Scene::new().await;
    let role = json!({ "name": "crew" });
    let role = scene.control("POST", &format!("/guilds/{GUILD}/roles"), &role).await;
    let role = role["id"].as_str().unwrap();
    let member = json!({ "roles": [role] });
    scene.control("PUT", &format!("/guilds/{GUILD}/members/{BEN}"), &member).await;
    let keys =
        format!("groupPolicy: 'allowlist', guilds: {{ '{GUILD}': {{ roles: ['{role}'] }} }},");
    let (ben, cleo) = (scene.joins(BEN).await, scene.joins(CLEO).await);
    let mut agent = agent_with(&scene, &served.base, "stop", &keys, "");
    meet(&cleo, &agent).await;
    meet(&ben, &agent).await;
    speaks(&cleo, SECOND).await;
    agent.record("realtime speaker not authorized").await;
    speaks(&ben, ASK).await;
    let asked = messages(&served.request(0).await);
    let question = &asked.last().unwrap().1;
    assert!(question.contains(WEATHER) && question.contains(&BEN.to_string()), "{asked:?}");
    assert_eq!(said(&agent, 0).await, "It is sunny.");
    assert_eq!(agent.count("agent turn start"), 1);
    agent.stop().await;
}
