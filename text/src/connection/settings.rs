//! What can be set about the main gateway connection.

use std::{path::PathBuf, time::Duration};

use super::presence::PresenceSettings;

/// How the connection behaves. The defaults are those of OpenClaw's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionSettings {
    /// `gatewayInfoTimeoutMs`: how long GET /gateway/bot may take.
    pub metadata_timeout: Duration,
    /// `gatewayReadyTimeoutMs`: from IDENTIFY to READY when the process starts.
    pub ready_timeout: Duration,
    /// `gatewayRuntimeReadyTimeoutMs`: from IDENTIFY or HELLO to READY or RESUMED later.
    pub runtime_ready_timeout: Duration,
    /// `reconnect`.
    pub reconnect: ReconnectSettings,
    /// `eventQueue`.
    pub event_queue: EventQueueSettings,
    /// `healthMonitor`; `None`: switched off.
    pub health: Option<HealthSettings>,
    /// The least time between two IDENTIFYs of the same rate limit key.
    /// Source: Discord, "Gateway", Rate Limiting (`max_concurrency`).
    pub identify_interval: Duration,
    /// `status`, `activity`, `activityType`, `activityUrl`, `autoPresence`.
    pub presence: PresenceSettings,
    /// `proxy`: `http://host:port` of an HTTP proxy, for the websocket and the first REST calls.
    /// The environment's proxies are not used.
    pub proxy: Option<String>,
    /// The folder in which sessions survive the process; `None`: they do not.
    pub state_folder: Option<PathBuf>,
    /// `CONNECTION_DEBUG`: heartbeats, dispatches, closes and attempts are logged.
    pub verbose: bool,
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            metadata_timeout: Duration::from_secs(30),
            ready_timeout: Duration::from_secs(15),
            runtime_ready_timeout: Duration::from_secs(30),
            reconnect: ReconnectSettings::default(),
            event_queue: EventQueueSettings::default(),
            health: Some(HealthSettings::default()),
            identify_interval: Duration::from_secs(5),
            presence: PresenceSettings::default(),
            proxy: None,
            state_folder: None,
            verbose: false,
        }
    }
}

/// How a lost connection is found again.
#[derive(Clone, Debug, PartialEq)]
pub struct ReconnectSettings {
    /// Tries in a row before the whole connection is started anew.
    pub max_retries: u32,
    /// Each wait is so many times as long as the one before.
    pub backoff_base: f64,
    /// What the base is multiplied with for the first wait.
    pub backoff_unit: Duration,
    /// The longest wait.
    pub backoff_max: Duration,
    /// Whether sessions are resumed at all.
    pub resume_session: bool,
    /// How long a session may lie before nobody tries to resume it.
    pub session_cache_ttl: Duration,
    /// The shortest and the longest wait after an invalid session.
    /// Source: Discord, "Gateway Events", Invalid Session.
    pub invalid_session_wait: (Duration, Duration),
    /// The wait before the next IDENTIFY when READY did not come.
    pub ready_pause: Duration,
    /// A connection that held so long was a good one: waits start over.
    pub stable_after: Duration,
    /// The first and the longest wait before the whole connection is started anew.
    pub restart_wait: (Duration, Duration),
}

impl Default for ReconnectSettings {
    fn default() -> Self {
        Self {
            max_retries: 10,
            backoff_base: 1.5,
            backoff_unit: Duration::from_secs(1),
            backoff_max: Duration::from_secs(60),
            resume_session: true,
            session_cache_ttl: Duration::from_secs(300),
            invalid_session_wait: (Duration::from_secs(1), Duration::from_secs(5)),
            ready_pause: Duration::from_secs(2),
            stable_after: Duration::from_secs(30),
            restart_wait: (Duration::from_secs(5), Duration::from_secs(300)),
        }
    }
}

/// How events wait for their handlers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventQueueSettings {
    /// Events that may wait; more are rejected, with a line in the log.
    pub max_queue_size: usize,
    /// Handlers that may run at the same time.
    pub max_concurrency: usize,
    /// A handler that runs longer is logged; it is not stopped.
    pub listener_timeout: Duration,
    /// A handler that took longer is called slow.
    pub slow_after: Duration,
}

impl Default for EventQueueSettings {
    fn default() -> Self {
        Self {
            max_queue_size: 10_000,
            max_concurrency: 50,
            listener_timeout: Duration::from_secs(120),
            slow_after: Duration::from_secs(30),
        }
    }
}

/// When a connection that looks alive is started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthSettings {
    /// `gateway.channelHealthCheckMinutes`: how often it is looked at.
    pub check_every: Duration,
    /// `gateway.channelStaleEventThresholdMinutes`: so long without anything from Discord.
    pub stale_after: Duration,
    /// `gateway.channelMaxRestartsPerHour`.
    pub max_restarts_per_hour: usize,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            check_every: Duration::from_secs(5 * 60),
            stale_after: Duration::from_secs(30 * 60),
            max_restarts_per_hour: 10,
        }
    }
}
