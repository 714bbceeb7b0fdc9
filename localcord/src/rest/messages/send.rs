//! A message on its way into a channel.

use std::time::Instant;

use axum::http::StatusCode;
use serde_json::Value;

use super::{
    super::{
        Rest, body::MessageBody, channels::visible, components::completed, error::ApiError,
        snowflake, voice_message,
    },
    allowed, embeds,
    form::{self, SENDABLE},
    nonce::Nonce,
    reference, text,
};
use crate::world::{self, Channel, Message, bits, kind};

/// Sends a message as a user who wants to write in a channel, after all checks.
///
/// # Errors
/// The channel, the user's permissions or the message are not as they must be.
pub(crate) fn send(
    rest: &Rest,
    author: u64,
    channel: u64,
    body: MessageBody,
) -> Result<Message, ApiError> {
    form::check_new(&body.json, &rest.around(author, &body, &[]))?;
    let names_files = body.json.pointer("/attachments/0/uploaded_filename").is_some();
    let (referred, stickers) = rest.world.read(|state| {
        may_write(state, author, channel, names_files || !body.files.is_empty())?;
        voice_message::may_send(state, author, channel, &body.json)?;
        let embeds = body.json["embeds"].as_array().is_some_and(|embeds| !embeds.is_empty());
        if embeds && !state.may(author, channel, bits::EMBED_LINKS) {
            return Err(ApiError::missing_permissions());
        }
        let referred = reference::find(state, author, channel, &body.json)?;
        Ok::<_, ApiError>((referred, stickers(state, channel, &body.json)?))
    })?;
    let (now, nonce) = (Instant::now(), Nonce::of(author, channel, &body.json));
    // Held until the message is there: of two at the same time only one is posted.
    let mut nonces = rest.nonces();
    if let Some(sent) = nonce.as_ref().filter(|_| is_enforced(&body.json))
        && let Some(sent) = nonces.find(now, sent)
        && let Some(sent) =
            rest.world.read(|state| state.messages.get(&channel)?.get(&sent).cloned())
    {
        return Ok(sent);
    }
    let mut files = body.files;
    files.extend(rest.uploaded_files(author, channel, &body.json)?);
    voice_message::check(&body.json, &files)?;
    rest.forget_uploads(&body.json);
    let mut attachments = rest.keep_files(channel, files, body.json.get("attachments"));
    voice_message::describe(&mut attachments, &body.json);
    let draft = drafted(&body.json, attachments);
    let message = rest.world.create_message(Message {
        channel_id: channel,
        author_id: author,
        kind: referred.kind,
        reference: referred.reference,
        snapshots: referred.snapshots,
        flags: draft.flags | referred.flags,
        stickers,
        ..draft
    });
    if let Some(nonce) = nonce {
        nonces.put(now, nonce, message.id);
    }
    Ok(message)
}

fn is_enforced(body: &Value) -> bool {
    body.get("enforce_nonce").and_then(Value::as_bool).unwrap_or(false)
}

/// A message with what a checked body says, and its files.
pub(in crate::rest) fn drafted(body: &Value, attachments: Vec<Value>) -> Message {
    let components = body.get("components").and_then(Value::as_array);
    let components = components.map_or(&[][..], Vec::as_slice);
    Message {
        components: completed(components, &attachments),
        attachments,
        content: text(body, "content").unwrap_or_default(),
        flags: form::flags(body) & SENDABLE & !form::EPHEMERAL,
        tts: body.get("tts").and_then(Value::as_bool).unwrap_or(false),
        embeds: embeds(body).unwrap_or_default(),
        nonce: body.get("nonce").filter(|nonce| !nonce.is_null()).cloned(),
        allowed_mentions: allowed::read(body),
        ..Message::default()
    }
}

/// The stickers of a body, which must be of the channel's guild.
fn stickers(state: &world::State, channel: u64, body: &Value) -> Result<Vec<Value>, ApiError> {
    let guild = state.channels.get(&channel).and_then(|channel| channel.guild_id);
    let guild = guild.and_then(|guild| state.guilds.get(&guild));
    let ids = body.get("sticker_ids").and_then(Value::as_array);
    let found = ids.into_iter().flatten().map(|id| {
        let id = snowflake("sticker_ids", id.as_str().unwrap_or_default())?;
        let sticker = guild.and_then(|guild| guild.stickers.get(&id));
        let why = "Invalid sticker sent";
        let missing = || ApiError::new(StatusCode::BAD_REQUEST, 50_081, why);
        sticker.map(world::Sticker::to_item_json).ok_or_else(missing)
    });
    found.collect()
}

/// Whether a user may post to a channel, with files or without.
pub(in crate::rest) fn may_write(
    state: &world::State,
    author: u64,
    channel: u64,
    files: bool,
) -> Result<(), ApiError> {
    let place = visible(state, author, channel)?;
    if place.is_forum() {
        let why = "Cannot send messages in a forum channel";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 40_058, why));
    }
    if !place.takes_messages() {
        let why = "Cannot send messages in a non-text channel";
        return Err(ApiError::new(StatusCode::BAD_REQUEST, 50_008, why));
    }
    let mut needed = match place.is_thread() {
        true => bits::SEND_MESSAGES_IN_THREADS,
        false => bits::SEND_MESSAGES,
    };
    if files {
        needed |= bits::ATTACH_FILES;
    }
    if !state.may(author, channel, needed) {
        return Err(ApiError::missing_permissions());
    }
    if place.kind == kind::DM {
        return may_reach(state, author, place);
    }
    is_open(state, author, place)
}

/// The other side of a direct message takes it.
fn may_reach(state: &world::State, author: u64, place: &Channel) -> Result<(), ApiError> {
    let other = place.recipients.iter().copied().find(|user| *user != author);
    let Some(other) = other else { return Ok(()) };
    if !state.takes_direct_messages(other, author) {
        return Err(ApiError::no_direct_messages());
    }
    let shared = state.guilds_of(author).any(|guild| guild.members.contains_key(&other));
    if !shared {
        let why = "Cannot send messages to this user due to having no mutual guilds";
        return Err(ApiError::new(StatusCode::FORBIDDEN, 50_278, why));
    }
    Ok(())
}

/// A locked thread takes messages from moderators alone.
fn is_open(state: &world::State, author: u64, place: &Channel) -> Result<(), ApiError> {
    let locked = place.is_thread() && place.thread.locked;
    if !locked || state.may(author, place.id, bits::MANAGE_THREADS) {
        return Ok(());
    }
    if place.thread.archived {
        return Err(ApiError::archived_thread());
    }
    Err(ApiError::new(StatusCode::FORBIDDEN, 160_005, "Thread is locked"))
}

/// Nothing in an archived thread can be changed.
pub(in crate::rest) fn unless_archived(state: &world::State, channel: u64) -> Result<(), ApiError> {
    let place = state.channels.get(&channel);
    if place.is_some_and(|place| place.is_thread() && place.thread.archived) {
        return Err(ApiError::archived_thread());
    }
    Ok(())
}
