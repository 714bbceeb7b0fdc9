//! Who may still be talking with the bot: since it last wrote in a channel, who else did.

use std::{collections::HashMap, time::Duration};

use clawvoice_session::{ChannelId, SessionTime, UserId};

/// So long after the bot's words it matters.
const MATTERS: Duration = Duration::from_secs(10 * 60);
/// Channels that are remembered. With more, all are forgotten: then what people write counts as what
/// nothing went before.
const MOST: usize = 2_000;

#[derive(Clone, Copy, Debug)]
struct Talk {
    own: SessionTime,
    /// Who has written since.
    since: Option<UserId>,
}

/// Remembers of each channel when the bot wrote in it, until two others have.
#[derive(Clone, Debug, Default)]
pub struct Attention {
    talks: HashMap<ChannelId, Talk>,
}

impl Attention {
    /// The bot wrote.
    pub fn handle_own(&mut self, now: SessionTime, channel: ChannelId) {
        if self.talks.len() >= MOST {
            self.talks.retain(|_, talk| now.since(talk.own) < MATTERS);
        }
        if self.talks.len() >= MOST {
            self.talks.clear();
        }
        self.talks.insert(channel, Talk { own: now, since: None });
    }

    /// Somebody else wrote.
    pub fn handle_message(&mut self, channel: ChannelId, author: UserId) {
        if let Some(talk) = self.talks.get_mut(&channel) {
            match talk.since {
                Some(other) if other != author => drop(self.talks.remove(&channel)),
                _ => talk.since = Some(author),
            }
        }
    }

    /// How long ago the bot wrote in a channel, if nobody but `author` has since.
    #[must_use]
    pub fn since_own(
        &self,
        now: SessionTime,
        channel: ChannelId,
        author: UserId,
    ) -> Option<Duration> {
        let talk = self.talks.get(&channel)?;
        talk.since.is_none_or(|other| other == author).then(|| now.since(talk.own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: ChannelId = ChannelId::new(5);
    const ADA: UserId = UserId::new(7);
    const BEN: UserId = UserId::new(8);

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    #[test]
    fn a_talk_is_between_two() {
        let mut attention = Attention::default();
        attention.handle_message(HERE, ADA);
        assert_eq!(attention.since_own(at(0), HERE, ADA), None);
        attention.handle_own(at(0), HERE);
        for _ in 0..2 {
            attention.handle_message(HERE, ADA);
            let since = |author| attention.since_own(at(30), HERE, author);
            assert_eq!((since(ADA), since(BEN)), (Some(Duration::from_secs(30)), None));
        }
        attention.handle_message(HERE, BEN);
        assert_eq!(attention.since_own(at(31), HERE, ADA), None);
        attention.handle_own(at(40), HERE);
        attention.handle_message(HERE, BEN);
        assert_eq!(attention.since_own(at(41), HERE, BEN), Some(Duration::from_secs(1)));
        assert_eq!(attention.since_own(at(41), ChannelId::new(6), BEN), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut attention = Attention::default();
        for channel in 1..=10_000 {
            attention.handle_own(at(0), ChannelId::new(channel));
        }
        assert!(attention.talks.len() <= MOST);
    }
}
