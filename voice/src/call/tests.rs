//! The call as its owner drives it, in virtual time: the handshake, and packets without DAVE.

mod path;

use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::wire::{
    aead::{Mode, Transport},
    rtp::{SILENCE, write_header},
};

const KEY: [u8; 32] = [9; 32];
const OWN_SSRC: u32 = 100;
const ANN: u64 = 1_001;
const BOB: u64 = 1_002;

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    Started(u64),
    Audio(u64, usize),
    Stopped(u64),
}

/// Writes down what is heard, with the millisecond.
#[derive(Default)]
struct Ear(Vec<(u64, Heard)>);

impl Ear {
    fn take(&mut self) -> Vec<(u64, Heard)> {
        std::mem::take(&mut self.0)
    }
}

impl Hear for Ear {
    fn speaking_started(&mut self, now: SessionTime, user: UserId) {
        self.0.push((now.as_millis(), Heard::Started(user.get())));
    }

    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        self.0.push((now.as_millis(), Heard::Audio(user.get(), pcm.len())));
    }

    fn speaking_stopped(&mut self, now: SessionTime, user: UserId) {
        self.0.push((now.as_millis(), Heard::Stopped(user.get())));
    }
}

/// A call with its clock, its ear, and a server's side of the transport cipher.
struct Bench {
    call: Call,
    ear: Ear,
    now: SessionTime,
    server: Transport,
}

fn settings() -> CallSettings {
    CallSettings {
        guild: GuildId::new(1),
        channel: ChannelId::new(2),
        user: UserId::new(1_000),
        session_id: "session".into(),
        token: SecretString::from("token"),
        endpoint: "voice.example:443".into(),
        secure: true,
        dave: true,
        decryption_failure_tolerance: DECRYPTION_FAILURE_TOLERANCE,
        reconnect_grace: RECONNECT_GRACE,
        seed: 7,
        udp_fallback: None,
    }
}

fn ms(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn ready(modes: &[&str]) -> Value {
    json!({"op": 2, "seq": 0, "d": {"ssrc": OWN_SSRC, "ip": "127.0.0.1", "port": 9, "modes": modes}})
}

fn both_modes() -> Value {
    ready(&["aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize"])
}

fn description(mode: Mode, dave: u16) -> Value {
    json!({"op": 4, "seq": 1, "d": {
        "mode": mode.name(), "secret_key": KEY, "dave_protocol_version": dave}})
}

fn discovery_answer() -> Vec<u8> {
    let mut answer = vec![0; 74];
    answer[..8].copy_from_slice(&[0, 2, 0, 70, 0, 0, 0, 100]);
    answer[8..19].copy_from_slice(b"203.0.113.9");
    answer[72..].copy_from_slice(&50_001u16.to_be_bytes());
    answer
}

impl Bench {
    fn new() -> Self {
        Self::with(settings())
    }

    fn with(settings: CallSettings) -> Self {
        Self {
            call: Call::new(settings, SessionTime::ZERO),
            ear: Ear::default(),
            now: SessionTime::ZERO,
            server: Transport::new(Mode::Aes256Gcm, &KEY),
        }
    }

    /// A call in which media flows; `dave` is the protocol version in force.
    fn flowing(dave: u16) -> Self {
        Self::flowing_with(settings(), dave)
    }

    fn flowing_with(settings: CallSettings, dave: u16) -> Self {
        let mut bench = Self::with(settings);
        bench.call.handle_gateway_opened(bench.now);
        bench.text(json!({"op": 8, "d": {"heartbeat_interval": 13_750.0}}));
        bench.text(both_modes());
        bench.datagram(&mut discovery_answer());
        bench.text(description(Mode::Aes256Gcm, dave));
        bench.outputs();
        bench
    }

    fn text(&mut self, message: Value) {
        self.call.handle_gateway_text(self.now, &message.to_string());
    }

    fn datagram(&mut self, bytes: &mut [u8]) {
        self.call.handle_datagram(self.now, bytes, &mut self.ear);
    }

    /// Outputs in short: texts as JSON, everything else in debug form.
    fn outputs(&mut self) -> Vec<Value> {
        let mut outputs = Vec::new();
        while let Some(output) = self.call.poll_output() {
            outputs.push(match output {
                Output::Text(text) => serde_json::from_str(&text).unwrap(),
                Output::Binary(bytes) => json!(format!("binary op {}", bytes[0])),
                Output::Datagram(bytes) => json!(format!("datagram of {}", bytes.len())),
                Output::Connect { url } => json!(format!("connect {url}")),
                Output::CloseGateway { code } => json!(format!("close {code}")),
                Output::OpenUdp { remote } => json!(format!("udp {remote}")),
                Output::Event(event) => json!(format!("{event:?}")),
            });
        }
        outputs
    }

    /// Opcodes of the texts among the outputs, and other outputs' first words.
    fn ops(&mut self) -> Vec<String> {
        self.outputs()
            .iter()
            .map(|output| match output {
                Value::String(text) => text.split([' ', '(']).next().unwrap_or_default().to_owned(),
                other => format!("op{}", other["op"]),
            })
            .collect()
    }

    /// Lets time pass, waking the call whenever it wants.
    fn run_to(&mut self, until: SessionTime) {
        while let Some((at, _)) = self.call.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.call.handle_timeout(self.now, &mut self.ear);
        }
        self.now = until;
    }

    fn packet(&mut self, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 12 + payload.len() + 20];
        write_header(packet.first_chunk_mut().unwrap(), sequence, timestamp, ssrc);
        packet[12..12 + payload.len()].copy_from_slice(payload);
        self.server.seal(&mut packet, 12, 12 + payload.len()).unwrap();
        packet
    }

    /// A packet of `payload` arrives now.
    fn hear(&mut self, ssrc: u32, sequence: u16, timestamp: u32, payload: &[u8]) {
        let mut packet = self.packet(ssrc, sequence, timestamp, payload);
        self.datagram(&mut packet);
    }

    fn speaking(&mut self, user: u64, ssrc: u32) {
        self.text(
            json!({"op": 5, "d": {"user_id": user.to_string(), "ssrc": ssrc, "speaking": 1}}),
        );
    }

    fn total(&self) -> PacketStats {
        self.call.stats().total
    }
}

