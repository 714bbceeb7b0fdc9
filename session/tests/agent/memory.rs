//! What is remembered: across turns, restarts, and beyond the model's window.

use std::time::Duration;

use clawvoice_session::{
    ChannelId, SessionKey,
    agent::{Agent as _, AgentEvent, RunId},
    shell::{agent::RunningAgent, store::Store},
};
use jiff::Timestamp;
use serde_json::Value;

use crate::bench::{Asker, Bench, ada, ask, echo, session};

/// The messages of a request without the system prompt.
fn conversation(request: &crate::endpoint::Received) -> Vec<String> {
    request.messages().into_iter().skip(1).map(|m| m.1).collect()
}

#[tokio::test]
async fn history_survives_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let mut asker = Asker::new();
    for run in 1..=2 {
        let agent = RunningAgent::start(echo(folder.path(), Duration::ZERO)).await.unwrap();
        agent.ask(ask(run, &format!("question {run}")), asker.reports.clone()).await;
        asker.answer(run).await;
        agent.close().await;
    }
    let store = Store::open(&folder.path().join("sessions.sqlite"), 1_000).await.unwrap();
    let window = store.window(&session()).await.unwrap();
    let texts: Vec<String> = window
        .messages()
        .into_iter()
        .map(|message| match message {
            clawvoice_session::brain::Message::User { text, .. }
            | clawvoice_session::brain::Message::Context(text)
            | clawvoice_session::brain::Message::Assistant { text, .. } => text,
            clawvoice_session::brain::Message::Tool { output, .. } => output,
            clawvoice_session::brain::Message::Images(_) => panic!("history holds words only"),
        })
        .collect();
    assert_eq!(texts, ["question 1", "You said: question 1", "question 2", "You said: question 2"]);
}

#[tokio::test]
async fn what_was_told_is_on_disk_without_closing() {
    let folder = tempfile::tempdir().unwrap();
    let agent = RunningAgent::start(echo(folder.path(), Duration::ZERO)).await.unwrap();
    let mut asker = Asker::new();
    agent.ask(ask(1, "remember me"), asker.reports.clone()).await;
    asker.answer(1).await;
    // A second connection sees what is committed, as one after a crash would.
    let store = Store::open(&folder.path().join("sessions.sqlite"), 1_000).await.unwrap();
    assert_eq!(store.window(&session()).await.unwrap().messages().len(), 2);
}

#[tokio::test]
async fn turns_answered_elsewhere_are_remembered() {
    let mut bench = Bench::start().await;
    bench.agent.note(&session(), ada(), "ping".into(), "pong".into()).await;
    bench.agent.note(&session(), ada(), String::new(), "I left the channel.".into()).await;
    bench.ask(ask(1, "what did I say?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(
        conversation(&request),
        ["[Ada, user 7]: ping", "pong", "I left the channel.", "[Ada, user 7]: what did I say?"]
    );
}

#[tokio::test]
async fn provider_scenario_47_of_an_answer_the_history_keeps_what_was_heard() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "name three")).await;
    bench.endpoint.request().await.say("One is red. Two is green. Three is blue.").await;
    bench.asker.answer(1).await;
    // Somebody else's window is in memory already.
    bench.ask(ask(2, "go on")).await;
    bench.endpoint.request().await.say("Four is grey.").await;
    bench.asker.answer(2).await;
    bench.agent.heard(&session(), RunId::new(1), "One is red. Two".into()).await;
    bench.ask(ask(3, "and?")).await;
    let request = bench.endpoint.request().await;
    let kept = [
        "[Ada, user 7]: name three",
        "One is red. Two",
        "[Ada, user 7]: go on",
        "Four is grey.",
        "[Ada, user 7]: and?",
    ];
    assert_eq!(conversation(&request), kept);
    request.say("That is all.").await;
    bench.asker.answer(3).await;
    let found = bench.agent.store().search(&session(), "green blue", 9).await.unwrap();
    assert_eq!(found, [], "nor is it found there");
}

#[tokio::test]
async fn provider_scenario_47_a_run_that_was_stopped_is_written_with_what_was_heard() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "name three")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("One is red. Two is green. Three").await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    assert!(matches!(bench.asker.next(1).await, AgentEvent::Text(_)));
    bench.agent.cancel(&session(), RunId::new(1)).await;
    bench.agent.heard(&session(), RunId::new(1), "One is red.".into()).await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Cancelled);
    bench.ask(ask(2, "and?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(
        conversation(&request),
        ["[Ada, user 7]: name three", "One is red.", "[Ada, user 7]: and?"]
    );
    request.say("Yes.").await;
    bench.asker.answer(2).await;
}

