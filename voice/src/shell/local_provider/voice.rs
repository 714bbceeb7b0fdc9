//! espeak-ng as a voice: a process for each text.

use std::{process::Stdio, time::Duration};

use tokio::{io::AsyncWriteExt, process::Command, time::timeout};
use tracing::warn;

use crate::realtime::local::read_wav;

const PROGRAM: &str = "espeak-ng";

/// A text of a page takes milliseconds.
const TIME_LIMIT: Duration = Duration::from_secs(8);

/// Whether the program is there.
pub(super) async fn is_installed() -> bool {
    let mut command = Command::new(PROGRAM);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.kill_on_drop(true);
    matches!(timeout(TIME_LIMIT, command.status()).await, Ok(Ok(status)) if status.success())
}

/// A text as 24 kHz mono; `None` if the program fails.
pub(super) async fn speak(text: &str) -> Option<Vec<i16>> {
    match timeout(TIME_LIMIT, run(text)).await {
        Ok(Ok(mut wav)) => {
            set_true_length(&mut wav);
            read_wav(&wav[..]).inspect_err(|error| warn!(%error, "{PROGRAM} wrote no audio")).ok()
        }
        Ok(Err(error)) => {
            warn!(%error, "{PROGRAM} failed");
            None
        }
        Err(_) => {
            warn!("{PROGRAM} took too long");
            None
        }
    }
}

async fn run(text: &str) -> std::io::Result<Vec<u8>> {
    let mut command = Command::new(PROGRAM);
    command.args(["--stdin", "--stdout"]).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes()).await?;
    }
    Ok(child.wait_with_output().await?.stdout)
}

/// On a pipe the program cannot go back and write the lengths into the header.
fn set_true_length(wav: &mut [u8]) {
    let Some(at) = wav.windows(4).take(256).position(|tag| tag == b"data") else { return };
    let data = wav.len().saturating_sub(at + 8) as u32 & !1;
    let riff = wav.len().saturating_sub(8) as u32;
    if let Some(field) = wav.get_mut(at + 4..at + 8) {
        field.copy_from_slice(&data.to_le_bytes());
    }
    if let Some(field) = wav.get_mut(4..8) {
        field.copy_from_slice(&riff.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_length_that_was_not_known_is_set() {
        let mut wav = Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 24_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut wav, spec).expect("a valid form");
        (0..100_i16).for_each(|n| writer.write_sample(n).expect("memory is writable"));
        writer.finalize().expect("memory is writable");
        let mut wav = wav.into_inner();
        wav[40..44].copy_from_slice(&0x7fff_f000_u32.to_le_bytes());
        assert!(read_wav(&wav[..]).is_err());
        set_true_length(&mut wav);
        assert_eq!(read_wav(&wav[..]).expect("whole"), (0..100).collect::<Vec<i16>>());
    }
}
