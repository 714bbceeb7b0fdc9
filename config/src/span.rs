//! Byte ranges of the file as lines, columns and carets.

use std::ops::Range;

/// Longest piece of a source line that is shown, in characters.
const SHOWN_WIDTH: usize = 100;

/// Runs of token characters at least this long are masked wherever they stand: no word of a
/// configuration is that long, keys and bot tokens are.
const SECRET_RUN: usize = 40;

/// A place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A line of the file with a marked piece, ready to print. Secrets are masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    pub(crate) text: String,
    /// Characters before the first caret.
    pub(crate) indent: usize,
    /// Number of carets, at least 1.
    pub(crate) carets: usize,
}

/// Line and column of a byte offset; an offset past the end is the end.
pub(crate) fn position(text: &str, offset: usize) -> Position {
    let before = &text[..floor(text, offset)];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[start..].chars().count() + 1,
    }
}

/// The line that `range` begins in, with carets under the part of `range` on that line.
pub(crate) fn excerpt(text: &str, range: Range<usize>) -> Excerpt {
    let begin = floor(text, range.start);
    let end = floor(text, range.end).max(begin);
    let line_start = text[..begin].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[begin..].find('\n').map_or(text.len(), |newline| begin + newline);
    let line = text[line_start..line_end].trim_end_matches('\r');
    let shown: Vec<char> =
        mask(line).into_iter().map(|c| if c.is_control() { ' ' } else { c }).collect();

    let indent = text[line_start..begin].chars().count().min(shown.len());
    let carets = text[begin..end.min(line_end)].chars().count();
    let carets = carets.min(shown.len() - indent).max(1);

    let skip = (indent + 20).saturating_sub(SHOWN_WIDTH).min(indent);
    let visible: String = shown.iter().skip(skip).take(SHOWN_WIDTH).collect();
    Excerpt {
        text: visible.trim_end().to_owned(),
        indent: indent - skip,
        carets: carets.min(SHOWN_WIDTH.saturating_sub(indent - skip)).max(1),
    }
}

/// The offset of the first byte that is not UTF-8, with the readable text before it.
pub(crate) fn readable_part(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or(""),
    }
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The characters of a line, with values of secret-looking keys and long token-like runs as `*`.
/// As many characters come out as went in, so carets stay in place.
fn mask(line: &str) -> Vec<char> {
    let mut chars: Vec<char> = line.chars().collect();
    mask_values(&mut chars);
    mask_credentials(&mut chars);
    mask_runs(&mut chars);
    chars
}

fn mask_values(chars: &mut [char]) {
    let lower: Vec<char> = chars.iter().map(char::to_ascii_lowercase).collect();
    for key in ["token", "apikey", "secret", "password"] {
        let key: Vec<char> = key.chars().collect();
        let mut from = 0;
        while let Some(found) = lower[from..].windows(key.len()).position(|part| part == key) {
            from += found + key.len();
            let Some(colon) = chars[from..].iter().position(|c| *c == ':') else { break };
            // Only quotes and spaces may stand between the key and its colon.
            if !chars[from..from + colon].iter().all(|c| c.is_whitespace() || "\"'".contains(*c)) {
                continue;
            }
            from += colon + 1;
            let Some(open) = chars[from..].iter().position(|c| !c.is_whitespace()) else { break };
            let quote = chars[from + open];
            if quote != '"' && quote != '\'' {
                continue;
            }
            from += open + 1;
            let length =
                chars[from..].iter().position(|c| *c == quote).unwrap_or(chars.len() - from);
            chars[from..from + length].fill('*');
            from += length;
        }
    }
}

/// `http://name:word@host`: what stands before the `@`.
fn mask_credentials(chars: &mut [char]) {
    let mut from = 0;
    while let Some(found) = chars[from..].windows(3).position(|part| part == [':', '/', '/']) {
        from += found + 3;
        let ends = |c: &char| c.is_whitespace() || "\"'/?#,".contains(*c);
        let end = chars[from..].iter().position(ends).unwrap_or(chars.len() - from);
        if let Some(at) = chars[from..from + end].iter().rposition(|c| *c == '@') {
            chars[from..from + at].fill('*');
        }
    }
}

fn mask_runs(chars: &mut [char]) {
    let mut start = 0;
    for index in 0..=chars.len() {
        let inside = chars
            .get(index)
            .is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '*'));
        if !inside {
            if index - start >= SECRET_RUN {
                chars[start..index].fill('*');
            }
            start = index + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a\nß: 1\n";
        let one = text.find('1').expect("the text has a 1");
        assert_eq!(position(text, one), Position { line: 2, column: 4 });
        assert_eq!(position(text, 999), Position { line: 3, column: 1 });
        assert_eq!(
            excerpt(text, one..one + 1),
            Excerpt { text: "ß: 1".to_owned(), indent: 3, carets: 1 }
        );
    }

    #[test]
    fn carets_stay_on_the_line_and_the_line_stays_short() {
        let text = format!("{}x: [1,\n2]", " ".repeat(300));
        let excerpt = excerpt(&text, 303..310);
        assert_eq!(excerpt.text.trim_start(), "x: [1,");
        assert_eq!((excerpt.indent, excerpt.carets), (80, 3));
    }

    #[test]
    fn secrets_are_masked_in_place() {
        for (line, shown) in [
            ("token: \"abc\", x: 1", "token: \"***\", x: 1"),
            ("'apiKey' : 'k' // why", "'apiKey' : '*' // why"),
            ("proxy: 'http://me:word@h:1/x@y'", "proxy: 'http://*******@h:1/x@y'"),
            ("  \"botToken\": \"open end", "  \"botToken\": \"********"),
            ("tokens: 5, secret: { id: \"A\" }", "tokens: 5, secret: { id: \"A\" }"),
        ] {
            assert_eq!(excerpt(line, 0..1).text, shown);
        }
        let run = "x".repeat(40);
        assert_eq!(excerpt(&format!("a {run}"), 0..1).text, format!("a {}", "*".repeat(40)));
    }
}
