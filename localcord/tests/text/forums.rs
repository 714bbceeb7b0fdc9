//! Posts in forums and media channels.

use localcord::world::{
    bits,
    default::{BEN, BOT_USER, GUILD},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::discord::{Discord, id, refusal};

async fn forum(discord: &Discord, kind: &str, require_tag: bool) -> Value {
    let tags = json!([{ "name": "bug" }, { "name": "done", "moderated": true }]);
    let body = json!({
        "name": "help",
        "type": kind,
        "available_tags": tags,
        "require_tag": require_tag,
        "default_auto_archive_duration": 4320,
    });
    let path = format!("/guilds/{GUILD}/channels");
    let (status, forum) = discord.control(Method::POST, &path, body).await;
    assert_eq!(status, 201, "{forum}");
    forum
}

#[tokio::test]
async fn a_post_is_a_thread_with_its_first_message() {
    let mut discord = Discord::new().await;
    for (name, number) in [("forum", 15), ("media", 16)] {
        let forum = forum(&discord, name, false).await;
        assert_eq!(
            (&forum["type"], &forum["available_tags"][0]["name"]),
            (&json!(number), &json!("bug"))
        );
        discord.events();
        let tag = forum["available_tags"][0]["id"].clone();
        let body = json!({
            "name": "it breaks",
            "applied_tags": [tag],
            "message": { "content": format!("when <@{BEN}> looks"), "embeds": [{ "title": "t" }] },
        });
        let path = format!("/channels/{}/threads", id(&forum));
        let (status, post) = discord.bot(Method::POST, &path, body).await;
        assert_eq!(status, 201, "{post}");
        assert_eq!((&post["type"], &post["applied_tags"]), (&json!(11), &json!([tag])));
        assert_eq!(post["thread_metadata"]["auto_archive_duration"], 4320);
        assert_eq!(
            (&post["message"]["id"], &post["message"]["channel_id"]),
            (&post["id"], &post["id"])
        );
        assert_eq!(post["message"]["embeds"][0]["type"], "rich");
        let events = discord.events();
        assert_eq!(events[0].0, "THREAD_CREATE");
        let said = events.iter().find(|(name, _)| *name == "MESSAGE_CREATE").unwrap();
        assert_eq!(
            (&said.1["mentions"][0]["username"], &said.1["type"]),
            (&json!("ben"), &json!(0))
        );
        assert_eq!(said.1.get("thread"), None, "a post is not a thread of itself");

        discord.says(BEN, id(&post), "it does").await;
        let (_, now) =
            discord.bot(Method::GET, &format!("/channels/{}", id(&post)), json!(null)).await;
        assert_eq!(now["message_count"], 1, "without the first one");
        let (_, parent) =
            discord.bot(Method::GET, &format!("/channels/{}", id(&forum)), json!(null)).await;
        assert_eq!(parent["last_message_id"], post["id"]);
        // The first message goes, the post stays.
        let first = format!("/channels/{0}/messages/{0}", id(&post));
        assert_eq!(discord.bot(Method::DELETE, &first, json!(null)).await.0, 204);
        discord.bot_says(id(&post), "still here").await;
    }
}

#[tokio::test]
async fn a_post_brings_its_files_along() {
    let discord = Discord::new().await;
    let forum = forum(&discord, "forum", false).await;
    let parts = "--x\r\ncontent-disposition: form-data; name=\"payload_json\"\r\n\r\n\
        {\"name\":\"n\",\"message\":{\"attachments\":[{\"id\":\"0\",\"description\":\"d\"}]}}\r\n\
        --x\r\ncontent-disposition: form-data; name=\"files[0]\"; filename=\"a.txt\"\r\n\r\n\
        hello\r\n--x--\r\n";
    let url = format!("{}/channels/{}/threads", discord.server.api_base_url(), id(&forum));
    let request = discord
        .client
        .post(url)
        .header("authorization", format!("Bot {}", discord.server.bot_token()))
        .header("content-type", "multipart/form-data; boundary=x")
        .body(parts);
    let (status, post) = super::discord::read(request).await;
    assert_eq!(status, 201, "{post}");
    let file = &post["message"]["attachments"][0];
    assert_eq!((&file["filename"], &file["description"]), (&json!("a.txt"), &json!("d")));
    let fetched = discord.client.get(file["url"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(fetched.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn posts_that_are_refused() {
    let discord = Discord::new().await;
    let open = forum(&discord, "forum", false).await;
    let strict = forum(&discord, "forum", true).await;
    let media = forum(&discord, "media", false).await;
    for channel in [&open, &media] {
        let path = format!("/channels/{}/messages", id(channel));
        let refused = discord.bot(Method::POST, &path, json!({ "content": "x" })).await;
        assert_eq!(refusal(refused), (400, 40_058));
        let typing = format!("/channels/{}/typing", id(channel));
        assert_eq!(refusal(discord.bot(Method::POST, &typing, json!(null)).await), (400, 40_058));
    }
    let message = json!({ "content": "c" });
    let post = |more: Value| {
        let mut body = json!({ "name": "n", "message": message });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let moderated = open["available_tags"][1]["id"].clone();
    for (forum, body, expected) in [
        (&open, json!({ "name": "n" }), (400, 50_035)),
        (&open, json!({ "message": message }), (400, 50_035)),
        (&open, post(json!({ "name": "x".repeat(101) })), (400, 50_035)),
        (&open, post(json!({ "message": {} })), (400, 50_006)),
        (&open, post(json!({ "message": { "content": "x".repeat(2001) } })), (400, 50_035)),
        (&open, post(json!({ "auto_archive_duration": 30 })), (400, 50_035)),
        (&open, post(json!({ "applied_tags": ["5"] })), (404, 10_087)),
        (&open, post(json!({ "applied_tags": ["x"] })), (400, 50_035)),
        (&open, post(json!({ "applied_tags": ["1", "2", "3", "4", "5", "6"] })), (400, 50_035)),
        (&open, post(json!({ "applied_tags": [moderated] })), (403, 50_013)),
        (&strict, post(json!({})), (400, 40_067)),
    ] {
        let path = format!("/channels/{}/threads", id(forum));
        let refused = discord.bot(Method::POST, &path, body.clone()).await;
        assert_eq!(refusal(refused), expected, "{body}");
    }
    let channel: u64 = id(&open).parse().unwrap();
    discord.deny(BOT_USER, channel, bits::SEND_MESSAGES);
    let path = format!("/channels/{channel}/threads");
    assert_eq!(refusal(discord.bot(Method::POST, &path, post(json!({}))).await), (403, 50_013));
}

#[tokio::test]
async fn the_tags_of_a_post_can_change() {
    let discord = Discord::new().await;
    let forum = forum(&discord, "forum", true).await;
    let [bug, done] = [0, 1].map(|at| forum["available_tags"][at]["id"].clone());
    let body = json!({ "name": "n", "message": { "content": "c" }, "applied_tags": [bug] });
    let path = format!("/channels/{}/threads", id(&forum));
    let (status, post) = discord.bot(Method::POST, &path, body).await;
    assert_eq!(status, 201, "{post}");
    let path = format!("/channels/{}", id(&post));
    for (tags, expected) in [(json!([]), (400, 40_067)), (json!([done]), (403, 50_013))] {
        let refused = discord.bot(Method::PATCH, &path, json!({ "applied_tags": tags })).await;
        assert_eq!(refusal(refused), expected);
    }
    discord.allow(BOT_USER, id(&forum).parse().unwrap(), bits::MANAGE_THREADS);
    let both = json!({ "applied_tags": [bug, done] });
    let (status, changed) = discord.bot(Method::PATCH, &path, both).await;
    assert_eq!((status, &changed["applied_tags"]), (200, &json!([bug, done])));
    let tags = json!({ "available_tags": [{ "name": "a" }, { "name": "a" }] });
    let path = format!("/channels/{}", id(&forum));
    discord.allow(BOT_USER, id(&forum).parse().unwrap(), bits::MANAGE_CHANNELS);
    assert_eq!(refusal(discord.bot(Method::PATCH, &path, tags).await), (400, 50_035));
}
