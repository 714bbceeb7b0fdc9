//! Text of one account: messages come in, are written down, decided and answered.
//!
//! ```text
//! feed ─ intake (inbox) ─ debounce ─ admission ⇄ needs ─ route ─ lane ─ turn ─ agent
//!                                       └ dropped: reason                └ courier (outbox) ─ Discord
//! ```
//!
//! | step | file |
//! |---|---|
//! | written down, gathered | `intake.rs`, after a gap `catch_up.rs` |
//! | decided, with what must be found out | `admission.rs`, `decide.rs`, `needs.rs`, `choice.rs` |
//! | a command | `commands.rs`, `slash.rs`, `picker.rs`, `requests.rs`, `door.rs` |
//! | a turn of its session | `turns.rs`, `threads.rs`, `starters.rs`, `context.rs`, `asking.rs` |
//! | asked, shown, answered | `turn.rs`, `running.rs`, `answer.rs`, `signs.rs` |
//! | sent | `courier.rs`, `post.rs`, `hooks.rs`, `sent.rs` |
//!
//! One task owns everything that is decided here; what takes time runs beside it and comes back as
//! a `JobEnd`. Rules are elsewhere: [`crate::inbound`], [`crate::routing`], [`crate::lane`],
//! [`crate::envelope`], [`crate::delivery`].

mod admission;
mod answer;
mod around;
mod asking;
mod catch_up;
mod choice;
mod commands;
mod context;
mod courier;
mod decide;
mod door;
mod hooks;
mod intake;
mod members;
mod needs;
mod outgoing_media;
mod picker;
mod post;
mod question;
mod reactions;
mod requests;
mod run;
mod running;
mod sent;
mod signs;
mod slash;
mod starters;
mod threads;
mod titles;
mod turn;
mod turns;

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

use clawvoice_config::Config;
use clawvoice_session::{
    ChannelId, SessionKey, SessionTime, UserId,
    agent::Agent,
    audit::Credential,
    mail::Received,
    shell::store::{Mailbox, Pairings},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};

use self::{
    admission::{Admission, Admissions, Answer},
    around::{Around, Rules},
    needs::Finder,
    question::{Asked, Question},
    reactions::Reacted,
    signs::Sign,
    threads::AnswerThread,
    turn::TurnEnd,
};
pub use self::{
    choice::SharedRouter,
    needs::Transcribe,
    requests::{ConfigFile, SlashDoor, TextRequests, text_requests},
    run::run,
};
use super::{feed::TextIntake, rest::DiscordRest};
use crate::{
    command::model_picker::Recents,
    control::TextCommands,
    history::Pending,
    inbound::{Admitted, Attention, Debounce, Dedup, DropCounters, LoopGuard, Telling},
    lane::{Lane, LaneSettings, RunNumber, StuckWatch},
    message::Message,
    place::{Channel, Places},
    routing::binding::Bindings,
};

/// What text of an account is made of.
pub struct TextSettings {
    /// The account's key in the configuration.
    pub account: String,
    /// Where files that come with messages are kept.
    pub media_folder: PathBuf,
    /// Where the PluralKit API is, if not where it usually is.
    pub pluralkit_url: Option<String>,
}

/// Whom text talks to.
pub struct TextDoors {
    /// What the gateway tells.
    pub intake: TextIntake,
    /// The configuration, as the account has it; what changes is in force from the next message on.
    pub config: watch::Receiver<Arc<Config>>,
    /// REST, in the account's name.
    pub rest: DiscordRest,
    /// The agent.
    pub agent: Arc<dyn Agent>,
    /// What is kept until it is done.
    pub mailbox: Mailbox,
    /// Who waits to be let in, and who was.
    pub pairings: Arc<tokio::sync::Mutex<Pairings>>,
    /// What voice notes are understood by.
    pub transcriber: Option<Arc<dyn Transcribe>>,
    /// The configuration's file; `None`: commands do not touch it.
    pub file: Option<Arc<dyn ConfigFile>>,
    /// What slash commands ask.
    pub requests: TextRequests,
    /// What the bots of this process decide by which of them answers.
    pub router: SharedRouter,
    /// Where text writes how it is doing.
    pub monitor: TextMonitor,
    /// Is told how PluralKit takes its token.
    pub pluralkit: Option<Credential>,
}

