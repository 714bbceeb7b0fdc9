//! Walks the syntax tree by key, noting what is wrong where it stands and going on.

use std::{borrow::Cow, cell::RefCell, collections::BTreeSet};

use jsonc_parser::{
    ast::{Object, ObjectProp},
    common::{Range, Ranged},
};

use crate::{
    ast::{json, prop_name},
    check,
    env::Env,
    error::Problem,
    field::Field,
    migrate::OldName,
    origin::Source,
    walk::{Surface, Walk},
};

/// An enum whose values are words of the file.
pub(crate) trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(&'static str, Self)];

    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("", |(word, _)| word)
    }
}

/// Settings that are read from one object.
pub(crate) trait Block: Sized {
    fn read(section: &Section<'_, '_>) -> Self;
}

/// One object that a section is read from.
#[derive(Clone)]
struct Layer<'w, 't> {
    object: &'w Object<'t>,
    /// Where it stands.
    at: String,
    /// Whether the section owns it, and so complains of its unknown keys.
    own: bool,
}

/// An object of the file, or the absence of one: then every key is absent.
///
/// It can have several layers, as an account has its own and the common settings: then a key is
/// read from the first layer that has it.
pub(crate) struct Section<'w, 't> {
    walk: &'w Walk<'w>,
    layers: Vec<Layer<'w, 't>>,
    path: String,
    surface: Surface,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'w, 't> Section<'w, 't> {
    pub(crate) fn root(walk: &'w Walk<'w>, object: Option<&'w Object<'t>>) -> Self {
        let layers = object.map(|object| Layer { object, at: String::new(), own: true });
        Self::new(walk, layers.into_iter().collect(), String::new(), Surface::Active)
    }

    pub(crate) fn of_object(
        walk: &'w Walk<'w>,
        object: Option<&'w Object<'t>>,
        at: String,
        path: String,
        own: bool,
        surface: Surface,
    ) -> Self {
        let layers = object.map(|object| Layer { object, at, own });
        Self::new(walk, layers.into_iter().collect(), path, surface)
    }

    fn new(walk: &'w Walk<'w>, layers: Vec<Layer<'w, 't>>, path: String, surface: Surface) -> Self {
        Self { walk, layers, path, surface, asked: RefCell::default() }
    }

    /// Whether the object stands in the file.
    pub(crate) fn is_present(&self) -> bool {
        !self.layers.is_empty() || self.walk.is_describing()
    }

    pub(crate) fn is_describing(&self) -> bool {
        self.walk.is_describing()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    pub(crate) fn env(&self) -> &'w dyn Env {
        self.walk.env
    }

    pub(crate) fn walk(&self) -> &'w Walk<'w> {
        self.walk
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn surface(&self) -> Surface {
        self.surface
    }

    /// The value under `key`, which counts as known from now on.
    pub(crate) fn field(&self, key: &'static str) -> Option<Field<'w, 't>> {
        self.asked.borrow_mut().insert(key);
        self.enter(key)
    }

    /// The value under an old name of the key at `new`, with a warning. `None` also if `new` itself
    /// is written, which then is used.
    pub(crate) fn legacy(
        &self,
        old: &'static str,
        new: &str,
        new_is_written: bool,
    ) -> Option<Field<'w, 't>> {
        self.asked.borrow_mut().insert(old);
        if self.walk.is_describing() {
            self.walk.declare_legacy(&join(&self.path, old), new);
            return None;
        }
        let (layer, prop) = self.find(old)?;
        let at = join(&layer.at, old);
        let first = if new_is_written { ", which is written too and goes first" } else { "" };
        let message = format!("an old name of `{}`{first}", within(new));
        self.walk.warn(prop.name.range(), &at, message);
        let to = at_layer(new, &self.path, &layer.at);
        self.walk.note_old_name(OldName { from: at.clone(), to, superseded: new_is_written });
        if new_is_written {
            return None;
        }
        Some(Field::found(self.walk, &prop.value, at, new.to_owned(), self.surface))
    }

    /// The object under `key`, absent if there is none or it is something else (noted).
    pub(crate) fn section(&self, key: &'static str) -> Section<'w, 't> {
        match self.field(key) {
            Some(field) => field.section(),
            None => self.missing(key),
        }
    }

    /// The objects under `key` of all layers, read key by key.
    pub(crate) fn merged(&self, key: &'static str) -> Section<'w, 't> {
        self.asked.borrow_mut().insert(key);
        let mut merged = self.missing(key);
        for layer in self.each_layer() {
            if let Some(field) = layer.enter(key) {
                merged.layers.extend(field.section().layers);
            }
        }
        merged
    }

    /// This section, and below it another one, of which only those keys are read that this one
    /// does not have.
    pub(crate) fn over(mut self, below: &Section<'w, 't>) -> Self {
        self.layers.extend(below.layers.iter().cloned().map(|layer| Layer { own: false, ..layer }));
        self
    }

    /// Every layer by itself, the one that goes first first.
    pub(crate) fn each_layer(&self) -> Vec<Section<'w, 't>> {
        let alone = |layer: &Layer<'w, 't>| {
            Self::new(self.walk, vec![layer.clone()], self.path.clone(), self.surface)
        };
        if self.walk.is_describing() {
            return vec![self.same()];
        }
        self.layers.iter().map(alone).collect()
    }

    /// The value if there is one, else the default of `key`.
    pub(crate) fn or<T: Into<serde_json::Value> + Clone>(
        &self,
        key: &str,
        value: Option<T>,
        default: T,
    ) -> T {
        self.declare_default(key, default.clone());
        match value {
            Some(value) => value,
            None => {
                self.note_default(key, default.clone());
                default
            }
        }
    }

    /// As [`Self::or`], where the default depends on other keys.
    pub(crate) fn or_derived<T: Into<serde_json::Value> + Clone>(
        &self,
        key: &str,
        value: Option<T>,
        default: T,
    ) -> T {
        value.unwrap_or_else(|| {
            self.note_default(key, default.clone());
            default
        })
    }

    pub(crate) fn declare_default(&self, key: &str, default: impl Into<serde_json::Value>) {
        self.walk.declare_default(&join(&self.path, key), default.into());
    }

    /// What `key` is because nothing is written.
    pub(crate) fn note_default(&self, key: &str, value: impl Into<serde_json::Value>) {
        self.walk.note(&join(&self.path, key), value.into(), Source::Default);
    }

    /// The value of `key` comes from an environment variable.
    pub(crate) fn note_env(&self, key: &str, variable: &str, value: impl Into<serde_json::Value>) {
        self.walk.note(&join(&self.path, key), value.into(), Source::Env(variable.to_owned()));
    }

    /// The list under `key`; `None` if absent or not a list (noted).
    pub(crate) fn list(&self, key: &'static str) -> Option<Vec<Field<'w, 't>>> {
        self.field(key)?.list()
    }

    /// Every key with its value, for objects whose keys are names. Marks nothing as known.
    pub(crate) fn entries(&self) -> Vec<(String, Field<'w, 't>)> {
        self.entries_with(&[])
    }

    /// As [`Self::entries`]; `special` are names whose values have keys that others have not.
    pub(crate) fn entries_with(&self, special: &[&str]) -> Vec<(String, Field<'w, 't>)> {
        if self.walk.is_describing() {
            let names = std::iter::once(&"<id>").chain(special);
            return names
                .map(|name| {
                    let path = format!("{}.{name}", self.path);
                    ((*name).to_owned(), Field::described(self.walk, path, self.surface))
                })
                .collect();
        }
        let mut seen = BTreeSet::new();
        self.layers
            .iter()
            .flat_map(|layer| layer.object.properties.iter().map(prop_name))
            .filter(|name| seen.insert(*name))
            .filter_map(|name| Some((name.to_owned(), self.enter(name)?)))
            .collect()
    }

    /// Takes `keys` as known without reading them.
    pub(crate) fn leave_alone(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// The keys that were never asked for, as plain JSON values.
    pub(crate) fn rest(&self) -> serde_json::Map<String, serde_json::Value> {
        let asked = self.asked.borrow();
        self.properties()
            .filter(|prop| !asked.contains(prop_name(prop)))
            .map(|prop| (prop_name(prop).to_owned(), json(&prop.value)))
            .collect()
    }

    /// Notes unknown and repeated keys. Call it after the last key was asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        let known: Vec<&str> = asked.iter().copied().collect();
        for (layer, prop) in self.own_properties() {
            let key = prop_name(prop);
            if !asked.contains(key) {
                let hint = check::belongs_elsewhere(&of_any_account(&self.path), key)
                    .or_else(|| {
                        check::near_name(key, &known).map(|near| format!("did you mean `{near}`?"))
                    })
                    .or_else(|| Some(known_here(&known)));
                self.walk.fail(prop.name.range(), &join(&layer.at, key), Problem::UnknownKey, hint);
            }
        }
        self.finish_leniently();
    }

    /// Notes repeated keys only: for objects that others own.
    pub(crate) fn finish_leniently(&self) {
        for layer in self.layers.iter().filter(|layer| layer.own) {
            let mut seen = BTreeSet::new();
            for prop in &layer.object.properties {
                let key = prop_name(prop);
                if !seen.insert(key) {
                    let hint = Some("keep one of the two".to_owned());
                    let path = join(&layer.at, key);
                    self.walk.fail(prop.name.range(), &path, Problem::DuplicateKey, hint);
                }
            }
        }
    }

    /// Warns of a key that is nearly one of `read`, in an object whose other keys are others' own.
    pub(crate) fn warn_near(&self, read: &[&'static str]) {
        for (layer, prop) in self.own_properties() {
            let key = prop_name(prop);
            let near = check::near_name(key, read).filter(|near| *near != key && !self.has(near));
            if let Some(near) = near {
                let message = format!("this key is not read; did you mean `{near}`?");
                self.walk.warn(prop.name.range(), &join(&layer.at, key), message);
            }
        }
    }

    /// As [`Self::warn_near`] of the keys that were asked for.
    pub(crate) fn warn_near_asked(&self) {
        let asked: Vec<&'static str> = self.asked.borrow().iter().copied().collect();
        self.warn_near(&asked);
        self.finish_leniently();
    }

    /// Notes that `key` is missing from this object.
    pub(crate) fn fail_missing(&self, key: &str, hint: &str) {
        self.fail_as(key, Problem::Missing, hint);
    }

    /// As [`Self::fail_missing`], for another reason.
    pub(crate) fn fail_as(&self, key: &str, problem: Problem, hint: &str) {
        let (range, at) = self.start();
        self.walk.fail(range, &join(&at, key), problem, Some(hint.to_owned()));
    }

    /// A warning about a key that is not there.
    pub(crate) fn warn(&self, key: &str, message: String) {
        let (range, at) = self.start();
        self.walk.warn(range, &join(&at, key), message);
    }

    /// A warning that this object is not there.
    pub(crate) fn warn_absent(&self, message: &str) {
        self.walk.warn(Range::new(0, 0), &self.path, message.to_owned());
    }

    fn start(&self) -> (Range, String) {
        match self.layers.first() {
            Some(layer) => {
                let start = layer.object.range.start;
                (Range::new(start, start + 1), layer.at.clone())
            }
            None => (Range::new(0, 0), self.path.clone()),
        }
    }

    fn properties(&self) -> impl Iterator<Item = &'w ObjectProp<'t>> + '_ {
        self.layers.iter().flat_map(|layer| &layer.object.properties)
    }

    fn own_properties(&self) -> impl Iterator<Item = (&Layer<'w, 't>, &'w ObjectProp<'t>)> {
        let own = self.layers.iter().filter(|layer| layer.own);
        own.flat_map(|layer| layer.object.properties.iter().map(move |prop| (layer, prop)))
    }

    fn find(&self, key: &str) -> Option<(&Layer<'w, 't>, &'w ObjectProp<'t>)> {
        self.layers.iter().find_map(|layer| {
            let prop = layer.object.properties.iter().find(|prop| prop_name(prop) == key)?;
            Some((layer, prop))
        })
    }

    fn enter(&self, key: &str) -> Option<Field<'w, 't>> {
        let path = join(&self.path, key);
        if self.walk.is_describing() {
            return Some(Field::described(self.walk, path, self.surface));
        }
        let (layer, prop) = self.find(key)?;
        let at = join(&layer.at, key);
        let mut field = Field::found(self.walk, &prop.value, at, path, self.surface);
        field.own = layer.own;
        Some(field)
    }

    /// The same object once more, of which no key was asked for yet.
    pub(crate) fn same(&self) -> Section<'w, 't> {
        Self::new(self.walk, self.layers.clone(), self.path.clone(), self.surface)
    }

    /// The same object, as used or as not used.
    pub(crate) fn on(&self, surface: Surface) -> Section<'w, 't> {
        Section { surface, ..self.same() }
    }

    /// The section `key` as if it were not in the file: every key of it is absent.
    pub(crate) fn missing(&self, key: &str) -> Section<'w, 't> {
        Self::new(self.walk, Vec::new(), join(&self.path, key), self.surface)
    }
}

/// So many known keys at most are listed as advice.
const LISTED: usize = 24;

fn known_here(known: &[&str]) -> String {
    match known.len() {
        0 => "no key is known here".to_owned(),
        1..=LISTED => format!("known here: {}", known.join(", ")),
        more => format!("{more} keys are known here; `clawvoice config schema` lists them"),
    }
}

/// `channels.discord.accounts.<id>.voice` → `channels.discord.voice`: accounts have the same keys.
fn of_any_account(path: &str) -> Cow<'_, str> {
    let Some(rest) = path.strip_prefix("channels.discord.accounts.") else { return path.into() };
    match rest.split_once('.') {
        Some((_, key)) => format!("channels.discord.{key}").into(),
        None => "channels.discord".into(),
    }
}

/// A path without the part that everybody knows.
fn within(path: &str) -> String {
    let path = of_any_account(path);
    path.strip_prefix("channels.discord.").unwrap_or(&path).to_owned()
}

/// `path.key`, or `path["key"]` when the key is not a plain word.
pub(crate) fn join(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

/// Where a key belongs in the layer that it was found in: an account may have it from the root.
fn at_layer(new: &str, section: &str, layer: &str) -> String {
    let (mut root, mut own) = (section, layer);
    while let (Some((above, key)), Some((own_above, own_key))) =
        (root.rsplit_once('.'), own.rsplit_once('.'))
        && key == own_key
    {
        (root, own) = (above, own_above);
    }
    match new.strip_prefix(root) {
        Some(rest) => format!("{own}{rest}"),
        None => new.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn odd_keys_are_quoted_in_paths() {
        assert_eq!(join("a", "b"), "a.b");
        assert_eq!(join("", "b"), "b");
        assert_eq!(join("a", "x.y"), "a[\"x.y\"]");
    }
}
