//! Answers: which are taken, when, and what the human sees of them.

use localcord::world::default::{ADA, BEN, GENERAL};
use reqwest::Method;
use serde_json::{Value, json};

use super::{COMPONENTS_V2, EPHEMERAL, MESSAGES, button, callback, code_at, row, text};
use crate::discord::{Discord, id, refusal};

const LOADING: u64 = 1 << 7;

fn says(content: &str) -> Value {
    json!({ "type": 4, "data": { "content": content } })
}

#[tokio::test]
async fn one_answer_is_taken() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    assert_eq!(discord.sees(&event, "").await["state"], "waiting");
    // What is refused can be given again.
    for (body, pointer, code) in [
        (json!({}), "/type", "BASE_TYPE_REQUIRED"),
        (json!({ "type": 2 }), "/type", "BASE_TYPE_CHOICES"),
        (json!({ "type": 8 }), "/type", "INTERACTION_CALLBACK_TYPE_INVALID"),
        (json!({ "type": 4, "data": [] }), "/data", "DICT_TYPE_CONVERT"),
        (
            json!({ "type": 4, "data": { "content": "c", "components": [text("t")] } }),
            "/data/components/0",
            "UNION_TYPE_CHOICES",
        ),
        (
            json!({ "type": 7, "data": { "components": [row(json!([]))] } }),
            "/data/components/0/components",
            "BASE_TYPE_BAD_LENGTH",
        ),
        (
            json!({ "type": 9, "data": { "title": "x".repeat(46), "custom_id": "m",
                "components": [text("t")] } }),
            "/data/title",
            "BASE_TYPE_BAD_LENGTH",
        ),
    ] {
        let (status, refused) = discord.answers(&event, body.clone()).await;
        assert_eq!((status, code_at(&refused, pointer)), (400, code.to_owned()), "{body}");
    }
    assert_eq!(refusal(discord.answers(&event, says("")).await), (400, 50_006));
    let wrong = callback(&json!({ "id": "5", "token": event["token"] }));
    let unknown = discord.anyone(Method::POST, &wrong, says("x")).await;
    assert_eq!(refusal(unknown), (404, 10_062));
    assert_eq!(discord.answers(&event, says("first")).await.0, 204);
    for second in [says("second"), json!({ "type": 6 }), json!({ "type": 5 })] {
        assert_eq!(refusal(discord.answers(&event, second).await), (400, 40_060));
    }
    let seen = discord.sees(&event, "").await;
    assert_eq!(
        (&seen["state"], &seen["message"]["content"]),
        (&json!("answered"), &json!("first"))
    );
}

#[tokio::test]
async fn after_three_seconds_the_interaction_has_failed() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let seen = discord.sees(&event, "?wait=true").await;
    assert_eq!(
        (&seen["state"], &seen["failure"]),
        (&json!("failed"), &json!("This interaction failed"))
    );
    assert_eq!(refusal(discord.answers(&event, says("late")).await), (404, 10_062));
    let follow = discord.by_token(&event, Method::POST, "", json!({ "content": "late" })).await;
    assert_eq!(refusal(follow), (404, 10_015));
    let (_, all) = discord.bot(Method::GET, MESSAGES, json!(null)).await;
    assert_eq!(all.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_stands_below_what_was_used() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let told = discord.answers_aloud(&event, says("an answer")).await;
    let interaction = &told["interaction"];
    let message = &told["resource"]["message"];
    assert_eq!((&interaction["id"], &interaction["type"]), (&event["id"], &json!(3)));
    assert_eq!(interaction["response_message_id"], message["id"]);
    assert_eq!(interaction["response_message_ephemeral"], false);
    assert_eq!((&told["resource"]["type"], &message["content"]), (&json!(4), &json!("an answer")));
    assert_eq!((&message["type"], &message["mentions"]), (&json!(19), &json!([])));
    assert_eq!(message["message_reference"]["message_id"], sent["id"]);
    let metadata = &message["interaction_metadata"];
    assert_eq!((&metadata["type"], &metadata["user"]["id"]), (&json!(3), &json!(ADA.to_string())));
    assert_eq!(metadata["interacted_message_id"], sent["id"]);
}

#[tokio::test]
async fn a_deferred_answer_is_filled_in_later() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    // Of the flags only one counts yet.
    let defer = json!({ "type": 5, "data": { "flags": EPHEMERAL | COMPONENTS_V2 } });
    let told = discord.answers_aloud(&event, defer).await;
    assert_eq!(told["interaction"]["response_message_loading"], true);
    assert!(told["resource"].get("message").is_none());
    let seen = discord.sees(&event, "").await;
    assert_eq!(
        (&seen["state"], &seen["message"]["flags"]),
        (&json!("thinking"), &json!(EPHEMERAL | LOADING))
    );
    let change = json!({ "flags": COMPONENTS_V2, "components": [text("there")] });
    let path = format!("/humans/{ADA}/interactions/{}?wait=true", id(&event));
    let (waited, edited) = tokio::join!(
        discord.control(Method::GET, &path, json!(null)),
        discord.by_token(&event, Method::PATCH, "/messages/@original", change),
    );
    assert_eq!((edited.0, &edited.1["flags"]), (200, &json!(EPHEMERAL | COMPONENTS_V2)));
    assert_eq!(waited.1["message"]["components"][0]["content"], "there");
    assert_eq!(waited.1["state"], "answered");
    // The first of the others is one of its own.
    let follow = json!({ "content": "more", "flags": EPHEMERAL });
    let (_, more) = discord.by_token(&event, Method::POST, "", follow).await;
    let seen = discord.sees(&event, "").await;
    assert_eq!(seen["followups"], json!([more]));
    assert_eq!(more["message_reference"]["message_id"], seen["message"]["id"]);
    let metadata = &more["interaction_metadata"];
    assert_eq!(metadata["original_response_message_id"], seen["message"]["id"]);
}

