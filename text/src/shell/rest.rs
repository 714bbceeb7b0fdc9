//! REST of one account: one queue in front of Discord, whoever asks.
//!
//! twilight-http writes most requests and reads most answers; the queue, and what is asked again,
//! are ours (`crate::requests`), because twilight's own waits cannot be counted, ordered or bounded.
//!
//! Source: Discord, "Rate Limits".

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock},
};

use bytes::Bytes;
use clawvoice_session::{
    ChannelId, UserId,
    audit::{Answer, Credential},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use twilight_http::{
    Client,
    request::{Method, Request, RequestBuilder, TryIntoRequest},
    routing::Route as Path,
};

pub use super::rest_failure::RestFailure;
use super::{
    base_url::{ApiBase, api_base},
    http::{Prepared, Transport},
    queue::Queue,
};
pub use crate::requests::{refusals::RefusalCounts, settings::RestSettings};
use crate::{
    memory::Memory,
    requests::{
        nonce,
        retry::{Attempt, Next},
        route::Route,
    },
};

/// Direct messages that are remembered.
const MAX_DIRECT: usize = 4096;

/// REST of one account, to be shared by all who ask in its name.
#[derive(Clone)]
pub struct DiscordRest {
    rest: Arc<Rest>,
    /// Direct messages by user: opening one is asked once.
    pub(super) direct: Arc<Mutex<Memory<UserId, ChannelId>>>,
    base: Option<ApiBase>,
}

impl DiscordRest {
    /// For the bot with this token, on Discord or on what answers at `base_url`
    /// (`http(s)://host[:port][/api/v10]`); `None`: that is no address. `proxy`: an HTTP proxy; the
    /// environment's are not used.
    #[must_use]
    pub fn new(
        token: &SecretString,
        base_url: Option<&str>,
        proxy: Option<&str>,
        settings: &RestSettings,
    ) -> Option<Self> {
        // twilight and uploads take the process's TLS provider; another one will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = match base_url {
            Some(url) => Some(api_base(url)?),
            None => None,
        };
        let rest = Arc::new(Rest::with(token, base.as_ref(), proxy, settings));
        let direct = Arc::new(Mutex::new(Memory::new(MAX_DIRECT)));
        Some(Self { rest, direct, base })
    }

    /// Tells from now on how the token is taken; only the first one is told.
    #[must_use]
    pub fn audited(self, credential: Option<Credential>) -> Self {
        if let Some(credential) = credential {
            // A second one would be of the same token.
            let _ = self.rest.credential.set(credential);
        }
        self
    }

    /// Whether Discord is spoken to without TLS, as one on this machine is.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.base.as_ref().is_some_and(|base| base.plain)
    }

    /// Where Discord's API is, if not at Discord: `http(s)://host[:port]`.
    #[must_use]
    pub fn own_origin(&self) -> Option<String> {
        let base = self.base.as_ref()?;
        let host = base.host.split('/').next()?;
        Some(format!("{}://{host}", if base.plain { "http" } else { "https" }))
    }

    /// Refusals of the last ten minutes.
    #[must_use]
    pub fn refusals(&self) -> RefusalCounts {
        self.rest.refusals()
    }

    /// What the calls are made by.
    pub(super) fn rest(&self) -> &Arc<Rest> {
        &self.rest
    }
}

impl fmt::Debug for DiscordRest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiscordRest").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A REST client for one bot.
#[derive(Debug)]
pub(super) struct Rest {
    /// Writes requests; it sends none.
    client: Client,
    transport: Transport,
    queue: Queue,
    credential: OnceLock<Credential>,
}

impl Rest {
    /// A client of Discord itself, or of what answers at `base`.
    pub(super) fn new(token: &SecretString, base: Option<&ApiBase>) -> Self {
        Self::with(token, base, None, &RestSettings::default())
    }

    /// The same with settings of its own, and through an HTTP proxy.
    pub(super) fn with(
        token: &SecretString,
        base: Option<&ApiBase>,
        proxy: Option<&str>,
        settings: &RestSettings,
    ) -> Self {
        Self {
            client: Client::builder().token(token.expose_secret().to_owned()).build(),
            transport: Transport::new(token, base, proxy, settings),
            queue: Queue::new(settings.clone()),
            credential: OnceLock::new(),
        }
    }

    /// What writes requests; it sends none.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Refusals of the last ten minutes.
    pub(super) fn refusals(&self) -> RefusalCounts {
        self.queue.refusals()
    }

    /// Whether the gateway is down: then what cannot be sent is tried longer.
    pub(super) fn gateway_is_down(&self, is_down: bool) {
        self.queue.gateway_is_down(is_down);
    }

    /// Makes a call that twilight has a builder for; gives the answer's body.
    pub(super) async fn ask(
        &self,
        what: &'static str,
        builder: impl TryIntoRequest,
    ) -> Result<Bytes, RestFailure> {
        let request = builder.try_into_request();
        self.call(what, &request.map_err(|error| RestFailure::unwritten(what, &error))?).await
    }