/// 20 ms of CELT: a valid Opus packet of a quiet frame.
const SPEECH: [u8; 4] = [0xFC, 0x00, 0x01, 0x02];

// ---- handshake ----

#[test]
fn the_handshake_in_order() {
    let mut bench = Bench::new();
    assert_eq!(bench.outputs(), [json!("connect wss://voice.example:443/?v=8")]);
    bench.call.handle_gateway_opened(bench.now);
    assert_eq!(
        bench.outputs(),
        [json!({"op": 0, "d": {"server_id": "1", "user_id": "1000", "session_id": "session",
            "token": "token", "max_dave_protocol_version": 1}})]
    );
    bench.text(json!({"op": 8, "d": {"heartbeat_interval": 13_750.5, "v": 8}}));
    assert_eq!(bench.ops(), [""; 0]);
    assert_eq!(
        bench.call.poll_timeout(),
        Some((ms(10_000), Timer::Handshake)),
        "the handshake is limited"
    );
    bench.text(both_modes());
    assert_eq!(bench.outputs(), [json!("udp 127.0.0.1:9"), json!("datagram of 74")]);
    bench.datagram(&mut discovery_answer());
    assert_eq!(
        bench.outputs(),
        [json!({"op": 1, "d": {"protocol": "udp", "data": {"address": "203.0.113.9",
            "port": 50_001, "mode": "aead_aes256_gcm_rtpsize"}}})]
    );
    assert!(!bench.call.can_send());
    bench.text(description(Mode::Aes256Gcm, 0));
    assert_eq!(bench.outputs(), [json!("Ready { dave_version: 0 }")]);
    assert!(bench.call.can_send());
    assert_eq!(bench.total().discovery, 1);
}

#[test]
fn dave_sends_a_key_package_and_waits_for_a_group_before_it_speaks() {
    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    bench.text(both_modes());
    bench.datagram(&mut discovery_answer());
    bench.outputs();
    bench.text(description(Mode::Aes256Gcm, 1));
    assert_eq!(bench.outputs(), [json!("binary op 26"), json!("Ready { dave_version: 1 }")]);
    assert!(!bench.call.can_send());
    let mut datagram = [0; MAX_DATAGRAM_BYTES];
    let frame = [0; FRAME_SAMPLES];
    assert_eq!(bench.call.handle_tick(bench.now, Some(&frame), &mut datagram), None);
    assert_eq!(bench.call.stats().sent.refused, 1);
    bench.text(json!({"op": 24, "d": {"protocol_version": 1, "epoch": 1}}));
    assert_eq!(bench.ops(), ["binary"], "op 24 asks for a new key package");
    bench.text(json!({"op": 24, "d": {"protocol_version": 1, "epoch": 2}}));
    assert_eq!(bench.ops(), [""; 0]);
}

#[test]
fn xchacha_is_taken_when_aes_is_not_offered_and_unknown_modes_are_fatal() {
    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    bench.text(ready(&["aead_xchacha20_poly1305_rtpsize"]));
    bench.datagram(&mut discovery_answer());
    let select = bench.outputs().pop().unwrap();
    assert_eq!(select["d"]["data"]["mode"], "aead_xchacha20_poly1305_rtpsize");

    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    bench.text(ready(&["xsalsa20_poly1305"]));
    let ended = bench.outputs().pop().unwrap().to_string();
    assert!(ended.contains("Ended") && ended.contains("Fatal"), "{ended}");

    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    bench.text(both_modes());
    bench.datagram(&mut discovery_answer());
    let mut unknown = description(Mode::Aes256Gcm, 0);
    unknown["d"]["mode"] = json!("rot13");
    bench.text(unknown);
    let ended = bench.outputs().pop().unwrap().to_string();
    assert!(ended.contains("Ended") && ended.contains("Fatal"), "{ended}");
}

#[test]
fn discovery_is_asked_again_and_given_up_in_words() {
    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    bench.text(both_modes());
    bench.outputs();
    bench.run_to(ms(2_900));
    assert_eq!(bench.ops(), ["datagram"; 5]);
    bench.run_to(ms(3_000));
    let outputs = bench.outputs();
    assert_eq!(outputs[0], json!("close 1000"));
    let ended = outputs[1].to_string();
    assert!(ended.contains("does not answer by UDP") && ended.contains("Rejoin"), "{ended}");

    let mut call_settings = settings();
    call_settings.udp_fallback = Some("198.51.100.1:5".parse().unwrap());
    let mut bench = Bench::new();
    bench.call = Call::new(call_settings, SessionTime::ZERO);
    bench.call.handle_gateway_opened(bench.now);
    bench.text(both_modes());
    bench.run_to(ms(3_000));
    let select = bench.outputs().pop().unwrap();
    assert_eq!(select["d"]["data"]["address"], "198.51.100.1");
}

#[test]
fn heartbeats_carry_the_last_sequence_number_zero_included() {
    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    bench.text(json!({"op": 8, "d": {"heartbeat_interval": 1_000}}));
    bench.outputs();
    let beats = |bench: &mut Bench| -> Vec<Value> {
        bench.outputs().into_iter().filter(|output| output["op"] == 3).collect()
    };
    bench.run_to(ms(1_000));
    assert_eq!(beats(&mut bench), [json!({"op": 3, "d": {"t": 1}})], "nothing to acknowledge yet");
    bench.text(json!({"op": 6, "d": {"t": 1}}));
    bench.text(both_modes()); // seq 0
    bench.run_to(ms(2_000));
    assert_eq!(beats(&mut bench), [json!({"op": 3, "d": {"t": 2, "seq_ack": 0}})]);
    bench.text(json!({"op": 6, "d": {"t": 2}}));
    // Binary messages share the counter.
    bench.call.handle_gateway_binary(bench.now, &[0xFF, 0xFF, 99], &mut bench.ear);
    bench.text(json!({"op": 3, "d": null}));
    assert_eq!(beats(&mut bench), [json!({"op": 3, "d": {"t": 3, "seq_ack": 65_535}})]);
    bench.call.handle_gateway_binary(bench.now, &[0, 0, 99], &mut bench.ear);
    bench.text(json!({"op": 3, "d": null}));
    assert_eq!(beats(&mut bench)[0]["d"]["seq_ack"], 0, "the counter wraps");
}

