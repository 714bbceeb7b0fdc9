//! Secrets taken out of what is shown.

use serde_json::Value;

/// What stands in place of a secret.
pub const REDACTED: &str = "(secret)";

/// A value at `key`, without secrets: texts under keys that name secrets, and user names and
/// passwords in addresses. References to secrets are shown, they are none themselves.
#[must_use]
pub fn value(key: &str, value: Value) -> Value {
    match value {
        Value::String(text) if names_secret(key) && !is_reference(&text) => REDACTED.into(),
        Value::String(text) => without_credentials(&text).into(),
        Value::Number(_) if names_secret(key) => REDACTED.into(),
        Value::Array(items) => items.into_iter().map(|item| self::value(key, item)).collect(),
        Value::Object(map) => {
            let held = |(name, item): (String, Value)| {
                // The parts of a long reference name where a secret is kept.
                let item = self::value(&name, item);
                (name, item)
            };
            Value::Object(map.into_iter().map(held).collect())
        }
        plain => plain,
    }
}

/// Whether values of this key are secrets, whoever owns it.
pub(crate) fn names_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["token", "apikey", "api_key", "secret", "password", "passphrase", "privatekey", "credential"]
        .iter()
        .any(|word| key.ends_with(word))
        || key == "authorization"
}

fn is_reference(text: &str) -> bool {
    crate::secret::shorthand(text.trim()).is_some()
}

/// `http://name:word@host` → `http://(secret)@host`.
fn without_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{REDACTED}{}", &rest[at..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::value;

    #[test]
    fn secrets_go_and_references_stay() {
        let shown = value(
            "discord",
            json!({
                "token": "abc", "apiKey": "${KEY}", "botToken": 5,
                "list": [{ "password": "x", "name": "y" }],
                "token2": { "source": "env", "id": "T" },
                "proxy": "http://me:word@host:1/x",
                "tokens": 5,
            }),
        );
        assert_eq!(
            shown,
            json!({
                "token": "(secret)", "apiKey": "${KEY}", "botToken": "(secret)",
                "list": [{ "password": "(secret)", "name": "y" }],
                "token2": { "source": "env", "id": "T" },
                "proxy": "http://(secret)@host:1/x",
                "tokens": 5,
            })
        );
    }
}
