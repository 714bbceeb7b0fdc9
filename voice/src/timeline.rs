//! Every line of the voice timeline, once.
//!
//! Names, field names and their order are those of OpenClaw's log, so that its diagnosis tables
//! work on ours. Lines marked "ours" have no counterpart there.
//!
//! Byte fields: `discordBytes` counts 48 kHz stereo 16-bit PCM, `realtimeBytes` 24 kHz mono 16-bit
//! PCM. Every `…Ms` field is whole milliseconds.

mod agent;
pub mod batch;
mod floor;
pub mod presence;
mod provider;

use clawvoice_session::{
    ChannelId, GuildId, SessionKey, SessionTime, StageAnswer, UserId,
    timeline::{Level, Record},
};

pub use agent::{
    agent_turn_answer, agent_turn_silent, agent_turn_start, consult_answer, consult_failed,
    consult_joined, consult_requested, consult_reused, duplicate_outcome_suppressed,
    exact_speech_consult_bypassed, exact_speech_dequeued, exact_speech_queued,
    forced_consult_answer, forced_consult_failed, forced_consult_preserving,
    forced_consult_skipped, forced_consult_starting, roster_told, run_control_handled,
    speaker_unauthorized, wake_acknowledged, wake_armed, wake_follow_up, wake_ignored,
    wake_matched,
};

pub use floor::{
    barge_in_confirmed, barge_in_dismissed, barge_in_suspected, barge_in_undecided,
    playback_resumed,
};
pub use provider::realtime_usage;

use crate::{call::CallStats, conversation};

/// Where a line happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The guild.
    pub guild: GuildId,
    /// The voice channel.
    pub channel: ChannelId,
}

/// Who a line is about.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// The user.
    pub user: UserId,
    /// The name shown for them.
    pub label: &'a str,
}

/// Where a session's turns are routed.
#[derive(Clone, Copy, Debug)]
pub struct Route<'a> {
    /// The session that voice turns belong to.
    pub voice_session: &'a SessionKey,
    /// The session that supervises it.
    pub supervisor_session: &'a SessionKey,
    /// The agent.
    pub agent: &'a str,
}

/// The output a line was written beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputState {
    /// Assistant audio generated before the line.
    pub audio_ms: u64,
    /// Whether a response holds the player or waits for it.
    pub active: bool,
    /// Assistant chunks received for the response.
    pub chunks: u64,
}

/// Amounts of one speaker's audio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Frames.
    pub chunks: u64,
    /// Samples at 24 kHz mono.
    pub samples: u64,
}

impl Heard {
    fn discord_bytes(self) -> u64 {
        discord_bytes(self.samples)
    }

    fn realtime_bytes(self) -> u64 {
        self.samples * 2
    }
}

/// What 24 kHz mono samples are as 48 kHz stereo 16-bit PCM, in bytes.
const fn discord_bytes(samples: u64) -> u64 {
    samples * 8
}

fn info(at: SessionTime, line: impl Into<std::borrow::Cow<'static, str>>) -> Record {
    Record::new(at, Level::Info, line)
}

fn warn(at: SessionTime, line: &'static str) -> Record {
    Record::new(at, Level::Warn, line)
}

