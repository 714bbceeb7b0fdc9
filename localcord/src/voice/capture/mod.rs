//! Voice packets, written to a file that Wireshark reads.
//!
//! ```text
//! hub ── packets without their transport encryption ──► queue ──► thread ──► pcap
//! ```
//!
//! The transport encryption is taken off because the keys are the server's own and would be of no
//! use outside of this process: with it, Wireshark sees noise behind the RTP header. What the
//! DAVE layer made stays as it is: its keys are the members' alone. All else is as it was on the
//! wire: CSRCs, header extension, padding with its count; only tag and nonce are gone.
//!
//! A packet is written where the server's socket is: what the faults lost on the way out is not in
//! the file, what they delayed is there when it left.

mod pcap;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use serde::Serialize;

/// Packets that may wait for the disk; beyond that they are dropped. Some seconds of a large call.
const QUEUE: usize = 8_192;

/// The capture of a voice server. Cloning gives another handle to the same one.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Whether there is anything in `running`; asked for every packet.
    on: AtomicBool,
    running: Mutex<Option<Running>>,
}

/// A file that is being written.
#[derive(Debug)]
struct Running {
    file: PathBuf,
    packets: SyncSender<Packet>,
    counts: Arc<Counts>,
    writer: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Counts {
    written: AtomicU64,
    dropped: AtomicU64,
    sealed: AtomicU64,
    error: Mutex<Option<String>>,
}

/// A datagram without its transport encryption.
struct Packet {
    at: SystemTime,
    from: SocketAddr,
    to: SocketAddr,
    rtp: Vec<u8>,
}

/// What a capture has come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CaptureReport {
    /// The file.
    pub file: PathBuf,
    /// Packets in the file.
    pub written: u64,
    /// Packets that are not in it because the disk was too slow, or failed.
    pub dropped: u64,
    /// Packets that are not in it because their encryption could not be taken off: a wrong tag,
    /// damage, or a receiver who was gone.
    pub sealed: u64,
    /// What the disk said when it failed; nothing is written after that.
    pub error: Option<String>,
}

