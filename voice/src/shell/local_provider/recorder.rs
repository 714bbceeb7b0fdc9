//! Writes what the provider heard, sent and decided. One thread for all connections.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, SyncSender},
    },
};

use hound::{SampleFormat, WavSpec, WavWriter};
use serde_json::json;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::realtime::local::{Note, SAMPLE_RATE};

/// Notes that may wait for the disk. When full, new ones are dropped and counted: a slow disk must
/// not slow a conversation.
const QUEUE: usize = 4_096;

enum Entry {
    Note { connection: u64, note: Note },
    Closed { connection: u64 },
}

/// The recording; ends when it and every handle are gone.
pub(super) struct Recorder {
    handle: RecorderHandle,
    task: JoinHandle<()>,
}

/// A connection's way into the recording. Never waits.
#[derive(Clone)]
pub(super) struct RecorderHandle {
    queue: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Recorder {
    /// Makes the folder and opens `provider.jsonl` in it.
    pub(super) fn start(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let index = BufWriter::new(File::create(folder.join("provider.jsonl"))?);
        let (queue, entries) = mpsc::sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let mut writer = Writer { folder: folder.to_owned(), index, connections: BTreeMap::new() };
        let lost = Arc::clone(&dropped);
        let task = tokio::task::spawn_blocking(move || {
            if let Err(error) = writer.run(&entries, &lost) {
                warn!(%error, folder = %writer.folder.display(), "the provider's recording stopped");
            }
        });
        Ok(Self { handle: RecorderHandle { queue, dropped }, task })
    }

    pub(super) fn handle(&self) -> RecorderHandle {
        self.handle.clone()
    }

    /// Waits until everything is on disk. Every other handle must be gone.
    pub(super) async fn finish(self) {
        drop(self.handle);
        if let Err(error) = self.task.await {
            warn!(%error, "the provider's recording ended badly");
        }
    }
}

impl RecorderHandle {
    pub(super) fn note(&self, connection: u64, note: Note) {
        self.send(Entry::Note { connection, note });
    }

    pub(super) fn closed(&self, connection: u64) {
        self.send(Entry::Closed { connection });
    }

    fn send(&self, entry: Entry) {
        if self.queue.try_send(entry).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Writer {
    folder: PathBuf,
    index: BufWriter<File>,
    connections: BTreeMap<u64, Pair>,
}

struct Pair {
    heard: WavWriter<BufWriter<File>>,
    sent: WavWriter<BufWriter<File>>,
}

impl Writer {
    fn run(&mut self, entries: &Receiver<Entry>, dropped: &AtomicU64) -> io::Result<()> {
        for entry in entries {
            match entry {
                Entry::Note { connection, note } => self.write(connection, note)?,
                Entry::Closed { connection } => {
                    if let Some(pair) = self.connections.remove(&connection) {
                        pair.heard.finalize().map_err(io::Error::other)?;
                        pair.sent.finalize().map_err(io::Error::other)?;
                    }
                    self.line(json!({ "connection": connection, "event": "closed" }))?;
                }
            }
        }
        let dropped = dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            self.line(json!({ "event": "dropped", "notes": dropped }))?;
        }
        for (_, pair) in std::mem::take(&mut self.connections) {
            pair.heard.finalize().map_err(io::Error::other)?;
            pair.sent.finalize().map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn write(&mut self, connection: u64, note: Note) -> io::Result<()> {
        if !self.connections.contains_key(&connection) {
            let pair = self.open(connection)?;
            self.connections.insert(connection, pair);
        }
        let Some(pair) = self.connections.get_mut(&connection) else { return Ok(()) };
        match note {
            Note::Heard(samples) => write_samples(&mut pair.heard, &samples),
            Note::Sent(samples) => write_samples(&mut pair.sent, &samples),
            Note::Event { at, name, fields } => {
                // Now the files are right even if the process is killed later.
                pair.heard.flush().map_err(io::Error::other)?;
                pair.sent.flush().map_err(io::Error::other)?;
                let mut line =
                    json!({ "connection": connection, "at_us": at.as_micros(), "event": name });
                for (key, value) in fields {
                    line[key] = value;
                }
                self.line(line)
            }
        }
    }

    fn line(&mut self, line: serde_json::Value) -> io::Result<()> {
        writeln!(self.index, "{line}")?;
        self.index.flush()
    }

    fn open(&self, connection: u64) -> io::Result<Pair> {
        let create = |name: &str| {
            let path = self.folder.join(format!("provider-{connection:03}-{name}.wav"));
            let spec = WavSpec {
                channels: 1,
                sample_rate: SAMPLE_RATE,
                bits_per_sample: 16,
                sample_format: SampleFormat::Int,
            };
            WavWriter::create(path, spec).map_err(io::Error::other)
        };
        Ok(Pair { heard: create("heard")?, sent: create("sent")? })
    }
}

fn write_samples(wav: &mut WavWriter<BufWriter<File>>, samples: &[i16]) -> io::Result<()> {
    samples.iter().try_for_each(|sample| wav.write_sample(*sample)).map_err(io::Error::other)
}
