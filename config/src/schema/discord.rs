//! `channels.discord`, or an account of it: what it is, and its settings by area.

use secrecy::{ExposeSecret, SecretString};

use crate::{
    cursor::Section,
    error::Problem,
    schema::{
        access::{self, Access},
        accounts::DEFAULT,
        commands::{self, CommandRules, Commands},
        connection::{self, Connection},
        delivery::{self, Delivery},
        entries::{Entries, Named},
        features::{self, Features},
        guilds::{self, Guild},
        id::{BaseUrl, DiscordId, base_url, id},
        voice::{self, Voice},
    },
    secret::{from_env, secret},
    walk::Surface,
};

/// Environment variable that holds the bot token when the file does not.
const TOKEN_VARIABLE: &str = "DISCORD_BOT_TOKEN";

/// The effective settings of an account: its own over those of `channels.discord`.
#[derive(Clone, Debug)]
pub struct Discord {
    /// `enabled`, of the account and of `channels.discord` both. Default: on if the block stands in
    /// the file or a token is in the environment.
    pub enabled: bool,
    /// `token`, else, for the account `default`, `DISCORD_BOT_TOKEN`; without a leading `Bot `.
    /// Always there when `enabled`.
    pub token: Option<SecretString>,
    /// Whether the token is from `DISCORD_BOT_TOKEN`.
    pub token_is_from_env: bool,
    /// `applicationId`. Default: looked up at start-up.
    pub application_id: Option<DiscordId>,
    /// `apiBaseUrl`. Default `None`: Discord itself.
    pub api_base_url: Option<BaseUrl>,
    /// Who may talk to the bot.
    pub access: Access,
    /// `intents`.
    pub intents: Intents,
    /// `commands`.
    pub commands: Commands,
    /// `guilds`, by id, slug or `*`.
    pub guilds: Entries<Guild>,
    /// How answers in text are sent.
    pub delivery: Delivery,
    /// How the connection is kept.
    pub connection: Connection,
    /// What the bot offers.
    pub features: Features,
    /// `voice`.
    pub voice: Voice,
}

impl Discord {
    /// The entry of a server: by id, else by the slug of its name, else `*`. One entry only.
    #[must_use]
    pub fn guild(&self, id: u64, name: Option<&str>) -> Option<&Guild> {
        self.guilds.find(Named { id, name: name.unwrap_or_default() }, None)
    }
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

/// Settings of the file that are not of one channel, and go below an account's own.
pub(crate) struct Above<'s, 'w, 't> {
    pub(crate) commands: &'s CommandRules,
    /// `channels.defaults`.
    pub(crate) defaults: &'s Section<'w, 't>,
    pub(crate) delivery: delivery::Below<'s, 'w, 't>,
}

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `channels.discord`, which is an account by itself.
    Alone,
    /// `channels.discord`, which accounts go over.
    Common,
    /// The account that answers where none is named.
    Default,
    /// Another account.
    Further,
}

pub(crate) fn read(section: &Section<'_, '_>, above: &Above<'_, '_, '_>, role: Role) -> Discord {
    read_as(section, above, role, DEFAULT)
}

pub(crate) fn read_as(
    account: &Section<'_, '_>,
    above: &Above<'_, '_, '_>,
    role: Role,
    id_of_account: &str,
) -> Discord {
    let written = is_switched_on(account);
    let off = written == Some(false);
    let surface = match account.surface() {
        Surface::Active if off => Surface::Off,
        other => other,
    };
    let section = account.on(surface);
    let found = token(&section, role, id_of_account == DEFAULT);
    let is_there = account.is_present() || found.token.is_some();
    if found.is_from_env && !account.is_present() {
        let message = "there is a token in the environment, but this block is not written: the bot \
                       is on, and listens to text in no server";
        account.warn_absent(message);
    }
    let mut enabled = section.or_derived("enabled", written, is_there);
    if enabled && found.token.is_none() && !found.is_wrong {
        match role {
            Role::Alone | Role::Default => {
                section.fail_as("token", Problem::NoToken, &token_hint())
            }
            Role::Further => {
                enabled = false;
                let message = "this account has no bot token, so it is not started".to_owned();
                section.warn("token", message);
            }
            Role::Common => {}
        }
    }
    let discord = Discord {
        enabled,
        token: found.token,
        token_is_from_env: found.is_from_env,
        application_id: section.field("applicationId").and_then(|field| id(&field)),
        api_base_url: section.field("apiBaseUrl").and_then(|field| base_url(&field)),
        access: access::read(&section, above.defaults, role != Role::Common && enabled),
        commands: commands::of_account(&section.section("commands"), above.commands),
        guilds: guilds::read(&section.section("guilds")),
        delivery: delivery::read(&section, &above.delivery),
        connection: connection::read(&section),
        features: features::read(&section),
        voice: voice::read(&section.section("voice")),
        intents: Intents {
            presence: false,
            guild_members: false,
            voice_states: false,
            message_content: true,
        },
    };
    let intents = intents(&section.section("intents"), discord.voice.enabled);
    section.leave_alone(&["enabled", "name"]);
    if matches!(role, Role::Alone | Role::Common) {
        section.leave_alone(&["accounts", "defaultAccount"]);
    }
    section.text("name");
    section.finish();
    Discord { intents, ..discord }
}

/// `enabled`, which must be on in every layer.
pub(crate) fn is_switched_on(section: &Section<'_, '_>) -> Option<bool> {
    let written = section.bool("enabled");
    let layers = section.each_layer();
    let any_is_off = layers.iter().any(|layer| layer.bool("enabled") == Some(false));
    if any_is_off { Some(false) } else { written }
}

fn token_hint() -> String {
    format!(
        "set {TOKEN_VARIABLE}, or write `token: \"${{{TOKEN_VARIABLE}}}\"`; the token is on \
         the Bot page of your application at https://discord.com/developers/applications"
    )
}

#[derive(Default)]
struct Found {
    token: Option<SecretString>,
    is_from_env: bool,
    /// An error was noted about the one in the file.
    is_wrong: bool,
}

fn token(section: &Section<'_, '_>, role: Role, may_be_from_env: bool) -> Found {
    let Some(field) = section.field("token") else {
        if role == Role::Common || !may_be_from_env {
            return Found::default();
        }
        let token = from_env(section, "token", &[TOKEN_VARIABLE]);
        let token = token.map(|token| SecretString::from(without_prefix(token.expose_secret())));
        return Found { is_from_env: token.is_some(), token, is_wrong: false };
    };
    let wrong = Found { is_wrong: true, ..Found::default() };
    let Some(token) = secret(&field) else { return wrong };
    let plain = without_prefix(token.expose_secret());
    if section.surface() == Surface::Active
        && !plain.is_empty()
        && plain.bytes().all(|byte| byte.is_ascii_digit())
    {
        field.fail(
            Problem::Invalid("this is an application id, not a bot token".to_owned()),
            Some("copy the token from the Bot page of your application".to_owned()),
        );
        return wrong;
    }
    Found { token: Some(SecretString::from(plain)), ..Found::default() }
}

fn without_prefix(token: &str) -> &str {
    token.trim().strip_prefix("Bot ").unwrap_or(token).trim()
}

fn intents(section: &Section<'_, '_>, voice: bool) -> Intents {
    let voice_states = section.bool("voiceStates");
    let intents = Intents {
        presence: section.bool_or("presence", false),
        guild_members: section.bool_or("guildMembers", false),
        voice_states: section.or_derived("voiceStates", voice_states, voice),
        message_content: section.bool_or("messageContent", true),
    };
    section.finish();
    intents
}
