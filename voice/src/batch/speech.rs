//! From sentences to sound: synthesis one request ahead, playback, and what of it was heard.
//!
//! Each sentence is an item of its answer in the player, so the player's count of what the call
//! took says, to the sample, how far into which sentence the room has heard.

use clawvoice_session::{SessionTime, agent::RunId};

use super::{AgentRequest, BatchConversation, Output, SpeechFailure, SpeechId};
use crate::{
    conversation::{
        Lane,
        heard_words::{expected_samples, heard_words},
        playback::{Overflow, Playback},
    },
    realtime::AudioDelta,
    timeline::{self, StopReason},
};

/// Everything said here is of one lane: there are no provider connections.
const LANE: Lane = Lane::new(0);

/// Sentences that are synthesized and not yet heard: the one that plays, and the next.
const AHEAD: usize = 2;

/// Sentences of an answer that are read out.
const MAX_SENTENCES: usize = 60;

/// How often a sentence is tried, as long as nothing of it has come.
const MAX_ATTEMPTS: u32 = 2;

/// Samples of a sentence that wait for the one before it: a minute.
const MAX_WAITING: usize = 60 * 24_000;

/// What an answer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// A run of the agent.
    Run(RunId),
    /// Nothing: it is a notice of ours.
    Notice(u64),
}

/// One answer, until it is played.
#[derive(Debug)]
pub(super) struct Answer {
    of: Of,
    /// Its name in the player.
    name: String,
    sentences: Vec<Sentence>,
    /// The first sentence that is not all there: its audio goes on to the player.
    receiving: usize,
    /// Sentences at its beginning that were heard to their end.
    heard: usize,
    too_long_told: bool,
    /// Whether more sentences may come.
    open: bool,
    /// Whether the player knows that it has all.
    complete: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    /// Being synthesized.
    Requested,
    /// All of its audio is there, or it has none.
    Ended,
}

#[derive(Debug)]
struct Sentence {
    id: SpeechId,
    text: String,
    item: String,
    state: State,
    attempts: u32,
    received: u64,
    /// Audio that came before the sentence ahead of it was all there.
    early: Vec<i16>,
}

impl Sentence {
    /// Samples that came, and that were heard.
    fn progress(&self, answer: &str, playback: &Playback) -> (u64, u64) {
        playback.item(LANE, answer, &self.item).unwrap_or((0, 0))
    }

    fn is_unheard(&self, answer: &str, playback: &Playback) -> bool {
        match self.state {
            State::Waiting => false,
            State::Requested => true,
            State::Ended => {
                let (received, heard) = self.progress(answer, playback);
                heard < received || !self.early.is_empty()
            }
        }
    }
}

impl Answer {
    fn is_queued(&self, playback: &Playback) -> bool {
        playback.of_lane(LANE).any(|queued| queued.response == self.name)
    }

    /// The words that were heard of it.
    fn heard_words(&self, playback: &Playback) -> String {
        let mut heard = Vec::new();
        for sentence in &self.sentences {
            let (received, played) = sentence.progress(&self.name, playback);
            let is_whole = sentence.state == State::Ended;
            if is_whole && received > 0 && played >= received {
                heard.push(sentence.text.as_str());
                continue;
            }
            if is_whole && received == 0 && sentence.early.is_empty() {
                // It could not be said.
                continue;
            }
            let total =
                if is_whole { received } else { expected_samples(&sentence.text, received) };
            let words = heard_words(&sentence.text, played, total);
            if !words.is_empty() {
                heard.push(words);
            }
            break;
        }
        heard.join(" ")
    }
}

impl BatchConversation {
    /// An answer begins; its sentences come by [`Self::say`].
    pub(super) fn open_answer(&mut self, of: Of) {
        let answer = Answer {
            of,
            name: format!("answer {}", self.fresh_id()),
            sentences: Vec::new(),
            receiving: 0,
            heard: 0,
            too_long_told: false,
            open: true,
            complete: false,
        };
        match of {
            Of::Run(_) => self.answers.push_back(answer),
            // A notice is about what goes on now; only what the room hears already goes before it.
            Of::Notice(_) => {
                let playing = self.playback.head().filter(|head| head.is_started());
                let playing = playing.map(|head| head.response.as_str());
                let first = self.answers.front().is_some_and(|a| Some(a.name.as_str()) == playing);
                self.answers.insert(usize::from(first), answer);
            }
        }
    }

    /// Adds sentences to an answer.
    pub(super) fn say(&mut self, now: SessionTime, of: Of, sentences: Vec<String>) {
        let place = self.settings.place();
        for text in sentences {
            let id = SpeechId(self.fresh_id());
            let Some(answer) = self.answers.iter_mut().find(|answer| answer.of == of) else {
                return;
            };
            if answer.sentences.len() == MAX_SENTENCES {
                if !std::mem::replace(&mut answer.too_long_told, true) {
                    self.line(timeline::batch::reply_too_long(now, place, MAX_SENTENCES));
                }
                return;
            }
            answer.sentences.push(Sentence {
                id,
                text,
                item: format!("sentence {}", answer.sentences.len()),
                state: State::Waiting,
                attempts: 0,
                received: 0,
                early: Vec::new(),
            });
        }
    }

