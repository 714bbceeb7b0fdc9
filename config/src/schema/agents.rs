//! `agents`: which agent answers on Discord. Everything else there belongs to the agent's runner.

use crate::{
    cursor::{Field, Section},
    error::Problem,
};

/// Id of the agent when `agents` names none.
const DEFAULT_AGENT: &str = "main";

/// The agent that answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// `agents.list[].id` (or the key in `agents.entries`); default `main`. Part of session keys.
    pub id: String,
    /// `agents.list[].identity.name`, else `.name`: what people call it.
    pub name: Option<String>,
}

struct Entry {
    agent: Agent,
    is_default: bool,
}

/// The entry marked `default: true`, else the first, else `main`. `agents.list` goes before
/// `agents.entries`.
pub(crate) fn read(section: &Section<'_, '_>) -> Agent {
    let mut entries = Vec::new();
    for field in section.list("list").unwrap_or_default() {
        let item = field.section();
        let Some(id) = item.field("id").and_then(|id| agent_id(&id)) else {
            if item.is_present() && !item.has("id") {
                item.fail_missing("id", "give the agent an id, as in `id: \"main\"`");
            }
            continue;
        };
        entries.push(entry(id, &item));
    }
    for (id, field) in section.section("entries").entries() {
        entries.push(entry(id, &field.section()));
    }
    let chosen = entries.iter().position(|entry| entry.is_default).unwrap_or(0);
    match entries.into_iter().nth(chosen) {
        Some(entry) => entry.agent,
        None => Agent { id: DEFAULT_AGENT.to_owned(), name: None },
    }
}

fn entry(id: String, item: &Section<'_, '_>) -> Entry {
    let name = item.section("identity").text("name");
    let name = name.or_else(|| item.text("name"));
    Entry { agent: Agent { id, name }, is_default: item.bool("default").unwrap_or(false) }
}

/// Ids become part of session keys (`agent:<id>:discord:…`), so they hold no colon or space.
fn agent_id(field: &Field<'_, '_>) -> Option<String> {
    let id = field.text()?;
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !plain || id.len() > 64 {
        field.fail(
            Problem::Invalid("not an agent id".to_owned()),
            Some("letters, digits, `-`, `_` and `.`, at most 64".to_owned()),
        );
        return None;
    }
    Some(id)
}
