//! Stopping, steering and asking after the active run.

use std::time::Duration;

use clawvoice_session::{
    agent::{
        Agent as _, AgentEvent, Control, ControlOutcome, RunActivity, RunId, queue::MAX_WAITING,
    },
    shell::agent::RunningAgent,
};

use crate::bench::{Asker, Bench, ask, echo, session};

#[tokio::test]
async fn cancel_closes_the_stream_at_the_endpoint() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "go on")).await;
    bench.ask(ask(2, "next")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("Once upon a time").await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    assert!(matches!(bench.asker.next(1).await, AgentEvent::Text(_)));
    let outcome = bench.agent.control(&session(), Control::Cancel).await;
    assert_eq!(outcome, ControlOutcome::Done);
    stream.gone().await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Cancelled);
    let next = bench.endpoint.request().await;
    let history: Vec<String> = next.messages().into_iter().skip(1).map(|m| m.1).collect();
    assert_eq!(history, ["[Ada, user 7]: go on", "Once upon a time", "[Ada, user 7]: next"]);
    next.say("Yes.").await;
    assert_eq!(bench.asker.answer(2).await, "Yes.");
    let spent = bench.agent.store().spent_in(&session()).await.unwrap();
    assert!(spent.estimated, "what a stopped answer cost is a guess");
    assert!(spent.usage.output >= 2 + 4, "{spent:?}");
}

#[tokio::test]
async fn cancel_before_the_first_word_closes_the_request() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "go on")).await;
    let stream = bench.endpoint.request().await.stream();
    bench.agent.cancel(&session(), RunId::new(1)).await;
    stream.gone().await;
    assert_eq!(bench.asker.last(1).await, AgentEvent::Cancelled);
    let outcome = bench.agent.control(&session(), Control::Cancel).await;
    assert_eq!(outcome, ControlOutcome::NoActiveRun);
}

#[tokio::test]
async fn a_waiting_turn_is_cancelled_without_the_active_one() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "one")).await;
    bench.ask(ask(2, "two")).await;
    let first = bench.endpoint.request().await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    bench.agent.cancel(&session(), RunId::new(2)).await;
    assert_eq!(bench.asker.next(2).await, AgentEvent::Cancelled);
    first.say("ONE").await;
    assert_eq!(bench.asker.answer(1).await, "ONE");
    assert!(bench.endpoint.is_quiet());
}

#[tokio::test]
async fn a_steer_reaches_the_run_that_is_already_answering() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "fix it")).await;
    let stream = bench.endpoint.request().await.stream();
    stream.text("Using the big fix.").await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    let told = bench.asker.next(1).await;
    assert_eq!(told, AgentEvent::Text("Using the big fix.".into()));
    let steer = Control::Steer("use the smaller fix".into());
    assert_eq!(bench.agent.control(&session(), steer).await, ControlOutcome::Done);
    stream.done("stop").await;
    let second = bench.endpoint.request().await;
    let tail: Vec<String> = second.messages().into_iter().skip(2).map(|m| m.1).collect();
    assert_eq!(tail, ["Using the big fix.", "use the smaller fix"]);
    second.say("Small it is.").await;
    let mut text = "Using the big fix.".to_owned();
    loop {
        match bench.asker.next(1).await {
            AgentEvent::Text(piece) => text.push_str(&piece),
            AgentEvent::Answered { text: all, .. } => {
                assert_eq!(all, text);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(text, "Using the big fix.\n\nSmall it is.");
    // What was added is remembered as said.
    bench.ask(ask(2, "and?")).await;
    let third = bench.endpoint.request().await;
    assert_eq!(third.messages()[1].1, "[Ada, user 7]: fix it\nuse the smaller fix");
}

#[tokio::test]
async fn a_follow_up_waits_for_the_answer() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "fix it")).await;
    let first = bench.endpoint.request().await;
    let follow_up = Control::FollowUp("also check the tests".into());
    assert_eq!(bench.agent.control(&session(), follow_up).await, ControlOutcome::Done);
    first.call(&[("c", "current_time", "{}")]).await;
    let second = bench.endpoint.request().await;
    assert_eq!(second.messages().last().unwrap().0, "tool", "it came in too early");
    second.say("Fixed.").await;
    let third = bench.endpoint.request().await;
    assert_eq!(third.last_message(), "also check the tests");
    third.say("Checked.").await;
    assert_eq!(bench.asker.answer(1).await, "Fixed.\n\nChecked.");
}

#[tokio::test]
async fn status_tells_what_the_run_waits_for() {
    let mut bench = Bench::start().await;
    let status = bench.agent.control(&session(), Control::Status).await;
    assert_eq!(status, ControlOutcome::NoActiveRun);
    bench.ask(ask(1, "go")).await;
    let request = bench.endpoint.request().await;
    let status = bench.agent.control(&session(), Control::Status).await;
    assert_eq!(status, ControlOutcome::Status(RunActivity::Model));
    let stream = request.stream();
    stream.text("I").await;
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    bench.asker.next(1).await;
    let status = bench.agent.control(&session(), Control::Status).await;
    assert_eq!(status, ControlOutcome::Status(RunActivity::Working));
}

#[tokio::test]
async fn a_full_queue_says_so() {
    let mut bench = Bench::start().await;
    bench.ask(ask(0, "active")).await;
    let _unanswered = bench.endpoint.request().await;
    assert_eq!(bench.asker.next(0).await, AgentEvent::Started);
    let waiting = u64::try_from(MAX_WAITING).unwrap();
    for run in 1..=waiting {
        bench.ask(ask(run, "waits")).await;
    }
    bench.ask(ask(waiting + 1, "one too many")).await;
    assert_eq!(bench.asker.failure(waiting + 1).await, "too many turns wait in this session");
}

#[tokio::test]
async fn the_echo_can_be_steered_and_stopped_while_it_thinks() {
    let folder = tempfile::tempdir().unwrap();
    // Longer than any test runs: only being stopped ends it.
    let settings = echo(folder.path(), Duration::from_secs(3_600));
    let agent = RunningAgent::start(settings).await.unwrap();
    let mut asker = Asker::new();
    agent.ask(ask(1, "hello"), asker.reports.clone()).await;
    assert_eq!(asker.next(1).await, AgentEvent::Started);
    let steer = Control::Steer("louder".into());
    assert_eq!(agent.control(&session(), steer).await, ControlOutcome::Done);
    assert_eq!(agent.control(&session(), Control::Cancel).await, ControlOutcome::Done);
    assert_eq!(asker.next(1).await, AgentEvent::Cancelled);
}

#[tokio::test]
async fn the_echo_answers_what_it_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let agent = RunningAgent::start(echo(folder.path(), Duration::ZERO)).await.unwrap();
    let mut asker = Asker::new();
    for (run, message) in [(1, "hello"), (2, "are you there?")] {
        agent.ask(ask(run, message), asker.reports.clone()).await;
        assert_eq!(asker.answer(run).await, format!("You said: {message}"));
    }
}

#[tokio::test]
async fn closing_stops_what_runs_and_refuses_what_comes() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "one")).await;
    bench.ask(ask(2, "two")).await;
    let stream = bench.endpoint.request().await.stream();
    bench.agent.close().await;
    stream.gone().await;
    bench.ask(ask(3, "three")).await;
    let mut ends = Vec::new();
    assert_eq!(bench.asker.next(1).await, AgentEvent::Started);
    ends.push(bench.asker.failure(2).await);
    assert_eq!(bench.asker.next(1).await, AgentEvent::Cancelled);
    ends.push(bench.asker.failure(3).await);
    assert_eq!(ends, ["the agent is shutting down"; 2]);
}
