//! Which files of this machine may be sent.
//!
//! Whoever talks to the agent can ask it for a file, so only those below approved folders go out,
//! and only by where they really are: a link that leads out of a folder is no way out.
//!
//! Source: OpenClaw, "Discord", `mediaMaxMb` and local media roots.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The folder, beside the conversations, of files that came with messages.
pub const MEDIA_FOLDER: &str = "media";

/// Bytes of a file's name that are kept.
const MAX_NAME: usize = 100;

/// Why a file is not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileRefusal {
    /// It is not there, or cannot be read.
    #[error("the file {0} cannot be read")]
    Unreadable(String),
    /// A folder, a pipe, a device.
    #[error("{0} is not a file")]
    NotAFile(String),
    /// It lies elsewhere.
    #[error("{0} is outside of the folders from which files may be sent")]
    Outside(String),
    /// More than `mediaMaxMb`.
    #[error("the file has {bytes} bytes; at most {most} may be sent (mediaMaxMb)")]
    TooLarge {
        /// The file's.
        bytes: u64,
        /// The most.
        most: u64,
    },
}

/// What a file is, as the system tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Where it is, all links followed.
    pub real_path: PathBuf,
    /// Whether it is a plain file.
    pub is_file: bool,
    /// Its size.
    pub bytes: u64,
}

/// A file that may be sent. What is at `path` is opened, not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingFile {
    /// Where it is, all links followed.
    pub path: PathBuf,
    /// What Discord is told it is called.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// From where files may be sent, and how large ones.
#[derive(Clone, Debug)]
pub struct OutgoingFiles {
    roots: Vec<PathBuf>,
    most_bytes: u64,
}

/// The folders from which files are sent: workspaces of agents, and where files that came with
/// messages are kept, which is beside `store`, the file of `session.store`.
#[must_use]
pub fn approved<'w>(workspaces: impl IntoIterator<Item = &'w Path>, store: &Path) -> Vec<PathBuf> {
    let media = store.parent().map(|state| state.join(MEDIA_FOLDER));
    let mut roots: Vec<PathBuf> = workspaces.into_iter().map(Path::to_owned).chain(media).collect();
    roots.dedup();
    roots
}

impl OutgoingFiles {
    /// Folders that are not there approve nothing. `media_max_mb`: megabytes of 1024 · 1024 bytes.
    #[must_use]
    pub fn new(roots: &[PathBuf], media_max_mb: f64) -> Self {
        let roots = roots.iter().filter_map(|root| root.canonicalize().ok()).collect();
        Self::of_real(roots, media_max_mb)
    }

    /// Of folders whose links were followed already.
    #[must_use]
    pub fn of_real(roots: Vec<PathBuf>, media_max_mb: f64) -> Self {
        let bytes = (media_max_mb * 1024.0 * 1024.0).clamp(0.0, 1e15);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "negative and huge numbers are cut off before"
        )]
        let most_bytes = bytes as u64;
        Self { roots, most_bytes }
    }

    /// The largest file, in bytes.
    #[must_use]
    pub const fn most_bytes(&self) -> u64 {
        self.most_bytes
    }

    /// Whether the file that was asked for as `asked` may be sent.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn admit(&self, asked: &Path, facts: &FileFacts) -> Result<OutgoingFile, FileRefusal> {
        let FileFacts { real_path, is_file, bytes } = facts;
        let shown = || asked.display().to_string();
        // Before anything else is told: what lies elsewhere is nobody's business.
        if !self.roots.iter().any(|root| real_path.starts_with(root)) {
            return Err(FileRefusal::Outside(shown()));
        }
        if !is_file {
            return Err(FileRefusal::NotAFile(shown()));
        }
        if *bytes > self.most_bytes {
            return Err(FileRefusal::TooLarge { bytes: *bytes, most: self.most_bytes });
        }
        let name = asked.file_name().or(real_path.file_name()).unwrap_or_default();
        let name = file_name(&name.to_string_lossy());
        Ok(OutgoingFile { path: real_path.clone(), name, bytes: *bytes })
    }

    /// Looks at a file and says whether it may be sent.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn look(&self, asked: &Path) -> Result<OutgoingFile, FileRefusal> {
        let facts =
            facts(asked).map_err(|_| FileRefusal::Unreadable(asked.display().to_string()))?;
        self.admit(asked, &facts)
    }
}

