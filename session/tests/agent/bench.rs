//! An agent with a store of its own, and one asker.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use clawvoice_session::{
    ChannelId, SessionKey, UserId,
    agent::{Agent as _, AgentEvent, Ask, AskedBy, RunId, RunReport, ToolScope},
    brain::{Api, Price},
    shell::{
        agent::{AgentSettings, RunLimits, RunningAgent, SharedTool},
        brain::{Endpoint as Address, Patience, Provider, ProviderKind},
        profile::{AgentProfile, Profiles},
        spending::{SpendingMonitor, SpendingRules},
    },
    tools::Tool,
};
use tokio::sync::mpsc;

use crate::endpoint::Endpoint;

pub(crate) const KEY: &str = "sk-hush";

pub(crate) fn session() -> SessionKey {
    SessionKey::channel("main", ChannelId::new(42))
}

pub(crate) fn ada() -> AskedBy {
    AskedBy { user: UserId::new(7), label: "Ada".into(), owner: false }
}

pub(crate) fn owner() -> AskedBy {
    AskedBy { user: UserId::new(1), label: "Olga".into(), owner: true }
}

pub(crate) fn ask(run: u64, message: &str) -> Ask {
    Ask {
        run: RunId::new(run),
        session: session(),
        by: ada(),
        message: message.into(),
        context: None,
        images: Vec::new(),
        instructions: Some("Speak.".into()),
        tools: ToolScope::OfSpeaker.into(),
        model: None,
        channel: Some(ChannelId::new(42)),
        surface: "discord-voice",
        origin: None,
    }
}

/// Settings with `own` (base URL, model) in order; two of them at one address share it.
pub(crate) fn settings(folder: &Path, own: &[(&str, &str)], api: Api) -> AgentSettings {
    let mut providers = BTreeMap::new();
    let mut models = Vec::new();
    for (number, (base_url, model)) in own.iter().enumerate() {
        let kind = ProviderKind::Http(Address {
            base_url: (*base_url).to_owned(),
            api_key: Some(KEY.to_owned().into()),
            credential: None,
            api,
        });
        let price = Price { input: 2.0, cached: 1.0, output: 8.0 };
        let prices = BTreeMap::from([((*model).to_owned(), price)]);
        providers.insert(format!("p{number}"), Provider { kind, prices, seeing: BTreeSet::new() });
        models.push(format!("p{number}/{model}").parse().unwrap());
    }
    AgentSettings {
        profiles: Profiles {
            default: AgentProfile { system_prompt: "You are Molty.".into(), models },
            others: BTreeMap::new(),
        },
        providers,
        patience: Patience::default(),
        store: folder.join("sessions.sqlite"),
        history_tokens: 1_000,
        limits: RunLimits::default(),
        cache: None,
        spending_rules: SpendingRules::default(),
        spending: SpendingMonitor::default(),
        tools: Vec::new(),
    }
}

pub(crate) fn echo(folder: &Path, think: Duration) -> AgentSettings {
    let mut settings = settings(folder, &[], Api::Completions);
    let kind = ProviderKind::Echo { think };
    settings
        .providers
        .insert("echo".into(), Provider { kind, prices: BTreeMap::new(), seeing: BTreeSet::new() });
    settings.profiles.default.models = vec!["echo".parse().unwrap()];
    settings
}

/// An agent whose only model is at `endpoint`.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) endpoint: Endpoint,
    pub(crate) agent: Arc<RunningAgent>,
    pub(crate) asker: Asker,
}

/// What an asker is told, run by run.
pub(crate) struct Asker {
    pub(crate) reports: mpsc::Sender<RunReport>,
    incoming: mpsc::Receiver<RunReport>,
}

impl Asker {
    pub(crate) fn new() -> Self {
        let (reports, incoming) = mpsc::channel(64);
        Self { reports, incoming }
    }

    /// The next thing told; of `run`, or the test fails.
    pub(crate) async fn next(&mut self, run: u64) -> AgentEvent {
        let report = self.incoming.recv().await.expect("the asker holds a sender");
        assert_eq!(report.run, RunId::new(run), "{report:?}");
        report.event
    }

    /// What is told of the run up to and with its end. Checks that text told in pieces is the
    /// answer.
    pub(crate) async fn last(&mut self, run: u64) -> AgentEvent {
        let mut told = String::new();
        loop {
            match self.next(run).await {
                AgentEvent::Started | AgentEvent::Tool { .. } => {}
                AgentEvent::Text(text) => told.push_str(&text),
                AgentEvent::Answered { text, usage } => {
                    assert_eq!(told, text, "the pieces are not the answer");
                    return AgentEvent::Answered { text, usage };
                }
                last => return last,
            }
        }
    }

    /// The answer's text.
    pub(crate) async fn answer(&mut self, run: u64) -> String {
        match self.last(run).await {
            AgentEvent::Answered { text, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    /// The words of a failure.
    pub(crate) async fn failure(&mut self, run: u64) -> String {
        match self.last(run).await {
            AgentEvent::Failed(words) => words,
            other => panic!("{other:?}"),
        }
    }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut AgentSettings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::start().await;
        let mut settings =
            settings(folder.path(), &[(&endpoint.base_url(), "m")], Api::Completions);
        change(&mut settings);
        let agent = RunningAgent::start(settings).await.unwrap();
        Self { folder, endpoint, agent, asker: Asker::new() }
    }

    pub(crate) async fn with_tool(tool: impl Tool + 'static) -> Self {
        Self::with(|settings| {
            settings.limits.tool_deadline = Duration::from_millis(100);
            settings.tools.push(SharedTool(Arc::new(tool)));
        })
        .await
    }

    pub(crate) async fn ask(&self, ask: Ask) {
        self.agent.ask(ask, self.asker.reports.clone()).await;
    }
}
