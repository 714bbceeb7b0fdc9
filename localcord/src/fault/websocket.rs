//! What can happen on a voice websocket: settings.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{percent, user};

/// Closes a voice websocket when the handshake, or the call, gets to a step.
///
/// After codes below 4000 and 4015 the client may resume; after all others the session is over.
/// 1006 cuts the connection without a close frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VoiceClose {
    /// Whose; anybody's without it. `open` and `hello` come before a websocket says whose it is
    /// and match only without it.
    #[serde(default, with = "user::optional")]
    pub user: Option<u64>,
    /// At which step.
    pub at: Step,
    /// 1000 to 4999.
    pub code: u16,
    /// How often this step passes first, per user.
    #[serde(default)]
    pub skip: u64,
    /// How often it happens, per user; once unless told.
    #[serde(default = "once")]
    pub times: u64,
    /// How long after the step, ms; 0 = at once, and a message of the client is not handled.
    #[serde(default)]
    pub after_ms: u64,
}

fn once() -> u64 {
    1
}

/// A step: a message of the client has come (and is not handled yet), or a message of the server
/// has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// The websocket is open; HELLO (op 8) is not sent.
    Open,
    /// HELLO (op 8) is sent.
    Hello,
    /// IDENTIFY (op 0) has come.
    Identify,
    /// READY (op 2) is sent.
    Ready,
    /// SELECT PROTOCOL (op 1) has come.
    Select,
    /// SESSION DESCRIPTION (op 4) is sent.
    Description,
    /// A heartbeat (op 3) has come.
    Heartbeat,
    /// SPEAKING (op 5) has come.
    Speaking,
    /// RESUME (op 7) has come.
    Resume,
    /// RESUMED (op 9) is sent.
    Resumed,
    /// CLIENTS CONNECT (op 11) is sent.
    ClientsConnect,
    /// PREPARE TRANSITION (op 21) is sent.
    PrepareTransition,
    /// EXECUTE TRANSITION (op 22) is sent.
    ExecuteTransition,
    /// TRANSITION READY (op 23) has come.
    TransitionReady,
    /// PREPARE EPOCH (op 24) is sent.
    PrepareEpoch,
    /// EXTERNAL SENDER (op 25) is sent.
    ExternalSender,
    /// KEY PACKAGE (op 26) has come.
    KeyPackage,
    /// PROPOSALS (op 27) are sent.
    Proposals,
    /// COMMIT WELCOME (op 28) has come.
    CommitWelcome,
    /// ANNOUNCE COMMIT (op 29) is sent.
    AnnounceCommit,
    /// WELCOME (op 30) is sent.
    Welcome,
    /// INVALID COMMIT WELCOME (op 31) has come.
    InvalidCommit,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From the server.
    #[default]
    ToClient,
    /// From the client.
    FromClient,
}

impl Step {
    /// Direction and opcode; `None`: no message.
    pub(crate) fn message(self) -> Option<(Direction, u8)> {
        use Direction::{FromClient, ToClient};
        Some(match self {
            Self::Open => return None,
            Self::Hello => (ToClient, 8),
            Self::Identify => (FromClient, 0),
            Self::Ready => (ToClient, 2),
            Self::Select => (FromClient, 1),
            Self::Description => (ToClient, 4),
            Self::Heartbeat => (FromClient, 3),
            Self::Speaking => (FromClient, 5),
            Self::Resume => (FromClient, 7),
            Self::Resumed => (ToClient, 9),
            Self::ClientsConnect => (ToClient, 11),
            Self::PrepareTransition => (ToClient, 21),
            Self::ExecuteTransition => (ToClient, 22),
            Self::TransitionReady => (FromClient, 23),
            Self::PrepareEpoch => (ToClient, 24),
            Self::ExternalSender => (ToClient, 25),
            Self::KeyPackage => (FromClient, 26),
            Self::Proposals => (ToClient, 27),
            Self::CommitWelcome => (FromClient, 28),
            Self::AnnounceCommit => (ToClient, 29),
            Self::Welcome => (ToClient, 30),
            Self::InvalidCommit => (FromClient, 31),
        })
    }
}

/// Does something to messages of an opcode. The first rule that matches a message applies.
///
/// A message that is dropped, delayed or withheld takes its sequence number when it is sent, so
/// the numbers have no gap, and a resume does not bring back what was dropped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MessageFault {
    /// To or from this user; anybody without it. HELLO (op 8) comes before a websocket says whose
    /// it is and matches only without it.
    #[serde(default, with = "user::optional")]
    pub user: Option<u64>,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// The opcode; all without it.
    #[serde(default)]
    pub op: Option<u8>,
    /// Only messages about this user (`user_id`, `user_ids`): opcodes 5, 11, 13.
    #[serde(default, with = "user::optional")]
    pub about: Option<u64>,
    /// How many matching messages pass first, per user.
    #[serde(default)]
    pub skip: u64,
    /// How often, per user; no limit without it.
    #[serde(default)]
    pub times: Option<u64>,
    /// In which share of cases, percent; 100 unless told.
    #[serde(default = "all")]
    pub percent: f64,
    /// What is done.
    pub action: MessageAction,
}

fn all() -> f64 {
    100.0
}

