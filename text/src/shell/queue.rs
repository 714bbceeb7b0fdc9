//! Lets REST requests out when their turn has come.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::{Notify, oneshot};

use super::clock::{now, sleep_until};
use crate::requests::{
    bucket::Limits,
    refusals::RefusalCounts,
    retry::{Attempt, Next},
    route::Route,
    schedule::{QueueFull, Schedule, Ticket},
    settings::RestSettings,
};

/// The queue in front of Discord's API.
#[derive(Debug)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    /// Whether the task that keeps the time runs; it needs a runtime, which there may not be yet
    /// when this is made.
    keeper: OnceLock<()>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Notify,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Inner {
    schedule: Schedule,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    pub(super) fn new(settings: RestSettings) -> Self {
        let inner = Inner { schedule: Schedule::new(settings), waiting: HashMap::new() };
        let shared = Shared {
            inner: Mutex::new(inner),
            changed: Notify::new(),
            closed: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared), keeper: OnceLock::new() }
    }

    /// A place in the queue; it is given back when it is dropped. `most`: how often the request is
    /// made at most, if not as often as others.
    pub(super) fn enter(&self, route: Route, most: Option<u32>) -> Result<Place<'_>, QueueFull> {
        self.keeper.get_or_init(|| {
            tokio::spawn(keep(Arc::clone(&self.shared)));
        });
        let (go, turn) = oneshot::channel();
        let mut inner = self.shared.lock();
        let ticket = inner.schedule.submit(now(), route, most)?;
        inner.waiting.insert(ticket, go);
        drop(inner);
        self.shared.changed.notify_one();
        Ok(Place { queue: self, ticket, turn: Some(turn) })
    }

    /// Whether the gateway is down.
    pub(super) fn gateway_is_down(&self, is_down: bool) {
        self.shared.lock().schedule.handle_gateway(is_down);
    }

    /// Refusals of the last ten minutes.
    pub(super) fn refusals(&self) -> RefusalCounts {
        self.shared.lock().schedule.refusals(now())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }
}

/// Lets out what may go, whenever something changed or its time has come.
async fn keep(shared: Arc<Shared>) {
    while !shared.closed.load(Ordering::Acquire) {
        let due = {
            let mut inner = shared.lock();
            let now = now();
            while let Some(ticket) = inner.schedule.poll_output(now) {
                let told = inner.waiting.remove(&ticket).map(|waiting| waiting.send(()));
                if told != Some(Ok(())) {
                    // Its caller has gone.
                    inner.schedule.cancel(ticket);
                }
            }
            inner.schedule.poll_timeout(now)
        };
        tokio::select! {
            () = shared.changed.notified() => {}
            () = sleep_until(due) => {}
        }
    }
}

/// A request in the queue.
#[derive(Debug)]
pub(super) struct Place<'a> {
    queue: &'a Queue,
    ticket: Ticket,
    turn: Option<oneshot::Receiver<()>>,
}

impl Place<'_> {
    /// Waits for its turn. False: it has none.
    pub(super) async fn turn(&mut self) -> bool {
        match self.turn.take() {
            Some(turn) => turn.await.is_ok(),
            None => false,
        }
    }

    /// An attempt ended; what is next. After [`Next::Again`], [`Self::turn`] waits long enough.
    pub(super) fn ended(&mut self, attempt: &Attempt, limits: &Limits) -> Next {
        let mut inner = self.queue.shared.lock();
        let roll = rand::random();
        let next = inner.schedule.handle_attempt(now(), self.ticket, attempt, limits, roll);
        if matches!(next, Next::Again(_)) {
            let (go, turn) = oneshot::channel();
            inner.waiting.insert(self.ticket, go);
            self.turn = Some(turn);
        }
        drop(inner);
        self.queue.shared.changed.notify_one();
        next
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.queue.shared.lock();
        inner.waiting.remove(&self.ticket);
        inner.schedule.cancel(self.ticket);
        drop(inner);
        self.queue.shared.changed.notify_one();
    }
}
