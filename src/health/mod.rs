//! What the process tells of itself on a loopback port: health, metrics, and a page to watch calls.
//!
//! | path | for |
//! |---|---|
//! | `/` | people: who is in which call, who speaks, what was decided, graphs |
//! | `/healthz` | supervisors: 200 while Discord answers heartbeats and no call is broken, else 503 and why; what text of each account has answered and dropped |
//! | `/metrics` | Prometheus |
//! | `/api/state`, `/api/events` | programs: the page's data, once or as server-sent events |
//!
//! Nobody's words are told, and nothing can be changed here.

mod accounts;
mod metrics;
mod server;
mod verdict;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clawvoice_config::Config;
use clawvoice_session::timeline::Record;
use clawvoice_voice::{
    board::{Board, BoardView, Totals},
    session::Pulse,
    shell::clock::SessionClock,
};
use tokio::sync::mpsc;

pub(crate) use accounts::{AccountHealth, AccountMonitor, Health};
pub(crate) use server::{Bound, Door};
pub(crate) use verdict::{GatewayHealth, Verdict};

/// Pulses that may wait; each call sends two a second.
const PULSES: usize = 256;

/// Where the configuration wants it served; `None`: nowhere.
pub(crate) fn address(config: &Config) -> Option<SocketAddr> {
    let health = &config.gateway.health;
    health.enabled.then(|| SocketAddr::new(health.bind, health.port))
}

/// What is known of the process. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Watch {
    inner: Arc<Inner>,
}

struct Inner {
    board: Mutex<Board>,
    clock: SessionClock,
    health: Box<dyn Fn() -> Health + Send + Sync>,
}

impl Watch {
    /// `health` tells how the accounts are, whenever it is asked.
    pub(crate) fn new(
        clock: SessionClock,
        health: impl Fn() -> Health + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner { board: Mutex::default(), clock, health: Box::new(health) };
        Self { inner: Arc::new(inner) }
    }

    /// A timeline record.
    pub(crate) fn record(&self, record: &Record) {
        self.board().record(record);
    }

    /// Where sessions send their pulses.
    pub(crate) fn pulses(&self) -> mpsc::Sender<Pulse> {
        let (sender, mut pulses) = mpsc::channel::<Pulse>(PULSES);
        let watch = self.clone();
        tokio::spawn(async move {
            while let Some(pulse) = pulses.recv().await {
                let now = watch.inner.clock.now();
                watch.board().pulse(now, pulse);
            }
        });
        sender
    }

    /// Whether any account is connected to Discord at this moment.
    pub(crate) fn serves(&self) -> bool {
        self.health().gateway.serves
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_well(&self) -> bool {
        self.verdict().ok
    }

    fn view(&self, after: u64) -> BoardView {
        self.board().view(self.inner.clock.now(), after)
    }

    fn totals(&self) -> Totals {
        self.board().totals()
    }

    fn health(&self) -> Health {
        (self.inner.health)()
    }

    fn verdict(&self) -> Verdict {
        Verdict::of(self.health(), &self.view(u64::MAX))
    }

    fn uptime(&self) -> Duration {
        Duration::from_micros(self.inner.clock.now().as_micros())
    }

    /// A panic while it was held leaves numbers that may be behind, nothing worse.
    fn board(&self) -> MutexGuard<'_, Board> {
        self.inner.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
