//! Who may talk to the agent, where, and who may command it: the same rules for messages, slash
//! commands and speech.
//!
//! ```text
//! place → guild entry → channel entry → Room → may this member speak in it? may they command?
//! ```
//!
//! Source: OpenClaw, "Discord", sections "Access control" and "Guild workspace".
//!
//! Does not: ask Discord anything. Whoever calls brings the names and roles.

mod command;
mod configured;
mod people;
mod policy;
mod refusal;
mod room;
mod rules;
mod tools;

pub use clawvoice_config::ToolLists;
pub use command::{CommandForm, CommandRefusal, CommandRules};
pub use people::{Audience, Member, People, Who};
pub use policy::Policy;
pub use refusal::Refusal;
pub use room::Room;
pub use rules::{AccessRules, ChannelAccess, Found, GroupPolicy, GuildAccess, Parent, Place};
pub use tools::{ToolRules, lets_use};
