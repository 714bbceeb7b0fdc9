//! What a taken file comes out as: defaults, precedence, aliases, and that nothing panics.

use std::{collections::BTreeMap, path::Path, time::Duration};

use clawvoice_config::{
    AgentSession, AuthHeader, Azure, Config, ConsultPolicy, HumanDelay, LocalBehaviour, ModelApi,
    ModelCost, SessionTarget, ToolPolicy, Transcription, VoiceMode, load, parse,
};
use proptest::prelude::*;
use secrecy::ExposeSecret;

fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn taken(text: &str, variables: &[(&str, &str)]) -> Config {
    parse(text, Path::new("/etc/claw/claw.json5"), &env(variables))
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn voice(body: &str) -> Config {
    taken(&format!("{{ channels: {{ discord: {{ token: 'a.b.c', voice: {{ {body} }} }} }} }}"), &[])
}

#[test]
fn the_examples_load() {
    let variables = env(&[("DISCORD_BOT_TOKEN", "a.b.c"), ("OPENAI_API_KEY", "sk-1")]);
    for name in ["demo", "discord"] {
        let path = format!("{}/../fixtures/config/{name}.json5", env!("CARGO_MANIFEST_DIR"));
        let config = load(Path::new(&path), &variables).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(config.warnings, [], "{name}");
        let selected = config.discord.voice.realtime.selected.expect("a provider is selected");
        assert_eq!(selected.id, if name == "demo" { "local" } else { "openai" });
    }
}

#[test]
fn the_full_example_shows_the_defaults() {
    let path = format!("{}/../fixtures/config/discord.json5", env!("CARGO_MANIFEST_DIR"));
    let variables = env(&[("DISCORD_BOT_TOKEN", "a.b.c"), ("OPENAI_API_KEY", "sk-1")]);
    let shown = load(Path::new(&path), &variables).expect("the example loads").discord;
    let plain = voice("").discord;
    assert_eq!(shown.enabled, plain.enabled);
    assert_eq!(shown.intents, plain.intents);
    assert_eq!(shown.commands, plain.commands);
    let (shown, plain) = (shown.voice, plain.voice);
    assert_eq!(shown.enabled, plain.enabled);
    assert_eq!(shown.mode, plain.mode);
    assert_eq!(shown.agent_session, plain.agent_session);
    assert_eq!(shown.dave_encryption, plain.dave_encryption);
    assert_eq!(shown.decryption_failure_tolerance, plain.decryption_failure_tolerance);
    assert_eq!(shown.connect_timeout, plain.connect_timeout);
    assert_eq!(shown.reconnect_grace, plain.reconnect_grace);
    assert_eq!(shown.capture_silence_grace, plain.capture_silence_grace);
    let (shown, plain) = (shown.realtime, plain.realtime);
    assert_eq!(shown.barges_in(), plain.barges_in());
    assert_eq!(shown.tool_policy, plain.tool_policy);
    assert_eq!(shown.consult_policy, plain.consult_policy);
    assert_eq!(shown.bootstrap_context_files, plain.bootstrap_context_files);
    assert_eq!(shown.debounce, plain.debounce);
    let unwritten = voice("realtime: { provider: 'openai' }").discord.voice.realtime.selected;
    let (shown, plain) =
        (shown.selected.expect("selected").settings, unwritten.expect("selected").settings);
    assert_eq!(shown.min_barge_in_audio_end, plain.min_barge_in_audio_end);
    assert_eq!(shown.interrupt_response_on_input_audio, plain.interrupt_response_on_input_audio);
    assert_eq!(shown.vad_threshold, plain.vad_threshold);
    assert_eq!(shown.silence_duration, plain.silence_duration);
    assert_eq!(shown.prefix_padding, plain.prefix_padding);
}

#[test]
fn voice_follows_its_block() {
    let off = taken("{ channels: { discord: { token: 'a.b.c' } } }", &[]).discord;
    assert!(off.enabled && !off.voice.enabled && !off.intents.voice_states);
    let on = voice("").discord;
    assert!(on.voice.enabled && on.intents.voice_states);
    let text =
        "{ channels: { discord: { token: 'a', intents: { voiceStates: false }, voice: {} } } }";
    assert!(!taken(text, &[]).discord.intents.voice_states);
    assert!(!voice("enabled: false").discord.voice.enabled);
}

#[test]
fn tokens() {
    let token = |text: &str| {
        let config = taken(text, &[("DISCORD_BOT_TOKEN", "env.tok"), ("OTHER", "other.tok")]);
        config.discord.token.map(|token| token.expose_secret().to_owned())
    };
    for (field, expected) in [
        ("", "env.tok"),
        ("token: 'in.file'", "in.file"),
        ("token: 'Bot in.file'", "in.file"),
        ("token: '$OTHER'", "other.tok"),
        ("token: '${OTHER}'", "other.tok"),
        ("token: { source: 'env', provider: 'default', id: 'OTHER' }", "other.tok"),
    ] {
        let text = format!("{{ channels: {{ discord: {{ {field} }} }} }}");
        assert_eq!(token(&text).as_deref(), Some(expected), "{field}");
    }
    assert!(taken("{}", &[("DISCORD_BOT_TOKEN", "env.tok")]).discord.enabled);
    assert!(!taken("{}", &[]).discord.enabled);
}

#[test]
fn secrets_do_not_print() {
    let config = voice("realtime: { providers: { openai: { apiKey: 'sk-hush' } } }");
    let debug = format!("{config:?}");
    assert!(!debug.contains("sk-hush") && !debug.contains("a.b.c"), "{debug}");
}

#[test]
fn other_channels_and_top_level_keys_are_left_alone() {
    let text = "{ gateway: { anything: [1, null] }, channels: { telegram: { botToken: 5 }, \
                discord: { token: 'a.b.c', guilds: { '*': {} } } } }";
    assert_eq!(taken(text, &[]).warnings, []);
}

#[test]
fn nearly_read_keys_of_others_are_warned_of() {
    let config = taken("{ chanels: {} }", &[]);
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        ["/etc/claw/claw.json5:1:3: chanels: this key is not read; did you mean `channels`?"]
    );
}

