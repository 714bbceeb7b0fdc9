//! The door: what may be asked of an agent, and what it answers.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use clawvoice_config::ToolLists;
use tokio::sync::mpsc;

use crate::{ChannelId, SessionKey, UserId, brain::Image, history::Spent};

/// Names one run. Chosen by the asker, who alone gives it a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u64);

impl RunId {
    /// The run of that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose words a turn is made of. Rights go by this alone, never by what the words say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedBy {
    /// The user.
    pub user: UserId,
    /// What people call them: a name they chose, so untrusted text.
    pub label: String,
    /// Whether they own the agent.
    pub owner: bool,
}

/// Which tools a turn may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolScope {
    /// What the speaker's own rights allow: all of them for an owner.
    OfSpeaker,
    /// `read`, `web_search`, `web_fetch`, `x_search`, `memory_search` and `memory_get`.
    SafeReadOnly,
    /// None.
    None,
}

/// Which tools a turn may use, and of these which its place lets the speaker use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolGrant {
    /// What kind of turn it is.
    pub scope: ToolScope,
    /// `tools` or `toolsBySender` of the place, each of which must let a tool be used. Empty:
    /// nothing is said there.
    pub lists: Vec<Arc<ToolLists>>,
}

impl From<ToolScope> for ToolGrant {
    fn from(scope: ToolScope) -> Self {
        Self { scope, lists: Vec::new() }
    }
}

/// One turn for the agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The asker's name for the run.
    pub run: RunId,
    /// The conversation it belongs to.
    pub session: SessionKey,
    /// Whose words these are.
    pub by: AskedBy,
    /// The user's message.
    pub message: String,
    /// What the user's words stand in: told before them, as a user's words too, in this turn only.
    /// It is never written down.
    pub context: Option<String>,
    /// Pictures that came with the message, for models that take them; in this turn only, too.
    pub images: Vec<Image>,
    /// More system prompt for this turn: where it is held, how to answer.
    pub instructions: Option<String>,
    /// The tools it may use.
    pub tools: ToolGrant,
    /// `provider/model` instead of the agent's own.
    pub model: Option<String>,
    /// The channel or thread it is held in, for what it costs.
    pub channel: Option<ChannelId>,
    /// Where the words come from, as in `discord-voice`.
    pub surface: &'static str,
    /// What it answers, in words of the asker's that name it for good, as the ids of messages do.
    /// What was answered already is told again, and the model is not asked.
    pub origin: Option<String>,
}

/// Tokens of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub input: u64,
    /// Of these, read from the endpoint's cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
}

/// What a run tells its asker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentEvent {
    /// The run began: what was before it in the session is over.
    Started,
    /// A tool is used, and what was written until then is complete.
    Tool {
        /// The tool's name.
        name: String,
    },
    /// The next piece of the answer's text.
    Text(String),
    /// The run is over, with all of its text; empty: the agent chose to say nothing.
    Answered {
        /// The answer.
        text: String,
        /// What it cost.
        usage: Usage,
    },
    /// The run was cancelled.
    Cancelled,
    /// The run failed, in words for an operator.
    Failed(String),
    /// The run was refused before a model was asked, in a sentence for the person.
    Refused(String),
}

impl AgentEvent {
    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Answered { .. } | Self::Cancelled | Self::Failed(_) | Self::Refused(_))
    }
}

/// An event and the run it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// What happened.
    pub event: AgentEvent,
}

/// What may be asked of the session's active run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Control {
    /// What it is doing.
    Status,
    /// Stop it.
    Cancel,
    /// Tell it something now.
    Steer(String),
    /// Tell it something for after its current step.
    FollowUp(String),
}

/// What the active run is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunActivity {
    /// A tool runs.
    Tool(String),
    /// The model has not answered yet.
    Model,
    /// Neither: it is being prepared or finished.
    Working,
}

/// Why a control was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlRefusal {
    /// The session is compacting its history.
    Compacting,
    /// The run takes no more words.
    NotSteerable,
    /// Anything else.
    Failed,
}

/// What became of a control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlOutcome {
    /// There is no active run.
    NoActiveRun,
    /// Carried out.
    Done,
    /// The answer to [`Control::Status`].
    Status(RunActivity),
    /// Not carried out.
    Refused(ControlRefusal),
}

/// What an agent did, but could not write down, and why, in words for an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotWritten(pub String);

/// What was spent since midnight UTC, in billionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpentToday {
    /// In the session.
    pub session: i64,
    /// By its agent, in all sessions.
    pub agent: i64,
}

/// An agent.
#[async_trait]
pub trait Agent: Send + Sync {
    /// Takes a turn into the session's queue. Everything about it is told through `reports`, the
    /// end always, unless the reader is gone. Returns once it is queued.
    async fn ask(&self, ask: Ask, reports: mpsc::Sender<RunReport>);

    /// Controls the session's active run.
    async fn control(&self, session: &SessionKey, control: Control) -> ControlOutcome;

    /// Cancels one run, queued or active; one that is over is left alone.
    async fn cancel(&self, session: &SessionKey, run: RunId);

    /// Of the answer that a run has given, only `text` was heard, because somebody interrupted it:
    /// the session's history is to hold no more of it. An agent without a history need not care.
    async fn heard(&self, session: &SessionKey, run: RunId, text: String) {
        let _ = (session, run, text);
    }

    /// At a place that belongs to the session, as a voice channel does, things are now like this:
    /// shown to the model with every turn until something else is said of the same place, or
    /// `None`. It is no turn and is never answered nor written down. An agent without a model need
    /// not care.
    async fn surround(&self, session: &SessionKey, place: &str, text: Option<String>) {
        let _ = (session, place, text);
    }

    /// The session begins anew: the next run knows nothing of what was said before. A run that is
    /// on its way still belongs to the time before. An agent without a history need not care.
    ///
    /// # Errors
    ///
    /// When it holds until the end of the process only.
    async fn reset(&self, session: &SessionKey) -> Result<(), NotWritten> {
        let _ = session;
        Ok(())
    }

    /// What the session has cost since it began; `None`: the agent keeps no count.
    async fn spent(&self, session: &SessionKey) -> Option<Spent> {
        let _ = session;
        None
    }

    /// What was spent since midnight UTC, in the session and by its agent; `None`: the agent keeps
    /// no count.
    async fn spent_today(&self, session: &SessionKey) -> Option<SpentToday> {
        let _ = session;
        None
    }

    /// Writes a turn into the session's history that was answered without the agent, as by a
    /// realtime model: what was said and what was answered, either may be empty.
    async fn note(&self, session: &SessionKey, by: AskedBy, said: String, answered: String);
}
