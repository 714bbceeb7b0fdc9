//! Answers: from the first delta to the idle player.

use super::*;

#[test]
fn an_answer_starts_plays_out_and_ends_when_the_player_is_idle() {
    let mut room = Room::answering(settings(), 1_000);
    room.run(100);
    room.done(0, "r1", "completed");
    room.run(2_000);
    assert_eq!(
        room.journal,
        [
            "realtime audio playback started guild=1 channel=2 mode=agent-proxy \
             model=gpt-realtime-2.1 voice=alloy",
            "realtime audio playback finishing reason=response.done guild=1 channel=2 \
             audioMs=1000 chunks=1",
            "realtime audio playback stopped reason=player-idle guild=1 channel=2 audioMs=1000 \
             elapsedMs=1000 chunks=1 discordBytes=192000 realtimeBytes=48000",
        ]
    );
    assert_eq!(room.heard.len(), 50);
}

/// An answer of `pieces` pieces of 100 ms, one every `gap` ms; gives how long its first frame took.
fn paced(room: &mut Room, response: &str, pieces: u64, gap: u64) -> Duration {
    room.created(0, response);
    let (first, before) = (room.now, room.heard.len());
    for _ in 0..pieces {
        room.delta(0, response, response, 100);
        room.run(gap);
    }
    room.done(0, response, "completed");
    room.run(pieces * 100 + 200);
    assert_eq!((room.heard.len() - before) as u64, pieces * 5, "whole");
    room.heard[before].0.since(first)
}

#[test]
fn provider_scenario_2_the_first_frame_of_a_fast_provider_leaves_on_the_next_tick() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    assert!(paced(&mut room, "r1", 20, 10) <= Duration::from_millis(60), "even unknown");
    for n in 2..20 {
        assert!(paced(&mut room, &format!("r{n}"), 20, 10) <= TICK);
    }
}

#[test]
fn a_provider_at_the_pace_of_speech_is_waited_for_a_little_and_never_starves() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    for n in 0..20 {
        let waited = paced(&mut room, &format!("r{n}"), 30, 100);
        assert!(waited <= Duration::from_millis(if n == 0 { 120 } else { 100 }), "{waited:?}");
    }
    let gaps = room.heard.windows(2).filter(|pair| pair[1].0.since(pair[0].0) > TICK).count();
    assert_eq!(gaps, 19, "between the answers and nowhere else");
}

#[test]
fn answers_of_several_speakers_play_one_after_the_other() {
    let mut room = Room::answering(settings(), 600);
    room.configure(1);
    room.run(20);
    room.speak(BOB, 20);
    room.journal.clear();
    room.created(1, "r2");
    room.delta_of(1, "r2", "i2", &[2; 600 * 24]);
    room.done(1, "r2", "completed");
    room.done(0, "r1", "completed");
    room.run(3_000);
    let samples: Vec<i16> = room.heard.iter().map(|(_, sample)| *sample).collect();
    assert_eq!(samples, [[1; 30], [2; 30]].concat());
    assert_eq!(room.count("playback stopped reason=player-idle"), 2);
}

#[test]
fn voice_scenario_44_an_answer_that_is_never_idle_is_freed_by_the_watchdog() {
    let mut room = Room::answering(settings(), 1_000);
    room.done(0, "r1", "completed");
    room.created(0, "r2");
    room.delta_of(0, "r2", "i2", &[2; 24_000]);
    room.done(0, "r2", "completed");
    room.journal.clear();
    // The call stops taking frames.
    let (at, timer) = room.talk.poll_timeout().unwrap();
    assert_eq!((at.since(room.now), timer), (Duration::from_secs(4), Timer::PlaybackWatchdog));
    room.now = at;
    room.talk.handle_timeout(at);
    room.drain();
    assert_eq!(
        room.journal,
        ["realtime audio playback watchdog fired reason=response.done guild=1 channel=2 \
             audioMs=1000 elapsedMs=0"]
    );
    assert!(room.tick(), "the newer answer is untouched");
    assert_eq!(room.heard[0].1, 2);
}

