//! `models.providers`: who has the models that the agent thinks with.

use std::{collections::BTreeMap, time::Duration};

use secrecy::SecretString;

use crate::{
    check,
    cursor::Section,
    error::Problem,
    field::Field,
    secret::{from_env, secret},
};

/// Id of the provider that is known without a block.
const OPENAI: &str = "openai";

/// Words of `input`, and whether they name pictures.
const INPUTS: &[(&str, bool)] = &[("text", false), ("image", true)];

/// Id of the provider inside this process: it answers with what it was asked.
const ECHO: &str = "echo";

const OPENAI_BASE_URL: &str = "https://api.openai.com/v1";

/// `models.providers.<id>`.
#[derive(Clone, Debug)]
pub struct ModelProvider {
    /// `baseUrl`, http or https, as in `https://api.openai.com/v1`; that is `openai`'s default.
    /// `None`: the block has none, or the provider is `echo`.
    pub base_url: Option<String>,
    /// `apiKey`, else the variable of [`Self::api_key_variable`].
    pub api_key: Option<SecretString>,
    /// The environment variable that holds the key when the file does not: the id in capitals and
    /// `_API_KEY`, as in `OPENAI_API_KEY`.
    pub api_key_variable: String,
    /// `api`. Default: `openai-responses` for `openai` at its own address, else
    /// `openai-completions`. `None`: a protocol that this version does not speak.
    pub api: Option<ModelApi>,
    /// `models[]`, by `id`.
    pub models: BTreeMap<String, ModelFacts>,
    /// `echo.thinkMs`: how long `echo` takes to answer. Default 0, at most 600,000. For trying out
    /// "cancel that" and the like.
    pub think: Duration,
}

/// How a provider is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelApi {
    /// `openai-completions`.
    Completions,
    /// `openai-responses`.
    Responses,
}

/// What is known of one model. Every other key of its entry is left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelFacts {
    /// `contextWindow`, tokens.
    pub context_window: Option<u32>,
    /// `cost`.
    pub cost: Option<ModelCost>,
    /// Whether `input` names `image`: then it is shown pictures. Default `["text"]`.
    pub images: bool,
}

/// `cost`: US dollars for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ModelCost {
    /// `input`.
    pub input: f64,
    /// `output`.
    pub output: f64,
    /// `cacheRead`. Default: as `input`.
    pub cache_read: f64,
}

/// Every block, and `openai` and `echo` without one.
pub(crate) fn read(section: &Section<'_, '_>) -> BTreeMap<String, ModelProvider> {
    section.warn_near(&["providers"]);
    let blocks = section.section("providers");
    blocks.finish_leniently();
    let mut providers: BTreeMap<String, ModelProvider> = blocks
        .entries_with(&[ECHO])
        .into_iter()
        .map(|(id, field)| {
            let settings = provider(&id, &field.section());
            (id, settings)
        })
        .collect();
    for id in [OPENAI, ECHO] {
        let implied = || provider(id, &blocks.missing(id));
        providers.entry(id.to_owned()).or_insert_with(implied);
    }
    providers
}

fn provider(id: &str, section: &Section<'_, '_>) -> ModelProvider {
    let written_url = section.field("baseUrl").and_then(|field| base_url(&field));
    let api_key_variable = variable(id);
    let key = section.field("apiKey");
    let api_key = match &key {
        Some(field) => secret(field),
        None => from_env(section, "apiKey", &[&api_key_variable]),
    };
    let default_api = if id == OPENAI && written_url.is_none() {
        ModelApi::Responses
    } else {
        ModelApi::Completions
    };
    let default_url = || (id == OPENAI).then(|| OPENAI_BASE_URL.to_owned());
    let settings = ModelProvider {
        api: match section.field("api") {
            Some(field) => api(&field),
            None => Some(default_api),
        },
        base_url: written_url.or_else(default_url),
        api_key,
        api_key_variable,
        models: section
            .list("models")
            .unwrap_or_default()
            .iter()
            .filter_map(|field| model(&field.section()))
            .collect(),
        think: match id == ECHO {
            true => section.millis_or("thinkMs", 0, 600_000, 0),
            false => Duration::ZERO,
        },
    };
    section.finish_leniently();
    section.warn_near(&["baseUrl", "apiKey", "api", "models"]);
    settings
}

/// A protocol of OpenClaw's that we do not speak is no mistake in the file: only using it is.
fn api(field: &Field<'_, '_>) -> Option<ModelApi> {
    match field.typed_text("a string")? {
        "openai-completions" => Some(ModelApi::Completions),
        "openai-responses" => Some(ModelApi::Responses),
        other => {
            field.warn(format!(
                "{other:?} is not spoken by this version; \"openai-completions\" and \
                 \"openai-responses\" are"
            ));
            None
        }
    }
}

fn model(section: &Section<'_, '_>) -> Option<(String, ModelFacts)> {
    let id = section.text("id");
    if section.is_present() && !section.has("id") {
        section.fail_missing("id", "the model's name at the provider, as in `id: \"gpt-5.5\"`");
    }
    let price = section.section("cost");
    let cost = price.is_present().then(|| {
        let dollars = |key| price.number(key, 0.0, 1_000_000.0);
        let input = dollars("input").unwrap_or(0.0);
        ModelCost {
            input,
            output: dollars("output").unwrap_or(0.0),
            cache_read: dollars("cacheRead").unwrap_or(input),
        }
    });
    let context_window = section.whole("contextWindow", 1, u32::MAX);
    let images = takes_images(section);
    Some((id?, ModelFacts { context_window, cost, images }))
}

/// `input`: what a model takes; words it always does.
fn takes_images(section: &Section<'_, '_>) -> bool {
    let inputs = section.list("input").unwrap_or_default();
    // All are read, so that a wrong one is told wherever it stands.
    let read: Vec<bool> = inputs.iter().filter_map(|input| input.choice(INPUTS)).collect();
    read.contains(&true)
}

fn base_url(field: &Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let trimmed = text.trim_end_matches('/');
    if check::split_url(trimmed, &["http", "https"]).is_none() {
        field.fail(
            Problem::Invalid("not the base URL of an API".to_owned()),
            Some(format!("scheme, host and path, as in \"{OPENAI_BASE_URL}\"")),
        );
        return None;
    }
    Some(trimmed.to_owned())
}

/// `my-router` → `MY_ROUTER_API_KEY`.
fn variable(id: &str) -> String {
    let name = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    id.chars().map(name).chain("_API_KEY".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::variable;

    #[test]
    fn a_key_has_a_variable() {
        for (id, name) in [
            ("openai", "OPENAI_API_KEY"),
            ("my-router", "MY_ROUTER_API_KEY"),
            ("x.ai", "X_AI_API_KEY"),
        ] {
            assert_eq!(variable(id), name);
        }
    }
}
