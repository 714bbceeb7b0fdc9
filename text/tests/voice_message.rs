//! Voice messages from audio files, through a localcord, and decoded again by other code than ours.

#![allow(clippy::unwrap_used, reason = "a step that fails is the test's failure")]

use std::{
    io::Cursor,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_session::ChannelId;
use clawvoice_text::{
    delivery::voice_message::{PrepareFailure, VoiceMessage},
    shell::{
        rest::{DiscordRest, RestSettings},
        voice_message::{Outgoing, SendFailure, Sent, VoiceMessages},
    },
};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    human::wav::read_stereo_48k,
    world::{
        Message,
        default::{BOT_USER, GENERAL},
    },
};
use secrecy::SecretString;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/audio").join(name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

/// What every file in `formats` says: the first second of `ask.wav`, 48 kHz mono.
fn original() -> Vec<f32> {
    let stereo = read_stereo_48k(&bytes_of("ask.wav")).unwrap();
    stereo.iter().step_by(2).take(48_000).map(|sample| f32::from(*sample) / 32_768.0).collect()
}

/// Decodes a mono Ogg Opus file by the letter of RFC 7845, with code that shares nothing with what
/// made it but libopus; what it says about itself is checked on the way.
fn decoded(ogg: &[u8]) -> Vec<f32> {
    let mut reader = ogg::PacketReader::new(Cursor::new(ogg));
    let head = reader.read_packet_expected().unwrap().data;
    assert_eq!(&head[..10], b"OpusHead\x01\x01");
    assert_eq!(head[12..16], 48_000_u32.to_le_bytes());
    let pre_skip = usize::from(u16::from_le_bytes([head[10], head[11]]));
    assert!(reader.read_packet_expected().unwrap().data.starts_with(b"OpusTags"));
    let mut decoder = opus2::Decoder::new(48_000, opus2::Channels::Mono).unwrap();
    let (mut pcm, mut end) = (Vec::new(), None);
    while let Some(packet) = reader.read_packet().unwrap() {
        assert_eq!(end, None, "a packet after the last");
        let mut frame = [0.0; 5_760];
        let samples = decoder.decode_float(&packet.data, &mut frame, false).unwrap();
        assert_eq!(samples, 960, "frames of 20 ms");
        pcm.extend_from_slice(&frame[..samples]);
        end = packet.last_in_stream().then(|| packet.absgp_page());
    }
    let end = usize::try_from(end.unwrap()).unwrap();
    assert!(end <= pcm.len(), "the last page claims {end} samples of {}", pcm.len());
    pcm[pre_skip..end].to_vec()
}

