//! What a message must look like ("Create Message", "Embed Limits").

use serde_json::Value;

use super::{
    super::{
        components::{Around, check_message},
        error::{ApiError, Form},
    },
    allowed,
};
pub(crate) use crate::world::component::COMPONENTS_V2;

/// Only the user who called the command sees it.
pub(crate) const EPHEMERAL: u64 = 1 << 6;
/// The bot "is thinking": a deferred answer that was not edited yet.
pub(crate) const LOADING: u64 = 1 << 7;
/// Embeds are not shown.
pub(crate) const SUPPRESS_EMBEDS: u64 = 1 << 2;
/// It forwards another one.
pub(crate) const HAS_SNAPSHOT: u64 = 1 << 14;
const SUPPRESS_NOTIFICATIONS: u64 = 1 << 12;
/// A sound with a play button and a curve.
pub(crate) const VOICE_MESSAGE: u64 = 1 << 13;
/// The flags a bot may set when it sends.
pub(crate) const SENDABLE: u64 =
    SUPPRESS_EMBEDS | EPHEMERAL | SUPPRESS_NOTIFICATIONS | VOICE_MESSAGE | COMPONENTS_V2;

const MOST_CONTENT: usize = 2000;
const MOST_EMBEDS: usize = 10;
const MOST_FIELDS: usize = 25;
const MOST_EMBED_CHARACTERS: usize = 6000;
const MOST_FILES: usize = 10;
const MOST_STICKERS: usize = 3;

/// The flags in a body.
pub(crate) fn flags(body: &Value) -> u64 {
    body.get("flags").and_then(Value::as_u64).unwrap_or(0)
}

/// Checks a message that is to be sent.
///
/// # Errors
/// 50035 with the tree of wrong fields, 50006 if there is nothing in it.
pub(in crate::rest) fn check_new(body: &Value, around: &Around) -> Result<(), ApiError> {
    let v2 = flags(body) & COMPONENTS_V2 != 0;
    check_fields(body, around, v2, v2)?;
    // Files are shown by components alone then.
    let shown = if v2 { 0 } else { around.uploads };
    if shown == 0 && is_empty(body) {
        return Err(ApiError::empty_message());
    }
    Ok(())
}

/// Checks the changes to a message; `was_v2`: it is one of components alone, and stays one. Flags
/// in the body say anew what its components are.
///
/// # Errors
/// 50035 with the tree of wrong fields.
pub(in crate::rest) fn check_changes(
    body: &Value,
    around: &Around,
    was_v2: bool,
) -> Result<(), ApiError> {
    let given = body.get("flags").and_then(Value::as_u64).map(|flags| flags & COMPONENTS_V2 != 0);
    check_fields(body, around, was_v2 || given == Some(true), given.unwrap_or(was_v2))
}

/// Nothing in it that could be shown.
pub(crate) fn is_empty(body: &Value) -> bool {
    let text = body.get("content").and_then(Value::as_str).unwrap_or_default();
    let list =
        |field: &str| body.get(field).and_then(Value::as_array).is_some_and(|l| !l.is_empty());
    if flags(body) & COMPONENTS_V2 != 0 {
        return !list("components");
    }
    text.trim().is_empty()
        && !["embeds", "components", "sticker_ids", "attachments"].iter().any(|field| list(field))
        && !body.get("poll").is_some_and(Value::is_object)
        && !body.get("message_reference").is_some_and(is_forward)
}

/// Reference type 1 forwards another message.
pub(super) fn is_forward(reference: &Value) -> bool {
    reference.get("type").and_then(Value::as_u64) == Some(1)
}

