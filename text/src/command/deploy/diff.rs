//! What makes the commands that Discord has those that it should have.

use serde_json::Value;

use super::normal::{command, key};

/// What is to be asked of Discord.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// Commands that are not there.
    pub create: Vec<Value>,
    /// Ids of those that are there otherwise, and what they become.
    pub change: Vec<(u64, Value)>,
    /// Ids of those that should not be.
    pub delete: Vec<u64>,
}

impl Diff {
    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.create.is_empty() && self.change.is_empty() && self.delete.is_empty()
    }
}

/// Fields that are as the application has it where nobody says otherwise.
const OF_THE_APPLICATION: [&str; 2] = ["contexts", "integration_types"];

/// What turns `present`, as Discord tells it, into `wanted`. Commands are the same by type and name.
/// Of several that Discord would have by the same name, and of what it tells without an id, nothing is
/// known, and nothing is done.
#[must_use]
pub fn diff(present: &[Value], wanted: &[Value]) -> Diff {
    let mut diff = Diff::default();
    for want in wanted {
        let Some(have) = present.iter().find(|have| key(have) == key(want)) else {
            diff.create.push(want.clone());
            continue;
        };
        if let Some(id) = id(have).filter(|_| !same(have, want)) {
            diff.change.push((id, change(have, want)));
        }
    }
    let surplus = present.iter().filter(|have| !wanted.iter().any(|want| key(want) == key(have)));
    diff.delete.extend(surplus.filter_map(id));
    diff
}

fn id(command: &Value) -> Option<u64> {
    command.get("id")?.as_str()?.parse().ok()
}

/// Whether what Discord has says the same as what it should.
fn same(have: &Value, want: &Value) -> bool {
    let (mut have, want) = (command(have), command(want));
    if let Some(fields) = have.as_object_mut() {
        for name in OF_THE_APPLICATION {
            if want.get(name).is_none() {
                fields.remove(name);
            }
        }
    }
    have == want
}

