//! The channel: server, members and the call under test, driven through virtual time.
//!
//! Websocket messages keep their order per user and direction, each with a delay of its own;
//! datagrams overtake them and each other. Single-threaded: the same seed gives the same run, but
//! for MLS, which takes the system's randomness.

use std::{collections::BTreeMap, time::Duration};

use clawvoice_session::SessionTime;
use localcord::voice::dave::{DaveError, Message};
use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::{
    Settings, SimulationError,
    agenda::Agenda,
    churn::{self, Allowed, Happening, SPEAKERS, VISITORS},
    ledger::{Hearing, Ledger},
    member::{Answer, Member, Sending},
    oracle::Oracle,
    packet::Label,
    report::Report,
    seat::{self, BOT, CHANNEL, Means, Piece, Post, Request, Seat, Wire, Wish},
    server::{Entering, Server, Told},
    tone::{Said, Tones},
};

const FRAME: Duration = Duration::from_millis(20);
/// Opus silence, which ends a talkspurt, unencrypted.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
/// What a datagram takes from a member to the server, and again to the call; the spread of both
/// stays below the 60 ms for which order is restored.
const UDP_MICROS: std::ops::Range<u64> = 2_000..25_000;
const WEBSOCKET_MICROS: std::ops::Range<u64> = 3_000..45_000;
/// Happenings between two calms, and how long these last: longer than any recovery.
const STORM: u64 = 150;
const CALM: Duration = Duration::from_secs(9);
/// At the end of a calm everybody who speaks is heard at least this often.
const ALIVE: Duration = Duration::from_millis(500);

enum Entry {
    Enter(u64),
    CallEnters,
    TakePart { user: u64, stay: u64 },
    Speak { user: u64, stay: u64 },
    Announce { user: u64, ssrc: u32 },
    ToMember { user: u64, stay: u64, message: Message, entering: Option<Entering> },
    FromMember { user: u64, stay: u64, answer: Answer },
    AtServer(Flight),
    AtCall { life: u32, flight: Flight, datagram: Vec<u8> },
    Discovered { life: u32, answer: Vec<u8> },
    Opened { life: u32, link: u32 },
    ToCall { life: u32, link: u32, post: Post },
    FromCall { life: u32, wire: Wire },
    Churn,
    CalmIsOver,
}

/// A voice packet on its way.
#[derive(Clone)]
struct Flight {
    user: u64,
    label: Label,
    media: Vec<u8>,
    /// The number of the frame in it; silence has none.
    number: Option<u64>,
}

/// A member and its microphone.
struct Speaker {
    stay: u64,
    member: Member,
    ssrc: u32,
    first_ssrc: bool,
    /// Whether op 5 was sent for this SSRC, or will be, or deliberately not.
    introduced: bool,
    sequence: u16,
    timestamp: u32,
    /// Frames left of a visitor's talkspurt; negative: of its pause.
    talk: i32,
    silences: u8,
    withholds: bool,
}

/// See the module's documentation.
pub(crate) struct Channel {
    settings: Settings,
    now: SessionTime,
    rng: SmallRng,
    agenda: Agenda<Entry>,
    tones: Tones,
    server: Server,
    speakers: BTreeMap<u64, Speaker>,
    seat: Option<Seat>,
    lives: u32,
    socket_open: bool,
    oracle: Oracle,
    ledger: Ledger,
    report: Report,
    /// When the last message on a websocket arrives, by user and direction.
    arrivals: BTreeMap<(u64, bool), SessionTime>,
    last_heard: BTreeMap<u64, SessionTime>,
    damage: bool,
    damaged: u64,
    recovered: u64,
    repeat: bool,
    storm: u64,
    over: bool,
}

