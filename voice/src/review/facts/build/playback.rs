//! Answers on their way to the channel.

use super::{Builder, DISCORD_BYTES_PER_MS};
use crate::review::{
    event::Line,
    facts::{Exchange, Outcome, Playback},
};

impl Builder {
    pub(super) fn assistant_said(&mut self, words: &str) {
        // It is complete before it has been played, and may even come before it is begun.
        if let Some(playing) = self.playing {
            words.clone_into(&mut self.facts.playbacks[playing].words);
        }
    }

    pub(super) fn lifecycle(&mut self, event: &str) {
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
    pub(super) fn first_audio(&mut self) {
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
    pub(super) fn awaiting_voice(&self) -> Option<usize> {
        let open = |exchange: &Exchange| {
            exchange.playback.is_none()
                && match &exchange.outcome {
                    Outcome::Unanswered => true,
                    // Its outcome is spoken, and so is an excuse.
                    Outcome::Control(_) | Outcome::Failed(_) => true,
                    _ => false,
                }
        };
        self.first_recent(|exchange| open(exchange) && exchange.answered.is_some())
            .or_else(|| self.last_recent(|exchange| open(exchange) && exchange.asked.is_none()))
            .or_else(|| self.last_recent(open))
    }

    pub(super) fn dequeued(&mut self) {
        if let Some(index) = self.awaiting_voice() {
            let exchange = &mut self.facts.exchanges[index];
            exchange.dequeued = Some(self.at);
            exchange.events.push(self.index);
        }
    }

    pub(super) fn barge_in_detected(&mut self, user: Option<&str>, line: &Line) {
        let index = self.index;
        let cut = self.cut.get_or_insert_default();
        cut.user = user.map(str::to_owned);
        cut.source = line.text("source").map(|source| source.into_owned());
        cut.output_ms = line.number("outputAudioMs");
        cut.events.push(index);
    }

    pub(super) fn playback_started(&mut self) {
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
    pub(super) fn exchange_without_words(&mut self) -> Option<usize> {
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

    pub(super) fn playback_stopped(&mut self, line: &Line) {
        self.pause_ended(false);
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
}
