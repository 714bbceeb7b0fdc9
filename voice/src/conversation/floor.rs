//! Who has the floor: whether somebody who makes a sound while an answer plays wants it, or only
//! coughed.
//!
//! ```text
//!            a sound                    enough voice, or words
//!  quiet ──────────────► suspected ──────────────────────────────► confirmed
//!    ▲                    │     │ a little voice, then a pause          ▲
//!    │ echo, or no voice  │     ▼                                      │ words
//!    └────────────────────┘   waiting for the transcript ──────────────┘
//!    ▲                                 │ a backchannel, or nothing in time
//!    └─────────────────────────────────┘
//! ```
//!
//! A suspicion alone stops the output at once and costs nothing: the output goes on from the same
//! sample if it is dismissed. Only a confirmed one is told to the provider.
//!
//! Everything that a decision depends on comes in as an [`Input`], in whole numbers, and can be
//! written down: the same inputs give the same decisions again.

mod decision;
mod input;

use std::{collections::VecDeque, time::Duration};

use clawvoice_session::{SessionTime, UserId};

pub use self::{
    decision::{Confirmation, Decision, Dismissal, Evidence},
    input::{Features, FloorRules, Input, Words},
};
use super::turn::duration_ms;

/// What a frame lasts, in ms.
const FRAME_MS: u32 = 20;
/// Voice with a pitch in a row by which somebody is believed whose last sounds were noise, in ms.
const PITCH_RUN_MS: u32 = 60;
/// The same after echo, of which a frame may go unrecognised now and then.
const PITCH_RUN_OVER_ECHO_MS: u32 = 100;
/// Gliding voice of late by which somebody is believed whose last sounds were music, in ms. It fades
/// by a tenth of the time in which there is none.
const GLIDE_RUN_MS: u32 = 80;
/// A tone that is held so long, in ms, and glides for less than a sixth of that, is music or hum.
const TONE_MS: u32 = 500;
/// Echo in a row by which a sound is nothing else, in ms.
const ECHO_RUN_MS: u32 = 60;
/// Somebody who begins to send and is not heard for so long has said nothing. Less is the lead-in of
/// a word: the first packet holds the encoder's delay.
const LEAD_IN_MS: u32 = 40;
/// False alarms in a row after which a microphone is believed only with voice in it.
const MAX_FALSE_ALARMS: u32 = 3;
/// Voice with a pitch that no backchannel has, in ms: a sound with so much of it, a third of it
/// gliding, is speech even if nobody can tell its words.
const WORDY_MS: u32 = 640;
/// For how long they count.
const FALSE_ALARM_MEMORY: Duration = Duration::from_secs(30);
/// Speakers followed; a voice channel has at most 99 others, a stage's speakers are fewer.
const MAX_SPEAKERS: usize = 128;

/// What a frame counts as.
#[derive(Clone, Copy, Debug)]
struct Sound {
    is_audible: bool,
    is_voice: bool,
    has_pitch: bool,
    glides: bool,
    is_held: bool,
}

