//! The task that owns [`Presence`]: asks Discord through songbird's gateway half, starts sessions,
//! carries what everybody says.
//!
//! Every account has a task of its own, with its own sessions: two bots in one guild do not know of
//! each other.

#![allow(clippy::disallowed_methods, reason = "the shell is where tasks and timers are")]

mod lookups;
mod seat;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    num::NonZeroU64,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use clawvoice_session::{
    ChannelId, Generation, GuildId, JoinFailure, JoinOutcome, LeaveOutcome, LookupDoor,
    SessionTime, StageAnswer, StageDoor, UserId, VoiceControl, VoiceGatewayEvent,
    VoiceStateRequest, VoiceStatus, timeline::Record,
};
use secrecy::{ExposeSecret as _, SecretString};
use songbird::shards::Shard;
use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinHandle, JoinSet},
};

use self::{
    lookups::{LookedUp, Lookups},
    seat::{Asking, Seat, Silent},
};
use crate::presence::{
    Connection, Half, Output, Presence, PresenceSettings, Ticket,
    link::{EndPlan, SessionCommand, SessionEvent, SessionHandle, SessionRequest, SessionStarter},
};

/// Requests from commands that may wait for the task.
const ASKS: usize = 64;

/// Session events that may wait for the task; a session that talks faster waits.
const SESSION_EVENTS: usize = 256;

/// How long [`PresenceHandle::leave_all`] waits for sessions to close their sockets.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// How long the word to Discord that we leave waits for the session to close its sockets. Said
/// first, the voice server would close them under us, with 4014.
const LEAVE_HOLD: Duration = Duration::from_millis(300);

/// How presence and the rest of the process talk.
pub struct PresenceChannels {
    /// What the main gateway tells.
    pub events: mpsc::Receiver<VoiceGatewayEvent>,
    /// What the main gateway shall send as op 4.
    pub requests: mpsc::Sender<VoiceStateRequest>,
    /// Timeline records. When it is full, further ones are dropped, counted and logged.
    pub records: mpsc::Sender<Record>,
    /// What asks to speak in stages; without it, nobody asks.
    pub stage: Option<Arc<dyn StageDoor>>,
    /// What looks at voice states and channels; without it, channels are joined without a look and
    /// followed users are where the main gateway tells.
    pub lookups: Option<Arc<dyn LookupDoor>>,
}

impl fmt::Debug for PresenceChannels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceChannels")
            .field("stage", &self.stage.is_some())
            .field("lookups", &self.lookups.is_some())
            .finish()
    }
}

/// Steers presence from anywhere; implements [`VoiceControl`].
#[derive(Clone, Debug)]
pub struct PresenceHandle {
    asks: mpsc::Sender<Ask>,
}

#[derive(Debug)]
enum Ask {
    Join {
        guild: GuildId,
        channel: ChannelId,
        reply: oneshot::Sender<Result<JoinOutcome, JoinFailure>>,
    },
    Leave {
        guild: GuildId,
        reply: oneshot::Sender<LeaveOutcome>,
    },
    Status {
        guild: Option<GuildId>,
        reply: oneshot::Sender<Vec<VoiceStatus>>,
    },
    LeaveAll {
        reply: oneshot::Sender<()>,
    },
    Settings(Box<PresenceSettings>),
}

impl PresenceHandle {
    /// Leaves every channel and refuses further joins. Returns when the main gateway has the
    /// requests and the sessions have closed their sockets, after at most about one second.
    pub async fn leave_all(&self) {
        let (reply, done) = oneshot::channel();
        if self.asks.send(Ask::LeaveAll { reply }).await.is_ok() {
            let _ = done.await;
        }
    }

    /// The configuration changed. [`PresenceSettings::lookups`] stays what it was at the start.
    pub async fn reload(&self, settings: PresenceSettings) {
        // After the end there is nothing to change.
        let _ = self.asks.send(Ask::Settings(Box::new(settings))).await;
    }
}

#[async_trait]
impl VoiceControl for PresenceHandle {
    async fn join(&self, guild: GuildId, channel: ChannelId) -> Result<JoinOutcome, JoinFailure> {
        let (reply, answer) = oneshot::channel();
        let asked = self.asks.send(Ask::Join { guild, channel, reply }).await;
        asked.map_err(|_| JoinFailure::Stopped)?;
        answer.await.unwrap_or(Err(JoinFailure::Stopped))
    }

