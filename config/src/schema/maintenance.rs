//! `session.maintenance`: how long conversations are kept, and how much the state may take.
//!
//! Source: OpenClaw, "Store maintenance and retention".

use std::time::Duration;

use crate::{cursor::Section, describe::Kind, field::Field, schema::declare::words};

words! {
    /// `session.maintenance.mode`.
    MaintenanceMode {
        /// What is old or too much is put away and deleted.
        Enforce = "enforce",
        /// It is only told.
        Warn = "warn",
    }
}

/// What is read of `session.maintenance`. Everything else of it is OpenClaw's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// `mode`. Default `enforce`.
    pub mode: MaintenanceMode,
    /// `pruneAfter`: a conversation in which nothing happens is put away. Default 30 d.
    pub prune_after: Duration,
    /// `maxEntries`: conversations in use; beyond it those that were used least recently are put
    /// away. Default 5,000.
    pub max_entries: u32,
    /// `maxDiskBytes` and `highWaterBytes`. `None`: `maxDiskBytes` is 0 or `false`.
    pub disk: Option<DiskBudget>,
}

/// What conversations, files, recordings and logs may take together, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskBudget {
    /// `maxDiskBytes`: beyond it something is deleted. Default 10 GiB.
    pub max: u64,
    /// `highWaterBytes`: until no more than that is left. Default 80 % of `max`.
    pub high_water: u64,
}

const DAY: u64 = 86_400;
/// The longest time that is kept exactly: a hundred years.
const MOST_SECS: f64 = 36_500.0 * DAY as f64;

pub(crate) fn read(section: &Section<'_, '_>) -> Maintenance {
    let age = section.field("pruneAfter").and_then(|field| age(&field));
    let month = Duration::from_secs(30 * DAY);
    let maintenance = Maintenance {
        mode: section.word_or("mode", MaintenanceMode::Enforce),
        prune_after: or_written(section, "pruneAfter", age, (month, "30d")),
        max_entries: section.whole_or("maxEntries", 1, 1_000_000, 5_000),
        disk: disk(section),
    };
    section.leave_alone(&[
        "archiveDashboardAfter",
        "resetArchiveRetention",
        "rotateBytes",
        "pruneDays",
    ]);
    section.warn_near_asked();
    maintenance
}

fn disk(section: &Section<'_, '_>) -> Option<DiskBudget> {
    let written = section.field("maxDiskBytes").and_then(|field| size(&field));
    let max = or_written(section, "maxDiskBytes", written, (10 << 30, "10gb"));
    let percent = u64::try_from(u128::from(max) * 80 / 100).unwrap_or(max);
    let water = section.field("highWaterBytes").and_then(|field| {
        let water = size(&field)?;
        if water > max && max > 0 {
            field.refuse("more than `maxDiskBytes`", "what is left after a cleanup must fit");
        }
        // As in OpenClaw, nothing means the default.
        Some(water).filter(|water| *water > 0)
    });
    let high_water = section.or_derived("highWaterBytes", water, percent).min(max);
    (max > 0).then_some(DiskBudget { max, high_water })
}

/// The value, else a default, which is shown as it would be written.
fn or_written<T>(
    section: &Section<'_, '_>,
    key: &'static str,
    value: Option<T>,
    (default, written): (T, &str),
) -> T {
    section.declare_default(key, written);
    value.unwrap_or_else(|| {
        section.note_default(key, written);
        default
    })
}

/// Bytes: a number, or a text with `kb`, `mb`, `gb` or `tb` (of 1,024); `false` is 0.
fn size(field: &Field<'_, '_>) -> Option<u64> {
    const WHAT: &str = "a size as in \"10gb\", a number of bytes, or false";
    field.declare(|| Kind::Other(WHAT));
    let refuse = || {
        field.refuse("not a size", WHAT);
        None
    };
    if field.is_described() {
        return None;
    }
    if let Some(on) = field.if_bool() {
        return if on { refuse() } else { Some(0) };
    }
    let text = match (field.if_text(), field.if_number()) {
        (Some(text), _) => text.trim().to_lowercase(),
        (None, Some(number)) => number.to_owned(),
        (None, None) => return field.wrong_type(WHAT),
    };
    let units = [("tb", 40), ("gb", 30), ("mb", 20), ("kb", 10), ("t", 40), ("g", 30), ("m", 20)];
    let units = units.into_iter().chain([("k", 10), ("b", 0), ("", 0)]);
    // The longest unit that fits is the one that was meant.
    let mut found = units.filter_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)));
    let Some((number, shift)) = found.next() else { return refuse() };
    match positive(number) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is between 0 and what 2^53 units take, and a cast ends at the bounds"
        )]
        Some(number) => Some((number * f64::from(2u32).powi(shift)) as u64),
        None => refuse(),
    }
}

/// A time: a text with `s`, `m`, `h`, `d` or `w`; a number, or a text without one, is of days.
fn age(field: &Field<'_, '_>) -> Option<Duration> {
    const WHAT: &str = "a time as in \"30d\" or \"12h\", or a number of days";
    field.declare(|| Kind::Other(WHAT));
    if field.is_described() {
        return None;
    }
    let text = match (field.if_text(), field.if_number()) {
        (Some(text), _) => text.trim().to_lowercase(),
        (None, Some(number)) => number.to_owned(),
        (None, None) => return field.wrong_type(WHAT),
    };
    let units = [("s", 1), ("m", 60), ("h", 3_600), ("d", DAY), ("w", 7 * DAY), ("", DAY)];
    let found = units.iter().find_map(|(unit, secs)| Some((text.strip_suffix(unit)?, *secs)));
    let secs = found.and_then(|(number, secs)| Some(positive(number)? * secs as f64));
    match secs.filter(|secs| *secs > 0.0 && *secs <= MOST_SECS) {
        Some(secs) => Some(Duration::from_secs_f64(secs)),
        None => {
            field.refuse("not a time", WHAT);
            None
        }
    }
}

/// Digits, perhaps with a point among them.
fn positive(text: &str) -> Option<f64> {
    let text = text.trim();
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let number: f64 = text.parse().ok().filter(|_| is_plain)?;
    number.is_finite().then_some(number)
}
