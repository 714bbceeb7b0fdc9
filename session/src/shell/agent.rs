//! The agent itself: sessions with their queues, each run a task.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    brain::{Brain, Patience, Provider},
    heard::Answers,
    known_answers::KnownAnswers,
    profile::Profiles,
    run::{Run, RunEnd, RunFailure, RunLine, RunWith},
    spending::{SpendingMonitor, SpendingRules},
    store::{Store, StoreError},
};
use crate::{
    SessionKey,
    agent::{
        Agent, AgentEvent, Ask, AskedBy, Control, ControlOutcome, NotWritten, RunActivity, RunId,
        RunReport, SpentToday,
        queue::{AfterAnswer, Dropped, QueueOutput, RunQueue, Ticket},
        surroundings::Surroundings,
    },
    brain::cache::CacheRule,
    history::{Exchange, Outcome, Spent},
    spending::{self, Day},
    tools::{
        Tool, Tools,
        clock::CurrentTime,
        memory::{MemoryGet, MemorySearch},
    },
};

/// How long runs may take to end when the agent closes.
const CLOSING: Duration = Duration::from_secs(5);

/// The surface of turns that [`Agent::note`] writes.
const NOTED: &str = "noted";

/// Bounds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunLimits {
    /// After so many rounds of tools the model has to answer without. Default 8.
    pub tool_rounds: u32,
    /// How long one tool may take. Default 30 s.
    pub tool_deadline: Duration,
    /// How long a run may take. Default 10 min.
    pub run_deadline: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            tool_rounds: 8,
            tool_deadline: Duration::from_secs(30),
            run_deadline: Duration::from_secs(600),
        }
    }
}

/// What the agents of a process are made of.
#[derive(Clone, Debug)]
pub struct AgentSettings {
    /// Who they are, and what they think with.
    pub profiles: Profiles,
    /// Who has their models.
    pub providers: BTreeMap<String, Provider>,
    /// How long endpoints may take.
    pub patience: Patience,
    /// The SQLite file.
    pub store: PathBuf,
    /// How much of a session's history the model is shown, in tokens of four characters.
    pub history_tokens: u64,
    /// Bounds of a run.
    pub limits: RunLimits,
    /// How long answers are given again; `None`: a model is asked every time.
    pub cache: Option<CacheRule>,
    /// What may be spent, and what of it is worth a warning.
    pub spending_rules: SpendingRules,
    /// Where it is told what is spent.
    pub spending: SpendingMonitor,
    /// Tools besides the built-in ones (`current_time`, `memory_search`, `memory_get`).
    pub tools: Vec<SharedTool>,
}

/// A tool to give to an agent.
#[derive(Clone)]
pub struct SharedTool(pub Arc<dyn Tool>);

