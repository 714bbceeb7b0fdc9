//! Buttons.

use serde_json::Value;

use super::{CUSTOM_ID, Checker, media::ATTACHMENT};

/// Button styles that are no ordinary ones ("Button Styles").
pub(crate) mod style {
    /// Opens an address.
    pub(crate) const LINK: i64 = 5;
    /// Sells something.
    pub(crate) const PREMIUM: i64 = 6;
}

const MOST_LABEL: usize = 80;
const MOST_URL: usize = 512;

impl Checker<'_> {
    pub(super) fn button(&mut self, path: &str, button: &Value) {
        self.form.text(path, button, "label", 0..=MOST_LABEL);
        self.form.flag(path, button, "disabled");
        self.emoji(path, button);
        let id = self.form.text(path, button, "custom_id", CUSTOM_ID);
        self.unique(path, id);
        let Some(given) = button.get("style").filter(|style| !style.is_null()) else {
            return self.form.required(&format!("{path}.style"));
        };
        match given.as_i64() {
            Some(style::LINK) => self.link(path, button),
            Some(style::PREMIUM) => self.premium(path, button),
            Some(1..style::LINK) => self.ordinary(path, button),
            _ => self.form.choice(&format!("{path}.style"), "(1, 2, 3, 4, 5, 6)"),
        }
    }

    fn ordinary(&mut self, path: &str, button: &Value) {
        if !has(button, "custom_id") {
            let why = "A custom id is required";
            let path = format!("{path}.custom_id");
            self.form.wrong(&path, "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED", why);
        }
        if has(button, "url") {
            self.exclusive(path);
        }
        if has(button, "sku_id") {
            let why = "Only premium buttons can have a sku id";
            self.form.wrong(&format!("{path}.sku_id"), "BUTTON_COMPONENT_SKU_ID_INVALID", why);
        }
        self.shows_something(path, button);
    }

    fn link(&mut self, path: &str, button: &Value) {
        if has(button, "custom_id") {
            self.exclusive(path);
        }
        match self.form.text(path, button, "url", 0..=MOST_URL) {
            Some(url) => self.scheme(&format!("{path}.url"), url, &["http", "https", "discord"]),
            None if !has(button, "url") => {
                let why = "A url is required";
                self.form.wrong(&format!("{path}.url"), "BUTTON_COMPONENT_URL_REQUIRED", why);
            }
            None => {}
        }
        self.shows_something(path, button);
    }

    /// There is nothing to buy here, so none of them is the application's.
    fn premium(&mut self, path: &str, button: &Value) {
        for field in ["custom_id", "label", "url", "emoji"] {
            if has(button, field) {
                let why = "Premium buttons cannot have this field";
                let path = format!("{path}.{field}");
                self.form.wrong(&path, "BUTTON_COMPONENT_PREMIUM_INVALID", why);
            }
        }
        if has(button, "sku_id") {
            let why = "The sku does not belong to the application";
            self.form.wrong(&format!("{path}.sku_id"), "BUTTON_COMPONENT_INVALID_APPLICATION", why);
        } else {
            self.form.required(&format!("{path}.sku_id"));
        }
    }

    fn exclusive(&mut self, path: &str) {
        let why = "A custom id and url cannot both be specified";
        let path = format!("{path}.custom_id");
        self.form.wrong(&path, "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", why);
    }

    fn shows_something(&mut self, path: &str, button: &Value) {
        let labelled = has(button, "label") && button["label"] != "";
        if !labelled && !has(button, "emoji") {
            self.form.required(&format!("{path}.label"));
        }
    }

    /// The scheme of an address is one of these.
    pub(super) fn scheme(&mut self, path: &str, url: &str, allowed: &[&str]) {
        let Some((scheme, rest)) = url.split_once("://") else {
            return self.form.wrong(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
        };
        if !allowed.contains(&scheme.to_ascii_lowercase().as_str()) {
            let list = allowed.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>().join(", ");
            let list = if allowed.len() == 1 { format!("{list},") } else { list };
            let why =
                format!("Scheme \"{scheme}\" is not supported. Scheme must be one of ({list}).");
            self.form.wrong(path, "URL_TYPE_INVALID_SCHEME", why);
        } else if rest.is_empty() || (scheme != ATTACHMENT && rest.contains(char::is_whitespace)) {
            self.form.wrong(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.");
        }
    }
}

fn has(object: &Value, field: &str) -> bool {
    object.get(field).is_some_and(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{one, with, wrong_in_row};

    #[test]
    fn buttons_are_taken_or_refused() {
        let button = json!({ "type": 2, "style": 1, "label": "Go", "custom_id": "go" });
        let link = json!({ "type": 2, "style": 5, "label": "Go", "url": "https://example.com" });
        let length = "BASE_TYPE_BAD_LENGTH";
        let exclusive = "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE";
        let cases = [
            (&button, json!({}), vec![]),
            (&button, json!({ "label": "x".repeat(80) }), vec![]),
            (&button, json!({ "label": "x".repeat(81) }), one(".label", "BASE_TYPE_MAX_LENGTH")),
            (&button, json!({ "label": 5 }), one(".label", "STRING_TYPE_CONVERT")),
            (&button, json!({ "label": null }), one(".label", "BASE_TYPE_REQUIRED")),
            (&button, json!({ "label": null, "emoji": { "name": "👍" } }), vec![]),
            (&button, json!({ "emoji": { "id": "7", "name": "wave" } }), vec![]),
            (
                &button,
                json!({ "emoji": { "id": "8" } }),
                one(".emoji.id", "BUTTON_COMPONENT_INVALID_EMOJI"),
            ),
            (
                &button,
                json!({ "emoji": { "name": "wave" } }),
                one(".emoji.name", "BUTTON_COMPONENT_INVALID_EMOJI"),
            ),
            (&button, json!({ "emoji": {} }), one(".emoji.name", "BUTTON_COMPONENT_INVALID_EMOJI")),
            (&button, json!({ "custom_id": "x".repeat(100) }), vec![]),
            (&button, json!({ "custom_id": "x".repeat(101) }), one(".custom_id", length)),
            (&button, json!({ "custom_id": "" }), one(".custom_id", length)),
            (
                &button,
                json!({ "custom_id": null }),
                one(".custom_id", "BUTTON_COMPONENT_CUSTOM_ID_REQUIRED"),
            ),
            (&button, json!({ "url": "https://example.com" }), one(".custom_id", exclusive)),
            (&button, json!({ "sku_id": "5" }), one(".sku_id", "BUTTON_COMPONENT_SKU_ID_INVALID")),
            (&button, json!({ "style": null }), one(".style", "BASE_TYPE_REQUIRED")),
            (&button, json!({ "style": 7 }), one(".style", "BASE_TYPE_CHOICES")),
            (&button, json!({ "style": 4, "disabled": true }), vec![]),
            (&button, json!({ "disabled": "yes" }), one(".disabled", "BOOLEAN_TYPE_CONVERT")),
            (&button, json!({ "id": 5 }), vec![]),
            (&button, json!({ "id": -1 }), one(".id", "NUMBER_TYPE_MIN")),
            (&button, json!({ "id": 2_147_483_648_u64 }), one(".id", "NUMBER_TYPE_MAX")),
            (&link, json!({}), vec![]),
            (&link, json!({ "url": "discord://-/channels/1" }), vec![]),
            (&link, json!({ "url": null }), one(".url", "BUTTON_COMPONENT_URL_REQUIRED")),
            (&link, json!({ "url": "ftp://example.com" }), one(".url", "URL_TYPE_INVALID_SCHEME")),
            (&link, json!({ "url": "example.com" }), one(".url", "URL_TYPE_INVALID_URL")),
            (
                &link,
                json!({ "url": format!("https://{}", "x".repeat(505)) }),
                one(".url", "BASE_TYPE_MAX_LENGTH"),
            ),
            (&link, json!({ "custom_id": "go" }), one(".custom_id", exclusive)),
            (
                &button,
                json!({ "style": 6, "label": null, "custom_id": null, "sku_id": "5" }),
                one(".sku_id", "BUTTON_COMPONENT_INVALID_APPLICATION"),
            ),
            (
                &button,
                json!({ "style": 6, "label": null, "custom_id": null }),
                one(".sku_id", "BASE_TYPE_REQUIRED"),
            ),
        ];
        for (base, changes, expected) in cases {
            assert_eq!(wrong_in_row(with(base, changes.clone())), expected, "{changes}");
        }
    }
}
