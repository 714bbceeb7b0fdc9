//! Reading a file to change it, and writing it so that at every moment one of the two is there.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    ConfigErrors, Env,
    error::ConfigErrors as Errors,
    load::{check, unreadable, utf8},
    walk::ExecRefs,
};

/// Why a file is not written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// It is a symbolic link: what it leads to may be somebody else's.
    #[error("{} is a symbolic link, and is not written", .0.display())]
    Symlink(PathBuf),
    /// Somebody else changed it meanwhile.
    #[error("{} was changed by somebody else meanwhile", .0.display())]
    Changed(PathBuf),
    /// What would be written is not a valid configuration.
    #[error("{errors}")]
    Invalid {
        /// What is wrong.
        errors: Errors,
        /// Where the refused text was put.
        rejected: Option<PathBuf>,
    },
    /// The system refuses.
    #[error("{} cannot be written: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// The file as it was before, if there was one.
    pub backup: Option<PathBuf>,
    /// Secrets that cannot be resolved from here. The file is good all the same.
    pub unresolved: Option<ConfigErrors>,
}

/// The text of a file that is to be changed. A file that does not exist is an empty object.
///
/// # Errors
///
/// If it is a symbolic link, or cannot be read.
pub fn read_for_edit(path: &Path) -> Result<String, Unwritten> {
    refuse_link(path)?;
    let origin = path.display().to_string();
    let invalid = |error| Unwritten::Invalid { errors: error, rejected: None };
    match fs::read(path) {
        Ok(bytes) => match utf8(&origin, &bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(errors) => Err(invalid(errors)),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok("{\n}\n".to_owned()),
        Err(error) => Err(invalid(unreadable(&origin, &error).into())),
    }
}

/// Checks `text` as a whole and puts it in the place of the file, which was `before` when it was
/// read. The mode of the file stays; a new one is the owner's alone. The old text is kept as
/// `<file>.bak`. Programs that give out secrets are not run.
///
/// # Errors
///
/// See [`Unwritten`]. Then the file is as it was.
pub fn write(path: &Path, before: &str, text: &str, env: &dyn Env) -> Result<Written, Unwritten> {
    let unresolved = match check(text, path, env, ExecRefs::Skip).outcome {
        Ok(_) => None,
        Err(errors) if errors.iter().all(|error| error.problem.is_resolvability()) => Some(errors),
        Err(errors) => {
            return Err(Unwritten::Invalid { errors, rejected: keep_rejected(path, text).ok() });
        }
    };
    refuse_link(path)?;
    if read_for_edit(path)? != before {
        return Err(Unwritten::Changed(path.to_owned()));
    }
    let failed = |error| Unwritten::Io { path: path.to_owned(), error };
    let backup = match path.exists() {
        true => Some(keep_backup(path).map_err(failed)?),
        false => None,
    };
    replace(path, text).map_err(failed)?;
    Ok(Written { backup, unresolved })
}

fn refuse_link(path: &Path) -> Result<(), Unwritten> {
    match fs::symlink_metadata(path) {
        Ok(facts) if facts.is_symlink() => Err(Unwritten::Symlink(path.to_owned())),
        _ => Ok(()),
    }
}

/// Writes beside the file and moves it into place.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mode = fs::metadata(path).ok();
    let beside = with_suffix(path, &format!(".{}.new", std::process::id()));
    let written = create_private(&beside).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        if let Some(facts) = &mode {
            file.set_permissions(facts.permissions())?;
        }
        file.sync_all()
    });
    let moved = written.and_then(|()| fs::rename(&beside, path));
    if moved.is_err() {
        // It may not even exist.
        let _ = fs::remove_file(&beside);
    }
    moved
}

fn keep_backup(path: &Path) -> io::Result<PathBuf> {
    let backup = with_suffix(path, ".bak");
    match fs::remove_file(&backup) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut copy = create_private(&backup)?;
    copy.write_all(&fs::read(path)?)?;
    copy.set_permissions(fs::metadata(path)?.permissions())?;
    Ok(backup)
}

/// The text that was refused, for whoever wants to know why.
fn keep_rejected(path: &Path, text: &str) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let rejected = with_suffix(path, &format!(".rejected.{}", now.as_millis()));
    create_private(&rejected)?.write_all(text.as_bytes())?;
    Ok(rejected)
}

/// A new file that only its owner can read.
fn create_private(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
