//! Walks the syntax tree by key, noting what is wrong where it stands and going on.

use std::{cell::RefCell, collections::BTreeSet, path::Path};

use jsonc_parser::{
    ast::{Object, ObjectProp, ObjectPropName, Value},
    common::{Range, Ranged},
};

use crate::{
    check,
    env::Env,
    error::{ConfigError, Problem, Warning},
    span,
};

/// What a walk over one file needs and gathers.
pub(crate) struct Walk<'s> {
    pub(crate) origin: &'s str,
    pub(crate) text: &'s str,
    pub(crate) env: &'s dyn Env,
    /// Relative paths in the file start here: the file's own folder.
    pub(crate) folder: &'s Path,
    errors: RefCell<Vec<ConfigError>>,
    warnings: RefCell<Vec<Warning>>,
}

impl<'s> Walk<'s> {
    pub(crate) fn new(origin: &'s str, text: &'s str, folder: &'s Path, env: &'s dyn Env) -> Self {
        Self { origin, text, env, folder, errors: RefCell::default(), warnings: RefCell::default() }
    }

    pub(crate) fn into_findings(self) -> (Vec<ConfigError>, Vec<Warning>) {
        (self.errors.into_inner(), self.warnings.into_inner())
    }

    fn fail(&self, range: Range, path: &str, problem: Problem, hint: Option<String>) {
        let error = ConfigError::at(self.origin, self.text, range.start..range.end, problem);
        self.errors.borrow_mut().push(error.with_path(path).with_hint(hint));
    }

    fn warn(&self, range: Range, path: &str, message: String) {
        self.warnings.borrow_mut().push(Warning {
            origin: self.origin.to_owned(),
            at: span::position(self.text, range.start),
            path: path.to_owned(),
            message,
        });
    }
}

/// An object of the file, or the absence of one: then every key is absent.
pub(crate) struct Section<'w, 't> {
    walk: &'w Walk<'w>,
    object: Option<&'w Object<'t>>,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'w, 't> Section<'w, 't> {
    pub(crate) fn root(walk: &'w Walk<'w>, object: &'w Object<'t>) -> Self {
        Self { walk, object: Some(object), path: String::new(), asked: RefCell::default() }
    }

    /// Whether the object stands in the file.
    pub(crate) fn is_present(&self) -> bool {
        self.object.is_some()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.find(key).is_some()
    }

    pub(crate) fn env(&self) -> &'w dyn Env {
        self.walk.env
    }

    /// The value under `key`, which counts as known from now on.
    pub(crate) fn field(&self, key: &'static str) -> Option<Field<'w, 't>> {
        self.asked.borrow_mut().insert(key);
        let prop = self.find(key)?;
        Some(self.enter(key, prop))
    }

    /// The object under `key`, absent if there is none or it is something else (noted).
    pub(crate) fn section(&self, key: &'static str) -> Section<'w, 't> {
        match self.field(key) {
            Some(field) => field.section(),
            None => self.missing(key),
        }
    }