/// What is done to a message. Client messages can only be dropped, delayed or duplicated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MessageAction {
    /// As if it had never been sent.
    Drop,
    /// Later; what follows overtakes it.
    Delay {
        /// ms.
        ms: u64,
    },
    /// Held back until a message with this opcode has been sent to the same user.
    After {
        /// The opcode.
        op: u8,
    },
    /// Held back until the faults are set anew.
    Withhold,
    /// More than once; each copy has a sequence number of its own.
    Duplicate {
        /// How many copies besides the message itself.
        copies: u8,
        /// How much later they come, ms.
        #[serde(default)]
        after_ms: u64,
    },
    /// Flips bits in the last 16 bytes of a binary message, where MLS has its tags.
    Corrupt {
        /// How many; 0 counts as 1.
        bits: u32,
    },
    /// Puts these fields into the `d` of a JSON message: wrong values, or unknown fields.
    Merge {
        /// The fields.
        fields: Map<String, Value>,
    },
}

/// Sends a message of one's own when a step is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Injection {
    /// To whom; anybody who reaches the step without it.
    #[serde(default, with = "user::optional")]
    pub user: Option<u64>,
    /// After which step; `open` and `hello` cannot be used.
    pub at: Step,
    /// How often the step passes first, per user.
    #[serde(default)]
    pub skip: u64,
    /// How often, per user; once unless told.
    #[serde(default = "once")]
    pub times: u64,
    /// What is sent.
    pub message: VoiceMessage,
}

/// A message to a voice client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum VoiceMessage {
    /// A JSON opcode; it is numbered as the server numbers its own.
    Json {
        /// The opcode.
        op: u8,
        /// Its data.
        #[serde(default)]
        d: Value,
    },
    /// A binary opcode; it is numbered as the server numbers its own.
    Binary {
        /// The opcode.
        op: u8,
        /// What follows the opcode, hexadecimal.
        #[serde(default)]
        hex: String,
    },
    /// A text frame as it is.
    RawText {
        /// The text.
        text: String,
    },
    /// A binary frame as it is, for example one of two bytes.
    RawBinary {
        /// The bytes, hexadecimal.
        hex: String,
    },
}

/// How the voice gateway and the DAVE side differ from what they usually do. What is absent stays
/// usual.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VoiceBehaviour {
    /// Heartbeat interval in HELLO, ms; may have a fraction.
    pub heartbeat_interval_ms: Option<f64>,
    /// The first sequence number of a session, for example 65533.
    pub first_sequence: Option<u16>,
    /// After a RESUME: what was missed comes before RESUMED (op 9) instead of after it.
    pub replay_before_resumed: Option<bool>,
    /// READY offers `aead_xchacha20_poly1305_rtpsize` only.
    pub without_aes: bool,
    /// Answers to IP discovery that are lost, per user.
    pub lost_discovery_answers: u32,
    /// How long op 22 waits for op 23 of every member, ms; 0 = it comes at once.
    pub transition_deadline_ms: Option<u64>,
    /// Whose commit wins the race.
    pub commit_race: Option<CommitRace>,
    /// Cut each Welcome down to its recipient's entry.
    pub cut_welcome: Option<bool>,
}

/// Whose commit wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CommitRace {
    /// The first to arrive.
    First,
    /// The last to arrive.
    Last,
}

impl VoiceClose {
    pub(super) fn check(&self) -> Result<(), String> {
        if (1_000..5_000).contains(&self.code) {
            Ok(())
        } else {
            Err("`code` must be between 1000 and 4999".to_owned())
        }
    }
}

impl MessageFault {
    pub(super) fn check(&self) -> Result<(), String> {
        percent("percent", self.percent)?;
        let both = matches!(
            self.action,
            MessageAction::Drop | MessageAction::Delay { .. } | MessageAction::Duplicate { .. }
        );
        if self.direction == Direction::FromClient && !both {
            return Err("client messages can only be dropped, delayed or duplicated".to_owned());
        }
        Ok(())
    }
}

impl Injection {
    pub(super) fn check(&self) -> Result<(), String> {
        if matches!(self.at, Step::Open | Step::Hello) {
            return Err("nothing can be injected before IDENTIFY".to_owned());
        }
        self.message.check()
    }
}

impl VoiceMessage {
    /// Whether its bytes can be read.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Binary { hex, .. } | Self::RawBinary { hex } => {
                from_hex(hex).map(|_| ()).ok_or_else(|| "`hex` must be hexadecimal".to_owned())
            }
            Self::Json { .. } | Self::RawText { .. } => Ok(()),
        }
    }
}

impl VoiceBehaviour {
    pub(super) fn check(&self) -> Result<(), String> {
        match self.heartbeat_interval_ms {
            Some(interval) if !(1.0..=3_600_000.0).contains(&interval) => {
                Err("`heartbeatIntervalMs` must be between 1 and 3600000".to_owned())
            }
            _ if self.transition_deadline_ms.is_some_and(|ms| ms > 600_000) => {
                Err("`transitionDeadlineMs` must be at most 600000".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl MessageAction {
    /// For the journal.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Drop => "message_drop",
            Self::Delay { .. } => "message_delay",
            Self::After { .. } => "message_after",
            Self::Withhold => "message_withhold",
            Self::Duplicate { .. } => "message_duplicate",
            Self::Corrupt { .. } => "message_corrupt",
            Self::Merge { .. } => "message_merge",
        }
    }
}

/// The bytes of a hexadecimal text; spaces are allowed between them.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|one| !one.is_whitespace())
        .map(|one| one.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// One or a list of them.
pub(super) fn one_or_many<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<VoiceClose>, D::Error> {
    use serde::de::Error;
    let value = Value::deserialize(deserializer)?;
    let list = if value.is_array() { value } else { Value::Array(vec![value]) };
    // By hand instead of an untagged enum, which could not say what is wrong.
    serde_json::from_value(list).map_err(D::Error::custom)
}
