//! The hub driven by hand-written messages, in virtual time.

mod faults;

use rand::SeedableRng;
use serde_json::from_str;

use super::*;
use crate::voice::{
    sfu::Treatment,
    transport::{Additions, Cipher, DISCOVERY_LENGTH, Mode, Opened, seal},
};

const GUILD: u64 = 1;
const VOICE: u64 = 10;
const STAGE: u64 = 11;

fn ticket(user: u64, channel: u64) -> Ticket {
    Ticket {
        guild_id: GUILD,
        channel_id: channel,
        user_id: user,
        session_id: format!("session {user}"),
        token: format!("token {user}"),
        dave: channel != STAGE,
    }
}

fn identify(user: u64) -> Value {
    json!({ "op": 0, "d": {
        "server_id": GUILD.to_string(),
        "user_id": user.to_string(),
        "session_id": format!("session {user}"),
        "token": format!("token {user}"),
        "max_dave_protocol_version": 1,
    } })
}

fn resume(user: u64, seq_ack: i64) -> Value {
    json!({ "op": 7, "d": {
        "server_id": GUILD.to_string(),
        "session_id": format!("session {user}"),
        "token": format!("token {user}"),
        "seq_ack": seq_ack,
    } })
}

fn select(port: u16, mode: Mode) -> Value {
    json!({ "op": 1, "d": {
        "protocol": "udp",
        "data": { "address": "127.0.0.1", "port": port, "mode": mode.name() },
    } })
}

/// What one connection was sent.
#[derive(Clone, PartialEq)]
enum Seen {
    Json(Value),
    Binary(Vec<u8>),
    Closed(u16),
}

impl Seen {
    fn op(&self) -> u64 {
        match self {
            Self::Json(value) => value["op"].as_u64().unwrap(),
            Self::Binary(bytes) => bytes[2].into(),
            Self::Closed(code) => (*code).into(),
        }
    }
}

struct Bench {
    hub: Hub,
    now_ms: u64,
    seen: BTreeMap<ConnectionId, Vec<Seen>>,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    journal: Vec<(&'static str, &'static str, Value)>,
}

impl Bench {
    fn new(settings: VoiceSettings) -> Self {
        let udp = ([127, 0, 0, 1], 5_000).into();
        let mut hub = Hub::new(settings, udp, StdRng::seed_from_u64(1));
        for (user, channel) in [(1, VOICE), (2, VOICE), (3, VOICE), (4, STAGE), (5, STAGE)] {
            hub.handle_ticket(0, ticket(user, channel));
        }
        let mut bench =
            Self { hub, now_ms: 0, seen: BTreeMap::new(), sent: Vec::new(), journal: Vec::new() };
        bench.drain();
        bench
    }

    fn quiet() -> Self {
        Self::new(VoiceSettings { undocumented_opcodes: false, ..VoiceSettings::default() })
    }

    fn drain(&mut self) {
        while let Some(output) = self.hub.poll_output() {
            let (connection, seen) = match output {
                Output::Frame { connection, frame: Frame::Text(text) } => {
                    (connection, Seen::Json(from_str(&text).unwrap()))
                }
                Output::Frame { connection, frame: Frame::Binary(bytes) } => {
                    (connection, Seen::Binary(bytes))
                }
                Output::Close { connection, code } => (connection, Seen::Closed(code.0)),
                Output::Datagram { to, bytes, .. } => {
                    self.sent.push((to, bytes));
                    continue;
                }
                Output::Captured { .. } => continue,
                Output::Journal { kind, name, data } => {
                    self.journal.push((kind, name, data));
                    continue;
                }
            };
            self.seen.entry(connection).or_default().push(seen);
        }
    }

    fn open(&mut self, id: ConnectionId, version: u16) {
        self.hub.handle_open(self.now_ms, id, Some(version));
        self.drain();
    }

    fn text(&mut self, id: ConnectionId, message: &Value) {
        self.hub.handle_text(self.now_ms, id, &message.to_string());
        self.drain();
    }

    fn binary(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.hub.handle_binary(self.now_ms, id, bytes);
        self.drain();
    }

    /// Opens, identifies and selects; the connection has the user's number.
    fn join(&mut self, user: u64) {
        self.open(user, 8);
        self.text(user, &identify(user));
        self.text(user, &select(6_000 + user as u16, Mode::Aes256Gcm));
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.hub.handle_timeout(self.now_ms);
        self.drain();
    }

    fn take(&mut self, id: ConnectionId) -> Vec<Seen> {
        self.seen.remove(&id).unwrap_or_default()
    }

