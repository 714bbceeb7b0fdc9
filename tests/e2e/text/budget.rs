//! What a day may cost.

use localcord::world::default::{ADA, BEN, GENERAL, RANDOM};

use super::chat::{Chat, OPEN, priced};
use crate::brain::{Reply, Served};

const REFUSED: &str = "My budget for today is used up. I can answer again after midnight UTC.";

/// Dollars for a million tokens: every answer costs more than half a dollar.
const DEAR: f64 = 100_000.0;

/// Once the budget is used up, whoever asks is told so and the model is not asked; a new process
/// knows it, too.
#[tokio::test]
async fn a_used_up_budget_refuses_turns_beyond_a_restart() {
    let served = Served::new(&[Reply::Text(&["Yes."])]).await;
    let chat = Chat::new().await;
    let keys = priced(&served, DEAR, "budget: { dailyUsd: 0.5 }");
    let mut agent = chat.agent(OPEN, &keys).await;
    chat.writes(ADA, GENERAL, "is it?").await;
    chat.bot("Yes.").await;
    agent.logs("the budget of today is used up: $").await;
    for (human, channel) in [(ADA, GENERAL), (BEN, RANDOM)] {
        let from = chat.position();
        chat.writes(human, channel, "and now?").await;
        chat.bot_from(from, REFUSED).await;
    }
    let url = agent.health().await;
    let metrics = reqwest::get(format!("{url}metrics")).await.unwrap().text().await.unwrap();
    for line in
        ["clawvoice_budget_refused_total 2", "clawvoice_cost_budget_usd{agent=\"main\"} 0.5"]
    {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    agent.stop().await;
    let mut agent = chat.agent(OPEN, &keys).await;
    let from = chat.position();
    chat.writes(BEN, GENERAL, "and today?").await;
    chat.bot_from(from, REFUSED).await;
    assert_eq!(served.asked(), 1, "the model was asked once");
    agent.stop().await;
}

/// A person's share is that person's alone, and a day that is nearly used up is told once.
#[tokio::test]
async fn a_persons_share_is_theirs_alone() {
    let served = Served::new(&[Reply::Text(&["Yes."])]).await;
    let chat = Chat::new().await;
    let budget = "budget: { dailyUsd: 1000000, warnAt: 0, perUserDailyUsd: 0.5 }";
    let mut agent = chat.agent(OPEN, &priced(&served, DEAR, budget)).await;
    for (human, told) in [(ADA, "Yes."), (ADA, "Your budget for today is used up."), (BEN, "Yes.")]
    {
        let from = chat.position();
        chat.writes(human, GENERAL, "is it?").await;
        chat.bot_from(from, told).await;
    }
    assert_eq!(served.asked(), 2);
    let log = agent.stop().await;
    assert_eq!(log.matches("is nearly used up: $").count(), 1, "{log}");
}

/// A budget that nothing counts against is told at the start.
#[tokio::test]
async fn a_model_without_a_price_is_named() {
    let chat = Chat::new().await;
    let rest = "models: { providers: { r: { baseUrl: 'http://127.0.0.1:1/v1' } } }, \
                agents: { defaults: { model: 'r/m', budget: { dailyUsd: 1 } } }";
    let mut agent = chat.agent(OPEN, rest).await;
    agent.logs("r/m has no price, so no budget holds it back").await;
    agent.stop().await;
}
