//! The task of one voice session: selects one input, hands it to the [`VoiceSession`], carries out
//! what it asks for. Owns the sockets, decides nothing.

#![allow(clippy::disallowed_methods, reason = "the shell is where tasks and randomness are")]

use std::{
    future::{Future, poll_fn},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use clawvoice_session::{
    Generation, SessionTime,
    agent::Agent,
    audit::{Answer, Credential},
};
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::{
    sync::{
        mpsc::{self, error::TrySendError},
        watch,
    },
    task::JoinSet,
};

use super::{
    agent::{AgentLink, FromAgent},
    clock::{Alarm, SessionClock},
    recorder::{Recorder, Recordings},
    socket::{Socket, SocketHandle, SocketIn, SocketOut, SocketRequest},
    speech::{FromSpeech, SpeechClients, SpeechWork},
    udp::VoiceSocket,
};
use crate::{
    call::CallSettings,
    conversation::Lane,
    presence::link::{SessionCommand, SessionEvent, SessionHandle, SessionRequest, SessionStarter},
    realtime::{Closed, MAX_EVENT_BYTES},
    recording::{Header, Line, Thresholds, VERSION},
    session::{
        FrontEndSettings, GatewayEvent, Output, ProviderEvent, Pulse, SpeechEvent, VoiceSession,
    },
};

/// Commands that may wait for a session.
const COMMANDS: usize = 64;

/// Events that may wait to be read; a session that talks faster drops timeline records first.
const EVENTS: usize = 1_024;

/// The close code of a connection that is not needed any more (RFC 6455 7.4.1).
const NORMAL_CLOSE: u16 = 1_000;

/// How long the end of a session waits for its sockets to close.
const CLOSE_WAIT: Duration = Duration::from_millis(700);

/// How long a socket that was told to close may take over what is queued before its close: a
/// peer that takes nothing for 10 s is given up by the socket itself.
const LINGER: Duration = Duration::from_secs(15);

/// Datagrams heard before one websocket message: those that can have come with it, and no more,
/// however fast others come.
const DATAGRAMS_BEFORE_MESSAGE: usize = 256;

/// Datagrams heard in a row before the websockets are asked first, for one message: a flood of
/// datagrams must not hold up heartbeat acknowledgements and transitions.
const DATAGRAMS_IN_A_ROW: usize = 64;

/// How often a session tells how it is.
pub const PULSE: Duration = Duration::from_millis(500);

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
    /// Is told how the key among them is taken.
    pub credential: Option<Credential>,
}

impl ProviderEndpoint {
    /// Tells how the key was taken, if this says so.
    fn note(&self, event: &SocketIn) {
        let Some(credential) = &self.credential else { return };
        match event {
            SocketIn::Opened => credential.used(Answer::Ok),
            SocketIn::Failed { status, .. } => credential.used(Answer::of_status(*status)),
            SocketIn::Text(_) | SocketIn::Binary(_) | SocketIn::Closed { .. } => {}
        }
    }
}

