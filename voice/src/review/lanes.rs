//! A recording as lanes side by side: each speaker, the agent, the provider, the call.

use clawvoice_session::SessionTime;
use serde::Serialize;
use serde_json::Value;

use super::{
    Timeline,
    event::{Input, Line, What},
    facts::{EventIndex, Facts, Verdict},
    words::{length, one_line, quote, reason},
};

/// One row of the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lane {
    /// Whose it is.
    pub kind: LaneKind,
    /// The user's id on a speaker's lane, else empty.
    pub user: String,
    /// The name shown for it.
    pub label: String,
    /// What lasted.
    pub spans: Vec<Span>,
    /// What happened at a moment.
    pub marks: Vec<Mark>,
    /// Measured values over time, each in its own curve.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub curves: Vec<Curve>,
}

/// Whose a lane is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneKind {
    /// Somebody in the channel.
    Speaker,
    /// What the agent says.
    Voice,
    /// What the agent thinks about.
    Thinking,
    /// The realtime provider.
    Provider,
    /// The voice connection.
    Call,
}

/// Something that lasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// What it is, which is also how it is drawn.
    pub kind: SpanKind,
    /// Its beginning.
    #[serde(rename = "from_us")]
    pub from: SessionTime,
    /// Its end; the recording's end if it is not recorded.
    #[serde(rename = "to_us")]
    pub to: SessionTime,
    /// What is written on it.
    pub label: String,
    /// The entry that says most about it.
    pub event: EventIndex,
}

/// What a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpanKind {
    /// Somebody speaks.
    Speech,
    /// A turn waits whether its speaker goes on.
    Grace,
    /// A sound that might be an interruption.
    Doubt,
    /// An answer plays.
    Playback,
    /// An answer plays and will be cut.
    Cut,
    /// An answer is held back.
    Paused,
    /// The agent thinks.
    Thinking,
    /// A connection is being made.
    Connecting,
    /// The provider hears speech.
    Hearing,
    /// The provider makes an answer.
    Response,
    /// The bot is in the channel.
    Connected,
    /// The voice connection is being repaired.
    Repair,
}

/// Something that happened at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    #[serde(rename = "at_us")]
    pub at: SessionTime,
    /// What it is.
    pub kind: MarkKind,
    /// What is written beside it.
    pub label: String,
    /// The entry behind it.
    pub event: EventIndex,
}

/// What a mark is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MarkKind {
    /// Words were understood.
    Words,
    /// A rule decided.
    Decision,
    /// A step of the ordinary course.
    Step,
    /// Something went wrong.
    Trouble,
}

/// Measured values over time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// What was measured, in the recording's word.
    pub name: String,
    /// Time in microseconds, and value.
    pub points: Vec<(u64, f64)>,
}

/// Lays a recording out.
#[must_use]
pub fn lay_out(timeline: &Timeline, facts: &Facts) -> Vec<Lane> {
    let mut lanes = Layout::new(facts);
    lanes.speech();
    lanes.answers();
    for (index, event) in timeline.events.iter().enumerate() {
        match &event.what {
            What::Record(line) => lanes.line(event.at, index, line),
            What::Decision(decision) => {
                let lane = lanes.speaker(decision.user.as_deref()).unwrap_or(lanes.voice);
                let why = decision.reason.as_deref().map(|word| format!(": {}", one_line(word)));
                let label = format!("{}{}", one_line(&decision.kind), why.unwrap_or_default());
                lanes.mark(lane, event.at, MarkKind::Decision, label, index);
            }
            What::Input(input) => lanes.input(event.at, index, input),
            What::Audio(_) | What::Other(_) => {}
        }
    }
    lanes.finish()
}

struct Layout<'a> {
    facts: &'a Facts,
    lanes: Vec<Lane>,
    voice: usize,
    thinking: usize,
    provider: usize,
    call: usize,
    /// Spans whose end has not come: lane, kind, beginning, label, entry.
    open: Vec<(usize, SpanKind, SessionTime, String, EventIndex)>,
}

