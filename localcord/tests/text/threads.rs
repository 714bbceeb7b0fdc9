//! Threads: opened, archived, locked, joined, listed and deleted.

use localcord::world::{
    bits,
    default::{ADA, BEN, BOT_USER, CLEO, GENERAL, GUILD, LOUNGE, RANDOM},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

impl Discord {
    /// A thread of the bot in a channel, without a message.
    async fn opens(&self, body: Value) -> Value {
        let (status, thread) =
            self.bot(Method::POST, &format!("/channels/{GENERAL}/threads"), body).await;
        assert_eq!(status, 201, "{thread}");
        thread
    }

    async fn change(&self, thread: &Value, body: Value) -> (u16, Value) {
        self.bot(Method::PATCH, &format!("/channels/{}", id(thread)), body).await
    }
}

#[tokio::test]
async fn a_thread_on_a_message_is_told_as_on_discord() {
    let mut discord = Discord::new().await;
    let asked = discord.says(ADA, GENERAL, "how?").await;
    discord.events();
    let path = format!("/channels/{GENERAL}/messages/{}/threads", id(&asked));
    let body = json!({ "name": "answers", "auto_archive_duration": 60 });
    let (status, thread) = discord.bot(Method::POST, &path, body).await;
    assert_eq!((status, &thread["id"]), (201, &asked["id"]));
    let metadata = &thread["thread_metadata"];
    assert_eq!(
        (&metadata["auto_archive_duration"], &metadata["archived"]),
        (&json!(60), &json!(false))
    );
    assert_eq!(thread["member"]["user_id"], BOT_USER.to_string());
    let events = discord.events();
    let names: Vec<_> = events.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["THREAD_CREATE", "MESSAGE_UPDATE", "MESSAGE_CREATE"]);
    assert_eq!(events[0].1["newly_created"], true);
    assert_eq!(
        (&events[1].1["flags"], &events[1].1["thread"]["name"]),
        (&json!(32), &json!("answers"))
    );
    let starter = &events[2].1;
    assert_eq!((&starter["type"], &starter["channel_id"]), (&json!(21), &thread["id"]));
    assert_eq!(starter["referenced_message"]["content"], "how?");
    assert_eq!((&starter["content"], &starter["channel_type"]), (&json!(""), &json!(11)));

    let said = discord.bot_says(id(&thread), "so").await;
    assert_eq!(said["position"], 0);
    let (_, now) = discord.bot(Method::GET, &format!("/channels/{}", id(&thread)), json!({})).await;
    assert_eq!((&now["message_count"], &now["last_message_id"]), (&json!(1), &said["id"]));
    let (_, shown) = discord
        .bot(Method::GET, &format!("/channels/{GENERAL}/messages/{}", id(&asked)), json!({}))
        .await;
    assert_eq!(shown["thread"]["id"], thread["id"]);
    for what in ["THREAD_STARTER", "itself"] {
        let message = if what == "itself" { id(&asked) } else { id(starter) };
        let channel = if what == "itself" { GENERAL.to_string() } else { id(&thread) };
        let path = format!("/channels/{channel}/messages/{message}");
        let expected = if what == "itself" { (403, 50_013) } else { (403, 50_021) };
        assert_eq!(refusal(discord.bot(Method::DELETE, &path, json!({})).await), expected);
    }
}

#[tokio::test]
async fn a_thread_on_nothing_leaves_a_note() {
    let mut discord = Discord::new().await;
    let public = discord.opens(json!({ "name": "open", "type": 11 })).await;
    let note = discord.event("MESSAGE_CREATE");
    assert_eq!((&note["type"], &note["content"]), (&json!(18), &json!("open")));
    assert_eq!(note["message_reference"]["channel_id"], public["id"]);
    let private = discord.opens(json!({ "name": "closed", "invitable": false })).await;
    assert_eq!(
        (&private["type"], &private["thread_metadata"]["invitable"]),
        (&json!(12), &json!(false))
    );
    assert_eq!(discord.names(), ["THREAD_CREATE"]);
}