/// What every session of this process has in common.
pub struct SessionTemplate {
    /// `wss` (Discord) or `ws` (a server on this machine) to the voice gateway.
    pub secure: bool,
    /// Offer end-to-end encryption.
    pub dave: bool,
    /// Frames in a row that may fail to decrypt before the group is re-initialised.
    pub decryption_failure_tolerance: u32,
    /// How long resumes of a lost voice websocket may begin.
    pub reconnect_grace: Duration,
    /// TLS towards the voice gateway; `None` trusts the public web's authorities.
    pub tls: Option<Arc<ClientConfig>>,
    /// For opening a websocket.
    pub connect_timeout: Duration,
    /// The realtime provider, as the next connection finds it.
    pub provider: watch::Receiver<ProviderEndpoint>,
    /// Who is asked.
    pub agent: Arc<dyn Agent>,
    /// Where sessions are recorded; `None`: nowhere.
    pub recordings: Option<Recordings>,
    /// Who transcribes and synthesizes; only `stt-tts` needs it.
    pub speech: Option<Arc<SpeechClients>>,
    /// Where sessions tell how they are, every [`PULSE`]; when it is full, a pulse is dropped.
    pub pulses: Option<mpsc::Sender<Pulse>>,
    /// The front end's settings, for the place and bot user of a session.
    pub front_end: Box<dyn Fn(&SessionRequest) -> FrontEndSettings + Send + Sync>,
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

impl Sessions {
    /// Begins the recording of a session, if sessions are recorded.
    fn record(
        &self,
        now: SessionTime,
        request: &SessionRequest,
        front_end: &FrontEndSettings,
    ) -> Option<Recorder> {
        let recordings = self.template.recordings.as_ref()?;
        let started = jiff::Timestamp::now();
        let (guild, channel) = (request.guild, request.channel);
        let settings = match front_end {
            FrontEndSettings::Realtime(settings) => Some(Thresholds::from(settings)),
            FrontEndSettings::Batch(_) => None,
        };
        recordings.begin(&Header {
            clawvoice_timeline: VERSION,
            session: format!("{}-{guild}-{channel}", started.strftime("%Y%m%dT%H%M%S%3fZ")),
            guild,
            channel,
            started: started.to_string(),
            started_us: now,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings,
        })
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
            decryption_failure_tolerance: self.template.decryption_failure_tolerance,
            reconnect_grace: self.template.reconnect_grace,
            seed: rand::random(),
            udp_fallback: None,
        };
        let mut front_end = (self.template.front_end)(&request);
        if let FrontEndSettings::Realtime(conversation) = &mut front_end {
            conversation.seed = rand::random();
        }
        let recorder = self.record(now, &request, &front_end);
        let mut session = VoiceSession::new(connection, front_end, now);
        if let Some(bits) = request.bitrate {
            session.handle_bitrate(bits);
        }
        for (user, label, bot) in request.names {
            session.handle_name(user, label, bot);
        }
        for (user, roles) in request.roles {
            session.handle_roles(user, roles);
        }
        let task = Task {
            template: self.template.clone(),
            clock: self.clock,
            alarm: Alarm::new(self.clock),
            session,
            recorder,
            agent: AgentLink::new(Arc::clone(&self.template.agent)),
            speech: SpeechWork::new(self.template.speech.clone()),
            gateway: None,
            udp: None,
            lanes: Vec::new(),
            closing: Closing::default(),
            datagrams_in_a_row: 0,
            pulse: tokio::time::interval(PULSE),
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
    alarm: Alarm,
    session: VoiceSession,
    recorder: Option<Recorder>,
    agent: AgentLink,
    speech: SpeechWork,
    gateway: Option<(Generation, SocketHandle)>,
    udp: Option<(Generation, VoiceSocket)>,
    lanes: Vec<(Lane, SocketHandle)>,
    closing: Closing,
    datagrams_in_a_row: usize,
    pulse: tokio::time::Interval,
    to_owner: mpsc::Sender<SessionEvent>,
    records_dropped: u64,
}

/// One thing that happened.
#[derive(Debug)]
enum Input {
    Command(Option<SessionCommand>),
    Gateway(Generation, SocketIn),
    Provider(Lane, SocketIn),
    Datagram(Generation, usize),
    Agent(FromAgent),
    Speech(FromSpeech),
    Pulse,
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
                Input::Command(Some(SessionCommand::Roles { user, roles })) => {
                    self.session.handle_roles(user, roles);
                }
                Input::Command(Some(SessionCommand::Bitrate(bits))) => {
                    self.session.handle_bitrate(bits);
                }
                Input::Command(Some(SessionCommand::Leave) | None) => break,
                Input::Gateway(generation, event) => {
                    self.hear_waiting(now, &mut *datagram, DATAGRAMS_BEFORE_MESSAGE);
                    self.session.handle_gateway(now, generation, gateway_event(&event));
                }
                Input::Provider(lane, event) => self.handle_provider(now, lane, &event),
                Input::Datagram(generation, length) => {
                    if let Some(bytes) = datagram.get_mut(..length) {
                        self.session.handle_datagram(now, generation, bytes);
                    }
                    // What has come with it is heard at the price of one wake-up.
                    let room = DATAGRAMS_IN_A_ROW.saturating_sub(self.datagrams_in_a_row);
                    self.datagrams_in_a_row += self.hear_waiting(now, &mut *datagram, room);
                }
                Input::Agent(FromAgent::Report(report)) => self.session.handle_agent(now, report),
                Input::Agent(FromAgent::Control { ticket, outcome }) => {
                    self.session.handle_control(now, ticket, &outcome);
                }
                Input::Speech(result) => self.handle_speech(now, result),
                Input::Pulse => self.tell_pulse(),
                Input::Timeout => self.session.handle_timeout(now),
            }
            over = self.drain().await;
        }
        self.session.close(self.clock.now());
        self.drain().await;
        self.finish_closing().await;
    }

    /// A watcher that is behind misses this one.
    fn tell_pulse(&self) {
        if let Some(pulses) = &self.template.pulses {
            let _ = pulses.try_send(self.session.pulse());
        }
    }

    /// Waits until the peers have our closes.
    async fn finish_closing(mut self) {
        let gateway = self.gateway.take().map(|(_, socket)| socket);
        for socket in gateway.into_iter().chain(self.lanes.drain(..).map(|(_, socket)| socket)) {
            self.closing.close(socket, NORMAL_CLOSE);
        }
        if !self.closing.finish(CLOSE_WAIT).await {
            tracing::debug!("a peer did not answer our close in time");
        }
    }

    /// What comes first of: a command, a message, a datagram, a deadline.
    async fn next_input(
        &mut self,
        from_owner: &mut mpsc::Receiver<SessionCommand>,
        datagram: &mut [u8],
    ) -> Input {
        let Self {
            gateway,
            udp,
            lanes,
            session,
            agent,
            speech,
            alarm,
            datagrams_in_a_row,
            pulse,
            template,
            ..
        } = self;
        alarm.set(session.poll_timeout().map(|(at, _)| at));
        tokio::select! {
            // Time first: a tick that is due goes before whatever has queued up.
            biased;
            () = alarm.rung() => Input::Timeout,
            command = from_owner.recv() => Input::Command(command),
            input = next_of_network(
                datagrams_in_a_row,
                receive(udp.as_ref(), datagram),
                next_of_websockets(gateway, lanes),
            ) => input,
            report = agent.recv() => Input::Agent(report),
            result = speech.recv() => Input::Speech(result),
            _ = pulse.tick(), if template.pulses.is_some() => Input::Pulse,
        }
    }

    /// Hears datagrams that have come already, `most` at most; returns how many there were.
    ///
    /// Those that came before a websocket message are heard before it: the keys of somebody who
    /// leaves go with the message. Beyond [`DATAGRAMS_BEFORE_MESSAGE`] they wait their turn.
    fn hear_waiting(&mut self, now: SessionTime, datagram: &mut [u8], most: usize) -> usize {
        let Some((generation, socket)) = &self.udp else { return 0 };
        for heard in 0..most {
            let Some(length) = socket.try_recv(datagram) else { return heard };
            if let Some(bytes) = datagram.get_mut(..length) {
                self.session.handle_datagram(now, *generation, bytes);
            }
        }
        most
    }

    fn handle_speech(&mut self, now: SessionTime, result: FromSpeech) {
        match result {
            FromSpeech::Transcribed { segment, result } => {
                self.session.handle_transcribed(now, segment, result);
            }
            FromSpeech::Audio { speech, pcm } => {
                self.session.handle_speech(now, speech, SpeechEvent::Audio(&pcm));
            }
            FromSpeech::Ended { speech } => {
                self.session.handle_speech(now, speech, SpeechEvent::Ended);
            }
            FromSpeech::Failed { speech, failure } => {
                self.session.handle_speech(now, speech, SpeechEvent::Failed(&failure));
            }
        }
    }

    fn handle_provider(&mut self, now: SessionTime, lane: Lane, event: &SocketIn) {
        self.template.provider.borrow().note(event);
        match event {
            SocketIn::Opened => self.session.handle_provider(now, lane, ProviderEvent::Opened),
            SocketIn::Text(text) => {
                self.session.handle_provider(now, lane, ProviderEvent::Text(text));
            }
            SocketIn::Binary(bytes) => {
                self.session.handle_provider(now, lane, ProviderEvent::Binary(bytes));
            }
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
                    if let Some((_, socket)) = self.gateway.take() {
                        self.closing.close(socket, code);
                    }
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
                    for (_, socket) in self.lanes.extract_if(.., |(name, _)| *name == lane) {
                        self.closing.close(socket, NORMAL_CLOSE);
                    }
                }
                Output::Provider { lane, message } => self.send_provider(lane, message),
                Output::Ask(ask) => self.agent.ask(ask),
                Output::Control { ticket, session, control } => {
                    self.agent.control(ticket, session, control);
                }
                Output::Note { session, by, said, answered } => {
                    self.agent.note(session, by, said, answered);
                }
                Output::CancelRun { session, run } => self.agent.cancel(session, run),
                Output::Heard { session, run, text } => self.agent.heard(session, run, text),
                Output::Surround { session, place, text } => {
                    self.agent.surround(session, place, text);
                }
                Output::Transcribe { segment, wav } => self.speech.transcribe(segment, wav),
                Output::Synthesize { speech, text } => self.speech.synthesize(speech, text),
                Output::CancelSynthesis { speech } => self.speech.cancel(speech),
                Output::Record(record) => {
                    if let Some(recorder) = &self.recorder {
                        recorder.write(Line::Record(record.clone()));
                    }
                    self.tell(SessionEvent::Record(record)).await;
                }
                Output::Trace(trace) => {
                    if let Some(recorder) = &self.recorder {
                        recorder.write(Line::Trace(trace));
                    }
                }
                Output::Ready => self.tell(SessionEvent::Ready).await,
                Output::Failed(failure) => {
                    self.tell(SessionEvent::Failed(failure)).await;
                    over = true;
                }
                Output::Ended(reason) => {
                    let plan = reason.next().into();
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
        let provider = self.template.provider.borrow().clone();
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

/// Sockets that were told to close. Each is read until it is through, because one whose events
/// nobody takes would never come to its close; the session's end can wait for all of them.
#[derive(Default)]
struct Closing(JoinSet<()>);

impl Closing {
    /// Closes a socket behind what is queued for it.
    fn close(&mut self, socket: SocketHandle, code: u16) {
        while self.0.try_join_next().is_some() {}
        let SocketHandle { outgoing, mut incoming } = socket;
        // With a full queue the end of the channel closes too, with 1000.
        let _ = outgoing.try_send(SocketOut::Close(code));
        drop(outgoing);
        self.0.spawn(async move {
            let drained = async { while incoming.recv().await.is_some() {} };
            if tokio::time::timeout(LINGER, drained).await.is_err() {
                tracing::debug!("a socket was cut off: its peer takes nothing");
            }
        });
    }

    /// Waits until all are closed, but no longer than `limit`; `false`: some were cut off.
    async fn finish(mut self, limit: Duration) -> bool {
        let all = async { while self.0.join_next().await.is_some() {} };
        tokio::time::timeout(limit, all).await.is_ok()
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
        SocketIn::Failed { status, reason, .. } => {
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
        SocketIn::Failed { status: Some(status), retry_after, .. } => {
            Closed::Refused { status: *status, retry_after: *retry_after }
        }
        SocketIn::Closed { reason, .. } | SocketIn::Failed { reason, .. } => {
            Closed::Lost(reason.clone())
        }
        SocketIn::Opened | SocketIn::Text(_) | SocketIn::Binary(_) => Closed::Lost(String::new()),
    }
}

/// The next datagram or websocket message. Datagrams go first: they are the speech, and of what
/// came together with a message they come before it. After [`DATAGRAMS_IN_A_ROW`] the websockets
/// go first, once. Cancel-safe if both are.
async fn next_of_network(
    in_a_row: &mut usize,
    datagram: impl Future<Output = Input>,
    message: impl Future<Output = Input>,
) -> Input {
    if *in_a_row < DATAGRAMS_IN_A_ROW {
        tokio::select! {
            biased;
            input = datagram => { *in_a_row += 1; input }
            input = message => { *in_a_row = 0; input }
        }
    } else {
        let input = tokio::select! {
            biased;
            input = message => input,
            input = datagram => input,
        };
        *in_a_row = 0;
        input
    }
}

async fn next_of_websockets(
    gateway: &mut Option<(Generation, SocketHandle)>,
    lanes: &mut [(Lane, SocketHandle)],
) -> Input {
    tokio::select! {
        biased;
        (generation, event) = next_of_gateway(gateway) => Input::Gateway(generation, event),
        (lane, event) = poll_fn(|cx| poll_lanes(lanes, cx)) => Input::Provider(lane, event),
    }
}

async fn receive(udp: Option<&(Generation, VoiceSocket)>, datagram: &mut [u8]) -> Input {
    match udp {
        Some((generation, socket)) => match socket.recv(datagram).await {
            Ok(length) => Input::Datagram(*generation, length),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_closed_socket_is_told_and_read_to_its_end_while_the_session_goes_on() {
        let (outgoing, mut from_owner) = mpsc::channel(4);
        let (to_owner, incoming) = mpsc::channel(1);
        let mut closing = Closing::default();
        closing.close(SocketHandle { outgoing, incoming }, 4_000);
        assert_eq!(from_owner.recv().await, Some(SocketOut::Close(4_000)));
        assert_eq!(from_owner.recv().await, None, "nothing else can follow");
        // More than its queue holds: a socket that is closing never waits for its owner.
        for _ in 0..10 {
            to_owner.send(SocketIn::Opened).await.expect("somebody reads");
        }
        drop(to_owner);
        assert!(closing.finish(CLOSE_WAIT).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_does_not_close_is_cut_off() {
        let (outgoing, _from_owner) = mpsc::channel(1);
        outgoing.try_send(SocketOut::Text(String::new())).expect("room for one");
        let (to_owner, incoming) = mpsc::channel(1);
        let mut closing = Closing::default();
        closing.close(SocketHandle { outgoing, incoming }, NORMAL_CLOSE);
        let began = tokio::time::Instant::now();
        to_owner.closed().await;
        assert_eq!(began.elapsed(), LINGER);

        let (outgoing, _from_owner) = mpsc::channel(1);
        let (_to_owner, incoming) = mpsc::channel(1);
        closing.close(SocketHandle { outgoing, incoming }, NORMAL_CLOSE);
        assert!(!closing.finish(CLOSE_WAIT).await, "the session's end does not wait so long");
    }

    #[tokio::test]
    async fn a_flood_of_datagrams_lets_one_message_through_at_a_time() {
        let datagram = || async { Input::Datagram(Generation::FIRST, 1) };
        let message = || async { Input::Gateway(Generation::FIRST, SocketIn::Opened) };
        let mut in_a_row = 0;
        let mut messages = Vec::new();
        for at in 0..3 * (DATAGRAMS_IN_A_ROW + 1) {
            match next_of_network(&mut in_a_row, datagram(), message()).await {
                Input::Gateway(..) => messages.push(at),
                Input::Datagram(..) => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(messages, [64, 129, 194]);
        // Without messages the flood goes on; without datagrams so do messages.
        for _ in 0..200 {
            let silent = std::future::pending();
            let input = next_of_network(&mut in_a_row, datagram(), silent).await;
            assert!(matches!(input, Input::Datagram(..)));
        }
        let input = next_of_network(&mut in_a_row, std::future::pending(), message()).await;
        assert!(matches!(input, Input::Gateway(..)));
        assert_eq!(in_a_row, 0);
    }
}
