//! Lines → [`Facts`], in one pass.
//!
//! Some lines do not say whom they are about: a provider's transcript and its events carry no
//! Discord identity. They go to whom they fit best, and the agent's lines, which name the speaker,
//! put it right.

mod agent;
mod decisions;
mod playback;
mod turns;

use std::collections::HashMap;

use clawvoice_session::SessionTime;

use super::{Cut, EventIndex, Facts, Outcome, Speaker, Verdict};
use crate::review::{
    Clock, Timeline,
    event::{Input, Line, What},
    text_line::{said, said_by},
};

/// People of one recording; more are not told apart.
const MAX_SPEAKERS: usize = 500;

/// Turns and exchanges that a line can still be about; older ones are settled.
const RECENT: usize = 64;

/// Bytes of 48 kHz stereo 16-bit PCM in a millisecond.
const DISCORD_BYTES_PER_MS: u64 = 192;

/// Adds a recording up.
pub(super) fn build(timeline: &Timeline) -> Facts {
    let mut builder = Builder::new(timeline.clock);
    builder.has_decisions = timeline.events.iter().any(|event| event.what.decision().is_some());
    for (index, event) in timeline.events.iter().enumerate() {
        builder.at = event.at;
        builder.index = index;
        match &event.what {
            What::Record(line) => builder.line(line),
            What::Decision(decision) => builder.decision(decision),
            What::Input(input) => builder.input(input),
            What::Audio(clip) => {
                if let Some(user) = &clip.user {
                    builder.speaker(user, "");
                }
            }
            What::Other(_) => {}
        }
    }
    builder.finish()
}

struct Builder {
    facts: Facts,
    clock: Clock,
    /// Whether the recording holds the decisions themselves, and not only the lines about them.
    has_decisions: bool,
    at: SessionTime,
    index: EventIndex,
    /// Each user's open turn.
    open_turns: HashMap<String, usize>,
    /// The answer that plays now.
    playing: Option<usize>,
    /// What has been asked to stop it.
    cut: Option<Cut>,
    /// When the provider last noticed the end of speech.
    speech_stopped: Option<SessionTime>,
    /// The provider's first audio of a response that no exchange waits for yet.
    stray_audio: Option<SessionTime>,
}

impl Builder {
    fn new(clock: Clock) -> Self {
        Self {
            facts: Facts::default(),
            clock,
            has_decisions: false,
            at: SessionTime::ZERO,
            index: 0,
            open_turns: HashMap::new(),
            playing: None,
            cut: None,
            speech_stopped: None,
            stray_audio: None,
        }
    }

    fn line(&mut self, line: &Line) {
        let user = line.text("user").map(|user| user.into_owned());
        if let Some(user) = &user {
            let label = line.text("speaker").unwrap_or_default();
            self.speaker(user, &label);
        }
        let user = user.as_deref();
        match line.name.as_str() {
            "realtime speaker turn opened" | "capture start" => self.turn_opened(user),
            "realtime input audio started" => self.input_started(user),
            "realtime speaker turn closed" => self.turn_closed(user, line),
            "capture finalize" => self.capture_finalized(user, line),
            "realtime user transcript" => self.transcript(None, said(line)),
            "transcript from" => {
                if let Some((label, id, words)) = said_by(line) {
                    self.speaker(id, label);
                    self.transcript(Some(id), words);
                }
            }
            "realtime assistant transcript" => self.assistant_said(said(line)),
            "realtime lifecycle" => self.lifecycle(&line.detail),
            "realtime forced agent consult starting"
            | "realtime consult requested"
            | "agent turn start" => self.asked(user, line),
            "realtime forced agent consult answer"
            | "realtime consult answer"
            | "agent turn answer" => {
                self.answered(user, line);
            }
            "realtime forced agent consult failed"
            | "realtime consult failed"
            | "agent turn failed" => {
                let why = line.text("message").unwrap_or_default().into_owned();
                self.settle_asked(Outcome::Failed(why));
            }
            "agent turn cancelled" => self.settle_asked(Outcome::CalledOff),
            "agent turn produced no speakable payloads" => self.settle_asked(Outcome::Silent),
            "realtime forced agent consult skipped" => {
                let why = line.text("reason").unwrap_or_default().into_owned();
                self.settle_heard(user, Outcome::LeftAlone(why));
            }
            "realtime wake-name gate ignored transcript" => {
                self.settle_heard(user, Outcome::LeftAlone("no-wake-name".to_owned()));
            }
            "realtime active-run control handled" => self.controlled(line),
            "realtime exact speech dequeued" => self.dequeued(),
            "realtime barge-in detected" => self.barge_in_detected(user, line),
            "realtime barge-in suspected" => self.suspected_line(line),
            "realtime barge-in dismissed" => self.judged_line(line, Verdict::Dismissed),
            "realtime barge-in confirmed" => self.judged_line(line, Verdict::Confirmed),
            "realtime audio playback resumed" => self.pause_ended(true),
            "realtime barge-in requested" => {
                let index = self.index;
                let cut = self.cut.get_or_insert_default();
                cut.events.push(index);
                cut.output_ms = line.number("outputAudioMs").or(cut.output_ms);
            }
            "realtime model interrupt ignored client:conversation.item.truncate.skipped" => {
                self.cut = None;
            }
            "realtime audio playback started" | "playback start" => self.playback_started(),
            "realtime audio playback stopped" | "playback done" => self.playback_stopped(line),
            _ => {}
        }
    }

    fn speaker(&mut self, user: &str, label: &str) {
        let speakers = &mut self.facts.speakers;
        match speakers.iter().position(|speaker| speaker.user == user) {
            Some(known) if speakers[known].label.is_empty() => {
                label.clone_into(&mut speakers[known].label);
            }
            None if speakers.len() < MAX_SPEAKERS => {
                speakers.push(Speaker { user: user.to_owned(), label: label.to_owned() });
            }
            _ => {}
        }
    }

    fn input(&mut self, input: &Input) {
        if let Some(user) = &input.user {
            self.speaker(user, "");
        }
        if input.kind == "delta" {
            self.first_audio();
        }
    }

    fn finish(mut self) -> Facts {
        self.facts.end = self.at;
        let facts = &mut self.facts;
        for exchange in &mut facts.exchanges {
            let Some(turn) = exchange.turn.and_then(|turn| facts.turns.get(turn)) else { continue };
            // The call knows the last frame; the provider only notices some time after it. In a
            // turn with several transcripts the last frame ends only the last of them.
            let limit = exchange.transcribed.or(exchange.played);
            let fits = |at: &SessionTime| limit.is_some_and(|limit| *at <= limit);
            let by_call = turn
                .audio_to
                .filter(fits)
                .filter(|at| exchange.speech_ended.is_none_or(|stopped| *at <= stopped));
            if self.clock == Clock::Order {
                exchange.speech_ended = None;
            } else if by_call.is_some() {
                exchange.speech_ended = by_call;
            }
        }
        self.facts
    }
}

fn before(at: SessionTime, millis: u64) -> SessionTime {
    at - std::time::Duration::from_millis(millis)
}

fn after(at: SessionTime, millis: u64) -> SessionTime {
    at + std::time::Duration::from_millis(millis)
}
