//! How `channels.discord` keeps its connection: proxy, time limits, reconnecting, presence.

use std::time::Duration;

use secrecy::SecretString;

use crate::{
    check,
    cursor::Section,
    schema::declare::{block, words},
    secret::secret,
    walk::Surface,
};

words! {
    /// `status`: how the bot shows itself.
    Status {
        /// Here.
        Online = "online",
        /// Away.
        Idle = "idle",
        /// Not to be disturbed.
        Dnd = "dnd",
        /// As if it were not here.
        Invisible = "invisible",
    }
}

block! {
    /// `reconnect`: what follows a lost connection to the gateway.
    Reconnect {
        /// Default on.
        enabled: bool = bool_or("enabled", true),
        /// After so many failures in a row the account is started anew. Default 10.
        max_retries: u32 = whole_or("maxRetries", 1, 10_000, 10),
        /// Each wait is so many times the last. Default 1.5.
        backoff_base: f64 = number_or("backoffBase", 1.0, 10.0, 1.5),
        /// The longest wait, seconds. Default 60.
        backoff_max: Duration = seconds_or("backoffMax", 1, 86_400, 60),
        /// Missed events are asked for. Default on.
        resume_session: bool = bool_or("resumeSession", true),
        /// For so long, in seconds, a session of the last run is resumed. Default 300.
        session_cache_ttl: Duration = seconds_or("sessionCacheTtl", 0, 86_400, 300),
    }
}

block! {
    /// `eventQueue`: events that wait to be worked on.
    EventQueue {
        /// Default 120,000 ms. Bounds the work on an event, never a turn.
        listener_timeout: Duration = millis_or("listenerTimeout", 1, 86_400_000, 120_000),
        /// Default 10,000; more are refused.
        max_queue: u32 = whole_or("maxQueueSize", 1, 10_000_000, 10_000),
        /// Default 50.
        max_concurrency: u32 = whole_or("maxConcurrency", 1, 100_000, 50),
    }
}

block! {
    /// `autoPresence`: the bot's status tells how it is.
    AutoPresence {
        /// Default off.
        enabled: bool = bool_or("enabled", false),
        /// Default 30,000 ms, at least 5,000.
        interval: Duration = millis_or("intervalMs", 5_000, 86_400_000, 30_000),
        /// Default 15,000 ms, at least 1,000, at most `intervalMs`.
        min_update_interval: Duration = millis_or("minUpdateIntervalMs", 1_000, 86_400_000, 15_000),
        /// Shown while all is well.
        healthy: Option<String> = text("healthyText"),
        /// Shown while something is not.
        degraded: Option<String> = text("degradedText"),
        /// Shown while no model answers; `{reason}` is why.
        exhausted: Option<String> = text("exhaustedText"),
    }
}

/// What the bot shows under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// `activity`.
    pub text: String,
    /// `activityType`: 0 playing, 1 streaming, 2 listening, 3 watching, 4 custom, 5 competing.
    /// Default 4.
    pub kind: u8,
    /// `activityUrl`, with type 1 only.
    pub url: Option<String>,
}

/// `pluralkit`.
#[derive(Clone, Debug)]
pub struct PluralKit {
    /// `enabled`. Default off.
    pub enabled: bool,
    /// `token`.
    pub token: Option<SecretString>,
}

/// How an account keeps its connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `proxy`, http or https: for the gateway's websocket and the requests of the start-up. May
    /// hold a user name and a password.
    pub proxy: Option<SecretString>,
    /// `gatewayInfoTimeoutMs`, else `OPENCLAW_DISCORD_GATEWAY_INFO_TIMEOUT_MS`. Default 30,000, 1
    /// to 120,000.
    pub info_timeout: Duration,
    /// `gatewayReadyTimeoutMs`, else `OPENCLAW_DISCORD_READY_TIMEOUT_MS`. Default 15,000, 1 to
    /// 120,000.
    pub ready_timeout: Duration,
    /// `gatewayRuntimeReadyTimeoutMs`, else `OPENCLAW_DISCORD_RUNTIME_READY_TIMEOUT_MS`. Default
    /// 30,000, 1 to 120,000.
    pub runtime_ready_timeout: Duration,
    /// `reconnect`.
    pub reconnect: Reconnect,
    /// `eventQueue`.
    pub event_queue: EventQueue,
    /// `status`.
    pub status: Option<Status>,
    /// `activity`, `activityType`, `activityUrl`.
    pub activity: Option<Activity>,
    /// `autoPresence`.
    pub auto_presence: AutoPresence,
    /// `healthMonitor.enabled`: a silent connection is started anew. Default on.
    pub health_monitor: bool,
    /// `pluralkit`.
    pub pluralkit: PluralKit,
}