    async fn leave(&self, guild: GuildId) -> LeaveOutcome {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Leave { guild, reply }).await.is_err() {
            return LeaveOutcome::NotConnected;
        }
        answer.await.unwrap_or(LeaveOutcome::NotConnected)
    }

    async fn status(&self, guild: Option<GuildId>) -> Vec<VoiceStatus> {
        let (reply, answer) = oneshot::channel();
        if self.asks.send(Ask::Status { guild, reply }).await.is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }
}

/// Starts the task. It ends when every handle is dropped.
///
/// `clock` gives the time of the machines; it must be the clock the sessions use, so that the
/// timeline's records are in one time. [`PresenceSettings::lookups`] is set by whether there is a
/// [`PresenceChannels::lookups`].
pub fn start(
    mut settings: PresenceSettings,
    channels: PresenceChannels,
    starter: Arc<dyn SessionStarter>,
    clock: impl Fn() -> SessionTime + Send + Sync + 'static,
) -> (PresenceHandle, JoinHandle<()>) {
    let (asks, asked) = mpsc::channel(ASKS);
    let (from_sessions, session_events) = mpsc::channel(SESSION_EVENTS);
    settings.lookups = channels.lookups.is_some();
    let task = Task {
        machine: Presence::new(settings),
        requests: channels.requests,
        records: Records { sender: channels.records, dropped: 0 },
        stage: channels.stage,
        stage_requests: JoinSet::new(),
        lookups: Lookups::new(channels.lookups),
        starter,
        clock: Box::new(clock),
        user: None,
        seats: BTreeMap::new(),
        sessions: BTreeMap::new(),
        forwarders: JoinSet::new(),
        ending: BTreeMap::new(),
        held_leaves: BTreeMap::new(),
        from_sessions,
        waiting: HashMap::new(),
        next_ticket: 0,
        stopping: None,
    };
    let task = tokio::spawn(task.run(asked, channels.events, session_events));
    (PresenceHandle { asks }, task)
}

struct Task {
    machine: Presence,
    requests: mpsc::Sender<VoiceStateRequest>,
    records: Records,
    stage: Option<Arc<dyn StageDoor>>,
    /// Requests to speak that wait for Discord's answer.
    stage_requests: JoinSet<(GuildId, ChannelId, StageAnswer)>,
    lookups: Lookups,
    starter: Arc<dyn SessionStarter>,
    clock: Box<dyn Fn() -> SessionTime + Send + Sync>,
    user: Option<UserId>,
    /// What collects the halves of the current join, per guild.
    seats: BTreeMap<GuildId, Seat>,
    /// The running sessions.
    sessions: BTreeMap<GuildId, (Generation, mpsc::Sender<SessionCommand>)>,
    /// One task per session that carries its events; ends with the session.
    forwarders: JoinSet<(GuildId, Generation)>,
    /// Sessions that were told to end and are closing their sockets.
    ending: BTreeMap<GuildId, Generation>,
    /// Leaves that wait for such a session, and for how long at most.
    held_leaves: BTreeMap<GuildId, SessionTime>,
    from_sessions: mpsc::Sender<(GuildId, Generation, SessionEvent)>,
    waiting: HashMap<Ticket, oneshot::Sender<Result<JoinOutcome, JoinFailure>>>,
    next_ticket: u64,
    stopping: Option<Stopping>,
}

/// A [`PresenceHandle::leave_all`] that waits for sessions to close.
struct Stopping {
    replies: Vec<oneshot::Sender<()>>,
    until: SessionTime,
}

struct Records {
    sender: mpsc::Sender<Record>,
    dropped: u64,
}

impl Records {
    fn write(&mut self, record: Record) {
        if self.sender.try_send(record).is_err() {
            self.dropped += 1;
            if self.dropped.is_power_of_two() {
                tracing::warn!(
                    "{} timeline records were dropped: the writer is slow",
                    self.dropped
                );
            }
        }
    }
}

