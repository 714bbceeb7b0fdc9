//! One attempt of a REST call: bytes there, bytes back, within limits of time and size.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Client, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
    redirect,
};
use secrecy::{ExposeSecret as _, SecretString};
use twilight_http::request::{Method, Request};

use super::{base_url::ApiBase, rest_failure::in_words};
use crate::requests::{bucket::Limits, retry::Attempt, settings::RestSettings};

/// Bytes per millisecond of an upload that is slow, but goes on: half a megabit a second.
const SLOW_UPLOAD: usize = 64;

/// What an attempt gave.
#[derive(Debug)]
pub(super) struct Outcome {
    /// For the queue.
    pub(super) attempt: Attempt,
    /// For the queue.
    pub(super) limits: Limits,
    /// The status and body; or what went wrong, in words.
    pub(super) answer: Result<(u16, Bytes), String>,
}

/// A request, ready to be sent more than once.
#[derive(Debug)]
pub(super) struct Prepared {
    method: reqwest::Method,
    /// Below `/api/v10`.
    path: String,
    body: Bytes,
    content_type: Option<HeaderValue>,
    headers: HeaderMap,
    with_token: bool,
}

impl Prepared {
    /// Takes a request of twilight's apart. `change`: what is done to a JSON body. `None`: it has a
    /// method that is not known.
    pub(super) fn new(
        request: &Request,
        change: impl FnOnce(&str, Vec<u8>) -> Vec<u8>,
    ) -> Option<Self> {
        let method = match request.method() {
            Method::Delete => reqwest::Method::DELETE,
            Method::Get => reqwest::Method::GET,
            Method::Patch => reqwest::Method::PATCH,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            _ => return None,
        };
        let path = request.path().trim_start_matches('/').to_owned();
        let (body, content_type) = match (request.form(), request.body()) {
            (Some(form), _) => {
                let kind = HeaderValue::from_bytes(&form.content_type()).ok();
                (form.clone().build(), kind)
            }
            (None, Some(body)) => {
                let body = change(&format!("{method}/{path}"), body.to_vec());
                (body, Some(HeaderValue::from_static("application/json")))
            }
            (None, None) => (Vec::new(), None),
        };
        let headers = request.headers().cloned().unwrap_or_default();
        let with_token = request.use_authorization_token();
        Some(Self { method, path, body: body.into(), content_type, headers, with_token })
    }

    /// `GET`, `POST` and so on.
    pub(super) fn method(&self) -> &str {
        self.method.as_str()
    }

    /// Whether the bot's token goes with it.
    pub(super) fn with_token(&self) -> bool {
        self.with_token
    }

    /// Below `/api/v10`, with its query.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
}

/// Speaks HTTP with Discord's API.
#[derive(Debug)]
pub(super) struct Transport {
    client: Result<Client, String>,
    base: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    max_body: usize,
}

impl Transport {
    pub(super) fn new(
        token: &SecretString,
        base: Option<&ApiBase>,
        proxy: Option<&str>,
        settings: &RestSettings,
    ) -> Self {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .user_agent("DiscordBot (https://github.com/clawvoice/clawvoice, 0.1)");
        let builder = match proxy.map(reqwest::Proxy::https) {
            Some(Ok(proxy)) => builder.proxy(proxy),
            _ => builder.no_proxy(),
        };
        let token = token.expose_secret().trim();
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        let authorization = HeaderValue::from_str(&format!("Bot {token}")).ok().map(|mut value| {
            value.set_sensitive(true);
            value
        });
        let base = match base {
            Some(ApiBase { host, plain: true }) => format!("http://{host}/api/v10/"),
            Some(ApiBase { host, plain: false }) => format!("https://{host}/api/v10/"),
            None => "https://discord.com/api/v10/".to_owned(),
        };
        let client = builder.build().map_err(|error| in_words(&error.without_url()));
        let (timeout, max_body) = (settings.timeout, settings.max_body);
        Self { client, base, authorization, timeout, max_body }
    }

