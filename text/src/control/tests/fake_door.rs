//! A door that remembers what it is asked, and keeps bindings by the real rules.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use clawvoice_config::{QueueDrop, QueueMode};
use clawvoice_session::{
    ChannelId, SessionKey, UserId,
    agent::{SpentToday, Usage},
};

use crate::{
    control::*,
    lane::LaneSettings,
    routing::{
        Origin, Route, Router, Surface,
        binding::{Bind, BindingRecord, Bindings, BoundPlace},
        tests::{channel, config, router_of},
    },
};

pub(super) const NOW: u64 = 1_700_000_000_000;
pub(super) const ADA: UserId = UserId::new(31);

pub(super) struct FakeDoor {
    pub(super) calls: Mutex<Vec<String>>,
    pub(super) bindings: Mutex<Bindings>,
    pub(super) models: Vec<String>,
    pub(super) facts: SessionFacts,
    /// Whether whoever asks may still command.
    pub(super) may_still: bool,
    pub(super) queue: Mutex<Option<LaneSettings>>,
}

const WRITTEN: LaneSettings =
    LaneSettings { mode: QueueMode::Steer, cap: 20, drop: QueueDrop::Summarize };

impl Default for FakeDoor {
    fn default() -> Self {
        let settings = config("").discord.delivery.thread_bindings;
        let facts = SessionFacts {
            model: "openai/gpt-5.5".to_owned(),
            model_is_chosen: true,
            is_running: true,
            waiting: 2,
            usage: Usage { input: 12_345, cached: 2_000, output: 678 },
            nano_dollars: Some(12_345_678),
            today: Some(SpentToday { session: 4_500_000, agent: 1_500_000_000 }),
            last_activity: Some(NOW - 300_000),
            uptime: Duration::from_secs(7_500),
            version: "0.1.0".to_owned(),
        };
        Self {
            calls: Mutex::default(),
            bindings: Mutex::new(Bindings::new("default", settings, [])),
            models: ["openai/gpt-5.5", "azure/gpt-5.5", "local/Qwen"].map(str::to_owned).to_vec(),
            facts,
            may_still: true,
            queue: Mutex::default(),
        }
    }
}

impl FakeDoor {
    fn call(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    pub(super) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    pub(super) fn bound(&self, place: BoundPlace) -> Option<BindingRecord> {
        self.bindings.lock().unwrap().get(place).cloned()
    }
}

#[async_trait]
impl ControlDoor for FakeDoor {
    async fn may_still(&self) -> bool {
        self.may_still
    }

    async fn queue(&self, _: &SessionKey) -> Result<(LaneSettings, bool), DoorFailure> {
        let chosen = *self.queue.lock().unwrap();
        Ok((chosen.unwrap_or(WRITTEN), chosen.is_some()))
    }

    async fn set_queue(
        &self,
        session: &SessionKey,
        settings: Option<LaneSettings>,
    ) -> Result<(), DoorFailure> {
        self.call(format!("queue {session}"));
        *self.queue.lock().unwrap() = settings;
        Ok(())
    }

    async fn reset(&self, session: &SessionKey) -> Result<(), DoorFailure> {
        self.call(format!("reset {session}"));
        Ok(())
    }

    async fn stop(&self, session: &SessionKey) -> Result<Stopped, DoorFailure> {
        self.call(format!("stop {session}"));
        Ok(Stopped { was_running: true, dropped: self.facts.waiting })
    }

    async fn status(&self, _: &SessionKey) -> Result<SessionFacts, DoorFailure> {
        Ok(self.facts.clone())
    }

    async fn models(&self, _: &str) -> Vec<String> {
        self.models.clone()
    }

    async fn set_model(
        &self,
        session: &SessionKey,
        model: Option<&str>,
    ) -> Result<(), DoorFailure> {
        self.call(format!("model {session} {model:?}"));
        Ok(())
    }

    async fn config_get(&self, path: Option<&str>) -> Result<String, DoorFailure> {
        self.call(format!("get {path:?}"));
        Ok("{ token: '[redacted]' }".to_owned())
    }

