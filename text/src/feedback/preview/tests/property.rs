//! Whatever happens to a turn, its answer is read, whole and in order.

use proptest::prelude::*;

use super::*;
use crate::feedback::preview::measure::utf16_len;

#[derive(Clone, Debug)]
enum Step {
    Text(String),
    Tool,
    MessageEnd,
    Wait(u64),
    Fail(&'static str),
    Hold,
    Release,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => "[a-c🦞 .\n`]{1,60}".prop_map(Step::Text),
        1 => Just(Step::Text("NO_REPLY".to_owned())),
        1 => Just(Step::Tool),
        1 => Just(Step::MessageEnd),
        4 => (1_u64..3000).prop_map(Step::Wait),
        1 => prop::sample::select(vec!["post", "edit", "send", "delete"]).prop_map(Step::Fail),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
    ]
}

fn words(text: &str) -> String {
    text.chars().filter(|char| !char.is_whitespace()).collect()
}

fn play(turn: &mut Turn, steps: Vec<Step>) -> String {
    let mut whole = String::new();
    let mut now = 0;
    for step in steps {
        match step {
            Step::Text(piece) => {
                whole.push_str(&piece);
                turn.text(now, &piece);
            }
            Step::Tool => turn.tool(now, "read", "a"),
            Step::MessageEnd => turn.message_end(now),
            Step::Wait(millis) => {
                now += millis;
                turn.until(now);
            }
            Step::Fail(kind) => turn.fails.push(kind),
            Step::Hold => turn.holds = true,
            Step::Release => turn.release(),
        }
    }
    turn.fails.clear();
    turn.done(now, plain(&whole));
    turn.until(now + 10_000);
    turn.release();
    whole
}

proptest! {
    #[test]
    fn the_answer_is_read_once_and_no_draft_stays(
        mode in prop::sample::select(vec!["off", "partial", "block", "progress"]),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let chunk = "preview: { chunk: { minChars: 20, maxChars: 60 } }";
        let mut turn = Turn::new(&format!("mode: '{mode}', {chunk}"));
        let whole = play(&mut turn, steps);
        prop_assert!(turn.preview.is_over());
        let shown = whole.trim_end();
        if shown.is_empty() {
            prop_assert!(turn.room.is_empty());
        } else {
            prop_assert_eq!(turn.room().len(), 1);
            prop_assert_eq!(turn.room()[0].trim(), shown.trim());
        }
        for line in turn.log() {
            let text = line.split_once(": ").map_or("", |(_, text)| text);
            prop_assert!(line.starts_with("final") || utf16_len(text) <= 2000);
        }
    }

    #[test]
    fn pieces_and_the_rest_are_the_answer(steps in prop::collection::vec(step(), 0..40)) {
        let mut turn = Turn::new(
            "block: { enabled: true, coalesce: { minChars: 10, maxChars: 40, idleMs: 500 } }",
        );
        let steps = steps.into_iter().map(|step| match step {
            // What closes and opens blocks of code would be in the way of comparing.
            Step::Text(text) => Step::Text(text.replace('`', "a")),
            step => step,
        });
        let whole = play(&mut turn, steps.collect());
        prop_assert!(turn.preview.is_over());
        prop_assert_eq!(words(&turn.room().concat()), words(&whole));
    }

    #[test]
    fn previews_are_far_enough_apart_and_never_the_same(
        steps in prop::collection::vec((0_u64..900, "[a-c ]{0,20}"), 0..60),
    ) {
        let mut preview = Preview::new(&streaming("mode: 'partial'"), 2000, GATE, 0);
        let (mut now, mut last) = (at(0), None);
        let mut shown = String::new();
        for (wait, piece) in steps {
            now += Duration::from_millis(wait);
            preview.handle_text(now, &piece);
            if let Some(output) = preview.poll_output(now) {
                prop_assert!(last.is_none_or(|last| now.since(last) >= drafts::THROTTLE));
                last = Some(now);
                let text = match output {
                    PreviewOutput::Post { text } => {
                        preview.handle_sent(Ok(MessageId::new(1)));
                        text
                    }
                    PreviewOutput::Edit { text, .. } => {
                        preview.handle_edited(Ok(()));
                        text
                    }
                    other => panic!("{other:?}"),
                };
                prop_assert!(text.len() > shown.len());
                shown = text;
            }
            prop_assert_eq!(preview.poll_output(now), None);
        }
    }
}
