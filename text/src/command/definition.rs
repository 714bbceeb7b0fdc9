//! A slash command as it is registered with Discord, and its JSON.
//!
//! Source: Discord, "Application Commands".

use serde_json::{Map, Value, json};

/// Most choices that Discord shows of an option.
pub const MOST_CHOICES: usize = 25;

/// A slash command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// The command's name, without the slash.
    pub name: String,
    /// What Discord shows beside it.
    pub description: String,
    /// What it asks for, in the order shown; a command with subcommands asks for nothing itself.
    pub options: Vec<CommandOption>,
    /// Its subcommands, in the order shown.
    pub subcommands: Vec<Subcommand>,
    /// Whether it stands for one skill: such commands give way where there are too many.
    pub of_skill: bool,
}

/// A subcommand of a [`Definition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subcommand {
    /// The subcommand's name.
    pub name: String,
    /// What Discord shows beside it.
    pub description: String,
    /// What it asks for, in the order shown.
    pub options: Vec<CommandOption>,
}

/// Something that a command asks for; required ones come first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOption {
    /// The option's name.
    pub name: String,
    /// What Discord shows beside it.
    pub description: String,
    /// Whether the command cannot be sent without it.
    pub required: bool,
    /// What it takes.
    pub takes: Takes,
    /// Whether people who leave it out are offered its choices as buttons.
    pub menu: bool,
}

/// What an option takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Any text (3).
    Text,
    /// One of these texts (3). More than [`MOST_CHOICES`] are offered while one types.
    Choice(Vec<String>),
    /// One of texts that are known only when they are asked for (3).
    Dynamic,
    /// A number (10).
    Number,
    /// True or false (5).
    Switch,
    /// A voice or stage channel (7).
    VoiceChannel,
}

impl Definition {
    /// One that asks for nothing.
    #[must_use]
    pub fn new(name: &str, description: &str) -> Self {
        let (name, description) = (name.to_owned(), description.to_owned());
        Self { name, description, ..Self::default() }
    }

    /// The options that are asked for, with a chosen subcommand or without.
    #[must_use]
    pub fn asked(&self, subcommand: Option<&str>) -> &[CommandOption] {
        let chosen = self.subcommands.iter().find(|it| Some(it.name.as_str()) == subcommand);
        chosen.map_or(&self.options, |chosen| &chosen.options)
    }

    /// The JSON that Discord is sent.
    #[must_use]
    pub fn json(&self) -> Value {
        let options = self.options.iter().map(CommandOption::json);
        let below = self.subcommands.iter().map(|sub| {
            let options = sub.options.iter().map(CommandOption::json).collect();
            object(1, &sub.name, &sub.description, options)
        });
        object(1, &self.name, &self.description, options.chain(below).collect())
    }
}

impl CommandOption {
    /// Any text, which may be left out.
    #[must_use]
    pub fn text(name: &str, description: &str) -> Self {
        Self {
            name: name.to_owned(),
            description: description.to_owned(),
            required: false,
            takes: Takes::Text,
            menu: false,
        }
    }

    /// The same, which may not.
    #[must_use]
    pub fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Something else than any text.
    #[must_use]
    pub fn taking(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    /// Offered as buttons where it is left out.
    #[must_use]
    pub fn with_menu(self) -> Self {
        Self { menu: true, ..self }
    }

    /// Whether what it could be is asked while one types.
    #[must_use]
    pub fn completes(&self) -> bool {
        match &self.takes {
            Takes::Dynamic => true,
            Takes::Choice(choices) => choices.len() > MOST_CHOICES,
            Takes::Text | Takes::Number | Takes::Switch | Takes::VoiceChannel => false,
        }
    }

    fn json(&self) -> Value {
        // Source: Discord, "Application Command Option Type".
        let kind = match self.takes {
            Takes::Text | Takes::Choice(_) | Takes::Dynamic => 3,
            Takes::Number => 10,
            Takes::Switch => 5,
            Takes::VoiceChannel => 7,
        };
        let mut option = object(kind, &self.name, &self.description, Vec::new());
        if self.required {
            option["required"] = true.into();
        }
        match &self.takes {
            _ if self.completes() => option["autocomplete"] = true.into(),
            Takes::Choice(choices) => {
                let choices = choices.iter().map(|it| json!({ "name": it, "value": it }));
                option["choices"] = choices.collect::<Vec<Value>>().into();
            }
            Takes::VoiceChannel => option["channel_types"] = json!([2, 13]),
            Takes::Text | Takes::Dynamic | Takes::Number | Takes::Switch => {}
        }
        option
    }
}

fn object(kind: u64, name: &str, description: &str, options: Vec<Value>) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), kind.into());
    object.insert("name".to_owned(), name.into());
    object.insert("description".to_owned(), description.into());
    if !options.is_empty() {
        object.insert("options".to_owned(), options.into());
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_discord_is_sent_it() {
        let many: Vec<String> = (0..26).map(|it| it.to_string()).collect();
        let of = |name: &str, takes| CommandOption::text(name, "d").taking(takes);
        let definition = Definition {
            options: vec![
                of("a", Takes::Choice(vec!["on".to_owned(), "off".to_owned()])).required(),
                of("b", Takes::Choice(many)),
                of("c", Takes::Dynamic).with_menu(),
                of("d", Takes::Number),
                of("e", Takes::Switch),
                of("f", Takes::VoiceChannel),
                of("g", Takes::Text),
            ],
            ..Definition::new("x", "y")
        };
        assert_eq!(
            definition.json(),
            json!({"type": 1, "name": "x", "description": "y", "options": [
                {"type": 3, "name": "a", "description": "d", "required": true, "choices":
                    [{"name": "on", "value": "on"}, {"name": "off", "value": "off"}]},
                {"type": 3, "name": "b", "description": "d", "autocomplete": true},
                {"type": 3, "name": "c", "description": "d", "autocomplete": true},
                {"type": 10, "name": "d", "description": "d"},
                {"type": 5, "name": "e", "description": "d"},
                {"type": 7, "name": "f", "description": "d", "channel_types": [2, 13]},
                {"type": 3, "name": "g", "description": "d"}]})
        );
        let below = Subcommand {
            name: "s".to_owned(),
            description: "t".to_owned(),
            options: vec![of("g", Takes::Text)],
        };
        let nested = Definition { subcommands: vec![below], ..Definition::new("x", "y") };
        let option = json!({"type": 3, "name": "g", "description": "d"});
        assert_eq!(
            nested.json()["options"],
            json!([{"type": 1, "name": "s", "description": "t", "options": [option]}])
        );
        assert_eq!(nested.asked(Some("s")).len(), 1);
        assert!(nested.asked(None).is_empty() && nested.asked(Some("other")).is_empty());
    }
}
