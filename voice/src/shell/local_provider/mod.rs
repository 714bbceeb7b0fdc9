//! The local realtime provider on a loopback websocket: sockets, files and time around
//! [`LocalSession`]. One task a connection; no rule of the protocol is here.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the rim: it owns the tasks, the clock and the randomness of the provider"
)]

mod admission;
mod connection;
mod recorder;
mod voice;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clawvoice_session::SessionTime;
use rand::RngCore;
use rustls::ServerConfig;
use secrecy::SecretString;
use serde_json::json;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        handshake::server::{Request, Response},
        protocol::WebSocketConfig,
    },
};
use tracing::{debug, warn};

use self::{
    admission::{PATH, admit, scripted_refusal},
    connection::Connection,
    recorder::{Recorder, RecorderHandle},
};
use crate::realtime::local::{Behaviour, LocalSession, Note, Script, Settings, Voice, read_wav};

/// Longest message taken: an append of 15 MiB in base64, with room for the JSON around it.
const MAX_MESSAGE: usize = 21 * 1_024 * 1_024;

/// Most connections at a time; further ones are closed unheard.
const MAX_CONNECTIONS: usize = 64;

/// Longest wait for the upgrade request, and for the peer's half of a close.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a session may last, as at OpenAI.
const SESSION_LENGTH: Duration = Duration::from_secs(60 * 60);

/// What the provider answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum LocalBehaviour {
    /// What it heard.
    #[default]
    Parrot,
    /// The turns of this JSON5 file; see `realtime::local` for its form. WAV paths in it start
    /// at its folder.
    Script(PathBuf),
}

/// What a local provider is started with.
#[derive(Clone, Debug)]
pub struct LocalProviderSettings {
    /// What it answers. Default parrot.
    pub behaviour: LocalBehaviour,
    /// Audio is sent this many times faster than it plays. Default 4.
    pub speed: f64,
    /// Where both directions of every connection are written: `provider-NNN-heard.wav`,
    /// `provider-NNN-sent.wav` (24 kHz mono) and `provider.jsonl`. Existing ones are replaced.
    /// Default: nothing is written.
    pub record_dir: Option<PathBuf>,
    /// How long a session may last. Default 60 minutes, as at OpenAI.
    pub session_length: Duration,
    /// Certificate and key to serve TLS with, for clients that take `wss://` only. Default: none,
    /// plain `ws://`.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Default for LocalProviderSettings {
    fn default() -> Self {
        Self {
            behaviour: LocalBehaviour::Parrot,
            speed: 4.0,
            record_dir: None,
            session_length: SESSION_LENGTH,
            tls: None,
        }
    }
}

/// A running local provider. Dropping it ends every connection at once; [`shutdown`] closes them
/// with 1001 and finishes the recording.
///
/// [`shutdown`]: Self::shutdown
#[derive(Debug)]
pub struct LocalProvider {
    url: String,
    api_key: SecretString,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl LocalProvider {
    /// Loads the script, opens the recording and listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If a file of the script is missing or wrong (its name is in the message), the recording's
    /// folder cannot be made, or no port is free.
    pub async fn start(settings: LocalProviderSettings) -> io::Result<Self> {
        let LocalProviderSettings { behaviour, speed, record_dir, session_length, tls } = settings;
        let load = move || -> io::Result<(Behaviour, Option<Recorder>)> {
            Ok((
                load_behaviour(&behaviour)?,
                record_dir.map(|dir| Recorder::start(&dir)).transpose()?,
            ))
        };
        let (behaviour, recorder) =
            tokio::task::spawn_blocking(load).await.map_err(io::Error::other)??;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{}{PATH}", listener.local_addr()?);
        let voice = if voice::is_installed().await { Voice::Owner } else { Voice::Tones };
        let api_key = random_key();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            behaviour,
            speed,
            voice,
            session_length,
            tls: tls.map(TlsAcceptor::from),
            api_key: api_key.clone(),
            recorder: recorder.as_ref().map(Recorder::handle),
            began: Instant::now(),
        });
        let task = tokio::spawn(accept(listener, shared, recorder, stopped));
        Ok(Self { url, api_key, stop, task: Some(task) })
    }

    /// `ws://127.0.0.1:PORT/v1/realtime`, or `wss://` with TLS; a client adds `?model=…`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The bearer token it takes, made anew at every start.
    #[must_use]
    pub fn api_key(&self) -> &SecretString {
        &self.api_key
    }

    /// Closes every connection with 1001 (going away) and finishes the recording. Takes about a
    /// second at most.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            warn!(%error, "local provider ended badly");
        }
    }
}

