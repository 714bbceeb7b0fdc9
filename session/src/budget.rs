//! What is deleted when everything that is kept takes more than it may.
//!
//! [`plan`] is asked with what there is, and says what goes: the cheapest class first, of a class
//! the oldest first, until no more than the low-water mark is left. What is in use is never chosen,
//! and of conversations only such as were put away.

use std::{path::PathBuf, time::Duration};

use clawvoice_config::DiskBudget;

/// A file that was used a moment ago may be in use still: a turn reads the files of its message, a
/// program that follows the log the one that was just put aside.
const FRESH: Duration = Duration::from_secs(3_600);

/// What kind of file it is. The first is the cheapest to lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A log file.
    Log,
    /// What somebody sent: Discord still has it.
    Media,
    /// The recording of a voice session.
    Recording,
    /// The database, and whatever else is there. It is counted and never chosen.
    Other,
}

/// A file, or the folder of one message's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its class.
    pub class: Class,
    /// What it takes, in bytes.
    pub bytes: u64,
    /// When it was last written to.
    pub age: Duration,
    /// Somebody writes to it.
    pub in_use: bool,
}

/// A conversation that was put away and is still in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutAway {
    /// Its number there.
    pub id: i64,
    /// About what it takes, in bytes.
    pub bytes: u64,
    /// How long ago it was put away.
    pub age: Duration,
}

/// What goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Files and folders to be deleted.
    pub files: Vec<PathBuf>,
    /// Conversations to be deleted.
    pub sessions: Vec<i64>,
    /// What all that takes, in bytes.
    pub freed: u64,
    /// What is left then, in bytes.
    pub left: u64,
}

impl Plan {
    /// Whether nothing goes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty() && self.sessions.is_empty()
    }
}

/// Chooses what goes. What takes no more than the budget is left alone.
#[must_use]
pub fn plan(files: &[KeptFile], sessions: &[PutAway], budget: DiskBudget) -> Plan {
    let total = files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
    let mut plan = Plan { left: total, ..Plan::default() };
    if total <= budget.max {
        return plan;
    }
    let may_go = |file: &&KeptFile| {
        file.class != Class::Other && !file.in_use && file.age >= FRESH && file.bytes > 0
    };
    let mut chosen: Vec<&KeptFile> = files.iter().filter(may_go).collect();
    chosen.sort_by(|a, b| (a.class, b.age, &a.path).cmp(&(b.class, a.age, &b.path)));
    for file in chosen {
        if plan.left <= budget.high_water {
            break;
        }
        plan.take(file.bytes);
        plan.files.push(file.path.clone());
    }
    let mut oldest: Vec<&PutAway> = sessions.iter().collect();
    oldest.sort_by(|a, b| (b.age, a.id).cmp(&(a.age, b.id)));
    for session in oldest {
        if plan.left <= budget.high_water {
            break;
        }
        plan.take(session.bytes);
        plan.sessions.push(session.id);
    }
    plan
}

impl Plan {
    fn take(&mut self, bytes: u64) {
        let bytes = bytes.min(self.left);
        self.left -= bytes;
        self.freed += bytes;
    }
}

/// Tells once that too much is left, until it no longer is.
#[derive(Debug, Default)]
pub struct Excess {
    told: bool,
}

