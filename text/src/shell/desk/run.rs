//! Starts the desk, and serves it until it is to stop.

use std::{
    future::Future,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use clawvoice_session::{UserId, mail::Retention};
use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc, watch};

use super::{
    super::{
        audience_facts::Audiences,
        clock::{now, sleep_until, unix_ms},
        media::{MediaFiles, MediaSettings},
        pluralkit::{PLURALKIT, PluralKit},
    },
    Desk, JobEnd, TextDoors, TextRequests, TextSettings,
    around::{Around, Rules},
    courier,
    hooks::Hooks,
    needs::Finder,
    post::Post,
    question::Question,
    reactions,
    requests::Request,
    sent::SharedSent,
    signs::Sign,
};
use crate::{
    control::TextCommands,
    inbound::{Debounce, Dedup},
    routing::binding::{BindingRecord, Bindings},
};

/// How often what is old is cleared away.
const SWEEP: Duration = Duration::from_secs(3_600);

/// Signs of life that may wait to be told.
const SIGNS: usize = 256;

/// How long turns that end by themselves are waited for at the end.
const FINISH: Duration = Duration::from_secs(2);

/// Serves text of an account until `shutdown` completes. What is open then stays open for the next
/// process.
pub async fn run(settings: TextSettings, doors: TextDoors, shutdown: impl Future<Output = ()>) {
    let mut shutdown = pin!(shutdown);
    let (closing, closed) = watch::channel(false);
    let Opened { mut desk, mut intake, mut config, mut asked, mut signs } =
        Desk::open(settings, doors, closed).await;
    let mut sweep = tokio::time::interval(SWEEP);
    let mut reloads = true;
    loop {
        desk.report();
        let due = desk.poll_timeout();
        tokio::select! {
            () = &mut shutdown => break,
            events = intake.next() => {
                if events.is_empty() {
                    // The gateway has ended: nothing new comes, but what runs may end.
                    tokio::select! {
                        () = &mut shutdown => {}
                        () = desk.finish() => {}
                    }
                    break;
                }
                desk.take(events, &intake).await;
            }
            Some(ended) = desk.jobs.join_next() => match ended {
                Ok(end) => desk.ended(end).await,
                Err(error) => tracing::error!("a part of text has panicked: {error}"),
            },
            changed = config.changed(), if reloads => match changed {
                Ok(()) => {
                    let config = config.borrow_and_update().clone();
                    desk.reload(&config).await;
                }
                Err(_) => reloads = false,
            },
            Some(request) = asked.recv() => desk.request(request).await,
            Some(sign) = signs.recv() => desk.sign(&sign),
            _ = sweep.tick() => desk.sweep(),
            () = sleep_until(due) => desk.handle_timeout().await,
        }
    }
    closing.send_replace(true);
    if tokio::time::timeout(FINISH, desk.finish()).await.is_err() {
        tracing::debug!("some turns did not end in time; the next process takes them up");
    }
}

/// A desk that is ready, and what it is told by.
struct Opened {
    desk: Desk,
    intake: super::TextIntake,
    config: watch::Receiver<Arc<clawvoice_config::Config>>,
    asked: mpsc::Receiver<Request>,
    signs: mpsc::Receiver<Sign>,
}

impl Desk {
    async fn open(
        settings: TextSettings,
        doors: TextDoors,
        closing: watch::Receiver<bool>,
    ) -> Opened {
        let TextSettings { account, media_folder, pluralkit_url } = settings;
        let TextDoors { intake, mut config, rest, agent, mailbox, pairings, .. } = doors;
        let TextRequests { sender, receiver } = doors.requests;
        let current = config.borrow_and_update().clone();
        let (left, unfinished, records) = tokio::join!(
            mailbox.undelivered(&account),
            mailbox.unfinished(&account),
            mailbox.bindings(&account)
        );
        let failed = [left.as_ref().err(), unfinished.as_ref().err(), records.as_ref().err()];
        for error in failed.into_iter().flatten() {
            tracing::warn!("what the last process left cannot be read: {error}");
        }
        let (own, own_of) = watch::channel(None);
        let sent = SharedSent::default();
        let hooks = Hooks::default();
        let post = Post::new(rest.clone(), own_of, hooks.clone(), sent.clone());
        let post = Arc::new(post);
        let (courier, _) = courier::start(
            mailbox.clone(),
            Arc::clone(&post),
            sent.clone(),
            left.unwrap_or_default(),
            current.discord.delivery.rate_limit.clone(),
        )
        .await;
        let records = records.unwrap_or_default();
        let records = records.iter().filter_map(|(_, json)| read_binding(json));
        let bindings =
            Bindings::new(&account, current.discord.delivery.thread_bindings.clone(), records);
        hooks.learn(&bindings);
        let media = MediaFiles::new(
            media_folder,
            &rest,
            None,
            MediaSettings::of(&current.discord.delivery),
        );
        let plural = &current.discord.connection.pluralkit;
        let base = pluralkit_url.as_deref().unwrap_or(PLURALKIT);
        let finder = Finder {
            account: account.clone(),
            rest: rest.clone(),
            plural: PluralKit::new(base, plural.token.as_ref()).audited(doors.pluralkit),
            audiences: Audiences::new(rest.clone()),
            pairings,
            media: Arc::new(media),
            transcriber: doors.transcriber,
        };
        let (signs, told) = mpsc::channel(SIGNS);
        let rules = Arc::new(Rules::new(current, &account));
        let around = Arc::new(Around::new(
            account, rest, mailbox, agent, courier, post, sent, hooks, closing,
        ));
        let desk = Self {
            dedup: Dedup::default(),
            debounce: Debounce::new(rules.inbound.debounce, UserId::new(1)),
            around,
            finder: Arc::new(finder),
            commands: TextCommands::of(&rules.config),
            recents: crate::command::model_picker::Recents::default(),
            queues: std::collections::HashMap::new(),
            requests: sender,
            file: doors.file,
            began: Instant::now(),
            began_ms: unix_ms(),
            rules,
            monitor: doors.monitor,
            places: crate::place::Places::default(),
            own,
            admissions: super::Admissions::default(),
            recovered: unfinished.unwrap_or_default(),
            sessions: foldhash::HashMap::default(),
            pending: crate::history::Pending::default(),
            bindings,
            router: doors.router,
            attention: crate::inbound::Attention::default(),
            loop_guard: crate::inbound::LoopGuard::default(),
            telling: crate::inbound::Telling::default(),
            waiting_for_refill: std::collections::HashMap::new(),
            happened: std::collections::HashMap::new(),
            reaction_lookups: Arc::new(Semaphore::new(reactions::MOST_LOOKUPS)),
            told_of_empty: false,
            catch_up_at: None,
            signs,
            jobs: tokio::task::JoinSet::new(),
        };
        Opened { desk, intake, config, asked: receiver, signs: told }
    }

