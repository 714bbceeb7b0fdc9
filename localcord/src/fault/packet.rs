//! What the server can make of a voice packet before it encrypts it: settings.

use serde::{Deserialize, Serialize};

use super::{percent, user};

/// Changes some of the packets the server forwards, or sends additional ones. Every rule that
/// chooses a packet applies, in the order of the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PacketFault {
    /// Only packets this user sent.
    #[serde(default, with = "user::optional")]
    pub from: Option<u64>,
    /// Only packets forwarded to this user.
    #[serde(default, with = "user::optional")]
    pub to: Option<u64>,
    /// Packets of each flow that pass before the rule begins.
    #[serde(default)]
    pub skip: u64,
    /// From then on every n-th packet of each flow, beginning with the first; 0 counts as 1.
    #[serde(default)]
    pub every: u64,
    /// Of those, this share, percent; 100 unless told.
    #[serde(default = "all")]
    pub percent: f64,
    /// How often per flow; no limit without it.
    #[serde(default)]
    pub times: Option<u64>,
    /// Send an additional packet of this kind in front of the genuine one, with a sequence number
    /// of its own, instead of changing the genuine one. Later packets are renumbered.
    #[serde(default)]
    pub insert: bool,
    /// What is done.
    pub change: PacketChange,
}

fn all() -> f64 {
    100.0
}

/// What is done to a packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PacketChange {
    /// RTP padding of so many bytes including the count, 1 to 255.
    Padding {
        /// Bytes.
        bytes: u8,
    },
    /// Nothing but padding, as media servers send to probe a path. With `insert` nothing is lost.
    PaddingOnly {
        /// Bytes, 1 to 255.
        bytes: u8,
    },
    /// The padding bit, and a last byte that is no true count: 0, or more than there is.
    PaddingCount {
        /// What the last byte says.
        count: u8,
    },
    /// Contributing sources (RFC 3550 section 5.1).
    Csrcs {
        /// How many, 1 to 15.
        count: u8,
    },
    /// A header extension of so many words (RFC 8285, one-byte elements) instead of the usual one.
    Extension {
        /// 4-byte words, 0 to 60.
        words: u8,
    },
    /// No header extension.
    NoExtension,
    /// A header extension that claims to be longer than the packet.
    ExtensionTruncated,
    /// A forged DAVE trailer instead of the genuine one.
    DaveTrailer {
        /// What is wrong with it.
        forgery: TrailerForgery,
    },
    /// An Opus frame (a 440 Hz tone, 20 ms) without end-to-end encryption.
    Plaintext,
    /// The Opus silence frame F8 FF FE without end-to-end encryption, as the server itself sends
    /// for a muted source.
    Silence,
    /// Another RTP payload type, for example 101 to 105, where Discord's clients put video.
    PayloadType {
        /// 0 to 127.
        value: u8,
    },
    /// Another SSRC, which belongs to nobody or to somebody else.
    Ssrc {
        /// The SSRC.
        value: u32,
    },
    /// An additional RTCP sender report.
    Rtcp,
    /// An additional datagram that begins like RTP and ends too early.
    Runt {
        /// Bytes, 0 to 31.
        bytes: u8,
    },
    /// From another UDP port of the server.
    SourcePort,
    /// One flipped bit in the transport tag.
    WrongTag,
    /// An additional copy of a datagram sent before, bit for bit.
    Replay {
        /// How many packets before, 1 to 1000.
        back: u16,
    },
    /// The sender's clock runs fast by this much, parts per million (negative: slow). Without
    /// `times` and `percent` for the whole flow.
    ClockSkew {
        /// Parts per million.
        ppm: i32,
    },
    /// The sequence numbers jump: this packet gets this one, later ones count on from there.
    SequenceTo {
        /// The number.
        value: u16,
    },
    /// The sequence numbers jump by so much, wrapping.
    SequenceBy {
        /// The distance.
        value: u16,
    },
    /// The timestamps jump: this packet gets this one, later ones count on from there.
    TimestampTo {
        /// 48 kHz units.
        value: u32,
    },
    /// The timestamps jump by so much, wrapping.
    TimestampBy {
        /// 48 kHz units.
        value: u32,
    },
}

/// What is wrong with a DAVE trailer (tag, nonce, ranges, size byte, FA FA).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TrailerForgery {
    /// The size byte is 0.
    SizeZero,
    /// The size byte is smaller than the smallest trailer.
    SizeTooSmall,
    /// The size byte says more than the frame is long.
    SizeTooLarge,
    /// The ULEB128 nonce never ends.
    NonceUnending,
    /// The ULEB128 nonce does not fit 32 bits.
    NonceTooLarge,
    /// A clear range lies outside the frame.
    RangeOutside,
    /// The clear ranges overlap.
    RangesOverlap,
    /// The clear ranges come in descending order.
    RangesDescend,
    /// A clear range's end does not fit the integer.
    RangeOverflows,
    /// A range has an offset and no size.
    RangeIncomplete,
    /// All as it must be, but the tag is of nobody's key and the nonce is far ahead.
    Unauthentic,
    /// Nothing but the trailer, without media.
    Empty,
    /// Just the marker.
    MarkerOnly,
}

impl PacketFault {
    pub(super) fn check(&self) -> Result<(), String> {
        percent("percent", self.percent)?;
        let ok = match self.change {
            PacketChange::Padding { bytes } | PacketChange::PaddingOnly { bytes } => bytes > 0,
            PacketChange::Csrcs { count } => (1..=15).contains(&count),
            PacketChange::Extension { words } => words <= 60,
            PacketChange::PayloadType { value } => value < 128,
            PacketChange::Runt { bytes } => bytes < 32,
            PacketChange::Replay { back } => (1..=1_000).contains(&back),
            _ => true,
        };
        let allowed = "padding 1-255, csrcs 1-15, extension 0-60, payloadType 0-127, runt 0-31, \
                       replay 1-1000";
        if ok { Ok(()) } else { Err(format!("a packet fault is out of range: {allowed}")) }
    }
}

impl PacketChange {
    /// For the journal.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Padding { .. } => "padding",
            Self::PaddingOnly { .. } => "paddingOnly",
            Self::PaddingCount { .. } => "paddingCount",
            Self::Csrcs { .. } => "csrcs",
            Self::Extension { .. } => "extension",
            Self::NoExtension => "noExtension",
            Self::ExtensionTruncated => "extensionTruncated",
            Self::DaveTrailer { .. } => "daveTrailer",
            Self::Plaintext => "plaintext",
            Self::Silence => "silence",
            Self::PayloadType { .. } => "payloadType",
            Self::Ssrc { .. } => "ssrc",
            Self::Rtcp => "rtcp",
            Self::Runt { .. } => "runt",
            Self::SourcePort => "sourcePort",
            Self::WrongTag => "wrongTag",
            Self::Replay { .. } => "replay",
            Self::ClockSkew { .. } => "clockSkew",
            Self::SequenceTo { .. } => "sequenceTo",
            Self::SequenceBy { .. } => "sequenceBy",
            Self::TimestampTo { .. } => "timestampTo",
            Self::TimestampBy { .. } => "timestampBy",
        }
    }
}
