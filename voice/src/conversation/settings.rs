//! What a conversation is told at its start.

use std::{collections::BTreeSet, time::Duration};

use clawvoice_session::{ChannelId, GuildId, SessionKey, UserId};

use super::{floor::FloorRules, rights::Rights, wake::WakeScope};
use crate::{
    realtime::{Profile, SessionSettings, ToolDefinition, TurnDetection},
    timeline::{Bridge, BridgePolicy, Place, Role},
};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The agent; the front end does the talking and the timing.
    AgentProxy,
    /// The front end, which may ask the agent.
    Bidi,
}

impl Mode {
    /// The mode's configuration word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AgentProxy => "agent-proxy",
            Self::Bidi => "bidi",
        }
    }
}

/// When the agent is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsultPolicy {
    /// For every turn.
    Always,
    /// When the front end decides so.
    Auto,
}

impl ConsultPolicy {
    /// The policy's configuration word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Auto => "auto",
        }
    }
}

/// What the agent may do when the front end asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolPolicy {
    /// What the speaker's own rights allow; owners everything.
    Owner,
    /// Six reading tools.
    SafeReadOnly,
    /// The front end has no consult tool.
    None,
}

impl ToolPolicy {
    /// The policy's configuration word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::SafeReadOnly => "safe-read-only",
            Self::None => "none",
        }
    }
}

/// Who finds the end of a speaker's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEnd {
    /// The provider's voice activity detection; silence is fed so that it always sees the end.
    ProviderVad,
    /// We do: a talkspurt followed by `vad.silence_duration_ms` without packets is committed.
    Own,
}

/// The provider's voice activity detection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vad {
    /// Speech probability above which audio is speech, 0 to 1.
    pub threshold: f64,
    /// Silence that ends a turn, in ms.
    pub silence_duration_ms: u32,
    /// Audio kept from before the speech, in ms.
    pub prefix_padding_ms: u32,
}

/// Settings of one [`Conversation`](super::Conversation).
#[derive(Clone, Debug)]
pub struct ConversationSettings {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
    /// The bot's own user: never heard.
    pub bot_user: UserId,
    /// The agent.
    pub agent_id: String,
    /// Who answers.
    pub mode: Mode,
    /// When the agent is asked; [`ConsultPolicy::Auto`] lets the front end answer by itself.
    pub consult_policy: ConsultPolicy,
    /// What the agent may do when it is asked.
    pub tool_policy: ToolPolicy,
    /// The agent's model for voice turns, `provider/model`; `None`: its own.
    pub agent_model: Option<String>,
    /// The session that the voice channel's turns belong to.
    pub voice_session: SessionKey,
    /// The session that they run in.
    pub supervisor_session: SessionKey,
    /// What the configuration says to the agent about this channel.
    pub channel_prompt: Option<String>,
    /// Number of the conversation's first run; runs of one agent must differ.
    pub first_run: u64,
    /// When a front end is told at last that its question got no answer.
    pub consult_timeout: Duration,
    /// How long a speaker may pause within one turn of the queue (tool policy `none`).
    pub debounce: Duration,
    /// Who may talk to the agent, and who owns it.
    pub rights: Rights,
    /// Names by which the agent must be called; `None`: it listens to everything.
    pub wake_names: Option<Vec<String>>,
    /// Where in a sentence they count.
    pub wake_scope: WakeScope,
    /// The realtime provider's id, as in the configuration.
    pub provider_id: String,
    /// The realtime model.
    pub model: String,
    /// The provider's protocol, and how the server deviates from it.
    pub profile: Profile,
    /// The functions that the front end is offered.
    pub tools: Vec<ToolDefinition>,
    /// The realtime voice; empty leaves the provider's default.
    pub voice: String,
    /// The front end's system prompt.
    pub instructions: String,
    /// Model that transcribes the speakers; `None`: no transcripts.
    pub transcription_model: Option<String>,
    /// Who finds the end of a turn.
    pub turn_end: TurnEnd,
    /// Whether speech interrupts playback.
    pub barge_in: bool,
    /// Whether the provider cancels its response when it hears speech.
    pub interrupt_response_on_input_audio: bool,
    /// How an interruption is told from a cough; `None`: by the documented rule, which takes every
    /// sound for one and never takes it back.
    pub floor: Option<FloorRules>,
    /// Whether the agent's own voice, back through an open microphone, is recognised by these rules.
    pub echo_detection: bool,
    /// Assistant audio below which a barge-in is ignored by the documented rule, in ms; 0 interrupts
    /// at once.
    pub min_barge_in_audio_end_ms: u32,
    /// From the last packet's pause to the end of the turn.
    pub capture_silence_grace: Duration,
    /// The provider's voice activity detection.
    pub vad: Vad,
    /// The longest that an answer waits before it starts; how long it does is learned from its
    /// provider.
    pub prebuffer: Duration,
    /// Whether other bots are heard. Off: a music bot is no speaker, and two agents in one channel
    /// do not talk to each other for ever.
    pub hear_bots: bool,
    /// Most provider connections at a time, a spare one included; at least 1.
    pub max_lanes: usize,
    /// After how long without use a speaker's provider connection is closed.
    pub lane_idle: Duration,
    /// How long a provider connection may take until it is configured.
    pub connect_timeout: Duration,
    /// Age at which a provider connection is replaced as soon as nothing goes on over it: before
    /// the provider's own limit for a session.
    pub rotate_after: Duration,
    /// Age at which it is replaced even in mid-word.
    pub session_limit: Duration,
    /// Makes the waits between connection attempts differ from those of others.
    pub seed: u64,
}

