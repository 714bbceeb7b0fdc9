//! Buttons in the place of an argument that was left out.
//!
//! The buttons carry all that is needed: `cmdarg:command=…;arg=…;value=…;user=…`, each value
//! percent-encoded. What comes back is checked against what is registered, whoever made it up.
//! Source: OpenClaw, "Slash commands".

use std::{collections::BTreeMap, fmt::Write as _};

use clawvoice_session::UserId;
use serde_json::{Value, json};

use super::{CommandOption, Definition, Invocation, Takes};
use crate::interaction::ComponentUse;

/// How the ids of these buttons begin.
const KEY: &str = "cmdarg:";

/// Buttons of a row.
const A_ROW: usize = 4;

/// Rows of a message.
const MOST_ROWS: usize = 5;

/// Characters of a `custom_id`.
const LONGEST_ID: usize = 100;

/// Characters of a button's label.
const LONGEST_LABEL: usize = 80;

/// A choice is not, or no longer, one of the option's.
pub const NO_SELECTION: &str = "Sorry, that selection is no longer available.";

/// Its command is not registered, or no longer.
pub const NO_COMMAND: &str = "Sorry, that command is no longer available.";

/// What becomes of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MenuClick {
    /// It is none of these buttons.
    NotOurs,
    /// The menu was shown to somebody else: nothing is said.
    Foreign,
    /// Nothing can be done; the menu says so from now on.
    Refused(&'static str),
    /// The command with the argument, to be judged like one that was typed.
    Chosen {
        /// What the menu says from now on.
        told: String,
        /// The command.
        invocation: Invocation,
    },
}

/// The option whose choices are offered, if the command lacks one of those.
#[must_use]
pub fn missing<'a>(
    definition: &'a Definition,
    invocation: &Invocation,
) -> Option<&'a CommandOption> {
    // Whoever gave any argument knows what they want.
    if !invocation.options.is_empty() {
        return None;
    }
    let asked = definition.asked(invocation.subcommand.as_deref());
    asked.iter().find(|option| option.menu && matches!(option.takes, Takes::Choice(_)))
}

/// The menu, as the content of a message to `user` alone. Choices for which there is no room are left
/// out: they can be typed.
#[must_use]
pub fn menu(definition: &Definition, option: &CommandOption, user: UserId) -> Value {
    let choices: &[String] = match &option.takes {
        Takes::Choice(choices) => choices,
        _ => &[],
    };
    let buttons: Vec<Value> = choices
        .iter()
        .filter(|choice| choice.chars().count() <= LONGEST_LABEL)
        .filter_map(|choice| {
            let id = custom_id(&definition.name, &option.name, choice, user);
            (id.len() <= LONGEST_ID)
                .then(|| json!({ "type": 2, "style": 2, "label": choice, "custom_id": id }))
        })
        .take(A_ROW * MOST_ROWS)
        .collect();
    let rows = buttons.chunks(A_ROW).map(|row| json!({ "type": 1, "components": row }));
    let what = lower_first(&option.description);
    json!({
        "content": format!("Choose {what} for /{}.", definition.name),
        "components": rows.collect::<Vec<Value>>(),
    })
}

fn custom_id(command: &str, arg: &str, value: &str, user: UserId) -> String {
    let [command, arg, value] = [command, arg, value].map(encoded);
    format!("{KEY}command={command};arg={arg};value={value};user={user}")
}

/// Reads a click; `definitions` are the commands that are registered.
#[must_use]
pub fn clicked(click: &ComponentUse, definitions: &[Definition]) -> MenuClick {
    let Some(fields) = click.custom_id.strip_prefix(KEY) else { return MenuClick::NotOurs };
    let Some(fields) = read(fields) else { return MenuClick::Refused(NO_SELECTION) };
    let field = |name: &str| fields.get(name).map(String::as_str);
    let user = field("user").and_then(|user| user.parse::<UserId>().ok());
    let (Some(command), Some(arg), Some(value), Some(user)) =
        (field("command"), field("arg"), field("value"), user)
    else {
        return MenuClick::Refused(NO_SELECTION);
    };
    if click.by.user != Some(user) {
        return MenuClick::Foreign;
    }
    let Some(definition) = definitions.iter().find(|it| it.name == command) else {
        return MenuClick::Refused(NO_COMMAND);
    };
    let option = definition.options.iter().find(|option| option.menu && option.name == arg);
    let is_declared = |option: &CommandOption| match &option.takes {
        Takes::Choice(choices) => choices.iter().any(|choice| choice == value),
        _ => false,
    };
    if !option.is_some_and(is_declared) {
        return MenuClick::Refused(NO_SELECTION);
    }
    MenuClick::Chosen {
        told: format!("✅ Selected {value}."),
        invocation: Invocation {
            by: click.by.clone(),
            name: command.to_owned(),
            subcommand: None,
            channel: None,
            options: BTreeMap::from([(arg.to_owned(), value.to_owned())]),
        },
    }
}

/// `None`: something is missing, twice there, or not written as we write it.
fn read(fields: &str) -> Option<BTreeMap<&str, String>> {
    let mut read = BTreeMap::new();
    for field in fields.split(';') {
        let (name, value) = field.split_once('=')?;
        if read.insert(name, decoded(value)?).is_some() {
            return None;
        }
    }
    Some(read)
}

/// As `encodeURIComponent` does.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// `None`: a `%` without two digits, or bytes that are no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

