//! One provider connection and what is known of it.
//!
//! There is one connection per speaker, so a transcript, an answer or an interruption belongs to a
//! speaker by construction.

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{SessionTime, UserId, agent::RunId};

use super::{history::History, take_back::Trial, unanswered::Unanswered};
use crate::realtime::{Codec, ItemKind};

/// Audio kept for a connection that is not configured yet, in samples: 5 s, oldest dropped first.
const MAX_PENDING: usize = 5 * 24_000;
/// Responses followed at a time; the oldest is forgotten first.
const MAX_RESPONSES: usize = 8;
/// Announced items followed per response.
const MAX_ITEMS: usize = 64;
/// Connection attempts in a row before a lane is given up.
pub(super) const MAX_ATTEMPTS: u32 = 5;
/// Wait before the first attempt after a loss; doubles with each.
const BACK_OFF: Duration = Duration::from_secs(1);
/// A response of which nothing came for so long is taken for ended.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// The same after a call that is whole. Some servers end no response that ends with one, and what
/// the call brings could not be spoken before.
const CALLED_TIMEOUT: Duration = Duration::from_secs(2);

/// Names one provider connection; a reconnect gets a new name, so that what still arrives from the
/// old one is recognised and dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane(u32);

impl Lane {
    /// The lane of that number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number, counted from 0 in the order of opening.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// Asked for, or being configured; given up at `until`.
    Connecting { until: SessionTime },
    /// Configured: audio flows.
    Ready,
    /// Lost; opened again at `until`.
    Waiting { until: SessionTime },
}

/// A response between `response.created` and `response.done`.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) id: String,
    /// Announced message items.
    pub(super) items: Vec<String>,
    /// Cancelled by us: further audio is dropped.
    pub(super) cut: bool,
    /// An interruption by the provider's turn detection came too early; what it sent plays out.
    pub(super) spared: bool,
    pub(super) touched_at: SessionTime,
    /// The last that came of it is a call that is whole, of a server that then waits for its result
    /// in a response of its own.
    pub(super) called: bool,
}

impl Response {
    /// When it is taken for ended unless more comes of it.
    pub(super) fn ends_at(&self) -> SessionTime {
        self.touched_at + if self.called { CALLED_TIMEOUT } else { RESPONSE_TIMEOUT }
    }
}

/// A `response.create` of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Create {
    /// None.
    Idle,
    /// To be sent as soon as no response is active.
    Wanted,
    /// Sent, not answered.
    InFlight,
}

/// Silence being fed after a talkspurt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Silence {
    /// Samples sent.
    pub(super) sent: u64,
    /// Samples to send.
    pub(super) target: u64,
}

/// A provider connection's place in the pool. The place outlives the connection.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) lane: Lane,
    /// Whose it is; `None`: the warm spare.
    pub(super) user: Option<UserId>,
    pub(super) link: Link,
    /// Connections in a row that failed, or did not hold for long.
    pub(super) attempts: u32,
    /// Since when the connection is configured.
    pub(super) ready_at: Option<SessionTime>,
    /// When the connection is to be replaced as soon as nothing goes on over it.
    pub(super) rotate_at: SessionTime,
    /// When it is replaced in any case.
    pub(super) rotate_by: SessionTime,
    pub(super) used_at: SessionTime,
    pub(super) codec: Box<dyn Codec>,
    /// Unreadable frames in a row.
    pub(super) unreadable: u32,
    pub(super) responses: Vec<Response>,
    pub(super) create: Create,
    /// The provider is busy with a response that we do not know, or took for ended: how long its
    /// end is waited for.
    pub(super) busy_until: Option<SessionTime>,
    /// A call got a result that is to be spoken about, once no other call is outstanding.
    pub(super) respond_wanted: bool,
    /// Runs whose answers the next response that we ask for is to say.
    pub(super) results: Vec<RunId>,
    /// What the speaker said last, until it is answered.
    pub(super) said: String,
    /// Whether the last response was already asked for a second time.
    pub(super) retried: bool,
    /// The words of a short sound are awaited: they tell whether it was an interruption.
    pub(super) trial: Option<Trial>,
    /// What was said so far, for the next connection.
    pub(super) history: History,
    /// Speech that this connection has taken and not answered.
    pub(super) unanswered: Unanswered,
    /// Speech that the last connection took and did not answer.
    pub(super) say_again: Vec<i16>,
    /// Whether the speaker has stopped.
    pub(super) paused: bool,
    /// The provider has stopped an answer for speech that nobody made, and not answered since.
    pub(super) doubtful: bool,
    /// When such a provider is given up: it was spoken to and does not answer.
    pub(super) mute_at: Option<SessionTime>,
    /// Up to when the provider has been given audio.
    pub(super) fed_until: SessionTime,
    pub(super) silence: Option<Silence>,
    /// Whether the connection was given speech, or speech waits for it, since the last commit.
    pub(super) has_speech: bool,
    /// A turn of ours ended before the connection was ready; it is committed then.
    pub(super) commit_wanted: bool,
    pending: VecDeque<i16>,
}