trait Parts: Sized {
    fn place(self, place: Place) -> Self;
    fn speaker(self, speaker: Speaker<'_>) -> Self;
    fn route(self, route: Route<'_>) -> Self;
}

impl Parts for Record {
    fn place(self, place: Place) -> Self {
        self.with("guild", place.guild.to_string()).with("channel", place.channel.to_string())
    }

    fn speaker(self, speaker: Speaker<'_>) -> Self {
        self.with("user", speaker.user.to_string()).with("speaker", speaker.label)
    }

    fn route(self, route: Route<'_>) -> Self {
        self.with("voiceSession", route.voice_session.as_str())
            .with("supervisorSession", route.supervisor_session.as_str())
            .with("agent", route.agent)
    }
}

/// The values of [`joining`].
#[derive(Clone, Copy, Debug)]
pub struct Joining<'a> {
    /// `agent-proxy`, `bidi` or `stt-tts`.
    pub mode: &'a str,
    /// Where turns are routed.
    pub route: Route<'a>,
    /// `voice` or `target`.
    pub agent_session_mode: &'a str,
    /// The target, with mode `target`.
    pub agent_session_target: Option<&'a str>,
    /// The agent's model for voice turns.
    pub voice_model: &'a str,
    /// The realtime provider's id.
    pub realtime_provider: &'a str,
    /// The realtime model.
    pub realtime_model: &'a str,
    /// The realtime voice.
    pub realtime_voice: &'a str,
}

/// A join begins.
#[must_use]
pub fn joining(at: SessionTime, place: Place, values: &Joining<'_>) -> Record {
    let record = info(at, "joining")
        .place(place)
        .with("mode", values.mode)
        .with("agent", values.route.agent)
        .with("voiceSession", values.route.voice_session.as_str())
        .with("supervisorSession", values.route.supervisor_session.as_str())
        .with("agentSessionMode", values.agent_session_mode);
    let record = match values.agent_session_target {
        Some(target) => record.with("agentSessionTarget", target),
        None => record,
    };
    record
        .with("voiceModel", values.voice_model)
        .with("realtimeProvider", values.realtime_provider)
        .with("realtimeModel", values.realtime_model)
        .with("realtimeVoice", values.realtime_voice)
}

/// Media flows and the front end is ready.
#[must_use]
pub fn joined(
    at: SessionTime,
    place: Place,
    mode: &str,
    route: Route<'_>,
    voice_model: &str,
) -> Record {
    info(at, "joined").place(place).with("mode", mode).route(route).with("voiceModel", voice_model)
}

/// Which realtime front end a bridge uses.
#[derive(Clone, Copy, Debug)]
pub struct Bridge<'a> {
    /// `agent-proxy` or `bidi`.
    pub mode: &'a str,
    /// The provider's id.
    pub provider: &'a str,
    /// The realtime model.
    pub model: &'a str,
    /// The realtime voice.
    pub voice: &'a str,
}

impl Bridge<'_> {
    fn fields(&self, record: Record) -> Record {
        record
            .with("mode", self.mode)
            .with("provider", self.provider)
            .with("model", self.model)
            .with("voice", self.voice)
    }
}

/// How a bridge behaves, as [`bridge_starting`] prints it.
#[derive(Clone, Copy, Debug)]
pub struct BridgePolicy<'a> {
    /// `always` or `auto`.
    pub consult_policy: &'a str,
    /// `owner`, `safe-read-only` or `none`.
    pub tool_policy: &'a str,
    /// Whether the front end answers by itself.
    pub auto_respond: bool,
    /// Whether the provider cancels its response when it hears speech.
    pub interrupt_response: bool,
    /// Whether speech interrupts playback.
    pub barge_in: bool,
    /// Assistant audio below which a barge-in is ignored.
    pub min_barge_in_audio_end_ms: u32,
}

/// The realtime front end is being connected.
#[must_use]
pub fn bridge_starting(at: SessionTime, bridge: Bridge<'_>, policy: BridgePolicy<'_>) -> Record {
    bridge
        .fields(info(at, "realtime bridge starting"))
        .with("consultPolicy", policy.consult_policy)
        .with("toolPolicy", policy.tool_policy)
        .with("autoRespond", policy.auto_respond)
        .with("interruptResponse", policy.interrupt_response)
        .with("bargeIn", policy.barge_in)
        .with("minBargeInAudioEndMs", policy.min_barge_in_audio_end_ms)
}

/// The realtime front end has taken its configuration.
#[must_use]
pub fn bridge_ready(at: SessionTime, bridge: Bridge<'_>) -> Record {
    bridge.fields(info(at, "realtime bridge ready"))
}

/// Who sent a provider event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We did.
    Client,
    /// The provider did.
    Server,
}

/// A provider session event; `kind` is printed as `unknown` unless it is a plain event name.
#[must_use]
pub fn lifecycle(at: SessionTime, level: Level, direction: Direction, kind: &str) -> Record {
    let plain = !kind.is_empty()
        && kind.len() <= 80
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_' || b == b'-');
    let kind = if plain { kind } else { "unknown" };
    let direction = match direction {
        Direction::Client => "client",
        Direction::Server => "server",
    };
    Record::new(at, level, format!("realtime lifecycle {direction}:{kind}"))
}

