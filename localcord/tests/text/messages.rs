//! Mentions, nonces, edits and deletions.

use localcord::world::{
    Role, bits,
    default::{ADA, BEN, BOT_USER, GENERAL, GUILD},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

const MESSAGES: &str = "/channels/1100000000000000011/messages";
/// A role that everybody may mention, and one that only some may.
const CREW: u64 = 71;
const STAFF: u64 = 72;

async fn with_roles() -> Discord {
    let discord = Discord::new().await;
    discord.server.world().write(|state| {
        let guild = state.guilds.get_mut(&GUILD).unwrap();
        guild.roles.get_mut(&GUILD).unwrap().permissions &= !bits::MENTION_EVERYONE;
        for (id, mentionable) in [(CREW, true), (STAFF, false)] {
            guild.roles.insert(id, Role { id, mentionable, ..Role::default() });
        }
    });
    discord
}

/// Users, roles and everyone.
fn mentioned(message: &Value) -> (Vec<&str>, Vec<&str>, bool) {
    let users = message["mentions"].as_array().unwrap();
    let roles = message["mention_roles"].as_array().unwrap();
    (
        users.iter().map(|user| user["username"].as_str().unwrap()).collect(),
        roles.iter().map(|role| role.as_str().unwrap()).collect(),
        message["mention_everyone"].as_bool().unwrap(),
    )
}

#[tokio::test]
async fn a_message_mentions_as_far_as_its_author_may() {
    let mut discord = with_roles().await;
    let text = format!("<@{BEN}> <@&{CREW}> <@&{STAFF}> @everyone `<@{ADA}>`");
    discord.says(ADA, GENERAL, &text).await;
    let told = discord.event("MESSAGE_CREATE");
    assert_eq!(mentioned(&told), (vec!["ben"], vec!["71", "72"], true), "ada owns the guild");
    assert_eq!(told["mentions"][0]["member"]["roles"], json!([]));
    assert_eq!((told["member"]["joined_at"].is_string(), &told["channel_type"]), (true, &json!(0)));
    let said = discord.bot_says(GENERAL, &text).await;
    assert_eq!(mentioned(&said), (vec!["ben"], vec!["71"], false));
    discord.allow(BOT_USER, GENERAL, bits::MENTION_EVERYONE);
    let said = discord.bot_says(GENERAL, &text).await;
    assert_eq!(mentioned(&said), (vec!["ben"], vec!["71", "72"], true));

    let quiet = json!({ "content": text, "allowed_mentions": { "parse": [] } });
    let (_, quiet) = discord.bot(Method::POST, MESSAGES, quiet).await;
    assert_eq!(mentioned(&quiet), (vec![], vec![], false));
    let some =
        json!({ "content": text, "allowed_mentions": { "roles": ["72"], "parse": ["users"] } });
    let (_, some) = discord.bot(Method::POST, MESSAGES, some).await;
    assert_eq!(mentioned(&some), (vec!["ben"], vec!["72"], false));
    // An edit mentions anew, by its own rules.
    let path = format!("{MESSAGES}/{}", id(&quiet));
    let edit = json!({ "content": format!("now <@{ADA}>") });
    let (_, edited) = discord.bot(Method::PATCH, &path, edit).await;
    assert_eq!(mentioned(&edited), (vec!["ada"], vec![], false));

    for allowed in [
        json!({ "parse": ["users"], "users": ["1"] }),
        json!({ "parse": ["roles"], "roles": ["1"] }),
        json!({ "parse": ["here"] }),
        json!({ "users": ["x"] }),
    ] {
        let body = json!({ "content": "x", "allowed_mentions": allowed });
        assert_eq!(refusal(discord.bot(Method::POST, MESSAGES, body).await), (400, 50_035));
    }
}

#[tokio::test]
async fn a_nonce_that_is_enforced_posts_once() {
    let mut discord = Discord::new().await;
    let body = json!({ "content": "once", "nonce": "abc", "enforce_nonce": true });
    let (_, first) = discord.bot(Method::POST, MESSAGES, body.clone()).await;
    assert_eq!(discord.event("MESSAGE_CREATE")["nonce"], "abc");
    let other = json!({ "content": "another text", "nonce": "abc", "enforce_nonce": true });
    let (status, second) = discord.bot(Method::POST, MESSAGES, other).await;
    assert_eq!((status, &second["id"], &second["content"]), (200, &first["id"], &json!("once")));
    assert_eq!(discord.names(), [""; 0], "nothing was posted");
    // Of many at the same time one is posted.
    let racing = json!({ "content": "race", "nonce": 77, "enforce_nonce": true });
    let sends = (0..8).map(|_| discord.bot(Method::POST, MESSAGES, racing.clone()));
    let sent = futures_util::future::join_all(sends).await;
    assert!(sent.iter().all(|(status, one)| *status == 200 && one["id"] == sent[0].1["id"]));
    assert_eq!(discord.names(), ["MESSAGE_CREATE"]);
    // Others have nonces of their own, and without enforcing it twice is twice.
    let human = json!({ "channel_id": GENERAL.to_string(), "content": "x", "nonce": "abc", "enforce_nonce": true });
    let (_, hers) = discord.control(Method::POST, &format!("/humans/{ADA}/messages"), human).await;
    assert_ne!(hers["id"], first["id"]);
    let lax = json!({ "content": "again", "nonce": "abc" });
    assert_ne!(discord.bot(Method::POST, MESSAGES, lax).await.1["id"], first["id"]);
    // What was deleted is posted again.
    let gone = json!({ "content": "g", "nonce": "gone", "enforce_nonce": true });
    let (_, posted) = discord.bot(Method::POST, MESSAGES, gone.clone()).await;
    let path = format!("{MESSAGES}/{}", id(&posted));
    assert_eq!(discord.bot(Method::DELETE, &path, json!(null)).await.0, 204);
    assert_ne!(discord.bot(Method::POST, MESSAGES, gone).await.1["id"], posted["id"]);
}

#[tokio::test]
async fn messages_of_others_are_not_edited() {
    let mut discord = Discord::new().await;
    let hers = discord.says(ADA, GENERAL, "look: https://example.com").await;
    let path = format!("{MESSAGES}/{}", id(&hers));
    for (body, expected) in [
        (json!({ "content": "mine" }), (403, 50_005)),
        (json!({ "content": "mine", "flags": 4 }), (403, 50_005)),
        (json!({ "flags": 4 }), (403, 50_013)),
    ] {
        let refused = discord.bot(Method::PATCH, &path, body.clone()).await;
        assert_eq!(refusal(refused), expected, "{body}");
    }
    assert_eq!(refusal(discord.bot(Method::DELETE, &path, json!(null)).await), (403, 50_013));
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_MESSAGES);
    discord.events();
    let (status, hidden) = discord.bot(Method::PATCH, &path, json!({ "flags": 4 })).await;
    assert_eq!((status, &hidden["flags"], &hidden["content"]), (200, &json!(4), &hers["content"]));
    assert_eq!(discord.event("MESSAGE_UPDATE")["edited_timestamp"], Value::Null);
    assert_eq!(discord.bot(Method::DELETE, &path, json!(null)).await.0, 204);
    assert_eq!(discord.event("MESSAGE_DELETE")["id"], hers["id"]);

    // Her own are hers to edit and delete, by Discord's routes.
    let own = discord.says(ADA, GENERAL, "one").await;
    let path = format!("{MESSAGES}/{}", id(&own));
    let (_, edited) = discord.human(ADA, Method::PATCH, &path, json!({ "content": "two" })).await;
    assert_eq!(edited["content"], "two");
    assert_eq!(
        refusal(discord.human(BEN, Method::DELETE, &path, json!(null)).await),
        (403, 50_013)
    );
    assert_eq!(discord.human(ADA, Method::DELETE, &path, json!(null)).await.0, 204);
    assert_eq!(refusal(discord.human(ADA, Method::GET, &path, json!(null)).await), (404, 10_008));
}

