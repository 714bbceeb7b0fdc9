//! Answers that are given again.

use std::time::Duration;

use clawvoice_session::{
    ChannelId, SessionKey,
    agent::{Agent as _, Ask, Usage},
    brain::cache::CacheRule,
    shell::store::Spendings,
    spending::{Day, UsageBy},
};

use crate::bench::{Bench, ask, owner, session};

const RULE: CacheRule = CacheRule { ttl: Duration::from_secs(300), entries: 10 };

async fn bench() -> Bench {
    Bench::with(|settings| settings.cache = Some(RULE)).await
}

/// The model is asked, and answers this.
async fn asks(bench: &mut Bench, ask: Ask, answer: &str) {
    let run = ask.run.get();
    bench.ask(ask).await;
    bench.endpoint.request().await.say(answer).await;
    assert_eq!(bench.asker.answer(run).await, answer);
}

#[tokio::test]
async fn the_same_question_in_a_new_conversation_is_answered_again_for_nothing() {
    let mut bench = bench().await;
    asks(&mut bench, ask(1, "hi"), "ho").await;
    let cost = bench.agent.store().spent_in(&session()).await.unwrap();
    bench.agent.reset(&session()).await.unwrap();
    bench.ask(ask(2, "hi")).await;
    assert_eq!(bench.asker.answer(2).await, "ho");
    assert!(bench.endpoint.is_quiet());
    assert_eq!(bench.agent.store().spent_in(&session()).await.unwrap(), cost);
    let window = bench.agent.store().window(&session()).await.unwrap();
    assert_eq!(window.messages().len(), 2, "it is part of the history");
    let mut spendings =
        Spendings::open(&bench.folder.path().join("sessions.sqlite")).await.unwrap();
    let rows = spendings.by(UsageBy::Model, Day::new(0)).await.unwrap();
    assert_eq!((rows[0].turns, rows[0].from_cache), (2, 1));
    assert_eq!(rows[0].spent.usage, Usage { input: 10, cached: 0, output: 2 });
    spendings.close().await;
}

#[tokio::test]
async fn another_history_session_or_user_is_another_question() {
    let mut bench = bench().await;
    asks(&mut bench, ask(1, "hi"), "one").await;
    asks(&mut bench, ask(2, "hi"), "two, since it was asked before").await;
    let elsewhere = SessionKey::channel("main", ChannelId::new(43));
    asks(&mut bench, Ask { session: elsewhere, ..ask(3, "hi") }, "three, elsewhere").await;
    bench.agent.reset(&session()).await.unwrap();
    asks(&mut bench, Ask { by: owner(), ..ask(4, "hi") }, "four, for the owner").await;
    bench.agent.reset(&session()).await.unwrap();
    asks(&mut bench, Ask { instructions: None, ..ask(5, "hi") }, "five, written").await;
}

#[tokio::test]
async fn an_answer_with_a_tool_is_not_given_again() {
    let mut bench = bench().await;
    bench.ask(ask(1, "time?")).await;
    bench.endpoint.request().await.call(&[("c", "current_time", "{}")]).await;
    bench.endpoint.request().await.say("Noon.").await;
    bench.asker.answer(1).await;
    bench.agent.reset(&session()).await.unwrap();
    asks(&mut bench, ask(2, "time?"), "One o'clock.").await;
}

#[tokio::test]
async fn without_the_rule_the_model_is_asked_every_time() {
    let mut bench = Bench::start().await;
    asks(&mut bench, ask(1, "hi"), "ho").await;
    bench.agent.reset(&session()).await.unwrap();
    asks(&mut bench, ask(2, "hi"), "ho again").await;
}
