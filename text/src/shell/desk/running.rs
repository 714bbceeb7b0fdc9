//! A turn whose run is under way: what the agent reports becomes what people see.

use std::{sync::Arc, time::Duration};

use clawvoice_config::{Streaming, StreamingMode, TypingMode};
use clawvoice_session::{
    ChannelId, MessageId, SessionTime,
    agent::{AgentEvent, Ask, RunId, RunReport},
    mail::{Finished, Outcome},
};
use futures_util::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;

use super::{
    super::clock::{now, sleep_until},
    answer::{Answering, Delivered},
    around::Around,
    question::Asked,
    signs::{Sign, SignKind},
    turn::{TurnEnd, TurnPlan},
};
use crate::{
    delivery::{may_become_silent, media_lines},
    envelope::{Marker, strip, strip_partial},
    feedback::{
        AckRules, CallFailed, FinalAnswer, Gate, Pace, Preview, PreviewOutput, StatusEnd,
        StatusOutput, StatusReactions, TypingLease,
    },
    lane::RunNumber,
};

/// Reports of a run that may wait for the turn.
const REPORTS: usize = 256;

/// The desk is told no more often that a turn goes on.
const SIGN_EVERY: Duration = Duration::from_secs(1);

/// Before what is told instead of an answer.
const WARNING: &str = "⚠️";

/// What people are told when a turn fails; why is in the log.
const FAILED: &str = "Something went wrong while answering. Please try again.";

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
pub(super) struct Running<'t> {
    around: &'t Arc<Around>,
    asked: &'t Arc<Asked>,
    merged: mpsc::Receiver<Vec<(ChannelId, MessageId)>>,
    run: RunId,
    number: RunNumber,
    signs: mpsc::Sender<Sign>,
    /// When it was last told that it goes on.
    signed: SessionTime,
    /// What the agent has written so far.
    written: String,
    answering: Arc<tokio::sync::Mutex<Answering>>,
    preview: Preview,
    status: StatusReactions,
    typing: TypingLease,
    calls: FuturesUnordered<BoxFuture<'static, CallEnd>>,
    end: Option<TurnEnd>,
    /// Nobody asked: nothing of the turn is seen.
    quiet: bool,
}

impl<'t> Running<'t> {
    pub(super) fn new(
        plan: TurnPlan,
        around: &'t Arc<Around>,
        asked: &'t Arc<Asked>,
        finished: Finished,
    ) -> Self {
        let config = &plan.rules.config;
        let delivery = &config.discord.delivery;
        let agent = plan.rules.agent(&asked.route.agent);
        let addressed = asked.addressed();
        let quiet = plan.questions.iter().all(|asked| asked.admitted.ambient);
        let streaming = match quiet {
            true => Streaming {
                mode: StreamingMode::Off,
                block_enabled: false,
                ..delivery.streaming.clone()
            },
            false => delivery.streaming.clone(),
        };
        let pace = Pace::new(agent.human_delay, asked.message.id.get());
        let typing = if quiet { Some(TypingMode::Never) } else { agent.typing };
        let gate = Gate { may_become_silent, shown, sent };
        let ack = AckRules::new(delivery, &config.messages, agent);
        let every = config.agents.typing_interval;
        let pick = usize::try_from(asked.message.id.get() >> 22).unwrap_or(0);
        Self {
            around,
            asked,
            merged: plan.merged,
            run: plan.run,
            number: plan.number,
            signs: plan.signs,
            signed: now(),
            written: String::new(),
            preview: Preview::new(&streaming, delivery.text_chunk_limit, gate, pick).paced(pace),
            status: StatusReactions::new(&ack, addressed),
            typing: TypingLease::new(typing, addressed, every, now()),
            answering: Arc::new(tokio::sync::Mutex::new(Answering::new(
                Arc::clone(around),
                Arc::clone(&plan.rules),
                Arc::clone(asked),
                plan.bound,
                finished,
                Arc::clone(&plan.finder.media),
            ))),
            calls: FuturesUnordered::new(),
            end: None,
            quiet,
        }
    }

