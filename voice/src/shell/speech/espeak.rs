//! `espeak-ng`, a program of its own beside us: speech without a network or a key.
//!
//! It writes a WAV file of unknown length at 22,050 Hz while it speaks. The sentence goes in by
//! its standard input as UTF-8, so nothing in it can be taken for an option.

use std::{path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

use super::{Sink, synthesizer::unusable};
use crate::batch::{
    SpeechFailure,
    pcm::{PcmStream, SilenceTrim},
};

/// Between two pieces of its output. It speaks a minute in some 40 ms.
const NEXT: Duration = Duration::from_secs(10);

/// How to call the program.
#[derive(Clone, Debug)]
pub struct EspeakSettings {
    /// Its name or path.
    pub program: PathBuf,
    /// Its voice, as in `en-gb`; `None`: its own choice.
    pub voice: Option<String>,
    /// Its speed; `None`: 175 words a minute.
    pub words_per_minute: Option<u32>,
}

impl Default for EspeakSettings {
    fn default() -> Self {
        Self { program: PathBuf::from("espeak-ng"), voice: None, words_per_minute: None }
    }
}

pub(super) async fn synthesize(
    settings: &EspeakSettings,
    text: &str,
    sink: &Sink,
) -> Result<(), SpeechFailure> {
    let mut command = Command::new(&settings.program);
    command.args(["--stdout", "--stdin", "-b1"]);
    if let Some(voice) = &settings.voice {
        // In one argument, so that a voice that begins with `-` is none of its options.
        command.arg(format!("-v{voice}"));
    }
    if let Some(speed) = settings.words_per_minute {
        command.arg(format!("-s{speed}"));
    }
    let mut program = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        // A synthesis that is given up is dropped.
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            failed(format!("{} does not start: {error}", settings.program.display()))
        })?;
    let (Some(mut input), Some(mut output)) = (program.stdin.take(), program.stdout.take()) else {
        return Err(failed("espeak-ng has no pipes".to_owned()));
    };
    // It may not read while nobody takes what it writes, so both go on at once.
    let write = async {
        // One that ends without reading says why by its exit code.
        let _ = input.write_all(text.as_bytes()).await;
        drop(input);
    };
    let read = async {
        let (mut samples, mut trim) = (PcmStream::default(), SilenceTrim::default());
        let (mut raw, mut pcm) = (Vec::new(), Vec::new());
        let mut buffer = vec![0; 16 * 1_024];
        loop {
            let length = match timeout(NEXT, output.read(&mut buffer)).await {
                Ok(Ok(length)) => length,
                Ok(Err(error)) => return Err(failed(format!("espeak-ng cannot be read: {error}"))),
                Err(_) => return Err(failed("espeak-ng hangs".to_owned())),
            };
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
            samples.push(bytes, &mut raw).map_err(unusable)?;
            trim.push(&raw, &mut pcm);
            raw.clear();
            sink.push(&mut pcm).await;
        }
        samples.finish(&mut raw).map_err(unusable)?;
        trim.push(&raw, &mut pcm);
        trim.finish(&mut pcm);
        sink.push(&mut pcm).await;
        Ok(())
    };
    let ((), read) = tokio::join!(write, read);
    let status = timeout(NEXT, program.wait()).await;
    match status {
        Ok(Ok(status)) if status.success() => read,
        Ok(Ok(status)) => Err(failed(format!("espeak-ng failed: {status}"))),
        Ok(Err(error)) => Err(failed(format!("espeak-ng cannot be waited for: {error}"))),
        Err(_) => Err(failed("espeak-ng does not end".to_owned())),
    }
}

fn failed(message: String) -> SpeechFailure {
    SpeechFailure { message, transient: false }
}
