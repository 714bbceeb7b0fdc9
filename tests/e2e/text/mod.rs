//! Text: a human writes on localcord, the agent answers.

mod admission;
mod agents;
mod chat;
mod choice;
mod cli;
mod delivery;
mod events;
mod focus;
mod hostile;
mod media;
mod sessions;
mod shared;
mod slash;
mod threads;
