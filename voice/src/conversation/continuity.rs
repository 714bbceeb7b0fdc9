//! One conversation over many connections: loss, expiry, planned rotation, and what is said again.
//!
//! A provider's new session starts empty. It is told the conversation so far as text, then given
//! the speech that the old one took without an answer, then what was said in between.

use std::time::Duration;

use clawvoice_session::{SessionTime, UserId, timeline::Level};
use rand::Rng as _;

use super::{
    Conversation, Output,
    history::History,
    lane::{Lane, Link, MAX_ATTEMPTS, Slot},
    turn::Admission,
};
use crate::{
    realtime::{Closed, Command, ServerEvent, TranscriptionUsage},
    timeline::{self, Direction, Role},
};

/// Histories of speakers whose connection was closed; the oldest goes first.
const MAX_HISTORIES: usize = 16;
/// A session that held for so long has shown that connecting works: attempts count anew.
const PROVEN: Duration = Duration::from_secs(60);
/// An attempt is put off by up to this share of its wait, so that not everybody comes at once.
const JITTER: f64 = 0.2;
/// Longest that a provider is stayed away from because it asked for it.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);
/// Speech so recent may be what a provider has stopped for: its way there and back, and the time
/// the provider takes to be sure.
const HEARD_LATELY: Duration = Duration::from_millis(1_000);
/// After its speaker's end, a provider in doubt has so long to show that it heard them.
const MUTE_AFTER: Duration = Duration::from_secs(8);
/// How long before a provider's announced close its session is given up, idle or not.
const GO_AWAY_MARGIN: Duration = Duration::from_secs(2);

impl Conversation {
    /// Opens the connection of a slot, unless the provider asked to be left alone.
    pub(super) fn dial(&mut self, now: SessionTime, index: usize) {
        let until = now + self.settings.connect_timeout;
        let blocked = self.blocked_until.filter(|at| *at > now);
        let Some(slot) = self.slots.get_mut(index) else { return };
        if let Some(until) = blocked {
            slot.link = Link::Waiting { until };
            return;
        }
        slot.link = Link::Connecting { until };
        let lane = slot.lane;
        self.outputs.push_back(Output::OpenProvider { lane });
    }