/// `v2`: the message is one of components alone; `layout`: its components are of that kind.
fn check_fields(body: &Value, around: &Around, v2: bool, layout: bool) -> Result<(), ApiError> {
    if !body.is_object() {
        return Err(ApiError::not_json());
    }
    let mut form = Form::default();
    check_content(&mut form, body);
    check_nonce(&mut form, body);
    allowed::check(&mut form, body);
    if body["sticker_ids"].as_array().is_some_and(|ids| ids.len() > MOST_STICKERS) {
        let message = format!("Must be {MOST_STICKERS} or fewer in length.");
        form.wrong("sticker_ids", "BASE_TYPE_MAX_LENGTH", message);
    }
    if body.get("flags").is_some_and(|flags| !flags.is_null() && !flags.is_u64()) {
        form.wrong("flags", "NUMBER_TYPE_COERCE", "Value is not int.");
    }
    if around.uploads > MOST_FILES {
        let message = format!("Must be {MOST_FILES} or fewer in length.");
        form.wrong("files", "BASE_TYPE_MAX_LENGTH", message);
    }
    check_embeds(&mut form, body);
    check_message(&mut form, body, around, layout);
    if v2 {
        refuse_legacy_fields(&mut form, body);
    }
    form.finish()
}

fn check_content(form: &mut Form, body: &Value) {
    match body.get("content") {
        Some(Value::String(text)) => {
            form.length("content", text, 0, MOST_CONTENT);
        }
        None | Some(Value::Null) => {}
        Some(_) => form.wrong("content", "STRING_TYPE_CONVERT", "Could not interpret as string."),
    }
}

fn check_nonce(form: &mut Form, body: &Value) {
    match body.get("nonce") {
        Some(Value::String(text)) => {
            form.length("nonce", text, 0, 25);
        }
        None | Some(Value::Null | Value::Number(_)) => {}
        Some(_) => form.wrong("nonce", "NONCE_TYPE_INVALID", "Must be an integer or a string."),
    }
}

/// A field that a message of components alone cannot have.
pub(in crate::rest) fn legacy_field(form: &mut Form, field: &str) {
    let why =
        format!("The '{field}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2");
    form.wrong(field, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", why);
}

fn refuse_legacy_fields(form: &mut Form, body: &Value) {
    for field in ["content", "embeds", "sticker_ids", "poll"] {
        let used = match body.get(field) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(list)) => !list.is_empty(),
            Some(_) => true,
        };
        if used {
            legacy_field(form, field);
        }
    }
}

