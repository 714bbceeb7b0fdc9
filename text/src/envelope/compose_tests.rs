//! Whole envelopes.

use clawvoice_session::{ChannelId, MessageId, UserId};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Chat, Envelope, Forwarded, Marker, Quoted, Sender, Starter, TurnContext, compose};
use crate::{
    history::{Entry, Pending},
    message::Attachment,
};

static ZONE: TimeZone = TimeZone::UTC;

/// The marker of these tests.
pub(super) fn marker() -> Marker {
    Marker::new(*b"0123456789abcdef")
}

/// Ada mentions the agent in `#general` of `Guild`.
pub(super) fn turn() -> TurnContext<'static> {
    TurnContext {
        account: "default",
        surface: "discord",
        channel: ChannelId::new(5),
        chat: Chat::Channel { guild: "Guild", name: "general" },
        system_prompt: None,
        skills: None,
        topic: None,
        forum_parent: None,
        sender: Sender { id: "7", label: "Ada", name: "Ada", username: "ada", tag: "ada" },
        message: MessageId::new(9),
        batch: &[],
        at_ms: 1_767_648_400_000,
        elapsed_ms: Some(125_000),
        zone: &ZONE,
        shows_timestamp: true,
        shows_elapsed: true,
        was_mentioned: true,
        reply: None,
        starter: None,
        forwarded: &[],
        history: &[],
        events: &[],
        body: "hello",
        notes: &[],
    }
}

pub(super) fn entry(id: u64, label: &str, body: &str) -> Entry {
    Entry {
        message: MessageId::new(id),
        sender: UserId::new(8),
        plural: None,
        label: label.to_owned(),
        body: body.to_owned(),
        attachments: Vec::new(),
    }
}

