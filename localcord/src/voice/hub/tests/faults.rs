//! Faults on the websocket and on UDP, in virtual time.

use super::*;
use crate::fault::FaultSettings;

fn set(bench: &mut Bench, settings: Value) {
    let settings: FaultSettings = serde_json::from_value(settings).unwrap();
    settings.check().unwrap();
    bench.hub.handle_faults(bench.now_ms, &settings);
    bench.drain();
}

fn with(settings: Value) -> Bench {
    let mut bench = Bench::quiet();
    set(&mut bench, settings);
    bench
}

fn speaks(bench: &mut Bench, user: u64) {
    bench.text(user, &json!({ "op": 5, "d": { "speaking": 1 } }));
}

/// What the journal says was done, and how often.
fn injected(bench: &Bench, name: &str) -> usize {
    bench.journal.iter().filter(|entry| entry.0 == "fault" && entry.1 == name).count()
}

#[test]
fn a_close_at_each_step_of_the_handshake() {
    for (step, seen) in [
        ("open", vec![]),
        ("hello", vec![8]),
        ("identify", vec![8]),
        ("ready", vec![8, 2]),
        ("select", vec![8, 2]),
        ("description", vec![8, 2, 4]),
        ("externalSender", vec![8, 2, 4, 25]),
        ("keyPackage", vec![8, 2, 4, 25]),
        ("heartbeat", vec![8, 2, 4, 25]),
    ] {
        for code in [1006, 4006, 4014] {
            let mut bench = with(json!({ "voiceClose": { "at": step, "code": code } }));
            bench.join(1);
            bench.binary(1, &[26, 1]);
            bench.text(1, &json!({ "op": 3, "d": { "t": 1 } }));
            let mut expected = seen.clone();
            if step == "heartbeat" {
                // The broken key package came first.
                set(&mut bench, json!({}));
                bench = with(json!({ "voiceClose": { "at": step, "code": code } }));
                bench.join(1);
                bench.text(1, &json!({ "op": 3, "d": { "t": 1 } }));
            }
            expected.push(code);
            assert_eq!(bench.ops(1), expected, "{step} {code}");
            assert_eq!(injected(&bench, "voice_close"), 1, "{step} {code}");
            // It is used up.
            bench.hub.handle_ticket(bench.now_ms, ticket(1, VOICE));
            bench.join(1);
            assert_eq!(bench.ops(1), [8, 2, 4, 25], "{step} {code}");
        }
    }
}

#[test]
fn after_a_close_the_session_lives_on_or_not() {
    for (code, lives) in [(1006, true), (1001, true), (4015, true), (4006, false), (4014, false)] {
        let mut bench = with(json!({ "voiceClose": { "at": "externalSender", "code": code } }));
        bench.join(1);
        assert_eq!(bench.hub.members.len(), usize::from(lives), "{code}");
        bench.open(9, 8);
        bench.text(9, &resume(1, 2));
        let last = bench.ops(9).pop();
        assert_eq!(last, Some(if lives { 9 } else { 4006 }), "{code}");
    }
}

#[test]
fn a_close_chooses_its_user_its_turn_and_its_time() {
    let mut bench = with(json!({ "voiceClose": [
        { "user": "2", "at": "speaking", "code": 4015, "skip": 1, "times": 1, "afterMs": 300 },
    ] }));
    bench.join(1);
    bench.join(2);
    for user in [1, 1, 2, 2] {
        speaks(&mut bench, user);
    }
    bench.take(1);
    bench.take(2);
    assert_eq!(bench.hub.poll_timeout(), Some(300));
    bench.pass(299);
    // Until then everything goes on.
    speaks(&mut bench, 1);
    assert_eq!(bench.ops(2), [5]);
    bench.pass(1);
    assert_eq!(bench.ops(2), [4015]);
    assert!(bench.ops(1).is_empty());
}

