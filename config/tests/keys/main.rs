//! Every key of the documentation, one a line: what it takes, its bounds, its default. Each is
//! tried at its bounds, beyond them, with another type, and in an account.

mod table;

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{Config, ConfigErrors, Kind, Source, declarations, parse};
use serde_json::{Value, json};

enum Takes {
    Bool,
    /// `true`, `false` or a word.
    BoolOr(&'static str),
    Whole(u32, u32),
    Number(f64, f64),
    Text,
    Words(&'static [&'static str]),
    Texts,
    Id,
    /// Good values and bad ones.
    Either(Value, Value),
}

use Takes::{Bool, BoolOr, Either, Id, Number, Text, Texts, Whole, Words};
use table::{of_an_account, of_the_file};

struct Key {
    path: &'static str,
    takes: Takes,
    default: Value,
    /// Keys that it does not mean anything without.
    beside: Value,
}

fn key(path: &'static str, takes: Takes, default: Value) -> Key {
    Key { path, takes, default, beside: Value::Null }
}

impl Takes {
    fn good(&self) -> Vec<Value> {
        match self {
            Bool => vec![json!(true), json!(false)],
            BoolOr(word) => vec![json!(true), json!(false), json!(word)],
            Whole(min, max) => vec![json!(min), json!(max)],
            Number(min, max) => vec![json!(min), json!(max)],
            Text => vec![json!("x")],
            Words(words) => words.iter().map(|word| json!(word)).collect(),
            Texts => vec![json!([]), json!(["x"])],
            Id => vec![json!("5"), json!(9_007_199_254_740_991u64)],
            Either(good, _) => vec![good.clone()],
        }
    }

    fn bad(&self) -> Vec<Value> {
        let mut bad = match self {
            Bool => vec![json!("true"), json!(1)],
            BoolOr(_) => vec![json!("tru"), json!(1)],
            Whole(min, max) => {
                vec![json!(i64::from(*min) - 1), json!(i64::from(*max) + 1), json!(1.5), json!("5")]
            }
            Number(min, max) => vec![json!(min - 0.01), json!(max + 0.01), json!("0.5")],
            Text => vec![json!(""), json!(5)],
            Words(_) => vec![json!("nonsense"), json!(5)],
            Texts => vec![json!("x"), json!([5])],
            Id => vec![json!("ada"), json!(9_007_199_254_740_992u64), json!(-1), json!(true)],
            Either(_, bad) => vec![bad.clone()],
        };
        bad.push(Value::Null);
        bad
    }

    /// How a walk without a file describes it.
    fn is(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Bool, Kind::Bool)
            | (BoolOr(_), Kind::BoolOr(_))
            | (Text, Kind::Text)
            | (Texts, Kind::List)
            | (Id, Kind::Id)
            | (Either(..), _) => true,
            (Whole(min, max), Kind::Whole { min: low, max: high }) => {
                (f64::from(*min), f64::from(*max)) == (*low, *high)
            }
            (Number(min, max), Kind::Number { min: low, max: high }) => (min, max) == (low, high),
            (Words(words), Kind::Word(known)) => words.iter().all(|word| known.contains(word)),
            _ => false,
        }
    }
}

/// `value` at a path of plain names.
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| json!({ name: inner }))
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

fn read(file: &Value) -> Result<Config, ConfigErrors> {
    let nothing: BTreeMap<String, String> = BTreeMap::new();
    parse(&file.to_string(), Path::new("claw.json5"), &nothing)
}

/// A file with a token, with `beside` and `value` in the account.
fn file_of_account(prefix: &str, key: &Key, value: Option<Value>) -> Value {
    let mut file = at("channels.discord.token", json!("a.b.c"));
    if !key.beside.is_null() {
        merge(&mut file, at(prefix, key.beside.clone()));
    }
    if let Some(value) = value {
        merge(&mut file, at(&format!("{prefix}.{}", key.path), value));
    }
    file
}

/// Paths of the file quote what is no plain name.
fn shown(path: &str) -> String {
    path.replace(".*", "[\"*\"]")
}

fn try_key(key: &Key, prefix: &str, file: impl Fn(Option<Value>) -> Value) {
    let path = match prefix {
        "" => key.path.to_owned(),
        prefix => format!("{prefix}.{}", key.path),
    };
    for good in key.takes.good() {
        if let Err(errors) = read(&file(Some(good.clone()))) {
            panic!("{path}: {good} was refused:\n{errors}");
        }
    }
    for bad in key.takes.bad() {
        let Err(errors) = read(&file(Some(bad.clone()))) else {
            panic!("{path}: {bad} was taken");
        };
        let wanted = shown(&path);
        assert!(
            errors.iter().all(|error| error.path.starts_with(&wanted)),
            "{path}: {bad} is complained of elsewhere:\n{errors}"
        );
    }
}

