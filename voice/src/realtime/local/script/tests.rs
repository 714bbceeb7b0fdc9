//! Scripts read, and scripts refused.

use super::*;

fn parse(text: &str) -> Result<Script, ScriptError> {
    Script::parse(
        text,
        |path| {
            if path == "a.wav" { Ok(vec![1, 2]) } else { Err("not found".to_owned()) }
        },
    )
}

#[test]
fn every_kind_of_step_is_read() {
    let script = parse(
        "{ atEnd: 'last', turns: [
            { heard: 'hi', reply: { wav: 'a.wav', transcript: 'A.' } },
            { reply: [{ stallMs: 5, toolCall: { name: 'f', arguments: { x: 1 } } }, { stallMs: 7 }] },
            { reply: { error: { code: 'c', message: 'm' } } },
            { reply: { close: 1011 } },
        ] }",
    )
    .expect("a valid script");
    let audio =
        Step::Audio { samples: vec![1, 2].into(), transcript: "A.".into(), pace: Pace::default() };
    let turn = |heard: Option<&str>, steps| Turn {
        heard: heard.map(str::to_owned),
        steps,
        ..Turn::default()
    };
    assert_eq!(script.turn(0), Some(&turn(Some("hi"), vec![audio])));
    let call = Step::ToolCall { name: "f".into(), arguments: "{\"x\":1}".into() };
    let stall = |ms| Step::Stall(Duration::from_millis(ms));
    assert_eq!(script.turn(1), Some(&turn(None, vec![stall(5), call, stall(7)])));
    let fail = Step::Fail { code: "c".into(), message: "m".into() };
    assert_eq!(script.turn(2), Some(&turn(None, vec![fail])));
    assert_eq!(script.turn(3), Some(&turn(None, vec![Step::Close(1_011)])));
}

#[test]
fn the_end_follows_the_policy() {
    let heard = |at_end: &str, index| {
        let text = format!(
            "{{ atEnd: '{at_end}', turns: [{{ heard: 'a', reply: {{ stallMs: 1 }} }}, \
             {{ heard: 'b', reply: {{ stallMs: 1 }} }}] }}"
        );
        let script = parse(&text).expect("a valid script");
        script.turn(index).and_then(|turn| turn.heard.clone())
    };
    assert_eq!(heard("repeat", 2).as_deref(), Some("a"));
    assert_eq!(heard("last", 2).as_deref(), Some("b"));
    assert_eq!(heard("silent", 2), None);
}

#[test]
fn a_connection_takes_its_own_turns_and_those_of_all() {
    let script = parse(
        "{ atEnd: 'silent', turns: [
            { connection: 0, heard: 'a', reply: { stallMs: 1 } },
            { heard: 'b', reply: { stallMs: 1 } },
            { connection: 1, heard: 'c', reply: { stallMs: 1 } },
        ] }",
    )
    .expect("a valid script");
    for (number, expected) in [(0, vec!["a", "b"]), (1, vec!["b", "c"]), (2, vec!["b"])] {
        let own = script.of_connection(number);
        let heard: Vec<_> = (0..3).filter_map(|turn| own.turn(turn)?.heard.clone()).collect();
        assert_eq!(heard, expected, "connection {number}");
    }
    let only = parse("{ turns: [{ connection: 3, reply: { stallMs: 1 } }] }");
    assert_eq!(only.expect("a valid script").of_connection(0).turn(0), None);
}

#[test]
fn wrong_scripts_say_where() {
    for (text, message) in [
        ("{ turns: [] }", "turns: needs at least one turn, or connections a scenario"),
        (
            "{ turns: [{ reply: {} }] }",
            "turns[0].reply[0]: says nothing: give wav, tone, say, toolCall, error, close or stallMs",
        ),
        ("{ turns: [{ reply: { wav: 'b.wav' } }] }", "turns[0].reply[0]: wav \"b.wav\": not found"),
        (
            "{ turns: [{ reply: { transcript: 'x', stallMs: 1 } }] }",
            "turns[0].reply[0]: transcript: needs a wav or a tone",
        ),
        (
            "{ turns: [{ reply: [{ stallMs: 1 }, { close: 1000, wav: 'a.wav' }] }] }",
            "turns[0].reply[1]: more than one of wav, tone, say, toolCall, error and close: write a list",
        ),
        (
            "{ turns: [{ reply: { close: 7 } }] }",
            "turns[0].reply[0]: close: a websocket close code, 1000 to 4999",
        ),
    ] {
        assert_eq!(parse(text).expect_err("refused").to_string(), message);
    }
    let unknown = parse("{ turn: [] }").expect_err("refused").to_string();
    assert!(unknown.starts_with("unknown field `turn`"), "{unknown}");
    let broken = parse("{\n  turns: [ }").expect_err("refused").to_string();
    assert!(broken.ends_with("on line 2 column 12"), "{broken}");
}

