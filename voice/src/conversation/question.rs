//! What a transcript asks: whether it is a question for the agent at all, and whether two of them
//! are the same one.

use std::collections::BTreeSet;

/// Words on which nobody ends a sentence.
const CONNECTORS: [&str; 19] = [
    "a", "about", "an", "and", "as", "at", "because", "but", "by", "for", "from", "in", "of", "on",
    "or", "so", "that", "the", "then",
];
/// The rest of them; "to" and "with" as in "I want to talk to".
const MORE_CONNECTORS: [&str; 2] = ["to", "with"];

/// Words that every question may have and none is told by.
const COMMON: [&str; 21] = [
    "a", "an", "and", "are", "can", "check", "could", "for", "in", "is", "it", "look", "me", "of",
    "on", "or", "please", "see", "that", "the", "this",
];
const MORE_COMMON: [&str; 3] = ["to", "would", "you"];

/// Shortest word that counts when questions are compared, in letters.
const TOKEN_LETTERS: usize = 2;

/// Why a transcript is not taken to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skip {
    /// It breaks off: the rest is still to come. With the way it was seen, if that was the last
    /// word.
    Incomplete {
        /// Seen by its last word, not by dots.
        connector: bool,
    },
    /// A farewell and nothing else.
    Closing,
}

impl Skip {
    /// The reason as it is printed.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Incomplete { .. } => "incomplete-transcript",
            Self::Closing => "non-actionable-closing",
        }
    }

    /// More about it, where there is more to say.
    pub(crate) const fn detail(self) -> Option<&'static str> {
        match self {
            Self::Incomplete { connector: true } => Some("trailing-connector"),
            Self::Incomplete { connector: false } | Self::Closing => None,
        }
    }
}

/// Whether a final transcript is left alone, and why.
pub(crate) fn skip(text: &str) -> Option<Skip> {
    let text = text.trim();
    if text.ends_with("...") || text.ends_with('\u{2026}') {
        return Some(Skip::Incomplete { connector: false });
    }
    // Punctuation at the end says that the sentence is over.
    let last = text.split_whitespace().next_back().unwrap_or_default().to_lowercase();
    if CONNECTORS.contains(&last.as_str()) || MORE_CONNECTORS.contains(&last.as_str()) {
        return Some(Skip::Incomplete { connector: true });
    }
    is_farewell(text).then_some(Skip::Closing)
}

/// Whether every clause is a farewell, or a word of thanks or address beside one.
fn is_farewell(text: &str) -> bool {
    if text.contains('?') {
        return false;
    }
    let text = text.to_lowercase().replace('\u{2019}', "'").replace("bye-bye", "bye");
    let mut farewells = 0;
    for clause in text.split(['.', '!', ',', ';']).flat_map(|clause| clause.split(" and ")) {
        let words: Vec<&str> = clause.split_whitespace().collect();
        match clause_kind(&words) {
            Clause::Farewell => farewells += 1,
            Clause::Courtesy => {}
            Clause::Other => return false,
        }
    }
    farewells > 0
}

enum Clause {
    Farewell,
    Courtesy,
    Other,
}

const LEADS: [&str; 9] = ["ok", "okay", "alright", "well", "so", "anyway", "and", "right", "great"];
const COURTESIES: [&str; 14] = [
    "thanks",
    "thank",
    "you",
    "everyone",
    "everybody",
    "all",
    "guys",
    "folks",
    "team",
    "cheers",
    "for",
    "now",
    "again",
    "cool",
];
const FAREWELLS: [&str; 10] = [
    "bye",
    "goodbye",
    "good bye",
    "good night",
    "see you",
    "see ya",
    "talk to you",
    "i'll be back",
    "i'll be right back",
    "i will be back",
];
const MORE_FAREWELLS: [&str; 3] = ["i will be right back", "be right back", "take care"];
/// What may follow a farewell: when, and to whom.
const TAILS: [&str; 31] = [
    "bye",
    "later",
    "soon",
    "then",
    "around",
    "tomorrow",
    "tonight",
    "again",
    "now",
    "everyone",
    "everybody",
    "all",
    "guys",
    "folks",
    "team",
    "on",
    "in",
    "at",
    "a",
    "the",
    "next",
    "week",
    "minute",
    "minutes",
    "moment",
    "second",
    "bit",
    "few",
    "for",
    "there",
    "this",
];
const DAYS: [&str; 9] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "evening",
    "morning",
];