    /// No more sentences come of an answer; gives those it has.
    pub(super) fn close_answer(&mut self, of: Of) -> Vec<String> {
        let Some(answer) = self.answers.iter_mut().find(|answer| answer.of == of) else {
            return Vec::new();
        };
        answer.open = false;
        answer.sentences.iter().map(|sentence| sentence.text.clone()).collect()
    }

    /// Says something of our own.
    pub(super) fn say_notice(&mut self, now: SessionTime, words: &str) {
        let of = Of::Notice(self.fresh_id());
        self.open_answer(of);
        self.say(now, of, vec![words.to_owned()]);
        self.close_answer(of);
    }

    /// Whether words are being said, or wait for it.
    pub(super) fn has_something_to_say(&self) -> bool {
        self.playback.head().is_some() || self.answers.iter().any(|a| !a.sentences.is_empty())
    }

    /// Stops the answer that plays, with what belongs to it: the run that writes it, its
    /// syntheses, and in the history the words that nobody heard.
    pub(super) fn cut_playing(&mut self, now: SessionTime) {
        let Some(playing) = self.playback.head().map(|head| head.response.clone()) else { return };
        let Some(of) = self.answers.iter().find(|a| a.name == playing).map(|a| a.of) else {
            return;
        };
        if let Of::Run(run) = of
            && self.turn.as_ref().is_some_and(|turn| turn.run == run)
        {
            let session = self.settings.session.clone();
            self.outputs.push_back(Output::Agent(AgentRequest::Cancel { session, run }));
            self.turn = None;
        }
        self.drop_answer(now, of, StopReason::BargeIn);
        self.advance_turns(now);
    }

    /// Takes an answer back. If the room has begun to hear it, the agent is told what it heard.
    pub(super) fn drop_answer(&mut self, now: SessionTime, of: Of, reason: StopReason) {
        let Some(index) = self.answers.iter().position(|answer| answer.of == of) else { return };
        let Some(answer) = self.answers.remove(index) else { return };
        let heard = answer.heard_words(&self.playback);
        for sentence in answer.sentences.iter().filter(|s| s.state == State::Requested) {
            self.outputs.push_back(Output::CancelSynthesis { speech: sentence.id });
        }
        let was_heard =
            self.playback.remove(now, LANE, &answer.name, reason).is_some_and(|queued| {
                queued.is_started() || queued.progress().iter().any(|item| item.heard > 0)
            });
        if let (Of::Notice(_), Some(notice)) = (of, answer.sentences.first()) {
            self.outcomes.forget(&notice.text);
        }
        if let (Of::Run(run), true) = (of, was_heard) {
            let place = self.settings.place();
            self.line(timeline::batch::answer_interrupted(now, place, &heard));
            let session = self.settings.session.clone();
            let request = AgentRequest::Heard { session, run, text: heard };
            self.outputs.push_back(Output::Agent(request));
        }
    }

    /// Tells the agent how much was heard of the answers that are whole and not yet played.
    pub(super) fn tell_heard(&mut self) {
        for answer in self.answers.iter().filter(|answer| !answer.open) {
            if let Of::Run(run) = answer.of {
                let (session, text) =
                    (self.settings.session.clone(), answer.heard_words(&self.playback));
                let request = AgentRequest::Heard { session, run, text };
                self.outputs.push_back(Output::Agent(request));
            }
        }
    }

    pub(super) fn cancel_all_speech(&mut self) {
        for sentence in self.answers.iter().flat_map(|answer| &answer.sentences) {
            if sentence.state == State::Requested {
                self.outputs.push_back(Output::CancelSynthesis { speech: sentence.id });
            }
        }
    }

    /// Audio of a sentence came: 24 kHz mono.
    pub fn handle_speech_audio(&mut self, now: SessionTime, speech: SpeechId, pcm: &[i16]) {
        let Some((answer, index)) = self.find_sentence(speech) else {
            self.stats.late += 1;
            return;
        };
        let Some(found) = self.answers.get_mut(answer) else { return };
        let is_next = found.receiving == index;
        let Some(sentence) = found.sentences.get_mut(index) else { return };
        sentence.received += pcm.len() as u64;
        let kept = if is_next {
            push(now, &mut self.playback, &found.name, sentence, pcm)
        } else if sentence.early.len() + pcm.len() > MAX_WAITING {
            Err(Overflow)
        } else {
            sentence.early.extend_from_slice(pcm);
            Ok(())
        };
        if kept.is_err() {
            sentence.state = State::Ended;
            self.outputs.push_back(Output::CancelSynthesis { speech });
            self.stats.syntheses_failed += 1;
            let record = timeline::batch::tts_failed(
                now,
                self.settings.place(),
                "the sentence is longer than the player's queue; its end is not said",
                false,
            );
            self.line(record);
        }
        self.settle(now);
    }

