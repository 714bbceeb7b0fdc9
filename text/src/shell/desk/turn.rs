//! One turn: the agent is asked, people see that it works, and the answer is written down before
//! it is sent.

use std::{sync::Arc, time::Duration};

use clawvoice_session::{
    ChannelId, MessageId, SessionKey, SessionTime,
    agent::{AgentEvent, Ask, RunId, RunReport, ToolScope},
    history::SessionFacts,
    mail::{Event, EventKind, Finished, Outcome},
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    super::{
        clock::{now, sleep_until},
        media::Fetched,
    },
    answer::{Answering, Delivered},
    around::{Around, Rules},
    context::{Scene, Surrounding},
    needs::Finder,
    question::Asked,
    signs::{Sign, SignKind},
    starters::StarterAt,
};
use crate::{
    delivery::may_become_silent,
    envelope::{Marker, strip, strip_partial},
    feedback::{
        AckRules, CallFailed, FinalAnswer, Gate, Preview, PreviewOutput, StatusEnd, StatusOutput,
        StatusReactions, TypingLease,
    },
    lane::RunNumber,
    media::note::unavailable_line,
    routing::binding::BindingRecord,
};

/// Reports of a run that may wait for the turn.
const REPORTS: usize = 256;

/// The desk is told no more often that a turn goes on.
const SIGN_EVERY: Duration = Duration::from_secs(1);

/// What people are told when a turn fails; why is in the log.
const FAILED: &str = "⚠️ Something went wrong while answering. Please try again.";

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

/// What the agent is asked.
async fn ask(
    plan: &TurnPlan,
    around: &Around,
    facts: &SessionFacts,
    last: &Asked,
    turn: &str,
) -> Ask {
    let config = &plan.rules.config;
    let is_first = facts.route.is_none() || facts.began >= facts.active;
    let starter = async {
        match plan.starter.as_ref().filter(|_| is_first) {
            Some(starter) => starter.find(around).await,
            None => None,
        }
    };
    let ((words, notes), starter) = tokio::join!(words(plan), starter);
    let elapsed = facts.active.map(|at| Timestamp::now().duration_since(at).as_millis());
    let zone = zone(&config.agents.timezone);
    let surrounding = Surrounding {
        account: &around.account,
        agents: &config.agents,
        zone: &zone,
        is_first,
        starter,
        elapsed_ms: elapsed.and_then(|ms| u64::try_from(ms).ok()),
        body: &words,
        notes: &notes,
    };
    let envelope = plan.scene.compose(last, &surrounding, &around.marker);
    let origin = plan.rules.origin_of(last);
    let of_parent = parent_model(around, last).await;
    let model = plan.rules.router.model(&origin, facts.model.as_deref(), of_parent.as_deref());
    Ask {
        run: plan.run,
        session: last.session().clone(),
        by: last.by(),
        message: envelope.message,
        context: Some(envelope.context),
        instructions: Some(envelope.system),
        tools: ToolScope::OfSpeaker,
        model: model.map(str::to_owned),
        surface: "discord",
        origin: Some(turn.to_owned()),
    }
}

/// The model that was chosen in the channel that the place of the answer is a thread of.
async fn parent_model(around: &Around, asked: &Asked) -> Option<String> {
    let parent = match asked.is_moved() {
        true => asked.message.channel,
        false => asked.admitted.parent?,
    };
    if asked.route.is_bound() {
        return None;
    }
    let session = SessionKey::channel(&asked.route.agent, parent);
    around.mailbox.facts(&session).await.ok()?.model
}

/// What people wrote, and lines about their files.
async fn words(plan: &TurnPlan) -> (String, Vec<String>) {
    let mut notes = Vec::new();
    for asked in &plan.questions {
        let fetched = plan.finder.media.fetch(&asked.message.attachments).await;
        notes.extend(fetched.iter().filter_map(Fetched::line));
        notes.extend(unavailable_line(&fetched));
    }
    let words: Vec<String> = plan.questions.iter().map(|asked| asked.words()).collect();
    (words.join("\n"), notes)
}

/// The zone that times are told in.
fn zone(written: &str) -> TimeZone {
    match written {
        "utc" => TimeZone::UTC,
        "local" | "user" => TimeZone::system(),
        name => TimeZone::get(name).unwrap_or_else(|_| TimeZone::system()),
    }
}

/// What came of something that was done beside the run.
enum CallEnd {
    Posted(Result<MessageId, CallFailed>),
    Edited(Result<(), CallFailed>),
    Sent(Result<MessageId, CallFailed>),
    FinalSent(Delivered),
    Deleted(Result<(), CallFailed>),
    Other,
}

/// A turn whose run is under way.
struct Running<'t> {
    around: &'t Arc<Around>,
    asked: &'t Arc<Asked>,
    merged: mpsc::Receiver<Vec<(ChannelId, MessageId)>>,
    number: RunNumber,
    signs: mpsc::Sender<Sign>,
    /// When it was last told that it goes on.
    signed: SessionTime,
    answering: Arc<tokio::sync::Mutex<Answering>>,
    preview: Preview,
    status: StatusReactions,
    typing: TypingLease,
    calls: FuturesUnordered<BoxFuture<'static, CallEnd>>,
    end: Option<TurnEnd>,
}

