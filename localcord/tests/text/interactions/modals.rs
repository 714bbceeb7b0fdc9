//! Modals: opened by answers, filled in and submitted by humans.

use localcord::world::default::{ADA, BEN, GUILD, LOUNGE};
use reqwest::Method;
use serde_json::{Value, json};

use super::{EPHEMERAL, code_at, text};
use crate::discord::{Discord, id, refusal};

fn label(component: Value) -> Value {
    json!({ "type": 18, "label": "l", "component": component })
}

fn input(custom_id: &str) -> Value {
    json!({ "type": 4, "custom_id": custom_id, "style": 2 })
}

fn modal(components: Value) -> Value {
    let data = json!({ "title": "Form", "custom_id": "form", "components": components });
    json!({ "type": 9, "data": data })
}

impl Discord {
    /// Ada clicks a button and gets a modal; the event of the click.
    async fn opens_form(&mut self, components: Value) -> Value {
        let sent = self.posts_button().await;
        let event = self.clicks(ADA, &sent, "go").await;
        let (status, told) = self.answers(&event, modal(components)).await;
        assert_eq!(status, 204, "{told}");
        event
    }

    async fn submits(&mut self, opener: &Value, values: Value) -> Value {
        let body = json!({ "interaction_id": opener["id"], "values": values });
        self.does(ADA, "modals", body).await
    }

    /// What keeps a human from submitting: status and words.
    async fn cannot_submit(&self, human: u64, opener: &Value, values: Value) -> (u16, String) {
        let body = json!({ "interaction_id": opener["id"], "values": values });
        let path = format!("/humans/{human}/modals");
        let (status, told) = self.control(Method::POST, &path, body).await;
        (status, told["error"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned())
    }
}

#[tokio::test]
async fn a_form_is_filled_in_field_by_field() {
    let mut discord = Discord::new().await;
    let options = json!([{ "label": "A", "value": "a" }, { "label": "B", "value": "b" }]);
    let opener = discord
        .opens_form(json!([
            text("about it"),
            label(input("text")),
            label(json!({ "type": 3, "custom_id": "string", "options": options })),
            label(json!({ "type": 7, "custom_id": "whom", "max_values": 2 })),
            label(json!({ "type": 19, "custom_id": "files", "max_values": 2 })),
        ]))
        .await;
    let seen = discord.sees(&opener, "").await;
    assert_eq!((&seen["state"], &seen["type"]), (&json!("answered"), &json!(9)));
    assert_eq!((&seen["modal"]["title"], &seen["message"]), (&json!("Form"), &Value::Null));
    assert_eq!(seen["modal"]["components"][1]["component"]["id"], 3);
    assert_eq!(seen["modal"]["components"][1]["component"]["required"], true);

    let event = discord
        .submits(
            &opener,
            json!({
                "text": "two\nlines",
                "string": ["b"],
                "whom": [BEN.to_string(), GUILD.to_string()],
                "files": [{ "name": "a.txt", "text": "hello", "content_type": "text/plain" }],
            }),
        )
        .await;
    assert_eq!((&event["type"], &event["data"]["custom_id"]), (&json!(5), &json!("form")));
    assert_eq!(event["message"]["id"], opener["message"]["id"]);
    let data = &event["data"];
    let file = data["components"][4]["component"]["values"][0].as_str().unwrap().to_owned();
    let field = |number: u64, kind: u64, custom_id: &str, name: &str, value: Value| {
        json!({ "type": 18, "id": number - 1, "component": {
            "type": kind, "id": number, "custom_id": custom_id, name: value } })
    };
    let whom = json!([BEN.to_string(), GUILD.to_string()]);
    assert_eq!(
        data["components"],
        json!([
            { "type": 10, "id": 1 },
            field(3, 4, "text", "value", json!("two\nlines")),
            field(5, 3, "string", "values", json!(["b"])),
            field(7, 7, "whom", "values", whom),
            field(9, 19, "files", "values", json!([file])),
        ])
    );
    let resolved = &data["resolved"];
    assert_eq!(resolved["users"][BEN.to_string()]["username"], "ben");
    assert_eq!(resolved["roles"][GUILD.to_string()]["name"], "@everyone");
    let attachment = &resolved["attachments"][&file];
    assert_eq!(
        (&attachment["filename"], &attachment["ephemeral"]),
        (&json!("a.txt"), &json!(true))
    );
    let url = attachment["url"].as_str().unwrap();
    let fetched = discord.client.get(url).send().await.unwrap().text().await.unwrap();
    assert_eq!(fetched, "hello");
}

#[tokio::test]
async fn groups_checkboxes_and_old_rows() {
    let mut discord = Discord::new().await;
    let options = json!([{ "label": "A", "value": "a" }, { "label": "B", "value": "b" }]);
    let mut old = input("old");
    old["label"] = "l".into();
    let radio = |id: &str, required: bool| {
        label(json!({ "type": 21, "custom_id": id, "options": options, "required": required }))
    };
    let opener = discord
        .opens_form(json!([
            { "type": 1, "components": [old] },
            radio("radio", true),
            radio("maybe", false),
            label(json!({ "type": 22, "custom_id": "group", "options": options })),
            label(json!({ "type": 23, "custom_id": "check", "default": true })),
        ]))
        .await;
    let values = json!({ "old": "x", "radio": "a", "group": ["a", "b"] });
    let event = discord.submits(&opener, values).await;
    let components = &event["data"]["components"];
    assert_eq!(
        components[0],
        json!({ "type": 1, "id": 1, "components": [
            { "type": 4, "id": 2, "custom_id": "old", "value": "x" }] })
    );
    for (at, field, expected) in [
        (1, "value", json!("a")),
        (2, "value", json!(null)),
        (3, "values", json!(["a", "b"])),
        (4, "value", json!(true)),
    ] {
        assert_eq!(components[at]["component"][field], expected, "{at}");
    }
    assert!(event["data"].get("resolved").is_none());
}

#[tokio::test]
async fn the_client_submits_no_wrong_values() {
    let mut discord = Discord::new().await;
    let mut short = input("text");
    (short["min_length"], short["max_length"]) = (2.into(), 4.into());
    let voice = json!({ "type": 8, "custom_id": "where", "channel_types": [0] });
    let opener = discord.opens_form(json!([label(short), label(voice)])).await;
    for (values, words) in [
        (json!({}), "`text` takes 2 to 4 characters, not 0"),
        (json!({ "text": "long text" }), "`text` takes 2 to 4 characters, not 9"),
        (json!({ "text": "ok" }), "`where` takes 1 to 1 values, not 0"),
        (json!({ "text": "ok", "where": [LOUNGE.to_string()] }), "is not offered in `where`"),
        (json!({ "other": "x" }), "there is no field `other`"),
    ] {
        let (status, told) = discord.cannot_submit(ADA, &opener, values).await;
        assert_eq!(status, 400);
        assert!(told.ends_with(words), "{told}");
    }
    assert_eq!(discord.cannot_submit(BEN, &opener, json!({})).await.0, 404, "it is not ben's");
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let (status, told) = discord.cannot_submit(ADA, &event, json!({})).await;
    assert_eq!((status, told.as_str()), (409, "that interaction opened no modal"));
}

#[tokio::test]
async fn a_modal_closes_when_its_submission_is_answered() {
    let mut discord = Discord::new().await;
    let opener = discord.opens_form(json!([label(input("text"))])).await;
    let values = json!({ "text": "x" });
    let event = discord.submits(&opener, values.clone()).await;
    let (status, told) = discord.cannot_submit(ADA, &opener, values.clone()).await;
    assert_eq!((status, told.as_str()), (409, "that modal is being submitted"));
    // Nothing came in time: the human can try again.
    let seen = discord.sees(&event, "?wait=true").await;
    assert_eq!(
        (&seen["state"], &seen["failure"]),
        (&json!("failed"), &json!("Something went wrong. Try again."))
    );
    let event = discord.submits(&opener, values.clone()).await;
    // No modal follows a modal.
    let (_, refused) = discord.answers(&event, modal(json!([label(input("more"))]))).await;
    assert_eq!(code_at(&refused, "/type"), "INTERACTION_CALLBACK_TYPE_INVALID");
    let update = json!({ "type": 7, "data": { "content": "thanks", "components": [] } });
    let told = discord.answers_aloud(&event, update).await;
    assert_eq!(told["resource"]["message"]["id"], opener["message"]["id"]);
    let (status, told) = discord.cannot_submit(ADA, &opener, values).await;
    assert_eq!((status, told.as_str()), (409, "that modal was submitted and is closed"));
}

#[tokio::test]
async fn a_modal_opens_before_anything_else_is_answered() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    for first in [json!({ "type": 5 }), json!({ "type": 6 })] {
        let event = discord.clicks(ADA, &sent, "go").await;
        assert_eq!(discord.answers(&event, first).await.0, 204);
        let late = discord.answers(&event, modal(json!([label(input("text"))]))).await;
        assert_eq!(refusal(late), (400, 40_060));
    }
}

