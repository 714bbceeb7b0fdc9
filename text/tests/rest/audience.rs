//! Who sees a channel: what is asked of Discord, and for how long the answer holds.

use clawvoice_session::{ChannelId, GuildId, RoleId, UserId};
use clawvoice_text::{
    audience::{AudienceFacts, Overwrite, OverwriteKind},
    shell::audience_facts::{AudienceFailure, Audiences},
};
use serde_json::{Value, json};

use crate::fake::{Fake, fake_at};

const GUILD: GuildId = GuildId::new(1);
const CHANNEL: ChannelId = ChannelId::new(10);
const ADA: UserId = UserId::new(7);

type Answer = (String, (u16, Value));

fn at(path: &str, answer: (u16, Value)) -> Answer {
    (format!("GET {path}"), answer)
}

fn channel(id: u64, kind: u8, guild: u64, parent: Option<u64>) -> Answer {
    let overwrites = json!([{ "id": "1", "type": 0, "allow": "0", "deny": "1024" }]);
    let overwrites = if parent.is_none() { overwrites } else { json!([]) };
    let parent = parent.map(|parent| parent.to_string());
    let body = json!({ "id": id.to_string(), "type": kind, "guild_id": guild.to_string(),
        "parent_id": parent, "permission_overwrites": overwrites });
    at(&format!("/channels/{id}"), (200, body))
}

fn guild() -> Answer {
    let body = json!({ "id": "1", "name": "Guild", "owner_id": "9", "roles": [
        { "id": "1", "permissions": "1024" }, { "id": "3", "permissions": "8" }] });
    at("/guilds/1", (200, body))
}

fn member(roles: &[&str]) -> Answer {
    let body = json!({ "user": { "id": "7", "username": "ada" }, "roles": roles });
    at("/guilds/1/members/7", (200, body))
}

async fn audiences(answers: Vec<Answer>) -> (Fake, Audiences) {
    let fake = fake_at(answers).await;
    let audiences = Audiences::new(fake.discord.clone());
    (fake, audiences)
}

fn hides() -> Overwrite {
    Overwrite { kind: OverwriteKind::Role, id: 1, allow: 0, deny: 1024 }
}

#[tokio::test]
async fn a_channel_is_judged_by_guild_member_and_overwrites() {
    let answers = vec![channel(10, 0, 1, None), guild(), member(&["3", "404"])];
    let (fake, audiences) = audiences(answers).await;
    let facts = audiences.facts(GUILD, CHANNEL, ADA).await.unwrap();
    let expected = AudienceFacts {
        member: ADA,
        channel: CHANNEL,
        guild: GUILD,
        channel_guild: Some(GUILD),
        guild_owner: UserId::new(9),
        everyone_bits: 1024,
        member_roles: vec![(RoleId::new(3), 8)],
        overwrites: vec![hides()],
        private_thread_membership: None,
    };
    assert_eq!(facts, expected);
    assert_eq!(fake.lines().len(), 3);
}

#[tokio::test]
async fn a_private_thread_is_judged_by_its_parent_and_who_is_in_it() {
    let unknown = (404, json!({ "code": 10_007, "message": "Unknown Member" }));
    let no_member = at("/channels/11/thread-members/7", unknown);
    let answers = vec![
        channel(11, 12, 1, Some(10)),
        channel(10, 0, 1, None),
        no_member,
        guild(),
        member(&[]),
    ];
    let (fake, audiences) = audiences(answers).await;
    let facts = audiences.facts(GUILD, ChannelId::new(11), ADA).await.unwrap();
    assert_eq!(facts.overwrites, [hides()]);
    assert_eq!(facts.private_thread_membership, Some(false));
    assert_eq!(fake.lines().len(), 5);
}

/// Scenario 19 of the text scenarios.
#[tokio::test]
async fn another_guilds_channel_and_a_refusal_let_nobody_in() {
    let (fake, elsewhere) = audiences(vec![channel(10, 0, 2, None)]).await;
    let failure = elsewhere.facts(GUILD, CHANNEL, ADA).await.unwrap_err();
    assert_eq!((failure, fake.lines().len()), (AudienceFailure::OtherGuild, 1));
    let missing = (403, json!({ "code": 50_001, "message": "Missing Access" }));
    let missing = at("/channels/10", missing);
    let (fake, hidden) = audiences(vec![missing]).await;
    assert!(!hidden.sees(GUILD, CHANNEL, ADA).await);
    assert!(!hidden.sees(GUILD, CHANNEL, ADA).await);
    assert_eq!(fake.lines().len(), 1, "a no holds for a while as well");
}

#[tokio::test]
async fn a_thread_without_a_channel_lets_nobody_in() {
    let (_fake, orphan) = audiences(vec![channel(11, 11, 1, None)]).await;
    let failure = orphan.facts(GUILD, ChannelId::new(11), ADA).await.unwrap_err();
    assert_eq!(failure, AudienceFailure::NoParent);
}

#[tokio::test]
async fn a_verdict_holds_until_something_changes() {
    let round = |roles: &[&str]| vec![channel(10, 0, 1, None), guild(), member(roles)];
    let answers = [round(&["3"]), round(&[]), round(&["3"])].concat();
    let (fake, audiences) = audiences(answers).await;
    assert!(audiences.sees(GUILD, CHANNEL, ADA).await);
    audiences.forget_member(GUILD, UserId::new(8));
    audiences.forget_guild(GuildId::new(2));
    assert!(audiences.sees(GUILD, CHANNEL, ADA).await);
    assert_eq!(fake.lines().len(), 3);
    audiences.forget_member(GUILD, ADA);
    assert!(!audiences.sees(GUILD, CHANNEL, ADA).await);
    audiences.forget_guild(GUILD);
    assert!(audiences.sees(GUILD, CHANNEL, ADA).await);
    assert_eq!(fake.lines().len(), 9);
}
