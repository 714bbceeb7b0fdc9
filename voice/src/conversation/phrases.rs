//! What is said in every mode without the agent having written it.

use std::time::Duration;

/// Said when the agent fails.
pub(crate) const FALLBACK: &str = "I hit an error while checking that. Please try again.";

/// Said when an answer takes long, once a question.
pub(crate) const PROGRESS: &str = "Still working on that.";

/// After how long without an answer that is.
pub(crate) const PROGRESS_AFTER: Duration = Duration::from_secs(12);
