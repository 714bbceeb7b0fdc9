//! The documented rules, written down once more, plainly and in another way: what the matrix is
//! compared with. Shares no code with what it judges.
//!
//! Source: OpenClaw, "Discord".

use super::case::{
    Answer::{self, Admitted, Dropped, Remembered},
    Bots, Case, Channel, Content, Dms, Groups, Guild, Key, Listed, Place, Sender, Setup, To,
};

pub(super) fn answer(s: &Setup, c: &Case) -> Answer {
    if c.sender == Sender::Own {
        return Dropped("self-message");
    }
    let person = match c.sender {
        Sender::Stranger | Sender::Ada | Sender::Owner | Sender::Crew | Sender::Own => true,
        Sender::Plural => s.plural_kit,
        Sender::Bot | Sender::Webhook => false,
    };
    if !person && s.bots == Bots::No {
        return Dropped("bot-not-allowed");
    }
    if c.place == Place::Group && !s.group_dms {
        return Dropped("group-dm-disabled");
    }
    if c.place == Place::Direct {
        if !s.dm_enabled {
            return Dropped("dm-disabled");
        }
        if !c.dm_bound {
            let listed = match &s.allow_from {
                Some(list) => is_on(list, s, c),
                None => false,
            };
            match s.dms {
                Dms::Disabled => return Dropped("dm-policy-disabled"),
                Dms::Open | Dms::Allowlist => {
                    if !listed {
                        return Dropped("dm-not-allowlisted");
                    }
                }
                Dms::Pairing => {
                    if !listed && !c.paired {
                        return Dropped("dm-pairing-required");
                    }
                }
            }
        }
    }
    if c.content == Content::Record {
        return Dropped("command-message");
    }
    if c.place == Place::Group && s.group_list == Some(false) {
        return Dropped("group-dm-not-allowlisted");
    }
    let in_guild = c.place != Place::Direct && c.place != Place::Group;
    let mut guild: Option<&Guild> = None;
    let mut channel: Option<&Channel> = None;
    if in_guild {
        guild = s.by_id.as_ref();
        if guild.is_none() {
            guild = s.by_name.as_ref();
        }
        if guild.is_none() {
            guild = s.by_star.as_ref();
        }
        if guild.is_none() && s.other_guild {
            return Dropped("guild-not-configured");
        }
        if let Some(guild) = guild {
            channel = channel_of(guild, c.place);
        }
        if let Some(channel) = channel
            && !channel.enabled
        {
            return Dropped("channel-disabled");
        }
        if s.groups == Groups::Disabled {
            return Dropped("group-policy-disabled");
        }
        if s.groups == Groups::Allowlist && guild.is_none() {
            return Dropped("group-policy-no-guild");
        }
        if let Some(guild) = guild
            && !guild.channels.is_empty()
            && channel.is_none()
        {
            return Dropped("channel-not-allowlisted");
        }
    }
    let restricted = is_restricted(guild, channel);
    if restricted && !passes(guild, channel, s, c) {
        return Dropped("member-not-allowed");
    }
    let command = c.content == Content::Command;
    if command && !may_command(s, c, restricted) {
        return Dropped("control-command-unauthorized");
    }

    let by_id = c.to == To::Own || c.to == To::OwnRaw || c.to == To::OwnAndOther;
    let deaf = match guild {
        Some(guild) => guild.ignore_broadcast,
        None => false,
    };
    let broadcast = c.to == To::Everyone && person && !deaf;
    let word = c.to == To::Word && s.words;
    let to_us = by_id || broadcast || word || c.to == To::ReplyToOwn;
    let something = c.content == Content::Text || command || c.content == Content::Sticker;

    let mut gated = false;
    if in_guild && !c.bound {
        gated = match (channel, guild) {
            (Some(Channel { require: Some(require), .. }), _) => *require,
            (_, Some(guild)) => guild.require.unwrap_or(true),
            (_, None) => true,
        };
        if c.place == Place::OwnThread && channel.is_some_and(|channel| channel.auto_thread) {
            gated = false;
        }
    }
    if gated && !to_us {
        let names_somebody = match c.to {
            To::Everyone | To::Other | To::Role => true,
            To::Nobody | To::OwnInCode | To::ReplyToOther | To::Word => false,
            To::Own | To::OwnRaw | To::OwnAndOther | To::ReplyToOwn => true,
        };
        if !command || names_somebody {
            return if something { Remembered("no-mention") } else { Dropped("no-mention") };
        }
    }
    if !person && s.bots == Bots::Mentions && c.place != Place::Direct && !to_us {
        return Dropped("bot-missing-mention");
    }
    let ignores = match (channel, guild) {
        (Some(Channel { ignore_other: Some(ignores), .. }), _) => *ignores,
        (_, Some(guild)) => guild.ignore_other,
        (_, None) => false,
    };
    if ignores && !to_us && (c.to == To::Other || c.to == To::Role) {
        return if something { Remembered("other-mention") } else { Dropped("other-mention") };
    }
    if c.content == Content::Notice {
        return Dropped("system-event");
    }
    if c.content == Content::Nothing {
        return Dropped("empty-content");
    }
    Admitted { addressed: to_us || c.place == Place::Direct, command }
}

