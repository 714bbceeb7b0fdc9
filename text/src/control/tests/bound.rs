use clawvoice_session::{ChannelId, UserId};

use super::fake_door::{ADA, Asker, FakeDoor, ada, in_thread};
use crate::{
    control::*,
    routing::{
        Surface,
        binding::{BoundPlace, TargetKind},
        tests::{config, direct, router_of},
    },
};

const THREAD: BoundPlace = BoundPlace::Channel(ChannelId::new(9));

fn ben(asker: Asker) -> Asker {
    let mut from = asker.from;
    from.sender = UserId::new(32);
    Asker { from, ..asker }
}

fn owner(asker: Asker) -> Asker {
    Asker { owner: true, ..asker }
}

/// Scenario 40 of the text scenarios: in a thread that was bound, nobody need mention the bot.
#[tokio::test]
async fn a_thread_that_is_focused_is_the_sessions() {
    let door = FakeDoor::default();
    let asker = in_thread(ada(), 9);
    assert_eq!(asker.writes(&door, "/focus task 42").await, "Bound to `task 42`.");
    let record = door.bound(THREAD).unwrap();
    assert_eq!((record.kind, record.agent.as_str()), (TargetKind::Subagent, "codex"));
    assert_eq!((record.parent, record.bound_by), (Some(ChannelId::new(5)), ADA));
    let config = config("");
    let route = asker.route(&router_of(&config, "default"), &door);
    assert!(route.is_bound());
    assert_eq!(route.key.as_str(), "agent:codex:subagent:7f");
    // What is said of the conversation is now said of that one.
    asker.writes(&door, "/reset").await;
    assert_eq!(door.calls(), ["reset agent:codex:subagent:7f"]);
    let told = asker.writes(&door, "/status").await;
    assert!(told.ends_with("\nBound to: `task 42`"), "{told}");
}

#[tokio::test]
async fn in_a_channel_a_thread_is_opened() {
    let door = FakeDoor::default();
    assert_eq!(ada().writes(&door, "/focus ops.eu").await, "Opened <#99>, bound to `Ops.EU`.");
    assert_eq!(door.calls(), ["open 5 🤖 Ops.EU"]);
    let record = door.bound(BoundPlace::Channel(ChannelId::new(99))).unwrap();
    assert_eq!(record.key.as_str(), "agent:ops-eu:discord:channel:99");
    assert_eq!((record.parent, record.label), (Some(ChannelId::new(5)), None));
    let mut elsewhere = ada();
    elsewhere.from.channel = ChannelId::new(6);
    let told = elsewhere.writes(&door, "/focus ops.eu").await;
    assert_eq!(told, "Threads cannot be opened here.");
    assert_eq!(door.bindings().await.len(), 1);
}

#[tokio::test]
async fn targets() {
    let other = "Only an owner of the agent can bind a place to another conversation.";
    for (named, asker, reply, key) in [
        ("main", ada(), "Bound to `main`.", "agent:main:discord:channel:9"),
        ("agent:main", ada(), "Bound to `main`.", "agent:main:discord:channel:9"),
        ("agent:codex:subagent:7f", ada(), "Bound to `task 42`.", "agent:codex:subagent:7f"),
        ("agent:main:subagent:new", ada(), "Bound to `main`.", "agent:main:subagent:new"),
        // Its own.
        ("Agent:Main:discord:channel:9", ada(), "Bound to `main`.", "agent:main:discord:channel:9"),
        ("agent:main:main", ada(), other, ""),
        ("agent:main:discord:channel:7", ada(), other, ""),
        ("agent:main:main", owner(ada()), "Bound to `main`.", "agent:main:main"),
        (
            "nobody",
            owner(ada()),
            "There is no session or agent `nobody`. `/agents` lists the agents.",
            "",
        ),
        (
            "agent:nobody:main",
            owner(ada()),
            "There is no session or agent `agent:nobody:main`. `/agents` lists the agents.",
            "",
        ),
    ] {
        let door = FakeDoor::default();
        let told = in_thread(asker, 9).writes(&door, &format!("/focus {named}")).await;
        assert_eq!(told, reply, "{named}");
        let bound = door.bound(THREAD).map_or(String::new(), |record| record.key.to_string());
        assert_eq!(bound, key, "{named}");
    }
}

