//! Files that come with messages.

use axum::{Json, Router, body::Bytes, routing::post};
use localcord::world::{
    Message,
    default::{ADA, GENERAL},
};
use serde_json::json;
use tokio::net::TcpListener;

use super::chat::{Chat, OPEN, QUIET, model};
use crate::brain::{Reply, Served};

/// A picture of one dot, as PNG.
const DOT: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";

/// A file is fetched, and a short text in it is told.
#[tokio::test]
async fn a_file_reaches_the_model() {
    let served = Served::new(&[Reply::Text(&["I read it."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    let file = json!({
        "name": "notes.txt", "content_type": "text/plain", "text": "the word is swordfish",
    });
    let body = json!({ "channel_id": GENERAL.to_string(), "content": "look", "files": [file] });
    chat.sends(ADA, &body).await;
    let request = served.request(0).await.to_string();
    assert!(request.contains("notes.txt (text"), "{request}");
    assert_eq!(request.matches("the word is swordfish").count(), 1, "{request}");
    chat.bot("I read it.").await;
    agent.stop().await;
}

/// Scenario 57, on the wire: a file that is said to be inside this network is not fetched, and that
/// is told.
#[tokio::test]
async fn a_file_of_another_host_is_not_fetched() {
    let served = Served::new(&[Reply::Text(&["I cannot see it."])]).await;
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/secret.txt", inside.local_addr().unwrap());
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&served)).await;
    let attachment = json!({
        "id": "5", "filename": "secret.txt", "content_type": "text/plain", "size": 6, "url": url,
    });
    chat.scene.server.world().create_message(Message {
        channel_id: GENERAL,
        author_id: ADA,
        content: "look".to_owned(),
        attachments: vec![attachment],
        ..Message::default()
    });
    let request = served.request(0).await.to_string();
    assert_eq!(request.matches("[discord attachment unavailable]").count(), 1, "{request}");
    chat.bot("I cannot see it.").await;
    let asked = std::pin::pin!(inside.accept());
    assert!(futures_util::poll!(asked).is_pending());
    agent.stop().await;
}

/// A picture is shown to a model that takes pictures, in the turn it came in; afterwards only the
/// line about it is left. A model that takes none reads the line alone.
#[tokio::test]
async fn a_picture_is_shown_to_a_model_that_sees() {
    let served = Served::new(&[Reply::Text(&["A dot."]), Reply::Text(&["It was red."])]).await;
    let sees = model(&served).replace(
        "apiKey: 'k'",
        "apiKey: 'k', models: [{ id: 'think-1', input: ['text', 'image'] }]",
    );
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &sees).await;
    let file = json!({ "name": "dot.png", "content_type": "image/png", "base64": DOT });
    let body = json!({ "channel_id": GENERAL.to_string(), "content": "look", "files": [file] });
    chat.sends(ADA, &body).await;
    chat.bot("A dot.").await;
    chat.writes(ADA, GENERAL, "which colour was it?").await;
    chat.bot("It was red.").await;
    let first = served.request(0).await.to_string();
    let url = format!("data:image/png;base64,{DOT}");
    assert_eq!(first.matches(&url).count(), 1, "{first}");
    assert!(first.contains("dot.png (image"), "{first}");
    let second = served.request(1).await.to_string();
    assert!(second.contains("dot.png (image") && !second.contains("base64"), "{second}");
    agent.stop().await;

    let blind = Served::new(&[Reply::Text(&["I read a line."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(OPEN, &model(&blind)).await;
    chat.sends(ADA, &body).await;
    chat.bot("I read a line.").await;
    let request = blind.request(0).await.to_string();
    assert!(request.contains("dot.png (image") && !request.contains("base64"), "{request}");
    agent.stop().await;
}

/// The beginning of a recording, as Ogg.
const NOTE: &str = "T2dnUwACAAAAAAAAAAA=";

/// A transcriber that hears the same in everything; gives the keys of the file that name it.
async fn transcriber() -> String {
    let hears = || async { Json(json!({ "text": "Claw, what should I wear?" })) };
    let path = "/v1/audio/transcriptions";
    let router = Router::new().route(path, post(move |_: Bytes| hears()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!(
        "tools: {{ media: {{ audio: {{ models: ['own/w'], baseUrl: 'http://{address}/v1' }} }} }},"
    )
}

/// Scenario 36, on the wire, without any voice: a voice note that names the bot is to it; one that
/// comes with words is told beside them.
#[tokio::test]
async fn a_voice_note_is_heard() {
    let served = Served::new(&[Reply::Text(&["A jacket."]), Reply::Text(&["A scarf."])]).await;
    let chat = Chat::new().await;
    let rest = format!("{} {}", model(&served), transcriber().await);
    let config = chat.config_with(QUIET, &rest, "groupChat: { mentionPatterns: ['claw'] }");
    let mut agent = chat.start(&config).await;
    let file = json!({ "name": "voice-message.ogg", "content_type": "audio/ogg", "base64": NOTE });
    let body = |content: &str| json!({ "channel_id": GENERAL.to_string(), "content": content, "files": [file] });
    chat.sends(ADA, &body("")).await;
    chat.bot("A jacket.").await;
    let request = served.request(0).await.to_string();
    assert_eq!(request.matches("Claw, what should I wear?").count(), 1, "{request}");
    chat.sends(ADA, &body("claw, listen")).await;
    chat.bot("A scarf.").await;
    let asked = crate::brain::messages(&served.request(1).await).pop().unwrap().1;
    assert!(asked.contains("claw, listen"), "{asked}");
    assert!(asked.contains("[the recording says] Claw, what should I wear?"), "{asked}");
    agent.stop().await;
}
