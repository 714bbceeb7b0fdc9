//! How the voice server behaves when nothing goes wrong on purpose.

use super::dave::GroupSettings;

/// Settings of a [`super::VoiceServer`].
#[derive(Clone, Debug)]
pub struct VoiceSettings {
    /// TCP port of the voice gateway; 0 takes a free one.
    pub port: u16,
    /// Heartbeat interval in HELLO, milliseconds. Discord's is 13.75 s.
    pub heartbeat_interval_ms: u64,
    /// How long a connection may be silent before it is closed with 4009, milliseconds.
    pub heartbeat_timeout_ms: u64,
    /// How long membership and UDP outlive a lost websocket, milliseconds.
    pub resume_window_ms: u64,
    /// Messages kept for a buffered resume; when more are missed, the resume is refused.
    pub resume_buffer: usize,
    /// Replay missed messages before op 9 instead of after it. Which one Discord does is not
    /// documented, so clients must take both.
    pub replay_before_resumed: bool,
    /// How long RTP may run ahead of the first op 5, milliseconds: the two travel on different
    /// sockets and can overtake each other.
    pub speaking_grace_ms: u64,
    /// Every n-th forwarded packet carries RTP padding; 0 = none. Discord pads 3 to 15 % of them.
    /// `udp_padding_every` of the faults takes precedence when it is not 0.
    pub padding_every: u32,
    /// Longest padding, bytes including the count, at least 1.
    pub padding_max: u8,
    /// Forwarded packets carry a header extension of one word, as those of native clients do.
    pub header_extension: bool,
    /// Offer `aead_aes256_gcm_rtpsize` beside the mandatory mode.
    pub offer_aes: bool,
    /// Also send the undocumented opcodes that reach bots on Discord (18 flags, 20 platform).
    pub undocumented_opcodes: bool,
    /// Seed of padding lengths, and of packet loss until fault settings bring their own.
    pub seed: u64,
    /// How often packet counts go into the journal, milliseconds.
    pub report_interval_ms: u64,
    /// The DAVE side of a call.
    pub group: GroupSettings,
}

impl Default for VoiceSettings {
    fn default() -> Self {
        Self {
            port: 0,
            heartbeat_interval_ms: 13_750,
            heartbeat_timeout_ms: 27_500,
            resume_window_ms: 60_000,
            resume_buffer: 512,
            replay_before_resumed: false,
            speaking_grace_ms: 1_000,
            padding_every: 16,
            padding_max: 8,
            header_extension: true,
            offer_aes: true,
            undocumented_opcodes: true,
            seed: 1,
            report_interval_ms: 5_000,
            group: GroupSettings::default(),
        }
    }
}
