//! `clawvoice message send`: what is not sent, and what is said then; as whom.

use localcord::world::{
    Privacy,
    default::{BEN, BOT_USER, GENERAL},
    kind,
};
use serde_json::json;

use super::{Desk, FORUM, HIDDEN, LOCKED, THREAD, channel};
use crate::text::chat::Chat;

#[tokio::test]
async fn what_is_refused_is_said_with_what_to_do_next() {
    let desk = Desk::new("").await;
    desk.chat.scene.server.world().write(|state| {
        let privacy = Privacy { closed: true, ..Privacy::default() };
        state.privacy.insert(BEN, privacy);
    });
    let (ben, gone) = (format!("user:{BEN}"), channel(1_100_000_000_000_000_099));
    for (target, words) in [
        ("", "Discord recipient is required."),
        ("@ada", "Discord DMs require a user id"),
        ("#nowhere", "no channel that the bot sees is called #nowhere"),
        (gone.as_str(), "is not there (any more)"),
        (ben.as_str(), "discord dm failed: user blocks dms or privacy settings disallow it"),
        (&channel(LOCKED), "missing permissions in channel 1100000000000000043: SendMessages."),
        (&channel(THREAD), "channel 1100000000000000045: SendMessagesInThreads."),
        (&channel(HIDDEN), "missing permissions in channel 1100000000000000044: ViewChannel."),
    ] {
        let err = desk.sends(target, &["-m", "hi"]).await.refused();
        assert!(err.contains(words) && err.contains("hint: "), "{target}: {err}");
    }
    for (args, words) in [
        (&[][..], "there is nothing to send"),
        (&["-m", " \n"], "there is nothing to send"),
        (&["-m", "thinking: hm"], "nothing is left of the text"),
        (&["-m", "hi", "--account", "ops"], "there is no account ops"),
    ] {
        let err = desk.sends(&channel(GENERAL), args).await.refused();
        assert!(err.contains(words), "{err}");
    }
    let quiet = desk.sends(&channel(GENERAL), &["-m", "NO_REPLY"]).await.good();
    assert!(quiet.contains("nothing is sent"), "{quiet}");
    desk.nothing_was_sent();
    let send = ["message", "send", "--target", "channel:1100000000000000011", "-m", "hi"];
    let ended = desk.runs_as("bG9jYWxjb3Jk.AAAAAA.unknown", &send).await;
    assert_eq!(ended.code, Some(4), "{}", ended.err);
    assert!(ended.err.contains("copy the token anew"), "{}", ended.err);
}

#[tokio::test]
async fn a_dry_run_sends_nothing_and_shows_everything() {
    let desk = Desk::new("maxLinesPerMessage: 1,").await;
    let file = desk.file("a.txt", 3);
    let args = ["-m", "one\ntwo", "--media", &file, "--dry-run"];
    let out = desk.sends(&channel(GENERAL), &args).await.good();
    let expected = format!(
        "a message to channel {GENERAL} (#general), with a.txt (3 bytes):\n  one\n\
         a message to channel {GENERAL} (#general):\n  two\nnothing was sent (--dry-run)\n"
    );
    assert_eq!(out, expected);
    let told = desk.sends(&channel(FORUM), &[&args[..], &["--json"]].concat()).await.json();
    assert_eq!((&told["post"]["name"], &told["dryRun"]), (&json!("one"), &json!(true)));
    assert_eq!(told["messages"][0]["files"][0]["name"], "a.txt");
    let told = desk.sends(&format!("user:{BEN}"), &["-m", "x", "--dry-run", "--json"]).await.json();
    assert_eq!(told["to"], format!("user {BEN}"));
    let voice = ["--as-voice", "--path", "/a.mp3", "--dry-run"];
    let out = desk.sends(&channel(GENERAL), &voice).await.good();
    assert!(out.contains("a voice message to channel"), "{out}");
    desk.nothing_was_sent();
    let direct =
        desk.chat.scene.server.world().read(|state| {
            state.channels.values().filter(|channel| channel.kind == kind::DM).count()
        });
    assert_eq!(direct, 0, "no direct messages are opened");
}

#[tokio::test]
async fn the_account_is_chosen() {
    let chat = Chat::new().await;
    let other = chat.scene.server.world().add_bot("second");
    let accounts = format!(
        "accounts: {{ default: {{}}, ops: {{ token: '{}' }}, off: {{ enabled: false, token: 'x.y.z' }} }}",
        other.token
    );
    chat.config(&accounts, "");
    let desk = Desk { chat };
    let told =
        desk.sends(&channel(GENERAL), &["-m", "I", "--account", "ops", "--json"]).await.json();
    assert_eq!(told["account"], "ops");
    assert_eq!(desk.newest(GENERAL).author_id, other.user_id);
    desk.sends(&channel(GENERAL), &["-m", "you"]).await.good();
    assert_eq!(desk.newest(GENERAL).author_id, BOT_USER);
    let err = desk.sends(&channel(GENERAL), &["-m", "x", "--account", "off"]).await.refused();
    assert!(err.contains("account off is switched off"), "{err}");
}
