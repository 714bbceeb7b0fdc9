//! What becomes of a message: the steps, in their order. Each drops it, asks for what must be known,
//! or lets it through.
//!
//! Source: OpenClaw, "Discord", sections "Access control", "Mentions" and "Direct messages".

use std::{borrow::Cow, sync::Arc};

use clawvoice_config::ToolLists;
use clawvoice_session::{
    UserId,
    access::{Found, Place, Room, Who},
};

use super::{
    backlog, bots, command_authority, dm, echo, hydration,
    mention::{self, Mentions},
    plural::PluralMember,
    policy::InboundPolicy,
    reason::DropReason,
    sender::{Identity, Sender, is_bot},
    system_event, text,
    verdict::{Admitted, Dropped, Known, Need, Stop, Surface, TextCommand, Verdict},
    whereabouts::Whereabouts,
};
use crate::{media::note, message::Message};

/// Judges a message. [`Verdict::Needs`] is answered by putting what it asks for into `known` and
/// judging again; nothing is remembered in between.
#[must_use]
pub fn judge(message: &Message, known: &Known<'_>, policy: &InboundPolicy) -> Verdict {
    steps(message, known, policy).unwrap_or_else(Verdict::from)
}

/// Step 2, which comes before a message is claimed or waits for others: the bot's own messages take
/// up no room.
///
/// # Errors
///
/// That it is the bot's own.
pub fn check_author(message: &Message, own: UserId) -> Result<(), DropReason> {
    if message.author.id == own { Err(DropReason::SelfMessage) } else { Ok(()) }
}

/// What is judged, once it is known who wrote it and where.
struct Judging<'a> {
    message: &'a Message,
    known: &'a Known<'a>,
    policy: &'a InboundPolicy,
    plural: Option<&'a PluralMember>,
    at: Whereabouts<'a>,
    found: Found<'a>,
}

fn steps<'a>(
    message: &'a Message,
    known: &'a Known<'a>,
    policy: &'a InboundPolicy,
) -> Result<Verdict, Stop> {
    check_author(message, known.own)?;
    // Whether a message is stale is seen when it is whole: it may be to the bot.
    if let Some(need) = hydration::need(message, known) {
        return Err(need.into());
    }
    if known.after_downtime {
        check_backlog(message, known, policy)?;
    }
    echo::check(message, known)?;
    let plural = bots::identify(message, known, policy)?;
    let at = Whereabouts::of(message, known)?;
    let found = at.place.as_ref().map(|place| policy.rules.access.find(place));
    let found = found.unwrap_or_default();
    let judging = Judging { message, known, policy, plural, at, found };
    Identity::new(message, plural, known, policy.match_names()).with(|who| judging.rest(who))
}

/// Step 6.
fn check_backlog(message: &Message, known: &Known<'_>, policy: &InboundPolicy) -> Result<(), Stop> {
    if message.guild.is_none() || known.bound.is_some() {
        return Ok(());
    }
    let at = Whereabouts::of(message, known)?;
    let Some(place) = &at.place else { return Ok(()) };
    let found = policy.rules.access.find(place);
    let gated = !at.is_thread() && found.requires_mention();
    let broadcasts = !is_bot(message) && !found.ignores_broadcasts();
    let mentions = Mentions::of(message, known, broadcasts);
    let patterns = policy.patterns(known.agent).filter(|_| policy.pattern_places.count_in(place));
    let mentions = mentions.with_patterns(patterns, &text::own_text(message));
    match backlog::is_stale(message, known, gated, mentions) {
        true => Err(DropReason::StaleAmbientBacklog.into()),
        false => Ok(()),
    }
}

