//! What holds for the messages of any text.

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation as _;

use super::*;
use crate::delivery::fence::{self, Block};

/// Graphemes of many kinds, words, spaces, lines and code.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => "[a-z]{1,12}",
        6 => Just(" ".to_owned()),
        3 => Just("\n".to_owned()),
        1 => Just("\n\n".to_owned()),
        1 => Just("👩‍👩‍👧‍👦".to_owned()),
        1 => Just("🇩🇪🇫🇷".to_owned()),
        1 => Just("👍🏽e\u{301}".to_owned()),
        1 => "[\u{5d0}-\u{5ea}]{1,6}",
        1 => "[一-三]{1,9}。?",
        1 => "`[a-z ]{1,9}`",
        1 => "[a-z]{30,80}",
        1 => "\n```(rs|)\n([a-z ]{0,20}[a-z]\n){0,6}```\n",
        1 => "\n~~~~\n([a-z ]{0,20}[a-z]\n){0,6}~~~~\n",
    ];
    prop::collection::vec(piece, 0..120).prop_map(|pieces| pieces.concat())
}

/// Texts in which code begins and ends anywhere.
fn wild() -> impl Strategy<Value = String> {
    "([a-z]{0,9}|[ \n]|`{1,5}|~{3,4}|\n```|\n   ~~~|\\\\|👍🏽|\n\n){0,200}"
}

fn limits() -> impl Strategy<Value = ChunkLimits> {
    (60usize..300, 1usize..20, any::<bool>()).prop_map(|(units, lines, by_paragraph)| {
        let mode = if by_paragraph { ChunkMode::Newline } else { ChunkMode::Length };
        ChunkLimits::of(units, lines, mode)
    })
}

fn is_within(chunk: &str, limits: &ChunkLimits) -> bool {
    let fences = fence::blocks(chunk, usize::MAX);
    units(chunk) <= limits.units && chunk.lines().count() <= limits.lines(!fences.is_empty())
}

fn is_balanced(chunk: &str, limits: &ChunkLimits) -> bool {
    fence::blocks(chunk, limits.units / 8).iter().all(|block| block.close.is_some())
}

/// Graphemes but white space and what code is marked with.
fn graphemes<'t>(text: &'t str) -> impl Iterator<Item = &'t str> {
    let is_kept = |it: &&'t str| !it.trim().is_empty() && !matches!(*it, "`" | "~");
    text.graphemes(true).filter(is_kept)
}

/// The text again: what was added at cuts is taken away, and the white space that was lost there is
/// put back as it stands in the original. `Err`: where they part.
fn join(original: &str, chunks: &[String]) -> Result<String, String> {
    let blocks = fence::blocks(original, usize::MAX);
    let spans = crate::delivery::code::spans(original, &blocks);
    let block = |at: usize| blocks.iter().find(|block| block.holds(at));
    let ticks = |at: usize| {
        let span = spans.iter().find(|span| span.range.start < at && at < span.range.end);
        "`".repeat(span.map_or(0, |span| span.ticks))
    };
    let bare = |block: &Block| block.opening(original).unwrap().bare();
    let mut at = skip(original, 0, false);
    let mut joined = original[..at].to_owned();
    let mut is_cut = false;
    for chunk in chunks {
        let prefix = match block(at).filter(|_| is_cut) {
            Some(block) => format!("{}\n", original[block.open.clone()].trim_end()),
            None if is_cut => ticks(at),
            None => String::new(),
        };
        let rest =
            chunk.strip_prefix(&prefix).ok_or_else(|| format!("{chunk:?} lacks {prefix:?}"))?;
        let mut same = common(rest, &original[at..]);
        // The end of the line that was added before a fence's last line looks like the text's.
        if rest.get(..same).is_some_and(|same| same.ends_with('\n')) && same < rest.len() {
            same -= 1;
        }
        joined.push_str(&rest[..same]);
        at += same;
        let added = &rest[same..];
        let expected = [
            String::new(),
            ticks(at),
            block(at + 1).map_or_else(String::new, |it| format!("\n{}", bare(it))),
        ];
        if !expected.iter().any(|it| it == added) {
            return Err(format!("{added:?} at the end of {chunk:?}, before {:?}", &original[at..]));
        }
        is_cut = true;
        let is_fenced = block(at + 1).is_some() && block(at).is_some() || added.starts_with('\n');
        let next = skip(original, at, is_fenced);
        joined.push_str(&original[at..next]);
        at = next;
    }
    Ok(joined)
}

/// Behind the white space that a cut may lose.
fn skip(text: &str, at: usize, is_fenced: bool) -> usize {
    let rest = &text[at..];
    if is_fenced {
        return at + usize::from(rest.starts_with('\n'));
    }
    let space = rest.len() - rest.trim_start().len();
    // The indentation of a line stays, unless the cut was within the line.
    let line = rest[..space].rfind('\n').map(|end| end + 1);
    at + line.unwrap_or(if at == 0 { 0 } else { space })
}

fn common(a: &str, b: &str) -> usize {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    same.map(|(c, _)| c.len_utf8()).sum()
}

proptest! {
    #[test]
    fn messages_are_within_the_limits_and_their_fences_whole(
        text in prop_oneof![pieces(), wild()], limits in limits(),
    ) {
        for chunk in chunk(&text, &limits) {
            prop_assert!(is_within(&chunk, &limits), "{:?}", chunk);
            prop_assert!(is_balanced(&chunk, &limits), "{:?}", chunk);
            prop_assert!(!chunk.trim().is_empty());
        }
    }

    #[test]
    fn joined_they_are_the_text(text in pieces(), limits in limits()) {
        let joined = join(text.trim_end(), &chunk(&text, &limits));
        prop_assert_eq!(joined.as_deref().map(str::trim_end), Ok(text.trim_end()));
    }

    #[test]
    fn no_grapheme_is_lost_or_cut(text in pieces(), limits in limits()) {
        // Without languages, which are repeated.
        let text = text.replace("```rs", "```");
        let chunks = chunk(&text, &limits);
        let mut kept: Vec<&str> = chunks.iter().flat_map(|chunk| graphemes(chunk)).collect();
        let mut all: Vec<&str> = graphemes(&text).collect();
        kept.sort_unstable();
        all.sort_unstable();
        prop_assert_eq!(kept, all);
    }

    #[test]
    fn nor_is_one_wherever_code_begins(text in wild(), limits in limits()) {
        let chunks = chunk(&text, &limits);
        let kept: Vec<&str> = chunks.iter().flat_map(|chunk| graphemes(chunk)).collect();
        let mut left = kept.iter();
        // In their order; languages may come again in between.
        for grapheme in graphemes(&text) {
            prop_assert!(left.any(|kept| *kept == grapheme), "{:?} is lost: {:?}", grapheme, chunks);
        }
        prop_assert!(kept.iter().all(|kept| text.contains(kept)));
    }

    #[test]
    fn small_limits_end(text in wild(), most in 1usize..30, lines in 1usize..4) {
        let limits = ChunkLimits::of(most, lines, ChunkMode::Length);
        for chunk in chunk(&text, &limits) {
            prop_assert!(units(&chunk) <= limits.units);
        }
    }
}
