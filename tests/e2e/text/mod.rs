//! Text: a human writes on localcord, the agent answers.

mod admission;
mod chat;
mod cli;
mod delivery;
mod sessions;
