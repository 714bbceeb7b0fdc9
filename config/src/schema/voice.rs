//! `channels.discord.voice`: joining, staying, hearing.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use crate::{
    cursor::Section,
    error::Problem,
    field::Field,
    schema::{
        declare::words,
        home,
        id::{DiscordId, id, parse_id},
        path,
        realtime::{self, Realtime},
    },
    walk::Surface,
};

words! {
    /// How the room talks to the agent.
    VoiceMode {
        /// A realtime model is ears and mouth, the agent thinks.
        AgentProxy = "agent-proxy",
        /// A realtime model converses by itself and may consult the agent.
        Bidi = "bidi",
        /// Speech to text, the agent, text to speech.
        SttTts = "stt-tts",
    }
}

/// Whose conversation voice turns go into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentSession {
    /// The voice channel's own.
    #[default]
    Voice,
    /// Another one.
    Target(SessionTarget),
}

/// Another conversation, named in `agentSession.target`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionTarget {
    /// `channel:<id>` or a bare id.
    Channel(DiscordId),
    /// `dm:<id>` or `user:<id>`.
    User(DiscordId),
}

/// A voice channel of a guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VoiceChannel {
    /// `guildId`.
    pub guild: DiscordId,
    /// `channelId`.
    pub channel: DiscordId,
}

/// A channel to be in from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AutoJoin {
    /// Where.
    pub target: VoiceChannel,
    /// `whenOccupied`: join only while somebody is there. Default off.
    pub when_occupied: bool,
}

/// `channels.discord.voice.timeline`: every voice session is written down, without anybody's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineFiles {
    /// `folder`. Default `~/.clawvoice/state/timeline`.
    pub folder: PathBuf,
    /// `keep`: so many sessions; the oldest go first. Default 100, 1 to 100,000.
    pub keep: usize,
}

/// `channels.discord.voice`.
#[derive(Clone, Debug)]
pub struct Voice {
    /// `enabled`. Default: on if the block stands in the file.
    pub enabled: bool,
    /// `mode`. Default `agent-proxy`.
    pub mode: VoiceMode,
    /// `model`: the agent's model for voice turns. Default: the agent's own.
    pub model: Option<String>,
    /// `agentSession`. Default: the voice channel's own conversation.
    pub agent_session: AgentSession,
    /// `autoJoin`, one entry a guild: the last one wins, with a warning.
    pub auto_join: Vec<AutoJoin>,
    /// `allowedChannels`. `None` allows any authorized one, an empty list none.
    pub allowed_channels: Option<Vec<VoiceChannel>>,
    /// `followUsers`: ids, `discord:<id>` or `user:<id>`; empty when `followUsersEnabled` is off.
    pub follow_users: Vec<DiscordId>,
    /// `daveEncryption`. Default on. Discord closes unencrypted voice with 4017.
    pub dave_encryption: bool,
    /// `decryptionFailureTolerance`: undecryptable frames before DAVE is re-initialised. Default 24.
    pub decryption_failure_tolerance: u32,
    /// `connectTimeoutMs`: wait for a voice connection on join. Default 30,000, at most 120,000.
    pub connect_timeout: Duration,
    /// `reconnectGraceMs`: time for a lost session to begin reconnecting. Default 15,000, at most
    /// 120,000.
    pub reconnect_grace: Duration,
    /// `captureSilenceGraceMs`: wait after speaking stopped before a turn is closed. Default
    /// 2,500, at most 30,000. Raise it if pauses split speech.
    pub capture_silence_grace: Duration,
    /// `timeline`; `None` if its `enabled` is off. Default on.
    pub timeline: Option<TimelineFiles>,
    /// `realtime`.
    pub realtime: Realtime,
}

