//! What a click does.

use clawvoice_session::UserId;

use super::{
    NO_MODEL, NO_PROVIDER, PICKER_EXPIRED, SELECTION_EXPIRED,
    id::{PickerAction, PickerCommand, PickerId, PickerView},
    shelf::{Shelf, Sought},
};

/// What is known where the picker is used.
#[derive(Clone, Copy, Debug)]
pub struct Picking<'a> {
    /// The models there are.
    pub shelf: &'a Shelf,
    /// `provider/model`s that the person chose last, the newest first.
    pub recents: &'a [String],
    /// The `provider/model` that answers now.
    pub current: &'a str,
}

/// What becomes of a click.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PickerOutcome {
    /// The picker is somebody else's: nothing is said.
    Ignored,
    /// The picker as it is from now on.
    Shown(PickerId),
    /// This model is to answer; `None`: the agent's own.
    Apply(Option<String>),
    /// The picker is over, and says so.
    Said(String),
}

/// What became of a model that was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It answers now.
    Set,
    /// This one does.
    Other(String),
    /// That is not known in time.
    Slow,
    /// It could not be set.
    Failed,
}

/// The picker as it is opened.
#[must_use]
pub const fn open(command: PickerCommand, user: UserId) -> PickerId {
    PickerId::opened(command, user)
}

/// What a click on a component does, with what was chosen in it.
#[must_use]
pub fn handle(
    custom_id: &str,
    values: &[String],
    clicker: UserId,
    picking: &Picking<'_>,
) -> PickerOutcome {
    let Some(id) = PickerId::decode(custom_id) else { return said(PICKER_EXPIRED) };
    if id.user != clicker {
        return PickerOutcome::Ignored;
    }
    let chosen = values.first().map_or("", String::as_str);
    match id.action {
        PickerAction::Open | PickerAction::Back => shown(PickerId {
            view: PickerView::Providers,
            page: 1,
            provider: None,
            model: None,
            model_bucket: None,
            ..id
        }),
        PickerAction::Provider => match picking.shelf.provider(chosen) {
            Sought::One(_) => shown(PickerId {
                view: PickerView::Models,
                page: 1,
                provider: Some(chosen.to_owned()),
                model: None,
                model_bucket: None,
                ..id
            }),
            Sought::Gone | Sought::Ambiguous => said(NO_PROVIDER),
        },
        PickerAction::Model => model(id, chosen, picking.shelf),
        PickerAction::Submit | PickerAction::Quick => match reference(&id, picking.shelf) {
            Some(model) => PickerOutcome::Apply(Some(model)),
            None => said(SELECTION_EXPIRED),
        },
        PickerAction::Reset => PickerOutcome::Apply(None),
        PickerAction::Cancel => {
            PickerOutcome::Said(format!("ℹ️ Model kept as {}.", picking.current))
        }
        PickerAction::Recents => shown(PickerId {
            view: PickerView::Recents,
            page: 1,
            provider: None,
            model: None,
            model_bucket: None,
            ..id
        }),
        PickerAction::Nav => shown(id),
        PickerAction::Bucket => bucket(id, chosen),
    }
}

fn model(id: PickerId, chosen: &str, shelf: &Shelf) -> PickerOutcome {
    let provider = id.provider.as_deref().map_or(Sought::Gone, |key| shelf.provider(key));
    let Sought::One(provider) = provider else { return said(NO_PROVIDER) };
    match shelf.model(provider, chosen) {
        Sought::One(_) => shown(PickerId { model: Some(chosen.to_owned()), ..id }),
        Sought::Gone => said(NO_MODEL),
        Sought::Ambiguous => said(SELECTION_EXPIRED),
    }
}

/// The `provider/model` that a component means, if it still means exactly one.
fn reference(id: &PickerId, shelf: &Shelf) -> Option<String> {
    let Sought::One(provider) = shelf.provider(id.provider.as_deref()?) else { return None };
    let Sought::One(model) = shelf.model(provider, id.model.as_deref()?) else { return None };
    Some(format!("{provider}/{model}"))
}

fn bucket(id: PickerId, chosen: &str) -> PickerOutcome {
    let Ok(chosen) = chosen.parse::<u16>() else { return said(SELECTION_EXPIRED) };
    shown(match id.view {
        PickerView::Models => PickerId { model_bucket: Some(chosen), page: 1, model: None, ..id },
        PickerView::Providers | PickerView::Recents => {
            PickerId { provider_bucket: Some(chosen), provider_page: 1, ..id }
        }
    })
}

fn shown(id: PickerId) -> PickerOutcome {
    PickerOutcome::Shown(PickerId { action: PickerAction::Open, ..id })
}

fn said(text: &str) -> PickerOutcome {
    PickerOutcome::Said(text.to_owned())
}

