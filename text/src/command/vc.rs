//! `/vc join|leave|status`. The reply texts are those of OpenClaw.

use std::fmt::Write as _;

use clawvoice_session::{
    ChannelId, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, VoiceControl, VoiceStatus,
};

use super::{ChannelOption, Definition, Invocation, Subcommand};

/// The command's name.
pub(super) const NAME: &str = "vc";

/// The option of `/vc join`.
const CHANNEL: &str = "channel";

/// What is registered with Discord.
pub(super) fn definition() -> Definition {
    let plain = |name: &str, description: &str| Subcommand {
        name: name.to_owned(),
        description: description.to_owned(),
        channel: None,
    };
    Definition {
        name: NAME.to_owned(),
        description: "Voice channel controls".to_owned(),
        subcommands: vec![
            Subcommand {
                channel: Some(ChannelOption {
                    name: CHANNEL.to_owned(),
                    description: "Voice channel to join".to_owned(),
                }),
                ..plain("join", "Join a voice channel")
            },
            plain("leave", "Leave the current voice channel"),
            plain("status", "Show active voice sessions"),
        ],
    }
}

/// What was asked for, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Join(GuildId, ChannelId),
    Leave(GuildId),
    Status(GuildId),
}

/// Why voice is not even asked; the text is the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("Voice commands are only available in guilds.")]
    NotInGuild,
    #[error("Unable to resolve command user.")]
    NoUser,
    #[error("Voice channel not found.")]
    ChannelNotFound,
    #[error("That is not a voice channel.")]
    NotAVoiceChannel,
    #[error("Unknown voice command.")]
    UnknownSubcommand,
    #[error("Voice manager is not available yet.")]
    NotReady,
}

fn read(invocation: &Invocation) -> Result<Request, Refusal> {
    let guild = invocation.guild.ok_or(Refusal::NotInGuild)?;
    invocation.user.ok_or(Refusal::NoUser)?;
    match invocation.subcommand.as_deref() {
        Some("join") => {
            // Discord resolves a channel option within the invoking guild; one that it did not
            // resolve is a channel it could not find there.
            let (channel, kind) = invocation.channel.ok_or(Refusal::ChannelNotFound)?;
            if kind.ok_or(Refusal::ChannelNotFound)?.is_voice() {
                Ok(Request::Join(guild, channel))
            } else {
                Err(Refusal::NotAVoiceChannel)
            }
        }
        Some("leave") => Ok(Request::Leave(guild)),
        Some("status") => Ok(Request::Status(guild)),
        _ => Err(Refusal::UnknownSubcommand),
    }
}

/// Carries the command out and words the reply.
pub(super) async fn answer(invocation: &Invocation, voice: Option<&dyn VoiceControl>) -> String {
    let request = match read(invocation) {
        Ok(request) => request,
        Err(refusal) => return refusal.to_string(),
    };
    let Some(voice) = voice else { return Refusal::NotReady.to_string() };
    match request {
        Request::Join(guild, channel) => joined(channel, &voice.join(guild, channel).await),
        Request::Leave(guild) => left(voice.leave(guild).await),
        Request::Status(guild) => status(&voice.status(Some(guild)).await),
    }
}

fn joined(channel: ChannelId, result: &Result<JoinOutcome, JoinFailure>) -> String {
    match result {
        Ok(JoinOutcome::Joined) => format!("Joined <#{channel}>."),
        Ok(JoinOutcome::AlreadyConnected) => format!("Already connected to <#{channel}>."),
        Err(failure) => failure.to_string(),
    }
}

fn left(outcome: LeaveOutcome) -> String {
    match outcome {
        LeaveOutcome::Left(channel) => format!("Left <#{channel}>."),
        LeaveOutcome::CancelledPending(channel) => {
            format!("Cancelled pending voice join for <#{channel}>.")
        }
        LeaveOutcome::NotConnected => "Not connected to a voice channel.".to_owned(),
    }
}

