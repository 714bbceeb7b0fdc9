//! The rules in virtual time.

use proptest::prelude::*;

use super::*;

const ADA: UserId = UserId::new(1);
const BOB: UserId = UserId::new(2);

const VOICE: Features = Features {
    level_ddbfs: -250,
    speech_permille: 900,
    pitch_permille: 900,
    drift_permille: 20,
    echo_permille: 0,
    is_echo: false,
    echo_known: false,
};
const NOISE: Features = Features { pitch_permille: 300, ..VOICE };
const HISS: Features = Features { level_ddbfs: -700, speech_permille: 0, ..VOICE };
const ECHO: Features = Features { echo_permille: 950, is_echo: true, echo_known: true, ..VOICE };

/// A floor with an answer on it, and its clock.
struct Stage {
    floor: Floor,
    now: SessionTime,
}

impl Stage {
    fn new(rules: FloorRules) -> Self {
        let mut stage = Self { floor: Floor::new(rules), now: SessionTime::from_millis(10_000) };
        stage.tell(Input::Output { answer: Some(1) });
        stage.tell(Input::Transcribes);
        stage
    }

    fn tell(&mut self, input: Input) -> Vec<Decision> {
        self.floor.handle(self.now, input);
        std::iter::from_fn(|| self.floor.poll_decision()).collect()
    }

    /// Frames one after the other, 20 ms apart, with the timer in between.
    fn frames(&mut self, user: UserId, features: Features, ms: u64) -> Vec<Decision> {
        let mut decisions = Vec::new();
        for _ in 0..ms / 20 {
            decisions.extend(self.tell(Input::Frame { user, features }));
            decisions.extend(self.pass(20));
        }
        decisions
    }

    fn pass(&mut self, ms: u64) -> Vec<Decision> {
        let end = self.now + Duration::from_millis(ms);
        let mut decisions = Vec::new();
        while let Some(at) = self.floor.poll_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            decisions.extend(self.tell(Input::Timeout));
        }
        self.now = end;
        decisions
    }
}

fn suspected() -> Decision {
    Decision::Suspected { user: ADA }
}

fn dismissed(decision: &Decision) -> Option<Dismissal> {
    match decision {
        Decision::Dismissed { reason, .. } => Some(*reason),
        _ => None,
    }
}

fn confirmed(decision: &Decision) -> Option<Confirmation> {
    match decision {
        Decision::Confirmed { reason, .. } => Some(*reason),
        _ => None,
    }
}

#[test]
fn the_first_packet_is_a_suspicion_and_enough_voice_confirms_it() {
    let mut stage = Stage::new(FloorRules::default());
    assert_eq!(stage.tell(Input::Start { user: ADA }), [suspected()]);
    assert!(stage.frames(ADA, VOICE, 540).is_empty());
    let decisions = stage.tell(Input::Frame { user: ADA, features: VOICE });
    let inputs = Evidence {
        held_ms: 540,
        sound_ms: 560,
        voice_ms: 560,
        pitch_ms: 560,
        glide_ms: 560,
        tone_ms: 0,
        echo_ms: 0,
    };
    let reason = Confirmation::Speech;
    assert_eq!(decisions, [Decision::Confirmed { user: ADA, reason, inputs }]);
    assert!(!stage.floor.is_contested());
    assert!(stage.frames(ADA, VOICE, 2_000).is_empty(), "once");
}

#[test]
fn a_cough_is_dismissed_once_no_voice_has_come_for_the_time_to_settle() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    let start = stage.now;
    let decisions = stage.frames(ADA, Features { speech_permille: 100, ..NOISE }, 400);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Noise]);
    let Decision::Dismissed { inputs, .. } = decisions[0] else { panic!("{decisions:?}") };
    assert_eq!(inputs.held_ms, 240);
    assert!(stage.now.since(start).as_millis() >= 240 && !stage.floor.is_contested());
}

#[test]
fn a_hoarse_sound_is_waited_for_a_little_longer_in_case_a_vowel_comes() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    assert!(stage.frames(ADA, NOISE, 580).is_empty());
    let decisions = stage.frames(ADA, NOISE, 40);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Noise]);

    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    assert!(stage.frames(ADA, NOISE, 400).is_empty());
    let decisions = stage.frames(ADA, VOICE, 560);
    assert_eq!(decisions.iter().filter_map(confirmed).collect::<Vec<_>>(), [Confirmation::Speech]);
}

