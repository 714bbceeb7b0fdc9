//! The fuzzer's bytes as a list of decisions.

use std::time::Duration;

/// Takes decisions off the front of the fuzzer's bytes; zeros once they are used up.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Reads from `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// The next two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// The next four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// The next byte's lowest bit.
    pub fn flag(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number below `count`.
    pub fn below(&mut self, count: u8) -> u8 {
        self.byte() % count
    }

    /// Up to 65 s; short waits are as likely as long ones.
    pub fn wait(&mut self) -> Duration {
        let amount = u64::from(self.byte());
        match self.below(4) {
            0 => Duration::from_micros(amount),
            1 => Duration::from_millis(amount),
            2 => Duration::from_millis(20 * amount),
            _ => Duration::from_millis(255 * amount),
        }
    }

    /// Some bytes: a length (one byte, or 255 and two more), then as many as there are of them.
    pub fn piece(&mut self) -> &'a [u8] {
        let length = match self.byte() {
            255 => usize::from(self.u16()),
            short => usize::from(short),
        };
        let (piece, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        piece
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}

/// A script of one step per line: a letter that says what, and the rest of the line.
pub fn steps(text: &str) -> impl Iterator<Item = (char, &str)> {
    text.lines().filter_map(|line| {
        let mut chars = line.chars();
        chars.next().map(|what| (what, chars.as_str()))
    })
}
