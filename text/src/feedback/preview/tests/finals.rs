//! How the final takes the place of previews.

use clawvoice_session::ChannelId;

use super::*;
use crate::feedback::DeleteQueue;

/// Scenario 51 of the text scenarios.
#[test]
fn a_longer_final_is_complete_and_the_draft_goes_though_it_cannot_be_deleted_at_first() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.text(0, THIRTY);
    assert_eq!(turn.room(), [THIRTY]);
    let whole = format!("{THIRTY}, and then some more.");
    turn.fails.push("delete");
    turn.text(100, ", and then");
    turn.done(200, plain(&whole));
    assert_eq!(
        turn.log(),
        [&format!("post: {THIRTY}"), &format!("final: {whole}"), "delete 1", "delete 1 later"]
    );
    assert!(turn.preview.is_over());
    assert_eq!(turn.room(), [THIRTY, &whole], "the final is there before the draft goes");

    let mut queue = DeleteQueue::default();
    let room = ChannelId::new(5);
    assert_eq!(queue.submit(at(200), room, MessageId::new(1)), None);
    assert_eq!(queue.poll_output(at(30_199)), None);
    let (_, draft) = queue.poll_output(at(30_200)).unwrap();
    turn.room.remove(&draft.get());
    assert_eq!(queue.handle_deleted(at(30_200), true), None);
    assert_eq!(queue.poll_timeout(), None);
    assert_eq!(turn.room(), [whole]);
}

/// Scenario 51 of the text scenarios: an answer of several messages.
#[test]
fn a_final_that_outgrows_a_message_is_complete() {
    let mut turn = Turn::new("mode: 'partial'");
    let whole = "word ".repeat(900);
    for step in 0..90 {
        turn.text(step * 300, &whole[..50]);
    }
    assert!(turn.log().iter().all(|line| line.len() < 2050));
    turn.done(30_000, FinalAnswer { text: whole.clone(), ..FinalAnswer::default() });
    assert_eq!(turn.log(), [&format!("final: {whole}"), "delete 1"]);
    assert_eq!(turn.room(), [whole]);
}

/// Scenario 51 of the text scenarios: the draft is still being posted when the final comes.
#[test]
fn a_draft_that_comes_late_is_deleted_as_well() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.holds = true;
    turn.text(0, THIRTY);
    turn.done(100, plain("Whole."));
    assert_eq!(turn.log(), [&format!("post: {THIRTY}"), "final: Whole."], "it waits for nothing");
    turn.release();
    assert_eq!(turn.log(), ["delete 1"]);
    assert_eq!(turn.room(), ["Whole."]);
}

#[test]
fn a_draft_that_shows_all_of_it_stays() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.text(0, THIRTY);
    turn.done(5000, plain(THIRTY));
    assert_eq!(turn.log(), [&format!("post: {THIRTY}"), "final is 1"]);
    assert_eq!(turn.room(), [THIRTY]);
}

#[test]
fn whether_it_shows_all_of_it_is_waited_for_but_not_for_ever() {
    for (fails, releases, expected) in [
        (vec![], Some(1900), vec!["final is 1"]),
        (vec!["edit"], Some(1900), vec!["final: whole", "delete 1"]),
        (vec![], None, vec!["final: whole"]),
    ] {
        let mut turn = Turn::new("mode: 'partial'");
        turn.text(0, THIRTY);
        turn.text(10, " and a half");
        turn.holds = true;
        turn.until(1200);
        let whole = format!("{THIRTY} and a half");
        assert_eq!(turn.log(), [format!("post: {THIRTY}"), format!("edit 1: {whole}")]);
        turn.done(1300, plain(&whole));
        turn.fails = fails;
        assert_eq!(turn.log(), [""; 0]);
        assert_eq!(turn.preview.poll_timeout(), Some(at(3300)));
        match releases {
            Some(millis) => {
                turn.until(millis);
                turn.release();
            }
            None => turn.until(3300),
        }
        assert_eq!(
            turn.log(),
            expected.iter().map(|line| line.replace("whole", &whole)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn files_failures_and_replies_are_sent_though_a_draft_shows_the_text() {
    let with = |change: fn(&mut FinalAnswer)| {
        let mut answer = plain(THIRTY);
        change(&mut answer);
        answer
    };
    for (answer, stays) in [
        (with(|answer| answer.has_media = true), false),
        (with(|answer| answer.explicit_reply = true), false),
        (with(|answer| answer.as_one_message = None), false),
        (with(|answer| answer.is_error = true), true),
    ] {
        let mut turn = Turn::new("mode: 'partial'");
        turn.text(0, THIRTY);
        turn.text(10, " with an edit that never comes");
        turn.done(100, answer);
        turn.until(60_000);
        let mut expected = vec![format!("post: {THIRTY}"), format!("final: {THIRTY}")];
        if !stays {
            expected.push("delete 1".to_owned());
        }
        assert_eq!(turn.log(), expected);
        assert!(turn.preview.is_over());
    }
}

#[test]
fn a_final_that_fails_or_tells_of_a_failure_leaves_the_draft() {
    for (fails, is_error) in [(vec!["final"], false), (vec![], true)] {
        let mut turn = Turn::new("mode: 'progress'");
        turn.tool(0, "read", "a.md");
        turn.until(5000);
        turn.fails = fails;
        turn.done(6000, FinalAnswer { is_error, ..plain("It broke.") });
        assert_eq!(turn.log(), ["post: Working…\n📖 Read: a.md", "final: It broke."]);
        assert!(turn.preview.is_over());
        assert!(turn.room().contains(&"Working…\n📖 Read: a.md"));
    }
}

#[test]
fn silence_takes_the_draft_away() {
    let mut turn = Turn::new("mode: 'progress'");
    turn.tool(0, "read", "a.md");
    turn.done(6000, FinalAnswer::default());
    assert_eq!(turn.log(), ["post: Working…\n📖 Read: a.md", "delete 1"]);
    assert!(turn.preview.is_over());
}

#[test]
fn a_turn_that_is_stopped_leaves_nothing() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.text(0, THIRTY);
    turn.preview.handle_abort();
    turn.text(3000, "more");
    turn.done(3000, plain("late"));
    turn.until(9000);
    assert_eq!(turn.log(), [&format!("post: {THIRTY}"), "delete 1"]);
    assert!(turn.room().is_empty() && turn.preview.is_over());
}
