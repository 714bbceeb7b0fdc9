//! Providers that do not speak OpenAI's protocol: Gemini Live, and one without turns.

use super::*;
use crate::realtime::{
    Capabilities, Codec, Command, DecodeStats, Frame, Profile, ServerEvent, Shape, Unreadable,
    gemini,
};

fn live() -> ConversationSettings {
    let profile = Profile::Gemini(gemini::Profile::default());
    ConversationSettings { profile, ..settings() }
}

fn ready(settings: ConversationSettings) -> Room {
    let mut room = Room::new(settings);
    set_up(&mut room, 0);
    room.sent.clear();
    room.journal.clear();
    room
}

fn set_up(room: &mut Room, lane: u32) {
    room.talk.handle_provider_opened(room.now, Lane::new(lane));
    room.drain();
    message(room, lane, &json!({"setupComplete": {}}));
}

fn message(room: &mut Room, lane: u32, message: &Value) {
    let text = message.to_string();
    room.talk.handle_provider_binary(room.now, Lane::new(lane), text.as_bytes());
    room.drain();
}

fn content(room: &mut Room, lane: u32, content: &Value) {
    message(room, lane, &json!({ "serverContent": content }));
}

fn speech(room: &mut Room, lane: u32, ms: usize) {
    let bytes: Vec<u8> = vec![1_i16; ms * 24].iter().flat_map(|s| s.to_le_bytes()).collect();
    let data = STANDARD.encode(bytes);
    let part = json!({"inlineData": {"mimeType": "audio/pcm;rate=24000", "data": data}});
    content(room, lane, &json!({"modelTurn": {"parts": [part]}}));
}

/// Ada has asked; the answer plays.
fn answering(ms: usize) -> Room {
    let mut room = ready(live());
    room.speak(ADA, 200);
    set_up(&mut room, 1);
    content(&mut room, 0, &json!({"inputTranscription": {"text": "Tell me."}}));
    room.run(3_000);
    speech(&mut room, 0, ms);
    content(&mut room, 0, &json!({"outputTranscription": {"text": "Once upon a time."}}));
    room.run(500);
    room.sent.clear();
    room.journal.clear();
    room
}

#[test]
fn a_gemini_answer_is_heard_and_its_words_are_told() {
    let mut room = answering(1_000);
    content(&mut room, 0, &json!({"generationComplete": true}));
    content(&mut room, 0, &json!({"turnComplete": true}));
    room.run(2_000);
    assert_eq!(room.heard.len(), 50);
    assert!(room.journal_has("playback stopped reason=player-idle"));
    assert_eq!(
        room.transcripts,
        [(Some(ADA), "Tell me.".to_owned()), (Some(ADA), "Once upon a time.".to_owned())]
    );
}

#[test]
fn an_interruption_at_gemini_is_silence_here_and_no_message() {
    let mut room = answering(9_000);
    let heard = room.heard.len();
    room.start(ADA);
    room.frame(ADA);
    content(&mut room, 0, &json!({"interrupted": true}));
    content(&mut room, 0, &json!({"turnComplete": true}));
    room.fades_out();
    room.run(1_000);
    assert_eq!(room.heard.len(), heard + 1);
    assert!(room.sent.is_empty(), "{:?}", room.sent);
    assert!(room.journal_has("playback stopped reason=barge-in"));
    assert_eq!(room.count("client:"), 0, "nothing is claimed to be sent: {:#?}", room.journal);
}

#[test]
fn provider_scenario_44_an_interruption_that_nobody_made_does_not_stop_the_answer() {
    let mut room = answering(2_000);
    content(&mut room, 0, &json!({"interrupted": true}));
    content(&mut room, 0, &json!({"turnComplete": true}));
    room.run(3_000);
    assert_eq!(room.heard.len(), 100, "all that came");
    assert_eq!(room.talk.stats().phantom_interruptions, 1);
}

#[test]
fn provider_scenario_44_one_that_the_speaker_made_does() {
    let mut room = answering(9_000);
    let heard = room.heard.len();
    room.start(ADA);
    room.frame(ADA);
    room.stop(ADA);
    room.run(500);
    content(&mut room, 0, &json!({"interrupted": true}));
    room.run(1_000);
    assert_eq!(room.heard.len(), heard + 1);
    assert_eq!(room.talk.stats().phantom_interruptions, 0);
}

