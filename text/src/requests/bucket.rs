//! What Discord says about a rate limit, and what follows.

use std::time::Duration;

use clawvoice_session::SessionTime;

/// The `X-RateLimit-*` headers of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Limits {
    /// `X-RateLimit-Bucket`.
    pub(crate) bucket: Option<String>,
    /// `X-RateLimit-Remaining`.
    pub(crate) remaining: Option<u32>,
    /// `X-RateLimit-Reset-After`.
    pub(crate) reset_after: Option<Duration>,
}

/// The state of one rate limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket {
    /// Nothing may be asked before.
    free_at: SessionTime,
}

impl Bucket {
    /// What an answer says.
    pub(crate) fn learn(&mut self, now: SessionTime, limits: &Limits) {
        if limits.remaining == Some(0)
            && let Some(after) = limits.reset_after
        {
            self.free_at = self.free_at.max(now + after);
        }
    }

    /// A 429 said so.
    pub(crate) fn pause(&mut self, until: SessionTime) {
        self.free_at = self.free_at.max(until);
    }

    /// When the next request may go.
    pub(crate) fn free_at(&self) -> SessionTime {
        self.free_at
    }
}
