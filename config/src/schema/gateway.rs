//! The top-level `gateway`: OpenClaw's health checks of channels, and our own server.

use std::{net::IpAddr, time::Duration};

use crate::{
    cursor::Section,
    describe::Kind,
    field::Field,
    schema::answering::{self, AgentRouting, IntentFilter},
};

/// What is read of `gateway`. Everything else of it is OpenClaw's.
#[derive(Clone, Debug, PartialEq)]
pub struct Gateway {
    /// `channelHealthCheckMinutes`. Default 5; `None`: 0, which switches it off.
    pub health_check: Option<Duration>,
    /// `channelStaleEventThresholdMinutes`: so long without any activity is too long. Default 30;
    /// `None`: 0.
    pub stale_after: Option<Duration>,
    /// `channelMaxRestartsPerHour`. Default 10; 0 none.
    pub max_restarts: u32,
    /// `clawvoice.health`. The key `clawvoice` is ours; OpenClaw has none of that name.
    pub health: Health,
    /// `clawvoice.agent_router`.
    pub agent_router: AgentRouting,
    /// `clawvoice.intent_filter`.
    pub intent_filter: IntentFilter,
}

/// `gateway.clawvoice.health`: where this program answers for its own health, its figures and its
/// dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `enabled`. Default on.
    pub enabled: bool,
    /// `bind`. Default 127.0.0.1; an address that others reach needs `allowRemote: true`.
    pub bind: IpAddr,
    /// `port`. Default 18790; 0 is any that is free.
    pub port: u16,
    /// `allowRemote`: `bind` may be an address that others reach. Default off.
    pub allow_remote: bool,
}

const LOOPBACK: &str = "127.0.0.1";

/// `agents`: the ids of those that there are.
pub(crate) fn read(section: &Section<'_, '_>, agents: &[&str]) -> Gateway {
    let minutes = |key, default| {
        let minutes = section.whole_or(key, 0, 525_600, default);
        (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60))
    };
    let ours = section.section("clawvoice");
    let gateway = Gateway {
        health_check: minutes("channelHealthCheckMinutes", 5),
        stale_after: minutes("channelStaleEventThresholdMinutes", 30),
        max_restarts: section.whole_or("channelMaxRestartsPerHour", 0, 10_000, 10),
        health: health(&ours.section("health")),
        agent_router: answering::router(&ours.section("agent_router"), agents),
        intent_filter: ours.block("intent_filter"),
    };
    ours.finish();
    section.finish_leniently();
    section.warn_near(&["clawvoice"]);
    gateway
}

fn health(section: &Section<'_, '_>) -> Health {
    let allow_remote = section.bool_or("allowRemote", false);
    let bind = section.field("bind").and_then(|field| address(&field, allow_remote));
    let port = section.whole_or("port", 0, 65_535, 18_790);
    let health = Health {
        enabled: section.bool_or("enabled", true),
        bind: {
            section.or("bind", bind.map(|bind| bind.to_string()), LOOPBACK.to_owned());
            bind.unwrap_or(IpAddr::from([127, 0, 0, 1]))
        },
        port: u16::try_from(port).unwrap_or_default(),
        allow_remote,
    };
    section.finish();
    health
}

fn address(field: &Field<'_, '_>, allow_remote: bool) -> Option<IpAddr> {
    let text = field.text();
    field.declare(|| Kind::Other("an IP address"));
    let text = text?;
    let parsed: Option<IpAddr> = match text.as_str() {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        text => text.trim_matches(['[', ']']).parse().ok(),
    };
    let Some(address) = parsed else {
        field.refuse("not an IP address", "as in \"127.0.0.1\" or \"::1\"");
        return None;
    };
    if !address.is_loopback() && !allow_remote {
        field.refuse(
            "an address that others reach",
            "use \"127.0.0.1\"; or write `allowRemote: true` beside it, behind something that asks \
             for a password",
        );
        return None;
    }
    Some(address)
}
