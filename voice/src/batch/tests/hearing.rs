//! From speech to segments, and from segments to words.

use super::*;

const MS: fn(u64) -> SessionTime = SessionTime::from_millis;

#[test]
fn voice_scenario_19_a_start_within_the_grace_goes_on_with_the_segment() {
    let mut room = Room::new(settings());
    room.speak(ADA, 400);
    room.run(2_499);
    room.speak(ADA, 400);
    room.run(2_499);
    assert!(room.segments.is_empty());
    room.run(1);
    let (_, at, pcm) = &room.segments[0];
    // Two talkspurts of 400 ms, and half a second of the pause between them.
    assert_eq!((*at, pcm.len()), (MS(400 + 2_499 + 400 + 2_500), 1_300 * 24));
    assert_eq!(room.segments.len(), 1);
}

#[test]
fn voice_scenario_19_expiry_is_at_exactly_the_grace() {
    let mut room = Room::new(BatchSettings {
        capture_silence_grace: Duration::from_millis(700),
        ..settings()
    });
    room.speak(ADA, 400);
    room.run(699);
    assert!(room.segments.is_empty());
    room.run(1);
    assert_eq!(room.segments[0].1, MS(1_100));
    room.speak(ADA, 400);
    assert_eq!(room.count("capture start"), 2, "what comes after it is a segment of its own");
}

#[test]
fn voice_scenario_20_an_unauthorised_speaker_is_never_captured() {
    let mut room = Room::answering(BatchSettings { barge_in: true, ..settings() });
    room.run(500);
    let heard = room.heard.len();
    room.speak(EVE, 400);
    assert_eq!(room.heard.len(), heard + 20, "nothing was interrupted");
    room.run(5_000);
    room.speak(EVE, 600);
    room.run(5_000);
    assert_eq!((room.segments.len(), room.talk.stats().ignored), (1, 2));
    assert_eq!(room.count("realtime speaker not authorized"), 2, "once a talkspurt");
    assert_eq!(room.count("realtime barge-in"), 0);
}

#[test]
fn voice_scenario_21_speech_during_playback_is_ignored_and_playback_goes_on() {
    let mut room = Room::answering(settings());
    room.run(500);
    let began = room.heard.len();
    assert!(began > 20);
    // The talkspurt begins during playback and ends after it: all of it is ignored.
    room.start(BOB);
    for _ in 0..100 {
        room.frame(BOB);
        room.run(20);
    }
    room.stop(BOB);
    assert_eq!(room.heard.len(), 50, "one second was to be heard, and was");
    room.run(5_000);
    assert_eq!(room.segments.len(), 1);
    assert_eq!(
        room.count("realtime capture ignored during playback (barge-in disabled)"),
        1,
        "{:?}",
        room.journal
    );
    // Speaking again afterwards is heard.
    room.speak(BOB, 400);
    room.run(2_500);
    assert_eq!(room.segments.len(), 2);
}

#[test]
fn voice_scenario_21_a_segment_that_is_open_when_playback_begins_goes_on() {
    let mut room = Room::new(settings());
    room.say(ADA, "Tell me.");
    room.speak(BOB, 400);
    room.writes("One is red. Two");
    room.audio(0, 2_000, 1);
    room.run(1_000);
    assert!(!room.heard.is_empty());
    room.speak(BOB, 400);
    room.run(2_500);
    assert_eq!(room.segments.len(), 2);
}

#[test]
fn voice_scenario_22_a_segment_of_300_ms_is_dropped() {
    let mut room = Room::new(settings());
    room.speak(ADA, 300);
    room.run(5_000);
    assert!(room.segments.is_empty());
    assert_eq!(room.count("capture too short"), 1);
    room.speak(ADA, 360);
    room.run(5_000);
    assert_eq!(room.segments.len(), 1);
}

#[test]
fn voice_scenario_22_a_segment_of_250_ms_after_an_abort_is_transcribed() {
    let mut room = Room::new(settings());
    room.start(ADA);
    room.talk.audio(room.now, ADA, &[700; 250 * 24]);
    room.talk.handle_member_left(room.now, ADA);
    room.drain();
    assert_eq!(room.segments[0].2.len(), 250 * 24);
    room.start(BOB);
    room.talk.audio(room.now, BOB, &[700; 199 * 24]);
    room.talk.handle_member_left(room.now, BOB);
    room.drain();
    assert_eq!(room.count("capture too short"), 1);
}

#[test]
fn bots_and_the_bot_itself_are_not_heard() {
    let mut room = Room::new(settings());
    room.talk.handle_name(BOB, "Music".into(), true);
    room.speak(BOB, 400);
    room.speak(BOT, 400);
    room.run(5_000);
    assert_eq!((room.segments.len(), room.count("capture start")), (0, 0));
}