impl<'a> Layout<'a> {
    fn new(facts: &'a Facts) -> Self {
        let mut lanes: Vec<Lane> = facts
            .speakers
            .iter()
            .map(|speaker| lane(LaneKind::Speaker, &speaker.user, facts.label(&speaker.user)))
            .collect();
        let voice = lanes.len();
        lanes.push(lane(LaneKind::Voice, "", "agent speaks"));
        lanes.push(lane(LaneKind::Thinking, "", "agent thinks"));
        lanes.push(lane(LaneKind::Provider, "", "provider"));
        lanes.push(lane(LaneKind::Call, "", "call"));
        Self {
            facts,
            lanes,
            voice,
            thinking: voice + 1,
            provider: voice + 2,
            call: voice + 3,
            open: Vec::new(),
        }
    }

    fn speaker(&self, user: Option<&str>) -> Option<usize> {
        let user = user?;
        self.facts.speakers.iter().position(|speaker| speaker.user == user)
    }

    fn span(
        &mut self,
        lane: usize,
        kind: SpanKind,
        (from, to): (SessionTime, Option<SessionTime>),
        label: String,
        event: EventIndex,
    ) {
        let to = to.unwrap_or(self.facts.end).max(from);
        self.lanes[lane].spans.push(Span { kind, from, to, label, event });
    }

    fn mark(
        &mut self,
        lane: usize,
        at: SessionTime,
        kind: MarkKind,
        label: String,
        event: EventIndex,
    ) {
        self.lanes[lane].marks.push(Mark { at, kind, label, event });
    }

    /// What is said on the speakers' lanes.
    fn speech(&mut self) {
        let facts = self.facts;
        for turn in &facts.turns {
            let Some(lane) = self.speaker(Some(&turn.user)) else { continue };
            let event = turn.closing.unwrap_or(turn.opening);
            let Some(from) = turn.audio_from else {
                let label = "no sound".to_owned();
                self.span(lane, SpanKind::Grace, (turn.opened, turn.closed), label, event);
                continue;
            };
            let to = turn.audio_to.or(turn.closed);
            self.span(lane, SpanKind::Speech, (from, to), "speaks".to_owned(), event);
            if let (Some(to), Some(_)) = (turn.audio_to, turn.closed) {
                let label = "silent; may go on".to_owned();
                self.span(lane, SpanKind::Grace, (to, turn.closed), label, event);
            }
        }
        for doubt in &facts.doubts {
            let Some(lane) = self.speaker(Some(&doubt.user)) else { continue };
            let verdict = match doubt.verdict {
                Some(Verdict::Confirmed) => "interrupts",
                Some(Verdict::Dismissed) => "does not interrupt",
                None => "interrupts?",
            };
            let label = format!("{verdict}: {}", reason(&doubt.reason));
            let event = doubt.events.last().copied().unwrap_or_default();
            self.span(lane, SpanKind::Doubt, (doubt.from, doubt.to), label, event);
        }
        for exchange in &facts.exchanges {
            if let Some(at) = exchange.transcribed {
                let lane = self.speaker(exchange.user.as_deref()).unwrap_or(self.provider);
                let event = exchange.events.first().copied().unwrap_or_default();
                self.mark(lane, at, MarkKind::Words, quote(&exchange.words), event);
            }
        }
    }

