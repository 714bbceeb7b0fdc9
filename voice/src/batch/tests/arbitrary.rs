//! Whatever is said, reported and failed, in any order: the bounds hold and nothing is stuck.

use std::collections::BTreeSet;

use clawvoice_session::agent::RunActivity;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Start(u64),
    Frames(u64, usize),
    Stop(u64),
    Leave(u64),
    Lost,
    Run(u64),
    Transcribed(&'static str),
    TranscriptionFailed(bool),
    Writes(&'static str),
    Answers(&'static str),
    RunFailed,
    RunCancelled,
    Outcome(ControlOutcome),
    Audio(usize, usize),
    Ended(usize),
    SpeechFailed(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let user = 11_u64..15;
    let words = prop::sample::select(vec![
        "",
        "Hello there.",
        "cancel that",
        "status",
        "[BLANK_AUDIO]",
        "One. Two three. Four five.",
        "[[x]] Fine. Then [[",
        "]] done. 👍",
        "use the smaller fix",
    ]);
    let outcome = prop::sample::select(vec![
        ControlOutcome::NoActiveRun,
        ControlOutcome::Done,
        ControlOutcome::Status(RunActivity::Model),
    ]);
    let step = prop_oneof![
        4 => user.clone().prop_map(Step::Start),
        6 => (user.clone(), 1_usize..40).prop_map(|(user, count)| Step::Frames(user, count)),
        4 => user.clone().prop_map(Step::Stop),
        1 => user.prop_map(Step::Leave),
        1 => Just(Step::Lost),
        8 => (1_u64..3_000).prop_map(Step::Run),
        6 => words.clone().prop_map(Step::Transcribed),
        1 => any::<bool>().prop_map(Step::TranscriptionFailed),
        4 => words.clone().prop_map(Step::Writes),
        4 => words.prop_map(Step::Answers),
        1 => Just(Step::RunFailed),
        1 => Just(Step::RunCancelled),
        2 => outcome.prop_map(Step::Outcome),
        6 => (0_usize..3, 1_usize..3_000).prop_map(|(back, ms)| Step::Audio(back, ms)),
        5 => (0_usize..3).prop_map(Step::Ended),
        1 => (0_usize..3, any::<bool>()).prop_map(|(back, again)| Step::SpeechFailed(back, again)),
    ];
    prop::collection::vec(step, 0..120)
}

/// What is under way outside, as the shell would have it.
#[derive(Default)]
struct Outside {
    transcribing: BTreeSet<SegmentId>,
    speaking: BTreeSet<SpeechId>,
    seen: (usize, usize, usize),
}

impl Outside {
    /// Takes over what the room has asked for since; checks that it is not too much.
    fn follow(&mut self, room: &Room) {
        let (segments, speeches, cancelled) = &mut self.seen;
        for (id, ..) in &room.segments[*segments..] {
            assert!(self.transcribing.insert(*id) && self.transcribing.len() == 1);
        }
        for id in &room.cancelled[*cancelled..] {
            self.speaking.remove(id);
        }
        for (id, _) in &room.speeches[*speeches..] {
            assert!(room.cancelled.contains(id) || self.speaking.insert(*id));
        }
        self.speaking.retain(|id| !room.cancelled.contains(id));
        (*segments, *speeches, *cancelled) =
            (room.segments.len(), room.speeches.len(), room.cancelled.len());
        assert!(self.speaking.len() <= 2, "{:?}", self.speaking);
    }

    /// The synthesis that was asked for so many before the last, if it is under way.
    fn speech(&self, back: usize) -> Option<SpeechId> {
        self.speaking.iter().rev().nth(back).copied()
    }
}

fn apply(room: &mut Room, outside: &mut Outside, step: &Step) {
    let run = room.asks.last().map(|ask| ask.run);
    match step {
        Step::Start(user) => room.start(UserId::new(*user)),
        Step::Frames(user, count) => {
            for _ in 0..*count {
                room.frame(UserId::new(*user));
                room.run(20);
            }
        }
        Step::Stop(user) => room.stop(UserId::new(*user)),
        Step::Leave(user) => {
            room.talk.handle_member_left(room.now, UserId::new(*user));
            room.drain();
        }
        Step::Lost => {
            room.talk.handle_connection_lost(room.now);
            room.drain();
        }
        Step::Run(ms) => room.run(*ms),
        Step::Transcribed(words) if outside.transcribing.pop_last().is_some() => {
            room.transcribed(words);
        }
        Step::TranscriptionFailed(transient) if outside.transcribing.pop_last().is_some() => {
            room.transcription_failed(*transient);
        }
        Step::Writes(words) if run.is_some() => room.writes(words),
        Step::Answers(words) if run.is_some() => room.answers(words),
        Step::RunFailed if run.is_some() => {
            room.report(run.unwrap(), AgentEvent::Failed("as told".into()));
        }
        Step::RunCancelled if run.is_some() => room.report(run.unwrap(), AgentEvent::Cancelled),
        Step::Outcome(outcome) if asks_control(room) => room.outcome(outcome),
        Step::Audio(back, ms) => {
            if let Some(id) = outside.speech(*back) {
                room.talk.handle_speech_audio(room.now, id, &vec![5; ms * 24]);
                room.drain();
            }
        }
        Step::Ended(back) => {
            if let Some(id) = outside.speech(*back) {
                outside.speaking.remove(&id);
                room.talk.handle_speech_ended(room.now, id);
                room.drain();
            }
        }
        Step::SpeechFailed(back, transient) => {
            if let Some(id) = outside.speech(*back) {
                outside.speaking.remove(&id);
                let failure = SpeechFailure { message: "as told".into(), transient: *transient };
                room.talk.handle_speech_failed(room.now, id, &failure);
                room.drain();
            }
        }
        _ => {}
    }
    outside.follow(room);
}

fn asks_control(room: &Room) -> bool {
    room.requests.iter().any(|request| matches!(request, AgentRequest::Control { .. }))
}

/// Lets everything that is under way end well, until nothing is.
fn finish(room: &mut Room, outside: &mut Outside) {
    for user in 11..15 {
        apply(room, outside, &Step::Stop(user));
    }
    for _ in 0..400 {
        apply(room, outside, &Step::Run(1_000));
        apply(room, outside, &Step::Transcribed("Hello there."));
        apply(room, outside, &Step::Outcome(ControlOutcome::NoActiveRun));
        apply(room, outside, &Step::Answers("Good evening."));
        apply(room, outside, &Step::Audio(1, 300));
        apply(room, outside, &Step::Ended(1));
        apply(room, outside, &Step::Audio(0, 300));
        apply(room, outside, &Step::Ended(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bounds_hold_and_everything_comes_to_its_end(steps in steps(), barge_in: bool) {
        let mut room = Room::new(BatchSettings { barge_in, ..settings() });
        let mut outside = Outside::default();
        for step in &steps {
            apply(&mut room, &mut outside, step);
        }
        finish(&mut room, &mut outside);
        prop_assert!(outside.transcribing.is_empty() && outside.speaking.is_empty());
        prop_assert!(!room.talk.wants_frame(), "the player is idle");
        prop_assert_eq!(room.talk.poll_timeout(), None, "nothing is waited for");
        // And it still works.
        let asks = room.asks.len();
        room.say(BOB, "One more.");
        prop_assert_eq!(room.asks.len(), asks + 1);
        room.talk.close(room.now);
        room.drain();
        let heard = room.heard.len();
        room.say_nothing_of(&steps, &mut outside);
        prop_assert_eq!(room.heard.len(), heard);
    }
}

impl Room {
    /// After the end every input is ignored: no output comes.
    fn say_nothing_of(&mut self, steps: &[Step], outside: &mut Outside) {
        let lines = self.journal.len();
        for step in steps.iter().take(40) {
            apply(self, outside, step);
        }
        assert_eq!(self.journal.len(), lines);
    }
}