    /// A connection is gone or could not be made.
    pub(super) fn handle_closed(&mut self, now: SessionTime, index: usize, closed: &Closed) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.codec.handle_closed(closed);
        if slot.codec.is_fatal(closed) {
            self.fail(now, closed.describe());
        } else if closed.is_expiry() && self.is_proven(now, index) {
            self.leave_old(now, index);
        } else {
            self.lost(now, index, &closed.describe(), closed.retry_after());
        }
    }

    fn is_proven(&self, now: SessionTime, index: usize) -> bool {
        self.slots
            .get(index)
            .and_then(|slot| slot.ready_at)
            .is_some_and(|at| now.since(at) >= PROVEN)
    }

    /// Continues on a new connection at once: the old one's time is over, nothing is wrong.
    pub(super) fn rotate(&mut self, now: SessionTime, index: usize) {
        self.hang_up(index);
        self.line(timeline::lifecycle(now, Level::Info, Direction::Client, "session.rotate"));
        self.renew(now, index);
    }

    /// As [`Conversation::rotate`], after the provider has closed the old connection.
    fn leave_old(&mut self, now: SessionTime, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            self.stats.decode.add(slot.codec.stats());
        }
        self.line(timeline::lifecycle(now, Level::Info, Direction::Server, "session.expired"));
        self.renew(now, index);
    }

    fn renew(&mut self, now: SessionTime, index: usize) {
        if self.forget(now, index).is_some() {
            self.dial(now, index);
        }
    }

    /// A connection that misbehaves is closed and made anew.
    pub(super) fn recycle(&mut self, now: SessionTime, index: usize, why: &str) {
        self.hang_up(index);
        self.lose(now, index, why, None);
    }

    /// A connection is gone: try again after a while, or give up.
    pub(super) fn lost(
        &mut self,
        now: SessionTime,
        index: usize,
        why: &str,
        retry_after: Option<Duration>,
    ) {
        if let Some(slot) = self.slots.get(index) {
            self.stats.decode.add(slot.codec.stats());
        }
        self.lose(now, index, why, retry_after);
    }

    fn lose(&mut self, now: SessionTime, index: usize, why: &str, retry_after: Option<Duration>) {
        let proven = self.is_proven(now, index);
        let is_answering = self.slots.get(index).is_some_and(|slot| !slot.responses.is_empty());
        if self.forget(now, index).is_none() {
            return;
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        if proven {
            slot.attempts = 0;
        }
        slot.attempts += 1;
        if slot.attempts > MAX_ATTEMPTS {
            self.give_up(now, index, why);
            return;
        }
        let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
        let wait = slot.back_off().max(asked);
        let wait = wait + wait.mul_f64(self.rng.random_range(0.0..JITTER));
        let until = now + wait;
        slot.link = Link::Waiting { until };
        if retry_after.is_some() {
            self.blocked_until = self.blocked_until.max(Some(until));
        }
        let lost = if is_answering { "; an answer is lost" } else { "" };
        let more = format!("{lost}; connecting again in {:.1} s", wait.as_secs_f32());
        self.complain_with(now, "", why, &more);
    }

    /// One speaker's connection cannot be made. That ends the conversation unless another works.
    fn give_up(&mut self, now: SessionTime, index: usize, why: &str) {
        if !self.slots.iter().any(Slot::is_ready) {
            self.fail(now, why.to_owned());
            return;
        }
        self.complain(now, "", why);
        self.keep_history(index);
        let slot = self.slots.remove(index);
        for turn in &mut self.turns {
            if slot.user == Some(turn.user) {
                turn.admission = Admission::Dropped;
                self.stats.turns_dropped += 1;
            }
        }
        // A dropped turn ends with its talkspurt; one that pauses has ended.
        self.turns.retain(|turn| turn.admission == Admission::Admitted || turn.is_talking());
    }

    /// Forgets a connection; its place gets the name of the next one. Its answers that are whole,
    /// or that the room has begun to hear, play out.
    fn forget(&mut self, now: SessionTime, index: usize) -> Option<Lane> {
        let next = self.name_lane();
        let trailing = self.settings.trailing_silence();
        let old = self.slots.get(index)?.lane;
        self.consults.lane_lost(old);
        let is_said = self.speech.response().is_some_and(|(lane, response)| {
            let answers = self.playback.of_lane(lane);
            let mut said = answers.filter(|answer| answer.response == response);
            lane == old && said.any(|answer| answer.complete || answer.is_started())
        });
        self.tell_lost(old);
        self.speech.lost(old, is_said);
        if let Some(gate) = &mut self.wake {
            gate.reset();
        }
        let slot = self.slots.get_mut(index)?;
        self.playback.replace_lane(slot.lane, next);
        slot.reset(now, trailing);
        slot.lane = next;
        self.stats.reconnects += 1;
        Some(next)
    }

    /// A new session is configured: it is told what was said before, and goes on from there.
    pub(super) fn resume(&mut self, now: SessionTime, index: usize) {
        let rotate_after = self.settings.rotate_after;
        let session_limit = self.settings.session_limit.max(rotate_after);
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.ready_at = Some(now);
        slot.rotate_at = now + rotate_after;
        slot.rotate_by = now + session_limit;
        self.replay(index);
        self.say_again(now, index);
    }

    /// Tells a connection what its speaker and the front end said before.
    pub(super) fn replay(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let lane = slot.lane;
        let history = slot.history.replay();
        if !history.is_empty() {
            self.send(lane, &Command::Replay { history: &history });
        }
    }

    /// What the last connection took and did not answer.
    fn say_again(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let again = std::mem::take(&mut slot.say_again);
        let lane = slot.lane;
        for piece in again.chunks(4_800) {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.unanswered.push(now, piece, true);
            }
            self.send(lane, &Command::Append(piece));
        }
    }

    /// A speaker gets a connection: it is told what they said on an earlier one.
    pub(super) fn remind(&mut self, index: usize, user: UserId) {
        let Some(at) = self.histories.iter().position(|(of, _)| *of == user) else { return };
        let Some((_, history)) = self.histories.remove(at) else { return };
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.history = history;
        if slot.is_ready() {
            self.replay(index);
        }
    }

    /// Keeps what was said with a speaker whose connection is closed.
    pub(super) fn keep_history(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let history = std::mem::take(&mut slot.history);
        let Some(user) = slot.user.filter(|_| history != History::default()) else { return };
        self.histories.retain(|(of, _)| *of != user);
        if self.histories.len() == MAX_HISTORIES {
            self.histories.pop_front();
        }
        self.histories.push_back((user, history));
    }

    /// Notes what an event says about the conversation so far, before anything acts on it.
    pub(super) fn remember(&mut self, now: SessionTime, index: usize, event: &ServerEvent) {
        self.count_usage(now, event);
        let commits_itself = self.settings.turn_end == super::TurnEnd::ProviderVad;
        let Some(slot) = self.slots.get_mut(index) else { return };
        if matches!(event, ServerEvent::ResponseCreated { .. } | ServerEvent::UserTranscript { .. })
        {
            (slot.doubtful, slot.mute_at) = (false, None);
        }
        match event {
            ServerEvent::Committed { item } => {
                if let Some(item) = item {
                    slot.history.expect(Role::User, item);
                }
                if commits_itself {
                    slot.unanswered.commit();
                }
            }
            ServerEvent::UserTranscript { item, text, .. } => {
                slot.unanswered.answered();
                if !text.trim().is_empty() {
                    slot.history.finish(Role::User, item.as_deref(), text);
                }
            }
            ServerEvent::UserTranscriptFailed { .. } => slot.unanswered.answered(),
            ServerEvent::ResponseCreated { .. } => slot.unanswered.answered(),
            ServerEvent::AssistantTranscriptPartial { response, item, delta }
                if slot.is_heard(response.as_deref()) =>
            {
                slot.history.add(Role::Assistant, item.as_deref(), delta);
            }
            ServerEvent::AssistantTranscript { response, item, text }
                if slot.is_heard(response.as_deref()) && !text.trim().is_empty() =>
            {
                slot.history.finish(Role::Assistant, item.as_deref(), text);
            }
            ServerEvent::GoAway { time_left } => {
                slot.rotate_at = slot.rotate_at.min(now);
                if let Some(left) = time_left {
                    let by = now + left.saturating_sub(GO_AWAY_MARGIN);
                    slot.rotate_by = slot.rotate_by.min(by);
                }
            }
            _ => {}
        }
    }

    /// The provider says that it has stopped its answer because it heard its speaker. If nobody
    /// spoke it is mistaken: what has come of the answer plays out, and whether the session still
    /// answers is watched, because some do not after that (python-genai issue 2333).
    pub(super) fn interrupted_by_provider(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let mut turns = self.turns.iter().filter(|turn| Some(turn.user) == slot.user);
        if turns.any(|turn| turn.spoke_within(now, HEARD_LATELY)) {
            self.interrupt_by_provider(now, index);
            return;
        }
        slot.doubtful = true;
        for response in &mut slot.responses {
            response.spared = true;
        }
        self.stats.phantom_interruptions += 1;
    }

    /// A speaker has ended: a provider in doubt must show that it heard them.
    pub(super) fn expect_answer(&mut self, now: SessionTime, index: usize) {
        if let Some(slot) = self.slots.get_mut(index)
            && slot.doubtful
            && slot.is_ready()
        {
            slot.mute_at.get_or_insert(now + MUTE_AFTER);
        }
    }

    pub(super) fn recycle_if_mute(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.mute_at.is_some_and(|at| at <= now) {
            slot.codec.start_over();
            self.recycle(now, index, "the provider answers nothing since it stopped for no speech");
        }
    }

    fn count_usage(&mut self, now: SessionTime, event: &ServerEvent) {
        let used = match event {
            ServerEvent::ResponseDone { usage: Some(usage), .. } | ServerEvent::Used(usage) => {
                usage
            }
            ServerEvent::UserTranscript { usage: Some(usage), .. } => {
                match usage {
                    TranscriptionUsage::Tokens(usage) => self.stats.transcription_usage.add(*usage),
                    TranscriptionUsage::Duration(time) => {
                        self.stats.transcribed = self.stats.transcribed.saturating_add(*time);
                    }
                }
                return;
            }
            _ => return,
        };
        self.stats.usage.add(*used);
        let record = timeline::realtime_usage(now, self.settings.place(), used);
        self.line(record);
    }

    /// When a connection is to be replaced by a new one: as soon as nothing goes on over it once
    /// its time has come, and at its limit in any case.
    pub(super) fn rotation_due(&self, index: usize) -> Option<SessionTime> {
        let slot = self.slots.get(index).filter(|slot| slot.is_ready())?;
        if !self.is_quiet(index) {
            return Some(slot.rotate_by);
        }
        // Words that wait for their answer would have to be said again.
        let words = (!slot.unanswered.is_empty()).then(|| slot.unanswered.stale_at());
        Some(slot.rotate_at.max(words.unwrap_or_default()).min(slot.rotate_by))
    }

    pub(super) fn rotate_if_due(&mut self, now: SessionTime, index: usize) {
        if self.rotation_due(index).is_some_and(|at| at <= now) {
            self.rotate(now, index);
        }
    }

    /// Whether nothing would be lost with a connection.
    fn is_quiet(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| {
            slot.silence.is_none()
                && slot.responses.is_empty()
                && slot.create == super::lane::Create::Idle
                && self.playback.of_lane(slot.lane).next().is_none()
                && !self.turns.iter().any(|turn| Some(turn.user) == slot.user && turn.is_talking())
        })
    }
}