#[tokio::test]
async fn the_first_followup_fills_a_deferred_answer_in() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    assert_eq!(discord.answers(&event, json!({ "type": 5 })).await.0, 204);
    // Whether it is ephemeral was said before.
    let follow = json!({ "content": "filled in", "flags": EPHEMERAL });
    let (_, filled) = discord.by_token(&event, Method::POST, "", follow).await;
    let seen = discord.sees(&event, "").await;
    assert_eq!((&seen["message"]["id"], &seen["followups"]), (&filled["id"], &json!([])));
    assert_eq!(filled["flags"], 0);
    let (_, all) = discord.bot(Method::GET, MESSAGES, json!(null)).await;
    assert_eq!(all[0]["content"], "filled in");
}

#[tokio::test]
async fn an_update_changes_the_message_that_was_used() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let data = json!({ "content": "used", "components": [row(json!([button("again")]))] });
    let told = discord.answers_aloud(&event, json!({ "type": 7, "data": data })).await;
    assert_eq!(told["resource"]["message"]["id"], sent["id"]);
    let (_, read) = discord.by_token(&event, Method::GET, "/messages/@original", json!(null)).await;
    assert_eq!((&read["id"], &read["content"]), (&sent["id"], &json!("used")));

    let event = discord.clicks(ADA, &read, "again").await;
    assert_eq!(discord.answers(&event, json!({ "type": 6 })).await.0, 204);
    let seen = discord.sees(&event, "").await;
    assert_eq!((&seen["state"], &seen["message"]["content"]), (&json!("answered"), &json!("used")));
    let revision = seen["revision"].as_u64().unwrap();
    let path = format!("/humans/{ADA}/interactions/{}", id(&event));
    let newer = format!("{path}?wait=true&after={revision}");
    let change = json!({ "content": "later", "components": [] });
    let (waited, _) = tokio::join!(
        discord.control(Method::GET, &newer, json!(null)),
        discord.by_token(&event, Method::PATCH, "/messages/@original", change),
    );
    assert_eq!(waited.1["message"]["content"], "later");
    let nothing = format!("{path}?wait=true&after={}&timeout_ms=20", revision + 1);
    assert_eq!(discord.control(Method::GET, &nothing, json!(null)).await.0, 504);
    let foreign = format!("/humans/{BEN}/interactions/{}", id(&event));
    assert_eq!(discord.control(Method::GET, &foreign, json!(null)).await.0, 404);
    let gone = discord.by_token(&event, Method::DELETE, "/messages/@original", json!(null)).await;
    assert_eq!(gone.0, 204);
    assert_eq!(discord.sees(&event, "").await["message"], Value::Null);
    let (_, all) = discord.bot(Method::GET, MESSAGES, json!(null)).await;
    assert_eq!(all, json!([]));
}

#[tokio::test]
async fn a_message_that_is_gone_cannot_be_updated() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let path = format!("/channels/{GENERAL}/messages/{}", id(&sent));
    assert_eq!(discord.bot(Method::DELETE, &path, json!(null)).await.0, 204);
    let update = json!({ "type": 7, "data": { "content": "x" } });
    assert_eq!(refusal(discord.answers(&event, update).await), (404, 10_008));
    assert_eq!(discord.answers(&event, says("instead")).await.0, 204);
}

#[tokio::test]
async fn answers_are_read_and_deleted_by_the_token() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    assert_eq!(discord.answers(&event, says("open")).await.0, 204);
    let hidden = json!({ "content": "hidden", "flags": EPHEMERAL });
    let (_, hidden) = discord.by_token(&event, Method::POST, "", hidden).await;
    let own = format!("/messages/{}", id(&hidden));
    let (_, edited) =
        discord.by_token(&event, Method::PATCH, &own, json!({ "content": "changed" })).await;
    assert_eq!((&edited["content"], &edited["flags"]), (&json!("changed"), &json!(EPHEMERAL)));
    assert_eq!(discord.by_token(&event, Method::GET, &own, json!(null)).await.1, edited);
    // Another interaction's token does not open it.
    let other = discord.clicks(BEN, &sent, "go").await;
    assert_eq!(discord.answers(&other, json!({ "type": 6 })).await.0, 204);
    let foreign = discord.by_token(&other, Method::GET, &own, json!(null)).await;
    assert_eq!(refusal(foreign), (404, 10_008));
    assert_eq!(discord.by_token(&event, Method::DELETE, &own, json!(null)).await.0, 204);
    let again = discord.by_token(&event, Method::DELETE, &own, json!(null)).await;
    assert_eq!(refusal(again), (404, 10_008));
    assert_eq!(discord.sees(&event, "").await["followups"], json!([]));
}
