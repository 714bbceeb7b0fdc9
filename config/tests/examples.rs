//! The configurations in `fixtures/config`: OpenClaw's documented examples, a whole file of
//! OpenClaw's, and our own, with what is in force by them and why.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{Config, Sender, Warning, declarations, explain, parse};
use insta::assert_snapshot;

fn example(name: &str) -> Config {
    let path = format!("{}/../fixtures/config/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the example is there");
    let env: BTreeMap<String, String> = [
        ("DISCORD_BOT_TOKEN", "a.b.c"),
        ("CODING_BOT_TOKEN", "d.e.f"),
        ("OPENAI_API_KEY", "sk-1"),
        ("HOME", "/home/ada"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    parse(&text, Path::new(name), &env).unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is in force below `path`, apart from defaults.
fn written(config: &Config, path: &str) -> String {
    explain(&declarations(), &config.origins, path)
        .unwrap_or_else(|unknown| panic!("{unknown}"))
        .into_iter()
        .filter(|one| one.source.as_deref() != Some("default"))
        .map(|one| {
            let path = one.path.strip_prefix(path).unwrap_or(&one.path).trim_start_matches('.');
            let value = one.value.unwrap_or_default();
            format!("{path} = {value} ({})", one.source.unwrap_or_default())
        })
        .collect::<Vec<String>>()
        .join("\n")
}

#[test]
fn every_example_is_taken_without_a_warning() {
    for name in [
        "auto-join",
        "agent-proxy",
        "bidi-echo-heavy",
        "target-session",
        "demo",
        "demo-agent",
        "discord",
    ] {
        assert_eq!(example(&format!("{name}.json5")).warnings, [], "{name}");
    }
}

#[test]
fn auto_join() {
    assert_snapshot!(written(&example("auto-join.json5"), "channels.discord.voice"), @r#"
    allowedChannels = [{"channelId":"234567890123456789","guildId":"123456789012345678"}] (auto-join.json5:16:26)
    autoJoin = [{"channelId":"234567890123456789","guildId":"123456789012345678"}] (auto-join.json5:10:19)
    connectTimeoutMs = 30000 (auto-join.json5:24:27)
    daveEncryption = true (auto-join.json5:22:25)
    decryptionFailureTolerance = 24 (auto-join.json5:23:37)
    enabled = true (auto-join.json5:8:18)
    model = "openai-codex/gpt-5.5" (auto-join.json5:9:16)
    realtime.model = "gpt-realtime-2" (auto-join.json5:28:18)
    realtime.provider = "openai" (auto-join.json5:27:21)
    realtime.providers.openai.apiKey = "(secret)" (env OPENAI_API_KEY)
    realtime.voice = "cedar" (auto-join.json5:29:18)
    reconnectGraceMs = 15000 (auto-join.json5:25:27)
    "#);
}

#[test]
fn agent_proxy() {
    assert_snapshot!(written(&example("agent-proxy.json5"), "channels.discord.voice"), @r#"
    enabled = true (agent-proxy.json5:8:18)
    mode = "agent-proxy" (agent-proxy.json5:9:15)
    model = "openai-codex/gpt-5.5" (agent-proxy.json5:10:16)
    realtime.consultPolicy = "always" (agent-proxy.json5:16:26)
    realtime.model = "gpt-realtime-2" (agent-proxy.json5:13:18)
    realtime.provider = "openai" (agent-proxy.json5:12:21)
    realtime.providers.openai.apiKey = "(secret)" (env OPENAI_API_KEY)
    realtime.toolPolicy = "owner" (agent-proxy.json5:15:23)
    realtime.voice = "cedar" (agent-proxy.json5:14:18)
    "#);
}

#[test]
fn bidi_in_a_room_with_echo() {
    let config = example("bidi-echo-heavy.json5");
    assert_snapshot!(written(&config, "channels.discord.voice"), @r#"
    enabled = true (bidi-echo-heavy.json5:8:18)
    mode = "bidi" (bidi-echo-heavy.json5:9:15)
    model = "openai-codex/gpt-5.5" (bidi-echo-heavy.json5:10:16)
    realtime.bargeIn = true (bidi-echo-heavy.json5:15:20)
    realtime.consultPolicy = "always" (bidi-echo-heavy.json5:17:26)
    realtime.minBargeInAudioEndMs = 500 (bidi-echo-heavy.json5:16:33)
    realtime.model = "gpt-realtime-2" (bidi-echo-heavy.json5:13:18)
    realtime.provider = "openai" (bidi-echo-heavy.json5:12:21)
    realtime.providers.openai.apiKey = "(secret)" (env OPENAI_API_KEY)
    realtime.providers.openai.interruptResponseOnInputAudio = false (bidi-echo-heavy.json5:20:46)
    realtime.voice = "cedar" (bidi-echo-heavy.json5:14:18)
    "#);
    let realtime = &config.discord.voice.realtime;
    let selected = realtime.selected.as_ref().expect("a provider is selected");
    assert_eq!(selected.settings.min_barge_in_audio_end.as_millis(), 500);
    assert!(realtime.barges_in());
}

#[test]
fn a_target_session() {
    let config = example("target-session.json5");
    assert_snapshot!(written(&config, "channels.discord.voice.agentSession"), @r#"
    mode = "target" (target-session.json5:11:17)
    target = "channel:345678901234567890" (target-session.json5:12:19)
    "#);
}

#[test]
fn a_whole_file_of_openclaws_is_taken_and_what_is_not_ours_is_left_alone() {
    let config = example("openclaw.json");
    let warnings: Vec<String> = config.warnings.iter().map(Warning::to_string).collect();
    assert_snapshot!(warnings.join("\n"), @r#"openclaw.json:22:69: models.providers.anthropic.api: "anthropic-messages" is not spoken by this version; "openai-completions" and "openai-responses" are"#);
    assert_snapshot!(written(&config, "channels.discord.accounts.coding"), @r##"
    actions.moderation = false (root, inherited by account coding, openclaw.json:128:34)
    allowFrom = ["111111111111111111","accessGroup:friends"] (root, inherited by account coding, openclaw.json:110:20)
    dmPolicy = "allowlist" (root, inherited by account coding, openclaw.json:109:19)
    enabled = true (root, inherited by account coding, openclaw.json:107:18)
    execApprovals.approvers = ["111111111111111111"] (root, inherited by account coding, openclaw.json:129:58)
    execApprovals.enabled = "auto" (root, inherited by account coding, openclaw.json:129:37)
    execApprovals.target = "dm" (root, inherited by account coding, openclaw.json:129:92)
    groupPolicy = "allowlist" (root, inherited by account coding, openclaw.json:111:22)
    guilds["*"].requireMention = false (openclaw.json:137:48)
    historyLimit = 20 (root, inherited by account coding, openclaw.json:125:23)
    name = "Coding" (openclaw.json:134:19)
    replyToMode = "all" (openclaw.json:136:26)
    streaming.mode = "partial" (root, inherited by account coding, openclaw.json:126:30)
    token = "${CODING_BOT_TOKEN}" (openclaw.json:135:20)
    ui.components.accentColor = "#5865F2" (root, inherited by account coding, openclaw.json:130:46)
    voice.enabled = true (root, inherited by account coding, openclaw.json:141:20)
    voice.mode = "stt-tts" (root, inherited by account coding, openclaw.json:142:17)
    voice.model = "openai/gpt-5.4-mini" (root, inherited by account coding, openclaw.json:143:18)
    voice.realtime.providers.openai.apiKey = "(secret)" (env OPENAI_API_KEY)
    voice.tts.openai.apiKey = "(secret)" (env OPENAI_API_KEY)
    voice.tts.openai.model = "gpt-4o-mini-tts" (root, inherited by account coding, openclaw.json:144:61)
    voice.tts.openai.voice = "cedar" (root, inherited by account coding, openclaw.json:144:89)
    voice.tts.provider = "openai" (root, inherited by account coding, openclaw.json:144:30)
    "##);
    assert_eq!(config.accounts.len(), 2);
    assert_eq!(config.owners_in_force().len(), 1);
    assert_eq!(config.bindings.len(), 1);
    assert_eq!(config.access_groups.len(), 2);
    let listed = config.discord.access.allow_from.as_deref().unwrap_or_default();
    assert!(listed.contains(&Sender::AccessGroup("friends".to_owned())));
    let guild = config.discord.guild(123_456_789_012_345_678, None).expect("the server is listed");
    assert!(guild.channel(1, Some("General")).is_some_and(|c| c.require_mention == Some(false)));
    assert!(guild.channel(1, Some("random")).is_none());
    // Secrets of others are seen by nobody.
    let shown = format!("{config:?}{}", written(&config, ""));
    for secret in
        ["gateway-token-of-openclaw", "token-of-telegram", "gsk-of", "a.b.c", "d.e.f", "sk-1"]
    {
        assert!(!shown.contains(secret), "{secret} is shown");
    }
}
