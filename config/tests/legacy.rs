//! Old names: each is understood, with one warning at its place, and gives way to the new one.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{
    BreakPreference, ChunkMode, Config, DmPolicy, GuildChannel, Sender, StreamingMode, Warning,
    parse,
};
use insta::assert_snapshot;

fn taken(discord: &str) -> Config {
    let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c',\n{discord} }} }} }}");
    let nothing: BTreeMap<String, String> = BTreeMap::new();
    parse(&text, Path::new("claw.json5"), &nothing).unwrap_or_else(|errors| panic!("{errors}"))
}

fn warnings(config: &Config) -> String {
    config.warnings.iter().map(Warning::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn direct_messages() {
    let config = taken("dm: { policy: 'open', allowFrom: ['*', '5'] }");
    assert_eq!(config.discord.access.dm_policy, DmPolicy::Open);
    assert_eq!(config.discord.access.allow_from.as_ref().map(Vec::len), Some(2));
    assert_snapshot!(warnings(&config), @r"
    claw.json5:2:7: channels.discord.dm.policy: an old name of `dmPolicy`
    claw.json5:2:23: channels.discord.dm.allowFrom: an old name of `allowFrom`
    ");
    let config = taken("dmPolicy: 'disabled', dm: { policy: 'pairing' }");
    assert_eq!(config.discord.access.dm_policy, DmPolicy::Disabled);
    assert_snapshot!(warnings(&config), @"claw.json5:2:29: channels.discord.dm.policy: an old name of `dmPolicy`, which is written too and goes first");
    let config = taken("allowFrom: ['1'], dm: { allowFrom: ['2'] }");
    let listed = config.discord.access.allow_from.unwrap();
    assert_eq!(listed.iter().filter_map(Sender::user).map(|id| id.get()).collect::<Vec<_>>(), [1]);
}

#[test]
fn streaming() {
    let mode = |text: &str| {
        let config = taken(text);
        assert_eq!(config.warnings.len(), 1, "{text}");
        let told = config.origins.at("channels.discord.streaming.mode").unwrap();
        let mode = config.discord.delivery.streaming.mode;
        assert_eq!(told.value, mode.as_str(), "{text}");
        mode
    };
    assert_eq!(mode("streaming: 'block'"), StreamingMode::Block);
    assert_eq!(mode("streaming: true"), StreamingMode::Partial);
    assert_eq!(mode("streaming: false"), StreamingMode::Off);
    assert_eq!(mode("streamMode: 'partial'"), StreamingMode::Partial);
    assert_eq!(mode("streaming: { mode: 'off' }, streamMode: 'partial'"), StreamingMode::Off);
    let config = taken(
        "chunkMode: 'newline', blockStreaming: true, draftChunk: { minChars: 5, breakPreference: \
         'sentence' }, blockStreamingCoalesce: { idleMs: 7 }",
    );
    let streaming = &config.discord.delivery.streaming;
    assert_eq!(streaming.chunk_mode, ChunkMode::Newline);
    assert!(streaming.block_enabled);
    assert_eq!(streaming.preview_chunk.min_chars, 5);
    assert_eq!(streaming.preview_chunk.break_preference, BreakPreference::Sentence);
    assert_eq!(streaming.coalesce.idle.as_millis(), 7);
    assert_snapshot!(warnings(&config), @r"
    claw.json5:2:1: channels.discord.chunkMode: an old name of `streaming.chunkMode`
    claw.json5:2:45: channels.discord.draftChunk: an old name of `streaming.preview.chunk`
    claw.json5:2:23: channels.discord.blockStreaming: an old name of `streaming.block.enabled`
    claw.json5:2:103: channels.discord.blockStreamingCoalesce: an old name of `streaming.block.coalesce`
    ");
    let told = config.origins.at("channels.discord.streaming.chunkMode").unwrap();
    assert_snapshot!(config.origins.describe(&told.source), @"claw.json5:2:12, written as channels.discord.chunkMode");
}

fn channel(config: &Config) -> &GuildChannel {
    let guild = config.discord.guild(1, None).expect("the server is listed");
    guild.channel(2, None).expect("the channel is listed")
}

#[test]
fn channels() {
    let config = taken("guilds: { 1: { channels: { 2: { allow: false, agentId: 'ops' } } } }");
    assert!(!channel(&config).enabled);
    assert_eq!(channel(&config).agent.as_deref(), Some("ops"));
    assert_snapshot!(warnings(&config), @r"
    claw.json5:2:33: channels.discord.guilds.1.channels.2.allow: an old name of `guilds.1.channels.2.enabled`
    claw.json5:2:47: channels.discord.guilds.1.channels.2.agentId: an old name of `bindings[]`
    ");
    let config = taken("guilds: { 1: { channels: { 2: { allow: false, enabled: true } } } }");
    assert!(channel(&config).enabled);
}

#[test]
fn thread_bindings() {
    let spawns = |text: &str| {
        taken(&format!("threadBindings: {{ {text} }}"))
            .discord
            .delivery
            .thread_bindings
            .spawn_sessions
    };
    assert!(spawns(""));
    assert!(!spawns("spawnSubagentSessions: false"));
    assert!(!spawns("spawnAcpSessions: false"));
    assert!(spawns("spawnSessions: true, spawnAcpSessions: false"));
    let config = taken("threadBindings: { spawnAcpSessions: false }");
    assert_snapshot!(warnings(&config), @"claw.json5:2:19: channels.discord.threadBindings.spawnAcpSessions: an old name of `threadBindings.spawnSessions`");
}

#[test]
fn an_old_name_that_all_accounts_inherit_is_told_once() {
    let config = taken("streamMode: 'off', accounts: { a: {}, b: { token: 'b' } }");
    assert_eq!(config.warnings.len(), 1, "{}", warnings(&config));
}
