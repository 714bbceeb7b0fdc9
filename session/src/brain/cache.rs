//! Answers that are given again to the same person for the same question in the same conversation,
//! for a short time.

use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher as _},
    time::Duration,
};

use super::{ModelRequest, ToolSpec};
use crate::{SessionKey, SessionTime, UserId};

/// A longer answer is not kept, in bytes: so is the memory bounded, too.
const LONGEST: usize = 32_768;

/// How long answers are kept, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheRule {
    /// How long one is given again.
    pub ttl: Duration,
    /// So many at most; beyond it the oldest is forgotten.
    pub entries: usize,
}

/// What an answer belongs to. Sessions and users are compared themselves, never by a hash.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    session: SessionKey,
    user: UserId,
    model: String,
    prompt: [u64; 2],
}

impl CacheKey {
    /// Of a request to a model (`provider/model`). The session says which agent is asked.
    #[must_use]
    pub fn of(session: &SessionKey, user: UserId, model: &str, request: &ModelRequest) -> Self {
        Self {
            session: session.clone(),
            user,
            model: model.to_owned(),
            prompt: [hash(0, request), hash(1, request)],
        }
    }
}

/// Over all that the model is told. Two salts make of two hashes one of 128 bits.
fn hash(salt: u8, request: &ModelRequest) -> u64 {
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    request.system.hash(&mut hasher);
    request.messages.hash(&mut hasher);
    for ToolSpec { name, description, parameters } in &request.tools {
        (name, description, parameters.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

#[derive(Clone, Debug)]
struct Kept {
    answer: String,
    at: SessionTime,
    number: u64,
}

/// The answers of late.
#[derive(Clone, Debug)]
pub struct ResponseCache {
    rule: CacheRule,
    kept: HashMap<CacheKey, Kept>,
    /// By the order in which they were kept.
    order: BTreeMap<u64, CacheKey>,
    next: u64,
}

impl ResponseCache {
    /// Empty.
    #[must_use]
    pub fn new(rule: CacheRule) -> Self {
        Self { rule, kept: HashMap::new(), order: BTreeMap::new(), next: 0 }
    }

    /// The answer to the same request, if it is not too old.
    pub fn find(&mut self, now: SessionTime, key: &CacheKey) -> Option<&str> {
        self.forget_old(now);
        self.kept.get(key).map(|kept| kept.answer.as_str())
    }

    /// An answer was given, without calling a tool. One of nothing is not kept, nor a very long
    /// one.
    pub fn keep(&mut self, now: SessionTime, key: CacheKey, answer: &str) {
        self.forget_old(now);
        if answer.is_empty() || answer.len() > LONGEST {
            return;
        }
        let number = self.next;
        self.next += 1;
        let kept = Kept { answer: answer.to_owned(), at: now, number };
        if let Some(before) = self.kept.insert(key.clone(), kept) {
            self.order.remove(&before.number);
        }
        self.order.insert(number, key);
        while self.order.len() > self.rule.entries {
            self.forget_oldest();
        }
    }

    /// They were kept in the order of time, so the oldest are the first.
    fn forget_old(&mut self, now: SessionTime) {
        while let Some(oldest) = self.order.values().next()
            && self.kept.get(oldest).is_none_or(|kept| now.since(kept.at) >= self.rule.ttl)
        {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.kept.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::{
        super::{Message, Speaker},
        *,
    };
    use crate::ChannelId;

    const MS: fn(u64) -> SessionTime = SessionTime::from_millis;

    fn rule(ttl_ms: u64, entries: usize) -> CacheRule {
        CacheRule { ttl: Duration::from_millis(ttl_ms), entries }
    }

    fn request(text: &str) -> ModelRequest {
        let by = Some(Speaker { user: UserId::new(7), label: "Ada".into() });
        ModelRequest {
            system: "You are Molty.".into(),
            messages: vec![Message::User { by, text: text.into() }],
            tools: Vec::new(),
        }
    }

    fn session(agent: &str, channel: u64) -> SessionKey {
        SessionKey::channel(agent, ChannelId::new(channel))
    }

    fn key(text: &str) -> CacheKey {
        CacheKey::of(&session("main", 1), UserId::new(7), "p/m", &request(text))
    }

    #[test]
    fn an_answer_is_given_again_for_a_time() {
        let mut cache = ResponseCache::new(rule(100, 10));
        assert_eq!(cache.find(MS(0), &key("hi")), None);
        cache.keep(MS(0), key("hi"), "ho");
        assert_eq!(cache.find(MS(99), &key("hi")), Some("ho"));
        assert_eq!(cache.find(MS(100), &key("hi")), None, "finding it does not keep it longer");
        assert!(cache.kept.is_empty() && cache.order.is_empty());
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut cache = ResponseCache::new(rule(1_000, 2));
        cache.keep(MS(0), key("a"), "A");
        cache.keep(MS(1), key("b"), "B");
        cache.keep(MS(2), key("a"), "A again");
        cache.keep(MS(3), key("c"), "C");
        assert_eq!(cache.find(MS(3), &key("b")), None);
        assert_eq!(cache.find(MS(3), &key("a")), Some("A again"));
        assert_eq!(cache.find(MS(3), &key("c")), Some("C"));
        cache.keep(MS(4), key("long"), &"x".repeat(LONGEST + 1));
        cache.keep(MS(4), key("empty"), "");
        assert_eq!(cache.order.len(), 2);
    }

    #[test]
    fn everything_that_the_model_is_told_counts() {
        let base = request("hi");
        let tool = ToolSpec { name: "t".into(), description: "d".into(), parameters: json!({}) };
        let other_tool = ToolSpec { parameters: json!({ "type": "object" }), ..tool.clone() };
        let with = |tool| ModelRequest { tools: vec![tool], ..base.clone() };
        let context = Message::Context("noon".into());
        let differing = [
            base.clone(),
            ModelRequest { system: "You are Ops.".into(), ..base.clone() },
            ModelRequest { messages: vec![context, base.messages[0].clone()], ..base.clone() },
            ModelRequest {
                messages: vec![Message::User { by: None, text: "hi".into() }],
                ..base.clone()
            },
            with(tool),
            with(other_tool),
        ];
        let keys: std::collections::HashSet<CacheKey> = differing
            .iter()
            .map(|request| CacheKey::of(&session("main", 1), UserId::new(7), "p/m", request))
            .collect();
        assert_eq!(keys.len(), differing.len());
        let other_model = CacheKey::of(&session("main", 1), UserId::new(7), "p/n", &base);
        assert!(!keys.contains(&other_model));
    }

    proptest! {
        /// Whatever is kept and found in whatever order: an answer is found only by the agent,
        /// session, user and words that it was given to, it is the last one given, and no more are
        /// kept than may be.
        #[test]
        fn nobody_is_given_anothers_answer(
            steps in prop::collection::vec(
                (any::<bool>(), 0_usize..2, 1_u64..3, 1_u64..3, 0_usize..2, 0_u64..40), 1..80),
            entries in 1_usize..6,
        ) {
            let mut cache = ResponseCache::new(rule(100, entries));
            let mut now = MS(0);
            let mut given = HashMap::new();
            for (step, (keeps, agent, channel, user, words, ms)) in steps.into_iter().enumerate() {
                now += Duration::from_millis(ms);
                let of = (["main", "ops"][agent], channel, user, ["hi", "why"][words]);
                let key = CacheKey::of(
                    &session(of.0, of.1), UserId::new(of.2), "p/m", &request(of.3));
                if keeps {
                    let answer = format!("{step} to {of:?}");
                    cache.keep(now, key, &answer);
                    given.insert(of, (answer, now));
                } else if let Some(found) = cache.find(now, &key) {
                    let (answer, at) = &given[&of];
                    prop_assert_eq!(found, answer);
                    prop_assert!(now.since(*at) < Duration::from_millis(100));
                }
                prop_assert!(cache.kept.len() <= entries);
                prop_assert_eq!(cache.kept.len(), cache.order.len());
            }
        }
    }
}