/// What user 1 sees of two SPEAKING of user 2, and after 500 ms, and after the faults are cleared;
/// with sequence numbers.
fn speaking_under(fault: Value) -> [Vec<(u64, u64)>; 3] {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.take(1);
    set(&mut bench, json!({ "messages": [fault] }));
    let seen = |bench: &mut Bench| -> Vec<(u64, u64)> {
        let seen = bench.take(1);
        let values = seen.iter().map(|one| match one {
            Seen::Json(value) => (value["op"].as_u64().unwrap(), value["seq"].as_u64().unwrap()),
            _ => panic!("JSON"),
        });
        values.collect()
    };
    speaks(&mut bench, 2);
    speaks(&mut bench, 2);
    let at_once = seen(&mut bench);
    bench.pass(500);
    let later = seen(&mut bench);
    set(&mut bench, json!({}));
    [at_once, later, seen(&mut bench)]
}

#[test]
fn messages_are_dropped_delayed_withheld_and_doubled() {
    let none = Vec::new;
    for (fault, expected) in [
        (json!({ "op": 13, "action": "drop" }), [vec![(5, 4), (5, 5)], none(), none()]),
        (json!({ "op": 5, "action": "drop" }), [none(), none(), none()]),
        (json!({ "op": 5, "user": "3", "action": "drop" }), [vec![(5, 4), (5, 5)], none(), none()]),
        (
            json!({ "op": 5, "about": "1", "action": "drop" }),
            [vec![(5, 4), (5, 5)], none(), none()],
        ),
        (json!({ "op": 5, "about": "2", "action": "drop" }), [none(), none(), none()]),
        (json!({ "op": 5, "times": 1, "action": "drop" }), [vec![(5, 4)], none(), none()]),
        (json!({ "op": 5, "skip": 1, "action": "drop" }), [vec![(5, 4)], none(), none()]),
        (
            json!({ "op": 5, "percent": 0, "action": "drop" }),
            [vec![(5, 4), (5, 5)], none(), none()],
        ),
        (
            json!({ "op": 5, "action": { "delay": { "ms": 500 } } }),
            [none(), vec![(5, 4), (5, 5)], none()],
        ),
        (json!({ "op": 5, "action": { "delay": { "ms": 501 } } }), [none(), none(), none()]),
        (
            json!({ "op": 5, "times": 1, "action": "withhold" }),
            [vec![(5, 4)], none(), vec![(5, 5)]],
        ),
        (
            json!({ "op": 5, "times": 1, "action": { "after": { "op": 5 } } }),
            [vec![(5, 4), (5, 5)], none(), none()],
        ),
        (
            json!({ "op": 5, "times": 1, "action": { "duplicate": { "copies": 2 } } }),
            [vec![(5, 4), (5, 5), (5, 6), (5, 7)], none(), none()],
        ),
        (
            json!({ "op": 5, "times": 1, "action": { "duplicate": { "copies": 1, "afterMs": 9 } } }),
            [vec![(5, 4), (5, 5)], vec![(5, 6)], none()],
        ),
        (
            json!({ "op": 5, "direction": "fromClient", "times": 1, "action": "drop" }),
            [vec![(5, 4)], none(), none()],
        ),
        (
            json!({ "op": 5, "direction": "fromClient", "action": { "delay": { "ms": 400 } } }),
            [none(), vec![(5, 4), (5, 5)], none()],
        ),
        (
            json!({ "op": 5, "direction": "fromClient", "times": 1,
                "action": { "duplicate": { "copies": 1, "afterMs": 9 } } }),
            [vec![(5, 4), (5, 5)], vec![(5, 6)], none()],
        ),
    ] {
        assert_eq!(speaking_under(fault.clone()), expected, "{fault}");
    }
}

