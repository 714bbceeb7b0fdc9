//! Where the bot ends, after random events in virtual time: joins and leaves by command, people and
//! the bot on the move, kicks, broken sessions, lost gateways, restarts, closed channels, REST that
//! fails. A plain model (`expectation`) says where it must be; Discord (`discord`) says where it is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod discord;
mod expectation;

use std::{collections::BTreeSet, time::Duration};

use clawvoice_session::{ChannelId, GuildId, UserId};
use clawvoice_voice::presence::{AutoJoin, PresenceSettings};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng, seq::IndexedRandom as _};

use discord::Discord;
use expectation::{Expectation, Rules};

const ONE: GuildId = GuildId::new(1);
const TWO: GuildId = GuildId::new(2);
const ADA: UserId = UserId::new(31);
const BEN: UserId = UserId::new(32);
const CLEO: UserId = UserId::new(33);
const HELPER: UserId = UserId::new(40);

/// Long enough for every timeout, pause and lookup.
const CALM: Duration = Duration::from_secs(400);

/// Channel `number` of a guild. 0 is home, 2 is sometimes closed, 3 may not be allowed.
fn channel(guild: GuildId, number: u64) -> ChannelId {
    ChannelId::new(guild.get() * 100 + number)
}

fn rules(rng: &mut SmallRng) -> Rules {
    let followed = [vec![], vec![ADA], vec![ADA, BEN]];
    let mut rules = Rules {
        followed: followed.choose(rng).unwrap().iter().copied().collect(),
        bots: [HELPER].into(),
        ..Rules::default()
    };
    if rng.random_bool(0.7) {
        rules.auto_join.insert(ONE, (channel(ONE, 0), rng.random_bool(0.6)));
    }
    if rng.random_bool(0.6) {
        // In guild 2 there may be one allowed channel only.
        let numbers = [0..3, 0..1].choose(rng).unwrap().clone();
        let of_two = numbers.map(|number| channel(TWO, number));
        rules.allowed = Some((0..3).map(|number| channel(ONE, number)).chain(of_two).collect());
    }
    rules
}

fn settings(rules: &Rules) -> PresenceSettings {
    let auto_join = rules.auto_join.iter().map(|(guild, (channel, when_occupied))| AutoJoin {
        guild: *guild,
        channel: *channel,
        when_occupied: *when_occupied,
    });
    let allowed = rules.allowed.as_ref().map(|allowed| {
        allowed.iter().map(|channel| (GuildId::new(channel.get() / 100), *channel)).collect()
    });
    PresenceSettings {
        auto_join: auto_join.collect(),
        allowed_channels: allowed,
        follow_users: rules.followed.clone(),
        // Some in which nothing ever happens.
        guilds: (1..=7).map(GuildId::new).collect(),
        lookups: true,
        ..PresenceSettings::default()
    }
}

