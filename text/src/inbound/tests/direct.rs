//! Scenarios 15 to 22.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::DmPolicy;
use clawvoice_session::{ChannelId, GuildId, access::Audience};

use super::scene::{ADA, BEN, DM, GROUP, Scene, message, parse, says};
use crate::{
    inbound::{InboundPolicy, Known, Need, Verdict},
    place::Places,
};

fn dm(user: u64) -> crate::message::Message {
    says(DM, user, "hi")
}

#[test]
fn a_stranger_is_to_be_paired() {
    let scene = Scene::new("allowFrom: ['31']", "");
    assert_eq!(scene.outcome(&dm(ADA)), "admitted");
    assert_eq!(scene.judge(&dm(BEN)), Verdict::Needs(Need::Paired));
    let answered = |paired| Known { paired: Some(paired), ..scene.known() };
    assert_eq!(scene.outcome_with(&dm(BEN), &answered(true)), "admitted");
    assert_eq!(scene.outcome_with(&dm(BEN), &answered(false)), "dm-pairing-required");
    let bound = Known { dm_is_bound: true, ..scene.known() };
    assert_eq!(scene.outcome_with(&dm(BEN), &bound), "admitted");
}

#[test]
fn an_allowlist_is_not_widened_by_pairing() {
    let scene = Scene::new("dmPolicy: 'allowlist', allowFrom: ['<@!31>']", "");
    assert_eq!(scene.outcome(&dm(ADA)), "admitted");
    let paired = Known { paired: Some(true), ..scene.known() };
    assert_eq!(scene.outcome_with(&dm(BEN), &paired), "dm-not-allowlisted");
}

#[test]
fn disabled_is_disabled() {
    let scene = Scene::new("dmPolicy: 'disabled', allowFrom: ['31']", "");
    assert_eq!(scene.outcome(&dm(ADA)), "dm-policy-disabled");
}

/// Scenario 15 of the text scenarios.
#[test]
fn open_opens_only_with_the_star() {
    let text = "{ channels: { discord: { token: 'a', dmPolicy: 'open', allowFrom: ['31'] } } }";
    let env: BTreeMap<String, String> = BTreeMap::new();
    assert!(clawvoice_config::parse(text, Path::new("/etc/claw.json5"), &env).is_err());
    let mut config = parse("allowFrom: ['31']", "");
    config.discord.access.dm_policy = DmPolicy::Open;
    let scene = Scene::of(InboundPolicy::new(&config, &config.discord, "default"));
    assert_eq!(scene.outcome(&dm(ADA)), "admitted");
    let paired = Known { paired: Some(true), ..scene.known() };
    assert_eq!(scene.outcome_with(&dm(BEN), &paired), "dm-not-allowlisted");
    let open = Scene::new("dmPolicy: 'open', allowFrom: ['*']", "");
    assert_eq!(open.outcome(&dm(BEN)), "admitted");
}

/// Scenario 16 of the text scenarios.
#[test]
fn an_account_inherits_the_roots_list_and_not_the_default_accounts() {
    let config = parse(
        "dmPolicy: 'allowlist', allowFrom: ['31'], \
         accounts: { default: { allowFrom: ['40'] }, x: { token: 'b.c.d' } }",
        "",
    );
    let of = |id: &str| {
        let account = config.accounts.iter().find(|account| account.id == id).unwrap();
        Scene::of(InboundPolicy::new(&config, &account.discord, id))
    };
    let x = of("x");
    assert_eq!(
        (x.outcome(&dm(ADA)), x.outcome(&dm(BEN))),
        ("admitted".into(), "dm-not-allowlisted".into())
    );
    let default = of("default");
    assert_eq!(default.outcome(&dm(BEN)), "admitted");
    assert_eq!(default.outcome(&dm(ADA)), "dm-not-allowlisted");
}

/// Scenario 17 of the text scenarios.
#[test]
fn a_group_that_is_not_there_admits_nobody() {
    let scene = Scene::new("dmPolicy: 'allowlist', allowFrom: ['accessGroup:missing']", "");
    assert_eq!(scene.outcome(&dm(ADA)), "dm-not-allowlisted");
}

