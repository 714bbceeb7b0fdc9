//! The top-level `diagnostics`. Other keys are left alone.

use std::time::Duration;

use crate::cursor::Section;

/// What is read of `diagnostics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// `stuckSessionWarnMs`: a run without any progress for so long is told in the log. Default
    /// 120,000 ms.
    pub stuck_session_warn: Duration,
}

pub(crate) fn read(section: &Section<'_, '_>) -> Diagnostics {
    let stuck_session_warn = section.millis_or("stuckSessionWarnMs", 1_000, 86_400_000, 120_000);
    section.warn_near_asked();
    Diagnostics { stuck_session_warn }
}
