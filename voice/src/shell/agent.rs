//! One session's way to the agent: a task that asks in order, and what comes back.

#![allow(clippy::disallowed_methods, reason = "the shell is where tasks are")]

use std::{pin::pin, sync::Arc};

use clawvoice_session::{
    SessionKey,
    agent::{
        Agent, AgentEvent, Ask, AskedBy, Control, ControlOutcome, ControlRefusal, RunId, RunReport,
    },
};
use tokio::sync::mpsc;

/// Requests that may wait for the agent to take them; further ones fail.
const REQUESTS: usize = 64;
/// Reports that may wait for the session; the agent's run waits when there are more.
const REPORTS: usize = 256;
/// Outcomes of controls that may wait.
const OUTCOMES: usize = 16;

/// What a session asks.
#[derive(Debug)]
enum Request {
    Ask(Ask),
    Control { ticket: u64, session: SessionKey, control: Control },
    Note { session: SessionKey, by: AskedBy, said: String, answered: String },
    Cancel { session: SessionKey, run: RunId },
    Heard { session: SessionKey, run: RunId, text: String },
    Surround { session: SessionKey, place: String, text: Option<String> },
}

/// What the agent says.
#[derive(Debug)]
pub(crate) enum FromAgent {
    /// About a run.
    Report(RunReport),
    /// About a control.
    Control { ticket: u64, outcome: ControlOutcome },
}

/// See the module's documentation. The task ends with it; runs go on and are kept in the history.
pub(crate) struct AgentLink {
    requests: mpsc::Sender<Request>,
    reports: mpsc::Receiver<RunReport>,
    outcomes: mpsc::Receiver<(u64, ControlOutcome)>,
    /// Answers of our own, for what could not be asked.
    refused: mpsc::Sender<RunReport>,
    /// The same for controls: one whose outcome never came would be waited for.
    not_controlled: mpsc::Sender<(u64, ControlOutcome)>,
}

impl AgentLink {
    pub(crate) fn new(agent: Arc<dyn Agent>) -> Self {
        let (requests, mut incoming) = mpsc::channel(REQUESTS);
        let (to_session, reports) = mpsc::channel(REPORTS);
        let (outcomes_out, outcomes) = mpsc::channel(OUTCOMES);
        let refused = to_session.clone();
        let not_controlled = outcomes_out.clone();
        tokio::spawn(async move {
            while let Some(request) = incoming.recv().await {
                match request {
                    Request::Ask(ask) => agent.ask(ask, to_session.clone()).await,
                    Request::Control { ticket, session, control } => {
                        let outcome = agent.control(&session, control).await;
                        // Nobody waits for it once the session is over.
                        let _ = outcomes_out.send((ticket, outcome)).await;
                    }
                    Request::Note { session, by, said, answered } => {
                        agent.note(&session, by, said, answered).await;
                    }
                    Request::Cancel { session, run } => agent.cancel(&session, run).await,
                    Request::Heard { session, run, text } => {
                        agent.heard(&session, run, text).await;
                    }
                    Request::Surround { session, place, text } => {
                        agent.surround(&session, &place, text).await;
                    }
                }
            }
        });
        Self { requests, reports, outcomes, refused, not_controlled }
    }

    pub(crate) fn ask(&self, ask: Ask) {
        let run = ask.run;
        if self.requests.try_send(Request::Ask(ask)).is_err() {
            let event = AgentEvent::Failed("the agent takes no more questions".to_owned());
            if self.refused.try_send(RunReport { run, event }).is_err() {
                tracing::warn!(%run, "a question is lost: neither asked nor refused");
            }
        }
    }

    pub(crate) fn control(&self, ticket: u64, session: SessionKey, control: Control) {
        if self.requests.try_send(Request::Control { ticket, session, control }).is_err() {
            let outcome = ControlOutcome::Refused(ControlRefusal::Failed);
            if self.not_controlled.try_send((ticket, outcome)).is_err() {
                tracing::warn!("the agent is not reached by a control of its run");
            }
        }
    }

