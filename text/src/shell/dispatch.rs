//! Handles what comes from the websockets' thread, in order: voice and text are told, commands begin.

mod commands;
mod sessions;

use std::{
    collections::{BTreeSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use clawvoice_session::{
    Directory, GuildId, SessionTime, UserId, VoiceControl, VoiceGatewayEvent, VoiceStateRequest,
    access::Policy,
    audit::{Answer, Credential},
};
use serde_json::json;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    arrival::{Arrival, Routes},
    clock::{now, sleep_until},
    desk::SlashDoor,
    feed::TextFeed,
    gateway::{GatewayFailure, PresenceInput, Stop},
    keeper::Keeper,
    rest::Rest,
    shard::CLOSE_WAIT,
};
use crate::{
    command::Definition,
    connection::{
        handover::Handover, link::Resumable, listeners::Listeners, presence::PresenceLine,
        recall::Recall, saved::Saved, settings::EventQueueSettings, status::GatewayMonitor,
    },
    incoming::{self, Incoming, Interaction, TextEvent},
};

/// Voice events that wait for a slow voice side. Beyond it the queue is not read.
const MAX_OUTBOX: usize = 4096;

/// Text events that wait for a slow text side. Beyond it the queue is not read.
const MAX_TEXTS: usize = 4096;

/// Commands that wait for a slot. Beyond it the queue is not read.
const MAX_WAITING: usize = 256;

/// How long shutdown waits for Discord to confirm that the bot left voice.
const LEAVE_WAIT: Duration = Duration::from_millis(500);

/// How long a restart waits for running handlers.
const FINISH_WAIT: Duration = Duration::from_secs(3);

/// What handlers work with.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) rest: Arc<Rest>,
    pub(super) voice: Option<Arc<dyn VoiceControl>>,
    pub(super) policy: watch::Receiver<Arc<Policy>>,
    pub(super) slash: Option<SlashDoor>,
    /// The commands that are registered.
    pub(super) definitions: Arc<[Definition]>,
    /// Whether only whoever typed a command sees the reply.
    pub(super) ephemeral: bool,
    pub(super) events: mpsc::Sender<VoiceGatewayEvent>,
    pub(super) routes: Routes,
    pub(super) monitor: GatewayMonitor,
    pub(super) credential: Option<Credential>,
}

/// What handles events, across websockets and connections.
pub(super) struct Dispatcher {
    around: Surroundings,
    user: Option<UserId>,
    /// Per shard: the session, at the number of the last event that was handled.
    sessions: Vec<Option<Resumable>>,
    /// Per shard: whether commands can be sent.
    established: Vec<bool>,
    /// Guilds in whose voice channels the bot is, as Discord tells.
    in_voice: BTreeSet<GuildId>,
    recall: Recall,
    /// Copied by commands that go by it.
    directory: Arc<Directory>,
    /// Of a process before this one: told as soon as its session goes on.
    inherited: Option<Saved>,
    /// Seats in voice that the last process left behind and Discord has not cleared yet.
    seats: BTreeSet<GuildId>,
    /// Until when voice is not told that the bot is connected: it would ask for a seat and take the
    /// news that the old one is cleared for a refusal.
    ready_due: Option<SessionTime>,
    outbox: VecDeque<VoiceGatewayEvent>,
    /// What text is told; `None`: there is no text side.
    text: Option<TextFeed>,
    texts: VecDeque<TextEvent>,
    handover: Handover,
    /// Requests that wait for a session, the last one per guild.
    held: Vec<VoiceStateRequest>,
    listeners: Listeners,
    handlers: JoinSet<u64>,
    /// Commands that wait for a slot.
    waiting: VecDeque<Interaction>,
    presence: PresenceLine,
    keeper: Keeper,
}

/// The connection, seen from here: completes when it is over.
pub(super) type Driver<'a> = Pin<&'a mut (dyn Future<Output = Result<(), GatewayFailure>> + Send)>;

impl Dispatcher {
    /// `inherited`: what the last process left.
    pub(super) fn new(
        around: Surroundings,
        settings: EventQueueSettings,
        presence: PresenceLine,
        keeper: Keeper,
        inherited: Option<Saved>,
        text: Option<TextFeed>,
    ) -> Self {
        let sessions = inherited.as_ref().map(|saved| saved.sessions.clone()).unwrap_or_default();
        let established = vec![false; sessions.len()];
        Self {
            around,
            user: None,
            sessions,
            established,
            in_voice: BTreeSet::new(),
            directory: Arc::default(),
            recall: inherited.as_ref().map(|saved| saved.recall.clone()).unwrap_or_default(),
            inherited,
            seats: BTreeSet::new(),
            ready_due: None,
            outbox: VecDeque::new(),
            text,
            texts: VecDeque::new(),
            handover: Handover::default(),
            held: Vec::new(),
            listeners: Listeners::new(settings),
            handlers: JoinSet::new(),
            waiting: VecDeque::new(),
            presence,
            keeper,
        }
    }