#[test]
fn two_lost_acks_close_the_link_and_resume() {
    let mut bench = Bench::flowing(0);
    bench.text(json!({"op": 6, "d": {"t": 1}}));
    bench.run_to(ms(13_750 * 2));
    assert_eq!(bench.call.stats().gateway.missed_acks, 1);
    bench.outputs();
    bench.run_to(ms(13_750 * 3 - 1));
    assert!(bench.ops().iter().all(|op| op == "datagram"), "not yet");
    bench.run_to(ms(13_750 * 3));
    let ops: Vec<_> = bench.ops().into_iter().filter(|op| op != "datagram").collect();
    assert_eq!(ops, ["close", "Reconnecting", "connect"]);
    assert!(bench.call.can_send(), "media goes on meanwhile");
}

#[test]
fn a_lost_link_is_resumed_with_what_came_before_and_after_op_9() {
    for code in [None, Some(1_006), Some(4_015)] {
        let mut bench = Bench::flowing(0);
        bench.call.handle_gateway_closed(bench.now, code);
        assert_eq!(bench.ops(), ["Reconnecting", "connect"]);
        bench.call.handle_gateway_opened(bench.now);
        assert_eq!(
            bench.outputs(),
            [json!({"op": 7, "d": {"server_id": "1", "session_id": "session", "token": "token",
                "seq_ack": 1}})]
        );
        bench.text(json!({"op": 8, "d": {"heartbeat_interval": 500}}));
        // Replayed before op 9: must count.
        bench.text(json!({"op": 11, "seq": 2, "d": {"user_ids": ["1001"]}}));
        assert_eq!(bench.outputs(), [json!("MemberJoined(UserId(1001))")]);
        bench.text(json!({"op": 9, "d": null}));
        bench.text(json!({"op": 13, "seq": 3, "d": {"user_id": "1001"}}));
        assert_eq!(bench.outputs(), [json!("MemberLeft(UserId(1001))")]);
        assert_eq!(bench.call.stats().gateway.resumes, 1);
        bench.run_to(ms(500));
        let beat = bench.outputs().pop().unwrap();
        assert_eq!((&beat["op"], &beat["d"]["seq_ack"]), (&json!(3), &json!(3)));
    }
}

#[test]
fn resumes_begin_within_the_grace_and_back_off() {
    let mut bench = Bench::flowing(0);
    let lost = bench.now;
    let mut waits = Vec::new();
    for _ in 0..5 {
        let since = bench.now;
        bench.call.handle_gateway_closed(bench.now, None);
        while !bench.ops().contains(&"connect".to_owned()) {
            let (at, _) = bench.call.poll_timeout().unwrap();
            bench.run_to(at);
        }
        waits.push(bench.now.since(since).as_millis());
    }
    let bounds = [(0, 0), (1_000, 1_250), (2_000, 2_500), (4_000, 5_000), (6_250, 8_000)];
    for (wait, (low, high)) in waits.iter().zip(bounds) {
        assert!((low..=high).contains(wait), "{waits:?}");
    }
    assert_eq!(bench.now.since(lost), RECONNECT_GRACE, "the last one begins at the grace's end");
    bench.call.handle_gateway_closed(bench.now, None);
    let ended = bench.outputs().pop().unwrap().to_string();
    assert!(ended.contains("could not be resumed") && ended.contains("Rejoin"), "{ended}");
}

#[test]
fn scenario_06_the_grace_is_what_the_configuration_says() {
    let grace = Duration::from_millis(1_500);
    let mut bench = Bench::flowing_with(CallSettings { reconnect_grace: grace, ..settings() }, 0);
    bench.call.handle_gateway_closed(bench.now, None);
    // A resume that began in time may take longer than the grace.
    bench.call.handle_gateway_opened(bench.now);
    bench.outputs();
    bench.run_to(bench.now + grace * 2);
    assert!(bench.ops().iter().all(|op| op == "datagram"), "it is waited for");
    bench.text(json!({"op": 9, "d": null}));
    assert_eq!(bench.call.stats().gateway.resumes, 1, "it survives");
    // The next loss has a grace of its own; nothing begins after it.
    let lost = bench.now;
    while bench.now.since(lost) < grace {
        bench.call.handle_gateway_closed(bench.now, None);
        while !bench.ops().contains(&"connect".to_owned()) {
            let (at, _) = bench.call.poll_timeout().unwrap();
            bench.run_to(at);
        }
    }
    assert_eq!(bench.now.since(lost), grace);
    bench.call.handle_gateway_closed(bench.now, None);
    let ended = bench.outputs().pop().unwrap().to_string();
    assert!(ended.contains("could not be resumed"), "{ended}");
}

#[test]
fn closes_end_as_the_table_says() {
    let cases = [
        (4_006, "Rejoin"),
        (4_009, "Rejoin"),
        (4_014, "WaitForMove"),
        (4_022, "WaitForMove"),
        (4_017, "Fatal"),
        (4_021, "Fatal"),
    ];
    for (code, plan) in cases {
        let mut bench = Bench::flowing(0);
        bench.call.handle_gateway_closed(bench.now, Some(code));
        let outputs = bench.outputs();
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert!(outputs[0].to_string().contains(plan), "{code}: {}", outputs[0]);
        bench.run_to(ms(60_000));
        assert_eq!(bench.ops(), [""; 0], "nothing is dialled after {code}");
    }
    // Before READY there is nothing to resume.
    let mut bench = Bench::new();
    bench.call.handle_gateway_closed(bench.now, None);
    let ended = bench.outputs().pop().unwrap().to_string();
    assert!(ended.contains("before the session began") && ended.contains("Rejoin"), "{ended}");
}

