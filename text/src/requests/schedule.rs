//! The queue of REST requests.
//!
//! Requests of one rate limit go one after the other, in the order in which they came; one that is
//! asked again keeps its place. Answers to interactions go first and need no free worker; what only
//! looks goes last. When too many wait, the next one is refused: its caller is told, nothing that
//! waits is dropped.

use std::{collections::HashMap, time::Duration};

use clawvoice_session::SessionTime;

use super::{
    bucket::{Bucket, Limits},
    lines::{Lines, needs_worker},
    refusals::{RefusalCounts, Refusals},
    retry::{Allowed, Attempt, Attempts, Next},
    route::Route,
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
pub(super) type Key = (String, String);

/// Attempts more of what cannot be sent while the gateway is down as well: the network is gone, not
/// the request wrong.
const MORE_WHEN_OFFLINE: u32 = 2;

#[derive(Debug)]
struct Request {
    route: Route,
    key: Key,
    /// Not before.
    due: SessionTime,
    under_way: bool,
    attempts: Attempts,
    /// How often it is made at most, if not as often as the others.
    most: Option<u32>,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Schedule {
    settings: RestSettings,
    requests: HashMap<Ticket, Request>,
    lines: Lines,
    buckets: HashMap<Key, Bucket>,
    /// Bucket names by route, as Discord told them.
    names: HashMap<String, String>,
    /// No route but interactions before.
    paused_until: SessionTime,
    refusals: Refusals,
    last_sent: Option<SessionTime>,
    /// Whether the gateway is down.
    offline: bool,
    next: u64,
}

impl Schedule {
    /// An empty queue.
    pub(crate) fn new(settings: RestSettings) -> Self {
        Self {
            settings,
            requests: HashMap::new(),
            lines: Lines::default(),
            buckets: HashMap::new(),
            names: HashMap::new(),
            paused_until: SessionTime::ZERO,
            refusals: Refusals::default(),
            last_sent: None,
            offline: false,
            next: 0,
        }
    }

    /// A request is to be made, so often at most; `None`: as often as is set for all.
    pub(crate) fn submit(
        &mut self,
        now: SessionTime,
        route: Route,
        most: Option<u32>,
    ) -> Result<Ticket, QueueFull> {
        if self.lines.waiting() >= self.settings.queue {
            return Err(QueueFull);
        }
        self.next += 1;
        let ticket = Ticket(self.next);
        let key = self.key(&route);
        let attempts = Attempts::default();
        self.put(ticket, Request { route, key, due: now, under_way: false, attempts, most });
        Ok(ticket)
    }

    /// A request that goes out now.
    pub(crate) fn poll_output(&mut self, now: SessionTime) -> Option<Ticket> {
        let apart = self.refusals.pause(now);
        let (_, ticket) = self
            .heads()
            .filter(|(_, request)| self.may_go_at(request, apart) <= now)
            .map(|(ticket, request)| (request.route.priority(), ticket))
            .min()?;
        let mut request = self.take(ticket)?;
        request.under_way = true;
        self.put(ticket, request);
        self.last_sent = Some(now);
        Some(ticket)
    }

    /// When there may be something to send.
    pub(crate) fn poll_timeout(&self, now: SessionTime) -> Option<SessionTime> {
        let apart = self.refusals.pause(now);
        self.heads().map(|(_, request)| self.may_go_at(request, apart)).min()
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
        let Some(mut request) = self.take(ticket) else { return Next::Done };
        self.learn(now, &mut request, limits);
        let allowed = self.allowed(&request, attempt);
        let next = request.attempts.next(&self.settings, attempt, allowed, roll);
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
            self.put(ticket, request);
        }
        next
    }

    /// Nobody waits for it any more.
    pub(crate) fn cancel(&mut self, ticket: Ticket) {
        self.take(ticket);
    }

    /// Whether the gateway is down.
    pub(crate) fn handle_gateway(&mut self, is_down: bool) {
        self.offline = is_down;
    }

    /// Refusals of the last ten minutes.
    pub(crate) fn refusals(&self, now: SessionTime) -> RefusalCounts {
        self.refusals.counts(now)
    }

    fn put(&mut self, ticket: Ticket, request: Request) {
        self.lines.add(ticket, &request.key, &request.route, request.under_way);
        self.requests.insert(ticket, request);
    }

    fn take(&mut self, ticket: Ticket) -> Option<Request> {
        let request = self.requests.remove(&ticket)?;
        self.lines.remove(ticket, &request.key, &request.route, request.under_way);
        Some(request)
    }

    fn allowed(&self, request: &Request, attempt: &Attempt) -> Allowed {
        let unanswered = matches!(attempt, Attempt::NotConnected | Attempt::NoAnswer);
        let more = if self.offline && unanswered { MORE_WHEN_OFFLINE } else { 0 };
        let attempts = request.most.unwrap_or_else(|| self.settings.attempts.saturating_add(more));
        Allowed { attempts, only_once: request.route.is_only_once() }
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
            request.key.0.clone_from(name);
            self.move_along(request.route.template());
        }
        if self.buckets.len() >= MAX_BUCKETS {
            self.buckets.retain(|_, bucket| bucket.free_at() > now);
        }
        self.buckets.entry(request.key.clone()).or_default().learn(now, limits);
    }

    /// What waits goes to the line of its route's new bucket, so that routes with one bucket wait
    /// for each other.
    fn move_along(&mut self, template: &str) {
        let of_route = self.requests.iter().filter(|(_, one)| one.route.template() == template);
        let tickets: Vec<Ticket> = of_route.map(|(ticket, _)| *ticket).collect();
        for ticket in tickets {
            if let Some(mut request) = self.take(ticket) {
                request.key = self.key(&request.route);
                self.put(ticket, request);
            }
        }
    }

    /// The first of each rate limit that a worker is free for.
    fn heads(&self) -> impl Iterator<Item = (Ticket, &Request)> {
        let full = self.lines.working() >= self.settings.workers;
        let first = self.lines.heads();
        first
            .filter_map(|ticket| Some((ticket, self.requests.get(&ticket)?)))
            .filter(move |(_, request)| !full || !needs_worker(&request.route))
    }

    /// `apart`: how long requests are to stay apart, so as not to be banned.
    fn may_go_at(&self, request: &Request, apart: Duration) -> SessionTime {
        let bucket = self.buckets.get(&request.key).map_or(SessionTime::ZERO, Bucket::free_at);
        let mut at = request.due.max(bucket);
        if !request.route.is_interaction() {
            at = at.max(self.paused_until);
        }
        match self.last_sent {
            Some(sent) if !apart.is_zero() => at.max(sent + apart),
            _ => at,
        }
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
