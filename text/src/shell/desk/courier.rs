//! Sends what waits, in order, and writes down what became of it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use clawvoice_config::RateLimit;
use clawvoice_session::{
    ChannelId, MessageId,
    mail::{Part, PartId},
    shell::store::Mailbox,
};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    super::clock::{now, sleep_until},
    post::{self, Posted},
    sent::SharedSent,
};
use crate::outbox::{
    courier::{Attempt, Courier, CourierOutput},
    outgoing::{Destination, Outgoing},
};

/// Orders that may wait for the courier; the next one waits with whoever gives it.
const ORDERS: usize = 256;

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PartEnd {
    /// Discord has it.
    Sent {
        /// Where: a forum's post is a place of its own.
        channel: ChannelId,
        /// The message.
        message: MessageId,
    },
    /// Discord does not take it, in words.
    Refused(String),
}

enum Order {
    /// Parts of one answer, and whom to tell when all of them have ended.
    Send(Vec<Part>, oneshot::Sender<Vec<PartEnd>>),
    /// The configuration was read again.
    Limit(RateLimit),
}

/// What gives orders.
#[derive(Clone)]
pub(super) struct CourierDoor {
    orders: mpsc::Sender<Order>,
}

impl CourierDoor {
    /// Sends parts behind those that wait for the same places; gives what became of each, once all
    /// have ended. Empty when the courier has stopped: then they stay in the outbox. Where too many
    /// wait already, parts are refused.
    pub(super) async fn deliver(&self, parts: Vec<Part>) -> Vec<PartEnd> {
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::Send(parts, done)).await.is_err() {
            return Vec::new();
        }
        ended.await.unwrap_or_default()
    }

    /// Another `rateLimit`.
    pub(super) async fn set_limit(&self, limit: RateLimit) {
        // A courier that has stopped needs none.
        let _ = self.orders.send(Order::Limit(limit)).await;
    }
}

/// Parts that are told of together.
struct Open {
    left: usize,
    ends: Vec<(PartId, Option<PartEnd>)>,
    done: Option<oneshot::Sender<Vec<PartEnd>>>,
}

struct Running {
    mailbox: Mailbox,
    post: Arc<post::Post>,
    sent: SharedSent,
    courier: Courier<PartId>,
    parts: HashMap<PartId, Part>,
    open: VecDeque<Open>,
    attempts: JoinSet<(String, PartId, Result<Posted, post::PostFailure>)>,
}

/// Starts; what the last process left is sent first. `limit`: `rateLimit`.
pub(super) async fn start(
    mailbox: Mailbox,
    post: Arc<post::Post>,
    sent: SharedSent,
    left: Vec<Part>,
    limit: RateLimit,
) -> (CourierDoor, tokio::task::JoinHandle<()>) {
    let (orders, incoming) = mpsc::channel(ORDERS);
    let mut running = Running {
        mailbox,
        post,
        sent,
        courier: Courier::new(limit),
        parts: HashMap::new(),
        open: VecDeque::new(),
        attempts: JoinSet::new(),
    };
    if !left.is_empty() {
        tracing::info!("{} message(s) of the last run are sent now", left.len());
        running.take(left, None).await;
    }
    (CourierDoor { orders }, tokio::spawn(running.run(incoming)))
}

