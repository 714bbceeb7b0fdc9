//! What the fault settings do on voice websockets: which message is dropped, held back, doubled,
//! damaged or added, and which websocket is closed when.

use std::collections::HashMap;

use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::{Value, json};

use super::{ConnectionId, Hub, MemberId, Output};
use crate::{
    fault::{
        Direction, FaultSettings, Injection, MessageAction, MessageFault, Step, VoiceClose,
        VoiceMessage, from_hex, seed_of,
    },
    voice::gateway::{ClientMessage, CloseCode, Connection, Frame, Payload},
};

/// Messages held back at once; beyond that they are dropped.
const MOST_HELD: usize = 4_096;
/// Tells the random sequences here from those of other faults with the same seed.
const SEQUENCE: u64 = 0x6d73_6773;
/// The tail of a message that corruption damages, bytes.
const TAGS: usize = 16;

/// To whom a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Numbered, and kept for a resume.
    Member(MemberId),
    /// An answer on this websocket only.
    Connection(ConnectionId),
}

/// When a held message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    At(u64),
    /// When this opcode has been sent to the same target.
    After(u8),
    /// When the settings change.
    Never,
}

#[derive(Debug)]
struct Held {
    release: Release,
    target: Target,
    payload: Payload,
}

#[derive(Debug)]
struct Tally {
    seen: u64,
    used: u64,
    dice: SmallRng,
}

/// Which list a tally belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum List {
    Closes,
    Messages,
    Injections,
}

/// What becomes of a client's message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Handled,
    /// Handled, and again so often after so many ms.
    Repeated {
        copies: u8,
        after_ms: u64,
    },
    /// Handled after so many ms.
    Delayed(u64),
    Dropped,
}

/// The websocket part of the fault settings at work.
#[derive(Default)]
pub(super) struct Interference {
    seed: u64,
    closes: Vec<VoiceClose>,
    messages: Vec<MessageFault>,
    injections: Vec<Injection>,
    /// Per list, rule and user; 0 is a websocket that has not said whose it is.
    tallies: HashMap<(List, usize, u64), Tally>,
    held: Vec<Held>,
    /// Client messages that are handled later.
    late: Vec<(u64, ConnectionId, ClientMessage)>,
    /// Websockets that will be closed, and when.
    closing: Vec<(u64, ConnectionId, CloseCode)>,
}

impl Interference {
    fn is_idle(&self) -> bool {
        self.closes.is_empty()
            && self.messages.is_empty()
            && self.injections.is_empty()
            && self.held.is_empty()
            && self.closing.is_empty()
    }

    /// When something held back is due, ms.
    pub(super) fn poll_timeout(&self) -> Option<u64> {
        let held = self.held.iter().filter_map(|held| match held.release {
            Release::At(at) => Some(at),
            _ => None,
        });
        let late = self.late.iter().map(|(at, ..)| *at);
        let closing = self.closing.iter().map(|(at, ..)| *at);
        held.chain(late).chain(closing).min()
    }

    /// Counts one occasion of a rule for a user; whether the rule is to act on it.
    fn take_turn(
        &mut self,
        (list, rule, user): (List, usize, u64),
        skip: u64,
        times: Option<u64>,
        percent: f64,
    ) -> bool {
        let seed = seed_of(self.seed, &[SEQUENCE, list as u64, rule as u64, user]);
        let tally = self.tallies.entry((list, rule, user)).or_insert_with(|| Tally {
            seen: 0,
            used: 0,
            dice: SmallRng::seed_from_u64(seed),
        });
        tally.seen += 1;
        let acts = tally.seen > skip
            && times.is_none_or(|times| tally.used < times)
            && tally.dice.random::<f64>() * 100.0 < percent;
        tally.used += u64::from(acts);
        acts
    }

    /// The rule for a message, and where it stands in the list.
    fn rule_for(
        &mut self,
        user: Option<u64>,
        direction: Direction,
        op: u8,
        d: &Value,
    ) -> Option<(usize, MessageAction)> {
        for index in 0..self.messages.len() {
            let rule = self.messages.get(index)?;
            let fits = rule.direction == direction
                && rule.op.is_none_or(|one| one == op)
                && (rule.user.is_none() || rule.user == user)
                && rule.about.is_none_or(|about| is_about(d, about));
            if !fits {
                continue;
            }
            let (skip, times, percent) = (rule.skip, rule.times, rule.percent);
            if self.take_turn((List::Messages, index, user.unwrap_or(0)), skip, times, percent) {
                let action = self.messages.get(index)?.action.clone();
                return Some((index, action));
            }
        }
        None
    }

