//! What the agent says, as messages: two bytes for the longest message, one for its lines, one for
//! the rest of the settings, then the text.
#![no_main]

use std::collections::BTreeMap;

use clawvoice_config::{ChunkMode, MarkdownTables};
use clawvoice_fuzz::Input;
use clawvoice_session::UserId;
use clawvoice_text::delivery::{
    Handles, KnownHandles,
    chunk::{ChunkLimits, chunk},
    media_lines,
    prepare::{TextSettings, prepare},
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let units = usize::from(input.u16() % 2_100);
    let lines = usize::from(input.below(40));
    let rest = input.byte();
    let mode = if rest & 1 == 0 { ChunkMode::Length } else { ChunkMode::Newline };
    let limits = ChunkLimits::of(units, lines, mode);
    let text = String::from_utf8_lossy(input.rest());
    let longest = units.clamp(2, 2_000);
    for message in chunk(&text, &limits) {
        // A grapheme that is longer than a message is cut, but no character is.
        assert!(message.encode_utf16().count() <= longest, "{message:?}");
        assert!(!message.trim().is_empty(), "an empty message");
    }
    let (kept, sources) = media_lines::take(&text);
    assert!(kept.len() <= text.len() && sources.len() <= text.lines().count(), "{sources:?}");
    assert!(media_lines::hide(&text).len() <= kept.len(), "more is shown than sent");
    let mut known = KnownHandles::default();
    known.put(UserId::new(7), "ada");
    let tables = [MarkdownTables::Off, MarkdownTables::Bullets, MarkdownTables::Code];
    let settings = TextSettings {
        limits,
        tables: tables[usize::from(rest >> 1) % tables.len()],
        handles: Handles { aliases: &BTreeMap::new(), known: &known },
        prefix: (rest & 128 != 0).then_some("[Molty]"),
    };
    let prepared = prepare(&text, &settings);
    assert!(!prepared.is_silent || prepared.chunks.is_empty(), "silence that is sent");
    for message in &prepared.chunks {
        assert!(message.encode_utf16().count() <= longest, "{message:?}");
        assert!(!message.trim().is_empty(), "an empty message");
    }
});