impl Capture {
    /// Writes packets to a file from now on; one that is there is replaced. A capture under way
    /// ends first.
    ///
    /// Waits for the disk.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn start(&self, file: &Path) -> io::Result<()> {
        self.stop();
        let mut writer = BufWriter::new(File::create(file)?);
        pcap::write_header(&mut writer)?;
        writer.flush()?;
        let (packets, queue) = sync_channel(QUEUE);
        let counts = Arc::new(Counts::default());
        let counted = Arc::clone(&counts);
        let writer = std::thread::Builder::new()
            .name("localcord-capture".to_owned())
            .spawn(move || write_all(writer, &queue, &counted))?;
        let running = Running { file: file.to_owned(), packets, counts, writer };
        let replaced = self.lock().replace(running);
        self.inner.on.store(true, Ordering::Release);
        // Somebody else's, started at the same time.
        replaced.map(Running::finish);
        Ok(())
    }

    /// Ends the capture when everything so far is in the file. `None` if there is none.
    ///
    /// Waits for the disk.
    pub fn stop(&self) -> Option<CaptureReport> {
        let running = {
            let mut running = self.lock();
            self.inner.on.store(false, Ordering::Release);
            running.take()
        };
        running.map(Running::finish)
    }

    /// How the capture under way is doing.
    #[must_use]
    pub fn report(&self) -> Option<CaptureReport> {
        self.lock().as_ref().map(Running::report)
    }

    /// Whether packets are wanted.
    pub(crate) fn is_on(&self) -> bool {
        self.inner.on.load(Ordering::Acquire)
    }

    /// Takes a packet; without `rtp` its encryption could not be taken off. Never waits for the
    /// disk.
    pub(crate) fn record(&self, from: SocketAddr, to: SocketAddr, rtp: Option<Vec<u8>>) {
        let running = self.lock();
        let Some(running) = running.as_ref() else { return };
        let Some(rtp) = rtp else {
            running.counts.sealed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let packet = Packet { at: SystemTime::now(), from, to, rtp };
        if running.packets.try_send(packet).is_err() {
            running.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn report(&self) -> CaptureReport {
        self.counts.report(&self.file)
    }

    /// Waits until everything is written.
    fn finish(self) -> CaptureReport {
        let Self { file, packets, counts, writer } = self;
        drop(packets);
        if writer.join().is_err() {
            tracing::error!("the capture's thread panicked");
        }
        counts.report(&file)
    }
}

impl Counts {
    fn report(&self, file: &Path) -> CaptureReport {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        CaptureReport {
            file: file.to_owned(),
            written: of(&self.written),
            dropped: of(&self.dropped),
            sealed: of(&self.sealed),
            error: error.clone(),
        }
    }
}

/// The thread: writes until nobody can send any more.
fn write_all(mut file: BufWriter<File>, queue: &Receiver<Packet>, counts: &Counts) {
    while let Some(packet) = next(&mut file, queue) {
        let Packet { at, from, to, rtp } = packet;
        match pcap::write_datagram(&mut file, at, from, to, &rtp) {
            Ok(()) => counts.written.fetch_add(1, Ordering::Relaxed),
            Err(error) => {
                tracing::warn!(%error, "the capture ends");
                let mut slot = counts.error.lock().unwrap_or_else(PoisonError::into_inner);
                *slot = Some(error.to_string());
                return;
            }
        };
    }
}

/// The next packet. Whenever there is none at the moment, the file is made complete, so that it
/// can be read while it grows.
fn next(file: &mut BufWriter<File>, queue: &Receiver<Packet>) -> Option<Packet> {
    match queue.try_recv() {
        Ok(packet) => Some(packet),
        Err(TryRecvError::Disconnected) => {
            let _ = file.flush();
            None
        }
        Err(TryRecvError::Empty) => {
            // An error comes again with the next packet.
            let _ = file.flush();
            queue.recv().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(capture: &Capture, packets: u16) {
        for port in 1..=packets {
            let (from, to) = (([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], 5_000).into());
            capture.record(from, to, Some(vec![0x80, 0x78, 0, 1]));
        }
    }

    #[test]
    fn a_file_has_everything_when_the_capture_ends() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("1.pcap"), folder.path().join("2.pcap"));
        let capture = Capture::default();
        record(&capture, 1);
        assert_eq!((capture.is_on(), capture.report(), capture.stop()), (false, None, None));
        capture.start(&first).unwrap();
        assert!(capture.is_on());
        record(&capture, 100);
        capture.record(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into(), None);
        // Another file ends the first.
        capture.start(&second).unwrap();
        record(&capture, 3);
        let report = CaptureReport { file: second.clone(), written: 3, ..CaptureReport::default() };
        assert_eq!(capture.stop(), Some(report));
        assert!(!capture.is_on());
        record(&capture, 1);
        // Header, then per packet: record header, IPv4, UDP, 4 bytes.
        let size = |file| std::fs::metadata(file).unwrap().len();
        assert_eq!((size(first), size(second)), (24 + 100 * 48, 24 + 3 * 48));
    }

    #[test]
    fn what_the_disk_cannot_take_is_dropped_and_counted() {
        let (packets, queue) = sync_channel(2);
        let running = Running {
            file: PathBuf::from("slow"),
            packets,
            counts: Arc::default(),
            writer: std::thread::spawn(|| ()),
        };
        let capture = Capture::default();
        *capture.lock() = Some(running);
        record(&capture, 5);
        capture.record(([127, 0, 0, 1], 1).into(), ([127, 0, 0, 1], 2).into(), None);
        let report = capture.stop().unwrap();
        assert_eq!((report.dropped, report.sealed, report.written), (3, 1, 0));
        assert_eq!(queue.iter().count(), 2);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Capture::default().start(&folder.path().join("no/such.pcap")).is_err());
        #[cfg(target_os = "linux")]
        assert!(Capture::default().start(Path::new("/dev/full")).is_err());
    }
}
