//! What a provider connection says, applied.

use clawvoice_session::{SessionTime, timeline::Level};

use super::{
    Conversation, Output,
    interrupt::unheard,
    lane::{Create, Lane, Link},
    playback::{Answer, Overflow},
};
use crate::{
    realtime::{
        AudioDelta, CONFIGURE_EVENT_ID, Closed, Command, Failure, Frame, ItemStatus,
        MAX_EVENT_BYTES, ResponseStatus, ServerEvent, Treatment,
    },
    timeline::{self, Direction, Role, StopReason},
};

/// Unreadable frames in a row after which a connection is recycled.
const MAX_UNREADABLE: u32 = 10;

/// How the ids begin that we give to responses without one.
const UNNAMED: &str = "unnamed";

impl Conversation {
    /// A connection is open; it is configured now.
    pub fn handle_provider_opened(&mut self, now: SessionTime, lane: Lane) {
        if self.find_slot(lane).is_none() {
            return;
        }
        self.configure(lane);
        self.line(timeline::lifecycle(now, Level::Info, Direction::Client, "session.update"));
    }

    /// A text frame came.
    pub fn handle_provider_text(&mut self, now: SessionTime, lane: Lane, text: &str) {
        self.handle_frame(now, lane, Frame::Text(text));
    }

    /// A binary frame came.
    pub fn handle_provider_binary(&mut self, now: SessionTime, lane: Lane, bytes: &[u8]) {
        self.handle_frame(now, lane, Frame::Binary(bytes));
    }

