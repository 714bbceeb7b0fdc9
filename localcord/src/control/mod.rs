//! The control API, `/localcord/v1`: what a test or a demo does to the simulated Discord.
//!
//! It has no authentication. It answers this machine only, and no web page: a request from
//! another host, or one with the `Origin` of a web page that is not local, is refused.
//!
//! | route | what it does |
//! |---|---|
//! | `POST reset` | everything as at the start, faults as well; bots and humans that were made are gone |
//! | `POST bots` | `{name}` → `{token, application_id, user_id}` |
//! | `POST humans` | `{name}` → `{id, token}`; `humans/@me` is the one of `Authorization: <token>` |
//! | `POST humans/{id}/voice` | `{channel_id}` joins or moves, `null` leaves; `?wait=true`: until it shares an epoch with everybody there |
//! | `POST humans/{id}/speak` | a WAV; `?wait=true`: until it is spoken |
//! | `PUT humans/{id}/speech` | [`crate::human::SpeechCoding`]: how it speaks |
//! | `PUT humans/{id}/echo` | [`crate::human::EchoSettings`]: its microphone stands beside a loudspeaker; `null`: no more |
//! | `GET humans/{id}/heard` | `?from={user}` → WAV; `&format=json` → when and how long |
//! | `GET humans/{id}/stats` | counters of its voice client |
//! | `POST humans/{id}/messages` | as Discord's Create Message, plus `channel_id` or `user_id`, and `files: [{name, content_type, text or base64}]` |
//! | `POST messages` | many at once: `{messages: [{human_id, …}]}`, or `{count, human_id, …}` with `{n}` in the content |
//! | `ANY humans/{id}/api/…` | Discord's own routes with this human's permissions, without rate limits and faults |
//! | `PUT humans/{id}/direct-messages` | `{closed}` or `{blocked: [ids]}`: takes none, or none from these |
//! | `POST humans/{id}/commands` | `{name, options, channel_id}`; `?wait=true`: the answer |
//! | `POST humans/{id}/autocomplete` | the same with `focused`, the option that is being typed |
//! | `POST humans/{id}/components` | `{channel_id, message_id, custom_id, values}`; `?wait=true` |
//! | `POST humans/{id}/modals` | `{interaction_id, values}` submits the modal that was the answer |
//! | `GET humans/{id}/interactions/{interaction}` | what the human sees of it; `?wait=true&after=N`: something newer |
//! | `PATCH humans/{id}/voice-states/{user}` | as Discord's route, with that human's permissions |
//! | `POST guilds/{id}/channels` | `{name, type, topic, parent_id, overwrites, available_tags, require_tag, …}`; with `count` so many |
//! | `PATCH channels/{id}`, `DELETE channels/{id}` | `{bitrate, name, topic, …}`; threads go as well |
//! | `PUT channels/{id}/overwrites` | `{role_id or member_id, allow, deny}`, permissions by name |
//! | `POST guilds/{id}/roles`, `PATCH guilds/{id}/roles/{role}` | `{name, permissions, mentionable}` |
//! | `PUT guilds/{id}/members/{user}`, `DELETE …` | `{roles, nick}`; who is no member yet joins |
//! | `POST guilds/{id}/emojis`, `…/stickers` | `{name}` |
//! | `POST channels/{id}/system-messages` | `{type, user_id, message_id}`: `pin`, `join`, `boost` or a number |
//! | `GET channels/{id}/messages` | newest first, `?limit=&before=&after=`, 1000 at most |
//! | `GET journal` | `?since=N` → JSON lines; `&wait=true`: until there is one; `&kind=&name=`: only these |
//! | `GET/PUT faults` | [`crate::fault::FaultSettings`] |
//! | `POST faults/voice-close` | `{user_id, code}` closes a voice websocket |
//! | `POST faults/voice-message` | `{user_id, message}` sends a [`crate::fault::VoiceMessage`] |
//! | `POST faults/dave-version` | `{channel_id, version}`: 0 down to transport encryption, 1 up again |
//! | `POST faults/server-move` | `{guild_id, variant, keepOldMs, pauseMs}`: another voice server; `variant`: `nullFirst`, `update`, `close4014`, `close4015`, `close4022`, `sameEndpoint` |
//! | `PUT capture` | `{file}`: every RTP packet into a pcap file; `GET`: how it is doing; `DELETE`: ends it |
//! | `POST gateway/reconnect`, `gateway/invalid-session` | op 7; op 9 (`{resumable}`) |
//! | `POST gateway/close` | `{code}` closes the main gateway's websockets; 1006: without a close frame |
//! | `POST gateway/silence` | they stay open and say nothing more, not even to heartbeats |
//! | `GET state` | who and what is there, and the wall clock at the journal's zero |

