use std::{collections::BTreeMap, path::Path};

use clawvoice_config::Config;
use clawvoice_session::{ChannelId, GuildId, RoleId, SessionKey, UserId};
use proptest::prelude::*;

use super::*;

const GUILD: GuildId = GuildId::new(1);
const ADA: UserId = UserId::new(31);
const CREW: &[RoleId] = &[RoleId::new(80), RoleId::new(81)];

/// A file with two accounts and the agents `main` (default), `sales` and `ops`.
pub(crate) fn config(rest: &str) -> Config {
    let text = format!(
        "{{ agents: {{ list: [{{ id: 'main' }}, {{ id: 'sales' }}, {{ id: 'Ops.EU' }}] }},
        channels: {{ discord: {{ accounts: {{
            default: {{ token: 'a.b.c' }}, work: {{ token: 'd.e.f' }} }} }} }}, {rest} }}"
    );
    parse(&text)
}

pub(crate) fn parse(text: &str) -> Config {
    let env: BTreeMap<String, String> = BTreeMap::new();
    clawvoice_config::parse(text, Path::new("/etc/claw.json5"), &env)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn router_of(config: &Config, account: &str) -> Router {
    let found = config.accounts.iter().find(|it| it.id == account).expect("the account is there");
    Router::new(config, account, &found.discord)
}

fn router(bindings: &str) -> Router {
    router_of(&config(&format!("bindings: [{bindings}]")), "default")
}

pub(crate) fn channel(id: u64) -> Origin<'static> {
    Origin {
        surface: Surface::Channel,
        channel: ChannelId::new(id),
        channel_name: "General",
        guild: Some(GUILD),
        guild_name: "Friends of Claw",
        roles: &[],
        sender: ADA,
    }
}

pub(crate) fn thread(id: u64, parent: u64) -> Origin<'static> {
    Origin { surface: Surface::Thread { parent: ChannelId::new(parent) }, ..channel(id) }
}

pub(crate) fn direct(user: u64) -> Origin<'static> {
    let user = UserId::new(user);
    let surface = Surface::Direct { user };
    Origin { surface, guild: None, guild_name: "", channel_name: "", sender: user, ..channel(70) }
}

fn binding(agent: &str, matched: &str) -> String {
    format!("{{ agentId: '{agent}', match: {{ channel: 'discord', {matched} }} }}")
}

fn took(router: &Router, from: &Origin<'_>) -> (String, Tier) {
    let route = router.route(from);
    (route.agent, route.matched)
}

/// Scenario 41 of the text scenarios.
#[test]
fn a_role_goes_before_its_guild() {
    let router = router(
        &[binding("main", "guildId: '1'"), binding("sales", "guildId: '1', roles: ['90', '81']")]
            .join(","),
    );
    let with_role = Origin { roles: CREW, ..channel(5) };
    assert_eq!(took(&router, &with_role), ("sales".to_owned(), Tier::GuildRoles));
    assert_eq!(took(&router, &channel(5)), ("main".to_owned(), Tier::Guild));
    let elsewhere = Origin { guild: Some(GuildId::new(2)), ..with_role };
    assert_eq!(took(&router, &elsewhere), ("main".to_owned(), Tier::Default));
}

/// Scenario 42 of the text scenarios.
#[test]
fn a_thread_has_its_parents_agent_and_a_session_of_its_own() {
    let router = router(&binding("sales", "peer: { kind: 'channel', id: '5' }"));
    let route = router.route(&thread(9, 5));
    assert_eq!((route.agent.as_str(), route.matched), ("sales", Tier::ParentPeer));
    assert_eq!(route.key.as_str(), "agent:sales:discord:channel:9");
    assert_eq!(route.last, LastRoute { account: "default".to_owned(), channel: ChannelId::new(9) });
    assert_eq!(took(&router, &channel(5)), ("sales".to_owned(), Tier::Peer));
    assert_eq!(took(&router, &thread(9, 6)), ("main".to_owned(), Tier::Default));
}

/// Scenario 43 of the text scenarios.
#[test]
fn a_binding_without_an_account_is_for_the_default_account_alone() {
    let config = config(&format!("bindings: [{}]", binding("sales", "guildId: '1'")));
    assert_eq!(took(&router_of(&config, "work"), &channel(5)), ("main".to_owned(), Tier::Default));
    let default = router_of(&config, "default");
    assert_eq!(took(&default, &channel(5)), ("sales".to_owned(), Tier::Guild));
}

