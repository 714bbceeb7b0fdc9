//! Faults over real sockets: what humans hear and survive while things go wrong.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::{future::Future, net::Ipv4Addr, time::Duration};

use localcord::{
    Server, ServerSettings,
    authority::Authority,
    fault::{FaultSettings, Faults},
    human::{Human, HumanError, HumanStats, wav},
    journal::{Entry, Journal},
    similarity::similarity_within,
    voice::{Ticket, VoiceInvite, VoiceServer},
    world::default::{ADA, BEN, GUILD as DEFAULT_GUILD, LOUNGE},
};
use serde_json::{Value, json};

const INTERRUPT: &[u8] = include_bytes!("../../fixtures/audio/interrupt.wav");
const GUILD: u64 = 1;
const CHANNEL: u64 = 10;

/// Nothing here takes this long.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

struct Call {
    server: VoiceServer,
    faults: Faults,
    journal: Journal,
}

impl Call {
    async fn new() -> Self {
        let tls = Authority::generate().unwrap().acceptor().unwrap();
        let (faults, journal) = (Faults::default(), Journal::default());
        let bind = Ipv4Addr::LOCALHOST.into();
        let server = VoiceServer::start(bind, tls, journal.clone(), faults.clone()).await.unwrap();
        Self { server, faults, journal }
    }

    fn set(&self, settings: Value) {
        let settings: FaultSettings = serde_json::from_value(settings).unwrap();
        settings.check().unwrap();
        self.faults.set(settings);
        self.server.apply_faults();
    }

    fn admit(&self, user_id: u64) -> VoiceInvite {
        let (session_id, token) = (format!("session-{user_id}"), format!("token-{user_id}"));
        self.server.admit(Ticket {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id: session_id.clone(),
            token: token.clone(),
            dave: true,
        });
        VoiceInvite {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id,
            token,
            endpoint: self.server.endpoint_in(GUILD),
        }
    }

    async fn join(&self, user_id: u64) -> Human {
        Human::join(self.admit(user_id)).await.unwrap()
    }

    async fn pair(&self) -> (Human, Human) {
        let (one, two) = (self.join(1).await, self.join(2).await);
        together(&[(1, &one), (2, &two)]).await;
        (one, two)
    }

    /// Waits for an entry about an injected fault.
    async fn injected(&self, name: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let found = |entry: &Entry| entry.kind == "fault" && entry.name == name && wanted(entry);
        soon(name, self.journal.wait_for(0, found)).await
    }
}

async fn together(humans: &[(u64, &Human)]) {
    for (user, human) in humans {
        let others: Vec<u64> =
            humans.iter().map(|(other, _)| *other).filter(|other| other != user).collect();
        soon("a common epoch", human.shares_epoch_with(&others)).await.unwrap();
    }
}

async fn decoded(human: &Human, from: u64, frames: u64) {
    let enough = move |stats: &HumanStats| {
        stats.senders.get(&from).is_some_and(|sender| sender.frames_decoded >= frames)
    };
    soon("what was said", human.wait_until(enough)).await.unwrap();
}

