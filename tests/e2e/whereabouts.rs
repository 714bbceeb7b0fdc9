//! Where the bot is, on the wire: residency, followed users, rooms for humans, closed channels.
//! Numbered as the scenarios of the documentation; what needs no wire is tested beside the rules.

use std::collections::BTreeSet;

use localcord::{
    fault::{FaultSettings, PacketChange, PacketFault, RestFault, TrailerForgery},
    journal::Entry,
    world::{
        default::{ADA, BEN, BOT_USER, CLEO, GUILD, LOUNGE},
        intents,
    },
};

use crate::{
    agent::Agent,
    audio::ASK,
    scene::{AUTO_JOIN, BOOTH, DEN, Scene, VAULT, ask, is_bot, local_provider, meet, parrot},
    soon,
};

/// A parrot with these keys of the `voice` block in the place of auto-join.
fn with(keys: &str) -> String {
    parrot().replace(AUTO_JOIN, keys)
}

fn entry(channel: u64) -> String {
    format!("{{ guildId: '{GUILD}', channelId: '{channel}' }}")
}

/// The agent's session is in this channel, from a position of its timeline on.
async fn joined(agent: &Agent, from: usize, channel: u64) {
    let joined = agent.record_from(from, "joined").await;
    assert_eq!(joined.fields["channel"], channel.to_string(), "{:?}", joined.fields);
}

/// The bot has told Discord so many times that it leaves, and is in no channel.
async fn left(scene: &Scene, times: usize) {
    let journal = scene.server.journal();
    let mut from = 0;
    for _ in 0..times {
        let leave = journal.wait_for(from, |entry| {
            entry.name == "voice state update"
                && is_bot(&entry.data)
                && entry.data["channel"].is_null()
        });
        from = soon("a leave", leave).await.seq;
    }
    assert_eq!(scene.bot_is_in(), None);
}

#[tokio::test]
async fn scenario_01_voice_and_its_command_come_with_the_block() {
    let cases = [
        ("", false, false),
        ("voice: {},", true, true),
        // Without voice states the command has nothing to work with.
        ("intents: { voiceStates: false }, voice: {},", false, false),
    ];
    for (keys, intent, command) in cases {
        let scene = Scene::new().await;
        let path = scene.folder.path().join("clawvoice.json5");
        let base = scene.server.api_base_url();
        // Without a key there is no provider; the echo answers by itself.
        let provider = "{ provider: 'local', providers: { local: { behaviour: 'parrot' } } }";
        let keys = keys.replace("voice: {}", &format!("voice: {{ realtime: {provider} }}"));
        let text = format!("{{ channels: {{ discord: {{ {keys} apiBaseUrl: '{base}' }} }} }}");
        std::fs::write(&path, text).unwrap();
        let agent = Agent::start(&path, &scene.server.bot_token());
        let identify = scene.journal("gateway", "identify", |_| true).await;
        let asked = identify.data["intents"].as_u64().unwrap() & intents::GUILD_VOICE_STATES != 0;
        let registered = scene
            .server
            .world()
            .read(|state| state.commands.values().flatten().any(|command| command["name"] == "vc"));
        assert_eq!((asked, registered), (intent, command), "{keys}");
        drop(agent);
    }
}

#[tokio::test]
async fn scenario_02_the_last_auto_join_of_a_guild_is_joined_with_one_warning() {
    let scene = Scene::with_rooms().await;
    let keys = format!("autoJoin: [{}, {}],", entry(LOUNGE), entry(DEN));
    let mut agent = scene.agent(&with(&keys));
    joined(&agent, 0, DEN).await;
    let log = agent.stop().await;
    let warnings = log.lines().filter(|line| line.contains("has an entry above already")).count();
    assert_eq!(warnings, 1, "{log}");
    assert_eq!(scene.of_bot("voice", "admit").len(), 1);
}

#[tokio::test]
async fn scenario_03_with_an_empty_allowlist_nothing_is_joined() {
    let scene = Scene::new().await;
    let agent = scene.agent(&with(&format!("allowedChannels: [], autoJoin: [{}],", entry(LOUNGE))));
    agent.record("join failed before ready").await;
    assert_eq!(
        scene.vc(ADA, "join").await,
        format!("<#{LOUNGE}> is not allowed by channels.discord.voice.allowedChannels.")
    );
    assert_eq!(scene.of_bot("gateway", "voice state update").len(), 0);
}

