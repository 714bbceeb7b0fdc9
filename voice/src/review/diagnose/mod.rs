//! What a recording says about what went wrong, and what to change.
//!
//! The patterns are those of OpenClaw's documentation, those behind its known problems that can be
//! seen from lines, and those of our own decisions.

mod answers;
mod call;
mod hearing;
mod interruption;
mod playback;

use std::collections::HashMap;

use clawvoice_session::SessionTime;
use serde::Serialize;

use super::{
    Clock, Timeline,
    event::{Event, Line},
    facts::{EventIndex, Exchange, Facts},
    words::printable,
};

/// Occurrences of one finding that are named.
const MAX_NAMED: usize = 20;

/// One thing that a recording shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable name.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was seen, in one sentence.
    pub title: String,
    /// Why it happened, in plain words.
    pub cause: String,
    /// What to change, if there is anything to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// How often it was seen.
    pub count: usize,
    /// When it was seen, the first 20 times.
    #[serde(rename = "times_us")]
    pub times: Vec<SessionTime>,
    /// The lines of the file behind it, as many.
    pub lines: Vec<usize>,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something went wrong.
    Problem,
    /// Worth knowing: it may be what somebody complains about.
    Notice,
    /// As it should be.
    Normal,
}

impl Finding {
    fn new(id: &'static str, severity: Severity, title: impl Into<String>) -> Self {
        Self {
            id,
            severity,
            title: printable(&title.into()),
            cause: String::new(),
            change: None,
            count: 0,
            times: Vec::new(),
            lines: Vec::new(),
        }
    }

    fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = printable(&cause.into());
        self
    }

    fn change(mut self, change: impl Into<String>) -> Self {
        self.change = Some(change.into());
        self
    }
}

/// Finds what a recording shows, the worst first. Without problems and notices nothing is wrong.
#[must_use]
pub fn diagnose(timeline: &Timeline, facts: &Facts) -> Vec<Finding> {
    let case = Case::new(timeline, facts);
    let mut findings = Vec::new();
    call::findings(&case, &mut findings);
    hearing::findings(&case, &mut findings);
    interruption::findings(&case, &mut findings);
    playback::findings(&case, &mut findings);
    answers::findings(&case, &mut findings);
    findings.sort_by_key(|finding| (finding.severity, finding.times.first().copied()));
    findings
}

/// What the rules look at.
struct Case<'a> {
    timeline: &'a Timeline,
    facts: &'a Facts,
    /// The exchanges that each turn's words began.
    of_turn: HashMap<usize, Vec<&'a Exchange>>,
}

impl<'a> Case<'a> {
    fn new(timeline: &'a Timeline, facts: &'a Facts) -> Self {
        let mut of_turn: HashMap<usize, Vec<&Exchange>> = HashMap::new();
        for exchange in &facts.exchanges {
            if let Some(turn) = exchange.turn {
                of_turn.entry(turn).or_default().push(exchange);
            }
        }
        Self { timeline, facts, of_turn }
    }

    /// What was understood of a turn.
    fn words_of(&self, turn: usize) -> Vec<&'a str> {
        let exchanges = self.of_turn.get(&turn).map(Vec::as_slice).unwrap_or_default();
        exchanges.iter().map(|exchange| exchange.words.as_str()).collect()
    }

    /// The lines of a name.
    fn lines(&self, name: &str) -> impl Iterator<Item = (EventIndex, &'a Event, &'a Line)> {
        self.timeline.events.iter().enumerate().filter_map(move |(index, event)| {
            let line = event.what.record().filter(|line| line.name == name)?;
            Some((index, event, line))
        })
    }

    /// Whether a line of a name is in the recording.
    fn has(&self, name: &str) -> bool {
        self.lines(name).next().is_some()
    }

    /// Whether the recording goes on for so long after a time that what is missing by then does not
    /// come. Where there are no times, some more lines must do.
    fn goes_on(&self, at: SessionTime, millis: u64) -> bool {
        let millis = if self.timed() { millis } else { 5_000 };
        self.facts.end.since(at).as_millis() >= u128::from(millis)
    }

    /// Whether times mean something.
    fn timed(&self) -> bool {
        self.timeline.clock != Clock::Order
    }

    /// Puts occurrences to a finding, and the finding to the others if there are any.
    fn report(
        &self,
        findings: &mut Vec<Finding>,
        occurrences: &[EventIndex],
        finding: impl FnOnce() -> Finding,
    ) {
        if occurrences.is_empty() {
            return;
        }
        let mut finding = finding();
        finding.count = occurrences.len();
        for index in occurrences.iter().take(MAX_NAMED) {
            if let Some(event) = self.timeline.events.get(*index) {
                finding.times.push(event.at);
                finding.lines.push(event.line);
            }
        }
        findings.push(finding);
    }

    /// Reports every line of a name.
    fn report_lines(
        &self,
        findings: &mut Vec<Finding>,
        name: &str,
        finding: impl FnOnce() -> Finding,
    ) {
        let occurrences: Vec<_> = self.lines(name).map(|(index, ..)| index).collect();
        self.report(findings, &occurrences, finding);
    }

    /// The last complaint at most `millis` before an entry.
    fn complaint_before(&self, index: EventIndex, millis: u64) -> Option<&'a Line> {
        let at = self.timeline.events.get(index)?.at;
        let timed = self.timed();
        self.timeline.events[..index]
            .iter()
            .rev()
            .take(500)
            .take_while(|event| !timed || at.since(event.at).as_millis() <= u128::from(millis))
            .filter_map(|event| event.what.record())
            .find(|line| line.warns() || line.name == "realtime error")
    }
}

/// `once`, `twice`, `3 times`.
fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// A count with its noun, which takes a plain `s`.
fn many(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests;
