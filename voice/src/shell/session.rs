//! The task of one voice session: selects one input, hands it to the [`VoiceSession`], carries out
//! what it asks for. Owns the sockets, decides nothing.

#![allow(clippy::disallowed_methods, reason = "the shell is where tasks and randomness are")]

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use clawvoice_session::{Generation, SessionTime};
use futures_util::future::join_all;
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{
    clock::SessionClock,
    socket::{Socket, SocketHandle, SocketIn, SocketOut, SocketRequest},
    udp::VoiceSocket,
};
use crate::{
    call::{CallSettings, Plan},
    conversation::{ConversationSettings, Lane},
    presence::link::{
        EndPlan, SessionCommand, SessionEvent, SessionHandle, SessionRequest, SessionStarter,
    },
    realtime::openai::{Closed, MAX_EVENT_BYTES},
    session::{GatewayEvent, Output, ProviderEvent, VoiceSession},
};

/// Commands that may wait for a session.
const COMMANDS: usize = 64;

/// Events that may wait to be read; a session that talks faster drops timeline records first.
const EVENTS: usize = 1_024;

/// How long the end of a session waits for its sockets to close.
const CLOSE_WAIT: Duration = Duration::from_millis(700);

/// The largest voice gateway message: a Welcome for a full channel fits many times.
const MAX_GATEWAY_BYTES: usize = 4 * 1024 * 1024;

/// The largest datagram the network can bring.
const MAX_UDP_BYTES: usize = 2_048;

/// Where the realtime provider is.
#[derive(Clone, Debug, Default)]
pub struct ProviderEndpoint {
    /// `wss://…` or `ws://…`, with the model in the query if the provider wants it there.
    pub url: String,
    /// Headers of the upgrade, credentials among them.
    pub headers: Vec<(String, SecretString)>,
}

/// What every session of this process has in common.
pub struct SessionTemplate {
    /// `wss` (Discord) or `ws` (a server on this machine) to the voice gateway.
    pub secure: bool,
    /// Offer end-to-end encryption.
    pub dave: bool,
    /// TLS towards the voice gateway; `None` trusts the public web's authorities.
    pub tls: Option<Arc<ClientConfig>>,
    /// For opening a websocket.
    pub connect_timeout: Duration,
    /// The realtime provider.
    pub provider: ProviderEndpoint,
    /// The conversation's settings, for the place and bot user of a session.
    pub conversation: Box<dyn Fn(&SessionRequest) -> ConversationSettings + Send + Sync>,
}

/// Starts sessions from one template, on one clock.
pub struct Sessions {
    template: Arc<SessionTemplate>,
    clock: SessionClock,
}

impl Sessions {
    /// `clock` is the process's: all timeline records are in its time.
    #[must_use]
    pub fn new(template: SessionTemplate, clock: SessionClock) -> Self {
        Self { template: Arc::new(template), clock }
    }
}

impl SessionStarter for Sessions {
    fn start(&self, request: SessionRequest) -> SessionHandle {
        let (commands, from_owner) = mpsc::channel(COMMANDS);
        let (to_owner, events) = mpsc::channel(EVENTS);
        let now = self.clock.now();
        let connection = CallSettings {
            guild: request.guild,
            channel: request.channel,
            user: request.user,
            session_id: request.session_id.clone(),
            token: request.token.clone(),
            endpoint: request.endpoint.clone(),
            secure: self.template.secure,
            dave: self.template.dave,
            seed: rand::random(),
            udp_fallback: None,
        };
        let conversation = (self.template.conversation)(&request);
        let mut session = VoiceSession::new(connection, conversation, now);
        for (user, label, bot) in request.names {
            session.handle_name(user, label, bot);
        }
        let task = Task {
            template: self.template.clone(),
            clock: self.clock,
            session,
            gateway: None,
            udp: None,
            lanes: Vec::new(),
            closing: Vec::new(),
            to_owner,
            records_dropped: 0,
        };
        tokio::spawn(task.run(from_owner));
        SessionHandle { commands, events }
    }
}

