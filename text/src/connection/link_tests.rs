use proptest::prelude::*;

use super::*;
use crate::connection::supervisor::Supervisor;

const ROLL: f64 = 1.0;

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn session(sequence: u64) -> Resumable {
    let url = Some("wss://gateway-us.discord.gg".to_owned());
    Resumable { session_id: "abc".to_owned(), sequence, url }
}

fn drained(link: &mut Link) -> Vec<Output> {
    std::iter::from_fn(|| link.poll_output()).collect()
}

fn lost(why: &str, millis: u64) -> Output {
    Output::Lost { why: why.to_owned(), wait: Duration::from_millis(millis) }
}

fn dialled(link: &mut Link, now: SessionTime) -> Vec<Output> {
    link.handle_timeout(now, ROLL);
    drained(link)
}

/// Live since second 1, session abc.
fn live() -> Link {
    let mut link = Link::new(&ConnectionSettings::default(), at(0), None, false);
    assert_eq!(dialled(&mut link, at(0)), [Output::Dial(Way::Identify)]);
    link.handle_hello(at(100));
    link.handle_identifying(at(500));
    link.handle_ready(at(1_000), session(1));
    link
}

#[test]
fn a_connection_that_was_good_is_resumed_at_once() {
    let mut link = live();
    link.handle_closed(at(100_000), Some(4000), 17, ROLL);
    assert_eq!(
        drained(&mut link),
        [lost("Discord closed the connection: unknown error (4000)", 0)]
    );
    assert_eq!(link.poll_timeout(), Some((at(100_000), Timer::Dial)));
    assert_eq!(dialled(&mut link, at(100_000)), [Output::Dial(Way::Resume(session(17)))]);
}

