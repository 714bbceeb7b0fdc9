//! Opus in Ogg, written and read page by page.
//!
//! Source: RFC 7845 (Ogg Opus), RFC 3533 (Ogg). Granule positions count samples at 48 kHz, the
//! pre-skip included; that of the last page says where the sound ends.

use std::io::{Cursor, Read, Seek};

use ogg::{OggReadError, Packet, PacketReader, PacketWriteEndInfo, PacketWriter};

use super::{
    failure::PrepareFailure,
    opus::{FRAME, RATE_HZ, frames_in},
};

/// Says which stream a page belongs to; there is only one.
const SERIAL: u32 = 0x6f70_7573;
/// Packets on a page: one second, as RFC 7845 §3 recommends at most.
const PACKETS_ON_A_PAGE: usize = 50;
/// Granule position of a page on which no packet ends.
const NO_GRANULE: u64 = u64::MAX;

/// The identification header (RFC 7845 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpusHead {
    /// 1 to 255.
    pub(super) channels: u8,
    /// Samples at 48 kHz to be thrown away at the beginning.
    pub(super) pre_skip: u16,
    /// The rate of what was encoded, 0 if it is not known. It does not change how fast it plays.
    pub(super) input_rate_hz: u32,
    /// To be applied by the decoder, in 1/256 dB.
    pub(super) gain: i16,
    /// 0: one or two channels in one Opus stream.
    pub(super) mapping_family: u8,
}

impl OpusHead {
    /// `None` if these bytes are no such header, or one of an incompatible version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"OpusHead")?;
        let [version, channels, skip0, skip1, r0, r1, r2, r3, g0, g1, mapping_family, ..] = *rest
        else {
            return None;
        };
        let head = Self {
            channels,
            pre_skip: u16::from_le_bytes([skip0, skip1]),
            input_rate_hz: u32::from_le_bytes([r0, r1, r2, r3]),
            gain: i16::from_le_bytes([g0, g1]),
            mapping_family,
        };
        // The upper half of the version is what decoders must know.
        let known = version >> 4 == 0 && channels > 0 && (mapping_family > 0 || channels <= 2);
        known.then_some(head)
    }

    /// For [`Self::mapping_family`] 0.
    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = b"OpusHead".to_vec();
        bytes.extend([1, self.channels]);
        bytes.extend(self.pre_skip.to_le_bytes());
        bytes.extend(self.input_rate_hz.to_le_bytes());
        bytes.extend(self.gain.to_le_bytes());
        bytes.push(self.mapping_family);
        bytes
    }
}

/// The comment header (RFC 7845 §5.2): who wrote it, and no comments.
fn tags() -> Vec<u8> {
    let vendor = b"clawvoice";
    let mut bytes = b"OpusTags".to_vec();
    bytes.extend(u32::try_from(vendor.len()).unwrap_or_default().to_le_bytes());
    bytes.extend(vendor);
    bytes.extend(0_u32.to_le_bytes());
    bytes
}

/// Puts 20 ms packets into an Ogg file in memory.
pub(super) struct OggWriter {
    inner: PacketWriter<'static, Vec<u8>>,
    pre_skip: u16,
    /// The newest packet: only [`Self::finish`] knows that it is the last.
    newest: Option<Vec<u8>>,
    written: usize,
}

