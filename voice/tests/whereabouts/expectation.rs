//! Where the bot must be, by the words of the documentation: one event after the other, as if
//! everything happened at once. It shares nothing with the machine but the ids.

use std::collections::{BTreeMap, BTreeSet};

use clawvoice_session::{ChannelId, GuildId, UserId};

/// What a configuration says about where the bot is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) followed: BTreeSet<UserId>,
    /// Channel, and whether it is joined for humans only.
    pub(crate) auto_join: BTreeMap<GuildId, (ChannelId, bool)>,
    /// The only channels allowed.
    pub(crate) allowed: Option<BTreeSet<ChannelId>>,
    pub(crate) bots: BTreeSet<UserId>,
}

/// What brought the bot to where it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Why {
    #[default]
    Nothing,
    Asked,
    Fixed,
    Occupied,
    Followed,
}

#[derive(Clone, Debug, Default)]
struct Guild {
    at: Option<ChannelId>,
    why: Why,
    /// A followed user could not be followed; the bot still wants to.
    owed: bool,
}

/// See the module's documentation.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    rules: Rules,
    guilds: BTreeMap<GuildId, Guild>,
    /// Who is where, and the order in which that was seen.
    seen: BTreeMap<(GuildId, UserId), (ChannelId, u64)>,
    order: u64,
    /// Channels that Discord does not let the bot into.
    pub(crate) closed: BTreeSet<ChannelId>,
    /// Whether REST answers: only then the bot knows that a channel is closed before it has left
    /// the one it is in.
    pub(crate) rest: bool,
}

