//! The calls as a real world carries them out.

use bytes::Bytes;
use clawvoice_session::{ChannelId, GuildId, MessageId, UserId};
use clawvoice_text::{
    place::PlaceKind,
    shell::{
        message_calls::{OutgoingFile, Page},
        rest::DiscordRest,
        thread_calls::NewThread,
    },
};
use localcord::{
    Server, ServerSettings,
    fault::{FaultSettings, RestFault},
    world::{
        Emoji, Message,
        default::{ADA, BEN, BOT_USER, GENERAL, GUILD, LOUNGE, RANDOM},
    },
};
use serde_json::json;

const HERE: ChannelId = ChannelId::new(GENERAL);

async fn localcord() -> (Server, DiscordRest) {
    let server = Server::start(ServerSettings::default()).await.unwrap();
    let discord = crate::fake::discord(&server.api_base_url(), &server.bot_token());
    (server, discord)
}

fn messages(server: &Server) -> Vec<Message> {
    let all = server.world().read(|state| state.messages.get(&GENERAL).cloned());
    all.into_iter().flatten().map(|(_, message)| message).collect()
}

fn fault(server: &Server, status: u16, retry_after: f64, carried_out: bool) {
    let path_prefix = format!("/channels/{GENERAL}/messages");
    let rest = vec![RestFault { path_prefix, status, times: 1, retry_after, carried_out }];
    server.faults().set(FaultSettings { rest, ..FaultSettings::default() });
}

#[tokio::test]
async fn a_message_from_its_creation_to_its_end() {
    let (server, discord) = localcord().await;
    let ids: Vec<MessageId> = {
        let mut ids = Vec::new();
        for text in ["one", "two", "three"] {
            ids.push(discord.create_message(HERE, &json!({ "content": text })).await.unwrap().id);
        }
        ids
    };
    discord.typing(HERE).await.unwrap();
    discord.edit_message(HERE, ids[1], &json!({ "content": "zwei" })).await.unwrap();
    let read = discord.message(HERE, ids[1]).await.unwrap();
    assert_eq!((read.content.as_str(), read.author.id), ("zwei", UserId::new(BOT_USER)));
    let listed = async |page, limit| -> Vec<String> {
        let all = discord.messages(HERE, page, limit).await.unwrap();
        all.into_iter().map(|message| message.content).collect()
    };
    assert_eq!(listed(Page::Newest, 2).await, ["three", "zwei"]);
    assert_eq!(listed(Page::Before(ids[1]), 9).await, ["one"]);
    assert_eq!(listed(Page::After(ids[1]), 9).await, ["three"]);
    assert_eq!(listed(Page::Around(ids[1]), 500).await, ["three", "zwei", "one"]);

    server.world().write(|state| {
        let emoji = Emoji { id: 123, name: "claw".to_owned(), ..Emoji::default() };
        state.guilds.get_mut(&GUILD).unwrap().emojis.insert(123, emoji);
    });
    discord.react(HERE, ids[0], "👀").await.unwrap();
    discord.react(HERE, ids[0], "<:claw:123>").await.unwrap();
    discord.unreact(HERE, ids[0], "👀").await.unwrap();
    let unknown = discord.react(HERE, ids[0], "eyes").await.unwrap_err();
    assert_eq!(unknown.code(), Some(10_014));
    discord.delete_message(HERE, ids[0]).await.unwrap();
    let gone = discord.delete_message(HERE, ids[0]).await.unwrap_err();
    assert_eq!((gone.status(), gone.code()), (Some(404), Some(10_008)));
    assert_eq!(messages(&server).len(), 2);
}

