//! How answers in text are cut, sent and shown: `channels.discord`'s limits, replies, reactions.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cursor::{Section, join},
    describe::Kind,
    schema::{
        declare::{block, words},
        id::{DiscordId, parse_id},
        streaming::{self, Streaming},
    },
};

words! {
    /// `replyToMode`: which messages of an answer are replies.
    ReplyToMode {
        /// None.
        Off = "off",
        /// The first.
        First = "first",
        /// All.
        All = "all",
        /// The first, if the question came in several messages.
        Batched = "batched",
    }
}

words! {
    /// `markdown.tables`: what becomes of tables, which Discord does not show.
    MarkdownTables {
        /// Left as they are.
        Off = "off",
        /// Lists.
        Bullets = "bullets",
        /// Blocks of code.
        Code = "code",
    }
}

words! {
    /// `ackReactionScope`: where a message is acknowledged by a reaction.
    AckReactionScope {
        /// In groups where the bot was mentioned.
        GroupMentions = "group-mentions",
        /// In all groups.
        GroupAll = "group-all",
        /// In direct messages.
        Direct = "direct",
        /// Everywhere.
        All = "all",
        /// Nowhere.
        Off = "off",
        /// Nowhere.
        None = "none",
    }
}

words! {
    /// `threadBindings.defaultSpawnContext`.
    SpawnContext {
        /// The new session begins with the old one's history.
        Fork = "fork",
        /// It begins empty.
        Isolated = "isolated",
    }
}

block! {
    /// `retry`: a request that failed is repeated.
    Retry {
        /// Default 3.
        attempts: u32 = whole_or("attempts", 1, 100, 3),
        /// Default 500 ms.
        min_delay: Duration = millis_or("minDelayMs", 0, 3_600_000, 500),
        /// Default 30,000 ms.
        max_delay: Duration = millis_or("maxDelayMs", 0, 3_600_000, 30_000),
        /// Share of the delay that is random. Default 0.1.
        jitter: f64 = number_or("jitter", 0.0, 1.0, 0.1),
    }
}

block! {
    /// `rateLimit`: messages to one channel wait for their turn.
    RateLimit {
        /// Default on.
        enabled: bool = bool_or("enabled", true),
        /// The one there is.
        strategy: RateStrategy = word_or("strategy", RateStrategy::Queue),
        /// So many may wait a channel; more fail, visibly. Default 50.
        max_queue: u32 = whole_or("maxQueueSize", 1, 10_000, 50),
        /// About 5 messages in 5 s. Default on.
        burst_protection: bool = bool_or("burstProtection", true),
    }
}

words! {
    /// `rateLimit.strategy`.
    RateStrategy {
        /// What is over the limit waits.
        Queue = "queue",
    }
}

block! {
    /// `heartbeat`: what is shown of the agent's regular checks.
    HeartbeatPosts {
        /// Default off.
        show_ok: bool = bool_or("showOk", false),
        /// Default on.
        show_alerts: bool = bool_or("showAlerts", true),
        /// Default on.
        use_indicator: bool = bool_or("useIndicator", true),
    }
}

/// `threadBindings`, key by key over `session.threadBindings`: threads that belong to a session.
#[derive(Clone, Debug, PartialEq)]
pub struct ThreadBindings {
    /// `enabled`. Default on.
    pub enabled: bool,
    /// `idleHours`: a binding ends after so long without a message. Default 24 h; 0 never.
    pub idle: Duration,
    /// `maxAgeHours`. Default 0: never.
    pub max_age: Duration,
    /// `spawnSessions`. Default on.
    pub spawn_sessions: bool,
    /// `defaultSpawnContext`. Default `fork`.
    pub spawn_context: SpawnContext,
}

/// How answers in text are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// `historyLimit`, else `messages.groupChat.historyLimit`: messages since the last answer that
    /// the agent is shown. Default 20; 0 none.
    pub history_limit: u32,
    /// `dmHistoryLimit`, user turns.
    pub dm_history_limit: Option<u32>,
    /// `dms.<userId>.historyLimit`, in place of it.
    pub dm_history_limits: BTreeMap<DiscordId, u32>,
    /// `textChunkLimit`, UTF-16 units. Default and most 2000.
    pub text_chunk_limit: u32,
    /// `maxLinesPerMessage`, soft. Default 17.
    pub max_lines: u32,
    /// `markdown.tables`. Default `code`.
    pub tables: MarkdownTables,
    /// `suppressEmbeds`: links show no preview. Default on.
    pub suppress_embeds: bool,
    /// `mediaMaxMb`. Default 100.
    pub media_max_mb: f64,
    /// `retry`.
    pub retry: Retry,
    /// `rateLimit`.
    pub rate_limit: RateLimit,
    /// `streaming`.
    pub streaming: Streaming,
    /// `replyToMode`. Default `off`.
    pub reply_to: ReplyToMode,
    /// `thread.inheritParent`: a new thread knows what its parent was told. Default off.
    pub threads_inherit: bool,
    /// `threadBindings`.
    pub thread_bindings: ThreadBindings,
    /// `responsePrefix`; empty stops the cascade, `auto` is the agent's name in brackets.
    pub response_prefix: Option<String>,
    /// `ackReaction`; empty switches it off.
    pub ack_reaction: Option<String>,
    /// `ackReactionScope`. Default: as `messages.ackReactionScope`.
    pub ack_scope: Option<AckReactionScope>,
    /// `heartbeat`.
    pub heartbeat: HeartbeatPosts,
}

