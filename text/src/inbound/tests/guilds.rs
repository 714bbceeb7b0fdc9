//! Scenarios 23 to 30.

use std::{collections::BTreeMap, path::Path};

use clawvoice_session::{ChannelId, GuildId, access::Audience};

use super::scene::{
    ADA, BEN, GENERAL, GUILD, HELP, SECRET, Scene, THREAD, asks, message, message_by, says,
};
use crate::{
    inbound::{InboundPolicy, Known, Need, Verdict, judge, place},
    place::Channel,
};

/// Scenario 23 of the text scenarios.
#[test]
fn a_token_alone_listens_in_no_guild() {
    let env: BTreeMap<String, String> =
        [("DISCORD_BOT_TOKEN".to_owned(), "a.b.c".to_owned())].into();
    let text = "{ channels: { defaults: { groupPolicy: 'open' } } }";
    let config = clawvoice_config::parse(text, Path::new("/etc/claw.json5"), &env).unwrap();
    assert!(
        config.warnings.iter().any(|it| it.to_string().contains("listens to text in no server"))
    );
    let scene = Scene::of(InboundPolicy::new(&config, &config.discord, "default"));
    assert_eq!(scene.outcome(&asks(GENERAL, ADA, "hi")), "group-policy-no-guild");
}

/// Scenario 24 of the text scenarios.
#[test]
fn a_guild_without_channels_is_open_to_mentions() {
    let scene = Scene::new("guilds: { '10': {} }", "");
    assert_eq!(scene.outcome(&asks(SECRET, ADA, "hi")), "admitted");
    assert_eq!(scene.outcome(&says(SECRET, ADA, "hi")), "no-mention");
    let by_slug = Scene::new("guilds: { 'the-guild': {} }", "");
    assert_eq!(by_slug.outcome(&asks(GENERAL, ADA, "hi")), "admitted");
    let other = Scene::new("groupPolicy: 'open', guilds: { '11': {} }", "");
    assert_eq!(other.outcome(&asks(GENERAL, ADA, "hi")), "guild-not-configured");
    let disabled = Scene::new("groupPolicy: 'disabled', guilds: { '10': {} }", "");
    assert_eq!(disabled.outcome(&asks(GENERAL, ADA, "hi")), "group-policy-disabled");
}

/// Scenario 25 of the text scenarios.
#[test]
fn a_channel_that_is_not_listed_is_named() {
    let scene = Scene::new("guilds: { '10': { channels: { '100': {} } } }", "");
    let Verdict::Drop(dropped) = scene.judge(&asks(SECRET, ADA, "hi")) else { panic!("taken") };
    assert_eq!(dropped.reason.code(), "channel-not-allowlisted");
    assert!(dropped.reason.is_told() && !dropped.remember);
    assert_eq!(dropped.detail.as_deref(), Some("channel 102"));
    assert_eq!(scene.outcome(&asks(GENERAL, ADA, "hi")), "admitted");
}

/// Scenario 26 of the text scenarios.
#[test]
fn what_an_entry_leaves_unset_is_the_guilds_and_not_the_stars() {
    let channels = "channels: { '*': { requireMention: false, autoThread: true }, '100': {} }";
    let scene = Scene::new(&format!("guilds: {{ '10': {{ {channels} }} }}"), "");
    assert_eq!(scene.outcome(&says(HELP, ADA, "hi")), "admitted");
    assert_eq!(scene.outcome(&says(GENERAL, ADA, "hi")), "no-mention");
    let at = |channel| place(&scene.places, GuildId::new(GUILD), ChannelId::new(channel));
    let opens_threads = |channel| scene.policy.rules.access.find(&at(channel)).opens_threads();
    assert!(opens_threads(HELP) && !opens_threads(GENERAL));
    let entry = |channel| scene.policy.entry(&at(channel)).unwrap().channel.unwrap();
    assert!(entry(HELP).auto_thread && !entry(GENERAL).auto_thread);
    assert!(std::ptr::eq(entry(THREAD), entry(GENERAL)), "a thread has its parent's");
    let stars = "guilds: { '*': { requireMention: false }, '10': {} }";
    assert_eq!(Scene::new(stars, "").outcome(&says(HELP, ADA, "hi")), "no-mention");
}

/// Scenario 27 of the text scenarios.
#[test]
fn a_thread_is_as_its_parent_whatever_it_is_called() {
    let only = |key: &str| {
        Scene::new(&format!("guilds: {{ '10': {{ channels: {{ {key}: {{}} }} }} }}"), "")
    };
    let hi = asks(THREAD, ADA, "hi");
    for key in ["'100'", "general", "'200'", "'*'"] {
        assert_eq!(only(key).outcome(&hi), "admitted", "{key}");
    }
    assert_eq!(only("help").outcome(&hi), "channel-not-allowlisted", "that is its own name");
    let own = "guilds: { '10': { channels: { '200': { enabled: false }, '100': {} } } }";
    assert_eq!(Scene::new(own, "").outcome(&hi), "channel-disabled");
    let mut renamed = Scene::new("guilds: { '10': { channels: { secret: {} } } }", "");
    let json = r#"{"id":"200","type":11,"name":"secret","parent_id":"100"}"#;
    renamed.places.put(Channel::read(json, Some(GuildId::new(GUILD))).unwrap());
    assert_eq!(renamed.outcome(&hi), "channel-not-allowlisted");
}