/// Scenario 27 of the text scenarios, as far as routes go: they go by ids, so what a thread is
/// called takes it nowhere.
#[test]
fn a_threads_name_takes_it_nowhere() {
    let router = router(&binding("sales", "peer: { kind: 'channel', id: '5' }"));
    let renamed = Origin { channel_name: "staff", ..thread(9, 5) };
    let before = router.route(&thread(9, 5));
    let after = router.route(&renamed);
    assert_eq!((after.agent, after.key, after.matched), (before.agent, before.key, before.matched));
    assert_eq!(router.display(&renamed), "discord:friends-of-claw#staff");
}

#[test]
fn which_account_is_the_default_one_the_file_says() {
    let text = "{ agents: { list: [{ id: 'main' }, { id: 'sales' }] },
        channels: { discord: { defaultAccount: 'b', accounts: {
            a: { token: 'a.b.c' }, b: { token: 'd.e.f' } } } },
        bindings: [{ agentId: 'sales', match: { channel: 'discord' } }] }";
    let config = parse(text);
    let of = |account| took(&router_of(&config, account), &channel(5));
    assert_eq!(of("a"), ("main".to_owned(), Tier::Default));
    assert_eq!(of("b"), ("sales".to_owned(), Tier::Account));
}

/// Scenario 44 of the text scenarios, as far as routes go: an answer leaves by the account that
/// heard the question.
#[test]
fn answers_go_by_the_account_that_heard() {
    let text = "{ agents: { list: [{ id: 'main' }] }, channels: { discord: { accounts: {
        a: { token: 'a.b.c' }, b: { token: 'd.e.f' }, c: { token: 'g.h.i' } } } } }";
    let config = parse(text);
    for account in ["a", "b", "c"] {
        let route = router_of(&config, account).route(&channel(5));
        let last = LastRoute { account: account.to_owned(), channel: ChannelId::new(5) };
        assert_eq!(route.last, last);
    }
}

#[test]
fn tiers_in_order() {
    // The file's order is the reverse, so that only the tier can decide.
    let all = [
        ("main", "accountId: '*'", Tier::Channel),
        ("sales", "accountId: 'default'", Tier::Account),
        ("main", "guildId: '1'", Tier::Guild),
        ("sales", "guildId: '1', roles: ['80']", Tier::GuildRoles),
        ("main", "peer: { kind: 'group', id: '5' }", Tier::ParentPeer),
        ("sales", "peer: { kind: 'channel', id: '9' }", Tier::Peer),
    ];
    let from = Origin { roles: CREW, ..thread(9, 5) };
    for last in 0..=all.len() {
        let bindings: Vec<String> =
            all[..last].iter().map(|(agent, matched, _)| binding(agent, matched)).collect();
        let expected = match last.checked_sub(1) {
            Some(at) => (all[at].0.to_owned(), all[at].2),
            None => ("main".to_owned(), Tier::Default),
        };
        assert_eq!(took(&router(&bindings.join(",")), &from), expected);
    }
}

#[test]
fn within_a_tier_the_file_decides_and_all_that_is_asked_for_must_hold() {
    let router = router(
        &[
            binding("sales", "peer: { kind: 'channel', id: '5' }, guildId: '2'"),
            binding("Ops.EU", "peer: { kind: 'channel', id: '5' }, roles: ['81']"),
            binding("main", "peer: { kind: 'channel', id: '5' }"),
            binding("sales", "peer: { kind: 'channel', id: '5' }, roles: ['80']"),
            binding("sales", "peer: { kind: 'dm', id: '31' }"),
            binding("sales", "roles: ['85']"),
        ]
        .join(","),
    );
    assert_eq!(took(&router, &channel(5)), ("main".to_owned(), Tier::Peer));
    let crew = Origin { roles: CREW, ..channel(5) };
    assert_eq!(took(&router, &crew), ("Ops.EU".to_owned(), Tier::Peer));
    let second = Origin { roles: &CREW[..1], ..channel(5) };
    assert_eq!(took(&router, &second), ("main".to_owned(), Tier::Peer));
    let abroad = Origin { guild: Some(GuildId::new(2)), ..channel(5) };
    assert_eq!(took(&router, &abroad), ("sales".to_owned(), Tier::Peer));
    assert_eq!(took(&router, &direct(31)), ("sales".to_owned(), Tier::Peer));
    assert_eq!(took(&router, &direct(32)), ("main".to_owned(), Tier::Default));
    // A person's own binding is for their direct messages.
    assert_eq!(took(&router, &channel(6)), ("main".to_owned(), Tier::Default));
    let by_role = Origin { roles: &[RoleId::new(85)], ..channel(6) };
    assert_eq!(took(&router, &by_role), ("sales".to_owned(), Tier::Account));
    assert_eq!(router.route(&crew).key.as_str(), "agent:ops-eu:discord:channel:5");
}

