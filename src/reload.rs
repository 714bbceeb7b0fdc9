//! The configuration, read again when its file changes or SIGHUP asks for it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clawvoice_config::{Config, ConfigErrors, ProcessEnv};
use tokio::{sync::mpsc, time::interval};

#[cfg(not(unix))]
pub(crate) use never::Never;

/// How often the file is looked at.
const LOOK: Duration = Duration::from_secs(2);

#[cfg(unix)]
type Hangup = tokio::signal::unix::Signal;
#[cfg(not(unix))]
type Hangup = Never;

#[cfg(not(unix))]
mod never {
    /// Never comes.
    pub(crate) struct Never;

    impl Never {
        pub(super) async fn recv(&mut self) -> Option<()> {
            std::future::pending().await
        }
    }
}

/// Gives every new configuration that can be used. One that cannot is told, and the one before
/// stays in force.
pub(crate) fn watch(file: PathBuf, mut hangup: Hangup) -> mpsc::Receiver<Config> {
    let (configs, reloads) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut seen = stamp(&file);
        let mut look = interval(LOOK);
        loop {
            tokio::select! {
                _ = look.tick() => {
                    let now = stamp(&file);
                    // A file that is gone for a moment is being replaced.
                    if now.is_none() || now == seen {
                        continue;
                    }
                    seen = now;
                }
                asked = hangup.recv() => {
                    if asked.is_none() {
                        return;
                    }
                    seen = stamp(&file);
                }
                () = configs.closed() => return,
            }
            match load(file.clone()).await {
                Ok(config) => {
                    if configs.send(config).await.is_err() {
                        return;
                    }
                }
                Err(errors) => {
                    tracing::error!("the configuration before stays in force: {errors}");
                }
            }
        }
    });
    reloads
}

/// A secret may come from a program, which takes its time.
async fn load(file: PathBuf) -> Result<Config, ConfigErrors> {
    let loaded =
        tokio::task::spawn_blocking(move || clawvoice_config::load(&file, &ProcessEnv)).await;
    loaded.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))
}

/// When it was changed, and how long it is.
fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
