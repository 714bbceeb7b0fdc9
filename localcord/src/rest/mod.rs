//! Discord's REST API, version 10: what a bot needs to start, register commands, answer
//! interactions, and send, read and change messages.
//!
//! ```text
//! gate (faults, token, rate limits, journal) ── users, guilds, channels, threads, messages,
//!                                            │  pins, reactions, webhooks
//!                                            ├─ uploads (files before their message)
//!                                            ├─ commands ── command_form
//!                                            └─ callbacks ── interaction (deadlines), ephemeral
//! messages, callbacks, webhooks ── components (what they must look like)
//! ```

pub(crate) mod body;
mod callbacks;
pub(crate) mod channel_edit;
pub(crate) mod channels;
mod command_form;
mod commands;
mod components;
pub(crate) mod ephemeral;
pub(crate) mod error;
mod files;
pub(crate) mod gate;
mod guilds;
pub(crate) mod interaction;
pub(crate) mod messages;
mod pins;
mod query;
mod rate_limit;
mod reactions;
mod threads;
mod uploads;
mod users;
mod voice_message;
pub(crate) mod voice_states;
mod webhooks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    http::StatusCode,
    middleware,
    routing::{delete, get, post, put},
};
use tokio::sync::watch;

pub(crate) use self::gate::Abandoned;
use self::{
    ephemeral::Ephemerals, error::ApiError, files::Files, gate::Caller, interaction::Interactions,
    messages::Nonces, rate_limit::RateLimits, reactions::Reactions, uploads::Uploads,
};
use crate::{fault::Faults, gateway::GatewaySettings, journal::Journal, world::World};

/// What the handlers share. Cloning gives another handle to the same.
#[derive(Clone)]
pub(crate) struct Rest {
    /// Guilds, channels, messages, bots and humans.
    pub(crate) world: World,
    /// Where every call is written down.
    pub(crate) journal: Journal,
    /// What goes wrong on purpose.
    pub(crate) faults: Faults,
    /// What GET /gateway/bot tells.
    pub(crate) gateway: GatewaySettings,
    inner: Arc<Inner>,
}

struct Inner {
    /// `http://host:port`, for the addresses of files.
    base_url: String,
    limits: Mutex<RateLimits>,
    interactions: Mutex<Interactions>,
    ephemerals: Mutex<Ephemerals>,
    reactions: Mutex<Reactions>,
    files: Mutex<Files>,
    uploads: Mutex<Uploads>,
    nonces: Mutex<Nonces>,
    /// Counts answers to interactions and their edits.
    answered: watch::Sender<u64>,
}

impl Rest {
    /// `base_url` is where files that were uploaded can be fetched: `http://host:port`.
    pub(crate) fn new(
        world: World,
        journal: Journal,
        faults: Faults,
        gateway: GatewaySettings,
        base_url: String,
    ) -> Self {
        let inner = Inner {
            base_url,
            limits: Mutex::default(),
            interactions: Mutex::default(),
            ephemerals: Mutex::default(),
            reactions: Mutex::default(),
            files: Mutex::default(),
            uploads: Mutex::default(),
            nonces: Mutex::default(),
            answered: watch::Sender::new(0),
        };
        Self { world, journal, faults, gateway, inner: Arc::new(inner) }
    }

    /// Forgets what is not in the world: counts of rate limits, interactions, reactions, files.
    pub(crate) fn reset(&self) {
        *self.limits() = RateLimits::default();
        self.interactions().clear();
        *self.ephemerals() = Ephemerals::default();
        *self.reactions() = Reactions::default();
        *self.files() = Files::default();
        *self.uploads() = Uploads::default();
        *self.nonces() = Nonces::default();
    }

    /// The calls of interactions that wait for answers.
    pub(crate) fn interactions(&self) -> MutexGuard<'_, Interactions> {
        self.inner.interactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages for one user alone.
    pub(crate) fn ephemerals(&self) -> MutexGuard<'_, Ephemerals> {
        self.inner.ephemerals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes whenever an interaction was answered or its answer edited.
    pub(crate) fn answers(&self) -> watch::Receiver<u64> {
        self.inner.answered.subscribe()
    }

