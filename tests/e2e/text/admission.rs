//! Who is answered, and who is not.

use localcord::world::default::{ADA, APPLICATION, BEN, CLEO, GENERAL, GUILD, RANDOM};
use reqwest::Method;
use serde_json::json;

use super::chat::{Chat, at_bot, id, model};
use crate::{
    brain::{Reply, Served, messages},
    scene::EVERYBODY,
};

/// Scenario 31: what nobody said to the agent is told with the next message to it, once.
#[tokio::test]
async fn what_was_said_beside_it_is_told_once() {
    let served = Served::new(&[Reply::Text(&["The deploy."]), Reply::Text(&["Nothing."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(EVERYBODY, &model(&served)).await;
    chat.writes(ADA, GENERAL, "the deploy failed at noon").await;
    agent.logs("no-mention").await;
    chat.writes(BEN, GENERAL, &at_bot("what failed?")).await;
    chat.bot("The deploy.").await;
    let first = served.request(0).await.to_string();
    assert_eq!(first.matches("the deploy failed at noon").count(), 1, "{first}");
    chat.writes(BEN, GENERAL, &at_bot("and now?")).await;
    chat.bot("Nothing.").await;
    let second = messages(&served.request(1).await);
    let told = second.iter().filter(|(_, text)| text.contains("failed at noon")).count();
    assert_eq!(told, 0, "{second:?}");
    assert!(second.iter().any(|(role, text)| role == "assistant" && text == "The deploy."));
    agent.stop().await;
}

/// Scenarios 12 and 13: a stranger is told one code, a fourth one nothing.
#[tokio::test]
async fn strangers_are_told_a_code_once_and_let_in_by_it() {
    let chat = Chat::new().await;
    let mut agent = chat.agent("dmPolicy: 'pairing'", "").await;
    chat.whispers(ADA, "hello?").await;
    let told = chat.bot("Pairing code:").await["content"].as_str().unwrap().to_owned();
    assert!(told.contains(&format!("Your Discord user id: {ADA}")), "{told}");
    let code = told.split("```").nth(1).unwrap().trim().to_owned();
    assert_eq!(code.len(), 8, "{told}");
    assert!(code.chars().all(|c| c.is_ascii_alphanumeric() && !"0O1I".contains(c)), "{code}");
    chat.whispers(ADA, "hello again?").await;
    agent.logs("dm-pairing-required").await;
    let (three, four) =
        (chat.scene.server.world().add_human("dan"), chat.scene.server.world().add_human("eve"));
    for human in [BEN, three] {
        let from = chat.position();
        chat.whispers(human, "hello?").await;
        chat.bot_from(from, "Pairing code:").await;
    }
    chat.whispers(four, "hello?").await;
    agent.logs("dm-pairing-capped").await;
    assert_eq!(chat.by_bot().iter().filter(|text| text.contains("Pairing code:")).count(), 3);
    chat.program(&["pairing", "approve", "discord", &code]).await;
    chat.whispers(ADA, "am I in?").await;
    chat.bot("You said: am I in?").await;
    agent.stop().await;
}

/// Scenario 44: of three bots in a guild, the one that is mentioned answers, as itself.
#[tokio::test]
async fn of_several_bots_the_one_that_is_mentioned_answers() {
    let chat = Chat::new().await;
    let world = chat.scene.server.world();
    let (second, third) = (world.add_bot("second"), world.add_bot("third"));
    let accounts = format!(
        "{EVERYBODY} accounts: {{ default: {{}}, b: {{ token: '{}' }}, c: {{ token: '{}' }} }}",
        second.token, third.token
    );
    let mut agent = chat.agent(&accounts, "").await;
    for user in [second.user_id, third.user_id] {
        agent.logs(&format!("Discord gateway ready as user {user}")).await;
    }
    chat.writes(ADA, GENERAL, &format!("<@{}> who are you?", second.user_id)).await;
    let said = chat.by(second.user_id, "who are you?").await;
    assert_eq!(said["channel_id"], GENERAL.to_string());
    chat.writes(ADA, GENERAL, &at_bot("and you?")).await;
    chat.bot("and you?").await;
    let answers =
        chat.all("MESSAGE_CREATE", |it| it["content"].as_str().unwrap().starts_with("You said"));
    assert_eq!(answers.len(), 2, "{answers:?}");
    agent.stop().await;
}

/// Without the intent, texts are empty: it is said once which switch to set.
#[tokio::test]
async fn a_missing_intent_is_told_once() {
    let chat = Chat::new().await;
    chat.scene.server.world().write(|state| {
        let application = state.applications.get_mut(&APPLICATION).unwrap();
        (application.privileged_intents, application.flags) = (0, 0);
    });
    let keys = format!(
        "{EVERYBODY} intents: {{ messageContent: false }}, guilds: {{ '*': {{ requireMention: false }} }}"
    );
    let mut agent = chat.agent(&keys, "").await;
    chat.writes(ADA, GENERAL, "can you read this?").await;
    agent.logs("channels.discord.intents.messageContent").await;
    chat.writes(ADA, GENERAL, "and this?").await;
    chat.writes(CLEO, RANDOM, &at_bot("this you can")).await;
    chat.bot("this you can").await;
    let log = agent.stop().await;
    assert_eq!(log.matches("channels.discord.intents.messageContent").count(), 1, "{log}");
}

/// After a start, what people said before is told if they may talk now: who bears a role that
/// admits is shown, who bore it then is not.
#[tokio::test]
async fn whoever_lost_a_role_is_not_read_after_a_start() {
    let served = Served::new(&[Reply::Text(&["Bread, then."])]).await;
    let chat = Chat::new().await;
    let role = json!({ "name": "crew" });
    let role = chat.control(Method::POST, &format!("/guilds/{GUILD}/roles"), &role).await;
    let bears = async |human: u64, roles: &[serde_json::Value]| {
        let path = format!("/guilds/{GUILD}/members/{human}");
        chat.control(Method::PUT, &path, &json!({ "roles": roles })).await;
    };
    for human in [BEN, CLEO] {
        bears(human, &[role["id"].clone()]).await;
    }
    chat.writes(BEN, GENERAL, "we need bread").await;
    chat.writes(CLEO, GENERAL, "the password is swordfish").await;
    bears(CLEO, &[]).await;
    let keys = format!(
        "streaming: {{ mode: 'off' }}, ackReaction: '', \
         guilds: {{ '*': {{ users: ['{ADA}'], roles: ['{}'] }} }},",
        id(&role)
    );
    let mut agent = chat.agent(&keys, &model(&served)).await;
    chat.writes(ADA, GENERAL, &at_bot("what do we need?")).await;
    chat.bot("Bread, then.").await;
    let request = served.request(0).await.to_string();
    assert!(request.contains("we need bread") && !request.contains("swordfish"), "{request}");
    agent.stop().await;
}
