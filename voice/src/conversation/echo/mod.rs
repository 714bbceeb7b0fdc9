//! Whether what a speaker's microphone sends is the bot itself.
//!
//! ```text
//! frames that are played ──► Played (8 and 4 kHz, last seconds) ──┐
//! a speaker's frames ──► bands ──► Path (delay, filter) known? ───┴─► EchoVerdict
//!                                    └─ no, or does not fit: Search ──► Path::learn
//! ```
//!
//! A listener with an open microphone beside a loudspeaker sends back what was played: 20 to
//! 400 ms later, softer, through a room and two codecs. That must not interrupt the bot, while a
//! person who talks over it must.
//!
//! [`Search`] correlates with every delay until one stands out; [`Path`] then learns the room's
//! filter from the last blocks and is believed if it predicts blocks that it has not seen: two
//! voices may resemble each other, but not through one filter for long. A path that was once found
//! is kept over pauses and replaced only by a better one.

mod band;
mod path;
mod played;
mod ring;
mod search;
#[cfg(test)]
mod tests;

use clawvoice_session::SessionTime;

use self::{
    band::{BLOCK_8K, Bands, Block, energy},
    path::{Match, Path},
    ring::Ring,
    search::{LAGS, REACH, Search},
};
pub(crate) use played::Played;

/// A frame that comes so much later than the one before it begins a new talkspurt, in samples at
/// 8 kHz: 100 ms. Below that only the network trembles.
const PAUSE_8K: i64 = 800;
/// Heard samples that a path is learned from, and room to spare.
const KEPT_8K: usize = 2_048;
/// Energy of a block at 8 kHz below which it is silence: about -60 dBFS.
const SILENCE: f32 = 160.0 * 32.0 * 32.0;
/// Squared correlation that a delay must reach before a path is learned.
const LEAST_SCORE: f32 = 0.1;
/// And by how much it must be above all others.
const LEAST_LEAD: f32 = 1.1;
/// Speech resembles itself a pitch period later, so a delay may be wrong at first: it is compared
/// with others until it explained so many blocks.
const PROVEN: u32 = 15;
/// Delays that are the same, in samples at 8 kHz: 1 ms.
const SAME: u64 = 8;
/// A path is forgotten after so many blocks (10 s) that should have held echo and did not.
const FORGOTTEN: u32 = 500;
/// The same for a path that has never proved itself.
const DISTRUSTED: u32 = 6;
/// Blocks at the begin of a talkspurt by which a known path's delay is corrected.
const ALIGNMENTS: u8 = 8;
/// Blocks between two attempts to learn a path.
const REST: u32 = 2;
/// What a path may leave unexplained of the blocks that it is tested by; of audio that is no echo
/// it leaves everything.
const MOST_LEAK: f32 = 0.5;
/// In a long vowel every pitch period is a delay like any other, and none stands out. Then the
/// resemblance must be greater, and the path better.
const VOWEL_SCORE: f32 = 0.4;
const VOWEL_LEAK: f32 = 0.2;

/// What is known of a speaker's echo.
#[derive(Debug)]
pub(crate) struct Echo {
    bands: Bands,
    heard: Ring<f32>,
    /// Position in what is played of the next block.
    position: Option<i64>,
    search: Search,
    path: Option<Path>,
    /// Blocks in which the path's delay may still be looked for in this talkspurt.
    alignments: u8,
    /// Blocks of echo since the path's delay was found.
    proven: u32,
    /// Whether the path was ever proven.
    trusted: bool,
    /// Blocks since the last echo in which one was expected.
    missed: u32,
    /// Blocks until the next path may be learned.
    rest: u32,
    last: Match,
}

/// How much of a speaker's audio is echo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct EchoVerdict {
    /// Share of the audio's energy (0 to 4 kHz, high tones raised) that what was played explains,
    /// 0 to 1.
    pub(crate) explained: f32,
    /// Delay of the echo path, ms, if one is known. It holds how late the network brought the first
    /// frame of the talkspurt.
    pub(crate) delay_ms: Option<u16>,
    /// Whether this is (almost) nothing but echo.
    pub(crate) is_echo: bool,
}

impl Echo {
    /// Nothing is known of the speaker's room.
    pub(crate) fn new() -> Self {
        Self {
            bands: Bands::new(),
            heard: Ring::new(KEPT_8K),
            position: None,
            search: Search::new(),
            path: None,
            alignments: 0,
            proven: 0,
            trusted: false,
            missed: 0,
            rest: 0,
            last: Match::default(),
        }
    }

