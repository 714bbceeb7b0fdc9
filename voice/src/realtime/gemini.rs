//! The Gemini Live wire protocol: JSON, often in binary frames, one object with one or several
//! fields a message.
//!
//! ```text
//! Command → setup.rs, message.rs → text frame     frame → server.rs → ServerEvents
//! ```
//!
//! Its messages name no responses and no items; both are counted here. There is no cancel and no
//! truncate: an interruption is local, and the provider finds out by hearing it. A session goes on
//! over several connections by a handle; where there is none, it is told what was said before.
//!
//! Source: Google, "Live API - WebSockets API reference" and "Session management with Live API".

mod message;
mod server;
mod setup;

use std::collections::VecDeque;

use super::{
    Capabilities, Closed, Codec, Command, DecodeStats, Frame, ServerEvent, Shape, TurnDetection,
    Unreadable, pcm::PcmReader, resample::To16k,
};
use server::Turn;

/// Withdrawn calls that are remembered; the oldest is forgotten first.
const MAX_WITHDRAWN: usize = 64;

/// How a server is spoken to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Sampling temperature; `None` is the model's.
    pub temperature: Option<f64>,
}

/// One connection that speaks the protocol.
#[derive(Debug)]
pub struct Gemini {
    profile: Profile,
    /// The newest handle by which the next connection goes on with this session.
    handle: Option<String>,
    /// Whether this connection knows what was said before it.
    seeded: bool,
    ready: bool,
    /// Whether we find the ends of turns, and whether one is open.
    own_turns: bool,
    activity: bool,
    /// Whether the model's answers to speech are wanted, or only those that were asked for.
    answers_speech: bool,
    /// Requests of ours that the model has not begun to answer.
    asked: u32,
    turn: Turn,
    withdrawn: VecDeque<String>,
    resampler: To16k,
    /// A piece of audio at 16 kHz, while it is encoded.
    scratch: Vec<i16>,
    pcm: PcmReader,
    /// Numbers responses, over all connections.
    next_response: u64,
    /// Numbers the speaker's utterances, over all connections.
    next_utterance: u64,
    stats: DecodeStats,
}

impl Gemini {
    /// A codec for a new connection.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            handle: None,
            seeded: false,
            ready: false,
            own_turns: false,
            activity: false,
            answers_speech: true,
            asked: 0,
            turn: Turn::default(),
            withdrawn: VecDeque::new(),
            resampler: To16k::new(),
            scratch: Vec::new(),
            pcm: PcmReader::default(),
            next_response: 0,
            next_utterance: 0,
            stats: DecodeStats::default(),
        }
    }

    fn append(&mut self, samples: &[i16], frames: &mut Vec<String>) {
        if self.own_turns && !self.activity {
            self.activity = true;
            frames.push(message::activity_start());
        }
        let resampler = &mut self.resampler;
        self.scratch.clear();
        self.scratch.extend(samples.iter().filter_map(|sample| resampler.push(*sample)));
        frames.push(message::audio(&self.scratch));
    }
}

impl Codec for Gemini {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shape: Shape::TurnBased,
            can_cancel: false,
            can_truncate: false,
            can_clear_input: false,
            can_detect_own_turns: true,
            answers_tool_results: true,
            cumulative_transcripts: false,
        }
    }

    fn encode(&mut self, _event_id: &str, command: &Command<'_>, frames: &mut Vec<String>) {
        match command {
            Command::Configure(settings) => {
                (self.own_turns, self.answers_speech) = match settings.turn_detection {
                    TurnDetection::Own => (true, true),
                    TurnDetection::Server { create_response, .. } => (false, create_response),
                };
                self.seeded = !settings.history.is_empty();
                frames.push(setup::setup(settings, &self.profile, self.handle.as_deref()));
            }
            Command::Append(samples) => self.append(samples, frames),
            Command::Commit if self.activity => {
                self.activity = false;
                frames.push(message::activity_end());
            }
            Command::Say { text } => {
                self.asked = self.asked.saturating_add(1);
                frames.push(message::text(text));
            }
            Command::ToolResult { call_id, name, output } => {
                if self.withdrawn.iter().any(|id| id == call_id) {
                    return;
                }
                self.asked = self.asked.saturating_add(1);
                frames.push(message::tool_result(call_id, name, output));
            }
            Command::Replay { history } if !self.seeded => frames.push(message::history(history)),
            // Once only: what is replayed later is not in the configuration.
            Command::Replay { .. } => self.seeded = false,
            Command::Commit
            | Command::ClearInput
            | Command::Respond { .. }
            | Command::Cancel { .. }
            | Command::Truncate { .. }
            | Command::Delete { .. } => {}
        }
    }

    fn decode(
        &mut self,
        frame: Frame<'_>,
        events: &mut Vec<(String, ServerEvent)>,
    ) -> Result<(), Unreadable> {
        self.read(frame, events).inspect_err(|_| self.stats.unreadable += 1)
    }

    fn handle_closed(&mut self, closed: &Closed) {
        // The context is exhausted or was refused: the handle would lead back to it.
        if matches!(closed, Closed::Frame { code: 1007, .. }) {
            self.start_over();
        }
    }

    fn start_over(&mut self) {
        self.handle = None;
    }

    fn is_fatal(&self, closed: &Closed) -> bool {
        // A model that does not exist, or a key without the right to it.
        closed.is_fatal() || (!self.ready && matches!(closed, Closed::Frame { code: 1008, .. }))
    }

    fn renew(&mut self) {
        let (next_response, next_utterance) = (self.next_response, self.next_utterance);
        let handle = self.handle.take();
        *self = Self { handle, next_response, next_utterance, ..Self::new(self.profile.clone()) };
    }

    fn stats(&self) -> DecodeStats {
        self.stats
    }
}

#[cfg(test)]
mod tests;
