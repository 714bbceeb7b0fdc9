use super::*;
use crate::routing::tests::parse;

fn entry(keys: &str) -> GuildChannel {
    let config = parse(&format!(
        "{{ channels: {{ discord: {{ token: 'a.b.c', guilds: {{ 1: {{ channels: {{ 5: {{ {keys} }} \
         }} }} }} }} }} }}"
    ));
    config.discord.guilds.get("1").unwrap().channels.get("5").unwrap().clone()
}

fn message(content: &str, rest: &str) -> Message {
    let content = serde_json::to_string(content).unwrap();
    let json = format!(
        r#"{{"id":"77","channel_id":"5","guild_id":"1","author":{{"id":"31"}},"content":{content}{rest}}}"#
    );
    Message::read(&json).unwrap()
}

#[test]
fn who_gets_a_thread() {
    let on = entry("autoThread: true");
    let plain = message("<@9> how do I build it?", "");
    let decide = |entry: Option<&GuildChannel>, kind, message: &Message, is_human| {
        auto_thread(entry, kind, message, is_human)
    };
    let expected = NewThread {
        on: MessageId::new(77),
        title: "how do I build it?".to_owned(),
        archive_minutes: 60,
        generated: None,
    };
    assert_eq!(decide(Some(&on), PlaceKind::Text, &plain, true), AutoThread::Open(expected));
    let with_thread = message("hi", r#","thread":{"id":"90"}"#);
    let reused = decide(Some(&on), PlaceKind::Text, &with_thread, true);
    assert_eq!(reused, AutoThread::Reuse(ChannelId::new(90)));
    let pin = message("", r#","type":6"#);
    let off = entry("");
    for (entry, kind, message, is_human) in [
        (None, PlaceKind::Text, &plain, true),
        (Some(&off), PlaceKind::Text, &plain, true),
        (Some(&on), PlaceKind::Thread, &plain, true),
        (Some(&on), PlaceKind::Voice, &plain, true),
        (Some(&on), PlaceKind::Direct, &plain, true),
        (Some(&on), PlaceKind::Text, &plain, false),
        (Some(&on), PlaceKind::Text, &pin, true),
    ] {
        assert_eq!(decide(entry, kind, message, is_human), AutoThread::Stay, "{kind:?}");
    }
}

#[test]
fn a_generated_name_is_asked_for_and_the_archive_is_the_files() {
    let entry = entry("autoThread: true, autoThreadName: 'generated', autoArchiveDuration: '1440'");
    let long = format!("<@9> {}", "word ".repeat(200));
    let AutoThread::Open(thread) =
        auto_thread(Some(&entry), PlaceKind::Text, &message(&long, ""), true)
    else {
        panic!("a thread is opened")
    };
    assert_eq!(thread.archive_minutes, 1440);
    assert_eq!(thread.title, format!("{}word", "word ".repeat(15)));
    let request = thread.generated.expect("a name is asked for");
    assert_eq!(request.message, format!("{}word", "word ".repeat(119)));
    assert!(request.instructions.contains("3 to 6 words"));
    let AutoThread::Open(thread) =
        auto_thread(Some(&entry), PlaceKind::Text, &message("<@9>", ""), true)
    else {
        panic!("a thread is opened")
    };
    assert_eq!((thread.title.as_str(), thread.generated), ("Thread 77", None));
}

#[test]
fn titles() {
    let id = MessageId::new(77);
    let long = "é".repeat(100);
    for (text, expected) in [
        (" <@!9>  two\nlines ", "two lines"),
        ("<@&3> <#4>", "Thread 77"),
        ("", "Thread 77"),
        (long.as_str(), &"é".repeat(80)),
    ] {
        assert_eq!(title(text, id), expected);
    }
}

#[test]
fn what_a_model_answers_becomes_a_name() {
    for (answer, expected) in [
        ("Building the Rust project", Some("Building the Rust project")),
        ("\n**\"Fixing the flaky test.\"**\n\nHope it helps!", Some("Fixing the flaky test")),
        ("Title: Release plan for May", Some("Release plan for May")),
        ("**Title:** Release plan", Some("Release plan")),
        ("one two three four five, six seven", Some("one two three four five, six")),
        ("Ratio 3:2 explained", Some("Ratio 3:2 explained")),
        ("ビルド方法", Some("ビルド方法")),
        ("<@9>", None),
        (" \n\"\" ", None),
        ("", None),
    ] {
        assert_eq!(generated_title(answer).as_deref(), expected, "{answer}");
    }
}