    /// What is thought and said on the agent's lanes.
    fn answers(&mut self) {
        let facts = self.facts;
        for exchange in &facts.exchanges {
            let Some(asked) = exchange.asked else { continue };
            let last = exchange.events.last().copied().unwrap_or_default();
            let label = match exchange.answered {
                Some(answered) => {
                    format!("thinks {}", length(answered.since(asked).as_millis() as u64))
                }
                None => "thinks".to_owned(),
            };
            self.span(self.thinking, SpanKind::Thinking, (asked, exchange.answered), label, last);
        }
        for playback in &facts.playbacks {
            let kind = if playback.was_cut() { SpanKind::Cut } else { SpanKind::Playback };
            let label = if playback.words.is_empty() {
                "speaks".to_owned()
            } else {
                quote(&playback.words)
            };
            let event = playback.stopping.unwrap_or(playback.starting);
            self.span(self.voice, kind, (playback.started, playback.stopped), label, event);
        }
        for pause in &facts.pauses {
            let label = if pause.resumed { "held back" } else { "held back, then given up" };
            let within = (pause.from, pause.to);
            self.span(self.voice, SpanKind::Paused, within, label.to_owned(), pause.event);
        }
    }

    fn begin(
        &mut self,
        lane: usize,
        kind: SpanKind,
        at: SessionTime,
        label: String,
        event: EventIndex,
    ) {
        self.end(lane, kind, at);
        self.open.push((lane, kind, at, label, event));
    }

    fn end(&mut self, lane: usize, kind: SpanKind, at: SessionTime) {
        let place = self.open.iter().rposition(|span| (span.0, span.1) == (lane, kind));
        if let Some(place) = place {
            let (lane, kind, from, label, event) = self.open.remove(place);
            self.span(lane, kind, (from, Some(at)), label, event);
        }
    }

    fn line(&mut self, at: SessionTime, event: EventIndex, line: &Line) {
        let (provider, call, voice) = (self.provider, self.call, self.voice);
        match line.name.as_str() {
            "realtime bridge starting" => {
                let model = line.text("model").unwrap_or_default();
                let label = format!("connects {}", one_line(&model));
                self.begin(provider, SpanKind::Connecting, at, label, event);
            }
            "realtime bridge ready" => {
                self.end(provider, SpanKind::Connecting, at);
                self.mark(provider, at, MarkKind::Step, "ready".to_owned(), event);
            }
            "realtime lifecycle" => self.lifecycle(at, event, &line.detail),
            "joining" => {
                self.begin(call, SpanKind::Connecting, at, "joins".to_owned(), event);
            }
            "joined" => {
                self.end(call, SpanKind::Connecting, at);
                let channel = line.text("channel").unwrap_or_default();
                let label = format!("in channel {}", one_line(&channel));
                self.begin(call, SpanKind::Connected, at, label, event);
            }
            "left" => {
                self.end(call, SpanKind::Repair, at);
                self.end(call, SpanKind::Connected, at);
                self.mark(call, at, MarkKind::Step, "left".to_owned(), event);
            }
            "voice connection interrupted" => {
                self.begin(call, SpanKind::Repair, at, "connection lost".to_owned(), event);
                self.mark(call, at, MarkKind::Trouble, line.name.clone(), event);
            }
            "voice connection ready" => {
                self.end(call, SpanKind::Repair, at);
                self.mark(call, at, MarkKind::Step, "media flows".to_owned(), event);
            }
            "DAVE epoch ready" => {
                let epoch = line.number("epoch").unwrap_or_default();
                self.mark(call, at, MarkKind::Step, format!("DAVE epoch {epoch}"), event);
            }
            "realtime barge-in detected" => {
                let lane = self.speaker(line.text("user").as_deref()).unwrap_or(voice);
                let source = line.text("source").unwrap_or_default();
                let label = format!("barge-in: {}", one_line(&source));
                self.mark(lane, at, MarkKind::Decision, label, event);
            }
            "realtime barge-in requested" => {
                self.mark(voice, at, MarkKind::Decision, "stop!".to_owned(), event);
            }
            "realtime model interrupt requested client:response.cancel" => {
                self.mark(provider, at, MarkKind::Step, "told to cancel".to_owned(), event);
            }
            "realtime model interrupt confirmed"
            | "realtime model interrupt confirmed server:response.done" => {
                self.mark(provider, at, MarkKind::Step, "has cancelled".to_owned(), event);
            }
            "realtime model audio truncated client:conversation.item.truncate" => {
                let heard = line.number("audioEndMs").unwrap_or_default();
                let label = format!("told that {} were heard", length(heard));
                self.mark(provider, at, MarkKind::Step, label, event);
            }
            "realtime model interrupt ignored client:conversation.item.truncate.skipped" => {
                self.mark(
                    voice,
                    at,
                    MarkKind::Decision,
                    "too early to interrupt".to_owned(),
                    event,
                );
            }
            "realtime exact speech queued" => {
                self.mark(voice, at, MarkKind::Step, "an answer waits".to_owned(), event);
            }
            "realtime audio playback finishing" => {
                self.mark(voice, at, MarkKind::Step, "all of it is here".to_owned(), event);
            }
            _ if line.warns() => {
                let lane = match line.name.as_str() {
                    name if name.starts_with("realtime audio") => voice,
                    name if name.starts_with("realtime consult") => self.thinking,
                    name if name.starts_with("realtime forced") => self.thinking,
                    name if name.starts_with("realtime") => provider,
                    name if name.starts_with("agent") => self.thinking,
                    "TTS failed" | "playback error" => voice,
                    _ => call,
                };
                self.mark(lane, at, MarkKind::Trouble, one_line(&line.name), event);
            }
            _ => {}
        }
    }