struct Task {
    template: Arc<SessionTemplate>,
    clock: SessionClock,
    session: VoiceSession,
    gateway: Option<(Generation, SocketHandle)>,
    udp: Option<(Generation, VoiceSocket)>,
    lanes: Vec<(Lane, SocketHandle)>,
    closing: Vec<SocketHandle>,
    to_owner: mpsc::Sender<SessionEvent>,
    records_dropped: u64,
}

/// One thing that happened.
enum Input {
    Command(Option<SessionCommand>),
    Gateway(Generation, SocketIn),
    Provider(Lane, SocketIn),
    Datagram(Generation, usize),
    Timeout,
}

impl Task {
    async fn run(mut self, mut from_owner: mpsc::Receiver<SessionCommand>) {
        let mut datagram = Box::new([0; MAX_UDP_BYTES]);
        let mut over = self.drain().await;
        while !over {
            let input = self.next_input(&mut from_owner, &mut *datagram).await;
            let now = self.clock.now();
            match input {
                Input::Command(Some(SessionCommand::ServerChanged { endpoint, token })) => {
                    self.session.handle_server_changed(now, endpoint, token);
                }
                Input::Command(Some(SessionCommand::Name { user, label, bot })) => {
                    self.session.handle_name(user, label, bot);
                }
                Input::Command(Some(SessionCommand::Leave) | None) => break,
                Input::Gateway(generation, event) => {
                    self.hear_waiting(now, &mut *datagram);
                    self.session.handle_gateway(now, generation, gateway_event(&event));
                }
                Input::Provider(lane, event) => self.handle_provider(now, lane, &event),
                Input::Datagram(generation, length) => {
                    if let Some(bytes) = datagram.get_mut(..length) {
                        self.session.handle_datagram(now, generation, bytes);
                    }
                }
                Input::Timeout => self.session.handle_timeout(now),
            }
            over = self.drain().await;
        }
        self.session.close(self.clock.now());
        self.drain().await;
        self.finish_closing().await;
    }

    /// Waits until the peers have our closes: the end of our events tells that the sockets are
    /// closed.
    async fn finish_closing(mut self) {
        self.closing.extend(self.gateway.take().map(|(_, socket)| socket));
        self.closing.extend(self.lanes.drain(..).map(|(_, socket)| socket));
        let closes =
            self.closing.drain(..).map(|SocketHandle { outgoing, mut incoming }| async move {
                drop(outgoing);
                while incoming.recv().await.is_some() {}
            });
        if tokio::time::timeout(CLOSE_WAIT, join_all(closes)).await.is_err() {
            tracing::debug!("a peer did not answer our close in time");
        }
    }

    /// What comes first of: a command, a message, a datagram, a deadline.
    async fn next_input(
        &mut self,
        from_owner: &mut mpsc::Receiver<SessionCommand>,
        datagram: &mut [u8],
    ) -> Input {
        let Self { gateway, udp, lanes, session, clock, .. } = self;
        let wake = session.poll_timeout().map(|(at, _)| at);
        tokio::select! {
            // Time first: a tick that is due goes before whatever has queued up.
            biased;
            () = clock.sleep_until(wake) => Input::Timeout,
            command = from_owner.recv() => Input::Command(command),
            (generation, length) = receive(udp.as_ref(), datagram) => {
                Input::Datagram(generation, length)
            }
            (generation, event) = next_of_gateway(gateway) => Input::Gateway(generation, event),
            (lane, event) = poll_fn(|cx| poll_lanes(lanes, cx)) => Input::Provider(lane, event),
        }
    }

    /// Datagrams that came before a websocket message are heard before it: the keys of somebody
    /// who leaves go with the message.
    fn hear_waiting(&mut self, now: SessionTime, datagram: &mut [u8]) {
        let Some((generation, socket)) = &self.udp else { return };
        while let Some(length) = socket.try_recv(datagram) {
            if let Some(bytes) = datagram.get_mut(..length) {
                self.session.handle_datagram(now, *generation, bytes);
            }
        }
    }

