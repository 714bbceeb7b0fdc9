//! The log on disk, for `clawvoice logs`: what goes to stderr, kept within a bound.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use clawvoice_session::budget::{Class, KeptFile};

/// A file is put aside when it is this long.
const MAX_BYTES: u64 = 10 << 20;
/// Files that were put aside and are kept.
const KEPT: u32 = 3;

/// Where the log is: `~/.clawvoice/state/logs/clawvoice.log`; `None` without a home folder.
pub(crate) fn path() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".clawvoice/state/logs/clawvoice.log"))
}

/// The log's files, for the budget of the disk; `path` is the one that is written to.
pub(crate) fn kept(path: &Path, now: SystemTime) -> io::Result<Vec<KeptFile>> {
    let mut kept = Vec::new();
    for number in 0..=KEPT {
        let path = if number == 0 { path.to_owned() } else { numbered(path, number) };
        let about = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            about => about?,
        };
        let age = now.duration_since(about.modified()?).unwrap_or_default();
        let (class, in_use) = (Class::Log, number == 0);
        kept.push(KeptFile { path, class, bytes: about.len(), age, in_use });
    }
    Ok(kept)
}

/// A log file that puts itself aside when it is full: `clawvoice.log.1` is the newest of those.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    file: File,
    length: u64,
    most: u64,
}

impl LogFile {
    /// Opens it, readable by its owner alone; goes on where it ended.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Self::with(path, MAX_BYTES)
    }

    fn with(path: &Path, most: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
            builder.create(folder)?;
        }
        let file = append_to(path)?;
        let length = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, length, most })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            // The first times there is nothing to move.
            let _ = fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
        }
        fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append_to(&self.path)?;
        self.length = 0;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.length > 0 && self.length + bytes.len() as u64 > self.most {
            self.put_aside()?;
        }
        self.file.write_all(bytes)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/clawvoice.log");
        let mut log = LogFile::with(&path, 12).unwrap();
        for number in 0..6 {
            log.write_all(format!("line {number} x\n").as_bytes()).unwrap();
        }
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), "line 5 x\n");
        for number in 1..=KEPT {
            assert_eq!(read(&numbered(&path, number)), format!("line {} x\n", 5 - number));
        }
        assert!(!numbered(&path, KEPT + 1).exists());
        let kept = kept(&path, SystemTime::now()).unwrap();
        let told: Vec<_> = kept.iter().map(|it| (it.bytes, it.in_use)).collect();
        assert_eq!(told, [(9, true), (9, false), (9, false), (9, false)]);
        drop(log);
        LogFile::with(&path, 100).unwrap().write_all(b"more\n").unwrap();
        assert_eq!(read(&path), "line 5 x\nmore\n", "it goes on where it ended");
    }
}
