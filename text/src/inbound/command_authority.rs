//! Step 18: commands that are written as messages, and who may give them.

use clawvoice_session::access::{CommandForm, Room, Who};

use super::{
    dm::unanswered,
    markup::{Token, tokens},
    policy::InboundPolicy,
    verdict::{Known, Stop, TextCommand},
};

/// The commands there are. Whatever else begins with `/` is text.
/// Source: OpenClaw, "Slash commands".
const TEXT_COMMANDS: &[&str] = &[
    "acp",
    "activation",
    "agents",
    "allowlist",
    "approve",
    "bash",
    "btw",
    "commands",
    "compact",
    "config",
    "context",
    "debug",
    "dock",
    "elevated",
    "exec",
    "export",
    "export-session",
    "fast",
    "focus",
    "help",
    "id",
    "kill",
    "mcp",
    "model",
    "models",
    "new",
    "plugins",
    "queue",
    "reasoning",
    "reset",
    "restart",
    "send",
    "session",
    "skill",
    "status",
    "steer",
    "stop",
    "subagents",
    "t",
    "tasks",
    "tell",
    "think",
    "thinking",
    "tools",
    "trace",
    "tts",
    "unfocus",
    "usage",
    "v",
    "vc",
    "verbose",
    "voice",
    "whoami",
];

/// Longer ones are no command's name, bytes.
const LONGEST_NAME: usize = 32;

/// The command that a text is: one that begins with `/`, perhaps after the bot's mention.
pub(crate) fn read(text: &str, own: u64, policy: &InboundPolicy) -> Option<TextCommand> {
    // Most messages end here.
    if !policy.text_commands || !text.contains('/') {
        return None;
    }
    let rest = after_mention(text, own).strip_prefix('/')?;
    let end = rest.find(|c: char| c.is_whitespace() || c == ':').unwrap_or(rest.len());
    let (name, args) = rest.split_at_checked(end)?;
    if name.is_empty() || name.len() > LONGEST_NAME {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let args = args.strip_prefix(':').unwrap_or(args).trim().to_owned();
    TEXT_COMMANDS.contains(&name.as_str()).then_some(TextCommand { name, args })
}

/// Whether a text is a command for a bot, whoever it is.
pub(crate) fn is_command(text: &str, own: u64) -> bool {
    text.contains('/') && after_mention(text.trim(), own).starts_with('/')
}

fn after_mention(text: &str, own: u64) -> &str {
    match tokens(text).next() {
        Some((range, Token::User(id))) if range.start == 0 && id == own => {
            text.get(range.end..).unwrap_or_default().trim_start()
        }
        _ => text,
    }
}

/// Whether the sender may give commands here; `None` in private.
pub(crate) fn may(
    who: &Who<'_>,
    room: Option<&Room>,
    known: &Known<'_>,
    policy: &InboundPolicy,
) -> Result<bool, Stop> {
    let rules = &policy.rules.commands;
    if rules.allows(CommandForm::Text, room, who, policy.match_names()) {
        return Ok(true);
    }
    let lists = match &rules.allow_from {
        Some(people) => Some(people),
        None => room.map(Room::users),
    };
    match lists.and_then(|people| unanswered(people, who, known)) {
        Some(need) => Err(need.into()),
        None => Ok(false),
    }
}
