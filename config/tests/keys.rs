//! Every key of the documentation, one a line: what it takes, its bounds, its default. Each is
//! tried at its bounds, beyond them, with another type, and in an account.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{Config, ConfigErrors, Kind, Source, declarations, parse};
use serde_json::{Value, json};

enum Takes {
    Bool,
    /// `true`, `false` or a word.
    BoolOr(&'static str),
    Whole(u32, u32),
    Number(f64, f64),
    Text,
    Words(&'static [&'static str]),
    Texts,
    Id,
    /// Good values and bad ones.
    Either(Value, Value),
}

use Takes::{Bool, BoolOr, Either, Id, Number, Text, Texts, Whole, Words};

struct Key {
    path: &'static str,
    takes: Takes,
    default: Value,
    /// Keys that it does not mean anything without.
    beside: Value,
}

fn key(path: &'static str, takes: Takes, default: Value) -> Key {
    Key { path, takes, default, beside: Value::Null }
}

const U32: u32 = u32::MAX;

/// Below `channels.discord`.
fn of_an_account() -> Vec<Key> {
    let unset = || Value::Null;
    let mut keys = vec![
        key("enabled", Bool, json!(true)),
        key("applicationId", Id, unset()),
        key("name", Text, unset()),
        key("capabilities", Texts, unset()),
        key("allowBots", BoolOr("mentions"), json!(false)),
        key("botLoopProtection.enabled", Bool, json!(true)),
        key("botLoopProtection.maxEventsPerWindow", Whole(1, U32), json!(20)),
        key("botLoopProtection.windowSeconds", Whole(1, 86_400), json!(60)),
        key("botLoopProtection.cooldownSeconds", Whole(1, 86_400), json!(60)),
        key("dangerouslyAllowNameMatching", Bool, json!(false)),
        key("mentionAliases.ops", Id, unset()),
        key("mentionPatterns.mode", Words(&["allow", "deny"]), json!("allow")),
        key("mentionPatterns.allowIn", Either(json!(["general", 5]), json!([true])), unset()),
        key("mentionPatterns.denyIn", Either(json!(["general", 5]), json!("x")), unset()),
        key("dmPolicy", Words(&["pairing", "disabled"]), json!("pairing")),
        key("allowFrom", Either(json!(["1", 2, "*", "pk:x", "accessGroup:a"]), json!(5)), unset()),
        key("defaultTo", Text, unset()),
        key("dm.enabled", Bool, json!(true)),
        key("dm.groupEnabled", Bool, json!(false)),
        key("dm.groupChannels", Either(json!(["general", 5]), json!(true)), unset()),
        key("groupPolicy", Words(&["open", "allowlist", "disabled"]), json!("allowlist")),
        key("contextVisibility", Words(&["all", "allowlist", "allowlist_quote"]), json!("all")),
        key("historyLimit", Whole(0, 10_000), json!(20)),
        key("dmHistoryLimit", Whole(0, 10_000), unset()),
        key("dms.5.historyLimit", Whole(0, 10_000), unset()),
        key("textChunkLimit", Whole(1, U32), json!(2_000)),
        key("maxLinesPerMessage", Whole(1, U32), json!(17)),
        key("markdown.tables", Words(&["off", "bullets", "code"]), json!("code")),
        key("suppressEmbeds", Bool, json!(true)),
        key("mediaMaxMb", Either(json!(0.5), json!(0)), json!(100.0)),
        key("retry.attempts", Whole(1, 100), json!(3)),
        key("retry.minDelayMs", Either(json!(30_000), json!(-1)), json!(500)),
        key("retry.maxDelayMs", Either(json!(500), json!(-1)), json!(30_000)),
        key("retry.jitter", Number(0.0, 1.0), json!(0.1)),
        key("rateLimit.enabled", Bool, json!(true)),
        key("rateLimit.strategy", Words(&["queue"]), json!("queue")),
        key("rateLimit.maxQueueSize", Whole(1, 10_000), json!(50)),
        key("rateLimit.burstProtection", Bool, json!(true)),
        key("streaming.mode", Words(&["off", "partial", "block", "progress"]), json!("progress")),
        key("streaming.chunkMode", Words(&["length", "newline"]), json!("length")),
        key("streaming.preview.chunk.minChars", Whole(1, 100_000), json!(200)),
        key("streaming.preview.chunk.maxChars", Whole(1, 100_000), json!(800)),
        key(
            "streaming.preview.chunk.breakPreference",
            Words(&["paragraph", "newline", "sentence"]),
            json!("paragraph"),
        ),
        key("streaming.preview.toolProgress", Bool, json!(true)),
        key("streaming.preview.commandText", Words(&["raw", "status"]), json!("raw")),
        key("streaming.progress.label", Either(json!(false), json!(true)), json!("auto")),
        key("streaming.progress.labels", Texts, unset()),
        key("streaming.progress.maxLines", Whole(1, 100), json!(8)),
        key("streaming.progress.maxLineChars", Whole(1, 2_000), json!(120)),
        key("streaming.progress.toolProgress", Bool, json!(true)),
        key("streaming.progress.commentary", Bool, json!(false)),
        key("streaming.progress.commandText", Words(&["raw", "status"]), json!("raw")),
        key("streaming.block.enabled", Bool, json!(false)),
        key("streaming.block.coalesce.minChars", Whole(1, 100_000), json!(1_500)),
        key("streaming.block.coalesce.maxChars", Whole(1, 100_000), unset()),
        key("streaming.block.coalesce.idleMs", Whole(0, 600_000), json!(1_000)),
        key("replyToMode", Words(&["off", "first", "all", "batched"]), json!("off")),
        key("thread.inheritParent", Bool, json!(false)),
        key("threadBindings.enabled", Bool, json!(true)),
        key("threadBindings.idleHours", Number(0.0, 87_600.0), json!(24.0)),
        key("threadBindings.maxAgeHours", Number(0.0, 87_600.0), json!(0.0)),
        key("threadBindings.spawnSessions", Bool, json!(true)),
        key("threadBindings.defaultSpawnContext", Words(&["fork", "isolated"]), json!("fork")),
        key("responsePrefix", Either(json!(""), json!(1)), unset()),
        key("ackReaction", Either(json!(""), json!(1)), unset()),
        key(
            "ackReactionScope",
            Words(&["group-mentions", "group-all", "direct", "all", "off", "none"]),
            unset(),
        ),
        key("proxy", Either(json!("http://u:p@h:1"), json!("socks5://h:1")), unset()),
        key("gatewayInfoTimeoutMs", Whole(1, 120_000), json!(30_000)),
        key("gatewayReadyTimeoutMs", Whole(1, 120_000), json!(15_000)),
        key("gatewayRuntimeReadyTimeoutMs", Whole(1, 120_000), json!(30_000)),
        key("reconnect.enabled", Bool, json!(true)),
        key("reconnect.maxRetries", Whole(1, 10_000), json!(10)),
        key("reconnect.backoffBase", Number(1.0, 10.0), json!(1.5)),
        key("reconnect.backoffMax", Whole(1, 86_400), json!(60)),
        key("reconnect.resumeSession", Bool, json!(true)),
        key("reconnect.sessionCacheTtl", Whole(0, 86_400), json!(300)),
        key("eventQueue.listenerTimeout", Whole(1, 86_400_000), json!(120_000)),
        key("eventQueue.maxQueueSize", Whole(1, 10_000_000), json!(10_000)),
        key("eventQueue.maxConcurrency", Whole(1, 100_000), json!(50)),
        key("intents.presence", Bool, json!(false)),
        key("intents.guildMembers", Bool, json!(false)),
        key("intents.voiceStates", Bool, json!(false)),
        key("intents.messageContent", Bool, json!(true)),
        key("pluralkit.enabled", Bool, json!(false)),
        key("pluralkit.token", Either(json!("t"), json!(1)), unset()),
        key("status", Words(&["online", "idle", "dnd", "invisible"]), unset()),
        key("activity", Text, unset()),
        key("autoPresence.enabled", Bool, json!(false)),
        key("autoPresence.intervalMs", Either(json!(15_000), json!(4_999)), json!(30_000)),
        key("autoPresence.minUpdateIntervalMs", Either(json!(1_000), json!(999)), json!(15_000)),
        key("autoPresence.healthyText", Text, unset()),
        key("autoPresence.degradedText", Text, unset()),
        key("autoPresence.exhaustedText", Text, unset()),
        key("configWrites", Bool, json!(true)),
        key("commands.native", BoolOr("auto"), json!("auto")),
        key("commands.nativeSkills", BoolOr("auto"), json!("auto")),
        key("heartbeat.showOk", Bool, json!(false)),
        key("heartbeat.showAlerts", Bool, json!(true)),
        key("heartbeat.useIndicator", Bool, json!(true)),
        key("healthMonitor.enabled", Bool, json!(true)),
        key("execApprovals.enabled", BoolOr("auto"), json!("auto")),
        key("execApprovals.approvers", Either(json!(["user:5", 6]), json!("5")), unset()),
        key("execApprovals.target", Words(&["dm", "channel", "both"]), json!("dm")),
        key("execApprovals.agentFilter", Texts, unset()),
        key("execApprovals.sessionFilter", Texts, unset()),
        key("execApprovals.cleanupAfterResolve", Bool, json!(false)),
        key("agentComponents.enabled", Bool, json!(true)),
        key("agentComponents.ttlMs", Whole(1, 86_400_000), json!(1_800_000)),
        key("ui.components.accentColor", Either(json!("00fF7f"), json!("#12")), json!("#5865F2")),
        key("slashCommand.ephemeral", Bool, json!(true)),
        key("inboundWorker.runTimeoutMs", Whole(0, U32), unset()),
        // Servers and channels.
        key("guilds.5.slug", Text, unset()),
        key("guilds.5.requireMention", Bool, json!(true)),
        key("guilds.5.ignoreOtherMentions", Bool, json!(false)),
        key("guilds.5.ignoreBroadcastMentions", Bool, json!(false)),
        key("guilds.5.users", Either(json!(["1", "ada"]), json!("1")), unset()),
        key("guilds.5.roles", Either(json!(["role:1", 2]), json!("1")), unset()),
        key("guilds.5.tools.allow", Texts, unset()),
        key("guilds.5.tools.deny", Texts, unset()),
        key("guilds.5.tools.alsoAllow", Texts, unset()),
        key("guilds.5.toolsBySender.*.deny", Texts, unset()),
        key(
            "guilds.5.reactionNotifications",
            Words(&["off", "own", "all", "allowlist"]),
            json!("own"),
        ),
        key("guilds.5.channels.6.enabled", Bool, json!(true)),
        key("guilds.5.channels.6.requireMention", Bool, unset()),
        key("guilds.5.channels.6.ignoreOtherMentions", Bool, unset()),
        key("guilds.5.channels.6.users", Either(json!(["*"]), json!({})), unset()),
        key("guilds.5.channels.6.roles", Either(json!([]), json!({})), unset()),
        key("guilds.5.channels.6.tools.allow", Texts, unset()),
        key("guilds.5.channels.6.toolsBySender.*.allow", Texts, unset()),
        key("guilds.5.channels.6.skills", Texts, unset()),
        key("guilds.5.channels.6.systemPrompt", Text, unset()),
        key("guilds.5.channels.6.includeThreadStarter", Bool, json!(true)),
        key("guilds.5.channels.6.autoThread", Bool, json!(false)),
        key(
            "guilds.5.channels.6.autoThreadName",
            Words(&["message", "generated"]),
            json!("message"),
        ),
        key("guilds.5.channels.6.autoArchiveDuration", Either(json!("1440"), json!(61)), json!(60)),
        // Voice.
        key("voice.enabled", Bool, json!(false)),
        key("voice.mode", Words(&["agent-proxy", "bidi", "stt-tts"]), json!("agent-proxy")),
        key("voice.model", Text, unset()),
        key("voice.agentSession.mode", Words(&["voice"]), json!("voice")),
        key(
            "voice.autoJoin",
            Either(json!([{ "guildId": "1", "channelId": 2 }]), json!([{ "guildId": "1" }])),
            unset(),
        ),
        key("voice.allowedChannels", Either(json!([]), json!([5])), unset()),
        key("voice.followUsers", Either(json!(["user:5", 6]), json!(["ada"])), unset()),
        key("voice.followUsersEnabled", Bool, json!(false)),
        key("voice.daveEncryption", Bool, json!(true)),
        key("voice.decryptionFailureTolerance", Whole(0, U32), json!(24)),
        key("voice.connectTimeoutMs", Whole(1, 120_000), json!(30_000)),
        key("voice.reconnectGraceMs", Whole(1, 120_000), json!(15_000)),
        key("voice.captureSilenceGraceMs", Whole(1, 30_000), json!(2_500)),
        key("voice.tts", Either(json!({ "any": 1 }), json!("openai")), unset()),
        key("voice.timeline.enabled", Bool, json!(true)),
        key("voice.timeline.folder", Text, json!(".clawvoice/state/timeline")),
        key("voice.timeline.keep", Whole(1, 100_000), json!(100)),
        key("voice.realtime.provider", Text, unset()),
        key("voice.realtime.model", Text, unset()),
        key("voice.realtime.voice", Text, unset()),
        key("voice.realtime.speakerVoice", Text, unset()),
        key("voice.realtime.speakerVoiceId", Text, unset()),
        key("voice.realtime.instructions", Text, unset()),
        // An unknown word takes the default, so a number stands for a wrong one.
        key("voice.realtime.toolPolicy", Either(json!("none"), json!(5)), json!("owner")),
        key("voice.realtime.consultPolicy", Words(&["always", "auto"]), json!("always")),
        key("voice.realtime.requireWakeName", Bool, json!(false)),
        key("voice.realtime.wakeNameScope", Words(&["anywhere", "edges"]), json!("anywhere")),
        key("voice.realtime.wakeNames", Either(json!(["a b"]), json!([])), unset()),
        key(
            "voice.realtime.bootstrapContextFiles",
            Either(json!([]), json!(["README.md"])),
            json!(["IDENTITY.md", "USER.md", "SOUL.md"]),
        ),
        key("voice.realtime.bargeIn", Bool, unset()),
        key("voice.realtime.bargeInRule", Words(&["confirm", "documented"]), json!("confirm")),
        key("voice.realtime.bargeInConfirmMs", Whole(100, 5_000), json!(560)),
        key("voice.realtime.bargeInWindowMs", Whole(100, 10_000), json!(2_000)),
        key("voice.realtime.echoDetection", Bool, json!(true)),
        key("voice.realtime.minBargeInAudioEndMs", Whole(0, 10_000), json!(250)),
        key("voice.realtime.debounceMs", Whole(1, 10_000), json!(350)),
        key("voice.realtime.providers.openai.apiKey", Either(json!("k"), json!(1)), unset()),
        key("voice.realtime.providers.openai.model", Text, unset()),
        key("voice.realtime.providers.openai.voice", Text, unset()),
        key("voice.realtime.providers.openai.interruptResponseOnInputAudio", Bool, json!(true)),
        key("voice.realtime.providers.openai.vadThreshold", Number(0.0, 1.0), json!(0.5)),
        key("voice.realtime.providers.openai.silenceDurationMs", Whole(0, 30_000), json!(500)),
        key("voice.realtime.providers.openai.prefixPaddingMs", Whole(0, 10_000), json!(300)),
        key("voice.realtime.providers.openai.reasoningEffort", Text, unset()),
        key(
            "voice.realtime.providers.openai.azureEndpoint",
            Either(json!("https://h"), json!("h")),
            unset(),
        ),
        key("voice.realtime.providers.openai.temperature", Number(0.0, 2.0), unset()),
    ];
    let on = [
        "reactions",
        "messages",
        "threads",
        "pins",
        "polls",
        "search",
        "memberInfo",
        "roleInfo",
        "channelInfo",
        "channels",
        "voiceStatus",
        "events",
        "stickers",
        "emojiUploads",
        "stickerUploads",
        "permissions",
    ];
    for (names, default) in [(&on[..], true), (&["roles", "moderation", "presence"], false)] {
        for name in names {
            let path = format!("actions.{name}").leak();
            keys.push(key(path, Bool, json!(default)));
        }
    }
    for (path, good, bad) in [
        ("activityType", json!(4), json!(6)),
        ("activityType", json!(0), json!(-1)),
        ("activityType", json!(5), json!(1)),
    ] {
        keys.push(Key {
            path,
            takes: Either(good, bad),
            default: json!(4),
            beside: json!({ "activity": "x" }),
        });
    }
    keys.push(Key {
        path: "activityUrl",
        takes: Either(json!("https://twitch.tv/x?y=1"), json!("twitch")),
        default: Value::Null,
        beside: json!({ "activity": "x", "activityType": 1 }),
    });
    keys.push(Key {
        path: "voice.agentSession.target",
        takes: Either(json!("dm:5"), json!("ada")),
        default: Value::Null,
        beside: json!({ "voice": { "agentSession": { "mode": "target" } } }),
    });
    keys.push(Key {
        path: "dmPolicy",
        takes: Either(json!("open"), json!("closed")),
        default: json!("pairing"),
        beside: json!({ "allowFrom": ["*"] }),
    });
    keys.push(Key {
        path: "dmPolicy",
        takes: Either(json!("allowlist"), json!("list")),
        default: json!("pairing"),
        beside: json!({ "allowFrom": ["5"] }),
    });
    keys
}

