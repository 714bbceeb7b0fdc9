//! Has a model name a thread, beside everything else.

use clawvoice_session::{
    SessionKey,
    agent::{AgentEvent, Ask, RunReport, ToolScope},
};
use tokio::{sync::mpsc, time::timeout};

use super::{around::Around, question::Asked};
use crate::routing::thread::{TITLE_TIMEOUT, TitleRequest, generated_title};

/// Reports of the run that may wait.
const REPORTS: usize = 64;

/// A name for the thread that a question is answered in, by its agent; `None`: there is no better
/// one. It is asked in a session of its own, so that the conversation knows nothing of it.
pub(super) async fn ask(around: &Around, asked: &Asked, request: &TitleRequest) -> Option<String> {
    let session = SessionKey::title(&asked.route.agent, asked.channel);
    let run = around.next_run();
    let (sender, mut reports) = mpsc::channel(REPORTS);
    let ask = Ask {
        run,
        session: session.clone(),
        by: asked.by(),
        message: request.message.clone(),
        context: None,
        images: Vec::new(),
        instructions: Some(request.instructions.clone()),
        tools: ToolScope::None.into(),
        model: None,
        channel: Some(asked.channel),
        surface: "discord",
        origin: None,
    };
    around.agent.ask(ask, sender).await;
    match timeout(TITLE_TIMEOUT, answer(&mut reports)).await {
        Ok(text) => generated_title(&text?),
        Err(_) => {
            tracing::info!(%session, "a thread keeps its first name: the model took too long");
            around.agent.cancel(&session, run).await;
            None
        }
    }
}

async fn answer(reports: &mut mpsc::Receiver<RunReport>) -> Option<String> {
    while let Some(report) = reports.recv().await {
        match report.event {
            AgentEvent::Answered { text, .. } => return Some(text),
            AgentEvent::Failed(why) | AgentEvent::Refused(why) => {
                tracing::info!("a thread keeps its first name: {why}");
                return None;
            }
            AgentEvent::Cancelled => return None,
            AgentEvent::Started | AgentEvent::Tool { .. } | AgentEvent::Text(_) => {}
        }
    }
    None
}