    /// Handles what comes until `shutdown`, or until the connection is refused for good.
    pub(super) async fn serve(
        &mut self,
        mut driver: Driver<'_>,
        arrivals: &mut mpsc::Receiver<Arrival>,
        requests: &mut mpsc::Receiver<VoiceStateRequest>,
        wanted: &mut watch::Receiver<PresenceInput>,
        shutdown: &mut (impl Future<Output = Stop> + Unpin),
    ) -> Result<Stop, GatewayFailure> {
        let mut wanted_open = true;
        let events = self.around.events.clone();
        let text = self.text.as_ref().map(|text| text.events.clone());
        let mut taken = self.text.as_ref().map(|text| text.taken.clone());
        loop {
            let room = self.has_room();
            let save_at = self.save_due();
            let line_at = self.presence.poll_timeout().filter(|_| self.is_established());
            let listeners_at = self.listeners.poll_timeout();
            tokio::select! {
                how = &mut *shutdown => return Ok(how),
                outcome = &mut driver => return outcome.map(|()| Stop::Final),
                Some(request) = requests.recv() => self.request(request),
                permit = events.reserve(), if !self.outbox.is_empty() => {
                    match (permit, self.outbox.pop_front()) {
                        (Ok(permit), Some(event)) => permit.send(event),
                        // Nobody listens to voice events any more.
                        _ => self.outbox.clear(),
                    }
                }
                permit = reserve(text.as_ref()), if !self.texts.is_empty() => {
                    match (permit, self.texts.pop_front()) {
                        (Some(permit), Some(event)) => permit.send(event),
                        // Text has ended: what it did not take, the next process is told again.
                        _ => self.texts.clear(),
                    }
                }
                count = next_count(taken.as_mut()), if text.is_some() => {
                    self.handover.handle_taken(count);
                    self.count();
                }
                Some(ended) = self.handlers.join_next() => self.ended(ended.ok()),
                Some(arrival) = arrivals.recv(), if room => self.handle(arrival),
                changed = wanted.changed(), if wanted_open => {
                    wanted_open = changed.is_ok();
                    let input = wanted.borrow_and_update().clone();
                    self.presence.handle_settings(now(), input.settings);
                    self.presence.handle_health(now(), input.health);
                }
                () = sleep_until(line_at) => self.show_presence(),
                () = sleep_until(listeners_at) => {
                    for line in self.listeners.handle_timeout(now()) {
                        tracing::warn!("{line}");
                    }
                }
                () = sleep_until(save_at) => self.save(),
                () = sleep_until(self.ready_due) => {
                    tracing::warn!("Discord did not confirm in time that the bot left voice");
                    self.seats.clear();
                    self.seats_are_free();
                }
            }
        }
    }

    fn has_room(&self) -> bool {
        self.outbox.len() < MAX_OUTBOX
            && self.texts.len() < MAX_TEXTS
            && self.waiting.len() < MAX_WAITING
    }

    /// Ends: sends what was asked for, leaves voice if it is for good, lets the connection go by
    /// `stop`, and writes down what the next process resumes, or that there is nothing.
    pub(super) async fn close(
        mut self,
        how: Stop,
        mut driver: Driver<'_>,
        stop: &watch::Sender<Option<Stop>>,
        arrivals: &mut mpsc::Receiver<Arrival>,
        requests: &mut mpsc::Receiver<VoiceStateRequest>,
    ) {
        while let Ok(request) = requests.try_recv() {
            self.request(request);
        }
        if how == Stop::Final {
            self.leave_voice(arrivals).await;
        }
        stop.send_replace(Some(how));
        let wait = if how == Stop::Final { CLOSE_WAIT } else { FINISH_WAIT };
        let mut running = true;
        let over = async {
            while running || !self.handlers.is_empty() || !self.waiting.is_empty() {
                tokio::select! {
                    _ = &mut driver, if running => running = false,
                    Some(arrival) = arrivals.recv() => self.handle(arrival),
                    Some(ended) = self.handlers.join_next() => self.ended(ended.ok()),
                    else => break,
                }
            }
        };
        if timeout(wait, over).await.is_err() {
            tracing::debug!("a running command was not answered before the end");
        }
        while let Ok(arrival) = arrivals.try_recv() {
            self.handle(arrival);
        }
        self.keeper.settle().await;
        if how == Stop::Restart && self.tell_the_rest().await {
            self.save();
            self.keeper.settle().await;
        }
    }