    fn handle_frame(&mut self, now: SessionTime, lane: Lane, frame: Frame<'_>) {
        let Some(index) = self.find_slot(lane) else {
            self.stats.late_frames += 1;
            return;
        };
        if frame.len() > MAX_EVENT_BYTES {
            self.recycle(now, index, "the provider sent a frame over 16 MiB");
            self.settle(now);
            return;
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        let mut events = std::mem::take(&mut self.events);
        match slot.codec.decode(frame, &mut events) {
            Ok(()) => slot.unreadable = 0,
            Err(_) => self.handle_unreadable(now, index),
        }
        for (kind, event) in events.drain(..) {
            // An earlier event of the frame may have ended the connection.
            let Some(index) = self.find_slot(lane) else { break };
            self.log_event(now, &kind, &event);
            self.handle_event(now, index, event);
        }
        self.events = events;
        self.settle(now);
    }

    /// A connection is gone or could not be made.
    pub fn handle_provider_closed(&mut self, now: SessionTime, lane: Lane, closed: &Closed) {
        let Some(index) = self.find_slot(lane) else { return };
        self.handle_closed(now, index, closed);
        self.settle(now);
    }

    fn handle_unreadable(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.unreadable += 1;
        if slot.unreadable >= MAX_UNREADABLE {
            self.recycle(now, index, "the provider sends frames that are no events");
        }
    }

    /// Every event but audio is in the verbose log; session events are state changes.
    fn log_event(&mut self, now: SessionTime, kind: &str, event: &ServerEvent) {
        let level = match event {
            ServerEvent::Audio(_) | ServerEvent::BadAudio => return,
            ServerEvent::SessionCreated | ServerEvent::SessionUpdated => Level::Info,
            _ => Level::Verbose,
        };
        self.line(timeline::lifecycle(now, level, Direction::Server, kind));
    }

    fn handle_event(&mut self, now: SessionTime, index: usize, event: ServerEvent) {
        self.touch(now, index, &event);
        self.remember(now, index, &event);
        match event {
            ServerEvent::SessionUpdated => self.handle_configured(now, index),
            ServerEvent::SpeechStarted { .. } => self.interrupt_by_provider(now, index),
            ServerEvent::UserTranscript { item, text, .. } => {
                self.note_transcripts(now, &text);
                if self.try_words(now, index, item.as_deref(), &text) {
                    self.transcribe(now, index, Role::User, text);
                } else {
                    self.hear_words(now, index, text);
                }
            }
            ServerEvent::Committed { item } => {
                if let Some(trial) = self.slots.get_mut(index).and_then(|slot| slot.trial.as_mut())
                {
                    trial.item = trial.item.take().or(item);
                }
            }
            ServerEvent::UserTranscriptPartial { text, .. } => {
                if let Some(user) = self.slots.get(index).and_then(|slot| slot.user) {
                    self.handle_partial(now, user, &text);
                }
            }
            ServerEvent::Interrupted => self.interrupted_by_provider(now, index),
            ServerEvent::ToolCallsCancelled { ids } => self.withdraw_calls(index, &ids),
            ServerEvent::AssistantTranscript { response, text, .. } => {
                let heard = self
                    .slots
                    .get_mut(index)
                    .and_then(|slot| slot.response(response.as_deref()))
                    .is_none_or(|response| !response.cut);
                if heard && self.repeats_outcome(now, index, response.as_deref(), &text) {
                    self.transcribe(now, index, Role::Assistant, text);
                    self.suppress_outcome(now, index, response.as_deref());
                } else if heard {
                    self.note_answer(now, index, response.as_deref(), &text);
                    self.transcribe(now, index, Role::Assistant, text);
                }
            }
            ServerEvent::ResponseCreated { response, .. } => {
                self.handle_created(now, index, response);
            }
            ServerEvent::ResponseDone { response, status, failure, .. } => {
                self.handle_done(now, index, response.as_deref(), status, &failure);
            }
            ServerEvent::OutputItemAdded { response, item, kind } => {
                if let Some(slot) = self.slots.get_mut(index) {
                    slot.announce(response.as_deref(), item, kind);
                }
            }
            ServerEvent::Audio(delta) => self.handle_audio(now, index, &delta),
            ServerEvent::FunctionCall(call) => self.handle_call(now, index, &call),
            ServerEvent::Error(failure) => self.handle_error(now, index, &failure),
            ServerEvent::SpeechStopped { .. } => self.playback.note_turn_ended(now),
            ServerEvent::SessionCreated
            | ServerEvent::UserTranscriptFailed { .. }
            | ServerEvent::AssistantTranscriptPartial { .. }
            | ServerEvent::GoAway { .. }
            | ServerEvent::RateLimits(_)
            | ServerEvent::Used(_)
            | ServerEvent::BadAudio
            | ServerEvent::Noted { .. }
            | ServerEvent::Unknown => {}
        }
    }

    /// A response of which something came is alive.
    fn touch(&mut self, now: SessionTime, index: usize, event: &ServerEvent) {
        let mut called = false;
        let response = match event {
            ServerEvent::FunctionCall(call) => {
                called = call.status == ItemStatus::Completed;
                &call.response
            }
            ServerEvent::Audio(AudioDelta { response, .. })
            | ServerEvent::OutputItemAdded { response, .. }
            | ServerEvent::AssistantTranscript { response, .. }
            | ServerEvent::AssistantTranscriptPartial { response, .. }
            | ServerEvent::Noted { response: response @ Some(_) } => response,
            _ => return,
        };
        let Some(slot) = self.slots.get_mut(index) else { return };
        let answers_itself = slot.codec.capabilities().answers_tool_results;
        if let Some(response) = slot.response(response.as_deref()) {
            response.touched_at = now;
            response.called = called && !answers_itself;
        }
    }

    fn handle_configured(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !matches!(slot.link, Link::Connecting { .. }) {
            return;
        }
        slot.link = Link::Ready;
        if !self.ready {
            self.ready = true;
            let record = timeline::bridge_ready(now, self.settings.bridge());
            self.line(record);
            self.outputs.push_back(Output::Ready);
        }
        self.resume(now, index);
        self.flush(now, index);
    }

    fn transcribe(&mut self, now: SessionTime, index: usize, role: Role, text: String) {
        if text.trim().is_empty() {
            return;
        }
        self.line(timeline::transcript(now, role, &text));
        let user = self.slots.get(index).and_then(|slot| slot.user);
        self.outputs.push_back(Output::Transcript { user, role, text });
    }

    /// Final words of a speaker.
    fn hear_words(&mut self, now: SessionTime, index: usize, text: String) {
        let user = self.slots.get(index).and_then(|slot| slot.user);
        let words = text.trim().to_owned();
        self.transcribe(now, index, Role::User, text);
        if let Some(user) = user.filter(|_| !words.is_empty()) {
            if let Some(slot) = self.slots.get_mut(index) {
                slot.said.clone_from(&words);
            }
            self.handle_transcript(now, user, &words);
        }
    }

    fn handle_created(&mut self, now: SessionTime, index: usize, id: Option<String>) {
        self.end_unnamed(now, index);
        let id = match id {
            Some(id) => id,
            None => self.event_id(UNNAMED),
        };
        if let Some(slot) = self.slots.get_mut(index) {
            let is_wanted = std::mem::replace(&mut slot.create, Create::Idle) == Create::InFlight;
            let lane = slot.lane;
            self.speech.begun(lane, &id);
            slot.begin(id.clone(), now);
            // What is said about several results at once belongs to none of them.
            let is_result = is_wanted && !self.speech.is_spoken_by(lane, &id);
            let results = if is_result { std::mem::take(&mut slot.results) } else { Vec::new() };
            if let [run] = results[..] {
                self.follow_result(lane, &id, run);
            }
        }
    }

    /// Audio without a response may never see its end: the next response is the end of it, or it
    /// would hold the player for as long as a silent one may.
    fn end_unnamed(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let lane = slot.lane;
        let open = slot.responses.iter().map(|response| &response.id);
        let open: Vec<String> = open.filter(|id| id.starts_with(UNNAMED)).cloned().collect();
        for id in open {
            let ended = self.slots.get_mut(index).and_then(|slot| slot.end(Some(&id)));
            if ended.is_some_and(|response| !response.cut) {
                self.finish(now, lane, &id);
            }
        }
    }

    fn handle_audio(&mut self, now: SessionTime, index: usize, delta: &AudioDelta) {
        let unnamed = self.event_id(UNNAMED);
        let Some(slot) = self.slots.get_mut(index) else { return };
        if delta.response.is_none() && slot.response(None).is_none() {
            // A server that names no responses: its audio begins one.
            slot.begin(unnamed, now);
        }
        let lane = slot.lane;
        let Some(response) =
            slot.response(delta.response.as_deref()).filter(|r| !r.cut).map(|r| r.id.clone())
        else {
            self.stats.late_audio += 1;
            return;
        };
        if let Err(Overflow) = self.playback.push(now, lane, &response, delta) {
            let message = "an answer is longer than the two minutes or 32 answers that may wait";
            self.complain(now, StopReason::OutputAudioOverflow.as_str(), message);
            self.cut(now, lane, &response, StopReason::OutputAudioOverflow, false);
            self.rotate(now, index);
        }
    }

    fn handle_done(
        &mut self,
        now: SessionTime,
        index: usize,
        id: Option<&str>,
        status: ResponseStatus,
        failure: &Failure,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if slot.create == Create::InFlight {
            slot.create = Create::Idle;
        }
        slot.used_at = now;
        let lane = slot.lane;
        let ended = slot.end(id);
        let asks_again = status == ResponseStatus::Failed
            && failure.treatment() == Treatment::Limited
            && !slot.retried;
        let was_speech = ended.as_ref().is_some_and(|r| self.speech.is_spoken_by(lane, &r.id));
        if asks_again && was_speech {
            // The next response is to say it.
            self.speech.unbind(lane);
        }
        if status == ResponseStatus::Cancelled {
            self.line(timeline::interrupt_confirmed(now));
        }
        if let Some(response) = ended {
            if response.cut {
                // Items announced after the cut, before the provider knew of it.
                let late = unheard(response.items, &[]);
                self.repair(now, lane, &late, true);
            } else {
                let is_playing = self
                    .playback
                    .of_lane(lane)
                    .any(|answer| answer.response == response.id && answer.is_started());
                let plays_out = match status {
                    ResponseStatus::Completed | ResponseStatus::Incomplete => true,
                    ResponseStatus::Cancelled => response.spared && is_playing,
                    ResponseStatus::Failed => false,
                };
                if plays_out {
                    self.finish(now, lane, &response.id);
                    if status == ResponseStatus::Cancelled {
                        self.forget_unspoken(now, lane, &response.id, response.items);
                    }
                } else {
                    self.discard(now, lane, &response.id, response.items);
                }
            }
        }
        if status == ResponseStatus::Failed {
            self.handle_failed_response(now, index, failure, was_speech);
        } else if let Some(slot) = self.slots.get_mut(index) {
            slot.retried = false;
        }
        self.create_if_wanted(index);
    }

    /// All of an answer has come; its tail plays.
    fn finish(&mut self, now: SessionTime, lane: Lane, response: &str) {
        if let Some(played) = self.playback.complete(now, lane, response) {
            let place = self.settings.place();
            let record = timeline::playback_finishing(now, place, played.received, played.chunks);
            self.line(record);
        }
    }

    /// Takes items that were announced and never spoken out of the provider's history.
    fn forget_unspoken(
        &mut self,
        now: SessionTime,
        lane: Lane,
        response: &str,
        announced: Vec<String>,
    ) {
        let spoken = self
            .playback
            .of_lane(lane)
            .find(|answer| answer.response == response)
            .map(Answer::progress)
            .unwrap_or_default();
        let unspoken = unheard(announced, &spoken);
        self.repair(now, lane, &unspoken, true);
    }

    /// The provider took an answer back.
    fn discard(&mut self, now: SessionTime, lane: Lane, response: &str, announced: Vec<String>) {
        let answer = self.playback.remove(now, lane, response, StopReason::ProviderClearAudio);
        let mut items = answer.map(|answer| answer.progress()).unwrap_or_default();
        items.extend(unheard(announced, &items));
        self.repair(now, lane, &items, false);
        self.tell_cut(lane, response, &items, false);
        self.settle(now);
    }

    /// A lost answer is asked for once more if the provider was only busy.
    fn handle_failed_response(
        &mut self,
        now: SessionTime,
        index: usize,
        failure: &Failure,
        was_speech: bool,
    ) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match failure.treatment() {
            Treatment::Fatal => {
                let why = format!("the provider failed: {}", failure.message);
                self.fail(now, why);
            }
            Treatment::Limited if !slot.retried => {
                slot.retried = true;
                slot.create = Create::Wanted;
                self.complain(now, &failure.code, "the provider is busy; asking once more");
            }
            _ => {
                slot.retried = false;
                let user = slot.user;
                let message = format!("an answer is lost: {}", failure.message);
                self.complain(now, &failure.code, &message);
                // An apology that fails is not apologised for.
                if let Some(user) = user.filter(|_| !was_speech) {
                    self.apologise(now, user);
                }
            }
        }
    }

