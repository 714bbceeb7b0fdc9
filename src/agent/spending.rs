//! What the configuration lets agents spend.

use std::collections::BTreeSet;

use clawvoice_config::{Agent, Config};
use clawvoice_session::{
    agent_id,
    brain::cache::CacheRule,
    shell::{
        agent::AgentSettings,
        brain::{ModelRef, ProviderKind},
        spending::SpendingRules,
    },
    spending::{Budget, Budgets, SpikeRule},
};

use super::pinned;

/// Billionths of a US dollar.
fn nano(dollars: f64) -> i64 {
    (dollars * 1e9).round() as i64
}

/// The budgets of all agents, and what is worth a warning.
pub(super) fn rules(config: &Config) -> SpendingRules {
    let others = config.agents.all.iter().filter(|agent| agent.id != config.agent.id);
    let budgets = Budgets {
        default: budget(&config.agent),
        others: others.map(|agent| (agent_id(&agent.id).into_owned(), budget(agent))).collect(),
    };
    let alert = &config.agents.spike_alert;
    let spike = SpikeRule { factor: alert.factor, floor: nano(alert.floor_usd) };
    SpendingRules { budgets, spike: alert.enabled.then_some(spike) }
}

/// How long answers are given again, if they are.
pub(super) fn cache(config: &Config) -> Option<CacheRule> {
    let cache = &config.agents.response_cache;
    let entries = usize::try_from(cache.max_entries).unwrap_or(usize::MAX);
    cache.enabled.then_some(CacheRule { ttl: cache.ttl, entries })
}

fn budget(agent: &Agent) -> Budget {
    let budget = &agent.budget;
    Budget {
        daily: budget.daily.map(nano),
        warn_from: budget.daily.map(|daily| nano(daily * budget.warn_at)),
        per_user: budget.per_user.map(nano),
        per_channel: budget.per_channel.map(nano),
    }
}

/// Tells once of every model that a budget cannot hold back, since nobody has said what it costs.
pub(super) fn warn_unpriced(config: &Config, settings: &AgentSettings) {
    for model in unpriced(config, settings) {
        tracing::warn!(
            "{model} has no price, so no budget holds it back: set it in \
             models.providers.{}.models[].cost",
            model.provider
        );
    }
}

/// The models without a price of agents with a budget. In places with a model of their own any
/// agent may answer.
fn unpriced(config: &Config, settings: &AgentSettings) -> BTreeSet<ModelRef> {
    let budgets = &settings.spending_rules.budgets;
    let (default, others) = (&settings.profiles.default, &settings.profiles.others);
    let own = others
        .iter()
        .map(|(id, profile)| (budgets.of(id), profile))
        .chain([(&budgets.default, default)])
        .filter(|(budget, _)| budget.is_limited())
        .flat_map(|(_, profile)| profile.models.iter().cloned());
    let mut models: BTreeSet<ModelRef> = own.collect();
    let is_limited = |budget: &Budget| budget.is_limited();
    if is_limited(&budgets.default) || budgets.others.values().any(is_limited) {
        models.extend(pinned(config).unwrap_or_default());
    }
    let is_unpriced = |model: &ModelRef| {
        settings.providers.get(&model.provider).is_some_and(|provider| {
            matches!(provider.kind, ProviderKind::Http(_))
                && !provider.prices.contains_key(&model.model)
        })
    };
    models.retain(is_unpriced);
    models
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use crate::agent::settings;
    use crate::credentials::Uses;

    fn parsed(agents: &str) -> Config {
        let text = format!(
            "{{ agents: {{ {agents} }}, channels: {{ modelByChannel: {{ discord: {{ '5': 'r/pin' }} \
             }} }}, models: {{ providers: {{ r: {{ baseUrl: 'http://r', models: [ \
             {{ id: 'dear', cost: {{ input: 2, output: 8 }} }} ] }} }} }} }}"
        );
        clawvoice_config::parse(
            &text,
            Path::new("/etc/claw.json5"),
            &BTreeMap::<String, String>::new(),
        )
        .unwrap()
    }

    #[test]
    fn dollars_become_budgets() {
        let config = parsed(
            "defaults: { budget: { dailyUsd: 5, perUserDailyUsd: 0.25 } },
             list: [{ id: 'main' }, { id: 'Ops.EU', budget: { dailyUsd: 0.1, warnAt: 0.5 } }]",
        );
        let SpendingRules { budgets, spike } = rules(&config);
        let main = Budget {
            daily: Some(5_000_000_000),
            warn_from: Some(4_000_000_000),
            per_user: Some(250_000_000),
            per_channel: None,
        };
        let ops = Budget { daily: Some(100_000_000), warn_from: Some(50_000_000), ..main };
        assert_eq!((*budgets.of("main"), *budgets.of("ops-eu")), (main, ops));
        assert_eq!(spike, Some(SpikeRule { factor: 5.0, floor: 1_000_000_000 }));
        let off = parsed("defaults: { spikeAlert: { enabled: false } }");
        assert_eq!(rules(&off), SpendingRules::default());
    }

    #[test]
    fn answers_are_given_again_only_if_it_is_wanted() {
        assert_eq!(cache(&parsed("")), None);
        let on = parsed("defaults: { responseCache: { enabled: true, maxEntries: 7 } }");
        let rule = CacheRule { ttl: std::time::Duration::from_secs(300), entries: 7 };
        assert_eq!(cache(&on), Some(rule));
    }

    #[test]
    fn a_model_that_no_budget_holds_back_is_named() {
        let named = |agents: &str| -> Vec<String> {
            let config = parsed(agents);
            let settings = settings(&config, Uses::untold(&config)).unwrap();
            unpriced(&config, &settings).iter().map(ToString::to_string).collect()
        };
        let two = "list: [{ id: 'a', model: 'r/dear' }, { id: 'b', model: 'r/cheap'";
        assert_eq!(named(&format!("{two} }}]")), [""; 0], "no budget");
        assert_eq!(named(&format!("{two}, budget: {{ dailyUsd: 1 }} }}]")), ["r/cheap", "r/pin"]);
        let a = "defaults: { model: 'r/dear', budget: { perUserDailyUsd: 1 } }";
        assert_eq!(named(a), ["r/pin"]);
        assert_eq!(named("defaults: { model: 'echo', budget: { dailyUsd: 1 } }"), ["r/pin"]);
    }
}
