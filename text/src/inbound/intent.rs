//! Step 25, second half: whether a message that is not to the bot by name is for it all the same.
//!
//! Where no mention is needed people also talk among themselves. How likely it is that they mean the
//! bot is estimated from the message and what went before, without a model.

use std::time::Duration;

/// A question or a wish this soon after the bot's answer to the same person goes on.
const FOLLOWS: Duration = Duration::from_secs(2 * 60);
/// This soon it may.
const RECENT: Duration = Duration::from_secs(10 * 60);

/// What speaks for and against.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cues<'a> {
    /// What the message says.
    pub text: &'a str,
    /// It is to the bot: a mention, a reply to it, or in private.
    pub addressed: bool,
    /// It answers somebody else.
    pub replies_to_other: bool,
    /// It mentions somebody else.
    pub mentions_others: bool,
    /// Words of what the agent is there for, in any case.
    pub topics: &'a [String],
    /// How long ago the bot wrote in the channel, if nobody but the author has since.
    pub since_own: Option<Duration>,
}

/// How likely it is that a message is for the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relevance {
    /// In percent: to be logged.
    pub percent: u8,
    /// Whether the bot answers; otherwise the message is dropped as `intent-filtered`.
    pub answers: bool,
}

/// Estimates; `threshold`: from which share of 1 on the bot answers. What is to it is answered
/// always.
#[must_use]
pub fn relevance(cues: &Cues<'_>, threshold: f64) -> Relevance {
    if cues.addressed {
        return Relevance { percent: 100, answers: true };
    }
    let percent = u8::try_from(estimate(cues).clamp(0, 100)).unwrap_or(0);
    Relevance { percent, answers: f64::from(percent) / 100.0 >= threshold }
}

fn estimate(cues: &Cues<'_>) -> i32 {
    let text = cues.text.trim().to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return 0;
    }
    let asks = asks(&text, &words);
    let wishes = wishes(&text);
    let has_topic = cues.topics.iter().any(|topic| {
        let topic = topic.trim().to_lowercase();
        !topic.is_empty() && text.contains(&topic)
    });
    let goes_on = match cues.since_own {
        Some(ago) if ago <= FOLLOWS => 40,
        Some(ago) if ago <= RECENT => 20,
        _ => 0,
    };
    let for_it = [(asks, 35), (wishes, 25), (has_topic, 30), (true, goes_on)];
    let against = [
        (cues.replies_to_other, 60),
        (cues.mentions_others, 45),
        (words.len() < 3 && !asks && !wishes, 20),
    ];
    let sum = |cues: &[(bool, i32)]| -> i32 {
        cues.iter().filter(|(holds, _)| *holds).map(|(_, weight)| weight).sum()
    };
    10 + sum(&for_it) - sum(&against)
}

fn asks(text: &str, words: &[&str]) -> bool {
    const FIRST: [&str; 18] = [
        "what", "why", "how", "when", "where", "who", "which", "whose", "can", "could", "does",
        "do", "is", "are", "should", "would", "will", "did",
    ];
    text.contains(['?', '？', '؟']) || words.first().is_some_and(|word| FIRST.contains(word))
}

fn wishes(text: &str) -> bool {
    const PARTS: [&str; 11] = [
        "please",
        "can you",
        "could you",
        "would you",
        "help",
        "tell me",
        "show me",
        "explain",
        "give me",
        "any idea",
        "does anyone know",
    ];
    PARTS.iter().any(|part| text.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cues: &Cues<'_>) -> Relevance {
        relevance(cues, 0.7)
    }

    #[test]
    fn what_is_to_the_bot_is_answered_whatever_it_says() {
        assert_eq!(
            of(&Cues { text: "ok", addressed: true, replies_to_other: true, ..Cues::default() }),
            Relevance { percent: 100, answers: true }
        );
    }

    #[test]
    fn talk_among_people_is_left_alone_and_questions_are_answered() {
        let topics = ["Rust".to_owned()];
        let base = Cues { topics: &topics, ..Cues::default() };
        let just_now = Some(Duration::from_secs(30));
        for (cues, percent) in [
            (Cues { text: "how do I borrow twice in rust?", ..base }, 75),
            (Cues { text: "can you explain lifetimes", ..base }, 70),
            (Cues { text: "and why is that?", since_own: just_now, ..base }, 85),
            (Cues { text: "thanks a lot for that", since_own: just_now, ..base }, 50),
            (Cues { text: "lol", ..base }, 0),
            (Cues { text: "rust is great fun", ..base }, 40),
            (Cues { text: "how do I do this in rust?", mentions_others: true, ..base }, 30),
            (Cues { text: "can you explain rust?", replies_to_other: true, ..base }, 40),
            (Cues { text: "🎉", ..base }, 0),
        ] {
            let relevance = of(&cues);
            assert_eq!(relevance.percent, percent, "{}", cues.text);
            assert_eq!(relevance.answers, percent >= 70);
        }
        let late = Cues { text: "and why?", since_own: Some(Duration::from_secs(900)), ..base };
        assert_eq!(of(&late).percent, 45);
        assert!(relevance(&late, 0.45).answers && !relevance(&late, 0.46).answers);
    }
}
