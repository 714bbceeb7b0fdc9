//! Server-sent events: bytes in whatever pieces the network gives, events out.
//!
//! Source: WHATWG HTML, 9.2.6 "Interpreting an event stream". Two things are taken more loosely,
//! as compatible servers need it: the last event counts without its blank line, and `id` and
//! `retry` are passed over.

use std::collections::VecDeque;

/// The longest line, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// The most data of one event, in bytes.
pub const MAX_DATA: usize = 4 << 20;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field; empty if there was none.
    pub name: String,
    /// The `data` lines, joined by line feeds. Bytes that are no UTF-8 became U+FFFD.
    pub data: String,
}

/// Why the stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line longer than [`MAX_LINE`].
    #[error("a line of the event stream is longer than {MAX_LINE} bytes")]
    LineTooLong,
    /// More data in one event than [`MAX_DATA`].
    #[error("an event of the stream holds more than {MAX_DATA} bytes")]
    EventTooLarge,
}

/// Reads an event stream. A line is decoded when it is whole, so it does not matter where the
/// pieces are cut.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed now belongs to it.
    after_return: bool,
    begun: bool,
    name: String,
    data: String,
    has_data: bool,
    events: VecDeque<SseEvent>,
    failed: Option<SseError>,
}

impl SseParser {
    /// The next piece of the stream.
    ///
    /// # Errors
    ///
    /// When a bound is passed; then, and ever after, the stream is given up. Events before it can
    /// still be polled.
    pub fn handle_bytes(&mut self, mut bytes: &[u8]) -> Result<(), SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_return)
                && let Some(rest) = bytes.strip_prefix(b"\n")
            {
                bytes = rest;
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (piece, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
            if self.line.len() + piece.len() > MAX_LINE {
                return self.fail(SseError::LineTooLong);
            }
            self.line.extend_from_slice(piece);
            bytes = rest;
            if let Some((end, rest)) = rest.split_first() {
                self.after_return = *end == b'\r';
                bytes = rest;
                self.handle_line()?;
            }
        }
        Ok(())
    }

    /// The stream ended. What was begun counts as far as it is there.
    ///
    /// # Errors
    ///
    /// As [`Self::handle_bytes`].
    pub fn handle_end(&mut self) -> Result<(), SseError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if !self.line.is_empty() {
            self.handle_line()?;
        }
        self.dispatch();
        Ok(())
    }

    /// The next event that is whole.
    pub fn poll_event(&mut self) -> Option<SseEvent> {
        self.events.pop_front()
    }

    fn handle_line(&mut self) -> Result<(), SseError> {
        let mut bytes = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.begun, true) && bytes.starts_with(b"\xef\xbb\xbf") {
            bytes.drain(..3);
        }
        let line = String::from_utf8_lossy(&bytes);
        if line.is_empty() {
            self.dispatch();
            return Ok(());
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" if self.data.len() + value.len() >= MAX_DATA => {
                return self.fail(SseError::EventTooLarge);
            }
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.name),
            // A comment (the field is empty), `id`, `retry`, or something unknown.
            _ => {}
        }
        Ok(())
    }

    fn dispatch(&mut self) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            self.events.push_back(SseEvent { name, data });
        }
    }

    fn fail(&mut self, error: SseError) -> Result<(), SseError> {
        self.failed = Some(error);
        self.line = Vec::new();
        Err(error)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Vec<(String, String)> {
        let mut parser = SseParser::default();
        for piece in pieces {
            parser.handle_bytes(piece).unwrap();
        }
        parser.handle_end().unwrap();
        std::iter::from_fn(|| parser.poll_event()).map(|e| (e.name, e.data)).collect()
    }

    fn whole(text: &str) -> Vec<(String, String)> {
        read([text.as_bytes()])
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn fields_and_line_ends() {
        for (text, events) in [
            ("data: a\n\n", vec![event("", "a")]),
            ("data:a\r\n\r\n", vec![event("", "a")]),
            ("data: a\r\rdata: b\r\r", vec![event("", "a"), event("", "b")]),
            ("data:  a\n\n", vec![event("", " a")]),
            ("data: a\ndata: b\n\n", vec![event("", "a\nb")]),
            ("event: x\ndata: a\n\ndata: b\n\n", vec![event("x", "a"), event("", "b")]),
            (": ping\n\nid: 1\nretry: 5\ndata: a\n\n", vec![event("", "a")]),
            ("event: x\n\n", vec![]),
            ("data\n\n", vec![event("", "")]),
            ("\u{feff}data: a\n\n", vec![event("", "a")]),
            ("data: \u{feff}\n\n", vec![event("", "\u{feff}")]),
            ("data: a", vec![event("", "a")]),
            ("data: a\n", vec![event("", "a")]),
            ("", vec![]),
        ] {
            assert_eq!(whole(text), events, "{text:?}");
        }
    }

    #[test]
    fn provider_scenario_48_a_character_may_be_cut_anywhere() {
        let text = "data: {\"a\":\"d\u{e9}j\u{e0} \u{1f600}\"}\r\n\r\n".as_bytes();
        for cut in 0..=text.len() {
            let (head, tail) = text.split_at(cut);
            assert_eq!(read([head, tail]), whole(std::str::from_utf8(text).unwrap()), "{cut}");
        }
    }

    #[test]
    fn a_line_is_bounded() {
        let mut parser = SseParser::default();
        parser.handle_bytes(b"data: a\n\n").unwrap();
        let piece = vec![b'x'; MAX_LINE / 4];
        let failed = (0..5).find_map(|_| parser.handle_bytes(&piece).err());
        assert_eq!(failed, Some(SseError::LineTooLong));
        assert_eq!(parser.handle_bytes(b"\n\n"), Err(SseError::LineTooLong));
        assert_eq!(parser.handle_end(), Err(SseError::LineTooLong));
        assert!(parser.poll_event().is_some(), "what came before is lost");
    }

    #[test]
    fn an_event_is_bounded() {
        let mut parser = SseParser::default();
        let line = [b"data: ".as_slice(), &vec![b'x'; MAX_LINE - 6], b"\n"].concat();
        let failed = (0..5).find_map(|_| parser.handle_bytes(&line).err());
        assert_eq!(failed, Some(SseError::EventTooLarge));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            bytes in prop::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b' '), Just(b'd'), any::<u8>()],
                0..200,
            ),
            lines in prop::collection::vec("(data|event|id)?(: ?)?[a-z\u{e4}]{0,4}", 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes = [lines.join("\r\n").into_bytes(), bytes].concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            pieces.push(&bytes[from..]);
            prop_assert_eq!(read(pieces), read([&bytes[..]]));
        }
    }
}
