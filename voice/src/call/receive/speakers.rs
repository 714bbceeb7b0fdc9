//! Who speaks: from the first speech packet until 100 ms without one, per user and not per
//! stream, since a user's SSRC may change in mid-word.

use std::collections::BTreeMap;

use clawvoice_session::{SessionTime, UserId};

use super::policy::SPEAKING_STOP;

/// Users who speak, with the arrival of their last speech packet.
#[derive(Debug, Default)]
pub(crate) struct Speakers {
    talkers: BTreeMap<UserId, SessionTime>,
    /// Nobody stops before. Packets only put stops off, so this is looked up anew when it has come,
    /// not with every packet of hundreds of speakers.
    none_before: Option<SessionTime>,
}

impl Speakers {
    /// A speech packet of `user` is heard; returns whether a talkspurt begins with it.
    pub(crate) fn spoke(&mut self, now: SessionTime, user: UserId) -> bool {
        let began = self.talkers.insert(user, now).is_none();
        if began {
            let stop = now + SPEAKING_STOP;
            self.none_before = Some(self.none_before.map_or(stop, |at| at.min(stop)));
        }
        began
    }

    /// A speech packet of `user` came but is not heard yet; returns whether the user speaks.
    pub(crate) fn arrived(&mut self, now: SessionTime, user: UserId) -> bool {
        self.talkers.get_mut(&user).map(|last| *last = now).is_some()
    }

    /// Whether `user` speaks.
    pub(crate) fn speaks(&self, user: UserId) -> bool {
        self.talkers.contains_key(&user)
    }

    /// When somebody may count as silent.
    pub(crate) fn deadline(&self) -> Option<SessionTime> {
        self.none_before
    }

    /// Takes one who has been silent for long enough.
    pub(crate) fn take_stopped(&mut self, now: SessionTime) -> Option<UserId> {
        if self.none_before.is_none_or(|at| at > now) {
            return None;
        }
        let stopped = |(_, last): &(&UserId, &SessionTime)| **last + SPEAKING_STOP <= now;
        let user = self.talkers.iter().find(stopped).map(|(user, _)| *user);
        match user {
            Some(user) => drop(self.talkers.remove(&user)),
            None => self.none_before = self.talkers.values().min().map(|at| *at + SPEAKING_STOP),
        }
        user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_talkspurt_ends_100_ms_after_its_last_packet() {
        let ms = SessionTime::from_millis;
        let (ann, bob) = (UserId::new(1), UserId::new(2));
        let mut speakers = Speakers::default();
        assert!(!speakers.arrived(ms(0), ann), "only what is heard begins a talkspurt");
        assert!(speakers.spoke(ms(0), ann));
        assert!(!speakers.spoke(ms(20), ann));
        assert!(speakers.spoke(ms(30), bob));
        assert!(speakers.arrived(ms(60), ann));
        assert_eq!(speakers.deadline(), Some(ms(100)), "not before");
        assert_eq!(speakers.take_stopped(ms(100)), None);
        assert_eq!(speakers.deadline(), Some(ms(130)));
        assert_eq!(speakers.take_stopped(ms(129)), None);
        assert_eq!(speakers.take_stopped(ms(130)), Some(bob));
        assert!(speakers.speaks(ann) && !speakers.speaks(bob));
        assert_eq!(speakers.take_stopped(ms(160)), Some(ann));
        assert_eq!(speakers.take_stopped(ms(160)), None);
        assert_eq!(speakers.deadline(), None);
    }
}
