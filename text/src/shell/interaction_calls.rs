//! Answers to interactions. Source: Discord, "Receiving and Responding".

use clawvoice_config::ChunkMode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use twilight_http::{request::RequestBuilder, routing::Route};

use super::rest::{Rest, RestFailure};
use crate::{
    command::SlashReply,
    delivery::chunk::{ChunkLimits, chunk},
};

/// Message flag: only whoever caused the message sees it.
const EPHEMERAL: u64 = 1 << 6;

/// Message flag: nothing but components.
const COMPONENTS_V2: u64 = 1 << 15;

/// Longest message content Discord takes, in characters.
const MAX_CONTENT: usize = 2_000;

/// Most lines of a message.
const MAX_LINES: usize = 60;

/// Interaction callback types. Source: Discord, "Interaction Callback Type".
const DEFERRED_MESSAGE: u64 = 5;
const DEFERRED_UPDATE: u64 = 6;
const UPDATE: u64 = 7;
const CHOICES: u64 = 8;

/// What is said where a command says nothing.
const DONE: &str = "✅ Done.";

/// An interaction that is answered.
#[derive(Clone, Copy)]
pub(super) struct Answering<'a> {
    pub(super) rest: &'a Rest,
    pub(super) application: u64,
    pub(super) interaction: u64,
    pub(super) token: &'a SecretString,
}

impl Answering<'_> {
    /// First answer to a command: "thinking"; `private`: for whoever typed it only.
    pub(super) async fn defer(&self, private: bool) -> Result<(), RestFailure> {
        let flags = if private { EPHEMERAL } else { 0 };
        self.call_back(&json!({ "type": DEFERRED_MESSAGE, "data": { "flags": flags } })).await
    }

    /// First answer to a click: it was seen, and nothing changes yet.
    pub(super) async fn acknowledge(&self) -> Result<(), RestFailure> {
        self.call_back(&json!({ "type": DEFERRED_UPDATE })).await
    }

    /// First answer to a click: the message becomes this.
    pub(super) async fn update(&self, text: &str) -> Result<(), RestFailure> {
        let data = json!({
            "content": text, "components": [], "allowed_mentions": { "parse": [] },
        });
        self.call_back(&json!({ "type": UPDATE, "data": data })).await
    }

    /// Answer to somebody who is typing.
    pub(super) async fn offer(&self, choices: &[String]) -> Result<(), RestFailure> {
        let choices = choices.iter().map(|it| json!({ "name": it, "value": it }));
        let data = json!({ "choices": choices.collect::<Vec<Value>>() });
        self.call_back(&json!({ "type": CHOICES, "data": data })).await
    }

    /// Puts the reply in the place of "thinking"; what is longer than a message follows it.
    pub(super) async fn answer(
        &self,
        reply: &SlashReply,
        private: bool,
    ) -> Result<(), RestFailure> {
        if let (SlashReply::Denied(text), false) = (reply, private) {
            return self.deny(text).await;
        }
        let mut bodies = bodies(reply).into_iter();
        if let Some(first) = bodies.next() {
            self.edit(&first).await?;
        }
        for body in bodies {
            self.follow_up(body, private).await?;
        }
        Ok(())
    }

    /// Says it in messages of its own, to whoever clicked only.
    pub(super) async fn follow_with(&self, reply: &SlashReply) -> Result<(), RestFailure> {
        for body in bodies(reply) {
            self.follow_up(body, true).await?;
        }
        Ok(())
    }

    /// The message that was answered with, or that bears the component, becomes this.
    pub(super) async fn edit(&self, body: &Value) -> Result<(), RestFailure> {
        let path = Route::UpdateInteractionOriginal {
            application_id: self.application,
            interaction_token: self.token.expose_secret(),
        };
        self.send("PATCH /webhooks/{id}/messages/@original", &path, Some(body)).await
    }

    /// "Thinking" was for all to see, and a refusal is not.
    async fn deny(&self, text: &str) -> Result<(), RestFailure> {
        let path = Route::DeleteInteractionOriginal {
            application_id: self.application,
            interaction_token: self.token.expose_secret(),
        };
        let body = words(text);
        match self.send("DELETE /webhooks/{id}/messages/@original", &path, None).await {
            Ok(()) => self.follow_up(body, true).await,
            Err(_) => self.edit(&body).await,
        }
    }

    async fn follow_up(&self, mut body: Value, private: bool) -> Result<(), RestFailure> {
        let path = Route::ExecuteWebhook {
            webhook_id: self.application,
            token: self.token.expose_secret(),
            thread_id: None,
            wait: None,
            with_components: None,
        };
        if private {
            body["flags"] = (body["flags"].as_u64().unwrap_or(0) | EPHEMERAL).into();
        }
        self.send("POST /webhooks/{id}", &path, Some(&body)).await
    }

    async fn call_back(&self, body: &Value) -> Result<(), RestFailure> {
        let path = Route::InteractionCallback {
            interaction_id: self.interaction,
            interaction_token: self.token.expose_secret(),
            with_response: false,
        };
        self.send("POST /interactions/{id}/callback", &path, Some(body)).await
    }

    /// The interaction's own token is all that it needs.
    async fn send(
        &self,
        what: &'static str,
        path: &Route<'_>,
        body: Option<&Value>,
    ) -> Result<(), RestFailure> {
        let request = RequestBuilder::new(path).use_authorization_token(false);
        let request = body.into_iter().fold(request, |request, body| request.json(body));
        self.rest.built(what, request).await.map(drop)
    }
}

/// The messages of a reply, at least one.
fn bodies(reply: &SlashReply) -> Vec<Value> {
    let text = match reply {
        SlashReply::Shown(body) => return vec![quiet(body.clone())],
        SlashReply::Said(text) | SlashReply::Denied(text) => text.as_str(),
    };
    let text = if text.trim().is_empty() { DONE } else { text };
    let limits = ChunkLimits::of(MAX_CONTENT, MAX_LINES, ChunkMode::Length);
    chunk(text, &limits).iter().map(|part| words(part)).collect()
}

fn words(text: &str) -> Value {
    quiet(json!({ "content": text }))
}

/// Mentions nobody; a message of components alone says that it is one.
fn quiet(mut body: Value) -> Value {
    body["allowed_mentions"] = json!({ "parse": [] });
    let container = body.pointer("/components/0/type").and_then(Value::as_u64);
    if container == Some(17) {
        body["flags"] = COMPONENTS_V2.into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_at_least_one_message_and_mentions_nobody() {
        let said = |text: &str| bodies(&SlashReply::Said(text.to_owned()));
        assert_eq!(
            said("@everyone"),
            [json!({"content": "@everyone", "allowed_mentions": {"parse": []}})]
        );
        for empty in ["", " \n "] {
            assert_eq!(said(empty)[0]["content"], "✅ Done.");
        }
        let long = said(&"word ".repeat(900));
        assert_eq!(long.len(), 3);
        assert!(long.iter().all(|it| it["content"].as_str().unwrap().chars().count() <= 2_000));
        let denied = bodies(&SlashReply::Denied("no".to_owned()));
        assert_eq!(denied[0]["content"], "no");
    }

    #[test]
    fn a_container_is_said_to_be_one() {
        let shown = |components| {
            bodies(&SlashReply::Shown(json!({ "components": components })))[0]["flags"].clone()
        };
        assert_eq!(shown(json!([{ "type": 17, "components": [] }])), 32_768);
        assert_eq!(shown(json!([{ "type": 1, "components": [] }])), Value::Null);
    }
}
