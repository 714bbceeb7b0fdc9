//! What a preview asks for, and what it is told at the end.

use clawvoice_session::MessageId;

#[cfg(doc)]
use super::Preview;

/// A request to Discord failed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallFailed;

/// The end of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalAnswer {
    /// The answer as the agent gave it; empty: nothing is to be sent. Of a failed run, what people
    /// are told.
    pub text: String,
    /// What would be sent for it, if that is one message which may as well be a draft that stays:
    /// without pings, files, buttons or a reply.
    pub as_one_message: Option<String>,
    /// Files or buttons go with it.
    pub has_media: bool,
    /// It tells of a failure.
    pub is_error: bool,
    /// It is to be a reply to a certain message.
    pub explicit_reply: bool,
}

/// What is to be done. `Post`, `Edit`, `Send`, `SendFinal` and `Delete` are answered with how they
/// went; previews ping nobody and have their embeds suppressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreviewOutput {
    /// Post a preview; then [`Preview::handle_sent`].
    Post {
        /// At most one message of text.
        text: String,
    },
    /// Change a preview; then [`Preview::handle_edited`].
    Edit {
        /// Which.
        id: MessageId,
        /// All of its new text.
        text: String,
    },
    /// Send a piece of the answer, prepared like a final, for good; then [`Preview::handle_sent`].
    Send {
        /// The piece.
        text: String,
    },
    /// Prepare and send this as fresh messages; then [`Preview::handle_final_sent`].
    SendFinal {
        /// The answer, or what of it has not been sent.
        text: String,
    },
    /// The final needs no sending: this message shows all of it.
    FinalIsPreview {
        /// The message.
        id: MessageId,
    },
    /// The final needs no sending: all of it was sent in pieces.
    FinalIsSent,
    /// Delete a draft; then [`Preview::handle_deleted`].
    Delete {
        /// Which.
        id: MessageId,
    },
    /// A draft could not be deleted: it belongs into the account's
    /// [`DeleteQueue`](crate::feedback::DeleteQueue).
    DeleteLater {
        /// Which.
        id: MessageId,
    },
}
