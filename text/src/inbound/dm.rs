//! Steps 10 and 11: who may write in private.

use clawvoice_config::DmPolicy;
use clawvoice_session::{
    access::{People, Who},
    pairing::{self, Answer, Request},
};

use super::{
    policy::InboundPolicy,
    reason::DropReason,
    verdict::{Known, Need, Stop},
};
use crate::place::Channel;

/// Whether the sender of a direct message may talk to the agent.
pub(crate) fn check(who: &Who<'_>, known: &Known<'_>, policy: &InboundPolicy) -> Result<(), Stop> {
    if known.dm_is_bound {
        return Ok(());
    }
    let dm = &policy.dm;
    if dm.policy == DmPolicy::Disabled {
        return Err(DropReason::DmPolicyDisabled.into());
    }
    // Everybody, under `open`, is `*` on the list: so is what the configuration demands, and a
    // configuration that slipped through opens nothing.
    if dm.listed.lists(who, policy.match_names()) {
        return Ok(());
    }
    if dm.policy == DmPolicy::Pairing {
        match known.paired {
            None => return Err(Need::Paired.into()),
            Some(true) => return Ok(()),
            Some(false) => {}
        }
    }
    if let Some(need) = unanswered(&dm.listed, who, known) {
        return Err(need.into());
    }
    Err(match dm.policy {
        DmPolicy::Pairing => DropReason::DmPairingRequired,
        DmPolicy::Allowlist | DmPolicy::Open | DmPolicy::Disabled => DropReason::DmNotAllowlisted,
    }
    .into())
}

/// Whether somebody may be heard of in private who writes nothing, as with a reaction; `None`: if they
/// were let in by a code. Audiences are not asked: whoever is listed by one alone is not.
pub(crate) fn is_heard_in_private(who: &Who<'_>, policy: &InboundPolicy) -> Option<bool> {
    let dm = &policy.dm;
    if !dm.enabled || dm.policy == DmPolicy::Disabled {
        return Some(false);
    }
    match dm.listed.lists(who, policy.match_names()) {
        true => Some(true),
        false => (dm.policy != DmPolicy::Pairing).then_some(false),
    }
}

/// The first audience of a list that was not asked about yet. PluralKit's members see no channel.
pub(crate) fn unanswered(people: &People, who: &Who<'_>, known: &Known<'_>) -> Option<Need> {
    if who.plural.is_some() {
        return None;
    }
    let mut audiences = people.audiences().iter();
    audiences.find(|it| known.belongs_to(**it).is_none()).map(|it| Need::Audience(*it))
}

/// Whether a group of people without a guild is one of `dm.groupChannels`; without any, all are.
pub(crate) fn lets_group(policy: &InboundPolicy, channel: u64, known: Option<&Channel>) -> bool {
    let name = known.map_or("", |channel| channel.name.as_str());
    let groups = &policy.dm.group_channels;
    groups.is_empty() || groups.find(clawvoice_config::Named { id: channel, name }, None).is_some()
}

/// What a stranger's message is dropped for, after [`pairing::ask`].
#[must_use]
pub const fn pairing_reason(answer: &Answer) -> DropReason {
    match answer {
        Answer::Tell(_) | Answer::Known => DropReason::DmPairingRequired,
        Answer::Capped => DropReason::DmPairingCapped,
    }
}

/// What a stranger is told: only with a request that is new.
#[must_use]
pub fn pairing_reply(request: &Request) -> String {
    pairing::message("clawvoice", request)
}

#[cfg(test)]
mod tests {
    use clawvoice_session::UserId;

    use super::*;

    #[test]
    fn who_is_heard_of_in_private() {
        let heard = |keys: &str, user: u64| {
            let text = format!("{{ channels: {{ discord: {{ token: 'a.b.c', {keys} }} }} }}");
            let variables = std::collections::BTreeMap::new();
            let path = std::path::Path::new("/c.json5");
            let config = clawvoice_config::parse(&text, path, &variables).unwrap();
            let policy = InboundPolicy::new(&config, &config.discord, "default");
            let member = clawvoice_session::access::Member::by_id(UserId::new(user));
            is_heard_in_private(&member.into(), &policy)
        };
        for (keys, of_listed, of_others) in [
            ("allowFrom: ['31']", Some(true), None),
            ("dmPolicy: 'allowlist', allowFrom: ['31']", Some(true), Some(false)),
            ("dmPolicy: 'open', allowFrom: ['*']", Some(true), Some(true)),
            ("dmPolicy: 'disabled', allowFrom: ['31']", Some(false), Some(false)),
            ("dm: { enabled: false }, allowFrom: ['31']", Some(false), Some(false)),
        ] {
            assert_eq!(heard(keys, 31), of_listed, "{keys}");
            assert_eq!(heard(keys, 32), of_others, "{keys}");
        }
    }

    #[test]
    fn the_reply_names_the_code_and_the_command() {
        let request = Request {
            account: "default".to_owned(),
            user: UserId::new(31),
            code: "ABCDEFGH".to_owned(),
            asked: jiff::Timestamp::UNIX_EPOCH,
        };
        assert_eq!(
            pairing_reply(&request),
            "clawvoice: access not configured.\n\nYour Discord user id: 31\nPairing code:\n\
             ```\nABCDEFGH\n```\nAsk the bot owner to approve with:\n\
             ```\nclawvoice pairing approve discord ABCDEFGH\n```"
        );
        let ops = pairing_reply(&Request { account: "ops".to_owned(), ..request });
        assert!(ops.contains("approve discord ABCDEFGH --account ops"));
    }

    /// Scenario 13 of the text scenarios, what it is called.
    #[test]
    fn with_too_many_waiting_the_reason_is_another() {
        assert_eq!(pairing_reason(&Answer::Capped), DropReason::DmPairingCapped);
        assert_eq!(pairing_reason(&Answer::Known), DropReason::DmPairingRequired);
    }
}
