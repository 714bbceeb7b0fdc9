//! `tools.media.audio`, `messages.tts` and `channels.discord.voice.tts`: who transcribes and who
//! speaks in mode `stt-tts`.
//!
//! These blocks belong to the whole agent, and hold more than is read here.

use secrecy::SecretString;

use crate::{
    check,
    cursor::Section,
    error::Problem,
    field::Field,
    secret::{from_env, secret},
};

/// Id of the provider of which the address and the key's variable are known.
const OPENAI: &str = "openai";
const OPENAI_KEY: &str = "OPENAI_API_KEY";
const ELEVENLABS: &str = "elevenlabs";
const ELEVENLABS_KEYS: [&str; 2] = ["ELEVENLABS_API_KEY", "XI_API_KEY"];
/// Ids under which `espeak-ng` is named.
const ESPEAK: [&str; 2] = ["espeak-ng", "espeak"];

const DEFAULT_STT_MODEL: &str = "gpt-4o-mini-transcribe";
const DEFAULT_TTS_MODEL: &str = "gpt-4o-mini-tts";
const DEFAULT_TTS_VOICE: &str = "alloy";
const DEFAULT_ELEVENLABS_MODEL: &str = "eleven_flash_v2_5";

/// Who transcribes and who speaks.
#[derive(Clone, Debug)]
pub struct Speech {
    /// `tools.media.audio`.
    pub transcriber: Transcriber,
    /// `channels.discord.voice.tts` over `messages.tts`.
    pub synthesizer: Synthesizer,
}

/// Who transcribes: any server with OpenAI's `/audio/transcriptions`.
#[derive(Clone, Debug)]
pub struct Transcriber {
    /// `enabled`: whether voice notes in text are transcribed. Default on.
    pub notes: bool,
    /// The first half of a reference such as `openai/gpt-4o-mini-transcribe`. Default `openai`.
    pub provider: String,
    /// The other half. Default `gpt-4o-mini-transcribe`.
    pub model: String,
    /// `baseUrl`, http or https. Default: the vendor's, known for `openai`.
    pub base_url: Option<String>,
    /// `apiKey`. For `openai` without a `baseUrl` else `OPENAI_API_KEY`: that key goes to no
    /// other server.
    pub api_key: Option<SecretString>,
    /// `language`, as in `en`. Default: the model finds out.
    pub language: Option<String>,
    /// `prompt`: names and terms the model should know.
    pub prompt: Option<String>,
}

/// Who speaks: `provider`, else the first of `openai` and `elevenlabs` that has a key, else
/// `openai`.
#[derive(Clone, Debug)]
pub enum Synthesizer {
    /// `openai`, or any server like it by `baseUrl`.
    OpenAi(OpenAiTts),
    /// `elevenlabs`.
    ElevenLabs(ElevenLabsTts),
    /// `espeak-ng`: the program of that name on this machine.
    Espeak(EspeakTts),
    /// Another name, which nothing here answers to.
    Unknown(String),
}

/// `tts.openai`, or `tts.providers.openai`.
#[derive(Clone, Debug)]
pub struct OpenAiTts {
    /// `model`. Default `gpt-4o-mini-tts`.
    pub model: String,
    /// `voice`, also `speakerVoice`. Default `alloy`.
    pub voice: String,
    /// `instructions`: how to speak.
    pub instructions: Option<String>,
    /// `speed`, 0.25 to 4.
    pub speed: Option<f64>,
    /// `baseUrl`, http or https. Default OpenAI's.
    pub base_url: Option<String>,
    /// `apiKey`. Without a `baseUrl` else `OPENAI_API_KEY`.
    pub api_key: Option<SecretString>,
}

/// `tts.elevenlabs`, or `tts.providers.elevenlabs`.
#[derive(Clone, Debug)]
pub struct ElevenLabsTts {
    /// `voiceId`, also `voice`, `speakerVoice` or `speakerVoiceId`. There is no default.
    pub voice_id: Option<String>,
    /// `modelId`, also `model`. Default `eleven_flash_v2_5`.
    pub model_id: String,
    /// `voiceSettings`, handed on with the vendor's spelling.
    pub voice_settings: Option<serde_json::Value>,
    /// `baseUrl`, http or https. Default the vendor's.
    pub base_url: Option<String>,
    /// `apiKey`, else `ELEVENLABS_API_KEY` or `XI_API_KEY`.
    pub api_key: Option<SecretString>,
}

/// `tts.espeak-ng`, or `tts.providers.espeak-ng`.
#[derive(Clone, Debug)]
pub struct EspeakTts {
    /// `voice`, as in `en-gb`.
    pub voice: Option<String>,
    /// `wordsPerMinute`, 80 to 500.
    pub words_per_minute: Option<u32>,
}

