//! The system prompt's part: what the program and its configuration say, the same for every turn
//! of a chat.

use serde_json::json;

use super::{
    Chat, TurnContext,
    block::fenced,
    inert::unmarked,
    marker::Marker,
    sign::{CHANNEL, EXPLANATION, INBOUND},
};

/// The form of the JSON.
const SCHEMA: &str = "clawvoice.inbound.v1";

pub(super) fn system(turn: &TurnContext<'_>, marker: &Marker) -> String {
    let chat = match turn.chat {
        Chat::Direct => format!("user:{}", turn.sender.id),
        _ => format!("channel:{}", turn.channel),
    };
    let facts = json!({
        "schema": SCHEMA,
        "account_id": turn.account,
        "channel": "discord",
        "surface": turn.surface,
        "chat_type": turn.chat.kind(),
        "chat_id": chat,
    });
    let heading = format!("{INBOUND}\n{}", EXPLANATION.join("\n"));
    let mut system = marker.around(&fenced(&heading, &unmarked(&facts.to_string(), marker)));
    if let Some(configured) = configured(turn) {
        system.push('\n');
        system.push_str(&marker.around(&unmarked(&configured, marker)));
    }
    system
}

fn configured(turn: &TurnContext<'_>) -> Option<String> {
    let prompt = turn.system_prompt.map(str::trim).filter(|prompt| !prompt.is_empty());
    let skills = turn.skills.map(|skills| match skills {
        [] => "Skills for this channel: none.".to_owned(),
        skills => format!("Skills for this channel: {}.", skills.join(", ")),
    });
    let parts: Vec<_> = prompt.map(str::to_owned).into_iter().chain(skills).collect();
    (!parts.is_empty()).then(|| format!("{CHANNEL}\n{}", parts.join("\n")))
}
