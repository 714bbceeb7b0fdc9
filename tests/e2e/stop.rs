//! A signal during a call: out of voice, both websockets closed, exit 0, quickly.

use std::time::Duration;

use localcord::world::default::{ADA, BOT_USER};
use rustix::process::Signal;

use crate::{
    scene::{Scene, is_bot, meet, parrot},
    soon,
};

#[tokio::test]
async fn sigterm_in_a_call_leaves_closes_and_exits_0() {
    stops_by(Signal::TERM).await;
}

#[tokio::test]
async fn ctrl_c_in_a_call_leaves_closes_and_exits_0() {
    stops_by(Signal::INT).await;
}

async fn stops_by(signal: Signal) {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    let ended = agent.stop_by(signal).await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.after < Duration::from_secs(2), "after {:?}", ended.after);

    let null = scene
        .journal("gateway", "voice state update", |data| is_bot(data) && data["channel"].is_null());
    let left = null.await;
    let voice = scene.journal("voice", "disconnected", is_bot).await;
    assert_eq!(voice.data["code"], 1000);
    let gateway = scene.journal("gateway", "closed by client", |_| true).await;
    assert_eq!(gateway.data["code"], 1000);
    assert!(left.seq < gateway.seq, "left before the gateway was closed");
    assert_eq!(scene.of_bot("gateway", "identify").len(), 1, "it did not come back");
    assert!(
        !scene
            .server
            .world()
            .read(|state| { state.voice_states.keys().any(|(_, user)| *user == BOT_USER) })
    );
    soon("the group without it", ada.wait_until(|stats| stats.members.is_empty())).await.unwrap();
    assert_eq!(agent.count("left"), 1);
}