#[tokio::test]
async fn scenario_04_moved_outside_it_comes_back_moved_inside_it_is_rebuilt() {
    let scene = Scene::with_rooms().await;
    let allowed = format!("allowedChannels: [{}, {}],", entry(LOUNGE), entry(BOOTH));
    let agent = scene.agent(&with(&format!("{allowed} autoJoin: [{}],", entry(LOUNGE))));
    joined(&agent, 0, LOUNGE).await;
    let before = agent.position();
    scene.appears(BOT_USER, DEN);
    agent.record_from(before, "bot moved to non-allowed channel").await;
    joined(&agent, before, LOUNGE).await;
    assert_eq!(scene.bot_is_in(), Some(LOUNGE));

    let before = agent.position();
    scene.appears(BOT_USER, BOOTH);
    agent.record_from(before, "bot moved to allowed channel").await;
    joined(&agent, before, BOOTH).await;
    assert_eq!(scene.vc(ADA, "status").await, format!("• <#{BOOTH}> (guild {GUILD})"));
}

#[tokio::test]
async fn scenario_05_a_full_channel_times_out_and_leaves_nothing() {
    let scene = Scene::with_rooms().await;
    scene.appears(BEN, BOOTH);
    let agent = scene.agent(&with("connectTimeoutMs: 1500,"));
    agent.logs("Discord gateway ready").await;
    let reply = scene.vc_join(ADA, BOOTH).await;
    assert!(
        reply.starts_with("Failed to join voice channel: Discord did not answer within 1500 ms"),
        "{reply}"
    );
    left(&scene, 1).await;
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    assert_eq!(scene.of_bot("voice", "identify").len(), 0);
}

#[tokio::test]
async fn what_the_bot_lacks_in_a_channel_is_told_at_once() {
    let scene = Scene::with_rooms().await;
    let agent = scene.agent(&with(&format!("autoJoin: [{}],", entry(LOUNGE))));
    joined(&agent, 0, LOUNGE).await;
    assert_eq!(
        scene.vc_join(ADA, VAULT).await,
        format!("Failed to join voice channel: the bot lacks Connect in <#{VAULT}>")
    );
    assert_eq!(scene.bot_is_in(), Some(LOUNGE), "it has not even left");
}

#[tokio::test]
async fn scenario_06_a_session_that_does_not_begin_to_reconnect_in_time_is_destroyed() {
    let scene = Scene::with_rooms().await;
    let keys = format!("reconnectGraceMs: 700, autoJoin: [{}],", entry(LOUNGE));
    let agent = scene.agent(&with(&keys));
    joined(&agent, 0, LOUNGE).await;
    let before = agent.position();
    scene.server.voice().close_websocket(GUILD, BOT_USER, 4014);
    let closed = agent.record_from(before, "voice connection interrupted").await;
    let gone = agent.record_from(before, "left").await;
    let waited = gone.at_us - closed.at_us;
    assert!((700_000..2_000_000).contains(&waited), "destroyed after {waited} µs");
    // A new one takes its place.
    joined(&agent, before, LOUNGE).await;
}

#[tokio::test]
async fn scenario_07_a_provider_that_refuses_is_told_and_the_channel_is_left() {
    let scene = Scene::new().await;
    let script = "{ connections: [{ steps: [{ fault: { httpStatus: { status: 401 } } }] }] }";
    std::fs::write(scene.folder.path().join("refuse.json5"), script).unwrap();
    let provider = local_provider("behaviour: 'script', script: 'refuse.json5'");
    let mut agent = scene.agent(&provider.replace(AUTO_JOIN, ""));
    agent.logs("Discord gateway ready").await;
    let reply = scene.vc(ADA, "join").await;
    assert!(reply.starts_with("Failed to start Discord realtime voice: "), "{reply}");
    left(&scene, 1).await;
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    agent.stop().await;
}

