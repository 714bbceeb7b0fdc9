//! What is configured and what is written, in the terms of the documentation.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bots {
    No,
    Mentions,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Groups {
    Open,
    Allowlist,
    Disabled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dms {
    Pairing,
    Allowlist,
    Open,
    Disabled,
}

/// One entry of a list of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    Ada,
    Star,
    Plural,
    /// The stranger, by name.
    Name,
    /// A group with Ada in it.
    Crew,
    /// A group that does not exist.
    Missing,
    /// Whoever sees a channel.
    Audience,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Own,
    Stranger,
    Ada,
    Owner,
    /// Has the role that lists name.
    Crew,
    Bot,
    /// A webhook that PluralKit knows.
    Plural,
    /// One that it does not know.
    Webhook,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    General,
    Help,
    Secret,
    /// Of general, called "help".
    Thread,
    /// Of general, opened by the bot.
    OwnThread,
    Direct,
    Group,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Nobody,
    Own,
    /// The array of mentions is missing and cannot be got.
    OwnRaw,
    OwnInCode,
    ReplyToOwn,
    ReplyToOther,
    Everyone,
    Other,
    Role,
    /// The bot's name.
    Word,
    OwnAndOther,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text,
    /// `/reset`.
    Command,
    Sticker,
    Nothing,
    /// A join.
    Notice,
    /// The record of a slash command.
    Record,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    General,
    GeneralByName,
    Help,
    HelpByName,
    Thread,
    Star,
}

#[derive(Clone, Debug)]
pub(super) struct Channel {
    pub(super) enabled: bool,
    pub(super) require: Option<bool>,
    pub(super) ignore_other: Option<bool>,
    pub(super) users: Option<Vec<Listed>>,
    pub(super) roles: Option<bool>,
    pub(super) auto_thread: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Guild {
    pub(super) require: Option<bool>,
    pub(super) ignore_other: bool,
    pub(super) ignore_broadcast: bool,
    pub(super) users: Option<Vec<Listed>>,
    /// The one role; `Some(false)`: an empty list.
    pub(super) roles: Option<bool>,
    pub(super) channels: Vec<(Key, Channel)>,
}

/// What is configured.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) bots: Bots,
    pub(super) plural_kit: bool,
    pub(super) names: bool,
    pub(super) groups: Groups,
    pub(super) dm_enabled: bool,
    pub(super) dms: Dms,
    pub(super) allow_from: Option<Vec<Listed>>,
    pub(super) group_dms: bool,
    /// The list of groups: none, with this one, without it.
    pub(super) group_list: Option<bool>,
    /// Entries by id, by name and for all others.
    pub(super) by_id: Option<Guild>,
    pub(super) by_name: Option<Guild>,
    pub(super) by_star: Option<Guild>,
    pub(super) other_guild: bool,
    pub(super) words: bool,
    pub(super) access_groups: bool,
    pub(super) owner: bool,
    pub(super) command_list: Option<Vec<Listed>>,
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) sender: Sender,
    pub(super) place: Place,
    pub(super) to: To,
    pub(super) content: Content,
    pub(super) bound: bool,
    pub(super) dm_bound: bool,
    pub(super) paired: bool,
    pub(super) sees_channel: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Dropped(&'static str),
    Remembered(&'static str),
    Admitted { addressed: bool, command: bool },
}
