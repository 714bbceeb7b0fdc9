//! What a message says: its own text, and the text the model is given.

use std::borrow::Cow;

use serde_json::Value;

use crate::message::{Embed, Message, SnapshotMessage};

use super::markup::{Token, tokens};

/// Characters of text that the model is given at most. Discord's own bounds are below it.
const MOST_CHARS: usize = 32_000;
/// Components within components that are looked into. Discord allows fewer.
const DEEPEST: usize = 6;
/// Discord's component type of text. Source: Discord, "Component Reference", Text Display.
const TEXT_DISPLAY: u64 = 10;
/// `message_reference.type` of a forward.
const FORWARD: u64 = 1;

/// The message's own text: its content, else its embeds' titles and descriptions, else its
/// components' texts. Commands and mentions are looked for in it alone: what is forwarded is
/// somebody else's.
#[must_use]
pub fn own_text(message: &Message) -> Cow<'_, str> {
    let content = message.content.trim();
    if !content.is_empty() {
        return content.into();
    }
    let embeds = of_embeds(&message.embeds);
    if !embeds.is_empty() {
        return embeds.into();
    }
    let mut texts = Vec::new();
    of_components(&message.components, DEEPEST, &mut texts);
    texts.join("\n").into()
}

/// The text for the model: its own, with people's names for their ids, and what is forwarded.
#[must_use]
pub fn for_model(message: &Message) -> String {
    let own = own_text(message);
    let mut text = with_names(&own, message);
    for forwarded in &message.snapshots {
        let inner = of_snapshot(&forwarded.message);
        if inner.is_empty() {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&heading(message));
        text.push('\n');
        text.push_str(&inner);
    }
    // Characters are counted only where there may be too many.
    if text.len() > MOST_CHARS
        && let Some((end, _)) = text.char_indices().nth(MOST_CHARS)
    {
        text.truncate(end);
    }
    text
}

/// Whether there is neither text nor a file nor a sticker.
pub(crate) fn is_empty(message: &Message) -> bool {
    let has_forwarded = || {
        message
            .snapshots
            .iter()
            .any(|it| !it.message.attachments.is_empty() || !of_snapshot(&it.message).is_empty())
    };
    message.attachments.is_empty()
        && message.stickers.is_empty()
        && own_text(message).is_empty()
        && !has_forwarded()
}

/// Discord seldom tells who wrote what is forwarded.
fn heading(message: &Message) -> String {
    let is_forward = message.reference.as_ref().is_some_and(|it| it.kind == FORWARD);
    match message.referenced.as_ref().filter(|_| is_forward) {
        Some(original) => {
            format!("[Forwarded message from @{}]", original.author.shown(None))
        }
        None => "[Forwarded message]".to_owned(),
    }
}

fn of_snapshot(message: &SnapshotMessage) -> String {
    match message.content.trim() {
        "" => of_embeds(&message.embeds),
        content => content.to_owned(),
    }
}

fn of_embeds(embeds: &[Embed]) -> String {
    let texts =
        embeds.iter().flat_map(|embed| [embed.title.as_deref(), embed.description.as_deref()]);
    let texts = texts.flatten().map(str::trim).filter(|text| !text.is_empty());
    texts.collect::<Vec<_>>().join("\n")
}

fn of_components<'m>(components: &'m [Value], deepest: usize, texts: &mut Vec<&'m str>) {
    for component in components {
        if component.get("type").and_then(Value::as_u64) == Some(TEXT_DISPLAY) {
            let content = component.get("content").and_then(Value::as_str).map(str::trim);
            texts.extend(content.filter(|text| !text.is_empty()));
        }
        let inner = component.get("components").and_then(Value::as_array);
        if let (Some(inner), Some(left)) = (inner, deepest.checked_sub(1)) {
            of_components(inner, left, texts);
        }
    }
}

/// `<@id>` becomes `@name`, for those whom the message says to be mentioned.
fn with_names(text: &str, message: &Message) -> String {
    let mut named = String::with_capacity(text.len());
    let mut done = 0;
    for (range, token) in tokens(text) {
        let Token::User(id) = token else { continue };
        let Some(user) = message.mentions.iter().find(|user| user.id.get() == id) else { continue };
        named.push_str(text.get(done..range.start).unwrap_or_default());
        named.push('@');
        named.push_str(user.shown(None));
        done = range.end;
    }
    named.push_str(text.get(done..).unwrap_or_default());
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::written as message;

    #[test]
    fn content_goes_before_embeds_and_those_before_components() {
        let embeds = r#","embeds":[{"title":"News","description":" today "},{"url":"x"}]"#;
        let components = r#","components":[{"type":17,"components":[{"type":10,"content":"deep"},
            {"type":1,"components":[{"type":2,"label":"no"}]}]},{"type":10,"content":"flat"}]"#;
        for (rest, text) in [
            (format!(r#","content":" hi "{embeds}"#), "hi"),
            (format!("{embeds}{components}"), "News\ntoday"),
            (components.to_owned(), "deep\nflat"),
            (String::new(), ""),
        ] {
            assert_eq!(own_text(&message(&rest)), text, "{rest}");
        }
    }

    #[test]
    fn people_are_called_by_their_names_outside_of_code() {
        let message = message(
            r#","content":"<@5> and <@!9>, not `<@5>`","mentions":[
            {"id":"5","username":"ada","global_name":"Ada"}]"#,
        );
        assert_eq!(for_model(&message), "@Ada and <@!9>, not `<@5>`");
    }

    #[test]
    fn what_is_forwarded_follows_and_is_no_text_of_its_own() {
        let snapshots = r#","message_snapshots":[{"message":{"content":"/reset"}},{"message":{}}]"#;
        let plain = message(snapshots);
        assert_eq!(own_text(&plain), "");
        assert_eq!(for_model(&plain), "[Forwarded message]\n/reset");
        assert!(!is_empty(&plain));
        let of_ada = message(&format!(
            r#"{snapshots},"content":"see","message_reference":{{"type":1,"message_id":"4"}},
            "referenced_message":{{"id":"4","channel_id":"6","author":{{"id":"8","username":"ada"}}}}"#
        ));
        assert_eq!(for_model(&of_ada), "see\n\n[Forwarded message from @ada]\n/reset");
    }

    #[test]
    fn emptiness() {
        for (rest, empty) in [
            ("", true),
            (r#","content":" \n""#, true),
            (r#","attachments":[{"filename":"a.png"}]"#, false),
            (r#","sticker_items":[{"name":"wave"}]"#, false),
            (r#","message_snapshots":[{"message":{}}]"#, true),
            (r#","message_snapshots":[{"message":{"attachments":[{"filename":"a"}]}}]"#, false),
        ] {
            assert_eq!(is_empty(&message(rest)), empty, "{rest}");
        }
    }

    #[test]
    fn no_text_is_endless() {
        let long = "é".repeat(MOST_CHARS + 10);
        let cut = for_model(&message(&format!(r#","content":"{long}""#)));
        assert_eq!(cut.chars().count(), MOST_CHARS);
    }
}
