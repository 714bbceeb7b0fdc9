//! What commands ask of the desk, and slash commands of text.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use clawvoice_session::{ChannelId, GuildId, SessionKey, UserId};
use tokio::sync::{mpsc, oneshot};

use super::{
    picker::{PickCall, Showing},
    slash::{ReplyTo, SlashAsker, SlashCall},
};
use crate::{
    command::{Completion, Invocation, SlashReply},
    control::{Limit, Stopped},
    interaction::ComponentUse,
    lane::LaneSettings,
    routing::binding::{Bind, BindRefusal, BindingRecord, BoundPlace, Webhook},
};

/// What a click shows, at most: that something is under way, and what came of it.
const SHOWN: usize = 4;

/// Discord waits three seconds for choices.
const COMPLETION: Duration = Duration::from_secs(2);

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
    Slash(Box<SlashCall>, ReplyTo),
    /// A click in the model picker, and where what it becomes goes.
    Pick(Box<PickCall>, Showing),
    /// Somebody chose a model in the picker.
    Chose(Option<GuildId>, UserId, String),
    /// What an option of one could be.
    Complete(Box<Completion>, oneshot::Sender<Vec<String>>),
    /// Whether somebody who was allowed to command still is.
    MayStill(Arc<SlashAsker>, oneshot::Sender<bool>),
    /// How turns of a session wait, and whether somebody chose that.
    Queue(SessionKey, oneshot::Sender<(LaneSettings, bool)>),
    SetQueue(SessionKey, Option<LaneSettings>, oneshot::Sender<()>),
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
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(request(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Asks without waiting for the answer, which is somebody else's.
    pub(super) async fn tell(&self, request: Request) {
        if self.0.send(request).await.is_err() {
            tracing::debug!("a command comes too late: text has ended");
        }
    }
}

/// Answers slash commands that are text's. Cloning gives another handle to the same.
#[derive(Clone)]
pub struct SlashDoor(Requests);

impl SlashDoor {
    /// The reply; `None`: it is none of text's commands, or text has ended.
    pub async fn answer(&self, invocation: Invocation) -> Option<SlashReply> {
        let call = Box::new(SlashCall::new(invocation));
        self.0.ask(|reply| Request::Slash(call, reply)).await.flatten()
    }

    /// A click in the model picker; what the picker becomes, one after the other. Nothing comes of a
    /// picker that is somebody else's.
    pub async fn pick(&self, click: ComponentUse) -> mpsc::Receiver<SlashReply> {
        let (showing, shown) = mpsc::channel(SHOWN);
        let asker = SlashAsker::new(click.by.clone());
        self.0.tell(Request::Pick(Box::new(PickCall { click, asker }), showing)).await;
        shown
    }

    /// What an option could be, as soon as Discord wants to know; nothing if that is too soon.
    pub async fn complete(&self, completion: Completion) -> Vec<String> {
        let asked = self.0.ask(|reply| Request::Complete(Box::new(completion), reply));
        tokio::time::timeout(COMPLETION, asked).await.ok().flatten().unwrap_or_default()
    }
}

impl std::fmt::Debug for SlashDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SlashDoor")
    }
}
