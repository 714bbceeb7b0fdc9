use std::{collections::HashSet, time::Duration};

use proptest::prelude::*;

use super::{super::route::Priority, *};

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn schedule() -> Schedule {
    Schedule::new(RestSettings::default())
}

fn message(channel: u64) -> Route {
    Route::of("POST", &format!("channels/{channel}/messages"))
}

fn callback(id: u64) -> Route {
    Route::of("POST", &format!("interactions/{id}/token{id}/callback"))
}

fn answer(status: u16) -> Attempt {
    Attempt::Answered { status, retry_after: None, global: false, shared: false }
}

fn limited(millis: u64, global: bool) -> Attempt {
    let retry_after = Some(Duration::from_millis(millis));
    Attempt::Answered { status: 429, retry_after, global, shared: false }
}

fn sent(schedule: &mut Schedule, now: SessionTime) -> Vec<Ticket> {
    std::iter::from_fn(|| schedule.poll_output(now)).collect()
}

fn done(schedule: &mut Schedule, now: SessionTime, ticket: Ticket, attempt: &Attempt) -> Next {
    schedule.handle_attempt(now, ticket, attempt, &Limits::default(), 0.5)
}

#[test]
fn messages_of_a_channel_go_one_after_the_other_and_channels_beside_each_other() {
    let mut schedule = schedule();
    let mut submit = |channel| schedule.submit(at(0), message(channel), None).unwrap();
    let (first, second, other) = (submit(1), submit(1), submit(2));
    assert_eq!(sent(&mut schedule, at(0)), [first, other]);
    assert_eq!(done(&mut schedule, at(10), first, &answer(200)), Next::Done);
    assert_eq!(sent(&mut schedule, at(10)), [second]);
}

#[test]
fn a_rate_limit_of_two_seconds_is_waited_out_and_the_order_kept() {
    let mut schedule = schedule();
    let first = schedule.submit(at(0), message(1), None).unwrap();
    let second = schedule.submit(at(0), message(1), None).unwrap();
    sent(&mut schedule, at(0));
    let next = done(&mut schedule, at(100), first, &limited(2000, false));
    assert_eq!(next, Next::Again(Duration::from_secs(2)));
    assert_eq!(sent(&mut schedule, at(2099)), []);
    assert_eq!(schedule.poll_timeout(at(2099)), Some(at(2100)));
    assert_eq!(sent(&mut schedule, at(2100)), [first]);
    done(&mut schedule, at(2200), first, &answer(200));
    assert_eq!(sent(&mut schedule, at(2200)), [second]);
}

#[test]
fn the_last_of_an_allowance_makes_the_next_wait() {
    let mut schedule = schedule();
    let first = schedule.submit(at(0), message(1), None).unwrap();
    let second = schedule.submit(at(0), message(1), None).unwrap();
    sent(&mut schedule, at(0));
    let limits = Limits {
        bucket: Some("abc".to_owned()),
        remaining: Some(0),
        reset_after: Some(Duration::from_millis(1500)),
    };
    schedule.handle_attempt(at(50), first, &answer(200), &limits, 0.5);
    assert_eq!(schedule.poll_timeout(at(50)), Some(at(1550)));
    assert_eq!(sent(&mut schedule, at(1550)), [second]);
}

#[test]
fn routes_of_one_bucket_wait_for_each_other() {
    let mut schedule = schedule();
    let delete = || Route::of("DELETE", "channels/1/messages/5");
    let patch = || Route::of("PATCH", "channels/1/messages/5");
    let limits = Limits { bucket: Some("abc".to_owned()), ..Limits::default() };
    for route in [delete(), patch()] {
        let ticket = schedule.submit(at(0), route, None).unwrap();
        sent(&mut schedule, at(0));
        schedule.handle_attempt(at(1), ticket, &answer(204), &limits, 0.5);
    }
    let first = schedule.submit(at(2), delete(), None).unwrap();
    schedule.submit(at(2), patch(), None).unwrap();
    assert_eq!(sent(&mut schedule, at(2)), [first]);
}

#[test]
fn a_global_limit_stops_all_but_interactions() {
    let mut schedule = schedule();
    let first = schedule.submit(at(0), message(1), None).unwrap();
    sent(&mut schedule, at(0));
    done(&mut schedule, at(10), first, &limited(500, true));
    schedule.submit(at(20), message(2), None).unwrap();
    let answered = schedule.submit(at(20), callback(7), None).unwrap();
    assert_eq!(sent(&mut schedule, at(20)), [answered]);
    assert_eq!(sent(&mut schedule, at(510)).len(), 2);
}

#[test]
fn four_work_callbacks_beside_them_and_reads_come_last() {
    let mut schedule = schedule();
    let read = schedule.submit(at(0), Route::of("GET", "channels/9"), None).unwrap();
    let writes: Vec<_> =
        (1..=4).map(|n| schedule.submit(at(0), message(n), None).unwrap()).collect();
    assert_eq!(sent(&mut schedule, at(0)), writes);
    let answered = schedule.submit(at(1), callback(7), None).unwrap();
    assert_eq!(sent(&mut schedule, at(1)), [answered]);
    done(&mut schedule, at(2), answered, &answer(204));
    assert_eq!(sent(&mut schedule, at(2)), []);
    done(&mut schedule, at(3), writes[0], &answer(200));
    assert_eq!(sent(&mut schedule, at(3)), [read]);
}

