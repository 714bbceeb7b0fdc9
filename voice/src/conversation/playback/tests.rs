//! The player, tick by tick.

use super::*;

const LANE: Lane = Lane::new(1);
const NOW: SessionTime = SessionTime::ZERO;

fn playback() -> Playback {
    Playback::new(Duration::from_millis(500))
}

fn delta(item: &str, pcm: impl IntoIterator<Item = i16>) -> AudioDelta {
    AudioDelta {
        response: None,
        item: item.into(),
        content_index: 0,
        pcm: pcm.into_iter().collect(),
    }
}

fn ramp(samples: usize) -> impl Iterator<Item = i16> {
    (0..samples).map(|s| (s % 30_000) as i16)
}

fn take(playback: &mut Playback) -> Option<[i16; FRAME]> {
    let mut frame = [0; FRAME];
    playback.take(NOW, &mut frame, true).then_some(frame)
}

fn take_all(playback: &mut Playback) -> Vec<i16> {
    let mut pcm = Vec::new();
    while let Some(frame) = take(playback) {
        pcm.extend(frame);
    }
    pcm
}

#[test]
fn voice_scenario_42_an_answer_starts_with_500_ms_or_when_complete_or_after_its_wait() {
    let mut playback = playback();
    playback.push(NOW, LANE, "r", &delta("i", ramp(490 * 24))).unwrap();
    assert_eq!(take(&mut playback), None);
    playback.push(NOW, LANE, "r", &delta("i", ramp(10 * 24))).unwrap();
    assert!(take(&mut playback).is_some());

    let mut waiting = self::playback();
    waiting.push(NOW, LANE, "r", &delta("i", ramp(490 * 24))).unwrap();
    assert_eq!(waiting.poll_start(), Some(SessionTime::from_millis(100)));
    let mut frame = [0; FRAME];
    assert!(!waiting.take(SessionTime::from_millis(99), &mut frame, true));
    waiting.ripen(SessionTime::from_millis(100));
    assert!(waiting.wants_frame(true) && waiting.poll_start().is_none());
    assert!(waiting.take(SessionTime::from_millis(100), &mut frame, true));

    let mut short = self::playback();
    short.push(NOW, LANE, "r", &delta("i", ramp(24))).unwrap();
    assert_eq!(take(&mut short), None);
    short.complete(NOW, LANE, "r");
    let frame = take(&mut short).unwrap();
    assert_eq!(frame[23], 23);
    assert!(frame[24..].iter().all(|s| *s == 0), "the last frame is padded");
    assert_eq!(short.heard(), Some(24), "padding is not heard");
}

#[test]
fn voice_scenario_43_a_long_burst_plays_whole_and_in_order() {
    let mut playback = playback();
    let samples = 6_800 * 24;
    for chunk in ramp(samples).collect::<Vec<_>>().chunks(3_333) {
        playback.push(NOW, LANE, "r", &delta("i", chunk.iter().copied())).unwrap();
    }
    playback.complete(NOW, LANE, "r");
    assert_eq!(take_all(&mut playback), ramp(samples).collect::<Vec<_>>());
    assert!(playback.head().is_none());
}

// Scenario 32.
#[test]
fn audio_that_comes_late_for_an_earlier_item_is_not_lost() {
    let mut playback = playback();
    playback.push(NOW, LANE, "r", &delta("a", [1; FRAME])).unwrap();
    playback.push(NOW, LANE, "r", &delta("b", [2; FRAME])).unwrap();
    playback.push(NOW, LANE, "r", &delta("a", [3; FRAME])).unwrap();
    playback.complete(NOW, LANE, "r");
    let order: Vec<i16> = take_all(&mut playback).into_iter().step_by(FRAME).collect();
    assert_eq!(order, [1, 3, 2]);
}

#[test]
fn a_pause_under_two_seconds_resumes_at_once_and_a_longer_one_lets_others_pass() {
    let mut playback = playback();
    playback.push(NOW, LANE, "r", &delta("i", [1; 25 * FRAME])).unwrap();
    assert_eq!(take_all(&mut playback).len(), 25 * FRAME);
    for _ in 0..90 {
        assert_eq!(take(&mut playback), None);
    }
    playback.push(NOW, LANE, "r", &delta("i", [2; FRAME])).unwrap();
    assert_eq!(take(&mut playback).map(|f| f[0]), Some(2), "no second prebuffer");
    let notes: Vec<Note> = std::iter::from_fn(|| playback.poll_note()).collect();
    assert_eq!(notes, [Note::Started]);

    playback.push(NOW, LANE, "other", &delta("j", [3; 25 * FRAME])).unwrap();
    for _ in 0..99 {
        assert_eq!(take(&mut playback), None);
    }
    assert_eq!(take(&mut playback).map(|f| f[0]), Some(3), "the next answer passes");
    playback.complete(NOW, LANE, "other");
    assert_eq!(take_all(&mut playback).len(), 24 * FRAME);
    playback.push(NOW, LANE, "r", &delta("i", [4; 25 * FRAME])).unwrap();
    assert_eq!(take(&mut playback).map(|f| f[0]), Some(4), "the parked answer goes on");
}

#[test]
fn an_answer_that_was_parked_at_its_end_is_freed_by_its_completion() {
    let mut playback = playback();
    playback.push(NOW, LANE, "r", &delta("i", [1; 25 * FRAME])).unwrap();
    take_all(&mut playback);
    for _ in 0..200 {
        take(&mut playback);
    }
    assert!(playback.head().is_some());
    playback.complete(NOW, LANE, "r");
    assert_eq!(take(&mut playback), None);
    assert!(playback.head().is_none());
}

// Scenario 30: bounded, and the overflow is told, never silent.
#[test]
fn two_minutes_of_audio_and_32_answers_are_the_most() {
    let mut playback = playback();
    for _ in 0..120 {
        playback.push(NOW, LANE, "r", &delta("i", ramp(24_000))).unwrap();
    }
    assert_eq!(playback.push(NOW, LANE, "r", &delta("i", [0])), Err(Overflow));
    playback.remove(NOW, LANE, "r", StopReason::OutputAudioOverflow);
    assert_eq!(playback.queued, 0);
    for n in 0..32 {
        playback.push(NOW, LANE, &n.to_string(), &delta("i", [0])).unwrap();
    }
    assert_eq!(playback.push(NOW, LANE, "32", &delta("i", [0])), Err(Overflow));
}

#[test]
fn nothing_starts_while_answers_are_held_back() {
    let mut playback = playback();
    playback.push(NOW, LANE, "r", &delta("i", ramp(48_000))).unwrap();
    let mut frame = [0; FRAME];
    assert!(!playback.take(NOW, &mut frame, false));
    assert!(playback.take(NOW, &mut frame, true));
    assert!(playback.take(NOW, &mut frame, false), "a started answer goes on");
}
