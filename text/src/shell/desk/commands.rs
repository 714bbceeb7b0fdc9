//! Commands, as text and as slash commands: carried out beside the desk, with what the desk alone
//! knows asked of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use clawvoice_session::{
    ChannelId, MessageId, RoleId, SessionKey, UserId,
    mail::{Finished, Outcome},
};
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{clock::unix_ms, thread_calls::NewThread},
    Desk, JobEnd,
    admission::Admission,
    around::{Around, Rules, notice},
    hooks,
    question::{Asked, Question},
};
use crate::{
    command::Invocation,
    control::{
        AgentFacts, ControlCommand, ControlContext, ControlDoor, ControlRules, DoorFailure, Limit,
        SessionFacts, SessionName, Stopped, answer,
    },
    inbound::{Admitted, TextCommand},
    outbox::outgoing::Destination,
    routing::{
        self, Origin, Route,
        binding::{Bind, BindRefusal, BindingRecord, BoundPlace, Webhook},
    },
};

/// Questions to the desk that may wait; the next command waits.
const REQUESTS: usize = 64;

/// The configuration's file, as far as commands may look at it and change it.
#[async_trait]
pub trait ConfigFile: Send + Sync {
    /// A value, or all of it, as JSON without secrets.
    async fn get(&self, path: Option<&str>) -> Result<String, String>;
    /// Puts a value: JSON5, or a plain text.
    async fn set(&self, path: &str, value: &str) -> Result<(), String>;
    /// Takes a value out.
    async fn unset(&self, path: &str) -> Result<(), String>;
}

/// What a command asks of the desk.
pub(super) enum Request {
    Stop(SessionKey, oneshot::Sender<Stopped>),
    Depth(SessionKey, oneshot::Sender<(bool, usize)>),
    Forget(SessionKey, oneshot::Sender<()>),
    Binding(BoundPlace, oneshot::Sender<Option<BindingRecord>>),
    Bindings(oneshot::Sender<Vec<BindingRecord>>),
    /// Gives the channel that the place needs a webhook of.
    Bind(Box<Bind>, oneshot::Sender<Result<Option<ChannelId>, BindRefusal>>),
    /// A webhook speaks in the place from now on.
    Hook(BoundPlace, Webhook, oneshot::Sender<()>),
    Unbind(BoundPlace, oneshot::Sender<Option<BindingRecord>>),
    SetLimit(BoundPlace, Limit, Duration, oneshot::Sender<Option<BindingRecord>>),
    /// A slash command, and where its reply goes.
    Slash(Box<Invocation>, oneshot::Sender<Option<String>>),
}

/// What asks the desk.
#[derive(Clone)]
pub(super) struct Requests(mpsc::Sender<Request>);

/// Text's end of what slash commands ask.
pub struct TextRequests {
    pub(super) sender: Requests,
    pub(super) receiver: mpsc::Receiver<Request>,
}

/// What answers slash commands, and text's end of it.
#[must_use]
pub fn text_requests() -> (SlashDoor, TextRequests) {
    let (sender, receiver) = mpsc::channel(REQUESTS);
    let sender = Requests(sender);
    (SlashDoor(sender.clone()), TextRequests { sender, receiver })
}

impl Requests {
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// Answers slash commands that are text's. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct SlashDoor(Requests);

impl SlashDoor {
    /// The reply; `None`: it is none of text's commands, or text has ended.
    pub async fn answer(&self, invocation: Invocation) -> Option<String> {
        self.0.ask(|reply| Request::Slash(Box::new(invocation), reply)).await.flatten()
    }
}

impl std::fmt::Debug for SlashDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SlashDoor")
    }
}

/// Who gives a command, and where.
struct Given {
    command: ControlCommand,
    surface: routing::Surface,
    channel: ChannelId,
    guild: Option<clawvoice_session::GuildId>,
    names: (String, String),
    roles: Vec<RoleId>,
    user: UserId,
    route: Route,
    authorised: bool,
    owner: bool,
}

impl Given {
    fn origin(&self) -> Origin<'_> {
        Origin {
            surface: self.surface,
            channel: self.channel,
            channel_name: &self.names.0,
            guild: self.guild,
            guild_name: &self.names.1,
            roles: &self.roles,
            sender: self.user,
        }
    }

    async fn answer(&self, door: &Door) -> String {
        let origin = self.origin();
        let config = &door.rules.config;
        let context = ControlContext {
            from: &origin,
            route: &self.route,
            authorised: self.authorised,
            owner: self.owner,
            rules: ControlRules::of(config, &config.discord),
            now: unix_ms(),
        };
        answer(&self.command, &context, door).await
    }
}

