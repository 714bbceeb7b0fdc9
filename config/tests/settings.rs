//! Settings of the areas beside voice: what their values mean, what they need beside them, and
//! what changes of them take.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clawvoice_config::{
    AccessGroup, Activity, AgentRole, AllowBots, AutoThreadName, BindingKind, Budget, Config,
    ConfigErrors, DiskBudget, Effect, MaintenanceMode, PeerKind, ProgressLabel, QueueMode, Sender,
    Status, VisibleReplies, declarations, explain, parse,
};
use secrecy::ExposeSecret;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let env: BTreeMap<String, String> =
        variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    parse(text, Path::new("claw.json5"), &env)
}

fn taken(text: &str) -> Config {
    read(text, &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn discord(body: &str) -> Config {
    taken(&format!("{{ channels: {{ discord: {{ token: 'a.b.c', {body} }} }} }}"))
}

fn refused(body: &str) -> String {
    let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c', {body} }} }} }}");
    read(&text, &[]).expect_err("it was taken").to_string()
}

#[test]
fn time_limits_come_from_the_file_else_from_openclaws_variables() {
    let limits = |body: &str, variables: &[(&str, &str)]| {
        let text = format!("{{ channels: {{ discord: {{ token: 'a', {body} }} }} }}");
        let connection = read(&text, variables).unwrap().discord.connection;
        [connection.info_timeout, connection.ready_timeout, connection.runtime_ready_timeout]
            .map(|limit| limit.as_millis())
    };
    let variables = [
        ("OPENCLAW_DISCORD_GATEWAY_INFO_TIMEOUT_MS", "1"),
        ("OPENCLAW_DISCORD_READY_TIMEOUT_MS", " 120000 "),
        ("OPENCLAW_DISCORD_RUNTIME_READY_TIMEOUT_MS", "7"),
    ];
    assert_eq!(limits("", &[]), [30_000, 15_000, 30_000]);
    assert_eq!(limits("", &variables), [1, 120_000, 7]);
    assert_eq!(limits("gatewayReadyTimeoutMs: 5", &variables), [1, 5, 7]);
    for bad in ["0", "120001", "soon", "1.5"] {
        let text = "{ channels: { discord: { token: 'a' } } }";
        let config = read(text, &[("OPENCLAW_DISCORD_READY_TIMEOUT_MS", bad)]).unwrap();
        assert_eq!(config.discord.connection.ready_timeout, Duration::from_secs(15), "{bad}");
        assert_eq!(config.warnings.len(), 1, "{bad}");
    }
}

#[test]
fn what_the_bot_shows_must_fit_together() {
    let shown = |body: &str| discord(body).discord.connection.activity;
    let custom = Activity { text: "x".to_owned(), kind: 4, url: None };
    assert_eq!(shown(""), None);
    assert_eq!(shown("activity: 'x', status: 'idle'"), Some(custom));
    assert_eq!(discord("status: 'dnd'").discord.connection.status, Some(Status::Dnd));
    for (body, told) in [
        ("activityType: 0", "means nothing without `activity`"),
        ("activityUrl: 'https://t.tv'", "means nothing without `activity`"),
        ("activity: 'x', activityType: 1", "a stream needs an address"),
        ("activity: 'x', activityType: 2, activityUrl: 'https://t.tv'", "only a stream has"),
        ("activity: 'x', activityUrl: 'https://t.tv'", "only a stream has"),
        ("autoPresence: { intervalMs: 5000, minUpdateIntervalMs: 5001 }", "is longer than"),
        ("autoPresence: { intervalMs: 14999 }", "is longer than"),
        ("retry: { minDelayMs: 30001 }", "longer than `maxDelayMs`"),
        ("mentionAliases: { x: '5' }", "this handle can never be written"),
        ("dms: { ada: { historyLimit: 1 } }", "its key is no user's id"),
    ] {
        let errors = refused(body);
        assert!(errors.contains(told), "{body}\n{errors}");
    }
}

#[test]
fn keys_at_the_wrong_place_are_told_where_they_belong() {
    for (body, told) in [
        ("requireMention: true", "`requireMention` belongs under `channels.discord.guilds.<id>`"),
        ("groups: {}", "Discord servers are configured under `channels.discord.guilds`"),
        ("allowfrom: []", "did you mean `allowFrom`?"),
    ] {
        let errors = refused(body);
        assert!(errors.contains(told), "{body}\n{errors}");
    }
    // An account says the same of itself.
    let errors = refused("accounts: { x: { requireMention: true } }");
    assert!(errors.contains("belongs under `channels.discord.guilds.<id>`"), "{errors}");
}

#[test]
fn bots_and_labels_and_limits() {
    let bots = |body: &str| discord(body).discord.access.allow_bots;
    assert_eq!(bots("allowBots: 'mentions'"), AllowBots::Mentions);
    assert_eq!(bots("allowBots: true"), AllowBots::Yes);
    let label = |body: &str| {
        let config = discord(&format!("streaming: {{ progress: {{ {body} }} }}"));
        config.discord.delivery.streaming.label
    };
    assert_eq!(label("label: false"), ProgressLabel::None);
    assert_eq!(label("label: 'Busy'"), ProgressLabel::Text("Busy".to_owned()));
    assert_eq!(label("labels: ['a']"), ProgressLabel::Auto(vec!["a".to_owned()]));
    // Discord takes no more, whatever is written.
    assert_eq!(discord("textChunkLimit: 5000").discord.delivery.text_chunk_limit, 2_000);
    let proxy = discord("proxy: 'http://me:word@127.0.0.1:3128'");
    let address = proxy.discord.connection.proxy.as_ref().map(ExposeSecret::expose_secret);
    assert_eq!(address, Some("http://me:word@127.0.0.1:3128"));
    assert!(!format!("{proxy:?}").contains("word@"));
    let shown = &proxy.origins.at("channels.discord.proxy").unwrap().value;
    assert_eq!(shown, "http://(secret)@127.0.0.1:3128");
}

#[test]
fn the_history_limit_goes_by_discord_then_groups_then_the_default() {
    let limit = |messages: &str, body: &str| {
        let text = format!(
            "{{ messages: {{ {messages} }}, channels: {{ discord: {{ token: 'a', {body} }} }} }}"
        );
        taken(&text).discord.delivery.history_limit
    };
    assert_eq!(limit("", ""), 20);
    assert_eq!(limit("groupChat: { historyLimit: 50 }", ""), 50);
    assert_eq!(limit("groupChat: { historyLimit: 50 }", "historyLimit: 0"), 0);
}

#[test]
fn servers_and_channels_are_found_by_id_then_slug_then_star() {
    let config = discord(
        "guilds: { '1': { slug: 'one' }, 'Friends of Claw': { requireMention: false, channels: { \
         general: { autoThread: true, autoThreadName: 'generated', autoArchiveDuration: '1440' }, \
         '7': { users: [] }, '*': { requireMention: true } } }, '*': { ignoreOtherMentions: true } }",
    );
    let discord = &config.discord;
    assert_eq!(discord.guild(1, Some("friends of claw")).unwrap().slug.as_deref(), Some("one"));
    let friends = discord.guild(5, Some("Friends of Claw!")).unwrap();
    assert!(!friends.require_mention && !friends.ignore_other_mentions);
    assert!(discord.guild(9, Some("else")).unwrap().ignore_other_mentions);
    assert!(discord.guild(9, None).unwrap().ignore_other_mentions);
    let general = friends.channel(6, Some("#General")).unwrap();
    assert_eq!(
        (general.auto_thread, general.auto_thread_name, general.auto_archive.as_secs()),
        (true, AutoThreadName::Generated, 86_400)
    );
    assert_eq!(friends.channel(7, Some("general")).unwrap().users, Some(Vec::new()));
    assert_eq!(friends.channel(8, Some("else")).unwrap().require_mention, Some(true));
}

#[test]
fn bindings_for_discord_are_read_and_others_left_alone() {
    let config = taken(
        "{ bindings: [\
           { agentId: 'a', match: { channel: 'telegram', peer: { kind: 'x', id: '-5' } } },\
           { type: 'acp', agentId: 'b', match: { channel: 'discord', accountId: '*', peer: { \
             kind: 'channel', id: '5' }, guildId: 6, roles: ['role:7'], teamId: 't' } } ] }",
    );
    let [binding] = config.bindings.as_slice() else { panic!("{:?}", config.bindings) };
    assert_eq!((binding.kind, binding.agent.as_str()), (BindingKind::Acp, "b"));
    assert_eq!(binding.peer.map(|(kind, id)| (kind, id.get())), Some((PeerKind::Channel, 5)));
    assert_eq!(binding.guild.map(|id| id.get()), Some(6));
    assert_eq!(binding.roles.iter().map(|id| id.get()).collect::<Vec<_>>(), [7]);
    let missing = read("{ bindings: [{ match: { channel: 'discord' } }] }", &[]).unwrap_err();
    assert!(missing.to_string().contains("bindings[0].agentId: is required"), "{missing}");
}

#[test]
fn access_groups_admit_whom_they_name_and_unknown_ones_nobody() {
    let config = taken(
        "{ accessGroups: { a: { type: 'message.senders', members: { discord: ['5'], '*': ['6'], \
         telegram: ['x'] } }, b: { type: 'discord.channelAudience', guildId: '1', channelId: '2' }, \
         c: { type: 'moon.phase' } } }",
    );
    let AccessGroup::Senders(listed) = &config.access_groups["a"] else { panic!() };
    assert_eq!(
        listed.iter().filter_map(Sender::user).map(|id| id.get()).collect::<Vec<_>>(),
        [5, 6]
    );
    assert!(matches!(&config.access_groups["b"], AccessGroup::ChannelAudience { .. }));
    assert_eq!(config.access_groups["c"], AccessGroup::Unknown);
    assert_eq!(config.warnings.len(), 1);
    assert!(read("{ accessGroups: { b: { type: 'discord.channelAudience' } } }", &[]).is_err());
}

#[test]
fn commands_and_messages() {
    let config = taken(
        "{ commands: { native: false, allowFrom: { '*': ['1'], discord: ['2'] } }, messages: { \
         groupChat: { visibleReplies: 'message_tool' }, queue: { mode: 'collect', byChannel: { \
         discord: 'followup' } }, inbound: { debounceMs: 5, byChannel: { discord: 0 } } }, \
         channels: { discord: { token: 'a', accounts: { default: {}, x: { token: 'x', commands: { \
         native: 'auto' } } } } } }",
    );
    assert!(!config.discord.commands.native && config.discord.commands.native_skills);
    assert!(config.accounts[1].discord.commands.native);
    let listed = config.commands.allow_from.unwrap();
    assert_eq!(listed.iter().filter_map(Sender::user).map(|id| id.get()).collect::<Vec<_>>(), [2]);
    assert_eq!(config.messages.visible_replies, VisibleReplies::MessageTool);
    assert_eq!(config.messages.queue_mode, QueueMode::Followup);
    assert_eq!(config.messages.debounce, Duration::ZERO);
}

#[test]
fn our_server_answers_this_machine_only_unless_it_is_told_otherwise() {
    let health = |body: &str| {
        read(&format!("{{ gateway: {{ port: 1, clawvoice: {{ health: {{ {body} }} }} }} }}"), &[])
    };
    let plain = health("").unwrap().gateway.health;
    assert_eq!(
        (plain.bind.to_string().as_str(), plain.port, plain.enabled),
        ("127.0.0.1", 18_790, true)
    );
    let open = health("bind: '0.0.0.0', allowRemote: true, port: 0").unwrap().gateway.health;
    assert_eq!((open.bind.to_string().as_str(), open.port), ("0.0.0.0", 0));
    assert_eq!(health("bind: 'localhost'").unwrap().gateway.health.bind, plain.bind);
    let errors = health("bind: '192.168.1.5'").unwrap_err().to_string();
    assert!(errors.contains("an address that others reach"), "{errors}");
    assert!(health("prot: 5").unwrap_err().to_string().contains("did you mean `port`?"));
}

#[test]
fn several_agents_are_posted_in_channels() {
    let routed = |body: &str| {
        let ours = format!("clawvoice: {{ agent_router: {{ {body} }} }}");
        taken(&format!("{{ agents: {{ list: [{{ id: 'help' }}] }}, gateway: {{ {ours} }} }}"))
    };
    let off = routed("").gateway.agent_router;
    assert!(!off.enabled && off.no_self_talk && off.agents.is_empty());
    let posts = "enabled: true, dedup_window: 7, agents: { \
        help: { channels: ['5', 'Help Desk'], role: 'passive', triggers: ['deploy'] }, hlep: {} }";
    let config = routed(posts);
    let router = &config.gateway.agent_router;
    assert_eq!((router.enabled, router.dedup_window), (true, Duration::from_secs(7)));
    let post = &router.agents["help"];
    assert_eq!((post.role, post.channels.len()), (AgentRole::Passive, 2));
    assert!(post.channels.get("help-desk").is_some());
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(warnings.iter().any(|it| it.contains("hlep") && it.contains("there are: help")));
}

#[test]
fn the_health_of_channels_can_be_left_unwatched() {
    let gateway = taken("{ gateway: { channelHealthCheckMinutes: 0 } }").gateway;
    assert_eq!(gateway.health_check, None);
    assert_eq!(gateway.stale_after, Some(Duration::from_secs(1_800)));
}

#[test]
fn a_change_says_whether_the_account_must_be_started_anew() {
    let changes = |old: &str, new: &str| -> Vec<(String, Effect)> {
        let changes = Config::changes(&discord(old), &discord(new));
        changes
            .into_iter()
            .map(|change| (change.path.replace("channels.discord.", ""), change.effect))
            .collect()
    };
    let one = |path: &str, effect| vec![(path.to_owned(), effect)];
    assert_eq!(changes("", ""), []);
    // The same value, written or not, is no change.
    assert_eq!(changes("", "historyLimit: 20"), []);
    assert_eq!(changes("historyLimit: 1", "historyLimit: 2"), one("historyLimit", Effect::Live));
    assert_eq!(changes("allowFrom: ['1']", ""), one("allowFrom", Effect::Live));
    assert_eq!(
        changes("", "intents: { guildMembers: true }"),
        one("intents.guildMembers", Effect::AccountRestart)
    );
    assert_eq!(
        changes("voice: { realtime: { voice: 'a' } }", "voice: { realtime: { voice: 'b' } }"),
        one("voice.realtime.voice", Effect::AccountRestart)
    );
    assert_eq!(
        changes("proxy: 'http://h:1'", "proxy: 'http://h:2'"),
        one("proxy", Effect::AccountRestart)
    );
    let with =
        |token: &str| taken(&format!("{{ channels: {{ discord: {{ token: '{token}' }} }} }}"));
    assert_eq!(Config::changes(&with("a"), &with("a")), []);
    let [change] = &Config::changes(&with("a"), &with("b"))[..] else { panic!("one change") };
    assert_eq!(
        (change.path.as_str(), change.effect),
        ("channels.discord.token", Effect::AccountRestart)
    );
    let store = |at: &str| taken(&format!("{{ session: {{ store: '{at}' }} }}"));
    let [change] = &Config::changes(&store("/a"), &store("/b"))[..] else { panic!("one change") };
    assert_eq!(change.effect, Effect::ProcessRestart);
}

#[test]
fn a_rotated_secret_is_a_change_though_the_file_is_the_same() {
    let text = "{ channels: { discord: { token: '${T}' } } }";
    let (old, new) = (read(text, &[("T", "a")]).unwrap(), read(text, &[("T", "b")]).unwrap());
    let changes = Config::changes(&old, &new);
    assert_eq!(
        changes.iter().map(|c| c.path.as_str()).collect::<Vec<_>>(),
        ["channels.discord.token"]
    );
    let (old, new) = (
        read("{}", &[("DISCORD_BOT_TOKEN", "a")]).unwrap(),
        read("{}", &[("DISCORD_BOT_TOKEN", "b")]).unwrap(),
    );
    assert_eq!(Config::changes(&old, &new).len(), 1);
    let key = |value: &str| {
        let variables = [("DISCORD_BOT_TOKEN", "a"), ("OPENAI_API_KEY", value)];
        read("{ channels: { discord: { voice: {} } } }", &variables).unwrap()
    };
    let changes: Vec<String> =
        Config::changes(&key("a"), &key("b")).into_iter().map(|change| change.path).collect();
    assert_eq!(
        changes,
        [
            "channels.discord.voice.realtime.providers.openai.apiKey",
            "models.providers.openai.apiKey"
        ]
    );
}

#[test]
fn ids_written_as_numbers_are_taken_and_told() {
    let config = discord(
        "allowFrom: [5, '6'], applicationId: 7, guilds: { '1': { users: [8] } }, accounts: { a: {}, \
         b: { token: 'b' } }",
    );
    assert_eq!(
        config.numeric_ids,
        [
            "channels.discord.allowFrom[0]",
            "channels.discord.applicationId",
            "channels.discord.guilds.1.users[0]"
        ]
    );
}

#[test]
fn an_unknown_key_is_not_explained() {
    let config = discord("");
    let told = |path: &str| explain(&declarations(), &config.origins, path);
    let unknown = told("channels.discord.voice.conectTimeoutMs").unwrap_err();
    assert_eq!(unknown.to_string(), "there is no key channels.discord.voice.conectTimeoutMs");
    assert_eq!(unknown.hint(), "did you mean `channels.discord.voice.connectTimeoutMs`?");
    // Of a name that is free, whatever is in force is told, here nothing.
    let [free] = &told("channels.discord.guilds.5.requireMention").unwrap()[..] else { panic!() };
    assert_eq!((free.value.as_ref(), free.default.as_ref()), (None, Some(&true.into())));
    let [old] = &told("channels.discord.streamMode").unwrap()[..] else { panic!() };
    assert_eq!(old.legacy_of.as_deref(), Some("channels.discord.streaming.mode"));
}

#[test]
fn the_schema_describes_what_is_read() {
    let schema = declarations().json_schema();
    let discord = &schema["properties"]["channels"]["properties"]["discord"];
    let of = |key: &str| &discord["properties"][key];
    assert_eq!(discord["additionalProperties"], false);
    assert_eq!(of("historyLimit")["type"], "integer");
    assert_eq!(
        (&of("historyLimit")["minimum"], &of("historyLimit")["maximum"]),
        (&0.into(), &10_000.into())
    );
    assert_eq!(of("historyLimit")["default"], 20);
    assert_eq!(of("replyToMode")["enum"], serde_json::json!(["off", "first", "all", "batched"]));
    assert_eq!(of("allowBots")["enum"], serde_json::json!([true, false, "mentions"]));
    assert_eq!(of("streamMode")["deprecated"], true);
    assert!(of("token")["anyOf"].is_array());
    assert_eq!(of("autoJoin"), &serde_json::Value::Null);
    let join = &of("voice")["properties"]["autoJoin"];
    assert_eq!(join["items"]["properties"]["whenOccupied"]["type"], "boolean");
    let account = &of("accounts")["additionalProperties"];
    assert_eq!(account["properties"]["historyLimit"], of("historyLimit").clone());
    assert_eq!(schema["properties"]["agents"].get("additionalProperties"), None);
}

#[test]
fn a_budget_is_inherited_key_by_key() {
    let text = "{ agents: { defaults: { budget: { dailyUsd: 5, warnAt: 0.5, perUserDailyUsd: 1 } },
        list: [{ id: 'main' }, { id: 'ops', budget: { dailyUsd: 20, perChannelDailyUsd: 2 } }] } }";
    let config = taken(text);
    let budgets: Vec<_> = config.agents.all.iter().map(|agent| agent.budget).collect();
    let (five, one) = (Some(5.0), Some(1.0));
    let main = Budget { daily: five, warn_at: 0.5, per_user: one, per_channel: None };
    let ops = Budget { daily: Some(20.0), per_channel: Some(2.0), ..main };
    assert_eq!(budgets, [main, ops]);
    let none = Budget { daily: None, warn_at: 0.8, per_user: None, per_channel: None };
    assert_eq!(taken("{}").agent.budget, none);
    let errors = read("{ agents: { list: [{ id: 'x', budget: { dailyUSD: 5 } }] } }", &[]);
    let words = errors.expect_err("it was taken").to_string();
    assert!(words.contains("did you mean `dailyUsd`?"), "{words}");
}

