//! What goes on in every call right now, for people who watch: from timeline records and pulses,
//! sans-IO.
//!
//! ```text
//! records ┐
//! pulses  ┴► Board ─► BoardView (for a page), Totals (for a metrics scraper)
//! ```
//!
//! Nothing here holds anybody's words.

mod call;
mod view;

use std::collections::{BTreeMap, VecDeque};

use clawvoice_session::{
    ChannelId, GuildId, SessionTime,
    timeline::{Level, Record},
};

use crate::session::Pulse;
use call::CallBoard;
pub use view::{BoardView, CallState, CallView, Line, Point, Totals};

/// Calls that have ended are shown until there are so many newer ones.
const ENDED_CALLS: usize = 20;
/// Warnings that are shown, over all calls.
const WARNINGS: usize = 50;

/// All calls of the process.
#[derive(Debug, Default)]
pub struct Board {
    calls: BTreeMap<(GuildId, ChannelId), CallBoard>,
    warnings: VecDeque<Line>,
    totals: Totals,
    /// The number of the newest line.
    seq: u64,
}

impl Board {
    /// A record of any call.
    pub fn record(&mut self, record: &Record) {
        let record = record.without_words();
        self.totals.count(&record);
        self.seq += 1;
        let line = Line::new(self.seq, &record);
        if record.level == Level::Warn {
            if self.warnings.len() == WARNINGS {
                self.warnings.pop_front();
            }
            self.warnings.push_back(line.clone());
        }
        let Some(place) = place(&record) else { return };
        if !self.calls.contains_key(&place) {
            // What is told of a call that is over, or was never there, opens none.
            if !CallBoard::begins_with(&record) {
                return;
            }
            self.forget_the_oldest();
            self.calls.insert(place, CallBoard::new(record.at));
        }
        if let Some(call) = self.calls.get_mut(&place) {
            call.record(&record, line);
        }
    }

    /// How a call is at this moment.
    pub fn pulse(&mut self, now: SessionTime, pulse: Pulse) {
        if let Some(call) = self.calls.get_mut(&(pulse.guild, pulse.channel)) {
            call.pulse(now, pulse);
        }
    }

    /// Everything there is to show, calls under way first, then the newest; of their lines those
    /// after number `after`.
    #[must_use]
    pub fn view(&self, now: SessionTime, after: u64) -> BoardView {
        let mut calls: Vec<CallView> = self
            .calls
            .iter()
            .map(|((guild, channel), call)| call.view(*guild, *channel, now, after))
            .collect();
        calls.sort_by_key(|call| (call.state.is_over(), std::cmp::Reverse(call.began_ms)));
        BoardView {
            now_ms: now.as_millis(),
            seq: self.seq,
            calls,
            warnings: self.warnings.iter().rev().cloned().collect(),
        }
    }

    /// Counters since the process began.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let live = self.calls.values().filter(|call| !call.state().is_over());
        let mut totals = self.totals.clone();
        for call in live {
            totals.calls += 1;
            totals.present += call.present().len() as u64;
            totals.speaking +=
                call.present().iter().filter(|person| person.speaking).count() as u64;
        }
        totals.flow = self.calls.values().fold(totals.flow, |sum, call| sum + call.flow());
        totals
    }

    fn forget_the_oldest(&mut self) {
        let over = |call: &CallBoard| call.state().is_over();
        if self.calls.values().filter(|call| over(call)).count() < ENDED_CALLS {
            return;
        }
        let oldest = self
            .calls
            .iter()
            .filter(|(_, call)| over(call))
            .min_by_key(|(_, call)| call.began())
            .map(|(place, _)| *place);
        if let Some(gone) = oldest.and_then(|place| self.calls.remove(&place)) {
            self.totals.flow = self.totals.flow + gone.flow();
        }
    }
}

/// The call a record is about.
fn place(record: &Record) -> Option<(GuildId, ChannelId)> {
    let id = |name: &str| record.fields.find(name)?.as_str();
    Some((id("guild")?.parse().ok()?, id("channel")?.parse().ok()?))
}

#[cfg(test)]
mod tests;
