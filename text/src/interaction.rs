//! What people do with what the bot offers them, as Discord tells: who, where, and which button,
//! menu or form. Slash commands are in [`crate::command`].
//!
//! Everything here is as somebody sent it: whoever reads it decides what it is worth.
//! Source: Discord, "Receiving and Responding", "Component Reference".

use std::collections::BTreeMap;

use clawvoice_session::{ChannelId, GuildId, MessageId, RoleId, UserId};

use crate::place::PlaceKind;

/// Who did something, and where. Of the payload alone, nothing is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The interaction's id: what is asked by it goes by this.
    pub interaction: u64,
    /// The guild; `None` in a direct message.
    pub guild: Option<GuildId>,
    /// The channel, as far as Discord tells.
    pub asked_in: Option<AskedIn>,
    /// Who.
    pub user: Option<UserId>,
    /// Their roles in the guild.
    pub roles: Vec<RoleId>,
    /// What the guild's members call them: others may have given it.
    pub nick: Option<String>,
    /// Global name, username: whatever is known.
    pub names: Vec<String>,
}

/// The channel, or thread, something was done in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedIn {
    /// Its id.
    pub channel: ChannelId,
    /// What it is; `None`: Discord does not tell.
    pub kind: Option<PlaceKind>,
    /// Its name.
    pub name: String,
    /// Of a thread, the channel it belongs to.
    pub parent: Option<ChannelId>,
}

/// A button that was pressed, or a menu in which something was chosen (interaction type 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentUse {
    /// Who, and where.
    pub by: Caller,
    /// The component's `custom_id`, of any length and content.
    pub custom_id: String,
    /// Its type: 2 is a button, 3 and 5 to 8 are menus.
    pub kind: u64,
    /// What was chosen: an option's value, or an id.
    pub values: Vec<String>,
    /// What the chosen ids are called.
    pub named: Resolved,
    /// The message it is on.
    pub message: SourceMessage,
}

/// A form that was sent (interaction type 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModalSubmit {
    /// Who, and where.
    pub by: Caller,
    /// The form's `custom_id`, of any length and content.
    pub custom_id: String,
    /// What was filled in, in the order of the form.
    pub fields: Vec<SubmittedField>,
    /// What the chosen ids are called.
    pub named: Resolved,
    /// The message whose button opened it, if a button did.
    pub message: Option<SourceMessage>,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmittedField {
    /// The field's `custom_id`.
    pub custom_id: String,
    /// Its type: 4 is a text, 3 and 5 to 8 are menus, 21 and 22 groups of choices, 23 a checkbox.
    pub kind: u64,
    /// What was written or chosen; a text that was left empty is one empty value.
    pub values: Vec<String>,
}

/// The message that bears a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceMessage {
    /// Its id.
    pub id: MessageId,
    /// Discord's message flags.
    pub flags: u64,
    /// What it says: its content, else its text components, at most 500 characters.
    pub text: String,
}

/// What ids are called, as Discord resolved them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Usernames.
    pub users: BTreeMap<UserId, String>,
    /// Names of roles.
    pub roles: BTreeMap<RoleId, String>,
    /// Names of channels.
    pub channels: BTreeMap<ChannelId, String>,
}
