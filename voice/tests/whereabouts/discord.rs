//! A Discord in virtual time around one presence: voice states, op 4, REST, voice sessions. Every
//! answer takes a while, and the gateway's events keep their order.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use clawvoice_session::{
    ChannelId, Generation, GuildId, RoomLookup, RoomPermission, SessionTime, UserId,
    VoiceGatewayEvent, VoiceServerChange, VoiceStateChange, VoiceStateLookup,
};
use clawvoice_voice::presence::{
    Connection, Half, Output, Presence, PresenceSettings, Ticket,
    link::{EndPlan, SessionEvent},
};
use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};

pub(crate) const BOT: UserId = UserId::new(5);

/// What the gateway tells, commands among it.
enum Told {
    Event(VoiceGatewayEvent),
    Join(Ticket, GuildId, ChannelId),
    Leave(GuildId),
}

/// What happens later.
enum Later {
    Lookup(GuildId, UserId),
    Room(GuildId, ChannelId),
    /// The session's connection is tried: does it hold the newest token?
    Connect(GuildId, Generation, u64),
}

/// The halves of a join that came.
struct Halves {
    generation: Generation,
    session_id: Option<String>,
    token: Option<String>,
}

pub(crate) struct Discord {
    pub(crate) presence: Presence,
    pub(crate) now: SessionTime,
    settings: PresenceSettings,
    rng: SmallRng,
    /// Where everybody but the bot is.
    pub(crate) people: BTreeMap<(GuildId, UserId), ChannelId>,
    pub(crate) bots: BTreeSet<UserId>,
    /// Where the bot is, and the number of its place: every join gets a new one.
    pub(crate) bot: BTreeMap<GuildId, (ChannelId, u64)>,
    places: u64,
    pub(crate) closed: BTreeSet<ChannelId>,
    pub(crate) rest: bool,
    online: bool,
    /// Op 4 that waits for a session.
    held: Vec<(GuildId, Option<ChannelId>)>,
    gateway: VecDeque<(SessionTime, Told)>,
    later: Vec<(SessionTime, Later)>,
    halves: BTreeMap<GuildId, Halves>,
    /// The sessions that run.
    pub(crate) running: BTreeMap<GuildId, Generation>,
    tickets: u64,
    open_tickets: BTreeSet<Ticket>,
    open_lookups: usize,
    /// When lookups were made, in the last ten seconds.
    lookups: VecDeque<(SessionTime, GuildId)>,
}

impl Discord {
    pub(crate) fn new(settings: PresenceSettings, seed: u64) -> Self {
        Self {
            presence: Presence::new(settings.clone()),
            now: SessionTime::ZERO,
            settings,
            rng: SmallRng::seed_from_u64(seed),
            people: BTreeMap::new(),
            bots: BTreeSet::new(),
            bot: BTreeMap::new(),
            places: 0,
            closed: BTreeSet::new(),
            rest: true,
            online: false,
            held: Vec::new(),
            gateway: VecDeque::new(),
            later: Vec::new(),
            halves: BTreeMap::new(),
            running: BTreeMap::new(),
            tickets: 0,
            open_tickets: BTreeSet::new(),
            open_lookups: 0,
            lookups: VecDeque::new(),
        }
    }

    fn soon(&mut self) -> SessionTime {
        self.now + Duration::from_millis(self.rng.random_range(1..200))
    }

    /// Events of the gateway come in the order in which they were sent.
    fn send(&mut self, event: VoiceGatewayEvent) {
        self.tell(Told::Event(event));
    }

    fn tell(&mut self, told: Told) {
        let earliest = self.gateway.back().map_or(SessionTime::ZERO, |(at, _)| *at);
        let at = self.soon().max(earliest);
        if self.online {
            self.gateway.push_back((at, told));
        }
    }

    // What people do.

    pub(crate) fn join(&mut self, guild: GuildId, channel: ChannelId) {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.open_tickets.insert(ticket);
        self.tell(Told::Join(ticket, guild, channel));
    }

    pub(crate) fn leave(&mut self, guild: GuildId) {
        self.tell(Told::Leave(guild));
    }

