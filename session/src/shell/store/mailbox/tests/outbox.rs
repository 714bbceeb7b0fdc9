use super::*;
use crate::mail::{Part, Refused};

#[tokio::test]
async fn an_answer_waits_part_by_part_until_it_is_sent() {
    let mut bench = Bench::start().await;
    bench.mailbox.receive(vec![arrival(1), arrival(2)]).await.unwrap();
    let parts = vec![part(0, "one"), part(1, "two"), part(2, "three")];
    let ids = bench.mailbox.answer(finished(&[1, 2], "a"), parts.clone()).await.unwrap();
    assert_eq!(bench.open().await, [0; 0]);
    bench.mailbox.trying(ids[0]).await.unwrap();
    bench.mailbox.delivered(ids[0], MessageId::new(900)).await.unwrap();
    bench.mailbox.trying(ids[1]).await.unwrap();
    bench.mailbox.trying(ids[1]).await.unwrap();
    bench.reopen().await;
    let left = bench.mailbox.undelivered(ACCOUNT).await.unwrap();
    assert_eq!(left.len(), 2);
    assert!(left[0].first_try.unwrap() >= left[0].created);
    let expected = |index: usize, attempts, left: &Part| Part {
        id: ids[index],
        account: ACCOUNT.into(),
        session: Some(session()),
        turn: "a".into(),
        message: parts[index].clone(),
        attempts,
        first_try: left.first_try,
        created: left.created,
    };
    assert_eq!(left[0], expected(1, 2, &left[0]));
    assert_eq!(left[1], expected(2, 0, &left[1]));
    assert_eq!(left[1].first_try, None);
    assert_eq!(bench.mailbox.undelivered("other").await.unwrap(), []);
}

#[tokio::test]
async fn a_part_is_queued_once() {
    let bench = Bench::start().await;
    let ids = bench.mailbox.answer(finished(&[], "a"), vec![part(0, "one")]).await.unwrap();
    bench.mailbox.delivered(ids[0], MessageId::new(900)).await.unwrap();
    let parts = vec![part(0, "once more"), part(1, "two")];
    let again = bench.mailbox.answer(finished(&[], "a"), parts).await.unwrap();
    assert_eq!(again[0], ids[0]);
    let left = bench.mailbox.undelivered(ACCOUNT).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id, left[0].message.body.as_str()), (again[1], "two"));
}

#[tokio::test]
async fn what_discord_refuses_is_told_newest_first() {
    let mut bench = Bench::start().await;
    let to = Target::User(ADA);
    let parts = vec![NewPart { to, ..part(0, "one") }, part(1, "two"), part(2, "three")];
    let ids = bench.mailbox.answer(finished(&[], "a"), parts).await.unwrap();
    bench.mailbox.refused(ids[0], "50007: no private messages".into()).await.unwrap();
    bench.mailbox.refused(ids[1], "x".repeat(1_000)).await.unwrap();
    // Too late: it was given up.
    bench.mailbox.delivered(ids[0], MessageId::new(900)).await.unwrap();
    bench.reopen().await;
    let left = bench.mailbox.undelivered(ACCOUNT).await.unwrap();
    assert_eq!(left.iter().map(|part| part.id).collect::<Vec<_>>(), [ids[2]]);
    let refused = bench.mailbox.refused_parts(ACCOUNT, 9).await.unwrap();
    let told = |refused: &Refused| (refused.part.id, refused.part.message.to);
    assert_eq!(
        refused.iter().map(told).collect::<Vec<_>>(),
        [(ids[1], Target::Channel(CHANNEL)), (ids[0], to)]
    );
    assert_eq!(refused[0].error, "x".repeat(500));
    assert_eq!(refused[1].error, "50007: no private messages");
    assert_eq!(refused[1].part.message.body, "one");
    assert_eq!(bench.mailbox.refused_parts(ACCOUNT, 1).await.unwrap(), refused[..1]);
}

#[tokio::test]
async fn what_is_sent_is_logged_with_what_it_became() {
    let bench = Bench::start().await;
    let ids = bench.mailbox.answer(finished(&[], "a"), vec![part(0, "one"), part(1, "two")]).await;
    let ids = ids.unwrap();
    for _ in 0..2 {
        bench.mailbox.delivered(ids[0], MessageId::new(900)).await.unwrap();
    }
    bench.mailbox.refused(ids[1], "gone".into()).await.unwrap();
    let log = bench.log().await;
    let log: Vec<(&str, &str)> = log.iter().map(|(kind, detail)| (*kind, &**detail)).collect();
    assert_eq!(
        log,
        [
            ("sent", r#"{"message":"900","part":0,"turn":"a"}"#),
            ("failed", r#"{"error":"gone","part":1,"turn":"a"}"#),
        ]
    );
}
