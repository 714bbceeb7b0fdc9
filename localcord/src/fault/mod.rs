//! Faults on demand: what goes wrong, for whom, how often.
//!
//! ```text
//! settings                      what carries them out
//! udp ─────── loss, delay …     impair: the network, packet by packet
//! packet ──── padding, RTP …    voice/mangle: what the server makes of a packet
//! websocket ─ closes, opcodes   voice/hub/interfere: what becomes of a message
//! call ────── downgrade, move   voice/hub/downgrade, control/server_move: whole calls
//! rest ────── failures, latency rest/gate: an answer that fails or is lost, answers that come late
//! interaction late, twice, lost control/interactions: what a human did, on its way to the bot
//! ```
//!
//! What was done to packets goes into the journal once a second as `fault` `udp`, with counts per
//! sender and receiver; closes, messages and server moves are entries of their own.
//!
//! `PUT faults` replaces all settings; counters and random sequences begin anew, and messages that
//! were withheld are sent. The same `seed` gives the same faults for the same input.

mod call;
mod chance;
pub(crate) mod impair;
mod interaction;
mod packet;
mod rest;
mod udp;
mod user;
mod websocket;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use self::{
    call::{Downgrade, ServerMove, ServerMoveVariant},
    interaction::{InteractionFault, InteractionKind},
    packet::{PacketChange, PacketFault, TrailerForgery},
    rest::{RateLimitBody, RestChance, RestLimits, RestOutcome, RouteLimit},
    udp::{BlackHole, GilbertElliott, HoleDirection, JitterDistribution, UdpFault},
    websocket::{
        CommitRace, Direction, Injection, MessageAction, MessageFault, Step, VoiceBehaviour,
        VoiceClose, VoiceMessage,
    },
};
pub(crate) use self::{
    impair::{Counts, Impair, Packet},
    user::{Flow, seed_of},
    websocket::from_hex,
};

/// The most that [`FaultSettings::rest_latency_ms`] can be, milliseconds.
pub const MAX_REST_LATENCY_MS: u32 = 60_000;

/// Everything that currently goes wrong. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultSettings {
    /// Seed of everything random here: in [`FaultSettings::udp`], [`FaultSettings::packets`],
    /// [`FaultSettings::messages`], [`FaultSettings::rest_chances`],
    /// [`FaultSettings::interactions`] and [`FaultSettings::udp_drop_percent`].
    pub seed: u64,
    /// Share of UDP voice packets the server drops on their way out, 0 to 100.
    pub udp_drop_percent: f64,
    /// RTP padding: every n-th forwarded packet carries this kind of padding; 0 = none.
    pub udp_padding_every: u32,
    /// The network between server and clients.
    pub udp: Vec<UdpFault>,
    /// Whose UDP disappears altogether.
    pub black_holes: Vec<BlackHole>,
    /// What the server does to packets it forwards.
    pub packets: Vec<PacketFault>,
    /// When voice websockets are closed; one object or a list.
    #[serde(deserialize_with = "websocket::one_or_many")]
    pub voice_close: Vec<VoiceClose>,
    /// What becomes of voice gateway messages, first match wins.
    pub messages: Vec<MessageFault>,
    /// Additional voice gateway messages.
    pub inject: Vec<Injection>,
    /// How the voice server differs from its usual self.
    pub voice: VoiceBehaviour,
    /// Calls without end-to-end encryption.
    pub downgrades: Vec<Downgrade>,
    /// Guilds that change their voice server. A localcord with its control API carries this out,
    /// not a voice server alone.
    pub server_moves: Vec<ServerMove>,
    /// REST answers that fail, first match wins.
    pub rest: Vec<RestFault>,
    /// How long every REST answer is held back, milliseconds: at most [`MAX_REST_LATENCY_MS`].
    /// What a call does, it does at once, and the main gateway tells of it at once; neither it nor
    /// voice, the control API and uploaded files are any slower. A call takes the latency that was
    /// in force when it came.
    pub rest_latency_ms: u32,
    /// REST calls that go wrong by chance, looked at after [`FaultSettings::rest`].
    pub rest_chances: Vec<RestChance>,
    /// The allowances of REST's rate limits.
    pub rest_limits: RestLimits,
    /// Interactions that reach their bot late, twice or not at all.
    pub interactions: Vec<InteractionFault>,
}

