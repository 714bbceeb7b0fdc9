//! The agents that the configuration describes: their models, these models' keys, their store.

mod spending;

use std::{collections::BTreeMap, sync::Arc};

use clawvoice_config::{Agent, Config, ModelApi, ModelCost, ModelProvider};
use clawvoice_session::{
    agent_id,
    audit::Purpose,
    brain::{Api, Price},
    shell::{
        agent::{AgentSettings, RunLimits, RunningAgent},
        brain::{ECHO, Endpoint, ModelRef, Patience, Provider, ProviderKind},
        profile::{AgentProfile, Profiles},
        spending::SpendingMonitor,
        workspace,
    },
};

use crate::{credentials::Uses, printer::Failure};

/// How much of a session's history the model is shown, in tokens, if its context has room for
/// twice as much.
const HISTORY_TOKENS: u64 = 24_000;

/// The provider that takes nobody without a key.
const OPENAI: &str = "openai";

/// Starts the agent, or tells what it lacks. What it spends it tells `spending`.
pub(crate) async fn start(
    config: &Config,
    uses: Uses<'_>,
    spending: SpendingMonitor,
) -> Result<Arc<RunningAgent>, Failure> {
    let settings = AgentSettings { spending, ..settings(config, uses)? };
    spending::warn_unpriced(config, &settings);
    let models = names(&settings.profiles);
    tracing::info!(models = models.join(", "), store = %settings.store.display(), "agent starts");
    RunningAgent::start(settings).await.map_err(|failure| {
        Failure::user(format_args!("the agent cannot start: {failure}"))
            .hint("session.store names the file that conversations are kept in")
    })
}

/// The agent goes by the models, keys and prices of another configuration from its next request on.
/// Who its agents are stays as it is; a configuration that cannot be used changes nothing.
pub(crate) fn reload(agent: &RunningAgent, config: &Config, uses: Uses<'_>) {
    match settings(config, uses) {
        Ok(settings) => agent.set_providers(settings.providers),
        Err(failure) => {
            tracing::error!("the models before stay in force: {}", failure.message);
        }
    }
}

/// The models that would be asked, if all of them can be.
pub(crate) fn check(config: &Config) -> Result<Vec<String>, Failure> {
    Ok(names(&settings(config, Uses::untold(config))?.profiles))
}

