//! What happened, in plain words and in order, for somebody who knows nothing of the program.

use clawvoice_session::SessionTime;
use serde::Serialize;

use super::{
    Clock, Timeline,
    event::{Decision, Line},
    facts::{EventIndex, Exchange, Facts, Outcome, Playback, SpeakerTurn, StageName},
    words::{comparison, length, one_line, printable, quote, reason},
};

/// Lines and decisions this close together tell of the same thing, in milliseconds.
const SAME_MOMENT_MS: u128 = 100;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Happening {
    /// When.
    #[serde(rename = "at_us")]
    pub at: SessionTime,
    /// Who did it.
    pub who: Who,
    /// How it is to be taken.
    pub tone: Tone,
    /// What, as a sentence whose subject is [`Self::who`].
    pub text: String,
    /// The figures behind it; often empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The entry that says so.
    pub event: EventIndex,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "user")]
pub enum Who {
    /// Somebody in the channel, by id.
    Speaker(String),
    /// The agent: what it thinks and says.
    Agent,
    /// The realtime provider.
    Provider,
    /// The voice connection to Discord.
    Call,
}

/// How something is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// The ordinary course.
    Plain,
    /// A decision about an answer.
    Decision,
    /// An answer ended before its end.
    Cut,
    /// Something went wrong.
    Trouble,
}

/// Tells what happened.
#[must_use]
pub fn tell(timeline: &Timeline, facts: &Facts) -> Vec<Happening> {
    let decided = timeline.events.iter().filter(|event| event.what.decision().is_some());
    let decided = decided.map(|event| event.at).collect();
    let mut story = Story { timeline, facts, decided, told: Vec::new() };
    for turn in &facts.turns {
        story.turn(turn);
    }
    for exchange in &facts.exchanges {
        story.exchange(exchange);
    }
    for playback in &facts.playbacks {
        story.playback(playback);
    }
    for (index, event) in timeline.events.iter().enumerate() {
        if let Some(line) = event.what.record() {
            story.line(event.at, index, line);
        } else if let Some(decision) = event.what.decision() {
            story.decision(event.at, index, decision);
        }
    }
    story.told.sort_by_key(|happening| (happening.at, happening.event));
    story.told
}

struct Story<'a> {
    timeline: &'a Timeline,
    facts: &'a Facts,
    /// The times of the decisions, in order.
    decided: Vec<SessionTime>,
    told: Vec<Happening>,
}

