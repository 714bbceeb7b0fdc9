//! Fetches files that people send, and keeps them for a while.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use clawvoice_session::{
    SessionTime, UserId,
    budget::{Class, KeptFile},
};
use futures_util::future::join_all;
use reqwest::{Client, Response, header::LOCATION, redirect};
use tokio::{fs::File, io::AsyncWriteExt as _, time::timeout};

use super::{clock::now, public_dns::PublicDns, rest::DiscordRest, rest_failure::in_words};
pub use crate::media::{Fetched, MediaSettings, SavedFile, Unavailable};
use crate::{
    media::{
        name::file_name,
        retention::{Kept, is_of, is_ours, outdated},
        sniff::{MAX_TEXT, sniff},
        source::{Source, Sources},
    },
    message::Attachment,
};

/// Redirects that are followed, each to where files may be fetched from.
const MAX_REDIRECTS: usize = 3;

/// How often old files are looked for while new ones come.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// Which share of what may be kept can come before old files are looked for all the same.
const SWEEP_AFTER: u64 = 8;

/// Files that people send.
#[derive(Debug)]
pub struct MediaFiles {
    folder: PathBuf,
    settings: MediaSettings,
    sources: Sources,
    proxied: bool,
    /// For Discord's own hosts: a name that leads into this network is none.
    discord: Result<Client, String>,
    /// For the Discord that was configured, wherever it is.
    own: Result<Client, String>,
    swept: Mutex<Swept>,
}

/// How a file is fetched.
#[derive(Clone, Copy, Debug)]
struct Terms {
    /// How long nothing may come.
    idle: Duration,
    /// How long it may take in all.
    total: Duration,
    /// Whether it may come from anywhere in the public net.
    public: bool,
}

/// When old files were looked for, and what has come since.
#[derive(Debug, Default)]
struct Swept {
    at: Option<SessionTime>,
    bytes: u64,
}

impl MediaFiles {
    /// Keeps them below `folder`, in folders of its own. `proxy`: an HTTP proxy; the environment's
    /// are not used, and of one that is given it is the proxy that looks names up.
    #[must_use]
    pub fn new(
        folder: PathBuf,
        discord: &DiscordRest,
        proxy: Option<&str>,
        settings: MediaSettings,
    ) -> Self {
        let guarded = client(proxy).and_then(|builder| {
            let builder = builder.https_only(true).dns_resolver(std::sync::Arc::new(PublicDns));
            builder.build().map_err(|error| in_words(&error))
        });
        let own = client(None).and_then(|builder| builder.build().map_err(|e| in_words(&e)));
        let sources = Sources::new(discord.own_origin().as_deref());
        let proxied = proxy.is_some();
        Self { folder, settings, sources, proxied, discord: guarded, own, swept: Mutex::default() }
    }

    /// Fetches attachments of a user's message, beside each other; what became of each, in their
    /// order.
    pub async fn fetch(&self, author: UserId, attachments: &[Attachment]) -> Vec<Fetched> {
        let MediaSettings { idle, total, .. } = self.settings;
        self.fetch_by(Some(author), attachments, Terms { idle, total, public: false }).await
    }

    /// Fetches attachments of anybody's messages to be looked at once, if they come in time: nothing
    /// may come for `idle`, each may take `total`. [`Self::discard`] is to follow.
    pub async fn fetch_within(
        &self,
        attachments: &[Attachment],
        idle: Duration,
        total: Duration,
    ) -> Vec<Fetched> {
        self.fetch_by(None, attachments, Terms { idle, total, public: false }).await
    }

