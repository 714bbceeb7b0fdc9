//! The gateway shell against a localcord that does not leave it alone: closes, lost
//! acknowledgements, op 7, op 9, failing REST, and processes that end.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

mod processes;
mod scene;

use std::time::Duration;

use clawvoice_session::VoiceGatewayEvent;
use clawvoice_text::shell::gateway::{ConnectionSettings, EventQueueSettings};
use localcord::{
    Server,
    fault::{FaultSettings, RestFault},
    gateway::GatewaySettings as FarSettings,
    world::default::LOUNGE,
};
use rand::Rng as _;
use tokio::time::timeout;

use scene::{FIRST, PATIENCE, Seen, impatient, localcord, quick, start, storm};

/// A hundred disturbances, two graceful restarts and a kill among them: every event comes, in
/// order, and every command has one reply.
#[tokio::test(flavor = "multi_thread")]
async fn what_discord_replays_is_not_lost_and_nobody_is_replied_to_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut storm = storm(20_261_127).await;
    let mut process = start(&storm.server, quick(folder.path()));
    process.until_ready().await;
    let mut seen = Seen { latest: FIRST, lost_sessions: 0, repeats: 0, gaps: Vec::new() };
    let mut killed = 0;
    for step in 0..100 {
        for _ in 0..storm.chance.random_range(1..4) {
            storm.event();
        }
        if step % 5 == 0 {
            storm.ask().await;
        }
        if step == 33 || step == 66 {
            for event in process.restart().await {
                seen.note(&event);
            }
            storm.event();
            process = start(&storm.server, quick(folder.path()));
        } else if step == 50 {
            storm.settled().await;
            for event in process.kill().await {
                seen.note(&event);
            }
            killed = 1;
            storm.event();
            process = start(&storm.server, quick(folder.path()));
        } else if step == 80 {
            // Nothing is acknowledged any more: noticed by the second heartbeat.
            storm.server.gateway().silence_all();
        } else {
            let _ = storm.disturb();
        }
        let pause = Duration::from_millis(storm.chance.random_range(0..40));
        let quiet = tokio::time::sleep(pause);
        tokio::pin!(quiet);
        loop {
            tokio::select! {
                () = &mut quiet => break,
                Some(event) = process.events.recv() => seen.note(&event),
            }
        }
    }
    storm.event();
    let last = storm.number;
    while seen.latest < last {
        let event = process.event().await;
        seen.note(&event);
    }
    storm.settled().await;

    assert_eq!(seen.gaps, [], "{seen:?}");
    assert_eq!(seen.lost_sessions, 0, "{seen:?}");
    // A process that follows another is told what that one knew; a killed one repeats its last second.
    assert!(seen.repeats >= 2 + killed, "{seen:?}");
    assert_eq!((storm.answered(), storm.replied()), (storm.asked, storm.asked));
    let identified =
        storm.server.journal().since(0).iter().filter(|entry| entry.name == "identify").count();
    assert_eq!(identified, 1, "one session carried all of it");
    assert!(process.monitor.snapshot().is_connected());
}

/// A socket that is half open is noticed by its heartbeats, and nothing is lost by it.
/// Scenario 59 of the text scenarios: a half-open socket is noticed, and no event is lost.
#[tokio::test(flavor = "multi_thread")]
async fn without_acknowledgements_the_session_is_resumed_within_two_heartbeats() {
    let folder = tempfile::tempdir().unwrap();
    let storm = storm(1).await;
    let mut process = start(&storm.server, quick(folder.path()));
    while !matches!(process.event().await, VoiceGatewayEvent::Channel(_)) {}
    // Up to the first heartbeat there is nothing to be missed.
    let journal = storm.server.journal();
    timeout(PATIENCE, journal.wait_for(0, |entry| entry.name == "heartbeat")).await.unwrap();
    storm.server.gateway().silence_all();
    let silent = std::time::Instant::now();
    storm.server.world().set_bitrate(LOUNGE, FIRST + 1).unwrap();
    let mut seen = Seen { latest: FIRST, lost_sessions: 0, repeats: 0, gaps: Vec::new() };
    while seen.latest == FIRST {
        let event = process.event().await;
        seen.note(&event);
    }
    let waited = silent.elapsed();
    assert!(waited < Duration::from_millis(2 * 700 + 1000), "{waited:?}");
    assert_eq!((seen.latest, seen.lost_sessions), (FIRST + 1, 0));
    assert!(journal.since(0).iter().any(|entry| entry.name == "resume"));
}