    pub(crate) fn person(&mut self, guild: GuildId, user: UserId, channel: Option<ChannelId>) {
        self.person_unseen(guild, user, channel);
        self.tell_person(guild, user, channel);
    }

    /// The gateway does not tell.
    pub(crate) fn person_unseen(
        &mut self,
        guild: GuildId,
        user: UserId,
        channel: Option<ChannelId>,
    ) {
        match channel {
            Some(channel) => drop(self.people.insert((guild, user), channel)),
            None => drop(self.people.remove(&(guild, user))),
        }
    }

    fn tell_person(&mut self, guild: GuildId, user: UserId, channel: Option<ChannelId>) {
        let (label, bot) = (user.to_string(), self.bots.contains(&user));
        self.send(VoiceGatewayEvent::Name { guild, user, label, bot });
        self.send(state(guild, user, channel, "theirs".to_owned()));
    }

    /// A moderator moves the bot, or takes it out.
    pub(crate) fn moderate(&mut self, guild: GuildId, channel: Option<ChannelId>) {
        match channel {
            Some(channel) => self.seat_bot(guild, channel),
            None => self.unseat_bot(guild),
        }
    }

    /// Whether at most one join is under way, and no command on its way to the bot.
    pub(crate) fn at_most_one_join(&self) -> bool {
        let mut told = self.gateway.iter().map(|(_, told)| told);
        self.open_tickets.len() <= 1 && told.all(|told| matches!(told, Told::Event(_)))
    }

    /// Whether the bot is about to change its place in a guild: a kick at that moment could not be
    /// told from its own leave.
    pub(crate) fn is_setting_out(&self, guild: GuildId) -> bool {
        let looks = |later: &Later| matches!(later, Later::Room(of, _) if *of == guild);
        let is_there = !self.presence.status(Some(guild)).is_empty();
        is_there && (!self.has_told_all() || self.later.iter().any(|(_, later)| looks(later)))
    }

    /// Whether the gateway has told everything.
    pub(crate) fn has_told_all(&self) -> bool {
        self.gateway.is_empty()
    }

    /// A voice session breaks down.
    pub(crate) fn break_session(&mut self, guild: GuildId) {
        let Some(generation) = self.running.remove(&guild) else { return };
        let reason = "broken".to_owned();
        let ended = SessionEvent::Ended { reason, plan: EndPlan::Rejoin };
        self.presence.handle_session(self.now, guild, generation, ended);
        self.drain();
    }

    // The main gateway.

    /// READY of a new session, with everybody who is in voice.
    pub(crate) fn ready(&mut self) {
        self.online = true;
        self.resumed();
        for guild in [1, 2].map(GuildId::new) {
            for user in [31, 32, 33, 40].map(UserId::new) {
                let (label, bot) = (user.to_string(), self.bots.contains(&user));
                self.send(VoiceGatewayEvent::Name { guild, user, label, bot });
            }
        }
        for ((guild, user), channel) in self.people.clone() {
            self.tell_person(guild, user, Some(channel));
        }
        for (guild, (channel, place)) in self.bot.clone() {
            self.send(state(guild, BOT, Some(channel), place.to_string()));
        }
        for (guild, channel) in std::mem::take(&mut self.held) {
            self.op_4(guild, channel);
        }
    }

    /// RESUMED, too, is told to presence as READY.
    pub(crate) fn resumed(&mut self) {
        self.send(VoiceGatewayEvent::Ready { user: BOT });
    }

    /// The session is lost for good, and the bot's place in voice with it.
    pub(crate) fn lost(&mut self) {
        self.gateway.clear();
        self.online = false;
        self.bot.clear();
        self.presence.handle_gateway(self.now, VoiceGatewayEvent::SessionLost);
        self.drain();
    }

    /// The process dies without a word. `stale`: Discord still shows the bot in voice.
    pub(crate) fn restart(&mut self, stale: bool) {
        self.presence = Presence::new(self.settings.clone());
        if !stale {
            self.bot.clear();
        }
        self.gateway.clear();
        self.later.clear();
        self.halves.clear();
        self.running.clear();
        self.held.clear();
        self.open_tickets.clear();
        self.open_lookups = 0;
        self.lookups.clear();
        self.ready();
    }