/// A speaker became active.
#[must_use]
pub fn turn_opened(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    owner: bool,
    pending_turns: usize,
) -> Record {
    info(at, "realtime speaker turn opened")
        .place(place)
        .speaker(speaker)
        .with("owner", owner)
        .with("pendingTurns", pending_turns)
}

/// The first frame of a turn.
#[must_use]
pub fn input_audio_started(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    heard: Heard,
    output: OutputState,
) -> Record {
    info(at, "realtime input audio started")
        .place(place)
        .speaker(speaker)
        .with("discordBytes", heard.discord_bytes())
        .with("realtimeBytes", heard.realtime_bytes())
        .with("outputAudioMs", output.audio_ms)
        .with("outputActive", output.active)
}

/// The silence after a talkspurt has been sent, so that the provider's VAD ends the turn.
#[must_use]
pub fn trailing_silence_sent(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    samples: u64,
) -> Record {
    info(at, "realtime trailing silence sent")
        .place(place)
        .speaker(speaker)
        .with("silenceMs", samples / 24)
        .with("realtimeBytes", samples * 2)
}

/// The values of [`turn_closed`].
#[derive(Clone, Copy, Debug)]
pub struct TurnSummary {
    /// Whether the speaker is an owner.
    pub owner: bool,
    /// What was heard of the speaker.
    pub heard: Heard,
    /// From turn open to turn close.
    pub elapsed_ms: u64,
    /// From the last frame to turn close; `None` without audio.
    pub since_last_audio_ms: Option<u64>,
    /// Whether the turn stopped an answer.
    pub interrupted_playback: bool,
}

/// A speaker's turn is over.
#[must_use]
pub fn turn_closed(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    turn: TurnSummary,
) -> Record {
    let record = info(at, "realtime speaker turn closed")
        .place(place)
        .speaker(speaker)
        .with("owner", turn.owner)
        .with("hasAudio", turn.heard.chunks > 0)
        .with("chunks", turn.heard.chunks)
        .with("discordBytes", turn.heard.discord_bytes())
        .with("realtimeBytes", turn.heard.realtime_bytes())
        .with("elapsedMs", turn.elapsed_ms);
    let record = match turn.since_last_audio_ms {
        Some(ms) => record.with("sinceLastAudioMs", ms),
        None => record,
    };
    record.with("interruptedPlayback", turn.interrupted_playback)
}

/// Whose words a transcript holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A speaker of the channel.
    User,
    /// The front end.
    Assistant,
}

/// A final transcript: one line, at most 500 characters and `...`.
#[must_use]
pub fn transcript(at: SessionTime, role: Role, text: &str) -> Record {
    let who = match role {
        Role::User => "user",
        Role::Assistant => "assistant",
    };
    info(at, format!("realtime {who} transcript ({} chars)", text.chars().count()))
        .saying(&preview(text))
}

/// Text as one line of at most 500 characters, control characters as spaces.
#[must_use]
pub fn preview(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(512));
    for (count, c) in text.trim().chars().enumerate() {
        if count == 500 {
            line.push_str("...");
            break;
        }
        let breaks = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        line.push(if breaks { ' ' } else { c });
    }
    line
}

/// Somebody began to speak while the player plays.
#[must_use]
pub fn barge_in_at_speaker_start(at: SessionTime, place: Place, user: UserId) -> Record {
    info(at, "realtime barge-in detected")
        .with("source", "speaker-start")
        .place(place)
        .with("user", user.to_string())
        .with("playerStatus", "playing")
}

/// Real audio of a speaker arrived while output is interruptible.
#[must_use]
pub fn barge_in_by_audio(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    output: OutputState,
    heard: Heard,
) -> Record {
    info(at, "realtime barge-in detected")
        .with("source", "active-speaker-audio")
        .place(place)
        .speaker(speaker)
        .with("outputAudioMs", output.audio_ms)
        .with("outputActive", output.active)
        .with("discordBytes", heard.discord_bytes())
        .with("realtimeBytes", heard.realtime_bytes())
}

