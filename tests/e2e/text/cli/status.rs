//! `clawvoice channels status` and `clawvoice pairing approve --notify` beside a running agent.

use localcord::world::{
    Privacy,
    default::{ADA, BEN, GENERAL},
};
use serde_json::{Value, json};

use crate::{
    soon,
    text::chat::{Chat, at_bot},
};

/// What text of each account has done is told by the running process, by name.
#[tokio::test]
async fn the_status_tells_what_text_has_done() {
    let chat = Chat::new().await;
    let other = chat.scene.server.world().add_bot("second");
    let keys = "groupPolicy: 'open', streaming: { mode: 'off' }, ackReaction: '',";
    let accounts =
        format!("{keys} accounts: {{ default: {{}}, ops: {{ token: '{}' }} }}", other.token);
    let mut agent = chat.agent(&accounts, "").await;
    let url = agent.health().await;
    let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let look = async || {
        let args = ["channels", "status", "--json", "--health", &address];
        let told: Value = serde_json::from_str(&chat.program(&args).await).unwrap();
        told
    };
    // What is written before an account is connected is not told to it.
    soon("both accounts", async {
        loop {
            let told = look().await;
            if (0..2).all(|at| told["accounts"][at]["connected"] == true) {
                return;
            }
        }
    })
    .await;
    chat.writes(ADA, GENERAL, "not to you").await;
    agent.logs("no-mention").await;
    chat.writes(ADA, GENERAL, &at_bot("hello")).await;
    chat.bot("You said:").await;
    let told = soon("the turn's end", async {
        loop {
            let told = look().await;
            let (text, other) =
                (&told["accounts"][0]["text"], &told["accounts"][1]["text"]["drops"]);
            if text["answered"] == 1 && other["bot-not-allowed"] == 1 {
                return told;
            }
        }
    })
    .await;
    let default = &told["accounts"][0];
    assert_eq!((&default["id"], &default["running"]), (&json!("default"), &json!(true)), "{told}");
    assert_eq!(default["connected"], true);
    assert_eq!(default["text"]["drops"]["no-mention"], 1, "{told}");
    assert_eq!(default["text"]["failed"], 0);
    assert_eq!(default["outbox"], json!({ "waiting": 0, "refused": 0, "newest": [] }));
    assert_eq!(told["accounts"][1]["text"]["answered"], 0, "{told}");
    let out = chat.program(&["channels", "status", "--health", &address]).await;
    assert!(out.contains("text: 1 answered, 0 failed"), "{out}");
    assert!(out.contains("dropped: no-mention 1"), "{out}");
    let metrics = reqwest::get(format!("{url}metrics")).await.unwrap().text().await.unwrap();
    for line in ["clawvoice_text_answered_total 1", "clawvoice_text_failed_total 0"] {
        assert!(metrics.lines().any(|it| it == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("clawvoice_text_dropped_total{reason=\"no-mention\"} "), "{metrics}");
    agent.stop().await;
    let told = look().await;
    assert_eq!((&told["accounts"][0]["running"], &told["health"]), (&json!(false), &Value::Null));
}

#[tokio::test]
async fn who_is_let_in_is_told_so_if_that_is_wanted() {
    let chat = Chat::new().await;
    let mut agent = chat.agent("dmPolicy: 'pairing'", "").await;
    let code = async |human: u64| {
        let from = chat.position();
        chat.whispers(human, "hello?").await;
        let told =
            chat.bot_from(from, "Pairing code:").await["content"].as_str().unwrap().to_owned();
        told.split("```").nth(1).unwrap().trim().to_owned()
    };
    let (ada, ben) = (code(ADA).await, code(BEN).await);
    let out = chat.program(&["pairing", "approve", "discord", &ada, "--notify"]).await;
    assert_eq!(out, format!("user {ADA} may write to account default\nthey were told\n"));
    chat.bot("access approved").await;
    chat.scene.server.world().write(|state| {
        let privacy = Privacy { closed: true, ..Privacy::default() };
        state.privacy.insert(BEN, privacy);
    });
    // They are let in all the same.
    let out = chat.program(&["pairing", "approve", "discord", &ben, "--notify"]).await;
    assert_eq!(out, format!("user {BEN} may write to account default\n"));
    agent.stop().await;
}