#[track_caller]
fn assert_heard(human: &Human, from: u64) {
    let said: Vec<i16> = wav::read_stereo_48k(INTERRUPT).unwrap().into_iter().step_by(2).collect();
    let found = similarity_within(&said, &human.heard(from).pcm, wav::SAMPLE_RATE, 0..=4_800);
    assert!(found.score >= 0.9, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_legal_shape_of_a_packet_is_heard() {
    let call = Call::new().await;
    let (alice, bob) = call.pair().await;
    call.set(json!({ "seed": 1, "udp": [{ "delayMs": 5, "jitterMs": 10 }], "packets": [
        { "every": 5, "change": { "padding": { "bytes": 255 } } },
        { "every": 7, "change": { "csrcs": { "count": 15 } } },
        { "every": 3, "change": { "extension": { "words": 4 } } },
        { "every": 11, "change": "noExtension" },
        { "every": 6, "insert": true, "change": { "paddingOnly": { "bytes": 30 } } },
        { "every": 9, "change": "rtcp" },
        { "every": 8, "change": { "runt": { "bytes": 20 } } },
    ] }));
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    decoded(&bob, 1, u64::from(spoken.frames) + 5).await;
    assert_heard(&bob, 1);
    let stats = bob.stats();
    assert_eq!((stats.undecryptable_after_ready, stats.decode_errors), (0, 0));
    let entry = call.injected("udp", |entry| entry.data["counts"]["padding"].is_u64()).await;
    assert_eq!((&entry.data["from"], &entry.data["to"]), (&json!("1"), &json!("2")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_illegal_is_not_heard_and_counted_by_the_human() {
    let call = Call::new().await;
    let (alice, bob) = call.pair().await;
    call.set(json!({ "packets": [
        { "every": 4, "insert": true, "change": { "paddingCount": { "count": 0 } } },
        { "every": 4, "skip": 1, "insert": true, "change": "wrongTag" },
        { "every": 4, "skip": 2, "insert": true, "change": "extensionTruncated" },
        { "every": 4, "skip": 3, "insert": true, "change": { "payloadType": { "value": 101 } } },
    ] }));
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    let frames = u64::from(spoken.frames) + 5;
    decoded(&bob, 1, frames).await;
    let stats = bob.stats();
    assert_eq!(stats.senders[&1].frames_decoded, frames);
    assert!(stats.transport_failures > frames / 5, "{stats:?}");
    assert!(stats.packets_malformed > 2 * (frames / 5), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn loss_is_of_the_size_asked_for() {
    let call = Call::new().await;
    let (alice, bob) = call.pair().await;
    call.set(json!({ "seed": 3, "udp": [{ "from": "1", "dropPercent": 20 }] }));
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    let entry = call.injected("udp", |entry| entry.data["counts"]["loss"].is_u64()).await;
    assert_eq!(entry.data["to"], "2");
    let sent = u64::from(spoken.frames) + 5;
    decoded(&bob, 1, sent * 6 / 10).await;
    assert!(bob.stats().senders[&1].packets_lost > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_commit_or_welcome_is_recovered_from() {
    for (op, victim) in [(29, 1_u64), (30, 3)] {
        let call = Call::new().await;
        let (alice, bob) = call.pair().await;
        let fault = json!({ "op": op, "user": victim.to_string(), "times": 1,
            "action": { "corrupt": { "bits": 1 } } });
        call.set(json!({ "seed": 1, "messages": [fault] }));
        let carol = call.join(3).await;
        let humans = [(1, &alice), (2, &bob), (3, &carol)];
        call.injected("message_corrupt", |entry| entry.data["op"] == op).await;
        let (_, harmed) = humans.iter().find(|(user, _)| *user == victim).unwrap();
        soon("the recovery", harmed.wait_until(|stats| stats.recoveries == 1)).await.unwrap();
        // Its leaf is replaced: everybody sees one more epoch than the join made.
        let again = |stats: &HumanStats| stats.current_epoch == Some(3);
        for (_, human) in humans {
            soon("the next epoch", human.wait_until(again)).await.unwrap();
        }
        together(&humans).await;
        let spoken = alice.speak(INTERRUPT).await.unwrap();
        decoded(&carol, 1, u64::from(spoken.frames) + 5).await;
        assert_heard(&carol, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_in_the_handshake_happens_once() {
    let call = Call::new().await;
    for (step, code) in [("identify", 4006), ("ready", 4014), ("select", 4009)] {
        call.set(json!({ "voiceClose": { "user": "1", "at": step, "code": code } }));
        let Err(HumanError::Ended(ended)) = Human::join(call.admit(1)).await else {
            panic!("was let in at {step}");
        };
        assert_eq!(ended.code, Some(code), "{step}");
        call.injected("voice_close", |entry| entry.data["code"] == code).await;
        call.join(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_cut_without_a_close_frame() {
    let call = Call::new().await;
    call.set(json!({ "voiceClose": { "at": "externalSender", "code": 1006 } }));
    // Whether the handshake was complete a moment before, is a race.
    let ended = match Human::join(call.admit(1)).await {
        Ok(human) => soon("the end", human.wait_ended()).await,
        Err(HumanError::Ended(ended)) => ended,
        Err(other) => panic!("{other}"),
    };
    assert_eq!(ended.code, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_missing_speaking_events() {
    let call = Call::new().await;
    let (alice, bob) = call.pair().await;
    call.set(json!({ "messages": [{ "op": 5, "user": "2", "action": "withhold" }] }));
    alice.speak(INTERRUPT).await.unwrap();
    call.injected("message_withhold", |_| true).await;
    assert!(bob.stats().senders.is_empty());
    call.set(json!({}));
    let known = |stats: &HumanStats| stats.senders.contains_key(&1);
    soon("whose it was", bob.wait_until(known)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_guild_leaves_its_old_server_when_told() {
    let call = Call::new().await;
    let (alice, bob) = call.pair().await;
    let old = call.server.endpoint_in(GUILD);
    call.server.relocate(GUILD).await.unwrap();
    assert_ne!(call.server.endpoint_in(GUILD), old);
    assert_eq!((call.server.endpoint(), call.server.endpoint_in(77)), (old.clone(), old));
    // The old call goes on beside the new one.
    for user_id in [1, 2] {
        call.server.admit_beside(Ticket {
            guild_id: GUILD,
            channel_id: CHANNEL,
            user_id,
            session_id: format!("session-{user_id}"),
            token: "new".into(),
            dave: true,
        });
    }
    let invite = |user_id: u64| VoiceInvite {
        guild_id: GUILD,
        channel_id: CHANNEL,
        user_id,
        session_id: format!("session-{user_id}"),
        token: "new".into(),
        endpoint: call.server.endpoint_in(GUILD),
    };
    let (new_alice, new_bob) =
        (Human::join(invite(1)).await.unwrap(), Human::join(invite(2)).await.unwrap());
    together(&[(1, &new_alice), (2, &new_bob)]).await;
    let (one, two) = tokio::join!(alice.speak(INTERRUPT), new_alice.speak(INTERRUPT));
    decoded(&bob, 1, u64::from(one.unwrap().frames) + 5).await;
    decoded(&new_bob, 1, u64::from(two.unwrap().frames) + 5).await;
    call.server.retire(GUILD);
    for old in [&alice, &bob] {
        assert_eq!(soon("the end", old.wait_ended()).await.code, Some(4014));
    }
    assert!(new_alice.ended().is_none() && new_bob.ended().is_none());
}

/// The ops from 22 to 30 that a user was sent since an entry of the journal, with their transition.
fn transitions(call: &Call, since: u64, user: u64) -> Vec<(u64, Value)> {
    let entries = call.journal.since(since);
    let user = json!(user.to_string());
    let sent = entries.iter().filter(|entry| {
        entry.kind == "dave" && entry.data["direction"] == "out" && entry.data["user_id"] == user
    });
    let ops = sent.filter_map(|entry| {
        let op = entry.data["op"].as_u64().filter(|op| [22, 29, 30].contains(op))?;
        Some((op, entry.data["d"]["transition_id"].clone()))
    });
    ops.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_welcomes_and_transitions_in_every_wrong_order() {
    let after = |op: u8| json!({ "after": { "op": op } });
    for (fault, user, joining, expected) in [
        // 22 before 29.
        (json!({ "op": 29, "user": "1", "action": after(22) }), 1, 1, vec![22, 29]),
        // 22 twice.
        (
            json!({ "op": 22, "user": "1", "action": { "duplicate": { "copies": 1 } } }),
            1,
            1,
            vec![29, 22, 22],
        ),
        // Two pending, executed in the wrong order.
        (
            json!({ "op": 22, "user": "1", "times": 1, "action": after(22) }),
            1,
            2,
            vec![29, 29, 22, 22],
        ),
        // A commit and a welcome that do not come.
        (json!({ "op": 29, "user": "1", "action": "withhold" }), 1, 1, vec![22]),
        (json!({ "op": 30, "user": "3", "action": "withhold" }), 3, 1, vec![22]),
        (json!({ "op": 30, "user": "3", "action": after(22) }), 3, 1, vec![22, 30]),
    ] {
        let call = Call::new().await;
        let (alice, bob) = call.pair().await;
        let since = call.journal.since(0).last().map_or(0, |entry| entry.seq);
        let fast = json!({ "transitionDeadlineMs": 200 });
        call.set(json!({ "messages": [fault.clone()], "voice": fast }));
        let mut others = Vec::new();
        for (n, user_id) in (3..3 + joining).enumerate() {
            let epoch = u64::try_from(n).unwrap() + 2;
            others.push(call.join(user_id).await);
            let reached =
                move |entry: &Entry| entry.name == "epoch" && entry.data["epoch"] == epoch;
            soon("the epoch", call.journal.wait_for(since, reached)).await;
        }
        let complete = async {
            while transitions(&call, since, user).len() < expected.len() {
                let latest = call.journal.since(0).last().map_or(0, |entry| entry.seq);
                call.journal.wait_for(latest, |entry| entry.kind == "dave").await;
            }
        };
        // The last one may have come between the look and the wait: then this runs out, and the
        // look below decides.
        let _ = tokio::time::timeout(Duration::from_secs(1), complete).await;
        let found = transitions(&call, since, user);
        let ops: Vec<u64> = found.iter().map(|(op, _)| *op).collect();
        assert_eq!(ops, expected, "{fault}");
        if joining == 2 {
            assert_eq!((&found[0].1, &found[1].1), (&found[3].1, &found[2].1), "{found:?}");
        }
        assert!(alice.ended().is_none() && bob.ended().is_none(), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn speaking_that_names_the_wrong_user() {
    let call = Call::new().await;
    let (alice, bob) = call.pair().await;
    let wrong = json!({ "merge": { "fields": { "user_id": "9" } } });
    call.set(json!({ "messages": [{ "op": 5, "user": "2", "about": "1", "action": wrong }] }));
    let spoken = alice.speak(INTERRUPT).await.unwrap();
    let enough = u64::from(spoken.frames) / 2;
    let blamed = move |stats: &HumanStats| {
        stats.senders.get(&9).is_some_and(|sender| sender.frames_received >= enough)
    };
    soon("frames of nobody", bob.wait_until(blamed)).await.unwrap();
    assert!(!bob.stats().senders.contains_key(&1));
}

/// A localcord and its control API.
struct World {
    server: Server,
    http: reqwest::Client,
}

impl World {
    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let url = format!("{}/{path}", self.server.control_url());
        let answer = self.http.post(url).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap_or_default())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn humans_follow_a_server_move_over_the_control_api() {
    let server = Server::start(ServerSettings::default()).await.unwrap();
    let world = World { server, http: reqwest::Client::new() };
    for human in [ADA, BEN] {
        let join = json!({ "channel_id": LOUNGE.to_string() });
        let path = format!("humans/{human}/voice?wait=true");
        assert_eq!(world.post(&path, join).await.0, 200);
    }
    let mut endpoint = json!(world.server.voice().endpoint());
    for variant in ["nullFirst", "update", "close4014", "sameEndpoint"] {
        let before = world.server.journal().since(0).last().map_or(0, |entry| entry.seq);
        let asked = json!({ "guild_id": DEFAULT_GUILD.to_string(), "variant": variant,
            "keepOldMs": 0, "pauseMs": 1 });
        let (status, answer) = world.post("faults/server-move", asked).await;
        assert_eq!(status, 200, "{variant}: {answer}");
        assert_eq!(answer["endpoint"] == endpoint, variant == "sameEndpoint", "{variant}");
        assert_eq!(answer["humans"].as_array().map(Vec::len), Some(2), "{variant}");
        endpoint = answer["endpoint"].clone();
        assert_eq!(endpoint, world.server.voice().endpoint_in(DEFAULT_GUILD));
        // Everybody is in one group again.
        let grouped = |entry: &Entry| {
            entry.name == "epoch"
                && entry.data["members"].as_array().is_some_and(|all| all.len() == 2)
        };
        soon("a group", world.server.journal().wait_for(before, grouped)).await;
    }
    for (path, body, status) in [
        ("faults/server-move", json!({ "variant": "sideways" }), 400),
        ("faults/server-move", json!({ "keepOldMs": -1 }), 400),
        (
            "faults/voice-message",
            json!({ "user_id": "1", "message": { "json": { "op": 22 } } }),
            409,
        ),
        (
            "faults/voice-message",
            json!({ "user_id": ADA.to_string(),
                "message": { "json": { "op": 22, "d": { "transition_id": 999 } } } }),
            204,
        ),
        ("faults/voice-message", json!({ "user_id": "1", "message": { "binary": {} } }), 400),
        ("faults/dave-version", json!({ "channel_id": LOUNGE.to_string(), "version": 2 }), 400),
        ("faults/dave-version", json!({ "channel_id": LOUNGE.to_string(), "version": 0 }), 204),
    ] {
        assert_eq!(world.post(path, body.clone()).await.0, status, "{path} {body}");
    }
    let url = format!("{}/faults", world.server.control_url());
    let put = |body: Value| world.http.put(&url).json(&body).send();
    assert_eq!(put(json!({ "udp": [{ "dropPercent": 101 }] })).await.unwrap().status(), 400);
    assert_eq!(put(json!({ "udp": [{ "dropPercent": 10 }] })).await.unwrap().status(), 200);
    assert_eq!(world.server.faults().current().udp[0].drop_percent, 10.0);
    assert_eq!(put(json!({})).await.unwrap().status(), 200);
    assert_eq!(world.server.faults().current(), FaultSettings::default());
    world.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speech_goes_on_after_a_server_move() {
    for (variant, keep_old_ms) in [("nullFirst", 0), ("update", 2_000)] {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let world = World { server, http: reqwest::Client::new() };
        for human in [ADA, BEN] {
            let join = json!({ "channel_id": LOUNGE.to_string() });
            let path = format!("humans/{human}/voice?wait=true");
            assert_eq!(world.post(&path, join).await.0, 200);
        }
        let speech = async {
            let url = format!("{}/humans/{ADA}/speak?wait=true", world.server.control_url());
            let spoken = world.http.post(url).body(INTERRUPT).send();
            soon("the speech", spoken).await.unwrap().json::<Value>().await.unwrap()
        };
        let heard = async |connection: u32| {
            let path = format!("humans/{BEN}/heard?from={ADA}&format=json&connection={connection}");
            let url = format!("{}/{path}", world.server.control_url());
            world.http.get(url).send().await.unwrap().json::<Value>().await.unwrap()
        };
        let moving = async {
            while heard(0).await["frames"].as_array().is_none_or(|frames| frames.len() < 20) {
                tokio::task::yield_now().await;
            }
            let asked = json!({ "variant": variant, "keepOldMs": keep_old_ms, "pauseMs": 1 });
            assert_eq!(world.post("faults/server-move", asked).await.0, 200);
        };
        let (spoken, ()) = tokio::join!(speech, moving);
        assert_eq!(spoken["frames_unsent"], 0, "{variant}: {spoken}");
        let frames = async |connection: u32| -> u64 {
            let heard = heard(connection).await;
            let talkspurts = heard["talkspurts"].as_array().unwrap();
            talkspurts.iter().map(|one| one["frames"].as_u64().unwrap()).sum()
        };
        let (before, after) = (frames(0).await, frames(1).await);
        assert!(before >= 20 && after > 0, "{variant}: {before} {after}");
        // One may have been lost with the old server.
        let all = spoken["frames"].as_u64().unwrap();
        assert!((all - 1..=all).contains(&(before + after)), "{variant}: {before} {after} {all}");
        world.server.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_settings_move_a_guild_as_often_as_they_are_set() {
    let server = Server::start(ServerSettings::default()).await.unwrap();
    let world = World { server, http: reqwest::Client::new() };
    for human in [ADA, BEN] {
        let join = json!({ "channel_id": LOUNGE.to_string() });
        let path = format!("humans/{human}/voice?wait=true");
        assert_eq!(world.post(&path, join).await.0, 200);
    }
    let url = format!("{}/faults", world.server.control_url());
    let mut since = 0;
    for (variant, moves) in [("update", 1), ("nullFirst", 2)] {
        let one = json!({ "variant": variant, "afterMs": 20, "pauseMs": 1 });
        let settings = json!({ "serverMoves": vec![one; moves] });
        assert_eq!(world.http.put(&url).json(&settings).send().await.unwrap().status(), 200);
        for _ in 0..moves {
            let moved = |entry: &Entry| entry.name == "server_move";
            let moved = soon("the move", world.server.journal().wait_for(since, moved)).await;
            assert_eq!(moved.data["variant"], variant);
            since = moved.seq;
        }
        let grouped = |entry: &Entry| {
            entry.name == "epoch"
                && entry.data["members"].as_array().is_some_and(|all| all.len() == 2)
        };
        soon("a group", world.server.journal().wait_for(since, grouped)).await;
    }
    world.server.shutdown().await;
}
