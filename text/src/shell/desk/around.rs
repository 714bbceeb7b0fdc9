//! What all that deal with text of one account share.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use clawvoice_config::{Agent as AgentConfig, Config};
use clawvoice_session::{
    ChannelId, MessageId,
    agent::{Agent, RunId},
    mail::{Finished, NewPart, Outcome, Part, Target},
    shell::store::Mailbox,
};
use jiff::Timestamp;
use tokio::sync::watch;

use super::{
    super::{clock::now, rest::DiscordRest},
    courier::{CourierDoor, PartEnd},
    hooks::Hooks,
    members::Roles,
    post::Post,
    question::Asked,
    sent::SharedSent,
};
use crate::{
    delivery::{
        KnownHandles,
        body::{Content, NewMessage},
        chunk::{ChunkLimits, chunk},
    },
    envelope::Marker,
    feedback::DeleteQueue,
    inbound::{InboundPolicy, Surface},
    message::Message,
    outbox::outgoing::{Destination, Outgoing},
    requests::nonce::nonce,
    routing::{
        self, Origin, Router,
        binding::{BindingRecord, BoundPlace},
        starter::StarterCache,
    },
};

/// Runs of text have this bit in their numbers, so that none has a number of voice's.
const TEXT_RUNS: u64 = 1 << 63;

/// The rules of an account, as its configuration says them: replaced as a whole when it changes.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) config: Arc<Config>,
    pub(super) inbound: InboundPolicy,
    pub(super) router: Router,
}

impl Rules {
    /// Those of an account; `config` is as the account has it.
    pub(super) fn new(config: Arc<Config>, account: &str) -> Self {
        let inbound = InboundPolicy::new(&config, &config.discord, account);
        let router = Router::new(&config, account, &config.discord);
        for warning in router.warnings() {
            tracing::warn!("account {account}: {warning}");
        }
        for warning in inbound.warnings() {
            tracing::warn!("account {account}: {warning}");
        }
        Self { config, inbound, router }
    }

    /// An agent's configuration; of one that is not there, the default agent's.
    pub(super) fn agent(&self, id: &str) -> &AgentConfig {
        let all = &self.config.agents.all;
        all.iter().find(|agent| agent.id == id).unwrap_or(&self.config.agent)
    }

    /// Where a question comes from, for the pins of models.
    pub(super) fn origin_of<'a>(&self, asked: &'a Asked) -> Origin<'a> {
        let surface = match (asked.admitted.surface, asked.admitted.parent) {
            (Surface::Direct, _) => routing::Surface::Direct { user: asked.user() },
            (Surface::GroupDirect, _) => routing::Surface::Group,
            (Surface::Guild, Some(parent)) => routing::Surface::Thread { parent },
            (Surface::Guild, None) => routing::Surface::Channel,
        };
        Origin {
            surface,
            channel: asked.message.channel,
            channel_name: "",
            guild: asked.admitted.guild,
            guild_name: "",
            roles: &asked.admitted.roles,
            sender: asked.user(),
        }
    }
}

/// What tasks of one account share.
pub(super) struct Around {
    pub(super) account: String,
    pub(super) rest: DiscordRest,
    pub(super) mailbox: Mailbox,
    pub(super) agent: Arc<dyn Agent>,
    pub(super) courier: CourierDoor,
    pub(super) post: Arc<Post>,
    pub(super) sent: SharedSent,
    pub(super) hooks: Hooks,
    /// Marks what is told to the model beside people's words.
    pub(super) marker: Marker,
    /// True at the end: what is open then stays open for the next process.
    pub(super) closing: watch::Receiver<bool>,
    /// Drafts that could not be deleted in their turns.
    leftovers: Mutex<DeleteQueue>,
    /// First messages of threads.
    starters: Mutex<StarterCache>,
    /// What people that were met are called.
    handles: Mutex<Arc<KnownHandles>>,
    /// Roles that were asked for.
    pub(super) roles: Roles,
    runs: AtomicU64,
}