impl OggWriter {
    /// With both headers written.
    pub(super) fn new(channels: u8, pre_skip: u16) -> Result<Self, PrepareFailure> {
        let mut inner = PacketWriter::new(Vec::new());
        let input_rate_hz = RATE_HZ;
        let head = OpusHead { channels, pre_skip, input_rate_hz, gain: 0, mapping_family: 0 };
        // Each header stands on a page of its own (RFC 7845 §3).
        inner.write_packet(head.to_bytes(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        inner.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(Self { inner, pre_skip, newest: None, written: 0 })
    }

    /// Adds a packet of 20 ms.
    pub(super) fn push(&mut self, packet: Vec<u8>) -> Result<(), PrepareFailure> {
        let Some(packet) = self.newest.replace(packet) else { return Ok(()) };
        self.written += 1;
        let end = match self.written.is_multiple_of(PACKETS_ON_A_PAGE) {
            true => PacketWriteEndInfo::EndPage,
            false => PacketWriteEndInfo::NormalPacket,
        };
        let granule = self.written as u64 * FRAME as u64;
        Ok(self.inner.write_packet(packet, SERIAL, end, granule)?)
    }

    /// Samples at 48 kHz that the packets hold.
    pub(super) fn frames(&self) -> u64 {
        (self.written + usize::from(self.newest.is_some())) as u64 * FRAME as u64
    }

    /// The file, of which `frames` samples at 48 kHz are to be heard.
    pub(super) fn finish(mut self, frames: u64) -> Result<Vec<u8>, PrepareFailure> {
        let last = self.newest.take().ok_or(PrepareFailure::Empty)?;
        let granule = u64::from(self.pre_skip) + frames;
        self.inner.write_packet(last, SERIAL, PacketWriteEndInfo::EndStream, granule)?;
        Ok(self.inner.into_inner())
    }
}

/// The packets that end on one page.
pub(super) struct Page {
    /// Opus packets, in order.
    pub(super) packets: Vec<Vec<u8>>,
    /// Samples at 48 kHz, pre-skip included, that count of them: less than all on the last page.
    pub(super) frames: u64,
}

/// Reads the first Opus stream of an Ogg file; others are passed over.
pub(super) struct OggReader<R: Read + Seek> {
    inner: PacketReader<R>,
    head: OpusHead,
    serial: u32,
    ahead: Option<Packet>,
    /// Whether packets of other streams were passed over.
    others: bool,
    /// The granule position at which the stream begins, once the first page told it.
    base: Option<u64>,
    passed: u64,
}

impl<R: Read + Seek> OggReader<R> {
    /// Reads the headers.
    pub(super) fn open(file: R) -> Result<Self, PrepareFailure> {
        let mut inner = PacketReader::new(file);
        let first = inner.read_packet().map_err(damaged)?;
        let first = first.ok_or_else(|| PrepareFailure::Damaged("an empty Ogg file".to_owned()))?;
        let head = OpusHead::parse(&first.data)
            .ok_or_else(|| PrepareFailure::Unsupported("an unknown Opus header".to_owned()))?;
        if head.mapping_family != 0 {
            let words = format!("Opus with {} channels", head.channels);
            return Err(PrepareFailure::Unsupported(words));
        }
        let serial = first.stream_serial();
        let (ahead, others, base) = (None, false, None);
        let mut reader = Self { inner, head, serial, ahead, others, base, passed: 0 };
        match reader.next_packet()? {
            Some(tags) if tags.data.starts_with(b"OpusTags") => {}
            _ => return Err(PrepareFailure::Damaged("no OpusTags in it".to_owned())),
        }
        reader.ahead = reader.next_packet()?;
        Ok(reader)
    }

    pub(super) fn head(&self) -> OpusHead {
        self.head
    }

    fn next_packet(&mut self) -> Result<Option<Packet>, PrepareFailure> {
        loop {
            match self.inner.read_packet().map_err(damaged)? {
                Some(packet) if packet.stream_serial() != self.serial => self.others = true,
                packet => return Ok(packet),
            }
        }
    }

    /// The next page; `None` after the last.
    pub(super) fn next_page(&mut self) -> Result<Option<Page>, PrepareFailure> {
        let Some(first) = self.ahead.take() else { return Ok(None) };
        let (granule, checksum) = (first.absgp_page(), first.checksum_page());
        let mut packets = vec![first.data];
        while let Some(packet) = self.next_packet()? {
            if (packet.absgp_page(), packet.checksum_page()) != (granule, checksum) {
                self.ahead = Some(packet);
                break;
            }
            packets.push(packet.data);
        }
        let mut held = 0;
        for packet in &packets {
            held += frames_in(packet)?;
        }
        let frames = self.counted(granule, held);
        self.passed += frames;
        Ok(Some(Page { packets, frames }))
    }

    /// How many of `held` samples lie before the page's granule position (RFC 7845 §4.4, §4.5).
    fn counted(&mut self, granule: u64, held: u64) -> u64 {
        if granule == NO_GRANULE {
            return held;
        }
        // A stream cut out of a longer one begins later than at 0; a file of a single page begins
        // at 0, for there a smaller position means that its end is cut off.
        let single = self.ahead.is_none();
        let begins = if single { 0 } else { granule.saturating_sub(held) };
        let base = *self.base.get_or_insert(begins);
        if self.ahead.is_some() {
            return held;
        }
        granule.saturating_sub(base).saturating_sub(self.passed).min(held)
    }
}

/// Whether Discord can be given these bytes as they are: nothing but one Opus stream in Ogg, from
/// 48 kHz, in one or two channels. Opus of other origin plays at the wrong speed on some clients.
pub(super) fn is_sendable(bytes: &[u8]) -> bool {
    let Ok(mut reader) = OggReader::open(Cursor::new(bytes)) else { return false };
    loop {
        match reader.next_page() {
            Ok(Some(_)) => {}
            Ok(None) => return !reader.others && reader.head.input_rate_hz == RATE_HZ,
            Err(_) => return false,
        }
    }
}

fn damaged(error: OggReadError) -> PrepareFailure {
    match error {
        OggReadError::ReadError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            PrepareFailure::Read(error)
        }
        error => PrepareFailure::Damaged(format!("Ogg: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A 20 ms CELT packet, one frame, fullband mono, with arbitrary contents.
    fn packet(body: &[u8]) -> Vec<u8> {
        [&[0xf8][..], body].concat()
    }

    fn written(bodies: &[Vec<u8>], frames: u64) -> Vec<u8> {
        let mut writer = OggWriter::new(1, 312).unwrap();
        for body in bodies {
            writer.push(packet(body)).unwrap();
        }
        assert_eq!(writer.frames(), bodies.len() as u64 * 960);
        writer.finish(frames).unwrap()
    }

    /// Page by page: flags, granule position, sequence number (RFC 3533 §6).
    fn pages(mut bytes: &[u8]) -> Vec<(u8, u64, u32)> {
        let mut pages = Vec::new();
        while !bytes.is_empty() {
            assert_eq!(&bytes[..5], b"OggS\0");
            let segments = usize::from(bytes[26]);
            let body: usize =
                bytes[27..27 + segments].iter().map(|&length| usize::from(length)).sum();
            pages.push((
                bytes[5],
                u64::from_le_bytes(bytes[6..14].try_into().unwrap()),
                u32::from_le_bytes(bytes[18..22].try_into().unwrap()),
            ));
            bytes = &bytes[27 + segments + body..];
        }
        pages
    }

    #[test]
    fn headers_have_pages_of_their_own_and_the_last_page_says_where_the_sound_ends() {
        let bytes = written(&vec![vec![7; 40]; 51], 48_000);
        assert_eq!(pages(&bytes), [(2, 0, 0), (0, 0, 1), (0, 48_000, 2), (4, 48_312, 3)]);
        assert_eq!(
            bytes[28..47],
            *b"OpusHead\x01\x01\x38\x01\x80\xbb\x00\x00\x00\x00\x00",
            "version 1, one channel, 312 to skip, 48000 Hz, no gain, family 0"
        );
        let tags = bytes.windows(8).position(|window| window == b"OpusTags").unwrap();
        assert_eq!(bytes[tags + 8..tags + 25], *b"\x09\0\0\0clawvoice\0\0\0\0");
        assert!(is_sendable(&bytes));
    }

    #[test]
    fn a_file_of_no_packets_is_none() {
        let writer = OggWriter::new(1, 312).unwrap();
        assert!(matches!(writer.finish(0), Err(PrepareFailure::Empty)));
    }

    #[test]
    fn heads_are_read_or_refused() {
        let head = OpusHead {
            channels: 2,
            pre_skip: 3840,
            input_rate_hz: 44_100,
            gain: -256,
            mapping_family: 0,
        };
        assert_eq!(OpusHead::parse(&head.to_bytes()), Some(head));
        let changed = |at: usize, value: u8| {
            let mut bytes = head.to_bytes();
            bytes[at] = value;
            OpusHead::parse(&bytes)
        };
        assert_eq!(changed(8, 0x10), None, "an incompatible version");
        assert!(changed(8, 0x0f).is_some(), "a compatible one");
        assert_eq!(changed(9, 0), None, "no channels");
        assert_eq!(changed(9, 3), None, "three channels in family 0");
        assert_eq!(OpusHead::parse(&head.to_bytes()[..18]), None);
    }

    #[test]
    fn only_one_stream_from_48_khz_is_sent_as_it_is() {
        let good = written(&vec![vec![1; 30]; 60], 57_000);
        let mut writer = PacketWriter::new(Vec::new());
        let head = OpusHead {
            channels: 1,
            pre_skip: 0,
            input_rate_hz: 24_000,
            gain: 0,
            mapping_family: 0,
        };
        writer.write_packet(head.to_bytes(), 1, PacketWriteEndInfo::EndPage, 0).unwrap();
        writer.write_packet(tags(), 1, PacketWriteEndInfo::EndPage, 0).unwrap();
        writer.write_packet(packet(b"x"), 1, PacketWriteEndInfo::EndStream, 960).unwrap();
        let from_24_khz = writer.into_inner();
        assert!(is_sendable(&good));
        assert!(!is_sendable(&from_24_khz));
        assert!(!is_sendable(&[&good[..], &from_24_khz[..]].concat()), "a chain of two");
        assert!(!is_sendable(b"OggS"));
    }

    #[test]
    fn a_stream_cut_out_of_a_longer_one_keeps_its_length() {
        let mut writer = PacketWriter::new(Vec::new());
        let head = OpusHead {
            channels: 1,
            pre_skip: 0,
            input_rate_hz: 48_000,
            gain: 0,
            mapping_family: 0,
        };
        writer.write_packet(head.to_bytes(), 1, PacketWriteEndInfo::EndPage, 0).unwrap();
        writer.write_packet(tags(), 1, PacketWriteEndInfo::EndPage, 0).unwrap();
        for (granule, end) in [(1_000_960, false), (1_001_500, true)] {
            let end = if end { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::EndPage };
            writer.write_packet(packet(b"x"), 1, end, granule).unwrap();
        }
        let mut reader = OggReader::open(Cursor::new(writer.into_inner())).unwrap();
        assert_eq!(reader.next_page().unwrap().unwrap().frames, 960);
        assert_eq!(reader.next_page().unwrap().unwrap().frames, 540);
        assert!(reader.next_page().unwrap().is_none());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 1..160),
            cut in 0_u64..960,
        ) {
            let held = bodies.len() as u64 * 960;
            let heard = held.saturating_sub(312 + cut);
            let bytes = written(&bodies, heard);
            let mut reader = OggReader::open(Cursor::new(&bytes)).unwrap();
            prop_assert_eq!(reader.head().pre_skip, 312);
            let (mut packets, mut frames) = (Vec::new(), 0);
            while let Some(page) = reader.next_page().unwrap() {
                packets.extend(page.packets);
                frames += page.frames;
            }
            let sent: Vec<Vec<u8>> = bodies.iter().map(|body| packet(body)).collect();
            prop_assert_eq!(packets, sent);
            prop_assert_eq!(frames, (heard + 312).min(held));
            let granules: Vec<u64> = pages(&bytes).iter().map(|page| page.1).collect();
            prop_assert!(granules.is_sorted() || heard + 312 > held - 960);
        }

        #[test]
        fn damage_is_an_error_or_harmless(
            at in 0_usize..4_000,
            value in any::<u8>(),
            cut in 0_usize..4_000,
        ) {
            let mut bytes = written(&vec![vec![3; 50]; 70], 60_000);
            let length = bytes.len();
            bytes[at % length] = value;
            bytes.truncate(length - cut % length);
            let _ = is_sendable(&bytes);
        }
    }
}
