//! Which keys there are and what they take, as told by the code that reads them.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value, json};

/// What a key takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// `true`, `false`, or one of these words.
    BoolOr(Vec<&'static str>),
    /// A whole number between two bounds.
    Whole {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A number between two bounds.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A text.
    Text,
    /// One of these words.
    Word(Vec<&'static str>),
    /// A Discord id.
    Id,
    /// A secret, or a reference to one.
    Secret,
    /// A list.
    List,
    /// An object.
    Object,
    /// Anything else, in words.
    Other(&'static str),
}

impl Kind {
    /// A key may be read in several ways; the one that says most is what it takes.
    const fn rank(&self) -> u8 {
        match self {
            Self::Object => 0,
            Self::Text | Self::Bool | Self::List => 1,
            Self::Word(_) | Self::BoolOr(_) | Self::Whole { .. } | Self::Number { .. } => 2,
            Self::Id | Self::Secret => 3,
            Self::Other(_) => 4,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool => f.write_str("true or false"),
            Self::BoolOr(words) => write!(f, "true, false or {}", words.join(", ")),
            Self::Whole { min, max } => write!(f, "a whole number, {min} to {max}"),
            Self::Number { min, max } => write!(f, "a number, {min} to {max}"),
            Self::Text => f.write_str("a text"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Id => f.write_str("a Discord id"),
            Self::Secret => f.write_str("a secret, or a reference to one"),
            Self::List => f.write_str("a list"),
            Self::Object => f.write_str("an object"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// A key: what it takes and what it is without being written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// What it takes. `None`: it only holds others.
    pub kind: Option<Kind>,
    /// Its default; `None`: it is unset, or the default depends on other keys.
    pub default: Option<Value>,
    /// It is an old name of this key.
    pub legacy_of: Option<String>,
}

/// Every key of the parts we read, by path. `<id>` stands for any name, `[]` for any element.
#[derive(Clone, Debug, Default)]
pub struct Declarations(BTreeMap<String, Declared>);

impl Declarations {
    pub(crate) fn kind(&mut self, path: &str, kind: Kind) {
        let known = &mut self.0.entry(path.to_owned()).or_default().kind;
        if known.as_ref().is_none_or(|known| kind.rank() > known.rank()) {
            *known = Some(kind);
        }
    }

    pub(crate) fn default(&mut self, path: &str, default: Value) {
        self.0.entry(path.to_owned()).or_default().default.get_or_insert(default);
    }

    pub(crate) fn legacy(&mut self, path: &str, new: &str) {
        self.0.entry(path.to_owned()).or_default().legacy_of = Some(new.to_owned());
    }

    /// Every key with what it takes, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Declared)> {
        self.0.iter().map(|(path, declared)| (path.as_str(), declared))
    }

    /// What is known of a key of a file, as in `channels.discord.accounts.ops.token`.
    #[must_use]
    pub fn of(&self, path: &str) -> Option<(&str, &Declared)> {
        let exact = self.0.get_key_value(path);
        let (pattern, declared) = exact.or_else(|| {
            let asked = parts(path);
            self.0.iter().find(|(pattern, _)| matches(&parts(pattern), &asked))
        })?;
        Some((pattern, declared))
    }

    /// The keys as a JSON Schema (draft 2020-12). Objects that others own take further keys.
    #[must_use]
    pub fn json_schema(&self) -> Value {
        let mut root = Node::default();
        for (path, declared) in &self.0 {
            root.insert(&parts(path), declared);
        }
        let mut schema = root.schema("");
        if let Value::Object(map) = &mut schema {
            let dialect = "https://json-schema.org/draft/2020-12/schema";
            map.insert("$schema".to_owned(), dialect.into());
            map.insert("title".to_owned(), "clawvoice".into());
        }
        schema
    }
}

/// `a.b[0]["c.d"]` → `a`, `b`, `[]`, `c.d`. Elements by number are `[]`.
pub(crate) fn parts(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some(quoted) = rest.strip_prefix("[\"") {
            let end = quoted.find("\"]").unwrap_or(quoted.len());
            parts.push(quoted[..end].replace("\\\"", "\"").replace("\\\\", "\\"));
            rest = quoted.get(end + 2..).unwrap_or("");
        } else if let Some(index) = rest.strip_prefix('[') {
            parts.push("[]".to_owned());
            rest = index.find(']').and_then(|end| index.get(end + 1..)).unwrap_or("");
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
    }
    parts
}

fn matches(pattern: &[String], asked: &[String]) -> bool {
    pattern.len() == asked.len()
        && pattern
            .iter()
            .zip(asked)
            .all(|(known, name)| known == name || (known == "<id>" && name != "[]"))
}

/// An object of the schema.
#[derive(Default)]
struct Node {
    declared: Declared,
    children: BTreeMap<String, Node>,
}

/// Objects in which an unknown key is an error.
const STRICT: [&str; 2] = ["channels.discord", "gateway.clawvoice"];

impl Node {
    fn insert(&mut self, path: &[String], declared: &Declared) {
        match path.split_first() {
            None => self.declared = declared.clone(),
            Some((first, rest)) => {
                self.children.entry(first.clone()).or_default().insert(rest, declared);
            }
        }
    }

    fn schema(&self, path: &str) -> Value {
        let mut map = Map::new();
        match &self.declared.kind {
            Some(kind) => describe(kind, &mut map),
            None if self.children.contains_key("[]") => {
                map.insert("type".to_owned(), "array".into());
            }
            None => {
                map.insert("type".to_owned(), "object".into());
            }
        }
        if let Some(default) = &self.declared.default {
            map.insert("default".to_owned(), default.clone());
        }
        if let Some(new) = &self.declared.legacy_of {
            map.insert("deprecated".to_owned(), true.into());
            map.insert("description".to_owned(), format!("an old name of `{new}`").into());
        }
        let mut properties = Map::new();
        for (name, child) in &self.children {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let schema = child.schema(&below);
            match name.as_str() {
                "[]" => drop(map.insert("items".to_owned(), schema)),
                "<id>" => drop(map.insert("additionalProperties".to_owned(), schema)),
                _ => drop(properties.insert(name.clone(), schema)),
            }
        }
        if !properties.is_empty() {
            map.insert("properties".to_owned(), properties.into());
            let strict = STRICT.iter().any(|part| crate::origin::is_at_or_below(path, part));
            // Provider blocks may hold keys that only the provider knows.
            if strict && !map.contains_key("additionalProperties") && !path.contains(".providers.")
            {
                map.insert("additionalProperties".to_owned(), false.into());
            }
        }
        map.into()
    }
}

fn describe(kind: &Kind, map: &mut Map<String, Value>) {
    let described = match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::BoolOr(words) => {
            let mut values: Vec<Value> = vec![true.into(), false.into()];
            values.extend(words.iter().map(|word| Value::from(*word)));
            json!({ "enum": values })
        }
        Kind::Whole { min, max } => {
            json!({ "type": "integer", "minimum": *min as i64, "maximum": *max as i64 })
        }
        Kind::Number { min, max } => json!({ "type": "number", "minimum": min, "maximum": max }),
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Id => json!({ "type": ["string", "integer"], "description": "a Discord id" }),
        Kind::Secret => json!({ "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": {
                    "source": { "enum": ["env", "file", "exec"] },
                    "provider": { "type": "string" },
                    "id": { "type": "string" },
                },
                "required": ["source", "id"],
                "additionalProperties": false,
            },
        ] }),
        Kind::List => json!({ "type": "array" }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Other(words) => json!({ "description": words }),
    };
    if let Value::Object(described) = described {
        map.extend(described);
    }
}

#[cfg(test)]
mod tests {
    use super::parts;

    #[test]
    fn paths_fall_into_parts() {
        assert_eq!(parts("a.b[0].c"), ["a", "b", "[]", "c"]);
        assert_eq!(parts("a[\"x.y\"].z"), ["a", "x.y", "z"]);
        assert_eq!(parts("[\"q\"]"), ["q"]);
        assert!(parts("").is_empty());
        assert_eq!(parts("a["), ["a", "[]"]);
    }
}
