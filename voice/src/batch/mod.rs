//! `stt-tts`: speech to text, the agent, text to speech.
//!
//! ```text
//! call (Hear) → hearing → capture, one a speaker → transcribe, in order → turn → Output::Agent
//! agent's text → text (sentences) → speech, one request ahead → playback → take_frame
//! ```
//!
//! What people say becomes segments, which are transcribed one after the other in the order in
//! which they ended; each is owned by its queue until it is transcribed or has failed. Their words
//! go to the agent as turns, one at a time. The answer is said sentence by sentence while the agent
//! still writes. Speech that begins during playback is ignored unless barge-in is on.
//!
//! Bounds: a segment holds 20 MiB, then the next one begins; segments and open captures together
//! hold 64 MiB, beyond which the newest speech is dropped and told; 32 segments or turns wait,
//! beyond which the newest segment is dropped and told; an answer is read out up to its 60th
//! sentence or 32 KiB.
//!
//! All of it is sans-IO and runs in [`SessionTime`]. Does not: speak HTTP, know a provider.

mod capture;
mod hearing;
pub mod pcm;
mod settings;
mod speech;
mod text;
mod transcribe;
pub mod transcript;
mod turn;
mod wav;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use clawvoice_session::{
    SessionKey, SessionTime, UserId,
    agent::{Ask, Control, RunId},
    timeline::Record,
};

pub use settings::BatchSettings;

use crate::{
    conversation::{
        outcome::Outcomes,
        playback::{FRAME, Note, Playback},
    },
    timeline::{self, Role, Speaker},
};
use capture::Capture;
use speech::Answer;
use transcribe::Segment;
use turn::{Controlling, Turn, Utterance};

/// Names kept; the names of further users are not learned.
const MAX_NAMES: usize = 4_096;

/// Names one segment. What is reported for an unknown one is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(u64);

#[cfg(test)]
impl SegmentId {
    pub(crate) const fn test(number: u64) -> Self {
        Self(number)
    }
}

/// Names one synthesis. What is reported for an unknown one is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpeechId(u64);

#[cfg(test)]
impl SpeechId {
    pub(crate) const fn test(number: u64) -> Self {
        Self(number)
    }
}

/// A WAV file for the tests of those who read one.
#[cfg(test)]
pub(crate) fn test_wav(pcm: &[i16]) -> Vec<u8> {
    wav::write(pcm)
}

/// Why speech was not transcribed or not synthesized.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpeechFailure {
    /// In words for an operator, without credentials.
    pub message: String,
    /// Whether trying again may help: the provider was busy or not reached.
    pub transient: bool,
}

/// What a conversation asks of the agent. To be carried out in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentRequest {
    /// Ask it; its reports come back by [`BatchConversation::handle_agent`].
    Ask(Ask),
    /// Control the session's active run; the outcome comes back by
    /// [`BatchConversation::handle_control`].
    Control {
        /// Names the control.
        ticket: u64,
        /// The session.
        session: SessionKey,
        /// What to do with its run.
        control: Control,
    },
    /// Cancel a run, whatever it has become.
    Cancel {
        /// The session.
        session: SessionKey,
        /// The run.
        run: RunId,
    },
    /// Of a run's answer only this was heard: the history holds nothing more of it.
    Heard {
        /// The session.
        session: SessionKey,
        /// The run.
        run: RunId,
        /// The words; may be empty.
        text: String,
    },
}

/// What a conversation asks of its owner. Drain after every call.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Transcribe a segment, then report it by [`BatchConversation::handle_transcribed`].
    Transcribe {
        /// Its name.
        segment: SegmentId,
        /// A WAV file.
        wav: Bytes,
    },
    /// Synthesize a sentence, then report audio, end or failure. At most two at a time.
    Synthesize {
        /// Its name.
        speech: SpeechId,
        /// The sentence.
        text: String,
    },
    /// Give up a synthesis. Nothing it still reports is listened to.
    CancelSynthesis {
        /// Its name.
        speech: SpeechId,
    },
    /// Ask something of the agent.
    Agent(AgentRequest),
    /// Write a timeline record.
    Timeline(Record),
    /// Final words, of a speaker or of the answer to them.
    Transcript {
        /// The speaker.
        user: Option<UserId>,
        /// Whose words.
        role: Role,
        /// The words.
        text: String,
    },
}

/// Why a conversation wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A segment's silence grace ends.
    CaptureGrace,
    /// A failed transcription is tried again.
    Retry,
    /// The agent has not answered for long, or for too long.
    Agent,
    /// Answers are held back no longer for a speaker who has interrupted one.
    Hold,
    /// An answer has waited long enough to start.
    Prebuffer,
    /// An answer did not play out in time.
    PlaybackWatchdog,
}

