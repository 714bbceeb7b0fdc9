//! Why Discord did not do it, and what to do next.
//!
//! Source: Discord, "JSON Error Codes", "Permissions"; OpenClaw, "Discord", the words for refused
//! messages.

use std::fmt::Display;

use clawvoice_session::{ChannelId, MessageId};
use clawvoice_text::{
    delivery::failure::{DeliveryFailure, judge, missing, missing_in_words},
    shell::{
        probe::{Powers, Probe},
        rest::RestFailure,
    },
};

use super::target::Place;
use crate::{commands::as_bot::AsBot, printer::Failure};

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// A message, with files or without.
    Send { files: bool },
    /// Reading messages.
    Read,
    /// Changing one.
    Edit,
    /// Deleting one.
    Delete,
    /// Reacting to one.
    React,
    /// Opening a thread.
    OpenThread,
    /// Looking at a channel.
    Look,
}

/// What was tried, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    act: Act,
    place: Option<Place>,
    message: Option<MessageId>,
}

impl At {
    /// In a place.
    pub(crate) fn place(act: Act, place: Place) -> Self {
        Self { act, place: Some(place), message: None }
    }

    /// In a channel.
    pub(crate) fn channel(act: Act, channel: ChannelId) -> Self {
        Self::place(act, Place::Channel(channel))
    }

    /// With a message of a channel.
    pub(crate) fn message(act: Act, channel: ChannelId, message: MessageId) -> Self {
        Self { message: Some(message), ..Self::channel(act, channel) }
    }

    /// In no channel.
    pub(crate) fn nowhere(act: Act) -> Self {
        Self { act, place: None, message: None }
    }
}

/// Unknown channel, message, user and emoji. Source: Discord, "JSON Error Codes".
const UNKNOWN_CHANNEL: u64 = 10_003;
const UNKNOWN_MESSAGE: u64 = 10_008;
const UNKNOWN_USER: u64 = 10_013;
const UNKNOWN_EMOJI: u64 = 10_014;
/// 20 different reactions are on the message.
const MOST_REACTIONS: u64 = 30_010;
/// A post without a tag where one is demanded.
const TAG_REQUIRED: u64 = 40_067;
/// The bot does not see the channel.
const MISSING_ACCESS: u64 = 50_001;
/// What is not done in direct messages, or in a channel of that type.
const NOT_IN_DIRECT_MESSAGES: u64 = 50_003;
const NOT_IN_THIS_TYPE: u64 = 50_024;
/// Somebody else's message.
const NOT_OWN: u64 = 50_005;
/// The author has blocked the bot.
const REACTION_BLOCKED: u64 = 90_001;

/// A refused token.
pub(crate) fn token_refused(failure: &dyn Display) -> Failure {
    Failure::auth(failure).hint(
        "copy the token anew from the Bot page of https://discord.com/developers/applications",
    )
}

/// The failure in words. What the bot lacks is looked up.
pub(crate) async fn in_words(bot: &AsBot, at: At, failure: &RestFailure) -> Failure {
    let (status, code, message) = match failure {
        RestFailure::TokenRefused => return token_refused(failure),
        RestFailure::QueueFull { .. } | RestFailure::Unreachable { .. } => {
            return Failure::user(failure).hint(match failure.is_perhaps_done() {
                true => "it may have been done all the same: look before you try again",
                false => "nothing was done: try again later",
            });
        }
        RestFailure::Refused { status, code, message, .. } => (*status, *code, message),
    };
    if let Some(failure) = by_code(at, code) {
        return failure;
    }
    match (judge(status, code, message), at.place) {
        (DeliveryFailure::MissingPermissions, Some(Place::Channel(channel))) => {
            let missing = lacking(bot, at.act, channel, code).await;
            Failure::user(missing_in_words(channel, &missing)).hint(format_args!(
                "let the bot's role have them there; `clawvoice channels capabilities --target \
                 channel:{channel}` shows what it has"
            ))
        }
        (judged @ DeliveryFailure::Blocked, _) => Failure::user(judged).hint(
            "they have to share a server with the bot, allow direct messages there and not block \
             it",
        ),
        (judged @ DeliveryFailure::TooLarge, _) => {
            Failure::user(judged).hint("send a smaller file, or fewer at once")
        }
        (DeliveryFailure::Later, _) => {
            Failure::user(failure).hint("the channel is in slow mode or full: try again later")
        }
        (judged, _) => Failure::user(judged),
    }
}

