//! Channel types ("Channel Types").

/// Text channel of a guild.
pub const TEXT: u8 = 0;
/// Direct message between two users.
pub const DM: u8 = 1;
/// Voice channel; end-to-end encrypted.
pub const VOICE: u8 = 2;
/// Direct message of several users.
pub const GROUP_DM: u8 = 3;
/// Groups channels.
pub const CATEGORY: u8 = 4;
/// Text channel that others can follow.
pub const ANNOUNCEMENT: u8 = 5;
/// Thread in an announcement channel.
pub const ANNOUNCEMENT_THREAD: u8 = 10;
/// Thread everybody of the parent sees.
pub const PUBLIC_THREAD: u8 = 11;
/// Thread for those who were added.
pub const PRIVATE_THREAD: u8 = 12;
/// Stage channel; the one voice channel that is not end-to-end encrypted.
pub const STAGE: u8 = 13;
/// Holds threads only.
pub const FORUM: u8 = 15;
/// Holds threads only, made for pictures.
pub const MEDIA: u8 = 16;