#[test]
fn the_last_auto_join_of_a_guild_wins_with_one_warning() {
    let config = voice(
        "autoJoin: [{ guildId: '1', channelId: '2' }, { guildId: 1, channelId: 3 }, \
         { guildId: '4', channelId: '5', whenOccupied: true }]",
    );
    let joins: Vec<(u64, u64, bool)> = config
        .discord
        .voice
        .auto_join
        .iter()
        .map(|join| (join.target.guild.get(), join.target.channel.get(), join.when_occupied))
        .collect();
    assert_eq!(joins, [(1, 3, false), (4, 5, true)]);
    assert_eq!(config.warnings.len(), 1);
}

#[test]
fn lists_of_people_and_channels() {
    let voice = voice("followUsers: ['1', 'discord:2', 'user:3', 4], allowedChannels: []");
    let voice = voice.discord.voice;
    assert_eq!(voice.follow_users.iter().map(|id| id.get()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(voice.allowed_channels, Some(Vec::new()));
}

#[test]
fn agent_sessions() {
    let target = |text: &str| {
        voice(&format!("agentSession: {{ mode: 'target', target: '{text}' }}"))
            .discord
            .voice
            .agent_session
    };
    for (text, is_user) in [("channel:7", false), ("7", false), ("dm:7", true), ("user:7", true)] {
        match target(text) {
            AgentSession::Target(SessionTarget::Channel(id)) if !is_user => assert_eq!(id.get(), 7),
            AgentSession::Target(SessionTarget::User(id)) if is_user => assert_eq!(id.get(), 7),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn policies_follow_the_mode() {
    for (mode, tools, consult) in [
        ("agent-proxy", ToolPolicy::Owner, ConsultPolicy::Always),
        ("bidi", ToolPolicy::SafeReadOnly, ConsultPolicy::Auto),
    ] {
        let realtime = voice(&format!("mode: '{mode}'")).discord.voice.realtime;
        assert_eq!((realtime.tool_policy, realtime.consult_policy), (tools, consult), "{mode}");
    }
    let odd = voice("mode: 'bidi', realtime: { toolPolicy: 'everything' }");
    assert_eq!(odd.discord.voice.realtime.tool_policy, ToolPolicy::SafeReadOnly);
    assert_eq!(odd.warnings.len(), 1);
    assert_eq!(odd.discord.voice.mode, VoiceMode::Bidi);
}

#[test]
fn realtime_goes_over_the_provider_block() {
    let config = voice(
        "realtime: { model: 'above', speakerVoice: 'cedar', minBargeInAudioEndMs: 0, providers: { \
         openai: { apiKey: 'k', model: 'below', voice: 'ash', minBargeInAudioEndMs: 900, \
         temperature: 0.8, notOurs: [1] } } }",
    );
    let selected = config.discord.voice.realtime.selected.expect("the block has a key");
    assert_eq!(selected.id, "openai");
    assert_eq!(selected.settings.model.as_deref(), Some("above"));
    assert_eq!(selected.settings.voice.as_deref(), Some("cedar"));
    assert_eq!(selected.settings.min_barge_in_audio_end, Duration::ZERO);
    assert_eq!(
        serde_json::Value::from(selected.settings.rest),
        serde_json::json!({ "notOurs": [1] })
    );
}

#[test]
fn a_server_is_described_by_its_block() {
    let server = |body: &str| {
        let config = voice(&format!("realtime: {{ providers: {{ x: {{ {body} }} }} }}"));
        config.discord.voice.realtime.providers["x"].server.clone()
    };
    let plain = server("");
    assert_eq!((plain.azure, plain.auth_header, plain.flat_session), (None, None, None));
    assert!(plain.can_cancel && plain.can_truncate && !plain.cumulative_transcripts);
    assert_eq!((plain.transcription, plain.session_limit), (Transcription::Default, None));
    let odd = server(
        "authHeader: 'X-API-Key', sessionShape: 'beta', impliedResponses: true, \
         cumulativeTranscripts: true, supportsCancel: false, supportsTruncate: false, \
         transcriptionModel: 'none', sessionLimitMs: 600000, temperature: 1",
    );
    assert_eq!(odd.auth_header, Some(AuthHeader::XApiKey));
    assert_eq!((odd.flat_session, odd.implied_responses), (Some(true), Some(true)));
    assert!(!odd.can_cancel && !odd.can_truncate && odd.cumulative_transcripts);
    assert_eq!(odd.transcription, Transcription::Off);
    assert_eq!(odd.session_limit, Some(Duration::from_secs(600)));
    assert_eq!(odd.temperature, None, "Azure only");
    let azure = server(
        "azureEndpoint: 'https://me.openai.azure.com/', azureDeployment: 'rt', \
         azureApiVersion: '2024-10-01-preview', temperature: 0.8",
    );
    let expected = Azure {
        endpoint: "https://me.openai.azure.com".to_owned(),
        deployment: Some("rt".to_owned()),
        api_version: Some("2024-10-01-preview".to_owned()),
    };
    assert_eq!((azure.azure, azure.temperature), (Some(expected), Some(0.8)));
}

#[test]
fn googles_key_comes_from_its_own_variables() {
    let key = |variables: &[(&str, &str)]| {
        let text = "{ channels: { discord: { token: 'a', voice: { realtime: { provider: 'gemini' } } } } }";
        let selected = taken(text, variables).discord.voice.realtime.selected?;
        selected.settings.api_key.map(|key| key.expose_secret().to_owned())
    };
    assert_eq!(key(&[("GOOGLE_API_KEY", "b")]).as_deref(), Some("b"));
    assert_eq!(key(&[("GOOGLE_API_KEY", "b"), ("GEMINI_API_KEY", "a")]).as_deref(), Some("a"));
    assert_eq!(key(&[("OPENAI_API_KEY", "c")]), None);
}

#[test]
fn a_provider_is_selected_without_being_named() {
    let selected = |body: &str, variables: &[(&str, &str)]| {
        let text = format!(
            "{{ channels: {{ discord: {{ token: 'a', voice: {{ realtime: {{ {body} }} }} }} }} }}"
        );
        taken(&text, variables).discord.voice.realtime.selected.map(|selected| selected.id)
    };
    let key: &[(&str, &str)] = &[("OPENAI_API_KEY", "sk-1")];
    assert_eq!(selected("", &[]), None);
    assert_eq!(selected("", key).as_deref(), Some("openai"));
    assert_eq!(selected("providers: { local: {} }", &[]).as_deref(), Some("local"));
    assert_eq!(selected("providers: { x: {} }", &[]), None);
    assert_eq!(selected("provider: 'x'", &[]).as_deref(), Some("x"));
}

#[test]
fn barge_in_follows_the_provider_when_unset() {
    for (body, expected) in [
        ("provider: 'local'", true),
        (
            "provider: 'local', providers: { local: { interruptResponseOnInputAudio: false } }",
            false,
        ),
        (
            "provider: 'local', bargeIn: true, \
             providers: { local: { interruptResponseOnInputAudio: false } }",
            true,
        ),
    ] {
        let config = voice(&format!("realtime: {{ {body} }}"));
        assert_eq!(config.discord.voice.realtime.barges_in(), expected, "{body}");
    }
}

#[test]
fn the_local_provider() {
    let local = |body: &str| {
        let config = voice(&format!("realtime: {{ providers: {{ local: {{ {body} }} }} }}"));
        config.discord.voice.realtime.providers["local"].local.clone().expect("local settings")
    };
    assert_eq!(local("").behaviour, LocalBehaviour::Parrot);
    let scripted = local("script: 'turns.json5', recordDir: '/tmp/rec', speed: 1.5");
    assert_eq!(scripted.behaviour, LocalBehaviour::Script("/etc/claw/turns.json5".into()));
    assert_eq!(scripted.record_dir.as_deref(), Some(Path::new("/tmp/rec")));
    assert_eq!(scripted.speed, 1.5);
}

#[test]
fn the_default_agent() {
    let agent = |text: &str| {
        let agent = taken(&format!("{{ agents: {text} }}"), &[]).agent;
        (agent.id, agent.name)
    };
    let named = |id: &str, name: &str| (id.to_owned(), Some(name.to_owned()));
    assert_eq!(agent("{}"), ("main".to_owned(), None));
    assert_eq!(
        agent("{ list: [{ id: 'a' }, { id: 'b', default: true, name: 'B', tools: {} }] }"),
        named("b", "B")
    );
    assert_eq!(
        agent("{ entries: { c: { identity: { name: 'C' }, name: 'x' } } }"),
        named("c", "C")
    );
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        if let Err(errors) = parse(&text, Path::new("x"), &env(&[])) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn shuffled_pieces_of_a_file_never_panic(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ":", ",", "channels", "discord", "voice", "realtime",
                "providers", "local", "token", "\"é\n", "'", "0x", "-.5e9", "Infinity", "//", "/*",
                "*/", "\n", " ", "null", "true", "autoJoin", "agents", "list", "id", "\\u{d800}",
            ]),
            0..60,
        ),
    ) {
        if let Err(errors) = parse(&pieces.concat(), Path::new("x"), &env(&[])) {
            prop_assert!(!errors.to_string().is_empty());
        }
    }

    #[test]
    fn any_value_at_any_key_is_taken_or_pointed_at(
        key in prop::sample::select(vec![
            "enabled", "mode", "model", "agentSession", "autoJoin", "allowedChannels",
            "followUsers", "connectTimeoutMs", "tts", "realtime",
        ]),
        value in prop::sample::select(vec![
            "true", "0", "-1", "1e99", "''", "'x'", "[]", "[[]]", "[{}]", "{}", "null", "[1, 'a']",
            "{ providers: [] }", "{ providers: { local: 1 } }", "{ wakeNames: ['a b c'] }",
        ]),
    ) {
        let text = format!("{{ channels: {{ discord: {{ token: 'a', voice: {{\n{key}: {value} }} }} }} }}");
        let path = format!("channels.discord.voice.{key}");
        if let Err(errors) = parse(&text, Path::new("x"), &env(&[])) {
            for error in errors.iter() {
                prop_assert_eq!(error.at.map(|at| at.line), Some(2));
                prop_assert!(error.path.starts_with(&path));
            }
        }
    }
}

#[test]
fn the_agents_models() {
    let models = |text: &str| taken(&format!("{{ agents: {{ {text} }} }}"), &[]).agent.models;
    for (text, expected) in [
        ("", &[][..]),
        ("defaults: { model: 'openai/gpt-5.5' }", &["openai/gpt-5.5"][..]),
        ("defaults: { model: 'a/b' }, list: [{ id: 'main', model: 'c/d/e' }]", &["c/d/e"]),
        ("defaults: { model: 'a/b' }, list: [{ id: 'main' }]", &["a/b"]),
        (
            "list: [{ id: 'm', model: { primary: 'a/b', fallbacks: ['c/d', 'echo'], x: 1 } }]",
            &["a/b", "c/d", "echo"],
        ),
        ("entries: { m: { model: 'a/b' } }", &["a/b"]),
    ] {
        assert_eq!(models(text), expected, "{text}");
    }
}

#[test]
fn paths_start_at_home_or_at_the_file() {
    let home = [("HOME", "/home/ada")];
    let store = |text: &str| taken(text, &home).session_store;
    assert_eq!(store("{}"), Path::new("/home/ada/.clawvoice/state/sessions.sqlite"));
    assert_eq!(
        store("{ session: { store: '~/x/{agentId}.sqlite' }, agents: { list: [{ id: 'ops' }] } }"),
        Path::new("/home/ada/x/ops.sqlite")
    );
    assert_eq!(store("{ session: { store: 'x.sqlite' } }"), Path::new("/etc/claw/x.sqlite"));
    assert_eq!(store("{ session: { store: '/x.sqlite' } }"), Path::new("/x.sqlite"));
    let workspace = |text: &str| taken(text, &home).agent.workspace;
    assert_eq!(workspace("{}"), None);
    assert_eq!(
        workspace("{ agents: { defaults: { workspace: '~/w' } } }").as_deref(),
        Some(Path::new("/home/ada/w"))
    );
    assert_eq!(
        workspace(
            "{ agents: { defaults: { workspace: '/a' }, list: [{ id: 'm', workspace: 'b' }] } }"
        )
        .as_deref(),
        Some(Path::new("/etc/claw/b"))
    );
}

#[test]
fn model_providers() {
    let text = "{ models: { mode: 'merge', providers: {
        local: { baseUrl: 'http://127.0.0.1:11434/v1/', headers: {}, models: [
            { id: 'llama', name: 'Llama', contextWindow: 8192, input: ['text'],
              cost: { input: 1.5, output: 6, cacheRead: 0.5, cacheWrite: 9 } },
            { id: 'free', input: ['text', 'image'] },
        ] },
        'my-router': { baseUrl: 'https://r/v1', apiKey: '${ROUTER}', api: 'openai-responses' },
        claude: { baseUrl: 'https://c', api: 'anthropic-messages' },
        echo: { thinkMs: 1500 },
    } } }";
    let variables = [("ROUTER", "rk"), ("OPENAI_API_KEY", "ok"), ("LOCAL_API_KEY", "lk")];
    let config = taken(text, &variables);
    let of = |id: &str| &config.model_providers[id];
    let key = |id: &str| of(id).api_key.as_ref().map(|key| key.expose_secret().to_owned());
    assert_eq!(of("local").base_url.as_deref(), Some("http://127.0.0.1:11434/v1"));
    assert_eq!(of("local").api, Some(ModelApi::Completions));
    let llama = of("local").models["llama"];
    assert_eq!(llama.context_window, Some(8192));
    assert!(!llama.images && of("local").models["free"].images);
    assert_eq!(llama.cost, Some(ModelCost { input: 1.5, output: 6.0, cache_read: 0.5 }));
    assert_eq!(of("local").models["free"].cost, None);
    assert_eq!((key("local").as_deref(), key("my-router").as_deref()), (Some("lk"), Some("rk")));
    assert_eq!(of("my-router").api, Some(ModelApi::Responses));
    assert_eq!(of("claude").api, None);
    assert_eq!(of("echo").think, Duration::from_millis(1500));
    // Known without a block.
    assert_eq!(of("openai").base_url.as_deref(), Some("https://api.openai.com/v1"));
    assert_eq!(of("openai").api, Some(ModelApi::Responses));
    assert_eq!(key("openai").as_deref(), Some("ok"));
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    let elsewhere = taken("{ models: { providers: { openai: { baseUrl: 'http://h' } } } }", &[]);
    assert_eq!(elsewhere.model_providers["openai"].api, Some(ModelApi::Completions));
    assert!(!format!("{config:?}").contains("rk\""));
}

