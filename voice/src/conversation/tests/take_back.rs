//! Interruptions that are judged, and taken back.

use super::*;
use crate::{
    conversation::{FloorRules, playback::FRAME},
    realtime::local::read_wav,
    recording::{Header, Line, Thresholds, VERSION, replay},
};

/// Two seconds of somebody talking, 24 kHz mono.
fn speech() -> Vec<i16> {
    let bytes = include_bytes!("../../../../fixtures/audio/ask.wav");
    read_wav(&bytes[..]).expect("the fixture is a WAV")
}

fn cough() -> Vec<i16> {
    let bytes = include_bytes!("../../../../fixtures/audio/cough.wav");
    read_wav(&bytes[..]).expect("the fixture is a WAV")
}

fn judged() -> ConversationSettings {
    ConversationSettings { floor: Some(FloorRules::default()), ..settings() }
}

/// An answer whose samples can be told apart, playing to Ada, whose words the provider has told.
fn answering(settings: ConversationSettings, ms: usize) -> (Room, Vec<i16>) {
    let (mut room, answer) = untranscribed(settings, ms);
    room.words(0, "question", "Tell me.");
    room.journal.clear();
    (room, answer)
}

/// The same by a provider that tells no words.
fn untranscribed(settings: ConversationSettings, ms: usize) -> (Room, Vec<i16>) {
    let mut room = Room::ready(settings);
    room.speak(ADA, 200);
    room.run(3_000);
    let answer: Vec<i16> = (0..ms * 24).map(|n| (n % 20_011) as i16 + 1).collect();
    room.created(0, "r1");
    room.added(0, "r1", "i1");
    room.delta_of(0, "r1", "i1", &answer);
    room.configure_all();
    room.journal.clear();
    room.appended.clear();
    room.sent.clear();
    (room, answer)
}

impl Room {
    /// Somebody makes this sound: a frame each 20 ms, and the pause by which its end is known.
    fn sound(&mut self, user: UserId, pcm: &[i16]) {
        self.start(user);
        for frame in pcm.chunks_exact(FRAME) {
            self.talk.audio(self.now, user, frame);
            self.drain();
            self.run(20);
        }
        self.run(80);
        self.stop(user);
    }

    fn played(&self) -> Vec<i16> {
        self.frames.iter().flatten().copied().collect()
    }
}

/// Puts a fade and the fade that takes it up again together.
fn joined(mut played: Vec<i16>, cut: usize) -> Vec<i16> {
    for index in 0..240 {
        played[cut + FRAME + index] += played[cut + index];
    }
    played.drain(cut..cut + FRAME);
    played
}

/// The answer was paused at a sample, and nothing of it is missing.
fn assert_whole(room: &Room, answer: &[i16], cut: usize) {
    let whole = joined(room.played(), cut);
    assert_eq!(whole.len(), answer.len());
    // Two fades of a sample are each rounded down.
    assert!(whole.iter().zip(answer).all(|(played, said)| (played - said).abs() <= 1));
}

#[test]
fn provider_scenario_09_a_cough_is_taken_back_and_the_answer_goes_on_from_the_same_sample() {
    let (mut room, answer) = answering(judged(), 4_000);
    room.run(1_000);
    assert_eq!(room.frames.len(), 50);
    let paused = room.now;
    room.sound(BOB, &cough());
    room.run(4_000);
    room.done(0, "r1", "completed");
    room.run(1_000);
    assert!(room.sent.is_empty(), "the provider is told nothing: {:?}", room.sent);
    assert!(room.appended.is_empty(), "and hears nothing");
    assert_eq!(
        room.journal.iter().map(|line| line.split(" guild").next().unwrap()).collect::<Vec<_>>(),
        [
            "realtime audio playback started",
            "realtime barge-in suspected",
            "realtime speaker turn opened",
            "realtime input audio started",
            "realtime barge-in dismissed reason=noise",
            "realtime audio playback resumed",
            "realtime speaker turn closed",
            "realtime audio playback finishing reason=response.done",
            "realtime audio playback stopped reason=player-idle",
        ]
    );
    let (at, _) = room.heard[51];
    assert!(at.since(paused) <= Duration::from_millis(600), "{at} after {paused}");
    assert_whole(&room, &answer, 50 * FRAME);
    assert_eq!(room.talk.stats().taken_back, 1);
}

