//! Which model a conversation is pinned to.

use std::collections::{BTreeMap, HashMap};

use super::origin::Origin;

/// `channels.modelByChannel.discord`, by the id of a channel or user.
#[derive(Clone, Debug, Default)]
pub(super) struct ModelPins {
    by_id: HashMap<u64, String>,
}

impl ModelPins {
    /// As they are written; keys that are no ids are told in `warnings`.
    pub(super) fn new(written: &BTreeMap<String, String>, warnings: &mut Vec<String>) -> Self {
        let mut by_id = HashMap::with_capacity(written.len());
        for (key, model) in written {
            let id = key.trim().trim_start_matches("channel:").trim_start_matches("user:");
            match id.parse() {
                Ok(id) => drop(by_id.insert(id, model.clone())),
                Err(_) => warnings.push(format!(
                    "channels.modelByChannel.discord: {key:?} is no id of a channel or user, so it \
                     pins nothing"
                )),
            }
        }
        Self { by_id }
    }

    /// The pin of the channel, else of a thread's parent, else of the sender.
    pub(super) fn pin(&self, from: &Origin<'_>) -> Option<&str> {
        let own = self.by_id.get(&from.channel.get());
        let parent = || self.by_id.get(&from.parent()?.get());
        own.or_else(parent).or_else(|| self.by_id.get(&from.sender.get())).map(String::as_str)
    }
}
