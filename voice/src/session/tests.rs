//! The session as its shell drives it, in virtual time, on a connection without DAVE.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clawvoice_session::{ChannelId, GuildId};
use serde_json::{Value, json};

use super::*;
use crate::{
    batch::BatchSettings,
    conversation::ConversationSettings,
    wire::{
        aead::{Mode, Transport},
        rtp,
    },
};

const KEY: [u8; 32] = [7; 32];
const FIRST: Generation = Generation::FIRST;

fn ms(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

fn connection() -> CallSettings {
    CallSettings {
        guild: GuildId::new(1),
        channel: ChannelId::new(2),
        user: UserId::new(9),
        session_id: "s".into(),
        token: "t".to_owned().into(),
        endpoint: "voice.example:443".into(),
        secure: true,
        dave: true,
        decryption_failure_tolerance: call::DECRYPTION_FAILURE_TOLERANCE,
        reconnect_grace: call::RECONNECT_GRACE,
        seed: 1,
        udp_fallback: None,
    }
}

struct Bench {
    session: VoiceSession,
    outputs: Vec<Output>,
    server: Transport,
}

impl Bench {
    fn new() -> Self {
        Self::with(ConversationSettings::new(GuildId::new(1), ChannelId::new(2), UserId::new(9)))
    }

    fn with(talk: impl Into<FrontEndSettings>) -> Self {
        let session = VoiceSession::new(connection(), talk, ms(0));
        let mut bench =
            Self { session, outputs: Vec::new(), server: Transport::new(Mode::Aes256Gcm, &KEY) };
        bench.drain();
        bench
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.outputs.push(output);
        }
    }

    fn gateway(&mut self, now: SessionTime, generation: Generation, message: &Value) {
        let text = message.to_string();
        self.session.handle_gateway(now, generation, GatewayEvent::Text(&text));
        self.drain();
    }

    /// Goes through the voice handshake of one connection.
    fn connect(&mut self, now: SessionTime, generation: Generation) {
        self.session.handle_gateway(now, generation, GatewayEvent::Opened);
        self.gateway(now, generation, &json!({"op": 8, "d": {"heartbeat_interval": 10_000}}));
        let modes = ["aead_aes256_gcm_rtpsize"];
        let ready = json!({"ssrc": 100, "ip": "127.0.0.1", "port": 9, "modes": modes});
        self.gateway(now, generation, &json!({"op": 2, "seq": 0, "d": ready}));
        let mut answer = vec![0; 74];
        answer[..8].copy_from_slice(&[0, 2, 0, 70, 0, 0, 0, 100]);
        answer[8..17].copy_from_slice(b"127.0.0.1");
        answer[72..].copy_from_slice(&50_001_u16.to_be_bytes());
        self.session.handle_datagram(now, generation, &mut answer);
        let description = json!({
            "mode": modes[0], "secret_key": KEY, "dave_protocol_version": 0,
        });
        self.gateway(now, generation, &json!({"op": 4, "seq": 1, "d": description}));
    }

    fn provider(&mut self, now: SessionTime, message: &Value) {
        let text = message.to_string();
        self.session.handle_provider(now, Lane::new(0), ProviderEvent::Text(&text));
        self.drain();
    }

    fn configure_front_end(&mut self, now: SessionTime) {
        self.session.handle_provider(now, Lane::new(0), ProviderEvent::Opened);
        self.provider(now, &json!({"type": "session.created", "event_id": "a", "session": {}}));
        self.provider(now, &json!({"type": "session.updated", "event_id": "b", "session": {}}));
    }

    /// An answer of `frames` frames, complete at once.
    fn answer(&mut self, now: SessionTime, frames: usize) {
        let pcm: Vec<u8> =
            (0..frames * 480).flat_map(|n| ((n % 96) as i16 * 300).to_le_bytes()).collect();
        for event in [
            json!({"type": "response.created", "event_id": "c", "response": {"id": "r"}}),
            json!({
                "type": "response.output_audio.delta", "event_id": "d", "response_id": "r",
                "item_id": "i", "output_index": 0, "content_index": 0,
                "delta": STANDARD.encode(pcm),
            }),
            json!({
                "type": "response.done", "event_id": "e",
                "response": {"id": "r", "status": "completed"},
            }),
        ] {
            self.provider(now, &event);
        }
    }

    fn count(&self, wanted: impl Fn(&Output) -> bool) -> usize {
        self.outputs.iter().filter(|output| wanted(output)).count()
    }

    /// Runs the playout clock until it stops: the time and payload of each datagram.
    fn play_out(&mut self) -> Vec<(SessionTime, Vec<u8>)> {
        let mut datagrams = Vec::new();
        let mut now = SessionTime::ZERO;
        while self.session.next_tick.is_some() {
            let (at, _) = self.session.poll_timeout().expect("a tick is due");
            now = now.max(at);
            self.session.handle_timeout(now);
            self.drain();
            if let Some(media) = self.session.poll_media() {
                let mut datagram = media.to_vec();
                rtp::parse(&datagram).expect("we send RTP");
                let payload = self.server.open(&mut datagram, rtp::HEADER_BYTES);
                let payload = payload.expect("sealed under the key");
                datagrams.push((now, datagram[payload].to_vec()));
            }
        }
        datagrams
    }
}

