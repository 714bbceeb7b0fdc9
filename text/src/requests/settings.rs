//! What can be set about REST.

use std::time::Duration;

/// `retry` and the queue of requests. The defaults are those of OpenClaw's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct RestSettings {
    /// `retry.attempts`: how often a request is made at most.
    pub attempts: u32,
    /// `retry.minDelayMs`: the first wait after a failure that may pass.
    pub min_delay: Duration,
    /// `retry.maxDelayMs`: the longest.
    pub max_delay: Duration,
    /// `retry.jitter`: by which share a wait may be longer or shorter, 0 to 1.
    pub jitter: f64,
    /// How often a request that meets a rate limit is put back, besides its attempts.
    pub rate_limit_requeues: u32,
    /// Requests that may wait; the next one is refused.
    pub queue: usize,
    /// Requests under way at the same time, interaction callbacks not counted.
    pub workers: usize,
    /// For one attempt.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub max_body: usize,
}

impl Default for RestSettings {
    fn default() -> Self {
        Self {
            attempts: 3,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            jitter: 0.1,
            rate_limit_requeues: 3,
            queue: 1000,
            workers: 4,
            timeout: Duration::from_secs(15),
            max_body: 8 * 1024 * 1024,
        }
    }
}
