//! Where timeline records go: the log, and a file of JSON lines if one was asked for.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
};

use clawvoice_session::timeline::{Level, Record};

/// Writes records to the log and, if asked for, to a file.
#[derive(Debug, Default)]
pub(crate) struct TimelineWriter {
    file: Option<BufWriter<File>>,
}

impl TimelineWriter {
    /// Records go to the log and to a new file at `path`.
    pub(crate) fn create(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(File::create).transpose()?.map(BufWriter::new);
        Ok(Self { file })
    }

    /// Writes one record. A file that cannot be written any more is given up with one warning: the
    /// log goes on.
    pub(crate) fn write(&mut self, record: &Record) {
        // What people say is in the log only of those who ask for all of it.
        let is_verbose = tracing::enabled!(target: "clawvoice::timeline", tracing::Level::DEBUG);
        let line = match is_verbose {
            true => record.to_line(),
            false => record.without_words().to_line(),
        };
        match record.level {
            Level::Verbose => tracing::debug!(target: "clawvoice::timeline", "{line}"),
            Level::Info => tracing::info!(target: "clawvoice::timeline", "{line}"),
            Level::Warn => tracing::warn!(target: "clawvoice::timeline", "{line}"),
        }
        if let Err(error) = self.append(record) {
            tracing::warn!("the timeline file is given up: {error}");
            self.file = None;
        }
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        serde_json::to_writer(&mut *file, record)?;
        file.write_all(b"\n")?;
        // A reader follows along, and a crash must not swallow the lines that explain it.
        file.flush()
    }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::SessionTime;

    use super::*;

    #[test]
    fn every_record_is_one_json_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("timeline.jsonl");
        let mut writer = TimelineWriter::create(Some(&path)).unwrap();
        writer.write(&Record::new(SessionTime::from_millis(1), Level::Info, "joined"));
        writer.write(&Record::new(SessionTime::from_millis(2), Level::Warn, "a\nb"));
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["line"], "joined");
        assert_eq!(lines[1]["at_us"], 2_000);
    }
}
