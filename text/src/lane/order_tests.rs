use super::*;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Message(&'static str);

impl Queued for Message {
    fn summary(&self) -> String {
        format!("about {}", self.0)
    }

    /// The first letter is the person.
    fn joins(&self, later: &Self) -> bool {
        self.0.chars().next() == later.0.chars().next()
    }
}

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn lane(mode: QueueMode, cap: usize, drop: QueueDrop) -> Lane<Message> {
    Lane::new(LaneSettings { mode, cap, drop })
}

fn put(lane: &mut Lane<Message>, words: &[&'static str]) {
    for word in words {
        lane.handle_turn(at(0), Message(word));
    }
}

fn done(lane: &mut Lane<Message>) -> Vec<String> {
    done_at(lane, at(0))
}

fn done_at(lane: &mut Lane<Message>, now: SessionTime) -> Vec<String> {
    std::iter::from_fn(|| lane.poll_output(now)).map(|output| told(&output)).collect()
}

fn told(output: &LaneOutput<Message>) -> String {
    match output {
        LaneOutput::Begin(turn) => {
            let parts: Vec<&str> = turn.parts.iter().map(|part| part.0).collect();
            let mut line = format!("{} begins {}", turn.run.0, parts.join("+"));
            if turn.summarised > 0 {
                line += &format!(" after {}: {}", turn.summarised, turn.summaries.join(", "));
            }
            line
        }
        LaneOutput::Steer(turn) => format!("steer {}", turn.0),
        LaneOutput::Cancel(run) => format!("cancel {}", run.0),
        LaneOutput::Dropped(turn, why) => format!("{} dropped: {why}", turn.0),
    }
}

fn over(lane: &mut Lane<Message>, run: u64) {
    lane.handle_over(at(0), RunNumber(run), Outcome::Ended);
}

#[test]
fn followups_run_one_after_the_other() {
    let mut lane = lane(QueueMode::Followup, 20, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2", "b1"]);
    assert_eq!(done(&mut lane), ["0 begins a1"]);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), ["1 begins a2"]);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), [""; 0], "that run was over before");
    over(&mut lane, 1);
    assert_eq!(done(&mut lane), ["2 begins b1"]);
    over(&mut lane, 2);
    assert!(lane.is_idle());
}

#[test]
fn what_waits_becomes_one_turn_as_far_as_it_is_by_one_person() {
    let mut lane = lane(QueueMode::Collect, 20, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2", "a3", "b1", "b2", "a4"]);
    assert_eq!(done(&mut lane), ["0 begins a1"]);
    for (run, expected) in [(0, "1 begins a2+a3"), (1, "2 begins b1+b2"), (2, "3 begins a4")] {
        over(&mut lane, run);
        assert_eq!(done(&mut lane), [expected]);
    }
}

#[test]
fn the_active_run_is_told_and_what_it_does_not_take_is_the_next_turn() {
    let mut lane = lane(QueueMode::Steer, 20, QueueDrop::Summarize);
    put(&mut lane, &["a1"]);
    assert_eq!(done(&mut lane), ["0 begins a1"]);
    lane.handle_started(at(0), RunNumber(0));
    put(&mut lane, &["a2"]);
    assert_eq!(done(&mut lane), ["steer a2"]);
    lane.handle_steered(at(0), true);
    assert_eq!(lane.depth(), 0);
    put(&mut lane, &["a3", "a4"]);
    assert_eq!(done(&mut lane), ["steer a3"], "one at a time");
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), [""; 0], "it may have been taken");
    lane.handle_steered(at(0), false);
    assert_eq!(done(&mut lane), ["1 begins a3"]);
    lane.handle_started(at(0), RunNumber(1));
    put(&mut lane, &["a5"]);
    assert_eq!(done(&mut lane), [""; 0], "not past the one that waits");
    over(&mut lane, 1);
    assert_eq!(done(&mut lane), ["2 begins a4"]);
}

#[test]
fn nobody_steers_a_run_of_somebody_else_or_one_that_has_not_started() {
    let mut lane = lane(QueueMode::Steer, 20, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2"]);
    assert_eq!(done(&mut lane), ["0 begins a1"]);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), ["1 begins a2"]);
    lane.handle_started(at(0), RunNumber(0));
    lane.handle_started(at(0), RunNumber(1));
    put(&mut lane, &["b1"]);
    assert_eq!(done(&mut lane), [""; 0]);
    over(&mut lane, 1);
    assert_eq!(done(&mut lane), ["2 begins b1"]);
}

#[test]
fn an_interruption_ends_the_run_once() {
    let mut lane = lane(QueueMode::Interrupt, 20, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2", "a3", "b1"]);
    assert_eq!(done(&mut lane), ["0 begins a1", "cancel 0"]);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), ["1 begins a2+a3"]);
    over(&mut lane, 1);
    assert_eq!(done(&mut lane), ["2 begins b1"]);
}

