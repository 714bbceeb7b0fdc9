use clawvoice_session::UserId;
use proptest::prelude::*;

use super::*;

fn channel(id: u64) -> ChannelId {
    ChannelId::new(id)
}

fn message(id: u64) -> MessageId {
    MessageId::new(id)
}

fn entry(id: u64) -> Entry {
    Entry {
        message: message(id),
        sender: UserId::new(7),
        plural: None,
        label: "Ada".to_owned(),
        body: "hello".to_owned(),
        attachments: Vec::new(),
    }
}

fn peek(pending: &mut Pending, of: u64, limit: usize) -> Vec<u64> {
    let entries = pending.peek(channel(of), limit, &[]);
    entries.iter().map(|entry| entry.message.get()).collect()
}

#[test]
fn the_newest_are_kept_in_order() {
    let mut pending = Pending::default();
    for id in [1, 3, 2, 5, 4, 3] {
        pending.push(channel(1), 3, entry(id));
    }
    pending.push(channel(2), 0, entry(9));
    assert_eq!(peek(&mut pending, 1, 3), [3, 4, 5]);
    assert_eq!(peek(&mut pending, 1, 2), [4, 5]);
    assert_eq!(peek(&mut pending, 1, 0), [] as [u64; 0]);
    assert_eq!(peek(&mut pending, 2, 5), [] as [u64; 0]);
}

/// Scenario 31 of the text scenarios, the window's part: included once, after an answer only what
/// came later; a turn that fails shows it again.
#[test]
fn what_was_answered_is_not_shown_again() {
    let mut pending = Pending::default();
    pending.push(channel(1), 20, entry(1));
    pending.push(channel(1), 20, entry(2));
    assert_eq!(peek(&mut pending, 1, 20), [1, 2]);
    // Its turn failed; meanwhile somebody wrote.
    pending.push(channel(1), 20, entry(4));
    assert_eq!(peek(&mut pending, 1, 20), [1, 2, 4]);
    pending.push(channel(1), 20, entry(5));
    pending.clear(channel(1), message(4));
    assert_eq!(peek(&mut pending, 1, 20), [5]);
}

#[test]
fn what_the_transcript_holds_is_left_out() {
    let mut pending = Pending::default();
    (1..=4).for_each(|id| pending.push(channel(1), 20, entry(id)));
    let replayed = [message(2), message(4)];
    let shown = pending.peek(channel(1), 20, &replayed);
    assert_eq!(shown, [entry(1), entry(3)]);
    pending.remove(channel(1), &[message(1)]);
    assert_eq!(peek(&mut pending, 1, 20), [3]);
}

#[test]
fn rest_is_asked_once_and_brings_nothing_back() {
    let mut pending = Pending::default();
    assert!(pending.needs_refill(channel(1)));
    pending.push(channel(1), 3, entry(9));
    assert!(pending.needs_refill(channel(1)));
    pending.clear(channel(1), message(5));
    pending.refill(channel(1), 3, [4, 5, 6, 7, 8].map(entry).into());
    assert!(!pending.needs_refill(channel(1)));
    assert_eq!(peek(&mut pending, 1, 3), [7, 8, 9]);
    pending.forget(channel(1));
    assert!(pending.needs_refill(channel(1)));
}

#[test]
fn the_channel_that_was_longest_not_used_is_forgotten() {
    let mut pending = Pending::default();
    for id in 1..=1_000 {
        pending.push(channel(id), 20, entry(id));
    }
    assert_eq!(peek(&mut pending, 1, 20), [1]);
    pending.push(channel(1_001), 20, entry(1));
    assert_eq!(peek(&mut pending, 2, 20), [] as [u64; 0]);
    assert_eq!(peek(&mut pending, 1, 20), [1]);
    assert_eq!(peek(&mut pending, 3, 20), [3]);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push(u64, u64),
    Peek(u64),
    Clear(u64, u64),
    Remove(u64, u64),
    Forget(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (of, id) = (1u64..6, 1u64..40);
    prop_oneof![
        6 => (of.clone(), id.clone()).prop_map(|(of, id)| Step::Push(of, id)),
        2 => of.clone().prop_map(Step::Peek),
        1 => (of.clone(), id.clone()).prop_map(|(of, id)| Step::Clear(of, id)),
        1 => (of.clone(), id).prop_map(|(of, id)| Step::Remove(of, id)),
        1 => of.prop_map(Step::Forget),
    ]
}

proptest! {
    /// Never too many channels, messages or bytes; in order; nothing that was answered.
    #[test]
    fn the_window_keeps_its_promises(steps in prop::collection::vec(step(), 1..80)) {
        let bytes = entry(1).bytes() * 7;
        let mut pending = Pending::with_limits(3, bytes);
        for step in steps {
            match step {
                Step::Push(of, id) => {
                    pending.push(channel(of), 4, entry(id));
                    prop_assert!(peek(&mut pending, of, 4).len() <= 4);
                }
                Step::Peek(of) => {
                    let shown = peek(&mut pending, of, 9);
                    prop_assert!(shown.is_sorted_by(|earlier, later| earlier < later));
                }
                Step::Clear(of, id) => {
                    pending.clear(channel(of), message(id));
                    prop_assert!(peek(&mut pending, of, 9).iter().all(|left| *left > id));
                }
                Step::Remove(of, id) => {
                    pending.remove(channel(of), &[message(id)]);
                    prop_assert!(!peek(&mut pending, of, 9).contains(&id));
                }
                Step::Forget(of) => {
                    pending.forget(channel(of));
                    prop_assert!(pending.needs_refill(channel(of)));
                }
            }
            let held: usize = pending.windows.values().map(Window::bytes).sum();
            prop_assert_eq!(held, pending.bytes);
            prop_assert!(held <= bytes && pending.windows.len() <= 3);
            prop_assert_eq!(pending.order.len(), pending.windows.len());
        }
    }
}
