//! What a close of the voice websocket means, in words, and what is done about it.
//!
//! Source: Discord "Opcodes and Status Codes", Voice Close Event Codes; the remedies are those
//! that Discord documents or that its own clients apply.

use std::fmt;

/// What happens after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Dial the same endpoint and continue the session (op 7); UDP, keys and decoders stay.
    Resume,
    /// The session is gone: leave and join through the main gateway for a new token.
    Rejoin,
    /// Moved or removed: the main gateway says which within about 10 s. Do not redial.
    WaitForMove,
    /// Trying again would fail again.
    Fatal,
}

impl Plan {
    /// What happens next, as the end of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Resume => "resuming on the same voice server",
            Self::Rejoin => "leaving and joining anew",
            Self::WaitForMove => "waiting for the main gateway to say whether we were moved",
            Self::Fatal => "not trying again",
        }
    }
}

/// A close, explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The close code, if the connection ended with one.
    pub code: Option<u16>,
    /// What happened.
    pub words: &'static str,
    /// What is done about it.
    pub plan: Plan,
}

impl fmt::Display for Close {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "voice connection closed with {code}")?,
            None => write!(f, "voice connection ended")?,
        }
        write!(f, ": {}; {}", self.words, self.plan.words())
    }
}

/// Explains a close code; `None` is a connection that broke without one.
#[must_use]
pub const fn explain(code: Option<u16>) -> Close {
    let (words, plan) = match code {
        None => ("the connection was lost", Plan::Resume),
        Some(4001) => ("we sent an opcode Discord does not know", Plan::Rejoin),
        Some(4002) => ("we sent a payload Discord could not read", Plan::Rejoin),
        Some(4003) => ("we spoke before identifying", Plan::Rejoin),
        Some(4004) => ("the voice token is not valid any more", Plan::Rejoin),
        Some(4005) => ("we identified twice", Plan::Rejoin),
        Some(4006) => ("the voice session is not valid any more", Plan::Rejoin),
        Some(4009) => ("the voice session timed out", Plan::Rejoin),
        Some(4011) => ("the voice server was not found", Plan::Rejoin),
        Some(4012) => ("Discord does not know the transport protocol", Plan::Fatal),
        Some(4014) => {
            ("disconnected: kicked, moved, or the main gateway session was lost", Plan::WaitForMove)
        }
        Some(4015) => ("the voice server crashed", Plan::Resume),
        Some(4016) => ("Discord does not know the encryption mode", Plan::Fatal),
        Some(4017) => ("the channel requires end-to-end encryption (DAVE)", Plan::Fatal),
        Some(4020) => ("Discord refused a request of ours as bad", Plan::Rejoin),
        Some(4021) => ("rate limited", Plan::Fatal),
        Some(4022) => {
            ("the call was terminated: channel deleted or server changed", Plan::WaitForMove)
        }
        Some(0..=3999) => ("the connection was lost", Plan::Resume),
        Some(_) => ("a close code this version does not know", Plan::Rejoin),
    };
    Close { code, words, plan }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_plan() {
        let plans: [(Plan, &[u16]); 4] = [
            (Plan::Resume, &[1000, 1001, 1006, 1011, 4015]),
            (Plan::Rejoin, &[4001, 4002, 4003, 4004, 4005, 4006, 4009, 4011, 4020, 4999]),
            (Plan::WaitForMove, &[4014, 4022]),
            (Plan::Fatal, &[4012, 4016, 4017, 4021]),
        ];
        for (plan, codes) in plans {
            for code in codes {
                assert_eq!(explain(Some(*code)).plan, plan, "{code}");
            }
        }
        assert_eq!(explain(None).plan, Plan::Resume);
    }

    #[test]
    fn a_close_is_named_in_words_with_what_happens_next() {
        assert_eq!(
            explain(Some(4017)).to_string(),
            "voice connection closed with 4017: the channel requires end-to-end encryption \
             (DAVE); not trying again"
        );
        assert_eq!(
            explain(None).to_string(),
            "voice connection ended: the connection was lost; resuming on the same voice server"
        );
    }
}
