//! Text of an account: what is kept for it, and whom it talks to.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use clawvoice_config::{
    Config, ProcessEnv,
    edit::{self, Edit, KeyPath},
};
use clawvoice_session::{
    agent::Agent,
    audit::Credential,
    shell::store::{Mailbox, Pairings, StoreError},
};
use clawvoice_text::{
    delivery::outgoing_file::MEDIA_FOLDER,
    shell::{
        desk::{
            self, ConfigFile, SharedRouter, SlashDoor, TextDoors, TextMonitor, TextSettings,
            Transcribe,
        },
        feed::{TextFeed, text_feed},
        rest::DiscordRest,
    },
};
use clawvoice_voice::shell::speech::NoteTranscriber;
use tokio::{
    sync::{Mutex, oneshot, watch},
    task::JoinHandle,
};

use crate::{commands::config::payload, printer::Failure};

/// What text of all accounts shares.
#[derive(Clone)]
pub(crate) struct TextStore {
    mailbox: Mailbox,
    pairings: Arc<Mutex<Pairings>>,
    file: Option<Arc<dyn ConfigFile>>,
    router: SharedRouter,
}

impl TextStore {
    /// Opens what is kept; if the disk does not let us, it is kept as long as the process lives.
    /// `file` is the configuration's.
    pub(crate) async fn open(config: &Config, file: Option<PathBuf>) -> Result<Self, Failure> {
        let path = &config.session_store;
        let opened = async { Ok((Mailbox::open(path).await?, Pairings::open(path).await?)) };
        let (mailbox, pairings) = match opened.await {
            Err(error) if StoreError::may_pass(&error) => {
                tracing::warn!("messages are not kept: {error}");
                let in_memory =
                    async { Ok((Mailbox::in_memory().await?, Pairings::in_memory().await?)) };
                in_memory.await.map_err(|error: StoreError| Failure::unexpected(error))?
            }
            opened => opened.map_err(Failure::user)?,
        };
        let file = file.map(|path| Arc::new(OnDisk(path)) as Arc<dyn ConfigFile>);
        let pairings = Arc::new(Mutex::new(pairings));
        Ok(Self { mailbox, pairings, file, router: SharedRouter::default() })
    }

    /// What came in and goes out.
    pub(crate) const fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Writes what waits and closes the file.
    pub(crate) async fn close(&self) {
        self.mailbox.close().await;
    }
}

/// Text of a running account.
pub(crate) struct Text {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What the gateway is given for text.
pub(crate) struct TextEnds {
    pub(crate) feed: TextFeed,
    pub(crate) slash: SlashDoor,
}

/// What text asks beside Discord and the agent.
pub(crate) struct TextServices {
    /// What voice notes say.
    pub(crate) notes: Option<Arc<NoteTranscriber>>,
    /// Is told how PluralKit takes its key.
    pub(crate) pluralkit: Option<Credential>,
}

/// Where files are that people send.
pub(crate) fn media_folder(config: &Config) -> PathBuf {
    config.session_store.parent().map(Path::to_owned).unwrap_or_default().join(MEDIA_FOLDER)
}

/// Starts text of an account.
pub(crate) fn start(
    account: &str,
    config: watch::Receiver<Arc<Config>>,
    rest: DiscordRest,
    agent: Arc<dyn Agent>,
    store: &TextStore,
    monitor: TextMonitor,
    services: TextServices,
) -> (Text, TextEnds) {
    let TextServices { notes, pluralkit } = services;
    let media_folder = media_folder(&config.borrow());
    let (feed, intake) = text_feed();
    let (slash, requests) = desk::text_requests();
    let settings = TextSettings { account: account.to_owned(), media_folder, pluralkit_url: None };
    let doors = TextDoors {
        intake,
        config,
        rest,
        agent,
        mailbox: store.mailbox.clone(),
        pairings: Arc::clone(&store.pairings),
        transcriber: notes.map(|notes| Arc::new(VoiceNotes(notes)) as _),
        file: store.file.clone(),
        requests,
        router: store.router.clone(),
        monitor,
        pluralkit,
    };
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(desk::run(settings, doors, async {
        // An account that is dropped stops as one that is told to.
        let _ = stopped.await;
    }));
    (Text { stop, task }, TextEnds { feed, slash })
}

impl Text {
    /// Ends it; what is not done stays for the next process.
    pub(crate) async fn stop(self) {
        // It may have ended by itself.
        let _ = self.stop.send(());
        if let Err(error) = self.task.await {
            tracing::error!("text has panicked: {error}");
        }
    }
}

/// Voice notes, understood by the transcriber that is configured.
struct VoiceNotes(Arc<NoteTranscriber>);

#[async_trait]
impl Transcribe for VoiceNotes {
    async fn transcribe(&self, file: &Path) -> Option<String> {
        let name = file.file_name()?.to_string_lossy().into_owned();
        let recording = tokio::fs::read(file).await.ok()?;
        self.0.words_of(&name, recording.into()).await
    }
}

/// The configuration's file.
struct OnDisk(PathBuf);

impl OnDisk {
    /// Does something with the file beside the runtime: it is read and written at once.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let path = self.0.clone();
        let done = tokio::task::spawn_blocking(move || work(&path)).await;
        done.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn change(
        &self,
        edit: impl FnOnce() -> Result<Edit, String> + Send + 'static,
    ) -> Result<(), String> {
        self.with(move |file| {
            let edit = edit()?;
            let words = |error: &dyn std::fmt::Display| error.to_string();
            let before = edit::read_for_edit(file).map_err(|error| words(&error))?;
            let edited = edit::apply(&before, file, &edit).map_err(|error| words(&error))?;
            let written = edit::write(file, &before, &edited.text, &ProcessEnv);
            written.map(drop).map_err(|error| words(&error))
        })
        .await
    }
}

fn key_path(path: &str) -> Result<KeyPath, String> {
    path.parse().map_err(|error: edit::BadPath| error.to_string())
}

#[async_trait]
impl ConfigFile for OnDisk {
    async fn get(&self, path: Option<&str>) -> Result<String, String> {
        let path = path.map(str::to_owned);
        self.with(move |file| {
            let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
            let path = path.as_deref().map_or_else(|| Ok(KeyPath::root()), key_path)?;
            let found = edit::get(&text, file, &path).map_err(|errors| errors.to_string())?;
            match found {
                Some(value) => Ok(format!("{value:#}")),
                None => Err(format!("there is nothing at {path}")),
            }
        })
        .await
    }

    async fn set(&self, path: &str, value: &str) -> Result<(), String> {
        let (path, value) = (path.to_owned(), value.to_owned());
        self.change(move || {
            let path = key_path(&path)?;
            let value = payload(&path, &value).map_err(|failure| failure.message)?;
            Ok(Edit::Set { path, value })
        })
        .await
    }

    async fn unset(&self, path: &str) -> Result<(), String> {
        let path = path.to_owned();
        self.change(move || Ok(Edit::Unset { path: key_path(&path)? })).await
    }
}
