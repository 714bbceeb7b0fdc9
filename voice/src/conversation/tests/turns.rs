//! Turns: their grace, their silence, who is heard.

use super::*;
use crate::conversation::TurnEnd;

#[test]
fn voice_scenario_19_a_pause_within_the_grace_is_one_turn_and_the_grace_is_exact() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 40);
    room.run(2_000);
    room.speak(ADA, 20);
    assert_eq!(room.count("turn opened"), 1);
    let stopped = room.now;
    room.run(2_499);
    assert_eq!(room.count("turn closed"), 0);
    let timers: Vec<_> = room.talk.poll_timeout().into_iter().collect();
    assert_eq!(timers, [(stopped + Duration::from_millis(2_500), Timer::TurnGrace)]);
    room.run(1);
    assert_eq!(
        room.journal,
        [
            "realtime barge-in ignored reason=speaker-start outputActive=false guild=1 channel=2 \
             playbackChunks=0",
            "realtime speaker turn opened guild=1 channel=2 user=11 speaker=Ada owner=false \
             pendingTurns=1",
            "realtime input audio started guild=1 channel=2 user=11 speaker=Ada discordBytes=3840 \
             realtimeBytes=960 outputAudioMs=0 outputActive=false",
            "realtime trailing silence sent guild=1 channel=2 user=11 speaker=Ada silenceMs=700 \
             realtimeBytes=33600",
            "realtime speaker turn closed guild=1 channel=2 user=11 speaker=Ada owner=false \
             hasAudio=true chunks=3 discordBytes=11520 realtimeBytes=2880 elapsedMs=4720 \
             sinceLastAudioMs=2600 interruptedPlayback=false",
        ]
        .into_iter()
        .enumerate()
        // The second talkspurt's silence is the last but one line.
        .flat_map(|(n, line)| std::iter::repeat_n(line, if n == 3 { 2 } else { 1 }))
        .collect::<Vec<_>>()
    );
}

#[test]
fn provider_scenario_15_silence_follows_speech_on_a_20_ms_clock_until_the_provider_must_have_noticed()
 {
    let mut room = Room::ready(settings());
    room.start(ADA);
    room.frame(ADA);
    let last_frame = room.now;
    room.appended.clear();
    room.run(100);
    room.stop(ADA);
    assert_eq!(room.appended.iter().map(|(_, _, pcm)| pcm.len()).sum::<usize>(), 5 * 480);
    room.run(2_000);
    let mut total = 0;
    for (lane, at, pcm) in &room.appended {
        assert_eq!(*lane, 0);
        assert!(pcm.iter().all(|s| *s == 0));
        total += pcm.len() as u64;
        assert_eq!(at.since(last_frame), Duration::from_millis(total / 24), "in real time");
    }
    assert_eq!(total, 700 * 24);
    assert_eq!(room.count("trailing silence sent"), 1);
}

#[test]
fn silence_lasts_as_long_as_the_provider_waits_within_bounds() {
    for (silence_duration_ms, fed_ms) in [(200, 700), (1_200, 1_200), (9_000, 3_000)] {
        let mut settings = settings();
        settings.vad.silence_duration_ms = silence_duration_ms;
        let mut room = Room::ready(settings);
        room.speak(ADA, 20);
        room.run(4_000);
        assert!(room.journal_has(&format!("silenceMs={fed_ms} ")), "{silence_duration_ms}");
    }
}

#[test]
fn silence_stops_when_the_speaker_resumes() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 20);
    room.run(200);
    room.start(ADA);
    room.frame(ADA);
    room.appended.clear();
    room.run(1_000);
    assert!(room.appended.is_empty());
    assert!(!room.journal_has("trailing silence"));
}

