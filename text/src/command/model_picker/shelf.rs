//! The models there are, by provider, in parts of the alphabet and in pages.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// Options of a menu.
pub(super) const A_PAGE: usize = 25;

/// Entries that a part of the alphabet has about.
const A_BUCKET: usize = 20;

/// Longest name that a menu takes, characters.
const LONGEST: usize = 100;

/// Characters of a digest.
const DIGEST: usize = 8;

/// Longest name of a provider that is written out in an id, bytes once encoded.
const WRITTEN_OUT: usize = 16;

/// The models there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shelf {
    providers: BTreeMap<String, Vec<String>>,
}

/// What a digest means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sought<'a> {
    /// This one.
    One(&'a str),
    /// None.
    Gone,
    /// One of several, so none.
    Ambiguous,
}

/// Entries that are next to each other in the alphabet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    /// As in `a–f`.
    pub(super) label: String,
    /// The first of its entries.
    from: usize,
    /// One behind its last.
    to: usize,
}

impl Shelf {
    /// Of `provider/model`s. What is none, or too long for a menu, is left out: it can be typed.
    #[must_use]
    pub fn of(models: &[String]) -> Self {
        let mut providers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let fits = |name: &str| (1..=LONGEST).contains(&name.chars().count());
        for (provider, model) in models.iter().filter_map(|model| model.split_once('/')) {
            if fits(provider) && fits(model) {
                providers.entry(provider.to_owned()).or_default().insert(model.to_owned());
            }
        }
        let sorted = providers.into_iter().map(|(name, models)| (name, in_order(models)));
        Self { providers: sorted.collect() }
    }

    /// Whether there is nothing to choose from.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.providers.is_empty()
    }

    /// The providers, in order.
    pub(super) fn providers(&self) -> Vec<String> {
        in_order(self.providers.keys().cloned().collect())
    }

    /// A provider's models, in order.
    pub(super) fn models(&self, provider: &str) -> &[String] {
        self.providers.get(provider).map_or(&[], Vec::as_slice)
    }

    /// How a provider is called in an id: by its name, or by a digest of it.
    #[must_use]
    pub fn provider_key(provider: &str) -> String {
        let is_plain = provider.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match is_plain && provider.len() <= WRITTEN_OUT {
            true => provider.to_owned(),
            false => format!("~{}", digest(&[provider])),
        }
    }

    /// How a model is called in an id and in a menu: by a digest of its whole name.
    #[must_use]
    pub fn model_key(provider: &str, model: &str) -> String {
        digest(&[provider, model])
    }

    /// The provider of that key.
    pub(super) fn provider(&self, key: &str) -> Sought<'_> {
        let all = self.providers.keys().map(String::as_str);
        sought(all.filter(|provider| Self::provider_key(provider) == key))
    }

    /// The model of that key.
    pub(super) fn model(&self, provider: &str, key: &str) -> Sought<'_> {
        let all = self.models(provider).iter().map(String::as_str);
        sought(all.filter(|model| Self::model_key(provider, model) == key))
    }
}

fn sought<'a>(mut found: impl Iterator<Item = &'a str>) -> Sought<'a> {
    match (found.next(), found.next()) {
        (None, _) => Sought::Gone,
        (Some(one), None) => Sought::One(one),
        (Some(_), Some(_)) => Sought::Ambiguous,
    }
}

fn in_order(all: BTreeSet<String>) -> Vec<String> {
    let mut all: Vec<String> = all.into_iter().collect();
    all.sort_by_key(|name| (name.to_lowercase(), name.clone()));
    all
}

fn digest(names: &[&str]) -> String {
    let whole = serde_json::Value::from(names).to_string();
    let mut digest = URL_SAFE_NO_PAD.encode(Sha256::digest(whole.as_bytes()));
    digest.truncate(DIGEST);
    digest
}

/// The parts of the alphabet of a list that has more than a menu shows; each ends with a letter's
/// last entry. Of a shorter list: none.
pub(super) fn buckets(all: &[String]) -> Vec<Bucket> {
    if all.len() <= A_PAGE {
        return Vec::new();
    }
    // A menu shows the parts, too.
    let size = A_BUCKET.max(all.len().div_ceil(A_PAGE));
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut from = 0;
    for at in 1..=all.len() {
        let ends = at == all.len() || letter(&all[at - 1]) != letter(&all[at]);
        if !ends || (at - from < size && at < all.len()) {
            continue;
        }
        let (first, last) = (letter(&all[from]), letter(&all[at - 1]));
        let label = if first == last { first.to_string() } else { format!("{first}–{last}") };
        buckets.push(Bucket { label, from, to: at });
        from = at;
    }
    buckets
}

fn letter(name: &str) -> char {
    name.chars().flat_map(char::to_lowercase).next().unwrap_or('?')
}