#[test]
fn when_too_many_wait() {
    for (drop, expected) in [
        (
            QueueDrop::Old,
            vec![
                "a2 dropped: newer messages took its place in the queue",
                "a3 dropped: newer messages took its place in the queue",
                "1 begins a4",
            ],
        ),
        (
            QueueDrop::New,
            vec![
                "a4 dropped: too many messages wait",
                "a5 dropped: too many messages wait",
                "1 begins a2",
            ],
        ),
        (
            QueueDrop::Summarize,
            vec![
                "a2 dropped: summarised for the next turn",
                "a3 dropped: summarised for the next turn",
                "1 begins a4 after 2: about a2, about a3",
            ],
        ),
    ] {
        let mut lane = lane(QueueMode::Followup, 2, drop);
        put(&mut lane, &["a1", "a2", "a3"]);
        assert_eq!(done(&mut lane), ["0 begins a1"]);
        put(&mut lane, &["a4", "a5"]);
        over(&mut lane, 0);
        assert_eq!(done(&mut lane), expected);
        over(&mut lane, 1);
        assert_eq!(done(&mut lane).len(), 1);
    }
}

#[test]
fn summaries_are_as_many_as_may_wait_but_all_are_counted() {
    let mut lane = lane(QueueMode::Followup, 2, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2", "a3", "a4", "a5", "a6"]);
    assert_eq!(done(&mut lane).len(), 4);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), ["1 begins a5 after 3: about a3, about a4"]);
    over(&mut lane, 1);
    assert_eq!(done(&mut lane), ["2 begins a6"]);
}

#[test]
fn what_is_being_told_has_its_place() {
    let mut lane = lane(QueueMode::Steer, 1, QueueDrop::Summarize);
    put(&mut lane, &["a1"]);
    done(&mut lane);
    lane.handle_started(at(0), RunNumber(0));
    put(&mut lane, &["a2", "a3"]);
    assert_eq!(done(&mut lane), ["steer a2", "a3 dropped: too many messages wait"]);
    lane.handle_steered(at(0), false);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane), ["1 begins a2"]);
}

#[test]
fn a_busy_session_is_tried_three_more_times() {
    let mut lane = lane(QueueMode::Collect, 20, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2"]);
    assert_eq!(done(&mut lane), ["0 begins a1"]);
    let mut now = at(0);
    for (run, pause) in [(0, 250), (1, 1000), (2, 2500)] {
        lane.handle_over(now, RunNumber(run), Outcome::Busy);
        let due = now + Duration::from_millis(pause);
        assert_eq!(lane.poll_timeout(), Some(due));
        assert_eq!(done_at(&mut lane, due - Duration::from_millis(1)), [""; 0]);
        assert_eq!(done_at(&mut lane, due), [format!("{} begins a1", run + 1)]);
        now = due;
    }
    lane.handle_over(now, RunNumber(3), Outcome::Busy);
    assert_eq!(done_at(&mut lane, now), ["a1 dropped: the session stayed busy", "4 begins a2"]);
}

#[test]
fn summaries_survive_a_turn_that_finds_the_session_busy() {
    let mut lane = lane(QueueMode::Followup, 1, QueueDrop::Summarize);
    put(&mut lane, &["a1", "a2", "a3"]);
    over(&mut lane, 0);
    assert_eq!(done(&mut lane).last().unwrap(), "1 begins a3 after 1: about a2");
    put(&mut lane, &["a4"]);
    for run in 1..=4 {
        lane.handle_over(at(0), RunNumber(run), Outcome::Busy);
        done_at(&mut lane, at(60_000).max(at(0)));
    }
    lane.handle_over(at(0), RunNumber(5), Outcome::Busy);
    assert_eq!(done_at(&mut lane, at(60_000)), ["6 begins a4 after 1: about a2"]);
}

#[test]
fn a_session_that_is_stopped_begins_nothing() {
    let stopped = |word: &str| format!("{word} dropped: the session was stopped");
    let mut running = lane(QueueMode::Steer, 20, QueueDrop::Summarize);
    put(&mut running, &["a1"]);
    running.handle_started(at(0), RunNumber(0));
    put(&mut running, &["a2", "a3"]);
    done(&mut running);
    running.handle_stop();
    running.handle_stop();
    assert_eq!(done(&mut running), ["cancel 0".to_owned(), stopped("a3")]);
    running.handle_steered(at(0), false);
    assert_eq!(done(&mut running), [stopped("a2")]);
    over(&mut running, 0);
    assert!(running.is_idle());

    let mut pausing = lane(QueueMode::Steer, 20, QueueDrop::Summarize);
    put(&mut pausing, &["a1", "a2"]);
    done(&mut pausing);
    pausing.handle_over(at(0), RunNumber(0), Outcome::Busy);
    pausing.handle_stop();
    assert_eq!(done_at(&mut pausing, at(9000)), [stopped("a1"), stopped("a2")]);
    assert!(pausing.is_idle());
}
