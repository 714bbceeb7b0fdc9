use proptest::prelude::*;

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + secs).unwrap()
}

fn id(text: &str) -> SecretId {
    SecretId::kept(text).unwrap()
}

const KEY: &str = "ba7816bf";
const DAY: i64 = 86_400;

fn declared(key: &str, path: &str, purpose: Purpose) -> Report {
    Report::Declared { id: id(key), path: path.to_owned(), purpose }
}

fn used(key: &str, purpose: Purpose, answer: Answer) -> Report {
    Report::Used { id: id(key), purpose, answer }
}

/// What comes out, in short: `log model ok 1`, `save model 1`, `warn …`.
fn told(ledger: &mut Ledger) -> Vec<String> {
    let mut told = Vec::new();
    while let Some(output) = ledger.poll_output() {
        told.push(match output {
            Output::Log(Noted { path, purpose, answer, uses, .. }) => {
                format!("log {path} {} {} {uses}", purpose.word(), answer.word())
            }
            Output::Save(known) => format!("save {} {}", known.purpose.word(), known.uses),
            Output::Warn(anomaly) => format!("warn {anomaly}"),
        });
    }
    told
}

fn known(purpose: Purpose, first_seen: Timestamp, answer: Option<Answer>) -> KnownUse {
    let last_use = answer.map(|_| first_seen);
    KnownUse { id: id(KEY), purpose, first_seen, uses: 5, last_use, answer }
}

#[test]
fn the_first_use_each_change_and_an_hours_count_are_lines() {
    let mut ledger = Ledger::new([]);
    ledger.handle(at(0), declared(KEY, "m", Purpose::Model));
    assert_eq!(told(&mut ledger), ["save model 0"]);
    assert_eq!(ledger.poll_timeout(), Some(at(1)));
    ledger.handle_timeout(at(1));
    assert_eq!((told(&mut ledger).len(), ledger.poll_timeout()), (0, None));
    ledger.handle(at(10), used(KEY, Purpose::Model, Answer::Ok));
    assert_eq!(told(&mut ledger), ["log m model ok 1", "save model 1"]);
    for second in 11..20 {
        ledger.handle(at(second), used(KEY, Purpose::Model, Answer::Ok));
    }
    // A server in trouble says nothing of the credential.
    ledger.handle(at(20), used(KEY, Purpose::Model, Answer::Unknown));
    assert_eq!(told(&mut ledger), [""; 0]);
    assert_eq!(ledger.poll_timeout(), Some(at(3_610)));
    ledger.handle_timeout(at(3_609));
    assert_eq!(told(&mut ledger), [""; 0]);
    ledger.handle_timeout(at(3_610));
    assert_eq!(told(&mut ledger), ["log m model ok 10", "save model 11"]);
    assert_eq!(ledger.poll_timeout(), None, "until it is used again");
    ledger.handle(at(4_000), used(KEY, Purpose::Model, Answer::Ok));
    assert_eq!(told(&mut ledger), [""; 0]);
    ledger.handle(at(4_001), used(KEY, Purpose::Model, Answer::Refused));
    let refused = "warn the credential m (ba7816bf) is refused for model, for which it was good \
                   before: it may have been revoked or replaced";
    assert_eq!(told(&mut ledger), ["log m model refused 2", "save model 13", refused]);
    ledger.handle(at(4_002), used(KEY, Purpose::Model, Answer::Refused));
    assert_eq!(told(&mut ledger), [""; 0], "once");
    ledger.handle(at(4_003), used(KEY, Purpose::Model, Answer::Ok));
    assert_eq!(told(&mut ledger), ["log m model ok 2", "save model 15"]);
    ledger.handle(at(4_004), used(KEY, Purpose::Model, Answer::Ok));
    ledger.finish();
    assert_eq!(told(&mut ledger), ["log m model ok 1", "save model 16"]);
}

#[test]
fn one_that_never_worked_is_no_anomaly_and_one_of_an_earlier_process_is() {
    let mut ledger = Ledger::new([]);
    ledger.handle(at(0), used(KEY, Purpose::Realtime, Answer::Unknown));
    ledger.handle(at(1), used(KEY, Purpose::Realtime, Answer::Refused));
    let expected = [
        "save realtime 0",
        "log  realtime unknown 1",
        "save realtime 1",
        "log  realtime refused 1",
        "save realtime 2",
    ];
    assert_eq!(told(&mut ledger), expected);
    let mut ledger = Ledger::new([known(Purpose::Realtime, at(0), Some(Answer::Ok))]);
    ledger.handle(at(9), used(KEY, Purpose::Realtime, Answer::Refused));
    let told = told(&mut ledger);
    assert_eq!(told[..2], ["log  realtime refused 1", "save realtime 6"]);
    assert!(told[2].contains("is refused for realtime"), "{told:?}");
}