impl Expectation {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            guilds: BTreeMap::new(),
            seen: BTreeMap::new(),
            order: 0,
            closed: BTreeSet::new(),
            rest: true,
        }
    }

    pub(crate) fn at(&self, guild: GuildId) -> Option<ChannelId> {
        self.guilds.get(&guild).and_then(|guild| guild.at)
    }

    fn allows(&self, channel: ChannelId) -> bool {
        self.rules.allowed.as_ref().is_none_or(|allowed| allowed.contains(&channel))
    }

    fn guild(&mut self, guild: GuildId) -> &mut Guild {
        self.guilds.entry(guild).or_default()
    }

    fn out(&mut self, guild: GuildId) {
        let it = self.guild(guild);
        (it.at, it.why) = (None, Why::Nothing);
    }

    /// "`allowedChannels` limits `/vc join`, auto-join and bot moves."
    fn go(&mut self, guild: GuildId, channel: ChannelId, why: Why) -> bool {
        if !self.allows(channel) {
            return false;
        }
        if self.closed.contains(&channel) {
            if !self.rest {
                self.out(guild);
            }
            return false;
        }
        let it = self.guild(guild);
        (it.at, it.why) = (Some(channel), why);
        if why == Why::Followed {
            it.owed = false;
        }
        true
    }

    /// `/vc join`
    pub(crate) fn asked(&mut self, guild: GuildId, channel: ChannelId) {
        if !self.allows(channel) {
            return;
        }
        let it = self.guild(guild);
        it.owed = false;
        if it.at == Some(channel) {
            it.why = Why::Asked;
        } else {
            self.go(guild, channel, Why::Asked);
        }
    }

    /// `/vc leave`, or a moderator takes the bot out: "a plain leave clears" following.
    pub(crate) fn taken_out(&mut self, guild: GuildId) {
        self.guild(guild).owed = false;
        self.out(guild);
    }

    /// "Moved to an allowed channel: rebuild there. Moved outside: leave, then rejoin the guild's
    /// auto-join target if allowed, else its only allowed channel, else stay out."
    pub(crate) fn moved(&mut self, guild: GuildId, to: ChannelId) {
        if self.allows(to) {
            self.guild(guild).at = Some(to);
            return;
        }
        self.taken_out(guild);
        match self.rules.auto_join.get(&guild).copied() {
            Some((home, false)) if self.allows(home) => {
                self.go(guild, home, Why::Fixed);
            }
            Some((home, true)) if self.allows(home) => {
                if self.humans(guild, home) > 0 {
                    self.go(guild, home, Why::Occupied);
                }
            }
            _ => {
                let of_guild = self.rules.allowed.iter().flatten();
                let of_guild: Vec<ChannelId> =
                    of_guild.filter(|one| one.get() / 100 == guild.get()).copied().collect();
                if let [only] = of_guild[..] {
                    self.go(guild, only, Why::Fixed);
                }
            }
        }
    }

    /// A voice state that is news; "the latest observed voice-state event wins".
    pub(crate) fn seen(&mut self, guild: GuildId, user: UserId, channel: Option<ChannelId>) {
        let before = self.seen.get(&(guild, user)).map(|(at, _)| *at);
        if before == channel {
            return;
        }
        self.order += 1;
        match channel {
            Some(channel) => drop(self.seen.insert((guild, user), (channel, self.order))),
            None => drop(self.seen.remove(&(guild, user))),
        }
        if self.rules.followed.contains(&user) {
            match channel.filter(|channel| self.allows(*channel)) {
                Some(channel) => self.follow(guild, channel),
                None => self.hand_over(guild),
            }
        }
        self.occupancy(guild, user, before, channel);
    }

    fn follow(&mut self, guild: GuildId, channel: ChannelId) {
        let it = self.guild(guild);
        it.owed = false;
        if it.at == Some(channel) {
            it.why = Why::Followed;
        } else if !self.go(guild, channel, Why::Followed) {
            self.guild(guild).owed = true;
            if self.at(guild).is_some() {
                self.hand_over(guild);
            } else {
                self.go_to_anybody(guild);
            }
        }
    }

    /// "If the active user leaves, first move to another tracked followed user in the guild", else
    /// leave.
    fn hand_over(&mut self, guild: GuildId) {
        let it = self.guild(guild).clone();
        if it.why == Why::Followed && !self.followed_in(guild).any(|at| Some(at) == it.at) {
            self.out(guild);
            self.go_to_anybody(guild);
        }
    }

    /// To the followed user who moved last and can be followed.
    fn go_to_anybody(&mut self, guild: GuildId) {
        let followed: Vec<ChannelId> = self.followed_in(guild).collect();
        for channel in followed {
            if self.allows(channel) {
                if self.go(guild, channel, Why::Followed) {
                    return;
                }
                self.guild(guild).owed = true;
            }
        }
    }

    /// Where followed users are, the latest first.
    fn followed_in(&self, guild: GuildId) -> impl Iterator<Item = ChannelId> + use<> {
        let seen = self.seen.iter().filter(|((at, _), _)| *at == guild);
        let mut followed: Vec<(ChannelId, u64)> = seen
            .filter(|((_, user), _)| self.rules.followed.contains(user))
            .map(|(_, seen)| *seen)
            .collect();
        followed.sort_by_key(|(_, order)| std::cmp::Reverse(*order));
        followed.into_iter().map(|(channel, _)| channel)
    }

    fn humans(&self, guild: GuildId, channel: ChannelId) -> usize {
        let there = self.seen.iter().filter(|((at, _), (in_, _))| (*at, *in_) == (guild, channel));
        there.filter(|((_, user), _)| !self.rules.bots.contains(user)).count()
    }

    /// "Join on first human, leave after the last (bots ignored), own sessions only."
    fn occupancy(
        &mut self,
        guild: GuildId,
        user: UserId,
        before: Option<ChannelId>,
        now: Option<ChannelId>,
    ) {
        if self.rules.bots.contains(&user) {
            return;
        }
        if before.is_some() && before == self.at(guild) {
            self.leave_deserted(guild);
        }
        if let Some((room, true)) = self.rules.auto_join.get(&guild).copied()
            && now == Some(room)
            && self.humans(guild, room) == 1
            && self.at(guild).is_none()
        {
            self.go(guild, room, Why::Occupied);
        }
    }

    fn leave_deserted(&mut self, guild: GuildId) {
        let it = self.guild(guild).clone();
        if let (Why::Occupied, Some(at)) = (it.why, it.at)
            && self.humans(guild, at) == 0
        {
            self.out(guild);
            if it.owed {
                self.go_to_anybody(guild);
            }
        }
    }

    /// A channel can be joined again: a follow that failed is tried again.
    pub(crate) fn opened(&mut self, channel: ChannelId) {
        self.closed.remove(&channel);
        for guild in self.guilds.keys().copied().collect::<Vec<_>>() {
            if self.guild(guild).owed && self.at(guild).is_none() {
                self.go_to_anybody(guild);
            }
        }
    }

    /// Whether the bot tries again and again to follow somebody somewhere.
    pub(crate) fn is_waiting(&self) -> bool {
        self.guilds.values().any(|guild| guild.owed && guild.at.is_none())
    }

    /// READY or RESUMED: "auto-join runs".
    pub(crate) fn online(&mut self) {
        for (guild, (channel, when_occupied)) in self.rules.auto_join.clone() {
            let why = if when_occupied { Why::Occupied } else { Why::Fixed };
            let is_wanted = !when_occupied || self.humans(guild, channel) > 0;
            if self.at(guild).is_none() && is_wanted {
                self.go(guild, channel, why);
            }
        }
    }

    /// The gateway session is lost: who is in voice will be told anew. Where followed users were is
    /// remembered.
    pub(crate) fn offline(&mut self) {
        let followed = self.rules.followed.clone();
        self.seen.retain(|(_, user), _| followed.contains(user));
    }

    /// After a new session everybody was told.
    pub(crate) fn told_of_everybody(&mut self) {
        for guild in self.guilds.keys().copied().collect::<Vec<_>>() {
            self.leave_deserted(guild);
        }
    }

    /// A new process knows nothing.
    pub(crate) fn restarted(&mut self) {
        self.guilds.clear();
        self.seen.clear();
    }
}