#[test]
fn provider_scenario_34_an_answer_whose_end_never_comes_is_closed_after_30_s() {
    let mut room = Room::answering(settings(), 1_000);
    room.sent.clear();
    room.run(29_999);
    assert!(!room.journal_has("watchdog"));
    room.run(100);
    assert!(room.journal_has("watchdog fired reason=response-timeout"));
    assert_eq!(room.sent(), [cancel("r1")]);
    assert_eq!(room.heard.len(), 50);
    room.journal.clear();
    room.speak(BOB, 20);
    assert!(room.journal_has("outputActive=false"), "the room is idle again");
}

#[test]
fn provider_scenario_33_a_done_without_a_created_is_idle() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.done(0, "r0", "completed");
    room.created(0, "r1");
    room.delta(0, "r1", "i1", 500);
    assert!(room.tick());
}

#[test]
fn provider_scenario_31_audio_of_unknown_or_ended_responses_is_dropped() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.delta(0, "never", "i1", 1_000);
    room.created(0, "r1");
    room.done(0, "r1", "completed");
    room.delta(0, "r1", "i1", 1_000);
    room.text(7, r#"{"type":"session.updated"}"#);
    assert!(!room.tick());
    let stats = room.talk.stats();
    assert_eq!((stats.late_audio, stats.late_frames), (2, 1));
}

#[test]
fn provider_scenario_30_ninety_seconds_at_once_are_taken_and_still_stop_at_once() {
    let mut room = Room::answering(settings(), 1_000);
    for _ in 0..89 {
        room.delta(0, "r1", "i1", 1_000);
    }
    room.run(1_000);
    room.start(BOB);
    room.fades_out();
    assert_eq!(room.sent().last(), Some(&truncate("i1", 1_000)));
}

#[test]
fn more_than_two_minutes_end_the_answer_and_its_connection_by_name() {
    let mut room = Room::answering(settings(), 1_000);
    room.run(500);
    room.sent.clear();
    for _ in 0..120 {
        room.delta(0, "r1", "i1", 1_000);
    }
    assert!(room.journal_has("playback stopped reason=output-audio-overflow"));
    assert!(room.journal_has("code=output-audio-overflow"));
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 500)]);
    assert_eq!(room.closed, [0]);
    assert_eq!(room.opened, [0, 1, 2]);
}

#[test]
fn provider_scenario_36_older_names_are_answered_aloud_as_well() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    let audio = STANDARD.encode([1; 48_000]);
    room.server(
        0,
        &json!({"type": "response.audio.delta", "response_id": "r1", "item_id": "i1",
                "delta": audio}),
    );
    assert!(room.tick());
    room.server(0, &json!({"type": "response.cancelled", "response_id": "r1"}));
    assert!(room.journal_has("interrupt confirmed"));
    assert!(room.journal_has("playback stopped reason=provider-clear-audio"));
    // A server that names no responses at all.
    room.server(0, &json!({"type": "conversation.output_audio.delta", "data": audio}));
    assert!(room.tick());
}

#[test]
fn provider_scenario_27_audio_that_is_not_base64_is_dropped_and_counted() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    room.text(0, r#"{"type":"response.output_audio.delta","response_id":"r1","delta":"@"}"#);
    room.delta(0, "r1", "i1", 500);
    assert!(room.tick(), "the answer goes on");
    assert_eq!(room.talk.stats().decode.bad_audio, 1);
}

#[test]
fn provider_scenario_35_unknown_events_are_ignored_and_counted() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    room.text(0, r#"{"type":"response.new_thing","anything":[1,2]}"#);
    room.delta(0, "r1", "i1", 500);
    assert!(room.tick(), "the answer goes on");
    assert_eq!(room.talk.stats().decode.unknown, 1);
}

#[test]
fn provider_scenario_37_what_is_no_event_is_skipped_and_ten_in_a_row_recycle_the_connection() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    for _ in 0..9 {
        room.text(0, "[]");
    }
    room.delta(0, "r1", "i1", 500);
    assert!(room.tick(), "the answer goes on");
    for _ in 0..9 {
        room.talk.handle_provider_binary(room.now, Lane::new(0), &[1]);
    }
    room.drain();
    assert!(room.closed.is_empty());
    room.text(0, "{");
    assert_eq!(room.closed, [0]);
    let decode = room.talk.stats().decode;
    assert_eq!((decode.unreadable, decode.bad_audio, decode.unknown), (19, 0, 0));
}

