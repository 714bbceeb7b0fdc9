//! REST calls that go wrong by chance, and the allowances of its rate limits.

use serde::{Deserialize, Serialize};

use super::{
    chance::{Tally, part},
    percent,
};

/// The longest [`RestOutcome::Delay`], milliseconds.
const MOST_DELAY_MS: u32 = 60_000;

/// REST calls that go wrong by chance. The first one of the list that hits decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RestChance {
    /// Method and path with `{id}` for every id, as `POST /channels/{id}/messages`; with `*` at its
    /// end all that begin so. Empty: every call.
    #[serde(default)]
    pub route: String,
    /// Share of the calls it hits, 0 to 100.
    #[serde(default = "always")]
    pub percent: f64,
    /// How many calls it hits before it is used up; any number if it is left out.
    #[serde(default)]
    pub times: Option<u32>,
    /// What becomes of a call that it hits.
    pub outcome: RestOutcome,
}

fn always() -> f64 {
    100.0
}

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum RestOutcome {
    /// 429; the call is not carried out.
    #[serde(rename_all = "camelCase")]
    RateLimit {
        /// Seconds to wait, as a fraction.
        retry_after: f64,
        /// All routes have to wait.
        #[serde(default)]
        global: bool,
        /// What is in the answer.
        #[serde(default)]
        body: RateLimitBody,
    },
    /// A 5xx answer.
    #[serde(rename_all = "camelCase")]
    Failure {
        /// The status.
        status: u16,
        /// The call is carried out, and only its answer is lost.
        #[serde(default)]
        carried_out: bool,
    },
    /// The connection closes without an answer.
    #[serde(rename_all = "camelCase")]
    Reset {
        /// The call is carried out before.
        #[serde(default)]
        carried_out: bool,
    },
    /// The call is carried out, and its answer comes late; or the call itself comes late.
    #[serde(rename_all = "camelCase")]
    Delay {
        /// So many milliseconds,
        ms: u32,
        /// and at random up to so many more.
        #[serde(default)]
        jitter_ms: u32,
        /// The call is held back before anything of it is done.
        #[serde(default)]
        before: bool,
    },
}

impl RestOutcome {
    /// Whether the call itself is carried out.
    pub(crate) fn is_carried_out(&self) -> bool {
        match self {
            Self::RateLimit { .. } => false,
            Self::Failure { carried_out, .. } | Self::Reset { carried_out } => *carried_out,
            Self::Delay { .. } => true,
        }
    }
}

/// What is in an answer with status 429.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RateLimitBody {
    /// Discord's JSON.
    #[default]
    Json,
    /// Nothing; `Retry-After` says how long.
    Empty,
    /// The words of the proxy in front of Discord.
    Html,
}

