//! The models an agent can ask, in the order in which they are asked.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::Client;
use tokio::time::sleep;

use super::http::{self, HttpAnswer};
pub use super::http::{Endpoint, Patience};
use crate::brain::{
    Ending, ModelAnswer, ModelEvent, ModelFailure, ModelRequest, Price, RetryPlan, echo,
};

/// Attempts after the first at one model.
const RETRIES: u32 = 2;

/// About how long the first further attempt waits.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The provider of a model that is named without one.
const DEFAULT_PROVIDER: &str = "openai";

/// Id of the provider that answers with what it was asked.
pub const ECHO: &str = "echo";

/// `provider/model`. Without a slash: `echo`, or a model of `openai`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelRef {
    /// The provider's id.
    pub provider: String,
    /// The provider's name for the model; may hold slashes.
    pub model: String,
}

/// A text that names no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `provider/model`, got {0:?}")]
pub struct ModelRefError(String);

impl FromStr for ModelRef {
    type Err = ModelRefError;

    fn from_str(text: &str) -> Result<Self, ModelRefError> {
        let text = text.trim();
        let (provider, model) = match text.split_once('/') {
            Some(parts) => parts,
            None if text == ECHO => (ECHO, ECHO),
            None => (DEFAULT_PROVIDER, text),
        };
        if provider.is_empty() || model.is_empty() {
            return Err(ModelRefError(text.to_owned()));
        }
        Ok(Self { provider: provider.to_owned(), model: model.to_owned() })
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.model)
    }
}

/// Something that has models.
#[derive(Clone, Debug)]
pub struct Provider {
    /// What it is.
    pub kind: ProviderKind,
    /// The prices of its models; a model that is not here counts as free.
    pub prices: BTreeMap<String, Price>,
    /// Those of its models that are shown pictures.
    pub seeing: BTreeSet<String>,
}

/// What a provider is.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// In this process: answers with what it was asked, after `think`, in which it can be steered
    /// and cancelled as any other.
    Echo {
        /// How long it takes to answer.
        think: Duration,
    },
    /// An OpenAI-compatible endpoint.
    Http(Endpoint),
}

/// Why no model answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrainFailure {
    /// There is no such provider.
    #[error("no provider called {0:?} is configured under models.providers")]
    UnknownProvider(String),
    /// Every model of the chain failed.
    #[error("{}", told(.0))]
    NoAnswer(Vec<(ModelRef, ModelFailure)>),
}

fn told(failures: &[(ModelRef, ModelFailure)]) -> String {
    let told: Vec<String> =
        failures.iter().map(|(model, failure)| format!("{model}: {failure}")).collect();
    told.join("; ")
}

/// The providers, and the connections to them.
#[derive(Debug)]
pub struct Brain {
    client: Client,
    /// Held for moments only: whoever asks takes them along.
    providers: Mutex<Arc<BTreeMap<String, Provider>>>,
    patience: Patience,
}

impl Brain {
    /// With these providers.
    ///
    /// # Errors
    ///
    /// When the system has no TLS to offer.
    pub fn new(
        providers: BTreeMap<String, Provider>,
        patience: Patience,
    ) -> Result<Self, reqwest::Error> {
        let providers = Mutex::new(Arc::new(providers));
        Ok(Self { client: http::client(patience)?, providers, patience })
    }

    /// Asks these from the next request on, as with another key. What runs goes on.
    pub fn set_providers(&self, providers: BTreeMap<String, Provider>) {
        *self.providers.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(providers);
    }