/// What stands elsewhere and goes below the account's own.
pub(crate) struct Below<'s, 'w, 't> {
    /// `messages.groupChat.historyLimit`.
    pub(crate) history_limit: Option<u32>,
    /// `agents.defaults.blockStreamingDefault`.
    pub(crate) block_streaming: bool,
    /// `session.threadBindings`.
    pub(crate) thread_bindings: &'s Section<'w, 't>,
}

pub(crate) fn read(section: &Section<'_, '_>, below: &Below<'_, '_, '_>) -> Delivery {
    let own_history = section.whole("historyLimit", 0, 10_000);
    let markdown = section.section("markdown");
    let thread = section.section("thread");
    let delivery = Delivery {
        history_limit: section.or("historyLimit", own_history, below.history_limit.unwrap_or(20)),
        dm_history_limit: section.whole("dmHistoryLimit", 0, 10_000),
        dm_history_limits: dms(&section.section("dms")),
        text_chunk_limit: section.whole_or("textChunkLimit", 1, u32::MAX, 2_000).min(2_000),
        max_lines: section.whole_or("maxLinesPerMessage", 1, u32::MAX, 17),
        tables: markdown.word_or("tables", MarkdownTables::Code),
        suppress_embeds: section.bool_or("suppressEmbeds", true),
        media_max_mb: media_max_mb(section),
        retry: section.block("retry"),
        rate_limit: section.block("rateLimit"),
        streaming: streaming::read(section, below.block_streaming),
        reply_to: section.word_or("replyToMode", ReplyToMode::Off),
        threads_inherit: thread.bool_or("inheritParent", false),
        thread_bindings: thread_bindings(section, below.thread_bindings),
        response_prefix: section.any_text("responsePrefix"),
        ack_reaction: section.any_text("ackReaction"),
        ack_scope: section.word("ackReactionScope"),
        heartbeat: section.block("heartbeat"),
    };
    markdown.finish();
    thread.finish();
    let retry = &delivery.retry;
    if retry.min_delay > retry.max_delay
        && let Some(field) = section.section("retry").field("minDelayMs")
    {
        field.refuse("longer than `maxDelayMs`", "make it the shorter of the two");
    }
    delivery
}

fn media_max_mb(section: &Section<'_, '_>) -> f64 {
    let written = section.number("mediaMaxMb", 0.0, 10_000.0);
    if written == Some(0.0)
        && let Some(field) = section.field("mediaMaxMb")
    {
        field.refuse("must be more than 0", "megabytes, as in 25");
    }
    section.or("mediaMaxMb", written, 100.0)
}

fn dms(section: &Section<'_, '_>) -> BTreeMap<DiscordId, u32> {
    section.finish_leniently();
    let mut limits = BTreeMap::new();
    for (key, field) in section.entries() {
        let dm = field.section();
        let limit = dm.whole("historyLimit", 0, 10_000);
        dm.finish();
        match (parse_id(&key), limit) {
            (Some(user), Some(limit)) => drop(limits.insert(user, limit)),
            (None, _) if !field.is_described() => {
                field.refuse("its key is no user's id", "a string of digits");
            }
            _ => {}
        }
    }
    limits
}

/// `session`: `session.threadBindings`.
pub(crate) fn thread_bindings(
    section: &Section<'_, '_>,
    session: &Section<'_, '_>,
) -> ThreadBindings {
    let section = section.section("threadBindings").over(session);
    let spawn_path = join(section.path(), "spawnSessions");
    let own = section.bool("spawnSessions");
    let old =
        |name| section.legacy(name, &spawn_path, own.is_some()).and_then(|field| field.bool());
    let (subagents, acp) = (old("spawnSubagentSessions"), old("spawnAcpSessions"));
    let bindings = ThreadBindings {
        enabled: section.bool_or("enabled", true),
        idle: section.hours_or("idleHours", 24.0),
        max_age: section.hours_or("maxAgeHours", 0.0),
        spawn_sessions: section.or("spawnSessions", own.or(subagents).or(acp), true),
        spawn_context: section.word_or("defaultSpawnContext", SpawnContext::Fork),
    };
    section.finish();
    bindings
}

/// A text, `"#RRGGBB"` or `"RRGGBB"`, as its number.
pub(crate) fn colour(field: &crate::field::Field<'_, '_>) -> Option<u32> {
    let text = field.text();
    field.declare(|| Kind::Other("a colour, as in \"#5865F2\""));
    let text = text?;
    let digits = text.trim().strip_prefix('#').unwrap_or(text.trim());
    let is_hex = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let colour = is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten();
    if colour.is_none() {
        field.refuse("not a colour", "six hexadecimal digits, as in \"#5865F2\"");
    }
    colour
}
