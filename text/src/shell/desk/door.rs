//! What commands are carried out by: the desk, the store, the agent and the configuration's file.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use clawvoice_session::{ChannelId, SessionKey};
use tokio::sync::oneshot;

use super::{
    super::thread_calls::NewThread,
    around::{Around, Rules},
    hooks,
    requests::{ConfigFile, Request, Requests},
    slash::SlashAsker,
};
use crate::{
    control::{AgentFacts, ControlDoor, DoorFailure, Limit, SessionFacts, SessionName, Stopped},
    lane::LaneSettings,
    routing::binding::{Bind, BindingRecord, BoundPlace},
};

/// What commands are carried out by.
pub(super) struct Door {
    pub(super) around: Arc<Around>,
    pub(super) rules: Arc<Rules>,
    pub(super) requests: Requests,
    pub(super) file: Option<Arc<dyn ConfigFile>>,
    pub(super) began: Instant,
    /// Who gives a slash command; `None`: a message's command is judged where it is carried out.
    pub(super) asker: Option<Arc<SlashAsker>>,
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
    async fn may_still(&self) -> bool {
        match &self.asker {
            None => true,
            Some(asker) => {
                let asked = self.requests.ask(|it| Request::MayStill(Arc::clone(asker), it));
                asked.await.unwrap_or(false)
            }
        }
    }

    async fn queue(&self, session: &SessionKey) -> Result<(LaneSettings, bool), DoorFailure> {
        self.ask(|reply| Request::Queue(session.clone(), reply)).await
    }

    async fn set_queue(
        &self,
        session: &SessionKey,
        settings: Option<LaneSettings>,
    ) -> Result<(), DoorFailure> {
        self.ask(|reply| Request::SetQueue(session.clone(), settings, reply)).await
    }

    async fn reset(&self, session: &SessionKey) -> Result<(), DoorFailure> {
        self.ask(|reply| Request::Stop(session.clone(), reply)).await?;
        self.ask(|reply| Request::Forget(session.clone(), reply)).await?;
        self.around.agent.reset(session).await.map_err(failed)
    }

    async fn stop(&self, session: &SessionKey) -> Result<Stopped, DoorFailure> {
        self.ask(|reply| Request::Stop(session.clone(), reply)).await
    }

    async fn status(&self, session: &SessionKey) -> Result<SessionFacts, DoorFailure> {
        let (is_running, waiting) =
            self.ask(|reply| Request::Depth(session.clone(), reply)).await?;
        let facts = self.around.mailbox.facts(session).await.map_err(failed)?;
        let spent = self.around.agent.spent(session).await;
        let today = self.around.agent.spent_today(session).await;
        let agent = self.rules.agent(session.agent());
        let own = || agent.models.first().cloned().unwrap_or_else(|| "echo/echo".to_owned());
        Ok(SessionFacts {
            model_is_chosen: facts.model.is_some(),
            model: facts.model.unwrap_or_else(own),
            is_running,
            waiting,
            usage: spent.map(|spent| spent.usage).unwrap_or_default(),
            nano_dollars: spent.map(|spent| spent.nano_dollars).filter(|cost| *cost > 0),
            today,
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