/// Counters of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Segments begun.
    pub captures: u64,
    /// Talkspurts ignored: during playback, or of somebody without the right to speak.
    pub ignored: u64,
    /// Segments too short or too quiet to be words.
    pub discarded: u64,
    /// Segments dropped because too many waited.
    pub segments_dropped: u64,
    /// Samples of speech dropped because memory for it was full.
    pub samples_dropped: u64,
    /// Segments that failed to be transcribed.
    pub transcriptions_failed: u64,
    /// Turns given to the agent.
    pub turns: u64,
    /// Sentences that failed to be synthesized.
    pub syntheses_failed: u64,
    /// Interruptions that stopped an answer.
    pub barge_ins: u64,
    /// Interruptions that came too early.
    pub barge_ins_skipped: u64,
    /// 20 ms frames of answers given to the call.
    pub frames_played: u64,
    /// Results that came for work nobody waits for any more.
    pub late: u64,
}

/// The conversation of one voice channel, in mode `stt-tts`.
#[derive(Debug)]
pub struct BatchConversation {
    settings: BatchSettings,
    names: BTreeMap<UserId, Name>,
    captures: Vec<Capture>,
    /// Whose talkspurt is not heard, until it ends.
    ignored: BTreeSet<UserId>,
    /// The one at the front is being transcribed.
    segments: VecDeque<Segment>,
    /// Transcripts, in order.
    utterances: VecDeque<Utterance>,
    /// The utterance that may control a run, until it is known whether it did.
    controlling: Option<Controlling>,
    outcomes: Outcomes,
    /// Utterances for the agent.
    waiting: VecDeque<Utterance>,
    turn: Option<Turn>,
    answers: VecDeque<Answer>,
    playback: Playback,
    /// Who has interrupted and still talks, and until when that holds answers back.
    hold: Option<(UserId, SessionTime)>,
    outputs: VecDeque<Output>,
    next_id: u64,
    closed: bool,
    stats: Stats,
}

#[derive(Debug)]
struct Name {
    label: String,
    bot: bool,
}

impl BatchConversation {
    /// A conversation that hears from now on.
    #[must_use]
    pub fn new(settings: BatchSettings) -> Self {
        Self {
            playback: Playback::new(settings.prebuffer),
            settings,
            names: BTreeMap::new(),
            captures: Vec::new(),
            ignored: BTreeSet::new(),
            segments: VecDeque::new(),
            utterances: VecDeque::new(),
            controlling: None,
            outcomes: Outcomes::default(),
            waiting: VecDeque::new(),
            turn: None,
            answers: VecDeque::new(),
            hold: None,
            outputs: VecDeque::new(),
            next_id: 0,
            closed: false,
            stats: Stats::default(),
        }
    }

    /// Learns a user's name, and whether the account is a bot.
    pub fn handle_name(&mut self, user: UserId, label: String, bot: bool) {
        if self.names.len() < MAX_NAMES || self.names.contains_key(&user) {
            self.names.insert(user, Name { label, bot });
        }
    }

    /// Who may do what, as it is known now.
    pub(crate) fn rights(&mut self) -> &mut crate::conversation::Rights {
        &mut self.settings.rights
    }

    /// A user left the channel: their segment is over.
    pub fn handle_member_left(&mut self, now: SessionTime, user: UserId) {
        self.ignored.remove(&user);
        if let Some(index) = self.captures.iter().position(|capture| capture.user == user) {
            self.finalize(now, index, true);
        }
        self.release_hold(user);
        self.settle(now);
    }

    /// The voice connection was replaced: whoever was talking on the old one has stopped, as far as
    /// can be known.
    pub fn handle_connection_lost(&mut self, now: SessionTime) {
        let grace = self.settings.capture_silence_grace;
        for capture in self.captures.iter_mut().filter(|capture| capture.is_talking()) {
            capture.pause(now, grace);
        }
        self.ignored.clear();
        self.hold = None;
        self.settle(now);
    }

    /// Gives the next 20 ms of answer audio (480 samples, 24 kHz mono). Call on each 20 ms tick on
    /// which the call can send. `true`: the frame is filled, and counts as heard.
    pub fn take_frame(&mut self, now: SessionTime, frame: &mut [i16; FRAME]) -> bool {
        if self.closed {
            return false;
        }
        let filled = self.playback.take(now, frame, self.hold.is_none());
        self.stats.frames_played += u64::from(filled);
        self.settle(now);
        filled
    }

