//! Lines → [`Facts`], in one pass.
//!
//! Some lines do not say whom they are about: a provider's transcript and its events carry no
//! Discord identity. They go to whom they fit best, and the agent's lines, which name the speaker,
//! put it right.

use std::collections::HashMap;

use clawvoice_session::SessionTime;
use serde_json::Value;

use super::{
    Cut, Doubt, EventIndex, Exchange, Facts, Outcome, Pause, Playback, Speaker, SpeakerTurn,
    Verdict,
};
use crate::review::{
    Clock, Timeline,
    event::{Decision, Input, Line, What},
    text_line::{said, said_by},
};

/// A transcript that comes later than this after its turn's end belongs to another turn.
const TRANSCRIPT_WITHIN_MS: u64 = 8_000;

/// Two lines about an answer of the same words within this are about the same answer.
const SAME_ANSWER_WITHIN_MS: u64 = 2_000;

/// A provider has to hear the end of speech first: a turn that began less than this ago has no
/// transcript yet.
const TRANSCRIPT_AFTER_MS: u64 = 300;

/// People of one recording; more are not told apart.
const MAX_SPEAKERS: usize = 500;

/// Turns and exchanges that a line can still be about; older ones are settled.
const RECENT: usize = 64;

/// Bytes of 48 kHz stereo 16-bit PCM in a millisecond.
const DISCORD_BYTES_PER_MS: u64 = 192;

