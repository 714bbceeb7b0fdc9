//! Sends the datagrams of many speakers at their pace, from a core of its own.

use std::{
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context, ensure};
use clawvoice_voice::wire::aead::{Mode, Transport};

use super::{
    link::{FRAMES, SEQUENCE_STEP, WARM_FRAMES, due, number},
    preference::pin,
};
use crate::{
    room::{FIRST_SSRC, FIRST_USER, KEY},
    rounds::monotonic,
    speech::{self, Coding},
    talker::{KEY_BYTES, Talker},
};

/// Sent later than this after it was due, a datagram is the generator's fault.
const SLACK: Duration = Duration::from_millis(5);
/// Seconds of speech that are said over and over.
const SPEECH_SECONDS: usize = 20;
/// Frames between where two speakers are in it.
const APART: usize = 37;
/// Nothing here takes this long.
const LIMIT: Duration = Duration::from_secs(120);
/// The core to send from; the receiver is on core 0.
const CORE: usize = 1;

/// See the module's documentation.
pub(crate) struct Generator {
    socket: UdpSocket,
    opus: Vec<Vec<u8>>,
    /// Of each call.
    addresses: Vec<SocketAddr>,
    /// Of all calls, one after another.
    talkers: Vec<Talker>,
    transport: Transport,
    /// The first sequence number of the next probe.
    sequence: u16,
    prepared: Vec<Datagram>,
}

/// One that waits to be sent.
struct Datagram {
    /// After the start.
    due: Duration,
    to: SocketAddr,
    bytes: Vec<u8>,
    /// Whether it is behind the warm-up.
    counts: bool,
}

impl Generator {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(LIMIT))?;
        Ok(Self {
            socket,
            opus: speech::packets(Coding::Hybrid, SPEECH_SECONDS)?,
            addresses: Vec::new(),
            talkers: Vec::new(),
            transport: Transport::new(Mode::Aes256Gcm, &KEY),
            sequence: 0,
            prepared: Vec::new(),
        })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Waits for the first datagram of each call, which is its number.
    pub(crate) fn greet(&mut self, calls: usize) -> anyhow::Result<()> {
        let mut known = vec![None; calls];
        while known.iter().any(Option::is_none) {
            let mut datagram = [0; 64];
            let (bytes, from) = self.socket.recv_from(&mut datagram).context("no receiver")?;
            if let Some(number) = number(&datagram[..bytes]) {
                *known.get_mut(number).context("there are not so many calls")? = Some(from);
            }
        }
        self.addresses = known.into_iter().flatten().collect();
        Ok(())
    }

    pub(crate) fn take_secrets(&mut self, secrets: &[[u8; KEY_BYTES]]) -> anyhow::Result<()> {
        let talkers = secrets.len() / self.addresses.len();
        self.talkers = secrets
            .iter()
            .enumerate()
            .map(|(at, secret)| {
                let in_call = at % talkers;
                Talker::new(FIRST_USER + in_call as u64, FIRST_SSRC + in_call as u32, secret)
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(())
    }

    /// Encrypts what so many will say, `in_call` of them in each call.
    pub(crate) fn prepare(&mut self, speakers: usize, in_call: usize) -> anyhow::Result<()> {
        let Self { opus, addresses, talkers, transport, sequence, prepared, .. } = self;
        prepared.clear();
        for talker in &mut talkers[..speakers] {
            talker.restart(*sequence);
        }
        for frame in 0..FRAMES {
            for (speaker, talker) in talkers[..speakers].iter_mut().enumerate() {
                let packet = &opus[(usize::from(frame) + APART * speaker) % opus.len()];
                prepared.push(Datagram {
                    due: due(frame, speaker, speakers),
                    to: addresses[speaker / in_call],
                    bytes: talker.datagram(packet, transport)?,
                    counts: frame >= WARM_FRAMES,
                });
            }
        }
        *sequence = sequence.wrapping_add(SEQUENCE_STEP);
        Ok(())
    }

    /// Sends it all; returns how many of the datagrams that count were sent late.
    pub(crate) fn send(&mut self, start: Duration) -> anyhow::Result<u64> {
        let (socket, prepared) = (&self.socket, &self.prepared);
        // A thread of its own, so that this one keeps its freedom.
        let sent = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    pin(CORE)?;
                    let mut behind = 0;
                    for Datagram { due, to, bytes, counts } in prepared {
                        let due = start + *due;
                        let mut now = monotonic()?;
                        if now < due {
                            std::thread::sleep(due - now);
                            now = monotonic()?;
                        }
                        behind += u64::from(*counts && now > due + SLACK);
                        // A full buffer is the receiver's loss.
                        let _ = socket.send_to(bytes, to);
                    }
                    anyhow::Ok(behind)
                })
                .join()
        });
        let behind = sent.ok().context("the sending thread broke")??;
        ensure!(!prepared.is_empty(), "nothing was prepared");
        Ok(behind)
    }
}
