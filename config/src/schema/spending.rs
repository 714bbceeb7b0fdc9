//! What agents may spend, and what saves spending. Keys of clawvoice's own: OpenClaw has none of
//! them.

use std::time::Duration;

use crate::{
    cursor::{Block, Section},
    schema::declare::block,
};

/// The least and the most that a budget can be, in US dollars.
const DOLLARS: (f64, f64) = (0.01, 1_000_000.0);

/// `budget` of an agent, key by key over that of `agents.defaults`: what it may spend in a day of
/// UTC, in US dollars by the prices of `models.providers.<id>.models[].cost`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// `dailyUsd`: by the agent. Default: no limit.
    pub daily: Option<f64>,
    /// `warnAt`: a line in the log tells when this share of `dailyUsd` is spent. Default 0.8.
    pub warn_at: f64,
    /// `perUserDailyUsd`: of it, for one user. Default: no limit.
    pub per_user: Option<f64>,
    /// `perChannelDailyUsd`: of it, in one channel. Default: no limit.
    pub per_channel: Option<f64>,
}

block! {
    /// `agents.defaults.spikeAlert`: a line in the log tells of an hour that costs far more than
    /// hours do, all agents together.
    SpikeAlert {
        /// Default on.
        enabled: bool = bool_or("enabled", true),
        /// So many times the mean hour of the seven days before. Default 5.
        factor: f64 = number_or("factor", 1.0, 1_000.0, 5.0),
        /// US dollars; an hour that costs no more is never told of. Default 1.
        floor_usd: f64 = number_or("floorUsd", 0.0, 1_000_000.0, 1.0),
    }
}

block! {
    /// `agents.defaults.responseCache`: the same question of the same person in the same session
    /// is answered again without asking the model.
    ResponseCache {
        /// Default off.
        enabled: bool = bool_or("enabled", false),
        /// How long an answer is given again. Default 300,000.
        ttl: Duration = millis_or("ttlMs", 1_000, 86_400_000, 300_000),
        /// Answers that are kept; beyond it the oldest is forgotten. Default 1,000.
        max_entries: u32 = whole_or("maxEntries", 1, 100_000, 1_000),
    }
}

impl Budget {
    /// That of `agents.defaults`.
    pub(crate) fn of_defaults(defaults: &Section<'_, '_>) -> Self {
        <Self as Block>::read(&defaults.section("budget"))
    }

    /// That of an agent, whose missing keys are those of the defaults.
    pub(crate) fn of_agent(agent: &Section<'_, '_>, defaults: Self) -> Self {
        let section = agent.section("budget");
        let own = Keys::read(&section);
        Self {
            daily: own.daily.or(defaults.daily),
            warn_at: own.warn_at.unwrap_or(defaults.warn_at),
            per_user: own.per_user.or(defaults.per_user),
            per_channel: own.per_channel.or(defaults.per_channel),
        }
    }
}

impl Block for Budget {
    fn read(section: &Section<'_, '_>) -> Self {
        let Keys { daily, warn_at, per_user, per_channel } = Keys::read(section);
        Self { daily, warn_at: section.or("warnAt", warn_at, 0.8), per_user, per_channel }
    }
}

/// The keys that are written.
struct Keys {
    daily: Option<f64>,
    warn_at: Option<f64>,
    per_user: Option<f64>,
    per_channel: Option<f64>,
}

impl Keys {
    fn read(section: &Section<'_, '_>) -> Self {
        let dollars = |key| section.number(key, DOLLARS.0, DOLLARS.1);
        let keys = Self {
            daily: dollars("dailyUsd"),
            warn_at: section.number("warnAt", 0.0, 1.0),
            per_user: dollars("perUserDailyUsd"),
            per_channel: dollars("perChannelDailyUsd"),
        };
        section.finish();
        keys
    }
}