impl ConversationSettings {
    /// The documented defaults.
    #[must_use]
    pub fn new(guild: GuildId, channel: ChannelId, bot_user: UserId) -> Self {
        Self {
            guild,
            channel,
            bot_user,
            agent_id: "main".into(),
            mode: Mode::AgentProxy,
            consult_policy: ConsultPolicy::Auto,
            tool_policy: ToolPolicy::Owner,
            agent_model: None,
            voice_session: SessionKey::channel("main", channel),
            supervisor_session: SessionKey::channel("main", channel),
            channel_prompt: None,
            first_run: 1,
            consult_timeout: Duration::from_secs(120),
            debounce: Duration::from_millis(350),
            rights: Rights::open(BTreeSet::new()),
            wake_names: None,
            wake_scope: WakeScope::Anywhere,
            provider_id: "openai".into(),
            model: "gpt-realtime-2.1".into(),
            profile: Profile::default(),
            tools: Vec::new(),
            voice: "alloy".into(),
            instructions: "You are a voice assistant in a Discord voice channel. Answer the \
                           speaker briefly and naturally, in the language they speak."
                .into(),
            transcription_model: Some("gpt-4o-mini-transcribe".into()),
            turn_end: TurnEnd::ProviderVad,
            barge_in: true,
            interrupt_response_on_input_audio: true,
            floor: None,
            echo_detection: true,
            min_barge_in_audio_end_ms: 250,
            capture_silence_grace: Duration::from_millis(2_500),
            vad: Vad { threshold: 0.5, silence_duration_ms: 500, prefix_padding_ms: 300 },
            prebuffer: Duration::from_millis(500),
            hear_bots: false,
            max_lanes: 8,
            lane_idle: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            rotate_after: Duration::from_secs(55 * 60),
            session_limit: Duration::from_secs(59 * 60),
            seed: 0,
        }
    }

    /// Whether the front end answers a turn by itself.
    #[must_use]
    pub fn auto_respond(&self) -> bool {
        self.mode == Mode::Bidi
            || (self.consult_policy != ConsultPolicy::Always
                && self.tool_policy != ToolPolicy::None
                && !self.is_gated())
    }

    /// Whether the agent must be called by name. Only where its front end does not answer by
    /// itself: in bidi nothing could stop it.
    #[must_use]
    pub fn is_gated(&self) -> bool {
        self.mode == Mode::AgentProxy && self.wake_names.is_some()
    }

    /// Whether speech interrupts playback. Where a name is needed it does not: people talk to each
    /// other.
    #[must_use]
    pub fn barges_in(&self) -> bool {
        self.barge_in && !self.is_gated()
    }

    /// Whether the provider cancels its response when it hears speech. Where an interruption can be
    /// taken back it must not: what it has cancelled is gone.
    #[must_use]
    pub fn provider_interrupts(&self) -> bool {
        self.interrupt_response_on_input_audio && !self.is_gated() && self.floor.is_none()
    }

    /// The rules by which interruptions are judged. Words tell only where there are transcripts, and
    /// a provider that does not stop its answer by itself.
    pub(crate) fn floor_rules(&self) -> Option<FloorRules> {
        let has_words =
            self.transcription_model.is_some() && self.profile.codec().capabilities().can_cancel;
        let rules = self.floor.filter(|_| self.barges_in())?;
        Some(FloorRules { has_words: rules.has_words && has_words, ..rules })
    }

    /// Silence fed after a talkspurt, in samples: the provider's own wait, but never so short that
    /// it might miss the end, nor so long that it delays the next turn.
    pub(super) fn trailing_silence(&self) -> u64 {
        let ms = match self.turn_end {
            TurnEnd::ProviderVad => self.vad.silence_duration_ms.clamp(700, 3_000),
            TurnEnd::Own => self.vad.silence_duration_ms,
        };
        u64::from(ms) * 24
    }

    pub(super) fn place(&self) -> Place {
        Place { guild: self.guild, channel: self.channel }
    }

    pub(super) fn bridge(&self) -> Bridge<'_> {
        Bridge {
            mode: self.mode.as_str(),
            provider: &self.provider_id,
            model: &self.model,
            voice: &self.voice,
        }
    }

    pub(super) fn policy(&self) -> BridgePolicy<'_> {
        BridgePolicy {
            consult_policy: self.consult_policy.as_str(),
            tool_policy: self.tool_policy.as_str(),
            auto_respond: self.auto_respond(),
            interrupt_response: self.provider_interrupts(),
            barge_in: self.barges_in(),
            min_barge_in_audio_end_ms: self.min_barge_in_audio_end_ms,
        }
    }

    pub(super) fn session<'a>(&'a self, history: &'a [(Role, String)]) -> SessionSettings<'a> {
        let turn_detection = match self.turn_end {
            TurnEnd::ProviderVad => TurnDetection::Server {
                threshold: self.vad.threshold,
                prefix_padding_ms: self.vad.prefix_padding_ms,
                silence_duration_ms: self.vad.silence_duration_ms,
                create_response: self.auto_respond(),
                interrupt_response: self.provider_interrupts(),
            },
            TurnEnd::Own => TurnDetection::Own,
        };
        SessionSettings {
            model: &self.model,
            instructions: &self.instructions,
            voice: &self.voice,
            transcription_model: self.transcription_model.as_deref(),
            turn_detection,
            tools: &self.tools,
            history,
        }
    }
}
