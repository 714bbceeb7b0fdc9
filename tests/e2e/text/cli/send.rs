//! `clawvoice message send`: what arrives, and where.

use localcord::world::default::{ADA, BOT_USER, GENERAL, RANDOM};
use serde_json::{Value, json};

use super::{Desk, FORUM, STRICT_FORUM, channel};

#[tokio::test]
async fn a_text_is_sent_where_it_is_meant_to_go() {
    let desk = Desk::new(&format!("defaultTo: '#random', allowFrom: ['{ADA}'],")).await;
    let out =
        desk.sends(&channel(GENERAL), &["--message", "hi @everyone", "--silent"]).await.good();
    let sent = desk.newest(GENERAL);
    assert_eq!(out, format!("sent message {} to channel {GENERAL}\n", sent.id));
    assert_eq!((sent.flags, sent.author_id), (4 + 4096, BOT_USER));
    assert!(!sent.mentions.everyone, "nobody pings all");

    // A bare id is a user's if they are listed, else a channel's; a name is a channel's; without a
    // target it goes where the configuration says.
    for (target, place) in [(GENERAL.to_string(), GENERAL), ("Random".to_owned(), RANDOM)] {
        let told = desk.sends(&target, &["-m", "here", "--json"]).await.json();
        assert_eq!(told["result"]["channelId"], place.to_string(), "{told}");
        assert_eq!(told["result"]["messageId"], desk.newest(place).id.to_string());
    }
    desk.runs(&["message", "send", "-m", "by default"]).await.good();
    assert_eq!(desk.newest(RANDOM).content, "by default");
    for target in [ADA.to_string(), format!("<@{ADA}>"), format!("discord:user:{ADA}")] {
        let out = desk.sends(&target, &["-m", &target]).await.good();
        assert!(out.ends_with(&format!("to user {ADA}\n")), "{out}");
        let direct = desk.chat.event("MESSAGE_CREATE", |it| it["content"] == json!(target)).await;
        assert!(direct.get("guild_id").is_none(), "{direct}");
    }
}

#[tokio::test]
async fn a_long_text_is_several_messages_and_a_reply_refers_to_its_message() {
    let desk = Desk::new("maxLinesPerMessage: 2,").await;
    let asked = desk.chat.writes(ADA, GENERAL, "who?").await;
    let id = asked["id"].as_str().unwrap();
    let told = desk
        .sends(&channel(GENERAL), &["-m", "one\ntwo\nthree", "--reply-to", id, "--json"])
        .await
        .json();
    assert_eq!(told["messageIds"].as_array().unwrap().len(), 2, "{told}");
    assert_eq!(desk.texts(GENERAL)[1..], [("one\ntwo".to_owned(), 0), ("three".to_owned(), 0)]);
    let first = desk.chat.bot("one").await;
    assert_eq!(first["message_reference"]["message_id"], id);
    assert!(desk.chat.bot("three").await.get("message_reference").is_none_or(Value::is_null));
}

#[tokio::test]
async fn files_go_along_from_approved_folders_only() {
    let desk = Desk::new("mediaMaxMb: 20,").await;
    let (small, note) = (desk.file("small.txt", 3), desk.file("note.txt", 4));
    desk.sends(&channel(GENERAL), &["-m", "two", "--media", &small, "--media", &note]).await.good();
    desk.sends(&channel(GENERAL), &["--media", &small]).await.good();
    // Discord takes 10 MiB.
    let large = desk.file("large.bin", 11 * 1024 * 1024);
    let told =
        desk.sends(&channel(GENERAL), &["-m", "big", "--media", &large, "--json"]).await.json();
    assert_eq!(told["attachmentsSkipped"], true, "{told}");
    let notice = "[Attachment skipped: Discord rejected the file as too large.]";
    let expected = [("two".to_owned(), 2), (String::new(), 1), (format!("big\n\n{notice}"), 0)];
    assert_eq!(desk.texts(GENERAL), expected);

    let outside = desk.chat.scene.folder.path().join("clawvoice.json5").display().to_string();
    let huge = desk.file("huge.bin", 21 * 1024 * 1024);
    for (path, words) in [
        (outside.as_str(), "outside of the folders from which files may be sent"),
        (huge.as_str(), "(mediaMaxMb)"),
        ("/no/such/file", "cannot be read"),
    ] {
        let err = desk.sends(&channel(RANDOM), &["-m", "x", "--media", path]).await.refused();
        assert!(err.contains(words), "{err}");
    }
    assert!(desk.texts(RANDOM).is_empty(), "nothing of what is refused is sent");
}

/// Scenario 50, by the command line.
#[tokio::test]
async fn what_is_sent_to_a_forum_becomes_a_post() {
    let desk = Desk::new("maxLinesPerMessage: 1,").await;
    let file = desk.file("log.txt", 3);
    let args = ["-m", "How to?\nLike this.", "--media", &file, "--json"];
    let told = desk.sends(&channel(FORUM), &args).await.json();
    let post: u64 = told["result"]["channelId"].as_str().unwrap().parse().unwrap();
    let (name, parent) = desk.chat.scene.server.world().read(|state| {
        let post = &state.channels[&post];
        (post.name.clone(), post.parent_id)
    });
    assert_eq!((name.as_str(), parent), ("How to?", Some(FORUM)));
    let expected = [("How to?".to_owned(), 0), (String::new(), 1), ("Like this.".to_owned(), 0)];
    assert_eq!(desk.texts(post), expected);

    let err = desk.sends(&channel(STRICT_FORUM), &["-m", "x"]).await.refused();
    assert!(err.contains("requires a tag") && err.contains("thread create"), "{err}");
    let err = desk.sends(&channel(FORUM), &["-m", "x", "--reply-to", "5"]).await.refused();
    assert!(err.contains("replies to nothing"), "{err}");
}
