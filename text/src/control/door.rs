//! What commands are carried out by.

use std::time::Duration;

use async_trait::async_trait;
use clawvoice_session::{
    ChannelId, SessionKey,
    agent::{SpentToday, Usage},
};

use crate::{
    lane::LaneSettings,
    routing::binding::{Bind, BindingRecord, BoundPlace},
};

/// Why something was not done, in words for whoever asked. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DoorFailure(pub String);

/// What became of `/stop`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Whether something ran.
    pub was_running: bool,
    /// Turns that waited, and are dropped.
    pub dropped: usize,
}

/// A session, as `/status` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFacts {
    /// The model that answers.
    pub model: String,
    /// Whether it was chosen in the session.
    pub model_is_chosen: bool,
    /// Whether a turn runs.
    pub is_running: bool,
    /// Turns that wait.
    pub waiting: usize,
    /// Tokens, since the session began.
    pub usage: Usage,
    /// Billionths of a US dollar, since then; `None`: the model's price is not known.
    pub nano_dollars: Option<i64>,
    /// What was spent since midnight UTC; `None`: it is not counted.
    pub today: Option<SpentToday>,
    /// When somebody last wrote, in milliseconds since 1970; `None`: nobody has.
    pub last_activity: Option<u64>,
    /// How long the program has run.
    pub uptime: Duration,
    /// Its version.
    pub version: String,
}

/// An agent, as `/agents` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFacts {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: Option<String>,
    /// Whether it answers where nothing else is said.
    pub is_default: bool,
}

/// A session that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionName {
    /// Its key.
    pub key: SessionKey,
    /// What it is called.
    pub label: Option<String>,
}

/// A time after which a binding ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Without a message.
    Idle,
    /// Since it was bound.
    MaxAge,
}

/// What commands are carried out by.
#[async_trait]
pub trait ControlDoor: Send + Sync {
    /// Whether whoever gives the command may still do so: asked right before something is changed.
    async fn may_still(&self) -> bool;

    /// How turns of the session wait, and whether somebody chose that.
    async fn queue(&self, session: &SessionKey) -> Result<(LaneSettings, bool), DoorFailure>;

    /// Chooses how they wait, until the program ends; `None`: as the file says again.
    async fn set_queue(
        &self,
        session: &SessionKey,
        settings: Option<LaneSettings>,
    ) -> Result<(), DoorFailure>;

    /// Begins the session anew, under the same key. One of an ACP program is reset in place.
    async fn reset(&self, session: &SessionKey) -> Result<(), DoorFailure>;

    /// Ends what runs in the session and drops what waits.
    async fn stop(&self, session: &SessionKey) -> Result<Stopped, DoorFailure>;

    /// What there is to say of the session.
    async fn status(&self, session: &SessionKey) -> Result<SessionFacts, DoorFailure>;

    /// The models an agent may be answered by (`provider/model`), its own first. Empty: whichever
    /// is named.
    async fn models(&self, agent: &str) -> Vec<String>;

    /// Chooses the session's model; `None`: that of the file again.
    async fn set_model(&self, session: &SessionKey, model: Option<&str>)
    -> Result<(), DoorFailure>;

    /// A value of the configuration, or all of it, as JSON in which every secret is blotted out.
    async fn config_get(&self, path: Option<&str>) -> Result<String, DoorFailure>;

    /// Changes a value: JSON5, or a plain text. The file is checked before it is written.
    async fn config_set(&self, path: &str, value: &str) -> Result<(), DoorFailure>;

    /// Takes a value out of the file, likewise.
    async fn config_unset(&self, path: &str) -> Result<(), DoorFailure>;

    /// All agents.
    async fn agents(&self) -> Vec<AgentFacts>;

    /// The session of that key or label, if there is one.
    async fn find_session(&self, named: &str) -> Option<SessionName>;

    /// Opens a thread in a channel.
    async fn open_thread(&self, channel: ChannelId, name: &str) -> Result<ChannelId, DoorFailure>;

    /// What a place is bound to.
    async fn binding(&self, place: BoundPlace) -> Option<BindingRecord>;

    /// All bindings of the account.
    async fn bindings(&self) -> Vec<BindingRecord>;

    /// Binds a place, which is told so.
    async fn bind(&self, bind: Bind) -> Result<(), DoorFailure>;

    /// Ends a binding, and its place is told so.
    async fn unbind(&self, place: BoundPlace) -> Option<BindingRecord>;

    /// Sets a time of a binding; zero: off.
    async fn set_limit(
        &self,
        place: BoundPlace,
        limit: Limit,
        to: Duration,
    ) -> Option<BindingRecord>;
}
