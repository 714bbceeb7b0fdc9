//! A bot that only hears, as a process of its own: the executable runs itself again with
//! [`WHICH`] set.
//!
//! The first line of standard input is an [`Invitation`]; every further line is answered by a
//! [`Mark`], or by how long packets waited. It ends with its input, or by being killed.

use std::{
    collections::HashMap,
    io::{self, BufRead, Write},
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{Call, CallSettings, Hear, Output},
    shell::{
        clock::{Alarm, SessionClock},
        socket::{self, Socket, SocketHandle, SocketIn, SocketOut, SocketRequest},
        udp::VoiceSocket,
    },
    wire::rtp,
};
use rustix::time::{ClockId, clock_gettime};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use songbird::{
    Config, ConnectionInfo, CoreEvent, Driver, Event, EventContext, EventHandler,
    driver::{Channels, DecodeConfig, DecodeMode, SampleRate},
};

use crate::waits::Waits;

/// The environment variable that makes a listener, and its values.
pub(crate) const WHICH: &str = "CLAWVOICE_BENCH_LISTENER";
pub(crate) const OURS: &str = "ours";
/// Ours on tokio's current-thread runtime, for which one thread wakes instead of two.
pub(crate) const OURS_ONE_THREAD: &str = "ours-one-thread";
/// songbird's driver with its decoder's default settings, 48 kHz stereo.
pub(crate) const SONGBIRD: &str = "songbird";
/// With the decoder's settings that are ours, 24 kHz mono.
pub(crate) const SONGBIRD_24K: &str = "songbird-24k";
/// Ours, and songbird's by default, with a stopwatch: what they have to say is a list of how long
/// each packet of the one speaker waited, ms.
pub(crate) const OURS_WAITS: &str = "ours-waits";
pub(crate) const SONGBIRD_WAITS: &str = "songbird-waits";

/// Larger than any datagram of the voice server.
const MAX_UDP_BYTES: usize = 2_048;

/// Where to join as whom.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Invitation {
    pub(crate) guild_id: u64,
    pub(crate) channel_id: u64,
    pub(crate) user_id: u64,
    pub(crate) session_id: String,
    pub(crate) token: String,
    pub(crate) endpoint: String,
    /// The certificate to trust.
    pub(crate) ca: PathBuf,
}

/// What a listener has heard and used since it began.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Processor time of the whole process, user and system, ns.
    cpu_ns: u64,
    /// Frames decoded.
    pub(crate) frames: u64,
}

impl Mark {
    /// Processor time per frame since an earlier mark, µs.
    pub(crate) fn cost_since(self, earlier: Self) -> anyhow::Result<f64> {
        let frames = self.frames - earlier.frames;
        ensure!(frames > 0, "nothing was heard for a second");
        Ok((self.cpu_ns - earlier.cpu_ns) as f64 / 1e3 / frames as f64)
    }
}

/// Joins and answers until the input ends.
pub(crate) fn run(which: &str) -> anyhow::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let invitation: Invitation = serde_json::from_str(&lines.next().context("no invitation")??)?;
    let frames = Arc::new(AtomicU64::new(0));
    // Both on the runtime songbird is made for and our own program uses.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let heard = Arc::clone(&frames);
    let watch = matches!(which, OURS_WAITS | SONGBIRD_WAITS).then(Watch::default);
    let watching = watch.clone();
    match which {
        OURS | OURS_WAITS => drop(runtime.spawn(listen(invitation, heard, watching))),
        OURS_ONE_THREAD => drop(std::thread::spawn(|| on_one_thread(invitation, heard))),
        SONGBIRD | SONGBIRD_24K | SONGBIRD_WAITS => {
            // Several TLS libraries are linked: songbird's cannot choose a provider by itself.
            let provider = rustls::crypto::ring::default_provider();
            provider.install_default().ok().context("there is a provider already")?;
            let decode = match which {
                SONGBIRD_24K => DecodeConfig::new(Channels::Mono, SampleRate::Hz24000),
                _ => DecodeConfig::default(),
            };
            drop(runtime.spawn(listen_with_songbird(invitation, decode, heard, watching)));
        }
        other => bail!("no listener {other:?}"),
    }
    for line in lines {
        line?;
        if let Some(watch) = &watch {
            answer(&watch.take())?;
            continue;
        }
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let mark = Mark {
            cpu_ns: u64::try_from(cpu.tv_sec)? * 1_000_000_000 + u64::try_from(cpu.tv_nsec)?,
            frames: frames.load(Ordering::Relaxed),
        };
        answer(&mark)?;
    }
    Ok(())
}