#[tokio::test]
async fn sessions_do_not_mix() {
    let mut bench = Bench::start().await;
    let other = SessionKey::channel("main", ChannelId::new(43));
    bench.agent.note(&other, ada(), "the secret is blue".into(), "ok".into()).await;
    bench.ask(ask(1, "what is the secret?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(conversation(&request), ["[Ada, user 7]: what is the secret?"]);
    request.call(&[("c", "memory_search", r#"{"query":"secret blue"}"#)]).await;
    let request = bench.endpoint.request().await;
    let found: Value = serde_json::from_str(&request.last_message()).unwrap();
    assert_eq!(found["found"], serde_json::json!([]));
    request.say("I do not know.").await;
    bench.asker.answer(1).await;
}

#[tokio::test]
async fn the_window_is_bounded_and_memory_finds_the_rest() {
    let mut bench = Bench::with(|settings| settings.history_tokens = 30).await;
    let long = format!("my car is blue{}", " and fast".repeat(60));
    bench.agent.note(&session(), ada(), long.clone(), "Noted.".into()).await;
    bench.agent.note(&session(), ada(), "hi".into(), "Hello.".into()).await;
    bench.ask(ask(1, "what colour was my car?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(
        conversation(&request),
        ["[Ada, user 7]: hi", "Hello.", "[Ada, user 7]: what colour was my car?"]
    );
    request.call(&[("c", "memory_search", r#"{"query":"car colour"}"#)]).await;
    let request = bench.endpoint.request().await;
    let found: Value = serde_json::from_str(&request.last_message()).unwrap();
    let hit = &found["found"][0];
    assert_eq!(hit["who"], "Ada");
    let text = hit["text"].as_str().unwrap();
    assert!(text.starts_with("my car is blue") && text.ends_with('…'), "{text}");
    let get = format!(r#"{{"id":{}}}"#, hit["id"]);
    request.call(&[("c", "memory_get", &get)]).await;
    let request = bench.endpoint.request().await;
    let message: Value = serde_json::from_str(&request.last_message()).unwrap();
    assert_eq!(message["text"], long);
    assert!(message["at"].as_str().unwrap().parse::<Timestamp>().is_ok());
    request.say("Blue.").await;
    assert_eq!(bench.asker.answer(1).await, "Blue.");
}

#[tokio::test]
async fn the_store_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/sessions.sqlite");
    let store = Store::open(&path, 100).await.unwrap();
    store.close().await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}

#[tokio::test]
async fn a_file_that_is_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    std::fs::write(&path, "not a database, whatever its name says ".repeat(100)).unwrap();
    let error = Store::open(&path, 100).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{} cannot be opened: ", path.display())), "{error}");
    assert!(
        std::fs::read_to_string(&path).unwrap().starts_with("not a database"),
        "it was changed"
    );
    let error = Store::open(&path.join("below"), 100).await.unwrap_err().to_string();
    assert!(error.contains("cannot be created"), "{error}");
}

#[tokio::test]
async fn a_store_that_another_process_has_locked_is_known_as_such() {
    use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let store = Store::open(&path, 100).await.unwrap();
    assert!(Store::check(&path).await.is_ok(), "our own use of it is no obstacle");
    let mut other = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let error = Store::check(&path).await.unwrap_err();
    assert!(error.may_pass(), "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert!(Store::check(&path).await.is_ok());
    store.close().await;
}

#[tokio::test]
async fn without_a_disk_conversations_are_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let mut bench = Bench::with(|settings| settings.store = file.join("sessions.sqlite")).await;
    bench.ask(ask(1, "my car is blue")).await;
    bench.endpoint.request().await.say("Noted.").await;
    assert_eq!(bench.asker.answer(1).await, "Noted.");
    bench.ask(ask(2, "what is blue?")).await;
    let request = bench.endpoint.request().await;
    let past: Vec<String> = request.messages().into_iter().map(|(_, text)| text).collect();
    assert!(past.iter().any(|text| text.ends_with("my car is blue")), "{past:?}");
    request.say("Your car.").await;
    assert_eq!(bench.asker.answer(2).await, "Your car.");
}
