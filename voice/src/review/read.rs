//! Bytes of a recording or a log → [`Timeline`].
//!
//! Content never makes reading fail: whatever can be read is, and the rest is named.

use clawvoice_session::SessionTime;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    event::{Event, Line, What},
    parse::{Parsed, parse},
    stamp::{Days, Stamp},
};

/// Bytes of a file that are read; what comes after them is not.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Bytes of one line; a longer one is skipped.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// Entries that are kept.
pub const MAX_EVENTS: usize = 500_000;

/// Skipped lines that are named one by one; the rest are counted.
const MAX_SKIPPED: usize = 200;

/// The latest time an entry may have, in microseconds: a year after the zero.
pub(super) const MAX_AT: u64 = 366 * 86_400_000_000;

/// A recording read back.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// What the recording says about itself.
    pub header: Option<Header>,
    /// What its times are.
    pub clock: Clock,
    /// The wall clock at the zero, in microseconds since 1970, where it is known.
    pub unix_micros_at_zero: Option<i64>,
    /// The entries in order of time.
    #[serde(skip)]
    pub events: Vec<Event>,
    /// Lines that could not be used, or that stood at the wrong place.
    pub skipped: Vec<Skipped>,
    /// Further such lines that are only counted.
    pub skipped_more: usize,
    /// Lines of a log that are not about voice.
    pub foreign: usize,
}

/// What the times of a recording are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// Microseconds of the process's own clock.
    #[default]
    Session,
    /// The stamps of a log, from its earliest one.
    Log,
    /// None: one second stands for one line, and only the order means something.
    Order,
}

/// The first line of a recording.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Header {
    /// The session that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its guild.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub guild: Option<String>,
    /// Its voice channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// When it began, as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// The program's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The settings it ran with.
    pub settings: Map<String, Value>,
    /// Whatever else it says.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub rest: Map<String, Value>,
}

/// A line that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// The line of the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The file ends in the middle of it.
    #[error("the file ends in the middle of this line")]
    CutOff,
    /// It begins like JSON and is not.
    #[error("not valid JSON")]
    NotJson,
    /// It is neither a timeline entry nor a log line.
    #[error("no timeline entry")]
    Foreign,
    /// Its bytes are not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// It is longer than [`MAX_LINE_BYTES`].
    #[error("longer than 64 KiB")]
    TooLong,
    /// Its time is missing, negative, or more than a year from the others.
    #[error("no usable time")]
    BadTime,
    /// It is kept, at the place its time gives it.
    #[error("out of order; put at its time")]
    OutOfOrder,
    /// A second kind of recording in the same file.
    #[error("another kind of timeline than the lines before it")]
    Mixed,
    /// The recording has more entries than are kept, or the file more bytes than are read.
    #[error("the recording is too large; nothing is read from here on")]
    TooMuch,
}

