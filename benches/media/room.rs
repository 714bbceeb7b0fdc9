//! A call in which others speak, without sockets and at whatever time it is given: the server's
//! side is localcord's DAVE group and a hand-made handshake.

use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{Call, CallSettings, Hear},
    wire::{
        aead::{Mode, Transport},
        discovery,
    },
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::{
    group::{self, BOT, CHANNEL, Members},
    hear::Deaf,
    talker::Talker,
};

const OWN_SSRC: u32 = 100;
/// The first talker; the others follow.
pub(crate) const FIRST_USER: u64 = 10_000;
/// Of the first talker; the others follow.
pub(crate) const FIRST_SSRC: u32 = 20_000;
/// Of the transport, in both directions.
pub(crate) const KEY: [u8; 32] = [9; 32];

/// A call, and what it takes to be heard in it.
pub(crate) struct Room {
    pub(crate) call: Call,
    pub(crate) now: SessionTime,
    pub(crate) talkers: Vec<Talker>,
    /// Others in the group, who can decrypt the same packets.
    pub(crate) members: Members,
    /// The server's side.
    transport: Transport,
}

impl Room {
    /// Shakes hands at time zero, forms the DAVE group, announces as many talkers.
    pub(crate) fn new(mode: Mode, talkers: usize) -> anyhow::Result<Self> {
        Self::at(SessionTime::ZERO, mode, talkers)
    }

    /// The same, and all of it happens at `now`.
    pub(crate) fn at(now: SessionTime, mode: Mode, talkers: usize) -> anyhow::Result<Self> {
        let mut room = Self::unannounced(now, mode, talkers)?;
        room.announce_all();
        Ok(room)
    }

    /// The talkers are in the group, but no op 5 has said which SSRC is whose.
    pub(crate) fn unannounced(
        now: SessionTime,
        mode: Mode,
        talkers: usize,
    ) -> anyhow::Result<Self> {
        let users: Vec<u64> = (FIRST_USER..).take(talkers).collect();
        let mut call = Call::new(settings(), now);
        shake_hands(&mut call, now, mode, &users);
        let members = group::form(&mut call, now, users.iter().copied())?;
        let talkers = users
            .iter()
            .zip(FIRST_SSRC..)
            .map(|(user, ssrc)| Talker::new(*user, ssrc, &members.secret_of(*user)?))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { call, now, talkers, members, transport: Transport::new(mode, &KEY) })
    }

    /// Op 5 for everybody.
    pub(crate) fn announce_all(&mut self) {
        for talker in &self.talkers {
            announce(&mut self.call, self.now, talker.user, talker.ssrc);
        }
    }

    /// The next datagrams of the first talker, one for each Opus packet.
    pub(crate) fn packets(&mut self, opus: &[Vec<u8>]) -> anyhow::Result<Vec<Vec<u8>>> {
        opus.iter().map(|packet| self.packet(0, packet)).collect()
    }

    /// The next datagram of one talker.
    pub(crate) fn packet(&mut self, talker: usize, opus: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.talkers[talker].datagram(opus, &mut self.transport)
    }

    /// Time goes on, and a datagram comes: what a call's owner does with it. The outputs are drained
    /// and the next deadline is asked for every time; what is due is done.
    pub(crate) fn hear(&mut self, now: SessionTime, datagram: &mut [u8], hear: &mut dyn Hear) {
        self.now = now;
        self.call.handle_datagram(now, datagram, hear);
        while self.call.poll_output().is_some() {}
        if self.call.poll_timeout().is_some_and(|(due, _)| due <= now) {
            self.call.handle_timeout(now, hear);
            while self.call.poll_output().is_some() {}
        }
    }
}

fn settings() -> CallSettings {
    CallSettings {
        guild: GuildId::new(1),
        channel: ChannelId::new(CHANNEL),
        user: UserId::new(BOT),
        session_id: "session".into(),
        token: SecretString::from("token"),
        endpoint: "localhost".into(),
        secure: true,
        dave: true,
        decryption_failure_tolerance: clawvoice_voice::call::DECRYPTION_FAILURE_TOLERANCE,
        reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
        seed: 7,
        udp_fallback: None,
    }
}

fn shake_hands(call: &mut Call, now: SessionTime, mode: Mode, talkers: &[u64]) {
    call.handle_gateway_opened(now);
    // An hour: no benchmark lasts so long, so nobody has to acknowledge.
    text(call, now, &json!({"op": 8, "d": {"heartbeat_interval": 3_600_000}}));
    text(
        call,
        now,
        &json!({"op": 2, "seq": 0, "d": {
            "ssrc": OWN_SSRC, "ip": "127.0.0.1", "port": 9, "modes": [mode.name()]}}),
    );
    let mut answer = [0; discovery::BYTES];
    answer[..4].copy_from_slice(&[0, 2, 0, 70]);
    answer[4..8].copy_from_slice(&OWN_SSRC.to_be_bytes());
    answer[8..17].copy_from_slice(b"127.0.0.1");
    answer[72..].copy_from_slice(&50_001u16.to_be_bytes());
    call.handle_datagram(now, &mut answer, &mut Deaf);
    let users = Members::users().into_iter().chain(talkers.iter().copied());
    join(call, now, users);
    text(
        call,
        now,
        &json!({"op": 4, "seq": 2, "d": {
            "mode": mode.name(), "secret_key": KEY, "dave_protocol_version": 1}}),
    );
}

/// Op 11.
pub(crate) fn join(call: &mut Call, now: SessionTime, users: impl Iterator<Item = u64>) {
    let users: Vec<String> = users.map(|user| user.to_string()).collect();
    text(call, now, &json!({"op": 11, "seq": 1, "d": {"user_ids": users}}));
}

/// Op 13.
pub(crate) fn leave(call: &mut Call, now: SessionTime, user: u64) {
    text(call, now, &json!({"op": 13, "d": {"user_id": user.to_string()}}));
}

/// Op 5.
pub(crate) fn announce(call: &mut Call, now: SessionTime, user: u64, ssrc: u32) {
    let d = json!({"user_id": user.to_string(), "ssrc": ssrc, "speaking": 1});
    text(call, now, &json!({"op": 5, "d": d}));
}

/// A text message of the voice gateway.
fn text(call: &mut Call, now: SessionTime, message: &Value) {
    call.handle_gateway_text(now, &message.to_string());
}