    pub(crate) fn bool(&self, key: &'static str) -> Option<bool> {
        self.field(key)?.bool()
    }

    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.field(key)?.text()
    }

    pub(crate) fn whole(&self, key: &'static str, min: u32, max: u32) -> Option<u32> {
        self.field(key)?.whole(min, max)
    }

    pub(crate) fn number(&self, key: &'static str, min: f64, max: f64) -> Option<f64> {
        self.field(key)?.number(min, max)
    }

    pub(crate) fn choice<T: Copy>(&self, key: &'static str, of: &[(&'static str, T)]) -> Option<T> {
        self.field(key)?.choice(of)
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

    /// The list under `key`; `None` if absent or not a list (noted).
    pub(crate) fn list(&self, key: &'static str) -> Option<Vec<Field<'w, 't>>> {
        self.field(key)?.list()
    }

    /// Every key with its value, for objects whose keys are names. Marks nothing as known.
    pub(crate) fn entries(&self) -> Vec<(String, Field<'w, 't>)> {
        self.properties()
            .map(|prop| (prop_name(prop).to_owned(), self.enter(prop_name(prop), prop)))
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
        for prop in self.properties() {
            let key = prop_name(prop);
            if !asked.contains(key) {
                let hint = check::belongs_elsewhere(&self.path, key)
                    .or_else(|| {
                        check::near_name(key, &known).map(|near| format!("did you mean `{near}`?"))
                    })
                    .or_else(|| Some(format!("known here: {}", known.join(", "))));
                self.fail_key(prop, Problem::UnknownKey, hint);
            }
        }
        self.finish_leniently();
    }

    /// Notes repeated keys only: for objects that others own.
    pub(crate) fn finish_leniently(&self) {
        let mut seen = BTreeSet::new();
        for prop in self.properties() {
            if !seen.insert(prop_name(prop)) {
                let hint = "keep one of the two".to_owned();
                self.fail_key(prop, Problem::DuplicateKey, Some(hint));
            }
        }
    }

    /// Warns of a key that is nearly one of `read`, in an object whose other keys are others' own.
    pub(crate) fn warn_near(&self, read: &[&'static str]) {
        for prop in self.properties() {
            let key = prop_name(prop);
            let near = check::near_name(key, read).filter(|near| *near != key && !self.has(near));
            if let Some(near) = near {
                let message = format!("this key is not read; did you mean `{near}`?");
                self.walk.warn(prop.name.range(), &join(&self.path, key), message);
            }
        }
    }

    /// Notes that `key` is missing from this object.
    pub(crate) fn fail_missing(&self, key: &str, hint: &str) {
        let range = self.object.map_or(Range::new(0, 0), |object| {
            Range::new(object.range.start, object.range.start + 1)
        });
        self.walk.fail(range, &join(&self.path, key), Problem::Missing, Some(hint.to_owned()));
    }

    fn fail_key(&self, prop: &ObjectProp<'_>, problem: Problem, hint: Option<String>) {
        self.walk.fail(prop.name.range(), &join(&self.path, prop_name(prop)), problem, hint);
    }

    fn properties(&self) -> impl Iterator<Item = &'w ObjectProp<'t>> + use<'w, 't> {
        self.object.into_iter().flat_map(|object| &object.properties)
    }

    fn find(&self, key: &str) -> Option<&'w ObjectProp<'t>> {
        self.properties().find(|prop| prop_name(prop) == key)
    }

    fn enter(&self, key: &str, prop: &'w ObjectProp<'t>) -> Field<'w, 't> {
        Field { walk: self.walk, value: &prop.value, path: join(&self.path, key) }
    }

    /// The same object once more, of which no key was asked for yet.
    pub(crate) fn same(&self) -> Section<'w, 't> {
        Section {
            walk: self.walk,
            object: self.object,
            path: self.path.clone(),
            asked: RefCell::default(),
        }
    }

    /// The section `key` as if it were not in the file: every key of it is absent.
    pub(crate) fn missing(&self, key: &str) -> Section<'w, 't> {
        Section {
            walk: self.walk,
            object: None,
            path: join(&self.path, key),
            asked: RefCell::default(),
        }
    }
}

/// A value of the file and the way to it.
pub(crate) struct Field<'w, 't> {
    walk: &'w Walk<'w>,
    value: &'w Value<'t>,
    path: String,
}

impl<'w, 't> Field<'w, 't> {
    pub(crate) fn env(&self) -> &'w dyn Env {
        self.walk.env
    }

    pub(crate) fn folder(&self) -> &'w Path {
        self.walk.folder
    }

    pub(crate) fn fail(&self, problem: Problem, hint: Option<String>) {
        self.walk.fail(self.value.range(), &self.path, problem, hint);
    }

    pub(crate) fn warn(&self, message: String) {
        self.walk.warn(self.value.range(), &self.path, message);
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self.value {
            Value::BooleanLit(literal) => Some(literal.value),
            _ => self.wrong_type("true or false"),
        }
    }

    /// A text with at least one character that is not white space.
    pub(crate) fn text(&self) -> Option<String> {
        let text = self.typed_text("a string")?;
        if text.trim().is_empty() {
            self.fail(Problem::Empty, Some("write a value, or leave the key out".to_owned()));
            return None;
        }
        Some(text.to_owned())
    }

    /// A text that may be empty; `expected` names what belongs here.
    pub(crate) fn typed_text(&self, expected: &'static str) -> Option<&'w str> {
        match self.value {
            Value::StringLit(literal) => Some(&literal.value),
            _ => self.wrong_type(expected),
        }
    }

    /// The value as it stands if it is a text, without noting anything.
    pub(crate) fn if_text(&self) -> Option<&'w str> {
        self.value.as_string_lit().map(|literal| literal.value.as_ref())
    }

    /// The source text of a number, without noting anything.
    pub(crate) fn if_number(&self) -> Option<&'t str> {
        self.value.as_number_lit().map(|literal| literal.value)
    }

    pub(crate) fn whole(&self, min: u32, max: u32) -> Option<u32> {
        let number = self.if_number().and_then(number);
        match number.filter(|number| number.fract() == 0.0) {
            Some(number) if number >= f64::from(min) && number <= f64::from(max) => {
                Some(number as u32)
            }
            Some(_) => self.out_of_bounds(f64::from(min), f64::from(max)),
            None => self.wrong_type("a whole number"),
        }
    }

    pub(crate) fn number(&self, min: f64, max: f64) -> Option<f64> {
        match self.if_number().and_then(number) {
            Some(number) if number >= min && number <= max => Some(number),
            Some(_) => self.out_of_bounds(min, max),
            None => self.wrong_type("a number"),
        }
    }

    pub(crate) fn choice<T: Copy>(&self, of: &[(&'static str, T)]) -> Option<T> {
        let text = self.typed_text("a string")?;
        let found = of.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let allowed: Vec<&'static str> = of.iter().map(|(name, _)| *name).collect();
            let hint =
                check::near_name(text, &allowed).map(|near| format!("did you mean {near:?}?"));
            self.fail(Problem::NotOneOf { allowed, got: text.to_owned() }, hint);
        }
        found
    }

    pub(crate) fn list(&self) -> Option<Vec<Field<'w, 't>>> {
        let Value::Array(array) = self.value else { return self.wrong_type("a list") };
        let element = |(index, value)| Field {
            walk: self.walk,
            value,
            path: format!("{}[{index}]", self.path),
        };
        Some(array.elements.iter().enumerate().map(element).collect())
    }

    pub(crate) fn section(&self) -> Section<'w, 't> {
        let object = match self.value {
            Value::Object(object) => Some(object),
            _ => self.wrong_type("an object"),
        };
        Section { walk: self.walk, object, path: self.path.clone(), asked: RefCell::default() }
    }

    pub(crate) fn if_object(&self) -> Option<Section<'w, 't>> {
        matches!(self.value, Value::Object(_)).then(|| self.section())
    }

    /// The value with everything below it, unread.
    pub(crate) fn free_form(&self) -> serde_json::Value {
        json(self.value)
    }

    pub(crate) fn wrong_type<T>(&self, expected: &'static str) -> Option<T> {
        self.fail(Problem::WrongType { expected, got: kind(self.value) }, None);
        None
    }

    fn out_of_bounds<T>(&self, min: f64, max: f64) -> Option<T> {
        let got = self.if_number().unwrap_or_default().to_owned();
        self.fail(Problem::OutOfBounds { min, max, got }, None);
        None
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::StringLit(_) => "a string",
        Value::NumberLit(literal) => match number(literal.value) {
            Some(number) if number.fract() != 0.0 => "a fraction",
            _ => "a number",
        },
        Value::BooleanLit(_) => "true or false",
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::NullKeyword(_) => "null",
    }
}

