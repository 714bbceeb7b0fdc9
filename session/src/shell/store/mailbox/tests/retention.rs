use std::time::Duration;

use rand::{SeedableRng as _, rngs::StdRng};
use serde_json::json;

use super::*;
use crate::{
    history::Spent,
    mail::{Event, EventKind, Forgotten, Retention, Swept},
    shell::store::{Pairings, Spendings, Store},
    spending::{Day, UsageBy},
};

/// Keeps everything.
fn all() -> Retention {
    let ever = Duration::from_secs(4_000_000_000);
    Retention {
        known_messages: 1_000_000,
        known_for: ever,
        events_for: ever,
        events: 1_000_000,
        sent_for: ever,
        refused_for: ever,
        sessions_for: ever,
        sessions: 1_000_000,
        spending_for: ever,
    }
}

#[tokio::test]
async fn finished_messages_are_known_by_number_and_by_age() {
    let bench = Bench::start().await;
    bench.mailbox.receive((1..=6).map(arrival).collect()).await.unwrap();
    bench.mailbox.finish(ACCOUNT, names(&[1, 2, 4, 5]), Outcome::Answered).await.unwrap();
    let now = Timestamp::now();
    let keep = Retention { known_messages: 2, known_for: Duration::from_secs(300), ..all() };
    let young = bench.mailbox.sweep(now, &keep).await.unwrap();
    assert_eq!(young, Swept::default(), "none is older than five minutes");
    let later = now + Duration::from_secs(301);
    assert_eq!(
        bench.mailbox.sweep(later, &keep).await.unwrap(),
        Swept { messages: 2, ..Swept::default() }
    );
    let again = bench.mailbox.receive((1..=6).map(arrival).collect()).await.unwrap();
    assert_eq!(again, [true, true, false, false, false, false], "open ones stay, however old");
}

#[tokio::test]
async fn a_sweep_takes_so_many_at_a_time() {
    let bench = Bench::start().await;
    bench.mailbox.receive((1..=2_500).map(arrival).collect()).await.unwrap();
    let all_of_them: Vec<u64> = (1..=2_500).collect();
    bench.mailbox.finish(ACCOUNT, names(&all_of_them), Outcome::Answered).await.unwrap();
    let later = Timestamp::now() + Duration::from_secs(1);
    let keep = Retention { known_messages: 100, known_for: Duration::ZERO, ..all() };
    for (messages, more) in [(2_000, true), (400, false), (0, false)] {
        let swept = bench.mailbox.sweep(later, &keep).await.unwrap();
        assert_eq!(swept, Swept { messages, more, ..Swept::default() });
    }
}

#[tokio::test]
async fn parts_and_events_have_their_time() {
    let bench = Bench::start().await;
    let parts = vec![part(0, "a"), part(1, "b"), part(2, "c")];
    let ids = bench.mailbox.answer(finished(&[], "t"), parts).await.unwrap();
    bench.mailbox.delivered(ids[0], MessageId::new(900)).await.unwrap();
    bench.mailbox.refused(ids[1], "no".into()).await.unwrap();
    let now = Timestamp::now();
    let hour = Duration::from_secs(3_600);
    let keep = Retention { sent_for: hour, refused_for: 3 * hour, events_for: 5 * hour, ..all() };
    for (hours, swept) in [
        (0, Swept::default()),
        (2, Swept { parts: 1, ..Swept::default() }),
        (4, Swept { parts: 1, ..Swept::default() }),
        (6, Swept { events: 2, ..Swept::default() }),
        (9, Swept::default()),
    ] {
        let later = now + hour * hours;
        assert_eq!(bench.mailbox.sweep(later, &keep).await.unwrap(), swept, "after {hours} h");
    }
    let left = bench.mailbox.undelivered(ACCOUNT).await.unwrap();
    assert_eq!(left.iter().map(|part| part.id).collect::<Vec<_>>(), [ids[2]]);
}

