//! The newest part of a session's history that fits into a number of tokens.

use std::collections::VecDeque;

use super::{Exchange, Outcome};
use crate::{
    Generation,
    brain::{Message, Speaker, message::estimated_tokens},
};

/// Stands for an answer that was stopped before its first word.
const STOPPED: &str = "[stopped before an answer]";

#[derive(Clone, Debug)]
struct Remembered {
    by: Speaker,
    said: String,
    answered: String,
    tokens: u64,
}

/// The newest exchanges of a session, whole ones only, oldest first.
#[derive(Clone, Debug)]
pub struct Window {
    budget: u64,
    tokens: u64,
    generation: Generation,
    exchanges: VecDeque<Remembered>,
}

impl Window {
    /// Empty, for `budget` tokens at four characters each.
    #[must_use]
    pub const fn new(budget: u64) -> Self {
        Self { budget, tokens: 0, generation: Generation::FIRST, exchanges: VecDeque::new() }
    }

    /// The same, of that generation of the session.
    #[must_use]
    pub const fn of(mut self, generation: Generation) -> Self {
        self.generation = generation;
        self
    }

    /// The generation of the session that it shows.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// The exchange after all others. What no longer fits is forgotten, oldest first; an exchange
    /// too large by itself is not kept, and nothing before it is.
    pub fn push(&mut self, exchange: &Exchange) {
        let remembered = Remembered::from(exchange);
        self.tokens += remembered.tokens;
        self.exchanges.push_back(remembered);
        while self.tokens > self.budget
            && let Some(oldest) = self.exchanges.pop_front()
        {
            self.tokens -= oldest.tokens;
        }
    }

    /// The exchange before all others, when loading newest first. Whether it fitted; if not, the
    /// window is full and nothing older belongs into it.
    pub fn push_older(&mut self, exchange: &Exchange) -> bool {
        let remembered = Remembered::from(exchange);
        let fits = self.tokens + remembered.tokens <= self.budget;
        if fits {
            self.tokens += remembered.tokens;
            self.exchanges.push_front(remembered);
        }
        fits
    }

    /// What the model is told of it.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::with_capacity(self.exchanges.len() * 2);
        for exchange in &self.exchanges {
            if !exchange.said.is_empty() {
                let by = Some(exchange.by.clone());
                messages.push(Message::User { by, text: exchange.said.clone() });
            }
            if !exchange.answered.is_empty() {
                let text = exchange.answered.clone();
                messages.push(Message::Assistant { text, calls: Vec::new() });
            }
        }
        messages
    }

    /// Its size in tokens, as estimated.
    #[must_use]
    pub const fn tokens(&self) -> u64 {
        self.tokens
    }
}

impl From<&Exchange> for Remembered {
    fn from(exchange: &Exchange) -> Self {
        let by = Speaker { user: exchange.by.user, label: exchange.by.label.clone() };
        let mut answered = exchange.answered.clone();
        if answered.is_empty() && exchange.outcome == Outcome::Cancelled {
            // Else the model would take it for a question still open.
            STOPPED.clone_into(&mut answered);
        }
        let said = Message::user_content(Some(&by), &exchange.said);
        let tokens = estimated_tokens(&said) + estimated_tokens(&answered);
        Self { by, said: exchange.said.clone(), answered, tokens }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::{UserId, agent::AskedBy};

    fn exchange(said: &str, answered: &str, outcome: Outcome) -> Exchange {
        Exchange {
            by: AskedBy { user: UserId::new(7), label: "Ada".into(), owner: false },
            surface: "test".into(),
            said: said.into(),
            answered: answered.into(),
            outcome,
            model: None,
            charges: Vec::new(),
            channel: None,
            at: Timestamp::UNIX_EPOCH,
            generation: None,
            origin: None,
        }
    }

    fn texts(window: &Window) -> Vec<String> {
        let text = |message| match message {
            Message::User { text, .. }
            | Message::Context(text)
            | Message::Assistant { text, .. } => text,
            Message::Tool { output, .. } => output,
            Message::Images(_) => panic!("history holds words only"),
        };
        window.messages().into_iter().map(text).collect()
    }

    #[test]
    fn only_whole_exchanges_are_kept_newest_first() {
        let mut window = Window::new(20);
        for number in 0..10 {
            let said = format!("question {number}");
            window.push(&exchange(&said, "answer", Outcome::Answered));
        }
        assert_eq!(texts(&window), ["question 8", "answer", "question 9", "answer"]);
        window.push(&exchange(&"x".repeat(200), "", Outcome::Answered));
        assert_eq!(texts(&window), [""; 0]);
    }

    #[test]
    fn a_stopped_question_is_not_left_open() {
        let mut window = Window::new(100);
        window.push(&exchange("go", "", Outcome::Cancelled));
        window.push(&exchange("go", "half", Outcome::Cancelled));
        window.push(&exchange("", "noted", Outcome::Noted));
        assert_eq!(texts(&window), ["go", STOPPED, "go", "half", "noted"]);
    }

    proptest! {
        #[test]
        fn loading_backwards_gives_what_following_gave(
            lengths in prop::collection::vec((0_usize..60, 0_usize..60), 0..30),
            budget in 0_u64..100,
        ) {
            let exchanges: Vec<Exchange> = lengths
                .iter()
                .map(|(said, answered)| {
                    exchange(&"s".repeat(*said), &"a".repeat(*answered), Outcome::Answered)
                })
                .collect();
            let mut followed = Window::new(budget);
            exchanges.iter().for_each(|exchange| followed.push(exchange));
            let mut loaded = Window::new(budget);
            for exchange in exchanges.iter().rev() {
                if !loaded.push_older(exchange) {
                    break;
                }
            }
            prop_assert_eq!(texts(&loaded), texts(&followed));
            prop_assert_eq!(loaded.tokens(), followed.tokens());
            prop_assert!(followed.tokens() <= budget);
        }
    }
}