#[test]
fn a_sentence_ends_the_answer_and_reaches_the_provider_from_its_first_frame() {
    let (mut room, _) = answering(judged(), 9_000);
    room.run(3_000);
    room.journal.clear();
    let speech = speech();
    room.sound(BOB, &speech);
    assert_eq!(room.sent(), [cancel("r1"), truncate("i1", 3_000)]);
    let lane = room.appended[0].0;
    let given = room.given(lane);
    let whole = speech.len() / FRAME * FRAME;
    assert!(given.starts_with(&speech[..whole]), "no frame is lost");
    assert_eq!(room.heard.len(), 151, "one frame fades out, and no more");
    let last: Vec<i16> = room.frames[150].to_vec();
    assert!(last[240..].iter().all(|sample| *sample == 0));
    assert!(room.journal_has("realtime barge-in confirmed reason=speech"));
    assert!(room.journal_has("realtime audio playback stopped reason=barge-in"));
    assert_eq!(room.count("barge-in requested"), 1);
}

/// Somebody says a word of 300 ms over the answer; gives the provider's lane of theirs.
fn short_word(room: &mut Room) -> u32 {
    room.run(1_000);
    let speech = speech();
    // From the middle of a word on, so that it is voice throughout.
    let voiced = speech.chunks(FRAME).position(|frame| frame.iter().any(|s| s.abs() > 4_000));
    let from = voiced.unwrap() * FRAME;
    room.sound(BOB, &speech[from..from + 15 * FRAME]);
    assert!(room.journal_has("realtime barge-in undecided"), "{:#?}", room.journal);
    room.run(900);
    room.appended.last().expect("it is tried").0
}

#[test]
fn provider_scenario_10_mm_hmm_leaves_the_answer_and_stays_out_of_the_next_turn() {
    let (mut room, answer) = answering(judged(), 4_000);
    let lane = short_word(&mut room);
    room.committed(lane, "mm");
    room.created(lane, "r2");
    room.words(lane, "mm", "Mm-hmm.");
    assert!(room.journal_has("realtime barge-in dismissed reason=backchannel"));
    let sent: Vec<Value> = room.sent().into_iter().skip_while(|e| *e != delete("mm")).collect();
    assert_eq!(sent, [delete("mm"), cancel("r2")], "it is no turn, and gets no answer");
    assert!(room.asked.is_empty());
    room.done(0, "r1", "completed");
    room.run(5_000);
    assert_whole(&room, &answer, 50 * FRAME);
}

#[test]
fn provider_scenario_11_stop_is_shorter_than_a_sentence_and_stops_all_the_same() {
    let (mut room, _) = answering(judged(), 9_000);
    let heard = {
        let lane = short_word(&mut room);
        room.committed(lane, "stop");
        let heard = room.heard.len();
        room.words(lane, "stop", "Stop.");
        heard
    };
    assert!(room.journal_has("realtime barge-in confirmed reason=words"));
    assert!(room.sent().contains(&cancel("r1")), "{:?}", room.sent());
    room.run(2_000);
    assert_eq!(room.heard.len(), heard, "it had stopped at its first packet");
}

#[test]
fn provider_scenario_12_a_noise_before_the_first_delta_leaves_the_reply() {
    let mut room = Room::ready(judged());
    room.speak(ADA, 200);
    room.run(3_000);
    room.created(0, "r1");
    room.sound(BOB, &cough());
    room.delta(0, "r1", "i1", 2_000);
    room.done(0, "r1", "completed");
    room.run(3_000);
    assert_eq!(room.heard.len(), 100);
    assert!(!room.sent().contains(&cancel("r1")));
}

#[test]
fn a_microphone_that_opens_in_silence_pauses_for_a_moment_and_nothing_is_lost() {
    let (mut room, answer) = answering(judged(), 2_000);
    room.run(1_000);
    room.sound(BOB, &[0; 50 * FRAME]);
    room.done(0, "r1", "completed");
    room.run(2_000);
    assert_whole(&room, &answer, 50 * FRAME);
}

#[test]
fn a_confirmed_interruption_holds_the_next_answer_and_one_that_waits_for_others_lives() {
    let (mut room, _) = answering(judged(), 9_000);
    room.run(500);
    room.start(BOB);
    let speech = speech();
    let (mut heard, mut answered) = (0, false);
    for frame in speech.chunks_exact(FRAME) {
        room.talk.audio(room.now, BOB, frame);
        room.drain();
        room.run(20);
        if !answered && room.journal_has("barge-in confirmed") {
            answered = true;
            room.created(0, "r2");
            room.delta_of(0, "r2", "i2", &[5; 24_000]);
            room.done(0, "r2", "completed");
            heard = room.heard.len();
        }
    }
    assert!(answered);
    assert_eq!(room.heard.len(), heard, "nothing is said while Bob talks");
    room.run(80);
    room.stop(BOB);
    room.run(2_000);
    assert_eq!(room.heard.len(), heard + 50, "the answer to somebody else was not thrown away");
}

