//! `@handle` in an answer as a mention that Discord understands.
//!
//! Source: OpenClaw, "Discord", `mentionAliases`; Discord, "Message Formatting".

use std::collections::{BTreeMap, HashMap, VecDeque};

use clawvoice_config::DiscordId;
use clawvoice_session::UserId;

use super::code::Code;

/// Handles that are remembered; of more, the oldest are forgotten.
const MAX_KNOWN: usize = 4000;
/// Characters of a handle.
const HANDLE_LEN: std::ops::RangeInclusive<usize> = 2..=32;

/// What people that were met are called. A handle that two of them have is nobody's.
#[derive(Clone, Debug, Default)]
pub struct KnownHandles {
    users: HashMap<String, Option<UserId>>,
    oldest: VecDeque<String>,
}

impl KnownHandles {
    /// Somebody was met by this name, tag or nickname. What cannot be written as a handle is left
    /// out.
    pub fn put(&mut self, user: UserId, name: &str) {
        let handle = name.to_lowercase();
        if handle_at(&handle).is_none_or(|whole| whole.len() != handle.len()) {
            return;
        }
        if let Some(known) = self.users.get_mut(&handle) {
            *known = known.filter(|known| *known == user);
            return;
        }
        if self.oldest.len() >= MAX_KNOWN
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.users.remove(&oldest);
        }
        self.oldest.push_back(handle.clone());
        self.users.insert(handle, Some(user));
    }

    /// Whether somebody is known by this name, or it is nobody's.
    #[must_use]
    pub fn has(&self, user: UserId, name: &str) -> bool {
        let known = self.users.get(&name.to_lowercase());
        known.is_some_and(|known| known.is_none_or(|known| known == user))
    }

    fn get(&self, handle: &str) -> Option<UserId> {
        self.users.get(handle).copied().flatten()
    }
}

/// Who is meant by which handle.
#[derive(Clone, Copy, Debug)]
pub struct Handles<'a> {
    /// `mentionAliases`, in lower case: these go first.
    pub aliases: &'a BTreeMap<String, DiscordId>,
    /// Those that were met.
    pub known: &'a KnownHandles,
}

impl Handles<'_> {
    fn user(&self, handle: &str) -> Option<UserId> {
        let handle = handle.to_ascii_lowercase();
        if matches!(handle.as_str(), "everyone" | "here") {
            return None;
        }
        let alias = self.aliases.get(&handle).map(|id| UserId::new(id.get()));
        alias.or_else(|| self.known.get(&handle))
    }
}

/// A text in which handles outside of code are mentions. Unknown ones stay as they are.
pub(crate) fn resolve(text: &str, handles: &Handles<'_>) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    let code = Code::of(text);
    let mut resolved = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, _) in text.match_indices('@') {
        if at < copied || code.covers(at) {
            continue;
        }
        let before = text.get(..at).unwrap_or_default();
        let behind = text.get(at + 1..).unwrap_or_default();
        let Some((mention, len)) = mention(before, behind, handles) else { continue };
        resolved.push_str(text.get(copied..at).unwrap_or_default());
        resolved.push_str(&mention);
        copied = at + 1 + len;
    }
    resolved.push_str(text.get(copied..).unwrap_or_default());
    resolved
}

/// What stands for an `@`, and how much behind it it stands for.
fn mention(before: &str, behind: &str, handles: &Handles<'_>) -> Option<(String, usize)> {
    if before.ends_with('<') {
        // The form with `!` is no longer written.
        let id = behind.strip_prefix('!')?;
        let digits = id.len() - id.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let is_whole = digits > 0 && id.as_bytes().get(digits) == Some(&b'>');
        return is_whole.then(|| ("@".to_owned(), 1));
    }
    if !before.chars().next_back().is_none_or(may_precede) {
        return None;
    }
    let whole = handle_at(behind)?;
    // At the end of a sentence the dot is no part of it, nor is the end of emphasis.
    let short = whole.trim_end_matches(['.', '-', '_']);
    [whole, short].into_iter().find_map(|handle| {
        let user = handles.user(handle).filter(|_| handle.len() >= *HANDLE_LEN.start())?;
        Some((format!("<@{user}>"), handle.len()))
    })
}