#[tokio::test]
async fn many_go_at_once() {
    let mut discord = Discord::new().await;
    let mut ids = Vec::new();
    for text in ["one", "two"] {
        ids.push(id(&discord.says(ADA, GENERAL, text).await));
    }
    let bulk = format!("{MESSAGES}/bulk-delete");
    let order = json!({ "messages": ids });
    assert_eq!(refusal(discord.bot(Method::POST, &bulk, order.clone()).await), (403, 50_013));
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_MESSAGES);
    discord.events();
    for (messages, expected) in [
        (json!(["1"]), (400, 50_016)),
        (json!([ids[0], "1000"]), (400, 50_034)),
        (json!([ids[0], "x"]), (400, 50_035)),
    ] {
        let body = json!({ "messages": messages });
        assert_eq!(refusal(discord.bot(Method::POST, &bulk, body).await), expected);
    }
    assert_eq!(discord.bot(Method::POST, &bulk, order).await.0, 204);
    let told = discord.event("MESSAGE_DELETE_BULK");
    assert_eq!((&told["ids"], &told["guild_id"]), (&json!(ids), &json!(GUILD.to_string())));
}

#[tokio::test]
async fn stickers_are_of_the_guild_and_embeds_can_be_hidden() {
    let discord = Discord::new().await;
    let path = format!("/guilds/{GUILD}/stickers");
    let (status, sticker) = discord.control(Method::POST, &path, json!({ "name": "hi" })).await;
    assert_eq!(status, 201);
    let body = json!({ "channel_id": GENERAL.to_string(), "sticker_ids": [sticker["id"]] });
    let (_, sent) = discord.control(Method::POST, &format!("/humans/{BEN}/messages"), body).await;
    assert_eq!(sent["sticker_items"][0]["name"], "hi");
    let unknown = json!({ "sticker_ids": ["5"] });
    assert_eq!(refusal(discord.bot(Method::POST, MESSAGES, unknown).await), (400, 50_081));
    discord.deny(BOT_USER, GENERAL, bits::EMBED_LINKS);
    let embed = json!({ "content": "x", "embeds": [{ "title": "t" }] });
    assert_eq!(refusal(discord.bot(Method::POST, MESSAGES, embed).await), (403, 50_013));
    let flags = json!({ "content": "quiet", "flags": 4 | 4096 });
    assert_eq!(discord.bot(Method::POST, MESSAGES, flags).await.1["flags"], 4100);
}
