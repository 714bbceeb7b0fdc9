//! The receiving process: calls on the shell's sockets and clock, on one thread on one core.
//!
//! The handshake is made by hand (see `room`), everything after it is real: each call is a task that
//! waits for its deadline, its orders and its socket, as the shell's session task does.

use std::{
    cell::{Cell, RefCell},
    io::{self, BufRead, Write},
    rc::Rc,
    time::Duration,
};

use anyhow::Context;
use audiopus::{Channels, MutSignals, SampleRate, coder::Decoder};
use clawvoice_session::{SessionTime, UserId};
use clawvoice_voice::{
    call::{Call, Hear, MAX_SAMPLES, Output},
    shell::{
        clock::{Alarm, SessionClock},
        udp::VoiceSocket,
    },
    wire::aead::Mode,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::{sync::mpsc, task::LocalSet};

use super::{
    link::{Counts, FRAMES, LATE, Order, Ready, SEQUENCE_STEP, Setup, WARM_FRAMES, due, hello},
    preference::pin,
};
use crate::{
    report::median,
    room::{self, FIRST_SSRC, FIRST_USER, Room},
    rounds::{cost_each, monotonic},
    speech::{self, Coding},
};

/// The environment variable that makes a receiver, and its value.
pub(crate) const WHICH: &str = "CLAWVOICE_BENCH_RECEIVER";
pub(crate) const OURS: &str = "ours";
/// Larger than any datagram of the generator.
const MAX_UDP_BYTES: usize = 2_048;
/// Longer than a stream outlives its user.
const FAREWELL: Duration = Duration::from_millis(700);
/// Decoders that the floor is measured with.
const DECODERS: usize = 400;
const DECODE_ROUNDS: usize = 7;

/// What the tasks of one process share: it has one thread.
#[derive(Default)]
struct Shared {
    probe: Cell<Option<Probe>>,
    counts: Cell<Counts>,
    /// The first sequence number of this probe.
    sequence: Cell<u16>,
}

#[derive(Clone, Copy)]
struct Probe {
    start: Duration,
    speakers: usize,
}

/// What the tasks are told.
#[derive(Clone, Copy)]
enum Word {
    Leave,
    Announce(usize),
}

/// Serves until the input ends.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let setup: Setup = serde_json::from_str(&lines.next().context("no setup")??)?;
    pin(setup.core)?;
    drop(lines);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve(setup))
}

async fn serve(setup: Setup) -> anyhow::Result<()> {
    let clock = SessionClock::start();
    let shared = Rc::new(Shared::default());
    let (mut secrets, mut to_calls) = (Vec::new(), Vec::new());
    for number in 0..setup.calls {
        let room = Room::unannounced(clock.now(), Mode::Aes256Gcm, setup.talkers)?;
        for talker in &room.talkers {
            secrets.push(room.members.secret_of(talker.user)?);
        }
        let socket = VoiceSocket::connect(setup.generator).await?;
        socket.send(&hello(u32::try_from(number)?));
        let (to_call, words) = mpsc::unbounded_channel();
        let talkers = setup.talkers;
        let task = Task { number, talkers, call: room.call, socket, shared: Rc::clone(&shared) };
        tokio::task::spawn_local(async move {
            if let Err(error) = task.run(clock, words).await {
                eprintln!("call {number}: {error:#}");
            }
        });
        to_calls.push(to_call);
    }
    answer(&Ready { secrets, decode_us: decode_us()? })?;

    let mut orders = orders();
    let mut began = (Duration::ZERO, Duration::ZERO);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Arm { speakers } => {
                // A call whose task ended has told why.
                let tell = |to: &mpsc::UnboundedSender<Word>, word| to.send(word).unwrap_or(());
                to_calls.iter().for_each(|to| tell(to, Word::Leave));
                tokio::time::sleep(FAREWELL).await;
                let in_call =
                    |call: usize| speakers.saturating_sub(call * setup.talkers).min(setup.talkers);
                for (call, to) in to_calls.iter().enumerate() {
                    tell(to, Word::Announce(in_call(call)));
                }
                // Announcing is over when the tasks have nothing left to do.
                tokio::time::sleep(Duration::from_millis(100)).await;
                let expected = speakers as u64 * u64::from(FRAMES - WARM_FRAMES);
                shared.counts.set(Counts { expected, ..Counts::default() });
                shared.probe.set(Some(Probe { start: Duration::MAX, speakers }));
            }
            Order::Start { at } => {
                let probe = shared.probe.get().map(|probe| Probe { start: at, ..probe });
                shared.probe.set(probe);
                began = (monotonic()?, process_time()?);
            }
            Order::Stop => {
                let mut counts = shared.counts.get();
                counts.span = monotonic()? - began.0;
                counts.cpu = process_time()? - began.1;
                shared.counts.set(counts);
                shared.probe.set(None);
                shared.sequence.set(shared.sequence.get().wrapping_add(SEQUENCE_STEP));
            }
        }
        answer(&shared.counts.get())?;
    }
    Ok(())
}

