//! Interruption: both sources, the minimum, and what the provider is told.

use super::*;

#[test]
fn voice_scenario_37_a_speaker_stops_the_answer_within_one_frame_and_the_history_holds_what_was_heard()
 {
    let mut room = Room::answering(settings(), 9_000);
    room.run(3_000);
    assert_eq!(room.heard.len(), 150);
    room.journal.clear();
    room.sent.clear();
    room.start(BOB);
    room.frame(BOB);
    assert_eq!(
        room.journal,
        [
            "realtime barge-in detected source=speaker-start guild=1 channel=2 user=12 \
             playerStatus=playing",
            "realtime barge-in requested reason=speaker-start guild=1 channel=2 \
             outputAudioMs=9000 outputActive=true playbackChunks=1",
            "-> 0 response.cancel",
            "realtime model interrupt requested client:response.cancel reason=barge-in",
            "-> 0 conversation.item.truncate",
            "realtime model audio truncated client:conversation.item.truncate reason=barge-in \
             audioEndMs=3000",
            "realtime audio playback stopped reason=barge-in guild=1 channel=2 audioMs=9000 \
             elapsedMs=2980 chunks=1 discordBytes=576000 realtimeBytes=432000",
            "realtime speaker turn opened guild=1 channel=2 user=12 speaker=Bob owner=false \
             pendingTurns=1",
            "realtime input audio started guild=1 channel=2 user=12 speaker=Bob \
             discordBytes=3840 realtimeBytes=960 outputAudioMs=0 outputActive=false",
        ]
    );
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 3_000)]);
    room.delta(0, "r1", "i1", 1_000);
    room.fades_out();
    room.run(1_000);
    assert_eq!(room.heard.len(), 151, "late audio is dropped");
    assert_eq!(room.talk.stats().late_audio, 1);
    room.journal.clear();
    room.done(0, "r1", "cancelled");
    assert_eq!(
        room.journal,
        ["realtime model interrupt confirmed server:response.done status=cancelled"]
    );
    room.stop(BOB);
    room.run(2_500);
    assert!(room.journal_has("user=12 speaker=Bob owner=false hasAudio=true"));
    assert!(room.journal_has("interruptedPlayback=true"));
}

#[test]
fn voice_scenario_38_too_early_is_skipped_and_playback_goes_on_but_a_minimum_of_0_interrupts() {
    let mut room = Room::answering(settings(), 9_000);
    room.run(100);
    room.journal.clear();
    room.sent.clear();
    room.start(BOB);
    assert_eq!(
        room.journal[..3],
        [
            "realtime barge-in detected source=speaker-start guild=1 channel=2 user=12 \
             playerStatus=playing",
            "realtime barge-in requested reason=speaker-start guild=1 channel=2 \
             outputAudioMs=9000 outputActive=true playbackChunks=1",
            "realtime model interrupt ignored client:conversation.item.truncate.skipped \
             reason=barge-in audioEndMs=100 minAudioEndMs=250",
        ]
    );
    let before = room.heard.len();
    room.run(200);
    assert_eq!(room.heard.len(), before + 10);
    assert!(room.sent.is_empty());

    let none = ConversationSettings { min_barge_in_audio_end_ms: 0, ..settings() };
    let mut room = Room::answering(none, 9_000);
    room.run(100);
    room.sent.clear();
    room.start(BOB);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 100)]);
}

#[test]
fn voice_scenario_39_without_barge_in_a_turn_that_starts_during_playback_is_dropped_whole() {
    let mut room = Room::answering(ConversationSettings { barge_in: false, ..settings() }, 2_000);
    room.run(1_000);
    room.journal.clear();
    room.appended.clear();
    room.start(BOB);
    for _ in 0..100 {
        room.frame(BOB);
        room.run(20);
    }
    assert_eq!(
        room.journal,
        ["realtime capture ignored during playback (barge-in disabled) guild=1 channel=2 user=12"]
    );
    assert!(room.appended.is_empty(), "dropped also after the answer's end");
    room.done(0, "r1", "completed");
    room.run(40);
    room.stop(BOB);
    room.configure(1);
    room.speak(BOB, 100);
    assert!(!room.appended.is_empty(), "the next talkspurt is heard");
}

