//! Commands, as text and as slash commands: carried out beside the desk, with what the desk alone
//! knows asked of it.

use std::sync::Arc;

use clawvoice_session::{
    ChannelId, MessageId, RoleId, SessionKey, UserId,
    mail::{Finished, Outcome},
};
use tokio::sync::oneshot;

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
    command::Invocation,
    control::{ControlCommand, ControlContext, ControlRules, Limit, Stopped, answer},
    inbound::{Admitted, TextCommand},
    interaction::Caller,
    outbox::outgoing::Destination,
    routing::{self, Origin, Route},
};

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
        let by = &invocation.by;
        let user = by.user?;
        let channel = by.asked_in.as_ref()?.channel;
        let surface = self.surface(channel, by.guild, user);
        let names = self.names(channel, by.guild);
        let roles = by.roles.clone();
        let origin = Origin {
            surface,
            channel,
            channel_name: &names.0,
            guild: by.guild,
            guild_name: &names.1,
            roles: &roles,
            sender: user,
        };
        let route = self.bindings.effective(unix_ms(), &self.rules.router, &origin);
        let authorised = self.may_command(by, user);
        let owner = self.rules.inbound.is_owner(user);
        let guild = by.guild;
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

    fn may_command(&self, by: &Caller, user: UserId) -> bool {
        use clawvoice_session::access::Member;
        let names: Vec<&str> = by.names.iter().map(String::as_str).collect();
        let member = Member { user, roles: &by.roles, names: &names };
        let policy = &self.rules.inbound.rules;
        match (by.guild, &by.asked_in) {
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