#[tokio::test]
async fn scenario_08_the_old_channel_is_left_first() {
    let scene = Scene::with_rooms().await;
    let agent = scene.agent(&with(&format!("autoJoin: [{}],", entry(LOUNGE))));
    joined(&agent, 0, LOUNGE).await;
    assert_eq!(scene.vc_join(ADA, DEN).await, format!("Joined <#{DEN}>."));
    let asked = scene.of_bot("gateway", "voice state update");
    let channels: Vec<Option<u64>> = asked
        .iter()
        .map(|entry| entry.data["channel"].as_str().and_then(|id| id.parse().ok()))
        .collect();
    assert_eq!(channels, [Some(LOUNGE), None, Some(DEN)]);
    assert_eq!(scene.bot_is_in(), Some(DEN));
}

#[tokio::test]
async fn scenario_09_and_10_it_is_where_the_followed_users_are() {
    let scene = Scene::with_rooms().await;
    // Ada is there before the bot is.
    scene.appears(ADA, LOUNGE);
    let agent = scene.agent(&with(&format!("followUsers: ['discord:{ADA}', '{BEN}'],")));
    joined(&agent, 0, LOUNGE).await;

    let before = agent.position();
    scene.appears(ADA, DEN);
    joined(&agent, before, DEN).await;

    // The latest event wins; when Ben leaves, Ada is left.
    let before = agent.position();
    scene.appears(BEN, LOUNGE);
    joined(&agent, before, LOUNGE).await;
    let before = agent.position();
    scene.leaves(BEN);
    agent
        .record_from(before, "followed user disconnected; moving to remaining followed user")
        .await;
    joined(&agent, before, DEN).await;

    scene.leaves(ADA);
    agent.record_from(before, "followed user disconnected; leaving").await;
    left(&scene, 4).await;
    scene.appears(CLEO, LOUNGE);
    assert_eq!(scene.vc(CLEO, "status").await, "No active voice sessions.");
}

#[tokio::test]
async fn scenario_11_whoever_is_not_followed_or_not_allowed_is_ignored() {
    let off = format!("followUsers: ['{ADA}'], followUsersEnabled: false,");
    let elsewhere = format!("followUsers: ['{ADA}'], allowedChannels: [{}],", entry(DEN));
    for keys in [off, elsewhere] {
        let scene = Scene::with_rooms().await;
        let agent = scene.agent(&with(&keys));
        agent.logs("Discord gateway ready").await;
        scene.appears(ADA, LOUNGE);
        // Asked after the event, answered after what follows from it.
        assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
        assert_eq!(scene.of_bot("gateway", "voice state update").len(), 0);
    }
}

#[tokio::test]
async fn scenario_12_a_run_looks_up_little_and_later_runs_the_rest() {
    let scene = Scene::new().await;
    let guilds: Vec<u64> = (0..10).map(|n| 2_100_000_000_000_000_001 + n).collect();
    let users: Vec<u64> = (0..5).map(|n| 2_200_000_000_000_000_001 + n).collect();
    let listed = |ids: &[u64], end: &str| -> String {
        ids.iter().map(|id| format!("'{id}'{end}")).collect()
    };
    let (base, path) = (scene.server.api_base_url(), scene.folder.path().join("clawvoice.json5"));
    let text = format!(
        "{{ channels: {{ discord: {{ apiBaseUrl: '{base}', guilds: {{ {} }}, \
         voice: {{ followUsers: [{}], mode: 'bidi', realtime: {{ provider: 'local' }} }} }} }} }}",
        listed(&guilds, ": {},"),
        listed(&users, ",")
    );
    std::fs::write(&path, text).unwrap();
    let _agent = Agent::start(&path, &scene.server.bot_token());
    // Every lookup: when, of which guild, of whom.
    let lookup = |entry: &Entry| {
        let path = entry.name.strip_prefix("GET ")?;
        let (guild, user) = path.split_once("/guilds/")?.1.split_once("/voice-states/")?;
        Some((entry.at_ms, guild.parse::<u64>().ok()?, user.parse::<u64>().ok()?))
    };
    let wanted = guilds.len() * users.len();
    let all = async {
        let mut seen = 0;
        loop {
            let found: Vec<_> = scene.server.journal().since(0).iter().filter_map(lookup).collect();
            let pairs: BTreeSet<_> = found
                .iter()
                .filter(|(_, guild, user)| guilds.contains(guild) && users.contains(user))
                .map(|(_, guild, user)| (*guild, *user))
                .collect();
            if pairs.len() == wanted {
                return found;
            }
            let next = scene.server.journal().wait_for(seen, |entry| lookup(entry).is_some());
            seen = next.await.seq;
        }
    };
    let found = soon("a lookup of everybody everywhere", all).await;
    // Runs are ten seconds apart, and over within one.
    for run in found.chunk_by(|(before, ..), (after, ..)| after - before < 5_000) {
        let guilds: BTreeSet<u64> = run.iter().map(|(_, guild, _)| *guild).collect();
        assert!(run.len() <= 32 && guilds.len() <= 4, "{} lookups in {guilds:?}", run.len());
    }
}

