//! Which messages of a turn are replies, and to what.
//!
//! Source: OpenClaw, "Discord", `replyToMode` and reply tags.

use clawvoice_config::ReplyToMode;
use clawvoice_session::MessageId;

use super::directives::ReplyTag;

/// The replies of one turn.
#[derive(Clone, Debug)]
pub struct Replies {
    mode: ReplyToMode,
    /// The message that began the turn, if replies to it are possible where the answer goes.
    current: Option<MessageId>,
    is_batch: bool,
    moved: bool,
    /// Of the text that is being sent.
    tag: Option<ReplyTag>,
    is_first: bool,
}

/// What a turn answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The message that began the turn; of a batch the last.
    pub message: Option<MessageId>,
    /// It came in several messages.
    pub is_batch: bool,
    /// The answer goes into a thread that was opened for it: a message elsewhere cannot be replied
    /// to.
    pub moved: bool,
}

impl Replies {
    /// For a turn.
    #[must_use]
    pub const fn new(mode: ReplyToMode, asked: Asked) -> Self {
        let Asked { message, is_batch, moved } = asked;
        Self { mode, current: message, is_batch, moved, tag: None, is_first: true }
    }

    /// A text of the turn begins, with its tag.
    pub const fn begin_text(&mut self, tag: Option<ReplyTag>) {
        self.tag = tag;
    }

    /// What the next message replies to.
    #[must_use]
    pub fn next_message(&mut self) -> Option<MessageId> {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let all = self.mode == ReplyToMode::All;
        // A tag is for the message that its text begins with, and with `all` for the rest of it.
        let tag = if all { self.tag } else { self.tag.take() };
        if self.moved {
            return None;
        }
        let by_mode = match self.mode {
            ReplyToMode::Off => false,
            ReplyToMode::First => is_first,
            ReplyToMode::All => true,
            ReplyToMode::Batched => is_first && self.is_batch,
        };
        match tag {
            Some(ReplyTag::Id(id)) => Some(id),
            Some(ReplyTag::Current) => self.current,
            None => self.current.filter(|_| by_mode),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURRENT: MessageId = MessageId::new(7);

    fn replies(mode: ReplyToMode, is_batch: bool, tag: Option<ReplyTag>, moved: bool) -> [u64; 3] {
        let asked = Asked { message: Some(CURRENT), is_batch, moved };
        let mut replies = Replies::new(mode, asked);
        replies.begin_text(tag);
        [(); 3].map(|()| replies.next_message().map_or(0, MessageId::get))
    }

    #[test]
    fn by_mode() {
        let cases = [
            (ReplyToMode::Off, false, [0, 0, 0]),
            (ReplyToMode::First, false, [7, 0, 0]),
            (ReplyToMode::All, false, [7, 7, 7]),
            (ReplyToMode::Batched, false, [0, 0, 0]),
            (ReplyToMode::Batched, true, [7, 0, 0]),
        ];
        for (mode, is_batch, expected) in cases {
            assert_eq!(replies(mode, is_batch, None, false), expected, "{mode:?}");
            assert_eq!(replies(mode, is_batch, None, true), [0, 0, 0], "{mode:?}");
        }
    }

    /// Scenario 47 of the text scenarios: a tag counts in every mode.
    #[test]
    fn a_tag_goes_before_the_mode() {
        let one = Some(ReplyTag::Id(MessageId::new(1)));
        let cases = [
            (ReplyToMode::Off, one, [1, 0, 0]),
            (ReplyToMode::First, one, [1, 0, 0]),
            (ReplyToMode::All, one, [1, 1, 1]),
            (ReplyToMode::Batched, one, [1, 0, 0]),
            (ReplyToMode::Off, Some(ReplyTag::Current), [7, 0, 0]),
        ];
        for (mode, tag, expected) in cases {
            assert_eq!(replies(mode, false, tag, false), expected, "{mode:?}");
        }
        assert_eq!(replies(ReplyToMode::All, false, one, true), [0, 0, 0]);
    }

    #[test]
    fn the_next_text_has_a_tag_of_its_own() {
        let asked = Asked { message: Some(CURRENT), is_batch: false, moved: false };
        let mut replies = Replies::new(ReplyToMode::First, asked);
        replies.begin_text(None);
        assert_eq!(replies.next_message(), Some(CURRENT));
        replies.begin_text(Some(ReplyTag::Id(MessageId::new(1))));
        assert_eq!(replies.next_message(), Some(MessageId::new(1)));
        replies.begin_text(None);
        assert_eq!(replies.next_message(), None);
    }
}
