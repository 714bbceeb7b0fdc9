//! Several bots in one file: what they inherit, who is the default one, and which of them run.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{
    Account, AllowBots, Config, ConfigErrors, Disabled, DmPolicy, GroupPolicy, Sender, parse,
};
use insta::assert_snapshot;
use secrecy::ExposeSecret;

fn read(discord: &str, rest: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let text = format!("{{ channels: {{ discord: {{ {discord} }}, {rest} }} }}");
    let env: BTreeMap<String, String> =
        variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    parse(&text, Path::new("claw.json5"), &env)
}

fn taken(discord: &str) -> Config {
    read(discord, "", &[]).unwrap_or_else(|errors| panic!("{errors}"))
}

fn account<'c>(config: &'c Config, id: &str) -> &'c Account {
    config.accounts.iter().find(|account| account.id == id).expect("the account is there")
}

fn token(account: &Account) -> Option<&str> {
    account.discord.token.as_ref().map(ExposeSecret::expose_secret)
}

fn ids(account: &Account) -> Vec<u64> {
    let listed = account.discord.access.allow_from.as_deref().unwrap_or_default();
    listed.iter().filter_map(Sender::user).map(|id| id.get()).collect()
}

#[test]
fn without_accounts_there_is_one_named_default() {
    let config = taken("token: 'a.b.c', name: 'Claw'");
    assert_eq!(config.accounts.len(), 1);
    let only = account(&config, "default");
    assert_eq!((only.name.as_deref(), only.enabled, only.disabled), (Some("Claw"), true, None));
}

#[test]
fn an_account_inherits_what_it_does_not_say_and_objects_as_a_whole() {
    let config = taken(
        "token: 'root.t', allowBots: true, historyLimit: 5, voice: { connectTimeoutMs: 1000, mode: \
         'bidi' }, retry: { attempts: 9, jitter: 0.5 }, accounts: { default: {}, ops: { token: \
         'ops.t', historyLimit: 7, voice: { mode: 'stt-tts' }, retry: { attempts: 2 } } }",
    );
    let (main, ops) = (account(&config, "default"), account(&config, "ops"));
    assert_eq!((token(main), token(ops)), (Some("root.t"), Some("ops.t")));
    assert_eq!(main.discord.delivery.history_limit, 5);
    assert_eq!(ops.discord.delivery.history_limit, 7);
    assert_eq!(ops.discord.access.allow_bots, AllowBots::Yes);
    // `voice` and `retry` are objects: the root's are gone.
    assert_eq!(main.discord.voice.connect_timeout.as_millis(), 1_000);
    assert_eq!(ops.discord.voice.connect_timeout.as_millis(), 30_000);
    assert_eq!((ops.discord.delivery.retry.attempts, ops.discord.delivery.retry.jitter), (2, 0.1));
    assert!(ops.speech.is_some() && main.speech.is_none());
    assert_eq!(config.discord.delivery.history_limit, 5);
}

#[test]
fn loop_protection_and_actions_are_inherited_key_by_key() {
    let config = read(
        "token: 'a', botLoopProtection: { windowSeconds: 30 }, actions: { pins: false, roles: true \
         }, accounts: { ops: { botLoopProtection: { maxEventsPerWindow: 5 }, actions: { roles: \
         false } } }",
        "defaults: { botLoopProtection: { cooldownSeconds: 90, windowSeconds: 1 } }",
        &[],
    );
    let config = config.unwrap();
    let ops = account(&config, "ops");
    let looped = &ops.discord.access.bot_loop;
    assert_eq!(
        (looped.max_events, looped.window.as_secs(), looped.cooldown.as_secs(), looped.enabled),
        (5, 30, 90, true)
    );
    let actions = &ops.discord.features.actions;
    assert_eq!((actions.pins, actions.roles, actions.moderation), (false, false, false));
}

#[test]
fn allow_from_goes_account_dm_root_dm_and_never_by_the_default_account() {
    for (discord, expected) in [
        ("allowFrom: ['1'], accounts: { x: { allowFrom: ['2'] } }", vec![2]),
        ("allowFrom: ['1'], accounts: { x: { dm: { allowFrom: ['3'] } } }", vec![3]),
        (
            "allowFrom: ['1'], accounts: { x: { allowFrom: ['2'], dm: { allowFrom: ['3'] } } }",
            vec![2],
        ),
        ("allowFrom: ['1'], accounts: { default: { allowFrom: ['9'] }, x: {} }", vec![1]),
        ("dm: { allowFrom: ['4'] }, accounts: { x: {} }", vec![4]),
        ("dm: { allowFrom: ['4'] }, accounts: { x: { dm: { enabled: false } } }", vec![4]),
        ("accounts: { default: { allowFrom: ['9'] }, x: {} }", vec![]),
        ("allowFrom: ['1'], accounts: { x: { allowFrom: [] } }", vec![]),
    ] {
        let config = taken(&format!("token: 'a', {discord}"));
        assert_eq!(ids(account(&config, "x")), expected, "{discord}");
    }
}