#[test]
fn where_no_transcript_ever_comes_a_sentence_ends_the_answer_all_the_same() {
    let (mut room, _) = untranscribed(judged(), 9_000);
    room.run(1_000);
    // Too little of it glides to be certain of it by the sound alone.
    let speech = speech();
    room.sound(BOB, &speech[3 * FRAME..35 * FRAME]);
    room.run(3_000);
    assert!(room.sent().contains(&cancel("r1")), "{:#?}", room.journal);
    let lane = room.appended[0].0;
    assert!(room.given(lane).starts_with(&speech[3 * FRAME..35 * FRAME]));
}

#[test]
fn what_is_being_judged_is_not_lost_with_a_turn_that_closes_at_once() {
    let grace = Duration::from_millis(20);
    let settings = ConversationSettings { capture_silence_grace: grace, ..judged() };
    let (mut room, _) = answering(settings, 9_000);
    room.run(1_000);
    let bytes = include_bytes!("../../../../fixtures/audio/interrupt.wav");
    let stop_wait = read_wav(&bytes[..]).unwrap();
    // "St" and, after a breath, the rest.
    let (first, rest) = stop_wait.split_at(9 * FRAME);
    room.sound(BOB, first);
    room.run(60);
    room.sound(BOB, rest);
    room.run(3_000);
    assert!(room.journal_has("barge-in confirmed"), "{:#?}", room.journal);
    let given = room.given(room.appended[0].0);
    assert!(given.starts_with(first), "from the first frame");
}

#[test]
fn decisions_about_two_people_at_once_are_taken_again_from_what_is_written_down() {
    let (mut room, _) = answering(judged(), 9_000);
    room.run(1_000);
    let eve = UserId::new(13);
    let (speech, cough) = (speech(), cough());
    room.start(BOB);
    for (index, frame) in speech.chunks_exact(FRAME).enumerate() {
        if index % 40 == 0 {
            room.start(eve);
        }
        room.talk.audio(room.now, BOB, frame);
        if let Some(noise) = cough.chunks_exact(FRAME).nth(index % 40) {
            room.talk.audio(room.now, eve, noise);
        } else if index % 40 == 20 {
            room.stop(eve);
        }
        room.run(20);
    }
    room.stop(BOB);
    room.run(3_000);
    let settings = judged();
    let header = Header {
        clawvoice_timeline: VERSION,
        session: "s".into(),
        guild: settings.guild,
        channel: settings.channel,
        started: "2026-01-01T00:00:00Z".into(),
        started_us: SessionTime::ZERO,
        version: "0".into(),
        settings: Some(Thresholds::from(&settings)),
    };
    let mut bytes = serde_json::to_vec(&header).unwrap();
    bytes.push(b'\n');
    for trace in &room.traces {
        Line::Trace(*trace).write(&mut bytes).unwrap();
    }
    let again = replay(&bytes[..]).unwrap();
    assert!(again.decisions >= 4, "{again:#?}");
    assert!(again.is_identical(), "{again:#?}");
}

#[test]
fn provider_scenario_17_the_agents_own_voice_through_an_open_microphone_does_not_stop_it() {
    let bytes = include_bytes!("../../../../fixtures/audio/answer.wav");
    let answer = read_wav(&bytes[..]).unwrap();
    let mut room = Room::ready(judged());
    room.speak(ADA, 200);
    room.run(3_000);
    room.created(0, "r1");
    room.delta_of(0, "r1", "i1", &answer);
    room.done(0, "r1", "completed");
    room.sent.clear();
    // What is in the air: 100 ms later a tenth of it, -20 dB, is in Bob's microphone.
    let mut air = vec![[0; FRAME]; 5];
    room.start(BOB);
    room.configure_all();
    room.sent.clear();
    // Its first words may be waited for, for as long as the window.
    for _ in 0..1_000 {
        let before = room.frames.len();
        room.run(20);
        air.push(room.frames.get(before).copied().unwrap_or([0; FRAME]));
        let echo = air[air.len() - 6].map(|sample| sample / 10);
        room.talk.audio(room.now, BOB, &echo);
        room.drain();
    }
    assert!(room.journal_has("playback stopped reason=player-idle"), "{:#?}", room.journal);
    assert!(room.journal_has("barge-in dismissed reason=echo"), "{:#?}", room.journal);
    assert_eq!(room.count("barge-in confirmed"), 0);
    let cleared = room.sent.iter().all(|(_, event)| event["type"] == "input_audio_buffer.clear");
    assert!(cleared, "the answer is neither cancelled nor truncated: {:?}", room.sent);
}
