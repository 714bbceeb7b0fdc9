//! Direct messages of two and of several, and who takes none.

use localcord::world::default::{ADA, BEN, BOT_TOKEN, BOT_USER, CLEO, GENERAL, GUILD};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

impl Discord {
    async fn open(&self, human: u64) -> Value {
        let body = json!({ "recipient_id": human.to_string() });
        let (status, channel) = self.bot(Method::POST, "/users/@me/channels", body).await;
        assert_eq!(status, 200, "{channel}");
        channel
    }

    async fn privacy(&self, human: u64, body: Value) {
        let path = format!("/humans/{human}/direct-messages");
        assert_eq!(self.control(Method::PUT, &path, body).await.0, 204);
    }
}

#[tokio::test]
async fn whoever_blocks_a_bot_gets_nothing_from_it() {
    let discord = Discord::new().await;
    let channel = discord.open(BEN).await;
    let messages = format!("/channels/{}/messages", id(&channel));
    discord.bot_says(id(&channel), "hello").await;
    for privacy in [json!({ "closed": true }), json!({ "blocked": [BOT_USER.to_string()] })] {
        discord.privacy(BEN, privacy).await;
        for path in [messages.clone(), format!("/channels/{}/typing", id(&channel))] {
            let refused = discord.bot(Method::POST, &path, json!({ "content": "x" })).await;
            assert_eq!(refusal(refused), (403, 50_007), "{path}");
        }
    }
    let said = discord.says(BEN, GENERAL, "no reactions either").await;
    let reaction = format!("/channels/{GENERAL}/messages/{}/reactions/%F0%9F%91%8D/@me", id(&said));
    assert_eq!(refusal(discord.bot(Method::PUT, &reaction, json!(null)).await), (403, 90_001));
    discord.privacy(BEN, json!({})).await;
    discord.bot_says(id(&channel), "again").await;
    let wrong = json!({ "blocked": ["ben"] });
    let path = format!("/humans/{BEN}/direct-messages");
    assert_eq!(discord.control(Method::PUT, &path, wrong).await.0, 400);
}

#[tokio::test]
async fn direct_messages_need_a_guild_in_common() {
    let discord = Discord::new().await;
    let channel = discord.open(BEN).await;
    let path = format!("/guilds/{GUILD}/members/{BEN}");
    assert_eq!(discord.control(Method::DELETE, &path, json!(null)).await.0, 204);
    let messages = format!("/channels/{}/messages", id(&channel));
    let refused = discord.bot(Method::POST, &messages, json!({ "content": "x" })).await;
    assert_eq!(refusal(refused), (403, 50_278));
    for (recipient, expected) in [(BOT_USER, (400, 50_007)), (5, (404, 10_013))] {
        let body = json!({ "recipient_id": recipient.to_string() });
        let refused = discord.bot(Method::POST, "/users/@me/channels", body).await;
        assert_eq!(refusal(refused), expected);
    }
}

#[tokio::test]
async fn people_talk_to_bots_in_groups() {
    let discord = Discord::new().await;
    let mut gateway = discord.gateway(BOT_TOKEN, 1 << 12 | 1 << 14).await;
    let recipients = json!([BEN.to_string(), BOT_USER.to_string(), BEN.to_string()]);
    let body = json!({ "recipients": recipients, "name": "us" });
    let (status, group) =
        discord.human(ADA, Method::POST, "/users/@me/channels", body.clone()).await;
    assert_eq!((status, &group["type"], &group["name"]), (200, &json!(3), &json!("us")));
    assert_eq!(group["owner_id"], ADA.to_string());
    discord.says(BEN, id(&group), "hi bot").await;
    let told = gateway.dispatch("MESSAGE_CREATE").await;
    assert_eq!(
        (&told["channel_type"], &told["content"], told.get("guild_id")),
        (&json!(3), &json!("hi bot"), None)
    );
    let (_, seen) =
        discord.bot(Method::GET, &format!("/channels/{}", id(&group)), json!(null)).await;
    let names: Vec<_> =
        seen["recipients"].as_array().unwrap().iter().map(|one| &one["username"]).collect();
    assert_eq!(names, ["ada", "ben"]);
    discord.bot_says(id(&group), "hi all").await;
    let typing = format!("/channels/{}/typing", id(&group));
    assert_eq!(discord.human(BEN, Method::POST, &typing, json!(null)).await.0, 204);
    let told = gateway.dispatch("TYPING_START").await;
    assert_eq!((&told["user_id"], told.get("guild_id")), (&json!(BEN.to_string()), None));

    let outside = format!("/channels/{}/messages", id(&group));
    let refused = discord.human(CLEO, Method::GET, &outside, json!(null)).await;
    assert_eq!(refusal(refused), (403, 50_001));
    assert_eq!(
        refusal(discord.bot(Method::POST, "/users/@me/channels", body).await),
        (403, 20_001)
    );
    let strangers = json!({ "recipients": ["5"] });
    let refused = discord.human(ADA, Method::POST, "/users/@me/channels", strangers).await;
    assert_eq!(refusal(refused), (400, 50_033));
    let closed = format!("/channels/{}", id(&group));
    assert_eq!(discord.bot(Method::DELETE, &closed, json!(null)).await.0, 200);
    let path = format!("{closed}/messages/bulk-delete");
    let bulk = json!({ "messages": ["1", "2"] });
    assert_eq!(refusal(discord.bot(Method::POST, &path, bulk).await), (403, 50_003));
}