#[test]
fn a_noise_that_goes_on_is_suspicious_again_only_with_a_voice_in_it() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    assert_eq!(stage.frames(ADA, NOISE, 3_000).len(), 1, "dismissed once");
    assert!(stage.frames(ADA, VOICE, 40).is_empty());
    assert_eq!(stage.frames(ADA, VOICE, 20), [suspected()]);
    let decisions = stage.frames(ADA, VOICE, 560);
    assert_eq!(decisions.iter().filter_map(confirmed).count(), 1);
}

#[test]
fn music_is_dismissed_once_a_tone_was_held() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    let tone = Features { drift_permille: 1, ..VOICE };
    assert!(stage.frames(ADA, tone, 480).is_empty());
    let decisions = stage.frames(ADA, tone, 2_000);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Tone]);
    assert!(!stage.floor.is_contested(), "and it goes on without being asked again");
}

#[test]
fn a_key_press_without_audio_is_dismissed_by_the_timer() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    assert!(stage.pass(239).is_empty());
    let decisions = stage.pass(1);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Inaudible]);
}

#[test]
fn a_microphone_that_opens_in_silence_stops_nothing_and_the_first_word_does() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    let hiss = Input::Frame { user: ADA, features: HISS };
    // A word may begin with one frame of next to nothing.
    assert!(stage.tell(hiss).is_empty());
    let decisions = stage.tell(hiss);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Inaudible]);
    assert!(stage.frames(ADA, HISS, 1_000).is_empty());
    assert_eq!(stage.tell(Input::Frame { user: ADA, features: VOICE }), [suspected()]);
}

#[test]
fn a_short_word_waits_for_its_transcript() {
    for (words, dismissal, confirmation) in [
        (Words::Backchannel, Some(Dismissal::Backchannel), None),
        (Words::None, Some(Dismissal::NoWords), None),
        (Words::Speech, None, Some(Confirmation::Words)),
    ] {
        let mut stage = Stage::new(FloorRules::default());
        stage.tell(Input::Start { user: ADA });
        assert!(stage.frames(ADA, VOICE, 300).is_empty());
        let early = stage.tell(Input::Transcript { user: ADA, words });
        assert!(early.is_empty(), "words of an earlier turn say nothing");
        let waiting = stage.tell(Input::Quiet { user: ADA });
        assert!(matches!(waiting[..], [Decision::Waiting { .. }]), "{waiting:?}");
        assert!(stage.pass(600).is_empty() && stage.floor.is_contested());
        let decisions = stage.tell(Input::Transcript { user: ADA, words });
        assert_eq!(decisions.iter().find_map(dismissed), dismissal);
        assert_eq!(decisions.iter().find_map(confirmed), confirmation);
    }
}

#[test]
fn words_that_never_come_are_waited_for_no_longer_than_the_window() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    stage.frames(ADA, VOICE, 300);
    stage.tell(Input::Quiet { user: ADA });
    assert!(stage.pass(1_999).is_empty());
    let decisions = stage.pass(1);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::NoWords]);
}

#[test]
fn where_transcripts_are_off_or_never_came_the_length_of_a_short_word_decides() {
    let off = || Stage::new(FloorRules { has_words: false, ..FloorRules::default() });
    let none = || {
        let mut stage = Stage::new(FloorRules::default());
        stage.floor.transcribes = false;
        stage
    };
    for (ms, expected, mut stage) in [
        (320, None, off()),
        (340, Some(Confirmation::LoneWord), off()),
        (320, None, none()),
        (340, Some(Confirmation::LoneWord), none()),
    ] {
        stage.tell(Input::Start { user: ADA });
        stage.frames(ADA, VOICE, ms);
        let decisions = stage.tell(Input::Quiet { user: ADA });
        assert_eq!(decisions.iter().find_map(confirmed), expected, "{ms} ms");
        assert!(!stage.floor.is_contested());
    }
}

#[test]
fn a_known_echo_stops_nothing_and_a_voice_over_it_does() {
    let mut stage = Stage::new(FloorRules::default());
    let decisions = stage.frames(ADA, ECHO, 1_000);
    assert!(decisions.is_empty());
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    let decisions = stage.frames(ADA, ECHO, 1_000);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Echo]);
    let over = Features { is_echo: false, echo_permille: 400, ..ECHO };
    let decisions = stage.frames(ADA, over, 700);
    assert_eq!(decisions.iter().filter_map(confirmed).collect::<Vec<_>>(), [Confirmation::Speech]);
}

#[test]
fn an_echo_that_is_new_is_dismissed_when_its_way_is_found() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    assert!(stage.frames(ADA, VOICE, 160).is_empty(), "it sounds like somebody");
    let decisions = stage.frames(ADA, ECHO, 60);
    assert_eq!(decisions.iter().filter_map(dismissed).collect::<Vec<_>>(), [Dismissal::Echo]);
}

