//! `channels.discord.voice.realtime`: the speech provider and the manners of talking.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use secrecy::SecretString;

use crate::{
    check,
    cursor::{Section, Word as _},
    describe::Kind,
    error::Problem,
    field::Field,
    schema::{
        declare::words,
        server::{self, Server},
        voice::VoiceMode,
    },
    secret::{from_env, secret},
};

/// Id of the provider that runs inside this process.
const LOCAL: &str = "local";

/// Id of the provider whose key may come from `OPENAI_API_KEY`.
const OPENAI: &str = "openai";

/// Ids of Google's provider, whose key may come from `GEMINI_API_KEY` or `GOOGLE_API_KEY`.
const GEMINI: [&str; 2] = ["gemini", "google"];

words! {
    /// What the realtime model may have the agent do.
    ToolPolicy {
        /// All tools, as the owner. Default in `agent-proxy`.
        Owner = "owner",
        /// Six reading tools. Default in `bidi`.
        SafeReadOnly = "safe-read-only",
        /// No tool.
        None = "none",
    }
}

words! {
    /// When the realtime model has to ask the agent.
    ConsultPolicy {
        /// For every turn of substance. Default in `agent-proxy`.
        Always = "always",
        /// When it wants to. Default in `bidi`.
        Auto = "auto",
    }
}

/// A file of the agent's workspace that is put into the realtime model's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootstrapFile {
    /// `IDENTITY.md`.
    Identity,
    /// `USER.md`.
    User,
    /// `SOUL.md`.
    Soul,
}

words! {
    /// What a sound during an answer does.
    BargeInRule {
        /// It stops the answer at once and is judged: speech ends the answer, anything else lets
        /// it go on from the same sample. Default.
        Confirm = "confirm",
        /// It ends the answer, unless less of it was heard than `minBargeInAudioEndMs`.
        Documented = "documented",
    }
}

/// `channels.discord.voice.realtime`.
#[derive(Clone, Debug)]
pub struct Realtime {
    /// `provider`, as written.
    pub provider: Option<String>,
    /// `instructions`: replaces the built-in base block. Default built in.
    pub instructions: Option<String>,
    /// `toolPolicy`. Default by mode; an unknown word takes the default, with a warning.
    pub tool_policy: ToolPolicy,
    /// `consultPolicy`. Default by mode.
    pub consult_policy: ConsultPolicy,
    /// `requireWakeName`, in `agent-proxy`. Default off.
    pub require_wake_name: bool,
    /// `wakeNameScope`: `"anywhere"` in a sentence (default), or at its `"edges"` only, so that
    /// talk about the agent does not wake it.
    pub wake_at_edges: bool,
    /// `wakeNames`, one or two words each. `None`: the agent's name and `OpenClaw`.
    pub wake_names: Option<Vec<String>>,
    /// `bootstrapContextFiles`. Default all three; an empty list switches it off.
    pub bootstrap_context_files: Vec<BootstrapFile>,
    /// `bargeIn`, as written. See [`Realtime::barges_in`].
    pub barge_in: Option<bool>,
    /// `bargeInRule`: `"confirm"` (default) or `"documented"`.
    pub barge_in_rule: BargeInRule,
    /// `bargeInConfirmMs`, with rule `confirm`: so much voice whose pitch moves ends an answer.
    /// Speech has a third of a second of it in every second. Default 560, 100 to 5,000.
    pub barge_in_confirm: Duration,
    /// `bargeInWindowMs`, with rule `confirm`: for so long the words of a short sound are waited
    /// for; then the answer goes on. Default 2,000, 100 to 10,000.
    pub barge_in_window: Duration,
    /// `echoDetection`, with rule `confirm`: the agent's own voice, back through an open
    /// microphone, is recognised and does not interrupt. Default on.
    pub echo_detection: bool,
    /// `debounceMs`, used with `toolPolicy: "none"`. Default 350, 1 to 10,000.
    pub debounce: Duration,
    /// `providers`, with `model`, `voice` and `minBargeInAudioEndMs` of `realtime` laid over each.
    pub providers: BTreeMap<String, Provider>,
    /// The provider in use: the one named; else the first block with a credential (`local` needs
    /// none); else OpenAI when `OPENAI_API_KEY` is set.
    pub selected: Option<SelectedProvider>,
}

