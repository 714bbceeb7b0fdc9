//! `clawvoice logs`: the newest lines of the log, and those that come.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    thread,
    time::Duration,
};

use crate::{cli::LogsArgs, log_file, printer::Failure};

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(250);
/// How much is read to find the newest lines: enough for some thousand.
const TAIL_BYTES: u64 = 1 << 20;

/// Runs the command.
pub(crate) fn run(args: &LogsArgs) -> Result<(), Failure> {
    let path = log_file::path()
        .ok_or_else(|| Failure::user("there is no home folder to look for a log in"))?;
    let unread = |error: io::Error| {
        Failure::user(format_args!("{}: {error}", path.display()))
            .hint("`clawvoice gateway` writes it; under systemd `journalctl --user -u clawvoice` has it, too")
    };
    let mut file = File::open(&path).map_err(unread)?;
    let newest = tail(&mut file, args.lines).map_err(unread)?;
    let mut out = io::stdout().lock();
    match out.write_all(&newest).and_then(|()| match args.follow {
        true => follow(&path, file, &mut out),
        false => Ok(()),
    }) {
        // Whoever read has enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(unread),
    }
}

/// The newest `lines` lines; leaves the file at its end.
fn tail(file: &mut File, lines: usize) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let mut starts: Vec<usize> = vec![0];
    starts.extend(text.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1));
    starts.retain(|start| *start < text.len());
    if from > 0 && starts.len() > 1 {
        // What is before the first line break is the end of a line.
        starts.remove(0);
    }
    let start = starts.len().saturating_sub(lines);
    Ok(starts.get(start).and_then(|start| text.get(*start..)).unwrap_or_default().to_vec())
}

/// Prints what is added, for ever. When the file is put aside, goes on with the new one.
fn follow(path: &Path, file: File, out: &mut impl io::Write) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    loop {
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line)? > 0 {
            out.write_all(&line)?;
            line.clear();
        }
        out.flush()?;
        let position = reader.stream_position()?;
        if path.metadata().is_ok_and(|now| now.len() < position) {
            reader = BufReader::new(File::open(path)?);
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &str, lines: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, text).unwrap();
        let bytes = tail(&mut File::open(&path).unwrap(), lines).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_newest_lines_are_shown_whole() {
        assert_eq!(last("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last("a\nb\nc", 2), "b\nc");
        assert_eq!(last("a\n", 5), "a\n");
        assert_eq!(last("", 5), "");
        assert_eq!(last("a\nb\n", 0), "");
        let long = format!("{}\nlast\n", "x".repeat(2 << 20));
        assert_eq!(last(&long, 10), "last\n");
    }
}
