//! PluralKit: several people who share an account, each of whom speaks through a webhook.
//!
//! Source: PluralKit, "API reference", GET /messages/{message}.

use clawvoice_session::MessageId;
use serde::Deserialize;

/// Who speaks through a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluralMember {
    /// PluralKit's id of the member.
    pub id: String,
    /// The member's name.
    pub name: String,
    /// What the member is shown as.
    pub shown: String,
    /// The name of the system they belong to.
    pub system: Option<String>,
    /// The message that the webhook's stands for.
    pub original: Option<MessageId>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    original: Option<MessageId>,
    #[serde(default)]
    member: Option<WireMember>,
    #[serde(default)]
    system: Option<WireSystem>,
}

#[derive(Deserialize)]
struct WireMember {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
}

#[derive(Deserialize)]
struct WireSystem {
    #[serde(default)]
    name: Option<String>,
}

impl PluralMember {
    /// Of PluralKit's answer; `None`: it tells of nobody with an id and a name, as when the member
    /// was deleted.
    ///
    /// # Errors
    ///
    /// It is no answer of PluralKit's.
    pub fn read(json: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        Ok(Self::of(serde_json::from_slice(json)?))
    }

    fn of(wire: Wire) -> Option<Self> {
        let member = wire.member?;
        let id = written(member.id)?;
        let (name, shown) = (written(member.name), written(member.display_name));
        let shown = shown.or_else(|| name.clone())?;
        let name = name.unwrap_or_else(|| shown.clone());
        let system = wire.system.and_then(|system| written(system.name));
        Some(Self { id, name, shown, system, original: wire.original })
    }

    /// `Member (PK:System)`, or `Member (PK)`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.system {
            Some(system) => format!("{} (PK:{system})", self.shown),
            None => format!("{} (PK)", self.shown),
        }
    }
}

fn written(text: Option<String>) -> Option<String> {
    let text = text?;
    let trimmed = text.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<PluralMember> {
        PluralMember::read(json.as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_names_a_member() {
        let json = r#"{"id":"9","original":"8","sender":"7","system":{"id":"s","name":"Skies"},
            "member":{"id":"abcde","name":"ada","display_name":" Ada ","color":null}}"#;
        let member = read(json).unwrap();
        assert_eq!((member.id.as_str(), member.label().as_str()), ("abcde", "Ada (PK:Skies)"));
        assert_eq!((member.name.as_str(), member.original), ("ada", Some(MessageId::new(8))));
        for nameless in [
            r#"{"member":{"id":"abcde","display_name":"Ada"}}"#,
            r#"{"system":{"name":" "},"member":{"id":"abcde","name":"Ada","display_name":""}}"#,
        ] {
            assert_eq!(read(nameless).unwrap().label(), "Ada (PK)");
        }
    }

    #[test]
    fn without_a_member_it_is_nobody_and_some_things_are_no_answers() {
        for none in
            ["{}", r#"{"member":null}"#, r#"{"member":{"id":"a"}}"#, r#"{"member":{"name":"Ada"}}"#]
        {
            assert_eq!(read(none), None, "{none}");
        }
        for bad in ["", "<html>", r#"{"original":8}"#, r#"{"member":{"id":7}}"#] {
            assert!(PluralMember::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = PluralMember::read(&bytes);
        }
    }
}
