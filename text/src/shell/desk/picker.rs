//! The model picker: opened by `/model` and `/models`, and clicked.

use std::{sync::Arc, time::Duration};

use clawvoice_session::{GuildId, UserId};
use tokio::sync::mpsc;

use super::{
    Desk, JobEnd,
    commands::Given,
    door::Door,
    requests::Request,
    slash::{ReplyTo, SlashAsker},
};
use crate::{
    command::{
        Invocation, SlashReply,
        authority::{Denial, Ruling},
        model_picker::{
            Applied, PickerCommand, PickerOutcome, Picking, Shelf, applied, applying, handle, open,
            over, view,
        },
    },
    control::{ControlCommand, ControlDoor as _, ModelCommand},
    interaction::ComponentUse,
};

/// How long a change of the model may take.
const PATIENCE: Duration = Duration::from_secs(12);

/// A click in the picker, and what was found out about whoever made it.
pub(super) struct PickCall {
    pub(super) click: ComponentUse,
    pub(super) asker: SlashAsker,
}

/// Takes what the picker becomes, one after the other.
pub(super) type Showing = mpsc::Sender<SlashReply>;

/// The command that opens the picker, if it is one.
pub(super) fn opening(invocation: &Invocation) -> Option<PickerCommand> {
    if !invocation.options.is_empty() {
        return None;
    }
    match invocation.name.as_str() {
        "model" => Some(PickerCommand::Model),
        "models" => Some(PickerCommand::Models),
        _ => None,
    }
}

impl Desk {
    /// Opens the picker; without models to choose from the command says what it says in a message.
    pub(super) fn open_picker(
        &mut self,
        command: PickerCommand,
        given: Given,
        door: Door,
        reply: ReplyTo,
    ) {
        let recents = self.recents.of(given.guild, given.user);
        self.jobs.spawn(async move {
            let shelf = Shelf::of(&door.models(&given.route.agent).await);
            let facts = door.status(&given.route.key).await;
            let shown = match facts {
                Ok(facts) if !shelf.is_empty() => {
                    let picking =
                        Picking { shelf: &shelf, recents: &recents, current: &facts.model };
                    SlashReply::Shown(view(&open(command, given.user), &picking))
                }
                _ => SlashReply::Said(given.answer(&door).await),
            };
            // Whoever asked may be gone.
            let _ = reply.send(Some(shown));
            JobEnd::Done
        });
    }

    /// A click in the picker.
    pub(super) fn pick(&mut self, call: Box<PickCall>, showing: Showing) {
        match self.ruling(&call.asker) {
            Ruling::Needs(need) => {
                let PickCall { click, asker } = *call;
                self.find_out(need, asker, move |asker| {
                    Request::Pick(Box::new(PickCall { click, asker }), showing)
                });
            }
            Ruling::Denied(denial) => tell(&showing, &denial.to_string()),
            Ruling::Allowed => self.picked(*call, showing),
        }
    }

    fn picked(&mut self, call: PickCall, showing: Showing) {
        let show = ControlCommand::Model(ModelCommand::Show);
        let Some(given) = self.given_by_slash(&call.click.by, show) else {
            return tell(&showing, &Denial::PlaceUnknown.to_string());
        };
        let recents = self.recents.of(given.guild, given.user);
        let door = Door { asker: Some(Arc::new(call.asker)), ..self.door() };
        self.jobs.spawn(async move {
            answer(&call.click, given, &recents, &door, &showing).await;
            JobEnd::Done
        });
    }

    /// Somebody chose a model.
    pub(super) fn chose(&mut self, guild: Option<GuildId>, user: UserId, model: &str) {
        self.recents.note(guild, user, model);
    }
}

async fn answer(
    click: &ComponentUse,
    given: Given,
    recents: &[String],
    door: &Door,
    showing: &Showing,
) {
    let models = door.models(&given.route.agent).await;
    let shelf = Shelf::of(&models);
    let current = match door.status(&given.route.key).await {
        Ok(facts) => facts.model,
        Err(failure) => return tell(showing, &failure.to_string()),
    };
    let picking = Picking { shelf: &shelf, recents, current: &current };
    match handle(&click.custom_id, &click.values, given.user, &picking) {
        PickerOutcome::Ignored => {}
        PickerOutcome::Shown(id) => show(showing, view(&id, &picking)),
        PickerOutcome::Said(text) => tell(showing, &text),
        PickerOutcome::Apply(chosen) => apply(chosen, &models, given, door, showing).await,
    }
}

/// Applies a model as `/model` does, and looks which one answers then.
async fn apply(
    chosen: Option<String>,
    models: &[String],
    given: Given,
    door: &Door,
    showing: &Showing,
) {
    let own = || models.first().cloned().unwrap_or_default();
    let name = chosen.clone().unwrap_or_else(own);
    tell(showing, &applying(&name));
    if !door.may_still().await {
        return tell(showing, &Denial::Changed.to_string());
    }
    let command = match &chosen {
        Some(model) => ModelCommand::Use(model.clone()),
        None => ModelCommand::Default,
    };
    let given = Given { command: ControlCommand::Model(command), ..given };
    let done = async {
        if given.attempt(door).await.is_err() {
            return Applied::Failed;
        }
        match door.status(&given.route.key).await {
            Ok(facts) if facts.model == name => Applied::Set,
            Ok(facts) => Applied::Other(facts.model),
            Err(_) => Applied::Failed,
        }
    };
    let outcome = tokio::time::timeout(PATIENCE, done).await.unwrap_or(Applied::Slow);
    if outcome == Applied::Set && chosen.is_some() {
        let noted = Request::Chose(given.guild, given.user, name.clone());
        door.requests.tell(noted).await;
    }
    tell(showing, &applied(&name, &outcome));
}

fn tell(showing: &Showing, said: &str) {
    show(showing, over(said));
}

/// Whoever clicked may be gone; there is room for all that one click shows.
fn show(showing: &Showing, body: serde_json::Value) {
    let _ = showing.try_send(SlashReply::Shown(body));
}
