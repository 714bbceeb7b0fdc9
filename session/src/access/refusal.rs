//! Why somebody is not listened to.

/// Why a message or speech is dropped. The text of each is the reason code in logs and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// `guilds` has entries, and none is this guild's.
    #[error("guild-not-configured")]
    GuildNotConfigured,
    /// `groupPolicy: "disabled"`.
    #[error("group-policy-disabled")]
    GroupPolicyDisabled,
    /// `groupPolicy: "allowlist"`, and no entry of `guilds` is this guild's.
    #[error("group-policy-no-guild")]
    GroupPolicyNoGuild,
    /// The channel's entry has `enabled: false`.
    #[error("channel-disabled")]
    ChannelDisabled,
    /// The guild's `channels` has entries, and none is this channel's.
    #[error("channel-not-allowlisted")]
    ChannelNotAllowlisted,
    /// Neither `users` nor `roles` names them.
    #[error("member-not-allowed")]
    MemberNotAllowed,
}
