//! One voice session, sans-IO: the call, the conversation held over it, and the playout clock
//! between them.
//!
//! It is the only owner of both. Whatever arrives late for an older connection is dropped at its
//! door by [`Generation`]; whatever the call hears goes into the conversation in the same breath;
//! whatever the conversation wants said leaves through the call on the next tick.

mod front_end;
mod pulse;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use clawvoice_session::{
    Generation, JoinFailure, RoleId, SessionKey, SessionTime, UserId,
    agent::{Ask, AskedBy, Control, ControlOutcome, RunId, RunReport},
    timeline::Record,
};
use secrecy::SecretString;

pub use front_end::FrontEndSettings;
pub use pulse::{Flow, Present, Pulse};

use crate::{
    batch::{self, SegmentId, SpeechFailure, SpeechId},
    call::{
        self, Call, CallEvent, CallSettings, CallStats, EndReason, FRAME_SAMPLES,
        MAX_DATAGRAM_BYTES,
    },
    conversation::{self, Lane, Trace},
    realtime::Closed,
    roster::Roster,
    timeline::{self, Place},
};
use front_end::{FrontEnd, batch_output};

/// Distance between two playout ticks: one Opus frame.
const TICK: Duration = Duration::from_millis(20);

/// A clock this late starts anew from now: what would have to be caught up is more than listeners'
/// jitter buffers take.
const TICK_SLIP: Duration = Duration::from_millis(100);

/// The least distance between two frames: a late clock catches up at twice its pace, not in a burst.
const TICK_CATCH_UP: Duration = Duration::from_millis(10);

/// What the shell does for the session.
#[derive(Debug)]
pub enum Output {
    /// Open the voice gateway's websocket, closing an older one.
    ConnectGateway {
        /// The connection's generation; what the socket delivers is handed in with it.
        generation: Generation,
        /// `wss://` or `ws://` with the version parameter.
        url: String,
    },
    /// Send a JSON message to the voice gateway.
    GatewayText(String),
    /// Send a binary (DAVE) message to the voice gateway.
    GatewayBinary(Vec<u8>),
    /// Close the voice gateway's websocket.
    CloseGateway {
        /// The websocket close code.
        code: u16,
    },
    /// Open the UDP socket towards the voice server.
    OpenUdp {
        /// The connection's generation.
        generation: Generation,
        /// Where the voice server listens.
        remote: std::net::SocketAddr,
    },
    /// Send a datagram that is not media: discovery, keepalive.
    Datagram(Vec<u8>),
    /// Open a provider connection.
    OpenProvider {
        /// The lane it serves.
        lane: Lane,
    },
    /// Close a provider connection.
    CloseProvider {
        /// The lane it served.
        lane: Lane,
    },
    /// Send a message to a provider.
    Provider {
        /// The lane.
        lane: Lane,
        /// A JSON text frame.
        message: String,
    },
    /// Ask the agent; hand what it reports to [`VoiceSession::handle_agent`].
    Ask(Ask),
    /// Control the agent's active run; hand the outcome to [`VoiceSession::handle_control`].
    Control {
        /// Names the control.
        ticket: u64,
        /// Of which session.
        session: SessionKey,
        /// What is wanted.
        control: Control,
    },
    /// Tell the agent of a turn that was answered without it.
    Note {
        /// The agent's session.
        session: SessionKey,
        /// Who spoke.
        by: AskedBy,
        /// What they said.
        said: String,
        /// What they heard.
        answered: String,
    },
    /// Cancel a run of the agent.
    CancelRun {
        /// The agent's session.
        session: SessionKey,
        /// The run.
        run: RunId,
    },
    /// Tell the agent how much of a run's answer was heard.
    Heard {
        /// The agent's session.
        session: SessionKey,
        /// The run.
        run: RunId,
        /// The words that were.
        text: String,
    },
    /// Tell the agent how things are at a place of its session; no turn follows.
    Surround {
        /// The agent's session.
        session: SessionKey,
        /// Names the place.
        place: String,
        /// How things are; `None`: nothing goes on there any more.
        text: Option<String>,
    },
    /// Transcribe a segment; hand the words to [`VoiceSession::handle_transcribed`].
    Transcribe {
        /// Its name.
        segment: SegmentId,
        /// A WAV file.
        wav: Bytes,
    },
    /// Synthesize a sentence; hand what comes to [`VoiceSession::handle_speech`].
    Synthesize {
        /// Its name.
        speech: SpeechId,
        /// The sentence.
        text: String,
    },
    /// Give up a synthesis.
    CancelSynthesis {
        /// Its name.
        speech: SpeechId,
    },
    /// Write a timeline record.
    Record(Record),
    /// Write down what a decision came from, and the decision.
    Trace(Trace),
    /// Media flows and the front end is configured: the join is complete.
    Ready,
    /// The front end cannot be had; the session is over.
    Failed(JoinFailure),
    /// The connection is over.
    Ended(EndReason),
}

