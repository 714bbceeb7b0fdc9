//! Faults on demand: what goes wrong, for whom, how often.

use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

/// Everything that currently goes wrong. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FaultSettings {
    /// Share of UDP voice packets the server drops on their way out, 0 to 100.
    pub udp_drop_percent: f64,
    /// RTP padding: every n-th forwarded packet carries this kind of padding; 0 = none.
    pub udp_padding_every: u32,
    /// REST answers that fail, first match wins.
    pub rest: Vec<RestFault>,
}

/// A REST answer that fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RestFault {
    /// Matches every path that begins with this, for example `/channels/`.
    pub path_prefix: String,
    /// 429 or a 5xx status.
    pub status: u16,
    /// How many answers fail before the fault is used up.
    pub times: u32,
    /// For 429: seconds to wait, as a fraction.
    #[serde(default)]
    pub retry_after: f64,
}

/// The shared fault settings. Cloning gives another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    inner: Arc<RwLock<FaultSettings>>,
}

impl Faults {
    /// The settings in force.
    #[must_use]
    pub fn current(&self) -> FaultSettings {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the settings.
    pub fn set(&self, settings: FaultSettings) {
        *self.inner.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Uses up one failure for a REST path, if one is set for it.
    #[must_use]
    pub fn take_rest(&self, path: &str) -> Option<RestFault> {
        let mut settings = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        let fault = settings
            .rest
            .iter_mut()
            .find(|fault| fault.times > 0 && path.starts_with(&fault.path_prefix))?;
        fault.times -= 1;
        Some(fault.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_fault_is_used_up() {
        let faults = Faults::default();
        faults.set(FaultSettings {
            rest: vec![RestFault {
                path_prefix: "/channels/".into(),
                status: 500,
                times: 1,
                retry_after: 0.0,
            }],
            ..FaultSettings::default()
        });
        assert!(faults.take_rest("/users/@me").is_none());
        assert!(faults.take_rest("/channels/1").is_some());
        assert!(faults.take_rest("/channels/1").is_none());
    }
}
