//! Questions to the agent and its answers.

use super::{Builder, RECENT, after};
use crate::review::{
    event::Line,
    facts::{Exchange, Outcome},
};

/// Two lines about an answer of the same words within this are about the same answer.
const SAME_ANSWER_WITHIN_MS: u64 = 2_000;

impl Builder {
    /// The exchange that a line of the agent about `user` belongs to.
    pub(super) fn asked(&mut self, user: Option<&str>, line: &Line) {
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
    pub(super) fn attribute(&mut self, index: usize, user: Option<&str>) {
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

    pub(super) fn waiting_for_agent(&self, user: Option<&str>) -> Option<usize> {
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

    pub(super) fn answered(&mut self, user: Option<&str>, line: &Line) {
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

    pub(super) fn settle_asked(&mut self, outcome: Outcome) {
        if let Some(index) = self.waiting_for_agent(None) {
            let exchange = &mut self.facts.exchanges[index];
            // An excuse is spoken in the place of the answer.
            exchange.answered = Some(self.at);
            exchange.outcome = outcome;
            exchange.events.push(self.index);
        }
    }

    pub(super) fn settle_heard(&mut self, user: Option<&str>, outcome: Outcome) {
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

    pub(super) fn controlled(&mut self, line: &Line) {
        let mode = line.text("mode").unwrap_or_default().into_owned();
        let ok = line.flag("ok").unwrap_or(true);
        if mode == "cancel" && ok {
            self.settle_asked(Outcome::CalledOff);
        }
        self.settle_heard(None, Outcome::Control(mode));
    }

    pub(super) fn first_recent(&self, fits: impl Fn(&Exchange) -> bool) -> Option<usize> {
        let exchanges = &self.facts.exchanges;
        let skipped = exchanges.len().saturating_sub(RECENT);
        exchanges[skipped..].iter().position(fits).map(|index| index + skipped)
    }

    pub(super) fn last_recent(&self, fits: impl Fn(&Exchange) -> bool) -> Option<usize> {
        let exchanges = &self.facts.exchanges;
        let skipped = exchanges.len().saturating_sub(RECENT);
        exchanges[skipped..].iter().rposition(fits).map(|index| index + skipped)
    }
}