impl Realtime {
    /// Whether speech interrupts the agent: `bargeIn`, else the selected provider's
    /// `interruptResponseOnInputAudio`.
    #[must_use]
    pub fn barges_in(&self) -> bool {
        self.barge_in.unwrap_or_else(|| {
            self.selected
                .as_ref()
                .is_none_or(|selected| selected.settings.interrupt_response_on_input_audio)
        })
    }
}

/// A provider and its settings.
#[derive(Clone, Debug)]
pub struct SelectedProvider {
    /// Its id, for example `openai` or `local`.
    pub id: String,
    /// Its settings, with `realtime.model`, `.voice` and `.minBargeInAudioEndMs` laid over them.
    pub settings: Provider,
}

/// `channels.discord.voice.realtime.providers.<id>`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// `apiKey`; for `openai` else `OPENAI_API_KEY`, for `gemini` and `google` else
    /// `GEMINI_API_KEY` or `GOOGLE_API_KEY`.
    pub api_key: Option<SecretString>,
    /// `baseUrl`: ws, wss, http or https. Default: the vendor's.
    pub base_url: Option<String>,
    /// `model` (`realtime.model` goes first). Default: the provider's.
    pub model: Option<String>,
    /// `voice`, also `speakerVoice` or `speakerVoiceId`. Default: the provider's.
    pub voice: Option<String>,
    /// `minBargeInAudioEndMs`, with rule `documented`: less assistant audio than this was heard, and
    /// a barge-in is ignored. Default 250, 0 to 10,000; 0 suits rooms without echo.
    pub min_barge_in_audio_end: Duration,
    /// `interruptResponseOnInputAudio`: the provider cancels its answer when speech starts.
    /// Default on.
    pub interrupt_response_on_input_audio: bool,
    /// `vadThreshold`: how sure the provider must be of speech. Default 0.5, 0 to 1.
    pub vad_threshold: f64,
    /// `silenceDurationMs`: silence that ends a turn at the provider. Default 500, at most 30,000.
    pub silence_duration: Duration,
    /// `prefixPaddingMs`: audio kept from before speech. Default 300, at most 10,000.
    pub prefix_padding: Duration,
    /// `reasoningEffort`, for models that have it.
    pub reasoning_effort: Option<String>,
    /// How its server is reached, and how it deviates from its protocol.
    pub server: Server,
    /// What only `local` has; `None` for every other id.
    pub local: Option<LocalProvider>,
    /// Every other key, unread.
    pub rest: serde_json::Map<String, serde_json::Value>,
}

/// The further keys of `providers.local`.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalProvider {
    /// `behaviour` and `script`.
    pub behaviour: LocalBehaviour,
    /// `recordDir`: both directions of every connection are written there. Relative to the file.
    pub record_dir: Option<PathBuf>,
    /// `speed`: audio is sent this many times faster than it plays. Default 4, 0.1 to 100.
    pub speed: f64,
}

/// What the local provider answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalBehaviour {
    /// `"parrot"`: what it heard. The default without `script`.
    Parrot,
    /// `"script"`: the turns of a JSON5 file, relative to this file. The default with `script`.
    Script(PathBuf),
}

/// `minBargeInAudioEndMs`, where neither `realtime` nor the provider's block says it.
const MIN_BARGE_IN_MS: u32 = 250;

struct Overrides {
    model: Option<String>,
    voice: Option<String>,
    min_barge_in_audio_end: Option<Duration>,
}

