//! 24 hours of conversation in virtual time: one whole session and the local provider's machine.
//!
//! People come and go with a new user and a new SSRC each, speak in turns, interrupt the answers and
//! one another; a packet in a hundred is lost; the websocket is lost and resumed; the voice server
//! moves. The transport is encrypted, the call is not end to end (DAVE version 0): the group has its
//! own day in `tests/simulation`.
//!
//! What the provider's machine holds is subtracted: it is the far side, and keeps conversations. The
//! names of users, which a conversation keeps up to a limit, are filled up to it first and are not
//! counted: with thousands of strangers they alone would grow for more than a day.
//!
//! A sample is taken once a minute, at the first moment when nobody has spoken for a while: what
//! an answer under way holds depends on how long it is, and is gone with it.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{Range, RangeInclusive},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use clawvoice_session::{ChannelId, Generation, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::{CallSettings, CallStats, DECRYPTION_FAILURE_TOLERANCE},
    conversation::{ConversationSettings, Lane},
    realtime::{
        Closed,
        local::{self, Behaviour, LocalSession},
    },
    session::{GatewayEvent, Output, ProviderEvent, VoiceSession},
    wire::{
        aead::{Mode, OVERHEAD, Transport},
        discovery,
        rtp::{self, HEADER_BYTES},
    },
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde::Serialize;
use serde_json::{Value, json};

use super::heap;
use crate::{
    report::{self, Table, rounded},
    speech::{self, Coding},
};

const HOURS: u64 = 24;
/// Hours from 1 whose mean is what the last ones are compared with.
const FIRST: RangeInclusive<u64> = 2..=7;
const LAST: RangeInclusive<u64> = 19..=24;
const FLAT_PERCENT: f64 = 2.0;
/// By the C library, whose rounding of the provider's megabytes varies.
const ALL_FLAT_PERCENT: f64 = 10.0;
/// Of the time, somebody speaks.
const TALK_SHARE: f64 = 0.25;
const TURN_MS: Range<u64> = 1_000..7_000;
/// Of the turns begin while the one before is answered.
const INTERRUPTIONS: f64 = 0.2;
/// Of the turns begin in two mouths.
const OVERLAPS: f64 = 0.1;
const LOSS: f64 = 0.01;
/// Between two arrivals or departures, the mean.
const CHURN_MS: u64 = 12_000;
/// Few either way, so that no hour holds more for being better attended.
const FEWEST: usize = 4;
const MOST: usize = 6;
/// Without a packet in either direction, nobody speaks.
const QUIET: Duration = Duration::from_secs(3);
const CUTS_PER_HOUR: u64 = 3;
/// From the loss of a websocket to the next one's opening.
const DIAL_MS: u64 = 200;
const FRAME_MS: u64 = 20;
/// What ends every talkspurt.
const SILENCE: [u8; 3] = [0xF8, 0xFF, 0xFE];
const SILENCES: u32 = 5;
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const BOT: u64 = 9;
/// As many as a conversation keeps.
const NAMES: u64 = 4_096;
const OWN_SSRC: u32 = 100;
const KEY: [u8; 32] = [7; 32];
const MODE: Mode = Mode::Aes256Gcm;
/// Calls of `handle_timeout` for one moment beyond which it is a loop.
const SPINS: u32 = 10_000;

