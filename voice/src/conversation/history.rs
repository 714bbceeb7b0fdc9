//! What a speaker and the front end have said to each other, as text, for the connection after the
//! next loss: a provider's new session starts empty.
//!
//! Words stand in the order in which they were spoken, though transcripts come late. Of an answer
//! only what the room has heard is kept.

use std::collections::VecDeque;

use super::barge_in::ItemProgress;
use crate::timeline::Role;

/// Utterances that are kept; the oldest goes first.
const MAX_ENTRIES: usize = 40;
/// Text that is kept of all utterances together, in bytes; the oldest goes first.
const MAX_BYTES: usize = 16 * 1024;
/// Text that is kept of one utterance, in bytes; the rest is cut off.
const MAX_ENTRY_BYTES: usize = 4 * 1024;
/// How much is said in a second of speech at most. Text runs ahead of audio, so while an answer is
/// being generated the share of its audio says too much about the share of its words.
const CHARS_PER_SECOND: u64 = 15;
/// Stands where an answer was cut off.
const CUT: char = '…';

#[derive(Debug, PartialEq)]
struct Entry {
    role: Role,
    /// The provider's id, while the connection that gave it is there.
    item: Option<String>,
    text: String,
    /// Whether all of its words are known.
    whole: bool,
    /// Whether the room has heard only this much: words that come now were not heard.
    cut: bool,
}

/// The utterances of one speaker's conversation.
#[derive(Debug, Default, PartialEq)]
pub(super) struct History {
    entries: VecDeque<Entry>,
}

impl History {
    /// An utterance was made; its words come later, and stand here.
    pub(super) fn expect(&mut self, role: Role, item: &str) {
        if self.find(role, Some(item)).is_none() {
            self.push(role, Some(item.to_owned()));
        }
    }

    /// More of an answer's words.
    pub(super) fn add(&mut self, role: Role, item: Option<&str>, words: &str) {
        let entry = self.entry(role, item);
        if !entry.whole && !entry.cut && entry.text.len() + words.len() <= MAX_ENTRY_BYTES {
            entry.text.push_str(words);
        }
        self.trim();
    }

    /// All words of an answer, or further final words of a speaker.
    pub(super) fn finish(&mut self, role: Role, item: Option<&str>, words: &str) {
        let entry = self.entry(role, item);
        if entry.cut {
            return;
        }
        if role == Role::Assistant || !entry.whole {
            entry.text.clear();
        } else if !words.trim().is_empty() {
            entry.text.push(' ');
        }
        entry.text.push_str(words.trim());
        cut_to(&mut entry.text, MAX_ENTRY_BYTES);
        entry.whole = true;
        self.trim();
    }

    /// The room will hear no more of these items than it has.
    pub(super) fn cut(&mut self, items: &[ItemProgress]) {
        for item in items.iter().filter(|item| !item.id.is_empty()) {
            let Some(index) = self.find(Role::Assistant, Some(&item.id)) else { continue };
            let Some(entry) = self.entries.get_mut(index) else { continue };
            keep_heard(entry, item);
            if entry.text.is_empty() {
                self.entries.remove(index);
            }
        }
    }

    /// The words of these items as far as they are known; of those that were cut, without a mark.
    pub(super) fn words_of(&self, items: &[ItemProgress]) -> String {
        let texts = items.iter().filter_map(|item| {
            let entry = self.entries.get(self.find(Role::Assistant, Some(&item.id))?)?;
            Some(entry.text.trim_end_matches(CUT).trim())
        });
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// What a speaker said was no turn.
    pub(super) fn forget(&mut self, item: &str) {
        if let Some(index) = self.find(Role::User, Some(item)) {
            self.entries.remove(index);
        }
    }

    /// Everything said, oldest first. The items belong to no connection from now on.
    pub(super) fn replay(&mut self) -> Vec<(Role, String)> {
        for entry in &mut self.entries {
            entry.item = None;
        }
        // What had no words by now gets none any more.
        self.entries.retain(|entry| !entry.text.trim().is_empty());
        self.told()
    }

    /// Everything said so far, oldest first.
    pub(super) fn told(&self) -> Vec<(Role, String)> {
        let said = self.entries.iter().filter(|entry| !entry.text.trim().is_empty());
        said.map(|entry| (entry.role, entry.text.clone())).collect()
    }

    fn find(&self, role: Role, item: Option<&str>) -> Option<usize> {
        let item = item?;
        self.entries
            .iter()
            .rposition(|entry| entry.role == role && entry.item.as_deref() == Some(item))
    }

    /// The utterance of that item; without an id a new one.
    fn entry(&mut self, role: Role, item: Option<&str>) -> &mut Entry {
        match self.find(role, item) {
            Some(index) => &mut self.entries[index],
            None => self.push(role, item.map(str::to_owned)),
        }
    }

    fn push(&mut self, role: Role, item: Option<String>) -> &mut Entry {
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry { role, item, text: String::new(), whole: false, cut: false });
        let last = self.entries.len() - 1;
        &mut self.entries[last]
    }

    fn trim(&mut self) {
        let mut bytes: usize = self.entries.iter().map(|entry| entry.text.len()).sum();
        while bytes > MAX_BYTES
            && let Some(oldest) = self.entries.pop_front()
        {
            bytes -= oldest.text.len();
        }
    }
}