/// At the top of the file.
fn of_the_file() -> Vec<Key> {
    let unset = || Value::Null;
    vec![
        key("channels.defaults.groupPolicy", Words(&["open", "allowlist", "disabled"]), unset()),
        key("channels.defaults.contextVisibility", Words(&["all", "allowlist"]), json!("all")),
        key("channels.defaults.botLoopProtection.maxEventsPerWindow", Whole(1, U32), unset()),
        key("channels.modelByChannel.discord.5", Text, unset()),
        key("messages.ackReaction", Either(json!(""), json!(1)), unset()),
        key("messages.ackReactionScope", Words(&["all", "off"]), json!("group-mentions")),
        key("messages.removeAckAfterReply", Bool, json!(false)),
        key("messages.statusReactions.enabled", Bool, unset()),
        key("messages.responsePrefix", Either(json!(""), json!(1)), unset()),
        key("messages.groupChat.mentionPatterns", Texts, unset()),
        key("messages.groupChat.historyLimit", Whole(0, 10_000), unset()),
        key("messages.groupChat.visibleReplies", Either(json!(true), json!(1)), json!("automatic")),
        key(
            "messages.groupChat.unmentionedInbound",
            Words(&["user_request", "room_event"]),
            json!("user_request"),
        ),
        key("messages.inbound.debounceMs", Whole(0, 600_000), json!(2_000)),
        key("messages.inbound.byChannel.discord", Whole(0, 600_000), unset()),
        key(
            "messages.queue.mode",
            Words(&["steer", "followup", "collect", "interrupt"]),
            json!("steer"),
        ),
        key("messages.queue.cap", Whole(1, 10_000), json!(20)),
        key("messages.queue.drop", Words(&["old", "new", "summarize"]), json!("summarize")),
        key("messages.queue.byChannel.discord", Words(&["steer", "collect"]), unset()),
        key("commands.text", Bool, json!(true)),
        key("commands.native", BoolOr("auto"), json!("auto")),
        key("commands.nativeSkills", BoolOr("auto"), json!("auto")),
        key("commands.config", Bool, json!(false)),
        key("commands.useAccessGroups", Bool, json!(true)),
        key("commands.ownerAllowFrom", Either(json!(["5"]), json!(["*"])), unset()),
        key("commands.ownerFromAllowFrom", Bool, json!(false)),
        key("commands.allowFrom.discord", Either(json!(["5", "*"]), json!("5")), unset()),
        key(
            "session.dmScope",
            Words(&["main", "per-peer", "per-channel-peer", "per-account-channel-peer"]),
            json!("main"),
        ),
        key("session.groupScope", Text, json!("per-group")),
        key("session.identityLinks.ada", Texts, unset()),
        key("session.mainKey", Text, json!("main")),
        key("session.reset", Either(json!({ "mode": "daily" }), json!("daily")), unset()),
        key("session.resetByType", Either(json!({}), json!([])), unset()),
        key("session.resetByChannel.discord", Either(json!({}), json!([])), unset()),
        key("session.resetTriggers", Texts, unset()),
        key("session.store", Text, json!(".clawvoice/state/sessions.sqlite")),
        key("session.maintenance", Either(json!({}), json!(1)), unset()),
        key("session.sendPolicy", Either(json!({ "default": "deny" }), json!("deny")), unset()),
        key(
            "agents.defaults.typingMode",
            Words(&["never", "message", "thinking", "instant"]),
            unset(),
        ),
        key("agents.defaults.typingIntervalSeconds", Whole(1, 3_600), json!(6)),
        key("agents.defaults.blockStreamingDefault", BoolOr("on"), json!(false)),
        key("agents.defaults.blockStreamingChunk.minChars", Whole(1, 100_000), json!(200)),
        key("agents.defaults.envelopeTimezone", Text, json!("local")),
        key("agents.defaults.envelopeTimestamp", Words(&["on", "off"]), json!("on")),
        key("agents.defaults.envelopeElapsed", Words(&["on", "off"]), json!("on")),
        key("agents.entries.x.groupChat.mentionPatterns", Texts, unset()),
        key("agents.entries.x.groupChat.historyLimit", Whole(0, 10_000), unset()),
        key("agents.entries.x.identity.emoji", Text, unset()),
        key("agents.entries.x.humanDelay", Either(json!({}), json!(5)), unset()),
        key("agents.entries.x.runtime", Either(json!({}), json!(5)), unset()),
        key("gateway.channelHealthCheckMinutes", Whole(0, 525_600), json!(5)),
        key("gateway.channelStaleEventThresholdMinutes", Whole(0, 525_600), json!(30)),
        key("gateway.channelMaxRestartsPerHour", Whole(0, 10_000), json!(10)),
        key("gateway.clawvoice.health.enabled", Bool, json!(true)),
        key(
            "gateway.clawvoice.health.bind",
            Either(json!("::1"), json!("0.0.0.0")),
            json!("127.0.0.1"),
        ),
        key("gateway.clawvoice.health.port", Whole(0, 65_535), json!(18_790)),
        key("gateway.clawvoice.health.allowRemote", Bool, json!(false)),
    ]
}