#[test]
fn a_message_waits_for_another_one() {
    // Who is there comes only after the external sender.
    let mut bench = Bench::quiet();
    bench.join(1);
    set(&mut bench, json!({ "messages": [{ "op": 11, "action": { "after": { "op": 25 } } }] }));
    bench.join(2);
    assert_eq!(bench.ops(2), [8, 2, 4, 25, 11]);
    assert_eq!(injected(&bench, "message_after"), 2);
}

#[test]
fn what_was_held_back_does_not_reach_the_next_session() {
    let mut bench = Bench::quiet();
    bench.join(1);
    set(&mut bench, json!({ "messages": [{ "op": 25, "action": { "delay": { "ms": 100 } } }] }));
    bench.join(2);
    bench.hub.handle_ticket(bench.now_ms, ticket(2, VOICE));
    bench.take(2);
    set(&mut bench, json!({}));
    bench.join(2);
    bench.pass(100);
    assert_eq!(bench.ops(2), [4014, 8, 2, 11, 4, 25]);
}

#[test]
fn fields_are_put_into_messages() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.take(1);
    let fields = json!({ "user_id": "9", "extra": [1] });
    set(
        &mut bench,
        json!({ "messages": [{ "op": 5, "action": { "merge": { "fields": fields } } }] }),
    );
    speaks(&mut bench, 2);
    let d = json!({ "user_id": "9", "ssrc": bench.media(2).0, "speaking": 1, "extra": [1] });
    assert!(bench.take(1) == [Seen::Json(json!({ "op": 5, "d": d, "seq": 4 }))]);
}

#[test]
fn binary_messages_are_damaged_in_their_last_bytes() {
    let mut bench = Bench::quiet();
    bench.join(1);
    let fault = json!({ "op": 25, "user": "2", "action": { "corrupt": { "bits": 1 } } });
    set(&mut bench, json!({ "seed": 4, "messages": [fault] }));
    bench.join(2);
    let sender = |bench: &mut Bench, user| match bench.take(user).pop() {
        Some(Seen::Binary(bytes)) => bytes,
        _ => panic!("op 25"),
    };
    let damaged = sender(&mut bench, 2);
    bench.join(3);
    let genuine = sender(&mut bench, 3);
    assert_eq!(damaged.len(), genuine.len());
    let body = 3..genuine.len();
    let flipped: Vec<u32> = body.map(|at| (damaged[at] ^ genuine[at]).count_ones()).collect();
    assert_eq!(flipped.iter().sum::<u32>(), 1);
    assert!(flipped[..flipped.len() - 16].iter().all(|bits| *bits == 0));
}

#[test]
fn a_half_open_websocket_says_nothing_and_stays() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.take(1);
    set(&mut bench, json!({ "messages": [{ "user": "1", "action": "drop" }] }));
    for _ in 0..4 {
        bench.pass(13_750);
        bench.text(1, &json!({ "op": 3, "d": { "t": 1 } }));
    }
    bench.join(2);
    assert!(bench.take(1).is_empty());
    assert_eq!(bench.ops(2), [8, 2, 11, 4, 25]);
    assert!(bench.hub.members.contains_key(&(GUILD, 1)));
}

#[test]
fn messages_of_ones_own() {
    let mut bench = with(json!({ "inject": [
        { "user": "1", "at": "ready", "message": { "rawBinary": { "hex": "0001" } } },
        { "at": "select", "message": { "json": { "op": 250, "d": { "x": 1 } } } },
        { "at": "externalSender", "times": 2, "message": { "rawText": { "text": "{" } } },
    ] }));
    bench.open(1, 8);
    bench.text(1, &identify(1));
    let seen = bench.take(1);
    assert!(seen.last() == Some(&Seen::Binary(vec![0, 1])));
    let message = crate::fault::VoiceMessage::Binary { op: 22, hex: "ff 00".into() };
    assert!(bench.hub.handle_injection(0, 1, &message));
    assert!(!bench.hub.handle_injection(0, 2, &message));
    bench.drain();
    assert!(bench.take(1) == [Seen::Binary(vec![0, 1, 22, 255, 0])]);
    assert_eq!(injected(&bench, "message_inject"), 2);
}

