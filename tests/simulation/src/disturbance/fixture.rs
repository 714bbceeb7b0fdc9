//! The recordings that speech is made from.

use std::sync::LazyLock;

use clawvoice_voice::realtime::local::read_wav;

macro_rules! recording {
    ($name:literal) => {
        LazyLock::new(|| {
            let wav = include_bytes!(concat!("../../../../fixtures/audio/", $name, ".wav"));
            read_wav(&wav[..]).expect("the fixture is a WAV")
        })
    };
}

pub(super) static COUGH: LazyLock<Vec<i16>> = recording!("cough");
/// What people say to a bot.
pub(super) static ASKED: [LazyLock<Vec<i16>>; 3] =
    [recording!("interrupt"), recording!("ask"), recording!("second")];
/// What a bot says; of people it takes the voice of a third.
pub(super) static ANSWERED: [LazyLock<Vec<i16>>; 3] =
    [recording!("answer"), recording!("clothes"), recording!("listening")];
