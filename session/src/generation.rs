//! Fencing of late results.

use std::fmt;

/// Which life of a thing a result belongs to.
///
/// Every replacement (a rejoin, a reconnect) takes the next generation; whatever still arrives for
/// an older one is dropped at the owner's door, in one comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(u64);

impl Generation {
    /// The first life.
    pub const FIRST: Self = Self(0);

    /// The life of that number, as it was written down.
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, to be written down.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// The generation after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