    /// What is sent now instead of a message; the rest is held back or gone.
    fn handle_outgoing(
        &mut self,
        now_ms: u64,
        target: Target,
        user: Option<u64>,
        mut payload: Payload,
    ) -> (Vec<Payload>, Option<&'static str>) {
        let op = payload.opcode();
        let d = match &payload {
            Payload::Json { d, .. } => d,
            Payload::Binary { .. } => &Value::Null,
        };
        let Some((rule, action)) = self.rule_for(user, Direction::ToClient, op, d) else {
            return (vec![payload], None);
        };
        let name = Some(action.name());
        let hold = |release| Held { release, target, payload: payload.clone() };
        let sent = match action {
            MessageAction::Drop => Vec::new(),
            MessageAction::Delay { ms } => {
                let held = hold(Release::At(now_ms.saturating_add(ms)));
                self.keep(held);
                Vec::new()
            }
            MessageAction::After { op } => {
                let held = hold(Release::After(op));
                self.keep(held);
                Vec::new()
            }
            MessageAction::Withhold => {
                let held = hold(Release::Never);
                self.keep(held);
                Vec::new()
            }
            MessageAction::Duplicate { copies, after_ms: 0 } => {
                vec![payload; usize::from(copies) + 1]
            }
            MessageAction::Duplicate { copies, after_ms } => {
                for _ in 0..copies {
                    let held = hold(Release::At(now_ms.saturating_add(after_ms)));
                    self.keep(held);
                }
                vec![payload]
            }
            MessageAction::Corrupt { bits } => {
                let tally = self.tallies.get_mut(&(List::Messages, rule, user.unwrap_or(0)));
                if let (Payload::Binary { body, .. }, Some(tally)) = (&mut payload, tally) {
                    damage(&mut tally.dice, bits.max(1), body);
                }
                vec![payload]
            }
            MessageAction::Merge { fields } => {
                if let Payload::Json { d, .. } = &mut payload {
                    match d {
                        Value::Object(known) => known.extend(fields),
                        other => *other = Value::Object(fields),
                    }
                }
                vec![payload]
            }
        };
        (sent, name)
    }

    fn keep(&mut self, held: Held) {
        if self.held.len() < MOST_HELD {
            self.held.push(held);
        }
    }

    /// A member is gone: what was held back for it must not reach its next session.
    pub(super) fn forget(&mut self, member: MemberId) {
        self.held.retain(|held| held.target != Target::Member(member));
    }

    /// What waited for this opcode.
    fn released_by(&mut self, target: Target, op: u8) -> Vec<Payload> {
        let waits = |held: &mut Held| held.target == target && held.release == Release::After(op);
        self.held.extract_if(.., waits).map(|held| held.payload).collect()
    }

    /// Whether and with which code a step closes the websocket, and after how long.
    fn close_at(
        &mut self,
        user: Option<u64>,
        at: impl Fn(Step) -> bool,
    ) -> Option<(CloseCode, u64)> {
        for index in 0..self.closes.len() {
            let rule = self.closes.get(index)?.clone();
            if !at(rule.at) || (rule.user.is_some() && rule.user != user) {
                continue;
            }
            let key = (List::Closes, index, user.unwrap_or(0));
            if self.take_turn(key, rule.skip, Some(rule.times), 100.0) {
                return Some((CloseCode(rule.code), rule.after_ms));
            }
        }
        None
    }

    /// What is sent in addition after a step.
    fn injected_at(&mut self, user: u64, message: (Direction, u8)) -> Vec<VoiceMessage> {
        let mut found = Vec::new();
        for index in 0..self.injections.len() {
            let Some(rule) = self.injections.get(index).cloned() else { continue };
            let fits =
                rule.at.message() == Some(message) && rule.user.is_none_or(|one| one == user);
            if fits
                && self.take_turn(
                    (List::Injections, index, user),
                    rule.skip,
                    Some(rule.times),
                    100.0,
                )
            {
                found.push(rule.message);
            }
        }
        found
    }

    /// Whether nothing more may go to a websocket: its close is the next thing it sees.
    fn is_closing(&self, now_ms: u64, connection: ConnectionId) -> bool {
        self.closing.iter().any(|(at, one, _)| *one == connection && *at <= now_ms)
    }
}

/// Whether a message's data names a user.
fn is_about(d: &Value, user: u64) -> bool {
    let user = user.to_string();
    d["user_id"] == user.as_str()
        || d["user_ids"]
            .as_array()
            .is_some_and(|users| users.iter().any(|one| *one == user.as_str()))
}

/// Flips bits near the end.
fn damage(dice: &mut SmallRng, bits: u32, body: &mut [u8]) {
    let start = body.len().saturating_sub(TAGS);
    let Some(tail) = body.get_mut(start..).filter(|tail| !tail.is_empty()) else { return };
    for _ in 0..bits {
        let bit = dice.random_range(0..tail.len() * 8);
        if let Some(byte) = tail.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }
}