/// One hour.
#[derive(Clone, Debug, Default, Serialize)]
struct Hour {
    hour: u64,
    /// Means of a sample a minute. What the session has allocated in Rust, to the byte.
    live_kib: f64,
    /// The same by the C library: libopus included, and how it rounds the provider's blocks.
    all_kib: f64,
    provider_kib: f64,
    people: f64,
    lanes: f64,
    /// Speakers with counters, at most.
    speakers: usize,
    #[serde(flatten)]
    tally: Tally,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Tally {
    outputs: u64,
    records: u64,
    joins: u64,
    leaves: u64,
    turns: u64,
    packets: u64,
    lost: u64,
    delivered: u64,
    /// Made up for or rebuilt.
    concealed: u64,
    /// Packets that no fate explains when a connection is over, or that failed.
    amiss: u64,
    answer_frames: u64,
    barge_ins: u64,
    cuts: u64,
    resumes: u64,
    moves: u64,
    provider_reconnects: u64,
}

#[derive(Debug, Serialize)]
struct Section {
    dave_version: u16,
    talk_share: f64,
    /// Of all the names; constant, and not in the figures below.
    names_kib: f64,
    seconds: f64,
    first_mean_kib: f64,
    last_mean_kib: f64,
    change_percent: f64,
    /// By the C library.
    all_change_percent: f64,
    flat: bool,
    by_hour: Vec<Hour>,
}

/// Lives a day, prints and writes.
///
/// # Errors
/// The session ended, or what it holds has grown.
pub(crate) fn measure() -> anyhow::Result<()> {
    let began = Instant::now();
    let mut day = Day::new(speech::packets(Coding::Hybrid, 60)?)?;
    let mut by_hour: Vec<Hour> = Vec::with_capacity(HOURS as usize);
    for hour in 1..=HOURS {
        by_hour.push(day.hour(hour)?);
        let live = by_hour.last().map_or(0.0, |hour| hour.live_kib);
        println!("  hour {hour:2}: {live:8.1} KiB, {:.0} s", began.elapsed().as_secs_f64());
    }
    let mean = |hours: RangeInclusive<u64>, of: fn(&Hour) -> f64| {
        let values = || by_hour.iter().filter(|row| hours.contains(&row.hour)).map(of);
        values().sum::<f64>() / values().count().max(1) as f64
    };
    let live = |row: &Hour| row.live_kib;
    let all = |row: &Hour| row.all_kib;
    let (first, last) = (mean(FIRST, live), mean(LAST, live));
    let all_change_percent = (mean(LAST, all) / mean(FIRST, all) - 1.0) * 100.0;
    let change_percent = (last / first - 1.0) * 100.0;
    let section = Section {
        dave_version: 0,
        talk_share: TALK_SHARE,
        names_kib: day.names_kib,
        seconds: rounded(began.elapsed().as_secs_f64()),
        first_mean_kib: rounded(first),
        last_mean_kib: rounded(last),
        change_percent: rounded(change_percent),
        all_change_percent: rounded(all_change_percent),
        flat: change_percent.abs() <= FLAT_PERCENT && all_change_percent.abs() <= ALL_FLAT_PERCENT,
        by_hour,
    };
    print(&section);
    report::write("soak_virtual", &section)?;
    let amiss: u64 = section.by_hour.iter().map(|hour| hour.tally.amiss).sum();
    ensure!(amiss == 0, "{amiss} packets failed or are unexplained");
    ensure!(section.flat, "not flat: {change_percent:+.2} %, by C {all_change_percent:+.2} %");
    Ok(())
}

/// Somebody in the channel.
struct Person {
    user: u64,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// Op 5 has been said on this connection.
    announced: bool,
    /// When the next packet is due, while speaking.
    next: Option<SessionTime>,
    /// Packets of speech that are left; the silence comes then.
    left: u32,
    silences: u32,
    /// Where in the speech.
    at: usize,
}

/// What is on its way to the session.
enum Inbound {
    GatewayOpened,
    Gateway(String),
    Datagram(Vec<u8>),
    ProviderOpened(Lane),
    Provider(Lane, String),
    ProviderClosed(Lane, u16),
}

struct Day {
    session: VoiceSession,
    now: SessionTime,
    generation: Generation,
    transport: Transport,
    opus: Vec<Vec<u8>>,
    inbox: VecDeque<Inbound>,
    /// When the websocket that is being dialled opens.
    opens: Option<SessionTime>,
    linked: bool,
    /// What the server keeps for a resume.
    unsent: VecDeque<String>,
    lanes: BTreeMap<Lane, LocalSession>,
    lanes_opened: u64,
    /// Bytes that the provider's machine and its messages hold.
    provider: i64,
    /// Bytes of Rust and of everybody that were there before.
    base: (i64, i64),
    names_kib: f64,
    people: Vec<Person>,
    next_person: u32,
    /// Of somebody, or of the bot.
    last_packet: SessionTime,
    next_turn: SessionTime,
    next_churn: SessionTime,
    rng: SmallRng,
    tally: Tally,
}

impl Day {
    fn new(opus: Vec<Vec<u8>>) -> anyhow::Result<Self> {
        let now = SessionTime::ZERO;
        let (guild, channel, bot) = (GuildId::new(1), ChannelId::new(2), UserId::new(BOT));
        let connection = CallSettings {
            guild,
            channel,
            user: bot,
            session_id: "session".into(),
            token: "token".to_owned().into(),
            endpoint: "voice.example:443".into(),
            secure: true,
            dave: true,
            decryption_failure_tolerance: DECRYPTION_FAILURE_TOLERANCE,
            reconnect_grace: clawvoice_voice::call::RECONNECT_GRACE,
            seed: 1,
            udp_fallback: None,
        };
        let in_use = || (heap::live(), heap::in_use().unwrap_or_default());
        let base = in_use();
        let talk = ConversationSettings::new(guild, channel, bot);
        let mut session = VoiceSession::new(connection, talk, now);
        let nameless = in_use();
        for user in 1..=NAMES {
            session.handle_name(UserId::new(user), name_of(1_000_000 + user), false);
        }
        let named = in_use();
        let base = (base.0 + named.0 - nameless.0, base.1 + named.1 - nameless.1);
        let mut day = Self {
            session,
            now,
            generation: Generation::FIRST,
            transport: Transport::new(MODE, &KEY),
            opus,
            inbox: VecDeque::with_capacity(1_024),
            opens: None,
            linked: false,
            unsent: VecDeque::with_capacity(256),
            lanes: BTreeMap::new(),
            lanes_opened: 0,
            provider: 0,
            base,
            names_kib: rounded((named.0 - nameless.0) as f64 / 1_024.0),
            people: Vec::with_capacity(MOST),
            next_person: 0,
            last_packet: now,
            next_turn: SessionTime::from_millis(10_000),
            next_churn: SessionTime::from_millis(1_000),
            rng: SmallRng::seed_from_u64(24),
            tally: Tally::default(),
        };
        day.settle()?;
        Ok(day)
    }