    fn ops(&mut self, id: ConnectionId) -> Vec<u64> {
        self.take(id).iter().map(Seen::op).collect()
    }

    /// SSRC and key a user was given.
    fn media(&self, user: u64) -> (u32, [u8; 32]) {
        let member = &self.hub.members[&(GUILD, user)];
        (member.ssrc, member.key)
    }

    fn rtp(&mut self, user: u64) {
        let (ssrc, key) = self.media(user);
        let mut rest = [0; 10];
        rest[6..].copy_from_slice(&ssrc.to_be_bytes());
        let packet = Opened { second: 0x78, rest, payload: vec![0xF8, 0xFF, 0xFE] };
        let cipher = Cipher::new(Mode::Aes256Gcm, &key);
        let wire = seal(&cipher, 1, &packet, Additions::default()).unwrap();
        let from = ([127, 0, 0, 1], 6_000 + user as u16).into();
        self.hub.handle_datagram(self.now_ms, Treatment::default(), from, &wire);
        self.drain();
    }
}

#[test]
fn the_handshake_in_order() {
    let mut bench = Bench::quiet();
    bench.open(1, 8);
    assert!(
        bench.take(1)
            == [Seen::Json(json!({ "op": 8, "d": { "v": 8, "heartbeat_interval": 13_750 } }))]
    );
    bench.text(1, &identify(1));
    let Some(Seen::Json(ready)) = bench.take(1).pop() else { panic!("no READY") };
    assert_eq!(ready["op"], 2);
    assert_eq!(ready["d"]["ssrc"], bench.media(1).0);
    assert_eq!(ready["d"]["ip"], "127.0.0.1");
    assert_eq!(ready["d"]["port"], 5_000);
    assert_eq!(
        ready["d"]["modes"],
        json!(["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"])
    );
    bench.text(1, &select(6_001, Mode::XChaCha20Poly1305));
    let seen = bench.take(1);
    let [Seen::Json(description), Seen::Binary(sender)] = &seen[..] else { panic!("op 4 and 25") };
    assert_eq!(description["op"], 4);
    assert_eq!(description["seq"], 1);
    assert_eq!(description["d"]["mode"], "aead_xchacha20_poly1305_rtpsize");
    assert_eq!(description["d"]["secret_key"], json!(bench.media(1).1));
    assert_eq!(description["d"]["dave_protocol_version"], 1);
    assert_eq!(sender[..3], [0, 2, 25]);
    assert_eq!(sender.len(), 3 + 71);
}

#[test]
fn those_present_and_speaking_are_introduced() {
    let mut bench = Bench::quiet();
    bench.join(1);
    let ssrc = bench.media(1).0;
    bench.text(1, &json!({ "op": 5, "d": { "speaking": 1, "delay": 0, "ssrc": ssrc } }));
    bench.take(1);
    bench.join(2);
    assert_eq!(bench.ops(2), [8, 2, 11, 5, 4, 25]);
    assert!(
        bench.take(1) == [Seen::Json(json!({ "op": 11, "d": { "user_ids": ["2"] }, "seq": 3 }))]
    );
    bench.text(2, &json!({ "op": 5, "d": { "speaking": 1 } }));
    let speaking = json!({ "user_id": "2", "ssrc": bench.media(2).0, "speaking": 1 });
    assert!(bench.take(1) == [Seen::Json(json!({ "op": 5, "d": speaking, "seq": 4 }))]);
    assert!(bench.take(2).is_empty());
    // Nobody is told that somebody stopped.
    bench.text(2, &json!({ "op": 5, "d": { "speaking": 0 } }));
    assert!(bench.take(1).is_empty());
    bench.hub.handle_dismissal(bench.now_ms, GUILD, 2, 4014);
    bench.drain();
    assert_eq!(bench.ops(2), [4014]);
    assert!(bench.take(1) == [Seen::Json(json!({ "op": 13, "d": { "user_id": "2" }, "seq": 5 }))]);
}

#[test]
fn announcing_a_foreign_ssrc_announces_nothing() {
    let mut bench = Bench::quiet();
    bench.join(1);
    let foreign = bench.media(1).0 + 1;
    bench.text(1, &json!({ "op": 5, "d": { "speaking": 1, "delay": 0, "ssrc": foreign } }));
    bench.join(2);
    assert_eq!(bench.ops(2), [8, 2, 11, 4, 25]);
}