impl std::fmt::Debug for SharedTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFailure {
    /// No store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No TLS.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

/// A running agent.
#[derive(Debug)]
pub struct RunningAgent {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    profiles: Profiles,
    limits: RunLimits,
    brain: Brain,
    known: Option<KnownAnswers>,
    spending: SpendingMonitor,
    store: Arc<Store>,
    tools: Tools,
    /// Sessions with something to do. Held for moments only, never across an await.
    sessions: Mutex<HashMap<SessionKey, Session>>,
    /// Held for moments only, like the sessions.
    answers: Mutex<Answers>,
    /// The same.
    surroundings: Mutex<Surroundings>,
    /// Set once, on closing.
    closed: watch::Sender<bool>,
    /// Runs whose task has not ended.
    running: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Session {
    queue: RunQueue<Asked>,
    /// Stops the active run.
    stop: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Asked {
    ask: Ask,
    reports: mpsc::Sender<RunReport>,
}

/// The store, or one in memory as long as the disk does not let us: people can still be answered.
async fn open(path: &Path, history_tokens: u64) -> Result<Store, StoreError> {
    match Store::open(path, history_tokens).await {
        Err(error) if error.may_pass() => {
            tracing::warn!("conversations are not kept: {error}");
            Store::in_memory(history_tokens).await
        }
        opened => opened,
    }
}

impl RunningAgent {
    /// Opens the store and is ready. If the disk is full, read-only or broken, or the file locked,
    /// conversations are kept in memory only, with a warning.
    ///
    /// # Errors
    ///
    /// When the store or an HTTP client cannot be had.
    pub async fn start(settings: AgentSettings) -> Result<Arc<Self>, StartFailure> {
        let store = Arc::new(open(&settings.store, settings.history_tokens).await?);
        let now = Timestamp::now();
        let rules = settings.spending_rules;
        if let Err(error) = settings.spending.begin(rules, &store, now).await {
            tracing::warn!("what was spent today is not known: {error}");
        }
        let mut tools = Tools::default();
        tools.add(Arc::new(CurrentTime));
        tools.add(Arc::new(MemorySearch(Arc::clone(&store))));
        tools.add(Arc::new(MemoryGet(Arc::clone(&store))));
        for SharedTool(tool) in settings.tools {
            tools.add(tool);
        }
        Ok(Arc::new(Self {
            shared: Arc::new(Shared {
                profiles: settings.profiles,
                limits: settings.limits,
                brain: Brain::new(settings.providers, settings.patience)?,
                known: settings.cache.map(KnownAnswers::new),
                spending: settings.spending,
                store,
                tools,
                sessions: Mutex::default(),
                answers: Mutex::default(),
                surroundings: Mutex::default(),
                closed: watch::Sender::new(false),
                running: watch::Sender::new(0),
            }),
        }))
    }

    /// Its store, for what sessions and users have cost.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.shared.store
    }

    /// Has the models of these providers asked from the next request on.
    pub fn set_providers(&self, providers: BTreeMap<String, Provider>) {
        self.shared.brain.set_providers(providers);
    }

    /// Stops all runs, tells their askers, and closes the store. What is asked afterwards is
    /// refused.
    pub async fn close(&self) {
        self.shared.closed.send_replace(true);
        let keys: Vec<SessionKey> = {
            let sessions = self.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.keys().cloned().collect()
        };
        for key in keys {
            self.shared.drive(&key, RunQueue::handle_close);
        }
        let mut running = self.shared.running.subscribe();
        let ended = timeout(CLOSING, running.wait_for(|running| *running == 0)).await;
        if ended.is_err() {
            tracing::warn!("some runs did not end in time; closing the store without them");
        }
        self.shared.store.close().await;
    }
}

#[async_trait]
impl Agent for RunningAgent {
    async fn ask(&self, ask: Ask, reports: mpsc::Sender<RunReport>) {
        let session = ask.session.clone();
        let run = ask.run;
        let closed = *self.shared.closed.borrow();
        self.shared.drive(&session, move |queue| {
            if closed {
                queue.handle_close();
            }
            queue.handle_ask(run, Asked { ask, reports });
        });
    }

    async fn control(&self, session: &SessionKey, control: Control) -> ControlOutcome {
        self.shared.drive(session, |queue| queue.handle_control(control))
    }

    async fn cancel(&self, session: &SessionKey, run: RunId) {
        self.shared.drive(session, |queue| queue.handle_cancel(run));
    }

    async fn heard(&self, session: &SessionKey, run: RunId, text: String) {
        let written = self.shared.answers().heard(session, run, &text);
        if let Some(exchange) = written {
            self.shared.amend(session, exchange, text).await;
        }
    }

    async fn surround(&self, session: &SessionKey, place: &str, text: Option<String>) {
        self.shared.surroundings().set(session, place, text);
    }

    async fn reset(&self, session: &SessionKey) -> Result<(), NotWritten> {
        self.shared.store.reset(session).await.map_err(|error| NotWritten(error.to_string()))
    }

    async fn spent(&self, session: &SessionKey) -> Option<Spent> {
        let status = self.shared.store.status(session).await;
        status.map(|status| status.spent).ok()
    }