#[test]
fn a_join_is_complete_when_media_flows_and_the_front_end_is_configured_in_either_order() {
    let ready = |output: &Output| matches!(output, Output::Ready);
    let mut bench = Bench::new();
    bench.connect(ms(10), FIRST);
    assert_eq!(bench.count(ready), 0);
    bench.configure_front_end(ms(20));
    assert_eq!(bench.count(ready), 1);

    let mut bench = Bench::new();
    bench.configure_front_end(ms(10));
    assert_eq!(bench.count(ready), 0);
    bench.connect(ms(20), FIRST);
    assert_eq!(bench.count(ready), 1);
}

#[test]
fn an_answer_starts_in_the_moment_it_may_and_leaves_every_20_ms() {
    let mut bench = Bench::new();
    bench.connect(ms(0), FIRST);
    bench.configure_front_end(ms(0));
    assert!(!matches!(bench.session.poll_timeout(), Some((_, Timer::Playout))), "clock idles");
    bench.answer(ms(1_003), 3);
    let datagrams = bench.play_out();
    let times: Vec<u64> = datagrams.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(times, [1_003, 1_023, 1_043, 1_063, 1_083, 1_103, 1_123, 1_143]);
    let silent = datagrams.iter().filter(|(_, payload)| payload == &[0xF8, 0xFF, 0xFE]).count();
    assert_eq!(silent, 5, "three frames of speech, then five of silence");
    let speaking =
        |output: &Output| matches!(output, Output::GatewayText(text) if text.contains("\"op\":5"));
    assert!(bench.count(speaking) >= 1, "speaking is announced");
}

#[test]
fn a_late_tick_is_caught_up_without_a_burst_and_a_very_late_one_slips() {
    let mut bench = Bench::new();
    bench.connect(ms(0), FIRST);
    bench.configure_front_end(ms(0));
    bench.answer(ms(100), 40);
    let tick = |bench: &mut Bench, at: u64| {
        bench.session.handle_timeout(ms(at));
        bench.session.next_tick.map(SessionTime::as_millis)
    };
    assert_eq!(tick(&mut bench, 100), Some(120));
    assert_eq!(tick(&mut bench, 165), Some(175), "45 ms late: half a frame's distance");
    assert_eq!(tick(&mut bench, 175), Some(185));
    assert_eq!(tick(&mut bench, 185), Some(195));
    assert_eq!(tick(&mut bench, 195), Some(205));
    assert_eq!(tick(&mut bench, 205), Some(220), "on the plan again: nothing has drifted");
    assert_eq!(tick(&mut bench, 1_000), Some(1_020), "slipped");
}

