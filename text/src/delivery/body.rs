//! The JSON of a message.
//!
//! Source: Discord, "Create Message", "Edit Message", "Allowed Mentions Object".

use clawvoice_session::MessageId;
use serde_json::{Map, Value, json};

/// Links show no preview.
const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// Notifies nobody.
const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;

/// Whom a message may ping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pings {
    /// Users and roles that it mentions. `@everyone` and `@here` never ping: any model can be
    /// talked into writing them.
    #[default]
    UsersAndRoles,
    /// Nobody: what is still being written.
    Nobody,
}

/// What is in a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<'a> {
    /// The text; empty beside files.
    pub text: &'a str,
    /// Whom it may ping.
    pub pings: Pings,
    /// `suppressEmbeds`. Without effect where there are embeds.
    pub suppress_embeds: bool,
    /// Embeds that are part of the message.
    pub embeds: &'a [Value],
    /// Buttons, menus and the like.
    pub components: &'a [Value],
}

/// A message that is to be created.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewMessage<'a> {
    /// What is in it.
    pub content: Content<'a>,
    /// Notifies nobody.
    pub silent: bool,
    /// The message that it replies to. One that is gone is no reason to say nothing.
    pub reply_to: Option<MessageId>,
    /// 24 hexadecimal digits by chance, the same when it is tried again: so it is there once.
    pub nonce: &'a str,
}

impl NewMessage<'_> {
    /// The body of `POST /channels/{id}/messages`.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut fields = self.unmarked();
        fields.insert("nonce".to_owned(), self.nonce.into());
        fields.insert("enforce_nonce".to_owned(), true.into());
        if let Some(message) = self.reply_to {
            let reference =
                json!({ "message_id": message.to_string(), "fail_if_not_exists": false });
            fields.insert("message_reference".to_owned(), reference);
        }
        Value::Object(fields)
    }

    /// What it is wherever it is created.
    pub(super) fn unmarked(&self) -> Map<String, Value> {
        let mut fields = self.content.fields();
        let silent = if self.silent { SUPPRESS_NOTIFICATIONS } else { 0 };
        let flags = self.content.flags() | silent;
        if flags != 0 {
            fields.insert("flags".to_owned(), flags.into());
        }
        fields
    }
}

impl Content<'_> {
    /// The body of `PATCH /channels/{id}/messages/{id}`.
    #[must_use]
    pub fn edit_body(&self) -> Value {
        let mut fields = self.fields();
        fields.insert("flags".to_owned(), self.flags().into());
        Value::Object(fields)
    }

    fn fields(&self) -> Map<String, Value> {
        let parse: &[&str] = match self.pings {
            Pings::UsersAndRoles => &["users", "roles"],
            Pings::Nobody => &[],
        };
        let mut fields = Map::new();
        fields.insert("content".to_owned(), self.text.into());
        fields.insert("allowed_mentions".to_owned(), json!({ "parse": parse }));
        for (name, items) in [("embeds", self.embeds), ("components", self.components)] {
            if !items.is_empty() {
                fields.insert(name.to_owned(), items.into());
            }
        }
        fields
    }

    const fn flags(&self) -> u64 {
        if self.suppress_embeds && self.embeds.is_empty() { SUPPRESS_EMBEDS } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &str = "000102030405060708090a0b";

    fn text(text: &str) -> Content<'_> {
        Content { text, suppress_embeds: true, ..Content::default() }
    }

    /// Scenario 56 of the text scenarios.
    #[test]
    fn everyone_is_never_pinged() {
        for pings in [Pings::UsersAndRoles, Pings::Nobody] {
            let content = Content { pings, ..text("@everyone @here") };
            let message = NewMessage { content, nonce: NONCE, ..NewMessage::default() };
            for body in [message.body(), content.edit_body()] {
                let parse = body["allowed_mentions"]["parse"].as_array().unwrap();
                assert!(!parse.contains(&json!("everyone")), "{body}");
            }
        }
    }

    /// Scenario 49 of the text scenarios, as far as the message goes: it is the same message when
    /// it is tried again.
    #[test]
    fn a_message_has_a_nonce() {
        let message = NewMessage { content: text("hi"), nonce: NONCE, ..NewMessage::default() };
        let expected = json!({
            "content": "hi",
            "allowed_mentions": { "parse": ["users", "roles"] },
            "flags": 4,
            "nonce": NONCE,
            "enforce_nonce": true,
        });
        assert_eq!(message.body(), expected);
    }

    /// Scenario 47 of the text scenarios, as far as the message goes.
    #[test]
    fn a_reply_to_what_is_gone_is_sent_all_the_same() {
        let reply_to = Some(MessageId::new(1));
        let message = NewMessage { content: text("hi"), silent: true, reply_to, nonce: NONCE };
        let body = message.body();
        let reference = json!({ "message_id": "1", "fail_if_not_exists": false });
        assert_eq!(body["message_reference"], reference);
        assert_eq!(body["flags"], 4 + 4096);
    }

    #[test]
    fn embeds_of_its_own_are_shown() {
        let embeds = [json!({ "title": "t" })];
        let content = Content { embeds: &embeds, ..text("") };
        let message = NewMessage { content, nonce: NONCE, ..NewMessage::default() };
        let body = message.body();
        assert_eq!((body.get("flags"), &body["embeds"]), (None, &json!([{ "title": "t" }])));
        assert_eq!(content.edit_body()["flags"], 0);
    }

    #[test]
    fn a_draft_pings_nobody() {
        let draft = Content { pings: Pings::Nobody, ..text("<@1> wait") };
        let expected =
            json!({ "content": "<@1> wait", "allowed_mentions": { "parse": [] }, "flags": 4 });
        assert_eq!(draft.edit_body(), expected);
    }
}