#[test]
fn dm_policy_goes_the_same_way() {
    for (discord, expected) in [
        ("dmPolicy: 'disabled', accounts: { x: {} }", DmPolicy::Disabled),
        ("dmPolicy: 'disabled', accounts: { x: { dm: { policy: 'pairing' } } }", DmPolicy::Pairing),
        ("dm: { policy: 'disabled' }, accounts: { x: { dmPolicy: 'pairing' } }", DmPolicy::Pairing),
        ("dm: { policy: 'disabled' }, accounts: { x: {} }", DmPolicy::Disabled),
        ("accounts: { x: {} }", DmPolicy::Pairing),
    ] {
        let config = taken(&format!("token: 'a', {discord}"));
        assert_eq!(account(&config, "x").discord.access.dm_policy, expected, "{discord}");
    }
}

#[test]
fn an_open_door_needs_a_star_in_the_list_in_force() {
    let open = "token: 'a', dmPolicy: 'open', allowFrom: ['*'], accounts: { x: ";
    assert!(read(&format!("{open} {{}} }}"), "", &[]).is_ok());
    assert_snapshot!(read(&format!("{open} {{ allowFrom: ['123'] }} }}"), "", &[]).unwrap_err(), @r#"
    claw.json5:1:48: channels.discord.dmPolicy: "open" needs "*" in `allowFrom` of account x, so that nobody opens the door by mistake
    1 | { channels: { discord: { token: '*', dmPolicy: 'open', allowFrom: ['*'], accounts: { x:  { allowFrom
      |                                                ^^^^^^

    hint: write `allowFrom: ["*"]`, or use "pairing" or "allowlist"
    "#);
    assert_snapshot!(read("token: 'a', dmPolicy: 'allowlist'", "", &[]).unwrap_err(), @r#"
    claw.json5:1:48: channels.discord.dmPolicy: "allowlist" needs somebody in `allowFrom`
    1 | { channels: { discord: { token: '*', dmPolicy: 'allowlist' },  } }
      |                                                ^^^^^^^^^^^

    hint: write `allowFrom: ["<user id>"]`, or use "pairing" or "disabled"
    "#);
}

#[test]
fn the_default_account_is_named_or_default_or_the_first() {
    let named = |discord: &str| {
        let config = taken(&format!("token: 'a', {discord}"));
        config.discord.delivery.history_limit
    };
    let accounts = "accounts: { b: { historyLimit: 1 }, a: { historyLimit: 2 } ";
    assert_eq!(named(&format!("{accounts} }}")), 1);
    assert_eq!(named(&format!("{accounts}, default: {{ historyLimit: 3 }} }}")), 3);
    assert_eq!(named(&format!("defaultAccount: 'a', {accounts} }}")), 2);
    let error = read("token: 'a', defaultAccount: 'c', accounts: { b: {} }", "", &[]).unwrap_err();
    assert!(error.to_string().contains("defaultAccount: there is no such account"), "{error}");
}

#[test]
fn the_variable_is_for_the_default_account_only() {
    let env = [("DISCORD_BOT_TOKEN", "env.t")];
    let config = read("accounts: { default: {}, x: { token: 'x.t' } }", "", &env).unwrap();
    assert_eq!(token(account(&config, "default")), Some("env.t"));
    let config = read("accounts: { default: {}, x: {} }", "", &env).unwrap();
    let x = account(&config, "x");
    assert_eq!((x.enabled, x.disabled, token(x)), (false, Some(Disabled::NoToken), None));
    assert!(config.warnings.iter().any(|w| w.path == "channels.discord.accounts.x.token"));
    // The default account must have one.
    assert!(read("accounts: { x: {} }", "", &env).is_err());
}

#[test]
fn of_two_accounts_with_one_token_one_runs() {
    let states = |discord: &str| -> Vec<(String, Option<Disabled>)> {
        let config = read(discord, "", &[("DISCORD_BOT_TOKEN", "same")]).unwrap();
        config.accounts.iter().map(|a| (a.id.clone(), a.disabled)).collect()
    };
    let duplicate = Some(Disabled::DuplicateToken);
    assert_eq!(
        states("accounts: { a: { token: 'same' }, b: { token: 'Bot same' } }"),
        [("a".to_owned(), None), ("b".to_owned(), duplicate)]
    );
    // What is in the file goes before the environment.
    assert_eq!(
        states("accounts: { default: {}, b: { token: 'same' } }"),
        [("default".to_owned(), duplicate), ("b".to_owned(), None)]
    );
    // One that is switched off takes nobody's place.
    assert_eq!(
        states("accounts: { a: { token: 'same', enabled: false }, b: { token: 'same' } }"),
        [("a".to_owned(), Some(Disabled::SwitchedOff)), ("b".to_owned(), None)]
    );
    assert_eq!(Disabled::DuplicateToken.to_string(), "duplicate bot token");
}

#[test]
fn an_account_is_on_only_if_the_root_is() {
    let config = taken("enabled: false, accounts: { a: { enabled: true, token: 'x' } }");
    assert_eq!(account(&config, "a").disabled, Some(Disabled::SwitchedOff));
}

#[test]
fn channel_defaults_count_where_discord_is_written() {
    let defaults = "defaults: { groupPolicy: 'open', contextVisibility: 'allowlist' }";
    let policy = |discord: &str| read(discord, defaults, &[]).unwrap().discord.access.group_policy;
    assert_eq!(policy("token: 'a'"), GroupPolicy::Open);
    assert_eq!(policy("token: 'a', groupPolicy: 'disabled'"), GroupPolicy::Disabled);
    let env = BTreeMap::from([("DISCORD_BOT_TOKEN".to_owned(), "t".to_owned())]);
    let text = format!("{{ channels: {{ {defaults} }} }}");
    let config = parse(&text, Path::new("c"), &env).unwrap();
    assert_eq!(config.discord.access.group_policy, GroupPolicy::Allowlist);
    assert!(config.discord.enabled && !config.discord_is_written);
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(config.warnings[0].path, "channels.discord");
}

#[test]
fn unknown_keys_are_found_in_accounts_and_at_the_root_once() {
    let errors = read(
        "token: 'a', replyToMod: 'all', accounts: { a: { accounts: {}, dm: { polizy: 'open' } }, b: \
         {}, c: {} }",
        "",
        &[],
    )
    .unwrap_err();
    let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "channels.discord.replyToMod",
            "channels.discord.accounts.a.accounts",
            "channels.discord.accounts.a.dm.polizy"
        ]
    );
}

#[test]
fn a_mistake_that_all_accounts_inherit_is_told_once_where_it_stands() {
    let errors =
        read("token: 'a', historyLimit: -1, accounts: { a: {}, b: { token: 'b' } }", "", &[]);
    assert_snapshot!(errors.unwrap_err(), @r"
    claw.json5:1:52: channels.discord.historyLimit: must be between 0 and 10000, got -1
    1 | { channels: { discord: { token: '*', historyLimit: -1, accounts: { a: {}, b: { token: '*' } } },  }
      |                                                    ^^
    ");
}

#[test]
fn where_a_value_came_from_is_known() {
    let config = read(
        "token: 'a',\n historyLimit: 3,\n streamMode: 'off',\n accounts: { ops: {\n token: 'x', \
         dmPolicy: 'disabled' } }",
        "defaults: { botLoopProtection: { windowSeconds: 5 } }",
        &[("OPENCLAW_DISCORD_READY_TIMEOUT_MS", "99")],
    )
    .unwrap();
    let told = |path: &str| {
        let path = format!("channels.discord.accounts.ops.{path}");
        let origin = config.origins.at(&path).unwrap_or_else(|| panic!("{path} is unknown"));
        format!("{} ({})", origin.value, config.origins.describe(&origin.source))
    };
    assert_snapshot!(
        ["historyLimit", "dmPolicy", "token", "streaming.mode", "gatewayReadyTimeoutMs",
         "botLoopProtection.windowSeconds", "replyToMode"].map(told).join("\n"),
        @r#"
    3 (root, inherited by account ops, claw.json5:2:16)
    "disabled" (claw.json5:5:24)
    "(secret)" (claw.json5:5:9)
    "off" (root, inherited by account ops, claw.json5:3:14)
    99 (env OPENCLAW_DISCORD_READY_TIMEOUT_MS)
    5 (claw.json5:5:90, written as channels.defaults.botLoopProtection.windowSeconds)
    "off" (default)
    "#
    );
}
