//! Bots and humans that come to a running world, and what changes about members and roles.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    World,
    default::{new_application, new_member, new_user},
    dispatch::{Audience, Dispatch, intents},
    message_kind,
    state::{Member, Message, Role, State, now_ms},
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
        let Some(guild_id) = state.default_guild().map(|guild| guild.id) else { return };
        self.join(state, guild_id, new_member(user_id, now_ms()));
    }

    /// Somebody joins a guild: GUILD_MEMBER_ADD, for a bot GUILD_CREATE, and Discord's own message
    /// where the guild wants one.
    fn join(&self, state: &mut State, guild_id: u64, member: Member) {
        let user_id = member.user_id;
        let Some(guild) = state.guilds.get_mut(&guild_id) else { return };
        let welcome = guild.system_channel_id;
        guild.members.insert(user_id, member);
        let bot = state.users.get(&user_id).is_some_and(|user| user.bot);
        if let Some(data) = state.guild_create_json(guild_id, user_id).filter(|_| bot) {
            let audience = Audience::User(user_id);
            let intents = intents::GUILDS;
            self.dispatch(Dispatch { event: "GUILD_CREATE", data, audience, intents });
        }
        let Some(mut data) = state.member_json(guild_id, user_id) else { return };
        data["guild_id"] = guild_id.to_string().into();
        let audience = Audience::Guild(guild_id);
        let intents = intents::GUILD_MEMBERS;
        self.dispatch(Dispatch { event: "GUILD_MEMBER_ADD", data, audience, intents });
        if let Some(channel_id) = welcome {
            let kind = message_kind::JOIN;
            let notice = Message { channel_id, author_id: user_id, kind, ..Message::default() };
            self.post(state, notice);
        }
    }

    /// Lets a user join a guild, or changes the roles and the nickname of a member; `None` leaves
    /// those as they are. False if there is no such guild or user.
    pub(crate) fn set_member(
        &self,
        state: &mut State,
        (guild_id, user_id): (u64, u64),
        roles: Option<Vec<u64>>,
        nick: Option<Option<String>>,
    ) -> bool {
        if !state.users.contains_key(&user_id) {
            return false;
        }
        let Some(guild) = state.guilds.get_mut(&guild_id) else { return false };
        let before = guild.members.get(&user_id).cloned();
        let mut member = before.clone().unwrap_or_else(|| new_member(user_id, now_ms()));
        member.roles = roles.unwrap_or(member.roles);
        member.nick = nick.unwrap_or(member.nick);
        if before.is_none() {
            self.join(state, guild_id, member);
            return true;
        }
        guild.members.insert(user_id, member);
        let Some(mut data) = state.member_json(guild_id, user_id) else { return false };
        data["guild_id"] = guild_id.to_string().into();
        self.tell_members(guild_id, user_id, "GUILD_MEMBER_UPDATE", data);
        true
    }

    /// Takes a member out of a guild: GUILD_MEMBER_REMOVE, and GUILD_DELETE for a bot.
    pub(crate) fn remove_member(&self, guild_id: u64, user_id: u64) -> bool {
        self.write(|state| {
            let Some(guild) = state.guilds.get_mut(&guild_id) else { return false };
            if guild.members.remove(&user_id).is_none() {
                return false;
            }
            let user = state.user_json(user_id);
            let data = json!({ "guild_id": guild_id.to_string(), "user": user });
            let audience = Audience::Guild(guild_id);
            let intents = intents::GUILD_MEMBERS;
            self.dispatch(Dispatch { event: "GUILD_MEMBER_REMOVE", data, audience, intents });
            let data = json!({ "id": guild_id.to_string() });
            let audience = Audience::User(user_id);
            let intents = intents::GUILDS;
            self.dispatch(Dispatch { event: "GUILD_DELETE", data, audience, intents });
            self.leave(state, guild_id, user_id);
            true
        })
    }

    /// A role that is new, or in place of the one with its id: GUILD_ROLE_CREATE or
    /// GUILD_ROLE_UPDATE. False if there is no such guild.
    pub(crate) fn set_role(&self, state: &mut State, guild_id: u64, role: Role) -> bool {
        let Some(guild) = state.guilds.get_mut(&guild_id) else { return false };
        let data = json!({ "guild_id": guild_id.to_string(), "role": role.to_json() });
        let is_new = guild.roles.insert(role.id, role).is_none();
        let event = if is_new { "GUILD_ROLE_CREATE" } else { "GUILD_ROLE_UPDATE" };
        let audience = Audience::Guild(guild_id);
        self.dispatch(Dispatch { event, data, audience, intents: intents::GUILDS });
        true
    }

    /// Everybody in the guild is told with GUILD_MEMBERS; the member itself in any case.
    fn tell_members(&self, guild_id: u64, user_id: u64, event: &'static str, data: Value) {
        let own = Dispatch {
            event,
            data: data.clone(),
            audience: Audience::User(user_id),
            intents: intents::GUILDS,
        };
        self.dispatch(own);
        let audience = Audience::OtherMembers { guild: guild_id, user: user_id };
        self.dispatch(Dispatch { event, data, audience, intents: intents::GUILD_MEMBERS });
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
            if is_bot {
                let own = events.recv().await.unwrap();
                assert_eq!((own.event, own.audience), ("GUILD_CREATE", Audience::User(user)));
            }
            let event = events.recv().await.unwrap();
            assert_eq!(event.event, "GUILD_MEMBER_ADD");
            assert_eq!(event.audience, Audience::Guild(default::GUILD));
            assert_eq!(event.data["user"]["id"], user.to_string());
            assert_eq!(event.data["user"]["bot"], is_bot);
        }
        let found = world.read(|state| state.application_by_token(&bot.token).map(|app| app.id));
        assert_eq!(found, Some(bot.application_id));
        assert!(world.read(|state| state.humans.contains(&human)));
        assert!(world.write(|state| {
            let nick = Some(Some("D".to_owned()));
            world.set_member(state, (default::GUILD, human), Some(vec![9]), nick)
        }));
        assert_eq!(events.recv().await.unwrap().audience, Audience::User(human));
        let told = events.recv().await.unwrap();
        let others = Audience::OtherMembers { guild: default::GUILD, user: human };
        assert_eq!((told.event, told.audience), ("GUILD_MEMBER_UPDATE", others));
        assert_eq!((&told.data["nick"], &told.data["roles"][0]), (&json!("D"), &json!("9")));
        assert!(world.remove_member(default::GUILD, human));
        assert!(!world.remove_member(default::GUILD, human));
        assert_eq!(bot.token.split('.').count(), 3);
        assert_ne!(new_token(1), new_token(1));
    }
}