    fn note_answer(&self) {
        self.inner.answered.send_modify(|count| *count += 1);
    }

    fn limits(&self) -> MutexGuard<'_, RateLimits> {
        self.inner.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reactions(&self) -> MutexGuard<'_, Reactions> {
        self.inner.reactions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.inner.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nonces(&self) -> MutexGuard<'_, Nonces> {
        self.inner.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn uploads(&self) -> MutexGuard<'_, Uploads> {
        self.inner.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bot of a token.
    fn caller_of(&self, token: &str) -> Option<Caller> {
        self.world.read(|state| {
            let found = state.application_by_token(token)?;
            Some(Caller { bot_id: found.user_id, application_id: found.id })
        })
    }
}

/// All routes: under `/api/v10`, `/api/v9` and `/api`, and the uploaded files.
pub(crate) fn router(rest: &Rest) -> Router {
    let api = api(rest);
    Router::new()
        .nest("/api/v10", api.clone())
        .nest("/api/v9", api.clone())
        .nest("/api", api)
        .route("/attachments/{channel}/{id}/{name}", get(files::fetch))
        .route("/upload/{key}", put(uploads::put))
        .with_state(rest.clone())
}

/// All routes without the gate, for requests that bring their [`Caller`] along: paths begin after
/// the version, and nothing is limited, written down or spoilt.
pub(crate) fn ungated(rest: &Rest) -> Router {
    routes().with_state(rest.clone())
}

fn api(rest: &Rest) -> Router<Rest> {
    routes().layer(middleware::from_fn_with_state(rest.clone(), gate::pass))
}

