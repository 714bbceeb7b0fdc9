//! Components, modals, commands, and the answers to all of them.

mod callbacks;
mod clicks;
mod commands;
mod components;
mod edits;
mod faults;
mod modals;

use localcord::world::default::{ADA, APPLICATION, GENERAL};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, read};

/// The flag of messages that are made of components alone.
const COMPONENTS_V2: u64 = 1 << 15;
const EPHEMERAL: u64 = 1 << 6;
const MESSAGES: &str = "/channels/1100000000000000011/messages";

fn button(custom_id: &str) -> Value {
    json!({ "type": 2, "style": 1, "label": custom_id, "custom_id": custom_id })
}

fn row(children: Value) -> Value {
    json!({ "type": 1, "components": children })
}

fn text(content: &str) -> Value {
    json!({ "type": 10, "content": content })
}

/// What is wrong at a place in the tree of a refused form: its code.
fn code_at(refused: &Value, pointer: &str) -> String {
    assert_eq!(refused["code"], 50_035, "{refused}");
    let code = refused["errors"].pointer(&format!("{pointer}/_errors/0/code"));
    let code = code.unwrap_or_else(|| panic!("nothing at {pointer}: {refused}"));
    code.as_str().unwrap().to_owned()
}

impl Discord {
    /// The bot posts a message in GENERAL.
    async fn posts(&self, body: Value) -> Value {
        let (status, message) = self.bot(Method::POST, MESSAGES, body).await;
        assert_eq!(status, 200, "{message}");
        message
    }

    /// A message with one button.
    async fn posts_button(&self) -> Value {
        self.posts(json!({ "content": "text", "components": [row(json!([button("go")]))] })).await
    }

    /// A human does something with an application; the event that its bot gets.
    async fn does(&mut self, human: u64, what: &str, body: Value) -> Value {
        self.events();
        let path = format!("/humans/{human}/{what}");
        let (status, told) = self.control(Method::POST, &path, body).await;
        assert_eq!(status, 202, "{told}");
        self.event("INTERACTION_CREATE")
    }

    /// A human clicks a button of a message in GENERAL; the event.
    async fn clicks(&mut self, human: u64, message: &Value, custom_id: &str) -> Value {
        self.does(human, "components", use_of(message, custom_id)).await
    }

    /// What keeps a human from using a component: status and words.
    async fn cannot_use(&self, human: u64, body: Value) -> (u16, String) {
        let path = format!("/humans/{human}/components");
        let (status, told) = self.control(Method::POST, &path, body).await;
        (status, told["error"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned())
    }

    /// The bot answers an interaction.
    async fn answers(&self, event: &Value, body: Value) -> (u16, Value) {
        self.anyone(Method::POST, &callback(event), body).await
    }

    /// The same with `?with_response=true`.
    async fn answers_aloud(&self, event: &Value, body: Value) -> Value {
        let path = format!("{}?with_response=true", callback(event));
        let (status, told) = self.anyone(Method::POST, &path, body).await;
        assert_eq!(status, 200, "{told}");
        told
    }

    /// The bot calls a route below its interaction's webhook.
    async fn by_token(
        &self,
        event: &Value,
        method: Method,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let token = event["token"].as_str().unwrap();
        self.anyone(method, &format!("/webhooks/{APPLICATION}/{token}{path}"), body).await
    }

    /// What ada sees of an interaction.
    async fn sees(&self, event: &Value, query: &str) -> Value {
        let path = format!("/humans/{ADA}/interactions/{}{query}", id(event));
        let (status, seen) = self.control(Method::GET, &path, json!(null)).await;
        assert_eq!(status, 200, "{seen}");
        seen
    }

    /// The bot registers a command everywhere.
    async fn registers(&self, command: Value) {
        let path = format!("/applications/{APPLICATION}/commands");
        let (status, told) = self.bot(Method::POST, &path, command).await;
        assert_eq!(status, 201, "{told}");
    }

    /// The bot sends JSON with a file beside it.
    async fn sends_file(
        &self,
        method: Method,
        path: &str,
        json: Value,
        (name, content): (&str, &str),
    ) -> (u16, Value) {
        let body = format!(
            "--x\r\ncontent-disposition: form-data; name=\"payload_json\"\r\n\
             content-type: application/json\r\n\r\n{json}\r\n\
             --x\r\ncontent-disposition: form-data; name=\"files[0]\"; filename=\"{name}\"\r\n\
             content-type: text/plain\r\n\r\n{content}\r\n--x--\r\n"
        );
        let url = format!("{}{path}", self.server.api_base_url());
        let request = self.client.request(method, url).body(body);
        let request = request.header("content-type", "multipart/form-data; boundary=x");
        read(request.header("authorization", format!("Bot {}", self.server.bot_token()))).await
    }
}

fn use_of(message: &Value, custom_id: &str) -> Value {
    json!({
        "channel_id": GENERAL.to_string(),
        "message_id": message["id"],
        "custom_id": custom_id,
    })
}

/// The path of an interaction's first answer.
fn callback(event: &Value) -> String {
    format!("/interactions/{}/{}/callback", id(event), event["token"].as_str().unwrap())
}
