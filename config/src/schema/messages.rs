//! The top-level `messages`: feedback, batching and queueing of text. Other keys are left alone.

use std::time::Duration;

use crate::{
    cursor::Section,
    describe::Kind,
    schema::{declare::words, delivery::AckReactionScope},
};

words! {
    /// `groupChat.visibleReplies`.
    VisibleReplies {
        /// The agent's answer is sent.
        Automatic = "automatic",
        /// Only what it sends by its tool.
        MessageTool = "message_tool",
    }
}

words! {
    /// `groupChat.unmentionedInbound`: what a message without a mention is, where none is needed.
    UnmentionedInbound {
        /// A question.
        UserRequest = "user_request",
        /// Something that happened.
        RoomEvent = "room_event",
    }
}

words! {
    /// `queue.mode`: what becomes of a message while a run is under way.
    QueueMode {
        /// It is told to the run.
        Steer = "steer",
        /// It is a turn after it.
        Followup = "followup",
        /// Those that come become one turn after it.
        Collect = "collect",
        /// It ends the run.
        Interrupt = "interrupt",
    }
}

words! {
    /// `queue.drop`: what goes when the queue is full.
    QueueDrop {
        /// The oldest.
        Old = "old",
        /// The newest.
        New = "new",
        /// The oldest, in a summary.
        Summarize = "summarize",
    }
}

/// `messages`.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    /// `ackReaction`; empty switches it off. Default: the agent's emoji, else 👀.
    pub ack_reaction: Option<String>,
    /// `ackReactionScope`. Default `group-mentions`.
    pub ack_scope: AckReactionScope,
    /// `removeAckAfterReply`. Default off.
    pub remove_ack: bool,
    /// `statusReactions.enabled`. Default: on where there are acknowledgements.
    pub status_reactions: Option<bool>,
    /// `responsePrefix`.
    pub response_prefix: Option<String>,
    /// `groupChat.mentionPatterns`, regular expressions; an empty list is none. Default: from the
    /// agent's name.
    pub mention_patterns: Option<Vec<String>>,
    /// `groupChat.historyLimit`. Default 50; on Discord 20.
    pub history_limit: Option<u32>,
    /// `groupChat.visibleReplies`. Default `automatic`.
    pub visible_replies: VisibleReplies,
    /// `groupChat.unmentionedInbound`. Default `user_request`.
    pub unmentioned_inbound: UnmentionedInbound,
    /// `inbound.byChannel.discord`, else `inbound.debounceMs`: messages within it are one. Default
    /// 2,000 ms; 0 none.
    pub debounce: Duration,
    /// `queue.byChannel.discord`, else `queue.mode`. Default `steer`.
    pub queue_mode: QueueMode,
    /// `queue.cap`: so many may wait a session. Default 20.
    pub queue_cap: u32,
    /// `queue.drop`. Default `summarize`.
    pub queue_drop: QueueDrop,
}

pub(crate) fn read(section: &Section<'_, '_>) -> Messages {
    let group = section.section("groupChat");
    let inbound = section.section("inbound");
    let queue = section.section("queue");
    let of_discord = queue.section("byChannel").word::<QueueMode>("discord");
    let mode = queue.word_or("mode", QueueMode::Steer);
    let debounce = inbound.millis_or("debounceMs", 0, 600_000, 2_000);
    let messages = Messages {
        ack_reaction: section.any_text("ackReaction"),
        ack_scope: section.word_or("ackReactionScope", AckReactionScope::GroupMentions),
        remove_ack: section.bool_or("removeAckAfterReply", false),
        status_reactions: section.section("statusReactions").bool("enabled"),
        response_prefix: section.any_text("responsePrefix"),
        mention_patterns: group.texts("mentionPatterns"),
        history_limit: group.whole("historyLimit", 0, 10_000),
        visible_replies: visible_replies(&group),
        unmentioned_inbound: group.word_or("unmentionedInbound", UnmentionedInbound::UserRequest),
        debounce: inbound.section("byChannel").millis("discord", 0, 600_000).unwrap_or(debounce),
        queue_mode: of_discord.unwrap_or(mode),
        queue_cap: queue.whole_or("cap", 1, 10_000, 20),
        queue_drop: queue.word_or("drop", QueueDrop::Summarize),
    };
    section.leave_alone(&["tts"]);
    section.warn_near_asked();
    messages
}

/// A word, or formerly `true`.
fn visible_replies(section: &Section<'_, '_>) -> VisibleReplies {
    let written = section.field("visibleReplies").and_then(|field| {
        field.declare(|| Kind::Other("automatic or message_tool; formerly true or false"));
        match field.if_bool() {
            Some(_) => Some(VisibleReplies::Automatic),
            None => field.choice(<VisibleReplies as crate::cursor::Word>::WORDS),
        }
    });
    let word = written.map(VisibleReplies::as_str);
    section.or("visibleReplies", word, VisibleReplies::Automatic.as_str());
    written.unwrap_or(VisibleReplies::Automatic)
}