#[test]
fn leaving_closes_with_1000_and_is_the_last_word() {
    let mut bench = Bench::flowing(0);
    bench.call.close(bench.now);
    assert_eq!(bench.outputs(), [json!("close 1000")]);
    bench.call.handle_gateway_closed(bench.now, Some(1_000));
    assert_eq!(bench.outputs(), [Value::Null; 0]);
    assert_eq!(bench.call.poll_timeout(), None);
}

#[test]
fn nothing_is_said_after_the_end() {
    let ends: [fn(&mut Bench); 2] = [
        |bench| bench.call.close(bench.now),
        |bench| bench.call.handle_gateway_closed(bench.now, Some(4_014)),
    ];
    let speech = [1_000; FRAME_SAMPLES];
    let mut datagram = [0; MAX_DATAGRAM_BYTES];
    for end in ends {
        let mut bench = Bench::flowing(0);
        assert!(bench.call.handle_tick(bench.now, Some(&speech), &mut datagram).is_some());
        end(&mut bench);
        bench.outputs();
        for pcm in [Some(&speech), None, None] {
            assert_eq!(bench.call.handle_tick(bench.now, pcm, &mut datagram), None);
        }
        assert!(!bench.call.can_send());
        assert_eq!(bench.outputs(), [Value::Null; 0]);
        assert_eq!(bench.call.stats().sent.refused, 1);
        // A session description that was on its way does not bring the call back.
        bench.text(description(Mode::Aes256Gcm, 0));
        assert!(!bench.call.can_send());
        assert_eq!(bench.outputs(), [Value::Null; 0]);
    }
}

#[test]
fn a_hello_without_a_websocket_starts_no_heartbeat() {
    let hello = json!({"op": 8, "d": {"heartbeat_interval": 100}});
    let mut ended = Bench::flowing(0);
    ended.call.handle_gateway_closed(ended.now, Some(4_004));
    ended.text(hello.clone());
    assert_eq!(ended.call.poll_timeout(), None);

    let mut waiting = Bench::flowing(0);
    waiting.call.handle_gateway_closed(waiting.now, None);
    waiting.call.handle_gateway_closed(waiting.now, None);
    waiting.text(hello);
    waiting.outputs();
    waiting.run_to(ms(999));
    assert_eq!(waiting.ops(), [""; 0]);
}

