//! Text: a human writes on localcord, the agent answers.

mod chat;
