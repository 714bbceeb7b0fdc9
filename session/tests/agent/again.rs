//! What text needs of the agent: a turn that is asked again after a crash, words around a message,
//! and beginning anew.

use std::time::Duration;

use clawvoice_session::{
    agent::{Agent as _, AgentEvent, Ask, Control, ControlOutcome, RunId, Usage},
    history::{Outcome, SessionStatus},
    shell::{
        agent::RunningAgent,
        store::{Mailbox, Store},
    },
};

use crate::bench::{Asker, Bench, ask, echo, session};

fn with_origin(run: u64, message: &str, origin: &str) -> Ask {
    Ask { origin: Some(origin.into()), ..ask(run, message) }
}

/// The messages of a request without the system prompt.
fn conversation(request: &crate::endpoint::Received) -> Vec<String> {
    request.messages().into_iter().skip(1).map(|m| m.1).collect()
}

#[tokio::test]
async fn what_was_answered_before_a_crash_is_told_and_not_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut asker = Asker::new();
    let mut told = Vec::new();
    for run in 1..=2 {
        // Another life, that would answer otherwise.
        let agent = RunningAgent::start(echo(folder.path(), Duration::ZERO)).await.unwrap();
        let message = format!("question {run}");
        agent.ask(with_origin(run, &message, "default:42:7"), asker.reports.clone()).await;
        assert_eq!(asker.next(run).await, AgentEvent::Started);
        told.push(asker.answer(run).await);
        let kept = agent.store().answer_to(&session(), "default:42:7").await.unwrap();
        assert_eq!(kept, Some(("You said: question 1".into(), Outcome::Answered)));
        assert_eq!(agent.store().status(&session()).await.unwrap().exchanges, 1);
        agent.close().await;
    }
    assert_eq!(told, ["You said: question 1", "You said: question 1"]);
}

#[tokio::test]
async fn the_same_question_twice_in_a_row_is_answered_once() {
    let mut bench = Bench::start().await;
    bench.ask(with_origin(1, "hi", "a")).await;
    bench.ask(with_origin(2, "hi", "a")).await;
    bench.ask(with_origin(3, "hi", "b")).await;
    bench.endpoint.request().await.say("Hello.").await;
    assert_eq!(bench.asker.answer(1).await, "Hello.");
    let again = AgentEvent::Answered { text: "Hello.".into(), usage: Usage::default() };
    assert_eq!(bench.asker.last(2).await, again, "and costs nothing");
    let request = bench.endpoint.request().await;
    assert_eq!(
        conversation(&request),
        ["[Ada, user 7]: hi", "Hello.", "[Ada, user 7]: hi"],
        "it is remembered once"
    );
    request.say("Again?").await;
    assert_eq!(bench.asker.answer(3).await, "Again?");
}

