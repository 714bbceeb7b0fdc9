//! Faults of a scenario script, done to what leaves the session.
//!
//! A fault is either an act at once (a close, a lost socket, an unknown event) or it waits here for
//! the next event it can be done to (a delta whose base64 is broken).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::emitter::Output;

const AUDIO_DELTA: &str = "response.output_audio.delta";

/// What goes wrong on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The TCP connection ends without a close frame.
    DropTcp,
    /// The websocket closes with this code.
    Close(u16),
    /// The session's time is over: `session_expired`, then close 1001.
    Expire,
    /// Nothing leaves for so long; what came meanwhile follows at once.
    Stall(Duration),
    /// An event of a type that does not exist.
    UnknownEvent,
    /// An audio delta of silence whose base64 has this many characters, to the newest item.
    HugeDelta(usize),
    /// The next audio delta is no base64.
    BadBase64,
    /// The next audio delta ends in the middle of a sample; the rest is in the one after it.
    OddBytes,
    /// The next event with a character outside ASCII comes in two websocket frames, cut within it.
    SplitUtf8,
    /// The next event comes twice.
    Duplicate,
    /// Of the audio deltas from now on, counted from 1, the first named follows the second.
    Reorder(u32, u32),
    /// Whether events have the names of the beta protocol from now on.
    LegacyNames(bool),
    /// The upgrade is refused. Only as a script's first step.
    HttpStatus {
        /// The status, 300 to 599.
        status: u16,
        /// Seconds of the `Retry-After` header; `None`: no such header.
        retry_after: Option<u32>,
    },
}

/// The faults that wait for their event.
#[derive(Debug, Default)]
pub(super) struct Faults {
    bad_base64: bool,
    odd_bytes: OddBytes,
    split_utf8: bool,
    duplicate: bool,
    reorder: Option<Reorder>,
    legacy_names: bool,
}

#[derive(Debug, Default)]
enum OddBytes {
    #[default]
    Off,
    Wanted,
    Held(u8),
}

#[derive(Debug)]
struct Reorder {
    late: u32,
    after: u32,
    seen: u32,
    held: Option<Value>,
}

impl Faults {
    /// Takes a fault that waits for an event; gives back one that is an act.
    pub(super) fn arm(&mut self, fault: Fault) -> Option<Fault> {
        match fault {
            Fault::BadBase64 => self.bad_base64 = true,
            Fault::OddBytes => self.odd_bytes = OddBytes::Wanted,
            Fault::SplitUtf8 => self.split_utf8 = true,
            Fault::Duplicate => self.duplicate = true,
            Fault::Reorder(late, after) => {
                self.reorder = Some(Reorder { late, after, seen: 0, held: None });
            }
            Fault::LegacyNames(on) => self.legacy_names = on,
            act => return Some(act),
        }
        None
    }

    /// What leaves in the place of `event`, in order.
    pub(super) fn distort(&mut self, mut event: Value) -> Vec<Output> {
        if event["type"] == AUDIO_DELTA {
            self.spoil_audio(&mut event);
        }
        let mut outputs = Vec::with_capacity(1);
        for mut event in self.reorder(event) {
            if self.legacy_names && !rename(&mut event) {
                continue;
            }
            let frame = self.frame(event.to_string());
            if std::mem::take(&mut self.duplicate) {
                outputs.push(frame.clone());
            }
            outputs.push(frame);
        }
        outputs
    }

    fn spoil_audio(&mut self, event: &mut Value) {
        let text = event["delta"].as_str().unwrap_or_default();
        match std::mem::take(&mut self.odd_bytes) {
            OddBytes::Off => {}
            OddBytes::Wanted => {
                let mut bytes = STANDARD.decode(text).unwrap_or_default();
                if let Some(last) = bytes.pop() {
                    self.odd_bytes = OddBytes::Held(last);
                }
                event["delta"] = STANDARD.encode(bytes).into();
            }
            OddBytes::Held(first) => {
                let mut bytes = vec![first];
                bytes.extend(STANDARD.decode(text).unwrap_or_default());
                event["delta"] = STANDARD.encode(bytes).into();
            }
        }
        if std::mem::take(&mut self.bad_base64) {
            event["delta"] = format!("*{}", event["delta"].as_str().unwrap_or_default()).into();
        }
    }

    /// Holds the delta that is to be late until the one it is to follow has gone, or the response
    /// is about to end.
    fn reorder(&mut self, event: Value) -> Vec<Value> {
        let Some(reorder) = &mut self.reorder else { return vec![event] };
        if event["type"] == "response.done" {
            let held = reorder.held.take();
            self.reorder = None;
            return held.into_iter().chain([event]).collect();
        }
        if event["type"] != AUDIO_DELTA {
            return vec![event];
        }
        reorder.seen += 1;
        if reorder.seen == reorder.late {
            reorder.held = Some(event);
            return Vec::new();
        }
        if reorder.seen == reorder.after {
            let held = reorder.held.take();
            self.reorder = None;
            return [event].into_iter().chain(held).collect();
        }
        vec![event]
    }

    fn frame(&mut self, text: String) -> Output {
        let cut = text.bytes().position(|byte| byte >= 0x80).filter(|_| self.split_utf8);
        let Some(cut) = cut else { return Output::Text(text) };
        self.split_utf8 = false;
        let mut first = text.into_bytes();
        let second = first.split_off(cut + 1);
        Output::Fragments(first, second)
    }
}

