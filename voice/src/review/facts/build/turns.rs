//! Speakers' turns, and whose a transcript is.

use std::collections::HashMap;

use super::{Builder, DISCORD_BYTES_PER_MS, RECENT, after, before};
use crate::review::{
    Clock,
    event::Line,
    facts::{Exchange, SpeakerTurn},
};

/// A transcript that comes later than this after its turn's end belongs to another turn.
const TRANSCRIPT_WITHIN_MS: u64 = 8_000;

/// A provider has to hear the end of speech first: a turn that began less than this ago has no
/// transcript yet.
const TRANSCRIPT_AFTER_MS: u64 = 300;

impl Builder {
    pub(super) fn open_turn(&mut self, user: Option<&str>) -> Option<&mut SpeakerTurn> {
        let index = *self.open_turns.get(user?)?;
        self.facts.turns.get_mut(index)
    }

    pub(super) fn turn_opened(&mut self, user: Option<&str>) {
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

    pub(super) fn input_started(&mut self, user: Option<&str>) {
        let now = self.at;
        if self.open_turn(user).is_none() {
            self.turn_opened(user);
        }
        if let Some(turn) = self.open_turn(user) {
            turn.audio_from.get_or_insert(now);
        }
    }

    pub(super) fn turn_closed(&mut self, user: Option<&str>, line: &Line) {
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

    pub(super) fn capture_finalized(&mut self, user: Option<&str>, line: &Line) {
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
    pub(super) fn turn_of_transcript(&self, user: Option<&str>) -> Option<usize> {
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

    pub(super) fn transcript(&mut self, user: Option<&str>, words: &str) {
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

    pub(super) fn last_turn(&self, fits: impl Fn(&SpeakerTurn) -> bool) -> Option<usize> {
        let skipped = self.facts.turns.len().saturating_sub(RECENT);
        self.facts.turns[skipped..].iter().rposition(fits).map(|index| index + skipped)
    }
}