#[test]
fn provider_scenario_44_a_session_that_falls_mute_is_recycled_without_its_handle() {
    for answers in [true, false] {
        let mut room = answering(600);
        let handle = json!({"newHandle": "h", "resumable": true});
        message(&mut room, 0, &json!({"sessionResumptionUpdate": handle}));
        content(&mut room, 0, &json!({"interrupted": true}));
        content(&mut room, 0, &json!({"turnComplete": true}));
        room.run(3_000);
        room.speak(ADA, 200);
        room.run(2_000);
        if answers {
            speech(&mut room, 0, 600);
        }
        room.run(7_000);
        assert_eq!(room.closed.contains(&0), !answers);
        if !answers {
            room.run(1_200);
            let lane = *room.opened.last().unwrap();
            room.sent.clear();
            set_up(&mut room, lane);
            let setup = &room.sent[0].1["setup"];
            assert_eq!(setup["sessionResumption"], json!({}));
            let told = setup["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
            assert!(told.contains("Speaker: Tell me."), "{told}");
        }
    }
}

#[test]
fn words_that_gemini_has_understood_are_not_said_again() {
    let mut room = ready(live());
    room.speak(ADA, 200);
    content(&mut room, 0, &json!({"inputTranscription": {"text": "Hi.", "finished": true}}));
    room.lost(0, &Closed::Lost("reset".into()));
    let lane = room.talk.slots[0].lane.number();
    room.run(1_200);
    set_up(&mut room, lane);
    room.run(1_000);
    assert!(room.appended.iter().all(|(of, ..)| *of != lane));
}

#[test]
fn provider_scenario_45_a_goodbye_resumes_by_handle_and_an_exhausted_context_starts_afresh() {
    let mut room = answering(600);
    content(&mut room, 0, &json!({"generationComplete": true, "turnComplete": true}));
    for handle in ["h1", "h2"] {
        let update = json!({"newHandle": handle, "resumable": true});
        message(&mut room, 0, &json!({ "sessionResumptionUpdate": update }));
    }
    room.run(3_000);
    message(&mut room, 0, &json!({"goAway": {"timeLeft": "50s"}}));
    room.run(20);
    assert!(room.closed.contains(&0), "nothing goes on, so it is left at once");
    let lane = *room.opened.last().unwrap();
    set_up(&mut room, lane);
    let setups: Vec<&Value> = room.sent.iter().map(|(_, event)| &event["setup"]).collect();
    assert_eq!(setups.len(), 1, "the session knows what was said: {:?}", room.sent);
    assert_eq!(setups[0]["sessionResumption"]["handle"], "h2");

    room.sent.clear();
    room.lost(lane, &Closed::Frame { code: 1007, reason: "context".into() });
    room.run(1_200);
    let lane = *room.opened.last().unwrap();
    set_up(&mut room, lane);
    let setup = &room.sent[0].1["setup"];
    assert_eq!(setup["sessionResumption"], json!({}));
    let told = setup["systemInstruction"]["parts"][0]["text"].as_str().unwrap();
    assert!(told.contains("Speaker: Tell me.\nYou: Once upon a time."), "{told}");
    assert_eq!(room.sent.len(), 1, "and is told once");
}

#[test]
fn provider_scenario_45_a_goodbye_in_mid_answer_waits_until_shortly_before_it() {
    let mut room = answering(9_000);
    message(&mut room, 0, &json!({"goAway": {"timeLeft": "5s"}}));
    room.run(2_999);
    assert!(!room.closed.contains(&0));
    room.run(1);
    assert!(room.closed.contains(&0));
    let heard = room.heard.len();
    room.run(1_000);
    assert_eq!(room.heard.len(), heard + 50, "what had come plays out");
}

/// Both sides talk at once; there are no turns and no names for what is said.
#[derive(Debug)]
struct Duplex;

impl Codec for Duplex {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            shape: Shape::Duplex,
            can_cancel: true,
            can_truncate: true,
            can_clear_input: true,
            can_detect_own_turns: false,
            answers_tool_results: true,
            cumulative_transcripts: false,
        }
    }

    fn encode(&mut self, _event_id: &str, command: &Command<'_>, frames: &mut Vec<String>) {
        let word = command.word().unwrap_or("input");
        frames.push(json!({ "type": word }).to_string());
    }

    fn decode(
        &mut self,
        frame: Frame<'_>,
        events: &mut Vec<(String, ServerEvent)>,
    ) -> Result<(), Unreadable> {
        let event = match frame {
            Frame::Text(_) => ServerEvent::SessionUpdated,
            Frame::Binary(bytes) => ServerEvent::Audio(crate::realtime::AudioDelta {
                response: None,
                item: String::new(),
                content_index: 0,
                pcm: bytes.iter().map(|byte| i16::from(*byte)).collect(),
            }),
        };
        events.push(("any".to_owned(), event));
        Ok(())
    }

    fn renew(&mut self) {}

    fn stats(&self) -> DecodeStats {
        DecodeStats::default()
    }
}

#[test]
fn provider_scenario_46_a_duplex_provider_is_never_told_to_cancel_or_truncate() {
    let profile = Profile::Other(|| Box::new(Duplex));
    let mut room = Room::new(ConversationSettings { profile, ..settings() });
    room.talk.handle_provider_opened(room.now, Lane::new(0));
    room.text(0, "ready");
    room.speak(ADA, 200);
    room.talk.handle_provider_binary(room.now, Lane::new(0), &vec![1; 24_000 * 4]);
    room.run(1_000);
    assert!(room.heard.len() >= 50, "it is heard");
    room.start(ADA);
    for _ in 0..50 {
        room.frame(ADA);
        room.run(20);
    }
    room.run(60_000);
    let told: Vec<&Value> = room.sent.iter().map(|(_, event)| &event["type"]).collect();
    assert!(told.iter().all(|word| **word == "input"), "{told:?}");
    assert!(room.journal_has("playback stopped reason=barge-in"), "it is silence here");
}
