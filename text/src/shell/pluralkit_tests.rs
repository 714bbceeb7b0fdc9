use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// What was asked: the message, and with which token.
type Asked = Arc<Mutex<Vec<(String, Option<String>)>>>;

/// Answers by the message's id.
async fn answer(
    State(asked): State<Asked>,
    Path(message): Path<String>,
    headers: HeaderMap,
) -> Response {
    let token = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    asked.lock().unwrap().push((message.clone(), token));
    match message.as_str() {
        "1" => Json(json!({
            "id": "1", "original": "9", "sender": "7",
            "system": { "id": "exmpl", "name": "System" },
            "member": { "id": "abcde", "name": "Name" },
        }))
        .into_response(),
        "2" => (StatusCode::NOT_FOUND, Json(json!({ "code": 20006 }))).into_response(),
        "3" => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "4" => "x".repeat(MAX_ANSWER + 1).into_response(),
        "5" => std::future::pending().await,
        _ => StatusCode::TOO_MANY_REQUESTS.into_response(),
    }
}

async fn server() -> (String, Asked) {
    let asked = Asked::default();
    let app = Router::new().route("/v2/messages/{id}", get(answer)).with_state(Arc::clone(&asked));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v2/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (base, asked)
}

/// Scenario 10 of the text scenarios.
#[tokio::test]
async fn a_proxied_message_is_its_members_and_asked_about_once() {
    let (base, asked) = server().await;
    let pluralkit = PluralKit::new(&base, Some(&"pk-token".to_owned().into()));
    for _ in 0..2 {
        let answer = pluralkit.look_up(MessageId::new(1)).await;
        let PluralKitAnswer::Proxied(member) = answer else { panic!("{answer:?}") };
        assert_eq!((member.label().as_str(), member.id.as_str()), ("Name (PK:System)", "abcde"));
        assert_eq!(member.original, Some(MessageId::new(9)));
        assert_eq!(pluralkit.look_up(MessageId::new(2)).await, PluralKitAnswer::NotProxied);
    }
    let token = Some("pk-token".to_owned());
    assert_eq!(*asked.lock().unwrap(), [("1".to_owned(), token.clone()), ("2".to_owned(), token)]);
}

/// Scenario 11 of the text scenarios.
#[tokio::test]
async fn a_failure_says_nothing_of_the_author_and_is_not_remembered() {
    let (base, asked) = server().await;
    let pluralkit = PluralKit::new(&base, None);
    let failed = |words: &str| PluralKitAnswer::Failed(words.to_owned());
    for _ in 0..2 {
        let answer = pluralkit.look_up(MessageId::new(3)).await;
        assert_eq!(answer, failed("PluralKit answered with status 500"));
    }
    assert_eq!(*asked.lock().unwrap(), [("3".to_owned(), None), ("3".to_owned(), None)]);
    let answer = pluralkit.look_up(MessageId::new(4)).await;
    assert_eq!(answer, failed("PluralKit's answer is too long"));
    let answer = pluralkit.look_up(MessageId::new(6)).await;
    assert_eq!(answer, failed("PluralKit answered with status 429"));
    let hasty = PluralKit::with_patience(&base, None, Duration::from_millis(50));
    let answer = hasty.look_up(MessageId::new(5)).await;
    assert_eq!(answer, failed("PluralKit did not answer in time"));
}
