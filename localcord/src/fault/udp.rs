//! What can happen to a datagram on its way: settings.

use serde::{Deserialize, Serialize};

use super::{percent, user};

/// What happens to the packets the server forwards. Every rule that matches a packet applies, in
/// the order of the list; within a rule: loss, bandwidth, delay and jitter, reorder, duplication,
/// corruption. A rule has random sequences of its own for each sender, receiver and kind of fault,
/// so what one packet meets does not depend on who else speaks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct UdpFault {
    /// Only packets this user sent.
    #[serde(with = "user::optional")]
    pub from: Option<u64>,
    /// Only packets forwarded to this user.
    #[serde(with = "user::optional")]
    pub to: Option<u64>,
    /// Loss in bursts.
    pub gilbert_elliott: Option<GilbertElliott>,
    /// Independent loss, percent of packets.
    pub drop_percent: f64,
    /// Constant delay, ms.
    pub delay_ms: u64,
    /// Random additional delay, ms; what it means, says `jitter_distribution`.
    pub jitter_ms: f64,
    /// How the additional delay is distributed.
    pub jitter_distribution: JitterDistribution,
    /// Whether jitter lets packets of one sender overtake each other. Without it a packet comes
    /// no earlier than the one sent before it, as through a queue.
    pub jitter_reorders: bool,
    /// Share of packets held back so that later ones overtake them, percent.
    pub reorder_percent: f64,
    /// By how much those are held back, ms.
    pub reorder_ms: u64,
    /// Share of packets that come twice, percent.
    pub duplicate_percent: f64,
    /// How much later the second copy comes, ms.
    pub duplicate_ms: u64,
    /// Share of packets with flipped bits behind the RTP header, percent.
    pub corrupt_percent: f64,
    /// Bits flipped in each of those; 0 counts as 1.
    pub corrupt_bits: u32,
    /// Bandwidth to each receiver, kbit/s, with 28 bytes of IP and UDP header per packet; 0 = no
    /// limit. All senders that the rule matches share it.
    pub bandwidth_kbps: u32,
    /// With a bandwidth: a packet that would wait longer than this is dropped (drop-tail), ms;
    /// 0 counts as 200.
    pub queue_ms: u64,
}

/// Gilbert-Elliott loss: a good and a bad state, each with its own loss. Each packet meets the
/// loss of the current state, then the state may change. The mean loss is
/// `(r * loss_good + p * loss_bad) / (p + r)`, the mean length of a bad time `100 / r` packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GilbertElliott {
    /// Chance to go from good to bad after a packet, percent.
    pub p: f64,
    /// Chance to go from bad to good after a packet, percent.
    pub r: f64,
    /// Loss in the good state, percent.
    #[serde(default)]
    pub loss_good: f64,
    /// Loss in the bad state, percent; 100 unless told (Gilbert's simple model).
    #[serde(default = "all")]
    pub loss_bad: f64,
}

fn all() -> f64 {
    100.0
}

/// What `jitter_ms` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JitterDistribution {
    /// Every delay from 0 to `jitter_ms` is equally likely.
    #[default]
    Uniform,
    /// Exponential with mean `jitter_ms`, cut at ten times that.
    Exponential,
}

/// All UDP of a user disappears.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct BlackHole {
    /// Whose; everybody's without it.
    #[serde(with = "user::optional")]
    pub user: Option<u64>,
    /// Which direction.
    pub direction: HoleDirection,
    /// For how long from the moment it is set, ms; 0 = until it is cleared.
    pub for_ms: u64,
}

/// Which datagrams disappear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HoleDirection {
    /// From the user and to the user.
    #[default]
    Both,
    /// Only those from the server to the user.
    ToUser,
    /// Only those from the user to the server.
    FromUser,
}

impl UdpFault {
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("dropPercent", self.drop_percent),
            ("reorderPercent", self.reorder_percent),
            ("duplicatePercent", self.duplicate_percent),
            ("corruptPercent", self.corrupt_percent),
        ] {
            percent(name, value)?;
        }
        if let Some(loss) = self.gilbert_elliott {
            for (name, value) in [
                ("p", loss.p),
                ("r", loss.r),
                ("lossGood", loss.loss_good),
                ("lossBad", loss.loss_bad),
            ] {
                percent(name, value)?;
            }
        }
        if !(0.0..=600_000.0).contains(&self.jitter_ms) {
            return Err("`jitterMs` must be between 0 and 600000".to_owned());
        }
        for (name, value) in [
            ("delayMs", self.delay_ms),
            ("reorderMs", self.reorder_ms),
            ("duplicateMs", self.duplicate_ms),
            ("queueMs", self.queue_ms),
        ] {
            if value > 600_000 {
                return Err(format!("`{name}` must not be above 600000"));
            }
        }
        Ok(())
    }
}
