//! Whose a stream is: what the server says and what the keys show, weighed.
//!
//! The server names the sender of an SSRC (op 5, SPEAKING); on the real service that comes late,
//! not at all, or for another SSRC. With DAVE there is a second witness: a frame opens with the key
//! of the member who made it and with no other (64-bit tag). The key decides under whose name
//! speech is heard; a word of the server that contradicts it moves nothing. Both together make an
//! [`Attribution::Confirmed`], and nothing less should carry anybody's rights.
//!
//! **The limit.** Every member of an MLS group can derive every other member's media key (DAVE
//! whitepaper, "Sender Key Derivation"), so a key shows that a *member* made the frame, and the SSRC
//! which of them, as far as the server guards it. A member alone cannot be taken for another: its
//! SSRC is announced as its own, which makes its forgeries [`Attribution::Disputed`]. A member
//! who colludes with the server can.
//!
//! Silence frames and plaintext open for everybody and are evidence of nothing.

use clawvoice_session::UserId;

/// How sure it is that speech is of the user it is heard as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribution {
    /// The server named the user and the user's key opens the frames. Without DAVE the server's
    /// word is all there is, and enough.
    Confirmed,
    /// The server named the user; no frame was opened by a key yet.
    Announced,
    /// The user's key opens the frames; the server has not named anybody.
    ByKey,
    /// The user's key opens the frames, and the server named somebody else.
    Disputed,
}

/// What op 5 did to a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// It names the user the stream has.
    Agrees,
    /// The stream is the named user's from now on: nothing but an earlier word said otherwise.
    Moves,
    /// A key has shown whose the stream is; it stays.
    Contradicts,
}

/// What is known of a stream's sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    user: UserId,
    /// Whom the server named last.
    named: Option<UserId>,
    /// The user's key has opened a frame of the stream.
    opened: bool,
}

impl Identity {
    /// Known by op 5.
    pub(crate) fn announced(user: UserId) -> Self {
        Self { user, named: Some(user), opened: false }
    }

    /// Known by a key; `named` is what op 5 said of the stream, if it did.
    pub(crate) fn by_key(user: UserId, named: Option<UserId>) -> Self {
        Self { user, named, opened: true }
    }

    /// Under whose name the stream is heard.
    pub(crate) fn user(&self) -> UserId {
        self.user
    }

    /// Whom the server named last.
    pub(crate) fn named(&self) -> Option<UserId> {
        self.named
    }

    /// Whether the user's key has ever opened a frame of the stream.
    pub(crate) fn opened(&self) -> bool {
        self.opened
    }

    /// The user's key opened a frame.
    pub(crate) fn note_opened(&mut self) {
        self.opened = true;
    }

    /// Op 5 names `user`. `keys`: DAVE is in force, so that keys can contradict.
    pub(crate) fn name(&mut self, user: UserId, keys: bool) -> Naming {
        self.named = Some(user);
        if self.user == user {
            Naming::Agrees
        } else if self.opened && keys {
            Naming::Contradicts
        } else {
            Naming::Moves
        }
    }

    /// How sure the user is. `keys`: DAVE is in force.
    pub(crate) fn attribution(&self, keys: bool) -> Attribution {
        match self.named {
            None => Attribution::ByKey,
            Some(named) if named != self.user => Attribution::Disputed,
            Some(_) if self.opened || !keys => Attribution::Confirmed,
            Some(_) => Attribution::Announced,
        }
    }

    /// Whether `other`'s key is worth trying on a frame that the user's does not open.
    ///
    /// Not once both witnesses agree: a frame that opens with another member's key is then a
    /// forgery or a copy. A disputed stream may still turn out to be whose the server says.
    pub(crate) fn may_be(&self, other: UserId) -> bool {
        match self.named {
            _ if other == self.user => false,
            Some(named) if named != self.user => other == named,
            Some(_) => !self.opened,
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new(1);
    const BOB: UserId = UserId::new(2);
    const EVE: UserId = UserId::new(3);

    #[test]
    fn two_witnesses_confirm() {
        let mut stream = Identity::announced(ANN);
        assert_eq!(stream.attribution(true), Attribution::Announced);
        assert_eq!(stream.attribution(false), Attribution::Confirmed, "all there is without DAVE");
        stream.note_opened();
        assert_eq!(stream.attribution(true), Attribution::Confirmed);
        let mut found = Identity::by_key(ANN, None);
        assert_eq!(found.attribution(true), Attribution::ByKey);
        assert_eq!(found.name(ANN, true), Naming::Agrees);
        assert_eq!(found.attribution(true), Attribution::Confirmed);
    }

    #[test]
    fn a_key_outweighs_the_servers_word_and_a_word_only_another_word() {
        let mut stream = Identity::announced(ANN);
        assert_eq!(stream.name(BOB, true), Naming::Moves);
        let mut stream = Identity::by_key(ANN, Some(ANN));
        assert_eq!(stream.name(BOB, true), Naming::Contradicts);
        assert_eq!((stream.user(), stream.attribution(true)), (ANN, Attribution::Disputed));
        assert_eq!(stream.name(ANN, true), Naming::Agrees, "the server took it back");
        assert_eq!(stream.attribution(true), Attribution::Confirmed);
        assert_eq!(stream.name(BOB, false), Naming::Moves, "without DAVE no key says otherwise");
    }

    #[test]
    fn whose_keys_are_tried() {
        let cases = [
            ("a word alone may be wrong", Identity::announced(ANN), [false, true, true]),
            ("a key alone may be a copy", Identity::by_key(ANN, None), [false, true, true]),
            ("both agree", Identity::by_key(ANN, Some(ANN)), [false, false, false]),
            ("disputed", Identity::by_key(ANN, Some(BOB)), [false, true, false]),
        ];
        for (what, stream, expected) in cases {
            assert_eq!([ANN, BOB, EVE].map(|user| stream.may_be(user)), expected, "{what}");
        }
    }
}
