//! A review for a terminal: lanes drawn with characters, the story, the diagnosis.
//!
//! Everything can be read without colour; whoever prints it takes the colour out where it is not
//! wanted.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use clawvoice_session::SessionTime;

use super::{
    Clock, Review,
    diagnose::{Finding, Severity},
    lanes::{Lane, MarkKind, SpanKind},
    story::{Tone, Who},
    words::{length, one_line, place},
};

const STRONG: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const DECISION: Style = AnsiColor::Cyan.on_default();
const CUT: Style = AnsiColor::Yellow.on_default().bold();
const TROUBLE: Style = AnsiColor::Red.on_default().bold();
const FINE: Style = AnsiColor::Green.on_default();

/// The narrowest picture; a narrower terminal wraps it.
const MIN_WIDTH: usize = 40;

/// Columns of a name.
const NAME: usize = 14;

/// Recorded oddities that are printed.
const SHOWN_SKIPPED: usize = 10;

/// The whole view: what was recorded, the lanes, the story, and how many findings there are.
#[must_use]
pub fn picture(review: &Review, width: usize) -> String {
    let width = width.max(MIN_WIDTH);
    let mut text = head(review);
    if review.timeline.events.is_empty() {
        text.push_str("\nNothing in it is a line of a voice timeline.\n");
    } else {
        text.push('\n');
        lanes(review, width, &mut text);
        text.push('\n');
        story(review, width, &mut text);
        budgets(review, width, &mut text);
    }
    skipped(review, &mut text);
    text.push('\n');
    text.push_str(&verdict(review, width));
    text
}

/// The findings, one after another.
#[must_use]
pub fn diagnosis(review: &Review, width: usize) -> String {
    let width = width.max(MIN_WIDTH);
    let mut text = head(review);
    text.push('\n');
    let (normal, wrong): (Vec<_>, Vec<_>) =
        review.findings.iter().partition(|finding| finding.severity == Severity::Normal);
    if wrong.is_empty() {
        let words = if review.timeline.events.is_empty() {
            "Nothing in it is a line of a voice timeline.".to_owned()
        } else {
            format!("{FINE}Nothing wrong was found.{FINE:#}")
        };
        let _ = writeln!(text, "{words}");
    }
    for finding in wrong {
        show(review, finding, width, &mut text);
    }
    if !normal.is_empty() {
        let _ = writeln!(text, "\nAs it should be:");
        for finding in normal {
            let line = format!("{}. {}", finding.title, finding.cause);
            let _ = writeln!(text, "  {}", wrap(&line, width, 2));
        }
    }
    skipped(review, &mut text);
    text
}

fn head(review: &Review) -> String {
    let timeline = &review.timeline;
    let mut text = String::new();
    if let Some(header) = &timeline.header {
        let session = header.session.as_deref().unwrap_or("a session");
        let _ = write!(text, "{STRONG}{}{STRONG:#}", one_line(session));
        for (name, value) in [("guild", &header.guild), ("channel", &header.channel)] {
            if let Some(value) = value {
                let _ = write!(text, ", {name} {}", one_line(value));
            }
        }
        text.push('\n');
    }
    let took = match timeline.clock {
        Clock::Order => "no times, only the order".to_owned(),
        _ => length(review.facts.end.as_millis()),
    };
    let people = review.facts.speakers.len();
    let _ = write!(text, "{} lines, {took}, {people} speaking", timeline.events.len());
    if let Some(began) = began(review) {
        let _ = write!(text, ", from {began}");
    }
    if timeline.foreign > 0 {
        let _ = write!(text, " ({} other log lines left out)", timeline.foreign);
    }
    text.push('\n');
    text
}

