//! The picker as Discord shows it. Source: Discord, "Component Reference".

use serde_json::{Value, json};

use super::{
    id::{PickerAction, PickerId, PickerView},
    machine::Picking,
    shelf::{Shelf, Sought, buckets, page},
};

/// Component types.
const ROW: u64 = 1;
const BUTTON: u64 = 2;
const SELECT: u64 = 3;
const TEXT: u64 = 10;
const CONTAINER: u64 = 17;

/// Button styles.
const PRIMARY: u64 = 1;
const SECONDARY: u64 = 2;
const DANGER: u64 = 4;

/// Characters of a button's label.
const LONGEST_LABEL: usize = 80;

/// The picker, as the content of a message.
#[must_use]
pub fn view(at: &PickerId, picking: &Picking<'_>) -> Value {
    let mut parts = vec![text(&format!("### Choose a model\nCurrent: {}", picking.current))];
    if at.view == PickerView::Recents {
        parts.extend(recents(at, picking));
        return container(parts);
    }
    parts.extend(providers(at, picking.shelf));
    let chosen = at.provider.as_deref().map(|key| picking.shelf.provider(key));
    if let (PickerView::Models, Some(Sought::One(provider))) = (at.view, chosen) {
        parts.extend(models(at, provider, picking.shelf));
    }
    let can_submit = at.provider.is_some() && at.model.is_some();
    let submit = PickerId { provider: at.provider.clone(), model: at.model.clone(), ..bare(at) };
    parts.push(row(vec![
        disabled(!can_submit, button(&submit, PickerAction::Submit, "Submit", PRIMARY)),
        button(&bare(at), PickerAction::Reset, "Reset", SECONDARY),
        button(&providers_at(at), PickerAction::Back, "Back", SECONDARY),
        button(&bare(at), PickerAction::Recents, "Recents", SECONDARY),
        button(&bare(at), PickerAction::Cancel, "Cancel", DANGER),
    ]));
    container(parts)
}

/// What is left of a picker that is over.
#[must_use]
pub fn over(said: &str) -> Value {
    container(vec![text(said)])
}

/// Nothing but whose it is and where: ids have little room.
fn bare(at: &PickerId) -> PickerId {
    PickerId { view: at.view, ..PickerId::opened(at.command, at.user) }
}

/// The same, and which providers are shown.
fn providers_at(at: &PickerId) -> PickerId {
    PickerId { provider_page: at.provider_page, provider_bucket: at.provider_bucket, ..bare(at) }
}

/// The same, and which models are.
fn models_at(at: &PickerId) -> PickerId {
    PickerId {
        page: at.page,
        provider: at.provider.clone(),
        model_bucket: at.model_bucket,
        ..providers_at(at)
    }
}

fn providers(at: &PickerId, shelf: &Shelf) -> Vec<Value> {
    let all = shelf.providers();
    let parts = buckets(&all);
    let (shown, number, pages) = page(&all, &parts, at.provider_bucket, at.provider_page);
    let here = PickerId { provider_page: number, ..providers_at(at) };
    let mut rows = Vec::new();
    if parts.len() > 1 {
        let by_letter = PickerId { view: PickerView::Providers, ..bare(at) };
        let labels = parts.iter().map(|part| part.label.as_str());
        rows.push(letters(&by_letter, "Providers by letter", labels, at.provider_bucket));
    }
    let options = shown.iter().map(|provider| {
        let key = Shelf::provider_key(provider);
        let count = shelf.models(provider).len();
        let models = if count == 1 { "1 model".to_owned() } else { format!("{count} models") };
        json!({
            "label": provider,
            "description": models,
            "default": at.provider.as_deref() == Some(key.as_str()),
            "value": key,
        })
    });
    rows.push(select(&here, PickerAction::Provider, "Provider", options.collect()));
    if pages > 1 {
        let to =
            |page| PickerId { view: PickerView::Providers, provider_page: page, ..here.clone() };
        rows.push(turn(number, pages, to));
    }
    rows
}

