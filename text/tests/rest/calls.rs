//! What is asked of Discord, and how often.

use bytes::Bytes;
use clawvoice_session::{
    ChannelId, GuildId, LookupDoor as _, MessageId, UserId, VoiceStateLookup, WebhookId,
};
use clawvoice_text::shell::{
    lookups::Lookups,
    message_calls::{Created, OutgoingFile},
    rest::RestFailure,
    thread_calls::{NewThread, OnMessage, Post},
    webhook_calls::Webhook,
};
use serde_json::{Value, json};

use crate::fake::{fake, limited};

const HERE: ChannelId = ChannelId::new(1);

fn created() -> (u16, Value) {
    (200, json!({ "id": "5", "channel_id": "1" }))
}

fn thread() -> NewThread {
    NewThread { name: "Thread".to_owned(), auto_archive_minutes: Some(60) }
}

fn refused(code: u64, message: &str) -> (u16, Value) {
    (400, json!({ "code": code, "message": message }))
}

fn file(name: &str, bytes: &'static [u8]) -> OutgoingFile {
    OutgoingFile {
        name: name.to_owned(),
        bytes: Bytes::from_static(bytes),
        description: Some("a file".to_owned()),
    }
}

#[tokio::test]
async fn a_message_keeps_its_nonce_with_files_and_without() {
    let fake = fake([(502, Value::Null), created(), (500, Value::Null), created()]).await;
    let body = json!({ "content": "hi" });
    let sent = fake.discord.create_message(HERE, &body).await.unwrap();
    assert_eq!(sent, Created { id: MessageId::new(5), channel: HERE });
    let files = [file("a\".txt", b"one"), file("b.txt", b"two")];
    fake.discord.create_message_with(HERE, &body, &files).await.unwrap();
    let calls = fake.calls();
    assert_eq!(fake.lines(), ["POST /channels/1/messages"; 4]);
    let nonces: Vec<&Value> = calls.iter().map(|call| &call.json["nonce"]).collect();
    assert!(nonces.iter().all(|nonce| nonce.as_str().is_some_and(|nonce| nonce.len() == 24)));
    assert_eq!((nonces[0], nonces[2]), (nonces[1], nonces[3]));
    assert_ne!(nonces[0], nonces[2]);
    assert!(calls.iter().all(|call| call.json["enforce_nonce"] == true && call.with_token));
    let attachments = json!([
        { "id": 0, "filename": "a_.txt", "description": "a file" },
        { "id": 1, "filename": "b.txt", "description": "a file" }]);
    assert_eq!(calls[3].json["attachments"], attachments);
    for part in ["name=\"files[0]\"; filename=\"a_.txt\"\r\n\r\none\r\n", "filename=\"b.txt\""] {
        assert!(calls[3].body.contains(part), "{}", calls[3].body);
    }
    assert_eq!(calls[2].body.split("--").count(), calls[3].body.split("--").count());
}

#[tokio::test]
async fn a_post_is_opened_once_whatever_the_answer_was() {
    let opened = (201, json!({ "id": "8", "type": 11, "message": { "id": "8" } }));
    let fake = fake([limited(), opened, (502, Value::Null)]).await;
    let message = json!({ "content": "first" });
    let files = [file("a.txt", b"one")];
    let post = fake.discord.open_post(HERE, &thread(), &[7], &message, &files).await.unwrap();
    assert_eq!(post, Post { thread: ChannelId::new(8), message: MessageId::new(8) });
    let body = &fake.calls()[1].json;
    let described = json!([{ "id": 0, "filename": "a.txt", "description": "a file" }]);
    let expected = json!({
        "name": "Thread", "auto_archive_duration": 60, "applied_tags": ["7"],
        "message": { "content": "first", "attachments": described } });
    assert_eq!(body, &expected);
    let failure = fake.discord.open_post(HERE, &thread(), &[], &message, &[]).await.unwrap_err();
    assert!(failure.may_pass() && failure.is_perhaps_done(), "{failure}");
    assert_eq!(fake.lines(), ["POST /channels/1/threads"; 3]);
    assert_eq!(fake.calls()[2].json.get("applied_tags"), None);
}

#[tokio::test]
async fn a_thread_on_a_message_is_found_if_it_is_there() {
    let again = refused(160_004, "A thread has already been created for this message");
    let fake = fake([(201, json!({ "id": "5" })), again, (201, json!({ "id": "9" }))]).await;
    let message = MessageId::new(5);
    for existed in [false, true] {
        let found = fake.discord.thread_on_message(HERE, message, &thread()).await.unwrap();
        assert_eq!(found, OnMessage { thread: ChannelId::new(5), existed });
    }
    let plain = NewThread { auto_archive_minutes: None, ..thread() };
    let opened = fake.discord.open_thread(HERE, &plain, false).await.unwrap();
    assert_eq!(opened, ChannelId::new(9));
    assert_eq!(fake.calls()[2].json, json!({ "name": "Thread", "type": 11 }));
    let failure = fake.discord.open_thread(HERE, &plain, true).await.unwrap_err();
    assert_eq!((failure.status(), failure.code()), (Some(404), None));
    assert_eq!(fake.calls()[3].json["type"], 12);
}

