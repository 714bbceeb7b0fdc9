//! What is being done, as the text of a draft: a label and the newest lines below it.

use std::{collections::VecDeque, time::Duration};

use clawvoice_config::{CommandText, ProgressLabel, Streaming};
use clawvoice_session::SessionTime;

use super::{
    measure::utf16_len,
    tool_line::{commentary_line, tool_line},
};

/// Work that is done sooner shows no draft. Source: OpenClaw, "Progress drafts".
const WORK_BEFORE: Duration = Duration::from_secs(5);

/// The label, if none is written.
const LABEL: &str = "Working…";

/// The work of one turn.
#[derive(Debug)]
pub(super) struct Status {
    label: Option<String>,
    lines: VecDeque<String>,
    max_lines: usize,
    max_chars: usize,
    /// UTF-16 units of a message.
    limit: usize,
    shows_tools: bool,
    command_text: CommandText,
    due: Option<SessionTime>,
}

impl Status {
    /// Of mode `progress`. `pick` chooses one of several labels.
    pub(super) fn of_progress(settings: &Streaming, limit: usize, pick: usize) -> Self {
        let label = match &settings.label {
            ProgressLabel::None => None,
            ProgressLabel::Text(text) => Some(text.clone()),
            ProgressLabel::Auto(labels) => {
                let chosen = labels.get(pick.checked_rem(labels.len()).unwrap_or(0));
                Some(chosen.map_or(LABEL, String::as_str).to_owned())
            }
        };
        let shows_tools = settings.progress_tools;
        Self::new(settings, limit, label, shows_tools, settings.progress_command_text)
    }

    /// Of the modes that show the answer: the lines alone, before there is an answer.
    pub(super) fn before_answer(settings: &Streaming, limit: usize) -> Self {
        let shows_tools = settings.preview_tool_progress;
        Self::new(settings, limit, None, shows_tools, settings.preview_command_text)
    }

    fn new(
        settings: &Streaming,
        limit: usize,
        label: Option<String>,
        shows_tools: bool,
        command_text: CommandText,
    ) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            label: label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty()),
            lines: VecDeque::new(),
            max_lines: count(settings.max_lines),
            max_chars: count(settings.max_line_chars).min(limit / 4),
            limit,
            shows_tools,
            command_text,
            due: None,
        }
    }

    /// A tool is used.
    pub(super) fn tool(&mut self, now: SessionTime, name: &str, detail: Option<&str>) {
        self.due.get_or_insert(now + WORK_BEFORE);
        if self.shows_tools {
            self.push(tool_line(name, detail, self.command_text, self.max_chars));
        }
    }

    /// The agent said something before it used a tool.
    pub(super) fn commentary(&mut self, text: &str) {
        self.push(commentary_line(text, self.max_chars));
    }

    /// What to show by now.
    pub(super) fn text(&self, now: SessionTime) -> Option<String> {
        self.due.filter(|due| *due <= now)?;
        let mut room = self.limit;
        let label = self.label.iter().filter(|label| utf16_len(label) < room);
        let label: Vec<&str> = label.map(String::as_str).collect();
        room -= label.iter().map(|label| utf16_len(label) + 1).sum::<usize>();
        let mut lines: Vec<&str> = Vec::new();
        for line in self.lines.iter().rev() {
            let Some(left) = room.checked_sub(utf16_len(line) + 1) else { break };
            room = left;
            lines.push(line);
        }
        let text = label.into_iter().chain(lines.into_iter().rev()).collect::<Vec<_>>().join("\n");
        (!text.is_empty()).then_some(text)
    }

    /// When there is something to show for the first time.
    pub(super) const fn due(&self) -> Option<SessionTime> {
        self.due
    }

    fn push(&mut self, line: String) {
        if self.lines.back() == Some(&line) {
            return;
        }
        if self.lines.len() >= self.max_lines {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::preview::tests::streaming;

    fn at(millis: u64) -> SessionTime {
        SessionTime::from_millis(millis)
    }

    #[test]
    fn a_label_and_the_newest_lines_after_five_seconds_of_work() {
        let settings = streaming("mode: 'progress', progress: { maxLines: 2, label: 'Busy' }");
        let mut status = Status::of_progress(&settings, 2000, 0);
        assert_eq!(status.text(at(60_000)), None, "no work, no status");
        status.tool(at(1000), "read", Some("a"));
        status.tool(at(2000), "read", Some("b"));
        status.tool(at(2000), "read", Some("b"));
        assert_eq!(status.text(at(5999)), None);
        assert_eq!(status.text(at(6000)).as_deref(), Some("Busy\n📖 Read: a\n📖 Read: b"));
        status.tool(at(7000), "read", Some("c"));
        assert_eq!(status.text(at(7000)).as_deref(), Some("Busy\n📖 Read: b\n📖 Read: c"));
    }

    #[test]
    fn labels() {
        for (label, pick, expected) in [
            ("label: 'Busy'", 0, Some("Busy")),
            ("label: 'auto'", 7, Some("Working…")),
            ("labels: ['A', 'B']", 4, Some("A")),
            ("labels: ['A', 'B']", 5, Some("B")),
            ("label: false", 0, None),
        ] {
            let settings = streaming(&format!(
                "mode: 'progress', progress: {{ {label}, toolProgress: false }}"
            ));
            let mut status = Status::of_progress(&settings, 2000, pick);
            status.tool(at(0), "read", None);
            assert_eq!(status.text(at(5000)).as_deref(), expected, "{label}");
        }
    }

    #[test]
    fn it_never_outgrows_a_message() {
        let settings =
            streaming("mode: 'progress', progress: { maxLines: 100, maxLineChars: 2000 }");
        let mut status = Status::of_progress(&settings, 2000, 0);
        for number in 0..100 {
            let detail = format!("{number} {}", "🦞".repeat(number * 20));
            status.tool(at(0), "read", Some(&detail));
            let text = status.text(at(9000)).unwrap();
            assert!(utf16_len(&text) <= 2000);
            assert!(text.lines().last().unwrap().starts_with(&format!("📖 Read: {number}")));
        }
    }
}
