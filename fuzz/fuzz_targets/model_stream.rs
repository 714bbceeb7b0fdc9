//! A model's answer as an event stream or as one document, of either API, cut into pieces.
#![no_main]

use clawvoice_fuzz::Input;
use clawvoice_session::brain::{
    AnswerBody, Api, Assembly, Ending, ModelAnswer, ModelEvent, ModelFailure,
};

/// What was told, and how it ended.
type Told = (String, Result<ModelAnswer, ModelFailure>);

fn read<'b>(api: Api, pieces: impl Iterator<Item = &'b [u8]>) -> Told {
    let mut body = AnswerBody::new(Assembly::new(api));
    let mut text = String::new();
    let mut answer = None;
    let mut hear = |body: &mut AnswerBody| {
        while let Some(event) = body.assembly().poll_event() {
            assert!(answer.is_none(), "something is told after the end");
            match event {
                ModelEvent::Text(piece) => text.push_str(&piece),
                ModelEvent::Done(done) => answer = Some(done),
            }
        }
    };
    let mut outcome = Ok(());
    for piece in pieces {
        outcome = body.handle_bytes(piece);
        if outcome.is_err() {
            break;
        }
        hear(&mut body);
    }
    outcome = outcome.and_then(|()| body.handle_end());
    if outcome.is_ok() {
        hear(&mut body);
    }
    let ended = outcome.map(|()| answer.expect("an end was handled without an answer"));
    (text, ended)
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let api = if input.flag() { Api::Responses } else { Api::Completions };
    let size = usize::from(input.byte()).max(1);
    let stream = bytes.get(2..).unwrap_or_default();
    let (text, ended) = read(api, stream.chunks(size));
    if let Ok(answer) = &ended {
        assert_eq!(answer.text, text, "the pieces are not the answer");
        assert!(answer.ending == Ending::Whole || answer.runnable().is_empty());
        for call in answer.runnable() {
            assert!(!call.id.is_empty() && !call.name.is_empty());
        }
    }
    // How it was cut makes no difference to what comes of it.
    let (whole_text, whole_ended) = read(api, std::iter::once(stream));
    assert_eq!(ended, whole_ended);
    if ended.is_ok() {
        assert_eq!(text, whole_text);
    }
});
