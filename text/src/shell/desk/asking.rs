//! What the agent is asked in a turn: the words of people, and what surrounds them.

use clawvoice_config::Config;
use clawvoice_session::{
    SessionKey,
    agent::{Ask, ToolGrant, ToolScope},
    brain::Image,
    history::SessionFacts,
};
use jiff::{Timestamp, tz::TimeZone};

use super::{
    super::media::Fetched, around::Around, context::Surrounding, question::Asked, turn::TurnPlan,
};
use crate::{
    history::{IMAGE_IDLE, IMAGES_TOTAL, images},
    media::{
        SavedFile,
        images::{ImageRoom, shown},
        note::unavailable_line,
    },
};

/// How an agent with a workspace sends files.
const SENDING_FILES: &str = "To send a file of your workspace along with your answer, write its path \
                             on a line of its own, as in MEDIA:./chart.png. The line itself is not \
                             sent.";

/// What is told of something that nobody asked the agent (`unmentionedInbound: "room_event"`).
const NOBODY_ASKED: &str = "Nobody has asked you anything: this is what people say to each other \
                            where you listen. Your answer is not sent; it stays in your memory of \
                            this conversation.";

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
    let (said, starter) = tokio::join!(said(plan), starter);
    let elapsed = facts.active.map(|at| Timestamp::now().duration_since(at).as_millis());
    let zone = zone(&config.agents.timezone);
    let surrounding = Surrounding {
        account: &around.account,
        agents: &config.agents,
        zone: &zone,
        is_first,
        starter,
        elapsed_ms: elapsed.and_then(|ms| u64::try_from(ms).ok()),
        body: &said.words,
        notes: &said.notes,
    };
    let envelope = plan.scene.compose(last, &surrounding, &around.marker);
    let origin = plan.rules.origin_of(last);
    let of_parent = parent_model(around, last).await;
    let model = plan.rules.router.model(&origin, facts.model.as_deref(), of_parent.as_deref());
    let models = &plan.rules.agent(&last.route.agent).models;
    let images = match is_seen(config, models, model) {
        true => pictures(plan, &said.files).await,
        false => Vec::new(),
    };
    let mut instructions = envelope.system;
    let has_files = plan.rules.agent(&last.route.agent).workspace.is_some();
    let more = match plan.questions.iter().all(|asked| asked.admitted.ambient) {
        true => Some(NOBODY_ASKED),
        false => has_files.then_some(SENDING_FILES),
    };
    if let Some(more) = more {
        instructions.push_str("\n\n");
        instructions.push_str(more);
    }
    Ask {
        run: plan.run,
        session: last.session().clone(),
        by: last.by(),
        message: envelope.message,
        context: Some(envelope.context),
        images,
        instructions: Some(instructions),
        tools: ToolGrant {
            scope: ToolScope::OfSpeaker,
            lists: last.admitted.tools.iter().cloned().collect(),
        },
        model: model.map(str::to_owned),
        channel: Some(last.channel),
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

/// What people wrote, lines about their files, and the files.
struct Said {
    words: String,
    notes: Vec<String>,
    files: Vec<SavedFile>,
}

async fn said(plan: &TurnPlan) -> Said {
    let (mut words, mut notes, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for asked in &plan.questions {
        let fetched =
            plan.finder.media.fetch(asked.message.author.id, &asked.message.attachments).await;
        notes.extend(fetched.iter().filter_map(Fetched::line));
        notes.extend(unavailable_line(&fetched));
        let saved: Vec<SavedFile> = fetched.into_iter().filter_map(Fetched::saved).collect();
        // Where a voice note may be a mention its words are known already.
        let heard = match &asked.transcript {
            Some(_) => None,
            None => plan.finder.heard(&saved).await,
        };
        match heard {
            Some(heard) if asked.admitted.text.is_empty() => words.push(heard),
            heard => {
                words.push(asked.words());
                notes.extend(heard.map(|heard| format!("[the recording says] {heard}")));
            }
        }
        files.extend(saved);
    }
    Said { words: words.join("\n"), notes, files }
}

/// The pictures that came with the words, then those of what was said before.
async fn pictures(plan: &TurnPlan, files: &[SavedFile]) -> Vec<Image> {
    let mut room = ImageRoom::default();
    let mut chosen: Vec<SavedFile> = room.choose(files).into_iter().cloned().collect();
    let before: Vec<_> = images(&plan.scene.history).into_iter().cloned().collect();
    let mut fetched: Vec<SavedFile> = Vec::new();
    if !before.is_empty() {
        let fetching = plan.finder.media.fetch_within(&before, IMAGE_IDLE, IMAGES_TOTAL);
        fetched.extend(fetching.await.into_iter().filter_map(Fetched::saved));
        chosen.extend(room.choose(&fetched).into_iter().cloned());
    }
    let mut pictures = Vec::new();
    for file in chosen {
        match tokio::fs::read(&file.path).await {
            Ok(bytes) => pictures.extend(shown(file.kind, &bytes)),
            Err(error) => tracing::warn!("a picture is not shown: {error}"),
        }
    }
    plan.finder.media.discard(&fetched).await;
    pictures
}

/// Whether any of the models that may be asked is shown pictures.
fn is_seen(config: &Config, models: &[String], pinned: Option<&str>) -> bool {
    let mut asked = pinned.into_iter().chain(models.iter().map(String::as_str));
    asked.any(|name| {
        let (provider, model) = name.split_once('/').unwrap_or(("openai", name));
        let provider = config.model_providers.get(provider);
        provider.and_then(|it| it.models.get(model)).is_some_and(|facts| facts.images)
    })
}

/// The zone that times are told in.
fn zone(written: &str) -> TimeZone {
    match written {
        "utc" => TimeZone::UTC,
        "local" | "user" => TimeZone::system(),
        name => TimeZone::get(name).unwrap_or_else(|_| TimeZone::system()),
    }
}
