//! The queue of REST requests.
//!
//! Requests of one rate limit go one after the other, in the order in which they came; one that is
//! asked again keeps its place. Answers to interactions go first and need no free worker; what only
//! looks goes last. When too many wait, the next one is refused: its caller is told, nothing that
//! waits is dropped.

use std::collections::{BTreeMap, HashMap, HashSet};

use clawvoice_session::SessionTime;

use super::{
    bucket::{Bucket, Limits},
    refusals::{RefusalCounts, Refusals},
    retry::{Attempt, Attempts, Next},
    route::{Priority, Route},
    settings::RestSettings,
};

/// Rate limits that are remembered before those that say nothing any more are forgotten.
const MAX_BUCKETS: usize = 4096;

/// A request in the queue: later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ticket(u64);

/// Too many requests wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QueueFull;

/// A rate limit: the bucket's name, or the route's until it is known, and the resource.
type Key = (String, String);

#[derive(Debug)]
struct Request {
    route: Route,
    key: Key,
    /// Not before.
    due: SessionTime,
    under_way: bool,
    attempts: Attempts,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Schedule {
    settings: RestSettings,
    requests: BTreeMap<Ticket, Request>,
    buckets: HashMap<Key, Bucket>,
    /// Bucket names by route, as Discord told them.
    names: HashMap<String, String>,
    /// No route but interactions before.
    paused_until: SessionTime,
    refusals: Refusals,
    last_sent: Option<SessionTime>,
    next: u64,
}

impl Schedule {
    /// An empty queue.
    pub(crate) fn new(settings: RestSettings) -> Self {
        Self {
            settings,
            requests: BTreeMap::new(),
            buckets: HashMap::new(),
            names: HashMap::new(),
            paused_until: SessionTime::ZERO,
            refusals: Refusals::default(),
            last_sent: None,
            next: 0,
        }
    }

    /// A request is to be made.
    pub(crate) fn submit(&mut self, now: SessionTime, route: Route) -> Result<Ticket, QueueFull> {
        let waiting = self.requests.values().filter(|request| !request.under_way).count();
        if waiting >= self.settings.queue {
            return Err(QueueFull);
        }
        self.next += 1;
        let ticket = Ticket(self.next);
        let key = self.key(&route);
        let attempts = Attempts::default();
        self.requests.insert(ticket, Request { route, key, due: now, under_way: false, attempts });
        Ok(ticket)
    }

    /// A request that goes out now.
    pub(crate) fn poll_output(&mut self, now: SessionTime) -> Option<Ticket> {
        let (_, ticket) = self
            .heads()
            .filter(|(_, request)| self.may_go_at(request, now) <= now)
            .map(|(ticket, request)| (request.route.priority(), *ticket))
            .min()?;
        self.requests.get_mut(&ticket)?.under_way = true;
        self.last_sent = Some(now);
        Some(ticket)
    }

    /// When there may be something to send.
    pub(crate) fn poll_timeout(&self, now: SessionTime) -> Option<SessionTime> {
        self.heads().map(|(_, request)| self.may_go_at(request, now)).min()
    }

    /// An attempt ended. After [`Next::Again`] the request waits in its old place. `roll`: 0 to 1,
    /// by chance.
    pub(crate) fn handle_attempt(
        &mut self,
        now: SessionTime,
        ticket: Ticket,
        attempt: &Attempt,
        limits: &Limits,
        roll: f64,
    ) -> Next {
        let Some(mut request) = self.requests.remove(&ticket) else { return Next::Done };
        self.learn(now, &mut request, limits);
        let only_once = request.route.is_only_once();
        let next = request.attempts.next(&self.settings, attempt, only_once, roll);
        if let Attempt::Answered { status, global, shared, .. } = attempt {
            if !shared {
                self.refusals.count(now, *status);
            }
            if *status == 429
                && let Next::Again(wait) = next
            {
                if *global && !request.route.is_interaction() {
                    self.paused_until = self.paused_until.max(now + wait);
                } else {
                    self.buckets.entry(request.key.clone()).or_default().pause(now + wait);
                }
            }
        }
        if let Next::Again(wait) = next {
            request.due = now + wait;
            request.under_way = false;
            self.requests.insert(ticket, request);
        }
        next
    }

    /// Nobody waits for it any more.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.requests.remove(&ticket);
    }

    /// Refusals of the last ten minutes.
    pub(crate) fn refusals(&self, now: SessionTime) -> RefusalCounts {
        self.refusals.counts(now)
    }

    fn key(&self, route: &Route) -> Key {
        let name = self.names.get(route.template()).map_or(route.template(), String::as_str);
        (name.to_owned(), route.major().to_owned())
    }

    fn learn(&mut self, now: SessionTime, request: &mut Request, limits: &Limits) {
        if let Some(name) = &limits.bucket
            && self.names.get(request.route.template()) != Some(name)
        {
            self.names.insert(request.route.template().to_owned(), name.clone());
            let names = &self.names;
            // What waits moves along, so that routes with one bucket wait for each other.
            for waiting in self.requests.values_mut().chain([&mut *request]) {
                if let Some(name) = names.get(waiting.route.template()) {
                    waiting.key.0.clone_from(name);
                }
            }
        }
        if self.buckets.len() >= MAX_BUCKETS {
            self.buckets.retain(|_, bucket| bucket.free_at() > now);
        }
        self.buckets.entry(request.key.clone()).or_default().learn(now, limits);
    }

    /// The first of each rate limit, unless one of it is under way.
    fn heads(&self) -> impl Iterator<Item = (&Ticket, &Request)> {
        let mut seen: HashSet<&Key> = self
            .requests
            .values()
            .filter(|request| request.under_way)
            .map(|request| &request.key)
            .collect();
        let under_way = self
            .requests
            .values()
            .filter(|request| request.under_way && request.route.priority() != Priority::Callback);
        let full = under_way.count() >= self.settings.workers;
        self.requests.iter().filter(move |(_, request)| {
            let first = !request.under_way && seen.insert(&request.key);
            first && (!full || request.route.priority() == Priority::Callback)
        })
    }

    fn may_go_at(&self, request: &Request, now: SessionTime) -> SessionTime {
        let bucket = self.buckets.get(&request.key).map_or(SessionTime::ZERO, Bucket::free_at);
        let mut at = request.due.max(bucket);
        if !request.route.is_interaction() {
            at = at.max(self.paused_until);
        }
        let apart = self.refusals.pause(now);
        match self.last_sent {
            Some(sent) if !apart.is_zero() => at.max(sent + apart),
            _ => at,
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