/// An interruption is asked for.
#[must_use]
pub fn barge_in_requested(
    at: SessionTime,
    place: Place,
    reason: &'static str,
    output: OutputState,
) -> Record {
    info(at, "realtime barge-in requested")
        .with("reason", reason)
        .place(place)
        .with("outputAudioMs", output.audio_ms)
        .with("outputActive", output.active)
        .with("playbackChunks", output.chunks)
}

/// An interruption is not taken, because barge-in is off.
#[must_use]
pub fn barge_in_disabled(at: SessionTime, place: Place, reason: &'static str) -> Record {
    info(at, "realtime barge-in ignored").with("reason", reason).with("bargeIn", false).place(place)
}

/// Speech, while nothing plays: nothing to interrupt.
#[must_use]
pub fn barge_in_without_output(at: SessionTime, place: Place, reason: &'static str) -> Record {
    info(at, "realtime barge-in ignored")
        .with("reason", reason)
        .with("outputActive", false)
        .place(place)
        .with("playbackChunks", 0)
}

/// A turn is dropped, because it began during playback and barge-in is off.
#[must_use]
pub fn capture_ignored(at: SessionTime, place: Place, user: UserId) -> Record {
    info(at, "realtime capture ignored during playback (barge-in disabled)")
        .place(place)
        .with("user", user.to_string())
}

/// Ours: a turn is dropped, because every provider connection is busy.
#[must_use]
pub fn speaker_not_admitted(
    at: SessionTime,
    place: Place,
    speaker: Speaker<'_>,
    lanes: usize,
) -> Record {
    warn(at, "realtime speaker not admitted (every provider connection is busy)")
        .place(place)
        .speaker(speaker)
        .with("connections", lanes)
}

/// The provider is told to stop its response.
#[must_use]
pub fn interrupt_requested(at: SessionTime, reason: &'static str) -> Record {
    info(at, "realtime model interrupt requested client:response.cancel").with("reason", reason)
}

/// The provider is told how much of an item was heard.
#[must_use]
pub fn audio_truncated(at: SessionTime, reason: &'static str, audio_end_ms: u64) -> Record {
    info(at, "realtime model audio truncated client:conversation.item.truncate")
        .with("reason", reason)
        .with("audioEndMs", audio_end_ms)
}

/// Ours: an item of which nothing was heard is taken out of the provider's history.
#[must_use]
pub fn item_deleted(at: SessionTime, reason: &'static str) -> Record {
    info(at, "realtime model audio deleted client:conversation.item.delete").with("reason", reason)
}

/// An interruption came too early in the answer; playback goes on.
#[must_use]
pub fn interrupt_skipped(
    at: SessionTime,
    reason: &'static str,
    audio_end_ms: u64,
    min_audio_end_ms: u32,
) -> Record {
    info(at, "realtime model interrupt ignored client:conversation.item.truncate.skipped")
        .with("reason", reason)
        .with("audioEndMs", audio_end_ms)
        .with("minAudioEndMs", min_audio_end_ms)
}

/// The provider says that its response is cancelled.
#[must_use]
pub fn interrupt_confirmed(at: SessionTime) -> Record {
    info(at, "realtime model interrupt confirmed server:response.done").with("status", "cancelled")
}

/// Our cancel found no response to cancel: it had just ended.
#[must_use]
pub fn interrupt_raced(at: SessionTime) -> Record {
    info(at, "realtime model interrupt raced server:error")
}

/// The player begins an answer.
#[must_use]
pub fn playback_started(at: SessionTime, place: Place, bridge: Bridge<'_>) -> Record {
    info(at, "realtime audio playback started")
        .place(place)
        .with("mode", bridge.mode)
        .with("model", bridge.model)
        .with("voice", bridge.voice)
}

/// The provider has sent all of an answer; the tail plays.
#[must_use]
pub fn playback_finishing(at: SessionTime, place: Place, samples: u64, chunks: u64) -> Record {
    info(at, "realtime audio playback finishing")
        .with("reason", "response.done")
        .place(place)
        .with("audioMs", millis(samples))
        .with("chunks", chunks)
}

