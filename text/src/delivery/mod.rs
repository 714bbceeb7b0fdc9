//! What goes out to Discord beside answers to commands.

pub mod voice_message;