#[tokio::test]
async fn direct_messages_and_groups_are_bound_in_place() {
    let door = FakeDoor::default();
    let in_private = Asker { from: direct(31), ..ada() };
    in_private.writes(&door, "/focus task 42").await;
    assert!(door.bound(BoundPlace::User(ADA)).is_some());
    let mut in_group = ada();
    in_group.from.surface = Surface::Group;
    in_group.writes(&door, "/focus task 42").await;
    assert!(door.bound(BoundPlace::Channel(ChannelId::new(5))).is_some());
    assert!(door.calls().is_empty());
}

#[tokio::test]
async fn a_binding_is_changed_by_whoever_made_it_and_by_owners() {
    let door = FakeDoor::default();
    let asker = in_thread(ada(), 9);
    let not_bound = "This place is not bound to a session.";
    assert_eq!(asker.writes(&door, "/unfocus").await, not_bound);
    assert_eq!(asker.writes(&door, "/session idle").await, not_bound);
    asker.writes(&door, "/focus task 42").await;
    let refused = "Only <@31> or an owner can change this binding.";
    assert_eq!(ben(asker).writes(&door, "/unfocus").await, refused);
    assert_eq!(ben(asker).writes(&door, "/session idle off").await, refused);
    for (asker, text, reply) in [
        (ben(asker), "/session idle", "Idle limit: 24h."),
        (asker, "/session max-age", "Greatest age: off."),
        (asker, "/session idle 90m", "Idle limit: 90m."),
        (owner(ben(asker)), "/session max-age 2d", "Greatest age: 48h."),
        (asker, "/session idle off", "Idle limit: off."),
        (owner(ben(asker)), "/unfocus", "No longer bound to `task 42`."),
    ] {
        assert_eq!(asker.writes(&door, text).await, reply);
    }
    assert_eq!(door.bound(THREAD), None);
}

#[tokio::test]
async fn who_is_there_and_what_is_bound_near_by() {
    let door = FakeDoor::default();
    let agents = "Agents:\n• `main` (default)\n• `Ops.EU` `Operations`";
    let told = ada().writes(&door, "/agents").await;
    assert_eq!(told, format!("{agents}\nNothing is bound here."));
    in_thread(ada(), 9).writes(&door, "/focus task 42").await;
    Asker { from: direct(31), ..ada() }.writes(&door, "/focus main").await;
    let line = "\nBindings:\n• <#9> → `task 42` of `codex`, idle limit 24h, bound by <@31>";
    for asker in [ada(), in_thread(ada(), 8), in_thread(ada(), 9)] {
        assert_eq!(asker.writes(&door, "/agents").await, format!("{agents}{line}"));
    }
    let mut elsewhere = ada();
    elsewhere.from.channel = ChannelId::new(6);
    let told = elsewhere.writes(&door, "/agents").await;
    assert_eq!(told, format!("{agents}\nNothing is bound here."));
    let told = owner(elsewhere).writes(&door, "/agents").await;
    assert!(told.contains("<#9>") && told.contains("direct messages of <@31> → `main`"), "{told}");
}

#[tokio::test]
async fn where_bindings_are_off_there_is_nothing_to_bind() {
    let door = FakeDoor::default();
    let rules = ControlRules { bindings: false, ..ada().rules };
    let asker = in_thread(Asker { rules, owner: true, ..ada() }, 9);
    let off = "Thread bindings are switched off (channels.discord.threadBindings.enabled).";
    for text in ["/focus main", "/unfocus", "/session idle 2h"] {
        assert_eq!(asker.writes(&door, text).await, off);
    }
    let told = asker.writes(&door, "/agents").await;
    assert!(told.starts_with("Agents:") && !told.contains("bound"), "{told}");
    assert!(door.bindings().await.is_empty());
}