    /// Fetches a file that the agent wants to send, from Discord's hosts or the public net.
    ///
    /// # Errors
    ///
    /// Why it is not there.
    pub async fn fetch_public(&self, address: &str) -> Result<SavedFile, Unavailable> {
        let path = address.split(['?', '#']).next().unwrap_or_default();
        let filename = path.rsplit('/').next().unwrap_or_default().to_owned();
        let url = address.to_owned();
        let file = Attachment { filename, content_type: None, size: 0, url, duration_secs: None };
        let terms = Terms {
            idle: self.settings.idle,
            total: self.settings.total,
            // A proxy looks names up itself: nobody could say where it goes.
            public: !self.proxied,
        };
        let fetched = self.fetch_by(None, &[file], terms).await.into_iter().next();
        match fetched {
            Some(Fetched::Saved(file)) => Ok(file),
            Some(Fetched::Unavailable(reason)) => Err(reason),
            None => Err(Unavailable::NotAllowed),
        }
    }

    /// Deletes what was fetched.
    pub async fn discard(&self, files: &[SavedFile]) {
        for SavedFile { path, .. } in files {
            let deleted = tokio::fs::remove_file(path).await;
            if let Err(error) = deleted {
                tracing::warn!("a file that is not needed stays: {error}");
            }
            if let Some(folder) = path.parent() {
                // The last one's is empty.
                let _ = tokio::fs::remove_dir(folder).await;
            }
        }
    }

    async fn fetch_by(
        &self,
        author: Option<UserId>,
        attachments: &[Attachment],
        terms: Terms,
    ) -> Vec<Fetched> {
        if attachments.is_empty() {
            return Vec::new();
        }
        if self.is_sweep_due() {
            self.sweep().await;
        }
        let folder = match new_folder(&self.folder, author) {
            Ok(folder) => folder,
            Err(error) => {
                tracing::warn!("{} cannot take files: {error}", self.folder.display());
                let reason = Fetched::Unavailable(Unavailable::NotSaved(error.to_string()));
                return vec![reason; attachments.len()];
            }
        };
        let all = attachments.iter().enumerate();
        let fetched = join_all(all.map(|(n, one)| self.fetch_one(&folder, n, one, terms))).await;
        // It stays only if there is something in it.
        let _ = tokio::fs::remove_dir(&folder).await;
        fetched
    }