    /// All of a sentence's audio has come.
    pub fn handle_speech_ended(&mut self, now: SessionTime, speech: SpeechId) {
        let Some((answer, index)) = self.find_sentence(speech) else {
            self.stats.late += 1;
            return;
        };
        let place = self.settings.place();
        let sentence = self.answers.get_mut(answer).and_then(|a| a.sentences.get_mut(index));
        let Some(sentence) = sentence else { return };
        sentence.state = State::Ended;
        let record = match sentence.received {
            0 => timeline::batch::tts_skipped(now, place, "no audio"),
            received => timeline::batch::tts_ok(now, place, &sentence.text, received),
        };
        self.line(record);
        self.settle(now);
    }

    /// A sentence could not be synthesized. It is tried once more if nothing of it was heard and
    /// that may help; otherwise the answer goes on without it.
    pub fn handle_speech_failed(
        &mut self,
        now: SessionTime,
        speech: SpeechId,
        failure: &SpeechFailure,
    ) {
        let Some((answer, index)) = self.find_sentence(speech) else {
            self.stats.late += 1;
            return;
        };
        let sentence = self.answers.get_mut(answer).and_then(|a| a.sentences.get_mut(index));
        let Some(sentence) = sentence else { return };
        let retried =
            failure.transient && sentence.received == 0 && sentence.attempts < MAX_ATTEMPTS;
        sentence.state = if retried { State::Waiting } else { State::Ended };
        self.stats.syntheses_failed += u64::from(!retried);
        let place = self.settings.place();
        self.line(timeline::batch::tts_failed(now, place, &failure.message, retried));
        self.settle(now);
    }

    /// Where a sentence is that is being synthesized.
    fn find_sentence(&self, speech: SpeechId) -> Option<(usize, usize)> {
        self.answers.iter().enumerate().find_map(|(answer, found)| {
            let index = found
                .sentences
                .iter()
                .position(|s| s.id == speech && s.state == State::Requested)?;
            Some((answer, index))
        })
    }

    /// Passes audio on in order, ends answers, and asks for the next sentences.
    pub(super) fn advance_speech(&mut self, now: SessionTime) {
        if self.closed {
            return;
        }
        for answer in &mut self.answers {
            pass_on(now, answer, &mut self.playback);
        }
        while let Some(first) = self.answers.front()
            && first.complete
            && !first.is_queued(&self.playback)
        {
            self.answers.pop_front();
        }
        self.request_sentences();
    }

    fn request_sentences(&mut self) {
        let playback = &self.playback;
        let mut ahead = 0;
        // A notice goes before sentences that are under way already.
        let sentences = self.answers.iter().flat_map(|answer| &answer.sentences);
        let mut requested = sentences.filter(|s| s.state == State::Requested).count();
        for answer in &mut self.answers {
            let is_heard = |sentence: &Sentence| {
                sentence.state == State::Ended && !sentence.is_unheard(&answer.name, playback)
            };
            while answer.sentences.get(answer.heard).is_some_and(is_heard) {
                answer.heard += 1;
            }
            for sentence in answer.sentences.iter_mut().skip(answer.heard) {
                if sentence.state == State::Waiting {
                    if requested == AHEAD {
                        return;
                    }
                    requested += 1;
                    sentence.state = State::Requested;
                    sentence.attempts += 1;
                    let (speech, text) = (sentence.id, sentence.text.clone());
                    self.outputs.push_back(Output::Synthesize { speech, text });
                }
                ahead += usize::from(sentence.is_unheard(&answer.name, playback));
                if ahead == AHEAD {
                    return;
                }
            }
        }
    }
}

/// Lets the sentences of an answer follow each other into the player.
fn pass_on(now: SessionTime, answer: &mut Answer, playback: &mut Playback) {
    while let Some(sentence) = answer.sentences.get_mut(answer.receiving) {
        if !sentence.early.is_empty() {
            let early = std::mem::take(&mut sentence.early);
            if push(now, playback, &answer.name, sentence, &early).is_err() {
                // Room comes as the room hears what is before it.
                sentence.early = early;
                return;
            }
        }
        if sentence.state != State::Ended {
            return;
        }
        answer.receiving += 1;
    }
    if !answer.open && !answer.complete {
        answer.complete = true;
        // Gives nothing for an answer without audio, which the player never had.
        let _ = playback.complete(now, LANE, &answer.name);
    }
}

fn push(
    now: SessionTime,
    playback: &mut Playback,
    answer: &str,
    sentence: &Sentence,
    pcm: &[i16],
) -> Result<(), Overflow> {
    let delta = AudioDelta {
        response: None,
        item: sentence.item.clone(),
        content_index: 0,
        pcm: pcm.to_vec(),
    };
    playback.push(now, LANE, answer, &delta)
}