#[test]
fn provider_scenario_28_an_odd_byte_joins_the_next_delta_of_its_item() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    let bytes: Vec<u8> = [5_i16; 24_000].iter().flat_map(|s| s.to_le_bytes()).collect();
    let (first, second) = bytes.split_at(24_001);
    for piece in [first, second] {
        room.server(
            0,
            &json!({"type": "response.output_audio.delta", "response_id": "r1", "item_id": "a1",
                    "delta": STANDARD.encode(piece)}),
        );
    }
    room.done(0, "r1", "completed");
    room.run(2_000);
    assert_eq!(room.heard.iter().map(|(_, s)| *s).collect::<Vec<_>>(), [5; 50]);
}

#[test]
fn provider_scenario_32_ends_that_come_before_the_last_audio_change_nothing() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    room.added(0, "r1", "a1");
    room.delta_of(0, "r1", "a1", &[1; 12_000]);
    room.server(
        0,
        &json!({"type": "response.output_item.done", "response_id": "r1",
                "item": {"id": "a1", "type": "message", "status": "completed"}}),
    );
    room.added(0, "r1", "a2");
    room.delta_of(0, "r1", "a2", &[2; 12_000]);
    room.delta_of(0, "r1", "a1", &[3; 4_800]);
    room.server(
        0,
        &json!({"type": "response.output_audio.done", "response_id": "r1", "item_id": "a1"}),
    );
    room.delta_of(0, "r1", "a2", &[4; 12_000]);
    room.done(0, "r1", "completed");
    room.run(3_000);
    let heard: Vec<i16> = room.heard.iter().map(|(_, sample)| *sample).collect();
    assert_eq!(heard, [[1; 25].as_slice(), &[3; 10], &[2; 25], &[4; 25]].concat());
}

#[test]
fn provider_scenario_24_an_answer_lost_to_a_rate_limit_is_asked_for_once_more_then_apologised_for()
{
    let failed = |room: &mut Room, id: &str| {
        room.created(0, id);
        room.server(
            0,
            &json!({"type": "response.done", "response": {"id": id, "status": "failed",
                "status_details": {"error": {"code": "inference_rate_limit_exceeded",
                                             "message": "slow down"}}}}),
        );
    };
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    failed(&mut room, "r1");
    assert_eq!(room.sent(), [json!({"type": "response.create"})]);
    failed(&mut room, "r2");
    assert_eq!(room.count("-> 0 response.create"), 2, "once more, and the apology");
    assert!(room.journal_has("an answer is lost: slow down"));
    assert_eq!(room.told_to_say(), ["I hit an error while checking that. Please try again."]);
    failed(&mut room, "r3");
    failed(&mut room, "r4");
    room.run(5_000);
    assert_eq!(room.told_to_say().len(), 1, "an apology that fails is not apologised for");
}

#[test]
fn provider_scenario_26_a_create_that_met_a_running_response_goes_out_once_after_it() {
    let settings =
        ConversationSettings { turn_end: crate::conversation::TurnEnd::Own, ..settings() };
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.run(500);
    room.sent.clear();
    room.error(0, "conversation_already_has_active_response", "create_3");
    room.done(0, "theirs", "completed");
    assert_eq!(room.sent(), [json!({"type": "response.create"})]);
    room.done(0, "theirs", "completed");
    assert_eq!(room.sent.len(), 1);
}

#[test]
fn a_call_of_a_tool_that_was_not_offered_gets_one_error() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.created(0, "r1");
    room.server(
        0,
        &json!({"type": "response.function_call_arguments.done", "response_id": "r1",
                "call_id": "c", "name": "consult", "arguments": "{}"}),
    );
    room.server(
        0,
        &json!({"type": "response.output_item.done", "response_id": "r1", "item": {
            "type": "function_call", "status": "completed", "call_id": "c", "name": "consult",
            "arguments": "{}"}}),
    );
    let error = json!({"error": "Tool \"consult\" not available"});
    assert_eq!(room.results(), [("c".to_owned(), error)]);
}

