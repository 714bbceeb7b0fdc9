//! Whom a text mentions: `<@id>`, `<@&id>`, `@everyone` and `@here` outside of code.
//!
//! Source: Discord, "Message Formatting" and "Allowed Mentions Object".

use super::{
    component,
    state::{Message, State, message_kind},
};
use crate::world::permissions::bits;

/// Whom a message mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// Users, in the order of the text.
    pub users: Vec<u64>,
    /// Roles, likewise.
    pub roles: Vec<u64>,
    /// `@everyone` or `@here`.
    pub everyone: bool,
}

/// Which of a kind may be mentioned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pingable {
    /// Whatever stands in the text.
    #[default]
    All,
    /// Only these.
    Only(Vec<u64>),
}

impl Pingable {
    fn lets(&self, id: u64) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&id),
        }
    }
}

/// `allowed_mentions`: which marks in a text count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedMentions {
    /// `@everyone` and `@here`.
    pub everyone: bool,
    /// Users.
    pub users: Pingable,
    /// Roles.
    pub roles: Pingable,
    /// The author of the message that is replied to.
    pub replied_user: bool,
}

impl Default for AllowedMentions {
    fn default() -> Self {
        Self { everyone: true, users: Pingable::All, roles: Pingable::All, replied_user: true }
    }
}

impl State {
    /// Whom a message mentions: those it was given, the marks in its text as far as its author
    /// may, and the author of the message it replies to.
    #[must_use]
    pub fn mentions_of(&self, message: &Message) -> Mentions {
        let mut found = message.mentions.clone();
        let allowed = &message.allowed_mentions;
        if message_kind::is_written(message.kind) {
            let marks = marks_of(message);
            let known = |user: &u64| allowed.users.lets(*user) && self.users.contains_key(user);
            add(&mut found.users, marks.users.into_iter().filter(known));
            let widely = self.may_mention_widely(message);
            found.everyone |= marks.everyone && allowed.everyone && widely;
            let guild = self.channels.get(&message.channel_id).and_then(|place| place.guild_id);
            let guild = guild.and_then(|guild| self.guilds.get(&guild));
            let pinged = |role: &u64| {
                let role = guild.and_then(|guild| guild.roles.get(role));
                role.is_some_and(|role| allowed.roles.lets(role.id) && (role.mentionable || widely))
            };
            add(&mut found.roles, marks.roles.into_iter().filter(pinged));
        }
        if message.kind == message_kind::REPLY
            && allowed.replied_user
            && let Some(replied) = self.referenced(message)
            && replied.sender.is_none()
        {
            add(&mut found.users, [replied.author_id]);
        }
        found
    }

    /// The message that a message replies to or was made of, if it is still there.
    #[must_use]
    pub fn referenced(&self, message: &Message) -> Option<&Message> {
        let reference = message.reference.as_ref()?;
        let id = |field: &str| reference[field].as_str()?.parse::<u64>().ok();
        let channel = id("channel_id").unwrap_or(message.channel_id);
        self.messages.get(&channel)?.get(&id("message_id")?)
    }

    /// MENTION_EVERYONE, which webhooks have.
    fn may_mention_widely(&self, message: &Message) -> bool {
        message.sender.is_some()
            || self.may(message.author_id, message.channel_id, bits::MENTION_EVERYONE)
    }
}

/// The marks in all of a message's text: its content, and what its text displays say.
fn marks_of(message: &Message) -> Mentions {
    let mut found = marks(&message.content);
    for text in component::texts(&message.components) {
        let more = marks(text);
        add(&mut found.users, more.users);
        add(&mut found.roles, more.roles);
        found.everyone |= more.everyone;
    }
    found
}

fn add(list: &mut Vec<u64>, more: impl IntoIterator<Item = u64>) {
    for id in more {
        if !list.contains(&id) {
            list.push(id);
        }
    }
}

/// The marks in a text, whoever may use them. Code and what is escaped hold none.
fn marks(content: &str) -> Mentions {
    let mut found = Mentions::default();
    let text = without_code(content);
    for rest in text.split("<@").skip(1) {
        let Some((id, _)) = rest.split_once('>') else { continue };
        let (list, digits) = match id.strip_prefix('&') {
            Some(role) => (&mut found.roles, role),
            None => (&mut found.users, id.strip_prefix('!').unwrap_or(id)),
        };
        add(list, digits.parse());
    }
    found.everyone = text.contains("@everyone") || text.contains("@here");
    found
}

