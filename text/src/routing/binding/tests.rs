use std::collections::BTreeMap;

use std::time::Duration;

use proptest::prelude::*;
use secrecy::SecretString;

use super::*;
use crate::routing::{
    Tier,
    tests::{channel, config, direct, parse, router_of, thread},
};

const HOUR: u64 = 3_600_000;
const START: u64 = 1_700_000_000_000;
const THREAD: BoundPlace = BoundPlace::Channel(ChannelId::new(9));
const ADA: UserId = UserId::new(31);

fn settings(keys: &str) -> ThreadBindings {
    let text = format!(
        "{{ channels: {{ discord: {{ token: 'a.b.c', threadBindings: {{ {keys} }} }} }} }}"
    );
    parse(&text).discord.delivery.thread_bindings
}

fn bindings(keys: &str) -> Bindings {
    Bindings::new("default", settings(keys), [])
}

fn to_codex(place: BoundPlace) -> Bind {
    Bind {
        place,
        parent: matches!(place, BoundPlace::Channel(_)).then_some(ChannelId::new(5)),
        key: "agent:codex:subagent:7f".parse().unwrap(),
        agent: "codex".to_owned(),
        label: Some("task 42".to_owned()),
        by: ADA,
    }
}

fn webhook(id: u64) -> Webhook {
    Webhook { id: WebhookId::new(id), token: SecretString::from("hook-secret") }
}

/// What is said, and what becomes of the place, in order.
fn outputs(bindings: &mut Bindings) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(output) = bindings.poll_output() {
        told.push(match output {
            BindingOutput::Save(record) => format!("save {}", record.place),
            BindingOutput::Delete { place, reason, unused, .. } => {
                let unused = unused.map(|webhook| format!(" and webhook {}", webhook.id));
                format!("delete {place} {}{}", reason.as_str(), unused.unwrap_or_default())
            }
            BindingOutput::Say { place, text } => format!("say {place} {text}"),
            BindingOutput::Look(thread) => format!("look {thread}"),
        });
    }
    told
}

/// Scenario 45 of the text scenarios.
#[test]
fn after_a_day_of_silence_a_binding_ends_and_a_message_begins_the_day_anew() {
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    assert_eq!(
        outputs(&mut bindings),
        [
            "save 9",
            "say 9 ⚙️ task 42 session active (idle auto-unfocus after 24h inactivity). Messages \
             here go directly to this session."
        ]
    );
    let at_23 = START + 23 * HOUR;
    assert_eq!(bindings.touch(at_23, THREAD).map(|it| it.last_activity), Some(at_23));
    bindings.sweep(START + 24 * HOUR);
    assert_eq!(outputs(&mut bindings), ["save 9", "look 9"]);
    bindings.sweep(at_23 + 24 * HOUR - 1);
    assert_eq!(outputs(&mut bindings), ["look 9"]);
    assert_eq!(bindings.poll_timeout(), Some(at_23 + 24 * HOUR - 1 + 120_000));
    bindings.sweep(at_23 + 24 * HOUR + 119_998);
    assert!(outputs(&mut bindings).is_empty());
    bindings.sweep(at_23 + 24 * HOUR + 119_999);
    assert_eq!(
        outputs(&mut bindings),
        [
            "delete 9 idle-expired",
            "say 9 ⚙️ Session ended automatically after 24h of inactivity. Messages here will no \
             longer be routed."
        ]
    );
    assert_eq!((bindings.get(THREAD), bindings.poll_timeout()), (None, None));
}

/// Scenario 40 of the text scenarios: where a place is bound, nobody need mention the bot.
#[test]
fn a_bound_thread_is_its_sessions() {
    let config = config("");
    let router = router_of(&config, "default");
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    let route = bindings.effective(START, &router, &thread(9, 5));
    assert!(route.is_bound());
    assert_eq!((route.agent.as_str(), route.key.as_str()), ("codex", "agent:codex:subagent:7f"));
    assert_eq!(route.last.channel, ChannelId::new(9));
    let beside = bindings.effective(START, &router, &thread(8, 5));
    assert!(!beside.is_bound());
    // Between its end and the sweep it no longer holds.
    let over = bindings.effective(START + 24 * HOUR, &router, &thread(9, 5));
    assert_eq!(over.matched, Tier::Default);
    assert_eq!(bindings.touch(START + 24 * HOUR, THREAD), None);
    assert_eq!(outputs(&mut bindings)[2], "delete 9 idle-expired");
}

