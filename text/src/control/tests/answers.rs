use super::fake_door::{Asker, FakeDoor, ada, in_thread};
use crate::control::*;

const DENIED: &str = "You are not authorized to use this command.";

/// Scenario 39 of the text scenarios: whoever may not is told so and nothing is done; whoever may
/// needs no mention, since the command is all there is.
#[tokio::test]
async fn a_command_is_carried_out_for_whoever_may_give_it() {
    let door = FakeDoor::default();
    let stranger = Asker { authorised: false, owner: true, ..ada() };
    for text in ["/reset", "/new", "/stop", "/status", "/model default", "/config get", "/help"] {
        assert_eq!(stranger.writes(&door, text).await, DENIED);
    }
    assert!(door.calls().is_empty());
    assert_eq!(ada().writes(&door, "/reset").await, "Conversation reset.");
    assert_eq!(door.calls(), ["reset agent:main:discord:channel:5"]);
    assert_eq!(in_thread(ada(), 9).writes(&door, "/new hello").await, "New conversation.");
    assert_eq!(door.calls(), ["reset agent:main:discord:channel:9"]);
}

#[tokio::test]
async fn stopping() {
    let mut door = FakeDoor::default();
    assert_eq!(ada().writes(&door, "/stop").await, "Stopped. 2 waiting messages were dropped.");
    assert_eq!(door.calls(), ["stop agent:main:discord:channel:5"]);
    door.facts.waiting = 1;
    assert_eq!(ada().writes(&door, "/stop").await, "Stopped. 1 waiting message was dropped.");
    door.facts.waiting = 0;
    assert_eq!(ada().writes(&door, "/stop").await, "Stopped.");
}

#[tokio::test]
async fn status() {
    let mut door = FakeDoor::default();
    assert_eq!(
        ada().writes(&door, "/status").await,
        "clawvoice 0.1.0 · up 2h 5m\n\
         Agent: `main`\n\
         Session: `agent:main:discord:channel:5`\n\
         Model: `openai/gpt-5.5` (chosen here)\n\
         Queue: 1 running, 2 waiting\n\
         Tokens: 12,345 in (2,000 cached), 678 out · $0.0123\n\
         Today (UTC): $0.0045 here, $1.5000 by the agent\n\
         Last activity: 5m ago"
    );
    door.facts = SessionFacts { model: "echo/echo".to_owned(), ..SessionFacts::default() };
    let told = ada().writes(&door, "/status").await;
    assert!(told.contains("Model: `echo/echo`\nQueue: idle, 0 waiting"), "{told}");
    assert!(told.ends_with("cost not known\nLast activity: none yet"), "{told}");
}

#[tokio::test]
async fn models() {
    let mut door = FakeDoor::default();
    for (text, reply, call) in [
        ("/model", "Model: `openai/gpt-5.5` (chosen here). `/model list` shows the others.", None),
        ("/model list", "Models:\n• `openai/gpt-5.5`\n• `azure/gpt-5.5`\n• `local/Qwen`", None),
        (
            "/model AZURE/gpt-5.5",
            "This conversation is answered by `azure/gpt-5.5` from now on.",
            Some("Some(\"azure/gpt-5.5\")"),
        ),
        (
            "/model qwen",
            "This conversation is answered by `local/Qwen` from now on.",
            Some("Some(\"local/Qwen\")"),
        ),
        (
            "/model default",
            "This conversation is answered by the agent's own model again.",
            Some("None"),
        ),
        (
            "/model gpt-5.5",
            "Several providers have `gpt-5.5`; name one, as in `openai/gpt-5.5`.",
            None,
        ),
        (
            "/model `nope` @everyone",
            "There is no model `nope @everyone` here. `/model list` shows which there are.",
            None,
        ),
    ] {
        assert_eq!(ada().writes(&door, text).await, reply, "{text}");
        let expected = call.map(|it| format!("model agent:main:discord:channel:5 {it}"));
        assert_eq!(door.calls(), expected.into_iter().collect::<Vec<_>>(), "{text}");
    }
    door.models.clear();
    assert_eq!(ada().writes(&door, "/model list").await, "No models are listed; any can be named.");
    ada().writes(&door, "/model new/one").await;
    assert_eq!(door.calls(), ["model agent:main:discord:channel:5 Some(\"new/one\")"]);
}

