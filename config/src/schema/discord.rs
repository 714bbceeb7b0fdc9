//! `channels.discord`: the account, where Discord is, and what of it is switched on.

use std::{collections::BTreeMap, fmt};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    check,
    cursor::{Field, Section},
    error::Problem,
    schema::{
        guilds::{self, Guild},
        people,
        voice::{self, Voice},
    },
    secret::secret,
};

/// Environment variable that holds the bot token when the file does not.
const TOKEN_VARIABLE: &str = "DISCORD_BOT_TOKEN";

/// The largest number JSON readers keep exactly: 2^53 − 1.
const LARGEST_EXACT: u64 = (1 << 53) - 1;

/// Keys of `channels.discord` that are valid but not read by this version.
const LEFT_ALONE: &[&str] = &[
    "accounts",
    "defaultAccount",
    "name",
    "capabilities",
    "allowBots",
    "botLoopProtection",
    "dangerouslyAllowNameMatching",
    "mentionAliases",
    "mentionPatterns",
    "dmPolicy",
    "defaultTo",
    "groupPolicy",
    "contextVisibility",
    "historyLimit",
    "dmHistoryLimit",
    "dms",
    "textChunkLimit",
    "chunkMode",
    "maxLinesPerMessage",
    "markdown",
    "suppressEmbeds",
    "mediaMaxMb",
    "retry",
    "streaming",
    "streamMode",
    "draftChunk",
    "blockStreaming",
    "blockStreamingCoalesce",
    "replyToMode",
    "thread",
    "threadBindings",
    "responsePrefix",
    "ackReaction",
    "ackReactionScope",
    "proxy",
    "gatewayInfoTimeoutMs",
    "gatewayReadyTimeoutMs",
    "gatewayRuntimeReadyTimeoutMs",
    "eventQueue",
    "pluralkit",
    "status",
    "activity",
    "activityType",
    "activityUrl",
    "autoPresence",
    "configWrites",
    "heartbeat",
    "healthMonitor",
    "actions",
    "execApprovals",
    "agentComponents",
    "ui",
    "slashCommand",
    "inboundWorker",
];

/// `channels.discord`.
#[derive(Clone, Debug)]
pub struct Discord {
    /// `enabled`. Default: on if the block stands in the file or a token is in the environment.
    pub enabled: bool,
    /// `token`, else `DISCORD_BOT_TOKEN`, without a leading `Bot `. Always there when `enabled`.
    pub token: Option<SecretString>,
    /// `applicationId`. Default: looked up at start-up.
    pub application_id: Option<DiscordId>,
    /// `apiBaseUrl`. Default `None`: Discord itself.
    pub api_base_url: Option<BaseUrl>,
    /// `allowFrom`: who may talk to the bot, as far as it names Discord ids.
    pub allow_from: Option<Vec<DiscordId>>,
    /// `dm.allowFrom`, likewise.
    pub dm_allow_from: Option<Vec<DiscordId>>,
    /// `intents`.
    pub intents: Intents,
    /// `commands`.
    pub commands: Commands,
    /// `guilds`, by id.
    pub guilds: BTreeMap<DiscordId, Guild>,
    /// `voice`.
    pub voice: Voice,
}

/// Which gateway intents are asked for beyond the basic ones.
/// Source: Discord, "Gateway", List of Intents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intents {
    /// `intents.presence` (privileged). Default off.
    pub presence: bool,
    /// `intents.guildMembers` (privileged). Default off.
    pub guild_members: bool,
    /// `intents.voiceStates`. Default: as `voice.enabled`.
    pub voice_states: bool,
    /// `intents.messageContent` (privileged). Default on.
    pub message_content: bool,
}

/// Slash commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commands {
    /// `commands.native` (bool or `"auto"`), else the file's top-level `commands.native`.
    /// Default on. Off skips both registration and clean-up.
    pub native: bool,
}

/// A Discord snowflake id. Numbers of the file are taken up to 2^53 − 1, above only strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiscordId(u64);

impl DiscordId {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for DiscordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where a Discord API is: scheme, host and port. A path of `/api` or `/api/v10` may be written
/// and is dropped; others are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    tls: bool,
    authority: String,
}

