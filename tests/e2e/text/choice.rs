//! Which of several bots answers, and whether a message is for one at all.

use localcord::world::default::{ADA, BEN, BOT_USER, GENERAL, RANDOM};
use serde_json::json;

use super::chat::{Chat, OPEN, at_bot, model};
use crate::brain::{Reply, Served};

/// Two bots that hear everything: each answers in its own channel, and where it is mentioned.
#[tokio::test]
async fn each_bot_answers_where_it_is_posted() {
    let chat = Chat::new().await;
    let second = chat.scene.server.world().add_bot("second");
    let keys = format!(
        "{OPEN} allowBots: true, accounts: {{ default: {{}}, b: {{ token: '{}' }} }}",
        second.token
    );
    let rest = format!(
        "agents: {{ list: [{{ id: 'main' }}, {{ id: 'ops' }}] }},
         bindings: [{{ agentId: 'ops', match: {{ channel: 'discord', accountId: 'b' }} }}],
         gateway: {{ clawvoice: {{ agent_router: {{ enabled: true, agents: {{
             main: {{ channels: ['{GENERAL}'] }}, ops: {{ channels: ['random'] }} }} }} }} }},"
    );
    let mut agent = chat.agent(&keys, &rest).await;
    for user in [BOT_USER, second.user_id] {
        agent.logs(&format!("Discord gateway ready as user {user}")).await;
    }
    chat.writes(ADA, GENERAL, "one").await;
    chat.by(BOT_USER, "You said: one").await;
    chat.writes(ADA, RANDOM, "two").await;
    chat.by(second.user_id, "You said: two").await;
    chat.writes(BEN, RANDOM, &at_bot("three")).await;
    chat.by(BOT_USER, "three").await;
    let answers =
        chat.all("MESSAGE_CREATE", |it| it["content"].as_str().unwrap().starts_with("You said"));
    assert_eq!(answers.len(), 3, "bots of ours do not hear one another: {answers:?}");
    let log = agent.stop().await;
    assert!(log.contains("a message is dropped: router-other-agent"), "{log}");
}

/// What people say among themselves is left alone, and told with the next message that is not.
#[tokio::test]
async fn talk_among_people_is_left_alone() {
    let chat = Chat::new().await;
    let rest = "gateway: { clawvoice: { intent_filter: { enabled: true, topics: ['rust'] } } },";
    let mut agent = chat.agent(OPEN, rest).await;
    chat.writes(BEN, GENERAL, "lol").await;
    agent.logs("intent-filtered").await;
    chat.writes(ADA, GENERAL, "how do I borrow twice in rust?").await;
    chat.bot("borrow twice").await;
    chat.writes(ADA, GENERAL, "and why is that?").await;
    chat.bot("and why is that?").await;
    chat.writes(BEN, GENERAL, &at_bot("ok")).await;
    chat.bot("ok").await;
    let said = chat.all("MESSAGE_CREATE", |it| it["author"]["id"] == json!(BOT_USER.to_string()));
    assert_eq!(said.len(), 3, "{said:?}");
    let log = agent.stop().await;
    assert!(log.contains("relevance 0 %") && log.contains("percent=75"), "{log}");
}

/// Bots that may be heard are, until they have answered each other too often: scenario 8 with
/// smaller figures.
#[tokio::test]
async fn a_bot_is_heard_until_it_is_too_much() {
    let chat = Chat::new().await;
    let peer = chat.scene.server.world().add_bot("peer");
    let keys = format!("{OPEN} allowBots: true, botLoopProtection: {{ maxEventsPerWindow: 2 }},");
    let mut agent = chat.agent(&keys, "").await;
    for number in 1..=3 {
        chat.scene.server.world().create_message(localcord::world::Message {
            channel_id: GENERAL,
            author_id: peer.user_id,
            content: format!("beep {number}"),
            ..localcord::world::Message::default()
        });
    }
    chat.bot("beep 2").await;
    agent.logs("bot-loop-cooldown").await;
    assert_eq!(chat.by_bot().len(), 2, "{:?}", chat.by_bot());
    agent.stop().await;
}

/// `unmentionedInbound: "room_event"`: the agent hears what people say to each other, and nobody
/// sees anything of it; what is said to it is answered, knowing that.
#[tokio::test]
async fn what_happens_in_the_room_is_heard_and_not_answered() {
    let served = Served::new(&[Reply::Text(&["Noted."]), Reply::Text(&["At eight."])]).await;
    let chat = Chat::new().await;
    let keys = OPEN.replace("ackReaction: '',", "");
    let room = "groupChat: { unmentionedInbound: 'room_event' }";
    let config = chat.config_with(&keys, &model(&served), room);
    let mut agent = chat.start(&config).await;
    chat.writes(ADA, GENERAL, "we meet at eight").await;
    let request = served.request(0).await.to_string();
    assert!(request.contains("Nobody has asked you anything"), "{request}");
    chat.writes(ADA, GENERAL, &at_bot("when do we meet?")).await;
    chat.bot("At eight.").await;
    let request = served.request(1).await.to_string();
    assert!(request.contains("we meet at eight") && request.contains("Noted."), "{request}");
    assert!(!request.contains("Nobody has asked you anything"), "{request}");
    assert_eq!(chat.by_bot(), ["At eight."]);
    agent.stop().await;
}