#[test]
fn every_key_of_an_account_is_taken_within_its_bounds_and_refused_beyond() {
    for key in of_an_account() {
        for prefix in ["channels.discord", "channels.discord.accounts.ops"] {
            try_key(&key, prefix, |value| file_of_account(prefix, &key, value));
        }
    }
}

#[test]
fn every_key_of_the_file_is_taken_within_its_bounds_and_refused_beyond() {
    for key in of_the_file() {
        try_key(&key, "", |value| at(key.path, value.unwrap_or(Value::Null)));
    }
}

#[test]
fn every_key_says_what_it_takes() {
    let known = declarations();
    let account = of_an_account()
        .into_iter()
        .map(|key| (shown(&format!("channels.discord.{}", key.path)), key));
    let file = of_the_file().into_iter().map(|key| (key.path.to_owned(), key));
    for (path, key) in account.chain(file) {
        let Some((pattern, declared)) = known.of(&path) else { panic!("{path} is not declared") };
        let kind = declared.kind.as_ref().unwrap_or_else(|| panic!("{pattern} takes nothing"));
        assert!(key.takes.is(kind), "{path}: {kind}");
    }
}

#[test]
fn every_default_is_in_force_where_nothing_is_written() {
    let plain = read(&at("channels.discord.token", json!("a.b.c"))).unwrap();
    let account =
        of_an_account().into_iter().map(|key| (format!("channels.discord.{}", key.path), key));
    let file = of_the_file().into_iter().map(|key| (key.path.to_owned(), key));
    for (path, key) in account.chain(file) {
        // What is in a map is there only if it is named.
        if [".guilds.", ".dms.", ".providers.", ".entries.", ".accounts."]
            .iter()
            .any(|map| path.contains(map))
        {
            continue;
        }
        match plain.origins.at(&path) {
            Some(origin) => {
                assert_eq!(origin.source, Source::Default, "{path}");
                assert_eq!(origin.value, key.default, "{path}");
            }
            None => assert_eq!(key.default, Value::Null, "{path} has no default in force"),
        }
    }
}

#[test]
fn defaults_within_maps_are_in_force_there() {
    let mut file = at("channels.discord.token", json!("a.b.c"));
    merge(&mut file, at("channels.discord.guilds.5.channels.6", json!({})));
    merge(&mut file, at("channels.discord.voice.realtime.providers.openai", json!({})));
    let config = read(&file).unwrap();
    for key in of_an_account() {
        let within = ["guilds.", "voice.realtime.providers."];
        if !within.iter().any(|map| key.path.starts_with(map)) {
            continue;
        }
        let path = format!("channels.discord.{}", key.path);
        let found = config.origins.at(&path).map(|origin| origin.value.clone());
        assert_eq!(found.unwrap_or(Value::Null), key.default, "{path}");
    }
}

#[test]
fn nothing_is_declared_that_the_table_does_not_know() {
    let account: Vec<String> = of_an_account().iter().map(|key| key.path.to_owned()).collect();
    let known = declarations();
    let of_discord = known.iter().filter_map(|(path, declared)| {
        let key = path.strip_prefix("channels.discord.")?;
        (declared.legacy_of.is_none() && declared.kind.is_some()).then_some(key)
    });
    // Tried elsewhere: in this file's other tests, in `values.rs`, `speech.rs` and `accounts.rs`.
    let elsewhere = [
        "accounts",
        "defaultAccount",
        "token",
        "apiBaseUrl",
        "voice.tts",
        "voice.autoJoin",
        "voice.allowedChannels",
        "voice.realtime.providers",
        "mentionAliases",
        "dms",
        "guilds",
    ];
    for key in of_discord {
        let plain = key.replace("<id>", "5").replace(".channels.5", ".channels.6");
        let plain = plain.replace("providers.5", "providers.openai");
        let tried = account.iter().any(|tried| {
            let tried = tried.replace(".*.", ".5.");
            tried == plain || tried.starts_with(&format!("{plain}.")) || plain.starts_with(&tried)
        });
        let told = elsewhere.iter().any(|part| plain.starts_with(part));
        assert!(tried || told, "channels.discord.{key} is in no table");
    }
}
