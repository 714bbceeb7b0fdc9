//! The UDP socket: reads datagrams into the hub. What goes out is sent where it arises.

use std::sync::Arc;

use super::Core;

/// Larger than any voice datagram that fits an Ethernet frame.
const LARGEST: usize = 2_048;

pub(super) async fn receive(core: Arc<Core>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        match core.udp.recv_from(&mut buffer).await {
            Ok((length, from)) => {
                let treatment = core.treatment();
                let datagram = buffer.get(..length).unwrap_or_default();
                core.drive(|hub, now_ms| hub.handle_datagram(now_ms, treatment, from, datagram));
            }
            // An ICMP "port unreachable" of a client that is gone; the socket is fine.
            Err(error) => tracing::debug!(%error, "UDP receive"),
        }
    }
}