    async fn spent_today(&self, session: &SessionKey) -> Option<SpentToday> {
        let now = Timestamp::now();
        let of_session = self.shared.store.cost_of_day(session, Day::of(now)).await.ok()?;
        let agent = self.shared.spending.today(now, session.agent());
        Some(SpentToday { session: of_session, agent })
    }

    async fn note(&self, session: &SessionKey, by: AskedBy, said: String, answered: String) {
        if said.is_empty() && answered.is_empty() {
            return;
        }
        let exchange = Exchange {
            by,
            surface: NOTED.to_owned(),
            said,
            answered,
            outcome: Outcome::Noted,
            model: None,
            charges: Vec::new(),
            channel: None,
            at: Timestamp::now(),
            generation: None,
            origin: None,
        };
        if let Err(error) = self.shared.store.record(session, exchange).await {
            tracing::warn!(session = %session, "a turn was not noted: {error}");
        }
    }
}

impl Shared {
    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn surroundings(&self) -> std::sync::MutexGuard<'_, Surroundings> {
        self.surroundings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn amend(&self, session: &SessionKey, exchange: i64, answered: String) {
        if let Err(error) = self.store.amend(session, exchange, answered).await {
            tracing::warn!(session = %session, "an answer keeps more than was heard: {error}");
        }
    }

    /// Gives the session's queue an input and carries out what follows.
    fn drive<T>(
        self: &Arc<Self>,
        key: &SessionKey,
        input: impl FnOnce(&mut RunQueue<Asked>) -> T,
    ) -> T {
        let mut begun = Vec::new();
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.entry(key.clone()).or_default();
        let given = input(&mut session.queue);
        while let Some(output) = session.queue.poll_output() {
            match output {
                QueueOutput::Begin { ticket, ask } => {
                    let (stop, stopped) = oneshot::channel();
                    session.stop = Some(stop);
                    begun.push((ticket, ask, stopped));
                }
                QueueOutput::Stop(_) => {
                    if let Some(stop) = session.stop.take() {
                        // If the run is just ending by itself, nobody listens.
                        let _ = stop.send(());
                    }
                }
                QueueOutput::Drop { ask, why } => tell_dropped(ask, why),
            }
        }
        if session.queue.is_idle() {
            sessions.remove(key);
        }
        drop(sessions);
        // Without the lock: a runtime that is going down drops a task at once, and with it its
        // place in the session.
        for (ticket, ask, stopped) in begun {
            self.running.send_modify(|running| *running += 1);
            let place = Place { shared: Arc::clone(self), key: key.clone(), ticket };
            tokio::spawn(run(place, ask, stopped));
        }
        given
    }
}

fn tell_dropped(asked: Asked, why: Dropped) {
    let event = match why {
        Dropped::Cancelled => AgentEvent::Cancelled,
        Dropped::Full => AgentEvent::Failed("too many turns wait in this session".to_owned()),
        Dropped::Closed => AgentEvent::Failed("the agent is shutting down".to_owned()),
    };
    let report = RunReport { run: asked.ask.run, event };
    // The one who cancels may be the one who reads: he must not wait for himself.
    if let Err(mpsc::error::TrySendError::Full(report)) = asked.reports.try_send(report) {
        tokio::spawn(async move {
            let _ = asked.reports.send(report).await;
        });
    }
}

/// A run's place in its session. Dropping it lets the next run begin, whatever became of this one.
struct Place {
    shared: Arc<Shared>,
    key: SessionKey,
    ticket: Ticket,
}

impl Drop for Place {
    fn drop(&mut self) {
        let ticket = self.ticket;
        self.shared.drive(&self.key, |queue| queue.handle_over(ticket));
        self.shared.running.send_modify(|running| *running -= 1);
    }
}

impl RunLine for Place {
    fn activity(&self, activity: RunActivity) {
        self.shared.drive(&self.key, |queue| queue.handle_activity(self.ticket, activity));
    }

