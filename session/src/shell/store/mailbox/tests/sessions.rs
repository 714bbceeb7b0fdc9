use serde_json::json;

use super::*;
use crate::{
    history::{Exchange, Route, SessionFacts, Spent},
    mail::{Event, EventKind},
    shell::store::Store,
};

#[tokio::test]
async fn facts_of_a_session_survive() {
    let mut bench = Bench::start().await;
    let key = session();
    assert_eq!(bench.mailbox.facts(&key).await.unwrap(), SessionFacts::default());
    bench.mailbox.note_route(&key, "other", ChannelId::new(1)).await.unwrap();
    bench.mailbox.note_route(&key, ACCOUNT, CHANNEL).await.unwrap();
    bench.mailbox.set_model(&key, Some("p0/m".into())).await.unwrap();
    let store = Store::open(&bench.path(), 1_000).await.unwrap();
    store.reset(&key).await.unwrap();
    store.close().await;
    bench.reopen().await;
    let facts = bench.mailbox.facts(&key).await.unwrap();
    assert!(facts.active.is_some() && facts.began.is_some());
    let route = Route { account: ACCOUNT.into(), channel: CHANNEL };
    assert_eq!(
        facts,
        SessionFacts {
            began: facts.began,
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

/// A turn that is named by what was said.
fn named(said: &str, answered: &str) -> Exchange {
    Exchange { origin: Some(format!("origin of {said}")), ..exchange(ADA, said, answered, at(5)) }
}

#[tokio::test]
async fn a_session_inherits_what_was_said_since_the_last_reset_and_not_what_it_cost() {
    let bench = Bench::start().await;
    let store = Store::open(&bench.path(), 1_000).await.unwrap();
    let (parent, child) = (session(), SessionKey::channel("main", ChannelId::new(43)));
    store.record(&parent, named("before", "BEFORE")).await.unwrap();
    store.reset(&parent).await.unwrap();
    store.record(&parent, named("one", "ONE")).await.unwrap();
    store.record(&parent, named("two", "TWO")).await.unwrap();
    assert_eq!(store.window(&child).await.unwrap().messages(), []);
    for _ in 0..2 {
        bench.mailbox.inherit(&child, &parent).await.unwrap();
    }
    let inherited = store.window(&child).await.unwrap().messages();
    assert_eq!(inherited.len(), 4);
    assert_eq!(inherited, store.window(&parent).await.unwrap().messages());
    assert_eq!(store.spent_in(&child).await.unwrap(), Spent::default());
    assert_eq!(store.answer_to(&child, "origin of one").await.unwrap(), None);
    assert_eq!(bench.mailbox.facts(&child).await.unwrap().route, None);
    store.record(&child, named("three", "THREE")).await.unwrap();
    let text = format!("{:?}", store.window(&child).await.unwrap().messages());
    assert!(text.find("TWO") < text.find("three"), "{text}");
    assert!(!format!("{:?}", store.window(&parent).await.unwrap().messages()).contains("three"));
    // One that has begun is left as it is.
    bench.mailbox.inherit(&parent, &child).await.unwrap();
    assert_eq!(store.window(&parent).await.unwrap().messages().len(), 4);
    store.close().await;
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