/// Whether a client that is closed with this code cannot resume.
fn ends_session(code: CloseCode) -> bool {
    code.0 >= 4_000 && code.0 != 4_015
}

impl Hub {
    /// Other fault settings are in force.
    pub(crate) fn handle_faults(&mut self, now_ms: u64, faults: &FaultSettings) {
        self.now_ms = now_ms;
        self.impair.configure(now_ms, faults.seed, &faults.udp, &faults.black_holes);
        self.sfu.reseed(faults.seed);
        self.sfu.mangler.configure(faults.seed, &faults.packets);
        self.behaviour = faults.voice.clone();
        self.lost_answers.clear();
        let before = std::mem::replace(
            &mut self.interference,
            Interference {
                seed: faults.seed,
                closes: faults.voice_close.clone(),
                messages: faults.messages.clone(),
                injections: faults.inject.clone(),
                ..Interference::default()
            },
        );
        self.interference.late = before.late;
        self.interference.closing = before.closing;
        for held in before.held {
            match held.release {
                Release::Never => self.pass_on(held.target, held.payload),
                Release::At(_) | Release::After(_) => self.interference.held.push(held),
            }
        }
        self.configure_groups();
        self.downgrades.configure(now_ms, &faults.downgrades);
        self.apply_downgrades(now_ms);
    }

    /// Sends a message, unless the faults have other plans for it.
    pub(super) fn interfere(&mut self, target: Target, payload: Payload) {
        if self.interference.is_idle() {
            return self.deliver(target, payload);
        }
        let op = payload.opcode();
        let user = self.user_of(target);
        let (sent, done) = self.interference.handle_outgoing(self.now_ms, target, user, payload);
        if let Some(name) = done {
            let user = user.map(|user| user.to_string());
            self.journal("fault", name, json!({ "user_id": user, "op": op, "direction": "out" }));
        }
        for payload in sent {
            self.pass_on(target, payload);
        }
    }

    /// Sends a message that no rule holds back any more, and what follows from that.
    fn pass_on(&mut self, target: Target, payload: Payload) {
        let op = payload.opcode();
        self.deliver(target, payload);
        if self.interference.is_idle() {
            return;
        }
        self.reach_step(target, (Direction::ToClient, op));
        for released in self.interference.released_by(target, op) {
            self.pass_on(target, released);
        }
    }

    /// Injects and closes what a message triggers. Whether the websocket is to be closed at once.
    fn reach_step(&mut self, target: Target, message: (Direction, u8)) -> bool {
        let user = self.user_of(target);
        if let (Some(user), Target::Member(id)) = (user, target) {
            for injected in self.interference.injected_at(user, message) {
                self.inject(id, &injected);
            }
        }
        let Some(connection) = self.connection_of(target) else { return false };
        self.plan_close(connection, user, message)
    }

    fn plan_close(
        &mut self,
        connection: ConnectionId,
        user: Option<u64>,
        message: (Direction, u8),
    ) -> bool {
        let at = |step: Step| step.message() == Some(message);
        let Some((code, after_ms)) = self.interference.close_at(user, at) else { return false };
        self.interference.closing.push((self.now_ms.saturating_add(after_ms), connection, code));
        after_ms == 0
    }

    /// Whether a websocket is closed before HELLO.
    pub(super) fn closes_at_open(&mut self) -> Option<CloseCode> {
        let (code, _) = self.interference.close_at(None, |step| step == Step::Open)?;
        Some(code)
    }

    /// What becomes of a message of a client.
    pub(super) fn fate_of(
        &mut self,
        connection: ConnectionId,
        user: Option<u64>,
        message: &ClientMessage,
    ) -> Fate {
        if self.interference.is_idle() {
            return Fate::Handled;
        }
        let Ok(op) = u8::try_from(message.opcode()) else { return Fate::Handled };
        if self.interference.is_closing(self.now_ms, connection)
            || self.plan_close(connection, user, (Direction::FromClient, op))
        {
            return Fate::Dropped;
        }
        let rule = self.interference.rule_for(user, Direction::FromClient, op, &Value::Null);
        let Some((_, action)) = rule else { return Fate::Handled };
        let user = user.map(|user| user.to_string());
        let data = json!({ "user_id": user, "op": op, "direction": "in" });
        self.journal("fault", action.name(), data);
        match action {
            MessageAction::Drop => Fate::Dropped,
            MessageAction::Delay { ms } => Fate::Delayed(ms),
            MessageAction::Duplicate { copies, after_ms } => Fate::Repeated { copies, after_ms },
            // Refused when the settings are checked.
            _ => Fate::Handled,
        }
    }