impl Takes {
    fn good(&self) -> Vec<Value> {
        match self {
            Bool => vec![json!(true), json!(false)],
            BoolOr(word) => vec![json!(true), json!(false), json!(word)],
            Whole(min, max) => vec![json!(min), json!(max)],
            Number(min, max) => vec![json!(min), json!(max)],
            Text => vec![json!("x")],
            Words(words) => words.iter().map(|word| json!(word)).collect(),
            Texts => vec![json!([]), json!(["x"])],
            Id => vec![json!("5"), json!(9_007_199_254_740_991u64)],
            Either(good, _) => vec![good.clone()],
        }
    }

    fn bad(&self) -> Vec<Value> {
        let mut bad = match self {
            Bool => vec![json!("true"), json!(1)],
            BoolOr(_) => vec![json!("tru"), json!(1)],
            Whole(min, max) => {
                vec![json!(i64::from(*min) - 1), json!(i64::from(*max) + 1), json!(1.5), json!("5")]
            }
            Number(min, max) => vec![json!(min - 0.01), json!(max + 0.01), json!("0.5")],
            Text => vec![json!(""), json!(5)],
            Words(_) => vec![json!("nonsense"), json!(5)],
            Texts => vec![json!("x"), json!([5])],
            Id => vec![json!("ada"), json!(9_007_199_254_740_992u64), json!(-1), json!(true)],
            Either(_, bad) => vec![bad.clone()],
        };
        bad.push(Value::Null);
        bad
    }

