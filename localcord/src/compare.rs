//! `localcord compare`: how much of one WAV file is in another.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use localcord::{
    human::wav::{WavError, read_stereo_48k},
    similarity::similarity,
};
use serde::Serialize;

/// Both files are compared at this rate, Hz, in mono.
const RATE: u32 = 24_000;

/// Arguments of `localcord compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Compare {
    /// The WAV file that is looked for: mono or stereo, 16 bit, 8 to 48 kHz.
    reference: PathBuf,
    /// The WAV file that it is looked for in.
    recording: PathBuf,
    /// Prints one line of JSON: `score`, from -1 to 1, and `lag_ms`.
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Serialize)]
struct Found {
    /// Peak normalised cross-correlation; 1 is the same waveform at any volume.
    score: f64,
    /// Where in the recording the reference begins, in milliseconds.
    lag_ms: f64,
}

#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Wav { path: PathBuf, source: WavError },
}

impl Compare {
    /// Compares and prints; fails if a file cannot be used.
    pub(crate) fn run(&self) -> ExitCode {
        let found = load(&self.reference)
            .and_then(|reference| Ok((reference, load(&self.recording)?)))
            .map(|(reference, recording)| compare(&reference, &recording));
        match found {
            Ok(found) => {
                // A reader that closed its end wants no answer.
                let _ = writeln!(anstream::stdout(), "{}", self.worded(found));
                ExitCode::SUCCESS
            }
            Err(error) => {
                // Nobody to tell if standard error is gone.
                let _ = writeln!(anstream::stderr(), "localcord: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn worded(&self, found: Found) -> String {
        match serde_json::to_string(&found) {
            Ok(json) if self.json => json,
            _ => format!("similarity {:.4} at {:.1} ms", found.score, found.lag_ms),
        }
    }
}

fn load(path: &Path) -> Result<Vec<i16>, CompareError> {
    let bytes = std::fs::read(path)
        .map_err(|source| CompareError::Read { path: path.to_owned(), source })?;
    read_mono(&bytes).map_err(|source| CompareError::Wav { path: path.to_owned(), source })
}

/// 24 kHz mono. Every file goes through 48 kHz stereo, whatever its form, so that what the filters
/// on the way do is the same on both sides.
fn read_mono(bytes: &[u8]) -> Result<Vec<i16>, WavError> {
    let stereo = read_stereo_48k(bytes)?;
    let mean = |four: &[i16]| four.iter().map(|sample| i32::from(*sample)).sum::<i32>() / 4;
    // The mean of 16-bit numbers is one.
    Ok(stereo.chunks_exact(4).map(|four| mean(four) as i16).collect())
}

fn compare(reference: &[i16], recording: &[i16]) -> Found {
    let found = similarity(reference, recording, RATE);
    let per_ms = f64::from(RATE) / 1000.0;
    Found { score: found.score, lag_ms: found.lag_samples as f64 / per_ms }
}

#[cfg(test)]
mod tests {
    use localcord::human::wav::write_mono;

    use super::*;

    /// A tone that rises from 200 to 1700 Hz within a second.
    fn chirp(rate: u32) -> Vec<i16> {
        (0..rate)
            .map(|n| {
                let t = f64::from(n) / f64::from(rate);
                ((t * (200.0 + 750.0 * t) * std::f64::consts::TAU).sin() * 12_000.0) as i16
            })
            .collect()
    }

    #[test]
    fn the_same_sound_is_found_at_another_rate_volume_and_place() {
        let reference = write_mono(&chirp(24_000), 24_000).unwrap();
        let mut later = vec![0; 12_000];
        later.extend(chirp(48_000).iter().map(|sample| sample / 3));
        let recording = write_mono(&later, 48_000).unwrap();
        let found = compare(&read_mono(&reference).unwrap(), &read_mono(&recording).unwrap());
        assert!(found.score > 0.99, "{found:?}");
        assert!((found.lag_ms - 250.0).abs() < 0.1, "{found:?}");
    }

    #[test]
    fn another_sound_is_not_found() {
        let reference = write_mono(&chirp(24_000), 24_000).unwrap();
        let backwards: Vec<i16> = chirp(24_000).into_iter().rev().collect();
        let recording = write_mono(&backwards, 24_000).unwrap();
        let found = compare(&read_mono(&reference).unwrap(), &read_mono(&recording).unwrap());
        assert!(found.score < 0.5, "{found:?}");
    }

    #[test]
    fn the_answer_is_a_line_of_json_if_wanted() {
        let found = Found { score: 0.5, lag_ms: 12.5 };
        let asked = |json| Compare { reference: "a".into(), recording: "b".into(), json };
        assert_eq!(asked(true).worded(found), r#"{"score":0.5,"lag_ms":12.5}"#);
        assert_eq!(asked(false).worded(found), "similarity 0.5000 at 12.5 ms");
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = Path::new("/nowhere/at-all.wav");
        assert!(load(missing).unwrap_err().to_string().contains("/nowhere/at-all.wav"));
    }
}