impl Judging<'_> {
    fn rest(&self, who: &Who<'_>) -> Result<Verdict, Stop> {
        self.check_private(who)?;
        if matches!(self.message.kind, 20 | 23) {
            return Err(DropReason::CommandMessage.into());
        }
        let room = self.room()?;
        self.check_member(room.as_ref(), who)?;
        let own_text = text::own_text(self.message);
        let transcript = self.transcript(&own_text)?;
        let command = self.command(&own_text, room.as_ref(), who)?;
        let mentions = self.mentions(own_text, transcript);
        self.check_mentions(mentions, command.is_some())?;
        let guild = self.at.place.map_or("", |place| place.guild_name);
        if let Some(words) = system_event::words(self.message, guild, self.at.channel) {
            return Ok(Verdict::SystemEvent(words));
        }
        if text::is_empty(self.message) {
            return Err(DropReason::EmptyContent.into());
        }
        let tools = self.tools(room.as_ref(), who)?;
        Ok(Verdict::Admit(Box::new(self.admitted(mentions, command, tools))))
    }

    /// Steps 10 and 11.
    fn check_private(&self, who: &Who<'_>) -> Result<(), Stop> {
        match self.at.surface {
            Surface::Guild => Ok(()),
            Surface::GroupDirect if !self.policy.dm.groups => {
                Err(DropReason::GroupDmDisabled.into())
            }
            Surface::GroupDirect => Ok(()),
            Surface::Direct if !self.policy.dm.enabled => Err(DropReason::DmDisabled.into()),
            Surface::Direct => dm::check(who, self.known, self.policy),
        }
    }

    /// Steps 14 and 15; `None` outside of guilds.
    fn room(&self) -> Result<Option<Room>, Stop> {
        let Some(place) = &self.at.place else {
            let id = self.message.channel.get();
            let is_group = self.at.surface == Surface::GroupDirect;
            if is_group && !dm::lets_group(self.policy, id, self.at.channel) {
                return Err(DropReason::GroupDmNotAllowlisted.into());
            }
            return Ok(None);
        };
        let room = self.policy.rules.access.room_of(&self.found);
        room.map(Some).map_err(|refusal| dropped_at(place, refusal.into()))
    }

    /// Step 16. What it drops is not remembered: words of people who may not talk to the agent
    /// never reach it.
    fn check_member(&self, room: Option<&Room>, who: &Who<'_>) -> Result<(), Stop> {
        let Some(room) = room.filter(|room| !room.lets(who)) else { return Ok(()) };
        match dm::unanswered(room.users(), who, self.known) {
            Some(need) => Err(need.into()),
            None => Err(DropReason::MemberNotAllowed.into()),
        }
    }

    /// Which tools the place lets them use.
    fn tools(&self, room: Option<&Room>, who: &Who<'_>) -> Result<Option<Arc<ToolLists>>, Stop> {
        let Some(room) = room else { return Ok(None) };
        let mut people = room.tool_people();
        match people.find_map(|people| dm::unanswered(people, who, self.known)) {
            Some(need) => Err(need.into()),
            None => Ok(room.tools(who)),
        }
    }

    /// Step 17: what a voice note says, where that may be a mention.
    fn transcript(&self, own_text: &str) -> Result<Option<&str>, Stop> {
        let is_asked = self.needs_mention()
            && own_text.is_empty()
            && self.message.attachments.iter().any(note::is_audio)
            && self.patterns().is_some()
            && !self.by_ids().is_addressed();
        match (is_asked, self.known.transcript) {
            (true, None) => Err(Need::Transcript.into()),
            (true, Some(said)) => Ok(said),
            (false, _) => Ok(None),
        }
    }

    /// Step 18.
    fn command(
        &self,
        own_text: &str,
        room: Option<&Room>,
        who: &Who<'_>,
    ) -> Result<Option<TextCommand>, Stop> {
        let own = self.known.own.get();
        let Some(command) = command_authority::read(own_text, own, self.policy) else {
            return Ok(None);
        };
        if !command_authority::may(who, room, self.known, self.policy)? {
            return Err(DropReason::ControlCommandUnauthorized.into());
        }
        Ok(Some(command))
    }

    /// Whether a bot wrote it, and nobody by way of PluralKit.
    const fn is_from_bot(&self) -> bool {
        self.plural.is_none() && is_bot(self.message)
    }

    fn by_ids(&self) -> Mentions {
        let broadcasts = !self.is_from_bot() && !self.found.ignores_broadcasts();
        Mentions::of(self.message, self.known, broadcasts)
    }

    fn mentions(&self, own_text: Cow<'_, str>, transcript: Option<&str>) -> Mentions {
        let searched = mention::searched(own_text, transcript);
        self.by_ids().with_patterns(self.patterns(), &searched)
    }

    /// Steps 19 to 21.
    fn check_mentions(&self, mentions: Mentions, is_command: bool) -> Result<(), Stop> {
        let addressed = mentions.is_addressed();
        let runs_anyway = is_command && !mentions.anybody;
        if self.needs_mention() && !addressed && !runs_anyway {
            return Err(self.remembered(DropReason::NoMention));
        }
        if bots::lacks_mention(self.policy, self.is_from_bot(), self.at.surface, addressed) {
            return Err(DropReason::BotMissingMention.into());
        }
        if self.found.ignores_other_mentions() && mentions.others && !addressed {
            return Err(self.remembered(DropReason::OtherMention));
        }
        Ok(())
    }

    /// Whether the message must be to the bot. Threads that belong to a session, or that the bot
    /// opened for a conversation, are to it as a whole.
    fn needs_mention(&self) -> bool {
        let own_thread = || {
            self.at.is_thread()
                && self.at.channel.and_then(|channel| channel.owner) == Some(self.known.own)
                && self.found.opens_threads()
        };
        self.at.surface == Surface::Guild
            && self.known.bound.is_none()
            && self.found.requires_mention()
            && !own_thread()
    }

    fn patterns(&self) -> Option<&super::patterns::Patterns> {
        let places = &self.policy.pattern_places;
        let count = match &self.at.place {
            Some(place) => places.count_in(place),
            None => {
                let name = self.at.channel.map_or("", |channel| channel.name.as_str());
                places.count_in_group(self.message.channel.get(), name)
            }
        };
        self.policy.patterns(self.known.agent).filter(|_| count)
    }

    /// Only what people and bots write is remembered, and only if there is something in it.
    fn remembered(&self, reason: DropReason) -> Stop {
        let remember = self.message.is_written() && !text::is_empty(self.message);
        Stop::Drop(Dropped { reason, detail: None, remember })
    }

    fn admitted(
        &self,
        mentions: Mentions,
        command: Option<TextCommand>,
        tools: Option<Arc<ToolLists>>,
    ) -> Admitted {
        let Self { message, known, policy, plural, at, .. } = self;
        let addressed = at.surface == Surface::Direct || mentions.is_addressed();
        let is_person = !is_bot(message);
        Admitted {
            sender: Sender::of(message, *plural),
            roles: message.member.as_ref().map(|member| member.roles.clone()).unwrap_or_default(),
            owner: is_person && policy.is_owner(message.author.id),
            tools,
            surface: at.surface,
            guild: message.guild,
            channel: message.channel,
            parent: at.channel.and_then(|channel| channel.parent),
            canonical: plural.and_then(|member| member.original).unwrap_or(message.id),
            addressed,
            was_mentioned: mentions.was_mentioned(),
            gated: self.needs_mention(),
            ambient: policy.ambient
                && at.surface == Surface::Guild
                && known.bound.is_none()
                && !addressed
                && command.is_none(),
            text: text::for_model(message),
            command,
            batch: known.batch,
        }
    }
}

fn dropped_at(place: &Place<'_>, reason: DropReason) -> Stop {
    let detail = match reason {
        DropReason::ChannelNotAllowlisted | DropReason::ChannelDisabled => {
            Some(format!("channel {}", place.channel).into())
        }
        DropReason::GuildNotConfigured | DropReason::GroupPolicyNoGuild => {
            Some(format!("guild {}", place.guild).into())
        }
        _ => None,
    };
    Stop::Drop(Dropped { reason, detail, remember: false })
}
