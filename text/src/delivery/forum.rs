//! Messages to a forum, which holds none: they become a post.
//!
//! Source: Discord, "Start Thread in Forum or Media Channel"; OpenClaw, "Discord", forum channels.

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation as _;

use super::{body::NewMessage, chunk::units};
use crate::place::Channel;

/// Longest name of a thread, in UTF-16 units. Source: Discord, "Thread Create", `name`.
const MAX_TITLE: usize = 100;

/// Why nothing can be posted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForumRefusal {
    /// The forum demands a tag, and it is not known which one would fit.
    #[error(
        "the forum #{0} requires a tag on every post: create the post with a tag (thread create, \
         appliedTags), or switch off \"Require people to select tags\" in the forum's settings"
    )]
    TagRequired(String),
    /// A post cannot begin with buttons.
    #[error(
        "components cannot be sent to a forum itself: create a post, and send them to its thread"
    )]
    Components,
}

/// The body of `POST /channels/{forum}/threads`: a post that begins with `first`. Files and further
/// messages go into its thread, in this order. How long it stays open is left to the forum.
///
/// `now_unix_ms` makes the title of a post without words.
///
/// # Errors
///
/// The forum takes no such post.
pub fn post(
    forum: &Channel,
    first: &NewMessage<'_>,
    now_unix_ms: i64,
) -> Result<Value, ForumRefusal> {
    if forum.requires_tag {
        return Err(ForumRefusal::TagRequired(forum.name.clone()));
    }
    if !first.content.components.is_empty() {
        return Err(ForumRefusal::Components);
    }
    let title = title(first.content.text, now_unix_ms);
    let mut message = first.unmarked();
    if first.content.text.trim().is_empty() && first.content.embeds.is_empty() {
        message.insert("content".to_owned(), title.as_str().into());
    }
    Ok(json!({ "name": title, "message": message }))
}

/// The name of a post and the body of its first message, of a body that [`post`] made or of that of
/// any message.
#[must_use]
pub(crate) fn shape(body: &Value, now_unix_ms: i64) -> (String, Value) {
    let named = body.get("name").and_then(Value::as_str).zip(body.get("message"));
    if let Some((name, first)) = named {
        return (name.to_owned(), first.clone());
    }
    let text = body.get("content").and_then(Value::as_str).unwrap_or_default();
    let mut first = body.clone();
    if let Some(fields) = first.as_object_mut() {
        // A post replies to nothing, and knows no nonce.
        for field in ["message_reference", "nonce", "enforce_nonce"] {
            fields.remove(field);
        }
    }
    (title(text, now_unix_ms), first)
}

/// The first line with words, cut to what a title may have; else the minute.
fn title(text: &str, now_unix_ms: i64) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut len = 0;
    let title: String = line
        .graphemes(true)
        .take_while(|grapheme| {
            len += units(grapheme);
            len <= MAX_TITLE
        })
        .collect();
    if title.trim().is_empty() { minute(now_unix_ms) } else { title.trim_end().to_owned() }
}

/// As in `2026-07-05T18:30`, UTC.
fn minute(unix_ms: i64) -> String {
    let now = jiff::Timestamp::from_millisecond(unix_ms).unwrap_or_default();
    now.strftime("%Y-%m-%dT%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::body::Content;

    /// 2026-07-05, 18:30:59 UTC.
    const NOW: i64 = 1_783_276_259_000;

    fn forum(requires_tag: bool) -> Channel {
        let flags = if requires_tag { 1 << 4 } else { 0 };
        let json = json!({ "id": "5", "type": 15, "name": "help", "flags": flags });
        Channel::read(&json.to_string(), None).unwrap()
    }

    fn message(text: &str) -> NewMessage<'_> {
        let content = Content { text, suppress_embeds: true, ..Content::default() };
        NewMessage { content, silent: true, reply_to: None, nonce: "0" }
    }

    /// Scenario 50 of the text scenarios.
    #[test]
    fn a_post_is_titled_by_its_first_line() {
        let body = post(&forum(false), &message("\n  How to?\nLike this."), NOW).unwrap();
        let expected = json!({
            "name": "How to?",
            "message": {
                "content": "\n  How to?\nLike this.",
                "allowed_mentions": { "parse": ["users", "roles"] },
                "flags": 4 + 4096,
            },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn any_message_may_become_a_post() {
        let made = post(&forum(false), &message("How to?\nLike this."), NOW).unwrap();
        let (name, first) = shape(&made, NOW);
        assert_eq!((name.as_str(), &first), ("How to?", &made["message"]));
        let plain = json!({
            "content": "Notes\nof today", "nonce": "1", "enforce_nonce": true,
            "message_reference": { "message_id": "7" },
        });
        let expected = ("Notes".to_owned(), json!({ "content": "Notes\nof today" }));
        assert_eq!(shape(&plain, NOW), expected);
        assert_eq!(shape(&json!({ "content": "" }), NOW).0, "2026-07-05T18:30");
    }

    #[test]
    fn titles() {
        let long = "👩‍👩‍👧‍👦".repeat(20);
        assert_eq!(title(&long, NOW), "👩‍👩‍👧‍👦".repeat(9));
        assert_eq!(title(&"x".repeat(200), NOW), "x".repeat(100));
        assert_eq!(title(" \n", NOW), "2026-07-05T18:30");
        let body = post(&forum(false), &message(""), NOW).unwrap();
        assert_eq!(body["message"]["content"], "2026-07-05T18:30");
    }

    #[test]
    fn what_a_forum_does_not_take_is_refused_with_advice() {
        let refusal = post(&forum(true), &message("x"), NOW).unwrap_err();
        assert_eq!(refusal, ForumRefusal::TagRequired("help".to_owned()));
        assert!(refusal.to_string().contains("appliedTags"));
        let components = [json!({ "type": 1 })];
        let mut first = message("x");
        first.content.components = &components;
        assert_eq!(post(&forum(false), &first, NOW), Err(ForumRefusal::Components));
    }
}
