//! From the configuration to the settings of the main gateway's connection.

use std::path::Path;

use clawvoice_config::{Config, Discord, Gateway, Status};
use clawvoice_text::shell::gateway::{
    Activity, AutoPresence, ConnectionSettings, EventQueueSettings, HealthSettings, OnlineStatus,
    PresenceSettings, ReconnectSettings, RestSettings,
};
use secrecy::ExposeSecret as _;

/// Those of an account.
pub(crate) fn settings(config: &Config, discord: &Discord) -> ConnectionSettings {
    let connection = &discord.connection;
    let reconnect = &connection.reconnect;
    let queue = &connection.event_queue;
    ConnectionSettings {
        metadata_timeout: connection.info_timeout,
        ready_timeout: connection.ready_timeout,
        runtime_ready_timeout: connection.runtime_ready_timeout,
        reconnect: ReconnectSettings {
            max_retries: if reconnect.enabled { reconnect.max_retries } else { 0 },
            backoff_base: reconnect.backoff_base,
            backoff_max: reconnect.backoff_max,
            resume_session: reconnect.resume_session,
            session_cache_ttl: reconnect.session_cache_ttl,
            ..ReconnectSettings::default()
        },
        event_queue: EventQueueSettings {
            max_queue_size: queue.max_queue as usize,
            max_concurrency: queue.max_concurrency as usize,
            listener_timeout: queue.listener_timeout,
            ..EventQueueSettings::default()
        },
        health: connection.health_monitor.then(|| monitor(&config.gateway)).flatten(),
        presence: presence(discord),
        proxy: connection.proxy.as_ref().map(|proxy| proxy.expose_secret().to_owned()),
        state_folder: config.session_store.parent().map(Path::to_owned),
        verbose: std::env::var_os("CONNECTION_DEBUG").is_some_and(|set| set != "0"),
        ..ConnectionSettings::default()
    }
}

/// How an account asks Discord, and asks again.
pub(crate) fn requests(discord: &Discord) -> RestSettings {
    let retry = &discord.delivery.retry;
    RestSettings {
        attempts: retry.attempts,
        min_delay: retry.min_delay,
        max_delay: retry.max_delay,
        jitter: retry.jitter,
        ..RestSettings::default()
    }
}

/// How often it is looked whether Discord has fallen silent; `None`: never.
fn monitor(gateway: &Gateway) -> Option<HealthSettings> {
    Some(HealthSettings {
        check_every: gateway.health_check?,
        stale_after: gateway.stale_after?,
        max_restarts_per_hour: gateway.max_restarts as usize,
    })
}

/// What the bot shows of itself.
pub(crate) fn presence(discord: &Discord) -> PresenceSettings {
    let connection = &discord.connection;
    let auto = &connection.auto_presence;
    PresenceSettings {
        status: connection.status.map(|status| match status {
            Status::Online => OnlineStatus::Online,
            Status::Idle => OnlineStatus::Idle,
            Status::Dnd => OnlineStatus::Dnd,
            Status::Invisible => OnlineStatus::Invisible,
        }),
        activity: connection.activity.as_ref().map(|activity| Activity {
            text: activity.text.clone(),
            kind: activity.kind,
            url: activity.url.clone(),
        }),
        auto: auto.enabled.then(|| AutoPresence {
            min_update_interval: auto.min_update_interval,
            healthy_text: auto.healthy.clone(),
            degraded_text: auto.degraded.clone(),
            exhausted_text: auto.exhausted.clone(),
        }),
    }
}
