//! How many handlers of events run at the same time, and which of them are slow.

use std::collections::BTreeMap;

use clawvoice_session::SessionTime;

use super::settings::EventQueueSettings;

/// A handler that runs.
#[derive(Clone, Debug)]
struct Running {
    name: &'static str,
    event: &'static str,
    since: SessionTime,
    timed_out: bool,
}

/// The slots of handlers. One that takes too long is named and keeps its slot: it is still at work.
#[derive(Debug)]
pub(crate) struct Listeners {
    settings: EventQueueSettings,
    running: BTreeMap<u64, Running>,
    next: u64,
}

impl Listeners {
    /// Nothing runs yet.
    pub(crate) fn new(settings: EventQueueSettings) -> Self {
        Self { settings, running: BTreeMap::new(), next: 0 }
    }

    /// Whether one more may run.
    pub(crate) fn has_room(&self) -> bool {
        self.running.len() < self.settings.max_concurrency
    }

    /// A handler begins; its number, unless all slots are taken.
    pub(crate) fn handle_begin(
        &mut self,
        now: SessionTime,
        name: &'static str,
        event: &'static str,
    ) -> Option<u64> {
        if !self.has_room() {
            return None;
        }
        self.next += 1;
        self.running.insert(self.next, Running { name, event, since: now, timed_out: false });
        Some(self.next)
    }

    /// A handler is done; the line to log if it was slow.
    pub(crate) fn handle_end(&mut self, now: SessionTime, number: u64) -> Option<String> {
        let Running { name, event, since, .. } = self.running.remove(&number)?;
        let took = now.since(since);
        (took >= self.settings.slow_after).then(|| {
            format!("Slow listener detected: {name} took {}ms for event {event}", took.as_millis())
        })
    }

    /// When the next handler will have run too long.
    pub(crate) fn poll_timeout(&self) -> Option<SessionTime> {
        let waiting = self.running.values().filter(|running| !running.timed_out);
        waiting.map(|running| running.since + self.settings.listener_timeout).min()
    }

    /// The lines to log about handlers that have run too long by now.
    pub(crate) fn handle_timeout(&mut self, now: SessionTime) -> Vec<String> {
        let limit = self.settings.listener_timeout;
        let late = self
            .running
            .values_mut()
            .filter(|running| !running.timed_out && now.since(running.since) >= limit);
        late.map(|running| {
            running.timed_out = true;
            format!(
                "Listener timeout: {} still runs after {}ms for event {}",
                running.name,
                limit.as_millis(),
                running.event
            )
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SessionTime {
        SessionTime::from_millis(secs * 1000)
    }

    #[test]
    fn fifty_run_and_the_next_waits_for_a_slot() {
        let mut listeners = Listeners::new(EventQueueSettings::default());
        let begun = |listeners: &mut Listeners| {
            listeners.handle_begin(at(0), "command", "INTERACTION_CREATE")
        };
        let first = begun(&mut listeners).unwrap();
        for _ in 1..50 {
            assert!(begun(&mut listeners).is_some());
        }
        assert_eq!(begun(&mut listeners), None);
        assert_eq!(listeners.handle_end(at(29), first), None);
        assert!(begun(&mut listeners).is_some());
    }

    #[test]
    fn a_slow_one_is_named_and_a_late_one_keeps_its_slot() {
        let settings = EventQueueSettings { max_concurrency: 1, ..EventQueueSettings::default() };
        let mut listeners = Listeners::new(settings);
        let number = listeners.handle_begin(at(1), "command", "INTERACTION_CREATE").unwrap();
        assert_eq!(listeners.poll_timeout(), Some(at(121)));
        assert_eq!(listeners.handle_timeout(at(120)), Vec::<String>::new());
        assert_eq!(
            listeners.handle_timeout(at(121)),
            ["Listener timeout: command still runs after 120000ms for event INTERACTION_CREATE"]
        );
        assert_eq!(listeners.handle_timeout(at(200)), Vec::<String>::new());
        assert_eq!(listeners.poll_timeout(), None);
        assert!(!listeners.has_room());
        assert_eq!(
            listeners.handle_end(at(201), number).as_deref(),
            Some("Slow listener detected: command took 200000ms for event INTERACTION_CREATE")
        );
        assert!(listeners.has_room());
    }
}