#[test]
fn the_undocumented_opcodes_come_by_default() {
    let mut bench = Bench::new(VoiceSettings::default());
    bench.join(1);
    bench.take(1);
    bench.join(2);
    assert_eq!(bench.ops(1), [11, 18, 20]);
    assert_eq!(bench.ops(2), [8, 2, 11, 18, 20, 4, 25]);
}

#[test]
fn what_is_refused_with_which_code() {
    let with = |field: &str, value: Value| {
        let mut message = identify(1);
        message["d"][field] = value;
        message
    };
    let cases: Vec<(&str, Vec<Value>, u16)> = vec![
        ("another guild", vec![with("server_id", "77".into())], 4011),
        ("nobody admitted", vec![with("user_id", "77".into())], 4004),
        ("wrong token", vec![with("token", "x".into())], 4004),
        ("wrong session", vec![with("session_id", "x".into())], 4006),
        ("no DAVE", vec![with("max_dave_protocol_version", 0.into())], 4017),
        ("DAVE not named", vec![with("max_dave_protocol_version", Value::Null)], 4017),
        ("identify twice", vec![identify(1), identify(1)], 4005),
        ("resume after identify", vec![identify(1), resume(1, 0)], 4005),
        ("resume of nothing", vec![resume(1, 0)], 4006),
        ("unknown opcode", vec![identify(1), json!({ "op": 99 })], 4001),
        ("a server opcode", vec![identify(1), json!({ "op": 2, "d": {} })], 4001),
        ("malformed", vec![identify(1), json!({ "op": 5, "d": 3 })], 4002),
        ("not authenticated", vec![json!({ "op": 5, "d": { "speaking": 1 } })], 4003),
        ("select first", vec![select(1, Mode::Aes256Gcm)], 4003),
    ];
    for (what, messages, code) in cases {
        let mut bench = Bench::quiet();
        bench.open(1, 8);
        for message in &messages {
            bench.text(1, message);
        }
        assert!(bench.take(1).last() == Some(&Seen::Closed(code)), "{what}");
        assert!(bench.hub.connections.is_empty(), "{what}");
        assert!(bench.hub.members.is_empty(), "{what}");
    }
}

#[test]
fn what_select_protocol_refuses() {
    for (path, value, code) in [
        ("/d/protocol", "webrtc", 4012),
        ("/d/data/mode", "xsalsa20_poly1305", 4016),
        ("/d/data/address", "nowhere", 4002),
    ] {
        let mut bench = Bench::quiet();
        bench.open(1, 8);
        bench.text(1, &identify(1));
        let mut message = select(6_001, Mode::Aes256Gcm);
        *message.pointer_mut(path).unwrap() = value.into();
        bench.text(1, &message);
        assert!(bench.take(1).last() == Some(&Seen::Closed(code)), "{path}");
    }
    let mut bench = Bench::new(VoiceSettings { offer_aes: false, ..VoiceSettings::default() });
    bench.open(1, 8);
    bench.text(1, &identify(1));
    bench.text(1, &select(6_001, Mode::Aes256Gcm));
    assert!(bench.take(1).last() == Some(&Seen::Closed(4016)));
}

#[test]
fn select_protocol_comes_again_for_another_address_or_mode() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.take(1);
    let key = bench.media(1).1;
    for (port, mode) in [
        (6_101, Mode::Aes256Gcm),
        (6_101, Mode::XChaCha20Poly1305),
        (6_102, Mode::XChaCha20Poly1305),
    ] {
        bench.text(1, &select(port, mode));
        let seen = bench.take(1);
        let [Seen::Json(description)] = &seen[..] else { panic!("one op 4") };
        assert_eq!(description["op"], 4);
        assert_eq!(description["d"]["mode"], mode.name());
        assert_eq!(description["d"]["secret_key"], json!(key));
        assert_eq!(description["d"]["dave_protocol_version"], 1);
    }
    bench.text(1, &select(6_103, Mode::Aes256Gcm));
    bench.take(1);
    let mut message = select(6_103, Mode::Aes256Gcm);
    *message.pointer_mut("/d/data/mode").unwrap() = "xsalsa20_poly1305".into();
    bench.text(1, &message);
    assert!(bench.take(1) == [Seen::Closed(4016)]);
}

#[test]
fn versions_below_four_and_unknown_ones_are_refused() {
    for version in [None, Some(3), Some(9)] {
        let mut bench = Bench::quiet();
        bench.hub.handle_open(0, 1, version);
        bench.drain();
        assert!(bench.take(1) == [Seen::Closed(4012)], "{version:?}");
    }
}