#[test]
fn a_binding_goes_before_the_files_and_an_acp_program_before_a_route() {
    let config = config(
        "bindings: [{ type: 'acp', agentId: 'sales', match: { channel: 'discord', peer: { kind: \
         'channel', id: '5' } } }]",
    );
    let router = router_of(&config, "default");
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    for (from, tier) in [
        (thread(9, 5), Tier::Bound),
        (thread(8, 5), Tier::Acp),
        (channel(5), Tier::Acp),
        (channel(6), Tier::Default),
        (direct(31), Tier::Default),
    ] {
        assert_eq!(bindings.effective(START, &router, &from).matched, tier, "{from:?}");
    }
    bindings.bind(START, to_codex(BoundPlace::User(ADA))).unwrap();
    assert!(bindings.effective(START, &router, &direct(31)).is_bound());
    bindings.set_settings(settings("enabled: false"));
    assert_eq!(bindings.effective(START, &router, &thread(9, 5)).matched, Tier::Acp);
    assert_eq!(bindings.touch(START, THREAD), None);
    assert_eq!(bindings.bind(START, to_codex(THREAD)).err(), Some(BindRefusal::Disabled));
}

#[test]
fn the_earlier_of_the_two_ends_it() {
    let mut bindings = bindings("idleHours: 2, maxAgeHours: 5");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    for hour in 1..5 {
        assert!(bindings.touch(START + hour * HOUR, THREAD).is_some());
    }
    bindings.sweep(START + 5 * HOUR);
    let told = outputs(&mut bindings);
    assert_eq!(
        told[1],
        "say 9 ⚙️ task 42 session active (idle auto-unfocus after 2h inactivity; max age 5h). \
         Messages here go directly to this session."
    );
    assert_eq!(
        told.last().unwrap(),
        "say 9 ⚙️ Session ended automatically at max age of 5h. Messages here will no longer be \
         routed."
    );
}

#[test]
fn bound_anew_it_keeps_its_own_times() {
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    bindings.set_idle(START, THREAD, Duration::from_secs(90 * 60));
    bindings.set_max_age(START, THREAD, Duration::from_secs(7_200));
    bindings.set_webhook(START, THREAD, webhook(70));
    outputs(&mut bindings);
    let other = Bind { label: None, agent: "sales".to_owned(), ..to_codex(THREAD) };
    let record = bindings.bind(START + HOUR, other).unwrap();
    assert_eq!(record.expiry(), Some((START + HOUR + 90 * 60_000, Ended::Idle)));
    assert_eq!((record.max_age, record.bound_at), (Duration::from_secs(7_200), START + HOUR));
    assert_eq!(record.webhook, Some(webhook(70)));
    assert_eq!(
        outputs(&mut bindings)[1],
        "say 9 ⚙️ sales session active (idle auto-unfocus after 90m inactivity; max age 2h). \
         Messages here go directly to this session."
    );
    bindings.set_idle(START, THREAD, Duration::ZERO);
    let record = bindings.set_max_age(START, THREAD, Duration::ZERO).unwrap();
    assert_eq!(record.expiry(), None);
}

#[test]
fn what_is_unbound_says_so_and_its_webhook_is_known_a_little_longer() {
    let mut bindings = bindings("idleHours: 0");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    bindings.set_webhook(START, THREAD, webhook(70));
    outputs(&mut bindings);
    let hook = WebhookId::new(70);
    assert!(bindings.is_echo(START, THREAD, hook));
    assert!(!bindings.is_echo(START, BoundPlace::Channel(ChannelId::new(8)), hook));
    assert!(bindings.unbind(START, THREAD).is_some());
    assert_eq!(
        outputs(&mut bindings),
        [
            "delete 9 unfocused and webhook 70",
            "say 9 ⚙️ Session ended. Messages here will no longer be routed."
        ]
    );
    assert!(bindings.is_echo(START + 29_999, THREAD, hook));
    assert!(!bindings.is_echo(START + 30_000, THREAD, hook));
    assert!(!bindings.is_echo(START, THREAD, WebhookId::new(71)));
    assert_eq!(bindings.unbind(START, THREAD), None);
}