pub(crate) fn read(section: &Section<'_, '_>, mode: VoiceMode) -> Realtime {
    let overrides = Overrides {
        model: section.text("model"),
        voice: voice_name(section),
        min_barge_in_audio_end: min_barge_in(section),
    };
    let written = overrides.min_barge_in_audio_end.map(|_| MIN_BARGE_IN_MS);
    section.or("minBargeInAudioEndMs", written, MIN_BARGE_IN_MS);
    let provider = section.text("provider");
    let blocks = section.section("providers");
    blocks.finish_leniently();
    let providers: BTreeMap<String, Provider> = blocks
        .entries_with(&[LOCAL])
        .into_iter()
        .map(|(id, field)| {
            let settings = provider_block(&id, &field.section(), &overrides);
            (id, settings)
        })
        .collect();
    let selected = select(provider.as_deref(), &providers, || {
        let id = provider.as_deref().unwrap_or(OPENAI);
        provider_block(id, &blocks.missing(id), &overrides)
    });
    let realtime = Realtime {
        provider,
        instructions: section.text("instructions"),
        tool_policy: tool_policy(section, mode),
        consult_policy: consult_policy(section, mode),
        require_wake_name: section.bool_or("requireWakeName", false),
        wake_at_edges: {
            let edges = section.choice("wakeNameScope", &[("anywhere", false), ("edges", true)]);
            section.or("wakeNameScope", edges.map(|_| "anywhere"), "anywhere");
            edges.unwrap_or(false)
        },
        wake_names: section.field("wakeNames").and_then(|field| wake_names(&field)),
        bootstrap_context_files: bootstrap_files(section),
        barge_in: section.bool("bargeIn"),
        barge_in_rule: section.word_or("bargeInRule", BargeInRule::Confirm),
        barge_in_confirm: section.millis_or("bargeInConfirmMs", 100, 5_000, 560),
        barge_in_window: section.millis_or("bargeInWindowMs", 100, 10_000, 2_000),
        echo_detection: section.bool_or("echoDetection", true),
        debounce: section.millis_or("debounceMs", 1, 10_000, 350),
        providers,
        selected,
    };
    section.finish();
    realtime
}

fn select(
    named: Option<&str>,
    blocks: &BTreeMap<String, Provider>,
    unwritten: impl Fn() -> Provider,
) -> Option<SelectedProvider> {
    let take = |id: &str, settings: &Provider| SelectedProvider {
        id: id.to_owned(),
        settings: settings.clone(),
    };
    if let Some(id) = named {
        return Some(match blocks.get(id) {
            Some(settings) => take(id, settings),
            None => take(id, &unwritten()),
        });
    }
    let usable = blocks.iter().find(|(_, block)| block.api_key.is_some() || block.local.is_some());
    if let Some((id, settings)) = usable {
        return Some(take(id, settings));
    }
    let settings = unwritten();
    settings.api_key.is_some().then(|| take(OPENAI, &settings))
}

fn provider_block(id: &str, section: &Section<'_, '_>, overrides: &Overrides) -> Provider {
    let model = section.text("model");
    let voice = voice_name(section);
    let min_barge_in_audio_end = min_barge_in(section);
    Provider {
        api_key: api_key(id, section),
        base_url: section.field("baseUrl").and_then(|field| base_url(&field)),
        model: overrides.model.clone().or(model),
        voice: overrides.voice.clone().or(voice),
        min_barge_in_audio_end: overrides
            .min_barge_in_audio_end
            .or(min_barge_in_audio_end)
            .unwrap_or(Duration::from_millis(MIN_BARGE_IN_MS.into())),
        interrupt_response_on_input_audio: section.bool_or("interruptResponseOnInputAudio", true),
        vad_threshold: section.number_or("vadThreshold", 0.0, 1.0, 0.5),
        silence_duration: section.millis_or("silenceDurationMs", 0, 30_000, 500),
        prefix_padding: section.millis_or("prefixPaddingMs", 0, 10_000, 300),
        reasoning_effort: section.text("reasoningEffort"),
        server: server::read(section, GEMINI.contains(&id)),
        local: (id == LOCAL).then(|| local(section)),
        rest: section.rest(),
    }
}

fn api_key(id: &str, section: &Section<'_, '_>) -> Option<SecretString> {
    match section.field("apiKey") {
        Some(field) => secret(&field),
        None if id == OPENAI => from_env(section, "apiKey", &["OPENAI_API_KEY"]),
        None if GEMINI.contains(&id) => {
            from_env(section, "apiKey", &["GEMINI_API_KEY", "GOOGLE_API_KEY"])
        }
        None => None,
    }
}

