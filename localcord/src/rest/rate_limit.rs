//! Rate limits as Discord's documentation ("Rate Limits") describes them, in virtual time.
//!
//! Every route has a bucket; requests on different top-level resources (a channel, a guild, a
//! webhook with its token) count apart. Above the buckets stands a limit per bot over all routes;
//! answers to interactions are outside that one. Windows are fixed: the first request opens one,
//! and the whole allowance is back when it ends. [`RestLimits`] sets other allowances, or none.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use crate::fault::RestLimits;

/// All routes together, per bot.
const GLOBAL: Rule = Rule { limit: 50, per: Duration::from_secs(1) };
/// Windows kept before those that ended are thrown away.
const KEPT_WINDOWS: usize = 4096;

/// An allowance: so many requests in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    limit: u32,
    per: Duration,
}

/// What a request counts against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The method and the path without ids: `POST /channels/{id}/messages`.
    template: String,
    /// The top-level resource: a channel, guild or webhook.
    major: String,
    rule: Rule,
    /// False for interaction endpoints.
    global: bool,
}

impl Route {
    /// Finds the bucket of a request. `path` begins after the version: `/channels/1/messages`.
    pub(crate) fn of(method: &str, path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let first = parts.first().copied().unwrap_or_default();
        let webhook = matches!(first, "webhooks" | "interactions");
        let major_parts = match first {
            "channels" | "guilds" => 2,
            "webhooks" | "interactions" => 3,
            _ => 0,
        };
        let mut template = format!("{method} ");
        for (at, part) in parts.iter().enumerate() {
            let id = part.bytes().all(|byte| byte.is_ascii_digit());
            let opaque = (webhook && at == 2) || (at > 0 && parts[at - 1] == "reactions");
            template.push('/');
            template.push_str(if id || opaque { "{id}" } else { part });
        }
        let rule = rule_for(&template);
        let major = parts.iter().take(major_parts).copied().collect::<Vec<_>>().join("/");
        Self { template, major, rule, global: !webhook }
    }

    /// The method and the path without ids.
    pub(crate) fn template(&self) -> &str {
        &self.template
    }

    /// The opaque name of the bucket.
    fn bucket(&self) -> String {
        let digest = Sha256::digest(self.template.as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The allowances real bots meet most often; everything else gets the global one per route.
fn rule_for(template: &str) -> Rule {
    let (limit, per_ms) = match template {
        "POST /channels/{id}/messages"
        | "PATCH /channels/{id}/messages/{id}"
        | "POST /channels/{id}/typing" => (5, 5000),
        "DELETE /channels/{id}/messages/{id}" => (5, 1000),
        _ if template.contains("/reactions/") => (1, 250),
        _ if template.contains(" /webhooks/") => (5, 2000),
        _ => return GLOBAL,
    };
    Rule { limit, per: Duration::from_millis(per_ms) }
}

/// What the `X-RateLimit-*` headers of an answer say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Requests per window.
    pub(crate) limit: u32,
    /// Requests left in this window.
    pub(crate) remaining: u32,
    /// Until the window ends.
    pub(crate) reset_after: Duration,
    /// The bucket's opaque name.
    pub(crate) bucket: String,
}

/// Whether a request may be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may, and there are no limits.
    Unlimited,
    /// It may.
    Allowed(Quota),
    /// The bucket is empty: 429.
    Refused(Quota),
    /// The bot's allowance over all routes is used up: 429 with `global: true`.
    RefusedGlobally {
        /// Until the next request is welcome.
        retry_after: Duration,
    },
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    used: u32,
    rule: Rule,
}

impl Window {
    /// The allowance from now on.
    fn obey(&mut self, rule: Rule) -> &mut Self {
        self.rule = rule;
        self
    }

    fn ends_in(&self, now: Instant) -> Duration {
        self.rule.per.saturating_sub(now.saturating_duration_since(self.began))
    }

    /// Counts a request; false if the window is full.
    fn take(&mut self, now: Instant) -> bool {
        if self.ends_in(now).is_zero() {
            (self.began, self.used) = (now, 0);
        }
        let fits = self.used < self.rule.limit;
        self.used += u32::from(fits);
        fits
    }
}

/// All windows of all bots.
#[derive(Debug, Default)]
pub(crate) struct RateLimits {
    routes: HashMap<(u64, String, String), Window>,
    bots: HashMap<u64, Window>,
}

impl RateLimits {
    /// Counts a request of a bot (0 = nobody in particular).
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        bot: u64,
        route: &Route,
        limits: &RestLimits,
    ) -> Verdict {
        if limits.off {
            return Verdict::Unlimited;
        }
        self.forget_ended(now);
        if route.global && bot != 0 {
            let rule = Rule { limit: limits.global_per_second.unwrap_or(GLOBAL.limit), ..GLOBAL };
            let window = self.bots.entry(bot).or_insert(Window { began: now, used: 0, rule });
            if !window.obey(rule).take(now) {
                return Verdict::RefusedGlobally { retry_after: window.ends_in(now) };
            }
        }
        let other = limits.of(&route.template).map(|other| {
            let per = Duration::from_millis(other.per_ms.into());
            Rule { limit: other.limit, per }
        });
        let rule = other.unwrap_or(route.rule);
        let key = (bot, route.template.clone(), route.major.clone());
        let window = self.routes.entry(key).or_insert(Window { began: now, used: 0, rule });
        let fits = window.obey(rule).take(now);
        let quota = Quota {
            limit: window.rule.limit,
            remaining: window.rule.limit.saturating_sub(window.used),
            reset_after: window.ends_in(now),
            bucket: route.bucket(),
        };
        if fits { Verdict::Allowed(quota) } else { Verdict::Refused(quota) }
    }

