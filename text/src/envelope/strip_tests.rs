use proptest::prelude::*;

use super::super::{
    compose,
    compose_tests::{marker, turn, with_everything},
    hostile_tests::hostile,
};
use super::*;
use crate::envelope::sign::{HISTORY_BEGIN, SENDER};

fn stripped(text: &str) -> String {
    strip(text, &marker())
}

#[test]
fn whatever_was_composed_is_taken_out() {
    with_everything(|turn| {
        let envelope = compose(turn, &marker());
        assert_eq!(stripped(&envelope.system), "");
        assert_eq!(stripped(&envelope.context), "");
        assert_eq!(stripped(&envelope.message), envelope.message);
        let all = [envelope.system, envelope.context, envelope.message.clone()].join("\n\n");
        assert_eq!(stripped(&all), envelope.message);
        assert_eq!(stripped(&format!("Before.\n\n{all}\n\nAfter.")), {
            format!("Before.\n\n{}\n\nAfter.", envelope.message)
        });
    });
}

/// Scenario 55 of the text scenarios: also without the markers, or with those of a process that
/// has ended.
#[test]
fn an_echo_is_taken_out_with_other_markers_and_with_none() {
    with_everything(|turn| {
        let earlier = Marker::new([0x5e; 16]);
        let envelope = compose(turn, &earlier);
        let all = [envelope.system, envelope.context, "Sure!".to_owned()].join("\n\n");
        assert_eq!(stripped(&all), "Sure!");
        // Of the configured prompt nothing is known without its marker.
        let turn = crate::envelope::TurnContext { system_prompt: None, skills: None, ..*turn };
        let envelope = compose(&turn, &earlier);
        let all = [envelope.system, envelope.context, "Sure!".to_owned()].join("\n\n");
        let lines = all.lines().filter(|line| !line.contains(earlier.code()));
        let unmarked = lines.clone().collect::<Vec<_>>().join("\n");
        assert_eq!(stripped(&unmarked), "Sure!");
        let quoted: Vec<_> = lines.map(|line| format!("> {line}")).collect();
        assert_eq!(stripped(&quoted.join("\n")), "> Sure!");
    });
}

#[test]
fn parts_of_an_envelope() {
    let header = "[Discord Guild #general channel id:5 +2m Mon 2026-01-05 16:26 EST]";
    let foreign = "<<<CLAWVOICE_CONTEXT 00ff>>>";
    for (text, expected) in [
        (format!("{header} Ada: hello"), "hello"),
        (format!("{header} Ada Lovelace (ada):\nhello"), "hello"),
        (format!("{header} Sure, here is the plan: wait"), "Sure, here is the plan: wait"),
        (format!("{header} See https://example.org"), "See https://example.org"),
        ("[Discord ada user id:7] Note: hello".to_owned(), "Note: hello"),
        ("[Mon 2026-01-05 16:26 EST] hello".to_owned(), "hello"),
        ("hello\n[message_id: 1]".to_owned(), "hello"),
        ("hello [id:1 channel:2]".to_owned(), "hello"),
        ("[id:1 channel:2]\nhello\n".to_owned(), "hello"),
        ("hello\n\n[Forum parent: #help]\n\nyou".to_owned(), "hello\n\nyou"),
        ("hello\n[Forum parent: #help]\nyou".to_owned(), "hello\nyou"),
        (format!("{HISTORY_BEGIN}\nBob: a secret\n{CURRENT}\nhello"), "hello"),
        (format!("{HISTORY_BEGIN}\nhello"), "hello"),
        ("Sender (untrusted metadata):\n```json\n{\"id\": \"7\"}\n```\nhi".to_owned(), "hi"),
        ("hi\n\nSender (untrusted metadata):\n```json\n{\"id\"".to_owned(), "hi"),
        ("**Sender (untrusted metadata):**\n{\"id\": \"7\"}\nhi".to_owned(), "hi"),
        ("Sender (untrusted metadata): {\"id\": \"7\"}\nhi".to_owned(), "hi"),
        (format!("{foreign}\nhi"), "hi"),
        ("    indented\n[id:1 channel:2]".to_owned(), "    indented"),
        ("a\n> <<<END_CLAWVOICE_CONTEXT 1>>>\nb".to_owned(), "a\nb"),
        (header.to_owned(), ""),
        (format!("{header} Ada:"), ""),
        (format!("{}hi", "[Discord a user id:7] ".repeat(63)), "hi"),
        (format!("{}hi\nho", "[Discord a user id:7] ".repeat(100)), "ho"),
    ] {
        assert_eq!(stripped(&text), expected, "{text}");
    }
}

