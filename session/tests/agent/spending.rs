//! What was spent, on what, and what of it is known after a restart.

use clawvoice_session::{
    ChannelId, SessionKey,
    agent::{Agent as _, AgentEvent, Ask, SpentToday, Usage},
    brain::Api,
    shell::{agent::RunningAgent, spending::SpendingMonitor, store::Spendings},
    spending::{Budget, Budgets, Day, UsageBy},
};
use jiff::Timestamp;

use crate::{
    bench::{Asker, Bench, ask, owner, session, settings},
    endpoint::Endpoint,
};

/// What one of the endpoint's answers costs: 10 tokens at 2 and 2 at 8 dollars a million.
const ANSWER: i64 = 10 * 2_000 + 2 * 8_000;

/// Three turns: Ada's two in channel 42, and one of the owner's in another session.
async fn spent(folder: &std::path::Path) -> (Endpoint, std::sync::Arc<RunningAgent>) {
    let mut endpoint = Endpoint::start().await;
    let mut own = settings(folder, &[(&endpoint.base_url(), "m")], Api::Completions);
    own.spending = SpendingMonitor::default();
    let agent = RunningAgent::start(own).await.unwrap();
    let mut asker = Asker::new();
    let elsewhere = Ask {
        session: SessionKey::main("ops"),
        by: owner(),
        channel: Some(ChannelId::new(43)),
        ..ask(3, "hi")
    };
    for (run, ask) in [(1, ask(1, "hi")), (2, ask(2, "hi")), (3, elsewhere)] {
        agent.ask(ask, asker.reports.clone()).await;
        endpoint.request().await.say("ho").await;
        asker.answer(run).await;
    }
    (endpoint, agent)
}

#[tokio::test]
async fn every_turn_is_on_the_account_of_all_it_belongs_to() {
    let folder = tempfile::tempdir().unwrap();
    let (_endpoint, agent) = spent(folder.path()).await;
    let today = Day::of(Timestamp::now());
    let mut spendings = Spendings::open(&folder.path().join("sessions.sqlite")).await.unwrap();
    let date = today.to_string();
    for (by, expected) in [
        (UsageBy::Agent, vec![("main", 2), ("ops", 1)]),
        (UsageBy::User, vec![("7", 2), ("1", 1)]),
        (UsageBy::Channel, vec![("42", 2), ("43", 1)]),
        (UsageBy::Model, vec![("p0/m", 3)]),
        (UsageBy::Session, vec![("agent:main:discord:channel:42", 2), ("agent:ops:main", 1)]),
        (UsageBy::Day, vec![(date.as_str(), 3)]),
    ] {
        let rows = spendings.by(by, today.back(1)).await.unwrap();
        let turns: Vec<_> = rows.iter().map(|row| (row.of.as_str(), row.turns)).collect();
        assert_eq!(turns, expected);
        for row in &rows {
            let times = i64::try_from(row.turns).unwrap();
            assert_eq!(row.spent.nano_dollars, times * ANSWER, "{row:?}");
            let usage = Usage { input: 10 * row.turns, cached: 0, output: 2 * row.turns };
            assert_eq!((row.spent.usage, row.spent.estimated), (usage, false), "{row:?}");
            assert_eq!((row.unpriced, row.from_cache), (0, 0), "{row:?}");
        }
    }
    assert_eq!(spendings.by(UsageBy::Day, today.back(-1)).await.unwrap(), []);
    spendings.close().await;
    let told = SpentToday { session: 2 * ANSWER, agent: 2 * ANSWER };
    assert_eq!(agent.spent_today(&session()).await, Some(told));
    agent.close().await;
}