/// A JSON5 number: decimal with optional sign and bare points, hexadecimal, never infinite.
fn number(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1.0, digits),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let hex = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let value = match hex {
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as f64,
        None => digits.parse::<f64>().ok()?,
    };
    value.is_finite().then_some(sign * value)
}

fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::StringLit(literal) => literal.value.as_ref().into(),
        Value::NumberLit(literal) => match literal.value.parse::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => number(literal.value).map_or(serde_json::Value::Null, Into::into),
        },
        Value::BooleanLit(literal) => literal.value.into(),
        Value::NullKeyword(_) => serde_json::Value::Null,
        Value::Array(array) => array.elements.iter().map(json).collect(),
        Value::Object(object) => object
            .properties
            .iter()
            .map(|prop| (prop_name(prop).to_owned(), json(&prop.value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn prop_name<'p>(prop: &'p ObjectProp<'_>) -> &'p str {
    match &prop.name {
        ObjectPropName::String(literal) => &literal.value,
        ObjectPropName::Word(literal) => literal.value,
    }
}

/// `path.key`, or `path["key"]` when the key is not a plain word.
fn join(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'));
    match (path.is_empty(), plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json5_numbers() {
        for (text, value) in [
            ("1", Some(1.0)),
            ("+.5", Some(0.5)),
            ("-5.", Some(-5.0)),
            ("0x10", Some(16.0)),
            ("-0X10", Some(-16.0)),
            ("1e400", None),
            ("Infinity", None),
            ("NaN", None),
        ] {
            assert_eq!(number(text), value, "{text}");
        }
    }

    #[test]
    fn odd_keys_are_quoted_in_paths() {
        assert_eq!(join("a", "b"), "a.b");
        assert_eq!(join("", "b"), "b");
        assert_eq!(join("a", "x.y"), "a[\"x.y\"]");
    }
}