/// As it stands within a sentence.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use clawvoice_session::MessageId;
    use proptest::prelude::*;

    use super::*;
    use crate::interaction::{Caller, Resolved, SourceMessage};

    const ADA: UserId = UserId::new(31);

    fn queue(choices: &[&str]) -> Definition {
        let choices = choices.iter().map(|it| (*it).to_owned()).collect();
        let mode = CommandOption::text("mode", "How messages wait");
        let mode = mode.taking(Takes::Choice(choices)).with_menu();
        let cap = CommandOption::text("cap", "How many").taking(Takes::Number);
        Definition { options: vec![mode, cap], ..Definition::new("queue", "d") }
    }

    fn click(custom_id: &str, user: u64) -> ComponentUse {
        ComponentUse {
            by: Caller { user: Some(UserId::new(user)), ..Caller::default() },
            custom_id: custom_id.to_owned(),
            kind: 2,
            values: Vec::new(),
            named: Resolved::default(),
            message: SourceMessage { id: MessageId::new(7), flags: 64, text: String::new() },
        }
    }

    fn typed(options: &[(&str, &str)]) -> Invocation {
        let options = options.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned()));
        Invocation {
            by: Caller::default(),
            name: "queue".to_owned(),
            subcommand: None,
            channel: None,
            options: options.collect(),
        }
    }

    #[test]
    fn a_menu_of_rows_of_four() {
        let queue = queue(&["steer", "followup", "collect", "interrupt", "a;b=c"]);
        let option = missing(&queue, &typed(&[])).unwrap();
        let menu = menu(&queue, option, ADA);
        assert_eq!(menu["content"], "Choose how messages wait for /queue.");
        let rows = menu["components"].as_array().unwrap();
        let sizes: Vec<usize> =
            rows.iter().map(|row| row["components"].as_array().unwrap().len()).collect();
        assert_eq!(sizes, [4, 1]);
        let button = &rows[1]["components"][0];
        assert_eq!(button["label"], "a;b=c");
        assert_eq!(button["custom_id"], "cmdarg:command=queue;arg=mode;value=a%3Bb%3Dc;user=31");
        assert_eq!(missing(&queue, &typed(&[("cap", "5")])), None);
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        let many: Vec<String> = (0..30).map(|it| format!("m{it}")).collect();
        let mut choices: Vec<&str> = many.iter().map(String::as_str).collect();
        let long = "x".repeat(70);
        choices.insert(0, &long);
        let queue = queue(&choices);
        let menu = menu(&queue, &queue.options[0], ADA);
        let rows = menu["components"].as_array().unwrap();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0]["components"][0]["label"], "m0");
    }

    /// Scenario 45.
    #[test]
    fn clicks() {
        let all = [queue(&["steer", "collect"]), Definition::new("help", "d")];
        let chosen = |value: &str| {
            let by = click("", 31).by;
            MenuClick::Chosen {
                told: format!("✅ Selected {value}."),
                invocation: Invocation { by, ..typed(&[("mode", value)]) },
            }
        };
        let gone = MenuClick::Refused("Sorry, that selection is no longer available.");
        let unknown = MenuClick::Refused("Sorry, that command is no longer available.");
        for (id, expected) in [
            ("cmdarg:command=queue;arg=mode;value=steer;user=31", chosen("steer")),
            ("cmdarg:user=31;value=c%6fllect;arg=mode;command=queue", chosen("collect")),
            ("cmdarg:command=queue;arg=mode;value=steer;user=32", MenuClick::Foreign),
            ("cmdarg:command=queue;arg=mode;value=delete;user=32", MenuClick::Foreign),
            ("cmdarg:command=queue;arg=mode;value=delete;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=mode;value=Steer;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=cap;value=5;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=other;value=steer;user=31", gone.clone()),
            ("cmdarg:command=help;arg=mode;value=steer;user=31", gone.clone()),
            ("cmdarg:command=restart;arg=mode;value=steer;user=31", unknown),
            ("cmdarg:command=queue;arg=mode;value=%ZZ;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=mode;value=%f;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=mode;value=%ff;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=mode;value=steer;value=collect;user=31", gone.clone()),
            ("cmdarg:command=queue;arg=mode;value=steer", gone.clone()),
            ("cmdarg:command=queue;arg=mode;value=steer;user=ada", gone.clone()),
            ("cmdarg:", gone),
            ("occomp:cid=btn_x", MenuClick::NotOurs),
            ("", MenuClick::NotOurs),
        ] {
            assert_eq!(clicked(&click(id, 31), &all), expected, "{id}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_again(text in ".{0,40}") {
            prop_assert_eq!(decoded(&encoded(&text)), Some(text));
        }

        #[test]
        fn every_button_leads_to_its_choice(
            choices in prop::collection::btree_set("[a-z;=% ]{1,12}", 1..8),
        ) {
            let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
            let all = [queue(&choices)];
            let menu = menu(&all[0], &all[0].options[0], ADA);
            for button in menu["components"].as_array().unwrap().iter()
                .flat_map(|row| row["components"].as_array().unwrap())
            {
                let id = button["custom_id"].as_str().unwrap();
                let label = button["label"].as_str().unwrap();
                match clicked(&click(id, 31), &all) {
                    MenuClick::Chosen { invocation, .. } => {
                        prop_assert_eq!(invocation.options["mode"].as_str(), label);
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }

        #[test]
        fn nothing_panics(id in ".{0,120}") {
            let all = [queue(&["steer"])];
            let _ = clicked(&click(&id, 31), &all);
            let _ = clicked(&click(&format!("cmdarg:{id}"), 31), &all);
        }
    }
}
