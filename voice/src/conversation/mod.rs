//! The rules of talking: turns, interruption, what the room hears and has heard.
//!
//! ```text
//! call (Hear) → hearing → lane of the speaker → Output::Provider
//! provider text → provider → playback → take_frame (each 20 ms tick of the call)
//!                    speech while an answer plays → interrupt → cancel, truncate, silence
//! ```
//!
//! Every speaker has a provider connection of their own, a [`Lane`]; the room has one player. All
//! of it is sans-IO and runs in [`SessionTime`].
//!
//! Does not: connect, decode Opus, know Discord's wire or a configuration file.

mod agent;
mod agent_voice;
mod backchannel;
pub(crate) mod barge_in;
mod calls;
mod consult;
mod continuity;
mod control;
mod ear;
mod echo;
mod errors;
pub mod floor;
pub(crate) mod heard_words;
mod hearing;
mod held;
mod history;
pub(crate) mod instructions;
mod interrupt;
mod lane;
pub(crate) mod outcome;
pub(crate) mod phrases;
pub(crate) mod playback;
mod pool;
mod prebuffer;
mod provider;
mod question;
mod rights;
pub(crate) mod run_control;
mod say;
mod settings;
mod speech;
mod take_back;
mod telling;
mod turn;
mod turn_queue;
mod unanswered;
mod voicing;
mod wake;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use clawvoice_session::{
    SessionKey, SessionTime, UserId,
    agent::{Ask, AskedBy, Control, RunId, Usage},
    timeline::Record,
};

pub use agent_voice::{AgentVoice, AnswerDelay};
pub use instructions::{ProfileFile, Prompt};
use rand::{SeedableRng as _, rngs::SmallRng};

pub use lane::Lane;
pub use rights::Rights;
pub use settings::{ConsultPolicy, ConversationSettings, Mode, ToolPolicy, TurnEnd, Vad};
pub use wake::WakeScope;

use crate::{
    call::Hear,
    realtime::{self, DecodeStats, ServerEvent},
    timeline::{self, Role},
};
use consult::Consults;
use control::{PendingControl, RecentControls};
use ear::Ears;
use errors::RecentErrors;
use floor::Floor;
pub use floor::FloorRules;
use history::History;
use lane::Slot;
use outcome::Outcomes;
use playback::{Note, Playback};
use rights::Standings;
use speech::ExactSpeech;
use telling::Tellings;
use turn::{Admission, Turn};
use turn_queue::TurnQueue;
use wake::WakeGate;

/// Names kept; the names of further users are not learned.
const MAX_NAMES: usize = 4_096;

/// What a conversation asks of its owner. Drain after every call.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Connect to the provider under this name, then report opened, text and closed.
    OpenProvider {
        /// The new connection's name.
        lane: Lane,
    },
    /// Close that connection normally. Nothing it still reports is listened to.
    CloseProvider {
        /// The connection.
        lane: Lane,
    },
    /// Send a text frame.
    Provider {
        /// On which connection.
        lane: Lane,
        /// The frame.
        message: String,
    },
    /// Write a timeline record.
    Timeline(Record),
    /// Write down what a decision came from, and the decision.
    Trace(Trace),
    /// Final words, of a speaker or of the answer to them.
    Transcript {
        /// The speaker whose connection this is.
        user: Option<UserId>,
        /// Whose words.
        role: Role,
        /// The words.
        text: String,
    },
    /// Ask the agent, and hand in what it reports.
    Ask(Ask),
    /// Control the agent's active run, and hand in what became of it.
    Control {
        /// Names the control.
        ticket: u64,
        /// Of which session.
        session: SessionKey,
        /// What is wanted.
        control: Control,
    },
    /// Tell the agent of a turn that the front end answered by itself.
    Note {
        /// The agent's session.
        session: SessionKey,
        /// Who spoke.
        by: AskedBy,
        /// What they said.
        said: String,
        /// What they were answered.
        answered: String,
    },
    /// Of a run's answer only this was heard: its history holds nothing more of it.
    Heard {
        /// The agent's session.
        session: SessionKey,
        /// The run.
        run: RunId,
        /// The words; may be empty.
        text: String,
    },
    /// The front end is configured for the first time.
    Ready,
    /// The front end cannot be used, in words. The conversation is closed.
    Failed(String),
}