impl Sound {
    fn of(features: Features, rules: &FloorRules) -> Self {
        let is_audible = features.level_ddbfs >= rules.audible_ddbfs;
        let is_voice =
            is_audible && !features.is_echo && features.speech_permille >= rules.speech_permille;
        let (least, most) = rules.glide_permille;
        let is_exact = is_voice && features.pitch_permille >= rules.exact_permille;
        Self {
            is_audible,
            is_voice,
            has_pitch: is_voice && features.pitch_permille >= rules.pitch_permille,
            glides: is_exact && (least..most).contains(&features.drift_permille),
            is_held: is_exact && features.drift_permille < least,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Suspicion {
    since: SessionTime,
    /// All that was heard since, sound or not.
    heard_ms: u32,
    last_voice: Option<SessionTime>,
    last_pitch: Option<SessionTime>,
    sound_ms: u32,
    voice_ms: u32,
    pitch_ms: u32,
    glide_ms: u32,
    tone_ms: u32,
    echo_ms: u32,
    echo_run_ms: u32,
    /// Whether the way of the echo was known when the suspicion arose.
    echo_known: bool,
    /// Since when the words are waited for.
    words_since: Option<SessionTime>,
}

impl Suspicion {
    fn evidence(&self, now: SessionTime) -> Evidence {
        Evidence {
            held_ms: duration_ms(now.since(self.since)),
            sound_ms: self.sound_ms,
            voice_ms: self.voice_ms,
            pitch_ms: self.pitch_ms,
            glide_ms: self.glide_ms,
            tone_ms: self.tone_ms,
            echo_ms: self.echo_ms,
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Quiet,
    Suspected(Suspicion),
    /// They have it, as far as the answer with that number goes.
    Confirmed(Option<u64>),
}

#[derive(Debug)]
struct Speaker {
    user: UserId,
    state: State,
    /// What this talkspurt was judged to be: only a voice makes it suspicious again.
    judged: Option<Dismissal>,
    /// Voice with a pitch in a row, in ms.
    pitch_run_ms: u32,
    /// Gliding voice of late, in ms.
    glide_run_ms: u32,
    false_alarms: u32,
    last_false_alarm: SessionTime,
}

impl Speaker {
    fn new(user: UserId) -> Self {
        Self {
            user,
            state: State::Quiet,
            judged: None,
            pitch_run_ms: 0,
            glide_run_ms: 0,
            false_alarms: 0,
            last_false_alarm: SessionTime::ZERO,
        }
    }

    /// Whether false alarms of late make a sound alone no reason to suspect anything.
    fn is_doubted(&self, now: SessionTime) -> bool {
        self.false_alarms >= MAX_FALSE_ALARMS
            && now.since(self.last_false_alarm) < FALSE_ALARM_MEMORY
    }

    /// Whether a frame makes somebody suspicious of whom nothing is suspected. Gives how much voice
    /// that was.
    fn is_suspicious(&self, now: SessionTime, sound: Sound, is_echo: bool) -> Option<u32> {
        let (run, least) = match self.judged {
            Some(Dismissal::Tone) => (self.glide_run_ms, GLIDE_RUN_MS),
            Some(Dismissal::Echo) => (self.pitch_run_ms, PITCH_RUN_OVER_ECHO_MS),
            Some(_) => (self.pitch_run_ms, PITCH_RUN_MS),
            None if self.is_doubted(now) => (self.pitch_run_ms, PITCH_RUN_MS),
            None => return (sound.is_audible && !is_echo).then_some(0),
        };
        (run >= least).then_some(run)
    }

    fn forget_sound(&mut self) {
        self.judged = None;
        self.pitch_run_ms = 0;
        self.glide_run_ms = 0;
    }

    fn suspicion(&mut self) -> Option<&mut Suspicion> {
        match &mut self.state {
            State::Suspected(suspicion) => Some(suspicion),
            State::Quiet | State::Confirmed(_) => None,
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Floor {
    rules: FloorRules,
    /// The answer that can be interrupted.
    answer: Option<u64>,
    /// Whether transcripts come. A server may take the wish for them and send none.
    transcribes: bool,
    speakers: Vec<Speaker>,
    decisions: VecDeque<Decision>,
}

impl Floor {
    pub(crate) fn new(rules: FloorRules) -> Self {
        Self {
            rules,
            answer: None,
            transcribes: false,
            speakers: Vec::new(),
            decisions: VecDeque::new(),
        }
    }

    /// The answer that can be interrupted, by what was told last.
    pub(crate) fn answer(&self) -> Option<u64> {
        self.answer
    }

    /// Whether transcripts are known to come.
    pub(crate) fn transcribes(&self) -> bool {
        self.transcribes
    }

    /// Whether somebody's sound is being judged: nothing is played meanwhile.
    pub(crate) fn is_contested(&self) -> bool {
        self.speakers.iter().any(|speaker| matches!(speaker.state, State::Suspected(_)))
    }

    /// Whether this user's sound is being judged.
    pub(crate) fn suspects(&self, user: UserId) -> bool {
        let speaker = self.speakers.iter().find(|speaker| speaker.user == user);
        speaker.is_some_and(|speaker| matches!(speaker.state, State::Suspected(_)))
    }

    pub(crate) fn poll_decision(&mut self) -> Option<Decision> {
        self.decisions.pop_front()
    }

    /// When to hand in [`Input::Timeout`].
    pub(crate) fn poll_timeout(&self) -> Option<SessionTime> {
        let suspicions = self.speakers.iter().filter_map(|speaker| match &speaker.state {
            State::Suspected(suspicion) => Some(suspicion),
            State::Quiet | State::Confirmed(_) => None,
        });
        suspicions.map(|suspicion| self.deadline(suspicion)).min()
    }

    pub(crate) fn handle(&mut self, now: SessionTime, input: Input) {
        match input {
            Input::Output { answer } => self.handle_output(now, answer),
            Input::Start { user } => self.handle_start(now, user),
            Input::Frame { user, features } => self.handle_frame(now, user, features),
            Input::Quiet { user } => self.handle_quiet(now, user),
            Input::Transcript { user, words } => self.handle_words(now, user, words),
            Input::Transcribes => self.transcribes = true,
            Input::Gone { user } => {
                self.dismiss(now, user, Dismissal::Left);
                self.speakers.retain(|speaker| speaker.user != user);
            }
            Input::Timeout => self.handle_timeout(now),
        }
    }

    fn deadline(&self, suspicion: &Suspicion) -> SessionTime {
        let window = suspicion.since + ms(self.rules.window_ms);
        match suspicion.words_since {
            // Who still talks has no words yet: they come after the pause.
            Some(since) => {
                let window = ms(self.rules.window_ms);
                let talking = suspicion.last_pitch.map_or(since, |at| at.max(since));
                (talking + window).min(since + window + window)
            }
            None => {
                let voice = suspicion.last_voice.unwrap_or(suspicion.since);
                let pitch = suspicion.last_pitch.unwrap_or(suspicion.since);
                let settled =
                    (voice + ms(self.rules.settle_ms)).min(pitch + ms(self.rules.hoarse_ms));
                window.min(settled)
            }
        }
    }

    fn speaker(&mut self, user: UserId) -> Option<&mut Speaker> {
        let index = match self.speakers.iter().position(|speaker| speaker.user == user) {
            Some(index) => index,
            None if self.speakers.len() == MAX_SPEAKERS => return None,
            None => {
                self.speakers.push(Speaker::new(user));
                self.speakers.len() - 1
            }
        };
        self.speakers.get_mut(index)
    }

    fn handle_output(&mut self, now: SessionTime, answer: Option<u64>) {
        self.answer = answer;
        for speaker in &mut self.speakers {
            // Who goes on talking wants the floor of the next answer too.
            if matches!(speaker.state, State::Confirmed(of) if answer.is_some() && of != answer) {
                speaker.state = State::Quiet;
            }
        }
        if answer.is_none() {
            let users: Vec<UserId> = self.speakers.iter().map(|speaker| speaker.user).collect();
            for user in users {
                self.dismiss(now, user, Dismissal::OutputEnded);
            }
        }
    }

    fn handle_start(&mut self, now: SessionTime, user: UserId) {
        let is_output = self.answer.is_some();
        let Some(speaker) = self.speaker(user) else { return };
        speaker.forget_sound();
        if is_output && !speaker.is_doubted(now) && matches!(speaker.state, State::Quiet) {
            self.suspect(now, user, false, 0);
        }
    }

    fn suspect(&mut self, now: SessionTime, user: UserId, echo_known: bool, voice_ms: u32) {
        let Some(speaker) = self.speaker(user) else { return };
        speaker.state = State::Suspected(Suspicion {
            since: now,
            heard_ms: 0,
            last_voice: (voice_ms > 0).then_some(now),
            last_pitch: (voice_ms > 0).then_some(now),
            sound_ms: voice_ms,
            voice_ms,
            pitch_ms: voice_ms,
            glide_ms: 0,
            tone_ms: 0,
            echo_ms: 0,
            echo_run_ms: 0,
            echo_known,
            words_since: None,
        });
        self.decisions.push_back(Decision::Suspected { user });
    }

    fn handle_frame(&mut self, now: SessionTime, user: UserId, features: Features) {
        let rules = self.rules;
        let answer = self.answer;
        let Some(speaker) = self.speaker(user) else { return };
        let sound = Sound::of(features, &rules);
        speaker.pitch_run_ms = if sound.has_pitch { speaker.pitch_run_ms + FRAME_MS } else { 0 };
        speaker.glide_run_ms = match sound.glides {
            true => speaker.glide_run_ms + FRAME_MS,
            false => speaker.glide_run_ms.saturating_sub(FRAME_MS / 10),
        };
        match speaker.state {
            State::Quiet => {
                let suspicious = speaker.is_suspicious(now, sound, features.is_echo);
                if let Some(voice_ms) = suspicious.filter(|_| answer.is_some()) {
                    self.suspect(now, user, features.echo_known, voice_ms);
                }
            }
            State::Suspected(_) => self.weigh(now, user, features, sound),
            State::Confirmed(_) => {}
        }
    }

    /// A frame of somebody whose sound is being judged.
    fn weigh(&mut self, now: SessionTime, user: UserId, features: Features, sound: Sound) {
        let Sound { is_audible, is_voice, has_pitch, glides, is_held } = sound;
        let rules = self.rules;
        let Some(suspicion) = self.speaker(user).and_then(Speaker::suspicion) else { return };
        let is_first = suspicion.sound_ms == 0 && suspicion.echo_ms == 0;
        suspicion.heard_ms += FRAME_MS;
        let is_silent = is_first && !is_audible && suspicion.heard_ms >= LEAD_IN_MS;
        if features.echo_known && !suspicion.echo_known {
            // What seemed to be a voice until now was ours.
            suspicion.echo_known = true;
            if features.is_echo {
                (suspicion.voice_ms, suspicion.pitch_ms) = (0, 0);
                (suspicion.glide_ms, suspicion.tone_ms) = (0, 0);
                (suspicion.last_voice, suspicion.last_pitch) = (None, None);
            }
        }
        if features.is_echo {
            suspicion.echo_ms += FRAME_MS;
            suspicion.echo_run_ms += FRAME_MS;
        } else {
            suspicion.echo_run_ms = 0;
            suspicion.sound_ms += if is_audible { FRAME_MS } else { 0 };
        }
        if is_voice {
            suspicion.voice_ms += FRAME_MS;
            suspicion.last_voice = Some(now);
        }
        if has_pitch {
            suspicion.pitch_ms += FRAME_MS;
            suspicion.last_pitch = Some(now);
        }
        suspicion.glide_ms += if glides { FRAME_MS } else { 0 };
        suspicion.tone_ms += if is_held { FRAME_MS } else { 0 };
        let is_tone = suspicion.tone_ms >= TONE_MS && suspicion.glide_ms * 6 < suspicion.tone_ms;
        let little = suspicion.pitch_ms < rules.pitch_ms;
        let is_waiting = suspicion.words_since.is_some();
        if suspicion.glide_ms >= rules.confirm_ms && suspicion.glide_ms * 3 >= suspicion.tone_ms * 2
        {
            self.confirm(now, user, Confirmation::Speech);
        } else if features.is_echo && little && (is_first || suspicion.echo_run_ms >= ECHO_RUN_MS) {
            self.dismiss(now, user, Dismissal::Echo);
        } else if is_silent {
            self.dismiss(now, user, Dismissal::Inaudible);
        } else if is_tone && !is_waiting {
            self.dismiss(now, user, Dismissal::Tone);
        } else if !is_waiting {
            let deadline = self.speaker(user).and_then(Speaker::suspicion).copied();
            if deadline.is_some_and(|suspicion| self.deadline(&suspicion) <= now) {
                self.settle(now, user);
            }
        }
    }

    fn handle_quiet(&mut self, now: SessionTime, user: UserId) {
        let pitch_ms = self.rules.pitch_ms;
        let Some(speaker) = self.speaker(user) else { return };
        speaker.forget_sound();
        match speaker.state {
            State::Confirmed(_) => speaker.state = State::Quiet,
            // A word: the sooner it is handed over, the sooner it is known. Anything less may be the
            // beginning of one, with the closure of a consonant behind it.
            State::Suspected(suspicion)
                if suspicion.words_since.is_none() && suspicion.pitch_ms >= pitch_ms =>
            {
                self.settle(now, user);
                if let Some(speaker) = self.speaker(user) {
                    // The next talkspurt is judged anew.
                    speaker.forget_sound();
                }
            }
            State::Suspected(_) | State::Quiet => {}
        }
    }

    /// The voice has paused, or enough time has passed: what was it?
    fn settle(&mut self, now: SessionTime, user: UserId) {
        let rules = self.rules;
        let has_words = rules.has_words && self.transcribes;
        let Some(suspicion) = self.speaker(user).and_then(Speaker::suspicion) else { return };
        if suspicion.echo_ms > suspicion.sound_ms {
            // What of it was not recognised is most likely echo too.
            self.dismiss(now, user, Dismissal::Echo);
        } else if suspicion.pitch_ms < rules.pitch_ms {
            let is_silent = suspicion.sound_ms == 0;
            self.dismiss(
                now,
                user,
                if is_silent { Dismissal::Inaudible } else { Dismissal::Noise },
            );
        } else if has_words {
            suspicion.words_since = Some(now);
            let inputs = suspicion.evidence(now);
            self.decisions.push_back(Decision::Waiting { user, inputs });
        } else if suspicion.voice_ms >= rules.lone_word_ms {
            self.confirm(now, user, Confirmation::LoneWord);
        } else {
            self.dismiss(now, user, Dismissal::Noise);
        }
    }

    fn handle_words(&mut self, now: SessionTime, user: UserId, words: Words) {
        let Some(suspicion) = self.speaker(user).and_then(Speaker::suspicion) else { return };
        if suspicion.words_since.is_none() {
            return;
        }
        match words {
            Words::Backchannel => self.dismiss(now, user, Dismissal::Backchannel),
            Words::None => self.dismiss(now, user, Dismissal::NoWords),
            Words::Speech => self.confirm(now, user, Confirmation::Words),
        }
    }

    fn handle_timeout(&mut self, now: SessionTime) {
        let due: Vec<(UserId, bool)> = self
            .speakers
            .iter()
            .filter_map(|speaker| match &speaker.state {
                State::Suspected(suspicion) if self.deadline(suspicion) <= now => {
                    Some((speaker.user, suspicion.words_since.is_some()))
                }
                _ => None,
            })
            .collect();
        for (user, is_waiting) in due {
            match is_waiting {
                true => self.give_words_up(now, user),
                false => self.settle(now, user),
            }
        }
    }

    /// No words came in time.
    fn give_words_up(&mut self, now: SessionTime, user: UserId) {
        let suspicion = self.speaker(user).and_then(Speaker::suspicion);
        let is_speech = suspicion.is_some_and(|suspicion| {
            suspicion.pitch_ms >= WORDY_MS && suspicion.glide_ms * 3 >= suspicion.pitch_ms
        });
        match is_speech {
            true => self.confirm(now, user, Confirmation::Speech),
            false => self.dismiss(now, user, Dismissal::NoWords),
        }
    }

    fn dismiss(&mut self, now: SessionTime, user: UserId, reason: Dismissal) {
        let Some(speaker) = self.speakers.iter_mut().find(|speaker| speaker.user == user) else {
            return;
        };
        let Some(inputs) = speaker.suspicion().map(|suspicion| suspicion.evidence(now)) else {
            return;
        };
        speaker.state = State::Quiet;
        match reason {
            Dismissal::Noise | Dismissal::Tone => {
                if now.since(speaker.last_false_alarm) >= FALSE_ALARM_MEMORY {
                    speaker.false_alarms = 0;
                }
                speaker.false_alarms += 1;
                speaker.last_false_alarm = now;
                speaker.forget_sound();
                speaker.judged = Some(reason);
            }
            // Who has a voice is no noise, whatever became of the words.
            Dismissal::Echo | Dismissal::NoWords => {
                speaker.forget_sound();
                speaker.judged = Some(reason);
            }
            Dismissal::Inaudible
            | Dismissal::Backchannel
            | Dismissal::Left
            | Dismissal::OutputEnded => {}
        }
        self.decisions.push_back(Decision::Dismissed { user, reason, inputs });
    }

    fn confirm(&mut self, now: SessionTime, user: UserId, reason: Confirmation) {
        let answer = self.answer;
        let Some(speaker) = self.speaker(user) else { return };
        let Some(inputs) = speaker.suspicion().map(|suspicion| suspicion.evidence(now)) else {
            return;
        };
        speaker.state = State::Confirmed(answer);
        speaker.false_alarms = 0;
        self.decisions.push_back(Decision::Confirmed { user, reason, inputs });
    }
}

fn ms(ms: u32) -> Duration {
    Duration::from_millis(u64::from(ms))
}

#[cfg(test)]
mod tests;
