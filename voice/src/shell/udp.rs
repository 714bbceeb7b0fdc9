//! The UDP socket of one voice connection.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::net::UdpSocket;

/// Asked of the kernel for received datagrams: over 200 ms of 50 speakers, counted as the kernel
/// counts (with its own overhead per packet). The kernel may grant less.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// A socket bound to a port of its own and connected to the voice server: datagrams of others do
/// not come in.
#[derive(Debug)]
pub struct VoiceSocket {
    socket: UdpSocket,
}

impl VoiceSocket {
    /// Binds and connects.
    ///
    /// # Errors
    /// No socket, or no route to `remote`.
    pub async fn connect(remote: SocketAddr) -> io::Result<Self> {
        let local: SocketAddr = match remote {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local).await?;
        if let Err(error) =
            socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)
        {
            tracing::debug!(%error, "UDP receive buffer stays at the system's default");
        }
        socket.connect(remote).await?;
        // A new socket counts as full until the reactor has seen it writable, and a first datagram
        // lost to that costs the retry time of IP discovery.
        socket.writable().await?;
        Ok(Self { socket })
    }

    /// The next datagram, cut to `buffer`. Cancel-safe.
    ///
    /// Errors that a datagram of ours brought back (port unreachable while a server restarts) are
    /// not the socket's end and are skipped.
    ///
    /// # Errors
    /// The socket is broken.
    pub async fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.socket.recv(buffer).await {
                Err(error) if passing(&error) => tracing::debug!(%error, "UDP"),
                result => return result,
            }
        }
    }

    /// A datagram that has already come, if there is one: to be read before websocket messages
    /// that take keys away.
    #[must_use]
    pub fn try_recv(&self, buffer: &mut [u8]) -> Option<usize> {
        self.socket.try_recv(buffer).ok()
    }

    /// Sends without waiting: a datagram for which the kernel has no room is lost, as it would be
    /// on the way. Returns whether it left.
    pub fn send(&self, datagram: &[u8]) -> bool {
        match self.socket.try_send(datagram) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "UDP datagram not sent");
                false
            }
        }
    }
}

fn passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable};
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn datagrams_go_both_ways_and_a_closed_port_is_survived() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let remote = server.local_addr().unwrap();
        let client = VoiceSocket::connect(remote).await.unwrap();
        assert!(client.send(b"ping"));
        let mut buffer = [0; 16];
        let (bytes, from) = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..bytes], b"ping");
        drop(server);
        // Provokes "port unreachable", which the next receive must not report.
        assert!(client.send(b"nobody"));
        let server = UdpSocket::bind(remote).await.unwrap();
        server.send_to(b"pong", from).await.unwrap();
        let bytes = client.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..bytes], b"pong");
        assert_eq!(client.try_recv(&mut buffer), None);
    }
}
