//! Threads and posts: those that the bot opens, and those that people open.

use localcord::world::default::{ADA, BEN, BOT_USER, GENERAL, GUILD, RANDOM};
use reqwest::Method;
use serde_json::{Value, json};

use super::chat::{Chat, QUIET, at_bot, id, model};
use crate::brain::{Reply, Served, messages};

/// Keys by which answers to messages in #general are in threads.
const AUTO: &str = "guilds: { '*': { channels: { general: { autoThread: true, autoThreadName: 'generated' } } } },";

impl Chat {
    /// A human opens a thread on a message.
    async fn opens(&self, human: u64, channel: u64, message: &Value) -> u64 {
        let path = format!("/channels/{channel}/messages/{}/threads", id(message));
        id(&self.acts(human, Method::POST, &path, &json!({ "name": "about that" })).await)
    }

    /// A human opens a post in a forum.
    async fn posts(&self, human: u64, forum: u64, content: &str) -> u64 {
        let body = json!({ "name": "a post", "message": { "content": content } });
        id(&self.acts(human, Method::POST, &format!("/channels/{forum}/threads"), &body).await)
    }
}

/// `autoThread`: a question is answered in a thread on it, which is named by a model; there nobody
/// has to mention the bot again, and the conversation is the thread's.
#[tokio::test]
async fn a_question_opens_a_thread_that_goes_on_without_mentions() {
    let served = Served::new(&[
        Reply::Text(&["The disk was full."]),
        Reply::Text(&["Title: **Disk Full At Noon**"]),
        Reply::Text(&["Twice."]),
    ])
    .await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(&format!("{QUIET} {AUTO}"), &model(&served)).await;
    let asked = chat.writes(ADA, GENERAL, &at_bot("what   broke?")).await;
    let answer = chat.bot("The disk was full.").await;
    assert_eq!(answer["channel_id"], asked["id"]);
    assert_eq!(answer["message_reference"], Value::Null);
    let opened = chat.event("THREAD_CREATE", |it| it["id"] == asked["id"]).await;
    assert_eq!((&opened["name"], &opened["type"]), (&json!("what broke?"), &json!(11)));
    assert_eq!(opened["thread_metadata"]["auto_archive_duration"], 60);
    let named = chat.event("THREAD_UPDATE", |it| it["id"] == asked["id"]).await;
    assert_eq!(named["name"], "Disk Full At Noon");
    let title = served.request(1).await;
    assert_eq!(title.get("tools"), None, "{title}");
    assert!(!title.to_string().contains("The disk was full"), "{title}");
    chat.writes(BEN, id(&asked), "and how often?").await;
    let follow_up = chat.bot("Twice.").await;
    assert_eq!(follow_up["channel_id"], asked["id"]);
    let told = messages(&served.request(2).await);
    assert!(told.iter().any(|(role, text)| role == "assistant" && text == "The disk was full."));
    assert!(!told.iter().any(|(role, text)| role == "assistant" && text.contains("Noon")));
    agent.logs(&format!("session=agent:main:discord:channel:{}", id(&asked))).await;
    // In the channel itself a mention is needed as before.
    chat.writes(BEN, GENERAL, "nobody asked").await;
    agent.logs("no-mention").await;
    agent.stop().await;
}

/// `thread.inheritParent`: the conversation in the thread begins with that of the channel.
#[tokio::test]
async fn a_thread_may_know_what_was_said_in_its_channel() {
    let served = Served::new(&[Reply::Text(&["Noted."]), Reply::Text(&["Mia."])]).await;
    let chat = Chat::new().await;
    let keys = format!("{QUIET} thread: {{ inheritParent: true }},");
    let mut agent = chat.agent(&keys, &model(&served)).await;
    chat.writes(ADA, GENERAL, &at_bot("my cat is called Mia")).await;
    chat.bot("Noted.").await;
    agent.stop().await;
    let mut agent = chat.agent(&format!("{keys} {AUTO}"), &model(&served)).await;
    let asked = chat.writes(ADA, GENERAL, &at_bot("what is it called?")).await;
    assert_eq!(chat.bot("Mia.").await["channel_id"], asked["id"]);
    let told = messages(&served.request(1).await);
    let roles: Vec<&str> = told.iter().map(|(role, _)| &**role).collect();
    assert_eq!(roles, ["system", "user", "assistant", "user", "user"], "{told:?}");
    assert!(told[1].1.contains("my cat is called Mia") && told[2].1 == "Noted.", "{told:?}");
    agent.stop().await;
}

