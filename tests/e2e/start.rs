//! Starts that go wrong: what is wrong, in one line, and what to do about it.

use std::{fs, path::Path};

use localcord::server::{Server, ServerSettings};
use rustix::process::Signal;

use crate::{
    agent::{Agent, Ended},
    scene::{Scene, parrot, write_config},
    soon,
};

#[tokio::test]
async fn a_wrong_token_is_told_in_one_line_with_a_hint_and_exit_4() {
    let scene = Scene::new().await;
    let wrong = "bG9jYWxjb3Jk.AAAAAA.some-other-token";
    let ended = Agent::start(&scene.config(&parrot()), wrong).ends().await;
    assert_eq!(ended.code, Some(4), "{}", ended.log);
    let refusals: Vec<&str> = ended.log.lines().filter(|line| line.contains("refused")).collect();
    assert_eq!(refusals, ["error: Discord refused the bot token"]);
    assert!(ended.log.contains("\nhint: copy the token anew from the Bot page"), "{}", ended.log);
    assert!(!ended.log.contains(wrong));
}

#[tokio::test]
async fn a_missing_config_file_is_named() {
    let ended = starts_with(Path::new("/nowhere/clawvoice.json5")).await;
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.starts_with("error: /nowhere/clawvoice.json5: "), "{}", ended.log);
    assert_eq!(ended.log.lines().filter(|line| line.starts_with("error")).count(), 1);
}

#[tokio::test]
async fn a_broken_config_file_is_told_by_place_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.json5");
    let cases = [
        ("{\n  channels: {\n", ":2:13", "not valid JSON5: unterminated object"),
        (
            "{ channels: { discord: { voice: {\n  captureSilenceGraceMs: 'soon' } } } }",
            ":2:26",
            "channels.discord.voice.captureSilenceGraceMs",
        ),
        (
            "{ channels: { discord: { voice: {\n  realtime: { provider: 'local',\n    \
             providers: { local: { behaviour: 'parot' } } } } } } }",
            ":3:38",
            "channels.discord.voice.realtime.providers.local.behaviour",
        ),
    ];
    for (text, place, field) in cases {
        fs::write(&path, text).unwrap();
        let ended = starts_with(&path).await;
        assert_eq!(ended.code, Some(1), "{}", ended.log);
        let start = format!("error: {}{place}: {field}", path.display());
        assert!(ended.log.starts_with(&start), "{start}\n{}", ended.log);
    }
}

#[tokio::test]
async fn an_unknown_key_is_told_with_the_one_that_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("unknown.json5");
    let text = "{ channels: { discord: { voice: {\n  captureSilenceGrace: 500 } } } }";
    fs::write(&path, text).unwrap();
    let ended = starts_with(&path).await;
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    let place = format!("error: {}:2:3: ", path.display());
    let field = "channels.discord.voice.captureSilenceGrace: unknown key";
    assert!(ended.log.starts_with(&format!("{place}{field}")), "{}", ended.log);
    assert!(ended.log.contains("hint: did you mean `captureSilenceGraceMs`?"), "{}", ended.log);
}

#[tokio::test]
async fn with_nobody_at_the_base_url_it_says_so_and_connects_when_somebody_comes() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let base = format!("http://127.0.0.1:{port}/api/v10");
    let config = write_config(folder.path(), &base, &parrot());
    let token = localcord::world::default::BOT_TOKEN;
    let mut agent = Agent::start(&config, token);
    let first = agent.logs("GET /gateway/bot failed (").await;
    assert!(first.contains("; connecting to the default address with one shard"), "{first}");
    agent.logs("Discord gateway: the websocket cannot be opened: ").await;
    let settings = ServerSettings { port, ..ServerSettings::default() };
    let _server = soon("localcord", Server::start(settings)).await.unwrap();
    agent.record("joined").await;
    agent.stop().await;
}

#[tokio::test]
async fn while_nobody_answers_sigterm_exits_0() {
    let folder = tempfile::tempdir().unwrap();
    let base = format!("http://127.0.0.1:{}/api/v10", free_port());
    let config = write_config(folder.path(), &base, &parrot());
    let mut agent = Agent::start(&config, localcord::world::default::BOT_TOKEN);
    agent.logs("next try in").await;
    let ended = agent.stop_by(Signal::TERM).await;
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.after.as_secs() < 2, "after {:?}", ended.after);
}

async fn starts_with(config: &Path) -> Ended {
    Agent::start(config, localcord::world::default::BOT_TOKEN).ends().await
}

/// A port that nobody listens on at the moment.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_wrong_argument_exits_1_and_help_exits_0() {
    for (argument, code) in [("--nonsense", 1), ("--help", 0), ("--version", 0)] {
        let program = env!("CARGO_BIN_EXE_clawvoice");
        let output = std::process::Command::new(program).arg(argument).output();
        let output = output.expect("the program starts");
        assert_eq!(output.status.code(), Some(code), "{argument}");
    }
}