    /// Deletes what is too old or too much. [`Self::fetch`] does so from time to time.
    pub async fn sweep(&self) {
        let (folder, settings) = (self.folder.clone(), self.settings.clone());
        let swept = tokio::task::spawn_blocking(move || {
            sweep(&folder, SystemTime::now(), settings.keep, settings.max_kept)
        });
        match swept.await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {}
            Ok(Err(error)) => {
                tracing::warn!("old files below {} stay: {error}", self.folder.display());
            }
        }
    }

    fn is_sweep_due(&self) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        let due = swept.at.is_none_or(|last| now.since(last) >= SWEEP_EVERY)
            || swept.bytes > self.settings.max_kept / SWEEP_AFTER;
        if due {
            *swept = Swept { at: Some(now), bytes: 0 };
        }
        due
    }

    async fn fetch_one(
        &self,
        folder: &Path,
        n: usize,
        attachment: &Attachment,
        terms: Terms,
    ) -> Fetched {
        let path = folder.join(file_name(n, &attachment.filename));
        let limits = &self.settings;
        let saved = if n >= limits.max_files {
            Err(Unavailable::TooMany)
        } else if attachment.size > limits.max_bytes {
            Err(Unavailable::TooLarge(limits.max_bytes))
        } else {
            let saved = timeout(terms.total, self.save(path.clone(), attachment, terms)).await;
            saved.unwrap_or(Err(Unavailable::Slow(terms.total)))
        };
        match saved {
            Ok(saved) => {
                let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
                swept.bytes = swept.bytes.saturating_add(saved.bytes);
                Fetched::Saved(saved)
            }
            Err(reason) => {
                tracing::info!("attachment {} of a message is left out: {reason}", n + 1);
                // It may have begun.
                let _ = tokio::fs::remove_file(&path).await;
                Fetched::Unavailable(reason)
            }
        }
    }

    async fn save(
        &self,
        path: PathBuf,
        attachment: &Attachment,
        terms: Terms,
    ) -> Result<SavedFile, Unavailable> {
        let (limits, idle) = (&self.settings, terms.idle);
        let too_large = || Unavailable::TooLarge(limits.max_bytes);
        let mut response = self.ask(&attachment.url, terms).await?;
        if response.content_length().is_some_and(|bytes| bytes > limits.max_bytes) {
            return Err(too_large());
        }
        let mut file = create(&path).await.map_err(|error| not_saved(&error))?;
        let (mut bytes, mut head) = (0u64, Vec::new());
        loop {
            let piece = timeout(idle, response.chunk()).await;
            let piece = piece.map_err(|_| Unavailable::Stalled(idle))?;
            let Some(piece) = piece.map_err(unreachable)? else { break };
            bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            if bytes > limits.max_bytes {
                return Err(too_large());
            }
            // One byte more than is read tells that there is more.
            let room = (MAX_TEXT + 1).saturating_sub(head.len());
            head.extend(piece.iter().take(room));
            file.write_all(&piece).await.map_err(|error| not_saved(&error))?;
        }
        file.flush().await.map_err(|error| not_saved(&error))?;
        let (kind, text) = sniff(&head, bytes, attachment.content_type.as_deref());
        Ok(SavedFile { path, kind, bytes, text })
    }

    /// Asks for a file, and follows where it has moved to.
    async fn ask(&self, address: &str, terms: Terms) -> Result<Response, Unavailable> {
        let check = |address: &str| match terms.public {
            true => self.sources.check_public(address),
            false => self.sources.check(address),
        };
        let mut source = check(address)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.ask_at(&source, terms.idle).await?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let Some(location) = location.filter(|_| status.is_redirection()) else {
                return Err(Unavailable::Status(status.as_u16()));
            };
            let next = source.url.join(location).map_err(|_| Unavailable::NotAllowed)?;
            source = check(next.as_str())?;
        }
        Err(Unavailable::Unreachable("it moves on and on".to_owned()))
    }

    async fn ask_at(&self, source: &Source, idle: Duration) -> Result<Response, Unavailable> {
        let client = if source.own { &self.own } else { &self.discord };
        let client = client.as_ref().map_err(|words| Unavailable::Unreachable(words.clone()))?;
        let asked = timeout(idle, client.get(source.url.clone()).send()).await;
        asked.map_err(|_| Unavailable::Stalled(idle))?.map_err(unreachable)
    }
}

fn client(proxy: Option<&str>) -> Result<reqwest::ClientBuilder, String> {
    let builder = Client::builder()
        .redirect(redirect::Policy::none())
        .user_agent("DiscordBot (https://github.com/clawvoice/clawvoice, 0.1)");
    Ok(match proxy {
        Some(proxy) => {
            builder.proxy(reqwest::Proxy::https(proxy).map_err(|_| "the proxy is no address")?)
        }
        None => builder.no_proxy(),
    })
}

/// The address is left out: it lets everybody fetch the file.
fn unreachable(error: reqwest::Error) -> Unavailable {
    Unavailable::Unreachable(in_words(&error.without_url()))
}

fn not_saved(error: &io::Error) -> Unavailable {
    Unavailable::NotSaved(error.to_string())
}

/// A folder for one message, for its owner alone.
fn new_folder(parent: &Path, author: Option<UserId>) -> io::Result<PathBuf> {
    let name: String = rand::random::<[u8; 16]>().iter().map(|b| format!("{b:02x}")).collect();
    let folder = parent.join(author.map_or_else(|| name.clone(), |user| format!("{name}-{user}")));
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder)?;
    Ok(folder)
}

/// A new file, for its owner alone.
async fn create(path: &Path) -> io::Result<File> {
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    options.open(path).await
}

