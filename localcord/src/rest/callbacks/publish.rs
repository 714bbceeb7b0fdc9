//! The messages that come of answers: in the channel, or for whoever caused them alone.

use serde_json::{Value, json};

use super::super::{
    Rest,
    body::MessageBody,
    ephemeral::Ephemeral,
    error::ApiError,
    interaction::{Interaction, interaction_kind},
    messages::{
        drafted,
        form::{self as message_form, EPHEMERAL, LOADING},
    },
};
use crate::world::{self, Message, MessageChange, message_kind};

pub(super) fn is_ephemeral(message: &Message) -> bool {
    message.flags & EPHEMERAL != 0
}

/// Sends what a checked body says; `original`: the answer that it follows.
pub(super) fn publish(
    rest: &Rest,
    called: &Interaction,
    original: Option<u64>,
    body: MessageBody,
) -> Message {
    let described = body.json.get("attachments");
    let attachments = rest.keep_files(called.channel_id, body.files, described);
    let blank = blank(rest, called, original);
    let mut draft = drafted(&body.json, attachments);
    // It stands below what it answers, whose author is the application itself.
    draft.allowed_mentions.replied_user = false;
    let hidden = message_form::flags(&body.json) & EPHEMERAL;
    let message = Message {
        channel_id: blank.channel_id,
        author_id: blank.author_id,
        kind: blank.kind,
        application_id: blank.application_id,
        interaction: blank.interaction,
        reference: blank.reference,
        flags: draft.flags | hidden,
        ..draft
    };
    place(rest, called, message)
}

/// Shows that the application "is thinking".
pub(super) fn think(rest: &Rest, called: &Interaction, flags: u64) -> Message {
    let waiting = Message { flags: flags | LOADING, ..blank(rest, called, None) };
    place(rest, called, waiting)
}

/// A message of the application in the interaction's channel, with nothing in it yet.
fn blank(rest: &Rest, called: &Interaction, original: Option<u64>) -> Message {
    let replied = original.or(called.source);
    let kind = match replied {
        Some(_) => message_kind::REPLY,
        None => message_kind::COMMAND_ANSWER,
    };
    let reference = replied.map(|message| {
        let mut reference = json!({
            "type": 0,
            "message_id": message.to_string(),
            "channel_id": called.channel_id.to_string(),
        });
        if let Some(guild) = called.guild_id {
            reference["guild_id"] = guild.to_string().into();
        }
        reference
    });
    let opener = called.opened_by;
    let opener = opener
        .and_then(|id| rest.interactions().by_id(id).map(|exchange| exchange.interaction.clone()));
    let mut metadata = rest.world.read(|state| metadata(state, called));
    if let Some(original) = original {
        metadata["original_response_message_id"] = original.to_string().into();
    }
    if let Some(opener) = opener {
        metadata["triggering_interaction_metadata"] =
            rest.world.read(|state| self::metadata(state, &opener));
    }
    Message {
        channel_id: called.channel_id,
        author_id: called.bot_id,
        kind,
        application_id: Some(called.application_id),
        interaction: Some(metadata),
        reference,
        ..Message::default()
    }
}

/// The `interaction_metadata` of an answer ("Message Interaction Metadata Object").
fn metadata(state: &world::State, called: &Interaction) -> Value {
    let mut metadata = json!({
        "id": called.id.to_string(),
        "type": called.kind,
        "user": state.user_json(called.user_id),
        "authorizing_integration_owners": called.owners(),
    });
    match called.kind {
        interaction_kind::COMMAND => metadata["name"] = called.command.clone().into(),
        interaction_kind::COMPONENT => {
            metadata["interacted_message_id"] = called.source.map(|id| id.to_string()).into();
        }
        _ => {}
    }
    metadata
}

impl Interaction {
    /// `authorizing_integration_owners`: applications are installed in guilds.
    pub(crate) fn owners(&self) -> Value {
        json!({ "0": self.guild_id.unwrap_or(0).to_string() })
    }
}

/// Puts a message into its channel, or shows it to one user alone.
fn place(rest: &Rest, called: &Interaction, message: Message) -> Message {
    if !is_ephemeral(&message) {
        return rest.world.create_message(message);
    }
    let id = rest.world.write(world::State::next_id);
    let message = Message { id, ..message };
    rest.ephemerals().put(Ephemeral {
        message: message.clone(),
        viewer: called.user_id,
        interaction: called.id,
    });
    message
}

/// Changes an answer, wherever it is; the message as it is then.
///
/// # Errors
/// 10008: it is gone.
pub(super) fn applied(
    rest: &Rest,
    message: &Message,
    change: MessageChange,
) -> Result<Message, ApiError> {
    if !is_ephemeral(message) {
        let edited = rest.world.edit_message(message.channel_id, message.id, change);
        return edited.map_err(|_| ApiError::unknown_message());
    }
    let mut edited = message.clone();
    change.apply(&mut edited);
    let there = rest.ephemerals().replace(edited.clone());
    if there { Ok(edited) } else { Err(ApiError::unknown_message()) }
}