#[test]
fn segments_are_transcribed_one_after_the_other_in_the_order_in_which_they_ended() {
    let mut room = Room::new(settings());
    room.start(ADA);
    room.frame(ADA);
    room.speak(BOB, 400);
    for _ in 0..20 {
        room.frame(ADA);
    }
    room.run(20);
    room.stop(ADA);
    room.run(2_500);
    assert_eq!(room.segments.len(), 1, "the second waits");
    room.transcribed("Bob was first.");
    assert_eq!(room.segments.len(), 2);
    room.transcribed("Ada was second.");
    assert_eq!(room.asked(), ["Bob was first."]);
    room.answers("");
    assert_eq!(room.asked(), ["Bob was first.", "Ada was second."]);
    assert_eq!(room.asks[1].by.label, "Ada");
}

#[test]
fn a_segment_is_kept_until_it_is_transcribed() {
    let mut room = Room::new(settings());
    room.speak(ADA, 400);
    room.run(2_500);
    room.run(60 * 60 * 1_000);
    room.transcription_failed(true);
    room.run(999);
    assert_eq!(room.segments.len(), 1);
    room.run(1);
    room.transcription_failed(true);
    room.run(2_000);
    assert_eq!(room.segments.len(), 3, "after 1 s and after 2 s more");
    assert_eq!(room.segments[0].2, room.segments[2].2);
    room.transcribed("Still here.");
    assert_eq!(room.asked(), ["Still here."]);
}

#[test]
fn a_segment_that_cannot_be_transcribed_makes_way_for_the_next() {
    let mut room = Room::new(settings());
    room.speak(ADA, 400);
    room.run(2_500);
    room.speak(ADA, 400);
    room.run(2_500);
    room.transcription_failed(false);
    assert_eq!((room.segments.len(), room.talk.stats().transcriptions_failed), (2, 1));
    for _ in 0..3 {
        room.transcription_failed(true);
        room.run(10_000);
    }
    assert_eq!((room.segments.len(), room.talk.stats().transcriptions_failed), (4, 2));
    room.transcribed("too late");
    assert_eq!((room.asks.len(), room.talk.stats().late), (0, 1));
}

#[test]
fn blank_transcripts_are_no_turns() {
    let mut room = Room::new(settings());
    for text in ["", "  ", "[BLANK_AUDIO]", "..."] {
        room.say(ADA, text);
    }
    assert_eq!((room.asks.len(), room.transcripts.len()), (0, 0));
    assert_eq!(room.count("transcription empty"), 4);
}

#[test]
fn the_thirty_third_waiting_segment_is_dropped_and_told() {
    let mut room = Room::new(settings());
    for _ in 0..33 {
        room.speak(ADA, 400);
        room.run(2_500);
    }
    assert_eq!(room.talk.stats().segments_dropped, 1);
    assert_eq!(room.count("capture overflow"), 1);
    for n in 0..32 {
        room.transcribed(&format!("number {n}"));
        room.answers("");
    }
    assert_eq!(room.asks.len(), 32);
}

#[test]
fn a_segment_too_large_for_the_transcriber_goes_on_as_another() {
    let mut room = Room::new(settings());
    room.start(ADA);
    let minute = vec![700; 60 * 24_000];
    for _ in 0..8 {
        room.talk.audio(room.now, ADA, &minute);
    }
    room.stop(ADA);
    room.run(2_500);
    room.transcribed("First part.");
    let lengths: Vec<usize> = room.segments.iter().map(|(_, _, pcm)| pcm.len()).collect();
    assert_eq!(lengths[0], (20 * 1_024 * 1_024 - 44) / 2);
    assert_eq!(lengths.iter().sum::<usize>(), 8 * minute.len(), "nothing is lost between them");
}

#[test]
fn speech_beyond_the_memory_for_it_is_dropped_and_told_once() {
    let mut room = Room::new(settings());
    room.start(ADA);
    let minute = vec![700; 60 * 24_000];
    for _ in 0..30 {
        room.talk.audio(room.now, ADA, &minute);
        room.drain();
    }
    let kept = 32 * 1_024 * 1_024;
    assert_eq!(room.talk.stats().samples_dropped, 30 * minute.len() as u64 - kept);
    assert_eq!(room.count("capture overflow"), 1);
}

#[test]
fn a_replaced_connection_pauses_whoever_talks() {
    let mut room = Room::new(settings());
    room.start(ADA);
    for _ in 0..20 {
        room.frame(ADA);
    }
    room.talk.handle_connection_lost(room.now);
    room.run(2_000);
    room.start(ADA);
    room.frame(ADA);
    room.stop(ADA);
    room.run(2_500);
    assert_eq!(room.segments.len(), 1);
}

#[test]
fn only_confirmed_speech_is_an_owners() {
    for (attribution, owner) in [
        (Attribution::Confirmed, true),
        (Attribution::Announced, false),
        (Attribution::ByKey, false),
        (Attribution::Disputed, false),
    ] {
        let mut room = Room::new(settings());
        room.talk.speaking_started(room.now, ADA);
        room.talk.attributed(room.now, ADA, attribution);
        room.talk.audio(room.now, ADA, &[700; 12_000]);
        room.stop(ADA);
        room.run(2_500);
        room.transcribed("Who am I?");
        assert_eq!(room.asks[0].by.owner, owner, "{attribution:?}");
    }
    let mut room = Room::new(settings());
    room.say(BOB, "Who am I?");
    assert!(!room.asks[0].by.owner);
}
