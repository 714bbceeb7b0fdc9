//! Text: a human writes on localcord, the agent answers.

mod admission;
mod agents;
mod budget;
mod chat;
mod choice;
mod cli;
mod credentials;
mod delivery;
mod events;
mod focus;
mod hostile;
mod keeping;
mod media;
mod outgoing;
mod sessions;
mod shared;
mod slash;
mod threads;
mod tools;