#[test]
fn what_comes_late_for_a_replaced_connection_is_dropped() {
    let mut bench = Bench::new();
    bench.connect(ms(0), FIRST);
    bench.configure_front_end(ms(0));
    bench.outputs.clear();
    bench.session.handle_server_changed(ms(50), "other.example:443".into(), "t2".to_owned().into());
    bench.drain();
    let dialled = |output: &Output| match output {
        Output::ConnectGateway { generation, url } => {
            *generation == FIRST.next() && url.contains("other.example")
        }
        _ => false,
    };
    assert_eq!(bench.count(dialled), 1);
    bench.outputs.clear();
    bench.session.handle_gateway(ms(60), FIRST, GatewayEvent::Closed(Some(4014)));
    bench.drain();
    assert!(bench.outputs.is_empty(), "the old connection's end is nobody's end");

    bench.connect(ms(70), FIRST.next());
    bench.answer(ms(100), 1);
    assert_eq!(bench.play_out().len(), 6, "the conversation goes on over the new connection");
}

#[test]
fn who_talks_when_the_server_changes_has_stopped() {
    const ANN: u64 = 1_001;
    // 20 ms of CELT: a valid Opus packet of a quiet frame.
    const SPEECH: [u8; 4] = [0xFC, 0x00, 0x01, 0x02];
    let mut bench = Bench::new();
    bench.connect(ms(0), FIRST);
    bench.configure_front_end(ms(0));
    let speaking = json!({"user_id": ANN.to_string(), "ssrc": 11, "speaking": 1});
    bench.gateway(ms(10), FIRST, &json!({"op": 5, "d": speaking}));
    let mut datagram = vec![0; rtp::HEADER_BYTES + SPEECH.len() + 20];
    rtp::write_header(datagram.first_chunk_mut().expect("long enough"), 0, 0, 11);
    let end = rtp::HEADER_BYTES + SPEECH.len();
    datagram[rtp::HEADER_BYTES..end].copy_from_slice(&SPEECH);
    bench.server.seal(&mut datagram, rtp::HEADER_BYTES, end).expect("room for the tag");
    bench.session.handle_datagram(ms(10), FIRST, &mut datagram);
    bench.drain();
    let line = |bench: &Bench, line: &str| {
        bench.count(|output| matches!(output, Output::Record(record) if record.line == line))
    };
    assert_eq!(bench.session.conversation_stats().turns, 1);

    bench.session.handle_server_changed(ms(50), "other.example:443".into(), "t2".to_owned().into());
    bench.connect(ms(60), FIRST.next());
    // Nobody says any more that she stopped; the conversation has to end her turn by itself.
    for _ in 0..1_000 {
        let Some((at, _)) = bench.session.poll_timeout().filter(|(at, _)| *at <= ms(10_000)) else {
            break;
        };
        bench.session.handle_timeout(at);
        bench.drain();
    }
    assert_eq!(line(&bench, "realtime trailing silence sent"), 1, "the provider hears the end");
    assert_eq!(line(&bench, "realtime speaker turn closed"), 1);
}

#[test]
fn a_session_that_is_closed_stays_silent() {
    let mut bench = Bench::new();
    bench.connect(ms(0), FIRST);
    bench.configure_front_end(ms(0));
    bench.answer(ms(10), 10);
    bench.session.close(ms(20));
    bench.drain();
    assert_eq!(bench.session.poll_media(), None);
    assert!(bench.play_out().is_empty());
    assert_eq!(bench.count(|output| matches!(output, Output::CloseGateway { code: 1000 })), 1);
}

#[test]
fn an_stt_tts_session_is_ready_with_its_call_and_has_no_provider() {
    let talk = BatchSettings::new(GuildId::new(1), ChannelId::new(2), UserId::new(9));
    let mut bench = Bench::with(talk);
    assert_eq!(bench.count(|output| matches!(output, Output::Ready)), 0);
    bench.connect(ms(10), FIRST);
    assert_eq!(bench.count(|output| matches!(output, Output::Ready)), 1);
    assert_eq!(bench.count(|output| matches!(output, Output::OpenProvider { .. })), 0);
    // What a provider would say is nobody's.
    bench.configure_front_end(ms(20));
    assert_eq!(bench.count(|output| matches!(output, Output::Provider { .. })), 0);
}