fn routes() -> Router<Rest> {
    Router::new()
        .merge(account_routes())
        .merge(guild_routes())
        .merge(channel_routes())
        .merge(message_routes())
        .merge(thread_routes())
        .merge(command_routes())
        .merge(webhook_routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(|| async { ApiError::plain(StatusCode::METHOD_NOT_ALLOWED) })
        .layer(DefaultBodyLimit::disable())
}

fn account_routes() -> Router<Rest> {
    Router::new()
        .route("/gateway", get(users::gateway))
        .route("/gateway/bot", get(users::gateway_bot))
        .route("/users/@me", get(users::me))
        .route("/users/{user}", get(users::user))
        .route("/users/@me/guilds", get(users::my_guilds))
        .route("/users/@me/channels", post(users::open_direct_message))
        .route("/applications/@me", get(users::application))
        .route("/oauth2/applications/@me", get(users::application))
}

fn guild_routes() -> Router<Rest> {
    Router::new()
        .route("/guilds/{guild}", get(guilds::guild))
        .route("/guilds/{guild}/channels", get(guilds::channels))
        .route("/guilds/{guild}/roles", get(guilds::roles))
        .route("/guilds/{guild}/members", get(guilds::members))
        .route("/guilds/{guild}/members/search", get(guilds::search_members))
        .route("/guilds/{guild}/members/{user}", get(guilds::member))
        .route("/guilds/{guild}/threads/active", get(threads::archived::active))
        .route("/guilds/{guild}/webhooks", get(webhooks::list_of_guild))
        .route(
            "/guilds/{guild}/voice-states/{user}",
            get(voice_states::show).patch(voice_states::change),
        )
}

fn channel_routes() -> Router<Rest> {
    Router::new()
        .route(
            "/channels/{channel}",
            get(channels::channel).patch(channel_edit::edit).delete(channels::delete),
        )
        .route("/channels/{channel}/typing", post(channels::typing))
        .route("/channels/{channel}/attachments", post(uploads::reserve))
        .route("/channels/{channel}/webhooks", get(webhooks::list).post(webhooks::create))
        .route("/channels/{channel}/pins", get(pins::list_old))
        .route("/channels/{channel}/pins/{message}", put(pins::add).delete(pins::remove))
        .route("/channels/{channel}/messages/pins", get(pins::list))
        .route("/channels/{channel}/messages/pins/{message}", put(pins::add).delete(pins::remove))
}

fn message_routes() -> Router<Rest> {
    Router::new()
        .route("/channels/{channel}/messages", get(messages::list).post(messages::create))
        .route("/channels/{channel}/messages/bulk-delete", post(messages::delete_many))
        .route(
            "/channels/{channel}/messages/{message}",
            get(messages::read).patch(messages::edit).delete(messages::delete),
        )
        .route("/channels/{channel}/messages/{message}/reactions", delete(reactions::clear))
        .route(
            "/channels/{channel}/messages/{message}/reactions/{emoji}",
            get(reactions::list).delete(reactions::clear_emoji),
        )
        .route(
            "/channels/{channel}/messages/{message}/reactions/{emoji}/@me",
            put(reactions::add).delete(reactions::remove_own),
        )
        .route(
            "/channels/{channel}/messages/{message}/reactions/{emoji}/{user}",
            delete(reactions::remove),
        )
}

fn thread_routes() -> Router<Rest> {
    Router::new()
        .route("/channels/{channel}/threads", post(threads::start))
        .route("/channels/{channel}/messages/{message}/threads", post(threads::start_from))
        .route("/channels/{channel}/threads/archived/public", get(threads::archived::public))
        .route("/channels/{channel}/threads/archived/private", get(threads::archived::private))
        .route(
            "/channels/{channel}/users/@me/threads/archived/private",
            get(threads::archived::own_private),
        )
        .route("/channels/{channel}/thread-members", get(threads::members::list))
        .route(
            "/channels/{channel}/thread-members/{user}",
            get(threads::members::read).put(threads::members::add).delete(threads::members::remove),
        )
}

fn command_routes() -> Router<Rest> {
    Router::new()
        .route(
            "/applications/{application}/commands",
            get(commands::list_global).post(commands::create_global).put(commands::replace_global),
        )
        .route(
            "/applications/{application}/commands/{command}",
            get(commands::read_global).patch(commands::edit_global).delete(commands::delete_global),
        )
        .route(
            "/applications/{application}/guilds/{guild}/commands",
            get(commands::list_guild).post(commands::create_guild).put(commands::replace_guild),
        )
        .route(
            "/applications/{application}/guilds/{guild}/commands/{command}",
            get(commands::read_guild).patch(commands::edit_guild).delete(commands::delete_guild),
        )
}

/// Webhooks, and the answers to interactions, which have the same paths.
fn webhook_routes() -> Router<Rest> {
    Router::new()
        .route("/interactions/{id}/{token}/callback", post(callbacks::callback))
        .route(
            "/webhooks/{webhook}",
            get(webhooks::read).patch(webhooks::edit).delete(webhooks::delete),
        )
        .route(
            "/webhooks/{webhook}/{token}",
            post(webhooks::execute)
                .get(webhooks::read_with_token)
                .patch(webhooks::edit_with_token)
                .delete(webhooks::delete_with_token),
        )
        .route(
            "/webhooks/{webhook}/{token}/messages/{message}",
            get(webhooks::read_message)
                .patch(webhooks::edit_message)
                .delete(webhooks::delete_message),
        )
}

/// Whatever is under no route of any service.
pub(crate) async fn not_found() -> ApiError {
    ApiError::plain(StatusCode::NOT_FOUND)
}

async fn unknown_route(request: Request) -> ApiError {
    let path = request.uri().path();
    let version = path.strip_prefix("/v").and_then(|rest| rest.bytes().next());
    if version.is_some_and(|first| first.is_ascii_digit()) {
        return ApiError::new(StatusCode::BAD_REQUEST, 50_041, "Invalid API version provided");
    }
    ApiError::plain(StatusCode::NOT_FOUND)
}

/// A snowflake in a path or a body.
///
/// # Errors
/// 50035 if it is none.
fn snowflake(name: &str, text: &str) -> Result<u64, ApiError> {
    text.parse().map_err(|_| {
        let mut form = error::Form::default();
        form.wrong(name, "NUMBER_TYPE_COERCE", format!("Value \"{text}\" is not snowflake."));
        form.refusal()
    })
}
