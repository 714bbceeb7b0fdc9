//! Where the bot is, under any order of requests, gateway events, session events, answers of REST,
//! new settings and waits, against a plain model: one session a guild, every request answered once,
//! one lookup at a time, never a wish for a channel that is not allowed, silence after the stop.
#![no_main]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use clawvoice_fuzz::Input;
use clawvoice_session::{
    ChannelId, Generation, GuildId, JoinFailure, RoomLookup, RoomPermission, SessionTime,
    StageAnswer, UserId, VoiceChannel, VoiceGatewayEvent, VoiceServerChange, VoiceStateChange,
    VoiceStateLookup,
};
use clawvoice_voice::presence::{
    AutoJoin, Connection, Output, Presence, PresenceSettings, Ticket,
    link::{EndPlan, SessionEvent},
};

const BOT: UserId = UserId::new(5);
const FOLLOWED: UserId = UserId::new(6);

/// The machine, and what must be true of it.
struct Model {
    machine: Presence,
    now: SessionTime,
    asked: u64,
    open: BTreeSet<Ticket>,
    running: BTreeMap<GuildId, Generation>,
    /// Generations that wait for the halves of a join.
    joining: BTreeMap<GuildId, Generation>,
    settings: PresenceSettings,
    /// The lookup that waits for its answer.
    lookup: Option<(GuildId, UserId)>,
    stopped: bool,
}

fn settings(input: &mut Input<'_>) -> PresenceSettings {
    let (guild, channel) = (GuildId::new(1), ChannelId::new(11));
    let auto_join = AutoJoin { guild, channel, when_occupied: input.flag() };
    let allowed = [(guild, channel), (guild, ChannelId::new(12)), (GuildId::new(2), ChannelId::new(20))];
    PresenceSettings {
        enabled: input.byte() != 0,
        auto_join: if input.flag() { vec![auto_join] } else { Vec::new() },
        allowed_channels: input.flag().then(|| allowed.into()),
        follow_users: if input.flag() { [FOLLOWED].into() } else { BTreeSet::new() },
        guilds: [guild].into(),
        lookups: input.flag(),
        ..PresenceSettings::default()
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let settings = settings(&mut input);
    let mut model = Model {
        machine: Presence::new(settings.clone()),
        settings,
        lookup: None,
        now: SessionTime::ZERO,
        asked: 0,
        open: BTreeSet::new(),
        running: BTreeMap::new(),
        joining: BTreeMap::new(),
        stopped: false,
    };
    while !input.is_empty() {
        model.step(&mut input);
        model.drain();
    }
    model.stopped = true;
    model.machine.handle_stop(model.now);
    model.drain();
    model.wait(Duration::from_secs(120));
    assert!(model.open.is_empty(), "never answered: {:?}", model.open);
    assert!(model.running.is_empty(), "still there: {:?}", model.running);
});

