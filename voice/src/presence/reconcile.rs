//! Looking for followed users, and for the bot itself, by REST: what the main gateway did not tell.
//!
//! One cursor goes round all guilds, in each over the users and then the bot. A run asks one after
//! the other, so that a guild's bot is judged when its users are known.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use clawvoice_session::{GuildId, SessionTime, UserId, VoiceStateLookup};

use super::{
    machine::Presence,
    output::{Output, Timer},
    phase::Phase,
};
use crate::timeline::{self, Place};

/// Between two runs.
const EVERY: Duration = Duration::from_secs(10);

/// Lookups of one run.
const MAX_LOOKUPS: usize = 32;

/// Guilds of one run.
const MAX_GUILDS: usize = 4;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Reconcile {
    /// The next place in the round of all guilds.
    cursor: usize,
    /// When the next run begins.
    next: Option<SessionTime>,
    /// What is left of the run.
    left: VecDeque<(GuildId, Slot)>,
    /// The lookup that waits for its answer.
    open: Option<Open>,
}

/// One place in the round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    User(UserId),
    Bot,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    guild: GuildId,
    user: UserId,
    /// The main gateway has told something newer meanwhile.
    overtaken: bool,
}

impl Reconcile {
    /// The main gateway tells where somebody is: an answer to an older question says nothing.
    pub(super) fn overtake(&mut self, guild: GuildId, user: UserId) {
        if let Some(open) = &mut self.open
            && (open.guild, open.user) == (guild, user)
        {
            open.overtaken = true;
        }
    }

    /// Breaks the run off; what is still answered says nothing.
    pub(super) fn break_off(&mut self) {
        self.left.clear();
        if let Some(open) = &mut self.open {
            open.overtaken = true;
        }
    }
}

impl Presence {
    /// The bot is online: a run begins as soon as it may.
    pub(super) fn begin_reconciling(&mut self, now: SessionTime) {
        self.reconcile.next = Some(self.reconcile.next.map_or(now, |next| next.max(now)));
        self.reconcile_if_due(now);
    }

    /// When the next run begins.
    pub(super) fn reconcile_timeout(&self) -> Option<(SessionTime, Timer)> {
        let wanted = self.online
            && !self.stopped
            && self.settings.enabled
            && self.settings.lookups
            && !self.settings.follow_users.is_empty();
        self.reconcile.next.filter(|_| wanted).map(|at| (at, Timer::Reconcile))
    }

    pub(super) fn reconcile_if_due(&mut self, now: SessionTime) {
        if self.reconcile_timeout().is_none_or(|(at, _)| at > now) {
            return;
        }
        self.reconcile.next = Some(now + EVERY);
        // A run that takes longer than the time between two is not joined by another.
        if self.reconcile.left.is_empty() && self.reconcile.open.is_none() {
            self.plan_run();
            self.look_up_next();
        }
    }

    fn plan_run(&mut self) {
        let guilds: Vec<GuildId> = self.guilds_to_look_at().into_iter().collect();
        let users = self.settings.follow_users.iter().map(|user| Slot::User(*user));
        let slots: Vec<Slot> = users.chain([Slot::Bot]).collect();
        let total = guilds.len() * slots.len();
        let start = if total == 0 { 0 } else { self.reconcile.cursor % total };
        let mut visited = BTreeSet::new();
        for place in (start..start + total.min(MAX_LOOKUPS)).map(|place| place % total) {
            let (guild, slot) = (guilds[place / slots.len()], slots[place % slots.len()]);
            if !visited.contains(&guild) && visited.len() >= MAX_GUILDS {
                break;
            }
            visited.insert(guild);
            self.reconcile.left.push_back((guild, slot));
            self.reconcile.cursor = (place + 1) % total;
        }
    }

    /// Those the configuration names, and those with a session.
    fn guilds_to_look_at(&self) -> BTreeSet<GuildId> {
        let settings = &self.settings;
        let auto_join = settings.auto_join.iter().map(|entry| entry.guild);
        let allowed = settings.allowed_channels.iter().flatten().map(|(guild, _)| *guild);
        let live = self.guilds.iter().filter(|(_, it)| it.phase.channel().is_some());
        let live = live.map(|(guild, _)| *guild);
        settings.guilds.iter().copied().chain(auto_join).chain(allowed).chain(live).collect()
    }

    /// Asks the next question of the run.
    fn look_up_next(&mut self) {
        while self.reconcile.open.is_none()
            && let Some((guild, slot)) = self.reconcile.left.pop_front()
        {
            let user = match slot {
                Slot::User(user) => Some(user),
                Slot::Bot => self.user.filter(|_| self.may_be_stale(guild)),
            };
            if let Some(user) = user {
                self.reconcile.open = Some(Open { guild, user, overtaken: false });
                self.outputs.push_back(Output::LookUp { guild, user });
            }
        }
    }

    /// Whether nothing keeps the bot in a guild's voice.
    fn may_be_stale(&self, guild: GuildId) -> bool {
        let it = self.guilds.get(&guild);
        !self.anybody_followed(guild)
            && it.is_none_or(|it| matches!(it.phase, Phase::Idle) && it.queue.is_empty())
    }

    /// Where a user is, or that Discord could not be asked ([`Output::LookUp`]).
    pub fn handle_lookup(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        user: UserId,
        answer: &VoiceStateLookup,
    ) {
        let Some(open) =
            self.reconcile.open.filter(|open| (open.guild, open.user) == (guild, user))
        else {
            return;
        };
        self.reconcile.open = None;
        if !open.overtaken && self.online && !self.stopped {
            self.looked_up(now, guild, user, answer);
        }
        self.look_up_next();
        self.go_on(now);
    }

    fn looked_up(
        &mut self,
        now: SessionTime,
        guild: GuildId,
        user: UserId,
        answer: &VoiceStateLookup,
    ) {
        let channel = match answer {
            VoiceStateLookup::In(channel) => Some(*channel),
            VoiceStateLookup::NotInVoice => None,
            VoiceStateLookup::Failed(words) => {
                return self.record(timeline::presence::lookup_failed(now, guild, user, words));
            }
        };
        if Some(user) != self.user {
            return self.seen(now, guild, user, channel);
        }
        if let Some(channel) = channel
            && self.may_be_stale(guild)
        {
            self.record(timeline::presence::stale_voice_state(now, Place { guild, channel }));
            self.depart(now, guild, "stale voice state", None);
        }
    }
}