    /// How a walk without a file describes it.
    fn is(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Bool, Kind::Bool)
            | (BoolOr(_), Kind::BoolOr(_))
            | (Text, Kind::Text)
            | (Texts, Kind::List)
            | (Id, Kind::Id)
            | (Either(..), _) => true,
            (Whole(min, max), Kind::Whole { min: low, max: high }) => {
                (f64::from(*min), f64::from(*max)) == (*low, *high)
            }
            (Number(min, max), Kind::Number { min: low, max: high }) => (min, max) == (low, high),
            (Words(words), Kind::Word(known)) => words.iter().all(|word| known.contains(word)),
            _ => false,
        }
    }
}

/// `value` at a path of plain names.
fn at(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| json!({ name: inner }))
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

fn read(file: &Value) -> Result<Config, ConfigErrors> {
    let nothing: BTreeMap<String, String> = BTreeMap::new();
    parse(&file.to_string(), Path::new("claw.json5"), &nothing)
}

/// A file with a token, with `beside` and `value` in the account.
fn file_of_account(prefix: &str, key: &Key, value: Option<Value>) -> Value {
    let mut file = at("channels.discord.token", json!("a.b.c"));
    if !key.beside.is_null() {
        merge(&mut file, at(prefix, key.beside.clone()));
    }
    if let Some(value) = value {
        merge(&mut file, at(&format!("{prefix}.{}", key.path), value));
    }
    file
}

