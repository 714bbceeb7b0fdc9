//! What the gateway sometimes leaves out of a message, and REST tells.
//!
//! Source: Discord, "Message Object"; OpenClaw, "Discord", section on mentions.

use crate::message::Message;

/// Discord's message type of an answer to another message.
const REPLY: u64 = 19;

/// Why a message is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// There is nothing in it.
    Content,
    /// Its text mentions somebody, and its lists nobody.
    Mentions,
    /// It answers a message that it does not show.
    Referenced,
}

/// What a message lacks, if anything.
#[must_use]
pub fn lacking(message: &Message) -> Option<Lacking> {
    if !message.is_written() {
        return None;
    }
    // Without the right to see what is written, files and embeds are hidden as well: what has some
    // was just sent without words.
    let empty = message.content.trim().is_empty()
        && message.attachments.is_empty()
        && message.stickers.is_empty()
        && message.embeds.is_empty()
        && message.components.is_empty()
        && message.snapshots.is_empty();
    let mentions_nobody = message.mentions.is_empty() && message.mention_roles.is_empty();
    let shows_none = message.kind == REPLY && message.is_reply() && message.referenced.is_none();
    if empty {
        Some(Lacking::Content)
    } else if mentions_nobody && has_mention_token(&message.content) {
        Some(Lacking::Mentions)
    } else if shows_none {
        Some(Lacking::Referenced)
    } else {
        None
    }
}

/// A message as REST tells it, with what only the gateway tells.
#[must_use]
pub fn merged(told: Message, fetched: Message) -> Message {
    Message {
        guild: fetched.guild.or(told.guild),
        member: fetched.member.or(told.member),
        referenced: fetched.referenced.or(told.referenced),
        ..fetched
    }
}

/// Whether there is `<@id>`, `<@!id>` or `<@&id>`.
fn has_mention_token(text: &str) -> bool {
    text.split("<@").skip(1).any(|rest| {
        let rest = rest.strip_prefix(['!', '&']).unwrap_or(rest);
        rest.split_once('>').is_some_and(|(id, _)| {
            !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &str) -> Message {
        let json = format!(r#"{{"id":"5","channel_id":"6","author":{{"id":"7"}}{fields}}}"#);
        Message::read(&json).unwrap()
    }

    #[test]
    fn what_is_missing_is_noticed() {
        let reply = r#","type":19,"message_reference":{"message_id":"4"},"content":"yes""#;
        let shown = r#","referenced_message":{"id":"4","channel_id":"6","author":{"id":"8"}}"#;
        let cases = [
            (r#","content":"hi""#.to_owned(), None),
            (String::new(), Some(Lacking::Content)),
            (r#","content":" ","attachments":[{"filename":"a"}]"#.to_owned(), None),
            (r#","sticker_items":[{"name":"wave"}]"#.to_owned(), None),
            (r#","content":"<@12> hi""#.to_owned(), Some(Lacking::Mentions)),
            (r#","content":"hi <@!12>""#.to_owned(), Some(Lacking::Mentions)),
            (r#","content":"hi <@&12>""#.to_owned(), Some(Lacking::Mentions)),
            (r#","content":"<@12>","mentions":[{"id":"12"}]"#.to_owned(), None),
            (r#","content":"<@&12>","mention_roles":["12"]"#.to_owned(), None),
            (r#","content":"<@x> <@> <@12 <#12>""#.to_owned(), None),
            (reply.to_owned(), Some(Lacking::Referenced)),
            (format!("{reply}{shown}"), None),
            // Discord tells of a pinned message.
            (r#","type":6,"message_reference":{"message_id":"4"}"#.to_owned(), None),
        ];
        for (fields, expected) in cases {
            assert_eq!(lacking(&message(&fields)), expected, "{fields}");
        }
    }

    #[test]
    fn what_only_the_gateway_tells_is_kept() {
        let told = message(r#","guild_id":"1","member":{"nick":"Ada","roles":["3"]}"#);
        let fetched = message(r#","content":"<@12>","mentions":[{"id":"12"}]"#);
        let merged = merged(told, fetched);
        assert_eq!(merged.content, "<@12>");
        assert_eq!(merged.guild.map(clawvoice_session::GuildId::get), Some(1));
        assert_eq!(merged.member.unwrap().nick.as_deref(), Some("Ada"));
        assert_eq!(merged.mentions.len(), 1);
    }
}
