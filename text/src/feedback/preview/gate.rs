//! What of an answer that still grows people may see.

/// The rules of delivery that hold for previews as well, as functions.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// Whether a text is the beginning of the word by which the agent says nothing, or all of it.
    pub may_become_silent: fn(&str) -> bool,
    /// The text without what is never sent: envelope, directive tags, traces.
    pub shown: fn(&str) -> String,
    /// The same of what is sent for good, in which there may be more for delivery to read.
    pub sent: fn(&str) -> String,
}

impl Gate {
    /// What may be shown of it by now; `None`: nothing.
    pub(super) fn visible(&self, text: &str) -> Option<String> {
        trimmed(&(self.shown)(text.get(..self.held_from(text)).unwrap_or_default()))
    }

    /// The text as it may be sent if all of it may; `None`: nothing is left.
    pub(super) fn cleaned(&self, text: &str) -> Option<String> {
        trimmed(&(self.sent)(text))
    }

    /// From where on it is held back, in bytes: the last paragraph may yet become silence, after
    /// words that came before a tool was used.
    pub(super) fn held_from(&self, text: &str) -> usize {
        let written = text.trim_end();
        let start = written.rfind("\n\n").map_or(0, |at| at + 2);
        let last = written.get(start..).unwrap_or_default().trim_start();
        if !last.is_empty() && (self.may_become_silent)(last) { start } else { text.len() }
    }
}

/// A line that is indented stays so: it may be code.
fn trimmed(text: &str) -> Option<String> {
    let text = text.trim_end().trim_start_matches(['\n', '\r']);
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::feedback::preview) const GATE: Gate = Gate {
        may_become_silent: |text| "NO_REPLY".starts_with(text),
        shown: |text| text.replace("[[reply_to_current]]", ""),
        sent: |text| text.replace("[[reply_to_current]]", ""),
    };

    #[test]
    fn the_beginning_of_silence_is_held_back() {
        for (text, expected) in [
            ("N", None),
            ("NO_REP", None),
            ("NO_REPLY\n", None),
            ("NO_REPLY, I said", Some("NO_REPLY, I said")),
            ("I look.\n\nNO_", Some("I look.")),
            ("I look.\n\nNO, wrong", Some("I look.\n\nNO, wrong")),
            ("", None),
            (" \n", None),
            ("[[reply_to_current]] ", None),
            ("[[reply_to_current]]Yes", Some("Yes")),
        ] {
            assert_eq!(GATE.visible(text).as_deref(), expected, "{text:?}");
        }
    }
}
