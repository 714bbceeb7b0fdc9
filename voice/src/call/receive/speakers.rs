//! Who speaks: from the first speech packet until 100 ms without one, per user and not per
//! stream, since a user's SSRC may change in mid-word.

use clawvoice_session::{SessionTime, UserId};

use super::policy::SPEAKING_STOP;

/// Users who speak, with the arrival of their last speech packet. A handful, so a list.
#[derive(Debug, Default)]
pub(crate) struct Speakers(Vec<(UserId, SessionTime)>);

impl Speakers {
    /// A speech packet of `user` is heard; returns whether a talkspurt begins with it.
    pub(crate) fn spoke(&mut self, now: SessionTime, user: UserId) -> bool {
        let began = !self.arrived(now, user);
        if began {
            self.0.push((user, now));
        }
        began
    }

    /// A speech packet of `user` came but is not heard yet; returns whether the user speaks.
    pub(crate) fn arrived(&mut self, now: SessionTime, user: UserId) -> bool {
        let talker = self.0.iter_mut().find(|(talker, _)| *talker == user);
        talker.map(|(_, last)| *last = now).is_some()
    }

    /// Whether `user` speaks.
    pub(crate) fn speaks(&self, user: UserId) -> bool {
        self.0.iter().any(|(talker, _)| *talker == user)
    }

    /// When the next one counts as silent.
    pub(crate) fn deadline(&self) -> Option<SessionTime> {
        self.0.iter().map(|(_, last)| *last + SPEAKING_STOP).min()
    }

    /// Takes one who has been silent for long enough.
    pub(crate) fn take_stopped(&mut self, now: SessionTime) -> Option<UserId> {
        let at = self.0.iter().position(|(_, last)| *last + SPEAKING_STOP <= now)?;
        Some(self.0.swap_remove(at).0)
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
        assert_eq!(speakers.deadline(), Some(ms(130)));
        assert_eq!(speakers.take_stopped(ms(129)), None);
        assert_eq!(speakers.take_stopped(ms(130)), Some(bob));
        assert!(speakers.speaks(ann) && !speakers.speaks(bob));
        assert_eq!(speakers.take_stopped(ms(160)), Some(ann));
        assert_eq!(speakers.deadline(), None);
    }
}