/// Gives an event its name of the beta protocol; `false` if that had no such event.
fn rename(event: &mut Value) -> bool {
    let kind = event["type"].as_str().unwrap_or_default();
    let legacy = match kind {
        "conversation.item.done" => return false,
        "conversation.item.added" => "conversation.item.created".to_owned(),
        other => other
            .replace("response.output_audio.", "response.audio.")
            .replace("response.output_audio_transcript.", "response.audio_transcript.")
            .replace("response.output_text.", "response.text."),
    };
    event["type"] = legacy.into();
    if let Some(item) = event.get_mut("item") {
        rename_parts(item);
    }
    if let Some(items) = event.pointer_mut("/response/output").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(rename_parts);
    }
    true
}

fn rename_parts(item: &mut Value) {
    for part in item["content"].as_array_mut().into_iter().flatten() {
        match part["type"].as_str() {
            Some("output_audio") => part["type"] = "audio".into(),
            Some("output_text") => part["type"] = "text".into(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delta(bytes: &[u8]) -> Value {
        json!({ "type": AUDIO_DELTA, "delta": STANDARD.encode(bytes) })
    }

    fn events(outputs: Vec<Output>) -> Vec<Value> {
        let text = |output| match output {
            Output::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?}"),
        };
        outputs.into_iter().map(text).collect()
    }

    fn armed(fault: Fault) -> Faults {
        let mut faults = Faults::default();
        assert_eq!(faults.arm(fault), None);
        faults
    }

    #[test]
    fn one_delta_is_spoilt_and_the_next_is_whole() {
        let mut faults = armed(Fault::BadBase64);
        let other = json!({ "type": "response.created" });
        assert_eq!(events(faults.distort(other.clone())), [other]);
        let spoilt = events(faults.distort(delta(&[1, 2])));
        assert!(STANDARD.decode(spoilt[0]["delta"].as_str().expect("text")).is_err());
        assert_eq!(events(faults.distort(delta(&[3, 4]))), [delta(&[3, 4])]);
    }

    #[test]
    fn a_stray_byte_moves_to_the_next_delta() {
        let mut faults = armed(Fault::OddBytes);
        assert_eq!(events(faults.distort(delta(&[1, 2, 3, 4]))), [delta(&[1, 2, 3])]);
        assert_eq!(events(faults.distort(delta(&[5, 6]))), [delta(&[4, 5, 6])]);
        assert_eq!(events(faults.distort(delta(&[7, 8]))), [delta(&[7, 8])]);
    }

    #[test]
    fn a_late_delta_follows_the_one_named_or_comes_before_the_end() {
        let mut faults = armed(Fault::Reorder(1, 3));
        let sent: Vec<Value> =
            (1..=4).flat_map(|n| events(faults.distort(delta(&[n, 0])))).collect();
        assert_eq!(sent, [2, 3, 1, 4].map(|n| delta(&[n, 0])));

        let mut faults = armed(Fault::Reorder(1, 9));
        assert_eq!(events(faults.distort(delta(&[1, 0]))), Vec::<Value>::new());
        let done = json!({ "type": "response.done" });
        assert_eq!(events(faults.distort(done.clone())), [delta(&[1, 0]), done]);
    }

    #[test]
    fn a_message_is_cut_within_a_character() {
        let mut faults = armed(Fault::SplitUtf8);
        let plain = json!({ "delta": "plain" });
        assert_eq!(events(faults.distort(plain.clone())), [plain]);
        let outputs = faults.distort(json!({ "delta": "naïve" }));
        let [Output::Fragments(first, second)] = &outputs[..] else { panic!("{outputs:?}") };
        assert!(std::str::from_utf8(first).is_err() && std::str::from_utf8(second).is_err());
        let whole = String::from_utf8([&first[..], second].concat()).expect("whole again");
        assert_eq!(whole, "{\"delta\":\"naïve\"}");
    }

    #[test]
    fn the_next_event_comes_twice() {
        let mut faults = armed(Fault::Duplicate);
        assert_eq!(events(faults.distort(delta(&[1, 0]))), [delta(&[1, 0]), delta(&[1, 0])]);
        assert_eq!(events(faults.distort(delta(&[2, 0]))), [delta(&[2, 0])]);
    }

    #[test]
    fn names_are_those_of_the_beta_until_it_is_switched_off() {
        let mut faults = armed(Fault::LegacyNames(true));
        assert_eq!(faults.distort(json!({ "type": "conversation.item.done" })), []);
        for (name, legacy) in [
            ("response.output_audio.delta", "response.audio.delta"),
            ("response.output_audio_transcript.done", "response.audio_transcript.done"),
            ("response.output_text.delta", "response.text.delta"),
            ("conversation.item.added", "conversation.item.created"),
            ("response.done", "response.done"),
        ] {
            let renamed = events(faults.distort(json!({ "type": name, "delta": "" })));
            assert_eq!(renamed[0]["type"], legacy);
        }
        let item = json!({ "content": [{ "type": "output_audio" }] });
        let added = json!({ "type": "response.output_item.done", "item": item });
        assert_eq!(events(faults.distort(added))[0]["item"]["content"][0]["type"], "audio");
        faults.arm(Fault::LegacyNames(false));
        assert_eq!(events(faults.distort(delta(&[])))[0]["type"], "response.output_audio.delta");
    }

    #[test]
    fn acts_are_given_back() {
        assert_eq!(Faults::default().arm(Fault::DropTcp), Some(Fault::DropTcp));
        assert_eq!(Faults::default().arm(Fault::Close(1_011)), Some(Fault::Close(1_011)));
    }
}
