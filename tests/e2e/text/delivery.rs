//! How answers reach their channels.

use localcord::world::{
    Channel,
    default::{ADA, BEN, BOT_USER, GENERAL, GUILD},
    kind,
};
use rustix::process::Signal;
use serde_json::json;

use super::chat::{Chat, OPEN, model};
use crate::brain::{Reply, Served};

/// Scenario 46, on the wire: a long answer is cut into messages that each are whole.
#[tokio::test]
async fn a_long_answer_is_several_messages() {
    const LONG: &str = concat!(
        "Here it is:\n```rust\n",
        include_str!("../../../session/src/brain/echo.rs"),
        "```\nThat is all."
    );
    let served = Served::new(&[Reply::Text(&[LONG])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(&format!("{OPEN} maxLinesPerMessage: 60,"), &model(&served)).await;
    chat.writes(ADA, GENERAL, "show me the echo").await;
    chat.bot("That is all.").await;
    let parts = chat.by_bot();
    assert!(parts.len() > 1, "{parts:?}");
    for part in &parts {
        assert!(part.encode_utf16().count() <= 2_000, "{part}");
        assert_eq!(part.matches("```").count() % 2, 0, "{part}");
    }
    assert!(parts[1].starts_with("```rust\n"), "{}", parts[1]);
    agent.stop().await;
}

/// Scenarios 47 and 48, on the wire: a tag makes a reply, an alias a ping, and nobody pings all.
#[tokio::test]
async fn tags_and_aliases() {
    const ANSWER: &str = "[[reply_to_current]] Ask @ops, not `@ops`. @everyone";
    let served = Served::new(&[Reply::Text(&[ANSWER])]).await;
    let chat = Chat::new().await;
    let keys = format!("{OPEN} mentionAliases: {{ ops: '{ADA}' }},");
    let mut agent = chat.agent(&keys, &model(&served)).await;
    let asked = chat.writes(ADA, GENERAL, "who knows?").await;
    let answer = chat.bot("Ask").await;
    assert_eq!(answer["content"], format!("Ask <@{ADA}>, not `@ops`. @everyone"));
    assert_eq!(answer["message_reference"]["message_id"], asked["id"]);
    assert_eq!(answer["mention_everyone"], false, "{answer}");
    agent.stop().await;
}

/// Scenario 49, on the wire: a lost answer to a create is asked again, and there is one message.
#[tokio::test]
async fn a_lost_answer_makes_no_second_message() {
    use localcord::fault::{FaultSettings, RestFault};
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, "").await;
    let fault = |status, carried_out| RestFault {
        path_prefix: format!("/channels/{GENERAL}/messages"),
        status,
        times: 1,
        retry_after: if status == 429 { 0.5 } else { 0.0 },
        carried_out,
    };
    let rest = vec![fault(429, false), fault(502, true), fault(500, false)];
    chat.scene.server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
    chat.writes(ADA, GENERAL, "once").await;
    chat.bot("You said: once").await;
    chat.writes(ADA, GENERAL, "twice").await;
    chat.bot("You said: twice").await;
    assert_eq!(chat.by_bot(), ["You said: once", "You said: twice"]);
    agent.stop().await;
}

/// A channel that vanishes between the turn and the reply: the reply stays in the outbox, and that
/// is told.
#[tokio::test]
async fn a_reply_to_a_place_that_is_gone_is_kept_and_told() {
    const PLACE: u64 = 1_100_000_000_000_000_099;
    let served = Served::new(&[Reply::Hold("too late"), Reply::Text(&["still here"])]).await;
    let chat = Chat::new().await;
    chat.scene.server.world().write(|state| {
        let (guild_id, name) = (Some(GUILD), "short-lived".to_owned());
        let room = Channel { id: PLACE, kind: kind::TEXT, guild_id, name, ..Channel::default() };
        state.channels.insert(PLACE, room);
    });
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    chat.writes(ADA, PLACE, "are you there?").await;
    served.request(0).await;
    chat.scene.server.world().write(|state| state.channels.remove(&PLACE));
    served.model.released.send_replace(true);
    let told = agent.logs("stays in the outbox").await;
    assert!(told.contains(&PLACE.to_string()), "{told}");
    chat.writes(ADA, GENERAL, "and here?").await;
    chat.bot("still here").await;
    let status = chat.program(&["channels", "status", "--json"]).await;
    assert!(status.contains("\"refused\": 1"), "{status}");
    agent.stop().await;
}

/// What is under way when the process is killed is answered by the next one, once.
#[tokio::test]
async fn a_kill_loses_nothing_and_doubles_nothing() {
    let chat = Chat::new().await;
    let rest = "models: { providers: { echo: { thinkMs: 300 } } }";
    let config = chat.config_with(OPEN, rest, "queue: { mode: 'followup', cap: 100 }");
    let mut first = chat.start(&config).await;
    chat.writes(ADA, GENERAL, "number 0").await;
    chat.bot("You said: number 0").await;
    for number in 1..6 {
        chat.writes(ADA, GENERAL, &format!("number {number}")).await;
    }
    chat.bot("You said: number 2").await;
    first.stop_by(Signal::KILL).await;
    let second = crate::agent::Agent::start(&config, &chat.scene.server.bot_token());
    chat.bot("You said: number 5").await;
    let expected: Vec<String> = (0..6).map(|number| format!("You said: number {number}")).collect();
    assert_eq!(chat.by_bot(), expected);
    drop(second);
}

/// Scenario 51, on the wire: a preview grows, the final is complete and afresh, the draft goes.
#[tokio::test]
async fn a_preview_gives_way_to_the_final() {
    let served = Served::new(&[Reply::Text(&[
        "This is the beginning of a long answer, ",
        "and this is its end.",
    ])])
    .await;
    let chat = Chat::new().await;
    let keys = format!("{OPEN} streaming: {{ mode: 'partial' }},").replacen(
        "streaming: { mode: 'off' },",
        "",
        1,
    );
    let mut agent = chat.agent(&keys, &model(&served)).await;
    chat.writes(ADA, GENERAL, "tell me").await;
    let whole = "This is the beginning of a long answer, and this is its end.";
    chat.bot(whole).await;
    let from_bot = |it: &serde_json::Value| it["author"]["id"] == json!(BOT_USER.to_string());
    let created = chat.all("MESSAGE_CREATE", from_bot);
    if created.len() > 1 {
        let draft = created[0]["id"].clone();
        chat.event("MESSAGE_DELETE", |it| it["id"] == draft).await;
    }
    assert_eq!(created.last().unwrap()["content"], whole);
    agent.stop().await;
}

/// While the agent works its reactions say so; in the end only the first one stays.
#[tokio::test]
async fn reactions_go_back_to_the_first_one() {
    let chat = Chat::new().await;
    let keys = OPEN.replace("ackReaction: '',", "ackReaction: '👀', ackReactionScope: 'all',");
    let mut agent = chat.agent(&keys, "").await;
    let asked = chat.writes(ADA, GENERAL, "hello").await;
    chat.bot("You said: hello").await;
    let with = |emoji: &'static str| {
        let id = asked["id"].clone();
        move |it: &serde_json::Value| it["message_id"] == id && it["emoji"]["name"] == emoji
    };
    chat.event("MESSAGE_REACTION_ADD", with("👀")).await;
    chat.event("MESSAGE_REACTION_ADD", with("👍")).await;
    chat.event("MESSAGE_REACTION_REMOVE", with("👍")).await;
    agent.stop().await;
}

