//! The windows of all channels.

use std::collections::{BTreeMap, HashMap, VecDeque};

use clawvoice_session::{ChannelId, MessageId};

use super::Entry;

/// The most channels; the one that was longest not used is forgotten for a new one.
const MOST_CHANNELS: usize = 1_000;
/// The most bytes of all channels, about; likewise.
const MOST_BYTES: usize = 32 << 20;

/// What was said since the last answer, by channel, of one account.
#[derive(Clone, Debug)]
pub struct Pending {
    windows: HashMap<ChannelId, Window>,
    /// By when they were last used.
    order: BTreeMap<u64, ChannelId>,
    uses: u64,
    bytes: usize,
    most_channels: usize,
    most_bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Window {
    /// By id, so oldest first.
    entries: VecDeque<Entry>,
    last_used: u64,
    is_filled: bool,
    /// What is not newer was shown, and answered.
    shown: Option<MessageId>,
}

impl Default for Pending {
    fn default() -> Self {
        Self::with_limits(MOST_CHANNELS, MOST_BYTES)
    }
}

impl Pending {
    fn with_limits(most_channels: usize, most_bytes: usize) -> Self {
        Self {
            windows: HashMap::new(),
            order: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            most_channels,
            most_bytes,
        }
    }

    /// A message was passed over. Of a channel, the newest `limit` are kept (`historyLimit`; 0
    /// keeps none).
    pub fn push(&mut self, channel: ChannelId, limit: usize, entry: Entry) {
        self.change(channel, |window| {
            window.insert(entry);
            window.keep_newest(limit);
        });
    }

    /// Whether nothing is known of the channel since the process began, so that REST must tell.
    #[must_use]
    pub fn needs_refill(&self, channel: ChannelId) -> bool {
        self.windows.get(&channel).is_none_or(|window| !window.is_filled)
    }

    /// What REST told, as [`super::refill()`] chose it; nothing if it could not tell, so that it is
    /// not asked for every turn.
    pub fn refill(&mut self, channel: ChannelId, limit: usize, entries: Vec<Entry>) {
        self.change(channel, |window| {
            let shown = window.shown;
            let is_new = |entry: &Entry| shown.is_none_or(|shown| entry.message > shown);
            entries.into_iter().filter(is_new).for_each(|entry| window.insert(entry));
            window.keep_newest(limit);
            window.is_filled = true;
        });
    }

    /// What goes into a turn: the newest `limit`, oldest first, without what the turn or the
    /// transcript holds already.
    pub fn peek(&mut self, channel: ChannelId, limit: usize, replayed: &[MessageId]) -> Vec<Entry> {
        if !self.windows.contains_key(&channel) {
            return Vec::new();
        }
        self.remove(channel, replayed);
        let Some(window) = self.windows.get(&channel) else { return Vec::new() };
        let older = window.entries.len().saturating_sub(limit);
        window.entries.iter().skip(older).cloned().collect()
    }

    /// A turn was answered in which everything up to `shown` was shown. What came later waits for
    /// the next turn. After a turn that failed this is not to be called.
    pub fn clear(&mut self, channel: ChannelId, shown: MessageId) {
        self.change(channel, |window| {
            window.entries.retain(|entry| entry.message > shown);
            window.shown = window.shown.max(Some(shown));
        });
    }

    /// Messages that became part of a turn, or that were deleted.
    pub fn remove(&mut self, channel: ChannelId, messages: &[MessageId]) {
        if self.windows.contains_key(&channel) {
            self.change(channel, |window| {
                window.entries.retain(|entry| !messages.contains(&entry.message));
            });
        }
    }

    /// The channel is gone, or its session was reset.
    pub fn forget(&mut self, channel: ChannelId) {
        if let Some(window) = self.windows.remove(&channel) {
            self.order.remove(&window.last_used);
            self.bytes -= window.bytes();
        }
    }

    /// Changes a window and makes it the last used one.
    fn change(&mut self, channel: ChannelId, change: impl FnOnce(&mut Window)) {
        self.uses += 1;
        let window = self.windows.entry(channel).or_default();
        self.order.remove(&window.last_used);
        self.order.insert(self.uses, channel);
        window.last_used = self.uses;
        self.bytes -= window.bytes();
        change(window);
        self.bytes += window.bytes();
        self.make_room(channel);
    }

    fn make_room(&mut self, in_use: ChannelId) {
        while self.windows.len() > self.most_channels || self.bytes > self.most_bytes {
            match self.order.first_key_value() {
                Some((_, oldest)) if *oldest != in_use => self.forget(*oldest),
                // It alone is too large: it loses its oldest messages.
                _ => {
                    self.shorten(in_use);
                    break;
                }
            }
        }
    }

    fn shorten(&mut self, channel: ChannelId) {
        let Some(window) = self.windows.get_mut(&channel) else { return };
        while self.bytes > self.most_bytes
            && let Some(oldest) = window.entries.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }
}

impl Window {
    /// Puts a message at its place; one that is there already is replaced.
    fn insert(&mut self, entry: Entry) {
        match self.entries.binary_search_by_key(&entry.message, |known| known.message) {
            Ok(at) => {
                if let Some(known) = self.entries.get_mut(at) {
                    *known = entry;
                }
            }
            Err(at) => self.entries.insert(at, entry),
        }
    }

    fn keep_newest(&mut self, limit: usize) {
        let older = self.entries.len().saturating_sub(limit);
        self.entries.drain(..older);
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(Entry::bytes).sum()
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
