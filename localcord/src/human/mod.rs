//! Humans: users that join voice, speak WAV files at real-time pace and record what they hear.
//!
//! A plain Discord voice client of its own, on davey (MLS and frame encryption) and libopus,
//! that shares no code with `clawvoice-voice`, so that neither can hide the other's errors.
//! It speaks voice gateway version 8 over an unencrypted websocket, does not resume, and has no
//! jitter buffer: every packet is decrypted and decoded when it arrives.
//!
//! ```text
//! mod (handle) ── task (sockets, time) ── client (what to answer)
//!                                          ├── gateway    messages
//!                                          ├── dave       end-to-end encryption
//!                                          ├── media      RTP and transport encryption
//!                                          ├── speech     frames out, at their pace
//!                                          │   ├── coding how they are made
//!                                          │   └── echo   what a microphone hears of a loudspeaker
//!                                          └── recording  frames in, laid out in time
//! ```

mod client;
mod coding;
mod dave;
mod echo;
mod gateway;
mod media;
mod recording;
mod speech;
mod task;
pub mod wav;

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::{
    sync::{Mutex, mpsc, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{connect_async_with_config, tungstenite::protocol::CloseFrame};

use self::{
    client::Client,
    task::{Command, Shared, Shell, Speech},
};
pub use self::{
    coding::{FrameDuration, SpeechApplication, SpeechChannels, SpeechCoding, SpeechCodingError},
    echo::{EchoError, EchoSettings},
    media::TransportMode,
    recording::{FrameArrival, Heard, SenderStats, Talkspurt},
    speech::Spoken,
    wav::WavError,
};
use crate::voice::VoiceInvite;

/// How long the whole handshake may take.
const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a human could not do something.
#[derive(Debug, thiserror::Error)]
pub enum HumanError {
    /// The voice gateway could not be reached.
    #[error("cannot connect to the voice gateway: {0}")]
    Connect(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    /// The handshake took longer than ten seconds.
    #[error("the voice server did not complete the handshake within {} s", JOIN_TIMEOUT.as_secs())]
    Timeout,
    /// The connection is over.
    #[error("the voice connection has ended: {0}")]
    Ended(Ended),
    /// What was to be spoken is not a usable WAV.
    #[error(transparent)]
    Wav(#[from] WavError),
    /// No DAVE session could be set up.
    #[error("DAVE: {0}")]
    Dave(String),
    /// Speech cannot be coded as asked.
    #[error(transparent)]
    Coding(#[from] SpeechCodingError),
    /// There is no such echo.
    #[error(transparent)]
    Echo(#[from] EchoError),
    /// libopus refuses what should be possible.
    #[error("Opus: {0}")]
    Opus(#[from] opus2::Error),
}

/// How a voice connection ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// The websocket's close code; none if it broke without one.
    pub code: Option<u16>,
    /// In words.
    pub reason: String,
}

impl Ended {
    fn lost(reason: impl Into<String>) -> Self {
        Self { code: None, reason: reason.into() }
    }

    fn closed(frame: Option<CloseFrame>) -> Self {
        match frame {
            Some(frame) => {
                Self { code: Some(frame.code.into()), reason: frame.reason.as_str().to_owned() }
            }
            None => Self::lost("closed without a code"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "closed with {code} {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// How a human's client is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct HumanSettings {
    /// The transport encryption to ask for where the server offers it.
    pub transport_mode: TransportMode,
    /// How it speaks.
    pub speech: SpeechCoding,
    /// Whom it hears by a loudspeaker beside its microphone; none: by headphones.
    pub echo: Option<EchoSettings>,
}

/// What a human's client has counted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HumanStats {
    /// The transport encryption in use; none before the handshake is complete.
    pub transport_mode: Option<TransportMode>,
    /// DAVE version in force; 0 is no end-to-end encryption.
    pub dave_protocol_version: u16,
    /// Epochs taken part in: groups joined plus commits applied.
    pub epochs_seen: u32,
    /// The group's MLS epoch; none without a group.
    pub current_epoch: Option<u64>,
    /// The others in the epoch that is sent in.
    pub members: Vec<u64>,
    /// Whether audio can be sent: there is a key, or none is needed.
    pub can_send: bool,
    /// Times a commit or welcome was reported as unusable (opcode 31).
    pub recoveries: u32,
    /// DAVE messages that could not be used and needed no recovery.
    pub dave_messages_refused: u32,
    /// Frames sent, silence frames included.
    pub frames_sent: u64,
    /// Frames not sent for want of a key.
    pub frames_unsent: u64,
    /// Sum over all senders.
    pub undecryptable_before_ready: u64,
    /// Sum over all senders.
    pub undecryptable_after_ready: u64,
    /// Sum over all senders.
    pub decode_errors: u64,
    /// Packets whose transport tag did not match.
    pub transport_failures: u64,
    /// Datagrams that were no voice packets.
    pub packets_malformed: u64,
    /// Packets dropped because the gateway never said whose SSRC they bore.
    pub unknown_ssrc_dropped: u64,
    /// Gateway messages that could not be read.
    pub messages_malformed: u64,
    /// Per user heard.
    pub senders: BTreeMap<u64, SenderStats>,
}

/// What a human was about to say. Dropped, it is not said.
#[derive(Debug, Default)]
pub struct Unspoken(Vec<Speech>);

impl Unspoken {
    /// Whether there is nothing left to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A user in a voice channel. Dropping it leaves the channel, without waiting for that.
pub struct Human {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    activity: watch::Receiver<u64>,
    /// Held while speaking: one speech after the other.
    turn: Mutex<()>,
    task: JoinHandle<()>,
}

impl Human {
    /// Joins with default settings. Returns when SESSION DESCRIPTION has come and, in an
    /// end-to-end encrypted call, the key package is sent; see [`Self::shares_epoch_with`] for
    /// what comes after.
    ///
    /// # Errors
    /// If the server cannot be reached, refuses, or does not answer.
    pub async fn join(invite: VoiceInvite) -> Result<Human, HumanError> {
        Self::join_with(invite, HumanSettings::default()).await
    }

    /// Joins with the given settings.
    ///
    /// # Errors
    /// As [`Self::join`], and if the speech coding or the echo is out of range.
    pub async fn join_with(
        invite: VoiceInvite,
        settings: HumanSettings,
    ) -> Result<Human, HumanError> {
        timeout(JOIN_TIMEOUT, Self::connect(invite, settings))
            .await
            .map_err(|_| HumanError::Timeout)?
    }

    async fn connect(invite: VoiceInvite, settings: HumanSettings) -> Result<Human, HumanError> {
        settings.speech.check()?;
        settings.echo.as_ref().map_or(Ok(()), EchoSettings::check)?;
        let url = format!("ws://{}/?v=8", invite.endpoint);
        let (websocket, _) = connect_async_with_config(url, None, true).await.map_err(Box::new)?;
        let mut client = Client::new(invite, settings.transport_mode, settings.speech)
            .map_err(HumanError::Dave)?;
        client.set_echo(settings.echo);
        let shared = Arc::new(Shared::new(client));
        let (joined, has_joined) = oneshot::channel();
        let (activity, activity_seen) = watch::channel(0);
        let (commands, commands_taken) = mpsc::channel(4);
        let shell = Shell::new(Arc::clone(&shared), websocket, joined, activity);
        let task = tokio::spawn(shell.run(commands_taken));
        let human = Human { shared, commands, activity: activity_seen, turn: Mutex::new(()), task };
        match has_joined.await {
            Ok(()) => Ok(human),
            Err(_) => Err(human.end_error().await),
        }
    }

    /// Speaks a WAV file: mono or stereo, 16 bit, 8 to 48 kHz. Returns when it is spoken and the
    /// silence after it is sent. Announces itself first; waits for a speech under way.
    ///
    /// # Errors
    /// If the WAV is unusable, or the connection ends before the end of the speech.
    pub async fn speak(&self, wav: &[u8]) -> Result<Spoken, HumanError> {
        let wav = wav.to_vec();
        let pcm = tokio::task::spawn_blocking(move || wav::read_stereo_48k(&wav))
            .await
            .expect("reading a WAV does not panic")?;
        let _turn = self.turn.lock().await;
        let (done, spoken) = oneshot::channel();
        let speech = Speech { pcm, so_far: None, done };
        if self.commands.send(Command::Say(speech)).await.is_err() {
            return Err(self.end_error().await);
        }
        match spoken.await {
            Ok(spoken) => Ok(spoken),
            Err(_) => Err(self.end_error().await),
        }
    }

    /// Stops speaking and takes what has not been said away, for [`Self::speak_on`] of another
    /// connection; whoever waits in [`Self::speak`] goes on waiting. Nothing if the connection has
    /// ended.
    pub async fn take_unspoken(&self) -> Unspoken {
        let (taker, taken) = oneshot::channel();
        // An error of either means that it has ended.
        let _ = self.commands.send(Command::Yield(taker)).await;
        Unspoken(taken.await.unwrap_or_default())
    }

    /// Says what another connection had not said yet. Returns before it is said; the call of
    /// [`Self::speak`] that it was begun with returns then.
    pub async fn speak_on(&self, unspoken: Unspoken) {
        for speech in unspoken.0 {
            // The connection has ended: whoever waits is told so.
            let _ = self.commands.send(Command::Say(speech)).await;
        }
    }

    /// Codes speech like that from the next frame on, also in the middle of a speech.
    ///
    /// # Errors
    /// If Opus cannot do it, or FEC would not be in the packets; nothing has changed then.
    pub fn set_speech_coding(&self, coding: SpeechCoding) -> Result<(), HumanError> {
        coding.check()?;
        Ok(self.shared.client().set_coding(coding)?)
    }

    /// Sends what is heard of a user from now on back, as a microphone beside a loudspeaker does;
    /// none: no more.
    ///
    /// # Errors
    /// If it is out of range; nothing has changed then.
    pub fn set_echo(&self, echo: Option<EchoSettings>) -> Result<(), HumanError> {
        echo.as_ref().map_or(Ok(()), EchoSettings::check)?;
        self.shared.client().set_echo(echo);
        Ok(())
    }

    /// Everything heard of a user so far; empty if that is nothing.
    #[must_use]
    pub fn heard(&self, from: u64) -> Heard {
        self.shared.client().heard(from).cloned().unwrap_or_default()
    }

    /// What has been counted so far.
    #[must_use]
    pub fn stats(&self) -> HumanStats {
        self.shared.client().stats()
    }

    /// Waits until `ready` holds; it is asked again after everything that arrives. Bound the
    /// wait with a timeout.
    ///
    /// # Errors
    /// If the connection ends first.
    pub async fn wait_until(
        &self,
        mut ready: impl FnMut(&HumanStats) -> bool,
    ) -> Result<(), HumanError> {
        let mut activity = self.activity.clone();
        while !ready(&self.stats()) {
            if activity.changed().await.is_err() {
                return if ready(&self.stats()) { Ok(()) } else { Err(self.end_error().await) };
            }
        }
        Ok(())
    }

    /// Waits until this human and all of these users are in one DAVE epoch and this human has
    /// switched to it: from then on it hears and is heard. At once in a call without end-to-end
    /// encryption. Bound the wait with a timeout.
    ///
    /// # Errors
    /// If the connection ends first.
    pub async fn shares_epoch_with(&self, users: &[u64]) -> Result<(), HumanError> {
        self.wait_until(|stats| {
            stats.dave_protocol_version == 0
                || users.iter().all(|user| stats.members.contains(user))
        })
        .await
    }

    /// Waits until nothing has been heard of a user for `pause`, having heard something at all
    /// since `since`. Bound the wait with a timeout.
    ///
    /// # Errors
    /// If the connection ends first.
    pub async fn hears_end_of(
        &self,
        from: u64,
        since: Instant,
        pause: Duration,
    ) -> Result<(), HumanError> {
        let mut activity = self.activity.clone();
        loop {
            let last = self.last_speech_of(from).filter(|at| *at >= since);
            let quiet_at = last.map(|at| at + pause);
            if quiet_at.is_some_and(|at| at <= Instant::now()) {
                return Ok(());
            }
            let changed = match quiet_at {
                Some(at) => match tokio::time::timeout_at(at.into(), activity.changed()).await {
                    Ok(changed) => changed,
                    Err(_) => continue,
                },
                None => activity.changed().await,
            };
            if changed.is_err() {
                return Err(self.end_error().await);
            }
        }
    }

    fn last_speech_of(&self, from: u64) -> Option<Instant> {
        self.shared.client().heard(from)?.talkspurts.last().map(|talkspurt| talkspurt.ended_at)
    }

    /// How the connection ended; none while it lasts. Recordings and counters stay.
    #[must_use]
    pub fn ended(&self) -> Option<Ended> {
        self.shared.ended.get().cloned()
    }

    /// Waits for the end of the connection.
    pub async fn wait_ended(&self) -> Ended {
        let mut activity = self.activity.clone();
        while activity.changed().await.is_ok() {}
        self.ended().unwrap_or_else(|| Ended::lost("the human's task is gone"))
    }

    async fn end_error(&self) -> HumanError {
        HumanError::Ended(self.wait_ended().await)
    }

    /// Leaves: closes the websocket with 1000 and waits for the server to agree.
    pub async fn leave(self) {
        // An error means that it has ended already.
        let _ = self.commands.send(Command::Leave).await;
        let _ = self.task.await;
    }
}

impl fmt::Debug for Human {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user_id = self.shared.client().user_id();
        f.debug_struct("Human").field("user_id", &user_id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{SinkExt, StreamExt};
    use serde_json::{Value, json};
    use std::net::Ipv4Addr;
    use tokio::net::{TcpListener, TcpStream, UdpSocket};
    use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

    /// The smallest voice server that a human can join, without end-to-end encryption.
    struct Server {
        websocket: WebSocketStream<TcpStream>,
        udp: UdpSocket,
    }

    impl Server {
        /// Listens, and has a human join.
        async fn joined() -> (Self, Human) {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let invite = VoiceInvite {
                guild_id: 10,
                channel_id: 100,
                user_id: 1,
                session_id: "session".to_owned(),
                token: "token".to_owned(),
                endpoint: tcp.local_addr().unwrap().to_string(),
            };
            let (server, human) = tokio::join!(Self::shake_hands(tcp), Human::join(invite));
            (server, human.unwrap())
        }

        async fn shake_hands(tcp: TcpListener) -> Self {
            let (stream, _) = tcp.accept().await.unwrap();
            let websocket = accept_async(stream).await.unwrap();
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let mut server = Self { websocket, udp };
            server.send(json!({ "op": 8, "d": { "heartbeat_interval": 30_000, "v": 8 } })).await;
            assert_eq!(server.next_text().await["op"], 0);
            let port = server.udp.local_addr().unwrap().port();
            let mode = TransportMode::XChaCha20Poly1305.name();
            let ready = json!({ "ssrc": 7, "ip": "127.0.0.1", "port": port, "modes": [mode] });
            server.send(json!({ "op": 2, "d": ready })).await;
            let mut question = [0; 74];
            let (_, from) = server.udp.recv_from(&mut question).await.unwrap();
            let mut answer = vec![0, 2, 0, 70, 0, 0, 0, 7];
            answer.extend_from_slice(from.ip().to_string().as_bytes());
            answer.resize(72, 0);
            answer.extend_from_slice(&from.port().to_be_bytes());
            server.udp.send_to(&answer, from).await.unwrap();
            let selected = server.next_text().await;
            assert_eq!(selected["d"]["data"]["port"], from.port());
            let key = vec![0; 32];
            let description =
                json!({ "mode": mode, "secret_key": key, "dave_protocol_version": 0 });
            server.send(json!({ "op": 4, "d": description })).await;
            server
        }

        async fn send(&mut self, message: Value) {
            self.websocket.send(Message::text(message.to_string())).await.unwrap();
        }

        async fn next_text(&mut self) -> Value {
            let message = self.websocket.next().await.unwrap().unwrap();
            serde_json::from_str(message.to_text().unwrap()).unwrap()
        }
    }

    fn wav() -> Vec<u8> {
        wav::write_mono(&vec![5000; 48_000], 48_000).unwrap()
    }

    #[tokio::test]
    async fn speech_reaches_the_server_announced_and_at_its_pace() {
        let (mut server, human) = Server::joined().await;
        let wav = wav::write_mono(&[5000; 9600], 48_000).unwrap();
        let listen = async {
            let announcement = server.next_text().await;
            let mut datagram = [0; 2048];
            for _ in 0..15 {
                let length = server.udp.recv(&mut datagram).await.unwrap();
                assert_eq!((datagram[0], datagram[1]), (0x90, 0x78));
                assert!(length > 40);
            }
            (announcement, server.next_text().await)
        };
        let began = Instant::now();
        let (spoken, (announcement, end)) = tokio::join!(human.speak(&wav), listen);
        let spoken = spoken.unwrap();
        assert_eq!((spoken.frames, spoken.frames_unsent), (10, 0));
        // Frames may be late, never early.
        assert!(spoken.finished_at >= began + Duration::from_millis(200));
        assert_eq!(announcement["d"]["speaking"], 1);
        assert_eq!(end["d"]["speaking"], 0);
    }

    #[tokio::test]
    async fn a_close_while_speaking_is_told_to_everybody() {
        let (mut server, human) = Server::joined().await;
        let wav = wav();
        let (spoken, ()) = tokio::join!(human.speak(&wav), async {
            server.next_text().await;
            let frame = CloseFrame { code: 4015.into(), reason: "crashed".into() };
            server.websocket.send(Message::Close(Some(frame))).await.unwrap();
        });
        let expected = Ended { code: Some(4015), reason: "crashed".to_owned() };
        assert!(matches!(spoken, Err(HumanError::Ended(ended)) if ended == expected));
        assert_eq!(human.wait_ended().await, expected);
        let waited = human.wait_until(|_| false).await;
        assert!(matches!(waited, Err(HumanError::Ended(ended)) if ended == expected));
        human.leave().await;
    }

    #[tokio::test]
    async fn a_vanished_server_is_an_end_without_a_code() {
        let (server, human) = Server::joined().await;
        drop(server);
        assert_eq!(human.wait_ended().await.code, None);
    }

    #[tokio::test]
    async fn leaving_closes_with_1000() {
        let (mut server, human) = Server::joined().await;
        let (closed, ()) = tokio::join!(
            async {
                loop {
                    if let Some(Ok(Message::Close(frame))) = server.websocket.next().await {
                        // The next read sends the answer.
                        let _ = server.websocket.next().await;
                        return frame;
                    }
                }
            },
            human.leave()
        );
        assert_eq!(closed.map(|frame| u16::from(frame.code)), Some(1000));
    }
}
