//! What commands ask of the desk, and slash commands of text.

use std::time::Duration;

use async_trait::async_trait;
use clawvoice_session::{ChannelId, SessionKey};
use tokio::sync::{mpsc, oneshot};

use crate::{
    command::Invocation,
    control::{Limit, Stopped},
    routing::binding::{Bind, BindRefusal, BindingRecord, BoundPlace, Webhook},
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
    pub(super) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Option<T> {
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
