//! A [`Call`] in virtual time, with the websocket and the socket around it.

use std::time::Duration;

use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{Call, CallSettings, FRAME_SAMPLES, MAX_DATAGRAM_BYTES, Output},
    wire::{
        aead::{KEY_BYTES, Mode, OVERHEAD, Transport},
        discovery, rtp,
    },
};

use crate::Ear;

/// Outputs that one input may cause besides those that its own size explains.
const MAX_OUTPUTS: usize = 1_024;
/// Deadlines that one wait of up to 65 s may have.
const MAX_DEADLINES: usize = 20_000;
/// The transport key of every call.
const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Websocket {
    Closed,
    Dialing,
    Open,
}

/// One call and everything around it.
pub struct CallBench {
    /// The machine.
    pub call: Call,
    /// What it hears.
    pub ear: Ear,
    /// The time.
    pub now: SessionTime,
    /// Whether the owner keeps the machine's contract and hands in nothing of a closed websocket.
    lawful: bool,
    websocket: Websocket,
    left: bool,
    server: Transport,
    mode: Mode,
    bytes_in: usize,
}

impl CallBench {
    /// The bot.
    pub const USER: u64 = 1_000;
    /// The voice channel.
    pub const CHANNEL: u64 = 4_242;
    /// Our SSRC as READY says it.
    pub const SSRC: u32 = 7;

    /// A call that is about to connect.
    #[must_use]
    pub fn new(mode: Mode, lawful: bool, dave: bool, fallback: bool) -> Self {
        let settings = CallSettings {
            guild: GuildId::new(1),
            channel: ChannelId::new(Self::CHANNEL),
            user: UserId::new(Self::USER),
            session_id: "session".into(),
            token: "token".to_owned().into(),
            endpoint: "localhost:1".into(),
            secure: false,
            dave,
            decryption_failure_tolerance: clawvoice_voice::call::DECRYPTION_FAILURE_TOLERANCE,
            reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
            seed: 1,
            udp_fallback: fallback.then(|| ([127, 0, 0, 1], 9).into()),
        };
        let now = SessionTime::from_millis(1_000);
        Self {
            call: Call::new(settings, now),
            ear: Ear::default(),
            now,
            lawful,
            websocket: Websocket::Closed,
            left: false,
            server: Transport::new(mode, &KEY),
            mode,
            bytes_in: 0,
        }
    }

