//! What a member may do where: Discord's permission algorithm ("Permissions", "Permission
//! Hierarchy" and "Permission Overwrites").

use super::state::{Channel, Guild, State, Target, kind};

/// The permission bits localcord looks at, as Discord numbers them.
pub mod bits {
    /// Remove members from the guild.
    pub const KICK_MEMBERS: u64 = 1 << 1;
    /// Everything, everywhere, whatever the overwrites say.
    pub const ADMINISTRATOR: u64 = 1 << 3;
    /// Edit, make and delete channels.
    pub const MANAGE_CHANNELS: u64 = 1 << 4;
    /// Edit the guild, its emoji and stickers aside.
    pub const MANAGE_GUILD: u64 = 1 << 5;
    /// Add new reactions.
    pub const ADD_REACTIONS: u64 = 1 << 6;
    /// Speak over the others.
    pub const PRIORITY_SPEAKER: u64 = 1 << 8;
    /// Share a screen.
    pub const STREAM: u64 = 1 << 9;
    /// See the channel, read it, and join it when it is a voice channel.
    pub const VIEW_CHANNEL: u64 = 1 << 10;
    /// Send messages.
    pub const SEND_MESSAGES: u64 = 1 << 11;
    /// Send text-to-speech messages.
    pub const SEND_TTS_MESSAGES: u64 = 1 << 12;
    /// Delete the messages of others and hide their embeds.
    pub const MANAGE_MESSAGES: u64 = 1 << 13;
    /// Links are shown with a preview.
    pub const EMBED_LINKS: u64 = 1 << 14;
    /// Send files.
    pub const ATTACH_FILES: u64 = 1 << 15;
    /// Read what was written before.
    pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
    /// Notify everyone.
    pub const MENTION_EVERYONE: u64 = 1 << 17;
    /// Use the emoji of other guilds.
    pub const USE_EXTERNAL_EMOJIS: u64 = 1 << 18;
    /// Join a voice channel.
    pub const CONNECT: u64 = 1 << 20;
    /// Be heard in a voice channel.
    pub const SPEAK: u64 = 1 << 21;
    /// Mute others; in a stage channel, be heard without asking.
    pub const MUTE_MEMBERS: u64 = 1 << 22;
    /// Deafen others.
    pub const DEAFEN_MEMBERS: u64 = 1 << 23;
    /// Move and disconnect others; also joins a full channel.
    pub const MOVE_MEMBERS: u64 = 1 << 24;
    /// Speak without push-to-talk.
    pub const USE_VAD: u64 = 1 << 25;
    /// Change the nicknames of others.
    pub const MANAGE_NICKNAMES: u64 = 1 << 27;
    /// Edit roles below one's own.
    pub const MANAGE_ROLES: u64 = 1 << 28;
    /// Make, see and delete webhooks.
    pub const MANAGE_WEBHOOKS: u64 = 1 << 29;
    /// Call application commands.
    pub const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
    /// Ask to speak in a stage channel.
    pub const REQUEST_TO_SPEAK: u64 = 1 << 32;
    /// Lock, archive and delete threads, and see private ones.
    pub const MANAGE_THREADS: u64 = 1 << 34;
    /// Make threads everybody sees.
    pub const CREATE_PUBLIC_THREADS: u64 = 1 << 35;
    /// Make threads for some.
    pub const CREATE_PRIVATE_THREADS: u64 = 1 << 36;
    /// Write in threads.
    pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;
    /// Send voice messages.
    pub const SEND_VOICE_MESSAGES: u64 = 1 << 46;
    /// Pin messages.
    pub const PIN_MESSAGES: u64 = 1 << 51;
    /// What a moderator of a stage channel has (Discord's help page "Stage Channels FAQ"); joins it
    /// as a speaker.
    pub const STAGE_MODERATOR: u64 = MANAGE_CHANNELS | MUTE_MEMBERS | MOVE_MEMBERS;
    /// Every bit Discord has given a meaning (0 to 52).
    pub const ALL: u64 = (1 << 53) - 1;
    /// What `@everyone` may do in a new guild.
    pub const ORDINARY: u64 = ADD_REACTIONS
        | STREAM
        | VIEW_CHANNEL
        | SEND_MESSAGES
        | EMBED_LINKS
        | ATTACH_FILES
        | READ_MESSAGE_HISTORY
        | MENTION_EVERYONE
        | USE_EXTERNAL_EMOJIS
        | CONNECT
        | SPEAK
        | USE_VAD
        | USE_APPLICATION_COMMANDS
        | REQUEST_TO_SPEAK
        | CREATE_PUBLIC_THREADS
        | CREATE_PRIVATE_THREADS
        | SEND_MESSAGES_IN_THREADS
        | SEND_VOICE_MESSAGES;