impl RestChance {
    /// Whether all values are in range.
    ///
    /// # Errors
    /// In words, which one is not.
    pub(super) fn check(&self) -> Result<(), String> {
        percent("percent", self.percent)?;
        match self.outcome {
            RestOutcome::RateLimit { retry_after, .. }
                if !(0.0..=3600.0).contains(&retry_after) =>
            {
                Err("`retryAfter` must be between 0 and 3600".to_owned())
            }
            RestOutcome::Failure { status, .. } if !(500..600).contains(&status) => {
                Err("`status` must be 5xx".to_owned())
            }
            RestOutcome::Delay { ms, jitter_ms, .. } if ms.max(jitter_ms) > MOST_DELAY_MS => {
                Err(format!("`ms` and `jitterMs` must be between 0 and {MOST_DELAY_MS}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a pattern means a route: all of it, or how it begins if the pattern ends with `*`.
fn means(pattern: &str, route: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => route.starts_with(beginning),
        None => pattern.is_empty() || pattern == route,
    }
}

/// What becomes of the next call of a route. The same seed and the same calls give the same.
pub(super) fn outcome(
    tally: &mut Tally,
    seed: u64,
    chances: &[RestChance],
    route: &str,
) -> Option<RestOutcome> {
    tally.fit(chances.len());
    chances.iter().enumerate().find_map(|(at, chance)| {
        if !means(&chance.route, route) {
            return None;
        }
        let random = tally.hit((seed, 0), at, chance.percent, chance.times)?;
        Some(with_jitter(chance.outcome.clone(), random))
    })
}

fn with_jitter(outcome: RestOutcome, random: f64) -> RestOutcome {
    let RestOutcome::Delay { ms, jitter_ms, before } = outcome else { return outcome };
    RestOutcome::Delay { ms: ms.saturating_add(part(jitter_ms, random)), jitter_ms: 0, before }
}

/// The allowances of REST's rate limits. The default is Discord's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RestLimits {
    /// There are none.
    pub off: bool,
    /// Calls a bot may make in a second over all routes; 50 if it is left out.
    pub global_per_second: Option<u32>,
    /// Other allowances than the usual ones, first match wins.
    pub routes: Vec<RouteLimit>,
}

/// The allowance of a route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RouteLimit {
    /// As in [`RestChance::route`].
    pub route: String,
    /// So many calls
    pub limit: u32,
    /// in so many milliseconds.
    pub per_ms: u32,
}

impl RestLimits {
    /// No limits: for tests with many messages.
    #[must_use]
    pub fn none() -> Self {
        Self { off: true, ..Self::default() }
    }

    /// Whether all values are in range.
    ///
    /// # Errors
    /// In words, which one is not.
    pub(super) fn check(&self) -> Result<(), String> {
        let no_time = self.routes.iter().any(|route| route.per_ms == 0 || route.limit == 0);
        if no_time || self.global_per_second == Some(0) {
            return Err("`limit`, `perMs` and `globalPerSecond` must not be 0".to_owned());
        }
        Ok(())
    }

    /// The allowance of a route, if it is not the usual one.
    pub(crate) fn of(&self, route: &str) -> Option<&RouteLimit> {
        self.routes.iter().find(|one| means(&one.route, route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &str = "POST /channels/{id}/messages";

    fn chance(route: &str, percent: f64, times: Option<u32>) -> RestChance {
        let outcome = RestOutcome::Failure { status: 502, carried_out: true };
        RestChance { route: route.to_owned(), percent, times, outcome }
    }

    fn hits(seed: u64, chances: &[RestChance]) -> Vec<bool> {
        let mut tally = Tally::default();
        (0..1000).map(|_| outcome(&mut tally, seed, chances, POST).is_some()).collect()
    }

    #[test]
    fn a_share_of_the_calls_is_hit_and_the_same_ones_again() {
        let chances = [chance(POST, 20.0, None)];
        let first = hits(7, &chances);
        let count = first.iter().filter(|hit| **hit).count();
        assert!((150..250).contains(&count), "{count}");
        assert_eq!(hits(7, &chances), first);
        assert_ne!(hits(8, &chances), first);
        let never = hits(7, &[chance(POST, 0.0, None)]);
        assert!(never.iter().all(|hit| !hit));
        let thrice = hits(7, &[chance(POST, 100.0, Some(3))]);
        assert_eq!(thrice.iter().filter(|hit| **hit).count(), 3);
        assert!(thrice[..3].iter().all(|hit| *hit));
    }

    #[test]
    fn routes_are_meant_whole_or_by_their_beginning() {
        for (pattern, meant) in [
            ("", true),
            (POST, true),
            ("POST *", true),
            ("POST /channels/*", true),
            ("GET *", false),
            ("POST /channels", false),
        ] {
            assert_eq!(means(pattern, POST), meant, "{pattern}");
        }
    }

    #[test]
    fn a_delay_varies_within_its_jitter() {
        let outcome = RestOutcome::Delay { ms: 100, jitter_ms: 50, before: false };
        let chances = [RestChance { outcome, ..chance("", 100.0, None) }];
        let mut tally = Tally::default();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let Some(RestOutcome::Delay { ms, .. }) = super::outcome(&mut tally, 1, &chances, POST)
            else {
                panic!("no delay")
            };
            assert!((100..150).contains(&ms), "{ms}");
            seen.insert(ms);
        }
        assert!(seen.len() > 20);
    }
}