#[test]
fn messages_of_any_state_are_kept_and_garbage_is_counted() {
    let mut bench = Bench::new();
    bench.call.handle_gateway_opened(bench.now);
    // Who is there and who speaks, before READY and before the session description.
    bench.text(json!({"op": 11, "d": {"user_ids": ["1001", "1000", "1001"]}}));
    bench.text(both_modes());
    bench.speaking(ANN, 11);
    bench.call.handle_gateway_text(bench.now, "{");
    bench.call.handle_gateway_text(bench.now, r#"{"op":11,"d":{"user_ids":5}}"#);
    bench.call.handle_gateway_binary(bench.now, &[0, 25], &mut bench.ear);
    bench.text(json!({"op": 15, "d": {"any": 100}}));
    bench.datagram(&mut discovery_answer());
    bench.text(description(Mode::Aes256Gcm, 0));
    let joined = json!("MemberJoined(UserId(1001))");
    assert_eq!(bench.outputs().into_iter().filter(|output| *output == joined).count(), 1);
    assert_eq!(bench.call.stats().gateway.malformed, 3);
    assert_eq!(bench.call.stats().gateway.ignored, 1);
    bench.hear(11, 0, 0, &SPEECH);
    assert_eq!(bench.ear.take()[0], (0, Heard::Started(ANN)));
}

// ---- sending ----

#[test]
fn speech_is_announced_sent_and_ended_by_five_silences() {
    let mut bench = Bench::flowing(0);
    let mut sent = Vec::new();
    let mut told = Vec::new();
    let speech = [1_000i16; FRAME_SAMPLES];
    for tick in 0..14u64 {
        let pcm = matches!(tick, 2 | 3 | 5).then_some(&speech);
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        if let Some(bytes) = bench.call.handle_tick(ms(20 * tick), pcm, &mut datagram) {
            let header = match crate::wire::rtp::parse(&datagram[..bytes]) {
                Ok(crate::wire::rtp::Packet::Rtp(header)) => header,
                other => panic!("{other:?}"),
            };
            let mut opened = datagram[..bytes].to_vec();
            let at = bench.server.open(&mut opened, 12).unwrap();
            sent.push((tick, header.sequence, header.timestamp, opened[at] == SILENCE));
        }
        for output in bench.outputs() {
            told.push((tick, output["d"]["speaking"].as_u64().unwrap()));
        }
    }
    assert_eq!(told, [(2, 1), (10, 0)], "before the first packet, after the last");
    let (first, start) = (sent[0].1, sent[0].2);
    let expected: Vec<_> = [2, 3, 4, 5, 6, 7, 8, 9, 10]
        .iter()
        .enumerate()
        .map(|(packet, tick)| {
            let sequence = first.wrapping_add(packet as u16);
            let timestamp = start.wrapping_add((tick - 2) * 960);
            (u64::from(*tick), sequence, timestamp, !matches!(tick, 2 | 3 | 5))
        })
        .collect();
    assert_eq!(sent, expected);
    let stats = bench.call.stats().sent;
    assert_eq!((stats.speech, stats.silence, stats.failed, stats.refused), (3, 6, 0, 0));
    // The next talkspurt: time went on, the sequence did not.
    let mut datagram = [0; MAX_DATAGRAM_BYTES];
    bench.call.handle_tick(ms(280), Some(&speech), &mut datagram).unwrap();
    assert_eq!(datagram[2..4], first.wrapping_add(9).to_be_bytes());
    assert_eq!(datagram[4..8], start.wrapping_add(12 * 960).to_be_bytes());
}

#[test]
fn after_a_resume_speaking_is_told_again_before_the_next_packet() {
    let mut bench = Bench::flowing(0);
    let mut datagram = [0; MAX_DATAGRAM_BYTES];
    let speech = [1_000i16; FRAME_SAMPLES];
    assert!(bench.call.handle_tick(bench.now, Some(&speech), &mut datagram).is_some());
    assert_eq!(bench.ops(), ["op5"]);
    bench.call.handle_gateway_closed(bench.now, None);
    bench.outputs();
    assert!(
        bench.call.handle_tick(bench.now, Some(&speech), &mut datagram).is_some(),
        "the room goes on hearing us while the websocket is away"
    );
    assert_eq!(bench.ops(), [""; 0]);
    bench.call.handle_gateway_opened(bench.now);
    bench.text(json!({"op": 9, "d": null}));
    bench.outputs();
    assert!(bench.call.handle_tick(bench.now, Some(&speech), &mut datagram).is_some());
    assert_eq!(bench.ops(), ["op5"]);
}

/// Keeps what it hears.
#[derive(Default)]
struct Recorder(Vec<i16>);

impl Hear for Recorder {
    fn speaking_started(&mut self, _now: SessionTime, _user: UserId) {}

    fn audio(&mut self, _now: SessionTime, _user: UserId, pcm: &[i16]) {
        self.0.extend_from_slice(pcm);
    }

    fn speaking_stopped(&mut self, _now: SessionTime, _user: UserId) {}
}

/// The greatest normalised correlation of `heard` with `said`, at a delay below 20 ms.
fn similarity(said: &[i16], heard: &[i16]) -> f64 {
    let dot = |a: &[i16], b: &[i16]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    (0..FRAME_SAMPLES)
        .map(|delay| {
            let heard = &heard[delay..];
            let said = &said[..heard.len()];
            dot(said, heard) / (dot(said, said) * dot(heard, heard)).sqrt()
        })
        .fold(0.0, f64::max)
}

#[test]
fn what_one_call_says_another_hears_and_losses_are_bridged() {
    const FRAMES: usize = 100;
    // A sweep from 200 to 2,600 Hz: similar to itself at one delay only.
    let said: Vec<i16> = (0..FRAMES * FRAME_SAMPLES)
        .map(|i| {
            let t = i as f64 / f64::from(SAMPLE_RATE_HZ);
            (8_000.0 * (std::f64::consts::TAU * (200.0 + 600.0 * t) * t).sin()) as i16
        })
        .collect();
    // (packets lost, least similarity)
    for (lost, least) in [(&[][..], 0.98), (&[20, 50, 51, 80], 0.90)] {
        let mut speaker = Bench::flowing(0);
        let mut listener = Bench::flowing(0);
        listener.speaking(ANN, OWN_SSRC);
        let mut recorder = Recorder::default();
        for (at, frame) in said.chunks_exact(FRAME_SAMPLES).enumerate() {
            let now = ms(20 * at as u64);
            let mut datagram = [0; MAX_DATAGRAM_BYTES];
            let frame = frame.try_into().unwrap();
            let bytes = speaker.call.handle_tick(now, Some(frame), &mut datagram).unwrap();
            listener.call.handle_timeout(now, &mut recorder);
            if !lost.contains(&at) {
                listener.call.handle_datagram(now, &mut datagram[..bytes], &mut recorder);
            }
        }
        assert_eq!(recorder.0.len(), said.len(), "every frame, lost ones made up");
        let total = listener.total();
        assert_eq!((total.concealed + total.fec) as usize, lost.len());
        let similarity = similarity(&said, &recorder.0);
        assert!(similarity > least, "similarity {similarity:.4} with {lost:?} lost");
    }
}

/// A second of something like a voice: 120 Hz and its overtones, swelling.
fn buzz() -> Vec<[i16; FRAME_SAMPLES]> {
    let sample = |i: usize| {
        let swell = (i as f64 / 4_000.0).sin().abs();
        (12_000.0 * swell * ((i as f64 / 200.0).fract() - 0.5)) as i16
    };
    (0..50).map(|frame| std::array::from_fn(|i| sample(frame * FRAME_SAMPLES + i))).collect()
}

#[test]
fn what_is_lost_on_the_way_in_is_protected_against_on_the_way_out() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    let voice = buzz();
    let mut sequence = 0u16;
    let mut run = |bench: &mut Bench, seconds: u64, lost_every: u16| {
        let mut protected = 0;
        for _ in 0..50 * seconds {
            let now = ms(bench.now.as_millis() + 20);
            bench.run_to(now);
            if lost_every == 0 || !sequence.is_multiple_of(lost_every) {
                bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
            }
            let mut datagram = [0; MAX_DATAGRAM_BYTES];
            let frame = &voice[usize::from(sequence) % voice.len()];
            let bytes = bench.call.handle_tick(now, Some(frame), &mut datagram).unwrap();
            let at = bench.server.open(&mut datagram[..bytes], 12).unwrap();
            protected += u32::from(decode::carries_fec(&datagram[at]));
            sequence += 1;
        }
        protected
    };
    assert_eq!(run(&mut bench, 6, 0), 0, "nothing is lost");
    run(&mut bench, 6, 10);
    let protected = run(&mut bench, 2, 10);
    assert!(protected > 60, "{protected} of 100");
    run(&mut bench, 6, 0);
    assert_eq!(run(&mut bench, 2, 0), 0, "the loss is over");
}

#[test]
fn the_bitrate_is_the_channels() {
    let size = |bits: u32| -> usize {
        let mut bench = Bench::flowing(0);
        bench.call.set_bitrate(bits);
        let frames = buzz();
        let sizes = frames.iter().map(|frame| {
            let mut datagram = [0; MAX_DATAGRAM_BYTES];
            bench.call.handle_tick(bench.now, Some(frame), &mut datagram).unwrap()
        });
        sizes.sum()
    };
    let (low, usual, high) = (size(16_000), size(64_000), size(384_000));
    assert!(low * 2 < usual, "{low} against {usual}");
    assert_eq!(usual, high, "more than 64 kbit/s is no better for one voice");
}

// ---- receiving ----

