//! Recordings that nobody writes to any more: listed, compressed, and opened again.

#![allow(clippy::disallowed_methods, reason = "the shell is where files and clocks are")]

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clawvoice_session::budget::{Class, KeptFile};
use flate2::{Compression, bufread::MultiGzDecoder, write::GzEncoder};

/// A recording is compressed when nothing was written to it for so long.
pub const COLD: Duration = Duration::from_secs(86_400);

/// A part of a compressed recording that is so old was left behind by a process that died.
const LEFT_BEHIND: Duration = Duration::from_secs(3_600);

/// How gzip begins. Source: RFC 1952, section 2.3.1.
const GZIP: &[u8] = &[0x1f, 0x8b];

const PLAIN: &str = ".jsonl";
const COMPRESSED: &str = ".jsonl.gz";
const PART: &str = ".jsonl.gz.part";

/// The name of a recording's file without its ending; `None`: it is something else.
#[must_use]
pub fn recording_name(file: &str) -> Option<&str> {
    file.strip_suffix(COMPRESSED).or_else(|| file.strip_suffix(PLAIN))
}

/// The files that a recording of this name may be in.
#[must_use]
pub fn recording_files(name: &str) -> [String; 2] {
    [format!("{name}{PLAIN}"), format!("{name}{COMPRESSED}")]
}

pub(super) fn is_recording(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| recording_name(name).is_some())
}

/// Opens a recording or a log, compressed or not.
///
/// # Errors
///
/// When it cannot be read.
pub fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    Ok(match file.fill_buf()?.starts_with(GZIP) {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(file),
    })
}

/// Every recording of a folder, for the budget of the disk. A folder that is not there has none.
///
/// # Errors
///
/// When it cannot be read.
pub fn kept(folder: &Path, now: SystemTime) -> io::Result<Vec<KeptFile>> {
    let mut kept = Vec::new();
    for path in files(folder)?.into_iter().filter(|path| is_recording(path)) {
        // Another program may have removed it meanwhile.
        let Ok(about) = path.metadata() else { continue };
        let (bytes, age) = (about.len(), age(&about, now)?);
        let in_use = is_in_use(&path);
        kept.push(KeptFile { path, class: Class::Recording, bytes, age, in_use });
    }
    Ok(kept)
}

/// Compresses what is cold; gives how many recordings that were. What cannot be stays as it is, with
/// a warning.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn compress(folder: &Path, now: SystemTime) -> io::Result<u32> {
    let mut compressed = 0;
    for path in files(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(about) = path.metadata() else { continue };
        let age = age(&about, now)?;
        if name.ends_with(PART) && age >= LEFT_BEHIND {
            fs::remove_file(&path)?;
        }
        if !name.ends_with(PLAIN) || age < COLD || is_in_use(&path) {
            continue;
        }
        match compress_one(&path, &about) {
            Ok(()) => compressed += 1,
            Err(error) => tracing::warn!("{} is not compressed: {error}", path.display()),
        }
    }
    Ok(compressed)
}

/// The compressed file is whole, and as old as the other, before that one goes.
fn compress_one(path: &Path, about: &fs::Metadata) -> io::Result<()> {
    let with = |ending: &str| -> PathBuf {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    };
    let (part, whole) = (with(".gz.part"), with(".gz"));
    if whole.exists() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a compressed one already"));
    }
    let written = write(path, &part).and_then(|file| {
        file.set_modified(about.modified()?)?;
        file.sync_all()?;
        fs::rename(&part, &whole)?;
        fs::remove_file(path)
    });
    if written.is_err() {
        // What was begun is not left behind; there may be nothing.
        let _ = fs::remove_file(&part);
    }
    written
}

fn write(from: &Path, to: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut encoder = GzEncoder::new(options.open(to)?, Compression::default());
    io::copy(&mut File::open(from)?, &mut encoder)?;
    encoder.finish()
}

/// Regular files of a folder.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}

fn age(about: &fs::Metadata, now: SystemTime) -> io::Result<Duration> {
    Ok(now.duration_since(about.modified()?).unwrap_or_default())
}

/// Whether a recorder, of whatever process, has it open.
fn is_in_use(path: &Path) -> bool {
    // What cannot be opened is left alone.
    let Ok(file) = File::open(path) else { return true };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, text: &str, age: Duration, now: SystemTime) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, text).unwrap();
            File::options().write(true).open(&path).unwrap().set_modified(now - age).unwrap();
            path
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).unwrap();
            let mut names: Vec<String> =
                entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    fn text(path: &Path) -> String {
        let mut text = String::new();
        open(path).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn what_is_cold_and_closed_is_compressed_and_reads_the_same() {
        let (folder, now) = (Folder::new(), SystemTime::now());
        let line = "{\"a\":1}\n".repeat(1_000);
        let hour = Duration::from_secs(3_600);
        folder.file("old.jsonl", &line, COLD, now);
        folder.file("new.jsonl", &line, COLD - hour, now);
        let open_one = folder.file("open.jsonl", &line, COLD * 2, now);
        folder.file("notes.txt", "mine", COLD * 2, now);
        folder.file("x.jsonl.gz.part", "", hour, now);
        folder.file("y.jsonl.gz.part", "", hour / 2, now);
        let held = File::open(&open_one).unwrap();
        held.lock().unwrap();
        assert_eq!(compress(folder.0.path(), now).unwrap(), 1);
        let expected = ["new.jsonl", "notes.txt", "old.jsonl.gz", "open.jsonl", "y.jsonl.gz.part"];
        assert_eq!(folder.names(), expected);
        let cold = folder.0.path().join("old.jsonl.gz");
        assert_eq!(text(&cold), line);
        assert_eq!(text(&folder.0.path().join("new.jsonl")), line);
        let mut kept = kept(folder.0.path(), now).unwrap();
        kept.sort_by(|a, b| a.path.cmp(&b.path));
        let told: Vec<_> = kept.iter().map(|it| (it.age >= COLD, it.in_use)).collect();
        assert_eq!(told, [(false, false), (true, false), (true, true)]);
        assert!(kept[1].bytes < 200, "{}", kept[1].bytes);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&cold).unwrap().permissions().mode() & 0o777, 0o600);
        }
        drop(held);
        assert_eq!(compress(folder.0.path(), now).unwrap(), 1);
        assert_eq!(compress(folder.0.path(), now).unwrap(), 0);
        assert_eq!(compress(&folder.0.path().join("none"), now).unwrap(), 0);
    }

    #[test]
    fn a_recording_is_named_without_its_ending() {
        for (file, name) in [
            ("a.jsonl", Some("a")),
            ("a.jsonl.gz", Some("a")),
            ("a.jsonl.gz.part", None),
            ("a.gz", None),
        ] {
            assert_eq!(recording_name(file), name, "{file}");
        }
    }

    #[test]
    fn what_only_begins_as_gzip_is_an_error_and_not_a_panic() {
        let (folder, now) = (Folder::new(), SystemTime::now());
        let path = folder.0.path().join("bad.jsonl.gz");
        fs::write(&path, [0x1f, 0x8b, 8, 0, 1, 2, 3]).unwrap();
        assert!(open(&path).unwrap().read_to_end(&mut Vec::new()).is_err());
        let empty = folder.file("empty.jsonl", "", COLD, now);
        assert_eq!(text(&empty), "");
    }
}