    pub(crate) fn stop(&mut self) {
        self.presence.handle_stop(self.now);
        self.drain();
    }

    fn op_4(&mut self, guild: GuildId, channel: Option<ChannelId>) {
        if !self.online {
            self.held.push((guild, channel));
            return;
        }
        match channel {
            // Discord does not answer at all.
            Some(channel) if self.closed.contains(&channel) => {}
            Some(channel) => self.seat_bot(guild, channel),
            None => self.unseat_bot(guild),
        }
    }

    fn seat_bot(&mut self, guild: GuildId, channel: ChannelId) {
        self.places += 1;
        let place = self.places;
        self.bot.insert(guild, (channel, place));
        self.send(state(guild, BOT, Some(channel), place.to_string()));
        self.send(VoiceGatewayEvent::Server(VoiceServerChange {
            guild,
            endpoint: Some("voice.example:443".to_owned()),
            token: place.to_string().into(),
        }));
    }

    fn unseat_bot(&mut self, guild: GuildId) {
        if self.bot.remove(&guild).is_some() {
            self.send(state(guild, BOT, None, String::new()));
        }
    }

    // Time.

    /// Lets time pass, and what happens in it.
    pub(crate) fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.next().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.step();
            self.drain();
        }
        self.now = until;
    }

    fn next(&self) -> Option<SessionTime> {
        let timer = self.presence.poll_timeout().map(|(at, _)| at);
        let event = self.gateway.front().map(|(at, _)| *at);
        let later = self.later.iter().map(|(at, _)| *at).min();
        timer.into_iter().chain(event).chain(later).min()
    }

    fn step(&mut self) {
        let now = self.now;
        if self.gateway.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, told)) = self.gateway.pop_front()
        {
            match told {
                Told::Event(event) => self.presence.handle_gateway(now, event),
                Told::Join(ticket, guild, to) => self.presence.handle_join(now, ticket, guild, to),
                Told::Leave(guild) => drop(self.presence.handle_leave(now, guild)),
            }
            return;
        }
        if let Some(due) = self.later.iter().position(|(at, _)| *at <= now) {
            return match self.later.swap_remove(due).1 {
                Later::Lookup(guild, user) => self.answer_lookup(guild, user),
                Later::Room(guild, channel) => self.answer_room(guild, channel),
                Later::Connect(guild, generation, place) => self.connect(guild, generation, place),
            };
        }
        self.presence.handle_timeout(now);
    }

    /// REST is not ahead of the gateway, so that there is one order in which things are observed.
    fn answer_lookup(&mut self, guild: GuildId, user: UserId) {
        if let Some((last, _)) = self.gateway.back() {
            let at = *last + Duration::from_millis(1);
            return self.later.push((at, Later::Lookup(guild, user)));
        }
        self.open_lookups -= 1;
        let found = if user == BOT {
            self.bot.get(&guild).map(|(channel, _)| *channel)
        } else {
            self.people.get(&(guild, user)).copied()
        };
        let answer = match found {
            _ if !self.rest => VoiceStateLookup::Failed("503".to_owned()),
            Some(channel) => VoiceStateLookup::In(channel),
            None => VoiceStateLookup::NotInVoice,
        };
        self.presence.handle_lookup(self.now, guild, user, &answer);
    }

    fn answer_room(&mut self, guild: GuildId, channel: ChannelId) {
        let closed = self.closed.contains(&channel);
        let missing = if closed { vec![RoomPermission::Connect] } else { Vec::new() };
        let answer = if self.rest {
            RoomLookup::Voice { missing }
        } else {
            RoomLookup::Failed("503".to_owned())
        };
        self.presence.handle_room(self.now, guild, channel, &answer);
    }

    /// The voice server takes the newest token only. What made an older one invalid is told by the
    /// gateway first: a kick could not be told from the bot's own leave otherwise.
    fn connect(&mut self, guild: GuildId, generation: Generation, place: u64) {
        if self.running.get(&guild) != Some(&generation) {
            return;
        }
        if let Some((last, _)) = self.gateway.back() {
            let at = *last + Duration::from_millis(1);
            return self.later.push((at, Later::Connect(guild, generation, place)));
        }
        let is_valid = self.bot.get(&guild).is_some_and(|(_, newest)| *newest == place);
        let event = if is_valid {
            SessionEvent::Ready
        } else {
            self.running.remove(&guild);
            SessionEvent::Ended { reason: "4006".to_owned(), plan: EndPlan::Rejoin }
        };
        self.presence.handle_session(self.now, guild, generation, event);
    }

    // What presence wants.

    fn drain(&mut self) {
        for _ in 0..10_000 {
            let Some(output) = self.presence.poll_output() else { return };
            self.carry_out(output);
        }
        panic!("outputs without end");
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Connect { guild, channel, generation } => {
                self.collect(guild, generation);
                self.op_4(guild, Some(channel));
            }
            Output::Follow { guild, generation, .. } => self.collect(guild, generation),
            Output::Feed { guild, generation, half } => self.feed(guild, generation, half),
            Output::Start(request) => {
                let before = self.running.insert(request.guild, request.generation);
                assert_eq!(before, None, "two sessions in guild {}", request.guild);
                let at = self.soon();
                let place = request.session_id.parse().unwrap();
                self.later.push((at, Later::Connect(request.guild, request.generation, place)));
            }
            Output::End { guild, generation } => {
                if self.running.get(&guild) == Some(&generation) {
                    self.running.remove(&guild);
                }
            }
            Output::Leave { guild } => {
                self.halves.remove(&guild);
                self.op_4(guild, None);
            }
            Output::Forget { guild } => drop(self.halves.remove(&guild)),
            Output::CheckRoom { guild, channel, .. } => {
                let at = self.soon();
                self.later.push((at, Later::Room(guild, channel)));
            }
            Output::LookUp { guild, user } => self.look_up(guild, user),
            Output::Answer { ticket, .. } => {
                assert!(self.open_tickets.remove(&ticket), "{ticket:?} was answered twice");
            }
            Output::Tell { .. } | Output::AskToSpeak { .. } | Output::Record(_) => {}
        }
    }

    /// At most one lookup at a time, 32 in 10 seconds, and 4 guilds.
    fn look_up(&mut self, guild: GuildId, user: UserId) {
        assert_eq!(self.open_lookups, 0, "one lookup at a time");
        self.open_lookups += 1;
        let now = self.now;
        self.lookups.retain(|(at, _)| now.since(*at) < Duration::from_secs(10));
        self.lookups.push_back((now, guild));
        // The end of one run and the beginning of the next may fall into the same ten seconds.
        assert!(self.lookups.len() <= 2 * 32, "{} lookups in 10 s", self.lookups.len());
        let at = self.soon();
        self.later.push((at, Later::Lookup(guild, user)));
    }

    fn collect(&mut self, guild: GuildId, generation: Generation) {
        self.halves.insert(guild, Halves { generation, session_id: None, token: None });
    }

    fn feed(&mut self, guild: GuildId, generation: Generation, half: Half) {
        use secrecy::ExposeSecret as _;
        let halves = self.halves.get_mut(&guild).filter(|one| one.generation == generation);
        let Some(halves) = halves else { return };
        match half {
            Half::State { session_id, .. } => halves.session_id = Some(session_id),
            Half::Server { token, .. } => halves.token = Some(token.expose_secret().to_owned()),
        }
        let (Some(session_id), Some(token)) = (halves.session_id.clone(), halves.token.clone())
        else {
            return;
        };
        self.halves.remove(&guild);
        let endpoint = "voice.example:443".to_owned();
        let connection = Connection { session_id, endpoint, token: token.into() };
        self.presence.handle_connection(self.now, guild, generation, Ok(connection));
    }

    /// Nothing is under way, and nobody waits.
    pub(crate) fn assert_quiet(&self) {
        assert!(self.open_tickets.is_empty(), "never answered: {:?}", self.open_tickets);
    }
}

fn state(
    guild: GuildId,
    user: UserId,
    channel: Option<ChannelId>,
    session_id: String,
) -> VoiceGatewayEvent {
    let suppressed = false;
    VoiceGatewayEvent::State(VoiceStateChange { guild, user, channel, session_id, suppressed })
}