pub(crate) fn read(section: &Section<'_, '_>) -> Voice {
    let written = section.bool("enabled");
    let enabled = section.or_derived("enabled", written, section.is_present());
    let section = &section.on(match section.surface() {
        Surface::Active if !enabled => Surface::Off,
        other => other,
    });
    let mode = section.word_or("mode", VoiceMode::AgentProxy);
    // An object; what is in it is read with `messages.tts`.
    section.section("tts");
    let follow_users: Vec<DiscordId> =
        section.list("followUsers").unwrap_or_default().iter().filter_map(followed_user).collect();
    let following = section.bool("followUsersEnabled");
    let following = section.or_derived("followUsersEnabled", following, section.has("followUsers"));
    let voice = Voice {
        enabled,
        mode,
        model: section.text("model"),
        agent_session: agent_session(&section.section("agentSession")),
        auto_join: auto_join(section),
        allowed_channels: section
            .list("allowedChannels")
            .map(|entries| entries.iter().filter_map(|entry| channel(&entry.section())).collect()),
        follow_users: if following { follow_users } else { Vec::new() },
        dave_encryption: section.bool_or("daveEncryption", true),
        decryption_failure_tolerance: section.whole_or(
            "decryptionFailureTolerance",
            0,
            u32::MAX,
            24,
        ),
        connect_timeout: section.millis_or("connectTimeoutMs", 1, 120_000, 30_000),
        reconnect_grace: section.millis_or("reconnectGraceMs", 1, 120_000, 15_000),
        capture_silence_grace: section.millis_or("captureSilenceGraceMs", 1, 30_000, 2_500),
        timeline: timeline(&section.section("timeline")),
        realtime: realtime::read(&section.section("realtime"), mode),
    };
    section.leave_alone(&["enabled"]);
    section.finish();
    voice
}

fn timeline(section: &Section<'_, '_>) -> Option<TimelineFiles> {
    let enabled = section.bool_or("enabled", true);
    let folder = section.field("folder").and_then(|field| path(&field));
    let keep = section.whole_or("keep", 1, 100_000, 100);
    let files = TimelineFiles {
        folder: folder.unwrap_or_else(|| {
            let default = home(section).join("state/timeline");
            section.note_default("folder", default.display().to_string());
            default
        }),
        keep: keep as usize,
    };
    section.finish();
    enabled.then_some(files)
}

fn auto_join(section: &Section<'_, '_>) -> Vec<AutoJoin> {
    let mut by_guild: BTreeMap<DiscordId, AutoJoin> = BTreeMap::new();
    for entry in section.list("autoJoin").unwrap_or_default() {
        let item = entry.section();
        let when_occupied = item.bool_or("whenOccupied", false);
        let Some(target) = channel(&item) else { continue };
        if by_guild.insert(target.guild, AutoJoin { target, when_occupied }).is_some() {
            entry.warn(format!(
                "guild {} has an entry above already; this one is used",
                target.guild
            ));
        }
    }
    by_guild.into_values().collect()
}

fn channel(item: &Section<'_, '_>) -> Option<VoiceChannel> {
    let read = |key: &'static str| match item.field(key) {
        Some(field) => id(&field),
        None => {
            if item.is_present() {
                item.fail_missing(key, "write `{ guildId: \"…\", channelId: \"…\" }`");
            }
            None
        }
    };
    let (guild, channel) = (read("guildId"), read("channelId"));
    item.finish();
    Some(VoiceChannel { guild: guild?, channel: channel? })
}

fn followed_user(field: &Field<'_, '_>) -> Option<DiscordId> {
    let prefixed = field
        .if_text()
        .and_then(|text| text.strip_prefix("discord:").or_else(|| text.strip_prefix("user:")));
    match prefixed {
        Some(rest) if parse_id(rest).is_some() => parse_id(rest),
        _ => id(field),
    }
}

fn agent_session(section: &Section<'_, '_>) -> AgentSession {
    let wants_target = section.choice("mode", &[("voice", false), ("target", true)]);
    section.or("mode", wants_target.map(|_| "voice"), "voice");
    let wants_target = wants_target.unwrap_or(false);
    let target = section.field("target");
    section.finish();
    if section.is_describing() {
        target.as_ref().and_then(session_target);
    }
    match (wants_target, target) {
        (true, Some(field)) => {
            session_target(&field).map_or(AgentSession::Voice, AgentSession::Target)
        }
        (true, None) => {
            section.fail_missing("target", "write `target: \"channel:<id>\"` or `\"user:<id>\"`");
            AgentSession::Voice
        }
        (false, _) => AgentSession::Voice,
    }
}

fn session_target(field: &Field<'_, '_>) -> Option<SessionTarget> {
    let text = field.text()?;
    let target = match text.split_once(':') {
        Some(("channel", rest)) => parse_id(rest).map(SessionTarget::Channel),
        Some(("dm" | "user", rest)) => parse_id(rest).map(SessionTarget::User),
        Some(_) => None,
        None => parse_id(&text).map(SessionTarget::Channel),
    };
    if target.is_none() {
        field.fail(
            Problem::Invalid("names no conversation".to_owned()),
            Some("use channel:<id>, <id>, dm:<id> or user:<id>".to_owned()),
        );
    }
    target
}
