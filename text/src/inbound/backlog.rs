//! Step 6: what was said among people while the bot was away is not answered late.

use std::time::Duration;

use super::{mention::Mentions, verdict::Known};
use crate::message::Message;

/// Older messages that are not to the bot are left alone. Source: OpenClaw, "Discord".
const STALE: Duration = Duration::from_secs(15 * 60);

/// Whether the message is one of those. `gated`: it is in a guild's channel, not a thread, where a
/// mention is needed.
pub(crate) fn is_stale(
    message: &Message,
    known: &Known<'_>,
    gated: bool,
    mentions: Mentions,
) -> bool {
    let age = Duration::from_millis(known.now_unix_ms.saturating_sub(message.unix_ms()));
    known.after_downtime && gated && !mentions.is_addressed() && age > STALE
}
