//! Counters that explain every packet.

use std::collections::BTreeMap;

use clawvoice_session::UserId;

/// What became of a datagram. Every datagram ends in exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Discovery,
    Malformed,
    Rtcp,
    OtherPayload,
    BeforeSession,
    TransportFailed,
    BadPadding,
    PaddingOnly,
    Silence,
    UnknownSender,
    PreJoin,
    Undecryptable,
    PlaintextRefused,
    Duplicate,
    Late,
    DecodeFailed,
    Flooded,
    Delivered,
}

/// What became of packets, of one speaker or of all.
///
/// `received` equals the sum of the fates ([`PacketStats::explained`]) plus the packets that wait
/// at this moment in the reorder buffers or for a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketStats {
    /// Datagrams that arrived (for one speaker: those whose sender is known).
    pub received: u64,
    /// Fate: answers to IP discovery.
    pub discovery: u64,
    /// Fate: runts, wrong version, impossible header.
    pub malformed: u64,
    /// Fate: RTCP reports, which are not needed.
    pub rtcp: u64,
    /// Fate: video and anything else that is not Opus.
    pub other_payload: u64,
    /// Fate: came before there was a transport key.
    pub before_session: u64,
    /// Fate: failed the transport cipher's authentication.
    pub transport_failed: u64,
    /// Fate: impossible RTP pad count.
    pub bad_padding: u64,
    /// Fate: nothing but padding; advances the sequence.
    pub padding_only: u64,
    /// Fate: Opus silence, the end of a talkspurt.
    pub silence: u64,
    /// Fate: nobody was announced as the sender within 2 s, or too many waited.
    pub unknown_sender: u64,
    /// Fate: encrypted in an epoch from before we were in the group; lost by design.
    pub pre_join: u64,
    /// Fate: DAVE frames that no key opened within 2.5 s.
    pub undecryptable: u64,
    /// Fate: plaintext although DAVE is in force and no transition allows it.
    pub plaintext_refused: u64,
    /// Fate: a sequence number that had come before.
    pub duplicate: u64,
    /// Fate: came after its place was concealed or skipped.
    pub late: u64,
    /// Fate: libopus refused the packet.
    pub decode_failed: u64,
    /// Fate: beyond what one sender may cost.
    pub flooded: u64,
    /// Fate: decoded and delivered.
    pub delivered: u64,
    /// On the way: packets that waited for a sender or a key.
    pub held: u64,
    /// On the way: held packets that could be opened after all.
    pub recovered: u64,
    /// On the way: packets that came out of order and waited for an earlier one.
    pub reordered: u64,
    /// Not packets: lost ones made up by Opus loss concealment, each of its sender's duration.
    pub concealed: u64,
    /// Not packets: lost ones rebuilt from the redundancy (in-band FEC) of the next packet.
    pub fec: u64,
    /// Not packets: lost ones for which there is silence, because concealment had faded.
    pub silenced: u64,
}

impl PacketStats {
    /// Packets whose fate is decided.
    #[must_use]
    pub const fn explained(&self) -> u64 {
        self.discovery
            + self.malformed
            + self.rtcp
            + self.other_payload
            + self.before_session
            + self.transport_failed
            + self.bad_padding
            + self.padding_only
            + self.silence
            + self.unknown_sender
            + self.pre_join
            + self.undecryptable
            + self.plaintext_refused
            + self.duplicate
            + self.late
            + self.decode_failed
            + self.flooded
            + self.delivered
    }