/// Adds a recording up.
pub(super) fn build(timeline: &Timeline) -> Facts {
    let mut builder = Builder::new(timeline.clock);
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

/// Why a question that somebody called off has no answer.
const CANCELLED: &str = "cancelled";

struct Builder {
    facts: Facts,
    clock: Clock,
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
            "agent turn cancelled" => self.settle_asked(Outcome::Failed(CANCELLED.to_owned())),
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

    fn open_turn(&mut self, user: Option<&str>) -> Option<&mut SpeakerTurn> {
        let index = *self.open_turns.get(user?)?;
        self.facts.turns.get_mut(index)
    }

    fn turn_opened(&mut self, user: Option<&str>) {
        let Some(user) = user else { return };
        let now = self.at;
        if let Some(lost) = self.open_turn(Some(user)) {
            // Its closing line is missing; a user has one turn at a time.
            lost.closed = Some(now);
        }
        self.open_turns.insert(user.to_owned(), self.facts.turns.len());
        self.facts.turns.push(SpeakerTurn {
            user: user.to_owned(),
            opened: self.at,
            closed: None,
            audio_from: None,
            audio_to: None,
            has_audio: None,
            heard_ms: 0,
            over_playback: self.playing.is_some(),
            interrupted: false,
            transcripts: 0,
            opening: self.index,
            closing: None,
        });
    }

    fn input_started(&mut self, user: Option<&str>) {
        let now = self.at;
        if self.open_turn(user).is_none() {
            self.turn_opened(user);
        }
        if let Some(turn) = self.open_turn(user) {
            turn.audio_from.get_or_insert(now);
        }
    }

    fn turn_closed(&mut self, user: Option<&str>, line: &Line) {
        let (now, index) = (self.at, self.index);
        let ordered = self.clock != Clock::Order;
        if self.open_turn(user).is_none() {
            // The recording begins in the middle of it.
            self.turn_opened(user);
            if let (Some(turn), Some(elapsed), true) =
                (self.open_turn(user), line.number("elapsedMs"), ordered)
            {
                turn.opened = before(now, elapsed);
            }
        }
        let Some(turn) = self.open_turn(user) else { return };
        let has_audio = line
            .flag("hasAudio")
            .or_else(|| line.number("chunks").map(|chunks| chunks > 0))
            .unwrap_or(turn.audio_from.is_some());
        turn.closed = Some(now);
        turn.closing = Some(index);
        turn.has_audio = Some(has_audio);
        turn.interrupted = line.flag("interruptedPlayback").unwrap_or(false);
        turn.heard_ms = line.number("discordBytes").unwrap_or(0) / DISCORD_BYTES_PER_MS;
        if has_audio {
            let from = *turn.audio_from.get_or_insert(turn.opened);
            let silence = line.number("sinceLastAudioMs").filter(|_| ordered).unwrap_or(0);
            turn.audio_to = Some(before(now, silence).max(from));
        }
        self.open_turns.remove(user.unwrap_or_default());
    }

    fn capture_finalized(&mut self, user: Option<&str>, line: &Line) {
        let (now, index) = (self.at, self.index);
        let Some(turn) = self.open_turn(user) else { return };
        let heard = line.number("audioMs").unwrap_or(0);
        turn.closed = Some(now);
        turn.closing = Some(index);
        turn.has_audio = Some(heard > 0);
        turn.heard_ms = heard;
        if heard > 0 {
            turn.audio_from = Some(turn.opened);
            turn.audio_to = Some(after(turn.opened, heard).min(now));
        }
        self.open_turns.remove(user.unwrap_or_default());
    }

    /// Whose turn a transcript without a name is most likely of: of each speaker's latest turn with
    /// audio the one that ended first; an open one only if there is no other, and one that has a
    /// transcript already only then.
    fn turn_of_transcript(&self, user: Option<&str>) -> Option<usize> {
        let timed = self.clock != Clock::Order;
        let earliest = before(self.at, TRANSCRIPT_WITHIN_MS);
        let latest_start = before(self.at, TRANSCRIPT_AFTER_MS);
        let first = self.facts.turns.len().saturating_sub(RECENT);
        let mut latest: HashMap<&str, (usize, &SpeakerTurn)> = HashMap::new();
        for (index, turn) in self.facts.turns.iter().enumerate().skip(first) {
            let heard = turn.audio_from.is_some_and(|from| !timed || from <= latest_start);
            let recent = !timed || turn.closed.is_none_or(|closed| closed >= earliest);
            if heard && recent && user.is_none_or(|user| user == turn.user) {
                latest.insert(&turn.user, (index, turn));
            }
        }
        latest
            .into_values()
            .min_by_key(|(index, turn)| {
                (turn.transcripts > 0, turn.closed.is_none(), turn.closed, *index)
            })
            .map(|(index, _)| index)
    }

    fn transcript(&mut self, user: Option<&str>, words: &str) {
        let turn = self.turn_of_transcript(user);
        // In a mode where the front end answers by itself the words come when they come.
        let early = self
            .playing
            .and_then(|playing| self.facts.playbacks[playing].exchange)
            .filter(|index| self.facts.exchanges[*index].transcribed.is_none());
        let early = early.filter(|index| {
            let waiting = self.facts.exchanges[*index].turn;
            waiting.is_none() || waiting == turn
        });
        let index = early.unwrap_or_else(|| {
            self.facts.exchanges.push(Exchange::default());
            self.facts.exchanges.len() - 1
        });
        let exchange = &mut self.facts.exchanges[index];
        words.clone_into(&mut exchange.words);
        exchange.transcribed = Some(self.at);
        exchange.events.push(self.index);
        exchange.turn = turn;
        exchange.user = user.map(str::to_owned);
        if let Some(turn) = turn {
            let turn = &mut self.facts.turns[turn];
            turn.transcripts += 1;
            exchange.user = Some(turn.user.clone());
        }
        if early.is_none() {
            exchange.speech_ended = self.speech_stopped.filter(|stopped| *stopped <= self.at);
            self.speech_stopped = None;
        }
    }

    fn assistant_said(&mut self, words: &str) {
        // It is complete before it has been played, and may even come before it is begun.
        if let Some(playing) = self.playing {
            words.clone_into(&mut self.facts.playbacks[playing].words);
        }
    }

    fn lifecycle(&mut self, event: &str) {
        let Some(kind) = event.strip_prefix("server:") else { return };
        match kind {
            "input_audio_buffer.speech_stopped" => self.speech_stopped = Some(self.at),
            "response.output_audio.delta"
            | "response.audio.delta"
            | "response.output_audio_transcript.delta"
            | "response.audio_transcript.delta" => self.first_audio(),
            _ => {}
        }
    }

    /// The provider begins to send an answer.
    fn first_audio(&mut self) {
        if self.playing.is_some() {
            return;
        }
        match self.awaiting_voice() {
            Some(exchange) => {
                self.facts.exchanges[exchange].audio.get_or_insert(self.at);
            }
            None => {
                self.stray_audio.get_or_insert(self.at);
            }
        }
    }

    /// The exchange whose answer is the next to be heard: the first that the agent has answered,
    /// else the last that was heard.
    fn awaiting_voice(&self) -> Option<usize> {
        let open = |exchange: &Exchange| {
            exchange.playback.is_none()
                && match &exchange.outcome {
                    Outcome::Unanswered => true,
                    // Its outcome is spoken, and so is an excuse.
                    Outcome::Control(_) => true,
                    Outcome::Failed(why) => why != CANCELLED,
                    _ => false,
                }
        };
        self.first_recent(|exchange| open(exchange) && exchange.answered.is_some())
            .or_else(|| self.last_recent(|exchange| open(exchange) && exchange.asked.is_none()))
            .or_else(|| self.last_recent(open))
    }

    fn last_turn(&self, fits: impl Fn(&SpeakerTurn) -> bool) -> Option<usize> {
        let skipped = self.facts.turns.len().saturating_sub(RECENT);
        self.facts.turns[skipped..].iter().rposition(fits).map(|index| index + skipped)
    }

    fn first_recent(&self, fits: impl Fn(&Exchange) -> bool) -> Option<usize> {
        let exchanges = &self.facts.exchanges;
        let skipped = exchanges.len().saturating_sub(RECENT);
        exchanges[skipped..].iter().position(fits).map(|index| index + skipped)
    }

    fn last_recent(&self, fits: impl Fn(&Exchange) -> bool) -> Option<usize> {
        let exchanges = &self.facts.exchanges;
        let skipped = exchanges.len().saturating_sub(RECENT);
        exchanges[skipped..].iter().rposition(fits).map(|index| index + skipped)
    }

    /// The exchange that a line of the agent about `user` belongs to.
    fn asked(&mut self, user: Option<&str>, line: &Line) {
        let words = ["preview", "question"].iter().find_map(|name| line.text(name));
        let index = self
            .last_recent(|exchange| {
                exchange.answered.is_none()
                    && exchange.outcome == Outcome::Unanswered
                    && words
                        .as_ref()
                        .is_some_and(|words| !words.is_empty() && **words == exchange.words)
            })
            .or_else(|| {
                self.last_recent(|exchange| {
                    !exchange.is_settled()
                        && exchange.answered.is_none()
                        && (exchange.user.as_deref() == user
                            || exchange.asked.is_none()
                            || user.is_none())
                })
            })
            .unwrap_or_else(|| {
                self.facts.exchanges.push(Exchange {
                    words: words.as_deref().unwrap_or_default().to_owned(),
                    user: user.map(str::to_owned),
                    ..Exchange::default()
                });
                self.facts.exchanges.len() - 1
            });
        let exchange = &mut self.facts.exchanges[index];
        exchange.asked.get_or_insert(self.at);
        exchange.events.push(self.index);
        self.attribute(index, user);
    }

    /// The agent's lines name the speaker; a guess about an exchange gives way.
    fn attribute(&mut self, index: usize, user: Option<&str>) {
        let Some(user) = user else { return };
        let exchange = &mut self.facts.exchanges[index];
        if exchange.user.as_deref() == Some(user) {
            return;
        }
        exchange.user = Some(user.to_owned());
        if let Some(wrong) = exchange.turn.take() {
            let turn = &mut self.facts.turns[wrong];
            turn.transcripts = turn.transcripts.saturating_sub(1);
        }
        let theirs = self.last_turn(|turn| turn.user == user && turn.audio_from.is_some());
        if let Some(right) = theirs {
            self.facts.turns[right].transcripts += 1;
            self.facts.exchanges[index].turn = Some(right);
        }
    }

    fn waiting_for_agent(&self, user: Option<&str>) -> Option<usize> {
        let waits = |exchange: &Exchange| {
            exchange.asked.is_some()
                && exchange.answered.is_none()
                && exchange.outcome == Outcome::Unanswered
        };
        self.first_recent(|exchange| {
            waits(exchange) && user.is_some() && exchange.user.as_deref() == user
        })
        .or_else(|| self.first_recent(waits))
    }

    fn answered(&mut self, user: Option<&str>, line: &Line) {
        let preview = line.text("preview").unwrap_or_default();
        let Some(index) = self.waiting_for_agent(user) else {
            // The second line about the same answer.
            return;
        };
        // `agent turn answer` and the consult's own line come together; the second finds nobody
        // waiting, unless the next question already does.
        let twice = self.last_recent(|exchange| {
            let just_now =
                exchange.answered.is_some_and(|at| self.at <= after(at, SAME_ANSWER_WITHIN_MS));
            just_now && !preview.is_empty() && exchange.answer == preview
        });
        if twice.is_some() {
            return;
        }
        let exchange = &mut self.facts.exchanges[index];
        exchange.answered = Some(self.at);
        exchange.answer = preview.into_owned();
        exchange.events.push(self.index);
    }

    fn settle_asked(&mut self, outcome: Outcome) {
        if let Some(index) = self.waiting_for_agent(None) {
            let exchange = &mut self.facts.exchanges[index];
            // An excuse is spoken in the place of the answer.
            exchange.answered = Some(self.at);
            exchange.outcome = outcome;
            exchange.events.push(self.index);
        }
    }

    fn settle_heard(&mut self, user: Option<&str>, outcome: Outcome) {
        let latest = self.last_recent(|exchange| {
            exchange.transcribed.is_some() && exchange.asked.is_none() && !exchange.is_settled()
        });
        if let Some(index) = latest {
            let exchange = &mut self.facts.exchanges[index];
            exchange.outcome = outcome;
            exchange.events.push(self.index);
            self.attribute(index, user);
        }
    }

    fn controlled(&mut self, line: &Line) {
        let mode = line.text("mode").unwrap_or_default().into_owned();
        let ok = line.flag("ok").unwrap_or(true);
        if mode == "cancel" && ok {
            self.settle_asked(Outcome::Failed(CANCELLED.to_owned()));
        }
        self.settle_heard(None, Outcome::Control(mode));
    }

    fn dequeued(&mut self) {
        if let Some(index) = self.awaiting_voice() {
            let exchange = &mut self.facts.exchanges[index];
            exchange.dequeued = Some(self.at);
            exchange.events.push(self.index);
        }
    }

    fn barge_in_detected(&mut self, user: Option<&str>, line: &Line) {
        let index = self.index;
        let cut = self.cut.get_or_insert_default();
        cut.user = user.map(str::to_owned);
        cut.source = line.text("source").map(|source| source.into_owned());
        cut.output_ms = line.number("outputAudioMs");
        cut.events.push(index);
    }

    fn playback_started(&mut self) {
        self.cut = None;
        let exchange = self.awaiting_voice().or_else(|| self.exchange_without_words());
        self.facts.playbacks.push(Playback {
            started: self.at,
            exchange,
            starting: self.index,
            ..Playback::default()
        });
        let playback = self.facts.playbacks.len() - 1;
        self.playing = Some(playback);
        if let Some(exchange) = exchange {
            let exchange = &mut self.facts.exchanges[exchange];
            exchange.played = Some(self.at);
            exchange.playback = Some(playback);
            exchange.audio = exchange.audio.or(self.stray_audio);
            exchange.events.push(self.index);
            exchange.answer.clone_into(&mut self.facts.playbacks[playback].words);
        }
        self.stray_audio = None;
    }

    /// An answer begins although no words were heard yet: they belong to the last turn that no
    /// exchange has.
    fn exchange_without_words(&mut self) -> Option<usize> {
        let turn = self.last_turn(|turn| turn.audio_from.is_some())?;
        let known = self.last_recent(|exchange| exchange.turn == Some(turn));
        if known.is_some() {
            return None;
        }
        self.facts.exchanges.push(Exchange {
            user: Some(self.facts.turns[turn].user.clone()),
            turn: Some(turn),
            speech_ended: self.speech_stopped.take(),
            ..Exchange::default()
        });
        Some(self.facts.exchanges.len() - 1)
    }

    fn playback_stopped(&mut self, line: &Line) {
        let cut = self.cut.take();
        let Some(index) = self.playing.take() else { return };
        let playback = &mut self.facts.playbacks[index];
        playback.stopped = Some(self.at);
        playback.stopping = Some(self.index);
        playback.reason = line.text("reason").unwrap_or_default().into_owned();
        playback.received_ms = line.number("audioMs");
        playback.heard_ms = line
            .number("heardMs")
            .or_else(|| line.number("discordBytes").map(|bytes| bytes / DISCORD_BYTES_PER_MS));
        playback.cut = cut;
        let outcome = match playback.reason.as_str() {
            "player-idle" => Outcome::Answered,
            _ if playback.was_cut() => Outcome::Cut,
            other => Outcome::Stopped(other.to_owned()),
        };
        let now = self.at;
        if let Some(exchange) = playback.exchange {
            let exchange = &mut self.facts.exchanges[exchange];
            exchange.events.push(self.index);
            if exchange.outcome == Outcome::Unanswered {
                exchange.outcome = outcome;
            }
        }
        if let Some(pause) = self.facts.pauses.last_mut() {
            pause.to.get_or_insert(now);
        }
    }

    fn decision(&mut self, decision: &Decision) {
        let (now, index) = (self.at, self.index);
        if let Some(user) = &decision.user {
            let label = decision.rest.get("speaker").and_then(Value::as_str).unwrap_or_default();
            self.speaker(user, label);
        }
        let reason = decision.reason.clone().unwrap_or_default();
        match decision.kind.as_str() {
            "suspected" => self.facts.doubts.push(Doubt {
                user: decision.user.clone().unwrap_or_default(),
                from: now,
                to: None,
                verdict: None,
                reason,
                events: vec![index],
            }),
            "confirmed" => self.decided(decision, Verdict::Confirmed),
            "dismissed" => self.decided(decision, Verdict::Dismissed),
            "paused" => {
                self.facts.pauses.push(Pause { from: now, to: None, resumed: false, event: index });
            }
            "resumed" | "cut" => {
                let resumed = decision.kind == "resumed";
                if let Some(pause) = self.facts.pauses.last_mut().filter(|pause| pause.to.is_none())
                {
                    (pause.to, pause.resumed) = (Some(now), resumed);
                }
                if !resumed {
                    self.cut_decided(decision);
                }
            }
            _ => {}
        }
    }

    fn decided(&mut self, decision: &Decision, verdict: Verdict) {
        let (now, index) = (self.at, self.index);
        let user = decision.user.as_deref().unwrap_or_default();
        let doubts = &self.facts.doubts;
        let skipped = doubts.len().saturating_sub(RECENT);
        let open = doubts[skipped..]
            .iter()
            .rposition(|doubt| doubt.user == user && doubt.to.is_none())
            .map(|index| index + skipped);
        let place = open.unwrap_or_else(|| {
            self.facts.doubts.push(Doubt {
                user: user.to_owned(),
                from: now,
                to: None,
                verdict: None,
                reason: String::new(),
                events: Vec::new(),
            });
            self.facts.doubts.len() - 1
        });
        let doubt = &mut self.facts.doubts[place];
        doubt.to = Some(now);
        doubt.verdict = Some(verdict);
        doubt.events.push(index);
        if let Some(reason) = &decision.reason {
            reason.clone_into(&mut doubt.reason);
        }
        if verdict == Verdict::Confirmed && self.playing.is_some() {
            self.cut_decided(decision);
        }
    }

    /// What was decided first says most: the later steps only carry it out.
    fn cut_decided(&mut self, decision: &Decision) {
        let index = self.index;
        let cut = self.cut.get_or_insert_default();
        cut.events.push(index);
        cut.user = cut.user.take().or_else(|| decision.user.clone());
        cut.reason = cut.reason.take().or_else(|| decision.reason.clone());
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