fn facts(path: &Path) -> io::Result<FileFacts> {
    let real_path = path.canonicalize()?;
    let metadata = real_path.metadata()?;
    Ok(FileFacts { real_path, is_file: metadata.is_file(), bytes: metadata.len() })
}

/// A name that means the same on every system: no separators, control characters or characters
/// that turn the direction of writing, and not too long; its extension stays.
#[must_use]
pub fn file_name(name: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let clean: String = name
        .chars()
        .filter(|c| !turns(*c))
        .map(|c| if c.is_control() || "/\\:*?\"<>|".contains(c) { '_' } else { c })
        .collect();
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || c == '.');
    let (stem, extension) = match clean.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 && !stem.is_empty() => (stem, extension),
        _ => (clean, ""),
    };
    let dot = if extension.is_empty() { "" } else { "." };
    let most = MAX_NAME.saturating_sub(dot.len() + extension.len());
    let ends = stem.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = ends.take_while(|end| *end <= most).last().unwrap_or_default();
    let stem = stem.get(..end).filter(|stem| !stem.is_empty()).unwrap_or("file");
    format!("{stem}{dot}{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(path: &str, is_file: bool, bytes: u64) -> FileFacts {
        FileFacts { real_path: PathBuf::from(path), is_file, bytes }
    }

    #[test]
    fn only_files_below_an_approved_folder_and_not_too_large() {
        let files = OutgoingFiles::of_real(vec![PathBuf::from("/data/out")], 0.5);
        let asked = Path::new("/data/out/a.png");
        let admit = |facts: &FileFacts| files.admit(asked, facts);
        let expected = OutgoingFile {
            path: PathBuf::from("/data/out/x/b.png"),
            name: "a.png".to_owned(),
            bytes: 524_288,
        };
        assert_eq!(admit(&facts("/data/out/x/b.png", true, 524_288)), Ok(expected));
        let shown = "/data/out/a.png".to_owned();
        for elsewhere in ["/etc/passwd", "/data/outside/a.png", "/data"] {
            let refusal = FileRefusal::Outside(shown.clone());
            assert_eq!(admit(&facts(elsewhere, true, 1)), Err(refusal), "{elsewhere}");
        }
        assert_eq!(admit(&facts("/data/out", false, 1)), Err(FileRefusal::NotAFile(shown)));
        let refusal = FileRefusal::TooLarge { bytes: 524_289, most: 524_288 };
        assert_eq!(admit(&facts("/data/out/a.png", true, 524_289)), Err(refusal));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_no_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("in.txt"), "in").unwrap();
        std::fs::write(folder.path().join("out.txt"), "out").unwrap();
        std::os::unix::fs::symlink(folder.path().join("out.txt"), root.join("link.txt")).unwrap();
        let files = OutgoingFiles::new(&[root.clone(), folder.path().join("none")], 1.0);
        assert_eq!(files.look(&root.join("in.txt")).unwrap().bytes, 2);
        for asked in [root.join("link.txt"), root.join("../out.txt")] {
            let refusal = files.look(&asked).unwrap_err();
            assert!(matches!(refusal, FileRefusal::Outside(_)), "{refusal}");
        }
        let gone = files.look(&root.join("gone.txt")).unwrap_err();
        assert!(matches!(gone, FileRefusal::Unreadable(_)), "{gone}");
    }

    #[test]
    fn names() {
        let cases = [
            ("a b.png", "a b.png"),
            ("../a/b.png", "_a_b.png"),
            ("con:\u{7}x?.txt", "con__x_.txt"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            (".hidden", "hidden"),
            ("...", "file"),
            ("", "file"),
            ("日本.jpg", "日本.jpg"),
        ];
        for (name, expected) in cases {
            assert_eq!(file_name(name), expected, "{name:?}");
        }
        let long = file_name(&format!("{}.jpeg", "日".repeat(200)));
        assert!(long.len() <= 100 && long.ends_with("日.jpeg"), "{long}");
    }
}
