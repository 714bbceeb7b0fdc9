//! Whether all is well, and if not, why.

use std::time::Duration;

use clawvoice_text::shell::gateway::{GatewayStatus, ShardStatus};
use clawvoice_voice::board::{BoardView, CallState};
use serde::Serialize;

use super::{AccountHealth, Health};

/// Heartbeats that were not answered for so long are late: Discord asks for one every 41 s.
const LATE: Duration = Duration::from_secs(100);

/// How the main gateway is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct GatewayHealth {
    /// READY or RESUMED, and not lost since: of every account.
    pub(crate) connected: bool,
    /// The same of any account: there is something to run for.
    #[serde(skip)]
    pub(crate) serves: bool,
    /// The newest heartbeat was answered, or is not yet overdue.
    pub(crate) heartbeats_answered: bool,
    /// Between the last heartbeat and its answer, ms.
    pub(crate) latency_ms: Option<f64>,
    /// Websockets opened after the first.
    pub(crate) reconnects: u64,
    /// Sessions that were resumed.
    pub(crate) resumed: u64,
    /// The code of the last close, if it had one.
    pub(crate) last_close: Option<u16>,
    /// Since the last event, ms.
    pub(crate) last_event_ms: Option<u64>,
    /// Dispatches that wait to be handled.
    pub(crate) queued: u64,
    /// Dispatches that were dropped because too many waited.
    pub(crate) dropped: u64,
}

impl GatewayHealth {
    /// From what the connection writes of itself.
    pub(crate) fn of(status: &GatewayStatus) -> Self {
        let sum = |of: fn(&ShardStatus) -> u64| status.shards.iter().map(of).sum();
        let is_answered = |shard: &ShardStatus| {
            // Before the first answer there is nothing to be late.
            let age = shard.heartbeat_ack_age.or(shard.ready_age);
            age.is_none_or(|age| age < LATE)
        };
        let events = status.shards.iter().filter_map(|shard| shard.event_age);
        let latencies = status.shards.iter().filter_map(|shard| shard.heartbeat_latency);
        Self {
            connected: status.is_connected(),
            serves: status.shards.iter().any(|shard| shard.connected),
            heartbeats_answered: status.shards.iter().all(is_answered),
            latency_ms: latencies.max().map(|latency| latency.as_secs_f64() * 1e3),
            reconnects: sum(|shard| shard.reconnects),
            resumed: sum(|shard| shard.resumed),
            last_close: status.shards.iter().find_map(|shard| shard.last_close_code),
            last_event_ms: events
                .min()
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            queued: status.queue_depth as u64,
            dropped: status.rejected_events,
        }
    }
}

/// Whether all is well.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// It is.
    pub(crate) ok: bool,
    /// What is not, one sentence each.
    pub(crate) problems: Vec<String>,
    /// Calls under way.
    pub(crate) calls: usize,
    /// The main gateways as if they were one.
    pub(crate) gateway: GatewayHealth,
    /// Each account that runs.
    pub(crate) accounts: Vec<AccountHealth>,
}

impl Verdict {
    pub(crate) fn of(health: Health, board: &BoardView) -> Self {
        let Health { gateway, accounts, .. } = health;
        let mut problems = Vec::new();
        if !gateway.connected {
            problems.push(match gateway.last_close {
                Some(code) => format!("not connected to Discord (it closed with {code})"),
                None => "not connected to Discord".to_owned(),
            });
        } else if !gateway.heartbeats_answered {
            problems.push("Discord does not answer heartbeats".to_owned());
        }
        for call in &board.calls {
            if let CallState::Interrupted { why } = &call.state {
                problems.push(format!(
                    "the call in channel {} of guild {} is interrupted: {why}",
                    call.channel, call.guild
                ));
            }
        }
        let calls = board.calls.iter().filter(|call| !call.state.is_over()).count();
        Self { ok: problems.is_empty(), problems, calls, gateway, accounts }
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{
        SessionTime,
        timeline::{Level, Record},
    };
    use clawvoice_voice::board::Board;

    use super::*;

    fn healthy() -> GatewayHealth {
        GatewayHealth { connected: true, heartbeats_answered: true, ..GatewayHealth::default() }
    }

    fn line(ms: u64, line: &'static str) -> Record {
        Record::new(SessionTime::from_millis(ms), Level::Info, line)
            .with("guild", "1")
            .with("channel", "5")
    }

    fn problems(gateway: &GatewayHealth, records: &[Record]) -> Vec<String> {
        let mut board = Board::default();
        for record in records {
            board.record(record);
        }
        let health = Health { gateway: gateway.clone(), ..Health::default() };
        Verdict::of(health, &board.view(SessionTime::from_millis(9), 0)).problems
    }

    #[test]
    fn health_is_what_happens_not_what_is_configured() {
        assert!(problems(&healthy(), &[]).is_empty());
        let silent = GatewayHealth { heartbeats_answered: false, ..healthy() };
        assert_eq!(problems(&silent, &[]), ["Discord does not answer heartbeats"]);
        let closed = GatewayHealth { connected: false, last_close: Some(4004), ..healthy() };
        assert_eq!(problems(&closed, &[]), ["not connected to Discord (it closed with 4004)"]);
    }

    #[test]
    fn an_account_that_is_refused_is_a_problem_and_takes_no_other_along() {
        let shard = |connected| ShardStatus { connected, ..ShardStatus::default() };
        let status =
            GatewayStatus { shards: vec![shard(false), shard(true)], ..GatewayStatus::default() };
        let health = GatewayHealth::of(&status);
        assert!(!health.connected && health.serves);
        assert_eq!(problems(&health, &[]), ["not connected to Discord"]);
        assert!(!GatewayHealth::of(&GatewayStatus::default()).serves);
    }

    #[test]
    fn a_broken_call_is_a_problem_until_it_is_over_or_back() {
        let broken = line(2, "voice connection interrupted").with("message", "resuming");
        let mut records = vec![line(0, "joining"), line(1, "joined"), broken];
        assert_eq!(
            problems(&healthy(), &records),
            ["the call in channel 5 of guild 1 is interrupted: resuming"]
        );
        records.push(line(3, "voice connection ready"));
        assert!(problems(&healthy(), &records).is_empty());
        records.push(line(4, "left"));
        assert!(problems(&healthy(), &records).is_empty());
    }
}
