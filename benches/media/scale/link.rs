//! What generator and receiver agree on, and the generator's end of the receiver's process.

use std::{
    io::{BufRead, BufReader, Write},
    net::SocketAddr,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    generator::Generator,
    receiver::{OURS, WHICH},
};
use crate::talker::KEY_BYTES;

/// Calls of one speaker each that can be served at a time.
pub(crate) const CALLS: usize = 500;
/// The pace of a speaker.
pub(crate) const FRAME: Duration = Duration::from_millis(20);
/// Frames of each speaker in a probe: first those that do not count, because decoders and caches are
/// cold, then those that do.
pub(crate) const WARM_FRAMES: u16 = 15;
pub(crate) const FRAMES: u16 = WARM_FRAMES + 125;
/// Sequence numbers from the first of one probe to the first of the next.
pub(crate) const SEQUENCE_STEP: u16 = 1_000;
const HELLO_BYTES: usize = 9;
/// After this a frame is late.
pub(crate) const LATE: Duration = FRAME;
/// A probe in which more than one of so many frames is excused says nothing.
const MOST_EXCUSED: u64 = 25;
/// From the command to start until the first datagram.
const LEAD: Duration = Duration::from_millis(50);

/// The first line of a receiver's input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) calls: usize,
    /// In each call.
    pub(crate) talkers: usize,
    /// Where datagrams come from.
    pub(crate) generator: SocketAddr,
    /// The core to stay on.
    pub(crate) core: usize,
}

/// Its answer, when its sockets have said hello and its calls are in their groups.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ready {
    /// The base secrets of the talkers, call by call.
    pub(crate) secrets: Vec<[u8; KEY_BYTES]>,
    /// libopus alone, us per frame.
    pub(crate) decode_us: f64,
}

/// Every further line. Each is answered by [`Counts`], which mean something after [`Self::Stop`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Whoever was in the calls leaves, then so many speakers are announced.
    Arm { speakers: usize },
    /// The first datagram is due then, on the machine's monotonic clock.
    Start { at: Duration },
    /// All datagrams have been sent.
    Stop,
}

/// What a receiver counted from start to stop, of the frames that count.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Frames heard in time.
    pub(crate) in_time: u64,
    /// Frames that were to be sent.
    pub(crate) expected: u64,
    /// Frames that the generator sent so late that it is no fault of the receiver's.
    pub(crate) excused: u64,
    /// Processor time of the process.
    pub(crate) cpu: Duration,
    /// Time from start to stop.
    pub(crate) span: Duration,
}

impl Counts {
    pub(crate) fn late_per_mille(&self) -> f64 {
        let late = self.expected.saturating_sub(self.in_time + self.excused);
        1e3 * late as f64 / self.expected.max(1) as f64
    }

    pub(crate) fn busy_percent(&self) -> f64 {
        100.0 * self.cpu.as_secs_f64() / self.span.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// The first datagram of a call, with its number; the call's own keepalives look otherwise.
pub(crate) fn hello(number: u32) -> [u8; HELLO_BYTES] {
    let mut bytes = *b"hello    ";
    bytes[HELLO_BYTES - 4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// The number of a call, if this is its first datagram.
pub(crate) fn number(datagram: &[u8]) -> Option<usize> {
    let number = datagram.strip_prefix(b"hello")?.first_chunk().copied()?;
    Some(u32::from_be_bytes(number) as usize)
}

/// When a frame's datagram is due, after the start; speakers are spread over the 20 ms.
pub(crate) fn due(frame: u16, speaker: usize, speakers: usize) -> Duration {
    FRAME * u32::from(frame) + FRAME.mul_f64(speaker as f64 / speakers as f64)
}

/// A receiver in a process of its own.
pub(crate) struct Receiver {
    process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    ready: Ready,
    talkers: usize,
}

impl Receiver {
    /// Starts it and waits until it can hear.
    pub(crate) fn start(
        calls: usize,
        talkers: usize,
        generator: &mut Generator,
    ) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(WHICH, OURS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut to = process.stdin.take().context("stdin is piped")?;
        let mut from = BufReader::new(process.stdout.take().context("stdout is piped")?);
        let setup = Setup { calls, talkers, generator: generator.address()?, core: 0 };
        say(&mut to, &setup)?;
        generator.greet(calls)?;
        let ready: Ready = hear(&mut from)?;
        generator.take_secrets(&ready.secrets)?;
        Ok(Self { process, to, from, ready, talkers })
    }

    pub(crate) fn decode_us(&self) -> f64 {
        self.ready.decode_us
    }

    /// Lets so many speak; `None` if too many datagrams were not sent in time.
    pub(crate) fn probe(
        &mut self,
        generator: &mut Generator,
        speakers: usize,
    ) -> anyhow::Result<Option<Counts>> {
        self.order(Order::Arm { speakers })?;
        generator.prepare(speakers, self.talkers)?;
        let at = crate::rounds::monotonic()? + LEAD;
        self.order(Order::Start { at })?;
        let excused = generator.send(at)?;
        std::thread::sleep(4 * LATE);
        let counts = Counts { excused, ..self.order(Order::Stop)? };
        Ok((excused * MOST_EXCUSED < counts.expected).then_some(counts))
    }

    fn order(&mut self, order: Order) -> anyhow::Result<Counts> {
        say(&mut self.to, &order)?;
        hear(&mut self.from)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Not there any more: as well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn say(to: &mut impl Write, line: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    writeln!(to).and_then(|()| to.flush()).context("the receiver is gone")
}

fn hear<T: DeserializeOwned>(from: &mut impl BufRead) -> anyhow::Result<T> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    serde_json::from_str(&line).context("the receiver is gone")
}
