//! One turn: the agent is asked, people see that it works, and the answer is written down before
//! it is sent.

use std::sync::Arc;

use clawvoice_session::{
    ChannelId, MessageId, SessionKey,
    agent::RunId,
    mail::{Event, EventKind, Finished, Outcome},
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    around::{Around, Rules},
    asking::ask,
    context::Scene,
    needs::Finder,
    question::Asked,
    running::Running,
    signs::Sign,
    starters::StarterAt,
};
use crate::{lane::RunNumber, routing::binding::BindingRecord};

/// What a turn works with.
pub(super) struct TurnPlan {
    pub(super) run: RunId,
    /// The lane's name for it.
    pub(super) number: RunNumber,
    /// Told how it goes on.
    pub(super) signs: mpsc::Sender<Sign>,
    /// What is asked, oldest first; never empty.
    pub(super) questions: Vec<Arc<Asked>>,
    pub(super) scene: Scene,
    /// Where the message is that its thread began with.
    pub(super) starter: Option<StarterAt>,
    /// Messages that the run is told meanwhile.
    pub(super) merged: mpsc::Receiver<Vec<(ChannelId, MessageId)>>,
    pub(super) rules: Arc<Rules>,
    pub(super) finder: Arc<Finder>,
    /// The binding of the place, if it has one.
    pub(super) bound: Option<BindingRecord>,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TurnEnd {
    /// Answered, be it with silence; what was said in the channel up to `shown` is told.
    Answered {
        /// Where it was asked.
        channel: ChannelId,
        /// The last message of the question.
        shown: MessageId,
    },
    /// People are told that it failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// The process ends: the question stays open for the next one.
    Left,
}

/// Runs a turn to its end.
pub(super) async fn run(plan: TurnPlan, around: &Arc<Around>) -> TurnEnd {
    let Some(last) = plan.questions.last().map(Arc::clone) else { return TurnEnd::Failed };
    let messages: Vec<_> = plan.questions.iter().flat_map(|asked| asked.all()).collect();
    let turn = last.origin(&around.account);
    // As it was before this turn.
    let facts = around.mailbox.facts(last.session()).await.unwrap_or_default();
    if last.opened.is_some() && plan.rules.config.discord.delivery.threads_inherit {
        inherit(around, &last).await;
    }
    prepare_store(around, &last, &messages, &turn).await;
    let ask = ask(&plan, around, &facts, &last, &turn).await;
    let finished = Finished {
        account: around.account.clone(),
        messages,
        outcome: Outcome::Answered,
        session: Some(last.session().clone()),
        asker: Some(last.user()),
        turn,
    };
    log(around, &last, EventKind::TurnStarted, json!({ "message": last.message.id })).await;
    let end = Running::new(plan, around, &last, finished).go(ask).await;
    log(around, &last, EventKind::TurnEnded, json!({ "end": end.word() })).await;
    end
}

impl TurnEnd {
    const fn word(self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Left => "left",
        }
    }
}

/// The session of a thread that was opened for the question begins with what was said where it was
/// asked.
async fn inherit(around: &Around, asked: &Asked) {
    let parent = SessionKey::channel(&asked.route.agent, asked.message.channel);
    if let Err(error) = around.mailbox.inherit(asked.session(), &parent).await {
        tracing::warn!(session = %asked.session(), "what was said before is not taken over: {error}");
    }
}

/// Writes down which messages are one turn, and where its session is spoken to.
async fn prepare_store(
    around: &Around,
    asked: &Asked,
    messages: &[(ChannelId, MessageId)],
    turn: &str,
) {
    let account = &around.account;
    let assigned = around.mailbox.assign(account, messages.to_vec(), asked.session(), turn).await;
    let noted = around.mailbox.note_route(asked.session(), account, asked.channel).await;
    for error in [assigned.err(), noted.err()].into_iter().flatten() {
        tracing::warn!(session = %asked.session(), "a turn is not written down: {error}");
    }
}

async fn log(around: &Around, asked: &Asked, kind: EventKind, detail: serde_json::Value) {
    let event = Event {
        account: around.account.clone(),
        conversation: asked.session().to_string(),
        user: Some(asked.user()),
        kind,
        detail,
    };
    if let Err(error) = around.mailbox.event(event).await {
        tracing::debug!("an event is not logged: {error}");
    }
}
