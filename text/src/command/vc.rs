//! `/vc join|leave|status`. The reply texts are those of OpenClaw.

use std::fmt::Write as _;

use clawvoice_session::{
    ChannelId, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, UserId, VoiceStatus,
    access::{self, CommandRefusal, Member, Parent, Place},
};

use super::{ChosenChannel, CommandOption, Definition, Doors, Invocation, Subcommand, Takes};

/// The command's name.
pub(super) const NAME: &str = "vc";

/// The option of `/vc join`.
const CHANNEL: &str = "channel";

/// What is registered with Discord.
pub(super) fn definition() -> Definition {
    let sub = |name: &str, description: &str, options| Subcommand {
        name: name.to_owned(),
        description: description.to_owned(),
        options,
    };
    let channel = CommandOption::text(CHANNEL, "Voice channel to join");
    Definition {
        subcommands: vec![
            sub(
                "join",
                "Join a voice channel",
                vec![channel.taking(Takes::VoiceChannel).required()],
            ),
            sub("leave", "Leave the current voice channel", Vec::new()),
            sub("status", "Show active voice sessions", Vec::new()),
        ],
        ..Definition::new(NAME, "Voice channel controls")
    }
}

/// What was asked for, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Request {
    Join(ChosenChannel),
    Leave,
    Status,
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
    #[error("This channel is disabled.")]
    ChannelDisabled,
    #[error("<#{0}> is not allowlisted for voice commands.")]
    NotAllowlisted(ChannelId),
    #[error("You are not authorized to use this command.")]
    NotAuthorized,
    #[error("Voice manager is not available yet.")]
    NotReady,
}

fn read(invocation: &Invocation) -> Result<(GuildId, UserId, Request), Refusal> {
    let guild = invocation.by.guild.ok_or(Refusal::NotInGuild)?;
    let user = invocation.by.user.ok_or(Refusal::NoUser)?;
    let request = match invocation.subcommand.as_deref() {
        Some("join") => {
            // Discord resolves a channel option within the invoking guild; one that it did not
            // resolve is a channel it could not find there.
            let channel = invocation.channel.clone().ok_or(Refusal::ChannelNotFound)?;
            if !channel.kind.ok_or(Refusal::ChannelNotFound)?.is_voice() {
                return Err(Refusal::NotAVoiceChannel);
            }
            Request::Join(channel)
        }
        Some("leave") => Request::Leave,
        Some("status") => Request::Status,
        _ => return Err(Refusal::UnknownSubcommand),
    };
    Ok((guild, user, request))
}

/// Carries the command out and words the reply.
pub(super) async fn answer(invocation: &Invocation, doors: Doors<'_>) -> String {
    match carry_out(invocation, doors).await {
        Ok(reply) => reply,
        Err(refusal) => refusal.to_string(),
    }
}

async fn carry_out(invocation: &Invocation, doors: Doors<'_>) -> Result<String, Refusal> {
    let (guild, user, request) = read(invocation)?;
    let sessions = match doors.voice {
        Some(voice) => voice.status(Some(guild)).await,
        None => Vec::new(),
    };
    if let Err(refusal) = authorize(invocation, doors, (guild, user), &request, &sessions) {
        tracing::info!(%guild, %user, "/vc is refused: {refusal}");
        return Err(refusal);
    }
    let voice = doors.voice.ok_or(Refusal::NotReady)?;
    Ok(match request {
        Request::Join(channel) => joined(channel.id, &voice.join(guild, channel.id).await),
        Request::Leave => left(voice.leave(guild).await),
        Request::Status => status(&sessions),
    })
}