#[test]
fn in_order_packets_are_heard_at_once_and_the_stop_comes_after_100_ms() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    for step in 0..3u16 {
        bench.run_to(ms(20 * u64::from(step)));
        bench.hear(11, 65_535u16.wrapping_add(step), u32::from(step) * 960, &SPEECH);
    }
    for step in 3..8u16 {
        bench.run_to(ms(20 * u64::from(step)));
        bench.hear(11, 65_535u16.wrapping_add(step), u32::from(step) * 960, &SILENCE);
    }
    bench.run_to(ms(1_000));
    let audio = |at| (at, Heard::Audio(ANN, 480));
    let mut expected = vec![(0, Heard::Started(ANN)), audio(0), audio(20), audio(40)];
    expected.extend([audio(60), audio(80), audio(100), audio(120)]); // the fade into silence
    expected.push((140, Heard::Stopped(ANN)));
    let heard = bench.ear.take();
    // The silence at 140 ms comes at the very moment of the stop, and the stop is due first.
    assert_eq!(heard, expected);
    assert_eq!((bench.total().delivered, bench.total().silence), (3, 5));
    assert_eq!(bench.total().concealed + bench.total().fec, 0);
}

#[test]
fn a_reordered_packet_is_waited_for() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &SPEECH);
    bench.run_to(ms(20));
    bench.hear(11, 2, 1_920, &SPEECH);
    assert_eq!(bench.call.poll_timeout(), Some((ms(60), Timer::Gap)));
    bench.run_to(ms(40));
    bench.hear(11, 1, 960, &SPEECH);
    let heard = bench.ear.take();
    let times: Vec<_> = heard.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 0, 40, 40]);
    assert_eq!((bench.total().reordered, bench.total().fec), (1, 0));
}

#[test]
fn a_lost_packet_is_made_up_after_the_wait_and_late_when_it_comes() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &SPEECH);
    for (at, sequence) in [(60, 3u16), (80, 4)] {
        bench.run_to(ms(at));
        bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
    }
    assert_eq!(bench.ear.take().len(), 2, "nothing is heard out of order");
    bench.run_to(ms(99));
    assert_eq!(bench.ear.take().len(), 0);
    bench.run_to(ms(100));
    let heard = bench.ear.take();
    assert_eq!(heard.len(), 4, "two made up, two that waited: {heard:?}");
    assert!(heard.iter().all(|(at, what)| *at == 100 && *what == Heard::Audio(ANN, 480)));
    assert_eq!((bench.total().concealed, bench.total().fec), (2, 0), "CELT has no FEC");
    bench.hear(11, 1, 960, &SPEECH);
    bench.hear(11, 4, 3_840, &SPEECH);
    assert_eq!((bench.total().late, bench.total().duplicate), (1, 1));
    assert_eq!(bench.ear.take().len(), 0);
    // The late one came 40 ms behind the one that overtook it: the next gap is waited for longer.
    bench.hear(11, 6, 5_760, &SPEECH);
    assert_eq!(bench.call.poll_timeout(), Some((ms(150), Timer::Gap)));
}

#[test]
fn a_long_gap_fades_out_and_is_silent_then() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    for sequence in 0..10u16 {
        bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
    }
    bench.ear.take();
    bench.hear(11, 30, 30 * 960, &SPEECH);
    bench.run_to(ms(40));
    assert_eq!(bench.ear.take().len(), 21, "every lost packet has its time");
    assert_eq!((bench.total().concealed, bench.total().silenced), (6, 14));
    // Minutes are a stall: a second of silence stands for them.
    bench.hear(11, 2_000, 2_000 * 960, &SPEECH);
    bench.run_to(ms(80));
    assert_eq!((bench.total().concealed, bench.total().silenced), (12, 14 + 44));
}

#[test]
fn a_decoder_outlives_a_pause_and_not_an_absence() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &SPEECH);
    let stream_waits = |bench: &Bench| bench.call.receiver.poll_timeout();
    bench.run_to(ms(59_990));
    assert_eq!(stream_waits(&bench), Some((ms(60_000), Timer::StreamEnd)));
    bench.hear(11, 1, 48 * 59_990, &SPEECH);
    bench.run_to(ms(119_989));
    assert!(stream_waits(&bench).is_some());
    bench.run_to(ms(119_990));
    assert_eq!(stream_waits(&bench), None, "freed a minute after the last packet");
    bench.run_to(ms(200_000));
    bench.ear.take();
    bench.hear(11, 2, 48 * 200_000, &SPEECH);
    assert_eq!(bench.ear.take().len(), 2, "and made anew");
}

#[test]
fn a_flood_of_one_sender_is_cut_and_the_others_are_heard() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.speaking(BOB, 12);
    let mut flood = 0;
    for tick in 0..100u64 {
        bench.run_to(ms(20 * tick));
        let sequence = tick as u16;
        bench.hear(12, sequence, u32::from(sequence) * 960, &SPEECH);
        for _ in 0..100 {
            bench.hear(11, flood as u16, flood * 960, &SPEECH);
            flood += 1;
        }
    }
    let stats = bench.call.stats();
    let (ann, bob) = (stats.speakers[&UserId::new(ANN)], stats.speakers[&UserId::new(BOB)]);
    assert_eq!((bob.delivered, bob.flooded), (100, 0));
    // 3 s at once and 1.5 times real time for 2 s.
    assert!((290..=310).contains(&ann.delivered), "{}", ann.delivered);
    assert_eq!(ann.delivered + ann.flooded, 10_000);
}

#[test]
fn packets_that_fill_pauses_begin_no_talkspurt() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &[0xFC]);
    bench.hear(11, 1, 960, &[0xFC, 0]);
    assert_eq!(bench.ear.take(), []);
    assert_eq!((bench.total().silence, bench.total().delivered), (2, 0));
}

#[test]
fn pauses_padding_and_silence_are_not_concealed() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &SPEECH);
    bench.hear(11, 1, 960, &SILENCE);
    bench.run_to(ms(5_000));
    // A talk pause: the timestamp jumps, the sequence does not.
    bench.hear(11, 2, 240_000, &SPEECH);
    // Padding only.
    let mut padding = bench.packet(11, 3, 240_960, &[0, 0, 3]);
    padding[0] |= 0x20;
    // The padding bit is authenticated: sealed again.
    let mut sealed = vec![0; padding.len()];
    sealed[..12].copy_from_slice(&padding[..12]);
    sealed[12..15].copy_from_slice(&[0, 0, 3]);
    bench.server.seal(&mut sealed, 12, 15).unwrap();
    bench.datagram(&mut sealed);
    bench.hear(11, 4, 240_960, &SPEECH);
    // Lost behind silence: it was no speech.
    bench.hear(11, 5, 241_920, &SILENCE);
    bench.hear(11, 7, 243_840, &SPEECH);
    bench.run_to(ms(5_060));
    let total = bench.total();
    assert_eq!((total.delivered, total.silence, total.padding_only), (4, 2, 1));
    assert_eq!((total.concealed, total.fec), (0, 0));
}

