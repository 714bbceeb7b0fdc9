//! The world that all services of one localcord share, and the events that tell of its changes.
//!
//! ```text
//! rest, control, gateway ──► World: State behind a lock ──► Dispatch ──► gateway sessions
//!                                      │
//!                                      └─ tickets ──► voice server
//! ```
//!
//! Does not: know who is connected, nor check what a request looks like.

pub mod channel;
pub mod component;
pub mod default;
pub mod dispatch;
pub mod expression;
pub mod file;
pub mod json;
pub mod kind;
pub mod membership;
pub mod mention;
pub mod message;
pub mod message_kind;
pub mod permissions;
mod post;
mod server_move;
pub mod state;
pub mod thread;
pub mod voice_state;
pub mod webhook;

use std::sync::{
    Arc, OnceLock, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use serde_json::{Value, json};
use tokio::sync::broadcast;

pub use self::{
    channel::{BitrateRefused, ChannelChange},
    component::component_kind,
    dispatch::{Audience, Dispatch, intents},
    file::WorldError,
    json::timestamp,
    membership::NewBot,
    message::{MessageChange, UnknownMessage},
    permissions::bits,
    state::{
        AllowedMentions, Application, BITRATES, Channel, DISCORD_EPOCH_MS, Emoji, ForumTag, Guild,
        Member, Mentions, Message, Overwrite, Pingable, Privacy, REQUIRE_TAG, Role, Sender, State,
        Sticker, Target, Thread, User, VoiceState, Webhook, snowflake, snowflake_ms,
    },
    voice_state::{StageChange, StageDenied, VoiceDenied},
};
pub(crate) use self::{dispatch::hide_content, json::thread_member_json, state::now_ms};
use crate::{journal::Journal, voice::VoiceServer};

/// Dispatches kept for a session that does not keep up; then it gets `Lagged`.
const DISPATCH_CAPACITY: usize = 16_384;

/// The shared world. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct World {
    inner: Arc<Inner>,
}

struct Inner {
    state: RwLock<State>,
    dispatches: broadcast::Sender<Arc<Dispatch>>,
    /// Counts them.
    dispatched: AtomicU64,
    voice: OnceLock<VoiceServer>,
    journal: Journal,
}

impl World {
    /// A world with this in it.
    #[must_use]
    pub fn new(state: State, journal: Journal) -> Self {
        let (dispatches, _) = broadcast::channel(DISPATCH_CAPACITY);
        let state = RwLock::new(state);
        let (dispatched, voice) = (AtomicU64::new(0), OnceLock::new());
        Self { inner: Arc::new(Inner { state, dispatches, dispatched, voice, journal }) }
    }

    /// The world of [`default::default_state`].
    #[must_use]
    pub fn default_world(journal: Journal) -> Self {
        Self::new(default::default_state(), journal)
    }

    /// Looks at the world. Nothing in `look` may call this world again.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.inner.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world. In `change` nothing of this world may be called but
    /// [`World::dispatch`]; called there, events come in the order of the changes.
    pub fn write<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        change(&mut self.inner.state.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends an event to all sessions; each asks [`Dispatch::for_session`] whether it sees it.
    pub fn dispatch(&self, dispatch: Dispatch) {
        let mut data = dispatch.data.clone();
        remove_secrets(&mut data);
        let entry = json!({ "audience": format!("{:?}", dispatch.audience), "data": data });
        self.inner.journal.record("dispatch", dispatch.event, entry);
        self.inner.dispatched.fetch_add(1, Ordering::Relaxed);
        // An error only says that nobody is connected.
        let _ = self.inner.dispatches.send(Arc::new(dispatch));
    }

    /// How many events there were.
    pub(crate) fn dispatched(&self) -> u64 {
        self.inner.dispatched.load(Ordering::Relaxed)
    }

    /// All events from now on. A receiver that lags misses events: its session must end.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Dispatch>> {
        self.inner.dispatches.subscribe()
    }

    /// Puts another world in place of this one. Everybody is thrown out of voice first; gateway
    /// sessions are the caller's to close.
    pub fn reset(&self, fresh: State) {
        self.write(|state| {
            self.dismiss_all(state);
            *state = fresh;
        });
    }

    /// Says which voice server invites point to. Only the first call counts.
    pub fn attach_voice(&self, voice: VoiceServer) {
        // A second server would be a mistake of the start-up code; the first one stays.
        let _ = self.inner.voice.set(voice);
    }

    /// Where everything is written down.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.inner.journal
    }

    fn voice(&self) -> Option<&VoiceServer> {
        self.inner.voice.get()
    }
}

/// Takes out what the journal must not hold: tokens, and the session ids that go with them.
fn remove_secrets(data: &mut Value) {
    match data {
        Value::Object(fields) => {
            fields.retain(|name, _| !matches!(name.as_str(), "token" | "session_id"));
            fields.values_mut().for_each(remove_secrets);
        }
        Value::Array(entries) => entries.iter_mut().for_each(remove_secrets),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_holds_events_without_their_secrets() {
        let world = World::default_world(Journal::default());
        let data = json!({ "token": "t", "id": "1", "all": [{ "session_id": "s", "token": "t" }] });
        let audience = Audience::User(7);
        world.dispatch(Dispatch { event: "ONE", data, audience, intents: 0 });
        let entries = world.journal().since(0);
        let kept = json!({ "audience": "User(7)", "data": { "id": "1", "all": [{}] } });
        assert_eq!(entries[0].data, kept);
    }

    #[tokio::test]
    async fn subscribers_get_events_in_order() {
        let world = World::default_world(Journal::default());
        let mut events = world.subscribe();
        for event in ["ONE", "TWO"] {
            let audience = Audience::Everyone;
            world.dispatch(Dispatch { event, data: json!({}), audience, intents: 0 });
        }
        assert_eq!(events.recv().await.unwrap().event, "ONE");
        assert_eq!(events.recv().await.unwrap().event, "TWO");
        let names: Vec<_> = world.journal().since(0).into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["ONE", "TWO"]);
    }

    #[test]
    fn a_reset_leaves_nothing_behind() {
        let world = World::default_world(Journal::default());
        world.add_human("dora");
        assert_eq!(world.read(|state| state.humans.len()), 4);
        world.reset(default::default_state());
        assert_eq!(world.read(|state| state.humans.len()), 3);
    }
}
