//! Who may give slash commands, and press what belongs to them, in which place; and what everybody
//! else is told.
//!
//! The place comes first: where the agent does not listen, nobody commands it. Then
//! `commands.allowFrom` alone if there is one, else whoever is listed otherwise.
//! Source: OpenClaw, "Slash commands", "Access control".

use std::sync::Arc;

use clawvoice_config::{DmPolicy, Named, ToolLists};
use clawvoice_session::{
    UserId,
    access::{Audience, CommandForm, Member, Parent, People, Place, Refusal, Room, Who},
};

use crate::{
    inbound::InboundPolicy,
    interaction::{AskedIn, Caller},
    place::{PlaceKind, Places},
};

/// What is known beside the caller. Whatever [`Ruling::Needs`] asks for is put here, and the caller
/// judged again.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Guilds and channels, for their names.
    pub places: &'a Places,
    /// Whether the direct message is bound to a session.
    pub dm_is_bound: bool,
    /// Whether the caller was let in by a code.
    pub paired: Option<bool>,
    /// Audiences that were asked about, and whether the caller belongs to them.
    pub audiences: &'a [(Audience, bool)],
}

/// What must be found out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallerNeed {
    /// Whether the caller was let in by a code.
    Paired,
    /// Whether they belong to an audience.
    Audience(Audience),
}

/// What becomes of somebody who commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// They may.
    Allowed,
    /// They may not.
    Denied(Denial),
    /// That cannot be said yet.
    Needs(CallerNeed),
}

/// Why somebody may not. The text of each is what they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The channel's entry has `enabled: false`.
    #[error("This channel is disabled.")]
    ChannelDisabled,
    /// The agent does not listen there.
    #[error("This channel is not allowed.")]
    ChannelNotAllowed,
    /// `dm.enabled: false`, or `dmPolicy: "disabled"`.
    #[error("Discord DMs are disabled.")]
    DirectDisabled,
    /// `dm.groupEnabled` is off.
    #[error("Discord group DMs are disabled.")]
    GroupDirectDisabled,
    /// A stranger in private: they are told a code. This is for those who know theirs.
    #[error("Pairing already requested. Ask the bot owner to approve your code.")]
    Stranger,
    /// Discord does not say what kind of place it is, and it is not guessed.
    #[error("Channel details are unavailable right now. Try this interaction again.")]
    PlaceUnknown,
    /// The agent listens there, but not to commands of theirs.
    #[error("You are not authorized to use this command.")]
    NotAuthorized,
    /// They might a moment ago, and may no longer.
    #[error("Discord command authority changed; send a new request.")]
    Changed,
}

/// Whether the caller may command where they do.
#[must_use]
pub fn judge(by: &Caller, facts: &Facts<'_>, policy: &InboundPolicy) -> Ruling {
    steps(by, facts, policy).err().unwrap_or(Ruling::Allowed)
}

fn steps(by: &Caller, facts: &Facts<'_>, policy: &InboundPolicy) -> Result<(), Ruling> {
    let user = by.user.ok_or(Denial::NotAuthorized)?;
    let asked_in = by.asked_in.as_ref().ok_or(Denial::PlaceUnknown)?;
    with_who(by, user, facts, |who| steps_of(who, by, asked_in, facts, policy))
}

/// Which tools the place lets words of theirs use; of somebody who is [`Ruling::Allowed`]. `None`:
/// nothing is said of it there.
#[must_use]
pub fn tools(by: &Caller, facts: &Facts<'_>, policy: &InboundPolicy) -> Option<Arc<ToolLists>> {
    let (_, user, asked_in) = (by.guild?, by.user?, by.asked_in.as_ref()?);
    let room = room(by, asked_in, facts, policy).ok()?;
    with_who(by, user, facts, |who| room.tools(who))
}