/// What the picker says while a model is applied.
#[must_use]
pub fn applying(model: &str) -> String {
    format!("Applying model change to {model}...")
}

/// What it says when that is over.
#[must_use]
pub fn applied(model: &str, outcome: &Applied) -> String {
    match outcome {
        Applied::Set => format!("✅ Model set to {model}."),
        Applied::Other(current) => {
            format!("⚠️ Tried to set {model}, but current model is {current}.")
        }
        Applied::Slow => format!(
            "⏳ Model change to {model} is still processing. Check /status in a few seconds."
        ),
        Applied::Failed => format!("❌ Failed to apply {model}. Try /model {model} directly."),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};
    use serde_json::Value;

    use super::{super::view, *};

    const ADA: UserId = UserId::new(31);

    fn shelf(models: &[&str]) -> Shelf {
        Shelf::of(&models.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>())
    }

    fn few() -> Shelf {
        shelf(&["openai/gpt-5", "openai/gpt-4", "azure/gpt-5"])
    }

    fn picking<'a>(shelf: &'a Shelf, recents: &'a [String]) -> Picking<'a> {
        Picking { shelf, recents, current: "openai/gpt-4" }
    }

    /// All components of what is shown, with their ids.
    fn components(shown: &Value) -> Vec<Value> {
        fn collect(value: &Value, all: &mut Vec<Value>) {
            match value {
                Value::Array(list) => list.iter().for_each(|it| collect(it, all)),
                Value::Object(_) => {
                    if value["type"].is_u64() {
                        all.push(value.clone());
                    }
                    collect(&value["components"], all);
                }
                _ => {}
            }
        }
        let mut all = Vec::new();
        collect(&shown["components"], &mut all);
        all
    }

    /// The id of the component that does this.
    fn id_of(shown: &Value, action: &str) -> String {
        let wanted = format!(";a={action};");
        let all = components(shown);
        let mut ids = all.iter().filter_map(|it| it["custom_id"].as_str());
        ids.find(|id| id.contains(&wanted))
            .unwrap_or_else(|| panic!("{action}: {shown}"))
            .to_owned()
    }

    struct User<'a> {
        picking: Picking<'a>,
        shown: Value,
    }

    impl<'a> User<'a> {
        fn opens(picking: Picking<'a>) -> Self {
            let shown = view(&open(PickerCommand::Model, ADA), &picking);
            Self { picking, shown }
        }

        fn does(&mut self, action: &str, values: &[&str]) -> PickerOutcome {
            let values: Vec<String> = values.iter().map(|it| (*it).to_owned()).collect();
            let outcome = handle(&id_of(&self.shown, action), &values, ADA, &self.picking);
            if let PickerOutcome::Shown(id) = &outcome {
                self.shown = view(id, &self.picking);
            }
            outcome
        }
    }

    #[test]
    fn from_opening_to_a_model() {
        let shelf = few();
        let mut ada = User::opens(picking(&shelf, &[]));
        ada.does("provider", &["openai"]);
        ada.does("model", &[&Shelf::model_key("openai", "gpt-5")]);
        let applied = PickerOutcome::Apply(Some("openai/gpt-5".to_owned()));
        assert_eq!(ada.does("submit", &[]), applied);
        ada.does("back", &[]);
        // Nothing is chosen any more.
        assert_eq!(ada.does("submit", &[]), said(SELECTION_EXPIRED));
        assert_eq!(ada.does("reset", &[]), PickerOutcome::Apply(None));
        let kept = PickerOutcome::Said("ℹ️ Model kept as openai/gpt-4.".to_owned());
        assert_eq!(ada.does("cancel", &[]), kept);
    }

    #[test]
    fn the_last_models_are_a_click_away() {
        let shelf = few();
        let recents = ["azure/gpt-5".to_owned(), "gone/gpt-1".to_owned()];
        let mut ada = User::opens(picking(&shelf, &recents));
        ada.does("recents", &[]);
        let quick = components(&ada.shown)
            .into_iter()
            .filter(|it| it["custom_id"].as_str().is_some_and(|id| id.contains("a=quick")));
        let labels: Vec<Value> = quick.map(|it| it["label"].clone()).collect();
        assert_eq!(labels, ["azure/gpt-5"]);
        let applied = PickerOutcome::Apply(Some("azure/gpt-5".to_owned()));
        assert_eq!(ada.does("quick", &[]), applied);
    }

    /// Scenario 57.
    #[test]
    fn strangers_and_what_is_gone() {
        let (before, after) = (few(), shelf(&["openai/gpt-4", "local/qwen"]));
        let mut ada = User::opens(picking(&before, &[]));
        ada.does("provider", &["openai"]);
        ada.does("model", &[&Shelf::model_key("openai", "gpt-5")]);
        let submit = id_of(&ada.shown, "submit");
        let now = picking(&after, &[]);
        assert_eq!(handle(&submit, &[], UserId::new(32), &now), PickerOutcome::Ignored);
        assert_eq!(
            handle(&submit, &[], ADA, &now),
            PickerOutcome::Said("That selection expired. Please choose a model again.".to_owned())
        );
        let (provider, model) = (id_of(&ada.shown, "provider"), id_of(&ada.shown, "model"));
        let chosen = |it: &str| [it.to_owned()];
        assert_eq!(handle(&provider, &chosen("azure"), ADA, &now), said(NO_PROVIDER));
        let gone = chosen(&Shelf::model_key("openai", "gpt-5"));
        assert_eq!(handle(&model, &gone, ADA, &now), said(NO_MODEL));
        let nobody = shelf(&["local/qwen"]);
        assert_eq!(handle(&model, &gone, ADA, &picking(&nobody, &[])), said(NO_PROVIDER));
        assert_eq!(handle("mdlpk:odd", &[], ADA, &now), said(PICKER_EXPIRED));
    }

    #[test]
    fn what_is_said_of_a_change() {
        assert_eq!(applying("a/b"), "Applying model change to a/b...");
        for (outcome, text) in [
            (Applied::Set, "✅ Model set to a/b."),
            (Applied::Other("c/d".to_owned()), "⚠️ Tried to set a/b, but current model is c/d."),
            (
                Applied::Slow,
                "⏳ Model change to a/b is still processing. Check /status in a few seconds.",
            ),
            (Applied::Failed, "❌ Failed to apply a/b. Try /model a/b directly."),
        ] {
            assert_eq!(applied("a/b", &outcome), text);
        }
    }

    proptest! {
        /// Wherever people click, what is shown keeps Discord's bounds, and every id its meaning.
        #[test]
        fn what_is_shown_keeps_discords_bounds(
            providers in 1..60usize,
            models in 1..120usize,
            names in select(vec!["p", "a-provider-with-a-very-long-name-", "größe "]),
            user in select(vec![31, u64::MAX - 1]),
            clicks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..12),
        ) {
            let letter = |it: usize| char::from(b'a' + u8::try_from(it % 26).unwrap());
            let all: Vec<String> = (0..providers)
                .flat_map(|p| {
                    let count = if p == 0 { models } else { 2 };
                    (0..count).map(move |m| format!("{}{names}{p}/{}{m}", letter(p), letter(m)))
                })
                .collect();
            let shelf = Shelf::of(&all);
            let recents: Vec<String> = all.iter().take(5).cloned().collect();
            let picking = picking(&shelf, &recents);
            let user = UserId::new(user);
            let mut shown = view(&open(PickerCommand::Models, user), &picking);
            for (which, value) in clicks {
                let all = components(&shown);
                prop_assert!(all.len() <= 40);
                let mut ids: Vec<&str> = Vec::new();
                for one in &all {
                    let list = |name: &str| one[name].as_array().map_or(0, Vec::len);
                    prop_assert!(list("options") <= 25);
                    if one["type"] == 1 {
                        prop_assert!((1..=5).contains(&list("components")));
                    }
                    if one["type"] == 3 {
                        prop_assert!(list("options") >= 1);
                    }
                    if let Some(id) = one["custom_id"].as_str() {
                        prop_assert!(id.chars().count() <= 100, "{id}");
                        prop_assert!(PickerId::decode(id).is_some(), "{id}");
                        ids.push(id);
                    }
                }
                let unique: std::collections::BTreeSet<&str> = ids.iter().copied().collect();
                prop_assert_eq!(unique.len(), ids.len(), "{:?}", &ids);
                let active: Vec<&Value> = all
                    .iter()
                    .filter(|it| it["custom_id"].is_string() && it["disabled"] != true)
                    .collect();
                let clicked = which.get(&active);
                let values: Vec<String> = clicked["options"]
                    .as_array()
                    .map(|options| value.get(options)["value"].as_str().unwrap().to_owned())
                    .into_iter()
                    .collect();
                match handle(clicked["custom_id"].as_str().unwrap(), &values, user, &picking) {
                    PickerOutcome::Shown(id) => shown = view(&id, &picking),
                    PickerOutcome::Apply(_) => {}
                    PickerOutcome::Said(text) => prop_assert!(text.contains("kept as"), "{text}"),
                    PickerOutcome::Ignored => prop_assert!(false, "it is their own"),
                }
            }
        }

        #[test]
        fn nothing_panics(id in ".{0,120}", value in ".{0,20}") {
            let shelf = few();
            let values = [value];
            let _ = handle(&id, &values, ADA, &picking(&shelf, &[]));
            let _ = handle(&format!("mdlpk:{id}"), &values, ADA, &picking(&shelf, &[]));
        }
    }
}
