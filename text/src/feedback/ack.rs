//! The reaction that says a message was seen.
//!
//! Source: OpenClaw, "Discord", section "Ack reactions".

use clawvoice_config::{AckReactionScope, Agent, Delivery, Messages};

use super::{Addressed, Emoji};

/// The reaction when no other is written.
const DEFAULT: &str = "👀";

/// Which reaction a message gets, where, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckRules {
    emoji: Option<Emoji>,
    scope: AckReactionScope,
    remove_after_reply: bool,
    status: bool,
}

impl AckRules {
    /// The account's own settings go before `channels.discord`'s (`delivery` is both, merged), then
    /// `messages`, then the agent's emoji, then 👀. An empty text switches it off where it stands.
    #[must_use]
    pub fn new(delivery: &Delivery, messages: &Messages, agent: &Agent) -> Self {
        let written = [&delivery.ack_reaction, &messages.ack_reaction];
        let own = agent.emoji.as_deref().filter(|emoji| !emoji.trim().is_empty());
        let text = written.into_iter().find_map(Option::as_deref).or(own).unwrap_or(DEFAULT);
        Self {
            emoji: Emoji::new(text),
            scope: delivery.ack_scope.unwrap_or(messages.ack_scope),
            remove_after_reply: messages.remove_ack,
            status: messages.status_reactions.unwrap_or(true),
        }
    }

    /// The reaction for a message that got there so; `None`: none.
    #[must_use]
    pub fn emoji_for(&self, addressed: Addressed) -> Option<&Emoji> {
        let wanted = match self.scope {
            AckReactionScope::GroupMentions => addressed == Addressed::Mentioned,
            AckReactionScope::GroupAll => addressed != Addressed::Direct,
            AckReactionScope::Direct => addressed == Addressed::Direct,
            AckReactionScope::All => true,
            AckReactionScope::Off | AckReactionScope::None => false,
        };
        self.emoji.as_ref().filter(|_| wanted)
    }

    /// `removeAckAfterReply`.
    #[must_use]
    pub const fn remove_after_reply(&self) -> bool {
        self.remove_after_reply
    }

    /// Whether the reaction follows what is being done: by default wherever there is one.
    #[must_use]
    pub const fn shows_status(&self) -> bool {
        self.status
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;

    fn rules(discord: &str, account: &str, messages: &str, agent: &str) -> AckRules {
        let text = format!(
            "{{ channels: {{ discord: {{ {discord} accounts: {{ a: {{ token: 'a.b.c', {account} }} \
             }} }} }}, messages: {{ {messages} }}, agents: {{ list: [{{ id: 'm', {agent} }}] }} }}"
        );
        let env: BTreeMap<String, String> = BTreeMap::new();
        let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
        AckRules::new(&config.accounts[0].discord.delivery, &config.messages, &config.agent)
    }

    #[test]
    fn the_nearest_emoji_wins_and_an_empty_one_switches_it_off() {
        let (account, discord) = ("ackReaction: '1️⃣',", "ackReaction: '2️⃣',");
        let (messages, agent) = ("ackReaction: '3️⃣',", "identity: { emoji: '4️⃣' },");
        let off = "ackReaction: '',";
        for (discord, account, messages, agent, expected) in [
            (discord, account, messages, agent, Some("1️⃣")),
            (discord, "", messages, agent, Some("2️⃣")),
            ("", "", messages, agent, Some("3️⃣")),
            ("", "", "", agent, Some("4️⃣")),
            ("", "", "", "", Some("👀")),
            (discord, off, messages, agent, None),
            (off, "", messages, agent, None),
            (off, account, messages, agent, Some("1️⃣")),
            ("", "", off, agent, None),
            ("", "ackReaction: '<:claw:7>',", "", "", Some("claw:7")),
        ] {
            let rules = rules(discord, account, messages, agent);
            let emoji = rules.emoji_for(Addressed::Mentioned).map(Emoji::as_str);
            assert_eq!(emoji, expected, "{discord} {account} {messages} {agent}");
        }
    }

    #[test]
    fn scopes() {
        use Addressed::{Direct, Mentioned, Unmentioned};
        for (scope, expected) in [
            ("group-mentions", vec![Mentioned]),
            ("group-all", vec![Mentioned, Unmentioned]),
            ("direct", vec![Direct]),
            ("all", vec![Direct, Mentioned, Unmentioned]),
            ("off", vec![]),
            ("none", vec![]),
        ] {
            let rules = rules("", "", &format!("ackReactionScope: '{scope}'"), "");
            let places = [Direct, Mentioned, Unmentioned];
            let seen: Vec<_> =
                places.into_iter().filter(|place| rules.emoji_for(*place).is_some()).collect();
            assert_eq!(seen, expected, "{scope}");
        }
        let narrower = rules("", "ackReactionScope: 'direct'", "ackReactionScope: 'all'", "");
        assert_eq!(narrower.emoji_for(Mentioned), None);
    }

    #[test]
    fn status_is_shown_unless_it_is_switched_off() {
        let default = rules("", "", "", "");
        assert!(default.shows_status() && !default.remove_after_reply());
        let other =
            rules("", "", "removeAckAfterReply: true, statusReactions: { enabled: false }", "");
        assert!(!other.shows_status() && other.remove_after_reply());
    }
}