fn check_embeds(form: &mut Form, body: &Value) {
    let Some(embeds) = body.get("embeds").and_then(Value::as_array) else { return };
    if embeds.len() > MOST_EMBEDS {
        let message = format!("Must be {MOST_EMBEDS} or fewer in length.");
        form.wrong("embeds", "BASE_TYPE_MAX_LENGTH", message);
    }
    let mut characters = 0;
    for (at, embed) in embeds.iter().enumerate() {
        let mut text = |pointer: &str, most: usize| {
            if let Some(text) = embed.pointer(pointer).and_then(Value::as_str) {
                let path = format!("embeds.{at}{}", pointer.replace('/', "."));
                form.length(&path, text, 0, most);
                characters += text.chars().count();
            }
        };
        text("/title", 256);
        text("/description", 4096);
        text("/footer/text", 2048);
        text("/author/name", 256);
        let fields = embed.get("fields").and_then(Value::as_array).map_or(0, Vec::len);
        for field in 0..fields {
            text(&format!("/fields/{field}/name"), 256);
            text(&format!("/fields/{field}/value"), 1024);
        }
        if fields > MOST_FIELDS {
            let message = format!("Must be {MOST_FIELDS} or fewer in length.");
            form.wrong(&format!("embeds.{at}.fields"), "BASE_TYPE_MAX_LENGTH", message);
        }
    }
    if characters > MOST_EMBED_CHARACTERS {
        let message = format!("Embed size exceeds maximum size of {MOST_EMBED_CHARACTERS}");
        form.wrong("embeds", "MAX_EMBED_SIZE_EXCEEDED", message);
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::json;

    use super::*;

    fn button(id: &str) -> Value {
        json!({ "type": 2, "style": 1, "label": "l", "custom_id": id })
    }

    fn beside(uploads: usize) -> Around {
        Around { uploads, ..Around::default() }
    }

    #[test]
    fn the_flag_cannot_be_taken_away_by_a_change() {
        let text = json!([{ "type": 10, "content": "t" }]);
        let rows = json!([{ "type": 1, "components": [button("a")] }]);
        for (body, was_v2, good) in [
            (json!({ "components": text }), true, true),
            (json!({ "components": text, "flags": 0 }), true, false),
            (json!({ "components": rows, "flags": 0 }), true, true),
            (json!({ "content": "c", "flags": 0 }), true, false),
            (json!({ "flags": 4 }), true, true),
            (json!({ "components": text }), false, false),
            (json!({ "components": text, "flags": COMPONENTS_V2 }), false, true),
        ] {
            assert_eq!(check_changes(&body, &beside(0), was_v2).is_ok(), good, "{body}");
        }
    }

    #[test]
    fn messages_are_taken_or_refused() {
        let row = |children: Vec<Value>| json!({ "type": 1, "components": children });
        let text = json!({ "type": 10, "content": "text" });
        let cases = [
            (json!({ "content": "hi" }), 0, true),
            (json!({ "content": "x".repeat(2000) }), 0, true),
            (json!({ "content": "x".repeat(2001) }), 0, false),
            (json!({ "content": "" }), 0, false),
            (json!({ "content": " \n" }), 0, false),
            (json!({}), 0, false),
            (json!({}), 1, true),
            (json!({ "content": "hi" }), 11, false),
            (json!({ "content": 5 }), 0, false),
            (json!(["hi"]), 0, false),
            (json!({ "embeds": [{ "title": "t" }] }), 0, true),
            (json!({ "embeds": [{ "title": "t".repeat(257) }] }), 0, false),
            (
                json!({ "embeds": [{ "fields": [{ "name": "n".repeat(257), "value": "v" }] }] }),
                0,
                false,
            ),
            (json!({ "embeds": vec![json!({ "title": "t" }); 11] }), 0, false),
            (json!({ "embeds": vec![json!({ "description": "d".repeat(3001) }); 2] }), 0, false),
            (json!({ "components": [row(vec![button("a"), button("b")])] }), 0, true),
            (json!({ "components": [row(vec![button("a"), button("a")])] }), 0, false),
            (json!({ "components": [row(vec![json!({ "type": 2, "style": 1 })])] }), 0, false),
            (
                json!({ "components": [row(vec![json!({ "type": 2, "style": 5, "label": "l",
                    "url": "https://example.com" })])] }),
                0,
                true,
            ),
            (json!({ "components": [text] }), 0, false),
            (json!({ "components": [text], "flags": COMPONENTS_V2 }), 0, true),
            (json!({ "components": [text], "content": "c", "flags": COMPONENTS_V2 }), 0, false),
            (json!({ "components": vec![text.clone(); 41], "flags": COMPONENTS_V2 }), 0, false),
            (json!({ "components": [], "flags": COMPONENTS_V2 }), 0, false),
            (json!({ "flags": COMPONENTS_V2 }), 1, false),
            (json!({ "sticker_ids": ["1"] }), 0, true),
            (json!({ "sticker_ids": ["1", "2", "3", "4"] }), 0, false),
            (json!({ "message_reference": { "type": 1 } }), 0, true),
            (json!({ "message_reference": { "type": 0 } }), 0, false),
            (json!({ "content": "c", "allowed_mentions": { "parse": ["all"] } }), 0, false),
            (json!({ "content": "c", "flags": "x" }), 0, false),
            (json!({ "content": "c", "nonce": "n".repeat(26) }), 0, false),
        ];
        for (body, files, good) in cases {
            assert_eq!(check_new(&body, &beside(files)).is_ok(), good, "{body}");
        }
    }

    #[test]
    fn changes_may_leave_everything_out() {
        assert!(check_changes(&json!({}), &beside(0), false).is_ok());
        assert!(check_changes(&json!({ "content": "x" }), &beside(0), true).is_err());
        let refused = check_new(&json!({}), &beside(0)).unwrap_err().into_response();
        assert_eq!(refused.status(), 400);
    }
}