#[test]
fn whoever_is_noisy_again_and_again_is_believed_only_with_a_voice() {
    let mut stage = Stage::new(FloorRules::default());
    for _ in 0..3 {
        assert_eq!(stage.tell(Input::Start { user: ADA }), [suspected()]);
        assert!(stage.frames(ADA, NOISE, 200).is_empty());
        assert!(stage.tell(Input::Quiet { user: ADA }).is_empty());
        assert_eq!(stage.pass(500).len(), 1);
    }
    assert!(stage.tell(Input::Start { user: ADA }).is_empty());
    assert!(stage.frames(ADA, NOISE, 300).is_empty());
    assert_eq!(stage.frames(ADA, VOICE, 60), [suspected()]);
    let bob = stage.tell(Input::Start { user: BOB });
    assert_eq!(bob, [Decision::Suspected { user: BOB }], "others are not doubted");
    stage.pass(33_000);
    assert_eq!(stage.tell(Input::Start { user: ADA }), [suspected()], "it is forgotten");
}

#[test]
fn nothing_is_suspected_while_nothing_plays_and_an_answer_that_ends_ends_suspicion() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    let decisions = stage.tell(Input::Output { answer: None });
    assert_eq!(decisions.iter().find_map(dismissed), Some(Dismissal::OutputEnded));
    assert!(stage.tell(Input::Start { user: ADA }).is_empty());
    assert!(stage.frames(ADA, VOICE, 1_000).is_empty());
}

#[test]
fn who_leaves_is_not_waited_for() {
    let mut stage = Stage::new(FloorRules::default());
    stage.tell(Input::Start { user: ADA });
    let decisions = stage.tell(Input::Gone { user: ADA });
    assert_eq!(decisions.iter().find_map(dismissed), Some(Dismissal::Left));
}

fn input() -> impl Strategy<Value = Input> {
    let user = prop_oneof![Just(ADA), Just(BOB)];
    let words = prop_oneof![Just(Words::Backchannel), Just(Words::None), Just(Words::Speech)];
    let features = (any::<i16>(), 0_u16..1_000, any::<bool>(), any::<bool>()).prop_map(
        |(level_ddbfs, speech_permille, is_echo, echo_known)| Features {
            level_ddbfs,
            speech_permille,
            pitch_permille: 1_000 - speech_permille,
            drift_permille: speech_permille / 5,
            echo_permille: 0,
            is_echo,
            echo_known,
        },
    );
    prop_oneof![
        1 => proptest::option::of(0_u64..3).prop_map(|answer| Input::Output { answer }),
        2 => user.clone().prop_map(|user| Input::Start { user }),
        20 => (user.clone(), features).prop_map(|(user, features)| Input::Frame { user, features }),
        2 => user.clone().prop_map(|user| Input::Quiet { user }),
        1 => (user.clone(), words).prop_map(|(user, words)| Input::Transcript { user, words }),
        1 => user.prop_map(|user| Input::Gone { user }),
        1 => Just(Input::Transcribes),
        3 => Just(Input::Timeout),
    ]
}

proptest! {
    /// Every suspicion ends, exactly once, and never later than three windows.
    #[test]
    fn no_suspicion_lasts(inputs in prop::collection::vec((0_u64..200, input()), 0..300)) {
        let rules = FloorRules::default();
        let mut stage = Stage::new(rules);
        let mut open: Vec<(UserId, SessionTime)> = Vec::new();
        let longest = Duration::from_millis(3 * u64::from(rules.window_ms));
        for (wait, input) in inputs {
            let mut decisions = stage.pass(wait);
            decisions.extend(stage.tell(input));
            for decision in decisions {
                match decision {
                    Decision::Suspected { user } => {
                        prop_assert!(!open.iter().any(|(of, _)| *of == user));
                        open.push((user, stage.now));
                    }
                    Decision::Waiting { user, .. } => {
                        prop_assert!(open.iter().any(|(of, _)| *of == user));
                    }
                    Decision::Dismissed { user, .. } | Decision::Confirmed { user, .. } => {
                        let at = open.iter().position(|(of, _)| *of == user);
                        prop_assert!(at.is_some());
                        open.remove(at.unwrap());
                    }
                }
            }
            prop_assert_eq!(stage.floor.is_contested(), !open.is_empty());
            for (_, since) in &open {
                prop_assert!(stage.now.since(*since) <= longest + Duration::from_millis(200));
            }
        }
    }

    /// What is written down gives the same decisions again.
    #[test]
    fn inputs_survive_being_written_down(input in input()) {
        let text = serde_json::to_string(&input).unwrap();
        prop_assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input, "{}", text);
    }
}