fn energy(pcm: &[f32]) -> f64 {
    pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

/// How alike two recordings are where they fit best among these shifts, 1 at most, and by how many
/// samples the second is late there.
fn likeness(a: &[f32], b: &[f32], lags: RangeInclusive<isize>) -> (f64, isize) {
    let norm = (energy(a) * energy(b)).sqrt();
    let at = |lag: isize| {
        let (a, b) = match lag.unsigned_abs() {
            early if lag < 0 => (&a[early..], b),
            late => (a, &b[late..]),
        };
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>() / norm
    };
    lags.map(|lag| (at(lag), lag)).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap()
}

/// The same sound, not moved, and as loud.
fn assert_same_sound(name: &str, ogg: &[u8], late: RangeInclusive<isize>) {
    let (wanted, heard) = (original(), decoded(ogg));
    let (alike, lag) = likeness(&wanted, &heard, late.start() - 48..=late.end() + 48);
    let louder = energy(&heard) / energy(&wanted);
    assert!(alike > 0.95, "{name} is only {alike:.3} alike");
    assert!(late.contains(&lag), "{name} is {lag} samples late");
    // LAME makes everything 0.5 dB softer: 0.89 of the energy.
    assert!((0.87..1.1).contains(&louder), "{name} has {louder:.3} of the energy");
}

fn rest(server: &Server, token: &SecretString) -> DiscordRest {
    let base = server.api_base_url();
    DiscordRest::new(token, Some(&base), None, &RestSettings::default()).unwrap()
}

struct Scene {
    server: Server,
    voice: VoiceMessages,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start(ServerSettings::default()).await.unwrap();
        let token = SecretString::from(server.bot_token());
        let voice = VoiceMessages::new(rest(&server, &token));
        Self { server, voice }
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Sent, SendFailure> {
        self.voice.send(ChannelId::new(GENERAL), outgoing).await
    }

    /// The messages in #general.
    fn messages(&self) -> Vec<Message> {
        self.server
            .world()
            .read(|state| state.messages.get(&GENERAL).map(|all| all.values().cloned().collect()))
            .unwrap_or_default()
    }

    /// REST calls so far.
    fn calls(&self) -> Vec<String> {
        let entries = self.server.journal().since(0);
        let calls = entries.into_iter().filter(|entry| entry.kind == "rest");
        calls.map(|call| format!("{} {}", call.name, call.data["status"])).collect()
    }

    fn fail(&self, path_prefix: &str, status: u16, times: u32) {
        let path_prefix = path_prefix.to_owned();
        let fault = RestFault { path_prefix, status, times, retry_after: 0.1, carried_out: false };
        let settings = FaultSettings { rest: vec![fault], ..FaultSettings::default() };
        self.server.faults().set(settings);
    }
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_and_the_message_posted_once() {
    let scene = Scene::new().await;
    let fault = RestFault {
        path_prefix: format!("/channels/{GENERAL}/messages"),
        status: 503,
        times: 2,
        retry_after: 0.0,
        carried_out: true,
    };
    scene.server.faults().set(FaultSettings { rest: vec![fault], ..FaultSettings::default() });
    let sent = scene.send(&mp3()).await.unwrap();
    let posts = scene.calls().into_iter().filter(|call| call.contains("/messages"));
    let statuses: Vec<String> =
        posts.filter_map(|call| call.split(' ').nth(2).map(str::to_owned)).collect();
    assert_eq!(statuses, ["503", "503", "200"]);
    let messages = scene.messages();
    let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    assert_eq!(message.id, sent.message);
}

fn mp3() -> Outgoing {
    let media = Some(fixture("formats/one-second.mp3").display().to_string());
    Outgoing { media, ..Outgoing::default() }
}

#[tokio::test]
async fn voice_scenario_50_a_second_of_mp3_becomes_a_voice_message() {
    let scene = Scene::new().await;
    let sent = scene.send(&mp3()).await.unwrap();
    assert!((sent.duration_secs - 1.0).abs() < 0.05, "{} s", sent.duration_secs);

    let messages = scene.messages();
    let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    assert_eq!((message.id, message.author_id, message.flags), (sent.message, BOT_USER, 8192));
    assert_eq!(message.content, "");
    let [attachment] = message.attachments.as_slice() else { panic!("{:?}", message.attachments) };
    assert_eq!(attachment["filename"], "voice-message.ogg");
    assert_eq!(attachment["content_type"], "audio/ogg");
    assert_eq!(attachment["duration_secs"], sent.duration_secs);
    let waveform = STANDARD.decode(attachment["waveform"].as_str().unwrap()).unwrap();
    assert_eq!(waveform.len(), 256);

    let file = reqwest::get(attachment["url"].as_str().unwrap()).await.unwrap();
    let ogg = file.bytes().await.unwrap();
    let seconds = decoded(&ogg).len() as f64 / 48_000.0;
    assert!((seconds - sent.duration_secs).abs() <= 0.005, "{seconds} s");
    assert_same_sound("one-second.mp3", &ogg, -48..=48);
    // The curve follows the sound: loud where it is loud.
    let loudest = |values: &[f64]| {
        let (at, _) = values.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
        at as f64 / values.len() as f64
    };
    let heights: Vec<f64> = waveform.iter().map(|point| f64::from(*point)).collect();
    let heights: Vec<f64> = heights.chunks(16).map(|part| part.iter().sum()).collect();
    let energies: Vec<f64> = original().chunks(3_000).map(energy).collect();
    assert!((loudest(&heights) - loudest(&energies)).abs() <= 1.0 / 16.0);

    let calls = [
        format!("POST /channels/{GENERAL}/attachments 200"),
        "PUT /upload 200".to_owned(),
        format!("POST /channels/{GENERAL}/messages 200"),
    ];
    assert_eq!(scene.calls(), calls);
}

#[tokio::test]
async fn voice_scenario_50_a_url_or_text_is_refused_before_anything_is_sent() {
    let scene = Scene::new().await;
    let url = Outgoing { media: Some("https://example.org/a.mp3".to_owned()), ..mp3() };
    let text = Outgoing { content: Some("hello".to_owned()), ..mp3() };
    let nothing = Outgoing::default();
    for (outgoing, words) in [
        (url, "Voice messages require a local file"),
        (text, "Voice messages cannot include text content (Discord limitation)."),
        (nothing, "Voice messages require a media file reference (mediaUrl, path, or filePath)."),
    ] {
        let failure = scene.send(&outgoing).await.unwrap_err();
        assert!(matches!(failure, SendFailure::Refused(_)));
        assert!(failure.to_string().starts_with(words), "{failure}");
    }
    assert_eq!(scene.calls(), [""; 0]);
}

#[tokio::test]
async fn a_silent_reply_carries_both_flags_and_a_lost_message_is_replied_to_without_reference() {
    let scene = Scene::new().await;
    let first = scene.send(&mp3()).await.unwrap();
    let reply = Outgoing { silent: true, reply_to: Some(first.message), ..mp3() };
    scene.send(&reply).await.unwrap();
    let to_nothing = Outgoing { reply_to: Some(5), ..mp3() };
    scene.send(&to_nothing).await.unwrap();
    let messages = scene.messages();
    assert_eq!(messages.iter().map(|one| one.flags).collect::<Vec<_>>(), [8192, 12_288, 8192]);
    let reference = messages[1].reference.as_ref().unwrap();
    assert_eq!(reference["message_id"], first.message.to_string());
    assert_eq!(messages[2].reference, None);
}

#[tokio::test]
async fn every_step_is_tried_again_after_a_passing_failure() {
    for (path, status) in [
        (format!("/channels/{GENERAL}/attachments"), 429),
        (format!("/channels/{GENERAL}/attachments"), 503),
        ("/upload/".to_owned(), 429),
        ("/upload/".to_owned(), 500),
        (format!("/channels/{GENERAL}/messages"), 429),
        (format!("/channels/{GENERAL}/messages"), 502),
    ] {
        let scene = Scene::new().await;
        scene.fail(&path, status, 1);
        scene.send(&mp3()).await.unwrap();
        assert_eq!(scene.messages().len(), 1, "{path} {status}");
        assert_eq!(scene.calls().len(), 4, "{path} {status}");
    }
}

#[tokio::test]
async fn a_failure_names_its_step_and_nothing_is_posted() {
    let scene = Scene::new().await;
    let words = async |path: &str| {
        scene.fail(path, 503, 3);
        scene.send(&mp3()).await.unwrap_err().to_string()
    };
    let slot = words(&format!("/channels/{GENERAL}/attachments")).await;
    assert_eq!(
        slot,
        "the voice message was not uploaded: POST /channels/{id}/attachments failed: status 503"
    );
    assert_eq!(
        words("/upload/").await,
        "the voice message was not uploaded: the storage could not be reached: status 503"
    );
    assert_eq!(
        words(&format!("/channels/{GENERAL}/messages")).await,
        "the voice message was uploaded, but not posted: POST /channels/{id}/messages failed: \
         status 503"
    );
    scene.server.faults().set(FaultSettings::default());
    let nowhere = scene.voice.send(ChannelId::new(5), &mp3()).await.unwrap_err();
    assert!(nowhere.to_string().contains("status 404") && matches!(nowhere, SendFailure::Slot(_)));
    assert_eq!(scene.messages().len(), 0);

    let token = SecretString::from("wrong".to_owned());
    let stranger = VoiceMessages::new(rest(&scene.server, &token));
    let refused = stranger.send(ChannelId::new(GENERAL), &mp3()).await.unwrap_err();
    assert!(matches!(refused, SendFailure::TokenRefused), "{refused}");
}

#[tokio::test]
async fn what_is_no_audio_file_is_named_with_the_reason() {
    let scene = Scene::new().await;
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.mp3");
    let text = folder.path().join("text.mp3");
    std::fs::write(&text, "This is no sound at all. ".repeat(100)).unwrap();
    for (path, reason) in [
        (folder.path(), "it is not a file"),
        (missing.as_path(), "the file cannot be read: "),
        (text.as_path(), "this is no audio that can be read"),
    ] {
        let outgoing = Outgoing { media: Some(path.display().to_string()), ..Outgoing::default() };
        let words = scene.send(&outgoing).await.unwrap_err().to_string();
        let named = format!("no voice message can be made of {}: {reason}", path.display());
        assert!(words.starts_with(&named), "{words}");
    }
    assert_eq!(scene.calls(), [""; 0]);
}

#[test]
fn every_format_becomes_the_same_sound() {
    // symphonia leaves in what the encoder padded a stream of one page of Vorbis with, and the 1024
    // samples that AAC encoders put before the sound.
    for (name, late, longest) in [
        ("one-second.mp3", -48..=48, 1.005),
        ("one-second.flac", -48..=48, 1.005),
        ("one-second-vorbis.ogg", -48..=48, 1.025),
        ("one-second-opus.ogg", -48..=48, 1.005),
        ("one-second-opus-24k.ogg", -48..=48, 1.005),
        ("one-second.m4a", 1_900..=2_200, 1.1),
    ] {
        // No extension: nothing goes out as it is, and the name is no help.
        let voice = VoiceMessage::from_bytes(bytes_of(&format!("formats/{name}")), None).unwrap();
        let length = decoded(&voice.ogg).len() as f64 / 48_000.0;
        assert!((length - voice.duration_secs()).abs() <= 0.005, "{name}");
        assert!((1.0..=longest).contains(&length), "{name} is {length} s long");
        // 64 kbit/s, headers included, and libopus varies the rate.
        assert!((5_000..12_000).contains(&voice.ogg.len()), "{name}: {} bytes", voice.ogg.len());
        assert_same_sound(name, &voice.ogg, late);
    }
    let wav = VoiceMessage::from_bytes(bytes_of("ask.wav"), None).unwrap();
    assert_eq!(wav.duration_centis, 333);
}

#[test]
fn only_an_ogg_file_with_opus_from_48_khz_goes_out_as_it_is() {
    let as_it_is = |name: &str, extension: Option<&str>| {
        let bytes = bytes_of(&format!("formats/{name}"));
        let voice = VoiceMessage::from_bytes(bytes.clone(), extension).unwrap();
        assert!((99..=102).contains(&voice.duration_centis), "{name}");
        voice.ogg == bytes
    };
    assert!(as_it_is("one-second-opus.ogg", Some("ogg")));
    assert!(as_it_is("one-second-opus.ogg", Some("OGG")));
    assert!(!as_it_is("one-second-opus.ogg", Some("opus")));
    assert!(!as_it_is("one-second-opus.ogg", None));
    assert!(!as_it_is("one-second-opus-24k.ogg", Some("ogg")));
    assert!(!as_it_is("one-second-vorbis.ogg", Some("ogg")));
    assert!(!as_it_is("one-second.mp3", Some("ogg")));
}

#[test]
fn empty_long_and_broken_files_are_refused() {
    let made = |bytes: Vec<u8>| VoiceMessage::from_bytes(bytes, Some("ogg")).unwrap_err();
    assert!(matches!(made(Vec::new()), PrepareFailure::Unsupported(_)));
    assert!(matches!(made(wav(48_000, &[])), PrepareFailure::Empty));
    // 21 minutes at the lowest rate there is.
    let long = wav(4_000, &vec![0; 21 * 60 * 4_000]);
    assert!(matches!(made(long), PrepareFailure::TooLong { most_minutes: 20 }));
    assert!(matches!(made(wav(1_000, &[0; 500])), PrepareFailure::Damaged(_)));
    let mut broken = bytes_of("formats/one-second-opus.ogg");
    broken[5_000] ^= 1;
    assert!(matches!(made(broken), PrepareFailure::Damaged(_)), "the checksum does not fit");
}

#[test]
fn two_channels_stay_two() {
    // Left only: 100 Hz, 0.2 s.
    let frames: Vec<i16> =
        (0..9_600).flat_map(|at| [if at % 480 < 240 { 8_000 } else { -8_000 }, 0]).collect();
    let mut bytes = wav(48_000, &frames);
    bytes[22] = 2;
    bytes[32] = 4;
    let voice = VoiceMessage::from_bytes(bytes, None).unwrap();
    assert_eq!((voice.duration_centis, voice.ogg[37]), (20, 2));
    // Half of the left channel's 8000, and silence after 0.2 s is not part of it.
    let (mean, expected) = (voice.waveform.points()[128], 8_000.0 / 2.0 * 255.0 / 32_767.0);
    assert!((f64::from(mean) - expected).abs() < 4.0, "{mean} instead of {expected}");
}

/// A mono WAV file, 16 bit.
fn wav(rate_hz: u32, samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let length = u32::try_from(data.len()).unwrap();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + length).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(rate_hz.to_le_bytes());
    bytes.extend((rate_hz * 2).to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend(length.to_le_bytes());
    bytes.extend(data);
    bytes
}