impl<'t> Running<'t> {
    fn new(
        plan: TurnPlan,
        around: &'t Arc<Around>,
        asked: &'t Arc<Asked>,
        finished: Finished,
    ) -> Self {
        let config = &plan.rules.config;
        let delivery = &config.discord.delivery;
        let agent = plan.rules.agent(&asked.route.agent);
        let addressed = asked.addressed();
        let gate = Gate { may_become_silent, shown };
        let ack = AckRules::new(delivery, &config.messages, agent);
        let every = config.agents.typing_interval;
        let pick = usize::try_from(asked.message.id.get() >> 22).unwrap_or(0);
        Self {
            around,
            asked,
            merged: plan.merged,
            number: plan.number,
            signs: plan.signs,
            signed: now(),
            preview: Preview::new(&delivery.streaming, delivery.text_chunk_limit, gate, pick),
            status: StatusReactions::new(&ack, addressed),
            typing: TypingLease::new(agent.typing, addressed, every, now()),
            answering: Arc::new(tokio::sync::Mutex::new(Answering::new(
                Arc::clone(around),
                Arc::clone(&plan.rules),
                Arc::clone(asked),
                plan.bound,
                finished,
            ))),
            calls: FuturesUnordered::new(),
            end: None,
        }
    }

    async fn go(mut self, ask: Ask) -> TurnEnd {
        let (sender, mut reports) = mpsc::channel(REPORTS);
        self.status.handle_thinking(now());
        self.around.agent.ask(ask, sender).await;
        let mut reporting = true;
        loop {
            self.poll();
            if self.end.is_some() && self.preview.is_over() && self.calls.is_empty() {
                break;
            }
            let due = self.poll_timeout();
            tokio::select! {
                report = reports.recv(), if reporting => match report {
                    Some(report) => {
                        reporting = !report.event.is_last();
                        self.report(report);
                    }
                    None => {
                        reporting = false;
                        self.failed("the agent has gone");
                    }
                },
                Some(ended) = self.calls.next(), if !self.calls.is_empty() => self.call_ended(ended),
                () = sleep_until(due) => {}
            }
        }
        self.end.unwrap_or(TurnEnd::Failed)
    }

    fn poll_timeout(&self) -> Option<SessionTime> {
        let machines =
            [self.preview.poll_timeout(), self.typing.poll_timeout(), self.status.poll_timeout()];
        machines.into_iter().flatten().min()
    }

    /// A signal that does not fit costs a steer, which then waits its turn.
    fn sign(&self, kind: SignKind) {
        let session = self.asked.session().clone();
        let _ = self.signs.try_send(Sign { session, run: self.number, kind });
    }

    fn goes_on(&mut self) {
        if now().since(self.signed) >= SIGN_EVERY {
            self.signed = now();
            self.sign(SignKind::GoesOn);
        }
    }

    fn report(&mut self, report: RunReport) {
        self.typing.handle_activity(now());
        if report.event.is_last() {
            self.sign(SignKind::Over);
        }
        match report.event {
            AgentEvent::Started => {
                self.typing.handle_thinking(now());
                self.sign(SignKind::Started);
            }
            AgentEvent::Tool { name } => {
                self.goes_on();
                self.status.handle_tool(now());
                self.preview.handle_message_end(now());
                self.preview.handle_tool(now(), &name, None);
            }
            AgentEvent::Text(piece) => {
                self.goes_on();
                self.typing.handle_text(now());
                self.preview.handle_text(now(), &piece);
            }
            AgentEvent::Answered { text, .. } => self.answered(&text),
            AgentEvent::Cancelled if self.around.is_closing() => self.leave(),
            AgentEvent::Failed(_) if self.around.is_closing() => self.leave(),
            AgentEvent::Cancelled => {
                self.end = Some(TurnEnd::Cancelled);
                self.typing.handle_over();
                self.status.handle_over(now(), StatusEnd::Quiet);
                self.preview.handle_abort();
                let answering = Arc::clone(&self.answering);
                let merged = self.take_merged();
                self.calls.push(Box::pin(async move {
                    answering.lock().await.finish(merged, Outcome::Failed).await;
                    CallEnd::Other
                }));
            }
            AgentEvent::Failed(why) => self.failed(&why),
        }
    }

    fn answered(&mut self, text: &str) {
        let text = strip(text, &self.around.marker);
        self.end = Some(TurnEnd::Answered {
            channel: self.asked.message.channel,
            shown: self.asked.message.id,
        });
        let explicit_reply = text.contains("[[reply_to");
        self.preview
            .handle_final(now(), FinalAnswer { text, explicit_reply, ..FinalAnswer::default() });
    }

    fn failed(&mut self, why: &str) {
        tracing::warn!(session = %self.asked.session(), "a turn failed: {why}");
        self.end = Some(TurnEnd::Failed);
        let text = FAILED.to_owned();
        self.preview
            .handle_final(now(), FinalAnswer { text, is_error: true, ..FinalAnswer::default() });
    }

