//! The configuration of clawvoice: one JSON5 file with OpenClaw's keys, read into typed settings.
//!
//! ```text
//! text → AST with ranges (jsonc-parser) → cursor (types, bounds, near names) → schema → Config
//! ```
//!
//! Every complaint names `file:line:column`, the field path, shows the line with a caret and says
//! what to do. All complaints of a file come at once. In the parts that are read
//! (`channels.discord`, `agents`, `models`, `session`, `commands`) unknown keys of `channels.discord` are errors; the
//! rest of an OpenClaw file is left alone.
//!
//! Does not: open sockets, know tokio or Discord I/O, keep a default anywhere but in `schema`.

mod check;
mod cursor;
mod env;
mod error;
mod load;
mod schema;
mod secret;
mod span;

pub use env::{Env, ProcessEnv};
pub use error::{ConfigError, ConfigErrors, Problem, Warning};
pub use load::{load, parse};
pub use schema::{
    Config,
    agents::Agent,
    discord::{BaseUrl, Commands, Discord, DiscordId, Intents},
    guilds::{Guild, GuildChannel},
    models::{ModelApi, ModelCost, ModelFacts, ModelProvider},
    realtime::{
        BargeInRule, BootstrapFile, ConsultPolicy, LocalBehaviour, LocalProvider, Provider,
        Realtime, SelectedProvider, ToolPolicy,
    },
    server::{AuthHeader, Azure, Server, Transcription},
    speech::{ElevenLabsTts, EspeakTts, OpenAiTts, Speech, Synthesizer, Transcriber},
    voice::{AgentSession, AutoJoin, SessionTarget, TimelineFiles, Voice, VoiceChannel, VoiceMode},
};
pub use span::Position;
