//! What people write at a time, against a plain model: who wrote what is asked once, in order, and
//! not before the author was silent for the window.
#![no_main]

use std::{collections::BTreeMap, time::Duration};

use clawvoice_fuzz::Input;
use clawvoice_session::{SessionTime, UserId};
use clawvoice_text::{
    inbound::{Batch, Debounce},
    message::Message,
};

const WINDOW: Duration = Duration::from_secs(2);

/// What of each author waits, and since when the last one.
type Waiting = BTreeMap<(u64, u64), (Vec<u64>, SessionTime)>;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut debounce = Debounce::new(WINDOW, UserId::new(1));
    let (mut now, mut waiting, mut next) = (SessionTime::ZERO, Waiting::new(), 1);
    while !input.is_empty() {
        now += input.wait();
        debounce.handle_timeout(now);
        while let Some(batch) = debounce.poll_output() {
            let last = take(&mut waiting, &batch);
            assert!(last + WINDOW <= now, "it did not wait");
        }
        let (channel, author) = (u64::from(input.below(3)) + 5, u64::from(input.below(4)) + 10);
        let waits = input.flag();
        let rest = if waits { r#""content":"words""# } else { r#""content":"/new""# };
        let json = format!(
            r#"{{"id":"{next}","channel_id":"{channel}","author":{{"id":"{author}"}},{rest}}}"#
        );
        let entry = waiting.entry((channel, author)).or_insert((Vec::new(), now));
        entry.0.push(next);
        entry.1 = now;
        let full = entry.0.len() >= 50;
        debounce.handle_message(now, Message::read(&json).expect("it is a message"));
        next += 1;
        while let Some(batch) = debounce.poll_output() {
            assert!(!waits || full, "it did not wait");
            take(&mut waiting, &batch);
        }
        assert!(debounce.poll_timeout().is_none_or(|due| due > now), "time stands still");
        assert_eq!(debounce.poll_timeout().is_none(), waiting.is_empty());
    }
    debounce.handle_timeout(now + WINDOW);
    while let Some(batch) = debounce.poll_output() {
        take(&mut waiting, &batch);
    }
    assert!(waiting.is_empty(), "lost: {waiting:?}");
});

/// A batch is asked: the beginning of what its author has waiting. Gives when the last of it came.
fn take(waiting: &mut Waiting, batch: &Batch) -> SessionTime {
    let writer = (batch.message.channel.get(), batch.message.author.id.get());
    let (ids, last) = waiting.get_mut(&writer).expect("somebody wrote it");
    let asked: Vec<u64> = batch.ids.iter().map(|id| id.get()).collect();
    assert!(ids.starts_with(&asked) && !asked.is_empty(), "out of order: {asked:?} of {ids:?}");
    let last = *last;
    ids.drain(..asked.len());
    if ids.is_empty() {
        waiting.remove(&writer);
    }
    last
}