impl BaseUrl {
    /// Whether the scheme is `https`.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// `host` or `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

pub(crate) fn read(section: &Section<'_, '_>, native_above: Option<bool>) -> Discord {
    let enabled = section.bool("enabled");
    let switched_off = enabled == Some(false);
    let (token, token_is_wrong) = token(section, switched_off);
    let enabled = enabled.unwrap_or(section.is_present() || token.is_some());
    if enabled && token.is_none() && !token_is_wrong {
        let hint = format!(
            "set {TOKEN_VARIABLE}, or write `token: \"${{{TOKEN_VARIABLE}}}\"`; the token is on \
             the Bot page of your application at https://discord.com/developers/applications"
        );
        section.fail_missing("token", &hint);
    }
    let voice = voice::read(&section.section("voice"));
    let direct = section.section("dm");
    direct.finish_leniently();
    let discord = Discord {
        enabled,
        token,
        application_id: section.field("applicationId").and_then(|field| id(&field)),
        api_base_url: section.field("apiBaseUrl").and_then(|field| base_url(&field)),
        allow_from: section.field("allowFrom").and_then(|field| people::allowed(&field)),
        dm_allow_from: direct.field("allowFrom").and_then(|field| people::allowed(&field)),
        intents: intents(&section.section("intents"), voice.enabled),
        commands: commands(&section.section("commands"), native_above),
        guilds: guilds::read(&section.section("guilds")),
        voice,
    };
    section.leave_alone(LEFT_ALONE);
    if let Some(accounts) = section.field("accounts") {
        accounts.warn("further accounts are not started by this version".to_owned());
    }
    section.finish();
    discord
}

/// The token, and whether an error was noted about the one in the file.
fn token(section: &Section<'_, '_>, switched_off: bool) -> (Option<SecretString>, bool) {
    let Some(field) = section.field("token") else {
        let token = section.env().var(TOKEN_VARIABLE);
        return (token.map(|token| SecretString::from(without_prefix(&token))), false);
    };
    if switched_off {
        // An unresolved reference on a disabled account is no reason to refuse the file.
        return (None, false);
    }
    let Some(token) = secret(&field) else { return (None, true) };
    let plain = without_prefix(token.expose_secret());
    if !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()) {
        field.fail(
            Problem::Invalid("this is an application id, not a bot token".to_owned()),
            Some("copy the token from the Bot page of your application".to_owned()),
        );
        return (None, true);
    }
    (Some(SecretString::from(plain)), false)
}

fn without_prefix(token: &str) -> &str {
    token.trim().strip_prefix("Bot ").unwrap_or(token).trim()
}

fn intents(section: &Section<'_, '_>, voice: bool) -> Intents {
    let intents = Intents {
        presence: section.bool("presence").unwrap_or(false),
        guild_members: section.bool("guildMembers").unwrap_or(false),
        voice_states: section.bool("voiceStates").unwrap_or(voice),
        message_content: section.bool("messageContent").unwrap_or(true),
    };
    section.finish();
    intents
}

fn commands(section: &Section<'_, '_>, native_above: Option<bool>) -> Commands {
    let native = native(section).or(native_above).unwrap_or(true);
    section.leave_alone(&["nativeSkills"]);
    section.finish();
    Commands { native }
}

/// `native: true | false | "auto"`, here or in the file's top-level `commands`.
pub(crate) fn native(section: &Section<'_, '_>) -> Option<bool> {
    let field = section.field("native")?;
    match field.if_text() {
        Some(_) => field.choice(&[("auto", true)]),
        None => field.bool(),
    }
}

/// An id: a string of digits, or a number small enough to be exact.
pub(crate) fn id(field: &Field<'_, '_>) -> Option<DiscordId> {
    let (text, is_number) = match (field.if_text(), field.if_number()) {
        (Some(text), _) => (text, false),
        (None, Some(text)) => (text, true),
        (None, None) => return field.wrong_type("a Discord id as a string of digits"),
    };
    let parsed = parse_id(text);
    match parsed {
        Some(id) if is_number && id.get() > LARGEST_EXACT => {
            field.fail(
                Problem::Invalid("this number is too large to be kept exactly".to_owned()),
                Some(format!("put the id in quotes: \"{text}\"")),
            );
            None
        }
        Some(id) => Some(id),
        None => {
            field.fail(
                Problem::Invalid("not a Discord id".to_owned()),
                Some(
                    "a string of digits: switch on Developer Mode in Discord, right-click the \
                     thing, Copy ID"
                        .to_owned(),
                ),
            );
            None
        }
    }
}

pub(crate) fn parse_id(text: &str) -> Option<DiscordId> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|id| digits && *id > 0).map(DiscordId)
}

fn base_url(field: &Field<'_, '_>) -> Option<BaseUrl> {
    let text = field.text()?;
    let trimmed = text.trim_end_matches('/');
    match check::split_url(trimmed, &["http", "https"]) {
        Some((scheme, authority, "" | "/api" | "/api/v10")) => {
            Some(BaseUrl { tls: scheme == "https", authority: authority.to_owned() })
        }
        _ => {
            field.fail(
                Problem::Invalid("not the base URL of a Discord API".to_owned()),
                Some("scheme, host and port, as in \"http://127.0.0.1:8080\"".to_owned()),
            );
            None
        }
    }
}
