//! Entries of `guilds` and of `channels`: by id, by the slug of a name, and `*` for all others.

use foldhash::HashMap;

use crate::schema::{guilds::slug, id::parse_id};

/// Something that has an id and, as far as it is known, a name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its id.
    pub id: u64,
    /// Its name; empty if unknown, or if it must not count.
    pub name: &'a str,
}

/// Entries in the order of the file, found in the same time however many there are.
#[derive(Clone, Debug)]
pub struct Entries<T> {
    keys: Vec<String>,
    values: Vec<T>,
    ids: HashMap<u64, usize>,
    slugs: HashMap<String, usize>,
    any: Option<usize>,
}

enum Key {
    Any,
    Id(u64),
    /// Empty for a name without a slug: it names nothing.
    Slug(String),
}

impl Key {
    fn new(written: &str) -> Self {
        let written = written.trim();
        match parse_id(written) {
            _ if written == "*" => Self::Any,
            // An all-digits key is an id, never a name.
            Some(id) => Self::Id(id.get()),
            None => Self::Slug(slug(written)),
        }
    }
}

impl<T> Entries<T> {
    /// The entry of something: by its id, by its name, then by the id and the name of what it
    /// belongs to, then `*`. One entry only.
    #[must_use]
    pub fn find(&self, it: Named<'_>, parent: Option<Named<'_>>) -> Option<&T> {
        let own = self.named(it).or_else(|| self.named(parent?)).or(self.any);
        self.at(own)
    }

    /// The entry under a key as it is written.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&T> {
        self.at(match Key::new(key) {
            Key::Any => self.any,
            Key::Id(id) => self.ids.get(&id).copied(),
            Key::Slug(slug) => self.slugs.get(&slug).copied(),
        })
    }

    /// Keys, as they are written, and entries.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.keys.iter().zip(&self.values)
    }

    /// Keys, as they are written.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.keys.iter()
    }

    /// The entries.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn named(&self, it: Named<'_>) -> Option<usize> {
        let by_name = || {
            if self.slugs.is_empty() || it.name.is_empty() {
                return None;
            }
            self.slugs.get(&slug(it.name))
        };
        self.ids.get(&it.id).or_else(by_name).copied()
    }

    fn at(&self, place: Option<usize>) -> Option<&T> {
        self.values.get(place?)
    }
}

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            values: Vec::new(),
            ids: HashMap::default(),
            slugs: HashMap::default(),
            any: None,
        }
    }
}

impl<T: PartialEq> PartialEq for Entries<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.keys, &self.values) == (&other.keys, &other.values)
    }
}

impl<K: Into<String>, T> FromIterator<(K, T)> for Entries<T> {
    /// Of two keys for the same thing the first counts.
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        let mut all = Self::default();
        for (key, entry) in entries {
            let (key, place) = (key.into(), all.values.len());
            match Key::new(&key) {
                Key::Any => drop(all.any.get_or_insert(place)),
                Key::Id(id) => drop(all.ids.entry(id).or_insert(place)),
                Key::Slug(slug) if slug.is_empty() => {}
                Key::Slug(slug) => drop(all.slugs.entry(slug).or_insert(place)),
            }
            all.keys.push(key);
            all.values.push(entry);
        }
        all
    }
}

impl<'e, T> IntoIterator for &'e Entries<T> {
    type Item = (&'e String, &'e T);
    type IntoIter = std::iter::Zip<std::slice::Iter<'e, String>, std::slice::Iter<'e, T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.keys.iter().zip(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: Named<'static> = Named { id: 5, name: "Help me!" };

    fn entries(keys: &[&'static str]) -> Entries<&'static str> {
        keys.iter().map(|key| (*key, *key)).collect()
    }

    #[test]
    fn the_nearest_entry_alone_counts() {
        let thread = Named { id: 9, name: "" };
        for (keys, own, of_thread) in [
            (&["*", "5", "help-me"][..], Some("5"), Some("5")),
            (&["*", "#Help Me"], Some("#Help Me"), Some("#Help Me")),
            (&["*", "9", "5"], Some("5"), Some("9")),
            (&["*", "7"], Some("*"), Some("*")),
            (&["7"], None, None),
            (&[" 5 "], Some(" 5 "), Some(" 5 ")),
        ] {
            let entries = entries(keys);
            assert_eq!(entries.find(HELP, None).copied(), own, "{keys:?}");
            assert_eq!(entries.find(thread, Some(HELP)).copied(), of_thread, "{keys:?}");
        }
    }

    #[test]
    fn what_has_no_slug_names_nothing() {
        let entries = entries(&["日本"]);
        assert!(!entries.is_empty());
        assert_eq!(entries.find(Named { id: 5, name: "日本" }, None), None);
        assert_eq!(entries.find(Named { id: 5, name: "" }, None), None);
    }

    #[test]
    fn digits_are_an_id_and_never_a_name() {
        let entries = entries(&["12"]);
        assert_eq!(entries.find(Named { id: 5, name: "12" }, None), None);
        assert_eq!(entries.get("12"), Some(&"12"));
    }
}
