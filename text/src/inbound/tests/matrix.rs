//! Tens of thousands of cases, each judged and compared with the documented rules
//! ([`super::oracle`]): policy × sender × role × channel × mention × thread.

use std::collections::BTreeMap;

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

use super::{
    case::{
        Answer, Bots, Case, Channel, Content, Dms, Groups, Guild, Key, Listed, Place, Sender,
        Setup, To,
    },
    oracle::answer,
    scene::Scene,
    writing::{scene, written},
};
use crate::{
    inbound::{BoundThread, Hydration, Known, Need, PluralMember, Verdict, judge},
    message::Message,
};

const SETUPS: usize = 600;
const CASES: usize = 60;

#[test]
fn every_decision_is_as_documented() {
    let mut rng = SmallRng::seed_from_u64(7);
    let member = PluralMember::read(br#"{"member":{"id":"abcde","name":"Skye"}}"#);
    let member = member.unwrap().unwrap();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut asserted = 0;
    for _ in 0..SETUPS {
        let setup = setup(&mut rng);
        let scene = scene(&setup);
        for _ in 0..CASES {
            let case = case(&mut rng);
            let expected = answer(&setup, &case);
            let message = written(&case);
            let got = told(&settled(&scene, &case, &message, &member));
            assert_eq!(got, expected, "{case:#?} {setup:#?}");
            *seen.entry(format!("{expected:?}")).or_default() += 1;
            asserted += 1;
        }
    }
    println!("access matrix: {asserted} cases asserted\n{seen:#?}");
    assert!(asserted >= 20_000);
    let reasons = [
        "self-message",
        "bot-not-allowed",
        "group-dm-disabled",
        "dm-disabled",
        "dm-policy-disabled",
        "dm-not-allowlisted",
        "dm-pairing-required",
        "command-message",
        "guild-not-configured",
        "channel-disabled",
        "group-dm-not-allowlisted",
        "group-policy-disabled",
        "group-policy-no-guild",
        "channel-not-allowlisted",
        "member-not-allowed",
        "control-command-unauthorized",
        "no-mention",
        "bot-missing-mention",
        "other-mention",
        "system-event",
        "empty-content",
        "Admitted",
    ];
    for reason in reasons {
        let count: usize = seen.iter().filter(|(it, _)| it.contains(reason)).map(|(_, n)| n).sum();
        assert!(count >= 20, "{reason} is met {count} times only");
    }
}

/// Answers whatever is needed until there is a verdict.
fn settled(scene: &Scene, case: &Case, message: &Message, member: &PluralMember) -> Verdict {
    let mut audiences = Vec::new();
    let mut known = Known {
        bound: case.bound.then_some(BoundThread { webhook: None }),
        dm_is_bound: case.dm_bound,
        ..scene.known()
    };
    for _ in 0..10 {
        let known_now = Known { audiences: &audiences, ..known };
        match judge(message, &known_now, &scene.policy) {
            Verdict::Needs(Need::Hydrate) => known.hydration = Hydration::Failed,
            Verdict::Needs(Need::PluralKit) => {
                known.plural = Some((case.sender == Sender::Plural).then_some(member));
            }
            Verdict::Needs(Need::Paired) => known.paired = Some(case.paired),
            Verdict::Needs(Need::Audience(audience)) => {
                audiences.push((audience, case.sees_channel));
            }
            Verdict::Needs(need) => panic!("{need:?} is needed"),
            verdict => return verdict,
        }
    }
    panic!("it never ends: {case:?}")
}

fn told(verdict: &Verdict) -> Answer {
    match verdict {
        Verdict::Drop(dropped) if dropped.remember => Answer::Remembered(dropped.reason.code()),
        Verdict::Drop(dropped) => Answer::Dropped(dropped.reason.code()),
        Verdict::SystemEvent(_) => Answer::Dropped("system-event"),
        Verdict::Admit(admitted) => {
            Answer::Admitted { addressed: admitted.addressed, command: admitted.command.is_some() }
        }
        Verdict::Needs(need) => panic!("{need:?}"),
    }
}

fn one<T: Copy>(rng: &mut SmallRng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

fn perhaps<T>(rng: &mut SmallRng, chance: f64, it: impl FnOnce(&mut SmallRng) -> T) -> Option<T> {
    rng.random_bool(chance).then(|| it(rng))
}

fn list(rng: &mut SmallRng) -> Vec<Listed> {
    let all = [
        Listed::Ada,
        Listed::Star,
        Listed::Plural,
        Listed::Name,
        Listed::Crew,
        Listed::Missing,
        Listed::Audience,
    ];
    (0..rng.random_range(0..3)).map(|_| one(rng, &all)).collect()
}

fn setup(rng: &mut SmallRng) -> Setup {
    Setup {
        bots: one(rng, &[Bots::No, Bots::Mentions, Bots::Yes]),
        plural_kit: rng.random_bool(0.6),
        names: rng.random_bool(0.4),
        groups: one(rng, &[Groups::Open, Groups::Open, Groups::Allowlist, Groups::Disabled]),
        dm_enabled: rng.random_bool(0.8),
        dms: one(rng, &[Dms::Pairing, Dms::Allowlist, Dms::Open, Dms::Disabled]),
        allow_from: perhaps(rng, 0.7, list),
        group_dms: rng.random_bool(0.7),
        group_list: perhaps(rng, 0.6, |rng| rng.random_bool(0.5)),
        by_id: perhaps(rng, 0.5, guild),
        by_name: perhaps(rng, 0.3, guild),
        by_star: perhaps(rng, 0.3, guild),
        other_guild: rng.random_bool(0.3),
        words: rng.random_bool(0.6),
        access_groups: rng.random_bool(0.5),
        owner: rng.random_bool(0.5),
        command_list: perhaps(rng, 0.25, list),
    }
}

fn guild(rng: &mut SmallRng) -> Guild {
    let keys =
        [Key::General, Key::GeneralByName, Key::Help, Key::HelpByName, Key::Thread, Key::Star];
    let mut channels = Vec::new();
    for key in keys {
        if rng.random_bool(0.25) {
            channels.push((key, channel(rng)));
        }
    }
    Guild {
        require: perhaps(rng, 0.6, |rng| rng.random_bool(0.3)),
        ignore_other: rng.random_bool(0.4),
        ignore_broadcast: rng.random_bool(0.3),
        users: perhaps(rng, 0.3, list),
        roles: perhaps(rng, 0.3, |rng| rng.random_bool(0.8)),
        channels,
    }
}

fn channel(rng: &mut SmallRng) -> Channel {
    Channel {
        enabled: rng.random_bool(0.8),
        require: perhaps(rng, 0.5, |rng| rng.random_bool(0.4)),
        ignore_other: perhaps(rng, 0.3, |rng| rng.random_bool(0.6)),
        users: perhaps(rng, 0.3, list),
        roles: perhaps(rng, 0.2, |rng| rng.random_bool(0.7)),
        auto_thread: rng.random_bool(0.4),
    }
}

fn case(rng: &mut SmallRng) -> Case {
    let place = one(
        rng,
        &[
            Place::General,
            Place::Help,
            Place::Secret,
            Place::Thread,
            Place::OwnThread,
            Place::Direct,
            Place::Group,
        ],
    );
    let content = one(
        rng,
        &[
            Content::Text,
            Content::Text,
            Content::Text,
            Content::Command,
            Content::Sticker,
            Content::Nothing,
            Content::Notice,
            Content::Record,
        ],
    );
    let to = match content {
        Content::Text | Content::Command => one(
            rng,
            &[
                To::Nobody,
                To::Own,
                To::OwnRaw,
                To::OwnInCode,
                To::ReplyToOwn,
                To::ReplyToOther,
                To::Everyone,
                To::Other,
                To::Role,
                To::Word,
                To::OwnAndOther,
            ],
        ),
        Content::Sticker | Content::Nothing => one(rng, &[To::Nobody, To::Own, To::ReplyToOwn]),
        Content::Notice | Content::Record => To::Nobody,
    };
    let senders = [
        Sender::Own,
        Sender::Stranger,
        Sender::Stranger,
        Sender::Ada,
        Sender::Ada,
        Sender::Owner,
        Sender::Crew,
        Sender::Bot,
        Sender::Plural,
        Sender::Webhook,
    ];
    Case {
        sender: one(rng, &senders),
        place,
        to,
        content,
        bound: matches!(place, Place::Thread | Place::OwnThread) && rng.random_bool(0.3),
        dm_bound: place == Place::Direct && rng.random_bool(0.2),
        paired: rng.random_bool(0.4),
        sees_channel: rng.random_bool(0.5),
    }
}
