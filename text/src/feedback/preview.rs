//! What is seen of an answer while it is made: previews, and how the final takes their place.
//!
//! ```text
//! agent's text, tools ─→ mode (partial │ block │ progress │ block streaming) ─→ Post, Edit, Send
//! final ─→ SendFinal ─→ sent? ─→ Delete, or DeleteLater
//! ```
//!
//! The final never depends on a preview: it is sent complete and afresh, and the drafts go only
//! once it is there. A draft that already shows all of it, as Discord has said, stays instead.
//! Source: OpenClaw, "Streaming and chunking", "Progress drafts".

mod block;
mod cut;
mod drafts;
mod gate;
mod measure;
mod output;
mod pace;
mod partial;
mod progress;
mod sends;
mod status;
mod tool_line;

use std::time::Duration;

use clawvoice_config::{Streaming, StreamingMode};
use clawvoice_session::{MessageId, SessionTime};

use self::{
    block::Block,
    drafts::{Call, Drafts},
    partial::Partial,
    progress::Progress,
    sends::Sends,
    status::Status,
};

pub use self::{
    gate::Gate,
    output::{CallFailed, FinalAnswer, PreviewOutput},
    pace::Pace,
};

/// The most that a message holds, in UTF-16 units. Source: Discord, "Create Message".
const MESSAGE_LIMIT: u32 = 2_000;

/// So long the final waits to hear whether the request under way has made the draft complete.
const VERIFY_FOR: Duration = Duration::from_secs(2);

#[derive(Debug)]
enum Mode {
    Off,
    Partial(Partial),
    Block(Block),
    Progress(Progress),
    Sends(Sends),
}

#[derive(Debug)]
enum Stage {
    /// The answer is being made.
    Open,
    /// It is there and waits for the request under way, at most until then.
    Final(FinalAnswer, SessionTime),
    /// It is being sent; afterwards the drafts stay, or not.
    Sending {
        keep: bool,
    },
    /// The drafts go.
    Deleting(Option<MessageId>),
    /// A draft is handed over.
    Leaving(MessageId),
    Over,
}

/// The previews of one turn.
#[derive(Debug)]
pub struct Preview {
    mode: Mode,
    gate: Gate,
    drafts: Drafts,
    /// Something may have to be shown that is not wanted yet.
    changed: bool,
    /// The status was due, and was looked at.
    status_shown: bool,
    stage: Stage,
}

impl Preview {
    /// A turn begins. `text_limit`: `textChunkLimit`; `pick`: any number, which chooses one of
    /// several labels.
    #[must_use]
    pub fn new(settings: &Streaming, text_limit: u32, gate: Gate, pick: usize) -> Self {
        let limit = usize::try_from(text_limit.clamp(1, MESSAGE_LIMIT)).unwrap_or(1);
        let mode = match settings.mode {
            _ if settings.block_enabled => Mode::Sends(Sends::new(&settings.coalesce, limit)),
            StreamingMode::Off => Mode::Off,
            StreamingMode::Partial => {
                Mode::Partial(Partial::new(Status::before_answer(settings, limit)))
            }
            StreamingMode::Block => {
                let status = Status::before_answer(settings, limit);
                Mode::Block(Block::new(settings.preview_chunk.clone(), limit, status))
            }
            StreamingMode::Progress => {
                let status = Status::of_progress(settings, limit, pick);
                Mode::Progress(Progress::new(status, settings.commentary))
            }
        };
        Self {
            mode,
            gate,
            drafts: Drafts::new(limit),
            changed: false,
            status_shown: false,
            stage: Stage::Open,
        }
    }

    /// The same with pauses between messages that are sent while the answer is written.
    #[must_use]
    pub fn paced(mut self, pace: Pace) -> Self {
        if let Mode::Sends(sends) = &mut self.mode {
            sends.pace(pace);
        }
        self
    }

    /// The next piece of the answer.
    pub fn handle_text(&mut self, now: SessionTime, piece: &str) {
        if !self.is_open() {
            return;
        }
        self.changed = true;
        match &mut self.mode {
            Mode::Off => {}
            Mode::Partial(partial) => partial.text(piece),
            Mode::Block(block) => block.text(piece, &self.gate, &mut self.drafts),
            Mode::Progress(progress) => progress.text(piece),
            Mode::Sends(sends) => sends.text(now, piece),
        }
    }