fn clause_kind(words: &[&str]) -> Clause {
    let words = match words.split_first() {
        Some((first, rest)) if LEADS.contains(first) => rest,
        _ => words,
    };
    let text = words.join(" ");
    let farewell = FAREWELLS
        .iter()
        .chain(&MORE_FAREWELLS)
        .filter_map(|farewell| text.strip_prefix(farewell))
        .filter(|tail| tail.is_empty() || tail.starts_with(' '))
        .min_by_key(|tail| tail.len());
    match farewell {
        Some(tail) => {
            let ends =
                tail.split_whitespace().all(|word| TAILS.contains(&word) || DAYS.contains(&word));
            if ends { Clause::Farewell } else { Clause::Other }
        }
        None if words.iter().all(|word| COURTESIES.contains(word)) => Clause::Courtesy,
        None => Clause::Other,
    }
}

/// Whether two questions are the same one: equal or contained but for case and punctuation, or
/// sharing at least two telling words that are 60 % of the shorter question's.
pub(crate) fn same_question(one: &str, other: &str) -> bool {
    let (one, other) = (plain(one), plain(other));
    if one.is_empty() || other.is_empty() {
        return false;
    }
    if one == other || contains(&one, &other) || contains(&other, &one) {
        return true;
    }
    let (one, other) = (tokens(&one), tokens(&other));
    let shared = one.intersection(&other).count();
    let smaller = one.len().min(other.len());
    shared >= 2 && shared * 10 >= smaller * 6
}

/// Whether two texts are the same but for case and punctuation.
pub(crate) fn same_words(one: &str, other: &str) -> bool {
    let one = plain(one);
    !one.is_empty() && one == plain(other)
}

/// Whole words of `inner` in a row within `outer`.
fn contains(outer: &str, inner: &str) -> bool {
    format!(" {outer} ").contains(&format!(" {inner} "))
}

fn plain(text: &str) -> String {
    let plain: String = text
        .chars()
        .filter(|c| !matches!(c, '\'' | '\u{2019}'))
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .flat_map(char::to_lowercase)
        .collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn tokens(plain: &str) -> BTreeSet<&str> {
    plain
        .split(' ')
        .filter(|word| word.chars().count() >= TOKEN_LETTERS)
        .filter(|word| !COMMON.contains(word) && !MORE_COMMON.contains(word))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const INCOMPLETE: Option<Skip> = Some(Skip::Incomplete { connector: false });
    const CONNECTOR: Option<Skip> = Some(Skip::Incomplete { connector: true });

    #[test]
    fn voice_scenario_27_fragments_and_farewells_are_left_alone() {
        for (text, expected) in [
            ("can you check...", INCOMPLETE),
            ("tell me about", CONNECTOR),
            ("Bye.", Some(Skip::Closing)),
            ("can you say goodbye?", None),
        ] {
            assert_eq!(skip(text), expected, "{text}");
        }
        assert_eq!(skip("Bye.").map(Skip::reason), Some("non-actionable-closing"));
        assert_eq!(skip("tell me about").and_then(Skip::detail), Some("trailing-connector"));
        assert_eq!(skip("wait\u{2026}").map(Skip::reason), Some("incomplete-transcript"));
    }

    #[test]
    fn only_a_farewell_alone_is_one() {
        for text in [
            "Thanks and goodbye.",
            "See you on Monday.",
            "I'll be right back in a minute.",
            "Okay, bye-bye everyone!",
            "Good night, thank you all",
            "I will be back",
        ] {
            assert_eq!(skip(text), Some(Skip::Closing), "{text}");
        }
        for text in [
            "Write a goodbye email to Sam",
            "Goodbye, everyone, please check the build.",
            "Thanks, goodbye. Send me the report.",
            "Thank you all",
            "See you should check this",
            "What is the time?",
            "Do it then.",
        ] {
            assert_eq!(skip(text), None, "{text}");
        }
    }

    #[test]
    fn questions_are_the_same_by_their_telling_words() {
        for (one, other, same) in [
            ("What's the weather?", "whats the weather", true),
            ("the weather in Oslo", "Tell me the weather in Oslo today", true),
            ("what is the weather in Oslo", "weather forecast Oslo", true),
            ("open the door", "close the window", false),
            ("is it on", "can you see it", false),
            ("", "", false),
            ("art", "start", false),
        ] {
            assert_eq!(same_question(one, other), same, "{one:?} {other:?}");
            assert_eq!(same_question(other, one), same, "{other:?} {one:?}");
        }
    }
}
