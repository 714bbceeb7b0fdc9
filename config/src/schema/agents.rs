//! `agents`: which agent answers on Discord, and what it thinks with. Other keys are left alone.

use std::{path::PathBuf, time::Duration};

use serde_json::Value;

use crate::{
    cursor::Section,
    describe::Kind,
    error::Problem,
    field::Field,
    schema::{
        declare::words,
        path,
        session::object,
        spending::{Budget, ResponseCache, SpikeAlert},
        streaming::PreviewChunk,
    },
};

/// Id of the agent when `agents` names none.
const DEFAULT_AGENT: &str = "main";

/// The agent that answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// `agents.list[].id` (or the key in `agents.entries`); default `main`. Part of session keys.
    pub id: String,
    /// `agents.list[].identity.name`, else `.name`: what people call it.
    pub name: Option<String>,
    /// `model` of the agent, else `agents.defaults.model`: a name, or `{ primary, fallbacks }`.
    /// `provider/model` each, asked in this order. Empty: none is written.
    pub models: Vec<String>,
    /// `workspace` of the agent, else `agents.defaults.workspace`: the folder of its files.
    pub workspace: Option<PathBuf>,
    /// `identity.emoji`: its reaction to what it has seen.
    pub emoji: Option<String>,
    /// `groupChat.mentionPatterns`, in place of `messages.groupChat.mentionPatterns`.
    pub mention_patterns: Option<Vec<String>>,
    /// `groupChat.historyLimit`.
    pub history_limit: Option<u32>,
    /// `budget`, key by key over `agents.defaults.budget`.
    pub budget: Budget,
    /// `typingMode`, else `agents.defaults.typingMode`.
    pub typing: Option<TypingMode>,
    /// `humanDelay` of the agent, else `agents.defaults.humanDelay`: the pause between the messages
    /// of an answer that is sent in pieces.
    pub human_delay: HumanDelay,
    /// `runtime`, as it is written.
    pub runtime: Option<Value>,
}

words! {
    /// `typingMode`: when the bot is seen typing.
    TypingMode {
        /// Never.
        Never = "never",
        /// From the first text on.
        Message = "message",
        /// While it thinks.
        Thinking = "thinking",
        /// At once.
        Instant = "instant",
    }
}

words! {
    /// `humanDelay.mode`.
    HumanDelayMode {
        /// No pause.
        Off = "off",
        /// 800 to 2,500 ms.
        Natural = "natural",
        /// `minMs` to `maxMs`.
        Custom = "custom",
    }
}

/// `humanDelay`: a pause of any length between these; none at all if both are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HumanDelay {
    /// `minMs` with mode `custom`, default 800 ms, as with `natural`.
    pub min: Duration,
    /// `maxMs` with mode `custom`, default 2,500 ms, as with `natural`; no less than [`Self::min`].
    pub max: Duration,
}

words! {
    /// `agents.defaults.envelopeTimestamp` and `envelopeElapsed`.
    Switch {
        /// Shown.
        On = "on",
        /// Not shown.
        Off = "off",
    }
}

/// Every agent, and `agents.defaults` as far as it is about all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Agents {
    /// In the order of the file; without any, `main`.
    pub all: Vec<Agent>,
    /// `typingIntervalSeconds`. Default 6.
    pub typing_interval: Duration,
    /// `blockStreamingDefault`. Default off.
    pub block_streaming: bool,
    /// `blockStreamingChunk`.
    pub block_chunk: PreviewChunk,
    /// `envelopeTimezone`: `local`, `utc`, `user` or the name of a zone. Default `local`.
    pub timezone: String,
    /// `envelopeTimestamp`. Default on.
    pub timestamp: bool,
    /// `envelopeElapsed`. Default on.
    pub elapsed: bool,
    /// `spikeAlert`.
    pub spike_alert: SpikeAlert,
    /// `responseCache`.
    pub response_cache: ResponseCache,
}

/// `agents.defaults`, as far as agents have the same keys.
struct Common {
    models: Option<Vec<String>>,
    workspace: Option<PathBuf>,
    typing: Option<TypingMode>,
    budget: Budget,
    human_delay: Option<HumanDelay>,
}

struct Entry {
    agent: Agent,
    is_default: bool,
}

/// All, and the one marked `default: true`, else the first, else `main`. `agents.list` goes before
/// `agents.entries`.
pub(crate) fn read(section: &Section<'_, '_>) -> (Agents, Agent) {
    let mut entries = Vec::new();
    let defaults = section.section("defaults");
    let common = Common {
        models: models(&defaults),
        workspace: workspace(&defaults),
        typing: defaults.word("typingMode"),
        budget: Budget::of_defaults(&defaults),
        human_delay: human_delay(&defaults),
    };
    for field in section.list("list").unwrap_or_default() {
        let item = field.section();
        let id = item.field("id").and_then(|id| agent_id(&id));
        if item.is_present() && !item.has("id") {
            item.fail_missing("id", "give the agent an id, as in `id: \"main\"`");
        }
        let entry = entry(id.clone().unwrap_or_default(), &item, &common);
        entries.extend(id.map(|_| entry));
    }
    for (id, field) in section.section("entries").entries() {
        entries.push(entry(id, &field.section(), &common));
    }
    let chosen = entries.iter().position(|entry| entry.is_default).unwrap_or(0);
    let mut all: Vec<Agent> = entries.into_iter().map(|entry| entry.agent).collect();
    if all.is_empty() {
        all.push(entry(DEFAULT_AGENT.to_owned(), &section.missing("main"), &common).agent);
    }
    let agent = all[chosen.min(all.len() - 1)].clone();
    (of_all(&defaults, all), agent)
}

