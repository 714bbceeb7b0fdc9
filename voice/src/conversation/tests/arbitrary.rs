//! Whatever the provider says and the speakers do, in whatever order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Start(u64),
    Frame(u64),
    Stop(u64),
    Leave(u64),
    Run(u64),
    Configure(u32),
    Text(u32, String),
    Event(u32, Value),
    Lost(u32),
}

fn event() -> impl Strategy<Value = Value> {
    let kind = prop::sample::select(vec![
        "response.created",
        "response.done",
        "response.cancelled",
        "response.output_audio.delta",
        "response.audio.delta",
        "conversation.output_audio.delta",
        "response.output_item.added",
        "response.output_item.done",
        "response.output_audio_transcript.done",
        "response.function_call_arguments.done",
        "input_audio_buffer.speech_started",
        "conversation.item.input_audio_transcription.completed",
        "session.updated",
        "error",
    ]);
    let called = prop::sample::select(vec![
        ("message", ""),
        ("function_call", "openclaw_agent_consult"),
        ("function_call", "openclaw_agent_control"),
        ("function_call", "odd"),
    ]);
    let mode = prop::sample::select(vec!["status", "cancel", "steer", "followup", "odd"]);
    let id = || prop::option::of(prop::sample::select(vec!["a", "b", "c", ""]));
    let status = prop::sample::select(vec!["completed", "cancelled", "incomplete", "failed", "?"]);
    let code = prop::sample::select(vec![
        "session_expired",
        "response_cancel_not_active",
        "conversation_already_has_active_response",
        "rate_limit_exceeded",
        "odd",
    ]);
    (kind, id(), id(), status, code, 0_usize..60_000, (called, mode)).prop_map(
        |(kind, response, item, status, code, bytes, ((item_kind, name), mode))| {
            let arguments = json!({"question": "words", "text": "words", "mode": mode});
            json!({
                "type": kind, "response_id": response, "item_id": item,
                "delta": STANDARD.encode(vec![1; bytes]), "transcript": "words",
                "item": {"id": item, "type": item_kind, "status": status, "call_id": item,
                         "name": name, "arguments": arguments.to_string()},
                "response": {"id": response, "status": status,
                             "status_details": {"error": {"code": code}}},
                "error": {"code": code, "message": "as told", "event_id": item},
            })
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let user = || 9_u64..16;
    let lane = || 0_u32..12;
    prop_oneof![
        1 => user().prop_map(Step::Start),
        4 => user().prop_map(Step::Frame),
        1 => user().prop_map(Step::Stop),
        1 => user().prop_map(Step::Leave),
        3 => (0_u64..4_000).prop_map(Step::Run),
        1 => lane().prop_map(Step::Configure),
        1 => (lane(), ".{0,80}").prop_map(|(lane, text)| Step::Text(lane, text)),
        6 => (lane(), event()).prop_map(|(lane, event)| Step::Event(lane, event)),
        1 => lane().prop_map(Step::Lost),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_of_inputs_keeps_the_conversation_bounded(
        steps in proptest::collection::vec(step(), 0..60),
        barge_in in any::<bool>(),
        min in prop::sample::select(vec![0_u32, 250]),
    ) {
        let mut settings = settings();
        settings.max_lanes = 3;
        settings.barge_in = barge_in;
        settings.min_barge_in_audio_end_ms = min;
        let mut room = Room::new(settings);
        for step in steps {
            match step {
                Step::Start(user) => room.start(UserId::new(user)),
                Step::Frame(user) => room.frame(UserId::new(user)),
                Step::Stop(user) => room.stop(UserId::new(user)),
                Step::Leave(user) => room.talk.handle_member_left(room.now, UserId::new(user)),
                // Asserts that no timer that was handled stays due.
                Step::Run(ms) => room.run(ms),
                Step::Configure(lane) => room.configure(lane),
                Step::Text(lane, text) => room.text(lane, &text),
                Step::Event(lane, event) => room.server(lane, &event),
                Step::Lost(lane) => room.lost(lane, &Closed::Lost("gone".into())),
            }
            room.drain();
            prop_assert!(room.talk.slots.len() <= 3);
            prop_assert!(room.failed.is_some() || !room.talk.slots.is_empty());
            for slot in &room.talk.slots {
                prop_assert!(slot.responses.len() <= 8);
            }
        }
        room.talk.close(room.now);
        room.drain();
        prop_assert_eq!(room.talk.poll_timeout(), None);
        prop_assert_eq!(room.count("turn opened"), room.count("turn closed"));
        prop_assert_eq!(room.count("playback started"), room.count("playback stopped"));
    }
}
