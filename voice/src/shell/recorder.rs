//! Recordings of voice sessions on disk: one file each, written by a thread of its own.

#![allow(clippy::disallowed_methods, reason = "the shell is where threads are")]

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
};

use super::cold::is_recording;
use crate::recording::{Header, Line};

/// Lines that may wait for the disk: some minutes' worth. What comes on top is dropped and counted.
const WAITING: usize = 8_192;
/// Recordings of one name: two programs that join the same channel in the same millisecond.
const MOST_OF_A_NAME: u32 = 100;
/// What a recording's file is called.
const EXTENSION: &str = "jsonl";

/// Where sessions are recorded.
#[derive(Clone, Debug)]
pub struct Recordings {
    /// The folder; made when it is needed.
    pub folder: PathBuf,
    /// How many are kept; the oldest go first.
    pub keep: usize,
}

impl Recordings {
    /// Begins a recording. `None`, with a warning in the log, if it cannot be written: a session
    /// goes on without.
    pub(super) fn begin(&self, header: &Header) -> Option<Recorder> {
        match self.create(header) {
            Ok(file) => Some(Recorder::start(file)),
            Err(error) => {
                let folder = self.folder.display();
                tracing::warn!("the session is not recorded: {folder}: {error}");
                None
            }
        }
    }

    fn create(&self, header: &Header) -> io::Result<BufWriter<File>> {
        fs::create_dir_all(&self.folder)?;
        remove_oldest(&self.folder, self.keep.saturating_sub(1))?;
        let file = self.create_file(&header.session)?;
        // Who clears recordings away knows by it that this one is not closed. A disk without locks
        // has none in use, and those are a day old before they are touched.
        let _ = file.try_lock();
        let mut file = BufWriter::new(file);
        serde_json::to_writer(&mut file, header)?;
        file.write_all(b"\n")?;
        Ok(file)
    }
}

impl Recordings {
    /// A new file of that name, or with a number behind it: another program may record here too.
    fn create_file(&self, session: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        // Who spoke when is nobody else's business.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut outcome = options.open(self.folder.join(format!("{session}.{EXTENSION}")));
        for number in 2..=MOST_OF_A_NAME {
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let name = format!("{session}-{number}.{EXTENSION}");
                    outcome = options.open(self.folder.join(name));
                }
                outcome => return outcome,
            }
        }
        outcome
    }
}

/// Removes all but the `keep` newest recordings: their names begin with their time.
fn remove_oldest(folder: &Path, keep: usize) -> io::Result<()> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if is_recording(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths.iter().take(paths.len().saturating_sub(keep)) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// A recording that is being written. The file is complete when this is dropped and the thread has
/// caught up.
#[derive(Debug)]
pub(super) struct Recorder {
    lines: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl Recorder {
    fn start(file: BufWriter<File>) -> Self {
        let (lines, received) = sync_channel(WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&dropped);
        std::thread::spawn(move || {
            if let Err(error) = write(file, &received, &count) {
                tracing::warn!("a session's recording is given up: {error}");
            }
        });
        Self { lines, dropped }
    }

    /// Writes a line soon.
    pub(super) fn write(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn write(mut file: BufWriter<File>, lines: &Receiver<Line>, dropped: &AtomicU64) -> io::Result<()> {
    while let Ok(line) = lines.recv() {
        line.write(&mut file)?;
        while let Ok(line) = lines.try_recv() {
            line.write(&mut file)?;
        }
        // A reader follows along, and a crash must not swallow the lines that explain it.
        file.flush()?;
    }
    let dropped = dropped.load(Ordering::Relaxed);
    if dropped > 0 {
        writeln!(file, r#"{{"dropped":{dropped}}}"#)?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use clawvoice_session::{
        ChannelId, GuildId, SessionTime,
        timeline::{Level, Record},
    };

    use super::*;
    use crate::recording::VERSION;

    fn header(session: &str) -> Header {
        Header {
            clawvoice_timeline: VERSION,
            session: session.into(),
            guild: GuildId::new(1),
            channel: ChannelId::new(2),
            started: "2026-01-01T00:00:00Z".into(),
            started_us: SessionTime::ZERO,
            version: "0".into(),
            settings: None,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_recording_has_nobodys_words_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Recordings { folder: folder.path().join("timeline"), keep: 2 };
        let file = recordings.create(&header("a")).unwrap();
        let (lines, received) = sync_channel(4);
        let record = Record::new(SessionTime::ZERO, Level::Info, "transcript").saying("hello");
        lines.send(Line::Record(record)).unwrap();
        drop(lines);
        write(file, &received, &AtomicU64::new(3)).unwrap();
        let path = recordings.folder.join("a.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(!text.contains("hello") && text.ends_with("{\"dropped\":3}\n"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn two_recordings_of_one_name_are_two_files() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Recordings { folder: folder.path().to_owned(), keep: 9 };
        for _ in 0..3 {
            drop(recordings.create(&header("a")).unwrap());
        }
        assert_eq!(names(folder.path()), ["a-2.jsonl", "a-3.jsonl", "a.jsonl"]);
    }

    #[test]
    fn the_oldest_recordings_go_first_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let recordings = Recordings { folder: folder.path().to_owned(), keep: 2 };
        fs::write(folder.path().join("notes.txt"), "mine").unwrap();
        for name in ["20260101", "20260102", "20260103"] {
            drop(recordings.create(&header(name)).unwrap());
        }
        assert_eq!(names(folder.path()), ["20260102.jsonl", "20260103.jsonl", "notes.txt"]);
        fs::rename(folder.path().join("20260102.jsonl"), folder.path().join("20260102.jsonl.gz"))
            .unwrap();
        drop(recordings.create(&header("20260104")).unwrap());
        assert_eq!(names(folder.path()), ["20260103.jsonl", "20260104.jsonl", "notes.txt"]);
    }
}