    const NAMED: [(&str, u64); 34] = [
        ("KICK_MEMBERS", KICK_MEMBERS),
        ("ADMINISTRATOR", ADMINISTRATOR),
        ("MANAGE_CHANNELS", MANAGE_CHANNELS),
        ("MANAGE_GUILD", MANAGE_GUILD),
        ("ADD_REACTIONS", ADD_REACTIONS),
        ("PRIORITY_SPEAKER", PRIORITY_SPEAKER),
        ("STREAM", STREAM),
        ("VIEW_CHANNEL", VIEW_CHANNEL),
        ("SEND_MESSAGES", SEND_MESSAGES),
        ("SEND_TTS_MESSAGES", SEND_TTS_MESSAGES),
        ("MANAGE_MESSAGES", MANAGE_MESSAGES),
        ("EMBED_LINKS", EMBED_LINKS),
        ("ATTACH_FILES", ATTACH_FILES),
        ("READ_MESSAGE_HISTORY", READ_MESSAGE_HISTORY),
        ("MENTION_EVERYONE", MENTION_EVERYONE),
        ("USE_EXTERNAL_EMOJIS", USE_EXTERNAL_EMOJIS),
        ("CONNECT", CONNECT),
        ("SPEAK", SPEAK),
        ("MUTE_MEMBERS", MUTE_MEMBERS),
        ("DEAFEN_MEMBERS", DEAFEN_MEMBERS),
        ("MOVE_MEMBERS", MOVE_MEMBERS),
        ("USE_VAD", USE_VAD),
        ("MANAGE_NICKNAMES", MANAGE_NICKNAMES),
        ("MANAGE_ROLES", MANAGE_ROLES),
        ("MANAGE_WEBHOOKS", MANAGE_WEBHOOKS),
        ("USE_APPLICATION_COMMANDS", USE_APPLICATION_COMMANDS),
        ("REQUEST_TO_SPEAK", REQUEST_TO_SPEAK),
        ("MANAGE_THREADS", MANAGE_THREADS),
        ("CREATE_PUBLIC_THREADS", CREATE_PUBLIC_THREADS),
        ("CREATE_PRIVATE_THREADS", CREATE_PRIVATE_THREADS),
        ("SEND_MESSAGES_IN_THREADS", SEND_MESSAGES_IN_THREADS),
        ("SEND_VOICE_MESSAGES", SEND_VOICE_MESSAGES),
        ("PIN_MESSAGES", PIN_MESSAGES),
        ("ORDINARY", ORDINARY),
    ];

    /// The bit of a name such as `VIEW_CHANNEL`; `ORDINARY` names a new guild's set.
    #[must_use]
    pub fn named(name: &str) -> Option<u64> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, bit)| *bit)
    }
}

impl State {
    /// What a member may do in the guild, overwrites aside. 0 for a stranger.
    #[must_use]
    pub fn guild_permissions(&self, guild_id: u64, user_id: u64) -> u64 {
        self.guilds.get(&guild_id).map_or(0, |guild| base(guild, user_id))
    }

    /// What a user may do in a channel. 0 for a stranger, and for a channel that is not there.
    /// A thread has the permissions of the channel it is in, a private one for its members and those
    /// with MANAGE_THREADS alone; the people of a direct message may do anything in it.
    #[must_use]
    pub fn channel_permissions(&self, channel_id: u64, user_id: u64) -> u64 {
        let Some(channel) = self.channels.get(&channel_id) else { return 0 };
        let Some(guild_id) = channel.guild_id else {
            return if channel.recipients.contains(&user_id) { bits::ALL } else { 0 };
        };
        let Some(guild) = self.guilds.get(&guild_id) else { return 0 };
        if !channel.is_thread() {
            return in_channel(guild, channel, user_id, bits::SEND_MESSAGES);
        }
        let parent = channel.parent_id.and_then(|parent| self.channels.get(&parent));
        let given = parent
            .map_or(0, |parent| in_channel(guild, parent, user_id, bits::SEND_MESSAGES_IN_THREADS));
        let hidden = channel.kind == kind::PRIVATE_THREAD
            && given & bits::MANAGE_THREADS == 0
            && !channel.thread.members.contains_key(&user_id);
        if hidden { 0 } else { given }
    }

