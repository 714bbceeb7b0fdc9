//! What the agent is asked in a turn: the words of people, and what surrounds them.

use clawvoice_session::{
    SessionKey,
    agent::{Ask, ToolGrant, ToolScope},
    history::SessionFacts,
};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    super::media::Fetched, around::Around, context::Surrounding, question::Asked, turn::TurnPlan,
};
use crate::media::note::unavailable_line;

/// What the agent is asked.
pub(super) async fn ask(
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
        tools: ToolGrant {
            scope: ToolScope::OfSpeaker,
            lists: last.admitted.tools.iter().cloned().collect(),
        },
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
