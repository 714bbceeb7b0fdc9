use super::*;
use crate::mail::Received;

#[tokio::test]
async fn what_came_in_stays_until_it_is_dealt_with() {
    let mut bench = Bench::start().await;
    let new = bench.mailbox.receive(vec![arrival(9), arrival(u64::MAX), arrival(9)]).await;
    assert_eq!(new.unwrap(), [true, true, false]);
    assert_eq!(bench.mailbox.receive(vec![arrival(9), arrival(3)]).await.unwrap(), [false, true]);
    bench.mailbox.finish(ACCOUNT, names(&[u64::MAX]), Outcome::Merged).await.unwrap();
    bench.reopen().await;
    let open = bench.mailbox.unfinished(ACCOUNT).await.unwrap();
    let received = |message| Received { arrival: arrival(message), turn: None };
    assert_eq!(open, [received(9), received(3)], "in the order of arrival, whole");
    assert_eq!(bench.mailbox.unfinished("other").await.unwrap(), []);
}

/// Scenario 2 of the text scenarios.
#[tokio::test]
async fn a_message_that_was_dealt_with_is_known_after_a_restart() {
    let mut bench = Bench::start().await;
    bench.mailbox.receive(vec![arrival(1), arrival(2)]).await.unwrap();
    bench.mailbox.answer(finished(&[1], "a"), vec![part(0, "hi")]).await.unwrap();
    let dropped = Outcome::Dropped("no-mention".into());
    bench.mailbox.finish(ACCOUNT, names(&[2]), dropped).await.unwrap();
    bench.reopen().await;
    let again = bench.mailbox.receive(vec![arrival(1), arrival(2)]).await.unwrap();
    assert_eq!(again, [false, false]);
    assert_eq!(bench.open().await, [0; 0]);
    let elsewhere = Arrival { account: "other".into(), ..arrival(1) };
    assert_eq!(bench.mailbox.receive(vec![elsewhere]).await.unwrap(), [true]);
}

/// Scenario 3 of the text scenarios.
#[tokio::test]
async fn a_message_that_was_released_is_new_once_more() {
    let bench = Bench::start().await;
    bench.mailbox.receive(vec![arrival(1), arrival(2)]).await.unwrap();
    bench.mailbox.finish(ACCOUNT, names(&[2]), Outcome::Failed).await.unwrap();
    bench.mailbox.release(ACCOUNT, names(&[1, 2])).await.unwrap();
    assert_eq!(bench.open().await, [0; 0]);
    let again = bench.mailbox.receive(vec![arrival(1), arrival(2)]).await.unwrap();
    assert_eq!(again, [true, false], "what is dealt with is not released");
}

#[tokio::test]
async fn messages_of_one_turn_are_known_as_such() {
    let mut bench = Bench::start().await;
    bench.mailbox.receive(vec![arrival(1), arrival(2), arrival(3)]).await.unwrap();
    bench.mailbox.assign(ACCOUNT, names(&[1, 2]), &session(), "1+2").await.unwrap();
    bench.reopen().await;
    let open = bench.mailbox.unfinished(ACCOUNT).await.unwrap();
    let turns: Vec<_> = open.into_iter().map(|received| received.turn).collect();
    let turn = Some((session(), "1+2".to_owned()));
    assert_eq!(turns, [turn.clone(), turn, None]);
}

#[tokio::test]
async fn what_became_of_messages_is_logged_once() {
    let bench = Bench::start().await;
    bench.mailbox.receive(vec![arrival(1), arrival(2), arrival(2), arrival(3)]).await.unwrap();
    let dropped = Outcome::Dropped("no-mention".into());
    for outcome in [dropped, Outcome::Failed] {
        bench.mailbox.finish(ACCOUNT, names(&[1]), outcome).await.unwrap();
    }
    bench.mailbox.finish(ACCOUNT, names(&[2]), Outcome::Failed).await.unwrap();
    bench.mailbox.finish(ACCOUNT, names(&[3, 77]), Outcome::Command).await.unwrap();
    let log = bench.log().await;
    let log: Vec<(&str, &str)> = log.iter().map(|(kind, detail)| (*kind, &**detail)).collect();
    assert_eq!(
        log,
        [
            ("received", r#"{"message":"1"}"#),
            ("received", r#"{"message":"2"}"#),
            ("received", r#"{"message":"3"}"#),
            ("dropped", r#"{"message":"1","reason":"no-mention"}"#),
            ("failed", r#"{"message":"2"}"#),
        ]
    );
    let first = bench.mailbox.events(ACCOUNT, "channel:42", 0, 1).await.unwrap().remove(0);
    assert_eq!((first.at, first.event.user), (at(1_000), Some(ADA)));
    let next = bench.mailbox.events(ACCOUNT, "channel:42", first.number, 1).await.unwrap();
    assert_eq!(next[0].event.detail["message"], "2");
}