#[tokio::test]
async fn threads_that_cannot_be() {
    let discord = Discord::new().await;
    let news = discord
        .control(
            Method::POST,
            &format!("/guilds/{GUILD}/channels"),
            json!({ "name": "news", "type": "announcement" }),
        )
        .await
        .1;
    let threads = |channel: &str| format!("/channels/{channel}/threads");
    let general = threads(&GENERAL.to_string());
    let path = format!("/channels/{GENERAL}/system-messages");
    let join = json!({ "type": "join", "user_id": BEN.to_string() });
    let joined = discord.control(Method::POST, &path, join).await.1;
    let on_join = format!("/channels/{GENERAL}/messages/{}/threads", id(&joined));
    let thread = discord.opens(json!({ "name": "t", "type": 11 })).await;
    for (path, body, expected) in [
        (general.clone(), json!({ "type": 11 }), (400, 50_035)),
        (general.clone(), json!({ "name": "", "type": 11 }), (400, 50_035)),
        (general.clone(), json!({ "name": "x".repeat(101), "type": 11 }), (400, 50_035)),
        (general.clone(), json!({ "name": "t", "type": 9 }), (400, 50_035)),
        (general.clone(), json!({ "name": "t", "type": 10 }), (400, 50_024)),
        (general.clone(), json!({ "name": "t", "auto_archive_duration": 61 }), (400, 50_035)),
        (general.clone(), json!({ "name": "t", "auto_archive_duration": "60" }), (400, 50_035)),
        (threads(&LOUNGE.to_string()), json!({ "name": "t", "type": 11 }), (400, 50_024)),
        (threads(&id(&news)), json!({ "name": "t", "type": 11 }), (400, 50_024)),
        (threads(&id(&thread)), json!({ "name": "t", "type": 11 }), (400, 50_024)),
        (threads("5"), json!({ "name": "t", "type": 11 }), (404, 10_003)),
        (format!("/channels/{GENERAL}/messages/5/threads"), json!({ "name": "t" }), (404, 10_008)),
        (on_join, json!({ "name": "t" }), (403, 50_021)),
    ] {
        let refused = discord.bot(Method::POST, &path, body.clone()).await;
        assert_eq!(refusal(refused), expected, "{path} {body}");
    }
    let announced = json!({ "name": "t", "type": 10 });
    let (status, announced) = discord.bot(Method::POST, &threads(&id(&news)), announced).await;
    assert_eq!((status, &announced["type"]), (201, &json!(10)));
    discord.deny(BOT_USER, GENERAL, bits::CREATE_PUBLIC_THREADS);
    let refused = discord.bot(Method::POST, &general, json!({ "name": "t", "type": 11 })).await;
    assert_eq!(refusal(refused), (403, 50_013));
}

#[tokio::test]
async fn a_message_opens_an_archived_thread_unless_it_is_locked() {
    let mut discord = Discord::new().await;
    let thread = discord.opens(json!({ "name": "t", "type": 11 })).await;
    let said = discord.bot_says(id(&thread), "one").await;
    let (status, archived) = discord.change(&thread, json!({ "archived": true })).await;
    assert_eq!((status, &archived["thread_metadata"]["archived"]), (200, &json!(true)));
    // Nothing in it can be changed meanwhile.
    let message = format!("/channels/{}/messages/{}", id(&thread), id(&said));
    let reaction = format!("{message}/reactions/%F0%9F%91%8D/@me");
    for (method, path) in [
        (Method::PATCH, &message),
        (Method::DELETE, &message),
        (Method::PUT, &reaction),
        (Method::PUT, &format!("/channels/{}/thread-members/{BEN}", id(&thread))),
    ] {
        let refused = discord.bot(method.clone(), path, json!({ "content": "x" })).await;
        assert_eq!(refusal(refused), (400, 50_083), "{method} {path}");
    }
    let renamed = discord.change(&thread, json!({ "name": "other" })).await;
    assert_eq!(refusal(renamed), (400, 50_083));

    discord.events();
    discord.says(BEN, id(&thread), "two").await;
    let events = discord.events();
    assert_eq!(events[0].0, "THREAD_UPDATE");
    assert_eq!(events[0].1["thread_metadata"]["archived"], false);
    assert!(events.iter().any(|(name, _)| *name == "THREAD_MEMBERS_UPDATE"), "ben joined");

    // Only moderators may lock; ada owns the guild.
    let locked = json!({ "locked": true });
    assert_eq!(refusal(discord.change(&thread, locked.clone()).await), (403, 50_013));
    let path = format!("/channels/{}", id(&thread));
    assert_eq!(discord.human(ADA, Method::PATCH, &path, locked).await.0, 200);
    let posts = format!("{path}/messages");
    let post = json!({ "content": "x" });
    assert_eq!(refusal(discord.bot(Method::POST, &posts, post.clone()).await), (403, 160_005));
    let closed = json!({ "archived": true });
    assert_eq!(discord.human(ADA, Method::PATCH, &path, closed).await.0, 200);
    assert_eq!(refusal(discord.bot(Method::POST, &posts, post.clone()).await), (400, 50_083));
    let opened = json!({ "archived": false });
    assert_eq!(refusal(discord.change(&thread, opened).await), (403, 50_013));
    discord.says(ADA, id(&thread), "moderators may").await;
    let (_, now) = discord.bot(Method::GET, &path, json!({})).await;
    assert_eq!(now["thread_metadata"]["archived"], false);
}

