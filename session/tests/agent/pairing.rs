//! Requests and approvals survive the process.

use clawvoice_session::{
    UserId,
    pairing::Answer,
    shell::store::{NotApproved, Pairings},
};
use jiff::Timestamp;
use rand::{SeedableRng as _, rngs::SmallRng};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// Scenarios 12 and 14 of the text scenarios: one code, and none that is older than an hour.
#[tokio::test]
async fn a_stranger_is_let_in_by_their_code_once_and_within_the_hour() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let mut rng = SmallRng::seed_from_u64(3);
    let (ada, ben) = (UserId::new(31), UserId::new(u64::MAX));
    let mut pairings = Pairings::open(&path).await.unwrap();
    let Answer::Tell(asked) = pairings.ask("default", ada, at(0), &mut rng).await.unwrap() else {
        panic!("no code")
    };
    let Answer::Tell(late) = pairings.ask("default", ben, at(10), &mut rng).await.unwrap() else {
        panic!("no code")
    };
    pairings.close().await;

    let mut pairings = Pairings::open(&path).await.unwrap();
    assert_eq!(pairings.pending(at(20)).await.unwrap(), [asked.clone(), late.clone()]);
    let wrong = pairings.approve("other", &asked.code, at(20)).await;
    assert!(matches!(wrong, Err(NotApproved::Unknown(_))), "{wrong:?}");
    let lower = asked.code.to_lowercase();
    assert_eq!(pairings.approve("default", &lower, at(20)).await.unwrap(), ada);
    assert!(pairings.is_paired("default", ada).await.unwrap());
    assert!(!pairings.is_paired("other", ada).await.unwrap());
    let again = pairings.approve("default", &asked.code, at(21)).await;
    assert!(matches!(again, Err(NotApproved::Unknown(_))), "{again:?}");
    let over = pairings.approve("default", &late.code, at(3_610)).await;
    assert!(matches!(over, Err(NotApproved::Over(_))), "{over:?}");
    assert!(!pairings.is_paired("default", ben).await.unwrap());
    assert!(pairings.pending(at(3_610)).await.unwrap().is_empty());
}
