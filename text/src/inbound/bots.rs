//! Steps 9 and 20: bots, and people who speak through PluralKit's webhooks.

use clawvoice_config::AllowBots;

use super::{
    plural::PluralMember,
    policy::InboundPolicy,
    reason::DropReason,
    sender::is_bot,
    verdict::{Known, Need, Stop, Surface},
};
use crate::message::Message;

/// Who speaks through the message's webhook, if PluralKit knows; other bots are let through as
/// `allowBots` says.
pub(crate) fn identify<'a>(
    message: &Message,
    known: &Known<'a>,
    policy: &InboundPolicy,
) -> Result<Option<&'a PluralMember>, Stop> {
    if !is_bot(message) {
        return Ok(None);
    }
    // Everything that PluralKit writes comes through a webhook.
    if policy.plural_kit && message.webhook.is_some() {
        match known.plural {
            None => return Err(Need::PluralKit.into()),
            Some(Some(member)) => return Ok(Some(member)),
            Some(None) => {}
        }
    }
    match policy.allow_bots {
        AllowBots::No => Err(DropReason::BotNotAllowed.into()),
        AllowBots::Mentions | AllowBots::Yes => Ok(None),
    }
}

/// Whether a bot's message must be to this one, and is not. `from_bot`: not by way of PluralKit.
pub(crate) fn lacks_mention(
    policy: &InboundPolicy,
    from_bot: bool,
    surface: Surface,
    addressed: bool,
) -> bool {
    from_bot && policy.allow_bots == AllowBots::Mentions && surface != Surface::Direct && !addressed
}