mod act;
mod capture;
mod faults;
mod guilds;
mod humans;
mod interactions;
mod messages;
pub(crate) mod server_move;
mod speech;
mod state;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header::ORIGIN},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{any, get, patch, post, put},
};
use serde::Deserialize;
use serde_json::json;

use self::humans::Humans;
use crate::{
    fault::FaultSettings,
    gateway::Gateway,
    listen::Via,
    rest::{self, Rest, error::ApiError},
    voice::VoiceServer,
    world,
};

/// The largest WAV a human speaks, in bytes: about five minutes of 48 kHz stereo.
const MOST_WAV_BYTES: usize = 64 * 1024 * 1024;

/// What the handlers share. Cloning gives another handle to the same.
#[derive(Clone)]
pub(crate) struct Control {
    pub(crate) rest: Rest,
    pub(crate) voice: VoiceServer,
    pub(crate) gateway: Gateway,
    humans: Arc<Humans>,
    fresh: Arc<Fresh>,
    /// Discord's routes for humans.
    as_users: Router,
}

/// What a reset goes back to.
pub(crate) struct Fresh {
    pub(crate) world: world::State,
    pub(crate) faults: FaultSettings,
}

impl Control {
    pub(crate) fn new(rest: Rest, voice: VoiceServer, gateway: Gateway, fresh: Fresh) -> Self {
        let as_users = rest::ungated(&rest);
        let (humans, fresh) = (Arc::default(), Arc::new(fresh));
        Self { rest, voice, gateway, humans, fresh, as_users }
    }

    /// Lets go of all humans.
    pub(crate) fn dismiss_humans(&self) {
        self.humans.clear();
    }
}

/// All routes, under `/localcord/v1`.
pub(crate) fn router(control: &Control) -> Router {
    let routes = Router::new()
        .route("/reset", post(state::reset))
        .route("/bots", post(state::add_bot))
        .route("/humans", post(humans::add))
        .route("/humans/{human}/voice", post(humans::voice))
        .route("/humans/{human}/stats", get(humans::stats))
        .route("/humans/{human}/messages", post(messages::send))
        .route("/humans/{human}/direct-messages", put(humans::set_privacy))
        .route("/humans/{human}/api/{*path}", any(act::act))
        .route("/messages", post(messages::send_many))
        .route(
            "/humans/{human}/speak",
            post(speech::speak).layer(DefaultBodyLimit::max(MOST_WAV_BYTES)),
        )
        .route("/humans/{human}/speech", put(speech::set_coding))
        .route("/humans/{human}/echo", put(speech::set_echo))
        .route("/humans/{human}/heard", get(speech::heard))
        .route("/humans/{human}/commands", post(interactions::command))
        .route("/humans/{human}/autocomplete", post(interactions::autocomplete))
        .route("/humans/{human}/components", post(interactions::component))
        .route("/humans/{human}/modals", post(interactions::submit))
        .route("/humans/{human}/interactions/{interaction}", get(interactions::show))
        .route("/humans/{human}/voice-states/{user}", patch(humans::change_voice_state))
        .merge(guild_routes())
        .route("/journal", get(state::journal))
        .route("/faults", get(faults::faults).put(faults::set_faults))
        .route("/faults/voice-close", post(faults::close_voice))
        .route("/faults/voice-message", post(faults::send_voice_message))
        .route("/faults/dave-version", post(faults::change_dave_version))
        .route("/faults/server-move", post(server_move::move_server))
        .route("/capture", get(capture::show).put(capture::start).delete(capture::stop))
        .route("/gateway/reconnect", post(state::reconnect))
        .route("/gateway/invalid-session", post(state::invalidate))
        .route("/gateway/close", post(state::close_gateway))
        .route("/gateway/silence", post(state::silence_gateway))
        .route("/state", get(state::overview))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "no such route") })
        .layer(middleware::from_fn_with_state(control.clone(), guard));
    Router::new().nest("/localcord/v1", routes).with_state(control.clone())
}

