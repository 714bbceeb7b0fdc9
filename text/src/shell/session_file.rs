//! The file in which gateway sessions survive the process, and the lock that keeps a second process
//! off the same token.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::clock::unix_ms;
use crate::connection::{
    saved::{MAX_SAVED, Saved},
    settings::ReconnectSettings,
};

/// Why the state folder cannot be used.
#[derive(Debug)]
pub(super) enum OpenFailure {
    /// Another process holds the lock; its id, if it wrote it down.
    Taken(Option<u32>),
    /// The folder or a file in it.
    Io(io::Error),
}

/// The file of one bot.
#[derive(Debug)]
pub(super) struct SessionFile {
    path: PathBuf,
    /// Held as long as this lives; the system lets go of it when the process dies.
    _lock: File,
}

impl SessionFile {
    /// Takes the lock. Files are named after a hash of the token, so that bots may share a folder.
    pub(super) fn open(folder: &Path, token: &SecretString) -> Result<Self, OpenFailure> {
        let token = token.expose_secret().trim();
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        let digest = Sha256::digest(token.as_bytes());
        let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        create_folder(folder).map_err(OpenFailure::Io)?;
        let lock = lock(&folder.join(format!("gateway-{name}.lock")))?;
        Ok(Self { path: folder.join(format!("gateway-{name}.json")), _lock: lock })
    }

    /// What the last process left, if it can still be used.
    pub(super) fn load(&self, settings: &ReconnectSettings, intents: u64) -> Option<Saved> {
        if !settings.resume_session {
            return None;
        }
        let mut bytes = Vec::new();
        let file = File::open(&self.path).ok()?;
        file.take(MAX_SAVED).read_to_end(&mut bytes).ok()?;
        Saved::read(&bytes, unix_ms(), settings.session_cache_ttl, intents)
    }

    /// Where it is written.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The sessions are over: nobody shall resume them.
    pub(super) fn remove(&self) {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("{} stays: {error}", self.path.display()),
        }
    }
}

/// Writes beside the file and moves it into place: a reader finds the old or the new one, whole.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let mut file = private().write(true).create(true).truncate(true).open(&beside)?;
    file.write_all(bytes)?;
    std::fs::rename(&beside, path)
}

fn lock(path: &Path) -> Result<File, OpenFailure> {
    let mut file = private()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(OpenFailure::Io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.take(20).read_to_string(&mut text);
            return Err(OpenFailure::Taken(read.ok().and_then(|_| text.trim().parse().ok())));
        }
        Err(TryLockError::Error(error)) => return Err(OpenFailure::Io(error)),
    }
    let wrote = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    wrote.map_err(OpenFailure::Io)?;
    Ok(file)
}

fn private() -> OpenOptions {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has a mode to set"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

fn create_folder(folder: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "only Unix has a mode to set"))]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.recursive(true).create(folder)
}

#[cfg(test)]
mod tests {
    use clawvoice_session::UserId;

    use super::*;
    use crate::connection::{link::Resumable, recall::Recall};

    fn token(text: &str) -> SecretString {
        text.to_owned().into()
    }

    fn saved() -> Saved {
        let session = Resumable { session_id: "abc".to_owned(), sequence: 9, url: None };
        Saved::new(unix_ms(), 129, UserId::new(5), vec![Some(session)], Recall::default())
    }

    #[test]
    fn one_process_at_a_time_and_the_next_finds_what_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let first = SessionFile::open(folder.path(), &token("secret")).unwrap();
        let second = SessionFile::open(folder.path(), &token("Bot secret"));
        let own = std::process::id();
        assert!(matches!(second, Err(OpenFailure::Taken(Some(id))) if id == own), "{second:?}");
        assert!(SessionFile::open(folder.path(), &token("another")).is_ok());

        let settings = ReconnectSettings::default();
        assert_eq!(first.load(&settings, 129), None);
        write(first.path(), &saved().bytes()).unwrap();
        drop(first);
        let second = SessionFile::open(folder.path(), &token("secret")).unwrap();
        let found = second.load(&settings, 129).unwrap();
        assert_eq!(found.sessions, saved().sessions);
        let never = ReconnectSettings { resume_session: false, ..settings.clone() };
        assert_eq!(second.load(&never, 129), None);
        second.remove();
        assert_eq!(second.load(&settings, 129), None);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = SessionFile::open(folder.path(), &token("secret")).unwrap();
        write(file.path(), &saved().bytes()).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", entry.file_name());
            assert!(!entry.file_name().to_string_lossy().contains("secret"));
        }
    }
}