#[test]
fn every_kind_of_sound_is_read() {
    let script = parse(
        "{ voice: 'tones', heardBy: { 'a.wav': 'words' }, turns: [
            { reply: { tone: 440, ms: 100, transcript: 'beep', chunkMs: 20, speed: 2 } },
            { needsToolOutput: true, reply: { say: 'It is {toolOutput}.' } },
        ] }",
    )
    .expect("a valid script");
    let tone = script.turn(0).map(|turn| &turn.steps[..]);
    let Some([Step::Audio { samples, pace, .. }]) = tone else { panic!("{tone:?}") };
    assert_eq!(samples.len(), 2_400);
    assert_eq!(*pace, Pace { chunk_ms: Some(20), speed: Some(2.0) });
    let say = script.turn(1).expect("a turn");
    assert!(say.needs_tool_output);
    let placeholders = Placeholders { heard: String::new(), tool_output: "noon".to_owned() };
    let said = Step::Say { text: "It is noon.".to_owned(), pace: Pace::default() };
    assert_eq!(placeholders.fill(&say.steps[0]), said);
    assert_eq!(script.voice(Voice::Owner), Voice::Tones);
}

#[test]
fn placeholders_keep_arguments_json() {
    let placeholders = Placeholders { heard: "a \"b\"\n".to_owned(), tool_output: String::new() };
    let call = Step::ToolCall { name: "f".to_owned(), arguments: "{\"q\":\"{heard}\"}".to_owned() };
    let Step::ToolCall { arguments, .. } = placeholders.fill(&call) else { panic!("a call") };
    let arguments: Value = serde_json::from_str(&arguments).expect("JSON");
    assert_eq!(arguments["q"], "a \"b\"\n");
}

#[test]
fn every_kind_of_scenario_step_is_read() {
    let script = parse(
        "{ connections: [
            { connection: 2, steps: [
                { fault: { httpStatus: { status: 429, retryAfter: 3 } } },
            ] },
            { steps: [
                { expect: { type: 'session.update', where: { '/session/type': 'realtime' } } },
                { wait: { audioMs: 20 } }, { wait: { ms: 5 } }, { wait: { clientEvent: 'x' } },
                { wait: 'idle' },
                { audio: { wav: 'a.wav' } }, { respond: [{ stallMs: 1 }, { close: 1000 }] },
                { send: { type: 'y' } }, { send: 'raw' },
                { fault: 'dropTcp' }, { fault: { close: 1011 } }, { fault: 'expire' },
                { fault: { stall: 7 } }, { fault: 'unknownEvent' }, { fault: { hugeDelta: 9 } },
                { fault: 'badBase64' }, { fault: 'oddBytes' }, { fault: 'splitUtf8' },
                { fault: 'duplicate' }, { fault: { reorder: [1, 2] } },
                { fault: { legacyNames: true } },
                { assert: { truncateMs: 3000, within: 20 } },
                { assert: { event: 'response.cancel', times: 0 } },
            ] },
        ] }",
    )
    .expect("a valid script");
    assert!(!script.answers());
    assert_eq!((script.refusal(2), script.refusal(0)), (Some((429, Some(3))), None));
    let scenario = script.of_connection(0).own_scenario().expect("the general one");
    assert_eq!((scenario.connection, scenario.place.as_str()), (None, "connections[1]"));
    assert_eq!(scenario.steps.len(), 23);
    let Action::Expect(pattern, within) = &scenario.steps[0] else { panic!("{scenario:?}") };
    assert_eq!(*within, Duration::from_secs(10));
    let event = serde_json::json!({ "type": "session.update", "session": { "type": "realtime" } });
    assert!(pattern.fits(&event));
    assert!(!pattern.fits(&serde_json::json!({ "type": "session.update" })));
    assert_eq!(scenario.steps[1], Action::Wait(Wait::Samples(480)));
    assert_eq!(scenario.steps[19], Action::Fault(Fault::Reorder(1, 2)));
}

#[test]
fn wrong_scenarios_say_where() {
    for (steps, message) in [
        ("{ wait: 1 }", "connections[0].steps[1]: "),
        ("{ waiting: 1 }", "connections[0].steps[1]: unknown variant `waiting`"),
        ("{ send: {} }", "connections[0].steps[1]: send: an event with a type, or a text"),
        ("{ audio: { ms: 1 } }", "connections[0].steps[1].respond[0]: ms: belongs to a tone"),
        ("{ fault: { reorder: [2, 1] } }", "connections[0].steps[1]: reorder: [the late delta"),
        (
            "{ fault: { httpStatus: { status: 401 } } }",
            "connections[0].steps[1]: httpStatus: only as the first step",
        ),
        ("{ fault: { close: 9 } }", "connections[0].steps[1]: close: a websocket close code"),
        ("{ fault: { stall: 9000000 } }", "connections[0].steps[1]: at most 600000 ms"),
        ("{ assert: {} }", "connections[0].steps[1]: assert: {truncateMs, within}"),
        (
            "{ expect: { type: 'x', where: { a: 1 } } }",
            "connections[0].steps[1]: where: \"a\" is no JSON pointer",
        ),
    ] {
        let text = format!("{{ connections: [{{ steps: [{{ wait: 'idle' }}, {steps}] }}] }}");
        let refused = parse(&text).expect_err("refused").to_string();
        assert!(refused.starts_with(message), "{refused}");
    }
    let twice = parse("{ connections: [{ steps: [] }, { steps: [] }] }").expect_err("refused");
    assert_eq!(twice.to_string(), "connections[1]: a second scenario of the same connection");
    let unheard = parse("{ heardBy: { 'b.wav': '' }, turns: [{ reply: { stallMs: 1 } }] }");
    assert_eq!(unheard.expect_err("refused").to_string(), "heardBy \"b.wav\": not found");
}
