//! One value of the file, read as what the schema takes there.

use std::path::Path;

use jsonc_parser::{ast::Value, common::Ranged};

use crate::{
    ast::{json, kind, number},
    check,
    cursor::Section,
    describe::Kind,
    env::Env,
    error::Problem,
    origin::Source,
    redact, span,
    walk::{Surface, Walk},
};

/// A value of the file and the way to it.
pub(crate) struct Field<'w, 't> {
    walk: &'w Walk<'w>,
    /// `None` only where keys are described.
    value: Option<&'w Value<'t>>,
    /// Where it stands.
    at: String,
    /// What it is the value of.
    path: String,
    /// Whether the reader owns the object around it.
    pub(crate) own: bool,
    surface: Surface,
}

impl<'w, 't> Field<'w, 't> {
    pub(crate) fn found(
        walk: &'w Walk<'w>,
        value: &'w Value<'t>,
        at: String,
        path: String,
        surface: Surface,
    ) -> Self {
        let field = Self { walk, value: Some(value), at, path, own: true, surface };
        if !matches!(value, Value::Object(_)) {
            field.note(json(value));
        }
        field
    }

    pub(crate) fn described(walk: &'w Walk<'w>, path: String, surface: Surface) -> Self {
        Self { walk, value: None, at: path.clone(), path, own: true, surface }
    }

    fn note(&self, value: serde_json::Value) {
        let key = self.path.rsplit('.').next().unwrap_or_default();
        self.note_shown(redact::value(key, value));
    }

    /// `shown` is the value, fit to be seen by anybody.
    pub(crate) fn note_shown(&self, shown: serde_json::Value) {
        let Some(value) = self.value else { return };
        let at = span::position(self.walk.text, value.range().start);
        let elsewhere = self.at != self.path;
        let account = account_of(&self.path).filter(|account| {
            elsewhere
                && self.at.starts_with("channels.discord.")
                && !self.at.starts_with(&format!("channels.discord.accounts.{account}"))
        });
        let source = Source::File {
            at,
            written_as: elsewhere.then(|| self.at.clone()),
            inherited_by: account.map(str::to_owned),
        };
        self.walk.note(&self.path, shown, source);
    }

    /// It is also what the key at `path` is.
    pub(crate) fn stands_for(&self, path: &str, value: impl Into<serde_json::Value>) {
        let Some(written) = self.value else { return };
        let other = Self {
            walk: self.walk,
            value: Some(written),
            at: self.at.clone(),
            path: path.to_owned(),
            own: self.own,
            surface: self.surface,
        };
        other.note_shown(value.into());
    }

