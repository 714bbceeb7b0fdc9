//! A voice channel that is the microphone of a text channel's conversation.

use localcord::world::default::{ADA, GENERAL};

use super::chat::{Chat, OPEN};
use crate::{
    audio::ASK,
    brain::{Reply, Served, WEATHER, agent_with, messages, said, speaks},
    scene::{Scene, meet},
};

/// What is typed in the text channel is known to the voice turn that follows, and what is said in
/// the voice channel to the message that follows.
#[tokio::test]
async fn what_is_typed_is_known_to_who_speaks_and_the_other_way_round() {
    let served = Served::new(&[
        Reply::Text(&["Noted."]),
        Reply::Text(&["It is raining."]),
        Reply::Text(&["About the weather."]),
    ])
    .await;
    let chat = Chat::of(Scene::new().await);
    let ada = chat.scene.joins(ADA).await;
    let target = format!("agentSession: {{ mode: 'target', target: 'channel:{GENERAL}' }},");
    let mut agent = agent_with(&chat.scene, &served.base, "stop", OPEN, &target);
    meet(&ada, &agent).await;

    chat.writes(ADA, GENERAL, "my umbrella is red").await;
    chat.bot("Noted.").await;
    speaks(&ada, ASK).await;
    let spoken = messages(&served.request(1).await);
    let at = |asked: &[(String, String)], words: &str| {
        asked.iter().position(|(_, text)| text.contains(words))
    };
    let order = [at(&spoken, "my umbrella is red"), at(&spoken, "Noted."), at(&spoken, WEATHER)];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{spoken:?}");
    assert_eq!(said(&agent, 0).await, "It is raining.");

    chat.writes(ADA, GENERAL, "what did I just ask?").await;
    let typed = messages(&served.request(2).await);
    let order = [
        at(&typed, "my umbrella is red"),
        at(&typed, WEATHER),
        at(&typed, "It is raining."),
        at(&typed, "what did I just ask?"),
    ];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{typed:?}");
    chat.bot("About the weather.").await;
    assert_eq!(chat.by_bot(), ["Noted.", "About the weather."], "what is spoken is not typed");
    agent.stop().await;
}