/// Scenarios 18 to 20 of the text scenarios, what becomes of the answer.
#[test]
fn an_audience_is_asked_for_and_not_knowing_is_no() {
    let groups = "accessGroups: { staff: { type: 'discord.channelAudience', guildId: '10', \
        channelId: '102' } }";
    let list = "allowFrom: ['accessGroup:staff', '31']";
    let scene = Scene::new(&format!("dmPolicy: 'allowlist', {list}"), groups);
    let staff = Audience { guild: GuildId::new(10), channel: ChannelId::new(102) };
    assert_eq!(scene.outcome(&dm(ADA)), "admitted", "who is listed is not asked about");
    assert_eq!(scene.judge(&dm(BEN)), Verdict::Needs(Need::Audience(staff)));
    for (belongs, outcome) in [(true, "admitted"), (false, "dm-not-allowlisted")] {
        let audiences = [(staff, belongs)];
        let known = Known { audiences: &audiences, ..scene.known() };
        assert_eq!(scene.outcome_with(&dm(BEN), &known), outcome);
    }
    // The store is nearer than Discord.
    let scene = Scene::new(list, groups);
    assert_eq!(scene.judge(&dm(BEN)), Verdict::Needs(Need::Paired));
    let known = Known { paired: Some(false), ..scene.known() };
    assert_eq!(scene.outcome_with(&dm(BEN), &known), format!("needs {:?}", Need::Audience(staff)));
}

/// Scenario 21 of the text scenarios.
#[test]
fn switched_off_direct_messages_get_no_code() {
    let scene = Scene::new("dm: { enabled: false }, allowFrom: ['31']", "");
    assert_eq!(scene.outcome(&dm(ADA)), "dm-disabled");
    assert_eq!(scene.outcome(&dm(BEN)), "dm-disabled", "the pairing store is not asked");
}

/// Scenario 22 of the text scenarios.
#[test]
fn groups_of_people_are_switched_on_and_listed() {
    let hi = says(GROUP, BEN, "hi");
    for (dm, outcome) in [
        ("", "group-dm-disabled"),
        ("dm: { groupEnabled: true }", "admitted"),
        ("dm: { groupEnabled: true, groupChannels: [] }", "admitted"),
        ("dm: { groupEnabled: true, groupChannels: ['301'] }", "admitted"),
        ("dm: { groupEnabled: true, groupChannels: ['book-club'] }", "admitted"),
        ("dm: { groupEnabled: true, groupChannels: ['302', 'chess'] }", "group-dm-not-allowlisted"),
        ("dm: { groupChannels: ['301'] }", "group-dm-disabled"),
    ] {
        assert_eq!(Scene::new(dm, "").outcome(&hi), outcome, "{dm}");
    }
}

#[test]
fn an_unknown_channel_is_looked_up_and_then_taken_for_a_private_one() {
    let scene = Scene { places: Places::default(), ..Scene::new("allowFrom: ['31']", "") };
    let channel = ChannelId::new(DM);
    assert_eq!(scene.judge(&dm(ADA)), Verdict::Needs(Need::Channel(channel)));
    let unknown = [channel];
    let known = Known { unknown: &unknown, ..scene.known() };
    assert_eq!(scene.outcome_with(&dm(ADA), &known), "admitted");
}

/// A command in private needs an authority, too.
#[test]
fn a_command_in_private() {
    let reset = says(DM, ADA, "/reset");
    let open = "dmPolicy: 'open', allowFrom: ['*']";
    assert_eq!(Scene::new(open, "").outcome(&reset), "control-command-unauthorized");
    let loose = "commands: { useAccessGroups: false }";
    assert_eq!(Scene::new(open, loose).outcome(&reset), "admitted");
    let owned = "commands: { ownerAllowFrom: ['31'] }";
    assert_eq!(Scene::new(open, owned).outcome(&reset), "admitted");
    assert_eq!(Scene::new("allowFrom: ['31']", "").outcome(&reset), "admitted");
    let attached = message(DM, ADA, r#""content":"/etc is full","attachments":[{"filename":"a"}]"#);
    assert_eq!(Scene::new(open, "").outcome(&attached), "admitted", "that is no command");
}
