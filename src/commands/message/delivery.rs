//! Sends what is planned, in order.

use clawvoice_config::Discord;
use clawvoice_session::{ChannelId, MessageId};
use clawvoice_text::{
    delivery::{failure::DeliveryFailure, failure::judge, outgoing_file},
    shell::{
        message_calls::OutgoingFile,
        rest::{DiscordRest, RestFailure},
    },
};

use super::plan::{Plan, Planned};
use crate::printer::Failure;

/// What has been sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    /// The messages, in order.
    pub(super) messages: Vec<MessageId>,
    /// Files were too large for Discord, which the text says now.
    pub(super) without_files: bool,
}

/// Why not all of it was sent.
#[derive(Debug)]
pub(super) struct Stopped {
    /// What was sent before.
    pub(super) sent: Sent,
    /// Whether files were to go along.
    pub(super) files: bool,
    /// Why the next message was not.
    pub(super) failure: RestFailure,
}

/// A message with what is in its files.
pub(super) struct Loaded<'p> {
    planned: &'p Planned,
    files: Vec<OutgoingFile>,
}

/// Reads all files, before anything is sent.
pub(super) async fn load(plan: &Plan) -> Result<Vec<Loaded<'_>>, Failure> {
    let mut all = Vec::with_capacity(plan.messages.len());
    for planned in &plan.messages {
        let mut files = Vec::with_capacity(planned.files.len());
        for file in &planned.files {
            files.push(read(file).await?);
        }
        all.push(Loaded { planned, files });
    }
    Ok(all)
}

async fn read(file: &outgoing_file::OutgoingFile) -> Result<OutgoingFile, Failure> {
    let shown = file.path.display();
    let bytes = tokio::fs::read(&file.path)
        .await
        .map_err(|error| Failure::user(format_args!("{shown} cannot be read: {error}")))?;
    Ok(OutgoingFile { name: file.name.clone(), bytes: bytes.into(), description: None })
}

/// Sends the messages behind what was `sent` already.
pub(super) async fn deliver(
    rest: &DiscordRest,
    discord: &Discord,
    channel: ChannelId,
    messages: &[Loaded<'_>],
    mut sent: Sent,
) -> Result<Sent, Box<Stopped>> {
    for Loaded { planned, files } in messages {
        let posted = rest.create_message_with(channel, &planned.body, files).await;
        let failure = match posted {
            Ok(created) => {
                sent.messages.push(created.id);
                continue;
            }
            Err(failure) if !files.is_empty() && is_too_large(&failure) => {
                match without_files(rest, discord, channel, planned, &mut sent).await {
                    Ok(()) => continue,
                    Err(failure) => failure,
                }
            }
            Err(failure) => failure,
        };
        return Err(Box::new(Stopped { sent, files: !files.is_empty(), failure }));
    }
    Ok(sent)
}

async fn without_files(
    rest: &DiscordRest,
    discord: &Discord,
    channel: ChannelId,
    planned: &Planned,
    sent: &mut Sent,
) -> Result<(), RestFailure> {
    sent.without_files = true;
    for body in planned.without_files(discord) {
        sent.messages.push(rest.create_message(channel, &body).await?.id);
    }
    Ok(())
}

fn is_too_large(failure: &RestFailure) -> bool {
    match failure {
        RestFailure::Refused { status, code, message, .. } => {
            judge(*status, *code, message) == DeliveryFailure::TooLarge
        }
        _ => false,
    }
}

impl Sent {
    /// The ids, in one line.
    pub(super) fn list(&self) -> String {
        let ids: Vec<String> = self.messages.iter().map(ToString::to_string).collect();
        ids.join(", ")
    }
}
