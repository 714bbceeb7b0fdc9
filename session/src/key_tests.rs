use proptest::prelude::*;

use super::*;

const ADA: UserId = UserId::new(31);

fn direct(scope: DmScope, links: &BTreeMap<String, Vec<String>>) -> String {
    let direct = DirectScope { scope, main_key: "main", links };
    SessionKey::direct("Main", "Work", ADA, direct).to_string()
}

#[test]
fn every_surface_has_openclaws_form() {
    let channel = ChannelId::new(42);
    for (key, expected) in [
        (SessionKey::channel("main", channel), "agent:main:discord:channel:42"),
        (SessionKey::channel("Sales.EU", channel), "agent:sales-eu:discord:channel:42"),
        (SessionKey::group("main", channel), "agent:main:discord:group:42"),
        (SessionKey::slash("main", ADA), "agent:main:discord:slash:31"),
        (SessionKey::title("main", channel), "agent:main:title:42"),
        (SessionKey::main("main"), "agent:main:main"),
        (SessionKey::main_as("main", " Home "), "agent:main:home"),
        (
            SessionKey::acp("codex", "default", channel),
            "agent:codex:acp:binding:discord:default:42",
        ),
    ] {
        assert_eq!(key.as_str(), expected);
    }
}

#[test]
fn direct_messages_by_scope() {
    let none = BTreeMap::new();
    for (scope, expected) in [
        (DmScope::Main, "agent:main:main"),
        (DmScope::PerPeer, "agent:main:direct:31"),
        (DmScope::PerChannelPeer, "agent:main:discord:direct:31"),
        (DmScope::PerAccountChannelPeer, "agent:main:discord:work:direct:31"),
    ] {
        assert_eq!(direct(scope, &none), expected, "{scope:?}");
    }
}

#[test]
fn who_is_linked_goes_by_the_links_name_but_for_the_main_session() {
    let links = BTreeMap::from([
        ("Ben".to_owned(), vec!["discord:32".to_owned()]),
        ("Ada L".to_owned(), vec!["telegram:9".to_owned(), " Discord:31 ".to_owned()]),
    ]);
    assert_eq!(direct(DmScope::PerPeer, &links), "agent:main:direct:ada-l");
    assert_eq!(direct(DmScope::PerChannelPeer, &links), "agent:main:discord:direct:ada-l");
    assert_eq!(direct(DmScope::Main, &links), "agent:main:main");
    let other = BTreeMap::from([("Ben".to_owned(), vec!["telegram:31".to_owned()])]);
    assert_eq!(direct(DmScope::PerPeer, &other), "agent:main:direct:31");
}

#[test]
fn agent_ids_are_made_to_fit() {
    let long = "a".repeat(70);
    for (written, expected) in [
        ("main", "main"),
        ("Work_Bot-2", "work_bot-2"),
        ("trailing-", "trailing-"),
        (" sales.eu ", "sales-eu"),
        ("sales ... eu", "sales-eu"),
        ("a--b", "a--b"),
        ("--x--", "x"),
        ("_x", "x"),
        ("x!", "x"),
        ("日本", "main"),
        ("", "main"),
        (long.as_str(), &long[..64]),
    ] {
        assert_eq!(agent_id(written), expected, "{written:?}");
    }
}

#[test]
fn a_key_is_read_back() {
    let key: SessionKey = " Agent:Main:Discord:Channel:42 ".parse().unwrap();
    assert_eq!(key, SessionKey::channel("main", ChannelId::new(42)));
    assert_eq!((key.agent(), key.channel_id()), ("main", Some(ChannelId::new(42))));
    let helper: SessionKey = "agent:codex:subagent:7f".parse().unwrap();
    assert!(helper.is_subagent() && !helper.is_acp());
    assert_eq!(
        (helper.agent(), helper.rest(), helper.channel_id()),
        ("codex", "subagent:7f", None)
    );
    assert!(SessionKey::acp("codex", "default", ChannelId::new(4)).is_acp());
    let long = format!("agent:main:{}", "x".repeat(600));
    for bad in
        ["", "main", "agent:main", "agent:main:", "agent::x", "agent:a b:x", "agent:a:x y", &long]
    {
        assert!(bad.parse::<SessionKey>().is_err(), "{bad:?}");
    }
    let json = serde_json::to_string(&helper).unwrap();
    assert_eq!(json, r#""agent:codex:subagent:7f""#);
    assert_eq!(serde_json::from_str::<SessionKey>(&json).unwrap(), helper);
    assert!(serde_json::from_str::<SessionKey>(r#""codex""#).is_err());
}

proptest! {
    #[test]
    fn every_agent_id_fits_and_stays(written in ".{0,90}") {
        let id = agent_id(&written);
        let first = id.chars().next().unwrap();
        prop_assert!(first.is_ascii_lowercase() || first.is_ascii_digit());
        prop_assert!(id.len() <= 64);
        prop_assert!(id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_'));
        prop_assert_eq!(agent_id(&id), &*id);
    }

    #[test]
    fn every_key_is_read_back(agent in ".{0,20}", account in ".{0,20}", name in ".{0,20}", scope in 0..4usize) {
        let links = BTreeMap::from([(name, vec!["discord:31".to_owned()])]);
        let scope = [DmScope::Main, DmScope::PerPeer, DmScope::PerChannelPeer, DmScope::PerAccountChannelPeer][scope];
        let direct = DirectScope { scope, main_key: "main", links: &links };
        let key = SessionKey::direct(&agent, &account, ADA, direct);
        prop_assert_eq!(key.as_str().parse::<SessionKey>(), Ok(key.clone()));
        prop_assert_eq!(key.agent(), agent_id(&agent));
    }
}
