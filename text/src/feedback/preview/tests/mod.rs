//! Previews against a channel that is kept in memory.

mod finals;
mod modes;
mod pieces;
mod property;

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
};

use super::*;
use crate::feedback::preview::gate::tests::GATE;

/// `channels.discord.streaming` with these keys.
pub(super) fn streaming(keys: &str) -> Streaming {
    let text =
        format!("{{ channels: {{ discord: {{ token: 'a.b.c', streaming: {{ {keys} }} }} }} }}");
    let env: BTreeMap<String, String> = BTreeMap::new();
    let config = clawvoice_config::parse(&text, Path::new("/etc/claw.json5"), &env).unwrap();
    config.discord.delivery.streaming
}

fn at(millis: u64) -> SessionTime {
    SessionTime::from_millis(millis)
}

/// One turn and the channel it is shown in. Requests are answered at once, unless they are held.
struct Turn {
    preview: Preview,
    now: SessionTime,
    /// What is to be read, by number of the message.
    room: BTreeMap<u64, String>,
    posted: u64,
    /// The next request of this kind fails.
    fails: Vec<&'static str>,
    /// Requests are not answered.
    holds: bool,
    held: VecDeque<PreviewOutput>,
    log: Vec<String>,
}

impl Turn {
    fn new(keys: &str) -> Self {
        Self {
            preview: Preview::new(&streaming(keys), 2000, GATE, 0),
            now: at(0),
            room: BTreeMap::new(),
            posted: 0,
            fails: Vec::new(),
            holds: false,
            held: VecDeque::new(),
            log: Vec::new(),
        }
    }

    fn text(&mut self, millis: u64, piece: &str) {
        self.until(millis);
        self.preview.handle_text(self.now, piece);
        self.drain();
    }

    fn tool(&mut self, millis: u64, name: &str, detail: &str) {
        self.until(millis);
        self.preview.handle_tool(self.now, name, Some(detail));
        self.drain();
    }

    fn message_end(&mut self, millis: u64) {
        self.until(millis);
        self.preview.handle_message_end(self.now);
        self.drain();
    }

    fn done(&mut self, millis: u64, answer: FinalAnswer) {
        self.until(millis);
        self.preview.handle_final(self.now, answer);
        self.drain();
    }

    /// Time passes until then.
    fn until(&mut self, millis: u64) {
        while let Some(due) = self.preview.poll_timeout().filter(|due| *due <= at(millis)) {
            assert!(due >= self.now, "it asks for time that has passed");
            self.now = due;
            let moved = self.drain();
            let next = self.preview.poll_timeout();
            assert!(moved || next != Some(due), "it wakes for nothing at {due}");
        }
        self.now = at(millis);
        self.drain();
    }

    /// Requests are answered again, those that were held first.
    fn release(&mut self) {
        self.holds = false;
        while let Some(output) = self.held.pop_front() {
            self.answer(output);
        }
        self.drain();
    }

    fn drain(&mut self) -> bool {
        let mut any = false;
        while let Some(output) = self.preview.poll_output(self.now) {
            any = true;
            self.log.push(told(&output));
            if self.holds {
                self.held.push_back(output);
            } else {
                self.answer(output);
            }
        }
        any
    }

    fn answer(&mut self, output: PreviewOutput) {
        match output {
            PreviewOutput::Post { text } => {
                let result = self.post("post", text);
                self.preview.handle_sent(result);
            }
            PreviewOutput::Send { text } => {
                let result = self.post("send", text);
                self.preview.handle_sent(result);
            }
            PreviewOutput::Edit { id, text } => {
                let result = self.outcome("edit");
                if result.is_ok() {
                    self.room.insert(id.get(), text);
                }
                self.preview.handle_edited(result);
            }
            PreviewOutput::SendFinal { text } => {
                let result = self.post("final", text).map(|_| ());
                self.preview.handle_final_sent(result);
            }
            PreviewOutput::Delete { id } => {
                let result = self.outcome("delete");
                if result.is_ok() {
                    assert!(self.room.remove(&id.get()).is_some(), "there is no message {id}");
                }
                self.preview.handle_deleted(result);
            }
            PreviewOutput::DeleteLater { .. }
            | PreviewOutput::FinalIsPreview { .. }
            | PreviewOutput::FinalIsSent => {}
        }
    }

    fn post(&mut self, kind: &'static str, text: String) -> Result<MessageId, CallFailed> {
        self.outcome(kind)?;
        self.posted += 1;
        self.room.insert(self.posted, text);
        Ok(MessageId::new(self.posted))
    }

    fn outcome(&mut self, kind: &'static str) -> Result<(), CallFailed> {
        let failing = self.fails.iter().position(|failing| *failing == kind);
        failing.map_or(Ok(()), |index| {
            self.fails.remove(index);
            Err(CallFailed)
        })
    }

    /// What was done since the last time.
    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// What is to be read.
    fn room(&self) -> Vec<&str> {
        self.room.values().map(String::as_str).collect()
    }
}

fn told(output: &PreviewOutput) -> String {
    match output {
        PreviewOutput::Post { text } => format!("post: {text}"),
        PreviewOutput::Edit { id, text } => format!("edit {id}: {text}"),
        PreviewOutput::Send { text } => format!("send: {text}"),
        PreviewOutput::SendFinal { text } => format!("final: {text}"),
        PreviewOutput::FinalIsPreview { id } => format!("final is {id}"),
        PreviewOutput::FinalIsSent => "final is sent".to_owned(),
        PreviewOutput::Delete { id } => format!("delete {id}"),
        PreviewOutput::DeleteLater { id } => format!("delete {id} later"),
    }
}

/// A final of one plain message.
fn plain(text: &str) -> FinalAnswer {
    let as_one_message = Some(text.to_owned());
    FinalAnswer { text: text.to_owned(), as_one_message, ..FinalAnswer::default() }
}

/// Thirty characters.
const THIRTY: &str = "This answer has thirty letters";