impl FaultSettings {
    /// Whether all values are in range.
    ///
    /// # Errors
    /// In words, which one is not.
    pub fn check(&self) -> Result<(), String> {
        percent("udpDropPercent", self.udp_drop_percent)?;
        self.udp.iter().try_for_each(UdpFault::check)?;
        self.packets.iter().try_for_each(PacketFault::check)?;
        self.voice_close.iter().try_for_each(VoiceClose::check)?;
        self.messages.iter().try_for_each(MessageFault::check)?;
        self.inject.iter().try_for_each(Injection::check)?;
        self.voice.check()?;
        self.downgrades.iter().try_for_each(Downgrade::check)?;
        self.server_moves.iter().try_for_each(ServerMove::check)?;
        let is_failure =
            |fault: &RestFault| fault.status == 429 || (500..600).contains(&fault.status);
        if !self.rest.iter().all(is_failure) {
            return Err("`status` must be 429 or 5xx".to_owned());
        }
        if self.rest.iter().any(|fault| fault.status == 429 && fault.carried_out) {
            return Err("`carriedOut` is for 5xx: who answers 429 does nothing".to_owned());
        }
        self.rest_chances.iter().try_for_each(RestChance::check)?;
        self.rest_limits.check()?;
        self.interactions.iter().try_for_each(InteractionFault::check)?;
        if self.rest_latency_ms > MAX_REST_LATENCY_MS {
            return Err(format!("`restLatencyMs` must be between 0 and {MAX_REST_LATENCY_MS}"));
        }
        Ok(())
    }
}

fn percent(name: &str, value: f64) -> Result<(), String> {
    if (0.0..=100.0).contains(&value) {
        Ok(())
    } else {
        Err(format!("`{name}` must be between 0 and 100"))
    }
}

/// A REST answer that fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RestFault {
    /// Matches every path that begins with this, for example `/channels/`.
    pub path_prefix: String,
    /// 429 or a 5xx status.
    pub status: u16,
    /// How many answers fail before the fault is used up.
    pub times: u32,
    /// For 429: seconds to wait, as a fraction.
    #[serde(default)]
    pub retry_after: f64,
    /// The call is carried out, and only its answer is lost: not for 429.
    #[serde(default)]
    pub carried_out: bool,
}

impl RestFault {
    /// What becomes of the call.
    pub(crate) fn outcome(&self) -> RestOutcome {
        let (status, carried_out) = (self.status, self.carried_out);
        if status == 429 {
            let (retry_after, body) = (self.retry_after, RateLimitBody::Json);
            return RestOutcome::RateLimit { retry_after, global: false, body };
        }
        RestOutcome::Failure { status, carried_out }
    }
}

/// Of the faults in force that hit by chance.
#[derive(Clone, Debug, Default)]
struct Tallies {
    rest: chance::Tally,
    interactions: chance::Tally,
}

/// The shared fault settings. Cloning gives another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    inner: Arc<RwLock<Arc<FaultSettings>>>,
    tallies: Arc<Mutex<Tallies>>,
    /// Counts the calls of [`Faults::set`]; changes while `inner` is held.
    revision: watch::Sender<u64>,
}

impl Faults {
    /// The settings in force.
    #[must_use]
    pub fn current(&self) -> FaultSettings {
        (*self.shared()).clone()
    }