#[test]
fn leaving_ends_playback_turns_and_connections() {
    let mut room = Room::answering(settings(), 9_000);
    room.run(100);
    room.start(BOB);
    room.journal.clear();
    room.talk.close(room.now);
    room.drain();
    assert_eq!(room.journal.len(), 2);
    assert!(room.journal[0].starts_with("realtime audio playback stopped reason=session-close"));
    assert!(room.journal[1].starts_with("realtime speaker turn closed"));
    assert_eq!(room.closed, room.opened);
    assert_eq!(room.talk.poll_timeout(), None);
    room.speak(ADA, 100);
    assert!(!room.tick());
    assert_eq!(room.journal.len(), 2);
}

#[test]
fn stray_audio_without_a_response_does_not_hold_up_the_next_answer() {
    let mut room = Room::ready(settings());
    room.server(0, &json!({"type": "response.output_audio.delta", "delta": "AAA="}));
    room.created(0, "r1");
    room.delta(0, "r1", "i1", 1_000);
    room.done(0, "r1", "completed");
    room.run(1_100);
    assert_eq!(room.heard.len(), 51, "one frame of the stray sample, then the answer");
    assert!(!room.journal_has("watchdog"), "{:#?}", room.journal);
}

#[test]
fn an_answer_that_stalls_lets_those_of_others_pass_after_two_seconds() {
    let mut room = Room::answering(settings(), 100);
    room.configure(1);
    room.speak(BOB, 20);
    room.created(1, "r2");
    room.delta_of(1, "r2", "i2", &[2; 600 * 24]);
    room.run(3_000);
    let samples: Vec<i16> = room.heard.iter().map(|(_, sample)| *sample).collect();
    assert_eq!(samples, [vec![1; 5], vec![2; 30]].concat());
    room.done(1, "r2", "completed");
    room.delta(0, "r1", "i1", 400);
    room.run(1_000);
    let samples: Vec<i16> = room.heard.iter().skip(35).map(|(_, sample)| *sample).collect();
    assert_eq!(samples, [1; 20], "it goes on when its audio is there");
}

/// A front end whose response calls the agent, and ends with that.
fn calling() -> Room {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.created(0, "calls");
    room.call(0, "c", &json!({"question": "What is the time?"}));
    room
}

#[test]
fn a_response_that_is_not_ended_after_its_call_is_over_two_seconds_later() {
    let mut room = calling();
    room.run(500);
    room.answer(0, "Noon.");
    room.run(1_499);
    assert_eq!(room.count("-> 0 response.create"), 0, "its end may still come");
    room.run(1);
    assert_eq!(room.count("-> 0 response.create"), 1);
    assert_eq!(room.count("-> 0 response.cancel"), 0, "there is nothing to cancel");
    assert!(!room.journal_has("watchdog"), "{:?}", room.journal);
    // It comes late after all.
    room.done(0, "calls", "completed");
    room.say(0, "r", 600);
    room.run(2_000);
    assert_eq!((room.heard.len(), room.count("-> 0 response.create")), (30, 1));
}

#[test]
fn a_response_goes_on_after_a_call_as_long_as_something_comes_of_it() {
    let mut room = calling();
    room.answer(0, "Noon.");
    room.run(1_900);
    room.server(
        0,
        &json!({"type": "response.function_call_arguments.delta", "response_id": "calls",
                "item_id": "item d", "call_id": "d", "delta": "{"}),
    );
    room.run(5_000);
    assert_eq!(room.count("-> 0 response.create"), 0, "another call is being written");
    room.call(0, "d", &json!({"question": "What is the weather?"}));
    room.answer(1, "Rain.");
    room.done(0, "calls", "completed");
    assert_eq!(room.count("-> 0 response.create"), 1, "one for both");
}

#[test]
fn a_response_that_was_taken_for_ended_and_was_not_is_waited_for() {
    let mut room = calling();
    room.answer(0, "Noon.");
    room.run(2_000);
    let create = room.sent.last().unwrap().1["event_id"].as_str().unwrap().to_owned();
    room.error(0, "conversation_already_has_active_response", &create);
    room.run(10_000);
    assert_eq!(room.count("-> 0 response.create"), 1);
    room.done(0, "calls", "completed");
    assert_eq!(room.count("-> 0 response.create"), 2);
}
