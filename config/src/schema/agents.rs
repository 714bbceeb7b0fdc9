//! `agents`: which agent answers on Discord, and what it thinks with. Other keys are left alone.

use std::path::PathBuf;

use crate::{
    cursor::{Field, Section},
    error::Problem,
    schema::path,
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
    /// `model` of the agent, else `agents.defaults.model`: a name, or `{ primary, fallbacks }`.
    /// `provider/model` each, asked in this order. Empty: none is written.
    pub models: Vec<String>,
    /// `workspace` of the agent, else `agents.defaults.workspace`: the folder of its files.
    pub workspace: Option<PathBuf>,
}

/// `agents.defaults`.
struct Common {
    models: Option<Vec<String>>,
    workspace: Option<PathBuf>,
}

struct Entry {
    agent: Agent,
    is_default: bool,
}

/// The entry marked `default: true`, else the first, else `main`. `agents.list` goes before
/// `agents.entries`.
pub(crate) fn read(section: &Section<'_, '_>) -> Agent {
    let mut entries = Vec::new();
    let defaults = section.section("defaults");
    let common = Common { models: models(&defaults), workspace: workspace(&defaults) };
    for field in section.list("list").unwrap_or_default() {
        let item = field.section();
        let Some(id) = item.field("id").and_then(|id| agent_id(&id)) else {
            if item.is_present() && !item.has("id") {
                item.fail_missing("id", "give the agent an id, as in `id: \"main\"`");
            }
            continue;
        };
        entries.push(entry(id, &item, &common));
    }
    for (id, field) in section.section("entries").entries() {
        entries.push(entry(id, &field.section(), &common));
    }
    let chosen = entries.iter().position(|entry| entry.is_default).unwrap_or(0);
    match entries.into_iter().nth(chosen) {
        Some(entry) => entry.agent,
        None => Agent {
            id: DEFAULT_AGENT.to_owned(),
            name: None,
            models: common.models.unwrap_or_default(),
            workspace: common.workspace,
        },
    }
}

fn entry(id: String, item: &Section<'_, '_>, common: &Common) -> Entry {
    let name = item.section("identity").text("name");
    let agent = Agent {
        id,
        name: name.or_else(|| item.text("name")),
        models: models(item).or_else(|| common.models.clone()).unwrap_or_default(),
        workspace: workspace(item).or_else(|| common.workspace.clone()),
    };
    Entry { agent, is_default: item.bool("default").unwrap_or(false) }
}

/// `model: "provider/model"`, or `{ primary, fallbacks }`.
fn models(section: &Section<'_, '_>) -> Option<Vec<String>> {
    let field = section.field("model")?;
    let Some(chain) = field.if_object() else {
        if field.if_text().is_none() {
            return field.wrong_type("a model's name, or `{ primary, fallbacks }`");
        }
        return Some(vec![model(&field)?]);
    };
    let Some(primary) = chain.field("primary") else {
        chain.fail_missing("primary", "the model to ask first, as in \"openai/gpt-5.5\"");
        return None;
    };
    let fallbacks = chain.list("fallbacks").unwrap_or_default();
    chain.finish_leniently();
    chain.warn_near(&["primary", "fallbacks"]);
    std::iter::once(&primary).chain(&fallbacks).map(model).collect()
}

fn model(field: &Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let text = text.trim();
    let (provider, name) = text.split_once('/').unwrap_or(("openai", text));
    if provider.is_empty() || name.is_empty() || text.contains(char::is_whitespace) {
        field.fail(
            Problem::Invalid("not a model's name".to_owned()),
            Some("provider and model, as in \"openai/gpt-5.5\"".to_owned()),
        );
        return None;
    }
    Some(text.to_owned())
}

fn workspace(section: &Section<'_, '_>) -> Option<PathBuf> {
    section.field("workspace").and_then(|field| path(&field))
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
