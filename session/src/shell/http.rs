//! One streamed request to an OpenAI-compatible endpoint.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Response, header::HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    audit::{Answer, Credential},
    brain::{
        AnswerBody, Api, Assembly, ModelEvent, ModelFailure, ModelRequest, completions, responses,
    },
};

/// The most of a refusal's body that is read, in bytes.
const MAX_REFUSAL: usize = 64 << 10;

/// How long a refusal's body is waited for.
const REFUSAL_TIME: Duration = Duration::from_secs(5);

/// An endpoint and how it is spoken to.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// As in `https://api.openai.com/v1`.
    pub base_url: String,
    /// Sent as bearer token.
    pub api_key: Option<SecretString>,
    /// Its protocol.
    pub api: Api,
    /// Is told how the key was taken.
    pub credential: Option<Credential>,
}

/// How long an endpoint may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until it is connected. Default 10 s.
    pub connect: Duration,
    /// From the request to the first byte of the answer. Default 120 s: models that think before
    /// they write say nothing meanwhile.
    pub first_byte: Duration,
    /// Between two pieces of the answer. Default 60 s.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            idle: Duration::from_secs(60),
        }
    }
}

/// An answer being streamed. Dropping it closes the connection, which stops the model.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    response: Response,
    body: AnswerBody,
    /// The body's end was handled.
    ended: bool,
    /// When the next piece must be there.
    deadline: Instant,
    /// How long it was given, for words.
    given: Duration,
    patience: Patience,
    api_key: Option<SecretString>,
}

/// A client without redirects (they could carry the key elsewhere).
pub(super) fn client(patience: Patience) -> Result<Client, reqwest::Error> {
    Client::builder()
        .connect_timeout(patience.connect)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("clawvoice/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl HttpAnswer {
    /// Sends the request. Returns once the endpoint has taken it.
    pub(super) async fn open(
        client: &Client,
        endpoint: &Endpoint,
        patience: Patience,
        model: &str,
        request: &ModelRequest,
    ) -> Result<Self, ModelFailure> {
        let (path, body) = match endpoint.api {
            Api::Completions => ("chat/completions", completions::body(model, request)),
            Api::Responses => ("responses", responses::body(model, request)),
        };
        let url = format!("{}/{path}", endpoint.base_url.trim_end_matches('/'));
        let mut post = client.post(url).header("accept", "text/event-stream").json(&body);
        if let Some(key) = &endpoint.api_key {
            post = post.bearer_auth(key.expose_secret());
        }
        let deadline = Instant::now() + patience.first_byte;
        let sent = timeout_at(deadline, post.send()).await;
        if let Some(credential) = &endpoint.credential {
            let status = sent.as_ref().ok().and_then(|sent| sent.as_ref().ok());
            credential.used(Answer::of_status(status.map(|it| it.status().as_u16())));
        }
        let response = sent
            .map_err(|_| ModelFailure::Silent(patience.first_byte))?
            .map_err(|error| unreachable(&error))?;
        if !response.status().is_success() {
            return Err(masked(refusal(response).await, endpoint.api_key.as_ref()));
        }
        Ok(Self {
            response,
            body: AnswerBody::new(Assembly::new(endpoint.api)),
            ended: false,
            deadline,
            given: patience.first_byte,
            patience,
            api_key: endpoint.api_key.clone(),
        })
    }

    /// What the model told next; `None` after [`ModelEvent::Done`].
    pub(super) async fn next(&mut self) -> Result<Option<ModelEvent>, ModelFailure> {
        loop {
            if let Some(event) = self.body.assembly().poll_event() {
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            self.read().await.map_err(|failure| masked(failure, self.api_key.as_ref()))?;
        }
    }

    async fn read(&mut self) -> Result<(), ModelFailure> {
        let piece = timeout_at(self.deadline, self.response.chunk())
            .await
            .map_err(|_| ModelFailure::Silent(self.given))?;
        match piece {
            Ok(Some(piece)) => {
                self.given = self.patience.idle;
                self.deadline = Instant::now() + self.patience.idle;
                self.body.handle_bytes(&piece)
            }
            // A connection lost is an end like any other: what counts is whether the answer was
            // over.
            Ok(None) | Err(_) => {
                self.ended = true;
                self.body.handle_end()
            }
        }
    }
}

async fn refusal(mut response: Response) -> ModelFailure {
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(piece)) = response.chunk().await {
            body.extend_from_slice(&piece);
            if body.len() >= MAX_REFUSAL {
                break;
            }
        }
    };
    // What is there by then has to do.
    let _ = timeout(REFUSAL_TIME, read).await;
    body.truncate(MAX_REFUSAL);
    ModelFailure::refused(status, retry_after, &String::from_utf8_lossy(&body))
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), or OpenAI's `retry-after-ms`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse().ok()) {
        return Some(Duration::from_millis(millis));
    }
    let text = text("retry-after")?;
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let left = date.as_millisecond().saturating_sub(Timestamp::now().as_millisecond());
    Some(Duration::from_millis(u64::try_from(left).unwrap_or(0)))
}

fn unreachable(error: &reqwest::Error) -> ModelFailure {
    // The innermost cause says it in words; the outer ones repeat the address.
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let host = error.url().and_then(|url| url.host_str()).unwrap_or_default();
    ModelFailure::Unreachable(format!("{host}: {cause}"))
}

fn masked(failure: ModelFailure, key: Option<&SecretString>) -> ModelFailure {
    match key {
        Some(key) => failure.without(key.expose_secret()),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_has_three_forms() {
        let wait = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after-ms", "70"), Some(Duration::from_millis(70)));
        let past = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wait("retry-after", past), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "soon"), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
