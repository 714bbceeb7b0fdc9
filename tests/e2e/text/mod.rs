//! Text: a human writes on localcord, the agent answers.

mod admission;
mod chat;
mod delivery;
mod sessions;
mod shared;