#[tokio::test]
async fn what_failed_is_asked_again() {
    let mut bench = Bench::start().await;
    bench.ask(with_origin(1, "hi", "a")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("Hel").await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    assert!(matches!(bench.asker.next(1).await, AgentEvent::Text(_)));
    assert_eq!(bench.agent.control(&session(), Control::Cancel).await, ControlOutcome::Done);
    assert_eq!(bench.asker.next(1).await, AgentEvent::Cancelled);
    let kept = bench.agent.store().answer_to(&session(), "a").await.unwrap();
    assert_eq!(kept, Some(("Hel".into(), Outcome::Cancelled)));
    bench.ask(with_origin(2, "hi", "a")).await;
    bench.endpoint.request().await.say("Hello.").await;
    assert_eq!(bench.asker.answer(2).await, "Hello.");
    let kept = bench.agent.store().answer_to(&session(), "a").await.unwrap();
    assert_eq!(kept, Some(("Hello.".into(), Outcome::Answered)));
    assert_eq!(bench.agent.store().answer_to(&session(), "b").await.unwrap(), None);
}

#[tokio::test]
async fn context_comes_before_the_message_and_is_not_remembered() {
    let mut bench = Bench::start().await;
    let context = Some("Others said: it rains.".to_owned());
    bench.ask(Ask { context, ..ask(1, "does it?") }).await;
    let request = bench.endpoint.request().await;
    let told = request.messages();
    let told: Vec<(&str, &str)> = told.iter().skip(1).map(|(r, t)| (&**r, &**t)).collect();
    assert_eq!(told, [("user", "Others said: it rains."), ("user", "[Ada, user 7]: does it?")]);
    request.say("It does.").await;
    bench.asker.answer(1).await;
    bench.ask(ask(2, "still?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(
        conversation(&request),
        ["[Ada, user 7]: does it?", "It does.", "[Ada, user 7]: still?"]
    );
    request.say("Yes.").await;
    bench.asker.answer(2).await;
    let found = bench.agent.store().search(&session(), "rains", 9).await.unwrap();
    assert_eq!(found, []);
}

#[tokio::test]
async fn what_goes_on_around_a_session_is_shown_with_every_turn_and_not_remembered() {
    let mut bench = Bench::start().await;
    let around = |text: &str| Some(text.to_owned());
    bench.agent.surround(&session(), "lounge", around("Ada is here.")).await;
    assert!(bench.endpoint.is_quiet(), "it is no turn");
    for (run, now) in [(1, "Ada is here."), (2, "Ada and Bob are here.")] {
        bench.agent.surround(&session(), "lounge", around(now)).await;
        bench.ask(ask(run, "who?")).await;
        let request = bench.endpoint.request().await;
        let told = conversation(&request);
        assert_eq!(told[told.len() - 2..], [now, "[Ada, user 7]: who?"], "{told:?}");
        assert_eq!(told.len(), 2 * usize::try_from(run).unwrap(), "it is told once: {told:?}");
        request.say("You.").await;
        bench.asker.answer(run).await;
    }
    bench.agent.surround(&session(), "lounge", None).await;
    bench.ask(ask(3, "and now?")).await;
    let told = conversation(&bench.endpoint.request().await);
    assert!(!told.iter().any(|text| text.contains("here")), "{told:?}");
}

#[tokio::test]
async fn after_a_reset_nothing_of_before_is_told() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "my car is blue")).await;
    bench.endpoint.request().await.say("Noted.").await;
    bench.asker.answer(1).await;
    // One is on its way: it belongs to the time before.
    bench.ask(ask(2, "and fast")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(conversation(&request).len(), 3);
    bench.agent.reset(&session()).await.unwrap();
    assert_eq!(bench.agent.store().status(&session()).await.unwrap().exchanges, 0);
    request.say("Noted too.").await;
    assert_eq!(bench.asker.answer(2).await, "Noted too.");
    bench.ask(ask(3, "what colour?")).await;
    let request = bench.endpoint.request().await;
    assert_eq!(conversation(&request), ["[Ada, user 7]: what colour?"]);
    request.say("I do not know.").await;
    bench.asker.answer(3).await;
    let status = bench.agent.store().status(&session()).await.unwrap();
    assert_eq!(status.exchanges, 1);
    assert_eq!(status.spent.usage, Usage { input: 10, cached: 0, output: 2 });
    let found = bench.agent.store().search(&session(), "blue", 9).await.unwrap();
    assert_eq!(found.len(), 1, "it is found by who looks for it");
}

#[tokio::test]
async fn a_reset_survives_and_may_come_by_another_hand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let agent = RunningAgent::start(echo(folder.path(), Duration::ZERO)).await.unwrap();
    let mailbox = Mailbox::open(&path).await.unwrap();
    let mut asker = Asker::new();
    let unknown = agent.store().status(&session()).await.unwrap();
    assert_eq!(unknown, SessionStatus::default());
    agent.ask(ask(1, "one"), asker.reports.clone()).await;
    asker.answer(1).await;
    assert_eq!(agent.store().window(&session()).await.unwrap().messages().len(), 2);
    let other = Store::open(&path, 1_000).await.unwrap();
    other.reset(&session()).await.unwrap();
    let began = mailbox.facts(&session()).await.unwrap().began;
    assert_eq!(agent.store().window(&session()).await.unwrap().messages(), []);
    agent.ask(ask(2, "two"), asker.reports.clone()).await;
    asker.answer(2).await;
    agent.close().await;
    let store = Store::open(&path, 1_000).await.unwrap();
    assert_eq!(store.window(&session()).await.unwrap().messages().len(), 2);
    assert!(began.is_some() && mailbox.facts(&session()).await.unwrap().began == began);
    store.reset(&session()).await.unwrap();
    assert!(mailbox.facts(&session()).await.unwrap().began > began);
    store.close().await;
    other.close().await;
    mailbox.close().await;
    let store = Store::open(&path, 1_000).await.unwrap();
    assert_eq!(store.window(&session()).await.unwrap().messages(), []);
}

#[tokio::test]
async fn a_first_answer_that_outlives_a_reset_is_of_before() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "hello")).await;
    let request = bench.endpoint.request().await;
    bench.agent.reset(&session()).await.unwrap();
    request.say("Hello.").await;
    bench.asker.answer(1).await;
    assert_eq!(bench.agent.store().window(&session()).await.unwrap().messages(), []);
    bench.agent.heard(&session(), RunId::new(1), "Hel".into()).await;
    assert_eq!(bench.agent.store().window(&session()).await.unwrap().messages(), []);
}