/// A thread that cannot be opened costs the thread, not the answer.
#[tokio::test]
async fn without_the_right_to_open_threads_the_answer_is_in_the_channel() {
    let chat = Chat::new().await;
    chat.lets_bot(GENERAL, &[], &["CREATE_PUBLIC_THREADS"]).await;
    let mut agent = chat.agent(&format!("{QUIET} {AUTO}"), "").await;
    chat.writes(ADA, GENERAL, &at_bot("still there?")).await;
    assert_eq!(chat.bot("still there?").await["channel_id"], GENERAL.to_string());
    agent.logs("no thread is opened").await;
    agent.stop().await;
}

/// The message that a thread was opened on is told in the first turn, once, unless the file says
/// otherwise.
#[tokio::test]
async fn a_threads_first_message_is_told_once() {
    let served = Served::new(&[Reply::Text(&["Noted."])]).await;
    let chat = Chat::new().await;
    let channels =
        "guilds: { '*': { channels: { general: {}, random: { includeThreadStarter: false } } } },";
    let mut agent = chat.agent(&format!("{QUIET} {channels}"), &model(&served)).await;
    let mut threads = Vec::new();
    for channel in [GENERAL, RANDOM] {
        let message = chat.writes(ADA, channel, "the deploy ended with code 7").await;
        threads.push(chat.opens(ADA, channel, &message).await);
    }
    for (number, (thread, expected)) in
        [(threads[0], 1), (threads[0], 0), (threads[1], 0)].into_iter().enumerate()
    {
        chat.writes(BEN, thread, &at_bot("why?")).await;
        let request = served.request(number).await.to_string();
        assert_eq!(request.matches("ended with code 7").count(), expected, "{number}: {request}");
        agent.logs(&format!("session=agent:main:discord:channel:{thread}")).await;
    }
    agent.stop().await;
}

/// Scenario 50, seen from inside: a post of a forum is a conversation of its own, and is told its
/// forum at first.
#[tokio::test]
async fn a_post_is_answered_in_its_place() {
    let served =
        Served::new(&[Reply::Text(&["Have you tried water?"]), Reply::Text(&["Good."])]).await;
    let chat = Chat::new().await;
    let body = json!({ "name": "help", "type": "forum" });
    let forum = chat.control(Method::POST, &format!("/guilds/{GUILD}/channels"), &body).await;
    let mut agent = chat.agent(QUIET, &model(&served)).await;
    let post = chat.posts(ADA, id(&forum), &at_bot("the printer burns")).await;
    let answer = chat.bot("Have you tried water?").await;
    assert_eq!(answer["channel_id"], post.to_string());
    let first = served.request(0).await.to_string();
    assert_eq!(first.matches("[Forum parent: #help]").count(), 1, "{first}");
    assert_eq!(first.matches("the printer burns").count(), 1, "{first}");
    chat.writes(ADA, post, &at_bot("it is out")).await;
    chat.bot("Good.").await;
    let second = served.request(1).await.to_string();
    assert!(!second.contains("Forum parent"), "{second}");
    assert!(second.contains("the printer burns"), "{second}");
    agent.logs(&format!("session=agent:main:discord:channel:{post}")).await;
    // What nobody said to the bot is told with the first message that is to it, and no more often.
    let other = chat.posts(ADA, id(&forum), "the scanner hums").await;
    agent.logs("no-mention").await;
    chat.writes(BEN, other, &at_bot("help her")).await;
    let third = served.request(2).await.to_string();
    assert_eq!(third.matches("the scanner hums").count(), 1, "{third}");
    assert!(!third.contains("the printer burns"), "{third}");
    agent.stop().await;
}

/// An archived thread's conversation is over: the next one in it begins anew.
#[tokio::test]
async fn an_archived_thread_begins_anew() {
    let served = Served::new(&[Reply::Text(&["Noted."])]).await;
    let chat = Chat::new().await;
    let mut agent = chat.agent(QUIET, &model(&served)).await;
    let message = chat.writes(ADA, GENERAL, "a topic").await;
    let thread = chat.opens(ADA, GENERAL, &message).await;
    chat.writes(ADA, thread, &at_bot("my cat is called Mia")).await;
    chat.bot("Noted.").await;
    let path = format!("/channels/{thread}");
    chat.acts(ADA, Method::PATCH, &path, &json!({ "archived": true })).await;
    agent.logs("a thread's session is closed").await;
    chat.writes(ADA, thread, &at_bot("what is it called?")).await;
    let request = served.request(1).await.to_string();
    assert!(!request.contains("Mia"), "{request}");
    assert_eq!(chat.by(BOT_USER, "Noted.").await["channel_id"], thread.to_string());
    agent.stop().await;
}