    /// Lives one hour, counted from 1.
    fn hour(&mut self, hour: u64) -> anyhow::Result<Hour> {
        let began = SessionTime::from_millis((hour - 1) * HOUR_MS);
        let end = SessionTime::from_millis(hour * HOUR_MS);
        let before = self.counted();
        let mut row = Hour { hour, ..Hour::default() };
        let mut cuts = (1..=CUTS_PER_HOUR)
            .map(|nth| began + Duration::from_millis(nth * HOUR_MS / (CUTS_PER_HOUR + 1) + 3_333))
            .peekable();
        let mut next_sample = began + Duration::from_millis(MINUTE_MS);
        let (mut samples, mut moved) = (0.0, hour == 1);
        while self.now < end {
            self.now = self.next_event().min(end).max(self.now);
            if cuts.next_if(|at| *at <= self.now).is_some() && self.linked {
                self.cut();
            }
            if !moved && self.now >= began + Duration::from_millis(1_234) {
                moved = true;
                self.move_server();
            }
            self.live()?;
            if self.now >= next_sample && self.now.since(self.last_packet) >= QUIET {
                next_sample += Duration::from_millis(MINUTE_MS);
                samples += 1.0;
                self.sample(&mut row);
            }
        }
        for mean in [
            &mut row.live_kib,
            &mut row.all_kib,
            &mut row.provider_kib,
            &mut row.people,
            &mut row.lanes,
        ] {
            *mean = rounded(*mean / samples);
        }
        row.tally = since(&self.counted(), &before);
        Ok(row)
    }

    fn sample(&self, row: &mut Hour) {
        let rust = heap::live() - self.base.0 - self.provider;
        let all = heap::in_use().map_or(rust, |bytes| bytes - self.base.1 - self.provider);
        row.live_kib += rust as f64 / 1_024.0;
        row.all_kib += all as f64 / 1_024.0;
        row.provider_kib += self.provider as f64 / 1_024.0;
        row.people += self.people.len() as f64;
        row.lanes += self.lanes.len() as f64;
        row.speakers = row.speakers.max(self.session.call_stats().speakers.len());
    }

    /// What happened so far, this connection's counters included.
    fn counted(&self) -> Tally {
        let mut tally = self.tally;
        add_call(&mut tally, self.session.call_stats(), false);
        let talk = self.session.conversation_stats();
        tally.answer_frames = talk.frames_played;
        tally.barge_ins = talk.barge_ins;
        tally.provider_reconnects = talk.reconnects;
        tally
    }