    pub(crate) fn env(&self) -> &'w dyn Env {
        self.walk.env
    }

    pub(crate) fn walk(&self) -> &'w Walk<'w> {
        self.walk
    }

    pub(crate) fn folder(&self) -> &'w Path {
        self.walk.folder
    }

    pub(crate) fn surface(&self) -> Surface {
        self.surface
    }

    /// The key under which it stands.
    pub(crate) fn written_at(&self) -> &str {
        &self.at
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Whether there is no value, because keys are only described.
    pub(crate) fn is_described(&self) -> bool {
        self.value.is_none()
    }

    pub(crate) fn declare(&self, kind: impl FnOnce() -> Kind) {
        self.walk.declare(&self.path, kind);
    }

    pub(crate) fn declare_default(&self, default: impl Into<serde_json::Value>) {
        self.walk.declare_default(&self.path, default.into());
    }

    pub(crate) fn fail(&self, problem: Problem, hint: Option<String>) {
        if let Some(value) = self.value {
            self.walk.fail(value.range(), &self.at, problem, hint);
        }
    }

    /// As [`Self::fail`], in words.
    pub(crate) fn refuse(&self, problem: &str, hint: &str) {
        self.fail(Problem::Invalid(problem.to_owned()), Some(hint.to_owned()));
    }

    pub(crate) fn warn(&self, message: String) {
        if let Some(value) = self.value {
            self.walk.warn(value.range(), &self.at, message);
        }
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        self.declare(|| Kind::Bool);
        match self.value? {
            Value::BooleanLit(literal) => Some(literal.value),
            _ => self.wrong_type("true or false"),
        }
    }

    /// `true`, `false`, or one of some words.
    pub(crate) fn bool_or_word<T: Copy>(
        &self,
        words: &[(&'static str, T)],
    ) -> Option<Result<T, bool>> {
        let allowed = || words.iter().map(|(word, _)| *word).collect();
        self.declare(|| Kind::BoolOr(allowed()));
        match self.value? {
            Value::StringLit(_) => self.choice(words).map(Ok),
            Value::BooleanLit(literal) => Some(Err(literal.value)),
            _ => self.wrong_type("true, false or a word"),
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
        self.declare(|| Kind::Text);
        match self.value? {
            Value::StringLit(literal) => Some(&literal.value),
            _ => self.wrong_type(expected),
        }
    }

    /// The value as it stands if it is a text, without noting anything.
    pub(crate) fn if_text(&self) -> Option<&'w str> {
        self.value?.as_string_lit().map(|literal| literal.value.as_ref())
    }

    /// The value if it is `true` or `false`, without noting anything.
    pub(crate) fn if_bool(&self) -> Option<bool> {
        self.value?.as_boolean_lit().map(|literal| literal.value)
    }

    /// The source text of a number, without noting anything.
    pub(crate) fn if_number(&self) -> Option<&'t str> {
        self.value?.as_number_lit().map(|literal| literal.value)
    }

    pub(crate) fn whole(&self, min: u32, max: u32) -> Option<u32> {
        let (low, high) = (f64::from(min), f64::from(max));
        self.declare(|| Kind::Whole { min: low, max: high });
        self.value?;
        let number = self.if_number().and_then(number);
        match number.filter(|number| number.fract() == 0.0) {
            Some(number) if number >= low && number <= high => Some(number as u32),
            Some(_) => self.out_of_bounds(low, high),
            None => self.wrong_type("a whole number"),
        }
    }

    pub(crate) fn number(&self, min: f64, max: f64) -> Option<f64> {
        self.declare(|| Kind::Number { min, max });
        self.value?;
        match self.if_number().and_then(number) {
            Some(number) if number >= min && number <= max => Some(number),
            Some(_) => self.out_of_bounds(min, max),
            None => self.wrong_type("a number"),
        }
    }

    pub(crate) fn choice<T: Copy>(&self, of: &[(&'static str, T)]) -> Option<T> {
        let text = self.typed_text("a string");
        let allowed = || of.iter().map(|(name, _)| *name).collect::<Vec<&'static str>>();
        self.declare(|| Kind::Word(allowed()));
        let text = text?;
        let found = of.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let allowed = allowed();
            let hint =
                check::near_name(text, &allowed).map(|near| format!("did you mean {near:?}?"));
            self.fail(Problem::NotOneOf { allowed, got: text.to_owned() }, hint);
        }
        found
    }

    pub(crate) fn list(&self) -> Option<Vec<Field<'w, 't>>> {
        self.declare(|| Kind::List);
        let Some(value) = self.value else {
            let path = format!("{}[]", self.path);
            return Some(vec![Self::described(self.walk, path, self.surface)]);
        };
        let Value::Array(array) = value else { return self.wrong_type("a list") };
        let element = |(index, value)| Field {
            walk: self.walk,
            value: Some(value),
            at: format!("{}[{index}]", self.at),
            path: format!("{}[{index}]", self.path),
            own: self.own,
            surface: self.surface,
        };
        Some(array.elements.iter().enumerate().map(element).collect())
    }

    pub(crate) fn section(&self) -> Section<'w, 't> {
        self.declare(|| Kind::Object);
        let object = match self.value {
            Some(Value::Object(object)) => Some(object),
            Some(_) => self.wrong_type("an object"),
            None => None,
        };
        Section::of_object(
            self.walk,
            object,
            self.at.clone(),
            self.path.clone(),
            self.own,
            self.surface,
        )
    }

    /// The object, without noting anything if it is something else.
    pub(crate) fn if_object(&self) -> Option<Section<'w, 't>> {
        match self.value {
            Some(Value::Object(_)) => Some(self.section()),
            Some(_) => None,
            None => Some(Section::of_object(
                self.walk,
                None,
                self.at.clone(),
                self.path.clone(),
                true,
                self.surface,
            )),
        }
    }

    /// The value with everything below it, unread.
    pub(crate) fn free_form(&self) -> serde_json::Value {
        let Some(value) = self.value else { return serde_json::Value::Null };
        let whole = json(value);
        self.note(whole.clone());
        whole
    }

    pub(crate) fn wrong_type<T>(&self, expected: &'static str) -> Option<T> {
        self.fail(Problem::WrongType { expected, got: kind(self.value?) }, None);
        None
    }

    fn out_of_bounds<T>(&self, min: f64, max: f64) -> Option<T> {
        let got = self.if_number().unwrap_or_default().to_owned();
        self.fail(Problem::OutOfBounds { min, max, got }, None);
        None
    }
}

/// The account in `channels.discord.accounts.<id>.…`.
fn account_of(path: &str) -> Option<&str> {
    path.strip_prefix("channels.discord.accounts.")?.split(['.', '[']).next()
}