/// Why an answer's playback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// Interrupted by a speaker, cleared here.
    BargeIn,
    /// Played out.
    PlayerIdle,
    /// The provider cancelled or dropped the answer.
    ProviderClearAudio,
    /// The session ended.
    SessionClose,
    /// The player never became idle.
    PlaybackWatchdog,
    /// More audio than the bounded queue takes.
    OutputAudioOverflow,
    /// More answers than may wait to be spoken.
    ExactSpeechOverflow,
    /// A speaker controlled the active run; its outcome is spoken instead.
    ActiveRunControl,
    /// It says the outcome of a control that was said a moment ago.
    DuplicateActiveRunControl,
}

impl StopReason {
    /// The reason as it is printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BargeIn => "barge-in",
            Self::PlayerIdle => "player-idle",
            Self::ProviderClearAudio => "provider-clear-audio",
            Self::SessionClose => "session-close",
            Self::PlaybackWatchdog => "playback-watchdog",
            Self::OutputAudioOverflow => "output-audio-overflow",
            Self::ExactSpeechOverflow => "exact-speech-overflow",
            Self::ActiveRunControl => "active-run-control",
            Self::DuplicateActiveRunControl => "duplicate-active-run-control",
        }
    }
}

/// Amounts of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Samples (24 kHz mono) that the provider sent.
    pub received: u64,
    /// Samples (24 kHz mono) that were given to the call.
    pub heard: u64,
    /// Assistant chunks received.
    pub chunks: u64,
    /// From playback start to the line.
    pub elapsed_ms: u64,
}

/// An answer's playback ended. `discordBytes` is what the channel was given, the other amounts are
/// what the provider sent.
#[must_use]
pub fn playback_stopped(
    at: SessionTime,
    place: Place,
    reason: StopReason,
    played: Played,
) -> Record {
    info(at, "realtime audio playback stopped")
        .with("reason", reason.as_str())
        .place(place)
        .with("audioMs", millis(played.received))
        .with("elapsedMs", played.elapsed_ms)
        .with("chunks", played.chunks)
        .with("discordBytes", discord_bytes(played.heard))
        .with("realtimeBytes", played.received * 2)
}

/// An answer did not play out in time, or the provider never ended it.
#[must_use]
pub fn playback_watchdog_fired(
    at: SessionTime,
    place: Place,
    reason: &'static str,
    played: Played,
) -> Record {
    warn(at, "realtime audio playback watchdog fired")
        .with("reason", reason)
        .place(place)
        .with("audioMs", millis(played.received))
        .with("elapsedMs", played.elapsed_ms)
}

/// The provider complained, or its connection is in trouble.
#[must_use]
pub fn realtime_error(at: SessionTime, place: Place, code: &str, message: &str) -> Record {
    let record = warn(at, "realtime error").place(place);
    let record = if code.is_empty() { record } else { record.with("code", preview(code)) };
    record.with("message", preview(message))
}

/// Media flows; `dave_version` 0 is transport encryption only.
#[must_use]
pub fn connection_ready(at: SessionTime, place: Place, dave_version: u16) -> Record {
    info(at, "voice connection ready").place(place).with("daveVersion", dave_version)
}

/// Ours: what became of everything a connection and its conversation took in, at their end.
#[must_use]
pub fn session_statistics(
    at: SessionTime,
    place: Place,
    call: &CallStats,
    conversation: &conversation::Stats,
) -> Record {
    let packets = &call.total;
    info(at, "voice session statistics")
        .place(place)
        .with("received", packets.received)
        .with("delivered", packets.delivered)
        .with("silence", packets.silence)
        .with("concealed", packets.concealed)
        .with("fec", packets.fec)
        .with("silenced", packets.silenced)
        .with("late", packets.late)
        .with("duplicate", packets.duplicate)
        .with("held", packets.held)
        .with("recovered", packets.recovered)
        .with("preJoin", packets.pre_join)
        .with("undecryptable", packets.undecryptable)
        .with("plaintextRefused", packets.plaintext_refused)
        .with("transportFailed", packets.transport_failed)
        .with("malformed", packets.malformed + packets.bad_padding)
        .with("unknownSender", packets.unknown_sender)
        .with("decodeFailed", packets.decode_failed)
        .with("flooded", packets.flooded)
        .with("sent", call.sent.speech)
        .with("sendFailed", call.sent.failed)
        .with("epochs", call.gateway.epochs)
        .with("speakingContradicted", call.gateway.speaking_contradicted)
        .with("resumes", call.gateway.resumes)
        .with("gatewayUnreadable", call.gateway.malformed)
        .with("providerUnreadable", conversation.decode.unreadable)
        .with("providerBadAudio", conversation.decode.bad_audio)
        .with("providerReconnects", conversation.reconnects)
        .with("inputTextTokens", conversation.usage.input_text)
        .with("inputAudioTokens", conversation.usage.input_audio)
        .with("cachedTokens", conversation.usage.input_cached)
        .with("outputTextTokens", conversation.usage.output_text)
        .with("outputAudioTokens", conversation.usage.output_audio)
        .with("transcriptionTokens", conversation.transcription_usage.total)
        .with("transcribedMs", conversation.transcribed.as_millis() as u64)
}