fn channel_of(guild: &Guild, place: Place) -> Option<&Channel> {
    let order: &[Key] = match place {
        Place::General => &[Key::General, Key::GeneralByName, Key::Star],
        Place::Help => &[Key::Help, Key::HelpByName, Key::Star],
        Place::Thread => &[Key::Thread, Key::General, Key::GeneralByName, Key::Star],
        Place::OwnThread => &[Key::General, Key::GeneralByName, Key::Star],
        Place::Secret => &[Key::Star],
        Place::Direct | Place::Group => &[],
    };
    for wanted in order {
        for (key, channel) in &guild.channels {
            if key == wanted {
                return Some(channel);
            }
        }
    }
    None
}

fn is_restricted(guild: Option<&Guild>, channel: Option<&Channel>) -> bool {
    let (users, roles) = lists(guild, channel);
    users.is_some_and(|users| !users.is_empty()) || roles
}

fn passes(guild: Option<&Guild>, channel: Option<&Channel>, s: &Setup, c: &Case) -> bool {
    let (users, roles) = lists(guild, channel);
    if let Some(users) = users
        && is_on(users, s, c)
    {
        return true;
    }
    roles && c.sender == Sender::Crew
}

/// The channel's lists in place of the guild's, each by itself.
fn lists<'g>(
    guild: Option<&'g Guild>,
    channel: Option<&'g Channel>,
) -> (Option<&'g [Listed]>, bool) {
    let mut users = None;
    let mut roles = None;
    if let Some(guild) = guild {
        users = guild.users.as_deref();
        roles = guild.roles;
    }
    if let Some(channel) = channel {
        if channel.users.is_some() {
            users = channel.users.as_deref();
        }
        if channel.roles.is_some() {
            roles = channel.roles;
        }
    }
    (users, roles == Some(true))
}

fn is_on(list: &[Listed], s: &Setup, c: &Case) -> bool {
    if list.contains(&Listed::Star) {
        return true;
    }
    is_named(list, s, c)
        || (list.contains(&Listed::Crew) && c.sender == Sender::Ada)
        || (list.contains(&Listed::Audience)
            && c.sees_channel
            && !(c.sender == Sender::Plural && s.plural_kit))
}

/// Named one by one.
fn is_named(list: &[Listed], s: &Setup, c: &Case) -> bool {
    match c.sender {
        Sender::Ada => list.contains(&Listed::Ada),
        Sender::Plural => s.plural_kit && list.contains(&Listed::Plural),
        Sender::Stranger => s.names && list.contains(&Listed::Name),
        Sender::Own | Sender::Owner | Sender::Crew | Sender::Bot | Sender::Webhook => false,
    }
}

/// `restricted`: the room is, and the sender was let in.
fn may_command(s: &Setup, c: &Case, restricted: bool) -> bool {
    if let Some(list) = &s.command_list {
        return is_on(list, s, c);
    }
    let names = [Listed::Ada, Listed::Plural, Listed::Name];
    let known = s.allow_from.as_deref().unwrap_or(&[]);
    let somebody = s.owner || known.iter().any(|entry| names.contains(entry));
    let is_owner = s.owner && c.sender == Sender::Owner;
    if restricted || is_owner || is_named(known, s, c) {
        return true;
    }
    !s.access_groups && !somebody
}
