//! One shard's websockets. Runs on the connection's own thread, where nothing else does: reading,
//! heartbeats and the rules of [`Link`]; what comes is put into a queue, nothing is handled here.

use std::{
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::StreamExt as _;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use twilight_gateway::{
    CloseFrame, Config, ConfigBuilder, Message, Session, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
    queue::Queue,
};
use twilight_model::gateway::event::GatewayEventDeserializer;

use super::{
    arrival::{Arrival, Intake},
    base_url::gateway_url,
    clock::{now, sleep_until},
    gateway::{Stop, stop_asked},
    tunnel::Proxy,
};
use crate::connection::{
    identify::IdentifyPacing,
    link::{Cause, Link, Output, Resumable, Way},
    status::ShardMonitor,
    supervisor::Supervisor,
};

/// How long a websocket that is let go may take to close.
const LEAVE_WAIT: Duration = Duration::from_secs(5);

/// The same when the process ends.
pub(super) const CLOSE_WAIT: Duration = Duration::from_millis(400);

/// Source: Discord, "Gateway Opcodes".
const HELLO: u8 = 10;

/// How a shard's run ended.
#[derive(Debug)]
pub(super) enum End {
    /// As was asked for, or because another shard ended; with the session that can be resumed.
    Stopped(Option<Resumable>),
    /// It gave up.
    Restart(Cause, Option<Resumable>),
    /// Discord closed with a code after which connecting again is pointless.
    Fatal(u16),
}

/// Lets shards identify when they may, and tells them when it is.
#[derive(Clone, Debug)]
pub(super) struct Turns {
    pub(super) pacing: Arc<Mutex<IdentifyPacing>>,
    pub(super) identifying: mpsc::Sender<()>,
}

impl Queue for Turns {
    fn enqueue(&self, shard: u32) -> oneshot::Receiver<()> {
        let (turn, come) = oneshot::channel();
        let mut pacing = self.pacing.lock().unwrap_or_else(PoisonError::into_inner);
        let at = pacing.reserve(now(), shard);
        drop(pacing);
        let identifying = self.identifying.clone();
        tokio::spawn(async move {
            sleep_until(Some(at)).await;
            if turn.send(()).is_ok() {
                let _ = identifying.try_send(());
            }
        });
        come
    }
}

/// What a shard is made of.
pub(super) struct ShardTask {
    pub(super) id: ShardId,
    pub(super) link: Link,
    pub(super) config: Config<Turns>,
    /// Where everybody connects.
    pub(super) url: String,
    pub(super) proxy: Option<Arc<Proxy>>,
    pub(super) identifying: mpsc::Receiver<()>,
    pub(super) intake: Intake,
    pub(super) commands: mpsc::Receiver<String>,
    pub(super) stop: watch::Receiver<Option<Stop>>,
    pub(super) monitor: Arc<ShardMonitor>,
    pub(super) supervisor: Arc<Mutex<Supervisor>>,
    pub(super) verbose: bool,
    pub(super) sequence: u64,
}

/// By chance.
fn roll() -> f64 {
    rand::random()
}

impl ShardTask {
    fn index(&self) -> usize {
        usize::try_from(self.id.number()).unwrap_or(usize::MAX)
    }

    /// Runs until it is to stop, gives up, or is refused for good.
    pub(super) async fn run(mut self) -> End {
        let mut shard: Option<Shard<Turns>> = None;
        let mut stop = self.stop.clone();
        let end = loop {
            if let Some(end) = self.carry_out(&mut shard).await {
                break end;
            }
            let due = self.link.poll_timeout().map(|(at, _)| at);
            let live = shard.as_ref().is_some_and(|shard| shard.state().is_identified());
            tokio::select! {
                message = next(&mut shard) => self.handle(message, &mut shard),
                how = stop_asked(&mut stop) => {
                    self.close(shard.take(), how).await;
                    break End::Stopped(self.link.session_at(self.sequence));
                }
                Some(()) = self.identifying.recv() => {
                    self.told("identifying");
                    self.link.handle_identifying(now());
                }
                Some(command) = self.commands.recv(), if live => {
                    if let Some(shard) = &shard {
                        shard.send(command);
                    }
                }
                () = self.intake.settle() => {}
                () = sleep_until(due) => self.link.handle_timeout(now(), roll()),
            }
        };
        self.monitor.ended();
        let shard = self.index();
        self.intake.insist(Arrival::Away { shard });
        self.intake.settle_all().await;
        end
    }

    /// Does what the link asks for.
    async fn carry_out(&mut self, shard: &mut Option<Shard<Turns>>) -> Option<End> {
        while let Some(output) = self.link.poll_output() {
            match output {
                Output::Dial(way) => *shard = self.dial(way).await,
                Output::Leave => {
                    if let Some(shard) = shard.take() {
                        tokio::spawn(let_go(shard, CloseFrame::NORMAL, LEAVE_WAIT));
                    }
                }
                Output::SessionLost => {
                    tracing::warn!("Discord gateway session lost; identifying anew");
                    let shard = self.index();
                    self.intake.insist(Arrival::SessionLost { shard });
                }
                Output::Lost { why, wait } => {
                    self.monitor.lost();
                    let shard = self.index();
                    self.intake.insist(Arrival::Away { shard });
                    let next = match wait.is_zero() {
                        true => "reconnecting now".to_owned(),
                        false => format!("next try in {:.1} s", wait.as_secs_f64()),
                    };
                    tracing::warn!("Discord gateway{}: {why}; {next}", self.name());
                }
                Output::TokenShared => tracing::error!(
                    "Discord ends our sessions right after they begin: another process seems to \
                     use the same bot token"
                ),
                Output::Restart(Cause::Stale) => {
                    let mut supervisor =
                        self.supervisor.lock().unwrap_or_else(PoisonError::into_inner);
                    if supervisor.may_restart(now()) {
                        return Some(End::Restart(
                            Cause::Stale,
                            self.link.session_at(self.sequence),
                        ));
                    }
                    tracing::warn!(
                        "nothing came from Discord for long, but the hour's restarts are used up"
                    );
                }
                Output::Restart(cause) => {
                    return Some(End::Restart(cause, self.link.session_at(self.sequence)));
                }
                Output::Fatal { code } => return Some(End::Fatal(code)),
            }
        }
        None
    }

    async fn dial(&mut self, way: Way) -> Option<Shard<Turns>> {
        let (session, url) = match way {
            Way::Identify => (None, None),
            Way::Resume(session) => {
                let url = session.url.as_deref().and_then(gateway_url);
                self.sequence = session.sequence;
                (Some(Session::new(session.sequence, session.session_id)), url)
            }
        };
        let url = url.unwrap_or_else(|| self.url.clone());
        self.told(if session.is_some() { "dialling to resume" } else { "dialling to identify" });
        let address = match &self.proxy {
            None => url,
            Some(proxy) => match proxy.tunnel(&url).await {
                Ok(address) => address,
                Err(error) => {
                    self.link.handle_dial_failed(now(), &error.to_string(), roll());
                    return None;
                }
            },
        };
        let mut builder = ConfigBuilder::from(self.config.clone()).proxy_url(address);
        if let Some(session) = session {
            builder = builder.session(session);
        }
        Some(Shard::with_config(self.id, builder.build()))
    }

    /// Takes what the websocket gave.
    fn handle(
        &mut self,
        message: Option<Result<Message, ReceiveMessageError>>,
        shard: &mut Option<Shard<Turns>>,
    ) {
        match message {
            Some(Ok(Message::Text(text))) => self.handle_text(text, shard),
            Some(Ok(Message::Close(frame))) => {
                *shard = None;
                self.closed(frame.map(|frame| frame.code).filter(|code| *code != 1006));
            }
            Some(Err(error)) => self.handle_error(&error, shard),
            None => {
                *shard = None;
                self.closed(None);
            }
        }
    }

    fn closed(&mut self, code: Option<u16>) {
        self.monitor.closed(code);
        if self.verbose {
            tracing::info!("gateway{}: closed with {code:?}", self.name());
        }
        self.link.handle_closed(now(), code, self.sequence, roll());
    }

    fn handle_text(&mut self, text: String, shard: &mut Option<Shard<Turns>>) {
        let now = now();
        self.monitor.frame(now);
        self.link.handle_frame(now);
        let Some(head) = GatewayEventDeserializer::from_json(&text) else { return };
        let (op, sequence, name) = head.into_parts();
        match (op, name) {
            (0, Some(name)) => {
                let (name, sequence) = (name.into_owned(), sequence.unwrap_or(self.sequence));
                self.handle_event(&name, sequence, text, shard);
            }
            (7, _) => self.link.handle_reconnect(now, self.sequence, roll()),
            (9, _) => {
                let resumable = serde_json::from_str::<serde_json::Value>(&text)
                    .is_ok_and(|payload| payload["d"] == true);
                self.link.handle_invalid_session(now, resumable, self.sequence, roll());
            }
            (HELLO, _) => self.link.handle_hello(now),
            (11, _) => self.acknowledged(shard.as_ref()),
            _ => {}
        }
    }

    fn handle_event(
        &mut self,
        name: &str,
        sequence: u64,
        text: String,
        shard: &mut Option<Shard<Turns>>,
    ) {
        let (at, index) = (now(), self.index());
        self.monitor.event(at);
        if self.verbose {
            tracing::info!("gateway{}: {name} {sequence}", self.name());
        }
        self.sequence = sequence;
        match name {
            "READY" => {
                let Some(shard) = shard else { return };
                let Some(session) = shard.session() else { return };
                let session = Resumable {
                    session_id: session.id().to_owned(),
                    sequence,
                    url: shard.resume_url().and_then(gateway_url),
                };
                self.monitor.established(at, false);
                self.link.handle_ready(at, session.clone());
                self.intake.insist(Arrival::Ready { shard: index, session, text });
            }
            "RESUMED" => {
                self.monitor.established(at, true);
                self.link.handle_resumed(at);
                self.intake.insist(Arrival::Resumed { shard: index, sequence });
            }
            _ => self.intake.offer(name, Arrival::Event { shard: index, sequence, text }),
        }
    }

    /// Notes when the heartbeat went out that is acknowledged now.
    fn acknowledged(&self, shard: Option<&Shard<Turns>>) {
        let Some(latency) = shard.map(Shard::latency) else { return };
        let Some(took) = latency.recent().first().copied() else { return };
        let now = now();
        self.monitor.heartbeat_sent(now - took);
        self.monitor.heartbeat_acked(now, took);
        if self.verbose {
            tracing::info!("gateway{}: heartbeat acknowledged after {took:?}", self.name());
        }
    }

    fn handle_error(&mut self, error: &ReceiveMessageError, shard: &mut Option<Shard<Turns>>) {
        // The error's own text may quote a message, and messages hold tokens.
        let causes =
            std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if matches!(error.kind(), ReceiveMessageErrorType::Reconnect) {
            *shard = None;
            self.link.handle_dial_failed(now(), &text, roll());
            return;
        }
        tracing::warn!("a gateway message is skipped: {text}");
        let gone = shard.take_if(|shard| matches!(shard.state(), ShardState::Disconnected { .. }));
        if let Some(shard) = gone {
            tokio::spawn(let_go(shard, CloseFrame::RESUME, LEAVE_WAIT));
            self.closed(None);
        }
    }

    async fn close(&mut self, shard: Option<Shard<Turns>>, how: Stop) {
        let Some(shard) = shard.filter(|shard| shard.state().is_identified()) else { return };
        let frame = match how {
            Stop::Final => CloseFrame::NORMAL,
            Stop::Restart => CloseFrame::RESUME,
        };
        let_go(shard, frame, CLOSE_WAIT).await;
    }

    fn told(&self, what: &str) {
        if self.verbose {
            tracing::info!("gateway{}: {what}", self.name());
        }
    }

    /// Which shard, if there are more than one.
    fn name(&self) -> String {
        match self.id.total() {
            1 => String::new(),
            total => format!(" shard {} of {total}", self.id.number()),
        }
    }
}

async fn next(shard: &mut Option<Shard<Turns>>) -> Option<Result<Message, ReceiveMessageError>> {
    match shard {
        Some(shard) => shard.next().await,
        None => pending().await,
    }
}

/// Closes a websocket; waits for the peer to do so, too, but not for long.
async fn let_go(mut shard: Shard<Turns>, frame: CloseFrame<'static>, wait: Duration) {
    // twilight panics on an address it cannot parse if it comes to dial it.
    if shard.resume_url().is_some_and(|url| gateway_url(url).is_none()) {
        return;
    }
    if !matches!(shard.state(), ShardState::Disconnected { .. } | ShardState::FatallyClosed) {
        shard.close(frame);
    }
    let closed = async {
        while let Some(Ok(message)) = shard.next().await {
            // A peer that hangs up without a close frame of its own makes twilight connect anew;
            // its HELLO must not be answered, least of all with a RESUME of a session that goes on
            // elsewhere.
            let anew = match &message {
                Message::Close(_) => return,
                Message::Text(text) => {
                    GatewayEventDeserializer::from_json(text).is_some_and(|head| head.op() == HELLO)
                }
            };
            if anew {
                return;
            }
        }
    };
    if timeout(wait, closed).await.is_err() {
        tracing::debug!("Discord did not answer the gateway's close frame in time");
    }
}
