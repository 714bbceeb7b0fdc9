//! Interactions that come late, twice or never, and answers that do not arrive in time.

use localcord::world::default::{ADA, BOT_TOKEN};
use reqwest::Method;
use serde_json::{Value, json};

use super::{callback, use_of};
use crate::discord::{Discord, id, refusal};

const CALLBACK: &str = "POST /interactions/{id}/{id}/callback";

impl Discord {
    async fn goes_wrong(&self, mut faults: Value) {
        faults["restLimits"] = json!({ "off": true });
        let (status, told) = self.control(Method::PUT, "/faults", faults).await;
        assert_eq!(status, 200, "{told}");
    }
}

#[tokio::test]
async fn an_interaction_is_delivered_twice_under_one_id() {
    let discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let fault = json!({ "kind": "component", "times": 1, "copies": 1, "copyAfterMs": 20 });
    discord.goes_wrong(json!({ "interactions": [fault] })).await;
    let mut gateway = discord.gateway(BOT_TOKEN, 0).await;
    let path = format!("/humans/{ADA}/components");
    assert_eq!(discord.control(Method::POST, &path, use_of(&sent, "go")).await.0, 202);
    let first = gateway.dispatch("INTERACTION_CREATE").await;
    let second = gateway.dispatch("INTERACTION_CREATE").await;
    assert_eq!(first, second);
    assert_eq!(discord.answers(&first, json!({ "type": 6 })).await.0, 204);
    let again = discord.answers(&second, json!({ "type": 6 })).await;
    assert_eq!(refusal(again), (400, 40_060));
    // The fault is used up.
    assert_eq!(discord.control(Method::POST, &path, use_of(&sent, "go")).await.0, 202);
    let third = gateway.dispatch("INTERACTION_CREATE").await;
    assert_eq!(discord.control(Method::POST, &path, use_of(&sent, "go")).await.0, 202);
    let fourth = gateway.dispatch("INTERACTION_CREATE").await;
    assert!(third["id"] != first["id"] && fourth["id"] != third["id"]);
    let journal = format!("{}/journal?kind=fault&name=interaction", discord.server.control_url());
    let lines = discord.client.get(journal).send().await.unwrap().text().await.unwrap();
    assert_eq!(lines.lines().count(), 1);
    assert!(lines.contains(&id(&first)) && lines.contains("[0,20]"), "{lines}");
}

#[tokio::test]
async fn an_interaction_that_is_lost_fails() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    discord.goes_wrong(json!({ "interactions": [{ "lost": true }] })).await;
    discord.events();
    let path = format!("/humans/{ADA}/components?wait=true");
    let (status, told) = discord.control(Method::POST, &path, use_of(&sent, "go")).await;
    assert_eq!((status, &told["error"]), (504, &json!("This interaction failed")));
    assert!(!discord.names().contains(&"INTERACTION_CREATE"));
}

#[tokio::test]
async fn a_callback_that_arrives_late_is_refused() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let late = json!({ "delay": { "ms": 3100, "before": true } });
    discord.goes_wrong(json!({ "restChances": [{ "route": CALLBACK, "outcome": late }] })).await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let refused = discord.answers(&event, json!({ "type": 6 })).await;
    assert_eq!(refusal(refused), (404, 10_062));
    assert_eq!(discord.sees(&event, "").await["state"], "failed");
}

#[tokio::test]
async fn a_callback_is_cut_off_before_or_after_it_counts() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    for (carried_out, state) in [(false, "waiting"), (true, "answered")] {
        let reset = json!({ "reset": { "carriedOut": carried_out } });
        let chance = json!({ "route": CALLBACK, "times": 1, "outcome": reset });
        discord.goes_wrong(json!({ "restChances": [chance] })).await;
        let event = discord.clicks(ADA, &sent, "go").await;
        let url = format!("{}{}", discord.server.api_base_url(), callback(&event));
        let cut = discord.client.post(url).json(&json!({ "type": 6 })).send().await;
        assert!(cut.is_err(), "{cut:?}");
        assert_eq!(discord.sees(&event, "").await["state"], state);
    }
}
