//! Scenarios 1 and 4 to 11, and 44.

use clawvoice_session::{ChannelId, MessageId, SessionTime, UserId};

use super::scene::{
    ADA, BEN, GENERAL, OWN, Scene, asks, message, message_by, outcome, parse, says,
};
use crate::{
    inbound::{
        Debounce, DropReason, InboundPolicy, Known, LoopGuard, Need, PluralMember, Verdict,
        check_author, judge,
    },
    message::Message,
};

const OPEN: &str = "groupPolicy: 'open'";
const OPEN_TO_ALL: &str = "groupPolicy: 'open', guilds: { '*': { requireMention: false } }";

fn with_bots(allow: &str) -> Scene {
    Scene::new(&format!("{OPEN_TO_ALL}, allowBots: {allow}"), "")
}

fn of_bot(rest: &str) -> Message {
    message_by(GENERAL, r#"{"id":"50","username":"peer","bot":true}"#, rest)
}

/// Scenario 1 of the text scenarios.
#[test]
fn its_own_messages_are_dropped_before_anything_else() {
    let own = message(GENERAL, OWN, "");
    assert_eq!(check_author(&own, UserId::new(OWN)), Err(DropReason::SelfMessage));
    assert_eq!(check_author(&says(GENERAL, ADA, "hi"), UserId::new(OWN)), Ok(()));
    // Not even what is missing in it is asked for.
    assert_eq!(Scene::new("", "").outcome(&own), "self-message");
}

/// Scenario 5 of the text scenarios, and 4 as far as it is judged.
#[test]
fn a_mention_in_any_message_of_a_batch_is_one_of_the_batch() {
    let scene = Scene::new(OPEN, "");
    let mut debounce = Debounce::new(scene.policy.debounce, UserId::new(OWN));
    debounce.handle_message(SessionTime::ZERO, asks(GENERAL, ADA, "look"));
    debounce.handle_message(SessionTime::from_millis(10), says(GENERAL, ADA, "at this"));
    debounce.handle_timeout(SessionTime::from_millis(2_010));
    let batch = debounce.poll_output().unwrap();
    assert!(debounce.poll_output().is_none());
    let known = Known { batch: batch.ids.len() > 1, ..scene.known() };
    let Verdict::Admit(admitted) = judge(&batch.message, &known, &scene.policy) else {
        panic!("not admitted")
    };
    assert!(admitted.was_mentioned && admitted.batch);
    assert_eq!(admitted.text, "@ look\nat this");
}

/// Scenario 6 of the text scenarios.
#[test]
fn another_bot_is_not_heard_by_default() {
    let hi = of_bot(r#""content":"hi""#);
    assert_eq!(Scene::new(OPEN_TO_ALL, "").outcome(&hi), "bot-not-allowed");
    assert_eq!(with_bots("true").outcome(&hi), "admitted");
    let webhook = message(GENERAL, 60, r#""content":"hi","webhook_id":"60""#);
    assert_eq!(with_bots("false").outcome(&webhook), "bot-not-allowed");
}

/// Scenario 7 of the text scenarios.
#[test]
fn another_bot_may_have_to_mention_it() {
    let scene = with_bots("'mentions'");
    assert_eq!(scene.outcome(&of_bot(r#""content":"hi""#)), "bot-missing-mention");
    let mention = of_bot(r#""content":"hi <@1>","mentions":[{"id":"1"}]"#);
    assert_eq!(scene.outcome(&mention), "admitted");
    let everybody = of_bot(r#""content":"hi @everyone","mention_everyone":true"#);
    assert_eq!(scene.outcome(&everybody), "bot-missing-mention");
    let reply = of_bot(
        r#""content":"yes","message_reference":{"message_id":"4"},
        "referenced_message":{"id":"4","channel_id":"100","author":{"id":"1"}}"#,
    );
    assert_eq!(scene.outcome(&reply), "admitted");
}

/// Scenario 8 of the text scenarios, by the configuration's defaults.
#[test]
fn two_bots_do_not_talk_for_ever() {
    let scene = with_bots("true");
    assert_eq!(scene.outcome(&of_bot(r#""content":"hi""#)), "admitted");
    let mut guard = LoopGuard::default();
    let mut hear = |second: u64| {
        let rules = &scene.policy.bot_loop;
        guard.handle_message(
            rules,
            ChannelId::new(GENERAL),
            UserId::new(50),
            UserId::new(OWN),
            second * 1_000,
        )
    };
    let heard: Vec<bool> = (0..21).map(&mut hear).collect();
    assert_eq!(heard.iter().filter(|suppressed| **suppressed).count(), 1);
    assert!(heard[20] && hear(79) && !hear(81));
}

/// Scenario 9 of the text scenarios.
#[test]
fn an_accounts_limits_go_over_the_defaults_one_by_one() {
    let accounts = "botLoopProtection: { maxEventsPerWindow: 7 }, accounts: { ops: { token: 'b.c.d', \
        allowBots: true, botLoopProtection: { maxEventsPerWindow: 5, cooldownSeconds: 90 } } }";
    let config = parse(accounts, "");
    let ops = config.accounts.iter().find(|account| account.id == "ops").unwrap();
    let policy = InboundPolicy::new(&config, &ops.discord, "ops");
    let mut guard = LoopGuard::default();
    let mut hear = |second: u64| {
        let (room, peer) = (ChannelId::new(GENERAL), UserId::new(50));
        guard.handle_message(&policy.bot_loop, room, peer, UserId::new(OWN), second * 1_000)
    };
    assert!((0..5).all(|second| !hear(second)));
    assert!(hear(59), "the sixth in the inherited minute");
    assert!(hear(148) && !hear(149), "90 s");
}

fn proxied() -> Message {
    message_by(
        GENERAL,
        r#"{"id":"60","username":"Skye","bot":true}"#,
        r#""content":"hi","webhook_id":"60""#,
    )
}

/// Scenario 10 of the text scenarios.
#[test]
fn who_speaks_through_pluralkit_is_a_person() {
    let users = "pluralkit: { enabled: true }, groupPolicy: 'open', \
        guilds: { '*': { requireMention: false, users: ['pk:abcde'] } }";
    let scene = Scene::new(users, "");
    assert_eq!(scene.judge(&proxied()), Verdict::Needs(Need::PluralKit));
    let json =
        r#"{"original":"899","member":{"id":"abcde","name":"Skye"},"system":{"name":"Skies"}}"#;
    let member = PluralMember::read(json.as_bytes()).unwrap().unwrap();
    let known = Known { plural: Some(Some(&member)), ..scene.known() };
    let Verdict::Admit(admitted) = judge(&proxied(), &known, &scene.policy) else {
        panic!("not admitted")
    };
    assert_eq!(admitted.sender.label, "Skye (PK:Skies)");
    assert_eq!((admitted.sender.id.as_str(), admitted.sender.plural), ("abcde", true));
    assert_eq!(admitted.canonical, MessageId::new(899));
    let other = PluralMember { id: "other".to_owned(), ..member };
    let known = Known { plural: Some(Some(&other)), ..scene.known() };
    assert_eq!(scene.outcome_with(&proxied(), &known), "member-not-allowed");
}

/// Scenario 11 of the text scenarios.
#[test]
fn whom_pluralkit_does_not_tell_is_a_bot() {
    let enabled = format!("{OPEN_TO_ALL}, pluralkit: {{ enabled: true }}");
    let scene = Scene::new(&enabled, "");
    let known = Known { plural: Some(None), ..scene.known() };
    assert_eq!(scene.outcome_with(&proxied(), &known), "bot-not-allowed");
    let scene = Scene::new(&format!("{enabled}, allowBots: true"), "");
    let known = Known { plural: Some(None), ..scene.known() };
    assert_eq!(scene.outcome_with(&proxied(), &known), "admitted");
    // A bot of its own right is not asked about.
    assert_eq!(scene.outcome(&of_bot(r#""content":"hi""#)), "admitted");
}

/// Scenario 44 of the text scenarios, what each account decides.
#[test]
fn of_several_accounts_the_mentioned_one_answers() {
    let scene = Scene::new(OPEN, "");
    let message = message(GENERAL, BEN, r#""content":"hi <@3>","mentions":[{"id":"3"}]"#);
    let answers = [2, 3, 4].map(|own| {
        let known = Known { own: UserId::new(own), ..scene.known() };
        outcome(&judge(&message, &known, &scene.policy))
    });
    assert_eq!(answers, ["no-mention", "admitted", "no-mention"]);
}
