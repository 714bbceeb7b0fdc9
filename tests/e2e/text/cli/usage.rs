//! `clawvoice usage` beside a running agent, and what else tells of costs.

use localcord::world::default::{ADA, BEN, GENERAL, RANDOM};
use serde_json::{Value, json};

use crate::{
    brain::{Reply, Served},
    text::chat::{Chat, OPEN, priced},
};

/// Dollars as they are shown, cut to a hundredth of a cent.
fn shown(dollars: f64) -> String {
    format!("${:.4}", (dollars * 1e4 + 1e-9).floor() / 1e4)
}

/// Two people in two channels: what each cost is told by the command, `/status` and the metrics.
#[tokio::test]
async fn what_was_spent_is_told_by_what_it_was_spent_on() {
    let served = Served::new(&[Reply::Text(&["Yes."])]).await;
    let chat = Chat::new().await;
    let keys = format!("{OPEN} allowFrom: ['{ADA}'],");
    let mut agent = chat.agent(&keys, &priced(&served, 100.0, "")).await;
    assert!(chat.program(&["usage"]).await.starts_with("nothing was spent since "));
    for (human, channel) in [(ADA, GENERAL), (ADA, RANDOM), (BEN, RANDOM)] {
        let from = chat.position();
        chat.writes(human, channel, "is it?").await;
        chat.bot_from(from, "Yes.").await;
    }
    let told = async |by: &str| -> Value {
        let told = chat.program(&["usage", "--by", by, "--since", "2", "--json"]).await;
        serde_json::from_str(&told).unwrap()
    };
    let turns = |told: &Value, by: &str, of: &str| {
        let rows = told["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row[by] == of);
        row.unwrap_or_else(|| panic!("no {of}: {told}"))["turns"].clone()
    };
    for (by, of, expected) in [
        ("agent", "main".to_owned(), 3),
        ("user", ADA.to_string(), 2),
        ("user", BEN.to_string(), 1),
        ("channel", GENERAL.to_string(), 1),
        ("channel", RANDOM.to_string(), 2),
        ("model", "test/think-1".to_owned(), 3),
        ("session", format!("agent:main:discord:channel:{RANDOM}"), 2),
    ] {
        let told = told(by).await;
        assert_eq!(turns(&told, by, &of), expected, "{by} {told}");
        assert_eq!(told["total"]["turns"], 3, "{told}");
    }
    let days = told("day").await;
    let [day] = days["rows"].as_array().unwrap().as_slice() else {
        panic!("midnight passed: {days}");
    };
    let cost = day["costUsd"].as_f64().unwrap();
    let tokens = &day["tokens"];
    let counted = ["input", "output"].map(|kind| tokens[kind].as_u64().unwrap());
    let expected = counted.iter().sum::<u64>() as f64 * 100.0 / 1e6;
    assert!((cost - expected).abs() < 1e-6, "{day}");
    assert_eq!((&tokens["withoutPrice"], &tokens["areEstimated"]), (&json!(0), &json!(true)));
    let table = chat.program(&["usage", "--by", "agent"]).await;
    assert!(table.lines().next().unwrap().starts_with("agent  turns "), "{table}");
    assert!(table.contains(&shown(cost)), "{table}");

    chat.writes(ADA, GENERAL, "/status").await;
    let status = chat.bot("Today (UTC): $").await;
    let by_agent = format!(" here, {} by the agent", shown(cost));
    assert!(status["content"].as_str().unwrap().contains(&by_agent), "{status}");
    let url = agent.health().await;
    let metrics = reqwest::get(format!("{url}metrics")).await.unwrap().text().await.unwrap();
    let today = metrics.lines().find_map(|line| {
        line.strip_prefix("clawvoice_cost_today_usd{agent=\"main\"} ")?.parse::<f64>().ok()
    });
    assert!(today.is_some_and(|today| (today - cost).abs() < 1e-6), "{metrics}");
    agent.stop().await;
}