    fn next_event(&self) -> SessionTime {
        let session = self.session.poll_timeout().map(|(at, _)| at);
        let provider = self.lanes.values().filter_map(LocalSession::poll_timeout).map(|(at, _)| at);
        let people = self.people.iter().filter_map(|person| person.next);
        let quiet = Some(self.last_packet + QUIET).filter(|at| *at > self.now);
        let rest = [quiet, Some(self.next_turn), Some(self.next_churn), self.opens, session];
        let all = rest.into_iter().flatten().chain(provider).chain(people);
        all.min().unwrap_or(self.now)
    }

    /// Everything that is due now.
    fn live(&mut self) -> anyhow::Result<()> {
        let now = self.now;
        if self.opens.is_some_and(|at| at <= now) {
            self.opens = None;
            self.inbox.push_back(Inbound::GatewayOpened);
            self.settle()?;
        }
        self.provider_due();
        self.settle()?;
        let mut spins = 0;
        while self.session.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.session.handle_timeout(now);
            self.settle()?;
            spins += 1;
            ensure!(spins < SPINS, "{:?} stays due", self.session.poll_timeout());
        }
        if self.next_churn <= now {
            self.churn();
            self.settle()?;
        }
        if self.next_turn <= now {
            self.begin_turn();
        }
        for at in 0..self.people.len() {
            if self.people[at].next.is_some_and(|next| next <= now) {
                self.speak(at)?;
                self.settle()?;
            }
        }
        Ok(())
    }

    /// Does what the session asks for and hands it what comes of it, until nothing does.
    fn settle(&mut self) -> anyhow::Result<()> {
        loop {
            while let Some(output) = self.session.poll_output() {
                self.tally.outputs += 1;
                self.carry_out(output)?;
            }
            if self.session.poll_media().is_some() {
                self.last_packet = self.now;
            }
            let Some(inbound) = self.inbox.pop_front() else { return Ok(()) };
            let (now, generation) = (self.now, self.generation);
            match inbound {
                Inbound::GatewayOpened => {
                    self.session.handle_gateway(now, generation, GatewayEvent::Opened);
                }
                Inbound::Gateway(text) => {
                    self.session.handle_gateway(now, generation, GatewayEvent::Text(&text));
                }
                Inbound::Datagram(mut datagram) => {
                    self.session.handle_datagram(now, generation, &mut datagram);
                }
                Inbound::ProviderOpened(lane) => {
                    self.session.handle_provider(now, lane, ProviderEvent::Opened);
                }
                Inbound::Provider(lane, text) => {
                    self.session.handle_provider(now, lane, ProviderEvent::Text(&text));
                    self.of_provider(|_| drop(text));
                }
                Inbound::ProviderClosed(lane, code) => {
                    let closed = Closed::Frame { code, reason: String::new() };
                    self.session.handle_provider(now, lane, ProviderEvent::Closed(&closed));
                }
            }
        }
    }

    fn carry_out(&mut self, output: Output) -> anyhow::Result<()> {
        match output {
            Output::ConnectGateway { generation, .. } => {
                self.generation = generation;
                self.linked = false;
                self.opens = Some(self.now + Duration::from_millis(DIAL_MS));
            }
            Output::GatewayText(text) => self.answer_gateway(&text)?,
            // The provider of this day answers by itself: there is no agent, and no other speech.
            Output::Ask(_)
            | Output::Control { .. }
            | Output::CancelRun { .. }
            | Output::Heard { .. }
            | Output::Surround { .. }
            | Output::Note { .. }
            | Output::Trace(_)
            | Output::Transcribe { .. }
            | Output::Synthesize { .. }
            | Output::CancelSynthesis { .. } => {}
            Output::Datagram(bytes) if bytes.len() == discovery::BYTES => {
                self.inbox.push_back(Inbound::Datagram(discovered()));
            }
            Output::OpenProvider { lane } => self.of_provider(|day| day.open_lane(lane)),
            Output::CloseProvider { lane } => self.of_provider(|day| {
                day.lanes.remove(&lane);
            }),
            Output::Provider { lane, message } => self.of_provider(|day| {
                if let Some(provider) = day.lanes.get_mut(&lane) {
                    provider.handle_text(day.now, &message);
                    day.collect(lane);
                }
            }),
            Output::Record(_) => self.tally.records += 1,
            Output::Ended(reason) => bail!("the call ended: {reason}"),
            Output::Failed(failure) => bail!("no front end: {failure:?}"),
            Output::Datagram(_)
            | Output::GatewayBinary(_)
            | Output::CloseGateway { .. }
            | Output::OpenUdp { .. }
            | Output::Ready => {}
        }
        Ok(())
    }