#[test]
fn voice_scenario_40_a_microphone_that_is_open_when_playback_starts_is_one_interruption() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.start(BOB);
    room.frame(BOB);
    room.created(0, "r1");
    room.delta(0, "r1", "i1", 9_000);
    room.run(400);
    room.journal.clear();
    room.sent.clear();
    for _ in 0..20 {
        room.frame(BOB);
        room.run(20);
    }
    assert_eq!(
        room.journal[..2],
        [
            "realtime barge-in detected source=active-speaker-audio guild=1 channel=2 user=12 \
             speaker=Bob outputAudioMs=9000 outputActive=true discordBytes=7680 \
             realtimeBytes=1920",
            "realtime barge-in requested reason=active-speaker-audio guild=1 channel=2 \
             outputAudioMs=9000 outputActive=true playbackChunks=1",
        ]
    );
    assert_eq!(room.count("barge-in detected"), 1);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 400)]);
}

#[test]
fn a_talkspurt_after_one_that_came_too_early_interrupts() {
    let mut room = Room::answering(settings(), 9_000);
    room.run(100);
    room.start(BOB);
    room.frame(BOB);
    assert_eq!(room.count("truncate.skipped"), 2, "once per source");
    room.run(100);
    room.frame(BOB);
    room.run(100);
    room.stop(BOB);
    room.sent.clear();
    room.start(BOB);
    room.frame(BOB);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 300)]);
}

#[test]
fn voice_scenario_41_speech_while_nothing_plays_cuts_nothing() {
    let mut room = Room::ready(settings());
    room.start(ADA);
    room.frame(ADA);
    assert_eq!(
        room.journal[0],
        "realtime barge-in ignored reason=speaker-start outputActive=false guild=1 channel=2 \
         playbackChunks=0"
    );
    assert!(room.sent.is_empty());
}

#[test]
fn provider_scenario_04_an_answer_that_was_heard_whole_stays_as_it_is() {
    let mut room = Room::answering(settings(), 2_000);
    room.done(0, "r1", "completed");
    room.run(2_000);
    room.sent.clear();
    room.start(BOB);
    assert!(room.sent.is_empty());
}

#[test]
fn provider_scenario_05_an_answer_that_was_generated_whole_is_truncated_and_not_cancelled() {
    let mut room = Room::answering(settings(), 7_000);
    room.done(0, "r1", "completed");
    room.run(3_000);
    room.sent.clear();
    room.start(BOB);
    assert_eq!(room.sent(), [truncate("i1", 3_000)]);
    room.fades_out();
}

#[test]
fn provider_scenario_06_an_item_without_audio_is_deleted() {
    let mut room = Room::answering(settings(), 1_000);
    room.added(0, "r1", "i2");
    room.run(600);
    room.sent.clear();
    room.start(BOB);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 600), delete("i2")]);

    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.created(0, "r1");
    room.added(0, "r1", "i1");
    room.server(0, &json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    room.done(0, "r1", "cancelled");
    assert_eq!(room.sent(), [delete("i1")]);
}

#[test]
fn provider_scenario_07_of_three_items_the_first_stays_the_second_is_cut_and_the_third_deleted() {
    let mut room = Room::answering(settings(), 1_000);
    for item in ["i2", "i3"] {
        room.delta(0, "r1", item, 4_000);
    }
    room.run(1_700);
    room.sent.clear();
    room.start(BOB);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i2", 700), delete("i3")]);
}

#[test]
fn provider_scenario_08_a_refused_truncation_is_logged_and_the_next_turn_works() {
    let mut room = Room::answering(settings(), 5_000);
    room.run(4_980);
    room.sent.clear();
    room.start(BOB);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 4_915)]);
    let event_id = room.sent[1].1["event_id"].as_str().unwrap().to_owned();
    room.error(0, "invalid_value", &event_id);
    assert_eq!(room.talk.stats().repairs_refused, 1);
    assert!(
        room.journal_has("realtime error guild=1 channel=2 code=invalid_value message=\"as told\"")
    );
    room.done(0, "r1", "cancelled");
    room.stop(BOB);
    room.created(0, "r2");
    room.delta(0, "r2", "i2", 1_000);
    assert!(room.tick());
}

