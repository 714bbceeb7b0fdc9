//! Asks PluralKit who is behind a message.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use clawvoice_session::{
    MessageId,
    audit::{Answer, Credential},
};
use reqwest::{
    Client, StatusCode,
    header::{AUTHORIZATION, HeaderValue},
    redirect,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use super::{clock::now, rest_failure::in_words};
use crate::{inbound::PluralMember, memory::Memory};

/// PluralKit's API.
pub const PLURALKIT: &str = "https://api.pluralkit.me/v2";

/// How long an answer may take: the message waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How long an answer is remembered: a message is asked about while it is handled, and when it is
/// told again.
const KEEP: Duration = Duration::from_secs(1800);

/// Answers that are remembered.
const MAX_KEPT: usize = 1000;

/// What PluralKit says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluralKitAnswer {
    /// Somebody speaks through it.
    Proxied(PluralMember),
    /// It is none of PluralKit's.
    NotProxied,
    /// There was no answer; the message's author is what it seems to be.
    Failed(String),
}

/// Asks PluralKit.
#[derive(Debug)]
pub struct PluralKit {
    client: Result<Client, String>,
    base: String,
    authorization: Option<HeaderValue>,
    credential: Option<Credential>,
    patience: Duration,
    memory: Mutex<Memory<MessageId, PluralKitAnswer>>,
}

impl PluralKit {
    /// At [`PLURALKIT`], or at what answers like it at `base`. `token`: a system's own, for what is
    /// not public.
    #[must_use]
    pub fn new(base: &str, token: Option<&SecretString>) -> Self {
        Self::with_patience(base, token, PATIENCE)
    }

    fn with_patience(base: &str, token: Option<&SecretString>, patience: Duration) -> Self {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent("clawvoice (https://github.com/clawvoice/clawvoice)")
            .build()
            .map_err(|error| in_words(&error));
        let authorization = token.and_then(|token| {
            let mut value = HeaderValue::from_str(token.expose_secret().trim()).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        let memory = Mutex::new(Memory::new(MAX_KEPT));
        let base = base.trim_end_matches('/').to_owned();
        Self { client, base, authorization, credential: None, patience, memory }
    }

    /// The same, and this is told how the token is taken.
    #[must_use]
    pub fn audited(self, credential: Option<Credential>) -> Self {
        Self { credential, ..self }
    }

    /// Who is behind a message; asked once for each, unless the answer fails.
    pub async fn look_up(&self, message: MessageId) -> PluralKitAnswer {
        let known = {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            memory.get(now(), &message).cloned()
        };
        if let Some(known) = known {
            return known;
        }
        let answer = match timeout(self.patience, self.ask(message)).await {
            Ok(Ok(Some(member))) => PluralKitAnswer::Proxied(member),
            Ok(Ok(None)) => PluralKitAnswer::NotProxied,
            Ok(Err(reason)) => return PluralKitAnswer::Failed(reason),
            Err(_) => {
                return PluralKitAnswer::Failed("PluralKit did not answer in time".to_owned());
            }
        };
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.put(now(), message, answer.clone(), KEEP);
        answer
    }

    async fn ask(&self, message: MessageId) -> Result<Option<PluralMember>, String> {
        let client = self.client.as_ref().map_err(Clone::clone)?;
        let mut request = client.get(format!("{}/messages/{message}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let sent = request.send().await;
        if let Some(credential) = self.credential.as_ref().filter(|_| self.authorization.is_some())
        {
            let status = sent.as_ref().ok().map(|answer| answer.status().as_u16());
            credential.used(Answer::of_status(status));
        }
        let mut response = sent.map_err(|error| in_words(&error))?;
        match response.status() {
            StatusCode::NOT_FOUND => return Ok(None),
            status if !status.is_success() => {
                return Err(format!("PluralKit answered with status {}", status.as_u16()));
            }
            _ => {}
        }
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| in_words(&error))? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ANSWER {
                return Err("PluralKit's answer is too long".to_owned());
            }
        }
        PluralMember::read(&body).map_err(|error| format!("PluralKit's answer is none: {error}"))
    }
}

#[cfg(test)]
#[path = "pluralkit_tests.rs"]
mod tests;
