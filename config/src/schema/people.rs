//! Lists of people, as far as they name Discord users by id.

use crate::{
    cursor::Field,
    error::Problem,
    schema::discord::{DiscordId, id, parse_id},
};

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

/// `allowFrom`: the ids in it. Names, `*` and access groups admit people but name nobody, and are
/// left alone.
pub(crate) fn allowed(field: &Field<'_, '_>) -> Option<Vec<DiscordId>> {
    let entries = field.list()?.into_iter();
    let ids = entries.filter_map(|entry| match entry.if_text() {
        Some(text) => named(text.trim()),
        None => id(&entry),
    });
    Some(ids.collect())
}

fn named(text: &str) -> Option<DiscordId> {
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