/// Paths of the file quote what is no plain name.
fn shown(path: &str) -> String {
    path.replace(".*", "[\"*\"]")
}

fn try_key(key: &Key, prefix: &str, file: impl Fn(Option<Value>) -> Value) {
    let path = match prefix {
        "" => key.path.to_owned(),
        prefix => format!("{prefix}.{}", key.path),
    };
    for good in key.takes.good() {
        if let Err(errors) = read(&file(Some(good.clone()))) {
            panic!("{path}: {good} was refused:\n{errors}");
        }
    }
    for bad in key.takes.bad() {
        let Err(errors) = read(&file(Some(bad.clone()))) else {
            panic!("{path}: {bad} was taken");
        };
        let wanted = shown(&path);
        assert!(
            errors.iter().all(|error| error.path.starts_with(&wanted)),
            "{path}: {bad} is complained of elsewhere:\n{errors}"
        );
    }
}

#[test]
fn every_key_of_an_account_is_taken_within_its_bounds_and_refused_beyond() {
    for key in of_an_account() {
        for prefix in ["channels.discord", "channels.discord.accounts.ops"] {
            try_key(&key, prefix, |value| file_of_account(prefix, &key, value));
        }
    }
}

#[test]
fn every_key_of_the_file_is_taken_within_its_bounds_and_refused_beyond() {
    for key in of_the_file() {
        try_key(&key, "", |value| at(key.path, value.unwrap_or(Value::Null)));
    }
}

