//! Words by which an agent is called: regular expressions of the configuration, else its name and
//! its emoji. They are matched in linear time.

use std::{borrow::Cow, fmt::Write as _};

use clawvoice_config::{Agent, Messages};
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

/// Longer ones are left out, bytes.
const LONGEST: usize = 512;
/// Further ones are left out.
const MOST: usize = 64;
/// Bytes that a compiled one may take; with more it is left out.
const SIZE: usize = 256 * 1024;

/// The words by which an agent is called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns {
    all: Vec<Regex>,
}

/// A pattern that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the mention pattern {pattern:?} is left out: {why}")]
pub struct PatternWarning {
    /// As it is written, cut.
    pub pattern: String,
    /// Why.
    pub why: &'static str,
}

impl Patterns {
    /// An agent's: its own, else those of `messages.groupChat`, else from its name and emoji. A list
    /// that is written and empty is none.
    pub(crate) fn of(agent: &Agent, messages: &Messages) -> (Self, Vec<PatternWarning>) {
        let written = agent.mention_patterns.as_ref().or(messages.mention_patterns.as_ref());
        match written {
            Some(written) => Self::compile(written),
            None => Self::compile(&derived(agent.name.as_deref(), agent.emoji.as_deref())),
        }
    }

    fn compile(written: &[String]) -> (Self, Vec<PatternWarning>) {
        let (mut all, mut warnings) = (Vec::new(), Vec::new());
        for (place, pattern) in written.iter().enumerate() {
            let compiled =
                if place < MOST { compile(pattern) } else { Err("there are too many before it") };
            match compiled {
                Ok(compiled) => all.push(compiled),
                Err(why) => {
                    let pattern = pattern.chars().take(80).collect();
                    warnings.push(PatternWarning { pattern, why });
                }
            }
        }
        (Self { all }, warnings)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a text calls the agent.
    pub(crate) fn match_in(&self, text: &str) -> bool {
        if self.all.is_empty() || text.is_empty() {
            return false;
        }
        let text = visible(text);
        self.all.iter().any(|pattern| pattern.is_match(&text))
    }
}

fn compile(pattern: &str) -> Result<Regex, &'static str> {
    if pattern.trim().is_empty() {
        return Err("it is empty");
    }
    if pattern.len() > LONGEST {
        return Err("it is too long");
    }
    let pattern = visible(pattern);
    let parsed = regex_syntax::Parser::new().parse(&pattern).map_err(|_| "it cannot be read")?;
    if repeats_repetitions(&parsed, false) {
        return Err("it repeats what is itself repeated");
    }
    if Regex::new(&pattern).is_ok_and(|plain| plain.is_match("")) {
        return Err("it matches everything");
    }
    let compiled = RegexBuilder::new(&pattern)
        .case_insensitive(true)
        .size_limit(SIZE)
        .dfa_size_limit(SIZE)
        .nest_limit(64)
        .build();
    compiled.map_err(|_| "it is too large")
}

/// `(a+)+`: other engines stall at it. Ours does not, yet such a pattern is a mistake.
fn repeats_repetitions(hir: &Hir, repeated: bool) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let endless = repetition.max.is_none();
            (repeated && endless) || repeats_repetitions(&repetition.sub, repeated || endless)
        }
        HirKind::Capture(capture) => repeats_repetitions(&capture.sub, repeated),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().any(|part| repeats_repetitions(part, repeated))
        }
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
    }
}

/// Scripts that are written without spaces: no boundary is to be expected between their words.
const UNSPACED: &str = r"\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{AC00}-\x{D7AF}\x{F900}-\x{FAFF}\x{20000}-\x{2FA1F}";

fn is_unspaced(letter: char) -> bool {
    matches!(
        letter,
        '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{AC00}'..='\u{D7AF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{2FA1F}'
    )
}

