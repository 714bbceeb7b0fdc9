//! The pool of provider connections: one per speaker, one warm spare, bounded.

use clawvoice_session::{SessionTime, UserId};

use super::{
    Conversation, Output, Timer,
    lane::{Lane, Link, Slot},
    turn::Admission,
};
use crate::{
    realtime::{CONFIGURE_EVENT_ID, Command, Shape},
    timeline,
};

impl Conversation {
    /// A connection for a speaker: their own, the spare, a new one, or that of the speaker who has
    /// been silent for longest. `None`: all are busy.
    pub(super) fn admit(&mut self, now: SessionTime, user: UserId) -> Option<usize> {
        let own = self.slots.iter().position(|slot| slot.user == Some(user));
        let index = own
            .or_else(|| self.slots.iter().position(|slot| slot.user.is_none()))
            .or_else(|| self.open_slot(now))
            .or_else(|| self.reuse_slot(now))?;
        let slot = self.slots.get_mut(index)?;
        slot.user = Some(user);
        slot.used_at = now;
        slot.fed_until = slot.fed_until.max(now);
        if own.is_none() {
            self.remind(index, user);
        }
        self.ensure_spare(now);
        Some(index)
    }

    /// Tells a connection something, if it is still ours and its provider has a message for it.
    /// Gives whether it was told.
    pub(super) fn send(&mut self, lane: Lane, command: &Command<'_>) -> bool {
        let event_id = command.word().map(|word| self.event_id(word)).unwrap_or_default();
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) else {
            return false;
        };
        let can = slot.codec.capabilities();
        let is_possible = match command {
            Command::Cancel { .. } => can.can_cancel && can.shape == Shape::TurnBased,
            Command::Truncate { .. } | Command::Delete { .. } => {
                can.can_truncate && can.shape == Shape::TurnBased
            }
            Command::ClearInput => can.can_clear_input,
            _ => true,
        };
        if !is_possible {
            return false;
        }
        slot.codec.encode(&event_id, command, &mut self.frames);
        let is_told = !self.frames.is_empty();
        self.send_frames(lane);
        is_told
    }

    /// Tells a connection who it is to be.
    pub(super) fn configure(&mut self, lane: Lane) {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.lane == lane) else { return };
        let history = slot.history.told();
        let command = Command::Configure(self.settings.session(&history));
        slot.codec.encode(CONFIGURE_EVENT_ID, &command, &mut self.frames);
        self.send_frames(lane);
    }

    fn send_frames(&mut self, lane: Lane) {
        let frames = self.frames.drain(..);
        self.outputs.extend(frames.map(|message| Output::Provider { lane, message }));
    }

    /// Keeps one connection warm for whoever speaks next.
    pub(super) fn ensure_spare(&mut self, now: SessionTime) {
        if self.slots.iter().all(|slot| slot.user.is_some()) {
            self.open_slot(now);
        }
    }

    fn open_slot(&mut self, now: SessionTime) -> Option<usize> {
        if self.slots.len() >= self.settings.max_lanes.max(1) {
            return None;
        }
        let lane = self.name_lane();
        let codec = self.settings.profile.codec();
        self.slots.push(Slot::new(lane, codec, now));
        let index = self.slots.len() - 1;
        self.dial(now, index);
        Some(index)
    }

    /// A new connection in the place of the one that has been idle for longest: the provider's
    /// memory of one speaker is not handed to another.
    fn reuse_slot(&mut self, now: SessionTime) -> Option<usize> {
        let index = (0..self.slots.len())
            .filter(|index| self.is_idle(*index))
            .min_by_key(|index| self.slots.get(*index).map(|slot| slot.used_at))?;
        self.hang_up(index);
        self.keep_history(index);
        let lane = self.name_lane();
        let codec = self.settings.profile.codec();
        *self.slots.get_mut(index)? = Slot::new(lane, codec, now);
        self.dial(now, index);
        Some(index)
    }

    pub(super) fn name_lane(&mut self) -> Lane {
        let lane = Lane::new(self.next_lane);
        self.next_lane = self.next_lane.wrapping_add(1);
        lane
    }

    /// Whether a speaker's connection has nothing to do.
    fn is_idle(&self, index: usize) -> bool {
        self.slots.get(index).is_some_and(|slot| {
            slot.user.is_some()
                && slot.silence.is_none()
                && slot.responses.is_empty()
                && self.playback.of_lane(slot.lane).next().is_none()
                && !self.turns.iter().any(|turn| {
                    Some(turn.user) == slot.user && turn.admission == Admission::Admitted
                })
        })
    }

    pub(super) fn find_slot(&self, lane: Lane) -> Option<usize> {
        self.slots.iter().position(|slot| slot.lane == lane)
    }

    /// Asks for the close of a connection that exists, and keeps its counters.
    pub(super) fn hang_up(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        self.stats.decode.add(slot.codec.stats());
        if !matches!(slot.link, Link::Waiting { .. }) {
            self.outputs.push_back(Output::CloseProvider { lane: slot.lane });
        }
    }

    pub(super) fn close_lanes(&mut self) {
        for index in 0..self.slots.len() {
            self.hang_up(index);
        }
        self.slots.clear();
    }

    /// The front end is unusable.
    pub(super) fn fail(&mut self, now: SessionTime, why: String) {
        self.complain(now, "", &why);
        self.close(now);
        self.outputs.push_back(Output::Failed(why));
    }

    /// Logs an error, unless it repeats.
    pub(super) fn complain(&mut self, now: SessionTime, code: &str, message: &str) {
        self.complain_with(now, code, message, "");
    }

    /// As [`Conversation::complain`], with something to add that makes it no other error.
    pub(super) fn complain_with(
        &mut self,
        now: SessionTime,
        code: &str,
        message: &str,
        more: &str,
    ) {
        let message = timeline::preview(message);
        if !self.errors.is_news(now, code, &message) {
            self.stats.errors_repeated += 1;
            return;
        }
        let message = format!("{message}{more}");
        self.line(timeline::realtime_error(now, self.settings.place(), code, &message));
    }

    /// Sends a wanted `response.create` when no response is active.
    pub(super) fn create_if_wanted(&mut self, index: usize) {
        use super::lane::Create;
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.create == Create::Wanted && slot.is_idle() {
            slot.create = Create::InFlight;
            let lane = slot.lane;
            let is_told = self.send(lane, &Command::Respond { instructions: None });
            if let Some(slot) = self.slots.get_mut(index).filter(|_| !is_told) {
                // The provider answers by itself.
                slot.create = Create::Idle;
            }
        }
    }

    pub(super) fn poll_lane_timeout(&self) -> Option<(SessionTime, Timer)> {
        (0..self.slots.len()).filter_map(|index| self.slot_timeout(index)).min()
    }

    fn slot_timeout(&self, index: usize) -> Option<(SessionTime, Timer)> {
        let slot = self.slots.get(index)?;
        let link = match slot.link {
            Link::Connecting { until } => Some((until, Timer::ConnectTimeout)),
            Link::Waiting { until } => Some((until, Timer::Reconnect)),
            Link::Ready => None,
        };
        let rotation = self.rotation_due(index).map(|at| (at, Timer::Rotation));
        let idle = self.is_idle(index).then(|| slot.used_at + self.settings.lane_idle);
        [
            link,
            rotation,
            self.silence_due(index).map(|at| (at, Timer::Silence)),
            slot.response_deadline().map(|at| (at, Timer::ResponseTimeout)),
            slot.mute_at.map(|at| (at, Timer::ResponseTimeout)),
            idle.map(|at| (at, Timer::LaneIdle)),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    pub(super) fn handle_lane_timeouts(&mut self, now: SessionTime) {
        let lanes: Vec<Lane> = self.slots.iter().map(|slot| slot.lane).collect();
        for lane in lanes {
            let Some(index) = self.find_slot(lane) else { continue };
            self.feed_silence(now, index);
            self.end_silent_responses(now, index);
            self.recycle_if_mute(now, index);
            let Some(index) = self.find_slot(lane) else { continue };
            self.handle_link_timeout(now, index);
            if let Some(index) = self.find_slot(lane) {
                self.rotate_if_due(now, index);
            }
            if let Some(index) = self.find_slot(lane) {
                self.close_if_idle(now, index);
            }
        }
    }

    fn handle_link_timeout(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get(index) else { return };
        match slot.link {
            Link::Connecting { until } if until <= now => {
                self.recycle(now, index, "the provider connection was not ready in time");
            }
            Link::Waiting { until } if until <= now => self.dial(now, index),
            _ => {}
        }
    }

    fn close_if_idle(&mut self, now: SessionTime, index: usize) {
        let is_due =
            self.slots.get(index).is_some_and(|slot| slot.used_at + self.settings.lane_idle <= now);
        if is_due && self.is_idle(index) {
            self.hang_up(index);
            self.keep_history(index);
            self.slots.remove(index);
            self.ensure_spare(now);
        }
    }
}