#[test]
fn threads_of_a_channel_share_a_webhook() {
    let mut bindings = bindings("");
    let other = BoundPlace::Channel(ChannelId::new(8));
    bindings.bind(START, to_codex(THREAD)).unwrap();
    bindings.bind(START, to_codex(other)).unwrap();
    let parent = bindings.get(THREAD).unwrap().parent.unwrap();
    assert_eq!(bindings.webhook_in(parent), None);
    bindings.set_webhook(START, THREAD, webhook(70));
    assert_eq!(bindings.webhook_in(parent), Some(&webhook(70)));
    assert_eq!(bindings.webhook_in(ChannelId::new(6)), None);
    bindings.set_webhook(START, other, webhook(70));
    outputs(&mut bindings);
    bindings.gone(START, ChannelId::new(9), Ended::Deleted);
    bindings.gone(START, ChannelId::new(8), Ended::Deleted);
    let ended = outputs(&mut bindings);
    assert_eq!(ended, ["delete 9 thread-deleted", "delete 8 thread-deleted and webhook 70"]);
}

#[test]
fn a_thread_that_is_gone_takes_its_binding_along_in_silence() {
    let key: SessionKey = "agent:codex:subagent:7f".parse().unwrap();
    for (channel, how, ends) in [
        (9, Ended::Archived, true),
        (9, Ended::Deleted, true),
        (5, Ended::Deleted, true),
        (5, Ended::Archived, false),
        (8, Ended::Deleted, false),
    ] {
        let mut bindings = bindings("");
        bindings.bind(START, to_codex(THREAD)).unwrap();
        outputs(&mut bindings);
        let gone = bindings.gone(START, ChannelId::new(channel), how);
        let expected = if ends { vec![format!("delete 9 {}", how.as_str())] } else { vec![] };
        assert_eq!(outputs(&mut bindings), expected, "{channel} {how:?}");
        assert_eq!(gone, if ends { vec![key.clone()] } else { vec![] });
    }
}

#[test]
fn a_session_that_is_over_frees_all_its_places() {
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    bindings.bind(START, to_codex(BoundPlace::User(ADA))).unwrap();
    bindings.unbind_session(START, &"agent:codex:subagent:other".parse().unwrap());
    assert_eq!(bindings.records().count(), 2);
    bindings.unbind_session(START, &"agent:codex:subagent:7f".parse().unwrap());
    assert_eq!(bindings.records().count(), 0);
}

#[test]
fn not_every_message_is_written_to_disk() {
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    outputs(&mut bindings);
    for second in 1..=30 {
        bindings.touch(START + second * 1_000, THREAD);
    }
    assert_eq!(outputs(&mut bindings), ["save 9", "save 9"]);
}

#[test]
fn threads_are_looked_at_in_turn_and_there_is_an_end_to_bindings() {
    let mut bindings = bindings("");
    for id in 1..=1_000 {
        bindings.bind(START, to_codex(BoundPlace::Channel(ChannelId::new(id)))).unwrap();
    }
    let one_more = to_codex(BoundPlace::Channel(ChannelId::new(1_001)));
    assert_eq!(bindings.bind(START, one_more).err(), Some(BindRefusal::TooMany));
    assert!(bindings.bind(START, to_codex(THREAD)).is_ok());
    outputs(&mut bindings);
    let mut seen = std::collections::BTreeSet::new();
    for sweep in 0..50 {
        bindings.sweep(START + sweep * 120_000);
        seen.extend(outputs(&mut bindings));
    }
    assert_eq!(seen.len(), 1_000);
}

