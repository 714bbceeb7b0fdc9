//! Step 8: what the bot itself has sent, on whatever way, is no question.

use std::time::Duration;

use clawvoice_session::{MessageId, SessionTime, WebhookId};

use super::{reason::DropReason, sender::is_bot, verdict::Known};
use crate::{message::Message, recent::Recent};

/// A message's own echo comes within seconds. Source: OpenClaw, "Discord": a thread's webhook is
/// remembered for 30 s after the binding has ended.
const REMEMBERED: Duration = Duration::from_secs(30);
/// So many are remembered; then the oldest go.
const MOST: usize = 2_000;

/// How notices of sessions begin.
const NOTICES: [&str; 3] = ["⚙️", "🤖", "🧰"];

/// What was just sent, by message and by webhook.
#[derive(Clone, Debug)]
pub struct Sent {
    messages: Recent<MessageId>,
    webhooks: Recent<WebhookId>,
}

impl Default for Sent {
    fn default() -> Self {
        Self { messages: Recent::new(REMEMBERED, MOST), webhooks: Recent::new(REMEMBERED, MOST) }
    }
}

impl Sent {
    /// A message was sent.
    pub fn message(&mut self, now: SessionTime, message: MessageId) {
        self.messages.put(now, message);
    }

    /// A webhook of ours was used, or is no longer.
    pub fn webhook(&mut self, now: SessionTime, webhook: WebhookId) {
        self.webhooks.put(now, webhook);
    }

    /// Forgets what is over; to be called before a message is judged by it.
    pub fn forget(&mut self, now: SessionTime) {
        self.messages.forget(now);
        self.webhooks.forget(now);
    }

    fn has(&self, message: &Message) -> bool {
        self.messages.has(&message.id) || message.webhook.is_some_and(|it| self.webhooks.has(&it))
    }
}

/// Whether the message is an echo.
pub(crate) fn check(message: &Message, known: &Known<'_>) -> Result<(), DropReason> {
    if known.sent.has(message) {
        return Err(DropReason::OutboundEcho);
    }
    let Some(bound) = known.bound else { return Ok(()) };
    if message.webhook.is_some() && message.webhook == bound.webhook {
        return Err(DropReason::BoundThreadWebhookEcho);
    }
    let text = message.content.trim_start();
    if is_bot(message) && NOTICES.iter().any(|notice| text.starts_with(notice)) {
        return Err(DropReason::BoundThreadSystemMessage);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clawvoice_session::UserId;

    use super::*;
    use crate::{inbound::BoundThread, place::Places};

    fn at(second: u64) -> SessionTime {
        SessionTime::from_millis(second * 1_000)
    }

    fn judged(sent: &Sent, bound: Option<BoundThread>, rest: &str) -> Option<DropReason> {
        let json =
            format!(r#"{{"id":"5","channel_id":"6","author":{{"id":"7","bot":true}}{rest}}}"#);
        let places = Places::default();
        let known = Known { bound, ..Known::new(UserId::new(1), &places, sent, 0) };
        check(&Message::read(&json).unwrap(), &known).err()
    }

    #[test]
    fn what_was_just_sent_is_an_echo_for_half_a_minute() {
        let mut sent = Sent::default();
        assert_eq!(judged(&sent, None, ""), None);
        sent.message(at(0), MessageId::new(5));
        assert_eq!(judged(&sent, None, ""), Some(DropReason::OutboundEcho));
        sent.webhook(at(10), WebhookId::new(8));
        sent.webhook(at(20), WebhookId::new(8));
        sent.forget(at(40));
        assert_eq!(judged(&sent, None, ""), None);
        let webhook = r#","webhook_id":"8""#;
        assert_eq!(judged(&sent, None, webhook), Some(DropReason::OutboundEcho));
        sent.forget(at(50));
        assert_eq!(judged(&sent, None, webhook), None);
    }

    #[test]
    fn a_bound_threads_own_words_are_no_questions() {
        let sent = Sent::default();
        let bound = Some(BoundThread { webhook: Some(WebhookId::new(8)) });
        for (bound, rest, reason) in [
            (bound, r#","webhook_id":"8""#, Some(DropReason::BoundThreadWebhookEcho)),
            (bound, r#","webhook_id":"9""#, None),
            (Some(BoundThread { webhook: None }), "", None),
            (
                bound,
                r#","content":" ⚙️ session active""#,
                Some(DropReason::BoundThreadSystemMessage),
            ),
            (bound, r#","content":"all ⚙️""#, None),
            (None, r#","content":"🤖 hi""#, None),
        ] {
            assert_eq!(judged(&sent, bound, rest), reason, "{rest}");
        }
    }
}
