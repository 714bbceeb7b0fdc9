//! Slash commands: judged by the desk, carried out beside it.

use std::sync::Arc;

use clawvoice_config::ToolLists;
use clawvoice_session::{UserId, access::Audience, pairing};
use serde_json::json;
use tokio::sync::oneshot;

use super::{
    super::clock::unix_ms, Desk, JobEnd, commands::Given, door::Door, picker::opening,
    question::Asked, requests::Request,
};
use crate::{
    command::{
        Completion, Invocation, SlashReply, argument_menu,
        authority::{self, CallerNeed, Denial, Facts, Ruling, judge},
        complete::matching,
    },
    control::{self, ControlCommand, ControlRules},
    inbound::{Admitted, Sender, Surface, pairing_reply},
    interaction::Caller,
    message::Message,
    place::PlaceKind,
    routing::{self, Origin, binding::BoundPlace},
};

/// A slash command, and what was found out about whoever gave it.
pub(super) struct SlashCall {
    pub(super) invocation: Invocation,
    pub(super) asker: SlashAsker,
}

/// Somebody who gives a slash command.
#[derive(Clone)]
pub(super) struct SlashAsker {
    by: Caller,
    paired: Option<bool>,
    audiences: Vec<(Audience, bool)>,
}

impl SlashCall {
    pub(super) fn new(invocation: Invocation) -> Self {
        Self { asker: SlashAsker::new(invocation.by.clone()), invocation }
    }
}

impl SlashAsker {
    pub(super) const fn new(by: Caller) -> Self {
        Self { by, paired: None, audiences: Vec::new() }
    }
}

/// Where the reply goes; `None`: the command is another's.
pub(super) type ReplyTo = oneshot::Sender<Option<SlashReply>>;

impl Desk {
    /// A slash command. Whoever asked may be gone: that is no failure.
    pub(super) fn slash(&mut self, call: Box<SlashCall>, reply: ReplyTo) {
        let Some(command) = ControlCommand::typed(&call.invocation) else {
            let _ = reply.send(None);
            return;
        };
        match self.ruling(&call.asker) {
            Ruling::Needs(need) => {
                let SlashCall { invocation, asker } = *call;
                self.find_out(need, asker, |asker| {
                    Request::Slash(Box::new(SlashCall { invocation, asker }), reply)
                });
            }
            Ruling::Denied(denial) => self.deny(denial, &call, reply),
            Ruling::Allowed => self.allowed(*call, command, reply),
        }
    }

    /// Whether they may still do what they were allowed to.
    pub(super) fn may_still(&self, asker: &SlashAsker) -> bool {
        self.ruling(asker) == Ruling::Allowed
    }

    /// What an option could be; nothing for whoever may not give the command, or of whom that is not
    /// known yet.
    pub(super) fn complete(&self, completion: &Completion) -> Vec<String> {
        let asker = SlashAsker::new(completion.invocation.by.clone());
        if !self.may_still(&asker) {
            return Vec::new();
        }
        let by = &completion.invocation.by;
        let route = by
            .user
            .zip(by.asked_in.as_ref())
            .map(|(user, asked_in)| self.route_of(asked_in.channel, by.guild, user, &by.roles));
        let all = match (completion.invocation.name.as_str(), route) {
            ("model", Some(route)) => self.rules.agent(&route.agent).models.clone(),
            ("focus", Some(_)) => {
                self.rules.config.agents.all.iter().map(|agent| agent.id.clone()).collect()
            }
            _ => Vec::new(),
        };
        matching(&all, completion.typed())
    }

    pub(super) fn ruling(&self, asker: &SlashAsker) -> Ruling {
        judge(&asker.by, &self.facts(asker), &self.rules.inbound)
    }

    fn facts<'a>(&'a self, asker: &'a SlashAsker) -> Facts<'a> {
        let private = asker.by.user.filter(|_| asker.by.guild.is_none());
        Facts {
            places: &self.places,
            dm_is_bound: private
                .is_some_and(|user| self.bindings.get(BoundPlace::User(user)).is_some()),
            paired: asker.paired,
            audiences: &asker.audiences,
        }
    }

    /// Finds it out, and asks again.
    pub(super) fn find_out(
        &mut self,
        need: CallerNeed,
        mut asker: SlashAsker,
        again: impl FnOnce(SlashAsker) -> Request + Send + 'static,
    ) {
        // Nothing is needed of a caller without an id: they are refused before.
        let Some(user) = asker.by.user else { return };
        let (finder, requests) = (Arc::clone(&self.finder), self.requests.clone());
        self.jobs.spawn(async move {
            match need {
                CallerNeed::Paired => asker.paired = Some(finder.is_paired(user).await),
                CallerNeed::Audience(audience) => {
                    let (guild, channel) = (audience.guild, audience.channel);
                    let belongs = finder.audiences.sees(guild, channel, user).await;
                    asker.audiences.push((audience, belongs));
                }
            }
            requests.tell(again(asker)).await;
            JobEnd::Done
        });
    }

