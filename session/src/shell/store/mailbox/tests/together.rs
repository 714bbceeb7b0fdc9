//! What waits together is committed together, and what fails fails alone.

use futures_util::future::join_all;
use sqlx::SqliteConnection;

use super::*;
use crate::shell::store::StoreError;

#[tokio::test]
async fn many_calls_take_few_commits() {
    let bench = Bench::start().await;
    assert_eq!(bench.mailbox.commits(), 0);
    let calls = (1..=500).map(|message| bench.mailbox.receive(vec![arrival(message)]));
    for outcome in join_all(calls).await {
        assert_eq!(outcome.unwrap(), [true]);
    }
    let mut open = bench.open().await;
    open.sort_unstable();
    assert_eq!(open, (1..=500).collect::<Vec<u64>>());
    let commits = bench.mailbox.commits();
    assert!((1..=50).contains(&commits), "{commits} commits for 500 calls");
}

#[tokio::test]
async fn more_calls_than_may_wait_are_all_carried_out() {
    let bench = Bench::start().await;
    let calls = (1..=3_000).map(|message| bench.mailbox.receive(vec![arrival(message)]));
    assert!(join_all(calls).await.into_iter().all(|outcome| outcome.unwrap() == [true]));
    assert_eq!(bench.open().await.len(), 3_000);
}

#[tokio::test]
async fn one_that_fails_takes_none_along() {
    let bench = Bench::start().await;
    let broken = bench.mailbox.write(|c: &mut SqliteConnection| {
        Box::pin(async move {
            super::super::inbox::receive(c, &[arrival(2)]).await?;
            sqlx::query("UPDATE events SET kind = 'guessed'").execute(c).await?;
            Ok(())
        })
    });
    let (before, broken, after) = tokio::join!(
        bench.mailbox.receive(vec![arrival(1)]),
        broken,
        bench.mailbox.receive(vec![arrival(3)]),
    );
    let error = broken.unwrap_err();
    assert!(error.to_string().contains("events are never changed"), "{error}");
    assert_eq!((before.unwrap(), after.unwrap()), (vec![true], vec![true]));
    assert_eq!(bench.open().await, [1, 3]);
    assert_eq!(bench.mailbox.commits(), 1);
}

/// The file may grow to that many pages.
async fn room(bench: &Bench, pages: i64) {
    let statement = format!("PRAGMA max_page_count = {pages}");
    bench
        .mailbox
        .read(move |c: &mut SqliteConnection| {
            Box::pin(async move {
                sqlx::query(&statement).execute(c).await?;
                Ok(())
            })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_passes() {
    let bench = Bench::start().await;
    bench.mailbox.receive(vec![arrival(1)]).await.unwrap();
    room(&bench, 1).await;
    let large = |message| Arrival { body: "x".repeat(1_000_000), ..arrival(message) };
    let (one, two) =
        tokio::join!(bench.mailbox.receive(vec![large(2)]), bench.mailbox.receive(vec![large(3)]),);
    for outcome in [one, two] {
        let error = outcome.unwrap_err();
        assert!(matches!(error, StoreError::Database(_) | StoreError::NotCommitted(_)), "{error}");
        assert!(error.to_string().contains("full"), "{error}");
    }
    assert_eq!(bench.open().await, [1]);
    room(&bench, 1_000_000).await;
    assert_eq!(bench.mailbox.receive(vec![large(2), large(3)]).await.unwrap(), [true, true]);
    assert_eq!(bench.open().await, [1, 2, 3]);
}

#[tokio::test]
async fn after_the_end_every_call_says_so() {
    let bench = Bench::start().await;
    let clone = bench.mailbox.clone();
    bench.mailbox.receive(vec![arrival(1)]).await.unwrap();
    clone.close().await;
    clone.close().await;
    let error = bench.mailbox.receive(vec![arrival(2)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error}");
    let error = bench.mailbox.unfinished(ACCOUNT).await.unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error}");
}

#[tokio::test]
async fn without_a_file_it_works_as_well() {
    let mailbox = Mailbox::in_memory().await.unwrap();
    assert_eq!(mailbox.receive(vec![arrival(1), arrival(1)]).await.unwrap(), [true, false]);
    assert_eq!(mailbox.unfinished(ACCOUNT).await.unwrap().len(), 1);
    mailbox.close().await;
}
