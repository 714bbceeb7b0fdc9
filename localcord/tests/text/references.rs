//! Replies and forwards.

use localcord::world::{
    bits,
    default::{ADA, BOT_USER, GENERAL, GUILD, RANDOM},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

const MESSAGES: &str = "/channels/1100000000000000011/messages";

fn reply(to: &Value, more: Value) -> Value {
    let mut reference = json!({ "message_id": to });
    reference.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "content": "re", "message_reference": reference })
}

#[tokio::test]
async fn a_reply_brings_the_message_it_answers() {
    let mut discord = Discord::new().await;
    let asked = discord.says(ADA, GENERAL, "why?").await;
    discord.events();
    let (status, answer) =
        discord.bot(Method::POST, MESSAGES, reply(&asked["id"], json!({}))).await;
    assert_eq!((status, &answer["type"]), (200, &json!(19)));
    let told = discord.event("MESSAGE_CREATE");
    assert_eq!(told["referenced_message"]["content"], "why?");
    assert_eq!(told["message_reference"]["guild_id"], GUILD.to_string());
    assert_eq!(told["mentions"][0]["username"], "ada", "the author is pinged");
    let mut quiet = reply(&asked["id"], json!({}));
    quiet["allowed_mentions"] = json!({ "parse": ["users"] });
    assert_eq!(discord.bot(Method::POST, MESSAGES, quiet).await.1["mentions"], json!([]));

    let path = format!("{MESSAGES}/{}", id(&asked));
    assert_eq!(discord.human(ADA, Method::DELETE, &path, json!(null)).await.0, 204);
    let path = format!("{MESSAGES}/{}", id(&answer));
    let (_, now) = discord.bot(Method::GET, &path, json!(null)).await;
    assert_eq!(now.get("referenced_message"), Some(&Value::Null), "it is gone");
    assert_eq!(now["message_reference"]["message_id"], asked["id"]);
}

#[tokio::test]
async fn replies_to_nothing_fail_unless_told_not_to() {
    let discord = Discord::new().await;
    let elsewhere = discord.says(ADA, RANDOM, "there").await;
    let here = discord.says(ADA, GENERAL, "here").await;
    let join = json!({ "type": 7, "user_id": ADA.to_string() });
    let path = format!("/channels/{GENERAL}/system-messages");
    let (_, joined) = discord.control(Method::POST, &path, join).await;
    for (to, more) in [
        (json!("5"), json!({})),
        (json!("5"), json!({ "fail_if_not_exists": true })),
        (elsewhere["id"].clone(), json!({})),
        (here["id"].clone(), json!({ "channel_id": RANDOM.to_string() })),
        (joined["id"].clone(), json!({})),
        (json!("x"), json!({})),
        (json!(null), json!({})),
    ] {
        let body = reply(&to, more);
        let refused = discord.bot(Method::POST, MESSAGES, body.clone()).await;
        assert_eq!(refusal(refused), (400, 50_035), "{body}");
    }
    let lenient = reply(&json!("5"), json!({ "fail_if_not_exists": false }));
    let (status, sent) = discord.bot(Method::POST, MESSAGES, lenient).await;
    assert_eq!((status, &sent["type"], sent.get("message_reference")), (200, &json!(0), None));
    discord.deny(BOT_USER, GENERAL, bits::READ_MESSAGE_HISTORY);
    let unseen = discord.bot(Method::POST, MESSAGES, reply(&here["id"], json!({}))).await;
    assert_eq!(refusal(unseen), (403, 160_002));
}

#[tokio::test]
async fn a_forward_carries_a_snapshot() {
    let mut discord = Discord::new().await;
    let file = json!([{ "name": "a.txt", "text": "hi" }]);
    let body = json!({ "channel_id": RANDOM.to_string(), "content": "news", "files": file });
    let (_, source) = discord.control(Method::POST, &format!("/humans/{ADA}/messages"), body).await;
    discord.events();
    let forward = |message: &Value, channel: u64| {
        let reference =
            json!({ "type": 1, "message_id": message, "channel_id": channel.to_string() });
        json!({ "message_reference": reference })
    };
    let body = forward(&source["id"], RANDOM);
    let (status, sent) = discord.human(ADA, Method::POST, MESSAGES, body).await;
    assert_eq!(status, 200, "{sent}");
    let told = discord.event("MESSAGE_CREATE");
    assert_eq!(
        (&told["type"], &told["content"], &told["flags"]),
        (&json!(0), &json!(""), &json!(1 << 14))
    );
    let snapshot = &told["message_snapshots"][0]["message"];
    assert_eq!((&snapshot["content"], snapshot.get("author")), (&json!("news"), None));
    assert_eq!(snapshot["attachments"][0]["filename"], "a.txt");
    assert_eq!(told["message_reference"]["type"], 1);
    assert_eq!(told.get("referenced_message"), None);
    // A forward of a forward is a forward of the first.
    let (_, again) = discord.bot(Method::POST, MESSAGES, forward(&sent["id"], GENERAL)).await;
    assert_eq!(again["message_snapshots"][0]["message"]["content"], "news");

    for (body, expected) in [
        (forward(&json!("5"), RANDOM), (400, 50_035)),
        (forward(&source["id"], 5), (404, 10_003)),
        (json!({ "message_reference": { "type": 1, "message_id": source["id"] } }), (400, 50_035)),
    ] {
        let refused = discord.bot(Method::POST, MESSAGES, body.clone()).await;
        assert_eq!(refusal(refused), expected, "{body}");
    }
    discord.deny(BOT_USER, RANDOM, bits::READ_MESSAGE_HISTORY);
    let unread = discord.bot(Method::POST, MESSAGES, forward(&source["id"], RANDOM)).await;
    assert_eq!(refusal(unread), (403, 160_009));
    discord.deny(BOT_USER, RANDOM, bits::VIEW_CHANNEL);
    let unseen = discord.bot(Method::POST, MESSAGES, forward(&source["id"], RANDOM)).await;
    assert_eq!(refusal(unseen), (403, 50_001));
}
