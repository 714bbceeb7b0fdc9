//! Questions to Discord that change nothing: who is the bot, what may it do where. For diagnosis.
//!
//! Source: Discord, "Application Flags", "Permissions", "Get Gateway Bot".

use std::sync::Arc;

use clawvoice_session::{ChannelId, GuildId, UserId};
use secrecy::SecretString;
use serde::{Serialize, de::DeserializeOwned};
use twilight_http::request::TryIntoRequest;
use twilight_model::{
    channel::{Channel, ChannelType},
    gateway::connection_info::BotConnectionInfo,
    guild::{Guild, Member, Permissions, Role},
    id::Id,
    oauth::{Application, ApplicationFlags},
    user::{CurrentUser, CurrentUserGuild},
};
use twilight_util::permission_calculator::PermissionCalculator;

use super::{
    base_url::api_base,
    rest::{DiscordRest, Rest, RestFailure},
};

/// Why Discord did not answer a question.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeFailure {
    /// 401.
    #[error("Discord refused the bot token")]
    TokenRefused,
    /// Discord understood and refused: no access, no such thing.
    #[error("{0}")]
    Refused(String),
    /// No answer, or none of Discord's API.
    #[error("{0}")]
    Unreachable(String),
}

impl From<RestFailure> for ProbeFailure {
    fn from(failure: RestFailure) -> Self {
        match failure {
            RestFailure::TokenRefused => Self::TokenRefused,
            RestFailure::Refused { .. } => Self::Refused(failure.to_string()),
            RestFailure::Unreachable { .. } | RestFailure::QueueFull { .. } => {
                Self::Unreachable(failure.to_string())
            }
        }
    }
}

/// Whether a privileged intent is switched on in the developer portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IntentState {
    /// Yes, and verified: for bots in 100 guilds or more.
    Enabled,
    /// Yes.
    Limited,
    /// No: asking for it closes the gateway with 4014.
    Disabled,
}

/// The bot and its application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BotFacts {
    /// The bot's user.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// The application's id.
    pub application: u64,
    /// Message Content Intent.
    pub message_content: IntentState,
    /// Server Members Intent.
    pub guild_members: IntentState,
    /// Presence Intent.
    pub presence: IntentState,
}

/// What the gateway allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GatewayFacts {
    /// Its address.
    pub url: String,
    /// Connections Discord recommends.
    pub shards: u32,
    /// New sessions that may still be started today.
    pub sessions_left: u32,
}

/// A channel, and what the bot may do in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelFacts {
    /// The channel.
    pub channel: ChannelId,
    /// Its guild; `None`: a direct message.
    pub guild: Option<GuildId>,
    /// Its name.
    pub name: String,
    /// Whether people speak in it: a voice or stage channel.
    pub is_voice: bool,
    /// By Discord's names (`VIEW_CHANNEL`), in the order of their bits.
    pub permissions: Vec<&'static str>,
    /// Of those needed in a channel of this kind, the ones the bot lacks.
    pub missing: Vec<&'static str>,
}

/// What the bot may do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Powers {
    /// Discord's permission bits, of a thread those in its parent.
    pub bits: u64,
    /// Whether it is a thread.
    pub in_thread: bool,
}

/// Asks Discord as the bot.
#[derive(Debug)]
pub struct Probe {
    rest: Arc<Rest>,
}

impl Probe {
    /// `base_url` as in [`super::gateway::GatewaySettings`]; `None` if it is no address.
    #[must_use]
    pub fn new(token: &SecretString, base_url: Option<&str>) -> Option<Self> {
        let base = match base_url {
            Some(url) => Some(api_base(url)?),
            None => None,
        };
        Some(Self { rest: Arc::new(Rest::new(token, base.as_ref())) })
    }

    /// As the bot that these calls are made by, through the same queue.
    #[must_use]
    pub fn of(discord: &DiscordRest) -> Self {
        Self { rest: Arc::clone(discord.rest()) }
    }

