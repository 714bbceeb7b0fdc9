//! What an edit makes of a message ("Edit Message").

use serde_json::Value;

use super::{
    super::{
        Rest,
        body::MessageBody,
        components::completed,
        error::{ApiError, Form},
        voice_message,
    },
    allowed, embeds,
    form::{self, COMPONENTS_V2, EPHEMERAL, SENDABLE, legacy_field},
    text,
};
use crate::world::{Message, MessageChange};

/// What a body changes about a message.
///
/// # Errors
/// The body is not as it must be, or nothing would be left of the message.
pub(in crate::rest) fn change(
    rest: &Rest,
    message: &Message,
    body: MessageBody,
) -> Result<MessageChange, ApiError> {
    voice_message::may_edit(message.flags)?;
    let was_v2 = message.flags & COMPONENTS_V2 != 0;
    let kept = kept_attachments(message, &body.json);
    form::check_changes(&body.json, &rest.around(message.author_id, &body, &kept), was_v2)?;
    let v2 = was_v2 || form::flags(&body.json) & COMPONENTS_V2 != 0;
    if v2 {
        refuse_what_stays(message, &body.json)?;
    }
    let attachments = changed_attachments(rest, message, &body, kept);
    let settable = form::flags(&body.json) & SENDABLE;
    let flags = body.json.get("flags").is_some_and(Value::is_u64).then_some(
        // Neither can be taken away, and who sees the message cannot be changed.
        (settable & !EPHEMERAL) | (message.flags & (COMPONENTS_V2 | EPHEMERAL)),
    );
    let files = attachments.as_deref().unwrap_or(&message.attachments);
    let components = body.json.get("components").map(|list| {
        let list = list.as_array().map_or(&[][..], Vec::as_slice);
        completed(list, files)
    });
    let change = MessageChange {
        content: text(&body.json, "content"),
        embeds: embeds(&body.json),
        components,
        attachments,
        flags,
        allowed_mentions: allowed::read(&body.json),
        first_answer: false,
    };
    if leaves_nothing(message, &change, v2) {
        return Err(ApiError::empty_message());
    }
    Ok(change)
}

/// A message becomes one of components alone only if the same edit empties whatever else it has.
fn refuse_what_stays(message: &Message, body: &Value) -> Result<(), ApiError> {
    let mut form = Form::default();
    let stays = [
        ("content", !message.content.is_empty()),
        ("embeds", !message.embeds.is_empty()),
        ("sticker_ids", !message.stickers.is_empty()),
    ];
    for (field, there) in stays {
        if there && body.get(field).is_none() {
            legacy_field(&mut form, field);
        }
    }
    form.finish()
}

/// A list of attachments names those that stay; without one all do.
fn kept_attachments(message: &Message, body: &Value) -> Vec<Value> {
    let listed = body.get("attachments").and_then(Value::as_array);
    let stays =
        |old: &&Value| listed.is_none_or(|all| all.iter().any(|one| one["id"] == old["id"]));
    message.attachments.iter().filter(stays).cloned().collect()
}

/// Those that stay, and the files that come.
fn changed_attachments(
    rest: &Rest,
    message: &Message,
    body: &MessageBody,
    mut kept: Vec<Value>,
) -> Option<Vec<Value>> {
    let described = body.json.get("attachments");
    if described.is_none_or(|listed| !listed.is_array()) && body.files.is_empty() {
        return None;
    }
    kept.extend(rest.keep_files(message.channel_id, body.files.clone(), described));
    Some(kept)
}

fn leaves_nothing(message: &Message, change: &MessageChange, v2: bool) -> bool {
    let empty =
        |changed: &Option<Vec<Value>>, old: &[Value]| changed.as_deref().unwrap_or(old).is_empty();
    let no_components = empty(&change.components, &message.components);
    if v2 {
        return no_components;
    }
    change.content.as_deref().unwrap_or(&message.content).trim().is_empty()
        && empty(&change.embeds, &message.embeds)
        && no_components
        && empty(&change.attachments, &message.attachments)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_emptied_keeps_a_message_from_becoming_components_alone() {
        let plain = Message { content: "text".to_owned(), ..Message::default() };
        assert!(refuse_what_stays(&plain, &json!({})).is_err());
        assert!(refuse_what_stays(&plain, &json!({ "content": null })).is_ok());
        let stuck = Message { stickers: vec![json!({})], ..Message::default() };
        assert!(refuse_what_stays(&stuck, &json!({ "content": null })).is_err());
        assert!(refuse_what_stays(&Message::default(), &json!({})).is_ok());
    }

    #[test]
    fn without_components_nothing_is_left_of_components_alone() {
        let file = Message { attachments: vec![json!({})], ..Message::default() };
        let none = MessageChange { components: Some(Vec::new()), ..MessageChange::default() };
        assert!(leaves_nothing(&file, &none, true));
        assert!(!leaves_nothing(&file, &none, false));
    }
}