    /// The settings in force, not copied: this is asked for every packet.
    pub(crate) fn shared(&self) -> Arc<FaultSettings> {
        Arc::clone(&self.inner.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes with every [`Faults::set`].
    pub(crate) fn revision(&self) -> u64 {
        *self.revision.borrow()
    }

    /// The settings in force and their revision.
    pub(crate) fn numbered(&self) -> (u64, Arc<FaultSettings>) {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        (self.revision(), Arc::clone(&inner))
    }

    /// Wakes up with every [`Faults::set`].
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// Replaces the settings. The voice server takes them at its next message, packet or deadline.
    pub fn set(&self, settings: FaultSettings) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        *inner = Arc::new(settings);
        *self.tallies() = Tallies::default();
        self.revision.send_modify(|revision| *revision += 1);
    }

    /// What goes wrong with the next call of a REST path, whose method and path without ids are
    /// `route`.
    pub(crate) fn rest_outcome(&self, path: &str, route: &str) -> Option<RestOutcome> {
        if let Some(fault) = self.take_rest(path) {
            return Some(fault.outcome());
        }
        let settings = self.shared();
        if settings.rest_chances.is_empty() {
            return None;
        }
        let tally = &mut self.tallies().rest;
        rest::outcome(tally, settings.seed, &settings.rest_chances, route)
    }

    /// When the next interaction of a type reaches its bot, in milliseconds and each time; `None`:
    /// at once and once.
    pub(crate) fn interaction_delays(&self, kind: u8) -> Option<Vec<u32>> {
        let settings = self.shared();
        let tally = &mut self.tallies().interactions;
        interaction::delays(tally, settings.seed, &settings.interactions, kind)
    }

    fn tallies(&self) -> MutexGuard<'_, Tallies> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses up one failure for a REST path, if one is set for it.
    #[must_use]
    pub fn take_rest(&self, path: &str) -> Option<RestFault> {
        let wanted = |fault: &RestFault| fault.times > 0 && path.starts_with(&fault.path_prefix);
        let mut settings = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let position = settings.rest.iter().position(wanted)?;
        let fault = Arc::make_mut(&mut settings).rest.get_mut(position)?;
        fault.times -= 1;
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rest_fault_is_used_up() {
        let faults = Faults::default();
        faults.set(FaultSettings {
            rest: vec![RestFault {
                path_prefix: "/channels/".into(),
                status: 500,
                times: 1,
                retry_after: 0.0,
                carried_out: false,
            }],
            ..FaultSettings::default()
        });
        let revision = faults.revision();
        assert!(faults.take_rest("/users/@me").is_none());
        assert!(faults.take_rest("/channels/1").is_some());
        assert!(faults.take_rest("/channels/1").is_none());
        assert_eq!(faults.revision(), revision);
    }

    fn read(value: serde_json::Value) -> Result<FaultSettings, String> {
        let settings: FaultSettings =
            serde_json::from_value(value).map_err(|error| error.to_string())?;
        settings.check()?;
        Ok(settings)
    }

    #[test]
    fn everything_at_once_survives_the_way_there_and_back() {
        let settings = read(json!({
            "seed": 7,
            "udpDropPercent": 5.5,
            "udp": [{
                "from": "41771983423143937", "to": 2,
                "gilbertElliott": { "p": 1, "r": 20 },
                "jitterMs": 20, "jitterDistribution": "exponential", "bandwidthKbps": 64,
            }],
            "blackHoles": [{ "user": "1", "direction": "toUser", "forMs": 3000 }],
            "packets": [
                { "every": 10, "change": { "padding": { "bytes": 255 } } },
                { "insert": true, "percent": 5, "change": { "paddingOnly": { "bytes": 20 } } },
                { "times": 1, "change": { "daveTrailer": { "forgery": "rangesOverlap" } } },
                { "change": "wrongTag" },
            ],
            "voiceClose": { "user": "1", "at": "keyPackage", "code": 4006 },
            "messages": [
                { "op": 5, "action": { "delay": { "ms": 700 } } },
                { "op": 22, "action": "drop", "times": 1 },
                { "op": 11, "action": { "after": { "op": 27 } } },
                { "op": 5, "action": { "merge": { "fields": { "user_id": "9" } } } },
                { "op": 23, "direction": "fromClient", "action": "drop" },
            ],
            "inject": [{ "at": "ready", "message": { "rawBinary": { "hex": "00 01" } } }],
            "downgrades": [{ "channel": "10", "afterMs": 5, "forMs": 100 }, {}],
            "restLatencyMs": MAX_REST_LATENCY_MS,
            "restChances": [
                { "outcome": { "rateLimit": { "retryAfter": 0.5, "global": true, "body": "html" } } },
                { "route": "POST *", "percent": 5, "times": 1, "outcome": { "reset": {} } },
                { "outcome": { "failure": { "status": 502, "carriedOut": true } } },
                { "outcome": { "delay": { "ms": 5, "jitterMs": 9, "before": true } } },
            ],
            "interactions": [
                { "kind": "component", "copies": 1, "copyAfterMs": 5 },
                { "percent": 5, "times": 1, "lost": true },
            ],
            "restLimits": { "globalPerSecond": 500, "routes": [
                { "route": "PUT *", "limit": 3, "perMs": 10 },
            ] },
            "serverMoves": [{ "variant": "close4022", "afterMs": 5, "keepOldMs": 9 }],
            "voice": { "heartbeatIntervalMs": 41.25, "firstSequence": 65533, "commitRace": "last" },
        }))
        .unwrap();
        assert_eq!(settings.udp[0].from, Some(41_771_983_423_143_937));
        assert_eq!(settings.udp[0].gilbert_elliott.unwrap().loss_bad, 100.0);
        assert_eq!(settings.voice_close[0].times, 1);
        assert_eq!(settings.packets[2].percent, 100.0);
        let there = serde_json::to_value(&settings).unwrap();
        assert_eq!(there["udp"][0]["from"], "41771983423143937");
        assert_eq!(read(there), Ok(settings));
        assert_eq!(read(json!({})), Ok(FaultSettings::default()));
    }

    #[test]
    fn what_is_refused() {
        for (value, word) in [
            (json!({ "udpDropPercnt": 5 }), "udpDropPercnt"),
            (json!({ "udpDropPercent": 101 }), "udpDropPercent"),
            (json!({ "udp": [{ "jitter": 5 }] }), "jitter"),
            (json!({ "udp": [{ "corruptPercent": -1 }] }), "corruptPercent"),
            (json!({ "udp": [{ "delayMs": 600_001 }] }), "delayMs"),
            (json!({ "udp": [{ "gilbertElliott": { "p": 1, "r": 200 } }] }), "`r`"),
            (json!({ "udp": [{ "from": "ada" }] }), "digit"),
            (json!({ "packets": [{ "change": { "padding": { "bytes": 0 } } }] }), "padding"),
            (json!({ "packets": [{ "change": { "csrcs": { "count": 16 } } }] }), "csrcs"),
            (json!({ "packets": [{ "change": { "padding": { "size": 3 } } }] }), "size"),
            (json!({ "voiceClose": { "at": "ready", "code": 5000 } }), "code"),
            (json!({ "voiceClose": { "at": "never", "code": 4006 } }), "never"),
            (
                json!({ "messages": [{ "direction": "fromClient", "action": "withhold" }] }),
                "client messages",
            ),
            (
                json!({ "inject": [{ "at": "hello", "message": { "json": { "op": 1 } } }] }),
                "IDENTIFY",
            ),
            (
                json!({ "inject": [{ "at": "ready", "message": { "rawBinary": { "hex": "0" } } }] }),
                "hex",
            ),
            (json!({ "voice": { "heartbeatIntervalMs": 0 } }), "heartbeatIntervalMs"),
            (json!({ "downgrades": [{ "forMs": 600_001 }] }), "forMs"),
            (json!({ "serverMoves": [{ "variant": "sideways" }] }), "sideways"),
            (json!({ "serverMoves": [{ "pauseMs": 600_001 }] }), "pauseMs"),
            (json!({ "restLatencyMs": MAX_REST_LATENCY_MS + 1 }), "restLatencyMs"),
            (json!({ "restLatencyMs": -1 }), "-1"),
            (json!({ "restChances": [{ "outcome": { "failure": { "status": 404 } } }] }), "status"),
            (json!({ "restChances": [{ "outcome": { "delay": { "ms": 60_001 } } }] }), "jitterMs"),
            (json!({ "restChances": [{ "percent": 101, "outcome": { "reset": {} } }] }), "percent"),
            (json!({ "restChances": [{ "outcome": "explode" }] }), "explode"),
            (json!({ "restLimits": { "globalPerSecond": 0 } }), "globalPerSecond"),
            (json!({ "interactions": [{ "copies": 11 }] }), "copies"),
            (json!({ "interactions": [{ "kind": "ping" }] }), "ping"),
            (
                json!({ "rest": [{ "pathPrefix": "/", "status": 429, "times": 1, "carriedOut": true }] }),
                "carriedOut",
            ),
        ] {
            let refused = read(value.clone()).unwrap_err();
            assert!(refused.contains(word), "{value}: {refused}");
        }
    }
}