/// Reads a recording: our JSON lines, a log of ours, or one of OpenClaw's.
#[must_use]
pub fn read(bytes: &[u8]) -> Timeline {
    let mut reader = Reader::default();
    let (used, cut) = match bytes.get(..MAX_FILE_BYTES) {
        Some(beginning) if bytes.len() > MAX_FILE_BYTES => (beginning, true),
        _ => (bytes, false),
    };
    let mut lines = used.strip_prefix(b"\xef\xbb\xbf").unwrap_or(used).split(|b| *b == b'\n');
    let mut number = 0;
    while let Some(line) = lines.next() {
        number += 1;
        let last = lines.size_hint() == (0, Some(0));
        if !reader.line(number, line, last && !line.is_empty()) {
            return reader.finish();
        }
    }
    if cut {
        reader.skip(number, Why::TooMuch);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    timeline: Timeline,
    /// Whether the file is a log; fixed by the first line that is used.
    log: Option<bool>,
    days: Days,
    /// Places of log lines, beside `timeline.events`.
    places: Vec<i64>,
    first_stamp: Option<Stamp>,
    /// The time of the entry before.
    latest: u64,
}

impl Reader {
    /// Takes a line; `false` when no more are wanted.
    fn line(&mut self, number: usize, line: &[u8], last: bool) -> bool {
        if self.timeline.events.len() >= MAX_EVENTS {
            self.skip(number, Why::TooMuch);
            return false;
        }
        if line.len() > MAX_LINE_BYTES {
            self.skip(number, Why::TooLong);
            return true;
        }
        let Ok(text) = std::str::from_utf8(line) else {
            let why = if last { Why::CutOff } else { Why::NotUtf8 };
            self.skip(number, why);
            return true;
        };
        let text = text.trim();
        if text.is_empty() {
            return true;
        }
        match parse(text, last) {
            Ok(Parsed::Header(header)) if self.timeline.header.is_none() => {
                self.timeline.header = Some(header);
            }
            Ok(Parsed::Header(_)) => self.skip(number, Why::Mixed),
            Ok(Parsed::Entry(at, mut what)) => {
                self.fill_thresholds(&mut what);
                self.entry(number, at, what);
            }
            Ok(Parsed::Log(stamp, line)) => self.log_line(number, stamp, line),
            Err(Why::Foreign) if self.log != Some(false) => self.timeline.foreign += 1,
            Err(why) => self.skip(number, why),
        }
        true
    }

    /// A decision's thresholds stand once, in the header.
    fn fill_thresholds(&self, what: &mut What) {
        let What::Decision(decision) = what else { return };
        let settings =
            self.timeline.header.as_ref().and_then(|header| header.settings.get("floor"));
        let Some(floor) = settings.filter(|_| decision.thresholds.is_empty()) else { return };
        for (input, rule) in
            [("glideMs", "confirmMs"), ("pitchMs", "pitchMs"), ("heldMs", "windowMs")]
        {
            if let Some(limit) = floor.get(rule) {
                decision.thresholds.insert(input.to_owned(), limit.clone());
            }
        }
    }

    fn entry(&mut self, number: usize, at: u64, what: What) {
        if *self.log.get_or_insert(false) {
            return self.skip(number, Why::Mixed);
        }
        if at > MAX_AT {
            return self.skip(number, Why::BadTime);
        }
        if at < self.latest {
            self.skip(number, Why::OutOfOrder);
        }
        self.latest = at;
        if let Some(zero) = unix_zero(&what) {
            self.timeline.unix_micros_at_zero = Some(zero);
        }
        self.timeline.events.push(Event { at: SessionTime::from_micros(at), line: number, what });
    }

    fn log_line(&mut self, number: usize, stamp: Option<Stamp>, line: Line) {
        if !*self.log.get_or_insert(true) {
            return self.skip(number, Why::Mixed);
        }
        // One kind of stamp a file: a time of day cannot be laid beside a date.
        let unstamped = self.first_stamp.is_none();
        let stamp = stamp.filter(|stamp| {
            let first = *self.first_stamp.get_or_insert(*stamp);
            std::mem::discriminant(&first) == std::mem::discriminant(stamp)
        });
        let before = self.places.last().copied();
        let place = match stamp {
            Some(stamp) => self.days.place(stamp),
            None => before.unwrap_or_default(),
        };
        if let (Some(Stamp::Instant(first)), Some(_)) = (self.first_stamp, stamp)
            && place.abs_diff(first) > MAX_AT
        {
            return self.skip(number, Why::BadTime);
        }
        if unstamped && stamp.is_some() {
            // Lines before the first stamp stand at it.
            self.places.fill(place);
        } else if before.is_some_and(|before| place < before) {
            self.skip(number, Why::OutOfOrder);
        }
        self.places.push(place);
        self.timeline.events.push(Event {
            at: SessionTime::ZERO,
            line: number,
            what: What::Record(line),
        });
    }

    fn skip(&mut self, line: usize, why: Why) {
        // What ends the reading is always named.
        if self.timeline.skipped.len() < MAX_SKIPPED || why == Why::TooMuch {
            self.timeline.skipped.push(Skipped { line, why });
        } else {
            self.timeline.skipped_more += 1;
        }
    }

    fn finish(mut self) -> Timeline {
        if self.log == Some(true) {
            self.place_log_lines();
        } else if self.timeline.unix_micros_at_zero.is_none() {
            let started =
                self.timeline.header.as_ref().and_then(|header| header.started.as_deref());
            if let Some(Stamp::Instant(at)) = started.and_then(Stamp::instant) {
                self.timeline.unix_micros_at_zero = Some(at);
            }
        }
        self.timeline.events.sort_by_key(|event| event.at);
        self.timeline
    }

    fn place_log_lines(&mut self) {
        let timeline = &mut self.timeline;
        if self.first_stamp.is_none() {
            timeline.clock = Clock::Order;
            for (index, event) in timeline.events.iter_mut().enumerate() {
                event.at = SessionTime::from_millis(index as u64 * 1_000);
            }
            return;
        }
        timeline.clock = Clock::Log;
        let zero = self.places.iter().copied().min().unwrap_or_default();
        if matches!(self.first_stamp, Some(Stamp::Instant(_))) {
            timeline.unix_micros_at_zero = Some(zero);
        }
        for (event, place) in timeline.events.iter_mut().zip(&self.places) {
            event.at = SessionTime::from_micros(place.saturating_sub(zero).unsigned_abs());
        }
    }
}

/// The zero that the first record of a process names.
fn unix_zero(what: &What) -> Option<i64> {
    let line = what.record().filter(|line| line.name == "timeline begins")?;
    line.field("unixMicrosAtZero")?.as_i64()
}

/// Recordings as a broken or malicious writer would make them: entries of every kind with any
/// names, times and values, among any bytes.
#[cfg(test)]
pub(super) fn any_recording() -> impl proptest::strategy::Strategy<Value = Vec<u8>> {
    use proptest::prelude::*;
    let line = (0..super::names::KNOWN.len(), 0..4_u8, any::<u32>(), 0..9_u8, any::<bool>())
        .prop_map(|(name, user, figure, kind, flag)| {
            let name = super::names::KNOWN[name];
            let decision =
                ["suspected", "confirmed", "dismissed", "paused", "resumed", "cut"][figure as usize % 6];
            let at = u64::from(figure) * 3;
            match kind {
                0 => format!("{{\"at_us\":{at},\"decision\":\"{decision}\",\"user\":\"{user}\"}}"),
                1 => format!("{{\"at_us\":{at},\"input\":\"delta\",\"user\":{user},\"x\":{figure}}}"),
                2 => format!("{{\"at_us\":{at},\"audio\":{{\"file\":\"a\",\"from_us\":{at}}}}}"),
                3 => "\u{fffd}{".to_owned(),
                _ => format!(
                    "{{\"at_us\":{at},\"level\":\"warn\",\"line\":\"{name} (1 chars): a\",\"fields\":{{\
                     \"user\":\"{user}\",\"reason\":\"barge-in\",\"source\":\"speaker-start\",\
                     \"hasAudio\":{flag},\"discordBytes\":{figure},\"sinceLastAudioMs\":{figure},\
                     \"elapsedMs\":{figure},\"audioMs\":{figure},\"preview\":\"a\",\"outputAudioMs\":1}}}}"
                ),
            }
        });
    let lines =
        proptest::collection::vec(line, 0..60).prop_map(|lines| lines.join("\n").into_bytes());
    prop_oneof![4 => lines, 1 => proptest::collection::vec(any::<u8>(), 0..500)]
}

#[cfg(test)]
mod tests;
