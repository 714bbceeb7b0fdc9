//! One call, as far as it is known.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{ChannelId, GuildId, SessionTime, timeline::Record};

use super::view::{CallState, CallView, Line, Point, is_recent};
use crate::{
    conversation::{AgentVoice, AnswerDelay},
    session::{Flow, Present, Pulse},
};

/// Lines that are kept of a call.
const LINES: usize = 200;
/// Answers whose delay is kept.
const ANSWERS: usize = 60;
/// How far back the graph of losses goes, ms.
const LOSS_WINDOW_MS: u64 = 120_000;
/// Losses are counted over so long.
const LOSS_SPAN: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct CallBoard {
    began: SessionTime,
    mode: String,
    state: CallState,
    present: Vec<Present>,
    agent: AgentVoice,
    answers: u64,
    interruptions: u64,
    dismissed: u64,
    answer_ms: VecDeque<Point>,
    loss_percent: VecDeque<Point>,
    /// Flow at the beginning of the span that is being counted.
    counted: Option<(SessionTime, Flow)>,
    /// Of this connection.
    flow: Flow,
    /// Of the call's earlier connections.
    earlier: Flow,
    lines: VecDeque<Line>,
}

impl CallBoard {
    /// Whether a record is the first of a call.
    pub(super) fn begins_with(record: &Record) -> bool {
        matches!(record.line.as_ref(), "joining" | "joined")
    }

    pub(super) fn new(began: SessionTime) -> Self {
        Self {
            began,
            mode: String::new(),
            state: CallState::Joining,
            present: Vec::new(),
            agent: AgentVoice::Silent,
            answers: 0,
            interruptions: 0,
            dismissed: 0,
            answer_ms: VecDeque::new(),
            loss_percent: VecDeque::new(),
            counted: None,
            flow: Flow::default(),
            earlier: Flow::default(),
            lines: VecDeque::new(),
        }
    }

    pub(super) fn began(&self) -> SessionTime {
        self.began
    }

    pub(super) fn state(&self) -> &CallState {
        &self.state
    }

    pub(super) fn present(&self) -> &[Present] {
        &self.present
    }

    /// Of all its connections.
    pub(super) fn flow(&self) -> Flow {
        self.earlier + self.flow
    }

    pub(super) fn record(&mut self, record: &Record, line: Line) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
        let text = |name: &str| record.fields.find(name).and_then(|value| value.as_str());
        let reason =
            || ["message", "reason"].into_iter().find_map(text).unwrap_or_default().to_owned();
        match record.line.as_ref() {
            "joining" => {
                self.begin(record.at);
                self.mode = text("mode").unwrap_or_default().to_owned();
            }
            "joined" | "voice connection ready" => self.state = CallState::Connected,
            "voice connection interrupted" if !self.state.is_over() => {
                self.state = CallState::Interrupted { why: reason() };
            }
            "left" | "join failed before ready" => self.end(reason()),
            "realtime audio playback started" | "playback start" => self.answers += 1,
            "realtime barge-in requested" => self.interruptions += 1,
            "realtime barge-in dismissed" => self.dismissed += 1,
            _ => {}
        }
    }

    pub(super) fn pulse(&mut self, now: SessionTime, pulse: Pulse) {
        if self.state.is_over() {
            return;
        }
        if pulse.flow.received < self.flow.received {
            self.earlier = self.earlier + self.flow;
            self.counted = None;
        }
        self.flow = pulse.flow;
        self.present = pulse.present;
        self.agent = pulse.agent;
        if let Some(told) = pulse.answer_delay {
            self.note_delay(told);
        }
        self.count_loss(now);
    }

    pub(super) fn view(
        &self,
        guild: GuildId,
        channel: ChannelId,
        now: SessionTime,
        after: u64,
    ) -> CallView {
        let recent = |point: &&Point| is_recent(now, point.at_ms, LOSS_WINDOW_MS);
        CallView {
            guild,
            channel,
            mode: self.mode.clone(),
            state: self.state.clone(),
            began_ms: self.began.as_millis(),
            present: self.present.clone(),
            agent: self.agent,
            answers: self.answers,
            interruptions: self.interruptions,
            dismissed: self.dismissed,
            answer_ms: self.answer_ms.iter().copied().collect(),
            loss_percent: self.loss_percent.iter().filter(recent).copied().collect(),
            flow: self.flow(),
            lines: self.lines.iter().filter(|line| line.seq > after).cloned().collect(),
        }
    }

    /// A channel that is joined again is a new call, whose timeline goes on.
    fn begin(&mut self, now: SessionTime) {
        if self.state.is_over() {
            let lines = std::mem::take(&mut self.lines);
            let earlier = self.flow();
            *self = Self { lines, earlier, ..Self::new(now) };
        }
        self.state = CallState::Joining;
    }

    fn end(&mut self, why: String) {
        self.state = CallState::Ended { why };
        self.agent = AgentVoice::Silent;
        self.present.clear();
    }

    /// Every answer's delay once: pulses tell the last one again and again.
    fn note_delay(&mut self, told: AnswerDelay) {
        let at_ms = told.at.as_millis();
        if self.answer_ms.back().is_some_and(|last| last.at_ms >= at_ms) {
            return;
        }
        if self.answer_ms.len() == ANSWERS {
            self.answer_ms.pop_front();
        }
        self.answer_ms.push_back(Point { at_ms, value: told.delay.as_secs_f64() * 1e3 });
    }

    fn count_loss(&mut self, now: SessionTime) {
        let (since, before) = *self.counted.get_or_insert((now, self.flow));
        if now.since(since) < LOSS_SPAN {
            return;
        }
        let lost = self.flow.lost.saturating_sub(before.lost);
        let heard = self.flow.delivered.saturating_sub(before.delivered);
        self.counted = Some((now, self.flow));
        if lost + heard == 0 {
            return;
        }
        let value = 100.0 * lost as f64 / (lost + heard) as f64;
        self.loss_percent.push_back(Point { at_ms: now.as_millis(), value });
        while self
            .loss_percent
            .front()
            .is_some_and(|point| !is_recent(now, point.at_ms, LOSS_WINDOW_MS))
        {
            self.loss_percent.pop_front();
        }
    }
}