#[test]
fn what_cannot_be_meant_is_told() {
    let config = parse(&format!(
        "{{ agents: {{ list: [{{ id: 'main' }}, {{ id: 'sales' }}] }}, bindings: [{}, {},
        {{ type: 'acp', agentId: 'main', match: {{ channel: 'discord' }} }}],
        channels: {{ modelByChannel: {{ discord: {{ general: 'a/b' }} }}, discord: {{
        token: 'a.b.c', dmPolicy: 'allowlist', allowFrom: ['31', '32'],
        guilds: {{ 1: {{ channels: {{ general: {{ agentId: 'sales' }} }} }} }} }} }} }}",
        binding("nobody", "guildId: '1'"),
        binding("sales", "teamId: 'T1'"),
    ));
    let router = Router::new(&config, &config.default_account, &config.discord);
    let warnings = router.warnings();
    let has = |text: &str| warnings.iter().any(|warning| warning.contains(text));
    assert!(
        has("bindings[0]: there is no agent \"nobody\"; \"main\" answers instead"),
        "{warnings:?}"
    );
    assert!(has("bindings[1]: Discord has no teams"), "{warnings:?}");
    assert!(has("bindings[2]: one of type acp needs match.peer"), "{warnings:?}");
    assert!(has("guilds.1.channels.general.agentId"), "{warnings:?}");
    assert!(has("share one conversation"), "{warnings:?}");
    assert!(has("\"general\" is no id"), "{warnings:?}");
    assert_eq!(warnings.len(), 6);
    assert_eq!(took(&router, &channel(5)), ("main".to_owned(), Tier::Guild));
    assert_eq!(took(&router, &direct(31)), ("main".to_owned(), Tier::Default));
}

#[test]
fn the_old_form_of_a_channels_agent_is_a_binding_unless_there_is_one() {
    let text = |bindings: &str| {
        format!(
            "{{ agents: {{ list: [{{ id: 'main' }}, {{ id: 'sales' }}] }}, channels: {{ discord: {{
            token: 'a.b.c', guilds: {{ 1: {{ channels: {{ 5: {{ agentId: 'sales' }} }} }} }} }} }},
            bindings: [{bindings}] }}"
        )
    };
    let of = |bindings: &str| took(&router_of(&parse(&text(bindings)), "default"), &channel(5));
    assert_eq!(of(""), ("sales".to_owned(), Tier::Peer));
    assert_eq!(of(&binding("main", "guildId: '1'")), ("sales".to_owned(), Tier::Peer));
    let own = binding("main", "peer: { kind: 'channel', id: '5' }");
    assert_eq!(of(&own), ("main".to_owned(), Tier::Peer));
}

#[test]
fn sessions_and_their_names() {
    let text = "{ session: { dmScope: 'per-account-channel-peer', identityLinks: { Ada:
        ['discord:31'] } }, channels: { discord: { token: 'a.b.c', guilds: { 1: { slug: 'hq' } } } } }";
    let router = router_of(&parse(text), "default");
    let group = Origin { surface: Surface::Group, guild: None, channel_name: "", ..channel(8) };
    let abroad = Origin { guild: Some(GuildId::new(2)), channel_name: "日本", ..channel(5) };
    for (from, key, display) in [
        (direct(31), "agent:main:discord:default:direct:ada", "discord:direct:31"),
        (direct(32), "agent:main:discord:default:direct:32", "discord:direct:32"),
        (group, "agent:main:discord:group:8", "discord:group:8"),
        (channel(5), "agent:main:discord:channel:5", "discord:hq#general"),
        (thread(9, 5), "agent:main:discord:channel:9", "discord:hq#general"),
        (abroad, "agent:main:discord:channel:5", "discord:friends-of-claw#5"),
    ] {
        let route = router.route(&from);
        assert_eq!((route.key.as_str(), router.display(&from).as_str()), (key, display));
    }
}

#[test]
fn an_acp_binding_holds_for_threads_too_and_in_the_parents_session() {
    let router = router_of(
        &config(
            "bindings: [{ type: 'acp', agentId: 'sales', match: { channel: 'discord', peer: {
            kind: 'channel', id: '5' } } }]",
        ),
        "default",
    );
    for from in [channel(5), thread(9, 5)] {
        let route = router.acp(&from).unwrap();
        assert_eq!(route.key, SessionKey::acp("sales", "default", ChannelId::new(5)));
        assert_eq!((route.matched, route.last.channel), (Tier::Acp, from.channel));
        // It is no binding of the other kind.
        assert_eq!(took(&router, &from), ("main".to_owned(), Tier::Default));
    }
    assert_eq!(router.acp(&channel(6)), None);
    assert_eq!(router.acp(&direct(31)), None);
}