/// Deletes the files of all messages of a user; gives of how many. `folder` is the one that
/// [`MediaFiles`] keeps them below.
///
/// # Errors
///
/// When something of them stays.
pub fn forget(folder: &Path, user: UserId) -> io::Result<u64> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut deleted = 0;
    for entry in entries {
        let entry = entry?;
        let is_theirs = entry.file_name().to_str().is_some_and(|name| is_of(name, user));
        if is_theirs && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

/// The files of every message below `folder`, for the budget of the disk. A folder that is not there
/// has none.
///
/// # Errors
///
/// When it cannot be read.
pub fn kept(folder: &Path, now: SystemTime) -> io::Result<Vec<KeptFile>> {
    let all = match all(folder, now) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        all => all?,
    };
    let files = all.into_iter().map(|Kept { name, age, bytes }| KeptFile {
        path: folder.join(name),
        class: Class::Media,
        bytes,
        age,
        in_use: false,
    });
    Ok(files.collect())
}

fn all(folder: &Path, now: SystemTime) -> io::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if is_ours(&name) && entry.file_type()?.is_dir() {
            let modified = entry.metadata()?.modified()?;
            let age = now.duration_since(modified).unwrap_or_default();
            all.push(Kept { name, age, bytes: size(&entry.path()).unwrap_or(0) });
        }
    }
    Ok(all)
}

fn sweep(folder: &Path, now: SystemTime, keep: Duration, most: u64) -> io::Result<()> {
    let all = all(folder, now)?;
    for name in outdated(all, keep, most) {
        fs::remove_dir_all(folder.join(name))?;
    }
    Ok(())
}

/// What the files of one message take.
fn size(folder: &Path) -> io::Result<u64> {
    fs::read_dir(folder)?
        .try_fold(0u64, |sum, entry| Ok(sum.saturating_add(entry?.metadata()?.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_go_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let new = |author| new_folder(folder.path(), Some(UserId::new(author))).unwrap();
        let (old, young) = (new(1), new(1));
        let foreign = folder.path().join("photos");
        fs::create_dir(&foreign).unwrap();
        for place in [&old, &young, &foreign] {
            fs::write(place.join("1-a.png"), b"12345").unwrap();
        }
        let now = SystemTime::now();
        let ago = |place: &Path, secs| {
            fs::File::open(place).unwrap().set_modified(now - Duration::from_secs(secs)).unwrap();
        };
        ago(&old, 3600);
        ago(&young, 60);
        ago(&foreign, 99_999);
        let hour = Duration::from_secs(3600);
        let mut listed = kept(folder.path(), now).unwrap();
        listed.sort_by_key(|it| it.age);
        let expected = [&young, &old].map(|it| (it.clone(), Class::Media, 5));
        let listed: Vec<_> = listed.into_iter().map(|it| (it.path, it.class, it.bytes)).collect();
        assert_eq!(listed, expected);
        assert_eq!(kept(&folder.path().join("none"), now).unwrap(), []);
        sweep(folder.path(), now, hour, 10).unwrap();
        assert!(!old.exists() && young.join("1-a.png").exists() && foreign.exists());
        sweep(folder.path(), now, hour, 4).unwrap();
        assert!(!young.exists() && foreign.join("1-a.png").exists());
    }

    #[test]
    fn the_files_of_a_user_go_and_those_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let new = |author| new_folder(folder.path(), Some(UserId::new(author))).unwrap();
        let (ada, again, ben) = (new(4), new(4), new(42));
        fs::write(ada.join("1-a.png"), b"12345").unwrap();
        assert_eq!(forget(folder.path(), UserId::new(4)).unwrap(), 2);
        assert!(!ada.exists() && !again.exists() && ben.exists());
        assert_eq!(forget(folder.path(), UserId::new(4)).unwrap(), 0);
        assert_eq!(forget(&folder.path().join("none"), UserId::new(4)).unwrap(), 0);
    }
}