#[test]
fn provider_scenario_13_two_who_speak_at_once_have_a_connection_each_and_their_words_stay_theirs() {
    let mut room = Room::ready(settings());
    assert_eq!(room.opened, [0]);
    room.start(ADA);
    assert_eq!(room.opened, [0, 1], "the next spare is warmed");
    room.configure(1);
    room.start(BOB);
    room.frame(ADA);
    room.frame(BOB);
    assert_eq!(room.appended.iter().map(|(lane, ..)| *lane).collect::<Vec<_>>(), [0, 1]);
    for (lane, words) in [(1, "second"), (0, "first")] {
        room.server(
            lane,
            &json!({"type": "conversation.item.input_audio_transcription.completed",
                    "item_id": "i", "content_index": 0, "transcript": words}),
        );
    }
    assert_eq!(room.transcripts, [(Some(BOB), "second".into()), (Some(ADA), "first".into())]);
    assert!(room.journal_has("realtime user transcript (5 chars): first"));
}

#[test]
fn the_bot_itself_and_other_bots_are_not_heard() {
    let mut room = Room::ready(settings());
    room.talk.handle_name(BOB, "Music".into(), true);
    for user in [BOT, BOB] {
        room.speak(user, 100);
    }
    assert!(room.appended.is_empty());
    assert_eq!(room.journal, [""; 0]);

    let mut room = Room::ready(ConversationSettings { hear_bots: true, ..settings() });
    room.talk.handle_name(BOB, "Music".into(), true);
    room.speak(BOB, 100);
    assert!(!room.appended.is_empty());
}

#[test]
fn a_start_without_audio_closes_a_turn_without_audio() {
    let mut room = Room::ready(settings());
    room.start(ADA);
    room.run(100);
    room.stop(ADA);
    room.run(2_500);
    assert_eq!(
        room.journal.last().map(String::as_str),
        Some(
            "realtime speaker turn closed guild=1 channel=2 user=11 speaker=Ada owner=false \
             hasAudio=false chunks=0 discordBytes=0 realtimeBytes=0 elapsedMs=2600 \
             interruptedPlayback=false"
        )
    );
}

#[test]
fn who_leaves_in_mid_word_gets_their_turn_ended_and_answered() {
    let mut room = Room::ready(settings());
    room.start(ADA);
    room.frame(ADA);
    room.talk.handle_member_left(room.now, ADA);
    room.drain();
    assert!(room.journal_has("turn closed"));
    room.run(1_000);
    assert!(room.journal_has("trailing silence sent"), "the provider hears the end");
}

#[test]
fn own_turn_detection_commits_and_asks_for_one_answer() {
    let mut room = Room::ready(ConversationSettings { turn_end: TurnEnd::Own, ..settings() });
    room.speak(ADA, 200);
    assert_eq!(room.sent(), [json!(null); 0]);
    room.run(500);
    let expected =
        [json!({"type": "input_audio_buffer.commit"}), json!({"type": "response.create"})];
    assert_eq!(room.sent(), expected);
}

#[test]
fn when_the_voice_connection_is_replaced_nobody_talks_for_ever() {
    let mut room = Room::ready(settings());
    room.speak(BOB, 20);
    let bob_stopped = room.now;
    room.start(ADA);
    room.frame(ADA);
    room.run(1_000);
    room.talk.handle_connection_lost(room.now);
    room.drain();
    let lost = room.now;
    assert_eq!(
        room.talk.turns.iter().map(|turn| turn.closes_at()).collect::<Vec<_>>(),
        [
            Some(bob_stopped + Duration::from_millis(2_500)),
            Some(lost + Duration::from_millis(2_500)),
        ]
    );
    room.run(2_500);
    assert!(room.talk.turns.is_empty());
    assert_eq!(room.count("trailing silence sent"), 2, "the provider hears the end of both");
    assert_eq!(room.count("turn closed"), 2);
}

#[test]
fn a_dropped_turn_ends_with_the_voice_connection() {
    let mut room = Room::answering(ConversationSettings { barge_in: false, ..settings() }, 500);
    room.done(0, "r1", "completed");
    room.start(BOB);
    room.run(1_000);
    room.talk.handle_connection_lost(room.now);
    room.configure(1);
    room.appended.clear();
    room.frame(BOB);
    assert!(!room.appended.is_empty(), "what they say on the new connection is heard");
}
