//! Changes to a file: what they change, that they change nothing else, and when they are refused.

use std::{collections::BTreeMap, fs, path::Path};

use clawvoice_config::{
    ExecRefs,
    edit::{self, DryRun, Edit, EditError, Edited, KeyPath, Payload, Unwritten},
};
use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

const FILE: &str = r#"// Top.
{
  // Before channels.
  channels: {
    discord: {
      token: "a.b.c", // the token
      /* block */ historyLimit: 5,
      allowFrom: ["1", "2"], // people

      // Voice.
      voice: { mode: "bidi" },
    },
  },
  other: [1, 2], // left alone
}
// End.
"#;

fn payload(text: &str) -> Payload {
    Payload::json5(text, Path::new("patch")).unwrap_or_else(|errors| panic!("{errors}"))
}

fn path(text: &str) -> KeyPath {
    text.parse().expect("a path")
}

fn apply(text: &str, edit: &Edit) -> Result<Edited, EditError> {
    edit::apply(text, Path::new("claw.json5"), edit)
}

fn set(at: &str, value: &str) -> Edit {
    Edit::Set { path: path(at), value: payload(value) }
}

fn merge(patch: &str, replace: &[&str]) -> Edit {
    let replace = replace.iter().map(|at| path(at)).collect();
    Edit::Merge { payload: payload(patch), replace }
}

fn text(edit: &Edit) -> String {
    apply(FILE, edit).unwrap_or_else(|error| panic!("{error}")).text
}

