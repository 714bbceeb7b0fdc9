//! A listener that believes nothing.

use std::collections::BTreeSet;

use clawvoice_session::{SessionTime, UserId};
use clawvoice_voice::call::{Hear, MAX_SAMPLES};

/// Checks what it hears: starts and stops alternate, audio comes between them, nothing is empty
/// or longer than an Opus packet, and time does not run backwards.
#[derive(Debug, Default)]
pub struct Ear {
    speaking: BTreeSet<UserId>,
    last: SessionTime,
}

impl Ear {
    fn at(&mut self, now: SessionTime) {
        assert!(now >= self.last, "heard at {now} after {}", self.last);
        self.last = now;
    }

    /// Who speaks now.
    #[must_use]
    pub fn speaking(&self) -> &BTreeSet<UserId> {
        &self.speaking
    }
}

impl Hear for Ear {
    fn speaking_started(&mut self, now: SessionTime, user: UserId) {
        self.at(now);
        assert!(self.speaking.insert(user), "{user} started twice");
    }

    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]) {
        self.at(now);
        assert!(self.speaking.contains(&user), "audio of {user}, who has not started");
        assert!((1..=MAX_SAMPLES).contains(&pcm.len()), "{} samples", pcm.len());
    }

    fn speaking_stopped(&mut self, now: SessionTime, user: UserId) {
        self.at(now);
        assert!(self.speaking.remove(&user), "{user} stopped without a start");
    }
}