impl Around {
    #[expect(clippy::too_many_arguments, reason = "each is one of the account's parts")]
    pub(super) fn new(
        account: String,
        rest: DiscordRest,
        mailbox: Mailbox,
        agent: Arc<dyn Agent>,
        courier: CourierDoor,
        post: Arc<Post>,
        sent: SharedSent,
        hooks: Hooks,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            account,
            rest,
            mailbox,
            agent,
            courier,
            post,
            sent,
            hooks,
            marker: Marker::new(rand::random()),
            closing,
            leftovers: Mutex::default(),
            starters: Mutex::default(),
            handles: Mutex::default(),
            roles: Roles::default(),
            runs: AtomicU64::new(0),
        }
    }

    /// A number for a run that nobody else has.
    pub(super) fn next_run(&self) -> RunId {
        RunId::new(TEXT_RUNS | self.runs.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether the process is on its way down.
    pub(super) fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// The author of a message was met. Who speaks through a webhook is nobody to be mentioned.
    pub(super) fn meet(&self, message: &Message) {
        let author = &message.author;
        if message.webhook.is_some() {
            return;
        }
        let tag = author.tag();
        let shown = author.shown(message.member.as_ref());
        let global = author.global_name.as_deref().unwrap_or_default();
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        for name in [author.username.as_str(), &tag, shown, global] {
            // Turns that hold the names make each change a copy of all.
            if !handles.has(author.id, name) {
                Arc::make_mut(&mut handles).put(author.id, name);
            }
        }
    }

    /// What people that were met are called.
    pub(super) fn handles(&self) -> Arc<KnownHandles> {
        Arc::clone(&self.handles.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// First messages of threads that were asked for lately; held for moments only.
    pub(super) fn starters(&self) -> MutexGuard<'_, StarterCache> {
        self.starters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drafts that wait to be deleted; held for moments only.
    pub(super) fn leftovers(&self) -> MutexGuard<'_, DeleteQueue> {
        self.leftovers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A draft could not be deleted.
    pub(super) fn leave_draft(&self, channel: ChannelId, message: MessageId) {
        if let Some(left) = self.leftovers().submit(now(), channel, message) {
            tracing::warn!("a draft stays: message {} in {}", left.message, left.channel);
        }
    }

    /// Says something that no turn of the agent says, durably.
    pub(super) async fn say(&self, to: Destination, text: &str) {
        let turn = format!("say:{}", nonce(rand::random()));
        let finished = Finished {
            account: self.account.clone(),
            messages: Vec::new(),
            outcome: Outcome::Answered,
            session: None,
            asker: None,
            turn,
        };
        self.send(finished, notice(&to, text)).await;
    }

    /// Writes parts down, together with the end of what they answer, and sends them.
    pub(super) async fn send(&self, finished: Finished, parts: Vec<NewPart>) -> Vec<PartEnd> {
        let ids = match self.mailbox.answer(finished.clone(), parts.clone()).await {
            Ok(ids) => ids,
            Err(error) => {
                // Better sent without being remembered than not at all.
                tracing::warn!("an answer is not written down: {error}");
                return self.send_unwritten(&parts).await;
            }
        };
        let parts = ids.into_iter().zip(parts).map(|(id, message)| Part {
            id,
            account: finished.account.clone(),
            session: finished.session.clone(),
            turn: finished.turn.clone(),
            message,
            attempts: 0,
            first_try: None,
            created: Timestamp::now(),
        });
        self.courier.deliver(parts.collect()).await
    }

    async fn send_unwritten(&self, parts: &[NewPart]) -> Vec<PartEnd> {
        let mut ends = Vec::new();
        for part in parts {
            ends.push(match self.post.send_unwritten(&part.body).await {
                Ok(posted) => {
                    self.sent.message(posted.message);
                    PartEnd::Sent { channel: posted.channel, message: posted.message }
                }
                Err(failure) => {
                    tracing::error!("a message is not sent: {failure}");
                    PartEnd::Refused(failure.to_string())
                }
            });
        }
        ends
    }

    /// Keeps a binding.
    pub(super) async fn save_binding(&self, record: &BindingRecord) {
        let place = target(record.place);
        let json = match serde_json::to_string(record) {
            Ok(json) => json,
            Err(error) => return tracing::warn!("a binding cannot be written: {error}"),
        };
        if let Err(error) = self.mailbox.save_binding(&self.account, place, json).await {
            tracing::warn!("a binding is not kept: {error}");
        }
    }

    /// Forgets a binding.
    pub(super) async fn delete_binding(&self, place: BoundPlace) {
        let deleted = self.mailbox.delete_binding(&self.account, target(place)).await;
        if let Err(error) = deleted {
            tracing::warn!("a binding is not forgotten: {error}");
        }
    }
}

/// The program's own words, as messages to a place.
pub(super) fn notice(to: &Destination, text: &str) -> Vec<NewPart> {
    let target = match to {
        Destination::User(user) => Target::User(*user),
        Destination::Channel(channel) | Destination::Forum(channel) => Target::Channel(*channel),
        Destination::Webhook { thread, .. } => Target::Channel(*thread),
    };
    let chunks = chunk(text, &ChunkLimits::of(2_000, 60, clawvoice_config::ChunkMode::Length));
    let parts = (0..).zip(&chunks).map(|(part, text)| {
        let nonce = nonce(rand::random());
        let content = Content { text, suppress_embeds: true, ..Content::default() };
        let body = NewMessage { content, nonce: &nonce, ..NewMessage::default() }.body();
        let outgoing = Outgoing { to: to.clone(), body, files: Vec::new() };
        NewPart { to: target, part, body: outgoing.kept(), nonce }
    });
    parts.collect()
}

fn target(place: BoundPlace) -> Target {
    match place {
        BoundPlace::Channel(channel) => Target::Channel(channel),
        BoundPlace::User(user) => Target::User(user),
    }
}