#[test]
fn packets_of_any_duration_are_heard_whole() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    // CELT 2.5, 10 and 20 ms; six 20 ms frames (code 3, constant rate) in one packet.
    let six: Vec<u8> = [&[0xFF, 0x06][..], &[1; 18]].concat();
    let packets: [&[u8]; 4] = [&[0xE4, 1, 2], &[0xF4, 1, 2], &[0xFC, 1, 2], &six];
    let mut timestamp = 0;
    for (sequence, packet) in packets.iter().enumerate() {
        bench.hear(11, sequence as u16, timestamp, packet);
        timestamp += decode::duration(packet).unwrap();
    }
    let samples: Vec<_> = bench
        .ear
        .take()
        .into_iter()
        .filter_map(|(_, heard)| match heard {
            Heard::Audio(_, samples) => Some(samples),
            _ => None,
        })
        .collect();
    assert_eq!(samples, [60, 240, 480, 2_880]);
}

#[test]
fn an_unknown_sender_is_held_until_op_5_and_heard_in_order() {
    let mut bench = Bench::flowing(0);
    for sequence in [1u16, 0, 2] {
        bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
    }
    bench.hear(11, 2, 1_920, &SPEECH);
    assert_eq!(bench.total().duplicate, 1);
    assert_eq!(bench.ear.take().len(), 0);
    assert_eq!(bench.call.packets_in_flight(), 3);
    bench.run_to(ms(1_500));
    bench.speaking(ANN, 11);
    assert_eq!(bench.call.poll_timeout(), Some((ms(1_500), Timer::HeldFrames)));
    // A newer packet comes before the timer is served: the held ones go first.
    bench.hear(11, 3, 2_880, &SPEECH);
    assert_eq!(bench.ear.take().len(), 5);
    let stats = bench.call.stats();
    assert_eq!(stats.total.held, 3);
    assert_eq!((stats.total.delivered, stats.total.late), (4, 0));
    assert_eq!(stats.speakers[&UserId::new(ANN)].received, 4);
    assert_eq!(bench.call.packets_in_flight(), 0);

    bench.hear(12, 0, 0, &SPEECH);
    bench.run_to(ms(3_500));
    assert_eq!(bench.total().unknown_sender, 1, "2 s without an op 5");
}

#[test]
fn an_ssrc_may_change_its_user_and_a_user_the_ssrc() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &SPEECH);
    // Ann goes on under 12, in mid-word: no stop, no second start.
    bench.speaking(ANN, 12);
    bench.hear(12, 500, 7, &SPEECH);
    assert_eq!(
        bench.ear.take(),
        [(0, Heard::Started(ANN)), (0, Heard::Audio(ANN, 480)), (0, Heard::Audio(ANN, 480))]
    );
    // 12 becomes Bob's.
    bench.run_to(ms(40));
    bench.speaking(BOB, 12);
    bench.hear(12, 3, 7, &SPEECH);
    assert_eq!(bench.ear.take(), [(40, Heard::Started(BOB)), (40, Heard::Audio(BOB, 480))]);
    bench.text(json!({"op": 13, "d": {"user_id": BOB.to_string()}}));
    bench.run_to(ms(10_000));
    assert_eq!(bench.ear.take(), [(100, Heard::Stopped(ANN)), (140, Heard::Stopped(BOB))]);
    bench.hear(12, 4, 967, &SPEECH);
    assert_eq!(bench.call.packets_in_flight(), 1, "the stream is gone, the packet waits");
}

#[test]
fn whoever_is_named_for_anothers_ssrc_is_heard_on_under_their_own() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    for sequence in 0..100u16 {
        bench.run_to(ms(20 * u64::from(sequence)));
        if sequence == 10 {
            bench.speaking(ANN, 12);
        }
        bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
    }
    assert_eq!((bench.total().delivered, bench.total().held), (100, 0));
}

#[test]
fn what_is_no_speech_is_counted_and_skipped() {
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    let mut video = bench.packet(11, 0, 0, &SPEECH);
    video[1] = 101;
    bench.datagram(&mut video);
    let mut rtcp = vec![0; 60];
    rtcp[..2].copy_from_slice(&[0x80, 200]);
    bench.datagram(&mut rtcp);
    bench.datagram(&mut [0; 8]);
    bench.datagram(&mut []);
    bench.datagram(&mut [0x15; 200]);
    let mut forged = bench.packet(11, 0, 0, &SPEECH);
    forged[20] ^= 1;
    bench.datagram(&mut forged);
    bench.hear(11, 0, 0, &[0xFF, 0, 0]); // code 3 with no frames: no Opus
    let total = bench.total();
    assert_eq!((total.other_payload, total.rtcp, total.malformed), (1, 1, 3));
    assert_eq!((total.transport_failed, total.decode_failed), (1, 1));
    assert_eq!(total.received, total.explained());
    assert_eq!(bench.ear.take().len(), 0);

    let mut early = Bench::new();
    let mut packet = early.packet(11, 0, 0, &SPEECH);
    early.datagram(&mut packet);
    assert_eq!(early.total().before_session, 1);
}