fn with_role(author: u64, role: u64) -> crate::message::Message {
    let rest =
        format!(r#""content":"<@1> hi","mentions":[{{"id":"1"}}],"member":{{"roles":["{role}"]}}"#);
    message(GENERAL, author, &rest)
}

/// Scenario 28 of the text scenarios.
#[test]
fn users_or_roles_admit_and_nobody_else_is_remembered() {
    let scene = Scene::new("guilds: { '10': { users: ['31'], roles: ['role:80'] } }", "");
    assert_eq!(scene.outcome(&asks(GENERAL, ADA, "hi")), "admitted");
    assert_eq!(scene.outcome(&with_role(BEN, 80)), "admitted");
    assert_eq!(scene.outcome(&with_role(BEN, 81)), "member-not-allowed");
    let Verdict::Drop(dropped) = scene.judge(&says(GENERAL, BEN, "psst")) else { panic!("taken") };
    assert_eq!((dropped.reason.code(), dropped.remember), ("member-not-allowed", false));
    let Verdict::Drop(dropped) = scene.judge(&says(GENERAL, ADA, "psst")) else { panic!("taken") };
    assert_eq!((dropped.reason.code(), dropped.remember), ("no-mention", true));
}

/// Scenario 29 of the text scenarios.
#[test]
fn a_star_opens_one_room() {
    let channels = "channels: { '100': { users: ['*'] }, '101': {} }";
    let scene = Scene::new(&format!("guilds: {{ '10': {{ users: ['31'], {channels} }} }}"), "");
    assert_eq!(scene.outcome(&asks(GENERAL, BEN, "hi")), "admitted");
    assert_eq!(scene.outcome(&asks(HELP, BEN, "hi")), "member-not-allowed");
}

/// Scenario 30 of the text scenarios; what the audit says of it is the program's.
#[test]
fn a_name_admits_nobody_unless_names_are_matched() {
    let users = "guilds: { '10': { users: ['Ada L'] } }";
    let ada = r#"{"id":"31","username":"x","global_name":"ada l"}"#;
    let rest = r#""content":"<@1> hi","mentions":[{"id":"1"}]"#;
    let hi = message_by(GENERAL, ada, rest);
    assert_eq!(Scene::new(users, "").outcome(&hi), "member-not-allowed");
    let matching = Scene::new(&format!("{users}, dangerouslyAllowNameMatching: true"), "");
    assert_eq!(matching.outcome(&hi), "admitted");
    // Nicknames are given by others.
    let nick = format!(r#"{rest},"member":{{"nick":"Ada L"}}"#);
    assert_eq!(matching.outcome(&message(GENERAL, BEN, &nick)), "member-not-allowed");
}

/// A channel's audience as the list of a room.
#[test]
fn an_audience_may_be_a_rooms_list() {
    let groups = "accessGroups: { staff: { type: 'discord.channelAudience', guildId: '10', \
        channelId: '102' } }";
    let scene = Scene::new("guilds: { '10': { users: ['accessGroup:staff'] } }", groups);
    let hi = asks(GENERAL, BEN, "hi");
    let Verdict::Needs(Need::Audience(staff)) = scene.judge(&hi) else { panic!("not asked") };
    for (belongs, outcome) in [(true, "admitted"), (false, "member-not-allowed")] {
        let audiences = [(staff, belongs)];
        let known = Known { audiences: &audiences, ..scene.known() };
        assert_eq!(scene.outcome_with(&hi, &known), outcome);
    }
}

#[test]
fn an_unknown_thread_and_its_parent_are_looked_up() {
    let mut scene = Scene::new("guilds: { '10': { channels: { hall: {} } } }", "");
    let hi = asks(500, ADA, "hi");
    assert_eq!(scene.judge(&hi), Verdict::Needs(Need::Channel(ChannelId::new(500))));
    let json = r#"{"id":"500","type":11,"name":"q","parent_id":"501"}"#;
    scene.places.put(Channel::read(json, Some(GuildId::new(GUILD))).unwrap());
    assert_eq!(scene.judge(&hi), Verdict::Needs(Need::Channel(ChannelId::new(501))));
    let unknown = [ChannelId::new(501)];
    let known = Known { unknown: &unknown, ..scene.known() };
    assert_eq!(scene.outcome_with(&hi, &known), "channel-not-allowlisted");
    let json = r#"{"id":"501","type":0,"name":"Hall"}"#;
    scene.places.put(Channel::read(json, Some(GuildId::new(GUILD))).unwrap());
    assert_eq!(scene.outcome(&hi), "admitted");
}

/// Whom a list of tools is for by what they can see is asked, before anything is granted.
#[test]
fn the_tools_of_a_place_go_with_the_message() {
    let guilds = "guilds: { '10': {
        tools: { deny: ['exec'] },
        toolsBySender: { '31': { allow: ['read'] }, 'accessGroup:staff': { allow: ['exec'] } },
    } }";
    let groups = "accessGroups: { staff: {
        type: 'discord.channelAudience', guildId: '10', channelId: '102',
    } }";
    let scene = Scene::new(guilds, groups);
    let message = asks(GENERAL, BEN, "hi");
    let staff = Audience { guild: GuildId::new(GUILD), channel: ChannelId::new(SECRET) };
    assert_eq!(scene.judge(&message), Verdict::Needs(Need::Audience(staff)));
    let tools = |message, belongs| {
        let audiences = [(staff, belongs)];
        let known = Known { audiences: &audiences, ..scene.known() };
        let Verdict::Admit(admitted) = judge(message, &known, &scene.policy) else { panic!() };
        admitted.tools.unwrap()
    };
    let one = |name: &str| Some(vec![name.to_owned()]);
    assert_eq!(tools(&message, false).deny, one("exec"));
    assert_eq!(tools(&message, true).allow, one("exec"));
    assert_eq!(tools(&asks(GENERAL, ADA, "hi"), true).allow, one("read"));
}