fn on_one_thread(invitation: Invitation, frames: Arc<AtomicU64>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(listen(invitation, frames, None))
}

fn answer(line: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// What packets waited, ms, from where it is measured to where it is asked for.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<f64>>>);

impl Watch {
    /// What came out since it was asked the last time.
    fn take(&self) -> Vec<f64> {
        self.0.lock().map(|mut waits| std::mem::take(&mut *waits)).unwrap_or_default()
    }

    fn add(&self, ms: impl IntoIterator<Item = f64>) {
        if let Ok(mut waits) = self.0.lock() {
            waits.extend(ms);
        }
    }
}

/// Counts the frames it hears.
struct Counter(Arc<AtomicU64>);

impl Hear for Counter {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, _: SessionTime, _: UserId, pcm: &[i16]) {
        std::hint::black_box(pcm);
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

/// Our call on the sockets of our shell.
async fn listen(
    invitation: Invitation,
    frames: Arc<AtomicU64>,
    watch: Option<Watch>,
) -> anyhow::Result<()> {
    let tls = trusting(&invitation.ca)?;
    let clock = SessionClock::start();
    let settings = CallSettings {
        guild: GuildId::new(invitation.guild_id),
        channel: ChannelId::new(invitation.channel_id),
        user: UserId::new(invitation.user_id),
        session_id: invitation.session_id,
        token: SecretString::from(invitation.token),
        endpoint: invitation.endpoint,
        secure: true,
        dave: true,
        decryption_failure_tolerance: clawvoice_voice::call::DECRYPTION_FAILURE_TOLERANCE,
        reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
        seed: 7,
        udp_fallback: None,
    };
    let mut hear = Counter(frames);
    let mut call = Call::new(settings, clock.now());
    let mut alarm = Alarm::new(clock);
    let (mut gateway, mut udp) = (None, None::<VoiceSocket>);
    let (mut datagram, mut buffer) = ([0; MAX_UDP_BYTES], [0; MAX_UDP_BYTES]);
    let (mut waits, mut number) = (Waits::default(), 1 << 16);
    loop {
        while let Some(output) = call.poll_output() {
            carry_out(output, &tls, &mut gateway, &mut udp).await?;
        }
        alarm.set(call.poll_timeout().map(|(at, _)| at));
        let mut came = None;
        tokio::select! {
            biased;
            bytes = receive(udp.as_ref(), &mut datagram) => {
                let (now, datagram) = (clock.now(), &mut datagram[..bytes?]);
                if watch.is_some() && let Some(sequence) = sequence(datagram) {
                    number = after(number, sequence);
                    came = Some((number, now));
                }
                call.handle_datagram(now, datagram, &mut hear);
                // As our shell does; a watched call is looked at after every datagram.
                while watch.is_none()
                    && let Some(udp) = &udp
                    && let Some(bytes) = udp.try_recv(&mut buffer)
                {
                    call.handle_datagram(now, &mut buffer[..bytes], &mut hear);
                }
            }
            message = next(gateway.as_mut()) => match message {
                Some(SocketIn::Opened) => call.handle_gateway_opened(clock.now()),
                Some(SocketIn::Text(text)) => call.handle_gateway_text(clock.now(), &text),
                Some(SocketIn::Binary(bytes)) => {
                    call.handle_gateway_binary(clock.now(), &bytes, &mut hear);
                }
                other => bail!("the voice gateway is gone: {other:?}"),
            },
            () = alarm.rung() => call.handle_timeout(clock.now(), &mut hear),
        }
        if let Some(watch) = &watch {
            waits.update(&call, clock.now(), came);
            watch.add(waits.ms.drain(..));
        }
    }
}

/// The sequence number of an Opus packet.
fn sequence(datagram: &[u8]) -> Option<u16> {
    let opus = datagram.get(1)? & 0x7F == rtp::OPUS_PAYLOAD_TYPE;
    opus.then(|| datagram.get(2..)?.first_chunk().copied().map(u16::from_be_bytes)).flatten()
}

/// The number next to `last` that ends in this sequence number.
fn after(last: u64, sequence: u16) -> u64 {
    let step = sequence.wrapping_sub(last as u16) as i16;
    last.saturating_add_signed(step.into())
}

async fn carry_out(
    output: Output,
    tls: &Arc<ClientConfig>,
    gateway: &mut Option<SocketHandle>,
    udp: &mut Option<VoiceSocket>,
) -> anyhow::Result<()> {
    let message = match output {
        Output::Connect { url } => {
            *gateway = Some(Socket::connect(SocketRequest {
                url,
                headers: Vec::new(),
                tls: Some(Arc::clone(tls)),
                connect_timeout: Duration::from_secs(10),
                max_message_bytes: 1 << 20,
            }));
            return Ok(());
        }
        Output::OpenUdp { remote } => {
            *udp = Some(VoiceSocket::connect(remote).await?);
            return Ok(());
        }
        Output::Datagram(bytes) => {
            udp.as_ref().context("no UDP socket")?.send(&bytes);
            return Ok(());
        }
        Output::Event(_) => return Ok(()),
        Output::Text(text) => SocketOut::Text(text),
        Output::Binary(bytes) => SocketOut::Binary(bytes),
        Output::CloseGateway { code } => SocketOut::Close(code),
    };
    gateway.as_ref().context("no websocket")?.outgoing.try_send(message)?;
    Ok(())
}

async fn receive(udp: Option<&VoiceSocket>, datagram: &mut [u8]) -> io::Result<usize> {
    match udp {
        Some(udp) => udp.recv(datagram).await,
        None => std::future::pending().await,
    }
}

async fn next(gateway: Option<&mut SocketHandle>) -> Option<SocketIn> {
    match gateway {
        Some(gateway) => gateway.incoming.recv().await,
        None => std::future::pending().await,
    }
}

fn trusting(ca: &Path) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    Ok(socket::tls_with_roots(roots))
}

#[async_trait]
impl EventHandler for Counter {
    async fn act(&self, context: &EventContext<'_>) -> Option<Event> {
        if let EventContext::VoiceTick(tick) = context {
            let heard = tick.speaking.values().filter(|voice| {
                std::hint::black_box(voice.decoded_voice.as_deref())
                    .is_some_and(|pcm| !pcm.is_empty())
            });
            self.0.fetch_add(heard.count() as u64, Ordering::Relaxed);
        }
        None
    }
}

/// From songbird's event of a packet's arrival, which comes right after it, to the tick with the
/// packet's samples.
#[derive(Clone)]
struct Stopwatch {
    arrived: Arc<Mutex<HashMap<u16, Instant>>>,
    watch: Watch,
}

#[async_trait]
impl EventHandler for Stopwatch {
    async fn act(&self, context: &EventContext<'_>) -> Option<Event> {
        let mut arrived = self.arrived.lock().ok()?;
        match context {
            EventContext::RtpPacket(data) => {
                arrived.insert(sequence(&data.packet)?, Instant::now());
            }
            EventContext::VoiceTick(tick) => {
                for voice in tick.speaking.values() {
                    let Some(packet) = &voice.packet else { continue };
                    let came = arrived.remove(&sequence(&packet.packet)?);
                    self.watch.add(came.map(|at| at.elapsed().as_secs_f64() * 1e3));
                }
            }
            _ => {}
        }
        None
    }
}

/// songbird's driver with its default settings, but that it decodes.
async fn listen_with_songbird(
    invitation: Invitation,
    decode: DecodeConfig,
    frames: Arc<AtomicU64>,
    watch: Option<Watch>,
) -> anyhow::Result<()> {
    let id = |id: u64| NonZeroU64::new(id).context("0 is no id");
    let mut driver = Driver::new(Config::default().decode_mode(DecodeMode::Decode(decode)));
    driver.add_global_event(CoreEvent::VoiceTick.into(), Counter(frames));
    if let Some(watch) = watch {
        let stopwatch = Stopwatch { arrived: Arc::default(), watch };
        driver.add_global_event(CoreEvent::RtpPacket.into(), stopwatch.clone());
        driver.add_global_event(CoreEvent::VoiceTick.into(), stopwatch);
    }
    let info = ConnectionInfo {
        guild_id: id(invitation.guild_id)?.into(),
        channel_id: id(invitation.channel_id)?.into(),
        user_id: id(invitation.user_id)?.into(),
        session_id: invitation.session_id,
        token: invitation.token,
        endpoint: invitation.endpoint,
    };
    driver.connect(info).await?;
    // Dropping the driver would leave.
    std::future::pending().await
}
