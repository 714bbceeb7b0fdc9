//! `clawvoice message read|edit|delete|react|thread create`.

use localcord::world::default::{ADA, GENERAL, LOUNGE};
use serde_json::{Value, json};

use super::{Desk, FORUM, HIDDEN, LOCKED, STRICT_FORUM, TAG, channel};

#[tokio::test]
async fn messages_are_read_page_by_page() {
    let desk = Desk::new("").await;
    let mut ids = Vec::new();
    for text in ["one", "two\nlines", "three"] {
        let written = desk.chat.writes(ADA, GENERAL, text).await;
        ids.push(written["id"].as_str().unwrap().to_owned());
    }
    let target = channel(GENERAL);
    let read = async |args: &[&str]| {
        let all = [&["message", "read", "--target", &target, "--json"], args].concat();
        let told = desk.runs(&all).await.json();
        let texts = told["messages"].as_array().unwrap().clone();
        texts.iter().map(|it| it["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(read(&[]).await, ["three", "two\nlines", "one"]);
    assert_eq!(read(&["--limit", "1"]).await, ["three"]);
    assert_eq!(read(&["--before", &ids[1]]).await, ["one"]);
    assert_eq!(read(&["--after", &ids[1]]).await, ["three"]);
    assert_eq!(read(&["--around", &ids[1], "--limit", "3"]).await.len(), 3);

    let told = desk.runs(&["message", "read", "-t", &target, "--json"]).await.json();
    let newest = &told["messages"][0];
    let written = newest["id"].as_str().unwrap().parse::<u64>().unwrap() >> 22;
    assert_eq!(newest["timestampMs"], written + 1_420_070_400_000, "{newest}");
    assert!(newest["timestampUtc"].as_str().unwrap().ends_with('Z'), "{newest}");
    let out = desk.runs(&["message", "read", "-t", &target]).await.good();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].contains(&ids[0]) && lines[0].contains("ada"), "{out}");
    assert_eq!((lines[1], lines[3], lines[4]), ("  one", "  two", "  lines"), "{out}");

    let err = desk.runs(&["message", "read", "-t", &channel(HIDDEN)]).await.refused();
    assert!(err.contains("ViewChannel"), "{err}");
}

#[tokio::test]
async fn messages_are_changed_deleted_and_reacted_to() {
    let desk = Desk::new("").await;
    let hers = desk.chat.writes(ADA, GENERAL, "hers").await["id"].as_str().unwrap().to_owned();
    let told = desk.sends(&channel(GENERAL), &["-m", "mine", "--json"]).await.json();
    let mine = told["result"]["messageId"].as_str().unwrap().to_owned();
    let target = channel(GENERAL);
    let on = async |what: &str, message: &str, args: &[&str]| {
        let all = ["message", what, "-t", &target, "--message-id", message];
        desk.runs(&[&all, args].concat()).await
    };

    let out = on("edit", &mine, &["-m", "| a |\n|---|\n| 1 |"]).await.good();
    assert_eq!(out, format!("changed message {mine} in channel {GENERAL}\n"));
    assert!(desk.newest(GENERAL).content.starts_with("```\n| a"), "tables as in answers");
    let err = on("edit", &hers, &["-m", "x"]).await.refused();
    assert!(err.contains(&format!("message {hers} is somebody else's")), "{err}");
    let err = on("edit", &mine, &["-m", &"x".repeat(2_001)]).await.refused();
    assert!(err.contains("too long for one message"), "{err}");

    let told = on("react", &hers, &["--emoji", "👀", "--json"]).await.json();
    assert_eq!((&told["ok"], &told["added"]), (&json!(true), &json!("👀")));
    let added = |it: &Value| it["message_id"] == json!(hers) && it["emoji"]["name"] == "👀";
    desk.chat.event("MESSAGE_REACTION_ADD", added).await;
    on("react", &hers, &["--emoji", "👀", "--remove"]).await.good();
    desk.chat.event("MESSAGE_REACTION_REMOVE", added).await;
    let err = on("react", "5", &["--emoji", "👀"]).await.refused();
    assert!(err.contains("message 5 is not in channel"), "{err}");

    on("delete", &mine, &[]).await.good();
    assert_eq!(desk.texts(GENERAL), [("hers".to_owned(), 0)]);
    let err = on("delete", &mine, &[]).await.refused();
    assert!(err.contains("(any more)"), "{err}");
}

#[tokio::test]
async fn threads_and_posts_are_opened() {
    let desk = Desk::new("").await;
    let create = async |target: u64, args: &[&str]| {
        let target = channel(target);
        let all = ["message", "thread", "create", "-t", &target, "--name", "Plans"];
        desk.runs(&[&all, args].concat()).await
    };
    let id = |told: &Value| told["thread"]["id"].as_str().unwrap().parse::<u64>().unwrap();
    let args = ["-m", "first", "--auto-archive-min", "60", "--json"];
    let thread = id(&create(GENERAL, &args).await.json());
    assert_eq!(desk.texts(thread).last(), Some(&("first".to_owned(), 0)));
    let asked = desk.chat.writes(ADA, GENERAL, "plans?").await["id"].as_str().unwrap().to_owned();
    let args = ["--message-id", &asked, "--json"];
    let told = create(GENERAL, &args).await.json();
    assert_eq!((id(&told).to_string(), &told["thread"]["existed"]), (asked.clone(), &json!(false)));
    assert_eq!(create(GENERAL, &args).await.json()["thread"]["existed"], true);

    let post = id(&create(FORUM, &["-m", "text", "--json"]).await.json());
    assert_eq!(desk.texts(post), [("text".to_owned(), 0)]);
    let post = id(&create(FORUM, &["--json"]).await.json());
    assert_eq!(desk.texts(post), [("Plans".to_owned(), 0)]);
    let tagged = create(STRICT_FORUM, &["--applied-tag", &TAG.to_string(), "--json"]).await.json();
    let tags = desk.chat.scene.server.world();
    assert_eq!(tags.read(|state| state.channels[&id(&tagged)].applied_tags.clone()), [TAG]);

    for (target, args, words) in [
        (STRICT_FORUM, &[][..], "--applied-tag"),
        (FORUM, &["--message-id", &asked], "a post begins with a message of its own"),
        (GENERAL, &["--applied-tag", "5"], "only posts of a forum have tags"),
        (GENERAL, &["--message-id", "5"], "message 5 is not in channel"),
        (thread, &[], "it is a thread itself"),
        (LOUNGE, &[], "no thread can be opened"),
        (LOCKED, &[], "CreatePublicThreads"),
    ] {
        let err = create(target, args).await.refused();
        assert!(err.contains(words), "{target}: {err}");
    }
}
