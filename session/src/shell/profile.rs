//! What tells the agents of one process apart.

use std::collections::BTreeMap;

use super::brain::ModelRef;
use crate::SessionKey;

/// Who an agent is, and what it thinks with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentProfile {
    /// The system prompt of every run; a turn's instructions follow it.
    pub system_prompt: String,
    /// The models to ask, in order.
    pub models: Vec<ModelRef>,
}

/// Every agent of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    /// The agent of sessions whose own is not among the others.
    pub default: AgentProfile,
    /// The others, by their ids in the letters of session keys.
    pub others: BTreeMap<String, AgentProfile>,
}

impl Profiles {
    /// The agent that a session belongs to.
    #[must_use]
    pub fn of(&self, session: &SessionKey) -> &AgentProfile {
        self.others.get(session.agent()).unwrap_or(&self.default)
    }

    /// All models that may be asked, the default agent's first.
    pub fn models(&self) -> impl Iterator<Item = &ModelRef> {
        let others = self.others.values().flat_map(|profile| &profile.models);
        self.default.models.iter().chain(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChannelId;

    #[test]
    fn a_session_is_its_agents() {
        let named = |name: &str| AgentProfile {
            system_prompt: name.to_owned(),
            models: vec![format!("p/{name}").parse().unwrap()],
        };
        let others = BTreeMap::from([("ops-eu".to_owned(), named("ops"))]);
        let profiles = Profiles { default: named("molty"), others };
        for (agent, prompt) in [("Ops.EU", "ops"), ("main", "molty"), ("gone", "molty")] {
            let session = SessionKey::channel(agent, ChannelId::new(5));
            assert_eq!(profiles.of(&session).system_prompt, prompt, "{agent}");
        }
        let models: Vec<String> = profiles.models().map(ToString::to_string).collect();
        assert_eq!(models, ["p/molty", "p/ops"]);
    }
}
