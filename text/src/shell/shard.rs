//! One websocket of the main gateway, and everything that must survive its loss.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use clawvoice_session::{
    GuildId, UserId, VoiceControl, VoiceGatewayEvent, VoiceStateRequest, access::Policy,
};
use futures_util::StreamExt as _;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};
use twilight_gateway::{
    CloseFrame, Config, ConfigBuilder, Message, Shard, ShardId, ShardState,
    error::{ReceiveMessageError, ReceiveMessageErrorType},
};
use twilight_model::{gateway::payload::outgoing::UpdateVoiceState, id::Id};

use super::{
    base_url::gateway_url,
    gateway::{GatewayFailure, close_in_words},
    rest::Rest,
};
use crate::{
    command::{Doors, answer},
    directory::Directory,
    incoming::{self, Incoming, Interaction},
};

/// Voice events that wait for a slow voice side. Beyond it the websocket is not read.
const MAX_OUTBOX: usize = 4096;

/// Commands carried out at the same time. Beyond it new ones are not answered.
const MAX_COMMANDS: usize = 64;

/// How long shutdown waits for Discord to confirm that the bot left voice.
const LEAVE_WAIT: Duration = Duration::from_millis(500);

/// How long shutdown waits for the answers of running commands, and for the websocket to close.
const CLOSE_WAIT: Duration = Duration::from_millis(400);

/// Why [`Connection::serve`] came back.
#[derive(Debug)]
pub(super) enum Served {
    /// Shutdown was asked for.
    Shutdown,
    /// The websocket cannot be opened, or closes before it is of use; wait, then come back.
    Lost(String),
}

/// The main gateway connection, across websockets.
#[derive(Debug)]
pub(super) struct Connection {
    config: Config,
    shard: Option<Shard>,
    /// Whether the current websocket reached READY or RESUMED.
    useful: bool,
    /// Whether one did since [`Self::serve`] was called.
    served: bool,
    /// Whether a READY was seen whose session is not yet known to be lost.
    in_session: bool,
    user: Option<UserId>,
    /// Guilds in whose voice channels the bot is, as Discord tells.
    in_voice: BTreeSet<GuildId>,
    /// What voice has not taken yet.
    outbox: VecDeque<VoiceGatewayEvent>,
    /// Requests that wait for a session, the last one per guild.
    held: Vec<VoiceStateRequest>,
    /// Copied by commands that go by it.
    directory: Arc<Directory>,
}

/// What a connection works with.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) rest: Arc<Rest>,
    pub(super) voice: Option<Arc<dyn VoiceControl>>,
    pub(super) policy: watch::Receiver<Arc<Policy>>,
    pub(super) events: mpsc::Sender<VoiceGatewayEvent>,
}

