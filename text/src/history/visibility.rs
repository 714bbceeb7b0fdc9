//! `contextVisibility`: whose words beside the sender's the agent is shown.

use clawvoice_config::ContextVisibility;

use super::Entry;

/// What is shown beside a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The message it answers.
    Quote,
    /// The first message of the thread.
    Starter,
    /// What was said before.
    History,
}

/// Whether a part is shown. `is_allowed`: whether whoever wrote it may talk to the agent.
pub fn is_shown(
    visibility: ContextVisibility,
    part: Part,
    is_allowed: impl FnOnce() -> bool,
) -> bool {
    match visibility {
        ContextVisibility::All => true,
        ContextVisibility::AllowlistQuote if part == Part::Quote => true,
        ContextVisibility::Allowlist | ContextVisibility::AllowlistQuote => is_allowed(),
    }
}

/// The messages before it that are shown.
pub fn shown(
    mut entries: Vec<Entry>,
    visibility: ContextVisibility,
    is_allowed: impl Fn(&Entry) -> bool,
) -> Vec<Entry> {
    entries.retain(|entry| is_shown(visibility, Part::History, || is_allowed(entry)));
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_shown() {
        use ContextVisibility::{All, Allowlist, AllowlistQuote};
        let parts = [Part::Quote, Part::Starter, Part::History];
        for (visibility, of_strangers) in [
            (All, [true, true, true]),
            (Allowlist, [false, false, false]),
            (AllowlistQuote, [true, false, false]),
        ] {
            let shown = |allowed| parts.map(|part| is_shown(visibility, part, || allowed));
            assert_eq!(shown(false), of_strangers, "{visibility:?}");
            assert_eq!(shown(true), [true; 3], "{visibility:?}");
        }
    }
}