/// Cuts an answer's words to the share of its audio that was heard.
fn keep_heard(entry: &mut Entry, item: &ItemProgress) {
    if entry.whole && item.heard >= item.received && item.heard > 0 {
        return;
    }
    entry.cut = true;
    let chars = entry.text.chars().count() as u64;
    let mut keep = match item.received {
        0 => 0,
        received => chars.saturating_mul(item.heard.min(received)) / received,
    };
    if !entry.whole {
        keep = keep.min(item.heard.saturating_mul(CHARS_PER_SECOND) / 24_000);
    }
    if keep == chars {
        return;
    }
    let end = entry.text.char_indices().nth(keep as usize).map_or(entry.text.len(), |(at, _)| at);
    // A word that was begun does not count, where words can be told apart.
    let said = entry.text.get(..end).unwrap_or_default();
    let ends_between =
        entry.text.get(end..).is_some_and(|rest| rest.starts_with(char::is_whitespace));
    let said = match said.rfind(char::is_whitespace) {
        Some(space) if !ends_between => said.get(..space).unwrap_or_default(),
        None if entry.text.contains(char::is_whitespace) && !ends_between => "",
        _ => said,
    };
    let mut said = said.trim_end().to_owned();
    if !said.is_empty() {
        said.push(CUT);
    }
    entry.text = said;
}

fn cut_to(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = (0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn progress(id: &str, received_ms: u64, heard_ms: u64) -> ItemProgress {
        ItemProgress {
            id: id.into(),
            content_index: 0,
            received: received_ms * 24,
            heard: heard_ms * 24,
        }
    }

    fn texts(history: &mut History) -> Vec<String> {
        history.replay().into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn words_that_come_late_stand_where_they_were_spoken() {
        let mut history = History::default();
        history.expect(Role::User, "u1");
        history.add(Role::Assistant, Some("a1"), "It is ");
        history.add(Role::Assistant, Some("a1"), "noon");
        history.finish(Role::Assistant, Some("a1"), "It is noon.");
        history.expect(Role::User, "u2");
        history.finish(Role::User, Some("u1"), " What time is it?");
        assert_eq!(
            history.replay(),
            [
                (Role::User, "What time is it?".to_owned()),
                (Role::Assistant, "It is noon.".to_owned())
            ]
        );
        history.finish(Role::User, Some("u2"), "Thanks.");
        assert_eq!(texts(&mut history), ["What time is it?", "It is noon.", "Thanks."]);
    }

    #[test]
    fn further_final_words_of_a_speaker_are_added_and_those_of_an_answer_replace() {
        let mut history = History::default();
        history.finish(Role::User, Some("u"), "turn it");
        history.finish(Role::User, Some("u"), "off");
        history.finish(Role::User, Some("u"), "");
        history.finish(Role::Assistant, Some("a"), "Done.");
        history.finish(Role::Assistant, Some("a"), "Done.");
        assert_eq!(texts(&mut history), ["turn it off", "Done."]);
    }

    #[test]
    fn of_an_interrupted_answer_only_the_words_that_were_heard_are_kept() {
        let mut history = History::default();
        for item in ["none", "half", "all"] {
            history.finish(Role::Assistant, Some(item), "one two three four");
        }
        history.cut(&[
            progress("none", 1_000, 0),
            progress("half", 2_000, 1_000),
            progress("all", 1_000, 1_000),
        ]);
        history.finish(Role::Assistant, Some("half"), "one two three four");
        assert_eq!(texts(&mut history), ["one two…", "one two three four"]);
    }

    #[test]
    fn while_an_answer_is_generated_its_text_is_ahead_of_what_was_heard() {
        let mut history = History::default();
        history.add(Role::Assistant, Some("a"), &"word ".repeat(100));
        // All audio that came was heard: one second of it.
        history.cut(&[progress("a", 1_000, 1_000)]);
        assert_eq!(texts(&mut history), ["word word word…"]);
    }

    #[test]
    fn text_without_spaces_is_cut_between_characters() {
        let mut history = History::default();
        history.finish(Role::Assistant, Some("a"), "今天天气很好");
        history.cut(&[progress("a", 1_200, 600)]);
        assert_eq!(texts(&mut history), ["今天天…"]);
    }

    #[test]
    fn after_a_replay_ids_of_the_next_connection_mean_other_items() {
        let mut history = History::default();
        history.finish(Role::Assistant, Some("item_1"), "Before.");
        history.expect(Role::User, "silent");
        assert_eq!(texts(&mut history), ["Before."]);
        history.finish(Role::Assistant, Some("item_1"), "After.");
        history.cut(&[progress("item_1", 1_000, 0)]);
        assert_eq!(texts(&mut history), ["Before."]);
    }

    proptest! {
        #[test]
        fn whatever_is_said_the_history_stays_bounded(
            steps in proptest::collection::vec(
                (0_u8..4, 0_u8..60, "\\PC{0,40}", 1_usize..200, 0_u64..3_000, 0_u64..3_000), 0..200),
        ) {
            let mut history = History::default();
            for (what, item, words, times, received, heard) in steps {
                let item = item.to_string();
                let words = words.repeat(times);
                match what {
                    0 => history.expect(Role::User, &item),
                    1 => history.add(Role::Assistant, Some(&item), &words),
                    2 => history.finish(Role::User, Some(&item), &words),
                    _ => history.cut(&[progress(&item, received, heard)]),
                }
                prop_assert!(history.entries.len() <= MAX_ENTRIES);
                let bytes: usize = history.entries.iter().map(|e| e.text.len()).sum();
                prop_assert!(bytes <= MAX_BYTES + CUT.len_utf8());
            }
        }
    }
}
