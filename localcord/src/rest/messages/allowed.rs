//! `allowed_mentions` ("Allowed Mentions Object").

use serde_json::Value;

use super::super::error::Form;
use crate::world::{AllowedMentions, Pingable};

/// Ids in a list.
const MOST_IDS: usize = 100;

/// Checks the `allowed_mentions` of a message.
pub(super) fn check(form: &mut Form, body: &Value) {
    let Some(allowed) = body.get("allowed_mentions").filter(|value| !value.is_null()) else {
        return;
    };
    if !allowed.is_object() {
        let why = "Only dictionaries may be used in a DictType";
        return form.wrong("allowed_mentions", "DICT_TYPE_CONVERT", why);
    }
    for (at, kind) in list(allowed, "parse").iter().enumerate() {
        if !matches!(kind.as_str(), Some("users" | "roles" | "everyone")) {
            let path = format!("allowed_mentions.parse.{at}");
            form.choice(&path, "('users', 'roles', 'everyone')");
        }
    }
    for field in ["users", "roles"] {
        let path = format!("allowed_mentions.{field}");
        let ids = list(allowed, field);
        if ids.len() > MOST_IDS {
            let why = format!("Must be {MOST_IDS} or fewer in length.");
            form.wrong(&path, "BASE_TYPE_MAX_LENGTH", why);
        }
        for (at, id) in ids.iter().enumerate() {
            if self::id(id).is_none() {
                let why = format!("Value {id} is not snowflake.");
                form.wrong(&format!("{path}.{at}"), "NUMBER_TYPE_COERCE", why);
            }
        }
        if parses(allowed, field) && !ids.is_empty() {
            let why = format!("parse:[\"{field}\"] and {field}: [ids...] are mutually exclusive.");
            form.wrong("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", why);
        }
    }
    if allowed.get("replied_user").is_some_and(|value| !value.is_boolean() && !value.is_null()) {
        let why = "Must be either true or false.";
        form.wrong("allowed_mentions.replied_user", "BOOLEAN_TYPE_CONVERT", why);
    }
}

/// What a checked body allows; everything if it does not say.
pub(super) fn read(body: &Value) -> AllowedMentions {
    let Some(allowed) = body.get("allowed_mentions").filter(|value| value.is_object()) else {
        return AllowedMentions::default();
    };
    let pingable = |field: &str| match parses(allowed, field) {
        true => Pingable::All,
        false => Pingable::Only(list(allowed, field).iter().filter_map(id).collect()),
    };
    AllowedMentions {
        everyone: parses(allowed, "everyone"),
        users: pingable("users"),
        roles: pingable("roles"),
        replied_user: allowed["replied_user"].as_bool().unwrap_or(false),
    }
}

fn list<'a>(allowed: &'a Value, field: &str) -> &'a [Value] {
    allowed[field].as_array().map_or(&[], Vec::as_slice)
}

fn parses(allowed: &Value, kind: &str) -> bool {
    list(allowed, "parse").iter().any(|parsed| parsed == kind)
}

fn id(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_parse_exclude_each_other() {
        let cases = [
            (json!(null), true),
            (json!({}), true),
            (json!({ "parse": [] }), true),
            (json!({ "parse": ["users", "roles", "everyone"], "replied_user": true }), true),
            (json!({ "parse": ["roles"], "users": ["5"] }), true),
            (json!({ "parse": ["users"], "users": [] }), true),
            (json!({ "parse": ["users"], "users": ["5"] }), false),
            (json!({ "parse": ["roles"], "roles": ["5"] }), false),
            (json!({ "parse": ["here"] }), false),
            (json!({ "users": ["ada"] }), false),
            (json!({ "users": vec!["5"; 101] }), false),
            (json!({ "replied_user": 1 }), false),
            (json!([]), false),
        ];
        for (allowed, good) in cases {
            let mut form = Form::default();
            check(&mut form, &json!({ "allowed_mentions": allowed }));
            assert_eq!(form.finish().is_ok(), good, "{allowed}");
        }
    }

    #[test]
    fn what_is_not_named_is_not_allowed() {
        assert_eq!(read(&json!({})), AllowedMentions::default());
        let none = AllowedMentions {
            everyone: false,
            users: Pingable::Only(vec![]),
            roles: Pingable::Only(vec![]),
            replied_user: false,
        };
        assert_eq!(read(&json!({ "allowed_mentions": {} })), none);
        let allowed =
            json!({ "parse": ["users", "everyone"], "roles": ["7"], "replied_user": true });
        let some = AllowedMentions {
            everyone: true,
            users: Pingable::All,
            roles: Pingable::Only(vec![7]),
            replied_user: true,
        };
        assert_eq!(read(&json!({ "allowed_mentions": allowed })), some);
    }
}