    fn deny(&mut self, denial: Denial, call: &SlashCall, reply: ReplyTo) {
        let by = &call.asker.by;
        let name = call.invocation.name.clone();
        tracing::info!(user = ?by.user, "/{name} is refused: {denial}");
        let (Denial::Stranger, Some(user)) = (denial, by.user) else {
            let _ = reply.send(Some(SlashReply::Denied(denial.to_string())));
            return;
        };
        let finder = Arc::clone(&self.finder);
        self.jobs.spawn(async move {
            let told = match finder.ask_pairing(user).await {
                Some(pairing::Answer::Tell(request)) => pairing_reply(&request),
                Some(pairing::Answer::Known) => Denial::Stranger.to_string(),
                // Told nothing that they could do, but told.
                Some(pairing::Answer::Capped) | None => Denial::NotAuthorized.to_string(),
            };
            let _ = reply.send(Some(SlashReply::Denied(told)));
            JobEnd::Done
        });
    }

    fn allowed(&mut self, call: SlashCall, command: ControlCommand, reply: ReplyTo) {
        let SlashCall { invocation, asker } = call;
        let config = &self.rules.config;
        let definitions = control::definitions(ControlRules::of(config, &config.discord));
        let definition = definitions.iter().find(|it| it.name == invocation.name);
        if let (Some(definition), Some(user)) = (definition, asker.by.user)
            && let Some(option) = argument_menu::missing(definition, &invocation)
        {
            let menu = argument_menu::menu(definition, option, user);
            let _ = reply.send(Some(SlashReply::Shown(menu)));
            return;
        }
        let Some(given) = self.given_by_slash(&asker.by, command) else {
            let _ = reply.send(Some(SlashReply::Denied(Denial::PlaceUnknown.to_string())));
            return;
        };
        let by = asker.by.clone();
        let tools = authority::tools(&by, &self.facts(&asker), &self.rules.inbound);
        let door = Door { asker: Some(Arc::new(asker)), ..self.door() };
        if let Some(command) = opening(&invocation) {
            return self.open_picker(command, given, door, reply);
        }
        let question = given.command.then().and_then(|words| question(&by, &given, words, tools));
        self.jobs.spawn(async move {
            let outcome = given.attempt(&door).await;
            let is_done = outcome.is_ok();
            let told = outcome.unwrap_or_else(|failure| failure.to_string());
            let _ = reply.send(Some(SlashReply::Said(told)));
            match question.filter(|_| is_done) {
                Some(asked) => JobEnd::Ask(Box::new(asked)),
                None => JobEnd::Done,
            }
        });
    }

    pub(super) fn given_by_slash(&self, by: &Caller, command: ControlCommand) -> Option<Given> {
        let user = by.user?;
        let asked_in = by.asked_in.as_ref()?;
        let channel = asked_in.channel;
        let surface = self.surface_of(by, user);
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
        let owner = self.rules.inbound.is_owner(user);
        let guild = by.guild;
        let authorised = true;
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

    /// A thread is of the channel that the payload says, known or not.
    fn surface_of(&self, by: &Caller, user: UserId) -> routing::Surface {
        match &by.asked_in {
            Some(it) if it.kind == Some(PlaceKind::GroupDirect) => routing::Surface::Group,
            Some(it) => match it.parent {
                Some(parent) if by.guild.is_some() => routing::Surface::Thread { parent },
                _ => self.surface(it.channel, by.guild, user),
            },
            None => routing::Surface::Direct { user },
        }
    }
}

/// What is asked after a command that begins anew, as the message it would have been: it goes by the
/// interaction's id.
fn question(
    by: &Caller,
    given: &Given,
    words: &str,
    tools: Option<Arc<ToolLists>>,
) -> Option<Asked> {
    let username = by.names.last();
    let global_name = by.names.first().filter(|_| by.names.len() > 1);
    let mut json = json!({
        "id": by.interaction.to_string(),
        "channel_id": given.channel.to_string(),
        "author": {
            "id": given.user.to_string(), "username": username, "global_name": global_name,
        },
        "member": { "nick": by.nick, "roles": [] },
        "content": words,
    });
    if let Some(guild) = given.guild {
        json["guild_id"] = guild.to_string().into();
    }
    let message = Message::read(&json.to_string()).ok()?;
    let surface = match given.surface {
        routing::Surface::Direct { .. } => Surface::Direct,
        routing::Surface::Group => Surface::GroupDirect,
        routing::Surface::Channel | routing::Surface::Thread { .. } => Surface::Guild,
    };
    let admitted = Admitted {
        sender: Sender::of(&message, None),
        roles: given.roles.clone(),
        owner: given.owner,
        surface,
        guild: given.guild,
        channel: given.channel,
        parent: given.origin().parent(),
        canonical: message.id,
        addressed: true,
        was_mentioned: true,
        gated: false,
        ambient: false,
        text: words.to_owned(),
        command: None,
        tools,
        batch: false,
    };
    Some(Asked {
        ids: vec![message.id],
        channel: given.channel,
        route: given.route.clone(),
        message,
        admitted,
        opened: None,
        transcript: None,
    })
}
