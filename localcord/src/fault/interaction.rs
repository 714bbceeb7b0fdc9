//! Interactions that reach their bot late, twice or not at all.

use serde::{Deserialize, Serialize};

use super::{chance::Tally, percent};

/// The longest of the times here, milliseconds.
const MOST_MS: u32 = 60_000;
/// Copies of one interaction.
const MOST_COPIES: u32 = 10;
/// Sets these random sequences apart from those of other faults.
const SALT: u64 = 1;

/// What happens to INTERACTION_CREATE. The first one of the list that hits decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct InteractionFault {
    /// Only interactions of this kind; all if it is left out.
    #[serde(default)]
    pub kind: Option<InteractionKind>,
    /// Share of them it hits, 0 to 100.
    #[serde(default = "always")]
    pub percent: f64,
    /// How many it hits before it is used up; any number if it is left out.
    #[serde(default)]
    pub times: Option<u32>,
    /// The event comes so many milliseconds late. The three seconds run from the click.
    #[serde(default)]
    pub delay_ms: u32,
    /// At random up to so many milliseconds later still.
    #[serde(default)]
    pub jitter_ms: u32,
    /// How often the event comes again, with the same id and token.
    #[serde(default)]
    pub copies: u32,
    /// How long after the one before each copy comes, milliseconds.
    #[serde(default)]
    pub copy_after_ms: u32,
    /// The event does not come at all, and neither do copies.
    #[serde(default)]
    pub lost: bool,
}

fn always() -> f64 {
    100.0
}

/// Kinds of interactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InteractionKind {
    /// A slash command.
    Command,
    /// A button or a select.
    Component,
    /// An option that is being typed.
    Autocomplete,
    /// A modal that is submitted.
    Modal,
}

impl InteractionKind {
    /// Discord's number ("Interaction Type").
    fn number(self) -> u8 {
        match self {
            Self::Command => 2,
            Self::Component => 3,
            Self::Autocomplete => 4,
            Self::Modal => 5,
        }
    }
}

impl InteractionFault {
    /// Whether all values are in range.
    ///
    /// # Errors
    /// In words, which one is not.
    pub(super) fn check(&self) -> Result<(), String> {
        percent("percent", self.percent)?;
        for (name, ms) in [
            ("delayMs", self.delay_ms),
            ("jitterMs", self.jitter_ms),
            ("copyAfterMs", self.copy_after_ms),
        ] {
            if ms > MOST_MS {
                return Err(format!("`{name}` must be between 0 and {MOST_MS}"));
            }
        }
        if self.copies > MOST_COPIES {
            return Err(format!("`copies` must be between 0 and {MOST_COPIES}"));
        }
        Ok(())
    }

    /// When the event comes, each time.
    fn delays(&self, random: f64) -> Vec<u32> {
        if self.lost {
            return Vec::new();
        }
        let first = self.delay_ms + super::chance::part(self.jitter_ms, random);
        (0..=self.copies).map(|copy| first + copy * self.copy_after_ms).collect()
    }
}

/// When the next interaction of a type comes, in milliseconds and each time; `None`: as ever.
pub(super) fn delays(
    tally: &mut Tally,
    seed: u64,
    faults: &[InteractionFault],
    kind: u8,
) -> Option<Vec<u32>> {
    tally.fit(faults.len());
    faults.iter().enumerate().find_map(|(at, fault)| {
        if fault.kind.is_some_and(|wanted| wanted.number() != kind) {
            return None;
        }
        let random = tally.hit((seed, SALT), at, fault.percent, fault.times)?;
        Some(fault.delays(random))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(value: serde_json::Value) -> Vec<InteractionFault> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_interaction_comes_late_again_or_never() {
        for (fault, expected) in [
            (json!({}), vec![0]),
            (json!({ "delayMs": 500 }), vec![500]),
            (json!({ "copies": 2 }), vec![0, 0, 0]),
            (json!({ "delayMs": 5, "copies": 2, "copyAfterMs": 100 }), vec![5, 105, 205]),
            (json!({ "lost": true, "copies": 2 }), vec![]),
        ] {
            let mut tally = Tally::default();
            let found = delays(&mut tally, 1, &faults(json!([fault.clone()])), 3);
            assert_eq!(found, Some(expected), "{fault}");
        }
        assert_eq!(delays(&mut Tally::default(), 1, &[], 3), None);
    }

    #[test]
    fn kinds_shares_and_numbers_are_kept_and_the_same_again() {
        let modal = faults(json!([{ "kind": "modal", "times": 1, "copies": 1 }]));
        let mut tally = Tally::default();
        assert_eq!(delays(&mut tally, 1, &modal, 3), None);
        assert_eq!(delays(&mut tally, 1, &modal, 5), Some(vec![0, 0]));
        assert_eq!(delays(&mut tally, 1, &modal, 5), None);
        let some = faults(json!([{ "percent": 30, "jitterMs": 100 }]));
        let run = |seed: u64| {
            let mut tally = Tally::default();
            (0..200).map(|_| delays(&mut tally, seed, &some, 3)).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hit = run(7).iter().flatten().count();
        assert!((30..90).contains(&hit), "{hit}");
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for fault in [
            json!({ "percent": 101 }),
            json!({ "delayMs": 60_001 }),
            json!({ "jitterMs": 60_001 }),
            json!({ "copyAfterMs": 60_001 }),
            json!({ "copies": 11 }),
        ] {
            assert!(faults(json!([fault.clone()]))[0].check().is_err(), "{fault}");
        }
        assert!(faults(json!([{ "copies": 10, "delayMs": 60_000 }]))[0].check().is_ok());
    }
}
