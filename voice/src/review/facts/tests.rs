use std::fs;

use proptest::prelude::*;

use super::*;
use crate::review::read;

fn facts(name: &str) -> Facts {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/timeline/");
    Facts::of(&read(&fs::read(format!("{folder}{name}")).expect("the fixture is there")))
}

fn ms(at: Option<SessionTime>) -> Option<u64> {
    at.map(SessionTime::as_millis)
}

#[test]
fn an_exchange_is_followed_from_the_end_of_speech_to_the_last_sample() {
    let facts = facts("clean.jsonl");
    assert_eq!(facts.speakers.len(), 2);
    let first = &facts.exchanges[0];
    assert_eq!(first.user.as_deref(), Some("1100000000000000031"));
    assert_eq!(first.words, "What is the weather like today?");
    assert_eq!(ms(first.speech_ended), Some(4_000));
    assert_eq!(ms(first.transcribed), Some(4_550));
    assert_eq!(ms(first.asked), Some(4_750));
    assert_eq!(ms(first.answered), Some(5_750));
    assert_eq!(ms(first.audio), Some(5_950));
    assert_eq!(ms(first.played), Some(6_150));
    assert_eq!(first.outcome, Outcome::Answered);
    let stages: Vec<_> = first.stages().iter().map(|s| (s.name, s.millis())).collect();
    assert_eq!(
        stages,
        [
            (StageName::Transcript, 550),
            (StageName::Consult, 200),
            (StageName::Agent, 1_000),
            (StageName::Provider, 200),
            (StageName::Prebuffer, 200),
        ]
    );
    assert_eq!(first.latency_ms(), Some(2_150));
    assert_eq!(facts.exchanges.len(), 2);
    assert_eq!(facts.exchanges[1].user.as_deref(), Some("1100000000000000032"));
    assert_eq!(facts.playbacks.len(), 2);
    assert_eq!(facts.playbacks[0].length_ms(), 4_000);
}

#[test]
fn the_stages_add_up_to_the_latency() {
    for name in
        ["slow-agent.jsonl", "slow-queue.jsonl", "several-speakers.log", "interrupted.jsonl"]
    {
        for exchange in facts(name).exchanges {
            let sum: u64 = exchange.stages().iter().map(Stage::millis).sum();
            assert_eq!(Some(sum), exchange.latency_ms(), "{name}: {}", exchange.words);
        }
    }
}

#[test]
fn an_interruption_is_followed_from_the_doubt_to_the_cut() {
    let facts = facts("interrupted.jsonl");
    let ben = "1100000000000000032";
    let doubt = &facts.doubts[0];
    assert_eq!((doubt.user.as_str(), doubt.verdict), (ben, Some(Verdict::Confirmed)));
    assert_eq!((doubt.from.as_millis(), ms(doubt.to)), (8_210, Some(8_550)));
    let pause = facts.pauses[0];
    assert_eq!((pause.from.as_millis(), ms(pause.to), pause.resumed), (8_230, Some(8_560), false));
    let playback = &facts.playbacks[0];
    assert!(playback.was_cut());
    let cut = playback.cut.as_ref().expect("a cut");
    assert_eq!((cut.user.as_deref(), cut.reason.as_deref()), (Some(ben), Some("speech")));
    assert_eq!(facts.exchanges[0].outcome, Outcome::Cut);
    assert_eq!(facts.exchanges[1].outcome, Outcome::Answered);
}

#[test]
fn transcripts_without_a_name_find_their_speakers() {
    // Both spoke at once; the agent's lines say whose words they were.
    let facts = facts("several-speakers.log");
    let users: Vec<_> =
        facts.exchanges.iter().map(|e| facts.label(e.user.as_deref().unwrap_or(""))).collect();
    assert_eq!(users, ["ada", "ben"]);
    assert!(facts.turns.iter().all(|turn| turn.transcripts == 1));
    let answers: Vec<_> = facts.playbacks.iter().map(|playback| playback.exchange).collect();
    assert_eq!(answers, [Some(0), Some(1)]);
}

#[test]
fn segments_are_turns_too() {
    let facts = facts("stt-tts.jsonl");
    let exchange = &facts.exchanges[0];
    assert_eq!(exchange.user.as_deref(), Some("1100000000000000031"));
    assert_eq!((ms(exchange.speech_ended), ms(exchange.played)), (Some(4_000), Some(6_900)));
    assert_eq!(facts.playbacks[0].length_ms(), 4_000);
}

#[test]
fn a_called_off_question_takes_no_answer() {
    let text = "\
        10:00:00 discord voice: realtime speaker turn opened user=7 speaker=Ada\n\
        10:00:00 discord voice: realtime input audio started user=7\n\
        10:00:02 discord voice: realtime user transcript (3 chars): Why?\n\
        10:00:02 discord voice: realtime forced agent consult starting chars=4 user=7\n\
        10:00:05 discord voice: realtime user transcript (12 chars): Cancel that.\n\
        10:00:05 discord voice: realtime active-run control handled mode=cancel ok=true active=true\n\
        10:00:06 discord voice: realtime audio playback started\n\
        10:00:08 discord voice: realtime audio playback stopped reason=player-idle\n";
    let facts = Facts::of(&read(text.as_bytes()));
    let outcomes: Vec<_> = facts.exchanges.iter().map(|exchange| &exchange.outcome).collect();
    assert_eq!(outcomes, [&Outcome::CalledOff, &Outcome::Control("cancel".to_owned())]);
    assert_eq!(facts.playbacks[0].exchange, Some(1));
}

#[test]
fn a_recording_that_begins_in_a_turn_still_shows_it() {
    let text = r#"{"at_us":9000000,"line":"realtime speaker turn closed","fields":{"user":"7","hasAudio":true,"elapsedMs":4000,"sinceLastAudioMs":800,"discordBytes":614400}}"#;
    let facts = Facts::of(&read(text.as_bytes()));
    let turn = &facts.turns[0];
    assert_eq!(
        (turn.opened.as_millis(), ms(turn.audio_to), turn.heard_ms),
        (5_000, Some(8_200), 3_200)
    );
}

proptest! {
    #[test]
    fn what_is_made_of_any_recording_hangs_together(bytes in read::any_recording()) {
        let timeline = read(&bytes);
        let facts = Facts::of(&timeline);
        for exchange in &facts.exchanges {
            let sum: u128 =
                exchange.stages().iter().map(|stage| stage.to.since(stage.from).as_micros()).sum();
            if let (Some(from), Some(to)) =
                (exchange.speech_ended.or(exchange.transcribed), exchange.played)
            {
                prop_assert_eq!(sum, to.since(from).as_micros());
            }
            prop_assert!(exchange.events.iter().all(|event| *event < timeline.events.len()));
            prop_assert!(exchange.turn.is_none_or(|turn| turn < facts.turns.len()));
            let played = exchange.playback.and_then(|index| facts.playbacks[index].exchange);
            let back = played.and_then(|index| facts.exchanges[index].playback);
            prop_assert_eq!(back, exchange.playback);
        }
        for turn in &facts.turns {
            prop_assert!(turn.closed.is_none_or(|closed| turn.opened <= closed));
            prop_assert!(turn.audio_to.is_none_or(|to| turn.audio_from.is_some_and(|from| from <= to)));
        }
        prop_assert!(facts.playbacks.is_sorted_by_key(|playback| playback.started));
    }
}
