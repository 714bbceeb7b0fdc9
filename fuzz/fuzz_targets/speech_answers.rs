//! What transcribers and synthesizers answer: any bytes, in any pieces, end in words, samples or
//! an error, and the pieces make no difference.
#![no_main]

use clawvoice_voice::batch::{
    pcm::{PcmStream, SilenceTrim},
    transcript::{read_refusal, read_transcript},
};

fn read<'d>(pieces: impl Iterator<Item = &'d [u8]>) -> Option<Vec<i16>> {
    let mut stream = PcmStream::default();
    let mut pcm = Vec::new();
    for piece in pieces {
        stream.push(piece, &mut pcm).ok()?;
    }
    stream.finish(&mut pcm).ok()?;
    Some(pcm)
}

libfuzzer_sys::fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = read(std::iter::once(bytes));
    assert_eq!(whole, read(bytes.chunks(usize::from(size).max(1))));
    if let Some(pcm) = whole {
        // At most six times the rate of 4 kHz mono.
        assert!(pcm.len() <= 3 * bytes.len() + 8, "{} samples", pcm.len());
        let (mut trim, mut trimmed) = (SilenceTrim::default(), Vec::new());
        trim.push(&pcm, &mut trimmed);
        trim.finish(&mut trimmed);
        assert!(trimmed.len() <= pcm.len());
    }
    let text = String::from_utf8_lossy(bytes);
    for kind in ["application/json", "text/plain", "text/event-stream"] {
        let _ = read_transcript(kind, &text);
    }
    let refusal = read_refusal(401, &text);
    assert_eq!(refusal.message, "HTTP 401: the key was refused");
});