/// An MLS epoch was entered: everybody's media keys are new.
#[must_use]
pub fn dave_epoch_ready(
    at: SessionTime,
    place: Place,
    epoch: u64,
    dave_version: u16,
    transition: u16,
) -> Record {
    info(at, "DAVE epoch ready")
        .place(place)
        .with("epoch", epoch)
        .with("daveVersion", dave_version)
        .with("transition", transition)
}

/// Our MLS group was unusable: a new key package is out, the server adds us again.
#[must_use]
pub fn dave_group_recovery(at: SessionTime, place: Place, transition: u16) -> Record {
    warn(at, "DAVE group re-initialised").place(place).with("transition", transition)
}

/// The server named somebody as the sender of a stream whose frames open with another's key; they
/// are heard as the latter's.
#[must_use]
pub fn speaking_contradicted(
    at: SessionTime,
    place: Place,
    ssrc: u32,
    named: UserId,
    by_key: UserId,
) -> Record {
    warn(at, "SPEAKING event contradicts the keys")
        .place(place)
        .with("ssrc", ssrc)
        .with("named", named.to_string())
        .with("byKey", by_key.to_string())
}

/// Nobody hears the bot in its channel, or it is heard again.
#[must_use]
pub fn suppression(at: SessionTime, place: Place, suppressed: bool, stage: bool) -> Record {
    let message = match (suppressed, stage) {
        (false, _) => return info(at, "voice heard again").place(place),
        (true, true) => "in the audience of a stage; asking to speak",
        (true, false) => "the bot lacks the Speak permission in this channel",
    };
    warn(at, "voice suppressed").place(place).with("message", message)
}

/// What became of asking to speak in a stage.
#[must_use]
pub fn stage_answer(at: SessionTime, place: Place, answer: &StageAnswer) -> Record {
    match answer {
        StageAnswer::Speaks => info(at, "stage speaking").place(place),
        StageAnswer::Asked => info(at, "stage request to speak sent").place(place),
        StageAnswer::Refused(words) => {
            warn(at, "stage request to speak failed").place(place).with("message", preview(words))
        }
    }
}

/// The voice websocket closed; the message says why and what happens next.
#[must_use]
pub fn connection_interrupted(at: SessionTime, place: Place, message: &str) -> Record {
    warn(at, "voice connection interrupted").place(place).with("message", preview(message))
}

/// A frame could not be decrypted end to end; `failures` in a row within the window.
#[must_use]
pub fn dave_decrypt_failures(at: SessionTime, place: Place, failures: u64) -> Record {
    warn(at, "DAVE decrypt failures detected").place(place).with("failures", failures)
}

/// Decryption keeps failing: the channel is left and joined again.
#[must_use]
pub fn dave_rejoin(at: SessionTime, place: Place) -> Record {
    warn(at, "repeated decrypt failures; attempting rejoin").place(place)
}

/// Receiving failed in a way that is neither an abort nor a bad packet.
#[must_use]
pub fn receive_error(at: SessionTime, place: Place, message: &str) -> Record {
    warn(at, "receive error").place(place).with("message", preview(message))
}