#[test]
fn every_key_says_what_it_takes() {
    let known = declarations();
    let account = of_an_account()
        .into_iter()
        .map(|key| (shown(&format!("channels.discord.{}", key.path)), key));
    let file = of_the_file().into_iter().map(|key| (key.path.to_owned(), key));
    for (path, key) in account.chain(file) {
        let Some((pattern, declared)) = known.of(&path) else { panic!("{path} is not declared") };
        let kind = declared.kind.as_ref().unwrap_or_else(|| panic!("{pattern} takes nothing"));
        assert!(key.takes.is(kind), "{path}: {kind}");
    }
}

#[test]
fn every_default_is_in_force_where_nothing_is_written() {
    let plain = read(&at("channels.discord.token", json!("a.b.c"))).unwrap();
    let account =
        of_an_account().into_iter().map(|key| (format!("channels.discord.{}", key.path), key));
    let file = of_the_file().into_iter().map(|key| (key.path.to_owned(), key));
    for (path, key) in account.chain(file) {
        // What is in a map is there only if it is named.
        if [".guilds.", ".dms.", ".providers.", ".entries.", ".accounts."]
            .iter()
            .any(|map| path.contains(map))
        {
            continue;
        }
        match plain.origins.at(&path) {
            Some(origin) => {
                assert_eq!(origin.source, Source::Default, "{path}");
                assert_eq!(origin.value, key.default, "{path}");
            }
            None => assert_eq!(key.default, Value::Null, "{path} has no default in force"),
        }
    }
}