#[test]
fn how_the_gateway_can_differ() {
    let mut bench = with(json!({ "voice": {
        "heartbeatIntervalMs": 41.25, "firstSequence": 65535, "withoutAes": true,
    } }));
    bench.open(1, 8);
    let Some(Seen::Json(hello)) = bench.take(1).pop() else { panic!("HELLO") };
    assert_eq!(hello["d"]["heartbeat_interval"], 41.25);
    bench.text(1, &identify(1));
    let Some(Seen::Json(ready)) = bench.take(1).pop() else { panic!("READY") };
    assert_eq!(ready["d"]["modes"], json!(["aead_xchacha20_poly1305_rtpsize"]));
    bench.text(1, &select(6_001, Mode::XChaCha20Poly1305));
    let seen = bench.take(1);
    let [Seen::Json(description), Seen::Binary(sender)] = &seen[..] else { panic!("4 and 25") };
    assert_eq!(description["seq"], 65_535);
    assert_eq!(sender[..3], [0, 0, 25]);
    // Every message of the session counts as missed, also across the wrap.
    bench.hub.handle_disconnect(0, 1, None);
    set(&mut bench, json!({ "voice": { "replayBeforeResumed": true } }));
    bench.open(9, 8);
    bench.text(9, &resume(1, 65_535));
    assert_eq!(bench.ops(9), [8, 25, 9]);
}

#[test]
fn answers_to_discovery_are_lost() {
    let mut bench = with(json!({ "voice": { "lostDiscoveryAnswers": 2 } }));
    bench.join(1);
    let mut request = vec![0, 1, 0, 70];
    request.extend_from_slice(&bench.media(1).0.to_be_bytes());
    request.resize(DISCOVERY_LENGTH, 0);
    let mut answered = Vec::new();
    for _ in 0..4 {
        let from = ([127, 0, 0, 1], 7_777).into();
        bench.hub.handle_datagram(bench.now_ms, Treatment::default(), from, &request);
        bench.drain();
        answered.push(bench.sent.len());
    }
    assert_eq!(answered, [0, 0, 1, 2]);
}

fn talking(settings: Value) -> Bench {
    let mut bench = Bench::quiet();
    for user in [1, 2, 3] {
        bench.join(user);
        speaks(&mut bench, user);
    }
    set(&mut bench, settings);
    bench
}

#[test]
fn packets_come_when_the_network_lets_them_and_are_counted() {
    let mut bench = talking(json!({ "udp": [
        { "from": "1", "to": "2", "delayMs": 30 },
        { "from": "1", "to": "3", "dropPercent": 100 },
    ] }));
    bench.rtp(1);
    bench.rtp(2);
    let to: Vec<_> = bench.sent.iter().map(|(to, _)| to.port()).collect();
    assert_eq!(to, [6_001, 6_003]);
    assert_eq!(bench.hub.poll_timeout(), Some(30));
    bench.pass(29);
    assert_eq!(bench.sent.len(), 2);
    bench.pass(1);
    assert_eq!(bench.sent[2].0.port(), 6_002);
    bench.rtp(1);
    bench.pass(970);
    let counts: Vec<_> = bench.journal.iter().filter(|entry| entry.1 == "udp").collect();
    let expected = json!({ "from": "1", "to": "3", "counts": { "loss": 2 } });
    assert_eq!(counts.iter().map(|entry| &entry.2).collect::<Vec<_>>(), [&expected]);
}

