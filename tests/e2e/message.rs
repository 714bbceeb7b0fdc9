//! `clawvoice message send`.

use std::process::{Output, Stdio};

use localcord::world::default::GENERAL;
use tokio::process::Command;

use crate::{scene::Scene, soon};

/// Runs the command in #general with these arguments.
async fn send(scene: &Scene, arguments: &[&str]) -> Output {
    let run = Command::new(env!("CARGO_BIN_EXE_clawvoice"))
        .args(["message", "send", "--channel", "discord", "--config"])
        .arg(scene.config(""))
        .arg("--target")
        .arg(format!("channel:{GENERAL}"))
        .args(arguments)
        .env("DISCORD_BOT_TOKEN", scene.server.bot_token())
        .env("NO_COLOR", "1")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    soon("the command to end", run).await.unwrap()
}

const MP3: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/audio/formats/one-second.mp3");

#[tokio::test]
async fn voice_scenario_50_the_command_line_sends_a_voice_message() {
    let scene = Scene::new().await;
    let ended = send(&scene, &["--path", MP3, "--as-voice", "--silent"]).await;
    let (stdout, stderr) =
        (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{stderr}");
    let sent = scene.server.world().read(|state| state.messages[&GENERAL].clone());
    let (id, message) = sent.first_key_value().unwrap();
    assert_eq!((sent.len(), message.flags), (1, 8192 + 4096));
    let line = format!("sent voice message {id} of 1.00 s to channel {GENERAL}\n");
    assert_eq!(stdout, line);
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_the_reason() {
    let scene = Scene::new().await;
    for (arguments, words) in [
        (&["--as-voice"][..], "Voice messages require a media file reference"),
        (&["--as-voice", "--path", MP3, "--message", "hi"], "Voice messages cannot include text"),
        (&["--as-voice", "--path", "https://example.org/a.mp3"], "require a local file"),
        (&["--path", MP3], "--path is the audio file of a voice message"),
        (&["--as-voice", "--path", "/no/such/file.mp3"], "/no/such/file.mp3: the file cannot"),
    ] {
        let ended = send(&scene, arguments).await;
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(words), "{stderr}");
    }
    assert!(scene.server.world().read(|state| !state.messages.contains_key(&GENERAL)));
}