/// What a decision came from, and the decision: enough to take it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// The floor was told something.
    Input {
        /// When.
        at: SessionTime,
        /// What.
        input: floor::Input,
    },
    /// It decided.
    Decision {
        /// When.
        at: SessionTime,
        /// What.
        decision: floor::Decision,
    },
}

/// Why a conversation wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next silence frame of a speaker who stopped.
    Silence,
    /// A turn's silence grace ends.
    TurnGrace,
    /// A sound is judged.
    Floor,
    /// Answers are held back no longer for a speaker who has interrupted one.
    Hold,
    /// An answer has waited long enough to start.
    Prebuffer,
    /// An answer did not play out in time.
    PlaybackWatchdog,
    /// The provider never ended a response.
    ResponseTimeout,
    /// A provider connection was not ready in time.
    ConnectTimeout,
    /// A lost provider connection is tried again.
    Reconnect,
    /// A provider connection has reached its age.
    Rotation,
    /// A provider connection was not used for long.
    LaneIdle,
    /// A question goes to the agent, or has waited for its answer for too long.
    Consult,
}

/// Counters of one conversation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Turns opened.
    pub turns: u64,
    /// Turns dropped whole.
    pub turns_dropped: u64,
    /// Interruptions that stopped an answer.
    pub barge_ins: u64,
    /// Sounds during an answer that stopped it until they were judged.
    pub suspicions: u64,
    /// Sounds that were none, so that the answer went on.
    pub taken_back: u64,
    /// Interruptions that came too early.
    pub barge_ins_skipped: u64,
    /// 20 ms frames of answers given to the call.
    pub frames_played: u64,
    /// Samples of speech dropped because no connection was ready for 5 s.
    pub input_samples_dropped: u64,
    /// Audio deltas of unknown, ended or interrupted responses; dropped.
    pub late_audio: u64,
    /// Frames of connections that are no longer ours; dropped.
    pub late_frames: u64,
    /// Answers that a provider stopped for speech that nobody made.
    pub phantom_interruptions: u64,
    /// Truncations and deletions that the provider refused.
    pub repairs_refused: u64,
    /// Errors that repeated one logged less than 60 s before.
    pub errors_repeated: u64,
    /// Connections opened again after a loss or a rotation.
    pub reconnects: u64,
    /// Tokens of the agent's runs.
    pub agent_usage: Usage,
    /// Tokens of the front end's answers.
    pub usage: realtime::Usage,
    /// Tokens of transcriptions that are billed by tokens.
    pub transcription_usage: realtime::Usage,
    /// Length of the audio of transcriptions that are billed by time.
    pub transcribed: Duration,
    /// What the decoders skipped.
    pub decode: DecodeStats,
}

/// The conversation of one voice channel.
#[derive(Debug)]
pub struct Conversation {
    settings: ConversationSettings,
    names: BTreeMap<UserId, Name>,
    turns: Vec<Turn>,
    slots: Vec<Slot>,
    playback: Playback,
    /// Who wants the floor; `None`: the documented rule.
    floor: Option<Floor>,
    ears: Ears,
    standings: Standings,
    wake: Option<WakeGate>,
    consults: Consults,
    speech: ExactSpeech,
    tellings: Tellings,
    queue: TurnQueue,
    controls: VecDeque<PendingControl>,
    recent_controls: RecentControls,
    outcomes: Outcomes,
    next_ticket: u64,
    outputs: VecDeque<Output>,
    /// Frames being encoded, and events being read; empty in between.
    frames: Vec<String>,
    events: Vec<(String, ServerEvent)>,
    next_lane: u32,
    next_event: u64,
    ready: bool,
    closed: bool,
    errors: RecentErrors,
    /// Until when the provider wants no new connection.
    blocked_until: Option<SessionTime>,
    /// What was said with speakers whose connection is closed.
    histories: VecDeque<(UserId, History)>,
    rng: SmallRng,
    stats: Stats,
}

#[derive(Debug)]
struct Name {
    label: String,
    bot: bool,
}

