//! Keeps what is on the disk within its budget: recordings that are cold are compressed, and what is
//! too much is deleted.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clawvoice_config::{Config, DiskBudget, Maintenance, MaintenanceMode};
use clawvoice_session::{
    budget::{Class, Excess, KeptFile, Plan, plan},
    shell::store::Mailbox,
};
use clawvoice_text::shell::media;
use clawvoice_voice::shell::cold;
use jiff::Timestamp;
use tokio::{sync::watch, task::JoinHandle};

use crate::{log_file, text::media_folder};

/// How often the disk is looked at.
const SWEEP: Duration = Duration::from_secs(3_600);

/// Conversations that are deleted at once.
const AT_ONCE: u32 = 64;

/// Where what is kept is.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    store: PathBuf,
    media: PathBuf,
    recordings: Vec<PathBuf>,
    log: Option<PathBuf>,
}

impl Places {
    pub(crate) fn of(config: &Config) -> Self {
        let timelines = config.accounts.iter().filter_map(|it| it.discord.voice.timeline.as_ref());
        let mut recordings: Vec<PathBuf> = timelines.map(|it| it.folder.clone()).collect();
        recordings.sort();
        recordings.dedup();
        Self {
            store: config.session_store.clone(),
            media: media_folder(config),
            recordings,
            log: log_file::path(),
        }
    }

    /// Leaves the log of whoever runs the tests alone.
    #[cfg(test)]
    pub(crate) fn without_log(&mut self) {
        self.log = None;
    }

    /// Everything but the database.
    fn files(&self, now: SystemTime) -> io::Result<Vec<KeptFile>> {
        let mut files = media::kept(&self.media, now)?;
        for folder in &self.recordings {
            files.extend(cold::kept(folder, now)?);
        }
        if let Some(log) = &self.log {
            files.extend(log_file::kept(log, now)?);
        }
        Ok(files)
    }

    /// What all of it takes, in bytes.
    pub(crate) fn bytes(&self) -> io::Result<u64> {
        let files = self.files(SystemTime::now())?;
        let of_files = files.iter().map(|file| file.bytes).fold(0, u64::saturating_add);
        // Beside the database are the log of what is written to it and an index of that.
        let of_store = ["", "-wal", "-shm"].iter().map(|ending| {
            let mut path = self.store.as_os_str().to_owned();
            path.push(ending);
            std::fs::metadata(path).map_or(0, |about| about.len())
        });
        Ok(of_store.fold(of_files, u64::saturating_add))
    }
}

/// The task that keeps to the budget.
pub(crate) struct Keeping {
    maintenance: watch::Sender<Maintenance>,
    task: JoinHandle<()>,
}

impl Keeping {
    pub(crate) fn start(config: &Config, mailbox: Mailbox) -> Self {
        let maintenance = watch::Sender::new(config.session.maintenance.clone());
        let keeper = Keeper { places: Places::of(config), mailbox, excess: Excess::default() };
        let task = tokio::spawn(keeper.run(maintenance.subscribe()));
        Self { maintenance, task }
    }

    /// Goes by another configuration from now on; where things are is as it was.
    pub(crate) fn reload(&self, config: &Config) {
        self.maintenance.send_if_modified(|maintenance| {
            let is_new = *maintenance != config.session.maintenance;
            maintenance.clone_from(&config.session.maintenance);
            is_new
        });
    }

    pub(crate) async fn stop(self) {
        self.task.abort();
        // A panic in it is in the log already.
        let _ = self.task.await;
    }
}

struct Keeper {
    places: Places,
    mailbox: Mailbox,
    excess: Excess,
}

/// What went, in one sweep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Gone {
    files: usize,
    sessions: u64,
}

impl Keeper {
    async fn run(mut self, mut maintenance: watch::Receiver<Maintenance>) {
        let mut pace = tokio::time::interval(SWEEP);
        loop {
            let changed = tokio::select! {
                _ = pace.tick() => Ok(()),
                changed = maintenance.changed() => changed,
            };
            let now = maintenance.borrow_and_update().clone();
            if let Err(error) = self.sweep(&now).await {
                tracing::warn!("what is kept is not held within its budget: {error}");
            }
            if changed.is_err() {
                return;
            }
        }
    }

