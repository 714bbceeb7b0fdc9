//! What of our commands Discord takes.

use serde_json::Value;

use crate::command::{Definition, MOST_CHOICES};

/// Most slash commands of a scope.
pub const MOST_COMMANDS: usize = 100;
/// Most options, or subcommands, of a command.
const MOST_OPTIONS: usize = 25;
/// Characters of a name.
const LONGEST_NAME: usize = 32;
/// Characters of a description, and of a choice.
const LONGEST_TEXT: usize = 100;
/// Characters of all names, descriptions and values of a command.
const MOST_CHARACTERS: usize = 8_000;

/// What is to be registered, and what is to be said about the rest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fitting {
    /// The commands, as Discord is sent them.
    pub commands: Vec<Value>,
    /// What was left out, for the log.
    pub warnings: Vec<String>,
}

/// The commands that Discord takes: each name once, none too large, and no more than there may be.
/// Where there are too many, those of single skills go first.
#[must_use]
pub fn fitting(definitions: &[Definition]) -> Fitting {
    let mut warnings = Vec::new();
    let mut kept: Vec<(&Definition, Value)> = Vec::new();
    for definition in definitions {
        let json = definition.json();
        let name = &definition.name;
        if kept.iter().any(|(it, _)| it.name == *name) {
            warnings.push(format!("/{name} is there twice; the second one is left out"));
        } else if let Some(problem) = too_much(&json, 0) {
            warnings.push(format!("/{name} is left out: {problem}"));
        } else if characters(&json) > MOST_CHARACTERS {
            let problem = format!("it has more than {MOST_CHARACTERS} characters");
            warnings.push(format!("/{name} is left out: {problem}"));
        } else {
            kept.push((definition, json));
        }
    }
    if kept.len() > MOST_COMMANDS {
        warnings.push(format!(
            "{} commands exceed the {MOST_COMMANDS}-command Discord limit; removing per-skill \
             commands and keeping /skill.",
            kept.len()
        ));
        kept.retain(|(definition, _)| !definition.of_skill);
    }
    if kept.len() > MOST_COMMANDS {
        for (definition, _) in kept.drain(MOST_COMMANDS..) {
            warnings.push(format!("/{} is left out: there are too many", definition.name));
        }
    }
    Fitting { commands: kept.into_iter().map(|(_, json)| json).collect(), warnings }
}

fn too_much(part: &Value, depth: usize) -> Option<String> {
    let length = |field: &str| part.get(field)?.as_str().map(|text| text.chars().count());
    let name = part["name"].as_str().unwrap_or_default();
    if !(1..=LONGEST_NAME).contains(&length("name").unwrap_or(0)) {
        return Some(format!("the name {name:?} does not have 1 to {LONGEST_NAME} characters"));
    }
    if !(1..=LONGEST_TEXT).contains(&length("description").unwrap_or(0)) {
        return Some(format!("{name}'s description does not have 1 to {LONGEST_TEXT} characters"));
    }
    let list = |field: &str| part.get(field).and_then(Value::as_array).into_iter().flatten();
    if list("options").count() > MOST_OPTIONS || list("choices").count() > MOST_CHOICES {
        return Some(format!("{name} has more than {MOST_OPTIONS} options or choices"));
    }
    let is_long = |text: &Value| !(1..=LONGEST_TEXT).contains(&text.as_str().map_or(0, count));
    if list("choices").any(|choice| is_long(&choice["name"]) || is_long(&choice["value"])) {
        return Some(format!("a choice of {name} does not have 1 to {LONGEST_TEXT} characters"));
    }
    // A command, a subcommand, an option: nothing of ours is deeper.
    list("options").filter(|_| depth < 2).find_map(|option| too_much(option, depth + 1))
}

fn count(text: &str) -> usize {
    text.chars().count()
}

