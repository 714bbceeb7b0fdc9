//! Bytes to values and back, without state: RTP, the transport cipher, the voice gateway's
//! messages, IP discovery, and the outer form of a DAVE frame.
//!
//! Nothing here panics on bytes of a peer; what cannot be read is an error that says why.
//!
//! Sources: RFC 3550 (RTP), RFC 5285 (header extensions), RFC 9420 (MLS framing), Discord
//! developer documentation "Voice Connections", DAVE protocol whitepaper 1.1.

pub mod aead;
pub mod dave;
pub mod discovery;
pub mod gateway;
pub mod rtp;