#[test]
fn voice_scenario_18_what_an_end_breaks_off_is_no_failure() {
    let mut bench = Bench::new();
    bench.connect(ms(0), FIRST);
    bench.configure_front_end(ms(0));
    let speaking = json!({"user_id": "1001", "ssrc": 11, "speaking": 1});
    bench.gateway(ms(10), FIRST, &json!({"op": 5, "d": speaking}));
    bench.session.close(ms(20));
    bench.drain();
    let before = bench.session.call_stats().total;
    bench.outputs.clear();
    // What was on its way: a packet, the sockets' ends, the provider's.
    bench.session.handle_datagram(ms(30), FIRST, &mut [0x80; 60]);
    bench.session.handle_gateway(ms(31), FIRST, GatewayEvent::Closed(None));
    let closed = Closed::Lost("the operation was aborted".into());
    bench.session.handle_provider(ms(32), Lane::new(0), ProviderEvent::Closed(&closed));
    while let Some((at, _)) = bench.session.poll_timeout().filter(|(at, _)| *at <= ms(60_000)) {
        bench.session.handle_timeout(at);
    }
    bench.drain();
    assert!(bench.outputs.is_empty(), "no warning, no rejoin: {:?}", bench.outputs);
    let after = bench.session.call_stats().total;
    assert_eq!(after.undecryptable, before.undecryptable, "not counted");
}

/// What the agent was told of the room, in order.
fn told_of_the_room(bench: &Bench) -> Vec<Option<&str>> {
    let told = bench.outputs.iter().filter_map(|output| match output {
        Output::Surround { session, place, text } => {
            assert_eq!(session.as_str(), "agent:main:discord:channel:2");
            assert_eq!(place, "voice 1 2");
            Some(text.as_deref())
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn the_agent_is_told_who_is_there_and_that_nobody_is_any_more() {
    let (guild, channel, bot) = (GuildId::new(1), ChannelId::new(2), UserId::new(9));
    for talk in [
        FrontEndSettings::from(ConversationSettings::new(guild, channel, bot)),
        BatchSettings::new(guild, channel, bot).into(),
    ] {
        let mut bench = Bench::with(talk);
        for (user, name) in [(11, "Ada"), (12, "Ben")] {
            bench.session.handle_name(UserId::new(user), name.to_owned(), false);
        }
        bench.connect(ms(10), FIRST);
        bench.gateway(ms(20), FIRST, &json!({"op": 11, "seq": 2, "d": {"user_ids": ["11", "12"]}}));
        let told = told_of_the_room(&bench);
        let [Some(both)] = told[..] else { panic!("one word about both: {told:?}") };
        assert!(both.contains("- \"Ada\" (user 11)\n- \"Ben\" (user 12)\n"), "{both}");
        bench.gateway(ms(30), FIRST, &json!({"op": 13, "seq": 3, "d": {"user_id": "12"}}));
        let told = told_of_the_room(&bench);
        let [_, Some(one)] = told[..] else { panic!("{told:?}") };
        assert!(one.contains("- \"Ada\"") && !one.contains("- \"Ben\""), "{one}");
        assert!(one.contains("The last who left: \"Ben\" (user 12)."), "{one}");
        assert_eq!(bench.count(|output| matches!(output, Output::Ask(_))), 0);
        bench.session.close(ms(40));
        bench.drain();
        assert_eq!(told_of_the_room(&bench).last(), Some(&None));
    }
}

#[test]
fn after_the_server_changed_only_those_who_are_still_there_are_told_of() {
    let mut bench = Bench::new();
    bench.connect(ms(10), FIRST);
    bench.gateway(ms(20), FIRST, &json!({"op": 11, "seq": 2, "d": {"user_ids": ["11", "12"]}}));
    bench.session.handle_server_changed(ms(30), "other.example:443".into(), "t".to_owned().into());
    bench.drain();
    assert_eq!(told_of_the_room(&bench).len(), 1, "nobody is known to have left");
    let next = FIRST.next();
    bench.connect(ms(40), next);
    bench.gateway(ms(50), next, &json!({"op": 11, "seq": 2, "d": {"user_ids": ["12"]}}));
    let told = told_of_the_room(&bench);
    let [_, Some(last)] = told[..] else { panic!("{told:?}") };
    assert!(last.contains("(user 12)") && !last.contains("(user 11)"), "{last}");
}
