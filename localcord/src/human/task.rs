//! The shell: moves messages, datagrams and time between the sockets and the [`Client`].

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::{mpsc, oneshot, watch},
    time::{sleep_until, timeout},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use super::{
    Ended,
    client::{Client, Output},
    speech::{Spoken, Unsaid},
};

pub(crate) type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Largest datagram there is room for, bytes; voice packets stay below 1500.
const MAX_DATAGRAM: usize = 2048;

/// How long the server may take to read a message or to answer a close.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the owner of a human wants.
pub(crate) enum Command {
    /// Say something.
    Say(Speech),
    /// Stop speaking, and hand out what is left.
    Yield(oneshot::Sender<Vec<Speech>>),
    /// Close the connection.
    Leave,
}

/// Something to say, and who waits for its end.
#[derive(Debug)]
pub(crate) struct Speech {
    /// Interleaved 48 kHz stereo.
    pub(crate) pcm: Vec<i16>,
    /// What another connection has said of it.
    pub(crate) so_far: Option<Spoken>,
    pub(crate) done: oneshot::Sender<Spoken>,
}

/// What the task and its owner both see.
pub(crate) struct Shared {
    client: Mutex<Client>,
    pub(crate) ended: OnceLock<Ended>,
}

impl Shared {
    pub(crate) fn new(client: Client) -> Self {
        Self { client: Mutex::new(client), ended: OnceLock::new() }
    }

    pub(crate) fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sockets and whoever waits for something.
pub(crate) struct Shell {
    shared: Arc<Shared>,
    websocket: WebSocket,
    udp: Option<UdpSocket>,
    joined: Option<oneshot::Sender<()>>,
    speeches: HashMap<u64, oneshot::Sender<Spoken>>,
    next_speech: u64,
    /// Bumped after everything that arrived.
    activity: watch::Sender<u64>,
}

impl Shell {
    pub(crate) fn new(
        shared: Arc<Shared>,
        websocket: WebSocket,
        joined: oneshot::Sender<()>,
        activity: watch::Sender<u64>,
    ) -> Self {
        Self {
            shared,
            websocket,
            udp: None,
            joined: Some(joined),
            speeches: HashMap::new(),
            next_speech: 0,
            activity,
        }
    }

    /// Runs until the connection ends, then says how it did.
    pub(crate) async fn run(mut self, commands: mpsc::Receiver<Command>) {
        let ended = match self.serve(commands).await {
            Ok(ended) | Err(ended) => ended,
        };
        tracing::debug!(user = self.shared.client().user_id(), %ended, "human left voice");
        // Nobody else sets it.
        let _ = self.shared.ended.set(ended);
    }

    async fn serve(&mut self, mut commands: mpsc::Receiver<Command>) -> Result<Ended, Ended> {
        let mut datagram = [0; MAX_DATAGRAM];
        loop {
            self.do_outputs().await?;
            self.activity.send_modify(|count| *count += 1);
            let due = self.shared.client().poll_timeout();
            tokio::select! {
                message = self.websocket.next() => match message {
                    Some(Ok(message)) => self.handle_message(message)?,
                    Some(Err(error)) => return Err(Ended::lost(error.to_string())),
                    None => return Err(Ended::lost("the server hung up")),
                },
                received = receive(self.udp.as_ref(), &mut datagram) => {
                    // An error here is an ICMP message about an earlier datagram.
                    if let Ok(length) = received {
                        let bytes = datagram.get(..length).unwrap_or_default();
                        self.shared.client().handle_datagram(Instant::now(), bytes);
                    }
                }
                () = until(due) => self.shared.client().handle_timeout(Instant::now()),
                command = commands.recv() => match command {
                    Some(Command::Say(speech)) => self.say(speech),
                    Some(Command::Yield(taker)) => {
                        // Nobody left to take it: then nobody waits for its end either.
                        let _ = taker.send(self.take_unsaid());
                    }
                    Some(Command::Leave) | None => return Ok(self.leave().await),
                },
            }
        }
    }

    fn handle_message(&mut self, message: Message) -> Result<(), Ended> {
        let now = Instant::now();
        match message {
            Message::Text(text) => self.shared.client().handle_text(now, &text),
            Message::Binary(bytes) => self.shared.client().handle_binary(now, &bytes),
            Message::Close(frame) => return Err(Ended::closed(frame)),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
        Ok(())
    }

    fn say(&mut self, Speech { pcm, so_far, done }: Speech) {
        self.next_speech += 1;
        let id = self.next_speech;
        self.speeches.insert(id, done);
        self.shared.client().handle_say(Instant::now(), Unsaid { id, pcm, so_far });
    }

    fn take_unsaid(&mut self) -> Vec<Speech> {
        let unsaid = self.shared.client().take_unsaid();
        unsaid
            .into_iter()
            .filter_map(|Unsaid { id, pcm, so_far }| {
                let done = self.speeches.remove(&id)?;
                Some(Speech { pcm, so_far, done })
            })
            .collect()
    }

    async fn do_outputs(&mut self) -> Result<(), Ended> {
        loop {
            let Some(output) = self.shared.client().poll_output() else { return Ok(()) };
            match output {
                Output::Text(text) => self.send(Message::text(text)).await?,
                Output::Binary(bytes) => self.send(Message::binary(bytes)).await?,
                Output::ConnectUdp(server) => {
                    let socket = connect_udp(server).await;
                    self.udp = Some(socket.map_err(|error| Ended::lost(error.to_string()))?);
                }
                Output::Datagram(datagram) => {
                    if let Some(udp) = &self.udp {
                        // As with any datagram: it may be lost.
                        let _ = udp.send(&datagram).await;
                    }
                }
                Output::Joined => {
                    if let Some(joined) = self.joined.take() {
                        let _ = joined.send(());
                    }
                }
                Output::Spoken { id, spoken } => {
                    if let Some(done) = self.speeches.remove(&id) {
                        let _ = done.send(spoken);
                    }
                }
                Output::Failed(problem) => return Err(Ended::lost(problem)),
            }
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        match timeout(PATIENCE, self.websocket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            // The server's close frame, which says why, may still be waiting to be read.
            Ok(Err(error)) => match timeout(PATIENCE, self.websocket.next()).await {
                Ok(Some(Ok(Message::Close(frame)))) => Err(Ended::closed(frame)),
                _ => Err(Ended::lost(error.to_string())),
            },
            Err(_) => Err(Ended::lost("the server stopped reading")),
        }
    }

    async fn leave(&mut self) -> Ended {
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let close = async {
            self.websocket.close(Some(frame)).await?;
            while let Some(message) = self.websocket.next().await {
                if matches!(message?, Message::Close(_)) {
                    break;
                }
            }
            Ok::<_, tokio_tungstenite::tungstenite::Error>(())
        };
        // Gone either way.
        let _ = timeout(PATIENCE, close).await;
        Ended { code: Some(1000), reason: "left".to_owned() }
    }
}

async fn receive(udp: Option<&UdpSocket>, datagram: &mut [u8]) -> std::io::Result<usize> {
    match udp {
        Some(udp) => udp.recv(datagram).await,
        None => std::future::pending().await,
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

async fn connect_udp(server: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr =
        if server.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket)
}