    fn handle_provider(&mut self, now: SessionTime, lane: Lane, event: &SocketIn) {
        match event {
            SocketIn::Opened => self.session.handle_provider(now, lane, ProviderEvent::Opened),
            SocketIn::Text(text) => {
                self.session.handle_provider(now, lane, ProviderEvent::Text(text));
            }
            SocketIn::Binary(_) => self.session.handle_provider(now, lane, ProviderEvent::Binary),
            SocketIn::Closed { .. } | SocketIn::Failed { .. } => {
                self.lanes.retain(|(name, _)| *name != lane);
                self.session.handle_provider(now, lane, ProviderEvent::Closed(&closed(event)));
            }
        }
    }

    /// Carries out what the session asks for. `true`: the session is over.
    async fn drain(&mut self) -> bool {
        let mut over = false;
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::ConnectGateway { generation, url } => {
                    self.gateway = Some((generation, self.connect_gateway(url)));
                }
                Output::GatewayText(text) => self.send_gateway(SocketOut::Text(text)),
                Output::GatewayBinary(bytes) => self.send_gateway(SocketOut::Binary(bytes)),
                Output::CloseGateway { code } => {
                    self.send_gateway(SocketOut::Close(code));
                    let gateway = self.gateway.take().map(|(_, socket)| socket);
                    self.keep_closing(gateway);
                }
                Output::OpenUdp { generation, remote } => self.open_udp(generation, remote).await,
                Output::Datagram(bytes) => {
                    if let Some((_, socket)) = &self.udp {
                        socket.send(&bytes);
                    }
                }
                Output::OpenProvider { lane } => {
                    let socket = Socket::connect(self.provider_request());
                    self.lanes.push((lane, socket));
                }
                Output::CloseProvider { lane } => {
                    let closed = self.lanes.extract_if(.., |(name, _)| *name == lane).next();
                    self.keep_closing(closed.map(|(_, socket)| socket));
                }
                Output::Provider { lane, message } => self.send_provider(lane, message),
                Output::Record(record) => self.tell(SessionEvent::Record(record)).await,
                Output::Ready => self.tell(SessionEvent::Ready).await,
                Output::Failed(failure) => {
                    self.tell(SessionEvent::Failed(failure)).await;
                    over = true;
                }
                Output::Ended(reason) => {
                    let plan = match reason.next() {
                        // A call never ends in order to be resumed; joining anew is as close.
                        Plan::Resume | Plan::Rejoin => EndPlan::Rejoin,
                        Plan::WaitForMove => EndPlan::WaitForMove,
                        Plan::Fatal => EndPlan::StayDown,
                    };
                    self.tell(SessionEvent::Ended { reason: reason.to_string(), plan }).await;
                    over = true;
                }
            }
        }
        if let (Some(media), Some((_, socket))) = (self.session.poll_media(), &self.udp) {
            socket.send(media);
        }
        over
    }

    /// Keeps a socket until its close is through, so that the session's end can wait for it.
    fn keep_closing(&mut self, socket: Option<SocketHandle>) {
        self.closing.retain(|socket| !socket.incoming.is_closed());
        self.closing.extend(socket);
    }

    fn connect_gateway(&self, url: String) -> SocketHandle {
        Socket::connect(SocketRequest {
            url,
            headers: Vec::new(),
            tls: self.template.tls.clone(),
            connect_timeout: self.template.connect_timeout,
            max_message_bytes: MAX_GATEWAY_BYTES,
        })
    }

    fn provider_request(&self) -> SocketRequest {
        let provider = self.template.provider.clone();
        SocketRequest {
            url: provider.url,
            headers: provider.headers,
            tls: None,
            connect_timeout: self.template.connect_timeout,
            max_message_bytes: MAX_EVENT_BYTES,
        }
    }

    async fn open_udp(&mut self, generation: Generation, remote: std::net::SocketAddr) {
        match VoiceSocket::connect(remote).await {
            Ok(socket) => self.udp = Some((generation, socket)),
            // Discovery gets no answer then, and the call ends with words about it.
            Err(error) => tracing::warn!(%error, "no UDP socket towards the voice server"),
        }
    }

    fn send_gateway(&mut self, message: SocketOut) {
        let Some((generation, socket)) = &self.gateway else { return };
        let generation = *generation;
        match socket.outgoing.try_send(message) {
            // Of a socket that is over, the last event tells why; it is still to be read.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                tracing::warn!("the voice gateway does not read; its connection is given up");
                self.gateway = None;
                let now = self.clock.now();
                self.session.handle_gateway(now, generation, GatewayEvent::Closed(None));
            }
        }
    }

    fn send_provider(&mut self, lane: Lane, message: String) {
        let Some((_, socket)) = self.lanes.iter().find(|(name, _)| *name == lane) else { return };
        match socket.outgoing.try_send(SocketOut::Text(message)) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                self.lanes.retain(|(name, _)| *name != lane);
                let lost = Closed::Lost("it does not read what we send".to_owned());
                let now = self.clock.now();
                self.session.handle_provider(now, lane, ProviderEvent::Closed(&lost));
            }
        }
    }

    /// Records are dropped when the owner is slow; what steers presence is not.
    async fn tell(&mut self, event: SessionEvent) {
        if !matches!(event, SessionEvent::Record(_)) {
            // An owner that is gone has also dropped its end of the commands: the loop ends.
            let _ = self.to_owner.send(event).await;
        } else if self.to_owner.try_send(event).is_err() {
            self.records_dropped += 1;
            if self.records_dropped.is_power_of_two() {
                tracing::warn!(dropped = self.records_dropped, "timeline records were dropped");
            }
        }
    }
}