#[test]
fn what_is_kept_is_read_back_and_the_token_is_in_no_log() {
    let mut bindings = bindings("");
    bindings.bind(START, to_codex(THREAD)).unwrap();
    let record = bindings.set_webhook(START, THREAD, webhook(70)).unwrap().clone();
    assert!(!format!("{record:?}").contains("hook-secret"));
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.contains("hook-secret") && json.contains(r#""place":"9""#), "{json}");
    let read: BindingRecord = serde_json::from_str(&json).unwrap();
    assert_eq!(read, record);
    let again = Bindings::new("default", settings(""), [read.clone()]);
    assert_eq!(again.get(THREAD), Some(&record));
    assert_eq!(Bindings::new("work", settings(""), [read]).get(THREAD), None);
    assert_eq!("user:31".parse(), Ok(BoundPlace::User(ADA)));
    assert_eq!(BoundPlace::User(ADA).to_string(), "user:31");
    assert!("user:x".parse::<BoundPlace>().is_err());
}

#[test]
fn names_are_no_longer_than_discord_takes() {
    let mut bindings = bindings("");
    let long = Bind { label: Some("é".repeat(200)), ..to_codex(THREAD) };
    let record = bindings.bind(START, long).unwrap();
    assert_eq!(webhook_name(record), format!("🤖 {}", "é".repeat(77)));
    assert_eq!(thread_name(record.name()), format!("🤖 {}", "é".repeat(97)));
    let nameless = Bind { label: Some(" ".to_owned()), ..to_codex(THREAD) };
    assert_eq!(webhook_name(bindings.bind(START, nameless).unwrap()), "🤖 codex");
    assert_eq!(thread_name(" "), "🤖 agent");
}

#[test]
fn an_agent_is_called_as_the_file_calls_it() {
    let router = router_of(&config(""), "default");
    let mut bindings = bindings("");
    let key: SessionKey = "agent:ops-eu:discord:channel:7".parse().unwrap();
    let agent = key.agent().to_owned();
    bindings.bind(START, Bind { agent, key, ..to_codex(THREAD) }).unwrap();
    assert_eq!(bindings.effective(START, &router, &thread(9, 5)).agent, "Ops.EU");
}

#[test]
fn kinds_of_target() {
    for (key, kind) in [
        ("agent:codex:subagent:7f", TargetKind::Subagent),
        ("agent:codex:acp:7f", TargetKind::Acp),
        ("agent:main:discord:channel:9", TargetKind::Session),
    ] {
        assert_eq!(TargetKind::of(&key.parse().unwrap()), kind);
    }
    assert_eq!(duration_label(Duration::from_secs(30)), "<1m");
    assert_eq!(duration_label(Duration::ZERO), "disabled");
}

proptest! {
    /// Whatever happens, what was given out to be kept is what is there, but for the latest
    /// messages' times.
    #[test]
    fn the_store_can_be_rebuilt_from_the_outputs(
        steps in prop::collection::vec((0..6u8, 1..4u64, 0..10_000_000u64), 0..60),
    ) {
        let mut bindings = bindings("idleHours: 2, maxAgeHours: 5");
        let mut store: BTreeMap<BoundPlace, BindingRecord> = BTreeMap::new();
        let mut now = START;
        for (step, id, pause) in steps {
            now += pause;
            let place = BoundPlace::Channel(ChannelId::new(id));
            match step {
                0 => drop(bindings.bind(now, to_codex(place)).cloned()),
                1 => drop(bindings.unbind(now, place)),
                2 => drop(bindings.touch(now, place).cloned()),
                3 => drop(bindings.set_idle(now, place, Duration::from_millis(pause)).cloned()),
                4 => bindings.sweep(now),
                _ => drop(bindings.gone(now, ChannelId::new(id), Ended::Archived)),
            }
            while let Some(output) = bindings.poll_output() {
                match output {
                    BindingOutput::Save(record) => drop(store.insert(record.place, record)),
                    BindingOutput::Delete { place, .. } => drop(store.remove(&place)),
                    BindingOutput::Say { .. } | BindingOutput::Look(_) => {}
                }
            }
            prop_assert_eq!(store.len(), bindings.records().count());
            for record in bindings.records() {
                let kept = &store[&record.place];
                prop_assert!(record.last_activity - kept.last_activity < SAVE_MS);
                let same = BindingRecord { last_activity: record.last_activity, ..kept.clone() };
                prop_assert_eq!(&same, record);
            }
        }
    }
}