    async fn reload(&mut self, config: &Arc<clawvoice_config::Config>) {
        self.rules = Arc::new(Rules::new(Arc::clone(config), &self.around.account));
        self.debounce.set_window(self.rules.inbound.debounce);
        self.commands = TextCommands::of(config);
        self.bindings.set_settings(config.discord.delivery.thread_bindings.clone());
        self.reload_sessions();
        self.around.courier.set_limit(config.discord.delivery.rate_limit.clone()).await;
    }

    fn poll_timeout(&self) -> Option<clawvoice_session::SessionTime> {
        let lanes = self.sessions.values().filter_map(|session| session.lane.poll_timeout());
        let unix = unix_ms();
        let bindings = self
            .bindings
            .poll_timeout()
            .map(|at| now() + Duration::from_millis(at.saturating_sub(unix)));
        let leftovers = self.around.leftovers().poll_timeout();
        let stuck = self.stuck_timeout();
        let own = [self.debounce.poll_timeout(), bindings, leftovers, stuck, self.catch_up_at];
        own.into_iter().flatten().chain(lanes).min()
    }

    async fn handle_timeout(&mut self) {
        if self.catch_up_at.is_some_and(|due| due <= now()) {
            self.catch_up().await;
        }
        self.debounce.handle_timeout(now());
        self.admit_ready().await;
        self.bindings.sweep(unix_ms());
        self.carry_out_bindings();
        self.delete_leftovers();
        self.watch_sessions();
        let keys: Vec<_> = self.sessions.keys().cloned().collect();
        for key in keys {
            self.drive(&key).await;
        }
    }

    /// Clears away what is old, in the background.
    fn sweep(&mut self) {
        let (mailbox, media) = (self.around.mailbox.clone(), Arc::clone(&self.finder.media));
        let keep = Retention::of(&self.rules.config.session.maintenance);
        self.jobs.spawn(async move {
            media.sweep().await;
            loop {
                match mailbox.sweep(Timestamp::now(), &keep).await {
                    Ok(swept) if swept.more => {}
                    Ok(_) => break,
                    Err(error) => {
                        tracing::warn!("what is old is not cleared away: {error}");
                        break;
                    }
                }
            }
            JobEnd::Done
        });
    }

    /// Lets what runs come to its end.
    async fn finish(&mut self) {
        while let Some(ended) = self.jobs.join_next().await {
            if let Ok(end) = ended {
                self.ended(end).await;
            }
        }
    }

    async fn ended(&mut self, end: JobEnd) {
        match end {
            JobEnd::Found(channel, answer) => self.found(channel, answer).await,
            JobEnd::Thread(channel, thread) => self.thread_opened(channel, thread).await,
            JobEnd::Titled(thread, was, title) => self.titled(thread, &was, title),
            JobEnd::Reacted(reacted) => self.reaction_known(*reacted),
            JobEnd::Refilled(channel, began_ms, messages) => {
                self.refilled(channel, began_ms, &messages).await;
            }
            JobEnd::Seen(channel, found) => self.seen(channel, found).await,
            JobEnd::Deleted(deleted) => self.draft_deleted(deleted),
            JobEnd::Turn(session, run, end) => self.turn_over(&session, run, end).await,
            JobEnd::Steered(session, question, taken) => {
                self.steered(&session, question, taken).await;
            }
            JobEnd::Then(then) => {
                let (words, first, admitted) = *then;
                self.then(words, first, admitted).await;
            }
            JobEnd::Ask(asked) => self.ask(Question(Arc::new(*asked))).await,
            JobEnd::Done => {}
        }
    }

    fn report(&self) {
        let (deciding, sessions) = (self.admissions.len(), self.sessions.len());
        self.monitor.change(|status| {
            (status.deciding, status.sessions) = (deciding, sessions);
        });
    }
}

fn read_binding(json: &str) -> Option<BindingRecord> {
    serde_json::from_str(json)
        .inspect_err(|error| tracing::warn!("a thread's binding cannot be read: {error}"))
        .ok()
}
