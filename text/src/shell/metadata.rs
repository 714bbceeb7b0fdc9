//! GET /gateway/bot, with a limit on time and size.

use std::time::Duration;

use reqwest::{Client, redirect};
use secrecy::{ExposeSecret as _, SecretString};

use super::{base_url::ApiBase, rest_failure::in_words};
use crate::connection::metadata::{Asked, MAX_ANSWER};

/// Asks Discord.
pub(super) struct MetadataClient {
    client: Client,
    url: String,
    authorization: SecretString,
}

impl MetadataClient {
    /// `proxy`: an HTTP proxy; the environment's are not used.
    pub(super) fn new(
        token: &SecretString,
        base: Option<&ApiBase>,
        proxy: Option<&str>,
        limit: Duration,
    ) -> Result<Self, reqwest::Error> {
        let builder = Client::builder().timeout(limit).redirect(redirect::Policy::none());
        let builder = match proxy {
            // What is spoken without TLS is on this machine.
            Some(proxy) => builder.proxy(reqwest::Proxy::https(proxy)?),
            None => builder.no_proxy(),
        };
        let token = token.expose_secret().trim();
        let token = token.strip_prefix("Bot ").unwrap_or(token);
        Ok(Self {
            client: builder.build()?,
            url: match base {
                Some(base) => {
                    let scheme = if base.plain { "http" } else { "https" };
                    format!("{scheme}://{}/api/v10/gateway/bot", base.host)
                }
                None => "https://discord.com/api/v10/gateway/bot".to_owned(),
            },
            authorization: format!("Bot {token}").into(),
        })
    }

    /// One request.
    pub(super) async fn ask(&self) -> Asked {
        match self.fetch().await {
            Ok(answer) => answer,
            // A token that no header can carry is one that Discord would refuse.
            Err(error) if error.is_builder() => Asked::Answer { status: 401, body: Vec::new() },
            Err(error) => Asked::Nothing(in_words(&error.without_url())),
        }
    }

    async fn fetch(&self) -> Result<Asked, reqwest::Error> {
        let request = self.client.get(&self.url);
        let request = request.header("authorization", self.authorization.expose_secret());
        let mut response = request.send().await?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            body.extend_from_slice(&piece);
            if body.len() > MAX_ANSWER {
                body.truncate(MAX_ANSWER + 1);
                break;
            }
        }
        Ok(Asked::Answer { status: response.status().as_u16(), body })
    }
}
