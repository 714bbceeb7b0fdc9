//! Reactions of bots and humans.

use localcord::world::{
    bits,
    default::{ADA, BEN, BOT_TOKEN, BOT_USER, GENERAL, GUILD},
    intents,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

const THUMB: &str = "%F0%9F%91%8D";
const HEART: &str = "%E2%9D%A4%EF%B8%8F";

fn reactions(message: &Value) -> String {
    format!("/channels/{GENERAL}/messages/{}/reactions", id(message))
}

#[tokio::test]
async fn humans_react_and_bots_are_told() {
    let discord = Discord::new().await;
    let wanted = intents::GUILD_MESSAGE_REACTIONS;
    let mut gateway = discord.gateway(BOT_TOKEN, wanted).await;
    let said = discord.bot_says(GENERAL, "done").await;
    let path = format!("{}/{THUMB}/@me", reactions(&said));
    assert_eq!(discord.human(BEN, Method::PUT, &path, json!(null)).await.0, 204);
    let told = gateway.dispatch("MESSAGE_REACTION_ADD").await;
    assert_eq!((&told["user_id"], &told["emoji"]["name"]), (&json!(BEN.to_string()), &json!("👍")));
    assert_eq!(
        (&told["message_author_id"], &told["member"]["user"]["username"]),
        (&json!(BOT_USER.to_string()), &json!("ben"))
    );
    let message = format!("/channels/{GENERAL}/messages/{}", id(&said));
    let (_, seen) = discord.human(BEN, Method::GET, &message, json!(null)).await;
    assert_eq!(
        (&seen["reactions"][0]["me"], &seen["reactions"][0]["count"]),
        (&json!(true), &json!(1))
    );
    let (_, seen) = discord.bot(Method::GET, &message, json!(null)).await;
    assert_eq!(seen["reactions"][0]["me"], false);
    let (_, users) =
        discord.bot(Method::GET, &format!("{}/{THUMB}", reactions(&said)), json!(null)).await;
    assert_eq!(users[0]["username"], "ben");
    assert_eq!(discord.human(BEN, Method::DELETE, &path, json!(null)).await.0, 204);
    assert_eq!(gateway.dispatch("MESSAGE_REACTION_REMOVE").await["user_id"], BEN.to_string());
}

#[tokio::test]
async fn moderators_take_reactions_away() {
    let mut discord = Discord::new().await;
    let said = discord.says(ADA, GENERAL, "vote").await;
    for emoji in [THUMB, HEART] {
        for human in [ADA, BEN] {
            let path = format!("{}/{emoji}/@me", reactions(&said));
            assert_eq!(discord.human(human, Method::PUT, &path, json!(null)).await.0, 204);
        }
    }
    let all = reactions(&said);
    let paths = [format!("{all}/{THUMB}/{BEN}"), format!("{all}/{THUMB}"), all.clone()];
    for path in &paths {
        assert_eq!(refusal(discord.bot(Method::DELETE, path, json!(null)).await), (403, 50_013));
    }
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_MESSAGES);
    discord.events();
    for path in &paths {
        assert_eq!(discord.bot(Method::DELETE, path, json!(null)).await.0, 204);
    }
    let events = discord.events();
    let names: Vec<_> = events.iter().map(|(name, _)| *name).collect();
    let expected =
        ["MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_EMOJI", "MESSAGE_REACTION_REMOVE_ALL"];
    assert_eq!(names, expected);
    assert_eq!(
        (&events[1].1["emoji"]["name"], &events[1].1["guild_id"]),
        (&json!("👍"), &json!(GUILD.to_string()))
    );
    assert_eq!(discord.bot(Method::DELETE, &all, json!(null)).await.0, 204);
    assert_eq!(discord.names(), [""; 0], "there was nothing left");
}

#[tokio::test]
async fn emoji_must_be_known() {
    let mut discord = Discord::new().await;
    let path = format!("/guilds/{GUILD}/emojis");
    let (_, wave) = discord.control(Method::POST, &path, json!({ "name": "wave" })).await;
    assert_eq!(discord.event("GUILD_EMOJIS_UPDATE")["emojis"][0]["name"], "wave");
    let said = discord.says(ADA, GENERAL, "hi").await;
    let custom = format!("wave:{}", id(&wave));
    for (emoji, expected) in
        [(custom.as_str(), 204), (THUMB, 204), ("wave:5", 400), ("wave", 400), ("%C3%A4", 400)]
    {
        let path = format!("{}/{emoji}/@me", reactions(&said));
        let (status, body) = discord.bot(Method::PUT, &path, json!(null)).await;
        assert_eq!(status, expected, "{emoji} {body}");
        if expected == 400 {
            assert_eq!(body["code"], 10_014, "{emoji}");
        }
    }
    let (_, seen) = discord
        .bot(Method::GET, &format!("/channels/{GENERAL}/messages/{}", id(&said)), json!(null))
        .await;
    assert_eq!(seen["reactions"][0]["emoji"]["id"], wave["id"]);
    // Twenty different ones, and no more; those that are there can be joined.
    for emoji in 0x1F600..0x1F612_u32 {
        let emoji = char::from_u32(emoji).unwrap();
        let path = format!("{}/{emoji}/@me", reactions(&said));
        assert_eq!(discord.bot(Method::PUT, &path, json!(null)).await.0, 204, "{emoji}");
    }
    let path = |emoji: &str| format!("{}/{emoji}/@me", reactions(&said));
    assert_eq!(refusal(discord.bot(Method::PUT, &path(HEART), json!(null)).await), (400, 30_010));
    discord.deny(BEN, GENERAL, bits::ADD_REACTIONS);
    assert_eq!(discord.human(BEN, Method::PUT, &path(THUMB), json!(null)).await.0, 204);
    assert_eq!(
        refusal(discord.human(BEN, Method::PUT, &path(HEART), json!(null)).await),
        (403, 50_013)
    );
}

#[tokio::test]
async fn direct_messages_have_their_own_intent_and_typing_is_told() {
    let discord = Discord::new().await;
    let wanted = intents::DIRECT_MESSAGE_REACTIONS | intents::GUILD_MESSAGE_TYPING;
    let mut gateway = discord.gateway(BOT_TOKEN, wanted).await;
    let body = json!({ "recipient_id": ADA.to_string() });
    let (_, channel) = discord.bot(Method::POST, "/users/@me/channels", body).await;
    let said = discord.bot_says(id(&channel), "hi").await;
    let path = format!("/channels/{}/messages/{}/reactions/{THUMB}/@me", id(&channel), id(&said));
    assert_eq!(discord.human(ADA, Method::PUT, &path, json!(null)).await.0, 204);
    let told = gateway.dispatch("MESSAGE_REACTION_ADD").await;
    assert_eq!((told.get("guild_id"), told.get("member")), (None, None));
    let typing = format!("/channels/{GENERAL}/typing");
    assert_eq!(discord.human(BEN, Method::POST, &typing, json!(null)).await.0, 204);
    let told = gateway.dispatch("TYPING_START").await;
    assert_eq!(
        (&told["user_id"], &told["member"]["user"]["username"]),
        (&json!(BEN.to_string()), &json!("ben"))
    );
    discord.deny(BOT_USER, GENERAL, bits::SEND_MESSAGES);
    assert_eq!(refusal(discord.bot(Method::POST, &typing, json!(null)).await), (403, 50_013));
}
