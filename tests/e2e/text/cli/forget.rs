//! `clawvoice forget` beside a running agent.

use std::path::{Path, PathBuf};

use localcord::world::default::{ADA, BEN, GENERAL};
use serde_json::{Value, json};

use crate::{
    brain::{Reply, Served},
    text::chat::{Chat, OPEN, model},
};

/// The folders of files below the agent's state.
fn media(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state.join("media")).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// What a user said, was answered and sent is gone, for the model too, and of another nothing is.
#[tokio::test]
async fn a_user_is_forgotten_while_the_agent_runs() {
    let served = Served::new(&[
        Reply::Text(&["Noted, Ada."]),
        Reply::Text(&["Noted, Ben."]),
        Reply::Text(&["What word?"]),
    ])
    .await;
    let chat = Chat::new().await;
    let state = chat.scene.folder.path().join("state");
    let store = format!("session: {{ store: '{}' }},", state.join("s.sqlite").display());
    let mut agent = chat.agent(OPEN, &format!("{store} {}", model(&served))).await;
    for (human, answer) in [(ADA, "Noted, Ada."), (BEN, "Noted, Ben.")] {
        let file = json!({ "name": "notes.txt", "content_type": "text/plain", "text": "a file" });
        let said = format!("the word of {human} is swordfish{human}");
        let body = json!({ "channel_id": GENERAL.to_string(), "content": said, "files": [file] });
        chat.sends(human, &body).await;
        chat.bot(answer).await;
    }
    assert_eq!(media(&state).len(), 2);
    let told = chat.program(&["forget", &ADA.to_string(), "--yes", "--json"]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["user"], ADA.to_string());
    let deleted = &told["deleted"];
    assert_eq!(
        (&deleted["messages"], &deleted["answers"], &deleted["turns"], &deleted["files"]),
        (&json!(1), &json!(1), &json!(2), &json!(1)),
        "{told}"
    );
    assert!(deleted["events"].as_u64().unwrap() >= 1, "{told}");
    let left = media(&state);
    assert_eq!(left.len(), 1);
    assert!(left[0].to_str().unwrap().ends_with(&format!("-{BEN}")), "{left:?}");
    chat.writes(BEN, GENERAL, "what were the words?").await;
    chat.bot("What word?").await;
    let request = served.request(2).await.to_string();
    assert!(!request.contains(&format!("swordfish{ADA}")), "{request}");
    assert!(request.contains(&format!("swordfish{BEN}")), "{request}");
    agent.stop().await;
    let bytes = std::fs::read(state.join("s.sqlite")).unwrap();
    let holds = |word: String| bytes.windows(word.len()).any(|it| it == word.as_bytes());
    assert!(!holds(format!("swordfish{ADA}")) && holds(format!("swordfish{BEN}")));
    let again = chat.program(&["forget", &ADA.to_string(), "--yes"]).await;
    assert!(again.contains("       0  lines of conversations"), "{again}");
}