    /// Makes a call with a JSON body or none; gives the answer's body.
    pub(super) async fn send(
        &self,
        what: &'static str,
        path: &Path<'_>,
        body: Option<&Value>,
    ) -> Result<Bytes, RestFailure> {
        let request = Request::builder(path);
        self.built(what, body.into_iter().fold(request, |request, body| request.json(body))).await
    }

    /// Looks at what is there.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &Path<'_>,
    ) -> Result<T, RestFailure> {
        read(what, &self.send(what, path, None).await?)
    }

    /// A call for which twilight has no builder, made again after a passing failure.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        what: &'static str,
        method: Method,
        path: String,
        body: &Value,
    ) -> Result<T, RestFailure> {
        read(what, &self.built(what, RequestBuilder::raw(method, path).json(body)).await?)
    }

    /// Makes a call; gives the answer's body.
    pub(super) async fn built(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<Bytes, RestFailure> {
        let request = request.build().map_err(|error| RestFailure::unwritten(what, &error))?;
        self.call(what, &request).await
    }

    /// Makes a call, again after failures that may pass; gives the answer's body.
    pub(super) async fn call(
        &self,
        what: &'static str,
        request: &Request,
    ) -> Result<Bytes, RestFailure> {
        self.call_at_most(what, request, None).await
    }

    /// Makes a call, and does not ask again, unless there is a rate limit.
    pub(super) async fn call_once(
        &self,
        what: &'static str,
        request: &Request,
    ) -> Result<Bytes, RestFailure> {
        self.call_at_most(what, request, Some(1)).await
    }

    /// Of Discord's answers 401 alone is about the token; 403 is about a permission.
    fn note(&self, status: Option<u16>) {
        let Some(credential) = self.credential.get() else { return };
        credential.used(match status {
            Some(403) => Answer::Ok,
            status => Answer::of_status(status),
        });
    }

    async fn call_at_most(
        &self,
        what: &'static str,
        request: &Request,
        most: Option<u32>,
    ) -> Result<Bytes, RestFailure> {
        if !self.transport.has_token() {
            return Err(RestFailure::TokenRefused);
        }
        let prepared = Prepared::new(request, enforce_nonce)
            .ok_or_else(|| RestFailure::unsent(what, "its method is not known"))?;
        let route = Route::of(prepared.method(), prepared.path());
        let entered = self.queue.enter(route, most);
        let mut place = entered.map_err(|_| RestFailure::QueueFull { what })?;
        let mut perhaps_done = false;
        while place.turn().await {
            let outcome = self.transport.attempt(&prepared).await;
            if prepared.with_token() {
                self.note(outcome.answer.as_ref().ok().map(|(status, _)| *status));
            }
            let next = place.ended(&outcome.attempt, &outcome.limits);
            let failure = match outcome.answer {
                Ok((200..300, body)) => return Ok(body),
                Ok((status, body)) => RestFailure::answered(what, status, &body),
                Err(reason) => {
                    let perhaps_done = outcome.attempt != Attempt::NotConnected;
                    RestFailure::Unreachable { what, reason, perhaps_done }
                }
            };
            let failure = failure.after(perhaps_done);
            match next {
                Next::Done => return Err(failure),
                Next::Again(wait) => {
                    perhaps_done = failure.is_perhaps_done();
                    tracing::debug!("{failure}; next try in {} ms", wait.as_millis());
                }
            }
        }
        let reason = "the queue has ended".to_owned();
        Err(RestFailure::Unreachable { what, reason, perhaps_done })
    }
}

/// A message that is created keeps its nonce over all attempts, so that it is posted once.
fn enforce_nonce(call: &str, body: Vec<u8>) -> Vec<u8> {
    let mut parts = call.split('?').next().unwrap_or_default().split('/');
    let creates = parts.next() == Some("POST")
        && parts.next() == Some("channels")
        && parts.nth(1) == Some("messages")
        && parts.next().is_none();
    let Some(mut message) = creates.then(|| serde_json::from_slice::<Value>(&body).ok()).flatten()
    else {
        return body;
    };
    nonce::enforce(&mut message, rand::random());
    serde_json::to_vec(&message).unwrap_or(body)
}

/// The value in an answer's body.
pub(super) fn read<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, RestFailure> {
    serde_json::from_slice(body).map_err(|_| RestFailure::unreadable(what))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_messages_that_are_created_get_a_nonce() {
        let body = br#"{"content":"hi"}"#.to_vec();
        let changed = enforce_nonce("POST/channels/1/messages", body.clone());
        let message: Value = serde_json::from_slice(&changed).unwrap();
        assert_eq!(message["nonce"].as_str().map(str::len), Some(24));
        assert_eq!((&message["enforce_nonce"], &message["content"]), (&json!(true), &json!("hi")));
        for call in [
            "PATCH/channels/1/messages/2",
            "POST/channels/1/messages/2/threads",
            "POST/channels/1/typing",
            "POST/webhooks/1/tok/messages",
            "PATCH/channels/1/messages",
        ] {
            assert_eq!(enforce_nonce(call, body.clone()), body, "{call}");
        }
    }
}
