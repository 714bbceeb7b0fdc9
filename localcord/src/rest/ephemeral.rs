//! Ephemeral messages: answers that only whoever caused them sees, and that are in no channel.

use std::collections::BTreeMap;

use crate::world::Message;

/// Messages kept; the oldest go first.
const KEPT: usize = 10_000;

/// A message for one user.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ephemeral {
    /// The message.
    pub(crate) message: Message,
    /// Who sees it.
    pub(crate) viewer: u64,
    /// The interaction that was answered with it.
    pub(crate) interaction: u64,
}

/// All of them, by the message's id.
#[derive(Debug, Default)]
pub(crate) struct Ephemerals {
    by_id: BTreeMap<u64, Ephemeral>,
}

impl Ephemerals {
    /// Adds a message.
    pub(crate) fn put(&mut self, one: Ephemeral) {
        self.by_id.insert(one.message.id, one);
        if self.by_id.len() > KEPT {
            self.by_id.pop_first();
        }
    }

    /// The message of an id.
    pub(crate) fn find(&self, id: u64) -> Option<&Ephemeral> {
        self.by_id.get(&id)
    }

    /// Puts a changed message in place of what it was; false if that is gone.
    pub(crate) fn replace(&mut self, message: Message) -> bool {
        let known = self.by_id.get_mut(&message.id);
        known.map(|known| known.message = message).is_some()
    }

    /// Takes a message away; false if it is gone already.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        self.by_id.remove(&id).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: u64) -> Ephemeral {
        let message = Message { id, ..Message::default() };
        Ephemeral { message, viewer: 1, interaction: 2 }
    }

    #[test]
    fn messages_come_change_and_go() {
        let mut all = Ephemerals::default();
        all.put(message(5));
        let changed = Message { content: "new".to_owned(), ..message(5).message };
        assert!(all.replace(changed.clone()));
        assert_eq!(all.find(5).map(|one| one.message.content.as_str()), Some("new"));
        assert!(all.remove(5) && !all.remove(5) && !all.replace(changed));
    }

    #[test]
    fn the_oldest_make_room() {
        let mut all = Ephemerals::default();
        let most = u64::try_from(KEPT).unwrap();
        (0..=most).for_each(|id| all.put(message(id)));
        assert!(all.find(0).is_none() && all.find(1).is_some() && all.find(most).is_some());
    }
}