/// How text of an account is doing. Cloning gives another handle to the same.
#[derive(Clone, Debug, Default)]
pub struct TextMonitor(Arc<Mutex<TextStatus>>);

/// How text of an account is doing.
#[derive(Clone, Debug, Default)]
pub struct TextStatus {
    /// Messages that were dropped, by reason.
    pub drops: DropCounters,
    /// Messages that are not decided yet.
    pub deciding: usize,
    /// Sessions with turns that run or wait.
    pub sessions: usize,
    /// Turns that were answered.
    pub answered: u64,
    /// Turns that failed.
    pub failed: u64,
}

impl TextMonitor {
    /// As it is now.
    #[must_use]
    pub fn snapshot(&self) -> TextStatus {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut TextStatus)) {
        change(&mut self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

/// What ran beside the desk and is over.
enum JobEnd {
    /// Something was found out about the first message of a channel.
    Found(ChannelId, Answer),
    /// A thread was opened for it, or could not be.
    Thread(ChannelId, Option<AnswerThread>),
    /// A model has named a thread; what it was called, and its new name.
    Titled(ChannelId, String, String),
    /// What was not told of a reaction is known.
    Reacted(Box<Reacted>),
    /// What was said in a channel before this process came up; the session began then, in
    /// milliseconds since 1970.
    Refilled(ChannelId, u64, Vec<Message>),
    /// A bound thread was looked at; `None`: it is no more.
    Seen(ChannelId, Option<Channel>),
    /// A draft was deleted, or not.
    Deleted(bool),
    /// A turn is over.
    Turn(SessionKey, RunNumber, TurnEnd),
    /// Whether a run took what it was told.
    Steered(SessionKey, Question, bool),
    /// A command is carried out, and what follows it is asked.
    Then(Box<(String, Admission, Admitted)>),
    /// A slash command is carried out, and what follows it is asked.
    Ask(Box<Asked>),
    /// Anything that needs no word.
    Done,
}

/// One session's turns, and the run of the active one.
struct Session {
    lane: Lane<Question>,
    watch: StuckWatch,
    active: Option<turns::Active>,
}

struct Desk {
    around: Arc<Around>,
    finder: Arc<Finder>,
    rules: Arc<Rules>,
    monitor: TextMonitor,
    places: Places,
    own: watch::Sender<Option<UserId>>,
    /// Knows messages again while the store does not.
    dedup: Dedup,
    debounce: Debounce,
    admissions: Admissions,
    /// Messages that the last process did not finish, in their order.
    recovered: Vec<Received>,
    sessions: foldhash::HashMap<SessionKey, Session>,
    pending: Pending,
    /// Questions that wait for what was said before them.
    waiting_for_refill: HashMap<ChannelId, Vec<Question>>,
    bindings: Bindings,
    router: SharedRouter,
    attention: Attention,
    loop_guard: LoopGuard,
    telling: Telling,
    /// What Discord told of a session's place, for its next turn.
    happened: HashMap<SessionKey, Vec<String>>,
    /// Reactions that something may be found out about at a time.
    reaction_lookups: Arc<Semaphore>,
    /// Whether it was told that texts are empty.
    told_of_empty: bool,
    /// When what was missed is looked for at the latest.
    catch_up_at: Option<SessionTime>,
    /// Told how turns go on.
    signs: mpsc::Sender<Sign>,
    commands: TextCommands,
    /// The models that people chose last.
    recents: Recents,
    /// How turns wait where somebody chose it.
    queues: HashMap<SessionKey, LaneSettings>,
    requests: requests::Requests,
    file: Option<Arc<dyn ConfigFile>>,
    /// When the process came up.
    began: Instant,
    /// The same, in milliseconds since 1970.
    began_ms: u64,
    jobs: JoinSet<JobEnd>,
}
