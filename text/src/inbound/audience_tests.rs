use serde_json::{Value, json};

use super::*;

const GUILD: GuildId = GuildId::new(1);
const CHANNEL: ChannelId = ChannelId::new(5);
const ADA: UserId = UserId::new(31);
const AUDIENCE: Audience = Audience { guild: GUILD, channel: CHANNEL };
const VIEW: u64 = 1 << 10;
const ADMINISTRATOR: u64 = 1 << 3;
const MANAGE_THREADS: u64 = 1 << 34;

fn guild(everyone: u64, crew: u64) -> AudienceGuild {
    let roles = json!([{ "id": "1", "permissions": everyone.to_string() },
        { "id": "7", "permissions": crew.to_string() }, { "id": "8", "permissions": "0" }]);
    serde_json::from_value(json!({ "id": "1", "owner_id": "99", "roles": roles })).unwrap()
}

fn channel(id: u64, kind: u8, parent: Option<u64>, overwrites: Value) -> AudienceChannel {
    serde_json::from_value(json!({ "id": id.to_string(), "guild_id": "1", "type": kind,
        "parent_id": parent.map(|id| id.to_string()), "permission_overwrites": overwrites }))
    .unwrap()
}

fn overwrite(id: u64, kind: u8, allow: u64, deny: u64) -> Value {
    json!({ "id": id.to_string(), "type": kind, "allow": allow.to_string(),
        "deny": deny.to_string() })
}

/// Ada has the roles 7 and 8.
fn sees(everyone: u64, crew: u64, overwrites: Value) -> bool {
    let (guild, channel) = (guild(everyone, crew), channel(5, 0, None, overwrites));
    let roles = [RoleId::new(7), RoleId::new(8)];
    let facts = AudienceFacts {
        guild: &guild,
        channel: &channel,
        parent: None,
        roles: &roles,
        is_thread_member: false,
    };
    belongs(AUDIENCE, ADA, &facts)
}

#[test]
fn roles_add_up() {
    assert!(sees(VIEW, 0, json!([])) && sees(0, VIEW, json!([])) && !sees(0, 0, json!([])));
}

/// Scenario 18 of the text scenarios.
#[test]
fn exceptions_go_from_everyone_over_roles_to_the_member() {
    let closed = overwrite(1, 0, 0, VIEW);
    let role_denied = overwrite(7, 0, 0, VIEW);
    let other_role_allowed = overwrite(8, 0, VIEW, 0);
    let member_allowed = overwrite(31, 1, VIEW, 0);
    let member_denied = overwrite(31, 1, 0, VIEW);
    for (overwrites, expected) in [
        (json!([closed]), false),
        (json!([role_denied]), false),
        (json!([member_allowed, role_denied, closed]), true),
        (json!([role_denied, other_role_allowed]), true),
        (json!([closed, other_role_allowed]), true),
        (json!([other_role_allowed, member_denied]), false),
        (json!([overwrite(66, 0, 0, VIEW), overwrite(32, 1, 0, VIEW)]), true),
        // A member's exception is no role's, though the ids be equal.
        (json!([closed, overwrite(7, 1, VIEW, 0)]), false),
    ] {
        assert_eq!(sees(VIEW, VIEW, overwrites.clone()), expected, "{overwrites}");
    }
    assert!(sees(0, ADMINISTRATOR, json!([closed, member_denied])));
}

#[test]
fn the_owner_sees_everything() {
    let (guild, channel) = (guild(0, 0), channel(5, 0, None, json!([overwrite(1, 0, 0, VIEW)])));
    let facts = AudienceFacts {
        guild: &guild,
        channel: &channel,
        parent: None,
        roles: &[],
        is_thread_member: false,
    };
    assert!(belongs(AUDIENCE, UserId::new(99), &facts) && !belongs(AUDIENCE, ADA, &facts));
}

/// Scenario 19 of the text scenarios; a refusal of Discord's leaves nothing to judge.
#[test]
fn another_guilds_channel_has_no_audience_here() {
    let guild = guild(VIEW, VIEW);
    let here = channel(5, 0, None, json!([]));
    let elsewhere = AudienceChannel { guild: Some(GuildId::new(2)), ..here.clone() };
    let homeless = AudienceChannel { guild: None, ..here.clone() };
    let other = channel(6, 0, None, json!([]));
    let sees = |channel: &AudienceChannel, guild: &AudienceGuild| {
        let facts =
            AudienceFacts { guild, channel, parent: None, roles: &[], is_thread_member: true };
        belongs(AUDIENCE, ADA, &facts)
    };
    assert!(sees(&here, &guild));
    for channel in [&elsewhere, &homeless, &other] {
        assert!(!sees(channel, &guild), "{channel:?}");
    }
    let wrong = AudienceGuild { id: GuildId::new(2), ..guild.clone() };
    assert!(!sees(&here, &wrong));
    let without_everyone = AudienceGuild { roles: Vec::new(), ..guild };
    assert!(!sees(&here, &without_everyone));
}

/// Scenario 20 of the text scenarios.
#[test]
fn a_thread_is_its_parents_and_a_private_one_its_members() {
    let guild = guild(VIEW, 0);
    let open = channel(4, 0, Some(3), json!([]));
    let closed = channel(4, 0, None, json!([overwrite(1, 0, 0, VIEW)]));
    let managed = channel(4, 0, None, json!([overwrite(31, 1, MANAGE_THREADS, 0)]));
    let wrong = channel(9, 0, None, json!([]));
    // What stands on the thread itself does not count.
    let allowed = json!([overwrite(31, 1, VIEW, 0)]);
    let public = channel(5, 11, Some(4), allowed.clone());
    let private = channel(5, 12, Some(4), allowed);
    for (thread, parent, is_thread_member, expected) in [
        (&public, Some(&open), false, true),
        (&public, Some(&closed), true, false),
        (&public, Some(&wrong), true, false),
        (&public, None, true, false),
        (&private, Some(&open), false, false),
        (&private, Some(&open), true, true),
        (&private, Some(&closed), true, false),
        (&private, Some(&managed), false, true),
    ] {
        let facts =
            AudienceFacts { guild: &guild, channel: thread, parent, roles: &[], is_thread_member };
        assert_eq!(belongs(AUDIENCE, ADA, &facts), expected, "{thread:?} {parent:?}");
    }
}