#[tokio::test]
async fn owners_rename_their_threads_and_nobody_elses() {
    let mut discord = Discord::new().await;
    let own = discord.opens(json!({ "name": "mine", "type": 11 })).await;
    discord.events();
    let (status, renamed) = discord.change(&own, json!({ "name": "renamed" })).await;
    assert_eq!((status, &renamed["name"]), (200, &json!("renamed")));
    let events = discord.events();
    assert_eq!((events[0].0, events[1].0), ("THREAD_UPDATE", "MESSAGE_CREATE"));
    assert_eq!((&events[1].1["type"], &events[1].1["content"]), (&json!(4), &json!("renamed")));
    for (body, expected) in [
        (json!({ "name": "" }), (400, 50_035)),
        (json!({ "auto_archive_duration": 5 }), (400, 50_035)),
        (json!({ "rate_limit_per_user": 21_601 }), (400, 50_035)),
        (json!({ "rate_limit_per_user": 5 }), (403, 50_013)),
    ] {
        assert_eq!(refusal(discord.change(&own, body.clone()).await), expected, "{body}");
    }
    let path = format!("/channels/{GENERAL}/threads");
    let bens = discord.human(BEN, Method::POST, &path, json!({ "name": "bens", "type": 11 })).await;
    let bens = bens.1;
    for (body, expected) in
        [(json!({ "name": "stolen" }), (403, 50_013)), (json!({ "archived": true }), (403, 50_013))]
    {
        assert_eq!(refusal(discord.change(&bens, body.clone()).await), expected, "{body}");
    }
    // Whoever may write may open it again, and nothing besides.
    let archived = json!({ "archived": true });
    let path = format!("/channels/{}", id(&bens));
    assert_eq!(discord.human(BEN, Method::PATCH, &path, archived).await.0, 200);
    let both = json!({ "archived": false, "name": "stolen" });
    assert_eq!(refusal(discord.change(&bens, both).await), (403, 50_013));
    assert_eq!(discord.change(&bens, json!({ "archived": false })).await.0, 200);
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_THREADS);
    assert_eq!(discord.change(&bens, json!({ "name": "moderated", "locked": true })).await.0, 200);
}

