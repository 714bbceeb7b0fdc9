//! What the modes show.

use super::*;

#[test]
fn off_shows_the_final_alone() {
    let mut turn = Turn::new("mode: 'off'");
    turn.text(0, THIRTY);
    turn.tool(1000, "read", "a");
    turn.done(9000, plain("Done."));
    assert_eq!(turn.log(), ["final: Done."]);
}

#[test]
fn partial_begins_with_thirty_characters_and_grows() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.text(0, &THIRTY[..29]);
    assert_eq!(turn.log(), [""; 0]);
    turn.text(100, &THIRTY[29..]);
    turn.text(200, ", two");
    turn.text(300, ", three");
    turn.until(5000);
    assert_eq!(turn.log(), [format!("post: {THIRTY}"), format!("edit 1: {THIRTY}, two, three")]);
    assert_eq!(turn.preview.poll_timeout(), None);
}

#[test]
fn edits_are_one_thousand_two_hundred_milliseconds_apart() {
    let mut turn = Turn::new("mode: 'partial'");
    for step in 0..100 {
        turn.text(step * 100, "ten chars ");
    }
    turn.until(20_000);
    // The first at 300 ms, the last after the text ended at 9,900 ms.
    assert_eq!(turn.log().len(), 1 + 9);
}

#[test]
fn partial_goes_on_after_a_tool_in_the_same_message() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.text(0, THIRTY);
    turn.tool(2000, "read", "a");
    turn.text(9000, "More.");
    assert_eq!(turn.log(), [format!("post: {THIRTY}"), format!("edit 1: {THIRTY}\n\nMore.")]);
}

#[test]
fn partial_shows_tools_until_there_is_an_answer() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.tool(0, "read", "a");
    turn.until(6000);
    turn.text(7000, "Short.");
    turn.tool(9000, "read", "b");
    turn.until(20_000);
    assert_eq!(turn.log(), ["post: 📖 Read: a", "edit 1: Short."]);

    let mut turn = Turn::new("mode: 'partial', preview: { toolProgress: false }");
    turn.tool(0, "read", "a");
    turn.until(60_000);
    assert_eq!(turn.log(), [""; 0]);
}

#[test]
fn what_shrinks_is_not_shown() {
    let mut turn = Turn::new("mode: 'partial'");
    turn.text(0, &format!("{THIRTY}[[reply_to_current"));
    turn.text(2000, "]]");
    turn.until(9000);
    assert_eq!(turn.log(), [format!("post: {THIRTY}[[reply_to_current")]);
}

#[test]
fn the_word_for_silence_is_never_shown() {
    for mode in ["partial", "block", "progress"] {
        let mut turn =
            Turn::new(&format!("mode: '{mode}', preview: {{ chunk: {{ minChars: 1 }} }}"));
        for (step, piece) in ["NO", "_RE", "PLY", "\n\n"].into_iter().enumerate() {
            turn.text(u64::try_from(step).unwrap() * 2000, piece);
        }
        turn.message_end(9000);
        turn.tool(9000, "read", "a");
        turn.until(9999);
        assert_eq!(turn.log(), [""; 0], "{mode}");
    }
}

#[test]
fn block_grows_by_pieces_and_begins_anew_with_each_message() {
    let mut turn = Turn::new("mode: 'block', preview: { chunk: { minChars: 20, maxChars: 40 } }");
    turn.text(0, "First paragraph here.\n\nSecond");
    turn.text(2000, " one.\n\nThird paragraph.\n\nFo");
    turn.text(4000, "urth.");
    assert_eq!(
        turn.log(),
        [
            "post: First paragraph here.",
            "edit 1: First paragraph here.\n\nSecond one.\n\nThird paragraph."
        ]
    );
    turn.message_end(5000);
    assert_eq!(turn.log(), [""; 0], "the final may come now");
    turn.text(6000, "Another message, long enough.\n\n");
    turn.until(9000);
    assert_eq!(
        turn.log(),
        [
            "edit 1: First paragraph here.\n\nSecond one.\n\nThird paragraph.\n\nFourth.",
            "post: Another message, long enough."
        ]
    );
    turn.done(10_000, plain("All of it."));
    assert_eq!(turn.log(), ["final: All of it.", "delete 1", "delete 2"]);
    assert_eq!(turn.room(), ["All of it."]);
}

#[test]
fn block_shows_no_text_that_is_too_short_for_a_piece() {
    let mut turn = Turn::new("mode: 'block'");
    turn.text(0, "Yes.");
    turn.message_end(10);
    turn.done(20, plain("Yes."));
    assert_eq!(turn.log(), ["final: Yes."]);
}

#[test]
fn progress_shows_work_and_never_the_answer() {
    let mut turn = Turn::new("mode: 'progress'");
    turn.text(0, "Let me look at that for you, it takes a while.");
    turn.tool(1000, "read", "a.md");
    turn.tool(3000, "exec", "cargo test");
    turn.text(7000, "The answer is forty-two, as everybody knows.");
    turn.tool(7100, "web_search", "why");
    turn.done(30_000, plain("The answer."));
    assert_eq!(
        turn.log(),
        [
            "post: Working…\n📖 Read: a.md\n🛠️ Exec: cargo test",
            "edit 1: Working…\n📖 Read: a.md\n🛠️ Exec: cargo test\n🔎 Web Search: why",
            "final: The answer.",
            "delete 1"
        ]
    );
}

#[test]
fn progress_shows_nothing_of_a_quick_answer_or_of_one_without_work() {
    let mut turn = Turn::new("mode: 'progress'");
    turn.tool(0, "read", "a.md");
    turn.done(4999, plain("Quick."));
    assert_eq!(turn.log(), ["final: Quick."]);
    let mut turn = Turn::new("mode: 'progress'");
    turn.text(0, THIRTY);
    turn.until(60_000);
    turn.done(60_000, plain("Slow."));
    assert_eq!(turn.log(), ["final: Slow."]);
}

#[test]
fn commentary_and_command_texts_by_choice() {
    let mut turn =
        Turn::new("mode: 'progress', progress: { commentary: true, commandText: 'status' }");
    turn.text(0, "I look.");
    turn.tool(0, "exec", "secret");
    turn.text(1000, "NO_REPLY");
    turn.tool(2000, "read", "b");
    turn.text(3000, "The answer");
    turn.until(9000);
    assert_eq!(turn.log(), ["post: Working…\n💬 I look.\n🛠️ Exec\n📖 Read: b"]);
}

#[test]
fn a_preview_that_fails_is_the_last_and_the_final_comes() {
    for (fails, expected) in
        [("post", vec!["final: Done."]), ("edit", vec!["final: Done.", "delete 1"])]
    {
        let mut turn = Turn::new("mode: 'partial'");
        turn.fails.push(fails);
        turn.text(0, THIRTY);
        turn.text(2000, " more");
        turn.text(4000, " more");
        turn.log();
        turn.done(9000, plain("Done."));
        assert_eq!(turn.log(), expected);
        assert_eq!(turn.room(), ["Done."]);
    }
}
