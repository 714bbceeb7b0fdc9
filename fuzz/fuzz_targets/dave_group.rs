//! localcord's DAVE delivery service: any key packages, commits and answers, from members that
//! are sound, damaged or make things up.
#![no_main]

use clawvoice_fuzz::{Input, Member, Sent, damaged};
use localcord::voice::dave::{ExternalSender, Group, GroupSettings, Outputs, Race};

const CHANNEL: u64 = 4_242;
const MEMBERS: u8 = 4;
/// MLS is slow; more steps find no more.
const MAX_STEPS: usize = 64;

struct World {
    group: Group,
    members: Vec<Member>,
    now_ms: u64,
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
    let mut world = World {
        group: Group::new(settings, CHANNEL, sender),
        members: (1..=u64::from(MEMBERS)).map(|user| Member::new(user, CHANNEL)).collect(),
        now_ms: 1_000,
    };
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        world.step(&mut input);
    }
});

impl World {
    fn route<E>(&mut self, outputs: Result<Outputs, E>) {
        let outputs = outputs.unwrap_or_default();
        assert!(outputs.len() <= 256, "{} messages of one input", outputs.len());
        for (user, message) in outputs {
            let member = self.members.iter_mut().find(|member| member.user() == user);
            member.expect("nobody else is in the call").inbox.push_back(message);
        }
        while self.group.poll_note().is_some() {}
        let users: Vec<_> = self.group.leaves().iter().flatten().collect();
        for (at, user) in users.iter().enumerate() {
            assert!(!users[..at].contains(user), "{user} sits on two leaves");
        }
        assert!(self.group.leaves().last().is_none_or(Option::is_some), "a blank last leaf");
    }

    fn send(&mut self, user: u64, sent: Sent) {
        let now = self.now_ms;
        let outputs = match sent {
            Sent::KeyPackage(bytes) => self.group.handle_key_package(now, user, &bytes),
            Sent::CommitWelcome(bytes) => self.group.handle_commit_welcome(now, user, &bytes),
            Sent::Ready(id) => self.group.handle_transition_ready(now, user, id),
            Sent::Invalid(id) => self.group.handle_invalid_commit_welcome(now, user, id),
        };
        self.route(outputs);
    }

    fn read(&mut self, who: usize, damage: Option<&mut Input<'_>>) {
        let user = self.members[who].user();
        let mut sent = self.members[who].read();
        if let (Some(input), Some(Sent::KeyPackage(bytes) | Sent::CommitWelcome(bytes))) =
            (damage, sent.first_mut())
        {
            *bytes = damaged(std::mem::take(bytes), input);
        }
        sent.into_iter().for_each(|sent| self.send(user, sent));
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.below(14);
        let who = usize::from(input.below(MEMBERS));
        let user = self.members[who].user();
        match what {
            0 => {
                let outputs = self.group.handle_join(self.now_ms, user);
                self.route(Ok::<_, ()>(outputs));
            }
            1 | 2 => self.read(who, None),
            3 => self.read(who, Some(input)),
            4 => self.send(user, Sent::KeyPackage(input.piece().to_vec())),
            5 => self.send(user, Sent::CommitWelcome(input.piece().to_vec())),
            6 => self.send(user, Sent::Ready(u16::from(input.byte()))),
            7 => self.send(user, Sent::Invalid(u16::from(input.byte()))),
            8 => {
                let outputs = self.group.handle_leave(self.now_ms, user);
                self.route(outputs);
            }
            9 => {
                for _ in 0..24 {
                    (0..self.members.len()).for_each(|who| self.read(who, None));
                }
            }
            10 => {
                let outputs = match input.flag() {
                    true => self.group.handle_downgrade(self.now_ms),
                    false => self.group.handle_upgrade(self.now_ms),
                };
                self.route(Ok::<_, ()>(outputs));
            }
            11 => {
                let sent = self.members[who].start_over();
                sent.into_iter().for_each(|sent| self.send(user, sent));
            }
            12 => {
                self.members[who].inbox.pop_front();
            }
            _ => {
                self.now_ms += u64::from(input.byte()) * 20;
                let outputs = self.group.handle_timeout(self.now_ms);
                self.route(outputs);
                let next = self.group.poll_timeout();
                assert!(next.is_none_or(|at| at > self.now_ms), "{next:?} is not done");
            }
        }
    }
}
