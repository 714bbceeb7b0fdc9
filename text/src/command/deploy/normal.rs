//! Commands without what says nothing, so that they can be compared.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// What the server adds, or has in another form than it was sent.
const OF_THE_SERVER: [&str; 9] = [
    "id",
    "application_id",
    "version",
    "guild_id",
    "dm_permission",
    "default_permission",
    "nsfw",
    "name_localized",
    "description_localized",
];

/// Lists whose order means nothing.
const SETS: [&str; 3] = ["channel_types", "contexts", "integration_types"];

/// A command's type and name, by which it is the same command.
pub(super) fn key(command: &Value) -> (u64, &str) {
    let kind = command.get("type").and_then(Value::as_u64).unwrap_or(1);
    (kind, command.get("name").and_then(Value::as_str).unwrap_or_default())
}

/// A command in the form in which the same commands are equal.
pub(super) fn command(command: &Value) -> Value {
    let mut normal = object(command);
    if let Some(fields) = normal.as_object_mut() {
        fields.entry("type").or_insert_with(|| 1.into());
        // In the order of their names whatever the map keeps.
        let mut sorted: Vec<(String, Value)> = std::mem::take(fields).into_iter().collect();
        sorted.sort_by(|one, other| one.0.cmp(&other.0));
        *fields = sorted.into_iter().collect();
    }
    normal
}

fn object(value: &Value) -> Value {
    let Value::Object(fields) = value else { return value.clone() };
    let mut kept: Vec<(&String, Value)> =
        fields.iter().filter_map(|(name, value)| Some((name, field(name, value)?))).collect();
    kept.sort_by(|one, other| one.0.cmp(other.0));
    let kept: Map<String, Value> = kept.into_iter().map(|(name, it)| (name.clone(), it)).collect();
    kept.into()
}

/// `None`: it says nothing.
fn field(name: &str, value: &Value) -> Option<Value> {
    if OF_THE_SERVER.contains(&name) {
        return None;
    }
    match value {
        Value::Null => None,
        Value::Bool(false) if matches!(name, "required" | "autocomplete") => None,
        Value::Array(all) if all.is_empty() => None,
        Value::Object(all) if all.is_empty() => None,
        Value::Array(all) => {
            let mut all: Vec<Value> = all.iter().map(object).collect();
            if SETS.contains(&name) {
                all.sort_by_key(Value::as_u64);
                all.dedup();
            }
            Some(all.into())
        }
        Value::Object(_) => Some(object(value)),
        _ => Some(value.clone()),
    }
}

/// SHA-256, in hexadecimal, of a scope's commands; the same for the same commands in any order.
#[must_use]
pub fn fingerprint(commands: &[Value]) -> String {
    let mut normal: Vec<Value> = commands.iter().map(command).collect();
    normal.sort_by(|one, other| key(one).cmp(&key(other)));
    let digest = Sha256::digest(Value::from(normal).to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