    fn lifecycle(&mut self, at: SessionTime, event: EventIndex, detail: &str) {
        let provider = self.provider;
        match detail {
            "server:input_audio_buffer.speech_started" => {
                self.begin(provider, SpanKind::Hearing, at, "hears speech".to_owned(), event);
            }
            "server:input_audio_buffer.speech_stopped" => {
                self.end(provider, SpanKind::Hearing, at);
            }
            "server:response.created" => {
                self.begin(provider, SpanKind::Response, at, "makes an answer".to_owned(), event);
            }
            "server:response.done" | "server:response.cancelled" => {
                self.end(provider, SpanKind::Response, at);
            }
            "server:error" => {
                self.mark(provider, at, MarkKind::Trouble, "error".to_owned(), event);
            }
            _ => {}
        }
    }

    fn input(&mut self, at: SessionTime, event: EventIndex, input: &Input) {
        let lane = self.speaker(input.user.as_deref()).unwrap_or(self.voice);
        for (name, value) in &input.values {
            if let Some(value) = value.as_f64().filter(|value| value.is_finite()) {
                let curves = &mut self.lanes[lane].curves;
                let curve = match curves.iter_mut().position(|curve| curve.name == *name) {
                    Some(known) => &mut curves[known],
                    // A recording has few; a made-up one must not have thousands.
                    None if curves.len() >= 16 => continue,
                    None => {
                        curves.push(Curve { name: name.clone(), points: Vec::new() });
                        let last = curves.len() - 1;
                        &mut curves[last]
                    }
                };
                curve.points.push((at.as_micros(), value));
            }
        }
        if let (true, Some(Value::String(text))) = (input.kind == "words", input.values.get("text"))
        {
            self.mark(lane, at, MarkKind::Words, quote(text), event);
        }
    }

    fn finish(mut self) -> Vec<Lane> {
        let end = self.facts.end;
        for (lane, kind, from, label, event) in std::mem::take(&mut self.open) {
            self.span(lane, kind, (from, Some(end)), label, event);
        }
        for lane in &mut self.lanes {
            lane.spans.sort_by_key(|span| span.from);
            lane.marks.sort_by_key(|mark| mark.at);
        }
        self.lanes
    }
}

fn lane(kind: LaneKind, user: &str, label: &str) -> Lane {
    Lane {
        kind,
        user: user.to_owned(),
        label: one_line(label),
        spans: Vec::new(),
        marks: Vec::new(),
        curves: Vec::new(),
    }
}
