//! What people wrote and named, as JSON for this turn only, and the header as the last line.

use serde_json::Value;

use super::{
    Chat, TurnContext,
    block::{Fields, fenced, list},
    header::{from, header},
    inert::{unfenced, unmarked},
    marker::Marker,
    sign::{
        CONVERSATION, CURRENT, EVENTS, FORWARDED, HISTORY, HISTORY_BEGIN, REPLY, SENDER, STARTER,
        TOPIC,
    },
    words::{MOST_BODY, MOST_HISTORY, MOST_HISTORY_TEXT, MOST_ITEMS, MOST_TOPIC, cut, label},
};
use crate::history::Entry;

pub(super) fn context(turn: &TurnContext<'_>, marker: &Marker) -> String {
    let fields = || Fields::new(marker);
    let topic = turn.topic.unwrap_or_default().trim();
    let starter = turn.starter.map(|starter| {
        fields().label("sender", starter.sender).text("body", starter.body, MOST_BODY)
    });
    let reply = turn.reply.map(|reply| {
        fields()
            .value("message_id", reply.message.to_string())
            .label("sender", reply.sender)
            .flag("is_quote", reply.is_quote)
            .text("body", reply.body, MOST_BODY)
    });
    let blocks = [
        conversation(turn, marker).block(CONVERSATION),
        sender(turn, marker).block(SENDER),
        fields().text("topic", topic, MOST_TOPIC).block(TOPIC),
        starter.and_then(|starter| starter.block(STARTER)),
        forwarded(turn, marker),
        reply.and_then(|reply| reply.block(REPLY)),
        history(turn, marker),
        events(turn, marker),
        Some(current(turn, marker)),
    ];
    blocks.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn conversation<'m>(turn: &TurnContext<'_>, marker: &'m Marker) -> Fields<'m> {
    let (guild, name, thread) = match turn.chat {
        Chat::Direct => ("", "", String::new()),
        Chat::Group { name } => ("", name, String::new()),
        Chat::Channel { guild, name } => (guild, name, String::new()),
        Chat::Thread { guild, name, parent } => {
            (guild, name, format!("Discord thread #{} › {}", label(parent), label(name)))
        }
    };
    let batch: Vec<_> = turn.batch.iter().take(MOST_ITEMS).map(ToString::to_string).collect();
    let fields = Fields::new(marker)
        .value("message_id", turn.message.to_string())
        .label("sender_id", turn.sender.id)
        .text("conversation_label", &from(turn), usize::MAX)
        .label("guild", guild)
        .label("channel_name", name)
        .text("thread_label", &thread, usize::MAX)
        .flag("is_group_chat", !matches!(turn.chat, Chat::Direct))
        .flag("was_mentioned", turn.was_mentioned)
        .flag("is_batch", !turn.batch.is_empty())
        .flag("has_thread_starter", turn.starter.is_some())
        .flag("has_forwarded_context", !turn.forwarded.is_empty())
        .count("history_count", turn.history.len());
    let fields = if batch.is_empty() { fields } else { fields.value("batch_message_ids", batch) };
    match turn.reply {
        None => fields,
        Some(reply) => fields.value("reply_to_id", reply.message.to_string()),
    }
}

fn sender<'m>(turn: &TurnContext<'_>, marker: &'m Marker) -> Fields<'m> {
    let sender = turn.sender;
    Fields::new(marker)
        .label("label", sender.label)
        .label("id", sender.id)
        .label("name", sender.name)
        .label("username", sender.username)
        .label("tag", sender.tag)
}

fn forwarded(turn: &TurnContext<'_>, marker: &Marker) -> Option<String> {
    let shown = turn.forwarded.iter().take(MOST_ITEMS).map(|message| {
        let from = message.from.unwrap_or_default();
        let fields = Fields::new(marker).label("from", from);
        fields.text("body", message.body, MOST_BODY).into_value()
    });
    let shown: Vec<_> = shown.collect();
    (!shown.is_empty()).then(|| marker.around(&fenced(FORWARDED, &list(&shown))))
}

fn events(turn: &TurnContext<'_>, marker: &Marker) -> Option<String> {
    let newest = turn.events.len().saturating_sub(MOST_ITEMS);
    let shown: Vec<Value> = turn
        .events
        .iter()
        .skip(newest)
        .map(|event| unmarked(&cut(event, MOST_BODY), marker).into())
        .collect();
    (!shown.is_empty()).then(|| marker.around(&fenced(EVENTS, &list(&shown))))
}

/// The newest messages that fit; of the others, how many there were.
fn history(turn: &TurnContext<'_>, marker: &Marker) -> Option<String> {
    let mut room = MOST_HISTORY_TEXT;
    let mut shown = Vec::new();
    for entry in turn.history.iter().rev().take(MOST_HISTORY) {
        let length = entry.body.chars().take(MOST_BODY).count();
        // The newest is shown in any case.
        if length > room && !shown.is_empty() {
            break;
        }
        room = room.saturating_sub(length);
        shown.push(said(entry, turn, marker));
    }
    let omitted = turn.history.len() - shown.len();
    if omitted > 0 {
        shown.push(Fields::new(marker).count("older_messages_left_out", omitted).into_value());
    }
    shown.reverse();
    let block = fenced(HISTORY, &list(&shown));
    (!shown.is_empty()).then(|| marker.around(&format!("{HISTORY_BEGIN}\n{block}")))
}

fn said(entry: &Entry, turn: &TurnContext<'_>, marker: &Marker) -> Value {
    Fields::new(marker)
        .value("ref", format!("[id:{} channel:{}]", entry.message, turn.channel))
        .label("sender", &entry.label)
        .value("timestamp_ms", entry.message.unix_ms())
        .text("body", &entry.body, MOST_BODY)
        .count("attachments", entry.attachments.len())
        .into_value()
}

/// The lines right before the message.
fn current(turn: &TurnContext<'_>, marker: &Marker) -> String {
    let forum = turn.forum_parent.map(clawvoice_config::slug).filter(|slug| !slug.is_empty());
    let lines = [
        (!turn.history.is_empty()).then(|| CURRENT.to_owned()),
        forum.map(|slug| format!("[Forum parent: #{slug}]")),
        Some(format!("[id:{} channel:{}]", turn.message, turn.channel)),
        Some(header(turn)),
    ];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    marker.around(&unfenced(&unmarked(&lines.join("\n"), marker)))
}
