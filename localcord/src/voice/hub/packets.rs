//! Datagrams: in from members, out over the network that the faults make of it, and their counts.

use std::{collections::BTreeMap, net::SocketAddr};

use serde_json::json;

use super::{Hub, Output, Way};
use crate::{
    fault::Packet,
    voice::sfu::{Datagram, Treatment, Verdict},
};

/// How often injected packet faults go into the journal, ms.
const FAULT_REPORT_MS: u64 = 1_000;

impl Hub {
    /// Whether RTP is wanted without its transport encryption, as [`Output::Captured`].
    pub(crate) fn set_capturing(&mut self, capturing: bool) {
        self.capturing = capturing;
    }

    /// A datagram.
    pub(crate) fn handle_datagram(
        &mut self,
        now_ms: u64,
        treatment: Treatment,
        from: SocketAddr,
        bytes: &[u8],
    ) {
        self.now_ms = now_ms;
        if self.capturing
            && let Some(rtp) = self.sfu.unsealed_from(bytes)
        {
            self.outputs.push_back(Output::Captured { way: Way::From(from), rtp });
        }
        if self.impair.has_holes()
            && let Some(user) = self.sfu.owner(from, bytes)
            && self.impair.swallows(now_ms, user)
        {
            return self.report_faults_later();
        }
        let mut datagrams = std::mem::take(&mut self.datagrams);
        let verdict = self.sfu.handle_datagram(treatment, from, bytes, &mut datagrams);
        for datagram in datagrams.drain(..) {
            self.send_datagram(now_ms, datagram);
        }
        self.datagrams = datagrams;
        for (ssrc, address) in std::mem::take(&mut self.sfu.moved) {
            let Some((guild, user)) = self.by_ssrc.get(&ssrc).copied() else { continue };
            let (guild, user) = (guild.to_string(), user.to_string());
            let address = address.to_string();
            let data = json!({ "guild_id": guild, "user_id": user, "address": address });
            self.journal("udp", "moved", data);
        }
        self.report_faults_later();
        self.next_report_ms.get_or_insert(now_ms + self.settings.report_interval_ms);
        if let Verdict::NotSpeaking { ssrc } = verdict
            && let Some(member) = self.by_ssrc.get(&ssrc).and_then(|id| self.members.get_mut(id))
        {
            member.early_rtp_ms.get_or_insert(now_ms);
        }
    }

    /// Sends a datagram over the network that the faults make of it.
    fn send_datagram(&mut self, now_ms: u64, datagram: Datagram) {
        let Datagram { flow, packet } = datagram;
        if flow.from == 0 {
            let lost = self.lost_answers.entry(flow.to).or_default();
            if *lost < self.behaviour.lost_discovery_answers {
                *lost += 1;
                return self.sfu.mangler.count(flow, "lostDiscoveryAnswer");
            }
        }
        if self.impair.is_idle() {
            return self.emit(packet);
        }
        self.impair.handle_packet(now_ms, flow, packet);
        self.release_packets(now_ms);
    }

    pub(super) fn release_packets(&mut self, now_ms: u64) {
        while let Some(packet) = self.impair.poll_packet(now_ms) {
            self.emit(packet);
        }
    }

    /// Puts a datagram on the wire.
    fn emit(&mut self, packet: Packet) {
        let Packet { to, bytes, other_port } = packet;
        if self.capturing
            && let Some(rtp) = self.sfu.unsealed_to(to, &bytes)
        {
            self.outputs.push_back(Output::Captured { way: Way::To { to, other_port }, rtp });
        }
        self.outputs.push_back(Output::Datagram { to, bytes, other_port });
    }

    fn report_faults_later(&mut self) {
        if self.impair.has_counts() || self.sfu.mangler.has_counts() {
            self.next_fault_report_ms.get_or_insert(self.now_ms + FAULT_REPORT_MS);
        }
    }

    /// Injected packet faults of the last second, one entry per sender and receiver.
    pub(super) fn report_faults(&mut self) {
        let mut flows: BTreeMap<_, BTreeMap<&'static str, u64>> = BTreeMap::new();
        for counts in [self.impair.take_counts(), self.sfu.mangler.take_counts()] {
            for ((flow, name), count) in counts {
                *flows.entry(flow).or_default().entry(name).or_default() += count;
            }
        }
        for (flow, counts) in flows {
            let (from, to) = (flow.from.to_string(), flow.to.to_string());
            self.journal("fault", "udp", json!({ "from": from, "to": to, "counts": counts }));
        }
    }

    pub(super) fn report(&mut self) {
        for (ssrc, counts) in self.sfu.take_counts() {
            let Some((guild, user)) = self.by_ssrc.get(&ssrc).copied() else { continue };
            self.journal(
                "udp",
                "counts",
                json!({
                    "guild_id": guild.to_string(),
                    "user_id": user.to_string(),
                    "ssrc": ssrc,
                    "counts": counts,
                }),
            );
        }
        let strays = std::mem::take(&mut self.sfu.strays);
        if strays > 0 {
            self.journal("udp", "strays", json!({ "datagrams": strays }));
        }
    }
}
