//! A message as the gateway tells it, and what becomes of it: the first byte says by which rules, the
//! second what is found out, the rest is the message.
#![no_main]

use std::{collections::BTreeMap, path::Path, sync::OnceLock};

use clawvoice_fuzz::Input;
use clawvoice_session::{ChannelId, UserId, access::Audience};
use clawvoice_text::{
    inbound::{
        BoundThread, Hydration, InboundPolicy, Known, Need, Sent, Verdict, hydrated, judge, read,
    },
    message::Message,
    place::{Channel, PlaceKind, Places},
};

/// The bot, by the id of localcord's.
const OWN: UserId = UserId::new(1_100_000_000_000_000_022);
const GENERAL: ChannelId = ChannelId::new(1_100_000_000_000_000_011);

/// Rules that differ in what they ask for.
const RULES: [&str; 4] = [
    "",
    "groupPolicy: 'open', guilds: { '*': { requireMention: false, users: ['pk:a', 'role:5'] } },
     allowBots: true, pluralkit: { enabled: true }",
    "groupPolicy: 'open', allowBots: 'mentions', dmPolicy: 'allowlist', allowFrom: ['accessGroup:x'],
     guilds: { '*': { ignoreOtherMentions: true, users: ['accessGroup:x'] } }",
    "dmPolicy: 'open', allowFrom: ['*'], dangerouslyAllowNameMatching: true,
     guilds: { localcord: { channels: { general: { users: ['Ada'] }, '*': { enabled: false } } } }",
];

fn policies() -> &'static [InboundPolicy] {
    static POLICIES: OnceLock<Vec<InboundPolicy>> = OnceLock::new();
    POLICIES.get_or_init(|| {
        let of = |keys: &str| {
            let audience = "{ type: 'discord.channelAudience', guildId: '1', channelId: '2' }";
            let text = format!(
                "{{ channels: {{ discord: {{ token: 'a.b.c', {keys} }} }},
                 accessGroups: {{ x: {audience} }},
                 agents: {{ list: [{{ id: 'main', identity: {{ name: 'Molty' }} }}] }} }}"
            );
            let env: BTreeMap<String, String> = BTreeMap::new();
            let config = clawvoice_config::parse(&text, Path::new("/c.json5"), &env);
            let config = config.unwrap_or_else(|errors| panic!("{errors}"));
            InboundPolicy::new(&config, &config.discord, "default")
        };
        RULES.iter().map(|keys| of(keys)).collect()
    })
}

/// What was found out so far.
#[derive(Default)]
struct Found {
    unknown: Vec<ChannelId>,
    hydration: Option<Hydration>,
    plural: bool,
    paired: Option<bool>,
    audiences: Vec<(Audience, bool)>,
    transcript: bool,
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let policy = &policies()[usize::from(input.below(RULES.len() as u8))];
    let facts = input.byte();
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    let Ok(mut message) = read(text) else { return };
    let mut places = Places::default();
    let kind = if facts & 1 == 0 { PlaceKind::Text } else { PlaceKind::Thread };
    places.put(Channel {
        id: GENERAL,
        guild: message.guild,
        kind,
        name: "general".to_owned(),
        parent: (facts & 1 == 1).then_some(ChannelId::new(3)),
        topic: None,
        owner: Some(OWN),
        archived: false,
        requires_tag: false,
        last_message: None,
    });
    let sent = Sent::default();
    let mut found = Found::default();
    // Everything that can be asked is asked once; a message has two channels at most.
    for _ in 0..12 {
        let known = Known {
            unknown: &found.unknown,
            hydration: found.hydration.unwrap_or(Hydration::NotAsked),
            plural: found.plural.then_some(None),
            paired: found.paired,
            audiences: &found.audiences,
            transcript: found.transcript.then_some(Some("molty, hello")),
            bound: (facts & 2 != 0).then_some(BoundThread { webhook: None }),
            dm_is_bound: facts & 4 != 0,
            after_downtime: facts & 8 != 0,
            ..Known::new(OWN, &places, &sent, message.unix_ms().saturating_add(1))
        };
        let verdict = judge(&message, &known, policy);
        assert_eq!(verdict, judge(&message, &known, policy), "nothing is remembered");
        match verdict {
            Verdict::Needs(need) => learn(need, &mut found, &mut message, facts),
            Verdict::Admit(admitted) => {
                assert_ne!(message.author.id, OWN);
                assert!(admitted.text.chars().count() <= 32_000);
                return;
            }
            Verdict::Drop(dropped) => {
                assert!(!dropped.remember || message.is_written());
                return;
            }
            Verdict::SystemEvent(_) => return,
        }
    }
    panic!("it is asked for ever");
});

fn learn(need: Need, found: &mut Found, message: &mut Message, facts: u8) {
    match need {
        Need::Channel(channel) => {
            assert!(!found.unknown.contains(&channel), "asked twice");
            found.unknown.push(channel);
        }
        Need::Hydrate => {
            assert!(found.hydration.is_none(), "asked twice");
            found.hydration = Some(match facts & 16 {
                0 => Hydration::Failed,
                _ => {
                    *message = hydrated(message, message.clone());
                    Hydration::Done
                }
            });
        }
        Need::PluralKit => assert!(!std::mem::replace(&mut found.plural, true), "asked twice"),
        Need::Paired => {
            assert!(found.paired.replace(facts & 32 != 0).is_none(), "asked twice");
        }
        Need::Audience(audience) => found.audiences.push((audience, facts & 64 != 0)),
        Need::Transcript => {
            assert!(!std::mem::replace(&mut found.transcript, true), "asked twice");
        }
    }
}
