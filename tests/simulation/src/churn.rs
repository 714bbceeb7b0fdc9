//! What may happen in the channel next, at random.

use std::time::Duration;

use rand::{Rng, rngs::SmallRng, seq::IndexedRandom};

/// Those who speak without pause and leave only to come back.
pub(crate) const SPEAKERS: [u64; 3] = [1_001, 1_002, 1_003];
/// Those who come and go.
pub(crate) const VISITORS: [u64; 9] =
    [1_004, 1_005, 1_006, 1_007, 1_008, 1_009, 1_010, 1_011, 1_012];

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    Join(Vec<u64>),
    Leave(Vec<u64>),
    /// Leaves and is back at once.
    Rejoin(u64),
    /// Everybody but the call leaves, and the speakers come back.
    Everybody,
    /// Down to transport encryption, or back up.
    ChangeVersion,
    /// A member sends op 31.
    Recover(u64),
    /// A member does not answer the next transition.
    Withhold(u64),
    ChangeSsrc(u64),
    /// The call's messages are late by this much, once.
    Lag(Duration),
    /// The next DAVE message to the call comes twice.
    Repeat,
    /// The next commit or welcome to the call is garbled.
    Damage,
    /// The call's websocket breaks.
    LoseWebsocket,
    /// The call leaves, and another one of the same user comes.
    CallRejoins,
    /// Op 5 names the wrong user for an SSRC, and is put right later or not at all.
    Misname {
        ssrc_of: u64,
        named: u64,
    },
}

impl Happening {
    /// Its name in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Join(users) if users.len() > 1 => "burst_join",
            Self::Join(_) => "join",
            Self::Leave(users) if users.len() > 1 => "burst_leave",
            Self::Leave(_) => "leave",
            Self::Rejoin(_) => "rejoin",
            Self::Everybody => "everybody_leaves",
            Self::ChangeVersion => "version_change",
            Self::Recover(_) => "member_recovery",
            Self::Withhold(_) => "answer_withheld",
            Self::ChangeSsrc(_) => "ssrc_change",
            Self::Lag(_) => "messages_late",
            Self::Repeat => "message_repeated",
            Self::Damage => "message_damaged",
            Self::LoseWebsocket => "websocket_lost",
            Self::CallRejoins => "call_rejoins",
            Self::Misname { .. } => "wrong_user_speaking",
        }
    }

    /// How many membership or transition events it is.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Self::Join(users) | Self::Leave(users) => users.len() as u64,
            Self::Everybody => SPEAKERS.len() as u64,
            _ => 1,
        }
    }
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    pub(crate) plaintext: bool,
    pub(crate) misnaming: bool,
}

/// The next happening; `present`: who is in the channel besides the call; `plain`: whether DAVE is
/// not in force. Sometimes nothing can happen.
pub(crate) fn next(
    rng: &mut SmallRng,
    allowed: Allowed,
    present: &[u64],
    plain: bool,
) -> Option<Happening> {
    let visitors: Vec<u64> =
        VISITORS.iter().copied().filter(|user| present.contains(user)).collect();
    let absent: Vec<u64> =
        VISITORS.iter().copied().filter(|user| !present.contains(user)).collect();
    let some = |rng: &mut SmallRng, of: &[u64]| of.choose(rng).copied();
    let several = |rng: &mut SmallRng, of: &[u64]| {
        let many = rng.random_range(2..=4);
        of.choose_multiple(rng, many).copied().collect::<Vec<_>>()
    };
    // Without DAVE nothing is worth seeing for long.
    if plain && rng.random_bool(0.25) {
        return Some(Happening::ChangeVersion);
    }
    let happening = match rng.random_range(0..100) {
        0..20 => Happening::Join(vec![some(rng, &absent)?]),
        20..38 => Happening::Leave(vec![some(rng, &visitors)?]),
        38..50 => Happening::Rejoin(some(rng, present)?),
        50..56 => Happening::Join(several(rng, &absent)),
        56..62 => Happening::Leave(several(rng, &visitors)),
        62..64 => Happening::Everybody,
        64..67 if allowed.plaintext => Happening::ChangeVersion,
        67..72 => Happening::Recover(some(rng, present)?),
        72..75 => Happening::Withhold(some(rng, present)?),
        75..81 => Happening::ChangeSsrc(some(rng, present)?),
        81..85 => Happening::Lag(Duration::from_millis(rng.random_range(50..900))),
        85..90 => Happening::Repeat,
        90..92 => Happening::Damage,
        92..95 => Happening::LoseWebsocket,
        95..97 => Happening::CallRejoins,
        97..100 if allowed.misnaming => {
            let (ssrc_of, named) = (some(rng, present)?, some(rng, present)?);
            if ssrc_of == named {
                return None;
            }
            Happening::Misname { ssrc_of, named }
        }
        _ => return None,
    };
    match &happening {
        Happening::Join(users) | Happening::Leave(users) if users.is_empty() => None,
        _ => Some(happening),
    }
}

/// How long until the next happening: in a burst now and then, else up to a second.
pub(crate) fn pause(rng: &mut SmallRng) -> Duration {
    let millis = match rng.random_range(0..10) {
        0..3 => rng.random_range(0..60),
        3..9 => rng.random_range(60..700),
        _ => rng.random_range(700..2_500),
    };
    Duration::from_millis(millis)
}
