//! A network that is not perfect, between the server and its clients.
//!
//! Sans-IO: packets go in with the time, come out when they are due, and everything random is
//! seeded. What is under way when the settings change still arrives.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

use rand::{Rng, SeedableRng, rngs::SmallRng};

use super::{
    BlackHole, GilbertElliott, HoleDirection, JitterDistribution, UdpFault,
    user::{Flow, seed_of},
};

/// IPv4 and UDP headers, bytes.
const IP_AND_UDP: u64 = 28;
/// How long a packet waits at most for its turn unless the rule says otherwise, ms.
const USUAL_QUEUE_MS: u64 = 200;
/// RTP header, bytes: corruption spares it, so that the packet is still taken for RTP.
const RTP_HEADER: usize = 12;
/// Packets under way at once; beyond that new ones are lost.
const MOST_UNDER_WAY: usize = 65_536;

/// A datagram from the server to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    /// Leaves from another UDP port than the one READY named.
    pub(crate) other_port: bool,
}

/// What was done how often, per flow.
pub(crate) type Counts = BTreeMap<(Flow, &'static str), u64>;

/// The network.
#[derive(Debug, Default)]
pub(crate) struct Impair {
    seed: u64,
    rules: Vec<UdpFault>,
    holes: Vec<Hole>,
    links: HashMap<(usize, Flow), Link>,
    /// When the line to a receiver is free again, µs, per rule and receiver.
    busy_until_us: HashMap<(usize, u64), u64>,
    /// By due time, ms, and order of arrival.
    under_way: BTreeMap<(u64, u64), Packet>,
    handled: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Hole {
    user: Option<u64>,
    direction: HoleDirection,
    until_ms: Option<u64>,
}

/// What one rule remembers of one flow.
#[derive(Debug)]
struct Link {
    bad: bool,
    /// The due time of the packet before, ms.
    last_due_ms: u64,
    loss: SmallRng,
    jitter: SmallRng,
    reorder: SmallRng,
    duplicate: SmallRng,
    corrupt: SmallRng,
}

impl Link {
    fn new(seed: u64, rule: usize, flow: Flow) -> Self {
        let dice = |stage: u64| {
            SmallRng::seed_from_u64(seed_of(seed, &[rule as u64, flow.from, flow.to, stage]))
        };
        Self {
            bad: false,
            last_due_ms: 0,
            loss: dice(1),
            jitter: dice(2),
            reorder: dice(3),
            duplicate: dice(4),
            corrupt: dice(5),
        }
    }

    /// One step of the two-state chain; whether this packet is lost.
    fn loses(&mut self, model: GilbertElliott) -> bool {
        let loss = if self.bad { model.loss_bad } else { model.loss_good };
        let lost = chance(&mut self.loss, loss);
        let turns = if self.bad { model.r } else { model.p };
        if chance(&mut self.loss, turns) {
            self.bad = !self.bad;
        }
        lost
    }

    fn jitter_ms(&mut self, rule: &UdpFault) -> u64 {
        if rule.jitter_ms <= 0.0 {
            return 0;
        }
        let share = match rule.jitter_distribution {
            JitterDistribution::Uniform => self.jitter.random::<f64>(),
            JitterDistribution::Exponential => {
                (-(1.0 - self.jitter.random::<f64>()).ln()).min(10.0)
            }
        };
        // Checked settings keep this far below the limits of both types.
        (share * rule.jitter_ms).round() as u64
    }
}

/// Whether something happens that happens in this share of cases. Always draws once.
fn chance(dice: &mut SmallRng, percent: f64) -> bool {
    dice.random::<f64>() * 100.0 < percent
}

impl Impair {
    /// Puts other settings in force: all random sequences, loss states and black holes begin anew.
    pub(crate) fn configure(
        &mut self,
        now_ms: u64,
        seed: u64,
        rules: &[UdpFault],
        holes: &[BlackHole],
    ) {
        self.seed = seed;
        self.rules = rules.to_vec();
        self.links.clear();
        self.busy_until_us.clear();
        self.holes = holes
            .iter()
            .map(|hole| Hole {
                user: hole.user,
                direction: hole.direction,
                until_ms: (hole.for_ms > 0).then(|| now_ms.saturating_add(hole.for_ms)),
            })
            .collect();
    }

    /// Whether packets can go out without coming through here.
    pub(crate) fn is_idle(&self) -> bool {
        self.rules.is_empty() && self.holes.is_empty() && self.under_way.is_empty()
    }

    /// Whether any black hole is set: only then is it worth asking [`Impair::swallows`].
    pub(crate) fn has_holes(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Whether a datagram from `user` disappears on its way to the server.
    pub(crate) fn swallows(&mut self, now_ms: u64, user: u64) -> bool {
        let swallowed = self.in_hole(now_ms, user, HoleDirection::FromUser);
        if swallowed {
            self.count(Flow { from: user, to: 0 }, "blackHole");
        }
        swallowed
    }

    fn in_hole(&self, now_ms: u64, user: u64, direction: HoleDirection) -> bool {
        self.holes.iter().any(|hole| {
            hole.user.is_none_or(|one| one == user)
                && (hole.direction == HoleDirection::Both || hole.direction == direction)
                && hole.until_ms.is_none_or(|until| now_ms < until)
        })
    }

    /// Takes a packet on its way; `from` is 0 for what the server itself has to say, which only
    /// black holes stop.
    pub(crate) fn handle_packet(&mut self, now_ms: u64, flow: Flow, packet: Packet) {
        if self.in_hole(now_ms, flow.to, HoleDirection::ToUser) {
            return self.count(flow, "blackHole");
        }
        let mut copies = vec![(now_ms, packet)];
        if flow.from != 0 {
            for rule in 0..self.rules.len() {
                if self.rules.get(rule).is_some_and(|one| flow.matches(one.from, one.to)) {
                    copies = self.apply(rule, flow, copies);
                }
            }
        }
        for (due_ms, packet) in copies {
            if self.under_way.len() >= MOST_UNDER_WAY {
                self.count(flow, "overflow");
                continue;
            }
            self.handled += 1;
            self.under_way.insert((due_ms, self.handled), packet);
        }
    }

    fn apply(
        &mut self,
        rule: usize,
        flow: Flow,
        packets: Vec<(u64, Packet)>,
    ) -> Vec<(u64, Packet)> {
        let seed = self.seed;
        let Some(settings) = self.rules.get(rule) else { return packets };
        let link = self.links.entry((rule, flow)).or_insert_with(|| Link::new(seed, rule, flow));
        let busy_until_us = self.busy_until_us.entry((rule, flow.to)).or_default();
        let mut out = Vec::with_capacity(packets.len());
        let mut count = |name| *self.counts.entry((flow, name)).or_default() += 1;
        for (at_ms, packet) in packets {
            if settings.gilbert_elliott.is_some_and(|model| link.loses(model)) {
                count("burstLoss");
                continue;
            }
            if settings.drop_percent > 0.0 && chance(&mut link.loss, settings.drop_percent) {
                count("loss");
                continue;
            }
            let Some(mut due_ms) = pass_bottleneck(settings, busy_until_us, at_ms, &packet) else {
                count("queueFull");
                continue;
            };
            if due_ms > at_ms {
                count("queued");
            }
            let jitter_ms = link.jitter_ms(settings);
            if jitter_ms > 0 {
                count("jitter");
            }
            due_ms += settings.delay_ms + jitter_ms;
            if !settings.jitter_reorders {
                due_ms = due_ms.max(link.last_due_ms);
                link.last_due_ms = due_ms;
            }
            if settings.reorder_percent > 0.0 && chance(&mut link.reorder, settings.reorder_percent)
            {
                count("reorder");
                due_ms += settings.reorder_ms;
            }
            let copies = if settings.duplicate_percent > 0.0
                && chance(&mut link.duplicate, settings.duplicate_percent)
            {
                count("duplicate");
                vec![(due_ms, packet.clone()), (due_ms + settings.duplicate_ms, packet)]
            } else {
                vec![(due_ms, packet)]
            };
            for (due_ms, mut packet) in copies {
                if settings.corrupt_percent > 0.0
                    && chance(&mut link.corrupt, settings.corrupt_percent)
                {
                    count("corrupt");
                    flip_bits(&mut link.corrupt, settings.corrupt_bits.max(1), &mut packet.bytes);
                }
                out.push((due_ms, packet));
            }
        }
        out
    }

    /// The next packet that is due, in order.
    pub(crate) fn poll_packet(&mut self, now_ms: u64) -> Option<Packet> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        Some(entry.remove())
    }

    /// When the next packet is due, ms.
    pub(crate) fn poll_timeout(&self) -> Option<u64> {
        self.under_way.first_key_value().map(|((due_ms, _), _)| *due_ms)
    }

    /// What was done since the last call.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Whether there is something to take.
    pub(crate) fn has_counts(&self) -> bool {
        !self.counts.is_empty()
    }

    fn count(&mut self, flow: Flow, name: &'static str) {
        *self.counts.entry((flow, name)).or_default() += 1;
    }
}

/// When the last bit has passed, ms (rounded up); `None` if the queue is full.
fn pass_bottleneck(
    rule: &UdpFault,
    busy_until_us: &mut u64,
    at_ms: u64,
    packet: &Packet,
) -> Option<u64> {
    if rule.bandwidth_kbps == 0 {
        return Some(at_ms);
    }
    let queue_ms = if rule.queue_ms == 0 { USUAL_QUEUE_MS } else { rule.queue_ms };
    let at_us = at_ms.saturating_mul(1_000);
    let starts_us = at_us.max(*busy_until_us);
    if starts_us - at_us > queue_ms * 1_000 {
        return None;
    }
    let bits = (packet.bytes.len() as u64 + IP_AND_UDP) * 8;
    *busy_until_us = starts_us + bits * 1_000 / u64::from(rule.bandwidth_kbps);
    Some(busy_until_us.div_ceil(1_000))
}

/// Flips bits behind the RTP header; a datagram without anything there stays as it is.
fn flip_bits(dice: &mut SmallRng, bits: u32, bytes: &mut [u8]) {
    let Some(body) = bytes.get_mut(RTP_HEADER..).filter(|body| !body.is_empty()) else { return };
    for _ in 0..bits {
        let bit = dice.random_range(0..body.len() * 8);
        if let Some(byte) = body.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOW: Flow = Flow { from: 1, to: 2 };

    fn packet(number: u64) -> Packet {
        let mut bytes = vec![0; 160];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Packet { to: ([127, 0, 0, 1], 9).into(), bytes, other_port: false }
    }

    fn network(seed: u64, rule: UdpFault) -> Impair {
        let mut impair = Impair::default();
        impair.configure(0, seed, &[rule], &[]);
        impair
    }

    /// Sends a packet every 20 ms; answers number and arrival of those that came, in order.
    fn run(impair: &mut Impair, flow: Flow, packets: u64) -> Vec<(u64, u64, Packet)> {
        let mut arrived = Vec::new();
        let mut collect = |impair: &mut Impair, now: u64| {
            while let Some(at) = impair.poll_timeout().filter(|at| *at <= now) {
                while let Some(packet) = impair.poll_packet(at) {
                    let number = u64::from_be_bytes(packet.bytes[..8].try_into().unwrap());
                    arrived.push((number, at, packet));
                }
            }
        };
        for number in 0..packets {
            let now = number * 20;
            collect(impair, now);
            impair.handle_packet(now, flow, packet(number));
        }
        collect(impair, u64::MAX);
        arrived
    }

    fn lost(arrived: &[(u64, u64, Packet)], packets: u64) -> Vec<bool> {
        let came: std::collections::BTreeSet<_> = arrived.iter().map(|one| one.0).collect();
        (0..packets).map(|number| !came.contains(&number)).collect()
    }

    #[test]
    fn nothing_set_nothing_happens() {
        let mut impair = Impair::default();
        assert!(impair.is_idle());
        impair.handle_packet(7, FLOW, packet(1));
        assert_eq!(impair.poll_timeout(), Some(7));
        assert_eq!(impair.poll_packet(6), None);
        assert_eq!(impair.poll_packet(7), Some(packet(1)));
        assert!(impair.is_idle() && impair.take_counts().is_empty());
    }

    #[test]
    fn independent_loss_is_seeded_and_of_the_size_asked_for() {
        for percent in [5.0, 10.0, 20.0] {
            let rule = UdpFault { drop_percent: percent, ..UdpFault::default() };
            let one = lost(&run(&mut network(7, rule.clone()), FLOW, 20_000), 20_000);
            let again = lost(&run(&mut network(7, rule.clone()), FLOW, 20_000), 20_000);
            let other = lost(&run(&mut network(8, rule.clone()), FLOW, 20_000), 20_000);
            assert_eq!(one, again);
            assert_ne!(one, other);
            let share = one.iter().filter(|lost| **lost).count() as f64 / 200.0;
            // Five standard deviations of a binomial distribution.
            let bound = 5.0 * (percent * (100.0 - percent) / 20_000.0).sqrt();
            assert!((share - percent).abs() < bound, "{share} for {percent}");
        }
    }

    #[test]
    fn what_a_flow_meets_does_not_depend_on_other_flows_or_faults() {
        let lossy = UdpFault { drop_percent: 20.0, ..UdpFault::default() };
        let alone = lost(&run(&mut network(3, lossy.clone()), FLOW, 500), 500);
        let mut busy = network(3, UdpFault { jitter_ms: 9.0, duplicate_percent: 50.0, ..lossy });
        for number in 0..100 {
            busy.handle_packet(0, Flow { from: 9, to: 2 }, packet(number));
        }
        while busy.poll_packet(1_000).is_some() {}
        assert_eq!(lost(&run(&mut busy, FLOW, 500), 500), alone);
    }

    #[test]
    fn gilbert_elliott_loses_in_bursts_of_the_expected_length() {
        let model = GilbertElliott { p: 2.0, r: 25.0, loss_good: 0.0, loss_bad: 100.0 };
        let rule = UdpFault { gilbert_elliott: Some(model), ..UdpFault::default() };
        let packets = 100_000;
        let lost = lost(&run(&mut network(1, rule), FLOW, packets), packets);
        let total = lost.iter().filter(|lost| **lost).count() as f64;
        let bursts = lost.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        // p / (p + r) = 7.4 %, 100 / r = 4 packets.
        assert!((0.066..0.082).contains(&(total / packets as f64)), "{total}");
        assert!((3.7..4.3).contains(&(total / bursts)), "{}", total / bursts);
    }

    #[test]
    fn the_states_of_gilbert_elliott_have_their_own_losses() {
        for (model, share) in [
            (GilbertElliott { p: 0.0, r: 0.0, loss_good: 0.0, loss_bad: 100.0 }, 0),
            (GilbertElliott { p: 0.0, r: 0.0, loss_good: 100.0, loss_bad: 0.0 }, 100),
            // The first packet meets the good state, all others the bad one.
            (GilbertElliott { p: 100.0, r: 0.0, loss_good: 0.0, loss_bad: 100.0 }, 99),
            // Every second one.
            (GilbertElliott { p: 100.0, r: 100.0, loss_good: 0.0, loss_bad: 100.0 }, 50),
        ] {
            let rule = UdpFault { gilbert_elliott: Some(model), ..UdpFault::default() };
            let arrived = run(&mut network(1, rule), FLOW, 100);
            assert_eq!(100 - arrived.len(), share, "{model:?}");
        }
    }

    #[test]
    fn delay_is_exact() {
        let rule = UdpFault { delay_ms: 35, ..UdpFault::default() };
        for (number, at, _) in run(&mut network(1, rule), FLOW, 50) {
            assert_eq!(at, number * 20 + 35);
        }
    }

    #[test]
    fn jitter_has_its_distribution_and_keeps_the_order_unless_told() {
        for (distribution, mean, most) in
            [(JitterDistribution::Uniform, 10.0, 20), (JitterDistribution::Exponential, 20.0, 200)]
        {
            let rule = UdpFault {
                jitter_ms: 20.0,
                jitter_distribution: distribution,
                jitter_reorders: true,
                ..UdpFault::default()
            };
            let arrived = run(&mut network(5, rule), FLOW, 20_000);
            let delays: Vec<u64> = arrived.iter().map(|(n, at, _)| at - n * 20).collect();
            let found = delays.iter().sum::<u64>() as f64 / delays.len() as f64;
            assert!((found - mean).abs() < 0.5, "{distribution:?}: {found}");
            assert!(delays.iter().all(|delay| *delay <= most));
        }
        let rule = UdpFault { jitter_ms: 80.0, ..UdpFault::default() };
        let in_order = run(&mut network(5, rule.clone()), FLOW, 2_000);
        assert!(in_order.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let rule = UdpFault { jitter_reorders: true, ..rule };
        let overtaking = run(&mut network(5, rule), FLOW, 2_000);
        assert!(overtaking.windows(2).any(|pair| pair[0].0 > pair[1].0));
        assert_eq!(overtaking.len(), 2_000);
    }

    #[test]
    fn reordered_packets_come_late_by_exactly_so_much() {
        let rule = UdpFault { reorder_percent: 10.0, reorder_ms: 50, ..UdpFault::default() };
        let arrived = run(&mut network(2, rule), FLOW, 1_000);
        assert_eq!(arrived.len(), 1_000);
        let late = arrived.iter().filter(|(number, at, _)| *at == number * 20 + 50).count();
        let prompt = arrived.iter().filter(|(number, at, _)| *at == number * 20).count();
        assert_eq!(late + prompt, 1_000);
        assert!((60..140).contains(&late), "{late}");
    }

    #[test]
    fn duplicates_are_equal_and_later() {
        let rule = UdpFault { duplicate_percent: 100.0, duplicate_ms: 5, ..UdpFault::default() };
        let arrived = run(&mut network(2, rule), FLOW, 10);
        let expected: Vec<_> = (0..10).flat_map(|n| [(n, n * 20), (n, n * 20 + 5)]).collect();
        let found: Vec<_> = arrived.iter().map(|(n, at, _)| (*n, *at)).collect();
        assert_eq!(found, expected);
        assert_eq!(arrived[0].2.bytes, arrived[1].2.bytes);
    }

    #[test]
    fn corruption_flips_so_many_bits_behind_the_header() {
        let rule = UdpFault { corrupt_percent: 100.0, corrupt_bits: 1, ..UdpFault::default() };
        for (number, _, found) in run(&mut network(2, rule), FLOW, 50) {
            let flipped: u32 = found
                .bytes
                .iter()
                .zip(packet(number).bytes)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            assert_eq!(flipped, 1);
            assert_eq!(found.bytes[..12], packet(number).bytes[..12]);
        }
        let mut short = network(2, UdpFault { corrupt_percent: 100.0, ..UdpFault::default() });
        let runt = Packet { bytes: vec![1; 12], ..packet(0) };
        short.handle_packet(0, FLOW, runt.clone());
        assert_eq!(short.poll_packet(0), Some(runt));
    }

    #[test]
    fn a_bottleneck_delays_then_drops_the_tail() {
        // 188 bytes at 94 kbit/s take exactly 16 ms.
        let rule = UdpFault { bandwidth_kbps: 94, queue_ms: 40, ..UdpFault::default() };
        let mut impair = network(1, rule);
        for number in 0..6 {
            impair.handle_packet(0, FLOW, packet(number));
        }
        let mut due = Vec::new();
        while let Some(at) = impair.poll_timeout() {
            impair.poll_packet(at).unwrap();
            due.push(at);
        }
        // Waits of 0, 16 and 32 ms fit into the queue; 48 does not.
        assert_eq!(due, [16, 32, 48]);
        assert_eq!(impair.take_counts()[&(FLOW, "queueFull")], 3);
        // Another sender shares the line to this receiver, but not the line to another one.
        impair.handle_packet(40, Flow { from: 3, to: 2 }, packet(0));
        impair.handle_packet(40, Flow { from: 3, to: 4 }, packet(0));
        assert!(impair.poll_packet(56).is_some());
        assert_eq!(impair.poll_timeout(), Some(64));
    }

    #[test]
    fn filters_choose_flows_and_rules_add_up() {
        let mut impair = Impair::default();
        let delayed = |from, to, delay_ms| UdpFault { from, to, delay_ms, ..UdpFault::default() };
        let rules = [delayed(Some(1), None, 10), delayed(None, Some(2), 100)];
        impair.configure(0, 1, &rules, &[]);
        for (from, to, due) in [(1, 2, 110), (1, 3, 10), (3, 2, 100), (3, 4, 0), (0, 2, 0)] {
            impair.handle_packet(0, Flow { from, to }, packet(1));
            assert_eq!(impair.poll_timeout(), Some(due), "{from} to {to}");
            assert!(impair.poll_packet(due).is_some());
        }
    }

    #[test]
    fn black_holes_have_a_direction_and_an_end() {
        let hole = |direction, for_ms| BlackHole { user: Some(2), direction, for_ms };
        let passes = |impair: &mut Impair, now, flow| {
            impair.handle_packet(now, flow, packet(1));
            impair.poll_packet(now).is_some()
        };
        for (direction, to_user, from_user) in [
            (HoleDirection::Both, true, true),
            (HoleDirection::ToUser, true, false),
            (HoleDirection::FromUser, false, true),
        ] {
            let mut impair = Impair::default();
            impair.configure(1_000, 1, &[], &[hole(direction, 500)]);
            for now in [1_000, 1_499] {
                assert_eq!(passes(&mut impair, now, FLOW), !to_user);
                assert_eq!(passes(&mut impair, now, Flow { from: 0, to: 2 }), !to_user);
                assert_eq!(impair.swallows(now, 2), from_user);
                assert!(
                    !impair.swallows(now, 1) && passes(&mut impair, now, Flow { from: 2, to: 1 })
                );
            }
            assert!(passes(&mut impair, 1_500, FLOW) && !impair.swallows(1_500, 2));
        }
        let mut impair = Impair::default();
        impair.configure(0, 1, &[], &[hole(HoleDirection::Both, 0)]);
        assert!(!passes(&mut impair, u64::MAX - 1, FLOW));
        impair.configure(0, 1, &[], &[]);
        assert!(passes(&mut impair, 0, FLOW));
    }

    #[test]
    fn what_is_under_way_outlives_a_change_of_settings() {
        let mut impair = network(1, UdpFault { delay_ms: 50, ..UdpFault::default() });
        impair.handle_packet(0, FLOW, packet(1));
        impair.configure(10, 1, &[], &[]);
        assert!(!impair.is_idle());
        assert_eq!(impair.poll_timeout(), Some(50));
        assert!(impair.poll_packet(50).is_some() && impair.is_idle());
    }
}