/// Each model once.
fn names(profiles: &Profiles) -> Vec<String> {
    let mut names = Vec::new();
    for name in profiles.models().map(ToString::to_string) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn settings(config: &Config, uses: Uses<'_>) -> Result<AgentSettings, Failure> {
    let default = profile(&config.agent)?;
    let mut others = BTreeMap::new();
    for agent in config.agents.all.iter().filter(|agent| agent.id != config.agent.id) {
        others.insert(agent_id(&agent.id).into_owned(), profile(agent)?);
    }
    let profiles = Profiles { default, others };
    let pinned = pinned(config)?;
    // Everybody who may be asked is checked now, and not when somebody first speaks.
    let mut providers = BTreeMap::new();
    for model in profiles.models().chain(&pinned) {
        let provider = provider(config, model, uses)?;
        providers.insert(model.provider.clone(), provider);
    }
    Ok(AgentSettings {
        history_tokens: history_tokens(config, profiles.models().chain(&pinned)),
        profiles,
        providers,
        patience: Patience::default(),
        store: config.session_store.clone(),
        limits: RunLimits::default(),
        cache: spending::cache(config),
        spending_rules: spending::rules(config),
        spending: SpendingMonitor::default(),
        tools: Vec::new(),
    })
}

/// The models that are asked in some places instead of an agent's own.
fn pinned(config: &Config) -> Result<Vec<ModelRef>, Failure> {
    let voice_model = config.discord.voice.model.as_deref();
    let pins = config.model_by_channel.values().map(String::as_str);
    voice_model.into_iter().chain(pins).map(parse).collect()
}

/// Who an agent is; one without a model is an echo.
fn profile(agent: &Agent) -> Result<AgentProfile, Failure> {
    let mut models = agent.models.iter().map(|name| parse(name)).collect::<Result<Vec<_>, _>>()?;
    if models.is_empty() {
        models.push(ModelRef { provider: ECHO.to_owned(), model: ECHO.to_owned() });
    }
    let (name, workspace) = (agent.name.as_deref(), agent.workspace.as_deref());
    Ok(AgentProfile { system_prompt: workspace::system_prompt(name, workspace), models })
}

fn parse(name: &str) -> Result<ModelRef, Failure> {
    name.parse().map_err(|error| Failure::user(format_args!("a model's name: {error}")))
}

fn provider(config: &Config, model: &ModelRef, uses: Uses<'_>) -> Result<Provider, Failure> {
    let id = &model.provider;
    let Some(provider) = config.model_providers.get(id) else {
        return Err(Failure::user(format_args!(
            "the model {model} needs a provider called {id:?}, which models.providers does not have"
        ))
        .hint(format_args!("add models.providers.{id} with its baseUrl")));
    };
    let kind = if id == ECHO {
        ProviderKind::Echo { think: provider.think }
    } else {
        let mut endpoint = endpoint(id, model, provider)?;
        let part = format!("models.providers.{id}.");
        endpoint.credential = uses.declare(&part, endpoint.api_key.as_ref(), Purpose::Model);
        ProviderKind::Http(endpoint)
    };
    let prices = provider.models.iter().filter_map(|(name, facts)| {
        let ModelCost { input, output, cache_read } = facts.cost?;
        Some((name.clone(), Price { input, cached: cache_read, output }))
    });
    let seeing = provider.models.iter().filter(|(_, facts)| facts.images);
    let seeing = seeing.map(|(name, _)| name.clone()).collect();
    Ok(Provider { kind, prices: prices.collect(), seeing })
}

fn endpoint(id: &str, model: &ModelRef, provider: &ModelProvider) -> Result<Endpoint, Failure> {
    let Some(base_url) = provider.base_url.clone() else {
        return Err(Failure::user(format_args!(
            "the model {model} needs models.providers.{id}.baseUrl, which is not set"
        )));
    };
    let api = match provider.api {
        Some(ModelApi::Completions) => Api::Completions,
        Some(ModelApi::Responses) => Api::Responses,
        None => {
            return Err(Failure::user(format_args!(
                "the model {model} needs a protocol that this version does not speak: see \
                 models.providers.{id}.api"
            )));
        }
    };
    // Others may want none: servers on one's own machine do not.
    if id == OPENAI && provider.api_key.is_none() {
        return Err(Failure::user(format_args!(
            "the model {model} needs an API key, and neither models.providers.{id}.apiKey nor the \
             environment variable {} is set",
            provider.api_key_variable
        ))
        .hint(format_args!(
            "export {}=…, or leave agents.defaults.model out for an echo without a key",
            provider.api_key_variable
        )));
    }
    Ok(Endpoint { base_url, api_key: provider.api_key.clone(), api, credential: None })
}

/// Half of the smallest context among the models, as far as it is known.
fn history_tokens<'m>(config: &Config, models: impl Iterator<Item = &'m ModelRef>) -> u64 {
    let known = models.filter_map(|model| {
        let provider = config.model_providers.get(&model.provider)?;
        provider.models.get(&model.model)?.context_window
    });
    known.map(|tokens| u64::from(tokens) / 2).min().unwrap_or(u64::MAX).min(HISTORY_TOKENS)
}

#[cfg(test)]
mod tests {
    use std::{path::Path, time::Duration};

    use super::*;

    fn config(text: &str, variables: &[(&str, &str)]) -> Config {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        clawvoice_config::parse(text, Path::new("/etc/claw.json5"), &variables).unwrap()
    }