#[test]
fn the_thousandth_and_first_that_waits_is_refused() {
    let mut schedule = schedule();
    for _ in 0..1000 {
        schedule.submit(at(0), message(1), None).unwrap();
    }
    assert_eq!(schedule.submit(at(0), message(1), None), Err(QueueFull));
    let under_way = sent(&mut schedule, at(0));
    assert!(schedule.submit(at(0), message(1), None).is_ok());
    schedule.cancel(under_way[0]);
    assert_eq!(sent(&mut schedule, at(0)).len(), 1);
}

#[test]
fn before_a_ban_requests_stay_a_second_apart() {
    let mut schedule = schedule();
    for _ in 0..5_000 {
        schedule.refusals.count(at(0), 403);
    }
    let first = schedule.submit(at(1_000), message(1), None).unwrap();
    let second = schedule.submit(at(1_000), message(2), None).unwrap();
    assert_eq!(sent(&mut schedule, at(1_000)), [first]);
    assert_eq!(schedule.poll_timeout(at(1_000)), Some(at(2_000)));
    assert_eq!(sent(&mut schedule, at(2_000)), [second]);
    assert_eq!(schedule.refusals(at(2_000)).forbidden, 5_000);
}

#[test]
fn one_that_is_made_once_is_not_made_again_and_the_others_more_often_while_offline() {
    let mut schedule = schedule();
    let made = |schedule: &mut Schedule, most, attempt: &Attempt| {
        let ticket = schedule.submit(at(0), message(1), most).unwrap();
        let tries = (1..).find(|tries| {
            let now = at(100_000 * tries);
            assert_eq!(sent(schedule, now), [ticket]);
            done(schedule, now, ticket, attempt) == Next::Done
        });
        tries.unwrap()
    };
    assert_eq!(made(&mut schedule, Some(1), &Attempt::NotConnected), 1);
    assert_eq!(made(&mut schedule, None, &Attempt::NotConnected), 3);
    schedule.handle_gateway(true);
    assert_eq!(made(&mut schedule, None, &Attempt::NoAnswer), 5);
    assert_eq!(made(&mut schedule, None, &answer(503)), 3);
    assert_eq!(made(&mut schedule, Some(1), &Attempt::NoAnswer), 1);
}

/// What would go next, by a look at everything.
fn by_a_look_at_everything(schedule: &Schedule, now: SessionTime) -> Option<Ticket> {
    let all = || schedule.requests.iter();
    let is_callback = |request: &Request| request.route.priority() == Priority::Callback;
    let working = all().filter(|(_, one)| one.under_way && !is_callback(one)).count();
    let apart = schedule.refusals.pause(now);
    all()
        .filter(|(ticket, one)| {
            let before = |(other, that): (&Ticket, &Request)| {
                that.key == one.key && (that.under_way || other < ticket)
            };
            !one.under_way && !all().any(before)
        })
        .filter(|(_, one)| working < 4 || is_callback(one))
        .filter(|(_, one)| schedule.may_go_at(one, apart) <= now)
        .map(|(ticket, one)| (one.route.priority(), *ticket))
        .min()
        .map(|(_, ticket)| ticket)
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit(u64, bool),
    End(usize, u16),
    Cancel(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u64..5, any::<bool>()).prop_map(|(channel, call)| Step::Submit(channel, call)),
        3 => (0usize..8, prop::sample::select(vec![200u16, 403, 408, 429, 500]))
            .prop_map(|(which, status)| Step::End(which, status)),
        1 => (0usize..8).prop_map(Step::Cancel),
        2 => (0u64..3_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Never two of one channel at once, never more than the workers, order kept, nothing stuck.
    #[test]
    fn the_queue_keeps_its_promises(steps in prop::collection::vec(step(), 1..120)) {
        let mut schedule = schedule();
        let mut now = at(0);
        let mut under_way: Vec<Ticket> = Vec::new();
        let mut of: HashMap<Ticket, (u64, bool)> = HashMap::new();
        let mut finished: HashMap<u64, Ticket> = HashMap::new();
        for step in steps {
            match step {
                Step::Submit(channel, call) => {
                    let route = if call { callback(channel) } else { message(channel) };
                    let ticket = schedule.submit(now, route, None).unwrap();
                    of.insert(ticket, (channel, call));
                }
                Step::End(which, status) if !under_way.is_empty() => {
                    let ticket = under_way.remove(which % under_way.len());
                    let attempt = if status == 429 { limited(700, false) } else { answer(status) };
                    if done(&mut schedule, now, ticket, &attempt) == Next::Done
                        && let (channel, false) = of[&ticket]
                    {
                        let before = finished.insert(channel, ticket);
                        prop_assert!(before.is_none_or(|before| before < ticket));
                    }
                }
                Step::Cancel(which) if !under_way.is_empty() => {
                    schedule.cancel(under_way.remove(which % under_way.len()));
                }
                Step::Wait(millis) => now += Duration::from_millis(millis),
                _ => {}
            }
            let expected = by_a_look_at_everything(&schedule, now);
            let first = schedule.poll_output(now);
            prop_assert_eq!(first, expected);
            under_way.extend(first);
            under_way.extend(sent(&mut schedule, now));
            let waiting = schedule.requests.values().filter(|one| !one.under_way).count();
            prop_assert_eq!(schedule.lines.waiting(), waiting);
            let messages: Vec<u64> =
                under_way.iter().map(|ticket| of[ticket]).filter(|(_, call)| !call).map(|(channel, _)| channel).collect();
            prop_assert!(messages.len() <= 4);
            let distinct: HashSet<_> = messages.iter().collect();
            prop_assert_eq!(distinct.len(), messages.len());
            if under_way.is_empty() && !schedule.requests.is_empty() {
                prop_assert!(schedule.poll_timeout(now).is_some_and(|at| at > now));
            }
        }
    }
}
