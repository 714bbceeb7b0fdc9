//! The wake-name gate: with it, the agent is silent until it is called by name.
//!
//! Speech is recognised with mistakes, so near misses of a longer name count at the edges of a
//! sentence, where a call stands, and nowhere else.

use std::time::Duration;

use clawvoice_session::{SessionTime, UserId};

/// After a name alone, how long the same speaker's next words are taken as meant for the agent.
const FOLLOW_UP: Duration = Duration::from_secs(10);
/// Characters of a partial transcript in which a leading name is acknowledged.
const EARLY: usize = 240;
/// Words with which people open a call.
const OPENERS: [&str; 3] = ["hey", "ok", "okay"];
/// Shortest name that near misses count for, in letters and digits.
const FUZZY_LETTERS: usize = 5;

/// What is said at once when a name was heard, in rotation.
const ACKNOWLEDGEMENTS: [&str; 4] = ["Yeah.", "Mm-hmm.", "Got it.", "One sec."];

/// Where in a sentence a name wakes the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WakeScope {
    /// Anywhere.
    #[default]
    Anywhere,
    /// At its beginning or end only: somebody who talks about the agent does not wake it.
    Edges,
}

/// How a name was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchKind {
    Exact,
    Fuzzy,
}

impl MatchKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fuzzy => "fuzzy",
        }
    }
}

/// A name that was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WakeMatch {
    /// The name as configured.
    pub(crate) canonical: String,
    /// The words that were taken for it.
    pub(crate) heard: String,
    pub(crate) kind: MatchKind,
    /// What was said, without the call.
    pub(crate) rest: String,
}

/// What the gate makes of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// For the agent: these are the words.
    Called(WakeMatch),
    /// A name and nothing else: the speaker's next words are for the agent.
    Armed(WakeMatch),
    /// For the agent, because its name was called before.
    FollowUp,
    /// Not for the agent.
    Ignored,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct WakeGate {
    names: Vec<Name>,
    scope: WakeScope,
    armed: Option<(UserId, SessionTime)>,
    acknowledgements: usize,
}

#[derive(Debug)]
struct Name {
    canonical: String,
    words: Vec<String>,
}

impl Name {
    fn letters(&self) -> String {
        self.words.concat()
    }
}

/// One word of a text: letters and digits, and what follows it.
#[derive(Debug)]
struct Word<'a> {
    text: String,
    start: usize,
    end: usize,
    /// What stands between it and the next word.
    after: &'a str,
}

