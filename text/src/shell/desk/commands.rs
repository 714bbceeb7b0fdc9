//! Commands that are written as messages, and what all commands ask of the desk: they are carried
//! out beside it.

use std::sync::Arc;

use clawvoice_session::{
    ChannelId, MessageId, RoleId, SessionKey, UserId,
    mail::{Finished, Outcome},
};

use super::{
    super::clock::unix_ms,
    Desk, JobEnd,
    admission::Admission,
    around::{Around, notice},
    door::Door,
    question::{Asked, Question},
    requests::Request,
};
use crate::{
    control::{
        ControlCommand, ControlContext, ControlRules, DoorFailure, Limit, Stopped, answer, attempt,
    },
    inbound::{Admitted, TextCommand},
    lane::LaneSettings,
    outbox::outgoing::Destination,
    routing::{self, Origin, Route},
};

/// Sessions for which somebody chose how turns wait, until the process ends.
const MOST_QUEUES: usize = 1_000;

/// Who gives a command, and where.
pub(super) struct Given {
    pub(super) command: ControlCommand,
    pub(super) surface: routing::Surface,
    pub(super) channel: ChannelId,
    pub(super) guild: Option<clawvoice_session::GuildId>,
    pub(super) names: (String, String),
    pub(super) roles: Vec<RoleId>,
    pub(super) user: UserId,
    pub(super) route: Route,
    pub(super) authorised: bool,
    pub(super) owner: bool,
}

impl Given {
    pub(super) fn origin(&self) -> Origin<'_> {
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

    pub(super) async fn answer(&self, door: &Door) -> String {
        let origin = self.origin();
        answer(&self.command, &self.context(&origin, door), door).await
    }

    /// The same, and whether it was carried out.
    pub(super) async fn attempt(&self, door: &Door) -> Result<String, DoorFailure> {
        let origin = self.origin();
        attempt(&self.command, &self.context(&origin, door), door).await
    }

    fn context<'a>(&'a self, origin: &'a Origin<'a>, door: &Door) -> ControlContext<'a> {
        let config = &door.rules.config;
        ControlContext {
            from: origin,
            route: &self.route,
            authorised: self.authorised,
            owner: self.owner,
            rules: ControlRules::of(config, &config.discord),
            now: unix_ms(),
        }
    }
}

impl Desk {
    pub(super) fn door(&self) -> Door {
        Door {
            around: Arc::clone(&self.around),
            rules: Arc::clone(&self.rules),
            requests: self.requests.clone(),
            file: self.file.clone(),
            began: self.began,
            asker: None,
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

    pub(super) fn names(
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
                self.hooked(place, webhook);
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
            Request::Slash(call, reply) => self.slash(call, reply),
            Request::Complete(completion, reply) => {
                let _ = reply.send(self.complete(&completion));
            }
            Request::Pick(call, showing) => self.pick(call, showing),
            Request::Chose(guild, user, model) => self.chose(guild, user, &model),
            Request::MayStill(asker, reply) => {
                let _ = reply.send(self.may_still(&asker));
            }
            Request::Queue(key, reply) => {
                let _ = reply.send((self.lane_settings(&key), self.queues.contains_key(&key)));
            }
            Request::SetQueue(key, settings, reply) => {
                self.set_queue(key, settings);
                let _ = reply.send(());
            }
        }
        self.carry_out_bindings();
    }

    /// How turns of a session wait: as somebody chose, else as the file says.
    pub(super) fn lane_settings(&self, key: &SessionKey) -> LaneSettings {
        let written = LaneSettings::new(&self.rules.config.messages);
        self.queues.get(key).copied().unwrap_or(written)
    }

    /// Somebody chose how turns of a session wait; `None`: as the file says again.
    fn set_queue(&mut self, key: SessionKey, settings: Option<LaneSettings>) {
        match settings {
            // With too many, all are as the file says again.
            Some(_) if self.queues.len() >= MOST_QUEUES => self.queues.clear(),
            _ => {}
        }
        match settings {
            Some(settings) => drop(self.queues.insert(key.clone(), settings)),
            None => drop(self.queues.remove(&key)),
        }
        let settings = self.lane_settings(&key);
        if let Some(session) = self.sessions.get_mut(&key) {
            session.lane.set_settings(settings);
        }
    }

    fn depth(&self, key: &SessionKey) -> (bool, usize) {
        let session = self.sessions.get(key);
        session.map_or((false, 0), |it| (it.active.is_some(), it.lane.depth()))
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