impl Connection {
    /// A connection that is not open yet.
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            shard: None,
            useful: false,
            served: false,
            in_session: false,
            user: None,
            in_voice: BTreeSet::new(),
            outbox: VecDeque::new(),
            held: Vec::new(),
            directory: Arc::default(),
        }
    }

    /// Whether the last call of [`Self::serve`] got as far as READY or RESUMED.
    pub(super) fn was_useful(&self) -> bool {
        self.served
    }

    /// Keeps a request for the time when a session exists; a newer one of the same guild replaces
    /// an older one.
    pub(super) fn hold(&mut self, request: VoiceStateRequest) {
        self.held.retain(|held| held.guild != request.guild);
        self.held.push(request);
    }

    /// Opens a websocket at `url`, resuming the session if there is one, and serves it and its
    /// successors until shutdown or until it is better to wait.
    pub(super) async fn serve(
        &mut self,
        url: String,
        around: &Surroundings,
        requests: &mut mpsc::Receiver<VoiceStateRequest>,
        commands: &mut JoinSet<()>,
        shutdown: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<Served, GatewayFailure> {
        self.open(url);
        loop {
            let Some(shard) = self.shard.as_mut() else {
                return Ok(Served::Lost("the websocket is gone".to_owned()));
            };
            let room = self.outbox.len() < MAX_OUTBOX;
            tokio::select! {
                biased;
                () = &mut *shutdown => return Ok(Served::Shutdown),
                Some(request) = requests.recv() => self.request(request),
                permit = around.events.reserve(), if !self.outbox.is_empty() => {
                    match (permit, self.outbox.pop_front()) {
                        (Ok(permit), Some(event)) => permit.send(event),
                        // Nobody listens to voice events any more.
                        _ => self.outbox.clear(),
                    }
                }
                Some(_) = commands.join_next() => {}
                message = shard.next(), if room => {
                    if let Some(reason) = self.handle(message, around, commands)? {
                        return Ok(Served::Lost(reason));
                    }
                }
            }
        }
    }

    fn open(&mut self, url: String) {
        let session = self.shard.as_ref().and_then(|shard| shard.session().cloned());
        let mut builder = ConfigBuilder::from(self.config.clone()).proxy_url(url);
        if let Some(session) = session {
            builder = builder.session(session);
        }
        self.useful = false;
        self.served = false;
        self.shard = Some(Shard::with_config(ShardId::ONE, builder.build()));
    }

    /// Sends a request at once if a session exists, else keeps it.
    fn request(&mut self, request: VoiceStateRequest) {
        match &self.shard {
            Some(shard) if shard.state().is_identified() => send(shard, &request),
            _ => self.hold(request),
        }
    }

    /// Takes what the websocket gave; some reason ends this websocket.
    fn handle(
        &mut self,
        message: Option<Result<Message, ReceiveMessageError>>,
        around: &Surroundings,
        commands: &mut JoinSet<()>,
    ) -> Result<Option<String>, GatewayFailure> {
        let reason = match message {
            Some(Ok(Message::Text(text))) => self.handle_text(&text, around, commands),
            Some(Ok(Message::Close(frame))) => {
                return self.handle_close(frame.as_ref());
            }
            Some(Err(error)) => self.handle_error(&error),
            None => Some("the websocket is gone".to_owned()),
        };
        self.notice_lost_session();
        Ok(reason)
    }

    fn handle_text(
        &mut self,
        text: &str,
        around: &Surroundings,
        commands: &mut JoinSet<()>,
    ) -> Option<String> {
        match incoming::read(text) {
            Ok(Incoming::Ready(ready)) => {
                if self.in_session {
                    self.outbox.push_back(VoiceGatewayEvent::SessionLost);
                }
                self.in_voice.clear();
                self.user = Some(ready.user);
                self.in_session = true;
                tracing::info!("Discord gateway ready as user {}", ready.user);
                self.established(ready.user);
                // twilight would panic on an address it cannot parse when it resumes.
                gateway_url(&ready.resume_url).is_none().then(|| {
                    self.shard = None;
                    "READY names no usable resume_gateway_url".to_owned()
                })
            }
            Ok(Incoming::Resumed) => {
                tracing::info!("Discord gateway session resumed");
                if let Some(user) = self.user {
                    self.established(user);
                }
                None
            }
            Ok(Incoming::Voice(events)) => {
                for event in events {
                    self.follow(&event);
                    Arc::make_mut(&mut self.directory).follow(&event);
                    self.outbox.push_back(event);
                }
                None
            }
            Ok(Incoming::Command(interaction)) => {
                self.run_command(interaction, around, commands);
                None
            }
            Ok(Incoming::Other) => None,
            Err(error) => {
                tracing::warn!("a gateway event is skipped: {error}");
                None
            }
        }
    }

    /// READY or RESUMED: the websocket is of use.
    fn established(&mut self, user: UserId) {
        self.useful = true;
        self.served = true;
        self.outbox.push_back(VoiceGatewayEvent::Ready { user });
        if let Some(shard) = &self.shard {
            for request in self.held.drain(..) {
                send(shard, &request);
            }
        }
    }

    /// Remembers in which guilds the bot itself is in voice.
    fn follow(&mut self, event: &VoiceGatewayEvent) {
        if let VoiceGatewayEvent::State(state) = event
            && Some(state.user) == self.user
        {
            match state.channel {
                Some(_) => self.in_voice.insert(state.guild),
                None => self.in_voice.remove(&state.guild),
            };
        }
    }

    fn run_command(
        &self,
        interaction: Interaction,
        around: &Surroundings,
        commands: &mut JoinSet<()>,
    ) {
        if commands.len() >= MAX_COMMANDS {
            tracing::warn!("a command is dropped: {MAX_COMMANDS} are running already");
            return;
        }
        let around = around.clone();
        let directory = Arc::clone(&self.directory);
        commands.spawn(async move {
            let Interaction { id, application, token, invocation } = interaction;
            if let Err(failure) = around.rest.defer(application, id, &token).await {
                tracing::warn!("/{} is not carried out: {failure}", invocation.name);
                return;
            }
            let policy = Arc::clone(&around.policy.borrow());
            let voice = around.voice.as_deref();
            let doors = Doors { voice, policy: &policy, directory: &directory };
            let reply = answer(&invocation, doors).await;
            if let Err(failure) = around.rest.answer(application, &token, &reply).await {
                tracing::warn!("the reply to /{} is lost: {failure}", invocation.name);
            }
        });
    }

    fn handle_close(
        &mut self,
        frame: Option<&CloseFrame<'static>>,
    ) -> Result<Option<String>, GatewayFailure> {
        let code = frame.map(|frame| frame.code);
        let words = close_in_words(code);
        if self.shard.as_ref().map(Shard::state) == Some(ShardState::FatallyClosed) {
            return Err(GatewayFailure::from_close(code));
        }
        self.notice_lost_session();
        if !self.useful {
            // Without a wait, a server that closes at once would be dialled in a loop.
            return Ok(Some(format!("Discord closed the gateway connection: {words}")));
        }
        tracing::warn!("Discord gateway connection closed: {words}; reconnecting now");
        self.useful = false;
        Ok(None)
    }

    fn handle_error(&mut self, error: &ReceiveMessageError) -> Option<String> {
        // The error's own text may quote a message, and messages hold tokens.
        let causes =
            std::iter::successors(std::error::Error::source(error), |cause| cause.source());
        let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        if matches!(error.kind(), ReceiveMessageErrorType::Reconnect) {
            return Some(format!("the websocket cannot be opened: {text}"));
        }
        tracing::warn!("a gateway message is skipped: {text}");
        None
    }

    /// Tells voice when the session cannot be resumed any more.
    fn notice_lost_session(&mut self) {
        let has_session = self.shard.as_ref().is_some_and(|shard| shard.session().is_some());
        if self.in_session && !has_session {
            self.in_session = false;
            self.in_voice.clear();
            tracing::warn!("Discord gateway session lost; identifying anew");
            self.outbox.push_back(VoiceGatewayEvent::SessionLost);
        }
    }

    /// Sends what is queued, leaves voice, and closes the websocket with 1000.
    pub(super) async fn close(
        mut self,
        requests: &mut mpsc::Receiver<VoiceStateRequest>,
        commands: &mut JoinSet<()>,
    ) {
        while let Ok(request) = requests.try_recv() {
            self.request(request);
        }
        let answers = async { while commands.join_next().await.is_some() {} };
        let (answered, ()) = tokio::join!(timeout(CLOSE_WAIT, answers), self.leave_and_close());
        if answered.is_err() {
            tracing::debug!("a running command was not answered before the end");
        }
    }

    async fn leave_and_close(mut self) {
        let Some(mut shard) = self.shard.take() else { return };
        if !shard.state().is_identified() {
            return;
        }
        for guild in &self.in_voice {
            let leave = VoiceStateRequest {
                guild: *guild,
                channel: None,
                self_mute: false,
                self_deaf: false,
            };
            send(&shard, &leave);
        }
        // A close frame overtakes queued commands, so the confirmations are awaited first.
        let left = async {
            while !self.in_voice.is_empty() {
                let Some(Ok(message)) = shard.next().await else { return };
                if let Message::Text(text) = message
                    && let Ok(Incoming::Voice(events)) = incoming::read(&text)
                {
                    events.iter().for_each(|event| self.follow(event));
                }
            }
        };
        if timeout(LEAVE_WAIT, left).await.is_err() {
            tracing::warn!("Discord did not confirm in time that the bot left voice");
        }
        shard.close(CloseFrame::NORMAL);
        let closed = async {
            while let Some(Ok(message)) = shard.next().await {
                // A peer that hangs up without a close frame of its own makes twilight connect
                // anew; its HELLO must not be answered with an IDENTIFY.
                let anew = shard.state() == ShardState::Identifying;
                if anew || matches!(message, Message::Close(_)) {
                    return;
                }
            }
        };
        if timeout(CLOSE_WAIT, closed).await.is_err() {
            tracing::debug!("Discord did not answer the gateway's close frame in time");
        }
    }
}

/// Queues op 4.
fn send(shard: &Shard, request: &VoiceStateRequest) {
    let Some(guild) = Id::new_checked(request.guild.get()) else { return };
    let channel = request.channel.and_then(|channel| Id::new_checked(channel.get()));
    shard.command(&UpdateVoiceState::new(guild, channel, request.self_deaf, request.self_mute));
}
