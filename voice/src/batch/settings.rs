//! What a batch conversation is told at its start.

use std::{collections::BTreeSet, time::Duration};

use clawvoice_session::{ChannelId, GuildId, SessionKey, UserId};

use crate::{
    conversation::Rights,
    timeline::{Place, Route},
};

/// Settings of one [`BatchConversation`](super::BatchConversation).
#[derive(Clone, Debug)]
pub struct BatchSettings {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
    /// The bot's own user: never heard.
    pub bot_user: UserId,
    /// The agent.
    pub agent_id: String,
    /// The session of the voice channel, for the log.
    pub voice_session: SessionKey,
    /// The session that turns go into.
    pub session: SessionKey,
    /// Number of the conversation's first run; runs of one agent must differ.
    pub first_run: u64,
    /// `provider/model` for voice turns instead of the agent's own.
    pub model: Option<String>,
    /// More system prompt for turns of this channel.
    pub instructions: Option<String>,
    /// Who may speak, and who owns the agent.
    pub rights: Rights,
    /// From the end of a talkspurt to the end of its segment.
    pub capture_silence_grace: Duration,
    /// Whether speech interrupts playback. Off: speech that begins while an answer plays is
    /// ignored, so that the agent never answers its own voice out of somebody's loudspeaker.
    pub barge_in: bool,
    /// Assistant audio below which a barge-in is ignored, in ms; 0 interrupts at once.
    pub min_barge_in_audio_end_ms: u32,
    /// Audio gathered before an answer starts, unless it is complete before.
    pub prebuffer: Duration,
    /// Whether other bots are heard.
    pub hear_bots: bool,
}

impl BatchSettings {
    /// The documented defaults; everybody may speak.
    #[must_use]
    pub fn new(guild: GuildId, channel: ChannelId, bot_user: UserId) -> Self {
        let session = SessionKey::channel("main", channel);
        Self {
            guild,
            channel,
            bot_user,
            agent_id: "main".into(),
            voice_session: session.clone(),
            session,
            first_run: 0,
            model: None,
            instructions: None,
            rights: Rights::open(BTreeSet::new()),
            capture_silence_grace: Duration::from_millis(2_500),
            barge_in: false,
            min_barge_in_audio_end_ms: 250,
            prebuffer: Duration::from_millis(500),
            hear_bots: false,
        }
    }

    pub(super) fn place(&self) -> Place {
        Place { guild: self.guild, channel: self.channel }
    }

    pub(super) fn route(&self) -> Route<'_> {
        Route {
            voice_session: &self.voice_session,
            supervisor_session: &self.session,
            agent: &self.agent_id,
        }
    }
}