/// The text without code blocks, inline code and escaped characters.
fn without_code(content: &str) -> String {
    let mut kept = String::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = rest.find(['`', '\\']) {
        let (before, mark) = rest.split_at(at);
        kept.push_str(before);
        if let Some(escaped) = mark.strip_prefix('\\') {
            let mut characters = escaped.chars();
            // What stands for it keeps its neighbours apart.
            kept.push(' ');
            characters.next();
            rest = characters.as_str();
            continue;
        }
        let inside = mark.trim_start_matches('`');
        let fence = &mark[..mark.len() - inside.len()];
        match closing(inside, fence.len()) {
            Some(end) => rest = &inside[end..],
            None => {
                kept.push_str(fence);
                rest = inside;
            }
        }
    }
    kept.push_str(rest);
    kept
}

/// Where the text goes on after a run of exactly so many backticks.
fn closing(text: &str, length: usize) -> Option<usize> {
    let mut from = 0;
    while let Some(found) = text[from..].find('`') {
        let start = from + found;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        if run == length {
            return Some(start + run);
        }
        from = start + run;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{
        default::{ADA, BEN, BOT_USER, GENERAL, GUILD, default_state},
        state::Role,
    };

    #[test]
    fn marks_are_found_outside_of_code() {
        let cases: [(&str, &[u64], &[u64], bool); 12] = [
            ("<@5> and <@!6>, <@5> again", &[5, 6], &[], false),
            ("<@&7>", &[], &[7], false),
            ("hi @everyone", &[], &[], true),
            ("hi @here", &[], &[], true),
            ("`<@5>` <@6>", &[6], &[], false),
            ("```rust\n<@5> `\n``` <@6>", &[6], &[], false),
            ("``<@5> ` <@6>``", &[], &[], false),
            ("`@everyone`", &[], &[], false),
            ("one ` alone <@5>", &[5], &[], false),
            ("\\<@5> \\@everyone", &[], &[], false),
            ("<@x> <@ <@&> <@", &[], &[], false),
            ("ends with \\", &[], &[], false),
        ];
        for (text, users, roles, everyone) in cases {
            let expected = Mentions { users: users.to_vec(), roles: roles.to_vec(), everyone };
            assert_eq!(marks(text), expected, "{text}");
        }
    }

    fn said(author_id: u64, content: &str) -> Message {
        let content = content.to_owned();
        Message { channel_id: GENERAL, author_id, content, ..Message::default() }
    }

    #[test]
    fn who_may_mention_whom() {
        let mut state = default_state();
        let guild = state.guilds.get_mut(&GUILD).unwrap();
        guild.roles.get_mut(&GUILD).unwrap().permissions &= !bits::MENTION_EVERYONE;
        for (id, mentionable) in [(7, false), (8, true)] {
            guild.roles.insert(id, Role { id, mentionable, ..Role::default() });
        }
        let text = format!("<@{BOT_USER}> <@404> <@&7> <@&8> <@&9> @everyone");
        let by_owner = state.mentions_of(&said(ADA, &text));
        assert_eq!(by_owner, Mentions { users: vec![BOT_USER], roles: vec![7, 8], everyone: true });
        let by_ben = state.mentions_of(&said(BEN, &text));
        assert_eq!(by_ben, Mentions { users: vec![BOT_USER], roles: vec![8], everyone: false });
        let allowed_mentions = AllowedMentions {
            everyone: false,
            users: Pingable::Only(vec![]),
            roles: Pingable::Only(vec![8]),
            replied_user: false,
        };
        let quiet = Message { allowed_mentions, ..said(ADA, &text) };
        let expected = Mentions { roles: vec![8], ..Mentions::default() };
        assert_eq!(state.mentions_of(&quiet), expected);
        let hook = Message { sender: Some(Default::default()), ..said(404, "@here <@&7>") };
        assert!(state.mentions_of(&hook).everyone && state.mentions_of(&hook).roles == [7]);
        let shown = serde_json::json!({ "type": 10, "content": text });
        let in_components = Message { components: vec![shown], ..said(BEN, "") };
        assert_eq!(state.mentions_of(&in_components), by_ben);
        let system = Message { kind: message_kind::PINNED, ..said(ADA, &text) };
        assert_eq!(state.mentions_of(&system), Mentions::default());
    }

    #[test]
    fn a_reply_mentions_whom_it_answers() {
        let mut state = default_state();
        let asked = Message { id: 5, ..said(BEN, "?") };
        state.messages.entry(GENERAL).or_default().insert(5, asked);
        let reference = Some(serde_json::json!({ "message_id": "5" }));
        let mut reply = Message { kind: message_kind::REPLY, reference, ..said(ADA, "!") };
        assert_eq!(state.mentions_of(&reply).users, [BEN]);
        reply.allowed_mentions.replied_user = false;
        assert_eq!(state.mentions_of(&reply).users, [0; 0]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[`\\\\<@!&>0-9a-zä ]{0,60}") {
            let _ = marks(&text);
        }
    }
}
