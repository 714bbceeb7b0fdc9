//! The configuration of clawvoice: one JSON5 file with OpenClaw's keys, read into typed settings.
//!
//! ```text
//! text → AST with ranges (jsonc-parser) → cursor (types, bounds, near names) → schema → Config
//! ```
//!
//! Every complaint names `file:line:column`, the field path, shows the line with a caret and says
//! what to do. All complaints of a file come at once. Unknown keys of `channels.discord` and of
//! `gateway.clawvoice` are errors; of the parts that OpenClaw shares with other channels (`agents`,
//! `models`, `session`, `commands`, `messages`, …) only what is read is checked; the rest of an
//! OpenClaw file is left alone.
//!
//! The schema is written once. The code that reads a key says what it takes and what it is by
//! default ([`declarations`]), and notes where its value came from ([`Origins`]).
//!
//! Does not: open sockets, know tokio or Discord I/O, keep a default anywhere but in `schema`.

mod ast;
mod changes;
mod check;
mod cursor;
mod describe;
pub mod edit;
mod env;
mod error;
mod exec;
mod explain;
mod field;
mod load;
mod locate;
mod migrate;
mod origin;
mod redact;
mod schema;
mod secret;
mod secret_id;
mod span;
mod typed;
mod vault;
mod walk;

pub use changes::{Change, Effect};
pub use describe::{Declarations, Declared, Kind};
pub use env::{Env, ProcessEnv};
pub use error::{ConfigError, ConfigErrors, Problem, Warning};
pub use explain::{Explanation, UnknownKey, explain};
pub use load::{Checked, check, declarations, load, parse};
pub use locate::{NotLocated, locate, new_file};
pub use migrate::{Migrated, OldName, migrate};
pub use origin::{Origin, Origins, Source};
pub use redact::REDACTED;
pub use schema::{
    Config,
    access::{
        Access, AllowBots, BotLoopProtection, ContextVisibility, DmPolicy, GroupPolicy,
        MentionPatterns, PatternMode,
    },
    accounts::{Account, Disabled},
    agents::{Agent, Agents, HumanDelay, HumanDelayMode, Switch, TypingMode},
    answering::{AgentPost, AgentRole, AgentRouting, IntentFilter, RouterStrategy},
    commands::{CommandRules, Commands},
    connection::{Activity, AutoPresence, Connection, EventQueue, PluralKit, Reconnect, Status},
    delivery::{
        AckReactionScope, Delivery, HeartbeatPosts, MarkdownTables, RateLimit, RateStrategy,
        ReplyToMode, Retry, SpawnContext, ThreadBindings,
    },
    diagnostics::Diagnostics,
    discord::{Discord, Intents},
    entries::{Entries, Named},
    features::{Actions, ApprovalTarget, ExecApprovals, Features},
    gateway::{Gateway, Health},
    guilds::{AutoThreadName, Guild, GuildChannel, ReactionNotifications, ToolLists, slug},
    id::{BaseUrl, DiscordId},
    maintenance::{DiskBudget, Maintenance, MaintenanceMode},
    messages::{Messages, QueueDrop, QueueMode, UnmentionedInbound, VisibleReplies},
    models::{ModelApi, ModelCost, ModelFacts, ModelProvider},
    people::{Sender, user_ids},
    realtime::{
        BargeInRule, BootstrapFile, ConsultPolicy, LocalBehaviour, LocalProvider, Provider,
        Realtime, SelectedProvider, ToolPolicy,
    },
    routing::{AccessGroup, Binding, BindingKind, PeerKind},
    server::{AuthHeader, Azure, Server, Transcription},
    session::{DmScope, GroupScope, Session},
    speech::{ElevenLabsTts, EspeakTts, OpenAiTts, Speech, Synthesizer, Transcriber},
    spending::{Budget, ResponseCache, SpikeAlert},
    streaming::{
        BreakPreference, ChunkMode, Coalesce, CommandText, PreviewChunk, ProgressLabel, Streaming,
        StreamingMode,
    },
    voice::{AgentSession, AutoJoin, SessionTarget, TimelineFiles, Voice, VoiceChannel, VoiceMode},
};
pub use secret_id::SecretId;
pub use span::Position;
pub use walk::ExecRefs;
