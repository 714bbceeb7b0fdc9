//! The answers of late, while the process runs.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::{
    SessionTime,
    brain::cache::{CacheKey, CacheRule, ResponseCache},
};

/// A [`ResponseCache`] that several runs share.
#[derive(Debug)]
pub(super) struct KnownAnswers {
    began: Instant,
    /// Held for moments only, never across an await.
    cache: Mutex<ResponseCache>,
}

impl KnownAnswers {
    pub(super) fn new(rule: CacheRule) -> Self {
        Self { began: Instant::now(), cache: Mutex::new(ResponseCache::new(rule)) }
    }

    pub(super) fn find(&self, key: &CacheKey) -> Option<String> {
        self.cache().find(self.now(), key).map(str::to_owned)
    }

    pub(super) fn keep(&self, key: CacheKey, answer: &str) {
        self.cache().keep(self.now(), key, answer);
    }

    fn now(&self) -> SessionTime {
        SessionTime::ZERO + self.began.elapsed()
    }

    /// A panic meanwhile leaves a cache that knows less.
    fn cache(&self) -> MutexGuard<'_, ResponseCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