    /// Nothing is written down, so that the next process asks again.
    fn leave(&mut self) {
        self.end = Some(TurnEnd::Left);
        self.typing.handle_over();
        self.preview.handle_abort();
    }

    fn take_merged(&mut self) -> Vec<(ChannelId, MessageId)> {
        let mut merged = Vec::new();
        while let Ok(messages) = self.merged.try_recv() {
            merged.extend(messages);
        }
        merged
    }

    fn poll(&mut self) {
        while let Some(output) = self.preview.poll_output(now()) {
            self.carry_out(output);
        }
        while let Some(output) = self.status.poll_output(now()) {
            let (around, asked) = (Arc::clone(self.around), Arc::clone(self.asked));
            self.calls.push(Box::pin(async move {
                react(&around, &asked, output).await;
                CallEnd::Other
            }));
        }
        if self.typing.poll_output(now()) {
            let (around, channel) = (Arc::clone(self.around), self.asked.channel);
            self.calls.push(Box::pin(async move {
                if let Err(failure) = around.rest.typing(channel).await {
                    tracing::debug!("typing is not shown: {failure}");
                }
                CallEnd::Other
            }));
        }
    }

    fn carry_out(&mut self, output: PreviewOutput) {
        let (around, channel) = (Arc::clone(self.around), self.asked.channel);
        let answering = Arc::clone(&self.answering);
        match output {
            PreviewOutput::Post { text } => self.calls.push(Box::pin(async move {
                let body = super::answer::preview_body(&text);
                let posted = around.rest.create_message(channel, &body).await;
                if let Ok(created) = &posted {
                    around.sent.message(created.id);
                }
                CallEnd::Posted(posted.map(|created| created.id).map_err(|_| CallFailed))
            })),
            PreviewOutput::Edit { id, text } => self.calls.push(Box::pin(async move {
                let body = super::answer::preview_edit(&text);
                let edited = around.rest.edit_message(channel, id, &body).await;
                CallEnd::Edited(edited.map_err(|_| CallFailed))
            })),
            PreviewOutput::Send { text } => self.calls.push(Box::pin(async move {
                CallEnd::Sent(answering.lock().await.send_piece(&text).await)
            })),
            PreviewOutput::SendFinal { text } => {
                self.typing.handle_over();
                let merged = self.take_merged();
                let failed = self.end == Some(TurnEnd::Failed);
                self.calls.push(Box::pin(async move {
                    CallEnd::FinalSent(
                        answering.lock().await.send_final(&text, merged, failed).await,
                    )
                }));
            }
            PreviewOutput::FinalIsPreview { .. } | PreviewOutput::FinalIsSent => {
                self.over();
                let merged = self.take_merged();
                self.calls.push(Box::pin(async move {
                    answering.lock().await.finish(merged, Outcome::Answered).await;
                    CallEnd::Other
                }));
            }
            PreviewOutput::Delete { id } => self.calls.push(Box::pin(async move {
                let deleted = match around.rest.delete_message(channel, id).await {
                    Err(failure) if failure.code() != Some(UNKNOWN_MESSAGE) => Err(CallFailed),
                    _ => Ok(()),
                };
                CallEnd::Deleted(deleted)
            })),
            PreviewOutput::DeleteLater { id } => around.leave_draft(channel, id),
        }
    }

    /// The answer is there: nothing shows any more that it is being made.
    fn over(&mut self) {
        self.typing.handle_over();
        let end = match self.end {
            Some(TurnEnd::Failed) => StatusEnd::Failed,
            _ => StatusEnd::Done,
        };
        self.status.handle_over(now(), end);
    }

    fn call_ended(&mut self, ended: CallEnd) {
        match ended {
            CallEnd::Posted(result) | CallEnd::Sent(result) => self.preview.handle_sent(result),
            CallEnd::Edited(result) => self.preview.handle_edited(result),
            CallEnd::Deleted(result) => self.preview.handle_deleted(result),
            CallEnd::FinalSent(delivered) => {
                let sent = matches!(delivered, Delivered::All);
                if delivered == Delivered::NotAll {
                    self.end = Some(TurnEnd::Failed);
                }
                self.over();
                self.preview.handle_final_sent(if sent { Ok(()) } else { Err(CallFailed) });
                if delivered == Delivered::Left {
                    self.end = Some(TurnEnd::Left);
                }
            }
            CallEnd::Other => {}
        }
    }
}

/// JSON error code 10008, "Unknown Message".
const UNKNOWN_MESSAGE: u64 = 10_008;

/// What of a growing answer may be seen. A copied envelope has the labels of any process.
fn shown(text: &str) -> String {
    strip_partial(text, &Marker::new([0; 16]))
}

async fn react(around: &Around, asked: &Asked, output: StatusOutput) {
    let (channel, message) = (asked.message.channel, asked.message.id);
    let done = match &output {
        StatusOutput::Add(emoji) => around.rest.react(channel, message, emoji.as_str()).await,
        StatusOutput::Remove(emoji) => around.rest.unreact(channel, message, emoji.as_str()).await,
    };
    if let Err(failure) = done {
        tracing::debug!("a reaction is not shown: {failure}");
    }
}
