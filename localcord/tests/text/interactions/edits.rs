//! What becomes of a message with components when it is edited.

use reqwest::Method;
use serde_json::json;

use super::{COMPONENTS_V2, MESSAGES, button, code_at, row, text};
use crate::discord::{Discord, id, refusal};

const LEGACY: &str = "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2";

#[tokio::test]
async fn components_change_and_go() {
    let discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let path = format!("{MESSAGES}/{}", id(&sent));
    let other = json!({ "components": [row(json!([button("a"), button("b")]))] });
    let (_, edited) = discord.bot(Method::PATCH, &path, other).await;
    assert_eq!(edited["components"][0]["components"][1]["custom_id"], "b");
    assert_eq!((&edited["content"], &edited["components"][0]["id"]), (&json!("text"), &json!(1)));
    let twice = json!({ "components": [row(json!([button("a"), button("a")]))] });
    let (_, refused) = discord.bot(Method::PATCH, &path, twice).await;
    let code = code_at(&refused, "/components/0/components/1/custom_id");
    assert_eq!(code, "COMPONENT_CUSTOM_ID_DUPLICATED");
    let (_, edited) = discord.bot(Method::PATCH, &path, json!({ "content": "new" })).await;
    assert_eq!(edited["components"][0]["components"][0]["custom_id"], "a", "they stay");
    let (_, edited) = discord.bot(Method::PATCH, &path, json!({ "components": [] })).await;
    assert_eq!(edited["components"], json!([]));
}

#[tokio::test]
async fn a_message_becomes_components_alone_if_all_else_goes() {
    let discord = Discord::new().await;
    let sent = discord.posts(json!({ "content": "text", "embeds": [{ "title": "t" }] })).await;
    let path = format!("{MESSAGES}/{}", id(&sent));
    let change = json!({ "flags": COMPONENTS_V2, "components": [text("t")] });
    let (_, refused) = discord.bot(Method::PATCH, &path, change.clone()).await;
    assert_eq!(
        (code_at(&refused, "/content"), code_at(&refused, "/embeds")),
        (LEGACY.to_owned(), LEGACY.to_owned())
    );
    let mut whole = change;
    (whole["content"], whole["embeds"]) = (json!(null), json!([]));
    let (status, edited) = discord.bot(Method::PATCH, &path, whole).await;
    assert_eq!((status, &edited["flags"]), (200, &json!(COMPONENTS_V2)), "{edited}");
    assert_eq!((&edited["content"], &edited["embeds"]), (&json!(""), &json!([])));
}

#[tokio::test]
async fn the_flag_stays() {
    let discord = Discord::new().await;
    let body = json!({ "flags": COMPONENTS_V2, "components": [text("t")] });
    let sent = discord.posts(body).await;
    let path = format!("{MESSAGES}/{}", id(&sent));
    let (_, edited) = discord.bot(Method::PATCH, &path, json!({ "flags": 4 })).await;
    assert_eq!(edited["flags"], COMPONENTS_V2 | 4);
    let (_, edited) = discord.bot(Method::PATCH, &path, json!({ "components": [text("u")] })).await;
    assert_eq!(edited["components"][0]["content"], "u");
    for (body, pointer, code) in [
        (json!({ "content": "c" }), "/content", LEGACY),
        (json!({ "content": "c", "flags": 0 }), "/content", LEGACY),
        (json!({ "components": [text("t")], "flags": 0 }), "/components/0", "UNION_TYPE_CHOICES"),
    ] {
        let (_, refused) = discord.bot(Method::PATCH, &path, body.clone()).await;
        assert_eq!(code_at(&refused, pointer), code, "{body}");
    }
    let nothing = discord.bot(Method::PATCH, &path, json!({ "components": [] })).await;
    assert_eq!(refusal(nothing), (400, 50_006));
}
