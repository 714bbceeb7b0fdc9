//! Our call on real sockets, as its shell runs it, with what presence does behind it: a lost
//! session is asked for anew, a move is followed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{
        Call, CallEvent, CallSettings, DECRYPTION_FAILURE_TOLERANCE, Hear, Output, PacketStats,
        Plan,
    },
    shell::{
        clock::{Alarm, SessionClock},
        socket::{Socket, SocketHandle, SocketIn, SocketOut, SocketRequest},
        udp::VoiceSocket,
    },
};
use localcord::voice::VoiceInvite;
use secrecy::SecretString;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    real_time::loudest,
    stage::{BOT, Stage},
};

/// Larger than any datagram of the voice server.
const MAX_UDP_BYTES: usize = 2_048;
/// How long a move may be in coming after a close that means one.
const MOVE_PATIENCE: Duration = Duration::from_secs(10);

/// Nobody is heard any more: longer than anything is held and not yet given up for a new session.
const QUIET: Duration = Duration::from_millis(700);

/// Who speaks with which tone, Hz; nobody, where nothing is to be told apart.
#[derive(Clone, Debug, Default)]
pub(crate) struct Voices(Vec<(u64, f64)>);

impl Voices {
    pub(crate) fn new(voices: &[(u64, f64)]) -> Self {
        Self(voices.to_vec())
    }
}

/// What has been heard and done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Counters of calls that are over and of the one that is, by speaker.
    pub(crate) speakers: BTreeMap<u64, Tally>,
    /// When somebody was heard last, and the longest time between two pieces.
    pub(crate) heard: BTreeMap<u64, (Instant, Duration)>,
    /// New sessions after lost ones, moves not counted.
    pub(crate) rejoins: u64,
    pub(crate) resumes: u64,
    pub(crate) recoveries: u64,
    /// Pieces heard as one user with the tone of another.
    pub(crate) wrong: u64,
}

/// Frames of one speaker.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) decoded: u64,
    pub(crate) fec: u64,
    pub(crate) concealed: u64,
    /// Packets of silence.
    pub(crate) silence: u64,
}

impl Tally {
    fn of(stats: &PacketStats) -> Self {
        Self {
            decoded: stats.delivered,
            fec: stats.fec,
            concealed: stats.concealed,
            silence: stats.silence,
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            decoded: self.decoded + other.decoded,
            fec: self.fec + other.fec,
            concealed: self.concealed + other.concealed,
            silence: self.silence + other.silence,
        }
    }
}

/// The running listener; it leaves when dropped.
pub(crate) struct Follower {
    log: Arc<Mutex<Log>>,
    moves: mpsc::UnboundedSender<VoiceInvite>,
    /// Changes with everything heard.
    activity: watch::Receiver<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    pub(crate) fn start(stage: Arc<Stage>, voices: Voices) -> Self {
        let log = Arc::new(Mutex::new(Log::default()));
        let (moves, moved) = mpsc::unbounded_channel();
        let (heard, activity) = watch::channel(());
        let ear = Ear { log: Arc::clone(&log), voices, heard };
        let task = tokio::spawn(Listener::new(stage, Arc::clone(&log), ear).run(moved));
        Self { log, moves, activity, task }
    }

    /// Until a user has been heard. Bound the wait.
    pub(crate) async fn hears(&self, user: u64) {
        let mut activity = self.activity.clone();
        while !self.log().heard.contains_key(&user) {
            if activity.changed().await.is_err() {
                return;
            }
        }
    }

    /// Until nobody has been heard for a while. Bound the wait.
    pub(crate) async fn quiet(&self) {
        let mut activity = self.activity.clone();
        activity.mark_unchanged();
        while let Ok(Ok(())) = tokio::time::timeout(QUIET, activity.changed()).await {}
    }

    pub(crate) fn log(&self) -> Log {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// VOICE_SERVER_UPDATE: another server, or another token.
    pub(crate) fn follow(&self, invite: VoiceInvite) {
        // The listener is over: the log says so.
        let _ = self.moves.send(invite);
    }
}

/// Notes when whom it hears.
struct Ear {
    log: Arc<Mutex<Log>>,
    voices: Voices,
    heard: watch::Sender<()>,
}

impl Hear for Ear {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}

    fn audio(&mut self, _: SessionTime, user: UserId, pcm: &[i16]) {
        let now = Instant::now();
        let wrong = loudest(pcm, &self.voices.0).is_some_and(|speaker| speaker != user.get());
        self.heard.send_replace(());
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.wrong += u64::from(wrong);
        let (last, longest) = log.heard.entry(user.get()).or_insert((now, Duration::ZERO));
        *longest = (*longest).max(now - *last);
        *last = now;
    }

    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

struct Listener {
    stage: Arc<Stage>,
    log: Arc<Mutex<Log>>,
    ear: Ear,
    clock: SessionClock,
    call: Call,
    gateway: Option<SocketHandle>,
    udp: Option<VoiceSocket>,
    /// Totals of the calls before this one.
    before: Log,
    /// By when a move must have come.
    move_due: Option<SessionTime>,
}

impl Listener {
    fn new(stage: Arc<Stage>, log: Arc<Mutex<Log>>, ear: Ear) -> Self {
        let clock = SessionClock::start();
        let call = Call::new(settings(stage.admit(BOT)), clock.now());
        let before = Log::default();
        Self { stage, log, ear, clock, call, gateway: None, udp: None, before, move_due: None }
    }