impl Channel {
    pub(crate) fn new(settings: Settings) -> Result<Self, SimulationError> {
        let mut agenda = Agenda::new();
        let mut rng = SmallRng::seed_from_u64(settings.seed);
        for user in SPEAKERS {
            agenda.add(SessionTime::from_millis(rng.random_range(0..300)), Entry::Enter(user));
        }
        agenda.add(SessionTime::from_millis(rng.random_range(0..2_000)), Entry::CallEnters);
        agenda.add(SessionTime::from_millis(3_000), Entry::Churn);
        Ok(Self {
            settings,
            now: SessionTime::ZERO,
            rng,
            agenda,
            tones: Tones::new()?,
            server: Server::new(CHANNEL)?,
            speakers: BTreeMap::new(),
            seat: None,
            lives: 0,
            socket_open: false,
            oracle: Oracle::default(),
            ledger: Ledger::default(),
            report: Report::new(settings.seed),
            arrivals: BTreeMap::new(),
            last_heard: BTreeMap::new(),
            damage: false,
            damaged: 0,
            recovered: 0,
            repeat: false,
            storm: 0,
            over: false,
        })
    }

    /// Runs until everything has happened and settled.
    pub(crate) fn run(mut self) -> Result<Report, SimulationError> {
        while !self.over {
            let calls = self.seat.as_ref().and_then(|seat| seat.call.poll_timeout());
            let group = self.server.poll_timeout().map(SessionTime::from_millis);
            let due = [calls.map(|(at, _)| at), group, self.agenda.due()];
            let Some(at) = due.into_iter().flatten().min() else { break };
            self.now = self.now.max(at);
            if self.agenda.due().is_some_and(|at| at <= self.now) {
                if let Some(entry) = self.agenda.take() {
                    self.handle(entry)?;
                }
            } else if group.is_some_and(|at| at <= self.now) {
                self.server.handle_timeout(self.now.as_millis())?;
            } else {
                self.attend(|seat, now| seat.call.handle_timeout(now, &mut seat.ear));
            }
            self.spread();
        }
        self.conclude();
        Ok(self.report)
    }

    fn handle(&mut self, entry: Entry) -> Result<(), SimulationError> {
        match entry {
            Entry::Enter(user) => self.enter(user),
            Entry::CallEnters => self.call_enters(),
            Entry::TakePart { user, stay } => self.take_part(user, stay)?,
            Entry::Speak { user, stay } => self.speak(user, stay)?,
            Entry::Announce { user, ssrc } => {
                if self.server.presence(user).is_some_and(|presence| presence.ssrc == ssrc) {
                    self.server.announce(user);
                }
            }
            Entry::ToMember { user, stay, message, entering } => {
                let Some(speaker) = self.speakers.get_mut(&user).filter(|s| s.stay == stay) else {
                    return Ok(());
                };
                let answers = speaker.member.handle(&message, entering.as_ref())?;
                self.answer(user, stay, answers);
            }
            Entry::FromMember { user, stay, answer } => {
                if self.server.presence(user).is_some_and(|presence| presence.stay == stay) {
                    self.server_hears(user, &answer)?;
                }
            }
            Entry::AtServer(flight) => self.forward(flight)?,
            Entry::AtCall { life, flight, mut datagram } => {
                if !self.is_alive(life) {
                    return Ok(());
                }
                // Nothing can be opened before op 4; what comes earlier has not arrived.
                if self.oracle.has_session() {
                    let plain_taken = self.oracle.takes_plain(self.now);
                    let Flight { user, label, number, .. } = flight;
                    let id = number.map(|number| (user, number));
                    self.ledger.arrive(self.now, (label.ssrc, label.sequence), id, plain_taken);
                }
                self.attend(|seat, now| {
                    seat.call.handle_datagram(now, &mut datagram, &mut seat.ear);
                });
            }
            Entry::Discovered { life, mut answer } => {
                if self.is_alive(life) {
                    self.attend(|seat, now| {
                        seat.call.handle_datagram(now, &mut answer, &mut seat.ear);
                    });
                }
            }
            Entry::Opened { life, link } => {
                if self.is_alive(life) && self.seat.as_ref().is_some_and(|seat| seat.link == link) {
                    self.socket_open = true;
                    self.post(Seat::hello());
                    self.attend(|seat, now| seat.call.handle_gateway_opened(now));
                }
            }
            Entry::ToCall { life, link, post } => self.deliver(life, link, post),
            Entry::FromCall { life, wire } => {
                if self.is_alive(life) {
                    self.serve(&wire)?;
                }
            }
            Entry::Churn => self.churn()?,
            Entry::CalmIsOver => self.calm_is_over(),
        }
        Ok(())
    }

