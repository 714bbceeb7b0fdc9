//! The voice servers behind one handle: a first one, and one more for each guild that was moved.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_rustls::TlsAcceptor;

use super::{Capture, Core, Tasks, VoiceSettings};
use crate::{fault::Faults, journal::Journal};

/// What a voice server is made of.
pub(super) struct Blueprint {
    pub(super) settings: VoiceSettings,
    pub(super) bind: IpAddr,
    pub(super) tls: TlsAcceptor,
    pub(super) journal: Journal,
    pub(super) faults: Faults,
    pub(super) capture: Capture,
}

/// One voice server: its own ports, SSRCs, keys and DAVE groups. It stops when it is dropped.
pub(super) struct Site {
    pub(super) core: Arc<Core>,
    _tasks: Tasks,
}

impl Site {
    pub(super) async fn open(blueprint: &Blueprint) -> io::Result<Self> {
        let (core, tasks) = Core::start(blueprint).await?;
        Ok(Self { core, _tasks: tasks })
    }
}

/// All of them.
pub(super) struct Sites {
    blueprint: Blueprint,
    first: Arc<Site>,
    moved: Mutex<Moved>,
}

#[derive(Default)]
struct Moved {
    /// Which site a guild is on; the first one without an entry.
    placed: HashMap<u64, u64>,
    /// By number, from 1.
    others: BTreeMap<u64, Arc<Site>>,
    last: u64,
}

impl Sites {
    pub(super) fn new(blueprint: Blueprint, first: Site) -> Self {
        Self { blueprint, first: Arc::new(first), moved: Mutex::default() }
    }

    pub(super) fn first(&self) -> &Arc<Site> {
        &self.first
    }

    pub(super) fn capture(&self) -> &Capture {
        &self.blueprint.capture
    }

    /// The one that a guild is on.
    pub(super) fn of(&self, guild: u64) -> Arc<Site> {
        let moved = self.lock();
        let placed = moved.placed.get(&guild).and_then(|number| moved.others.get(number));
        Arc::clone(placed.unwrap_or(&self.first))
    }

    /// Every one, the newest first.
    pub(super) fn all(&self) -> Vec<Arc<Site>> {
        let moved = self.lock();
        moved.others.values().rev().chain([&self.first]).cloned().collect()
    }

    /// Puts a guild on a new one.
    pub(super) async fn relocate(&self, guild: u64) -> io::Result<()> {
        let settings = VoiceSettings { port: 0, ..self.blueprint.settings.clone() };
        let (tls, journal) = (self.blueprint.tls.clone(), self.blueprint.journal.clone());
        let (faults, capture) = (self.blueprint.faults.clone(), self.capture().clone());
        let bind = self.blueprint.bind;
        let blueprint = Blueprint { settings, bind, tls, journal, faults, capture };
        let site = Arc::new(Site::open(&blueprint).await?);
        let mut moved = self.lock();
        moved.last += 1;
        let number = moved.last;
        moved.others.insert(number, site);
        moved.placed.insert(guild, number);
        Ok(())
    }

    /// Closes those that no guild is on any more.
    pub(super) fn close_unused(&self) {
        let mut moved = self.lock();
        let Moved { placed, others, .. } = &mut *moved;
        others.retain(|number, _| placed.values().any(|used| used == number));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Moved> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
