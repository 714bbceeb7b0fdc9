//! Many channels and many messages.

use std::collections::BTreeSet;

use localcord::world::{
    default::{ADA, BEN, BOT_TOKEN, GENERAL, GUILD},
    intents,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id};

/// Far more than may wait for a connection.
const MANY: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_messages_reach_a_bot_in_order_and_are_read_by_pages() {
    let discord = Discord::new().await;
    let wanted = intents::GUILD_MESSAGES | intents::MESSAGE_CONTENT;
    let mut gateway = discord.gateway(BOT_TOKEN, wanted).await;
    let body = json!({
        "count": MANY,
        "human_id": ADA.to_string(),
        "channel_id": GENERAL.to_string(),
        "content": "number {n}",
    });
    let writing = discord.control(Method::POST, "/messages", body);
    let reading = async {
        for number in 1..=MANY {
            let told = gateway.dispatch("MESSAGE_CREATE").await;
            assert_eq!(told["content"], format!("number {number}"));
        }
    };
    let ((status, made), ()) = tokio::join!(writing, reading);
    assert_eq!((status, made["ids"].as_array().unwrap().len()), (201, MANY));

    let mut before = u64::MAX.to_string();
    let mut seen = BTreeSet::new();
    loop {
        let path = format!("/channels/{GENERAL}/messages?limit=1000&before={before}");
        let (_, page) = discord.control(Method::GET, &path, json!(null)).await;
        let page = page.as_array().unwrap().clone();
        let Some(last) = page.last() else { break };
        before = id(last);
        seen.extend(page.iter().map(id));
    }
    assert_eq!(seen.len(), MANY);
}

#[tokio::test]
async fn one_order_writes_for_several_people_in_several_channels() {
    let mut discord = Discord::new().await;
    let path = format!("/guilds/{GUILD}/channels");
    let (_, rooms) =
        discord.control(Method::POST, &path, json!({ "name": "room", "count": 3 })).await;
    discord.events();
    let messages: Vec<Value> = rooms
        .as_array()
        .unwrap()
        .iter()
        .zip([ADA, BEN, ADA])
        .map(|(room, human)| json!({ "human_id": human.to_string(), "channel_id": room["id"], "content": "{n}" }))
        .collect();
    let (status, made) =
        discord.control(Method::POST, "/messages", json!({ "messages": messages })).await;
    assert_eq!(status, 201);
    let told: Vec<Value> = discord.events().into_iter().map(|(_, data)| data).collect();
    let texts: Vec<&Value> = told.iter().map(|one| &one["content"]).collect();
    assert_eq!(texts, ["1", "2", "3"]);
    assert_eq!((&told[1]["id"], &told[1]["channel_id"]), (&made["ids"][1], &rooms[1]["id"]));
    for body in [
        json!({}),
        json!({ "count": 100_001, "human_id": ADA.to_string() }),
        json!({ "count": 1, "messages": [] }),
        json!({ "messages": [{ "channel_id": GENERAL.to_string(), "content": "x" }] }),
    ] {
        assert_eq!(discord.control(Method::POST, "/messages", body.clone()).await.0, 400, "{body}");
    }
    let stranger = json!({ "messages": [{ "human_id": "5", "content": "x" }] });
    assert_eq!(discord.control(Method::POST, "/messages", stranger).await.0, 404);
}