#[test]
fn a_purpose_that_it_never_had_is_told_when_it_is_used_for_it() {
    let mut ledger = Ledger::new([known(Purpose::Model, at(0), None)]);
    for (path, purpose) in [("m", Purpose::Model), ("s", Purpose::Speech)] {
        ledger.handle(at(5), declared(KEY, path, purpose));
    }
    assert_eq!(told(&mut ledger), ["save speech 0"]);
    ledger.handle(at(6), used(KEY, Purpose::Model, Answer::Ok));
    assert_eq!(told(&mut ledger), ["log m model ok 1", "save model 6"]);
    for _ in 0..2 {
        ledger.handle(at(7), used(KEY, Purpose::Speech, Answer::Ok));
    }
    let lines = told(&mut ledger);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].starts_with("warn the credential s (ba7816bf) is used for speech, for which"));
    // The next process knows it.
    let known = [known(Purpose::Model, at(0), None), known(Purpose::Speech, at(0), None)];
    let mut next = Ledger::new(known);
    next.handle(at(5), used(KEY, Purpose::Speech, Answer::Ok));
    assert!(told(&mut next).iter().all(|line| !line.starts_with("warn")));
}

#[test]
fn one_that_serves_several_purposes_is_told_by_its_paths() {
    let mut ledger = Ledger::new([]);
    for (path, purpose) in [
        ("token", Purpose::Gateway),
        ("token", Purpose::Rest),
        ("speech", Purpose::Speech),
        ("model", Purpose::Model),
    ] {
        let key = if path == "token" { "00000000" } else { KEY };
        ledger.handle(at(0), declared(key, path, purpose));
    }
    told(&mut ledger);
    ledger.handle_timeout(at(1));
    let shared = "warn one credential (ba7816bf) serves several purposes: model, speech. With one \
                  of its own each could be revoked without the others";
    assert_eq!(told(&mut ledger), [shared]);
    // A configuration that is read again declares again.
    ledger.handle(at(10), declared(KEY, "speech", Purpose::Speech));
    ledger.handle_timeout(at(11));
    assert_eq!(told(&mut ledger), [""; 0]);
    ledger.handle(at(20), declared(KEY, "voice", Purpose::Realtime));
    ledger.handle_timeout(at(21));
    let told = told(&mut ledger);
    assert!(told[1].contains("several purposes: model, speech, voice."), "{told:?}");
}

#[test]
fn one_that_is_in_use_for_ninety_days_is_told_once() {
    let mut ledger = Ledger::new([known(Purpose::Model, at(0), None)]);
    ledger.handle(at(90 * DAY - 3_600), declared(KEY, "m", Purpose::Model));
    ledger.handle_timeout(at(90 * DAY - 3_599));
    assert_eq!(told(&mut ledger), [""; 0]);
    ledger.handle(at(90 * DAY - 10), used(KEY, Purpose::Model, Answer::Ok));
    told(&mut ledger);
    ledger.handle_timeout(at(90 * DAY + 3_590));
    assert_eq!(
        told(&mut ledger),
        ["warn the credential m (ba7816bf) is in use for 90 days: replace it"]
    );
    ledger.handle(at(91 * DAY), declared(KEY, "m", Purpose::Model));
    ledger.handle_timeout(at(91 * DAY + 1));
    assert_eq!(told(&mut ledger), [""; 0]);
    // One that the configuration no longer has is nobody's business.
    let mut other = Ledger::new([known(Purpose::Model, at(0), None)]);
    other.handle(at(100 * DAY), declared("00000000", "x", Purpose::Model));
    other.handle_timeout(at(100 * DAY + 1));
    assert_eq!(told(&mut other), ["save model 0"]);
}

#[test]
fn more_than_can_be_followed_is_left_out() {
    let mut ledger = Ledger::new([]);
    for number in 0..MOST + 5 {
        ledger.handle(at(0), used(&format!("{number:08x}"), Purpose::Model, Answer::Ok));
    }
    assert_eq!(ledger.entries.len(), MOST);
}

proptest! {
    /// Every use is counted by exactly one line, whatever comes.
    #[test]
    fn lines_add_up_to_the_uses(
        uses in prop::collection::vec((0usize..3, 0usize..7, 0usize..3, 0i64..9_000), 0..60),
    ) {
        let mut ledger = Ledger::new([]);
        let (mut now, mut logged, mut saved) = (0, 0, BTreeMap::new());
        let mut take = |ledger: &mut Ledger| {
            while let Some(output) = ledger.poll_output() {
                match output {
                    Output::Log(noted) => logged += noted.uses,
                    Output::Save(known) => {
                        saved.insert((known.id, known.purpose), known.uses);
                    }
                    Output::Warn(_) => {}
                }
            }
        };
        let total = uses.len() as u64;
        for (key, purpose, answer, wait) in uses {
            now += wait;
            while ledger.poll_timeout().is_some_and(|due| due <= at(now)) {
                ledger.handle_timeout(at(now));
            }
            let key = ["00000000", "11111111", "22222222"][key];
            ledger.handle(at(now), used(key, Purpose::ALL[purpose], Answer::ALL[answer]));
            take(&mut ledger);
        }
        ledger.finish();
        take(&mut ledger);
        prop_assert_eq!(logged, total);
        prop_assert_eq!(saved.values().sum::<u64>(), total);
    }
}