fn with_who<T>(
    by: &Caller,
    user: UserId,
    facts: &Facts<'_>,
    then: impl FnOnce(&Who<'_>) -> T,
) -> T {
    let names: Vec<&str> = by.names.iter().map(String::as_str).collect();
    let belongs = facts.audiences.iter().filter(|(_, belongs)| *belongs);
    let audiences: Vec<Audience> = belongs.map(|(audience, _)| *audience).collect();
    let member = Member { user, roles: &by.roles, names: &names };
    then(&Who { member, plural: None, audiences: &audiences })
}

fn steps_of(
    who: &Who<'_>,
    by: &Caller,
    asked_in: &AskedIn,
    facts: &Facts<'_>,
    policy: &InboundPolicy,
) -> Result<(), Ruling> {
    let known = facts.places.channel(asked_in.channel);
    let kind = asked_in.kind.or_else(|| known.map(|channel| channel.kind));
    let room = match (by.guild, kind) {
        (Some(_), _) => Some(room(by, asked_in, facts, policy)?),
        (None, Some(PlaceKind::GroupDirect)) => {
            group(asked_in, facts, policy)?;
            None
        }
        (None, Some(PlaceKind::Direct)) => {
            private(who, facts, policy)?;
            None
        }
        (None, _) => return Err(Denial::PlaceUnknown.into()),
    };
    sender(who, room.as_ref(), facts, policy)?;
    // What they may use hangs on it.
    let mut people = room.iter().flat_map(Room::tool_people);
    people.try_for_each(|people| unasked(people, facts))
}

/// The room of a guild, if the agent listens there.
fn room(
    by: &Caller,
    asked_in: &AskedIn,
    facts: &Facts<'_>,
    policy: &InboundPolicy,
) -> Result<Room, Denial> {
    let place = place(by, asked_in, facts.places).ok_or(Denial::PlaceUnknown)?;
    policy.rules.access.room(&place).map_err(|refusal| match refusal {
        Refusal::ChannelDisabled => Denial::ChannelDisabled,
        _ => Denial::ChannelNotAllowed,
    })
}

/// The place as rules see it: ids as the payload has them, names where they are known. `None`: it is
/// a thread of nobody knows which channel.
fn place<'a>(by: &Caller, asked_in: &'a AskedIn, places: &'a Places) -> Option<Place<'a>> {
    let guild = by.guild?;
    let known = places.channel(asked_in.channel);
    let kind = asked_in.kind.or_else(|| known.map(|channel| channel.kind));
    let parent = asked_in.parent.or_else(|| known.and_then(|channel| channel.parent));
    if parent.is_none() && kind.is_some_and(PlaceKind::is_thread) {
        return None;
    }
    let known_name = known.map_or("", |channel| channel.name.as_str());
    let told = asked_in.name.as_str();
    Some(Place {
        guild,
        guild_name: places.guild(guild),
        channel: asked_in.channel,
        channel_name: if told.is_empty() { known_name } else { told },
        parent: parent.map(|id| Parent {
            id,
            name: places.channel(id).map_or("", |parent| parent.name.as_str()),
        }),
    })
}

fn group(asked_in: &AskedIn, facts: &Facts<'_>, policy: &InboundPolicy) -> Result<(), Denial> {
    if !policy.dm.groups {
        return Err(Denial::GroupDirectDisabled);
    }
    let known = facts.places.channel(asked_in.channel).map(|channel| channel.name.as_str());
    let name = known.unwrap_or(asked_in.name.as_str());
    let (groups, id) = (&policy.dm.group_channels, asked_in.channel.get());
    match groups.is_empty() || groups.find(Named { id, name }, None).is_some() {
        true => Ok(()),
        false => Err(Denial::ChannelNotAllowed),
    }
}

fn private(who: &Who<'_>, facts: &Facts<'_>, policy: &InboundPolicy) -> Result<(), Ruling> {
    let dm = &policy.dm;
    if !dm.enabled || (dm.policy == DmPolicy::Disabled && !facts.dm_is_bound) {
        return Err(Denial::DirectDisabled.into());
    }
    if facts.dm_is_bound || dm.listed.lists(who, policy.match_names()) {
        return Ok(());
    }
    if dm.policy == DmPolicy::Pairing {
        match facts.paired {
            None => return Err(Ruling::Needs(CallerNeed::Paired)),
            Some(true) => return Ok(()),
            Some(false) => {}
        }
    }
    unasked(&dm.listed, facts)?;
    Err(match dm.policy {
        DmPolicy::Pairing => Denial::Stranger,
        DmPolicy::Allowlist | DmPolicy::Open | DmPolicy::Disabled => Denial::NotAuthorized,
    }
    .into())
}

fn sender(
    who: &Who<'_>,
    room: Option<&Room>,
    facts: &Facts<'_>,
    policy: &InboundPolicy,
) -> Result<(), Ruling> {
    let rules = &policy.rules.commands;
    if rules.allows(CommandForm::Native, room, who, policy.match_names()) {
        return Ok(());
    }
    match &rules.allow_from {
        Some(people) => unasked(people, facts)?,
        None => {
            room.map(|room| unasked(room.users(), facts)).transpose()?;
        }
    }
    Err(Denial::NotAuthorized.into())
}

/// An audience of the list that nobody asked about yet may let the caller in.
fn unasked(people: &People, facts: &Facts<'_>) -> Result<(), Ruling> {
    let is_asked = |it: &Audience| facts.audiences.iter().any(|(asked, _)| asked == it);
    match people.audiences().iter().find(|it| !is_asked(it)) {
        Some(audience) => Err(Ruling::Needs(CallerNeed::Audience(*audience))),
        None => Ok(()),
    }
}

impl From<Denial> for Ruling {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
