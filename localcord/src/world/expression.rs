//! Custom emoji and stickers of a guild, and the tags of a forum.

use serde_json::{Value, json};

/// A custom emoji.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Emoji {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// It moves.
    pub animated: bool,
}

impl Emoji {
    /// The emoji object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "roles": [],
            "require_colons": true,
            "managed": false,
            "animated": self.animated,
            "available": true,
        })
    }
}

/// A sticker of a guild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sticker {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// What it shows.
    pub description: String,
    /// Emoji that stand for it.
    pub tags: String,
}

/// A still picture ("Sticker Format Types").
const PNG: u8 = 1;
/// Made by a guild ("Sticker Types").
const OF_A_GUILD: u8 = 2;

impl Sticker {
    /// The sticker object of a guild.
    #[must_use]
    pub fn to_json(&self, guild_id: u64) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "description": self.description,
            "tags": self.tags,
            "type": OF_A_GUILD,
            "format_type": PNG,
            "available": true,
            "guild_id": guild_id.to_string(),
        })
    }

    /// The sticker item object of a message.
    #[must_use]
    pub fn to_item_json(&self) -> Value {
        json!({ "id": self.id.to_string(), "name": self.name, "format_type": PNG })
    }
}

/// A tag that posts of a forum can have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForumTag {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Only those with MANAGE_THREADS may give or take it.
    pub moderated: bool,
}

impl ForumTag {
    /// The forum tag object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "name": self.name,
            "moderated": self.moderated,
            "emoji_id": null,
            "emoji_name": null,
        })
    }
}