impl Drop for LocalProvider {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What all connections share.
struct Shared {
    behaviour: Behaviour,
    speed: f64,
    voice: Voice,
    session_length: Duration,
    tls: Option<TlsAcceptor>,
    api_key: SecretString,
    recorder: Option<RecorderHandle>,
    began: Instant,
}

impl Shared {
    fn now(&self) -> SessionTime {
        SessionTime::ZERO + self.began.elapsed()
    }
}

fn load_behaviour(behaviour: &LocalBehaviour) -> io::Result<Behaviour> {
    let LocalBehaviour::Script(path) = behaviour else { return Ok(Behaviour::Parrot) };
    let invalid = |problem: String| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {problem}", path.display()))
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let audio = |name: &str| {
        let file = std::fs::File::open(folder.join(name)).map_err(|error| error.to_string())?;
        read_wav(io::BufReader::new(file)).map_err(|error| error.to_string())
    };
    let script = Script::parse(&text, audio).map_err(|error| invalid(error.to_string()))?;
    Ok(Behaviour::Script(Arc::new(script)))
}

fn random_key() -> SecretString {
    let mut bytes = [0; 24];
    rand::rng().fill_bytes(&mut bytes);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    SecretString::from(format!("local-{hex}"))
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    recorder: Option<Recorder>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if connections.len() < MAX_CONNECTIONS => {
                    connections.spawn(serve(stream, Arc::clone(&shared), number, stopped.clone()));
                    number += 1;
                }
                Ok(_) => warn!(MAX_CONNECTIONS, "local provider refused a connection: too many"),
                Err(error) => {
                    // Out of file handles, mostly: wait for some to be closed.
                    warn!(%error, "local provider cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    let goodbye = async { while connections.join_next().await.is_some() {} };
    if timeout(2 * CLOSE_TIMEOUT, goodbye).await.is_err() {
        connections.shutdown().await;
    }
    drop(shared);
    if let Some(recorder) = recorder {
        recorder.finish().await;
    }
}

async fn serve(
    stream: TcpStream,
    shared: Arc<Shared>,
    number: u64,
    stopped: watch::Receiver<bool>,
) {
    // Deltas are small and timed; gathering them would only make them late.
    let _ = stream.set_nodelay(true);
    let Some(tls) = &shared.tls else { return upgrade(stream, shared, number, stopped).await };
    match timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => upgrade(stream, shared, number, stopped).await,
        Ok(Err(error)) => debug!(number, %error, "local provider saw a broken TLS handshake"),
        Err(_) => debug!(number, "local provider saw no TLS handshake in time"),
    }
}

#[expect(clippy::result_large_err, reason = "the websocket library fixes the error's type")]
async fn upgrade<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    shared: Arc<Shared>,
    number: u64,
    stopped: watch::Receiver<bool>,
) {
    let refusal = match &shared.behaviour {
        Behaviour::Script(script) => script.refusal(number),
        Behaviour::Parrot => None,
    };
    let mut model = None;
    let upgrade = accept_hdr_async_with_config(
        stream,
        |request: &Request, response: Response| {
            if let Some((status, retry_after)) = refusal {
                return Err(scripted_refusal(status, retry_after));
            }
            let (response, named) = admit(request, response, &shared.api_key)?;
            model = Some(named);
            Ok(response)
        },
        Some(
            WebSocketConfig::default()
                .max_message_size(Some(MAX_MESSAGE))
                .max_frame_size(Some(MAX_MESSAGE)),
        ),
    );
    let upgraded = timeout(HANDSHAKE_TIMEOUT, upgrade).await;
    if let (Some((status, _)), Some(recorder)) = (refusal, &shared.recorder) {
        let serde_json::Value::Object(fields) = json!({ "status": status }) else { return };
        recorder.note(number, Note::Event { at: shared.now(), name: "refused", fields });
        recorder.closed(number);
    }
    let socket = match upgraded {
        Ok(Ok(socket)) => socket,
        Ok(Err(error)) => {
            debug!(number, %error, "local provider refused a connection");
            return;
        }
        Err(_) => {
            debug!(number, "local provider saw no upgrade request in time");
            return;
        }
    };
    let behaviour = match &shared.behaviour {
        Behaviour::Script(script) => Behaviour::Script(Arc::new(script.of_connection(number))),
        Behaviour::Parrot => Behaviour::Parrot,
    };
    let settings = Settings {
        behaviour,
        model: model.unwrap_or_default(),
        speed: shared.speed,
        voice: shared.voice,
        record: shared.recorder.is_some(),
        id_seed: rand::random(),
        epoch_seconds: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        expires_after: shared.session_length,
    };
    let session = LocalSession::new(settings, shared.now());
    let mut connection = Connection::new(socket, session, Arc::clone(&shared), number);
    if let Err(error) = connection.run(stopped).await {
        debug!(number, %error, "local provider connection ended");
    }
    if let Some(recorder) = &shared.recorder {
        recorder.closed(number);
    }
}

#[cfg(test)]
mod tests;
