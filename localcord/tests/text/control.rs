//! What the control API does to guilds, and what it refuses.

use localcord::world::{
    bits,
    default::{ADA, BEN, BOT_TOKEN, BOT_USER, CLEO, GENERAL, GUILD},
    intents,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

fn guild(what: &str) -> String {
    format!("/guilds/{GUILD}/{what}")
}

#[tokio::test]
async fn channels_come_one_by_one_or_by_the_hundred() {
    let mut discord = Discord::new().await;
    let body = json!({
        "name": "staff",
        "topic": "for few",
        "nsfw": true,
        "overwrites": [
            { "role_id": GUILD.to_string(), "deny": ["VIEW_CHANNEL"] },
            { "member_id": BEN.to_string(), "allow": ["VIEW_CHANNEL"] },
        ],
    });
    let (status, staff) = discord.control(Method::POST, &guild("channels"), body).await;
    assert_eq!((status, &staff["topic"], &staff["nsfw"]), (201, &json!("for few"), &json!(true)));
    assert_eq!(discord.event("CHANNEL_CREATE")["id"], staff["id"]);
    let path = format!("/channels/{}", id(&staff));
    assert_eq!(refusal(discord.bot(Method::GET, &path, json!(null)).await), (403, 50_001));
    assert_eq!(discord.human(BEN, Method::GET, &path, json!(null)).await.0, 200);
    let overwrites = format!("{path}/overwrites");
    let own = json!({ "member_id": BOT_USER.to_string(), "allow": ["VIEW_CHANNEL"] });
    assert_eq!(discord.control(Method::PUT, &overwrites, own).await.1.as_array().unwrap().len(), 3);
    assert_eq!(discord.bot(Method::GET, &path, json!(null)).await.0, 200);
    let none = json!({ "member_id": BOT_USER.to_string() });
    assert_eq!(
        discord.control(Method::PUT, &overwrites, none).await.1.as_array().unwrap().len(),
        2
    );
    let patch = json!({ "name": "board", "topic": null });
    let (_, changed) = discord.control(Method::PATCH, &path, patch).await;
    assert_eq!((&changed["name"], &changed["topic"]), (&json!("board"), &Value::Null));
    assert_eq!(discord.control(Method::DELETE, &path, json!(null)).await.0, 204);
    assert_eq!(discord.control(Method::DELETE, &path, json!(null)).await.0, 404);

    let many = json!({ "name": "room", "count": 300 });
    let (status, rooms) = discord.control(Method::POST, &guild("channels"), many).await;
    assert_eq!((status, rooms.as_array().unwrap().len()), (201, 300));
    assert_eq!(rooms[299]["name"], "room-300");
    let (_, listed) = discord.bot(Method::GET, &guild("channels"), json!(null)).await;
    assert_eq!(listed.as_array().unwrap().len(), 304);
    for (body, word) in [
        (json!({}), "name"),
        (json!({ "name": "x", "type": "radio" }), "type"),
        (json!({ "name": "x", "type": 1 }), "type"),
        (json!({ "name": "x", "count": 0 }), "count"),
        (json!({ "name": "x", "count": 10_001 }), "count"),
        (json!({ "name": "x", "overwrites": [{}] }), "role_id"),
        (json!({ "name": "x", "overwrites": [{ "role_id": "1", "deny": ["FLY"] }] }), "deny"),
    ] {
        let (status, refused) =
            discord.control(Method::POST, &guild("channels"), body.clone()).await;
        assert_eq!(status, 400, "{body}");
        assert!(refused["error"].as_str().unwrap().contains(word), "{body} {refused}");
    }
    let nowhere = discord.control(Method::POST, "/guilds/5/channels", json!({ "name": "x" })).await;
    assert_eq!(nowhere.0, 404);
    let unknown = json!({ "colour": 5 });
    let path = format!("/channels/{GENERAL}");
    assert_eq!(discord.control(Method::PATCH, &path, unknown).await.0, 400);
}

#[tokio::test]
async fn roles_and_members_change_while_bots_watch() {
    let discord = Discord::new().await;
    let wanted = intents::GUILDS | intents::GUILD_MEMBERS;
    let mut gateway = discord.gateway(BOT_TOKEN, wanted).await;
    let body = json!({ "name": "staff", "permissions": ["MANAGE_MESSAGES"], "mentionable": true });
    let (status, role) = discord.control(Method::POST, &guild("roles"), body).await;
    assert_eq!((status, &role["permissions"]), (201, &json!(bits::MANAGE_MESSAGES.to_string())));
    assert_eq!(gateway.dispatch("GUILD_ROLE_CREATE").await["role"]["id"], role["id"]);
    let member = guild(&format!("members/{BOT_USER}"));
    let change = json!({ "roles": [role["id"]], "nick": "Claw" });
    let (_, changed) = discord.control(Method::PUT, &member, change).await;
    assert_eq!((&changed["nick"], &changed["roles"]), (&json!("Claw"), &json!([role["id"]])));
    assert_eq!(gateway.dispatch("GUILD_MEMBER_UPDATE").await["nick"], "Claw");
    let said = discord.says(ADA, GENERAL, "x").await;
    let path = format!("/channels/{GENERAL}/messages/{}", id(&said));
    assert_eq!(discord.bot(Method::DELETE, &path, json!(null)).await.0, 204, "the role lets it");
    let everyone = guild(&format!("roles/{GUILD}"));
    let change = json!({ "permissions": ["VIEW_CHANNEL"] });
    assert_eq!(discord.control(Method::PATCH, &everyone, change).await.0, 200);
    assert_eq!(gateway.dispatch("GUILD_ROLE_UPDATE").await["role"]["id"], GUILD.to_string());
    let path = format!("/channels/{GENERAL}/messages");
    let refused = discord.human(CLEO, Method::POST, &path, json!({ "content": "x" })).await;
    assert_eq!(refusal(refused), (403, 50_013));

    let cleo = guild(&format!("members/{CLEO}"));
    assert_eq!(discord.control(Method::DELETE, &cleo, json!(null)).await.0, 204);
    assert_eq!(gateway.dispatch("GUILD_MEMBER_REMOVE").await["user"]["username"], "cleo");
    assert_eq!(discord.control(Method::DELETE, &cleo, json!(null)).await.0, 404);
    assert_eq!(discord.control(Method::PUT, &cleo, json!({})).await.0, 200);
    assert_eq!(gateway.dispatch("GUILD_MEMBER_ADD").await["user"]["username"], "cleo");
    for (path, body, status) in [
        (&cleo, json!({ "roles": ["5"] }), 404),
        (&cleo, json!({ "roles": ["x"] }), 400),
        (&guild("members/5"), json!({}), 404),
        (&guild("roles/5"), json!({}), 405),
    ] {
        assert_eq!(
            discord.control(Method::PUT, path, body.clone()).await.0,
            status,
            "{path} {body}"
        );
    }
    let unknown = json!({ "name": "x", "permissions": ["FLY"] });
    assert_eq!(discord.control(Method::POST, &guild("roles"), unknown).await.0, 400);
}

#[tokio::test]
async fn discord_writes_of_its_own() {
    let mut discord = Discord::new().await;
    let path = format!("/channels/{GENERAL}/system-messages");
    for (kind, number) in [(json!("join"), 7), (json!("boost"), 8), (json!(9), 9)] {
        let body = json!({ "type": kind, "user_id": BEN.to_string() });
        assert_eq!(discord.control(Method::POST, &path, body).await.0, 201);
        let told = discord.event("MESSAGE_CREATE");
        assert_eq!((&told["type"], &told["content"]), (&json!(number), &json!("")));
    }
    let said = discord.says(ADA, GENERAL, "x").await;
    let pin = json!({ "type": "pin", "user_id": ADA.to_string(), "message_id": said["id"] });
    let (_, sent) = discord.control(Method::POST, &path, pin).await;
    assert_eq!(sent["message_reference"]["message_id"], said["id"]);
    for (body, status) in [
        (json!({ "type": "shout", "user_id": BEN.to_string() }), 400),
        (json!({ "type": 0, "user_id": BEN.to_string() }), 400),
        (json!({ "type": "join" }), 400),
        (json!({ "type": "join", "user_id": "5" }), 404),
    ] {
        assert_eq!(discord.control(Method::POST, &path, body.clone()).await.0, status, "{body}");
    }
    // Newcomers are announced where the guild wants it.
    discord.server.world().write(|state| {
        state.guilds.get_mut(&GUILD).unwrap().system_channel_id = Some(GENERAL);
    });
    discord.events();
    let (_, dora) = discord.control(Method::POST, "/humans", json!({ "name": "dora" })).await;
    assert_eq!(discord.event("MESSAGE_CREATE")["author"]["id"], dora["id"]);
}

#[tokio::test]
async fn humans_send_files_and_use_only_discords_routes() {
    let discord = Discord::new().await;
    let path = format!("/humans/{BEN}/messages");
    let body = json!({
        "channel_id": GENERAL.to_string(),
        "files": [
            { "name": "a.txt", "text": "hello", "content_type": "text/plain" },
            { "name": "b.bin", "base64": "AAEC" },
        ],
    });
    let (status, sent) = discord.control(Method::POST, &path, body).await;
    assert_eq!((status, sent["attachments"].as_array().unwrap().len()), (200, 2));
    assert_eq!(sent["attachments"][1]["size"], 3);
    let url = sent["attachments"][0]["url"].as_str().unwrap();
    assert_eq!(discord.client.get(url).send().await.unwrap().text().await.unwrap(), "hello");
    for (body, status) in [
        (json!({ "channel_id": GENERAL.to_string(), "files": [{ "name": "x" }] }), 400),
        (json!({ "channel_id": GENERAL.to_string() }), 400),
        (json!({ "user_id": "5", "content": "x" }), 404),
        (json!({ "content": "x" }), 400),
    ] {
        assert_eq!(discord.control(Method::POST, &path, body.clone()).await.0, status, "{body}");
    }
    let nowhere = discord.human(BEN, Method::GET, "/nowhere", json!(null)).await;
    assert_eq!(refusal(nowhere), (404, 0));
    let nobody = discord.control(Method::GET, "/humans/5/api/users/@me", json!(null)).await;
    assert_eq!(nobody.0, 404);
    let (_, me) = discord.human(BEN, Method::GET, "/users/@me", json!(null)).await;
    assert_eq!(me["username"], "ben");
}