    /// Goes through the handshake until media flows.
    pub fn connect(&mut self, dave: u16) -> Vec<Output> {
        let mut outputs = self.outputs();
        outputs.extend(self.opened());
        outputs.extend(self.text(r#"{"op":8,"d":{"heartbeat_interval":13750.0}}"#));
        outputs.extend(self.text(&self.ready()));
        outputs.extend(self.datagram(&mut Self::discovery_answer()));
        outputs.extend(self.text(&self.description(dave)));
        outputs
    }

    /// READY of this call's mode.
    #[must_use]
    pub fn ready(&self) -> String {
        format!(
            r#"{{"op":2,"seq":1,"d":{{"ssrc":{},"ip":"127.0.0.1","port":9,"modes":["{}"]}}}}"#,
            Self::SSRC,
            self.mode.name()
        )
    }

    /// SESSION DESCRIPTION of this call's mode and key.
    #[must_use]
    pub fn description(&self, dave: u16) -> String {
        format!(
            r#"{{"op":4,"seq":2,"d":{{"mode":"{}","secret_key":{KEY:?},"dave_protocol_version":{dave}}}}}"#,
            self.mode.name()
        )
    }

    /// The answer to the call's IP discovery.
    #[must_use]
    pub fn discovery_answer() -> [u8; discovery::BYTES] {
        let mut bytes = discovery::request(Self::SSRC);
        bytes[1] = 2;
        bytes[8..17].copy_from_slice(b"127.0.0.1");
        bytes
    }

    /// The websocket that was asked for is open.
    pub fn opened(&mut self) -> Vec<Output> {
        if self.lawful && self.websocket != Websocket::Dialing {
            return Vec::new();
        }
        self.websocket = Websocket::Open;
        self.call.handle_gateway_opened(self.now);
        self.outputs()
    }

    /// The websocket closed or could not be opened.
    pub fn closed(&mut self, code: Option<u16>) -> Vec<Output> {
        if self.lawful && self.websocket == Websocket::Closed {
            return Vec::new();
        }
        self.websocket = Websocket::Closed;
        self.call.handle_gateway_closed(self.now, code);
        self.outputs()
    }

    /// A text message came.
    pub fn text(&mut self, text: &str) -> Vec<Output> {
        if self.lawful && self.websocket != Websocket::Open {
            return Vec::new();
        }
        self.bytes_in += text.len();
        self.call.handle_gateway_text(self.now, text);
        self.outputs()
    }

    /// A binary message came.
    pub fn binary(&mut self, bytes: &[u8]) -> Vec<Output> {
        if self.lawful && self.websocket != Websocket::Open {
            return Vec::new();
        }
        self.bytes_in += bytes.len();
        self.call.handle_gateway_binary(self.now, bytes, &mut self.ear);
        self.outputs()
    }

    /// A datagram came.
    pub fn datagram(&mut self, datagram: &mut [u8]) -> Vec<Output> {
        self.call.handle_datagram(self.now, datagram, &mut self.ear);
        self.outputs()
    }

    /// A datagram came that passes the transport cipher: `clear` as its header (made up to one
    /// if it is too short) and `plaintext` behind it.
    pub fn sealed(&mut self, clear: &[u8], plaintext: &[u8]) -> Vec<Output> {
        let mut datagram = clear.to_vec();
        datagram.resize(clear.len().max(rtp::HEADER_BYTES), 0);
        let clear_bytes = datagram.len();
        datagram.extend_from_slice(plaintext);
        let plain_end = datagram.len();
        datagram.resize(plain_end + OVERHEAD, 0);
        self.server.seal(&mut datagram, clear_bytes, plain_end).expect("the buffer has room");
        self.datagram(&mut datagram)
    }

    /// An Opus packet of `ssrc` came.
    pub fn media(&mut self, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<Output> {
        let mut header = [0; rtp::HEADER_BYTES];
        rtp::write_header(&mut header, sequence, u32::from(sequence) * rtp::FRAME_UNITS, ssrc);
        self.sealed(&header, payload)
    }

    /// A tick of the playout clock.
    pub fn tick(&mut self, pcm: Option<&[i16; FRAME_SAMPLES]>) -> Vec<Output> {
        let mut datagram = [0; MAX_DATAGRAM_BYTES];
        if let Some(bytes) = self.call.handle_tick(self.now, pcm, &mut datagram) {
            assert!(pcm.is_none() || self.call.can_send(), "said what nobody can understand");
            assert!(!self.left, "sent after leaving");
            let packet = rtp::parse(&datagram[..bytes]);
            assert!(matches!(packet, Ok(rtp::Packet::Rtp(_))), "sent {packet:?}");
        }
        self.outputs()
    }

    /// Time passes, and the owner wakes at every deadline.
    pub fn wait(&mut self, span: Duration) -> Vec<Output> {
        let until = self.now + span;
        let mut outputs = Vec::new();
        let mut deadlines = 0;
        while let Some((at, _)) = self.call.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            outputs.extend(self.wake());
            deadlines += 1;
            assert!(deadlines < MAX_DEADLINES, "too many deadlines in {span:?}");
        }
        self.now = until;
        outputs
    }

    /// Time passes, and the owner wakes late.
    pub fn oversleep(&mut self, span: Duration) -> Vec<Output> {
        self.now += span;
        self.wake()
    }

    fn wake(&mut self) -> Vec<Output> {
        self.call.handle_timeout(self.now, &mut self.ear);
        if let Some((at, timer)) = self.call.poll_timeout() {
            assert!(at > self.now, "{timer:?} is due at {at} and was not done at {}", self.now);
        }
        self.outputs()
    }

    /// Leaves.
    pub fn close(&mut self) -> Vec<Output> {
        self.call.close(self.now);
        self.left = true;
        self.outputs()
    }

    /// What the call wants done; follows the websocket and checks the books.
    pub fn outputs(&mut self) -> Vec<Output> {
        let limit = MAX_OUTPUTS + self.bytes_in;
        let mut outputs = Vec::new();
        while let Some(output) = self.call.poll_output() {
            match output {
                Output::Connect { .. } => self.websocket = Websocket::Dialing,
                Output::CloseGateway { .. } => self.websocket = Websocket::Closed,
                Output::Text(_) | Output::Binary(_) if self.lawful => {
                    assert_eq!(self.websocket, Websocket::Open, "{output:?} for no websocket");
                }
                _ => {}
            }
            outputs.push(output);
            assert!(outputs.len() <= limit, "more than {limit} outputs of one input");
        }
        let total = self.call.stats().total;
        let in_flight = self.call.packets_in_flight() as u64;
        assert_eq!(total.received, total.explained() + in_flight, "a packet without a fate");
        outputs
    }

    /// Everything is over after a while: nothing waits, nobody speaks.
    pub fn finish(&mut self) {
        self.wait(Duration::from_secs(5));
        assert_eq!(self.call.packets_in_flight(), 0, "packets wait for good");
        assert!(self.ear.speaking().is_empty(), "{:?} never stopped", self.ear.speaking());
    }
}
