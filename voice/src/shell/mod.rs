//! Sockets, tasks and clocks: moves bytes and time in and out of the machines. No rules.

pub(crate) mod agent;
pub mod clock;
pub mod cold;
pub mod local_provider;
pub mod presence;
pub mod recorder;
pub mod session;
pub mod socket;
pub mod speech;
pub mod udp;
