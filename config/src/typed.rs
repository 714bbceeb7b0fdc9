//! Reads the keys of a section as what they are: each reader says what it takes, within which
//! bounds, and what it is by default.

use std::time::Duration;

use crate::{
    cursor::{Block, Section, Word},
    error::Problem,
    field::Field,
};

impl Section<'_, '_> {
    pub(crate) fn bool(&self, key: &'static str) -> Option<bool> {
        self.field(key)?.bool()
    }

    pub(crate) fn bool_or(&self, key: &'static str, default: bool) -> bool {
        self.or(key, self.bool(key), default)
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.field(key)?.text()
    }

    /// A text in which emptiness has a meaning.
    pub(crate) fn any_text(&self, key: &'static str) -> Option<String> {
        self.field(key)?.typed_text("a string").map(str::to_owned)
    }

    pub(crate) fn whole(&self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        self.field(key)?.whole(min, max)
    }

    pub(crate) fn whole_or(&self, key: &'static str, min: u32, max: u32, default: u32) -> u32 {
        self.or(key, self.whole(key, min, max), default)
    }

    pub(crate) fn number(&self, key: &'static str, min: f64, max: f64) -> Option<f64> {
        self.field(key)?.number(min, max)
    }

    pub(crate) fn number_or(&self, key: &'static str, min: f64, max: f64, default: f64) -> f64 {
        self.or(key, self.number(key, min, max), default)
    }

    /// Milliseconds.
    pub(crate) fn millis(&self, key: &'static str, min: u32, max: u32) -> Option<Duration> {
        self.whole(key, min, max).map(|millis| Duration::from_millis(millis.into()))
    }

    /// Milliseconds.
    pub(crate) fn millis_or(
        &self,
        key: &'static str,
        min: u32,
        max: u32,
        default: u32,
    ) -> Duration {
        Duration::from_millis(self.whole_or(key, min, max, default).into())
    }

    /// Seconds.
    pub(crate) fn seconds_or(
        &self,
        key: &'static str,
        min: u32,
        max: u32,
        default: u32,
    ) -> Duration {
        Duration::from_secs(self.whole_or(key, min, max, default).into())
    }

    /// Hours, with a fraction.
    pub(crate) fn hours_or(&self, key: &'static str, default: f64) -> Duration {
        // Ten years of hours: what lasts longer lasts for ever.
        Duration::from_secs_f64(self.number_or(key, 0.0, 87_600.0, default) * 3_600.0)
    }

    pub(crate) fn choice<T: Copy>(&self, key: &'static str, of: &[(&'static str, T)]) -> Option<T> {
        self.field(key)?.choice(of)
    }

    pub(crate) fn word<T: Word>(&self, key: &'static str) -> Option<T> {
        self.field(key)?.choice(T::WORDS)
    }

    pub(crate) fn word_or<T: Word>(&self, key: &'static str, default: T) -> T {
        let written = self.word(key);
        self.declare_default(key, default.word());
        if written.is_none() {
            self.note_default(key, default.word());
        }
        written.unwrap_or(default)
    }

    /// Texts.
    pub(crate) fn texts(&self, key: &'static str) -> Option<Vec<String>> {
        Some(self.list(key)?.iter().filter_map(Field::text).collect())
    }

    /// Settings of their own.
    pub(crate) fn block<T: Block>(&self, key: &'static str) -> T {
        T::read(&self.section(key))
    }

    /// A text under any one of several spellings of a key; different values are an error.
    pub(crate) fn text_alias(&self, keys: &[&'static str]) -> Option<String> {
        let mut found: Option<(&'static str, String)> = None;
        for key in keys {
            let Some(field) = self.field(key) else { continue };
            let Some(text) = field.text() else { continue };
            match &found {
                Some((first, value)) if *value != text => field.fail(
                    Problem::Invalid(format!("differs from `{first}`, which means the same")),
                    Some(format!("keep `{}` only", keys[0])),
                ),
                Some(_) => {}
                None => found = Some((key, text)),
            }
        }
        found.map(|(_, text)| text)
    }
}
