//! songbird's whole driver, unpatched, as a bot account of localcord: it joins through the main
//! gateway, hears a human and is heard.
//!
//! songbird dials `wss://` only and trusts the system's certificate authorities, so each test runs
//! again as a process of its own whose `SSL_CERT_FILE` names localcord's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, helpers included")]

use std::{
    collections::HashMap,
    future::Future,
    num::NonZeroU64,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use audiopus::{Channels, MutSignals, SampleRate, coder::Decoder};
use localcord::{
    human::{Human, wav},
    server::{Server, ServerSettings},
    similarity::similarity,
    world::default::{ADA, GUILD, LOUNGE, STAGE},
};
use songbird::{
    Call, Config, CoreEvent, Event, EventContext, EventHandler,
    driver::{self, DecodeConfig, DecodeMode},
    error::{JoinError, JoinResult},
    id as songbird_id,
    shards::{Shard as CallShard, VoiceUpdate},
};
use tokio::sync::{Mutex as AsyncMutex, watch};
use twilight_gateway::{
    ConfigBuilder, Event as GatewayEvent, EventTypeFlags, Intents, MessageSender, Shard, ShardId,
    StreamExt as _,
};
use twilight_model::{
    gateway::payload::outgoing::UpdateVoiceState,
    id::{Id, marker::UserMarker},
};

const ASK: &[u8] = include_bytes!("../fixtures/audio/ask.wav");
const INTERRUPT: &[u8] = include_bytes!("../fixtures/audio/interrupt.wav");

/// The folder of the certificate; set in the process that runs the test proper.
const CA_DIR: &str = "LOCALCORD_TEST_CA_DIR";

/// Runs the calling test again as a process that trusts the certificate written to a new folder,
/// and in that process `test`.
fn trusting_localcord(name: &str, test: impl AsyncFnOnce(Server)) {
    if let Some(dir) = std::env::var_os(CA_DIR) {
        // Several TLS libraries are linked, so that songbird's cannot choose a provider by itself.
        rustls::crypto::ring::default_provider().install_default().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ca_dir = Some(PathBuf::from(dir));
            test(
                Server::start(ServerSettings { ca_dir, ..ServerSettings::default() })
                    .await
                    .unwrap(),
            )
            .await;
        });
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CA_DIR, dir.path())
        .env("SSL_CERT_FILE", dir.path().join("ca.pem"))
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// Nothing here takes this long.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// What songbird's events have told so far.
#[derive(Default)]
struct Heard {
    ssrcs: HashMap<u64, u32>,
    /// Opus payloads of RtpPacket events, per SSRC, in order of arrival.
    packets: HashMap<u32, Vec<Vec<u8>>>,
    /// What songbird itself decoded (VoiceTick), per SSRC.
    decoded: HashMap<u32, Vec<i16>>,
}

#[derive(Clone)]
struct Ear {
    heard: Arc<Mutex<Heard>>,
    changed: watch::Sender<()>,
}