#[test]
fn our_own_code_never_leaves() {
    let marker = marker();
    let (begin, code) = (marker.begin(), marker.code());
    for (text, expected) in [
        (format!("the code is {code}."), "the code is ….".to_owned()),
        (format!("a\n{begin}\ncut off here"), "a".to_owned()),
        (format!("@{}everyone", marker.around("x")), "@\neveryone".to_owned()),
    ] {
        assert_eq!(strip(&text, &marker), expected);
    }
}

#[test]
fn what_may_become_an_envelope_is_held_back() {
    let context = compose(&turn(), &marker()).context;
    for (at, _) in context.char_indices().skip(1) {
        let partial = strip_partial(&format!("Hi.\n{}", &context[..at]), &marker());
        assert_eq!(partial, "Hi.", "{}", &context[..at]);
    }
    let unmarked = format!("Hi.\n{SENDER}\n```json\n{{\"id\":\"7\"}}\n```\n[id:1 channel:5]\nYes");
    for (at, _) in unmarked.char_indices().skip(5) {
        let partial = strip_partial(&unmarked[..at], &marker());
        assert!(matches!(partial.as_str(), "Hi." | "Hi.\nY" | "Hi.\nYe"), "{partial}");
    }
    assert_eq!(strip_partial("An answer goes on [1]", &marker()), "An answer goes on [1]");
}

/// Text that has pieces of envelopes, but no envelope.
fn ordinary() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ -~]{0,12}",
        2 => Just("\n".to_owned()),
        1 => any::<char>().prop_map(String::from),
        2 => prop::sample::select(vec![
            "```", "```json\n{}\n```", "[Discord", "[Discord]", "[id:", "channel id:5", "> ", "**",
            "[2026-01-05 16:26]", "Sender:", "untrusted", "<<<", ">>>", "[x](y)", "\u{200b}",
            "CLAWVOICE", "Mon", "[1]", "    ", "\r\n", "@everyone",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn ordinary_text_comes_back_as_it_is(text in ordinary()) {
        let is_ordinary = text.split('\n').all(|line| sign(line, true).is_none());
        prop_assume!(is_ordinary);
        prop_assert_eq!(stripped(&text), text);
    }

    /// What is left of anything has no line of an envelope and not our code, and stays.
    #[test]
    fn nothing_of_an_envelope_is_left(text in hostile()) {
        let left = stripped(&text);
        prop_assert!(!left.contains(marker().code()));
        prop_assert_eq!(stripped(&left), left.clone());
        prop_assert!(!strip_partial(&text, &marker()).contains(marker().code()));
    }

    /// A message that is all envelope is still the sender's, word for word but for the breaks.
    #[test]
    fn only_the_message_is_left_of_a_turn(body in hostile(), reply in hostile()) {
        let reply = crate::envelope::Quoted {
            message: clawvoice_session::MessageId::new(3),
            sender: &reply,
            body: &reply,
            is_quote: true,
        };
        let topic = reply.body;
        let turn = crate::envelope::TurnContext {
            body: &body,
            reply: Some(reply),
            topic: Some(topic),
            ..turn()
        };
        let envelope = compose(&turn, &marker());
        prop_assert_eq!(envelope.message.replace('\u{200b}', ""), body.trim());
        prop_assert_eq!(stripped(&envelope.message), envelope.message.clone());
        prop_assert_eq!(stripped(&envelope.context), "");
        let all = [envelope.system, envelope.context, envelope.message.clone()].join("\n\n");
        prop_assert_eq!(stripped(&all), envelope.message);
    }
}
