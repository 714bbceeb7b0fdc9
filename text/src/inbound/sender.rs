//! Who wrote a message: what they are called, and by what lists know them.

use clawvoice_session::{
    UserId,
    access::{Audience, Member, Who},
};

use super::{plural::PluralMember, verdict::Known};
use crate::message::Message;

/// Who wrote a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The user's id; of a member of a PluralKit system, the member's.
    pub id: String,
    /// The user, or the webhook.
    pub user: UserId,
    /// What people call them.
    pub name: String,
    /// The account's name.
    pub username: String,
    /// `name`, or `name#1234`.
    pub tag: String,
    /// What they are called, with the tag behind it where that says more.
    pub label: String,
    /// Whether they speak by way of PluralKit.
    pub plural: bool,
    /// Whether they are a bot, or speak through a webhook without PluralKit.
    pub bot: bool,
}

impl Sender {
    /// The author of a message, or whom PluralKit says they are.
    #[must_use]
    pub fn of(message: &Message, plural: Option<&PluralMember>) -> Self {
        let author = &message.author;
        if let Some(member) = plural {
            return Self {
                id: member.id.clone(),
                user: author.id,
                name: member.shown.clone(),
                username: member.name.clone(),
                tag: member.name.clone(),
                label: member.label(),
                plural: true,
                bot: false,
            };
        }
        let name = author.shown(message.member.as_ref());
        let tag = author.tag();
        Self {
            id: author.id.to_string(),
            user: author.id,
            label: if name == tag { tag.clone() } else { [name, " (", &tag, ")"].concat() },
            name: name.to_owned(),
            username: author.username.clone(),
            tag,
            plural: false,
            bot: is_bot(message),
        }
    }
}

/// Whether a bot or a webhook wrote it.
pub(crate) const fn is_bot(message: &Message) -> bool {
    message.author.bot || message.webhook.is_some()
}

/// The sender as lists see them. Nicknames are left out: a guild's members give them to one another.
pub(crate) struct Identity<'a> {
    message: &'a Message,
    plural: Option<&'a PluralMember>,
    tag: String,
    audiences: Vec<Audience>,
}

impl<'a> Identity<'a> {
    pub(crate) fn new(
        message: &'a Message,
        plural: Option<&'a PluralMember>,
        known: &Known<'_>,
        match_names: bool,
    ) -> Self {
        let belongs = known.audiences.iter().filter(|(_, belongs)| *belongs);
        Self {
            message,
            plural,
            tag: if match_names && plural.is_none() { message.author.tag() } else { String::new() },
            audiences: belongs.map(|(audience, _)| *audience).collect(),
        }
    }

    /// Calls `judge` with what lists are asked about.
    pub(crate) fn with<T>(&self, judge: impl FnOnce(&Who<'_>) -> T) -> T {
        let author = &self.message.author;
        let names = match self.plural {
            Some(member) => [member.name.as_str(), member.shown.as_str(), ""],
            None => [&author.username, author.global_name.as_deref().unwrap_or(""), &self.tag],
        };
        let roles = self.message.member.as_ref().map(|member| member.roles.as_slice());
        let member = Member { user: author.id, roles: roles.unwrap_or_default(), names: &names };
        let plural = self.plural.map(|member| member.id.as_str());
        judge(&Who { member, plural, audiences: &self.audiences })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(author: &str, rest: &str) -> Message {
        let json = format!(r#"{{"id":"5","channel_id":"6","author":{author}{rest}}}"#);
        Message::read(&json).unwrap()
    }

    #[test]
    fn labels() {
        for (author, rest, label) in [
            (r#"{"id":"7","username":"ada"}"#, "", "ada"),
            (r#"{"id":"7","username":"ada","global_name":"Ada"}"#, "", "Ada (ada)"),
            (r#"{"id":"7","username":"ada","discriminator":"1234"}"#, "", "ada (ada#1234)"),
            (
                r#"{"id":"7","username":"ada"}"#,
                r#","member":{"nick":"Countess"}"#,
                "Countess (ada)",
            ),
        ] {
            let sender = Sender::of(&message(author, rest), None);
            assert_eq!((sender.label.as_str(), sender.id.as_str()), (label, "7"));
            assert!(!sender.plural && !sender.bot);
        }
    }

    #[test]
    fn a_webhook_is_a_bot_unless_pluralkit_knows_it() {
        let message = message(r#"{"id":"7","username":"Ada"}"#, r#","webhook_id":"7""#);
        assert!(Sender::of(&message, None).bot);
        let member = PluralMember {
            id: "abcde".to_owned(),
            name: "Ada".to_owned(),
            shown: "Ada".to_owned(),
            system: Some("Skies".to_owned()),
            original: None,
        };
        let sender = Sender::of(&message, Some(&member));
        assert_eq!((sender.label.as_str(), sender.id.as_str()), ("Ada (PK:Skies)", "abcde"));
        assert!(sender.plural && !sender.bot);
    }
}
