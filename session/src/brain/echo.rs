//! The built-in brain for when no model is configured: it answers with what it was asked.
//!
//! It needs no key and no network and is honest about it. What was added to the run while it
//! thought is answered as well, so that steering can be heard.

use super::message::{Ending, Message, ModelAnswer, ModelRequest, estimated_tokens};
use crate::agent::Usage;

/// `You said: <words>`; of several messages since the last answer, each.
#[must_use]
pub fn answer(request: &ModelRequest) -> ModelAnswer {
    let asked = request
        .messages
        .iter()
        .rev()
        .take_while(|m| !matches!(m, Message::Assistant { .. } | Message::Tool { .. }));
    let mut words: Vec<&str> = asked
        .map(|message| match message {
            Message::User { text, .. } => text.trim(),
            Message::Context(_)
            | Message::Images(_)
            | Message::Assistant { .. }
            | Message::Tool { .. } => "",
        })
        .filter(|text| !text.is_empty())
        .collect();
    words.reverse();
    let text = match words.as_slice() {
        [] => String::new(),
        words => format!("You said: {}", words.join(" Then: ")),
    };
    let input = words.iter().map(|words| estimated_tokens(words)).sum();
    let usage = Usage { input, cached: 0, output: estimated_tokens(&text) };
    ModelAnswer { text, calls: Vec::new(), ending: Ending::Whole, usage: Some(usage) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Message {
        Message::User { by: None, text: text.into() }
    }

    fn said(messages: Vec<Message>) -> String {
        answer(&ModelRequest { system: "s".into(), messages, tools: Vec::new() }).text
    }

    #[test]
    fn it_answers_what_was_asked_since_its_last_answer() {
        let before = Message::Assistant { text: "You said: old".into(), calls: Vec::new() };
        assert_eq!(said(vec![user("old"), before.clone(), user("new")]), "You said: new");
        assert_eq!(said(vec![user(" hi "), user("louder")]), "You said: hi Then: louder");
        assert_eq!(said(vec![user(" ")]), "");
        assert_eq!(said(vec![user("old"), before]), "");
    }
}