    /// Whether the playout clock is to run.
    #[must_use]
    pub fn wants_frame(&self) -> bool {
        !self.closed && self.playback.wants_frame(self.hold.is_none())
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        if self.closed {
            return;
        }
        while let Some(index) = self.first_to_close(now) {
            self.finalize(now, index, false);
        }
        self.hold = self.hold.filter(|(_, until)| *until > now);
        self.give_up_waiting(now);
        self.tell_progress(now);
        self.playback.ripen(now);
        self.playback.handle_watchdog(now);
        self.advance_transcription(now);
        self.settle(now);
    }

    /// When to call [`BatchConversation::handle_timeout`] next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        if self.closed {
            return None;
        }
        let grace = self.captures.iter().filter_map(Capture::closes_at).min();
        let retry = self.segments.front().and_then(|segment| segment.retry_at);
        [
            grace.map(|at| (at, Timer::CaptureGrace)),
            retry.map(|at| (at, Timer::Retry)),
            self.controlling.as_ref().map(|controlling| (controlling.until, Timer::Agent)),
            self.turn.as_ref().map(|turn| (turn.until, Timer::Agent)),
            self.turn.as_ref().and_then(|turn| Some((turn.progress_at?, Timer::Agent))),
            self.hold.map(|(_, until)| (until, Timer::Hold)),
            self.playback.poll_start().map(|at| (at, Timer::Prebuffer)),
            self.playback.poll_watchdog().map(|at| (at, Timer::PlaybackWatchdog)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do for the conversation.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Ends the conversation: playback stops, syntheses are cancelled, what was captured is
    /// forgotten. A run of the agent goes on, for what it was asked to do; of an answer that was
    /// being said its history keeps what was heard. Every later input is ignored.
    pub fn close(&mut self, now: SessionTime) {
        if self.closed {
            return;
        }
        self.cancel_all_speech();
        self.tell_heard();
        self.answers.clear();
        self.playback.close(now);
        self.note_playback(now);
        self.captures.clear();
        self.segments.clear();
        self.utterances.clear();
        self.waiting.clear();
        self.controlling = None;
        self.turn = None;
        self.closed = true;
    }

    /// What happened so far, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Lets everything that may go on go on, and writes down what the player did.
    fn settle(&mut self, now: SessionTime) {
        self.advance_speech(now);
        self.note_playback(now);
        self.playback.watch(now, self.hold.is_some());
    }

    fn note_playback(&mut self, now: SessionTime) {
        let place = self.settings.place();
        while let Some(note) = self.playback.poll_note() {
            let record = match note {
                Note::Started => timeline::batch::playback_start(now, place),
                Note::Stopped(reason, played) => {
                    timeline::batch::playback_done(now, place, reason, played)
                }
                Note::Watchdog(played) => {
                    timeline::playback_watchdog_fired(now, place, "playback", played)
                }
            };
            self.line(record);
        }
    }

    /// Of the captures of which the grace is over, the one that ended first.
    fn first_to_close(&self, now: SessionTime) -> Option<usize> {
        let captures = self.captures.iter().enumerate();
        let closing = captures.filter_map(|(index, c)| c.closes_at().map(|at| (at, index)));
        closing.filter(|(at, _)| *at <= now).min().map(|(_, index)| index)
    }

    fn release_hold(&mut self, user: UserId) {
        self.hold = self.hold.filter(|(holder, _)| *holder != user);
    }

    fn line(&mut self, record: Record) {
        self.outputs.push_back(Output::Timeline(record));
    }

    /// Whether somebody is sending.
    pub(crate) fn is_talking(&self, user: UserId) -> bool {
        self.captures.iter().any(|capture| capture.user == user && capture.is_talking())
    }

    /// How long the last answer was waited for.
    pub(crate) fn answer_delay(&self) -> Option<crate::conversation::AnswerDelay> {
        self.playback.answer_delay()
    }

    /// What the agent's voice is doing.
    pub(crate) fn agent_voice(&self) -> crate::conversation::AgentVoice {
        (&self.playback).into()
    }

    /// The session that turns go into.
    pub(crate) fn agent_session(&self) -> &SessionKey {
        &self.settings.session
    }

    /// Somebody's name, or their id.
    pub(crate) fn label(&self, user: UserId) -> String {
        self.names.get(&user).map_or_else(|| user.to_string(), |name| name.label.clone())
    }

    /// Writes a line about a speaker.
    fn line_about(&mut self, user: UserId, record: impl FnOnce(Speaker<'_>) -> Record) {
        let label = self.label(user);
        self.line(record(Speaker { user, label: &label }));
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

/// For how long at most an interruption holds answers back: as in a realtime conversation, an open
/// microphone in a noisy room must not silence the agent for everybody.
const HOLD: Duration = Duration::from_secs(3);