#[tokio::test]
async fn scenario_13_lookups_that_fail_change_nothing() {
    let scene = Scene::new().await;
    let path_prefix = format!("/guilds/{GUILD}/voice-states/");
    let failing =
        RestFault { path_prefix, status: 503, times: 1_000, retry_after: 0.0, carried_out: false };
    scene.server.faults().set(FaultSettings { rest: vec![failing], ..FaultSettings::default() });
    scene.appears(ADA, LOUNGE);
    let agent = scene.agent(&with(&format!("followUsers: ['{ADA}'],")));
    joined(&agent, 0, LOUNGE).await;
    let before = agent.position();
    // The next run, ten seconds later.
    let failed = agent.record_from(before, "voice state lookup failed").await;
    assert_eq!(failed.fields["user"], ADA.to_string());
    assert_eq!(scene.vc(ADA, "status").await, format!("• <#{LOUNGE}> (guild {GUILD})"));
    assert_eq!(agent.count("left"), 0);
}

#[tokio::test]
async fn scenario_14_what_follows_leaves_with_the_user_after_a_rejoin_too() {
    let scene = Scene::new().await;
    scene.appears(ADA, LOUNGE);
    let agent = scene.agent(&with(&format!("followUsers: ['{ADA}'],")));
    joined(&agent, 0, LOUNGE).await;
    let before = agent.position();
    // A rejoin as that after failures of decryption.
    scene.server.voice().close_websocket(GUILD, BOT_USER, 4006);
    joined(&agent, before, LOUNGE).await;
    scene.leaves(ADA);
    agent.record("followed user disconnected; leaving").await;
    agent.record_from(before, "left").await;
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
}

#[tokio::test]
async fn scenario_15_frames_that_stay_undecryptable_are_answered_by_one_rejoin() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    let spoilt = PacketFault {
        from: Some(ADA),
        to: Some(BOT_USER),
        skip: 0,
        every: 1,
        percent: 100.0,
        times: None,
        insert: false,
        change: PacketChange::DaveTrailer { forgery: TrailerForgery::Unauthentic },
    };
    let before = agent.position();
    scene.server.faults().set(FaultSettings { packets: vec![spoilt], ..FaultSettings::default() });
    let talk = async {
        loop {
            ada.speak(ASK).await.unwrap();
        }
    };
    tokio::select! {
        () = talk => {}
        _ = agent.record_from(before, "repeated decrypt failures; attempting rejoin") => {}
    }
    scene.server.faults().set(FaultSettings::default());
    assert!(agent.count("DAVE decrypt failures detected") >= 1);
    joined(&agent, before, LOUNGE).await;
    soon("a common epoch", ada.shares_epoch_with(&[BOT_USER])).await.unwrap();
    ask(&ada, ASK).await;
    assert_eq!(agent.count("repeated decrypt failures; attempting rejoin"), 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_room_for_humans_is_joined_with_the_first_and_left_after_the_last() {
    let scene = Scene::new().await;
    let room = entry(LOUNGE).replace(" }", ", whenOccupied: true }");
    let agent = scene.agent(&with(&format!("autoJoin: [{room}],")));
    agent.logs("Discord gateway ready").await;
    assert_eq!(scene.vc(ADA, "status").await, "No active voice sessions.");
    scene.appears(ADA, LOUNGE);
    joined(&agent, 0, LOUNGE).await;
    scene.appears(BEN, LOUNGE);
    scene.leaves(ADA);
    assert_eq!(scene.vc(BEN, "status").await, format!("• <#{LOUNGE}> (guild {GUILD})"));
    scene.leaves(BEN);
    let gone = agent.record("left").await;
    assert_eq!(gone.fields["reason"], "nobody is there any more");
}
