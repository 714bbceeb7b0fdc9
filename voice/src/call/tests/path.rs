//! The way of the datagrams: probes, a path that dies, an address that changes, and a machine that
//! slept.

use super::*;

fn answer_from(port: u16) -> Vec<u8> {
    let mut answer = discovery_answer();
    answer[72..].copy_from_slice(&port.to_be_bytes());
    answer
}

/// A call whose server has answered the first probe; at 1 s.
fn proven() -> Bench {
    let mut bench = Bench::flowing(0);
    bench.run_to(ms(1_000));
    assert_eq!(bench.ops(), ["datagram"], "the first probe");
    bench.datagram(&mut discovery_answer());
    assert_eq!(bench.ops(), [""; 0], "nothing has changed");
    bench
}

fn texts(bench: &mut Bench, op: u64) -> Vec<Value> {
    bench.outputs().into_iter().filter(|output| output["op"] == op).collect()
}

#[test]
fn a_quiet_call_is_no_dead_path() {
    let mut bench = Bench::flowing(0);
    bench.text(json!({"op": 8, "d": {"heartbeat_interval": 3_600_000}}));
    bench.outputs();
    bench.run_to(ms(60_000));
    assert!(bench.ops().iter().all(|op| op == "datagram"), "a server that answers no probe");
    assert_eq!(bench.call.stats().gateway.paths_lost, 0);
}

#[test]
fn a_dead_path_is_replaced_without_leaving_the_session() {
    let mut bench = proven();
    bench.speaking(ANN, 11);
    bench.hear(11, 0, 0, &[0xFC; 60]);
    bench.outputs();
    // Ann breaks off in mid-word: asked after 0.4 s, three times, then a new socket.
    bench.run_to(ms(2_899));
    assert_eq!(bench.ops(), ["datagram"; 3]);
    bench.run_to(ms(2_900));
    assert_eq!(bench.ops(), ["PathLost", "udp", "datagram"]);
    assert!(bench.call.can_send());
    bench.datagram(&mut answer_from(50_002));
    let select = texts(&mut bench, 1);
    assert_eq!(select[0]["d"]["data"]["port"], 50_002);
    bench.text(description(Mode::Aes256Gcm, 0));
    assert_eq!(bench.outputs(), [Value::Null; 0], "the same keys: nothing begins anew");
    bench.hear(11, 1, 960, &[0xFC; 60]);
    assert_eq!(bench.total().delivered, 2);
    assert_eq!(bench.call.stats().gateway.paths_lost, 1);
}

#[test]
fn a_path_that_stays_dead_ends_the_session() {
    let mut bench = proven();
    bench.run_to(ms(20_000));
    let outputs = bench.outputs();
    let sockets = outputs.iter().filter(|output| **output == json!("udp 127.0.0.1:9")).count();
    assert_eq!(sockets, 3);
    let ended = outputs.last().unwrap().to_string();
    assert!(ended.contains("cannot be reached by UDP") && ended.contains("Rejoin"), "{ended}");
}

#[test]
fn an_address_that_changed_is_selected_anew() {
    let mut bench = proven();
    bench.run_to(ms(6_000));
    bench.outputs();
    bench.datagram(&mut answer_from(50_009));
    assert_eq!(texts(&mut bench, 1)[0]["d"]["data"]["port"], 50_009);
    // Without a websocket it is said once there is one.
    bench.call.handle_gateway_closed(bench.now, None);
    bench.datagram(&mut answer_from(50_010));
    assert_eq!(texts(&mut bench, 1), [Value::Null; 0]);
    bench.call.handle_gateway_opened(bench.now);
    bench.text(json!({"op": 9, "d": null}));
    assert_eq!(texts(&mut bench, 1)[0]["d"]["data"]["port"], 50_010);
}

#[test]
fn a_repeated_session_description_reuses_no_nonce() {
    let mut bench = Bench::flowing(0);
    let mut suffixes = std::collections::BTreeSet::new();
    for _ in 0..3 {
        for _ in 0..5 {
            let mut datagram = [0; MAX_DATAGRAM_BYTES];
            let frame = [1_000; FRAME_SAMPLES];
            let bytes = bench.call.handle_tick(bench.now, Some(&frame), &mut datagram).unwrap();
            suffixes.insert(datagram[bytes - 4..bytes].to_vec());
        }
        bench.text(description(Mode::Aes256Gcm, 0));
    }
    assert_eq!(suffixes.len(), 15);
}

#[test]
fn after_the_machine_slept_the_link_is_asked_once_and_given_five_seconds() {
    let mut bench = Bench::flowing(0);
    bench.run_to(ms(10_000));
    bench.text(json!({"op": 6, "d": {"t": 1}}));
    bench.outputs();
    // The lid was closed for an hour.
    let woken = ms(3_600_000);
    bench.now = woken;
    bench.call.handle_timeout(woken, &mut bench.ear);
    let ops = bench.ops();
    assert_eq!(ops.iter().filter(|op| *op == "op3").count(), 1, "{ops:?}");
    let datagrams = ops.iter().filter(|op| *op == "datagram").count();
    assert!(datagrams <= 2, "a probe and a keepalive, no burst: {ops:?}");
    bench.run_to(ms(3_604_999));
    assert!(bench.ops().iter().all(|op| op == "datagram"));
    bench.run_to(ms(3_605_000));
    let ops: Vec<_> = bench.ops().into_iter().filter(|op| op != "datagram").collect();
    assert_eq!(ops, ["close", "Reconnecting", "connect"]);
}

#[test]
fn a_link_that_outlived_the_sleep_goes_on() {
    let mut bench = Bench::flowing(0);
    let woken = ms(3_600_000);
    bench.now = woken;
    bench.call.handle_timeout(woken, &mut bench.ear);
    bench.text(json!({"op": 6, "d": {"t": 1}}));
    bench.outputs();
    bench.run_to(ms(3_612_000));
    let ops: Vec<_> = bench.ops().into_iter().filter(|op| op != "datagram").collect();
    assert_eq!(ops, ["op3"]);
}