    /// The agent uses a tool; `detail`: on what, without secrets.
    pub fn handle_tool(&mut self, now: SessionTime, name: &str, detail: Option<&str>) {
        if !self.is_open() {
            return;
        }
        self.changed = true;
        match &mut self.mode {
            Mode::Off => {}
            Mode::Partial(partial) => partial.tool(now, name, detail),
            Mode::Block(block) => block.tool(now, name, detail, &self.gate, &mut self.drafts),
            Mode::Progress(progress) => progress.tool(now, name, detail, &self.gate),
            Mode::Sends(sends) => sends.tool(),
        }
    }

    /// The agent's message is complete; what comes next is another one, or the final.
    pub fn handle_message_end(&mut self, now: SessionTime) {
        if !self.is_open() {
            return;
        }
        match &mut self.mode {
            Mode::Off | Mode::Progress(_) => {}
            Mode::Partial(partial) => partial.message_end(),
            Mode::Block(block) => block.message_end(),
            Mode::Sends(sends) => sends.message_end(now),
        }
    }

    /// The answer is there. Nothing that comes later belongs to it.
    pub fn handle_final(&mut self, now: SessionTime, answer: FinalAnswer) {
        if self.is_open() {
            self.drafts.stop();
            self.stage = Stage::Final(answer, now + VERIFY_FOR);
        }
    }

    /// The turn was stopped: there will be no final, and what was shown of one goes.
    pub fn handle_abort(&mut self) {
        if matches!(self.stage, Stage::Open | Stage::Final(..) | Stage::Sending { .. }) {
            self.drafts.stop();
            self.stage = Stage::Deleting(None);
        }
    }

    /// How a `Post` or `Send` went; the id: of its last message.
    pub fn handle_sent(&mut self, result: Result<MessageId, CallFailed>) {
        match &mut self.mode {
            Mode::Sends(sends) => sends.handle_ended(result.is_ok()),
            _ => self.drafts.handle_ended(result.ok(), result.is_ok()),
        }
    }

    /// How an `Edit` went.
    pub fn handle_edited(&mut self, result: Result<(), CallFailed>) {
        self.drafts.handle_ended(None, result.is_ok());
    }

    /// How `SendFinal` went. If people did not get all of it, the drafts are what they have.
    pub fn handle_final_sent(&mut self, result: Result<(), CallFailed>) {
        if let Stage::Sending { keep } = self.stage {
            self.stage = if keep || result.is_err() { Stage::Over } else { Stage::Deleting(None) };
        }
    }

    /// How a `Delete` went; a draft that Discord does not know is gone as well.
    pub fn handle_deleted(&mut self, result: Result<(), CallFailed>) {
        if let Stage::Deleting(Some(id)) = self.stage {
            self.stage = match result {
                Ok(()) => Stage::Deleting(None),
                Err(CallFailed) => Stage::Leaving(id),
            };
        }
    }

    /// The next thing to do.
    pub fn poll_output(&mut self, now: SessionTime) -> Option<PreviewOutput> {
        match &self.stage {
            Stage::Open => self.poll_open(now),
            Stage::Final(..) => self.poll_final(now),
            Stage::Sending { .. } | Stage::Deleting(Some(_)) | Stage::Over => None,
            Stage::Deleting(None) if self.is_waiting() => None,
            Stage::Deleting(None) => {
                let id = self.drafts.take();
                self.stage = id.map_or(Stage::Over, |id| Stage::Deleting(Some(id)));
                id.map(|id| PreviewOutput::Delete { id })
            }
            Stage::Leaving(id) => {
                let id = *id;
                self.stage = Stage::Deleting(None);
                Some(PreviewOutput::DeleteLater { id })
            }
        }
    }

