//! Bots and humans that come to a running world.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    World,
    default::{new_application, new_member, new_user},
    dispatch::{Audience, Dispatch, intents},
    state::{State, now_ms},
};

/// A bot that was just made.
#[derive(Clone, PartialEq, Eq)]
pub struct NewBot {
    /// What it identifies with; without `Bot ` before it.
    pub token: String,
    /// Its application.
    pub application_id: u64,
    /// Its user.
    pub user_id: u64,
}

impl std::fmt::Debug for NewBot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewBot")
            .field("application_id", &self.application_id)
            .field("user_id", &self.user_id)
            .finish_non_exhaustive()
    }
}

impl World {
    /// Makes an application with a bot user, allowed all privileged intents, and lets it join
    /// the default guild.
    #[must_use]
    pub fn add_bot(&self, name: &str) -> NewBot {
        self.write(|state| {
            let (application_id, user_id) = (state.next_id(), state.next_id());
            let token = new_token(user_id);
            state.users.insert(user_id, new_user(user_id, name, true));
            let application = new_application(application_id, user_id, name, token.clone());
            state.applications.insert(application_id, application);
            self.join_default_guild(state, user_id);
            NewBot { token, application_id, user_id }
        })
    }

    /// Makes a human and lets it join the default guild; its user id.
    pub fn add_human(&self, name: &str) -> u64 {
        self.write(|state| {
            let user_id = state.next_id();
            state.users.insert(user_id, new_user(user_id, name, false));
            state.humans.insert(user_id);
            self.join_default_guild(state, user_id);
            user_id
        })
    }

    fn join_default_guild(&self, state: &mut State, user_id: u64) {
        let Some((&guild_id, guild)) = state.guilds.iter_mut().next() else { return };
        guild.members.insert(user_id, new_member(user_id, now_ms()));
        let Some(mut data) = state.member_json(guild_id, user_id) else { return };
        data["guild_id"] = guild_id.to_string().into();
        self.dispatch(Dispatch {
            event: "GUILD_MEMBER_ADD",
            data,
            audience: Audience::Guild(guild_id),
            intents: intents::GUILD_MEMBERS,
        });
    }
}

/// A token in the form of Discord's: who, when, and a secret, each in base64url.
pub(super) fn new_token(user_id: u64) -> String {
    let when = (u32::try_from(now_ms() / 1000).unwrap_or(u32::MAX)).to_be_bytes();
    let [who, when, secret] = [
        URL_SAFE_NO_PAD.encode(user_id.to_string()),
        URL_SAFE_NO_PAD.encode(when),
        URL_SAFE_NO_PAD.encode(rand::random::<[u8; 28]>()),
    ];
    format!("{who}.{when}.{secret}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{journal::Journal, world::default};

    #[tokio::test]
    async fn newcomers_join_the_default_guild() {
        let world = World::default_world(Journal::default());
        let mut events = world.subscribe();
        let bot = world.add_bot("second");
        let human = world.add_human("dora");
        for (user, is_bot) in [(bot.user_id, true), (human, false)] {
            let event = events.recv().await.unwrap();
            assert_eq!(event.event, "GUILD_MEMBER_ADD");
            assert_eq!(event.audience, Audience::Guild(default::GUILD));
            assert_eq!(event.data["user"]["id"], user.to_string());
            assert_eq!(event.data["user"]["bot"], is_bot);
        }
        let found = world.read(|state| state.application_by_token(&bot.token).map(|app| app.id));
        assert_eq!(found, Some(bot.application_id));
        assert!(world.read(|state| state.humans.contains(&human)));
        assert_eq!(bot.token.split('.').count(), 3);
        assert_ne!(new_token(1), new_token(1));
    }
}
