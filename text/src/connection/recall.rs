//! What Discord tells only when a session begins, kept for a process that resumes one.
//!
//! A resumed session goes on after its last event: no READY, no GUILD_CREATE. What those said, and
//! what later events made of it, is written down together with the number of the last event, so
//! that both fit each other.

use std::collections::BTreeMap;

use clawvoice_session::{
    ChannelId, GuildId, RoleId, UserId, VoiceChannel, VoiceGatewayEvent, VoiceStateChange,
};
use serde::{Deserialize, Serialize};

use crate::{
    incoming::{Gone, TextEvent},
    place,
};

/// Channels and threads kept per guild; further ones are looked up when something happens there.
const MAX_PLACES: usize = 10_000;

/// Names kept per guild; further people are known only by what later events say.
const MAX_NAMES: usize = 10_000;

/// Guilds, their voice channels and who is in them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recall {
    guilds: BTreeMap<u64, Guild>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Guild {
    #[serde(default)]
    name: String,
    /// Channels and threads, for text.
    #[serde(default)]
    places: BTreeMap<u64, place::Channel>,
    #[serde(default)]
    roles: BTreeMap<u64, Vec<u64>>,
    channels: BTreeMap<u64, Channel>,
    names: BTreeMap<u64, Name>,
    states: BTreeMap<u64, State>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Channel {
    stage: bool,
    bitrate: u32,
    #[serde(default)]
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    label: String,
    bot: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    channel: u64,
    session_id: String,
    suppressed: bool,
}

impl Recall {
    /// A new session: everything is told again.
    pub(crate) fn clear(&mut self) {
        self.guilds.clear();
    }

    /// Follows an event.
    pub(crate) fn follow(&mut self, event: &VoiceGatewayEvent) {
        match event {
            VoiceGatewayEvent::State(change) => {
                let states = &mut self.guild(change.guild).states;
                match change.channel {
                    Some(channel) => states.insert(
                        change.user.get(),
                        State {
                            channel: channel.get(),
                            session_id: change.session_id.clone(),
                            suppressed: change.suppressed,
                        },
                    ),
                    None => states.remove(&change.user.get()),
                };
            }
            VoiceGatewayEvent::Channel(VoiceChannel { guild, channel, stage, bitrate }) => {
                let channels = &mut self.guild(*guild).channels;
                let known = channels.entry(channel.get()).or_default();
                (known.stage, known.bitrate) = (*stage, *bitrate);
            }
            VoiceGatewayEvent::ChannelName { channel, name } => {
                let id = channel.get();
                let known = self.guilds.values_mut().find_map(|it| it.channels.get_mut(&id));
                if let Some(known) = known {
                    known.name.clone_from(name);
                }
            }
            VoiceGatewayEvent::GuildName { guild, name } => {
                self.guild(*guild).name.clone_from(name);
            }
            VoiceGatewayEvent::Roles { guild, user, roles } => {
                let known = &mut self.guild(*guild).roles;
                if known.len() < MAX_NAMES || known.contains_key(&user.get()) {
                    known.insert(user.get(), roles.iter().map(|role| role.get()).collect());
                }
            }
            VoiceGatewayEvent::Name { guild, user, label, bot } => {
                let names = &mut self.guild(*guild).names;
                if names.len() < MAX_NAMES || names.contains_key(&user.get()) {
                    names.insert(user.get(), Name { label: label.clone(), bot: *bot });
                }
            }
            VoiceGatewayEvent::Ready { .. }
            | VoiceGatewayEvent::Server(_)
            | VoiceGatewayEvent::SessionLost => {}
        }
    }

    /// Follows what text is told.
    pub(crate) fn follow_text(&mut self, event: &TextEvent) {
        match event {
            TextEvent::Guild { guild, name } => self.guild(*guild).name.clone_from(name),
            TextEvent::Channel(channel) => {
                let Some(guild) = channel.guild else { return };
                let places = &mut self.guild(guild).places;
                let id = channel.id.get();
                if places.len() < MAX_PLACES || places.contains_key(&id) {
                    places.insert(id, channel.clone());
                }
            }
            TextEvent::Gone(Gone::Channel(channel)) => {
                for guild in self.guilds.values_mut() {
                    guild.places.remove(&channel.get());
                }
            }
            TextEvent::Gone(Gone::Guild(guild)) => {
                if let Some(guild) = self.guilds.get_mut(&guild.get()) {
                    guild.places.clear();
                }
            }
            TextEvent::Connected { .. }
            | TextEvent::Message { .. }
            | TextEvent::Invalid(_)
            | TextEvent::Access { .. }
            | TextEvent::Reaction(_) => {}
        }
    }

    /// Guilds and places, for text.
    pub(crate) fn text_events(&self) -> Vec<TextEvent> {
        let mut events = Vec::new();
        for (guild, known) in &self.guilds {
            let (guild, name) = (GuildId::new(*guild), known.name.clone());
            events.push(TextEvent::Guild { guild, name });
            events.extend(known.places.values().cloned().map(TextEvent::Channel));
        }
        events
    }

    /// What is known, in the order in which GUILD_CREATE would tell it; without the bot's own voice
    /// states, which the last process took with it.
    pub(crate) fn events(&self, own: UserId) -> Vec<VoiceGatewayEvent> {
        let mut events = Vec::new();
        for (guild, known) in &self.guilds {
            let guild = GuildId::new(*guild);
            if !known.name.is_empty() {
                let name = known.name.clone();
                events.push(VoiceGatewayEvent::GuildName { guild, name });
            }
            events.extend(known.roles.iter().map(|(user, roles)| VoiceGatewayEvent::Roles {
                guild,
                user: UserId::new(*user),
                roles: roles.iter().copied().map(RoleId::new).collect(),
            }));
            events.extend(known.names.iter().map(|(user, name)| VoiceGatewayEvent::Name {
                guild,
                user: UserId::new(*user),
                label: name.label.clone(),
                bot: name.bot,
            }));
            events.extend(known.channels.iter().flat_map(|(channel, known)| {
                let channel = ChannelId::new(*channel);
                let Channel { stage, bitrate, name } = known.clone();
                let room = VoiceChannel { guild, channel, stage, bitrate };
                let named =
                    (!name.is_empty()).then_some(VoiceGatewayEvent::ChannelName { channel, name });
                [VoiceGatewayEvent::Channel(room)].into_iter().chain(named)
            }));
            let others = known.states.iter().filter(|(user, _)| **user != own.get());
            events.extend(others.map(|(user, state)| {
                VoiceGatewayEvent::State(VoiceStateChange {
                    guild,
                    user: UserId::new(*user),
                    channel: Some(ChannelId::new(state.channel)),
                    session_id: state.session_id.clone(),
                    suppressed: state.suppressed,
                })
            }));
        }
        events
    }

    /// Guilds in whose voice channels the bot itself is.
    pub(crate) fn in_voice(&self, own: UserId) -> Vec<GuildId> {
        let there = self.guilds.iter().filter(|(_, guild)| guild.states.contains_key(&own.get()));
        there.map(|(guild, _)| GuildId::new(*guild)).collect()
    }

    fn guild(&mut self, guild: GuildId) -> &mut Guild {
        self.guilds.entry(guild.get()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(user: u64, channel: Option<u64>) -> VoiceGatewayEvent {
        VoiceGatewayEvent::State(VoiceStateChange {
            guild: GuildId::new(1),
            user: UserId::new(user),
            channel: channel.map(ChannelId::new),
            session_id: "s".to_owned(),
            suppressed: false,
        })
    }

    #[test]
    fn what_later_events_made_of_a_guild_is_told_in_its_order() {
        let mut recall = Recall::default();
        let name = |user, label: &str| VoiceGatewayEvent::Name {
            guild: GuildId::new(1),
            user: UserId::new(user),
            label: label.to_owned(),
            bot: false,
        };
        let channel = VoiceGatewayEvent::Channel(VoiceChannel {
            guild: GuildId::new(1),
            channel: ChannelId::new(9),
            stage: true,
            bitrate: 64_000,
        });
        for event in [
            state(2, Some(8)),
            name(2, "Ada"),
            channel,
            name(2, "Countess"),
            state(2, Some(9)),
            state(3, Some(9)),
            state(3, None),
            state(5, Some(9)),
            VoiceGatewayEvent::GuildName { guild: GuildId::new(1), name: "Friends".to_owned() },
            VoiceGatewayEvent::ChannelName { channel: ChannelId::new(9), name: "Talk".to_owned() },
            VoiceGatewayEvent::Roles {
                guild: GuildId::new(1),
                user: UserId::new(2),
                roles: vec![RoleId::new(80)],
            },
        ] {
            recall.follow(&event);
        }
        let own = UserId::new(5);
        let told: Vec<String> =
            recall.events(own).iter().map(|event| format!("{event:?}")).collect();
        assert_eq!(told.len(), 6, "{told:?}");
        assert!(told[0].starts_with("GuildName") && told[0].contains("Friends"));
        assert!(told[1].starts_with("Roles") && told[1].contains("RoleId(80)"));
        assert!(told[2].contains("Countess"));
        assert!(told[3].starts_with("Channel(") && told[3].contains("stage: true"));
        assert!(told[4].starts_with("ChannelName") && told[4].contains("Talk"));
        assert!(told[5].contains("UserId(2)") && told[5].contains("ChannelId(9)"));
        assert_eq!(recall.in_voice(own), [GuildId::new(1)]);

        let text = serde_json::to_string(&recall).unwrap();
        assert_eq!(serde_json::from_str::<Recall>(&text).unwrap(), recall);
        recall.clear();
        assert_eq!(recall.events(own).len(), 0);
    }
}