    /// What is allocated and freed meanwhile is the provider's.
    fn of_provider(&mut self, act: impl FnOnce(&mut Self)) {
        let before = heap::live();
        act(self);
        self.provider += heap::live() - before;
    }

    fn open_lane(&mut self, lane: Lane) {
        self.lanes_opened += 1;
        let settings = local::Settings {
            behaviour: Behaviour::Parrot,
            model: "local".into(),
            speed: 4.0,
            voice: local::Voice::Tones,
            record: false,
            id_seed: self.lanes_opened,
            epoch_seconds: self.now.as_millis() / 1_000,
            expires_after: Duration::from_secs(3_600),
        };
        self.lanes.insert(lane, LocalSession::new(settings, self.now));
        self.inbox.push_back(Inbound::ProviderOpened(lane));
        self.collect(lane);
    }

    fn provider_due(&mut self) {
        let due =
            |provider: &LocalSession, now| provider.poll_timeout().is_some_and(|(at, _)| at <= now);
        while let Some(lane) =
            self.lanes.iter().find(|(_, provider)| due(provider, self.now)).map(|(lane, _)| *lane)
        {
            self.of_provider(|day| {
                if let Some(provider) = day.lanes.get_mut(&lane) {
                    provider.handle_timeout(day.now);
                }
                day.collect(lane);
            });
        }
    }

    fn collect(&mut self, lane: Lane) {
        let Some(provider) = self.lanes.get_mut(&lane) else { return };
        while let Some(output) = provider.poll_output() {
            match output {
                local::Output::Text(text) => self.inbox.push_back(Inbound::Provider(lane, text)),
                local::Output::Close { code } => {
                    self.inbox.push_back(Inbound::ProviderClosed(lane, code));
                    self.lanes.remove(&lane);
                    return;
                }
                local::Output::Note(_) => {}
                // Only scripts do, and voices of the owner's.
                local::Output::Fragments(..) | local::Output::Drop | local::Output::Say { .. } => {}
            }
        }
    }