    fn settle(&mut self, fate: Fate) {
        let counter = match fate {
            Fate::Discovery => &mut self.discovery,
            Fate::Malformed => &mut self.malformed,
            Fate::Rtcp => &mut self.rtcp,
            Fate::OtherPayload => &mut self.other_payload,
            Fate::BeforeSession => &mut self.before_session,
            Fate::TransportFailed => &mut self.transport_failed,
            Fate::BadPadding => &mut self.bad_padding,
            Fate::PaddingOnly => &mut self.padding_only,
            Fate::Silence => &mut self.silence,
            Fate::UnknownSender => &mut self.unknown_sender,
            Fate::PreJoin => &mut self.pre_join,
            Fate::Undecryptable => &mut self.undecryptable,
            Fate::PlaintextRefused => &mut self.plaintext_refused,
            Fate::Duplicate => &mut self.duplicate,
            Fate::Late => &mut self.late,
            Fate::DecodeFailed => &mut self.decode_failed,
            Fate::Flooded => &mut self.flooded,
            Fate::Delivered => &mut self.delivered,
        };
        *counter += 1;
    }
}

/// What the send path did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendStats {
    /// Speech packets sent.
    pub speech: u64,
    /// Silence packets sent behind talkspurts.
    pub silence: u64,
    /// Frames that could not be encoded, encrypted, or sealed.
    pub failed: u64,
    /// Frames handed in while the call could not send.
    pub refused: u64,
}

/// What the voice websocket and the DAVE group went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GatewayStats {
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages without meaning for us, unknown opcodes included.
    pub ignored: u64,
    /// Sessions continued on a new websocket.
    pub resumes: u64,
    /// Heartbeats that found the one before unanswered.
    pub missed_acks: u64,
    /// Times that nothing came through by UDP any more and a new socket was opened.
    pub paths_lost: u64,
    /// MLS epochs entered.
    pub epochs: u64,
    /// DAVE transitions executed.
    pub transitions: u64,
    /// Proposal batches refused.
    pub proposals_refused: u64,
    /// Commits and welcomes ignored as stale, repeated, or not ours.
    pub commits_ignored: u64,
    /// Invalid commit or welcome reported (op 31).
    pub recoveries: u64,
    /// SPEAKING events (op 5) that the keys contradict.
    pub speaking_contradicted: u64,
}

/// Speakers whose counters are kept after they left.
const MAX_SPEAKERS: usize = 1_024;

/// Every counter of one call. Plain data; reading it costs nothing.
#[derive(Clone, Debug, Default)]
pub struct CallStats {
    /// All packets.
    pub total: PacketStats,
    /// Packets by speaker, for those whose sender became known.
    pub speakers: BTreeMap<UserId, PacketStats>,
    /// The send path.
    pub sent: SendStats,
    /// Websocket and DAVE.
    pub gateway: GatewayStats,
}

impl CallStats {
    /// A datagram of nobody known yet came in.
    pub(crate) fn arrived(&mut self) {
        self.total.received += 1;
    }

    /// The datagram turned out to be of `user`.
    pub(crate) fn attributed(&mut self, user: UserId) {
        self.speakers.entry(user).or_default().received += 1;
    }

    /// A datagram taken for one of `was` turned out to be of `is`.
    pub(crate) fn reattributed(&mut self, was: UserId, is: UserId) {
        if let Some(stats) = self.speakers.get_mut(&was) {
            stats.received = stats.received.saturating_sub(1);
        }
        self.attributed(is);
    }

    /// The streams of `user` are gone: with very many speakers, its counters go too. The total
    /// keeps what they counted.
    pub(crate) fn forget(&mut self, user: UserId) {
        if self.speakers.len() > MAX_SPEAKERS {
            self.speakers.remove(&user);
        }
    }

    /// The end of a packet's way.
    pub(crate) fn settle(&mut self, user: Option<UserId>, fate: Fate) {
        self.total.settle(fate);
        if let Some(user) = user {
            self.speakers.entry(user).or_default().settle(fate);
        }
    }

    /// Something on the way, for a speaker and the total.
    pub(crate) fn note(&mut self, user: Option<UserId>, note: impl Fn(&mut PacketStats)) {
        note(&mut self.total);
        if let Some(user) = user {
            note(self.speakers.entry(user).or_default());
        }
    }
}