impl Ear {
    fn new() -> Self {
        Self { heard: Arc::default(), changed: watch::Sender::new(()) }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    async fn until(&self, ready: impl Fn(&Heard) -> bool) {
        let mut changed = self.changed.subscribe();
        while !ready(&self.heard()) {
            changed.changed().await.unwrap();
        }
    }
}

#[async_trait]
impl EventHandler for Ear {
    async fn act(&self, context: &EventContext<'_>) -> Option<Event> {
        {
            let mut heard = self.heard();
            match context {
                EventContext::SpeakingStateUpdate(speaking) => {
                    if let Some(user) = speaking.user_id {
                        heard.ssrcs.insert(user.0, speaking.ssrc);
                    }
                }
                EventContext::RtpPacket(data) => {
                    let rtp = data.rtp();
                    let payload = songbird::packet::Packet::payload(&rtp);
                    let opus = &payload[data.payload_offset..payload.len() - data.payload_end_pad];
                    heard.packets.entry(rtp.get_ssrc()).or_default().push(opus.to_vec());
                }
                EventContext::VoiceTick(tick) => {
                    for (ssrc, voice) in &tick.speaking {
                        let decoded = voice.decoded_voice.as_deref().unwrap_or_default();
                        heard.decoded.entry(*ssrc).or_default().extend_from_slice(decoded);
                    }
                }
                _ => {}
            }
        }
        self.changed.send_replace(());
        None
    }
}

/// Sends songbird's voice state updates through twilight.
struct Asking(MessageSender);

#[async_trait]
impl VoiceUpdate for Asking {
    async fn update_voice_state(
        &self,
        guild: songbird_id::GuildId,
        channel: Option<songbird_id::ChannelId>,
        self_deaf: bool,
        self_mute: bool,
    ) -> JoinResult<()> {
        let channel = channel.map(|channel| Id::from(channel.0));
        let update = UpdateVoiceState::new(Id::<_>::from(guild.0), channel, self_deaf, self_mute);
        self.0.command(&update).map_err(|_| JoinError::NoSender)
    }
}

/// A bot account with songbird's driver.
struct Bot {
    user: u64,
    call: Arc<AsyncMutex<Call>>,
    ear: Ear,
    gateway: tokio::task::JoinHandle<()>,
}

impl Bot {
    /// Connects to the main gateway.
    async fn new(server: &Server) -> Self {
        let account = server.world().add_bot("songbird");
        let intents = Intents::GUILDS | Intents::GUILD_VOICE_STATES;
        let config =
            ConfigBuilder::new(account.token, intents).proxy_url(server.gateway_url()).build();
        let mut shard = Shard::with_config(ShardId::ONE, config);
        let asking = CallShard::Generic(Arc::new(Asking(shard.sender())));
        let (guild, user) = (id(GUILD), id(account.user_id));
        let decode = DecodeConfig::new(driver::Channels::Mono, driver::SampleRate::Hz24000);
        let config = Config::default().decode_mode(DecodeMode::Decode(decode));
        let mut call = Call::from_config(guild, asking, user, config);
        let ear = Ear::new();
        for event in [CoreEvent::SpeakingStateUpdate, CoreEvent::RtpPacket, CoreEvent::VoiceTick] {
            call.add_global_event(event.into(), ear.clone());
        }
        soon("READY", async { while !matches!(next(&mut shard).await, GatewayEvent::Ready(_)) {} })
            .await;
        let call = Arc::new(AsyncMutex::new(call));
        let gateway = tokio::spawn(feed(shard, Arc::clone(&call), Id::from(user)));
        Self { user: account.user_id, call, ear, gateway }
    }

    async fn join(&self, channel: u64) {
        let joining = self.call.lock().await.join(id(channel)).await.unwrap();
        soon("songbird's connection", joining).await.unwrap();
    }

    /// What it heard of a user: once from its packets by a decoder of our own, once by its own
    /// decoder. Both 24 kHz mono.
    fn heard(&self, user: u64) -> (Vec<i16>, Vec<i16>) {
        let heard = self.ear.heard();
        let ssrc = heard.ssrcs[&user];
        let mut decoder = Decoder::new(SampleRate::Hz24000, Channels::Mono).unwrap();
        let mut pcm = Vec::new();
        for packet in &heard.packets[&ssrc] {
            let mut frame = [0; 2880];
            let samples = decoder
                .decode(
                    Some(packet.try_into().unwrap()),
                    MutSignals::try_from(&mut frame[..]).unwrap(),
                    false,
                )
                .unwrap();
            pcm.extend_from_slice(&frame[..samples]);
        }
        (pcm, heard.decoded.get(&ssrc).cloned().unwrap_or_default())
    }

    /// Waits for that many packets of a user, and as many through songbird's jitter buffer.
    async fn hears(&self, user: u64, packets: usize) {
        let enough = |heard: &Heard| {
            let Some(ssrc) = heard.ssrcs.get(&user) else { return false };
            let came = heard.packets.get(ssrc).map_or(0, Vec::len);
            let played = heard.decoded.get(ssrc).map_or(0, Vec::len);
            came >= packets && played >= packets * 480
        };
        soon("what the human says", self.ear.until(enough)).await;
    }

