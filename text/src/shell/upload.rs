//! PUT of a file to the storage that Discord names: no call of Discord's API, so it goes without
//! the bot's token.

use std::time::Duration;

use bytes::Bytes;
use reqwest::{
    Client, Response, StatusCode, Url,
    header::{CONTENT_TYPE, RETRY_AFTER},
    redirect,
};

use super::rest_failure::in_words;

/// Waits between the attempts of an upload that failed for a passing reason.
const WAITS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(750)];

/// For one attempt: 10 MiB at 1 Mbit/s take 84 s.
const PATIENCE: Duration = Duration::from_secs(120);
/// The longest `Retry-After` that is waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Characters of a refusal that are shown.
const MOST_WORDS: usize = 300;

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum UploadFailure {
    /// What Discord named is no address, or one without encryption.
    #[error("the upload address is not one that may be used")]
    BadAddress,
    /// Refused for good.
    #[error("the storage refused the file with status {status}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The storage's words, in one line.
        message: String,
    },
    /// No answer, no connection, or an error that may pass.
    #[error("the storage could not be reached: {0}")]
    Unreachable(String),
}

/// An attempt that failed; with it, how long the storage asks to wait.
type Attempt = Result<(), (UploadFailure, Option<Duration>)>;

/// Uploads files.
#[derive(Clone, Debug)]
pub(super) struct Uploads {
    client: Client,
    /// Whether addresses without TLS are used.
    plain: bool,
}

impl Uploads {
    /// `plain`: Discord itself is spoken to without TLS, so its storage may be too.
    pub(super) fn new(plain: bool) -> Result<Self, UploadFailure> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .https_only(!plain)
            .timeout(PATIENCE)
            .build()
            .map_err(unreachable)?;
        Ok(Self { client, plain })
    }

    /// Puts `bytes` there, again after a passing failure.
    pub(super) async fn put(
        &self,
        address: &str,
        content_type: &'static str,
        bytes: Bytes,
    ) -> Result<(), UploadFailure> {
        let address = Url::parse(address).map_err(|_| UploadFailure::BadAddress)?;
        let usable = address.scheme() == "https" || (self.plain && address.scheme() == "http");
        if !usable || !address.has_host() {
            return Err(UploadFailure::BadAddress);
        }
        for wait in WAITS {
            match self.put_once(&address, content_type, &bytes).await {
                Err((failure @ UploadFailure::Unreachable(_), asked)) => {
                    let wait = asked.unwrap_or(wait).min(LONGEST_WAIT);
                    tracing::debug!("{failure}; next try in {} ms", wait.as_millis());
                    tokio::time::sleep(wait).await;
                }
                result => return result.map_err(|(failure, _)| failure),
            }
        }
        self.put_once(&address, content_type, &bytes).await.map_err(|(failure, _)| failure)
    }

    async fn put_once(&self, address: &Url, content_type: &'static str, bytes: &Bytes) -> Attempt {
        let request =
            self.client.put(address.clone()).header(CONTENT_TYPE, content_type).body(bytes.clone());
        let response = request.send().await.map_err(|error| (unreachable(error), None))?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let failure = UploadFailure::Unreachable(format!("status {}", status.as_u16()));
            return Err((failure, retry_after(&response)));
        }
        let message = words(response).await;
        Err((UploadFailure::Refused { status: status.as_u16(), message }, None))
    }
}

/// The address is left out: whoever has it may upload.
fn unreachable(error: reqwest::Error) -> UploadFailure {
    UploadFailure::Unreachable(in_words(&error.without_url()))
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// What a refusal says. Its first piece is enough.
async fn words(mut response: Response) -> String {
    let Ok(Some(piece)) = response.chunk().await else { return "no reason was given".to_owned() };
    let text = String::from_utf8_lossy(&piece);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    text.chars().take(MOST_WORDS).collect()
}