    /// Judges audio of the speaker, 24 kHz mono, that arrived at `now`. Pieces may be of any
    /// length; the verdict is about the last whole 20 ms.
    pub(crate) fn judge(&mut self, now: SessionTime, pcm: &[i16], played: &Played) -> EchoVerdict {
        self.anchor(now, played);
        let mut pieces = pcm;
        while let Some((block, rest)) = self.bands.push(pieces) {
            self.last = self.judge_block(now, &block, played);
            pieces = rest;
        }
        EchoVerdict {
            explained: self.last.explained,
            delay_ms: self.path.as_ref().map(|path| delay_ms(path.lag())),
            is_echo: self.last.is_echo,
        }
    }

    /// Within a talkspurt samples are counted, for the network delivers late what was spoken in
    /// time; after a pause the count begins anew where the frame arrived.
    fn anchor(&mut self, now: SessionTime, played: &Played) {
        let arrival = played.position(now) - BLOCK_8K as i64;
        if self.position.is_none_or(|expected| (arrival - expected).abs() > PAUSE_8K) {
            self.position = Some(arrival);
            self.alignments = ALIGNMENTS;
            self.search.reset();
        }
    }

    fn judge_block(&mut self, now: SessionTime, block: &Block, played: &Played) -> Match {
        let start = self.position.unwrap_or_default();
        let end = start + BLOCK_8K as i64;
        self.position = Some(end);
        self.heard.extend(&block.at_8k);
        if energy(&block.at_8k) < SILENCE || played.is_silent(now) {
            return Match::default();
        }
        let known = self.judge_by_path(start, block, played);
        if known.is_echo && self.proven >= PROVEN {
            return known;
        }
        let Some(path) = self.find(start, block, played, known.is_echo) else { return known };
        self.path = Some(path);
        (self.alignments, self.trusted) = (0, false);
        (self.proven, self.missed) = (0, 0);
        self.judge_by_path(start, block, played)
    }

    fn judge_by_path(&mut self, start: i64, block: &Block, played: &Played) -> Match {
        let Some(path) = &mut self.path else { return Match::default() };
        if self.alignments > 0 {
            let found = path.align(start, &block.at_8k, played);
            self.alignments = if found { 0 } else { self.alignments - 1 };
            self.proven = 0;
        }
        let judged = path.judge(start, &block.at_8k, played);
        if judged.is_echo {
            self.missed = 0;
            self.proven += 1;
            self.trusted |= self.proven >= PROVEN;
        } else if judged.expected {
            self.missed += 1;
        }
        let most_missed = if self.trusted { FORGOTTEN } else { DISTRUSTED };
        if self.missed > most_missed {
            self.path = None;
        }
        judged
    }

    /// Looks for a better path than the known one, which may `fit` after all.
    fn find(&mut self, start: i64, block: &Block, played: &Played, fits: bool) -> Option<Path> {
        let mut far = [0; REACH];
        played.read_4k(start / 2 - (LAGS as i64 - 1), &mut far);
        let peak = self.search.push(&mut block.at_4k.clone(), &mut far)?;
        self.rest = self.rest.saturating_sub(1);
        let most_leak = if peak.score >= LEAST_SCORE && peak.score >= LEAST_LEAD * peak.rival {
            MOST_LEAK
        } else if peak.score >= VOWEL_SCORE {
            VOWEL_LEAK
        } else {
            return None;
        };
        if self.rest > 0 {
            return None;
        }
        let known = self.path.as_ref().filter(|_| fits);
        let lag = 2 * peak.lag as i64;
        if known.is_some_and(|known| known.lag().abs_diff(lag) <= SAME) {
            return None;
        }
        self.rest = REST;
        let blocks = self.search.blocks().into();
        let path = Path::learn(lag, &self.heard, blocks, start + BLOCK_8K as i64, played);
        let better = known.map_or(most_leak, |known| most_leak.min(known.leak()));
        (path.leak() < better).then_some(path)
    }
}

/// From the begin of what was played to the begin of its echo; `lag` is counted to the time a
/// block is complete.
fn delay_ms(lag: i64) -> u16 {
    u16::try_from((lag + BLOCK_8K as i64) / 8).unwrap_or_default()
}