    async fn leave(self) {
        self.call.lock().await.leave().await.unwrap();
        self.gateway.abort();
    }
}

fn id(id: u64) -> NonZeroU64 {
    NonZeroU64::new(id).unwrap()
}

async fn next(shard: &mut Shard) -> GatewayEvent {
    shard.next_event(EventTypeFlags::all()).await.unwrap().unwrap()
}

/// Hands the two halves of a voice connection from the main gateway to songbird.
async fn feed(mut shard: Shard, call: Arc<AsyncMutex<Call>>, user: Id<UserMarker>) {
    loop {
        match next(&mut shard).await {
            GatewayEvent::VoiceStateUpdate(state) if state.user_id == user => {
                let channel = state.channel_id.map(|channel| channel.into_nonzero());
                call.lock().await.update_state(state.session_id.clone(), channel);
            }
            GatewayEvent::VoiceServerUpdate(update) => {
                if let Some(endpoint) = update.endpoint {
                    call.lock().await.update_server(endpoint, update.token);
                }
            }
            _ => {}
        }
    }
}

async fn human(server: &Server, user: u64, channel: u64) -> Human {
    let invite = server.world().set_voice_state(GUILD, user, Some(channel), false, false);
    Human::join(invite.unwrap().unwrap()).await.unwrap()
}

fn mono_24k(file: &[u8]) -> Vec<i16> {
    let reader = hound::WavReader::new(file).unwrap();
    assert_eq!((reader.spec().sample_rate, reader.spec().channels), (24_000, 1));
    reader.into_samples().map(Result::unwrap).collect()
}

/// How much of the file a recording at 24 kHz holds.
fn likeness(file: &[u8], recording: &[i16]) -> f64 {
    similarity(&mono_24k(file), recording, 24_000).score
}

#[test]
fn songbird_hears_a_human_and_is_heard_under_dave() {
    trusting_localcord("songbird_hears_a_human_and_is_heard_under_dave", async |server| {
        let ada = human(&server, ADA, LOUNGE).await;
        let bot = Bot::new(&server).await;
        bot.join(LOUNGE).await;
        soon("a common epoch", ada.shares_epoch_with(&[bot.user])).await.unwrap();

        let began = Instant::now();
        bot.call.lock().await.play_input(INTERRUPT.into());
        let (spoken, ()) = tokio::join!(ada.speak(ASK), async {
            let end = ada.hears_end_of(bot.user, began, Duration::from_millis(200));
            soon("the end of what songbird plays", end).await.unwrap();
        });
        let spoken = spoken.unwrap();
        assert_eq!(spoken.frames_unsent, 0);

        let answer: Vec<i16> =
            wav::read_stereo_48k(INTERRUPT).unwrap().into_iter().step_by(2).collect();
        let human_heard = similarity(&answer, &ada.heard(bot.user).pcm, wav::SAMPLE_RATE);
        assert!(human_heard.score >= 0.9, "{human_heard:?}");
        let stats = ada.stats();
        assert_eq!((stats.dave_protocol_version, stats.undecryptable_after_ready), (1, 0));

        bot.hears(ADA, spoken.frames as usize).await;
        let (own, songbirds) = bot.heard(ADA);
        let score = likeness(ASK, &own);
        assert!(score >= 0.9, "{score}");
        // songbird 0.6.1 leaves the DAVE trailer on what its own decoder gets (its RtpPacket event
        // does cut it off), so what that decoder makes of these CELT packets says nothing. Its
        // jitter buffer has to hand over every frame all the same.
        assert!(songbirds.len() >= mono_24k(ASK).len(), "{}", songbirds.len());
        bot.leave().await;
    });
}

#[test]
fn songbirds_own_decoder_hears_in_a_stage_channel() {
    trusting_localcord("songbirds_own_decoder_hears_in_a_stage_channel", async |server| {
        let ada = human(&server, ADA, STAGE).await;
        let bot = Bot::new(&server).await;
        bot.join(STAGE).await;
        let spoken = soon("the end of the speech", ada.speak(INTERRUPT)).await.unwrap();
        assert_eq!(ada.stats().dave_protocol_version, 0);
        bot.hears(ADA, spoken.frames as usize).await;
        let (own, songbirds) = bot.heard(ADA);
        for recording in [own, songbirds] {
            let score = likeness(INTERRUPT, &recording);
            assert!(score >= 0.9, "{score}");
        }
        bot.leave().await;
    });
}