#[test]
fn the_providers_own_detection_stops_playback_without_a_second_cancel() {
    let mut room = Room::answering(settings(), 9_000);
    room.run(1_000);
    room.sent.clear();
    room.journal.clear();
    room.server(0, &json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    assert_eq!(room.sent(), [truncate("i1", 1_000)]);
    assert!(room.journal_has("playback stopped reason=provider-clear-audio"));
    room.done(0, "r1", "cancelled");
    assert!(room.journal_has("interrupt confirmed"));
    room.fades_out();
}

#[test]
fn the_providers_detection_on_another_connection_does_cancel() {
    let mut room = Room::answering(settings(), 9_000);
    room.configure(1);
    room.run(100);
    // Bob begins too early to interrupt, and goes on.
    room.start(BOB);
    room.frame(BOB);
    room.run(1_000);
    room.sent.clear();
    room.server(1, &json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 1_100)]);
    assert_eq!(room.sent.iter().map(|(lane, _)| *lane).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn the_minimum_holds_for_the_providers_detection_too() {
    let mut room = Room::answering(settings(), 2_000);
    room.run(100);
    room.sent.clear();
    room.journal.clear();
    room.added(0, "r1", "i2");
    room.server(0, &json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    room.done(0, "r1", "cancelled");
    assert!(room.journal_has("truncate.skipped reason=barge-in audioEndMs=100"));
    room.heard.clear();
    room.run(3_000);
    assert_eq!(room.heard.len(), 95, "what was sent plays out");
    assert_eq!(room.sent(), [delete("i2")], "what was never sent is not in the history");
}

#[test]
fn with_the_provider_flag_off_its_detection_changes_nothing() {
    let echo = ConversationSettings { interrupt_response_on_input_audio: false, ..settings() };
    let mut room = Room::answering(echo, 9_000);
    room.run(1_000);
    room.sent.clear();
    room.server(0, &json!({"type": "input_audio_buffer.speech_started", "item_id": "u"}));
    assert!(room.sent.is_empty());
    assert!(room.tick());
}

#[test]
fn an_answer_to_somebody_else_waits_until_the_interrupter_is_done() {
    let mut room = Room::answering(settings(), 9_000);
    room.configure(1);
    room.speak(BOB, 20);
    room.run(3_000);
    room.created(1, "r2");
    room.delta_of(1, "r2", "i2", &[5; 24_000]);
    room.done(1, "r2", "completed");
    let eve = UserId::new(13);
    room.start(eve);
    room.fades_out();
    room.heard.clear();
    for _ in 0..50 {
        room.frame(eve);
        room.run(20);
    }
    assert!(room.heard.is_empty(), "silence while Eve talks");
    room.stop(eve);
    room.run(100);
    assert_eq!(room.heard.first().map(|(_, sample)| *sample), Some(5));
}

#[test]
fn a_cancel_that_comes_too_late_is_a_race_and_nothing_else() {
    let mut room = Room::answering(settings(), 9_000);
    room.run(1_000);
    room.start(BOB);
    room.done(0, "r1", "completed");
    room.journal.clear();
    room.error(0, "response_cancel_not_active", "");
    assert_eq!(room.journal, ["realtime model interrupt raced server:error"]);
    assert_eq!(room.failed, None);
}

#[test]
fn an_interrupter_who_never_stops_holds_answers_back_for_three_seconds() {
    let mut room = Room::answering(settings(), 9_000);
    room.configure(1);
    room.speak(BOB, 20);
    room.run(3_000);
    room.created(1, "r2");
    room.delta_of(1, "r2", "i2", &[5; 24_000]);
    room.done(1, "r2", "completed");
    let eve = UserId::new(13);
    room.start(eve);
    let interrupted = room.now;
    room.fades_out();
    room.heard.clear();
    assert!(!room.talk.wants_frame(), "no clock for what may not start");
    for _ in 0..149 {
        room.frame(eve);
        room.run(20);
    }
    assert!(room.heard.is_empty());
    let held_until = interrupted + Duration::from_secs(3);
    assert_eq!(room.talk.poll_timeout(), Some((held_until, Timer::Hold)));
    for _ in 0..60 {
        room.frame(eve);
        room.run(20);
    }
    assert_eq!(room.heard.len(), 50, "the answer plays, and plays whole");
    assert!(room.heard[0].0.since(held_until) <= TICK);

    // Their next talkspurt in the same turn does not bring the old hold back.
    room.stop(eve);
    room.run(1_000);
    room.created(1, "r3");
    room.delta_of(1, "r3", "i3", &[6; 24_000]);
    room.start(eve);
    assert!(room.talk.wants_frame());
}

#[test]
fn provider_scenario_3_three_of_nine_seconds_played_are_three_in_the_history() {
    let mut room = Room::answering(settings(), 9_000);
    room.run(3_000);
    room.sent.clear();
    room.start(BOB);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 3_000)]);
    room.fades_out();
    room.run(1_000);
    assert_eq!(room.heard.len(), 151);
}
