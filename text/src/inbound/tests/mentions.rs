//! Scenarios 31 to 36, 39 and 40, and what else is judged after them. 37 and 38 are the patterns' own.

use clawvoice_session::WebhookId;

use super::scene::{
    ADA, BEN, GENERAL, HELP, OWN_THREAD, Scene, THREAD, asks, message, message_by, says,
};
use crate::inbound::{
    BoundThread, Dropped, Hydration, Known, Need, Surface, Verdict, hydrated, judge,
};

const OPEN: &str = "groupPolicy: 'open'";
const CLAW: &str = "agents: { list: [{ id: 'main', identity: { name: 'Claw', emoji: '🦀' } }] }";

fn dropped(verdict: Verdict) -> Dropped {
    match verdict {
        Verdict::Drop(dropped) => dropped,
        other => panic!("{other:?}"),
    }
}

/// Scenario 31 of the text scenarios, what is remembered.
#[test]
fn what_is_not_to_the_bot_is_kept_for_later() {
    let scene = Scene::new(OPEN, "");
    let plain = dropped(scene.judge(&says(GENERAL, ADA, "hi")));
    assert_eq!((plain.reason.code(), plain.remember), ("no-mention", true));
    let Verdict::Admit(admitted) = scene.judge(&asks(GENERAL, ADA, "hi")) else {
        panic!("dropped")
    };
    assert!(admitted.addressed && admitted.was_mentioned && !admitted.owner);
    assert_eq!(admitted.surface, Surface::Guild);
    // A join is not said by anybody.
    let joined = dropped(scene.judge(&message(GENERAL, ADA, r#""type":7"#)));
    assert_eq!((joined.reason.code(), joined.remember), ("no-mention", false));
}

/// Scenario 32 of the text scenarios.
#[test]
fn code_and_escapes_are_no_mentions() {
    let scene = Scene::new(OPEN, "");
    for text in ["```\n<@1>\n```", "see `<@!1>`", r"\<@1>"] {
        let message = says(GENERAL, ADA, text);
        assert_eq!(scene.outcome(&message), "no-mention", "{text}");
        let failed = Known { hydration: Hydration::Failed, ..scene.known() };
        assert_eq!(scene.outcome_with(&message, &failed), "no-mention", "{text}");
    }
}

/// Scenario 33 of the text scenarios.
#[test]
fn a_mention_without_its_array_is_asked_for_and_else_read() {
    let scene = Scene::new(OPEN, "");
    let raw = says(GENERAL, ADA, "hi <@!1>");
    assert_eq!(scene.judge(&raw), Verdict::Needs(Need::Hydrate));
    let failed = Known { hydration: Hydration::Failed, ..scene.known() };
    assert_eq!(scene.outcome_with(&raw, &failed), "admitted");
    let done = Known { hydration: Hydration::Done, ..scene.known() };
    assert_eq!(scene.outcome_with(&raw, &done), "no-mention", "Discord says it mentions nobody");
    let told = message(GENERAL, ADA, r#""content":"hi <@!1>","mentions":[{"id":"1"}]"#);
    assert_eq!(scene.outcome_with(&hydrated(&raw, told), &done), "admitted");
}

fn reply(to: u64, rest: &str) -> String {
    format!(
        r#""content":"yes","message_reference":{{"message_id":"4"}}{rest},
        "referenced_message":{{"id":"4","channel_id":"100","author":{{"id":"{to}"}}}}"#
    )
}

/// Scenario 34 of the text scenarios.
#[test]
fn a_reply_to_the_bot_is_to_it() {
    let scene = Scene::new(OPEN, "");
    assert_eq!(scene.outcome(&message(GENERAL, ADA, &reply(1, ""))), "admitted");
    assert_eq!(scene.outcome(&message(GENERAL, ADA, &reply(BEN, ""))), "no-mention");
    let forward = message(
        GENERAL,
        ADA,
        r#""content":"yes","message_reference":{"type":1,"message_id":"4"},
        "referenced_message":{"id":"4","channel_id":"100","author":{"id":"1"}}"#,
    );
    assert_eq!(scene.outcome(&forward), "no-mention");
}

/// Scenario 35 of the text scenarios.
#[test]
fn what_is_to_somebody_else_may_be_left_alone() {
    let guild =
        |keys: &str| format!("{OPEN}, guilds: {{ '*': {{ requireMention: false, {keys} }} }}");
    let scene = Scene::new(&guild("ignoreOtherMentions: true"), CLAW);
    let other = message(GENERAL, ADA, r#""content":"hi <@40>","mentions":[{"id":"40"}]"#);
    let other = dropped(scene.judge(&other));
    assert_eq!((other.reason.code(), other.remember), ("other-mention", true));
    let role = message(GENERAL, ADA, r#""content":"hi <@&80>","mention_roles":["80"]"#);
    assert_eq!(scene.outcome(&role), "other-mention");
    let everybody = r#""content":"hi @everyone","mention_everyone":true"#;
    assert_eq!(scene.outcome(&message(GENERAL, ADA, everybody)), "admitted");
    for rest in [
        r#""content":"hi <@40> <@1>","mentions":[{"id":"40"},{"id":"1"}]"#,
        r#""content":"claw, tell <@40>","mentions":[{"id":"40"}]"#,
        &reply(1, r#","mentions":[{"id":"40"}]"#),
    ] {
        assert_eq!(scene.outcome(&message(GENERAL, ADA, rest)), "admitted", "{rest}");
    }
    let gated = Scene::new(OPEN, "");
    assert_eq!(gated.outcome(&message(GENERAL, ADA, everybody)), "admitted");
    let bot = r#"{"id":"50","username":"peer","bot":true}"#;
    let of_bot = Scene::new(&format!("{OPEN}, allowBots: true"), "");
    assert_eq!(of_bot.outcome(&message_by(GENERAL, bot, everybody)), "no-mention");
    let deaf = "guilds: { '*': { ignoreBroadcastMentions: true } }";
    assert_eq!(Scene::new(deaf, "").outcome(&message(GENERAL, ADA, everybody)), "no-mention");
}

/// Scenario 36 of the text scenarios.
#[test]
fn a_voice_note_that_says_the_name_is_to_the_bot() {
    let patterns = "messages: { groupChat: { mentionPatterns: ['claw'] } }";
    let scene = Scene::new(OPEN, patterns);
    let file =
        r#""attachments":[{"filename":"v.ogg","content_type":"audio/ogg","duration_secs":2.5}]"#;
    let note = message(GENERAL, ADA, file);
    assert_eq!(scene.judge(&note), Verdict::Needs(Need::Transcript));
    for (said, outcome) in [
        (Some("hey Claw, help"), "admitted"),
        (Some("hey Ben"), "no-mention"),
        (None, "no-mention"),
    ] {
        let known = Known { transcript: Some(said), ..scene.known() };
        assert_eq!(scene.outcome_with(&note, &known), outcome, "{said:?}");
    }
    // Where it makes no difference nothing is transcribed.
    let typed = message(GENERAL, ADA, &format!(r#""content":"look",{file}"#));
    assert_eq!(scene.outcome(&typed), "no-mention");
    assert_eq!(Scene::new(OPEN, "").outcome(&note), "no-mention");
    let ungated = Scene::new("guilds: { '*': { requireMention: false } }", patterns);
    assert_eq!(ungated.outcome(&note), "admitted");
    let picture = message(GENERAL, ADA, r#""attachments":[{"content_type":"image/png"}]"#);
    assert_eq!(scene.outcome(&picture), "no-mention");
}

#[test]
fn the_words_are_the_agents_else_the_files_else_its_name() {
    let says_claw = says(GENERAL, ADA, "hi claw");
    let says_crab = says(GENERAL, ADA, "hi 🦀");
    let of = |rest: &str| {
        let scene = Scene::new(OPEN, rest);
        (scene.outcome(&says_claw), scene.outcome(&says_crab))
    };
    let (yes, no) = ("admitted".to_owned(), "no-mention".to_owned());
    assert_eq!(of(CLAW), (yes.clone(), yes.clone()));
    let files = "messages: { groupChat: { mentionPatterns: ['🦀'] } }";
    assert_eq!(of(&format!("{CLAW}, {files}")), (no.clone(), yes.clone()));
    let own = "agents: { list: [{ id: 'main', name: 'Claw', groupChat: { mentionPatterns: ['cl.w'] } }] }";
    assert_eq!(of(&format!("{own}, {files}")), (yes, no.clone()));
    let none = "messages: { groupChat: { mentionPatterns: [] } }";
    assert_eq!(of(&format!("{CLAW}, {none}")), (no.clone(), no));
}

#[test]
fn words_count_where_they_are_meant_to() {
    let in_channels = |channel, patterns: &str| {
        let scene = Scene::new(&format!("{OPEN}, mentionPatterns: {{ {patterns} }}"), CLAW);
        scene.outcome(&says(channel, ADA, "hi claw")) == "admitted"
    };
    assert!(!in_channels(GENERAL, "denyIn: ['100']") && in_channels(HELP, "denyIn: ['100']"));
    assert!(!in_channels(THREAD, "denyIn: ['general']"));
    assert!(in_channels(HELP, "mode: 'deny', allowIn: ['help']"));
    assert!(!in_channels(GENERAL, "mode: 'deny', allowIn: ['help']"));
}

/// Scenario 39 of the text scenarios.
#[test]
fn a_command_needs_an_authority_and_no_mention() {
    let owned = "commands: { ownerAllowFrom: ['31'] }";
    let scene = Scene::new(OPEN, owned);
    let reset = says(GENERAL, BEN, "/reset");
    assert_eq!(scene.outcome(&reset), "control-command-unauthorized");
    let Verdict::Admit(admitted) = scene.judge(&says(GENERAL, ADA, "/RESET: now ")) else {
        panic!("dropped")
    };
    let command = admitted.command.unwrap();
    assert_eq!((command.name.as_str(), command.args.as_str()), ("reset", "now"));
    assert!(admitted.owner && !admitted.addressed);
    let to_other = message(GENERAL, ADA, r#""content":"/reset <@40>","mentions":[{"id":"40"}]"#);
    assert_eq!(scene.outcome(&to_other), "no-mention");
    assert_eq!(scene.outcome(&asks(GENERAL, BEN, "/reset")), "control-command-unauthorized");
    for text in ["/shrug", "/", "/ reset", "say /reset", "/usr/bin"] {
        assert_eq!(scene.outcome(&says(GENERAL, BEN, text)), "no-mention", "{text}");
    }
    let off = Scene::new(OPEN, "commands: { text: false }");
    assert_eq!(off.outcome(&reset), "no-mention");
    let forwarded = r#""message_snapshots":[{"message":{"content":"/reset"}}]"#;
    assert_eq!(scene.outcome(&message(GENERAL, BEN, forwarded)), "no-mention");
}

/// Scenario 40 of the text scenarios.
#[test]
fn a_thread_of_a_session_needs_no_mention() {
    let scene = Scene::new(OPEN, "");
    let hi = says(THREAD, ADA, "hi");
    assert_eq!(scene.outcome(&hi), "no-mention");
    let webhook = WebhookId::new(60);
    let bound = Known { bound: Some(BoundThread { webhook: Some(webhook) }), ..scene.known() };
    assert_eq!(scene.outcome_with(&hi, &bound), "admitted");
    let echo = message(THREAD, 60, r#""content":"done","webhook_id":"60""#);
    assert_eq!(scene.outcome_with(&echo, &bound), "bound-thread-webhook-echo");
    let auto = "guilds: { '10': { channels: { general: { autoThread: true } } } }";
    let auto = Scene::new(auto, "");
    assert_eq!(auto.outcome(&says(OWN_THREAD, ADA, "hi")), "admitted");
    assert_eq!(auto.outcome(&hi), "no-mention", "somebody else's");
    assert_eq!(scene.outcome(&says(OWN_THREAD, ADA, "hi")), "no-mention", "not an automatic one");
}

#[test]
fn what_comes_after_the_mentions() {
    let scene = Scene::new("guilds: { '*': { requireMention: false } }", "");
    let pinned = message(GENERAL, ADA, r#""type":6"#);
    let words = "Discord system: user31 pinned a message in The Guild #General";
    assert_eq!(scene.judge(&pinned), Verdict::SystemEvent(words.to_owned()));
    assert_eq!(
        scene.outcome(&message(GENERAL, ADA, r#""type":20,"content":"x""#)),
        "command-message"
    );
    let nothing = message(GENERAL, ADA, "");
    assert_eq!(scene.judge(&nothing), Verdict::Needs(Need::Hydrate));
    let failed = Known { hydration: Hydration::Failed, ..scene.known() };
    assert_eq!(scene.outcome_with(&nothing, &failed), "empty-content");
    let starter = message(THREAD, ADA, r#""type":21"#);
    assert_eq!(scene.outcome(&starter), "empty-content");
}

#[test]
fn what_nobody_asked_may_be_taken_as_something_that_happened() {
    let lurk = "messages: { groupChat: { unmentionedInbound: 'room_event' } }";
    let ambient = |rest: &str, message: crate::message::Message| {
        let scene = Scene::new("guilds: { '*': { requireMention: false } }", rest);
        match judge(&message, &scene.known(), &scene.policy) {
            Verdict::Admit(admitted) => admitted.ambient,
            other => panic!("{other:?}"),
        }
    };
    assert!(ambient(lurk, says(GENERAL, ADA, "hi")));
    assert!(!ambient(lurk, asks(GENERAL, ADA, "hi")) && !ambient("", says(GENERAL, ADA, "hi")));
}