impl Desk {
    fn door(&self) -> Door {
        Door {
            around: Arc::clone(&self.around),
            rules: Arc::clone(&self.rules),
            requests: self.requests.clone(),
            file: self.file.clone(),
            began: self.began,
        }
    }

    /// An authorised command that was written as a message.
    pub(super) async fn command(
        &mut self,
        first: Admission,
        admitted: Admitted,
        command: TextCommand,
    ) {
        let text = format!("/{} {}", command.name, command.args);
        let Some(command) = self.commands.parse(&text) else {
            // A word with a slash before it is a question like any other.
            return self.ask_as_text(first, admitted).await;
        };
        let given = self.given(&first, &admitted, command);
        let (door, around) = (self.door(), Arc::clone(&self.around));
        let (messages, reply_to) = (first.all(), first.message.channel);
        let then = given.command.then().map(str::to_owned);
        let question = then.map(|words| (words, first, admitted));
        self.jobs.spawn(async move {
            let reply = given.answer(&door).await;
            reply_to_message(&around, reply_to, messages, &reply, question.is_some()).await;
            match question {
                Some((words, first, admitted)) => JobEnd::Then(Box::new((words, first, admitted))),
                None => JobEnd::Done,
            }
        });
    }

    fn given(&self, first: &Admission, admitted: &Admitted, command: ControlCommand) -> Given {
        let message = &first.message;
        Given {
            command,
            surface: self.surface(message.channel, message.guild, message.author.id),
            channel: message.channel,
            guild: message.guild,
            names: self.names(message.channel, message.guild),
            roles: admitted.roles.clone(),
            user: message.author.id,
            route: self.route(message),
            authorised: true,
            owner: admitted.owner,
        }
    }

    fn names(
        &self,
        channel: ChannelId,
        guild: Option<clawvoice_session::GuildId>,
    ) -> (String, String) {
        let channel = self.places.channel(channel).map_or("", |channel| &channel.name);
        let guild = guild.map_or("", |guild| self.places.guild(guild));
        (channel.to_owned(), guild.to_owned())
    }

    /// What follows a command that begins anew.
    pub(super) async fn then(&mut self, words: String, first: Admission, admitted: Admitted) {
        let admitted = Admitted { text: words, command: None, ..admitted };
        self.ask_as_text(first, admitted).await;
    }

    async fn ask_as_text(&mut self, first: Admission, admitted: Admitted) {
        let route = self.route(&first.message);
        let asked = Asked {
            channel: first.message.channel,
            opened: None,
            transcript: None,
            message: first.message,
            ids: first.ids,
            admitted,
            route,
        };
        self.ask(Question(Arc::new(asked))).await;
    }

    /// Something that a command asks.
    pub(super) async fn request(&mut self, request: Request) {
        // Whoever asked may be gone.
        match request {
            Request::Stop(key, reply) => {
                let stopped = self.depth(&key);
                self.stop_session(&key).await;
                let stopped = Stopped { was_running: stopped.0, dropped: stopped.1 };
                let _ = reply.send(stopped);
            }
            Request::Depth(key, reply) => {
                let _ = reply.send(self.depth(&key));
            }
            Request::Forget(key, reply) => {
                if let Some(channel) = key.channel_id() {
                    self.pending.forget(channel);
                }
                self.happened.remove(&key);
                let _ = reply.send(());
            }
            Request::Binding(place, reply) => {
                let _ = reply.send(self.bindings.get(place).cloned());
            }
            Request::Bindings(reply) => {
                let _ = reply.send(self.bindings.records().cloned().collect());
            }
            Request::Bind(bind, reply) => {
                let _ = reply.send(self.bind(*bind));
            }
            Request::Hook(place, webhook, reply) => {
                self.bindings.set_webhook(unix_ms(), place, webhook);
                let _ = reply.send(());
            }
            Request::Unbind(place, reply) => {
                let _ = reply.send(self.bindings.unbind(unix_ms(), place));
            }
            Request::SetLimit(place, limit, to, reply) => {
                let record = match limit {
                    Limit::Idle => self.bindings.set_idle(unix_ms(), place, to),
                    Limit::MaxAge => self.bindings.set_max_age(unix_ms(), place, to),
                };
                let _ = reply.send(record.cloned());
            }
            Request::Slash(invocation, reply) => self.slash(&invocation, reply),
        }
        self.carry_out_bindings();
    }

