//! What is said to a language model and what it answers, as pure readers and writers.
//!
//! ```text
//! ModelRequest → completions::body | responses::body → HTTP → AnswerBody → Assembly → ModelEvent
//! ```
//!
//! Does not: open sockets (see [`crate::shell`]), decide which tools a speaker has (see
//! [`crate::tools`]).

pub mod assembly;
pub mod body;
pub mod cache;
pub mod completions;
pub mod echo;
pub mod failure;
pub mod message;
pub mod price;
pub mod responses;
pub mod sse;

pub use assembly::Assembly;
pub use body::AnswerBody;
pub use failure::{ModelFailure, RetryPlan};
pub use message::{
    Ending, Image, Message, ModelAnswer, ModelEvent, ModelRequest, Speaker, ToolCall, ToolSpec,
};
pub use price::Price;

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `POST <base>/chat/completions`.
    Completions,
    /// `POST <base>/responses`.
    Responses,
}
