use serde_json::json;

use super::*;
use crate::{
    history::{Route, SessionFacts},
    mail::{Event, EventKind},
};

#[tokio::test]
async fn facts_of_a_session_survive() {
    let mut bench = Bench::start().await;
    let key = session();
    assert_eq!(bench.mailbox.facts(&key).await.unwrap(), SessionFacts::default());
    bench.mailbox.note_route(&key, "other", ChannelId::new(1)).await.unwrap();
    bench.mailbox.note_route(&key, ACCOUNT, CHANNEL).await.unwrap();
    bench.mailbox.set_model(&key, Some("p0/m".into())).await.unwrap();
    bench.mailbox.reset_session(&key, at(7)).await.unwrap();
    bench.reopen().await;
    let facts = bench.mailbox.facts(&key).await.unwrap();
    assert!(facts.active.is_some());
    let route = Route { account: ACCOUNT.into(), channel: CHANNEL };
    assert_eq!(
        facts,
        SessionFacts {
            began: Some(at(7)),
            model: Some("p0/m".into()),
            route: Some(route),
            active: facts.active,
            archived: None,
        }
    );
    bench.mailbox.set_model(&key, None).await.unwrap();
    assert_eq!(bench.mailbox.facts(&key).await.unwrap().model, None);
    let other = SessionKey::main("main");
    assert_eq!(bench.mailbox.facts(&other).await.unwrap(), SessionFacts::default());
}

#[tokio::test]
async fn bindings_are_kept_by_account() {
    let mut bench = Bench::start().await;
    let (thread, person) = (Target::Channel(CHANNEL), Target::User(ADA));
    for record in ["{}", r#"{"agent":"main"}"#] {
        bench.mailbox.save_binding(ACCOUNT, thread, record.into()).await.unwrap();
    }
    bench.mailbox.save_binding(ACCOUNT, person, "[]".into()).await.unwrap();
    bench.mailbox.save_binding("other", thread, "0".into()).await.unwrap();
    bench.reopen().await;
    assert_eq!(
        bench.mailbox.bindings(ACCOUNT).await.unwrap(),
        [(thread, r#"{"agent":"main"}"#.to_owned()), (person, "[]".to_owned())]
    );
    for _ in 0..2 {
        bench.mailbox.delete_binding(ACCOUNT, thread).await.unwrap();
    }
    assert_eq!(bench.mailbox.bindings(ACCOUNT).await.unwrap(), [(person, "[]".to_owned())]);
    assert_eq!(bench.mailbox.bindings("other").await.unwrap(), [(thread, "0".to_owned())]);
    let log = bench.log().await;
    let log: Vec<(&str, &str)> = log.iter().map(|(kind, detail)| (*kind, &**detail)).collect();
    assert_eq!(log, [("binding", r#"{"bound":true}"#), ("binding", r#"{"bound":false}"#)]);
}

#[tokio::test]
async fn whatever_else_happens_is_logged_in_its_order() {
    let mut bench = Bench::start().await;
    let event = |number: u64, kind| Event {
        account: ACCOUNT.into(),
        conversation: session().to_string(),
        user: (number == 1).then_some(ADA),
        kind,
        detail: json!({ "run": number }),
    };
    let events = [event(1, EventKind::TurnStarted), event(2, EventKind::TurnEnded)];
    for event in &events {
        bench.mailbox.event(event.clone()).await.unwrap();
    }
    bench.reopen().await;
    let logged = bench.mailbox.events(ACCOUNT, session().as_str(), 0, 9).await.unwrap();
    assert!(logged[0].number < logged[1].number && logged[0].at <= logged[1].at);
    assert_eq!(logged.into_iter().map(|logged| logged.event).collect::<Vec<_>>(), events);
    assert_eq!(bench.mailbox.events("other", session().as_str(), 0, 9).await.unwrap(), []);
}
