use std::time::Duration;

use proptest::prelude::*;

use crate::{
    command::{Invocation, deploy::fitting},
    control::*,
    interaction::Caller,
    routing::tests::{config, parse},
};

fn commands() -> TextCommands {
    TextCommands::of(&config("session: { resetTriggers: ['Start Over', '/fresh'] }"))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn messages_that_are_commands() {
    use ControlCommand::{
        Agents, Config, Focus, Help, Misused, Model, New, Reset, Session, Status, Stop, Unfocus,
    };
    let hours = |hours: u64| Some(Duration::from_secs(hours * 3_600));
    for (text, expected) in [
        ("/new", New { then: None }),
        ("/new  hello\nthere ", New { then: some("hello\nthere") }),
        (" /RESET ", Reset { then: None }),
        ("/fresh", Reset { then: None }),
        ("start over", Reset { then: None }),
        ("Start over please", Reset { then: some("please") }),
        ("/stop", Stop),
        ("/status", Status),
        ("/status:", Status),
        ("/help", Help),
        ("/agents", Agents),
        ("/unfocus", Unfocus),
        ("/model", Model(ModelCommand::Show)),
        ("/model LIST", Model(ModelCommand::List)),
        ("/model: default", Model(ModelCommand::Default)),
        ("/model openai/GPT-5.5", Model(ModelCommand::Use("openai/GPT-5.5".to_owned()))),
        ("/config get", Config(ConfigCommand::Get(None))),
        ("/config get a.b", Config(ConfigCommand::Get(some("a.b")))),
        (
            "/config set a.b { c: 1, d: 'x y' }",
            Config(ConfigCommand::Set {
                path: "a.b".to_owned(),
                value: "{ c: 1, d: 'x y' }".to_owned(),
            }),
        ),
        ("/config unset a.b", Config(ConfigCommand::Unset("a.b".to_owned()))),
        ("/focus task 42", Focus { target: "task 42".to_owned() }),
        ("/session idle", Session(SessionCommand { limit: Limit::Idle, to: None })),
        ("/session idle 24h", Session(SessionCommand { limit: Limit::Idle, to: hours(24) })),
        ("/session max-age 2d", Session(SessionCommand { limit: Limit::MaxAge, to: hours(48) })),
        ("/session max-age off", Session(SessionCommand { limit: Limit::MaxAge, to: hours(0) })),
    ] {
        assert_eq!(commands().parse(text), Some(expected), "{text}");
    }
    for text in [
        "/focus",
        "/session",
        "/session idle soon",
        "/config set a",
        "/config drop a",
        "/config unset",
        "/queue faster",
        "/queue collect steer",
        "/queue cap:0",
        "/queue cap:1001",
        "/queue cap:2.5",
        "/queue drop:all",
        "/queue debounce:2s",
    ] {
        let parsed = commands().parse(text);
        assert!(matches!(parsed, Some(Misused(_))), "{text}: {parsed:?}");
    }
}

#[test]
fn messages_that_are_for_the_agent() {
    for text in [
        "",
        "/",
        "hello",
        "hello /new",
        "/newer",
        "/unknown",
        "//new",
        "/ new",
        "start overs",
        "/status quo is bad",
        "/stop it please",
        "/vc join",
    ] {
        assert_eq!(commands().parse(text), None, "{text}");
    }
    let off = TextCommands::of(&config("commands: { text: false }"));
    assert_eq!(off.parse("/new"), None);
}

#[test]
fn what_follows_a_new_conversation_is_asked_in_it() {
    let then = |text| commands().parse(text).and_then(|it| it.then().map(str::to_owned));
    assert_eq!(then("/new hello"), some("hello"));
    assert_eq!(then("/new"), None);
    assert_eq!(then("/focus hello"), None);
}

fn typed(name: &str, subcommand: Option<&str>, options: &[(&str, &str)]) -> Option<ControlCommand> {
    let options = options.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    ControlCommand::typed(&Invocation {
        by: Caller::default(),
        name: name.to_owned(),
        subcommand: subcommand.map(str::to_owned),
        channel: None,
        options: options.collect(),
    })
}

#[test]
fn a_slash_command_is_what_its_text_would_be() {
    for (name, subcommand, options, text) in [
        ("new", None, &[("message", "hi there")][..], "/new hi there"),
        ("model", None, &[], "/model"),
        ("model", None, &[("model", " list ")], "/model list"),
        ("models", None, &[], "/models"),
        ("queue", None, &[], "/queue"),
        ("queue", None, &[("mode", "collect")], "/queue collect"),
        (
            "queue",
            None,
            &[("cap", "10.0"), ("drop", "old"), ("mode", "steer")],
            "/queue steer cap:10 drop:old",
        ),
        (
            "config",
            Some("set"),
            &[("value", "{ a: 1 }"), ("path", "x.y")],
            "/config set x.y { a: 1 }",
        ),
        ("config", Some("get"), &[], "/config get"),
        ("session", Some("max-age"), &[("duration", "2d")], "/session max-age 2d"),
        ("session", Some("idle"), &[], "/session idle"),
        ("focus", None, &[("target", "task 42")], "/focus task 42"),
        ("help", None, &[], "/help"),
        // An option that is none of its own says nothing.
        ("stop", None, &[("message", "now")], "/stop"),
    ] {
        let typed = typed(name, subcommand, options);
        assert!(typed.is_some(), "{text}");
        assert_eq!(typed, commands().parse(text), "{text}");
    }
    assert_eq!(typed("vc", Some("join"), &[]), None);
    assert!(matches!(typed("config", Some("drop"), &[]), Some(ControlCommand::Misused(_))));
}

#[test]
fn what_is_registered_is_what_does_something() {
    let names = |text: &str| {
        let config = parse(&format!("{{ {text} }}"));
        let rules = ControlRules::of(&config, &config.discord);
        definitions(rules).into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    let token = "token: 'a.b.c'";
    assert_eq!(
        names(&format!("commands: {{ config: true }}, channels: {{ discord: {{ {token} }} }}")),
        [
            "new", "reset", "stop", "status", "model", "models", "config", "focus", "unfocus",
            "agents", "session", "queue", "whoami", "help", "commands"
        ]
    );
    assert_eq!(
        names(&format!(
            "channels: {{ discord: {{ {token}, threadBindings: {{ enabled: false }} }} }}"
        )),
        [
            "new", "reset", "stop", "status", "model", "models", "agents", "queue", "whoami",
            "help", "commands"
        ]
    );
}

#[test]
fn what_is_registered_keeps_discords_bounds() {
    let rules = ControlRules { config: true, config_writes: true, bindings: true };
    let all = definitions(rules);
    let fitting = fitting(&all);
    assert_eq!((fitting.commands.len(), fitting.warnings), (all.len(), vec![]));
    for definition in all {
        let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        assert!(plain(&definition.name), "{}", definition.name);
        assert!(definition.options.is_empty() || definition.subcommands.is_empty());
        let below = definition.subcommands.iter();
        let lists = below.map(|it| &it.options).chain([&definition.options]);
        for options in lists {
            assert!(options.iter().all(|option| plain(&option.name)));
            // Discord refuses a required option behind an optional one.
            assert!(options.is_sorted_by_key(|option| !option.required));
        }
    }
}

proptest! {
    #[test]
    fn no_message_panics(text in "[/ a-zA-Zß:\\n]{0,30}") {
        let _ = commands().parse(&text);
        let _ = commands().parse(&format!("/session {text}"));
        let _ = commands().parse(&format!("/config {text}"));
    }
}