/// The wall clock at the recording's zero, to the second.
fn began(review: &Review) -> Option<String> {
    let zero = jiff::Timestamp::from_microsecond(review.timeline.unix_micros_at_zero?).ok()?;
    Some(zero.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn lanes(review: &Review, width: usize, text: &mut String) {
    let columns = width - NAME - 1;
    let scale = Scale { end: review.facts.end.as_micros().max(1), columns };
    if review.timeline.clock != Clock::Order {
        let _ = writeln!(text, "{FAINT}{:NAME$} {}{FAINT:#}", "seconds", scale.axis());
    }
    for lane in &review.lanes {
        if lane.spans.is_empty() && lane.marks.is_empty() {
            continue;
        }
        let _ =
            writeln!(text, "{STRONG}{}{STRONG:#} {}", fit(&lane.label, NAME), row(lane, &scale));
    }
    let _ = writeln!(
        text,
        "{FAINT}{:NAME$} █ speaks  x cut off  ░ may go on  ? interrupting?  = held back  ~ thinks, \
         works{FAINT:#}",
        ""
    );
    let _ =
        writeln!(text, "{FAINT}{:NAME$} - connected  ' words  | decision  ! trouble{FAINT:#}", "");
}

/// Time to columns.
struct Scale {
    end: u64,
    columns: usize,
}

impl Scale {
    fn column(&self, at: SessionTime) -> usize {
        let column = u128::from(at.as_micros()) * self.columns as u128 / u128::from(self.end);
        (column as usize).min(self.columns - 1)
    }

    /// Figures under which their time stands: at most one every twelve columns.
    fn axis(&self) -> String {
        let seconds = self.end as f64 / 1e6;
        let most = (self.columns / 12).max(1) as f64;
        let step = [
            0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
            3600.0,
        ]
        .into_iter()
        .find(|step| seconds / step <= most)
        .unwrap_or(seconds / most);
        let mut axis = vec![' '; self.columns];
        let mut tick = 0;
        loop {
            let at = f64::from(tick) * step;
            let column = (at / seconds * self.columns as f64) as usize;
            let figure = if step < 1.0 { format!("{at:.1}") } else { format!("{at:.0}") };
            if column + figure.len() > self.columns {
                break;
            }
            for (offset, c) in figure.chars().enumerate() {
                axis[column + offset] = c;
            }
            tick += 1;
        }
        axis.into_iter().collect::<String>().trim_end().to_owned()
    }
}

fn row(lane: &Lane, scale: &Scale) -> String {
    let mut cells = vec![(' ', 0_u8); scale.columns];
    let mut put = |column: usize, sign: char, weight: u8| {
        if cells[column].1 <= weight {
            cells[column] = (sign, weight);
        }
    };
    for span in &lane.spans {
        let (sign, weight) = sign(span.kind);
        let (from, to) = (scale.column(span.from), scale.column(span.to));
        for column in from..=to {
            put(column, sign, weight);
        }
        if span.kind == SpanKind::Cut {
            put(to, 'x', 9);
        }
    }
    for mark in &lane.marks {
        let (sign, weight) = match mark.kind {
            MarkKind::Words => ('\'', 6),
            MarkKind::Decision => ('|', 7),
            MarkKind::Trouble => ('!', 10),
            MarkKind::Step => continue,
        };
        put(scale.column(mark.at), sign, weight);
    }
    let plain: String = cells.iter().map(|(sign, _)| *sign).collect();
    plain
        .trim_end()
        .chars()
        .map(|c| match c {
            'x' => format!("{CUT}x{CUT:#}"),
            '!' => format!("{TROUBLE}!{TROUBLE:#}"),
            '?' | '|' | '=' => format!("{DECISION}{c}{DECISION:#}"),
            other => other.to_string(),
        })
        .collect()
}

fn sign(kind: SpanKind) -> (char, u8) {
    match kind {
        SpanKind::Speech | SpanKind::Playback | SpanKind::Cut => ('█', 4),
        SpanKind::Grace => ('░', 2),
        SpanKind::Doubt => ('?', 5),
        SpanKind::Paused => ('=', 5),
        SpanKind::Thinking | SpanKind::Connecting | SpanKind::Hearing | SpanKind::Response => {
            ('~', 3)
        }
        SpanKind::Connected => ('-', 1),
        SpanKind::Repair => ('~', 3),
    }
}

fn story(review: &Review, width: usize, text: &mut String) {
    for happening in &review.story {
        let who = match &happening.who {
            Who::Speaker(user) => one_line(review.facts.label(user)),
            Who::Agent => "agent".to_owned(),
            Who::Provider => "provider".to_owned(),
            Who::Call => "call".to_owned(),
        };
        let style = match happening.tone {
            Tone::Plain => Style::new(),
            Tone::Decision => DECISION,
            Tone::Cut => CUT,
            Tone::Trouble => TROUBLE,
        };
        let at = place(happening.at, review.timeline.clock);
        let indent = 10 + NAME + 1;
        let words = wrap(&happening.text, width, indent);
        let _ = writeln!(
            text,
            "{FAINT}{at:>9}{FAINT:#} {STRONG}{}{STRONG:#} {style}{words}{style:#}",
            fit(&who, NAME)
        );
        if !happening.detail.is_empty() {
            let detail = wrap(&happening.detail, width, indent);
            let _ = writeln!(text, "{:indent$}{FAINT}{detail}{FAINT:#}", "");
        }
    }
}

/// Where the time between each question and its answer went.
fn budgets(review: &Review, width: usize, text: &mut String) {
    let mut begun = false;
    for exchange in &review.facts.exchanges {
        let (Some(latency), stages) = (exchange.latency_ms(), exchange.stages()) else { continue };
        if stages.is_empty() || review.timeline.clock == Clock::Order {
            continue;
        }
        if !begun {
            text.push_str("\nFrom the end of a question to the first sound of its answer:\n");
            begun = true;
        }
        let parts: Vec<_> = stages
            .iter()
            .map(|stage| format!("{} {}", stage.name.words(), length(stage.millis())))
            .collect();
        let who = exchange.user.as_deref().map_or("somebody", |user| review.facts.label(user));
        let at = exchange.speech_ended.or(exchange.transcribed).unwrap_or_default();
        let _ = writeln!(
            text,
            "{FAINT}{:>9}{FAINT:#} {STRONG}{}{STRONG:#} {}: {}",
            at.to_string(),
            fit(who, NAME),
            length(latency),
            wrap(&parts.join(" + "), width, 10 + NAME + 1)
        );
    }
}

fn skipped(review: &Review, text: &mut String) {
    let timeline = &review.timeline;
    if timeline.skipped.is_empty() {
        return;
    }
    text.push_str("\nLines that could not be used as they are:\n");
    for skipped in timeline.skipped.iter().take(SHOWN_SKIPPED) {
        let _ = writeln!(text, "  line {}: {}", skipped.line, skipped.why);
    }
    let more = timeline.skipped.len().saturating_sub(SHOWN_SKIPPED) + timeline.skipped_more;
    if more > 0 {
        let _ = writeln!(text, "  and {more} more");
    }
}

fn verdict(review: &Review, width: usize) -> String {
    let mut text = String::new();
    for finding in &review.findings {
        let (style, word) = match finding.severity {
            Severity::Problem => (TROUBLE, "problem"),
            Severity::Notice => (CUT, "notice"),
            Severity::Normal => continue,
        };
        let title = wrap(&finding.title, width, word.len() + 2);
        let _ = writeln!(text, "{style}{word}{style:#}: {title}");
    }
    if text.is_empty() {
        return format!("{FINE}Nothing wrong was found.{FINE:#}\n");
    }
    text.push_str("Why, and what to change: --diagnose\n");
    text
}

fn show(review: &Review, finding: &Finding, width: usize, text: &mut String) {
    let (style, word) = match finding.severity {
        Severity::Problem => (TROUBLE, "problem"),
        Severity::Notice => (CUT, "notice"),
        Severity::Normal => (FINE, "normal"),
    };
    let _ = writeln!(
        text,
        "{style}{word}{style:#} {STRONG}{}{STRONG:#} {FAINT}[{}]{FAINT:#}",
        wrap(&finding.title, width, word.len() + 1),
        finding.id
    );
    let _ = writeln!(text, "  why:    {}", wrap(&finding.cause, width, 10));
    if let Some(change) = &finding.change {
        let _ = writeln!(text, "  change: {}", wrap(change, width, 10));
    }
    let mut places: Vec<_> = finding
        .times
        .iter()
        .zip(&finding.lines)
        .take(6)
        .map(|(at, line)| match review.timeline.clock {
            Clock::Order => format!("line {line}"),
            _ => format!("{at} (line {line})"),
        })
        .collect();
    if finding.count > places.len() {
        places.push(format!("{} more", finding.count - places.len()));
    }
    let _ = writeln!(text, "  when:   {}\n", wrap(&places.join(", "), width, 10));
}

/// A name in exactly `columns` columns.
fn fit(name: &str, columns: usize) -> String {
    let name = one_line(name);
    if name.chars().count() <= columns {
        return format!("{name:columns$}");
    }
    let mut short: String = name.chars().take(columns - 1).collect();
    short.push('…');
    short
}

/// Breaks a line at blanks; the lines after the first are indented.
fn wrap(text: &str, width: usize, indent: usize) -> String {
    let room = width.saturating_sub(indent).max(20);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let used = lines[last].chars().count();
        if used > 0 && used + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
        } else {
            if used > 0 {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines.join(&format!("\n{:indent$}", ""))
}

#[cfg(test)]
mod tests;
