//! Threads that are opened for answers, and what becomes of the sessions of threads that end.

use std::sync::Arc;

use clawvoice_session::{ChannelId, SessionKey};

use super::{
    super::thread_calls::{NewThread as ThreadRequest, OnMessage},
    Desk, JobEnd,
    around::Around,
    question::Asked,
    titles,
};
use crate::{
    inbound::Verdict,
    place::{Channel, PlaceKind},
    routing::thread::{NewThread, TitleRequest},
};

/// The thread that a message of its parent is answered in.
#[derive(Clone, Debug)]
pub(super) struct AnswerThread {
    /// It.
    pub(super) id: ChannelId,
    /// How it was opened; `None`: it was there already.
    pub(super) opened: Option<Opened>,
}

/// How a thread was opened for an answer.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// What it is called.
    pub(super) name: String,
    /// What a model is asked so that it gets a better name.
    pub(super) title: Option<TitleRequest>,
}

/// Opens a thread on a message, or finds the one that is there; `None`: neither can be done.
pub(super) async fn open(
    around: &Around,
    channel: ChannelId,
    wanted: NewThread,
) -> Option<AnswerThread> {
    let request = ThreadRequest {
        name: wanted.title.clone(),
        auto_archive_minutes: Some(wanted.archive_minutes),
    };
    match around.rest.thread_on_message(channel, wanted.on, &request).await {
        Ok(OnMessage { thread, existed }) => {
            let opened = Opened { name: wanted.title, title: wanted.generated };
            Some(AnswerThread { id: thread, opened: (!existed).then_some(opened) })
        }
        Err(failure) => {
            tracing::warn!("no thread is opened, the answer goes to the channel: {failure}");
            None
        }
    }
}

impl Desk {
    /// A thread was opened for the first message of the channel; `None`: it could not be.
    pub(super) async fn thread_opened(&mut self, channel: ChannelId, thread: Option<AnswerThread>) {
        if let Some(thread) = &thread {
            self.learn_thread(channel, thread);
        }
        self.admissions.resume(channel);
        let first = self.admissions.first(channel);
        if let Some(Verdict::Admit(admitted)) = first.map(|first| self.judge(first)) {
            self.ask_first(channel, *admitted, thread).await;
        }
        self.decide(channel).await;
    }

    /// The gateway may tell of the thread later than REST.
    fn learn_thread(&mut self, parent: ChannelId, thread: &AnswerThread) {
        let Some(opened) = &thread.opened else { return };
        if self.places.channel(thread.id).is_some() {
            return;
        }
        self.places.put(Channel {
            id: thread.id,
            guild: self.places.channel(parent).and_then(|parent| parent.guild),
            kind: PlaceKind::Thread,
            name: opened.name.clone(),
            parent: Some(parent),
            topic: None,
            owner: *self.own.borrow(),
            archived: false,
            requires_tag: false,
            last_message: None,
        });
    }

    /// The first answer in a thread is there: it may get a better name.
    pub(super) fn name_thread(&mut self, asked: &Arc<Asked>) {
        let Some(Opened { name, title: Some(request) }) = &asked.opened else { return };
        // An echo knows no better one.
        if self.rules.agent(&asked.route.agent).models.is_empty() {
            return;
        }
        let (around, asked) = (Arc::clone(&self.around), Arc::clone(asked));
        let (name, request) = (name.clone(), request.clone());
        self.jobs.spawn(async move {
            match titles::ask(&around, &asked, &request).await {
                Some(title) if title != name => JobEnd::Titled(asked.channel, name, title),
                _ => JobEnd::Done,
            }
        });
    }

    /// A model has named a thread; a name that people gave it meanwhile stays.
    pub(super) fn titled(&mut self, thread: ChannelId, was: &str, title: String) {
        let known = self.places.channel(thread);
        if known.is_some_and(|known| known.name != was) {
            return;
        }
        let around = Arc::clone(&self.around);
        self.jobs.spawn(async move {
            if let Err(failure) = around.rest.rename_channel(thread, &title).await {
                tracing::info!("thread {thread} keeps its first name: {failure}");
            }
            JobEnd::Done
        });
    }

    /// A thread was archived or deleted: what is said in it later is a conversation of its own.
    pub(super) async fn close_thread(&mut self, thread: ChannelId) {
        let agents = self.rules.router.agents().iter();
        let keys: Vec<_> = agents.map(|agent| SessionKey::channel(agent, thread)).collect();
        for key in &keys {
            self.happened.remove(key);
            self.stop_session(key).await;
        }
        let around = Arc::clone(&self.around);
        self.jobs.spawn(async move {
            for key in keys {
                close(&around, &key).await;
            }
            JobEnd::Done
        });
    }
}

/// Begins a session anew, if there is one.
async fn close(around: &Around, key: &SessionKey) {
    match around.mailbox.facts(key).await {
        Ok(facts) if facts.active.is_some() => {}
        Ok(_) => return,
        Err(error) => return tracing::warn!(session = %key, "a thread's session stays: {error}"),
    }
    if let Err(error) = around.agent.reset(key).await {
        return tracing::warn!(session = %key, "a thread's session stays: {error}");
    }
    tracing::info!(session = %key, "a thread's session is closed");
}
