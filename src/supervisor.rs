//! What a supervisor (systemd) is told: ready, alive, stopping. Without one nothing happens.
//!
//! Source: systemd, "sd_notify(3)", "systemd.service(5)", `WatchdogSec=`.

use std::time::Duration;

use clawvoice_session::VoiceControl;
use tokio::time::{interval, timeout};

use crate::health::Watch;

/// How often it is looked whether Discord has let us in.
const LOOK: Duration = Duration::from_millis(250);
/// How long the main loop may take to answer before it counts as hung.
const ANSWER: Duration = Duration::from_secs(5);

/// Tells the supervisor until it is dropped or aborted. `voice` is asked for its calls before every
/// sign of life: a program whose main loop does not answer gives none.
pub(crate) async fn run(watch: Watch, voice: impl VoiceControl) {
    let alive = watchdog();
    let mut look = interval(LOOK);
    while !watch.serves() {
        look.tick().await;
        // Waiting for Discord is no hang.
        if alive.is_some() {
            tell(State::Watchdog);
        }
    }
    tell(State::Ready);
    let Some(every) = alive else { return };
    let mut pace = interval(every / 2);
    loop {
        pace.tick().await;
        if timeout(ANSWER, voice.status(None)).await.is_ok() {
            tell(State::Watchdog);
        } else {
            tracing::warn!("the main loop has not answered for {} s", ANSWER.as_secs());
        }
    }
}

/// Tells that the program is on its way down.
pub(crate) fn stopping() {
    tell(State::Stopping);
}

enum State {
    Ready,
    Watchdog,
    Stopping,
}

#[cfg(target_os = "linux")]
fn tell(state: State) {
    let state = match state {
        State::Ready => sd_notify::NotifyState::Ready,
        State::Watchdog => sd_notify::NotifyState::Watchdog,
        State::Stopping => sd_notify::NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!("the supervisor is not told: {error}");
    }
}

#[cfg(target_os = "linux")]
fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

#[cfg(not(target_os = "linux"))]
fn tell(_: State) {}

#[cfg(not(target_os = "linux"))]
fn watchdog() -> Option<Duration> {
    None
}
