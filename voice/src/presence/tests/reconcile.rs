//! Looking for followed users by REST.

use std::collections::BTreeSet;

use super::*;

const C: ChannelId = ChannelId::new(30);

fn looking(users: &[UserId]) -> PresenceSettings {
    PresenceSettings {
        lookups: true,
        follow_users: users.iter().copied().collect(),
        guilds: [GUILD].into(),
        ..settings()
    }
}

fn there(channel: ChannelId) -> VoiceStateLookup {
    VoiceStateLookup::In(channel)
}

fn failed() -> VoiceStateLookup {
    VoiceStateLookup::Failed("503".to_owned())
}

const FAILED: &str = "log voice state lookup failed  of 31: 503";

/// The next run.
fn run(stage: &mut Stage) -> Vec<String> {
    stage.until(Timer::Reconcile)
}

#[test]
fn at_the_start_and_every_10_s_it_looks_for_users_and_then_for_itself() {
    let mut stage = Stage::new(looking(&[ADA]));
    assert_eq!(stage.ready(), ["look up 1/31"]);
    assert_eq!(stage.found(ADA, VoiceStateLookup::NotInVoice), ["look up 1/5"]);
    assert_eq!(stage.found(BOT, VoiceStateLookup::NotInVoice), NONE);
    assert_eq!(run(&mut stage), ["look up 1/31"]);
    assert_eq!(stage.now, SessionTime::from_millis(10_000));
    // What the gateway did not tell.
    assert_eq!(stage.found(ADA, there(A)), ["log following user 10 of 31", "check 1/10 for 5"]);
    stage.room(A, RoomLookup::Voice { missing: vec![] });
    stage.arrives(1);
    assert_eq!(run(&mut stage), ["look up 1/31"]);
    // In this run the bot is not looked for: it is with her.
    assert_eq!(stage.found(ADA, there(A)), NONE);
    run(&mut stage);
    assert_eq!(
        stage.found(ADA, VoiceStateLookup::NotInVoice)[0],
        "log followed user disconnected; leaving 10 of 31"
    );
}

#[test]
fn a_run_that_is_not_answered_is_not_joined_by_another() {
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    assert_eq!(run(&mut stage), NONE);
    assert_eq!(stage.found(ADA, VoiceStateLookup::NotInVoice), ["look up 1/5"]);
    assert_eq!(run(&mut stage), NONE);
}

#[test]
fn scenario_12_a_run_is_bounded_and_later_ones_cover_all() {
    let guilds: BTreeSet<GuildId> = (1..=10).map(GuildId::new).collect();
    let users: BTreeSet<UserId> = (101..=105).map(UserId::new).collect();
    let settings = PresenceSettings {
        lookups: true,
        follow_users: users.clone(),
        guilds: guilds.clone(),
        ..settings()
    };
    let mut stage = Stage::new(settings);
    let mut covered = BTreeSet::new();
    let mut round = Vec::new();
    stage.machine.handle_gateway(stage.now, VoiceGatewayEvent::Ready { user: BOT });
    for _ in 0..3 {
        let (mut lookups, mut of_run) = (0, BTreeSet::new());
        while let Some(output) = stage.machine.poll_output() {
            let Output::LookUp { guild, user } = output else { panic!("{output:?}") };
            lookups += 1;
            of_run.insert(guild);
            covered.insert((guild, user));
            let nowhere = VoiceStateLookup::NotInVoice;
            stage.machine.handle_lookup(stage.now, guild, user, &nowhere);
        }
        round.push((lookups, of_run.len()));
        let (at, _) = stage.machine.poll_timeout().unwrap();
        assert_eq!(at.since(stage.now), Duration::from_secs(10));
        stage.now = at;
        stage.machine.handle_timeout(at);
    }
    assert_eq!(round, [(24, 4), (24, 4), (24, 4)], "the third begins the round anew");
    for guild in &guilds {
        assert!(users.iter().all(|user| covered.contains(&(*guild, *user))), "{guild}");
        assert!(covered.contains(&(*guild, BOT)), "{guild}");
    }

    // Many users in one guild: 32 at most.
    let users: Vec<UserId> = (101..=150).map(UserId::new).collect();
    let mut stage = Stage::new(looking(&users));
    let mut lookups = stage.ready().len();
    for user in users.iter().cycle().take(100) {
        lookups += stage.found(*user, VoiceStateLookup::NotInVoice).len();
    }
    assert_eq!(lookups, 32);
}

