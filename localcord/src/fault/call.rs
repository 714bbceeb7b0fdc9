//! What can happen to a whole call: settings.

use serde::{Deserialize, Serialize};

use super::user;

/// Longest time in a setting here, ms.
const MOST_MS: u64 = 600_000;
/// Between the end of an old voice server and the news of the next one, ms.
const USUAL_PAUSE_MS: u64 = 200;

/// Takes calls down to transport encryption (op 21 with version 0), and up again (op 24) when it is
/// over. A call that begins meanwhile begins without DAVE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Downgrade {
    /// In which voice channel; in all without it.
    #[serde(with = "user::optional")]
    pub channel: Option<u64>,
    /// How long after it is set, ms.
    pub after_ms: u64,
    /// For how long, ms; 0 = until it is cleared.
    pub for_ms: u64,
}

/// Moves a guild to another voice server, once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ServerMove {
    /// Which one; the first guild without it.
    #[serde(with = "user::optional")]
    pub guild: Option<u64>,
    /// How it is told.
    pub variant: ServerMoveVariant,
    /// How long after it is set, ms.
    pub after_ms: u64,
    /// How long the old server goes on, ms.
    pub keep_old_ms: u64,
    /// The pause within [`ServerMoveVariant::NullFirst`] and the closes, ms; 200 unless told.
    pub pause_ms: u64,
}

impl Default for ServerMove {
    fn default() -> Self {
        let variant = ServerMoveVariant::default();
        Self { guild: None, variant, after_ms: 0, keep_old_ms: 0, pause_ms: USUAL_PAUSE_MS }
    }
}

/// How a voice server changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServerMoveVariant {
    /// VOICE_SERVER_UPDATE without an endpoint, a pause, then with the new one.
    #[default]
    NullFirst,
    /// Only VOICE_SERVER_UPDATE with the new endpoint.
    Update,
    /// The bots' voice websockets are closed with 4014 first, then a pause.
    Close4014,
    /// The same with 4015.
    Close4015,
    /// The same with 4022.
    Close4022,
    /// Only VOICE_SERVER_UPDATE, with the endpoint there was and a new token.
    SameEndpoint,
}

impl ServerMoveVariant {
    /// The code that voice websockets are closed with first.
    pub(crate) fn close_code(self) -> Option<u16> {
        match self {
            Self::Close4014 => Some(4014),
            Self::Close4015 => Some(4015),
            Self::Close4022 => Some(4022),
            Self::NullFirst | Self::Update | Self::SameEndpoint => None,
        }
    }
}

impl Downgrade {
    pub(super) fn check(&self) -> Result<(), String> {
        check_ms("afterMs", self.after_ms)?;
        check_ms("forMs", self.for_ms)
    }

    /// From when to when, ms, if it was set at `began_ms`.
    pub(crate) fn period(&self, began_ms: u64) -> (u64, Option<u64>) {
        let from = began_ms.saturating_add(self.after_ms);
        (from, (self.for_ms > 0).then(|| from.saturating_add(self.for_ms)))
    }
}

impl ServerMove {
    /// Whether all values are in range.
    pub(crate) fn check(&self) -> Result<(), String> {
        check_ms("afterMs", self.after_ms)?;
        check_ms("keepOldMs", self.keep_old_ms)?;
        check_ms("pauseMs", self.pause_ms)
    }
}

fn check_ms(name: &str, ms: u64) -> Result<(), String> {
    if ms <= MOST_MS { Ok(()) } else { Err(format!("`{name}` must not be above {MOST_MS}")) }
}
