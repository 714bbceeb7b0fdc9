//! Step 7: a message in which something is missing is asked for again, by REST.
//!
//! The gateway sometimes leaves the arrays of mentions out, and Discord gives no text to a bot
//! without the message content intent unless it is mentioned.

use super::{
    markup::{Token, tokens},
    verdict::{Hydration, Known, Need},
};
use crate::message::Message;

/// Whether the message must be asked for.
pub(crate) fn need(message: &Message, known: &Known<'_>) -> Option<Need> {
    (known.hydration == Hydration::NotAsked && lacks_something(message)).then_some(Need::Hydrate)
}

/// Whether there is no text, a mention without its array, or a reply without what it answers.
pub(crate) fn lacks_something(message: &Message) -> bool {
    message.is_written()
        && (has_nothing(message) || lacks_mentions(message) || lacks_referenced(message))
}

/// Files and embeds are as secret as text is: with one of them the text is really empty.
fn has_nothing(message: &Message) -> bool {
    message.content.trim().is_empty()
        && message.attachments.is_empty()
        && message.embeds.is_empty()
        && message.components.is_empty()
        && message.snapshots.is_empty()
}

fn lacks_mentions(message: &Message) -> bool {
    if !(message.mentions.is_empty() || message.mention_roles.is_empty()) {
        return false;
    }
    tokens(&message.content).any(|(_, token)| match token {
        Token::User(_) => message.mentions.is_empty(),
        Token::Role(_) => message.mention_roles.is_empty(),
    })
}

fn lacks_referenced(message: &Message) -> bool {
    let names_one = message.reference.as_ref().is_some_and(|it| it.message.is_some());
    message.is_reply() && names_one && message.referenced.is_none()
}

/// A message with what REST told of it, where something was missing. The message may stand for
/// several of which REST tells the last, so nothing that is there is replaced.
#[must_use]
pub fn hydrated(message: &Message, told: Message) -> Message {
    let mut whole = message.clone();
    add_mentions(&mut whole, &told);
    if has_nothing(message) {
        whole.content = told.content;
        whole.attachments = told.attachments;
        whole.embeds = told.embeds;
        whole.components = told.components;
        whole.snapshots = told.snapshots;
    }
    if whole.stickers.is_empty() {
        whole.stickers = told.stickers;
    }
    whole.reference = whole.reference.or(told.reference);
    whole.referenced = whole.referenced.or(told.referenced);
    whole
}

/// Whom another message mentions is mentioned by this one, too.
pub(crate) fn add_mentions(message: &mut Message, other: &Message) {
    for user in &other.mentions {
        if !message.mentions.iter().any(|known| known.id == user.id) {
            message.mentions.push(user.clone());
        }
    }
    for role in &other.mention_roles {
        if !message.mention_roles.contains(role) {
            message.mention_roles.push(*role);
        }
    }
    message.mention_everyone |= other.mention_everyone;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::written as message;

    #[test]
    fn what_is_missing_is_asked_for() {
        let reply = r#""message_reference":{"message_id":"4"}"#;
        for (rest, lacks) in [
            ("", true),
            (r#","content":" ","sticker_items":[{"name":"wave"}]"#, true),
            (r#","attachments":[{"filename":"a.png"}]"#, false),
            (r#","type":7"#, false),
            (r#","content":"hi""#, false),
            (r#","content":"hi <@5>""#, true),
            (r#","content":"hi `<@5>`""#, false),
            (r#","content":"hi <@5>","mentions":[{"id":"5"}]"#, false),
            (r#","content":"hi <@5> <@&6>","mentions":[{"id":"5"}]"#, true),
            (&format!(r#","content":"hi",{reply}"#), true),
            (
                &format!(
                    r#","content":"hi",{reply},
                    "referenced_message":{{"id":"4","channel_id":"6","author":{{"id":"8"}}}}"#
                ),
                false,
            ),
        ] {
            assert_eq!(lacks_something(&message(rest)), lacks, "{rest}");
        }
    }

    #[test]
    fn the_gateway_alone_tells_guild_and_member() {
        let seen = message(r#","guild_id":"1","member":{"roles":["80"]}"#);
        let told = r#","content":"hi <@5>","mentions":[{"id":"5"}]"#;
        let whole = hydrated(&seen, message(told));
        assert_eq!((whole.guild, &whole.member), (seen.guild, &seen.member));
        assert_eq!((whole.content.as_str(), whole.mentions.len()), ("hi <@5>", 1));
        let several = message(r#","content":"first\nhi <@5>""#);
        let whole = hydrated(&several, message(told));
        assert_eq!((whole.content.as_str(), whole.mentions.len()), ("first\nhi <@5>", 1));
    }
}
