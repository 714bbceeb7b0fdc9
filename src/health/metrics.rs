//! Prometheus' text format, version 0.0.4.

use std::{fmt::Write as _, time::Duration};

use clawvoice_text::inbound::DropReason;
use clawvoice_voice::board::Totals;

use super::Health;

/// Everything there is to scrape.
pub(super) fn text(totals: &Totals, health: &Health, uptime: Duration) -> String {
    let mut page = Page::default();
    let gateway = &health.gateway;
    let Totals { flow, .. } = totals;
    page.gauge("up_seconds", "Since the process began.", uptime.as_secs_f64());
    page.gauge("gateway_connected", "1 while Discord's gateway is.", flag(gateway.connected));
    page.gauge(
        "gateway_heartbeats_answered",
        "1 while Discord answers them.",
        flag(gateway.heartbeats_answered),
    );
    if let Some(latency) = gateway.latency_ms {
        page.gauge("gateway_latency_seconds", "Heartbeat to its answer.", latency / 1e3);
    }
    page.counter("gateway_reconnects_total", "Websockets after the first.", gateway.reconnects);
    page.counter("gateway_resumes_total", "Sessions resumed.", gateway.resumed);
    page.gauge("gateway_queue", "Dispatches that wait.", gateway.queued as f64);
    page.counter("gateway_dropped_total", "Dispatches dropped.", gateway.dropped);
    page.gauge("calls", "Calls under way.", totals.calls as f64);
    page.gauge("present", "People in them.", totals.present as f64);
    page.gauge("speaking", "Of these, who is sending.", totals.speaking as f64);
    page.counter("joins_total", "Joins that reached media.", totals.joins);
    page.counter("joins_failed_total", "Joins that did not.", totals.failed_joins);
    page.counter("answers_total", "Answers that began to be heard.", totals.answers);
    page.counter("interruptions_total", "Answers ended by a speaker.", totals.interruptions);
    page.counter("dismissed_total", "Sounds that only paused an answer.", totals.dismissed);
    page.counter("warnings_total", "Timeline records of level warn.", totals.warnings);
    page.counter("packets_received_total", "Voice datagrams received.", flow.received);
    page.counter("packets_delivered_total", "Voice packets decoded.", flow.delivered);
    page.counter("packets_lost_total", "Voice packets that never came.", flow.lost);
    page.counter("packets_late_total", "Voice packets too late to be heard.", flow.late);
    page.counter("frames_undecryptable_total", "Frames no key opened.", flow.undecryptable);
    page.counter("frames_sent_total", "Frames of the agent.", flow.sent);
    of_text(&mut page, health);
    let credentials = &health.credentials;
    page.counters(
        "credential_uses_total",
        "Uses of tokens and keys, by how they were taken.",
        "answer",
        credentials.uses.iter().copied().filter(|(answer, _)| !answer.is_empty()),
    );
    page.counter("credential_anomalies_total", "Strange uses of one.", credentials.anomalies);
    page.counter("credential_reports_dropped_total", "Uses not noted.", credentials.dropped);
    page.text
}

/// All accounts together.
fn of_text(page: &mut Page, health: &Health) {
    let texts = || health.accounts.iter().map(|account| &account.text);
    let answered = texts().map(|text| text.answered).sum();
    page.counter("text_answered_total", "Turns in text that were answered.", answered);
    let failed = texts().map(|text| text.failed).sum();
    page.counter("text_failed_total", "Turns in text that failed.", failed);
    let dropped = |reason: &DropReason| {
        let code = reason.code();
        (code, texts().filter_map(|text| text.drops.get(code)).sum())
    };
    let dropped = DropReason::ALL.iter().map(dropped);
    page.counters("text_dropped_total", "Messages that became no turn.", "reason", dropped);
}

fn flag(is_set: bool) -> f64 {
    if is_set { 1.0 } else { 0.0 }
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        let _ = writeln!(self.text, "clawvoice_{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, "counter", help);
        let _ = writeln!(self.text, "clawvoice_{name} {value}");
    }

    /// One family with a label; values of a label need no escapes here.
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.family(name, "counter", help);
        for (of, value) in values {
            let _ = writeln!(self.text, "clawvoice_{name}{{{label}=\"{of}\"}} {value}");
        }
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP clawvoice_{name} {help}");
        let _ = writeln!(self.text, "# TYPE clawvoice_{name} {kind}");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        super::{
            AccountHealth, GatewayHealth,
            accounts::{CredentialHealth, TextHealth},
        },
        *,
    };

    #[test]
    fn every_family_has_its_type_before_its_values() {
        let text = |drops: &[(&'static str, u64)], answered| AccountHealth {
            text: TextHealth {
                drops: drops.iter().copied().collect(),
                answered,
                ..TextHealth::default()
            },
            ..AccountHealth::default()
        };
        let health = Health {
            gateway: GatewayHealth { latency_ms: Some(41.5), ..GatewayHealth::default() },
            accounts: vec![text(&[("no-mention", 3)], 2), text(&[("no-mention", 1)], 5)],
            credentials: CredentialHealth {
                uses: [("ok", 9), ("refused", 1), ("unknown", 0)],
                dropped: 2,
                anomalies: 1,
            },
        };
        let totals = Totals { joins: 7, ..Totals::default() };
        let text = super::text(&totals, &health, Duration::from_millis(1_500));
        let mut kinds = BTreeMap::new();
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert!(text.contains(&format!("# HELP {name} ")), "{name}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
                assert!(kinds.insert(name, 0).is_none(), "{name} twice");
            } else if !line.starts_with('#') {
                let name = line.split([' ', '{']).next().unwrap();
                *kinds.get_mut(name).unwrap_or_else(|| panic!("{name} has no type yet")) += 1;
            }
        }
        let reasons = kinds.remove("clawvoice_text_dropped_total");
        assert_eq!(reasons, Some(DropReason::ALL.len()));
        assert_eq!(kinds.remove("clawvoice_credential_uses_total"), Some(3));
        assert!(kinds.values().all(|values| *values == 1), "{kinds:?}");
        for value in [
            "clawvoice_up_seconds 1.5",
            "clawvoice_gateway_latency_seconds 0.0415",
            "clawvoice_gateway_connected 0",
            "clawvoice_joins_total 7",
            "clawvoice_text_answered_total 7",
            "clawvoice_credential_uses_total{answer=\"refused\"} 1",
            "clawvoice_credential_anomalies_total 1",
            "clawvoice_credential_reports_dropped_total 2",
            "clawvoice_text_failed_total 0",
            "clawvoice_text_dropped_total{reason=\"no-mention\"} 4",
            "clawvoice_text_dropped_total{reason=\"stale-ambient-backlog\"} 0",
        ] {
            assert!(text.lines().any(|line| line == value), "{value}\n{text}");
        }
    }
}