/// Whom the agent has met can be mentioned by name; a name that two go by is nobody's.
#[tokio::test]
async fn people_that_were_met_can_be_mentioned() {
    let served =
        Served::new(&[Reply::Text(&["Hello @ada."]), Reply::Text(&["Ask @ada or @cleo, @Ben."])])
            .await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    chat.writes(ADA, GENERAL, "hello").await;
    chat.bot(&format!("Hello <@{ADA}>.")).await;
    chat.writes(BEN, GENERAL, "who knows?").await;
    chat.bot(&format!("Ask <@{ADA}> or @cleo, <@{BEN}>.")).await;
    agent.stop().await;
}

/// `rateLimit`: more messages than may wait for a channel are refused, in the open; those before
/// them are there.
#[tokio::test]
async fn what_does_not_fit_in_the_channels_queue_is_refused() {
    let long: &[&str] = vec![&*"one more line of a long answer\n".repeat(300).leak()].leak();
    let replies: &[Reply] = vec![Reply::Text(long), Reply::Text(&["short"])].leak();
    let served = Served::new(replies).await;
    let chat = Chat::new().await;
    let limit = "rateLimit: { maxQueueSize: 2, burstProtection: false }, maxLinesPerMessage: 99,";
    let mut agent = chat.agent(&format!("{OPEN} {limit}"), &model(&served)).await;
    chat.writes(ADA, GENERAL, "show me").await;
    agent.logs("2 messages wait to be sent there already").await;
    let from_bot = |it: &serde_json::Value| it["author"]["id"] == json!(BOT_USER.to_string());
    let first = chat.event("MESSAGE_CREATE", from_bot).await;
    chat.event("MESSAGE_CREATE", |it| from_bot(it) && it["id"] != first["id"]).await;
    chat.writes(ADA, GENERAL, "shorter").await;
    chat.bot("short").await;
    assert_eq!(chat.by_bot().len(), 3, "{:?}", chat.by_bot());
    let status = chat.program(&["channels", "status", "--json"]).await;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert!(status.to_string().contains("\"refused\":"), "{status}");
    agent.stop().await;
}