impl Conversation {
    /// Starts a conversation: a first provider connection is opened at once, for whoever speaks
    /// first.
    #[must_use]
    pub fn new(mut settings: ConversationSettings, now: SessionTime) -> Self {
        if settings.tool_policy != ToolPolicy::None {
            settings.tools.push(calls::consult_tool());
            settings.tools.push(calls::control_tool());
        }
        let names = settings.wake_names.as_deref().filter(|_| settings.is_gated());
        let wake = names.map(|names| WakeGate::new(names, settings.wake_scope));
        let rng = SmallRng::seed_from_u64(settings.seed);
        let mut conversation = Self {
            playback: Playback::new(settings.prebuffer),
            floor: settings.floor_rules().map(Floor::new),
            ears: Ears::new(settings.echo_detection),
            standings: Standings::default(),
            wake,
            consults: Consults::new(settings.first_run),
            speech: ExactSpeech::new(),
            tellings: Tellings::default(),
            queue: TurnQueue::default(),
            controls: VecDeque::new(),
            recent_controls: RecentControls::default(),
            outcomes: Outcomes::default(),
            next_ticket: 0,
            settings,
            names: BTreeMap::new(),
            turns: Vec::new(),
            slots: Vec::new(),
            outputs: VecDeque::new(),
            frames: Vec::new(),
            events: Vec::new(),
            next_lane: 0,
            next_event: 0,
            ready: false,
            closed: false,
            errors: RecentErrors::default(),
            blocked_until: None,
            histories: VecDeque::new(),
            rng,
            stats: Stats::default(),
        };
        let starting = timeline::bridge_starting(
            now,
            conversation.settings.bridge(),
            conversation.settings.policy(),
        );
        conversation.line(starting);
        conversation.ensure_spare(now);
        conversation
    }

    /// Learns a user's name, and whether the account is a bot.
    pub fn handle_name(&mut self, user: UserId, label: String, bot: bool) {
        if self.names.len() < MAX_NAMES || self.names.contains_key(&user) {
            self.names.insert(user, Name { label, bot });
        }
    }

    /// Who may do what, as it is known now.
    pub(crate) fn rights(&mut self) -> &mut Rights {
        &mut self.settings.rights
    }

    /// A user left the channel: their turn is over.
    pub fn handle_member_left(&mut self, now: SessionTime, user: UserId) {
        self.standings.forget(user);
        self.ears.forget(user);
        self.tell_floor(now, floor::Input::Gone { user });
        if let Some(index) = self.turns.iter().position(|turn| turn.user == user) {
            let was_talking = self.turns.get(index).is_some_and(Turn::is_talking);
            if was_talking {
                self.start_silence(now, user);
            }
            self.close_turn(now, index);
        }
        self.settle(now);
    }

    /// The voice connection was replaced: whoever was talking on the old one has stopped, as far as
    /// can be known. Their turns pause, and close after the silence grace unless they go on.
    pub fn handle_connection_lost(&mut self, now: SessionTime) {
        let talking = self.turns.iter().filter(|turn| turn.is_talking());
        let users: Vec<UserId> = talking.map(|turn| turn.user).collect();
        for user in users {
            self.speaking_stopped(now, user);
        }
    }

    /// Gives the next 20 ms of answer audio (480 samples, 24 kHz mono). Call on each 20 ms tick on
    /// which the call can send. `true`: the frame is filled, and counts as heard; `false`: there is
    /// nothing to play on this tick.
    pub fn take_frame(&mut self, now: SessionTime, frame: &mut [i16; playback::FRAME]) -> bool {
        if self.closed {
            return false;
        }
        let filled = self.playback.take(now, frame, !self.is_held());
        if filled && self.floor.is_some() {
            self.ears.played(now, frame);
        }
        self.stats.frames_played += u64::from(filled);
        self.settle(now);
        filled
    }

    /// Whether the player has an answer under way or one that may start: the playout clock is to
    /// run. Any `handle_*` may turn it on, [`Conversation::handle_timeout`] included.
    #[must_use]
    pub fn wants_frame(&self) -> bool {
        !self.closed && self.playback.wants_frame(!self.is_held())
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        if self.closed {
            return;
        }
        for turn in &mut self.turns {
            turn.release_hold(now);
        }
        if self.floor.as_ref().and_then(Floor::poll_timeout).is_some_and(|at| at <= now) {
            self.tell_floor(now, floor::Input::Timeout);
        }
        // After the verdicts of this moment.
        while let Some(index) =
            self.turns.iter().position(|turn| self.closes_at(turn).is_some_and(|at| at <= now))
        {
            self.close_turn(now, index);
        }
        self.playback.ripen(now);
        self.playback.handle_watchdog(now);
        self.handle_lane_timeouts(now);
        self.handle_consult_timeouts(now);
        self.settle(now);
    }

