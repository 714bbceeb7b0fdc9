//! The roles of people whose messages REST tells: with a message it tells none.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use clawvoice_session::{GuildId, RoleId, UserId};
use futures_util::{StreamExt as _, stream};

use super::super::{clock::now, rest::DiscordRest};
use crate::{
    memory::Memory,
    message::{MemberPart, Message},
};

/// People that are asked about at a time, those who wrote last first; the messages of others stay
/// without roles.
const PEOPLE: usize = 10;

/// Requests at a time.
const AT_A_TIME: usize = 4;

/// How long all of it may take: a question waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long an answer holds: several channels are looked at after a start, and a role that is taken
/// away is to count soon.
const KEEP: Duration = Duration::from_secs(10);

/// Members that are remembered.
const MOST_KNOWN: usize = 500;

/// What was asked lately.
pub(super) struct Roles(Mutex<Memory<(GuildId, UserId), Vec<RoleId>>>);

impl Default for Roles {
    fn default() -> Self {
        Self(Mutex::new(Memory::new(MOST_KNOWN)))
    }
}

impl Roles {
    /// Puts the roles that their authors have now into messages of a guild. Of whom Discord does
    /// not tell, none are put.
    pub(super) async fn put_into(
        &self,
        rest: &DiscordRest,
        guild: GuildId,
        messages: &mut [Message],
    ) {
        let authors = unknown(messages);
        let asking = authors.into_iter().map(|user| self.of(rest, guild, user));
        let mut asked = stream::iter(asking).buffer_unordered(AT_A_TIME);
        let mut found = HashMap::new();
        let gathering = async {
            while let Some(answer) = asked.next().await {
                found.extend(answer);
            }
        };
        if tokio::time::timeout(PATIENCE, gathering).await.is_err() {
            tracing::debug!("the roles of some people in guild {guild} are not known in time");
        }
        for message in messages.iter_mut().filter(|message| message.member.is_none()) {
            if let Some(roles) = found.get(&message.author.id) {
                let roles = roles.clone();
                message.member = Some(MemberPart { roles, ..MemberPart::default() });
            }
        }
    }

    async fn of(
        &self,
        rest: &DiscordRest,
        guild: GuildId,
        user: UserId,
    ) -> Option<(UserId, Vec<RoleId>)> {
        let known = self.known().get(now(), &(guild, user)).cloned();
        if let Some(roles) = known {
            return Some((user, roles));
        }
        match rest.member(guild, user).await {
            Ok(member) => {
                let roles = member.roles;
                self.known().put(now(), (guild, user), roles.clone(), KEEP);
                Some((user, roles))
            }
            Err(failure) => {
                tracing::debug!("the roles of user {user} are not known: {failure}");
                None
            }
        }
    }

    /// Held for moments only.
    fn known(&self) -> MutexGuard<'_, Memory<(GuildId, UserId), Vec<RoleId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The people who wrote last and of whom no roles are told. Webhooks have none.
fn unknown(messages: &[Message]) -> Vec<UserId> {
    let untold = messages.iter().filter(|it| it.member.is_none() && it.webhook.is_none());
    let mut newest: Vec<_> = untold.map(|message| (message.id, message.author.id)).collect();
    newest.sort_unstable_by(|one, other| other.cmp(one));
    let mut people = Vec::new();
    for (_, user) in newest {
        if !people.contains(&user) {
            people.push(user);
        }
        if people.len() == PEOPLE {
            break;
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_people_at_most_and_each_once() {
        let message = |id: u64, author: u64, rest: &str| {
            let json =
                format!(r#"{{"id":"{id}","channel_id":"5","author":{{"id":"{author}"}}{rest}}}"#);
            Message::read(&json).unwrap()
        };
        let mut messages: Vec<Message> = (1..=12).map(|n| message(n, 100 + n, "")).collect();
        messages.push(message(20, 112, ""));
        messages.push(message(21, 200, r#","webhook_id":"9""#));
        messages.push(message(22, 201, r#","member":{"roles":[]}"#));
        let people: Vec<u64> = unknown(&messages).iter().map(|user| user.get()).collect();
        assert_eq!(people, (103..=112).rev().collect::<Vec<_>>());
    }
}
