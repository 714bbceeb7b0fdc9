//! Messages of Gemini Live, one per line, on one connection; what is said to it in between.
//!
//! A line that begins with `>` is sent to the server: `>a` audio, `>c` the end of a turn, `>t…`
//! words, `>r…` the result of a call, `>x` a lost connection, `>7` one closed for its context.
#![no_main]

use clawvoice_voice::realtime::{
    Closed, Codec as _, Command, Frame, ServerEvent, SessionSettings, TurnDetection,
    gemini::{Gemini, Profile},
};

fn configure(codec: &mut Gemini, own_turns: bool) -> Vec<String> {
    let turn_detection = match own_turns {
        true => TurnDetection::Own,
        false => TurnDetection::Server {
            threshold: 0.5,
            prefix_padding_ms: 300,
            silence_duration_ms: 500,
            create_response: true,
            interrupt_response: true,
        },
    };
    let settings = SessionSettings {
        model: "m",
        instructions: "Be brief.",
        voice: "",
        transcription_model: None,
        turn_detection,
        tools: &[],
        history: &[],
    };
    let mut frames = Vec::new();
    codec.encode("", &Command::Configure(settings), &mut frames);
    assert_eq!(frames.len(), 1);
    frames
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let own_turns = text.starts_with('!');
    let mut codec = Gemini::new(Profile::default());
    configure(&mut codec, own_turns);
    let mut unreadable = 0;
    for line in text.lines() {
        let mut frames = Vec::new();
        let mut events = Vec::new();
        match line.strip_prefix('>') {
            Some(command) => {
                let rest = command.get(1..).unwrap_or_default();
                match command.chars().next() {
                    Some('a') => codec.encode("", &Command::Append(&[7; 480]), &mut frames),
                    Some('c') => codec.encode("", &Command::Commit, &mut frames),
                    Some('t') => codec.encode("", &Command::Say { text: rest }, &mut frames),
                    Some('r') => {
                        let result = Command::ToolResult { call_id: rest, name: rest, output: rest };
                        codec.encode("", &result, &mut frames);
                    }
                    Some(end @ ('x' | '7')) => {
                        let code = if end == '7' { 1_007 } else { 1_001 };
                        codec.handle_closed(&Closed::Frame { code, reason: String::new() });
                        codec.renew();
                        unreadable = 0;
                        frames = configure(&mut codec, own_turns);
                    }
                    _ => {}
                }
            }
            None => {
                let frame = match line.len() % 2 {
                    0 => Frame::Text(line),
                    _ => Frame::Binary(line.as_bytes()),
                };
                unreadable += u64::from(codec.decode(frame, &mut events).is_err());
            }
        }
        for frame in frames {
            let sent: serde_json::Value = serde_json::from_str(&frame).expect("a JSON message");
            assert_eq!(sent.as_object().map(serde_json::Map::len), Some(1), "{frame}");
        }
        let (mut begun, mut ended) = (0, 0);
        for (kind, event) in events {
            assert!(!kind.is_empty() || event == ServerEvent::Unknown);
            match event {
                ServerEvent::Audio(delta) => assert!(delta.pcm.len() <= line.len()),
                ServerEvent::ResponseCreated { response, .. } => {
                    assert!(response.is_some());
                    begun += 1;
                }
                ServerEvent::ResponseDone { .. } => ended += 1,
                _ => {}
            }
        }
        assert!(begun <= 1 + ended, "responses overlap");
    }
    assert_eq!(codec.stats().unreadable, unreadable);
});