#[test]
fn packets_are_changed_on_their_way() {
    let mut bench = talking(json!({ "packets": [
        { "to": "2", "change": { "padding": { "bytes": 200 } } },
        { "to": "3", "insert": true, "change": "plaintext" },
    ] }));
    bench.rtp(1);
    let sizes: Vec<_> = bench.sent.iter().map(|(to, wire)| (to.port(), wire.len())).collect();
    let overhead = 12 + 20;
    assert_eq!(sizes[0], (6_002, overhead + 3 + 200));
    assert_eq!(sizes.len(), 3);
    assert_eq!((sizes[1].0, sizes[2]), (6_003, (6_003, overhead + 3)));
    bench.pass(1_000);
    let counts: Vec<_> = bench.journal.iter().filter(|entry| entry.1 == "udp").collect();
    assert_eq!(counts.len(), 2);
}

#[test]
fn a_black_hole_swallows_a_users_datagrams() {
    for (direction, heard) in [
        ("both", vec![6_003]),
        ("fromUser", vec![6_001, 6_003]),
        ("toUser", vec![6_002, 6_003, 6_003]),
    ] {
        let mut bench = talking(json!({ "blackHoles": [
            { "user": "1", "direction": direction, "forMs": 100 },
        ] }));
        bench.rtp(1);
        bench.rtp(2);
        let mut to: Vec<_> = bench.sent.iter().map(|(to, _)| to.port()).collect();
        to.sort_unstable();
        assert_eq!(to, heard, "{direction}");
        bench.pass(100);
        bench.sent.clear();
        bench.rtp(1);
        assert_eq!(bench.sent.len(), 2);
    }
}

#[test]
fn nothing_is_left_when_the_faults_are_cleared() {
    let mut bench = talking(json!({
        "udp": [{ "delayMs": 30, "corruptPercent": 100 }],
        "packets": [{ "change": { "paddingOnly": { "bytes": 9 } } }],
        "messages": [{ "action": "drop" }],
        "voiceClose": { "at": "heartbeat", "code": 4006 },
    }));
    bench.rtp(1);
    set(&mut bench, json!({}));
    bench.pass(30);
    bench.sent.clear();
    bench.take(1);
    bench.rtp(1);
    assert_eq!(bench.sent.len(), 2);
    assert!(bench.sent.iter().all(|(_, wire)| wire.len() == 12 + 20 + 3));
    bench.text(1, &json!({ "op": 3, "d": { "t": 1 } }));
    assert_eq!(bench.ops(1), [6]);
}

#[test]
fn a_ticket_beside_an_older_connection_replaces_it_at_identify() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.take(2);
    let renewed = Ticket { token: "another".into(), ..ticket(2, VOICE) };
    bench.hub.handle_ticket_beside(bench.now_ms, renewed);
    bench.drain();
    assert!(bench.take(2).is_empty());
    let old = bench.media(2).0;
    bench.open(9, 8);
    let mut again = identify(2);
    again["d"]["token"] = "another".into();
    bench.text(9, &again);
    assert_eq!(bench.ops(2), [4014]);
    assert_eq!(bench.ops(9), [8, 2, 11]);
    assert_ne!(bench.media(2).0, old);
    // Everybody here is up to date.
    bench.hub.handle_retirement(bench.now_ms, GUILD, false);
    assert_eq!(bench.hub.members.len(), 2);
}

#[test]
fn retirement_removes_older_connections_or_everybody() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.join(2);
    bench.hub.handle_ticket_beside(0, Ticket { token: "another".into(), ..ticket(2, VOICE) });
    bench.hub.handle_retirement(0, GUILD, false);
    bench.drain();
    assert!(bench.take(2).last() == Some(&Seen::Closed(4014)));
    assert_eq!(bench.hub.members.keys().copied().collect::<Vec<_>>(), [(GUILD, 1)]);
    bench.hub.handle_retirement(0, 77, true);
    assert_eq!(bench.hub.members.len(), 1);
    bench.hub.handle_retirement(0, GUILD, true);
    bench.drain();
    assert!(bench.hub.members.is_empty());
    bench.open(9, 8);
    bench.text(9, &identify(1));
    assert!(bench.take(9).last() == Some(&Seen::Closed(4011)));
}