    fn handle_error(&mut self, now: SessionTime, index: usize, failure: &Failure) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        if failure.event_id == CONFIGURE_EVENT_ID && !slot.is_ready() {
            let why = format!("the provider refused the session: {}", failure.message);
            self.fail(now, why);
            return;
        }
        let answers = |kind: &str| failure.event_id.starts_with(kind);
        match failure.treatment() {
            Treatment::Ignore => {}
            Treatment::CancelRaced => self.line(timeline::interrupt_raced(now)),
            Treatment::RetryCreate => {
                // A response that began meanwhile was taken for the one we had asked for.
                let is_ours = answers("create_") || slot.create == Create::InFlight;
                if self.speech.unbind(slot.lane) || is_ours {
                    slot.create = Create::Wanted;
                    slot.note_busy(now);
                }
            }
            Treatment::Rotate => self.rotate(now, index),
            Treatment::Fatal => {
                let why = format!("the provider refused: {}", failure.message);
                self.fail(now, why);
            }
            Treatment::Limited | Treatment::Report => {
                if answers("cancel_") {
                    self.line(timeline::interrupt_raced(now));
                    return;
                }
                if answers("create_") && slot.create == Create::InFlight {
                    slot.create = Create::Idle;
                    // Asked for again it would be refused again.
                    if self.speech.is_asked_on(slot.lane) {
                        self.speech.release();
                    }
                }
                if answers("truncate_") || answers("delete_") {
                    self.stats.repairs_refused += 1;
                }
                self.complain(now, &failure.code, &failure.message);
            }
        }
    }

    /// Ends responses of which nothing came for long: their `response.done` is lost.
    pub(super) fn end_silent_responses(&mut self, now: SessionTime, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let lane = slot.lane;
        slot.busy_until.take_if(|at| *at <= now);
        let overdue: Vec<String> = slot
            .responses
            .iter()
            .filter(|response| response.ends_at() <= now)
            .map(|response| response.id.clone())
            .collect();
        for id in overdue {
            let ended = self.slots.get_mut(index).and_then(|slot| slot.end(Some(&id)));
            let Some(ended) = ended.filter(|response| !response.cut) else { continue };
            if ended.called {
                self.finish(now, lane, &id);
                continue;
            }
            self.send(lane, &Command::Cancel { response: &id });
            let played = self.playback.complete(now, lane, &id).unwrap_or_default();
            let place = self.settings.place();
            self.line(timeline::playback_watchdog_fired(now, place, "response-timeout", played));
        }
        self.create_if_wanted(index);
    }
}