#[test]
fn another_budget_waits_for_the_next_start() {
    for (old, new) in [
        ("{}", "{ agents: { defaults: { budget: { dailyUsd: 5 } } } }"),
        ("{}", "{ agents: { defaults: { spikeAlert: { factor: 9 } } } }"),
        ("{}", "{ agents: { defaults: { responseCache: { enabled: true } } } }"),
        (
            "{ agents: { list: [{ id: 'a', budget: { dailyUsd: 5 } }] } }",
            "{ agents: { list: [{ id: 'a', budget: { dailyUsd: 6 } }] } }",
        ),
    ] {
        let changes = Config::changes(&taken(old), &taken(new));
        // The list that the agent stands in changes with it.
        let own = changes.iter().filter(|change| change.path != "agents.list");
        let effects: Vec<Effect> = own.map(|change| change.effect).collect();
        assert_eq!(effects, [Effect::ProcessRestart], "{changes:?}");
    }
}

#[test]
fn how_much_is_kept_is_written_as_in_openclaw() {
    let kept = |body: &str| {
        taken(&format!(
            "{{ channels: {{ discord: {{ token: 'a' }} }}, session: {{ maintenance: {{ {body} }} }} }}"
        ))
        .session
        .maintenance
    };
    let gib = 1u64 << 30;
    let disk = |max, high_water| Some(DiskBudget { max, high_water });
    for (body, expected) in [
        ("", disk(10 * gib, 8 * gib)),
        ("maxDiskBytes: '500mb'", disk(500 << 20, 400 << 20)),
        ("maxDiskBytes: '1.5 GB', highWaterBytes: '1gb'", disk(gib + gib / 2, gib)),
        ("maxDiskBytes: 1000", disk(1_000, 800)),
        ("maxDiskBytes: '1000', highWaterBytes: 0", disk(1_000, 800)),
        ("maxDiskBytes: '2k'", disk(2_048, 1_638)),
        ("maxDiskBytes: false", None),
        ("maxDiskBytes: '0'", None),
    ] {
        assert_eq!(kept(body).disk, expected, "{body}");
    }
    for (body, hours) in
        [("", 720), ("pruneAfter: '12h'", 12), ("pruneAfter: 2", 48), ("pruneAfter: '1w'", 168)]
    {
        assert_eq!(kept(body).prune_after, Duration::from_secs(hours * 3_600), "{body}");
    }
    assert_eq!(kept("mode: 'warn', rotateBytes: '1mb'").mode, MaintenanceMode::Warn);
    let refused = |body: &str| {
        let text = format!(
            "{{ channels: {{ discord: {{ token: 'a' }} }}, session: {{ maintenance: {{ {body} }} }} }}"
        );
        read(&text, &[]).expect_err(body).to_string()
    };
    for (body, told) in [
        ("maxDiskBytes: '1gb', highWaterBytes: '2gb'", "more than `maxDiskBytes`"),
        ("maxDiskBytes: '-1gb'", "not a size"),
        ("maxDiskBytes: '1xb'", "not a size"),
        ("maxDiskBytes: 'gb'", "not a size"),
        ("maxDiskBytes: []", "expected a size"),
        ("pruneAfter: '0d'", "not a time"),
        ("pruneAfter: '1e3d'", "not a time"),
        ("pruneAfter: '99999999d'", "not a time"),
    ] {
        let errors = refused(body);
        assert!(errors.contains(told), "{body}\n{errors}");
    }
}