#[test]
fn json_as_binary_is_ignored_and_foreign_binary_is_not() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.take(1);
    bench.binary(1, br#"{"op":3,"d":{"t":1}}"#);
    assert!(bench.take(1).is_empty());
    bench.binary(1, &[26, 1, 2, 3]); // no key package
    assert!(bench.take(1) == [Seen::Closed(4002)]);
    bench.join(2);
    bench.take(2);
    bench.binary(2, &[25]);
    assert!(bench.take(2) == [Seen::Closed(4001)]);
}

#[test]
fn version_four_has_bare_heartbeats_and_no_sequence_numbers() {
    let mut bench = Bench::quiet();
    bench.open(1, 4);
    bench.text(1, &identify(1));
    bench.text(1, &select(6_001, Mode::Aes256Gcm));
    bench.text(1, &json!({ "op": 3, "d": 77 }));
    let seen = bench.take(1);
    assert!(seen.iter().all(|seen| match seen {
        Seen::Json(value) => value.get("seq").is_none(),
        Seen::Binary(bytes) => bytes[0] == 25 && bytes.len() == 1 + 71,
        Seen::Closed(_) => false,
    }));
    assert!(seen.last() == Some(&Seen::Json(json!({ "op": 6, "d": 77 }))));
    // What is missed is lost.
    bench.hub.handle_cut(bench.now_ms, GUILD, 1, 4015);
    bench.join(2);
    bench.take(1);
    bench.open(9, 4);
    bench.text(
        9,
        &json!({ "op": 7, "d": {
        "server_id": "1", "session_id": "session 1", "token": "token 1",
    } }),
    );
    assert_eq!(bench.ops(9), [8, 9]);
}

#[test]
fn silence_is_closed_with_4009_and_cannot_be_resumed() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.pass(20_000);
    bench.text(1, &json!({ "op": 3, "d": { "t": 5, "seq_ack": 1 } }));
    assert!(bench.take(1).last() == Some(&Seen::Json(json!({ "op": 6, "d": { "t": 5 } }))));
    assert_eq!(bench.hub.poll_timeout(), Some(27_500));
    bench.pass(7_500);
    assert!(bench.take(2).last() == Some(&Seen::Closed(4009)));
    assert_eq!(bench.ops(1), [13]);
    bench.open(9, 8);
    bench.text(9, &resume(2, 0));
    assert!(bench.take(9).last() == Some(&Seen::Closed(4006)));
}

#[test]
fn a_resume_replays_what_was_missed_in_either_order() {
    for replay_before_resumed in [false, true] {
        let mut bench = Bench::new(VoiceSettings {
            undocumented_opcodes: false,
            replay_before_resumed,
            ..VoiceSettings::default()
        });
        bench.join(1); // seq 1 and 2
        bench.take(1);
        bench.hub.handle_disconnect(bench.now_ms, 1, None);
        bench.join(2); // seq 3: op 11
        bench.text(2, &json!({ "op": 5, "d": { "speaking": 1 } })); // seq 4
        assert!(bench.take(1).is_empty());
        // UDP goes on meanwhile.
        bench.rtp(2);
        assert_eq!(bench.sent.len(), 1);
        bench.pass(10_000);
        bench.open(9, 8);
        bench.text(9, &resume(1, 2));
        let order = if replay_before_resumed { [8, 11, 5, 9] } else { [8, 9, 11, 5] };
        let seen = bench.take(9);
        assert_eq!(seen.iter().map(Seen::op).collect::<Vec<_>>(), order);
        let seqs: Vec<_> = seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Json(value) => value["seq"].as_u64(),
                _ => None,
            })
            .collect();
        assert_eq!(seqs, [3, 4]);
        // The member is the same: what follows has the next number.
        bench.text(2, &json!({ "op": 5, "d": { "speaking": 1 } }));
        let Some(Seen::Json(speaking)) = bench.take(9).pop() else { panic!() };
        assert_eq!(speaking["seq"], 5);
    }
}

