//! A bad network and a Discord with hiccups.

use localcord::{
    fault::{BlackHole, FaultSettings, RestFault},
    world::default::{ADA, BOT_USER, LOUNGE},
};

use crate::{
    audio::{INTERRUPT, likeness_24k, likeness_48k, recorded},
    scene::{AUTO_JOIN, Scene, ask, meet, parrot},
    soon,
};

#[tokio::test]
async fn with_a_tenth_of_the_packets_lost_both_sides_still_hear() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    scene.server.faults().set(FaultSettings { udp_drop_percent: 10.0, ..FaultSettings::default() });
    ask(&ada, INTERRUPT).await;
    agent.stop().await;

    let folder = scene.recordings();
    let heard = likeness_24k(INTERRUPT, &recorded(&folder, "provider-000-heard.wav"));
    assert!(heard >= 0.7, "the provider heard {heard}");
    let sent = recorded(&folder, "provider-000-sent.wav");
    let answer = likeness_48k(&sent, &ada.heard(BOT_USER).pcm);
    assert!(answer >= 0.7, "the human heard {answer}");
    assert!(ada.stats().senders[&BOT_USER].packets_lost > 0);
    // The agent counts what it made up for, and knows of every packet what became of it.
    let counted = agent.record("voice session statistics").await.fields;
    let count = |name: &str| counted[name].as_u64().unwrap();
    assert!(count("concealed") + count("fec") > 0, "{counted}");
    assert!(count("delivered") > 50, "{counted}");
    assert_eq!(count("undecryptable") + count("transportFailed") + count("malformed"), 0);
    assert_eq!(ada.stats().undecryptable_after_ready, 0);
}

#[tokio::test]
async fn when_nothing_comes_through_by_udp_the_agent_finds_a_new_way_and_stays() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    ask(&ada, INTERRUPT).await;
    let hole = BlackHole { user: Some(BOT_USER), for_ms: 8_000, ..BlackHole::default() };
    scene.server.faults().set(FaultSettings { black_holes: vec![hole], ..Default::default() });
    // Ada's speech is what breaks off.
    soon("a speech nobody hears", ada.speak(INTERRUPT)).await.unwrap();
    let lost = agent.record("voice connection interrupted").await.fields;
    assert_eq!(lost["message"], "nothing comes through by UDP; trying a new socket");
    agent.logs("our address as the voice server sees it has changed").await;
    ask(&ada, INTERRUPT).await;
    agent.stop().await;
    assert_eq!(scene.of_bot("voice", "identify").len(), 1, "it never left");
}

#[tokio::test]
async fn refusals_at_start_up_and_on_answers_are_waited_out() {
    let scene = Scene::new().await;
    let fault = |path_prefix: &str, status| RestFault {
        path_prefix: path_prefix.to_owned(),
        status,
        times: 1,
        retry_after: 0.2,
        carried_out: false,
    };
    let at = |rest| {
        scene.server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
    };
    at(vec![
        fault("/gateway/bot", 500),
        fault("/applications/", 429),
        fault("/applications/", 502),
    ]);
    let agent = scene.agent(&parrot().replace(AUTO_JOIN, ""));
    agent.logs("GET /gateway/bot failed (status 500); connecting to the default address").await;
    agent.logs("Discord gateway ready").await;

    for status in [429, 500] {
        at(vec![fault("/interactions/", status), fault("/webhooks/", status)]);
        assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
        let left = scene.server.faults().current().rest;
        assert!(left.iter().all(|fault| fault.times == 0), "each was met: {left:?}");
    }
    assert_eq!(scene.vc(ADA, "join").await, format!("Joined <#{LOUNGE}>."));
}