impl Task {
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        mut events: mpsc::Receiver<VoiceGatewayEvent>,
        mut session_events: mpsc::Receiver<(GuildId, Generation, SessionEvent)>,
    ) {
        loop {
            let wake = self.wake();
            tokio::select! {
                ask = asked.recv() => match ask {
                    Some(ask) => self.ask(ask),
                    None => break,
                },
                Some(event) = events.recv() => self.gateway(event),
                Some((guild, generation, event)) = session_events.recv() => {
                    self.machine.handle_session((self.clock)(), guild, generation, event);
                }
                Some(ended) = self.forwarders.join_next() => {
                    if let Ok((guild, generation)) = ended
                        && self.ending.get(&guild) == Some(&generation)
                    {
                        self.ending.remove(&guild);
                    }
                }
                Some(Ok((guild, channel, answer))) = self.stage_requests.join_next() => {
                    self.machine.handle_stage((self.clock)(), guild, channel, &answer);
                }
                Some(answer) = self.lookups.next() => self.looked_up(&answer),
                () = sleep_for(wake) => self.machine.handle_timeout((self.clock)()),
            }
            self.drain().await;
            self.send_leaves().await;
            self.finish_stopping();
        }
        self.machine.handle_stop((self.clock)());
        self.drain().await;
        self.ending.clear();
        self.send_leaves().await;
    }

    /// How long until something is due; `None`: nothing is.
    fn wake(&self) -> Option<Duration> {
        let machine = self.machine.poll_timeout().map(|(at, _)| at);
        let stopping = self.stopping.as_ref().map(|stopping| stopping.until);
        let leaves = self.held_leaves.values().copied();
        let at = machine.into_iter().chain(stopping).chain(leaves).min()?;
        Some(at.since((self.clock)()))
    }

    fn ask(&mut self, ask: Ask) {
        let now = (self.clock)();
        match ask {
            Ask::Join { guild, channel, reply } => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.waiting.insert(ticket, reply);
                self.machine.handle_join(now, ticket, guild, channel);
            }
            Ask::Leave { guild, reply } => {
                let _ = reply.send(self.machine.handle_leave(now, guild));
            }
            Ask::Status { guild, reply } => {
                let _ = reply.send(self.machine.status(guild));
            }
            Ask::Settings(mut settings) => {
                settings.lookups = self.lookups.are_possible();
                self.machine.handle_settings(now, *settings);
            }
            Ask::LeaveAll { reply } => {
                self.machine.handle_stop(now);
                let until = now + CLOSE_WAIT;
                let stopping =
                    self.stopping.get_or_insert_with(|| Stopping { replies: Vec::new(), until });
                stopping.replies.push(reply);
            }
        }
    }

    fn looked_up(&mut self, answer: &LookedUp) {
        let now = (self.clock)();
        match answer {
            LookedUp::User { guild, user, answer } => {
                self.machine.handle_lookup(now, *guild, *user, answer);
            }
            LookedUp::Room { guild, channel, answer } => {
                self.machine.handle_room(now, *guild, *channel, answer);
            }
        }
    }

    fn gateway(&mut self, event: VoiceGatewayEvent) {
        if let VoiceGatewayEvent::Ready { user } = event {
            self.user = Some(user);
        }
        self.machine.handle_gateway((self.clock)(), event);
    }

    /// Carries out what the machine wants, and what follows from that, until it wants nothing.
    async fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Connect { guild, channel, generation } => {
                    let shard = Shard::Generic(Arc::new(Asking(self.requests.clone())));
                    self.take_seat(guild, channel, generation, shard).await;
                }
                Output::Follow { guild, channel, generation } => {
                    let shard = Shard::Generic(Arc::new(Silent));
                    self.take_seat(guild, channel, generation, shard).await;
                }
                Output::Feed { guild, generation, half } => self.feed(guild, generation, half),
                Output::Start(request) => self.start_session(request),
                Output::Tell { guild, generation, command } => {
                    self.tell(guild, generation, command);
                }
                Output::End { guild, generation } => {
                    self.tell(guild, generation, SessionCommand::Leave);
                    if let Some((running, commands)) = self.sessions.remove(&guild)
                        && !commands.is_closed()
                    {
                        self.ending.insert(guild, running);
                    }
                }
                Output::Leave { guild } => {
                    self.seats.remove(&guild);
                    self.held_leaves.insert(guild, (self.clock)() + LEAVE_HOLD);
                }
                Output::Forget { guild } => {
                    self.seats.remove(&guild);
                }
                Output::AskToSpeak { guild, channel } => {
                    if let Some(door) = self.stage.clone() {
                        self.stage_requests.spawn(async move {
                            (guild, channel, door.speak(guild, channel).await)
                        });
                    }
                }
                Output::CheckRoom { guild, channel, bot } => {
                    self.lookups.room(guild, channel, bot);
                }
                Output::LookUp { guild, user } => self.lookups.user(guild, user),
                Output::Answer { ticket, result } => {
                    if let Some(reply) = self.waiting.remove(&ticket) {
                        // Whoever asked may be gone.
                        let _ = reply.send(result);
                    }
                }
                Output::Record(record) => self.records.write(record),
            }
        }
    }

    /// Tells Discord of the leaves whose session has closed its sockets, or has had the time to.
    async fn send_leaves(&mut self) {
        let now = (self.clock)();
        let held = self.held_leaves.iter();
        let due: Vec<GuildId> = held
            .filter(|(guild, until)| **until <= now || !self.ending.contains_key(guild))
            .map(|(guild, _)| *guild)
            .collect();
        for guild in due {
            self.held_leaves.remove(&guild);
            self.ending.remove(&guild);
            let leave =
                VoiceStateRequest { guild, channel: None, self_mute: false, self_deaf: false };
            if self.requests.send(leave).await.is_err() {
                tracing::debug!("the main gateway is closed: no leave is sent");
            }
        }
    }

    /// Begins to collect the halves of a join; with an asking shard this sends op 4.
    async fn take_seat(
        &mut self,
        guild: GuildId,
        channel: ChannelId,
        generation: Generation,
        shard: Shard,
    ) {
        self.seats.remove(&guild);
        match seat::call(guild, channel, self.user, shard).await {
            Ok(call) => {
                self.seats.insert(guild, Seat { generation, call, reported: false });
            }
            Err(reason) => {
                self.machine.handle_connection((self.clock)(), guild, generation, Err(reason));
            }
        }
    }

    fn feed(&mut self, guild: GuildId, generation: Generation, half: Half) {
        let Some(seat) = self.seats.get_mut(&guild) else { return };
        if seat.generation != generation {
            return;
        }
        match half {
            Half::State { session_id, channel } => {
                let Some(channel) = NonZeroU64::new(channel.get()) else { return };
                seat.call.update_state(session_id, Some(channel));
            }
            Half::Server { endpoint, token } => {
                seat.call.update_server(endpoint, token.expose_secret().to_owned());
            }
        }
        if let Some(info) = seat.call.current_connection()
            && !seat.reported
        {
            seat.reported = true;
            let connection = Connection {
                session_id: info.session_id.clone(),
                endpoint: info.endpoint.clone(),
                token: SecretString::from(info.token.clone()),
            };
            self.machine.handle_connection((self.clock)(), guild, generation, Ok(connection));
        }
    }

    fn start_session(&mut self, request: SessionRequest) {
        let (guild, generation) = (request.guild, request.generation);
        let SessionHandle { commands, events } = self.starter.start(request);
        self.sessions.insert(guild, (generation, commands));
        self.forwarders.spawn(forward(guild, generation, events, self.from_sessions.clone()));
    }

    fn tell(&mut self, guild: GuildId, generation: Generation, command: SessionCommand) {
        let Some((current, commands)) = self.sessions.get(&guild) else { return };
        if *current != generation {
            return;
        }
        if let Err(error) = commands.try_send(command) {
            // A session that is over reads nothing; a full queue loses a name or a server, and a
            // leave is then told by dropping the sender.
            tracing::debug!("the voice session of guild {guild} did not take a command: {error}");
        }
    }

    fn finish_stopping(&mut self) {
        let now = (self.clock)();
        let over = |stopping: &Stopping| stopping.until <= now;
        if self.forwarders.is_empty() || self.stopping.as_ref().is_some_and(over) {
            for reply in self.stopping.take().into_iter().flat_map(|stopping| stopping.replies) {
                let _ = reply.send(());
            }
        }
    }
}

/// Sleeps, or waits forever.
async fn sleep_for(wake: Option<Duration>) {
    match wake {
        Some(wake) => tokio::time::sleep(wake).await,
        None => std::future::pending().await,
    }
}

/// Carries one session's events; a session that ends without a word is told as ended.
async fn forward(
    guild: GuildId,
    generation: Generation,
    mut events: mpsc::Receiver<SessionEvent>,
    to: mpsc::Sender<(GuildId, Generation, SessionEvent)>,
) -> (GuildId, Generation) {
    while let Some(event) = events.recv().await {
        if to.send((guild, generation, event)).await.is_err() {
            return (guild, generation);
        }
    }
    // Of no effect if it said so itself: its generation is then over.
    let reason = "the voice session stopped".to_owned();
    let ended = SessionEvent::Ended { reason, plan: EndPlan::StayDown };
    let _ = to.send((guild, generation, ended)).await;
    (guild, generation)
}

#[cfg(test)]
mod tests;