/// Whether a handle may follow: white space, an opening bracket or quote, or emphasis.
fn may_precede(c: char) -> bool {
    c.is_whitespace() || "([{\"'“‘„«‹¿¡*_~|（「『【《〈".contains(c)
}

/// The handle at the beginning of a text: letters, digits, `_`, `.`, `-`, perhaps with `#1234`.
fn handle_at(text: &str) -> Option<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let len = text.len() - text.trim_start_matches(is_part).len();
    let rest = text.get(len..)?;
    let tag = rest.strip_prefix('#').map_or(0, |tag| {
        let digits = tag.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 4 { 5 } else { 0 }
    });
    let is_address = rest.starts_with('@');
    text.get(..len + tag).filter(|_| HANDLE_LEN.contains(&len) && !is_address)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn aliases(written: &str) -> BTreeMap<String, DiscordId> {
        let text = format!(
            "{{ channels: {{ discord: {{ token: 'a.b.c', mentionAliases: {{ {written} }} }} }} }}"
        );
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env);
        config.unwrap_or_else(|errors| panic!("{errors}")).discord.access.mention_aliases
    }

    fn resolved(text: &str) -> String {
        let aliases = aliases("ops: '1', 'ada#1234': '2', everyone: '3', '@X.Y': '4'");
        let mut known = KnownHandles::default();
        known.put(UserId::new(20), "Bob");
        known.put(UserId::new(21), "ops");
        known.put(UserId::new(22), "twin");
        known.put(UserId::new(23), "Twin");
        known.put(UserId::new(24), "two words");
        resolve(text, &Handles { aliases: &aliases, known: &known })
    }

    /// Scenario 48 of the text scenarios.
    #[test]
    fn an_alias_is_a_ping_and_in_code_it_is_not() {
        assert_eq!(resolved("ask @ops, run `@ops`"), "ask <@1>, run `@ops`");
        assert_eq!(resolved("```\n@ops\n```\n@ops"), "```\n@ops\n```\n<@1>");
    }

    #[test]
    fn handles_by_what_is_around_them() {
        let cases = [
            ("@ops", "<@1>"),
            ("@OPS.", "<@1>."),
            ("(@ops)", "(<@1>)"),
            ("**@ops**", "**<@1>**"),
            ("_@ops_", "_<@1>_"),
            ("@ops请看", "<@1>请看"),
            ("@ada#1234!", "<@2>!"),
            ("@ada#12345", "@ada#12345"),
            ("@x.y.", "<@4>."),
            ("\n@bob", "\n<@20>"),
            ("@twin", "@twin"),
            ("@nobody", "@nobody"),
            ("@everyone @here", "@everyone @here"),
            ("mail@ops", "mail@ops"),
            ("@ops@example.org", "@ops@example.org"),
            ("@opsx", "@opsx"),
            ("<@!12> <@12> <@&3> <@!x>", "<@12> <@12> <@&3> <@!x>"),
            ("`<@!12>`", "`<@!12>`"),
            ("@", "@"),
        ];
        for (text, expected) in cases {
            assert_eq!(resolved(text), expected, "{text:?}");
        }
    }

    #[test]
    fn who_is_known_need_not_be_put_again() {
        let mut known = KnownHandles::default();
        let (ada, ben) = (UserId::new(1), UserId::new(2));
        known.put(ada, "Ada");
        assert!(known.has(ada, "aDA") && !known.has(ben, "ada") && !known.has(ada, "ben"));
        known.put(ben, "ada");
        assert!(known.has(ada, "ada") && known.has(ben, "ada"), "two have it, so it is nobody's");
        assert_eq!(known.get("ada"), None);
    }

    #[test]
    fn the_oldest_handles_are_forgotten() {
        let mut known = KnownHandles::default();
        for id in 0..=MAX_KNOWN as u64 {
            known.put(UserId::new(id + 1), &format!("user{id}"));
        }
        assert_eq!((known.users.len(), known.oldest.len()), (MAX_KNOWN, MAX_KNOWN));
        assert_eq!(known.get("user0"), None);
        assert_eq!(known.get("user1"), Some(UserId::new(2)));
    }
}