fn characters(part: &Value) -> usize {
    let own = ["name", "description", "value"].iter();
    let own: usize = own.filter_map(|field| part.get(field)?.as_str()).map(count).sum();
    let nested = ["options", "choices"].iter();
    let nested = nested.filter_map(|field| part.get(field)?.as_array()).flatten();
    own + nested.map(characters).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{CommandOption, Takes};

    fn many(count: usize, of_skill: bool) -> impl Iterator<Item = Definition> {
        let letter = if of_skill { 's' } else { 'c' };
        (0..count).map(move |number| Definition {
            of_skill,
            ..Definition::new(&format!("{letter}{number}"), "d")
        })
    }

    /// Scenario 55, second part.
    #[test]
    fn with_too_many_those_of_skills_go() {
        let hundred: Vec<Definition> = many(90, false).chain(many(10, true)).collect();
        let all = fitting(&hundred);
        assert_eq!((all.commands.len(), all.warnings.len()), (100, 0));
        let more: Vec<Definition> = many(90, false).chain(many(11, true)).collect();
        let cut = fitting(&more);
        assert_eq!(cut.commands.len(), 90);
        assert!(cut.commands.iter().all(|it| it["name"].as_str().unwrap().starts_with('c')));
        assert_eq!(
            cut.warnings,
            ["101 commands exceed the 100-command Discord limit; removing per-skill commands and \
              keeping /skill."]
        );
        let still: Vec<Definition> = many(102, false).collect();
        let cut = fitting(&still);
        assert_eq!((cut.commands.len(), cut.warnings.len()), (100, 3));
        assert_eq!(cut.warnings[2], "/c101 is left out: there are too many");
    }

    #[test]
    fn what_discord_would_refuse_is_left_out_and_told() {
        let choice = |text: &str| {
            let takes = Takes::Choice(vec![text.to_owned()]);
            let options = vec![CommandOption::text("a", "b").taking(takes)];
            Definition { options, ..Definition::new("choice", "d") }
        };
        let options = |count: usize, words: &str| {
            let of = |number: usize| CommandOption::text(&format!("o{number}"), words);
            Definition { options: (0..count).map(of).collect(), ..Definition::new("options", "d") }
        };
        for (definition, fits) in [
            (Definition::new("a", "d"), true),
            (Definition::new("", "d"), false),
            (Definition::new(&"é".repeat(32), "d"), true),
            (Definition::new(&"é".repeat(33), "d"), false),
            (Definition::new("a", &"é".repeat(100)), true),
            (Definition::new("a", &"é".repeat(101)), false),
            (Definition::new("a", ""), false),
            (choice(&"x".repeat(100)), true),
            (choice(&"x".repeat(101)), false),
            (choice(""), false),
            (options(25, "d"), true),
            (options(26, "d"), false),
        ] {
            let found = fitting(std::slice::from_ref(&definition));
            assert_eq!(found.commands.len(), usize::from(fits), "{}", definition.name);
            assert_eq!(found.warnings.len(), usize::from(!fits), "{:?}", found.warnings);
        }
        let takes = || Takes::Choice((0..25).map(|it| format!("{it:0>100}")).collect());
        let large = |count: usize| Definition {
            options: (0..count)
                .map(|it| CommandOption::text(&format!("o{it}"), "d").taking(takes()))
                .collect(),
            ..Definition::new("large", "d")
        };
        assert_eq!(fitting(&[large(1)]).commands.len(), 1);
        let found = fitting(&[large(2)]);
        assert_eq!(found.warnings, ["/large is left out: it has more than 8000 characters"]);
    }

    #[test]
    fn a_name_is_there_once() {
        let twice = [Definition::new("a", "first"), Definition::new("a", "second")];
        let found = fitting(&twice);
        assert_eq!(found.commands.len(), 1);
        assert_eq!(found.commands[0]["description"], "first");
        assert_eq!(found.warnings, ["/a is there twice; the second one is left out"]);
    }
}
