//! Transport compression of the main gateway.
//!
//! Source: Discord, "Gateway", Encoding and Compression: `compress=zlib-stream` and
//! `compress=zstd-stream` share one context over the whole connection and flush after each
//! message; IDENTIFY's `compress: true` deflates each message on its own.

use std::io::{self, Write as _};

use flate2::{Compress, Compression, FlushCompress, write::ZlibEncoder};

/// A message as it goes over the websocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// How a connection's messages are compressed.
pub(crate) enum Compressor {
    /// Not at all.
    None,
    /// One zlib stream, each message ends in `00 00 FF FF`.
    ZlibStream(Box<Compress>),
    /// One zstd stream, flushed after each message.
    ZstdStream(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    /// Zlib, each message on its own.
    ZlibPayload,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::ZlibStream(_) => "ZlibStream",
            Self::ZstdStream(_) => "ZstdStream",
            Self::ZlibPayload => "ZlibPayload",
        })
    }
}

impl Compressor {
    /// The transport compression a client named in its URL; `None` if there is no such one.
    pub(crate) fn named(name: Option<&str>) -> Option<io::Result<Self>> {
        Some(Ok(match name {
            None => Self::None,
            Some("zlib-stream") => {
                Self::ZlibStream(Box::new(Compress::new(Compression::fast(), true)))
            }
            Some("zstd-stream") => match zstd::stream::write::Encoder::new(Vec::new(), 1) {
                Ok(encoder) => Self::ZstdStream(Box::new(encoder)),
                Err(error) => return Some(Err(error)),
            },
            Some(_) => return None,
        }))
    }

    /// The message as it goes out.
    pub(crate) fn frame(&mut self, text: String) -> io::Result<Frame> {
        Ok(match self {
            Self::None => Frame::Text(text),
            Self::ZlibStream(stream) => Frame::Binary(deflate(stream, text.as_bytes())?),
            Self::ZstdStream(stream) => {
                stream.write_all(text.as_bytes())?;
                stream.flush()?;
                Frame::Binary(std::mem::take(stream.get_mut()))
            }
            Self::ZlibPayload => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(text.as_bytes())?;
                Frame::Binary(encoder.finish()?)
            }
        })
    }
}

/// Compresses `bytes` and flushes, so that they can be read without what follows.
fn deflate(stream: &mut Compress, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
    let begin = stream.total_in();
    loop {
        let read = usize::try_from(stream.total_in() - begin).unwrap_or(bytes.len());
        stream.compress_vec(&bytes[read..], &mut out, FlushCompress::Sync)?;
        let all_read = stream.total_in() - begin == bytes.len() as u64;
        // Spare room left over means that the flush is complete.
        if all_read && out.len() < out.capacity() {
            return Ok(out);
        }
        out.reserve(bytes.len().max(256));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::{Decompress, FlushDecompress};

    use super::*;

    fn messages() -> Vec<String> {
        let long: String = (0..40_000).map(|n| char::from(b'a' + (n * n % 23) as u8)).collect();
        vec!["{\"op\":10}".into(), long, String::new(), "{\"op\":11}".into()]
    }

    fn binary(frame: Frame) -> Vec<u8> {
        match frame {
            Frame::Binary(bytes) => bytes,
            Frame::Text(text) => panic!("sent as text: {text}"),
        }
    }

    #[test]
    fn each_zlib_stream_message_can_be_read_on_arrival() {
        let mut compressor = Compressor::named(Some("zlib-stream")).unwrap().unwrap();
        let mut reader = Decompress::new(true);
        for message in messages() {
            let bytes = binary(compressor.frame(message.clone()).unwrap());
            assert!(bytes.ends_with(&[0, 0, 0xFF, 0xFF]));
            let mut out = Vec::with_capacity(100_000);
            reader.decompress_vec(&bytes, &mut out, FlushDecompress::Sync).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), message);
        }
    }

    #[test]
    fn each_zstd_stream_message_can_be_read_on_arrival() {
        let mut compressor = Compressor::named(Some("zstd-stream")).unwrap().unwrap();
        let mut reader = zstd::stream::write::Decoder::new(Vec::new()).unwrap();
        for message in messages() {
            let bytes = binary(compressor.frame(message.clone()).unwrap());
            reader.write_all(&bytes).unwrap();
            reader.flush().unwrap();
            assert_eq!(String::from_utf8(std::mem::take(reader.get_mut())).unwrap(), message);
        }
    }

    #[test]
    fn payload_compression_needs_no_history() {
        let mut compressor = Compressor::ZlibPayload;
        for message in messages() {
            let bytes = binary(compressor.frame(message.clone()).unwrap());
            let mut out = String::new();
            flate2::read::ZlibDecoder::new(&bytes[..]).read_to_string(&mut out).unwrap();
            assert_eq!(out, message);
        }
    }

    #[test]
    fn an_unknown_compression_is_refused() {
        assert!(Compressor::named(Some("gzip")).is_none());
    }
}
