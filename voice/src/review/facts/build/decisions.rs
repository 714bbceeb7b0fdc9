//! Recorded decisions about interruptions.

use serde_json::{Map, Value};

use super::{Builder, RECENT};
use crate::review::{
    event::{Decision, Line},
    facts::{Doubt, Pause, Verdict},
};

impl Builder {
    pub(super) fn decision(&mut self, decision: &Decision) {
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
                self.pause_ended(resumed);
                if !resumed {
                    self.cut_decided(decision);
                }
            }
            _ => {}
        }
    }

    pub(super) fn decided(&mut self, decision: &Decision, verdict: Verdict) {
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

    /// The line about a suspicion: an answer that plays pauses, and a log has no other word of it.
    pub(super) fn suspected_line(&mut self, line: &Line) {
        let (from, event) = (self.at, self.index);
        let is_open = self.facts.pauses.last().is_some_and(|pause| pause.to.is_none());
        if self.playing.is_some() && !is_open {
            self.facts.pauses.push(Pause { from, to: None, resumed: false, event });
        }
        if !self.has_decisions {
            self.decision(&as_decision("suspected", line));
        }
    }

    /// The line about its end.
    pub(super) fn judged_line(&mut self, line: &Line, verdict: Verdict) {
        if !self.has_decisions {
            let kind = if verdict == Verdict::Confirmed { "confirmed" } else { "dismissed" };
            self.decided(&as_decision(kind, line), verdict);
        }
    }

    /// A paused answer goes on, or is over.
    pub(super) fn pause_ended(&mut self, resumed: bool) {
        let now = self.at;
        if let Some(pause) = self.facts.pauses.last_mut().filter(|pause| pause.to.is_none()) {
            (pause.to, pause.resumed) = (Some(now), resumed);
        }
    }

    /// What was decided first says most: the later steps only carry it out.
    pub(super) fn cut_decided(&mut self, decision: &Decision) {
        let index = self.index;
        let cut = self.cut.get_or_insert_default();
        cut.events.push(index);
        cut.user = cut.user.take().or_else(|| decision.user.clone());
        cut.reason = cut.reason.take().or_else(|| decision.reason.clone());
    }
}

/// A decision as its line tells it.
fn as_decision(kind: &str, line: &Line) -> Decision {
    Decision {
        kind: kind.to_owned(),
        user: line.text("user").map(std::borrow::Cow::into_owned),
        reason: line.text("reason").map(std::borrow::Cow::into_owned),
        inputs: Map::new(),
        thresholds: Map::new(),
        rest: Map::new(),
    }
}
