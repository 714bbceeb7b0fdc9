//! What lets a user into a voice channel: the server's side of it and the client's side.

/// A user's right to identify with the voice server, handed to it by the world.
///
/// Discord issues these two secrets over the main gateway: the session id in
/// `VOICE_STATE_UPDATE`, the token in `VOICE_SERVER_UPDATE`.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The guild; the voice gateway calls it `server_id`.
    pub guild_id: u64,
    /// The voice or stage channel.
    pub channel_id: u64,
    /// Who may come in.
    pub user_id: u64,
    /// From `VOICE_STATE_UPDATE`.
    pub session_id: String,
    /// From `VOICE_SERVER_UPDATE`.
    pub token: String,
    /// Whether the channel is end-to-end encrypted; stage channels are not.
    pub dave: bool,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket")
            .field("guild_id", &self.guild_id)
            .field("channel_id", &self.channel_id)
            .field("user_id", &self.user_id)
            .field("dave", &self.dave)
            .finish_non_exhaustive()
    }
}

/// What a client needs to join voice, put together from both dispatches.
#[derive(Clone, PartialEq, Eq)]
pub struct VoiceInvite {
    /// The guild; the voice gateway calls it `server_id`.
    pub guild_id: u64,
    /// The voice or stage channel.
    pub channel_id: u64,
    /// The user who joins.
    pub user_id: u64,
    /// From `VOICE_STATE_UPDATE`.
    pub session_id: String,
    /// From `VOICE_SERVER_UPDATE`.
    pub token: String,
    /// `host:port` of the voice gateway, without a scheme.
    pub endpoint: String,
}

impl std::fmt::Debug for VoiceInvite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VoiceInvite")
            .field("guild_id", &self.guild_id)
            .field("channel_id", &self.channel_id)
            .field("user_id", &self.user_id)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}