#[test]
fn scenario_13_other_errors_change_nothing() {
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    stage.human(ADA, Some(A));
    stage.room(A, RoomLookup::Voice { missing: vec![] });
    stage.arrives(1);
    assert_eq!(stage.found(ADA, failed()), NONE, "overtaken by the gateway");
    run(&mut stage);
    assert_eq!(stage.found(ADA, failed()), [FAILED]);
    assert_eq!(stage.bound_for(), Some(A));

    // Where the bot is cannot be told either: nothing is sent.
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    assert_eq!(stage.found(ADA, failed()), [FAILED, "look up 1/5"]);
    assert_eq!(stage.found(BOT, failed()), ["log voice state lookup failed  of 5: 503"]);
}

#[test]
fn an_answer_older_than_the_gateways_word_says_nothing() {
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    stage.human(ADA, Some(A));
    assert_eq!(stage.found(ADA, VoiceStateLookup::NotInVoice), NONE);
    assert_eq!(stage.machine.people.of(GUILD).count(), 1);
    // Nor does one from before the gateway session was lost.
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    stage.gateway(VoiceGatewayEvent::SessionLost);
    stage.ready();
    assert_eq!(stage.found(ADA, there(A)), NONE);
}

#[test]
fn a_bot_that_shows_in_voice_without_a_session_is_taken_out() {
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    stage.found(ADA, VoiceStateLookup::NotInVoice);
    assert_eq!(
        stage.found(BOT, there(C)),
        ["log follow reconcile disconnecting stale bot voice state 30", "leave 1"]
    );
    assert_eq!(stage.state(None), NONE);

    // Not while somebody has called it meanwhile.
    let mut called = Stage::new(looking(&[ADA]));
    called.ready();
    called.found(ADA, VoiceStateLookup::NotInVoice);
    called.join(0, A);
    assert_eq!(called.found(BOT, there(C)), NONE);
}

#[test]
fn runs_rest_while_offline_and_never_come_closer_than_10_s() {
    let mut stage = Stage::new(looking(&[ADA]));
    stage.ready();
    stage.found(ADA, VoiceStateLookup::NotInVoice);
    stage.found(BOT, VoiceStateLookup::NotInVoice);
    stage.gateway(VoiceGatewayEvent::SessionLost);
    assert_eq!(stage.machine.poll_timeout(), None);
    stage.after(Duration::from_secs(3));
    assert_eq!(stage.ready(), NONE);
    assert_eq!(run(&mut stage), ["look up 1/31"]);
    assert_eq!(stage.now, SessionTime::from_millis(10_000));
    stage.machine.handle_stop(stage.now);
    assert_eq!(stage.machine.poll_timeout(), None);
    assert_eq!(stage.found(ADA, there(A)), NONE, "nothing rejoins after the stop");
}

#[test]
fn guilds_are_those_of_the_configuration_and_of_live_sessions() {
    let (two, three, four) = (GuildId::new(2), GuildId::new(3), GuildId::new(4));
    let mut stage = Stage::new(PresenceSettings {
        lookups: true,
        follow_users: [ADA].into(),
        guilds: [GUILD].into(),
        allowed_channels: Some([(two, A), (four, C)].into()),
        auto_join: auto_join(&[(3, 10)]).auto_join,
        ..settings()
    });
    let mut asked = Vec::new();
    stage.machine.handle_gateway(stage.now, VoiceGatewayEvent::Ready { user: BOT });
    while let Some(output) = stage.machine.poll_output() {
        if let Output::LookUp { guild, user } = output {
            stage.machine.handle_lookup(stage.now, guild, user, &VoiceStateLookup::NotInVoice);
            asked.push(guild);
        }
    }
    asked.dedup();
    assert_eq!(asked, [GUILD, two, three, four]);

    let mut live = Stage::new(PresenceSettings { guilds: BTreeSet::new(), ..looking(&[ADA]) });
    assert_eq!(live.ready(), NONE);
    live.join(0, A);
    live.room(A, RoomLookup::Voice { missing: vec![] });
    live.arrives(1);
    assert_eq!(run(&mut live), ["look up 1/31"]);
}