#[test]
fn a_resume_comes_too_late() {
    // After the window: removed, the others are told.
    let mut bench = Bench::new(VoiceSettings {
        undocumented_opcodes: false,
        heartbeat_timeout_ms: 1_000_000,
        resume_buffer: 2,
        ..VoiceSettings::default()
    });
    bench.join(1);
    bench.join(2);
    bench.take(1);
    bench.hub.handle_disconnect(bench.now_ms, 2, Some(1006));
    bench.pass(59_999);
    assert!(bench.take(1).is_empty());
    bench.pass(1);
    assert_eq!(bench.ops(1), [13]);
    bench.open(8, 8);
    bench.text(8, &resume(2, 0));
    assert!(bench.take(8).last() == Some(&Seen::Closed(4006)));

    // Inside the window, but more was missed than is kept.
    bench.hub.handle_disconnect(bench.now_ms, 1, None);
    bench.join(3);
    for _ in 0..2 {
        bench.text(3, &json!({ "op": 5, "d": { "speaking": 1 } }));
    }
    bench.take(3);
    bench.open(9, 8);
    bench.text(9, &resume(1, 2));
    assert!(bench.take(9).last() == Some(&Seen::Closed(4006)));
    assert_eq!(bench.ops(3), [13]);
}

#[test]
fn identify_again_after_a_drop_is_refused() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.hub.handle_disconnect(0, 1, None);
    bench.open(9, 8);
    bench.text(9, &identify(1));
    assert!(bench.take(9).last() == Some(&Seen::Closed(4006)));
    // A new ticket helps, and ends what was.
    bench.hub.handle_ticket(0, ticket(1, VOICE));
    bench.join(1);
    assert_eq!(bench.hub.members.len(), 1);
}

#[test]
fn a_move_closes_the_old_connection_with_4014() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.take(1);
    bench.hub.handle_ticket(bench.now_ms, ticket(2, STAGE));
    bench.drain();
    assert!(bench.take(2).last() == Some(&Seen::Closed(4014)));
    assert_eq!(bench.ops(1), [13]);
    bench.join(2);
    let seen = bench.take(2);
    let Some(Seen::Json(description)) = seen.last() else { panic!("stage has no op 25") };
    assert_eq!(description["d"]["dave_protocol_version"], 0);
}

#[test]
fn a_stage_forwards_without_dave() {
    let mut bench = Bench::quiet();
    for user in [4, 5] {
        bench.open(user, 8);
        let mut message = identify(user);
        message["d"]["max_dave_protocol_version"] = 0.into();
        bench.text(user, &message);
        bench.text(user, &select(6_000 + user as u16, Mode::Aes256Gcm));
        bench.text(user, &json!({ "op": 5, "d": { "speaking": 1 } }));
    }
    assert_eq!(bench.ops(4), [8, 2, 4, 11, 5]);
    assert_eq!(bench.hub.epoch(STAGE), None);
    bench.rtp(4);
    assert_eq!(bench.sent.len(), 1);
    assert_eq!(bench.sent[0].0, ([127, 0, 0, 1], 6_005).into());
}

#[test]
fn rtp_without_op_5_is_closed_after_the_grace() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.rtp(1);
    bench.rtp(2);
    bench.pass(500);
    bench.text(2, &json!({ "op": 5, "d": { "speaking": 1 } })); // it was only overtaken
    bench.pass(500);
    assert!(bench.take(1).last() == Some(&Seen::Closed(4006)));
    bench.rtp(2);
    assert!(bench.hub.members.contains_key(&(GUILD, 2)));
}

#[test]
fn counts_go_into_the_journal_and_keys_do_not() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.text(1, &json!({ "op": 5, "d": { "speaking": 1 } }));
    bench.rtp(1);
    bench.hub.handle_datagram(bench.now_ms, Treatment::default(), ([1; 4], 1).into(), &[0; 40]);
    bench.pass(5_000);
    let counts: Vec<_> = bench.journal.iter().filter(|entry| entry.1 == "counts").collect();
    assert_eq!(counts.len(), 2);
    assert!(
        bench.journal.iter().any(|(_, name, data)| *name == "strays" && data["datagrams"] == 1)
    );
    let text: String = bench.journal.iter().map(|(_, _, data)| data.to_string()).collect();
    for secret in ["token 1", "session 1", "secret_key"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(!text.contains(&json!(bench.media(1).1).to_string()));
}

#[test]
fn a_clean_close_leaves_and_a_discovery_is_answered() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.take(1);
    let mut request = vec![0, 1, 0, 70];
    request.extend_from_slice(&bench.media(1).0.to_be_bytes());
    request.resize(DISCOVERY_LENGTH, 0);
    let from = ([127, 0, 0, 1], 7_777).into();
    bench.hub.handle_datagram(0, Treatment::default(), from, &request);
    bench.drain();
    assert_eq!(bench.sent[0].0, from);
    assert_eq!(bench.sent[0].1[72..], 7_777_u16.to_be_bytes());
    bench.hub.handle_disconnect(0, 2, Some(1000));
    bench.drain();
    assert_eq!(bench.ops(1), [13]);
}