    /// Who the bot is.
    ///
    /// # Errors
    ///
    /// Why Discord did not say.
    pub async fn bot(&self) -> Result<BotFacts, ProbeFailure> {
        let user: CurrentUser =
            self.ask("GET /users/@me", self.rest.client().current_user()).await?;
        let application: Application = self
            .ask("GET /applications/@me", self.rest.client().current_user_application())
            .await?;
        let flags = application.flags.unwrap_or(ApplicationFlags::empty());
        let state = |full, limited| match (flags.contains(full), flags.contains(limited)) {
            (true, _) => IntentState::Enabled,
            (false, true) => IntentState::Limited,
            (false, false) => IntentState::Disabled,
        };
        Ok(BotFacts {
            user: UserId::new(user.id.get()),
            name: user.name,
            application: application.id.get(),
            message_content: state(
                ApplicationFlags::GATEWAY_MESSAGE_CONTENT,
                ApplicationFlags::GATEWAY_MESSAGE_CONTENT_LIMITED,
            ),
            guild_members: state(
                ApplicationFlags::GATEWAY_GUILD_MEMBERS,
                ApplicationFlags::GATEWAY_GUILD_MEMBERS_LIMITED,
            ),
            presence: state(
                ApplicationFlags::GATEWAY_PRESENCE,
                ApplicationFlags::GATEWAY_PRESENCE_LIMITED,
            ),
        })
    }

    /// Where the gateway is, and how often it may be identified with.
    ///
    /// # Errors
    ///
    /// Why Discord did not say.
    pub async fn gateway(&self) -> Result<GatewayFacts, ProbeFailure> {
        let info: BotConnectionInfo =
            self.ask("GET /gateway/bot", self.rest.client().gateway().authed()).await?;
        Ok(GatewayFacts {
            url: info.url,
            shards: info.shards,
            sessions_left: info.session_start_limit.remaining,
        })
    }

    /// The guilds the bot is in, the first 200, with their names.
    ///
    /// # Errors
    ///
    /// Why Discord did not say.
    pub async fn guilds(&self) -> Result<Vec<(GuildId, String)>, ProbeFailure> {
        let guilds: Vec<CurrentUserGuild> =
            self.ask("GET /users/@me/guilds", self.rest.client().current_user_guilds()).await?;
        Ok(guilds.into_iter().map(|guild| (GuildId::new(guild.id.get()), guild.name)).collect())
    }

    /// A channel, and what the bot may do in it.
    ///
    /// # Errors
    ///
    /// Why Discord did not say: without View Channel it refuses to.
    pub async fn channel(
        &self,
        bot: UserId,
        channel: ChannelId,
    ) -> Result<ChannelFacts, ProbeFailure> {
        let channel = self.look_at(channel).await?;
        let permissions = match channel.guild_id {
            Some(guild) => self.permissions(bot, GuildId::new(guild.get()), &channel).await?,
            None => Permissions::all(),
        };
        let is_voice =
            matches!(channel.kind, ChannelType::GuildVoice | ChannelType::GuildStageVoice);
        let needed = if is_voice { VOICE } else { TEXT };
        let missing = needed.iter().filter(|(it, _)| !permissions.contains(*it));
        Ok(ChannelFacts {
            channel: ChannelId::new(channel.id.get()),
            guild: channel.guild_id.map(|guild| GuildId::new(guild.get())),
            name: channel.name.unwrap_or_default(),
            is_voice,
            permissions: permissions.iter_names().map(|(name, _)| name).collect(),
            missing: missing.map(|(_, name)| *name).collect(),
        })
    }

    /// What the bot may do in a channel or thread.
    ///
    /// # Errors
    ///
    /// Why Discord did not say: without View Channel it refuses to.
    pub async fn powers(&self, channel: ChannelId) -> Result<Powers, ProbeFailure> {
        let bot: CurrentUser =
            self.ask("GET /users/@me", self.rest.client().current_user()).await?;
        let channel = self.look_at(channel).await?;
        let in_thread = channel.kind.is_thread();
        let judged = match channel.parent_id.filter(|_| in_thread) {
            Some(parent) => self.look_at(ChannelId::new(parent.get())).await?,
            None => channel,
        };
        let permissions = match judged.guild_id {
            Some(guild) => {
                let (bot, guild) = (UserId::new(bot.id.get()), GuildId::new(guild.get()));
                self.permissions(bot, guild, &judged).await?
            }
            None => Permissions::all(),
        };
        Ok(Powers { bits: permissions.bits(), in_thread })
    }

    async fn look_at(&self, channel: ChannelId) -> Result<Channel, ProbeFailure> {
        self.ask("GET /channels/{id}", self.rest.client().channel(id(channel.get())?)).await
    }

