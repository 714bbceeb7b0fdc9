//! Who may talk to the agent, and who owns it.

use std::collections::{BTreeMap, BTreeSet};

use clawvoice_session::UserId;

use crate::call::Attribution;

/// Speakers whose standing is followed; further ones are nobody's owner.
const MAX_STANDINGS: usize = 4_096;

/// Who may do what, by user id alone: names are chosen by whoever bears them.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// The agent's owners.
    pub owners: BTreeSet<UserId>,
    /// Who is heard besides the owners; `None`: everybody.
    pub admitted: Option<BTreeSet<UserId>>,
}

impl Rights {
    /// Whether the user is heard at all.
    #[must_use]
    pub fn admits(&self, user: UserId) -> bool {
        let listed = |users: &BTreeSet<UserId>| users.contains(&user);
        self.owners.contains(&user) || self.admitted.as_ref().is_none_or(listed)
    }
}

#[derive(Clone, Copy, Debug)]
struct Standing {
    attribution: Attribution,
    /// Their stream was once named as somebody else's.
    disputed: bool,
}

/// How sure it is whose speech is whose, user by user.
#[derive(Debug, Default)]
pub(super) struct Standings {
    users: BTreeMap<UserId, Standing>,
}

impl Standings {
    /// What the call says of a user's stream.
    pub(super) fn note(&mut self, user: UserId, attribution: Attribution) {
        if self.users.len() >= MAX_STANDINGS && !self.users.contains_key(&user) {
            return;
        }
        let is_disputed = attribution == Attribution::Disputed;
        let standing = self.users.entry(user).or_insert(Standing { attribution, disputed: false });
        standing.attribution = attribution;
        standing.disputed |= is_disputed;
    }

    /// The user left: whoever comes back is judged anew.
    pub(super) fn forget(&mut self, user: UserId) {
        self.users.remove(&user);
    }

    /// Whether speech heard as the user's is certainly theirs. A dispute is not forgotten while
    /// they stay: words of the disputed stream may be transcribed late.
    pub(super) fn is_certain(&self, user: UserId) -> bool {
        self.users.get(&user).is_some_and(|standing| {
            standing.attribution == Attribution::Confirmed && !standing.disputed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);

    #[test]
    fn nobody_or_a_list_is_kept_out_and_owners_never() {
        let mut rights = Rights { owners: [ANN].into(), admitted: None };
        assert!(rights.admits(ANN) && rights.admits(BOB));
        rights.admitted = Some(BTreeSet::new());
        assert!(rights.admits(ANN) && !rights.admits(BOB));
        rights.admitted = Some([BOB].into());
        assert!(rights.admits(BOB));
    }

    #[test]
    fn only_a_confirmed_stream_that_was_never_disputed_is_certain() {
        let mut standings = Standings::default();
        assert!(!standings.is_certain(ANN));
        for (attribution, certain) in [
            (Attribution::Announced, false),
            (Attribution::ByKey, false),
            (Attribution::Confirmed, true),
            (Attribution::Disputed, false),
            (Attribution::Confirmed, false),
        ] {
            standings.note(ANN, attribution);
            assert_eq!(standings.is_certain(ANN), certain, "{attribution:?}");
        }
        standings.forget(ANN);
        standings.note(ANN, Attribution::Confirmed);
        assert!(standings.is_certain(ANN));
    }
}