/// What a code says by itself.
fn by_code(at: At, code: u64) -> Option<Failure> {
    let place = at.place.map_or_else(|| "the channel".to_owned(), |place| place.to_string());
    let message = at.message.map_or_else(|| "the message".to_owned(), |id| format!("message {id}"));
    let failure = match code {
        UNKNOWN_CHANNEL => Failure::user(format_args!("{place} is not there (any more)")).hint(
            "check the id (right-click the channel, Copy Channel ID), and whether the bot is in \
             its server",
        ),
        UNKNOWN_MESSAGE => Failure::user(format_args!("{message} is not in {place} (any more)"))
            .hint("check the id, and whether it is in a thread: that is a channel of its own"),
        UNKNOWN_USER => Failure::user(format_args!("there is no {place}"))
            .hint("check the id: right-click the user, Copy User ID"),
        UNKNOWN_EMOJI => Failure::user("Discord does not know this emoji").hint(
            "write the character itself, or name:id of an emoji of a server that the bot is in",
        ),
        MOST_REACTIONS => Failure::user(format_args!("{message} has 20 different reactions"))
            .hint("there is room for no other; one that is there already can be added"),
        TAG_REQUIRED => Failure::user(format_args!("{place} requires a tag on every post"))
            .hint("create the post by `message thread create` with --applied-tag"),
        NOT_IN_DIRECT_MESSAGES | NOT_IN_THIS_TYPE => {
            Failure::user(format_args!("that is not done in a channel such as {place}"))
                .hint("threads are opened in text channels, posts in forums")
        }
        NOT_OWN => Failure::user(format_args!("{message} is somebody else's"))
            .hint("a bot changes its own messages only"),
        REACTION_BLOCKED => Failure::user(format_args!("the author of {message} blocks the bot"))
            .hint("nothing can be done about it from here"),
        _ => return None,
    };
    Some(failure)
}

async fn lacking(bot: &AsBot, act: Act, channel: ChannelId, code: u64) -> Vec<&'static str> {
    match Probe::of(&bot.rest).powers(channel).await {
        Ok(powers) => of_act(act, powers),
        // Who does not see a channel is not told what else they may not do there.
        Err(_) if code == MISSING_ACCESS => vec!["ViewChannel"],
        Err(_) => Vec::new(),
    }
}

/// Of what an act needs, what these powers lack.
fn of_act(act: Act, powers: Powers) -> Vec<&'static str> {
    const VIEW: (&str, u64) = ("ViewChannel", 1 << 10);
    const HISTORY: (&str, u64) = ("ReadMessageHistory", 1 << 16);
    let needed: &[(&str, u64)] = match act {
        Act::Send { files } => return missing(powers.bits, powers.in_thread, files),
        Act::Look | Act::Edit => &[VIEW],
        Act::Read => &[VIEW, HISTORY],
        Act::Delete => &[VIEW, ("ManageMessages", 1 << 13)],
        Act::React => &[VIEW, HISTORY, ("AddReactions", 1 << 6)],
        Act::OpenThread => &[VIEW, ("CreatePublicThreads", 1 << 35)],
    };
    let lacks = |(_, bit): &&(&str, u64)| powers.bits & bit == 0;
    needed.iter().filter(lacks).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_act_lacks() {
        let powers = |bits| Powers { bits, in_thread: false };
        let cases = [
            (Act::Send { files: true }, 1 << 10, &["SendMessages", "AttachFiles"][..]),
            (Act::Read, 1 << 10, &["ReadMessageHistory"]),
            (Act::Delete, 0, &["ViewChannel", "ManageMessages"]),
            (Act::React, 1 << 10 | 1 << 16, &["AddReactions"]),
            (Act::OpenThread, 1 << 10 | 1 << 35, &[]),
        ];
        for (act, bits, expected) in cases {
            assert_eq!(of_act(act, powers(bits)), expected, "{act:?}");
        }
        let in_thread = Powers { bits: 1 << 10 | 1 << 11, in_thread: true };
        assert_eq!(of_act(Act::Send { files: false }, in_thread), ["SendMessagesInThreads"]);
    }

    #[test]
    fn codes_have_words_that_name_the_thing() {
        let at = At::message(Act::React, ChannelId::new(5), MessageId::new(9));
        let words = |code| by_code(at, code).unwrap().message;
        assert_eq!(words(UNKNOWN_CHANNEL), "channel 5 is not there (any more)");
        assert_eq!(words(UNKNOWN_MESSAGE), "message 9 is not in channel 5 (any more)");
        assert_eq!(words(NOT_OWN), "message 9 is somebody else's");
        assert!(by_code(at, 50_013).is_none());
    }
}