/// The name as a word, with or without `@`; the emoji anywhere.
fn derived(name: Option<&str>, emoji: Option<&str>) -> Vec<String> {
    let mut patterns = Vec::new();
    let words: Vec<String> =
        name.unwrap_or_default().split_whitespace().map(regex::escape).collect();
    if !words.is_empty() {
        let name = words.join(r"\s+");
        let edge = |letter: Option<char>, at: &str| match letter {
            Some(letter) if letter.is_alphanumeric() && !is_unspaced(letter) => {
                format!(r"(?:{at}|[^\w]|[{UNSPACED}])")
            }
            _ => String::new(),
        };
        let letters = name_letters(name.as_str());
        let mut pattern = edge(letters.0, "^");
        let _ = write!(pattern, "@?{name}");
        pattern.push_str(&edge(letters.1, "$"));
        patterns.push(pattern);
    }
    if let Some(emoji) = emoji.map(str::trim).filter(|emoji| !emoji.is_empty()) {
        patterns.push(regex::escape(emoji));
    }
    patterns
}

fn name_letters(name: &str) -> (Option<char>, Option<char>) {
    (name.chars().next(), name.chars().next_back())
}

/// A text without what cannot be seen: zero-width letters, directions of writing, and the selector
/// that makes an emoji of a sign.
fn visible(text: &str) -> Cow<'_, str> {
    let is_hidden = |letter: char| {
        matches!(
            letter,
            '\u{00AD}'
                | '\u{061C}'
                | '\u{180E}'
                | '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FE0E}'
                | '\u{FE0F}'
                | '\u{FEFF}'
        )
    };
    if text.is_ascii() || !text.contains(is_hidden) {
        return text.into();
    }
    text.chars().filter(|letter| !is_hidden(*letter)).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patterns: &[&str]) -> (Patterns, Vec<PatternWarning>) {
        let patterns: Vec<String> = patterns.iter().map(|it| (*it).to_owned()).collect();
        Patterns::compile(&patterns)
    }

    fn called(name: &str) -> Patterns {
        let (patterns, warnings) = Patterns::compile(&derived(Some(name), Some("⚙️")));
        assert_eq!(warnings, []);
        patterns
    }

    #[test]
    fn a_name_is_a_word() {
        let claw = called("Claw");
        for text in
            ["claw", "hey CLAW!", "@claw?", "(claw)", "claw你好", "你好claw", "a ⚙ b", "ſ claw"]
        {
            assert!(claw.match_in(text), "{text}");
        }
        for text in ["clawing", "my_claw", "2claw", "clow", "", "éclaw"] {
            assert!(!claw.match_in(text), "{text}");
        }
        let two = called("Big Claw+");
        assert!(two.match_in("big   claw+ou"), "a sign ends by itself");
        assert!(!two.match_in("bigclaw+"));
        let unspaced = called("爪爪");
        assert!(unspaced.match_in("你好爪爪在吗"));
    }

    /// Scenario 38 of the text scenarios.
    #[test]
    fn what_cannot_be_seen_hides_no_name() {
        let claw = called("Claw");
        for text in ["c\u{200B}law", "\u{202E}cl\u{2060}aw\u{FEFF}", "cla\u{00AD}w"] {
            assert!(claw.match_in(text), "{text:?}");
        }
    }

    /// Scenario 37 of the text scenarios.
    #[test]
    fn a_dangerous_pattern_is_left_out_and_stalls_nothing() {
        let long = "a".repeat(LONGEST + 1);
        for (pattern, why) in [
            ("(a+)+$", "it repeats what is itself repeated"),
            ("((a*)b{2,})*", "it repeats what is itself repeated"),
            ("(", "it cannot be read"),
            ("(?=a)", "it cannot be read"),
            (" ", "it is empty"),
            ("a*", "it matches everything"),
            ("(?:\\w{100}){100}", "it is too large"),
            (&long, "it is too long"),
        ] {
            let (patterns, warnings) = of(&[pattern, "claw"]);
            assert_eq!(warnings.iter().map(|it| it.why).collect::<Vec<_>>(), [why], "{pattern}");
            assert!(patterns.match_in("a claw") && !patterns.match_in(&"a".repeat(50_000)));
        }
        let (patterns, warnings) = of(&[r"\bhey\s+(claw|bot)+\b", "a{2}b+"]);
        assert!(warnings.is_empty() && patterns.match_in("hey  Claw"));
    }

    #[test]
    fn too_many_are_cut() {
        let (patterns, warnings) = of(&vec!["claw"; MOST + 2]);
        assert_eq!((patterns.all.len(), warnings.len()), (MOST, 2));
    }
}
