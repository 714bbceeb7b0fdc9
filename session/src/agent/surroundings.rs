//! What goes on around sessions, as who is in a voice channel: shown to the model with every turn
//! as long as it is so, and never written down.
//!
//! Overflow: what was said first is forgotten first.

use std::collections::VecDeque;

use crate::SessionKey;

/// Places of which something is known.
const MAX_PLACES: usize = 256;

/// Bytes that are kept of one; the rest is cut off.
const MAX_BYTES: usize = 8 * 1_024;

/// What is known of the places of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Surroundings {
    places: VecDeque<Place>,
}

#[derive(Debug)]
struct Place {
    session: SessionKey,
    /// Names it among those of the session.
    name: String,
    text: String,
}

impl Surroundings {
    /// At a place of a session things are now like this; `None`: nothing goes on there any more.
    pub(crate) fn set(&mut self, session: &SessionKey, name: &str, text: Option<String>) {
        self.places.retain(|place| place.session != *session || place.name != name);
        let Some(mut text) = text else { return };
        let end = (0..=MAX_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        text.truncate(end.unwrap_or(0));
        if self.places.len() == MAX_PLACES {
            self.places.pop_front();
        }
        self.places.push_back(Place { session: session.clone(), name: name.to_owned(), text });
    }

    /// What is known around a session.
    pub(crate) fn of(&self, session: &SessionKey) -> Option<String> {
        let texts = self.places.iter().filter(|place| place.session == *session);
        let texts: Vec<&str> = texts.map(|place| place.text.as_str()).collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChannelId;

    fn session(number: u64) -> SessionKey {
        SessionKey::channel("main", ChannelId::new(number))
    }

    #[test]
    fn the_newest_word_about_a_place_counts() {
        let mut around = Surroundings::default();
        around.set(&session(1), "a", Some("one".into()));
        around.set(&session(1), "b", Some("two".into()));
        around.set(&session(2), "a", Some("other".into()));
        assert_eq!(around.of(&session(1)).as_deref(), Some("one\n\ntwo"));
        around.set(&session(1), "a", Some("three".into()));
        assert_eq!(around.of(&session(1)).as_deref(), Some("two\n\nthree"));
        around.set(&session(1), "b", None);
        around.set(&session(1), "a", None);
        assert_eq!(around.of(&session(1)), None);
        assert_eq!(around.of(&session(2)).as_deref(), Some("other"));
    }

    #[test]
    fn places_and_their_texts_are_bounded() {
        let mut around = Surroundings::default();
        for number in 0..=MAX_PLACES as u64 {
            around.set(&session(number), "a", Some("é".repeat(MAX_BYTES)));
        }
        assert_eq!(around.of(&session(0)), None);
        assert_eq!(around.of(&session(1)).unwrap().len(), MAX_BYTES);
        assert_eq!(around.places.len(), MAX_PLACES);
    }
}