    /// A message of a client has been handled.
    pub(super) fn inject_after(&mut self, id: MemberId, op: u64) {
        if self.interference.is_idle() {
            return;
        }
        let Ok(op) = u8::try_from(op) else { return };
        for injected in self.interference.injected_at(id.1, (Direction::FromClient, op)) {
            self.inject(id, &injected);
        }
    }

    /// Handles a client's message later.
    pub(super) fn postpone(&mut self, ms: u64, connection: ConnectionId, message: ClientMessage) {
        if self.interference.late.len() < MOST_HELD {
            let at = self.now_ms.saturating_add(ms);
            self.interference.late.push((at, connection, message));
        }
    }

    /// A message of the control API's for a user, in every guild where it is connected. Whether
    /// there was one.
    pub(crate) fn handle_injection(
        &mut self,
        now_ms: u64,
        user: u64,
        message: &VoiceMessage,
    ) -> bool {
        self.now_ms = now_ms;
        let found: Vec<_> = self.members.keys().filter(|id| id.1 == user).copied().collect();
        for id in &found {
            self.inject(*id, message);
        }
        !found.is_empty()
    }

    fn inject(&mut self, id: MemberId, message: &VoiceMessage) {
        let frame = match message {
            VoiceMessage::Json { op, d } => {
                self.journal_injection(id, Some(*op));
                let payload = Payload::Json { op: *op, d: d.clone() };
                return self.deliver(Target::Member(id), payload);
            }
            VoiceMessage::Binary { op, hex } => {
                self.journal_injection(id, Some(*op));
                let payload = Payload::Binary { op: *op, body: from_hex(hex).unwrap_or_default() };
                return self.deliver(Target::Member(id), payload);
            }
            VoiceMessage::RawText { text } => Frame::Text(text.clone()),
            VoiceMessage::RawBinary { hex } => Frame::Binary(from_hex(hex).unwrap_or_default()),
        };
        self.journal_injection(id, None);
        if let Some(connection) = self.members.get(&id).and_then(|member| member.connection) {
            self.outputs.push_back(Output::Frame { connection, frame });
        }
    }

    fn journal_injection(&mut self, id: MemberId, op: Option<u8>) {
        let data = json!({ "user_id": id.1.to_string(), "op": op, "direction": "out" });
        self.journal("fault", "message_inject", data);
    }

    /// Sends, handles and closes what is due.
    pub(super) fn catch_up(&mut self, now_ms: u64) {
        let is_due = |held: &mut Held| matches!(held.release, Release::At(at) if at <= now_ms);
        let due: Vec<_> = self.interference.held.extract_if(.., is_due).collect();
        for held in due {
            self.pass_on(held.target, held.payload);
        }
        let late: Vec<_> =
            self.interference.late.extract_if(.., |(at, ..)| *at <= now_ms).collect();
        for (_, connection, message) in late {
            let result = self.handle_now(now_ms, connection, message);
            self.conclude(now_ms, connection, result);
        }
        self.close_due(now_ms);
    }

    /// Closes the websockets whose time has come.
    pub(super) fn close_due(&mut self, now_ms: u64) {
        let due: Vec<_> =
            self.interference.closing.extract_if(.., |(at, ..)| *at <= now_ms).collect();
        for (_, connection, code) in due {
            let Some(open) = self.connections.get(&connection) else { continue };
            let member = open.member();
            self.journal(
                "fault",
                "voice_close",
                json!({
                    "guild_id": member.map(|(guild, _)| guild.to_string()),
                    "user_id": member.map(|(_, user)| user.to_string()),
                    "code": code.0,
                }),
            );
            if let Some(id) = member {
                if ends_session(code) {
                    self.remove_member(now_ms, id, code);
                } else if let Some(member) = self.members.get_mut(&id) {
                    member.connection = None;
                    member.lost_ms = Some(now_ms);
                }
            }
            if self.connections.contains_key(&connection) {
                self.close(connection, code);
            }
        }
    }

    /// Whether a frame may still go to a websocket.
    pub(super) fn is_open(&self, connection: ConnectionId) -> bool {
        !self.interference.is_closing(self.now_ms, connection)
    }

    fn user_of(&self, target: Target) -> Option<u64> {
        match target {
            Target::Member(id) => Some(id.1),
            Target::Connection(connection) => {
                self.connections.get(&connection).and_then(Connection::member).map(|id| id.1)
            }
        }
    }

    fn connection_of(&self, target: Target) -> Option<ConnectionId> {
        match target {
            Target::Member(id) => self.members.get(&id)?.connection,
            Target::Connection(connection) => Some(connection),
        }
    }
}