    /// When there may be something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<SessionTime> {
        match &self.stage {
            Stage::Open => {
                let behind = self.changed || self.drafts.is_behind();
                let free = self.drafts.free_at();
                let status = self.due().zip(free).map(|(due, free)| due.max(free));
                let sends = match &self.mode {
                    Mode::Sends(sends) => sends.timeout(&self.gate),
                    _ => None,
                };
                [free.filter(|_| behind), status, sends].into_iter().flatten().min()
            }
            Stage::Final(..) if !self.is_waiting() => match &self.mode {
                Mode::Sends(sends) => sends.rests_until(),
                _ => None,
            },
            Stage::Final(_, until) => {
                // Pieces that were sent cannot be told from those that were not: no time helps.
                (!matches!(self.mode, Mode::Sends(_))).then_some(*until)
            }
            _ => None,
        }
    }

    /// Whether nothing is left to be done. Drafts that are kept are forgotten.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    fn is_waiting(&self) -> bool {
        match &self.mode {
            Mode::Sends(sends) => sends.is_waiting(),
            _ => self.drafts.is_waiting(),
        }
    }

    /// When the status is to be looked at, unless it was.
    fn due(&self) -> Option<SessionTime> {
        let due = match &self.mode {
            Mode::Off | Mode::Sends(_) => None,
            Mode::Partial(partial) => partial.due(),
            Mode::Block(block) => block.due(),
            Mode::Progress(progress) => progress.due(),
        };
        due.filter(|_| !self.status_shown)
    }

    fn poll_open(&mut self, now: SessionTime) -> Option<PreviewOutput> {
        if let Mode::Sends(sends) = &mut self.mode {
            self.changed = false;
            return sends.poll(now, &self.gate).map(|text| PreviewOutput::Send { text });
        }
        if !self.drafts.is_free(now) {
            return None;
        }
        let is_due = self.due().is_some_and(|due| due <= now);
        self.status_shown |= is_due;
        if std::mem::take(&mut self.changed) || is_due {
            let begins = self.drafts.begins();
            let wanted = match &self.mode {
                Mode::Off | Mode::Sends(_) => None,
                Mode::Partial(partial) => partial.wanted(now, &self.gate, begins),
                Mode::Block(block) => block.wanted(now, &self.gate),
                Mode::Progress(progress) => progress.wanted(now),
            };
            if let Some(text) = wanted {
                self.drafts.want(&text);
            }
        }
        Some(match self.drafts.poll(now)? {
            Call::Post { text } => PreviewOutput::Post { text },
            Call::Edit { id, text } => PreviewOutput::Edit { id, text },
        })
    }

    fn poll_final(&mut self, now: SessionTime) -> Option<PreviewOutput> {
        let Stage::Final(answer, until) = &self.stage else { return None };
        let keep = answer.is_error;
        if answer.text.trim().is_empty() && !answer.has_media {
            self.stage = if keep { Stage::Over } else { Stage::Deleting(None) };
            return self.poll_output(now);
        }
        let text = match &mut self.mode {
            Mode::Sends(sends) if sends.is_waiting() => return None,
            Mode::Sends(sends) => {
                let rest = sends.rest_of(&answer.text);
                if rest.trim().is_empty() && !answer.has_media {
                    self.stage = Stage::Over;
                    return Some(PreviewOutput::FinalIsSent);
                }
                if sends.rests(now) {
                    return None;
                }
                rest
            }
            Mode::Partial(_) => {
                let fresh = answer.has_media || answer.is_error || answer.explicit_reply;
                let stays = answer.as_one_message.as_ref().filter(|_| !fresh);
                if let Some(id) = stays.and_then(|text| self.drafts.showing(text)) {
                    self.stage = Stage::Over;
                    return Some(PreviewOutput::FinalIsPreview { id });
                }
                let soon = stays.is_some_and(|text| self.drafts.was_asked(text));
                if soon && self.drafts.is_waiting() && now < *until {
                    return None;
                }
                answer.text.clone()
            }
            Mode::Off | Mode::Block(_) | Mode::Progress(_) => answer.text.clone(),
        };
        self.stage = Stage::Sending { keep };
        Some(PreviewOutput::SendFinal { text })
    }
}

#[cfg(test)]
mod tests;
