//! One voice connection, sans-IO.

use clawvoice_session::{SessionTime, UserId};

/// Where a call delivers what it hears, in order, while it handles a datagram or a timeout.
///
/// Speaking is derived from packets, not from SPEAKING events: it starts with the first audio
/// packet of a user after a pause and stops when no packet came for 100 ms.
pub trait Hear {
    /// `user` began to send audio. Called before the first [`Hear::audio`] of the talkspurt, and
    /// only with a user that is authenticated or announced as the packet's sender.
    fn speaking_started(&mut self, now: SessionTime, user: UserId);

    /// Decoded speech of `user`: 24 kHz mono samples of one packet (its own duration, 20 ms = 480
    /// samples with Discord's clients) or of the concealment of a lost one.
    fn audio(&mut self, now: SessionTime, user: UserId, pcm: &[i16]);

    /// `user` has sent nothing for 100 ms, left, or was disconnected.
    fn speaking_stopped(&mut self, now: SessionTime, user: UserId);
}