#[tokio::test]
async fn a_modal_of_a_command_has_no_message_to_update() {
    let mut discord = Discord::new().await;
    discord.registers(json!({ "name": "form", "description": "d" })).await;
    let opener = discord.does(ADA, "commands", json!({ "name": "form" })).await;
    assert_eq!(discord.answers(&opener, modal(json!([label(input("text"))]))).await.0, 204);
    let event = discord.submits(&opener, json!({ "text": "x" })).await;
    assert!(event.get("message").is_none());
    let update = json!({ "type": 7, "data": { "content": "x" } });
    let (_, refused) = discord.answers(&event, update).await;
    assert_eq!(code_at(&refused, "/type"), "INTERACTION_CALLBACK_TYPE_INVALID");
    let answer = json!({ "type": 4, "data": { "content": "thanks", "flags": EPHEMERAL } });
    let told = discord.answers_aloud(&event, answer).await;
    let metadata = &told["resource"]["message"]["interaction_metadata"];
    assert_eq!((&metadata["type"], &metadata["id"]), (&json!(5), &event["id"]));
    let opened_by = &metadata["triggering_interaction_metadata"];
    assert_eq!((&opened_by["name"], &opened_by["id"]), (&json!("form"), &opener["id"]));
    assert_eq!(id(&discord.sees(&event, "").await["message"]), id(&told["resource"]["message"]));
}