/// One call's.
struct Task {
    number: usize,
    /// In each call.
    talkers: usize,
    call: Call,
    socket: VoiceSocket,
    shared: Rc<Shared>,
}

impl Task {
    async fn run(
        mut self,
        clock: SessionClock,
        mut words: mpsc::UnboundedReceiver<Word>,
    ) -> anyhow::Result<()> {
        let mut ear = Ear::default();
        let mut alarm = Alarm::new(clock);
        let mut datagram = [0; MAX_UDP_BYTES];
        loop {
            while let Some(output) = self.call.poll_output() {
                if let Output::Datagram(bytes) = output {
                    self.socket.send(&bytes);
                }
            }
            alarm.set(self.call.poll_timeout().map(|(at, _)| at));
            tokio::select! {
                biased;
                () = alarm.rung() => self.call.handle_timeout(clock.now(), &mut ear),
                bytes = self.socket.recv(&mut datagram) => {
                    let datagram = &mut datagram[..bytes?];
                    let due = self.due(datagram);
                    let before = ear.frames;
                    self.call.handle_datagram(clock.now(), datagram, &mut ear);
                    if let Some(due) = due && ear.frames > before && monotonic()? <= due + LATE {
                        let mut counts = self.shared.counts.get();
                        counts.in_time += 1;
                        self.shared.counts.set(counts);
                    }
                }
                word = words.recv() => match word {
                    Some(word) => self.obey(clock.now(), word),
                    None => return Ok(()),
                },
            }
        }
    }

    /// When a datagram was due, if it counts.
    fn due(&self, datagram: &[u8]) -> Option<Duration> {
        let Probe { start, speakers } = self.shared.probe.get()?;
        let sequence = u16::from_be_bytes(*datagram.get(2..)?.first_chunk()?);
        let ssrc = u32::from_be_bytes(*datagram.get(8..)?.first_chunk()?);
        let frame = sequence.wrapping_sub(self.shared.sequence.get());
        let speaker = self.number * self.talkers + ssrc.checked_sub(FIRST_SSRC)? as usize;
        (WARM_FRAMES..FRAMES)
            .contains(&frame)
            .then(|| start.saturating_add(due(frame, speaker, speakers)))
    }

    fn obey(&mut self, now: SessionTime, word: Word) {
        let users = |count| (FIRST_USER..).take(count);
        match word {
            Word::Leave => {
                for user in users(self.talkers) {
                    room::leave(&mut self.call, now, user);
                }
            }
            Word::Announce(count) => {
                room::join(&mut self.call, now, users(count));
                for (user, ssrc) in users(count).zip(FIRST_SSRC..) {
                    room::announce(&mut self.call, now, user, ssrc);
                }
            }
        }
    }
}

/// Counts what it hears.
#[derive(Default)]
struct Ear {
    frames: u64,
}

impl Hear for Ear {
    fn speaking_started(&mut self, _: SessionTime, _: UserId) {}
    fn audio(&mut self, _: SessionTime, _: UserId, pcm: &[i16]) {
        std::hint::black_box(pcm);
        self.frames += 1;
    }
    fn speaking_stopped(&mut self, _: SessionTime, _: UserId) {}
}

/// libopus alone, us per frame, with many decoders visited in turn.
fn decode_us() -> anyhow::Result<f64> {
    let opus = speech::packets(Coding::Hybrid, 10)?;
    let decoders: RefCell<Vec<Decoder>> = RefCell::new(
        (0..DECODERS)
            .map(|_| Decoder::new(SampleRate::Hz24000, Channels::Mono))
            .collect::<Result<_, _>>()?,
    );
    let mut pcm = [0; MAX_SAMPLES];
    let mut times = Vec::new();
    for round in 0..=DECODE_ROUNDS {
        let ticks = 5;
        let time = cost_each(ticks * DECODERS, || {
            for tick in 0..ticks {
                for (speaker, decoder) in decoders.borrow_mut().iter_mut().enumerate() {
                    let packet = &opus[(round * ticks + tick + 37 * speaker) % opus.len()];
                    let signals = MutSignals::try_from(&mut pcm[..])?;
                    decoder.decode(Some(packet.try_into()?), signals, false)?;
                }
            }
            Ok(())
        })?;
        // The first round warms up and does not count.
        if round > 0 {
            times.push(time);
        }
    }
    Ok(median(&times))
}

/// The orders on standard input, read by a thread of its own.
fn orders() -> mpsc::UnboundedReceiver<Order> {
    let (to, from) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let order = line.ok().and_then(|line| serde_json::from_str(&line).ok());
            // The end of the input, or of whoever listens.
            let Some(order) = order else { break };
            if to.send(order).is_err() {
                break;
            }
        }
    });
    from
}

fn answer(line: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, line)?;
    writeln!(out)?;
    Ok(out.flush()?)
}

/// Processor time of the process so far.
fn process_time() -> anyhow::Result<Duration> {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Ok(Duration::new(u64::try_from(time.tv_sec)?, u32::try_from(time.tv_nsec)?))
}
