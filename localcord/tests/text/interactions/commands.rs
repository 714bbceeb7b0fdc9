//! Slash commands with options of all types, and their autocomplete.

use localcord::world::{
    bits,
    default::{ADA, BEN, BOT_USER, GENERAL, GUILD},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::code_at;
use crate::discord::{Discord, id};

fn option(name: &str, kind: u64) -> Value {
    json!({ "name": name, "description": "d", "type": kind })
}

/// A command with one option of each type.
fn everything() -> Value {
    let kinds = [
        ("string", 3),
        ("integer", 4),
        ("boolean", 5),
        ("user", 6),
        ("channel", 7),
        ("role", 8),
        ("mentionable", 9),
        ("number", 10),
        ("file", 11),
    ];
    let options: Vec<Value> = kinds.iter().map(|(name, kind)| option(name, *kind)).collect();
    json!({ "name": "all", "description": "d", "options": options })
}

#[tokio::test]
async fn options_of_all_types_reach_the_bot() {
    let mut discord = Discord::new().await;
    discord.registers(everything()).await;
    let options = json!({
        "string": "text",
        "integer": -5,
        "boolean": true,
        "user": BEN.to_string(),
        "channel": GENERAL.to_string(),
        "role": GUILD.to_string(),
        "mentionable": BOT_USER.to_string(),
        "number": 5.5,
        "file": { "name": "a.txt", "text": "hello", "content_type": "text/plain" },
    });
    let event = discord.does(ADA, "commands", json!({ "name": "all", "options": options })).await;
    let data = &event["data"];
    let value =
        |at: usize| (data["options"][at]["type"].clone(), data["options"][at]["value"].clone());
    for (at, expected) in [
        (0, (json!(3), json!("text"))),
        (1, (json!(4), json!(-5))),
        (2, (json!(5), json!(true))),
        (3, (json!(6), json!(BEN.to_string()))),
        (7, (json!(10), json!(5.5))),
    ] {
        assert_eq!(value(at), expected);
    }
    let file = data["options"][8]["value"].as_str().unwrap();
    let resolved = &data["resolved"];
    assert_eq!(resolved["attachments"][file]["filename"], "a.txt");
    assert_eq!(resolved["users"].as_object().unwrap().len(), 2);
    assert_eq!(resolved["members"].as_object().unwrap().len(), 2);
    assert_eq!(resolved["channels"][GENERAL.to_string()]["name"], "general");
    assert_eq!(resolved["roles"][GUILD.to_string()]["name"], "@everyone");
    let url = resolved["attachments"][file]["url"].as_str().unwrap();
    let fetched = discord.client.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(fetched, "hello");
}

#[tokio::test]
async fn the_client_does_not_send_what_is_not_there() {
    let discord = Discord::new().await;
    discord.registers(everything()).await;
    let path = format!("/humans/{BEN}/commands");
    for options in [
        json!({ "user": "404" }),
        json!({ "channel": "404" }),
        json!({ "role": BEN.to_string() }),
        json!({ "mentionable": "404" }),
        json!({ "integer": 5.5 }),
        json!({ "boolean": "true" }),
        json!({ "file": "5" }),
        json!({ "other": "x" }),
    ] {
        let body = json!({ "name": "all", "options": options });
        let (status, told) = discord.control(Method::POST, &path, body).await;
        assert_eq!(status, 400, "{options} {told}");
    }
    for (name, more, good) in [
        ("owners", json!({ "default_member_permissions": "0" }), false),
        ("writers", json!({ "default_member_permissions": bits::SEND_MESSAGES.to_string() }), true),
        ("private", json!({ "contexts": [1] }), false),
        ("adults", json!({ "nsfw": true }), false),
    ] {
        let mut command = json!({ "name": name, "description": "d" });
        for (field, value) in more.as_object().unwrap() {
            command[field] = value.clone();
        }
        discord.registers(command).await;
        let (status, told) = discord.control(Method::POST, &path, json!({ "name": name })).await;
        assert_eq!(status, if good { 202 } else { 403 }, "{name} {told}");
    }
    discord.deny(BEN, GENERAL, bits::USE_APPLICATION_COMMANDS);
    let body = json!({ "name": "writers" });
    assert_eq!(discord.control(Method::POST, &path, body).await.0, 403);
}

#[tokio::test]
async fn an_option_is_completed_while_it_is_typed() {
    let mut discord = Discord::new().await;
    let mut level = option("level", 3);
    level["autocomplete"] = true.into();
    level["required"] = true.into();
    let mut count = option("count", 4);
    count["autocomplete"] = true.into();
    let sub = json!({ "name": "set", "description": "d", "type": 1, "options": [level, count] });
    discord.registers(json!({ "name": "think", "description": "d", "options": [sub] })).await;
    let typed = json!({ "name": "think", "focused": "level",
        "options": { "set": { "level": "hi" } } });
    let event = discord.does(ADA, "autocomplete", typed.clone()).await;
    assert_eq!(event["type"], 4);
    let inner = &event["data"]["options"][0]["options"];
    let expected = json!([{ "name": "level", "type": 3, "value": "hi", "focused": true }]);
    assert_eq!(inner, &expected);
    let choices = |values: Value| json!({ "type": 8, "data": { "choices": values } });
    let choice = json!({ "name": "High", "value": "high" });
    let many = Value::from(vec![choice.clone(); 26]);
    for (body, pointer, code) in [
        (choices(many), "/data/choices", "BASE_TYPE_MAX_LENGTH"),
        (
            choices(json!([{ "name": "High", "value": 5 }])),
            "/data/choices/0/value",
            "STRING_TYPE_CONVERT",
        ),
        (
            json!({ "type": 4, "data": { "content": "x" } }),
            "/type",
            "INTERACTION_CALLBACK_TYPE_INVALID",
        ),
    ] {
        let (_, refused) = discord.answers(&event, body).await;
        assert_eq!(code_at(&refused, pointer), code);
    }
    assert_eq!(discord.answers(&event, choices(json!([choice]))).await.0, 204);
    let seen = discord.sees(&event, "?wait=true").await;
    assert_eq!((&seen["kind"], &seen["choices"]), (&json!("autocomplete"), &json!([choice])));

    let number = json!({ "name": "think", "focused": "count",
        "options": { "set": { "count": "1" } } });
    let event = discord.does(ADA, "autocomplete", number).await;
    let (_, refused) = discord.answers(&event, choices(json!([choice]))).await;
    assert_eq!(code_at(&refused, "/data/choices/0/value"), "NUMBER_TYPE_COERCE");
    assert_eq!(discord.answers(&event, choices(json!([{ "name": "1", "value": 1 }]))).await.0, 204);
    for wrong in [
        json!({ "name": "think", "options": typed["options"] }),
        json!({ "name": "think", "focused": "other", "options": typed["options"] }),
    ] {
        let path = format!("/humans/{ADA}/autocomplete");
        assert_eq!(discord.control(Method::POST, &path, wrong).await.0, 400);
    }
}

#[tokio::test]
async fn the_answer_to_a_command_names_it() {
    let mut discord = Discord::new().await;
    let sub = json!({ "name": "join", "description": "d", "type": 1 });
    discord.registers(json!({ "name": "vc", "description": "d", "options": [sub] })).await;
    let called = json!({ "name": "vc", "options": { "join": {} } });
    let event = discord.does(ADA, "commands", called).await;
    let answer = json!({ "type": 4, "data": { "content": "joined" } });
    let told = discord.answers_aloud(&event, answer).await;
    let message = &told["resource"]["message"];
    assert_eq!(
        (&message["type"], &message["interaction_metadata"]["name"]),
        (&json!(20), &json!("vc join"))
    );
    assert!(message.get("message_reference").is_none());
    assert_eq!(discord.sees(&event, "").await["message"]["id"], id(message));
}