#[tokio::test]
async fn what_was_spent_today_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (endpoint, agent) = spent(folder.path()).await;
    agent.close().await;
    let mut again = settings(folder.path(), &[(&endpoint.base_url(), "m")], Api::Completions);
    let monitor = SpendingMonitor::default();
    again.spending = monitor.clone();
    let agent = RunningAgent::start(again).await.unwrap();
    let status = monitor.snapshot(Timestamp::now());
    assert_eq!((status.usage, status.nano_dollars), (Usage::default(), 0), "since it began");
    let today: Vec<_> = status.today.into_iter().map(|(id, day)| (id, day.spent)).collect();
    assert_eq!(today, [("main".to_owned(), 2 * ANSWER), ("ops".to_owned(), ANSWER)]);
    agent.close().await;
}

/// All agents may spend what one answer costs.
fn one_answer() -> Budgets {
    let default = Budget { daily: Some(ANSWER), ..Budget::default() };
    Budgets { default, ..Budgets::default() }
}

#[tokio::test]
async fn a_used_up_budget_refuses_before_the_model_is_asked() {
    let mut bench = Bench::with(|settings| settings.spending_rules.budgets = one_answer()).await;
    bench.ask(Ask { origin: Some("first".into()), ..ask(1, "hi") }).await;
    bench.endpoint.request().await.say("ho").await;
    bench.asker.answer(1).await;
    bench.ask(ask(2, "more")).await;
    let told = "My budget for today is used up. I can answer again after midnight UTC.";
    assert_eq!(bench.asker.last(2).await, AgentEvent::Refused(told.into()));
    // Another agent has a budget of its own.
    let session = SessionKey::main("ops");
    bench.ask(Ask { session, ..ask(3, "hi") }).await;
    bench.endpoint.request().await.say("ho").await;
    bench.asker.answer(3).await;
    // What was answered already is told again: it costs nothing.
    bench.ask(Ask { origin: Some("first".into()), ..ask(4, "hi") }).await;
    assert_eq!(bench.asker.answer(4).await, "ho");
    assert!(bench.endpoint.is_quiet());
}

#[tokio::test]
async fn a_used_up_budget_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut endpoint, agent) = spent(folder.path()).await;
    agent.close().await;
    let mut again = settings(folder.path(), &[(&endpoint.base_url(), "m")], Api::Completions);
    again.spending_rules.budgets = one_answer();
    let agent = RunningAgent::start(again).await.unwrap();
    let mut asker = Asker::new();
    agent.ask(ask(1, "hi"), asker.reports.clone()).await;
    assert!(matches!(asker.last(1).await, AgentEvent::Refused(_)));
    assert!(endpoint.is_quiet());
    agent.close().await;
}

#[tokio::test]
async fn tokens_of_a_model_without_a_price_are_counted_apart() {
    let mut bench = Bench::with(|settings| {
        settings.providers.values_mut().for_each(|provider| provider.prices.clear());
    })
    .await;
    bench.ask(ask(1, "hi")).await;
    bench.endpoint.request().await.say("ho").await;
    bench.asker.answer(1).await;
    let path = bench.folder.path().join("sessions.sqlite");
    let mut spendings = Spendings::open(&path).await.unwrap();
    let rows = spendings.by(UsageBy::Model, Day::new(0)).await.unwrap();
    assert_eq!((rows[0].unpriced, rows[0].spent.nano_dollars), (12, 0));
    spendings.close().await;
}

#[tokio::test]
async fn a_turn_of_two_calls_is_one_turn() {
    let mut bench = Bench::start().await;
    bench.ask(ask(1, "time?")).await;
    bench.endpoint.request().await.call(&[("c", "current_time", "{}")]).await;
    bench.endpoint.request().await.say("Noon.").await;
    bench.asker.answer(1).await;
    let path = bench.folder.path().join("sessions.sqlite");
    let mut spendings = Spendings::open(&path).await.unwrap();
    let rows = spendings.by(UsageBy::Day, Day::new(0)).await.unwrap();
    assert_eq!((rows[0].turns, rows[0].spent.nano_dollars), (1, 2 * ANSWER));
    spendings.close().await;
}