    fn forget_ended(&mut self, now: Instant) {
        if self.routes.len() >= KEPT_WINDOWS {
            self.routes.retain(|_, window| !window.ends_in(now).is_zero());
        }
        if self.bots.len() >= KEPT_WINDOWS {
            self.bots.retain(|_, window| !window.ends_in(now).is_zero());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISCORD: RestLimits =
        RestLimits { off: false, global_per_second: None, routes: Vec::new() };

    fn remaining(verdict: &Verdict) -> Option<u32> {
        match verdict {
            Verdict::Allowed(quota) => Some(quota.remaining),
            _ => None,
        }
    }

    #[test]
    fn five_messages_per_channel_in_five_seconds() {
        let start = Instant::now();
        let mut limits = RateLimits::default();
        let route = Route::of("POST", "/channels/1/messages");
        for left in (0..5).rev() {
            let verdict = limits.handle_request(start, 7, &route, &DISCORD);
            assert_eq!(remaining(&verdict), Some(left));
        }
        let later = start + Duration::from_millis(1500);
        let Verdict::Refused(quota) = limits.handle_request(later, 7, &route, &DISCORD) else {
            panic!("the sixth passed")
        };
        assert_eq!((quota.limit, quota.remaining), (5, 0));
        assert_eq!(quota.reset_after, Duration::from_millis(3500));

        let other = Route::of("POST", "/channels/2/messages");
        let Verdict::Allowed(beside) = limits.handle_request(later, 7, &other, &DISCORD) else {
            panic!("another channel was refused")
        };
        assert_eq!(beside.bucket, quota.bucket, "same route, same bucket name");
        assert!(matches!(limits.handle_request(later, 8, &route, &DISCORD), Verdict::Allowed(_)));
        let reset = start + Duration::from_secs(5);
        assert_eq!(remaining(&limits.handle_request(reset, 7, &route, &DISCORD)), Some(4));
    }

    #[test]
    fn allowances_can_be_set_and_taken_away() {
        let start = Instant::now();
        let mut limits = RateLimits::default();
        let route = Route::of("POST", "/channels/1/messages");
        let two =
            crate::fault::RouteLimit { route: route.template().to_owned(), limit: 2, per_ms: 100 };
        let set = RestLimits { routes: vec![two], ..DISCORD };
        assert_eq!(remaining(&limits.handle_request(start, 7, &route, &set)), Some(1));
        assert_eq!(remaining(&limits.handle_request(start, 7, &route, &set)), Some(0));
        assert!(matches!(limits.handle_request(start, 7, &route, &set), Verdict::Refused(_)));
        assert_eq!(remaining(&limits.handle_request(start, 7, &route, &DISCORD)), Some(2));
        let once = RestLimits { global_per_second: Some(1), ..DISCORD };
        let refused = limits.handle_request(start, 7, &route, &once);
        assert!(matches!(refused, Verdict::RefusedGlobally { .. }));
        let none = RestLimits::none();
        assert_eq!(limits.handle_request(start, 7, &route, &none), Verdict::Unlimited);
    }

    #[test]
    fn fifty_a_second_in_all_but_interactions_pass() {
        let start = Instant::now();
        let mut limits = RateLimits::default();
        for channel in 0..50 {
            let route = Route::of("GET", &format!("/channels/{channel}"));
            assert!(matches!(
                limits.handle_request(start, 7, &route, &DISCORD),
                Verdict::Allowed(_)
            ));
        }
        let next = start + Duration::from_millis(400);
        assert_eq!(
            limits.handle_request(next, 7, &Route::of("GET", "/users/@me"), &DISCORD),
            Verdict::RefusedGlobally { retry_after: Duration::from_millis(600) }
        );
        let callback = Route::of("POST", "/interactions/5/aTOKEN/callback");
        assert!(matches!(limits.handle_request(next, 7, &callback, &DISCORD), Verdict::Allowed(_)));
    }

    #[test]
    fn routes_lose_their_ids_and_keep_their_major_resource() {
        let cases = [
            ("PATCH", "/channels/1/messages/2", "PATCH /channels/{id}/messages/{id}", "channels/1"),
            ("GET", "/guilds/3/members/4", "GET /guilds/{id}/members/{id}", "guilds/3"),
            ("POST", "/webhooks/5/abc", "POST /webhooks/{id}/{id}", "webhooks/5/abc"),
            ("GET", "/users/@me", "GET /users/@me", ""),
            (
                "PUT",
                "/channels/1/messages/2/reactions/%F0%9F%91%8D/@me",
                "PUT /channels/{id}/messages/{id}/reactions/{id}/@me",
                "channels/1",
            ),
        ];
        for (method, path, template, major) in cases {
            let route = Route::of(method, path);
            assert_eq!((route.template.as_str(), route.major.as_str()), (template, major));
        }
    }

    #[test]
    fn ended_windows_are_forgotten() {
        let start = Instant::now();
        let mut limits = RateLimits::default();
        for guild in 0..KEPT_WINDOWS {
            let route = Route::of("GET", &format!("/guilds/{guild}"));
            let _ = limits.handle_request(start, 0, &route, &DISCORD);
        }
        let later = start + Duration::from_secs(2);
        let _ = limits.handle_request(later, 0, &Route::of("GET", "/gateway"), &DISCORD);
        assert_eq!(limits.routes.len(), 1);
    }
}