#[test]
fn connections_that_do_not_hold_are_dialled_ever_more_slowly_until_the_supervisor_is_asked() {
    let mut link = live();
    let mut now = at(2_000);
    let mut waits = Vec::new();
    loop {
        link.handle_closed(now, None, 1, ROLL);
        let outputs = drained(&mut link);
        let [Output::Lost { wait, .. }, rest @ ..] = outputs.as_slice() else {
            panic!("{outputs:?}")
        };
        if !rest.is_empty() {
            assert_eq!(rest, [Output::Restart(Cause::Retries)]);
            break;
        }
        waits.push(wait.as_millis());
        now += *wait;
        assert_eq!(dialled(&mut link, now), [Output::Dial(Way::Resume(session(1)))]);
        link.handle_hello(now);
        link.handle_resumed(now);
    }
    assert_eq!(waits, [0, 2250, 3375, 5062, 7593, 11390, 17085, 25628, 38443, 57665]);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn an_unreachable_discord_is_dialled_ever_more_slowly_for_as_long_as_it_takes() {
    let settings = ConnectionSettings::default();
    let mut supervisor = Supervisor::new(&settings, at(0));
    let mut now = at(0);
    let mut tries = Vec::new();
    while now < at(3_600_000) {
        let mut link = Link::new(&settings, now, None, false);
        while let Some((due, _)) = link.poll_timeout() {
            now = due;
            assert_eq!(dialled(&mut link, now), [Output::Dial(Way::Identify)]);
            tries.push(now);
            link.handle_dial_failed(now, "connection refused", ROLL);
            let outputs = drained(&mut link);
            assert!(matches!(outputs[0], Output::Lost { .. }), "one line a try: {outputs:?}");
        }
        now += supervisor.handle_restart(now, Cause::Retries, ROLL);
    }
    let waits: Vec<u128> = tries.windows(2).map(|two| (two[1].since(two[0])).as_millis()).collect();
    assert_eq!(waits[..3], [1_500, 2_250, 3_375]);
    // Ten tries with growing waits, then the supervisor's, and so on.
    let longest: Vec<u128> = waits.iter().skip(10).step_by(11).copied().collect();
    assert_eq!(longest[..7], [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000]);
    assert_eq!(tries.len(), 121, "in an hour");
}

#[test]
fn a_connection_that_held_half_a_minute_makes_the_waits_start_over() {
    let mut link = live();
    for now in [40_000, 80_000, 120_000] {
        link.handle_closed(at(now), None, 1, ROLL);
        assert_eq!(
            drained(&mut link),
            [lost("Discord closed the connection: the connection broke", 0)]
        );
        dialled(&mut link, at(now));
        link.handle_resumed(at(now));
    }
}

#[test]
fn every_close_code_has_its_way_back() {
    for code in [4000, 4001, 4002, 4008, 1000, 1001, 4999] {
        let mut link = live();
        link.handle_closed(at(40_000), Some(code), 5, ROLL);
        drained(&mut link);
        assert_eq!(
            dialled(&mut link, at(40_000)),
            [Output::Dial(Way::Resume(session(5)))],
            "{code}"
        );
    }
    for code in [4003, 4005, 4007, 4009] {
        let mut link = live();
        link.handle_closed(at(40_000), Some(code), 5, ROLL);
        assert_eq!(drained(&mut link)[0], Output::SessionLost, "{code}");
        assert_eq!(dialled(&mut link, at(40_000)), [Output::Dial(Way::Identify)], "{code}");
    }
    for code in [4004, 4010, 4011, 4012, 4013, 4014] {
        let mut link = live();
        link.handle_closed(at(40_000), Some(code), 5, ROLL);
        assert_eq!(drained(&mut link), [Output::SessionLost, Output::Fatal { code }]);
        assert_eq!(link.poll_timeout(), None, "{code}");
    }
}

#[test]
fn an_invalid_session_waits_one_to_five_seconds_and_identifies() {
    for (roll, wait) in [(0.0, 1_000), (0.5, 3_000), (1.0, 5_000)] {
        let mut link = live();
        link.handle_invalid_session(at(60_000), false, 9, roll);
        assert_eq!(
            drained(&mut link),
            [Output::Leave, Output::SessionLost, lost("the session is invalid", wait)]
        );
        assert_eq!(link.poll_timeout(), Some((at(60_000 + wait), Timer::Dial)));
        assert_eq!(dialled(&mut link, at(60_000 + wait)), [Output::Dial(Way::Identify)]);
    }
}

#[test]
fn an_interrupted_session_is_resumed() {
    let mut link = live();
    link.handle_invalid_session(at(60_000), true, 9, 0.0);
    assert_eq!(drained(&mut link), [Output::Leave, lost("the session is interrupted", 1_000)]);
    assert_eq!(dialled(&mut link, at(61_000)), [Output::Dial(Way::Resume(session(9)))]);
}

#[test]
fn discord_may_ask_to_come_back_even_before_hello() {
    let mut link = Link::new(&ConnectionSettings::default(), at(0), Some(session(3)), false);
    dialled(&mut link, at(0));
    link.handle_reconnect(at(10), 3, ROLL);
    assert_eq!(drained(&mut link), [Output::Leave, lost("Discord asks to reconnect", 1_500)]);
    assert_eq!(dialled(&mut link, at(1_510)), [Output::Dial(Way::Resume(session(3)))]);
}

#[test]
fn an_address_that_does_not_answer_is_not_tried_twice() {
    let mut link = live();
    link.handle_closed(at(40_000), None, 5, ROLL);
    dialled(&mut link, at(40_000));
    link.handle_dial_failed(at(41_000), "refused", ROLL);
    assert_eq!(
        drained(&mut link).pop(),
        Some(lost("the websocket cannot be opened: refused", 2250))
    );
    let elsewhere = Resumable { url: None, ..session(5) };
    assert_eq!(dialled(&mut link, at(43_250)), [Output::Dial(Way::Resume(elsewhere))]);
}

#[test]
fn a_session_that_lay_too_long_is_not_resumed() {
    let mut link = live();
    link.handle_closed(at(40_000), None, 5, ROLL);
    drained(&mut link);
    assert_eq!(dialled(&mut link, at(340_000)), [Output::SessionLost, Output::Dial(Way::Identify)]);
}

#[test]
fn without_ready_in_time_the_start_is_repeated_and_a_running_connection_restarted() {
    let mut link = Link::new(&ConnectionSettings::default(), at(0), None, false);
    dialled(&mut link, at(0));
    assert_eq!(link.poll_timeout(), Some((at(25_000), Timer::Ready)));
    link.handle_hello(at(1_000));
    // IDENTIFY waits its turn, however long.
    assert_eq!(link.poll_timeout(), None);
    link.handle_identifying(at(90_000));
    assert_eq!(link.poll_timeout(), Some((at(105_000), Timer::Ready)));
    link.handle_timeout(at(105_000), ROLL);
    assert_eq!(drained(&mut link), [Output::Leave, lost("READY did not come", 2_000)]);
    assert_eq!(dialled(&mut link, at(107_000)), [Output::Dial(Way::Identify)]);

    let mut link = live();
    link.handle_closed(at(40_000), None, 5, ROLL);
    dialled(&mut link, at(40_000));
    link.handle_hello(at(40_500));
    assert_eq!(link.poll_timeout(), Some((at(70_500), Timer::Ready)));
    link.handle_frame(at(50_000));
    assert_eq!(link.poll_timeout(), Some((at(80_000), Timer::Ready)));
    link.handle_timeout(at(80_000), ROLL);
    assert_eq!(
        drained(&mut link),
        [Output::Leave, Output::SessionLost, Output::Restart(Cause::NotReady)]
    );
}

#[test]
fn half_an_hour_of_silence_is_noticed_by_the_next_look() {
    let mut link = live();
    link.handle_frame(at(61_000));
    for look in 1..=6 {
        link.handle_timeout(at(1_000 + look * 300_000), ROLL);
        assert_eq!(drained(&mut link), [], "look {look}");
    }
    link.handle_timeout(at(1_000 + 7 * 300_000), ROLL);
    assert_eq!(drained(&mut link), [Output::Restart(Cause::Stale)]);
}

#[test]
fn three_sessions_that_end_right_after_they_began_have_another_reason() {
    let mut link = live();
    let mut now = at(2_000);
    for round in 1..=4 {
        link.handle_invalid_session(now, false, 1, 0.0);
        let shared = drained(&mut link).contains(&Output::TokenShared);
        assert_eq!(shared, round == 3, "round {round}");
        now += Duration::from_secs(1);
        dialled(&mut link, now);
        link.handle_ready(now, session(1));
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Hello,
    Identifying,
    Ready,
    Resumed,
    Reconnect,
    Invalid(bool),
    Closed(Option<u16>),
    Failed,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Hello),
        Just(Step::Identifying),
        Just(Step::Ready),
        Just(Step::Resumed),
        Just(Step::Reconnect),
        any::<bool>().prop_map(Step::Invalid),
        prop::option::of(prop_oneof![1000u16..1002, 4000u16..4016]).prop_map(Step::Closed),
        Just(Step::Failed),
        (0u64..700_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Whatever Discord does: until a fatal code or a call for the supervisor the link always has
    /// something to wait for, and it never resumes what is known to be lost.
    #[test]
    fn it_never_gets_stuck(steps in prop::collection::vec((step(), 0.0f64..1.0), 1..80)) {
        let mut link = Link::new(&ConnectionSettings::default(), at(0), None, false);
        let mut now = at(0);
        let mut has_session = false;
        let mut over = false;
        for (step, roll) in steps {
            match step {
                Step::Hello => link.handle_hello(now),
                Step::Identifying => link.handle_identifying(now),
                Step::Ready => { link.handle_ready(now, session(1)); has_session = true; over = false; }
                Step::Resumed => { link.handle_resumed(now); over = false; }
                Step::Reconnect => { link.handle_reconnect(now, 2, roll); over = false; }
                Step::Invalid(resumable) => {
                    link.handle_invalid_session(now, resumable, 2, roll);
                    over = false;
                }
                Step::Closed(code) => { link.handle_closed(now, code, 2, roll); over = false; }
                Step::Failed => { link.handle_dial_failed(now, "no", roll); over = false; }
                Step::Wait(millis) => now += Duration::from_millis(millis),
            }
            link.handle_timeout(now, roll);
            while let Some(output) = link.poll_output() {
                match output {
                    Output::SessionLost => { prop_assert!(has_session); has_session = false; }
                    Output::Dial(Way::Resume(_)) => prop_assert!(has_session),
                    Output::Dial(Way::Identify) => prop_assert!(!has_session),
                    Output::Fatal { .. } | Output::Restart(Cause::Retries | Cause::NotReady) => over = true,
                    Output::Lost { wait, .. } => prop_assert!(wait <= Duration::from_secs(60)),
                    _ => {}
                }
            }
            let waits_its_turn = matches!(link.phase, Phase::Opening { resuming: false, deadline: None });
            prop_assert!(over || waits_its_turn || link.poll_timeout().is_some());
        }
    }
}
