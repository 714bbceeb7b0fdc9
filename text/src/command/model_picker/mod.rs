//! `/model` and `/models` without an argument: menus of providers and models, for one person alone.
//!
//! ```text
//! click ─ PickerId::decode ─ handle(click, shelf) ─┬ Show    → view → the message's components
//!                                                  ├ Apply   → `/model <ref>`, then looked at again
//!                                                  └ Say     → the picker is over
//! ```
//!
//! Nothing is remembered between clicks but the models somebody chose last: each component says all
//! that it needs, and a model by a digest of its name, so that no click means another model because
//! the list has changed. Source: OpenClaw, "Slash commands".

mod id;
mod machine;
mod recents;
mod shelf;
mod view;

pub use id::{PickerAction, PickerCommand, PickerId, PickerView};
pub use machine::{Applied, PickerOutcome, Picking, applied, applying, handle, open};
pub use recents::Recents;
pub use shelf::Shelf;
pub use view::{over, view};

/// A model that was chosen is not, or no longer uniquely, there.
pub const SELECTION_EXPIRED: &str = "That selection expired. Please choose a model again.";

/// The click says nothing that could be understood.
pub const PICKER_EXPIRED: &str = "That model picker expired. Reopen /model to try again.";

/// The provider is gone from the configuration.
pub const NO_PROVIDER: &str = "Sorry, that provider isn't available anymore.";

/// The model is.
pub const NO_MODEL: &str = "Sorry, that model isn't available anymore.";
