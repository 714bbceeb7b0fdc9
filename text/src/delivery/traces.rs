//! Lines that are notes of the agent to itself, and blank lines that nobody needs.
//!
//! Source: OpenClaw, "Discord": labels of tools with their emoji, and the channels of models that
//! think aloud. In fences every line stays.

use std::sync::LazyLock;

use regex::Regex;

use super::fence;

/// `🛠️ Exec: ls`, `thinking: …`.
static TRACE: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = "^(?:>\\s*)?(?:\
        (?:📊|🛠|📖|📝|🔍|🔎|⚙|🧰)\\u{FE0F}?\\s*(?i-u:session status|exec|read|edit|write|patch|\
        search|open|click|find|screenshot|update plan|tool call|tool result|function call|shell|\
        command)\\s*:\
        |(?i-u:analysis|commentary|thinking|reasoning|tool[-_ ]?call|tool[-_ ]?result|\
        function[-_ ]?call)\\s*[:=])";
    Regex::new(pattern).expect("the pattern is valid")
});

/// A text without such lines, and with at most one blank line in a row.
pub(crate) fn without_traces(text: &str) -> String {
    let blocks = fence::blocks(text, usize::MAX);
    let mut blocks = blocks.iter().map(|block| block.range(text)).peekable();
    let mut kept = String::with_capacity(text.len());
    let mut blank_lines = 0;
    for (line, range) in fence::lines(text) {
        while blocks.next_if(|block| block.end < range.start).is_some() {}
        let is_fenced = blocks.peek().is_some_and(|block| block.start <= range.start);
        if !is_fenced && TRACE.is_match(line.trim()) {
            continue;
        }
        let is_blank = !is_fenced && line.trim().is_empty();
        blank_lines = if is_blank { blank_lines + 1 } else { 0 };
        if blank_lines <= 1 {
            kept.push_str(if is_blank { "" } else { line });
            kept.push('\n');
        }
    }
    kept.pop();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_go_and_fences_stay() {
        let text = "Hi\n🛠️ Exec: ls -l\n> 📖 Read: a.txt\nThinking: what now\nTool call: x\n\
                    reasoning = y\ntool_result: z\nBye";
        assert_eq!(without_traces(text), "Hi\nBye");
        for text in [
            "```\nanalysis: kept\n\n\n\nx\n```",
            "My analysis: it is fine",
            "🎉 Result: 5",
            "🛠️ Tools",
            "analysis of it",
            "Exec: me",
        ] {
            assert_eq!(without_traces(text), text);
        }
    }

    #[test]
    fn many_blank_lines_are_one() {
        assert_eq!(without_traces("a\n\n\n \n\nb\n\nc\nd"), "a\n\nb\n\nc\nd");
        assert_eq!(without_traces("a\n\nthinking: x\n\nb"), "a\n\nb");
        assert_eq!(without_traces(""), "");
    }
}