#[tokio::test]
async fn files_arrive_beside_the_words() {
    let (server, discord) = localcord().await;
    let file = |name: &str, bytes: &'static [u8]| OutgoingFile {
        name: name.to_owned(),
        bytes: Bytes::from_static(bytes),
        description: Some(format!("this is {name}")),
    };
    let files = [file("a.txt", b"one"), file("b.bin", b"\0\r\n--\xff")];
    let body = json!({ "content": "see" });
    discord.create_message_with(HERE, &body, &files).await.unwrap();
    let messages = messages(&server);
    assert_eq!((messages.len(), messages[0].content.as_str()), (1, "see"));
    let attachments = &messages[0].attachments;
    let names: Vec<_> = attachments.iter().map(|one| one["filename"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.txt", "b.bin"]);
    assert_eq!((&attachments[0]["size"], &attachments[1]["size"]), (&json!(3), &json!(6)));
    assert_eq!(attachments[1]["description"], "this is b.bin");
}

/// Scenario 49 of the text scenarios.
#[tokio::test]
async fn a_rate_limit_is_waited_out_the_order_kept_and_a_lost_answer_costs_no_second_message() {
    let (server, discord) = localcord().await;
    fault(&server, 429, 0.2, false);
    let began = std::time::Instant::now();
    let send = |text: &'static str| {
        let discord = discord.clone();
        async move { discord.create_message(HERE, &json!({ "content": text })).await.unwrap().id }
    };
    let (first, second, third) = tokio::join!(send("one"), send("two"), send("three"));
    assert!(first < second && second < third);
    assert!(began.elapsed() >= std::time::Duration::from_millis(200));
    fault(&server, 502, 0.0, true);
    let lost = send("four").await;
    let messages = messages(&server);
    let texts: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
    assert_eq!(messages[3].id, lost.get());
}

#[tokio::test]
async fn threads_are_places_with_a_parent() {
    let (_server, discord) = localcord().await;
    let about = discord.create_message(HERE, &json!({ "content": "topic" })).await.unwrap();
    let thread = NewThread { name: "About it".to_owned(), auto_archive_minutes: Some(1440) };
    let opened = discord.thread_on_message(HERE, about.id, &thread).await.unwrap();
    let again = discord.thread_on_message(HERE, about.id, &thread).await.unwrap();
    assert_eq!((opened.existed, again.existed, opened.thread), (false, true, again.thread));
    let found = discord.channel(opened.thread).await.unwrap();
    assert_eq!((found.kind, found.name.as_str()), (PlaceKind::Thread, "About it"));
    assert_eq!((found.owner, found.parent), (Some(UserId::new(BOT_USER)), Some(HERE)));
    let private = discord.open_thread(HERE, &thread, true).await.unwrap();
    assert_eq!(discord.channel(private).await.unwrap().kind, PlaceKind::PrivateThread);
}

#[tokio::test]
async fn guilds_channels_members_and_direct_messages_are_found() {
    let (server, discord) = localcord().await;
    let guild = GuildId::new(GUILD);
    let info = discord.guild(guild).await.unwrap();
    assert_eq!((info.name.as_str(), info.owner), ("Localcord", UserId::new(ADA)));
    let may = server.world().read(|state| state.guilds[&GUILD].roles[&GUILD].permissions);
    assert_eq!(info.everyone(), may);
    let channels = discord.guild_channels(guild).await.unwrap();
    let kind_of = |id| channels.iter().find(|one| one.id.get() == id).map(|one| one.kind);
    assert_eq!(kind_of(RANDOM), Some(PlaceKind::Text));
    assert_eq!(kind_of(LOUNGE), Some(PlaceKind::Voice));
    let ben = discord.member(guild, UserId::new(BEN)).await.unwrap();
    assert_eq!((ben.user.username.as_str(), ben.roles.len()), ("ben", 0));
    let stranger = discord.member(guild, UserId::new(5)).await.unwrap_err();
    assert_eq!(stranger.code(), Some(10_007));
    let direct = discord.open_direct_message(UserId::new(BEN)).await.unwrap();
    assert_eq!(discord.channel(direct).await.unwrap().kind, PlaceKind::Direct);
    assert_eq!(discord.channel(ChannelId::new(5)).await.unwrap_err().code(), Some(10_003));
    let wrong = crate::fake::discord(&server.api_base_url(), "wrong");
    assert_eq!(wrong.guild(guild).await.unwrap_err().status(), Some(401));
}
