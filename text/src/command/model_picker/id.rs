//! What a component of the picker says: `mdlpk:c=…;a=…;v=…;u=…;g=…`, and what else its action needs.

use std::collections::BTreeMap;

use clawvoice_session::UserId;

use super::super::argument_menu::{decoded, encoded};

/// How the ids of the picker's components begin.
const KEY: &str = "mdlpk:";

/// The highest page and bucket that are read.
const HIGHEST: u16 = 999;

/// The command that opened the picker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickerCommand {
    /// `/model`.
    Model,
    /// `/models`.
    Models,
}

/// What a component does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickerAction {
    /// Shows the picker as it was opened.
    Open,
    /// Chooses a provider from a menu.
    Provider,
    /// Chooses a model from a menu.
    Model,
    /// Applies the chosen model.
    Submit,
    /// Applies one of the last models.
    Quick,
    /// Shows the providers again.
    Back,
    /// Applies the agent's own model.
    Reset,
    /// Ends the picker.
    Cancel,
    /// Shows the last models.
    Recents,
    /// Turns to a page.
    Nav,
    /// Chooses a part of the alphabet from a menu.
    Bucket,
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PickerView {
    /// Providers.
    Providers,
    /// A provider's models.
    Models,
    /// The last models.
    Recents,
}

/// What a component says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PickerId {
    /// The command that opened the picker.
    pub command: PickerCommand,
    /// What the component does.
    pub action: PickerAction,
    /// What it is shown in.
    pub view: PickerView,
    /// Whom it is for.
    pub user: UserId,
    /// The page of what is shown, from 1.
    pub page: u16,
    /// The provider, as [`super::Shelf::provider_key`] says it.
    pub provider: Option<String>,
    /// The page of the providers, from 1.
    pub provider_page: u16,
    /// The model, as [`super::Shelf::model_key`] says it.
    pub model: Option<String>,
    /// The part of the alphabet of the providers, from 0.
    pub provider_bucket: Option<u16>,
    /// That of the models.
    pub model_bucket: Option<u16>,
}

const COMMANDS: [(PickerCommand, &str); 2] =
    [(PickerCommand::Model, "model"), (PickerCommand::Models, "models")];

const ACTIONS: [(PickerAction, &str); 11] = [
    (PickerAction::Open, "open"),
    (PickerAction::Provider, "provider"),
    (PickerAction::Model, "model"),
    (PickerAction::Submit, "submit"),
    (PickerAction::Quick, "quick"),
    (PickerAction::Back, "back"),
    (PickerAction::Reset, "reset"),
    (PickerAction::Cancel, "cancel"),
    (PickerAction::Recents, "recents"),
    (PickerAction::Nav, "nav"),
    (PickerAction::Bucket, "bucket"),
];

const VIEWS: [(PickerView, &str); 3] = [
    (PickerView::Providers, "providers"),
    (PickerView::Models, "models"),
    (PickerView::Recents, "recents"),
];