    async fn config_set(&self, path: &str, value: &str) -> Result<(), DoorFailure> {
        self.call(format!("set {path} {value}"));
        match path {
            "bad" => Err(DoorFailure("bad: there is no such key".to_owned())),
            _ => Ok(()),
        }
    }

    async fn config_unset(&self, path: &str) -> Result<(), DoorFailure> {
        self.call(format!("unset {path}"));
        Ok(())
    }

    async fn agents(&self) -> Vec<AgentFacts> {
        let agent = |id: &str, name: Option<&str>, is_default| AgentFacts {
            id: id.to_owned(),
            name: name.map(str::to_owned),
            is_default,
        };
        vec![agent("main", None, true), agent("Ops.EU", Some("Operations"), false)]
    }

    async fn find_session(&self, named: &str) -> Option<SessionName> {
        let key: SessionKey = "agent:codex:subagent:7f".parse().unwrap();
        let is_it = named == "task 42" || named == key.as_str();
        is_it.then(|| SessionName { key, label: Some("task 42".to_owned()) })
    }

    async fn open_thread(&self, channel: ChannelId, name: &str) -> Result<ChannelId, DoorFailure> {
        self.call(format!("open {channel} {name}"));
        match channel.get() {
            6 => Err(DoorFailure("Threads cannot be opened here.".to_owned())),
            _ => Ok(ChannelId::new(99)),
        }
    }

    async fn binding(&self, place: BoundPlace) -> Option<BindingRecord> {
        self.bound(place)
    }

    async fn bindings(&self) -> Vec<BindingRecord> {
        self.bindings.lock().unwrap().records().cloned().collect()
    }

    async fn bind(&self, bind: Bind) -> Result<(), DoorFailure> {
        let mut bindings = self.bindings.lock().unwrap();
        bindings.bind(NOW, bind).map(drop).map_err(|refusal| DoorFailure(refusal.to_string()))
    }

    async fn unbind(&self, place: BoundPlace) -> Option<BindingRecord> {
        self.bindings.lock().unwrap().unbind(NOW, place)
    }

    async fn set_limit(
        &self,
        place: BoundPlace,
        limit: Limit,
        to: Duration,
    ) -> Option<BindingRecord> {
        let mut bindings = self.bindings.lock().unwrap();
        let record = match limit {
            Limit::Idle => bindings.set_idle(NOW, place, to),
            Limit::MaxAge => bindings.set_max_age(NOW, place, to),
        };
        record.cloned()
    }
}

/// Somebody in a place.
#[derive(Clone, Copy)]
pub(super) struct Asker {
    pub(super) from: Origin<'static>,
    pub(super) authorised: bool,
    pub(super) owner: bool,
    pub(super) rules: ControlRules,
}

/// Ada in channel 5, who may give commands and owns nothing.
pub(super) fn ada() -> Asker {
    let rules = ControlRules { config: true, config_writes: true, bindings: true };
    Asker { from: channel(5), authorised: true, owner: false, rules }
}

pub(super) fn in_thread(asker: Asker, thread: u64) -> Asker {
    let from = Origin {
        surface: Surface::Thread { parent: ChannelId::new(5) },
        channel: ChannelId::new(thread),
        ..asker.from
    };
    Asker { from, ..asker }
}

impl Asker {
    /// Where a message from there would be taken.
    pub(super) fn route(&self, router: &Router, door: &FakeDoor) -> Route {
        door.bindings.lock().unwrap().effective(NOW, router, &self.from)
    }

    /// Writes a message that is a command; the reply.
    pub(super) async fn writes(&self, door: &FakeDoor, text: &str) -> String {
        let config = config("");
        let router = router_of(&config, "default");
        let command = TextCommands::of(&config).parse(text).expect("it is a command");
        let route = self.route(&router, door);
        let context = ControlContext {
            from: &self.from,
            route: &route,
            authorised: self.authorised,
            owner: self.owner,
            rules: self.rules,
            now: NOW,
        };
        answer(&command, &context, door).await
    }
}
