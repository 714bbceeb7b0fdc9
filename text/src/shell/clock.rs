//! The clock of the connection's machines.

use std::{sync::LazyLock, time::Instant};

use clawvoice_session::SessionTime;
use jiff::Timestamp;

static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Now, since this was first asked.
pub(super) fn now() -> SessionTime {
    let micros = BEGAN.elapsed().as_micros();
    SessionTime::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Sleeps until then; for ever, if there is no then.
pub(super) async fn sleep_until(at: Option<SessionTime>) {
    match at {
        Some(at) => tokio::time::sleep(at.since(now())).await,
        None => std::future::pending().await,
    }
}

/// Milliseconds since 1970.
pub(super) fn unix_ms() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or(0)
}
