//! A call in a real DAVE group: a delivery service and two other members in this process, and a
//! link that delays, repeats, damages and loses what they say to each other.
#![no_main]

use std::collections::VecDeque;

use clawvoice_fuzz::{CallBench, Input, Member, Sent, damaged};
use clawvoice_voice::{
    call::{FRAME_SAMPLES, Output},
    wire::aead::Mode,
};
use localcord::voice::dave::{ExternalSender, Group, GroupSettings, Message, Outputs, Race};

const SPEECH: [u8; 4] = [0xFC, 0x00, 0x01, 0x02];
/// One run is a conversation of seconds, not of hours: MLS is slow.
const MAX_STEPS: usize = 48;

struct World {
    bench: CallBench,
    group: Group,
    members: [Member; 2],
    to_call: VecDeque<Message>,
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let setup = input.byte();
    let settings = GroupSettings {
        race: if setup & 1 == 0 { Race::First } else { Race::Last },
        cut_welcome: setup & 2 != 0,
        ..GroupSettings::default()
    };
    let sender = ExternalSender::generate().expect("randomness");
    let channel = CallBench::CHANNEL;
    let mut world = World {
        bench: CallBench::new(Mode::Aes256Gcm, true, true, false),
        group: Group::new(settings, channel, sender),
        members: [Member::new(2_001, channel), Member::new(2_002, channel)],
        to_call: VecDeque::new(),
    };
    let outputs = world.bench.connect(1);
    world.carry(outputs);
    let joined = world.group.handle_join(world.now_ms(), CallBench::USER);
    world.route(Ok::<_, ()>(joined));
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
    world.bench.finish();
});

impl World {
    fn now_ms(&self) -> u64 {
        self.bench.now.as_millis()
    }

    /// Puts what the service sends on its ways.
    fn route<E>(&mut self, outputs: Result<Outputs, E>) {
        for (user, message) in outputs.unwrap_or_default() {
            if user == CallBench::USER {
                self.to_call.push_back(message);
            } else if let Some(member) = self.members.iter_mut().find(|m| m.user() == user) {
                member.inbox.push_back(message);
            }
        }
        while self.group.poll_note().is_some() {}
    }

    fn send(&mut self, user: u64, sent: Sent) {
        let now = self.now_ms();
        let outputs = match sent {
            Sent::KeyPackage(bytes) => self.group.handle_key_package(now, user, &bytes),
            Sent::CommitWelcome(bytes) => self.group.handle_commit_welcome(now, user, &bytes),
            Sent::Ready(id) => self.group.handle_transition_ready(now, user, id),
            Sent::Invalid(id) => self.group.handle_invalid_commit_welcome(now, user, id),
        };
        self.route(outputs);
    }