#[test]
fn plaintext_under_dave_is_refused_but_for_silence() {
    let mut bench = Bench::flowing(1);
    bench.speaking(ANN, 11);
    for sequence in 0..60u16 {
        bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
    }
    bench.hear(11, 60, 60 * 960, &SILENCE);
    assert_eq!((bench.total().plaintext_refused, bench.total().silence), (60, 1));
    assert_eq!(bench.ear.take(), []);
    let failures: Vec<_> = bench.ops();
    assert_eq!(failures, ["DecryptFailure"; 2], "at the 1st and the 51st frame");
    // A downgrade that is prepared allows it.
    bench.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 4}}));
    let ready = json!({"op": 23, "d": {"transition_id": 4}});
    assert_eq!(bench.outputs(), [ready]);
    bench.hear(11, 61, 61 * 960, &SPEECH);
    assert_eq!(bench.ear.take()[0].1, Heard::Started(ANN));
    assert!(!bench.call.can_send());
    bench.text(json!({"op": 22, "d": {"transition_id": 4}}));
    assert!(bench.call.can_send(), "plaintext from now on");
    bench.text(json!({"op": 22, "d": {"transition_id": 4}}));
    bench.text(json!({"op": 22, "d": {"transition_id": 9}}));
    assert_eq!(bench.call.stats().gateway.transitions, 1, "repeated and unknown ones do nothing");
}

#[test]
fn encrypted_frames_are_never_taken_for_opus() {
    // A downgrade is in force for us, who have just joined, and not yet for Ann.
    let mut bench = Bench::flowing(0);
    bench.speaking(ANN, 11);
    let trailer = [0, 0, 0, 0, 0, 0, 0, 0, 1, 12, 0xFA, 0xFA];
    let frame = [&[0xFC; 40][..], &trailer].concat();
    bench.hear(11, 0, 0, &frame);
    assert_eq!(bench.ear.take(), []);
    bench.hear(11, 1, 960, &SPEECH);
    bench.run_to(ms(3_000));
    assert_eq!((bench.total().pre_join, bench.total().delivered), (1, 1));
}

#[test]
fn a_downgrade_that_is_only_prepared_lets_plaintext_in_for_10_s() {
    let heard_plain = |bench: &mut Bench, sequence: u16| {
        bench.hear(11, sequence, u32::from(sequence) * 960, &SPEECH);
        !bench.ear.take().is_empty()
    };
    let mut bench = Bench::flowing(1);
    bench.speaking(ANN, 11);
    bench.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 4}}));
    bench.run_to(ms(9_999));
    assert!(heard_plain(&mut bench, 0));
    bench.run_to(ms(10_000));
    bench.ear.take();
    assert!(!heard_plain(&mut bench, 1));
    assert_eq!(bench.total().plaintext_refused, 1);
    bench.text(json!({"op": 22, "d": {"transition_id": 4}}));
    assert!(heard_plain(&mut bench, 2), "the server's word counts, late as it is");

    // A group that starts over has nothing under way.
    let mut bench = Bench::flowing(1);
    bench.speaking(ANN, 11);
    bench.text(json!({"op": 21, "d": {"protocol_version": 0, "transition_id": 4}}));
    bench.text(json!({"op": 21, "d": {"protocol_version": 1, "transition_id": 0}}));
    assert!(!heard_plain(&mut bench, 0));
    bench.text(json!({"op": 22, "d": {"transition_id": 4}}));
    assert!(!heard_plain(&mut bench, 1));
}

proptest! {
    /// Whatever a network does to packets: no panic, each speaker's audio in order, and every
    /// datagram has exactly one fate.
    #[test]
    fn every_packet_is_explained(
        events in proptest::collection::vec((0u32..4, 0u16..40, 0u8..8, 0u64..30), 1..150),
    ) {
        let mut bench = Bench::flowing(0);
        bench.speaking(ANN, 0);
        bench.speaking(BOB, 1);
        for (ssrc, sequence, what, wait) in events {
            let until = ms(bench.now.as_millis() + wait);
            bench.run_to(until);
            let timestamp = u32::from(sequence) * 960;
            match what {
                0 => bench.hear(ssrc, sequence, timestamp, &SILENCE),
                1 => bench.hear(ssrc, sequence, timestamp, &[]),
                2 => bench.hear(ssrc, sequence.wrapping_mul(1_700), timestamp, &SPEECH),
                3 => bench.datagram(&mut [0x90; 45]),
                4 if ssrc > 1 => bench.speaking(u64::from(ssrc) + 2_000, ssrc),
                _ => bench.hear(ssrc, sequence, timestamp, &SPEECH),
            }
            let in_flight = bench.call.packets_in_flight() as u64;
            let total = bench.total();
            prop_assert_eq!(total.received, total.explained() + in_flight);
        }
        let end = ms(bench.now.as_millis() + 5_000);
        bench.run_to(end);
        prop_assert_eq!(bench.call.packets_in_flight(), 0);
        prop_assert_eq!(bench.total().received, bench.total().explained());
        let mut speaking = BTreeMap::new();
        for (_, heard) in bench.ear.take() {
            match heard {
                Heard::Started(user) => prop_assert!(!speaking.insert(user, true).unwrap_or(false)),
                Heard::Audio(user, _) => prop_assert_eq!(speaking.get(&user), Some(&true)),
                Heard::Stopped(user) => prop_assert_eq!(speaking.insert(user, false), Some(true)),
            }
        }
        prop_assert!(speaking.values().all(|speaks| !speaks), "everybody stopped");
    }

    #[test]
    fn no_bytes_panic(
        texts in proptest::collection::vec((any::<u8>(), "[ -~]{0,40}"), 0..10),
        binaries in proptest::collection::vec(
            (25u8..31, proptest::collection::vec(any::<u8>(), 0..80)), 0..10),
        mut datagrams in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..120), 0..10),
        dave in 0u16..3,
    ) {
        let mut bench = Bench::flowing(dave);
        for (op, d) in texts {
            bench.call.handle_gateway_text(bench.now, &format!(r#"{{"op":{op},"d":{d}}}"#));
            bench.text(json!({"op": op, "d": {"user_ids": ["5"], "user_id": "5", "ssrc": 1,
                "transition_id": d.len(), "protocol_version": d.len() % 3, "epoch": 1}}));
        }
        for (op, body) in binaries {
            let message = [&[0, 0, op][..], &body].concat();
            bench.call.handle_gateway_binary(bench.now, &message, &mut bench.ear);
        }
        for datagram in &mut datagrams {
            bench.datagram(datagram);
        }
        bench.run_to(ms(30_000));
    }
}