/// The voice connection did not become ready.
#[must_use]
pub fn join_failed(at: SessionTime, place: Place, message: &str) -> Record {
    warn(at, "join failed before ready").place(place).with("message", preview(message))
}

/// The voice connection was lost and did not come back in time.
#[must_use]
pub fn disconnect_recovery_failed(at: SessionTime, place: Place, message: &str) -> Record {
    warn(at, "disconnect recovery failed").place(place).with("message", preview(message))
}

/// A guild has several auto-join entries; the last one is taken.
#[must_use]
pub fn auto_join_duplicate(at: SessionTime, guild: GuildId, channel: ChannelId) -> Record {
    warn(at, "autoJoin has multiple entries").place(Place { guild, channel })
}

/// The player could not play.
#[must_use]
pub fn playback_error(at: SessionTime, place: Place, message: &str) -> Record {
    warn(at, "playback error").place(place).with("message", preview(message))
}

/// Which Opus decoder hears the channel.
#[must_use]
pub fn opus_decoder(at: SessionTime, name: &str) -> Record {
    Record::new(at, Level::Verbose, format!("opus decoder: {}", preview(name)))
}

/// 24 kHz mono samples as milliseconds, rounded to the nearest.
pub(crate) const fn millis(samples: u64) -> u64 {
    (samples + 12) / 24
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { guild: GuildId::new(1), channel: ChannelId::new(2) };
    const AT: SessionTime = SessionTime::ZERO;

    #[test]
    fn joins_print_their_fields_in_the_documented_order() {
        let key = SessionKey::channel("main", PLACE.channel);
        let route = Route { voice_session: &key, supervisor_session: &key, agent: "main" };
        let values = Joining {
            mode: "agent-proxy",
            route,
            agent_session_mode: "voice",
            agent_session_target: None,
            voice_model: "default",
            realtime_provider: "local",
            realtime_model: "parrot",
            realtime_voice: "none",
        };
        assert_eq!(
            joining(AT, PLACE, &values).to_line(),
            "discord voice: joining guild=1 channel=2 mode=agent-proxy agent=main \
             voiceSession=agent:main:discord:channel:2 \
             supervisorSession=agent:main:discord:channel:2 agentSessionMode=voice \
             voiceModel=default realtimeProvider=local realtimeModel=parrot realtimeVoice=none"
        );
        assert_eq!(
            joined(AT, PLACE, "agent-proxy", route, "default").to_line(),
            "discord voice: joined guild=1 channel=2 mode=agent-proxy \
             voiceSession=agent:main:discord:channel:2 \
             supervisorSession=agent:main:discord:channel:2 agent=main voiceModel=default"
        );
    }

    #[test]
    fn the_bridge_prints_its_policy() {
        let bridge = Bridge { mode: "bidi", provider: "openai", model: "m", voice: "cedar" };
        let policy = BridgePolicy {
            consult_policy: "always",
            tool_policy: "owner",
            auto_respond: false,
            interrupt_response: false,
            barge_in: false,
            min_barge_in_audio_end_ms: 250,
        };
        assert_eq!(
            bridge_starting(AT, bridge, policy).to_line(),
            "discord voice: realtime bridge starting mode=bidi provider=openai model=m voice=cedar \
             consultPolicy=always toolPolicy=owner autoRespond=false interruptResponse=false \
             bargeIn=false minBargeInAudioEndMs=250"
        );
    }

    #[test]
    fn a_transcript_stays_one_line_of_500_characters() {
        assert_eq!(
            transcript(AT, Role::User, "hi\nthere").to_line(),
            "discord voice: realtime user transcript (8 chars): hi there"
        );
        let long = transcript(AT, Role::Assistant, &"é".repeat(501));
        assert_eq!(
            long.line,
            format!("realtime assistant transcript (501 chars): {}...", "é".repeat(500))
        );
    }

    #[test]
    fn a_forged_event_name_is_not_printed() {
        for (kind, printed) in
            [("session.updated", "session.updated"), ("a\nb", "unknown"), ("", "unknown")]
        {
            let record = lifecycle(AT, Level::Info, Direction::Server, kind);
            assert_eq!(record.line, format!("realtime lifecycle server:{printed}"));
        }
    }
}
