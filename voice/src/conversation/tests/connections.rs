//! Provider connections: readiness, loss, rotation, the pool.

use super::*;

const FOREVER: Duration = Duration::from_secs(1_000_000);

fn lost() -> Closed {
    Closed::Lost("reset by peer".into())
}

#[test]
fn provider_scenario_01_no_audio_is_sent_before_the_session_is_configured() {
    let mut room = Room::new(settings());
    assert_eq!(
        room.journal,
        ["realtime bridge starting mode=agent-proxy provider=openai model=gpt-realtime-2.1 \
             voice=alloy consultPolicy=auto toolPolicy=owner autoRespond=true \
             interruptResponse=true bargeIn=true minBargeInAudioEndMs=250"]
    );
    room.speak(ADA, 6_000);
    assert!(room.appended.is_empty());
    room.configure(0);
    assert_eq!(room.ready, 1);
    assert!(room.journal_has("realtime bridge ready mode=agent-proxy provider=openai"));
    let kept: usize = room.appended.iter().map(|(_, _, pcm)| pcm.len()).sum();
    assert_eq!(kept, 5 * 24_000, "5 s, the oldest dropped");
    assert_eq!(room.sent[0].1["type"], "session.update");
    room.configure(1);
    assert_eq!(room.ready, 1, "told once");
    assert_eq!(room.count("bridge ready"), 1);
}