/// One life of a bot, and what is expected of it.
struct Life {
    rng: SmallRng,
    rules: Rules,
    discord: Discord,
    expected: Expectation,
    events: usize,
    history: Vec<String>,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let rules = rules(&mut rng);
        let mut discord = Discord::new(settings(&rules), seed);
        discord.bots = rules.bots.clone();
        let expected = Expectation::new(rules.clone());
        let history = vec![format!("seed {seed}: {rules:?}")];
        let mut life = Self { rng, rules, discord, expected, events: 0, history };
        life.discord.ready();
        life.expected.online();
        life
    }

    fn note(&mut self, what: String) {
        self.events += 1;
        self.history.push(format!("{} {what}", self.discord.now));
    }

    fn guild(&mut self) -> GuildId {
        *[ONE, ONE, TWO].choose(&mut self.rng).unwrap()
    }

    fn channel(&mut self, guild: GuildId) -> ChannelId {
        channel(guild, self.rng.random_range(0..4))
    }

    /// Something that may happen at any moment.
    fn happens(&mut self) {
        let guild = self.guild();
        let to = self.channel(guild);
        let at = self.discord.bot.get(&guild).map(|(channel, _)| *channel);
        // A moderator acts on a bot that has arrived; on its way, it is in no one's hands.
        let arrived = at.is_some()
            && at == self.expected.at(guild)
            && self.discord.at_most_one_join()
            && !self.discord.is_setting_out(guild);
        match self.rng.random_range(0..12) {
            0 | 1 => {
                self.note(format!("/vc join {to}"));
                self.discord.join(guild, to);
                self.expected.asked(guild, to);
            }
            2 => {
                self.note(format!("/vc leave in {guild}"));
                self.discord.leave(guild);
                self.expected.taken_out(guild);
            }
            3 if arrived => {
                self.note(format!("kick in {guild}"));
                self.discord.moderate(guild, None);
                self.expected.taken_out(guild);
            }
            4 if arrived && at != Some(to) => {
                self.note(format!("the bot is moved to {to}"));
                self.discord.moderate(guild, Some(to));
                self.expected.moved(guild, to);
            }
            5 if self.discord.has_told_all()
                && at.is_some_and(|at| !self.expected.closed.contains(&at)) =>
            {
                self.note(format!("the session of {guild} breaks"));
                self.discord.break_session(guild);
            }
            _ => {
                let user = *[ADA, ADA, BEN, CLEO, HELPER].choose(&mut self.rng).unwrap();
                let to = self.rng.random_bool(0.7).then_some(to);
                // Whoever is followed stays until the bot has come after them.
                if self.rules.followed.contains(&user) && to.is_none_or(|to| to.get() % 100 == 3) {
                    self.discord.wait(Duration::from_secs(3));
                }
                self.note(format!("{user} goes to {to:?} in {guild}"));
                self.discord.person(guild, user, to);
                self.expected.seen(guild, user, to);
            }
        }
    }

    /// Something that happens when nothing else does: what follows from it depends on what the bot
    /// can know at that moment.
    fn happens_in_the_calm(&mut self) {
        let all_open = self.expected.closed.is_empty();
        match self.rng.random_range(0..8) {
            0 => {
                self.note("RESUMED".to_owned());
                self.discord.resumed();
                self.expected.online();
            }
            1 if all_open && self.discord.rest => self.gateway_is_lost(),
            2 if self.discord.rest => self.restarts(),
            3 => {
                self.discord.rest = !self.discord.rest;
                self.expected.rest = self.discord.rest;
                self.note(format!("REST works: {}", self.discord.rest));
            }
            4 | 5 if all_open => {
                let guild = self.guild();
                self.note(format!("{} is closed", channel(guild, 2)));
                self.discord.closed.insert(channel(guild, 2));
                self.expected.closed.insert(channel(guild, 2));
            }
            4 | 5 => {
                self.note("everything is opened".to_owned());
                self.discord.closed.clear();
                for closed in self.expected.closed.clone() {
                    self.expected.opened(closed);
                }
            }
            6 if self.discord.rest && !self.rules.followed.is_empty() => {
                let (guild, user) = (self.guild(), ADA);
                let to = Some(self.channel(guild)).filter(|_| self.rng.random_bool(0.7));
                self.note(format!("{user} goes to {to:?} in {guild}, and nobody tells"));
                self.discord.person_unseen(guild, user, to);
                self.expected.seen(guild, user, to);
            }
            _ => {}
        }
    }

    fn gateway_is_lost(&mut self) {
        self.note("the gateway session is lost".to_owned());
        self.discord.lost();
        self.expected.offline();
        for _ in 0..self.rng.random_range(0..4) {
            let (guild, user) = (self.guild(), *[ADA, BEN, CLEO].choose(&mut self.rng).unwrap());
            let to = Some(self.channel(guild)).filter(|_| self.rng.random_bool(0.6));
            self.note(format!("{user} goes to {to:?} in {guild} meanwhile"));
            self.discord.person_unseen(guild, user, to);
        }
        let away = Duration::from_secs(self.rng.random_range(0..100));
        self.discord.wait(away);
        self.discord.ready();
        self.expected.online();
        self.everybody_is_told();
        // Who left meanwhile is found missing.
        for guild in [ONE, TWO] {
            for user in self.rules.followed.clone() {
                if !self.discord.people.contains_key(&(guild, user)) {
                    self.expected.seen(guild, user, None);
                }
            }
        }
        self.expected.told_of_everybody();
    }

    fn restarts(&mut self) {
        // Only a bot that follows looks for itself, and not where it has somebody to go to.
        let anybody =
            self.discord.people.keys().any(|(_, user)| self.rules.followed.contains(user));
        let stale = !self.rules.followed.is_empty() && !anybody && self.rng.random_bool(0.5);
        self.note(format!("the process restarts; stale: {stale}"));
        self.discord.restart(stale);
        self.expected.restarted();
        self.expected.online();
        self.everybody_is_told();
    }

    fn everybody_is_told(&mut self) {
        for ((guild, user), channel) in self.discord.people.clone() {
            self.expected.seen(guild, user, Some(channel));
        }
    }

    /// Some events in quick succession, then quiet.
    fn burst(&mut self) {
        self.happens_in_the_calm();
        self.settle();
        // What the bot finds out only by waiting is not mixed with what happens meanwhile.
        let blind = !self.discord.rest;
        let slow = blind || !self.expected.closed.is_empty();
        let events = match blind {
            true if self.expected.is_waiting() => 0,
            true => 1,
            false => self.rng.random_range(1..7),
        };
        for _ in 0..events {
            self.happens();
            let longest = *[1, 300, 3_000, 40_000].choose(&mut self.rng).unwrap();
            let wait = self.rng.random_range(0..longest) + if slow { 1_000 } else { 0 };
            self.discord.wait(Duration::from_millis(wait));
        }
        self.settle();
    }

    fn settle(&mut self) {
        self.discord.wait(CALM);
        for guild in [ONE, TWO] {
            let expected = self.expected.at(guild);
            let shown = self.discord.bot.get(&guild).map(|(channel, _)| *channel);
            let status = self.discord.presence.status(Some(guild));
            let session = status.first().map(|status| status.channel);
            assert!(
                (shown, session) == (expected, expected),
                "guild {guild}: it must be in {expected:?}; Discord shows it in {shown:?}, its \
                 session is in {session:?}\n{}",
                self.history.join("\n")
            );
            assert_eq!(self.discord.running.contains_key(&guild), expected.is_some());
        }
        self.discord.assert_quiet();
    }

    /// Nothing is left, and nothing comes back.
    fn stop(mut self) -> usize {
        self.discord.stop();
        self.discord.person(ONE, ADA, Some(channel(ONE, 1)));
        self.discord.wait(CALM);
        assert!(self.discord.bot.is_empty() && self.discord.running.is_empty());
        assert_eq!(self.discord.presence.poll_timeout(), None);
        self.events
    }
}

fn live(seeds: impl Iterator<Item = u64>, bursts: usize) -> usize {
    seeds
        .map(|seed| {
            let mut life = Life::new(seed);
            for _ in 0..bursts {
                life.burst();
            }
            life.stop()
        })
        .sum()
}

#[test]
fn after_2_000_random_events_the_bot_is_where_the_documentation_says() {
    let events = live(0..100, 10);
    assert!(events >= 2_000, "{events} events");
}

#[test]
fn lives_differ() {
    let configurations: BTreeSet<String> =
        (0..60).map(|seed| format!("{:?}", rules(&mut SmallRng::seed_from_u64(seed)))).collect();
    assert!(configurations.len() >= 12, "{}", configurations.len());
}
