//! `MEDIA:<path or address>`: a line of an answer by which the agent sends a file.
//!
//! It has a line of its own, outside of code. The path may stand in quotes or backticks, with
//! `file://` before it or without. What names nothing stays as text. Source: OpenClaw, media
//! directives of replies.

use std::ops::Range;

use super::code::Code;

/// What begins the line.
const MARK: &str = "MEDIA:";

/// The longest path or address, in bytes.
const MAX_LEN: usize = 1_024;

/// Where a file is that the agent wants to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaSource {
    /// On this machine; a relative path begins in the agent's workspace.
    Path(String),
    /// Elsewhere: an address with `http` or `https`.
    Address(String),
}

/// Takes the lines out of an answer; gives the text without them, and what they name, in order.
#[must_use]
pub fn take(text: &str) -> (String, Vec<MediaSource>) {
    if !text.contains(MARK) {
        return (text.to_owned(), Vec::new());
    }
    let code = Code::of(text);
    let mut sources = Vec::new();
    let kept = without_lines(text, |line| {
        let written = text.get(line.clone()).unwrap_or_default();
        let source = source(written).filter(|_| !is_fenced(&code, written, line.start));
        let is_taken = source.is_some();
        sources.extend(source);
        is_taken
    });
    (kept, sources)
}

/// What people may see of an answer that still grows: without the lines, and without the beginning
/// of one at its end.
#[must_use]
pub fn hide(partial: &str) -> String {
    let (mut shown, _) = take(partial);
    let start = shown.rfind('\n').map_or(0, |at| at + 1);
    let last = shown.get(start..).unwrap_or_default().trim_start();
    let begins = last.starts_with(MARK) || (!last.is_empty() && MARK.starts_with(last));
    if begins && !is_fenced(&Code::of(&shown), shown.get(start..).unwrap_or_default(), start) {
        shown.truncate(start);
    }
    shown
}

/// A backtick around the path makes no code of the line: it is asked of where the mark stands.
fn is_fenced(code: &Code, line: &str, start: usize) -> bool {
    code.covers(start + (line.len() - line.trim_start().len()))
}

fn without_lines(text: &str, mut is_taken: impl FnMut(&Range<usize>) -> bool) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        if !is_taken(&range) {
            kept.push_str(line);
        }
    }
    kept
}

/// What a line names, if it is one.
fn source(line: &str) -> Option<MediaSource> {
    let named = unwrapped(line.trim().strip_prefix(MARK)?.trim());
    let named = named.strip_prefix("file://").unwrap_or(named);
    if named.is_empty() || named.len() > MAX_LEN || named.contains(char::is_control) {
        return None;
    }
    if named.starts_with("https://") || named.starts_with("http://") {
        let is_one = !named.contains(char::is_whitespace);
        return is_one.then(|| MediaSource::Address(named.to_owned()));
    }
    // "MEDIA: and other news" is a heading.
    let is_path = named.starts_with(['/', '.', '~']) || !named.contains(' ') || has_ending(named);
    (is_path && !named.contains("://")).then(|| MediaSource::Path(named.to_owned()))
}

/// Whether it ends as files do: a dot and up to ten letters or digits.
fn has_ending(named: &str) -> bool {
    named.rsplit_once('.').is_some_and(|(_, ending)| {
        (1..=10).contains(&ending.len()) && ending.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

/// Without the quotes or backticks that stand around it.
fn unwrapped(text: &str) -> &str {
    let inner =
        ['`', '"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(path: &str) -> MediaSource {
        MediaSource::Path(path.to_owned())
    }

    #[test]
    fn what_a_line_names() {
        for (line, expected) in [
            ("MEDIA:/data/a.png", Some(path("/data/a.png"))),
            ("  MEDIA: out/chart.png ", Some(path("out/chart.png"))),
            ("MEDIA:`./a b.png`", Some(path("./a b.png"))),
            ("MEDIA:\"My File.png\"", Some(path("My File.png"))),
            ("MEDIA:file:///data/a.png", Some(path("/data/a.png"))),
            ("MEDIA:https://h/a.png", Some(MediaSource::Address("https://h/a.png".to_owned()))),
            ("MEDIA:https://h/a.png and more", None),
            ("MEDIA: and other news", None),
            ("MEDIA:", None),
            ("MEDIA:``", None),
            ("MEDIA:ftp://h/a.png", None),
            ("media:/data/a.png", None),
            ("see MEDIA:/data/a.png", None),
        ] {
            assert_eq!(source(line), expected, "{line}");
        }
        assert_eq!(source(&format!("MEDIA:/{}", "x".repeat(MAX_LEN))), None);
    }

    #[test]
    fn lines_are_taken_out_and_code_is_left_alone() {
        let text = "Here:\nMEDIA:a.png\nand\n```\nMEDIA:b.png\n```\nMEDIA:c.png";
        let (kept, sources) = take(text);
        assert_eq!(kept, "Here:\nand\n```\nMEDIA:b.png\n```\n");
        assert_eq!(sources, [path("a.png"), path("c.png")]);
        assert_eq!(take("MEDIA:`a.png`").1, [path("a.png")]);
        assert_eq!(take("nothing").0, "nothing");
    }

    #[test]
    fn nobody_sees_a_line_while_it_is_written() {
        let whole = "Look:\nMEDIA:/data/a.png\nNice.";
        for (end, shown) in [
            ("Look:\n".len(), "Look:\n"),
            ("Look:\nME".len(), "Look:\n"),
            ("Look:\nMEDIA:/da".len(), "Look:\n"),
            ("Look:\nMEDIA:/data/a.png\n".len(), "Look:\n"),
            (whole.len(), "Look:\nNice."),
        ] {
            assert_eq!(hide(&whole[..end]), shown, "{end}");
        }
        assert_eq!(hide("MEAL"), "MEAL");
    }

    proptest! {
        #[test]
        fn nothing_else_is_lost(text in "[ab\n`/: ]{0,40}") {
            prop_assert_eq!(take(&text), (text.clone(), Vec::new()));
        }

        #[test]
        fn what_grows_is_never_more_than_there_is(text in "(MEDIA:|[a/\\.`\n\u{e9} ]){0,20}") {
            for (end, _) in text.char_indices() {
                let grown = &text[..end];
                let (kept, sources) = take(grown);
                let shown = hide(grown);
                prop_assert!(shown.len() <= kept.len() && kept.len() <= end);
                prop_assert_eq!(kept.len() < end, !sources.is_empty());
            }
        }
    }
}
