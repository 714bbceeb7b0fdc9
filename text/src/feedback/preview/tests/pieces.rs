//! Block streaming: the answer in messages of their own.

use clawvoice_config::HumanDelay;

use super::*;

const PIECES: &str =
    "block: { enabled: true, coalesce: { minChars: 10, maxChars: 40, idleMs: 1000 } }";

fn turn() -> Turn {
    Turn::new(&format!("mode: 'partial', {PIECES}"))
}

#[test]
fn pieces_are_sent_when_it_is_quiet_and_the_final_is_the_rest() {
    let mut turn = turn();
    turn.text(0, "The first ");
    turn.text(500, "piece.");
    turn.until(1499);
    assert_eq!(turn.log(), [""; 0]);
    turn.until(1500);
    assert_eq!(turn.log(), ["send: The first piece."]);
    turn.text(2000, "\n\nTiny");
    turn.until(9000);
    assert_eq!(turn.log(), [""; 0], "too small to be sent");
    turn.done(9000, plain("The first piece.\n\nTiny end."));
    assert_eq!(turn.log(), ["final: Tiny end."]);
    assert_eq!(turn.room(), ["The first piece.", "Tiny end."]);
}

#[test]
fn an_answer_that_was_sent_is_not_sent_again() {
    let mut turn = turn();
    turn.text(0, "All of the answer.");
    turn.done(5000, plain("All of the answer."));
    assert_eq!(turn.log(), ["send: All of the answer.", "final is sent"]);
    assert!(turn.preview.is_over());
}

#[test]
fn files_are_sent_though_there_is_no_text_left() {
    let mut turn = turn();
    turn.text(0, "All of the answer.");
    turn.done(5000, FinalAnswer { has_media: true, ..plain("All of the answer.") });
    assert_eq!(turn.log(), ["send: All of the answer.", "final: "]);
}

#[test]
fn what_is_long_is_cut_at_once_and_a_tool_or_another_message_sends_the_rest() {
    let mut turn = turn();
    turn.text(0, "A paragraph.\n\nAnother one, that is too long.");
    turn.text(10, " End");
    turn.tool(20, "read", "a");
    turn.text(30, "Next");
    turn.message_end(40);
    turn.text(50, "Last");
    turn.done(60, plain("A paragraph.\n\nAnother one, that is too long. End\n\nNext\n\nLast"));
    assert_eq!(
        turn.log(),
        [
            "send: A paragraph.",
            "send: Another one, that is too long. End",
            "send: Next",
            "final: Last"
        ]
    );
}

#[test]
fn a_message_that_is_complete_is_sent_when_it_is_quiet_however_small() {
    let mut turn = turn();
    turn.text(0, "Tiny");
    turn.message_end(500);
    turn.until(1500);
    assert_eq!(turn.log(), ["send: Tiny"]);
}

#[test]
fn a_piece_that_fails_goes_with_the_final() {
    let mut turn = turn();
    turn.text(0, "The first piece.");
    turn.until(2000);
    turn.fails.push("send");
    turn.text(2000, " The second piece.");
    turn.until(4000);
    turn.text(4000, " The third piece.");
    turn.until(9000);
    turn.log();
    turn.done(9000, plain("The first piece. The second piece. The third piece."));
    assert_eq!(turn.log(), ["final:  The second piece. The third piece."]);
}

#[test]
fn the_final_waits_for_the_piece_that_is_being_sent() {
    let mut turn = turn();
    turn.holds = true;
    turn.text(0, "The first piece.");
    turn.until(1000);
    turn.done(2000, plain("The first piece. The end."));
    turn.until(60_000);
    assert_eq!(turn.log(), ["send: The first piece."]);
    turn.release();
    assert_eq!(turn.log(), ["final:  The end."]);
}

#[test]
fn a_block_of_code_is_closed_and_opened_again() {
    let mut turn = turn();
    let code = "```rs\nlet first = 1;\nlet second = 2;\nlet third = 3;\n```";
    turn.text(0, code);
    turn.done(10, plain(code));
    assert_eq!(
        turn.log(),
        ["send: ```rs\nlet first = 1;\nlet second = 2;\n```", "final: ```rs\nlet third = 3;\n```"]
    );
}

#[test]
fn another_final_than_what_was_written_is_sent_whole() {
    let mut turn = turn();
    turn.text(0, "The first piece.");
    turn.until(2000);
    turn.done(3000, FinalAnswer { is_error: true, ..plain("It broke.") });
    assert_eq!(turn.log(), ["send: The first piece.", "final: It broke."]);
}

#[test]
fn the_word_for_silence_is_never_sent() {
    let mut turn = turn();
    turn.text(0, "I look into it.");
    turn.tool(10, "read", "a");
    turn.text(20, "\n\nNO_REPLY");
    turn.message_end(30);
    turn.until(60_000);
    assert_eq!(turn.log(), ["send: I look into it."]);
}

/// `humanDelay`: whoever writes several messages pauses between them.
#[test]
fn pieces_and_the_rest_wait_for_the_pause_after_the_last_one() {
    let pause = Duration::from_millis(3_000);
    let mut turn = turn();
    turn.preview = turn.preview.paced(Pace::new(HumanDelay { min: pause, max: pause }, 1));
    turn.text(0, "The first piece.");
    turn.until(1000);
    assert_eq!(turn.log(), ["send: The first piece."]);
    turn.text(1100, "\n\nThe second piece.");
    turn.until(3999);
    assert_eq!(turn.log(), [""; 0]);
    turn.until(4000);
    assert_eq!(turn.log(), ["send: The second piece."]);
    turn.text(4100, "\n\nEnd.");
    turn.done(4200, plain("The first piece.\n\nThe second piece.\n\nEnd."));
    turn.until(6999);
    assert_eq!(turn.log(), [""; 0]);
    turn.until(7000);
    assert_eq!(turn.log(), ["final: End."]);
}
