//! `gateway.clawvoice.agent_router` and `intent_filter`: which of several bots of this program answers
//! a message, and whether one that is to nobody by name is answered. Both are off unless they are
//! switched on. Their names are those under which these abilities are known.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    cursor::Section,
    schema::{
        declare::{block, words},
        entries::Entries,
    },
};

words! {
    /// `agent_router.strategy`.
    RouterStrategy {
        /// Agents have channels.
        ChannelAssignment = "channel_assignment",
    }
}

words! {
    /// `agent_router.agents.<id>.role`: what an agent does in its channels.
    AgentRole {
        /// It answers.
        Active = "active",
        /// It reads everything, and answers when one of its triggers falls.
        Passive = "passive",
    }
}

/// `gateway.clawvoice.agent_router`: one of several bots answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentRouting {
    /// `enabled`. Default off: every bot answers by its own rules alone.
    pub enabled: bool,
    /// `strategy`. The one there is.
    pub strategy: RouterStrategy,
    /// `agents`, by id: where each is posted. Without any, all are everywhere.
    pub agents: BTreeMap<String, AgentPost>,
    /// `dedup_window`, seconds: for so long a message is one bot's, unless several are mentioned.
    /// Default 5.
    pub dedup_window: Duration,
    /// `no_self_talk`: bots of this program do not hear one another. Default on.
    pub no_self_talk: bool,
}

/// `agent_router.agents.<id>`: where an agent is posted.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentPost {
    /// `channels`, by id, name or `*`. Default none: it answers only where it is mentioned.
    pub channels: Entries<()>,
    /// `role`. Default `active`.
    pub role: AgentRole,
    /// `triggers`: words, in any case, that make a passive agent answer.
    pub triggers: Vec<String>,
}

block! {
    /// `gateway.clawvoice.intent_filter`: whether a message is for the bot, though it is not to it by
    /// name, is estimated; what is to it is always answered.
    IntentFilter {
        /// Default off: every message that needs no mention is answered.
        enabled: bool = bool_or("enabled", false),
        /// From so likely on it is answered, 0 to 1. Default 0.7.
        threshold: f64 = number_or("threshold", 0.0, 1.0, 0.7),
        /// Words of what the bot is there for, in any case.
        topics: Option<Vec<String>> = texts("topics"),
    }
}

/// `agents`: the ids of those that there are.
pub(crate) fn router(section: &Section<'_, '_>, agents: &[&str]) -> AgentRouting {
    let posts = section.section("agents");
    posts.finish_leniently();
    let posts: BTreeMap<String, AgentPost> = posts
        .entries()
        .into_iter()
        .map(|(agent, field)| {
            if !field.is_described() && !agents.contains(&agent.as_str()) {
                let known = agents.join(", ");
                posts.warn(&agent, format!("there is no such agent; there are: {known}"));
            }
            (agent, post(&field.section()))
        })
        .collect();
    let routing = AgentRouting {
        enabled: section.bool_or("enabled", false),
        strategy: section.word_or("strategy", RouterStrategy::ChannelAssignment),
        agents: posts,
        dedup_window: section.seconds_or("dedup_window", 0, 3_600, 5),
        no_self_talk: section.bool_or("no_self_talk", true),
    };
    section.finish();
    routing
}

fn post(section: &Section<'_, '_>) -> AgentPost {
    let channels = section.texts("channels").unwrap_or_default();
    let post = AgentPost {
        channels: channels.into_iter().map(|name| (name, ())).collect(),
        role: section.word_or("role", AgentRole::Active),
        triggers: section.texts("triggers").unwrap_or_default(),
    };
    section.finish();
    post
}
