//! Who is behind a message that PluralKit wrote in somebody's stead.
//!
//! Source: PluralKit, "API reference", Message model; OpenClaw, "Discord", section on PluralKit.

use clawvoice_session::{MessageId, UserId};
use serde::Deserialize;

/// Someone who speaks through PluralKit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxied {
    /// The member's id at PluralKit; `pk:<id>` in allowlists.
    pub member: String,
    /// What the member is called.
    pub name: String,
    /// What the system is called that the member is of.
    pub system: Option<String>,
    /// The Discord account that wrote.
    pub account: Option<UserId>,
    /// The message that the account wrote, and PluralKit replaced.
    pub original: Option<MessageId>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    original: Option<MessageId>,
    #[serde(default)]
    sender: Option<UserId>,
    #[serde(default)]
    system: Option<System>,
    #[serde(default)]
    member: Option<Member>,
}

#[derive(Deserialize)]
struct System {
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
}

impl Proxied {
    /// Of PluralKit's answer. `Ok(None)`: it tells of nobody, as when the member was deleted.
    ///
    /// # Errors
    ///
    /// It is no answer of PluralKit's.
    pub fn read(json: &[u8]) -> Result<Option<Self>, serde_json::Error> {
        let wire: Wire = serde_json::from_slice(json)?;
        let told = |text: Option<String>| {
            text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        };
        let Some(member) = wire.member else { return Ok(None) };
        let name = told(member.display_name).or_else(|| told(member.name));
        let (Some(id), Some(name)) = (told(member.id), name) else { return Ok(None) };
        Ok(Some(Self {
            member: id,
            name,
            system: told(wire.system.and_then(|system| system.name)),
            account: wire.sender,
            original: wire.original,
        }))
    }

    /// What they are called in the conversation.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.system {
            Some(system) => format!("{} (PK:{system})", self.name),
            None => format!("{} (PK)", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hit_names_member_and_system() {
        let json = br#"{"timestamp":"2024-01-01T00:00:00Z","id":"12","original":"11","sender":"7",
            "channel":"3","guild":"1","system":{"id":"exmpl","name":"The System"},
            "member":{"id":"abcde","uuid":"x","name":"mira","display_name":"Mira","color":null}}"#;
        let proxied = Proxied::read(json).unwrap().unwrap();
        assert_eq!(proxied.label(), "Mira (PK:The System)");
        assert_eq!((proxied.member.as_str(), proxied.account), ("abcde", Some(UserId::new(7))));
        assert_eq!(proxied.original, Some(MessageId::new(11)));
        let nameless =
            br#"{"system":{"name":" "},"member":{"id":"abcde","name":"mira","display_name":""}}"#;
        assert_eq!(Proxied::read(nameless).unwrap().unwrap().label(), "mira (PK)");
    }

    #[test]
    fn without_a_member_it_is_nobody() {
        for json in [
            r#"{"member":null,"system":null}"#,
            r#"{"member":{"id":"abcde"}}"#,
            r#"{"member":{"name":"mira"}}"#,
            "{}",
        ] {
            assert_eq!(Proxied::read(json.as_bytes()).unwrap(), None, "{json}");
        }
        assert!(Proxied::read(b"<html>").is_err());
        assert!(Proxied::read(br#"{"sender":7}"#).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Proxied::read(&bytes);
        }
    }
}