    /// Whether the token can be sent at all.
    pub(super) fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// Makes the call once.
    pub(super) async fn attempt(&self, prepared: &Prepared) -> Outcome {
        let client = match &self.client {
            Ok(client) => client,
            Err(words) => return failed(Attempt::NotConnected, words.clone()),
        };
        let url = format!("{}{}", self.base, prepared.path);
        let mut request = client
            .request(prepared.method.clone(), url)
            .headers(prepared.headers.clone())
            .timeout(self.timeout + upload_time(prepared.body.len()))
            .body(prepared.body.clone());
        if let Some(kind) = &prepared.content_type {
            request = request.header(CONTENT_TYPE, kind.clone());
        }
        if let Some(authorization) = self.authorization.as_ref().filter(|_| prepared.with_token) {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        match request.send().await {
            Ok(response) => self.read(response).await,
            Err(error) => {
                let attempt =
                    if error.is_connect() { Attempt::NotConnected } else { Attempt::NoAnswer };
                // The path of an interaction holds its token.
                failed(attempt, in_words(&error.without_url()))
            }
        }
    }

    async fn read(&self, mut response: Response) -> Outcome {
        let status = response.status();
        let headers = response.headers().clone();
        let limits = limits(&headers);
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(piece)) if body.len() + piece.len() > self.max_body => {
                    let words = format!("the answer is longer than {} bytes", self.max_body);
                    // It was carried out; the same answer would come again.
                    return Outcome { limits, ..failed(answered(200, &headers, &[]), words) };
                }
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => {
                    let words = in_words(&error.without_url());
                    return Outcome { limits, ..failed(Attempt::NoAnswer, words) };
                }
            }
        }
        let attempt = answered(status.as_u16(), &headers, &body);
        Outcome { attempt, limits, answer: Ok((status.as_u16(), body.into())) }
    }
}

/// What is granted to a body on its way out, besides the time for an answer.
fn upload_time(bytes: usize) -> Duration {
    Duration::from_millis(u64::try_from(bytes / SLOW_UPLOAD).unwrap_or(u64::MAX))
}

fn failed(attempt: Attempt, words: String) -> Outcome {
    Outcome { attempt, limits: Limits::default(), answer: Err(words) }
}

fn answered(status: u16, headers: &HeaderMap, body: &[u8]) -> Attempt {
    if status != StatusCode::TOO_MANY_REQUESTS.as_u16() {
        return Attempt::Answered { status, retry_after: None, global: false, shared: false };
    }
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    // The body's is exact; the header's is in whole seconds.
    let told = body["retry_after"].as_f64().and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    let scope = text(headers, "x-ratelimit-scope");
    Attempt::Answered {
        status,
        retry_after: told.or_else(|| seconds(headers, RETRY_AFTER.as_str())),
        global: body["global"] == true || scope == Some("global"),
        shared: scope == Some("shared"),
    }
}

fn limits(headers: &HeaderMap) -> Limits {
    Limits {
        bucket: text(headers, "x-ratelimit-bucket").map(str::to_owned),
        remaining: text(headers, "x-ratelimit-remaining").and_then(|text| text.parse().ok()),
        reset_after: seconds(headers, "x-ratelimit-reset-after"),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text(headers, name)?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_429_says_when_for_whom_and_whose_fault() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", HeaderValue::from_static("2"));
        let body = br#"{"message": "slow", "retry_after": 1.25, "global": true}"#;
        let expected = |millis, global, shared| Attempt::Answered {
            status: 429,
            retry_after: Some(Duration::from_millis(millis)),
            global,
            shared,
        };
        assert_eq!(answered(429, &headers, body), expected(1250, true, false));
        headers.insert("x-ratelimit-scope", HeaderValue::from_static("shared"));
        assert_eq!(answered(429, &headers, b"<html>"), expected(2000, false, true));
    }

    #[test]
    fn what_cannot_be_read_is_not_there() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-remaining", HeaderValue::from_static("many"));
        headers.insert("x-ratelimit-reset-after", HeaderValue::from_static("-1"));
        assert_eq!(limits(&headers), Limits::default());
    }
}
