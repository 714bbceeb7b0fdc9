//! Message types ("Message Types").

/// An ordinary message.
pub const ORDINARY: u8 = 0;
/// Somebody was added to a thread.
pub const RECIPIENT_ADD: u8 = 1;
/// A thread has another name.
pub const NAME_CHANGE: u8 = 4;
/// A message was pinned.
pub const PINNED: u8 = 6;
/// Somebody joined the guild.
pub const JOIN: u8 = 7;
/// Somebody boosted the guild.
pub const BOOST: u8 = 8;
/// A thread was opened on no message.
pub const THREAD_CREATED: u8 = 18;
/// A reply.
pub const REPLY: u8 = 19;
/// The answer to a slash command.
pub const COMMAND_ANSWER: u8 = 20;
/// The first message of a thread, in place of the message it was opened on.
pub const THREAD_STARTER: u8 = 21;
/// The answer to a context menu command.
pub const MENU_ANSWER: u8 = 23;

/// Whether somebody wrote it; anything else is Discord telling of something.
#[must_use]
pub fn is_written(kind: u8) -> bool {
    matches!(kind, ORDINARY | REPLY | COMMAND_ANSWER | MENU_ANSWER)
}