pub(crate) fn read(section: &Section<'_, '_>) -> Connection {
    let monitor = section.section("healthMonitor");
    let connection = Connection {
        proxy: proxy(section),
        info_timeout: timeout(section, "gatewayInfoTimeoutMs", "GATEWAY_INFO", 30_000),
        ready_timeout: timeout(section, "gatewayReadyTimeoutMs", "READY", 15_000),
        runtime_ready_timeout: timeout(
            section,
            "gatewayRuntimeReadyTimeoutMs",
            "RUNTIME_READY",
            30_000,
        ),
        reconnect: section.block("reconnect"),
        event_queue: section.block("eventQueue"),
        status: section.word("status"),
        activity: activity(section),
        auto_presence: auto_presence(section),
        health_monitor: monitor.bool_or("enabled", true),
        pluralkit: pluralkit(&section.section("pluralkit")),
    };
    monitor.finish();
    connection
}

fn proxy(section: &Section<'_, '_>) -> Option<SecretString> {
    let field = section.field("proxy")?;
    let text = field.text()?;
    let plain = match text.split_once("://") {
        // The user name and the password are looked at by whoever connects.
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let at = rest[..end].rfind('@').map_or(0, |at| at + 1);
            format!("{scheme}://{}", &rest[at..])
        }
        None => text.clone(),
    };
    if check::split_url(plain.trim_end_matches('/'), &["http", "https"]).is_none() {
        field.refuse("not the address of a proxy", "as in \"http://127.0.0.1:3128\"");
        return None;
    }
    Some(SecretString::from(text))
}

/// `key`, else a variable of OpenClaw's, which must be a number of the same bounds.
fn timeout(section: &Section<'_, '_>, key: &'static str, name: &str, default: u32) -> Duration {
    let written = section.whole(key, 1, 120_000);
    let variable = format!("OPENCLAW_DISCORD_{name}_TIMEOUT_MS");
    let from_env = written.is_none().then(|| section.env().var(&variable)).flatten();
    let given = match from_env {
        Some(text) => match text.trim().parse().ok().filter(|ms| (1..=120_000).contains(ms)) {
            Some(millis) => {
                section.note_env(key, &variable, millis);
                Some(millis)
            }
            None => {
                section.warn(key, format!("{variable} is no number from 1 to 120000; not used"));
                None
            }
        },
        None => None,
    };
    let millis = match given {
        Some(millis) => millis,
        None => section.or(key, written, default),
    };
    Duration::from_millis(millis.into())
}

fn activity(section: &Section<'_, '_>) -> Option<Activity> {
    let text = section.text("activity");
    let kind = section.field("activityType");
    let number = kind.as_ref().and_then(|field| field.whole(0, 5));
    section.or("activityType", number, 4);
    let url = section.field("activityUrl");
    let address = url.as_ref().and_then(|field| field.text());
    if section.is_describing() {
        return None;
    }
    if text.is_none() && !section.has("activity") {
        for field in [&kind, &url].into_iter().flatten() {
            field.refuse("means nothing without `activity`", "write `activity: \"…\"` beside it");
        }
        return None;
    }
    let number = number.unwrap_or(4) as u8;
    match (&url, &address) {
        (Some(field), Some(address)) => {
            let plain = address.split(['?', '#']).next().unwrap_or_default();
            if check::split_url(plain, &["http", "https"]).is_none() {
                field.refuse("not an address", "as in \"https://www.twitch.tv/claw\"");
            } else if number != 1 {
                field.refuse("only a stream has an address", "write `activityType: 1`");
            }
        }
        (None, _) if number == 1 => {
            if let Some(field) = &kind {
                field.refuse("a stream needs an address", "write `activityUrl: \"https://…\"`");
            }
        }
        _ => {}
    }
    Some(Activity { text: text?, kind: number, url: address })
}

fn auto_presence(section: &Section<'_, '_>) -> AutoPresence {
    let presence: AutoPresence = section.block("autoPresence");
    if presence.min_update_interval > presence.interval {
        let written = section.section("autoPresence");
        let field = written.field("minUpdateIntervalMs").or_else(|| written.field("intervalMs"));
        if let Some(field) = field {
            field.refuse(
                "`minUpdateIntervalMs` is longer than `intervalMs`",
                "make it the shorter of the two, or the same",
            );
        }
    }
    presence
}

fn pluralkit(section: &Section<'_, '_>) -> PluralKit {
    let enabled = section.bool_or("enabled", false);
    let used = match section.surface() {
        Surface::Active if !enabled => Surface::Off,
        other => other,
    };
    let read = section.on(used);
    let pluralkit =
        PluralKit { enabled, token: read.field("token").and_then(|field| secret(&field)) };
    section.leave_alone(&["token"]);
    section.finish();
    pluralkit
}