    pub(super) async fn go(mut self, ask: Ask) -> TurnEnd {
        let (sender, mut reports) = mpsc::channel(REPORTS);
        if !self.quiet {
            self.status.handle_thinking(now());
        }
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
        // What is shown of the end goes by itself; the next turn need not wait for it.
        tokio::spawn(settle(self.status, Arc::clone(self.around), Arc::clone(self.asked)));
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
            self.tidy();
        }
        match report.event {
            AgentEvent::Started => {
                self.typing.handle_thinking(now());
                self.sign(SignKind::Started);
            }
            AgentEvent::Tool { name } => {
                self.goes_on();
                if !self.quiet {
                    self.status.handle_tool(now());
                }
                self.preview.handle_message_end(now());
                self.preview.handle_tool(now(), &name, None);
            }
            AgentEvent::Text(piece) => {
                self.goes_on();
                self.written.push_str(&piece);
                self.typing.handle_text(now());
                self.preview.handle_text(now(), &piece);
            }
            AgentEvent::Answered { text, .. } => self.answered(&text),
            AgentEvent::Cancelled if self.around.is_closing() => self.leave(),
            AgentEvent::Failed(_) | AgentEvent::Refused(_) if self.around.is_closing() => {
                self.leave();
            }
            AgentEvent::Cancelled => {
                self.end = Some(TurnEnd::Cancelled);
                self.end_unseen(Outcome::Failed);
            }
            AgentEvent::Failed(why) => self.failed(&why),
            AgentEvent::Refused(told) => self.end_with(format!("{WARNING} {told}")),
        }
    }

    /// The turn is over, and nothing of it is to be seen.
    fn end_unseen(&mut self, outcome: Outcome) {
        self.typing.handle_over();
        self.status.handle_over(now(), StatusEnd::Quiet);
        self.preview.handle_abort();
        let answering = Arc::clone(&self.answering);
        let merged = self.take_merged();
        self.calls.push(Box::pin(async move {
            answering.lock().await.finish(merged, outcome).await;
            CallEnd::Other
        }));
    }

    /// Nothing of the envelope is to stand in the session's history: the model would take it for
    /// something to repeat.
    fn tidy(&self) {
        let kept = strip(&self.written, &self.around.marker);
        if kept == self.written {
            return;
        }
        let (around, session) = (Arc::clone(self.around), self.asked.session().clone());
        let run = self.run;
        self.calls.push(Box::pin(async move {
            around.agent.heard(&session, run, kept).await;
            CallEnd::Other
        }));
    }

    fn answered(&mut self, text: &str) {
        let text = strip(text, &self.around.marker);
        self.end = Some(TurnEnd::Answered {
            channel: self.asked.message.channel,
            shown: self.asked.message.id,
        });
        if self.quiet {
            return self.end_unseen(Outcome::Answered);
        }
        let explicit_reply = text.contains("[[reply_to");
        let has_media = !media_lines::take(&text).1.is_empty();
        let answer = FinalAnswer { text, explicit_reply, has_media, ..FinalAnswer::default() };
        self.preview.handle_final(now(), answer);
    }

    fn failed(&mut self, why: &str) {
        tracing::warn!(session = %self.asked.session(), "a turn failed: {why}");
        self.end_with(format!("{WARNING} {FAILED}"));
    }

    /// Nothing is answered; this is told instead.
    fn end_with(&mut self, text: String) {
        self.end = Some(TurnEnd::Failed);
        if self.quiet {
            return self.end_unseen(Outcome::Failed);
        }
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
    media_lines::hide(&sent(text))
}

/// What of a piece of an answer is sent for good.
fn sent(text: &str) -> String {
    strip_partial(text, &Marker::new([0; 16]))
}

/// Takes the reactions back to what they were before the turn.
async fn settle(mut status: StatusReactions, around: Arc<Around>, asked: Arc<Asked>) {
    while let Some(due) = status.poll_timeout() {
        sleep_until(Some(due)).await;
        while let Some(output) = status.poll_output(now()) {
            react(&around, &asked, output).await;
        }
    }
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