    fn depth(&self, key: &SessionKey) -> (bool, usize) {
        let session = self.sessions.get(key);
        session.map_or((false, 0), |it| (it.active.is_some(), it.lane.depth()))
    }

    fn slash(&mut self, invocation: &Invocation, reply: oneshot::Sender<Option<String>>) {
        let given = ControlCommand::typed(invocation)
            .and_then(|command| self.given_by_slash(invocation, command));
        let Some(given) = given else {
            let _ = reply.send(None);
            return;
        };
        let door = self.door();
        self.jobs.spawn(async move {
            let _ = reply.send(Some(given.answer(&door).await));
            JobEnd::Done
        });
    }

    fn given_by_slash(&self, invocation: &Invocation, command: ControlCommand) -> Option<Given> {
        let user = invocation.user?;
        let channel = invocation.asked_in.as_ref()?.channel;
        let surface = self.surface(channel, invocation.guild, user);
        let names = self.names(channel, invocation.guild);
        let roles = invocation.roles.clone();
        let origin = Origin {
            surface,
            channel,
            channel_name: &names.0,
            guild: invocation.guild,
            guild_name: &names.1,
            roles: &roles,
            sender: user,
        };
        let route = self.bindings.effective(unix_ms(), &self.rules.router, &origin);
        let authorised = self.may_command(invocation, user);
        let owner = self.rules.inbound.is_owner(user);
        let guild = invocation.guild;
        Some(Given {
            command,
            surface,
            channel,
            guild,
            names,
            roles,
            user,
            route,
            authorised,
            owner,
        })
    }

    fn may_command(&self, invocation: &Invocation, user: UserId) -> bool {
        use clawvoice_session::access::Member;
        let names: Vec<&str> = invocation.names.iter().map(String::as_str).collect();
        let member = Member { user, roles: &invocation.roles, names: &names };
        let policy = &self.rules.inbound.rules;
        match (invocation.guild, &invocation.asked_in) {
            (Some(guild), Some(asked_in)) => {
                let place = crate::inbound::place(&self.places, guild, asked_in.channel);
                policy.commands.may_command(&policy.access, &place, &member).is_ok()
            }
            _ => self.rules.inbound.is_owner(user) || policy.commands.knows(&member),
        }
    }
}

/// Sends a command's reply, and ends its message.
async fn reply_to_message(
    around: &Around,
    channel: ChannelId,
    messages: Vec<(ChannelId, MessageId)>,
    reply: &str,
    goes_on: bool,
) {
    let turn = match messages.last() {
        Some((channel, message)) => format!("command:{}:{channel}:{message}", around.account),
        None => return,
    };
    let finished = Finished {
        account: around.account.clone(),
        // What follows the command is still to be answered.
        messages: if goes_on { Vec::new() } else { messages },
        outcome: Outcome::Command,
        session: None,
        asker: None,
        turn,
    };
    around.send(finished, notice(&Destination::Channel(channel), reply)).await;
}

/// What commands are carried out by.
struct Door {
    around: Arc<Around>,
    rules: Arc<Rules>,
    requests: Requests,
    file: Option<Arc<dyn ConfigFile>>,
    began: Instant,
}

impl Door {
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, DoorFailure> {
        let answer = self.requests.ask(request).await;
        answer.ok_or_else(|| DoorFailure("The bot is shutting down.".to_owned()))
    }

    fn file(&self) -> Result<&dyn ConfigFile, DoorFailure> {
        let none = || DoorFailure("The configuration cannot be changed from here.".to_owned());
        self.file.as_deref().ok_or_else(none)
    }
}

fn failed(error: impl std::fmt::Display) -> DoorFailure {
    DoorFailure(error.to_string())
}

#[async_trait]
impl ControlDoor for Door {
    async fn reset(&self, session: &SessionKey) -> Result<(), DoorFailure> {
        self.ask(|reply| Request::Stop(session.clone(), reply)).await?;
        self.ask(|reply| Request::Forget(session.clone(), reply)).await?;
        self.around.agent.reset(session).await;
        let at = Timestamp::now();
        self.around.mailbox.reset_session(session, at).await.map_err(failed)
    }