impl Story<'_> {
    fn say(&mut self, at: SessionTime, who: Who, tone: Tone, event: EventIndex, text: String) {
        let text = printable(&text);
        self.told.push(Happening { at, who, tone, text, detail: String::new(), event });
    }

    fn timed(&self) -> bool {
        self.timeline.clock != Clock::Order
    }

    /// ` after 1.25 s`; nothing where times mean nothing.
    fn after(&self, millis: u64) -> String {
        if self.timed() { format!(" after {}", length(millis)) } else { String::new() }
    }

    /// Whether decisions tell of this moment: then the lines that follow from them say it again.
    fn is_decided(&self, at: SessionTime) -> bool {
        let near = |decided: Option<&SessionTime>| {
            decided.is_some_and(|decided| {
                decided.since(at).max(at.since(*decided)).as_millis() <= SAME_MOMENT_MS
            })
        };
        let next = self.decided.partition_point(|decided| *decided < at);
        near(self.decided.get(next)) || near(self.decided[..next].last())
    }

    fn turn(&mut self, turn: &SpeakerTurn) {
        let who = Who::Speaker(turn.user.clone());
        let Some(from) = turn.audio_from else {
            if turn.closed.is_some() {
                let text = "shows as speaking, but no sound comes".to_owned();
                self.say(turn.opened, who, Tone::Plain, turn.opening, text);
            }
            return;
        };
        let over = self.facts.playing_at(from).is_some_and(|playback| playback.started < from);
        let text = if over { "starts to speak over the answer" } else { "starts to speak" };
        self.say(from, who.clone(), Tone::Plain, turn.opening, text.to_owned());
        if let (Some(to), Some(closing)) = (turn.audio_to, turn.closing) {
            let spoke = to.since(from).as_millis() as u64;
            let text = format!("falls silent{}", self.after(spoke));
            self.say(to, who, Tone::Plain, closing, text);
        }
    }

    fn exchange(&mut self, exchange: &Exchange) {
        let event = exchange.events.first().copied().unwrap_or_default();
        let last = exchange.events.last().copied().unwrap_or_default();
        let who = exchange.user.clone().map_or(Who::Provider, Who::Speaker);
        if let Some(at) = exchange.transcribed {
            let text = match who {
                Who::Speaker(_) => format!("is understood: {}", quote(&exchange.words)),
                _ => format!("understands: {}", quote(&exchange.words)),
            };
            self.say(at, who.clone(), Tone::Plain, event, text);
        }
        if let Some(asked) = exchange.asked {
            self.say(asked, Who::Agent, Tone::Plain, event, "is asked".to_owned());
            if let Some(answered) = exchange.answered {
                let took = self.after(answered.since(asked).as_millis() as u64);
                let text = format!("has an answer{took}: {}", quote(&exchange.answer));
                if !exchange.answer.is_empty() {
                    self.say(answered, Who::Agent, Tone::Plain, last, text);
                }
            }
        }
        let at = self.timeline.events.get(last).map_or(self.facts.end, |event| event.at);
        match &exchange.outcome {
            Outcome::LeftAlone(why) => {
                let text = format!("gets no answer, on purpose: {}", reason(why));
                self.say(at, who, Tone::Decision, last, text);
            }
            Outcome::Control(mode) => {
                let text =
                    format!("is obeyed as a command to the running work: {}", one_line(mode));
                let at = exchange.transcribed.unwrap_or(at);
                self.say(at, who, Tone::Decision, last, text);
            }
            Outcome::Silent => {
                self.say(at, Who::Agent, Tone::Plain, last, "chooses to say nothing".to_owned());
            }
            Outcome::CalledOff => {
                let text = "drops its work: it was called off".to_owned();
                self.say(at, Who::Agent, Tone::Decision, last, text);
            }
            Outcome::Failed(why) => {
                let text = format!("fails to answer: {}", one_line(why));
                self.say(at, Who::Agent, Tone::Trouble, last, text);
            }
            Outcome::Unanswered | Outcome::Answered | Outcome::Cut | Outcome::Stopped(_) => {}
        }
    }

    fn playback(&mut self, playback: &Playback) {
        let exchange = playback.exchange.and_then(|index| self.facts.exchanges.get(index));
        let text = match exchange.and_then(|exchange| Some((exchange, exchange.latency_ms()?))) {
            Some((exchange, latency)) if self.timed() => {
                let whom =
                    exchange.user.as_deref().map_or("the question", |user| self.facts.label(user));
                let slowest = exchange.stages().into_iter().max_by_key(super::facts::Stage::millis);
                let mostly = slowest
                    .filter(|stage| {
                        stage.millis() * 2 > latency && stage.name != StageName::Transcript
                    })
                    .map(|stage| format!(", mostly {}", stage.name.words()))
                    .unwrap_or_default();
                format!("starts to answer, {} after {}{mostly}", length(latency), one_line(whom))
            }
            _ => "starts to speak".to_owned(),
        };
        self.say(playback.started, Who::Agent, Tone::Plain, playback.starting, text);
        if let (Some(stopped), Some(event)) = (playback.stopped, playback.stopping) {
            let (tone, text) = self.ending(playback);
            self.say(stopped, Who::Agent, tone, event, text);
        }
    }

    fn ending(&self, playback: &Playback) -> (Tone, String) {
        let heard = self.after(playback.length_ms());
        if playback.reason == "player-idle" {
            return (Tone::Plain, format!("has said everything{heard}"));
        }
        let of = match playback.received_ms {
            Some(received) if received > playback.length_ms() && self.timed() => {
                format!("{heard} of {}", length(received))
            }
            _ => heard,
        };
        if !playback.was_cut() {
            let why = reason(&playback.reason);
            let tone = match playback.reason.as_str() {
                "active-run-control" | "session-close" => Tone::Cut,
                _ => Tone::Trouble,
            };
            return (tone, format!("stops{of}: {why}"));
        }
        let cut = playback.cut.as_ref();
        let by = cut
            .and_then(|cut| cut.user.as_deref())
            .map(|user| format!(" by {}", one_line(self.facts.label(user))))
            .unwrap_or_default();
        let why = cut
            .and_then(|cut| cut.reason.as_deref())
            .map(|word| format!(" ({})", reason(word)))
            .unwrap_or_default();
        (Tone::Cut, format!("is cut off{by}{of}{why}"))
    }

    fn decision(&mut self, at: SessionTime, event: EventIndex, decision: &Decision) {
        let speaker = decision.user.clone().map(Who::Speaker);
        let why = decision.reason.as_deref().map(reason).unwrap_or_default();
        let because = if why.is_empty() { why } else { format!(": {why}") };
        let (who, text) = match decision.kind.as_str() {
            "suspected" => {
                (speaker.unwrap_or(Who::Agent), format!("might be interrupting{because}"))
            }
            "confirmed" => (speaker.unwrap_or(Who::Agent), format!("is interrupting{because}")),
            "dismissed" => (speaker.unwrap_or(Who::Agent), format!("is not interrupting{because}")),
            "paused" => (Who::Agent, format!("holds its answer back to listen{because}")),
            "resumed" => (Who::Agent, format!("goes on with its answer{because}")),
            // The end of the playback says it.
            "cut" if self.facts.playing_at(at).is_some() => return,
            "cut" => (Who::Agent, format!("gives its answer up{because}")),
            other => {
                let text = format!("decides: {}{because}", one_line(other));
                (speaker.unwrap_or(Who::Agent), text)
            }
        };
        let (text, detail) = (printable(&text), printable(&comparison(decision)));
        self.told.push(Happening { at, who, tone: Tone::Decision, text, detail, event });
    }

    fn line(&mut self, at: SessionTime, event: EventIndex, line: &Line) {
        let speaker = || line.text("user").map(|user| Who::Speaker(user.into_owned()));
        let message = || {
            let text = line.text("message").unwrap_or_default();
            let text = if text.is_empty() { line.detail.as_str() } else { &text };
            if text.is_empty() { String::new() } else { format!(": {}", one_line(text)) }
        };
        let (who, tone, text) = match line.name.as_str() {
            "joining" => {
                let mode = line.text("mode").unwrap_or_default();
                (Who::Call, Tone::Plain, format!("is joining the channel ({})", one_line(&mode)))
            }
            "joined" => (Who::Call, Tone::Plain, "is in the channel".to_owned()),
            "left" => (Who::Call, Tone::Plain, "has left the channel".to_owned()),
            "realtime bridge ready" => (Who::Provider, Tone::Plain, "is ready".to_owned()),
            "realtime barge-in detected" | "realtime barge-in requested" if self.is_decided(at) => {
                return;
            }
            "realtime barge-in detected" => {
                let Some(who) = speaker() else { return };
                let source = match line.text("source").as_deref() {
                    Some("speaker-start") => "shows as speaking during the answer",
                    _ => "is heard during the answer",
                };
                let so_far = line
                    .number("outputAudioMs")
                    .map(|ms| format!(", {} into it", length(ms)))
                    .unwrap_or_default();
                (who, Tone::Decision, format!("{source}{so_far}"))
            }
            "realtime barge-in requested" => {
                (Who::Agent, Tone::Decision, "is asked to stop speaking".to_owned())
            }
            "realtime barge-in ignored" if line.flag("bargeIn") == Some(false) => {
                let text = "is not interrupted: interruptions are switched off".to_owned();
                (Who::Agent, Tone::Decision, text)
            }
            "realtime capture ignored during playback (barge-in disabled)" => {
                let text = "is not listened to: interruptions are switched off".to_owned();
                (speaker().unwrap_or(Who::Call), Tone::Decision, text)
            }
            "realtime model interrupt ignored client:conversation.item.truncate.skipped" => {
                let heard = line.number("audioEndMs").unwrap_or(0);
                let least = line.number("minAudioEndMs").unwrap_or(0);
                let text = format!(
                    "goes on: only {} of the answer were heard, an interruption needs {}",
                    length(heard),
                    length(least)
                );
                (Who::Agent, Tone::Decision, text)
            }
            "realtime exact speech queued" => {
                let text = "has an answer that must wait its turn".to_owned();
                (Who::Agent, Tone::Plain, text)
            }
            "realtime wake-name gate matched" => {
                let heard = line.text("heard").unwrap_or_default();
                (Who::Agent, Tone::Decision, format!("is called by name: {}", quote(&heard)))
            }
            // These are told with their exchange or their playback.
            "realtime forced agent consult failed"
            | "realtime consult failed"
            | "agent turn failed" => return,
            "realtime error" => (Who::Provider, Tone::Trouble, format!("complains{}", message())),
            _ if line.warns() => {
                let who = match line.name.as_str() {
                    name if name.starts_with("realtime audio") => Who::Agent,
                    name if name.starts_with("realtime") => Who::Provider,
                    "TTS failed" | "playback error" => Who::Agent,
                    _ => Who::Call,
                };
                let why = line.text("reason").map(|word| format!(" ({})", reason(&word)));
                let text = format!("{}{}{}", line.name, message(), why.unwrap_or_default());
                (who, Tone::Trouble, text)
            }
            _ => return,
        };
        self.say(at, who, tone, event, text);
    }
}
