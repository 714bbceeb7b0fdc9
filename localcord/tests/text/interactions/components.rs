//! Messages with components, as bots send them.

use localcord::world::{
    bits,
    default::{ADA, BEN, BOT_TOKEN, BOT_USER, GENERAL, GUILD},
    intents,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{COMPONENTS_V2, MESSAGES, button, code_at, row, text};
use crate::discord::{Discord, id, refusal};

/// One of everything that a message can have.
fn everything() -> Value {
    let picture = json!({ "type": 11, "media": { "url": "https://example.com/a.png" } });
    let options = json!([{ "label": "A", "value": "a" }, { "label": "B", "value": "b" }]);
    let select = |kind: u64| row(json!([{ "type": kind, "custom_id": format!("select-{kind}") }]));
    json!([{ "type": 17, "accent_color": 0x58_65F2, "components": [
        text("# Title"),
        { "type": 9, "components": [text("beside")], "accessory": picture },
        { "type": 9, "components": [text("a"), text("b")], "accessory": button("accessory") },
        { "type": 14, "spacing": 2 },
        { "type": 12, "items": [{ "media": { "url": "https://example.com/b.png" } }] },
        row(json!([button("one"), button("two")])),
        row(json!([{ "type": 3, "custom_id": "select-3", "options": options, "max_values": 2 }])),
        select(5), select(6), select(7), select(8),
    ]}])
}

#[tokio::test]
async fn a_message_is_shown_with_its_components() {
    let discord = Discord::new().await;
    let all = intents::GUILD_MESSAGES | intents::MESSAGE_CONTENT;
    let mut gateway = discord.gateway(BOT_TOKEN, all).await;
    let sent = discord.posts(json!({ "flags": COMPONENTS_V2, "components": everything() })).await;
    let told = gateway.dispatch("MESSAGE_CREATE").await;
    let path = format!("{MESSAGES}/{}", id(&sent));
    let (_, read) = discord.bot(Method::GET, &path, json!(null)).await;
    for message in [&sent, &told, &read] {
        assert_eq!(message["flags"], COMPONENTS_V2);
        let container = &message["components"][0];
        assert_eq!((&container["id"], &container["spoiler"]), (&json!(1), &json!(false)));
        let inside = &container["components"];
        assert_eq!(inside[0], json!({ "type": 10, "id": 2, "content": "# Title" }));
        assert_eq!((&inside[1]["id"], &inside[1]["accessory"]["id"]), (&json!(3), &json!(5)));
        assert_eq!(inside[3], json!({ "type": 14, "id": 10, "divider": true, "spacing": 2 }));
        let select = &inside[6]["components"][0];
        assert_eq!((&select["min_values"], &select["max_values"]), (&json!(1), &json!(2)));
    }
}

#[tokio::test]
async fn a_refusal_says_where() {
    let discord = Discord::new().await;
    let rows = |rows: Value| json!({ "content": "c", "components": rows });
    let alone = |components: Value| json!({ "flags": COMPONENTS_V2, "components": components });
    let container = |inside: Value| alone(json!([{ "type": 17, "components": inside }]));
    let link = json!({ "type": 2, "style": 5, "label": "l", "url": "https://a.b",
        "custom_id": "c" });
    let six = Value::from(vec![row(json!([{ "type": 5, "custom_id": "a" }])); 6]);
    for (body, pointer, code) in [
        (
            rows(json!([row(json!([button("a"), button("a")]))])),
            "/components/0/components/1/custom_id",
            "COMPONENT_CUSTOM_ID_DUPLICATED",
        ),
        (
            rows(json!([row(json!([link]))])),
            "/components/0/components/0/custom_id",
            "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
        ),
        (rows(six), "/components", "BASE_TYPE_MAX_LENGTH"),
        (rows(json!([text("t")])), "/components/0", "UNION_TYPE_CHOICES"),
        (
            container(json!([{ "type": 9, "components": [text("t")] }])),
            "/components/0/components/0/accessory",
            "BASE_TYPE_REQUIRED",
        ),
        (
            container(Value::from(vec![text("t"); 40])),
            "/components",
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
        ),
        (
            alone(json!([text(&"x".repeat(3000)), text(&"y".repeat(1001))])),
            "/components",
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
        ),
        (
            alone(json!([{ "type": 13, "file": { "url": "attachment://none.txt" } }])),
            "/components/0/file/url",
            "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND",
        ),
    ] {
        let (status, refused) = discord.bot(Method::POST, MESSAGES, body.clone()).await;
        assert_eq!((status, code_at(&refused, pointer)), (400, code.to_owned()), "{body}");
    }
    for field in ["content", "embeds", "sticker_ids", "poll"] {
        let mut body = alone(json!([text("t")]));
        body[field] = match field {
            "content" => "c".into(),
            "poll" => json!({ "question": { "text": "?" } }),
            _ => json!(["5"]),
        };
        let (_, refused) = discord.bot(Method::POST, MESSAGES, body).await;
        let code = code_at(&refused, &format!("/{field}"));
        assert_eq!(code, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2");
    }
    let empty = discord.bot(Method::POST, MESSAGES, alone(json!([]))).await;
    assert_eq!(refusal(empty), (400, 50_006));
    let (_, all) = discord.bot(Method::GET, MESSAGES, json!(null)).await;
    assert_eq!(all, json!([]), "nothing was posted");
}

#[tokio::test]
async fn emoji_of_buttons_are_those_the_bot_has() {
    let discord = Discord::new().await;
    let path = format!("/guilds/{GUILD}/emojis");
    let (_, emoji) = discord.control(Method::POST, &path, json!({ "name": "wave" })).await;
    for (given, good) in [
        (json!({ "id": emoji["id"], "name": "wave" }), true),
        (json!({ "name": "👋" }), true),
        (json!({ "id": "404", "name": "wave" }), false),
        (json!({ "name": "wave" }), false),
    ] {
        let mut button = button("b");
        button["emoji"] = given.clone();
        let body = json!({ "content": "c", "components": [row(json!([button]))] });
        let (status, told) = discord.bot(Method::POST, MESSAGES, body).await;
        assert_eq!(status == 200, good, "{given} {told}");
    }
}

#[tokio::test]
async fn a_file_is_shown_by_the_component_that_names_it() {
    let discord = Discord::new().await;
    let file = json!({ "type": 13, "file": { "url": "attachment://a note.txt" } });
    let body = json!({ "flags": COMPONENTS_V2, "components": [file] });
    let sent = discord.sends_file(Method::POST, MESSAGES, body, ("a note.txt", "hello")).await;
    let (status, sent) = sent;
    assert_eq!((status, &sent["attachments"]), (200, &json!([])), "{sent}");
    let shown = &sent["components"][0];
    assert_eq!((&shown["name"], &shown["size"]), (&json!("a_note.txt"), &json!(5)));
    assert!(shown["file"]["attachment_id"].is_string());
    let url = shown["file"]["url"].as_str().unwrap();
    let fetched = discord.client.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(fetched, "hello");

    // An edit can show a file that stays, and one that comes.
    let path = format!("{MESSAGES}/{}", id(&sent));
    let components = json!([
        { "type": 13, "file": { "url": "attachment://a_note.txt" }, "spoiler": true },
        { "type": 13, "file": { "url": "attachment://b.txt" } },
    ]);
    let change = json!({ "components": components });
    let (status, edited) =
        discord.sends_file(Method::PATCH, &path, change, ("b.txt", "more")).await;
    assert_eq!(status, 200, "{edited}");
    assert_eq!(edited["components"][0]["file"]["attachment_id"], shown["file"]["attachment_id"]);
    assert_eq!(edited["components"][1]["size"], 4);
    let without = json!({ "attachments": [], "components": [
        { "type": 13, "file": { "url": "attachment://b.txt" } }] });
    let (_, refused) = discord.bot(Method::PATCH, &path, without).await;
    let code = code_at(&refused, "/components/0/file/url");
    assert_eq!(code, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND");
}

#[tokio::test]
async fn text_displays_mention_like_content() {
    let mut discord = Discord::new().await;
    discord.events();
    let components = json!([{ "type": 17, "components": [text(&format!("hey <@{BEN}>"))] }]);
    let body = json!({ "flags": COMPONENTS_V2, "components": components });
    let sent = discord.posts(body.clone()).await;
    assert_eq!(sent["mentions"][0]["id"], BEN.to_string());
    let mut quiet = body;
    quiet["allowed_mentions"] = json!({ "parse": [] });
    assert_eq!(discord.posts(quiet).await["mentions"], json!([]));
    let change = json!({ "components": [text(&format!("<@{ADA}>"))] });
    let path = format!("{MESSAGES}/{}", id(&sent));
    let (_, edited) = discord.bot(Method::PATCH, &path, change).await;
    assert_eq!(edited["mentions"][0]["id"], ADA.to_string());
}

#[tokio::test]
async fn a_post_begins_with_components() {
    let discord = Discord::new().await;
    let body = json!({ "name": "help", "type": "forum" });
    let (_, forum) =
        discord.control(Method::POST, &format!("/guilds/{GUILD}/channels"), body).await;
    let path = format!("/channels/{}/threads", id(&forum));
    let message = json!({ "flags": COMPONENTS_V2, "components": everything() });
    let post = json!({ "name": "post", "message": message });
    let (status, made) = discord.bot(Method::POST, &path, post).await;
    assert_eq!((status, &made["message"]["components"][0]["id"]), (201, &json!(1)), "{made}");
    let wrong = json!({ "name": "post", "message": { "content": "c", "components": [text("t")] } });
    let (_, refused) = discord.bot(Method::POST, &path, wrong).await;
    assert_eq!(code_at(&refused, "/components/0"), "UNION_TYPE_CHOICES");
}

#[tokio::test]
async fn webhooks_send_what_they_may() {
    let discord = Discord::new().await;
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_WEBHOOKS);
    let hooks = format!("/channels/{GENERAL}/webhooks");
    let name = json!({ "name": "bridge" });
    let (_, own) = discord.bot(Method::POST, &hooks, name.clone()).await;
    let (_, human) = discord.human(ADA, Method::POST, &hooks, name).await;
    let path = |hook: &Value, query: &str| {
        format!("/webhooks/{}/{}?wait=true{query}", id(hook), hook["token"].as_str().unwrap())
    };
    let shown = json!({ "flags": COMPONENTS_V2, "components": [text("t")] });
    let used = json!({ "content": "c", "components": [row(json!([button("b")]))] });
    let asked = "&with_components=true";
    for (hook, query, body, expected) in [
        (&own, "", &used, 200),
        (&own, "", &shown, 200),
        (&human, asked, &shown, 200),
        (&human, asked, &used, 400),
        // Without that they are left out, and nothing else is there.
        (&human, "", &shown, 400),
        (&human, "", &used, 200),
    ] {
        let (status, told) = discord.anyone(Method::POST, &path(hook, query), body.clone()).await;
        assert_eq!(status, expected, "{query} {body} {told}");
    }
}