/// The entries of a page (from 1) of a bucket, the page that this is, and how many there are. What is
/// beyond the last is the last; without buckets all are one.
pub(super) fn page<'a>(
    all: &'a [String],
    buckets: &[Bucket],
    bucket: Option<u16>,
    page: u16,
) -> (&'a [String], u16, u16) {
    let chosen = bucket.map_or(0, usize::from).min(buckets.len().saturating_sub(1));
    let (from, to) = buckets.get(chosen).map_or((0, all.len()), |it| (it.from, it.to));
    let shown = all.get(from..to).unwrap_or_default();
    let pages = shown.len().div_ceil(A_PAGE).max(1);
    let at = usize::from(page).clamp(1, pages);
    let entries = shown.chunks(A_PAGE).nth(at - 1).unwrap_or_default();
    let number = |it: usize| u16::try_from(it).unwrap_or(u16::MAX);
    (entries, number(at), number(pages))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    #[test]
    fn providers_and_models_in_order() {
        let long = format!("openai/{}", "x".repeat(101));
        let shelf = Shelf::of(&names(&[
            "openai/gpt-5",
            "Azure/gpt-5",
            "openai/GPT-4",
            "openai/gpt-5",
            "openrouter/meta/llama",
            "bare",
            "/x",
            "x/",
            &long,
        ]));
        assert_eq!(shelf.providers(), ["Azure", "openai", "openrouter"]);
        assert_eq!(shelf.models("openai"), ["GPT-4", "gpt-5"]);
        assert_eq!(shelf.models("openrouter"), ["meta/llama"]);
        assert!(shelf.models("other").is_empty());
        assert!(Shelf::of(&[]).is_empty());
    }

    /// The digest is the one that OpenClaw's ids have: of the names as a JSON list.
    #[test]
    fn a_model_is_named_by_a_digest_of_its_whole_name() {
        let key = Shelf::model_key("openai", "gpt-5");
        assert_eq!(key.len(), 8);
        assert_ne!(key, Shelf::model_key("azure", "gpt-5"));
        assert_ne!(Shelf::model_key("a", "b/c"), Shelf::model_key("a/b", "c"));
        let shelf = Shelf::of(&names(&["openai/gpt-5", "openai/gpt-6"]));
        let fewer = Shelf::of(&names(&["openai/gpt-6"]));
        assert_eq!(shelf.model("openai", &key), Sought::One("gpt-5"));
        assert_eq!(fewer.model("openai", &key), Sought::Gone);
        assert_eq!(shelf.model("azure", &key), Sought::Gone);
        assert_eq!(sought(["a", "b"].into_iter()), Sought::Ambiguous);
    }

    #[test]
    fn a_provider_is_named_by_its_name_if_that_is_short() {
        assert_eq!(Shelf::provider_key("openai"), "openai");
        for long in ["a-provider-of-many-letters", "with space", "~openai", "größe"] {
            let key = Shelf::provider_key(long);
            assert_eq!((key.len(), key.starts_with('~')), (9, true), "{long}");
            let shelf = Shelf::of(&[format!("{long}/m"), "openai/m".to_owned()]);
            assert_eq!(shelf.provider(&key), Sought::One(long));
        }
        assert_eq!(Shelf::default().provider("openai"), Sought::Gone);
    }

    #[test]
    fn parts_of_the_alphabet() {
        let few: Vec<String> = (0..25).map(|it| format!("m{it:02}")).collect();
        assert!(buckets(&few).is_empty());
        let mut many: Vec<String> = Vec::new();
        for letter in ["a", "b", "c", "d"] {
            many.extend((0..12).map(|it| format!("{letter}{it:02}")));
        }
        let labels: Vec<String> = buckets(&many).into_iter().map(|it| it.label).collect();
        assert_eq!(labels, ["a–b", "c–d"]);
        let one: Vec<String> = (0..60).map(|it| format!("m{it:02}")).collect();
        let parts = buckets(&one);
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].label, "m");
        let (shown, at, pages) = page(&one, &parts, None, 3);
        assert_eq!((shown.len(), at, pages), (10, 3, 3));
        assert_eq!(page(&one, &parts, Some(9), 99), (shown, 3, 3));
        assert_eq!(page(&[], &[], None, 1), (&[][..], 1, 1));
    }

    proptest! {
        #[test]
        fn every_entry_is_on_one_page_of_one_part(
            all in prop::collection::btree_set("[a-zA-Z0-9é]{1,4}", 0..400),
        ) {
            let all = in_order(all);
            let parts = buckets(&all);
            prop_assert!(parts.len() <= A_PAGE);
            let mut seen = Vec::new();
            for part in 0..parts.len().max(1) {
                let part = u16::try_from(part).unwrap();
                let (_, _, pages) = page(&all, &parts, Some(part), 1);
                for number in 1..=pages {
                    let (shown, at, of) = page(&all, &parts, Some(part), number);
                    prop_assert_eq!((at, of), (number, pages));
                    prop_assert!(shown.len() <= A_PAGE);
                    seen.extend(shown.iter().cloned());
                }
            }
            prop_assert_eq!(seen, all);
        }
    }
}