fn status(sessions: &[VoiceStatus]) -> String {
    if sessions.is_empty() {
        return "No active voice sessions.".to_owned();
    }
    let mut text = String::new();
    for session in sessions {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = write!(text, "• <#{}> (guild {})", session.channel, session.guild);
    }
    text
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use clawvoice_session::UserId;

    use super::*;
    use crate::command::{ChannelKind, answer as answer_any, definitions};

    const GUILD: GuildId = GuildId::new(1);
    const ROOM: ChannelId = ChannelId::new(2);

    /// Voice that answers as told and checks what it is asked.
    struct Told {
        join: Result<JoinOutcome, JoinFailure>,
        leave: LeaveOutcome,
        status: Vec<VoiceStatus>,
    }

    impl Default for Told {
        fn default() -> Self {
            Self {
                join: Ok(JoinOutcome::Joined),
                leave: LeaveOutcome::NotConnected,
                status: Vec::new(),
            }
        }
    }

    #[async_trait]
    impl VoiceControl for Told {
        async fn join(
            &self,
            guild: GuildId,
            channel: ChannelId,
        ) -> Result<JoinOutcome, JoinFailure> {
            assert_eq!((guild, channel), (GUILD, ROOM));
            self.join.clone()
        }

        async fn leave(&self, guild: GuildId) -> LeaveOutcome {
            assert_eq!(guild, GUILD);
            self.leave
        }

        async fn status(&self, guild: Option<GuildId>) -> Vec<VoiceStatus> {
            assert_eq!(guild, Some(GUILD));
            self.status.clone()
        }
    }

    fn typed(subcommand: &str, channel: Option<ChannelKind>) -> Invocation {
        Invocation {
            name: "vc".to_owned(),
            guild: Some(GUILD),
            user: Some(UserId::new(9)),
            subcommand: Some(subcommand.to_owned()),
            channel: channel.map(|kind| (ROOM, Some(kind))),
        }
    }

    #[tokio::test]
    async fn join_replies() {
        let cases = [
            (Ok(JoinOutcome::Joined), "Joined <#2>."),
            (Ok(JoinOutcome::AlreadyConnected), "Already connected to <#2>."),
            (
                Err(JoinFailure::Disabled),
                "Discord voice is disabled (channels.discord.voice.enabled).",
            ),
            (
                Err(JoinFailure::NotAllowed(ROOM)),
                "<#2> is not allowed by channels.discord.voice.allowedChannels.",
            ),
            (Err(JoinFailure::NotVoice(ROOM)), "Channel 2 is not a voice channel."),
            (Err(JoinFailure::OtherGuild), "Voice channel is not in this guild."),
            (
                Err(JoinFailure::Connect("no answer".to_owned())),
                "Failed to join voice channel: no answer",
            ),
            (
                Err(JoinFailure::Realtime("bad key".to_owned())),
                "Failed to start Discord realtime voice: bad key",
            ),
            (Err(JoinFailure::Cancelled), "Discord voice join was cancelled."),
            (Err(JoinFailure::Stopped), "Discord voice manager is stopped."),
        ];
        for (join, expected) in cases {
            let voice = Told { join, ..Told::default() };
            for kind in [ChannelKind::Voice, ChannelKind::Stage] {
                assert_eq!(answer_any(&typed("join", Some(kind)), Some(&voice)).await, expected);
            }
        }
    }

    #[tokio::test]
    async fn leave_replies() {
        let cases = [
            (LeaveOutcome::Left(ROOM), "Left <#2>."),
            (LeaveOutcome::CancelledPending(ROOM), "Cancelled pending voice join for <#2>."),
            (LeaveOutcome::NotConnected, "Not connected to a voice channel."),
        ];
        for (leave, expected) in cases {
            let voice = Told { leave, ..Told::default() };
            assert_eq!(answer_any(&typed("leave", None), Some(&voice)).await, expected);
        }
    }

    #[tokio::test]
    async fn status_replies() {
        let session = |guild, channel| VoiceStatus {
            guild: GuildId::new(guild),
            channel: ChannelId::new(channel),
        };
        let cases = [
            (vec![], "No active voice sessions."),
            (vec![session(1, 2)], "• <#2> (guild 1)"),
            (vec![session(1, 2), session(3, 4)], "• <#2> (guild 1)\n• <#4> (guild 3)"),
        ];
        for (status, expected) in cases {
            let voice = Told { status, ..Told::default() };
            assert_eq!(answer_any(&typed("status", None), Some(&voice)).await, expected);
        }
    }

    #[tokio::test]
    async fn refusals_do_not_reach_voice() {
        let join = typed("join", Some(ChannelKind::Voice));
        let unresolved = Invocation { channel: Some((ROOM, None)), ..join.clone() };
        let in_dm = |typed: Invocation| Invocation { guild: None, ..typed };
        let cases = [
            (in_dm(join.clone()), "Voice commands are only available in guilds."),
            (in_dm(typed("leave", None)), "Voice commands are only available in guilds."),
            (in_dm(typed("status", None)), "Voice commands are only available in guilds."),
            (Invocation { user: None, ..join.clone() }, "Unable to resolve command user."),
            (Invocation { channel: None, ..join.clone() }, "Voice channel not found."),
            (unresolved, "Voice channel not found."),
            (typed("join", Some(ChannelKind::Other)), "That is not a voice channel."),
            (typed("dance", None), "Unknown voice command."),
            (Invocation { subcommand: None, ..join.clone() }, "Unknown voice command."),
            (
                Invocation { name: "ping".to_owned(), ..join.clone() },
                "/ping is not a command of this bot.",
            ),
        ];
        for (invocation, expected) in cases {
            assert_eq!(answer_any(&invocation, Some(&Told::default())).await, expected);
        }
        assert_eq!(answer_any(&join, None).await, "Voice manager is not available yet.");
    }

    #[test]
    fn vc_is_registered_only_with_voice() {
        assert_eq!(definitions(false), []);
        let [vc] = &definitions(true)[..] else { panic!("one command") };
        let names: Vec<_> = vc.subcommands.iter().map(|sub| sub.name.as_str()).collect();
        assert_eq!((vc.name.as_str(), names), ("vc", vec!["join", "leave", "status"]));
    }
}