    /// Brings what the call sends to the service.
    fn carry(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            let sent = match output {
                Output::Binary(bytes) => match bytes.split_first() {
                    Some((26, package)) => Sent::KeyPackage(package.to_vec()),
                    Some((28, commit)) => Sent::CommitWelcome(commit.to_vec()),
                    _ => panic!("a binary message of no known opcode"),
                },
                Output::Text(text) => {
                    let value: serde_json::Value =
                        serde_json::from_str(&text).expect("the call sends JSON");
                    let id = value["d"]["transition_id"].as_u64().unwrap_or_default();
                    let id = u16::try_from(id).expect("transition ids have 16 bits");
                    match value["op"].as_u64() {
                        Some(23) => Sent::Ready(id),
                        Some(31) => Sent::Invalid(id),
                        _ => continue,
                    }
                }
                _ => continue,
            };
            self.send(CallBench::USER, sent);
        }
    }

    fn deliver(&mut self, message: &Message, damage: Option<&mut Input<'_>>) {
        let outputs = match (message.json(), message.binary()) {
            (Some(d), _) => self.bench.text(&format!(r#"{{"op":{},"d":{d}}}"#, message.opcode())),
            (None, Some(body)) => {
                let body = match damage {
                    Some(input) => damaged(body, input),
                    None => body,
                };
                self.bench.binary(&[&[0, 9, message.opcode()], &body[..]].concat())
            }
            (None, None) => Vec::new(),
        };
        self.carry(outputs);
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.below(16);
        let who = usize::from(input.below(2));
        match what {
            0 | 1 => {
                if let Some(message) = self.to_call.pop_front() {
                    self.deliver(&message, None);
                }
            }
            2 => {
                if let Some(message) = self.to_call.pop_front() {
                    self.deliver(&message, Some(input));
                }
            }
            3 => {
                if let Some(message) = self.to_call.front().cloned() {
                    self.deliver(&message, None);
                }
            }
            4 => {
                self.to_call.pop_front();
            }
            5 => {
                if let Some(message) = self.to_call.pop_front() {
                    self.to_call.push_back(message);
                }
            }
            6 => {
                let user = self.members[who].user();
                let announced =
                    self.bench.text(&format!(r#"{{"op":11,"d":{{"user_ids":["{user}"]}}}}"#));
                self.carry(announced);
                let now = self.now_ms();
                let joined = self.group.handle_join(now, user);
                self.route(Ok::<_, ()>(joined));
            }
            7 => self.read(who),
            8 => {
                let user = self.members[who].user();
                let now = self.now_ms();
                let left = self.group.handle_leave(now, user);
                self.route(left);
                if input.flag() {
                    let outputs =
                        self.bench.text(&format!(r#"{{"op":13,"d":{{"user_id":"{user}"}}}}"#));
                    self.carry(outputs);
                }
            }
            9 => {
                // Everybody reads until nothing is on its way.
                for _ in 0..32 {
                    if let Some(message) = self.to_call.pop_front() {
                        self.deliver(&message, None);
                    }
                    self.read(0);
                    self.read(1);
                }
            }
            10 => self.speak(who, input),
            11 => {
                let outputs = self.bench.tick(input.flag().then_some(&[900; FRAME_SAMPLES]));
                self.carry(outputs);
            }
            12 => {
                let outputs = self.bench.wait(input.wait());
                self.carry(outputs);
                let now = self.now_ms();
                let due = self.group.handle_timeout(now);
                self.route(due);
            }
            13 => {
                let now = self.now_ms();
                let outputs = match input.flag() {
                    true => self.group.handle_downgrade(now),
                    false => self.group.handle_upgrade(now),
                };
                self.route(Ok::<_, ()>(outputs));
            }
            14 => {
                let outputs = self.bench.closed(None);
                self.carry(outputs);
                let outputs = self.bench.opened();
                self.carry(outputs);
                let outputs = self.bench.text(r#"{"op":9,"d":null}"#);
                self.carry(outputs);
            }
            _ => {
                let sent = self.members[who].start_over();
                let user = self.members[who].user();
                sent.into_iter().for_each(|sent| self.send(user, sent));
            }
        }
    }

    fn read(&mut self, who: usize) {
        let user = self.members[who].user();
        for sent in self.members[who].read() {
            self.send(user, sent);
        }
    }

    /// A member speaks for a while, long enough for a diverged group to be noticed.
    fn speak(&mut self, who: usize, input: &mut Input<'_>) {
        let ssrc = 50 + who as u32;
        let user = self.members[who].user();
        let known = format!(r#"{{"op":5,"d":{{"speaking":1,"ssrc":{ssrc},"user_id":"{user}"}}}}"#);
        let outputs = self.bench.text(&known);
        self.carry(outputs);
        for _ in 0..input.below(60) {
            let (sequence, mut frame) = self.members[who].speak(&SPEECH);
            if input.byte() == 255 {
                frame = damaged(frame, input);
            }
            let outputs = self.bench.media(ssrc, sequence, &frame);
            self.carry(outputs);
            let outputs = self.bench.wait(std::time::Duration::from_millis(20));
            self.carry(outputs);
        }
    }
}