#[test]
fn owners() {
    let owns = |commands: &str, discord: &str| {
        let text = format!(
            "{{ commands: {{ {commands} }}, channels: {{ discord: {{ token: 'a.b.c', {discord} }} }} }}"
        );
        let config = taken(&text, &[]);
        [1, 2, 3].map(|user| config.is_owner(user))
    };
    let listed = "ownerAllowFrom: ['discord:1', 'telegram:2', '<@!3>']";
    assert_eq!(owns("", ""), [false; 3]);
    assert_eq!(owns(listed, ""), [true, false, true]);
    // Being admitted makes nobody an owner.
    assert_eq!(owns("", "allowFrom: ['2']"), [false; 3]);
    assert_eq!(owns(listed, "allowFrom: ['2']"), [true, false, true]);
    assert_eq!(owns("ownerAllowFrom: []", "allowFrom: ['2']"), [false; 3]);
}

#[test]
fn documented_owners_are_the_admitted_where_that_is_asked_for() {
    let owns = |commands: &str, discord: &str| {
        let text = format!(
            "{{ commands: {{ ownerFromAllowFrom: true, {commands} }}, channels: {{ discord: {{ \
             token: 'a.b.c', {discord} }} }} }}"
        );
        let config = taken(&text, &[]);
        [1, 2, 3].map(|user| config.is_owner(user))
    };
    let listed = "ownerAllowFrom: ['1', '3']";
    assert_eq!(owns(listed, "allowFrom: ['2']"), [true, false, true]);
    assert_eq!(owns("", "allowFrom: ['user:2', 'ada', '*', 3]"), [false, true, true]);
    assert_eq!(owns("", "dm: { allowFrom: ['1'] }"), [true, false, false]);
    assert_eq!(owns("", "allowFrom: ['2'], dm: { allowFrom: ['1'] }"), [false, true, false]);
}

#[test]
fn a_pause_between_messages_is_the_agents_or_that_of_all() {
    let of = |own: &str| {
        let text = format!(
            "{{ agents: {{ defaults: {{ humanDelay: {{ mode: 'natural' }} }}, \
             list: [{{ id: 'main', {own} }}] }} }}"
        );
        let HumanDelay { min, max } = taken(&text, &[]).agent.human_delay;
        (min.as_millis(), max.as_millis())
    };
    for (own, pause) in [
        ("", (800, 2_500)),
        ("humanDelay: { mode: 'off' }", (0, 0)),
        ("humanDelay: { mode: 'custom', minMs: 10, maxMs: 20 }", (10, 20)),
        ("humanDelay: { mode: 'custom', minMs: 3000 }", (3_000, 3_000)),
        ("humanDelay: { mode: 'natural', minMs: 10 }", (800, 2_500)),
    ] {
        assert_eq!(of(own), pause, "{own}");
    }
}