/// The lines that differ, as a person would compare the two.
fn changed(edit: &Edit) -> String {
    let after = text(edit);
    let (old, new): (Vec<&str>, Vec<&str>) = (FILE.lines().collect(), after.lines().collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let rest = old.len().min(new.len()) - same;
    let tail =
        old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let gone = old[same..old.len() - tail].iter().map(|line| format!("-{line}"));
    let come = new[same..new.len() - tail].iter().map(|line| format!("+{line}"));
    gone.chain(come).collect::<Vec<String>>().join("\n")
}

#[test]
fn a_value_is_replaced_in_its_place() {
    assert_snapshot!(changed(&set("channels.discord.historyLimit", "0x10")), @r"
    -      /* block */ historyLimit: 5,
    +      /* block */ historyLimit: 0x10,
    ");
    assert_snapshot!(changed(&set("channels.discord.allowFrom[1]", "'3'")), @r#"
    -      allowFrom: ["1", "2"], // people
    +      allowFrom: ["1", "3"], // people
    "#);
    assert_snapshot!(changed(&set("channels.discord.allowFrom[2]", "'3'")), @r#"
    -      allowFrom: ["1", "2"], // people
    +      allowFrom: ["1", "2", "3"], // people
    "#);
}

#[test]
fn what_is_missing_on_the_way_is_made_in_the_files_own_style() {
    assert_snapshot!(changed(&set("channels.discord.retry.attempts", "7")), @r#"
    +      retry: {
    +        attempts: 7,
    +      },
    "#);
    assert_snapshot!(changed(&set("channels.discord.guilds[\"x y\"].slug", "'s'")), @r#"
    +      guilds: {
    +        "x y": {
    +          slug: "s",
    +        },
    +      },
    "#);
    let plain = apply("{\n  \"a\": 1\n}\n", &set("b.c", "true")).unwrap().text;
    assert_eq!(plain, "{\n  \"a\": 1,\n  \"b\": {\n    \"c\": true\n  }\n}\n");
    let empty = apply("// nothing\n", &set("a", "1")).unwrap().text;
    assert!(empty.starts_with("// nothing\n"), "{empty}");
}

#[test]
fn a_value_goes_with_what_is_written_beside_it() {
    assert_snapshot!(changed(&Edit::Unset { path: path("channels.discord.allowFrom") }), @r#"-      allowFrom: ["1", "2"], // people"#);
    assert_snapshot!(changed(&Edit::Unset { path: path("channels.discord.voice.mode") }), @r#"
    -      voice: { mode: "bidi" },
    +      voice: {},
    "#);
    assert_snapshot!(changed(&Edit::Unset { path: path("other[0]") }), @r"
    -  other: [1, 2], // left alone
    +  other: [ 2], // left alone
    ");
}

#[test]
fn a_patch_merges_replaces_and_removes() {
    let patch = "{ channels: { discord: { historyLimit: null, voice: { model: 'm', mode: null }, \
                 allowFrom: ['9'], gone: null } }, session: { mainKey: 'x', no: null } }";
    let edited = apply(FILE, &merge(patch, &[])).unwrap();
    assert_eq!(edited.operations, 5);
    assert_snapshot!(edited.text, @r#"
    // Top.
    {
      // Before channels.
      channels: {
        discord: {
          token: "a.b.c", // the token
          allowFrom: ["9"], // people

          // Voice.
          voice: {
            model: "m"
          },
        },
      },
      other: [1, 2], // left alone
      session: {
        mainKey: "x",
      },
    }
    // End.
    "#);
}

#[test]
fn a_path_can_become_exactly_what_is_given() {
    let patch = "{ channels: { discord: { voice: { model: 'm' } } } }";
    assert_snapshot!(changed(&merge(patch, &["channels.discord.voice"])), @r#"
    -      voice: { mode: "bidi" },
    +      voice: {
    +        model: "m"
    +      },
    "#);
    assert_eq!(
        apply(FILE, &merge(patch, &["channels.discord.dm"])),
        Err(EditError::MissingPath(path("channels.discord.dm")))
    );
}

#[test]
fn what_leads_nowhere_is_told() {
    let told = |edit: &Edit| apply(FILE, edit).unwrap_err().to_string();
    assert_snapshot!(told(&set("channels.discord.token.x", "1")), @"channels.discord.token is a text, so channels.discord.token.x cannot be in it");
    assert_snapshot!(told(&set("channels.discord.allowFrom.x", "1")), @"channels.discord.allowFrom is a list, so channels.discord.allowFrom.x cannot be in it");
    assert_snapshot!(told(&set("other[7]", "1")), @"there is nothing at other[7]");
    assert_snapshot!(told(&Edit::Unset { path: path("channels.telegram") }), @"there is nothing at channels.telegram");
    assert_snapshot!(told(&merge("[1]", &[])), @"a patch is an object, as in { channels: { … } }");
    assert!(matches!(apply("{ a: ", &set("a", "1")), Err(EditError::Unreadable(_))));
    assert_eq!(apply("[1]", &set("a", "1")), Err(EditError::NoObject));
}

#[test]
fn what_is_got_holds_no_secret() {
    let get = |at: &str| edit::get(FILE, Path::new("c"), &path(at)).unwrap();
    assert_eq!(get("channels.discord.token"), Some(json!("(secret)")));
    assert_eq!(get("channels.discord.allowFrom[1]"), Some(json!("2")));
    assert_eq!(get("channels.discord.allowFrom[2]"), None);
    assert_eq!(get("channels.discord.nothing"), None);
    let all = get("channels").unwrap();
    assert_eq!(all["discord"]["token"], "(secret)");
    assert_eq!(all["discord"]["historyLimit"], 5);
}

fn env() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// Scenario 60 of the text scenarios: an unknown key is named with its path, and nothing written.
#[test]
fn a_dry_run_says_what_would_be_wrong() {
    let report = |edit: &Edit| {
        let edited = apply(FILE, edit);
        DryRun::of(Path::new("claw.json5"), &edited, "json", &env(), ExecRefs::Skip)
    };
    let good = report(&merge("{ channels: { discord: { historyLimit: 6 } } }", &[]));
    assert!(good.is_ok());
    assert_snapshot!(serde_json::to_string_pretty(&good.json()).unwrap(), @r#"
    {
      "checks": {
        "resolvability": true,
        "resolvabilityComplete": true,
        "schema": true
      },
      "configPath": "claw.json5",
      "errors": [],
      "inputModes": [
        "json"
      ],
      "ok": true,
      "operations": 1,
      "refsChecked": 0,
      "skippedExecRefs": 0
    }
    "#);
    let unknown = report(&merge("{ channels: { discord: { hystoryLimit: 6 } } }", &[]));
    assert_eq!(unknown.json()["errors"][0]["kind"], "schema");
    assert!(unknown.errors[0].message.contains("channels.discord.hystoryLimit: unknown key"));
    let unset = report(&merge("{ channels: { discord: { token: '${UNSET}' } } }", &[]));
    assert_eq!(unset.json()["errors"][0]["kind"], "resolvability");
    assert_eq!(unset.json()["errors"][0]["ref"], "env:default:UNSET");
    assert_eq!(unset.refs_checked, 1);
    let nowhere = report(&Edit::Unset { path: path("x") });
    assert_eq!(nowhere.json()["errors"][0]["kind"], "missing-path");
}

#[cfg(unix)]
mod files {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("the folder is there");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_and_the_old_one_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claw.json5");
        fs::write(&path, FILE).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let before = edit::read_for_edit(&path).unwrap();
        let after = text(&set("channels.discord.historyLimit", "6"));
        let written = edit::write(&path, &before, &after, &env()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), after);
        assert_eq!(mode(&path), 0o640);
        let backup = written.backup.unwrap();
        assert_eq!(fs::read_to_string(&backup).unwrap(), FILE);
        assert_eq!(names(folder.path()), ["claw.json5", "claw.json5.bak"]);
    }

    #[test]
    fn a_new_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claw.json5");
        let before = edit::read_for_edit(&path).unwrap();
        let after = edit::apply(&before, &path, &set("session.mainKey", "'x'")).unwrap().text;
        let written = edit::write(&path, &before, &after, &env()).unwrap();
        assert_eq!((written.backup, mode(&path)), (None, 0o600));
    }

    #[test]
    fn what_is_not_valid_is_kept_beside_and_the_file_is_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claw.json5");
        fs::write(&path, FILE).unwrap();
        let after = text(&set("channels.discord.historyLimit", "-6"));
        let Err(Unwritten::Invalid { errors, rejected }) = edit::write(&path, FILE, &after, &env())
        else {
            panic!("it was written")
        };
        assert!(errors.to_string().contains("must be between 0 and 10000, got -6"), "{errors}");
        let rejected = rejected.unwrap();
        assert!(rejected.file_name().unwrap().to_string_lossy().contains(".rejected."));
        assert_eq!((fs::read_to_string(&rejected).unwrap(), mode(&rejected)), (after, 0o600));
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
        assert_eq!(names(folder.path()).len(), 2);
    }

    #[test]
    fn a_secret_that_is_not_to_be_had_here_is_no_reason_to_refuse() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claw.json5");
        fs::write(&path, FILE).unwrap();
        let after = text(&set("channels.discord.token", "'${UNSET}'"));
        let written = edit::write(&path, FILE, &after, &env()).unwrap();
        assert!(written.unresolved.unwrap().to_string().contains("UNSET is not set"));
    }

    #[test]
    fn a_link_and_a_file_that_changed_meanwhile_are_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("claw.json5");
        fs::write(&path, FILE).unwrap();
        let link = folder.path().join("link.json5");
        symlink(&path, &link).unwrap();
        assert!(matches!(edit::read_for_edit(&link), Err(Unwritten::Symlink(_))));
        assert!(matches!(edit::write(&link, FILE, FILE, &env()), Err(Unwritten::Symlink(_))));
        let stale = edit::write(&path, "{}", FILE, &env());
        assert!(matches!(stale, Err(Unwritten::Changed(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), FILE);
    }
}

/// Merging as RFC 7396 has it, written down once more.
fn merged(target: Value, patch: &Value) -> Value {
    let Value::Object(patch) = patch else { return patch.clone() };
    let mut target = match target {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    for (key, value) in patch {
        match value {
            Value::Null => drop(target.remove(key)),
            value => {
                let old = target.remove(key).unwrap_or(Value::Null);
                target.insert(key.clone(), merged(old, value));
            }
        }
    }
    target.into()
}

fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "long name", "1", "ü", "quo\"te", "null"])
        .prop_map(str::to_owned)
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "x",
            "with \"quotes\" and \\",
            "a\nb\tc",
            "// no comment",
            "é\u{1}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names(), inner, 0..4)
                .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn objects() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(names(), values(), 0..5)
        .prop_map(|map| Value::from(map.into_iter().collect::<Map<_, _>>()))
}

/// A value as a person might write it: a comment with a number of its own before and behind every
/// key.
fn commented(value: &Value, depth: usize, count: &mut usize) -> String {
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut lines = String::from("{\n");
            for (key, value) in map {
                let number = *count;
                *count += 1;
                let inner = commented(value, depth + 1, count);
                let key = Value::from(key.as_str());
                lines +=
                    &format!("{indent}// over {number}\n{indent}{key}: {inner}, // by {number}\n");
            }
            lines + &"  ".repeat(depth) + "}"
        }
        value => value.to_string(),
    }
}

proptest! {
    #[test]
    fn a_patched_file_reads_as_the_merged_values_and_its_other_comments_stay(
        file in objects(),
        patch in objects(),
    ) {
        let text = format!("// begin\n{}\n// end\n", commented(&file, 0, &mut 0));
        let edit = merge(&patch.to_string(), &[]);
        let edited = apply(&text, &edit);
        let edited = edited.map_err(|error| TestCaseError::fail(format!("{error}\n{text}\n{patch}")))?;
        let root: Value = read(&edited.text);
        let mut meant = merged(file.clone(), &patch);
        if file == json!({}) {
            meant = merged(json!({}), &patch);
        }
        prop_assert_eq!(root, meant);
        prop_assert!(edited.text.starts_with("// begin\n"));
        prop_assert!(edited.text.ends_with("\n// end\n"));
        // What the patch does not name at the top keeps every byte.
        let mut number = 0;
        for (key, value) in file.as_object().into_iter().flatten() {
            let mut inner = number + 1;
            let written = commented(value, 1, &mut inner);
            if patch.get(key).is_none() {
                let key = Value::from(key.as_str());
                let piece = format!("// over {number}\n  {key}: {written}");
                prop_assert!(edited.text.contains(&piece), "{}\nis not in\n{}", piece, edited.text);
                let beside = format!(", // by {number}\n");
                prop_assert!(edited.text.contains(&beside), "{}", edited.text);
            }
            number = inner;
        }
    }

    #[test]
    fn setting_and_removing_again_leaves_the_values_as_they_were(file in objects(), value in values()) {
        let text = commented(&file, 0, &mut 0);
        let at = path("new.key");
        let set = Edit::Set { path: at.clone(), value: payload(&value.to_string()) };
        let once = apply(&text, &set).map_err(|error| TestCaseError::fail(error.to_string()))?.text;
        let again = apply(&once, &Edit::Unset { path: path("new") });
        let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?.text;
        prop_assert_eq!(read(&again), file);
    }

    #[test]
    fn no_text_and_no_patch_panics(text in any::<String>(), patch in any::<String>()) {
        if let Ok(patch) = Payload::json5(&patch, Path::new("p")) {
            let _ = apply(&text, &Edit::Merge { payload: patch, replace: Vec::new() });
        }
        let _ = text.parse::<KeyPath>();
    }
}

/// Any JSON5 text as a plain value, by what `get` shows of it.
fn read(text: &str) -> Value {
    let wrapped = format!("{{ all: {text}\n}}");
    let found = edit::get(&wrapped, Path::new("c"), &path("all")).expect("the text is JSON5");
    found.expect("there is a value")
}
