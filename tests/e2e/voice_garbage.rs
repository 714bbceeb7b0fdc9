//! A voice server that sends nonsense among its packets and messages: counted, skipped, and the
//! call goes on.

use localcord::{
    fault::{FaultSettings, PacketChange, PacketFault, TrailerForgery, VoiceMessage},
    world::default::{ADA, BOT_USER},
};
use serde_json::json;

use crate::{
    audio::{ASK, likeness_24k, recorded},
    scene::{Scene, ask, meet, parrot},
};

#[tokio::test]
async fn garbage_packets_and_forged_trailers_are_counted_and_skipped() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    let packets = garbage()
        .into_iter()
        .zip(0..)
        .map(|(change, index)| PacketFault {
            from: None,
            to: Some(BOT_USER),
            skip: 10 + 5 * index,
            every: 1,
            percent: 100.0,
            times: Some(1),
            insert: true,
            change,
        })
        .collect();
    scene.server.faults().set(FaultSettings { packets, ..FaultSettings::default() });
    ask(&ada, ASK).await;
    agent.stop().await;

    let heard = likeness_24k(ASK, &recorded(&scene.recordings(), "provider-000-heard.wav"));
    assert!(heard >= 0.9, "the provider heard {heard}");
    assert_eq!(scene.of_bot("voice", "identify").len(), 1, "the call went on");
    let counted = agent.record("voice session statistics").await.fields;
    for name in ["malformed", "transportFailed", "undecryptable", "plaintextRefused", "duplicate"] {
        assert!(counted[name].as_u64() > Some(0), "{name}: {counted}");
    }
}

/// One of each kind.
fn garbage() -> Vec<PacketChange> {
    use TrailerForgery as Forgery;
    let forgeries = [
        Forgery::SizeZero,
        Forgery::SizeTooSmall,
        Forgery::SizeTooLarge,
        Forgery::NonceUnending,
        Forgery::NonceTooLarge,
        Forgery::RangeOutside,
        Forgery::RangesOverlap,
        Forgery::RangesDescend,
        Forgery::RangeOverflows,
        Forgery::RangeIncomplete,
        Forgery::Unauthentic,
        Forgery::Empty,
        Forgery::MarkerOnly,
    ];
    let forgeries = forgeries.map(|forgery| PacketChange::DaveTrailer { forgery });
    let others = [
        PacketChange::PaddingOnly { bytes: 255 },
        PacketChange::PaddingCount { count: 0 },
        PacketChange::PaddingCount { count: 255 },
        PacketChange::ExtensionTruncated,
        PacketChange::Plaintext,
        PacketChange::PayloadType { value: 101 },
        PacketChange::Rtcp,
        PacketChange::Runt { bytes: 0 },
        PacketChange::Runt { bytes: 11 },
        PacketChange::Runt { bytes: 31 },
        PacketChange::SourcePort,
        PacketChange::WrongTag,
        PacketChange::Replay { back: 3 },
    ];
    others.into_iter().chain(forgeries).collect()
}

#[tokio::test]
async fn garbage_messages_of_the_voice_gateway_are_counted_and_skipped() {
    let scene = Scene::new().await;
    let ada = scene.joins(ADA).await;
    let mut agent = scene.agent(&parrot());
    meet(&ada, &agent).await;
    let text = |text: &str| VoiceMessage::RawText { text: text.to_owned() };
    let binary = |hex: &str| VoiceMessage::RawBinary { hex: hex.to_owned() };
    let json = |op, d| VoiceMessage::Json { op, d };
    let garbage = [
        text(""),
        text("{"),
        text("[]"),
        text("{\"op\":\"5\"}"),
        text("{\"op\":5}"),
        text("{\"op\":99,\"d\":null}"),
        json(5, json!({ "user_id": "x", "ssrc": -1, "speaking": "yes" })),
        json(11, json!({ "user_ids": "all" })),
        json(13, json!({})),
        json(21, json!({ "transition_id": "7" })),
        json(22, json!({ "transition_id": 40_000 })),
        json(24, json!({ "epoch": [] })),
        binary(""),
        binary("00"),
        binary("0001"),
        binary("000163"),
    ];
    for message in &garbage {
        assert!(scene.server.voice().inject(BOT_USER, message));
    }
    ask(&ada, ASK).await;
    agent.stop().await;

    let heard = likeness_24k(ASK, &recorded(&scene.recordings(), "provider-000-heard.wav"));
    assert!(heard >= 0.9, "the provider heard {heard}");
    assert_eq!(scene.of_bot("voice", "identify").len(), 1, "the call went on");
    let counted = agent.record("voice session statistics").await.fields;
    assert!(counted["gatewayUnreadable"].as_u64() >= Some(8), "{counted}");
}