/// A rate limit is waited out, as long as Discord says.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_limit_on_replies_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut storm = storm(1).await;
    let mut process = start(&storm.server, quick(folder.path()));
    process.until_ready().await;
    let rest = vec![RestFault {
        path_prefix: "/webhooks/".to_owned(),
        status: 429,
        times: 2,
        retry_after: 0.3,
        carried_out: false,
    }];
    storm.server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
    storm.ask().await;
    storm.settled().await;
    let entries = storm.server.journal().since(0);
    let edits: Vec<u64> = entries
        .iter()
        .filter(|entry| entry.name.starts_with("PATCH /webhooks/"))
        .map(|entry| entry.at_ms)
        .collect();
    assert_eq!(edits.len(), 3);
    assert!(edits.windows(2).all(|pair| pair[1] - pair[0] >= 300), "{edits:?}");
}

/// With sessions that are lost, too: it always comes back, knows where it is, and replies once.
#[tokio::test(flavor = "multi_thread")]
async fn lost_sessions_are_told_and_what_is_there_now_is_known_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut storm = storm(7).await;
    let mut process = start(&storm.server, quick(folder.path()));
    process.until_ready().await;
    let mut seen = Seen { latest: FIRST, lost_sessions: 0, repeats: 0, gaps: Vec::new() };
    for step in 0..60 {
        storm.event();
        match step % 6 {
            0 => storm.server.gateway().invalidate_all(false),
            2 => storm.server.gateway().close_all([4003, 4005, 4007, 4009][step % 4]),
            _ => {
                let _ = storm.disturb();
            }
        }
        let pause = Duration::from_millis(storm.chance.random_range(0..40));
        while let Ok(Some(event)) = timeout(pause, process.events.recv()).await {
            let gaps = seen.gaps.len();
            let lost = seen.lost_sessions;
            seen.note(&event);
            assert!(seen.gaps.len() == gaps || lost > 0, "a gap without a lost session: {seen:?}");
        }
    }
    storm.event();
    while seen.latest < storm.number {
        let event = process.event().await;
        seen.note(&event);
    }
    storm.ask().await;
    storm.settled().await;
    assert!(seen.lost_sessions >= 10, "{seen:?}");
    assert_eq!((storm.answered(), storm.replied()), (storm.asked, storm.asked));
}

/// Heartbeats go on, and are acknowledged, while nobody handles events.
/// Scenario 58 of the text scenarios: whatever the agent does, heartbeats go on.
#[tokio::test]
async fn heartbeats_go_on_while_nobody_handles_events() {
    let folder = tempfile::tempdir().unwrap();
    let far = FarSettings { heartbeat_interval_ms: 600, ..impatient() };
    let server = localcord_on_its_own_thread(far);
    let queue = EventQueueSettings { max_queue_size: 10, ..EventQueueSettings::default() };
    let settings = ConnectionSettings { event_queue: queue, ..quick(folder.path()) };
    let mut process = start(&server.server, settings);
    while !matches!(process.event().await, VoiceGatewayEvent::Channel(_)) {}
    let before = server.server.journal().since(0).last().unwrap().seq;
    for number in 0..200 {
        server.server.world().set_bitrate(LOUNGE, FIRST + number).unwrap();
    }
    // This thread runs everything but the websockets, and does nothing for so long.
    std::thread::sleep(Duration::from_millis(2_500));
    let entries = server.server.journal().since(before);
    let beats = entries.iter().filter(|entry| entry.name == "heartbeat").count();
    assert!(beats >= 3, "{beats} heartbeats in 2.5 s");
    assert!(entries.iter().all(|entry| entry.name != "close" && entry.name != "closed by client"));
    let status = process.monitor.snapshot();
    assert!(status.is_connected());
    // The rule of the queue: what does not fit is rejected and counted.
    assert_eq!(status.rejected_events, 190);
    assert_eq!(status.queue_depth, 10);
    assert!(status.shards[0].heartbeat_ack_age.unwrap() < Duration::from_millis(700));
}

struct Apart {
    server: Server,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// So that it can answer while the test's own runtime is stuck.
fn localcord_on_its_own_thread(far: FarSettings) -> Apart {
    std::thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(localcord(far));
        Apart { server, runtime: Some(runtime) }
    })
    .join()
    .unwrap()
}
