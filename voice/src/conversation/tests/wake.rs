//! The wake-name gate in a room.

use super::*;
use crate::conversation::ConsultPolicy;

fn gated() -> ConversationSettings {
    let mut settings = settings();
    settings.consult_policy = ConsultPolicy::Always;
    settings.wake_names = Some(vec!["Molty".into(), "OpenClaw".into()]);
    settings
}

fn ada() -> Room {
    let mut room = Room::ready(gated());
    room.speak(ADA, 200);
    room
}

#[test]
fn voice_scenario_34_only_a_call_by_name_reaches_the_agent_without_the_name() {
    let mut room = ada();
    room.said(0, "how is it going");
    room.run(1_000);
    assert!(room.asked.is_empty());
    assert!(room.journal_has("realtime wake-name gate ignored transcript chars=15 wakeNames=2"));
    room.said(0, "Hey, Molty, how is it going");
    room.run(200);
    assert_eq!(room.asked[0].message, "how is it going");
    assert!(
        room.journal_has("realtime wake-name gate matched canonical=Molty heard=Molty match=exact")
    );
}

#[test]
fn voice_scenario_35_after_a_name_alone_the_same_speaker_goes_on() {
    let mut room = ada();
    room.speak(BOB, 200);
    room.configure(1);
    room.said(0, "Molty.");
    room.said(1, "what is the time in Oslo?");
    room.run(500);
    assert!(room.asked.is_empty());
    room.said(0, "what is the time in Oslo?");
    room.run(200);
    assert_eq!(room.asked.iter().map(|ask| ask.by.user).collect::<Vec<_>>(), [ADA]);
    assert!(room.journal_has("realtime wake-name follow-up accepted user=11 speaker=Ada"));
}

#[test]
fn voice_scenario_36_an_early_name_is_acknowledged_once_and_never_half_a_word() {
    let mut room = ada();
    let partial = |room: &mut Room, delta: &str| {
        room.server(
            0,
            &json!({"type": "conversation.item.input_audio_transcription.delta",
                    "item_id": "u", "content_index": 0, "delta": delta}),
        );
    };
    partial(&mut room, "Mostly");
    assert!(room.told_to_say().is_empty());
    let mut room = ada();
    partial(&mut room, "Molty,");
    partial(&mut room, " what is");
    partial(&mut room, " the time");
    assert_eq!(room.told_to_say(), ["Yeah."]);
}

#[test]
fn where_a_name_is_needed_nothing_answers_or_interrupts_by_itself() {
    let mut room = Room::new(gated());
    assert!(room.journal_has("autoRespond=false interruptResponse=false bargeIn=false"));
    room.configure(0);
    let detection = &room.sent[0].1["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(detection["create_response"], false);
    assert_eq!(detection["interrupt_response"], false);
}