#[test]
fn a_lost_connection_comes_back_and_what_was_said_meanwhile_is_sent() {
    let mut room = Room::answering(settings(), 1_000);
    room.run(100);
    room.lost(0, &lost());
    assert_eq!(room.opened, [0, 1]);
    room.run(950);
    assert_eq!(room.heard.len(), 50, "what had come plays out");
    room.appended.clear();
    room.run(250);
    assert_eq!(room.opened, [0, 1, 2]);
    assert!(room.journal_has("an answer is lost; connecting again in 1."));
    room.start(ADA);
    room.frame(ADA);
    assert!(room.appended.is_empty());
    room.configure(2);
    assert_eq!(room.appended.len(), 1);
    assert_eq!(room.appended[0].0, 2);
    room.text(0, r#"{"type":"session.updated"}"#);
    assert_eq!(room.talk.stats().late_frames, 1, "the old connection is not listened to");
}

#[test]
fn five_attempts_with_doubling_waits_then_the_front_end_has_failed() {
    let mut room = Room::new(settings());
    for (lane, wait) in [1, 2, 4, 8, 16].into_iter().enumerate() {
        let lane = lane as u32;
        room.lost(lane, &lost());
        room.run(wait * 1_000 - 1);
        assert_eq!(room.opened.len(), lane as usize + 1);
        room.run(wait * 200 + 1);
        assert_eq!(room.opened.last(), Some(&(lane + 1)));
    }
    room.lost(5, &lost());
    assert_eq!(room.failed.as_deref(), Some("the provider connection was lost: reset by peer"));
    assert_eq!(room.talk.poll_timeout(), None);
}

#[test]
fn a_connection_that_never_gets_ready_is_tried_again() {
    let mut room = Room::new(settings());
    room.talk.handle_provider_opened(room.now, Lane::new(0));
    room.run(9_999);
    assert!(room.closed.is_empty());
    room.run(1_201);
    assert_eq!(
        (room.closed.as_slice(), room.opened.as_slice()),
        ([0].as_slice(), [0, 1].as_slice())
    );
}

#[test]
fn provider_scenario_20_an_expired_session_continues_on_a_fresh_one_at_once() {
    let mut room = Room::answering(settings(), 1_000);
    room.error(0, "session_expired", "");
    assert_eq!(
        (room.closed.as_slice(), room.opened.as_slice()),
        ([0].as_slice(), [0, 1, 2].as_slice())
    );
    room.lost(0, &Closed::Frame { code: 1001, reason: String::new() });
    assert_eq!(room.opened, [0, 1, 2], "the old one's close changes nothing");
    room.appended.clear();
    room.start(ADA);
    room.frame(ADA);
    room.run(500);
    room.configure(2);
    assert_eq!(room.appended.len(), 1, "speech in between was kept");
}

#[test]
fn provider_scenario_22_a_provider_that_asks_to_be_left_alone_is() {
    let mut waits = Vec::new();
    for seed in 0..4 {
        let mut room = Room::new(ConversationSettings { seed, ..settings() });
        room.start(ADA);
        let retry_after = Some(Duration::from_secs(3));
        let refused = Closed::Refused { status: 429, retry_after };
        room.lost(0, &refused);
        room.lost(1, &refused);
        room.run(2_999);
        assert_eq!(room.opened, [0, 1], "neither connection is tried again before");
        let before = room.now;
        while room.opened.len() == 2 {
            room.run(1);
        }
        waits.push(room.now.since(before));
        room.run(600);
        assert_eq!(room.opened.len(), 4);
        assert_eq!(room.count("realtime error"), 1, "one notice");
    }
    waits.sort_unstable();
    waits.dedup();
    assert_eq!(waits.len(), 4, "not everybody comes back at the same moment: {waits:?}");
}

#[test]
fn provider_scenario_22_who_begins_to_speak_meanwhile_opens_no_connection_either() {
    let mut room = Room::new(settings());
    let retry_after = Some(Duration::from_secs(3));
    room.lost(0, &Closed::Refused { status: 429, retry_after });
    room.start(ADA);
    room.start(BOB);
    room.run(2_999);
    assert_eq!(room.opened, [0]);
    room.run(700);
    assert_eq!(room.opened.len(), 4);
}

#[test]
fn provider_scenario_25_an_error_without_a_code_is_not_fatal() {
    let mut room = Room::ready(settings());
    room.server(0, &json!({"type": "error", "error": {"message": "odd"}}));
    room.server(0, &json!({"type": "error"}));
    assert_eq!(room.failed, None);
}

#[test]
fn provider_scenario_23_refused_credentials_and_an_empty_account_end_it() {
    let mut room = Room::new(settings());
    room.lost(0, &Closed::Refused { status: 401, retry_after: None });
    assert!(room.failed.as_deref().is_some_and(|why| why.contains("credentials")));
    room.run(60_000);
    assert_eq!(room.opened, [0]);
    assert_eq!(room.count("realtime error"), 1, "told once");

    let mut room = Room::ready(settings());
    room.error(0, "insufficient_quota", "");
    assert_eq!(room.failed.as_deref(), Some("the provider refused: as told"));
    assert_eq!(room.closed, [0]);
}

#[test]
fn a_refused_configuration_ends_it() {
    let mut room = Room::new(settings());
    room.talk.handle_provider_opened(room.now, Lane::new(0));
    room.drain();
    let event_id = room.sent[0].1["event_id"].as_str().unwrap().to_owned();
    room.error(0, "invalid_value", &event_id);
    assert_eq!(room.failed.as_deref(), Some("the provider refused the session: as told"));
}

#[test]
fn the_same_error_is_logged_once_a_minute() {
    let mut room = Room::ready(settings());
    for _ in 0..3 {
        room.error(0, "odd", "");
    }
    assert_eq!(room.count("realtime error"), 1);
    assert_eq!(room.talk.stats().errors_repeated, 2);
    room.run(60_000);
    room.error(0, "odd", "");
    assert_eq!(room.count("realtime error"), 2);
    for _ in 0..2 {
        room.server(0, &json!({"type": "error", "error": {"message": "x\n".repeat(600)}}));
    }
    assert_eq!(room.count("realtime error"), 3, "also one that is shortened for the log");
}

#[test]
fn when_all_are_taken_the_longest_idle_connection_goes_and_busy_ones_stay() {
    let mut room = Room::ready(ConversationSettings { max_lanes: 2, ..settings() });
    room.speak(ADA, 20);
    room.configure(1);
    room.speak(BOB, 20);
    room.run(5_000);
    assert_eq!(room.opened, [0, 1]);
    let eve = UserId::new(13);
    room.speak(eve, 20);
    assert_eq!(
        (room.closed.as_slice(), room.opened.as_slice()),
        ([0].as_slice(), [0, 1, 2].as_slice())
    );
    room.configure(2);
    room.start(BOB);
    room.start(eve);
    room.journal.clear();
    room.appended.clear();
    room.speak(ADA, 20);
    assert_eq!(
        room.journal,
        ["realtime speaker not admitted (every provider connection is busy) guild=1 channel=2 \
             user=11 speaker=Ada connections=2"]
    );
    assert!(room.appended.is_empty());
}

#[test]
fn provider_scenario_49_a_speakers_connection_closes_after_five_idle_minutes_and_the_spare_stays() {
    let mut room = Room::ready(ConversationSettings { rotate_after: FOREVER, ..settings() });
    room.speak(ADA, 20);
    room.configure(1);
    room.run(2_500);
    room.run(299_999);
    assert!(room.closed.is_empty());
    room.run(1);
    assert_eq!(room.closed, [0]);
    room.run(3_600_000);
    assert_eq!(
        (room.closed.as_slice(), room.opened.as_slice()),
        ([0].as_slice(), [0, 1].as_slice())
    );
}

#[test]
fn provider_scenario_29_a_frame_over_the_cap_is_refused_and_its_connection_recycled() {
    let mut room = Room::ready(settings());
    let huge = format!(r#"{{"type":"{}"}}"#, "x".repeat(16 * 1024 * 1024));
    room.text(0, &huge);
    assert_eq!(room.closed, [0]);
    room.run(1_200);
    assert_eq!(room.opened, [0, 1]);
}

#[test]
fn an_hour_of_conversation_leaves_nothing_behind() {
    let mut room = Room::ready(ConversationSettings { rotate_after: FOREVER, ..settings() });
    room.start(ADA);
    room.configure(1);
    for turn in 0..360 {
        room.speak(ADA, 200);
        let id = format!("r{turn}");
        room.created(0, &id);
        room.added(0, &id, &id);
        room.delta(0, &id, &id, 1_000);
        room.done(0, &id, "completed");
        room.run(9_700);
        room.appended.clear();
    }
    assert!(room.talk.turns.is_empty());
    assert!(room.talk.slots.iter().all(|slot| slot.responses.is_empty()));
    assert!(room.talk.playback.head().is_none());
    assert_eq!(room.heard.len(), 360 * 50);
    assert_eq!(room.opened, [0, 1]);
}

#[test]
fn a_loss_takes_the_answers_that_were_not_heard_and_not_whole() {
    for (done, frames) in [(false, 0), (true, 15)] {
        let mut room = Room::answering(settings(), 300);
        if done {
            room.done(0, "r1", "completed");
        }
        room.lost(0, &lost());
        room.run(2_000);
        assert_eq!(room.heard.len(), frames, "complete: {done}");
        assert!(room.talk.playback.head().is_none());
    }
}

#[test]
fn a_speaker_whose_connection_was_replaced_still_clears_their_old_answers() {
    let mut room = Room::ready(settings());
    room.speak(ADA, 200);
    room.configure(1);
    room.speak(BOB, 200);
    room.run(3_000);
    room.created(1, "r2");
    room.delta_of(1, "r2", "i2", &[2; 9 * 24_000]);
    room.created(0, "r1");
    room.delta(0, "r1", "i1", 1_000);
    room.done(0, "r1", "completed");
    room.run(500);
    room.lost(0, &lost());
    room.run(1_000);
    room.configure(3);
    room.sent.clear();
    room.start(ADA);
    room.frame(ADA);
    assert_eq!(room.sent(), [cancel("r2"), truncate("i2", 1_500)], "nothing the new one lacks");
    assert_eq!(room.sent.iter().map(|(lane, _)| *lane).collect::<Vec<_>>(), [1, 1]);
    room.fades_out();
    room.heard.clear();
    room.stop(ADA);
    room.run(3_000);
    assert!(room.heard.is_empty());
}

#[test]
fn a_new_connection_may_use_the_response_ids_of_the_old_one() {
    let mut room = Room::answering(settings(), 1_000);
    room.run(100);
    room.error(0, "session_expired", "");
    room.configure(2);
    room.created(2, "r1");
    room.delta_of(2, "r1", "i1", &[4; 12_000]);
    room.run(2_000);
    let samples: Vec<i16> = room.heard.iter().map(|(_, sample)| *sample).collect();
    assert_eq!(samples, [[1; 50].as_slice(), [4; 25].as_slice()].concat());
    assert_eq!(room.count("playback started"), 2, "two answers");
}