/// Of a whole configuration; `voice_tts` is the account's `voice.tts`.
pub(crate) fn of<'w, 't>(root: &Section<'w, 't>, voice_tts: &Section<'w, 't>) -> Speech {
    let audio = within(root, &["tools", "media", "audio"]);
    let messages_tts = within(root, &["messages", "tts"]);
    Speech {
        transcriber: transcriber(&audio),
        // Key by key, what voice has for itself goes first.
        synthesizer: synthesizer(&[voice_tts, &messages_tts]),
    }
}

/// Who transcribes voice notes where no account is in mode `stt-tts`: `tools.media.audio`, if it is
/// written.
pub(crate) fn of_notes(root: &Section<'_, '_>) -> Option<Transcriber> {
    let audio = within(root, &["tools", "media", "audio"]);
    audio.is_present().then(|| transcriber(&audio))
}

/// The object at the end of a path. What of it is no object is absent here: others complain of it.
fn within<'w, 't>(root: &Section<'w, 't>, path: &[&'static str]) -> Section<'w, 't> {
    let mut here = root.same();
    for key in path {
        let next = here.field(key).and_then(|field| field.if_object());
        here = next.unwrap_or_else(|| here.missing(key));
    }
    here
}

fn transcriber(audio: &Section<'_, '_>) -> Transcriber {
    audio.warn_near(&["enabled", "models", "baseUrl", "apiKey", "language", "prompt"]);
    let models = audio.list("models").unwrap_or_default();
    let chosen = models.iter().find_map(entry).or_else(|| {
        let model = audio.field("model")?;
        entry(&model)
    });
    let mut chosen = chosen.unwrap_or_default();
    let whole = source(audio);
    chosen.base_url = chosen.base_url.or(whole.base_url);
    chosen.api_key = chosen.api_key.or(whole.api_key);
    let provider = chosen.provider.unwrap_or_else(|| OPENAI.to_owned());
    let is_vendor = provider == OPENAI && chosen.base_url.is_none();
    Transcriber {
        notes: audio.bool_or("enabled", true),
        model: chosen.model.unwrap_or_else(|| DEFAULT_STT_MODEL.to_owned()),
        api_key: chosen
            .api_key
            .or_else(|| is_vendor.then(|| from_env(audio, "apiKey", &[OPENAI_KEY])).flatten()),
        base_url: chosen.base_url,
        language: chosen.language.or(whole.language),
        prompt: chosen.prompt.or(whole.prompt),
        provider,
    }
}

/// What an entry of `models`, or the block itself, says.
#[derive(Default)]
struct Source {
    provider: Option<String>,
    model: Option<String>,
    base_url: Option<String>,
    api_key: Option<SecretString>,
    language: Option<String>,
    prompt: Option<String>,
}

/// An entry: `"openai/model"`, or an object. `None`: it names a program, which is not run.
fn entry(field: &Field<'_, '_>) -> Option<Source> {
    let Some(item) = field.if_object() else {
        let reference = field.text()?;
        let (provider, model) = split(&reference);
        return Some(Source { provider, model: Some(model), ..Source::default() });
    };
    if item.text("type").is_some_and(|kind| kind != "provider") {
        field.warn("programs that transcribe are not run; the next entry is used".to_owned());
        return None;
    }
    let mut read = source(&item);
    let (provider, model) = match item.text("model") {
        Some(model) => {
            let (provider, model) = split(&model);
            (provider, Some(model))
        }
        None => (None, None),
    };
    read.provider = item.text("provider").or(provider);
    read.model = model;
    Some(read)
}

fn source(section: &Section<'_, '_>) -> Source {
    Source {
        base_url: section.field("baseUrl").and_then(|field| base_url(&field)),
        api_key: section.field("apiKey").and_then(|field| secret(&field)),
        language: section.text("language"),
        prompt: section.text("prompt"),
        ..Source::default()
    }
}

/// `provider/model`, or a model alone.
fn split(reference: &str) -> (Option<String>, String) {
    match reference.split_once('/') {
        Some((provider, model)) => (Some(provider.to_owned()), model.to_owned()),
        None => (None, reference.to_owned()),
    }
}

fn synthesizer(blocks: &[&Section<'_, '_>]) -> Synthesizer {
    for block in blocks {
        block.warn_near(&["provider", "providers", OPENAI, ELEVENLABS]);
    }
    let named = blocks.iter().find_map(|block| block.text("provider"));
    let open_ai = open_ai(&Layers::new(blocks, &[OPENAI]));
    let eleven_labs = eleven_labs(&Layers::new(blocks, &[ELEVENLABS]));
    let espeak = || espeak(&Layers::new(blocks, &ESPEAK));
    if blocks.iter().any(|block| block.is_describing()) {
        espeak();
    }
    match named.as_deref() {
        Some(OPENAI) => Synthesizer::OpenAi(open_ai),
        Some(ELEVENLABS) => Synthesizer::ElevenLabs(eleven_labs),
        Some(name) if ESPEAK.contains(&name) => Synthesizer::Espeak(espeak()),
        Some(other) => Synthesizer::Unknown(other.to_owned()),
        None if open_ai.api_key.is_some() || open_ai.base_url.is_some() => {
            Synthesizer::OpenAi(open_ai)
        }
        None if eleven_labs.api_key.is_some() => Synthesizer::ElevenLabs(eleven_labs),
        None => Synthesizer::OpenAi(open_ai),
    }
}

/// A provider's blocks, the one that goes first first: of each level `<id>`, then
/// `providers.<id>`.
struct Layers<'w, 't>(Vec<Section<'w, 't>>);

impl<'w, 't> Layers<'w, 't> {
    fn new(blocks: &[&Section<'w, 't>], ids: &[&'static str]) -> Self {
        let of_block = |block: &&Section<'w, 't>| {
            let providers = block.section("providers");
            ids.iter()
                .flat_map(|id| [block.section(id), providers.section(id)])
                .collect::<Vec<Section<'w, 't>>>()
        };
        Self(blocks.iter().flat_map(of_block).collect())
    }

    fn first<T>(&self, read: impl Fn(&Section<'w, 't>) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(read)
    }

    fn text(&self, key: &'static str) -> Option<String> {
        self.first(|layer| layer.text(key))
    }

    fn voice(&self, keys: &[&'static str]) -> Option<String> {
        self.first(|layer| layer.text_alias(keys))
    }

    fn base_url(&self) -> Option<String> {
        self.first(|layer| layer.field("baseUrl").and_then(|field| base_url(&field)))
    }

    fn api_key(&self) -> Option<SecretString> {
        self.first(|layer| layer.field("apiKey").and_then(|field| secret(&field)))
    }

    fn variable(&self, names: &[&str]) -> Option<SecretString> {
        self.first(|layer| from_env(layer, "apiKey", names))
    }
}

fn open_ai(layers: &Layers<'_, '_>) -> OpenAiTts {
    let base_url = layers.base_url();
    OpenAiTts {
        model: layers.text("model").unwrap_or_else(|| DEFAULT_TTS_MODEL.to_owned()),
        voice: layers
            .voice(&["voice", "speakerVoice", "speakerVoiceId"])
            .unwrap_or_else(|| DEFAULT_TTS_VOICE.to_owned()),
        instructions: layers.text("instructions"),
        speed: layers.first(|layer| layer.number("speed", 0.25, 4.0)),
        api_key: layers
            .api_key()
            .or_else(|| base_url.is_none().then(|| layers.variable(&[OPENAI_KEY])).flatten()),
        base_url,
    }
}

fn eleven_labs(layers: &Layers<'_, '_>) -> ElevenLabsTts {
    ElevenLabsTts {
        voice_id: layers.voice(&["voiceId", "speakerVoiceId", "speakerVoice", "voice"]),
        model_id: layers
            .voice(&["modelId", "model"])
            .unwrap_or_else(|| DEFAULT_ELEVENLABS_MODEL.to_owned()),
        voice_settings: layers
            .first(|layer| layer.field("voiceSettings"))
            .map(|field| vendor_spelling(field.free_form())),
        api_key: layers.api_key().or_else(|| layers.variable(&ELEVENLABS_KEYS)),
        base_url: layers.base_url(),
    }
}

fn espeak(layers: &Layers<'_, '_>) -> EspeakTts {
    EspeakTts {
        voice: layers.voice(&["voice", "speakerVoice", "speakerVoiceId"]),
        words_per_minute: layers.first(|layer| layer.whole("wordsPerMinute", 80, 500)),
    }
}

/// `similarityBoost` is `similarity_boost` on the wire.
fn vendor_spelling(settings: serde_json::Value) -> serde_json::Value {
    let serde_json::Value::Object(settings) = settings else { return settings };
    let renamed = settings.into_iter().map(|(key, value)| {
        let snake = key.chars().fold(String::new(), |mut name, c| {
            if c.is_ascii_uppercase() {
                name.push('_');
            }
            name.push(c.to_ascii_lowercase());
            name
        });
        (snake, value)
    });
    serde_json::Value::Object(renamed.collect())
}

fn base_url(field: &Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    if check::split_url(&text, &["http", "https"]).is_none() {
        field.fail(
            Problem::Invalid("not a provider's base URL".to_owned()),
            Some("as in \"https://api.openai.com/v1\" or \"http://127.0.0.1:8000/v1\"".to_owned()),
        );
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}
