//! The lines between which every block stands.

use std::fmt;

/// The word in the lines. No text of others that is shown to the agent holds it unbroken.
pub(super) const NAME: &str = "CLAWVOICE_CONTEXT";

/// Marks blocks with a code that is drawn once per process, so that nobody can write a block of
/// ours, and each is found again to the byte.
#[derive(Clone, PartialEq, Eq)]
pub struct Marker {
    code: String,
    begin: String,
    end: String,
}

impl fmt::Debug for Marker {
    /// Without the code: who knows it could forge a block.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marker").finish_non_exhaustive()
    }
}

impl Marker {
    /// Of 16 random bytes.
    #[must_use]
    pub fn new(random: [u8; 16]) -> Self {
        let code: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let begin = format!("<<<{NAME} {code}>>>");
        let end = format!("<<<END_{NAME} {code}>>>");
        Self { code, begin, end }
    }

    /// 32 hexadecimal digits.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The line before a block.
    #[must_use]
    pub fn begin(&self) -> &str {
        &self.begin
    }

    /// The line after a block.
    #[must_use]
    pub fn end(&self) -> &str {
        &self.end
    }

    /// A block of that text.
    pub(super) fn around(&self, text: &str) -> String {
        format!("{}\n{text}\n{}", self.begin, self.end)
    }

    /// What is outside all blocks. A block without an end reaches to the end of the text: it was
    /// cut, not answered past. The line break on either side of a block belongs to the block.
    pub(super) fn outside<'t>(&self, text: &'t str) -> Vec<&'t str> {
        let begins = text.match_indices(&self.begin).map(|(at, mark)| (at, at + mark.len(), true));
        let ends = text.match_indices(&self.end).map(|(at, mark)| (at, at + mark.len(), false));
        let mut marks: Vec<_> = begins.chain(ends).collect();
        marks.sort_unstable();
        let mut pieces = Vec::new();
        let (mut from, mut inside) = (0, false);
        for (at, after, is_begin) in marks {
            if !inside {
                pieces.push(piece(text, from, at, true));
            }
            inside = is_begin;
            from = after;
        }
        if !inside {
            pieces.push(piece(text, from, text.len(), false));
        }
        pieces
    }
}

fn piece(text: &str, from: usize, to: usize, is_cut_behind: bool) -> &str {
    let mut piece = text.get(from..to).unwrap_or_default();
    if from > 0 {
        piece = piece.strip_prefix('\n').unwrap_or(piece);
    }
    if is_cut_behind {
        piece = piece.strip_suffix('\n').unwrap_or(piece);
    }
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_out_to_the_byte() {
        let marker = Marker::new([0xab; 16]);
        assert_eq!(marker.code(), "ab".repeat(16));
        let (begin, end) = (marker.begin(), marker.end());
        let block = marker.around("inside");
        for (text, expected) in [
            ("plain".to_owned(), vec!["plain"]),
            (block.clone(), vec!["", ""]),
            (format!("a\n{block}\nb"), vec!["a", "b"]),
            (format!("a {block} b"), vec!["a ", " b"]),
            (format!("a\n{begin}\ncut"), vec!["a"]),
            (format!("a\n{begin}\n{begin}\nx\n{end}\nb\n{end}\nc"), vec!["a", "b", "c"]),
        ] {
            assert_eq!(marker.outside(&text), expected, "{text}");
        }
    }

    #[test]
    fn nobody_learns_the_code_from_a_log() {
        assert_eq!(format!("{:?}", Marker::new([7; 16])), "Marker { .. }");
    }
}
