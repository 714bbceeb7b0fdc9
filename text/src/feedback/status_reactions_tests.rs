use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;

use super::*;

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn reactions(messages: &str) -> StatusReactions {
    let text =
        format!("{{ channels: {{ discord: {{ token: 'a.b.c' }} }}, messages: {{ {messages} }} }}");
    let env: BTreeMap<String, String> = BTreeMap::new();
    let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
    let rules = AckRules::new(&config.discord.delivery, &config.messages, &config.agent);
    StatusReactions::new(&rules, Addressed::Mentioned)
}

/// `+` what is added and `-` what is removed.
fn done(reactions: &mut StatusReactions, now: SessionTime) -> Vec<String> {
    let outputs = std::iter::from_fn(|| reactions.poll_output(now));
    outputs
        .map(|output| match output {
            StatusOutput::Add(emoji) => format!("+{emoji}"),
            StatusOutput::Remove(emoji) => format!("-{emoji}"),
        })
        .collect()
}

#[test]
fn from_seen_to_done_and_back_to_seen() {
    let mut reactions = reactions("");
    assert_eq!(done(&mut reactions, at(0)), ["+👀"]);
    reactions.handle_thinking(at(100));
    assert_eq!(done(&mut reactions, at(799)), [""; 0]);
    assert_eq!(reactions.poll_timeout(), Some(at(800)));
    assert_eq!(done(&mut reactions, at(800)), ["+🤔", "-👀"]);
    reactions.handle_tool(at(1000));
    assert_eq!(done(&mut reactions, at(1700)), ["+🔥", "-🤔"]);
    reactions.handle_over(at(2000), StatusEnd::Done);
    assert_eq!(done(&mut reactions, at(2000)), ["+👍", "-🔥"]);
    assert_eq!(done(&mut reactions, at(3499)), [""; 0]);
    assert_eq!(done(&mut reactions, at(3500)), ["+👀", "-👍"]);
    assert_eq!(reactions.poll_timeout(), None);
}

#[test]
fn what_lasts_too_short_is_not_shown() {
    let mut reactions = reactions("");
    done(&mut reactions, at(0));
    reactions.handle_thinking(at(0));
    done(&mut reactions, at(700));
    for step in 0..50 {
        let now = at(1000 + step * 600);
        if step % 2 == 0 {
            reactions.handle_tool(now)
        } else {
            reactions.handle_thinking(now)
        }
        assert_eq!(done(&mut reactions, now), [""; 0], "{step}");
    }
}

#[test]
fn many_tools_in_a_row_are_one_and_do_not_put_it_off() {
    let mut reactions = reactions("");
    done(&mut reactions, at(0));
    for millis in [0, 300, 600] {
        reactions.handle_tool(at(millis));
    }
    assert_eq!(done(&mut reactions, at(700)), ["+🔥", "-👀"]);
    reactions.handle_tool(at(900));
    assert_eq!(done(&mut reactions, at(5000)), [""; 0]);
}

#[test]
fn failures_stay_a_little_longer_and_a_quiet_end_shows_nothing() {
    let mut failed = reactions("");
    done(&mut failed, at(0));
    failed.handle_over(at(0), StatusEnd::Failed);
    assert_eq!(done(&mut failed, at(2499)), ["+😱", "-👀"]);
    assert_eq!(done(&mut failed, at(2500)), ["+👀", "-😱"]);

    let mut quiet = reactions("");
    quiet.handle_thinking(at(0));
    assert_eq!(done(&mut quiet, at(700)), ["+👀", "+🤔", "-👀"]);
    quiet.handle_over(at(800), StatusEnd::Quiet);
    assert_eq!(done(&mut quiet, at(800)), ["+👀", "-🤔"]);
    quiet.handle_tool(at(900));
    quiet.handle_over(at(900), StatusEnd::Failed);
    assert_eq!(done(&mut quiet, at(9000)), [""; 0]);
}

#[test]
fn the_acknowledgement_goes_with_the_reply_if_it_is_to() {
    let mut reactions = reactions("removeAckAfterReply: true");
    reactions.handle_over(at(0), StatusEnd::Done);
    assert_eq!(done(&mut reactions, at(1499)), ["+👀", "+👍", "-👀"]);
    assert_eq!(done(&mut reactions, at(1500)), ["-👍"]);
}

#[test]
fn without_status_only_the_acknowledgement_is_shown() {
    let mut reactions = reactions("statusReactions: { enabled: false }");
    reactions.handle_tool(at(0));
    reactions.handle_over(at(5000), StatusEnd::Done);
    assert_eq!(done(&mut reactions, at(9000)), ["+👀"]);
}

#[test]
fn where_there_is_no_acknowledgement_there_is_no_status() {
    let mut reactions = reactions("ackReactionScope: 'off'");
    reactions.handle_tool(at(0));
    reactions.handle_over(at(5000), StatusEnd::Done);
    assert_eq!(done(&mut reactions, at(9000)), [""; 0]);
}

proptest! {
    /// Whatever happens, at most two reactions are there at a moment and one at rest, and what is
    /// left at the end is the acknowledgement.
    #[test]
    fn one_reaction_at_a_time(steps in prop::collection::vec((0_u8..5, 0_u64..2000), 0..60)) {
        let mut reactions = reactions("");
        let mut there: Vec<Emoji> = Vec::new();
        let mut now = at(0);
        let steps = steps.into_iter().chain([(2, 0), (4, 5000)]);
        for (step, wait) in steps {
            now += Duration::from_millis(wait);
            match step {
                0 => reactions.handle_thinking(now),
                1 => reactions.handle_tool(now),
                2 => reactions.handle_over(now, StatusEnd::Done),
                _ => {}
            }
            while let Some(output) = reactions.poll_output(now) {
                match output {
                    StatusOutput::Add(emoji) => {
                        prop_assert!(!there.contains(&emoji));
                        there.push(emoji);
                    }
                    StatusOutput::Remove(emoji) => {
                        prop_assert!(there.contains(&emoji));
                        there.retain(|other| *other != emoji);
                    }
                }
                prop_assert!((1..=2).contains(&there.len()));
            }
            prop_assert_eq!(there.len(), 1);
        }
        prop_assert_eq!(there, [Emoji::new("👀").unwrap()]);
    }
}
