//! Why a message is dropped, and how many were for what reason.

/// Declares the reasons: a variant and its code each.
macro_rules! reasons {
    ($($(#[$what:meta])* $variant:ident = $code:literal),+ $(,)?) => {
        /// Why a message becomes no turn.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum DropReason {
            $($(#[$what])* $variant,)+
        }

        impl DropReason {
            /// All, in the order in which they are judged.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in logs and counters.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }
        }
    };
}

reasons! {
    /// No message at all, or without an id.
    InvalidEvent = "invalid-event",
    /// Without a channel.
    MissingChannelId = "missing-channel-id",
    /// Without an author.
    MissingAuthor = "missing-author",
    /// The bot's own.
    SelfMessage = "self-message",
    /// Too many wait to be judged.
    QueueFull = "queue-full",
    /// Discord no longer accepts the bot's token.
    AuthenticationFailed = "authentication-failed",
    /// Seen before.
    DuplicateMessage = "duplicate-message",
    /// Written while the bot was away, long ago, and not to it.
    StaleAmbientBacklog = "stale-ambient-backlog",
    /// What was just sent comes back.
    OutboundEcho = "outbound-echo",
    /// What was sent into a bound thread through its webhook comes back.
    BoundThreadWebhookEcho = "bound-thread-webhook-echo",
    /// A bot's notice in a bound thread.
    BoundThreadSystemMessage = "bound-thread-system-message",
    /// `allowBots: false`.
    BotNotAllowed = "bot-not-allowed",
    /// `dm.groupEnabled` is off.
    GroupDmDisabled = "group-dm-disabled",
    /// `dm.enabled: false`.
    DmDisabled = "dm-disabled",
    /// `dmPolicy: "disabled"`.
    DmPolicyDisabled = "dm-policy-disabled",
    /// `allowFrom` does not name them.
    DmNotAllowlisted = "dm-not-allowlisted",
    /// A stranger: to be told a code, if they know none.
    DmPairingRequired = "dm-pairing-required",
    /// A stranger, and too many others wait for approval.
    DmPairingCapped = "dm-pairing-capped",
    /// Discord's record of an application command.
    CommandMessage = "command-message",
    /// `guilds` has entries, and none is this guild's.
    GuildNotConfigured = "guild-not-configured",
    /// The channel's entry has `enabled: false`.
    ChannelDisabled = "channel-disabled",
    /// `dm.groupChannels` has entries, and none is this one's.
    GroupDmNotAllowlisted = "group-dm-not-allowlisted",
    /// `groupPolicy: "disabled"`.
    GroupPolicyDisabled = "group-policy-disabled",
    /// `groupPolicy: "allowlist"`, and no entry of `guilds` is this guild's.
    GroupPolicyNoGuild = "group-policy-no-guild",
    /// The guild's `channels` has entries, and none is this channel's.
    ChannelNotAllowlisted = "channel-not-allowlisted",
    /// Neither `users` nor `roles` names them.
    MemberNotAllowed = "member-not-allowed",
    /// A command of somebody who may not give any.
    ControlCommandUnauthorized = "control-command-unauthorized",
    /// Not to the bot, where that is demanded.
    NoMention = "no-mention",
    /// A bot's, and not to this one, where `allowBots` is `"mentions"`.
    BotMissingMention = "bot-missing-mention",
    /// To somebody else, where `ignoreOtherMentions` is on.
    OtherMention = "other-mention",
    /// Discord telling of a pin, a join, a boost.
    SystemEvent = "system-event",
    /// Nothing in it.
    EmptyContent = "empty-content",
    /// What the conversation is bound to cannot be started.
    BindingUnavailable = "binding-unavailable",
    /// Another agent of ours answers.
    RouterOtherAgent = "router-other-agent",
    /// Not for the bot, as far as can be told.
    IntentFiltered = "intent-filtered",
    /// Two bots have answered each other too often.
    BotLoopCooldown = "bot-loop-cooldown",
    /// The work on it was given up.
    Aborted = "aborted",
}

impl DropReason {
    /// Whether people are told of it by default (at info, so often as [`super::Telling`] allows):
    /// those with which a bot seems to be deaf.
    #[must_use]
    pub const fn is_told(self) -> bool {
        matches!(
            self,
            Self::NoMention
                | Self::ChannelNotAllowlisted
                | Self::GuildNotConfigured
                | Self::MemberNotAllowed
        )
    }
}

impl std::fmt::Display for DropReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code())
    }
}

impl From<clawvoice_session::access::Refusal> for DropReason {
    fn from(refusal: clawvoice_session::access::Refusal) -> Self {
        use clawvoice_session::access::Refusal;
        match refusal {
            Refusal::GuildNotConfigured => Self::GuildNotConfigured,
            Refusal::GroupPolicyDisabled => Self::GroupPolicyDisabled,
            Refusal::GroupPolicyNoGuild => Self::GroupPolicyNoGuild,
            Refusal::ChannelDisabled => Self::ChannelDisabled,
            Refusal::ChannelNotAllowlisted => Self::ChannelNotAllowlisted,
            Refusal::MemberNotAllowed => Self::MemberNotAllowed,
        }
    }
}

/// How many messages were dropped, reason by reason, since the account was started.
#[derive(Clone, Debug)]
pub struct DropCounters {
    counts: Vec<u64>,
}

impl DropCounters {
    /// One more.
    pub fn count(&mut self, reason: DropReason) {
        if let Some(count) = place(reason).and_then(|place| self.counts.get_mut(place)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many for a reason.
    #[must_use]
    pub fn of(&self, reason: DropReason) -> u64 {
        place(reason).and_then(|place| self.counts.get(place)).copied().unwrap_or(0)
    }

    /// Every reason with its number, in the order in which they are judged.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.iter().copied().zip(self.counts.iter().copied())
    }
}

impl Default for DropCounters {
    fn default() -> Self {
        Self { counts: vec![0; DropReason::ALL.len()] }
    }
}

fn place(reason: DropReason) -> Option<usize> {
    DropReason::ALL.iter().position(|it| *it == reason)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_its_own_counter() {
        let codes: BTreeSet<&str> = DropReason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), DropReason::ALL.len());
        let mut counters = DropCounters::default();
        for reason in DropReason::ALL {
            counters.count(*reason);
        }
        counters.count(DropReason::Aborted);
        assert_eq!(counters.of(DropReason::Aborted), 2);
        assert!(counters.iter().all(|(it, count)| it == DropReason::Aborted || count == 1));
    }

    #[test]
    fn what_seems_like_deafness_is_told() {
        let told: Vec<&str> =
            DropReason::ALL.iter().filter(|it| it.is_told()).map(|it| it.code()).collect();
        let expected =
            ["guild-not-configured", "channel-not-allowlisted", "member-not-allowed", "no-mention"];
        assert_eq!(told, expected);
    }
}