    async fn sweep(&mut self, maintenance: &Maintenance) -> anyhow::Result<()> {
        let enforce = maintenance.mode == MaintenanceMode::Enforce;
        if enforce {
            self.compress().await;
        }
        let Some(budget) = maintenance.disk else { return Ok(()) };
        let mut gone = Gone::default();
        let mut next = self.plan(budget).await?;
        let before = next.left + next.freed;
        while enforce && !next.is_empty() {
            let so_far = gone;
            self.carry_out(next, &mut gone).await?;
            // Conversations are counted by estimate: what is left is measured, and held against
            // what was to be reached.
            next = self.plan(DiskBudget { max: budget.high_water, ..budget }).await?;
            if gone == so_far {
                // It cannot be deleted, or somebody has spoken in it again.
                break;
            }
        }
        let left = if enforce { next.left } else { before };
        if gone != Gone::default() {
            tracing::info!(
                "the disk budget of {} was exceeded ({}): {} files and {} old conversations were \
                 deleted, {} are left",
                Mib(budget.max),
                Mib(before),
                gone.files,
                gone.sessions,
                Mib(left)
            );
        }
        if self.excess.is_to_be_told(left, budget) {
            let why = if enforce {
                "and nothing more of it may be deleted"
            } else {
                "and nothing is deleted, since session.maintenance.mode is \"warn\""
            };
            tracing::warn!(
                "what is kept takes {}, more than session.maintenance.maxDiskBytes ({}), {why}",
                Mib(left),
                Mib(budget.max)
            );
        }
        Ok(())
    }

    async fn compress(&self) {
        let folders = self.places.recordings.clone();
        let done = tokio::task::spawn_blocking(move || {
            for folder in folders {
                match cold::compress(&folder, SystemTime::now()) {
                    Ok(0) => {}
                    Ok(count) => tracing::info!("{count} old recordings were compressed"),
                    Err(error) => {
                        tracing::warn!("{} cannot be read: {error}", folder.display());
                    }
                }
            }
        });
        // A panic in it is in the log already.
        let _ = done.await;
    }

    async fn plan(&self, budget: DiskBudget) -> anyhow::Result<Plan> {
        let places = self.places.clone();
        let files = tokio::task::spawn_blocking(move || places.files(SystemTime::now())).await;
        let mut files = files.map_err(io::Error::other)??;
        files.push(KeptFile {
            path: self.places.store.clone(),
            class: Class::Other,
            bytes: self.mailbox.live_bytes().await?,
            age: Duration::ZERO,
            in_use: true,
        });
        let sessions = self.mailbox.put_away(Timestamp::now(), AT_ONCE).await?;
        Ok(plan(&files, &sessions, budget))
    }

    async fn carry_out(&self, plan: Plan, gone: &mut Gone) -> anyhow::Result<()> {
        let files = plan.files;
        let deleted = tokio::task::spawn_blocking(move || {
            files.iter().filter(|path| is_deleted(path)).count()
        });
        gone.files += deleted.await?;
        if !plan.sessions.is_empty() {
            gone.sessions += self.mailbox.delete_put_away(plan.sessions).await?;
        }
        Ok(())
    }
}

/// Deletes a file, or a folder with everything in it.
fn is_deleted(path: &Path) -> bool {
    let deleted = match path.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    };
    match deleted {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != ErrorKind::NotFound {
                tracing::warn!("{} cannot be deleted: {error}", path.display());
            }
            false
        }
    }
}

/// Bytes, shown as MiB.
pub(crate) struct Mib(pub(crate) u64);

impl std::fmt::Display for Mib {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let tenths = self.0.saturating_mul(10) >> 20;
        write!(f, "{}.{} MiB", tenths / 10, tenths % 10)
    }
}

#[cfg(test)]
mod tests {
    use super::Mib;

    #[test]
    fn sizes_are_shown_in_mib() {
        for (bytes, shown) in [
            (0, "0.0 MiB"),
            (1 << 20, "1.0 MiB"),
            (1_600_000, "1.5 MiB"),
            (10 << 30, "10240.0 MiB"),
        ] {
            assert_eq!(Mib(bytes).to_string(), shown);
        }
    }
}