#[tokio::test]
async fn the_configuration_is_an_owners_and_what_the_file_allows() {
    let door = FakeDoor::default();
    let owner = Asker { owner: true, ..ada() };
    assert_eq!(
        owner.writes(&door, "/config get channels").await,
        "```json\n{ token: '[redacted]' }\n```"
    );
    let told = owner.writes(&door, "/config set channels.discord.token s3cret").await;
    assert_eq!(told, "`channels.discord.token` is set.");
    assert_eq!(owner.writes(&door, "/config unset a.b").await, "`a.b` is no longer set.");
    assert_eq!(owner.writes(&door, "/config set bad 1").await, "bad: there is no such key");
    let expected =
        ["get Some(\"channels\")", "set channels.discord.token s3cret", "unset a.b", "set bad 1"];
    assert_eq!(door.calls(), expected);
    let with = |config, config_writes| {
        let rules = ControlRules { config, config_writes, ..owner.rules };
        Asker { rules, ..owner }
    };
    for (asker, text, reply) in [
        (ada(), "/config get", "Only an owner of the agent can use /config."),
        (with(false, true), "/config get", "/config is switched off (commands.config)."),
        (
            with(true, false),
            "/config set a 1",
            "Changes from a chat are switched off (channels.discord.configWrites).",
        ),
        (
            with(true, false),
            "/config unset a",
            "Changes from a chat are switched off (channels.discord.configWrites).",
        ),
    ] {
        assert_eq!(asker.writes(&door, text).await, reply);
    }
    assert!(door.calls().is_empty());
    with(true, false).writes(&door, "/config get").await;
    assert_eq!(door.calls(), ["get None"]);
}

/// What was allowed when it was asked is looked at again before anything is changed.
#[tokio::test]
async fn nothing_is_changed_by_somebody_who_no_longer_may() {
    let door = FakeDoor { may_still: false, ..FakeDoor::default() };
    let owner = Asker { owner: true, ..ada() };
    for text in [
        "/new",
        "/reset",
        "/stop",
        "/model default",
        "/model qwen",
        "/config set a 1",
        "/config unset a",
        "/focus main",
        "/unfocus",
        "/session idle 2h",
        "/queue collect",
        "/queue default",
    ] {
        const CHANGED: &str = "Discord command authority changed; send a new request.";
        assert_eq!(owner.writes(&door, text).await, CHANGED, "{text}");
    }
    assert!(door.calls().is_empty());
    for text in ["/status", "/model", "/model list", "/queue", "/whoami", "/help", "/commands"] {
        let told = owner.writes(&door, text).await;
        assert!(!told.contains("authority changed"), "{text}");
    }
}

#[tokio::test]
async fn how_messages_wait() {
    let door = FakeDoor::default();
    for (text, reply) in [
        ("/queue", "Queue: `steer`, at most 20 wait, drop `summarize`."),
        ("/queue cap:5", "Queue: `steer`, at most 5 wait, drop `summarize` (chosen here)."),
        ("/queue drop:old Collect", "Queue: `collect`, at most 5 wait, drop `old` (chosen here)."),
        ("/queue default", "Queue: `steer`, at most 20 wait, drop `summarize`."),
    ] {
        assert_eq!(ada().writes(&door, text).await, reply, "{text}");
    }
    let told = ada().writes(&door, "/queue faster").await;
    assert!(told.starts_with("Usage: `/queue [steer|"), "{told}");
}

#[tokio::test]
async fn who_one_is_and_what_there_is() {
    let door = FakeDoor::default();
    assert_eq!(
        ada().writes(&door, "/id").await,
        "User: <@31> (`31`)\nOwner of the agent: no\nSession: `agent:main:discord:channel:5`"
    );
    let told = ada().writes(&door, "/commands").await;
    assert!(told.contains("\n• `/config set <path> <value>`: Change a value\n"), "{told}");
    assert!(told.contains("\n• `/queue [mode] [cap] [drop]`: "), "{told}");
    let told = ada().writes(&door, "/models add x").await;
    assert!(told.starts_with("/models add is no longer there"), "{told}");
    assert!(ada().writes(&door, "/models").await.starts_with("Models:\n"));
}

#[tokio::test]
async fn help_and_usage() {
    let door = FakeDoor::default();
    let told = ada().writes(&door, "/help").await;
    assert_eq!(told.lines().count(), 15);
    assert!(told.contains("`/config"));
    let rules = ControlRules { config: false, config_writes: true, bindings: false };
    let told = Asker { rules, ..ada() }.writes(&door, "/help").await;
    assert!(!told.contains("/config") && !told.contains("/focus"), "{told}");
    assert_eq!(
        ada().writes(&door, "/session idle soon").await,
        "Usage: `/session idle <duration|off> | max-age <duration|off>, as in 24h, 90m or 2d`"
    );
}
