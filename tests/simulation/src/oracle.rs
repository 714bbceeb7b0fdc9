//! What the DAVE protocol promises that a receiver hears, decided from what was delivered to it
//! and when; knows nothing of how the receiver works.
//!
//! A frame is promised to be heard if its receiver
//!
//! - has the key of the sender's epoch or gets it within 2 s of the frame's arrival, and no newer
//!   epoch was entered more than 10 s before it (DAVE whitepaper, "Sender Key Derivation"); the
//!   sender is a member of every epoch entered meanwhile, because with the first one without it
//!   its key is given up;
//! - or, of frames without end-to-end encryption: DAVE is not in force, about to be left, or has
//!   come into force less than 10 s ago ("Protocol Transitions");
//! - and learns whose it is within the same 2 s: by op 5, or by the key of somebody announced by
//!   op 11 whose first SSRC this is;
//! - and no later frame of the same SSRC was the first to arrive.

use std::{collections::BTreeMap, time::Duration};

use clawvoice_session::SessionTime;
use localcord::voice::dave::Message;

use crate::{
    ledger::Frame,
    member::{Key, Sending},
    report::Unpromised,
    server::{Entering, Told},
};

/// How late a key or a name may come after a frame.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the keys of a superseded epoch are good, and plaintext after an upgrade.
const RETENTION: Duration = Duration::from_secs(10);

/// An epoch the receiver has been in.
struct Epoch {
    since: SessionTime,
    superseded: Option<SessionTime>,
    /// Members of before that a later epoch is without, and since when.
    gone: BTreeMap<u64, SessionTime>,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Oracle {
    epochs: BTreeMap<Key, Epoch>,
    /// The epoch that the next commit must follow.
    group: Option<Key>,
    /// None before op 4.
    version: Option<u16>,
    /// Versions that transitions lead to, and when they were prepared.
    pending: BTreeMap<u16, (SessionTime, u16)>,
    plain_until: Option<SessionTime>,
    announced: BTreeMap<(u64, u64), SessionTime>,
    dismissed: BTreeMap<(u64, u64), SessionTime>,
    named: BTreeMap<(u32, u64), SessionTime>,
}

impl Oracle {
    /// Op 4 was delivered.
    pub(crate) fn described(&mut self, version: u16) {
        self.version = Some(version);
    }

    /// Whether there is a transport key.
    pub(crate) fn has_session(&self) -> bool {
        self.version.is_some()
    }

    /// The receiver started over by itself (op 31).
    pub(crate) fn started_over(&mut self) {
        self.group = None;
    }

    /// A message was delivered; `usable` unless it was damaged on its way.
    pub(crate) fn told(&mut self, now: SessionTime, told: &Told, usable: bool) {
        match told {
            Told::Connected(users) => {
                for user in users {
                    self.announced.entry(*user).or_insert(now);
                }
            }
            Told::Disconnected { user, stay } => {
                self.dismissed.entry((*user, *stay)).or_insert(now);
            }
            Told::Speaking { user, ssrc } => {
                self.named.entry((*ssrc, *user)).or_insert(now);
            }
            Told::Dave { message, entering } if usable => {
                self.dave(now, message, entering.as_ref());
            }
            Told::Dave { .. } => {}
        }
    }

    fn dave(&mut self, now: SessionTime, message: &Message, entering: Option<&Entering>) {
        match (message, entering) {
            (Message::AnnounceCommit { transition_id, .. }, Some(entering)) => {
                let key = entering.key;
                let follows =
                    self.group.is_some_and(|at| at.group == key.group && at.epoch + 1 == key.epoch);
                if follows || key.epoch == 1 {
                    self.enter(now, *transition_id, entering);
                }
            }
            (Message::Welcome { transition_id, .. }, Some(entering)) => {
                self.enter(now, *transition_id, entering);
            }
            (Message::PrepareTransition { transition_id, protocol_version }, _) => {
                if *protocol_version == 0 {
                    self.supersede(now);
                }
                self.prepare(now, *transition_id, *protocol_version);
            }
            (Message::ExecuteTransition { transition_id }, _) => {
                if let Some((_, version)) = self.pending.remove(transition_id) {
                    self.switch(now, version);
                }
            }
            (Message::PrepareEpoch { .. }, _) => self.group = None,
            _ => {}
        }
    }