    fn is_alive(&self, life: u32) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.life == life)
    }

    fn delay(&mut self, micros: std::ops::Range<u64>) -> Duration {
        Duration::from_micros(self.rng.random_range(micros))
    }

    /// When a message that is sent now arrives: not before the one sent before it.
    fn arrival(&mut self, user: u64, inward: bool) -> SessionTime {
        let at = self.now + self.delay(WEBSOCKET_MICROS);
        let last = self.arrivals.entry((user, inward)).or_default();
        *last = at.max(*last);
        *last
    }

    // Members

    fn enter(&mut self, user: u64) {
        if self.server.presence(user).is_some() {
            return;
        }
        let presence = self.server.enter(user);
        let at = self.now + self.delay(10_000..60_000);
        self.agenda.add(at, Entry::TakePart { user, stay: presence.stay });
    }

    fn take_part(&mut self, user: u64, stay: u64) -> Result<(), SimulationError> {
        let Some(presence) = self.server.presence(user).copied().filter(|p| p.stay == stay) else {
            return Ok(());
        };
        let speaker = Speaker {
            stay,
            member: Member::new(user, CHANNEL, self.server.protocol_version())?,
            ssrc: presence.ssrc,
            first_ssrc: true,
            introduced: false,
            sequence: self.rng.random(),
            timestamp: self.rng.random(),
            talk: i32::MAX,
            silences: 0,
            withholds: false,
        };
        self.speakers.insert(user, speaker);
        self.server.take_part(self.now.as_millis(), user)?;
        let at = self.now + self.delay(0..20_000);
        self.agenda.add(at, Entry::Speak { user, stay });
        Ok(())
    }

    fn leave(&mut self, user: u64) -> Result<(), SimulationError> {
        self.speakers.remove(&user);
        self.server.leave(self.now.as_millis(), user)?;
        Ok(())
    }

    fn answer(&mut self, user: u64, stay: u64, answers: Vec<Answer>) {
        for answer in answers {
            if matches!(answer, Answer::Ready(_))
                && let Some(speaker) = self.speakers.get_mut(&user)
                && std::mem::take(&mut speaker.withholds)
            {
                continue;
            }
            let at = self.arrival(user, false);
            self.agenda.add(at, Entry::FromMember { user, stay, answer });
        }
    }

    fn server_hears(&mut self, user: u64, answer: &Answer) -> Result<(), SimulationError> {
        match self.server.answer(self.now.as_millis(), user, answer) {
            // Left meanwhile.
            Err(DaveError::NotInCall(_)) | Ok(()) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Every 20 ms: a frame, or silence behind the last, or nothing.
    fn speak(&mut self, user: u64, stay: u64) -> Result<(), SimulationError> {
        let Some(speaker) = self.speakers.get_mut(&user).filter(|s| s.stay == stay) else {
            return Ok(());
        };
        self.agenda.add(self.now + FRAME, Entry::Speak { user, stay });
        speaker.timestamp = speaker.timestamp.wrapping_add(960);
        if VISITORS.contains(&user) {
            speaker.talk = match speaker.talk {
                i32::MAX | -1 => {
                    speaker.silences = 0;
                    self.rng.random_range(5..120)
                }
                1 => {
                    speaker.silences = 5;
                    -self.rng.random_range(5..60)
                }
                talking @ 2.. => talking - 1,
                pausing => pausing + 1,
            };
        }
        let sending = speaker.member.sending();
        if sending == Sending::Nothing {
            return Ok(());
        }
        let label =
            Label { ssrc: speaker.ssrc, sequence: speaker.sequence, timestamp: speaker.timestamp };
        let (media, number) = if speaker.talk < 0 {
            if speaker.silences == 0 {
                return Ok(());
            }
            speaker.silences -= 1;
            (SILENCE.to_vec(), None)
        } else {
            let opus = self.tones.packet(voice_of(user), self.ledger.next(user))?;
            let Some(media) = speaker.member.protect(&opus)? else { return Ok(()) };
            let ssrc = (speaker.ssrc, speaker.first_ssrc);
            self.report.frames.sent += 1;
            (media, Some(self.ledger.send(self.now, (user, stay), ssrc, sending)))
        };
        speaker.sequence = speaker.sequence.wrapping_add(1);
        if !std::mem::replace(&mut speaker.introduced, true) {
            self.introduce(user);
        }
        if self.rng.random_bool(self.settings.loss) {
            self.report.frames.lost_by_network += u64::from(number.is_some());
            return Ok(());
        }
        let at = self.now + self.delay(UDP_MICROS);
        self.agenda.add(at, Entry::AtServer(Flight { user, label, media, number }));
        Ok(())
    }

    /// Op 5 of a new SSRC: in time, late, twice, or never.
    fn introduce(&mut self, user: u64) {
        let Some(speaker) = self.speakers.get(&user) else { return };
        let (ssrc, first) = (speaker.ssrc, speaker.first_ssrc);
        let late = match self.rng.random_range(0..20) {
            0..14 => None,
            14 | 15 if first => {
                self.report.note(self.now, || format!("{user} is not announced as {ssrc}"));
                return;
            }
            16 => Some(20),
            _ => Some(self.rng.random_range(100..1_500)),
        };
        if late.is_none_or(|late| late == 20) {
            self.agenda.add(self.now, Entry::Announce { user, ssrc });
        }
        if let Some(late) = late {
            let at = self.now + Duration::from_millis(late);
            self.agenda.add(at, Entry::Announce { user, ssrc });
        }
    }

    /// What the server does with a member's packet.
    fn forward(&mut self, flight: Flight) -> Result<(), SimulationError> {
        let ssrc = flight.label.ssrc;
        let owns = self.server.presence(flight.user).is_some_and(|presence| presence.ssrc == ssrc);
        let present = self.server.presence(BOT).is_some();
        let (Some(seat), true) = (self.seat.as_mut().filter(|s| s.media), owns && present) else {
            return Ok(());
        };
        let life = seat.life;
        let copies = if self.rng.random_bool(self.settings.duplicates) { 2 } else { 1 };
        for _ in 0..copies {
            let datagram = seat.sealer.seal(&mut self.rng, flight.label, &flight.media)?;
            let delay = Duration::from_micros(self.rng.random_range(UDP_MICROS));
            let entry = Entry::AtCall { life, flight: flight.clone(), datagram };
            self.agenda.add(self.now + delay, entry);
        }
        Ok(())
    }

    // The server's messages

    /// Sends on what the server has to say.
    fn spread(&mut self) {
        for (user, told) in self.server.take_told() {
            if user == BOT {
                self.tell_call(&told);
            } else if let Told::Dave { message, entering } = told
                && let Some(presence) = self.server.presence(user)
            {
                let stay = presence.stay;
                let at = self.arrival(user, true);
                self.agenda.add(at, Entry::ToMember { user, stay, message, entering });
            }
        }
    }

    fn tell_call(&mut self, told: &Told) {
        let is_dave = matches!(told, Told::Dave { .. });
        let leads = matches!(told, Told::Dave { entering: Some(_), .. });
        let damaged = leads && std::mem::take(&mut self.damage);
        let repeated = is_dave && !damaged && std::mem::take(&mut self.repeat);
        self.damaged += u64::from(damaged);
        for _ in 0..=u8::from(repeated) {
            let Some(seat) = &mut self.seat else { return };
            let post = seat.tell(told, damaged);
            self.post(post);
        }
    }

    /// Puts a message on the call's websocket. Without one, or before the call has said whose it
    /// is, what has a number is only kept.
    fn post(&mut self, post: Post) {
        let Some(seat) = &self.seat else { return };
        let ready = if post.numbered { seat.linked } else { self.socket_open };
        if !ready {
            return;
        }
        let (life, link) = (seat.life, seat.link);
        let at = self.arrival(BOT, true);
        self.agenda.add(at, Entry::ToCall { life, link, post });
    }

    // The call

    fn call_enters(&mut self) {
        self.lives += 1;
        self.socket_open = false;
        self.oracle = Oracle::default();
        self.seat = Some(Seat::new(self.now, self.lives, self.rng.random()));
        self.attend(|_, _| ());
    }

    fn call_leaves(&mut self) -> Result<(), SimulationError> {
        self.attend(|seat, now| seat.call.close(now));
        self.ledger.forget(&mut self.oracle, &mut self.report.frames);
        self.take_stats();
        self.seat = None;
        self.server.leave(self.now.as_millis(), BOT)?;
        let at = self.now + self.delay(100_000..600_000);
        self.agenda.add(at, Entry::CallEnters);
        Ok(())
    }

    fn take_stats(&mut self) {
        let Some(seat) = &self.seat else { return };
        let stats = seat.call.stats();
        self.report.epochs += stats.gateway.epochs;
        self.report.transitions += stats.gateway.transitions;
        self.report.recoveries += stats.gateway.recoveries;
        let explained = stats.total.explained() + seat.call.packets_in_flight() as u64;
        if stats.total.received != explained {
            let total = stats.total;
            self.report.fail(self.now, || format!("packets without a fate: {total:?}"));
        }
    }

    fn deliver(&mut self, life: u32, link: u32, post: Post) {
        let current = |seat: &Seat| seat.life == life && seat.link == link;
        if !self.seat.as_ref().is_some_and(current) {
            return;
        }
        match &post.means {
            Means::Nothing => {}
            Means::Description(version) => self.oracle.described(*version),
            Means::Told(told, usable) => {
                self.oracle.told(self.now, told, *usable);
                self.report.note(self.now, || match told {
                    Told::Dave { message, entering: Some(entering) } => {
                        let Entering { key, members } = entering;
                        let usable = if *usable { "" } else { ", garbled" };
                        format!("call gets {message:?} to {key} {members:?}{usable}")
                    }
                    Told::Dave { message, .. } => format!("call gets {message:?}"),
                    other => format!("call gets {other:?}"),
                });
            }
        }
        self.attend(|seat, now| match &post.wire {
            Wire::Text(text) => seat.call.handle_gateway_text(now, text),
            Wire::Binary(bytes) => seat.call.handle_gateway_binary(now, bytes, &mut seat.ear),
        });
    }

    /// Gives the call an input, and sees to what it hears and wants.
    fn attend(&mut self, input: impl FnOnce(&mut Seat, SessionTime)) {
        let Some(seat) = &mut self.seat else { return };
        let made_up = |seat: &Seat| seat.call.stats().total.concealed + seat.call.stats().total.fec;
        let before = made_up(seat);
        input(seat, self.now);
        let concealed = made_up(seat) - before;
        let pieces = std::mem::take(&mut seat.ear.pieces);
        let unannounced = std::mem::take(&mut seat.ear.unannounced);
        let mut wishes = Vec::new();
        while let Some(wish) = seat.poll_wish() {
            wishes.push(wish);
        }
        for user in unannounced {
            self.report.fail(self.now, || format!("{user} is heard without having begun to speak"));
        }
        self.hear(pieces, concealed);
        for wish in wishes {
            self.grant(wish);
        }
    }

    fn hear(&mut self, pieces: Vec<(u64, Piece)>, mut concealed: u64) {
        let now = self.now;
        self.report.frames.concealed += concealed;
        for (user, piece) in pieces {
            let said = match piece {
                Piece::Quiet => continue,
                Piece::Frame(said) => said,
                Piece::Unclear if concealed > 0 => {
                    concealed -= 1;
                    continue;
                }
                Piece::Unclear => {
                    self.report.frames.unknown += 1;
                    self.report.fail(now, || format!("{user} is heard with what nobody said"));
                    continue;
                }
            };
            let speaker = user_of(said.voice);
            if speaker != user && !self.may_be_mistaken(speaker, said) {
                self.report.frames.wrong_user += 1;
                self.report.fail(now, || format!("{speaker} is heard as {user}"));
            }
            match self.ledger.hear(now, speaker, said) {
                Hearing::New => {
                    self.last_heard.insert(user, now);
                }
                _ if concealed > 0 => concealed -= 1,
                Hearing::Again => {
                    self.report.frames.repeated += 1;
                    self.report.fail(now, || format!("{user}: {said:?} is heard twice"));
                }
                Hearing::Unknown => {
                    self.report.frames.unknown += 1;
                    self.report.fail(now, || format!("{user}: {said:?} was never sent"));
                }
            }
        }
        for (number, frame, arrived) in
            self.ledger.settle(now, &mut self.oracle, &mut self.report.frames)
        {
            let around = self.ledger.around(frame.user, number);
            self.report.fail(now, || {
                format!(
                    "{}'s frame {number} is lost, arrived {} µs, stay {}; \
                     around it (SSRC, protection, µs of arrival and hearing):{around}",
                    frame.user,
                    arrived.as_micros(),
                    frame.stay,
                )
            });
        }
    }

    /// Whether nobody can tell whose this speech of the user is: op 5 named another one, and there
    /// is no key to contradict it.
    fn may_be_mistaken(&self, user: u64, said: Said) -> bool {
        self.ledger.frame(user, said).is_some_and(|frame| {
            frame.sending == Sending::Plain && self.oracle.is_misnamed(frame.ssrc, user)
        })
    }

    fn grant(&mut self, wish: Wish) {
        let Some(seat) = &mut self.seat else { return };
        let (life, link) = (seat.life, seat.link);
        match wish {
            Wish::Connect => {
                seat.link += 1;
                let link = seat.link;
                self.socket_open = false;
                let at = self.now + self.delay(5_000..200_000);
                self.agenda.add(at, Entry::Opened { life, link });
            }
            Wish::Send(wire) => {
                if self.socket_open {
                    let at = self.arrival(BOT, false);
                    self.agenda.add(at, Entry::FromCall { life, wire });
                }
            }
            Wish::Close => {
                seat.linked = false;
                seat.link = link + 1;
                self.socket_open = false;
            }
            Wish::Discover(request) => {
                if let Some(answer) = seat::discovered(&request) {
                    let at = self.now + self.delay(UDP_MICROS);
                    self.agenda.add(at, Entry::Discovered { life, answer });
                }
            }
            Wish::Recovered(transition) => {
                self.oracle.started_over();
                self.recovered += 1;
                self.report.note(self.now, || format!("call recovers from {transition}"));
                if self.recovered > self.damaged {
                    self.report.fail(self.now, || "the call recovers for no reason".to_owned());
                }
            }
            Wish::Ended(why) => self.report.fail(self.now, || format!("the call ended: {why}")),
        }
    }

    /// What the server does with a message of the call.
    fn serve(&mut self, wire: &Wire) -> Result<(), SimulationError> {
        let Some(seat) = &mut self.seat else { return Ok(()) };
        match seat::read(wire) {
            Request::Identify => {
                seat.linked = true;
                let presence = self.server.enter(BOT);
                let post = seat.ready(presence.ssrc);
                self.post(post);
            }
            Request::Select => {
                seat.media = true;
                let post = seat.description(self.server.protocol_version());
                self.post(post);
                self.server.take_part(self.now.as_millis(), BOT)?;
            }
            Request::Heartbeat(nonce) => self.post(Seat::heartbeat_ack(&nonce)),
            Request::Resume(acknowledged) => {
                seat.linked = true;
                let missed = seat.missed(acknowledged);
                self.report.note(self.now, || format!("call resumes, missed {}", missed.len()));
                self.post(Seat::resumed());
                missed.into_iter().for_each(|post| self.post(post));
            }
            Request::Dave(answer) => {
                if self.server.presence(BOT).is_some() {
                    self.server_hears(BOT, &answer)?;
                }
            }
            Request::Other => {}
        }
        Ok(())
    }

    // What happens

    fn churn(&mut self) -> Result<(), SimulationError> {
        if self.report.total_events() >= self.settings.events || self.storm >= STORM {
            self.storm = 0;
            self.report.note(self.now, || "calm".to_owned());
            self.agenda.add(self.now + CALM, Entry::CalmIsOver);
            return Ok(());
        }
        let pause = churn::pause(&mut self.rng);
        self.agenda.add(self.now + pause, Entry::Churn);
        let allowed =
            Allowed { plaintext: self.settings.plaintext, misnaming: self.settings.misnaming };
        let present: Vec<u64> = self.server.users().filter(|user| *user != BOT).collect();
        let plain = self.server.protocol_version() == 0;
        if let Some(happening) = churn::next(&mut self.rng, allowed, &present, plain) {
            self.happen(happening)?;
        }
        Ok(())
    }

    fn happen(&mut self, happening: Happening) -> Result<(), SimulationError> {
        let settled = self.seat.as_ref().is_some_and(|seat| seat.linked && seat.media);
        let needs_call = matches!(happening, Happening::LoseWebsocket | Happening::CallRejoins);
        if needs_call && !settled {
            return Ok(());
        }
        *self.report.events.entry(happening.name()).or_default() += happening.weight();
        self.storm += happening.weight();
        self.report.note(self.now, || format!("{happening:?}"));
        match happening {
            Happening::Join(users) => users.into_iter().for_each(|user| {
                let at = self.now + self.delay(0..25_000);
                self.agenda.add(at, Entry::Enter(user));
            }),
            Happening::Leave(users) => {
                for user in users {
                    self.leave(user)?;
                }
            }
            Happening::Rejoin(user) => {
                self.leave(user)?;
                let at = self.now + self.delay(1_000..50_000);
                self.agenda.add(at, Entry::Enter(user));
            }
            Happening::Everybody => {
                let users: Vec<u64> = self.server.users().filter(|user| *user != BOT).collect();
                for user in users {
                    self.leave(user)?;
                }
                for user in SPEAKERS {
                    let at = self.now + self.delay(5_000..1_500_000);
                    self.agenda.add(at, Entry::Enter(user));
                }
            }
            Happening::ChangeVersion => {
                self.server.change_version(self.now.as_millis())?;
            }
            Happening::Recover(user) => {
                if let Some(speaker) = self.speakers.get_mut(&user)
                    && matches!(speaker.member.sending(), Sending::With(_))
                {
                    let (stay, answers) = (speaker.stay, speaker.member.recover()?);
                    self.answer(user, stay, answers);
                }
            }
            Happening::Withhold(user) => {
                if let Some(speaker) = self.speakers.get_mut(&user) {
                    speaker.withholds = true;
                }
            }
            Happening::ChangeSsrc(user) => {
                if let Some(speaker) = self.speakers.get_mut(&user)
                    && let Some(ssrc) = self.server.change_ssrc(user)
                {
                    speaker.ssrc = ssrc;
                    speaker.first_ssrc = false;
                    speaker.introduced = false;
                    speaker.sequence = self.rng.random();
                    speaker.timestamp = self.rng.random();
                }
            }
            Happening::Lag(lag) => {
                let last = self.arrivals.entry((BOT, true)).or_default();
                *last = (*last).max(self.now + lag);
            }
            Happening::Repeat => self.repeat = true,
            Happening::Damage => self.damage = true,
            Happening::LoseWebsocket => self.lose_websocket(),
            Happening::CallRejoins => self.call_leaves()?,
            Happening::Misname { ssrc_of, named } => {
                if let Some(presence) = self.server.presence(ssrc_of) {
                    self.tell_call(&Told::Speaking { user: named, ssrc: presence.ssrc });
                }
            }
        }
        Ok(())
    }

    fn lose_websocket(&mut self) {
        let code = [None, Some(1_006), Some(4_015)][self.rng.random_range(0..3)];
        if let Some(seat) = &mut self.seat {
            seat.linked = false;
            seat.link += 1;
        }
        self.socket_open = false;
        self.attend(|seat, now| seat.call.handle_gateway_closed(now, code));
    }

    /// Nothing has happened for a while: everybody who speaks is heard.
    fn calm_is_over(&mut self) {
        for user in SPEAKERS {
            let sending = self.speakers.get(&user).map(|speaker| speaker.member.sending());
            let heard = self.last_heard.get(&user).copied().unwrap_or_default();
            let nameless = self.speakers.get(&user).is_some_and(|speaker| {
                speaker.member.sending() == Sending::Plain
                    && (self.oracle.is_misnamed(speaker.ssrc, user)
                        || !self.oracle.is_named(speaker.ssrc, user))
            });
            if self.now.since(heard) > ALIVE && !nameless {
                self.report.fail(self.now, || {
                    format!("{user} is not heard any more, sending {sending:?}")
                });
            }
        }
        if self.report.total_events() >= self.settings.events {
            self.over = true;
        } else {
            self.agenda.add(self.now, Entry::Churn);
        }
    }

    fn conclude(&mut self) {
        self.take_stats();
        self.report.virtual_s = self.now.as_micros() as f64 / 1e6;
    }
}

fn voice_of(user: u64) -> usize {
    (user - SPEAKERS[0]) as usize
}

fn user_of(voice: usize) -> u64 {
    SPEAKERS[0] + voice as u64
}
