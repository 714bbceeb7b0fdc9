//! The rules of interruption: whether an answer stops, and what the provider is told of it.

use crate::timeline::millis;

/// Decoded audio has been measured up to 85 ms longer than the provider's own figure for the same
/// item (pipecat issue 2106), and an offset beyond the item is refused: stay this far from its end.
const END_MARGIN_MS: u64 = 85;

/// What an interruption meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Barge-in is off.
    Disabled,
    /// Nothing plays.
    NothingPlaying,
    /// Too little of the answer was heard (in ms): likely echo. It goes on.
    TooEarly(u64),
    /// The answer stops.
    Stop,
}

/// Judges an interruption. `heard` is how much of the answer the room has heard, in samples, or
/// `None` if there is no answer.
pub(crate) fn judge(enabled: bool, heard: Option<u64>, min_audio_end_ms: u32) -> Verdict {
    match heard {
        _ if !enabled => Verdict::Disabled,
        None => Verdict::NothingPlaying,
        Some(samples) if millis(samples) < u64::from(min_audio_end_ms) => {
            Verdict::TooEarly(millis(samples))
        }
        Some(_) => Verdict::Stop,
    }
}

/// How far an item of an answer got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ItemProgress {
    pub(crate) id: String,
    pub(crate) content_index: u32,
    /// Samples that came from the provider.
    pub(crate) received: u64,
    /// Samples that the call has taken.
    pub(crate) heard: u64,
}

/// What makes the provider's history hold what was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Cut the item's audio and transcript.
    Truncate { item: String, content_index: u32, audio_end_ms: u64 },
    /// Nothing was heard of the item: take it out.
    Delete { item: String },
}

/// The repairs after an answer was stopped. `items` in playback order; `done` if the provider had
/// generated all of it.
///
/// An item that was heard to its end stays as it is: truncating it would erase a transcript that
/// was heard.
pub(crate) fn repairs(items: &[ItemProgress], done: bool) -> Vec<Repair> {
    let mut repairs = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if item.id.is_empty() {
            continue;
        }
        let is_whole = done || items.iter().skip(index + 1).any(|later| later.received > 0);
        if item.heard == 0 {
            repairs.push(Repair::Delete { item: item.id.clone() });
        } else if item.heard < item.received || !is_whole {
            let end = millis(item.received).saturating_sub(END_MARGIN_MS).max(1);
            repairs.push(Repair::Truncate {
                item: item.id.clone(),
                content_index: item.content_index,
                audio_end_ms: millis(item.heard).min(end),
            });
        }
    }
    repairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, received_ms: u64, heard_ms: u64) -> ItemProgress {
        ItemProgress {
            id: id.into(),
            content_index: 0,
            received: received_ms * 24,
            heard: heard_ms * 24,
        }
    }

    fn truncate(id: &str, audio_end_ms: u64) -> Repair {
        Repair::Truncate { item: id.into(), content_index: 0, audio_end_ms }
    }

    fn delete(id: &str) -> Repair {
        Repair::Delete { item: id.into() }
    }

    #[test]
    fn the_minimum_decides_by_what_was_heard() {
        for (enabled, heard_ms, min, expected) in [
            (false, Some(3_000), 0, Verdict::Disabled),
            (true, None, 250, Verdict::NothingPlaying),
            (true, Some(100), 250, Verdict::TooEarly(100)),
            (true, Some(249), 250, Verdict::TooEarly(249)),
            (true, Some(250), 250, Verdict::Stop),
            (true, Some(0), 0, Verdict::Stop),
        ] {
            let heard = heard_ms.map(|ms: u64| ms * 24);
            assert_eq!(judge(enabled, heard, min), expected, "{heard_ms:?} of {min}");
        }
    }

    #[test]
    fn history_is_cut_to_what_was_heard() {
        let cases: [(&str, Vec<ItemProgress>, bool, Vec<Repair>); 8] = [
            ("mid-answer", vec![item("a", 9_000, 3_000)], false, vec![truncate("a", 3_000)]),
            ("done, 4 s queued", vec![item("a", 9_000, 5_000)], true, vec![truncate("a", 5_000)]),
            ("heard whole", vec![item("a", 9_000, 9_000)], true, vec![]),
            ("no audio", vec![item("a", 0, 0)], false, vec![delete("a")]),
            (
                "second of three",
                vec![item("a", 1_000, 1_000), item("b", 4_000, 700), item("c", 2_000, 0)],
                false,
                vec![truncate("b", 700), delete("c")],
            ),
            // Never closer to the end than the margin.
            ("at the very end", vec![item("a", 5_000, 4_980)], true, vec![truncate("a", 4_915)]),
            ("starved", vec![item("a", 2_000, 2_000)], false, vec![truncate("a", 1_915)]),
            ("tiny", vec![item("a", 40, 20)], false, vec![truncate("a", 1)]),
        ];
        for (name, items, done, expected) in cases {
            assert_eq!(repairs(&items, done), expected, "{name}");
        }
    }
}
