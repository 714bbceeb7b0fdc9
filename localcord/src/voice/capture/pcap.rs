//! The classic pcap file format ("Libpcap File Format", draft-ietf-opsawg-pcap), with raw IP packets
//! in it.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use etherparse::PacketBuilder;

/// Timestamps have microseconds.
const MAGIC: u32 = 0xA1B2_C3D4;
/// Version of the format.
const VERSION: [u16; 2] = [2, 4];
/// Longest packet that is kept, bytes: nothing is cut off.
const SNAPLEN: u32 = 65_535;
/// `LINKTYPE_RAW`: packets begin with an IPv4 or IPv6 header.
const LINKTYPE_RAW: u32 = 101;
/// Hops a packet may take; what Linux says.
const TIME_TO_LIVE: u8 = 64;

/// The beginning of the file.
pub(super) fn write_header(file: &mut impl Write) -> io::Result<()> {
    file.write_all(&MAGIC.to_le_bytes())?;
    for number in VERSION {
        file.write_all(&number.to_le_bytes())?;
    }
    // Timestamps are UTC; nobody has ever filled in their accuracy.
    for number in [0, 0, SNAPLEN, LINKTYPE_RAW] {
        file.write_all(&number.to_le_bytes())?;
    }
    Ok(())
}

/// One UDP datagram, with IP and UDP headers made for it.
pub(super) fn write_datagram(
    file: &mut impl Write,
    at: SystemTime,
    from: SocketAddr,
    to: SocketAddr,
    payload: &[u8],
) -> io::Result<()> {
    let mut packet = Vec::with_capacity(payload.len() + 48);
    let builder = match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            PacketBuilder::ipv4(from.octets(), to.octets(), TIME_TO_LIVE)
        }
        (from, to) => PacketBuilder::ipv6(v6(from).octets(), v6(to).octets(), TIME_TO_LIVE),
    };
    builder.udp(from.port(), to.port()).write(&mut packet, payload).map_err(io::Error::other)?;
    let since: Duration = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    // Until the year 2106.
    let seconds = u32::try_from(since.as_secs()).unwrap_or(u32::MAX);
    let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
    for number in [seconds, since.subsec_micros(), length, length] {
        file.write_all(&number.to_le_bytes())?;
    }
    file.write_all(&packet)
}

fn v6(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    #[test]
    fn the_file_is_laid_out_as_documented() {
        let mut file = Vec::new();
        write_header(&mut file).unwrap();
        assert_eq!(
            file,
            [
                0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 101,
                0, 0, 0
            ]
        );
        let at = UNIX_EPOCH + Duration::new(0x0102_0304, 5_006_000);
        for (from, to, headers) in [
            ("127.0.0.1:5000", "192.168.1.2:6000", 28),
            ("[::1]:5000", "[fe80::1]:6000", 48),
            ("127.0.0.1:5000", "[::1]:6000", 48),
        ] {
            let (from, to): (SocketAddr, SocketAddr) = (from.parse().unwrap(), to.parse().unwrap());
            file.clear();
            write_datagram(&mut file, at, from, to, &[1, 2, 3, 4, 5]).unwrap();
            assert_eq!(file[..8], [4, 3, 2, 1, 0x8E, 0x13, 0, 0]);
            assert_eq!(file[8..12], [headers + 5, 0, 0, 0]);
            assert_eq!(file[8..12], file[12..16]);
            let sliced = SlicedPacket::from_ip(&file[16..]).unwrap();
            let Some(TransportSlice::Udp(udp)) = sliced.transport else { panic!("no UDP") };
            assert_eq!((udp.source_port(), udp.destination_port()), (5_000, 6_000));
            assert_eq!(udp.payload(), [1, 2, 3, 4, 5]);
            let header = udp.to_header();
            match sliced.net.unwrap() {
                NetSlice::Ipv4(ip) => {
                    let header_v4 = ip.header().to_header();
                    assert_eq!(header_v4.header_checksum, header_v4.calc_header_checksum());
                    let sum = header.calc_checksum_ipv4(&header_v4, udp.payload()).unwrap();
                    assert_eq!(header.checksum, sum);
                    assert_eq!(header_v4.source, [127, 0, 0, 1]);
                }
                NetSlice::Ipv6(ip) => {
                    let header_v6 = ip.header().to_header();
                    let sum = header.calc_checksum_ipv6(&header_v6, udp.payload()).unwrap();
                    assert_eq!(header.checksum, sum);
                }
                NetSlice::Arp(_) => panic!("no IP"),
            }
        }
    }
}
