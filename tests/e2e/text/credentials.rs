//! Keys: who is told of their use, and a new one while the agent runs.

use std::sync::{Arc, Mutex};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
    routing::post,
};
use localcord::world::default::{ADA, GENERAL};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::chat::{Chat, OPEN};

/// A model that takes one key at a time, and what it is shown.
#[derive(Clone)]
struct Guarded {
    good: Arc<Mutex<String>>,
    base: String,
}

impl Guarded {
    async fn new(good: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        let model = Self { good: Arc::new(Mutex::new(good.to_owned())), base };
        let router =
            Router::new().route("/v1/chat/completions", post(answer)).with_state(model.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        model
    }

    fn takes(&self, key: &str) {
        *self.good.lock().unwrap() = key.to_owned();
    }

    fn keys(&self, key: &str) -> String {
        format!(
            "models: {{ providers: {{ test: {{ baseUrl: '{}', apiKey: '{key}' }} }} }}, \
             agents: {{ defaults: {{ model: 'test/m' }} }},",
            self.base
        )
    }
}

async fn answer(State(model): State<Guarded>, headers: HeaderMap) -> Response {
    let shown = headers[AUTHORIZATION].to_str().unwrap().trim_start_matches("Bearer ").to_owned();
    if shown != *model.good.lock().unwrap() {
        return (StatusCode::UNAUTHORIZED, "{\"error\":{\"message\":\"wrong key\"}}")
            .into_response();
    }
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!("data: {}\n\n", json!({ "choices": [choice] }))
    };
    let words = json!({ "content": format!("by {} letters", shown.len()) });
    [chunk(words, Value::Null), chunk(json!({}), json!("stop")), "data: [DONE]\n\n".to_owned()]
        .concat()
        .into_response()
}

/// A key that is revoked is told once, by its path and not by its value; a new one in the file is
/// used by the next request, without a start.
#[tokio::test]
async fn a_revoked_key_is_told_and_a_new_one_is_used_at_once() {
    const OLD: &str = "sk-first-key";
    const NEW: &str = "sk-second-longer-key";
    let model = Guarded::new(OLD).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model.keys(OLD)).await;
    let address = agent.health().await;
    chat.writes(ADA, GENERAL, "hello").await;
    chat.bot("by 12 letters").await;
    model.takes(NEW);
    chat.writes(ADA, GENERAL, "still there?").await;
    let told = agent.logs("is refused for model").await;
    assert!(told.contains("models.providers.test.apiKey ("), "{told}");
    chat.config(OPEN, &model.keys(NEW));
    agent.logs("the configuration was read again").await;
    chat.writes(ADA, GENERAL, "and now?").await;
    chat.bot("by 20 letters").await;
    let metrics = reqwest::get(format!("{address}metrics")).await.unwrap().text().await.unwrap();
    let anomalies = "clawvoice_credential_anomalies_total 1";
    assert!(metrics.lines().any(|line| line == anomalies), "{metrics}");
    let log = agent.stop().await;
    assert_eq!(log.matches("is refused for model").count(), 1, "{log}");
    assert!(!log.contains(OLD) && !log.contains(NEW), "{log}");

    let told = chat.program(&["security", "secrets", "--json"]).await;
    assert!(!told.contains(OLD) && !told.contains(NEW), "{told}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let secrets = told["secrets"].as_array().unwrap();
    let at = |path: &str| secrets.iter().find(|it| it["paths"][0] == path).unwrap();
    let purposes = |secret: &Value| -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let uses = secret["purposes"].as_array().unwrap().iter();
        uses.map(|it| (text(&it["purpose"]), text(&it["outcome"]))).collect()
    };
    let is = |purpose: &str, outcome: &str| (purpose.to_owned(), outcome.to_owned());
    let token = at("channels.discord.token");
    assert_eq!(purposes(token), [is("gateway", "ok"), is("rest", "ok")], "{told}");
    assert_eq!(purposes(at("models.providers.test.apiKey")), [is("model", "ok")], "{told}");
    let gone = secrets.iter().find(|it| it["paths"] == json!([])).unwrap();
    assert_eq!(purposes(gone), [is("model", "refused")], "{told}");
    let state = chat.scene.folder.path().join(".clawvoice/state/sessions.sqlite");
    let bytes = std::fs::read(state).unwrap();
    for key in [OLD, NEW] {
        assert!(!bytes.windows(key.len()).any(|it| it == key.as_bytes()), "{key}");
    }
}

/// One key for two purposes is told at the start, by both paths.
#[tokio::test]
async fn one_key_for_two_purposes_is_told_by_its_paths() {
    let model = Guarded::new("sk-both").await;
    let chat = Chat::new().await;
    let keys = format!("{OPEN} pluralkit: {{ enabled: true, token: 'sk-both' }},");
    let mut agent = chat.agent(&keys, &model.keys("sk-both")).await;
    let told = agent.logs("serves several purposes").await;
    let paths = "channels.discord.pluralkit.token, models.providers.test.apiKey";
    assert!(told.contains(paths) && !told.contains("sk-both"), "{told}");
    agent.stop().await;
}
