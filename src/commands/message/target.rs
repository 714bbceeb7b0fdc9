//! From a target as it is written to a place.

use clawvoice_config::user_ids;
use clawvoice_session::{ChannelId, UserId};
use clawvoice_text::{
    delivery::target::{self, Target, TargetKind},
    place::{Channel, PlaceKind},
    shell::probe::{Probe, ProbeFailure},
};

use super::refusal::{Act, At, in_words};
use crate::{cli::message::BotArgs, commands::as_bot::AsBot, printer::Failure};

/// Where something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a channel or thread.
    Channel(ChannelId),
    /// In somebody's direct messages.
    User(UserId),
}

/// `channel 5` or `user 7`.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Channel(channel) => write!(f, "channel {channel}"),
            Self::User(user) => write!(f, "user {user}"),
        }
    }
}

/// The bot, and the place that is meant.
pub(super) async fn find(args: &BotArgs) -> Result<(AsBot, Place), Failure> {
    let bot = AsBot::new(args.config.as_deref(), args.account.as_deref())?;
    let access = &bot.config.discord.access;
    let written = args.target.as_deref().or(access.default_to.as_deref()).unwrap_or_default();
    let admitted = user_ids(access.allow_from.as_deref().unwrap_or_default());
    let admitted: Vec<UserId> = admitted.into_iter().map(|id| UserId::new(id.get())).collect();
    let place = match target::parse(written, Some(TargetKind::Channel), &admitted) {
        Ok(Target::Channel(channel)) => Place::Channel(channel),
        Ok(Target::User(user)) => Place::User(user),
        Ok(Target::ChannelName(name)) => Place::Channel(named(&bot, &name).await?),
        Err(error) => {
            return Err(Failure::user(&error)
                .hint("give it by --target, or set channels.discord.defaultTo"));
        }
    };
    Ok((bot, place))
}

impl Place {
    /// The channel. Direct messages are opened if they are not yet.
    pub(super) async fn channel(self, bot: &AsBot, act: Act) -> Result<ChannelId, Failure> {
        match self {
            Self::Channel(channel) => Ok(channel),
            Self::User(user) => match bot.rest.open_direct_message(user).await {
                Ok(channel) => Ok(channel),
                Err(failure) => Err(in_words(bot, At::place(act, self), &failure).await),
            },
        }
    }
}

/// The channel of this name in the guilds that the bot is in.
async fn named(bot: &AsBot, name: &str) -> Result<ChannelId, Failure> {
    let probe = Probe::of(&bot.rest);
    let guilds = probe.guilds().await.map_err(unlisted)?;
    let mut found = Vec::new();
    for (guild, guild_name) in guilds {
        let channels = match bot.rest.guild_channels(guild).await {
            Ok(channels) => channels,
            Err(failure) => return Err(in_words(bot, At::nowhere(Act::Look), &failure).await),
        };
        let is_it = |channel: &Channel| is_called(channel, name);
        found.extend(channels.into_iter().filter(is_it).map(|it| (it, guild_name.clone())));
    }
    one_of(name, found)
}

fn is_called(channel: &Channel, name: &str) -> bool {
    channel.kind != PlaceKind::Other && channel.name.to_lowercase() == name.to_lowercase()
}

/// The only one; of a text and a voice channel with one name, the text channel.
fn one_of(name: &str, mut found: Vec<(Channel, String)>) -> Result<ChannelId, Failure> {
    if found.iter().any(|(channel, _)| channel.kind != PlaceKind::Voice) {
        found.retain(|(channel, _)| channel.kind != PlaceKind::Voice);
    }
    match &found[..] {
        [(channel, _)] => Ok(channel.id),
        [] => Err(Failure::user(format_args!("no channel that the bot sees is called #{name}"))
            .hint("give its id: channel:<id> (right-click the channel, Copy Channel ID)")),
        several => {
            let list: Vec<String> =
                several.iter().map(|(it, guild)| format!("channel:{} ({guild})", it.id)).collect();
            Err(Failure::user(format_args!("several channels are called #{name}"))
                .hint(format_args!("say which: {}", list.join(", "))))
        }
    }
}

fn unlisted(failure: ProbeFailure) -> Failure {
    match failure {
        ProbeFailure::TokenRefused => super::refusal::token_refused(&failure),
        ProbeFailure::Refused(_) | ProbeFailure::Unreachable(_) => Failure::user(&failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(id: u64, kind: u64, name: &str) -> (Channel, String) {
        let json = format!(r#"{{"id":"{id}","type":{kind},"name":"{name}"}}"#);
        (Channel::read(&json, None).unwrap(), "Guild".to_owned())
    }

    #[test]
    fn a_name_is_one_channels() {
        let (text, voice) = (channel(1, 0, "General"), channel(2, 2, "general"));
        assert!(
            is_called(&text.0, "general") && !is_called(&channel(3, 4, "general").0, "general")
        );
        assert_eq!(
            one_of("general", vec![voice.clone(), text.clone()]).unwrap(),
            ChannelId::new(1)
        );
        assert_eq!(one_of("general", vec![voice]).unwrap(), ChannelId::new(2));
        let none = one_of("general", Vec::new()).unwrap_err();
        assert!(none.message.contains("#general"), "{}", none.message);
        let several = one_of("general", vec![text, channel(4, 15, "general")]).unwrap_err();
        let hint = several.hint.unwrap();
        assert!(hint.contains("channel:1 (Guild), channel:4 (Guild)"), "{hint}");
    }
}
