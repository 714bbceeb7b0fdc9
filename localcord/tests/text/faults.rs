//! REST calls that go wrong by chance, and limits that are not Discord's.

use std::time::{Duration, Instant};

use localcord::world::default::GENERAL;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::discord::Discord;

const POST: &str = "POST /channels/{id}/messages";
const NO_LIMITS: &str = r#"{ "off": true }"#;

impl Discord {
    /// What goes wrong from now on; without limits.
    async fn set(&self, chances: Value) {
        let limits: Value = serde_json::from_str(NO_LIMITS).unwrap();
        let body = json!({ "seed": 7, "restChances": chances, "restLimits": limits });
        let (status, told) = self.control(Method::PUT, "/faults", body).await;
        assert_eq!(status, 200, "{told}");
    }

    /// Posts as the bot; an error is a connection that closed.
    async fn post(&self, content: &str) -> reqwest::Result<Response> {
        let url = format!("{}/channels/{GENERAL}/messages", self.server.api_base_url());
        let request = self.client.post(url).json(&json!({ "content": content }));
        request.header("authorization", format!("Bot {}", self.server.bot_token())).send().await
    }

    async fn contents(&self) -> Vec<String> {
        let path = format!("/channels/{GENERAL}/messages");
        let (_, all) = self.control(Method::GET, &path, json!(null)).await;
        let texts = all.as_array().unwrap().iter().map(|one| one["content"].as_str().unwrap());
        texts.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn limits_come_in_every_shape() {
    let discord = Discord::new().await;
    for (limit, global, json_body) in [
        (json!({ "retryAfter": 0.25 }), false, true),
        (json!({ "retryAfter": 1.5, "global": true }), true, true),
        (json!({ "retryAfter": 2, "body": "empty" }), false, false),
        (json!({ "retryAfter": 2, "body": "html" }), false, false),
    ] {
        discord.set(json!([{ "route": POST, "outcome": { "rateLimit": limit } }])).await;
        let answer = discord.post("x").await.unwrap();
        assert_eq!(answer.status(), 429);
        let headers = answer.headers().clone();
        assert!(headers.contains_key("retry-after"), "{limit}");
        assert_eq!(headers.contains_key("x-ratelimit-global"), global, "{limit}");
        let text = answer.text().await.unwrap();
        let body: Option<Value> = serde_json::from_str(&text).ok();
        assert_eq!(body.is_some(), json_body, "{limit} {text}");
        if let Some(body) = body {
            assert_eq!(
                (&body["global"], &body["retry_after"]),
                (&json!(global), &limit["retryAfter"])
            );
        }
    }
    let me = discord.bot(Method::GET, "/users/@me", json!(null)).await;
    assert_eq!(me.0, 200, "other routes are as ever");
    assert_eq!(discord.contents().await, [""; 0]);
}

#[tokio::test]
async fn answers_are_lost_before_or_after_the_deed() {
    let discord = Discord::new().await;
    for (carried_out, expected) in [(false, vec![]), (true, vec!["failed".to_owned()])] {
        let failure = json!({ "failure": { "status": 502, "carriedOut": carried_out } });
        discord.set(json!([{ "route": POST, "outcome": failure }])).await;
        assert_eq!(discord.post("failed").await.unwrap().status(), 502);
        assert_eq!(discord.contents().await, expected);
    }
    for carried_out in [false, true] {
        let reset = json!({ "reset": { "carriedOut": carried_out } });
        discord.set(json!([{ "route": "POST *", "times": 1, "outcome": reset }])).await;
        let failed = discord.post("cut off").await;
        assert!(failed.is_err_and(|error| !error.is_status()), "no answer came");
        let there = discord.contents().await.contains(&"cut off".to_owned());
        assert_eq!(there, carried_out);
        assert_eq!(discord.post("and then").await.unwrap().status(), 200);
    }
    let journal = discord.client.get(format!("{}/journal?kind=rest", discord.server.control_url()));
    let journal = journal.send().await.unwrap().text().await.unwrap();
    let resets = journal.lines().filter(|line| line.contains(r#""reset""#)).count();
    assert_eq!(resets, 2, "the journal says what was done");
}

/// Scenario 49 of the text scenarios, the server's half: a retry after a lost answer posts nothing.
#[tokio::test]
async fn a_retry_with_the_same_nonce_finds_the_message_whose_answer_was_lost() {
    let discord = Discord::new().await;
    let lost = json!([
        { "times": 1, "outcome": { "failure": { "status": 500, "carriedOut": true } } },
        { "times": 1, "outcome": { "failure": { "status": 500 } } },
    ]);
    discord.set(lost).await;
    let path = format!("/channels/{GENERAL}/messages");
    let body = json!({ "content": "once", "nonce": "n", "enforce_nonce": true });
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(discord.bot(Method::POST, &path, body.clone()).await.0);
    }
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(discord.contents().await, ["once"]);
}

#[tokio::test]
async fn a_share_of_the_calls_fails_the_same_way_again() {
    let discord = Discord::new().await;
    let failure = json!({ "failure": { "status": 503 } });
    let chances = json!([{ "route": POST, "percent": 30, "outcome": failure }]);
    let mut runs = Vec::new();
    for _ in 0..2 {
        discord.set(chances.clone()).await;
        let mut failed = Vec::new();
        for _ in 0..40 {
            failed.push(discord.post("x").await.unwrap().status() == 503);
        }
        runs.push(failed);
    }
    assert_eq!(runs[0], runs[1]);
    let count = runs[0].iter().filter(|failed| **failed).count();
    assert!((4..=20).contains(&count), "{count}");
}

#[tokio::test]
async fn answers_come_late() {
    let discord = Discord::new().await;
    let delay = json!({ "delay": { "ms": 200, "jitterMs": 20 } });
    discord.set(json!([{ "route": POST, "outcome": delay }])).await;
    let began = Instant::now();
    assert_eq!(discord.post("late").await.unwrap().status(), 200);
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn limits_are_set_or_taken_away() {
    let discord = Discord::new().await;
    for _ in 0..12 {
        let answer = discord.post("free").await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(!answer.headers().contains_key("x-ratelimit-limit"));
    }
    let limits =
        json!({ "restLimits": { "routes": [{ "route": POST, "limit": 2, "perMs": 60_000 }] } });
    assert_eq!(discord.control(Method::PUT, "/faults", limits).await.0, 200);
    for status in [200, 200, 429] {
        let answer = discord.post("counted").await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["x-ratelimit-limit"], "2");
    }
    let wrong = json!({ "restLimits": { "routes": [{ "route": POST, "limit": 0, "perMs": 1 }] } });
    assert_eq!(discord.control(Method::PUT, "/faults", wrong).await.0, 400);
    assert_eq!(discord.control(Method::PUT, "/faults", json!({})).await.0, 200);
    for status in [200, 200, 200, 429] {
        assert_eq!(discord.post("as on Discord").await.unwrap().status(), status);
    }
}
