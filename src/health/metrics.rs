//! Prometheus' text format, version 0.0.4.

use std::{fmt::Write as _, time::Duration};

use clawvoice_voice::board::Totals;

use super::verdict::GatewayHealth;

/// Everything there is to scrape.
pub(super) fn text(totals: &Totals, gateway: &GatewayHealth, uptime: Duration) -> String {
    let mut page = Page::default();
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
    page.text
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

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP clawvoice_{name} {help}");
        let _ = writeln!(self.text, "# TYPE clawvoice_{name} {kind}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_its_type_before_its_one_value() {
        let gateway = GatewayHealth { latency_ms: Some(41.5), ..GatewayHealth::default() };
        let totals = Totals { joins: 7, ..Totals::default() };
        let text = text(&totals, &gateway, Duration::from_millis(1_500));
        let lines: Vec<&str> = text.lines().collect();
        for family in lines.chunks(3) {
            let [help, kind, value] = family else { panic!("three lines each: {family:?}") };
            let name = value.split(' ').next().unwrap();
            assert!(help.starts_with(&format!("# HELP {name} ")), "{help}");
            assert!(kind.starts_with(&format!("# TYPE {name} ")), "{kind}");
            assert_eq!(kind.ends_with(" counter"), name.ends_with("_total"), "{kind}");
        }
        for value in [
            "clawvoice_up_seconds 1.5",
            "clawvoice_gateway_latency_seconds 0.0415",
            "clawvoice_gateway_connected 0",
            "clawvoice_joins_total 7",
        ] {
            assert!(lines.contains(&value), "{value}\n{text}");
        }
    }
}