#[tokio::test]
async fn of_the_events_only_the_newest_are_kept() {
    let bench = Bench::start().await;
    bench.mailbox.receive((1..=9).map(arrival).collect()).await.unwrap();
    let keep = Retention { events: 4, ..all() };
    let swept = bench.mailbox.sweep(at(1_000), &keep).await.unwrap();
    assert_eq!(swept, Swept { events: 5, ..Swept::default() });
    let kept = bench.log().await;
    let kept: Vec<&str> = kept.iter().map(|(_, detail)| detail.as_str()).collect();
    let expected: Vec<String> = (6..=9).map(|id| format!(r#"{{"message":"{id}"}}"#)).collect();
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn sessions_are_put_away_by_age_and_by_number() {
    let bench = Bench::start().await;
    let store = Store::open(&bench.path(), 1_000).await.unwrap();
    let key = |number| SessionKey::channel("main", ChannelId::new(number));
    for number in 1..=4 {
        let at = at(100 * i64::try_from(number).unwrap());
        store.record(&key(number), exchange(ADA, "hi", "Yes.", at)).await.unwrap();
    }
    let keep = Retention { sessions_for: Duration::from_secs(300), sessions: 2, ..all() };
    let swept = bench.mailbox.sweep(at(450), &keep).await.unwrap();
    assert_eq!(swept, Swept { sessions: 2, ..Swept::default() });
    for (number, archived) in [(1, Some(at(450))), (2, Some(at(450))), (3, None), (4, None)] {
        let facts = bench.mailbox.facts(&key(number)).await.unwrap();
        assert_eq!((facts.archived, facts.began), (archived, archived), "{number}");
        let turns = store.window(&key(number)).await.unwrap().messages().len();
        assert_eq!(turns, if archived.is_some() { 0 } else { 2 }, "{number}");
    }
    store.record(&key(1), exchange(ADA, "again", "Yes.", at(460))).await.unwrap();
    bench.mailbox.note_route(&key(2), ACCOUNT, CHANNEL).await.unwrap();
    for number in [1, 2] {
        assert_eq!(bench.mailbox.facts(&key(number)).await.unwrap().archived, None);
    }
    assert_eq!(store.window(&key(1)).await.unwrap().messages().len(), 2, "begun anew");
    assert_eq!(store.search(&key(1), "hi", 9).await.unwrap().len(), 1, "and still found");
    store.close().await;
}

#[tokio::test]
async fn a_user_is_forgotten_everywhere() {
    let mut bench = Bench::start().await;
    let store = Store::open(&bench.path(), 1_000).await.unwrap();
    let ben = UserId::new(5);
    for (by, said) in [(ADA, "my secret"), (ben, "mine")] {
        store.record(&session(), exchange(by, said, "Yes.", at(1))).await.unwrap();
    }
    assert_eq!(store.window(&session()).await.unwrap().messages().len(), 4);
    let bens = Arrival { author: ben, ..arrival(2) };
    bench.mailbox.receive(vec![arrival(1), bens, arrival(3)]).await.unwrap();
    bench.mailbox.answer(finished(&[3], "a"), vec![part(0, "x")]).await.unwrap();
    let to_ben = Finished { asker: Some(ben), ..finished(&[], "b") };
    let private = NewPart { to: Target::User(ADA), ..part(1, "y") };
    bench.mailbox.answer(to_ben, vec![part(0, "z"), private]).await.unwrap();
    let private = Event {
        account: ACCOUNT.to_owned(),
        conversation: format!("agent:main:discord:direct:{ADA}"),
        user: None,
        kind: EventKind::TurnStarted,
        detail: json!({}),
    };
    let bens =
        Event { conversation: format!("agent:main:discord:direct:{ben}"), ..private.clone() };
    for event in [private, bens.clone()] {
        bench.mailbox.event(event).await.unwrap();
    }
    for user in [ADA, ben] {
        bench.mailbox.save_binding(ACCOUNT, Target::User(user), "{}".to_owned()).await.unwrap();
    }
    let mut pairings = Pairings::open(&bench.path()).await.unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    for (account, user, secs) in [(ACCOUNT, ADA, 1), ("other", ADA, 2), (ACCOUNT, ben, 3)] {
        pairings.ask(account, user, at(secs), &mut rng).await.unwrap();
    }
    let code = pairings.pending(at(3)).await.unwrap()[0].code.clone();
    pairings.approve(ACCOUNT, &code, at(4)).await.unwrap();
    assert_eq!(
        bench.mailbox.forget_user(ADA).await.unwrap(),
        Forgotten { messages: 2, parts: 2, turns: 2, events: 4, pairings: 2, bindings: 1 }
    );
    assert!(!pairings.is_paired(ACCOUNT, ADA).await.unwrap());
    let waiting = pairings.pending(at(4)).await.unwrap();
    assert_eq!(waiting.iter().map(|it| it.user).collect::<Vec<_>>(), [ben]);
    pairings.close().await;
    let bound = bench.mailbox.bindings(ACCOUNT).await.unwrap();
    assert_eq!(bound, [(Target::User(ben), "{}".to_owned())]);
    let told = bench.mailbox.events(ACCOUNT, &bens.conversation, 0, 9).await.unwrap();
    assert_eq!(told.len(), 1, "another's stays");
    assert_eq!(bench.open().await, [2]);
    let left = bench.mailbox.undelivered(ACCOUNT).await.unwrap();
    assert_eq!(left.iter().map(|part| part.message.body.as_str()).collect::<Vec<_>>(), ["z"]);
    assert_eq!(bench.log().await.len(), 1);
    assert_eq!(store.window(&session()).await.unwrap().messages().len(), 2, "nor in memory");
    assert_eq!(store.search(&session(), "secret", 9).await.unwrap(), []);
    assert_eq!(bench.mailbox.forget_user(ADA).await.unwrap(), Forgotten::default());
    store.close().await;
    bench.mailbox.close().await;
    let bytes = std::fs::read(bench.path()).unwrap();
    let holds = |word: &[u8]| bytes.windows(word.len()).any(|it| it.eq_ignore_ascii_case(word));
    assert!(!holds(b"secret") && holds(b"mine"), "nor in what the file no longer uses");
    bench.reopen().await;
    // Another one is forgotten who spent something in the same hour: what was paid stays paid.
    bench.mailbox.forget_user(ben).await.unwrap();
    let mut spendings = Spendings::open(&bench.path()).await.unwrap();
    let users = spendings.by(UsageBy::User, Day::new(0)).await.unwrap();
    let users: Vec<_> = users.iter().map(|row| (&*row.of, row.turns, row.spent)).collect();
    assert_eq!(users, [("", 2, Spent { nano_dollars: 14, ..Spent::default() })]);
    spendings.close().await;
}

#[tokio::test]
async fn sums_of_what_was_spent_have_their_time() {
    let bench = Bench::start().await;
    let store = Store::open(&bench.path(), 1_000).await.unwrap();
    let hour = 3_600;
    for hours in [0, 1, 2] {
        store.record(&session(), exchange(ADA, "hi", "Yes.", at(hours * hour))).await.unwrap();
    }
    let keep = Retention { spending_for: Duration::from_secs(3_600), ..all() };
    for (now, spending) in [(hour, 0), (2 * hour, 1), (3 * hour - 1, 0), (3 * hour, 1)] {
        let swept = bench.mailbox.sweep(at(now), &keep).await.unwrap();
        assert_eq!(swept, Swept { spending, ..Swept::default() }, "{now}");
    }
    store.close().await;
}

#[tokio::test]
async fn what_was_put_away_can_be_deleted_and_its_room_is_given_back() {
    let bench = Bench::start().await;
    let store = Store::open(&bench.path(), 100_000).await.unwrap();
    let key = |number| SessionKey::channel("main", ChannelId::new(number));
    let said = "swordfish ".repeat(2_000);
    for (number, secs) in [(1, 10), (2, 20), (3, 30), (4, 900)] {
        store.record(&key(number), exchange(ADA, &said, "Yes.", at(secs))).await.unwrap();
    }
    let keep = Retention { sessions_for: Duration::from_secs(500), ..all() };
    bench.mailbox.sweep(at(600), &keep).await.unwrap();
    let away = bench.mailbox.put_away(at(700), 9).await.unwrap();
    let ages: Vec<u64> = away.iter().map(|it| it.age.as_secs()).collect();
    assert_eq!(ages, [100, 100, 100]);
    // The words twice, and two lines.
    assert!(away.iter().all(|it| (40_000..42_000).contains(&it.bytes)), "{away:?}");
    assert_eq!(bench.mailbox.put_away(at(700), 2).await.unwrap(), away[..2]);
    // Somebody speaks again while it is chosen.
    bench.mailbox.note_route(&key(2), ACCOUNT, CHANNEL).await.unwrap();
    let before = bench.mailbox.live_bytes().await.unwrap();
    let ids = away.iter().map(|it| it.id).collect();
    assert_eq!(bench.mailbox.delete_put_away(ids).await.unwrap(), 2);
    let after = bench.mailbox.live_bytes().await.unwrap();
    assert!(after + 20_000 < before, "{before} {after}");
    let found = async |number| store.search(&key(number), "swordfish", 9).await.unwrap().len();
    for (number, left) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
        assert_eq!(found(number).await, left, "{number}");
    }
    assert_eq!(bench.mailbox.put_away(at(700), 9).await.unwrap(), []);
    store.record(&key(1), exchange(ADA, "anew", "Yes.", at(950))).await.unwrap();
    assert_eq!(store.window(&key(1)).await.unwrap().messages().len(), 2);
    store.close().await;
    bench.mailbox.close().await;
    let on_disk = std::fs::metadata(bench.path()).unwrap().len();
    assert!(on_disk < before, "the file has become smaller: {before} {on_disk}");
}