    /// Gives voice what waits for it; false if voice does not take it, and then the next process
    /// hears it again.
    async fn tell_the_rest(&mut self) -> bool {
        let events = self.around.events.clone();
        let text = self.text.as_ref().map(|text| text.events.clone());
        let mut taken = self.text.as_ref().map(|text| text.taken.clone());
        let told = async {
            while let Some(event) = self.outbox.pop_front() {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            while let (Some(event), Some(text)) = (self.texts.pop_front(), &text) {
                if text.send(event).await.is_err() {
                    return;
                }
            }
            while self.text.is_some() && !self.handover.is_settled() {
                self.handover.handle_taken(next_count(taken.as_mut()).await);
                self.count();
            }
        };
        timeout(LEAVE_WAIT, told).await.is_ok()
    }

    async fn leave_voice(&mut self, arrivals: &mut mpsc::Receiver<Arrival>) {
        for guild in self.in_voice.clone() {
            self.request(leave(guild));
        }
        let left = async {
            while !self.in_voice.is_empty() && self.is_established() {
                let Some(arrival) = arrivals.recv().await else { return };
                self.handle(arrival);
            }
        };
        if timeout(LEAVE_WAIT, left).await.is_err() {
            tracing::warn!("Discord did not confirm in time that the bot left voice");
        }
    }

    fn is_established(&self) -> bool {
        self.established.iter().any(|established| *established)
    }

    /// Sends a request at once if its shard has a session, else keeps it; a newer one of the same
    /// guild replaces an older one.
    fn request(&mut self, request: VoiceStateRequest) {
        self.held.retain(|held| held.guild != request.guild);
        let shard = self.shard_of(request.guild);
        let ready = self.established.get(shard).copied().unwrap_or(false);
        if !ready || !self.around.routes.send_voice_state(shard, &request) {
            self.held.push(request);
        }
    }

    fn handle(&mut self, arrival: Arrival) {
        self.around.monitor.taken();
        self.keeper.note();
        if let (Arrival::Ready { .. } | Arrival::Resumed { .. }, Some(credential)) =
            (&arrival, &self.around.credential)
        {
            credential.used(Answer::Ok);
        }
        match arrival {
            Arrival::Ready { shard, session, text } => self.ready(shard, session, text),
            Arrival::Resumed { shard, sequence } => self.resumed(shard, sequence),
            Arrival::Event { shard, sequence, text } => {
                self.event(text);
                self.handover.handle_event(shard, sequence);
                self.count();
            }
            Arrival::Away { shard } => {
                if let Some(established) = self.established.get_mut(shard) {
                    *established = false;
                }
            }
            Arrival::SessionLost { shard } => self.session_lost(shard),
        }
        self.around.rest.gateway_is_down(!self.is_established());
    }

    /// Tells text, if there is a text side.
    fn tell(&mut self, event: TextEvent) {
        if self.text.is_some() {
            self.recall.follow_text(&event);
            self.handover.handle_given();
            self.texts.push_back(event);
        }
    }

    fn event(&mut self, text: String) {
        // Events that were missed come before RESUMED.
        self.inherit();
        match incoming::read(text) {
            Ok(Incoming::Told { voice, text }) => {
                for event in voice {
                    self.follow(&event);
                    self.outbox.push_back(event);
                }
                self.seats_are_free();
                text.into_iter().for_each(|event| self.tell(event));
            }
            Ok(Incoming::Interaction(interaction)) => {
                self.waiting.push_back(interaction);
                self.start_waiting();
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("a gateway event is skipped: {error}"),
        }
    }

    /// Remembers in which guilds the bot itself is in voice, and what a resumed session does not
    /// tell again.
    fn follow(&mut self, event: &VoiceGatewayEvent) {
        self.recall.follow(event);
        Arc::make_mut(&mut self.directory).follow(event);
        if let VoiceGatewayEvent::State(state) = event
            && Some(state.user) == self.user
        {
            match state.channel {
                Some(_) => self.in_voice.insert(state.guild),
                None => {
                    self.seats.remove(&state.guild);
                    self.in_voice.remove(&state.guild)
                }
            };
        }
    }

    fn show_presence(&mut self) {
        let Some(presence) = self.presence.poll_output(now()) else { return };
        let command = json!({"op": 3, "d": presence.data()}).to_string();
        for shard in 0..self.established.len() {
            if self.established[shard] && !self.around.routes.send(shard, command.clone()) {
                tracing::debug!("the status line of shard {shard} is not changed");
            }
        }
    }

    fn save_due(&self) -> Option<SessionTime> {
        // An event counts as handled only when nothing of it waits any more.
        let told = self.outbox.is_empty() && self.waiting.is_empty();
        self.keeper.due().filter(|_| told && self.user.is_some() && self.is_established())
    }

    fn save(&mut self) {
        if let Some(user) = self.user {
            self.keeper.save(user, &self.sessions, &self.recall);
        }
    }
}

/// A place in text's queue; none if text has ended.
async fn reserve(text: Option<&mpsc::Sender<TextEvent>>) -> Option<mpsc::Permit<'_, TextEvent>> {
    text?.reserve().await.ok()
}

/// How many events text has taken, when that changes. After text's end nothing changes any more.
async fn next_count(taken: Option<&mut watch::Receiver<u64>>) -> u64 {
    let Some(taken) = taken else { return std::future::pending().await };
    match taken.changed().await {
        Ok(()) => *taken.borrow_and_update(),
        Err(_) => std::future::pending().await,
    }
}

fn leave(guild: GuildId) -> VoiceStateRequest {
    VoiceStateRequest { guild, channel: None, self_mute: false, self_deaf: false }
}
