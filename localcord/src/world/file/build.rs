//! From the file's names to the world's ids.

use std::collections::BTreeSet;

use super::{
    BotFile, ChannelFile, ChannelKind, GuildFile, Id, MemberFile, OverwriteFile, Privileged,
    RoleFile, Step, TagFile, WorldFile,
};
use crate::world::{
    default::{new_application, new_guild, new_member, new_user},
    dispatch::intents,
    membership::new_token,
    permissions::bits,
    state::{
        BITRATES, Channel, Emoji, ForumTag, Guild, Overwrite, REQUIRE_TAG, Role, State, Sticker,
        Target, kind, snowflake_ms,
    },
};

/// Ids that the file leaves out count from here, in the order of the file.
const FIRST_ID: u64 = 1_200_000_000_000_000_001;

/// What cannot be built, and where the file asks for it.
pub(super) struct Mistake {
    pub(super) path: Vec<Step>,
    pub(super) what: String,
}

/// A path in the file that grows as the walk goes inwards.
#[derive(Clone, Default)]
struct Place(Vec<Step>);

impl Place {
    fn field(&self, name: &str) -> Self {
        self.with(Step::Field(name.to_owned()))
    }

    fn entry(&self, index: usize) -> Self {
        self.with(Step::Entry(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut path = self.0.clone();
        path.push(step);
        Self(path)
    }

    fn wrong(&self, what: String) -> Mistake {
        Mistake { path: self.0.clone(), what }
    }
}

/// Builds the world that a file describes.
pub(super) fn build(file: &WorldFile) -> Result<State, Mistake> {
    let mut builder = Builder { state: State::default(), taken: BTreeSet::new(), next: FIRST_ID };
    let place = Place::default();
    for (at, human) in file.humans.iter().enumerate() {
        let place = place.field("humans").entry(at);
        let id = builder.user(&place, &human.name, human.id, false)?;
        builder.state.humans.insert(id);
        if let (Some(user), Some(name)) = (builder.state.users.get_mut(&id), &human.global_name) {
            user.global_name = Some(name.clone());
        }
    }
    for (at, bot) in file.bots.iter().enumerate() {
        builder.bot(&place.field("bots").entry(at), bot)?;
    }
    for (at, guild) in file.guilds.iter().enumerate() {
        builder.guild(&place.field("guilds").entry(at), guild)?;
    }
    Ok(builder.state)
}

struct Builder {
    state: State,
    taken: BTreeSet<u64>,
    next: u64,
}

impl Builder {
    /// The id that was asked for, or the next free one.
    fn id(&mut self, place: &Place, field: &str, wanted: Option<Id>) -> Result<u64, Mistake> {
        if let Some(Id(id)) = wanted {
            if !self.taken.insert(id) {
                return Err(place.field(field).wrong(format!("{id} is used twice")));
            }
            return Ok(id);
        }
        while !self.taken.insert(self.next) {
            self.next += 1;
        }
        Ok(self.next)
    }

    fn user(
        &mut self,
        place: &Place,
        name: &str,
        id: Option<Id>,
        bot: bool,
    ) -> Result<u64, Mistake> {
        if self.state.users.values().any(|user| user.username == name) {
            return Err(place.field("name").wrong(format!("`{name}` is used twice")));
        }
        let id = self.id(place, "id", id)?;
        self.state.users.insert(id, new_user(id, name, bot));
        Ok(id)
    }

    fn bot(&mut self, place: &Place, bot: &BotFile) -> Result<(), Mistake> {
        let user_id = self.user(place, &bot.name, bot.id, true)?;
        let id = self.id(place, "application_id", bot.application_id)?;
        let token = bot.token.clone().unwrap_or_else(|| new_token(user_id));
        if self.state.application_by_token(&token).is_some() {
            return Err(place.field("token").wrong("it is used twice".to_owned()));
        }
        let mut application = new_application(id, user_id, &bot.name, token);
        if let Some(allowed) = &bot.privileged_intents {
            application.privileged_intents = allowed.iter().map(|one| one.bit()).sum();
            application.flags = allowed.iter().map(|one| one.application_flag()).sum();
        }
        self.state.applications.insert(id, application);
        Ok(())
    }

    fn guild(&mut self, place: &Place, file: &GuildFile) -> Result<(), Mistake> {
        let id = self.id(place, "id", file.id)?;
        let owner = self.named(&place.field("owner"), &file.owner)?;
        let mut guild = new_guild(id, &file.name, owner);
        if let Some(names) = &file.everyone {
            let permissions = permissions(&place.field("everyone"), names)?;
            let everyone =
                Role { id, name: "@everyone".to_owned(), permissions, ..Role::default() };
            guild.roles.insert(id, everyone);
        }
        for (at, role) in file.roles.iter().enumerate() {
            self.role(&place.field("roles").entry(at), role, &mut guild)?;
        }
        match &file.members {
            None => {
                let all = self.state.users.keys();
                guild.members.extend(all.map(|user| (*user, new_member(*user, snowflake_ms(id)))));
            }
            Some(members) => {
                guild.members.insert(owner, new_member(owner, snowflake_ms(id)));
                for (at, member) in members.iter().enumerate() {
                    self.member(&place.field("members").entry(at), member, &mut guild)?;
                }
            }
        }
        for (at, channel) in file.channels.iter().enumerate() {
            self.channel(&place.field("channels").entry(at), channel, &guild)?;
        }
        self.expressions(place, file, &mut guild)?;
        if let Some(name) = &file.system_channel {
            let found = self.state.channels_in(id).find(|channel| channel.name == *name);
            let what = || format!("no channel is named `{name}`");
            let found = found.ok_or_else(|| place.field("system_channel").wrong(what()))?;
            guild.system_channel_id = Some(found.id);
        }
        self.state.guilds.insert(id, guild);
        Ok(())
    }

    fn expressions(
        &mut self,
        place: &Place,
        file: &GuildFile,
        guild: &mut Guild,
    ) -> Result<(), Mistake> {
        for (at, one) in file.emojis.iter().enumerate() {
            let id = self.id(&place.field("emojis").entry(at), "id", one.id)?;
            guild.emojis.insert(id, Emoji { id, name: one.name.clone(), animated: false });
        }
        for (at, one) in file.stickers.iter().enumerate() {
            let id = self.id(&place.field("stickers").entry(at), "id", one.id)?;
            let name = one.name.clone();
            guild.stickers.insert(id, Sticker { id, name, ..Sticker::default() });
        }
        Ok(())
    }

    fn role(&mut self, place: &Place, file: &RoleFile, guild: &mut Guild) -> Result<(), Mistake> {
        if guild.roles.values().any(|role| role.name == file.name) {
            return Err(place.field("name").wrong(format!("`{}` is used twice", file.name)));
        }
        let id = self.id(place, "id", file.id)?;
        let permissions = permissions(&place.field("permissions"), &file.permissions)?;
        let position = i64::try_from(guild.roles.len()).unwrap_or(i64::MAX);
        let name = file.name.clone();
        let mentionable = file.mentionable;
        let role = Role { id, name, permissions, position, mentionable, ..Role::default() };
        guild.roles.insert(id, role);
        Ok(())
    }

    fn member(&self, place: &Place, file: &MemberFile, guild: &mut Guild) -> Result<(), Mistake> {
        let user_id = self.named(&place.field("user"), &file.user)?;
        let mut member = new_member(user_id, snowflake_ms(guild.id));
        member.nick.clone_from(&file.nick);
        for (at, name) in file.roles.iter().enumerate() {
            member.roles.push(role_named(&place.field("roles").entry(at), guild, name)?);
        }
        guild.members.insert(user_id, member);
        Ok(())
    }

    fn channel(&mut self, place: &Place, file: &ChannelFile, guild: &Guild) -> Result<(), Mistake> {
        let id = self.id(place, "id", file.id)?;
        let in_guild = self.state.channels_in(guild.id).count();
        let parent_id = match &file.category {
            None => None,
            Some(name) => Some(self.category(&place.field("category"), guild.id, name)?),
        };
        let mut overwrites = Vec::new();
        for (at, one) in file.overwrites.iter().enumerate() {
            overwrites.push(self.overwrite(&place.field("overwrites").entry(at), one, guild)?);
        }
        let channel = Channel {
            id,
            kind: file.kind.number(),
            guild_id: Some(guild.id),
            parent_id,
            name: file.name.clone(),
            topic: file.topic.clone(),
            position: i64::try_from(in_guild).unwrap_or(i64::MAX),
            overwrites,
            user_limit: file.user_limit,
            bitrate: file.bitrate,
            nsfw: file.nsfw,
            flags: if file.require_tag { REQUIRE_TAG } else { 0 },
            tags: self.tags(place, &file.tags)?,
            ..Channel::default()
        };
        if !channel.is_forum() && (file.require_tag || !channel.tags.is_empty()) {
            let field = if channel.tags.is_empty() { "require_tag" } else { "tags" };
            return Err(place.field(field).wrong("only forums have tags".to_owned()));
        }
        if let Some(bitrate) = file.bitrate {
            let place = place.field("bitrate");
            if !channel.is_voice() {
                return Err(place.wrong("only voice and stage channels have one".to_owned()));
            }
            if !BITRATES.contains(&bitrate) {
                let (least, most) = (BITRATES.start(), BITRATES.end());
                return Err(place.wrong(format!("must be between {least} and {most}")));
            }
        }
        self.state.channels.insert(id, channel);
        Ok(())
    }

    fn tags(&mut self, place: &Place, files: &[TagFile]) -> Result<Vec<ForumTag>, Mistake> {
        let mut tags = Vec::new();
        for (at, tag) in files.iter().enumerate() {
            let id = self.id(&place.field("tags").entry(at), "id", tag.id)?;
            tags.push(ForumTag { id, name: tag.name.clone(), moderated: tag.moderated });
        }
        Ok(tags)
    }

    fn category(&self, place: &Place, guild_id: u64, name: &str) -> Result<u64, Mistake> {
        let mut channels = self.state.channels_in(guild_id);
        let found = channels.find(|one| one.kind == kind::CATEGORY && one.name == name);
        let what = || format!("no category before it is named `{name}`");
        found.map(|category| category.id).ok_or_else(|| place.wrong(what()))
    }

    fn overwrite(
        &self,
        place: &Place,
        file: &OverwriteFile,
        guild: &Guild,
    ) -> Result<Overwrite, Mistake> {
        let target = match (&file.role, &file.member) {
            (Some(role), None) => Target::Role(role_named(&place.field("role"), guild, role)?),
            (None, Some(member)) => Target::Member(self.named(&place.field("member"), member)?),
            _ => return Err(place.wrong("it needs either `role` or `member`".to_owned())),
        };
        let allow = permissions(&place.field("allow"), &file.allow)?;
        let deny = permissions(&place.field("deny"), &file.deny)?;
        Ok(Overwrite { target, allow, deny })
    }

    /// The id of a user.
    fn named(&self, place: &Place, name: &str) -> Result<u64, Mistake> {
        let found = self.state.users.values().find(|user| user.username == name);
        found.map(|user| user.id).ok_or_else(|| place.wrong(format!("nobody is named `{name}`")))
    }
}

fn role_named(place: &Place, guild: &Guild, name: &str) -> Result<u64, Mistake> {
    let found = guild.roles.values().find(|role| role.name == name);
    found.map(|role| role.id).ok_or_else(|| place.wrong(format!("no role is named `{name}`")))
}

fn permissions(place: &Place, names: &[String]) -> Result<u64, Mistake> {
    let mut all = 0;
    for (at, name) in names.iter().enumerate() {
        let what = || format!("no permission is named `{name}`");
        all |= bits::named(name).ok_or_else(|| place.entry(at).wrong(what()))?;
    }
    Ok(all)
}

impl Privileged {
    fn bit(self) -> u64 {
        match self {
            Self::GuildMembers => intents::GUILD_MEMBERS,
            Self::GuildPresences => intents::GUILD_PRESENCES,
            Self::MessageContent => intents::MESSAGE_CONTENT,
        }
    }

    fn application_flag(self) -> u64 {
        use crate::world::default::{MEMBERS_FLAG, MESSAGE_CONTENT_FLAG, PRESENCES_FLAG};
        match self {
            Self::GuildMembers => MEMBERS_FLAG,
            Self::GuildPresences => PRESENCES_FLAG,
            Self::MessageContent => MESSAGE_CONTENT_FLAG,
        }
    }
}

impl ChannelKind {
    fn number(self) -> u8 {
        match self {
            Self::Text => kind::TEXT,
            Self::Voice => kind::VOICE,
            Self::Category => kind::CATEGORY,
            Self::Stage => kind::STAGE,
            Self::Forum => kind::FORUM,
            Self::Media => kind::MEDIA,
            Self::Announcement => kind::ANNOUNCEMENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::world::{State, bits, intents, kind};

    #[test]
    fn a_file_becomes_a_world() {
        let state = State::from_json5(
            r#"{
                // ids left out are given
                humans: [{ name: "ada", id: "500" }, { name: "ben", global_name: "Ben B." }],
                bots: [{ name: "claw", token: "a.b.c", privileged_intents: ["MESSAGE_CONTENT"] }],
                guilds: [{
                    name: "Office", id: 600, owner: "ada",
                    roles: [{ name: "staff", permissions: ["MOVE_MEMBERS", "MUTE_MEMBERS"] }],
                    channels: [
                        { name: "Rooms", type: "category" },
                        { name: "help", type: "forum", id: 602, require_tag: true,
                          tags: [{ name: "bug", id: 603 }, { name: "done", moderated: true }] },
                        { name: "news", type: "announcement" }, { name: "art", type: "media" },
                        { name: "Lounge", type: "voice", id: 601, category: "Rooms", user_limit: 2, bitrate: 96000,
                          overwrites: [
                            { role: "@everyone", deny: ["CONNECT"] },
                            { member: "claw", allow: ["CONNECT"] },
                          ] },
                    ],
                    emojis: [{ name: "wave", id: 604 }], stickers: [{ name: "hi" }],
                    system_channel: "news",
                    members: [{ user: "claw" }, { user: "ben", nick: "B", roles: ["staff"] }],
                }],
            }"#,
        )
        .unwrap();
        let ben = state.users.values().find(|user| user.username == "ben").unwrap();
        let bot = state.application_by_token("a.b.c").unwrap();
        let (lounge, guild) = (&state.channels[&601], &state.guilds[&600]);
        assert_eq!(ben.global_name.as_deref(), Some("Ben B."));
        assert_eq!(bot.privileged_intents, intents::MESSAGE_CONTENT);
        assert_eq!(bot.flags, 1 << 19);
        assert_eq!((lounge.kind, lounge.user_limit, lounge.position), (kind::VOICE, 2, 4));
        let forum = &state.channels[&602];
        assert_eq!((forum.kind, forum.flags, forum.tags[0].id), (kind::FORUM, 1 << 4, 603));
        assert!(!forum.tags[0].moderated && forum.tags[1].moderated);
        let news = &state.channels[&guild.system_channel_id.unwrap()];
        assert_eq!((news.kind, guild.emojis[&604].name.as_str()), (kind::ANNOUNCEMENT, "wave"));
        assert_eq!(guild.stickers.values().next().map(|one| one.name.as_str()), Some("hi"));
        assert_eq!(lounge.bitrate(), 96_000);
        assert_eq!(lounge.parent_id.map(|id| state.channels[&id].name.as_str()), Some("Rooms"));
        assert_eq!(guild.members.len(), 3);
        assert!(state.may(bot.user_id, 601, bits::CONNECT | bits::SPEAK));
        assert_eq!(state.channel_permissions(601, ben.id), bits::VIEW_CHANNEL);
        let wanted = bits::MOVE_MEMBERS | bits::MUTE_MEMBERS;
        assert_eq!(state.guild_permissions(600, ben.id), wanted | bits::ORDINARY);
        assert!(state.may(500, 601, bits::ALL));
    }
}