impl Model {
    fn step(&mut self, input: &mut Input<'_>) {
        let guild = GuildId::new(1 + u64::from(input.below(2)));
        let channel = ChannelId::new(10 * guild.get() + u64::from(input.below(3)));
        let now = self.now;
        match input.below(15) {
            0 | 1 => {
                let ticket = Ticket(self.asked);
                self.asked += 1;
                self.open.insert(ticket);
                self.machine.handle_join(now, ticket, guild, channel);
            }
            2 => drop(self.machine.handle_leave(now, guild)),
            3 => self.gateway(VoiceGatewayEvent::Ready { user: BOT }),
            4 | 5 => self.gateway(VoiceGatewayEvent::State(VoiceStateChange {
                guild,
                user: if input.byte() < 64 { FOLLOWED } else { BOT },
                channel: input.flag().then_some(channel),
                session_id: if input.flag() { "a" } else { "b" }.to_owned(),
                suppressed: input.flag(),
            })),
            6 => self.gateway(VoiceGatewayEvent::Server(VoiceServerChange {
                guild,
                endpoint: input.flag().then(|| "voice.example:443".to_owned()),
                token: "token".to_owned().into(),
            })),
            7 => self.gateway(match input.below(3) {
                0 => VoiceGatewayEvent::SessionLost,
                1 => VoiceGatewayEvent::Name {
                    guild,
                    user: UserId::new(u64::from(input.byte())),
                    label: String::from_utf8_lossy(input.piece()).into_owned(),
                    bot: input.flag(),
                },
                _ => VoiceGatewayEvent::Channel(VoiceChannel {
                    guild,
                    channel,
                    stage: input.flag(),
                    bitrate: input.u32(),
                }),
            }),
            8 => {
                let generation = self.joining.get(&guild).copied().unwrap_or_default();
                let result = if input.byte() == 0 {
                    Err("no".to_owned())
                } else {
                    Ok(Connection {
                        session_id: "a".to_owned(),
                        endpoint: "voice.example:443".to_owned(),
                        token: "token".to_owned().into(),
                    })
                };
                self.machine.handle_connection(now, guild, generation, result);
            }
            9 => self.session(guild, input),
            10 => {
                let answer = StageAnswer::Refused("no".to_owned());
                self.machine.handle_stage(now, guild, channel, &answer);
            }
            11 => {
                let missing = if input.flag() { vec![RoomPermission::Connect] } else { Vec::new() };
                let answer = match input.below(4) {
                    0 => RoomLookup::NotVoice,
                    1 => RoomLookup::Failed("no".to_owned()),
                    _ => RoomLookup::Voice { missing },
                };
                self.machine.handle_room(now, guild, channel, &answer);
            }
            12 => {
                let answer = match input.below(3) {
                    0 => VoiceStateLookup::In(channel),
                    1 => VoiceStateLookup::NotInVoice,
                    _ => VoiceStateLookup::Failed("no".to_owned()),
                };
                let (guild, user) = self.lookup.take().unwrap_or((guild, FOLLOWED));
                self.machine.handle_lookup(now, guild, user, &answer);
            }
            13 if input.byte() < 32 => {
                self.settings = settings(input);
                self.machine.handle_settings(now, self.settings.clone());
            }
            _ => self.wait(input.wait()),
        }
    }

    fn gateway(&mut self, event: VoiceGatewayEvent) {
        self.machine.handle_gateway(self.now, event);
    }

    fn session(&mut self, guild: GuildId, input: &mut Input<'_>) {
        let Some(generation) = self.running.get(&guild).copied() else { return };
        let plan = match input.below(3) {
            0 => EndPlan::StayDown,
            1 => EndPlan::Rejoin,
            _ => EndPlan::WaitForMove,
        };
        let event = match input.below(4) {
            0 | 1 => SessionEvent::Ready,
            2 => SessionEvent::Failed(JoinFailure::Realtime("no".to_owned())),
            _ => SessionEvent::Ended { reason: "over".to_owned(), plan },
        };
        if !matches!(event, SessionEvent::Ready) {
            self.running.remove(&guild);
        }
        self.machine.handle_session(self.now, guild, generation, event);
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        for _ in 0..10_000 {
            let due = self.machine.poll_timeout().filter(|(at, _)| *at <= until);
            let Some((at, _)) = due else {
                self.now = until;
                return;
            };
            self.now = self.now.max(at);
            self.machine.handle_timeout(self.now);
            self.drain();
        }
        panic!("too many deadlines in {span:?}");
    }

    fn drain(&mut self) {
        for _ in 0..10_000 {
            let Some(output) = self.machine.poll_output() else { return };
            match output {
                Output::Connect { guild, channel, generation }
                | Output::Follow { guild, channel, generation } => {
                    assert!(!self.stopped, "joins after the stop");
                    assert!(self.settings.allows(guild, channel), "joins what is not allowed");
                    self.joining.insert(guild, generation);
                }
                Output::LookUp { guild, user } => {
                    assert!(!self.stopped, "looks for somebody after the stop");
                    assert_eq!(self.lookup.replace((guild, user)), None, "two lookups at a time");
                }
                Output::Start(request) => {
                    assert!(!self.stopped, "starts after the stop");
                    let before = self.running.insert(request.guild, request.generation);
                    assert_eq!(before, None, "two sessions in one guild");
                }
                Output::End { guild, generation } => {
                    if self.running.get(&guild) == Some(&generation) {
                        self.running.remove(&guild);
                    }
                }
                Output::Answer { ticket, .. } => {
                    assert!(self.open.remove(&ticket), "{ticket:?} answered twice");
                }
                _ => {}
            }
        }
        panic!("outputs without end");
    }
}