#[test]
fn models_are_pinned_to_channels_and_people() {
    let text = "{ channels: { modelByChannel: { discord: { 5: 'a/parent', 9: 'a/own',
        31: 'a/ada' } }, discord: { token: 'a.b.c' } } }";
    let router = router_of(&parse(text), "default");
    let by_ben = Origin { sender: UserId::new(32), ..channel(6) };
    for (from, chosen, in_parent, expected) in [
        (thread(9, 5), None, None, Some("a/own")),
        (thread(8, 5), None, Some("a/p"), Some("a/parent")),
        (thread(8, 5), Some("a/x"), Some("a/p"), Some("a/x")),
        (thread(8, 6), None, None, Some("a/ada")),
        (by_ben, None, None, None),
        (by_ben, None, Some("a/p"), Some("a/p")),
    ] {
        assert_eq!(router.model(&from, chosen, in_parent), expected);
    }
}

proptest! {
    /// The index finds what reading all bindings one by one finds.
    #[test]
    fn the_index_agrees_with_the_list(
        rules in prop::collection::vec((0..3usize, prop::option::of(5..8u64), prop::option::of(1..3u64), prop::collection::vec(80..83u64, 0..3), 0..3usize), 0..12),
        guild in 1..3u64,
        channel_id in 5..8u64,
        parent in prop::option::of(5..8u64),
        roles in prop::collection::vec(80..83u64, 0..3),
    ) {
        let agents = ["main", "sales", "Ops.EU"];
        let accounts = ["", "accountId: '*',", "accountId: 'work',"];
        let bindings: Vec<String> = rules.iter().map(|(agent, peer, guild, roles, account)| {
            let peer = peer.map_or(String::new(), |id| format!("peer: {{ kind: 'channel', id: '{id}' }},"));
            let guild = guild.map_or(String::new(), |id| format!("guildId: '{id}',"));
            binding(agents[*agent], &format!("{}{peer}{guild}roles: [{}]", accounts[*account],
                roles.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",")))
        }).collect();
        let role_ids: Vec<RoleId> = roles.iter().copied().map(RoleId::new).collect();
        let surface = match parent {
            Some(parent) => Surface::Thread { parent: ChannelId::new(parent) },
            None => Surface::Channel,
        };
        let from = Origin { surface, guild: Some(GuildId::new(guild)), roles: &role_ids, ..channel(channel_id) };
        let fits = rules.iter().filter(|(_, _, wanted, wanted_roles, account)| {
            *account != 2
                && wanted.is_none_or(|it| it == guild)
                && (wanted_roles.is_empty() || wanted_roles.iter().any(|it| roles.contains(it)))
        });
        let ranked = fits.filter_map(|(agent, peer, wanted, wanted_roles, account)| {
            let tier = match (peer, wanted) {
                (Some(peer), _) if *peer == channel_id => Tier::Peer,
                (Some(peer), _) if Some(*peer) == parent => Tier::ParentPeer,
                (Some(_), _) => return None,
                (None, Some(_)) if !wanted_roles.is_empty() => Tier::GuildRoles,
                (None, Some(_)) => Tier::Guild,
                (None, None) if *account == 1 => Tier::Channel,
                (None, None) => Tier::Account,
            };
            Some((agents[*agent].to_owned(), tier))
        });
        // The first of the smallest tier, as `min_by_key` gives it.
        let expected = ranked.min_by_key(|(_, tier)| *tier).unwrap_or(("main".to_owned(), Tier::Default));
        prop_assert_eq!(took(&router(&bindings.join(",")), &from), expected);
    }
}

/// With `groupScope: "main"` all that is not private is the agent's main conversation, too.
#[test]
fn groups_may_share_the_main_conversation() {
    let of = |session: &str| {
        let router = router_of(&config(&format!("session: {{ {session} }}")), "default");
        let places = [channel(5), thread(9, 5)];
        let keys = places.map(|place| router.key("main", &place).to_string());
        (keys, router.thread_key("main", ChannelId::new(7)).to_string())
    };
    let own = ["agent:main:discord:channel:5", "agent:main:discord:channel:9"].map(str::to_owned);
    assert_eq!(of(""), (own, "agent:main:discord:channel:7".to_owned()));
    let shared = "agent:main:home".to_owned();
    let keys = [shared.clone(), shared.clone()];
    assert_eq!(of("groupScope: 'main', mainKey: 'home'"), (keys, shared));
}
