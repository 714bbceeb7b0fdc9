//! What the running program tells of itself.

use std::time::Duration;

use localcord::world::default::{ADA, BOT_USER};
use serde_json::Value;

use crate::{
    audio::ASK,
    scene::{Scene, ask, meet, parrot},
    soon,
};

#[tokio::test]
async fn health_state_and_metrics_follow_a_call() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    let url = agent.health().await;
    meet(&ada, &agent).await;
    let health = reqwest::get(format!("{url}healthz")).await.unwrap();
    assert_eq!(health.status(), 200, "{}", health.text().await.unwrap());
    ask(&ada, ASK).await;
    let call = state(&url, |call| call["answers"] == 1).await;
    assert_eq!((&call["state"]["is"], &call["mode"]), (&"connected".into(), &"bidi".into()));
    assert_eq!(call["present"][0]["label"], "ada");
    assert!(call["flow"]["delivered"].as_u64().unwrap() > 50, "{call}");
    assert!(call["answer_ms"][0]["value"].as_f64().unwrap() > 0.0, "{call}");
    let metrics = reqwest::get(format!("{url}metrics")).await.unwrap().text().await.unwrap();
    for line in ["clawvoice_gateway_connected 1", "clawvoice_calls 1", "clawvoice_joins_total 1"] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    scene.leaves(BOT_USER);
    let call = state(&url, |call| call["state"]["is"] == "ended").await;
    assert_eq!(call["present"], Value::Array(Vec::new()));
    agent.stop().await;
    assert!(reqwest::get(format!("{url}healthz")).await.is_err(), "it is gone with the program");
}

/// The only call, once it is as wanted.
async fn state(url: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let found = async {
        loop {
            let state = reqwest::get(format!("{url}api/state")).await.unwrap();
            let state: Value = state.json().await.unwrap();
            let call = &state["board"]["calls"][0];
            if wanted(call) {
                return call.clone();
            }
            // The page asks as often.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    soon("a state of the call", found).await
}