impl WakeGate {
    /// Names that are called; the longest is tried first. Names without a letter are left out.
    pub(crate) fn new(names: &[String], scope: WakeScope) -> Self {
        let mut names: Vec<Name> = names
            .iter()
            .map(|name| Name { canonical: name.clone(), words: plain_words(name) })
            .filter(|name| !name.words.is_empty())
            .collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.letters().chars().count()));
        Self { names, scope, armed: None, acknowledgements: 0 }
    }

    /// How many names there are.
    pub(crate) fn names(&self) -> usize {
        self.names.len()
    }

    /// A final transcript of `user`.
    pub(crate) fn judge(&mut self, now: SessionTime, user: UserId, text: &str) -> Gate {
        if let Some(found) = self.find(text) {
            self.armed = None;
            if plain_words(&found.rest).is_empty() {
                self.armed = Some((user, now + FOLLOW_UP));
                return Gate::Armed(found);
            }
            return Gate::Called(found);
        }
        match self.armed {
            Some((who, until)) if who == user && now <= until => {
                self.armed = None;
                Gate::FollowUp
            }
            _ => Gate::Ignored,
        }
    }

    /// A partial transcript: what to say at once because a name stands at its beginning. Never by a
    /// near miss: "Mostly" is not "Molty", and half a word may become another one.
    pub(crate) fn acknowledge(&mut self, partial: &str) -> Option<&'static str> {
        let early: String = partial.chars().take(EARLY).collect();
        let words = words_of(&early);
        let at = opener_words(&words);
        let called = self.names.iter().any(|name| {
            let next = at + name.words.len();
            // The last word may still grow; a boundary or another word shows that it is whole.
            exact_at(&words, at, name)
                && words.get(next - 1).is_some_and(|last| !last.after.is_empty())
        });
        called.then(|| {
            let words = ACKNOWLEDGEMENTS.get(self.acknowledgements % ACKNOWLEDGEMENTS.len());
            self.acknowledgements += 1;
            words.copied().unwrap_or_default()
        })
    }

    /// Forgets who may go on without a name: what they say next may come from another connection.
    pub(crate) fn reset(&mut self) {
        self.armed = None;
    }

    fn find(&self, text: &str) -> Option<WakeMatch> {
        let words = words_of(text);
        self.names.iter().find_map(|name| {
            self.leading(text, &words, name)
                .or_else(|| self.trailing(text, &words, name))
                .or_else(|| self.inside(text, &words, name))
        })
    }

    fn leading(&self, text: &str, words: &[Word<'_>], name: &Name) -> Option<WakeMatch> {
        let at = opener_words(words);
        if exact_at(words, at, name) {
            return found(text, words, at, name.words.len(), name, MatchKind::Exact, Edge::Start);
        }
        // A near miss may come out as one word or as the name's number of words.
        [1, name.words.len()].into_iter().find_map(|count| {
            let last = words.get(at + count - 1)?;
            let is_closed = at + count == words.len() || has_boundary(last.after);
            (is_closed && is_near(&joined(words, at, count)?, &name.letters()))
                .then(|| found(text, words, at, count, name, MatchKind::Fuzzy, Edge::Start))?
        })
    }

    fn trailing(&self, text: &str, words: &[Word<'_>], name: &Name) -> Option<WakeMatch> {
        let at = words.len().checked_sub(name.words.len())?;
        if exact_at(words, at, name) {
            return found(text, words, at, name.words.len(), name, MatchKind::Exact, Edge::End);
        }
        let before = words.get(at.checked_sub(1)?)?;
        let asks = words.last().is_some_and(|last| last.after.contains('?'));
        let heard = joined(words, at, name.words.len())?;
        (asks && has_boundary(before.after) && is_swapped(&heard, &name.letters()))
            .then(|| found(text, words, at, name.words.len(), name, MatchKind::Fuzzy, Edge::End))?
    }

    fn inside(&self, text: &str, words: &[Word<'_>], name: &Name) -> Option<WakeMatch> {
        if self.scope == WakeScope::Edges {
            return None;
        }
        let at = (0..words.len()).find(|at| exact_at(words, *at, name))?;
        found(text, words, at, name.words.len(), name, MatchKind::Exact, Edge::Inside)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Start,
    End,
    /// The name is part of the sentence and stays in it.
    Inside,
}

fn found(
    text: &str,
    words: &[Word<'_>],
    at: usize,
    count: usize,
    name: &Name,
    kind: MatchKind,
    edge: Edge,
) -> Option<WakeMatch> {
    let (first, last) = (words.get(at)?, words.get(at + count - 1)?);
    let separators =
        |c: char| c.is_whitespace() || matches!(c, ',' | '.' | '!' | ':' | ';' | '-' | '?');
    let rest = match edge {
        Edge::Start => text.get(last.end..)?.trim_start_matches(separators).trim(),
        Edge::End => text
            .get(..first.start)?
            .trim_end_matches(|c: char| c.is_whitespace() || c == ',')
            .trim(),
        Edge::Inside => text.trim(),
    };
    Some(WakeMatch {
        canonical: name.canonical.clone(),
        heard: text.get(first.start..last.end)?.to_owned(),
        kind,
        rest: rest.to_owned(),
    })
}

fn words_of(text: &str) -> Vec<Word<'_>> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    let mut open = None;
    for (at, c) in text.char_indices() {
        // An apostrophe inside a word is part of it.
        if c.is_alphanumeric() || (open.is_some() && matches!(c, '\'' | '\u{2019}')) {
            open.get_or_insert(at);
        } else if let Some(start) = open.take() {
            spans.push((start, at));
        }
    }
    if let Some(start) = open {
        spans.push((start, text.len()));
    }
    let ends =
        spans.iter().skip(1).map(|(start, _)| *start).chain([text.len()]).collect::<Vec<_>>();
    spans
        .iter()
        .zip(ends)
        .map(|(&(start, end), next)| Word {
            text: plain(text.get(start..end).unwrap_or_default()),
            start,
            end,
            after: text.get(end..next).unwrap_or_default(),
        })
        .collect()
}

/// Lower case, letters and digits only.
fn plain(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn plain_words(text: &str) -> Vec<String> {
    words_of(text).into_iter().map(|word| word.text).filter(|word| !word.is_empty()).collect()
}

fn opener_words(words: &[Word<'_>]) -> usize {
    usize::from(words.first().is_some_and(|word| OPENERS.contains(&word.text.as_str())))
}

fn exact_at(words: &[Word<'_>], at: usize, name: &Name) -> bool {
    words
        .get(at..at + name.words.len())
        .is_some_and(|heard| heard.iter().zip(&name.words).all(|(heard, name)| heard.text == *name))
}

/// Words in a row as one, unless punctuation parts them.
fn joined(words: &[Word<'_>], at: usize, count: usize) -> Option<String> {
    let words = words.get(at..at + count)?;
    let (_, before_last) = words.split_last()?;
    let is_one = before_last.iter().all(|word| !has_boundary(word.after));
    is_one.then(|| words.iter().map(|word| word.text.as_str()).collect())
}

fn has_boundary(between: &str) -> bool {
    between.contains(|c: char| {
        matches!(c, ',' | '.' | '!' | '?' | ':' | ';' | '\u{2014}' | '\u{2013}' | '-')
    })
}

/// A near miss at the beginning of a sentence.
fn is_near(heard: &str, name: &str) -> bool {
    let (heard_len, name_len) = (heard.chars().count(), name.chars().count());
    if name_len < FUZZY_LETTERS || heard.chars().next() != name.chars().next() {
        return false;
    }
    let prefix = heard.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    match strsim::levenshtein(heard, name) {
        0 | 1 => true,
        2 => heard_len != name_len || is_swapped(heard, name) || prefix >= 6,
        3 => heard_len >= 7 && name_len >= 7 && heard_len != name_len && prefix >= 5,
        _ => false,
    }
}

/// Same length and first letter, and apart only in vowels, or in l for r.
fn is_swapped(heard: &str, name: &str) -> bool {
    const VOWELS: &str = "aeiouy";
    let swaps = |a: char, b: char| {
        a == b
            || (VOWELS.contains(a) && VOWELS.contains(b))
            || matches!((a, b), ('l', 'r') | ('r', 'l'))
    };
    heard.chars().count() == name.chars().count()
        && name.chars().count() >= FUZZY_LETTERS
        && heard.chars().next() == name.chars().next()
        && heard.chars().zip(name.chars()).all(|(a, b)| swaps(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const T0: SessionTime = SessionTime::ZERO;

    fn gate(scope: WakeScope) -> WakeGate {
        WakeGate::new(&["Molty".to_owned(), "Open Claw".to_owned()], scope)
    }

    fn rest(scope: WakeScope, text: &str) -> Option<String> {
        gate(scope).find(text).map(|found| found.rest)
    }

    #[test]
    fn voice_scenario_34_only_a_call_by_name_is_heard_and_the_call_is_stripped() {
        let mut gate = gate(WakeScope::Anywhere);
        assert_eq!(gate.judge(T0, ANN, "how is it going"), Gate::Ignored);
        let Gate::Called(found) = gate.judge(T0, ANN, "Hey, Molty, how is it going") else {
            panic!("not called")
        };
        assert_eq!((found.rest.as_str(), found.heard.as_str()), ("how is it going", "Molty"));
        assert_eq!(found.kind, MatchKind::Exact);
    }

    #[test]
    fn voice_scenario_35_a_name_alone_arms_ten_seconds_for_that_speaker() {
        let mut gate = gate(WakeScope::Anywhere);
        assert!(matches!(gate.judge(T0, ANN, "Molty."), Gate::Armed(_)));
        assert_eq!(gate.judge(T0 + Duration::from_secs(1), BOB, "what time is it"), Gate::Ignored);
        assert_eq!(
            gate.judge(T0 + Duration::from_secs(10), ANN, "what time is it"),
            Gate::FollowUp
        );
        assert_eq!(gate.judge(T0 + Duration::from_secs(10), ANN, "and there"), Gate::Ignored);
        assert!(matches!(gate.judge(T0, ANN, "hey molty"), Gate::Armed(_)));
        let late = T0 + Duration::from_micros(10_000_001);
        assert_eq!(gate.judge(late, ANN, "what time is it"), Gate::Ignored);
    }

    #[test]
    fn voice_scenario_36_half_a_word_is_not_acknowledged() {
        let mut gate = gate(WakeScope::Anywhere);
        for partial in ["Mostly", "Mostly I", "Molt", "Molty", "I asked Molty about"] {
            assert_eq!(gate.acknowledge(partial), None, "{partial}");
        }
        let said: Vec<_> = (0..5).filter_map(|_| gate.acknowledge("Okay Molty, what")).collect();
        assert_eq!(said, ["Yeah.", "Mm-hmm.", "Got it.", "One sec.", "Yeah."]);
    }

    #[test]
    fn names_are_found_at_both_edges_and_inside_where_that_counts() {
        for (text, anywhere, edges) in [
            ("What time is it, Molty?", Some("What time is it"), Some("What time is it")),
            ("Molty what time is it", Some("what time is it"), Some("what time is it")),
            ("open claw: go", Some("go"), Some("go")),
            ("I told Molty about it", Some("I told Molty about it"), None),
            ("moltyfy it", None, None),
            ("", None, None),
        ] {
            assert_eq!(rest(WakeScope::Anywhere, text).as_deref(), anywhere, "{text}");
            assert_eq!(rest(WakeScope::Edges, text).as_deref(), edges, "{text}");
        }
    }

    #[test]
    fn near_misses_count_only_at_a_boundary() {
        let edges = |text| rest(WakeScope::Edges, text);
        assert_eq!(edges("Malty, what is new").as_deref(), Some("what is new"));
        assert_eq!(edges("Molly. Go on").as_deref(), Some("Go on"), "one letter apart");
        assert_eq!(edges("OpenClaw, go").as_deref(), Some("go"), "one word for two");
        assert_eq!(edges("Malty what is new"), None, "no boundary");
        assert_eq!(edges("Salty, what is new"), None, "another first letter");
        assert_eq!(edges("What is new, Malty?").as_deref(), Some("What is new"));
        assert_eq!(edges("What is new Malty?"), None, "no comma before it");
        assert_eq!(edges("What is new, Malty."), None, "no question");
        let gate = WakeGate::new(&["Bob".to_owned()], WakeScope::Edges);
        assert!(gate.find("Rob, hi").is_none() && gate.find("Bab, hi").is_none(), "too short");
    }

    #[test]
    fn whatever_is_said_nothing_panics() {
        use proptest::prelude::*;
        proptest!(|(text in ".{0,80}", name in ".{0,20}")| {
            let mut gate = WakeGate::new(&[name], WakeScope::Anywhere);
            let _ = gate.judge(T0, ANN, &text);
            let _ = gate.acknowledge(&text);
        });
    }
}
