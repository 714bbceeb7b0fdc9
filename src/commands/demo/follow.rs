//! The agent's timeline, read while the agent writes it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use crate::printer::Failure;

/// How often the file is looked at while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long one line is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// One record.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Line {
    /// Since the agent's process began, in microseconds.
    pub(super) at_us: u64,
    pub(super) line: String,
    #[serde(default)]
    pub(super) fields: Map<String, Value>,
}

impl Line {
    pub(super) fn text(&self, field: &str) -> &str {
        self.fields.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn number(&self, field: &str) -> u64 {
        self.fields.get(field).and_then(Value::as_u64).unwrap_or_default()
    }
}

/// The records so far.
#[derive(Debug)]
pub(super) struct Timeline {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end is not written yet.
    partial: Vec<u8>,
    lines: Vec<Line>,
}

impl Timeline {
    /// The file need not be there yet.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), file: None, partial: Vec::new(), lines: Vec::new() }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How many records there are; where a wait for the next ones begins.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Waits for a record from position `from` on; gives its position.
    pub(super) async fn wait_for(
        &mut self,
        from: usize,
        what: &str,
        wanted: impl Fn(&Line) -> bool,
    ) -> Result<usize, Failure> {
        let deadline = Instant::now() + PATIENCE;
        let mut next = from;
        loop {
            self.read()?;
            while let Some(line) = self.lines.get(next) {
                if wanted(line) {
                    return Ok(next);
                }
                next += 1;
            }
            if Instant::now() >= deadline {
                return Err(Failure::unexpected(format_args!(
                    "the agent's timeline did not say within {} s: {what}",
                    PATIENCE.as_secs()
                )));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Takes in what was written since the last time.
    pub(super) fn read(&mut self) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::unexpected(format_args!("the timeline cannot be read: {error}"))
        };
        let file = match &mut self.file {
            Some(file) => file,
            None => match File::open(&self.path) {
                Ok(file) => self.file.insert(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(failed(&error)),
            },
        };
        file.read_to_end(&mut self.partial).map_err(|error| failed(&error))?;
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            self.lines.push(serde_json::from_slice(&line).map_err(|error| failed(&error))?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[tokio::test]
    async fn a_line_is_read_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timeline.jsonl");
        let mut timeline = Timeline::new(&path);
        timeline.read().unwrap();
        assert_eq!(timeline.len(), 0);
        let mut file = File::create(&path).unwrap();
        file.write_all(br#"{"at_us":1,"line":"a","fields":{"n":7,"t":"x"}}"#).unwrap();
        timeline.read().unwrap();
        assert_eq!(timeline.len(), 0);
        file.write_all(b"\n{\"at_us\":2,\"line\":\"b\"}\n{\"at").unwrap();
        assert_eq!(timeline.wait_for(0, "b", |line| line.line == "b").await.unwrap(), 1);
        let first = &timeline.lines()[0];
        assert_eq!((first.number("n"), first.text("t"), first.text("n")), (7, "x", ""));
    }
}
