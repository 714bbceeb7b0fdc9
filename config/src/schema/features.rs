//! What the bot offers on Discord: the agent's actions, approvals, buttons, commands.

use std::time::Duration;

use crate::{
    cursor::{Block, Section},
    schema::{
        declare::{block, words},
        delivery::colour,
        id::DiscordId,
        people,
    },
};

block! {
    /// `actions`, key by key over the root's: what the agent may do on Discord.
    Actions {
        /// Default on.
        reactions: bool = bool_or("reactions", true),
        /// Default on.
        messages: bool = bool_or("messages", true),
        /// Default on.
        threads: bool = bool_or("threads", true),
        /// Default on.
        pins: bool = bool_or("pins", true),
        /// Default on.
        polls: bool = bool_or("polls", true),
        /// Default on.
        search: bool = bool_or("search", true),
        /// Default on.
        member_info: bool = bool_or("memberInfo", true),
        /// Default on.
        role_info: bool = bool_or("roleInfo", true),
        /// Default on.
        channel_info: bool = bool_or("channelInfo", true),
        /// Default on.
        channels: bool = bool_or("channels", true),
        /// Default on.
        voice_status: bool = bool_or("voiceStatus", true),
        /// Default on.
        events: bool = bool_or("events", true),
        /// Default on.
        stickers: bool = bool_or("stickers", true),
        /// Default on.
        emoji_uploads: bool = bool_or("emojiUploads", true),
        /// Default on.
        sticker_uploads: bool = bool_or("stickerUploads", true),
        /// Default on.
        permissions: bool = bool_or("permissions", true),
        /// Default off.
        roles: bool = bool_or("roles", false),
        /// Default off.
        moderation: bool = bool_or("moderation", false),
        /// Default off.
        presence: bool = bool_or("presence", false),
    }
}

words! {
    /// `execApprovals.target`: where approval is asked for.
    ApprovalTarget {
        /// In the approvers' direct messages.
        Dm = "dm",
        /// Where the request came from.
        Channel = "channel",
        /// Both.
        Both = "both",
    }
}

/// `execApprovals`: commands that somebody must approve first.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecApprovals {
    /// `enabled`. `None`, or `"auto"`: on if there is an approver.
    pub enabled: Option<bool>,
    /// `approvers`. `None`: the Discord users of `commands.ownerAllowFrom`.
    pub approvers: Option<Vec<DiscordId>>,
    /// `target`. Default `dm`.
    pub target: ApprovalTarget,
    /// `agentFilter`: exact ids. `None`: every agent.
    pub agents: Option<Vec<String>>,
    /// `sessionFilter`: parts of session keys, or regular expressions. `None`: every session.
    pub sessions: Option<Vec<String>>,
    /// `cleanupAfterResolve`: cards go once they are decided. Default off.
    pub cleanup: bool,
}

/// What the bot offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `actions`.
    pub actions: Actions,
    /// `execApprovals`.
    pub exec_approvals: ExecApprovals,
    /// `agentComponents.enabled`: buttons and menus in answers. Default on.
    pub components: bool,
    /// `agentComponents.ttlMs`: for so long they work. Default 30 minutes, at most a day.
    pub component_ttl: Duration,
    /// `ui.components.accentColor`, `0xRRGGBB`. Default `#5865F2`.
    pub accent_colour: u32,
    /// `slashCommand.ephemeral`: only the asker sees the answer to a command. Default on.
    pub ephemeral: bool,
    /// `configWrites`: the configuration can be changed from a chat. Default on.
    pub config_writes: bool,
    /// `capabilities`: hints for the agent.
    pub capabilities: Vec<String>,
}

/// Discord's own blue.
const BLURPLE: u32 = 0x58_65F2;

pub(crate) fn read(section: &Section<'_, '_>) -> Features {
    let components = section.section("agentComponents");
    let ui = section.section("ui");
    let shown = ui.section("components");
    let slash = section.section("slashCommand");
    let worker = section.section("inboundWorker");
    let accent = shown.field("accentColor").and_then(|field| colour(&field));
    let written = accent.map(|colour| format!("#{colour:06X}"));
    shown.or("accentColor", written, format!("#{BLURPLE:06X}"));
    let features = Features {
        actions: Actions::read(&section.merged("actions")),
        exec_approvals: approvals(&section.section("execApprovals")),
        components: components.bool_or("enabled", true),
        component_ttl: components.millis_or("ttlMs", 1, 86_400_000, 1_800_000),
        accent_colour: accent.unwrap_or(BLURPLE),
        ephemeral: slash.bool_or("ephemeral", true),
        config_writes: section.bool_or("configWrites", true),
        capabilities: section.texts("capabilities").unwrap_or_default(),
    };
    // Accepted, and without effect: turns have no time limit of the channel's.
    worker.whole("runTimeoutMs", 0, u32::MAX);
    for part in [&components, &ui, &shown, &slash, &worker] {
        part.finish();
    }
    features
}

fn approvals(section: &Section<'_, '_>) -> ExecApprovals {
    let enabled = section.field("enabled").and_then(|field| field.bool_or_word(&[("auto", ())]));
    let approvals = ExecApprovals {
        enabled: enabled.and_then(Result::err),
        approvers: section.field("approvers").and_then(|field| people::approvers(&field)),
        target: section.word_or("target", ApprovalTarget::Dm),
        agents: section.texts("agentFilter"),
        sessions: section.texts("sessionFilter"),
        cleanup: section.bool_or("cleanupAfterResolve", false),
    };
    if enabled.is_none() && !section.has("enabled") {
        section.note_default("enabled", "auto");
    }
    section.finish();
    approvals
}
