//! Who transcribes and who speaks: defaults, precedence, spellings.

use std::{collections::BTreeMap, path::Path};

use clawvoice_config::{Speech, Synthesizer, parse};
use secrecy::ExposeSecret;

fn speech(voice: &str, rest: &str, variables: &[(&str, &str)]) -> Speech {
    let text = format!(
        "{{ channels: {{ discord: {{ token: 'a.b.c', voice: {{ mode: 'stt-tts', {voice} }} }} }}, \
         {rest} }}"
    );
    let env: BTreeMap<String, String> =
        variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    let config = parse(&text, Path::new("/etc/claw.json5"), &env);
    config.unwrap_or_else(|errors| panic!("{errors}")).speech.expect("the mode wants it")
}

#[test]
fn nothing_written_is_openai_with_its_variable() {
    let speech = speech("", "", &[("OPENAI_API_KEY", "sk-1")]);
    let hears = speech.transcriber;
    assert_eq!(
        (hears.provider.as_str(), hears.model.as_str()),
        ("openai", "gpt-4o-mini-transcribe")
    );
    assert_eq!(hears.api_key.unwrap().expose_secret(), "sk-1");
    let Synthesizer::OpenAi(says) = speech.synthesizer else { panic!() };
    assert_eq!((says.model.as_str(), says.voice.as_str()), ("gpt-4o-mini-tts", "alloy"));
    assert_eq!(says.api_key.unwrap().expose_secret(), "sk-1");
}

#[test]
fn a_transcriber_is_a_reference_or_an_object_and_the_first_that_is_no_program() {
    for (audio, provider, model) in [
        ("models: ['openai/gpt-transcribe']", "openai", "gpt-transcribe"),
        ("models: [{ provider: 'openai', model: 'gpt-transcribe' }]", "openai", "gpt-transcribe"),
        ("models: [{ type: 'cli', command: 'whisper' }, 'groq/w/3']", "groq", "w/3"),
        ("model: 'whisper-large'", "openai", "whisper-large"),
        ("enabled: true", "openai", "gpt-4o-mini-transcribe"),
    ] {
        let hears = speech("", &format!("tools: {{ media: {{ audio: {{ {audio} }} }} }}"), &[]);
        let hears = hears.transcriber;
        assert_eq!((hears.provider.as_str(), hears.model.as_str()), (provider, model), "{audio}");
    }
}

#[test]
fn an_entrys_own_address_and_key_go_before_the_blocks() {
    let audio = "tools: { media: { audio: { baseUrl: 'http://a/v1/', apiKey: 'block', language: \
                 'en', models: [{ model: 'm', apiKey: 'entry' }] } } }";
    let hears = speech("", audio, &[("OPENAI_API_KEY", "sk-1")]).transcriber;
    assert_eq!(hears.base_url.as_deref(), Some("http://a/v1"));
    assert_eq!(hears.api_key.unwrap().expose_secret(), "entry");
    assert_eq!(hears.language.as_deref(), Some("en"));
}

#[test]
fn openais_variable_goes_to_no_other_server() {
    let elsewhere = "tools: { media: { audio: { baseUrl: 'http://a/v1' } } }, \
                     messages: { tts: { openai: { baseUrl: 'http://b/v1' } } }";
    let speech = speech("", elsewhere, &[("OPENAI_API_KEY", "sk-1")]);
    assert!(speech.transcriber.api_key.is_none());
    let Synthesizer::OpenAi(says) = speech.synthesizer else { panic!() };
    assert!(says.api_key.is_none());
    assert_eq!(says.base_url.as_deref(), Some("http://b/v1"));
}

#[test]
fn voice_goes_before_messages_key_by_key_in_either_spelling() {
    let messages = "messages: { tts: { provider: 'elevenlabs', openai: { model: 'm', voice: 'sage', \
                    apiKey: 'k' }, auto: 'always' } }";
    for voice in [
        "tts: { provider: 'openai', openai: { voice: 'cedar' } }",
        "tts: { provider: 'openai', providers: { openai: { voice: 'cedar' } } }",
        "tts: { provider: 'openai', providers: { openai: { speakerVoice: 'cedar' } } }",
    ] {
        let Synthesizer::OpenAi(says) = speech(voice, messages, &[]).synthesizer else { panic!() };
        assert_eq!((says.model.as_str(), says.voice.as_str()), ("m", "cedar"), "{voice}");
        assert_eq!(says.api_key.unwrap().expose_secret(), "k");
    }
}

#[test]
fn elevenlabs_is_taken_when_only_it_has_a_key() {
    let messages = "messages: { tts: { providers: { elevenlabs: { speakerVoiceId: 'v1', \
                    voiceSettings: { similarityBoost: 0.7 } } } } }";
    let speech = speech("", messages, &[("XI_API_KEY", "xi")]);
    let Synthesizer::ElevenLabs(says) = speech.synthesizer else { panic!() };
    assert_eq!(
        (says.voice_id.as_deref(), says.model_id.as_str()),
        (Some("v1"), "eleven_flash_v2_5")
    );
    assert_eq!(says.api_key.unwrap().expose_secret(), "xi");
    assert_eq!(says.voice_settings.unwrap().to_string(), "{\"similarity_boost\":0.7}");
}

#[test]
fn espeak_and_others_are_taken_by_name() {
    let tts =
        "tts: { provider: 'espeak-ng', 'espeak-ng': { voice: 'en-gb', wordsPerMinute: 160 } }";
    let Synthesizer::Espeak(says) = speech(tts, "", &[]).synthesizer else { panic!() };
    assert_eq!((says.voice.as_deref(), says.words_per_minute), (Some("en-gb"), Some(160)));
    let other = speech("tts: { provider: 'microsoft' }", "", &[]).synthesizer;
    assert!(matches!(other, Synthesizer::Unknown(name) if name == "microsoft"));
}

#[test]
fn other_modes_do_not_read_these_blocks() {
    let text = "{ channels: { discord: { token: 'a', voice: {} } }, \
                messages: { tts: { openai: { apiKey: '$UNSET' } } } }";
    let config = parse(text, Path::new("/c"), &BTreeMap::new()).unwrap();
    assert!(config.speech.is_none());
    let text = text.replace("voice: {}", "voice: { mode: 'stt-tts' }");
    let errors = parse(&text, Path::new("/c"), &BTreeMap::new()).unwrap_err();
    assert!(errors.to_string().contains("messages.tts.openai.apiKey"), "{errors}");
}

/// Voice notes in text have their transcriber in every mode, if one is named.
#[test]
fn voice_notes_need_no_mode() {
    let audio = "tools: { media: { audio: { models: ['own/w'], baseUrl: 'http://a/v1' } } }";
    let off = "tools: { media: { audio: { enabled: false, baseUrl: 'http://a/v1' } } }";
    for (mode, rest, expected) in [
        ("bidi", audio, Some("w")),
        ("stt-tts", audio, Some("w")),
        ("stt-tts", "", Some("gpt-4o-mini-transcribe")),
        ("bidi", "", None),
        ("bidi", off, None),
        ("stt-tts", off, None),
    ] {
        let text = format!(
            "{{ channels: {{ discord: {{ token: 'a.b.c', voice: {{ mode: '{mode}' }} }} }}, {rest} }}"
        );
        let env = BTreeMap::from([("OPENAI_API_KEY".to_owned(), "sk-1".to_owned())]);
        let config = parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
        let model = config.voice_notes.map(|notes| notes.model);
        assert_eq!(model.as_deref(), expected, "{mode} {rest}");
    }
}