    async fn run(mut self, mut moved: mpsc::UnboundedReceiver<VoiceInvite>) -> anyhow::Result<()> {
        let mut datagram = [0; MAX_UDP_BYTES];
        let mut alarm = Alarm::new(self.clock);
        loop {
            while let Some(output) = self.call.poll_output() {
                self.carry_out(output).await?;
            }
            self.publish();
            let due = [self.call.poll_timeout().map(|(at, _)| at), self.move_due];
            alarm.set(due.into_iter().flatten().min());
            tokio::select! {
                biased;
                bytes = receive(self.udp.as_ref(), &mut datagram) => {
                    // A closed port of a server that moved: the websocket tells the same.
                    let Ok(bytes) = bytes else { continue };
                    let now = self.clock.now();
                    self.call.handle_datagram(now, &mut datagram[..bytes], &mut self.ear);
                }
                message = next(self.gateway.as_mut()) => self.handle(message),
                invite = moved.recv() => {
                    self.call_anew(invite.context("nobody wants to listen any more")?);
                }
                () = alarm.rung() => {
                    let now = self.clock.now();
                    self.call.handle_timeout(now, &mut self.ear);
                    if self.move_due.is_some_and(|at| at <= now) {
                        self.rejoin();
                    }
                }
            }
        }
    }

    fn handle(&mut self, message: Option<SocketIn>) {
        let now = self.clock.now();
        match message {
            Some(SocketIn::Opened) => self.call.handle_gateway_opened(now),
            Some(SocketIn::Text(text)) => self.call.handle_gateway_text(now, &text),
            Some(SocketIn::Binary(bytes)) => {
                self.call.handle_gateway_binary(now, &bytes, &mut self.ear);
            }
            Some(SocketIn::Closed { code, .. }) => {
                self.gateway = None;
                self.call.handle_gateway_closed(now, code);
            }
            _ => {
                self.gateway = None;
                self.call.handle_gateway_closed(now, None);
            }
        }
    }

    /// A new session on the same server.
    fn rejoin(&mut self) {
        self.before.rejoins += 1;
        let invite = self.stage.admit(BOT);
        self.call_anew(invite);
    }

    fn call_anew(&mut self, invite: VoiceInvite) {
        self.publish();
        let rejoins = self.before.rejoins;
        let so_far = self.lock().clone();
        self.before = Log { rejoins, ..so_far };
        self.move_due = None;
        self.gateway = None;
        self.udp = None;
        self.call = Call::new(settings(invite), self.clock.now());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish(&self) {
        let stats = self.call.stats();
        let mut log = self.lock();
        let mut speakers = self.before.speakers.clone();
        for (user, packets) in &stats.speakers {
            let tally = speakers.entry(user.get()).or_default();
            *tally = tally.plus(Tally::of(packets));
        }
        log.speakers = speakers;
        log.rejoins = self.before.rejoins;
        log.resumes = self.before.resumes + stats.gateway.resumes;
        log.recoveries = self.before.recoveries + stats.gateway.recoveries;
    }

    async fn carry_out(&mut self, output: Output) -> anyhow::Result<()> {
        let message = match output {
            Output::Connect { url } => {
                self.gateway = Some(Socket::connect(SocketRequest {
                    url,
                    headers: Vec::new(),
                    tls: Some(Arc::clone(&self.stage.tls)),
                    connect_timeout: Duration::from_secs(10),
                    max_message_bytes: 1 << 20,
                }));
                return Ok(());
            }
            Output::OpenUdp { remote } => {
                self.udp = Some(VoiceSocket::connect(remote).await?);
                return Ok(());
            }
            Output::Datagram(bytes) => {
                if let Some(udp) = &self.udp {
                    udp.send(&bytes);
                }
                return Ok(());
            }
            Output::Event(event) => {
                self.heed(event);
                return Ok(());
            }
            Output::Text(text) => SocketOut::Text(text),
            Output::Binary(bytes) => SocketOut::Binary(bytes),
            Output::CloseGateway { code } => SocketOut::Close(code),
        };
        if let Some(gateway) = &self.gateway {
            // A socket that is gone says so by itself.
            let _ = gateway.outgoing.try_send(message);
        }
        Ok(())
    }

    fn heed(&mut self, event: CallEvent) {
        let CallEvent::Ended(reason) = event else { return };
        match reason.next() {
            Plan::WaitForMove => self.move_due = Some(self.clock.now() + MOVE_PATIENCE),
            Plan::Fatal => {}
            _ => self.rejoin(),
        }
    }
}

fn settings(invite: VoiceInvite) -> CallSettings {
    CallSettings {
        guild: GuildId::new(invite.guild_id),
        channel: ChannelId::new(invite.channel_id),
        user: UserId::new(invite.user_id),
        session_id: invite.session_id,
        token: SecretString::from(invite.token),
        endpoint: invite.endpoint,
        secure: true,
        dave: true,
        decryption_failure_tolerance: DECRYPTION_FAILURE_TOLERANCE,
        reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
        seed: 7,
        udp_fallback: None,
    }
}

async fn receive(udp: Option<&VoiceSocket>, datagram: &mut [u8]) -> std::io::Result<usize> {
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