/// What the voice gateway's websocket did.
#[derive(Clone, Copy, Debug)]
pub enum GatewayEvent<'a> {
    /// It is open.
    Opened,
    /// A JSON message.
    Text(&'a str),
    /// A DAVE message.
    Binary(&'a [u8]),
    /// It closed with a code, or broke or could not be opened without one.
    Closed(Option<u16>),
}

/// What a provider's websocket did.
#[derive(Clone, Copy, Debug)]
pub enum ProviderEvent<'a> {
    /// It is open.
    Opened,
    /// A text frame.
    Text(&'a str),
    /// A binary frame.
    Binary(&'a [u8]),
    /// It is gone.
    Closed(&'a Closed),
}

/// What came of a synthesis.
#[derive(Clone, Copy, Debug)]
pub enum SpeechEvent<'a> {
    /// The next samples, 24 kHz mono.
    Audio(&'a [i16]),
    /// All of it has come.
    Ended,
    /// It failed.
    Failed(&'a SpeechFailure),
}

/// Why the session wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The next 20 ms of playout.
    Playout,
    /// The call's.
    Call(call::Timer),
    /// The realtime conversation's.
    Conversation(conversation::Timer),
    /// The batch conversation's.
    Batch(batch::Timer),
}

/// One voice session. Contract as for [`Call`]: after every `handle_*`, send
/// [`Self::poll_media`] and drain [`Self::poll_output`], then sleep until [`Self::poll_timeout`].
#[derive(Debug)]
pub struct VoiceSession {
    connection: CallSettings,
    generation: Generation,
    call: Call,
    /// The channel's, for the calls to come.
    bitrate: Option<u32>,
    front_end: FrontEnd,
    roster: Roster,
    readiness: Readiness,
    next_tick: Option<SessionTime>,
    /// When the next tick should be; `next_tick` is later while a late clock catches up.
    tick_plan: SessionTime,
    frame: Box<[i16; FRAME_SAMPLES]>,
    media: Box<[u8; MAX_DATAGRAM_BYTES]>,
    media_len: Option<usize>,
    outputs: VecDeque<Output>,
}

/// What a complete join waits for.
#[derive(Clone, Copy, Debug, Default)]
struct Readiness {
    call: bool,
    front_end: bool,
    announced: bool,
}

impl VoiceSession {
    /// A session that begins to connect at once.
    #[must_use]
    pub fn new(
        connection: CallSettings,
        front_end: impl Into<FrontEndSettings>,
        now: SessionTime,
    ) -> Self {
        let front_end = FrontEnd::new(front_end.into(), now);
        let mut session = Self {
            call: Call::new(connection.clone(), now),
            connection,
            generation: Generation::FIRST,
            bitrate: None,
            readiness: Readiness {
                front_end: front_end.is_ready_at_once(),
                ..Readiness::default()
            },
            front_end,
            roster: Roster::default(),
            next_tick: None,
            tick_plan: now,
            frame: Box::new([0; FRAME_SAMPLES]),
            media: Box::new([0; MAX_DATAGRAM_BYTES]),
            media_len: None,
            outputs: VecDeque::new(),
        };
        session.settle(now);
        session
    }

    /// The voice gateway's websocket opened, spoke or closed.
    pub fn handle_gateway(
        &mut self,
        now: SessionTime,
        generation: Generation,
        event: GatewayEvent<'_>,
    ) {
        if generation != self.generation {
            return;
        }
        match event {
            GatewayEvent::Opened => self.call.handle_gateway_opened(now),
            GatewayEvent::Text(text) => self.call.handle_gateway_text(now, text),
            GatewayEvent::Binary(bytes) => {
                self.call.handle_gateway_binary(now, bytes, &mut self.front_end);
            }
            GatewayEvent::Closed(code) => self.call.handle_gateway_closed(now, code),
        }
        self.settle(now);
    }

    /// A datagram of the voice server; decrypted in place.
    pub fn handle_datagram(
        &mut self,
        now: SessionTime,
        generation: Generation,
        datagram: &mut [u8],
    ) {
        if generation == self.generation {
            self.call.handle_datagram(now, datagram, &mut self.front_end);
            self.settle(now);
        }
    }

    /// A provider connection opened, spoke or closed.
    pub fn handle_provider(&mut self, now: SessionTime, lane: Lane, event: ProviderEvent<'_>) {
        let Some(conversation) = self.front_end.realtime() else { return };
        match event {
            ProviderEvent::Opened => conversation.handle_provider_opened(now, lane),
            ProviderEvent::Text(text) => conversation.handle_provider_text(now, lane, text),
            ProviderEvent::Binary(bytes) => conversation.handle_provider_binary(now, lane, bytes),
            ProviderEvent::Closed(closed) => conversation.handle_provider_closed(now, lane, closed),
        }
        self.settle(now);
    }

    /// A segment was transcribed, or could not be.
    pub fn handle_transcribed(
        &mut self,
        now: SessionTime,
        segment: SegmentId,
        result: Result<String, SpeechFailure>,
    ) {
        if let Some(conversation) = self.front_end.batch() {
            conversation.handle_transcribed(now, segment, result);
        }
        self.settle(now);
    }

    /// A synthesis went on, ended or failed.
    pub fn handle_speech(&mut self, now: SessionTime, speech: SpeechId, event: SpeechEvent<'_>) {
        let Some(conversation) = self.front_end.batch() else { return };
        match event {
            SpeechEvent::Audio(pcm) => conversation.handle_speech_audio(now, speech, pcm),
            SpeechEvent::Ended => conversation.handle_speech_ended(now, speech),
            SpeechEvent::Failed(failure) => conversation.handle_speech_failed(now, speech, failure),
        }
        self.settle(now);
    }

    /// The agent reports on a run.
    pub fn handle_agent(&mut self, now: SessionTime, report: RunReport) {
        self.front_end.handle_agent(now, report);
        self.settle(now);
    }

    /// What became of a control of the agent's active run.
    pub fn handle_control(&mut self, now: SessionTime, ticket: u64, outcome: &ControlOutcome) {
        self.front_end.handle_control(now, ticket, outcome);
        self.settle(now);
    }

    /// The channel's bitrate, bits per second.
    pub fn handle_bitrate(&mut self, bits: u32) {
        self.bitrate = Some(bits);
        self.call.set_bitrate(bits);
    }

    /// Learns a user's name, and whether the account is a bot.
    pub fn handle_name(&mut self, user: UserId, label: String, bot: bool) {
        self.front_end.handle_name(user, label, bot);
        self.roster.name(user);
    }

    /// Learns a member's roles.
    pub fn handle_roles(&mut self, user: UserId, roles: Vec<RoleId>) {
        self.front_end.rights().learn_roles(user, roles);
    }

    /// The voice server was replaced: everything about the connection is new, even if the address
    /// is the same. The conversation goes on; whoever was talking has stopped, since the old call
    /// will not say so any more.
    pub fn handle_server_changed(
        &mut self,
        now: SessionTime,
        endpoint: String,
        token: SecretString,
    ) {
        self.call.close(now);
        self.front_end.handle_connection_lost(now);
        self.settle(now);
        self.roster.forget();
        self.tell_statistics(now);
        self.connection = CallSettings { endpoint, token, ..self.connection.clone() };
        self.generation = self.generation.next();
        self.call = Call::new(self.connection.clone(), now);
        if let Some(bits) = self.bitrate {
            self.call.set_bitrate(bits);
        }
        self.settle(now);
    }

    /// Something may be due.
    pub fn handle_timeout(&mut self, now: SessionTime) {
        let due = |at: Option<SessionTime>| at.is_some_and(|at| at <= now);
        if due(self.call.poll_timeout().map(|(at, _)| at)) {
            self.call.handle_timeout(now, &mut self.front_end);
        }
        if due(self.front_end.poll_timeout().map(|(at, _)| at)) {
            self.front_end.handle_timeout(now);
        }
        if due(self.next_tick) {
            self.tick(now);
        }
        self.settle(now);
    }

    /// Leaves: playback stops, connections are closed. Nothing that still comes is listened to.
    pub fn close(&mut self, now: SessionTime) {
        self.front_end.close(now);
        self.call.close(now);
        self.next_tick = None;
        self.settle(now);
        if self.roster.take_told() {
            self.surround(None);
        }
        self.tell_statistics(now);
    }

    /// The media datagram of the tick that [`Self::handle_timeout`] has just played, once. Outputs
    /// go first: the voice server wants to know of speaking before it comes.
    pub fn poll_media(&mut self) -> Option<&[u8]> {
        let length = self.media_len.take()?;
        self.media.get(..length)
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Self::handle_timeout`] is due next, and why.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(SessionTime, Timer)> {
        let call = self.call.poll_timeout().map(|(at, timer)| (at, Timer::Call(timer)));
        let front_end = self.front_end.poll_timeout();
        let tick = self.next_tick.map(|at| (at, Timer::Playout));
        [tick, call, front_end].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// The call's counters.
    #[must_use]
    pub fn call_stats(&self) -> &CallStats {
        self.call.stats()
    }

    /// The conversation's counters.
    #[must_use]
    pub fn conversation_stats(&self) -> conversation::Stats {
        self.front_end.stats()
    }

    fn tell_statistics(&mut self, now: SessionTime) {
        let place = Place { guild: self.connection.guild, channel: self.connection.channel };
        let (call, conversation) = (self.call.stats(), self.front_end.stats());
        let record = timeline::session_statistics(now, place, call, &conversation);
        self.outputs.push_back(Output::Record(record));
    }

    /// Plays 20 ms. The clock runs only while there is something to say or to end.
    fn tick(&mut self, now: SessionTime) {
        let filled = self.call.can_send() && self.front_end.take_frame(now, &mut self.frame);
        let frame = filled.then_some(&*self.frame);
        self.media_len = self.call.handle_tick(now, frame, &mut self.media);
        // Counted from the plan and not from now, or every late tick would put off all that follow.
        self.tick_plan = match now.since(self.tick_plan) > TICK_SLIP {
            true => now + TICK,
            false => self.tick_plan + TICK,
        };
        let next = self.tick_plan.max(now + TICK_CATCH_UP);
        let goes_on = self.media_len.is_some() || self.front_end.wants_frame();
        self.next_tick = goes_on.then_some(next);
    }

    /// Carries what one part has to say to the other, and collects what is for the shell.
    fn settle(&mut self, now: SessionTime) {
        while let Some(output) = self.call.poll_output() {
            self.take_call_output(now, output);
        }
        while let Some(output) = self.front_end.realtime().and_then(|talk| talk.poll_output()) {
            self.take_conversation_output(output);
        }
        while let Some(output) = self.front_end.batch().and_then(|talk| talk.poll_output()) {
            self.outputs.extend(batch_output(output));
        }
        self.tell_roster(now);
        if self.next_tick.is_none() && self.call.can_send() && self.front_end.wants_frame() {
            self.next_tick = Some(now);
            self.tick_plan = now;
        }
        if self.readiness.call && self.readiness.front_end && !self.readiness.announced {
            self.readiness.announced = true;
            self.outputs.push_back(Output::Ready);
        }
    }

    /// Tells the agent who is there, if that has changed.
    fn tell_roster(&mut self, now: SessionTime) {
        let (guild, channel) = (self.connection.guild, self.connection.channel);
        let Some(text) = self.roster.take_news(channel, |user| self.front_end.glimpse(user).0)
        else {
            return;
        };
        let session = self.front_end.agent_session();
        let count = self.roster.count();
        let record = timeline::roster_told(now, Place { guild, channel }, count, session.as_str());
        self.outputs.push_back(Output::Record(record));
        self.surround(Some(text));
    }

    fn surround(&mut self, text: Option<String>) {
        let session = self.front_end.agent_session().clone();
        let place = format!("voice {} {}", self.connection.guild, self.connection.channel);
        self.outputs.push_back(Output::Surround { session, place, text });
    }

    fn take_call_output(&mut self, now: SessionTime, output: call::Output) {
        let generation = self.generation;
        self.outputs.push_back(match output {
            call::Output::Connect { url } => Output::ConnectGateway { generation, url },
            call::Output::Text(text) => Output::GatewayText(text),
            call::Output::Binary(bytes) => Output::GatewayBinary(bytes),
            call::Output::CloseGateway { code } => Output::CloseGateway { code },
            call::Output::OpenUdp { remote } => Output::OpenUdp { generation, remote },
            call::Output::Datagram(bytes) => Output::Datagram(bytes),
            call::Output::Event(event) => return self.take_call_event(now, event),
        });
    }

    fn take_call_event(&mut self, now: SessionTime, event: CallEvent) {
        let place = Place { guild: self.connection.guild, channel: self.connection.channel };
        let record = match event {
            CallEvent::Ready { dave_version } => {
                self.readiness.call = true;
                timeline::connection_ready(now, place, dave_version)
            }
            CallEvent::EpochReady { epoch, dave_version, transition } => {
                timeline::dave_epoch_ready(now, place, epoch, dave_version, transition)
            }
            CallEvent::GroupRecovery { transition } => {
                timeline::dave_group_recovery(now, place, transition)
            }
            CallEvent::SpeakingContradicted { ssrc, named, by_key } => {
                timeline::speaking_contradicted(now, place, ssrc, named, by_key)
            }
            CallEvent::MemberJoined(user) => return self.roster.join(user),
            CallEvent::MemberLeft(user) => {
                self.roster.leave(user);
                return self.front_end.handle_member_left(now, user);
            }
            CallEvent::DecryptFailure { user: _, consecutive } => {
                timeline::dave_decrypt_failures(now, place, consecutive.into())
            }
            CallEvent::PathLost => timeline::connection_interrupted(
                now,
                place,
                "nothing comes through by UDP; trying a new socket",
            ),
            CallEvent::RepeatedDecryptFailures => timeline::dave_rejoin(now, place),
            CallEvent::Reconnecting { code: _, plan } => {
                timeline::connection_interrupted(now, place, &plan.to_string())
            }
            CallEvent::Ended(reason) => {
                self.outputs.push_back(Output::Ended(reason));
                timeline::connection_interrupted(now, place, &reason.to_string())
            }
        };
        self.outputs.push_back(Output::Record(record));
    }

    fn take_conversation_output(&mut self, output: conversation::Output) {
        self.outputs.push_back(match output {
            conversation::Output::OpenProvider { lane } => Output::OpenProvider { lane },
            conversation::Output::CloseProvider { lane } => Output::CloseProvider { lane },
            conversation::Output::Provider { lane, message } => Output::Provider { lane, message },
            conversation::Output::Timeline(record) => Output::Record(record),
            conversation::Output::Trace(trace) => Output::Trace(trace),
            conversation::Output::Ask(ask) => Output::Ask(ask),
            conversation::Output::Control { ticket, session, control } => {
                Output::Control { ticket, session, control }
            }
            conversation::Output::Note { session, by, said, answered } => {
                Output::Note { session, by, said, answered }
            }
            conversation::Output::Heard { session, run, text } => {
                Output::Heard { session, run, text }
            }
            // The words are in the timeline.
            conversation::Output::Transcript { .. } => return,
            conversation::Output::Ready => {
                self.readiness.front_end = true;
                return;
            }
            conversation::Output::Failed(reason) => Output::Failed(JoinFailure::Realtime(reason)),
        });
    }
}
