//! A growing list that can be waited on.

use std::sync::Mutex;

use tokio::sync::watch;

/// What came, in order.
pub(crate) struct Feed<T> {
    entries: Mutex<Vec<T>>,
    changed: watch::Sender<()>,
}

impl<T> Default for Feed<T> {
    fn default() -> Self {
        Self { entries: Mutex::default(), changed: watch::Sender::new(()) }
    }
}

impl<T: Clone> Feed<T> {
    pub(crate) fn push(&self, entry: T) {
        self.entries.lock().unwrap().push(entry);
        self.changed.send_replace(());
    }

    pub(crate) fn all(&self) -> Vec<T> {
        self.entries.lock().unwrap().clone()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.lock().unwrap().len()
    }

    /// The first entry from position `from` on that is wanted, waiting for it if need be.
    pub(crate) async fn find(&self, from: usize, wanted: impl Fn(&T) -> bool) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            if let Some(found) = self.all().into_iter().skip(from).find(|entry| wanted(entry)) {
                return found;
            }
            changed.changed().await.unwrap();
        }
    }
}