    fn enter(&mut self, now: SessionTime, transition: u16, entering: &Entering) {
        if self.epochs.contains_key(&entering.key) {
            return; // told again
        }
        self.supersede(now);
        for epoch in self.epochs.values_mut() {
            for user in self.announced.keys().map(|(user, _)| *user) {
                if !entering.members.contains(&user) {
                    epoch.gone.entry(user).or_insert(now);
                }
            }
        }
        let epoch = Epoch { since: now, superseded: None, gone: BTreeMap::new() };
        self.epochs.insert(entering.key, epoch);
        self.group = Some(entering.key);
        self.prepare(now, transition, 1);
    }

    fn supersede(&mut self, now: SessionTime) {
        for epoch in self.epochs.values_mut() {
            epoch.superseded.get_or_insert(now);
        }
    }

    fn prepare(&mut self, now: SessionTime, transition: u16, version: u16) {
        if transition == 0 {
            self.pending.clear();
            self.switch(now, version);
        } else {
            self.pending.insert(transition, (now, version));
        }
    }

    fn switch(&mut self, now: SessionTime, version: u16) {
        if self.version == Some(0) && version > 0 {
            self.plain_until = Some(now + RETENTION);
        }
        self.version = Some(version);
    }

    /// Whether a frame without end-to-end encryption that arrives now is to be taken.
    pub(crate) fn takes_plain(&self, now: SessionTime) -> bool {
        let recent =
            |(at, version): &(SessionTime, u16)| *version == 0 && now.since(*at) < RETENTION;
        self.version == Some(0)
            || self.pending.values().any(recent)
            || self.plain_until.is_some_and(|until| now < until)
    }

    /// Whether a frame was promised to be heard; asked when its time is over.
    pub(crate) fn judge(&mut self, arrived: SessionTime, frame: &Frame) -> Result<(), Unpromised> {
        let patience = arrived + PATIENCE;
        let opened = match frame.sending {
            Sending::Nothing => return Err(Unpromised::NoKey),
            Sending::Plain if !frame.plain_taken => return Err(Unpromised::Plaintext),
            // Without encryption there is no other witness than the one that said somebody else.
            Sending::Plain if self.is_misnamed(frame.ssrc, frame.user) => {
                return Err(Unpromised::Unnamed);
            }
            Sending::Plain => None,
            Sending::With(key) => Some(self.opened(arrived, key, frame.user)?),
        };
        let stay = (frame.user, frame.stay);
        let by_op5 = self.named.get(&(frame.ssrc, frame.user)).copied();
        let by_key = match (opened, self.announced.get(&stay)) {
            (Some(opened), Some(announced)) if frame.first_ssrc => {
                let at = opened.max(*announced).max(arrived);
                let there = self.dismissed.get(&stay).is_none_or(|left| at < *left);
                there.then_some(at)
            }
            _ => None,
        };
        let named = [by_op5, by_key].into_iter().flatten().min();
        let Some(named) = named.filter(|at| *at <= patience) else {
            return Err(Unpromised::Unnamed);
        };
        // Whom a key has named once is known, with op 5 or without.
        self.named.entry((frame.ssrc, frame.user)).or_insert(named);
        if frame.overtaken {
            return Err(Unpromised::Overtaken);
        }
        Ok(())
    }

    /// Whether op 5 has named another user for an SSRC of `user`.
    pub(crate) fn is_misnamed(&self, ssrc: u32, user: u64) -> bool {
        self.named.range((ssrc, 0)..=(ssrc, u64::MAX)).any(|((_, named), _)| *named != user)
    }

    /// Whether anything has named `user` for an SSRC.
    pub(crate) fn is_named(&self, ssrc: u32, user: u64) -> bool {
        self.named.contains_key(&(ssrc, user))
    }

    /// From when on a key of `user` opens a frame that arrived then.
    fn opened(&self, arrived: SessionTime, key: Key, user: u64) -> Result<SessionTime, Unpromised> {
        let epoch = self.epochs.get(&key).ok_or(Unpromised::NoKey)?;
        if epoch.since > arrived + PATIENCE {
            return Err(Unpromised::NoKey);
        }
        if epoch.superseded.is_some_and(|at| arrived > at + RETENTION) {
            return Err(Unpromised::Superseded);
        }
        let opened = epoch.since.max(arrived);
        if epoch.gone.get(&user).is_some_and(|gone| opened >= *gone) {
            return Err(Unpromised::Removed);
        }
        Ok(opened)
    }
}
