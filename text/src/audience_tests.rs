use super::*;

const GUILD: GuildId = GuildId::new(1);
const ADA: UserId = UserId::new(31);
const CREW: u64 = 7;
const GUESTS: u64 = 8;

fn over_role(id: u64, allow: u64, deny: u64) -> Overwrite {
    Overwrite { kind: OverwriteKind::Role, id, allow, deny }
}

fn over_member(id: u64, allow: u64, deny: u64) -> Overwrite {
    Overwrite { kind: OverwriteKind::Member, id, allow, deny }
}

/// Ada is of the crew and a guest; guests may nothing in the guild.
fn facts(everyone: u64, crew: u64, overwrites: &[Overwrite]) -> AudienceFacts {
    AudienceFacts {
        member: ADA,
        channel: ChannelId::new(5),
        guild: GUILD,
        channel_guild: Some(GUILD),
        guild_owner: UserId::new(99),
        everyone_bits: everyone,
        member_roles: vec![(RoleId::new(CREW), crew), (RoleId::new(GUESTS), 0)],
        overwrites: overwrites.to_vec(),
        private_thread_membership: None,
    }
}

#[test]
fn roles_add_up() {
    let sees = |everyone, crew| facts(everyone, crew, &[]).sees();
    assert!(sees(VIEW_CHANNEL, 0) && sees(0, VIEW_CHANNEL) && !sees(0, 0));
}

/// Scenario 18 of the text scenarios.
#[test]
fn exceptions_go_from_everyone_over_roles_to_the_member() {
    let closed = over_role(1, 0, VIEW_CHANNEL);
    let crew_denied = over_role(CREW, 0, VIEW_CHANNEL);
    let guests_allowed = over_role(GUESTS, VIEW_CHANNEL, 0);
    let allowed = over_member(31, VIEW_CHANNEL, 0);
    let denied = over_member(31, 0, VIEW_CHANNEL);
    let cases: [(&[Overwrite], bool); 8] = [
        (&[closed], false),
        (&[crew_denied], false),
        (&[allowed, crew_denied, closed], true),
        (&[crew_denied, guests_allowed], true),
        (&[closed, guests_allowed], true),
        (&[guests_allowed, denied], false),
        (&[over_role(66, 0, VIEW_CHANNEL), over_member(32, 0, VIEW_CHANNEL)], true),
        // A member's exception is no role's, though the ids be equal.
        (&[closed, over_member(CREW, VIEW_CHANNEL, 0)], false),
    ];
    for (overwrites, expected) in cases {
        let sees = facts(VIEW_CHANNEL, VIEW_CHANNEL, overwrites).sees();
        assert_eq!(sees, expected, "{overwrites:?}");
    }
    assert!(facts(0, ADMINISTRATOR, &[closed, denied]).sees());
}

#[test]
fn the_owner_sees_everything() {
    let closed = facts(0, 0, &[over_role(1, 0, VIEW_CHANNEL)]);
    assert!(!closed.sees());
    assert!(AudienceFacts { guild_owner: ADA, ..closed }.sees());
}

/// Scenario 19 of the text scenarios, the other guild; a refusal of Discord's leaves nothing to
/// judge.
#[test]
fn another_guilds_channel_has_no_audience_here() {
    let here = facts(VIEW_CHANNEL, ADMINISTRATOR, &[]);
    assert!(here.sees());
    for channel_guild in [Some(GuildId::new(2)), None] {
        let owned = AudienceFacts { channel_guild, guild_owner: ADA, ..here.clone() };
        assert!(!owned.sees(), "{channel_guild:?}");
    }
}

/// Scenario 20 of the text scenarios.
#[test]
fn a_private_thread_is_its_members() {
    let manages = [over_member(31, MANAGE_THREADS, 0)];
    let closed = [over_role(1, 0, VIEW_CHANNEL)];
    let cases: [(&[Overwrite], bool, bool); 5] = [
        (&[], false, false),
        (&[], true, true),
        (&closed, true, false),
        (&manages, false, true),
        (&[closed[0], manages[0]], false, false),
    ];
    for (of_parent, is_member, expected) in cases {
        let private = AudienceFacts {
            private_thread_membership: Some(is_member),
            ..facts(VIEW_CHANNEL, 0, of_parent)
        };
        assert_eq!(private.sees(), expected, "{of_parent:?} {is_member}");
    }
}

#[test]
fn overwrites_are_read_strictly() {
    let json = r#"{"id":"7","type":1,"allow":"1024","deny":"0"}"#;
    assert_eq!(serde_json::from_str::<Overwrite>(json).unwrap(), over_member(7, 1024, 0));
    // What cannot be understood must not be taken for something that denies nothing.
    for bad in [
        r#"{"id":"7","type":2,"allow":"0","deny":"0"}"#,
        r#"{"id":"7","type":0,"allow":"0"}"#,
        r#"{"id":"7","type":0,"allow":"0","deny":"x"}"#,
    ] {
        assert!(serde_json::from_str::<Overwrite>(bad).is_err(), "{bad}");
    }
}
