//! Who is in a thread ("Join Thread", "Add Thread Member" and their likes).

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    rest::{
        Rest, channels::visible, error::ApiError, gate::Caller, guilds::user_id,
        messages::unless_archived, query, snowflake,
    },
    world::{self, Channel, Message, bits, intents, kind, message_kind, thread_member_json},
};

type Named = Path<(String, String)>;

/// The thread of a path, if the caller sees it.
fn thread<'a>(state: &'a world::State, caller: Caller, id: &str) -> Result<&'a Channel, ApiError> {
    let thread = visible(state, caller.bot_id, snowflake("channel_id", id)?)?;
    if thread.is_thread() { Ok(thread) } else { Err(ApiError::wrong_channel_type()) }
}

/// `PUT /channels/{thread}/thread-members/{user}`: `@me` joins, others are added.
pub(in crate::rest) async fn add(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, user)): Named,
) -> Result<StatusCode, ApiError> {
    let user = user_id(&user, caller)?;
    rest.world.write(|state| {
        let thread = thread(state, caller, &channel)?.clone();
        unless_archived(state, thread.id)?;
        let guild = thread.guild_id.and_then(|guild| state.guilds.get(&guild));
        if !guild.is_some_and(|guild| guild.members.contains_key(&user)) {
            return Err(ApiError::unknown_member());
        }
        if user != caller.bot_id {
            may_add(state, caller.bot_id, &thread)?;
        }
        let is_new = !thread.thread.members.contains_key(&user);
        rest.world.add_to_thread(state, thread.id, &[user]);
        if is_new && user != caller.bot_id {
            let mut notice = Message {
                channel_id: thread.id,
                author_id: caller.bot_id,
                kind: message_kind::RECIPIENT_ADD,
                ..Message::default()
            };
            notice.mentions.users.push(user);
            rest.world.post(state, notice);
        }
        Ok(StatusCode::NO_CONTENT)
    })
}

/// Who may write in a thread adds others; to a private one only if it lets them.
fn may_add(state: &world::State, user: u64, thread: &Channel) -> Result<(), ApiError> {
    let moderator = state.may(user, thread.id, bits::MANAGE_THREADS);
    let private = thread.kind == kind::PRIVATE_THREAD;
    let invites = !private || thread.thread.invitable || thread.owner_id == Some(user);
    let writes = state.may(user, thread.id, bits::SEND_MESSAGES_IN_THREADS);
    if moderator || (writes && invites) { Ok(()) } else { Err(ApiError::missing_permissions()) }
}

/// `DELETE /channels/{thread}/thread-members/{user}`: `@me` leaves; others take MANAGE_THREADS, or
/// the owner of a private thread.
pub(in crate::rest) async fn remove(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, user)): Named,
) -> Result<StatusCode, ApiError> {
    let user = user_id(&user, caller)?;
    rest.world.write(|state| {
        let thread = thread(state, caller, &channel)?.clone();
        unless_archived(state, thread.id)?;
        let own = thread.kind == kind::PRIVATE_THREAD && thread.owner_id == Some(caller.bot_id);
        let moderator = own || state.may(caller.bot_id, thread.id, bits::MANAGE_THREADS);
        if user != caller.bot_id && !moderator {
            return Err(ApiError::missing_permissions());
        }
        match rest.world.remove_from_thread(state, thread.id, user) {
            true => Ok(StatusCode::NO_CONTENT),
            false => Err(ApiError::unknown_member()),
        }
    })
}

/// `GET /channels/{thread}/thread-members/{user}`
pub(in crate::rest) async fn read(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path((channel, user)): Named,
    Query(wanted): Query<WithMember>,
) -> Result<Json<Value>, ApiError> {
    let user = user_id(&user, caller)?;
    rest.world.read(|state| {
        let thread = thread(state, caller, &channel)?;
        let member = member(state, thread, user, wanted.with_member);
        member.map(Json).ok_or_else(ApiError::unknown_member)
    })
}

/// `?with_member=true`
#[derive(Debug, Deserialize)]
pub(in crate::rest) struct WithMember {
    #[serde(default, deserialize_with = "query::flag")]
    with_member: bool,
}

/// `GET /channels/{thread}/thread-members`: needs the privileged GUILD_MEMBERS intent.
pub(in crate::rest) async fn list(
    State(rest): State<Rest>,
    Extension(caller): Extension<Caller>,
    Path(channel): Path<String>,
    Query(wanted): Query<WithMember>,
) -> Result<Json<Value>, ApiError> {
    rest.world.read(|state| {
        let thread = thread(state, caller, &channel)?;
        let application = state.application_of(caller.bot_id);
        let lacks = |app: &world::Application| app.privileged_intents & intents::GUILD_MEMBERS == 0;
        if application.is_some_and(lacks) {
            return Err(ApiError::missing_access());
        }
        let users = thread.thread.members.keys();
        let all = users.filter_map(|user| member(state, thread, *user, wanted.with_member));
        Ok(Json(all.collect()))
    })
}

fn member(state: &world::State, thread: &Channel, user: u64, with_member: bool) -> Option<Value> {
    let mut object = thread_member_json(thread, user)?;
    if with_member {
        object["member"] = state.member_json(thread.guild_id?, user).unwrap_or_default();
    }
    Some(object)
}
