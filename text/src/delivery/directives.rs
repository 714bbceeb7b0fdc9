//! Words of the agent to its delivery: `[[reply_to_current]]`, `[[audio_as_voice]]` and the like.
//!
//! They are taken out of the text, but not out of code. Whatever has the form of a directive is
//! taken, known or not: nobody should read it. Source: OpenClaw, "Discord", reply tags.

use clawvoice_session::MessageId;

use super::code::Code;

/// Bytes within which a directive must end; beyond that `[[` is text.
const MAX_LEN: usize = 200;

/// `[[tts:text]]` begins what is only to be said; this ends it.
const END_OF_SPEECH: &str = "[[/tts:text]]";

/// Which message the agent wants to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyTag {
    /// The one that began the turn.
    Current,
    /// This one.
    Id(MessageId),
}

/// What the directives of a text say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directives {
    /// An id goes before `reply_to_current`, a later id before an earlier one.
    pub(crate) reply_to: Option<ReplyTag>,
    /// `audio_as_voice`: audio goes out as a voice message.
    pub(crate) voice: bool,
}

/// Takes the directives out of a text.
pub(crate) fn take(text: &str) -> (String, Directives) {
    let mut directives = Directives::default();
    if !text.contains("[[") {
        return (text.to_owned(), directives);
    }
    let code = Code::of(text);
    let last_end_of_speech = text.rfind(END_OF_SPEECH);
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for (start, _) in text.match_indices("[[") {
        if start < at || code.covers(start) {
            continue;
        }
        let Some((directive, mut end)) = parse(text, start) else { continue };
        directives.note(&directive);
        if directive.begins_speech() && last_end_of_speech.is_some_and(|last| last >= end) {
            let speech = text.get(end..).and_then(|rest| rest.find(END_OF_SPEECH));
            end += speech.map_or(0, |len| len + END_OF_SPEECH.len());
        }
        let before = text.get(at..start).unwrap_or_default();
        kept.push_str(before.trim_end_matches(SPACE));
        let begins_line = kept.is_empty() || kept.ends_with('\n');
        let spaces = before.get(before.trim_end_matches(SPACE).len()..).unwrap_or_default();
        let behind = text.get(end..).unwrap_or_default();
        let rest = behind.trim_start_matches(SPACE);
        at = text.len() - rest.len();
        match rest.as_bytes().first() {
            // It had a line of its own.
            Some(b'\n') if begins_line => at += 1,
            Some(b'\n') | None => {}
            Some(_) if begins_line => kept.push_str(spaces),
            Some(_) if spaces.is_empty() => at = end,
            Some(_) => kept.push_str(spaces),
        }
    }
    kept.push_str(text.get(at..).unwrap_or_default());
    (kept, directives)
}

/// White space within a line.
const SPACE: [char; 2] = [' ', '\t'];

impl Directives {
    fn note(&mut self, directive: &Directive<'_>) {
        match directive.name.as_str() {
            "reply_to_current" if self.reply_to.is_none() => {
                self.reply_to = Some(ReplyTag::Current);
            }
            "reply_to" => {
                let id =
                    directive.value.trim_matches(|c: char| c.is_whitespace() || "<>".contains(c));
                if let Ok(id) = id.parse() {
                    self.reply_to = Some(ReplyTag::Id(id));
                }
            }
            "audio_as_voice" => self.voice = true,
            _ => {}
        }
    }
}

struct Directive<'t> {
    name: String,
    value: &'t str,
}

/// The directive that begins at `start`, and where it ends.
fn parse(text: &str, start: usize) -> Option<(Directive<'_>, usize)> {
    let inner_start = start + 2;
    let rest = text.get(inner_start..)?;
    let len = rest.find(['[', ']', '\n']).filter(|len| *len <= MAX_LEN)?;
    let inner = rest.get(..len)?;
    let end = inner_start + len + 2;
    if text.get(inner_start + len..end)? != "]]" {
        return None;
    }
    let (name, value) = inner.split_once(':').unwrap_or((inner, ""));
    let name = name.trim().to_ascii_lowercase();
    if !is_name(name.strip_prefix('/').unwrap_or(&name)) {
        return None;
    }
    Some((Directive { name, value }, end))
}

impl Directive<'_> {
    /// Whether what follows is only to be said.
    fn begins_speech(&self) -> bool {
        self.name == "tts" && self.value.trim() == "text"
    }
}

/// Words joined by underscores, or `tts`: not what a shell, a wiki or a matrix puts in brackets.
fn is_name(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    name == "tts" || (name.contains('_') && name.split('_').all(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(id: u64) -> Option<ReplyTag> {
        Some(ReplyTag::Id(MessageId::new(id)))
    }

    #[test]
    fn directives_and_the_space_around_them_are_taken_out() {
        let cases = [
            ("[[reply_to_current]] Hello", "Hello", Some(ReplyTag::Current), false),
            ("[[reply_to: 12 ]]\nHello", "Hello", id(12), false),
            ("Hello [[reply_to:<12>]] you", "Hello you", id(12), false),
            ("Hello [[ REPLY_TO_CURRENT ]]", "Hello", Some(ReplyTag::Current), false),
            ("Hello[[audio_as_voice]], you", "Hello, you", None, true),
            ("a\n[[audio_as_voice]] [[reply_to:7]]\nb", "a\nb", id(7), true),
            ("[[reply_to:7]][[reply_to_current]]x", "x", id(7), false),
            ("[[reply_to_current]][[reply_to:7]][[reply_to:8]]x", "x", id(8), false),
            ("[[reply_to:<id>]]x", "x", None, false),
            ("[[quick_replies: Yes, No]]x", "x", None, false),
            ("[[tts:voice=nova]]x", "x", None, false),
            ("a [[tts:text]]only\nsaid[[/tts:text]] b", "a b", None, false),
            ("a [[tts:text]] b", "a b", None, false),
        ];
        for (text, kept, reply_to, voice) in cases {
            assert_eq!(take(text), (kept.to_owned(), Directives { reply_to, voice }), "{text:?}");
        }
    }

    #[test]
    fn code_and_other_brackets_stay() {
        for text in [
            "`[[reply_to:7]]`",
            "```\n[[reply_to_current]]\n```",
            "if [[ -f x ]]; then",
            "[[Main Page]] [[1, 2], [3, 4]] m[[1]]",
            "[[reply_to:7]",
            "[[reply_to:7\n]]",
            "[[_]] [[a__b]] [[]]",
        ] {
            assert_eq!(take(text), (text.to_owned(), Directives::default()), "{text:?}");
        }
        let long = format!("[[a_b:{}]]", "x".repeat(200));
        assert_eq!(take(&long).0, long);
    }
}