#[tokio::test]
async fn private_threads_are_for_their_members() {
    let mut discord = Discord::new().await;
    let path = format!("/channels/{GENERAL}/threads");
    let body = json!({ "name": "secret", "type": 12, "invitable": false });
    let (_, thread) = discord.human(BEN, Method::POST, &path, body).await;
    let own = format!("/channels/{}", id(&thread));
    for (method, path) in [
        (Method::GET, own.clone()),
        (Method::GET, format!("{own}/messages")),
        (Method::PUT, format!("{own}/thread-members/@me")),
        (Method::POST, format!("{own}/messages")),
    ] {
        let refused = discord.bot(method, &path, json!({ "content": "x" })).await;
        assert_eq!(refusal(refused), (403, 50_001), "{path}");
    }
    let mut gateway = discord.gateway(&discord.server.bot_token(), 1 | 1 << 9).await;
    discord.events();
    let member = format!("{own}/thread-members/{BOT_USER}");
    assert_eq!(discord.human(BEN, Method::PUT, &member, json!(null)).await.0, 204);
    let told = gateway.dispatch("THREAD_CREATE").await;
    assert_eq!((&told["id"], told.get("newly_created")), (&thread["id"], None));
    assert_eq!(told["member"]["user_id"], BOT_USER.to_string());
    assert_eq!(gateway.dispatch("THREAD_MEMBERS_UPDATE").await["member_count"], 2);
    let note = discord.event("MESSAGE_CREATE");
    assert_eq!(
        (&note["type"], &note["mentions"][0]["id"]),
        (&json!(1), &json!(BOT_USER.to_string()))
    );
    discord.bot_says(id(&thread), "thanks").await;

    // It is not invitable: its owner and moderators alone add others.
    let cleo = format!("{own}/thread-members/{CLEO}");
    assert_eq!(refusal(discord.bot(Method::PUT, &cleo, json!(null)).await), (403, 50_013));
    assert_eq!(refusal(discord.bot(Method::GET, &cleo, json!(null)).await), (404, 10_007));
    assert_eq!(refusal(discord.bot(Method::DELETE, &cleo, json!(null)).await), (403, 50_013));
    let stranger = format!("{own}/thread-members/5");
    assert_eq!(
        refusal(discord.human(BEN, Method::PUT, &stranger, json!(null)).await),
        (404, 10_007)
    );
    let (_, members) = discord
        .bot(Method::GET, &format!("{own}/thread-members?with_member=true"), json!(null))
        .await;
    assert_eq!(members.as_array().unwrap().len(), 2);
    assert_eq!(members[1]["member"]["user"]["username"], "ben");
    assert_eq!(
        discord.bot(Method::DELETE, &format!("{own}/thread-members/@me"), json!(null)).await.0,
        204
    );
    assert_eq!(
        gateway.dispatch("THREAD_MEMBERS_UPDATE").await["removed_member_ids"],
        json!([BOT_USER.to_string()])
    );
    assert_eq!(refusal(discord.bot(Method::GET, &own, json!(null)).await), (403, 50_001));
}

#[tokio::test]
async fn archived_threads_are_listed_by_pages() {
    let discord = Discord::new().await;
    let mut threads = Vec::new();
    for name in ["one", "two", "three"] {
        let thread = discord.opens(json!({ "name": name, "type": 11 })).await;
        assert_eq!(discord.change(&thread, json!({ "archived": true })).await.0, 200);
        threads.push(thread);
    }
    let secret = discord.opens(json!({ "name": "secret", "type": 12 })).await;
    assert_eq!(discord.change(&secret, json!({ "archived": true })).await.0, 200);
    let open = discord.opens(json!({ "name": "open", "type": 11 })).await;
    // The times of archiving decide; they are set apart here.
    discord.server.world().write(|state| {
        for (thread, at) in threads.iter().zip([1000, 2000, 3000]) {
            let thread = state.channels.get_mut(&id(thread).parse().unwrap()).unwrap();
            thread.thread.archive_changed_ms = Some(at);
        }
    });
    let list = |query: &str| format!("/channels/{GENERAL}/threads/archived/public{query}");
    let names = |list: &Value| -> Vec<String> {
        let all = list["threads"].as_array().unwrap();
        all.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, first) = discord.bot(Method::GET, &list("?limit=2"), json!(null)).await;
    assert_eq!(
        (names(&first), &first["has_more"]),
        (vec!["three".into(), "two".into()], &json!(true))
    );
    assert_eq!(first["members"][0]["user_id"], BOT_USER.to_string());
    let before = first["threads"][1]["thread_metadata"]["archive_timestamp"].as_str().unwrap();
    let before = before.replace('+', "%2B");
    let (_, rest) =
        discord.bot(Method::GET, &list(&format!("?before={before}")), json!(null)).await;
    assert_eq!((names(&rest), &rest["has_more"]), (vec!["one".to_owned()], &json!(false)));
    for query in ["?limit=0", "?limit=101", "?before=yesterday"] {
        let refused = discord.bot(Method::GET, &list(query), json!(null)).await;
        assert_eq!(refusal(refused), (400, 50_035), "{query}");
    }
    let private = format!("/channels/{GENERAL}/threads/archived/private");
    assert_eq!(refusal(discord.bot(Method::GET, &private, json!(null)).await), (403, 50_013));
    let own = format!("/channels/{GENERAL}/users/@me/threads/archived/private");
    assert_eq!(names(&discord.bot(Method::GET, &own, json!(null)).await.1), ["secret"]);
    let active = format!("/guilds/{GUILD}/threads/active");
    let (_, active) = discord.bot(Method::GET, &active, json!(null)).await;
    assert_eq!(
        (names(&active), active["members"].as_array().unwrap().len()),
        (vec!["open".to_owned()], 1)
    );
    let mut gateway = discord.gateway(&discord.server.bot_token(), 1).await;
    let guild = gateway.dispatch("GUILD_CREATE").await;
    assert_eq!(
        (guild["threads"].as_array().unwrap().len(), &guild["threads"][0]["id"]),
        (1, &open["id"])
    );
}