fn local(section: &Section<'_, '_>) -> LocalProvider {
    let path = |key| {
        let field = section.field(key)?;
        Some(field.folder().join(field.text()?))
    };
    let script = path("script");
    let wanted = section
        .field("behaviour")
        .or_else(|| section.field("behavior"))
        .and_then(|field| field.choice(&[("parrot", false), ("script", true)]));
    let behaviour = match (wanted, script) {
        (Some(true) | None, Some(script)) => LocalBehaviour::Script(script),
        (Some(true), None) => {
            if !section.has("script") {
                section.fail_missing("script", "name the JSON5 file of turns");
            }
            LocalBehaviour::Parrot
        }
        (Some(false) | None, None) => LocalBehaviour::Parrot,
        (Some(false), Some(_)) => {
            if let Some(field) = section.field("script") {
                field.fail(
                    Problem::Invalid("a parrot reads no script".to_owned()),
                    Some("write `behaviour: \"script\"`, or remove this key".to_owned()),
                );
            }
            LocalBehaviour::Parrot
        }
    };
    let local = LocalProvider {
        behaviour,
        record_dir: path("recordDir"),
        speed: section.number_or("speed", 0.1, 100.0, 4.0),
    };
    // Nothing else reads this block, so here an unknown key can only be a mistake.
    section.leave_alone(&["behavior"]);
    section.finish();
    local
}

fn voice_name(section: &Section<'_, '_>) -> Option<String> {
    section.text_alias(&["voice", "speakerVoice", "speakerVoiceId"])
}

fn min_barge_in(section: &Section<'_, '_>) -> Option<Duration> {
    let millis = section.whole("minBargeInAudioEndMs", 0, 10_000)?;
    Some(Duration::from_millis(millis.into()))
}

fn consult_policy(section: &Section<'_, '_>, mode: VoiceMode) -> ConsultPolicy {
    let default = match mode {
        VoiceMode::Bidi => ConsultPolicy::Auto,
        VoiceMode::AgentProxy | VoiceMode::SttTts => ConsultPolicy::Always,
    };
    let written: Option<ConsultPolicy> = section.word("consultPolicy");
    section.or_derived("consultPolicy", written.map(ConsultPolicy::as_str), default.as_str());
    written.unwrap_or(default)
}

fn tool_policy(section: &Section<'_, '_>, mode: VoiceMode) -> ToolPolicy {
    let default = match mode {
        VoiceMode::Bidi => ToolPolicy::SafeReadOnly,
        VoiceMode::AgentProxy | VoiceMode::SttTts => ToolPolicy::Owner,
    };
    let Some(field) = section.field("toolPolicy") else {
        section.note_default("toolPolicy", default.as_str());
        return default;
    };
    field.declare(|| Kind::Word(ToolPolicy::WORDS.iter().map(|(word, _)| *word).collect()));
    let Some(text) = field.typed_text("a string") else { return default };
    let known = ToolPolicy::WORDS.iter().find(|(word, _)| *word == text);
    if known.is_none() {
        field.warn(format!(
            "{text:?} is none of owner, safe-read-only, none; the default of the mode is used"
        ));
    }
    known.map_or(default, |(_, policy)| *policy)
}

fn wake_names(field: &Field<'_, '_>) -> Option<Vec<String>> {
    let list = field.list()?;
    if list.is_empty() {
        let hint = "write a name, or leave the key out".to_owned();
        field.fail(Problem::Invalid("needs at least one name".to_owned()), Some(hint));
    }
    let name = |item: &Field<'_, '_>| {
        let words: Vec<String> = item.text()?.split_whitespace().map(str::to_owned).collect();
        if words.len() > 2 {
            let hint = "longer names are misheard; use one or two words".to_owned();
            item.fail(Problem::Invalid("more than two words".to_owned()), Some(hint));
        }
        Some(words.join(" "))
    };
    Some(list.iter().filter_map(name).collect())
}

fn bootstrap_files(section: &Section<'_, '_>) -> Vec<BootstrapFile> {
    let names = [
        ("IDENTITY.md", BootstrapFile::Identity),
        ("USER.md", BootstrapFile::User),
        ("SOUL.md", BootstrapFile::Soul),
    ];
    match section.list("bootstrapContextFiles") {
        Some(list) => list.iter().filter_map(|item| item.choice(&names)).collect(),
        None => {
            let all: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            section.note_default("bootstrapContextFiles", all);
            names.map(|(_, file)| file).to_vec()
        }
    }
}

fn base_url(field: &Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if check::split_url(&text, &["ws", "wss", "http", "https"]).is_none() {
        field.fail(
            Problem::Invalid("not a provider's base URL".to_owned()),
            Some("as in \"wss://api.openai.com/v1\" or \"ws://127.0.0.1:8765/v1\"".to_owned()),
        );
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}
