//! Buttons and selects, as humans use them.

use localcord::world::{
    bits,
    default::{ADA, APPLICATION, BEN, BOT_USER, CLEO, GENERAL, GUILD, LOUNGE},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{COMPONENTS_V2, EPHEMERAL, button, row, text, use_of};
use crate::discord::{Discord, id};

#[tokio::test]
async fn a_click_reaches_the_bot_with_all_about_it() {
    let mut discord = Discord::new().await;
    let components = json!([{ "type": 17, "components": [text("t"), row(json!([button("go")]))] }]);
    let sent = discord.posts(json!({ "flags": COMPONENTS_V2, "components": components })).await;
    let event = discord.clicks(BEN, &sent, "go").await;
    assert_eq!(event["data"], json!({ "custom_id": "go", "component_type": 2, "id": 4 }));
    assert_eq!(event["message"], sent);
    for (field, expected) in [
        ("type", json!(3)),
        ("version", json!(1)),
        ("application_id", json!(APPLICATION.to_string())),
        ("guild_id", json!(GUILD.to_string())),
        ("channel_id", json!(GENERAL.to_string())),
        ("context", json!(0)),
        ("entitlements", json!([])),
        ("authorizing_integration_owners", json!({ "0": GUILD.to_string() })),
        ("locale", json!("en-US")),
        ("guild_locale", json!("en-US")),
    ] {
        assert_eq!(event[field], expected, "{field}");
    }
    assert!(event["app_permissions"].is_string() && event["attachment_size_limit"].is_u64());
    let member = &event["member"];
    assert_eq!(member["user"]["id"], BEN.to_string());
    assert_eq!(member["permissions"], event["channel"]["permissions"]);
    assert_eq!(event["channel"]["name"], "general");
    assert!(event["channel"].get("permission_overwrites").is_none(), "in part");
    assert!(event.get("user").is_none());
}

#[tokio::test]
async fn in_a_direct_message_there_is_a_user_and_no_member() {
    let mut discord = Discord::new().await;
    let world = discord.server.world().clone();
    let channel = world.write(|state| state.direct_message(ADA, BOT_USER));
    let body = json!({ "content": "c", "components": [
        row(json!([button("go")])), row(json!([{ "type": 5, "custom_id": "who" }]))] });
    let path = format!("/channels/{channel}/messages");
    let (_, sent) = discord.bot(Method::POST, &path, body).await;
    let mut wanted = use_of(&sent, "go");
    wanted["channel_id"] = channel.to_string().into();
    let event = discord.does(ADA, "components", wanted.clone()).await;
    assert_eq!((&event["context"], &event["user"]["username"]), (&json!(1), &json!("ada")));
    assert_eq!(event["authorizing_integration_owners"], json!({ "0": "0" }));
    let may =
        bits::ATTACH_FILES | bits::EMBED_LINKS | bits::MENTION_EVERYONE | bits::USE_EXTERNAL_EMOJIS;
    assert_eq!(event["app_permissions"], may.to_string());
    for field in ["member", "guild_id", "guild", "guild_locale"] {
        assert!(event.get(field).is_none(), "{field}");
    }
    assert_eq!(discord.cannot_use(BEN, wanted.clone()).await.0, 403, "it is not ben's");
    (wanted["custom_id"], wanted["values"]) = ("who".into(), json!([BOT_USER.to_string()]));
    let event = discord.does(ADA, "components", wanted.clone()).await;
    assert!(event["data"]["resolved"].get("members").is_none());
    wanted["values"] = json!([BEN.to_string()]);
    assert_eq!(discord.cannot_use(ADA, wanted).await.0, 400, "ben is not there");
}

#[tokio::test]
async fn selects_bring_along_what_was_chosen() {
    let mut discord = Discord::new().await;
    let path = format!("/guilds/{GUILD}/roles");
    let (_, role) = discord.control(Method::POST, &path, json!({ "name": "staff" })).await;
    let options = json!([{ "label": "A", "value": "a" }, { "label": "B", "value": "b" }]);
    let select = |kind: u64| {
        row(json!([{ "type": kind, "custom_id": format!("s{kind}"), "max_values": 2 }]))
    };
    let mut string = select(3);
    string["components"][0]["options"] = options;
    let mut voice = select(8);
    voice["components"][0]["channel_types"] = json!([2]);
    let body = json!({ "content": "c",
        "components": [string, select(5), select(6), select(7), voice] });
    let sent = discord.posts(body).await;
    let (ben, bot, role) = (BEN.to_string(), BOT_USER.to_string(), id(&role));
    let lounge = LOUNGE.to_string();
    for (kind, values, resolved) in [
        (3, json!(["b", "a"]), vec![]),
        (5, json!([ben, bot]), vec!["users", "members"]),
        (6, json!([role]), vec!["roles"]),
        (7, json!([ben, role]), vec!["users", "members", "roles"]),
        (8, json!([lounge]), vec!["channels"]),
    ] {
        let mut wanted = use_of(&sent, &format!("s{kind}"));
        wanted["values"] = values.clone();
        let event = discord.does(ADA, "components", wanted).await;
        let data = &event["data"];
        assert_eq!((&data["component_type"], &data["values"]), (&json!(kind), &values));
        let named = data.get("resolved").and_then(Value::as_object);
        let mut kinds: Vec<_> = named.into_iter().flatten().map(|(kind, _)| kind).collect();
        kinds.sort();
        let mut expected = resolved;
        expected.sort_unstable();
        assert_eq!(kinds, expected, "{kind}");
    }
    for (custom_id, values, words) in [
        ("s3", json!(["c"]), "`c` is not offered in `s3`"),
        ("s3", json!([]), "`s3` takes 1 to 2 values, not 0"),
        ("s3", json!(["a", "b", "c"]), "`s3` takes 1 to 2 values, not 3"),
        ("s3", json!(["a", "a"]), "`a` is chosen twice in `s3`"),
        ("s5", json!(["404"]), "`404` is not offered in `s5`"),
        ("s6", json!(["404"]), "`404` is not offered in `s6`"),
        ("s8", json!([GENERAL.to_string()]), "is not offered in `s8`"),
    ] {
        let mut wanted = use_of(&sent, custom_id);
        wanted["values"] = values;
        let (status, told) = discord.cannot_use(ADA, wanted).await;
        assert_eq!(status, 400);
        assert!(told.ends_with(words), "{told}");
    }
    discord.deny(BEN, LOUNGE, bits::VIEW_CHANNEL);
    let mut wanted = use_of(&sent, "s8");
    wanted["values"] = json!([lounge]);
    assert_eq!(discord.cannot_use(BEN, wanted).await.0, 400, "ben does not see that channel");
}

#[tokio::test]
async fn the_client_lets_nobody_use_what_is_not_there() {
    let mut discord = Discord::new().await;
    let mut disabled = button("off");
    disabled["disabled"] = true.into();
    let link = json!({ "type": 2, "style": 5, "label": "l", "url": "https://example.com" });
    let body =
        json!({ "content": "c", "components": [row(json!([button("go"), disabled, link]))] });
    let sent = discord.posts(body).await;
    for (wanted, expected) in [
        (use_of(&sent, "off"), (409, "that component is disabled")),
        (use_of(&sent, "other"), (404, "unknown component with that `custom_id`")),
        (use_of(&sent, ""), (404, "unknown component with that `custom_id`")),
        (use_of(&json!({ "id": "5" }), "go"), (404, "unknown message")),
    ] {
        let (status, words) = discord.cannot_use(BEN, wanted).await;
        assert_eq!((status, words.as_str()), expected);
    }
    let mut with_values = use_of(&sent, "go");
    with_values["values"] = json!(["x"]);
    assert_eq!(discord.cannot_use(BEN, with_values).await.0, 400);
    let mut elsewhere = use_of(&sent, "go");
    elsewhere["channel_id"] = LOUNGE.to_string().into();
    assert_eq!(discord.cannot_use(BEN, elsewhere).await.0, 404);
    let plain = discord.says(ADA, GENERAL, "text").await;
    assert_eq!(discord.cannot_use(BEN, use_of(&plain, "go")).await.0, 404);
    discord.deny(CLEO, GENERAL, bits::VIEW_CHANNEL);
    assert_eq!(discord.cannot_use(CLEO, use_of(&sent, "go")).await.0, 403);
    discord.clicks(BEN, &sent, "go").await;
}

#[tokio::test]
async fn ephemeral_components_are_for_one_human_alone() {
    let mut discord = Discord::new().await;
    let sent = discord.posts_button().await;
    let event = discord.clicks(ADA, &sent, "go").await;
    let answer = json!({ "type": 4, "data": { "content": "psst", "flags": EPHEMERAL,
        "components": [row(json!([button("inner")]))] } });
    assert_eq!(discord.answers(&event, answer).await.0, 204);
    let hidden = discord.sees(&event, "").await["message"].clone();
    let (status, words) = discord.cannot_use(BEN, use_of(&hidden, "inner")).await;
    assert_eq!((status, words.as_str()), (404, "unknown message"));

    let inner = discord.clicks(ADA, &hidden, "inner").await;
    assert_eq!(
        (&inner["message"]["id"], &inner["message"]["flags"]),
        (&hidden["id"], &json!(EPHEMERAL))
    );
    let update = json!({ "type": 7, "data": { "content": "done", "components": [] } });
    assert_eq!(discord.answers(&inner, update).await.0, 204);
    let seen = discord.sees(&inner, "").await;
    assert_eq!(
        (&seen["message"]["id"], &seen["message"]["content"]),
        (&hidden["id"], &json!("done"))
    );
    assert_eq!(discord.cannot_use(ADA, use_of(&hidden, "inner")).await.0, 404, "it is gone");
    let (_, in_channel) = discord.bot(Method::GET, super::MESSAGES, json!(null)).await;
    assert_eq!(in_channel.as_array().unwrap().len(), 1, "only the first message is there");
}
