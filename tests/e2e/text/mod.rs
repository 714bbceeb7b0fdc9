//! Text: a human writes on localcord, the agent answers.

mod admission;
mod agents;
mod chat;
mod delivery;
mod events;
mod focus;
mod media;
mod sessions;
mod shared;
mod threads;