impl Excess {
    /// `left`: what remains when everything has gone that may. Whether that is to be told now.
    pub fn is_to_be_told(&mut self, left: u64, budget: DiskBudget) -> bool {
        let is_over = left > budget.max;
        let was_told = std::mem::replace(&mut self.told, is_over);
        is_over && !was_told
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3_600;

    fn file(path: &str, class: Class, bytes: u64, hours: u64) -> KeptFile {
        let age = Duration::from_secs(hours * HOUR);
        KeptFile { path: path.into(), class, bytes, age, in_use: false }
    }

    fn put_away(id: i64, bytes: u64, hours: u64) -> PutAway {
        PutAway { id, bytes, age: Duration::from_secs(hours * HOUR) }
    }

    const fn budget(max: u64, high_water: u64) -> DiskBudget {
        DiskBudget { max, high_water }
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.files.iter().filter_map(|path| path.to_str()).collect()
    }

    #[test]
    fn the_cheapest_goes_first_and_of_it_the_oldest() {
        let files = [
            file("db", Class::Other, 100, 900),
            file("rec-new", Class::Recording, 10, 2),
            file("rec-old", Class::Recording, 10, 800),
            file("cat", Class::Media, 10, 5),
            file("dog", Class::Media, 10, 6),
            file("log.1", Class::Log, 10, 1),
        ];
        let sessions = [put_away(1, 30, 10), put_away(2, 30, 20)];
        for (limits, gone, ids, left) in [
            (budget(150, 10), &[][..], &[][..], 150),
            (budget(149, 145), &["log.1"], &[], 140),
            (budget(149, 130), &["log.1", "dog"], &[], 130),
            (budget(149, 129), &["log.1", "dog", "cat"], &[], 120),
            (budget(149, 105), &["log.1", "dog", "cat", "rec-old", "rec-new"], &[], 100),
            (budget(149, 99), &["log.1", "dog", "cat", "rec-old", "rec-new"], &[2], 70),
            (budget(0, 0), &["log.1", "dog", "cat", "rec-old", "rec-new"], &[2, 1], 40),
        ] {
            let plan = plan(&files, &sessions, limits);
            assert_eq!(names(&plan), gone, "{limits:?}");
            assert_eq!((&plan.sessions[..], plan.left), (ids, left), "{limits:?}");
            assert_eq!(plan.freed, 150 - left);
        }
    }

    #[test]
    fn what_is_in_use_or_fresh_stays() {
        let mut open = file("open", Class::Recording, 50, 90);
        open.in_use = true;
        let fresh =
            KeptFile { age: Duration::from_secs(HOUR - 1), ..file("fresh", Class::Media, 50, 0) };
        let plan = plan(&[open, fresh], &[], budget(10, 8));
        assert_eq!(plan, Plan { left: 100, ..Plan::default() });
    }

    #[test]
    fn too_much_is_told_once_until_it_no_longer_is() {
        let mut excess = Excess::default();
        let mut told = |left| excess.is_to_be_told(left, budget(10, 8));
        let answers = [9, 11, 12, 10, 11, 11].map(&mut told);
        assert_eq!(answers, [false, true, false, false, true, false]);
    }

    fn any_file() -> impl Strategy<Value = KeptFile> {
        let class =
            prop::sample::select(vec![Class::Log, Class::Media, Class::Recording, Class::Other]);
        (class, 0u64..1_000, 0u64..5_000, any::<bool>(), any::<u16>()).prop_map(
            |(class, bytes, minutes, in_use, name)| KeptFile {
                path: name.to_string().into(),
                class,
                bytes,
                age: Duration::from_secs(minutes * 60),
                in_use,
            },
        )
    }

    proptest! {
        /// Nothing that must stay goes; what goes is needed; and it suffices if anything does.
        #[test]
        fn a_plan_takes_what_it_needs_and_no_more(
            files in prop::collection::vec(any_file(), 0..20),
            sizes in prop::collection::vec((0u64..1_000, 0u64..99), 0..9),
            max in 0u64..9_000,
            percent in 0u64..=100,
        ) {
            let sessions: Vec<PutAway> =
                sizes.iter().zip(1..).map(|((bytes, age), id)| put_away(id, *bytes, *age)).collect();
            let limits = budget(max, max * percent / 100);
            let total: u64 = files.iter().map(|file| file.bytes).sum();
            let plan = plan(&files, &sessions, limits);
            prop_assert_eq!(plan.left + plan.freed, total);
            let stays = |file: &KeptFile| {
                file.class == Class::Other || file.in_use || file.age < FRESH || file.bytes == 0
            };
            let may_go = files.iter().filter(|file| !stays(file)).count();
            prop_assert!(plan.files.len() <= may_go);
            if total <= max {
                prop_assert!(plan.is_empty());
            } else if plan.left > limits.high_water {
                prop_assert_eq!(plan.files.len(), may_go);
                prop_assert_eq!(plan.sessions.len(), sessions.len());
            }
            if !plan.sessions.is_empty() {
                prop_assert_eq!(plan.files.len(), may_go, "conversations go last");
            }
        }
    }
}
