//! Prometheus' text format, version 0.0.4.

use std::{
    fmt::{Display, Write as _},
    time::Duration,
};

use clawvoice_session::{agent::Usage, shell::spending::SpendingStatus};
use clawvoice_text::inbound::DropReason;
use clawvoice_voice::board::Totals;

use super::{Health, accounts::CredentialHealth};

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
    of_spending(&mut page, &health.spending);
    of_credentials(&mut page, &health.credentials);
    page.text
}

/// All accounts together.
fn of_text(page: &mut Page, health: &Health) {
    let texts = || health.accounts.iter().map(|account| &account.text);
    let answered: u64 = texts().map(|text| text.answered).sum();
    page.counter("text_answered_total", "Turns in text that were answered.", answered);
    let failed: u64 = texts().map(|text| text.failed).sum();
    page.counter("text_failed_total", "Turns in text that failed.", failed);
    let dropped = |reason: &DropReason| {
        let code = reason.code();
        (code, texts().filter_map(|text| text.drops.get(code)).sum())
    };
    let dropped = DropReason::ALL.iter().map(dropped);
    page.counters("text_dropped_total", "Messages that became no turn.", "reason", dropped);
}

/// How tokens and keys are used.
fn of_credentials(page: &mut Page, credentials: &CredentialHealth) {
    page.counters(
        "credential_uses_total",
        "Uses of tokens and keys, by how they were taken.",
        "answer",
        credentials.uses.iter().copied().filter(|(answer, _)| !answer.is_empty()),
    );
    page.counter("credential_anomalies_total", "Strange uses of one.", credentials.anomalies);
    page.counter("credential_reports_dropped_total", "Uses not noted.", credentials.dropped);
}

/// Turns of the agents, by the configured prices.
fn of_spending(page: &mut Page, spending: &SpendingStatus) {
    let Usage { input, cached, output } = spending.usage;
    let tokens = [("input", input), ("cached", cached), ("output", output)];
    page.counters("tokens_total", "Tokens; cached ones are input, too.", "kind", tokens);
    let cost = dollars(spending.nano_dollars);
    page.counter("cost_usd_total", "What they cost.", cost);
    let days = || spending.today.iter().map(|(agent, day)| (agent.as_str(), day));
    let spent = days().map(|(agent, day)| (agent, dollars(day.spent)));
    page.gauges("cost_today_usd", "What an agent has spent since midnight UTC.", "agent", spent);
    let budgets = days().filter_map(|(agent, day)| Some((agent, dollars(day.budget?))));
    page.gauges("cost_budget_usd", "What it may spend in a day.", "agent", budgets);
    page.counter("budget_refused_total", "Turns refused for want of budget.", spending.refused);
    let hits = spending.from_cache;
    page.counter("response_cache_hits_total", "Turns answered without asking a model.", hits);
}

fn dollars(nano_dollars: i64) -> f64 {
    nano_dollars as f64 / 1e9
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

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, "counter", help);
        let _ = writeln!(self.text, "clawvoice_{name} {value}");
    }

    /// One family with a label; values of a label need no escapes here.
    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'l str, u64)>,
    ) {
        self.family(name, "counter", help);
        self.labelled(name, label, values);
    }

    /// The same of gauges.
    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'l str, f64)>,
    ) {
        self.family(name, "gauge", help);
        self.labelled(name, label, values);
    }

    fn labelled<'l, V: Display>(
        &mut self,
        name: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'l str, V)>,
    ) {
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

    use clawvoice_session::shell::spending::AgentDay;

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
            spending: SpendingStatus {
                usage: Usage { input: 30, cached: 10, output: 4 },
                nano_dollars: 1_250_000_000,
                refused: 3,
                from_cache: 2,
                today: BTreeMap::from([
                    ("main".to_owned(), AgentDay { spent: 2_000_000_000, budget: None }),
                    ("ops".to_owned(), AgentDay { spent: 1, budget: Some(5_000_000_000) }),
                ]),
            },
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
        assert_eq!(kinds.remove("clawvoice_tokens_total"), Some(3));
        assert_eq!(kinds.remove("clawvoice_cost_today_usd"), Some(2));
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
            "clawvoice_tokens_total{kind=\"cached\"} 10",
            "clawvoice_cost_usd_total 1.25",
            "clawvoice_cost_today_usd{agent=\"main\"} 2",
            "clawvoice_cost_budget_usd{agent=\"ops\"} 5",
            "clawvoice_budget_refused_total 3",
            "clawvoice_response_cache_hits_total 2",
            "clawvoice_text_dropped_total{reason=\"stale-ambient-backlog\"} 0",
        ] {
            assert!(text.lines().any(|line| line == value), "{value}\n{text}");
        }
    }
}