    pub(crate) fn note(&self, session: SessionKey, by: AskedBy, said: String, answered: String) {
        if self.requests.try_send(Request::Note { session, by, said, answered }).is_err() {
            tracing::warn!("a turn is missing in the agent's history");
        }
    }

    pub(crate) fn cancel(&self, session: SessionKey, run: RunId) {
        if self.requests.try_send(Request::Cancel { session, run }).is_err() {
            tracing::warn!(%run, "the agent is not reached to cancel a run");
        }
    }

    pub(crate) fn heard(&self, session: SessionKey, run: RunId, text: String) {
        if self.requests.try_send(Request::Heard { session, run, text }).is_err() {
            tracing::warn!(%run, "the agent's history holds more than was heard");
        }
    }

    pub(crate) fn surround(&self, session: SessionKey, place: String, text: Option<String>) {
        if self.requests.try_send(Request::Surround { session, place, text }).is_err() {
            tracing::warn!("the agent does not know who is in the voice channel");
        }
    }

    /// What comes next; cancel-safe, and never for an agent that is gone.
    pub(crate) async fn recv(&mut self) -> FromAgent {
        let received = {
            let report = pin!(self.reports.recv());
            let outcome = pin!(self.outcomes.recv());
            tokio::select! {
                report = report => report.map(FromAgent::Report),
                outcome = outcome => {
                    outcome.map(|(ticket, outcome)| FromAgent::Control { ticket, outcome })
                }
            }
        };
        match received {
            Some(received) => received,
            None => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use clawvoice_session::{
        ChannelId, UserId,
        agent::{ToolScope, Usage},
    };

    use super::*;

    struct Upper;

    #[async_trait]
    impl Agent for Upper {
        async fn ask(&self, ask: Ask, reports: mpsc::Sender<RunReport>) {
            let text = ask.message.to_uppercase();
            let event = AgentEvent::Answered { text, usage: Usage::default() };
            reports.send(RunReport { run: ask.run, event }).await.unwrap();
        }

        async fn control(&self, _: &SessionKey, control: Control) -> ControlOutcome {
            if control == Control::Cancel {
                std::future::pending::<()>().await;
            }
            ControlOutcome::NoActiveRun
        }

        async fn cancel(&self, _: &SessionKey, _: RunId) {}

        async fn note(&self, _: &SessionKey, _: AskedBy, _: String, _: String) {}
    }

    #[tokio::test]
    async fn answers_and_outcomes_come_back() {
        let mut link = AgentLink::new(Arc::new(Upper));
        let session = SessionKey::channel("main", ChannelId::new(1));
        link.ask(Ask {
            run: RunId::new(7),
            session: session.clone(),
            by: AskedBy { user: UserId::new(1), label: "Ada".into(), owner: false },
            message: "why".into(),
            context: None,
            images: Vec::new(),
            instructions: None,
            tools: ToolScope::None.into(),
            model: None,
            channel: None,
            surface: "discord-voice",
            origin: None,
        });
        let FromAgent::Report(report) = link.recv().await else { panic!("no report") };
        let event = AgentEvent::Answered { text: "WHY".into(), usage: Usage::default() };
        assert_eq!(report, RunReport { run: RunId::new(7), event });
        link.control(3, session, Control::Status);
        let FromAgent::Control { ticket, outcome } = link.recv().await else { panic!("none") };
        assert_eq!((ticket, outcome), (3, ControlOutcome::NoActiveRun));
    }

    #[tokio::test]
    async fn a_control_that_cannot_be_passed_on_has_an_outcome_too() {
        let mut link = AgentLink::new(Arc::new(Upper));
        let session = SessionKey::channel("main", ChannelId::new(1));
        // The agent never answers the first; behind it the queue fills up.
        for ticket in 0..=REQUESTS as u64 + 1 {
            link.control(ticket, session.clone(), Control::Cancel);
        }
        let FromAgent::Control { outcome, .. } = link.recv().await else { panic!("no outcome") };
        assert_eq!(outcome, ControlOutcome::Refused(ControlRefusal::Failed));
    }
}
