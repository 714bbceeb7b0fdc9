//! Pictures and files ("Unfurled Media Item").

use serde_json::Value;

use super::{Checker, stored_name};

const MOST_DESCRIPTION: usize = 1024;
const MOST_ITEMS: usize = 10;
/// What stands before the name of a file that comes with the message.
pub(super) const ATTACHMENT: &str = "attachment";

impl Checker<'_> {
    pub(super) fn thumbnail(&mut self, path: &str, thumbnail: &Value) {
        self.picture(path, thumbnail);
    }

    pub(super) fn media_gallery(&mut self, path: &str, gallery: &Value) {
        let at = format!("{path}.items");
        let items = self.form.list(&at, gallery.get("items"));
        self.form.count(&at, items.len(), 1..=MOST_ITEMS);
        for (index, item) in items.iter().enumerate() {
            self.picture(&format!("{at}.{index}"), item);
        }
    }

    fn picture(&mut self, path: &str, picture: &Value) {
        self.form.text(path, picture, "description", 0..=MOST_DESCRIPTION);
        self.form.flag(path, picture, "spoiler");
        self.media(&format!("{path}.media"), picture.get("media"), &["http", "https", ATTACHMENT]);
    }

    pub(super) fn file(&mut self, path: &str, file: &Value) {
        self.form.flag(path, file, "spoiler");
        self.media(&format!("{path}.file"), file.get("file"), &[ATTACHMENT]);
    }

    /// An address with one of these schemes; of a file, one that is there.
    fn media(&mut self, path: &str, item: Option<&Value>, schemes: &[&str]) {
        let Some(item) = item.filter(|item| item.is_object()) else {
            return self.form.required(path);
        };
        let Some(url) = self.form.required_text(path, item, "url", 0..=2048) else { return };
        let at = format!("{path}.url");
        self.scheme(&at, url, schemes);
        if let Some(name) = attached(url)
            && !self.around.files.contains(&name)
        {
            let why = format!("The referenced attachment (\"{url}\") was not found");
            self.form.wrong(&at, "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND", why);
        }
    }
}

/// The stored name of the file that an `attachment://` address means.
pub(super) fn attached(url: &str) -> Option<String> {
    let name = url.strip_prefix(ATTACHMENT)?.strip_prefix("://")?;
    Some(stored_name(name))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{one, wrong_at_top};

    const MISSING: &str = "UNFURLED_MEDIA_ITEM_REFERENCED_ATTACHMENT_NOT_FOUND";

    fn gallery(items: Value) -> Value {
        json!({ "type": 12, "items": items })
    }

    fn file(url: &str) -> Value {
        json!({ "type": 13, "file": { "url": url } })
    }

    #[test]
    fn files_are_those_that_come_along() {
        for (url, expected) in [
            ("attachment://a.png", vec![]),
            ("attachment://b.png", one(".file.url", MISSING)),
            ("https://example.com/a.png", one(".file.url", "URL_TYPE_INVALID_SCHEME")),
            ("a.png", one(".file.url", "URL_TYPE_INVALID_URL")),
        ] {
            assert_eq!(wrong_at_top(file(url)), expected, "{url}");
        }
        assert_eq!(wrong_at_top(json!({ "type": 13 })), one(".file", "BASE_TYPE_REQUIRED"));
        let empty = json!({ "type": 13, "file": {} });
        assert_eq!(wrong_at_top(empty), one(".file.url", "BASE_TYPE_REQUIRED"));
    }

    #[test]
    fn galleries_have_one_to_ten_pictures() {
        let picture = json!({ "media": { "url": "https://example.com/a.png" } });
        for (count, expected) in [
            (0, one(".items", "BASE_TYPE_BAD_LENGTH")),
            (1, vec![]),
            (10, vec![]),
            (11, one(".items", "BASE_TYPE_BAD_LENGTH")),
        ] {
            let items = Value::from(vec![picture.clone(); count]);
            assert_eq!(wrong_at_top(gallery(items)), expected, "{count}");
        }
        let about = |description: String| json!([{ "media": { "url": "attachment://a.png" }, "description": description }]);
        assert_eq!(wrong_at_top(gallery(about("x".repeat(1024)))), vec![]);
        let long = one(".items[0].description", "BASE_TYPE_MAX_LENGTH");
        assert_eq!(wrong_at_top(gallery(about("x".repeat(1025)))), long);
        let missing = json!([{ "media": { "url": "attachment://b.png" } }]);
        assert_eq!(wrong_at_top(gallery(missing)), one(".items[0].media.url", MISSING));
    }
}
