use super::*;

const WINDOW: Duration = Duration::from_millis(2_000);

fn at(ms: u64) -> SessionTime {
    SessionTime::from_millis(ms)
}

fn message(id: u64, author: u64, content: &str, rest: &str) -> Message {
    let json = format!(
        r#"{{"id":"{id}","channel_id":"6","author":{{"id":"{author}","username":"u"}},
        "content":"{content}"{rest}}}"#
    );
    Message::read(&json).unwrap()
}

fn machine() -> Debounce {
    Debounce::new(WINDOW, UserId::new(1))
}

/// Texts and ids of what is ready.
fn ready(debounce: &mut Debounce) -> Vec<(String, Vec<u64>)> {
    std::iter::from_fn(|| debounce.poll_output())
        .map(|batch| (batch.message.content, batch.ids.iter().map(|id| id.get()).collect()))
        .collect()
}

/// Scenario 4 of the text scenarios.
#[test]
fn what_somebody_writes_at_a_time_is_one_question() {
    let mut debounce = machine();
    debounce.handle_message(at(0), message(1, 7, "first", ""));
    debounce.handle_message(at(1_500), message(2, 8, "another's", ""));
    debounce.handle_message(at(1_900), message(3, 7, "second", ""));
    assert_eq!(debounce.poll_timeout(), Some(at(3_500)));
    debounce.handle_timeout(at(3_499));
    assert_eq!(ready(&mut debounce), []);
    debounce.handle_timeout(at(3_900));
    let expected = [("another's".to_owned(), vec![2]), ("first\nsecond".to_owned(), vec![1, 3])];
    assert_eq!(ready(&mut debounce), expected);
    assert_eq!(debounce.poll_timeout(), None);
}

#[test]
fn the_last_is_the_base_and_what_the_others_said_is_kept() {
    let mut debounce = machine();
    let reply = r#","message_reference":{"message_id":"4"},"mentions":[{"id":"20"}],
        "referenced_message":{"id":"4","channel_id":"6","author":{"id":"1"}}"#;
    let other = r#","message_reference":{"message_id":"5"},"mentions":[{"id":"20"},{"id":"21"}]"#;
    let last = r#","mention_roles":["80"],"mention_everyone":false"#;
    debounce.handle_message(at(0), message(1, 7, "a", r#","mention_everyone":true"#));
    debounce.handle_message(at(0), message(2, 7, "b", reply));
    debounce.handle_message(at(0), message(3, 7, "c", other));
    debounce.handle_message(at(0), message(9, 7, "d", last));
    debounce.handle_timeout(at(2_000));
    let batch = debounce.poll_output().unwrap();
    let message = &batch.message;
    assert!(batch.ids.len() > 1 && message.mention_everyone);
    assert_eq!((message.id.get(), message.content.as_str()), (9, "a\nb\nc\nd"));
    let mut mentioned: Vec<u64> = message.mentions.iter().map(|user| user.id.get()).collect();
    mentioned.sort_unstable();
    assert_eq!((mentioned, message.mention_roles.len()), (vec![20, 21], 1));
    let answers = message.reference.as_ref().and_then(|it| it.message).map(MessageId::get);
    assert_eq!((answers, message.referenced.as_ref().map(|it| it.id.get())), (Some(4), Some(4)));
}

#[test]
fn files_stickers_and_commands_go_on_at_once_after_what_was_written_before() {
    for (content, rest) in [
        ("look", r#","attachments":[{"filename":"a.png"}]"#),
        ("look", r#","sticker_items":[{"name":"wave"}]"#),
        ("look", r#","message_snapshots":[{"message":{"content":"x"}}]"#),
        ("", ""),
        ("/reset", ""),
        ("<@1> /reset", ""),
        ("joined", r#","type":7"#),
    ] {
        let mut debounce = machine();
        debounce.handle_message(at(0), message(1, 7, "first", ""));
        debounce.handle_message(at(0), message(2, 8, "another's", ""));
        debounce.handle_message(at(1), message(3, 7, content, rest));
        let expected = [("first".to_owned(), vec![1]), (content.to_owned(), vec![3])];
        assert_eq!(ready(&mut debounce), expected, "{content} {rest}");
        assert_eq!(debounce.poll_timeout(), Some(at(2_000)), "another's still waits");
    }
}

#[test]
fn without_a_window_nothing_waits() {
    let mut debounce = machine();
    debounce.handle_message(at(0), message(1, 7, "a", ""));
    debounce.set_window(Duration::ZERO);
    debounce.handle_message(at(1), message(2, 7, "b", ""));
    assert_eq!(ready(&mut debounce), [("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])]);
}

#[test]
fn people_behind_one_webhook_are_told_apart() {
    let mut debounce = machine();
    let webhook = r#","webhook_id":"7""#;
    let mut ben = message(2, 7, "b", webhook);
    ben.author.username = "Ben".to_owned();
    debounce.handle_message(at(0), message(1, 7, "a", webhook));
    debounce.handle_message(at(0), ben);
    debounce.handle_timeout(at(2_000));
    let mut asked = ready(&mut debounce);
    asked.sort();
    assert_eq!(asked, [("a".to_owned(), vec![1]), ("b".to_owned(), vec![2])]);
}

#[test]
fn nothing_waits_without_bound() {
    let mut debounce = machine();
    for id in 1..=MOST_JOINED {
        debounce.handle_message(at(id as u64), message(id as u64, 7, "a", ""));
    }
    assert_eq!(ready(&mut debounce).len(), 1, "a talker is interrupted");
    for author in 0..=MOST_AUTHORS {
        debounce.handle_message(at(60), message(1, 100 + author as u64, "a", ""));
    }
    assert_eq!(debounce.waiting.len(), MOST_AUTHORS);
    assert_eq!(ready(&mut debounce).len(), 1);
}

proptest::proptest! {
    /// Every message comes out once, an author's in order, and none waits longer than the window
    /// after the author's last.
    #[test]
    fn nothing_is_lost(steps in proptest::collection::vec((0_u64..3, 0_u64..3_000, 0_u8..5), 1..60)) {
        let mut debounce = machine();
        let (mut now, mut out) = (0, Vec::new());
        for (id, (author, pause, kind)) in steps.iter().enumerate() {
            now += pause;
            let content = if *kind == 0 { "/reset" } else { "text" };
            debounce.handle_message(at(now), message(1 + id as u64, 10 + author, content, ""));
            proptest::prop_assert!(debounce.poll_timeout().is_none_or(|due| due > at(now)));
            out.extend(ready(&mut debounce));
        }
        debounce.handle_timeout(at(now + 2_000));
        out.extend(ready(&mut debounce));
        let ids: Vec<u64> = out.into_iter().flat_map(|(_, ids)| ids).collect();
        let of = |author: u64| -> Vec<u64> {
            ids.iter().copied().filter(|id| steps[*id as usize - 1].0 == author).collect()
        };
        proptest::prop_assert_eq!(ids.len(), steps.len());
        for author in 0..3 {
            proptest::prop_assert!(of(author).is_sorted());
        }
    }
}