#[tokio::test]
async fn threads_are_archived_and_renamed_and_know_who_is_in_them() {
    let no_member = (404, json!({ "code": 10_007, "message": "Unknown Member" }));
    let ok = || (200, json!({}));
    let fake = fake([ok(), ok(), ok(), no_member]).await;
    fake.discord.archive_thread(HERE, true).await.unwrap();
    fake.discord.rename_channel(HERE, "Other").await.unwrap();
    assert!(fake.discord.is_in_thread(HERE, UserId::new(7)).await.unwrap());
    assert!(!fake.discord.is_in_thread(HERE, UserId::new(7)).await.unwrap());
    assert!(fake.discord.is_in_thread(HERE, UserId::new(7)).await.is_err());
    let calls = fake.calls();
    assert_eq!(calls[0].json, json!({ "archived": true }));
    assert_eq!(calls[1].json, json!({ "name": "Other" }));
    assert_eq!(fake.lines()[1..3], ["PATCH /channels/1", "GET /channels/1/thread-members/7"]);
}

#[tokio::test]
async fn a_webhook_writes_once_and_without_the_bots_token() {
    let made = (200, json!({ "id": "6", "token": "hook", "type": 1 }));
    let fake = fake([made, limited(), created(), (503, Value::Null), (204, Value::Null)]).await;
    let webhook = fake.discord.create_webhook(HERE, "claw").await.unwrap();
    assert_eq!(webhook.id, WebhookId::new(6));
    assert!(!format!("{webhook:?}").contains("hook\""));
    let body = json!({ "content": "hi", "username": "🤖 claw" });
    let inside = Some(ChannelId::new(9));
    let sent = fake.discord.execute_webhook(&webhook, inside, &body, &[]).await.unwrap();
    assert_eq!(sent.id, MessageId::new(5));
    let failure = fake.discord.execute_webhook(&webhook, None, &body, &[]).await.unwrap_err();
    assert!(failure.is_perhaps_done(), "nobody may write it again by other means: {failure}");
    fake.discord.delete_webhook(&webhook).await.unwrap();
    let expected = [
        "POST /channels/1/webhooks",
        "POST /webhooks/6/hook?wait=true&thread_id=9",
        "POST /webhooks/6/hook?wait=true&thread_id=9",
        "POST /webhooks/6/hook?wait=true",
        "DELETE /webhooks/6/hook",
    ];
    assert_eq!(fake.lines(), expected);
    let with_token: Vec<bool> = fake.calls().iter().map(|call| call.with_token).collect();
    assert_eq!(with_token, [true, false, false, false, false]);
    assert_eq!(fake.calls()[2].json, body);
}

#[tokio::test]
async fn a_webhook_that_is_gone_or_nowhere_did_nothing() {
    let gone = (404, json!({ "code": 10_015, "message": "Unknown Webhook" }));
    let fake = fake([gone]).await;
    let webhook = Webhook { id: WebhookId::new(6), token: "t0ken".to_owned().into() };
    let body = json!({ "content": "hi" });
    let failure = fake.discord.execute_webhook(&webhook, None, &body, &[]).await.unwrap_err();
    assert_eq!((failure.code(), failure.is_perhaps_done()), (Some(10_015), false));
    // A port that nothing listens at any more.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nowhere = crate::fake::discord(&format!("http://{port}"), "secret");
    let failure = nowhere.execute_webhook(&webhook, None, &body, &[]).await.unwrap_err();
    assert!(failure.may_pass() && !failure.is_perhaps_done(), "{failure}");
    assert!(!failure.to_string().contains("t0ken"), "{failure}");
}

#[tokio::test]
async fn a_direct_message_is_opened_once() {
    let fake = fake([(200, json!({ "id": "3", "type": 1 }))]).await;
    for _ in 0..2 {
        let opened = fake.discord.clone().open_direct_message(UserId::new(7)).await.unwrap();
        assert_eq!(opened, ChannelId::new(3));
    }
    assert_eq!(fake.lines(), ["POST /users/@me/channels"]);
    assert_eq!(fake.calls()[0].json, json!({ "recipient_id": "7" }));
}

#[tokio::test]
async fn a_refusal_tells_its_code() {
    let fake = fake([(403, json!({ "code": 50_007, "message": "Cannot send messages" }))]).await;
    let body = json!({ "content": "hi" });
    let failure = fake.discord.create_message(HERE, &body).await.unwrap_err();
    assert_eq!((failure.status(), failure.code()), (Some(403), Some(50_007)));
    assert!(!failure.may_pass());
    assert_eq!(fake.discord.refusals().forbidden, 1);
    let unknown = fake.discord.create_message(HERE, &body).await.unwrap_err();
    assert!(matches!(unknown, RestFailure::Refused { status: 404, code: 0, .. }), "{unknown}");
}

#[tokio::test]
async fn what_is_looked_up_is_asked_once_in_the_same_queue() {
    let fake = fake([(502, Value::Null)]).await;
    let lookups = Lookups::new(fake.discord.clone());
    let answer = lookups.voice_state(GuildId::new(1), UserId::new(7)).await;
    assert_eq!(answer, VoiceStateLookup::Failed("a look-up failed: status 502".to_owned()));
    assert_eq!(fake.lines().len(), 1);
}
