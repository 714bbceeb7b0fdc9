//! Where the bot is, under any order of requests, gateway events, session events and waits, against
//! a plain model: one session a guild, every request answered once, silence after the stop.
#![no_main]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use clawvoice_fuzz::Input;
use clawvoice_session::{
    ChannelId, Generation, GuildId, JoinFailure, SessionTime, StageAnswer, UserId, VoiceChannel,
    VoiceGatewayEvent, VoiceServerChange, VoiceStateChange,
};
use clawvoice_voice::presence::{
    AutoJoin, Connection, Labels, Output, Presence, PresenceSettings, Ticket,
    link::{EndPlan, SessionEvent},
};

const BOT: UserId = UserId::new(5);

/// The machine, and what must be true of it.
struct Model {
    machine: Presence,
    now: SessionTime,
    asked: u64,
    open: BTreeSet<Ticket>,
    running: BTreeMap<GuildId, Generation>,
    /// Generations that wait for the halves of a join.
    joining: BTreeMap<GuildId, Generation>,
    stopped: bool,
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let auto_join = AutoJoin { guild: GuildId::new(1), channel: ChannelId::new(11) };
    let settings = PresenceSettings {
        enabled: input.byte() != 0,
        auto_join: if input.flag() { vec![auto_join] } else { Vec::new() },
        connect_timeout: Duration::from_secs(30),
        labels: Labels::default(),
    };
    let mut model = Model {
        machine: Presence::new(settings),
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
        match input.below(12) {
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
                user: if input.byte() == 0 { UserId::new(6) } else { BOT },
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
                Output::Connect { guild, generation, .. }
                | Output::Follow { guild, generation, .. } => {
                    assert!(!self.stopped, "joins after the stop");
                    self.joining.insert(guild, generation);
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