    fn providers(&self) -> Arc<BTreeMap<String, Provider>> {
        Arc::clone(&self.providers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What a model costs; `None`: nobody has said so.
    #[must_use]
    pub fn price(&self, model: &ModelRef) -> Option<Price> {
        let providers = self.providers();
        let provider = providers.get(&model.provider)?;
        match &provider.kind {
            ProviderKind::Echo { .. } => Some(Price::default()),
            ProviderKind::Http(_) => provider.prices.get(&model.model).copied(),
        }
    }

    /// Asks the models of `chain` in turn until one begins to answer. Each is asked again while its
    /// failure is one that passes. Once an answer has begun nothing is asked again, since its
    /// beginning is out.
    ///
    /// # Errors
    ///
    /// When none begins to answer.
    pub async fn open(
        &self,
        chain: &[ModelRef],
        request: &ModelRequest,
    ) -> Result<OpenAnswer, BrainFailure> {
        let mut failures = Vec::new();
        let providers = self.providers();
        for model in chain {
            let provider = providers
                .get(&model.provider)
                .ok_or_else(|| BrainFailure::UnknownProvider(model.provider.clone()))?;
            let request = match provider.seeing.contains(&model.model) {
                true => Cow::Borrowed(request),
                false => request.without_images(),
            };
            match self.open_one(model, provider, &request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => {
                    tracing::warn!(model = %model, "the model does not answer: {failure}");
                    failures.push((model.clone(), failure));
                }
            }
        }
        Err(BrainFailure::NoAnswer(failures))
    }

    async fn open_one(
        &self,
        model: &ModelRef,
        provider: &Provider,
        request: &ModelRequest,
    ) -> Result<OpenAnswer, ModelFailure> {
        let endpoint = match &provider.kind {
            ProviderKind::Echo { think } => {
                sleep(*think).await;
                let answer = echo::answer(request);
                let text = answer.text.clone();
                let first = (!text.is_empty()).then_some(ModelEvent::Text(text));
                let source = Source::Echo(Some(answer));
                return Ok(OpenAnswer { model: model.clone(), first, source });
            }
            ProviderKind::Http(endpoint) => endpoint,
        };
        let mut plan = RetryPlan::new(RETRIES, FIRST_WAIT);
        loop {
            let failure = match self.begin(model, endpoint, request).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            match plan.handle_failure(&failure, rand::random()) {
                Some(wait) => {
                    tracing::debug!(model = %model, ?wait, "asked again: {failure}");
                    sleep(wait).await;
                }
                None => return Err(failure),
            }
        }
    }

    async fn begin(
        &self,
        model: &ModelRef,
        endpoint: &Endpoint,
        request: &ModelRequest,
    ) -> Result<OpenAnswer, ModelFailure> {
        let opening =
            HttpAnswer::open(&self.client, endpoint, self.patience, &model.model, request);
        let mut answer = opening.await?;
        let first = answer.next().await?;
        if let Some(ModelEvent::Done(ModelAnswer { ending, .. })) = &first
            && *ending == (Ending::Incomplete { finished: false })
        {
            return Err(ModelFailure::BrokeOff);
        }
        Ok(OpenAnswer { model: model.clone(), first, source: Source::Http(Box::new(answer)) })
    }
}

/// An answer that has begun. Dropping it stops the model.
#[derive(Debug)]
pub struct OpenAnswer {
    /// Who answers.
    pub model: ModelRef,
    first: Option<ModelEvent>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Echo(Option<ModelAnswer>),
    Http(Box<HttpAnswer>),
}

impl OpenAnswer {
    /// What the model told next; `None` after [`ModelEvent::Done`].
    ///
    /// # Errors
    ///
    /// When the rest of the answer will not come.
    pub async fn next(&mut self) -> Result<Option<ModelEvent>, ModelFailure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match &mut self.source {
            Source::Echo(answer) => Ok(answer.take().map(ModelEvent::Done)),
            Source::Http(answer) => answer.next().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_references() {
        for (text, provider, model) in [
            ("openai/gpt-5.5", "openai", "gpt-5.5"),
            ("gpt-5.5", "openai", "gpt-5.5"),
            ("router/meta/llama", "router", "meta/llama"),
            ("echo", "echo", "echo"),
            (" echo/slow ", "echo", "slow"),
        ] {
            let expected = ModelRef { provider: provider.into(), model: model.into() };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for bad in ["", "/m", "p/", " "] {
            assert!(bad.parse::<ModelRef>().is_err(), "{bad:?}");
        }
    }
}
