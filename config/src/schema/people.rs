//! Lists of people, as they are written.

use crate::{
    describe::Kind,
    error::Problem,
    field::Field,
    schema::id::{DiscordId, id, parse_id},
};

/// One entry of a list of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// `"*"`.
    Anyone,
    /// A user by id: digits, `discord:<id>`, `user:<id>` or a mention.
    User(DiscordId),
    /// `pk:<id>`: a member of a PluralKit system.
    PluralKit(String),
    /// `accessGroup:<name>`.
    AccessGroup(String),
    /// Anything else: a name or tag, which counts only with `dangerouslyAllowNameMatching`.
    Name(String),
}

impl Sender {
    /// The user's id, if it is one by id.
    #[must_use]
    pub const fn user(&self) -> Option<DiscordId> {
        match self {
            Self::User(id) => Some(*id),
            _ => None,
        }
    }

    /// Whom a key of `toolsBySender` names: as an entry of a list, with `id:` or `name:` before it
    /// or without.
    #[must_use]
    pub fn keyed(text: &str) -> Self {
        let text = text.trim();
        match text.split_once(':') {
            Some(("id", id)) => Self::parse(id),
            Some(("name" | "username", name)) => Self::Name(name.trim().to_owned()),
            _ => Self::parse(text),
        }
    }

    fn parse(text: &str) -> Self {
        let text = text.trim();
        if text == "*" {
            return Self::Anyone;
        }
        if let Some(id) = named(text) {
            return Self::User(id);
        }
        match text.split_once(':') {
            Some(("pk", member)) => Self::PluralKit(member.to_owned()),
            Some(("accessGroup", name)) => Self::AccessGroup(name.to_owned()),
            _ => Self::Name(text.to_owned()),
        }
    }
}

/// The users named by id in a list.
#[must_use]
pub fn user_ids(senders: &[Sender]) -> Vec<DiscordId> {
    senders.iter().filter_map(Sender::user).collect()
}

/// `allowFrom`, `users` and the like.
pub(crate) fn senders(field: &Field<'_, '_>) -> Option<Vec<Sender>> {
    let read = |entry: &Field<'_, '_>| {
        entry.declare(|| {
            Kind::Other("a Discord id, `*`, `pk:<id>`, `accessGroup:<name>` or a name")
        });
        match entry.if_text() {
            Some("") => {
                entry.fail(Problem::Empty, None);
                None
            }
            Some(text) => Some(Sender::parse(text)),
            None => id(entry).map(Sender::User),
        }
    };
    Some(field.list()?.iter().filter_map(read).collect())
}

/// `roles`: ids, with or without `role:`. What is none stays as a role that nobody has: a list that
/// became empty would restrict nothing.
pub(crate) fn roles(field: &Field<'_, '_>) -> Option<Vec<DiscordId>> {
    let read = |entry: &Field<'_, '_>| match entry.if_text() {
        Some(text) => {
            let role = parse_id(text.trim().strip_prefix("role:").unwrap_or(text.trim()));
            if role.is_none() {
                entry.warn("not a role's id, so it admits nobody".to_owned());
            }
            Some(role.unwrap_or(DiscordId::NONE))
        }
        None => id(entry),
    };
    Some(field.list()?.iter().filter_map(read).collect())
}

/// `commands.ownerAllowFrom`: ids, with or without `discord:` or `user:`, or as a mention. Entries
/// of other channels (`telegram:…`) are left alone; `*` would make everybody an owner and is an
/// error.
pub(crate) fn owners(field: &Field<'_, '_>) -> Option<Vec<DiscordId>> {
    let mut owners = Vec::new();
    for entry in field.list()? {
        match entry.if_text().map(str::trim) {
            None => owners.extend(id(&entry)),
            Some("*") => entry.fail(
                Problem::Invalid("everybody cannot be an owner".to_owned()),
                Some("list the owners' Discord ids".to_owned()),
            ),
            Some(text) => match named(text) {
                Some(owner) => owners.push(owner),
                None if is_of_another_channel(text) => {}
                None => entry.warn("not a Discord id, so it makes nobody an owner".to_owned()),
            },
        }
    }
    Some(owners)
}

/// `execApprovals.approvers`: ids; anything else approves nothing.
pub(crate) fn approvers(field: &Field<'_, '_>) -> Option<Vec<DiscordId>> {
    let read = |entry: &Field<'_, '_>| match entry.if_text() {
        Some(text) => {
            let user = named(text.trim());
            if user.is_none() {
                entry.warn("not a Discord id, so it names no approver".to_owned());
            }
            user
        }
        None => id(entry),
    };
    Some(field.list()?.iter().filter_map(read).collect())
}

pub(crate) fn named(text: &str) -> Option<DiscordId> {
    let mention = text.strip_prefix("<@").and_then(|rest| rest.strip_suffix('>'));
    let mention = mention.map(|rest| rest.strip_prefix('!').unwrap_or(rest));
    let mut text = mention.unwrap_or(text);
    for prefix in ["discord:", "user:"] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    parse_id(text)
}

fn is_of_another_channel(text: &str) -> bool {
    text.split_once(':').is_some_and(|(channel, _)| !matches!(channel, "discord" | "user"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_told_apart() {
        let user = |id| Sender::User(parse_id(id).unwrap());
        for (text, expected) in [
            ("*", Sender::Anyone),
            ("5", user("5")),
            ("discord:5", user("5")),
            ("user:5", user("5")),
            ("<@5>", user("5")),
            ("<@!5>", user("5")),
            ("pk:abcde", Sender::PluralKit("abcde".to_owned())),
            ("accessGroup:team", Sender::AccessGroup("team".to_owned())),
            ("ada#1234", Sender::Name("ada#1234".to_owned())),
            ("0", Sender::Name("0".to_owned())),
        ] {
            assert_eq!(Sender::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn keys_name_people_too() {
        let user = Sender::User(parse_id("5").unwrap());
        for (text, expected) in [
            ("*", Sender::Anyone),
            ("5", user.clone()),
            ("id:5", user.clone()),
            (" user:5 ", user),
            ("pk:abcde", Sender::PluralKit("abcde".to_owned())),
            ("name:5", Sender::Name("5".to_owned())),
            ("username:ada", Sender::Name("ada".to_owned())),
        ] {
            assert_eq!(Sender::keyed(text), expected, "{text}");
        }
    }
}