    fn take_words(&self) -> Vec<String> {
        self.shared.drive(&self.key, |queue| queue.take_words(self.ticket))
    }

    fn answered(&self) -> AfterAnswer {
        self.shared.drive(&self.key, |queue| queue.handle_answer(self.ticket))
    }
}

async fn run(place: Place, asked: Asked, stopped: oneshot::Receiver<()>) {
    let shared = Arc::clone(&place.shared);
    let profile = shared.profiles.of(&place.key);
    let mut run = Run::new(asked.ask, asked.reports);
    let with = RunWith {
        brain: &shared.brain,
        known: shared.known.as_ref(),
        spending: &shared.spending,
        store: &shared.store,
        tools: &shared.tools,
        limits: shared.limits,
        system_prompt: &profile.system_prompt,
        own_models: &profile.models,
        surroundings: shared.surroundings().of(&place.key),
    };
    let deadline = shared.limits.run_deadline;
    // Its work is dropped here at the latest, and with it the connection to the model.
    let ended = tokio::select! {
        biased;
        Ok(()) = stopped => Ok(Ok(RunEnd::Stopped)),
        ended = timeout(deadline, run.go(&with, &place)) => ended,
    };
    let (outcome, failed) = match ended {
        Ok(Ok(RunEnd::Answered)) => (Outcome::Answered, None),
        Ok(Ok(RunEnd::Stopped)) => (Outcome::Cancelled, None),
        Ok(Err(failure)) => (Outcome::Failed, Some(told(&run, failure))),
        Err(_) => {
            let words = format!("not done within {} s", deadline.as_secs_f32());
            (Outcome::Failed, Some(AgentEvent::Failed(words)))
        }
    };
    let spent = spending::total(run.settle(&shared.brain));
    shared.spending.spend(Timestamp::now(), &run.spender(), run.charges());
    // Written before it is told, so that what was told is remembered after a crash.
    if !run.is_repeated() {
        write(&shared, &run, outcome).await;
    }
    tracing::info!(
        session = %run.ask().session,
        outcome = outcome.word(),
        input = spent.usage.input,
        cached = spent.usage.cached,
        output = spent.usage.output,
        estimated = spent.estimated,
        nano_usd = spent.nano_dollars,
        "run over"
    );
    let last = match (outcome, failed) {
        (_, Some(failed)) => failed,
        (Outcome::Cancelled, None) => AgentEvent::Cancelled,
        (_, None) => AgentEvent::Answered { text: run.text().to_owned(), usage: spent.usage },
    };
    run.report(last).await;
    drop(place);
}

/// What the asker is told of a run that failed.
fn told(run: &Run, failure: RunFailure) -> AgentEvent {
    match failure {
        RunFailure::OverBudget(over) => {
            tracing::info!(session = %run.ask().session, user = %run.ask().by.user, "refused: {over}");
            AgentEvent::Refused(over.told().to_owned())
        }
        failure => AgentEvent::Failed(failure.to_string()),
    }
}

async fn write(shared: &Shared, run: &Run, outcome: Outcome) {
    let (session, number) = (&run.ask().session, run.ask().run);
    let heard = shared.answers().take_heard(session, number);
    let exchange = Exchange {
        by: run.ask().by.clone(),
        surface: run.ask().surface.to_owned(),
        said: run.said(),
        answered: heard.unwrap_or_else(|| run.text().to_owned()),
        outcome,
        model: run.model().map(ToString::to_string),
        charges: run.charges().to_vec(),
        channel: run.ask().channel,
        at: Timestamp::now(),
        generation: run.generation(),
        origin: run.ask().origin.clone(),
    };
    match shared.store.record(session, exchange).await {
        Ok(Some(exchange)) => {
            let heard = shared.answers().note(session, number, exchange);
            if let Some(heard) = heard {
                shared.amend(session, exchange, heard).await;
            }
        }
        Ok(None) => {}
        Err(error) => tracing::warn!(session = %session, "a turn was not written: {error}"),
    }
}