/// What is wanted, with an end to all else that the present one says.
fn change(have: &Value, want: &Value) -> Value {
    let mut body = want.clone();
    let (Some(fields), Value::Object(said)) = (body.as_object_mut(), command(have)) else {
        return body;
    };
    for name in said.keys().filter(|name| !OF_THE_APPLICATION.contains(&name.as_str())) {
        fields.entry(name.as_str()).or_insert(match name.as_str() {
            "options" => Value::Array(Vec::new()),
            _ => Value::Null,
        });
    }
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{super::fingerprint, *};

    fn wanted() -> Vec<Value> {
        vec![
            json!({"type": 1, "name": "vc", "description": "Voice", "options": [{"type": 1,
                "name": "join", "description": "j", "options": [{"type": 7, "name": "channel",
                "description": "c", "required": true, "channel_types": [2, 13]}]}]}),
            json!({"type": 1, "name": "queue", "description": "Queue", "options": [{"type": 3,
                "name": "mode", "description": "m", "choices":
                [{"name": "on", "value": "on"}, {"name": "off", "value": "off"}]}]}),
            json!({"type": 1, "name": "help", "description": "Help"}),
        ]
    }

    /// As Discord tells a command that it was sent.
    fn told(command: &Value, id: u64) -> Value {
        let mut told = command.clone();
        let fields = told.as_object_mut().unwrap();
        for (name, value) in json!({"id": id.to_string(), "application_id": "6", "version": "9",
            "dm_permission": true, "default_permission": true, "nsfw": false, "contexts": null,
            "integration_types": [0, 1], "name_localizations": null,
            "description_localizations": {}, "default_member_permissions": null})
        .as_object()
        .unwrap()
        {
            fields.entry(name.as_str()).or_insert(value.clone());
        }
        told
    }

    fn all_told() -> Vec<Value> {
        (10..).zip(&wanted()).map(|(id, command)| told(command, id)).collect()
    }

    /// Scenario 55, first part: what only the server adds is no difference.
    #[test]
    fn what_we_register_is_recognised_when_read_back() {
        let mut present = all_told();
        present.reverse();
        let channel = &mut present[2]["options"][0]["options"][0];
        channel["channel_types"] = json!([13, 2]);
        channel["autocomplete"] = json!(false);
        present[2]["options"][0]["required"] = json!(false);
        present[0].as_object_mut().unwrap().remove("type");
        assert!(diff(&present, &wanted()).is_empty());
        assert!(diff(&[], &[]).is_empty());
    }

    #[test]
    fn every_difference_is_seen() {
        let changes: [fn(&mut Value); 9] = [
            |it| it["description"] = json!("other"),
            |it| it["options"] = json!([]),
            |it| it["options"][0]["name"] = json!("other"),
            |it| it["options"][0]["required"] = json!(true),
            |it| it["options"][0]["autocomplete"] = json!(true),
            |it| it["options"][0]["max_length"] = json!(5),
            |it| it["options"][0]["choices"][0]["value"] = json!("other"),
            |it| it["default_member_permissions"] = json!("8"),
            |it| it["name_localizations"] = json!({"de": "schlange"}),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut present = all_told();
            change(&mut present[1]);
            let found = diff(&present, &wanted());
            assert_eq!(found.change.len(), 1, "change {number}");
            assert_eq!(found.change[0].0, 11, "change {number}");
            assert!(found.create.is_empty() && found.delete.is_empty(), "change {number}");
        }
    }

    #[test]
    fn what_is_missing_is_created_and_what_is_too_much_deleted() {
        let mut present = all_told();
        present.remove(0);
        present.push(told(&json!({"type": 1, "name": "old", "description": "d"}), 20));
        // One of the same name and another type is another command.
        present.push(told(&json!({"type": 3, "name": "help"}), 21));
        let found = diff(&present, &wanted());
        assert_eq!(found.create, [wanted().remove(0)]);
        assert_eq!(found.delete, [20, 21]);
        assert!(found.change.is_empty());
        // What has no id cannot be named.
        assert!(diff(&[json!({"name": "odd"}), json!(5)], &[]).is_empty());
    }

    #[test]
    fn a_change_ends_what_is_no_longer_said() {
        let mut present = all_told();
        present[2]["options"] = json!([{"type": 3, "name": "a", "description": "b"}]);
        present[2]["default_member_permissions"] = json!("8");
        let found = diff(&present, &wanted());
        let body = json!({"type": 1, "name": "help", "description": "Help", "options": [],
            "default_member_permissions": null});
        assert_eq!(found.change, [(12, body)]);
    }

    #[test]
    fn a_fingerprint_is_of_what_is_said() {
        let mut reversed = all_told();
        reversed.iter_mut().for_each(|it| it["integration_types"] = json!(null));
        reversed.reverse();
        assert_eq!(fingerprint(&reversed), fingerprint(&wanted()));
        assert_eq!(fingerprint(&wanted()).len(), 64);
        let mut other = wanted();
        other[2]["description"] = json!("Helps");
        assert_ne!(fingerprint(&other), fingerprint(&wanted()));
        assert_ne!(fingerprint(&wanted()[1..]), fingerprint(&wanted()));
    }

    fn commands() -> impl Strategy<Value = Vec<Value>> {
        let options = prop::collection::btree_map("[ab]", prop::option::of("[xy]"), 0..3);
        let option = |(name, choice): (String, Option<String>)| match choice {
            Some(it) => json!({"type": 3, "name": name, "description": "d",
                "choices": [{"name": it, "value": it}]}),
            None => json!({"type": 5, "name": name, "description": "d", "required": false}),
        };
        let command = (options, "[xy]", any::<bool>());
        prop::collection::btree_map("[a-e]", command, 0..5).prop_map(move |all| {
            let one = |(name, (options, words, admin)): (String, (_, String, bool))| {
                let options: std::collections::BTreeMap<String, Option<String>> = options;
                let options: Vec<Value> = options.into_iter().map(option).collect();
                let mut it = json!({"name": name, "description": words, "options": options});
                if admin {
                    it["default_member_permissions"] = json!("8");
                }
                it
            };
            all.into_iter().map(one).collect()
        })
    }

    /// What Discord has once it did what it was asked.
    fn applied(present: &[Value], diff: &Diff) -> Vec<Value> {
        let mut after: Vec<Value> = present
            .iter()
            .filter(|it| !diff.delete.contains(&id(it).unwrap()))
            .map(|it| {
                let mut it = it.clone();
                for (changed, body) in &diff.change {
                    if id(&it) == Some(*changed) {
                        let fields = body.as_object().unwrap().clone();
                        it.as_object_mut().unwrap().extend(fields);
                    }
                }
                it
            })
            .collect();
        after.extend((500..).zip(&diff.create).map(|(id, it)| told(it, id)));
        after
    }

    proptest! {
        #[test]
        fn after_it_nothing_is_left_to_do(have in commands(), want in commands()) {
            let present: Vec<Value> =
                (100..).zip(&have).map(|(id, command)| told(command, id)).collect();
            let found = diff(&present, &want);
            let after = applied(&present, &found);
            prop_assert!(diff(&after, &want).is_empty(), "{found:?}");
            prop_assert_eq!(after.len(), want.len());
            if have == want {
                prop_assert!(found.is_empty());
            }
        }
    }
}