impl Slot {
    pub(super) fn new(lane: Lane, codec: Box<dyn Codec>, now: SessionTime) -> Self {
        Self {
            lane,
            user: None,
            link: Link::Waiting { until: now },
            attempts: 0,
            ready_at: None,
            rotate_at: now,
            rotate_by: now,
            trial: None,
            history: History::default(),
            unanswered: Unanswered::default(),
            say_again: Vec::new(),
            paused: true,
            doubtful: false,
            mute_at: None,
            used_at: now,
            codec,
            unreadable: 0,
            responses: Vec::new(),
            create: Create::Idle,
            busy_until: None,
            respond_wanted: false,
            results: Vec::new(),
            said: String::new(),
            retried: false,
            fed_until: now,
            silence: None,
            has_speech: false,
            commit_wanted: false,
            pending: VecDeque::new(),
        }
    }

    /// Forgets the connection, keeps the speaker, what was said, and the audio that waits for the
    /// next one. `trailing` samples of silence end words that are said again.
    pub(super) fn reset(&mut self, now: SessionTime, trailing: u64) {
        self.codec.renew();
        self.unreadable = 0;
        self.responses.clear();
        self.create = Create::Idle;
        self.busy_until = None;
        self.respond_wanted = false;
        self.results.clear();
        self.retried = false;
        self.trial = None;
        self.ready_at = None;
        self.doubtful = false;
        self.mute_at = None;
        // A configured connection has taken all that was said; what it did not answer is said
        // again, and ended again if the speaker has stopped.
        if self.is_ready() {
            self.say_again = self.unanswered.take(now);
            self.has_speech = !self.say_again.is_empty();
            self.silence =
                (self.has_speech && self.paused).then_some(Silence { sent: 0, target: trailing });
            self.fed_until = now;
            self.commit_wanted = false;
            self.pending.clear();
        } else if !self.has_speech {
            // Silence and the turn's end are worth something only after words.
            self.silence = None;
            self.commit_wanted = false;
            self.pending.clear();
        }
        self.link = Link::Waiting { until: now };
    }

    /// Whether the room hears what comes of that response.
    pub(super) fn is_heard(&self, response: Option<&str>) -> bool {
        let named = |id| self.responses.iter().find(|response| response.id == id);
        response.and_then(named).is_none_or(|response| !response.cut)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.link == Link::Ready
    }

    /// Whether a response may be asked for.
    pub(super) fn is_free(&self) -> bool {
        self.is_idle() && self.create == Create::Idle
    }

    /// Whether no response is active.
    pub(super) fn is_idle(&self) -> bool {
        self.is_ready() && self.responses.is_empty() && self.busy_until.is_none()
    }

    /// The provider refuses a response because one is active.
    pub(super) fn note_busy(&mut self, now: SessionTime) {
        if self.responses.is_empty() {
            self.busy_until = Some(now + RESPONSE_TIMEOUT);
        }
    }

