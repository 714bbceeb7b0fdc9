//! Pinned messages.

use localcord::world::{
    bits,
    default::{ADA, BEN, BOT_USER, GENERAL},
};
use reqwest::Method;
use serde_json::json;

use super::discord::{Discord, id, refusal};

#[tokio::test]
async fn pins_are_set_listed_and_taken_away() {
    let mut discord = Discord::new().await;
    let said = discord.says(ADA, GENERAL, "keep this").await;
    let messages = format!("/channels/{GENERAL}/messages");
    let pin = format!("{messages}/pins/{}", id(&said));
    assert_eq!(refusal(discord.bot(Method::PUT, &pin, json!(null)).await), (403, 50_013));
    discord.allow(BOT_USER, GENERAL, bits::PIN_MESSAGES);
    discord.events();
    assert_eq!(discord.bot(Method::PUT, &pin, json!(null)).await.0, 204);
    let events = discord.events();
    let names: Vec<_> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["MESSAGE_UPDATE", "CHANNEL_PINS_UPDATE", "MESSAGE_CREATE"]);
    assert_eq!(
        (&events[0].1["pinned"], events[1].1["last_pin_timestamp"].is_string()),
        (&json!(true), true)
    );
    let note = &events[2].1;
    assert_eq!((&note["type"], &note["author"]["id"]), (&json!(6), &json!(BOT_USER.to_string())));
    assert_eq!(note["message_reference"]["message_id"], said["id"]);
    assert_eq!(discord.bot(Method::PUT, &pin, json!(null)).await.0, 204, "again");
    assert_eq!(discord.names(), [""; 0]);

    let (_, pins) = discord.bot(Method::GET, &format!("{messages}/pins"), json!(null)).await;
    assert_eq!(
        (&pins["items"][0]["message"]["id"], &pins["has_more"]),
        (&said["id"], &json!(false))
    );
    assert!(pins["items"][0]["pinned_at"].is_string());
    let old = format!("/channels/{GENERAL}/pins");
    let (_, pins) = discord.bot(Method::GET, &old, json!(null)).await;
    assert_eq!((pins.as_array().unwrap().len(), &pins[0]["id"]), (1, &said["id"]));
    let pin = format!("{old}/{}", id(&said));
    assert_eq!(discord.bot(Method::DELETE, &pin, json!(null)).await.0, 204);
    assert_eq!(discord.bot(Method::GET, &old, json!(null)).await.1, json!([]));
    for (message, expected) in [("5".to_owned(), (404, 10_008)), (id(note), (403, 50_021))] {
        let pin = format!("{old}/{message}");
        assert_eq!(refusal(discord.bot(Method::PUT, &pin, json!(null)).await), expected);
    }
    let refused =
        discord.human(BEN, Method::PUT, &format!("{old}/{}", id(&said)), json!(null)).await;
    assert_eq!(refusal(refused), (403, 50_013));
}
