//! Why a binding ended.

/// Why a binding ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Somebody ended it, or its session is over.
    Unfocused,
    /// Nobody wrote.
    Idle,
    /// It was old enough.
    MaxAge,
    /// Its thread was archived.
    Archived,
    /// Its thread or channel was deleted.
    Deleted,
}

impl Ended {
    /// As it is recorded.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unfocused => "unfocused",
            Self::Idle => "idle-expired",
            Self::MaxAge => "max-age-expired",
            Self::Archived => "thread-archived",
            Self::Deleted => "thread-deleted",
        }
    }

    /// Whether the place can still be told. A message would open an archived thread again.
    pub(super) const fn is_told(self) -> bool {
        !matches!(self, Self::Archived | Self::Deleted)
    }
}