    /// When to call [`Conversation::handle_timeout`] next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        if self.closed {
            return None;
        }
        let grace = self.turns.iter().filter_map(|turn| self.closes_at(turn)).min();
        let hold = self.turns.iter().filter_map(Turn::holds_until).min();
        [
            grace.map(|at| (at, Timer::TurnGrace)),
            hold.map(|at| (at, Timer::Hold)),
            self.floor.as_ref().and_then(Floor::poll_timeout).map(|at| (at, Timer::Floor)),
            self.playback.poll_start().map(|at| (at, Timer::Prebuffer)),
            self.playback.poll_watchdog().map(|at| (at, Timer::PlaybackWatchdog)),
            self.poll_lane_timeout(),
            self.consult_deadline().map(|at| (at, Timer::Consult)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// The next thing to do for the conversation.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Ends the conversation: playback stops, turns close, connections are closed. Every later
    /// input is ignored.
    pub fn close(&mut self, now: SessionTime) {
        if self.closed {
            return;
        }
        self.tell_all_cut();
        self.playback.close(now);
        self.settle(now);
        while !self.turns.is_empty() {
            self.close_turn(now, 0);
        }
        self.close_lanes();
        self.closed = true;
    }

    /// What happened so far, in numbers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        for slot in &self.slots {
            stats.decode.add(slot.codec.stats());
        }
        stats
    }

    /// When a turn closes. One that is being judged stays open: what is held of it must not be lost.
    fn closes_at(&self, turn: &Turn) -> Option<SessionTime> {
        turn.closes_at().filter(|_| !self.judges(turn.user))
    }

    /// No new answer starts while a speaker who has just interrupted one is talking, up to the
    /// hold's end, nor while somebody's sound is judged.
    fn is_held(&self) -> bool {
        self.floor.as_ref().is_some_and(Floor::is_contested)
            || self.turns.iter().any(|turn| turn.holds_until().is_some())
    }

    /// Writes down what the player did, and watches what it does next.
    fn settle(&mut self, now: SessionTime) {
        let place = self.settings.place();
        while let Some(note) = self.playback.poll_note() {
            let record = match note {
                Note::Started => timeline::playback_started(now, place, self.settings.bridge()),
                Note::Stopped(reason, played) => {
                    timeline::playback_stopped(now, place, reason, played)
                }
                Note::Watchdog(played) => {
                    timeline::playback_watchdog_fired(now, place, "response.done", played)
                }
            };
            self.line(record);
        }
        self.tell_output(now);
        let held = self.is_held();
        self.playback.watch(now, held);
        self.tell_ended();
        if !self.closed {
            self.serve_speech(now);
        }
    }

    fn close_turn(&mut self, now: SessionTime, index: usize) {
        let turn = self.turns.remove(index);
        if turn.admission == Admission::Dropped {
            return;
        }
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.user == Some(turn.user)) {
            slot.used_at = now;
        }
        let owner = self.is_owner(turn.user);
        let label = self.label(turn.user);
        let speaker = timeline::Speaker { user: turn.user, label: &label };
        let record =
            timeline::turn_closed(now, self.settings.place(), speaker, turn.summary(now, owner));
        self.line(record);
    }

    fn line(&mut self, record: Record) {
        self.outputs.push_back(Output::Timeline(record));
    }

    /// Whether somebody is sending.
    pub(crate) fn is_talking(&self, user: UserId) -> bool {
        self.turns.iter().any(|turn| turn.user == user && turn.is_talking())
    }

    /// How long the last answer was waited for.
    pub(crate) fn answer_delay(&self) -> Option<AnswerDelay> {
        self.playback.answer_delay()
    }

    /// What the agent's voice is doing.
    pub(crate) fn agent_voice(&self) -> AgentVoice {
        (&self.playback).into()
    }

    /// The session that turns go into.
    pub(crate) fn agent_session(&self) -> &SessionKey {
        &self.settings.supervisor_session
    }

    /// Somebody's name, or their id.
    pub(crate) fn label(&self, user: UserId) -> String {
        self.names.get(&user).map_or_else(|| user.to_string(), |name| name.label.clone())
    }

    /// A fresh id for a client event; an error that answers it starts with the same word.
    fn event_id(&mut self, kind: &str) -> String {
        self.next_event += 1;
        format!("{kind}_{}", self.next_event)
    }
}