fn of_all(defaults: &Section<'_, '_>, all: Vec<Agent>) -> Agents {
    let zone = defaults.text("envelopeTimezone");
    Agents {
        all,
        typing_interval: defaults.seconds_or("typingIntervalSeconds", 1, 3_600, 6),
        block_streaming: block_streaming(defaults),
        block_chunk: crate::cursor::Block::read(&defaults.section("blockStreamingChunk")),
        timezone: defaults.or("envelopeTimezone", zone, "local".to_owned()),
        timestamp: defaults.word_or("envelopeTimestamp", Switch::On) == Switch::On,
        elapsed: defaults.word_or("envelopeElapsed", Switch::On) == Switch::On,
        spike_alert: defaults.block("spikeAlert"),
        response_cache: defaults.block("responseCache"),
    }
}

/// `"on"`, `"off"`, or a bool.
fn block_streaming(defaults: &Section<'_, '_>) -> bool {
    let words = [("on", true), ("off", false)];
    let written =
        defaults.field("blockStreamingDefault").and_then(|field| field.bool_or_word(&words));
    let on = written.map(|value| value.unwrap_or_else(|plain| plain));
    defaults.or("blockStreamingDefault", on, false)
}

fn entry(id: String, item: &Section<'_, '_>, common: &Common) -> Entry {
    let identity = item.section("identity");
    let group = item.section("groupChat");
    let name = identity.text("name");
    let own_name = item.text("name");
    let agent = Agent {
        id,
        name: name.or(own_name),
        models: models(item).or_else(|| common.models.clone()).unwrap_or_default(),
        workspace: workspace(item).or_else(|| common.workspace.clone()),
        emoji: identity.text("emoji"),
        mention_patterns: group.texts("mentionPatterns"),
        history_limit: group.whole("historyLimit", 0, 10_000),
        budget: Budget::of_agent(item, common.budget),
        typing: item.word("typingMode").or(common.typing),
        human_delay: human_delay(item).or(common.human_delay).unwrap_or_default(),
        runtime: object(item, "runtime"),
    };
    Entry { agent, is_default: item.bool_or("default", false) }
}

/// `None`: it is not written.
fn human_delay(section: &Section<'_, '_>) -> Option<HumanDelay> {
    let delay = section.section("humanDelay");
    let mode = delay.word_or("mode", HumanDelayMode::Off);
    let [min, max] = [("minMs", 800), ("maxMs", 2_500)]
        .map(|(key, default)| delay.millis_or(key, 0, 60_000, default));
    delay.finish();
    let natural = [800, 2_500].map(Duration::from_millis);
    let [min, max] = match mode {
        HumanDelayMode::Off => [Duration::ZERO; 2],
        HumanDelayMode::Natural => natural,
        HumanDelayMode::Custom => [min, max.max(min)],
    };
    delay.is_present().then_some(HumanDelay { min, max })
}

/// `model: "provider/model"`, or `{ primary, fallbacks }`.
fn models(section: &Section<'_, '_>) -> Option<Vec<String>> {
    let field = section.field("model")?;
    if field.is_described() {
        field.declare(|| Kind::Other("a model's name, or { primary, fallbacks }"));
    }
    let Some(chain) = field.if_object() else {
        if field.if_text().is_none() {
            return field.wrong_type("a model's name, or `{ primary, fallbacks }`");
        }
        return Some(vec![model(&field)?]);
    };
    let fallbacks = chain.list("fallbacks").unwrap_or_default();
    let Some(primary) = chain.field("primary") else {
        chain.fail_missing("primary", "the model to ask first, as in \"openai/gpt-5.5\"");
        return None;
    };
    chain.finish_leniently();
    chain.warn_near(&["primary", "fallbacks"]);
    std::iter::once(&primary).chain(&fallbacks).map(model).collect()
}

fn model(field: &Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    let text = text.trim();
    let (provider, name) = text.split_once('/').unwrap_or(("openai", text));
    if provider.is_empty() || name.is_empty() || text.contains(char::is_whitespace) {
        field.fail(
            Problem::Invalid("not a model's name".to_owned()),
            Some("provider and model, as in \"openai/gpt-5.5\"".to_owned()),
        );
        return None;
    }
    Some(text.to_owned())
}

fn workspace(section: &Section<'_, '_>) -> Option<PathBuf> {
    section.field("workspace").and_then(|field| path(&field))
}

/// Ids become part of session keys (`agent:<id>:discord:…`), so they hold no colon or space.
fn agent_id(field: &Field<'_, '_>) -> Option<String> {
    let id = field.text()?;
    let plain = id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if !plain || id.len() > 64 {
        field.fail(
            Problem::Invalid("not an agent id".to_owned()),
            Some("letters, digits, `-`, `_` and `.`, at most 64".to_owned()),
        );
        return None;
    }
    Some(id)
}
