//! The local realtime provider on a loopback websocket: sockets, files and time around
//! [`LocalSession`]. One task a connection; no rule of the protocol is here.

#![expect(
    clippy::disallowed_methods,
    reason = "this file is the rim: it owns the tasks, the clock and the randomness of the provider"
)]

mod recorder;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clawvoice_session::SessionTime;
use futures_util::{SinkExt, StreamExt};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode, header},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tracing::{debug, warn};

use self::recorder::{Recorder, RecorderHandle};
use crate::realtime::local::{Behaviour, LocalSession, Output, Script, Settings, read_wav};

/// Path of the websocket, as at OpenAI.
const PATH: &str = "/v1/realtime";

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
#[derive(Clone, Debug, PartialEq)]
pub struct LocalProviderSettings {
    /// What it answers. Default parrot.
    pub behaviour: LocalBehaviour,
    /// Audio is sent this many times faster than it plays. Default 4.
    pub speed: f64,
    /// Where both directions of every connection are written: `provider-NNN-heard.wav`,
    /// `provider-NNN-sent.wav` (24 kHz mono) and `provider.jsonl`. Existing ones are replaced.
    /// Default: nothing is written.
    pub record_dir: Option<PathBuf>,
}

impl Default for LocalProviderSettings {
    fn default() -> Self {
        Self { behaviour: LocalBehaviour::Parrot, speed: 4.0, record_dir: None }
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
        let LocalProviderSettings { behaviour, speed, record_dir } = settings;
        let load = move || -> io::Result<(Behaviour, Option<Recorder>)> {
            Ok((
                load_behaviour(&behaviour)?,
                record_dir.map(|dir| Recorder::start(&dir)).transpose()?,
            ))
        };
        let (behaviour, recorder) =
            tokio::task::spawn_blocking(load).await.map_err(io::Error::other)??;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("ws://{}{PATH}", listener.local_addr()?);
        let api_key = random_key();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            behaviour,
            speed,
            api_key: api_key.clone(),
            recorder: recorder.as_ref().map(Recorder::handle),
            began: Instant::now(),
        });
        let task = tokio::spawn(accept(listener, shared, recorder, stopped));
        Ok(Self { url, api_key, stop, task: Some(task) })
    }

    /// `ws://127.0.0.1:PORT/v1/realtime`; a client adds `?model=…`.
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

#[expect(clippy::result_large_err, reason = "the websocket library fixes the error's type")]
async fn serve(
    stream: TcpStream,
    shared: Arc<Shared>,
    number: u64,
    stopped: watch::Receiver<bool>,
) {
    // Deltas are small and timed; gathering them would only make them late.
    let _ = stream.set_nodelay(true);
    let mut model = None;
    let upgrade = accept_hdr_async_with_config(
        stream,
        |request: &Request, response: Response| {
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
    let socket = match timeout(HANDSHAKE_TIMEOUT, upgrade).await {
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
        record: shared.recorder.is_some(),
        id_seed: rand::random(),
        epoch_seconds: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()),
        expires_after: SESSION_LENGTH,
    };
    let session = LocalSession::new(settings, shared.now());
    let mut connection = Connection { socket, session, shared, number };
    if let Err(error) = connection.run(stopped).await {
        debug!(number, %error, "local provider connection ended");
    }
    if let Some(recorder) = &connection.shared.recorder {
        recorder.closed(number);
    }
}

struct Connection {
    socket: WebSocketStream<TcpStream>,
    session: LocalSession,
    shared: Arc<Shared>,
    number: u64,
}

impl Connection {
    async fn run(&mut self, mut stopped: watch::Receiver<bool>) -> Result<(), Error> {
        loop {
            if let Some(code) = self.drain().await? {
                return self.close(code).await;
            }
            let wake = self
                .session
                .poll_timeout()
                .map(|(at, _)| self.shared.began + Duration::from_micros(at.as_micros()));
            tokio::select! {
                _ = stopped.changed() => return self.close(1_001).await,
                message = self.socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        self.session.handle_text(self.shared.now(), &text);
                    }
                    Some(Ok(Message::Binary(_))) => self.session.handle_binary(self.shared.now()),
                    // Pings are answered, and closes completed, by the socket itself.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                    None => return Ok(()),
                },
                () = sleep_until(wake.unwrap_or(self.shared.began)), if wake.is_some() => {
                    self.session.handle_timeout(self.shared.now());
                }
            }
        }
    }

    /// Sends what the session has; gives the code if it wants to close.
    async fn drain(&mut self) -> Result<Option<u16>, Error> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Text(text) => self.socket.feed(Message::text(text)).await?,
                Output::Close { code } => {
                    self.socket.flush().await?;
                    return Ok(Some(code));
                }
                Output::Note(note) => {
                    if let Some(recorder) = &self.shared.recorder {
                        recorder.note(self.number, note);
                    }
                }
            }
        }
        self.socket.flush().await?;
        Ok(None)
    }

    async fn close(&mut self, code: u16) -> Result<(), Error> {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.close(Some(frame)).await?;
        let rest = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let _ = timeout(CLOSE_TIMEOUT, rest).await;
        Ok(())
    }
}

/// Checks path, model and key of an upgrade request; gives the model.
#[expect(clippy::result_large_err, reason = "the websocket library fixes the error's type")]
fn admit(
    request: &Request,
    mut response: Response,
    api_key: &SecretString,
) -> Result<(Response, String), ErrorResponse> {
    if request.uri().path() != PATH {
        return Err(refuse(StatusCode::NOT_FOUND, "invalid_url", "Not found: use /v1/realtime."));
    }
    let text =
        |name| request.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let protocols: Vec<&str> =
        text(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or("").split(',').map(str::trim).collect();
    let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let given = bearer.or_else(|| {
        protocols.iter().find_map(|name| name.strip_prefix("openai-insecure-api-key."))
    });
    if given.map(str::trim) != Some(api_key.expose_secret()) {
        let message = "Incorrect API key provided.";
        return Err(refuse(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    }
    let model = request
        .uri()
        .query()
        .unwrap_or("")
        .split('&')
        .find_map(|pair| pair.strip_prefix("model="))
        .filter(|model| !model.is_empty());
    let Some(model) = model else {
        let message = "You must provide a model parameter.";
        return Err(refuse(StatusCode::BAD_REQUEST, "missing_model", message));
    };
    if protocols.contains(&"realtime") {
        let headers = response.headers_mut();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("realtime"));
    }
    Ok((response, model.to_owned()))
}

fn refuse(status: StatusCode, code: &str, message: &str) -> ErrorResponse {
    let body = serde_json::json!({
        "error": { "type": "invalid_request_error", "code": code, "message": message, "param": null },
    });
    let mut response = ErrorResponse::new(Some(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests;