    fn read(config: &Config) -> Result<AgentSettings, Failure> {
        settings(config, Uses::untold(config))
    }

    fn refusal(text: &str) -> String {
        read(&config(text, &[])).expect_err("it was taken").message
    }

    #[test]
    fn without_a_model_it_echoes() {
        let text = "{ models: { providers: { echo: { thinkMs: 700 } } } }";
        let settings = read(&config(text, &[])).unwrap();
        assert_eq!(settings.profiles.default.models, ["echo".parse().unwrap()]);
        let Some(ProviderKind::Echo { think }) = settings.providers.get(ECHO).map(|p| &p.kind)
        else {
            panic!("{settings:?}");
        };
        assert_eq!(*think, Duration::from_millis(700));
    }

    #[test]
    fn a_missing_key_is_named_with_where_it_was_looked_for() {
        assert_eq!(
            refusal("{ agents: { defaults: { model: 'openai/gpt-5.5' } } }"),
            "the model openai/gpt-5.5 needs an API key, and neither \
             models.providers.openai.apiKey nor the environment variable OPENAI_API_KEY is set"
        );
        // The voice's own model counts too.
        let voice = "{ channels: { discord: { token: 'a.b.c', voice: { model: 'gpt-5.5' } } } }";
        assert!(refusal(voice).starts_with("the model openai/gpt-5.5 needs an API key"));
    }

    #[test]
    fn every_agent_has_its_own_name_and_models() {
        let text = "{ agents: { defaults: { model: 'r/m' }, list: [
                { id: 'main', identity: { name: 'Molty' } },
                { id: 'Ops.EU', name: 'Ops', model: 'r/large' } ] },
            channels: { modelByChannel: { discord: { '5': 's/pin' } } },
            models: { providers: { r: { baseUrl: 'http://r' }, s: { baseUrl: 'http://s' } } } }";
        let settings = read(&config(text, &[])).unwrap();
        let Profiles { default, others } = &settings.profiles;
        assert!(default.system_prompt.starts_with("You are Molty, "), "{default:?}");
        assert_eq!(default.models, ["r/m".parse().unwrap()]);
        let ops = &others["ops-eu"];
        assert!(ops.system_prompt.starts_with("You are Ops, "), "{ops:?}");
        assert_eq!(ops.models, ["r/large".parse().unwrap()]);
        assert_eq!(others.len(), 1);
        // A channel's own model can be asked as well.
        assert!(settings.providers.contains_key("s"));
    }

    #[test]
    fn what_a_provider_lacks_is_told() {
        let with = |providers: &str| {
            refusal(&format!(
                "{{ agents: {{ defaults: {{ model: 'r/m' }} }}, models: {{ providers: {{ \
                 {providers} }} }} }}"
            ))
        };
        for (providers, words) in [
            ("", "the model r/m needs a provider called \"r\""),
            ("r: {}", "the model r/m needs models.providers.r.baseUrl"),
            (
                "r: { baseUrl: 'http://h', api: 'anthropic-messages' }",
                "the model r/m needs a protocol that this version does not speak",
            ),
        ] {
            let told = with(providers);
            assert!(told.starts_with(words), "{providers}: {told}");
        }
    }

    #[test]
    fn the_history_fits_the_smallest_model() {
        let text =
            "{ agents: { defaults: { model: { primary: 'r/small', fallbacks: ['r/big'] } } },
            models: { providers: { r: { baseUrl: 'http://h', models: [
                { id: 'small', contextWindow: 8000, cost: { input: 2, output: 8 } },
                { id: 'big', contextWindow: 1000000 } ] } } } }";
        let settings = read(&config(text, &[])).unwrap();
        assert_eq!(settings.history_tokens, 4_000);
        assert!(settings.providers["r"].seeing.is_empty());
        let price = settings.providers["r"].prices["small"];
        assert_eq!(price, Price { input: 2.0, cached: 2.0, output: 8.0 });
    }
}