fn gateway_event(event: &SocketIn) -> GatewayEvent<'_> {
    match event {
        SocketIn::Opened => GatewayEvent::Opened,
        SocketIn::Text(text) => GatewayEvent::Text(text),
        SocketIn::Binary(bytes) => GatewayEvent::Binary(bytes),
        SocketIn::Closed { code, reason } => {
            tracing::debug!(?code, %reason, "voice gateway closed");
            GatewayEvent::Closed(*code)
        }
        SocketIn::Failed { status, reason } => {
            tracing::warn!(?status, %reason, "voice gateway not reached");
            GatewayEvent::Closed(None)
        }
    }
}

fn closed(event: &SocketIn) -> Closed {
    match event {
        SocketIn::Closed { code: Some(code), reason } => {
            Closed::Frame { code: *code, reason: reason.clone() }
        }
        SocketIn::Failed { status: Some(status), .. } => {
            Closed::Refused { status: *status, retry_after: None }
        }
        SocketIn::Closed { reason, .. } | SocketIn::Failed { reason, .. } => {
            Closed::Lost(reason.clone())
        }
        SocketIn::Opened | SocketIn::Text(_) | SocketIn::Binary(_) => Closed::Lost(String::new()),
    }
}

async fn receive(
    udp: Option<&(Generation, VoiceSocket)>,
    datagram: &mut [u8],
) -> (Generation, usize) {
    match udp {
        Some((generation, socket)) => match socket.recv(datagram).await {
            Ok(length) => (*generation, length),
            Err(error) => {
                // The socket is broken; keepalives and the gateway will tell, not a busy loop.
                tracing::warn!(%error, "UDP socket broke");
                std::future::pending().await
            }
        },
        None => std::future::pending().await,
    }
}

async fn next_of_gateway(
    gateway: &mut Option<(Generation, SocketHandle)>,
) -> (Generation, SocketIn) {
    let event = match gateway {
        Some((generation, socket)) => {
            socket.incoming.recv().await.map(|event| (*generation, event))
        }
        None => std::future::pending().await,
    };
    match event {
        Some(event) => event,
        None => {
            *gateway = None;
            std::future::pending().await
        }
    }
}

fn poll_lanes(lanes: &mut [(Lane, SocketHandle)], cx: &mut Context<'_>) -> Poll<(Lane, SocketIn)> {
    for (lane, socket) in lanes {
        if let Poll::Ready(Some(event)) = socket.incoming.poll_recv(cx) {
            return Poll::Ready((*lane, event));
        }
    }
    Poll::Pending
}
