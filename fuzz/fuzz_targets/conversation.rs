//! The conversation's rules under any provider text, speech and waits.
//!
//! A script of lines: `t0{…}` a text frame on the 0th open (else closed) connection, `o0` it opened, `c0` it
//! closed, `b0` a binary frame, `s1` user 1 starts to speak, `a1` is heard, `e1` stops, `l1`
//! leaves, `n1x` is called x, `w250` waits 250 ms, `z250` wakes 250 ms late, `f` plays a frame,
//! `p20` plays 20, `x` ends. The first line's first letter chooses the settings.
#![no_main]

use std::{collections::BTreeSet, time::Duration};

use clawvoice_fuzz::steps;
use clawvoice_session::{ChannelId, GuildId, SessionTime, UserId};
use clawvoice_voice::{
    call::Hear as _,
    conversation::{
        ConsultPolicy, Conversation, ConversationSettings, Lane, Mode, Output, TurnEnd,
    },
    realtime::{Closed, Profile, gemini, openai},
};

/// Outputs that one step may cause besides those that the input so far explains.
const MAX_OUTPUTS: usize = 2_048;
/// Wakes at one moment.
const MAX_WAKES: usize = 8;

struct Bench {
    conversation: Conversation,
    now: SessionTime,
    /// Connections that were asked for and have not ended.
    lanes: Vec<Lane>,
    seen: BTreeSet<Lane>,
    failed: bool,
    bytes_in: usize,
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut settings =
        ConversationSettings::new(GuildId::new(1), ChannelId::new(2), UserId::new(9));
    let choice = text.bytes().next().unwrap_or_default();
    settings.mode = if choice & 1 == 0 { Mode::AgentProxy } else { Mode::Bidi };
    settings.consult_policy =
        if choice & 2 == 0 { ConsultPolicy::Auto } else { ConsultPolicy::Always };
    settings.turn_end = if choice & 4 == 0 { TurnEnd::ProviderVad } else { TurnEnd::Own };
    settings.barge_in = choice & 8 == 0;
    settings.max_lanes = if choice & 16 == 0 { 8 } else { 2 };
    settings.profile = match choice & 64 {
        0 => Profile::OpenAi(openai::Profile {
            implied_responses: choice & 128 != 0,
            ..openai::Profile::default()
        }),
        _ => Profile::Gemini(gemini::Profile::default()),
    };
    let now = SessionTime::from_millis(1_000);
    let mut bench = Bench {
        conversation: Conversation::new(settings, now),
        now,
        lanes: Vec::new(),
        seen: BTreeSet::new(),
        failed: false,
        bytes_in: 0,
    };
    bench.outputs();
    for (what, rest) in steps(text.get(1..).unwrap_or_default()) {
        bench.step(what, rest);
    }
    bench.conversation.close(bench.now);
    bench.outputs();
    assert!(bench.lanes.is_empty(), "connections stay open after the end");
    assert_eq!(bench.conversation.poll_timeout(), None);
});

impl Bench {
    fn step(&mut self, what: char, rest: &str) {
        self.bytes_in += rest.len();
        let mut chars = rest.chars();
        let digit = chars.next().and_then(|c| c.to_digit(10)).unwrap_or_default();
        let user = UserId::new(u64::from(digit) + 1);
        // One that is open, or else one that was: its last words may come late.
        let at = digit as usize;
        let lane = self.lanes.get(at).or(self.seen.iter().nth(at)).copied();
        let lane = lane.unwrap_or(Lane::new(0));
        let number = || u64::from(rest.trim().parse::<u16>().unwrap_or(20));
        let now = self.now;
        match what {
            't' => self.conversation.handle_provider_text(now, lane, chars.as_str()),
            'b' => self.conversation.handle_provider_binary(now, lane, chars.as_str().as_bytes()),
            'o' => self.conversation.handle_provider_opened(now, lane),
            'c' => {
                self.lanes.retain(|open| *open != lane);
                let closed = match chars.as_str() {
                    "" => Closed::Lost("gone".into()),
                    reason => match reason.parse() {
                        Ok(status) => Closed::Refused {
                            status,
                            retry_after: Some(Duration::from_secs(u64::from(status))),
                        },
                        Err(_) => Closed::Frame { code: 1_000, reason: reason.into() },
                    },
                };
                self.conversation.handle_provider_closed(now, lane, &closed);
            }
            's' => self.conversation.speaking_started(now, user),
            'a' => self.conversation.audio(now, user, &[500; 480]),
            'e' => self.conversation.speaking_stopped(now, user),
            'l' => self.conversation.handle_member_left(now, user),
            'n' => {
                self.conversation.handle_name(user, chars.as_str().into(), rest.ends_with('b'));
            }
            'w' => self.wait(Duration::from_millis(number())),
            'z' => {
                self.now += Duration::from_millis(number());
                self.wake();
            }
            'f' => self.play(),
            'p' => {
                for _ in 0..number().min(100) {
                    self.play();
                    self.wait(Duration::from_millis(20));
                }
            }
            'x' => self.conversation.close(now),
            _ => {}
        }
        self.outputs();
    }

    fn play(&mut self) {
        let wanted = self.conversation.wants_frame();
        let filled = self.conversation.take_frame(self.now, &mut [0; 480]);
        assert!(wanted || !filled, "a frame of a player that wants none");
        self.outputs();
    }

    fn wait(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some((at, _)) = self.conversation.poll_timeout().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.wake();
        }
        self.now = until;
    }

    /// What is due may make something else due at once (a lost connection is an idle one), but not
    /// for ever.
    fn wake(&mut self) {
        for _ in 0..MAX_WAKES {
            self.conversation.handle_timeout(self.now);
            self.outputs();
            if self.conversation.poll_timeout().is_none_or(|(at, _)| at > self.now) {
                return;
            }
        }
        let due = self.conversation.poll_timeout();
        panic!("{due:?} was not done at {} in {MAX_WAKES} wakes", self.now);
    }

    fn outputs(&mut self) {
        let limit = MAX_OUTPUTS + self.bytes_in;
        let mut count = 0;
        while let Some(output) = self.conversation.poll_output() {
            count += 1;
            assert!(count <= limit, "more than {limit} outputs of one input");
            match output {
                Output::OpenProvider { lane } => {
                    assert!(!self.failed, "a connection after the end");
                    assert!(self.seen.insert(lane), "{lane:?} is opened twice");
                    self.lanes.push(lane);
                }
                Output::CloseProvider { lane } => self.lanes.retain(|open| *open != lane),
                Output::Provider { lane, message } => {
                    assert!(self.lanes.contains(&lane), "a message for {lane:?}, which is closed");
                    assert!(message.starts_with('{') && message.ends_with('}'), "{message}");
                }
                Output::Failed(why) => {
                    assert!(!self.failed, "failed twice");
                    assert!(!why.is_empty());
                    self.failed = true;
                }
                Output::Timeline(_)
                | Output::Trace(_)
                | Output::Transcript { .. }
                | Output::Ready
                | Output::Ask(_)
                | Output::Control { .. }
                | Output::Note { .. }
                | Output::Heard { .. } => {}
            }
        }
        assert!(self.lanes.len() <= 8, "{} connections", self.lanes.len());
    }
}