#[test]
fn defaults_within_maps_are_in_force_there() {
    let mut file = at("channels.discord.token", json!("a.b.c"));
    merge(&mut file, at("channels.discord.guilds.5.channels.6", json!({})));
    merge(&mut file, at("channels.discord.voice.realtime.providers.openai", json!({})));
    let config = read(&file).unwrap();
    for key in of_an_account() {
        let within = ["guilds.", "voice.realtime.providers."];
        if !within.iter().any(|map| key.path.starts_with(map)) {
            continue;
        }
        let path = format!("channels.discord.{}", key.path);
        let found = config.origins.at(&path).map(|origin| origin.value.clone());
        assert_eq!(found.unwrap_or(Value::Null), key.default, "{path}");
    }
}

#[test]
fn nothing_is_declared_that_the_table_does_not_know() {
    let account: Vec<String> = of_an_account().iter().map(|key| key.path.to_owned()).collect();
    let known = declarations();
    let of_discord = known.iter().filter_map(|(path, declared)| {
        let key = path.strip_prefix("channels.discord.")?;
        (declared.legacy_of.is_none() && declared.kind.is_some()).then_some(key)
    });
    // Tried elsewhere: in this file's other tests, in `values.rs`, `speech.rs` and `accounts.rs`.
    let elsewhere = [
        "accounts",
        "defaultAccount",
        "token",
        "apiBaseUrl",
        "voice.tts",
        "voice.autoJoin",
        "voice.allowedChannels",
        "voice.realtime.providers",
        "mentionAliases",
        "dms",
        "guilds",
    ];
    for key in of_discord {
        let plain = key.replace("<id>", "5").replace(".channels.5", ".channels.6");
        let plain = plain.replace("providers.5", "providers.openai");
        let tried = account.iter().any(|tried| {
            let tried = tried.replace(".*.", ".5.");
            tried == plain || tried.starts_with(&format!("{plain}.")) || plain.starts_with(&tried)
        });
        let told = elsewhere.iter().any(|part| plain.starts_with(part));
        assert!(tried || told, "channels.discord.{key} is in no table");
    }
}
