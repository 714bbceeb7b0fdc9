//! A tool's use in one line: `emoji title: detail`.

use clawvoice_config::CommandText;

use super::measure::ellipsized;

/// Tools whose detail is a command line.
const COMMAND_TOOLS: [&str; 4] = ["exec", "bash", "shell", "process"];

/// Emojis and titles of tools that are known by name. Source: OpenClaw, "Progress drafts".
const KNOWN: [(&str, &str, &str); 14] = [
    ("exec", "🛠️", "Exec"),
    ("bash", "🛠️", "Bash"),
    ("shell", "🛠️", "Shell"),
    ("process", "🧰", "Process"),
    ("read", "📖", "Read"),
    ("write", "✍️", "Write"),
    ("edit", "📝", "Edit"),
    ("web_search", "🔎", "Web Search"),
    ("x_search", "🔎", "X Search"),
    ("web_fetch", "📄", "Web Fetch"),
    ("browser", "🌐", "Browser"),
    ("memory_search", "🧠", "Memory Search"),
    ("memory_get", "📓", "Memory Get"),
    ("message", "✉️", "Message"),
];

/// For any other tool.
const OTHER: &str = "🧩";

/// The line of a tool that is used. `status` leaves out what a command's text is.
pub(super) fn tool_line(
    name: &str,
    detail: Option<&str>,
    command_text: CommandText,
    max_chars: usize,
) -> String {
    let known = KNOWN.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    let (emoji, title) = match known {
        Some((_, emoji, title)) => (*emoji, (*title).to_owned()),
        None => (OTHER, titled(name)),
    };
    let is_command = COMMAND_TOOLS.iter().any(|tool| tool.eq_ignore_ascii_case(name));
    let hidden = is_command && command_text == CommandText::Status;
    let detail = detail.filter(|_| !hidden).map(one_line).filter(|detail| !detail.is_empty());
    let line = match detail {
        Some(detail) => format!("{emoji} {title}: {detail}"),
        None => format!("{emoji} {title}"),
    };
    ellipsized(&line, max_chars)
}

/// What the agent said between two tools, in one line.
pub(super) fn commentary_line(text: &str, max_chars: usize) -> String {
    ellipsized(&format!("💬 {}", one_line(text)), max_chars)
}

/// The text on one line. Backticks go: one alone would swallow the lines below it.
fn one_line(text: &str) -> String {
    let plain = text.replace('`', "'");
    let words = plain.split(|char: char| char.is_whitespace() || char.is_control());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `create_issue` as `Create Issue`.
fn titled(name: &str) -> String {
    let one_line = one_line(name);
    let words = one_line.split(['_', '-', ' ', '.']).filter(|word| !word.is_empty());
    let titled = words.map(|word| {
        let mut chars = word.chars();
        let first = chars.next().map(|char| char.to_uppercase().to_string()).unwrap_or_default();
        first + chars.as_str()
    });
    let title = titled.collect::<Vec<_>>().join(" ");
    if title.is_empty() { "Tool".to_owned() } else { title }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        use CommandText::{Raw, Status};
        for (name, detail, command_text, expected) in [
            ("read", Some("docs/a.md"), Raw, "📖 Read: docs/a.md"),
            ("Exec", Some("ls -l\n  `pwd`"), Raw, "🛠️ Exec: ls -l 'pwd'"),
            ("exec", Some("curl -H 'key'"), Status, "🛠️ Exec"),
            ("read", Some("a"), Status, "📖 Read: a"),
            ("web_search", None, Raw, "🔎 Web Search"),
            ("create_issue", Some(" \n"), Raw, "🧩 Create Issue"),
            ("", None, Raw, "🧩 Tool"),
        ] {
            assert_eq!(tool_line(name, detail, command_text, 120), expected);
        }
        let long = tool_line("read", Some(&"a".repeat(500)), Raw, 120);
        assert_eq!(long.chars().count(), 120);
        assert!(long.ends_with('…'));
        assert_eq!(commentary_line("First\nI look.", 120), "💬 First I look.");
    }
}
