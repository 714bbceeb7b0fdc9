//! Pairing: strangers who write in private get a code, and an operator approves it.
//!
//! Source: OpenClaw, "Pairing".

use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;

use crate::UserId;

/// Letters and digits that are not taken for one another.
const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Characters of a code.
const LENGTH: usize = 8;
/// How long a code is good.
pub const VALID: Duration = Duration::from_secs(60 * 60);
/// Requests of an account that may wait at a time.
pub const MOST_PENDING: usize = 3;

/// Somebody who wants to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The account they wrote to.
    pub account: String,
    /// Who.
    pub user: UserId,
    /// The code they were told.
    pub code: String,
    /// When.
    pub asked: Timestamp,
}

impl Request {
    /// Whether its code is good no more.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.asked).unsigned_abs() >= VALID
    }
}

/// What is done about a stranger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// They are told this code, once.
    Tell(Request),
    /// They know their code.
    Known,
    /// Too many wait: they hear nothing.
    Capped,
}

/// Judges a stranger by the requests that wait for the same account. A code is chosen by `rng`,
/// which must not be guessable.
pub fn ask(
    pending: &[Request],
    account: &str,
    user: UserId,
    now: Timestamp,
    rng: &mut impl Rng,
) -> Answer {
    let mut waiting = pending.iter().filter(|it| it.account == account && !it.is_over(now));
    if waiting.clone().any(|request| request.user == user) {
        return Answer::Known;
    }
    if waiting.by_ref().count() >= MOST_PENDING {
        return Answer::Capped;
    }
    let letter = |_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())]);
    let code = (0..LENGTH).map(letter).collect();
    Answer::Tell(Request { account: account.to_owned(), user, code, asked: now })
}

/// What a stranger is told. `program` is how ours is called.
#[must_use]
pub fn message(program: &str, request: &Request) -> String {
    let Request { account, user, code, .. } = request;
    let of_account =
        if account == "default" { String::new() } else { format!(" --account {account}") };
    format!(
        "{program}: access not configured.\n\nYour Discord user id: {user}\nPairing code:\n\
         ```\n{code}\n```\nAsk the bot owner to approve with:\n\
         ```\n{program} pairing approve discord {code}{of_account}\n```"
    )
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::SmallRng};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn told(pending: &mut Vec<Request>, user: u64, seconds: i64) -> Answer {
        let mut rng = SmallRng::seed_from_u64(user);
        let answer = ask(pending, "default", UserId::new(user), at(seconds), &mut rng);
        if let Answer::Tell(request) = &answer {
            pending.push(request.clone());
        }
        answer
    }

    #[test]
    fn a_stranger_is_told_one_code_that_nobody_misreads() {
        let mut pending = Vec::new();
        let Answer::Tell(request) = told(&mut pending, 1, 0) else { panic!("no code") };
        assert_eq!(request.code.len(), 8);
        assert!(request.code.bytes().all(|letter| ALPHABET.contains(&letter)));
        assert!(!ALPHABET.iter().any(|letter| b"0O1I".contains(letter)));
        assert_eq!(told(&mut pending, 1, 10), Answer::Known, "the second message is not answered");
        assert!(message("clawvoice", &request).contains(&request.code));
    }

    #[test]
    fn three_wait_at_most_and_an_hour_at_most() {
        let mut pending = Vec::new();
        for user in 1..=3 {
            assert!(matches!(told(&mut pending, user, 0), Answer::Tell(_)));
        }
        assert_eq!(told(&mut pending, 4, 3_599), Answer::Capped);
        assert!(matches!(told(&mut pending, 4, 3_600), Answer::Tell(_)));
        let mut rng = SmallRng::seed_from_u64(9);
        let elsewhere = ask(&pending, "other", UserId::new(4), at(3_601), &mut rng);
        assert!(matches!(elsewhere, Answer::Tell(_)), "accounts are counted by themselves");
    }
}
