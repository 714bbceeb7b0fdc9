//! Every frame on its way: sent, arrived, heard, and in the end judged.

use std::{collections::BTreeMap, time::Duration};

use clawvoice_session::SessionTime;

use crate::{
    member::Sending,
    oracle::Oracle,
    report::Counts,
    tone::{MARKS, Said},
};

/// When a frame that arrived must have been heard: 2 s for a key or a name, and time to play it.
const OVERDUE: Duration = Duration::from_millis(2_600);
/// How long a frame is remembered: less than [`MARKS`] frames take.
const REMEMBERED: Duration = Duration::from_millis(4_800);

/// One frame of speech.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) user: u64,
    /// Which of the user's stays in the channel.
    pub(crate) stay: u64,
    pub(crate) ssrc: u32,
    /// Whether this is the SSRC the user came with.
    pub(crate) first_ssrc: bool,
    pub(crate) sending: Sending,
    pub(crate) sent: SessionTime,
    /// Whether it would be taken without encryption when it arrived.
    pub(crate) plain_taken: bool,
    /// Whether a later one of its SSRC arrived first of all: nothing told that there was more.
    pub(crate) overtaken: bool,
    arrived: Option<SessionTime>,
    heard: Option<SessionTime>,
    judged: bool,
}

/// What a heard frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// Heard for the first time.
    New,
    /// It had been heard before.
    Again,
    /// No such frame has arrived.
    Unknown,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Ledger {
    frames: BTreeMap<(u64, u64), Frame>,
    /// How many frames each user has ever sent.
    sent: BTreeMap<u64, u64>,
    /// The sequence number of the speech of each SSRC that arrived first.
    began: BTreeMap<u32, u16>,
}

impl Ledger {
    /// The number of the user's next frame.
    pub(crate) fn next(&self, user: u64) -> u64 {
        self.sent.get(&user).copied().unwrap_or_default()
    }

    /// A frame goes out; returns its number.
    pub(crate) fn send(
        &mut self,
        now: SessionTime,
        (user, stay): (u64, u64),
        (ssrc, first_ssrc): (u32, bool),
        sending: Sending,
    ) -> u64 {
        let next = self.sent.entry(user).or_default();
        let number = *next;
        *next += 1;
        let frame = Frame {
            user,
            stay,
            ssrc,
            first_ssrc,
            sending,
            sent: now,
            plain_taken: false,
            overtaken: false,
            arrived: None,
            heard: None,
            judged: false,
        };
        self.frames.insert((user, number), frame);
        number
    }

    /// A packet, or a copy of it, reaches the call; silence has no number.
    pub(crate) fn arrive(
        &mut self,
        now: SessionTime,
        (ssrc, sequence): (u32, u16),
        id: Option<(u64, u64)>,
        plain_taken: bool,
    ) {
        // Silence of a stream that nobody named yet is nobody's, and begins nothing.
        if let Some(frame) = id.and_then(|id| self.frames.get_mut(&id))
            && frame.arrived.is_none()
        {
            let began = *self.began.entry(ssrc).or_insert(sequence);
            frame.arrived = Some(now);
            frame.plain_taken = plain_taken;
            // Half the circle: nothing is that late.
            frame.overtaken = began.wrapping_sub(sequence).wrapping_sub(1) < 1 << 15;
        }
    }

    /// The number of the frame of `user` that says this.
    fn number(&self, user: u64, said: Said) -> Option<u64> {
        let next = self.next(user);
        let back = (next + MARKS - 1 - said.mark) % MARKS;
        next.checked_sub(1 + back)
    }

    /// The frame of `user` that says this.
    pub(crate) fn frame(&self, user: u64, said: Said) -> Option<&Frame> {
        self.frames.get(&(user, self.number(user, said)?))
    }

    /// The call gave a frame out as speech of `user`.
    pub(crate) fn hear(&mut self, now: SessionTime, user: u64, said: Said) -> Hearing {
        let Some(number) = self.number(user, said) else { return Hearing::Unknown };
        match self.frames.get_mut(&(user, number)) {
            Some(frame) if frame.arrived.is_some() => match frame.heard.replace(now) {
                None => Hearing::New,
                Some(_) => Hearing::Again,
            },
            _ => Hearing::Unknown,
        }
    }

    /// Judges what is due. Returns the frames that are lost.
    pub(crate) fn settle(
        &mut self,
        now: SessionTime,
        oracle: &mut Oracle,
        counts: &mut Counts,
    ) -> Vec<(u64, Frame, SessionTime)> {
        let mut lost = Vec::new();
        self.frames.retain(|(_, number), frame| {
            if !frame.judged
                && let Some(arrived) = frame.arrived.filter(|at| *at + OVERDUE <= now)
            {
                frame.judged = true;
                counts.arrived += 1;
                let judged = oracle.judge(arrived, frame);
                counts.promised += u64::from(judged.is_ok());
                match (judged, frame.heard) {
                    (Ok(()), Some(_)) => counts.heard += 1,
                    (Ok(()), None) => {
                        counts.lost += 1;
                        lost.push((*number, *frame, arrived));
                    }
                    (Err(reason), Some(_)) => {
                        *counts.beyond_promise.entry(reason).or_default() += 1;
                    }
                    (Err(reason), None) => *counts.unpromised.entry(reason).or_default() += 1,
                }
            }
            frame.sent + REMEMBERED > now
        });
        lost
    }

    /// The frames sent around one: number, when it arrived, when it was heard.
    pub(crate) fn around(&self, user: u64, number: u64) -> String {
        let near = self.frames.range((user, number.saturating_sub(5))..=(user, number + 4));
        let micros = |at: Option<SessionTime>| at.map(SessionTime::as_micros);
        near.map(|((_, number), frame)| {
            let Frame { ssrc, sending, arrived, heard, .. } = frame;
            format!(
                "\n    {number}: {ssrc} {sending:?} {:?} {:?}",
                micros(*arrived),
                micros(*heard)
            )
        })
        .collect()
    }

    /// The call left: what it has not heard it need not hear any more.
    pub(crate) fn forget(&mut self, oracle: &mut Oracle, counts: &mut Counts) {
        self.began.clear();
        for frame in self.frames.values_mut().filter(|frame| !frame.judged) {
            frame.judged = true;
            let Some(arrived) = frame.arrived else { continue };
            counts.arrived += 1;
            if frame.heard.is_some() && oracle.judge(arrived, frame).is_ok() {
                counts.promised += 1;
                counts.heard += 1;
            } else {
                counts.cut_off += 1;
            }
        }
    }
}
