//! Who sends under which SSRC: told by the server, shown by a key, or neither yet.

use std::collections::BTreeMap;

use clawvoice_session::{SessionTime, UserId};

use super::{
    Io, MAX_STREAMS, Media, Receiver,
    attribution::{Identity, Naming},
    earlier,
    policy::LEAVE_GRACE,
    speechless,
    stream::Stream,
};
use crate::{
    call::{
        CallEvent, Outbox, Output, Timer,
        dave::Opened,
        stats::{CallStats, Fate},
    },
    wire::dave as frame,
};

impl Receiver {
    /// Op 5: whose packets these are, says the server. `keys`: DAVE is in force, and a stream that
    /// its user's key has opened stays theirs.
    pub(crate) fn map(
        &mut self,
        now: SessionTime,
        ssrc: u32,
        user: UserId,
        keys: bool,
        out: &mut Outbox,
        stats: &mut CallStats,
    ) {
        match self.streams.get_mut(&ssrc).map(|stream| stream.identity.name(user, keys)) {
            Some(Naming::Agrees) => {
                if let Some(stream) = self.streams.get_mut(&ssrc) {
                    stream.leaving = None;
                }
                self.retire_others(now, ssrc, user, true);
            }
            Some(Naming::Contradicts) => {
                let by_key = self.streams.get(&ssrc).map_or(user, Stream::user);
                contradicted(ssrc, user, by_key, out, stats);
            }
            Some(Naming::Moves) => {
                self.remove(ssrc, stats);
                self.announce(now, ssrc, user, stats);
            }
            None => self.announce(now, ssrc, user, stats),
        }
    }

    fn announce(&mut self, now: SessionTime, ssrc: u32, user: UserId, stats: &mut CallStats) {
        if self.bind(now, ssrc, Identity::announced(user), stats) {
            self.retire_others(now, ssrc, user, true);
        }
    }

    /// A packet of an SSRC that op 5 has not named yet: a key may name it, else it waits.
    pub(super) fn handle_unknown(&mut self, io: &mut Io<'_>, media: Media<'_>, fresh: bool) {
        if let Some((_, fate)) = speechless(media.payload) {
            return io.stats.settle(None, fate);
        }
        if fresh && self.held.contains(media.ssrc, media.sequence) {
            return io.stats.settle(None, Fate::Duplicate);
        }
        if let Some((user, bytes)) = self.try_others(io, media) {
            tracing::debug!(ssrc = media.ssrc, %user, "sender found by its key");
            if self.bind(io.now, media.ssrc, Identity::by_key(user, None), io.stats) {
                self.retire_others(io.now, media.ssrc, user, false);
                io.stats.attributed(user);
                return self.play_opened(io, media, bytes, fresh);
            }
        }
        if fresh {
            io.stats.note(None, |stats| stats.held += 1);
        }
        self.hold(io, media, None);
    }

    /// The frames of a stream open with the key of `user`, not of the one it was taken for.
    pub(super) fn hand_over(&mut self, io: &mut Io<'_>, ssrc: u32, user: UserId) {
        let Some(stream) = self.streams.get_mut(&ssrc) else { return };
        let (was, named) = (stream.user(), stream.identity.named());
        tracing::debug!(ssrc, %was, %user, "the key shows another sender");
        if let Some(named) = named.filter(|named| *named != user) {
            contradicted(ssrc, named, user, io.out, io.stats);
        }
        stream.restart(&mut self.playout.voice(io));
        self.remove(ssrc, io.stats);
        self.bind(io.now, ssrc, Identity::by_key(user, named), io.stats);
        self.retire_others(io.now, ssrc, user, false);
        io.stats.reattributed(was, user);
    }

    /// Tries the keys of the others in the call whose stream it may be. Whoever speaks under another
    /// SSRC at this time does not send here: a frame of theirs is a copy, and its key tells who made
    /// it, not who sent it. Only a protocol frame is tried: plaintext and silence would "open" for
    /// anybody.
    pub(super) fn try_others(
        &mut self,
        io: &mut Io<'_>,
        media: Media<'_>,
    ) -> Option<(UserId, usize)> {
        frame::check(media.payload)?;
        let identity = self.streams.get(&media.ssrc).map(|stream| stream.identity);
        let possible = |user: &UserId| identity.is_none_or(|identity| identity.may_be(*user));
        let candidates: Vec<_> = io.dave.others().filter(possible).collect();
        if candidates.is_empty() || !self.strangers.takes_packet(io.now) {
            return None;
        }
        let elsewhere = |(ssrc, stream): (&u32, &Stream)| {
            let until = stream.in_use_until(media.arrived).filter(|until| *until > io.now)?;
            (*ssrc != media.ssrc).then(|| (stream.user(), until))
        };
        let speaking: BTreeMap<_, _> = self.streams.iter().filter_map(elsewhere).collect();
        let opened = candidates.iter().find_map(|&user| {
            if speaking.contains_key(&user) {
                return None;
            }
            match io.dave.open(io.now, user, media.payload, &mut self.media[..]) {
                Opened::Decrypted(bytes) => Some((user, bytes)),
                _ => None,
            }
        });
        let until = candidates.iter().filter_map(|user| speaking.get(user)).min();
        if let (None, Some(until)) = (opened, until) {
            // It may be the last one of its stream: nothing else would have it tried again.
            self.try_again(*until);
        }
        opened
    }

    /// Makes a stream for an SSRC. What was held for want of it is replayed before the next packet.
    fn bind(
        &mut self,
        now: SessionTime,
        ssrc: u32,
        identity: Identity,
        stats: &mut CallStats,
    ) -> bool {
        if self.streams.len() >= MAX_STREAMS {
            tracing::warn!(ssrc, user = %identity.user(), "too many streams");
            return false;
        }
        stats.speakers.entry(identity.user()).or_default();
        self.streams.insert(ssrc, Stream::new(now, identity));
        if self.held.has(ssrc) {
            self.try_again(now);
        }
        true
    }

    /// The user sends under `ssrc`: their other streams go soon. `told`: only the server says so,
    /// and may be wrong; then those stay that a key has shown to be theirs or that are heard now.
    pub(super) fn retire_others(&mut self, now: SessionTime, ssrc: u32, user: UserId, told: bool) {
        let others = self.streams.iter_mut().filter(|(other, _)| **other != ssrc);
        for (_, old) in others.filter(|(_, stream)| stream.user() == user) {
            if !(told && (old.identity.opened() || old.is_heard(now))) {
                old.leaving.get_or_insert(now + LEAVE_GRACE);
                earlier(&mut self.streams_due, now + LEAVE_GRACE, Timer::StreamEnd);
            }
        }
    }
}

/// The server named `named`, the frames open with the key of `by_key`.
fn contradicted(ssrc: u32, named: UserId, by_key: UserId, out: &mut Outbox, stats: &mut CallStats) {
    stats.gateway.speaking_contradicted += 1;
    out.push_back(Output::Event(CallEvent::SpeakingContradicted { ssrc, named, by_key }));
}