/// What is in the world's guilds.
fn guild_routes() -> Router<Control> {
    Router::new()
        .route("/channels/{channel}", patch(state::change_channel).delete(guilds::delete_channel))
        .route("/channels/{channel}/messages", get(messages::list))
        .route("/channels/{channel}/system-messages", post(messages::send_system_message))
        .route("/channels/{channel}/overwrites", put(guilds::set_overwrite))
        .route("/guilds/{guild}/channels", post(guilds::add_channels))
        .route("/guilds/{guild}/roles", post(guilds::add_role))
        .route("/guilds/{guild}/roles/{role}", patch(guilds::change_role))
        .route(
            "/guilds/{guild}/members/{user}",
            put(guilds::set_member).delete(guilds::remove_member),
        )
        .route("/guilds/{guild}/emojis", post(guilds::add_emoji))
        .route("/guilds/{guild}/stickers", post(guilds::add_sticker))
}

/// Lets only this machine in, and writes every call down.
async fn guard(State(control): State<Control>, request: Request, next: Next) -> Response {
    let via = request.extensions().get::<Via>();
    let stranger = via.is_some_and(|via| !via.peer.ip().to_canonical().is_loopback());
    let origin = request.headers().get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if stranger || origin.is_some_and(|origin| !is_local(origin)) {
        return Refusal::new(StatusCode::FORBIDDEN, "this API is for this machine only")
            .into_response();
    }
    let name = format!("{} {}", request.method(), request.uri().path());
    let reads = request.method() == axum::http::Method::GET;
    let response = next.run(request).await;
    // Reading the journal must not make it longer.
    if !reads {
        let status = response.status().as_u16();
        control.rest.journal.record("control", name, json!({ "status": status }));
    }
    response
}

/// The origin of a page that this machine serves.
fn is_local(origin: &str) -> bool {
    let host = origin.split("://").nth(1).unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// `?wait=true`
#[derive(Clone, Copy, Debug, Deserialize)]
struct Wait {
    #[serde(default)]
    wait: bool,
}

/// A refused request, in words.
#[derive(Debug)]
enum Refusal {
    /// The control API's own: `{"error": words}`.
    Own(StatusCode, String),
    /// What Discord would say.
    Discord(ApiError),
}

impl Refusal {
    fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self::Own(status, words.into())
    }

    fn bad(words: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, words)
    }

    fn unknown(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("unknown {what}"))
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Self::Discord(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Own(status, words) => (status, Json(json!({ "error": words }))).into_response(),
            Self::Discord(error) => error.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_other_hosts_are_no_callers() {
        let cases = [
            ("http://localhost:3000", true),
            ("https://127.0.0.1", true),
            ("http://[::1]:80", true),
            ("https://example.com", false),
            ("http://localhost.example.com", false),
            ("null", false),
        ];
        for (origin, local) in cases {
            assert_eq!(is_local(origin), local, "{origin}");
        }
    }
}