    /// Keeps audio for a connection to come; gives how many old samples were dropped for it.
    pub(super) fn keep(&mut self, pcm: &[i16]) -> usize {
        let excess = (self.pending.len() + pcm.len()).saturating_sub(MAX_PENDING);
        self.pending.drain(..excess.min(self.pending.len()));
        self.pending.extend(pcm);
        excess
    }

    /// Audio kept for this connection, in pieces of at most 200 ms.
    pub(super) fn take_pending(&mut self) -> impl Iterator<Item = Vec<i16>> + use<> {
        let kept = Vec::from(std::mem::take(&mut self.pending));
        let mut at = 0;
        std::iter::from_fn(move || {
            let piece = kept.get(at..kept.len().min(at + 4_800)).filter(|p| !p.is_empty())?;
            at += piece.len();
            Some(piece.to_vec())
        })
    }

    /// The wait before the next attempt.
    pub(super) fn back_off(&self) -> Duration {
        BACK_OFF * 2_u32.pow(self.attempts.saturating_sub(1).min(MAX_ATTEMPTS))
    }

    /// A response began.
    pub(super) fn begin(&mut self, id: String, now: SessionTime) {
        self.busy_until = None;
        if self.responses.iter().any(|r| r.id == id) {
            return;
        }
        if self.responses.len() == MAX_RESPONSES {
            self.responses.remove(0);
        }
        if let Some(trial) = &mut self.trial
            && trial.item.is_some()
        {
            trial.responses.push(id.clone());
        }
        self.responses.push(Response {
            id,
            items: Vec::new(),
            cut: false,
            spared: false,
            touched_at: now,
            called: false,
        });
    }

    /// The response of that id; without an id, the last one that is not cut.
    pub(super) fn response(&mut self, id: Option<&str>) -> Option<&mut Response> {
        match id {
            Some(id) => self.responses.iter_mut().find(|r| r.id == id),
            None => self.responses.iter_mut().rfind(|r| !r.cut),
        }
    }

    /// Takes an ended response out. Without an id it is the last one.
    pub(super) fn end(&mut self, id: Option<&str>) -> Option<Response> {
        self.busy_until = None;
        let index = match id {
            Some(id) => self.responses.iter().position(|r| r.id == id)?,
            None => self.responses.len().checked_sub(1)?,
        };
        Some(self.responses.remove(index))
    }

    /// An item was announced.
    pub(super) fn announce(&mut self, response: Option<&str>, item: String, kind: ItemKind) {
        if let Some(response) = self.response(response)
            && kind == ItemKind::Message
            && !item.is_empty()
            && response.items.len() < MAX_ITEMS
            && !response.items.contains(&item)
        {
            response.items.push(item);
        }
    }

    /// When the first response that went silent is taken for ended.
    pub(super) fn response_deadline(&self) -> Option<SessionTime> {
        self.responses.iter().map(Response::ends_at).chain(self.busy_until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::Profile;

    fn slot() -> Slot {
        let codec = Profile::default().codec();
        Slot::new(Lane::new(0), codec, SessionTime::ZERO)
    }

    #[test]
    fn provider_scenario_01_at_most_five_seconds_wait_and_the_oldest_go_first() {
        let mut slot = slot();
        for n in 0..260_i16 {
            let dropped = slot.keep(&[n; 480]);
            assert_eq!(dropped, if n < 250 { 0 } else { 480 });
        }
        let kept: Vec<i16> = slot.take_pending().flatten().collect();
        assert_eq!(kept.len(), 120_000);
        assert_eq!((kept[0], kept[119_999]), (10, 259));
        assert_eq!(slot.take_pending().count(), 0);
    }

    #[test]
    fn the_wait_doubles_from_one_second() {
        let mut slot = slot();
        let waits: Vec<u64> = (1..=5)
            .map(|attempt| {
                slot.attempts = attempt;
                slot.back_off().as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16]);
    }

    #[test]
    fn responses_are_bounded() {
        let mut slot = slot();
        for n in 0..20 {
            slot.begin(n.to_string(), SessionTime::ZERO);
        }
        assert_eq!(slot.responses.len(), MAX_RESPONSES);
        assert!(slot.response(Some("0")).is_none());
        assert!(slot.response(Some("19")).is_some());
    }
}