#[tokio::test]
async fn what_is_deleted_is_gone_with_all_that_is_in_it() {
    let mut discord = Discord::new().await;
    let thread = discord.opens(json!({ "name": "t", "type": 11 })).await;
    let path = format!("/channels/{}", id(&thread));
    assert_eq!(refusal(discord.bot(Method::DELETE, &path, json!(null)).await), (403, 50_013));
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_THREADS | bits::MANAGE_CHANNELS);
    discord.events();
    let (status, gone) = discord.bot(Method::DELETE, &path, json!(null)).await;
    assert_eq!((status, &gone["id"]), (200, &thread["id"]));
    let told = discord.event("THREAD_DELETE");
    assert_eq!((&told["parent_id"], &told["type"]), (&json!(GENERAL.to_string()), &json!(11)));
    assert_eq!(refusal(discord.bot(Method::GET, &path, json!(null)).await), (404, 10_003));

    let second = discord.opens(json!({ "name": "t", "type": 11 })).await;
    let general = format!("/channels/{GENERAL}");
    discord.events();
    assert_eq!(discord.bot(Method::DELETE, &general, json!(null)).await.0, 200);
    assert_eq!(discord.names(), ["CHANNEL_DELETE"]);
    let path = format!("/channels/{}/messages", id(&second));
    assert_eq!(refusal(discord.bot(Method::GET, &path, json!(null)).await), (404, 10_003));
    let random = format!("/channels/{RANDOM}");
    assert_eq!(refusal(discord.bot(Method::DELETE, &random, json!(null)).await), (403, 50_013));
}

#[tokio::test]
async fn channels_are_edited_by_those_who_manage_them() {
    let mut discord = Discord::new().await;
    let path = format!("/channels/{GENERAL}");
    let change = json!({ "name": "lobby", "topic": "all", "rate_limit_per_user": 5 });
    assert_eq!(refusal(discord.bot(Method::PATCH, &path, change.clone()).await), (403, 50_013));
    discord.allow(BOT_USER, GENERAL, bits::MANAGE_CHANNELS);
    let (status, changed) = discord.bot(Method::PATCH, &path, change).await;
    assert_eq!(
        (status, &changed["topic"], &changed["rate_limit_per_user"]),
        (200, &json!("all"), &json!(5))
    );
    assert_eq!(discord.event("CHANNEL_UPDATE")["name"], "lobby");
    let (_, cleared) = discord.bot(Method::PATCH, &path, json!({ "topic": null })).await;
    assert_eq!(cleared["topic"], Value::Null);
    for body in [json!({ "topic": "x".repeat(1025) }), json!({ "name": "x".repeat(101) })] {
        assert_eq!(refusal(discord.bot(Method::PATCH, &path, body).await), (400, 50_035));
    }
}