    async fn permissions(
        &self,
        bot: UserId,
        guild: GuildId,
        channel: &Channel,
    ) -> Result<Permissions, ProbeFailure> {
        let (guild, bot) = (id(guild.get())?, id(bot.get())?);
        let roles: Vec<Role> =
            self.ask("GET /guilds/{id}/roles", self.rest.client().roles(guild)).await?;
        let member: Member = self
            .ask("GET /guilds/{id}/members/{id}", self.rest.client().guild_member(guild, bot))
            .await?;
        let whole: Guild = self.ask("GET /guilds/{id}", self.rest.client().guild(guild)).await?;
        let of = |role: Id<_>| roles.iter().find(|it| it.id == role).map(|it| it.permissions);
        let own: Vec<_> =
            member.roles.iter().filter_map(|role| Some((*role, of(*role)?))).collect();
        let everybody = of(guild.cast()).unwrap_or(Permissions::empty());
        let calculator =
            PermissionCalculator::new(guild, bot, everybody, &own).owner_id(whole.owner_id);
        let overwrites = channel.permission_overwrites.as_deref().unwrap_or_default();
        // Of each kind of channel twilight leaves out what once had no use there; but voice channels
        // have had a chat since 2022.
        let as_text = calculator.clone().in_channel(ChannelType::GuildText, overwrites);
        Ok(calculator.in_channel(channel.kind, overwrites) | as_text)
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: impl TryIntoRequest,
    ) -> Result<T, ProbeFailure> {
        let bytes = self.rest.ask(what, request).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            ProbeFailure::Unreachable(format!("{what}: the answer cannot be read: {error}"))
        })
    }
}

/// Needed in a voice channel. Source: OpenClaw, "Discord", "Voice", prerequisites.
const VOICE: &[(Permissions, &str)] = &[
    (Permissions::VIEW_CHANNEL, "ViewChannel"),
    (Permissions::CONNECT, "Connect"),
    (Permissions::SPEAK, "Speak"),
    (Permissions::SEND_MESSAGES, "SendMessages"),
    (Permissions::READ_MESSAGE_HISTORY, "ReadMessageHistory"),
];

/// Needed in a text channel.
const TEXT: &[(Permissions, &str)] = &[
    (Permissions::VIEW_CHANNEL, "ViewChannel"),
    (Permissions::SEND_MESSAGES, "SendMessages"),
    (Permissions::READ_MESSAGE_HISTORY, "ReadMessageHistory"),
];

fn id<T>(id: u64) -> Result<Id<T>, ProbeFailure> {
    Id::new_checked(id).ok_or_else(|| ProbeFailure::Refused("0 is no Discord id".to_owned()))
}

#[cfg(test)]
mod tests {
    use localcord::{
        server::{Server, ServerSettings},
        world::default::{BOT_USER, GENERAL, GUILD, LOUNGE},
    };

    use super::*;

    async fn probe(server: &Server) -> Probe {
        let token = SecretString::from(server.bot_token());
        Probe::new(&token, Some(&server.api_base_url())).unwrap()
    }

    #[tokio::test]
    async fn the_bot_its_intents_and_its_guilds() {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let probe = probe(&server).await;
        let bot = probe.bot().await.unwrap();
        assert_eq!(bot.user, UserId::new(BOT_USER));
        let guilds = probe.guilds().await.unwrap();
        assert!(guilds.iter().any(|(guild, _)| *guild == GuildId::new(GUILD)), "{guilds:?}");
        assert!(probe.gateway().await.unwrap().sessions_left > 0);
    }

    #[tokio::test]
    async fn a_channel_and_what_the_bot_lacks_in_it() {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let probe = probe(&server).await;
        let bot = UserId::new(BOT_USER);
        let lounge = probe.channel(bot, ChannelId::new(LOUNGE)).await.unwrap();
        assert!(lounge.is_voice && lounge.missing.is_empty(), "{lounge:?}");
        assert!(lounge.permissions.contains(&"CONNECT"), "{lounge:?}");
        assert!(!probe.channel(bot, ChannelId::new(GENERAL)).await.unwrap().is_voice);
        let nowhere = probe.channel(bot, ChannelId::new(7)).await;
        assert!(matches!(nowhere, Err(ProbeFailure::Refused(_))), "{nowhere:?}");
    }

    #[tokio::test]
    async fn a_wrong_token_is_known_as_such() {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let token = SecretString::from("MTIz.AAAAAA.wrong");
        let probe = Probe::new(&token, Some(&server.api_base_url())).unwrap();
        assert_eq!(probe.bot().await, Err(ProbeFailure::TokenRefused));
    }
}