    async fn stop(&self, session: &SessionKey) -> Result<Stopped, DoorFailure> {
        self.ask(|reply| Request::Stop(session.clone(), reply)).await
    }

    async fn status(&self, session: &SessionKey) -> Result<SessionFacts, DoorFailure> {
        let (is_running, waiting) =
            self.ask(|reply| Request::Depth(session.clone(), reply)).await?;
        let facts = self.around.mailbox.facts(session).await.map_err(failed)?;
        let spent = self.around.agent.spent(session).await;
        let agent = self.rules.agent(session.agent());
        let own = || agent.models.first().cloned().unwrap_or_else(|| "echo/echo".to_owned());
        Ok(SessionFacts {
            model_is_chosen: facts.model.is_some(),
            model: facts.model.unwrap_or_else(own),
            is_running,
            waiting,
            usage: spent.map(|spent| spent.usage).unwrap_or_default(),
            nano_dollars: spent.map(|spent| spent.nano_dollars).filter(|cost| *cost > 0),
            last_activity: facts.active.and_then(|at| u64::try_from(at.as_millisecond()).ok()),
            uptime: self.began.elapsed(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    async fn models(&self, agent: &str) -> Vec<String> {
        self.rules.agent(agent).models.clone()
    }

    async fn set_model(
        &self,
        session: &SessionKey,
        model: Option<&str>,
    ) -> Result<(), DoorFailure> {
        let model = model.map(str::to_owned);
        self.around.mailbox.set_model(session, model).await.map_err(failed)
    }

    async fn config_get(&self, path: Option<&str>) -> Result<String, DoorFailure> {
        self.file()?.get(path).await.map_err(DoorFailure)
    }

    async fn config_set(&self, path: &str, value: &str) -> Result<(), DoorFailure> {
        self.file()?.set(path, value).await.map_err(DoorFailure)
    }

    async fn config_unset(&self, path: &str) -> Result<(), DoorFailure> {
        self.file()?.unset(path).await.map_err(DoorFailure)
    }

    async fn agents(&self) -> Vec<AgentFacts> {
        let config = &self.rules.config;
        let facts = config.agents.all.iter().map(|agent| AgentFacts {
            id: agent.id.clone(),
            name: agent.name.clone(),
            is_default: agent.id == config.agent.id,
        });
        facts.collect()
    }

    async fn find_session(&self, named: &str) -> Option<SessionName> {
        let key: SessionKey = named.parse().ok()?;
        let facts = self.around.mailbox.facts(&key).await.ok()?;
        facts.active.map(|_| SessionName { key, label: None })
    }

    async fn open_thread(&self, channel: ChannelId, name: &str) -> Result<ChannelId, DoorFailure> {
        let thread = NewThread { name: name.to_owned(), auto_archive_minutes: None };
        self.around.rest.open_thread(channel, &thread, false).await.map_err(failed)
    }

    async fn binding(&self, place: BoundPlace) -> Option<BindingRecord> {
        self.requests.ask(|reply| Request::Binding(place, reply)).await.flatten()
    }

    async fn bindings(&self) -> Vec<BindingRecord> {
        self.requests.ask(Request::Bindings).await.unwrap_or_default()
    }

    async fn bind(&self, bind: Bind) -> Result<(), DoorFailure> {
        let place = bind.place;
        let bound = self.ask(|reply| Request::Bind(Box::new(bind), reply)).await?;
        let Some(parent) = bound.map_err(failed)? else { return Ok(()) };
        match hooks::create(&self.around.rest, parent).await {
            Some(webhook) => self.ask(|reply| Request::Hook(place, webhook, reply)).await,
            None => Ok(()),
        }
    }

    async fn unbind(&self, place: BoundPlace) -> Option<BindingRecord> {
        self.requests.ask(|reply| Request::Unbind(place, reply)).await.flatten()
    }

    async fn set_limit(
        &self,
        place: BoundPlace,
        limit: Limit,
        to: Duration,
    ) -> Option<BindingRecord> {
        self.requests.ask(|reply| Request::SetLimit(place, limit, to, reply)).await.flatten()
    }
}
