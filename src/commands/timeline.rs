//! `clawvoice timeline`: shows a recording, or a log, of a voice session.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read as _, Write as _},
    path::{Component, Path, PathBuf},
    time::SystemTime,
};

use clawvoice_voice::{
    recording::{Replay, replay},
    review::{MAX_FILE_BYTES, Review, document, html, perfetto, terminal},
    shell::cold::{self, recording_files, recording_name},
};
use serde_json::{Value, json};

use crate::{
    cli::{TimelineAction, TimelineArgs},
    printer::{self, Failure},
};

/// Recorded sound that is put into a page, all files together.
const MAX_SOUND_BYTES: u64 = 48 << 20;

/// The width of a terminal that does not tell it.
const WIDTH: usize = 100;

/// Runs the command.
pub(crate) fn run(args: &TimelineArgs) -> Result<(), Failure> {
    if let Some(TimelineAction::Replay { recording, json, folder }) = &args.action {
        let path = find(recording, &recordings(folder.as_deref())?)?;
        return take_again(&path, *json);
    }
    let folder = recordings(args.folder.as_deref())?;
    let Some(name) = &args.recording else { return list(&folder) };
    let path = find(name, &folder)?;
    let review = Review::of(&read(&path)?);
    if let Some(out) = &args.html {
        let sounds = sounds(&review, &path);
        return save(out, html::page(&review, &title(&path), &sounds).as_bytes());
    }
    if let Some(out) = &args.perfetto {
        return save(out, perfetto::trace(&review).to_string().as_bytes());
    }
    let text = if args.json {
        format!("{:#}\n", document(&review))
    } else if args.diagnose {
        terminal::diagnosis(&review, width())
    } else {
        terminal::picture(&review, width())
    };
    show(&text)
}

/// Replays a recording. Decisions that come out differently are a failure.
fn take_again(path: &Path, json: bool) -> Result<(), Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::user(format_args!("{}: {error}", path.display()))
            .hint("sessions are recorded in ~/.clawvoice/state/timeline")
    };
    let file = cold::open(path).map_err(|error| unusable(&error))?;
    let outcome = replay(file).map_err(|error| unusable(&error))?;
    show(&if json { as_json(&outcome) } else { in_words(&outcome) })?;
    if outcome.is_identical() {
        return Ok(());
    }
    Err(Failure::user("the decisions were not reached again as recorded")
        .hint("another version of the program may go by other rules"))
}

fn as_json(outcome: &Replay) -> String {
    let differences: Vec<Value> = outcome
        .differences
        .iter()
        .map(|difference| {
            json!({
                "at_us": difference.at, "recorded": difference.recorded, "again": difference.again,
            })
        })
        .collect();
    let document = json!({
        "identical": outcome.is_identical(), "inputs": outcome.inputs,
        "decisions": outcome.decisions, "different": outcome.different,
        "damaged": outcome.damaged, "differences": differences,
    });
    format!("{document:#}\n")
}

fn in_words(outcome: &Replay) -> String {
    let mut text = format!(
        "{} inputs, {} decisions: {} different, {} damaged lines\n",
        outcome.inputs, outcome.decisions, outcome.different, outcome.damaged
    );
    for difference in &outcome.differences {
        text.push_str(&format!(
            "at {}: recorded {:?}, again {:?}\n",
            difference.at, difference.recorded, difference.again
        ));
    }
    text
}

/// Where recordings are kept.
fn recordings(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = asked {
        return Ok(folder.to_owned());
    }
    let home = std::env::home_dir().ok_or_else(|| {
        Failure::user("there is no home folder to look for recordings in")
            .hint("name the recording's file, or the folder with --folder")
    })?;
    Ok(home.join(".clawvoice/state/timeline"))
}

/// The file that a name stands for: itself, or a recording of the folder, with or without its
/// ending.
fn find(name: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    if name.exists() {
        return Ok(name.to_owned());
    }
    // A name is a name: a path with folders is a file that is not there.
    if name.components().all(|part| matches!(part, Component::Normal(_)))
        && name.components().count() == 1
    {
        let text = name.to_string_lossy();
        let files = recording_files(&text).map(|file| folder.join(file));
        let mut paths = std::iter::once(folder.join(name)).chain(files);
        if let Some(path) = paths.find(|path| path.is_file()) {
            return Ok(path);
        }
    }
    Err(Failure::user(format_args!(
        "{} is neither a file nor a recording in {}",
        name.display(),
        folder.display()
    ))
    .hint("`clawvoice timeline` without a name lists the recordings"))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| {
        Failure::user(format_args!("{} cannot be read: {error}", path.display()))
    };
    let mut bytes = Vec::new();
    // One byte more than is used, so that the reader sees that there is more.
    let limit = MAX_FILE_BYTES as u64 + 1;
    cold::open(path)
        .map_err(unreadable)?
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Lists the recordings of the folder, the newest first.
fn list(folder: &Path) -> Result<(), Failure> {
    let mut found: Vec<(SystemTime, String, u64)> = match std::fs::read_dir(folder) {
        Ok(entries) => entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let about = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let name = recording_name(&name)?.to_owned();
                Some((about.modified().unwrap_or(SystemTime::UNIX_EPOCH), name, about.len()))
            })
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            return Err(Failure::user(format_args!(
                "{} cannot be read: {error}",
                folder.display()
            )));
        }
    };
    if found.is_empty() {
        printer::progress(format_args!("there are no recordings in {}", folder.display()));
        return Ok(());
    }
    found.sort_by(|a, b| b.cmp(a));
    let mut text = String::new();
    for (changed, name, bytes) in found {
        let at = jiff::Timestamp::try_from(changed)
            .map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
            .unwrap_or_default();
        text.push_str(&format!("{at}  {:>7} KiB  {}\n", bytes.div_ceil(1024), printable(&name)));
    }
    show(&text)
}

fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn title(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The recording's pieces of sound by the names it gives them. Only files below the recording's own
/// folder are taken: a log must not choose which files of this machine end up in a page.
fn sounds(review: &Review, recording: &Path) -> BTreeMap<String, Vec<u8>> {
    let folder = recording.parent().unwrap_or(Path::new(""));
    let mut sounds = BTreeMap::new();
    let mut left = MAX_SOUND_BYTES;
    let mut left_out = BTreeSet::new();
    for clip in review.clips() {
        let name = Path::new(&clip.file);
        let below = name.components().all(|part| matches!(part, Component::Normal(_)));
        if sounds.contains_key(&clip.file) || left_out.contains(&clip.file) {
            continue;
        }
        let path = folder.join(name);
        let inside = match (path.canonicalize(), folder_of(folder).canonicalize()) {
            (Ok(path), Ok(folder)) => path.starts_with(folder),
            _ => false,
        };
        if !below || !inside || !std::fs::metadata(&path).is_ok_and(|about| about.len() <= left) {
            left_out.insert(&clip.file);
            continue;
        }
        if let Ok(bytes) = std::fs::read(&path) {
            left = left.saturating_sub(bytes.len() as u64);
            sounds.insert(clip.file.clone(), bytes);
        }
    }
    if let Some(first) = left_out.first() {
        let (count, first) = (left_out.len(), printable(first));
        printer::progress(format_args!("sound files left out of the page: {count} ({first} …)"));
    }
    sounds
}

/// A recording named without a folder is in the current one.
fn folder_of(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn save(out: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(out, bytes).map_err(|error| {
        Failure::user(format_args!("{} cannot be written: {error}", out.display()))
    })?;
    printer::result(out.display());
    Ok(())
}

/// Prints to stdout. Nobody reading any more (a pager that was left) is no failure.
fn show(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unexpected(format_args!("stdout cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// The terminal's width; `COLUMNS` where it is set, as in a pipe.
fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    told.or_else(|| terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)))
        .unwrap_or(WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_found_by_file_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("evening.jsonl");
        std::fs::write(&file, "{}").unwrap();
        for name in ["evening", "evening.jsonl"] {
            assert_eq!(find(Path::new(name), folder.path()).unwrap(), file, "{name}");
        }
        assert_eq!(find(&file, Path::new("/nowhere")).unwrap(), file);
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        for name in ["morning", "../evening", "/etc/evening-that-is-not"] {
            let failure = find(Path::new(name), &inner).unwrap_err();
            assert!(failure.hint.is_some(), "{name}");
        }
    }

    #[test]
    fn only_sound_beside_the_recording_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("recordings");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(folder.path().join("secret"), "secret").unwrap();
        std::fs::write(inner.join("ada.wav"), "RIFF").unwrap();
        let outside = folder.path().join("secret");
        #[cfg(unix)]
        std::os::unix::fs::symlink(&outside, inner.join("link.wav")).unwrap();
        let lines: String =
            ["ada.wav", "../secret", outside.to_str().unwrap(), "link.wav", "gone.wav"]
                .iter()
                .map(|file| {
                    format!("{{\"at_us\":1,\"audio\":{{\"file\":\"{file}\",\"from_us\":1}}}}\n")
                })
                .collect();
        let review = Review::of(lines.as_bytes());
        assert_eq!(review.clips().count(), 5);
        let sounds = sounds(&review, &inner.join("evening.jsonl"));
        assert_eq!(sounds.keys().collect::<Vec<_>>(), ["ada.wav"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_the_users_to_put_right() {
        let folder = tempfile::tempdir().unwrap();
        let failure = read(folder.path()).unwrap_err();
        assert_eq!(failure.exit, printer::Exit::UserFixable);
    }
}