    /// Whether a user may do all of `wanted` in a channel.
    #[must_use]
    pub fn may(&self, user_id: u64, channel_id: u64, wanted: u64) -> bool {
        self.channel_permissions(channel_id, user_id) & wanted == wanted
    }
}

/// `compute_base_permissions` of Discord's documentation.
fn base(guild: &Guild, user_id: u64) -> u64 {
    let Some(member) = guild.members.get(&user_id) else { return 0 };
    if guild.owner_id == user_id {
        return bits::ALL;
    }
    let roles = member.roles.iter().chain([&guild.id]);
    let given = roles
        .filter_map(|role| guild.roles.get(role))
        .fold(0, |given, role| given | role.permissions);
    if given & bits::ADMINISTRATOR != 0 { bits::ALL } else { given }
}

/// `compute_overwrites`: `@everyone`, then all roles at once, then the member; what is missing at
/// the end takes with it what depends on it. `writing`: what lets somebody write there.
fn in_channel(guild: &Guild, channel: &Channel, user_id: u64, writing: u64) -> u64 {
    let base = base(guild, user_id);
    if base & bits::ADMINISTRATOR != 0 {
        return bits::ALL;
    }
    let Some(member) = guild.members.get(&user_id) else { return 0 };
    let step = |permissions: u64, concerns: &dyn Fn(Target) -> bool| {
        let found = channel.overwrites.iter().filter(|overwrite| concerns(overwrite.target));
        let (allow, deny) =
            found.fold((0, 0), |(allow, deny), one| (allow | one.allow, deny | one.deny));
        (permissions & !deny) | allow
    };
    let everyone = step(base, &|target| target == Target::Role(guild.id));
    let roles = step(everyone, &|target| match target {
        Target::Role(role) => role != guild.id && member.roles.contains(&role),
        Target::Member(_) => false,
    });
    let member = step(roles, &|target| target == Target::Member(user_id));
    without_dependents(channel, member, writing)
}

/// "Implicit Permissions": without VIEW_CHANNEL nothing is left; without CONNECT nothing of a
/// voice channel; without `writing` nothing that a message can carry.
fn without_dependents(channel: &Channel, permissions: u64, writing: u64) -> u64 {
    let voice = matches!(channel.kind, kind::VOICE | kind::STAGE);
    if permissions & bits::VIEW_CHANNEL == 0 {
        return 0;
    }
    if voice && permissions & bits::CONNECT == 0 {
        return bits::VIEW_CHANNEL;
    }
    if permissions & writing == 0 {
        let carried = bits::MENTION_EVERYONE
            | bits::SEND_TTS_MESSAGES
            | bits::ATTACH_FILES
            | bits::EMBED_LINKS;
        return permissions & !carried;
    }
    permissions
}

#[cfg(test)]
mod tests {
    use super::{bits::*, *};
    use crate::world::state::{Member, Overwrite, Role};

    const GUILD: u64 = 1;
    const OWNER: u64 = 10;
    const ADMIN: u64 = 11;
    const ADA: u64 = 12;
    const ROLE_A: u64 = 20;
    const ROLE_B: u64 = 21;
    const CHANNEL: u64 = 30;

    fn overwrite(target: Target, allow: u64, deny: u64) -> Overwrite {
        Overwrite { target, allow, deny }
    }

    fn world(kind: u8, overwrites: Vec<Overwrite>) -> State {
        let mut guild = Guild { id: GUILD, owner_id: OWNER, ..Guild::default() };
        for (id, permissions) in [(GUILD, ORDINARY), (ROLE_A, 0), (ROLE_B, 0), (99, ADMINISTRATOR)]
        {
            guild.roles.insert(id, Role { id, permissions, ..Role::default() });
        }
        for (user_id, roles) in [(OWNER, vec![]), (ADMIN, vec![99]), (ADA, vec![ROLE_A, ROLE_B])] {
            guild.members.insert(user_id, Member { user_id, roles, ..Member::default() });
        }
        let mut state = State::default();
        state.guilds.insert(GUILD, guild);
        state.channels.insert(
            CHANNEL,
            Channel { id: CHANNEL, kind, guild_id: Some(GUILD), overwrites, ..Channel::default() },
        );
        state
    }

