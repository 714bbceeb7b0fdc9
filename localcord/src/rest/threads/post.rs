//! Posts in forums and media channels: a thread with its first message, which has the same id.

use axum::{Json, http::StatusCode};
use serde_json::{Value, json};

use super::{Answer, Head, check_tags};
use crate::{
    rest::{
        Rest,
        body::MessageBody,
        error::{ApiError, Form},
        gate::Caller,
        messages::{drafted, form},
    },
    world::{Channel, Message, Sender, bits, kind},
};

/// A post that is about to be opened.
pub(in crate::rest) struct Post {
    /// The forum.
    pub(in crate::rest) forum: u64,
    /// The user or webhook that opens it.
    pub(in crate::rest) author: u64,
    /// The webhook's name.
    pub(in crate::rest) sender: Option<Sender>,
    /// The application of the webhook.
    pub(in crate::rest) application_id: Option<u64>,
    /// The first message, checked.
    pub(in crate::rest) body: MessageBody,
    /// Its tags.
    pub(in crate::rest) tags: Vec<u64>,
}

/// `POST /channels/{forum}/threads`
pub(super) fn start(rest: &Rest, caller: Caller, forum: u64, body: MessageBody) -> Answer {
    let Some(message) = body.json.get("message").filter(|one| one.is_object()).cloned() else {
        return Err(Form::missing("message"));
    };
    let author = caller.bot_id;
    let first = MessageBody { json: message, files: body.files.clone() };
    form::check_new(&first.json, &rest.around(author, &first, &[]))?;
    let tags = tags_of(&body.json)?;
    rest.world.read(|state| {
        let needed = match body.files.is_empty() {
            true => bits::SEND_MESSAGES,
            false => bits::SEND_MESSAGES | bits::ATTACH_FILES,
        };
        let may = state.may(author, forum, needed);
        if may { Ok(()) } else { Err(ApiError::missing_permissions()) }
    })?;
    let post = Post { forum, author, sender: None, application_id: None, body: first, tags };
    let message = open_post(rest, &body.json, post)?;
    rest.world.read(|state| {
        let thread = state.channels.get(&message.id).ok_or_else(ApiError::unknown_channel)?;
        let mut object = state.channel_json(thread, Some(author));
        object["message"] = rest.shown_to(state, author, &message);
        Ok((StatusCode::CREATED, Json(object)))
    })
}

/// The `applied_tags` of a body.
///
/// # Errors
/// One is no id.
pub(in crate::rest) fn tags_of(body: &Value) -> Result<Vec<u64>, ApiError> {
    let listed = body.get("applied_tags").and_then(Value::as_array);
    let ids = listed.into_iter().flatten();
    ids.map(|id| crate::rest::snowflake("applied_tags", id.as_str().unwrap_or_default())).collect()
}

/// Opens a post, called as `head` says; its first message.
///
/// # Errors
/// The head or the tags are not as they must be.
pub(in crate::rest) fn open_post(
    rest: &Rest,
    head: &Value,
    post: Post,
) -> Result<Message, ApiError> {
    let head = Head::read(head)?;
    rest.world.read(|state| {
        let forum = state.channels.get(&post.forum).ok_or_else(ApiError::unknown_channel)?;
        check_tags(state, post.author, forum, &post.tags)
    })?;
    let id = rest.world.write(crate::world::State::next_id);
    let described = post.body.json.get("attachments");
    let attachments = rest.keep_files(id, post.body.files, described);
    let draft = drafted(&post.body.json, attachments);
    rest.world.write(|state| {
        let forum = state.channels.get(&post.forum).ok_or_else(ApiError::unknown_channel)?;
        let thread = head.thread(id, kind::PUBLIC_THREAD, forum, post.author);
        let thread = Channel { applied_tags: post.tags, ..thread };
        rest.world.open_thread(state, thread);
        let first = Message {
            id,
            channel_id: id,
            author_id: post.author,
            sender: post.sender,
            application_id: post.application_id,
            ..draft
        };
        Ok(rest.world.post(state, first))
    })
}

/// What the head of a post that a webhook opens looks like.
pub(in crate::rest) fn head_named(name: &Value) -> Value {
    json!({ "name": name })
}