/// A turn that has all there is.
pub(super) fn with_everything(test: impl FnOnce(&TurnContext<'_>)) {
    let skills = ["weather".to_owned(), "notes".to_owned()];
    let file = serde_json::from_value::<Attachment>(json!({ "filename": "a.png" })).unwrap();
    let history = [
        entry(2, "Bob", "first\n```json\nx\n```"),
        Entry { attachments: vec![file], ..entry(3, "Eve", "") },
    ];
    let events = ["Discord reaction added: 👍 by bob on guild #general msg 3".to_owned()];
    let forwarded = [Forwarded { from: Some("Eve"), body: "forwarded words" }];
    let notes = ["[discord attachment unavailable]".to_owned()];
    test(&TurnContext {
        chat: Chat::Thread { guild: "Guild", name: "Help me", parent: "forum" },
        system_prompt: Some("Be brief.\n\nBe kind."),
        skills: Some(&skills),
        topic: Some("Ask anything"),
        forum_parent: Some("Fo Rum"),
        batch: &[MessageId::new(8), MessageId::new(9)],
        reply: Some(Quoted {
            message: MessageId::new(4),
            sender: "Bob",
            body: "quoted words",
            is_quote: true,
        }),
        starter: Some(Starter { sender: "Bob", body: "started words" }),
        forwarded: &forwarded,
        history: &history,
        events: &events,
        body: "hello\nworld",
        notes: &notes,
        ..turn()
    });
}

/// The JSON behind a label; nothing, if there is no such block.
pub(super) fn json_of(text: &str, label: &str) -> Value {
    let Some((_, after)) = text.split_once(&format!("{label}\n```json\n")) else {
        return Value::Null;
    };
    let (json, _) = after.split_once("\n```\n").unwrap();
    serde_json::from_str(json).unwrap()
}

#[test]
fn a_direct_message() {
    let envelope =
        compose(&TurnContext { chat: Chat::Direct, elapsed_ms: None, ..turn() }, &marker());
    let code = "30313233343536373839616263646566";
    let block = |text: &str| {
        format!("<<<CLAWVOICE_CONTEXT {code}>>>\n{text}\n<<<END_CLAWVOICE_CONTEXT {code}>>>")
    };
    let conversation = r#"Conversation info (untrusted metadata):
```json
{"conversation_label":"ada user id:7","message_id":"9","sender_id":"7","was_mentioned":true}
```"#;
    let sender = r#"Sender (untrusted metadata):
```json
{"id":"7","label":"Ada","name":"Ada","tag":"ada","username":"ada"}
```"#;
    let header = "[id:9 channel:5]\n[Discord ada user id:7 Mon 2026-01-05 21:26 UTC]";
    assert_eq!(envelope.context, [conversation, sender, header].map(block).join("\n"));
    assert_eq!(envelope.message, "hello");
    let facts = json_of(&envelope.system, "in an answer.");
    assert_eq!(
        facts,
        json!({
            "schema": "clawvoice.inbound.v1", "account_id": "default", "channel": "discord",
            "surface": "discord", "chat_type": "direct", "chat_id": "user:7",
        })
    );
}

#[test]
fn everything() {
    with_everything(|turn| {
        let Envelope { system, context, message } = compose(turn, &marker());
        assert!(system.contains(
            "## Channel instructions (trusted configuration)\nBe brief.\n\nBe kind.\n\
             Skills for this channel: weather, notes.\n"
        ));
        assert_eq!(message, "hello\nworld\n[discord attachment unavailable]");
        assert_eq!(
            json_of(&context, super::sign::CONVERSATION),
            json!({
                "message_id": "9", "sender_id": "7", "reply_to_id": "4", "is_group_chat": true,
                "conversation_label": "Guild #Help me channel id:5", "guild": "Guild",
                "channel_name": "Help me", "thread_label": "Discord thread #forum › Help me",
                "was_mentioned": true, "is_batch": true, "batch_message_ids": ["8", "9"],
                "has_thread_starter": true, "has_forwarded_context": true, "history_count": 2,
            })
        );
        for (label, expected) in [
            (super::sign::TOPIC, json!({ "topic": "Ask anything" })),
            (super::sign::STARTER, json!({ "sender": "Bob", "body": "started words" })),
            (super::sign::FORWARDED, json!([{ "from": "Eve", "body": "forwarded words" }])),
            (
                super::sign::REPLY,
                json!({
                    "message_id": "4", "sender": "Bob", "body": "quoted words", "is_quote": true,
                }),
            ),
            (
                super::sign::HISTORY,
                json!([
                    {
                        "ref": "[id:2 channel:5]", "sender": "Bob",
                        "timestamp_ms": 1_420_070_400_000_u64,
                        "body": "first\n``\u{200b}`json\nx\n``\u{200b}`",
                    },
                    {
                        "ref": "[id:3 channel:5]", "sender": "Eve",
                        "timestamp_ms": 1_420_070_400_000_u64, "attachments": 1,
                    },
                ]),
            ),
            (
                super::sign::EVENTS,
                json!(["Discord reaction added: 👍 by bob on guild #general msg 3"]),
            ),
        ] {
            assert_eq!(json_of(&context, label), expected, "{label}");
        }
        let history = "[Chat messages since your last reply - for context]\nChat history";
        assert!(context.contains(history));
        let end = format!(
            "[Current message - respond to this]\n[Forum parent: #fo-rum]\n[id:9 channel:5]\n\
             [Discord Guild #Help me channel id:5 +2m Mon 2026-01-05 21:26 UTC] Ada:\n{}",
            marker().end()
        );
        assert!(context.ends_with(&end), "{context}");
    });
}

#[test]
fn headers() {
    let group = Chat::Group { name: "" };
    let unnamed = Chat::Channel { guild: "", name: "" };
    let plain = TurnContext { shows_timestamp: false, shows_elapsed: false, ..turn() };
    for (turn, header) in [
        (TurnContext { shows_timestamp: false, ..turn() }, "Guild #general channel id:5 +2m] Ada:"),
        (TurnContext { chat: group, ..plain }, "Group DM channel id:5] Ada:"),
        (TurnContext { chat: unnamed, ..plain }, "channel id:5] Ada:"),
        (TurnContext { chat: Chat::Direct, ..plain }, "ada user id:7]"),
        (
            TurnContext { sender: Sender { label: "\u{202e}", ..plain.sender }, ..plain },
            "Guild #general channel id:5] ada:",
        ),
    ] {
        let context = compose(&turn, &marker()).context;
        let expected = format!("\n[id:9 channel:5]\n[Discord {header}\n{}", marker().end());
        assert!(context.ends_with(&expected), "{context}");
    }
}

/// The system prompt is the same for every turn of a chat, so that endpoints can cache it.
#[test]
fn nothing_of_one_message_is_in_the_system_prompt() {
    let plain = compose(&turn(), &marker()).system;
    with_everything(|turn| {
        let chat = Chat::Channel { guild: "Renamed", name: "renamed" };
        let turn = TurnContext { chat, system_prompt: None, skills: None, ..*turn };
        assert_eq!(compose(&turn, &marker()).system, plain);
    });
    let none = TurnContext { skills: Some(&[]), ..turn() };
    assert!(compose(&none, &marker()).system.contains("\nSkills for this channel: none.\n"));
}

#[test]
fn what_is_too_much_is_left_out_and_counted() {
    let long = "x".repeat(5_000);
    let history: Vec<_> = (1..=150).map(|id| entry(id, "Bob", &long)).collect();
    let topic = "t".repeat(1_030);
    let body = "b".repeat(40_000);
    let turn = TurnContext { history: &history, topic: Some(&topic), body: &body, ..turn() };
    let Envelope { context, message, .. } = compose(&turn, &marker());
    let shown = json_of(&context, super::sign::HISTORY);
    let shown = shown.as_array().unwrap();
    assert_eq!(shown[0], json!({ "older_messages_left_out": 142 }));
    assert_eq!(shown[8]["ref"], "[id:150 channel:5]");
    let cut = shown[8]["body"].as_str().unwrap();
    assert!(cut.ends_with("xx… [1000 more characters]"));
    let topic = json_of(&context, super::sign::TOPIC);
    assert!(topic["topic"].as_str().unwrap().ends_with("tt… [6 more characters]"));
    assert!(message.ends_with("bb… [8000 more characters]"));

    let short: Vec<_> = (1..=150).map(|id| entry(id, "Bob", "hi")).collect();
    let context = compose(&TurnContext { history: &short, ..turn }, &marker()).context;
    let shown = json_of(&context, super::sign::HISTORY);
    assert_eq!(shown.as_array().unwrap().len(), 101);
    assert_eq!(shown[0], json!({ "older_messages_left_out": 50 }));
}

/// Scenario 31 of the text scenarios, from the message that was passed over to the next turn.
#[test]
fn what_was_passed_over_is_told_once() {
    let channel = ChannelId::new(5);
    let mut pending = Pending::default();
    pending.push(channel, 20, entry(8, "Bob", "lunch at noon"));
    let history = pending.peek(channel, 20, &[MessageId::new(9)]);
    let first = compose(&TurnContext { history: &history, ..turn() }, &marker());
    assert_eq!(json_of(&first.context, super::sign::HISTORY)[0]["body"], "lunch at noon");
    assert!(!first.message.contains("lunch"));
    pending.clear(channel, MessageId::new(9));
    let history = pending.peek(channel, 20, &[MessageId::new(11)]);
    let second = compose(&TurnContext { history: &history, ..turn() }, &marker());
    assert_eq!(json_of(&second.context, super::sign::HISTORY), Value::Null);
    assert!(!second.context.contains("[Current message - respond to this]"));
}

#[test]
fn notes() {
    let notes = ["[3 discord attachments unavailable]".to_owned()];
    let envelope = compose(&TurnContext { body: " ", notes: &notes, ..turn() }, &marker());
    assert_eq!(envelope.message, notes[0]);
}
