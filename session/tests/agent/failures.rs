//! Endpoints that refuse, stall or break off.

use std::time::Duration;

use clawvoice_session::{brain::Api, shell::agent::RunningAgent};

use crate::{
    bench::{Asker, Bench, ask, settings},
    endpoint::Endpoint,
};

#[tokio::test]
async fn a_passing_refusal_is_asked_again_when_the_endpoint_says() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "hi")).await;
    for status in [429, 503] {
        bench.endpoint.request().await.refuse(status, &[("retry-after", "0")], "slow down");
    }
    bench.endpoint.request().await.say("Here.").await;
    assert_eq!(bench.asker.answer(1).await, "Here.");
}

#[tokio::test]
async fn models_are_asked_in_order_until_one_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = Endpoint::start().await;
    let mut second = Endpoint::start().await;
    let mut third = Endpoint::start().await;
    let urls = [first.base_url(), second.base_url(), third.base_url()];
    let own: Vec<(&str, &str)> = urls.iter().map(String::as_str).zip(["a", "b", "c"]).collect();
    let agent = RunningAgent::start(settings(folder.path(), &own, Api::Completions)).await.unwrap();
    let mut asker = Asker::new();
    let quota = r#"{"error":{"code":"insufficient_quota","message":"pay first"}}"#;
    let bad_key = r#"{"error":{"message":"bad key sk-hush"}}"#;
    clawvoice_session::agent::Agent::ask(&*agent, ask(1, "hi"), asker.reports.clone()).await;
    first.request().await.refuse(401, &[], bad_key);
    second.request().await.refuse(429, &[], quota);
    let request = third.request().await;
    assert_eq!(request.body["model"], "c");
    request.say("Third.").await;
    assert_eq!(asker.answer(1).await, "Third.");

    clawvoice_session::agent::Agent::ask(&*agent, ask(2, "hi"), asker.reports.clone()).await;
    first.request().await.refuse(401, &[], bad_key);
    second.request().await.refuse(429, &[], quota);
    third.request().await.refuse(404, &[], "");
    assert_eq!(
        asker.failure(2).await,
        "no model answered: p0/a: the endpoint refuses (HTTP 401): bad key [key]; p1/b: the \
         endpoint refuses (HTTP 429): pay first; p2/c: the endpoint refuses (HTTP 404): no reason \
         given"
    );
    assert!(first.is_quiet() && second.is_quiet() && third.is_quiet());
}

#[tokio::test]
async fn a_turns_own_model_goes_first() {
    let mut bench = Bench::start().await;
    let mut asked = ask(1, "hi");
    asked.model = Some("p0/better".into());
    bench.ask(asked).await;
    let request = bench.endpoint.request().await;
    assert_eq!(request.body["model"], "better");
    request.refuse(404, &[], "");
    let request = bench.endpoint.request().await;
    assert_eq!(request.body["model"], "m");
    request.say("ok").await;
    assert_eq!(bench.asker.answer(1).await, "ok");
}

#[tokio::test]
async fn nothing_is_asked_again_after_the_first_word() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "hi")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("Hel").await;
    drop(stream);
    assert_eq!(bench.asker.failure(1).await, "p0/m: the answer broke off");
    // It is the next turn that asks next.
    bench.ask(ask(2, "again")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(request.last_message(), "[Ada, user 7]: again");
}

#[tokio::test]
async fn provider_scenario_48_a_stream_without_done_that_said_nothing_is_asked_again() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "hi")).await;
    drop(bench.endpoint.request().await.stream());
    bench.endpoint.request().await.say("Here.").await;
    assert_eq!(bench.asker.answer(1).await, "Here.");
}

#[tokio::test]
async fn a_finished_answer_counts_without_its_end_mark() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "hi")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("Hello.").await;
    stream.finish("stop").await;
    drop(stream);
    assert_eq!(bench.asker.answer(1).await, "Hello.");
}

#[tokio::test]
async fn a_silent_endpoint_is_given_up() {
    let mut bench = Bench::with(|settings| {
        settings.patience.first_byte = Duration::from_millis(50);
    })
    .await;
    bench.ask(ask(1, "hi")).await;
    let mut unanswered = Vec::new();
    // The first attempt and two more.
    for _ in 0..3 {
        unanswered.push(bench.endpoint.request().await);
    }
    let words = bench.asker.failure(1).await;
    assert_eq!(words, "no model answered: p0/m: the endpoint was silent for 0.05 s");
}

#[tokio::test]
async fn an_answer_that_stalls_is_given_up() {
    let mut bench =
        Bench::with(|settings| settings.patience.idle = Duration::from_millis(50)).await;
    bench.ask(ask(1, "hi")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("Hel").await;
    let words = bench.asker.failure(1).await;
    assert_eq!(words, "p0/m: the endpoint was silent for 0.05 s");
    stream.gone().await;
}

#[tokio::test]
async fn an_endpoint_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens on a port that was just given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/v1");
    let settings = settings(folder.path(), &[(&url, "m")], Api::Completions);
    let agent = RunningAgent::start(settings).await.unwrap();
    let mut asker = Asker::new();
    clawvoice_session::agent::Agent::ask(&*agent, ask(1, "hi"), asker.reports.clone()).await;
    let words = asker.failure(1).await;
    assert!(
        words.starts_with("no model answered: p0/m: the endpoint cannot be reached: 127.0.0.1"),
        "{words}"
    );
}

#[tokio::test]
async fn a_model_nobody_has() {
    let mut bench = Bench::start().await;
    let mut asked = ask(1, "hi");
    asked.model = Some("nobody/m".into());
    bench.ask(asked).await;
    assert_eq!(
        bench.asker.failure(1).await,
        "no model answered: no provider called \"nobody\" is configured under models.providers"
    );
}

#[tokio::test]
async fn a_run_has_a_deadline() {
    let limit = Duration::from_millis(100);
    let mut bench = Bench::with(|settings| settings.limits.run_deadline = limit).await;
    bench.ask(ask(1, "hi")).await;
    let stream = bench.endpoint.request().await.stream();
    assert_eq!(bench.asker.failure(1).await, "not done within 0.1 s");
    stream.gone().await;
}
