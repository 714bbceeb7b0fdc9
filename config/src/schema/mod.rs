//! The keys: names, types, bounds and defaults, one file an area.

pub(crate) mod agents;
pub(crate) mod discord;
pub(crate) mod guilds;
pub(crate) mod realtime;
pub(crate) mod speech;
pub(crate) mod voice;

use crate::{cursor::Section, error::Warning};

/// A whole configuration, checked, with secrets resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The agent that answers: the default one of `agents`.
    pub agent: agents::Agent,
    /// `channels.discord`.
    pub discord: discord::Discord,
    /// Who transcribes and speaks; read in mode `stt-tts` only, where voice is on.
    pub speech: Option<speech::Speech>,
    /// What a person should know though the file was taken. To be logged once.
    pub warnings: Vec<Warning>,
}

pub(crate) fn read(root: &Section<'_, '_>) -> Config {
    root.finish_leniently();
    root.warn_near(&["channels", "agents"]);
    let channels = root.section("channels");
    channels.finish_leniently();
    channels.warn_near(&["discord"]);
    let native_commands = discord::native(&root.section("commands"));
    let discord = discord::read(&channels.section("discord"), native_commands);
    let wants_speech = discord.voice.enabled && discord.voice.mode == voice::VoiceMode::SttTts;
    Config {
        agent: agents::read(&root.section("agents")),
        speech: wants_speech.then(|| speech::of(root)),
        discord,
        warnings: Vec::new(),
    }
}