fn word<T: Copy + PartialEq>(all: &[(T, &'static str)], wanted: T) -> &'static str {
    all.iter().find(|(it, _)| *it == wanted).map_or("", |(_, word)| word)
}

fn of_word<T: Copy>(all: &[(T, &str)], wanted: &str) -> Option<T> {
    all.iter().find(|(_, word)| *word == wanted).map(|(it, _)| *it)
}

impl PickerId {
    /// The picker as it is opened.
    #[must_use]
    pub const fn opened(command: PickerCommand, user: UserId) -> Self {
        Self {
            command,
            action: PickerAction::Open,
            view: PickerView::Providers,
            user,
            page: 1,
            provider: None,
            provider_page: 1,
            model: None,
            provider_bucket: None,
            model_bucket: None,
        }
    }

    /// Whether a `custom_id` is the picker's, be it understood or not.
    #[must_use]
    pub fn is_one(custom_id: &str) -> bool {
        custom_id.starts_with(KEY)
    }

    /// The `custom_id`.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut id = format!(
            "{KEY}c={};a={};v={};u={};g={}",
            word(&COMMANDS, self.command),
            word(&ACTIONS, self.action),
            word(&VIEWS, self.view),
            self.user,
            self.page
        );
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                id.push_str(&format!(";{name}={value}"));
            }
        };
        add("p", self.provider.as_deref().map(encoded));
        add("pp", (self.provider_page > 1).then(|| self.provider_page.to_string()));
        add("m", self.model.as_deref().map(encoded));
        add("pb", self.provider_bucket.map(|bucket| bucket.to_string()));
        add("mb", self.model_bucket.map(|bucket| bucket.to_string()));
        id
    }

    /// What a `custom_id` says; `None`: nothing of ours.
    #[must_use]
    pub fn decode(custom_id: &str) -> Option<Self> {
        let mut fields = BTreeMap::new();
        for field in custom_id.strip_prefix(KEY)?.split(';') {
            let (name, value) = field.split_once('=')?;
            if fields.insert(name, value).is_some() {
                return None;
            }
        }
        let mut take = |name: &str| fields.remove(name);
        let number = |text: &str| text.parse::<u16>().ok().filter(|number| *number <= HIGHEST);
        let page = |text: Option<&str>| match text {
            None => Some(1),
            Some(text) => number(text).filter(|page| *page > 0),
        };
        // What is there must be readable.
        let bucket = |text: Option<&str>| text.map(number).map_or(Some(None), |it| it.map(Some));
        let name = |text: Option<&str>| text.map(decoded).map_or(Some(None), |it| it.map(Some));
        let id = Self {
            command: of_word(&COMMANDS, take("c")?)?,
            action: of_word(&ACTIONS, take("a")?)?,
            view: of_word(&VIEWS, take("v")?)?,
            user: take("u")?.parse().ok()?,
            page: page(Some(take("g")?))?,
            provider: name(take("p"))?,
            provider_page: page(take("pp"))?,
            model: name(take("m"))?,
            provider_bucket: bucket(take("pb"))?,
            model_bucket: bucket(take("mb"))?,
        };
        fields.is_empty().then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    #[test]
    fn as_it_is_written() {
        let opened = PickerId::opened(PickerCommand::Model, UserId::new(31));
        assert_eq!(opened.encode(), "mdlpk:c=model;a=open;v=providers;u=31;g=1");
        let model = PickerId {
            action: PickerAction::Submit,
            view: PickerView::Models,
            page: 2,
            provider: Some("a b".to_owned()),
            provider_page: 3,
            model: Some("AbC-_123".to_owned()),
            provider_bucket: Some(0),
            model_bucket: Some(4),
            ..opened
        };
        assert_eq!(
            model.encode(),
            "mdlpk:c=model;a=submit;v=models;u=31;g=2;p=a%20b;pp=3;m=AbC-_123;pb=0;mb=4"
        );
    }

    #[test]
    fn what_is_not_ours_is_nothing() {
        let good = "mdlpk:c=model;a=open;v=providers;u=31;g=1";
        assert!(PickerId::decode(good).is_some());
        for bad in [
            String::new(),
            "mdlpk:".to_owned(),
            good.replace("mdlpk", "cmdarg"),
            good.replace("a=open", "a=explode"),
            good.replace("u=31", "u=ada"),
            good.replace(";g=1", ""),
            good.replace("g=1", "g=0"),
            good.replace("g=1", "g=1000"),
            format!("{good};g=1"),
            format!("{good};x=1"),
            format!("{good};p=%ZZ"),
            format!("{good};mb=-1"),
            format!("{good};"),
        ] {
            assert_eq!(PickerId::decode(&bad), None, "{bad}");
        }
        assert!(PickerId::is_one("mdlpk:odd") && !PickerId::is_one("cmdarg:"));
    }

    prop_compose! {
        fn ids()(
            command in select(COMMANDS.map(|(it, _)| it).to_vec()),
            action in select(ACTIONS.map(|(it, _)| it).to_vec()),
            view in select(VIEWS.map(|(it, _)| it).to_vec()),
            user in 1..u64::MAX,
            (page, provider_page) in (1..=HIGHEST, 1..=HIGHEST),
            (provider, model) in (prop::option::of(".{0,20}"), prop::option::of(".{0,20}")),
            (provider_bucket, model_bucket) in
                (prop::option::of(0..=HIGHEST), prop::option::of(0..=HIGHEST)),
        ) -> PickerId {
            PickerId {
                command, action, view, user: UserId::new(user), page, provider, provider_page, model,
                provider_bucket, model_bucket,
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(id in ids()) {
            prop_assert_eq!(PickerId::decode(&id.encode()), Some(id));
        }

        #[test]
        fn nothing_panics(text in ".{0,120}") {
            let _ = PickerId::decode(&text);
            let _ = PickerId::decode(&format!("mdlpk:{text}"));
        }
    }
}