impl Running {
    /// Until nobody gives orders any more; what is under way then is waited for.
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut taking = true;
        loop {
            self.begin().await;
            if !taking && self.attempts.is_empty() {
                return;
            }
            let timeout = self.courier.poll_timeout().filter(|_| taking);
            tokio::select! {
                order = orders.recv(), if taking => match order {
                    Some(Order::Send(parts, done)) => self.take(parts, Some(done)).await,
                    Some(Order::Limit(limit)) => self.courier.set_limit(limit),
                    None => taking = false,
                },
                Some(ended) = self.attempts.join_next() => match ended {
                    Ok((place, id, outcome)) => self.ended(&place, id, outcome).await,
                    // The part stays in the outbox, and its place waits for the next start.
                    Err(error) => tracing::error!("a message was not sent: {error}"),
                },
                () = sleep_until(timeout) => {}
            }
        }
    }

    async fn take(&mut self, parts: Vec<Part>, done: Option<oneshot::Sender<Vec<PartEnd>>>) {
        // What was taken once is not refused after a restart.
        let is_new = done.is_some();
        let ends = parts.iter().map(|part| (part.id, None)).collect();
        self.open.push_back(Open { left: parts.len(), ends, done });
        let written = jiff::Timestamp::now();
        for part in parts {
            let place = Outgoing::read(&part.message.body)
                .map_or_else(|| part.message.to.to_string(), |outgoing| outgoing.to.place());
            let age = written.duration_since(part.created);
            let age = Duration::try_from(age).unwrap_or_default();
            let id = part.id;
            self.parts.insert(id, part);
            match self.courier.check_room(&place) {
                Err(full) if is_new => self.give_up(id, full.to_string()).await,
                _ => self.courier.handle_part(now(), &place, id, age),
            }
        }
        self.tell();
    }

    async fn begin(&mut self) {
        while let Some((place, output)) = self.courier.poll_output(now()) {
            match output {
                CourierOutput::Send(id) => self.send(place, id).await,
                CourierOutput::GiveUp(id, why) => self.give_up(id, why).await,
            }
        }
    }

    async fn send(&mut self, place: String, id: PartId) {
        let Some(part) = self.parts.get(&id) else {
            return self.courier.handle_attempt(now(), &place, &Attempt::Sent);
        };
        if let Err(error) = self.mailbox.trying(id).await {
            tracing::warn!("an attempt is not written down: {error}");
        }
        let to = Outgoing::read(&part.message.body).map(|outgoing| outgoing.to);
        if let Some(Destination::Webhook { webhook, .. }) = to {
            self.sent.webhook(webhook);
        }
        let (post, part) = (Arc::clone(&self.post), part.clone());
        self.attempts.spawn(async move {
            let outcome = post.send(&part).await;
            (place, id, outcome)
        });
    }

    async fn ended(&mut self, place: &str, id: PartId, outcome: Result<Posted, post::PostFailure>) {
        let attempt = match outcome {
            Ok(Posted { channel, message }) => {
                self.sent.message(message);
                if let Err(error) = self.mailbox.delivered(id, message).await {
                    // It has its nonce: after a restart soon, Discord knows it again.
                    tracing::warn!("a sent message is not written down: {error}");
                }
                self.close(id, PartEnd::Sent { channel, message });
                Attempt::Sent
            }
            Err(post::PostFailure::Later(why)) => {
                tracing::warn!("a message to {place} waits: {why}");
                if let Some(part) = self.parts.get_mut(&id) {
                    part.attempts += 1;
                    part.first_try.get_or_insert_with(jiff::Timestamp::now);
                }
                Attempt::Later(why)
            }
            Err(post::PostFailure::Refused(why)) => {
                self.give_up(id, why.clone()).await;
                Attempt::Refused(why)
            }
        };
        self.courier.handle_attempt(now(), place, &attempt);
    }

    async fn give_up(&mut self, id: PartId, why: String) {
        if let Some(part) = self.parts.get(&id) {
            let (to, turn) = (part.message.to, &part.turn);
            tracing::error!(
                "a message to {to} is not sent and stays in the outbox ({turn}): {why}"
            );
        }
        if let Err(error) = self.mailbox.refused(id, why.clone()).await {
            tracing::warn!("a refused message is not written down: {error}");
        }
        self.close(id, PartEnd::Refused(why));
    }

    fn close(&mut self, id: PartId, end: PartEnd) {
        self.parts.remove(&id);
        for open in &mut self.open {
            if let Some((_, slot)) =
                open.ends.iter_mut().find(|(of, slot)| *of == id && slot.is_none())
            {
                *slot = Some(end);
                open.left -= 1;
                break;
            }
        }
        self.tell();
    }

    /// Tells of answers that have ended.
    fn tell(&mut self) {
        for open in self.open.iter_mut().filter(|open| open.left == 0) {
            if let Some(done) = open.done.take() {
                let ends = std::mem::take(&mut open.ends).into_iter().filter_map(|(_, end)| end);
                // Whoever asked may be gone.
                let _ = done.send(ends.collect());
            }
        }
        self.open.retain(|open| open.left > 0);
    }
}
