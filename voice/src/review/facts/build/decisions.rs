//! Recorded decisions about interruptions.

use serde_json::Value;

use super::{Builder, RECENT};
use crate::review::{
    event::Decision,
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

    /// What was decided first says most: the later steps only carry it out.
    pub(super) fn cut_decided(&mut self, decision: &Decision) {
        let index = self.index;
        let cut = self.cut.get_or_insert_default();
        cut.events.push(index);
        cut.user = cut.user.take().or_else(|| decision.user.clone());
        cut.reason = cut.reason.take().or_else(|| decision.reason.clone());
    }
}