/// A join is judged by the channel that is to be joined, the rest by the one the bot is in, else by
/// the one the command was typed in.
fn authorize(
    invocation: &Invocation,
    doors: Doors<'_>,
    (guild, user): (GuildId, UserId),
    request: &Request,
    sessions: &[VoiceStatus],
) -> Result<(), Refusal> {
    let Doors { policy, directory, .. } = doors;
    let voice_channel = |channel: ChannelId| (channel, directory.channel(channel), None);
    let asked_in = invocation.by.asked_in.as_ref();
    let (channel, channel_name, parent) = match (request, sessions) {
        (Request::Join(chosen), _) => (chosen.id, chosen.name.as_str(), None),
        (_, [session, ..]) => voice_channel(session.channel),
        (_, []) => match asked_in {
            Some(it) => (it.channel, it.name.as_str(), it.parent),
            None => return Err(Refusal::NotAuthorized),
        },
    };
    let place = Place {
        guild,
        guild_name: directory.guild(guild),
        channel,
        channel_name,
        // Discord tells the parent's id, not its name.
        parent: parent.map(|id| Parent { id, name: "" }),
    };
    let names: Vec<&str> = invocation.by.names.iter().map(String::as_str).collect();
    let member = Member { user, roles: &invocation.by.roles, names: &names };
    policy.commands.may_command(&policy.access, &place, &member).map_err(|refusal| match refusal {
        CommandRefusal::Place(access::Refusal::ChannelDisabled) => Refusal::ChannelDisabled,
        CommandRefusal::Place(_) => Refusal::NotAllowlisted(channel),
        CommandRefusal::Member => Refusal::NotAuthorized,
    })
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
    use std::{collections::BTreeMap, path::Path};

    use async_trait::async_trait;
    use clawvoice_session::{Directory, VoiceControl, VoiceGatewayEvent, access::Policy};

    use super::*;
    use crate::{
        command::{ChannelKind, answer as answer_any, definitions},
        interaction::{AskedIn, Caller},
        place::PlaceKind,
    };

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
            by: Caller {
                guild: Some(GUILD),
                asked_in: Some(AskedIn {
                    channel: ChannelId::new(8),
                    kind: Some(PlaceKind::Text),
                    name: "chat".to_owned(),
                    parent: None,
                }),
                user: Some(UserId::new(9)),
                ..Caller::default()
            },
            name: "vc".to_owned(),
            subcommand: Some(subcommand.to_owned()),
            options: BTreeMap::new(),
            channel: channel.map(|kind| chosen(Some(kind))),
        }
    }

    fn chosen(kind: Option<ChannelKind>) -> ChosenChannel {
        ChosenChannel { id: ROOM, kind, name: "Talk".to_owned() }
    }

    /// The rules of an account with these keys.
    fn policy(discord: &str) -> Policy {
        let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c', {discord} }} }} }}");
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
        Policy::of(&config, &config.discord)
    }

    /// The reply where user 9 may do everything.
    async fn reply(invocation: &Invocation, voice: Option<&dyn VoiceControl>) -> String {
        reply_under(&policy("groupPolicy: 'open', allowFrom: ['9']"), invocation, voice).await
    }

    async fn reply_under(
        policy: &Policy,
        invocation: &Invocation,
        voice: Option<&dyn VoiceControl>,
    ) -> String {
        let mut directory = Directory::default();
        for event in [
            VoiceGatewayEvent::GuildName { guild: GUILD, name: "Friends".to_owned() },
            VoiceGatewayEvent::ChannelName { channel: ROOM, name: "Talk".to_owned() },
        ] {
            directory.follow(&event);
        }
        let doors = Doors { voice, policy, directory: &directory };
        answer_any(invocation, doors).await
    }

    #[tokio::test]
    async fn who_may_not_is_told_so_and_voice_is_not_steered() {
        const DENIED: &str = "You are not authorized to use this command.";
        let join = typed("join", Some(ChannelKind::Voice));
        let mut crew = join.clone();
        crew.by.roles = vec![clawvoice_session::RoleId::new(80)];
        let elsewhere = "<#2> is not allowlisted for voice commands.";
        for (rules, invocation, expected) in [
            // A fresh configuration serves nobody.
            ("voice: {}", &join, elsewhere),
            ("groupPolicy: 'open'", &join, DENIED),
            ("groupPolicy: 'disabled', allowFrom: ['9']", &join, elsewhere),
            ("guilds: { friends: { users: ['9'] } }", &join, "Joined <#2>."),
            ("guilds: { strangers: { users: ['9'] } }", &join, elsewhere),
            ("guilds: { 1: { users: ['10'] } }", &join, DENIED),
            ("guilds: { 1: { roles: ['80'] } }", &join, DENIED),
            ("guilds: { 1: { roles: ['80'] } }", &crew, "Joined <#2>."),
            ("guilds: { 1: { users: ['9'], channels: { chat: {} } } }", &join, elsewhere),
            ("guilds: { 1: { users: ['9'], channels: { talk: {} } } }", &join, "Joined <#2>."),
            (
                "guilds: { 1: { users: ['9'], channels: { talk: { enabled: false } } } }",
                &join,
                "This channel is disabled.",
            ),
        ] {
            let told = reply_under(&policy(rules), invocation, Some(&Told::default())).await;
            assert_eq!(told, expected, "{rules}");
        }
    }

    #[tokio::test]
    async fn leave_and_status_are_judged_by_where_the_bot_is_else_by_where_they_were_typed() {
        let rules = policy("guilds: { 1: { users: ['9'], channels: { talk: {} } } }");
        let session = VoiceStatus { guild: GUILD, channel: ROOM };
        let there = Told { status: vec![session], ..Told::default() };
        let status = typed("status", None);
        let told = reply_under(&rules, &status, Some(&there)).await;
        assert_eq!(told, "• <#2> (guild 1)");
        let told = reply_under(&rules, &status, Some(&Told::default())).await;
        assert_eq!(told, "<#8> is not allowlisted for voice commands.");
        let mut leave = typed("leave", None);
        leave.by.asked_in = None;
        let told = reply_under(&rules, &leave, Some(&Told::default())).await;
        assert_eq!(told, "You are not authorized to use this command.");
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
                assert_eq!(reply(&typed("join", Some(kind)), Some(&voice)).await, expected);
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
            assert_eq!(reply(&typed("leave", None), Some(&voice)).await, expected);
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
            assert_eq!(reply(&typed("status", None), Some(&voice)).await, expected);
        }
    }

    #[tokio::test]
    async fn refusals_do_not_reach_voice() {
        let join = typed("join", Some(ChannelKind::Voice));
        let unresolved = Invocation { channel: Some(chosen(None)), ..join.clone() };
        let in_dm = |mut typed: Invocation| {
            typed.by.guild = None;
            typed
        };
        let mut nobodys = join.clone();
        nobodys.by.user = None;
        let cases = [
            (in_dm(join.clone()), "Voice commands are only available in guilds."),
            (in_dm(typed("leave", None)), "Voice commands are only available in guilds."),
            (in_dm(typed("status", None)), "Voice commands are only available in guilds."),
            (nobodys, "Unable to resolve command user."),
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
            assert_eq!(reply(&invocation, Some(&Told::default())).await, expected);
        }
        assert_eq!(reply(&join, None).await, "Voice manager is not available yet.");
    }

    #[test]
    fn vc_is_registered_only_with_voice() {
        assert_eq!(definitions(false), []);
        let [vc] = &definitions(true)[..] else { panic!("one command") };
        let names: Vec<_> = vc.subcommands.iter().map(|sub| sub.name.as_str()).collect();
        assert_eq!((vc.name.as_str(), names), ("vc", vec!["join", "leave", "status"]));
    }
}
