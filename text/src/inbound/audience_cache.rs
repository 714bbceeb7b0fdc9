//! Who belongs to which audience, remembered for a moment: asking Discord takes several requests.

use std::{collections::HashMap, time::Duration};

use clawvoice_session::{GuildId, SessionTime, UserId, access::Audience};

/// For so long somebody belongs.
const BELONGS: Duration = Duration::from_secs(60);
/// For so long somebody does not: they may have been let in since.
const DOES_NOT: Duration = Duration::from_secs(10);
/// Answers that are remembered; with more, all are asked for anew.
const MOST: usize = 10_000;

/// Answers of Discord.
#[derive(Clone, Debug, Default)]
pub struct AudienceCache {
    answers: HashMap<(Audience, UserId), (SessionTime, bool)>,
}

impl AudienceCache {
    /// Whether somebody belongs, if that is known.
    #[must_use]
    pub fn get(&self, now: SessionTime, audience: Audience, user: UserId) -> Option<bool> {
        let (at, belongs) = *self.answers.get(&(audience, user))?;
        is_fresh(now, at, belongs).then_some(belongs)
    }

    /// An answer.
    pub fn put(&mut self, now: SessionTime, audience: Audience, user: UserId, belongs: bool) {
        if self.answers.len() >= MOST {
            self.answers.retain(|_, (at, belongs)| is_fresh(now, *at, *belongs));
        }
        if self.answers.len() >= MOST {
            self.answers.clear();
        }
        self.answers.insert((audience, user), (now, belongs));
    }

    /// Roles, channels or the owner of a guild changed, or the guild is gone. Threads are judged by
    /// their channel, and which those are is not known here: so any channel's change counts.
    pub fn forget_guild(&mut self, guild: GuildId) {
        self.answers.retain(|(audience, _), _| audience.guild != guild);
    }

    /// A member's roles changed, or they left.
    pub fn forget_member(&mut self, guild: GuildId, user: UserId) {
        self.answers.retain(|(audience, known), _| audience.guild != guild || *known != user);
    }
}

fn is_fresh(now: SessionTime, at: SessionTime, belongs: bool) -> bool {
    now.since(at) < if belongs { BELONGS } else { DOES_NOT }
}

#[cfg(test)]
mod tests {
    use clawvoice_session::ChannelId;

    use super::*;

    const STAFF: Audience = Audience { guild: GuildId::new(1), channel: ChannelId::new(5) };
    const ADA: UserId = UserId::new(31);
    const BEN: UserId = UserId::new(32);

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    #[test]
    fn a_yes_holds_a_minute_and_a_no_ten_seconds() {
        let mut cache = AudienceCache::default();
        cache.put(at(0), STAFF, ADA, true);
        cache.put(at(0), STAFF, BEN, false);
        assert_eq!(
            (cache.get(at(9), STAFF, ADA), cache.get(at(9), STAFF, BEN)),
            (Some(true), Some(false))
        );
        assert_eq!(
            (cache.get(at(59), STAFF, ADA), cache.get(at(10), STAFF, BEN)),
            (Some(true), None)
        );
        assert_eq!(cache.get(at(60), STAFF, ADA), None);
    }

    #[test]
    fn what_changes_is_asked_anew() {
        let filled = || {
            let mut cache = AudienceCache::default();
            cache.put(at(0), STAFF, ADA, true);
            cache.put(at(0), STAFF, BEN, true);
            cache
        };
        let mut cache = filled();
        cache.forget_member(GuildId::new(1), ADA);
        cache.forget_member(GuildId::new(2), BEN);
        assert_eq!(
            (cache.get(at(1), STAFF, ADA), cache.get(at(1), STAFF, BEN)),
            (None, Some(true))
        );
        cache.forget_guild(GuildId::new(2));
        assert_eq!(cache.get(at(1), STAFF, BEN), Some(true));
        cache.forget_guild(GuildId::new(1));
        assert_eq!(cache.get(at(1), STAFF, BEN), None);
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut cache = AudienceCache::default();
        for user in 1..=30_000 {
            cache.put(at(0), STAFF, UserId::new(user), true);
        }
        assert!(cache.answers.len() <= MOST);
    }
}