/// An IP discovery request of a user, from its usual port.
fn discovery(bench: &mut Bench, user: u64) {
    let mut ask = vec![0, 1, 0, 70];
    ask.extend_from_slice(&bench.media(user).0.to_be_bytes());
    ask.resize(DISCOVERY_LENGTH, 0);
    datagram(bench, user, &ask);
}

fn datagram(bench: &mut Bench, user: u64, bytes: &[u8]) {
    let from = ([127, 0, 0, 1], 6_000 + user as u16).into();
    bench.hub.handle_datagram(bench.now_ms, Treatment::default(), from, bytes);
    bench.drain();
}

#[test]
fn a_black_hole_swallows_discovery_and_keepalives_in_its_direction() {
    for (direction, answered, from, to) in
        [("fromUser", false, 2, 0), ("toUser", false, 0, 1), ("both", false, 2, 0)]
    {
        let mut bench = Bench::quiet();
        bench.join(1);
        discovery(&mut bench, 1);
        assert_eq!(bench.sent.len(), 1, "at any time of a connection");
        bench.sent.clear();
        set(&mut bench, json!({ "blackHoles": [{ "user": "1", "direction": direction }] }));
        discovery(&mut bench, 1);
        datagram(&mut bench, 1, &[7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(!bench.sent.is_empty(), answered, "{direction}");
        bench.pass(1_000);
        let counted = |user: &str, other: &str| {
            let counts = bench.journal.iter().filter(|entry| entry.1 == "udp");
            let counts = counts.filter(|(_, _, data)| data["from"] == user && data["to"] == other);
            counts.map(|(_, _, data)| data["counts"]["blackHole"].as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!((counted("1", "0"), counted("0", "1")), (from, to), "{direction}");
        // Another user's are answered.
        bench.join(2);
        discovery(&mut bench, 2);
        assert_eq!(bench.sent.len(), 1, "{direction}");
    }
}

#[test]
fn calls_go_down_to_transport_encryption_and_up_again() {
    let mut bench = Bench::quiet();
    bench.join(1);
    bench.take(1);
    let transition = |bench: &mut Bench| match &bench.take(1)[..] {
        [Seen::Json(message)] => {
            (message["op"].as_u64().unwrap(), message["d"]["protocol_version"].clone())
        }
        other => panic!("{:?}", other.iter().map(Seen::op).collect::<Vec<_>>()),
    };
    let later = json!({ "channel": VOICE.to_string(), "afterMs": 100, "forMs": 200 });
    set(&mut bench, json!({ "downgrades": [later] }));
    bench.pass(99);
    assert!(bench.take(1).is_empty());
    assert_eq!(bench.hub.poll_timeout(), Some(100));
    bench.pass(1);
    assert_eq!(transition(&mut bench), (21, json!(0)));
    assert_eq!(bench.hub.poll_timeout(), Some(300));
    bench.pass(200);
    assert_eq!(transition(&mut bench), (24, json!(1)));

    // Until it is cleared, also for those who come meanwhile.
    set(&mut bench, json!({ "downgrades": [{}] }));
    assert_eq!(transition(&mut bench), (21, json!(0)));
    bench.join(2);
    let described = bench.take(2).into_iter().find(|seen| seen.op() == 4);
    let Some(Seen::Json(description)) = described else { panic!("no op 4") };
    assert_eq!(description["d"]["dave_protocol_version"], 0);
    bench.take(1);
    set(&mut bench, json!({}));
    assert_eq!(bench.ops(2).last(), Some(&24));
    assert_eq!(injected(&bench, "dave_version"), 4);

    // A call that begins then begins without.
    let mut bench = with(json!({ "downgrades": [{}] }));
    bench.join(1);
    let described = bench.take(1).into_iter().find(|seen| seen.op() == 4);
    let Some(Seen::Json(description)) = described else { panic!("no op 4") };
    assert_eq!(description["d"]["dave_protocol_version"], 0);
}
