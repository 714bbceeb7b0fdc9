//! A message that waits to be sent, in the form in which it is kept on the disk.

use clawvoice_session::{ChannelId, UserId, WebhookId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outgoing {
    /// Where to.
    pub(crate) to: Destination,
    /// The body of the request, with its nonce.
    pub(crate) body: Value,
    /// Files to go with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<String>,
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Destination {
    /// A channel or thread.
    Channel(ChannelId),
    /// A user's direct messages.
    User(UserId),
    /// A new post of a forum or media channel.
    Forum(ChannelId),
    /// A thread, by a webhook of its parent. The webhook's token is looked up when it is sent.
    Webhook {
        /// The webhook.
        webhook: WebhookId,
        /// The thread.
        thread: ChannelId,
    },
}

impl Outgoing {
    /// What it is kept as.
    pub(crate) fn kept(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What was kept; `None`: it is not one of ours.
    pub(crate) fn read(kept: &str) -> Option<Self> {
        serde_json::from_str(kept).ok()
    }
}

impl Destination {
    /// What messages for it queue up behind: all that goes to one place is one line.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Channel(channel) | Self::Forum(channel) => channel.to_string(),
            Self::User(user) => format!("user:{user}"),
            Self::Webhook { thread, .. } => thread.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_read() {
        for to in [
            Destination::Channel(ChannelId::new(5)),
            Destination::User(UserId::new(7)),
            Destination::Forum(ChannelId::new(6)),
            Destination::Webhook { webhook: WebhookId::new(8), thread: ChannelId::new(9) },
        ] {
            let outgoing =
                Outgoing { to, body: json!({"content": "hi"}), files: vec!["/a".to_owned()] };
            assert_eq!(Outgoing::read(&outgoing.kept()), Some(outgoing));
        }
        assert_eq!(Outgoing::read("{}"), None);
    }

    #[test]
    fn what_goes_to_one_place_is_one_line() {
        let thread = ChannelId::new(9);
        let by_hook = Destination::Webhook { webhook: WebhookId::new(8), thread };
        assert_eq!(by_hook.place(), Destination::Channel(thread).place());
        assert_eq!(Destination::User(UserId::new(9)).place(), "user:9");
    }
}