    /// The server's answer to a message.
    fn answer_gateway(&mut self, text: &str) -> anyhow::Result<()> {
        let message: Value = serde_json::from_str(text)?;
        let op = message["op"].as_u64().context("a message without op")?;
        let hello = json!({"op": 8, "d": {"heartbeat_interval": 13_750}});
        match op {
            0 => {
                let ready = json!({
                    "ssrc": OWN_SSRC, "ip": "127.0.0.1", "port": 9, "modes": [MODE.name()],
                });
                self.gateway(&hello);
                self.gateway(&json!({"op": 2, "seq": 0, "d": ready}));
                let users: Vec<String> =
                    self.people.iter().map(|person| person.user.to_string()).collect();
                self.gateway(&json!({"op": 11, "seq": 1, "d": {"user_ids": users}}));
            }
            1 => {
                let description =
                    json!({"mode": MODE.name(), "secret_key": KEY, "dave_protocol_version": 0});
                self.gateway(&json!({"op": 4, "seq": 2, "d": description}));
                self.linked = true;
                self.send_unsent();
            }
            3 => self.gateway(&json!({"op": 6, "d": {"t": message["d"]["t"]}})),
            7 => {
                self.gateway(&hello);
                self.send_unsent();
                self.gateway(&json!({"op": 9, "d": null}));
                self.linked = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn gateway(&mut self, message: &Value) {
        self.inbox.push_back(Inbound::Gateway(message.to_string()));
    }

    /// What the server tells by itself; kept while there is no websocket.
    fn tell(&mut self, message: &Value) {
        match self.linked {
            true => self.gateway(message),
            false => self.unsent.push_back(message.to_string()),
        }
    }

    fn send_unsent(&mut self) {
        self.inbox.extend(self.unsent.drain(..).map(Inbound::Gateway));
    }

    fn cut(&mut self) {
        self.tally.cuts += 1;
        self.linked = false;
        let closed = GatewayEvent::Closed(Some(4_015));
        self.session.handle_gateway(self.now, self.generation, closed);
    }

    fn move_server(&mut self) {
        self.tally.moves += 1;
        let mut tally = self.tally;
        add_call(&mut tally, self.session.call_stats(), true);
        self.tally = tally;
        self.linked = false;
        self.unsent.clear();
        self.transport = Transport::new(MODE, &KEY);
        let endpoint = format!("voice-{}.example:443", self.tally.moves);
        self.session.handle_server_changed(self.now, endpoint, "token".to_owned().into());
        for person in &mut self.people {
            self.next_person += 1;
            person.ssrc = ssrc(self.next_person);
            person.announced = false;
            person.next = None;
        }
        self.next_turn = self.now + Duration::from_secs(2);
    }

    fn churn(&mut self) {
        let wait = self.rng.random_range(CHURN_MS / 5..CHURN_MS * 9 / 5);
        self.next_churn = self.now + Duration::from_millis(wait);
        let comes = match self.people.len() {
            ..=FEWEST => true,
            MOST.. => false,
            _ => self.rng.random_bool(0.5),
        };
        if comes {
            self.tally.joins += 1;
            self.next_person += 1;
            let user = 1_000_000 + u64::from(self.next_person);
            let ssrc = ssrc(self.next_person);
            let (sequence, timestamp) = (self.rng.random(), self.rng.random());
            self.people.push(Person {
                user,
                ssrc,
                sequence,
                timestamp,
                announced: false,
                next: None,
                left: 0,
                silences: 0,
                at: 0,
            });
            self.session.handle_name(UserId::new(user), name_of(user), false);
            self.tell(&json!({"op": 11, "d": {"user_ids": [user.to_string()]}}));
        } else {
            self.tally.leaves += 1;
            let at = self.rng.random_range(0..self.people.len());
            let person = self.people.swap_remove(at);
            self.tell(&json!({"op": 13, "d": {"user_id": person.user.to_string()}}));
        }
    }

    fn begin_turn(&mut self) {
        let length = self.rng.random_range(TURN_MS);
        let mean = (TURN_MS.start + TURN_MS.end) / 2;
        let pause = (mean as f64 * (1.0 / TALK_SHARE - 1.0)) as u64;
        // Short pauses end in an answer; the long ones make up for them.
        let pause = match self.rng.random_bool(INTERRUPTIONS) {
            true => self.rng.random_range(1_500..3_500),
            false => {
                let rest = (pause as f64 - INTERRUPTIONS * 2_500.0) / (1.0 - INTERRUPTIONS);
                self.rng.random_range((rest * 0.5) as u64..(rest * 1.5) as u64)
            }
        };
        self.next_turn = self.now + Duration::from_millis(length + pause);
        let mouths = if self.rng.random_bool(OVERLAPS) { 2 } else { 1 };
        for _ in 0..mouths {
            if self.people.is_empty() {
                return;
            }
            let at = self.rng.random_range(0..self.people.len());
            let from = self.rng.random_range(0..self.opus.len());
            let person = &mut self.people[at];
            if person.next.is_none() {
                self.tally.turns += 1;
                person.next = Some(self.now);
                person.left = (length / FRAME_MS) as u32;
                person.silences = SILENCES;
                person.at = from;
            }
        }
    }

    /// The next packet of somebody.
    fn speak(&mut self, at: usize) -> anyhow::Result<()> {
        let person = &mut self.people[at];
        if !person.announced {
            person.announced = true;
            let said =
                json!({"user_id": person.user.to_string(), "ssrc": person.ssrc, "speaking": 1});
            self.tell(&json!({"op": 5, "d": said}));
        }
        let person = &mut self.people[at];
        let opus: &[u8] = match (person.left, person.silences) {
            (0, 0) => {
                person.next = None;
                return Ok(());
            }
            (0, _) => {
                person.silences -= 1;
                &SILENCE
            }
            _ => {
                person.left -= 1;
                person.at = (person.at + 1) % self.opus.len();
                &self.opus[person.at]
            }
        };
        let end = HEADER_BYTES + opus.len();
        let mut datagram = vec![0; end + OVERHEAD];
        let header = datagram.first_chunk_mut().context("there is room for the header")?;
        rtp::write_header(header, person.sequence, person.timestamp, person.ssrc);
        datagram[HEADER_BYTES..end].copy_from_slice(opus);
        person.sequence = person.sequence.wrapping_add(1);
        person.timestamp = person.timestamp.wrapping_add(rtp::FRAME_UNITS);
        person.next = person.next.map(|next| next + Duration::from_millis(FRAME_MS));
        self.transport.seal(&mut datagram, HEADER_BYTES, end)?;
        self.tally.packets += 1;
        self.last_packet = self.now;
        match self.rng.random_bool(LOSS) {
            true => self.tally.lost += 1,
            false => self.inbox.push_back(Inbound::Datagram(datagram)),
        }
        Ok(())
    }
}

fn name_of(user: u64) -> String {
    format!("person {user}")
}

/// Of a stream, never used before.
fn ssrc(number: u32) -> u32 {
    10_000 + number
}

/// An answer to IP discovery.
fn discovered() -> Vec<u8> {
    let mut answer = vec![0; discovery::BYTES];
    answer[..4].copy_from_slice(&[0, 2, 0, 70]);
    answer[4..8].copy_from_slice(&OWN_SSRC.to_be_bytes());
    answer[8..17].copy_from_slice(b"127.0.0.1");
    answer[72..].copy_from_slice(&50_001_u16.to_be_bytes());
    answer
}

/// Adds a connection's counters; once it is over, also what should not be.
fn add_call(tally: &mut Tally, call: &CallStats, over: bool) {
    let total = &call.total;
    tally.delivered += total.delivered;
    tally.concealed += total.concealed + total.fec + total.silenced;
    tally.resumes += call.gateway.resumes;
    tally.amiss += total.malformed
        + total.transport_failed
        + total.unknown_sender
        + total.undecryptable
        + total.plaintext_refused
        + total.decode_failed;
    // Some may still wait for a lost one before them.
    let open = total.received - total.explained();
    if over && open > 64 {
        tally.amiss += open;
    }
}

fn since(now: &Tally, before: &Tally) -> Tally {
    Tally {
        outputs: now.outputs - before.outputs,
        records: now.records - before.records,
        joins: now.joins - before.joins,
        leaves: now.leaves - before.leaves,
        turns: now.turns - before.turns,
        packets: now.packets - before.packets,
        lost: now.lost - before.lost,
        delivered: now.delivered - before.delivered,
        concealed: now.concealed - before.concealed,
        amiss: now.amiss - before.amiss,
        answer_frames: now.answer_frames - before.answer_frames,
        barge_ins: now.barge_ins - before.barge_ins,
        cuts: now.cuts - before.cuts,
        resumes: now.resumes - before.resumes,
        moves: now.moves - before.moves,
        provider_reconnects: now.provider_reconnects - before.provider_reconnects,
    }
}

fn print(section: &Section) {
    let mut table = Table::new([
        "hour",
        "live KiB",
        "by C",
        "provider",
        "people",
        "lanes",
        "speakers",
        "joins",
        "turns",
        "packets",
        "delivered",
        "made up",
        "amiss",
        "answered",
        "barge-ins",
        "resumes",
        "moves",
        "outputs",
    ]);
    for row in &section.by_hour {
        let tally = &row.tally;
        let counts = [
            tally.joins,
            tally.turns,
            tally.packets,
            tally.delivered,
            tally.concealed,
            tally.amiss,
            tally.answer_frames,
            tally.barge_ins,
            tally.resumes,
            tally.moves,
            tally.outputs,
        ];
        let means = [row.live_kib, row.all_kib, row.provider_kib, row.people, row.lanes];
        let cells = [row.hour.to_string()]
            .into_iter()
            .chain(means.map(|mean| format!("{mean:.1}")))
            .chain([row.speakers.to_string()])
            .chain(counts.map(|count| count.to_string()));
        table.row(cells);
    }
    report::print(&table);
    println!(
        "a day in {:.0} s, beside {:.0} KiB of names: hours {}-{} {:.1} KiB, {}-{} {:.1} KiB, {:+.2} % \
         (by C {:+.2} %): {}",
        section.seconds,
        section.names_kib,
        FIRST.start(),
        FIRST.end(),
        section.first_mean_kib,
        LAST.start(),
        LAST.end(),
        section.last_mean_kib,
        section.change_percent,
        section.all_change_percent,
        if section.flat { "flat" } else { "NOT FLAT" },
    );
}