fn models(at: &PickerId, provider: &str, shelf: &Shelf) -> Vec<Value> {
    let all = shelf.models(provider);
    let parts = buckets(all);
    let (shown, number, pages) = page(all, &parts, at.model_bucket, at.page);
    let here = PickerId { page: number, ..models_at(at) };
    let mut rows = Vec::new();
    if parts.len() > 1 {
        let by_letter =
            PickerId { page: 1, view: PickerView::Models, model_bucket: None, ..here.clone() };
        let labels = parts.iter().map(|part| part.label.as_str());
        rows.push(letters(&by_letter, "Models by letter", labels, at.model_bucket));
    }
    let options = shown.iter().map(|model| {
        let key = Shelf::model_key(provider, model);
        json!({
            "label": model,
            "default": at.model.as_deref() == Some(key.as_str()),
            "value": key,
        })
    });
    rows.push(select(&here, PickerAction::Model, "Model", options.collect()));
    if pages > 1 {
        let to = |page| PickerId { view: PickerView::Models, page, ..here.clone() };
        rows.push(turn(number, pages, to));
    }
    rows
}

/// The last models that are still there.
fn recents(at: &PickerId, picking: &Picking<'_>) -> Vec<Value> {
    let shelf = picking.shelf;
    let is_there = |reference: &&String| {
        let named = reference.split_once('/');
        named.is_some_and(|(provider, model)| shelf.models(provider).iter().any(|it| it == model))
    };
    let buttons: Vec<Value> = picking
        .recents
        .iter()
        .filter(is_there)
        .filter_map(|reference| {
            let (provider, model) = reference.split_once('/')?;
            let id = PickerId {
                provider: Some(Shelf::provider_key(provider)),
                model: Some(Shelf::model_key(provider, model)),
                ..bare(at)
            };
            let label: String = reference.chars().take(LONGEST_LABEL).collect();
            Some(button(&id, PickerAction::Quick, &label, SECONDARY))
        })
        .take(5)
        .collect();
    let mut rows = match buttons.is_empty() {
        true => vec![text("No model was chosen lately.")],
        false => vec![row(buttons)],
    };
    rows.push(row(vec![
        button(&bare(at), PickerAction::Back, "Back", SECONDARY),
        button(&bare(at), PickerAction::Cancel, "Cancel", DANGER),
    ]));
    rows
}

/// A menu of the parts of the alphabet.
fn letters<'a>(
    id: &PickerId,
    placeholder: &str,
    labels: impl Iterator<Item = &'a str>,
    chosen: Option<u16>,
) -> Value {
    let shown = usize::from(chosen.unwrap_or(0));
    let options = labels.enumerate().map(|(number, label)| {
        json!({ "label": label, "value": number.to_string(), "default": number == shown })
    });
    select(id, PickerAction::Bucket, placeholder, options.collect())
}

/// The buttons to the pages before and behind.
fn turn(number: u16, pages: u16, to: impl Fn(u16) -> PickerId) -> Value {
    let before = button(&to(number.saturating_sub(1).max(1)), PickerAction::Nav, "◀", SECONDARY);
    let behind = button(&to((number + 1).min(pages + 1)), PickerAction::Nav, "▶", SECONDARY);
    row(vec![
        // The first page has an id of its own all the same: no two may be equal.
        disabled(number <= 1, before),
        disabled(number >= pages, behind),
    ])
}

fn select(id: &PickerId, action: PickerAction, placeholder: &str, options: Vec<Value>) -> Value {
    let custom_id = PickerId { action, ..id.clone() }.encode();
    row(vec![json!({
        "type": SELECT,
        "custom_id": custom_id,
        "placeholder": placeholder,
        "options": options,
    })])
}

fn button(id: &PickerId, action: PickerAction, label: &str, style: u64) -> Value {
    let custom_id = PickerId { action, ..id.clone() }.encode();
    json!({ "type": BUTTON, "style": style, "label": label, "custom_id": custom_id })
}

fn disabled(disabled: bool, mut button: Value) -> Value {
    if disabled {
        button["disabled"] = true.into();
    }
    button
}

fn row(components: Vec<Value>) -> Value {
    json!({ "type": ROW, "components": components })
}

fn text(content: &str) -> Value {
    json!({ "type": TEXT, "content": content })
}

fn container(components: Vec<Value>) -> Value {
    json!({ "components": [{ "type": CONTAINER, "components": components }] })
}