    #[test]
    fn overwrites_apply_in_order() {
        use Target::{Member, Role};
        let hidden = || overwrite(Role(GUILD), 0, VIEW_CHANNEL);
        let cases: [(&str, u8, Vec<Overwrite>, u64); 9] = [
            ("none", kind::TEXT, vec![], ORDINARY),
            ("hidden for everyone", kind::TEXT, vec![hidden()], 0),
            (
                "a role brings it back",
                kind::TEXT,
                vec![hidden(), overwrite(Role(ROLE_A), VIEW_CHANNEL, 0)],
                ORDINARY,
            ),
            (
                "among roles allow beats deny",
                kind::TEXT,
                vec![
                    overwrite(Role(ROLE_A), VIEW_CHANNEL, 0),
                    overwrite(Role(ROLE_B), 0, VIEW_CHANNEL),
                ],
                ORDINARY,
            ),
            (
                "the member beats the roles",
                kind::TEXT,
                vec![
                    overwrite(Member(ADA), 0, VIEW_CHANNEL),
                    overwrite(Role(ROLE_A), VIEW_CHANNEL, 0),
                ],
                0,
            ),
            (
                "a role she has not",
                kind::TEXT,
                vec![overwrite(Role(98), 0, VIEW_CHANNEL)],
                ORDINARY,
            ),
            (
                "no CONNECT in voice",
                kind::VOICE,
                vec![overwrite(Role(GUILD), 0, CONNECT)],
                VIEW_CHANNEL,
            ),
            (
                "no CONNECT in text",
                kind::TEXT,
                vec![overwrite(Role(GUILD), 0, CONNECT)],
                ORDINARY & !CONNECT,
            ),
            (
                "no SEND_MESSAGES",
                kind::TEXT,
                vec![overwrite(Role(GUILD), 0, SEND_MESSAGES)],
                ORDINARY & !(SEND_MESSAGES | MENTION_EVERYONE | ATTACH_FILES | EMBED_LINKS),
            ),
        ];
        for (name, kind, overwrites, expected) in cases {
            let state = world(kind, overwrites);
            assert_eq!(state.channel_permissions(CHANNEL, ADA), expected, "{name}");
            assert_eq!(state.channel_permissions(CHANNEL, OWNER), ALL, "{name}");
            assert_eq!(state.channel_permissions(CHANNEL, ADMIN), ALL, "{name}");
            assert_eq!(state.channel_permissions(CHANNEL, 404), 0, "{name}");
        }
    }

    #[test]
    fn threads_and_direct_messages() {
        let mut state = world(kind::TEXT, vec![overwrite(Target::Member(ADA), 0, SPEAK)]);
        let thread = Channel {
            id: 31,
            kind: kind::PUBLIC_THREAD,
            guild_id: Some(GUILD),
            parent_id: Some(CHANNEL),
            ..Channel::default()
        };
        state.channels.insert(31, thread);
        let direct =
            Channel { id: 32, kind: kind::DM, recipients: vec![ADA, 7], ..Channel::default() };
        state.channels.insert(32, direct);
        assert_eq!(state.channel_permissions(31, ADA), ORDINARY & !SPEAK);
        let parent = state.channels.get_mut(&CHANNEL).unwrap();
        parent.overwrites = vec![overwrite(Target::Member(ADA), 0, SPEAK | SEND_MESSAGES)];
        assert!(state.may(ADA, 31, SEND_MESSAGES_IN_THREADS | ATTACH_FILES));
        assert!(!state.may(ADA, CHANNEL, ATTACH_FILES));
        let parent = state.channels.get_mut(&CHANNEL).unwrap();
        parent.overwrites = vec![overwrite(Target::Member(ADA), 0, SPEAK)];
        let private = state.channels.get_mut(&31).unwrap();
        private.kind = kind::PRIVATE_THREAD;
        assert_eq!(state.channel_permissions(31, ADA), 0);
        assert_eq!(state.channel_permissions(31, OWNER), ALL, "MANAGE_THREADS");
        state.channels.get_mut(&31).unwrap().thread.members.insert(ADA, 0);
        assert_eq!(state.channel_permissions(31, ADA), ORDINARY & !SPEAK);
        assert!(state.may(ADA, 32, SEND_MESSAGES | VIEW_CHANNEL));
        assert!(!state.may(OWNER, 32, VIEW_CHANNEL));
        assert_eq!(state.channel_permissions(404, ADA), 0);
    }
}
